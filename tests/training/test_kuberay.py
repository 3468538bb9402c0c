"""KubeRay's operator."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from eksml.errors import SpecError
from eksml.plan import Plan
from eksml.training.kuberay import KubeRay, KubeRaySpec
from programs import needs, one, recorded

DIRECTORY = "kubernetes:kustomize/v2:Directory"
RELEASE = "kubernetes:helm.sh/v3:Release"


def operator(image_registry: str | None = None, **settings: Any) -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        opts = pulumi.ResourceOptions(providers=[provider])
        KubeRay("lab", KubeRaySpec(**settings), image_registry=image_registry, opts=opts)

    return recorded(program)


def values(plan: Plan) -> Any:
    return one(plan, RELEASE).inputs["values"]


def test_it_works_alone_and_its_definitions_come_first_from_the_tag_of_its_chart() -> None:
    plan = operator()
    release, definitions = one(plan, RELEASE), one(plan, DIRECTORY)
    assert definitions.urn in needs(plan, release)
    assert release.inputs["skipCrds"] is True
    assert f"?ref=v{release.inputs['version']}&" in definitions.inputs["overlay"]


def test_it_watches_all_namespaces_or_those_that_it_is_told() -> None:
    assert "watchNamespace" not in values(operator())
    assert values(operator(watch_namespaces=("vision", "language")))["watchNamespace"] == ["vision", "language"]
    with pytest.raises(SpecError, match=r"watchNamespaces\[1\]: 'vision' is listed twice"):
        KubeRaySpec(watch_namespaces=("vision", "vision"))


def test_pods_of_a_job_start_together_by_kueue_and_not_by_a_scheduler_of_its_own() -> None:
    assert "batchScheduler" not in values(operator())
    assert KubeRaySpec().frameworks == ("ray.io/raycluster", "ray.io/rayjob", "ray.io/rayservice")


def test_two_controllers_keep_each_other_company() -> None:
    plan = operator(replicas=2)
    assert values(plan)["replicas"] == 2
    assert values(plan)["leaderElectionEnabled"] is True
    assert one(plan, "kubernetes:policy/v1:PodDisruptionBudget").inputs["metadata"]["namespace"] == "kuberay-system"
    assert operator().of_type("kubernetes:policy/v1:PodDisruptionBudget") == []


def test_no_limit_of_cpu_makes_it_miss_its_lease() -> None:
    assert set(values(operator())["resources"]["limits"]) == {"memory"}


def test_chart_and_image_can_come_from_a_registry_of_ones_own() -> None:
    mirrored = one(operator(image_registry="registry.example.com"), RELEASE).inputs
    assert mirrored["chart"] == "oci://registry.example.com/ray-project.github.io/kuberay-helm/kuberay-operator"
    assert mirrored["values"]["image"]["repository"] == "registry.example.com/quay.io/kuberay/operator"
