"""What a reader of a Plan should know before `pulumi up`, each with the setting that changes it."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from eksml import catalog, names
from eksml.clock import HOURS_OF_A_WEEK, hours_per_week
from eksml.plan.model import Plan, Resource

_SERVERS = (
    "KServeInferenceService",
    "OpenVinoServer",
    "RayServeVllm",
    "TensorFlowServing",
    "TransformersServer",
    "TritonServer",
    "VllmServer",
)
_SOON = timedelta(days=90)


def notes(plan: Plan) -> list[str]:
    """Notes on a Plan."""
    return [
        note
        for resource_type, noted in _NOTED.items()
        for resource in plan.of_type(resource_type)
        for note in noted(resource, plan)
    ]


def _platform(platform: Resource, _plan: Plan) -> Iterator[str]:
    spec = platform.inputs["spec"]
    if spec.get("pools") and spec["region"] not in catalog.priced_regions():
        yield f"Whether EC2 offers the instance types of the pools in {spec['region']} is not known."


def _cluster(cluster: Resource, plan: Plan) -> Iterator[str]:
    spec = cluster.inputs["spec"]
    yield _from_where(cluster.name, spec.get("publicAccessCidrs"), is_new_vpc=bool(plan.of_type("eksml:network:Vpc")))
    version = str(spec.get("kubernetesVersion"))
    fact = catalog.kubernetes_versions().get(version)
    end = fact.standard_support_ends if fact else None
    if end and end < catalog.today() + _SOON:
        verb = "ended" if end < catalog.today() else "ends"
        yield (
            f"EKS {verb} its standard support of Kubernetes {version} on {end}: take a newer version "
            "(cluster.kubernetesVersion) or a newer eksml."
        )
    if spec.get("deletionProtection"):
        yield f"Nothing can be destroyed until cluster.deletionProtection of {cluster.name} is false and applied."


def _from_where(cluster: str, public_ranges: list[str] | None, *, is_new_vpc: bool) -> str:
    if public_ranges:
        places = ", ".join(public_ranges)
        return f"The API server of {cluster} is reachable from its VPC and from {places}: run `pulumi up` from there."
    if is_new_vpc:
        return (
            f"The API server of {cluster} is reachable from its VPC only, which this stack makes: for the first "
            "`pulumi up`, let your own addresses in (cluster.publicAccessCidrs), or bring a VPC that you can work from "
            "(network.kind: existing)."
        )
    return (
        f"The API server of {cluster} is reachable from its VPC only: run `pulumi up` from inside the VPC (a host, a "
        "runner or a VPN there), or let your own addresses in with cluster.publicAccessCidrs."
    )


def _server(server: Resource, _plan: Plan) -> Iterator[str]:
    spec = server.inputs["spec"]
    source = spec.get("source", {})
    if source.get("kind") == "s3" and not source.get("populate"):
        bucket = source.get("bucket") or "the model bucket"
        models = ", ".join(spec.get("models", ())) or "its model"
        yield f"{server.name} answers once {models} can be read in {bucket}, below {source['prefix']}."


def _managed_pool(pool: Resource, _plan: Plan) -> Iterator[str]:
    if pool.inputs["spec"].get("size") == 0:
        yield f"The managed pool {pool.name} has no nodes and gets none by itself: its pods wait until it has a size."


def _node_group(group: Resource, _plan: Plan) -> Iterator[str]:
    if not group.inputs.get("releaseVersion"):
        yield f"The image of the pool {group.name} is not pinned: the catalog knows no release, EKS takes its newest."


def _vpc(vpc: Resource, _plan: Plan) -> Iterator[str]:
    if vpc.inputs["spec"].get("natGateways") == "none":
        yield f"The VPC {vpc.name} has no NAT gateway: nodes reach only what lies in it, such as ECR (imageRegistry)."


def _budget(budget: Resource, _plan: Plan) -> Iterator[str]:
    yield (
        f"The budget {budget.name} counts nothing before the tag {names.PLATFORM_TAG} is activated for cost "
        "allocation, in the account that pays, a day or so after the first `pulumi up`."
    )
    spec = budget.inputs["spec"]
    if not (spec.get("emails") or spec.get("topicArn")):
        yield f"Nobody is told when the budget {budget.name} is used up: name somebody in budget.emails."


def _schedule(schedule: Resource, plan: Plan) -> Iterator[str]:
    spec = schedule.inputs["spec"]
    hours = hours_per_week(spec["days"], spec["start"], spec["end"])
    days = ", ".join(day.capitalize() for day in spec["days"])
    yield (
        f"Nodes come and go by the clock: they are there {hours:g} of {HOURS_OF_A_WEEK} hours a week "
        f"({days}, {spec['start']} to {spec['end']} {spec.get('timeZone', 'UTC')}). What runs on them then ends, and "
        "pods that need them wait; pods that must not be disturbed keep a node of Karpenter until they are done."
    )
    if plan.of_type("aws:scheduler/schedule:Schedule"):
        yield "`pulumi up --refresh` outside these hours brings managed pools back until the next evening."


_NOTED: dict[str, Callable[[Resource, Plan], Iterator[str]]] = {
    "eksml:platform:Platform": _platform,
    "eksml:cluster:NewCluster": _cluster,
    "eksml:network:Vpc": _vpc,
    "eksml:nodes:ManagedPool": _managed_pool,
    "eksml:nodes:Schedule": _schedule,
    "eksml:observability:Budget": _budget,
    "aws:eks/nodeGroup:NodeGroup": _node_group,
    **{f"eksml:serving:{server}": _server for server in _SERVERS},
}
