"""`eksml cost`, and what `eksml diff` says of costs."""

import json
from pathlib import Path

import pytest

from command import ROOT, check_refused, eksml, eksml_process

PLANS = ROOT / "tests" / "golden"


def test_it_shows_the_total_the_items_and_what_they_rest_on_in_80_columns() -> None:
    done = eksml("cost", "production")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "Stack production in us-west-2, US dollars"
    assert lines[1].startswith("about $")
    assert any(line.split() == ["EKS", "control", "plane", "73.00", "73.00", "73.00"] for line in lines)
    for title in ("By team", "By pool", "Not priced", "Assumptions  (change one with --assume NAME=VALUE)"):
        assert title in lines
    assert "  natGb = 500 GB/month: Data through all NAT gateways together: images," in lines
    assert [line for line in lines if len(line) > 80] == []


def test_a_changed_assumption_changes_the_bill_and_says_so() -> None:
    usual = json.loads(eksml("cost", "startup", "--json").stdout)
    changed = json.loads(eksml("cost", "startup", "--json", "--assume", "natGb=1500").stdout)
    assert changed["monthly"]["expected"] - usual["monthly"]["expected"] == pytest.approx(1000 * 0.045)
    assert "natGb = 1500 GB/month (changed)" in eksml("cost", "startup", "--assume", "natGb=1500").stdout


def test_json_is_for_machines_and_settings_count() -> None:
    content = json.loads(eksml("cost", "startup", "--json", "--set", "pools.system.size=5").stdout)
    assert list(content) == [
        "stack",
        "region",
        "monthly",
        "hourly",
        "byPurpose",
        "byTeam",
        "byPool",
        "byResource",
        "items",
        "notPriced",
        "assumptions",
    ]
    assert sum(item["monthly"]["expected"] for item in content["items"]) == pytest.approx(
        content["monthly"]["expected"], abs=0.001
    )
    assert any(item["what"] == "5 × m7i.large, on demand" for item in content["items"])
    assert all(item["source"] for item in content["items"])


def test_two_stacks_are_compared_by_what_they_are_for() -> None:
    done = eksml("cost", "startup", "--compare", "research")
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert lines[0].split()[-5:] == ["startup", "us-west-2", "research", "us-west-2", "difference"]
    assert lines[-1].startswith("all of it")
    assert [line for line in lines if len(line) > 80] == []
    both = json.loads(eksml("cost", "startup", "--compare", "research", "--json").stdout)
    assert list(both) == ["first", "second", "difference"]
    assert both["difference"]["monthly"] == pytest.approx(
        both["second"]["monthly"]["expected"] - both["first"]["monthly"]["expected"]
    )


def test_a_stack_is_compared_with_itself_before_an_edit() -> None:
    done = eksml("cost", "production", "--set", "pools.train.size=3", "--compare", "production", "--json")
    a_node = 730 * 4.6016 + 200 * 0.08
    assert json.loads(done.stdout)["difference"]["monthly"] == pytest.approx(-a_node)


def test_a_file_is_read_without_the_sdks_of_providers(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pulumi'] = None\n")
    (tmp_path / "plan.json").write_text(eksml("preview", "research", "--json").stdout, encoding="utf-8")
    done = eksml_process("cost", str(tmp_path / "plan.json"), PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout == eksml("cost", "research").stdout


def test_a_blueprint_is_priced_with_its_platform() -> None:
    done = eksml("cost", "blueprints/inference/vllm")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].startswith("The platform alone: about $")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("startup", "--assume", "natGb"), "--assume natGb: must be NAME=VALUE, such as natGb=2000"),
        (("startup", "--assume", "natGB=1"), "natGB: unknown key, did you mean 'natGb'?"),
        (("startup", "--assume", "natGb=$5"), "natGb: '$5' given, must be a number"),
        (("nowhere",), "there is no stack 'nowhere'"),
        (("startup", "--compare", "nowhere"), "there is no stack 'nowhere'"),
        (("startup", "--set", "region=1"), "region: "),
        ((str(PLANS / "startup" / "plan.json"), "--set", "pools.gpu=null"), "--set: "),
    ],
)
def test_bad_input_is_told(arguments: tuple[str, ...], problem: str) -> None:
    check_refused(eksml("cost", *arguments), problem)


def test_a_region_without_prices_is_told_with_those_that_have_some(tmp_path: Path) -> None:
    text = (PLANS / "startup" / "plan.json").read_text(encoding="utf-8")
    (tmp_path / "plan.json").write_text(
        text.replace('"region": "us-west-2"', '"region": "sa-east-1"'), encoding="utf-8"
    )
    done = eksml("cost", str(tmp_path / "plan.json"))
    check_refused(done, "startup: the catalog has no prices of sa-east-1, it has those of ap-northeast-1, ")


def test_diff_tells_what_a_change_costs() -> None:
    done = eksml("diff", "production", "--set", "pools.train.size=3")
    a_node = 730 * 4.6016 + 200 * 0.08
    assert done.stdout.startswith("Cost: about $")
    assert f"(+${a_node:,.0f}), at most $" in done.stdout.splitlines()[0]
    content = json.loads(eksml("diff", "production", "--set", "pools.train.size=3", "--json").stdout)
    assert content["cost"]["after"]["expected"] - content["cost"]["before"]["expected"] == pytest.approx(a_node)


def test_diff_says_nothing_of_costs_where_they_stay() -> None:
    assert "Cost:" not in eksml("diff", "research", "--set", "pools.train.expireAfterHours=48").stdout
