"""AWS regions: their zones by id, those that EKS refuses, and the zones that a new VPC uses by default."""

from functools import cache

from pydantic import Field

from eksml.catalog._facts import Fact, load


class Region(Fact):
    """One AWS region."""

    zones: tuple[str, ...]
    refused_by_eks: tuple[str, ...] = ()
    default_zones: tuple[str, ...] = Field(alias="default")


@cache
def regions() -> dict[str, Region]:
    """Every region of the catalog, by name."""
    return {name: Region.model_validate(entry) for name, entry in load("regions.yaml")["regions"].items()}


def eks_image_registry(region: str) -> str:
    """The registry of EKS's own images for a region; where none is known that of us-west-2, open to every node."""
    accounts = load("regions.yaml")["eksImageAccounts"]
    if region in accounts["notKnown"]:
        region = "us-west-2"
    account = accounts["exceptions"].get(region, accounts["default"])
    return f"{account}.dkr.ecr.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def partition(region: str) -> str:
    """The AWS partition that ARNs of a region begin with: `aws`, `aws-cn` or `aws-us-gov`."""
    prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    return next((name for prefix, name in prefixes.items() if region.startswith(prefix)), "aws")


def regions_beside(region: str) -> list[str]:
    """The regions of the catalog in the same partition of AWS: an account of one has no access to another."""
    return [name for name in regions() if partition(name) == partition(region)]


def managed_policy_arn(region: str, policy: str) -> str:
    """The ARN of an IAM policy that AWS manages, such as AmazonEKS_CNI_Policy."""
    return f"arn:{partition(region)}:iam::aws:policy/{policy}"
