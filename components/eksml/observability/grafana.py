"""Grafana, by the subchart of kube-prometheus-stack: dashboards as code, and nothing that must be kept.

It has no volume: dashboards come from this library, their source of data is fixed, and people are let in by an
identity provider or as `admin`, whose password the chart makes. What somebody clicks together goes with the pod.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any

import pulumi
import pulumi_kubernetes as k8s
from pydantic import Field

from eksml import names
from eksml.addresses import LINK_LOCAL
from eksml.catalog import images
from eksml.component import Component
from eksml.controllers import no_gpu_nodes, resources
from eksml.network.entry import ServiceRoutesSpec
from eksml.observability.dashboards import DATASOURCE, as_json, dashboards_for
from eksml.service_access import ServiceAccess, port_forward
from eksml.spec import HttpsUrl, Spec, pattern

NAME = "kube-prometheus-stack-grafana"
"""What the chart calls its Service, its ServiceAccount, and the Secret with the administrator's password."""

DASHBOARD_LABEL = "grafana_dashboard"
DASHBOARD_LABEL_VALUE = "1"
"""On a ConfigMap in Grafana's namespace: its files are dashboards."""

_PORT, _LOCAL_PORT, _SERVICE_PORT = 3000, 3000, 80
_SECRET, _SECRET_KEY = "grafana-sign-in", "client-secret"
_PODS = {"app.kubernetes.io/name": "grafana", "app.kubernetes.io/instance": "kube-prometheus-stack"}
_RBAC = "rbac.authorization.k8s.io"

BACKEND = ServiceRoutesSpec(
    namespace=names.OBSERVABILITY_NAMESPACE, service=NAME, port=_SERVICE_PORT, health_path="/api/health"
)
"""What the platform's entry leads people to."""

# The roles are written into an expression of JMESPath, between single quotes.
GroupName = Annotated[
    str,
    pattern(r"^[^'\\`\r\n]{1,256}$", "the name of a group, of at most 256 characters without quotes or backslashes"),
]
ClaimName = Annotated[str, pattern(r"^[A-Za-z_][A-Za-z0-9_]*$", "the name of a claim: letters, digits and underscores")]


class GrafanaSignIn(Spec):
    """People sign in to Grafana with an identity provider, by OpenID Connect.

    The endpoints are in the provider's document at ISSUER/.well-known/openid-configuration. The provider must allow
    `URL/login/generic_oauth` as a redirect. The client's secret is the Pulumi secret `eksml:grafanaClientSecret`.
    """

    client_id: Annotated[str, Field(min_length=1)]
    """The client that the provider knows Grafana as."""
    authorization_endpoint: HttpsUrl
    """Where people log in."""
    token_endpoint: HttpsUrl
    """Where Grafana gets tokens."""
    user_info_endpoint: HttpsUrl
    """Where Grafana learns who it is."""
    scope: str = "openid profile email"
    """What is asked of the provider, separated by spaces; some need `groups` too."""
    groups_claim: ClaimName = "groups"
    """The claim that lists a person's groups."""
    admins: tuple[GroupName, ...] = ()
    """Groups whose members are Grafana's administrators."""
    editors: tuple[GroupName, ...] = ()
    """Groups whose members may try out queries and dashboards."""
    viewers: tuple[GroupName, ...] = ()
    """Groups whose members may look; none given: whoever the provider lets in."""


class GrafanaSpec(Spec):
    """Grafana with the dashboards for what the platform has."""

    memory_mib: Annotated[int, Field(strict=True, ge=256, le=16_384)] = 512
    """The most memory that it may take, in MiB."""
    sign_in: GrafanaSignIn | None = None
    """The identity provider by which people sign in; none given: as `admin`, with the password that the chart made."""

    @property
    def secrets_needed(self) -> dict[str, str]:
        """The Pulumi secrets without which it cannot be made, and what they are."""
        if self.sign_in is None:
            return {}
        return {"grafanaClientSecret": f"secret of the OAuth client {self.sign_in.client_id} of Grafana"}


class Grafana(Component):
    """What belongs to Grafana beside the chart: dashboards, the right to read them, its network policy, its secret.

    Arguments:
        spec: who is let in.
        namespace: that of kube-prometheus-stack, which runs it with `grafana_values`.
        exporters: the catalog's names of what Prometheus reads: dashboards that they do not fill are left out.
        engines: model servers that may run on it.
        host: the name by which the platform's entry knows it; none: it is reached by `kubectl port-forward`.
        load_balancer_cidrs: addresses of the load balancers that may reach it.
        client_secret: the secret of the OAuth client, with sign-in by an identity provider.

    Attributes:
        access: how a person reaches it.
    """

    def __init__(
        self,
        name: str,
        spec: GrafanaSpec,
        *,
        namespace: k8s.core.v1.Namespace,
        exporters: Collection[str] = (),
        engines: Collection[str] = (),
        host: str | None = None,
        load_balancer_cidrs: Sequence[str] = (),
        client_secret: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:observability:Grafana", name, spec, opts)
        self._namespace = namespace
        for each, dashboard in dashboards_for(exporters, engines).items():
            labels = {DASHBOARD_LABEL: DASHBOARD_LABEL_VALUE}
            k8s.core.v1.ConfigMap(
                f"{name}-{each}",
                metadata=_metadata(f"dashboard-{each}", labels),
                data={f"{each}.json": as_json(each, dashboard)},
                opts=self._inside(),
            )
        if spec.sign_in and client_secret is not None:
            k8s.core.v1.Secret(
                f"{name}-sign-in",
                metadata=_metadata(_SECRET),
                string_data=pulumi.Output.secret({_SECRET_KEY: client_secret}),
                opts=self._inside(),
            )
        self._rights()
        policy: Any = _network_policy(load_balancer_cidrs)
        k8s.networking.v1.NetworkPolicy(
            f"{name}-network-policy",
            metadata=_metadata("grafana"),
            spec=policy,
            opts=self._inside(),
        )
        self.access = grafana_access(spec, host)
        self.register_outputs({"url": self.access.url})

    def _inside(self) -> pulumi.ResourceOptions:
        return self.child(depends_on=[self._namespace])

    def _rights(self) -> None:
        """Its sidecar reads ConfigMaps of its own namespace; the chart's own role would let it read Secrets too."""
        reading = k8s.rbac.v1.PolicyRuleArgs(api_groups=[""], resources=["configmaps"], verbs=["get", "list", "watch"])
        metadata = _metadata("grafana-dashboards")
        role = k8s.rbac.v1.Role(f"{self.resource_name}-role", metadata=metadata, rules=[reading], opts=self._inside())
        k8s.rbac.v1.RoleBinding(
            f"{self.resource_name}-role-binding",
            metadata=metadata,
            role_ref={"api_group": _RBAC, "kind": "Role", "name": "grafana-dashboards"},
            subjects=[{"kind": "ServiceAccount", "name": NAME, "namespace": names.OBSERVABILITY_NAMESPACE}],
            opts=self.child(depends_on=[role]),
        )


def grafana_access(spec: GrafanaSpec, host: str | None) -> ServiceAccess:
    """How a person reaches Grafana, and who is let in."""
    password = (
        f"kubectl get secret --namespace {names.OBSERVABILITY_NAMESPACE} {NAME}"
        " --output jsonpath='{.data.admin-password}' | base64 --decode"
    )
    admin = f"user admin; its password: {password}"
    command = port_forward(names.OBSERVABILITY_NAMESPACE, NAME, _LOCAL_PORT, _SERVICE_PORT)
    return ServiceAccess(
        "Grafana",
        _url(host),
        None if host else command,
        f"with your identity provider; or {admin}" if spec.sign_in else admin,
    )


def grafana_values(spec: GrafanaSpec, host: str | None = None) -> dict[str, Any]:
    """What kube-prometheus-stack is told of its subchart. No password: the chart makes one, and keeps it."""
    return {
        "enabled": True,
        "image": {"tag": images()["grafana"].tag},
        "testFramework": {"enabled": False},
        "affinity": no_gpu_nodes(),
        "resources": resources("50m", "256Mi", f"{spec.memory_mib}Mi"),
        # Grafana makes a role for its sidecar, that reads ConfigMaps alone.
        "rbac": {"create": False},
        "defaultDashboardsEnabled": False,
        "serviceMonitor": {"enabled": False},
        "sidecar": {
            "image": {"tag": images()["k8s-sidecar"].tag},
            "resources": resources("10m", "96Mi", "192Mi"),
            "dashboards": {
                "label": DASHBOARD_LABEL,
                "labelValue": DASHBOARD_LABEL_VALUE,
                "searchNamespace": names.OBSERVABILITY_NAMESPACE,
                "resource": "configmap",
                # Grafana looks for changed files by itself, and so the sidecar needs no password.
                "skipReload": True,
            },
            "datasources": {"enabled": False},
        },
        "datasources": {"datasources.yaml": {"apiVersion": 1, "datasources": [_datasource()]}},
        "grafana.ini": _settings(spec, host),
        **({"envValueFrom": {"GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET": _secret_reference()}} if spec.sign_in else {}),
    }


def _datasource() -> dict[str, Any]:
    return {
        "name": "Prometheus",
        "uid": DATASOURCE,
        "type": "prometheus",
        "access": "proxy",
        "url": names.PROMETHEUS_URL,
        "isDefault": True,
        "editable": False,
        "jsonData": {"httpMethod": "POST", "timeInterval": "15s"},
    }


def _settings(spec: GrafanaSpec, host: str | None) -> dict[str, Any]:
    # https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/
    return {
        "server": {"root_url": _url(host)},
        # Nothing is asked of or told to anybody outside.
        "analytics": {
            "check_for_updates": False,
            "check_for_plugin_updates": False,
            "reporting_enabled": False,
            "feedback_links_enabled": False,
        },
        "news": {"news_feed_enabled": False},
        "plugins": {
            "plugin_admin_enabled": False,
            "preinstall_disabled": True,
            "preinstall_auto_update": False,
            "public_key_retrieval_disabled": True,
        },
        "snapshots": {"external_enabled": False},
        "public_dashboards": {"enabled": False},
        "security": {"disable_gravatar": True, "cookie_secure": host is not None},
        "users": {"allow_sign_up": False},
        "auth.anonymous": {"enabled": False},
        # Prometheus judges alerts.
        "unified_alerting": {"enabled": False},
        **({"auth.generic_oauth": _open_id_connect(spec.sign_in)} if spec.sign_in else {}),
    }


def _open_id_connect(provider: GrafanaSignIn) -> dict[str, Any]:
    # https://grafana.com/docs/grafana/latest/setup-grafana/configure-security/configure-authentication/generic-oauth/
    return {
        "enabled": True,
        "name": "your identity provider",
        "client_id": provider.client_id,
        "auth_url": provider.authorization_endpoint,
        "token_url": provider.token_endpoint,
        "api_url": provider.user_info_endpoint,
        "scopes": provider.scope,
        "use_pkce": True,
        # Whoever the provider lets in gets an account; who has no role by the expression below gets none.
        "allow_sign_up": True,
        "role_attribute_path": _role(provider),
        "role_attribute_strict": True,
        "allow_assign_grafana_admin": False,
    }


def _role(provider: GrafanaSignIn) -> str:
    """A person's highest role, in JMESPath; nothing where they have none."""

    def member(groups: Sequence[str]) -> str:
        claims = [f"contains(not_null({provider.groups_claim}, `[]`), '{group}')" for group in groups]
        return f"({' || '.join(claims)})"

    by_role = {"Admin": provider.admins, "Editor": provider.editors, "Viewer": provider.viewers}
    choices = [f"{member(groups)} && '{role}'" for role, groups in by_role.items() if groups]
    return " || ".join([*choices, *([] if provider.viewers else ["'Viewer'"])])


def _secret_reference() -> dict[str, Any]:
    return {"secretKeyRef": {"name": _SECRET, "key": _SECRET_KEY}}


def _url(host: str | None) -> str:
    return f"https://{host}" if host else f"http://localhost:{_LOCAL_PORT}"


def _metadata(name: str, labels: Mapping[str, str] | None = None) -> k8s.meta.v1.ObjectMetaArgs:
    return k8s.meta.v1.ObjectMetaArgs(name=name, namespace=names.OBSERVABILITY_NAMESPACE, labels=labels)


def _network_policy(load_balancer_cidrs: Sequence[str]) -> dict[str, Any]:
    """Load balancers come in; Prometheus, DNS, the API server and the identity provider are reached, all else is not.

    What `kubectl port-forward` brings comes from the pod's own node, which no network policy keeps away.
    """
    sources = [{"ip_block": {"cidr": cidr}} for cidr in load_balancer_cidrs]
    prometheus = {"pod_selector": {"match_labels": {"app.kubernetes.io/name": "prometheus"}}}
    dns = {
        "namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": names.SYSTEM_NAMESPACE}},
        "pod_selector": {"match_labels": {"k8s-app": "kube-dns"}},
    }
    https = {"ip_block": {"cidr": "0.0.0.0/0", "except_": [LINK_LOCAL]}}
    return {
        "pod_selector": {"match_labels": _PODS},
        "policy_types": ["Ingress", "Egress"],
        "ingress": [{"from_": sources, "ports": [{"protocol": "TCP", "port": _PORT}]}] if sources else [],
        "egress": [
            {"to": [prometheus], "ports": [{"protocol": "TCP", "port": 9090}]},
            {"to": [dns], "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]},
            {"to": [https], "ports": [{"protocol": "TCP", "port": 443}]},
        ],
    }
