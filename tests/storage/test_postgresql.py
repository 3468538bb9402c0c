"""PostgreSQL on RDS, and databases that exist."""

from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksml.catalog import databases
from eksml.errors import SpecError
from eksml.plan import Plan
from eksml.spec import parse
from eksml.storage.postgresql import ExistingDatabaseSpec, Postgresql, PostgresqlSpec, _window_problems
from programs import needs, one, recorded
from refusals import check_problems, problems

KEY = "arn:aws:kms:us-west-2:123456789012:key/0123"
SECRET = "arn:aws:secretsmanager:us-west-2:123456789012:secret:mlflow-a1b2c3"
SUBNETS = {"usw2-az1": "subnet-1", "usw2-az2": "subnet-2"}
SMALL = {
    "instanceClass": "db.t4g.micro",
    "multiAz": False,
    "mostSizeGib": None,
    "backupRetentionDays": 1,
    "deletionProtection": False,
}
INSTANCE = "aws:rds/instance:Instance"


def database(*, name: str = "lab-mlflow", subnets: dict[str, str] = SUBNETS, **settings: Any) -> Plan:
    spec = parse(PostgresqlSpec, settings)

    def program() -> None:
        made = Postgresql(
            name,
            spec,
            database="mlflow",
            vpc_id="vpc-1",
            private_subnets=subnets,
            client_security_group_id="sg-nodes",
            tags={"team": "vision"},
        )
        for field, value in made.access._asdict().items():
            pulumi.export(field, value)

    return recorded(program)


def instance(**settings: Any) -> Any:
    return one(database(**settings), INSTANCE).inputs


def test_it_works_alone_and_says_how_it_is_reached() -> None:
    exports = database().exports
    assert exports["host"].startswith("lab-mlflow.")
    assert (exports["port"], exports["database"]) == (5432, "mlflow")
    assert exports["secret_arn"].startswith("arn:aws:secretsmanager:us-west-2:")
    assert "key_arn" not in exports
    assert database(keyArn=KEY).exports["key_arn"] == KEY, "who reads the secret must be allowed to use it"


def test_as_it_stands_it_suits_production() -> None:
    made = instance()
    assert made["multiAz"] is True
    assert made["storageEncrypted"] is True
    assert made["deletionProtection"] is True
    assert made["backupRetentionPeriod"] >= 7
    assert made["maxAllocatedStorage"] > made["allocatedStorage"]
    assert made["storageType"] == "gp3"
    assert made["copyTagsToSnapshot"] is True
    assert made["enabledCloudwatchLogsExports"] == ["postgresql", "upgrade"]


def test_it_is_small_and_in_one_zone_where_that_is_asked_for() -> None:
    made = instance(**SMALL)
    assert (made["instanceClass"], made["multiAz"]) == ("db.t4g.micro", False)
    assert "maxAllocatedStorage" not in made
    assert made["deletionProtection"] is False
    assert made["skipFinalSnapshot"] is False, "unless that is asked for too"
    assert instance(**SMALL, skipFinalSnapshot=True)["skipFinalSnapshot"] is True


def test_nobody_reaches_it_but_the_clients_and_they_only_by_its_port() -> None:
    plan = database()
    group = one(plan, "aws:ec2/securityGroup:SecurityGroup").inputs
    assert group["vpcId"] == "vpc-1"
    assert "ingress" not in group
    (rule,) = plan.of_type("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    assert rule.inputs["referencedSecurityGroupId"] == "sg-nodes"
    assert {rule.inputs[key] for key in ("fromPort", "toPort")} == {5432}
    assert "egress" not in group, "it answers, and never calls"
    assert one(plan, INSTANCE).inputs["publiclyAccessible"] is False
    assert one(plan, "aws:rds/subnetGroup:SubnetGroup").inputs["subnetIds"] == ["subnet-1", "subnet-2"]


def test_nothing_goes_without_tls() -> None:
    plan = database()
    group = one(plan, "aws:rds/parameterGroup:ParameterGroup")
    assert group.inputs["family"] == "postgres17"
    assert group.inputs["parameters"] == [{"name": "rds.force_ssl", "value": "1"}]
    assert group.urn in one(plan, INSTANCE).dependencies
    assert one(plan, INSTANCE).inputs["caCertIdentifier"] == "rds-ca-rsa2048-g1"


def test_rds_makes_keeps_and_changes_the_password() -> None:
    plan = database(rotatePasswordAfterDays=30)
    made = one(plan, INSTANCE)
    assert made.inputs["manageMasterUserPassword"] is True
    assert not {"password", "passwordWo"} & set(made.inputs)
    rotation = one(plan, "aws:secretsmanager/secretRotation:SecretRotation")
    assert rotation.inputs["rotationRules"] == {"automaticallyAfterDays": 30}
    assert rotation.inputs["rotateImmediately"] is False
    assert rotation.inputs["secretId"] == plan.exports["secret_arn"]
    assert made.urn in rotation.dependencies


def test_one_key_encrypts_data_password_and_metrics() -> None:
    made = instance(keyArn=KEY)
    assert {made[key] for key in ("kmsKeyId", "masterUserSecretKmsKeyId", "performanceInsightsKmsKeyId")} == {KEY}
    assert not {"kmsKeyId", "masterUserSecretKmsKeyId", "performanceInsightsKmsKeyId"} & set(instance())


def test_a_minor_version_is_pinned_where_rds_does_not_choose_it() -> None:
    assert instance()["engineVersion"] == "17", "a minor one would be taken back by the next pulumi up"
    pinned = instance(automaticMinorUpgrades=False)
    assert pinned["engineVersion"] == databases().versions["17"].minor
    assert pinned["autoMinorVersionUpgrade"] is False
    assert instance()["allowMajorVersionUpgrade"] is False


def test_its_last_snapshot_has_a_name_that_stays_the_same() -> None:
    assert instance()["identifier"] == "lab-mlflow"
    assert {instance()["finalSnapshotIdentifier"] for _ in range(2)} == {"lab-mlflow-final"}


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("Lab_1-mlflow", "lab-1-mlflow"),
        ("7-sisters", "database-7-sisters"),
        ("lab--mlflow-", "lab-mlflow"),
    ],
)
def test_whatever_the_cluster_is_called_rds_takes_its_name(name: str, identifier: str) -> None:
    assert instance(name=name)["identifier"] == identifier


def test_a_long_name_is_cut_and_still_told_apart() -> None:
    first, second = (instance(name=f"{'x' * 70}-{ending}")["identifier"] for ending in "ab")
    assert len(first) <= 63
    assert first != second


def test_its_logs_have_an_end_and_go_with_it() -> None:
    plan = database(logRetentionDays=7)
    groups = plan.of_type("aws:cloudwatch/logGroup:LogGroup")
    assert {group.inputs["name"] for group in groups} == {
        "/aws/rds/instance/lab-mlflow/postgresql",
        "/aws/rds/instance/lab-mlflow/upgrade",
    }
    assert {group.inputs["retentionInDays"] for group in groups} == {7}
    assert {group.urn for group in groups} <= needs(plan, one(plan, INSTANCE)), "or RDS makes them first"


def test_a_zone_alone_is_refused() -> None:
    with pytest.raises(SpecError, match=r"network.zones: subnets of usw2-az1 given, RDS wants those of two zones"):
        database(subnets={"usw2-az1": "subnet-1"})


@pytest.mark.parametrize(
    ("settings", "beginnings"),
    [
        ({"instanceClass": "db.t4g.mirco"}, ["instanceClass: 'db.t4g.mirco' is not in the catalog, did you mean"]),
        ({"instanceClass": "m7g"}, ["instanceClass: 'm7g' is not in the catalog, which has db.t4g.micro, "]),
        ({"version": "9"}, ["version: '9' is not in the catalog, which has 17, 18"]),
        ({"certificateAuthority": "rds-ca-2019"}, ["certificateAuthority: 'rds-ca-2019' is not in the catalog"]),
        ({"sizeGib": 10}, ["sizeGib: 10 given, must be 20 to 65536"]),
        ({"sizeGib": 100}, ["mostSizeGib: 100 given, must be 110 to 65536: 10 % above sizeGib or more"]),
        ({"mostSizeGib": 70_000}, ["mostSizeGib: 70000 given, must be 22 to 65536"]),
        ({"backupRetentionDays": 36}, ["backupRetentionDays: 36 given, RDS keeps backups for 35 days at the most"]),
        ({"skipFinalSnapshot": True}, ["skipFinalSnapshot: given, but deletionProtection is true"]),
        ({"logRetentionDays": 8}, ["logRetentionDays: 8 given, must be 1, 3, 5"]),
        ({"backupWindow": "2:00-3:00"}, ["backupWindow: '2:00-3:00' given, must be a time span of each day in UTC"]),
        ({"backupWindow": "02:00-02:15"}, ["backupWindow: '02:00-02:15' given, must be 30 minutes or longer"]),
        (
            {"maintenanceWindow": "sun:01:45-sun:02:15"},
            ["maintenanceWindow: 'sun:01:45-sun:02:15' overlaps backupWindow, 02:00-02:30"],
        ),
        (
            {"backupWindow": "23:45-00:30", "maintenanceWindow": "mon:00:15-mon:01:00"},
            ["maintenanceWindow: 'mon:00:15-mon:01:00' overlaps backupWindow, 23:45-00:30"],
        ),
        ({"publiclyAccessible": True}, ["publiclyAccessible: "]),
    ],
)
def test_what_rds_would_refuse_is_refused_before(settings: dict[str, Any], beginnings: list[str]) -> None:
    check_problems(problems(PostgresqlSpec, settings), beginnings)


def test_every_problem_is_told_at_once() -> None:
    found = problems(PostgresqlSpec, {"instanceClass": "m7g", "sizeGib": 1, "version": "9", "skipFinalSnapshot": True})
    assert len(found) == 4


_TIMES = st.tuples(st.integers(0, 23), st.integers(0, 59)).map(lambda time: f"{time[0]:02}:{time[1]:02}")
_DAYS = st.sampled_from(["mon", "wed", "sun"])


@given(st.tuples(_TIMES, _TIMES), st.tuples(_DAYS, _TIMES, _DAYS, _TIMES))
def test_windows_overlap_where_a_minute_is_in_both(daily: tuple[str, str], weekly: tuple[str, str, str, str]) -> None:
    def minute(time: str) -> int:
        return int(time[:2]) * 60 + int(time[3:])

    def week(day: str, time: str) -> int:
        return ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].index(day) * 1440 + minute(time)

    first, length = minute(daily[0]), (minute(daily[1]) - minute(daily[0])) % 1440
    begin, span = week(*weekly[:2]), (week(*weekly[2:]) - week(*weekly[:2])) % 10080
    in_backup = {(first + each) % 1440 for each in range(length)}
    overlap = any((begin + each) % 1440 in in_backup for each in range(span))
    texts = [
        problem.text
        for problem in _window_problems("-".join(daily), f"{weekly[0]}:{weekly[1]}-{weekly[2]}:{weekly[3]}")
    ]
    if min(length, span) < 30:
        assert "must be 30 minutes or longer" in texts[0]
    else:
        assert [text.partition(" ")[2] for text in texts] == [f"overlaps backupWindow, {'-'.join(daily)}"] * overlap


def test_a_database_that_exists_says_how_it_is_reached() -> None:
    spec = parse(ExistingDatabaseSpec, {"host": "db.example.com", "database": "mlflow", "secretArn": SECRET})
    assert spec.access == ("db.example.com", 5432, "mlflow", SECRET, None, False)


def test_a_role_is_made_where_the_secret_is_an_administrators() -> None:
    assert database().exports["make_role"] is True
    existing = {"host": "db.example.com", "database": "mlflow", "secretArn": SECRET}
    assert parse(ExistingDatabaseSpec, {**existing, "makeRole": True}).access.make_role is True


def test_what_an_existing_database_lacks_is_named() -> None:
    check_problems(
        problems(ExistingDatabaseSpec, {"host": "https://db", "secretArn": "hunter2"}),
        ["database: missing", "host: 'https://db' given", "secretArn: 'hunter2' given, must be the ARN of a secret"],
    )
