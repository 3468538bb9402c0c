"""The control plane of the tests is a real one: it refuses, schedules and cleans up as a cluster does."""

from typing import Any

import pytest

from controlplane import crds
from controlplane.client import Client, RefusedError
from controlplane.scheduling import add_nodes, placements
from eksml import names

pytestmark = pytest.mark.controlplane

GPU_NODE = {
    "name": "gpu",
    "labels": {names.POOL_LABEL: "train"},
    "taints": [{"key": names.GPU_TAINT_KEY, "value": names.GPU_TAINT_VALUE, "effect": names.GPU_TAINT_EFFECT}],
    "capacity": {"cpu": "8", "memory": "32Gi", "pods": "29", names.GPU_RESOURCE: "1"},
}
CPU_NODE = {"name": "cpu", "capacity": {"cpu": "4", "memory": "16Gi", "pods": "29"}}


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def config_map(**metadata: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", **metadata}, "data": {"a": "1"}}


def container(**settings: Any) -> dict[str, Any]:
    return {"name": "main", "image": "example.org/main:1", **settings}


def pod(name: str = "main", spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    metadata = {"name": name, **metadata}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec or {"containers": [container()]}}


def gpu_pod_spec(gpus: int = 1, *tolerations: dict[str, str]) -> dict[str, Any]:
    limits = {names.GPU_RESOURCE: str(gpus)}
    return {"containers": [container(resources={"limits": limits})], "tolerations": list(tolerations)}


def node_pool(**spec: Any) -> dict[str, Any]:
    requirement = {"key": names.INSTANCE_TYPE_LABEL, "operator": "In", "values": ["g6.xlarge"]}
    node_class = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "train"}
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": "train"},
        "spec": {"template": {"spec": {"nodeClassRef": node_class, "requirements": [requirement]}}, **spec},
    }


def test_what_is_created_is_there_until_it_is_deleted(cluster: Client) -> None:
    made = cluster.create(config_map())
    assert cluster.get(made)["data"] == {"a": "1"}
    assert made["metadata"]["uid"] in [each["metadata"]["uid"] for each in cluster.all_of("v1", "ConfigMap", "default")]
    cluster.delete(made)
    assert cluster.get(made) == {}


def test_a_dry_run_leaves_nothing_behind(cluster: Client) -> None:
    assert cluster.create(config_map(), dry_run=True)["data"] == {"a": "1"}
    assert cluster.get(config_map()) == {}


def test_what_a_test_created_is_gone_afterwards(cluster: Client) -> None:
    cluster.create(namespace("research"))
    theirs = cluster.as_user("ada", "system:masters").create(config_map(namespace="research"))
    cluster.delete_made()
    assert (cluster.get(theirs), cluster.get(namespace("research"))) == ({}, {})


def test_a_field_that_the_server_does_not_know_is_refused(cluster: Client) -> None:
    with pytest.raises(RefusedError, match=r'unknown field "spec\.nodeselector"'):
        cluster.create(pod(spec={"containers": [container()], "nodeselector": {}}))


def test_a_node_pool_is_judged_by_the_rules_of_its_definition(cluster: Client) -> None:
    crds.install(cluster, [node_pool()])
    assert cluster.create(node_pool(limits={names.GPU_RESOURCE: 16}))["spec"]["limits"] == {names.GPU_RESOURCE: 16}
    half_a_window = {"consolidateAfter": "1m", "budgets": [{"nodes": "1", "schedule": "0 9 * * 1"}]}
    with pytest.raises(RefusedError, match="'schedule' must be set with 'duration'"):
        cluster.create(node_pool(disruption=half_a_window))


def test_a_pod_that_asks_for_a_gpu_runs_on_the_gpu_node_only_if_it_tolerates_the_taint(cluster: Client) -> None:
    add_nodes(cluster, [CPU_NODE, GPU_NODE])
    found = placements(
        cluster,
        [
            {"name": "tolerant", "spec": gpu_pod_spec(1, names.gpu_toleration())},
            {"name": "intolerant", "spec": gpu_pod_spec(1)},
            {"name": "modest", "spec": {"containers": [container()]}},
        ],
    )
    assert found["tolerant"] == "gpu"
    assert found["modest"] == "cpu"
    assert "1 Insufficient nvidia.com/gpu" in found["intolerant"]
    assert "1 node(s) had untolerated taint(s)" in found["intolerant"]


def test_pods_run_and_a_job_completes_where_its_pods_say_that_they_do(cluster: Client) -> None:
    add_nodes(cluster, [CPU_NODE])
    cluster.wait_until(cluster.create(pod()), lambda found: found["status"]["phase"] == "Running")
    cluster.create(namespace("jobs"))
    template = {
        "metadata": {"annotations": {"tests.eksml.dev/completes": "true"}},
        "spec": {"containers": [container()], "restartPolicy": "Never"},
    }
    metadata = {"name": "short", "namespace": "jobs"}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": template}}
    cluster.wait_until(cluster.create(job), lambda found: found["status"].get("succeeded") == 1)


def test_a_quota_refuses_one_gpu_too_many(cluster: Client) -> None:
    cluster.create(namespace("team"))
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "gpus", "namespace": "team"},
        "spec": {"hard": {f"requests.{names.GPU_RESOURCE}": "2"}},
    }
    cluster.wait_until(cluster.create(quota), lambda found: found["status"].get("hard"))
    cluster.create(pod("first", gpu_pod_spec(2), namespace="team"))
    with pytest.raises(RefusedError, match=r"exceeded quota: gpus, requested: requests\.nvidia\.com/gpu=1, used: .*=2"):
        cluster.create(pod("second", gpu_pod_spec(1), namespace="team"))


def test_a_restricted_namespace_refuses_a_privileged_pod(cluster: Client) -> None:
    cluster.create(namespace("strict", **{names.POD_SECURITY_LABEL: "restricted"}))
    privileged = {"containers": [container(securityContext={"privileged": True})]}
    with pytest.raises(RefusedError, match='violates PodSecurity "restricted:latest": privileged'):
        cluster.create(pod(spec=privileged, namespace="strict"))


def test_a_user_may_do_what_a_role_of_its_groups_allows_and_no_more(cluster: Client) -> None:
    researcher = cluster.as_user("ada", "research")
    with pytest.raises(RefusedError, match='User "ada" cannot create resource "configmaps"'):
        researcher.create(config_map())
    cluster.create(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "research", "namespace": "default"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "research"}],
        }
    )
    assert researcher.create(config_map(), dry_run=True)["data"] == {"a": "1"}
