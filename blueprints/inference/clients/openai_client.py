"""Asks a language model over OpenAI's protocol: vLLM, Ray Serve, Transformers, OpenVINO Model Server.

    uv run --group workload-clients blueprints/inference/clients/openai_client.py \
        --url http://localhost:8000 "What is a pod?"

KServe's servers have the protocol below /openai: --url http://localhost:8080/openai. A model that has no chat template
completes a text: --complete. More tokens than the model's context are refused before anything is sent.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from connection import Server, ServerError, arguments, run


class Piece(NamedTuple):
    """A part of an answer, and how many tokens it has so far where the server says it."""

    text: str
    tokens: int | None


class LanguageModel:
    """A model of a server.

    Arguments:
        name: the model's name; none given: the only one of the server.
        max_tokens: the most tokens of an answer.
        complete: whether a text is completed; otherwise a message is answered.
    """

    def __init__(self, server: Server, name: str | None, max_tokens: int, complete: bool = False):
        known = {each["id"]: each for each in server.get("/v1/models").get("data", [])}
        self.name = _chosen(name, known)
        self._max_tokens, self._complete = max_tokens, complete
        # Only vLLM and what is built on it tell the context.
        context = known.get(self.name, {}).get("max_model_len")
        if context and max_tokens >= context:
            raise ServerError(f"--max-tokens: {max_tokens} given, {self.name} has {context}, with those of the prompt")

    def ask(self, server: Server, prompt: str) -> Iterator[Piece]:
        """The answer, piece by piece as it comes."""
        asked = {"prompt": prompt} if self._complete else {"messages": [{"role": "user", "content": prompt}]}
        path = "/v1/completions" if self._complete else "/v1/chat/completions"
        # Without it the stream says nothing of tokens.
        stream = {"stream": True, "stream_options": {"include_usage": True}}
        for event in server.stream(path, {"model": self.name, "max_tokens": self._max_tokens, **asked, **stream}):
            if "error" in event:
                raise ServerError(f"{server.url}{path}: {event['error']}")
            yield Piece(_text(event), (event.get("usage") or {}).get("completion_tokens"))


def _chosen(name: str | None, known: Mapping[str, Any]) -> str:
    if name is None and len(known) == 1:
        return next(iter(known))
    names = ", ".join(known) or "none of which it tells"
    if name is None:
        raise ServerError(f"--model: missing, the server has {names}")
    if known and name not in known:
        raise ServerError(f"--model: {name} given, the server has {names}")
    return name


def _text(event: Mapping[str, Any]) -> str:
    choice = next(iter(event.get("choices") or []), {})
    delta = choice.get("delta") or {}
    # What a model thinks before it answers takes time and money too.
    return delta.get("content") or delta.get("reasoning_content") or delta.get("reasoning") or choice.get("text") or ""


def add_arguments(parser: Any) -> None:
    """Adds the arguments that say what is asked for."""
    parser.add_argument("--max-tokens", type=int, default=128, help="most tokens of an answer (128)")
    parser.add_argument("--complete", action="store_true", help="complete a text, for models without a chat template")


def main() -> None:
    """Asks once, and prints the answer as it comes."""
    parser = arguments(__doc__)
    parser.add_argument("--model", help="name of the model; without it, the only one")
    add_arguments(parser)
    parser.add_argument("prompt", help="what the model is asked")
    settings = parser.parse_args()
    server = Server(settings.url, settings.timeout)
    model = LanguageModel(server, settings.model, settings.max_tokens, settings.complete)
    for piece in model.ask(server, settings.prompt):
        print(piece.text, end="", flush=True)
    print()


if __name__ == "__main__":
    run(main)
