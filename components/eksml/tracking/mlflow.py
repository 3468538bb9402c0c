"""MLflow: what remembers experiments, runs and models."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from eksml import names
from eksml.cluster.pod_identity import PodIdentity, PodIdentitySpec
from eksml.component import Component, Tags
from eksml.controllers import operator_namespace
from eksml.errors import Problem, SpecError
from eksml.image_registry import image_of
from eksml.service_access import ServiceAccess, port_forward
from eksml.storage.postgresql import DatabaseAccess
from eksml.tenancy.network_policies import network_policies
from eksml.tracking.mlflow_identity import policy
from eksml.tracking.mlflow_pods import (
    DATABASE_SECRET,
    PORT,
    SERVER,
    SERVER_LABELS,
    SERVER_SECRET,
    SERVICE_ACCOUNT,
    USERS_SECRET,
    migration_template,
    scripts_config_map,
    server_template,
)
from eksml.tracking.mlflow_spec import ADMIN, LOGIN_SECRET, MlflowBasicAuthentication, MlflowSpec

_NAMESPACE = names.MLFLOW_NAMESPACE
_LINK_LOCAL = "169.254.0.0/16"


class Mlflow(Component):
    """MLflow's server on a PostgreSQL database and a bucket, with a user for each team.

    It needs the Secrets Store CSI driver with AWS's provider and rotation on, and the Pod Identity agent. The password
    of the database goes from Secrets Manager into files of the pods: it is in no program, state, Plan or manifest. When
    it has been rotated, servers start anew and read it again.

    A Job upgrades the schema of the database and makes the users before servers of a version start; it runs again when
    the version, the teams or the administrator's password change.

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
        self._identity(cluster_name, database, spec.artifacts.key_arn or key_arn, region)
        self._network_policies(database, load_balancer_cidrs)
        self._add("v1", "ServiceAccount", SERVICE_ACCOUNT, {"automountServiceAccountToken": False})
        provider_class = _secret_provider_class(database)
        self._add("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass", DATABASE_SECRET, {"spec": provider_class})
        labels = {**dict.fromkeys(namespaces), **{team: {names.TEAM_LABEL: team} for team in teams}}
        secrets = self._secrets(labels, admin_password, client_secret)
        self._servers(database, region, host, secrets)
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
            f"kubernetes:{'core/v1' if api_version == 'v1' else api_version}:{kind}",
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

    def _identity(
        self, cluster_name: pulumi.Input[str], database: DatabaseAccess, key_arn: str | None, region: str
    ) -> None:
        identity = PodIdentity(
            self.resource_name,
            PodIdentitySpec(namespace=_NAMESPACE, service_account=SERVICE_ACCOUNT),
            cluster_name=cluster_name,
            policy=policy(self._bucket, self._spec.artifacts.prefix, key_arn, database, region),
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

    def _secrets(
        self,
        users: Mapping[str, Mapping[str, str] | None],
        admin_password: pulumi.Input[str] | None,
        client_secret: pulumi.Input[str] | None,
    ) -> list[pulumi.Resource]:
        """Makes the Secrets, those of users by namespace with its label; gives those whose change migrates again."""
        authentication = self._spec.authentication
        if not isinstance(authentication, MlflowBasicAuthentication):
            login = {"clientID": authentication.client_id, "clientSecret": _given(client_secret, "client_secret")}
            self._secret(LOGIN_SECRET, login)
            return []
        admin = _given(admin_password, "admin_password")
        passwords = {user: _derived(admin, f"mlflow:{user}") for user in users}
        self._secret(SERVER_SECRET, {"flask-secret-key": _derived(admin, "mlflow-server")})
        for user, password in passwords.items():
            values = {"username": user, "password": password}
            self._secret(names.MLFLOW_SECRET, values, user, labels=users[user])
        return [self._secret(USERS_SECRET, {ADMIN: admin, **passwords})]

    def _secret(
        self,
        name: str,
        values: dict[str, Any],
        namespace: str = _NAMESPACE,
        labels: Mapping[str, str] | None = None,
    ) -> pulumi.Resource:
        # Pulumi replaces a Secret whose content changes, and there is no second one of its name.
        fields = {"stringData": pulumi.Output.secret(values)}
        return self._add("v1", "Secret", name, fields, namespace, labels, delete_before_replace=True)

    def _servers(self, database: DatabaseAccess, region: str, host: str | None, secrets: list[pulumi.Resource]) -> None:
        spec, image = self._spec, image_of("mlflow", self.image_registry)
        scripts = scripts_config_map(spec, region)
        self._add(scripts.api_version, scripts.kind, scripts.name, scripts.body)
        reached = {
            "DATABASE_HOST": database.host,
            "DATABASE_PORT": pulumi.Output.from_input(database.port).apply(str),
            "DATABASE_NAME": database.database,
        }
        self._migration(migration_template(spec, scripts, reached, image=image), secrets)
        artifacts = self._bucket.apply(lambda bucket: f"s3://{bucket}/{spec.artifacts.prefix}")
        template = server_template(spec, scripts, reached, image=image, region=region, artifacts=artifacts, host=host)
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


def _derived(admin_password: pulumi.Output[str], purpose: str) -> pulumi.Output[str]:
    """A password that follows from the administrator's, and does not lead back to one that is long enough."""
    return admin_password.apply(lambda text: hmac.new(text.encode(), purpose.encode(), hashlib.sha256).hexdigest())


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
    anywhere = {"ip_block": {"cidr": "0.0.0.0/0", "except_": [_LINK_LOCAL]}}
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
