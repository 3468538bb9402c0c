"""Candidates in order, with reasons for and against, who is out and why, and what would change the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, get_args, get_origin

from eksml.advisor.requirements import Requirements, RequirementsType
from eksml.advisor.weights import QuestionWeights, weighting
from eksml.catalog import tools
from eksml.errors import SpecError

_GOOD, _BAD = 0.75, 0.5


@dataclass(frozen=True)
class Reasons:
    """What speaks for a tool, and what against it."""

    pros: tuple[str, ...]
    cons: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """A requirement that, if it were otherwise, would have another answer."""

    requirement: str
    value: Any
    best: tuple[str, ...]
    """What it would be; several: a tie; none: nothing would do."""


@dataclass(frozen=True)
class Candidate:
    """A tool that may be the answer, and what is known of it."""

    name: str
    grades: Mapping[str, str]
    """By criterion."""
    rows: float | None = None
    """How much the decision guides are for it, 0 to 1; None: they say nothing here."""
    known: float | None = None
    """Whether the team knows it, 1 or 0; None: it does not matter."""
    pros: tuple[str, ...] = ()
    cons: tuple[str, ...] = ()
    remarks: Mapping[str, str] = field(default_factory=dict)
    """By criterion, why its grade is not the documents'."""
    excluded: tuple[str, ...] = ()
    """Why it cannot be the answer, whatever its grades are."""
    beside: tuple[str, ...] = ()
    """What to take with it."""
    notes: tuple[str, ...] = ()
    """What else is to be known of it."""


Candidates = Callable[[Any], Iterable[Candidate]]
"""The candidates of a question, by the requirements."""


class Ranking(list[tuple[str, float]]):
    """Tools with their scores, 0 to 100, the best first; those with the same score stand in the order of the catalog.

    Attributes:
        question: what was asked.
        requirements: by which requirements.
        reasons: by tool, what speaks for and against it.
        excluded: by tool, why it cannot be the answer.
        unjudged: the tools that could be the answer, and of which nobody says anything here.
    """

    def __init__(self, question: str, requirements: Requirements, candidates: Candidates):
        super().__init__()
        self.question = question
        self.requirements = requirements
        self.reasons: dict[str, Reasons] = {}
        self.excluded: dict[str, tuple[str, ...]] = {}
        self.unjudged: tuple[str, ...] = ()
        self._candidates = candidates
        self._by_name = {candidate.name: candidate for candidate in candidates(requirements)}
        weights: QuestionWeights = getattr(weighting(), question)
        criteria = weights.criteria_for(requirements.facts, getattr(requirements, "priorities", ()))
        for name, candidate in self._by_name.items():
            score = _score(candidate, weights, criteria)
            if candidate.excluded:
                self.excluded[name] = candidate.excluded
            elif score is None:
                self.unjudged += (name,)
            else:
                self.append((name, score))
                self.reasons[name] = _reasons(candidate, criteria)
        self.sort(key=lambda item: -item[1])

    @property
    def best(self) -> str | None:
        """The first one; None: nothing meets the requirements."""
        return self[0][0] if self else None

    @property
    def top(self) -> tuple[str, ...]:
        """The best one, and all that tie with it."""
        return tuple(name for name, score in self if self[0][1] - score <= weighting().tie_within)

    @property
    def ties(self) -> tuple[str, ...]:
        """The ones at the top between which there is nothing to choose; none where one is ahead."""
        return self.top if len(self.top) > 1 else ()

    @property
    def tools(self) -> tuple[str, ...]:
        """What to take beside the best one."""
        beside = (tool for name in self.top for tool in self._by_name[name].beside)
        return tuple(dict.fromkeys(tool for tool in beside if tool not in self.top))

    @property
    def notes(self) -> tuple[str, ...]:
        """What else is to be known of the best one."""
        of_rows = [note for name in self.top for note in self._by_name[name].notes]
        of_tools = [f"{tools()[name].title}: {note}" for name in self.top if (note := tools()[name].note)]
        return tuple(dict.fromkeys((*of_rows, *of_tools)))

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """What would change the answer: each requirement with each other value that it may have, one at a time."""
        others = other_requirements(self.requirements)
        tried = ((name, value, Ranking(self.question, other, self._candidates).top) for name, value, other in others)
        return tuple(Change(name, value, best) for name, value, best in tried if best != self.top)

    def as_json(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "question": self.question,
            "requirements": self.requirements.settings(),
            "best": self.best,
            "ties": list(self.ties),
            "ranking": [
                {
                    "tool": name,
                    "title": tools()[name].title,
                    "score": score,
                    "pros": list(self.reasons[name].pros),
                    "cons": list(self.reasons[name].cons),
                }
                for name, score in self
            ],
            "excluded": {name: list(reasons) for name, reasons in self.excluded.items()},
            "unjudged": list(self.unjudged),
            "tools": list(self.tools),
            "changes": [as_json(change) for change in self.changes],
            "notes": list(self.notes),
        }


def as_json(change: Change) -> dict[str, Any]:
    """A change as plain data."""
    value = list(change.value) if isinstance(change.value, tuple) else change.value
    return {"requirement": change.requirement, "value": value, "best": list(change.best)}


def other_requirements(requirements: RequirementsType) -> Iterator[tuple[str, Any, RequirementsType]]:
    """Each requirement with each other value that it may have: its name, the value, and all of them with it."""
    tried = requirements.tried()
    for name, info in type(requirements).model_fields.items():
        for value in tried.get(name) or _values(info.annotation):
            if value != getattr(requirements, name):
                # Some values cannot be beside the others.
                with suppress(SpecError):
                    yield name, value, type(requirements)(**{**dict(requirements), name: value})


def _score(candidate: Candidate, weights: QuestionWeights, criteria: Mapping[str, float]) -> float | None:
    graded = [name for name in criteria if name in candidate.grades and criteria[name]]
    matrix = None
    if graded:
        points = sum(criteria[name] * weighting().value(name, candidate.grades[name]) for name in graded)
        matrix = points / sum(criteria[name] for name in graded)
    parts = ((weights.rows, candidate.rows), (weights.matrix, matrix), (weights.known, candidate.known))
    given = [(weight, value) for weight, value in parts if value is not None and weight]
    if not any(value for _, value in given):
        return None
    return round(100 * sum(weight * value for weight, value in given) / sum(weight for weight, _ in given), 1)


def _reasons(candidate: Candidate, criteria: Mapping[str, float]) -> Reasons:
    graded = sorted(
        (name for name in criteria if name in candidate.grades and criteria[name]), key=criteria.__getitem__
    )
    values = {name: weighting().value(name, candidate.grades[name]) for name in reversed(graded)}
    remarks = {name: f" ({remark.rstrip('.')})" for name, remark in candidate.remarks.items()}
    told = {name: f"{in_words(name)}: {_grade(candidate.grades[name])}{remarks.get(name, '')}" for name in values}
    pros = [told[name] for name, value in values.items() if value >= _GOOD]
    cons = [told[name] for name, value in values.items() if value <= _BAD]
    return Reasons((*candidate.pros, *pros), (*candidate.cons, *cons))


def in_words(name: str) -> str:
    """The name of a criterion or requirement as it stands in a sentence."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).replace("_", " ")


def _grade(grade: str) -> str:
    return f"{grade} of 5 stars" if grade.isdigit() else grade


def _values(annotation: Any) -> Iterator[Any]:
    """Every value that a requirement may have; of a list each one alone; none of a number or a text."""
    if get_origin(annotation) is Annotated:
        yield from _values(get_args(annotation)[0])
    elif annotation is bool:
        yield from (False, True)
    elif isinstance(annotation, type) and issubclass(annotation, StrEnum):
        yield from annotation
    elif get_origin(annotation) is tuple:
        yield from ((value,) for value in _values(get_args(annotation)[0]))
    else:
        for member in get_args(annotation):
            yield from (None,) if member is type(None) else _values(member)
