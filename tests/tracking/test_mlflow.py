"""MLflow: its pods, its secrets, and who reaches it."""

import json
from typing import Any

import pytest

from eksml.catalog import images, rds_certificates, regions
from eksml.errors import SpecError
from eksml.plan import Plan
from eksml.plan.manifests import objects
from eksml.spec import parse
from eksml.tracking.mlflow_spec import MlflowEntryAuthentication, MlflowSpec, mlflow_problems
from programs import needs, one
from refusals import check_problems, problems
from tracking.mlflow_program import ADMIN_PASSWORD, CLIENT_SECRET, EXISTING, LOGIN, OF_ADMINISTRATOR, SECRET_ARN, mlflow

DEPLOYMENT, JOB = "kubernetes:apps/v1:Deployment", "kubernetes:batch/v1:Job"
SECRET = "kubernetes:core/v1:Secret"


def pod(plan: Plan, kind: str = DEPLOYMENT) -> Any:
    return one(plan, kind).inputs["spec"]["template"]["spec"]


def container(plan: Plan, kind: str = DEPLOYMENT) -> Any:
    (only,) = pod(plan, kind)["containers"]
    return only


def variables(plan: Plan, kind: str = DEPLOYMENT) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container(plan, kind)["env"]}


def option(plan: Plan, name: str) -> str:
    arguments = container(plan)["args"]
    return arguments[arguments.index(name) + 1]


def identity(plan: Plan, service_account: str) -> dict[str, Any]:
    """The statements of what a service account may do in AWS, by their ids."""
    (association,) = [
        each
        for each in plan.of_type("aws:eks/podIdentityAssociation:PodIdentityAssociation")
        if each.inputs["serviceAccount"] == service_account
    ]
    (policy,) = [each for each in plan.of_type("aws:iam/rolePolicy:RolePolicy") if each.parent == association.parent]
    return {each["Sid"]: each for each in json.loads(policy.inputs["policy"])["Statement"]}


def volume(plan: Plan, name: str, kind: str = DEPLOYMENT) -> Any:
    (found,) = [each for each in pod(plan, kind)["volumes"] if each["name"] == name]
    return found


def secrets(plan: Plan) -> dict[str, Any]:
    """What the program says of the content of each Secret, by namespace and name."""
    found = [each.inputs for each in plan.of_type(SECRET)]
    return {f"{each['metadata']['namespace']}/{each['metadata']['name']}": each.get("data") for each in found}


def test_it_works_alone() -> None:
    plan = mlflow()
    assert container(plan)["image"] == images()["mlflow"].reference
    assert plan.exports["url"] == "http://mlflow.mlflow.svc:5000"
    assert plan.exports["access"]["command"] == "kubectl port-forward --namespace mlflow service/mlflow 5000:5000"


def test_no_secret_is_in_plan_or_manifests() -> None:
    for plan in (mlflow(), mlflow(authentication=LOGIN)):
        everything = json.dumps([resource.inputs for resource in plan.resources]) + json.dumps(objects(plan))
        for secret in (ADMIN_PASSWORD, CLIENT_SECRET):
            assert secret not in everything
        assert "[secret]" in everything


def test_the_password_of_the_database_is_mounted_by_pod_identity_and_named_nowhere() -> None:
    plan = mlflow()
    made = one(plan, "kubernetes:secrets-store.csi.x-k8s.io/v1:SecretProviderClass").inputs["spec"]
    assert made["provider"] == "aws"
    assert made["parameters"]["usePodIdentity"] == "true"
    assert made["parameters"]["region"] == "us-west-2"
    (named,) = json.loads(made["parameters"]["objects"])
    assert named["objectName"] == SECRET_ARN
    assert [(each["path"], each["objectAlias"]) for each in named["jmesPath"]] == [
        ("username", "username"),
        ("password", "password"),
    ]
    for kind in (DEPLOYMENT, JOB):
        assert volume(plan, "database", kind)["csi"]["volumeAttributes"] == {"secretProviderClass": "mlflow-database"}
        assert not [each for each in container(plan, kind)["env"] if "valueFrom" in each]
        assert not any("PASSWORD" in name or "URI" in name for name in variables(plan, kind))


def test_servers_have_a_folder_of_the_bucket_and_the_secret_by_which_they_sign_in() -> None:
    plan = mlflow()
    found = identity(plan, "mlflow")
    assert found["Artifacts"]["Resource"] == "arn:aws:s3:::lab-models/mlflow/*"
    assert found["ListArtifacts"]["Resource"] == "arn:aws:s3:::lab-models"
    assert found["ListArtifacts"]["Condition"] == {"StringLike": {"s3:prefix": ["mlflow", "mlflow/*"]}}
    assert found["DatabasePassword"]["Resource"] == SECRET_ARN
    assert set(found) == {"Artifacts", "ListArtifacts", "DatabasePassword"}
    assert set(identity(plan, "mlflow-migration")) == {"DatabasePassword"}


def test_an_administrators_secret_is_the_jobs_alone_and_servers_get_a_role_of_their_own() -> None:
    plan = mlflow(database=OF_ADMINISTRATOR)
    assert set(identity(plan, "mlflow")) == {"Artifacts", "ListArtifacts"}
    assert set(identity(plan, "mlflow-migration")) == {"DatabasePassword"}
    assert volume(plan, "database")["secret"] == {"secretName": "mlflow-database"}
    assert "csi" in volume(plan, "database", JOB)
    assert variables(plan, JOB)["DATABASE_ROLE"] == "mlflow"
    assert secrets(plan)["mlflow/mlflow-database"] is None, "the Job fills it"
    assert "mlflow/mlflow-database" not in secrets(mlflow())
    assert "DATABASE_ROLE" not in variables(mlflow(), JOB)


def test_the_job_may_fill_the_secrets_that_are_meant_for_it_and_make_none() -> None:
    for settings, own in (
        ({}, ["mlflow-sign-in"]),
        ({"database": OF_ADMINISTRATOR}, ["mlflow-database", "mlflow-sign-in"]),
    ):
        roles = [item for item in objects(mlflow(**settings)) if item["kind"] == "Role"]
        rights = {item["metadata"]["namespace"]: item["rules"] for item in roles}
        rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "patch"]}
        assert rights == {
            "mlflow": [{**rule, "resourceNames": own}],
            "vision": [{**rule, "resourceNames": ["mlflow"]}],
        }
    assert not [item for item in objects(mlflow(authentication=LOGIN)) if item["kind"] == "Role"]
    plan = mlflow()
    assert (pod(plan)["serviceAccountName"], pod(plan, JOB)["serviceAccountName"]) == ("mlflow", "mlflow-migration")
    assert pod(plan, JOB)["automountServiceAccountToken"] is True


def test_a_bucket_of_its_own_goes_before_the_platforms() -> None:
    key = "arn:aws:kms:us-west-2:123456789012:key/0123"
    plan = mlflow(artifacts={"bucket": "runs", "prefix": "lab/mlflow", "keyArn": key})
    assert option(plan, "--artifacts-destination") == "s3://runs/lab/mlflow"
    found = identity(plan, "mlflow")
    assert found["Artifacts"]["Resource"] == "arn:aws:s3:::runs/lab/mlflow/*"
    assert found["ArtifactsKey"]["Resource"] == key


def test_servers_start_after_the_migration_and_both_after_their_identities_and_rights() -> None:
    plan = mlflow()
    assert one(plan, JOB).urn in needs(plan, one(plan, DEPLOYMENT))
    rights = [
        *plan.of_type("aws:eks/podIdentityAssociation:PodIdentityAssociation"),
        *plan.of_type("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"),
        *plan.of_type(SECRET),
    ]
    assert len(rights) == 2 + 2 + 3
    assert {each.urn for each in rights} <= needs(plan, one(plan, JOB))


def test_the_migration_has_another_name_for_other_content_and_a_stated_time() -> None:
    job = one(mlflow(migrationMinutes=90), JOB)
    assert job.inputs["spec"]["activeDeadlineSeconds"] == 90 * 60
    usual, other = (one(plan, JOB).inputs["metadata"]["name"] for plan in (mlflow(), mlflow(scratchGib=20)))
    assert usual == one(mlflow(replicas=2), JOB).inputs["metadata"]["name"]
    assert usual != other


def test_another_password_of_the_administrator_or_other_teams_make_the_migration_run_again() -> None:
    plan = mlflow()
    assert one(plan, JOB).options["replaceWith"] == [one(plan, SECRET, "lab-mlflow-mlflow-admin").urn]
    more = mlflow(arguments={"teams": ["speech", "vision"]})
    assert one(plan, JOB).inputs["metadata"]["name"] != one(more, JOB).inputs["metadata"]["name"]


def test_each_team_and_the_notebooks_have_a_secret_that_the_job_fills() -> None:
    plan = mlflow(arguments={"teams": ["speech", "vision"], "namespaces": ["jupyterhub"]})
    assert set(variables(plan, JOB)["MLFLOW_USERS"].split()) == {"speech", "vision", "jupyterhub"}
    assert secrets(plan) == {
        "mlflow/mlflow-admin": "[secret]",
        "mlflow/mlflow-sign-in": None,
        **dict.fromkeys(("jupyterhub/mlflow", "speech/mlflow", "vision/mlflow")),
    }


def test_the_server_does_not_get_the_passwords_of_users() -> None:
    plan = mlflow()
    mounted = [each["secret"]["secretName"] for each in pod(plan)["volumes"] if "secret" in each]
    assert mounted == ["mlflow-sign-in"]
    assert variables(plan)["MLFLOW_SECRETS"] == "/secrets/mlflow-sign-in"
    assert variables(plan, JOB)["MLFLOW_SECRETS"] == "/secrets/mlflow-admin"


def test_with_an_identity_provider_it_has_no_users_and_the_load_balancer_a_secret() -> None:
    plan = mlflow(authentication=LOGIN)
    assert "--app-name" not in container(plan)["args"]
    assert [item["metadata"]["name"] for item in objects(plan) if item["kind"] == "Secret"] == ["mlflow-login"]
    authentication = parse(MlflowSpec, {"database": EXISTING, "authentication": LOGIN}).authentication
    assert isinstance(authentication, MlflowEntryAuthentication)
    login = authentication.login
    assert login.secret == "mlflow-login"
    assert login.issuer == LOGIN["issuer"]


def test_it_answers_to_its_service_a_port_forward_and_its_host_only() -> None:
    hosts = option(mlflow(arguments={"host": "mlflow.example.com"}), "--allowed-hosts").split(",")
    assert {"mlflow.mlflow.svc:5000", "localhost:*", "mlflow.example.com"} <= set(hosts)
    assert "*" not in hosts
    assert option(mlflow(arguments={"host": "mlflow.example.com"}), "--cors-allowed-origins") == (
        "https://mlflow.example.com"
    )
    assert "--cors-allowed-origins" not in container(mlflow())["args"]


def test_behind_an_entry_it_has_an_address() -> None:
    plan = mlflow(arguments={"host": "mlflow.example.com"})
    assert plan.exports["access"]["url"] == "https://mlflow.example.com"
    assert "command" not in plan.exports["access"]


def test_a_database_of_rds_is_known_by_its_certificate() -> None:
    plan = mlflow()
    data = one(plan, "kubernetes:core/v1:ConfigMap").inputs["data"]
    assert variables(plan)["DATABASE_SSLMODE"] == "verify-full"
    assert data["rds-certificates.pem"] == rds_certificates("us-west-2")
    elsewhere = mlflow(database={**EXISTING, "host": "db.example.com"})
    assert variables(elsewhere)["DATABASE_SSLMODE"] == "require"
    assert "DATABASE_CERTIFICATES" not in variables(elsewhere)


def test_the_certificates_of_most_regions_are_known() -> None:
    known = {region for region in regions() if rds_certificates(region)}
    assert {"us-west-2", "us-east-1", "eu-central-1"} <= known
    assert {region for region in regions() if region not in known} == {
        "ap-east-2",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "ca-west-1",
        "il-central-1",
        "mx-central-1",
    }
    assert (rds_certificates("us-west-2") or "").count("BEGIN CERTIFICATE") == 3


def test_pods_write_to_their_own_volumes_only() -> None:
    for kind in (DEPLOYMENT, JOB):
        plan = mlflow()
        assert pod(plan, kind)["securityContext"]["runAsNonRoot"] is True
        assert pod(plan, kind)["enableServiceLinks"] is False, "a variable MLFLOW_PORT of its Service would be obeyed"
        security = container(plan, kind)["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert volume(plan, "state", kind)["emptyDir"]["medium"] == "Memory", "it has the password"
    assert pod(mlflow())["automountServiceAccountToken"] is False


def test_several_servers_keep_off_each_other_and_all_but_one_stay() -> None:
    budget = "kubernetes:policy/v1:PodDisruptionBudget"
    assert mlflow().of_type(budget) == []
    plan = mlflow(replicas=2)
    assert one(plan, budget).inputs["spec"]["maxUnavailable"] == 1
    assert "podAntiAffinity" in pod(plan)["affinity"]


def test_teams_the_platform_and_load_balancers_reach_it_and_nobody_else() -> None:
    plan = mlflow(arguments={"load_balancer_cidrs": ("10.0.0.0/24",)})
    policies = {
        each.inputs["metadata"]["name"]: each.inputs["spec"]
        for each in plan.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")
    }
    assert policies["deny-all"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    (teams,) = policies["teams"]["ingress"]
    (who,) = teams["from"]
    assert who["namespaceSelector"]["matchExpressions"] == [{"key": "eksml.dev/team", "operator": "Exists"}]
    assert [port["port"] for port in teams["ports"]] == [5000]
    assert policies["database"]["egress"][0]["ports"] == [{"protocol": "TCP", "port": 5432}]
    assert "load-balancers" in policies


def test_its_metrics_are_read_where_there_is_a_prometheus() -> None:
    monitor = "kubernetes:monitoring.coreos.com/v1:PodMonitor"
    assert mlflow().of_type(monitor) == []
    plan = mlflow(arguments={"has_prometheus": True})
    assert one(plan, monitor).inputs["spec"]["podMetricsEndpoints"] == [{"port": "metrics"}]
    assert {"name": "metrics", "containerPort": 9090} in container(plan)["ports"]


def test_its_image_comes_from_a_registry_if_there_is_one() -> None:
    plan = mlflow(arguments={"image_registry": "registry.example.com"})
    for kind in (DEPLOYMENT, JOB):
        assert container(plan, kind)["image"].startswith("registry.example.com/ghcr.io/mlflow/mlflow:")


def test_without_a_bucket_or_the_secret_that_it_needs_it_is_refused() -> None:
    for arguments, settings in (
        ({"bucket": None}, {}),
        ({"admin_password": None}, {}),
        ({"client_secret": None}, {"authentication": LOGIN}),
    ):
        with pytest.raises(SpecError, match="missing"):
            mlflow(arguments=arguments, **settings)


def test_it_says_which_secrets_it_needs() -> None:
    assert set(parse(MlflowSpec, {"database": EXISTING}).secrets_needed) == {"mlflowAdminPassword"}
    login = parse(MlflowSpec, {"database": EXISTING, "authentication": LOGIN})
    assert set(login.secrets_needed) == {"mlflowClientSecret"}


def test_what_cannot_be_is_refused_at_once() -> None:
    key = "arn:aws:kms:us-west-2:123456789012:key/0123"
    check_problems(
        problems(MlflowSpec, {"database": EXISTING, "workers": 8, "artifacts": {"keyArn": key}}),
        [
            "artifacts.keyArn: given, but has no effect with the platform's model bucket, which has its own",
            "memoryGib: 2 given, must be at least 4 for 8 workers: each takes 0.35",
        ],
    )


def test_without_a_database_or_its_secret_it_is_refused() -> None:
    check_problems(problems(MlflowSpec, {}), ["database: missing"])
    without = {**EXISTING}
    del without["secretArn"]
    check_problems(problems(MlflowSpec, {"database": without}), ["database.secretArn: missing"])


def found(
    *, has_bucket: bool = True, has_entry: bool = True, teams: tuple[str, ...] = (), **settings: Any
) -> list[str]:
    spec = parse(MlflowSpec, {"database": EXISTING, **settings})
    given = mlflow_problems(spec, has_bucket=has_bucket, has_entry=has_entry, teams=teams)
    return [f"{'.'.join(map(str, each.path))}: {each.text}" for each in given]


def test_a_platform_without_what_it_needs_is_refused() -> None:
    assert found(has_entry=False, teams=("vision",)) == []
    assert found(has_bucket=False, artifacts={"bucket": "runs"}) == []
    assert found(authentication=LOGIN, teams=("admin",)) == []
    (text,) = found(has_bucket=False)
    assert text.startswith("artifacts.bucket: missing: the platform has no model bucket")
    (text,) = found(teams=("admin",))
    assert text.startswith("authentication: a team is called admin")
    (text,) = found(authentication=LOGIN, has_entry=False)
    assert text.startswith("authentication.kind: openIdConnect given, but people sign in at the platform's entry")


def test_a_migration_that_failed_is_made_anew_by_the_next_update() -> None:
    job = one(mlflow(), "kubernetes:batch/v1:Job").inputs
    assert job["metadata"]["annotations"] == {"pulumi.com/replaceUnready": "true"}
