"""Nodes and pods of every kind that a scheduler can meet, for Hypothesis."""

from typing import Any

from hypothesis import strategies as st

from eksml.catalog import instance_types
from eksml.checks.nodes import Node
from eksml.plan import Resource

KEYS = ["example.com/tier", "example.com/rank", "nvidia.com/gpu"]
VALUES = ["a", "b", "3", "10"]
_EFFECTS = ["NoSchedule", "NoExecute", "PreferNoSchedule"]
_KEY, _VALUE = st.sampled_from(KEYS), st.sampled_from(VALUES)

LABELS = st.dictionaries(_KEY, _VALUE, max_size=3)
TAINT = st.fixed_dictionaries(
    {"key": _KEY, "effect": st.sampled_from(_EFFECTS)}, optional={"value": st.sampled_from(["", *VALUES])}
)
# A node has each taint once.
TAINTS = st.lists(TAINT, max_size=2, unique_by=lambda taint: (taint["key"], taint["effect"]))

_EFFECT = {"effect": st.sampled_from(_EFFECTS)}
TOLERATION = st.one_of(
    st.fixed_dictionaries({"operator": st.just("Exists")}, optional={"key": _KEY, **_EFFECT}),
    st.fixed_dictionaries({"key": _KEY}, optional={"operator": st.just("Equal"), "value": _VALUE, **_EFFECT}),
)
_SEVERAL = st.lists(_VALUE, min_size=1, max_size=3, unique=True)
EXPRESSION = st.one_of(
    st.fixed_dictionaries({"key": _KEY, "operator": st.sampled_from(["In", "NotIn"]), "values": _SEVERAL}),
    st.fixed_dictionaries({"key": _KEY, "operator": st.sampled_from(["Exists", "DoesNotExist"])}),
    st.fixed_dictionaries(
        {
            "key": _KEY,
            "operator": st.sampled_from(["Gt", "Lt"]),
            "values": st.sampled_from(["0", "3", "7", "10"]).map(lambda value: [value]),
        }
    ),
)
_NAME = st.fixed_dictionaries(
    {"key": st.just("metadata.name"), "operator": st.sampled_from(["In", "NotIn"]), "values": st.just(["nobody"])}
)
TERM = st.fixed_dictionaries(
    {}, optional={"matchExpressions": st.lists(EXPRESSION, max_size=2), "matchFields": st.lists(_NAME, max_size=1)}
)


def affinity(terms: list[dict[str, Any]]) -> dict[str, Any]:
    """An affinity that needs one of some terms."""
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


POD = st.fixed_dictionaries(
    {},
    optional={
        "nodeSelector": LABELS,
        "tolerations": st.lists(TOLERATION, max_size=3),
        "affinity": st.lists(TERM, min_size=1, max_size=2).map(affinity),
    },
)


def node(labels: dict[str, str], taints: list[dict[str, str]]) -> Node:
    """A node with these labels and taints."""
    return Node(
        pool=Resource("urn", "aws:eks/nodeGroup:NodeGroup", "pool", None, True),
        instance_type="m7i.xlarge",
        fact=instance_types()["m7i.xlarge"],
        labels=labels,
        taints=tuple(taints),
        ami_family="al2023",
        gpus=0,
        efa=0,
        disk_mib=None,
        most=None,
    )


NODE = st.builds(node, LABELS, TAINTS)
