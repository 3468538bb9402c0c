"""TensorBoard for a team: it reads what the team's jobs have written into the bucket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import pulumi
from pydantic import Field

from eksml import names
from eksml.catalog import images
from eksml.containers import CONTAINER_SECURITY, environment, pod_security
from eksml.controllers import no_gpu_nodes
from eksml.errors import Problem, listed, nearest
from eksml.image_registry import with_mirrored_pods
from eksml.network.authentication import JsonWebToken
from eksml.network.exposure import Backend, ExposureSpec, exposure_objects
from eksml.network.team_gateway import TeamGatewaySpec
from eksml.nodes.placement import Cpus
from eksml.service_access import ServiceAccess, port_forward
from eksml.spec import BucketName, LabelValue, PinnedImage, PoolName, PositiveCount, RelativePath, Spec
from eksml.tenancy.team import TeamSpec
from eksml.workload import SKIP_AWAIT, Workload

_LOGS = "/logs"
_SCRATCH = "/tmp"  # noqa: S108
_PORT = 6006
_USER_ID = 1000
_DRAIN_SECONDS = 10


class TensorBoardSpec(Spec):
    """What a team's TensorBoard shows, and what it takes."""

    bucket: BucketName | None = None
    """The bucket with the logs; none given: the platform's model bucket."""
    folder: RelativePath | None = None
    """What it reads below `teams/TEAM/`, such as `resnet/checkpoints/logs`; none given: all of that."""
    reload_seconds: Annotated[int, Field(strict=True, ge=5, le=3600)] = 60
    """How long it waits between two looks for new logs: each lists all folders, which S3 has a price for."""
    exposure: ExposureSpec | None = None
    """Where the team's entry leads to it; null: it is reached by `kubectl port-forward`."""
    image: PinnedImage | None = None
    """The image, with a tag or a digest; by default TensorFlow's for CPUs, which has TensorBoard."""
    pool: PoolName | None = None
    """The pool that it goes to, one without GPUs; none given: any that the team may use."""
    cpus: Cpus = 0.5
    """vCPUs, of the team's quota."""
    memory_gib: PositiveCount = 2
    """Memory in GiB, of the team's quota: it keeps what it shows there."""
    queue: LabelValue | None = names.LOCAL_QUEUE
    """The queue in the team's namespace that its pod waits in; null: none, where pods are not queued."""

    def rules(self) -> Iterator[Problem]:
        """It speaks HTTP only."""
        if self.exposure and self.exposure.grpc_hostname:
            yield Problem(("exposure", "grpcHostname"), "given, but TensorBoard has no gRPC: leave it out")

    @property
    def path_prefix(self) -> str:
        """What its paths begin with; empty where it has a host name to itself."""
        return (self.exposure.path_prefix if self.exposure else None) or ""

    def log_prefix(self, team: str) -> str:
        """The beginning of the keys of the objects that it reads."""
        return f"teams/{team}/{self.folder.rstrip('/') + '/' if self.folder else ''}"


class TensorBoard(Workload):
    """One TensorBoard in a team's namespace, with the rights to read models and logs, and nothing else.

    Its pod waits in the team's queue like any other, and counts in its quota.

    Arguments:
        spec: what it shows.
        namespace: that of the team.
        bucket: name of the platform's model bucket, if the Spec names none.
        region: AWS region of the bucket.
        gateway: the team's entry, for the address that `access` names.
        image_registry: a registry that the image comes from, instead of its own.

    Attributes:
        access: how a person reaches it.
    """

    def __init__(
        self,
        name: str,
        spec: TensorBoardSpec,
        *,
        namespace: str,
        bucket: pulumi.Input[str] | None = None,
        region: pulumi.Input[str] | None = None,
        gateway: TeamGatewaySpec | None = None,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:tracking:TensorBoard", name, spec, namespace, names.TENSORBOARD_LABEL, opts)
        self.mount_bucket(
            "logs",
            spec.bucket or bucket,
            spec.log_prefix(namespace),
            region=region,
            user_id=_USER_ID,
            read_only=True,
        )
        service = {"type": "ClusterIP", "selector": self.label, "ports": [{"name": "http", "port": _PORT}]}
        # Nobody waits for it: its pod may have to wait in the queue.
        self.add("v1", "Service", name, {"spec": service}, annotations=SKIP_AWAIT)
        pods = _pod_template(name, spec, self.label)
        deployment = {
            "replicas": 1,
            # A queue at its limit has no place for a second one.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": self.label},
            "template": with_mirrored_pods(pods, image_registry) if image_registry else pods,
        }
        queue = names.queue_labels(spec.queue, "normal")
        self.add("apps/v1", "Deployment", name, {"spec": deployment}, labels=queue, annotations=SKIP_AWAIT)
        if spec.exposure:
            self._expose(spec, spec.exposure)
        self.access = tensor_board_access(name, namespace, spec, gateway)
        self.register_outputs({})

    def _expose(self, spec: TensorBoardSpec, exposure: ExposureSpec) -> None:
        for each in exposure_objects(
            self.resource_name,
            self._namespace,
            exposure,
            Backend(self._namespace, self.resource_name, _PORT),
            health_path=_health_path(spec),
            drain_seconds=_DRAIN_SECONDS,
            # What it sends to browsers names its own paths.
            strips_prefix=False,
        ):
            self.add(each.api_version, each.kind, each.name, each.body)


def tensor_board_access(
    name: str, namespace: str, spec: TensorBoardSpec, gateway: TeamGatewaySpec | None
) -> ServiceAccess:
    """How a person reaches the TensorBoard of a team."""
    title = f"TensorBoard of team {namespace}"
    if spec.exposure is None:
        forward = port_forward(namespace, name, _PORT, _PORT)
        return ServiceAccess(title, f"http://localhost:{_PORT}/", forward, f"members of team {namespace}")
    # All names below a wildcard lead to the entry.
    of_entry = gateway.host.replace("*", "tensorboard") if gateway and gateway.host else None
    host = spec.exposure.hostname or of_entry or f"ADDRESS-OF-ENTRY-OF-{namespace.upper()}"
    scheme = "https" if gateway and gateway.tls else "http"
    sign_in = (
        f"whom teams.{namespace}.gateway.authentication lets in"
        if gateway and gateway.authentication
        else f"whoever reaches the entry of team {namespace}"
    )
    return ServiceAccess(title, f"{scheme}://{host}{spec.path_prefix}/", None, sign_in)


def tensor_board_problems(
    boards: Mapping[str, TensorBoardSpec], teams: Mapping[str, TeamSpec], *, has_bucket: bool, mounts_buckets: bool
) -> Iterator[Problem]:
    """What does not hold between TensorBoards, by team, and the rest of a platform; but for `exposure_problems`.

    Arguments:
        boards: by team, its TensorBoard.
        teams: the teams of the platform.
        has_bucket: whether it has a model bucket.
        mounts_buckets: whether its pods can mount buckets.
    """
    for name, spec in boards.items():
        team = teams.get(name)
        if team is None:
            yield Problem((name,), f"'{name}' is no team{nearest(name, teams)}")
            continue
        if spec.bucket is None and not has_bucket:
            text = "missing: the platform has no model bucket (storage.modelBucket), give the name of one"
            yield Problem((name, "bucket"), text)
        if not mounts_buckets:
            yield Problem((name,), "needs storage.bucketMounts, which the platform does not have")
        if spec.pool and team.quotas and spec.pool not in team.quotas:
            there = f", it has {listed(team.quotas)}"
            yield Problem((name, "pool"), f"'{spec.pool}' given, but teams.{name}.quotas has nothing of it{there}")
        if spec.exposure and team.gateway and isinstance(team.gateway.authentication, JsonWebToken):
            reason = f"teams.{name}.gateway lets in whoever sends a token, which browsers do not"
            yield Problem((name, "exposure"), f"given, but {reason}: leave it out, for kubectl port-forward")


def _health_path(spec: TensorBoardSpec) -> str:
    return f"{spec.path_prefix}/data/environment"


def _arguments(spec: TensorBoardSpec) -> list[str]:
    return [
        f"--logdir={_LOGS}",
        "--host=0.0.0.0",
        f"--port={_PORT}",
        f"--path_prefix={spec.path_prefix}",
        f"--reload_interval={spec.reload_seconds}",
        # Objects do not grow, they are replaced; Mountpoint reads no further in one that has been:
        # https://github.com/awslabs/mountpoint-s3/issues/930. The faster reader would give the file up.
        "--detect_file_replacement=true",
    ]


def _pod_template(name: str, spec: TensorBoardSpec, label: Mapping[str, str]) -> dict[str, Any]:
    amounts = {"cpu": f"{spec.cpus:g}", "memory": f"{spec.memory_gib}Gi"}
    asked = {"httpGet": {"path": _health_path(spec), "port": "http"}, "timeoutSeconds": 5}
    return {
        "metadata": {"labels": {**label, **names.queue_labels(spec.queue, "normal")}},
        "spec": {
            "serviceAccountName": names.MODEL_READER_SERVICE_ACCOUNT,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 2 * _DRAIN_SECONDS,
            "securityContext": pod_security(_USER_ID),
            **({"nodeSelector": {names.POOL_LABEL: spec.pool}} if spec.pool else {}),
            "affinity": no_gpu_nodes(),
            "containers": [
                {
                    "name": "tensorboard",
                    "image": spec.image or images()["tensorboard"].reference,
                    "command": ["tensorboard"],
                    "args": _arguments(spec),
                    # The image's user has no name and no home.
                    "env": environment({"HOME": _SCRATCH, "USER": "tensorboard", "TF_CPP_MIN_LOG_LEVEL": "2"}),
                    "ports": [{"name": "http", "containerPort": _PORT}],
                    "resources": {"requests": amounts, "limits": dict(amounts)},
                    "securityContext": {**CONTAINER_SECURITY, "readOnlyRootFilesystem": True},
                    "volumeMounts": [
                        {"name": "logs", "mountPath": _LOGS, "readOnly": True},
                        {"name": "scratch", "mountPath": _SCRATCH},
                    ],
                    "startupProbe": {**asked, "periodSeconds": 5, "failureThreshold": 60},
                    "readinessProbe": {**asked, "periodSeconds": 10},
                    "livenessProbe": {**asked, "periodSeconds": 20, "failureThreshold": 6},
                    # Until the load balancer has forgotten it.
                    "lifecycle": {"preStop": {"sleep": {"seconds": _DRAIN_SECONDS}}},
                }
            ],
            "volumes": [
                {"name": "logs", "persistentVolumeClaim": {"claimName": f"{name}-logs", "readOnly": True}},
                {"name": "scratch", "emptyDir": {}},
            ],
        },
    }
