"""What AWS charges for the resources of a Plan, nodes aside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from eksml import catalog
from eksml.checks.nodes import NODE_GROUP
from eksml.costs.amounts import HOURS_PER_MONTH, Range
from eksml.costs.basis import Basis, Line
from eksml.costs.kubernetes_support import CLUSTERS, day_of, support_of
from eksml.plan import Resource
from eksml.plan.canonical import is_shown

_FREE_INTERNET_GB = 100
_DAYS_PER_MONTH = HOURS_PER_MONTH / 24
_GP3_IOPS = 3000
_GP3_THROUGHPUT = 125
# Where EKS and its agents write: https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html
_CLUSTER_LOGS = "/aws/eks/"
# Kubernetes' objects are priced apart; the others make nothing that anybody charges for.
_FREE_PACKAGES = ("command", "docker", "eksml", "kubernetes", "local", "pulumi", "random", "time", "tls")
_PACKAGES_OF_COMPONENTS = ("awsx", "eks")


def aws_lines(basis: Basis) -> Iterator[Line]:
    """The lines of every resource of AWS that is no pool of nodes."""
    for resource in basis.plan.resources:
        for key in catalog.unseen_prices().get(resource.type, ()):
            yield basis.hourly(resource, key, "cluster")
        if resource.type in _PRICED:
            yield from _PRICED[resource.type](resource, basis)
        elif is_unknown(resource):
            yield basis.not_priced(resource, resource.type, "the catalog does not know what is charged for it")


def is_unknown(resource: Resource) -> bool:
    """Whether a resource is of a type that may cost money, and the catalog knows nothing of."""
    known = resource.type in catalog.free_types() or resource.type in catalog.unseen_prices()
    # What a package of components makes, such as nodes, the program does not register.
    may_cost = resource.package in _PACKAGES_OF_COMPONENTS or resource.is_custom
    is_priced_apart = resource.package in _FREE_PACKAGES or resource.type == NODE_GROUP
    return may_cost and not known and not is_priced_apart


def _cluster(cluster: Resource, basis: Basis) -> Iterator[Line]:
    support = support_of(cluster, basis.plan)
    if support and support.is_extended_on(day_of(basis)):
        yield basis.hourly(cluster, "eksExtendedSupport", "cluster")
    if (cluster.inputs.get("computeConfig") or cluster.inputs.get("autoMode") or {}).get("enabled"):
        yield basis.not_priced(cluster, "EKS Auto Mode", "its fee depends on the nodes that it brings")
    elif cluster.package == "eks" and is_shown(cluster) and not cluster.inputs.get("skipDefaultNodeGroup"):
        yield basis.not_priced(cluster, "its default node group", "skipDefaultNodeGroup is not set, so it makes nodes")


def _nat_gateway(gateway: Resource, basis: Basis) -> Iterator[Line]:
    yield basis.hourly(gateway, "natGatewayHour", "network")
    share = basis.assumptions.nat_gb / len(basis.plan.of_type(gateway.type))
    yield basis.used(gateway, "natGatewayGb", share, "network")


def _address(address: Resource, basis: Basis) -> Iterator[Line]:
    yield basis.hourly(address, "publicAddressHour", "network")


def _vpc(vpc: Resource, basis: Basis) -> Iterator[Line]:
    # It leaves one zone and comes into another, and each costs.
    yield basis.used(vpc, "betweenZonesGb", 2 * basis.assumptions.between_zones_gb, "network")
    charged = max(0, basis.assumptions.internet_gb - _FREE_INTERNET_GB)
    yield basis.used(vpc, "internetGb", charged, "network")


def _endpoint(endpoint: Resource, basis: Basis) -> Iterator[Line]:
    if endpoint.inputs.get("vpcEndpointType", "Gateway") != "Interface":
        return
    zones = len(endpoint.inputs.get("subnetIds") or ()) or 1
    service = str(endpoint.inputs.get("serviceName")).rpartition(".")[2]
    what = f"interface endpoint of {service} in {zones} zones"
    yield basis.hourly(endpoint, "interfaceEndpointHour", "network", what, zones)
    yield basis.used(endpoint, "interfaceEndpointGb", basis.assumptions.endpoint_gb, "network")


def _load_balancer(balancer: Resource, basis: Basis) -> Iterator[Line]:
    kind = "network" if balancer.inputs.get("loadBalancerType") == "network" else "application"
    subnets = balancer.inputs.get("subnets") or balancer.inputs.get("subnetMappings") or ()
    yield from load_balancer_lines(balancer, kind, basis, 0 if balancer.inputs.get("internal") else len(subnets) or 2)


def load_balancer_lines(resource: Resource, kind: str, basis: Basis, public_zones: int) -> Iterator[Line]:
    """A load balancer, `application` or `network`, what goes through it, and its addresses where it is public."""
    yield basis.hourly(resource, f"{kind}LoadBalancerHour", "network")
    if public_zones:
        what = f"public IPv4 addresses of a load balancer in {public_zones} zones"
        yield basis.hourly(resource, "publicAddressHour", "network", what, public_zones)
    units = basis.assumptions.load_balancer_units * HOURS_PER_MONTH
    yield basis.used(resource, f"{kind}LoadBalancerUnitHour", units, "network")


def _volume(volume: Resource, basis: Basis) -> Iterator[Line]:
    yield from gp3_lines(volume, volume.inputs, basis, "storage")


def gp3_lines(resource: Resource, settings: Any, basis: Basis, purpose: str) -> Iterator[Line]:
    """An EBS volume with its operations and throughput beyond those included; only of type gp3."""
    kind = settings.get("type", settings.get("volumeType", "gp3"))
    if kind != "gp3":
        yield basis.not_priced(resource, f"EBS volume of type {kind}", "the catalog has the prices of gp3 only")
        return
    yield basis.line(resource, "gp3Gb", Range.exactly(float(settings.get("size") or 0)), purpose)
    if (iops := float(settings.get("iops") or 0)) > _GP3_IOPS:
        yield basis.line(resource, "gp3Iops", Range.exactly(iops - _GP3_IOPS), purpose)
    if (throughput := float(settings.get("throughput") or 0)) > _GP3_THROUGHPUT:
        yield basis.line(resource, "gp3Throughput", Range.exactly(throughput - _GP3_THROUGHPUT), purpose)


def _key(key: Resource, basis: Basis) -> Iterator[Line]:
    yield basis.line(key, "kmsKey", Range.exactly(1), "cluster")
    yield basis.used(key, "kmsRequests", basis.assumptions.key_requests, "cluster")


def _secret(secret: Resource, basis: Basis) -> Iterator[Line]:
    yield basis.line(secret, "secret", Range.exactly(1), "cluster")
    yield basis.used(secret, "secretRequests", basis.assumptions.secret_requests, "cluster")


def _log_group(group: Resource, basis: Basis) -> Iterator[Line]:
    is_of_cluster = str(group.inputs.get("name")).startswith(_CLUSTER_LOGS)
    taken_in = basis.assumptions.cluster_log_gb if is_of_cluster else basis.assumptions.log_gb
    yield basis.used(group, "logsIngestedGb", taken_in, "observability")
    days = group.inputs.get("retentionInDays") or 0
    if days:
        yield basis.used(group, "logsStoredGb", taken_in * days / _DAYS_PER_MONTH, "observability")
    else:
        yield basis.not_priced(group, "logs kept", "it keeps them for ever, so each month costs more")


def _bucket(bucket: Resource, basis: Basis) -> Iterator[Line]:
    yield basis.used(bucket, "s3StandardGb", basis.assumptions.bucket_gb, "storage")
    yield basis.used(bucket, "s3Writes", basis.assumptions.bucket_writes, "storage")
    yield basis.used(bucket, "s3Reads", basis.assumptions.bucket_reads, "storage")


def _queue(queue: Resource, basis: Basis) -> Iterator[Line]:
    yield basis.used(queue, "queueRequests", basis.assumptions.queue_requests, "cluster")


def _database(database: Resource, basis: Basis) -> Iterator[Line]:
    inputs = database.inputs
    engine, size = str(inputs.get("engine")), inputs.get("instanceClass")
    if engine != "postgres":
        yield basis.not_priced(database, f"RDS {engine}", "the catalog has the prices of PostgreSQL only")
        return
    zones = "multiZone" if inputs.get("multiAz") else "singleZone"
    words = "Multi-AZ" if inputs.get("multiAz") else "one zone"
    yield basis.hourly(database, f"rdsPostgresql.{size}.{zones}", "storage", f"RDS PostgreSQL, {size}, {words}")
    allocated = float(inputs.get("allocatedStorage") or 0)
    most = max(allocated, float(inputs.get("maxAllocatedStorage") or 0))
    yield basis.line(database, f"rdsGp3Gb.{zones}", Range(allocated, allocated, most), "storage")
    if backups := basis.assumptions.database_backup_gb:
        yield basis.used(database, "rdsBackupGb", backups, "storage")
    if inputs.get("iops"):
        yield basis.not_priced(
            database, "operations beyond those included", "how many are included depends on the size"
        )
    if inputs.get("manageMasterUserPassword"):
        # RDS makes it, so the program does not register it.
        yield basis.line(database, "secret", Range.exactly(1), "storage", "secret with the database's password")
        yield basis.used(database, "secretRequests", basis.assumptions.secret_requests, "storage")


def _file_system(system: Resource, basis: Basis) -> Iterator[Line]:
    inputs, assumed = system.inputs, basis.assumptions
    key = "efsOneZoneGb" if inputs.get("availabilityZoneName") else "efsStandardGb"
    yield basis.used(system, key, assumed.file_system_gb, "storage")
    mode = inputs.get("throughputMode", "bursting")
    if mode == "elastic":
        yield basis.used(system, "efsReadGb", assumed.file_system_read_gb, "storage")
        yield basis.used(system, "efsWriteGb", assumed.file_system_written_gb, "storage")
    elif mode == "provisioned":
        rate = Range.exactly(float(inputs.get("provisionedThroughputInMibps") or 0))
        yield basis.line(system, "efsThroughput", rate, "storage")


def _lustre(system: Resource, basis: Basis) -> Iterator[Line]:
    inputs = system.inputs
    yield lustre_line(
        system,
        str(inputs.get("deploymentType", "SCRATCH_1")),
        str(inputs.get("perUnitStorageThroughput", "")),
        float(inputs.get("storageCapacity") or 0),
        basis,
    )


def lustre_line(resource: Resource, deployment: str, throughput: str, gib: float, basis: Basis) -> Line:
    """A file system of FSx for Lustre."""
    if (deployment, throughput) == ("PERSISTENT_2", "125"):
        return basis.line(resource, "lustrePersistent125Gb", Range.exactly(gib), "storage")
    kind = f"{deployment}, {throughput} MB/s per TiB" if throughput else deployment
    what = f"FSx for Lustre, {kind}"
    return basis.not_priced(resource, what, "the catalog has the price of PERSISTENT_2 with 125 MB/s per TiB only")


def _zone(zone: Resource, basis: Basis) -> Iterator[Line]:
    yield basis.line(zone, "hostedZone", Range.exactly(1), "network")


def _repository(repository: Resource, basis: Basis) -> Iterator[Line]:
    yield basis.used(repository, "ecrGb", basis.assumptions.image_gb, "storage")


def _alarm(alarm: Resource, basis: Basis) -> Iterator[Line]:
    yield basis.line(alarm, "alarm", Range.exactly(1), "observability")


def _user_pool(pool: Resource, basis: Basis) -> Iterator[Line]:
    yield basis.used(pool, "activeUser", basis.assumptions.active_users, "cluster")


_PRICED: dict[str, Callable[[Resource, Basis], Iterator[Line]]] = {
    **dict.fromkeys(CLUSTERS, _cluster),
    "aws:alb/loadBalancer:LoadBalancer": _load_balancer,
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:cloudwatch/metricAlarm:MetricAlarm": _alarm,
    "aws:cognito/userPool:UserPool": _user_pool,
    "aws:ebs/volume:Volume": _volume,
    "aws:ec2/eip:Eip": _address,
    "aws:ec2/natGateway:NatGateway": _nat_gateway,
    "aws:ec2/vpc:Vpc": _vpc,
    "aws:ec2/vpcEndpoint:VpcEndpoint": _endpoint,
    "aws:ecr/repository:Repository": _repository,
    "aws:efs/fileSystem:FileSystem": _file_system,
    "aws:fsx/lustreFileSystem:LustreFileSystem": _lustre,
    "aws:kms/key:Key": _key,
    "aws:lb/loadBalancer:LoadBalancer": _load_balancer,
    "aws:rds/instance:Instance": _database,
    "aws:route53/zone:Zone": _zone,
    "aws:s3/bucket:Bucket": _bucket,
    "aws:s3/bucketV2:BucketV2": _bucket,
    "aws:secretsmanager/secret:Secret": _secret,
    "aws:sqs/queue:Queue": _queue,
}
