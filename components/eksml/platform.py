"""A whole platform from one Spec. Read this file first, and `platform_settings.py` beside it.

`PlatformSpec` says what is wanted, `Platform` builds it: network, cluster, nodes, what every cluster needs, GPUs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import pulumi

from eksml import names
from eksml.accelerators.device_plugin import DevicePlugin
from eksml.accelerators.efa_device_plugin import EfaDevicePlugin, EfaDevicePluginSpec
from eksml.accelerators.gpu_operator import GpuOperator, GpuOperatorSpec
from eksml.cluster.eks_addon import (
    EBS_CSI,
    EksAddon,
    EksAddonSpec,
)
from eksml.cluster.existing_cluster import ExistingCluster, ExistingClusterSpec
from eksml.cluster.kubeconfig_cluster import KubeconfigCluster, KubeconfigClusterSpec
from eksml.cluster.new_cluster import NewCluster, NewClusterSpec
from eksml.cluster.secrets_store import SecretsStore, SecretsStoreSpec
from eksml.component import Component
from eksml.errors import Problem, SpecError
from eksml.network.entry import EntryHandles, ServiceRoutes, ServiceRoutesSpec
from eksml.network.existing_vpc import ExistingVpcSpec
from eksml.network.gateway import GatewayControllers
from eksml.network.vpc import NatGateways, NewVpcSpec, Vpc
from eksml.nodes.karpenter import Karpenter, KarpenterSpec
from eksml.nodes.karpenter_pool import KarpenterPool, KarpenterPoolSpec
from eksml.nodes.managed_pool import ManagedPool, ManagedPoolSpec
from eksml.nodes.node_role import NodeRole, NodeRoleSpec
from eksml.nodes.schedule import Schedule
from eksml.notebooks.jupyterhub import BACKEND as NOTEBOOK_BACKEND
from eksml.notebooks.jupyterhub import JupyterHub
from eksml.observability.budget import Budget
from eksml.observability.grafana import BACKEND as GRAFANA_BACKEND
from eksml.observability.observability import Observability
from eksml.observability.prometheus import Prometheus
from eksml.platform_exports import platform_exports
from eksml.platform_measuring import has_prometheus, measured_exporters, measured_servers
from eksml.platform_secrets import platform_secrets
from eksml.platform_settings import PlatformSpec
from eksml.serving.model_server import ModelServer
from eksml.serving.model_source import MlflowSource
from eksml.serving.operators import ServingOperators
from eksml.serving.servers import model_server
from eksml.storage.block_storage import BlockStorage, BlockStorageSpec
from eksml.storage.postgresql import DatabaseAccess, ExistingDatabaseSpec, Postgresql
from eksml.storage.shared_storage import SharedStorage
from eksml.tenancy.kueue import Kueue, KueueSpec
from eksml.tenancy.quotas import shares_of, total_of
from eksml.tenancy.team import ModelAccess, Team
from eksml.tenancy.team_queue import TeamQueue, TeamQueueSpec
from eksml.tracking.mlflow_spec import MlflowSpec
from eksml.tracking.tracking import Tracking
from eksml.training.operators import TrainingOperators


class _Nodes(NamedTuple):
    """What pods run on, for what must come after it."""

    system: list[pulumi.Resource]
    """The pools that the platform's own pods run on."""
    managed: dict[str, ManagedPool]
    """The managed pools by name, those too that have GPUs."""
    with_volumes: list[pulumi.Resource]
    """Those, and the add-ons that run on them, such as the driver of volumes."""
    everything: list[pulumi.Resource]
    """All pools, and the add-ons that run on them."""


class Platform(Component):
    """A machine-learning platform on EKS.

    Arguments:
        spec: the platform to build.
        secrets: by name what may not stand in a Spec; a cluster of kind kubeconfig needs `kubeconfig`.

    Attributes:
        exports: what programs that run on this platform need to know of it.
    """

    def __init__(
        self,
        name: str,
        spec: PlatformSpec,
        *,
        secrets: Mapping[str, pulumi.Input[str]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        self._secrets = platform_secrets(spec.secrets_needed, secrets or {})
        super().__init__("eksml:platform:Platform", name, spec, opts, _tags(spec))
        self._spec = spec
        if isinstance(spec.cluster, KubeconfigClusterSpec):
            cluster, network = self._kubeconfig_cluster(spec.cluster, secrets or {}), None
            nodes, storage, gateway = _Nodes(system=[], managed={}, with_volumes=[], everything=[]), None, None
        else:
            network = self._network()
            cluster = self._cluster(spec.cluster, network)
            nodes = self._nodes(cluster, network)
            storage = self._storage(cluster, network, needs=nodes.system)
            gateway = self._gateway(cluster, network, needs=nodes.everything)
        entry = gateway.entry if gateway else None
        observability = self._observability(cluster, network, entry, needs=nodes.with_volumes)
        prometheus = observability.prometheus if observability else None
        self._accelerators(cluster.provider, prometheus, needs=nodes.system)
        operators = self._operators(cluster.provider, needs=nodes.system)
        # What a team leaves behind is cleared away by add-ons and controllers, so they go after it.
        needs = [*nodes.everything, *(part for part in (storage, observability, gateway) if part)]
        teams = self._teams(cluster, network, storage, needs=needs, operators=operators)
        notebooks = self._notebooks(cluster, network, storage, entry, needs=needs)
        after = [*needs, *teams.values(), *([notebooks] if notebooks else [])]
        tracking = self._tracking(cluster, network, storage, entry, nodes, needs=after)
        servers = self._servers(cluster.provider, storage, teams, tracking)
        self._cost_controls(cluster, nodes)
        access = {name: server.access for name, server in servers.items()}
        access |= tracking.access if tracking else {}
        access |= {"jupyter": notebooks.access} if notebooks else {}
        access |= {"grafana": observability.grafana.access} if observability and observability.grafana else {}
        self.exports: dict[str, Any] = platform_exports(
            spec, cluster, network, storage, access=access, missing_secrets=self._secrets.missing
        )
        self.register_outputs(self.exports)

    def _kubeconfig_cluster(
        self, cluster_spec: KubeconfigClusterSpec, secrets: Mapping[str, pulumi.Input[str]]
    ) -> KubeconfigCluster:
        if "kubeconfig" not in secrets:
            # Without one the provider would take whatever cluster kubectl talks to at the moment.
            raise SpecError([Problem(("kubeconfig",), "missing: a cluster of kind kubeconfig needs it, as a secret")])
        return KubeconfigCluster(self.resource_name, cluster_spec, kubeconfig=secrets["kubeconfig"], opts=self.child())

    def _network(self) -> Vpc | ExistingVpcSpec:
        name, spec = self.resource_name, self._spec
        if isinstance(spec.network, NewVpcSpec):
            return Vpc(name, spec.network, region=spec.region, cluster_name=name, tags=self.own_tags, opts=self.child())
        # The rules of PlatformSpec leave nothing else.
        return cast("ExistingVpcSpec", spec.network)

    def _cluster(
        self, cluster_spec: NewClusterSpec | ExistingClusterSpec, network: Vpc | ExistingVpcSpec
    ) -> NewCluster | ExistingCluster:
        name, region = self.resource_name, self._spec.region
        if isinstance(cluster_spec, ExistingClusterSpec):
            return ExistingCluster(name, cluster_spec, region=region, opts=self.child())
        return NewCluster(
            name,
            cluster_spec,
            region=region,
            vpc_id=network.vpc_id,
            private_subnets=network.private_subnets,
            tags=self.own_tags,
            opts=self.child(),
        )

    def _nodes(self, cluster: NewCluster | ExistingCluster, network: Vpc | ExistingVpcSpec) -> _Nodes:
        """Makes the pools and what only nodes can run."""
        managed = self._managed_pools(cluster, network)
        system: list[pulumi.Resource] = [managed[pool] for pool in self._spec.system_pools]
        addons = self._addons(cluster, system)
        karpenter = self._karpenter_pools(cluster, network, needs=addons)
        return _Nodes(system, managed, [*system, *addons], [*system, *addons, *karpenter])

    def _managed_pools(
        self, cluster: NewCluster | ExistingCluster, network: Vpc | ExistingVpcSpec
    ) -> dict[str, ManagedPool]:
        spec = self._spec
        if not spec.managed_pools:
            return {}
        name = f"{self.resource_name}-node"
        role_spec = NodeRoleSpec(region=spec.region, has_vpc_cni_policy=isinstance(cluster, ExistingCluster))
        role = NodeRole(name, role_spec, tags=self.own_tags, opts=self.child())
        # Nodes without a way out, their agents, or an identity for VPC CNI come up broken.
        needs = [part for part in (role, network, cluster) if isinstance(part, pulumi.Resource)]
        return {
            pool: ManagedPool(
                f"{self.resource_name}-{pool}",
                pool_spec,
                pool=pool,
                kubernetes_version=cluster.kubernetes_version,
                cluster_name=cluster.cluster_name,
                role_arn=role.arn,
                subnets=network.private_subnets,
                security_group_id=cluster.security_group_id,
                tags=self.own_tags,
                opts=self.child(depends_on=needs),
            )
            for pool, pool_spec in spec.managed_pools.items()
        }

    def _addons(
        self, cluster: NewCluster | ExistingCluster, system_pools: list[pulumi.Resource]
    ) -> list[pulumi.Resource]:
        """Makes the add-ons that run on nodes: DNS, metrics, block storage."""
        spec = self._spec
        inside = self.child(depends_on=system_pools, providers=[cluster.provider])
        made: list[pulumi.Resource] = [
            EksAddon(
                f"{self.resource_name}-{addon}",
                EksAddonSpec(addon=addon, kubernetes_version=cluster.kubernetes_version),
                cluster_name=cluster.cluster_name,
                tags=self.own_tags,
                opts=inside,
            )
            for addon in spec.platform_addons
        ]
        if EBS_CSI in spec.addons:
            storage_spec = BlockStorageSpec(region=spec.region, kubernetes_version=cluster.kubernetes_version)
            name = f"{self.resource_name}-storage"
            made.append(
                BlockStorage(name, storage_spec, cluster_name=cluster.cluster_name, tags=self.own_tags, opts=inside)
            )
        return made

    def _karpenter_pools(
        self, cluster: NewCluster | ExistingCluster, network: Vpc | ExistingVpcSpec, needs: list[pulumi.Resource]
    ) -> list[pulumi.Resource]:
        spec = self._spec
        if not spec.karpenter_pools:
            return []
        karpenter = Karpenter(
            f"{self.resource_name}-karpenter",
            _karpenter_spec(spec),
            cluster_name=cluster.cluster_name,
            cluster_arn=cluster.arn,
            tags=self.own_tags,
            image_registry=spec.image_registry,
            # It asks CoreDNS for the addresses of AWS, also while it drains its last nodes.
            opts=self.child(depends_on=needs, providers=[cluster.provider]),
        )
        return [
            KarpenterPool(
                f"{self.resource_name}-{pool}",
                pool_spec,
                pool=pool,
                cluster_name=cluster.cluster_name,
                instance_profile=karpenter.instance_profile,
                subnets=network.private_subnets,
                tags=self.own_tags,
                opts=self.child(depends_on=[karpenter], providers=[cluster.provider]),
            )
            for pool, pool_spec in spec.karpenter_pools.items()
        ]

    def _storage(
        self, cluster: NewCluster | ExistingCluster, network: Vpc | ExistingVpcSpec, needs: list[pulumi.Resource]
    ) -> SharedStorage | None:
        if self._spec.storage is None:
            return None
        return SharedStorage(
            self.resource_name,
            self._spec.storage,
            region=self._spec.region,
            kubernetes_version=cluster.kubernetes_version,
            cluster_name=cluster.cluster_name,
            cluster_security_group_id=cluster.security_group_id,
            vpc_id=network.vpc_id,
            private_subnets=network.private_subnets,
            tags=self.own_tags,
            opts=self.child(depends_on=needs, providers=[cluster.provider]),
        )

    def _gateway(
        self, cluster: NewCluster | ExistingCluster, network: Vpc | ExistingVpcSpec, needs: list[pulumi.Resource]
    ) -> GatewayControllers | None:
        if self._spec.gateway is None:
            return None
        return GatewayControllers(
            f"{self.resource_name}-gateway",
            self._spec.gateway,
            region=self._spec.region,
            cluster_name=cluster.cluster_name,
            vpc_id=network.vpc_id,
            tags=self.own_tags,
            image_registry=self._spec.image_registry,
            # They ask CoreDNS for the addresses of AWS, also while they take down the last load balancer.
            opts=self.child(depends_on=needs, providers=[cluster.provider]),
        )

    def _observability(
        self,
        cluster: NewCluster | ExistingCluster | KubeconfigCluster,
        network: Vpc | ExistingVpcSpec | None,
        entry: EntryHandles | None,
        needs: list[pulumi.Resource],
    ) -> Observability | None:
        spec = self._spec
        if spec.observability is None:
            return None
        made = Observability(
            self.resource_name,
            spec.observability,
            secrets=self._secrets.values,
            exporters=measured_exporters(spec),
            engines={server.kind for server in spec.servers.values()},
            servers=measured_servers(spec),
            owners={team: team_spec.owner for team, team_spec in spec.teams.items()},
            region=None if isinstance(cluster, KubeconfigCluster) else spec.region,
            instance_types={each for pool in spec.pools.values() for each in pool.instance_types},
            cluster_name=None if isinstance(cluster, KubeconfigCluster) else cluster.cluster_name,
            grafana_host=entry.host("grafana") if entry else None,
            load_balancer_cidrs=network.load_balancer_cidrs if network and entry else (),
            tags=self.own_tags,
            image_registry=spec.image_registry,
            opts=self.child(depends_on=needs, providers=[cluster.provider]),
        )
        if entry and made.grafana:
            self._route("grafana", GRAFANA_BACKEND, entry, made, cluster.provider)
        return made

    def _route(
        self,
        service: str,
        backend: ServiceRoutesSpec,
        entry: EntryHandles,
        behind: pulumi.Resource,
        provider: pulumi.ProviderResource,
    ) -> None:
        """Leads people from the platform's entry to a service."""
        opts = self.child(depends_on=[behind], providers=[provider])
        ServiceRoutes(f"{self.resource_name}-{service}-routes", backend, service=service, entry=entry, opts=opts)

    def _accelerators(
        self, provider: pulumi.ProviderResource, prometheus: Prometheus | None, needs: list[pulumi.Resource]
    ) -> None:
        name, spec = self.resource_name, self._spec
        # The exporter of GPU metrics makes an object of a kind that Prometheus brings.
        needs = [*needs, *([prometheus.definitions] if prometheus else [])]
        opts = self.child(depends_on=needs, providers=[provider])
        if isinstance(spec.accelerators, GpuOperatorSpec):
            GpuOperator(
                f"{name}-gpus",
                spec.accelerators,
                sharings=spec.sharings,
                has_prometheus=prometheus is not None,
                image_registry=spec.image_registry,
                opts=opts,
            )
        elif spec.accelerators:
            DevicePlugin(
                f"{name}-gpus",
                spec.accelerators,
                sharings=spec.sharings,
                has_prometheus=prometheus is not None,
                image_registry=spec.image_registry,
                opts=opts,
            )
        if any(pool.efa for pool in spec.pools.values()):
            efa_spec = EfaDevicePluginSpec(region=spec.region)
            EfaDevicePlugin(f"{name}-efa", efa_spec, image_registry=spec.image_registry, opts=opts)

    def _operators(self, provider: pulumi.ProviderResource, needs: list[pulumi.Resource]) -> list[pulumi.Resource]:
        """Makes what runs the kinds of jobs and servers that Kubernetes does not know."""
        spec, opts = self._spec, self.child(depends_on=needs, providers=[provider])
        made: list[pulumi.Resource] = []
        if spec.training:
            made.append(
                TrainingOperators(self.resource_name, spec.training, image_registry=spec.image_registry, opts=opts)
            )
        if spec.serving:
            made.append(
                ServingOperators(self.resource_name, spec.serving, image_registry=spec.image_registry, opts=opts)
            )
        return made

    def _teams(
        self,
        cluster: NewCluster | ExistingCluster | KubeconfigCluster,
        network: Vpc | ExistingVpcSpec | None,
        storage: SharedStorage | None,
        needs: list[pulumi.Resource],
        operators: list[pulumi.Resource],
    ) -> dict[str, Team]:
        spec, made = self._spec, dict[str, Team]()
        queueing = [self._queueing(spec.queueing, cluster.provider, needs)] if spec.queueing else []
        for team, team_spec in spec.teams.items():
            name = f"{self.resource_name}-{team}"
            # Pools without GPUs first, or Kueue would send jobs without a need for them to GPU nodes.
            pools = sorted(team_spec.quotas, key=lambda pool: spec.pools[pool].has_gpus)
            shares = {pool: shares_of(spec.pools[pool], team_spec.quotas[pool]) for pool in pools}
            after = self.child(depends_on=[*needs, *queueing], providers=[cluster.provider])
            queues: list[pulumi.Resource] = []
            if queueing and shares:
                queue_spec = TeamQueueSpec(team=team, cohort=spec.name)
                queues.append(TeamQueue(f"{name}-queue", queue_spec, shares=shares, opts=after))
            made[team] = Team(
                name,
                team_spec,
                team=team,
                limits=team_spec.limits.amounts() if team_spec.limits else total_of(shares),
                pools=tuple(pools),
                cluster_queue=team if queues else None,
                load_balancer_cidrs=network.load_balancer_cidrs if network else (),
                cluster_name=None if isinstance(cluster, KubeconfigCluster) else cluster.cluster_name,
                models=_model_access(team, storage),
                tags=self.own_tags,
                opts=self.child(depends_on=[*needs, *operators, *queueing, *queues], providers=[cluster.provider]),
            )
        return made

    def _notebooks(
        self,
        cluster: NewCluster | ExistingCluster | KubeconfigCluster,
        network: Vpc | ExistingVpcSpec | None,
        storage: SharedStorage | None,
        entry: EntryHandles | None,
        needs: list[pulumi.Resource],
    ) -> JupyterHub | None:
        spec = self._spec
        if spec.notebooks is None:
            return None
        bucket = storage.model_bucket if storage else None
        folder = f"teams/{spec.notebooks.team}/" if spec.notebooks.team else "notebooks/"
        environment: dict[str, pulumi.Input[str]] = {"MLFLOW_TRACKING_URI": names.MLFLOW_URL} if spec.mlflow else {}
        if bucket:
            environment |= {"MODEL_BUCKET": bucket.bucket_name, "MODEL_BUCKET_PREFIX": folder}
        made = JupyterHub(
            f"{self.resource_name}-notebooks",
            spec.notebooks,
            pools=spec.pools,
            region=spec.region,
            cluster_name=None if isinstance(cluster, KubeconfigCluster) else cluster.cluster_name,
            policy=bucket.read_write_policy(folder) if bucket else None,
            environment=environment,
            client_secret=self._secrets.values.get("jupyterHubClientSecret"),
            password=self._secrets.values.get("jupyterHubPassword"),
            host=entry.host("jupyter") if entry else None,
            load_balancer_cidrs=network.load_balancer_cidrs if network and entry else (),
            has_prometheus=has_prometheus(spec),
            image_registry=spec.image_registry,
            tags=self.own_tags,
            opts=self.child(depends_on=needs, providers=[cluster.provider]),
        )
        if entry:
            self._route("jupyter", NOTEBOOK_BACKEND, entry, made, cluster.provider)
        return made

    def _tracking(
        self,
        cluster: NewCluster | ExistingCluster | KubeconfigCluster,
        network: Vpc | ExistingVpcSpec | None,
        storage: SharedStorage | None,
        entry: EntryHandles | None,
        nodes: _Nodes,
        needs: list[pulumi.Resource],
    ) -> Tracking | None:
        spec, name = self._spec, f"{self.resource_name}-tracking"
        if spec.tracking is None:
            return None
        database: DatabaseAccess | None = None
        is_in_eks = not isinstance(cluster, KubeconfigCluster)
        if spec.mlflow and is_in_eks and network:
            secrets_store = SecretsStore(
                f"{self.resource_name}-secrets-store",
                SecretsStoreSpec(),
                kubernetes_version=cluster.kubernetes_version,
                cluster_name=cluster.cluster_name,
                tags=self.own_tags,
                opts=self.child(depends_on=nodes.with_volumes, providers=[cluster.provider]),
            )
            needs = [*needs, secrets_store]
            database = self._mlflow_database(spec.mlflow, cluster, network)
        bucket = storage.model_bucket if storage else None
        return Tracking(
            name,
            spec.tracking,
            teams={team: team_spec.gateway for team, team_spec in spec.teams.items()},
            secrets=self._secrets.values,
            region=spec.region,
            cluster_name=cluster.cluster_name if is_in_eks else None,
            database=database,
            bucket=bucket.bucket_name if bucket else None,
            key_arn=spec.storage.model_bucket.key_arn if spec.storage and spec.storage.model_bucket else None,
            entry=entry,
            load_balancer_cidrs=network.load_balancer_cidrs if network else (),
            notebooks=names.NOTEBOOK_NAMESPACE if spec.notebooks else None,
            notebooks_team=spec.notebooks.team if spec.notebooks else None,
            has_prometheus=has_prometheus(spec),
            image_registry=spec.image_registry,
            tags=self.own_tags,
            opts=self.child(depends_on=needs, providers=[cluster.provider]),
        )

    def _mlflow_database(
        self, mlflow: MlflowSpec, cluster: NewCluster | ExistingCluster, network: Vpc | ExistingVpcSpec
    ) -> DatabaseAccess:
        if isinstance(mlflow.database, ExistingDatabaseSpec):
            return mlflow.database.access
        return Postgresql(
            f"{self.resource_name}-mlflow",
            mlflow.database,
            database="mlflow",
            vpc_id=network.vpc_id,
            private_subnets=network.private_subnets,
            client_security_group_id=cluster.security_group_id,
            tags=self.own_tags,
            opts=self.child(),
        ).access

    def _servers(
        self,
        provider: pulumi.ProviderResource,
        storage: SharedStorage | None,
        teams: Mapping[str, Team],
        tracking: Tracking | None,
    ) -> dict[str, ModelServer[Any]]:
        spec, bucket = self._spec, storage.model_bucket if storage else None
        made: dict[str, ModelServer[Any]] = {}
        for name, server in spec.servers.items():
            needs: list[pulumi.Resource] = [teams[server.namespace]]
            if tracking and isinstance(server.source, MlflowSource):
                needs.append(tracking)
            made[name] = model_server(
                name,
                server,
                bucket=bucket.bucket_name if bucket else None,
                region=spec.region,
                image_registry=spec.image_registry,
                opts=self.child(depends_on=needs, providers=[provider]),
            )
        return made

    def _cost_controls(self, cluster: NewCluster | ExistingCluster | KubeconfigCluster, nodes: _Nodes) -> None:
        spec, name = self._spec, self.resource_name
        if spec.budget:
            Budget(f"{name}-budget", spec.budget, platform=spec.name, tags=self.own_tags, opts=self.child())
        if spec.schedule and not isinstance(cluster, KubeconfigCluster):
            Schedule(
                f"{name}-schedule",
                spec.schedule,
                region=spec.region,
                cluster_name=cluster.cluster_name,
                managed_pools=nodes.managed,
                managed_specs=spec.managed_pools,
                karpenter_pools=tuple(spec.karpenter_pools),
                tags=self.own_tags,
                image_registry=spec.image_registry,
                opts=self.child(depends_on=nodes.everything, providers=[cluster.provider]),
            )

    def _queueing(
        self, queueing: KueueSpec, provider: pulumi.ProviderResource, needs: list[pulumi.Resource]
    ) -> pulumi.Resource:
        operators = (self._spec.training, self._spec.serving)
        brought = [framework for each in operators if each for framework in each.frameworks]
        frameworks = tuple(dict.fromkeys((*queueing.frameworks, *brought)))
        return Kueue(
            f"{self.resource_name}-kueue",
            queueing.model_copy(update={"frameworks": frameworks}),
            flavors={name: _flavor(name, pool) for name, pool in self._spec.pools.items()},
            has_prometheus=has_prometheus(self._spec),
            image_registry=self._spec.image_registry,
            opts=self.child(depends_on=needs, providers=[provider]),
        )


def _model_access(team: str, storage: SharedStorage | None) -> ModelAccess | None:
    bucket = storage.model_bucket if storage else None
    return ModelAccess(bucket.read_policy, bucket.read_write_policy(f"teams/{team}/")) if bucket else None


def _flavor(name: str, pool: ManagedPoolSpec | KarpenterPoolSpec) -> dict[str, Any]:
    tolerations = {"tolerations": [names.gpu_toleration()]} if pool.has_gpus else {}
    return {"nodeLabels": {names.POOL_LABEL: name}, **tolerations}


def _karpenter_spec(spec: PlatformSpec) -> KarpenterSpec:
    system_nodes = sum(pool.size for pool in spec.system_pools.values())
    joins_existing_cluster = isinstance(spec.cluster, ExistingClusterSpec)
    return KarpenterSpec(
        region=spec.region,
        replicas=2 if joins_existing_cluster else min(2, system_nodes),
        is_isolated=isinstance(spec.network, NewVpcSpec) and spec.network.nat_gateways is NatGateways.NONE,
        has_vpc_cni_policy=joins_existing_cluster,
    )


def _tags(spec: PlatformSpec) -> dict[str, str]:
    profile = {"eksml:profile": spec.profile} if spec.profile else {}
    return {**spec.tags, "eksml:platform": spec.name, **profile}
