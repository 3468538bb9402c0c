"""Kubeflow Trainer v2."""

from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from crds import check_admitted
from eksml.plan import Plan, Resource
from eksml.training.trainer import Trainer, TrainerSpec
from programs import needs, one, recorded

RELEASE = "kubernetes:helm.sh/v3:Release"
RUNTIME = "kubernetes:trainer.kubeflow.org/v1alpha1:ClusterTrainingRuntime"


def operator(image_registry: str | None = None, **settings: Any) -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        opts = pulumi.ResourceOptions(providers=[provider])
        Trainer("lab", TrainerSpec(**settings), image_registry=image_registry, opts=opts)

    return recorded(program)


def release(plan: Plan, name: str) -> Resource:
    return one(plan, RELEASE, f"lab-{name}")


def images_of(plan: Plan) -> set[str]:
    jobs = [job for each in plan.of_type(RUNTIME) for job in each.inputs["spec"]["template"]["spec"]["replicatedJobs"]]
    pods = [job["template"]["spec"]["template"]["spec"] for job in jobs]
    return {container["image"] for pod in pods for container in pod["containers"]}


def test_it_works_alone_and_its_runtimes_are_admitted_after_it(shared: Path) -> None:
    plan = operator()
    runtimes = {each.inputs["metadata"]["name"]: each for each in plan.of_type(RUNTIME)}
    assert set(runtimes) == {"torch-distributed", "deepspeed-distributed", "jax-distributed", "mpi-distributed"}
    for runtime in runtimes.values():
        assert release(plan, "kubeflow-trainer").urn in runtime.dependencies
        check_admitted(runtime.inputs, shared)


def test_there_is_one_job_set_and_it_is_there_first() -> None:
    plan = operator()
    trainer = release(plan, "kubeflow-trainer")
    assert trainer.inputs["values"]["jobset"] == {"install": False}
    assert release(plan, "jobset").urn in needs(plan, trainer)
    assert TrainerSpec().frameworks == ("jobset.x-k8s.io/jobset", "trainer.kubeflow.org/trainjob")


def test_a_cluster_that_has_job_set_gets_none() -> None:
    (trainer,) = operator(install_job_set=False).of_type(RELEASE)
    assert trainer.inputs["values"]["jobset"] == {"install": False}
    assert TrainerSpec(install_job_set=False).frameworks == ("trainer.kubeflow.org/trainjob",)


def test_no_job_fetches_a_kubectl_to_install_the_charts_own_runtimes() -> None:
    assert "runtimes" not in release(operator(), "kubeflow-trainer").inputs["values"]


def test_two_controllers_keep_each_other_company() -> None:
    plan = operator(replicas=2)
    assert release(plan, "kubeflow-trainer").inputs["values"]["manager"]["replicas"] == 2
    assert one(plan, "kubernetes:policy/v1:PodDisruptionBudget").inputs["metadata"]["namespace"] == "kubeflow-system"
    job_set = release(plan, "jobset").inputs["values"]["controller"]
    assert (job_set["replicas"], job_set["podDisruptionBudget"]) == (2, {"enabled": True})


def test_charts_and_images_can_come_from_a_registry_of_ones_own() -> None:
    plan = operator(image_registry="registry.example.com")
    assert release(plan, "kubeflow-trainer").inputs["values"]["image"] == {"registry": "registry.example.com/ghcr.io"}
    job_set = release(plan, "jobset").inputs["values"]["image"]
    assert job_set["repository"] == "registry.example.com/registry.k8s.io/jobset/jobset"
    assert len(images_of(plan)) == 4
    assert all(image.startswith("registry.example.com/") for image in images_of(plan))
