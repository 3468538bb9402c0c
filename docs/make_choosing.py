"""Writes docs/choosing.md, which tools to choose, from the catalog. `uv run python docs/make_choosing.py`."""

from collections.abc import Iterable
from itertools import dropwhile, takewhile
from pathlib import Path

from eksml.advisor.ranking import in_words
from eksml.advisor.requirements import FrameworkCriterion
from eksml.advisor.weights import weighting
from eksml.catalog import DecisionRow, Tool, decisions, tool_categories, tools

PAGE = Path(__file__).with_name("choosing.md")

HEAD = """# Which tools to choose

Made from the catalog by `docs/make_choosing.py`; a test holds it equal. It is what five decision guides say, corrected
where that does not hold today.

`eksml recommend` answers for your case, with what speaks for and against it and what would change it. It ends in a
stack file:

    eksml recommend framework --answer goal=production --answer target=mobile
    eksml recommend inference --answer framework=pytorch --answer model_type=llm
    eksml recommend --answers answers.yaml --stack lab

The same in Python:

```python
from eksml.advisor import recommend_inference_tool

found = recommend_inference_tool({"framework": "pytorch", "model_type": "llm", "min_performance": "high"})
print(found, found.reasons[found[0][0]], found.excluded, found.changes)
```

`eksml recommend --questions` lists what is asked, and which answers there are. What cannot be the answer is
left out with the reason, whatever its grades are. Scores, 0 to 100, are of what is left, by weights in
`components/eksml/advisor/weights.yaml`; scores within TIE of each other are a tie.
"""

TREE = """## The decision tree of frameworks

```mermaid
flowchart LR
    start{"What is it for?"}
"""

ROWS = """| the documents say | take | beside it | today |
| --- | --- | --- | --- |
"""

NOT_ASKED = """## What is not asked

Conditions and figures of the documents that the advisor leaves out.

| the documents say | why it is not asked |
| --- | --- |
"""

MATRIX = """## Frameworks

The documents judge three; *italic* is what is different today.

"""

STARS = """
Stars, of five:

"""

# Two matrices are of other pages, which are made before this one.
SERVERS = """## Model servers

*Italic* is what is different today, or a grade of ours: [why, and all else about them](serving.md).

"""

ORCHESTRATORS = """## Ways to train

What each brings and asks for: [more about them](training.md).

"""

TRACKERS = """## Trackers

| | where it runs | cost | fits Kubernetes | learning curve | features | state |
| --- | --- | --- | --- | --- | --- | --- |
"""

TEAMS = """## Team profiles

Each is a [profile](guides/stack-files.md) of this library.

| | framework | training | experiments | notebooks | serving | operations |
| --- | --- | --- | --- | --- | --- | --- |
"""

ENDED = """## Dead, and what to take instead

| | last release | take | why | who says so |
| --- | --- | --- | --- | --- |
"""

LEFT_OUT = """## Left out

| | kind | why it is not here |
| --- | --- | --- |
"""

TOOLS = """## All tools

The last release, and the place of each in this library. Read on {date}.
"""

OURS = """## What the documents leave open

| the case | take | beside it | because | who says so |
| --- | --- | --- | --- | --- |
"""

KINDS = {"scenario": "Scenarios", "useCase": "Use cases", "chooseWhen": "When to choose what"}


def page() -> str:
    """The whole page."""
    parts = [HEAD.replace("TIE", f"{weighting().tie_within:g}"), _tree()]
    parts += [f"## {title}\n\n{ROWS}" + "".join(map(_row, _rows(kind))) for kind, title in KINDS.items()]
    parts += [OURS + "".join(map(_case, _rows("ours")))]
    parts += [
        MATRIX + _matrix() + _corrections(),
        SERVERS + _table("serving.md"),
        ORCHESTRATORS + _table("training.md"),
    ]
    parts += [TRACKERS + "".join(map(_tracker, _with("tracker"))), _teams()]
    known = tools()
    parts += [ENDED + "".join(_ended(each) for each in known.values() if each.upstream.state == "ended")]
    gone = [each for each in known.values() if each.left_out and each.upstream.state != "ended"]
    parts += [LEFT_OUT + "".join(map(_left_out, gone))]
    parts += [NOT_ASKED + "".join(f"| {each.says} | {each.because} |\n" for each in decisions().left_out)]
    parts += [TOOLS.format(date=decisions().date)]
    return "\n".join([*parts, *(_category(name, title) for name, title in tool_categories().items())])


def _rows(kind: str) -> list[DecisionRow]:
    return [row for row in decisions().frameworks if row.kind == kind]


def _with(choice: str) -> list[Tool]:
    return [each for each in tools().values() if getattr(each, choice)]


def _table(page: str) -> str:
    """The first table of another page."""
    lines = PAGE.with_name(page).read_text(encoding="utf-8").splitlines()
    rows = takewhile(lambda line: line.startswith("|"), dropwhile(lambda line: not line.startswith("|"), lines))
    return "\n".join([*rows, ""])


def _titles(names: Iterable[str], between: str = ", ") -> str:
    return between.join(tools()[name].title for name in names)


def _tree() -> str:
    lines, corrected = [], []
    for goal, question in decisions().questions.items():
        lines.append(f'    start --> {goal}{{"{question}"}}\n')
        for number, row in enumerate(row for row in _rows("tree") if row.when["goal"] == goal):
            lines.append(
                f'    {goal} -- "{row.answer}" --> {goal}{number}["{_titles(row.primary, " or ")}{_with_tools(row)}"]\n'
            )
            if row.corrected:
                corrected.append(f"- {row.answer}: {row.corrected}\n")
    today = "\nDifferent today:\n\n" + "".join(corrected)
    return TREE + "".join(lines) + "```\n" + today


def _with_tools(row: DecisionRow) -> str:
    return f", with {_titles(row.tools)}" if row.tools else ""


def _row(row: DecisionRow) -> str:
    cells = [row.says, _taken(row), _titles(row.tools), row.corrected or ""]
    return f"| {' | '.join(cells)} |\n"


def _case(row: DecisionRow) -> str:
    because = ". ".join(each.rstrip(".") for each in (row.because, row.corrected) if each)
    return f"| {' | '.join([row.says, _taken(row), _titles(row.tools), because, row.source or ''])} |\n"


def _taken(row: DecisionRow) -> str:
    then = f", then {_titles(row.secondary)}" if row.secondary else ""
    return f"**{_titles(row.primary, ' or ')}**{then}"


def _matrix() -> str:
    judged = [each for each in _with("framework") if each.framework and each.framework.judgements]
    stars = [name for each in judged[:1] if each.framework for name in each.framework.stars or ()]
    head = "| | " + " | ".join(each.title for each in judged) + " |\n| --- |" + " --- |" * len(judged) + "\n"
    words = "".join(_criterion(name, judged) for name in FrameworkCriterion if name not in stars)
    rest = [each.title for each in _with("framework") if each.framework and not each.framework.judgements]
    not_judged = f"\nNot judged: {', '.join(rest)}.\n"
    return head + words + STARS + head + "".join(_criterion(name, judged) for name in stars) + not_judged


def _criterion(name: str, judged: list[Tool]) -> str:
    cells = []
    for each in judged:
        choice = each.framework
        grade = str((choice and choice.grade(name)) or "not judged")
        stars = "★" * int(grade) + "☆" * (5 - int(grade)) if grade.isdigit() else grade
        cells.append(f"*{stars}*" if choice and name in choice.corrected else stars)
    return f"| {in_words(name)} | {' | '.join(cells)} |\n"


def _corrections() -> str:
    lines = []
    for each in _with("framework"):
        for name, corrected in each.framework.corrected.items() if each.framework else ():
            documents = each.framework.judgements[name] if each.framework and each.framework.judgements else "judged"
            told = f"{each.title}, {in_words(name)}: {corrected.value}, not {documents}. {corrected.because}"
            lines.append(f"- {told} Source: {corrected.source}\n")
    notes = [f"- {each.title}: {each.note}\n" for each in _with("framework") if each.note]
    return "\n" + "".join([*lines, *notes])


def _tracker(tool: Tool) -> str:
    row = tool.tracker
    if row is None:
        return ""
    features = ", ".join(row.features)
    state = f"{tool.upstream.state}; {tool.left_out}" if tool.left_out else tool.upstream.state
    cells = [row.deployment, row.cost, row.kubernetes_integration, row.learning_curve, features, state]
    return f"| {tool.title} | {' | '.join(cells)} |\n"


def _teams() -> str:
    rows = []
    for name, team in decisions().teams.items():
        notebooks = tools()[team.notebooks].title if team.notebooks else "none"
        chosen = [_titles([each]) for each in (team.framework, team.training, team.tracking)]
        cells = [f"`{name}`", *chosen, notebooks, tools()[team.serving].title, team.operations]
        rows.append(f"| {' | '.join(cells)} |\n")
    return TEAMS + "".join(rows)


def _ended(tool: Tool) -> str:
    successor = tools()[tool.successor].title if tool.successor else "nothing"
    released = tool.upstream.released or "not known"
    return f"| {tool.title} | {released} | {successor} | {tool.left_out} | {tool.upstream.source} |\n"


def _left_out(tool: Tool) -> str:
    return f"| {tool.title} | {tool_categories()[tool.category].lower()} | {tool.left_out} |\n"


def _category(name: str, title: str) -> str:
    rows = "".join(_tool(each) for each in tools().values() if each.category == name)
    return f"### {title}\n\n| | state | last release | goes with | here |\n| --- | --- | --- | --- | --- |\n{rows}"


def _tool(tool: Tool) -> str:
    upstream = tool.upstream
    release = " of ".join(each for each in (upstream.version, upstream.released) if each) or "not known"
    made_by = [f"[{each}](reference.md#{each.lower()})" for each in tool.components]
    shown = [f"[{each}](../blueprints/{each})" for each in tool.blueprints]
    place = ", ".join([*made_by, *shown, *(f"`{each}`" for each in tool.settings)]) or "left out"
    return (
        f"| {tool.title} | {upstream.state} | {release} ({upstream.source}) | {_titles(tool.works_with)} | {place} |\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
