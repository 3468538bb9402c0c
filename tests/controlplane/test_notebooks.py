"""Notebooks on a real control plane: their pods, as KubeSpawner makes them, are admitted and land on their pools.

The pods are those of tests/notebooks/pods.json, which tests/workloads/test_jupyterhub.py holds to be KubeSpawner's.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from controlplane import crds
from controlplane.client import Client, RefusedError
from controlplane.scheduling import add_nodes, placements, schedulable
from controlplane.test_operators import SYSTEM_NODE, UNTAINTED
from eksml import names
from eksml.checks.workloads import workloads_of
from eksml.plan.manifests import objects
from notebooks.hubs import POOLS, hub, settings, values_of

pytestmark = pytest.mark.controlplane

NAMESPACE = names.NOTEBOOK_NAMESPACE
MADE = json.loads((Path(__file__).parents[1] / "notebooks" / "pods.json").read_text())


def built(cluster: Client, *pools: str) -> None:
    """Makes the namespace of a hub and what is in it, but for the chart, and waits for its quota."""
    made = objects(hub(settings(pools=list(pools)), has_prometheus=True))
    crds.install(cluster, made)
    for item in made:
        cluster.create(item)
    (quota,) = [item for item in made if item["kind"] == "ResourceQuota"]
    cluster.wait_until(quota, lambda found: found.get("status", {}).get("hard"))
    # The API server takes a moment to see the service account.
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "notebook", "namespace": NAMESPACE}}
    cluster.wait_until(account, bool)


def pod(profile: str, name: str, namespace: str = NAMESPACE) -> dict[str, Any]:
    found = MADE[profile]["pod"]
    return {**found, "metadata": {**found["metadata"], "name": name, "namespace": namespace}}


def node(pool: str) -> dict[str, Any]:
    spec = POOLS[pool]
    fact = spec.facts[0]
    gpus = {names.GPU_RESOURCE: str(spec.gpus_of(fact))} if spec.has_gpus else {}
    capacity = {"cpu": f"{fact.pod_millicpu}m", "memory": f"{fact.pod_memory_mib}Mi", "pods": "110", **gpus}
    return {"name": pool, "labels": spec.node_labels(pool), "taints": spec.node_taints(), "capacity": capacity}


def test_pods_and_homes_are_admitted(cluster: Client) -> None:
    built(cluster, *POOLS)
    for profile in POOLS:
        cluster.create(pod(profile, f"jupyter-{profile}"), dry_run=True)
    claim = MADE["turns"]["claim"]
    cluster.create({**claim, "metadata": {**claim["metadata"], "namespace": NAMESPACE}})


def test_a_restricted_namespace_would_take_them_too(cluster: Client) -> None:
    labels = {names.POD_SECURITY_LABEL: "restricted"}
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "strict", "labels": labels}})
    account = {"name": names.NOTEBOOK_SERVICE_ACCOUNT, "namespace": "strict"}
    cluster.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    for profile in POOLS:
        cluster.create(pod(profile, f"jupyter-{profile}", "strict"), dry_run=True)
    privileged = pod("system", "jupyter-root", "strict")
    spec = {**privileged["spec"], "securityContext": {"runAsUser": 0}}
    with pytest.raises(RefusedError, match="violates PodSecurity"):
        cluster.create({**privileged, "spec": spec}, dry_run=True)


def test_what_the_charts_way_would_add_is_refused(cluster: Client) -> None:
    built(cluster, "system", "turns")
    blocked = pod("system", "jupyter-iptables")
    blocker = {
        "name": "block-cloud-metadata",
        "image": "quay.io/jupyterhub/k8s-network-tools:4.4.0",
        "securityContext": {"privileged": True, "runAsUser": 0, "capabilities": {"add": ["NET_ADMIN"]}},
    }
    with pytest.raises(RefusedError, match="violates PodSecurity"):
        cluster.create({**blocked, "spec": {**blocked["spec"], "initContainers": [blocker]}}, dry_run=True)


def test_every_profile_lands_on_its_pool_as_often_as_its_gpus_are_shared(cluster: Client) -> None:
    built(cluster, *POOLS)
    add_nodes(cluster, [node(pool) for pool in POOLS])
    counts = {pool: POOLS[pool].gpus_of(POOLS[pool].facts[0]) or 2 for pool in POOLS}
    # Fifty-six pods of one kind would say no more.
    wanted = {f"{pool}-{index}": pool for pool, count in counts.items() for index in range(min(count, 4))}
    pods = [
        {"name": name, "namespace": NAMESPACE, "spec": schedulable(MADE[pool]["pod"]["spec"])}
        for name, pool in wanted.items()
    ]
    assert placements(cluster, pods) == wanted


def test_the_quota_ends_where_the_gpus_do(cluster: Client) -> None:
    built(cluster, "system", "turns")
    for index in range(4):
        cluster.create(pod("turns", f"jupyter-{index}"))
    with pytest.raises(RefusedError, match=r"exceeded quota.*nvidia.com/gpu"):
        cluster.create(pod("turns", "jupyter-4"))
    cluster.create(pod("system", "jupyter-4"))


def test_the_policies_of_the_values_are_well_formed(cluster: Client) -> None:
    given = settings(egress=[{"cidr": "10.1.0.0/16", "port": 5432}])
    values = values_of(hub(given, has_prometheus=True, load_balancer_cidrs=["10.0.0.0/20"]))
    parts = {"hub": values["hub"], "proxy": values["proxy"]["chp"], "singleuser": values["singleuser"]}
    for name, part in parts.items():
        policy = part["networkPolicy"]
        rules = {"ingress": policy.get("ingress", []), "egress": policy["egress"]}
        item = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name}}
        cluster.create({**item, "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], **rules}})


def test_hub_and_proxy_keep_off_gpu_nodes_that_have_no_taint(cluster: Client) -> None:
    add_nodes(cluster, [UNTAINTED])
    pods = [{"name": each.name, "spec": each.pod} for each in workloads_of(hub())]
    assert len(pods) == 2
    assert all("didn't match Pod's node affinity" in reason for reason in placements(cluster, pods).values())
    add_nodes(cluster, [SYSTEM_NODE])
    assert set(placements(cluster, pods).values()) == {"system"}
