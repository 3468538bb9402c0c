"""The order of a deployment and its longest chain."""

import json
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from eksml import catalog
from eksml.errors import InputError
from eksml.plan import Plan, Resource
from eksml.plan.plan_file import read_plan_file
from eksml.plan.timeline import Step, Timeline, timeline
from eksml.plan.timeline_json import timeline_json
from eksml.plan.timeline_text import show_timeline

ROOT = Path(__file__).parents[2]
KEY, NAT, ROLE = "aws:kms/key:Key", "aws:ec2/natGateway:NatGateway", "aws:iam/role:Role"
COMPONENT = "test:box:Box"


def made(kind: str, name: str, *needs: str, parent: str | None = None, **more: Any) -> Resource:
    is_custom = kind not in (COMPONENT, "eks:index:Cluster")
    return Resource(name, kind, name, parent, is_custom=is_custom, dependencies=needs, **more)


def in_time(*resources: Resource) -> dict[str, tuple[float, float]]:
    return {step.urn: (step.start, step.end) for step in timeline(Plan.of("s", resources)).steps}


def chain(*resources: Resource) -> list[str]:
    return [step.urn for step in timeline(Plan.of("s", resources)).chain]


def golden(stack: str) -> Plan:
    return read_plan_file(ROOT / "tests" / "golden" / stack / "plan.json")[0]


def text(found: Timeline) -> str:
    output = StringIO()
    show_timeline(found, Console(file=output, width=10_000, highlight=False))
    return output.getvalue()


def test_what_needs_nothing_is_made_at_once() -> None:
    assert in_time(made(KEY, "a"), made(KEY, "b")) == {"a": (0, 28), "b": (0, 28)}


def test_a_resource_waits_for_what_it_depends_on_its_parent_and_its_provider() -> None:
    times = in_time(
        made(KEY, "key"),
        made(ROLE, "role", "key"),
        made(ROLE, "child", parent="key"),
        made(ROLE, "inside", provider="key"),
    )
    assert {times[name] for name in ("role", "child", "inside")} == {(28, 29)}


def test_a_component_is_done_when_its_children_are() -> None:
    times = in_time(
        made(COMPONENT, "box"),
        made(KEY, "key", parent="box"),
        made(NAT, "nat", parent="box"),
        made(ROLE, "role", "box"),
    )
    assert times["box"] == (0, 110.5)
    assert times["role"] == (110.5, 111.5)


def test_what_is_in_a_component_does_not_wait_for_the_whole_of_it() -> None:
    times = in_time(made(COMPONENT, "box"), made(NAT, "nat", parent="box"), made(ROLE, "role", "box", parent="box"))
    assert times["role"] == (0, 1)


def test_children_wait_until_their_component_is_registered() -> None:
    times = in_time(made(KEY, "key"), made(COMPONENT, "box", "key"), made(ROLE, "role", parent="box"))
    assert times["role"] == (28, 29)


def test_a_component_that_a_provider_makes_takes_the_time_of_its_control_plane() -> None:
    assert in_time(made("eks:index:Cluster", "c"), made(ROLE, "role", "c"))["role"] == (564, 565)


def test_the_longest_chain_is_what_the_end_waits_for() -> None:
    resources = [made(KEY, "key"), made(NAT, "nat"), made(COMPONENT, "box", "nat"), made(ROLE, "role", parent="box")]
    assert chain(*resources) == ["nat", "role"]


def test_an_empty_plan_takes_no_time() -> None:
    found = timeline(Plan.of("s", []))
    assert (found.seconds, found.chain, found.stages) == (0, (), ())
    text(found)


def test_resources_that_wait_for_each_other_are_told() -> None:
    with pytest.raises(InputError, match="these wait for each other"):
        in_time(made(KEY, "a", "b"), made(KEY, "b", "a"))


@pytest.mark.parametrize(
    ("inputs", "seconds", "is_estimate"),
    [
        ({"chart": "oci://example.com/karpenter/karpenter"}, 63, False),
        ({"chart": "kueue"}, 45, True),
    ],
)
def test_the_chart_of_a_release_decides_how_long_it_takes(
    inputs: dict[str, Any], seconds: float, is_estimate: bool
) -> None:
    release = made("kubernetes:helm.sh/v3:Release", "r", inputs=inputs)
    (step,) = timeline(Plan.of("s", [release])).steps
    assert (step.seconds, step.is_estimate) == (seconds, is_estimate)


@pytest.mark.parametrize(
    ("ami_type", "is_estimate"), [("AL2023_x86_64_NVIDIA", True), ("AL2023_x86_64_STANDARD", False)]
)
def test_nobody_has_published_how_long_nodes_with_gpus_take(ami_type: str, is_estimate: bool) -> None:
    group = made("aws:eks/nodeGroup:NodeGroup", "g", inputs={"amiType": ami_type})
    (step,) = timeline(Plan.of("s", [group])).steps
    assert step.is_estimate is is_estimate


@pytest.mark.parametrize("stack", ["research", "production", "startup"])
def test_a_whole_platform_takes_about_as_long_as_those_of_others(stack: str) -> None:
    # Those of others serve no models, and have no database.
    plan = golden(stack)
    left_out = ("$eksml:serving:", "$eksml:storage:Postgresql", "$eksml:tracking:")
    of_others = [
        each for each in plan.resources if not any(part in each.urn for part in left_out) or "Operators" in each.urn
    ]
    found = timeline(Plan.of(stack, of_others))
    slowest = max(sample.seconds for sample in catalog.whole_stacks())
    assert 0.7 * slowest < found.seconds < 1.3 * slowest
    assert found.estimated_seconds < found.seconds / 4
    assert "eks:index:Cluster" in {step.type for step in found.chain}


def test_it_shows_a_bar_for_each_part_and_marks_what_is_guessed() -> None:
    shown = text(timeline(golden("research")))
    assert "Stack research: about 28 min for a first `pulumi up`, of which " in shown
    assert " are estimates (~)" in shown
    lines = shown.splitlines()
    (vpc,) = [line for line in lines if "eksml.network.Vpc" in line]
    assert "█" in vpc
    assert vpc.endswith("0:00 to 2:16")
    assert any(line.startswith("    564") and "eks.Cluster" in line for line in lines)
    assert any(line.startswith("    ~60") and "kustomize/v2 Directory" in line for line in lines)
    assert "Karpenter's nodes are not in it" in shown
    assert "748 s" in shown


def test_json_has_every_resource_in_time() -> None:
    resources = [made(KEY, "key"), made(COMPONENT, "box", "key"), made("aws:x/y:Y", "new", parent="box")]
    content = json.loads(json.dumps(timeline_json(timeline(Plan.of("s", resources)))))
    assert content == {
        "stack": "s",
        "seconds": 33,
        "estimatedSeconds": 5,
        "chain": ["key", "new"],
        "stages": [
            {"name": "key", "type": KEY, "start": 0, "end": 28},
            {"name": "box", "type": COMPONENT, "start": 28, "end": 33},
        ],
        "resources": [
            {"urn": "key", "type": KEY, "name": "key", "start": 0, "end": 28, "seconds": 28, "estimate": False},
            {"urn": "box", "type": COMPONENT, "name": "box", "start": 28, "end": 33, "seconds": 0, "estimate": False},
            {"urn": "new", "type": "aws:x/y:Y", "name": "new", "start": 28, "end": 33, "seconds": 5, "estimate": True},
        ],
    }


def test_twenty_thousand_resources_take_seconds_at_most() -> None:
    resources = [made(NAT, "nat")]
    for team in range(200):
        box = f"box-{team}"
        resources.append(made(COMPONENT, box, "nat"))
        for number in range(99):
            needs = [f"{box}-{other}" for other in range(max(0, number - 5), number)]
            resources.append(made("kubernetes:core/v1:ConfigMap", f"{box}-{number}", *needs, parent=box))
    whole = Plan.of("s", resources)
    begun = time.process_time()
    found = timeline(whole)
    # About one second on an idle machine; this is to notice what grows with the square.
    assert time.process_time() - begun < 10
    assert found.seconds == 110.5 + 99 * 2


# Properties


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Plans in which a resource needs only what was registered before it, and a parent is a component or a resource."""
    resources: list[Resource] = []
    for number in range(draw(st.integers(0, 12))):
        earlier = [each.urn for each in resources]
        kind = draw(st.sampled_from([KEY, NAT, ROLE, COMPONENT, "eks:index:Cluster"]))
        # As the SDK does it: what is needed is what a provider makes, never a component of the program itself.
        providers = [each.urn for each in resources if each.type != COMPONENT]
        needs = draw(st.lists(st.sampled_from(providers), max_size=3)) if providers else []
        parents = [each.urn for each in resources if each.type != "eks:index:Cluster"]
        parent = draw(st.none() | st.sampled_from(parents)) if parents and earlier else None
        resources.append(made(kind, f"r{number:02}", *needs, parent=parent))
    return Plan.of("s", resources)


@given(plans())
def test_every_resource_starts_after_what_it_needs_has_ended(whole: Plan) -> None:
    found = timeline(whole)
    steps: dict[str, Step] = {step.urn: step for step in found.steps}
    for resource in whole.resources:
        step = steps[resource.urn]
        assert all(step.start >= steps[needed].end for needed in resource.dependencies)
        parent = steps.get(resource.parent or "")
        if parent is not None:
            is_component = parent.type == COMPONENT
            assert step.start >= (parent.start if is_component else parent.end)
            assert not is_component or parent.end >= step.end


@given(plans())
def test_the_longest_chain_has_no_gap_and_takes_the_whole_time(whole: Plan) -> None:
    found = timeline(whole)
    assert sum(step.seconds for step in found.chain) == pytest.approx(found.seconds)
    for one, other in zip(found.chain, found.chain[1:], strict=False):
        assert other.start == pytest.approx(one.start + one.seconds)
