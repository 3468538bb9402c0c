"""Unit tests of a user: components under Pulumi's own mocks, which only echo what they are given."""

from collections.abc import Iterator
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks, settings

from eksml import Platform, platform_spec
from programs import recorded


class Echo(mocks.Mocks):
    """The simplest mocks that there are."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Gives back the inputs as outputs."""
        self.made.append(args.typ)
        return f"{args.name}-id", args.inputs

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], None]:
        """Knows nothing."""
        return {}, None


@pytest.fixture
def echo() -> Iterator[Echo]:
    # A recording before them must not take the thread's event loop away.
    recorded(lambda: None)
    before = settings.SETTINGS
    echo = Echo()
    mocks.set_mocks(echo)
    yield echo
    settings.configure(before)


def test_a_platform_can_be_tested_with_the_simplest_mocks(echo: Echo) -> None:
    @mocks.test
    def program() -> pulumi.Output[None]:
        spec = platform_spec({"profile": "production"}, region="us-west-2", name="lab")
        platform = Platform("lab", spec, secrets=dict.fromkeys(spec.secrets_needed, "not a secret"))

        def check(network: str) -> None:
            assert network == "lab-vpc-id"

        return platform.exports["vpcId"].apply(check)

    program()
    assert "eks:index:Cluster" in echo.made
    assert "kubernetes:karpenter.sh/v1:NodePool" in echo.made
