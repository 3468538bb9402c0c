"""`eksml cost-job`: what the nodes of a job cost for some hours."""

import json
from pathlib import Path

import pytest

from command import check_refused, eksml, eksml_process

ON_DEMAND = 4.6016


def cells(line: str) -> list[float]:
    """The three amounts at the end of a line."""
    return [float(cell.strip("~").replace(",", "")) for cell in line.split()[-3:]]


def test_nodes_of_a_type_cost_nodes_times_hours_on_demand_and_less_on_spot() -> None:
    done = eksml("cost-job", "--instance", "g6.12xlarge", "--nodes", "2", "--hours", "2.5")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "2 × g6.12xlarge for 2.5 hours in us-west-2, US dollars"
    (on_demand,) = (line for line in lines if line.startswith("on demand "))
    (spot,) = (line for line in lines if line.startswith("spot "))
    assert cells(on_demand) == [pytest.approx(2 * 2.5 * ON_DEMAND, abs=0.005)] * 3
    assert cells(spot)[0] < cells(spot)[1] < cells(on_demand)[0] == cells(spot)[2]
    assert [line for line in lines if len(line) > 80] == []


def test_json_has_the_same() -> None:
    content = json.loads(
        eksml("cost-job", "--instance", "g6.12xlarge", "--hours", "3", "--region", "us-east-1", "--json").stdout
    )
    assert list(content) == ["instance", "nodes", "hours", "region", "onDemand", "spot"]
    assert (content["instance"], content["nodes"], content["hours"]) == ("g6.12xlarge", 1, 3)
    assert content["onDemand"]["expected"] == pytest.approx(3 * ON_DEMAND)
    assert content["spot"]["most"] == content["onDemand"]["expected"]


def test_no_sdk_of_a_provider_is_loaded_for_a_type(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pulumi'] = None\n")
    done = eksml_process("cost-job", "--instance", "g6.xlarge", "--hours", "1", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr


def test_a_price_that_is_not_known_is_said_to_be_so() -> None:
    arguments = ("cost-job", "--instance", "p5e.48xlarge", "--hours", "1")
    assert "Not priced: the catalog has no price of p5e.48xlarge in us-west-2" in eksml(*arguments).stdout
    content = json.loads(eksml(*arguments, "--json").stdout)
    assert (content["onDemand"], content["spot"]) == (None, None)


def test_prices_of_today_count(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    price = {"usd": 5, "date": "2026-11-22", "sku": "X"}
    file.write_text(json.dumps({"prices": {}, "instanceTypes": {"g6.12xlarge": {"us-west-2": price}}}))
    done = eksml("cost-job", "--instance", "g6.12xlarge", "--hours", "2", "--prices", str(file), "--json")
    assert json.loads(done.stdout)["onDemand"]["expected"] == 10


def test_the_job_of_a_blueprint_is_priced_by_the_nodes_that_it_takes() -> None:
    blueprint = ("cost-job", "blueprints/training/pytorch", "--hours", "2")
    content = json.loads(eksml(*blueprint, "--json").stdout)
    assert list(content) == ["jobs", "region", "hours", "usd", "nodes"]
    (nodes,) = content["nodes"]
    assert (nodes["pool"], nodes["instance"], nodes["nodes"]) == ("train", "g6.12xlarge", 2)
    assert (nodes["capacity"], nodes["isElastic"]) == ("on demand", False)
    assert content["usd"]["expected"] == pytest.approx(2 * 2 * ON_DEMAND)
    lines = eksml(*blueprint).stdout.splitlines()
    assert lines[0] == "Job resnet for 2 hours in us-west-2, US dollars"
    (row,) = (line for line in lines if line.startswith("2 × g6.12xlarge, managed pool train, on"))
    assert cells(row)[1] == pytest.approx(2 * 2 * ON_DEMAND, abs=0.005)
    assert any("billed with or without the job" in line for line in lines)
    assert [line for line in lines if len(line) > 80] == []


def test_nodes_that_come_for_the_job_are_on_spot_where_their_pool_is() -> None:
    done = eksml("cost-job", "blueprints/training/native-pytorch", "--platform", "research", "--hours", "1", "--json")
    nodes = json.loads(done.stdout)["nodes"]
    assert [(each["instance"], each["nodes"], each["capacity"], each["isElastic"]) for each in nodes] == [
        ("g6.12xlarge", 2, "spot", True)
    ]
    assert nodes[0]["usd"]["atLeast"] < nodes[0]["usd"]["expected"] < nodes[0]["usd"]["most"]
    assert nodes[0]["usd"]["most"] == pytest.approx(2 * ON_DEMAND)


def test_settings_of_the_job_count() -> None:
    usual, twice = (
        json.loads(eksml("cost-job", "blueprints/training/native-pytorch", "--hours", "1", "--json", *more).stdout)
        for more in ((), ("--set", "nodes=2"))
    )
    assert [usual["nodes"][0]["nodes"], twice["nodes"][0]["nodes"]] == [1, 2]
    assert twice["usd"]["expected"] == pytest.approx(2 * usual["usd"]["expected"])


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--instance", "g6.12xlarg", "--hours", "1"), "instance_type: g6.12xlarg is not in the catalog of"),
        (("--instance", "g6.12xlarge", "--hours", "-1"), "hours: -1.0 given, must be at least 0"),
        (("--instance", "g6.12xlarge", "--hours", "$5"), "hours: '$5' given, must be a number"),
        (("--instance", "g6.12xlarge", "--hours", "1", "--nodes", "0"), "nodes: 0 given, must be at least 1"),
        (
            ("--instance", "g6.12xlarge", "--hours", "1", "--region", "mars"),
            "region: mars has no prices in the catalog, ap-",
        ),
        (("startup", "--instance", "g6.12xlarge", "--hours", "1"), "cost-job: name either a folder"),
        (("blueprints/training/pytorch", "--nodes", "2", "--hours", "1"), "--nodes: has no effect with blueprints/tr"),
        (("blueprints/training/pytorch", "--region", "x", "--hours", "1"), "--region: has no effect with blueprints"),
        (("--instance", "g6.xlarge", "--set", "nodes=2", "--hours", "1"), "--set: has no effect with --instance"),
        (("blueprints/inference/vllm", "--hours", "1"), "research of vllm: no job in it; `eksml cost` prices "),
    ],
)
def test_bad_input_is_told(arguments: tuple[str, ...], problem: str) -> None:
    check_refused(eksml("cost-job", *arguments), problem)


def test_a_job_that_no_node_takes_has_no_price() -> None:
    done = eksml("cost-job", "blueprints/training/native-pytorch", "--set", "pool=system", "--hours", "1")
    check_refused(done, "no pool has a node for ")
