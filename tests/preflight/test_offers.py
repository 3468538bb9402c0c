"""What EKS and RDS offer."""

from typing import Any

import pytest

from eksml.preflight import databases, kubernetes
from eksml.preflight.finding import Status
from preflight.accounts import basis_of, moto_account, one, plan_with, stubbed
from preflight.replies import READY


def versions(**statuses: str) -> list[tuple[str, dict[str, Any]]]:
    listed = [{"clusterVersion": name[1:].replace("_", "."), "versionStatus": each} for name, each in statuses.items()]
    return [("describe_cluster_versions", {"clusterVersions": listed})]


def version(settings: str = "{}", **statuses: str) -> tuple[Status, str]:
    with stubbed("eks", *versions(**statuses)) as account:
        return one(kubernetes, basis_of(plan_with("startup", settings)), "Kubernetes 1.36", account)


def test_a_version_that_eks_offers_is_well() -> None:
    assert version(v1_36="STANDARD_SUPPORT")[0] is Status.OK


@pytest.mark.parametrize(
    "statuses", [{"v1_37": "STANDARD_SUPPORT"}, {"v1_36": "UNSUPPORTED", "v1_37": "STANDARD_SUPPORT"}]
)
def test_a_version_that_eks_does_not_offer_is_an_error(statuses: dict[str, str]) -> None:
    status, text = version(**statuses)
    assert status is Status.ERROR
    assert text == "is not offered in us-west-2 | set cluster.kubernetesVersion to one of 1.37"


def test_a_version_in_extended_support_goes_by_the_upgrade_policy() -> None:
    assert version(v1_36="EXTENDED_SUPPORT")[0] is Status.ERROR
    assert version("cluster.upgradePolicy: extended", v1_36="EXTENDED_SUPPORT")[0] is Status.WARNING


@pytest.mark.parametrize(
    ("offered", "status", "text"),
    [
        (["v1.14.6-eksbuild.4"], Status.OK, "offered for 1.36"),
        (["v1.14.9-eksbuild.1", "v1.14.10-eksbuild.1"], Status.ERROR, "v1.14.10-eksbuild.1, v1.14.9-eksbuild.1"),
        ([], Status.ERROR, "in any version"),
    ],
)
def test_an_addon_is_offered_in_its_version_or_not(offered: list[str], status: Status, text: str) -> None:
    addons = [{"addonName": "coredns", "addonVersions": [{"addonVersion": each} for each in offered]}]
    with stubbed("eks", ("describe_addon_versions", {"addons": addons})) as account:
        given = one(kubernetes, basis_of(plan_with("startup")), "the add-on coredns", account)
    assert given[0] is status
    assert text in given[1]


def test_the_addons_that_come_with_a_cluster_are_asked_for_too() -> None:
    asked = [each.what for each in kubernetes.questions(basis_of(plan_with("startup")))]
    assert any(what.startswith("the add-on vpc-cni v") for what in asked)
    assert any(what.startswith("the add-on kube-proxy v") for what in asked)


def option(**changes: Any) -> dict[str, Any]:
    minor = "17.11"
    fact = {"Engine": "postgres", "EngineVersion": minor, "DBInstanceClass": "db.t4g.medium", "StorageType": "gp3"}
    return {**fact, "MultiAZCapable": True, **changes}


@pytest.mark.parametrize(
    ("options", "status", "text"),
    [
        ([option()], Status.OK, "is offered in us-west-2"),
        ([], Status.ERROR, "db.t4g.medium is not offered for postgres"),
        ([option(EngineVersion="16.4")], Status.ERROR, "take one of 16.4"),
        ([option(MultiAZCapable=False)], Status.ERROR, "has no standby"),
        ([option(StorageType="standard")], Status.ERROR, "has no storage of type gp3"),
    ],
)
def test_a_database_can_be_ordered_or_not(options: list[dict[str, Any]], status: Status, text: str) -> None:
    reply = {"OrderableDBInstanceOptions": options}
    with moto_account({**READY, "rds.DescribeOrderableDBInstanceOptions": reply}) as (account, _):
        given = one(databases, basis_of(plan_with("production")), "the database", account)
    assert given[0] is status
    assert text in given[1]


def test_a_major_version_is_any_of_its_minor_ones() -> None:
    assert databases._is("17.11", "17")
    assert databases._is("17.11", "17.11")
    assert not databases._is("17.1", "17.11")
    assert not databases._is("17.11", "1")
