"""Writes docs/serving.md, which engine to serve with, from the catalog. `uv run python docs/make_serving.py`."""

from pathlib import Path

from eksml.advisor.ranking import in_words
from eksml.advisor.requirements import EngineCriterion
from eksml.catalog import AnalysisQuery, Backend, Engine, EngineChoice, engines, images, tools

PAGE = Path(__file__).with_name("serving.md")

HEAD = """# Which engine to serve with

Made from the catalog by `docs/make_serving.py`; a test holds it equal. How to serve: [the guide](guides/serving.md).
When something does not work: [troubleshooting](troubleshooting.md).
"""

MATRIX = """## Engines

| | `kind` | frameworks | models | performance | ease of use | memory efficiency | cost |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""

NOT_THE_GUIDES = """
Low cost is good. *Italic* is not what the decision guide says: what is different today, or a grade of ours where it has
none.

"""

BACKENDS = """## Triton's backends

Models of one server run in one image.

| backend | | CPU | GPU | file in each version | image | |
| --- | --- | --- | --- | --- | --- | --- |
"""

PROTOCOLS = """## How they are asked

| | protocol | HTTP | gRPC | metrics | ready once this answers | lives while this answers |
| --- | --- | --- | --- | --- | --- | --- |
"""

IMAGES = """## What runs

| | on GPUs | on CPUs |
| --- | --- | --- |
"""

JUDGED = """## What is known of them while they run

Replicas follow a signal; a new version is judged by what is measured. The queries: [metrics](metrics.md).

| | replicas follow | requests without a failure | latency | GPU errors |
| --- | --- | --- | --- | --- |
"""

NOTES = """## Notes

"""


def page() -> str:
    """The whole page."""
    known = engines()
    rated = [(tool.title, tool.engine) for tool in tools().values() if tool.engine]
    matrix = MATRIX + "".join(_rated(*each) for each in rated)
    matrix += NOT_THE_GUIDES + "".join(_differs(*each) for each in rated)
    triton = known["triton"]
    backends = BACKENDS + "".join(_backend(name, backend) for name, backend in triton.backends.items())
    removed = "".join(f"\n`{name}` is no backend any longer. {why}\n" for name, why in triton.removed_backends.items())
    tables = [
        PROTOCOLS + "".join(map(_asked, known.values())),
        IMAGES + "".join(map(_image, known.values())),
        JUDGED + "".join(map(_judged, known.values())),
        NOTES + "".join(map(_noted, known.values())),
    ]
    return "\n".join([HEAD, matrix, backends + removed, *tables])


def _rated(title: str, choice: EngineChoice) -> str:
    ours = choice.ours.judgements if choice.ours else {}
    cells = [
        f"`{choice.kind}`",
        _italic(", ".join(choice.frameworks), "frameworks" in choice.corrected),
        _italic(", ".join(choice.model_types), "modelTypes" in choice.corrected),
        *(_italic(choice.grades[criterion], criterion in ours) for criterion in EngineCriterion),
    ]
    return f"| **{title}** | {' | '.join(cells)} |\n"


def _italic(text: str, is_different: bool) -> str:
    return f"*{text}*" if is_different else text


def _differs(title: str, choice: EngineChoice) -> str:
    lines = [
        f"- {title}, {in_words(field)}: {each.because} Source: {each.source}\n"
        for field, each in choice.corrected.items()
    ]
    return "".join([*lines, f"- {title}, grades: {choice.ours.because}\n" if choice.ours else ""])


def _backend(name: str, backend: Backend) -> str:
    cells = [
        f"`{name}`",
        backend.title,
        "yes" if backend.on_cpu else "no",
        "yes" if backend.on_gpu else "no",
        f"`{backend.model_file}`" if backend.model_file else "named elsewhere",
        f"`{images()[backend.image].reference}`",
        backend.note or "",
    ]
    return f"| {' | '.join(cells)} |\n"


def _asked(engine: Engine) -> str:
    protocols = {"openAi": "OpenAI", "openInference": "Open Inference", "tensorflowServing": "TensorFlow Serving"}
    ports, paths = engine.ports, engine.health_paths
    live = f"`{paths.live}`" if paths.live else "its port is open"
    measured = f"{ports.metrics} `{engine.metrics_path}`"
    cells = [protocols[engine.protocol], str(ports.http), str(ports.grpc or "none"), measured, f"`{paths.ready}`", live]
    return f"| {engine.title} | {' | '.join(cells)} |\n"


def _image(engine: Engine) -> str:
    own = f"`{images()[engine.image].reference}`"
    cpu = f"`{images()[engine.cpu_image].reference}`" if engine.cpu_image else "none"
    gpu = "none" if engine.image == engine.cpu_image and images()[engine.image].for_cpus else own
    return f"| {engine.title} | {gpu} | {cpu} |\n"


def _judged(engine: Engine) -> str:
    signal = engine.signals[engine.default_signal]
    followed = f"`{engine.default_signal}`, {signal.target:g} {signal.unit} each"
    judged = (engine.analysis.success_rate, engine.analysis.latency, engine.analysis.gpu_errors)
    return f"| {engine.title} | {followed} | {' | '.join(map(_measurable, judged))} |\n"


def _measurable(query: AnalysisQuery) -> str:
    return "yes" if query.query else f"no: {query.reason}"


def _noted(engine: Engine) -> str:
    note = f"{engine.note} " if engine.note else ""
    return f"- **{engine.title}**: {note}Source: {engine.source}, read {engine.date}.\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
