"""What a real API server lets a team do in its namespace, and what not. Kueue does not run here: the tests play it."""

import json
from typing import Any

import pytest

from controlplane.client import Client, RefusedError
from controlplane.scheduling import add_nodes
from controlplane.stacks import build, member_of, of_kind, quotas_of_teams, wait_until_refused
from eksml import names
from eksml.checks.nodes import nodes_of
from eksml.profiles import PROFILES
from programs import stack_plan

pytestmark = pytest.mark.controlplane

GATES = [{"name": names.KUEUE_GATE}]
KUEUE = f"system:serviceaccount:{names.KUEUE_NAMESPACE}:{names.KUEUE_SERVICE_ACCOUNT}"
POLICY = "ValidatingAdmissionPolicy"


def pod(namespace: str, name: str, gpus: int = 0, *, pool: str | None = None, **settings: Any) -> dict[str, Any]:
    made = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}}
    return {**made, "spec": pod_spec(gpus, pool=pool, **settings)}


def pod_spec(gpus: int = 0, *, pool: str | None = None, **settings: Any) -> dict[str, Any]:
    limits = {names.GPU_RESOURCE: str(gpus)} if gpus else {}
    container = {"name": "main", "image": "example.com/image:1.0.0", "resources": {"limits": limits}}
    selector = {"nodeSelector": {names.POOL_LABEL: pool}} if pool else {}
    return {"containers": [container], "tolerations": [names.gpu_toleration()], **selector, **settings}


def claim(namespace: str, name: str, gib: int, storage_class: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": f"{gib}Gi"}},
        },
    }


def pools_of_teams(made: list[dict[str, Any]]) -> dict[str, list[str]]:
    return {
        queue["metadata"]["name"]: [flavor["name"] for flavor in queue["spec"]["resourceGroups"][0]["flavors"]]
        for queue in of_kind(made, "ClusterQueue")
    }


@pytest.mark.parametrize("stack", PROFILES)
def test_a_team_gets_no_more_than_its_quota_and_nothing_privileged(stack: str, cluster: Client) -> None:
    made = build(cluster, stack)
    pools = pools_of_teams(made)
    for quota in quotas_of_teams(made):
        team, most = quota["metadata"]["namespace"], quota["spec"]["hard"][f"requests.{names.GPU_RESOURCE}"]
        member, pool = member_of(cluster, team), pools[team][0]
        member.create(pod(team, "enough", int(most), pool=pool))
        with pytest.raises(RefusedError, match="exceeded quota"):
            member.create(pod(team, "too-many", 1, pool=pool))
        privileged = pod(team, "privileged", pool=pool)
        privileged["spec"]["containers"][0]["securityContext"] = {"privileged": True}
        with pytest.raises(RefusedError, match='violates PodSecurity "baseline'):
            member.create(privileged)


@pytest.mark.parametrize("stack", PROFILES)
def test_a_member_works_in_its_own_namespace_and_cannot_open_it(stack: str, cluster: Client) -> None:
    made = build(cluster, stack)
    (policy, *_) = of_kind(made, "NetworkPolicy")
    member = member_of(cluster, policy["metadata"]["namespace"])
    with pytest.raises(RefusedError, match="cannot delete resource"):
        member.delete(policy)
    for admission_policy in of_kind(made, f"{POLICY}Binding"):
        with pytest.raises(RefusedError, match="cannot delete resource"):
            member.delete(admission_policy)
    with pytest.raises(RefusedError, match="cannot create resource"):
        member.create(pod("default", "elsewhere"))


@pytest.mark.parametrize("stack", PROFILES)
def test_a_pod_of_a_team_runs_in_the_pools_of_its_quotas_and_in_no_other(stack: str, cluster: Client) -> None:
    pools_of_team = pools_of_teams(build(cluster, stack))
    pools = {node.labels[names.POOL_LABEL] for node in nodes_of(stack_plan(stack))}
    for team, own in pools_of_team.items():
        member = member_of(cluster, team)
        for pool in own:
            member.create(pod(team, f"in-{pool}", pool=pool))
        for elsewhere in [*(pools - set(own)), "made-up", None]:
            with pytest.raises(RefusedError, match=f"has the nodeSelector {names.POOL_LABEL} with one of: {own[0]}"):
                member.create(pod(team, "elsewhere", 1, pool=elsewhere))


def test_what_a_deployment_of_a_team_starts_is_held_to_its_pools_too(cluster: Client) -> None:
    build(cluster, "production")
    for name, pool in (("own", "serve"), ("of-others", "train")):
        template = {"metadata": {"labels": {"app": name}}, "spec": pod_spec(1, pool=pool)}
        spec = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template}
        metadata = {"name": name, "namespace": "serving"}
        made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
        member_of(cluster, "serving").create(made)
        failed = cluster.wait_until(made, lambda found: found.get("status", {}).get("conditions"))
        if name == "own":
            cluster.wait_until(made, lambda found: found["status"].get("replicas") == 2)
        else:
            failed = cluster.wait_until(made, lambda found: "denied request" in str(found["status"]["conditions"]))
            assert failed["status"].get("replicas", 0) == 0


def test_a_pod_that_waits_in_a_queue_gets_no_node_until_kueue_gives_it_a_pool(cluster: Client) -> None:
    build(cluster, "production")
    add_nodes(cluster, [_node(pool) for pool in ("serve", "train")])
    member, kueue = member_of(cluster, "serving"), cluster.as_user(KUEUE, "system:masters")
    waiting = cluster.get(member.create(pod("serving", "waiting", 1, schedulingGates=GATES)))
    started = {key: value for key, value in waiting["spec"].items() if key != "schedulingGates"}
    with pytest.raises(RefusedError, match="this pod waits in a queue, and only Kueue takes it out"):
        member.update({**waiting, "spec": {**started, "nodeSelector": {names.POOL_LABEL: "serve"}}})
    with pytest.raises(
        RefusedError, match=f"has the nodeSelector {names.POOL_LABEL} with one of: system, serve, burst"
    ):
        kueue.update({**waiting, "spec": {**started, "nodeSelector": {names.POOL_LABEL: "train"}}})
    assert "nodeName" not in cluster.get(waiting)["spec"]
    kueue.update({**cluster.get(waiting), "spec": {**started, "nodeSelector": {names.POOL_LABEL: "serve"}}})
    cluster.wait_until(waiting, lambda found: found["spec"].get("nodeName") == "serve")


def _node(pool: str) -> dict[str, Any]:
    capacity = {"cpu": "8", "memory": "32Gi", "pods": "29", names.GPU_RESOURCE: "1"}
    return {"name": pool, "labels": {names.POOL_LABEL: pool}, "capacity": capacity}


def test_one_gate_of_ones_own_does_not_hide_that_kueues_is_taken_away(cluster: Client) -> None:
    build(cluster, "production")
    member = member_of(cluster, "serving")
    gates = [*GATES, {"name": "example.com/mine"}]
    waiting = cluster.get(member.create(pod("serving", "waiting", 1, pool="serve", schedulingGates=gates)))
    with pytest.raises(RefusedError, match="only Kueue takes it out"):
        member.update({**waiting, "spec": {**waiting["spec"], "schedulingGates": gates[1:]}})


def test_no_member_says_that_a_pod_belongs_to_a_queued_job_or_takes_one_from_it(cluster: Client) -> None:
    build(cluster, "production")
    member = member_of(cluster, "training")
    template = {"spec": {**pod_spec(1, pool="train"), "restartPolicy": "Never"}}
    metadata = {"name": "small", "namespace": "training"}
    job = member.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": template}})
    owner = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": "small",
        "uid": job["metadata"]["uid"],
        "controller": True,
    }
    for item in (pod("training", "large", 8, pool="train"), _deployment()):
        with pytest.raises(RefusedError, match="members of a team set no ownerReferences"):
            member.create({**item, "metadata": {**item["metadata"], "ownerReferences": [owner]}})
    cluster.wait_until(job, lambda found: found["status"].get("active") == 1)
    (listed,) = cluster.all_of("v1", "Pod", "training")
    of_the_job = cluster.get({"apiVersion": "v1", "kind": "Pod", "metadata": listed["metadata"]})
    for metadata in ({"labels": {}}, {"ownerReferences": []}):
        with pytest.raises(RefusedError, match="leave alone labels and spec of what a controller made"):
            member.update({**of_the_job, "metadata": {**of_the_job["metadata"], **metadata}})
    annotated = {**of_the_job["metadata"], "annotations": {"example.com/note": "mine"}}
    assert member.update({**of_the_job, "metadata": annotated})["metadata"]["annotations"]


def test_no_member_makes_more_of_what_belongs_to_a_queued_job(cluster: Client) -> None:
    build(cluster, "production")
    member = member_of(cluster, "training")
    spec = {"template": {"spec": {**pod_spec(1, pool="train"), "restartPolicy": "Never"}}}
    kind = {"apiVersion": "batch/v1", "kind": "Job"}
    job = member.create({**kind, "metadata": {"name": "parent", "namespace": "training"}, "spec": spec})
    owner = {**kind, "name": "parent", "uid": job["metadata"]["uid"]}
    metadata = {"name": "child", "namespace": "training", "ownerReferences": [owner]}
    child = cluster.create({**kind, "metadata": metadata, "spec": {**spec, "suspend": True}})
    # Its controller writes on it once, and then leaves it alone.
    cluster.wait_until(child, lambda found: found["status"].get("conditions"))
    child = cluster.get(child)
    with pytest.raises(RefusedError, match="leave alone labels and spec of what a controller made"):
        member.update({**child, "spec": {**child["spec"], "parallelism": 8}})
    with pytest.raises(RefusedError, match="cannot create resource"):
        member.create(_replica_set())


def _deployment() -> dict[str, Any]:
    return {**_replica_set(), "kind": "Deployment"}


def _replica_set() -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "large"}}, "spec": pod_spec(8, pool="train")}
    metadata = {"name": "large", "namespace": "training"}
    spec = {"selector": {"matchLabels": {"app": "large"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec}


def test_a_pod_of_a_team_stands_above_no_pod_of_others(cluster: Client) -> None:
    build(cluster, "production")
    member = member_of(cluster, "training")
    for name, value in (("urgent", 1000), ("patient", -10)):
        metadata = {"name": name}
        cluster.create(
            {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": metadata, "value": value}
        )
    for name in ("system-node-critical", "system-cluster-critical", "urgent"):
        with pytest.raises(RefusedError, match="names no PriorityClass above 0"):
            member.create(pod("training", "important", pool="train", priorityClassName=name))
    member.create(pod("training", "modest", pool="train", priorityClassName="patient"))


def test_a_pod_in_a_pool_that_is_no_longer_the_teams_can_still_be_changed(cluster: Client) -> None:
    (policy,) = [
        item
        for item in of_kind(build(cluster, "production"), POLICY)
        if item["metadata"]["name"] == "eksml-team-training-pods"
    ]
    running = cluster.create(pod("training", "running", pool="train"))
    cluster.update(json.loads(json.dumps(cluster.get(policy)).replace("'train', ", "")))
    later = pod("training", "later", pool="train")
    wait_until_refused(member_of(cluster, "training"), later)
    found = cluster.get(running)
    # As its controller does, before a pod can go.
    cluster.update({**found, "metadata": {**found["metadata"], "finalizers": ["example.com/last"]}})
    found = cluster.get(running)
    cluster.update({**found, "metadata": {**found["metadata"], "finalizers": []}})


def test_a_team_claims_no_more_volumes_than_it_may(cluster: Client) -> None:
    build(cluster, "production")
    member = member_of(cluster, "training")
    member.create(claim("training", "data", 900, names.DEFAULT_STORAGE_CLASS))
    with pytest.raises(RefusedError, match=r"exceeded quota: quota, requested: requests\.storage=200Gi"):
        member.create(claim("training", "more", 200, names.DEFAULT_STORAGE_CLASS))
    with pytest.raises(RefusedError, match=r"exceeded quota.*lustre\.storageclass\.storage\.k8s\.io/requests\.storage"):
        member.create(claim("training", "fast", 50, names.LUSTRE_STORAGE_CLASS))
    for number in range(19):
        member.create(claim("training", f"small-{number}", 1, names.EFS_STORAGE_CLASS))
    with pytest.raises(RefusedError, match="exceeded quota: quota, requested: persistentvolumeclaims=1"):
        member.create(claim("training", "one-too-many", 1, names.EFS_STORAGE_CLASS))
