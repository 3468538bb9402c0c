"""The inference benchmark: a Job on CPUs and one on a GPU, wherever there are both."""

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from eksml.checks import run_checks
from eksml.config_keys import KUBECONFIG
from eksml.costs import run_cost
from eksml.names import GPU_RESOURCE, JOB_LABEL, POOL_LABEL
from eksml.plan.project import find_stack, stacks_of
from eksml.plan.recorder import record
from eksml.profiles import PROFILES
from programs import blueprint_plan, one

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / "blueprints" / "inference" / "inference-benchmark"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
SCRIPT = FOLDER / "benchmark.py"
EVERY_PROFILE = pytest.mark.parametrize("profile", PROFILES)


def settings_of(stack: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / f"Pulumi.{stack}.yaml").read_text())["config"]["eksml:workload"]


@EVERY_PROFILE
def test_it_passes_the_checks_together_with_a_platform_of_its_profile(profile: str) -> None:
    assert run_checks(blueprint_plan(FOLDER.name, profile, room="inference")).findings == ()


@EVERY_PROFILE
def test_one_job_goes_to_cpus_and_one_to_a_gpu(profile: str) -> None:
    plan = blueprint_plan(FOLDER.name, profile, room="inference")
    pods = {
        name: one(plan, "kubernetes:batch/v1:Job", f"benchmark-{name}").inputs["spec"]["template"]["spec"]
        for name in ("cpu", "gpu")
    }
    limits = {name: pod["containers"][0]["resources"]["limits"] for name, pod in pods.items()}
    assert pods["cpu"]["nodeSelector"][POOL_LABEL] == "system"
    assert GPU_RESOURCE not in limits["cpu"]
    assert pods["gpu"]["nodeSelector"][POOL_LABEL] != "system"
    assert limits["gpu"][GPU_RESOURCE] == "1"


@EVERY_PROFILE
def test_both_run_the_script_that_they_bring(profile: str) -> None:
    plan = blueprint_plan(FOLDER.name, profile, room="inference")
    for resource in plan.of_type("kubernetes:core/v1:ConfigMap"):
        assert set(resource.inputs["data"]) == {SCRIPT.name}
    for resource in plan.of_type("kubernetes:batch/v1:Job"):
        command = resource.inputs["spec"]["template"]["spec"]["containers"][0]["command"]
        assert command == ["python", SCRIPT.name]


def test_it_runs_on_any_cluster_by_its_kubeconfig() -> None:
    stack = find_stack(str(FOLDER))
    settings = settings_of(stack.name)
    stack = stack.with_settings({part: {**settings[part], "checkpoints": {"kind": "efs"}} for part in settings})
    stack = replace(stack, config={**stack.config, KUBECONFIG: "{}"}, secret_keys=(KUBECONFIG,)).on_platform()
    found = record(stack)
    assert found.platform is None
    assert run_checks(found).errors == ()


def test_it_is_for_all_profiles() -> None:
    assert set(stacks_of(FOLDER)) == set(PROFILES)


def test_its_program_is_short() -> None:
    assert len([line for line in (FOLDER / "__main__.py").read_text(encoding="utf-8").splitlines() if line]) <= 12


def test_the_readme_names_what_is_there_to_watch() -> None:
    plan = blueprint_plan(FOLDER.name, room="inference")
    jobs = sorted(each.name for each in plan.of_type("kubernetes:batch/v1:Job"))
    (namespace,) = {each.inputs["metadata"]["namespace"] for each in plan.of_type("kubernetes:batch/v1:Job")}
    assert f"kubectl -n {namespace} get job {' '.join(jobs)}\n" in README
    assert f"kubectl -n {namespace} logs -f -l {JOB_LABEL}={jobs[1]} --prefix\n" in README
    assert f"pulumi stack init {plan.stack}\n" in README


def test_the_readme_says_what_the_default_run_costs() -> None:
    settings = settings_of(find_stack(str(FOLDER)).name)["gpu"]
    said = re.search(r"is (\d+) × (\S+) for about ([\d.]+) h, \$([\d.]+) on demand in (\S+);", README)
    assert said
    nodes, instance_type, hours, cost, region = said.groups()
    assert (int(nodes), instance_type) == (settings.get("nodes", 1), settings["instanceType"])
    assert f"{run_cost(instance_type, int(nodes), float(hours), region):.2f}" == cost


def test_the_readme_explains_every_column_of_the_table() -> None:
    (columns,) = [
        node.value
        for node in ast.walk(ast.parse(SCRIPT.read_text(encoding="utf-8")))
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "columns"
    ]
    assert isinstance(columns, ast.List)
    titles = {ast.literal_eval(each)[0].partition(",")[0] for each in columns.elts}
    explained = {word for row in re.findall(r"^\| ([^|]+) \| ", README, re.MULTILINE) for word in row.split(", ")}
    assert titles - {"model", "variant", "batch", "note", "images/s"} <= explained
