"""What the pods of a team may reach, and who may reach them: nothing and nobody, but for these openings."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from typing import Annotated, Any

from pydantic import Field

from eksml import names
from eksml.addresses import LINK_LOCAL
from eksml.errors import Problem
from eksml.spec import Cidr, Spec

# Where EKS's Pod Identity agent listens on every node. https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
_POD_IDENTITY_AGENT = "169.254.170.23/32"


class TeamEgress(Spec):
    """Addresses that a team's pods may reach beside those that speak HTTPS, such as a database's."""

    cidr: Cidr
    """Their range, such as 10.0.0.0/16; what lies within the VPC is the platform's `network.cidr`."""
    port: Annotated[int, Field(strict=True, ge=1, le=65_535)]
    """The TCP port, such as 5432."""

    def rules(self) -> Iterator[Problem]:
        """The metadata of the node stays out of reach."""
        if ip_network(self.cidr).overlaps(ip_network(LINK_LOCAL)):
            yield Problem(("cidr",), f"{self.cidr} given, which {LINK_LOCAL} is in, where nodes have their credentials")


_PLATFORM = {"namespace_selector": {"match_labels": {names.PLATFORM_NAMESPACE_LABEL: names.PLATFORM_NAMESPACE_VALUE}}}


def network_policies(load_balancer_cidrs: Iterable[str], egress: Iterable[TeamEgress] = ()) -> dict[str, Any]:
    """The specs of a team's network policies, by name.

    Load balancers reach pods by their addresses, so they are let in by the ranges of their subnets.
    """
    policies: dict[str, dict[str, Any]] = {
        "deny-all": {"policy_types": ["Ingress", "Egress"]},
        "within-the-team": {"ingress": [{"from_": [{"pod_selector": {}}]}], "egress": [{"to": [{"pod_selector": {}}]}]},
        "the-platform": {"ingress": [{"from_": [_PLATFORM]}], "egress": [{"to": [_PLATFORM]}]},
        "dns": {"egress": [_to(_dns_pods(), ("UDP", 53), ("TCP", 53))]},
        "pod-identity": {"egress": [_to({"ip_block": {"cidr": _POD_IDENTITY_AGENT}}, ("TCP", 80))]},
        # The Kubernetes API, AWS, hubs of models and data: all speak HTTPS. Not the metadata of the node.
        "https": {"egress": [_to({"ip_block": {"cidr": "0.0.0.0/0", "except_": [LINK_LOCAL]}}, ("TCP", 443))]},
    }
    if destinations := [_to({"ip_block": {"cidr": each.cidr}}, ("TCP", each.port)) for each in egress]:
        policies["egress"] = {"egress": destinations}
    if sources := [{"ip_block": {"cidr": cidr}} for cidr in load_balancer_cidrs]:
        policies["load-balancers"] = {"ingress": [{"from_": sources}]}
    return {name: {"pod_selector": {}, **_typed(policy)} for name, policy in policies.items()}


def _typed(policy: dict[str, Any]) -> dict[str, Any]:
    directions = [direction for direction in ("Ingress", "Egress") if direction.lower() in policy]
    return {"policy_types": directions, **policy}


def _to(peer: dict[str, Any], *ports: tuple[str, int]) -> dict[str, Any]:
    return {"to": [peer], "ports": [{"protocol": protocol, "port": port} for protocol, port in ports]}


def _dns_pods() -> dict[str, Any]:
    return {
        "namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": names.SYSTEM_NAMESPACE}},
        "pod_selector": {"match_labels": {"k8s-app": "kube-dns"}},
    }
