"""The bills of the three stacks, worked out by hand from the price list: a line for each item, and each within 2 %."""

import pytest

from eksml.costs import Bill, estimate
from programs import stack_plan

HOURS = 730
DAYS = HOURS / 24
"""Of a month, on which jobs run for 4 hours and a sleeping server is awake for 8."""

# US dollars in us-west-2, from AWS's price list, and not from the catalog.
G6_XLARGE, G6_2XLARGE, G6_12XLARGE = 0.8048, 0.9776, 4.6016
M7I_LARGE, M7I_XLARGE = 0.1008, 0.2016
SPOT = 1 - 0.60
"""What spot costs of an on-demand price where no source has the type: the median discount of others."""
GP3_GB = 0.08
NAT_HOUR = NAT_GB = 0.045
S3_GB, S3_THOUSAND_WRITES, S3_THOUSAND_READS = 0.023, 0.005, 0.0004
LOGS_IN_GB, LOGS_KEPT_GB = 0.50, 0.03

# The resource without the stack's name, how its item begins, and US dollars a month, expected.
Line = tuple[str, str, float]

EVERY_PLATFORM: list[Line] = [
    ("cluster", "EKS control plane", HOURS * 0.10),
    ("secrets", "KMS key", 1.00),
    ("secrets", "KMS requests", 10 * 0.03),
    ("models", "S3 Standard", 500 * S3_GB),
    ("models", "S3 requests that write", 100 * S3_THOUSAND_WRITES),
    ("models", "S3 requests that read", 1000 * S3_THOUSAND_READS),
    ("vpc", "data between zones", 2 * 200 * 0.01),
    ("vpc", "data to the internet", 0),
    ("nat-", "data through a NAT gateway", 500 * NAT_GB),
    ("control-plane", "CloudWatch Logs, taken in", 20 * LOGS_IN_GB),
    ("karpenter-interruption", "SQS requests", 0.5 * 0.40),
]

MLFLOW: list[Line] = [
    ("mlflow", "secret with the database's password", 0.40),
    ("mlflow", "requests to Secrets Manager", 5 * 0.05),
    # PostgreSQL's own logs, and those of its upgrades.
    ("mlflow-", "CloudWatch Logs, taken in", 2 * 2 * LOGS_IN_GB),
]

BILLS: dict[str, list[Line]] = {
    "research": [
        *EVERY_PLATFORM,
        ("system", "2 × m7i.xlarge", 2 * HOURS * M7I_XLARGE),
        ("system", "disks", 2 * 50 * GP3_GB),
        ("notebooks", "1 × g6.2xlarge", HOURS * G6_2XLARGE),
        ("notebooks", "disks", 200 * GP3_GB),
        ("train", "4 × g6.12xlarge for 4 h a day, spot", 4 * 4 * DAYS * G6_12XLARGE * SPOT),
        ("train", "disks", 4 * (4 / 24) * 200 * GP3_GB),
        ("serve", "1 × g6.2xlarge, spot before", HOURS * 0.4791),
        ("serve", "disks", 200 * GP3_GB),
        ("nat-", "NAT gateway", HOURS * NAT_HOUR),
        ("nat-", "public IPv4", HOURS * 0.005),
        ("control-plane", "CloudWatch Logs, kept", 20 * 30 / DAYS * LOGS_KEPT_GB),
        ("prometheus", "EBS gp3 volume", 20 * GP3_GB),
        ("notebooks-jupyterhub", "homes of 10 people, 20 GiB each", 10 * 20 * GP3_GB),
        ("notebooks-jupyterhub", "volume of the hub", 1 * GP3_GB),
        ("notebooks-users", "Cognito user", 100 * 0.015),
    ],
    "production": [
        *EVERY_PLATFORM,
        ("system", "3 × m7i.xlarge", 3 * HOURS * M7I_XLARGE),
        ("system", "disks", 3 * 50 * GP3_GB),
        ("train", "2 × g6.12xlarge", 2 * HOURS * G6_12XLARGE),
        ("train", "disks", 2 * 200 * GP3_GB),
        # Two servers with two replicas each, every one on a GPU of its own.
        ("serve", "4 × g6.xlarge", 4 * HOURS * G6_XLARGE),
        ("serve", "disks", 4 * 200 * GP3_GB),
        ("burst", "4 × g6.12xlarge for 4 h a day, spot before", 4 * 4 * DAYS * G6_12XLARGE * SPOT),
        ("burst", "disks", 4 * (4 / 24) * 200 * GP3_GB),
        ("nat-", "NAT gateway", 3 * HOURS * NAT_HOUR),
        ("nat-", "public IPv4", 3 * HOURS * 0.005),
        ("control-plane", "CloudWatch Logs, kept", 20 * 365 / DAYS * LOGS_KEPT_GB),
        # Two of Prometheus, and two of the alert manager.
        ("prometheus", "EBS gp3 volume", (2 * 50 + 2 * 1) * GP3_GB),
        ("logs", "CloudWatch Logs, taken in", 20 * LOGS_IN_GB),
        ("logs", "CloudWatch Logs, kept", 20 * 90 / DAYS * LOGS_KEPT_GB),
        *MLFLOW,
        ("mlflow", "RDS PostgreSQL, db.t4g.medium, Multi-AZ", HOURS * 0.129),
        ("mlflow", "RDS PostgreSQL storage", 20 * 0.23),
        ("mlflow-", "CloudWatch Logs, kept", 2 * 2 * 30 / DAYS * LOGS_KEPT_GB),
    ],
    "startup": [
        *EVERY_PLATFORM,
        ("system", "2 × m7i.large", 2 * HOURS * M7I_LARGE),
        ("system", "disks", 2 * 50 * GP3_GB),
        # On five days of seven there are nodes. The assistant is awake for 8 hours; jobs have the other GPUs for 4.
        (
            "gpu",
            "1 × g6.xlarge for 8 h on each of 21.7 days a month and 3",
            (8 + 3 * 4) * 5 / 7 * DAYS * G6_XLARGE * SPOT,
        ),
        ("gpu", "disks", (8 + 3 * 4) * 5 / 7 / 24 * 200 * GP3_GB),
        ("nat-", "NAT gateway", HOURS * NAT_HOUR),
        ("nat-", "public IPv4", HOURS * 0.005),
        ("control-plane", "CloudWatch Logs, kept", 20 * 7 / DAYS * LOGS_KEPT_GB),
        ("prometheus", "EBS gp3 volume", 10 * GP3_GB),
        *MLFLOW,
        ("mlflow", "RDS PostgreSQL, db.t4g.micro, one zone", HOURS * 0.016),
        ("mlflow", "RDS PostgreSQL storage", 20 * 0.115),
        ("mlflow-", "CloudWatch Logs, kept", 2 * 2 * 7 / DAYS * LOGS_KEPT_GB),
    ],
}

# What is billed whatever anybody does: managed nodes, servers that never sleep, what is charged by the hour.
AT_LEAST: dict[str, float] = {
    "research": (
        # Control plane, key, system and notebook nodes with their disks, the gateway with its address.
        HOURS * 0.10
        + 1
        + 2 * (HOURS * M7I_XLARGE + 50 * GP3_GB)
        + HOURS * G6_2XLARGE
        + 200 * GP3_GB
        + HOURS * (NAT_HOUR + 0.005)
        # The server, which runs on a g6.2xlarge only, on spot in the cheapest zone; volumes of Prometheus and the hub.
        + HOURS * 0.4152
        + 200 * GP3_GB
        + 21 * GP3_GB
    ),
    "production": (
        HOURS * 0.10
        + 1
        + 3 * (HOURS * M7I_XLARGE + 50 * GP3_GB)
        + 2 * (HOURS * G6_12XLARGE + 200 * GP3_GB)
        + 3 * HOURS * (NAT_HOUR + 0.005)
        + 4 * (HOURS * G6_XLARGE + 200 * GP3_GB)
        + 102 * GP3_GB
        + HOURS * 0.129
        + 20 * 0.23
        + 0.40
    ),
}

# What the pools may cost at most: their limits full of their dearest type.
MOST: dict[str, dict[str, float]] = {
    "research": {"train": 4 * HOURS * 10.49264 + 4 * 200 * GP3_GB},
    "production": {"serve": 24 * HOURS * 2.24208 + 24 * 200 * GP3_GB, "burst": 4 * HOURS * 10.49264 + 4 * 200 * GP3_GB},
    # Nodes come and go on working days only, from 8 to 20 o'clock.
    "startup": {"gpu": (4 * HOURS * 1.861 + 4 * 200 * GP3_GB) * (5 * 12) / (7 * 24)},
}


@pytest.mark.parametrize("stack", BILLS)
def test_every_item_is_what_it_is_by_hand(stack: str) -> None:
    bill = estimate(stack_plan(stack))
    left = {(short_name(item.resource, bill), item.what): 0.0 for item in bill.items}
    for item in bill.items:
        left[short_name(item.resource, bill), item.what] += item.monthly.expected
    for resource, what, usd in BILLS[stack]:
        found = [key for key in left if key[0].startswith(resource) and key[1].startswith(what)]
        assert found, f"{resource}: {what}: not on the bill, which has {sorted(left)}"
        assert sum(left.pop(key) for key in found) == pytest.approx(usd, rel=0.02), f"{resource}: {what}"
    assert not left, "on the bill, but not worked out by hand"


@pytest.mark.parametrize("stack", BILLS)
def test_the_whole_is_what_it_is_by_hand(stack: str) -> None:
    by_hand = sum(usd for _, _, usd in BILLS[stack])
    assert estimate(stack_plan(stack)).monthly.expected == pytest.approx(by_hand, rel=0.02)


def test_a_pool_that_a_server_and_jobs_share_is_for_both_as_they_use_it() -> None:
    by_purpose = estimate(stack_plan("startup")).by_purpose()
    # Of each GPU-hour's price, with the disk of its node.
    node_hour = G6_XLARGE * SPOT + 200 * GP3_GB / HOURS
    days = 5 / 7 * DAYS
    assert by_purpose["serving"].expected == pytest.approx(8 * days * node_hour, rel=0.02)
    assert by_purpose["training"].expected == pytest.approx(3 * 4 * days * node_hour, rel=0.02)


@pytest.mark.parametrize("stack", AT_LEAST)
def test_what_is_billed_at_least_is_what_it_is_by_hand(stack: str) -> None:
    assert estimate(stack_plan(stack)).monthly.at_least == pytest.approx(AT_LEAST[stack], rel=0.02)


@pytest.mark.parametrize("stack", MOST)
def test_a_pool_costs_at_most_its_limit_of_the_dearest_type(stack: str) -> None:
    pools = estimate(stack_plan(stack)).by_pool()
    for pool, usd in MOST[stack].items():
        assert pools[pool].most == pytest.approx(usd, rel=0.02), pool


def short_name(resource: str, bill: Bill) -> str:
    return resource.removeprefix(f"eksml-{bill.stack}").removeprefix("-") or "cluster"
