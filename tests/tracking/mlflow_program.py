"""A bare program with MLflow in it."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from eksml.plan import Plan
from eksml.spec import parse
from eksml.storage.postgresql import ExistingDatabaseSpec
from eksml.tracking.mlflow import Mlflow
from eksml.tracking.mlflow_spec import MlflowSpec
from programs import recorded

HOST = "lab.abc123.us-west-2.rds.amazonaws.com"
SECRET_ARN = "arn:aws:secretsmanager:us-west-2:123456789012:secret:rds!db-1-AbCdEf"
EXISTING = {"kind": "existing", "host": HOST, "database": "mlflow", "secretArn": SECRET_ARN}
OF_ADMINISTRATOR = {**EXISTING, "makeRole": True}
ADMIN_PASSWORD = "an administrator's password"
CLIENT_SECRET = "what the provider knows"
LOGIN = {
    "kind": "openIdConnect",
    "issuer": "https://id.example.com",
    "authorizationEndpoint": "https://id.example.com/authorize",
    "tokenEndpoint": "https://id.example.com/token",
    "userInfoEndpoint": "https://id.example.com/userinfo",
    "clientId": "mlflow",
}


def mlflow(*, arguments: dict[str, Any] | None = None, **settings: Any) -> Plan:
    """MLflow on an existing database in a team's cluster, with these settings and arguments of the component."""
    spec = parse(MlflowSpec, {"database": EXISTING, **settings})
    assert isinstance(spec.database, ExistingDatabaseSpec)
    access = spec.database.access._replace(host=pulumi.Output.from_input(spec.database.host))

    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        given: dict[str, Any] = {
            "bucket": "lab-models",
            "teams": ["vision"],
            "admin_password": pulumi.Output.secret(ADMIN_PASSWORD),
            "client_secret": pulumi.Output.secret(CLIENT_SECRET),
            "tags": {"team": "platform"},
            **(arguments or {}),
        }
        made = Mlflow(
            "lab-mlflow",
            spec,
            cluster_name="lab",
            region="us-west-2",
            database=access,
            opts=pulumi.ResourceOptions(providers=[provider]),
            **given,
        )
        pulumi.export("url", made.url)
        pulumi.export("access", made.access.as_export())

    return recorded(program)
