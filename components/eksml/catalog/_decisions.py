"""What the decision guides say to take in which case."""

from collections.abc import Iterable
from datetime import date
from functools import cache
from typing import Any, Literal

from pydantic import Field

from eksml.catalog._facts import Fact, load

Document = Literal["selection", "ecosystem", "lesson", "deepDive", "strategy", "ours"]
Condition = str | bool | tuple[str, ...]
"""What a requirement must be; several: one of them."""


def hold(conditions: dict[str, Condition], facts: dict[str, Any]) -> bool:
    """Whether requirements meet all conditions."""
    return all(
        facts.get(name) in wanted if isinstance(wanted, tuple) else facts.get(name) == wanted
        for name, wanted in conditions.items()
    )


class DecisionRow(Fact):
    """One row of a table, or one branch of the tree."""

    document: Document
    kind: Literal["tree", "scenario", "useCase", "chooseWhen", "ours"]
    answer: str | None = None
    """The label of a branch of the tree."""
    says: str
    """The document's words, shortened; the case, where it is ours."""
    when: dict[str, Condition]
    """Requirements, each with the value or one of the values that it must have."""
    otherwise: bool = False
    """Whether it holds only where no other row does."""
    primary: tuple[str, ...]
    """What to take; several: either."""
    secondary: tuple[str, ...] = ()
    second_because: str = "the documents' second choice"
    tools: tuple[str, ...] = ()
    """What to take beside it."""
    because: str
    corrected: str | None = None
    """What is different today."""
    source: str | None = None
    """Who says so, where the documents do not."""


def rows_that_hold(rows: Iterable[DecisionRow], facts: dict[str, Any]) -> list[DecisionRow]:
    """The rows whose conditions are met, without those that a more exact one takes the place of."""
    met = [row for row in rows if hold(row.when, facts)]
    others = [row for row in met if not row.otherwise] or met
    return [row for row in others if not any(row.when.keys() < other.when.keys() for other in others)]


class LeftOut(Fact):
    """What the documents choose by, and the advisor does not."""

    documents: tuple[Document, ...]
    says: str
    """The documents' words, shortened."""
    because: str


class TeamChoice(Fact):
    """What a team of some profile takes."""

    framework: str
    training: str
    tracking: str
    notebooks: str | None
    serving: str
    operations: str


class Decisions(Fact):
    """The whole of it."""

    date: date
    large_table_rows: int
    questions: dict[str, str]
    """The questions of the tree, by the goal that leads to each."""
    frameworks: tuple[DecisionRow, ...]
    left_out: tuple[LeftOut, ...]
    teams: dict[str, TeamChoice] = Field(default_factory=dict)


@cache
def decisions() -> Decisions:
    """What the documents say."""
    return Decisions.model_validate(load("decisions.yaml"))
