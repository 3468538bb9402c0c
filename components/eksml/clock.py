"""Durations as people read them, and hours of the week."""

from collections.abc import Sequence

HOURS_OF_A_WEEK = 168


def clock(seconds: float) -> str:
    """Minutes and seconds: 3:05."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def hours_per_week(days: Sequence[str], start: str, end: str) -> float:
    """How many hours of a week lie between two times of day, such as 07:00 and 20:00, on so many days."""
    minutes = [60 * int(time[:2]) + int(time[3:]) for time in (start, end)]
    return len(days) * (minutes[1] - minutes[0]) / 60
