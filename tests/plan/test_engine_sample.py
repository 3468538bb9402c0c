"""A recorder that is right agrees with what a real engine says of the same program."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from eksml.errors import InputError
from eksml.plan import Plan
from eksml.plan.comparison import differences
from eksml.plan.counts import counts
from eksml.plan.manifests import manifests
from eksml.plan.preview_json import read_preview_json
from eksml.plan.project import find_stack
from eksml.plan.recorder import record
from eksml.plan.tree import tree


@cache
def both(sample: Path) -> tuple[Plan, Plan]:
    return record(find_stack(str(sample))), read_preview_json(sample / "preview.json")


def test_the_recorded_plan_equals_the_one_that_was_read(shared: Path) -> None:
    recorded, read = both(shared / "engine-sample")
    assert len(recorded.resources) == 13
    assert differences(recorded, read) == []


def test_both_give_the_same_views(shared: Path) -> None:
    recorded, read = both(shared / "engine-sample")
    assert tree(recorded) == tree(read)
    assert counts(recorded) == counts(read)
    assert manifests(recorded).count("kind: ") == manifests(read).count("kind: ") == 3


def test_secrets_stay_closed_in_both(shared: Path) -> None:
    for plan in both(shared / "engine-sample"):
        (secret,) = plan.of_type("kubernetes:core/v1:Secret")
        assert secret.inputs["data"] == "[secret]"
    assert both(shared / "engine-sample")[0].exports["kubeconfig"] == "[secret]"


def changed(sample: Path, tmp_path: Path, change: Any) -> Plan:
    content = json.loads((sample / "preview.json").read_text())
    for step in content["steps"]:
        change(step["newState"])
    file = tmp_path / "preview.json"
    file.write_text(json.dumps(content))
    return read_preview_json(file)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda state: state.update(parent=None), "parent: "),
        (lambda state: state.update(custom=not state["custom"]), "is_custom: "),
        (lambda state: state.update(dependencies=[]), "dependencies: "),
        (lambda state: state.update(protect=True), "options: "),
        (lambda state: state.update(provider=""), "provider: "),
        (lambda state: state.update(inputs={}), "inputs."),
        (lambda state: state.get("inputs", {}).update(more=1), "inputs.more: None is not 1"),
        (lambda state: state.update(propertyDependencies={}), "property dependencies: "),
    ],
)
def test_whatever_differs_is_found(shared: Path, tmp_path: Path, change: Any, line: str) -> None:
    recorded, _ = both(shared / "engine-sample")
    found = differences(recorded, changed(shared / "engine-sample", tmp_path, change))
    assert any(f": {line}" in difference for difference in found), found


def test_a_missing_resource_is_found(shared: Path) -> None:
    recorded, read = both(shared / "engine-sample")
    fewer = Plan.of(read.stack, read.resources[1:])
    gone = read.resources[0].urn
    assert f"only in the first: {gone}" in differences(recorded, fewer)
    assert f"only in the second: {gone}" in differences(fewer, recorded)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"steps": [{}]}', '{"steps": 3}', "not json", "\x00"])
def test_another_file_is_not_taken_for_a_preview(tmp_path: Path, content: str) -> None:
    file = tmp_path / "preview.json"
    file.write_text(content)
    with pytest.raises(InputError, match="not the output of pulumi preview --json"):
        read_preview_json(file)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_preview_json(tmp_path / "none.json")


def test_what_the_preview_takes_away_is_not_part_of_the_plan(shared: Path, tmp_path: Path) -> None:
    content = json.loads((shared / "engine-sample" / "preview.json").read_text())
    urn = next(step["urn"] for step in content["steps"] if "LaunchTemplate" in step["urn"])
    content["steps"] += [{"op": "delete", "urn": urn + "-old", "oldState": {"urn": urn + "-old"}}]
    file = tmp_path / "preview.json"
    file.write_text(json.dumps(content))
    assert urn + "-old" not in read_preview_json(file).by_urn
