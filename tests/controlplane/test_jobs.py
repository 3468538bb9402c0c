"""Training jobs on a real control plane: every kind is admitted, and the pods of blueprints land on their pools.

Kueue's own controller does not run here: that a job waits for its quota is Kueue's promise, not shown by these tests.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from controlplane import crds
from controlplane.client import Client
from controlplane.scheduling import add_nodes, placements, schedulable
from controlplane.test_stacks import name_of, simulated
from eksml import names
from eksml.checks.nodes import nodes_of
from eksml.checks.workloads import workloads_of
from eksml.plan.manifests import objects
from eksml.storage.volumes import FileSystemVolume, S3Volume
from programs import blueprint_plan
from training.jobs import KINDS, job

BLUEPRINTS = Path(__file__).parents[2] / "blueprints" / "training"
OF_PROFILE = {
    profile: sorted(file.parent.name for file in BLUEPRINTS.glob(f"*/Pulumi.{profile}.yaml"))
    for profile in ("research", "production", "startup")
}

pytestmark = pytest.mark.controlplane


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_admitted_with_its_code_data_and_checkpoints(kind: str, cluster: Client) -> None:
    volumes = {"data": S3Volume(), "checkpoints": FileSystemVolume(kind="efs")}
    made = objects(job(kind, bucket="models", **volumes))
    crds.install(cluster, made)
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "vision"}})
    assert [cluster.create(item)["kind"] for item in made] == [item["kind"] for item in made]


@pytest.mark.parametrize("profile", OF_PROFILE)
def test_the_pods_of_every_blueprint_land_on_their_pools(profile: str, cluster: Client) -> None:
    platform = blueprint_plan(OF_PROFILE[profile][0], profile).platform
    assert platform
    nodes = nodes_of(platform)
    add_nodes(cluster, [simulated(node) for node in nodes])
    pools = {name_of(node): node.labels[names.POOL_LABEL] for node in nodes}
    has_gpus = {name_of(node): bool(node.gpus) for node in nodes}
    specs = [
        schedulable(each.pod)
        for blueprint in OF_PROFILE[profile]
        for each in workloads_of(blueprint_plan(blueprint, profile))
    ]
    # One by one, for of the nodes that a pool may have one of each type is there; and no two that are the same to it.
    for index, spec in enumerate({_placed_by(spec): spec for spec in specs}.values()):
        name = f"pod-{index}"
        node = placements(cluster, [{"name": name, "spec": spec}])[name]
        wanted = spec.get("nodeSelector", {}).get(names.POOL_LABEL)
        assert pools.get(node) == wanted if wanted else has_gpus.get(node) is False, (spec, node)


def _placed_by(spec: dict[str, Any]) -> str:
    resources = [each.get("resources") for each in spec["containers"]]
    return json.dumps([spec.get("nodeSelector"), spec.get("tolerations"), resources], sort_keys=True)
