"""What a reader is told before `pulumi up`, on platforms that were really recorded."""

from datetime import date
from typing import Any

import pytest

from eksml import catalog
from eksml.plan.notes import notes
from eksml.platform import Platform
from eksml.profiles import platform_spec
from platforms import VPC
from programs import recorded

pytestmark = pytest.mark.slow

OPEN = {"publicAccessCidrs": ["203.0.113.0/24"]}


def notes_of(settings: dict[str, Any], *, profile: str = "startup", region: str = "us-west-2") -> list[str]:
    # What these say is told of every stack that has them.
    quiet = {"budget": None, "schedule": None}
    spec = platform_spec({"profile": profile, **quiet, **settings}, region=region, name="lab")
    return notes(recorded(lambda: Platform("lab", spec), config={"aws:region": region}))


def test_a_private_endpoint_in_a_vpc_that_is_still_to_be_made_needs_another_way_in() -> None:
    (note,) = notes_of({})
    assert "from its VPC only, which this stack makes" in note
    assert "cluster.publicAccessCidrs" in note
    assert "network.kind: existing" in note


def test_a_private_endpoint_in_a_vpc_that_exists_is_reached_from_there() -> None:
    (note,) = notes_of({"network": VPC})
    assert "run `pulumi up` from inside the VPC" in note


def test_a_public_endpoint_is_reached_from_its_ranges() -> None:
    (note,) = notes_of({"cluster": OPEN})
    assert "from its VPC and from 203.0.113.0/24: run `pulumi up` from there" in note


def test_a_budget_that_tells_nobody_is_said_to_be_so() -> None:
    budget = {"budget": {"monthlyUsd": 1000}}
    assert any("Nobody is told when the budget lab-budget is used up" in note for note in notes_of(budget))
    told = {"budget": {"monthlyUsd": 1000, "emails": ["ml@example.com"]}}
    assert not any("Nobody is told" in note for note in notes_of(told))


def test_what_is_protected_is_said_to_be_so() -> None:
    _, note, *_ = notes_of({"cluster": OPEN}, profile="production")
    assert "Nothing can be destroyed until cluster.deletionProtection of lab is false" in note


def test_an_empty_managed_pool_is_said_to_stay_empty() -> None:
    pool = {"kind": "managed", "instanceTypes": ["m7i.large"], "size": 0}
    _, note = notes_of({"cluster": OPEN, "pools": {"later": pool}})
    assert "managed pool lab-later has no nodes and gets none by itself" in note


def test_an_image_that_is_not_pinned_is_said_to_be_so() -> None:
    _, note = notes_of({"cluster": OPEN, "pools": {"system": {"amiFamily": "bottlerocket"}}})
    assert "image of the pool lab-system is not pinned" in note


def test_where_the_catalog_does_not_know_what_ec2_offers_it_says_so() -> None:
    note, _ = notes_of({"cluster": OPEN}, region="af-south-1")
    assert note == "Whether EC2 offers the instance types of the pools in af-south-1 is not known."


@pytest.mark.parametrize(
    ("day", "told"), [(date(2027, 7, 1), "ends its standard support"), (date(2027, 9, 1), "ended its standard support")]
)
def test_the_end_of_support_is_told_before_and_after_it_comes(
    monkeypatch: pytest.MonkeyPatch, day: date, told: str
) -> None:
    monkeypatch.setattr(catalog, "today", lambda: day)
    _, note = notes_of({"cluster": OPEN})
    assert f"EKS {told} of Kubernetes 1.36 on 2027-08-02" in note


def test_a_server_says_where_it_expects_models_that_nobody_puts_there() -> None:
    server = {
        "kind": "tensorflowServing",
        "namespace": "ml",
        "source": {"kind": "s3", "prefix": "teams/ml/models/"},
        "models": {"resnet": {}},
        "gpusPerNode": 1,
        "accelerator": "L4",
        "metrics": False,
    }
    last = notes_of({"servers": {"classifier": server}})[-1]
    assert last == "classifier answers once resnet can be read in the model bucket, below teams/ml/models/."


def test_a_server_whose_bucket_is_filled_says_nothing() -> None:
    assert not [note for note in notes_of({}) if "assistant" in note]
