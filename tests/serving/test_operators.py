"""The operators of a platform that model servers need, each alone and all together."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from crds import check_admitted
from eksml import catalog
from eksml.checks.run import run_checks
from eksml.plan import Plan
from eksml.serving.argo_rollouts import ArgoRollouts, ArgoRolloutsSpec
from eksml.serving.cert_manager import CertManager, CertManagerSpec
from eksml.serving.kserve import KServe, KServeSpec
from eksml.serving.leader_worker_set import LeaderWorkerSetOperator, LeaderWorkerSetOperatorSpec
from eksml.serving.operators import ServingOperators, ServingSpec
from programs import needs, one, recorded

RELEASE = "kubernetes:helm.sh/v3:Release"
RUNTIME = "kubernetes:serving.kserve.io/v1alpha1:ClusterServingRuntime"
BUDGET = "kubernetes:policy/v1:PodDisruptionBudget"
REGISTRY = "registry.example.com"
ALL = ServingSpec(
    argo_rollouts=ArgoRolloutsSpec(),
    kserve=KServeSpec(),
    leader_worker_set=LeaderWorkerSetOperatorSpec(),
)
ALONE: dict[str, Callable[..., Any]] = {
    "argo-rollouts": lambda **more: ArgoRollouts("lab", ArgoRolloutsSpec(), **more),
    "cert-manager": lambda **more: CertManager("lab", CertManagerSpec(), **more),
    "kserve-resources": lambda **more: KServe("lab", KServeSpec(), **more),
    "lws": lambda **more: LeaderWorkerSetOperator("lab", LeaderWorkerSetOperatorSpec(), **more),
}


def made(component: Callable[..., Any], **arguments: Any) -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        component(opts=pulumi.ResourceOptions(providers=[provider]), **arguments)

    return recorded(program)


def together(spec: ServingSpec, **arguments: Any) -> Plan:
    return made(lambda **more: ServingOperators("lab", spec, **more), **arguments)


def release(plan: Plan, chart: str) -> Any:
    (found,) = [each for each in plan.of_type(RELEASE) if each.inputs["name"] == chart]
    return found


def values(plan: Plan, chart: str) -> Any:
    return release(plan, chart).inputs["values"]


@pytest.mark.parametrize("chart", ALONE)
def test_it_works_alone_in_a_namespace_for_restricted_pods_of_the_platform(chart: str) -> None:
    plan = made(ALONE[chart])
    namespaces = {each.inputs["metadata"]["name"]: each for each in plan.of_type("kubernetes:core/v1:Namespace")}
    namespace = namespaces[catalog.charts()[chart].namespace]
    assert namespace.inputs["metadata"]["labels"] == {
        "pod-security.kubernetes.io/enforce": "restricted",
        "eksml.dev/role": "platform",
    }
    assert namespace.urn in needs(plan, release(plan, chart))
    assert run_checks(plan).findings == ()


@pytest.mark.parametrize("chart", ALONE)
def test_every_chart_and_image_can_come_from_a_registry_of_ones_own(chart: str) -> None:
    plan = made(ALONE[chart], image_registry=REGISTRY)
    for each in plan.of_type(RELEASE):
        assert each.inputs["chart"].startswith(f"oci://{REGISTRY}/")
    given = str(values(plan, chart))
    hosts = ("quay.io/", "registry.k8s.io/", "docker.io/")
    assert all(given.count(host) == given.count(f"{REGISTRY}/{host}") for host in hosts), given
    assert REGISTRY in given


def test_each_is_there_only_if_it_is_named() -> None:
    def kinds(spec: ServingSpec) -> set[str]:
        plan = together(spec)
        return {each.type.rpartition(":")[2] for each in plan.resources if each.type.startswith("eksml:serving")}

    assert kinds(ServingSpec()) == {"ServingOperators"}
    assert kinds(ServingSpec(argo_rollouts=ArgoRolloutsSpec())) == {"ServingOperators", "ArgoRollouts"}
    assert kinds(ALL) == {"ServingOperators", "ArgoRollouts", "CertManager", "KServe", "LeaderWorkerSetOperator"}


def test_kueue_is_told_of_the_kind_that_starts_as_a_whole() -> None:
    assert ServingSpec().frameworks == ()
    assert ALL.frameworks == ("leaderworkerset.x-k8s.io/leaderworkerset",)


def test_two_controllers_keep_each_other_company() -> None:
    rollouts = made(lambda **more: ArgoRollouts("lab", ArgoRolloutsSpec(replicas=2), **more))
    controller = values(rollouts, "argo-rollouts")["controller"]
    assert (controller["replicas"], controller["pdb"]) == (2, {"enabled": True, "maxUnavailable": 1})
    workers = made(lambda **more: LeaderWorkerSetOperator("lab", LeaderWorkerSetOperatorSpec(replicas=2), **more))
    assert values(workers, "lws")["replicaCount"] == 2
    assert one(workers, BUDGET).inputs["metadata"]["namespace"] == "lws-system"
    assert made(ALONE["lws"]).of_type(BUDGET) == []


def test_the_controller_of_rollouts_has_no_dashboard_and_no_right_to_routers() -> None:
    given = values(made(ALONE["argo-rollouts"]), "argo-rollouts")
    assert given["dashboard"] == given["providerRBAC"] == {"enabled": False}
    assert given["controller"]["metrics"] == {"enabled": True}


def test_a_pinned_image_takes_the_place_of_the_moving_tag_of_leader_worker_sets_chart() -> None:
    given = values(made(ALONE["lws"]), "lws")
    assert given["image"]["manager"]["tag"] == catalog.images()["lws"].tag
    assert given["podSecurityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_kserve_comes_after_its_definitions_and_after_cert_manager() -> None:
    plan = made(ALONE["kserve-resources"])
    before = needs(plan, release(plan, "kserve-resources"))
    assert {release(plan, "kserve-crd").urn, release(plan, "cert-manager").urn} <= before


def test_kserve_uses_the_cert_manager_that_a_cluster_has() -> None:
    plan = made(lambda **more: KServe("lab", KServeSpec(install_cert_manager=False), **more))
    assert {each.inputs["name"] for each in plan.of_type(RELEASE)} == {"kserve-crd", "kserve-resources"}


def test_kserve_needs_neither_knative_nor_istio_and_adds_no_limits_of_its_own() -> None:
    given = values(made(ALONE["kserve-resources"]), "kserve-resources")["kserve"]
    assert given["controller"]["deploymentMode"] == "Standard"
    assert given["controller"]["gateway"] == {"disableIngressCreation": True, "disableIstioVirtualHost": True}
    assert given["inferenceservice"]["resources"]["limits"] == {"cpu": "", "memory": ""}


def test_what_kserve_puts_into_the_pods_of_others_is_pinned() -> None:
    given = values(made(ALONE["kserve-resources"]), "kserve-resources")["kserve"]
    for part in ("storage", "agent", "router"):
        assert given[part]["tag"] == catalog.charts()["kserve-resources"].version


def test_kserve_has_a_runtime_for_each_engine_of_ours_that_it_can_start(shared: Path) -> None:
    plan = made(ALONE["kserve-resources"], image_registry=REGISTRY)
    runtimes = {each.inputs["metadata"]["name"]: each for each in plan.of_type(RUNTIME)}
    assert set(runtimes) == {"huggingface", "tensorflow", "triton"}
    for runtime in runtimes.values():
        check_admitted(runtime.inputs, shared)
        assert release(plan, "kserve-resources").urn in runtime.dependencies
        (container,) = runtime.inputs["spec"]["containers"]
        assert container["image"].startswith(f"{REGISTRY}/")
