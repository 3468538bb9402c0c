"""How fast the command is: ratios, measured side by side in one run. `uv run python tests/benchmarks/compare.py`.

Each pair of commands runs in turns, each time in a new process, after one run of each that fills the caches. What is
compared is the time on the processor, of each command the shortest: a busy machine makes it no longer than it must be.
The exit code is 1 where a limit is passed.
"""

import os
import subprocess
import sys
from pathlib import Path
from resource import struct_rusage

ROOT = Path(__file__).parents[2]
PYTHON, EKSML = sys.executable, str(Path(sys.executable).with_name("eksml"))
RUNS = 7

PREVIEW = [EKSML, "preview", "research"]
PAIRS = {
    "eksml preview research": (PREVIEW, [PYTHON, "tests/benchmarks/bare_program.py"], 1.5),
    "eksml --help": ([EKSML, "--help"], [PYTHON, "-c", "import typer, rich"], 1.5),
    "eksml fit": (
        [EKSML, "fit", "Qwen/Qwen2.5-7B-Instruct"],
        [PYTHON, "tests/benchmarks/bare_command.py"],
        1.5,
    ),
}
MOST_MEMORY_MIB = 250
# Whoever uses the command has compiled modules, also where the environment of these measurements forbids to keep them.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def usage(command: list[str]) -> struct_rusage:
    """What a command takes, with the processes that it starts."""
    process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, taken = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return taken


def seconds(command: list[str]) -> float:
    """How long a command takes on the processor."""
    taken = usage(command)
    return taken.ru_utime + taken.ru_stime


def ratio(ours: list[str], theirs: list[str]) -> tuple[float, float, float]:
    """The shortest runs of both commands in seconds, and how many times as long ours takes."""
    seconds(ours), seconds(theirs)
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(RUNS)]
    one, other = (min(times) for times in zip(*pairs, strict=True))
    return one, other, one / other


def main() -> int:
    """Prints every figure and its limit."""
    failed = False
    for name, (ours, theirs, limit) in PAIRS.items():
        one, other, found = ratio(ours, theirs)
        failed |= found > limit
        print(f"{name}: {one:.2f} s against {other:.2f} s, ratio {found:.2f}, at most {limit}")
    memory = usage(PREVIEW).ru_maxrss / 1024
    print(f"{' '.join(PREVIEW[1:])}: {memory:.0f} MiB of memory, under {MOST_MEMORY_MIB}")
    return int(failed or memory >= MOST_MEMORY_MIB)


if __name__ == "__main__":
    sys.exit(main())
