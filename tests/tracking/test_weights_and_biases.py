"""The key of Weights & Biases is in the namespaces that asked for it, and nowhere else."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from eksml.plan import Plan
from eksml.spec import parse
from eksml.tracking.weights_and_biases import WeightsAndBiases, WeightsAndBiasesSpec, weights_and_biases_problems
from programs import recorded
from refusals import check_problems, problems

SECRET, CONFIG_MAP = "kubernetes:core/v1:Secret", "kubernetes:core/v1:ConfigMap"


def tracked(**settings: Any) -> Plan:
    spec = parse(WeightsAndBiasesSpec, {"teams": ["vision", "speech"], **settings})

    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        opts = pulumi.ResourceOptions(providers=[provider])
        WeightsAndBiases("lab-wandb", spec, api_key="not-for-eyes", opts=opts)

    return recorded(program)


def places(plan: Plan, kind: str) -> list[tuple[str, str]]:
    return [(each.inputs["metadata"]["namespace"], each.inputs["metadata"]["name"]) for each in plan.of_type(kind)]


def test_the_key_is_where_it_was_asked_for_and_nowhere_else() -> None:
    plan = tracked()
    assert sorted(places(plan, SECRET)) == [("speech", "wandb"), ("vision", "wandb")]
    assert sorted(places(plan, CONFIG_MAP)) == [("speech", "wandb"), ("vision", "wandb")]


def test_the_key_is_in_no_plan() -> None:
    plan = tracked()
    assert [each.inputs["data"] for each in plan.of_type(SECRET)] == ["[secret]"] * 2
    assert not [each for each in plan.resources if "not-for-eyes" in str(each.inputs)]


def test_settings_are_no_secret_and_only_those_that_are_given() -> None:
    plan = tracked(entity="lab", baseUrl="https://lab.wandb.io")
    expected = {"WANDB_ENTITY": "lab", "WANDB_BASE_URL": "https://lab.wandb.io"}
    assert [each.inputs["data"] for each in plan.of_type(CONFIG_MAP)] == [expected] * 2
    assert [each.inputs.get("data") or {} for each in tracked().of_type(CONFIG_MAP)] == [{}] * 2


def test_it_says_which_secret_it_needs() -> None:
    assert list(WeightsAndBiasesSpec(teams=("vision",)).secrets_needed) == ["wandbApiKey"]


@pytest.mark.parametrize(
    ("settings", "beginnings"),
    [
        ({}, ["teams: missing"]),
        ({"teams": []}, ["teams: "]),
        ({"teams": ["vision", "vision"]}, ["teams[1]: 'vision' is listed twice"]),
        ({"teams": ["vision"], "entity": "my lab"}, ["entity: "]),
        ({"teams": ["vision"], "project": "a/b"}, ["project: "]),
        ({"teams": ["vision"], "baseUrl": "http://wandb.local"}, ["baseUrl: "]),
        ({"teams": ["vision"], "apiKey": "0123"}, ["apiKey: unknown key"]),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], beginnings: list[str]) -> None:
    check_problems(problems(WeightsAndBiasesSpec, settings), beginnings)


def test_a_team_that_there_is_not_gets_no_key() -> None:
    spec = WeightsAndBiasesSpec(teams=("vision", "speach"))
    found = [str(each) for each in weights_and_biases_problems(spec, ["vision", "speech"])]
    assert found == ["teams[1]: 'speach' is no team, did you mean 'speech'?"]
