"""The Secrets Store CSI driver."""

import json
from typing import Any

import pytest

from eksml.catalog import usable_kubernetes_versions
from eksml.cluster.secrets_store import SecretsStore, SecretsStoreSpec
from eksml.plan import Plan
from eksml.spec import parse
from programs import one, recorded
from refusals import check_problems, problems


def store(kubernetes_version: str = "1.36", **settings: Any) -> Plan:
    spec = parse(SecretsStoreSpec, settings)
    return recorded(
        lambda: SecretsStore(
            "lab-secrets", spec, kubernetes_version=kubernetes_version, cluster_name="lab", tags={"team": "vision"}
        )
    )


def test_it_works_alone() -> None:
    addon = one(store(), "aws:eks/addon:Addon").inputs
    assert addon["addonName"] == "aws-secrets-store-csi-driver-provider"
    assert addon["addonVersion"].startswith("v3.")
    assert addon["tags"]["team"] == "vision"


def test_a_changed_secret_reaches_running_pods() -> None:
    configuration = json.loads(one(store(rotationPollSeconds=60), "aws:eks/addon:Addon").inputs["configurationValues"])
    assert configuration == {
        "secrets-store-csi-driver": {"enableSecretRotation": True, "rotationPollInterval": "60s"}
    }, "and nothing is copied into Secrets of Kubernetes"


def test_it_has_no_identity_for_pods_use_their_own() -> None:
    plan = store()
    assert plan.of_type("aws:iam/role:Role") == []
    assert plan.of_type("aws:eks/podIdentityAssociation:PodIdentityAssociation") == []


@pytest.mark.parametrize("version", usable_kubernetes_versions())
def test_it_is_to_be_had_wherever_a_platform_is(version: str) -> None:
    assert one(store(version), "aws:eks/addon:Addon").inputs["addonVersion"]


@pytest.mark.parametrize("seconds", [0, 14, 86_401])
def test_an_interval_is_neither_too_short_nor_a_day_and_more(seconds: int) -> None:
    check_problems(
        problems(SecretsStoreSpec, {"rotationPollSeconds": seconds}), [f"rotationPollSeconds: {seconds} given"]
    )
