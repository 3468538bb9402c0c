"""`eksml cost-frameworks`: the cost comparison of the documents, on the command line."""

import json
from pathlib import Path

import pytest

from command import ROOT, check_refused, eksml, eksml_process
from eksml.costs import analyze_framework_costs

# The documents' own workload.
WORKLOAD = (
    *("--num-models", "10"),
    *("--monthly-requests", "1000000"),
    *("--team-size", "15"),
    *("--training-hours-per-month", "500"),
)
SPECS = {"num_models": 10, "monthly_requests": 1_000_000, "team_size": 15, "training_hours_per_month": 500}


def amounts(lines: list[str], label: str) -> list[float]:
    """The amounts of a row."""
    (row,) = (line for line in lines if line.startswith(label))
    return [float(cell.replace(",", "").strip("~")) for cell in row.removeprefix(label).split()]


def test_it_shows_what_the_function_says_in_80_columns() -> None:
    done = eksml("cost-frameworks", *WORKLOAD)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    costs = analyze_framework_costs(SPECS, ["pytorch", "tensorflow", "jax"])
    for label, part in (("base infrastructure", "base_infrastructure"), ("training", "training"), ("total", "total")):
        assert amounts(lines, label) == [pytest.approx(each[part], abs=0.005) for each in costs.values()]
    thousand = [pytest.approx(1000 * (each["cost_per_request"] or 0), abs=5e-5) for each in costs.values()]
    assert amounts(lines, "cost per 1,000 requests") == thousand


def test_what_rests_on_estimates_is_said_and_every_assumption_shown() -> None:
    text = eksml("cost-frameworks", *WORKLOAD).stdout
    joined = " ".join(text.split())
    assert "by effort, an estimate" in joined
    assert "by training time, of a benchmark" in joined
    assert "No source measures what a framework costs" in joined
    for name in ("developerUsd", "developmentEffort", "trainingTime", "trainingInstance", "systemNodes"):
        assert f"  {name} = " in text


def test_an_assumption_can_be_changed_for_one_framework() -> None:
    done = eksml("cost-frameworks", "pytorch", "jax", *WORKLOAD, "--assume", "developmentEffort={jax: 2}", "--json")
    content = json.loads(done.stdout)
    assert list(content) == ["frameworks", "differences", "assumptions"]
    assert list(content["frameworks"]) == ["pytorch", "jax"]
    assert content["frameworks"]["jax"]["development"] == 2 * content["frameworks"]["pytorch"]["development"]
    assert set(content["differences"]["jax"]) == {"estimated", "measured"}
    by_name = {each["name"]: each for each in content["assumptions"]}
    assert by_name["developmentEffort"]["value"] == {"pytorch": 1.0, "tensorflow": 1.15, "jax": 2}
    assert all(each["source"] for each in content["assumptions"])


def test_the_bill_of_a_stack_is_the_base() -> None:
    plan = str(ROOT / "tests" / "golden" / "startup" / "plan.json")
    content = json.loads(eksml("cost-frameworks", "pytorch", *WORKLOAD, "--platform", plan, "--json").stdout)
    bill = json.loads(eksml("cost", plan, "--json").stdout)
    apart = sum(bill["byPurpose"][purpose]["expected"] for purpose in ("training", "serving"))
    base = content["frameworks"]["pytorch"]["base_infrastructure"]
    assert base == pytest.approx(bill["monthly"]["expected"] - apart, abs=0.001)


def test_without_models_and_requests_a_price_of_one_is_not_applicable() -> None:
    none = ("--num-models", "0", "--monthly-requests", "0", *WORKLOAD[4:])
    lines = eksml("cost-frameworks", "jax", *none).stdout.splitlines()
    assert "n/a" in next(line for line in lines if line.startswith("cost per model"))
    content = json.loads(eksml("cost-frameworks", "jax", *none, "--json").stdout)
    assert content["frameworks"]["jax"]["cost_per_request"] is None


def test_more_frameworks_than_fit_beside_each_other_stand_below() -> None:
    names = [f"framework-{letter}" for letter in "abcde"]
    factors = "{" + ", ".join(f"{name}: 1.0" for name in names) + "}"
    assume = [word for key in ("developmentEffort", "operationsEffort") for word in ("--assume", f"{key}={factors}")]
    lines = eksml("cost-frameworks", *names, *WORKLOAD, *assume).stdout.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert sum(line.startswith("total") for line in lines) == 2


def test_no_sdk_of_a_provider_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pulumi'] = None\n")
    done = eksml_process("cost-frameworks", *WORKLOAD, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "problems"),
    [
        (("torch", *WORKLOAD), ["framework 'torch' has no factors of effort"]),
        (
            WORKLOAD[:4],
            ["team_size: missing, --team-size", "training_hours_per_month: missing, --training-hours-per-month"],
        ),
        (
            (*WORKLOAD[:2], "--monthly-requests", "-1", *WORKLOAD[4:]),
            ["monthly_requests: -1 given, must be at least 0"],
        ),
        ((*WORKLOAD[:4], "--team-size", "$5", *WORKLOAD[6:]), ["team_size: '$5' given, must be a whole number"]),
        ((*WORKLOAD, "--assume", "developerUSD=1"), ["developerUSD: unknown key, did you mean 'developerUsd'?"]),
        ((*WORKLOAD, "--assume", "trainingTime=2"), ["trainingTime: 2 given, must be "]),
        ((*WORKLOAD, "--platform", "nowhere"), ["there is no stack 'nowhere'"]),
    ],
)
def test_bad_input_is_told(arguments: tuple[str, ...], problems: list[str]) -> None:
    check_refused(eksml("cost-frameworks", *arguments), *problems)


def test_a_framework_with_factors_of_its_own_is_compared_without_being_named() -> None:
    assume = [
        word for key in ("developmentEffort", "operationsEffort") for word in ("--assume", f"{key}={{keras: 1.1}}")
    ]
    done = eksml("cost-frameworks", *WORKLOAD, *assume, "--json")
    assert list(json.loads(done.stdout)["frameworks"]) == ["pytorch", "tensorflow", "jax", "keras"]


def test_a_factor_that_is_missing_is_told_not_left_out() -> None:
    done = eksml("cost-frameworks", *WORKLOAD, "--assume", "developmentEffort={keras: 1.1}")
    assert done.returncode == 2
    assert "framework 'keras' has no factor of effort in operationsEffort" in done.stderr
