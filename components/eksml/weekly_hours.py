"""Hours of the week, by somebody's clock."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import BeforeValidator, Field

from eksml.errors import Problem, nearest, repetitions
from eksml.spec import Spec, pattern

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
DAYS: tuple[Day, ...] = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
"""As cron counts them, from 0."""
_WORKING_DAYS: tuple[Day, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday")


def _time_of_day(value: Any) -> Any:
    """YAML 1.1 takes 19:00 for a number in base 60: 1140."""
    is_minutes = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60
    return f"{value // 60:02}:{value % 60:02}" if is_minutes else value


Time = Annotated[str, pattern(r"^([01]\d|2[0-3]):[0-5]\d$", "a time such as 08:30"), BeforeValidator(_time_of_day)]


@cache
def _time_zones() -> frozenset[str]:
    # Hundreds of files are opened to find them.
    return frozenset(available_timezones())


class WeeklyHours(Spec):
    """The same hours on some days of the week."""

    days: tuple[Day, ...] = Field(default=_WORKING_DAYS, min_length=1)
    """The days of the week."""
    start: Time
    """When it begins, such as 08:00."""
    end: Time
    """When it ends, on the same day."""
    time_zone: str = "UTC"
    """Whose clock that is, such as Europe/Berlin."""

    def rules(self) -> Iterator[Problem]:
        """It begins before it ends, in a time zone that there is, and no day stands twice."""
        if self.start >= self.end:
            text = f"{self.end} given, must be after {self.start}, which is start: a night is two entries"
            yield Problem(("end",), text)
        zones = _time_zones()
        if zones and self.time_zone not in zones:
            yield Problem(("timeZone",), f"'{self.time_zone}' is no time zone{nearest(self.time_zone, zones)}")
        yield from repetitions(("days",), self.days)

    @property
    def text(self) -> str:
        """How a person says it."""
        days = sorted(self.days, key=lambda day: (DAYS.index(day) - 1) % 7)
        return f"{', '.join(day[:3].capitalize() for day in days)} {self.start} to {self.end} {self.time_zone}"


def minutes_of(time: str) -> int:
    """The minutes of a day that are over at a time, such as 510 at 08:30."""
    hours, minutes = map(int, time.split(":"))
    return hours * 60 + minutes
