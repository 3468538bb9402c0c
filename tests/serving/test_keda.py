"""KEDA and its HTTP add-on."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from eksml import names
from eksml.catalog import charts
from eksml.checks import run_checks
from eksml.errors import SpecError
from eksml.plan import Plan, Resource
from eksml.serving.keda import Keda, KedaHttpAddOnSpec, KedaSpec
from programs import needs, one, recorded

RELEASE = "kubernetes:helm.sh/v3:Release"
ADD_ON = KedaHttpAddOnSpec()


def keda(spec: KedaSpec, image_registry: str | None = None) -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        Keda("lab", spec, image_registry=image_registry, opts=pulumi.ResourceOptions(providers=[provider]))

    return recorded(program)


def release(plan: Plan, chart: str) -> Resource:
    return one(plan, RELEASE, f"lab-{chart}")


def values(plan: Plan, chart: str) -> Any:
    return release(plan, chart).inputs["values"]


def test_it_works_alone_in_a_namespace_of_the_platform() -> None:
    plan = keda(KedaSpec())
    namespace = one(plan, "kubernetes:core/v1:Namespace")
    assert namespace.inputs["metadata"]["name"] == release(plan, "keda").inputs["namespace"] == names.KEDA_NAMESPACE
    assert namespace.inputs["metadata"]["labels"][names.PLATFORM_NAMESPACE_LABEL] == names.PLATFORM_NAMESPACE_VALUE
    assert namespace.urn in needs(plan, release(plan, "keda"))


def test_the_http_add_on_is_there_only_if_it_is_named_and_after_keda_which_scales_it() -> None:
    assert len(keda(KedaSpec()).of_type(RELEASE)) == 1
    plan = keda(KedaSpec(http_add_on=ADD_ON))
    assert release(plan, "keda").urn in needs(plan, release(plan, names.KEDA_HTTP_ADD_ON))


def test_the_interceptor_holds_requests_for_the_minutes_that_a_model_server_needs() -> None:
    interceptor = values(keda(KedaSpec(http_add_on=ADD_ON)), names.KEDA_HTTP_ADD_ON)["interceptor"]
    assert interceptor["readinessTimeout"] == "1800s"
    assert interceptor["requestTimeout"] == "0s", "a request that is held must not end before the server is there"
    assert interceptor["replicas"] == {"min": 2, "max": 6}


def test_all_of_its_pods_keep_off_gpus_and_have_requests_and_limits() -> None:
    plan = keda(KedaSpec(replicas=2, http_add_on=ADD_ON))
    report = run_checks(plan)
    assert not report.findings, [finding.text for finding in report.findings]
    for chart in ("keda", names.KEDA_HTTP_ADD_ON):
        for workload in charts()[chart].workloads:
            assert workload.affinity
            assert workload.resources
            part: Any = values(plan, chart)
            for step in workload.affinity.split("."):
                part = part[step]
            assert "DoesNotExist" in str(part["nodeAffinity"]), workload.name


def test_two_of_each_part_have_a_disruption_budget_and_one_has_none() -> None:
    assert values(keda(KedaSpec(replicas=2)), "keda")["podDisruptionBudget"]["webhooks"] == {"maxUnavailable": 1}
    assert values(keda(KedaSpec()), "keda")["podDisruptionBudget"]["webhooks"] == {}


def test_fewer_interceptors_at_most_than_always_cannot_be() -> None:
    with pytest.raises(SpecError, match="maxReplicas: 2 given, must be at least 3, which is replicas"):
        KedaHttpAddOnSpec(replicas=3, max_replicas=2)


def test_charts_and_images_come_from_a_registry_of_ones_own() -> None:
    plan = keda(KedaSpec(http_add_on=ADD_ON), image_registry="registry.example.com")
    assert values(plan, "keda")["image"]["keda"]["registry"] == "registry.example.com/ghcr.io"
    images = values(plan, names.KEDA_HTTP_ADD_ON)["images"]
    assert images["interceptor"] == "registry.example.com/ghcr.io/kedacore/http-add-on-interceptor"
    for each in plan.of_type(RELEASE):
        assert each.inputs["chart"].startswith("oci://registry.example.com/kedacore.github.io/charts/")
