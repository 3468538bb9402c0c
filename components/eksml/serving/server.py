"""The one vocabulary of all model servers: which model, on which nodes, how many, who reaches it, how it changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Annotated

from pydantic import Field

from eksml import names
from eksml.catalog import Engine, EngineKind, WeightSource, engines, images, models
from eksml.errors import Problem
from eksml.network.exposure import ExposureSpec
from eksml.nodes.placement import PlacementSpec
from eksml.secret_key import SecretKey
from eksml.serving.autoscaling import Autoscaling, HttpAutoscaling
from eksml.serving.cold_start import ColdStart, cold_start
from eksml.serving.model_source import (
    WEIGHTS_OF_TRANSFORMERS,
    AnyModelSource,
    BucketSource,
    HubSource,
    MlflowSource,
    ModelLayout,
)
from eksml.serving.rollout import RolloutSpec, replicas_needed, rollout_problems
from eksml.serving.warm_up import WarmUp
from eksml.sizing.memory import GB, GIB, disk_gb
from eksml.spec import (
    Flag,
    LabelKey,
    LabelValue,
    Namespace,
    PinnedImage,
    PriorityClassName,
    ServiceAccountName,
    VariableName,
    pattern,
)
from eksml.storage.volumes import FileSystemVolume

_SECRET_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "VLLM_API_KEY",
)

# Tokenizers and configurations beside the weights; then logs and compiled graphs.
_FILES_BESIDE_WEIGHTS, _OTHER_DISK_GIB = 1.1, 5
# Of the labels by which a server's pods are found, and queued.
_DOMAINS = {key.partition("/")[0] for key in (names.SERVER_LABEL, names.QUEUE_LABEL)}


def said_elsewhere(arguments: Sequence[str], said_by: Mapping[str, str]) -> Iterator[Problem]:
    """Arguments of an engine that say what is said elsewhere already, however they are spelt.

    Arguments:
        arguments: what the user adds.
        said_by: by option, the field or place that says it.
    """
    known = {option.replace("_", "-"): place for option, place in said_by.items()}
    for index, argument in enumerate(arguments):
        if place := known.get(argument.partition("=")[0].replace("_", "-")):
            yield Problem(("arguments", index), f"'{argument}' given, but {place} says it")


class ServerSpec(PlacementSpec):
    """The fields that every model server has."""

    kind: EngineKind
    """The engine."""
    namespace: Namespace
    """The team's namespace: the server runs within its quota, with its rights."""
    source: AnyModelSource
    """Where the weights come from."""
    image: PinnedImage | None = None
    """The image, with a tag or a digest; by default the engine's own from the catalog."""
    replicas: Annotated[int, Field(strict=True, ge=1, le=1000)] = 1
    """How many servers answer."""
    autoscaling: Autoscaling | None = None
    """What changes that number, instead of replicas: metric, cpu, http or schedule."""
    rollout: RolloutSpec | None = None
    """How a new version takes over: blueGreen or canary; null: by a rolling update, judged by its probes alone."""
    warm_up: WarmUp | None = Field(default_factory=WarmUp)
    """What each pod answers itself before it is ready; null: nothing, and the first client waits for it."""
    exposure: ExposureSpec | None = None
    """Where its team's entry leads to it; null: only pods of the team and the platform reach it."""
    drain_seconds: Annotated[int, Field(strict=True, ge=0, le=3600)] = 30
    """For how long a server that goes still answers, while load balancers learn of it and requests end."""
    metrics: Flag = True
    """Whether Prometheus reads its metrics, by a PodMonitor."""
    queue: LabelValue | None = names.LOCAL_QUEUE
    """The queue in the team's namespace that its pods wait in; null: none, where pods are not queued."""
    priority: Annotated[str, pattern(r"^(high|normal|low)$", "high, normal or low")] = "high"
    """Its place in the queue: high, normal or low."""
    priority_class: PriorityClassName | None = None
    """The PriorityClass of its pods, which the team must be allowed (teams.TEAM.priorityClasses)."""
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels of one's own, on its objects and its pods: pods with other labels are a new version."""
    environment: dict[VariableName, str] = Field(default_factory=dict)
    """Environment variables, over those that are derived. No secrets."""
    secrets: dict[VariableName, SecretKey] = Field(default_factory=dict)
    """Environment variables from Secrets that exist in the team's namespace."""
    service_account: ServiceAccountName = names.MODEL_READER_SERVICE_ACCOUNT
    """The service account, whose rights in AWS the pods have: by default to read models, and nothing else."""
    user_id: Annotated[int, Field(strict=True, ge=0, le=65_535)] = 1000
    """The user that the pods run as; 0, root, for images that need it."""

    def rules(self) -> Iterator[Problem]:
        """Nodes, image and settings go together."""
        yield from super().rules()
        yield from self.image_problems(self.image_reference)
        if self.autoscaling:
            yield from self.without_effect("autoscaling, which counts them itself", "replicas")
            yield from (problem.below(("autoscaling",)) for problem in self.autoscaling.problems_of(self.kind))
        if self.exposure and isinstance(self.autoscaling, HttpAutoscaling) and self.exposure.hostname is None:
            yield Problem(("exposure", "hostname"), "missing: what holds requests for autoscaling knows servers by it")
        if self.rollout:
            yield from (problem.below(("rollout",)) for problem in rollout_problems(self.rollout, self.facts))
        for key in self.labels:
            if key.partition("/")[0] in _DOMAINS:
                yield Problem(("labels", key), "given, but the library sets it: take a domain of your own, or none")
        yield from self._registry_rules()
        source = self.source
        if isinstance(source, BucketSource) and source.populate is not None and source.bucket is None:
            writable = f"teams/{self.namespace}/"
            if not source.prefix.startswith(writable):
                text = f"'{source.prefix}' given, must begin with {writable}: the team may write nowhere else"
                yield Problem(("source", "prefix"), text)
        for variable in self.environment:
            if variable in _SECRET_VARIABLES:
                yield Problem(("environment", variable), "given, but it is a secret: name its Secret in secrets")
            if variable in self.secrets:
                yield Problem(("secrets", variable), "given in environment too")

    def _registry_rules(self) -> Iterator[Problem]:
        if not isinstance(self.source, MlflowSource):
            return
        if self.rollout and self.source.alias:
            reason = "new pods take what the alias means then, judged or not: name a version"
            yield Problem(("source", "alias"), f"'{self.source.alias}' given, but with rollout {reason}")
        if self.weights_gib and self.source.size_gib < (needed := ceil(self.weights_gib * _FILES_BESIDE_WEIGHTS)):
            text = f"{self.source.size_gib} given, must be at least {needed} for {self.source.hub_model}"
            yield Problem(("source", "sizeGib"), text)

    @property
    def facts(self) -> Engine:
        """What the catalog knows of the engine."""
        return engines()[self.kind]

    @property
    def weights_gib(self) -> float | None:
        """What its weights take on a disk, in GiB; None: not known."""
        model = models().get(self.source.hub_model or "")
        return disk_gb(model) * GB / GIB if model else None

    @property
    def disk_gib(self) -> int | None:
        """What each pod takes of its node's disk for weights, in GiB; None: nothing, or not known."""
        if isinstance(self.source, MlflowSource):
            return self.source.size_gib + _OTHER_DISK_GIB
        if not isinstance(self.source, HubSource) or self.source.cache or self.weights_gib is None:
            return None
        return ceil(self.weights_gib * _FILES_BESIDE_WEIGHTS + _OTHER_DISK_GIB)

    @property
    def requests(self) -> dict[str, str]:
        """What each pod asks for. It is not held to its disk: a guess must not end a server."""
        return {**self.amounts, **({"ephemeral-storage": f"{self.disk_gib}Gi"} if self.disk_gib else {})}

    @property
    def memory_share(self) -> tuple[str, float] | None:
        """The setting by which it takes a share of a GPU's memory, and the share, 0 to 1; None: not known."""
        return None

    @property
    def cold_start(self) -> ColdStart:
        """How long it probably takes from nothing to its first answer."""
        return cold_start(
            self.kind,
            self.image_reference,
            weights_gib=self.weights_gib,
            source=self._weights_come_from,
            new_node=bool(self.gpus_per_node),
            on_gpu=bool(self.gpus_per_node),
        )

    @property
    def _weights_come_from(self) -> WeightSource:
        if isinstance(self.source, HubSource):
            return "hub"
        if isinstance(self.source, BucketSource):
            return "s3" if self.mounts_bucket else "s3Streamed"
        return "mlflow" if isinstance(self.source, MlflowSource) else "claim"

    @property
    def least_replicas(self) -> int:
        """How many servers answer at the least."""
        return self.autoscaling.min_replicas if self.autoscaling else self.replicas

    @property
    def most_replicas(self) -> int:
        """How many servers answer at the most."""
        return self.autoscaling.max_replicas if self.autoscaling else self.replicas

    @property
    def most_pods(self) -> int:
        """Pods at the most: of several, one goes before the next one comes; one alone stays until the next is ready."""
        if self.rollout:
            return replicas_needed(self.rollout, self.most_replicas)
        return self.most_replicas + (self.least_replicas <= 1)

    @property
    def needs(self) -> Iterator[str]:
        """The settings of a platform without which it does not run."""
        if self.metrics or (self.rollout and self.rollout.analyses):
            yield "observability.prometheus"
        if self.rollout:
            yield "serving.argoRollouts"
        if isinstance(self.source, BucketSource) and self.source.bucket is None:
            yield "storage.modelBucket"
        if self.mounts_bucket:
            yield "storage.bucketMounts"
        if isinstance(self.source, MlflowSource):
            yield "tracking.mlflow"
        if isinstance(self.source, HubSource) and isinstance(self.source.cache, FileSystemVolume):
            yield f"storage.{self.source.cache.kind}"
        if self.autoscaling:
            yield from self.autoscaling.needs

    def other_services(self, server: str) -> Iterator[tuple[str, str]]:
        """The names of further Services of a server, each with what it is for."""
        if self.rollout and self.rollout.kind == "blueGreen":
            yield f"{server}-preview", "for a version that is not promoted yet"
        if isinstance(self.autoscaling, HttpAutoscaling):
            yield f"{server}-proxy", "by which requests wake it"

    def model_name(self, server: str) -> str:
        """The name by which clients ask a server for the model, or for the first of its models."""
        return server

    @property
    def layout(self) -> ModelLayout:
        """How a model of a registry lies where the engine reads it."""
        return WEIGHTS_OF_TRANSFORMERS

    @property
    def mounts_bucket(self) -> bool:
        """Whether a bucket is read through Mountpoint, as files."""
        return isinstance(self.source, BucketSource)

    @property
    def image_reference(self) -> str:
        """The image with its tag."""
        facts = self.facts
        default = facts.image if self.gpus_per_node or facts.cpu_image is None else facts.cpu_image
        return self.image or images()[default].reference
