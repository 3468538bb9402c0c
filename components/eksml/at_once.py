"""Questions that wait for others, asked at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

Found = TypeVar("Found")


def at_once(
    calls: Sequence[Callable[[], Found]], workers: int, on_answer: Callable[[int], None] = lambda number: None
) -> list[Found]:
    """What calls return, in their order; what the first that fails raises.

    Arguments:
        calls: what is called.
        workers: how many of them are under way at once.
        on_answer: told how many have returned.
    """
    waiting: SimpleQueue[tuple[int, Callable[[], Found]]] = SimpleQueue()
    answered: SimpleQueue[tuple[int, list[Found], BaseException | None]] = SimpleQueue()
    ended = threading.Event()
    for each in enumerate(calls):
        waiting.put(each)

    def work() -> None:
        with suppress(Empty):
            while not ended.is_set():
                index, call = waiting.get_nowait()
                try:
                    answered.put((index, [call()], None))
                except BaseException as error:
                    # Raised where somebody sees it: a worker that ends in silence would be waited for.
                    answered.put((index, [], error))

    for _ in range(min(workers, len(calls))):
        # Daemons, so that who interrupts this does not wait for what AWS has yet to answer.
        threading.Thread(target=work, daemon=True).start()
    found: dict[int, Found] = {}
    try:
        while len(found) < len(calls):
            index, answer, error = answered.get()
            if error:
                raise error
            (found[index],) = answer
            on_answer(len(found))
    finally:
        ended.set()
    return [found[index] for index in range(len(calls))]
