"""A real API server admits every object that the stacks register."""

from pathlib import Path

import pytest

from controlplane import crds
from controlplane.client import Client
from eksml.plan.manifests import objects
from eksml.plan.project import find_stack
from eksml.plan.recorder import record

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.controlplane


@pytest.mark.parametrize("stack", ["research", "production", "startup"])
def test_every_object_of_a_stack_is_admitted(stack: str, cluster: Client) -> None:
    registered = objects(record(find_stack(str(ROOT), stack)))
    crds.install(cluster, registered)
    assert [cluster.create(item)["kind"] for item in registered] == [item["kind"] for item in registered]
