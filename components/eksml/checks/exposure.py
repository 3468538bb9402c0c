"""What can be reached and read by whom."""

from collections.abc import Iterator, Mapping
from typing import Any

from eksml.addresses import is_open
from eksml.checks.finding import Found
from eksml.checks.workloads import RELEASE
from eksml.plan import Plan, Resource
from eksml.plan.canonical import is_shown

_CLUSTER = "eks:index:Cluster"


def not_public(plan: Plan) -> Iterator[Found]:
    """No load balancer, database or bucket is public."""
    for resource in plan.resources:
        is_public = resource.package == "kubernetes" and is_reached_from_internet(
            resource.type.rpartition(":")[2], resource.inputs
        )
        if is_public and not _is_opened(resource, plan):
            yield Found(resource, "a load balancer that the internet reaches: make its scheme internal")
        if resource.type in _LOAD_BALANCERS and not resource.inputs.get("internal"):
            yield Found(resource, "a load balancer that the internet reaches: make it internal")
        if resource.package == "aws" and resource.inputs.get("publiclyAccessible") is True:
            yield Found(resource, "has an address that the internet reaches: set publiclyAccessible to false")
    for release in plan.of_type(RELEASE):
        for path in _public_values(release.inputs.get("values"), ()):
            yield Found(release, f"its value {path} makes a load balancer that the internet reaches: make it internal")
    closed = _buckets_with(plan, "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", _blocks_all)
    for bucket in plan.of_type("aws:s3/bucket:Bucket"):
        if bucket.urn not in closed:
            yield Found(bucket, "public access to the bucket is not blocked")


def open_public_endpoint(plan: Plan) -> Iterator[Found]:
    """No API server is reachable from the whole internet, which it is where nothing else is said."""
    for cluster in filter(is_shown, plan.of_type(_CLUSTER)):
        ranges = cluster.inputs.get("publicAccessCidrs") or ()
        if not cluster.inputs.get("endpointPublicAccess", True):
            continue
        if not ranges:
            yield Found(cluster, "the API server is reachable from the whole internet: give publicAccessCidrs")
        for cidr in filter(is_open, ranges):
            text = f"the API server is reachable from {cidr}: give your own ranges under publicAccessCidrs"
            yield Found(cluster, text)


def encrypted(plan: Plan) -> Iterator[Found]:
    """Volumes, file systems, queues, databases, buckets and Kubernetes' secrets are encrypted at rest."""
    for resource_type, path in _ENCRYPTION_FIELDS.items():
        for resource in plan.of_type(resource_type):
            if is_shown(resource) and not resource.inputs.get(path):
                yield Found(resource, f"is not encrypted: {path} is not set")
    for template in plan.of_type("aws:ec2/launchTemplate:LaunchTemplate"):
        if not _all_encrypted(template.inputs.get("blockDeviceMappings")):
            yield Found(template, "a disk of its instances is not encrypted")
    for node_class in plan.of_type("kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"):
        if not _all_encrypted(node_class.inputs["spec"].get("blockDeviceMappings")):
            yield Found(node_class, "a disk of its instances is not encrypted")
    for storage in plan.of_type("kubernetes:storage.k8s.io/v1:StorageClass"):
        parameters = storage.inputs.get("parameters") or {}
        if storage.inputs.get("provisioner") == "ebs.csi.aws.com" and parameters.get("encrypted") != "true":
            yield Found(storage, "its volumes are not encrypted")
    ruled = _buckets_with(
        plan, "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration", lambda _: True
    )
    for bucket in plan.of_type("aws:s3/bucket:Bucket"):
        if bucket.urn not in ruled:
            yield Found(bucket, "how the bucket is encrypted is not said")


def network_policy_enforced(plan: Plan) -> Iterator[Found]:
    """Where there are network policies, VPC CNI enforces them; of a cluster that exists nothing is known."""
    clusters = [cluster for cluster in plan.of_type(_CLUSTER) if is_shown(cluster)]
    enforces = any((each.inputs.get("vpcCniOptions") or {}).get("enableNetworkPolicy") for each in clusters)
    policies = plan.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")
    if clusters and policies and not enforces:
        for cluster in clusters:
            yield Found(cluster, f"does not enforce the network policies of the stack ({len(policies)} of them)")


_ENCRYPTION_FIELDS = {
    "aws:ebs/volume:Volume": "encrypted",
    "aws:efs/fileSystem:FileSystem": "encrypted",
    "aws:rds/instance:Instance": "storageEncrypted",
    "aws:sqs/queue:Queue": "sqsManagedSseEnabled",
    _CLUSTER: "encryptionConfigKeyArn",
}


_LOAD_BALANCERS = tuple(f"aws:{module}/loadBalancer:LoadBalancer" for module in ("lb", "alb", "elb"))
_ENTRIES = ("eksml:network:TeamGateway", "eksml:network:PlatformEntry")
_SCHEME = "service.beta.kubernetes.io/aws-load-balancer-scheme"
_INTERNAL = "service.beta.kubernetes.io/aws-load-balancer-internal"
_INGRESS_SCHEME = "alb.ingress.kubernetes.io/scheme"
_PUBLIC = "internet-facing"


def is_reached_from_internet(kind: str, item: Mapping[str, Any]) -> bool:
    """Whether an object of Kubernetes gets a load balancer that the internet reaches, or lets others get one.

    Source: https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/
    """
    spec, annotations = item.get("spec") or {}, (item.get("metadata") or {}).get("annotations") or {}
    match kind:
        case "Service":
            return spec.get("type") == "LoadBalancer" and not _is_internal(annotations, spec)
        case "Ingress":
            return annotations.get(_INGRESS_SCHEME) == _PUBLIC
        case "IngressClassParams" | "LoadBalancerConfiguration":
            return spec.get("scheme") == _PUBLIC
        case _:
            return False


def _is_opened(resource: Resource, plan: Plan) -> bool:
    """Whether a Spec says in so many words that the internet reaches it, which refuses to without TLS and more."""
    owner = plan.by_urn.get(resource.parent or "")
    spec = owner.inputs.get("spec") or {} if owner and owner.type in _ENTRIES else {}
    return spec.get("scheme") == "internetFacing"


def _is_internal(annotations: Mapping[str, Any], spec: Mapping[str, Any]) -> bool:
    """Whether a Service's load balancer is internal: by its scheme, else the older annotation, else the controller."""
    if _SCHEME in annotations:
        return annotations[_SCHEME] == "internal"
    if _INTERNAL in annotations:
        return str(annotations[_INTERNAL]).lower() in ("true", "0.0.0.0/0")
    return str(spec.get("loadBalancerClass", "")).startswith("service.k8s.aws/")


def _public_values(values: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Where values, of a chart that need not be known, ask for a load balancer that the internet reaches."""
    if isinstance(values, list):
        for index, item in enumerate(values):
            yield from _public_values(item, (*path, str(index)))
    elif isinstance(values, Mapping) and values.get("enabled") is not False:
        is_object = {"apiVersion", "kind"} <= set(values)
        if is_reached_from_internet(str(values["kind"]), values) if is_object else _asks_for_public(values):
            yield ".".join(path)
        elif not is_object:
            for key, item in values.items():
                yield from _public_values(item, (*path, str(key)))


def _asks_for_public(values: Mapping[str, Any]) -> bool:
    if _PUBLIC in (values.get(_SCHEME), values.get(_INGRESS_SCHEME)):
        return True
    annotations = {**(values.get("annotations") or {}), **(values.get("serviceAnnotations") or {})}
    return "LoadBalancer" in (values.get("type"), values.get("serviceType")) and not _is_internal(annotations, values)


def _all_encrypted(mappings: Any) -> bool:
    disks = [mapping.get("ebs") or {} for mapping in mappings or ()]
    return bool(disks) and all(str(disk.get("encrypted")).lower() == "true" for disk in disks)


def _buckets_with(plan: Plan, resource_type: str, is_enough: Any) -> set[str]:
    return {
        urn
        for each in plan.of_type(resource_type)
        if is_enough(each)
        for urn in each.property_dependencies.get("bucket", each.dependencies)
    }


def _blocks_all(block: Resource) -> bool:
    fields = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    return all(block.inputs.get(field) for field in fields)
