"""The section of a preview that says how long servers take to start."""

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from eksml import names
from eksml.plan import Plan
from eksml.plan.as_json import as_json
from eksml.plan.cold_starts import cold_starts
from eksml.plan.text import plain_text, show
from eksml.serving.cold_start import cold_start
from programs import recorded


def deployment(name: str, annotations: Mapping[str, str]) -> None:
    metadata = {"name": name, "namespace": "ml", "annotations": annotations}
    fields = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}
    pulumi.CustomResource("kubernetes:apps/v1:Deployment", name, fields)


def plan_of(*names_and_wakes: tuple[str, str], **changed: Any) -> Plan:
    def program() -> None:
        k8s.core.v1.Namespace("ml", metadata={"name": "ml"})
        for name, wakes in names_and_wakes:
            given: dict[str, Any] = {"weights_gib": 15.0, "source": "lustre", "new_node": True}
            start = cold_start("vllm", "vllm/vllm-openai:v0.30.0", **{**given, **changed})
            deployment(name, start.annotation(wakes))

    return recorded(program)


def preview(plan: Plan) -> str:
    return plain_text(lambda console: show(plan, console))


def test_a_preview_has_a_row_for_each_server_with_its_parts_and_how_it_wakes() -> None:
    text = preview(plan_of(("quiet", "by a request, which is held"), ("busy", "")))
    rows = [line.split() for line in text.splitlines() if " in ml " in line and ":" in line and "[" not in line]
    busy, quiet = (row for row in rows if row[0] in ("busy", "quiet"))
    assert busy[-2:] == ["always", "runs"]
    assert " ".join(quiet[-6:]) == "by a request, which is held"
    assert busy[3] == "2:47"
    assert busy[5] == "~0:32"


def test_weights_of_unknown_size_are_not_known_and_the_total_is_more() -> None:
    text = preview(plan_of(("chat", ""), weights_gib=None))
    assert "not known" in text
    assert " and more " in text


def test_it_is_in_the_json_too_in_seconds() -> None:
    (start,) = as_json(plan_of(("chat", "")), checks=[])["coldStarts"]
    assert (start["server"], start["namespace"], start["wakes"]) == ("chat", "ml", "")
    assert start["node"] == {"low": 167, "usual": 167, "high": 300, "estimate": False}
    assert json.loads(json.dumps(start)) == start


def test_a_plan_without_servers_says_nothing_of_them() -> None:
    plan = plan_of()
    assert cold_starts(plan) == []
    assert "Cold starts" not in preview(plan)
    assert "coldStarts" not in as_json(plan, checks=[])


def test_what_somebody_else_wrote_into_the_annotation_is_left_out() -> None:
    def program() -> None:
        for name, text in (("a", "soon"), ("b", "[]"), ("c", "{}")):
            deployment(name, {names.COLD_START_ANNOTATION: text})

    assert cold_starts(recorded(program)) == []
