"""What a recording spares changes nothing of what is recorded."""

import sys

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import resource as sdk

from eksml.plan.spared import spared_work
from programs import recorded

pytestmark = pytest.mark.slow

TEXT = st.text(min_size=1, max_size=8)
PARENT = st.builds("urn:pulumi:s::p::{}::{}".format, TEXT, TEXT)


@given(name=TEXT, type_=TEXT, parent=st.none() | PARENT)
def test_a_urn_is_the_one_that_the_sdk_makes(name: str, type_: str, parent: str | None) -> None:
    def program() -> None:
        pulumi.export("theirs", pulumi.create_urn(name, type_, parent, "project", "stack"))
        pulumi.export("ours", sdk.create_urn(name, type_, parent, "project", "stack"))

    exports = recorded(program).exports
    assert exports["ours"] == exports["theirs"]


def test_a_urn_of_an_output_is_left_to_the_sdk() -> None:
    def program() -> None:
        parent = pulumi.ComponentResource("a:b:C", "parent")
        urn = sdk.create_urn("child", "a:b:D", parent)
        pulumi.export("urn", urn)

    assert recorded(program).exports["urn"] == "urn:pulumi:test::bare::a:b:C$a:b:D::child"


def test_afterwards_all_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "tracebacklimit", 7, raising=False)
    before = sdk.create_urn
    with spared_work():
        assert sdk.create_urn is not before
    assert (sdk.create_urn, sys.tracebacklimit) == (before, 7)
