"""JupyterHubs for tests, on pools of every kind."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from eksml.nodes.karpenter_pool import KarpenterPoolSpec
from eksml.nodes.managed_pool import ManagedPoolSpec
from eksml.nodes.pool import Accelerator, PoolSpec
from eksml.nodes.sharing import Mig, Mps, TimeSlicing
from eksml.notebooks.jupyterhub import JupyterHub, JupyterHubSpec
from eksml.plan import Plan
from eksml.spec import parse
from programs import one, recorded

RELEASE = "kubernetes:helm.sh/v3:Release"
GPUS = Accelerator.NVIDIA
POOLS: dict[str, PoolSpec] = {
    "system": ManagedPoolSpec(instance_types=("m7i.xlarge",), size=2),
    "whole": KarpenterPoolSpec(accelerator=GPUS, instance_types=("g6.12xlarge", "g5.12xlarge"), gpu_limit=8),
    "turns": ManagedPoolSpec(accelerator=GPUS, instance_types=("g6.2xlarge",), size=1, sharing=TimeSlicing(replicas=4)),
    "shares": ManagedPoolSpec(accelerator=GPUS, instance_types=("g6.4xlarge",), size=2, sharing=Mps(replicas=2)),
    "instances": KarpenterPoolSpec(
        accelerator=GPUS, instance_types=("p4d.24xlarge",), gpu_limit=8, sharing=Mig(profile="1g.5gb")
    ),
}

SIGN_IN: dict[str, dict[str, Any]] = {
    "github": {"kind": "github", "clientId": "Iv1.0123456789abcdef", "organizations": ["lab"], "admins": ["ada"]},
    "newUserPool": {"kind": "cognito", "userPool": {"kind": "new", "domainPrefix": "lab-notebooks"}},
    "groupsOfNewUserPool": {
        "kind": "cognito",
        "userPool": {"kind": "new", "domainPrefix": "lab-notebooks", "secondFactor": "required"},
        "allowedGroups": ["research"],
        "admins": ["ada"],
    },
    "existingUserPool": {
        "kind": "cognito",
        "userPool": {"kind": "existing", "domain": "login.example.com", "clientId": "4f2k"},
        "allowedGroups": ["research"],
    },
    "openIdConnect": {
        "kind": "openIdConnect",
        "clientId": "notebooks",
        "authorizationEndpoint": "https://login.example.com/authorize",
        "tokenEndpoint": "https://login.example.com/token",
        "userInfoEndpoint": "https://login.example.com/userinfo",
        "signInWith": "Example",
        "allowedGroups": ["research", "teaching"],
        "users": ["grace"],
    },
    "dummy": {"kind": "dummy", "forDevelopmentOnly": True},
}


def settings(**changes: Any) -> dict[str, Any]:
    """The settings of a hub, with some of them changed."""
    return {"pools": ["system", "turns"], "authentication": SIGN_IN["github"], **changes}


def hub(given: Mapping[str, Any] | None = None, **arguments: Any) -> Plan:
    """The Plan of a bare program with one JupyterHub."""
    given_arguments: dict[str, Any] = {
        "pools": POOLS,
        "region": "us-west-2",
        "client_secret": "a client's",
        "password": "everybody's",
        **arguments,
    }

    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        JupyterHub(
            "lab-notebooks",
            parse(JupyterHubSpec, dict(given or settings())),
            **given_arguments,
            opts=pulumi.ResourceOptions(providers=[provider]),
        )

    return recorded(program)


def values_of(plan: Plan) -> Any:
    """What its chart is told."""
    return one(plan, RELEASE).inputs["values"]


@cache
def every_sign_in() -> dict[str, Any]:
    """What the chart is told for each way to sign in, behind an entry."""
    return {
        name: values_of(hub(settings(authentication=given), host="jupyter.example.com"))
        for name, given in SIGN_IN.items()
    }
