"""`eksml cost`, and what `eksml diff` says of costs."""

import json
from pathlib import Path

import pytest

from command import ROOT, check_refused, eksml, eksml_process

pytestmark = pytest.mark.slow

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


def test_a_later_day_has_the_control_plane_in_extended_support() -> None:
    extended = ("cost", "startup", "--set", "cluster.upgradePolicy=extended")
    now, later = eksml(*extended), eksml(*extended, "--assume", "on=2027-09-01")
    assert "EKS extended support" not in now.stdout
    assert "  EKS extended support, on top of the control" in later.stdout.splitlines()
    assert "  on = 2027-09-01 date (changed): " in later.stdout
    for done in (now, later):
        assert "standard support of Kubernetes 1.36 on 2027-08-02" in " ".join(done.stdout.split())
        assert [line for line in done.stdout.splitlines() if len(line) > 80] == []
    content = json.loads(eksml(*extended, "--assume", "on=2027-09-01", "--json").stdout)
    (item,) = (item for item in content["items"] if item["what"].startswith("EKS extended support"))
    assert item["monthly"]["expected"] == 365
    assert len(content["notes"]) == 1
    assert {"name": "on", "value": "2027-09-01"}.items() <= next(
        each for each in content["assumptions"] if each["name"] == "on"
    ).items()


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
        "notes",
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
    assert lines[0].split()[-3:] == ["research", "startup", "difference"]
    assert lines[1].split() == ["us-west-2", "us-west-2"]
    assert lines[-1].startswith("all of it")
    assert [line for line in lines if len(line) > 80] == []
    both = json.loads(eksml("cost", "startup", "--compare", "research", "--json").stdout)
    assert list(both) == ["before", "after", "difference"]
    assert both["difference"]["monthly"] == pytest.approx(
        both["after"]["monthly"]["expected"] - both["before"]["monthly"]["expected"]
    )
    assert (both["before"]["stack"], both["after"]["stack"]) == ("research", "startup")


def test_a_stack_is_compared_with_itself_before_an_edit_as_diff_compares_it() -> None:
    edit = ("--set", "pools.train.size=3")
    compared = eksml("cost", "production", *edit, "--compare", "production")
    assert compared.stdout.splitlines()[0].endswith(" production production, with --set    difference")
    difference = json.loads(eksml("cost", "production", *edit, "--compare", "production", "--json").stdout)[
        "difference"
    ]
    a_node = 730 * 4.6016 + 200 * 0.08
    assert difference["monthly"] == pytest.approx(a_node)
    assert compared.stdout.splitlines()[-1].endswith(f"{a_node:+,.2f}")
    assert f"(+${a_node:,.0f})" in eksml("diff", "production", *edit).stdout


def test_what_has_no_price_is_in_the_first_lines_and_grouped() -> None:
    pool = "{kind: karpenter, accelerator: nvidia, instanceTypes: [p5e.48xlarge], gpuLimit: 8}"
    setting = ("--set", "pools.train.instanceTypes=[p5e.48xlarge]", "--set", f"pools.more={pool}")
    lines = eksml("cost", "research", *setting).stdout.splitlines()
    assert " a month, without 1 item that has no price here, at least $" in lines[1]
    assert "  p5e.48xlarge: 2 times: the catalog has no price of it in us-west-2" in lines
    compared = eksml("cost", "research", *setting, "--compare", "research").stdout
    assert "research, with --set, without 1 item that has no price here:" in compared.splitlines()


def test_a_bill_has_its_purposes_in_one_order_and_nothing_that_is_zero_or_assumed_in_vain() -> None:
    lines = eksml("cost", "startup").stdout.splitlines()
    table = lines[lines.index("") : lines.index("By team")]
    headings = [line.split()[0] for line in table if line and not line.startswith(" ")][1:-1]
    assert headings == ["cluster", "network", "storage", "observability", "training", "serving"]
    assert not [line for line in lines if line.endswith(" 0.00       0.00       0.00")]
    assert not [line for line in lines if "fileSystemGb" in line]
    names = {each["name"] for each in json.loads(eksml("cost", "startup", "--json").stdout)["assumptions"]}
    assert "fileSystemGb" in names


def test_a_file_is_read_without_the_sdks_of_providers(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pulumi'] = None\n")
    (tmp_path / "plan.json").write_text(eksml("preview", "research", "--json").stdout, encoding="utf-8")
    done = eksml_process("cost", str(tmp_path / "plan.json"), PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout == eksml("cost", "research").stdout


def test_a_blueprint_is_priced_with_its_platform() -> None:
    done = eksml("cost", "blueprints/inference/vllm")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "Stack research of vllm in us-west-2, US dollars"
    assert done.stdout.splitlines()[-1].startswith("The platform alone: about $")


def test_two_blueprints_are_told_apart_though_their_stacks_are_called_the_same() -> None:
    one, other = "blueprints/inference/triton-onnx", "blueprints/inference/tensorflow-serving"
    compared = eksml("cost", other, "--compare", one)
    assert (compared.returncode, compared.stderr) == (0, "")
    heading = compared.stdout.splitlines()[0]
    assert "triton-onnx" in heading
    assert "tensorflow-serving" in heading
    assert len(heading) <= 80


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


def test_names_and_regions_that_are_long_stand_apart() -> None:
    names, regions, *_ = eksml("cost", "production", "--compare", "production").stdout.splitlines()
    assert names.split()[-3:] == ["production", "production", "difference"]
    assert regions.split() == ["us-west-2", "us-west-2"]


def test_diff_tells_what_comes_without_a_price() -> None:
    setting = "pools.train.instanceTypes=[p5e.48xlarge]"
    done = eksml("diff", "research", "--set", setting)
    assert "; without a price comes eksml-research-train: p5e.48xlarge" in done.stdout.splitlines()[0]
    content = json.loads(eksml("diff", "research", "--set", setting, "--json").stdout)
    assert [line["what"] for line in content["cost"]["newlyNotPriced"]] == ["p5e.48xlarge"]


def test_diff_says_as_cost_does_how_many_items_its_sums_lack() -> None:
    setting = "pools.train.instanceTypes=[p5e.48xlarge]"
    lacks = "a month, without 1 item that has no price here"
    assert lacks in eksml("cost", "research", "--set", setting).stdout.splitlines()[1]
    first = eksml("diff", "research", "--set", setting).stdout.splitlines()[0]
    assert f"{lacks}, instead of $" in first


def test_diff_says_what_both_sums_lack_where_that_is_no_news(tmp_path: Path) -> None:
    file = tmp_path / "before.json"
    setting = ("--set", "pools.train.instanceTypes=[p5e.48xlarge]")
    file.write_text(eksml("preview", "research", *setting, "--json").stdout, encoding="utf-8")
    more = eksml("diff", str(file), "research", *setting, "--set", "pools.system.size=3").stdout.splitlines()[0]
    assert "a month, without 1 item that has no price here, instead of $" in more
    assert more.count("has no price") == 1
    same = eksml("diff", str(file), "research", *setting, "--set", "pools.train.expireAfterHours=48").stdout
    assert same.splitlines()[0].endswith(" a month, without 1 item that has no price here")
    back = eksml("diff", str(file), "research").stdout.splitlines()[0]
    assert "a month instead of $" in back
    assert ", without 1 item that has no price here, (" in back
    content = json.loads(eksml("diff", str(file), "research", *setting, "--json").stdout)
    assert [line["what"] for line in content["cost"]["notPriced"]] == ["p5e.48xlarge"]
    assert content["cost"]["newlyNotPriced"] == []


def test_diff_tells_why_it_knows_no_costs(tmp_path: Path) -> None:
    text = (PLANS / "startup" / "plan.json").read_text(encoding="utf-8")
    elsewhere = tmp_path / "plan.json"
    elsewhere.write_text(text.replace('"region": "us-west-2"', '"region": "sa-east-1"'), encoding="utf-8")
    done = eksml("diff", str(PLANS / "startup" / "plan.json"), str(elsewhere))
    assert done.stdout.startswith("Cost: not known: startup: the catalog has no prices of sa-east-1")


def test_diff_says_that_costs_stay() -> None:
    done = eksml("diff", "research", "--set", "pools.train.expireAfterHours=48")
    expected = json.loads(eksml("cost", "research", "--json").stdout)["monthly"]["expected"]
    assert done.stdout.splitlines()[0] == f"Cost: the same, about ${expected:,.0f} a month"
