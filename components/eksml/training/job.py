"""The one vocabulary of all training jobs: what runs, on which nodes, with which data, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from eksml import names
from eksml.catalog import InstanceType, frameworks, images, instance_types
from eksml.errors import Problem, repetitions
from eksml.nodes.placement import Cpus, PlacementSpec
from eksml.secret_key import SecretKey
from eksml.spec import (
    Flag,
    LabelValue,
    Namespace,
    PinnedImage,
    PoolName,
    PositiveCount,
    RelativePath,
    ServiceAccountName,
    Spec,
    VariableName,
)
from eksml.storage.volumes import CHECKPOINT_DIRECTORY, DATA_DIRECTORY, Volume
from eksml.training.code import Code, ImageCode

Tracker = Literal["mlflow", "weightsAndBiases"]

_SECRET_VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "WANDB_API_KEY")
_DIRECTORIES = {"CHECKPOINT_DIR": CHECKPOINT_DIRECTORY, "DATA_DIR": DATA_DIRECTORY}


class Helpers(Spec):
    """Pods of a job that have no GPU, such as a launcher, a head, or parameter servers."""

    pool: PoolName | None = None
    """The pool that they go to; none given: any that the team may use."""
    cpus: Cpus = 2
    """vCPUs for each, also a part of one."""
    memory_gib: PositiveCount = 8
    """Memory for each, in GiB."""


class JobSpec(PlacementSpec):
    """The fields that every training job has."""

    _framework: ClassVar[str]

    namespace: Namespace
    """The team's namespace: the job runs in its queue, within its quota, with its rights."""
    image: PinnedImage | None = None
    """The image that the job runs in, with a tag or a digest; by default the framework's own from the catalog."""
    code: Code = Field(default_factory=ImageCode)
    """Where the script comes from: files, a git revision, or the image."""
    script: RelativePath = "train.py"
    """The script, seen from the folder of the code."""
    arguments: tuple[str, ...] = ()
    """What the script is given."""
    nodes: Annotated[int, Field(strict=True, ge=1, le=1000)] = 1
    """Pods that train together, one for each node."""
    helpers: Helpers = Field(default_factory=Helpers)
    """Pods that only direct others: a launcher, a head, parameter servers."""
    dedicated: Flag = False
    """Whether only pools that are dedicated to the job's framework are taken."""
    efa: Flag = False
    """Whether the pods talk over EFA, which takes whole nodes of a type that has it, in a pool with efa: true."""
    queue: LabelValue | None = names.LOCAL_QUEUE
    """The queue in the team's namespace that the job waits in; null: none, where jobs are not queued."""
    priority: Literal["high", "normal", "low"] = "normal"
    """Its place in the queue: high, normal or low."""
    data: Volume | None = None
    """What the script reads, below /data; none given: nothing, and the blueprints' scripts make up data."""
    checkpoints: Volume | None = None
    """Where the script writes checkpoints, below /checkpoints; none given: they are lost with the pod."""
    trackers: tuple[Tracker, ...] = ()
    """Where the script records settings and losses, if its image has the client: mlflow, weightsAndBiases, or both."""
    environment: dict[VariableName, str] = Field(default_factory=dict)
    """Environment variables, over those that are derived. No secrets."""
    secrets: dict[VariableName, SecretKey] = Field(default_factory=dict)
    """Environment variables from Secrets that exist in the team's namespace."""
    service_account: ServiceAccountName = names.TEAM_SERVICE_ACCOUNT
    """The service account, whose rights in AWS the pods have."""
    user_id: Annotated[int, Field(strict=True, ge=0, le=65_535)] = 1000
    """The user that the pods run as; 0, root, for images that need it."""
    retries: Annotated[int, Field(strict=True, ge=0, le=1000)] = 3
    """How often the job is started again after a failure, from its last checkpoint."""
    time_limit_hours: PositiveCount | None = None
    """After how many hours the job is ended; none given: never."""

    def rules(self) -> Iterator[Problem]:
        """Hardware, image and volumes go together."""
        yield from super().rules()
        yield from self._efa_problems()
        yield from self._image_problems()
        yield from self._environment_problems()
        yield from repetitions(("trackers",), self.trackers)

    @property
    def framework_name(self) -> str:
        """The framework's name in the catalog."""
        return self._framework

    @property
    def image_reference(self) -> str:
        """The image with its tag."""
        default = frameworks()[self.framework_name].image
        return self.image or (images()[default].reference if default else "")

    @property
    def processes_per_node(self) -> int:
        """Processes for each pod: one for each GPU."""
        return max(1, self.gpus_per_node)

    @property
    def efa_interfaces(self) -> int:
        """EFA interfaces for each pod."""
        return min((fact.efa_interfaces for fact in self.types.values()), default=0) if self.efa else 0

    def _efa_problems(self) -> Iterator[Problem]:
        fact = instance_types().get(self.instance_type or "")
        if not self.efa or (self.instance_type and fact is None):
            return
        if fact is None:
            yield Problem(("instanceType",), "missing: EFA needs the type, for each has its own interfaces")
        elif not fact.efa_interfaces:
            yield Problem(("efa",), f"{self.instance_type} has no EFA{_alternatives(fact)}")
        elif fact.gpu and self.gpus_per_node != fact.gpu.count:
            count = fact.gpu.count
            yield Problem(("gpusPerNode",), f"{self.gpus_per_node} given, must be {count}: EFA goes with whole nodes")

    def _image_problems(self) -> Iterator[Problem]:
        if not self.image_reference:
            title = frameworks()[self.framework_name].title
            yield Problem(("image",), f"missing: there is no image of {title} that all could use")
        yield from self.image_problems(self.image_reference)

    def _environment_problems(self) -> Iterator[Problem]:
        for variable in self.environment:
            if variable in _SECRET_VARIABLES:
                yield Problem(("environment", variable), "given, but it is a secret: name its Secret in secrets")
            if variable in self.secrets:
                yield Problem(("secrets", variable), "given in environment too")
        volumes = {"CHECKPOINT_DIR": ("checkpoints", self.checkpoints), "DATA_DIR": ("data", self.data)}
        for variable, (key, volume) in volumes.items():
            path, served = self.environment.get(variable), _DIRECTORIES[variable]
            if path is None:
                continue
            if volume is None:
                yield Problem(("environment", variable), f"no volume serves {path}: give {key}, which is {served}")
            elif not f"{path}/".startswith(f"{served}/"):
                yield Problem(("environment", variable), f"{path} is on no volume: {key} is {served}")


class AnyFrameworkSpec(JobSpec):
    """A job of a kind that leaves the framework to its script."""

    framework: Literal["pytorch", "tensorflow", "jax", "scikit-learn"] = "pytorch"
    """The framework that the script uses: pytorch, tensorflow, jax or scikit-learn."""

    @property
    def framework_name(self) -> str:
        """The framework's name in the catalog."""
        return self.framework


def _alternatives(fact: InstanceType) -> str:
    """The smallest types with EFA and the same GPU, if there are any."""
    model = fact.gpu.model if fact.gpu else None
    able = sorted(
        (other.vcpu, name)
        for name, other in instance_types().items()
        if other.efa_interfaces and other.gpu and other.gpu.model == model
    )
    return f", {able[0][1]} has" if able else ""
