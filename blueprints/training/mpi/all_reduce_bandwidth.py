"""How fast MPI's all-reduce is between these processes, from 4 KiB to 64 MiB.

    mpirun -n 2 python all_reduce_bandwidth.py

Prints a JSON object for each size. `busGigabytesPerSecond` is what NCCL's own tests call bus bandwidth: it can be
compared with the speed of the network, whatever the number of processes. The numbers lie in main memory; between GPUs,
NCCL's tests measure.
"""

import argparse
import json
import time

import numpy
from mpi4py import MPI

SIZES = [4**exponent * 1024 for exponent in range(1, 9)]


def seconds_of_all_reduce(world: MPI.Comm, size: int, repetitions: int) -> float:
    """The mean time of one all-reduce of so many bytes."""
    numbers, total = numpy.ones(size // 4, numpy.float32), numpy.empty(size // 4, numpy.float32)
    world.Allreduce(numbers, total)
    if not (total == world.size).all():
        raise SystemExit(f"the all-reduce of {size} bytes is wrong")
    world.Barrier()
    began = time.perf_counter()
    for _ in range(repetitions):
        world.Allreduce(numbers, total)
    return world.allreduce(time.perf_counter() - began, MPI.MAX) / repetitions


def main() -> None:
    """Measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=20, help="all-reduces of each size (20)")
    settings = parser.parse_args()
    world = MPI.COMM_WORLD
    for size in SIZES:
        seconds = seconds_of_all_reduce(world, size, settings.repetitions)
        bus = 2 * (world.size - 1) / world.size * size / seconds / 1e9
        if world.rank == 0:
            line = {"bytes": size, "microseconds": round(seconds * 1e6, 1), "busGigabytesPerSecond": round(bus, 3)}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
