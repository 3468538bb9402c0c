"""The inference blueprints: small programs with one server, that preview where they are supported."""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from eksml.catalog import instance_types
from eksml.checks import run_checks
from eksml.checks.workloads import workloads_of
from eksml.config_keys import KUBECONFIG
from eksml.costs import run_cost
from eksml.names import GPU_RESOURCE, SERVER_LABEL
from eksml.plan import Plan
from eksml.plan.project import find_stack, stacks_of
from eksml.plan.recorder import record
from eksml.profiles import PROFILES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "blueprints" / "inference"
# The benchmark runs Jobs, and has tests of its own.
BLUEPRINTS = sorted(
    folder.name
    for folder in FOLDER.iterdir()
    if (folder / "Pulumi.yaml").is_file() and folder.name != "inference-benchmark"
)
SUPPORTED = [(blueprint, profile) for blueprint in BLUEPRINTS for profile in stacks_of(FOLDER / blueprint)]
OTHERS = [(name, profile) for name in BLUEPRINTS for profile in PROFILES if (name, profile) not in SUPPORTED]
# What no profile has is a setting away: servers are measured by Prometheus, and KServe is an option.
SETTINGS = {"observability": {"prometheus": {}}, "serving": {"kserve": {}}}


@cache
def platform(profile: str) -> Plan:
    return record(find_stack(str(ROOT), profile).with_settings(SETTINGS))


@cache
def plan(blueprint: str, profile: str | None = None, on: str | None = None) -> Plan:
    stack = find_stack(str(FOLDER / blueprint), profile).on_platform(on)
    assert stack.platform
    return record(stack, platform(stack.platform.name))


def readme(blueprint: str) -> str:
    return (FOLDER / blueprint / "README.md").read_text(encoding="utf-8")


def service(found: Plan) -> Mapping[str, Any]:
    """The server's Service, by which it is asked, with its namespace."""
    for ray in found.of_type("kubernetes:ray.io/v1:RayService"):
        # KubeRay makes it.
        made = ray.inputs["spec"]["serveService"]
        ports = [{**port, "name": "http"} for port in made["spec"]["ports"]]
        metadata = {**made["metadata"], "namespace": ray.inputs["metadata"]["namespace"]}
        return {"metadata": metadata, "spec": {"ports": ports}}
    (each,) = found.of_type("kubernetes:core/v1:Service")
    return each.inputs


def engine(found: Plan) -> str:
    """The name of the engine's container."""
    return next(
        each.containers[0]["name"]
        for each in workloads_of(found)
        if any(container["name"] == "warm-up" for container in each.containers)
    )


@pytest.mark.parametrize("blueprint", BLUEPRINTS)
def test_its_program_is_a_dozen_lines(blueprint: str) -> None:
    lines = (FOLDER / blueprint / "__main__.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line]) <= 12


@pytest.mark.parametrize(("blueprint", "profile"), SUPPORTED)
def test_it_passes_the_checks_together_with_a_platform_of_its_profile(blueprint: str, profile: str) -> None:
    # A secret is for people to make: no program may hold it.
    found = run_checks(plan(blueprint, profile)).findings
    assert [finding for finding in found if finding.check != "secret-exists"] == []


@pytest.mark.parametrize(("blueprint", "profile"), OTHERS)
def test_on_another_profile_it_says_why_not(blueprint: str, profile: str) -> None:
    assert run_checks(plan(blueprint, on=profile)).errors


@pytest.mark.parametrize("blueprint", BLUEPRINTS)
def test_it_runs_on_any_cluster_by_its_kubeconfig(blueprint: str) -> None:
    stack = find_stack(str(FOLDER / blueprint)).with_settings({"source": {"kind": "claim", "claim": "models"}})
    stack = replace(stack, config={**stack.config, KUBECONFIG: "{}"}, secret_keys=(KUBECONFIG,)).on_platform()
    found = record(stack)
    assert found.platform is None
    assert run_checks(found).errors == ()


@pytest.mark.parametrize("blueprint", BLUEPRINTS)
def test_the_readme_names_what_is_there_to_watch_and_to_ask(blueprint: str) -> None:
    found, text = plan(blueprint), readme(blueprint)
    metadata = service(found)["metadata"]
    name, namespace = metadata["name"], metadata["namespace"]
    ports = {port["name"]: port["port"] for port in service(found)["spec"]["ports"]}
    assert f"pulumi stack init {found.stack}\n" in text
    assert f"kubectl -n {namespace} logs -f -l {SERVER_LABEL}={name} -c {engine(found)} --prefix\n" in text
    assert f"kubectl -n {namespace} port-forward service/{name} 8000:{ports['http']}\n" in text
    assert "pulumi destroy\n" in text


@pytest.mark.parametrize("blueprint", BLUEPRINTS)
def test_the_readme_says_what_it_costs(blueprint: str) -> None:
    stack = find_stack(str(FOLDER / blueprint)).name
    settings = yaml.safe_load((FOLDER / blueprint / f"Pulumi.{stack}.yaml").read_text())["config"]["eksml:workload"]
    if "instanceType" not in settings:
        assert "nothing of its own" in readme(blueprint)
        return
    said = re.search(r"is (\d+) × (\S+), \$([\d.]+) an hour on demand in (\S+);", readme(blueprint))
    assert said
    nodes, instance_type, cost, region = said.groups()
    assert (int(nodes), instance_type) == (settings.get("replicas", 1), settings["instanceType"])
    assert f"{run_cost(instance_type, int(nodes), 1, region):.2f}" == cost


@pytest.mark.parametrize("blueprint", BLUEPRINTS)
def test_what_the_readme_tells_to_run_is_there(blueprint: str) -> None:
    scripts = re.findall(r"uv run --group \S+ (blueprints/\S+\.py)", readme(blueprint))
    assert [script for script in scripts if not (ROOT / script).is_file()] == []


@pytest.mark.parametrize(("blueprint", "profile"), SUPPORTED)
def test_a_server_of_one_gpu_takes_no_node_with_more(blueprint: str, profile: str) -> None:
    found = plan(blueprint, profile)
    for workload in workloads_of(found):
        if asked := workload.requests.get(GPU_RESOURCE, 0):
            gpu = instance_types()[workload.pod["nodeSelector"]["node.kubernetes.io/instance-type"]].gpu
            assert gpu
            assert gpu.count == asked
