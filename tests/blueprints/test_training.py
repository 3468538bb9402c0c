"""The training blueprints: small programs that preview where they are supported, and say why not elsewhere."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from eksml.checks import Report, run_checks
from eksml.config_keys import KUBECONFIG, WORKLOAD
from eksml.costs import run_cost
from eksml.names import JOB_LABEL
from eksml.plan import Plan
from eksml.plan.project import find_stack, stacks_of
from eksml.plan.recorder import RecordingError, record
from eksml.profiles import PROFILES
from programs import blueprint_plan

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "blueprints" / "training"
INFERENCE = ROOT / "blueprints" / "inference"
BLUEPRINTS = sorted(folder.name for folder in FOLDER.iterdir() if (folder / "Pulumi.yaml").is_file())
SUPPORTED = [(blueprint, profile) for blueprint in BLUEPRINTS for profile in stacks_of(FOLDER / blueprint)]
# Those whose README gives the settings of a server as they are.
SERVED = ("huggingface-accelerate", "keras", "native-pytorch", "pytorch", "ray-train-gpu", "tensorflow")
OTHERS = [(name, profile) for name in BLUEPRINTS for profile in PROFILES if (name, profile) not in SUPPORTED]


def report(found: Plan) -> Report:
    return run_checks(found)


def readme(blueprint: str) -> str:
    return (FOLDER / blueprint / "README.md").read_text(encoding="utf-8")


def test_every_way_that_the_documents_name_has_one() -> None:
    assert set(BLUEPRINTS) == {
        *("pytorch", "pytorch-fsdp", "pytorch-deepspeed", "huggingface-accelerate", "tensorflow", "keras", "jax"),
        *("scikit-learn", "mpi", "ray-train-gpu", "ray-tune", "optuna", "native-pytorch"),
    }


@pytest.mark.parametrize("blueprint", BLUEPRINTS)
def test_its_program_is_a_dozen_lines(blueprint: str) -> None:
    lines = (FOLDER / blueprint / "__main__.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line]) <= 12


@pytest.mark.parametrize(("blueprint", "profile"), SUPPORTED)
def test_it_passes_the_checks_together_with_a_platform_of_its_profile(blueprint: str, profile: str) -> None:
    # A secret is for people to make: no program may hold it.
    assert [
        finding for finding in report(blueprint_plan(blueprint, profile)).findings if finding.check != "secret-exists"
    ] == []


@pytest.mark.parametrize(("blueprint", "profile"), OTHERS)
def test_on_another_profile_it_says_why_not(blueprint: str, profile: str) -> None:
    try:
        errors = report(blueprint_plan(blueprint, on=profile)).errors
    except RecordingError as error:
        errors = (error,)
    assert errors


@pytest.mark.parametrize("blueprint", BLUEPRINTS)
def test_it_runs_on_any_cluster_by_its_kubeconfig(blueprint: str) -> None:
    stack = find_stack(str(FOLDER / blueprint)).with_settings({"checkpoints": {"kind": "efs"}})
    stack = replace(stack, config={**stack.config, KUBECONFIG: "{}"}, secret_keys=(KUBECONFIG,)).on_platform()
    found = record(stack)
    assert found.platform is None
    assert report(found).errors == ()


@pytest.mark.parametrize("blueprint", BLUEPRINTS)
def test_the_readme_names_what_is_there_to_watch(blueprint: str) -> None:
    found = blueprint_plan(blueprint)
    ((kind, job, namespace),) = {
        (resource.inputs["kind"], resource.inputs["metadata"]["name"], resource.inputs["metadata"]["namespace"])
        for resource in found.resources
        if resource.package == "kubernetes"
        and resource.inputs["metadata"].get("annotations")
        and resource.inputs["kind"].endswith("ob")
    }
    assert f"kubectl -n {namespace} get {kind.lower()} {job}\n" in readme(blueprint)
    assert f"kubectl -n {namespace} logs -f -l {JOB_LABEL}={job} --prefix\n" in readme(blueprint)
    assert f"pulumi stack init {found.stack}\n" in readme(blueprint)


@pytest.mark.parametrize("blueprint", BLUEPRINTS)
def test_the_readme_says_what_the_default_run_costs(blueprint: str) -> None:
    stack = find_stack(str(FOLDER / blueprint)).name
    settings = yaml.safe_load((FOLDER / blueprint / f"Pulumi.{stack}.yaml").read_text())["config"]["eksml:workload"]
    if "instanceType" not in settings:
        assert "nothing of its own" in readme(blueprint)
        return
    said = re.search(r"is (\d+) × (\S+) for about ([\d.]+) h, \$([\d.]+) on demand in (\S+);", readme(blueprint))
    assert said
    nodes, instance_type, hours, cost, region = said.groups()
    assert (int(nodes), instance_type) == (settings.get("nodes", 1), settings["instanceType"])
    assert f"{run_cost(instance_type, int(nodes), float(hours), region):.2f}" == cost


def serve_it(blueprint: str) -> str:
    """The section of the README on serving what was trained."""
    _, _, section = readme(blueprint).partition("## Serve it\n")
    return section.partition("\n## ")[0]


def settings_shown(blueprint: str) -> dict[str, Any]:
    """The settings of a server that the section shows."""
    (block,) = re.findall(r"^ {4}source: .*\n(?: {4}.*\n)*", serve_it(blueprint), re.MULTILINE)
    return yaml.safe_load(block)


def server(blueprint: str, settings: dict[str, Any]) -> Plan:
    """The blueprint that the section names, with settings instead of its own, on the platform of the training."""
    (name,) = re.findall(r"\]\(\.\./\.\./inference/([\w-]+)/README\.md\)", serve_it(blueprint))
    stack = find_stack(str(INFERENCE / name), blueprint_plan(blueprint).stack)
    config = {**stack.config, WORKLOAD: {**stack.config[WORKLOAD], **settings}}
    stack = replace(stack, config=config).on_platform()
    assert stack.platform
    # Servers are measured by Prometheus, which is an option of some profiles.
    more = {"observability": {"prometheus": {}}}
    return record(stack, record(find_stack(str(ROOT), stack.platform.name).with_settings(more)))


def checkpoints_prefix(blueprint: str) -> str:
    """Where in the bucket a job has its checkpoints."""
    (volume,) = blueprint_plan(blueprint).of_type("kubernetes:core/v1:PersistentVolume")
    options = volume.inputs["spec"]["mountOptions"]
    (prefix,) = [each.removeprefix("prefix ") for each in options if each.startswith("prefix ")]
    return prefix


@pytest.mark.parametrize("blueprint", SERVED)
def test_what_was_trained_is_served_with_the_settings_that_the_readme_shows(blueprint: str) -> None:
    settings = settings_shown(blueprint)
    assert report(server(blueprint, settings)).findings == ()
    (steps,) = re.findall(r"steps=(\d+)", (FOLDER / blueprint / "train.py").read_text(encoding="utf-8"))
    # Where servers have several models, the folder that holds them; else that of the version.
    below = "" if "models" in settings else f"model/{steps}/"
    assert settings["source"]["prefix"] == checkpoints_prefix(blueprint) + below
    assert settings.get("models", {"model": {}}).keys() == {"model"}
    assert f"`model/{steps}/" in serve_it(blueprint)


@pytest.mark.parametrize("blueprint", ["pytorch-fsdp", "pytorch-deepspeed"])
def test_what_is_exported_of_a_checkpoint_in_parts_is_served_with_the_settings_that_the_readme_shows(
    blueprint: str,
) -> None:
    settings = settings_shown(blueprint)
    assert report(server(blueprint, settings)).findings == ()
    prefix = checkpoints_prefix(blueprint)
    assert settings["source"]["prefix"] == prefix
    assert f"aws s3 sync s3://BUCKET/{prefix.rstrip('/')} checkpoints\n" in serve_it(blueprint)
    assert f"aws s3 sync checkpoints/model s3://BUCKET/{prefix}model\n" in serve_it(blueprint)
    assert f"blueprints/training/{blueprint}/export.py checkpoints\n" in serve_it(blueprint)


def test_what_was_registered_is_served_from_the_registry() -> None:
    settings = settings_shown("huggingface-accelerate")
    (source,) = re.findall(r"`source: ({.*})`", serve_it("huggingface-accelerate"))
    found = server("huggingface-accelerate", {**settings, "source": yaml.safe_load(source)})
    assert report(found).findings == ()


@pytest.mark.parametrize("blueprint", [*SERVED, "jax"])
def test_a_script_exports_what_its_readme_tells_to_serve(blueprint: str) -> None:
    (mark,) = re.findall(r'run\.steps\(.*mark="(.*)"\)', (FOLDER / blueprint / "train.py").read_text(encoding="utf-8"))
    kinds = {"model.pt": "TorchScript", "saved_model.pb": "a SavedModel", "config.json": "`save_pretrained`"}
    assert kinds.get(mark, mark) in serve_it(blueprint)
