"""What may be wrong with a number that a program gives, told by the name of its argument."""

import reprlib
from collections.abc import Iterator
from math import inf

MOST = 10**18
"""Nothing that is given as a number is more."""


def count_problems(name: str, value: object) -> Iterator[str]:
    """What is wrong with a number of things of which there must be one at least."""
    if isinstance(value, bool) or not isinstance(value, int):
        yield f"{name}: {value!r} given, must be a whole number"
    elif value < 1:
        yield f"{name}: {value} given, must be at least 1"
    else:
        yield from _too_large(name, value)


def amount_problems(name: str, value: object, *, or_none_at_all: bool = True) -> Iterator[str]:
    """What is wrong with how much there is of something, which may be nothing at all or must be more."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) == inf:
        yield f"{name}: {value!r} given, must be a number, such as 2.5"
    elif value < 0 and or_none_at_all:
        yield f"{name}: {value} given, must be at least 0"
    elif value <= 0 and not or_none_at_all:
        yield f"{name}: {value} given, must be above 0"
    else:
        yield from _too_large(name, value)


def _too_large(name: str, value: float) -> Iterator[str]:
    if value > MOST:
        yield f"{name}: {reprlib.repr(value)} given, must be at most {MOST:,}"
