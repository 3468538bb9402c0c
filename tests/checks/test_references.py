"""What an object names is there."""

from typing import Any

import pytest

from checks.faults import (
    DIRECTORY,
    RELEASE,
    SECRETS_STORE,
    Fault,
    Planted,
    add,
    both,
    chart,
    custom_job,
    each_of,
    expect_found,
    planted,
    secret_provider_class,
    take_away,
)
from eksml import names
from eksml.checks import run_checks
from eksml.plan import Resource
from eksml.plan.model import UNKNOWN

NAMESPACE = "kubernetes:core/v1:Namespace"


def reader(namespace: str = "serving", **pod: Any) -> Fault:
    """A pod that needs something."""
    metadata = {"name": "reader", "namespace": namespace}
    return add(
        "kubernetes:core/v1:Pod", "reader", {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod}
    )


WANDB = [{"name": "WANDB_API_KEY", "valueFrom": {"secretKeyRef": {"name": "wandb", "key": "api-key"}}}]
MLFLOW = [{"name": "MLFLOW_TRACKING_URI", "value": names.MLFLOW_URL}]


def without_namespace(namespace: str) -> Fault:
    """A fault: nothing makes a namespace."""

    def fault(resources: dict[str, Resource]) -> None:
        for urn, each in list(resources.items()):
            if each.type == NAMESPACE and each.inputs["metadata"]["name"] == namespace:
                del resources[urn]

    return fault


def of_team(kind: str, name: str) -> Fault:
    """An object of a kind of Kubernetes' core in the namespace of a team."""
    metadata = {"name": name, "namespace": "serving"}
    return add(f"kubernetes:core/v1:{kind}", name, {"apiVersion": "v1", "kind": kind, "metadata": metadata})


FAULTS: list[Planted] = [
    (
        "reference-exists",
        custom_job("ray.io/v1", "RayJob"),
        "fit: nothing on this platform brings the kind RayJob: training.kubeRay does",
    ),
    (
        "reference-exists",
        custom_job("trainer.kubeflow.org/v1alpha1", "TrainJob"),
        "fit: nothing on this platform brings the kind TrainJob: training.trainer does",
    ),
    (
        "reference-exists",
        both(take_away(DIRECTORY), custom_job("kubeflow.org/v2beta1", "MPIJob")),
        "fit: nothing on this platform brings the kind MPIJob: training.mpiOperator does",
    ),
    (
        "reference-exists",
        both(take_away(DIRECTORY), custom_job("kubeflow.org/v1", "PyTorchJob")),
        "fit: nothing on this platform brings the kind PyTorchJob: training.trainingOperator does",
    ),
    (
        "reference-exists",
        both(take_away("aws:eks/addon:Addon"), secret_provider_class("password")),
        f"password: nothing on this platform brings the kind SecretProviderClass: add-on {SECRETS_STORE} does",
    ),
    (
        "reference-exists",
        both(
            take_away("aws:eks/addon:Addon"),
            reader(volumes=[{"name": "password", "csi": {"driver": "secrets-store.csi.k8s.io", "readOnly": True}}]),
        ),
        "reader: reader: nothing on this platform brings the driver secrets-store.csi.k8s.io: add-on aws-secrets-store",
    ),
    (
        "reference-exists",
        add(
            "kubernetes:karpenter.sh/v1:NodeClaim",
            "lost",
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lost", "namespace": "servng"}},
        ),
        "lost: namespace servng does not exist, did you mean 'serving'?",
    ),
    (
        "reference-exists",
        add(
            "kubernetes:core/v1:PersistentVolumeClaim",
            "home",
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": "home", "namespace": "serving"},
                "spec": {"storageClassName": "efs"},
            },
        ),
        "home: StorageClass efs does not exist, the platform has gp3",
    ),
    (
        "reference-exists",
        add(
            "kubernetes:core/v1:PersistentVolume",
            "disk",
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": "disk"},
                "spec": {"csi": {"driver": "fsx.csi.aws.com"}},
            },
        ),
        "disk: nothing on this platform brings the driver fsx.csi.aws.com: add-on aws-fsx-csi-driver does",
    ),
    (
        "secret-exists",
        reader(
            containers=[
                {
                    "name": "main",
                    "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "key", "key": "a"}}}],
                }
            ]
        ),
        "reader: reader reads secret key in serving: make it first",
    ),
    (
        "secret-exists",
        reader(containers=[{"name": "main", "env": WANDB}]),
        "reader: reader reads secret wandb in serving: tracking.weightsAndBiases makes it for its teams",
    ),
    (
        "reference-exists",
        both(without_namespace("mlflow"), reader(containers=[{"name": "main", "env": MLFLOW}])),
        "reader: reader reports to MLflow, which this platform does not have: give tracking.mlflow",
    ),
    (
        "secret-exists",
        reader(volumes=[{"name": "all", "projected": {"sources": [{"secret": {"name": "key"}}]}}]),
        "reader: reader reads secret key in serving: make it first",
    ),
    (
        "config-map-exists",
        reader(volumes=[{"name": "code", "configMap": {"name": "code"}}]),
        "reader: reader reads ConfigMap code in serving: make it first",
    ),
    (
        "config-map-exists",
        reader(containers=[{"name": "main", "envFrom": [{"configMapRef": {"name": "settings"}}]}]),
        "reader: reader reads ConfigMap settings in serving: make it first",
    ),
    (
        "claim-exists",
        reader(volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "imagenet"}}]),
        "reader: reader mounts claim imagenet in serving: make it first",
    ),
    (
        "reference-exists",
        reader(serviceAccountName="worklaod"),
        "reader: reader: service account worklaod does not exist in serving, did you mean 'workload'?",
    ),
]


@each_of(FAULTS)
def test_a_planted_fault_is_found(check: str, fault: Fault, text: str) -> None:
    expect_found(check, fault, text)


@pytest.mark.parametrize(
    "right",
    [
        reader(serviceAccountName="workload"),
        reader(serviceAccountName="default"),
        reader(serviceAccountName="kueue-controller-manager", namespace="kueue-system"),
        reader(volumes=[{"name": "ca", "configMap": {"name": "kube-root-ca.crt"}}]),
        reader(volumes=[{"name": "code", "configMap": {"name": "code", "optional": True}}]),
        reader(volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": UNKNOWN}}]),
        reader(volumes=[{"name": "shared-memory", "emptyDir": {}}]),
        both(of_team("Secret", "wandb"), reader(containers=[{"name": "main", "env": WANDB}])),
        both(
            add(NAMESPACE, "mlflow", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mlflow"}}),
            reader(containers=[{"name": "main", "env": MLFLOW}]),
        ),
        both(chart({}), custom_job("ray.io/v1", "RayJob")),
        both(add(DIRECTORY, "theirs", {"directory": "theirs"}), custom_job("ray.io/v1", "RayJob")),
        both(
            add(RELEASE, "kuberay", {"chart": "kuberay-operator", "version": "1.7.0"}),
            custom_job("ray.io/v1", "RayJob"),
        ),
    ],
)
def test_what_is_there_or_may_be_is_not_missed(right: Fault) -> None:
    checks = ("reference-exists", "secret-exists", "config-map-exists", "claim-exists")
    assert run_checks(planted(right), checks).findings == ()
