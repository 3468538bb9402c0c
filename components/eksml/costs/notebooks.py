"""What notebooks cost beside their nodes, which JupyterHub makes unseen: the volumes of people's homes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eksml import names
from eksml.checks.quantities import amount_of
from eksml.checks.workloads import RELEASE
from eksml.costs.amounts import Range
from eksml.costs.basis import Basis, Line
from eksml.image_registry import value_at
from eksml.plan import Plan, Resource

_EBS = "ebs.csi.aws.com"
_QUOTA = "kubernetes:core/v1:ResourceQuota"


def notebook_pools(plan: Plan) -> set[str]:
    """The pools, by the name that their nodes are labelled with, in which people can have a notebook."""
    return {
        str(selector[names.POOL_LABEL])
        for hub in _hubs(plan)
        for profile in value_at(hub.inputs["values"], "singleuser.profileList") or ()
        if names.POOL_LABEL in (selector := (profile.get("kubespawner_override") or {}).get("node_selector") or {})
    }


def notebook_lines(basis: Basis) -> Iterator[Line]:
    """The volumes of homes: as many as people are assumed, at most as many as the namespace may have."""
    for hub in _hubs(basis.plan):
        values = hub.inputs["values"]
        if _is_ebs(value_at(values, "hub.db.pvc.storageClassName"), basis.plan):
            gib = _gib(value_at(values, "hub.db.pvc.storage"))
            yield basis.line(hub, "gp3Gb", Range.exactly(gib), "notebooks", "volume of the hub")
        home = value_at(values, "singleuser.storage") or {}
        if _is_ebs((home.get("dynamic") or {}).get("storageClass"), basis.plan):
            people, gib = basis.assumptions.notebook_people, _gib(home.get("capacity"))
            amount = Range(0, people * gib, max(people * gib, _most(hub, basis.plan)))
            yield basis.line(hub, "gp3Gb", amount, "notebooks", f"homes of {people:g} people, {gib:g} GiB each")


def _hubs(plan: Plan) -> list[Resource]:
    return [each for each in plan.of_type(RELEASE) if value_at(each.inputs.get("values") or {}, "singleuser")]


def _is_ebs(storage_class: Any, plan: Plan) -> bool:
    classes = plan.of_type("kubernetes:storage.k8s.io/v1:StorageClass")
    made_by = {(each.inputs.get("metadata") or {}).get("name"): each.inputs.get("provisioner") for each in classes}
    return made_by.get(storage_class) == _EBS


def _most(hub: Resource, plan: Plan) -> float:
    """What the quota of its namespace allows, in GiB."""
    quotas: list[Mapping[str, Any]] = [
        (each.inputs.get("spec") or {}).get("hard") or {}
        for each in plan.of_type(_QUOTA)
        if (each.inputs.get("metadata") or {}).get("namespace") == hub.inputs.get("namespace")
    ]
    return max((_gib(hard.get("requests.storage")) for hard in quotas), default=0)


def _gib(amount: Any) -> float:
    return amount_of("memory", amount) / 1024
