"""What the services of a platform ask of its other parts."""

from typing import Any

import pytest

from platforms import refused
from refusals import check_problems

HUB = {"pools": ["train"], "authentication": {"kind": "dummy", "forDevelopmentOnly": True}}


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (
            {"cluster": {"deletionProtection": True}, "notebooks": HUB},
            ["notebooks.authentication.kind: dummy given, but a cluster with deletionProtection is one that others"],
        ),
        (
            {"notebooks": {"pools": ["system", "gpus"]}},
            ["notebooks.pools[1]: 'gpus' is no pool"],
        ),
        (
            {"observability": {"alerts": {"receivers": [{"kind": "slack", "channel": "#ml"}]}}},
            ["teams.research.owner: missing: alerts about its pods name somebody"],
        ),
        (
            {"tracking": {"mlflow": {"database": {"kind": "rds"}}}, "storage": {"modelBucket": None}, "servers": None},
            [
                "tracking.mlflow.artifacts.bucket: missing: the platform has no model bucket",
                "tracking.tensorBoards.research.bucket: missing: the platform has no model bucket",
            ],
        ),
        ({"tracking": {"mlflow": {}}}, ["tracking.mlflow.database: missing"]),
        (
            {"schedule": {"start": "08:00", "end": "20:00"}, "cluster": {"deletionProtection": True}},
            ["schedule: given, but a cluster with deletionProtection is one that others rely on"],
        ),
    ],
)
def test_services_that_cannot_be_are_refused(settings: dict[str, Any], lines: list[str]) -> None:
    check_problems(refused(settings), lines)


def test_without_a_way_out_nothing_that_talks_to_the_internet_is_had() -> None:
    lines = refused({"network": {"natGateways": "none"}})
    unreachable = {line.partition(":")[0] for line in lines if "talks to the internet" in line}
    assert unreachable == {"notebooks.authentication", "servers.chat.source", "tracking.weightsAndBiases"}
