"""The platform's entry: one load balancer by which people reach its services, each by a name of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pulumi
import pulumi_kubernetes as k8s

from eksml import names
from eksml.addresses import is_open
from eksml.component import Component, Tags
from eksml.errors import Problem
from eksml.kubernetes_object import KubernetesObject, pulumi_type
from eksml.network.authentication import OpenIdConnect, authentication_action
from eksml.network.existing_vpc import ExistingVpcSpec
from eksml.network.load_balancer import Entry, IdleTimeout, LoadBalancerSpec, Scheme, Tls, load_balancer_problems
from eksml.network.target_group import target_group
from eksml.network.team_routes import READ, RULES_KIND
from eksml.network.vpc import NewVpcSpec
from eksml.paths import Path
from eksml.spec import HostDomain, Namespace, ObjectName, Port, Spec, UrlPath

_RBAC = "rbac.authorization.k8s.io"
_PLATFORM = {names.PLATFORM_NAMESPACE_LABEL: names.PLATFORM_NAMESPACE_VALUE}
_DRAIN_SECONDS = 30


class EntrySpec(LoadBalancerSpec):
    """Where people reach the services of the platform: each at SERVICE.DOMAIN, over HTTPS."""

    host: HostDomain
    """*.DOMAIN: a service answers to its own name in front of the domain, such as mlflow.DOMAIN."""
    tls: Tls
    """The certificate for *.DOMAIN: one of ACM, or one that is made."""
    idle_timeout_seconds: IdleTimeout = 3600
    """Seconds of silence after which a connection is cut; notebooks keep one open, also while nothing is computed."""

    def rules(self) -> Iterator[Problem]:
        """The internet does not come in unasked."""
        yield from super().rules()
        is_public = self.scheme is Scheme.INTERNET_FACING
        if is_public and (not self.source_ranges or any(map(is_open, self.source_ranges))):
            reason = "with internetFacing and without ranges of your own, anybody reaches notebooks and experiments"
            yield Problem(("sourceRanges",), f"{'open to all' if self.source_ranges else 'missing'}: {reason}")

    @property
    def domain(self) -> str:
        """What the names of services end with."""
        return self.host.removeprefix("*.")


class EntryHandles(NamedTuple):
    """What a service needs to know of the entry."""

    domain: str
    """What the names of services end with."""

    def host(self, service: str) -> str:
        """The host name of a service."""
        return f"{service}.{self.domain}"

    def url(self, service: str) -> str:
        """Where people reach a service."""
        return f"https://{self.host(service)}"


class PlatformEntry(Entry):
    """A Gateway in a namespace of its own, which takes routes from the namespaces of the platform and from no other.

    It needs the load balancer controller with the definitions of the Gateway API.

    Arguments:
        spec: where it is reached.
        tags: tags for everything in AWS, the load balancer too.

    Attributes:
        certificate_arn: the ARN of its certificate.
        handles: what services need to know of it.
    """

    def __init__(
        self, name: str, spec: EntrySpec, *, tags: Tags | None = None, opts: pulumi.ResourceOptions | None = None
    ):
        namespace = names.ENTRY_NAMESPACE
        super().__init__(
            "eksml:network:PlatformEntry", name, spec, namespace=namespace, labels=_PLATFORM, tags=tags, opts=opts
        )
        # No pod runs here, and the label of the platform would let pods reach those of teams.
        labels = {names.POD_SECURITY_LABEL: "restricted"}
        made = k8s.core.v1.Namespace(
            f"{name}-namespace", metadata={"name": namespace, "labels": labels}, opts=self.child()
        )
        from_platform = {"namespaces": {"from": "Selector", "selector": {"matchLabels": _PLATFORM}}}
        self.make_gateway(spec, needs=[made], allowed_routes=from_platform)
        self.handles = EntryHandles(spec.domain)
        self.register_outputs({"certificateArn": self.certificate_arn})


class ServiceRoutesSpec(Spec):
    """The Kubernetes Service that people reach."""

    namespace: Namespace
    """The namespace of the service, which has the label of the platform."""
    service: ObjectName
    """Name of the Kubernetes Service, in that namespace."""
    port: Port
    """Its port."""
    health_path: UrlPath
    """What the load balancer asks its pods; they answer 200 while they are healthy, also to nobody in particular."""


class ServiceRoutes(Component):
    """What leads people from the platform's entry to a service.

    Arguments:
        spec: where requests go.
        service: the first part of the host name.
        entry: the entry.
        authentication: with whom people log in before they reach the service; its Secret is in the service's
            namespace. None: the service asks them itself.
    """

    def __init__(
        self,
        name: str,
        spec: ServiceRoutesSpec,
        *,
        service: str,
        entry: EntryHandles,
        authentication: OpenIdConnect | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:network:ServiceRoutes", name, spec, opts)
        made: list[pulumi.Resource] = []
        for each in service_routes(service, spec, entry, authentication=authentication):
            made.append(
                pulumi.CustomResource(
                    pulumi_type(each.api_version, each.kind),
                    f"{name}-{each.kind.lower()}",
                    {
                        "apiVersion": each.api_version,
                        "kind": each.kind,
                        "metadata": {"name": each.name, "namespace": spec.namespace},
                        **each.body,
                    },
                    self.child(depends_on=list(made)),
                )
            )
        self.register_outputs({"url": entry.url(service)})


def service_routes(
    name: str, backend: ServiceRoutesSpec, entry: EntryHandles, *, authentication: OpenIdConnect | None = None
) -> list[KubernetesObject]:
    """The objects by which people reach a service, in the order in which they are made, in the service's namespace.

    The namespace has the label of the platform, `names.PLATFORM_NAMESPACE_LABEL`.

    Arguments:
        name: that of the service and of the objects, and the first part of its host name.
        backend: where requests go.
        entry: the entry.
        authentication: with whom people log in before they reach the service; its Secret is in the service's
            namespace. null: the service asks them itself.
    """
    behind = {
        "targetReference": {"name": backend.service},
        "defaultConfiguration": target_group(backend.health_path, "200", _DRAIN_SECONDS),
    }
    made = [_aws_object("TargetGroupConfiguration", name, behind)]
    filters: list[dict[str, Any]] = []
    if authentication:
        made += _secret_rights(name, authentication.secret)
        made.append(_aws_object(RULES_KIND, name, {"actions": [authentication_action(authentication)]}))
        reference = {"group": "gateway.k8s.aws", "kind": RULES_KIND, "name": name}
        filters = [{"type": "ExtensionRef", "extensionRef": reference}]
    route = {
        "parentRefs": [{"name": names.ENTRY, "namespace": names.ENTRY_NAMESPACE, "sectionName": names.ENTRY}],
        "hostnames": [entry.host(name)],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                **({"filters": filters} if filters else {}),
                "backendRefs": [{"name": backend.service, "port": backend.port}],
            }
        ],
    }
    return [*made, KubernetesObject(names.GATEWAY_API_VERSION, "HTTPRoute", name, {"spec": route})]


def entry_policy(
    name: str, pods: Mapping[str, str], port: int, load_balancer_cidrs: tuple[str, ...]
) -> KubernetesObject:
    """The network policy that lets load balancers reach pods with these labels at one port of theirs.

    They reach pods by their addresses, so they are let in by the ranges of their subnets.
    """
    ingress = {
        "from": [{"ipBlock": {"cidr": cidr}} for cidr in load_balancer_cidrs],
        "ports": [{"protocol": "TCP", "port": port}],
    }
    spec = {"podSelector": {"matchLabels": dict(pods)}, "policyTypes": ["Ingress"], "ingress": [ingress]}
    return KubernetesObject("networking.k8s.io/v1", "NetworkPolicy", f"{name}-entry", {"spec": spec})


def _aws_object(kind: str, name: str, spec: dict[str, Any]) -> KubernetesObject:
    return KubernetesObject(names.GATEWAY_AWS_API_VERSION, kind, name, {"spec": spec})


def _secret_rights(name: str, secret: str) -> list[KubernetesObject]:
    """Of all Secrets of the namespace the load balancer controller reads this one."""
    role = f"{name}-entry-secret"
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [secret], "verbs": READ}
    controller = {
        "kind": "ServiceAccount",
        "name": names.LOAD_BALANCER_CONTROLLER_SERVICE_ACCOUNT,
        "namespace": names.SYSTEM_NAMESPACE,
    }
    reference = {"apiGroup": _RBAC, "kind": "Role", "name": role}
    return [
        KubernetesObject(f"{_RBAC}/v1", "Role", role, {"rules": [rule]}),
        KubernetesObject(f"{_RBAC}/v1", "RoleBinding", role, {"roleRef": reference, "subjects": [controller]}),
    ]


def entry_problems(
    spec: EntrySpec, *, region: str, network: NewVpcSpec | ExistingVpcSpec | None, team_hosts: Mapping[str, str]
) -> Iterator[Problem]:
    """What does not hold between the entry, `gateway.entry`, and the rest of a platform.

    Arguments:
        spec: the entry.
        region: the AWS region.
        network: the network that its load balancer stands in.
        team_hosts: by team, the host of its own entry, where it has one.
    """
    path: Path = ("gateway", "entry")
    yield from (problem.below(path) for problem in load_balancer_problems(spec, region))
    if isinstance(network, ExistingVpcSpec) and not network.load_balancer_cidrs:
        reason = "without it no load balancer reaches the pods of services, and the platform has an entry"
        yield Problem(("network", "loadBalancerCidrs"), f"missing: {reason}", path)
    for team, host in team_hosts.items():
        if _takes_names_of(host, spec):
            text = f"'{host}' given, and {spec.host} is for the services of the platform: a name leads to one place"
            yield Problem(("teams", team, "gateway", "host"), text, (*path, "host"))


def login_problems(
    path: Path, spec: EntrySpec | None, network: NewVpcSpec | ExistingVpcSpec | None
) -> Iterator[Problem]:
    """Why people cannot log in at the entry before they reach the service whose authentication is at this path."""
    if spec is None:
        yield Problem(path, "openIdConnect given, but people log in at the entry: give gateway.entry", ("gateway",))
    elif spec.scheme is Scheme.INTERNAL and isinstance(network, NewVpcSpec):
        reason = "an internal load balancer of a new VPC has no way to the internet, where the provider is"
        remedy = "take another kind, or gateway.entry.scheme: internetFacing with sourceRanges"
        yield Problem(path, f"openIdConnect given, but {reason}: {remedy}", ("gateway", "entry"))


def _takes_names_of(host: str, spec: EntrySpec) -> bool:
    """Whether a team's host covers names of services; hosts deeper in the domain do not."""
    if host.startswith("*."):
        return f".{spec.domain}".endswith(host[1:])
    return host.partition(".")[2] == spec.domain
