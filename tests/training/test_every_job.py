"""What every kind of training job does alike."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pulumi
import pytest

from crds import check_admitted
from eksml import names
from eksml.errors import SpecError
from eksml.plan.diff import Kind, diff
from eksml.plan.recorder import RecordingError
from eksml.secret_key import SecretKey
from eksml.storage.volumes import ClaimVolume, FileSystemVolume, S3Volume
from eksml.training.code import ConfigMapCode, GitCode, ImageCode
from eksml.training.training_job import SKIP_AWAIT
from programs import names_of, one
from training.jobs import KINDS, containers, environment, job, made, templates

EVERY_KIND = pytest.mark.parametrize("kind", KINDS)
OPERATED = [kind for kind in KINDS if KINDS[kind].made != "kubernetes:batch/v1:Job"]
GIT = GitCode(repository="https://github.com/example/code", revision="0123456789abcdef0123456789abcdef01234567")


@EVERY_KIND
def test_it_works_alone_in_the_cluster_that_it_is_given(kind: str) -> None:
    plan = job(kind)
    provider = one(plan, "pulumi:providers:kubernetes").urn
    objects = [resource for resource in plan.resources if resource.package == "kubernetes"]
    assert objects
    assert {resource.provider for resource in objects} == {provider}
    assert {resource.inputs["metadata"]["namespace"] for resource in objects} == {"vision"}


@pytest.mark.parametrize("kind", OPERATED)
def test_its_object_is_one_that_the_operator_knows(kind: str, shared: Path) -> None:
    check_admitted(made(job(kind), kind).inputs, shared)


@EVERY_KIND
def test_it_waits_in_the_teams_queue_at_its_place(kind: str) -> None:
    labels = made(job(kind, queue="big", priority="high"), kind).inputs["metadata"]["labels"]
    assert (labels[names.QUEUE_LABEL], labels[names.QUEUE_PRIORITY_LABEL]) == ("big", "high")
    assert names.QUEUE_LABEL not in made(job(kind, queue=None), kind).inputs["metadata"]["labels"]


@EVERY_KIND
def test_it_never_makes_pulumi_wait_and_is_replaced_when_it_changes(kind: str) -> None:
    resource = made(job(kind), kind)
    # With the other one, a plain Job of the same name would be made before the old one is gone.
    plain = {"pulumi.com/waitFor": "jsonpath={.metadata.uid}"}
    assert resource.inputs["metadata"]["annotations"] == (plain if "batch" in resource.type else SKIP_AWAIT)
    assert resource.options["replaceOnChanges"] == ["spec"]
    assert "ttlSecondsAfterFinished" not in str(resource.inputs)


def test_a_model_of_gpu_stands_for_every_type_that_has_enough_of_them() -> None:
    plan = job("pytorch", instance_type=None, accelerator="L4", gpus_per_node=4)
    (template, *_) = templates(made(plan, "pytorch").inputs["spec"])
    (term,) = template["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    (types,) = term["matchExpressions"]
    assert types["values"] == ["g6.12xlarge", "g6.24xlarge", "g6.48xlarge"]
    assert environment(plan, "pytorch")["TORCH_CUDA_ARCH_LIST"] == "8.9"
    # A pod fits the smallest of them.
    assert containers(plan, "pytorch")[0]["resources"] == containers(job("pytorch"), "pytorch")[0]["resources"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"accelerator": "L5", "instance_type": None}, "accelerator: 'L5' is not in the catalog, there is A100, A10G"),
        ({"accelerator": "L4"}, "accelerator: given, but instanceType says it already: give one of them"),
        ({"accelerator": "L4", "instance_type": None, "gpus_per_node": 0}, "gpusPerNode: missing: how many L4 each"),
        ({"accelerator": "L4", "instance_type": None, "gpus_per_node": 16}, "gpusPerNode: 16 given, no type has more"),
        ({"accelerator": "H100", "instance_type": None, "efa": True}, "instanceType: missing: EFA needs the type"),
    ],
)
def test_a_model_of_gpu_that_cannot_be_had_is_told(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError, match=re.escape(problem)):
        job("pytorch", **settings)


@EVERY_KIND
def test_another_script_is_another_job(kind: str) -> None:
    one_script, other = (job(kind, code=ConfigMapCode(files={"train.py": text})) for text in ("1", "2"))
    found = diff(one_script, other).changes
    assert (Kind.REPLACED, made(other, kind).urn) in {(change.kind, change.urn) for change in found}


@EVERY_KIND
def test_another_bucket_is_another_volume_claim_and_job(kind: str) -> None:
    before, after = (job(kind, checkpoints=S3Volume(bucket=bucket)) for bucket in ("models", "others"))
    replaced = {change.type for change in diff(before, after).changes if change.kind is Kind.REPLACED}
    volumes = {"kubernetes:core/v1:PersistentVolume", "kubernetes:core/v1:PersistentVolumeClaim"}
    assert replaced == {*volumes, made(after, kind).type}


@EVERY_KIND
def test_its_pods_go_to_the_gpu_nodes_that_it_names_and_stay_there(kind: str) -> None:
    training = [
        template
        for template in templates(made(job(kind, capacity="spot", dedicated=True), kind).inputs["spec"])
        if template["spec"]["containers"][0]["name"] not in ("launcher", "ray-head")
    ]
    assert training
    for template in training:
        selector = template["spec"]["nodeSelector"]
        assert selector[names.POOL_LABEL] == "train"
        assert selector["node.kubernetes.io/instance-type"] == "g6.12xlarge"
        assert selector["karpenter.sh/capacity-type"] == "spot"
        assert names.FRAMEWORK_LABEL in selector
        assert template["spec"]["tolerations"] == [names.gpu_toleration()]
        assert template["metadata"]["annotations"]["karpenter.sh/do-not-disrupt"] == "true"


@EVERY_KIND
def test_its_pods_have_requests_limits_shared_memory_and_no_more_rights_than_they_need(kind: str) -> None:
    plan = job(kind)
    for container in containers(plan, kind):
        resources = container["resources"]
        assert resources["requests"] == resources["limits"]
        assert resources["limits"][names.GPU_RESOURCE] == "4"
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {"name": "shared-memory", "mountPath": "/dev/shm"} in container["volumeMounts"]  # noqa: S108
    for template in templates(made(plan, kind).inputs["spec"]):
        assert template["spec"]["securityContext"]["runAsNonRoot"] is True
        shm = next(volume for volume in template["spec"]["volumes"] if volume["name"] == "shared-memory")
        assert shm["emptyDir"]["medium"] == "Memory"


@EVERY_KIND
def test_its_code_lies_in_a_config_map_beside_which_it_starts(kind: str) -> None:
    plan = job(kind)
    assert one(plan, "kubernetes:core/v1:ConfigMap").inputs["data"] == {"train.py": "print('trained')\n"}
    assert one(plan, "kubernetes:core/v1:ConfigMap").urn in made(plan, kind).dependencies
    assert {"name": "code", "mountPath": "/code", "readOnly": True} in containers(plan, kind)[0]["volumeMounts"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "trainer"])
def test_its_code_can_be_one_revision_of_a_repository(kind: str) -> None:
    (template, *_) = templates(made(job(kind, code=GIT), kind).inputs["spec"])
    (fetch,) = template["spec"]["initContainers"]
    assert GIT.revision in fetch["command"][-1]
    assert fetch["resources"]["limits"]


def test_code_that_not_everyone_may_read_is_fetched_with_a_token_that_nobody_sees() -> None:
    token = SecretKey(secret="git", key="token")  # noqa: S106
    plan = job("pytorch", code=GitCode(repository=GIT.repository, revision=GIT.revision, token=token))
    (template, *_) = templates(made(plan, "pytorch").inputs["spec"])
    (fetch,) = template["spec"]["initContainers"]
    assert {"name": "GIT_TOKEN", "valueFrom": {"secretKeyRef": {"name": "git", "key": "token"}}} in fetch["env"]
    settings = {each["name"]: each["value"] for each in fetch["env"] if "value" in each}
    assert (settings["GIT_CONFIG_COUNT"], settings["GIT_CONFIG_KEY_1"]) == ("2", "credential.helper")
    said = subprocess.run(  # noqa: S602
        settings["GIT_CONFIG_VALUE_1"][1:], shell=True, env={"GIT_TOKEN": "secret"}, capture_output=True, check=True
    )
    assert said.stdout == b"username=x-access-token\npassword=secret\n"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("trainer", "ray")])
def test_its_code_can_be_in_the_image(kind: str) -> None:
    plan = job(kind, code=ImageCode(directory="/opt/app"))
    assert containers(plan, kind)[0]["workingDir"] == "/opt/app"
    assert names_of(plan, "kubernetes:core/v1:ConfigMap") == []


@EVERY_KIND
def test_checkpoints_lie_in_the_teams_part_of_the_platforms_bucket(kind: str) -> None:
    plan = job(kind, checkpoints=S3Volume(), bucket="models")
    volume = one(plan, "kubernetes:core/v1:PersistentVolume").inputs["spec"]
    assert volume["csi"]["volumeAttributes"] == {"bucketName": "models", "authenticationSource": "pod"}
    assert "prefix teams/vision/resnet/checkpoints/" in volume["mountOptions"]
    assert "allow-overwrite" in volume["mountOptions"]
    claim = one(plan, "kubernetes:core/v1:PersistentVolumeClaim")
    assert claim.inputs["spec"]["volumeName"] == "vision-resnet-checkpoints"
    assert environment(plan, kind)["CHECKPOINT_DIR"] == "/checkpoints"


@EVERY_KIND
def test_data_is_read_only(kind: str) -> None:
    plan = job(kind, data=S3Volume(bucket="images", prefix="cifar/"))
    assert "read-only" in one(plan, "kubernetes:core/v1:PersistentVolume").inputs["spec"]["mountOptions"]
    mount = next(each for each in containers(plan, kind)[0]["volumeMounts"] if each["name"] == "data")
    assert mount == {"name": "data", "mountPath": "/data", "readOnly": True}


def test_checkpoints_can_lie_on_a_file_system_or_a_claim_that_is_there() -> None:
    plan = job("pytorch", checkpoints=FileSystemVolume(kind="efs"), data=ClaimVolume(claim="cifar"))
    claim = one(plan, "kubernetes:core/v1:PersistentVolumeClaim")
    assert (claim.name, claim.inputs["spec"]["storageClassName"]) == ("resnet-checkpoints", "efs")
    (template, *_) = templates(made(plan, "pytorch").inputs["spec"])
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "cifar"}} in template["spec"]["volumes"]


def test_a_bucket_that_nobody_names_is_told_before_anything_is_made() -> None:
    with pytest.raises(SpecError, match=r"checkpoints\.bucket: missing"):
        job("pytorch", checkpoints=S3Volume())


@EVERY_KIND
def test_it_reports_to_the_platforms_mlflow_as_its_team(kind: str) -> None:
    found = environment(job(kind, trackers=("mlflow",)), kind)
    assert found["MLFLOW_TRACKING_URI"] == names.MLFLOW_URL
    assert found["MLFLOW_TRACKING_USERNAME"]["secretKeyRef"]["key"] == "username"
    assert found["MLFLOW_TRACKING_PASSWORD"]["secretKeyRef"] == {"name": "mlflow", "key": "password", "optional": True}
    assert found["MLFLOW_EXPERIMENT_NAME"] == "vision/resnet"


@EVERY_KIND
def test_or_to_another_one(kind: str) -> None:
    plan = job(kind, trackers=("mlflow",), tracking_uri="http://mlflow")
    assert environment(plan, kind)["MLFLOW_TRACKING_URI"] == "http://mlflow"


@EVERY_KIND
def test_it_reports_to_weights_and_biases_with_the_key_and_settings_of_its_team(kind: str) -> None:
    found = environment(job(kind, trackers=("weightsAndBiases",)), kind)
    assert found["WANDB_API_KEY"] == {"secretKeyRef": {"name": "wandb", "key": "api-key"}}
    for variable in ("WANDB_ENTITY", "WANDB_PROJECT", "WANDB_BASE_URL"):
        assert found[variable] == {"configMapKeyRef": {"name": "wandb", "key": variable, "optional": True}}
    writable = [each["mountPath"] for each in containers(job(kind), kind)[0]["volumeMounts"] if "readOnly" not in each]
    assert found["WANDB_DIR"] in writable


@EVERY_KIND
def test_it_reports_to_no_tracker_unasked(kind: str) -> None:
    found = environment(job(kind, tracking_uri="http://mlflow"), kind)
    assert [variable for variable in found if variable.startswith(("MLFLOW", "WANDB"))] == []


def test_a_tracker_that_the_platform_does_not_have_is_told() -> None:
    with pytest.raises(RecordingError, match="trackers: mlflow given, but the platform has none: give it"):
        job("native", trackers=("mlflow",), tracking_uri=pulumi.Output.from_input(None))


def test_the_keys_of_trackers_do_not_stand_in_an_environment() -> None:
    with pytest.raises(SpecError, match=r"environment\.WANDB_API_KEY: given, but it is a secret: name its Secret"):
        job("native", environment={"WANDB_API_KEY": "0123"})
    with pytest.raises(SpecError, match=r"trackers\[1\]: 'mlflow' is listed twice"):
        job("native", trackers=("mlflow", "mlflow"))


@EVERY_KIND
def test_its_environment_is_ones_own_over_what_is_derived_and_secrets_are_only_named(kind: str) -> None:
    secrets = {"HF_TOKEN": SecretKey(secret="hub", key="token")}  # noqa: S106
    found = environment(job(kind, environment={"NCCL_DEBUG": "INFO"}, secrets=secrets), kind)
    assert found["NCCL_DEBUG"] == "INFO"
    assert found["HF_TOKEN"] == {"secretKeyRef": {"name": "hub", "key": "token"}}


def test_the_framework_is_set_up_for_the_gpu_at_hand() -> None:
    found = environment(job("pytorch"), "pytorch")
    assert (found["TORCH_CUDA_ARCH_LIST"], found["OMP_NUM_THREADS"]) == ("8.9", "10")
    assert environment(job("pytorch", instance_type="p5.48xlarge"), "pytorch")["TORCH_CUDA_ARCH_LIST"] == "9.0"
    on_cpus = environment(job("pytorch", instance_type="m7i.4xlarge", gpus_per_node=0), "pytorch")
    assert not {"TORCH_CUDA_ARCH_LIST", "PYTORCH_ALLOC_CONF", "NCCL_DEBUG"} & set(on_cpus)


def test_torchrun_waits_for_a_last_checkpoint_as_long_as_its_pod_is_left() -> None:
    (template, *_) = templates(made(job("pytorch"), "pytorch").inputs["spec"])
    torchruns = int(environment(job("pytorch"), "pytorch")["TORCH_ELASTIC_SHUTDOWN_TIMEOUT"])
    # Of the two minutes that EC2 gives a spot instance.
    assert torchruns < template["spec"]["terminationGracePeriodSeconds"] < 120


def test_efa_brings_its_interfaces_and_its_environment() -> None:
    plan = job("pytorch", instance_type="p5.48xlarge", gpus_per_node=8, efa=True)
    assert containers(plan, "pytorch")[0]["resources"]["limits"][names.EFA_RESOURCE] == "32"
    assert environment(plan, "pytorch")["FI_PROVIDER"] == "efa"
    assert "FI_PROVIDER" not in environment(job("pytorch"), "pytorch")


@pytest.mark.parametrize("name", ["", "Big", "with.stop", "a" * 41, "ends-", "späte"])
def test_a_name_that_its_pods_cannot_have_is_refused(name: str) -> None:
    kind = KINDS["pytorch"]
    with pytest.raises(SpecError, match=r"name: .*at most 40"):
        kind.component(name, kind.spec(namespace="a", cpus_per_node=1, memory_gib_per_node=1))
