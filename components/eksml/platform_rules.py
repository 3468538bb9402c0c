"""What the parts of a platform ask of each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from eksml import catalog, names
from eksml.accelerators.dcgm_host_engine import DcgmHostEngine
from eksml.accelerators.device_plugin import DevicePluginSpec
from eksml.accelerators.gpu_operator import GpuOperatorSpec
from eksml.addresses import is_open
from eksml.check_list import CHECKS
from eksml.cluster.eks_addon import EFS_CSI, FSX_CSI, NODE_MONITORING_AGENT
from eksml.cluster.existing_cluster import ExistingClusterSpec
from eksml.cluster.kubeconfig_cluster import KubeconfigClusterSpec
from eksml.cluster.new_cluster import NewClusterSpec
from eksml.errors import Problem, listed, nearest
from eksml.network.authentication import OpenIdConnect
from eksml.network.existing_vpc import ExistingVpcSpec
from eksml.network.load_balancer import Scheme, load_balancer_problems
from eksml.network.team_gateway import TeamGatewaySpec
from eksml.network.vpc import NatGateways, NewVpcSpec
from eksml.nodes.pool import AmiFamily
from eksml.nodes.sharing import Mig
from eksml.paths import Path
from eksml.platform_server_rules import server_problems
from eksml.platform_service_rules import service_problems
from eksml.tenancy.quotas import PoolQuota, capacity

if TYPE_CHECKING:
    from eksml.platform_settings import PlatformSpec

_MOST_TAGS = 40
# https://karpenter.sh/docs/concepts/nodeclasses/#spectags
_TAGS_OF_OTHERS = ("aws:", "eks:", "eksml:", "karpenter.", "kubernetes.io/cluster/")

# Of the platform's own parts, whether they are there or not: they may come later.
_TAKEN_NAMESPACES = {
    "default",
    names.ENTRY_NAMESPACE,
    names.MLFLOW_NAMESPACE,
    names.SCHEDULE_NAMESPACE,
    names.GPU_NAMESPACE,
    *(chart.namespace for chart in catalog.charts().values()),
    *(overlay.namespace for overlay in catalog.kustomizations().values() if overlay.namespace),
}


def platform_rules(spec: PlatformSpec) -> Iterator[Problem]:
    """Every rule between the parts of a platform that does not hold."""
    yield from _cluster_and_network_problems(spec)
    yield from _zone_problems(spec)
    yield from _address_problems(spec)
    yield from _system_pool_problems(spec)
    yield from _offering_problems(spec)
    yield from _image_problems(spec)
    yield from _accelerator_problems(spec)
    yield from _registry_problems(spec)
    yield from _storage_problems(spec)
    yield from _team_problems(spec)
    yield from _gateway_problems(spec)
    yield from _training_problems(spec)
    yield from server_problems(spec)
    yield from service_problems(spec)
    yield from _tag_and_waiver_problems(spec)


def _cluster_and_network_problems(spec: PlatformSpec) -> Iterator[Problem]:
    match spec.cluster:
        case KubeconfigClusterSpec():
            reason = "a cluster by its kubeconfig is used as it is: set it to null"
            if spec.network is not None:
                yield Problem(("network",), f"given, but {reason}")
            for pool in spec.pools:
                yield Problem(("pools", pool), f"given, but {reason}")
            if spec.queueing is not None:
                yield Problem(("queueing",), "given, but without pools there is nothing to queue for: set it to null")
        case ExistingClusterSpec() if not isinstance(spec.network, ExistingVpcSpec):
            yield Problem(("network",), "an existing cluster has a VPC: give its subnets, kind: existing")
        case NewClusterSpec() if spec.network is None:
            yield Problem(("network",), "missing: a new cluster needs a VPC, kind: new or existing")


def _zone_problems(spec: PlatformSpec) -> Iterator[Problem]:
    zones = _zones_of(spec.network)
    if not zones:
        return
    for zone, path in zones.items():
        if text := _zone_misfit(zone, spec.region):
            yield Problem(path, text)
    for name, pool in spec.pools.items():
        for index, zone in enumerate(pool.zones):
            if zone not in zones:
                yield Problem(
                    ("pools", name, "zones", index), f"'{zone}' is not a zone of the network: {', '.join(zones)}"
                )


def _zones_of(network: NewVpcSpec | ExistingVpcSpec | None) -> dict[str, Path]:
    """The zones of a network, each with where it is said."""
    match network:
        case NewVpcSpec():
            return {zone: ("network", "zones", index) for index, zone in enumerate(network.zones)}
        case ExistingVpcSpec():
            return {zone: ("network", "privateSubnets", zone) for zone in network.private_subnets}
        case _:
            return {}


def _zone_misfit(zone: str, region_name: str) -> str | None:
    region = catalog.regions().get(region_name)
    is_id = "-az" in zone
    if not is_id and not zone.startswith(region_name):
        return f"'{zone}' is not in {region_name}"
    if region is None:
        return None
    if zone in region.refused_by_eks:
        return f"'{zone}' is refused by EKS, take one of {', '.join(region.default_zones)}"
    if is_id and zone not in region.zones:
        return f"'{zone}' is not in {region_name}, which has {', '.join(region.zones)}"
    if not is_id and region.refused_by_eks:
        refused = ", ".join(region.refused_by_eks)
        choices = ", ".join(region.default_zones)
        return (
            f"'{zone}' may be {refused}, which EKS refuses (names differ per account): give zone ids, such as {choices}"
        )
    return None


def _address_problems(spec: PlatformSpec) -> Iterator[Problem]:
    if not isinstance(spec.cluster, NewClusterSpec):
        return
    is_waived = any(waiver.partition(":")[0] == "open-public-endpoint" for waiver in spec.waivers)
    for index, cidr in enumerate(spec.cluster.public_access_cidrs):
        if is_open(cidr) and not is_waived:
            yield Problem(
                ("cluster", "publicAccessCidrs", index),
                f"'{cidr}' opens the API server to the internet: give your own ranges, or say why under "
                "waivers.open-public-endpoint",
            )
    services = spec.cluster.service_cidr
    if services and isinstance(spec.network, NewVpcSpec):
        vpc = spec.network.cidr
        if IPv4Network(vpc).overlaps(IPv4Network(services)):
            yield Problem(
                ("cluster", "serviceCidr"), f"'{services}' overlaps the VPC's {vpc}: services need a range of their own"
            )


def _system_pool_problems(spec: PlatformSpec) -> Iterator[Problem]:
    if isinstance(spec.cluster, NewClusterSpec) and not any(pool.size for pool in spec.system_pools.values()):
        reason = "CoreDNS, Karpenter and other pods of the platform need nodes without GPUs"
        yield Problem(("pools",), f"no managed pool with accelerator: none and a size of at least 1: {reason}")


def _offering_problems(spec: PlatformSpec) -> Iterator[Problem]:
    if spec.region not in catalog.priced_regions():
        return
    for name, pool in spec.pools.items():
        for index, instance_type in enumerate(pool.instance_types):
            fact = catalog.instance_types().get(instance_type)
            if fact and spec.region not in fact.regions:
                offered = f"it is in {', '.join(fact.regions)}" if fact.regions else "no region of the catalog has it"
                path = ("pools", name, "instanceTypes", index)
                yield Problem(path, f"EC2 does not offer {instance_type} in {spec.region}: {offered}")


def _image_problems(spec: PlatformSpec) -> Iterator[Problem]:
    for name, pool in spec.pools.items():
        if not pool.facts:
            continue
        for workload, image, architectures in _images_on(spec, pool.has_gpus):
            if pool.architecture not in architectures:
                yield Problem(
                    ("pools", name, "instanceTypes"),
                    f"its nodes are {pool.architecture}, but {workload} must run on them and {image} is built for "
                    f"{listed(architectures)} only",
                )


def _images_on(spec: PlatformSpec, has_gpus: bool) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """The workloads that run on every node of a pool, with their image and what it is known to be built for."""
    meant = ("all", "gpu") if has_gpus else ("all",)
    for addon in spec.addons:
        fact = catalog.eks_addons()[addon]
        for workload in fact.workloads:
            if workload.nodes in meant and workload.architectures:
                yield workload.name, f"add-on {addon}", workload.architectures
    for chart in spec.accelerators.charts if spec.accelerators else ():
        for workload in catalog.charts()[chart].workloads:
            image = catalog.images()[workload.image]
            if workload.nodes in meant and image.architectures:
                yield workload.name, f"{image.repository}:{image.tag}", image.architectures


def _accelerator_problems(spec: PlatformSpec) -> Iterator[Problem]:
    has_gpus = any(pool.has_gpus for pool in spec.pools.values())
    if spec.accelerators is None:
        if has_gpus and isinstance(spec.cluster, NewClusterSpec):
            reason = "without a device plugin nothing can use the GPUs of the pools"
            yield Problem(("accelerators",), f"missing, must be of kind devicePlugin or gpuOperator: {reason}")
        return
    yield from _operator_problems(spec, spec.accelerators)
    path = ("accelerators", "dcgmHostEngine")
    if NODE_MONITORING_AGENT in spec.addons:
        if spec.accelerators.dcgm_host_engine is DcgmHostEngine.EXPORTER:
            reason = (
                "the node monitoring agent of this stack runs one too, and two make node repair take healthy nodes away"
            )
            yield Problem(path, f"exporter given, must be nodeMonitoringAgent: {reason}")
    elif "dcgm_host_engine" not in spec.accelerators.model_fields_set:
        yield Problem(
            path,
            "missing: give nodeMonitoringAgent if the cluster has EKS's node monitoring agent, or else exporter",
        )


def _operator_problems(spec: PlatformSpec, accelerators: DevicePluginSpec | GpuOperatorSpec) -> Iterator[Problem]:
    has_operator = isinstance(accelerators, GpuOperatorSpec)
    for name, pool in spec.pools.items():
        if isinstance(pool.sharing, Mig) and not has_operator:
            yield Problem(("pools", name, "sharing"), "mig given, but only accelerators.kind: gpuOperator divides GPUs")
        if has_operator and pool.has_gpus and pool.ami_family is AmiFamily.BOTTLEROCKET:
            reason = "the GPU operator does not run on bottlerocket, which has a device plugin of its own"
            yield Problem(("pools", name, "amiFamily"), f"bottlerocket given, must be al2023: {reason}")


def _registry_problems(spec: PlatformSpec) -> Iterator[Problem]:
    is_isolated = isinstance(spec.network, NewVpcSpec) and spec.network.nat_gateways is NatGateways.NONE
    if is_isolated and spec.image_registry is None:
        reason = "without a NAT gateway nodes reach no registry outside the VPC but ECR in the same region"
        yield Problem(("imageRegistry",), f"missing: {reason}")
    if is_isolated and spec.storage and isinstance(spec.network, NewVpcSpec):
        services = {"elasticfilesystem": spec.storage.efs, "fsx": spec.storage.lustre}
        for service, part in services.items():
            if part and service not in spec.network.interface_endpoints:
                reason = "without a NAT gateway its driver cannot call AWS"
                yield Problem(("network", "interfaceEndpoints"), f"storage needs {service} too: {reason}")
    ecr = re.search(r"\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.", spec.image_registry or "")
    if is_isolated and ecr and ecr.group(1) != spec.region:
        reason = f"without a NAT gateway nodes reach ECR in {spec.region} only"
        yield Problem(("imageRegistry",), f"it is in {ecr.group(1)}, but {reason}")


def _storage_problems(spec: PlatformSpec) -> Iterator[Problem]:
    if spec.storage is None:
        return
    if isinstance(spec.cluster, KubeconfigClusterSpec):
        yield Problem(("storage",), "given, but a cluster by its kubeconfig gets nothing in AWS: set it to null")
        return
    for addon in spec.storage_addons:
        versions = catalog.eks_addons()[addon].versions
        if spec.cluster.kubernetes_version not in versions:
            part = {EFS_CSI: "efs", FSX_CSI: "lustre"}[addon]
            reason = f"the catalog has {addon} for Kubernetes {listed(versions)} only"
            yield Problem(("storage", part), f"not to be had on {spec.cluster.kubernetes_version}: {reason}")
    yield from _bucket_problems(spec)
    lustre, zones = spec.storage.lustre, _zones_of(spec.network)
    if lustre and zones and lustre.zone not in zones:
        yield Problem(
            ("storage", "lustre", "zone"), f"'{lustre.zone}' is not a zone of the network: {', '.join(zones)}"
        )


def _bucket_problems(spec: PlatformSpec) -> Iterator[Problem]:
    bucket = spec.storage.model_bucket if spec.storage else None
    of_teams = (names.TEAM_SERVICE_ACCOUNT, names.MODEL_READER_SERVICE_ACCOUNT)
    for key, accounts in (("readers", bucket.readers), ("writers", bucket.writers)) if bucket else ():
        for index, account in enumerate(accounts):
            if account.namespace in spec.teams and account.name in of_teams:
                path = ("storage", "modelBucket", key, index)
                reason = "EKS gives a service account one identity, and this one has its team's"
                yield Problem(path, f"'{account.namespace}/{account.name}' given, but {reason}")


def _team_problems(spec: PlatformSpec) -> Iterator[Problem]:
    members: dict[str, str] = {}
    if isinstance(spec.cluster, NewClusterSpec):
        members |= dict.fromkeys(spec.cluster.administrators, "cluster.administrators")
    for name, team in spec.teams.items():
        if name in _TAKEN_NAMESPACES or name.startswith("kube-"):
            yield Problem(("teams", name), "the namespace of this name is not a team's: take another name")
        for index, principal in enumerate(team.principals):
            if principal in members:
                reason = f"EKS knows a principal once, and this one is in {members[principal]}"
                yield Problem(("teams", name, "principals", index), reason)
            members.setdefault(principal, f"teams.{name}")
        if isinstance(spec.cluster, KubeconfigClusterSpec):
            for key in ("principals", "managedPolicies"):
                if team.settings()[key]:
                    yield Problem(("teams", name, key), "given, but a cluster by its kubeconfig gets nothing in AWS")
        if spec.queueing and not team.quotas and not isinstance(spec.cluster, KubeconfigClusterSpec):
            reason = "a job waits for ever in a queue without a quota; give one, or queueing: null"
            yield Problem(("teams", name, "quotas"), f"empty, needs a pool: {reason}")
        elif not team.quotas and not team.limits:
            yield Problem(
                ("teams", name), "neither quotas nor limits given, needs one: it could take every CPU there is"
            )
        has = {"loadBalancers": f"may have {team.load_balancers}" if team.load_balancers else None}
        has["gateway"] = "has a gateway" if team.gateway else None
        if isinstance(spec.network, ExistingVpcSpec) and not spec.network.load_balancer_cidrs:
            for key, what in has.items():
                if what:
                    reason = f"without it no load balancer reaches the pods of teams, and {name} {what}"
                    yield Problem(("network", "loadBalancerCidrs"), f"missing: {reason}", ("teams", name, key))
        for pool, quota in team.quotas.items():
            path, depends_on = ("teams", name, "quotas", pool), ("pools", pool)
            yield from (Problem(path, text, depends_on) for text in _quota_misfits(spec, pool, quota))


def _gateway_problems(spec: PlatformSpec) -> Iterator[Problem]:
    if spec.gateway and isinstance(spec.cluster, KubeconfigClusterSpec):
        yield Problem(("gateway",), "given, but a cluster by its kubeconfig gets nothing in AWS: set it to null")
    has_nat = not (isinstance(spec.network, NewVpcSpec) and spec.network.nat_gateways is NatGateways.NONE)
    if spec.gateway and spec.gateway.external_dns and not has_nat:
        reason = "Route 53 has no endpoint in the VPC, and without a NAT gateway it is out of reach"
        yield Problem(("gateway", "externalDns"), f"given, but {reason}", ("network", "natGateways"))
    hosts: dict[str, str] = {}
    for name, team in spec.teams.items():
        if team.gateway is None:
            continue
        path = ("teams", name, "gateway")
        if spec.gateway is None:
            reason = f"the gateway of {name} needs the load balancer controller; gateway: {{}} is enough"
            yield Problem(("gateway",), f"missing: {reason}", path)
        if spec.gateway and spec.gateway.external_dns and team.gateway.host is None:
            reason = "ExternalDNS writes whatever name a route has, and without it a route may have any"
            yield Problem((*path, "host"), f"missing: {reason}", ("gateway", "externalDns"))
        if own := team.gateway.host:
            for other, host in hosts.items():
                if _covers(host, own) or _covers(own, host):
                    text = f"'{own}' given, and {other} has '{host}': a name leads to one team"
                    yield Problem((*path, "host"), text, ("teams", other))
            hosts[name] = own
        yield from (problem.below(path) for problem in _team_gateway_misfits(spec, team.gateway))


def _covers(host: str, other: str) -> bool:
    return host == other or (host.startswith("*.") and other.endswith(host[1:]))


def _team_gateway_misfits(spec: PlatformSpec, gateway: TeamGatewaySpec) -> Iterator[Problem]:
    yield from load_balancer_problems(gateway, spec.region)
    is_internal = gateway.scheme is Scheme.INTERNAL
    if isinstance(gateway.authentication, OpenIdConnect) and is_internal and isinstance(spec.network, NewVpcSpec):
        reason = "an internal load balancer of a new VPC has no way to the internet, where the provider is"
        yield Problem(
            ("authentication",), f"openIdConnect given, but {reason}: take jwt, or scheme: internetFacing with it"
        )


def _training_problems(spec: PlatformSpec) -> Iterator[Problem]:
    watched = spec.training.kube_ray.watch_namespaces if spec.training and spec.training.kube_ray else ()
    for index, namespace in enumerate(watched):
        if namespace not in spec.teams:
            path = ("training", "kubeRay", "watchNamespaces", index)
            yield Problem(path, f"'{namespace}' is no team{nearest(namespace, spec.teams)}", ("teams", namespace))


def _quota_misfits(spec: PlatformSpec, name: str, quota: PoolQuota) -> Iterator[str]:
    pool = spec.pools.get(name)
    if pool is None:
        yield f"there is no such pool{nearest(name, spec.pools)}"
        return
    unit, other = ("gpus", "vcpus") if pool.has_gpus else ("vcpus", "gpus")
    if getattr(quota, other) is not None:
        yield f"{other} given, but the pool has {'GPUs' if pool.has_gpus else 'none'}: give {unit}"
    elif pool.facts and (most := quota.nominal(pool) + quota.borrow) > capacity(pool):
        yield f"{most} {unit} given, with what it may borrow, but the whole pool has at most {capacity(pool)}"


def _tag_and_waiver_problems(spec: PlatformSpec) -> Iterator[Problem]:
    if len(spec.tags) > _MOST_TAGS:
        yield Problem(("tags",), f"{len(spec.tags)} given, must be at most {_MOST_TAGS}: AWS allows 50 with the others")
    for key in spec.tags:
        if key == "Name" or key.lower().startswith(_TAGS_OF_OTHERS):
            yield Problem(("tags", key), "AWS, EKS, Karpenter or this library set this tag themselves, take another")
    for waiver in spec.waivers:
        check, colon, resource = waiver.partition(":")
        if check not in CHECKS:
            suggestion = nearest(check, CHECKS) or f", there is {listed(CHECKS)}"
            yield Problem(("waivers", waiver), f"there is no such check{suggestion}")
        elif colon and not resource:
            reason = f"give its name as the finding has it, or {check} for all"
            yield Problem(("waivers", waiver), f"no resource after the colon: {reason}")
