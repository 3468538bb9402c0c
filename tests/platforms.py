"""Whole platforms for tests, recorded once each."""

import json
from functools import cache
from typing import Any

import pulumi
import pytest

from eksml.errors import SpecError
from eksml.plan import Plan, Resource
from eksml.platform import Platform
from eksml.profiles import platform_spec
from programs import recorded

VPC = {
    "kind": "existing",
    "vpcId": "vpc-0123456789abcdef0",
    "privateSubnets": {"usw2-az1": "subnet-0123456789abcdef0", "usw2-az2": "subnet-0123456789abcdef1"},
}
EXISTING = {
    "cluster": {"kind": "existing", "name": "theirs", "kubernetesVersion": "1.36"},
    "network": VPC,
    "accelerators": {"dcgmHostEngine": "nodeMonitoringAgent"},
}
BY_KUBECONFIG = {
    "profile": "research",
    "cluster": {"kind": "kubeconfig", "identifier": "theirs"},
    "network": None,
    "pools": {"system": None, "notebooks": None, "train": None, "serve": None},
    "servers": {"chat": None},
    "observability": None,
    "notebooks": None,
    "tracking": None,
    "storage": None,
    "queueing": None,
    "teams": {"research": {"limits": {"vcpus": 64, "memoryGib": 256, "gpus": 8}}},
    "accelerators": {"dcgmHostEngine": "exporter"},
}
# What of the research profile talks to the internet.
OFFLINE = {"notebooks": None, "tracking": {"weightsAndBiases": None}, "servers": {"chat": None}}
SYSTEM = {"system": {"kind": "managed", "instanceTypes": ["m7i.large"], "size": 2}}
ENTRY = {"gateway": {}, "teams": {"research": {"gateway": {}}}}
CERTIFICATE = {"kind": "certificate", "arn": "arn:aws:acm:us-west-2:123456789012:certificate/0123"}
LOGIN = {
    "kind": "openIdConnect",
    "issuer": "https://id.example.com",
    "authorizationEndpoint": "https://id.example.com/authorize",
    "tokenEndpoint": "https://id.example.com/token",
    "userInfoEndpoint": "https://id.example.com/userinfo",
    "secret": "login",
}


def platform(settings: dict[str, Any], *, name: str = "lab", kubeconfig: str | None = None) -> Plan:
    """The Plan of a platform in us-west-2; the same one each time, for it takes a second to record."""
    return _platform(json.dumps(settings), name, kubeconfig)


@cache
def _platform(settings: str, name: str, kubeconfig: str | None) -> Plan:
    return record_platform(json.loads(settings), name=name, kubeconfig=kubeconfig)


def record_platform(settings: dict[str, Any], *, name: str = "lab", kubeconfig: str | None = None) -> Plan:
    """The Plan of a platform in us-west-2, recorded now."""
    spec = platform_spec(settings, region="us-west-2", name=name)

    def program() -> None:
        secrets = {"kubeconfig": pulumi.Output.secret(kubeconfig)} if kubeconfig else {}
        pulumi.export("platform", Platform(spec.name, spec, secrets=secrets).exports)

    return recorded(program)


def research(**settings: Any) -> Plan:
    """A platform of the research profile."""
    return platform({"profile": "research", **settings})


def production(**settings: Any) -> Plan:
    """A platform of the production profile."""
    return platform({"profile": "production", **settings})


def refused(settings: dict[str, Any], *, region: str = "us-west-2") -> list[str]:
    """Every problem of a platform of the research profile with these settings, as the user reads it."""
    with pytest.raises(SpecError) as error:
        platform_spec({"profile": "research", **settings}, region=region, name="lab")
    return str(error.value).splitlines()


def release(plan: Plan, chart: str) -> Resource:
    """The only Helm release of a name."""
    (resource,) = [each for each in plan.of_type("kubernetes:helm.sh/v3:Release") if each.inputs["name"] == chart]
    return resource


def addon(plan: Plan, name: str) -> Resource:
    """The only EKS add-on of a name."""
    (resource,) = [each for each in plan.of_type("aws:eks/addon:Addon") if each.inputs["addonName"] == name]
    return resource
