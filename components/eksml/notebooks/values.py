"""What JupyterHub's chart is told, and the network policies of its namespace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eksml import names
from eksml.addresses import LINK_LOCAL
from eksml.controllers import no_gpu_nodes, resources
from eksml.tenancy.network_policies import TeamEgress

# Containers listen here: https://z2jh.jupyter.org
_HUB_PORT, _PROXY_PORT, _TRACKER_PORT = 8081, 8000, 5000
# Where EKS's Pod Identity agent listens on every node.
_POD_IDENTITY_AGENT = "169.254.170.23/32"
METRICS_SERVICE = "prometheus"
"""What Prometheus is to the hub, which makes it a token."""

_PULL_AND_START_SECONDS = 1200
_MOST_SPAWNS_AT_ONCE = 16


def hub_values(
    hub_config: Mapping[str, Any],
    *,
    environment: Mapping[str, Any],
    extra_config: Mapping[str, str],
    active_servers: int,
    has_prometheus: bool,
) -> dict[str, Any]:
    """The part `hub` of the values: the hub itself, which starts servers and knows who is who."""
    return {
        "config": dict(hub_config),
        "extraEnv": dict(environment),
        "extraConfig": dict(extra_config),
        # One server for each person.
        "allowNamedServers": False,
        "activeServerLimit": active_servers,
        "concurrentSpawnLimit": min(_MOST_SPAWNS_AT_ONCE, active_servers),
        "db": {"type": "sqlite-pvc", "pvc": {"storageClassName": names.DEFAULT_STORAGE_CLASS, "storage": "1Gi"}},
        # Only one can run, and a budget of one would keep its node from ever being emptied. Servers run on without it.
        "pdb": {"enabled": False},
        "resources": resources("100m", "384Mi", "1Gi"),
        "extraPodSpec": {"affinity": no_gpu_nodes()},
        "networkPolicy": {
            "ingress": [_from_prometheus()] if has_prometheus else [],
            "egress": [_to_dns(), _to_https()],
            "egressAllowRules": _NO_RULES,
        },
        **(_METRICS if has_prometheus else {}),
    }


def proxy_values(load_balancer_cidrs: Sequence[str]) -> dict[str, Any]:
    """The part `proxy` of the values: what people reach, which leads to the hub and to each one's own server."""
    return {
        # Nothing outside the cluster reaches it but what the platform's entry, or kubectl, lets through.
        "service": {"type": "ClusterIP"},
        "chp": {
            "pdb": {"enabled": False},
            "resources": resources("100m", "128Mi", "512Mi"),
            "extraPodSpec": {"affinity": no_gpu_nodes()},
            "networkPolicy": {
                # By default everybody may come.
                "allowedIngressPorts": [],
                "ingress": [_from_load_balancers(load_balancer_cidrs)] if load_balancer_cidrs else [],
                "egress": [_to_dns()],
                "egressAllowRules": _NO_RULES,
            },
        },
    }


def singleuser_values(
    profiles: Sequence[Mapping[str, Any]],
    home: Mapping[str, Any],
    *,
    environment: Mapping[str, Any],
    labels: Mapping[str, str],
    egress: Sequence[TeamEgress],
) -> dict[str, Any]:
    """The part `singleuser` of the values: the server of each person."""
    return {
        "profileList": list(profiles),
        "defaultUrl": "/lab",
        # A node has to come, perhaps, and an image with CUDA to be fetched.
        "startTimeout": _PULL_AND_START_SECONDS,
        "serviceAccountName": names.NOTEBOOK_SERVICE_ACCOUNT,
        "extraLabels": dict(labels),
        # Karpenter leaves the node alone while somebody works on it; idle servers are stopped by the hub.
        "extraAnnotations": {"karpenter.sh/do-not-disrupt": "true"},
        "extraEnv": dict(environment),
        "storage": {
            **home,
            "extraLabels": dict(labels),
            # What PyTorch's loaders hand data on by; Kubernetes gives 64 MiB. It counts as memory of the server.
            "extraVolumes": [{"name": "shared-memory", "emptyDir": {"medium": "Memory"}}],
            "extraVolumeMounts": [{"name": "shared-memory", "mountPath": "/dev/shm"}],  # noqa: S108
        },
        # The chart's way needs a privileged container in each pod; the policy below does the same.
        "cloudMetadata": {"blockWithIptables": False},
        "networkPolicy": {
            "egress": notebook_egress(egress),
            "egressAllowRules": _NO_RULES,
        },
    }


SPAWNER = {
    "pod_security_context": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "container_security_context": {"capabilities": {"drop": ["ALL"]}},
    # Who works on a notebook has the rights of its service account in AWS, and none in the cluster.
    "automount_service_account_token": False,
    # Otherwise each Service of the namespace would be in the environment, six times.
    "extra_pod_config": {"enableServiceLinks": False},
}
"""What the hub tells KubeSpawner beside what the chart does: pods that a restricted namespace would take too."""


def notebook_egress(egress: Sequence[TeamEgress]) -> list[dict[str, Any]]:
    """What servers may reach beside the hub: names, their identity, HTTPS anywhere, the tracker; never the node's."""
    return [
        _to_dns(),
        _to([{"ipBlock": {"cidr": _POD_IDENTITY_AGENT}}], 80),
        _to_https(),
        _to([{"namespaceSelector": _PLATFORM}], _TRACKER_PORT),
        *(_to([{"ipBlock": {"cidr": each.cidr}}], each.port) for each in egress),
    ]


_PLATFORM = {"matchLabels": {names.PLATFORM_NAMESPACE_LABEL: names.PLATFORM_NAMESPACE_VALUE}}
_NO_RULES = dict.fromkeys(
    (
        *("cloudMetadataServer", "dnsPortsCloudMetadataServer", "dnsPortsKubeSystemNamespace"),
        *("dnsPortsPrivateIPs", "nonPrivateIPs", "privateIPs"),
    ),
    False,
)
# The hub's metrics tell who is there, and its address is that of the people, so they are shown for a token only.
_METRICS = {
    "services": {METRICS_SERVICE: {}},
    "loadRoles": {METRICS_SERVICE: {"scopes": ["read:metrics"], "services": [METRICS_SERVICE]}},
}


def pod_monitor() -> dict[str, Any]:
    """The spec of the PodMonitor of the hub: by the token that the chart made for it."""
    token = {"name": "hub", "key": f"hub.services.{METRICS_SERVICE}.apiToken"}
    endpoint = {"port": "http", "path": "/hub/metrics", "interval": "30s", "authorization": {"credentials": token}}
    return {"selector": {"matchLabels": {"component": "hub"}}, "podMetricsEndpoints": [endpoint]}


def _to(peers: list[dict[str, Any]], port: int, *protocols: str) -> dict[str, Any]:
    return {"to": peers, "ports": [{"protocol": each, "port": port} for each in protocols or ("TCP",)]}


def _to_dns() -> dict[str, Any]:
    pods = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": names.SYSTEM_NAMESPACE}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    return _to([pods], 53, "UDP", "TCP")


def _to_https() -> dict[str, Any]:
    return _to([{"ipBlock": {"cidr": "0.0.0.0/0", "except": [LINK_LOCAL]}}], 443)


def _from_prometheus() -> dict[str, Any]:
    namespace = {"matchLabels": {"kubernetes.io/metadata.name": names.OBSERVABILITY_NAMESPACE}}
    return {"from": [{"namespaceSelector": namespace}], "ports": [{"protocol": "TCP", "port": _HUB_PORT}]}


def _from_load_balancers(cidrs: Sequence[str]) -> dict[str, Any]:
    return {
        "from": [{"ipBlock": {"cidr": cidr}} for cidr in cidrs],
        "ports": [{"protocol": "TCP", "port": _PROXY_PORT}],
    }
