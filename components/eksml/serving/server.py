"""The one vocabulary of all model servers: which model, on which nodes, how many, who reaches it, how it changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field
from pydantic.alias_generators import to_camel

from eksml import names
from eksml.catalog import Engine, engines, images
from eksml.errors import Problem
from eksml.nodes.placement import PlacementSpec
from eksml.secret_key import SecretKey
from eksml.serving.autoscaling import Autoscaling
from eksml.serving.model_source import BucketSource, ClaimSource, HubSource
from eksml.serving.warm_up import Engine as EngineKind
from eksml.serving.warm_up import WarmUp
from eksml.spec import Flag, LabelValue, Namespace, PinnedImage, PriorityClassName, ServiceAccountName, pattern
from eksml.storage.volumes import FileSystemVolume

VariableName = Annotated[str, pattern(r"^[A-Za-z_][A-Za-z0-9_]*$", "the name of an environment variable")]


class ServerSpec(PlacementSpec):
    """The fields that every model server has."""

    kind: EngineKind
    """The engine."""
    namespace: Namespace
    """The team's namespace: the server runs within its quota, with its rights."""
    source: HubSource | BucketSource | ClaimSource
    """Where the weights come from."""
    image: PinnedImage | None = None
    """The image, with a tag or a digest; by default the engine's own from the catalog."""
    replicas: Annotated[int, Field(strict=True, ge=1, le=1000)] = 1
    """How many servers answer."""
    autoscaling: Autoscaling | None = None
    """What changes that number, instead of replicas: metric, cpu, http or schedule."""
    warm_up: WarmUp | None = Field(default_factory=WarmUp)
    """What each pod answers itself before it is ready; null: nothing, and the first client waits for it."""
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
        for variable in self.environment:
            if variable in self.secrets:
                yield Problem(("secrets", variable), "given in environment too")

    def without_effect(self, cause: str, *fields: str) -> Iterator[Problem]:
        """The problems of settings that are given, and that another setting leaves without effect."""
        for field in fields:
            if field in self.model_fields_set:
                yield Problem((to_camel(field),), f"given, but has no effect with {cause}")

    @property
    def facts(self) -> Engine:
        """What the catalog knows of the engine."""
        return engines()[self.kind]

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
        return self.most_replicas + (self.least_replicas <= 1)

    @property
    def needs(self) -> Iterator[str]:
        """The settings of a platform without which it does not run."""
        if self.metrics:
            yield "observability.prometheus"
        if isinstance(self.source, BucketSource) and self.source.bucket is None:
            yield "storage.modelBucket"
        if self.mounts_bucket:
            yield "storage.bucketMounts"
        if isinstance(self.source, HubSource) and isinstance(self.source.cache, FileSystemVolume):
            yield f"storage.{self.source.cache.kind}"
        if self.autoscaling:
            yield from self.autoscaling.needs

    def model_name(self, server: str) -> str:
        """The name by which clients ask a server for the model, or for the first of its models."""
        return server

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
