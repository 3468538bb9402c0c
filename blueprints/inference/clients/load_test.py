"""Loads a served model with more and more callers, and says what it can take and what that costs.

    uv run --group workload-clients blueprints/inference/clients/load_test.py openAi \
        --url http://localhost:8000 --instance-type g6.2xlarge --output results

Callers (of Locust) each ask again as soon as they have their answer. For each number of callers, what ends within the
duration counts; the warm-up before it does not. The table is printed; `results.json`, `results.csv` and `results.png`
lie in the output folder. Exit code 1: more errors than allowed, or nobody to ask.
"""

# Locust comes first: it makes the sockets of all that follows wait for each other.
from locust import User, constant, task  # isort: skip
from locust.env import Environment  # isort: skip

import argparse
import csv
import io
import itertools
import json
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gevent
import matplotlib
import numpy
from rich.console import Console
from rich.table import Table

import openai_client
import tensorflow_serving_client
import tensors
from connection import Server, ServerError, arguments, run
from eksml.catalog import instance_types
from eksml.costs import run_cost
from open_inference_client import OpenInferenceModel
from openai_client import LanguageModel
from tensorflow_serving_client import TensorFlowServingModel

matplotlib.use("agg")
from matplotlib import pyplot

SECONDS_AFTER_ERROR = 0.5
# From here on, the callers themselves are slow, and what is measured is they.
BUSY_CALLERS = 0.8
PERCENTILES = (50, 90, 95, 99)


class Answer(NamedTuple):
    """When the parts of an answer came, in seconds since the request; of what is no language model, only its end."""

    pieces: tuple[float, ...] = ()
    tokens: int = 0


class Request(NamedTuple):
    """A request that has ended."""

    seconds: float
    answer: Answer | None
    error: str | None


Ask = Callable[[Server], Answer]


class Caller(User):
    """Asks again as soon as it has its answer."""

    wait_time = constant(0)
    ask: Ask
    connect: Callable[[], Server]

    def on_start(self) -> None:
        """Every caller has a connection of its own."""
        self.server = type(self).connect()

    @task
    def call(self) -> None:
        """Asks once, and tells Locust how long it took."""
        began, answer, error = time.perf_counter(), None, None
        try:
            answer = type(self).ask(self.server)
        except ServerError as found:
            error = found
        self.environment.events.request.fire(
            request_type="ask",
            name="model",
            response_time=1000 * (time.perf_counter() - began),
            response_length=0,
            exception=error,
            context={"answer": answer},
        )
        if error:
            gevent.sleep(SECONDS_AFTER_ERROR)


def language_model(settings: argparse.Namespace, server: Server) -> Ask:
    """How a language model is asked."""
    model = LanguageModel(server, settings.model, settings.max_tokens, settings.complete)
    numbers = itertools.count(1)

    def ask(server: Server) -> Answer:
        # Each prompt begins in its own way, or the server would answer from what it has kept of the last one.
        prompt = f"Request {next(numbers)} of {time.time():.6f}. {settings.prompt}"
        began, pieces, told = time.perf_counter(), [], None
        for piece in model.ask(server, prompt):
            if piece.text:
                pieces.append(time.perf_counter() - began)
            told = piece.tokens or told
        return Answer(tuple(pieces), told or len(pieces))

    return ask


def tensor_model(settings: argparse.Namespace, server: Server) -> Ask:
    """How a model of tensors is asked: always the same, encoded once."""
    if settings.protocol == "openInference":
        model: Any = OpenInferenceModel(server, settings.model)
    else:
        model = TensorFlowServingModel(server, settings.model, settings.signature, settings.label)
    request = model.request(tensors.make_inputs(model.inputs, settings))

    def ask(server: Server) -> Answer:
        model.ask(server, request)
        return Answer()

    return ask


def measure(ask: Ask, settings: argparse.Namespace) -> list[dict[str, Any]]:
    """What each number of callers gets."""
    connect = lambda: Server(settings.url, settings.timeout)  # noqa: E731
    caller = type("Caller", (Caller,), {"ask": staticmethod(ask), "connect": staticmethod(connect)})
    environment = Environment(user_classes=[caller])
    ended: list[Request] = []

    def note(response_time: float, exception: Exception | None, context: dict[str, Any], **_: Any) -> None:
        ended.append(Request(response_time / 1000, context["answer"], str(exception) if exception else None))

    environment.events.request.add_listener(note)
    runner = environment.create_local_runner()
    steps = []
    for callers in settings.concurrency:
        runner.start(callers, spawn_rate=callers)
        gevent.sleep(settings.warm_up)
        ended.clear()
        began, busy = time.perf_counter(), time.process_time()
        gevent.sleep(settings.duration)
        seconds, requests = time.perf_counter() - began, list(ended)
        busy = (time.process_time() - busy) / seconds
        runner.stop()
        steps.append(step(callers, requests, seconds, busy, settings.hourly_cost))
    runner.quit()
    return steps


def step(
    callers: int, requests: Sequence[Request], seconds: float, busy: float, hourly: float | None
) -> dict[str, Any]:
    """One row of the results."""
    good = [each for each in requests if each.answer]
    answers = [each.answer for each in good if each.answer]
    gaps = [late - early for each in answers for early, late in itertools.pairwise(each.pieces)]
    tokens = sum(each.tokens for each in answers)
    errors = [each.error for each in requests if each.error]
    hours = seconds / 3600
    return {
        "concurrency": callers,
        "requests": len(requests),
        "errors": len(errors),
        "firstError": errors[0] if errors else None,
        "requestsPerSecond": len(good) / seconds,
        "tokensPerSecond": tokens / seconds if tokens else None,
        "latencySeconds": percentiles([each.seconds for each in good]),
        "timeToFirstTokenSeconds": percentiles([each.pieces[0] for each in answers if each.pieces]),
        "interTokenLatencySeconds": percentiles(gaps),
        "usdPerThousandRequests": hourly * hours / len(good) * 1000 if hourly is not None and good else None,
        "usdPerMillionTokens": hourly * hours / tokens * 1e6 if hourly is not None and tokens else None,
        "loadGeneratorCpu": busy,
    }


def percentiles(values: Sequence[float]) -> dict[str, float] | None:
    """The percentiles of some seconds; none where there are none."""
    return {f"p{rank}": float(numpy.percentile(values, rank)) for rank in PERCENTILES} if values else None


def table(steps: Sequence[dict[str, Any]]) -> Table:
    """The results, for people: a column for each number of callers."""
    rows: list[tuple[str, Callable[[dict[str, Any]], str]]] = [
        ("requests", lambda step: str(step["requests"])),
        ("errors", lambda step: str(step["errors"])),
        ("requests/s", lambda step: f"{step['requestsPerSecond']:.2f}"),
        *_rows("latency", "latencySeconds", PERCENTILES),
        ("$ for 1000 requests", lambda step: _dollars(step["usdPerThousandRequests"])),
    ]
    if any(step["tokensPerSecond"] for step in steps):
        rows += [
            ("tokens/s", lambda step: f"{step['tokensPerSecond'] or 0:.1f}"),
            *_rows("first token", "timeToFirstTokenSeconds", (50, 95, 99)),
            *_rows("between tokens", "interTokenLatencySeconds", (50, 95, 99)),
            ("$ for a million tokens", lambda step: _dollars(step["usdPerMillionTokens"])),
        ]
    made = Table("callers at once")
    for step in steps:
        made.add_column(str(step["concurrency"]), justify="right")
    for title, text in rows:
        made.add_row(title, *(text(step) for step in steps))
    return made


def plot(steps: Sequence[dict[str, Any]], title: str) -> bytes:
    """The results as a PNG."""
    callers = [str(row["concurrency"]) for row in steps]
    tokens = any(row["tokensPerSecond"] for row in steps)
    priced = any(row["usdPerThousandRequests"] is not None for row in steps)
    panels = 2 + tokens + priced
    figure, axes = pyplot.subplots(1, panels, figsize=(5 * panels, 4.5), layout="constrained")
    figure.suptitle(title)
    waiting = iter(axes)

    panel = next(waiting)
    panel.bar(callers, [row["requestsPerSecond"] for row in steps], color="tab:blue")
    panel.set(title="Throughput", ylabel="requests/s")
    if tokens:
        beside = panel.twinx()
        beside.plot(callers, [row["tokensPerSecond"] or 0 for row in steps], "o-", color="tab:orange")
        beside.set_ylabel("tokens/s (line)")
        beside.set_ylim(bottom=0)

    panel = next(waiting)
    _lines(panel, callers, steps, "latencySeconds", "")
    panel.set(title="Latency", ylabel="ms")
    if tokens:
        panel = next(waiting)
        _lines(panel, callers, steps, "timeToFirstTokenSeconds", "first token ", (50, 95))
        _lines(panel, callers, steps, "interTokenLatencySeconds", "between tokens ", (50, 95), "--")
        panel.set(title="Tokens", ylabel="ms")
    if priced:
        panel = next(waiting)
        panel.plot(callers, [row["usdPerThousandRequests"] for row in steps], "o-", color="tab:green")
        panel.set(title="Cost of a thousand requests", ylabel="USD")
    for panel in axes:
        panel.set_xlabel("callers at once")
        panel.set_ylim(bottom=0)
        panel.grid(axis="y", alpha=0.3)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()


def write(folder: Path, steps: Sequence[dict[str, Any]], about: dict[str, Any]) -> None:
    """Writes the results as JSON, CSV and PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps({**about, "steps": steps}, indent=2), encoding="utf-8")
    rows = [_flat(each) for each in steps]
    with (folder / "results.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)
    (folder / "results.png").write_bytes(plot(steps, f"{about['model'] or 'the model'} at {about['url']}"))


def price(settings: argparse.Namespace, parser: argparse.ArgumentParser) -> float | None:
    """US dollars for an hour of the servers; none given: not known."""
    if settings.hourly_cost is not None or settings.instance_type is None:
        return settings.hourly_cost
    if settings.instance_type not in instance_types():
        parser.error(f"--instance-type: {settings.instance_type} is not in the catalog: give --hourly-cost")
    return run_cost(settings.instance_type, settings.nodes, 1, settings.region)


def _lines(
    panel: Any,
    callers: list[str],
    steps: Sequence[dict[str, Any]],
    key: str,
    label: str,
    ranks: Sequence[int] = PERCENTILES,
    style: str = "-",
) -> None:
    for rank in ranks:
        values = [1000 * row[key][f"p{rank}"] if row[key] else numpy.nan for row in steps]
        panel.plot(callers, values, f"o{style}", label=f"{label}p{rank}")
    panel.legend()


def _rows(title: str, key: str, ranks: Sequence[int]) -> list[tuple[str, Callable[[dict[str, Any]], str]]]:
    return [(f"{title} p{rank}, ms", lambda step, rank=rank: _milliseconds(step[key], rank)) for rank in ranks]


def _milliseconds(found: dict[str, float] | None, rank: int) -> str:
    return f"{1000 * found[f'p{rank}']:.1f}" if found else "-"


def _dollars(amount: float | None) -> str:
    return "not priced" if amount is None else f"{amount:.4f}"


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in row.items():
        found |= {f"{name}.{part}": each for part, each in value.items()} if isinstance(value, dict) else {name: value}
    return found


def _counts(text: str) -> list[int]:
    found = [int(part) for part in text.split(",")]
    if min(found) < 1:
        raise ValueError
    return found


def read_arguments() -> argparse.Namespace:
    """The arguments, with the price of an hour looked up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    protocols = parser.add_subparsers(dest="protocol", required=True)
    made = {}
    for name in ("openAi", "openInference", "tensorflowServing"):
        base = arguments(None)
        made[name] = protocols.add_parser(name, parents=[base], add_help=False, allow_abbrev=False)
        add = made[name].add_argument
        add("--concurrency", type=_counts, default=[1, 4, 16], help="callers at once, step by step (1,4,16)")
        add("--duration", type=float, default=30, help="seconds of each step that count (30)")
        add("--warm-up", type=float, default=5, help="seconds of each step before them (5)")
        add("--hourly-cost", type=float, help="US dollars for an hour of all the servers")
        add("--instance-type", help="EC2 type of their nodes, in the place of --hourly-cost")
        add("--nodes", type=int, default=1, help="how many nodes of it (1)")
        add("--region", default="us-west-2", help="AWS region whose on-demand price is taken (us-west-2)")
        add("--error-limit", type=float, default=0.01, help="share of requests that may fail (0.01)")
        add("--output", type=Path, default=Path("load-test"), help="folder for the results (load-test)")
    for name in ("openInference", "tensorflowServing"):
        tensors.add_arguments(made[name])
    tensorflow_serving_client.add_arguments(made["tensorflowServing"])
    openai_client.add_arguments(made["openAi"])
    made["openAi"].add_argument("--model", help="name of the model; without it, the only one")
    made["openAi"].add_argument("--prompt", default="Explain what a Kubernetes pod is.", help="what is asked")
    settings = parser.parse_args()
    settings.hourly_cost = price(settings, parser)
    return settings


def main() -> int:
    """Measures, and prints and writes what was found."""
    settings = read_arguments()
    logging.getLogger("locust").setLevel(logging.WARNING)
    server = Server(settings.url, settings.timeout)
    ask = (language_model if settings.protocol == "openAi" else tensor_model)(settings, server)
    # The first answer wakes what sleeps, and says what is wrong before a thousand callers do.
    ask(server)
    steps = measure(ask, settings)
    about = {key: getattr(settings, key) for key in ("protocol", "url", "model", "hourly_cost", "duration", "warm_up")}
    write(settings.output, steps, about)
    console = Console()
    console.print(table(steps))
    for row in steps:
        if row["loadGeneratorCpu"] > BUSY_CALLERS:
            console.print(f"{row['concurrency']} callers kept this machine busy: the server may be faster than this.")
        if row["requests"] < 100:
            console.print(f"{row['concurrency']} callers: {row['requests']} requests, few for p99: --duration longer.")
        if row["firstError"]:
            console.print(f"{row['concurrency']} callers: {row['errors']} errors, such as {row['firstError']}")
    console.print(f"Written to {settings.output}: results.json, results.csv, results.png")
    bad = [row for row in steps if not row["requests"] or row["errors"] > settings.error_limit * row["requests"]]
    return 1 if bad else 0


if __name__ == "__main__":
    run(main)
