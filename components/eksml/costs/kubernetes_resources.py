"""What objects of Kubernetes make a controller order from AWS: volumes and load balancers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eksml import names
from eksml.catalog import chart_values
from eksml.checks.exposure import is_reached_from_internet
from eksml.checks.quantities import amount_of
from eksml.checks.workloads import RELEASE, chart_of, laid_over
from eksml.costs.aws_resources import gp3_lines, load_balancer_lines, lustre_line
from eksml.costs.basis import Basis, Line
from eksml.plan import Plan, Resource

_EBS = "ebs.csi.aws.com"
_LUSTRE = "fsx.csi.aws.com"
_EFS = "efs.csi.aws.com"
_INGRESS_CLASS = "kubernetes.io/ingress.class"
# An Application Load Balancer needs as many.
_FEWEST_ZONES = 2
_LOAD_BALANCER_TYPE = "service.beta.kubernetes.io/aws-load-balancer-type"


def kubernetes_lines(basis: Basis) -> Iterator[Line]:
    """The lines of every object of Kubernetes, and of the charts whose values name volumes."""
    for resource in basis.plan.resources:
        if resource.package != "kubernetes":
            continue
        for claim, copies in _claims(resource):
            for _ in range(copies):
                yield from _volume(resource, claim, basis)
        yield from _load_balancers(resource, basis)


def _claims(resource: Resource) -> Iterator[tuple[Mapping[str, Any], int]]:
    """The specs of the claims that a resource makes, and how often."""
    kind = resource.inputs.get("kind")
    if kind == "PersistentVolumeClaim":
        yield resource.inputs.get("spec") or {}, 1
    elif resource.type == RELEASE:
        known, values = chart_of(resource), resource.inputs.get("values") or {}
        yield from _templates(laid_over(chart_values()[known[0]], values) if known else values, 1)
    else:
        yield from _templates(resource.inputs.get("spec"), 1)


def _templates(value: Any, copies: int) -> Iterator[tuple[Mapping[str, Any], int]]:
    """Every template of a claim at any depth, and how many replicas have one each."""
    if isinstance(value, Mapping):
        replicas = value.get("replicas")
        copies = replicas if isinstance(replicas, int) and not isinstance(replicas, bool) else copies
        for key, item in value.items():
            if key == "volumeClaimTemplate" and isinstance(item, Mapping) and item.get("spec"):
                yield item["spec"], copies
            elif key == "volumeClaimTemplates" and isinstance(item, list):
                yield from ((each.get("spec") or {}, copies) for each in item)
            else:
                yield from _templates(item, copies)
    elif isinstance(value, list):
        for item in value:
            yield from _templates(item, copies)


def _volume(resource: Resource, claim: Mapping[str, Any], basis: Basis) -> Iterator[Line]:
    name = claim.get("storageClassName", names.DEFAULT_STORAGE_CLASS)
    if claim.get("volumeName") or name == "":
        # It binds to a volume that exists, such as a bucket.
        return
    mib = amount_of("memory", ((claim.get("resources") or {}).get("requests") or {}).get("storage"))
    storage_class = _storage_class(basis.plan, name)
    provisioner, parameters = storage_class.get("provisioner"), storage_class.get("parameters") or {}
    if provisioner == _EBS:
        yield from gp3_lines(resource, {**parameters, "size": mib / 1024}, basis, "storage")
    elif provisioner == _LUSTRE:
        deployment, rate = parameters.get("deploymentType", ""), parameters.get("perUnitStorageThroughput", "")
        yield lustre_line(resource, str(deployment), str(rate), mib / 1024, basis)
    elif provisioner != _EFS:
        # On EFS it is a directory of a file system that is priced itself.
        text = f"volume of class {name}"
        yield basis.not_priced(resource, text, "nothing in the Plan says what makes volumes of this class")


def _storage_class(plan: Plan, name: Any) -> Mapping[str, Any]:
    classes = plan.of_type("kubernetes:storage.k8s.io/v1:StorageClass")
    return next((each.inputs for each in classes if (each.inputs.get("metadata") or {}).get("name") == name), {})


def _load_balancers(resource: Resource, basis: Basis) -> Iterator[Line]:
    kind, spec = resource.inputs.get("kind"), resource.inputs.get("spec") or {}
    annotations = (resource.inputs.get("metadata") or {}).get("annotations") or {}
    zones = _public_zones(resource, basis.plan)
    if kind == "Gateway" and spec.get("gatewayClassName") == names.GATEWAY_CLASS:
        yield from load_balancer_lines(resource, "application", basis, zones)
    elif kind == "Ingress":
        if spec.get("ingressClassName", annotations.get(_INGRESS_CLASS)) == "alb":
            yield from load_balancer_lines(resource, "application", basis, zones)
        else:
            yield basis.not_priced(resource, "load balancer", "whether its class makes one of its own is not known")
    elif kind == "Service" and spec.get("type") == "LoadBalancer":
        if annotations.get(_LOAD_BALANCER_TYPE) or spec.get("loadBalancerClass"):
            yield from load_balancer_lines(resource, "network", basis, zones)
        else:
            yield basis.not_priced(resource, "load balancer", "which kind of one the cluster makes for it is not known")


def _public_zones(resource: Resource, plan: Plan) -> int:
    """In how many zones the load balancer that an object asks for has a public address: as many as have a subnet."""
    if not any(
        is_reached_from_internet(str(each.inputs.get("kind")), each.inputs) for each in _configured_by(resource, plan)
    ):
        return 0
    subnets = [each.inputs.get("tags") or {} for each in plan.of_type("aws:ec2/subnet:Subnet")]
    return sum(names.PUBLIC_LOAD_BALANCER_TAG in tags for tags in subnets) or _FEWEST_ZONES


def _configured_by(resource: Resource, plan: Plan) -> Iterator[Resource]:
    """What says whether a load balancer is public: the object itself, or what a Gateway refers to."""
    yield resource
    infrastructure = (resource.inputs.get("spec") or {}).get("infrastructure") or {}
    own = (
        (resource.inputs.get("metadata") or {}).get("namespace"),
        (infrastructure.get("parametersRef") or {}).get("name"),
    )
    for each in plan.of_type(f"kubernetes:{names.GATEWAY_AWS_API_VERSION}:LoadBalancerConfiguration"):
        metadata = each.inputs.get("metadata") or {}
        if (metadata.get("namespace"), metadata.get("name")) == own:
            yield each
