"""Names, labels and tags fit, and nothing is made twice."""

from typing import Any

import pytest

from checks.faults import (
    PROVIDER,
    Fault,
    Planted,
    add,
    both,
    change,
    each_of,
    expect_found,
    found,
    planted,
)
from eksml.plan import Plan, Resource
from eksml.plan.model import STACK_REFERENCE_TYPE

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"


def config_map(name: str, namespace: str = "serving", **more: Any) -> Fault:
    metadata = {"name": "resnet-code", "namespace": namespace}
    inputs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    return add(CONFIG_MAP, name, inputs, **more)


def patch(name: str) -> Fault:
    metadata = {"name": "resnet-code", "namespace": "serving"}
    return add("kubernetes:core/v1:ConfigMapPatch", name, {"kind": "ConfigMap", "metadata": metadata})


FAULTS: list[Planted] = [
    ("name-fits", add("aws:iam/role:Role", "r" * 57, {}), f"{'r' * 57}: its name has 65 characters, AWS allows 64"),
    (
        "name-fits",
        add("kubernetes:core/v1:Namespace", "n", {"kind": "Namespace", "metadata": {"name": "n" * 64}}),
        "n: its name has 64 characters, Kubernetes allows 63",
    ),
    (
        "name-fits",
        add(CONFIG_MAP, "c", {"metadata": {"name": "c", "labels": {"team": "t" * 64}}}),
        "c: its label team has 64 characters, Kubernetes allows 63",
    ),
    (
        "one-of-a-name",
        both(config_map("one"), config_map("other")),
        "other: ConfigMap serving/resnet-code is made by urn:pulumi:production::eksml::kubernetes:core/v1:Config",
    ),
    (
        "tagged",
        change("aws:sqs/queue:Queue", "", "tags", {"Name": "q"}),
        "eksml-production-karpenter-interruption: has no tag eksml:platform",
    ),
]


@each_of(FAULTS)
def test_a_planted_fault_is_found(check: str, fault: Fault, text: str) -> None:
    expect_found(check, fault, text)


@pytest.mark.parametrize(
    "right",
    [
        config_map("other", namespace="training"),
        config_map("other", provider="urn:of-another-cluster"),
        both(patch("two"), patch("three")),
        add(CONFIG_MAP, "other", {"kind": "ConfigMap", "metadata": {"namespace": "serving"}}),
    ],
    ids=["another namespace", "another cluster", "a patch", "a name made up by Pulumi"],
)
def test_a_name_may_stand_twice_where_it_means_two_things(right: Fault) -> None:
    assert found(planted(config_map("one"), right), "one-of-a-name") == []


@pytest.mark.parametrize(("namespace", "is_found"), [("training", True), ("serving", False)])
def test_what_a_workload_makes_is_not_on_its_platform_already(namespace: str, is_found: bool) -> None:
    platform = planted(config_map("one", namespace="training"))
    project = "urn:pulumi:production::resnet"
    reference = Resource(f"{project}::pulumi:pulumi:StackReference::org", STACK_REFERENCE_TYPE, "org", None, True)
    provider = Resource(f"{project}::{PROVIDER}::p", PROVIDER, "p", None, True, dependencies=(reference.urn,))
    inputs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "resnet-code", "namespace": namespace}}
    code = Resource(f"{project}::{CONFIG_MAP}::code", CONFIG_MAP, "code", None, True, provider.urn, inputs)
    workload = Plan.of("production", [reference, provider, code], platform=platform)
    assert [line.partition(":")[0] for line in found(workload, "one-of-a-name")] == ["code"] * is_found
