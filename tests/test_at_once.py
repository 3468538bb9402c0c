"""Questions asked at once."""

import threading
import time
from functools import partial

import pytest

from eksml.at_once import at_once


def test_answers_come_in_the_order_of_the_questions() -> None:
    told: list[int] = []

    def answer(number: int) -> int:
        time.sleep(0.02 * (3 - number))
        return number

    assert at_once([partial(answer, number) for number in range(4)], 4, told.append) == [0, 1, 2, 3]
    assert told == [1, 2, 3, 4]
    assert at_once([], 4) == []


def test_no_more_than_so_many_are_under_way() -> None:
    under_way, most, lock = 0, 0, threading.Lock()

    def count() -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.01)
        with lock:
            under_way -= 1

    at_once([count] * 20, 3)
    assert most == 3


@pytest.mark.parametrize("kind", [ValueError, SystemExit])
def test_what_one_raises_is_raised_and_no_more_are_asked(kind: type[BaseException]) -> None:
    """One that ends its thread would otherwise be waited for, for ever."""
    asked: list[int] = []

    def fail() -> None:
        raise kind("no")

    def ask() -> None:
        asked.append(1)
        time.sleep(0.01)

    with pytest.raises(kind):
        at_once([fail, *[ask] * 200], 1)
    time.sleep(0.1)
    assert len(asked) < 100


def test_who_interrupts_waits_for_no_answer() -> None:
    never = threading.Event()

    def interrupt(number: int) -> None:
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        at_once([lambda: None, *[lambda: never.wait(60)] * 20], 4, interrupt)
    assert time.monotonic() - began < 5
    never.set()
