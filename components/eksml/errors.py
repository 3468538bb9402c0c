"""Errors that a user can act on. The command prints their text, never a traceback."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from eksml.paths import Path, path_text


class EksmlError(Exception):
    """The base of every error that this library raises on purpose; its text is meant for the user."""

    exit_code = 1
    """What the command ends with."""


class CheckFailed(EksmlError):  # noqa: N818
    """A check found what should not be built."""


class InputError(EksmlError):
    """What the user gave cannot be used: a file, a stack name, a setting."""

    exit_code = 2


class MissingHere(EksmlError):  # noqa: N818
    """Something is missing on this machine: a package, a program, credentials."""

    exit_code = 3


class Problem(NamedTuple):
    """One thing that is wrong: where, and what would be right."""

    path: Path
    text: str
    depends_on: Path = ()
    """Another place without which there may be no such problem: it is not told where something is wrong there."""

    def __str__(self) -> str:
        return f"{path_text(self.path)}: {self.text}" if self.path else self.text

    def below(self, path: Path) -> "Problem":
        """The same problem, seen from further up."""
        return Problem(path + self.path, self.text, path + self.depends_on if self.depends_on else ())


class SpecError(InputError, ValueError):
    """Settings that cannot be. `problems` has every one of them; the text has a line for each."""

    def __init__(self, problems: Iterable[Problem]):
        self.problems = sorted(set(problems), key=str)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def repetitions(path: Path, values: Sequence[object]) -> Iterator[Problem]:
    """A problem for each value of a list that stands in it before."""
    for index, value in enumerate(values):
        if value in values[:index]:
            yield Problem((*path, index), f"'{value}' is listed twice")


def nearest(word: str, words: Iterable[str]) -> str:
    """`, did you mean 'x'?` where one of the words is near, else nothing."""
    matches = difflib.get_close_matches(word, list(words), n=1)
    return f", did you mean '{matches[0]}'?" if matches else ""


def listed(words: Iterable[str]) -> str:
    """Words as they stand in a sentence: `a, b or c`."""
    *first, last = list(words) or [""]
    return f"{', '.join(first)} or {last}" if first else last
