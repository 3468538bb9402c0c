"""How fast the command is: ratios, measured side by side in one run. `uv run python tests/benchmarks/compare.py`.

Each pair of commands runs in turns, each time in a new process, after one run of each that fills the caches. The exit
code is 1 where a limit is passed.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON, EKSML = sys.executable, str(Path(sys.executable).with_name("eksml"))
RUNS = 7

PREVIEW = [EKSML, "preview", "research"]
PAIRS = {
    "eksml preview research": (PREVIEW, [PYTHON, "tests/benchmarks/bare_program.py"], 1.5),
    "eksml --help": ([EKSML, "--help"], [PYTHON, "-c", "import typer, rich"], 1.5),
    "eksml fit": (
        [EKSML, "fit", "Qwen/Qwen2.5-7B-Instruct"],
        [PYTHON, "-c", "import typer, rich.console, pydantic; pydantic.BaseModel"],
        1.5,
    ),
}
MOST_MEMORY_MIB = 250


def seconds(command: list[str]) -> float:
    """How long a command takes."""
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def peak_memory_mib(command: list[str]) -> float:
    """The most memory that a command holds at once."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_maxrss / 1024


def ratio(ours: list[str], theirs: list[str]) -> tuple[float, float, float]:
    """The medians of both commands in seconds, and the median of the ratios of runs next to each other."""
    seconds(ours), seconds(theirs)
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(RUNS)]
    medians = [statistics.median(times) for times in zip(*pairs, strict=True)]
    return medians[0], medians[1], statistics.median(one / other for one, other in pairs)


def main() -> int:
    """Prints every figure and its limit."""
    failed = False
    for name, (ours, theirs, limit) in PAIRS.items():
        one, other, found = ratio(ours, theirs)
        failed |= found > limit
        print(f"{name}: {one:.2f} s against {other:.2f} s, ratio {found:.2f}, at most {limit}")
    memory = peak_memory_mib(PREVIEW)
    print(f"{' '.join(PREVIEW[1:])}: {memory:.0f} MiB of memory, under {MOST_MEMORY_MIB}")
    return int(failed or memory >= MOST_MEMORY_MIB)


if __name__ == "__main__":
    sys.exit(main())
