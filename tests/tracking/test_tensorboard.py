"""A team's TensorBoard: what it reads, where it runs, and who reaches it."""

from pathlib import Path
from typing import Any

import pytest

from crds import check_admitted
from eksml import names
from eksml.catalog import images
from eksml.plan import Plan
from eksml.plan.manifests import objects
from eksml.spec import parse
from eksml.tenancy.team import TeamSpec
from eksml.tracking.tensorboard import TensorBoardSpec, tensor_board_problems
from programs import names_of, one
from refusals import check_problems, problems
from tracking.boards import DEPLOYMENT, access, board, container, pod

VOLUME = "kubernetes:core/v1:PersistentVolume"
ROUTE = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
TARGET_GROUP = "kubernetes:gateway.k8s.aws/v1:TargetGroupConfiguration"
PREFIX: dict[str, Any] = {"exposure": {"pathPrefix": "/tensorboard"}}
ARN = "arn:aws:acm:us-west-2:123456789012:certificate/0123"


def arguments(plan: Plan) -> dict[str, str]:
    return dict(argument.removeprefix("--").split("=", 1) for argument in container(plan)["args"])


def test_it_reads_all_that_the_team_has_in_the_platforms_bucket_or_a_part_of_it() -> None:
    volume = one(board(), VOLUME).inputs["spec"]
    assert volume["csi"]["volumeAttributes"]["bucketName"] == "models"
    assert {"prefix teams/vision/", "read-only", "region us-west-2"} <= set(volume["mountOptions"])
    part = one(board(folder="resnet/checkpoints/logs", bucket="others"), VOLUME).inputs["spec"]
    assert part["csi"]["volumeAttributes"]["bucketName"] == "others"
    assert "prefix teams/vision/resnet/checkpoints/logs/" in part["mountOptions"]


def test_what_it_reads_is_mounted_where_it_looks_and_cannot_be_written() -> None:
    plan = board()
    mounted = {each["name"]: each for each in container(plan)["volumeMounts"]}
    assert (arguments(plan)["logdir"], mounted["logs"]["readOnly"]) == (mounted["logs"]["mountPath"], True)
    claim = one(plan, "kubernetes:core/v1:PersistentVolumeClaim")
    assert {"claimName": claim.name, "readOnly": True} in [
        each.get("persistentVolumeClaim") for each in pod(plan)["volumes"]
    ]
    assert claim.urn in one(plan, DEPLOYMENT).dependencies


def test_it_has_no_more_rights_than_it_needs() -> None:
    plan = board()
    assert pod(plan)["serviceAccountName"] == names.MODEL_READER_SERVICE_ACCOUNT
    assert pod(plan)["automountServiceAccountToken"] is False
    assert pod(plan)["securityContext"]["runAsNonRoot"] is True
    security = container(plan)["securityContext"]
    assert (security["readOnlyRootFilesystem"], security["capabilities"]) == (True, {"drop": ["ALL"]})


def test_it_waits_in_the_teams_queue_within_its_quota_and_nobody_waits_for_it() -> None:
    plan = board(cpus=1, memoryGib=4, pool="system")
    deployment = one(plan, DEPLOYMENT).inputs
    queue = {names.QUEUE_LABEL: names.LOCAL_QUEUE, names.QUEUE_PRIORITY_LABEL: "normal"}
    assert queue.items() <= deployment["metadata"]["labels"].items()
    assert queue.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    amounts = {"cpu": "1", "memory": "4Gi"}
    assert container(plan)["resources"] == {"requests": amounts, "limits": amounts}
    assert pod(plan)["nodeSelector"] == {names.POOL_LABEL: "system"}
    assert deployment["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
    assert names.QUEUE_LABEL not in one(board(queue=None), DEPLOYMENT).inputs["metadata"]["labels"]


def test_it_keeps_off_gpu_nodes() -> None:
    (term,) = pod(board())["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert term["matchExpressions"] == [{"key": names.GPU_LABEL, "operator": "DoesNotExist"}]


def test_its_service_leads_to_the_port_that_it_listens_on() -> None:
    plan = board()
    (port,) = one(plan, "kubernetes:core/v1:Service").inputs["spec"]["ports"]
    assert arguments(plan)["port"] == str(port["port"]) == str(container(plan)["ports"][0]["containerPort"])
    selector = one(plan, "kubernetes:core/v1:Service").inputs["spec"]["selector"]
    assert selector.items() <= one(plan, DEPLOYMENT).inputs["spec"]["template"]["metadata"]["labels"].items()


def test_unasked_no_entry_leads_to_it() -> None:
    plan = board()
    assert names_of(plan, ROUTE) == []
    assert access().command == "kubectl port-forward --namespace vision service/tensorboard-vision 6006:6006"
    assert access().url == "http://localhost:6006/"


def test_behind_the_teams_entry_it_knows_its_own_path() -> None:
    plan = board(**PREFIX)
    assert arguments(plan)["path_prefix"] == "/tensorboard"
    (rule,) = one(plan, ROUTE).inputs["spec"]["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/tensorboard"}}]
    assert [each["type"] for each in rule["filters"]] == ["ExtensionRef"]
    assert rule["backendRefs"] == [{"name": "tensorboard-vision", "port": 6006}]
    asked = one(plan, TARGET_GROUP).inputs["spec"]["defaultConfiguration"]["healthCheckConfig"]["healthCheckPath"]
    probes = {container(plan)[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "readiness", "liveness")}
    assert probes == {asked} == {"/tensorboard/data/environment"}


@pytest.mark.parametrize(
    ("gateway", "exposure", "url"),
    [
        ({}, {"pathPrefix": "/board"}, "http://ADDRESS-OF-ENTRY-OF-VISION/board/"),
        ({"host": "vision.example.com"}, {"pathPrefix": "/board"}, "http://vision.example.com/board/"),
        ({"host": "*.example.com"}, {"pathPrefix": "/board"}, "http://tensorboard.example.com/board/"),
        (
            {"host": "*.example.com", "tls": {"kind": "certificate", "arn": ARN}},
            {"hostname": "board.example.com"},
            "https://board.example.com/",
        ),
    ],
)
def test_its_address_is_named(gateway: dict[str, Any], exposure: dict[str, Any], url: str) -> None:
    found = access(gateway, exposure=exposure)
    assert (found.url, found.command) == (url, None)
    assert found.sign_in == "whoever reaches the entry of team vision"


def test_its_image_is_pinned_has_tensorboard_and_can_come_from_a_registry() -> None:
    # TensorFlow 2.21 no longer brings it.
    assert images()["tensorboard"].tag == "2.20.0"
    assert container(board())["image"] == "tensorflow/tensorflow:2.20.0"
    registry = container(board(image_registry="registry.example.com"))["image"]
    assert registry == "registry.example.com/tensorflow/tensorflow:2.20.0"
    assert container(board(image="example.com/board:1"))["image"] == "example.com/board:1"


def test_its_objects_fit_the_real_definitions(shared: Path) -> None:
    made = [each for each in objects(board(**PREFIX)) if each["apiVersion"].startswith("gateway")]
    assert len(made) == 2
    for each in made:
        check_admitted(each, shared)


@pytest.mark.parametrize(
    ("settings", "beginning"),
    [
        (
            {"exposure": {"hostname": "a.example.com", "grpcHostname": "b.example.com"}},
            "exposure.grpcHostname: given, ",
        ),
        ({"exposure": {}}, "exposure: empty, needs one of them"),
        ({"folder": "../speech"}, "folder: '../speech' given, must"),
        ({"reloadSeconds": 1}, "reloadSeconds: 1 given, must"),
        ({"image": "tensorflow/tensorflow:latest"}, "image: 'tensorflow/tensorflow:latest' given, must be pinned"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], beginning: str) -> None:
    check_problems(problems(TensorBoardSpec, settings), [beginning])


def found(
    settings: dict[str, Any], team: dict[str, Any] | None = None, *, name: str = "vision", **has: bool
) -> list[str]:
    boards = {name: parse(TensorBoardSpec, settings)}
    given = {"has_bucket": True, "mounts_buckets": True, **has}
    return [str(each) for each in tensor_board_problems(boards, {"vision": parse(TeamSpec, team or {})}, **given)]


def test_it_belongs_to_a_team_that_there_is_and_reads_a_bucket_that_can_be_mounted() -> None:
    assert found({}) == []
    assert found({"bucket": "logs"}, has_bucket=False) == []
    check_problems(found({}, name="visoin"), ["visoin: 'visoin' is no team, did you mean 'vision'?"])
    check_problems(found({}, has_bucket=False), ["vision.bucket: missing: the platform has no model bucket"])
    check_problems(found({}, mounts_buckets=False), ["vision: needs storage.bucketMounts"])


def test_it_goes_to_a_pool_of_which_the_team_has_something() -> None:
    team = {"quotas": {"system": {}}}
    assert found({"pool": "system"}, team) == []
    check_problems(
        found({"pool": "train"}, team),
        ["vision.pool: 'train' given, but teams.vision.quotas has nothing of it, it has system"],
    )


def test_behind_an_entry_for_programs_no_browser_reaches_it() -> None:
    tokens = {"kind": "jwt", "issuer": "https://id.example.com", "jwksEndpoint": "https://id.example.com/keys"} | {
        "claims": [{"name": "aud", "values": ["models"]}]
    }
    team = {"gateway": {"tls": {"kind": "certificate", "arn": ARN}, "authentication": tokens}}
    assert found({}, team) == []
    check_problems(found(PREFIX, team), ["vision.exposure: given, but teams.vision.gateway lets in whoever sends a"])
