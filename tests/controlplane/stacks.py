"""The stacks of the repository, and what they make in a cluster."""

import time
from typing import Any

from controlplane import crds
from controlplane.client import Client, Item, RefusedError
from eksml import names
from eksml.plan.manifests import objects
from programs import stack_plan

_SECONDS_TO_APPLY = 30


def build(cluster: Client, stack: str) -> list[dict[str, Any]]:
    """Makes the objects of a stack, and waits until its quotas and admission policies are in force.

    Its servers are left out: their pods take a part of the quotas.
    """
    made = [item for item in objects(stack_plan(stack)) if names.SERVER_LABEL not in item["metadata"].get("labels", {})]
    crds.install(cluster, made)
    for item in made:
        cluster.create(item)
    for quota in quotas_of_teams(made):
        cluster.wait_until(quota, lambda found: found.get("status", {}).get("hard"))
        _wait_for_policies(cluster, quota["metadata"]["namespace"])
    return made


def quotas_of_teams(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The quotas of teams; that of notebooks is none."""
    return [
        quota for quota in of_kind(items, "ResourceQuota") if names.TEAM_LABEL in quota["metadata"].get("labels", {})
    ]


def of_kind(items: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Those of a kind."""
    return [item for item in items if item["kind"] == kind]


def member_of(cluster: Client, team: str) -> Client:
    """The cluster as a member of a team sees it."""
    return cluster.as_user("somebody", names.team_group(team))


def wait_until_refused(member: Client, item: Item) -> None:
    """Waits until an admission policy keeps an object out: the API server takes a moment to see a new one."""
    deadline = time.monotonic() + _SECONDS_TO_APPLY
    while _is_admitted(member, item):
        assert time.monotonic() < deadline, f"no policy holds for {item}"
        time.sleep(0.05)


def _wait_for_policies(cluster: Client, team: str) -> None:
    spec = {"containers": [{"name": "main", "image": "example.com/image:1.0.0"}]}
    in_no_pool = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "nowhere", "namespace": team}, "spec": spec}
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "nobody", "uid": "0"}
    metadata = {"name": "owned", "namespace": team, "ownerReferences": [owner]}
    for item in (in_no_pool, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}):
        wait_until_refused(member_of(cluster, team), item)


def _is_admitted(member: Client, item: Item) -> bool:
    try:
        member.create(item, dry_run=True)
    except RefusedError as refused:
        return "ValidatingAdmissionPolicy" not in str(refused)
    return True
