"""The one vocabulary of all training jobs: what runs, on which nodes, with which data, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from pydantic.alias_generators import to_camel

from eksml import names
from eksml.catalog import InstanceType, ami_families, frameworks, image_of, images, instance_types
from eksml.errors import Problem, listed, nearest
from eksml.nodes.karpenter_pool import CapacityType
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
    pattern,
)
from eksml.storage.volumes import CHECKPOINT_DIRECTORY, DATA_DIRECTORY, Volume
from eksml.training.code import Code, ImageCode

# A pod gets its share of nine tenths of a node; the rest is for DaemonSets. The checks know them exactly.
_SHARE_OF_NODE = 0.9
_DIRECTORIES = {"CHECKPOINT_DIR": CHECKPOINT_DIRECTORY, "DATA_DIR": DATA_DIRECTORY}

Cpus = Annotated[float, Field(ge=0.1, le=1024)]
VariableName = Annotated[str, pattern(r"^[A-Za-z_][A-Za-z0-9_]*$", "the name of an environment variable")]


class Helpers(Spec):
    """Pods of a job that have no GPU, such as a launcher, a head, or parameter servers."""

    pool: PoolName | None = None
    """The pool that they go to; none given: any that the team may use."""
    cpus: Cpus = 2
    """vCPUs for each, also a part of one."""
    memory_gib: PositiveCount = 8
    """Memory for each, in GiB."""


class JobSpec(Spec):
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
    gpus_per_node: Annotated[int, Field(strict=True, ge=0, le=16)] = 0
    """GPUs for each pod, or shares of them where the pool shares its GPUs."""
    instance_type: str | None = None
    """The EC2 type of the nodes: all that depends on the hardware is derived from it, and the pods go to no other."""
    accelerator: str | None = None
    """The model of GPU, such as L4 or H100, in the place of instanceType: any type that has enough of them will do."""
    pool: PoolName | None = None
    """The pool that the pods go to; none given: any whose nodes fit."""
    helpers: Helpers = Field(default_factory=Helpers)
    """Pods that only direct others: a launcher, a head, parameter servers."""
    dedicated: Flag = False
    """Whether only pools that are dedicated to the job's framework are taken."""
    capacity: CapacityType | None = None
    """Capacity of Karpenter's pools, spot or onDemand; none given: whichever the pool has."""
    cpus_per_node: Cpus | None = None
    """vCPUs for each pod, also a part of one; by default its share of the node, by GPUs."""
    memory_gib_per_node: Annotated[int, Field(strict=True, ge=1, le=32_768)] | None = None
    """Memory for each pod in GiB; by default its share of the node, by GPUs."""
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
        yield from self._hardware_problems()
        yield from self._image_problems()
        yield from self._environment_problems()

    def without_effect(self, cause: str, *fields: str) -> Iterator[Problem]:
        """The problems of settings that are given, and that another setting leaves without effect."""
        for field in fields:
            if field in self.model_fields_set:
                yield Problem((to_camel(field),), f"given, but has no effect with {cause}")

    @property
    def framework_name(self) -> str:
        """The framework's name in the catalog."""
        return self._framework

    @property
    def types(self) -> dict[str, InstanceType]:
        """The instance types that the pods can go to, by name; none where neither type nor GPU is said."""
        if self.accelerator:
            return _types_with(self.accelerator, self.gpus_per_node)
        known = instance_types()
        return {self.instance_type: known[self.instance_type]} if self.instance_type in known else {}

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
    def cpus(self) -> float:
        """Cores for each pod, as vCPUs."""
        shares = (fact.pod_millicpu * self._share(fact) / 1000 for fact in self.types.values())
        return self.cpus_per_node or max(1, int(min(shares, default=1)))

    @property
    def memory_gib(self) -> int:
        """Memory for each pod, in GiB."""
        shares = (fact.pod_memory_mib * self._share(fact) / 1024 for fact in self.types.values())
        return self.memory_gib_per_node or max(1, int(min(shares, default=1)))

    @property
    def efa_interfaces(self) -> int:
        """EFA interfaces for each pod."""
        return min((fact.efa_interfaces for fact in self.types.values()), default=0) if self.efa else 0

    def _share(self, fact: InstanceType) -> float:
        count = fact.gpu.count if fact.gpu else 0
        return _SHARE_OF_NODE * (min(1, self.gpus_per_node / count) if count and self.gpus_per_node else 1)

    def _hardware_problems(self) -> Iterator[Problem]:
        if self.accelerator is not None:
            yield from self._accelerator_problems(self.accelerator)
            return
        if self.instance_type is None:
            for key, given in (("cpusPerNode", self.cpus_per_node), ("memoryGibPerNode", self.memory_gib_per_node)):
                if given is None:
                    yield Problem((key,), "missing: give it, or instanceType, which it is derived from")
            if self.efa:
                yield Problem(("instanceType",), "missing: EFA needs the type, for each has its own interfaces")
            return
        fact = instance_types().get(self.instance_type)
        if fact is None:
            text = f"'{self.instance_type}' is not in the catalog{nearest(self.instance_type, instance_types())}"
            yield Problem(("instanceType",), text)
            return
        count = fact.gpu.count if fact.gpu else 0
        if self.gpus_per_node > count:
            has = f"{count}: take more nodes, or a larger type" if count else "no GPU"
            yield Problem(("gpusPerNode",), f"{self.gpus_per_node} given, {self.instance_type} has {has}")
        if self.efa and not fact.efa_interfaces:
            yield Problem(("efa",), f"{self.instance_type} has no EFA{_alternatives(fact)}")
        elif self.efa and self.gpus_per_node != count:
            yield Problem(("gpusPerNode",), f"{self.gpus_per_node} given, must be {count}: EFA goes with whole nodes")
        most = (
            ("cpusPerNode", self.cpus_per_node, fact.pod_millicpu // 1000, "vCPUs"),
            ("memoryGibPerNode", self.memory_gib_per_node, fact.pod_memory_mib // 1024, "GiB"),
        )
        for key, given, limit, unit in most:
            if given and given > limit:
                text = f"{given:g} given, pods can have {limit} {unit} of {self.instance_type}"
                yield Problem((key,), text)

    def _accelerator_problems(self, model: str) -> Iterator[Problem]:
        models = sorted({fact.gpu.model for fact in instance_types().values() if fact.gpu})
        if self.instance_type is not None:
            yield Problem(("accelerator",), "given, but instanceType says it already: give one of them")
        if self.efa:
            yield Problem(("instanceType",), "missing: EFA needs the type, for each has its own interfaces")
        if model not in models:
            hint = nearest(model, models) or f", there is {listed(models)}"
            yield Problem(("accelerator",), f"'{model}' is not in the catalog{hint}")
        elif not self.gpus_per_node:
            yield Problem(("gpusPerNode",), f"missing: how many {model} each pod has")
        elif not self.types:
            most = max(fact.gpu.count for fact in _types_with(model).values() if fact.gpu)
            text = f"{self.gpus_per_node} given, no type has more than {most} {model}: take more nodes"
            yield Problem(("gpusPerNode",), text)

    def _image_problems(self) -> Iterator[Problem]:
        if not self.image_reference:
            title = frameworks()[self.framework_name].title
            yield Problem(("image",), f"missing: there is no image of {title} that all could use")
        image = image_of(self.image_reference)
        if self.gpus_per_node and image.for_cpus:
            yield Problem(("image",), f"{self.image_reference} is for CPUs, and gpusPerNode is {self.gpus_per_node}")
        driver = ami_families()["al2023"].nvidia_driver
        misfits = {name: image.misfit(fact, driver) for name, fact in self.types.items()}
        if misfits and all(misfits.values()):
            name, reason = next(iter(misfits.items()))
            yield Problem(("image",), f"{self.image_reference} does not run on {name}: {reason}")

    def _environment_problems(self) -> Iterator[Problem]:
        for variable in self.environment:
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


@cache
def _types_with(model: str, gpus: int = 0) -> dict[str, InstanceType]:
    """The instance types with at least so many GPUs of a model, by name."""
    return {
        name: fact
        for name, fact in instance_types().items()
        if fact.gpu and fact.gpu.model == model and fact.gpu.count >= gpus
    }


def _alternatives(fact: InstanceType) -> str:
    """The smallest types with EFA and the same GPU, if there are any."""
    model = fact.gpu.model if fact.gpu else None
    able = sorted(
        (other.vcpu, name)
        for name, other in instance_types().items()
        if other.efa_interfaces and other.gpu and other.gpu.model == model
    )
    return f", {able[0][1]} has" if able else ""
