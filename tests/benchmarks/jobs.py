"""Measures what training jobs cost: `uv run python tests/benchmarks/jobs.py`.

100 jobs of mixed kinds may cost at most 1.5 times what plain resources with the same inputs do, and 400 jobs at most
1.2 times per job what 100 do. Exit code 1 where a limit is broken.
"""

import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

sys.path.insert(0, str(Path(__file__).parents[1]))

from eksml.plan import Plan
from programs import recorded
from training.jobs import JOB, KINDS

OVER_PLAIN_LIMIT, PER_JOB_LIMIT = 1.5, 1.2
ROUNDS = 5


def jobs(count: int) -> Callable[[], None]:
    """A program with so many jobs, each kind in turn."""

    def program() -> None:
        opts = pulumi.ResourceOptions(providers=[k8s.Provider("cluster", kubeconfig="{}")])
        kinds = list(KINDS.values())
        for number in range(count):
            kind = kinds[number % len(kinds)]
            kind.component(f"job-{number}", kind.spec(**{**JOB, **kind.own}), opts=opts)

    return program


def plain(plan: Plan) -> Callable[[], None]:
    """A program with as many plain resources of the same inputs and dependencies."""
    objects = [resource for resource in plan.resources if resource.package == "kubernetes" and resource.is_custom]
    objects += [resource for resource in plan.resources if resource.package == "eksml"]

    def program() -> None:
        opts = pulumi.ResourceOptions(provider=k8s.Provider("cluster", kubeconfig="{}"))
        for number, resource in enumerate(objects):
            pulumi.CustomResource("kubernetes:core/v1:ConfigMap", f"plain-{number}", dict(resource.inputs), opts)

    return program


def seconds(action: Callable[[], Any], rounds: int = ROUNDS) -> float:
    """The least of several rounds: what else the machine does only ever adds."""
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        action()
        best = min(best, time.process_time() - began)
    return best


def main() -> int:
    """Measures and prints, and says by its exit code whether the limits hold."""
    gc.disable()
    plan = recorded(jobs(100))
    of_100, of_400 = (seconds(lambda count=count: recorded(jobs(count))) for count in (100, 400))
    over_plain = of_100 / seconds(lambda: recorded(plain(plan)))
    per_job = of_400 / 4 / of_100
    print(f"100 jobs: {len(plan.resources)} resources in {of_100:.2f} s, {over_plain:.2f} times plain resources")
    print(f"400 jobs: {per_job:.2f} times per job what 100 cost")
    return int(over_plain > OVER_PLAIN_LIMIT or per_job > PER_JOB_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
