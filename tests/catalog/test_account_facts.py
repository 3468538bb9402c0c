"""What a preflight knows of accounts: actions, quotas, roles, programs."""

import re

import botocore.session
import pytest

from eksml.catalog import instance_quota, instance_types, permissions, programs, quotas, service_roles
from eksml.catalog._facts import load
from eksml.plan import believable
from eksml.plan.believable import is_known_type
from eksml.plan.canonical import REMOTE_TYPES
from programs import ROOT

# Where the service of an action is called otherwise in the SDK.
_SERVICES = {"aps": "amp", "elasticfilesystem": "efs"}
# Actions that are not called as an operation is; each as the service authorization reference has it.
_OF_THEIR_OWN = {
    "budgets:ModifyBudget",
    "budgets:ViewBudget",
    "iam:PassRole",
    "s3:GetAccelerateConfiguration",
    "s3:GetBucketCORS",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetReplicationConfiguration",
    "s3:ListBucket",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
}


# Its driver in the cluster makes the file systems.
LUSTRE = "eksml:storage:Lustre"


def test_every_action_is_an_operation_of_its_service_or_known_not_to_be() -> None:
    session = botocore.session.get_session()
    unknown = {
        action
        for each in permissions().values()
        for action in (*each.create, *each.update, *each.delete)
        for service, operation in [action.split(":")]
        if operation not in session.get_service_model(_SERVICES.get(service, service)).operation_names
    }
    assert unknown == _OF_THEIR_OWN


def test_every_service_of_an_action_has_a_source() -> None:
    services = {action.partition(":")[0] for each in permissions().values() for action in each.create}
    assert services == set(load("permissions.yaml")["sources"])


def test_every_type_of_aws_that_a_program_may_use_has_its_actions() -> None:
    assert set(permissions()) == set(believable._AWS) | {"eks:index:Cluster"}


def test_what_changes_a_resource_is_what_creating_it_does_not_take() -> None:
    assert [name for name, each in permissions().items() if set(each.update) & set(each.create)] == []


def test_what_has_tags_can_lose_them() -> None:
    """Whoever renames a team changes tags; a provider that may not take the old one away fails."""
    removing = re.compile(r":(Untag|DeleteTags|RemoveTags)")
    adding = re.compile(r":(Tag|CreateTags|AddTags)")
    assert [
        name
        for name, each in permissions().items()
        if any(map(adding.search, each.create)) and not any(map(removing.search, each.update))
    ] == []


def test_what_can_be_created_can_be_deleted_but_for_what_is_nothing_of_its_own() -> None:
    assert [name for name, each in permissions().items() if not each.delete] == [
        "aws:acm/certificateValidation:CertificateValidation"
    ]


def test_every_instance_type_of_the_catalog_counts_against_a_quota() -> None:
    assert [name for name in instance_types() if instance_quota(name, "onDemand") is None] == []
    unknown = {name.partition(".")[0] for name in instance_types() if instance_quota(name, "spot") is None}
    assert unknown == {"p6-b200", "p6-b300"}


@pytest.mark.parametrize(
    ("instance_type", "on_demand", "spot"),
    [
        ("m7i.xlarge", "L-1216C47A", "L-34B43A08"),
        ("inf2.xlarge", "L-1945791B", "L-B5D1601B"),
        ("trn2.48xlarge", "L-2C3B7624", "L-6B0D517C"),
        ("gr6.4xlarge", "L-DB2E81BA", "L-3819A6DF"),
        ("p4d.24xlarge", "L-417A185B", "L-7212CCBC"),
        ("p5en.48xlarge", "L-417A185B", "L-C4BD4855"),
    ],
)
def test_the_longest_family_decides(instance_type: str, on_demand: str, spot: str) -> None:
    found = [instance_quota(instance_type, purchase) for purchase in ("onDemand", "spot")]
    assert [quota.code for quota in found if quota] == [on_demand, spot]


def test_no_code_stands_twice() -> None:
    codes = [quota.code for quota in (*quotas().instances, *quotas().others.values())]
    assert len(codes) == len(set(codes))


def test_roles_are_of_types_that_there_are() -> None:
    types = {name for role in service_roles().values() for name in role.types}
    assert [name for name in types if not is_known_type(name) and name not in (*REMOTE_TYPES, LUSTRE)] == []


def test_pulumi_is_at_least_as_new_as_the_sdk() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'"pulumi>={programs()["pulumi"].least},' in text
