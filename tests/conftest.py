"""What every test needs: a fixed day, an event loop, and errors for placeholders where an Output becomes text."""

import asyncio
import gc
import os
import signal
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import settings

# Read by the Pulumi SDK: an Output that is used as text raises instead of becoming an apology in the text.
os.environ["PULUMI_ERROR_OUTPUT_STRING"] = "1"

from eksml import catalog
from parts import shared_folder, skip

# The SDKs are a million objects that never go: looking through them each time is a third of the suite's time.
gc.set_threshold(1_000_000, 20, 100)

# A shell has what it puts in the background ignore interrupts, and then every command that a test starts ignores them.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is slow, not wrong.
settings.register_profile("eksml", deadline=None)
settings.load_profile("eksml")


@pytest.fixture(scope="session", autouse=True)
def _event_loop() -> Iterator[None]:
    # Outputs are made outside of programs too; from Python 3.12 on a thread has no loop unless somebody gives it one.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.close()


@pytest.fixture(autouse=True)
def _fixed_day(monkeypatch: pytest.MonkeyPatch) -> None:
    # Support dates pass; what the tests expect of them must not change by itself.
    monkeypatch.setattr(catalog, "today", lambda: date(2026, 11, 21))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real charts, CRDs and the engine's sample, which lies beside some checkouts."""
    found = shared_folder()
    if found is None:
        skip("the real charts and CRDs are not beside this checkout (EKSML_SHARED names their folder)")
    return found
