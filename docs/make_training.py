"""Writes docs/training.md, which way to train, from the catalog. `uv run python docs/make_training.py`."""

from pathlib import Path

from eksml.catalog import Framework, Orchestrator, Variable, collectives, frameworks, images, orchestrators

PAGE = Path(__file__).with_name("training.md")

HEAD = """# Which way to train

Made from the catalog by `docs/make_training.py`; a test holds it equal. How to run a job:
[the guide](guides/training.md).
"""

MATRIX = """## Orchestration

| | learning curve | flexibility | ecosystem | native to Kubernetes |
| --- | --- | --- | --- | --- |
"""

FRAMEWORKS = """## Frameworks

| | image | launchers |
| --- | --- | --- |
"""

ENVIRONMENT = """## Environment

What jobs get beside their own settings, which go before these, and why.

| for | variable | value | reason |
| --- | --- | --- | --- |
"""

NOTES = """
What is left out, or is yours to bring:

"""


def page() -> str:
    """The whole page."""
    ways = orchestrators().values()
    known = frameworks().values()
    rows = [_variable(each.title, variable) for each in known for variable in each.environment]
    rows += [_variable("pods with GPUs that talk to each other", variable) for variable in collectives()]
    matrix = MATRIX + "".join(map(_judged, ways))
    notes = [f"- {each.title}: {each.note}\n" for each in known if each.note]
    tables = [FRAMEWORKS + "".join(map(_framework, known)), ENVIRONMENT + "".join([*rows, NOTES, *notes])]
    return "\n".join([HEAD, matrix, "\n".join(map(_described, ways)), *tables])


def _judged(way: Orchestrator) -> str:
    judgements = (way.learning_curve, way.flexibility, way.ecosystem, way.kubernetes_native)
    return f"| **{way.title}** | {' | '.join(each or 'not judged' for each in judgements)} |\n"


def _described(way: Orchestrator) -> str:
    made_by = ", ".join(f"[{name}](reference.md#{name.lower()})" for name in way.components)
    shown = ", ".join(f"[{name}](../blueprints/training/{name})" for name in way.blueprints) or "none yet"
    return (
        f"**{way.title}**, when {way.choose_when}.\n\n- Components: {made_by}\n- Blueprints: {shown}\n"
        f"- When pods come and go: {way.elastic}\n- Source: {way.source}\n"
    )


def _framework(framework: Framework) -> str:
    image = f"`{images()[framework.image].reference}`" if framework.image else "one of your own"
    return f"| {framework.title} | {image} | {', '.join(framework.launchers)} |\n"


def _variable(owner: str, variable: Variable) -> str:
    where = " with EFA" if variable.needs_efa else ""
    value = variable.value.strip("{}") if variable.value.startswith("{") else f"`{variable.value}`"
    return f"| {owner}{where} | `{variable.name}` | {value} | {variable.reason} [Source]({variable.source}) |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
