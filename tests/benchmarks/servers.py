"""Measures what model servers cost: `uv run python tests/benchmarks/servers.py`.

100 servers of mixed kinds may cost at most 1.5 times what plain resources with the same inputs do, and 400 servers at
most 1.2 times per server what 100 do. Exit code 1 where a limit is broken.
"""

import gc
import sys
from collections.abc import Callable
from pathlib import Path

import pulumi
import pulumi_kubernetes as k8s

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.jobs import plain, seconds
from programs import recorded
from serving.model_servers import KINDS, spec_of

OVER_PLAIN_LIMIT, PER_SERVER_LIMIT = 1.5, 1.2


def servers(count: int) -> Callable[[], None]:
    """A program with so many servers, each kind in turn."""

    def program() -> None:
        opts = pulumi.ResourceOptions(providers=[k8s.Provider("cluster", kubeconfig="{}")])
        kinds = list(KINDS)
        for number in range(count):
            kind = kinds[number % len(kinds)]
            KINDS[kind].component(f"server-{number}", spec_of(kind), bucket="models", opts=opts)

    return program


def main() -> int:
    """Measures and prints, and says by its exit code whether the limits hold."""
    gc.disable()
    plan = recorded(servers(100))
    of_100, of_400 = (seconds(lambda count=count: recorded(servers(count))) for count in (100, 400))
    over_plain = of_100 / seconds(lambda: recorded(plain(plan)))
    per_server = of_400 / 4 / of_100
    print(f"100 servers: {len(plan.resources)} resources in {of_100:.2f} s, {over_plain:.2f} times plain resources")
    print(f"400 servers: {per_server:.2f} times per server what 100 cost")
    return int(over_plain > OVER_PLAIN_LIMIT or per_server > PER_SERVER_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
