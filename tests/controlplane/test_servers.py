"""Model servers on a real control plane: what every engine makes is admitted, by the definitions of its kinds."""

import pytest

from controlplane import crds
from controlplane.client import Client
from eksml.plan.manifests import objects
from serving.model_servers import KINDS, server

pytestmark = pytest.mark.controlplane


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_admitted(kind: str, cluster: Client) -> None:
    made = objects(server(kind, bucket="models", replicas=2))
    crds.install(cluster, made)
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "vision"}})
    assert [cluster.create(item)["kind"] for item in made] == [item["kind"] for item in made]
