"""Names within the limits of AWS and Kubernetes, each once, and tags."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from eksml import names
from eksml.checks.finding import Found
from eksml.errors import listed
from eksml.plan import Plan, Resource
from eksml.plan.canonical import is_shown
from eksml.plan.model import STACK_REFERENCE_TYPE, UNKNOWN

_PROVIDER = "pulumi:providers:kubernetes"
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
    "aws:scheduler/schedule:Schedule": ("name", 64),
    "aws:scheduler/scheduleGroup:ScheduleGroup": ("name", 64),
    "aws:sqs/queue:Queue": ("name", 80),
    "eks:index:Cluster": ("name", 100),
}
_LABEL_VALUE, _OBJECT_NAME, _NAMESPACE = 63, 253, 63

# Types of AWS that carry tags, of those that the components use; others inherit them or cannot.
_TAGGED = (
    "aws:budgets/budget:Budget",
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
    "aws:scheduler/scheduleGroup:ScheduleGroup",
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


def one_of_a_name(plan: Plan) -> Iterator[Found]:
    """No two objects of a kind have one name in a namespace of one cluster, those of a platform's workload too."""
    together: dict[tuple[str | None, ...], list[Resource]] = defaultdict(list)
    for resource in plan.resources:
        metadata = resource.inputs.get("metadata")
        # A patch is of an object that somebody else makes.
        if resource.package != "kubernetes" or resource.type.endswith("Patch") or not isinstance(metadata, Mapping):
            continue
        if metadata.get("name") not in (None, UNKNOWN):
            group = str(resource.inputs.get("apiVersion")).rpartition("/")[0]
            kind, place = resource.type.rpartition(":")[2], (metadata.get("namespace"), metadata["name"])
            together[_cluster_of(resource, plan), group, kind, *place].append(resource)
    for (_, _, kind, namespace, name), same in together.items():
        for resource in same if len(same) > 1 else ():
            others = listed(other.urn for other in same if other is not resource)
            where = f"{namespace}/{name}" if namespace else name
            yield Found(resource, f"{kind} {where} is made by {others} too: give one of them another name")


def _cluster_of(resource: Resource, plan: Plan) -> str | None:
    """The provider of a Kubernetes object's cluster: a workload's own one has the kubeconfig of its platform's."""
    provider = plan.by_urn.get(resource.provider or "")
    for reference in plan.of_type(STACK_REFERENCE_TYPE):
        if provider and reference.urn in provider.dependencies:
            there = [urn for urn in reference.dependencies if urn in plan.by_urn]
            return next((urn for urn in there if plan.by_urn[urn].type == _PROVIDER), resource.provider)
    return resource.provider


def tagged(plan: Plan) -> Iterator[Found]:
    """Everything in AWS that can carry tags has those of its platform, and its team's where a team has it alone."""
    yield from _of_teams(plan)
    platforms = plan.of_type("eksml:platform:Platform")
    wanted = {names.PLATFORM_TAG} | {
        key for each in platforms for key in (each.inputs.get("spec") or {}).get("tags", {})
    }
    for resource in plan.resources if platforms else ():
        if (
            resource.type in _TAGGED
            and is_shown(resource)
            and (missing := sorted(wanted - set(resource.inputs.get("tags") or {})))
        ):
            yield Found(resource, f"has no tag {', '.join(missing)}")


def _of_teams(plan: Plan) -> Iterator[Found]:
    """Where tags in AWS and labels in Kubernetes do not name the team that a thing is of."""
    teams, namespaces = dict[str, str](), dict[str, str]()
    for each in plan.of_type("kubernetes:core/v1:Namespace"):
        metadata = each.inputs.get("metadata") or {}
        if team := (metadata.get("labels") or {}).get(names.TEAM_LABEL):
            namespaces[str(metadata.get("name"))] = team
            if each.parent in plan.by_urn and plan.by_urn[each.parent].type == "eksml:tenancy:Team":
                teams[each.parent] = team
    for resource in plan.resources:
        if resource.package == "kubernetes":
            metadata = resource.inputs.get("metadata") or {}
            team = namespaces.get(str(metadata.get("namespace")))
            given = (metadata.get("labels") or {}).get(names.TEAM_LABEL)
            if team and given not in (None, team):
                yield Found(resource, f"is in the namespace of {team}, and its label {names.TEAM_LABEL} says {given}")
        owner = next((teams[urn] for urn in _above(resource, plan) if urn in teams), None)
        if owner and (tags := _tags_of(resource)) is not None and tags.get(names.TEAM_TAG) != owner:
            given = tags.get(names.TEAM_TAG)
            text = f"says {given}" if given else "is missing"
            yield Found(resource, f"is what the team {owner} has alone, and its tag {names.TEAM_TAG} {text}")


def _above(resource: Resource, plan: Plan) -> Iterator[str]:
    """The components that a resource belongs to."""
    parent = resource.parent
    while parent is not None:
        yield parent
        parent = plan.by_urn[parent].parent if parent in plan.by_urn else None


def _tags_of(resource: Resource) -> Mapping[str, str] | None:
    """The tags of what is made in AWS, by Pulumi or by the load balancer controller; None where it carries none."""
    if resource.type in _TAGGED:
        return resource.inputs.get("tags") or {}
    if resource.type.endswith(":LoadBalancerConfiguration"):
        return (resource.inputs.get("spec") or {}).get("tags") or {}
    return None
