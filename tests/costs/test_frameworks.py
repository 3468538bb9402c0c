"""What a month costs with each framework: the documents' example, the sums, and what is refused."""

from dataclasses import replace
from typing import Any

import pytest

from eksml import catalog
from eksml.costs import FrameworkAssumptions, analyze_framework_costs, estimate
from eksml.costs.frameworks import differences
from eksml.errors import InputError, SpecError
from programs import stack_plan

# As the documents have it.
workload_specs = {"num_models": 10, "monthly_requests": 1000000, "team_size": 15, "training_hours_per_month": 500}
frameworks = ["pytorch", "tensorflow", "jax"]


def test_the_example_of_the_documents_works_as_written() -> None:
    cost_comparison = analyze_framework_costs(workload_specs, frameworks)
    lines = []
    for framework, costs in cost_comparison.items():
        lines.append(f"\n{framework.upper()} Cost Analysis:")
        lines.append(f"  Total Monthly Cost: ${costs['total']:,.2f}")
        lines.append(f"  Cost per Model: ${costs['cost_per_model']:,.2f}")
        lines.append(f"  Cost per 1K Requests: ${costs['cost_per_request'] * 1000:.4f}")  # ty: ignore[unsupported-operator]
    assert list(cost_comparison) == frameworks
    assert lines[0] == "\nPYTORCH Cost Analysis:"


def test_the_parts_are_what_they_are_by_hand() -> None:
    costs = analyze_framework_costs(workload_specs, ["tensorflow"])["tensorflow"]
    assert costs["base_infrastructure"] == pytest.approx(730 * (0.10 + 0.045 + 2 * 0.1008))
    assert costs["development"] == pytest.approx(15 * 8 * 75 * 1.15)
    assert costs["operations"] == pytest.approx(10 * 1 * 75 * 0.9)
    # A step of BERT, Gemma, Mistral, SegmentAnything and Stable Diffusion takes 1.06 times as long, in the median.
    assert costs["training"] == pytest.approx(500 * 1.06 * 4.6016)
    # Ten models, five on each instance; a million requests a month would need less than one.
    assert costs["inference"] == pytest.approx(2 * 730 * 0.8048)
    parts = ("base_infrastructure", "development", "operations", "training", "inference")
    assert costs["total"] == pytest.approx(sum(costs[part] for part in parts))
    assert costs["cost_per_model"] == pytest.approx(costs["total"] / 10)
    assert costs["cost_per_request"] == pytest.approx(costs["inference"] / 1_000_000)


def test_many_requests_need_more_instances() -> None:
    many = {**workload_specs, "monthly_requests": 1_000_000_000}
    # 380 requests a second, three times as many in busy hours, 20 for each instance.
    assert analyze_framework_costs(many, ["pytorch"])["pytorch"]["inference"] == pytest.approx(58 * 730 * 0.8048)


def test_without_requests_or_models_a_price_of_one_is_not_applicable() -> None:
    none = {**workload_specs, "monthly_requests": 0, "num_models": 0}
    costs = analyze_framework_costs(none, ["jax"])["jax"]
    assert (costs["cost_per_request"], costs["cost_per_model"], costs["inference"]) == (None, None, 0)


def test_every_assumption_is_shown_and_can_be_changed() -> None:
    mine = FrameworkAssumptions(developer_usd=0, training_instance="g6.xlarge")
    costs = analyze_framework_costs(workload_specs, ["jax"], mine)["jax"]
    assert costs["development"] == costs["operations"] == 0
    assert costs["training"] == pytest.approx(500 * 1.1 * 0.8048)
    shown = {each.name: each for each in costs["assumptions"]}
    assert set(shown) == {field.alias for field in FrameworkAssumptions.model_fields.values()}
    assert all(each.unit and each.source and each.what for each in shown.values())
    assert not shown["developerUsd"].is_default


def test_how_long_each_trains_is_the_median_of_what_was_measured() -> None:
    # PyTorch compiled, then TensorFlow and JAX through Keras 3: milliseconds of a step.
    assert catalog.training_steps().times("jax", "pytorch")["BERT"] == pytest.approx(222.37 / 202.43)
    assert FrameworkAssumptions().training_time == {"pytorch": 1.0, "tensorflow": 1.06, "jax": 1.1}
    every = [
        time for name in ("tensorflow", "jax") for time in catalog.training_steps().times(name, "pytorch").values()
    ]
    assert (round(min(every), 1), round(max(every), 1)) == (0.3, 1.3)
    (shown,) = (each for each in FrameworkAssumptions().listed() if each.name == "trainingTime")
    assert "from 0.3 to 1.3 times" in shown.what
    assert shown.is_default


def test_what_is_said_of_one_framework_leaves_the_others_as_they_are() -> None:
    mine = FrameworkAssumptions(training_time={"jax": 0.5})
    assert mine.training_time == {"pytorch": 1.0, "tensorflow": 1.06, "jax": 0.5}
    costs = analyze_framework_costs(workload_specs, ["jax", "pytorch"], mine)
    assert costs["jax"]["training"] == pytest.approx(costs["pytorch"]["training"] / 2)


def test_platform_and_serving_are_the_same_for_all() -> None:
    costs = analyze_framework_costs(workload_specs, frameworks)
    for part in ("base_infrastructure", "inference"):
        assert len({each[part] for each in costs.values()}) == 1


def test_how_much_of_a_difference_is_an_estimate_is_told() -> None:
    costs = analyze_framework_costs(workload_specs, frameworks)
    assert list(differences(costs)) == ["tensorflow", "jax"]
    by = differences(costs)["jax"]
    assert by.estimated == pytest.approx(15 * 8 * 75 * 0.3 + 10 * 75 * 0.2)
    assert by.measured == pytest.approx(500 * 0.1 * 4.6016)
    assert by.estimated + by.measured == pytest.approx(costs["jax"]["total"] - costs["pytorch"]["total"])


def test_with_the_bill_of_a_platform_its_region_counts_and_its_nodes_are_not_assumed() -> None:
    bill = replace(estimate(stack_plan("startup")), region="eu-central-1")
    costs = analyze_framework_costs(workload_specs, ["pytorch"], platform=bill)["pytorch"]
    shown = {each.name: each.value for each in costs["assumptions"]}
    assert shown["region"] == "eu-central-1"
    assert not {"systemInstance", "systemNodes"} & shown.keys()


def test_a_framework_of_ones_own_needs_factors_of_effort() -> None:
    with pytest.raises(InputError, match="framework 'torch' has no factors of effort"):
        analyze_framework_costs(workload_specs, ["torch"])
    mine = FrameworkAssumptions(development_effort={"keras": 1.0}, operations_effort={"keras": 1.0})
    assert list(analyze_framework_costs(workload_specs, ["keras"], mine)) == ["keras"]


def test_what_a_framework_without_factors_needs_is_told() -> None:
    with pytest.raises(InputError, match=r"'scikit-learn' has no .*developmentEffort and operationsEffort of the as"):
        analyze_framework_costs(workload_specs, ["scikit-learn"])


def test_a_framework_with_one_factor_of_two_is_told_which_is_missing() -> None:
    half = FrameworkAssumptions(development_effort={"keras": 1.1})
    with pytest.raises(InputError, match=r"'keras' has no factor of effort in operationsEffort: give it one there too"):
        analyze_framework_costs(workload_specs, ["keras"], half)


def test_no_framework_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="frameworks: none given, must be at least one name"):
        analyze_framework_costs(workload_specs, [])


def test_one_name_is_no_list_of_names() -> None:
    with pytest.raises(InputError, match=r"frameworks: 'jax' given, must be a list of names, such as \['jax'\]"):
        analyze_framework_costs(workload_specs, "jax")


@pytest.mark.parametrize("strange", [None, [], [("num_models", 1)], "pytorch", 3])
def test_a_workload_that_is_no_mapping_is_refused(strange: Any) -> None:
    with pytest.raises(
        InputError, match=r"workload_specs: .* given, must be a mapping of num_models, monthly_requests"
    ):
        analyze_framework_costs(strange, frameworks)


@pytest.mark.parametrize("strange", [None, 3, [1], [None], ["jax", b"pytorch"]])
def test_frameworks_that_are_no_names_are_refused(strange: Any) -> None:
    with pytest.raises(InputError, match=r"frameworks: .* given, must be a list of names, such as \['pytorch'\]"):
        analyze_framework_costs(workload_specs, strange)


@pytest.mark.parametrize("strange", [{}, [], {"developer_usd": 90}, 3])
def test_assumptions_and_a_platform_of_another_kind_are_refused_not_left_out(strange: Any) -> None:
    nothing: Any = None
    with pytest.raises(InputError) as refused:
        analyze_framework_costs(nothing, nothing, strange, strange)
    told = [line.split(":")[0] for line in str(refused.value).splitlines()]
    assert told == ["workload_specs", "frameworks", "assumptions", "platform"]
    assert "must be FrameworkAssumptions" in str(refused.value)


def test_the_bill_of_a_platform_is_the_base_without_what_trains_and_serves() -> None:
    bill = estimate(stack_plan("production"))
    costs = analyze_framework_costs(workload_specs, ["pytorch"], platform=bill)["pytorch"]
    apart = bill.by_purpose()["training"].expected + bill.by_purpose()["serving"].expected
    assert costs["base_infrastructure"] == pytest.approx(bill.monthly.expected - apart)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"num_models": -1}, "num_models: -1 given, must be at least 0"),
        ({"monthly_requests": "$5"}, "monthly_requests: '$5' given, must be a whole number"),
        ({"team_size": 0}, "team_size: 0 given, must be at least 1"),
        ({"models": 3}, "models: unknown key, did you mean 'num_models'?"),
    ],
)
def test_a_workload_that_cannot_be_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError) as refused:
        analyze_framework_costs({**workload_specs, **change}, frameworks)
    assert str(refused.value).startswith(problem)


def test_what_is_missing_is_told_and_not_taken_for_nothing() -> None:
    with pytest.raises(SpecError, match="team_size: missing"):
        analyze_framework_costs({key: workload_specs[key] for key in list(workload_specs)[:2]}, frameworks)


def test_a_region_or_an_instance_without_a_price_is_told() -> None:
    with pytest.raises(InputError, match=r"no price of g6\.xlarge in eu-west-1"):
        analyze_framework_costs(
            workload_specs,
            ["jax"],
            FrameworkAssumptions(region="eu-west-1", training_instance="g5.xlarge", system_instance="m7i.large"),
            platform=estimate(stack_plan("startup")),
        )
    with pytest.raises(InputError, match="region: sa-east-1 has no prices in the catalog, ap-northeast-1"):
        analyze_framework_costs(workload_specs, ["jax"], FrameworkAssumptions(region="sa-east-1"))


def test_an_instance_type_that_is_not_known_is_told_by_the_assumption_that_names_it() -> None:
    with pytest.raises(SpecError, match=r"trainingInstance: 'g6\.12xlarg' given, .* did you mean 'g6\.12xlarge'"):
        FrameworkAssumptions(training_instance="g6.12xlarg")
