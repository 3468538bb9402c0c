"""Everything that a stack file can say about a platform."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from eksml.accelerators.device_plugin import DevicePluginSpec
from eksml.accelerators.gpu_operator import GpuOperatorSpec
from eksml.cluster.eks_addon import (
    EBS_CSI,
    EFS_CSI,
    FSX_CSI,
    NODE_AGENTS,
    ON_NODES,
    SECRETS_STORE,
    WITH_CLUSTER,
)
from eksml.cluster.existing_cluster import ExistingClusterSpec
from eksml.cluster.kubeconfig_cluster import KubeconfigClusterSpec
from eksml.cluster.new_cluster import NewClusterSpec
from eksml.errors import Problem
from eksml.network.existing_vpc import ExistingVpcSpec
from eksml.network.gateway import GatewaySpec
from eksml.network.vpc import NewVpcSpec
from eksml.nodes.karpenter_pool import KarpenterPoolSpec
from eksml.nodes.managed_pool import ManagedPoolSpec
from eksml.nodes.pool import AmiFamily
from eksml.nodes.schedule import ScheduleSpec
from eksml.nodes.sharing import Mps, TimeSlicing, config_name
from eksml.notebooks.jupyterhub import JupyterHubSpec
from eksml.observability.budget import BudgetSpec
from eksml.observability.observability import ObservabilitySpec
from eksml.platform_rules import platform_rules
from eksml.serving.operators import ServingSpec
from eksml.serving.servers import Server
from eksml.spec import Name, PoolName, Reason, Region, Registry, ServerName, Spec, TagKey, TagValue, TeamName
from eksml.storage.shared_storage import SharedStorageSpec
from eksml.tenancy.kueue import KueueSpec
from eksml.tenancy.team import TeamSpec
from eksml.tracking.mlflow_spec import MlflowSpec
from eksml.tracking.tracking import TrackingSpec
from eksml.training.operators import TrainingSpec

Profile = Literal["research", "production", "startup"]
Pool = Annotated[ManagedPoolSpec | KarpenterPoolSpec, Field(discriminator="kind")]


class PlatformSpec(Spec):
    """Everything that a stack file can say about a platform."""

    name: Name = "eksml"
    """Name of the platform and of its cluster; in a stack file by default project and stack, joined by a hyphen."""
    region: Region
    """AWS region; in a stack file it is `aws:region`."""
    profile: Profile | None = None
    """The profile that these settings are laid over: research, production or startup."""
    tags: dict[TagKey, TagValue] = Field(default_factory=dict)
    """Tags for everything in AWS, beside the platform's own."""
    network: Annotated[NewVpcSpec | ExistingVpcSpec, Field(discriminator="kind")] | None = None
    """Where the cluster lives: a new VPC, or an existing one."""
    cluster: Annotated[NewClusterSpec | ExistingClusterSpec | KubeconfigClusterSpec, Field(discriminator="kind")]
    """The cluster: a new one, an existing one by its name, or any by its kubeconfig."""
    pools: dict[PoolName, Pool] = Field(default_factory=dict)
    """Node pools by name: managed ones of a fixed size, and elastic ones that Karpenter fills."""
    gateway: GatewaySpec | None = None
    """The load balancer controller, and DNS names: what the gateways of teams need; null: none."""
    accelerators: Annotated[DevicePluginSpec | GpuOperatorSpec, Field(discriminator="kind")] | None = None
    """How GPUs become usable in the cluster: the devicePlugin or the gpuOperator; null for a cluster without."""
    storage: SharedStorageSpec | None = None
    """What pods and people share: a model bucket, file systems; null: nothing but the volumes of single pods."""
    teams: dict[TeamName, TeamSpec] = Field(default_factory=dict)
    """Teams by name, which is that of their namespace too: what each may use and who belongs to it."""
    queueing: KueueSpec | None = None
    """How the jobs and pods of teams are queued; null: they are not, and each team has its quota only."""
    training: TrainingSpec | None = None
    """The operators that run training jobs, whose kinds are queued too; null: none, for plain Jobs with torchrun."""
    serving: ServingSpec | None = None
    """The operators that model servers need; null: none."""
    servers: dict[ServerName, Server] = Field(default_factory=dict)
    """Model servers by name, each in the namespace of a team."""
    tracking: TrackingSpec | None = None
    """What remembers experiments, runs and models; null: nothing does."""
    notebooks: JupyterHubSpec | None = None
    """JupyterHub: notebooks for people, on the pools of the platform; null: none."""
    observability: ObservabilitySpec | None = None
    """What measures the cluster, its GPUs and its model servers, and who is told; null: nothing does."""
    budget: BudgetSpec | None = None
    """What the platform may cost in a month, who is told, and what the checks make of more; null: anything."""
    schedule: ScheduleSpec | None = None
    """The working hours outside of which a development stack has no GPU nodes; null: they come and go with pods."""
    image_registry: Registry | None = None
    """A registry that holds every image and chart below its own address, such as a pull-through cache of ECR."""
    waivers: dict[str, Reason] = Field(default_factory=dict)
    """What is allowed against advice, each with its reason: by `check`, or by `check:resource` for one resource."""

    def rules(self) -> Iterator[Problem]:
        """What the parts ask of each other."""
        return platform_rules(self)

    @property
    def managed_pools(self) -> dict[str, ManagedPoolSpec]:
        """The managed pools by name."""
        return {name: pool for name, pool in self.pools.items() if isinstance(pool, ManagedPoolSpec)}

    @property
    def system_pools(self) -> dict[str, ManagedPoolSpec]:
        """The managed pools without GPUs by name: the platform's own pods run on them."""
        return {name: pool for name, pool in self.managed_pools.items() if not pool.has_gpus}

    @property
    def karpenter_pools(self) -> dict[str, KarpenterPoolSpec]:
        """The Karpenter pools by name."""
        return {name: pool for name, pool in self.pools.items() if isinstance(pool, KarpenterPoolSpec)}

    @property
    def sharings(self) -> dict[str, dict[str, Any]]:
        """By name, the ways in which the device plugin shares the GPUs of the pools."""
        return {
            config_name(pool.sharing): pool.sharing.device_plugin_sharing()
            for pool in self.pools.values()
            if isinstance(pool.sharing, TimeSlicing | Mps) and pool.ami_family is AmiFamily.AL2023
        }

    @property
    def addons(self) -> tuple[str, ...]:
        """The EKS add-ons that the stack installs."""
        drivers = (*self.storage_addons, *self.tracking_addons)
        if isinstance(self.cluster, NewClusterSpec):
            return (*WITH_CLUSTER, *NODE_AGENTS, *ON_NODES, EBS_CSI, *drivers)
        return (*self.cluster.addons, *drivers) if isinstance(self.cluster, ExistingClusterSpec) else ()

    @property
    def storage_addons(self) -> tuple[str, ...]:
        """Of those, the ones that shared storage makes."""
        drivers = {EFS_CSI: self.storage and self.storage.efs, FSX_CSI: self.storage and self.storage.lustre}
        return tuple(addon for addon, needed in drivers.items() if needed)

    @property
    def tracking_addons(self) -> tuple[str, ...]:
        """Of those, the one by which MLflow gets the password of its database."""
        return (SECRETS_STORE,) if self.mlflow else ()

    @property
    def mlflow(self) -> MlflowSpec | None:
        """MLflow, if there is one."""
        return self.tracking.mlflow if self.tracking else None

    @property
    def secrets_needed(self) -> tuple[str, ...]:
        """The secrets of the stack that its parts need, without `eksml:`."""
        parts = (self.tracking, self.notebooks, self.observability)
        return tuple(secret for part in parts if part for secret in part.secrets_needed)

    @property
    def platform_addons(self) -> tuple[str, ...]:
        """Of those, the ones that nothing else of the platform makes."""
        made_by_cluster = (*WITH_CLUSTER, *NODE_AGENTS) if isinstance(self.cluster, NewClusterSpec) else ()
        made_by_parts = (EBS_CSI, *self.storage_addons, *self.tracking_addons)
        return tuple(addon for addon in self.addons if addon not in (*made_by_cluster, *made_by_parts))
