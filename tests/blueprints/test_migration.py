"""The migration blueprints: Jobs that preview on every profile, with the arguments that their scripts have."""

import re
from pathlib import Path

import pytest

from eksml.checks import run_checks
from eksml.names import JOB_LABEL
from eksml.plan.project import find_stack, stacks_of
from eksml.profiles import PROFILES
from programs import blueprint_plan

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "blueprints" / "migration"
GUIDE = ROOT / "docs" / "guides" / "migration.md"
BLUEPRINTS = sorted(file.parent.name for file in FOLDER.glob("*/migrate.py"))
EVERY_BLUEPRINT = pytest.mark.parametrize("blueprint", BLUEPRINTS)
EVERY_STACK = pytest.mark.parametrize(
    ("blueprint", "profile"), [(blueprint, profile) for blueprint in BLUEPRINTS for profile in PROFILES]
)


def readme(blueprint: str) -> str:
    return (FOLDER / blueprint / "README.md").read_text(encoding="utf-8")


def scripts(blueprint: str) -> dict[str, str]:
    files = (FOLDER / "migration_run.py", FOLDER / blueprint / "migrate.py")
    return {file.name: file.read_text(encoding="utf-8") for file in files}


def arguments(source: str) -> set[str]:
    return set(re.findall(r"add(?:_argument)?\(\"(--[a-z-]+)\"", source))


def test_the_documents_two_migrations_are_there() -> None:
    assert BLUEPRINTS == ["pytorch-to-tensorflow", "tensorflow-to-onnx"]


@EVERY_BLUEPRINT
def test_it_supports_every_profile(blueprint: str) -> None:
    assert set(stacks_of(FOLDER / blueprint)) == set(PROFILES)


@EVERY_STACK
def test_it_passes_the_checks_together_with_a_platform_of_its_profile(blueprint: str, profile: str) -> None:
    assert run_checks(blueprint_plan(blueprint, profile, room="migration")).findings == ()


@EVERY_STACK
def test_the_job_writes_where_the_teams_models_are(blueprint: str, profile: str) -> None:
    plan = blueprint_plan(blueprint, profile, room="migration")
    (volume,) = [
        each.inputs["spec"] for each in plan.of_type("kubernetes:core/v1:PersistentVolume") if blueprint in each.name
    ]
    (job,) = [each.inputs for each in plan.of_type("kubernetes:batch/v1:Job") if each.name == blueprint]
    assert f"prefix teams/{job['metadata']['namespace']}/models/" in volume["mountOptions"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["python", "migrate.py"]
    assert {"name": "CHECKPOINT_DIR", "value": "/checkpoints"} in container["env"]
    # A network that does not agree once never does.
    assert job["spec"]["backoffLimit"] == 0


@EVERY_BLUEPRINT
def test_both_scripts_are_with_the_job(blueprint: str) -> None:
    found = [
        each.inputs["data"]
        for each in blueprint_plan(blueprint, room="migration").resources
        if "migrate.py" in each.inputs.get("data", {})
    ]
    assert found == [scripts(blueprint)]


@EVERY_BLUEPRINT
def test_the_readme_names_what_is_there(blueprint: str) -> None:
    stack = find_stack(str(FOLDER / blueprint)).name
    assert f"pulumi stack init {stack}\n" in readme(blueprint)
    assert f"kubectl -n serving get job {blueprint}\n" in readme(blueprint)
    assert f"kubectl -n serving logs -f -l {JOB_LABEL}={blueprint} --prefix\n" in readme(blueprint)
    given = set(re.findall(r"--  (--[a-z-]+)", readme(blueprint)))
    assert given
    assert given <= arguments("".join(scripts(blueprint).values()))


def test_the_guide_has_every_setting() -> None:
    known = set().union(*(arguments("".join(scripts(blueprint).values())) for blueprint in BLUEPRINTS))
    rows = re.findall(r"^\| (`--[^|]+) \|[^|]+\|[^|]+\|$", GUIDE.read_text().partition("## From TorchServe")[0], re.M)
    assert {name for row in rows for name in re.findall(r"--[a-z-]+", row)} == known - {"--seed"}
