"""Whose a thing is: tags in AWS and labels in Kubernetes say the same, on every stack."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from eksml import names
from eksml.checks import run_checks
from eksml.plan import Plan, Resource
from eksml.profiles import PROFILES
from eksml.spec import parse
from eksml.tenancy.quotas import team_tag
from eksml.tenancy.team import Team, TeamSpec
from network.test_team_gateway import TLS, TOKEN
from programs import recorded, stack_plan

NAMESPACE = "kubernetes:core/v1:Namespace"
SETTINGS: dict[str, Any] = {
    "principals": ["arn:aws:iam::123456789012:role/vision"],
    "managedPolicies": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
    "limits": {"gpus": 1, "vcpus": 8, "memoryGib": 32},
    "gateway": {"tls": TLS, "authentication": TOKEN},
}


def team() -> Plan:
    def program() -> None:
        opts = pulumi.ResourceOptions(providers=[k8s.Provider("cluster", kubeconfig="{}")])
        spec = parse(TeamSpec, SETTINGS)
        Team(
            "lab-vision", spec, team="vision", limits={}, cluster_name="lab", tags={"eksml:platform": "lab"}, opts=opts
        )

    return recorded(program)


def changed(plan: Plan, resource_type: str, change: Callable[[dict[str, Any]], None]) -> Plan:
    def copy(resource: Resource) -> Resource:
        inputs = deepcopy(dict(resource.inputs))
        if resource.type == resource_type:
            change(inputs)
        return replace(resource, inputs=inputs)

    return Plan.of(plan.stack, map(copy, plan.resources))


def found(plan: Plan) -> list[str]:
    return [f"{each.resource}: {each.text}" for each in run_checks(plan, ["tagged"]).findings]


def metadata(resource: Resource) -> Mapping[str, Any]:
    return resource.inputs.get("metadata") or {} if resource.package == "kubernetes" else {}


@pytest.mark.parametrize("stack", PROFILES)
def test_all_that_a_stack_makes_in_a_namespace_of_a_team_has_the_label_of_the_team(stack: str) -> None:
    plan = stack_plan(stack)
    labels = {
        metadata(each)["name"]: metadata(each)["labels"].get(names.TEAM_LABEL) for each in plan.of_type(NAMESPACE)
    }
    teams = {namespace: team for namespace, team in labels.items() if team}
    assert teams
    inside = [each for each in plan.resources if metadata(each).get("namespace") in teams]
    wrong = [
        each.urn for each in inside if metadata(each)["labels"].get(names.TEAM_LABEL) != metadata(each)["namespace"]
    ]
    assert (bool(inside), wrong) == (True, [])


def test_all_that_a_team_has_in_aws_has_its_tag() -> None:
    plan = team()
    tagged = {
        each.type: each.inputs["tags"] for each in plan.resources if each.package == "aws" and "tags" in each.inputs
    }
    assert {"aws:eks/accessEntry:AccessEntry", "aws:iam/role:Role"} <= set(tagged)
    assert {tags[names.TEAM_TAG] for tags in tagged.values()} == {"vision"}
    (configuration,) = plan.of_type("kubernetes:gateway.k8s.aws/v1:LoadBalancerConfiguration")
    assert configuration.inputs["spec"]["tags"] == {names.TEAM_TAG: "vision", names.PLATFORM_TAG: "lab"}
    assert found(plan) == []


def test_a_tag_of_another_team_and_one_that_is_missing_are_found() -> None:
    role = "aws:iam/role:Role"
    (other,) = found(changed(team(), role, lambda inputs: inputs["tags"].update({names.TEAM_TAG: "speech"})))
    assert other == "lab-vision-workload: is what the team vision has alone, and its tag eksml:team says speech"
    (missing,) = found(changed(team(), role, lambda inputs: inputs["tags"].pop(names.TEAM_TAG)))
    assert missing.endswith("its tag eksml:team is missing")


def test_the_load_balancer_of_a_team_that_is_not_on_its_bill_is_found() -> None:
    kind = "kubernetes:gateway.k8s.aws/v1:LoadBalancerConfiguration"
    (finding,) = found(changed(team(), kind, lambda inputs: inputs["spec"].pop("tags")))
    assert finding.endswith("its tag eksml:team is missing")


def test_a_label_of_another_team_is_found() -> None:
    kind = "kubernetes:core/v1:ResourceQuota"
    (finding,) = found(
        changed(team(), kind, lambda inputs: inputs["metadata"]["labels"].update({names.TEAM_LABEL: "speech"}))
    )
    assert finding == "lab-vision-quota: is in the namespace of vision, and its label eksml.dev/team says speech"


def test_a_pool_that_one_team_has_alone_is_tagged_as_its_own() -> None:
    pools = {"vision": ["train", "shared"], "speech": ["shared"]}
    assert team_tag("train", pools) == {names.TEAM_TAG: "vision"}
    assert team_tag("shared", pools) == {}
    assert team_tag("system", pools) == {}
