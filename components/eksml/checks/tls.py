"""What a load balancer can do over HTTPS only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eksml.checks.finding import Found
from eksml.plan import Plan, Resource

_GATEWAY_API = "kubernetes:gateway.networking.k8s.io"
_AWS_API = "kubernetes:gateway.k8s.aws"
_VERSIONS = ("v1", "v1beta1")
_AUTHENTICATION = ("authenticate-cognito", "authenticate-oidc", "jwt-validation")
_OF_HTTPS = ("defaultCertificate", "certificates", "sslPolicy", "mutualAuthentication")
_INGRESS = "alb.ingress.kubernetes.io/"


def https_feature_needs_tls(plan: Plan) -> Iterator[Found]:
    """Authentication, gRPC and what belongs to certificates are on listeners with TLS, and those have a certificate.

    Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html
    """
    gateways = _by_name(plan, _GATEWAY_API, "Gateway")
    authenticating = {
        name
        for name, rules in _by_name(plan, _AWS_API, "ListenerRuleConfiguration").items()
        if any(action.get("type") in _AUTHENTICATION for action in _spec(rules).get("actions") or ())
    }
    for kind in ("HTTPRoute", "GRPCRoute"):
        for route in _of_kind(plan, _GATEWAY_API, kind):
            features = ["gRPC"] if kind == "GRPCRoute" else []
            features += ["authentication"] if _rules_of(route) & authenticating else []
            for listener in _plain_listeners(route, gateways) if features else ():
                needs = f"{' and '.join(features)} {'needs' if len(features) == 1 else 'need'} HTTPS"
                yield Found(route, f"{needs}, and its listener {listener} is plain HTTP: give the Gateway TLS")
    configurations = _by_name(plan, _AWS_API, "LoadBalancerConfiguration")
    for name, gateway in gateways.items():
        yield from (Found(gateway, text) for text in _without_certificate(name[0], gateway, configurations))
    for configuration in configurations.values():
        for listener in _listener_configurations(configuration):
            given = [key for key in _OF_HTTPS if listener.get(key)]
            if given and str(listener.get("protocolPort")).startswith("HTTP:"):
                yield Found(
                    configuration, f"{listener['protocolPort']} has {', '.join(given)}, which only HTTPS can use"
                )
    for ingress in plan.of_type("kubernetes:networking.k8s.io/v1:Ingress"):
        yield from (Found(ingress, text) for text in _ingress_without_tls(ingress))


def _of_kind(plan: Plan, group: str, kind: str) -> Iterator[Resource]:
    for version in _VERSIONS:
        yield from plan.of_type(f"{group}/{version}:{kind}")


def _by_name(plan: Plan, group: str, kind: str) -> dict[tuple[str, str], Resource]:
    return {(_metadata(each, "namespace"), _metadata(each, "name")): each for each in _of_kind(plan, group, kind)}


def _metadata(resource: Resource, key: str) -> str:
    return str((resource.inputs.get("metadata") or {}).get(key))


def _spec(resource: Resource) -> Mapping[str, Any]:
    return resource.inputs.get("spec") or {}


def _rules_of(route: Resource) -> set[tuple[str, str]]:
    """The ListenerRuleConfigurations that a route names."""
    filters = [each for rule in _spec(route).get("rules") or () for each in rule.get("filters") or ()]
    return {
        (_metadata(route, "namespace"), str(each["extensionRef"].get("name")))
        for each in filters
        if each.get("type") == "ExtensionRef"
    }


def _plain_listeners(route: Resource, gateways: Mapping[tuple[str, str], Resource]) -> Iterator[str]:
    """The listeners without TLS that a route is attached to."""
    for parent in _spec(route).get("parentRefs") or ():
        gateway = gateways.get((parent.get("namespace") or _metadata(route, "namespace"), str(parent.get("name"))))
        for listener in _spec(gateway).get("listeners") or () if gateway else ():
            if parent.get("sectionName") in (None, listener.get("name")) and listener.get("protocol") == "HTTP":
                yield str(listener.get("name"))


def _without_certificate(
    namespace: str, gateway: Resource, configurations: Mapping[tuple[str, str], Resource]
) -> Iterator[str]:
    reference = (_spec(gateway).get("infrastructure") or {}).get("parametersRef") or {}
    configuration = configurations.get((namespace, str(reference.get("name"))))
    certified = {
        each.get("protocolPort")
        for each in (_listener_configurations(configuration) if configuration else ())
        if each.get("defaultCertificate")
    }
    for listener in _spec(gateway).get("listeners") or ():
        # By a host name the load balancer controller finds a certificate of its own accord.
        is_certified = f"HTTPS:{listener.get('port')}" in certified or listener.get("hostname")
        if listener.get("protocol") == "HTTPS" and not is_certified:
            yield f"its listener {listener.get('name')} has no certificate: name one in its LoadBalancerConfiguration"


def _listener_configurations(configuration: Resource) -> tuple[Mapping[str, Any], ...]:
    return tuple(_spec(configuration).get("listenerConfigurations") or ())


def _ingress_without_tls(ingress: Resource) -> Iterator[str]:
    annotations = (ingress.inputs.get("metadata") or {}).get("annotations") or {}
    if f"{_INGRESS}certificate-arn" in annotations or "HTTPS" in str(annotations.get(f"{_INGRESS}listen-ports")):
        return
    features = {
        "auth-type": annotations.get(f"{_INGRESS}auth-type") in ("cognito", "oidc"),
        "jwt-validation": f"{_INGRESS}jwt-validation" in annotations,
        "backend-protocol-version": annotations.get(f"{_INGRESS}backend-protocol-version") == "GRPC",
        "mutual-authentication": f"{_INGRESS}mutual-authentication" in annotations,
        "ssl-policy": f"{_INGRESS}ssl-policy" in annotations,
        "ssl-redirect": f"{_INGRESS}ssl-redirect" in annotations,
    }
    if used := [name for name, is_used in features.items() if is_used]:
        yield f"its annotation {', '.join(used)} needs HTTPS: give certificate-arn, or HTTPS among listen-ports"
