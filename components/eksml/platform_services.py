"""The services of a platform: what measures, notebooks, trackers, and what watches the bill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pulumi

from eksml import names
from eksml.cluster.existing_cluster import ExistingCluster
from eksml.cluster.kubeconfig_cluster import KubeconfigCluster
from eksml.cluster.new_cluster import NewCluster
from eksml.cluster.secrets_store import SecretsStore, SecretsStoreSpec
from eksml.component import Component
from eksml.network.entry import EntryHandles, ServiceRoutes, ServiceRoutesSpec
from eksml.network.existing_vpc import ExistingVpcSpec
from eksml.network.gateway import GatewayControllers
from eksml.network.vpc import Vpc
from eksml.nodes.schedule import Schedule
from eksml.notebooks.jupyterhub import BACKEND as NOTEBOOKS
from eksml.notebooks.jupyterhub import JupyterHub
from eksml.observability.budget import Budget
from eksml.observability.grafana import BACKEND as GRAFANA
from eksml.observability.observability import Observability
from eksml.platform_measuring import has_prometheus, measured_exporters, measured_servers
from eksml.platform_nodes import Nodes
from eksml.platform_settings import PlatformSpec
from eksml.storage.model_bucket import ModelBucket
from eksml.storage.postgresql import DatabaseAccess, ExistingDatabaseSpec, Postgresql
from eksml.tracking.tracking import Tracking


class Ground(NamedTuple):
    """What the services of a platform stand on."""

    platform: Component
    spec: PlatformSpec
    cluster: NewCluster | ExistingCluster | KubeconfigCluster
    network: Vpc | ExistingVpcSpec | None
    nodes: Nodes
    bucket: ModelBucket | None
    gateway: GatewayControllers | None
    secrets: Mapping[str, pulumi.Input[str]]

    @property
    def cluster_name(self) -> pulumi.Input[str] | None:
        """Name of the EKS cluster; None where it is one by its kubeconfig."""
        return None if isinstance(self.cluster, KubeconfigCluster) else self.cluster.cluster_name

    @property
    def entry(self) -> EntryHandles | None:
        """The platform's own entry, if it has one."""
        return self.gateway.entry if self.gateway else None

    @property
    def load_balancer_cidrs(self) -> tuple[str, ...]:
        """The ranges from which the entry reaches pods."""
        return self.network.load_balancer_cidrs if self.network and self.entry else ()

    def inside(self, needs: list[pulumi.Resource]) -> pulumi.ResourceOptions:
        """Options for what runs in the cluster, after what it needs."""
        return self.platform.child(depends_on=needs, providers=[self.cluster.provider])


def make_observability(ground: Ground) -> Observability | None:
    """What measures the platform, if anything does."""
    platform, spec, entry = ground.platform, ground.spec, ground.entry
    if spec.observability is None:
        return None
    made = Observability(
        platform.resource_name,
        spec.observability,
        secrets=ground.secrets,
        exporters=measured_exporters(spec),
        engines={server.kind for server in spec.servers.values()},
        servers=measured_servers(spec),
        owners={team: team_spec.owner for team, team_spec in spec.teams.items()},
        region=None if isinstance(ground.cluster, KubeconfigCluster) else spec.region,
        instance_types={each for pool in spec.pools.values() for each in pool.instance_types},
        cluster_name=ground.cluster_name,
        grafana_host=entry.host("grafana") if entry else None,
        load_balancer_cidrs=ground.load_balancer_cidrs,
        tags=platform.own_tags,
        image_registry=spec.image_registry,
        opts=ground.inside(ground.nodes.with_volumes),
    )
    if made.grafana:
        _route(ground, "grafana", GRAFANA, behind=made)
    return made


def make_notebooks(ground: Ground, needs: list[pulumi.Resource]) -> JupyterHub | None:
    """JupyterHub, if there is one."""
    platform, spec, entry, bucket = ground.platform, ground.spec, ground.entry, ground.bucket
    if spec.notebooks is None:
        return None
    folder = f"teams/{spec.notebooks.team}/" if spec.notebooks.team else "notebooks/"
    environment: dict[str, pulumi.Input[str]] = {"MLFLOW_TRACKING_URI": names.MLFLOW_URL} if spec.mlflow else {}
    if bucket:
        environment |= {"MODEL_BUCKET": bucket.bucket_name, "MODEL_BUCKET_PREFIX": folder}
    made = JupyterHub(
        f"{platform.resource_name}-notebooks",
        spec.notebooks,
        pools=spec.pools,
        region=spec.region,
        cluster_name=ground.cluster_name,
        policy=bucket.read_write_policy(folder) if bucket else None,
        environment=environment,
        client_secret=ground.secrets.get("jupyterHubClientSecret"),
        password=ground.secrets.get("jupyterHubPassword"),
        host=entry.host("jupyter") if entry else None,
        load_balancer_cidrs=ground.load_balancer_cidrs,
        has_prometheus=has_prometheus(spec),
        image_registry=spec.image_registry,
        tags=platform.own_tags,
        opts=ground.inside(needs),
    )
    _route(ground, "jupyter", NOTEBOOKS, behind=made)
    return made


def make_tracking(ground: Ground, needs: list[pulumi.Resource]) -> Tracking | None:
    """What remembers experiments, if anything does."""
    platform, spec = ground.platform, ground.spec
    if spec.tracking is None:
        return None
    database = _mlflow_database(ground)
    secrets_store = _secrets_store(ground)
    storage = spec.storage.model_bucket if spec.storage else None
    return Tracking(
        f"{platform.resource_name}-tracking",
        spec.tracking,
        teams={team: team_spec.gateway for team, team_spec in spec.teams.items()},
        secrets=ground.secrets,
        region=spec.region,
        cluster_name=ground.cluster_name,
        database=database,
        bucket=ground.bucket.bucket_name if ground.bucket else None,
        key_arn=storage.key_arn if storage else None,
        entry=ground.entry,
        load_balancer_cidrs=ground.load_balancer_cidrs,
        notebooks=names.NOTEBOOK_NAMESPACE if spec.notebooks else None,
        notebooks_team=spec.notebooks.team if spec.notebooks else None,
        has_prometheus=has_prometheus(spec),
        image_registry=spec.image_registry,
        tags=platform.own_tags,
        opts=ground.inside([*needs, *([secrets_store] if secrets_store else [])]),
    )


def make_cost_controls(ground: Ground) -> None:
    """A budget, and working hours."""
    platform, spec = ground.platform, ground.spec
    name, cluster_name = platform.resource_name, ground.cluster_name
    if spec.budget:
        Budget(f"{name}-budget", spec.budget, platform=spec.name, tags=platform.own_tags, opts=platform.child())
    if spec.schedule and cluster_name is not None:
        Schedule(
            f"{name}-schedule",
            spec.schedule,
            region=spec.region,
            cluster_name=cluster_name,
            managed_pools=ground.nodes.managed,
            managed_specs=spec.managed_pools,
            karpenter_pools=tuple(spec.karpenter_pools),
            tags=platform.own_tags,
            image_registry=spec.image_registry,
            opts=ground.inside(ground.nodes.everything),
        )


def _route(ground: Ground, service: str, backend: ServiceRoutesSpec, behind: pulumi.Resource) -> None:
    """Leads people from the platform's entry to a service, if there is an entry."""
    if ground.entry and ground.gateway:
        # Its kinds come with the gateway, whose controller takes the route out of the load balancer too.
        name, opts = f"{ground.platform.resource_name}-{service}-routes", ground.inside([behind, ground.gateway])
        ServiceRoutes(name, backend, service=service, entry=ground.entry, opts=opts)


def _secrets_store(ground: Ground) -> SecretsStore | None:
    """The driver by which MLflow gets the password of its database."""
    cluster, platform = ground.cluster, ground.platform
    if ground.spec.mlflow is None or isinstance(cluster, KubeconfigCluster):
        return None
    return SecretsStore(
        f"{platform.resource_name}-secrets-store",
        SecretsStoreSpec(),
        kubernetes_version=cluster.kubernetes_version,
        cluster_name=cluster.cluster_name,
        tags=platform.own_tags,
        opts=ground.inside(ground.nodes.with_volumes),
    )


def _mlflow_database(ground: Ground) -> DatabaseAccess | None:
    """How MLflow's database is reached, which is made where it does not exist."""
    platform, mlflow, cluster = ground.platform, ground.spec.mlflow, ground.cluster
    if mlflow is None or ground.network is None or isinstance(cluster, KubeconfigCluster):
        return None
    if isinstance(mlflow.database, ExistingDatabaseSpec):
        return mlflow.database.access
    return Postgresql(
        f"{platform.resource_name}-mlflow",
        mlflow.database,
        database="mlflow",
        vpc_id=ground.network.vpc_id,
        private_subnets=ground.network.private_subnets,
        client_security_group_id=cluster.security_group_id,
        tags=platform.own_tags,
        opts=platform.child(),
    ).access
