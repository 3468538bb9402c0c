"""Charts, overlays and images have a fixed version, known values, and come from the registry that was chosen."""

from checks.faults import (
    DIRECTORY,
    PLATFORM,
    RELEASE,
    Fault,
    Planted,
    change,
    chart,
    each_of,
    expect_found,
    found,
    job,
    planted,
    train_job,
)
from eksml import catalog

THEIR_MPI = "https://github.com/kubeflow/mpi-operator//manifests/overlays/standalone"
OWN_REGISTRY = change(PLATFORM, "", "spec/imageRegistry", "registry.example.com")
FAULTS: list[Planted] = [
    ("pinned", train_job("train", image="pytorch/pytorch:latest"), "fit: fit: image pytorch/pytorch:latest"),
    ("pinned", change(RELEASE, "kueue-kueue", "version", None), "eksml-production-kueue-kueue: chart oci://"),
    ("pinned", job(container={"image": "busybox"}), "job: job: image busybox has no fixed tag"),
    (
        "pinned",
        job(container={"image": "localhost:5000/busybox:latest"}),
        "job: job: image localhost:5000/busybox:latest",
    ),
    (
        "pinned",
        change(RELEASE, "kueue-kueue", "values/controllerManager/manager/image", {"tag": "main"}),
        "eksml-production-kueue-kueue: kueue-controller-manager: image registry.k8s.io/kueue/kueue:main has no fixed",
    ),
    (
        "pinned",
        change(RELEASE, "dcgm-exporter", "values/image", {"repository": "example.com/dcgm", "tag": "latest"}),
        "eksml-production-gpus-dcgm-exporter: dcgm-exporter: image example.com/dcgm:latest has no fixed tag",
    ),
    (
        "pinned",
        chart({"web": {"image": {"repository": "example.com/web", "tag": "latest"}}}),
        "portal: image example.com/web:latest has no fixed tag",
    ),
    ("pinned", job(initContainers=[{"name": "first", "image": "busybox"}]), "job: job: image busybox has no fixed tag"),
    (
        "pinned",
        change(DIRECTORY, "mpi-operator", "overlay", f"{THEIR_MPI}?ref=master"),
        f"eksml-production-mpi-operator: overlay {THEIR_MPI}?ref=master has no fixed tag",
    ),
    (
        "pinned",
        change(DIRECTORY, "mpi-operator", "images", {"mpioperator/mpi-operator": "mpioperator/mpi-operator:latest"}),
        "eksml-production-mpi-operator: mpi-operator: image mpioperator/mpi-operator:latest has no fixed",
    ),
    (
        "chart-value-exists",
        change(RELEASE, "kueue-kueue", "values/controllerManager/replica", 3),
        "eksml-production-kueue-kueue: chart kueue has no value controllerManager.replica",
    ),
]


@each_of(FAULTS)
def test_a_planted_fault_is_found(check: str, fault: Fault, text: str) -> None:
    expect_found(check, fault, text)


def test_with_a_registry_of_ones_own_what_comes_from_elsewhere_is_found() -> None:
    lines = found(planted(OWN_REGISTRY, job()), "image-registry")
    assert any(
        "chart oci://registry.k8s.io/kueue/charts/kueue is not from registry.example.com" in line for line in lines
    )
    karpenter = catalog.images()["karpenter-controller"]
    assert any(f"image {karpenter.repository}:{karpenter.tag} is not from" in line for line in lines)
    assert "job: job: image busybox:1.37 is not from registry.example.com" in lines
    operator = "eksml-production-training-operator"
    init = "docker.io/library/alpine:3.10"
    assert f"{operator}: image {init}, for pods of jobs, is not from registry.example.com" in lines
    assert any(line.startswith(f"{operator}: training-operator: image ghcr.io/kubeflow/") for line in lines)


def test_what_an_operator_starts_in_pods_of_jobs_without_being_told_is_from_elsewhere() -> None:
    untold = change(DIRECTORY, "training-operator", "patches/2/spec/template/spec/containers/0/args", [])
    lines = found(planted(OWN_REGISTRY, untold), "image-registry")
    assert any("image docker.io/library/alpine, for pods of jobs, is not from" in line for line in lines), lines
