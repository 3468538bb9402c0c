"""Programs that run beside the tests and never outlive them."""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import urllib3

_SECONDS_TO_START = 60
_SECONDS_TO_STOP = 10

# Runs a program until it ends by itself or the standard input closes, which also happens when this process is killed.
_RUN_UNTIL_INPUT_CLOSES = """
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
(read -r _ <&3; kill -9 $program 2>/dev/null) &
watcher=$!
wait $program
status=$?
kill $watcher 2>/dev/null
exit $status
"""


class Process:
    """A program that runs, and writes a log.

    Arguments:
        command: the program and its arguments.
        log: the file that it writes to.
        health: the address that answers with status 200 once the program is ready.
    """

    def __init__(self, command: Sequence[str | Path], log: Path, health: str):
        self._log = log
        self._health = health
        with log.open("wb") as output:
            # In a session of its own, so that Ctrl-C reaches the tests, which may still need it, and not the program.
            self._shell = subprocess.Popen(
                ["sh", "-c", _RUN_UNTIL_INPUT_CLOSES, log.stem, *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait_until_healthy(self, certificate: Path) -> None:
        """Waits until the program is ready. Raises RuntimeError, with the end of its log, where that does not happen.

        Arguments:
            certificate: what signs the certificate of the health address; may come to be while the program starts.
        """
        deadline = time.monotonic() + _SECONDS_TO_START
        while not self._is_healthy(certificate):
            status = self._shell.poll()
            if status is not None or time.monotonic() > deadline:
                fate = f"is not ready after {_SECONDS_TO_START} s" if status is None else f"ended with {status}"
                raise RuntimeError(f"{self._log.stem} {fate}:\n{self._end_of_log()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Kills the program: what it knows is not wanted any more."""
        self._shell.communicate(timeout=_SECONDS_TO_STOP)

    def _is_healthy(self, certificate: Path) -> bool:
        if not certificate.exists():
            return False
        with urllib3.PoolManager(ca_certs=str(certificate), retries=False, timeout=5) as connections:
            try:
                return connections.request("GET", self._health).status == 200
            except (urllib3.exceptions.HTTPError, OSError):
                return False

    def _end_of_log(self) -> str:
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
