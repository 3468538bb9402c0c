"""Names within the limits of AWS and Kubernetes, and tags."""

from collections.abc import Iterator, Mapping

from eksml.checks.finding import Found
from eksml.plan import Plan, Resource
from eksml.plan.canonical import is_shown

# What Pulumi adds to a resource's own name where no input names it.
_AUTONAME = 8
# By type: the input that names it, and the longest name.
_LIMITS = {
    "aws:cloudwatch/eventRule:EventRule": ("name", 64),
    "aws:cloudwatch/logGroup:LogGroup": ("name", 512),
    "aws:ec2/launchTemplate:LaunchTemplate": ("name", 128),
    "aws:ec2/placementGroup:PlacementGroup": ("name", 255),
    "aws:ec2/securityGroup:SecurityGroup": ("name", 255),
    "aws:eks/nodeGroup:NodeGroup": ("nodeGroupName", 63),
    "aws:iam/instanceProfile:InstanceProfile": ("name", 128),
    "aws:iam/role:Role": ("name", 64),
    "aws:iam/rolePolicy:RolePolicy": ("name", 128),
    "aws:lb/loadBalancer:LoadBalancer": ("name", 32),
    "aws:rds/instance:Instance": ("identifier", 63),
    "aws:s3/bucket:Bucket": ("bucket", 63),
    "aws:sqs/queue:Queue": ("name", 80),
    "eks:index:Cluster": ("name", 100),
}
_LABEL_VALUE, _OBJECT_NAME, _NAMESPACE = 63, 253, 63

# Types of AWS that carry tags, of those that the components use; others inherit them or cannot.
_TAGGED = (
    "aws:ec2/eip:Eip",
    "aws:ec2/launchTemplate:LaunchTemplate",
    "aws:ec2/natGateway:NatGateway",
    "aws:ec2/subnet:Subnet",
    "aws:ec2/vpc:Vpc",
    "aws:ec2/vpcEndpoint:VpcEndpoint",
    "aws:efs/fileSystem:FileSystem",
    "aws:eks/nodeGroup:NodeGroup",
    "aws:iam/role:Role",
    "aws:kms/key:Key",
    "aws:lb/loadBalancer:LoadBalancer",
    "aws:rds/instance:Instance",
    "aws:s3/bucket:Bucket",
    "aws:sqs/queue:Queue",
    "eks:index:Cluster",
)


def name_fits(plan: Plan) -> Iterator[Found]:
    """Every name is as short as AWS and Kubernetes want it, with what Pulumi adds."""
    for resource in plan.resources:
        if limit := _LIMITS.get(resource.type):
            key, most = limit
            given = resource.inputs.get(key)
            length = len(given) if isinstance(given, str) else len(resource.name) + _AUTONAME
            if length > most:
                yield Found(resource, f"its name has {length} characters, AWS allows {most}")
        elif resource.package == "kubernetes":
            yield from _object_names(resource)


def _object_names(resource: Resource) -> Iterator[Found]:
    metadata = resource.inputs.get("metadata")
    if not isinstance(metadata, Mapping):
        return
    most = _NAMESPACE if resource.inputs.get("kind") == "Namespace" else _OBJECT_NAME
    name = str(metadata.get("name") or "")
    if len(name) > most:
        yield Found(resource, f"its name has {len(name)} characters, Kubernetes allows {most}")
    for key, value in (metadata.get("labels") or {}).items():
        if len(str(value)) > _LABEL_VALUE:
            yield Found(resource, f"its label {key} has {len(str(value))} characters, Kubernetes allows {_LABEL_VALUE}")


def tagged(plan: Plan) -> Iterator[Found]:
    """Everything in AWS that can carry tags has those of its platform."""
    platforms = plan.of_type("eksml:platform:Platform")
    wanted = {"eksml:platform"} | {key for each in platforms for key in (each.inputs.get("spec") or {}).get("tags", {})}
    for resource in plan.resources if platforms else ():
        if (
            resource.type in _TAGGED
            and is_shown(resource)
            and (missing := sorted(wanted - set(resource.inputs.get("tags") or {})))
        ):
            yield Found(resource, f"has no tag {', '.join(missing)}")
