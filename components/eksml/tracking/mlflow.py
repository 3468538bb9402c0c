"""MLflow: what remembers experiments, runs and models."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from eksml import names
from eksml.addresses import LINK_LOCAL
from eksml.cluster.pod_identity import PodIdentity, PodIdentitySpec
from eksml.component import Component, Tags
from eksml.controllers import operator_namespace
from eksml.errors import Problem, SpecError
from eksml.image_registry import image_of
from eksml.kubernetes_object import pulumi_type
from eksml.service_access import ServiceAccess, port_forward
from eksml.storage.postgresql import DatabaseAccess
from eksml.tenancy.network_policies import network_policies
from eksml.tracking.mlflow_identity import artifacts_statements, policy, secret_statements
from eksml.tracking.mlflow_pods import (
    ADMIN_SECRET,
    DATABASE_SECRET,
    MIGRATION,
    PORT,
    SERVER,
    SERVER_LABELS,
    SERVICE_ACCOUNT,
    SIGN_IN_SECRET,
    migration_template,
    scripts_config_map,
    server_template,
)
from eksml.tracking.mlflow_spec import ADMIN, LOGIN_SECRET, MlflowBasicAuthentication, MlflowSpec

_NAMESPACE = names.MLFLOW_NAMESPACE
_RBAC = "rbac.authorization.k8s.io/v1"
_BINDING = {
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": MIGRATION},
    "subjects": [{"kind": "ServiceAccount", "name": MIGRATION, "namespace": _NAMESPACE}],
}


class Mlflow(Component):
    """MLflow's server on a PostgreSQL database and a bucket, with a user for each team.

    It needs the Secrets Store CSI driver with AWS's provider and rotation on, and the Pod Identity agent. Before
    servers of a version start, a Job upgrades the schema of the database and makes MLflow's users; it runs again when
    the version, the teams or the administrator's password change. It signs in by the database's secret. So do the
    servers, unless that secret is an administrator's (`make_role`): then the Job makes a role for them, which does
    nothing but read and write rows.

    Passwords are in no program, state, Plan or manifest: that of the database goes from Secrets Manager into files of
    pods, those of the role and of teams are made by the Job, once, and kept in Secrets of the cluster. Servers use
    one that has changed from their next connection on.

    Raises SpecError without a bucket, or without the secret that its authentication needs.

    Arguments:
        spec: MLflow.
        cluster_name: name of the EKS cluster.
        region: AWS region of cluster and bucket.
        database: how its database is reached.
        bucket: name of the platform's model bucket, unless the spec names another one.
        key_arn: ARN of the KMS key of that bucket, if it has one.
        teams: the teams that get a user of their name, in the Secret `mlflow` of their namespaces, which exist.
        namespaces: others that get one, such as that of notebooks.
        admin_password: the password of the user admin, with basic authentication.
        client_secret: the secret of its OAuth client, with openIdConnect.
        load_balancer_cidrs: the ranges from which load balancers reach its pods.
        host: the name by which people reach it through the platform's entry.
        has_prometheus: whether there is a Prometheus whose operator takes a PodMonitor.
        image_registry: a registry that its image comes from, instead of its own.
        tags: tags for every AWS resource.

    Attributes:
        access: how a person reaches it.
        url: where it answers inside the cluster.
    """

    def __init__(
        self,
        name: str,
        spec: MlflowSpec,
        *,
        cluster_name: pulumi.Input[str],
        region: str,
        database: DatabaseAccess,
        bucket: pulumi.Input[str] | None = None,
        key_arn: str | None = None,
        teams: Sequence[str] = (),
        namespaces: Sequence[str] = (),
        admin_password: pulumi.Input[str] | None = None,
        client_secret: pulumi.Input[str] | None = None,
        load_balancer_cidrs: Sequence[str] = (),
        host: str | None = None,
        has_prometheus: bool = False,
        image_registry: str | None = None,
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:tracking:Mlflow", name, spec, opts, tags, image_registry)
        self._spec = spec
        self._bucket = _bucket(spec, bucket)
        self._made: list[pulumi.Resource] = [operator_namespace(self, _NAMESPACE)]
        self._identities(cluster_name, database, spec.artifacts.key_arn or key_arn, region)
        self._network_policies(database, load_balancer_cidrs)
        for account in (SERVICE_ACCOUNT, MIGRATION):
            self._add("v1", "ServiceAccount", account, {"automountServiceAccountToken": False})
        provider_class = _secret_provider_class(database)
        self._add("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass", DATABASE_SECRET, {"spec": provider_class})
        labels = {**dict.fromkeys(namespaces), **{team: {names.TEAM_LABEL: team} for team in teams}}
        secrets = self._given_secrets(admin_password, client_secret)
        self._filled_secrets(labels, database)
        self._servers(database, region, host, labels, secrets)
        self._service()
        if has_prometheus:
            monitor = {"selector": {"matchLabels": SERVER_LABELS}, "podMetricsEndpoints": [{"port": "metrics"}]}
            self._add("monitoring.coreos.com/v1", "PodMonitor", SERVER, {"spec": monitor})
        self.url = names.MLFLOW_URL
        self.access = _access(spec, host)
        self.register_outputs({"url": self.url})

    def _add(
        self,
        api_version: str,
        kind: str,
        name: str,
        fields: Any,
        namespace: str = _NAMESPACE,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        **options: Any,
    ) -> pulumi.Resource:
        """Makes an object, there before and as long as what is made after it."""
        place = f"-{namespace}" if namespace != _NAMESPACE else ""
        metadata = {
            "name": name,
            "namespace": namespace,
            "labels": {**SERVER_LABELS, **(labels or {})},
            **({"annotations": dict(annotations)} if annotations else {}),
        }
        made = pulumi.CustomResource(
            pulumi_type(api_version, kind),
            f"{self.resource_name}-{names.fitted(name, 40)}{place}",
            {
                "apiVersion": api_version,
                "kind": kind,
                "metadata": metadata,
                **fields,
            },
            self.child(**{"depends_on": list(self._made), **options}),
        )
        self._made.append(made)
        return made

    def _identities(
        self, cluster_name: pulumi.Input[str], database: DatabaseAccess, key_arn: str | None, region: str
    ) -> None:
        artifacts = artifacts_statements(self._bucket, self._spec.artifacts.prefix, key_arn, region)
        secret = secret_statements(database)
        servers = [artifacts] if database.make_role else [artifacts, secret]
        accounts = {"": (SERVICE_ACCOUNT, servers), "-migration": (MIGRATION, [secret])}
        for ending, (account, statements) in accounts.items():
            identity = PodIdentity(
                f"{self.resource_name}{ending}",
                PodIdentitySpec(namespace=_NAMESPACE, service_account=account),
                cluster_name=cluster_name,
                policy=policy(*statements),
                tags=self.own_tags,
                opts=self.child(),
            )
            self._made.append(identity)

    def _network_policies(self, database: DatabaseAccess, load_balancer_cidrs: Sequence[str]) -> None:
        policies = {**network_policies(load_balancer_cidrs), **_own_policies(database)}
        for name, policy_spec in policies.items():
            k8s.networking.v1.NetworkPolicy(
                f"{self.resource_name}-{name}",
                metadata={"name": name, "namespace": _NAMESPACE},
                spec=policy_spec,
                opts=self.child(depends_on=self._made[:1]),
            )

    def _given_secrets(
        self, admin_password: pulumi.Input[str] | None, client_secret: pulumi.Input[str] | None
    ) -> list[pulumi.Resource]:
        """Makes the Secret of what the stack gives; gives those whose change migrates again."""
        authentication = self._spec.authentication
        if isinstance(authentication, MlflowBasicAuthentication):
            return [self._secret(ADMIN_SECRET, {"password": _given(admin_password, "admin_password")})]
        login = {"clientID": authentication.client_id, "clientSecret": _given(client_secret, "client_secret")}
        self._secret(LOGIN_SECRET, login)
        return []

    def _filled_secrets(self, users: Mapping[str, Mapping[str, str] | None], database: DatabaseAccess) -> None:
        """Makes the Secrets that the Job fills, those of users by namespace with its label, and the right to do so."""
        filled: dict[str, list[str]] = {_NAMESPACE: [DATABASE_SECRET] if database.make_role else []}
        if isinstance(self._spec.authentication, MlflowBasicAuthentication):
            filled[_NAMESPACE].append(SIGN_IN_SECRET)
            filled |= {user: [names.MLFLOW_SECRET] for user in users}
        for namespace, secrets in filled.items():
            labels = users.get(namespace)
            for secret in secrets:
                self._secret(secret, None, namespace, labels)
            if secrets:
                # Who may make Secrets may make the token of any service account: these are there, and are named.
                right = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "patch"]}
                role = {"rules": [{**right, "resourceNames": secrets}]}
                self._add(_RBAC, "Role", MIGRATION, role, namespace, labels)
                self._add(_RBAC, "RoleBinding", MIGRATION, _BINDING, namespace, labels)

    def _secret(
        self,
        name: str,
        values: dict[str, Any] | None,
        namespace: str = _NAMESPACE,
        labels: Mapping[str, str] | None = None,
    ) -> pulumi.Resource:
        # Pulumi replaces a Secret whose content changes, and there is no second one of its name.
        fields = {"stringData": pulumi.Output.secret(values)} if values else {}
        return self._add("v1", "Secret", name, fields, namespace, labels, delete_before_replace=True)

    def _servers(
        self,
        database: DatabaseAccess,
        region: str,
        host: str | None,
        users: Iterable[str],
        secrets: list[pulumi.Resource],
    ) -> None:
        spec, image = self._spec, image_of("mlflow", self.image_registry)
        scripts = scripts_config_map(spec, region)
        self._add(scripts.api_version, scripts.kind, scripts.name, scripts.body)
        reached = {
            "DATABASE_HOST": database.host,
            "DATABASE_PORT": pulumi.Output.from_input(database.port).apply(str),
            "DATABASE_NAME": database.database,
        }
        common: dict[str, Any] = {"has_role": database.make_role, "image": image}
        self._migration(migration_template(spec, scripts, reached, users=users, **common), secrets)
        artifacts = self._bucket.apply(lambda bucket: f"s3://{bucket}/{spec.artifacts.prefix}")
        template = server_template(spec, scripts, reached, region=region, artifacts=artifacts, host=host, **common)
        deployment = {
            "replicas": spec.replicas,
            "selector": {"matchLabels": SERVER_LABELS},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": template,
        }
        self._add("apps/v1", "Deployment", SERVER, {"spec": deployment})

    def _migration(self, template: dict[str, Any], secrets: list[pulumi.Resource]) -> None:
        minutes = self._spec.migration_minutes
        job = {"backoffLimit": 2, "activeDeadlineSeconds": minutes * 60, "template": template}
        digest = names.short_hash(json.dumps(template, sort_keys=True, default=lambda _output: None))
        self._add(
            "batch/v1",
            "Job",
            f"{SERVER}-migration-{digest}",
            {"spec": job},
            # One that failed would otherwise fail each `pulumi up` after it, of its old failure.
            annotations={"pulumi.com/replaceUnready": "true"},
            custom_timeouts=pulumi.CustomTimeouts(create=f"{minutes + 5}m", update=f"{minutes + 5}m"),
            # Other passwords leave its name as it is.
            replace_with=secrets,
            delete_before_replace=True,
        )

    def _service(self) -> None:
        ports = [{"name": "http", "port": PORT, "targetPort": "http"}]
        self._add("v1", "Service", SERVER, {"spec": {"selector": SERVER_LABELS, "ports": ports}})
        if self._spec.replicas > 1:
            budget = {"maxUnavailable": 1, "selector": {"matchLabels": SERVER_LABELS}}
            self._add("policy/v1", "PodDisruptionBudget", SERVER, {"spec": budget})


def _bucket(spec: MlflowSpec, of_platform: pulumi.Input[str] | None) -> pulumi.Output[str]:
    bucket = spec.artifacts.bucket or of_platform
    if bucket is None:
        text = "missing: no bucket for artifacts, give its name or the argument bucket"
        raise SpecError([Problem(("artifacts", "bucket"), text)])
    return pulumi.Output.from_input(bucket)


def _given(secret: pulumi.Input[str] | None, argument: str) -> pulumi.Output[str]:
    if secret is None:
        raise SpecError([Problem((), f"the argument {argument} is missing, which its authentication needs")])
    return pulumi.Output.secret(secret)


def _secret_provider_class(database: DatabaseAccess) -> dict[str, Any]:
    arn = pulumi.Output.from_input(database.secret_arn)
    fields = ("username", "password")
    paths = [{"path": field, "objectAlias": field} for field in fields]

    def objects(secret_arn: str) -> str:
        return json.dumps([{"objectName": secret_arn, "objectAlias": "secret", "jmesPath": paths}])

    parameters = {
        "region": arn.apply(_region_of),
        "usePodIdentity": "true",
        # JSON is YAML too.
        "objects": arn.apply(objects),
    }
    return {"provider": "aws", "parameters": parameters}


def _region_of(arn: str) -> str:
    # The simplest mocks of a user's tests have no ARN.
    return arn.split(":")[3] if arn else ""


def _own_policies(database: DatabaseAccess) -> dict[str, Any]:
    teams = {"namespace_selector": {"match_expressions": [{"key": names.TEAM_LABEL, "operator": "Exists"}]}}
    anywhere = {"ip_block": {"cidr": "0.0.0.0/0", "except_": [LINK_LOCAL]}}
    return {
        "teams": {
            "pod_selector": {"match_labels": SERVER_LABELS},
            "policy_types": ["Ingress"],
            "ingress": [{"from_": [teams], "ports": [{"protocol": "TCP", "port": PORT}]}],
        },
        "database": {
            "pod_selector": {},
            "policy_types": ["Egress"],
            "egress": [{"to": [anywhere], "ports": [{"protocol": "TCP", "port": database.port}]}],
        },
    }


def _access(spec: MlflowSpec, host: str | None) -> ServiceAccess:
    if isinstance(spec.authentication, MlflowBasicAuthentication):
        sign_in = (
            f"user {ADMIN} with eksml:mlflowAdminPassword, or a team's from the Secret {names.MLFLOW_SECRET} of its"
            " namespace"
        )
    else:
        sign_in = f"by the identity provider {spec.authentication.issuer}"
    if host:
        return ServiceAccess("MLflow", f"https://{host}", None, sign_in)
    return ServiceAccess("MLflow", f"http://localhost:{PORT}", port_forward(_NAMESPACE, SERVER, PORT, PORT), sign_in)
