"""A whole platform from one Spec. Read this file first, and `platform_settings.py` beside it.

`PlatformSpec` says what is wanted, `Platform` builds it: network, cluster, nodes, GPUs, operators, teams, services. Its
pools are made in `platform_nodes.py`, its services in `platform_services.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pulumi

from eksml import names
from eksml.accelerators.device_plugin import DevicePlugin
from eksml.accelerators.efa_device_plugin import EfaDevicePlugin, EfaDevicePluginSpec
from eksml.accelerators.gpu_operator import GpuOperator, GpuOperatorSpec
from eksml.cluster.existing_cluster import ExistingCluster, ExistingClusterSpec
from eksml.cluster.kubeconfig_cluster import KubeconfigCluster, KubeconfigClusterSpec
from eksml.cluster.new_cluster import NewCluster, NewClusterSpec
from eksml.component import Component
from eksml.errors import Problem, SpecError
from eksml.network.existing_vpc import ExistingVpcSpec
from eksml.network.gateway import GatewayControllers
from eksml.network.vpc import NewVpcSpec, Vpc
from eksml.nodes.karpenter_pool import KarpenterPoolSpec
from eksml.nodes.managed_pool import ManagedPoolSpec
from eksml.observability.prometheus import Prometheus
from eksml.platform_exports import platform_exports
from eksml.platform_measuring import has_prometheus
from eksml.platform_nodes import Nodes, make_nodes
from eksml.platform_secrets import platform_secrets
from eksml.platform_services import Ground, make_cost_controls, make_notebooks, make_observability, make_tracking
from eksml.platform_settings import PlatformSpec
from eksml.serving.model_server import ModelServer
from eksml.serving.model_source import MlflowSource
from eksml.serving.operators import ServingOperators
from eksml.serving.servers import model_server
from eksml.storage.shared_storage import SharedStorage
from eksml.tenancy.kueue import Kueue, KueueSpec
from eksml.tenancy.quotas import shares_of, total_of
from eksml.tenancy.team import ModelAccess, Team
from eksml.tenancy.team_queue import TeamQueue, TeamQueueSpec
from eksml.tracking.tracking import Tracking
from eksml.training.operators import TrainingOperators


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
            nodes, storage, gateway = Nodes(system=[], managed={}, with_volumes=[], everything=[]), None, None
        else:
            network = self._network()
            cluster = self._cluster(spec.cluster, network)
            nodes = make_nodes(self, spec, cluster, network)
            storage = self._storage(cluster, network, needs=nodes.system)
            gateway = self._gateway(cluster, network, needs=nodes.everything)
        bucket = storage.model_bucket if storage else None
        ground = Ground(self, spec, cluster, network, nodes, bucket, gateway, self._secrets.values)
        observability = make_observability(ground)
        prometheus = observability.prometheus if observability else None
        self._accelerators(cluster.provider, prometheus, needs=nodes.system)
        operators = self._operators(cluster.provider, needs=nodes.system)
        # What a team leaves behind is cleared away by add-ons and controllers, so they go after it.
        needs = [*nodes.everything, *(part for part in (storage, observability, gateway) if part)]
        teams = self._teams(cluster, network, storage, needs=needs, operators=operators)
        notebooks = make_notebooks(ground, needs)
        tracking = make_tracking(ground, [*needs, *teams.values(), *([notebooks] if notebooks else [])])
        servers = self._servers(cluster.provider, storage, teams, tracking)
        make_cost_controls(ground)
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


def _tags(spec: PlatformSpec) -> dict[str, str]:
    profile = {"eksml:profile": spec.profile} if spec.profile else {}
    return {**spec.tags, "eksml:platform": spec.name, **profile}
