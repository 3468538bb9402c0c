"""Kubeflow's training operator."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from eksml import names
from eksml.plan import Plan
from eksml.training.training_operator import TrainingOperator, TrainingOperatorSpec
from programs import needs, one, recorded

DIRECTORY = "kubernetes:kustomize/v2:Directory"


def operator(replicas: int = 1, image_registry: str | None = None) -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        opts = pulumi.ResourceOptions(providers=[provider])
        TrainingOperator("lab", TrainingOperatorSpec(replicas=replicas), image_registry=image_registry, opts=opts)

    return recorded(program)


def patch(plan: Plan, kind: str) -> Any:
    (found,) = [each for each in one(plan, DIRECTORY).inputs["patches"] if each["kind"] == kind]
    return found


def container(plan: Plan) -> Any:
    (found,) = patch(plan, "Deployment")["spec"]["template"]["spec"]["containers"]
    return found


def test_it_works_alone_in_a_namespace_that_is_the_platforms_and_restricted() -> None:
    labels = one(operator(), "kubernetes:core/v1:Namespace").inputs["metadata"]["labels"]
    assert labels == {names.POD_SECURITY_LABEL: "restricted", names.PLATFORM_NAMESPACE_LABEL: "platform"}
    assert patch(operator(), "Namespace")["$patch"] == "delete", "there is one Namespace of a name"


def test_it_runs_every_kind_but_mpijob_whose_definition_is_the_mpi_operators() -> None:
    schemes = [each.partition("=")[2] for each in container(operator())["args"] if each.startswith("--enable-scheme=")]
    assert schemes == ["jaxjob", "paddlejob", "pytorchjob", "tfjob", "xgboostjob"]
    assert TrainingOperatorSpec().frameworks == tuple(f"kubeflow.org/{scheme}" for scheme in schemes)
    definition = patch(operator(), "CustomResourceDefinition")
    assert (definition["$patch"], definition["metadata"]["name"]) == ("delete", "mpijobs.kubeflow.org")


def test_its_controllers_may_choose_one_of_them_which_its_own_rights_leave_out() -> None:
    plan = operator()
    assert "--leader-elect" in container(plan)["args"]
    (rule,) = one(plan, "kubernetes:rbac.authorization.k8s.io/v1:Role").inputs["rules"]
    assert rule == {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": ["get", "create", "update"],
    }
    binding = one(plan, "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding")
    assert binding.inputs["subjects"][0]["name"] == "training-operator"
    assert binding.urn in needs(plan, one(plan, DIRECTORY))


def test_two_controllers_keep_each_other_company_on_nodes_of_their_own() -> None:
    plan = operator(replicas=2)
    spec = patch(plan, "Deployment")["spec"]
    assert spec["replicas"] == 2
    budget = one(plan, "kubernetes:policy/v1:PodDisruptionBudget").inputs["spec"]
    (spread,) = spec["template"]["spec"]["affinity"]["podAntiAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == spread["podAffinityTerm"]["labelSelector"]
    assert spread["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    assert operator().of_type("kubernetes:policy/v1:PodDisruptionBudget") == [], "of one it would keep a node for ever"


def test_it_keeps_off_gpu_nodes_whether_they_have_a_taint_or_not() -> None:
    pod = patch(operator(), "Deployment")["spec"]["template"]["spec"]
    (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term == {"matchExpressions": [{"key": names.GPU_LABEL, "operator": "DoesNotExist"}]}
    assert "tolerations" not in pod


def test_it_asks_for_little_and_runs_as_nobody_special() -> None:
    made = container(operator())
    assert set(made["resources"]) == {"requests", "limits"}
    assert made["securityContext"]["runAsNonRoot"] is True


@pytest.mark.parametrize(
    ("registry", "image", "init_image"),
    [
        (None, "ghcr.io/kubeflow/training-v1/training-operator:v1-93c5489", "docker.io/library/alpine:3.10"),
        (
            "registry.example.com/cache",
            "registry.example.com/cache/ghcr.io/kubeflow/training-v1/training-operator:v1-93c5489",
            "registry.example.com/cache/docker.io/library/alpine:3.10",
        ),
    ],
)
def test_its_image_and_the_one_that_it_starts_in_pods_of_jobs_are_pinned_and_from_where_they_should_be(
    registry: str | None, image: str, init_image: str
) -> None:
    plan = operator(image_registry=registry)
    assert one(plan, DIRECTORY).inputs["images"] == {"ghcr.io/kubeflow/training-v1/training-operator": image}
    assert f"--pytorch-init-container-image={init_image}" in container(plan)["args"]
