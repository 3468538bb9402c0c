"""The pods of MLflow: its server, and the Job that brings the database up to its version."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

from eksml import names
from eksml.catalog import rds_certificates
from eksml.containers import CONTAINER_SECURITY, environment, pod_security
from eksml.controllers import affinity, no_gpu_nodes, resources
from eksml.kubernetes_object import KubernetesObject
from eksml.tracking.mlflow_spec import MlflowBasicAuthentication, MlflowSpec

SERVER = "mlflow"
PORT, METRICS_PORT = names.MLFLOW_PORT, 9090
SERVER_LABELS = {"app.kubernetes.io/name": SERVER}
MIGRATION_LABELS = {"app.kubernetes.io/name": "mlflow-migration"}
SERVICE_ACCOUNT = "mlflow"
MIGRATION = "mlflow-migration"
"""The service account of the Job, and its rights."""
DATABASE_SECRET = "mlflow-database"
"""The SecretProviderClass of the database's secret, and the Secret with the servers' own role."""
ADMIN_SECRET = "mlflow-admin"
SIGN_IN_SECRET = "mlflow-sign-in"
"""What servers sign sessions with, and the users that there are."""

_ROLE = "mlflow"

_SCRIPTS = "/scripts"
_SECRETS = "/secrets"
_STATE = "/run/mlflow"
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_CERTIFICATES = "rds-certificates.pem"
_USER_ID = 1000
# A load balancer needs as long to learn that a pod goes.
_DRAIN_SECONDS, _SECONDS_TO_END = 15, 30
_PERMISSIONS = {"none": "NO_PERMISSIONS"}


def scripts_config_map(spec: MlflowSpec, region: str) -> KubernetesObject:
    """The programs of the pods, and the certificates by which they know the database: another one for other content."""
    folder = files("eksml.tracking").joinpath("scripts")
    programs = sorted((path for path in folder.iterdir() if path.name.endswith(".py")), key=lambda path: path.name)
    data = {path.name: path.read_text(encoding="utf-8") for path in programs}
    if certificates := _certificates(spec, region):
        data[_CERTIFICATES] = certificates
    digest = names.short_hash(json.dumps(data, sort_keys=True))
    return KubernetesObject("v1", "ConfigMap", f"{SERVER}-scripts-{digest}", {"data": data})


def server_template(
    spec: MlflowSpec,
    scripts: KubernetesObject,
    database: Mapping[str, Any],
    *,
    has_role: bool,
    image: str,
    region: str,
    artifacts: Any,
    host: str | None,
) -> dict[str, Any]:
    """The template of the server's pods.

    Arguments:
        spec: MLflow.
        scripts: the ConfigMap with its programs.
        database: the variables that say where the database is.
        has_role: whether servers sign in to it by a role of their own, instead of by the database's secret.
        image: its image.
        region: that of its bucket.
        artifacts: where artifacts lie, as s3://BUCKET/PREFIX.
        host: the name by which people reach it, if they do.
    """
    container = {
        "name": SERVER,
        "image": image,
        "command": ["python", f"{_SCRIPTS}/serve.py"],
        "args": _arguments(spec, artifacts, host),
        "env": environment({**_variables(spec, scripts, database, SIGN_IN_SECRET), **_server_variables(region)}),
        "ports": [{"name": "http", "containerPort": PORT}, {"name": "metrics", "containerPort": METRICS_PORT}],
        "resources": resources("500m", f"{spec.memory_gib}Gi", f"{spec.memory_gib}Gi"),
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(_DRAIN_SECONDS)]}}},
        **_probes(),
        **_inside(spec),
    }
    return {
        "metadata": {"labels": SERVER_LABELS},
        "spec": {
            **_pod(spec, scripts, SIGN_IN_SECRET, container, _own_role() if has_role else _secret_of_database()),
            "serviceAccountName": SERVICE_ACCOUNT,
            "automountServiceAccountToken": False,
            "affinity": affinity(SERVER_LABELS),
            "terminationGracePeriodSeconds": _DRAIN_SECONDS + _SECONDS_TO_END,
        },
    }


def migration_template(
    spec: MlflowSpec,
    scripts: KubernetesObject,
    database: Mapping[str, Any],
    *,
    has_role: bool,
    users: Iterable[str],
    image: str,
) -> dict[str, Any]:
    """The template of the pod that upgrades the schema, and makes the servers' role and the users."""
    container = {
        "name": "migration",
        "image": image,
        "command": ["python", f"{_SCRIPTS}/migrate.py"],
        "env": environment(
            {**_variables(spec, scripts, database, ADMIN_SECRET), **_migration_variables(spec, users, has_role)}
        ),
        "resources": resources("100m", "1Gi", "1Gi"),
        **_inside(spec),
    }
    return {
        "metadata": {"labels": MIGRATION_LABELS},
        "spec": {
            **_pod(spec, scripts, ADMIN_SECRET, container, _secret_of_database()),
            "serviceAccountName": MIGRATION,
            # It fills Secrets.
            "automountServiceAccountToken": True,
            "affinity": no_gpu_nodes(),
            "restartPolicy": "Never",
        },
    }


def _arguments(spec: MlflowSpec, artifacts: Any, host: str | None) -> list[Any]:
    options = {
        "--host": "0.0.0.0",  # noqa: S104
        "--port": str(PORT),
        "--workers": str(spec.workers),
        "--artifacts-destination": artifacts,
        "--allowed-hosts": ",".join(_allowed_hosts(host)),
        # Without it the pages behind the entry could not change anything.
        **({"--cors-allowed-origins": f"https://{host}"} if host else {}),
        **({"--app-name": "basic-auth"} if isinstance(spec.authentication, MlflowBasicAuthentication) else {}),
    }
    return ["--serve-artifacts", *(word for option in options.items() for word in option)]


def _allowed_hosts(host: str | None) -> list[str]:
    service = f"{SERVER}.{names.MLFLOW_NAMESPACE}"
    inside = [f"{name}:{PORT}" for name in (SERVER, service, f"{service}.svc", f"{service}.svc.cluster.local")]
    # What a port-forward is reached by.
    return [*inside, "localhost:*", "127.0.0.1:*", *([host] if host else [])]


def _variables(spec: MlflowSpec, scripts: KubernetesObject, database: Mapping[str, Any], secret: str) -> dict[str, Any]:
    """What all programs read, nothing of it a secret."""
    variables = {
        **database,
        "DATABASE_SSLMODE": "require",
        "DATABASE_SECRET": f"{_SECRETS}/database",
        "STATE_DIRECTORY": _STATE,
        "HOME": "/tmp",  # noqa: S108
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if _CERTIFICATES in scripts.body["data"]:
        variables |= {"DATABASE_SSLMODE": "verify-full", "DATABASE_CERTIFICATES": f"{_SCRIPTS}/{_CERTIFICATES}"}
    if isinstance(spec.authentication, MlflowBasicAuthentication):
        permission = spec.authentication.default_permission
        variables |= {
            "MLFLOW_SECRETS": f"{_SECRETS}/{secret}",
            "MLFLOW_DEFAULT_PERMISSION": _PERMISSIONS.get(permission, permission.upper()),
        }
    return variables


def _server_variables(region: str) -> dict[str, str]:
    return {
        "PORT": str(PORT),
        "METRICS_PORT": str(METRICS_PORT),
        "AWS_REGION": region,
        # A queue on the pod's own disk, which other replicas do not see, for evaluations that nothing here asks for.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def _migration_variables(spec: MlflowSpec, users: Iterable[str], has_role: bool) -> dict[str, str]:
    """What the Job makes, and where it keeps the passwords of it."""
    variables = {
        "NAMESPACE": names.MLFLOW_NAMESPACE,
        "KUBERNETES_API": "https://kubernetes.default.svc",
        "SERVICE_ACCOUNT_DIRECTORY": _ACCOUNT,
    }
    if has_role:
        variables |= {"DATABASE_ROLE": _ROLE, "ROLE_SECRET": DATABASE_SECRET}
    if isinstance(spec.authentication, MlflowBasicAuthentication):
        variables |= {
            "MLFLOW_USERS": " ".join(users),
            "USER_SECRET": names.MLFLOW_SECRET,
            "SIGN_IN_SECRET": SIGN_IN_SECRET,
        }
    return variables


def _probes() -> dict[str, Any]:
    health = {"httpGet": {"path": "/health", "port": "http"}}
    return {
        "startupProbe": {**health, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 60},
        "readinessProbe": {**health, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 3},
        "livenessProbe": {**health, "periodSeconds": 15, "timeoutSeconds": 10, "failureThreshold": 4},
    }


def _inside(spec: MlflowSpec) -> dict[str, Any]:
    mounts = [
        {"name": "scripts", "mountPath": _SCRIPTS, "readOnly": True},
        {"name": "database", "mountPath": f"{_SECRETS}/database", "readOnly": True},
        {"name": "state", "mountPath": _STATE},
        {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108
    ]
    return {"securityContext": {**CONTAINER_SECURITY, "readOnlyRootFilesystem": True}, "volumeMounts": mounts}


def _secret_of_database() -> dict[str, Any]:
    """A volume of the user and password in Secrets Manager, also after they have changed."""
    return {
        "csi": {
            "driver": "secrets-store.csi.k8s.io",
            "readOnly": True,
            "volumeAttributes": {"secretProviderClass": DATABASE_SECRET},
        }
    }


def _own_role() -> dict[str, Any]:
    """A volume of the role and password that the Job has made."""
    return {"secret": {"secretName": DATABASE_SECRET}}


def _pod(
    spec: MlflowSpec, scripts: KubernetesObject, secret: str, container: dict[str, Any], database: dict[str, Any]
) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [
        {"name": "scripts", "configMap": {"name": scripts.name}},
        {"name": "database", **database},
        # In memory, for it has the password: 64 MiB are for the files of metrics, which all processes share.
        {"name": "state", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
        {"name": "scratch", "emptyDir": {"sizeLimit": f"{spec.scratch_gib}Gi"}},
    ]
    if isinstance(spec.authentication, MlflowBasicAuthentication):
        volumes.append({"name": "secrets", "secret": {"secretName": secret}})
        mount = {"name": "secrets", "mountPath": f"{_SECRETS}/{secret}", "readOnly": True}
        container = {**container, "volumeMounts": [*container["volumeMounts"], mount]}
    return {
        # The Service of this namespace would give its pods a variable MLFLOW_PORT, which MLflow takes for its own.
        "enableServiceLinks": False,
        "securityContext": pod_security(_USER_ID),
        "containers": [container],
        "volumes": volumes,
    }


def _certificates(spec: MlflowSpec, region: str) -> str | None:
    if spec.database.kind == "rds":
        return rds_certificates(region)
    # NAME.HASH.REGION.rds.amazonaws.com; who signs the certificates of others is not known.
    host = spec.database.host.removesuffix(".rds.amazonaws.com")
    return None if host == spec.database.host else rds_certificates(host.rpartition(".")[2])
