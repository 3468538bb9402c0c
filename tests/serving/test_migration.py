"""The server of a model that came from another framework: what makes it, its labels, and what cannot be."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from eksml import SpecError, names
from eksml.plan import Plan
from eksml.serving.migration import MIGRATIONS, MigrationDeployment, create_migration_deployment
from eksml.serving.rollout import CanaryRollout
from eksml.serving.triton_model import TritonModel
from programs import names_of, one, recorded
from refusals import check_problems
from serving.model_servers import server

PATH = "teams/vision/models/resnet"
ON_A_GPU: dict[str, Any] = {"gpus_per_node": 1, "accelerator": "L4", "pool": "serve"}
ROLLOUT = "kubernetes:argoproj.io/v1alpha1:Rollout"
EVERY_WAY = pytest.mark.parametrize(("old", "new"), [(old, new) for old, ways in MIGRATIONS.items() for new in ways])


def plan(migration: MigrationDeployment) -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        migration.make(bucket="models", opts=pulumi.ResourceOptions(providers=[provider]))

    return recorded(program)


def refused(*arguments: str, **settings: Any) -> list[str]:
    with pytest.raises(SpecError) as error:
        create_migration_deployment(*arguments, **settings)
    return str(error.value).splitlines()


def test_the_documents_call_gives_a_server_of_the_new_framework() -> None:
    migration = create_migration_deployment(PATH, "pytorch", "tensorflow")
    assert migration.name == "migrated-model-tensorflow"
    assert migration.server.kind == "tensorflowServing"
    assert list(migration.server.models) == ["resnet"]
    assert migration.server.source.settings() == {"kind": "s3", "prefix": "teams/vision/models/"}
    assert migration.converter == "onnx2tf, by way of ONNX"


def test_a_program_makes_a_rollout_by_blue_green_of_it_that_a_person_promotes() -> None:
    made = plan(create_migration_deployment(PATH, "pytorch", "tensorflow", name="resnet", replicas=10))
    spec = one(made, ROLLOUT, "resnet").inputs["spec"]
    assert spec["replicas"] == 10
    by = spec["strategy"]["blueGreen"]
    assert (by["activeService"], by["previewService"]) == ("resnet", "resnet-preview")
    assert by["autoPromotionEnabled"] is False
    assert by["scaleDownDelaySeconds"] == 30
    assert {"prePromotionAnalysis", "postPromotionAnalysis"} <= by.keys()
    assert names_of(made, "kubernetes:core/v1:Service") == ["resnet", "resnet-preview"]


def test_every_object_and_pod_says_from_where_to_where() -> None:
    made = plan(create_migration_deployment(PATH, "pytorch", "onnx", labels={"stage": "trial"}))
    labels = {"migration-from": "pytorch", "migration-to": "onnx", "stage": "trial"}
    objects = [each for each in made.resources if each.inputs.get("metadata", {}).get("namespace")]
    assert len(objects) >= 6
    for each in objects:
        assert labels.items() <= each.inputs["metadata"]["labels"].items(), each.name
    spec = one(made, ROLLOUT).inputs["spec"]
    assert labels.items() <= spec["template"]["metadata"]["labels"].items()
    # What Kubernetes never lets anybody change.
    assert spec["selector"] == {"matchLabels": {names.SERVER_LABEL: "migrated-model-onnx"}}


@EVERY_WAY
def test_every_way_that_there_is_ends_at_a_server(old: str, new: str) -> None:
    migration = create_migration_deployment(PATH, old, new, **ON_A_GPU)
    assert migration.server.labels == {"migration-from": old, "migration-to": new}
    assert one(plan(migration), ROLLOUT)


@pytest.mark.parametrize(
    ("framework", "backend"),
    [("onnx", "onnxruntime"), ("openvino", "openvino"), ("pytorch", "pytorch"), ("tensorrt", "tensorrt")],
)
def test_triton_runs_it_by_the_backend_of_the_framework(framework: str, backend: str) -> None:
    found = create_migration_deployment(PATH, "pytorch", framework, **ON_A_GPU).server
    assert found.kind == "triton"
    assert found.models["resnet"].backend == backend


def test_it_has_all_settings_of_its_server() -> None:
    found = create_migration_deployment(
        "s3://other-bucket/models/bert/",
        "tensorflow",
        "onnx",
        namespace="vision",
        rollout=CanaryRollout(),
        model=TritonModel(backend="onnxruntime", response_cache=True),
        response_cache_mib=64,
        **ON_A_GPU,
    ).server
    assert found.settings()["source"] == {"kind": "s3", "bucket": "other-bucket", "prefix": "models/"}
    assert (found.namespace, found.accelerator, found.pool) == ("vision", "L4", "serve")
    assert isinstance(found.rollout, CanaryRollout)
    assert found.settings()["responseCacheMib"] == 64


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (
            (PATH, "pytorhc", "tensorflw"),
            [
                "framework_from: 'pytorhc' given, must be pytorch, tensorflow, keras, jax or onnx, did you mean 'pyt",
                "framework_to: 'tensorflw' given, must be onnx, openvino, pytorch, tensorflow or tensorrt, did you",
            ],
        ),
        (
            (PATH, "tensorflow", "pytorch"),
            [
                "framework_to: pytorch given, but nothing maintained makes that of tensorflow: there is "
                "onnx (tf2onnx), openvino (OpenVINO's ovc) or tensorrt (trtexec, by way of ONNX)"
            ],
        ),
        (
            ("/tmp/model", "pytorch", "onnx"),  # noqa: S108
            ["model_path: '/tmp/model' given, must be s3://BUCKET/PREFIX/NAME, or PREFIX/NAME in the platform's model"],
        ),
        (("resnet", "pytorch", "onnx"), ["model_path: 'resnet' given, must be s3://BUCKET/PREFIX/NAME"]),
        (("s3://models/resnet", "pytorch", "onnx"), ["model_path: 's3://models/resnet' given, must be s3://BUCKET/"]),
        (
            (f"{PATH}/1", "pytorch", "onnx"),
            [f"model_path: '{PATH}/1' given, must be the folder of the model, in which versions are folders"],
        ),
        ((PATH, "onnx", "tensorrt"), ["models.resnet.backend: tensorrt runs on GPUs only, and gpusPerNode is 0"]),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(arguments: tuple[str, ...], lines: list[str]) -> None:
    check_problems(refused(*arguments), lines)


def test_wrong_settings_are_refused_as_those_of_any_server_are() -> None:
    check_problems(refused(PATH, "pytorch", "onnx", replica=2), ["replica: "])
    check_problems(refused(PATH, "pytorch", "onnx", gpus_per_node=1), ["cpusPerNode: missing", "memoryGibPerNode: "])


def test_labels_by_which_the_library_finds_pods_are_its_own() -> None:
    with pytest.raises(SpecError) as error:
        server("vllm", labels={"eksml.dev/server": "other", "kueue.x-k8s.io/queue-name": "fast", "stage": "trial"})
    check_problems(
        str(error.value).splitlines(),
        [
            'labels["eksml.dev/server"]: given, but the library sets it: take a domain of your own, or none',
            'labels["kueue.x-k8s.io/queue-name"]: given, but the library sets it',
        ],
    )
