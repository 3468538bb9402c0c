"""What changes between two Plans, worst first, and what is honestly not known."""

import json
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from eksml.errors import InputError
from eksml.plan import Plan, Resource
from eksml.plan.as_json import as_json
from eksml.plan.believable import digits
from eksml.plan.comparison import differences
from eksml.plan.counts import counts
from eksml.plan.diff import Diff, Effect, Kind, ResourceChange, diff
from eksml.plan.diff_json import diff_json
from eksml.plan.diff_text import show_diff
from eksml.plan.model import SECRET, STACK_REFERENCE_TYPE
from eksml.plan.plan_file import read_plan_file
from eksml.plan.project import Stack, find_stack
from eksml.plan.recorder import record, record_program
from eksml.platform import Platform
from eksml.profiles import platform_spec
from programs import stack_plan

ROOT = Path(__file__).parents[2]
VPC, SUBNET, KEY = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:kms/key:Key"


def resource(kind: str, name: str, inputs: dict[str, Any] | None = None, stack: str = "s", **more: Any) -> Resource:
    urn = f"urn:pulumi:{stack}::p::{kind}::{name}"
    return Resource(urn, kind, name, None, is_custom=True, inputs=inputs or {}, **more)


def plan(*resources: Resource, stack: str = "s") -> Plan:
    return Plan.of(stack, resources)


def changes(before: Plan, after: Plan) -> list[tuple[str, str]]:
    return [(change.kind.value, change.name) for change in diff(before, after).changes]


def only(before: Plan, after: Plan) -> ResourceChange:
    (change,) = diff(before, after).changes
    return change


def paths(change: ResourceChange) -> dict[str, Effect]:
    return {each.path: each.effect for each in change.inputs}


def text(found: Diff) -> str:
    output = StringIO()
    show_diff(found, Console(file=output, width=10_000, highlight=False))
    return output.getvalue()


def golden(stack: str) -> Plan:
    return read_plan_file(ROOT / "tests" / "golden" / stack / "plan.json")[0]


def platform(stack: str, settings: dict[str, Any] | None = None) -> Plan:
    spec = platform_spec({"profile": "research", **(settings or {})}, region="us-west-2", name=f"eksml-{stack}")
    config = {"aws:region": "us-west-2"}
    where = Stack(project="eksml", name=stack, directory=ROOT, program=Path(__file__), config=config)
    return record_program(lambda: Platform(spec.name, spec), where)


@cache
def research() -> Plan:
    return platform("one")


# What is found


@pytest.mark.parametrize("stack", ["research", "production", "startup"])
def test_a_plan_is_no_different_from_itself(stack: str) -> None:
    found = diff(golden(stack), golden(stack))
    assert found.changes == ()
    assert found.notes == ()
    assert text(found) == f"No difference: {found.same} resources of {stack} are the same\n"


def test_what_is_only_on_one_side_is_added_or_removed() -> None:
    one, other = resource(KEY, "one"), resource("aws:iam/role:Role", "other")
    assert changes(plan(one), plan(other)) == [("removed", "one"), ("added", "other")]


def test_each_changed_input_has_its_path_and_both_values() -> None:
    before = resource(KEY, "key", {"description": "a", "tags": {"a b": "1", "c": "2"}, "list": [1, 2]})
    after = resource(KEY, "key", {"description": "b", "tags": {"a b": "3", "c": "2"}, "list": [1], "new": {"x": 1}})
    change = only(plan(before), plan(after))
    assert change.kind is Kind.CHANGED
    assert [(each.path, each.before, each.after) for each in change.inputs] == [
        ("description", "a", "b"),
        ("list", [1, 2], [1]),
        ("new.x", None, 1),
        ('tags["a b"]', "1", "3"),
    ]


def test_lists_of_mappings_are_compared_item_by_item() -> None:
    before = resource("eks:index:Cluster", "c", {"rules": [{"a": 1}, {"a": 2}]})
    after = resource("eks:index:Cluster", "c", {"rules": [{"a": 1}, {"a": 3}, {"a": 4}]})
    assert list(paths(only(plan(before), plan(after)))) == ["rules[1].a", "rules[2].a"]


@pytest.mark.parametrize(("before", "after"), [({}, {"a": {}}), ({"a": {}}, {"a": []}), ({"a": []}, {"a": ["b"]})])
def test_an_empty_value_is_a_value(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert list(paths(only(plan(resource(KEY, "k", before)), plan(resource(KEY, "k", after))))) == ["a"]


def test_components_are_left_out_but_not_those_that_a_provider_makes() -> None:
    def both(size: int) -> Plan:
        kinds = ("test:box:Box", "eks:index:Cluster")
        urns = {kind: f"urn:pulumi:s::p::{kind}::x" for kind in kinds}
        return plan(*(Resource(urns[kind], kind, "x", None, is_custom=False, inputs={"size": size}) for kind in kinds))

    assert only(both(1), both(2)).type == "eks:index:Cluster"


def test_changes_that_the_program_ignores_are_none() -> None:
    after = resource(KEY, "key", {"tags": {"a": "2"}}, options={"ignoreChanges": ["tags"]})
    assert changes(plan(resource(KEY, "key", {"tags": {"a": "1"}})), plan(after)) == []


# Replacement


def test_an_input_that_the_catalog_lists_forces_replacement() -> None:
    change = only(plan(resource(VPC, "v", {"cidrBlock": "a"})), plan(resource(VPC, "v", {"cidrBlock": "b"})))
    assert (change.kind, change.is_stateful) == (Kind.REPLACED, True)
    assert paths(change) == {"cidrBlock": Effect.REPLACE}


def test_what_is_below_a_listed_input_counts_wherever_it_stands_in_a_list() -> None:
    def job(image: str) -> Plan:
        containers = [{"image": "a"}, {"image": image}]
        return plan(resource("kubernetes:batch/v1:Job", "j", {"spec": {"template": {"containers": containers}}}))

    assert paths(only(job("b"), job("c"))) == {"spec.template.containers[1].image": Effect.REPLACE}


def test_a_kubernetes_object_of_any_kind_is_replaced_with_its_name() -> None:
    kind = "kubernetes:example.com/v1:Anything"
    before, after = (resource(kind, "x", {"metadata": {"name": name}, "spec": {"a": name}}) for name in "ab")
    assert paths(only(plan(before), plan(after))) == {"metadata.name": Effect.REPLACE, "spec.a": Effect.UPDATE}


def test_what_is_refused_must_be_replaced_by_hand_but_may_be_set_for_the_first_time() -> None:
    kind = "kubernetes:storage.k8s.io/v1:StorageClass"
    none, delete, retain = (
        plan(resource(kind, "c", {"reclaimPolicy": policy} if policy else {})) for policy in (None, "Delete", "Retain")
    )
    assert paths(only(delete, retain)) == {"reclaimPolicy": Effect.REFUSED}
    assert only(delete, retain).kind is Kind.REPLACED
    assert "reclaimPolicy: Delete → Retain  refused: replace it by hand" in text(diff(delete, retain))
    assert only(none, retain).kind is Kind.CHANGED


def test_of_a_type_that_the_catalog_lacks_it_says_that_replacement_is_not_known() -> None:
    before, after = (plan(resource("aws:x/y:Y", "y", {"a": value})) for value in (1, 2))
    change = only(before, after)
    assert (change.kind, change.is_stateful, change.is_replacement_known) == (Kind.CHANGED, None, False)
    assert "a: 1 → 2  replacement not known" in text(diff(before, after))


def test_what_is_computed_from_a_replaced_resource_is_replaced_too_and_so_on() -> None:
    vpc, subnet = resource(VPC, "v"), resource(SUBNET, "s")
    depending = [
        resource(SUBNET, "s", property_dependencies={"vpcId": (vpc.urn,)}),
        resource("aws:eks/nodeGroup:NodeGroup", "g", property_dependencies={"subnetIds": (subnet.urn,)}),
        resource("aws:ec2/internetGateway:InternetGateway", "i", property_dependencies={"vpcId": (vpc.urn,)}),
    ]
    before, after = (plan(resource(VPC, "v", {"cidrBlock": cidr}), *depending) for cidr in "ab")
    assert changes(before, after) == [("replaced", "s"), ("replaced", "v"), ("replaced", "g"), ("changed", "i")]
    assert "vpcId: computed anew, for replaced: v  forces replacement" in text(diff(before, after))


def test_what_a_replaced_provider_makes_is_replaced() -> None:
    provider = "pulumi:providers:kubernetes"
    inside = resource("kubernetes:core/v1:Namespace", "n", provider=f"urn:pulumi:s::p::{provider}::k")
    before, after = (plan(resource(provider, "k", {"clusterIdentifier": name}), inside) for name in "ab")
    assert changes(before, after) == [("replaced", "n"), ("replaced", "k")]


def test_what_is_new_is_added_whatever_it_is_computed_from() -> None:
    vpc = resource(VPC, "v", {"cidrBlock": "b"})
    new = resource(SUBNET, "s", property_dependencies={"vpcId": (vpc.urn,)})
    assert changes(plan(resource(VPC, "v", {"cidrBlock": "a"})), plan(vpc, new)) == [("replaced", "v"), ("added", "s")]


def test_where_a_file_does_not_say_what_is_computed_from_what_a_note_says_so() -> None:
    before, after = (
        plan(
            resource(VPC, "v", {"cidrBlock": cidr}),
            resource(SUBNET, "s", dependencies=("urn:pulumi:s::p::aws:ec2/vpc:Vpc::v",)),
        )
        for cidr in "ab"
    )
    assert changes(before, after) == [("replaced", "v")]
    (note,) = diff(before, after).notes
    assert note.startswith("Whether what depends on replaced resources, 1 in number, must be replaced too is not known")


def test_worst_comes_first() -> None:
    def side(value: str, *more: Resource) -> Plan:
        replaced = [
            resource("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "attachment", {"role": value}),
            resource(VPC, "vpc", {"cidrBlock": value}),
        ]
        return plan(resource(KEY, "key", {"description": value}), *replaced, *more)

    gone = [resource("aws:sqs/queuePolicy:QueuePolicy", "policy"), resource("aws:sqs/queue:Queue", "queue")]
    assert changes(side("a", *gone), side("b", resource(VPC, "new"))) == [
        ("replaced", "vpc"),
        ("replaced", "attachment"),
        ("removed", "queue"),
        ("removed", "policy"),
        ("changed", "key"),
        ("added", "new"),
    ]


# Two stacks


def test_two_stacks_of_the_same_settings_do_not_differ() -> None:
    assert text(diff(research(), platform("two"))).startswith("No difference: ")


def test_between_two_stacks_only_settings_differ() -> None:
    found = diff(research(), platform("two", {"pools": {"train": {"expireAfterHours": 100}}}))
    (change,) = found.changes
    assert (change.name, list(paths(change))) == ("eksml-two-train", ["spec.template.spec.expireAfter"])


def test_within_one_stack_another_name_is_another_resource() -> None:
    before, after = (
        platform("startup", {"profile": "startup", "servers": {"assistant": None}, **name})
        for name in ({}, {"name": "lab"})
    )
    assert {change.kind for change in diff(before, after).changes} == {Kind.ADDED, Kind.REMOVED}


def test_an_id_that_was_given_counts_whatever_it_looks_like() -> None:
    def side(stack: str, vpc: str) -> Plan:
        return plan(resource(SUBNET, "s", {"vpcId": vpc}, stack=stack), stack=stack)

    assert changes(side("one", "vpc-0123456789abcdef0"), side("two", "vpc-0123456789abcdef1")) == [("replaced", "s")]


def test_an_id_that_a_recording_made_up_does_not_count_between_stacks() -> None:
    def side(stack: str) -> Plan:
        vpc = resource(VPC, "v", stack=stack)
        return plan(vpc, resource(SUBNET, "s", {"vpcId": f"vpc-{digits(vpc.urn)[:17]}"}, stack=stack), stack=stack)

    assert changes(side("one"), side("two")) == []


# Secrets, files and forms


def test_a_secret_stays_closed() -> None:
    def side(more: dict[str, str]) -> Plan:
        inputs = {"data": SECRET, "type": "Opaque", **more}
        return plan(resource("kubernetes:core/v1:Secret", "s", inputs))

    assert changes(side({}), side({})) == []
    before = plan(resource("kubernetes:core/v1:Secret", "s", {"type": "Opaque"}))
    assert "data: not set → [secret]  forces replacement" in text(diff(before, side({})))


def test_long_values_are_shown_where_they_differ() -> None:
    before, after = (plan(resource(KEY, "k", {"policy": "x" * 100 + end + "y" * 100})) for end in "ab")
    (line,) = [line for line in text(diff(before, after)).splitlines() if "policy" in line]
    assert "…xxxxxxxxxxxxxxxayyy" in line
    assert "…xxxxxxxxxxxxxxxbyyy" in line
    assert len(line) < 200


def test_a_value_of_several_lines_stands_on_one() -> None:
    before, after = (plan(resource(KEY, "k", {"policy": f"version: v1\nflags: {end}\n"})) for end in "ab")
    assert "      policy: version: v1⏎flags: a⏎ → version: v1⏎flags: b⏎" in text(diff(before, after)).splitlines()


def test_what_many_resources_share_is_told_once() -> None:
    def side(team: str, days: int) -> Plan:
        keys = [resource(KEY, f"k{number}", {"tags": {"team": team}}) for number in range(4)]
        return plan(*keys, resource(KEY, "own", {"tags": {"team": team}, "deletionWindowInDays": days}))

    assert text(diff(side("a", 7), side("b", 8))).splitlines() == [
        "Changed",
        "  ~ own  aws.kms.Key",
        "      deletionWindowInDays: 7 → 8",
        "      tags.team: a → b",
        "  ~ 4 resources alike",
        "      tags.team: a → b",
        "      k0 (aws.kms.Key), k1 (aws.kms.Key), k2 (aws.kms.Key), k3 (aws.kms.Key)",
        "5 changed, 0 the same",
    ]


def test_json_has_every_change_with_what_it_does() -> None:
    before, after = (plan(resource(VPC, "v", {"cidrBlock": cidr}), resource(KEY, "k")) for cidr in "ab")
    assert json.loads(json.dumps(diff_json(diff(before, after)))) == {
        "before": "s",
        "after": "s",
        "counts": {"replaced": 1, "removed": 0, "changed": 0, "added": 0, "same": 1},
        "changes": [
            {
                "kind": "replaced",
                "urn": "urn:pulumi:s::p::aws:ec2/vpc:Vpc::v",
                "type": VPC,
                "name": "v",
                "stateful": True,
                "replacementKnown": True,
                "inputs": [
                    {"path": "cidrBlock", "before": "a", "after": "b", "effect": "replace", "computedFrom": None}
                ],
            }
        ],
        "notes": [],
    }


def test_a_file_of_preview_is_the_plan_that_was_recorded(tmp_path: Path) -> None:
    recorded = research()
    file = tmp_path / "before.json"
    file.write_text(json.dumps(as_json(recorded, checks=[])))
    read, is_from_engine = read_plan_file(file)
    assert not is_from_engine
    assert diff(read, recorded).changes == ()
    assert [each.is_custom for each in read.resources] == [each.is_custom for each in recorded.resources]


def previews_of(recorded: Plan) -> list[dict[str, Any]]:
    """What `eksml preview --json` says of a Plan, and what the engine does, which does not show what is only read."""
    steps = [
        {
            "op": "create",
            "urn": each.urn,
            "newState": {
                "urn": each.urn,
                "type": each.type,
                "custom": each.is_custom,
                "parent": each.parent,
                "provider": f"{each.provider}::id" if each.provider else "",
                "inputs": each.inputs,
                "dependencies": each.dependencies,
                "propertyDependencies": each.property_dependencies,
                **each.options,
            },
        }
        for each in recorded.resources
        if each.type != STACK_REFERENCE_TYPE
    ]
    return [as_json(recorded, checks=[]), {"steps": steps}]


@pytest.mark.parametrize("form", [0, 1], ids=["eksml", "pulumi"])
def test_the_platform_of_a_job_is_only_read_which_is_no_difference(form: int, tmp_path: Path) -> None:
    job = find_stack(str(ROOT / "blueprints" / "training" / "native-pytorch")).on_platform()
    assert job.platform
    recorded = record(job, stack_plan(job.platform.name))
    assert recorded.of_type(STACK_REFERENCE_TYPE)
    file = tmp_path / "preview.json"
    file.write_text(json.dumps(previews_of(recorded)[form]))
    read, is_from_engine = read_plan_file(file)
    assert diff(read, recorded, compare_computed=not is_from_engine).changes == ()
    assert diff(recorded, read, compare_computed=not is_from_engine).changes == ()
    assert counts(read) == counts(recorded)
    if is_from_engine:
        assert differences(read, recorded) == []


def test_what_the_engine_says_is_no_different_from_what_was_recorded(shared: Path) -> None:
    read, is_from_engine = read_plan_file(shared / "engine-sample" / "preview.json")
    assert is_from_engine
    found = diff(read, record(find_stack(str(shared / "engine-sample"), read.stack)), compare_computed=False)
    assert found.changes == ()
    (note,) = found.notes
    assert "the other comes from the engine" in note


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not the output of eksml preview --json"),
        ('{"resources": 3}', "not the output of eksml preview --json"),
        ('{"stack": "s", "exports": {}, "resources": [{"urn": 1}]}', "not the output of eksml preview --json"),
        ('{"steps": 3}', "not the output of pulumi preview --json"),
    ],
)
def test_another_file_is_not_taken_for_a_plan(tmp_path: Path, content: str, told: str) -> None:
    file = tmp_path / "before.json"
    file.write_text(content)
    with pytest.raises(InputError, match=told):
        read_plan_file(file)


# Properties

TREES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)
INPUTS = st.dictionaries(st.sampled_from(["cidrBlock", "tags", "größe", "a.b"]), TREES, max_size=3)
PLANS = st.dictionaries(st.sampled_from([VPC, SUBNET, KEY, "x:y:Z"]), INPUTS, max_size=4).map(
    lambda found: plan(*(resource(kind, "x", inputs) for kind, inputs in found.items()))
)


@given(PLANS)
def test_no_plan_differs_from_itself(one: Plan) -> None:
    assert diff(one, one).changes == ()


@given(PLANS, PLANS)
def test_there_and_back_the_same_resources_differ(one: Plan, other: Plan) -> None:
    there, back = diff(one, other), diff(other, one)
    assert {c.urn for c in there.of_kind(Kind.ADDED)} == {c.urn for c in back.of_kind(Kind.REMOVED)}
    assert {c.urn for c in there.of_kind(Kind.REMOVED)} == {c.urn for c in back.of_kind(Kind.ADDED)}
    assert {c.urn for c in there.changes} == {c.urn for c in back.changes}
    assert len(there.changes) + there.same == len(one.by_urn.keys() | other.by_urn.keys())
    text(there)
    json.dumps(diff_json(there))
