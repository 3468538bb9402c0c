"""Kubeflow's MPI operator."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from eksml import names
from eksml.plan import Plan
from eksml.training.mpi_operator import MpiOperator, MpiOperatorSpec
from programs import needs, one, recorded

DIRECTORY = "kubernetes:kustomize/v2:Directory"


def operator(replicas: int = 1, image_registry: str | None = None) -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        opts = pulumi.ResourceOptions(providers=[provider])
        MpiOperator("lab", MpiOperatorSpec(replicas=replicas), image_registry=image_registry, opts=opts)

    return recorded(program)


def deployment(plan: Plan) -> Any:
    (found,) = [each for each in one(plan, DIRECTORY).inputs["patches"] if each["kind"] == "Deployment"]
    return found["spec"]


def test_it_works_alone_after_its_namespace() -> None:
    plan = operator()
    namespace = one(plan, "kubernetes:core/v1:Namespace")
    assert namespace.inputs["metadata"]["labels"][names.POD_SECURITY_LABEL] == "restricted"
    assert namespace.urn in needs(plan, one(plan, DIRECTORY))
    assert MpiOperatorSpec().frameworks == ("kubeflow.org/mpijob",)


def test_it_keeps_its_lease_in_its_namespace_and_tells_its_figures_beside_its_health() -> None:
    (container,) = deployment(operator())["template"]["spec"]["containers"]
    assert container["args"] == ["-alsologtostderr", "--lock-namespace=mpi-operator", "--monitoring-port=8081"]
    assert container["ports"] == [{"name": "metrics", "containerPort": 8081}]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": 8080}
    assert container["securityContext"]["runAsNonRoot"] is True


def test_two_controllers_keep_each_other_company() -> None:
    plan = operator(replicas=2)
    assert deployment(plan)["replicas"] == 2
    budget = one(plan, "kubernetes:policy/v1:PodDisruptionBudget").inputs
    assert budget["metadata"]["namespace"] == "mpi-operator"
    assert budget["spec"]["selector"] == {"matchLabels": {"app": "mpi-operator"}}


def test_its_image_is_pinned_and_can_come_from_a_registry_of_ones_own() -> None:
    assert one(operator(), DIRECTORY).inputs["images"] == {
        "mpioperator/mpi-operator": "docker.io/mpioperator/mpi-operator:0.8.0"
    }
    mirrored = one(operator(image_registry="registry.example.com"), DIRECTORY).inputs["images"]
    assert mirrored == {"mpioperator/mpi-operator": "registry.example.com/docker.io/mpioperator/mpi-operator:0.8.0"}
