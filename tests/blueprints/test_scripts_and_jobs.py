"""What a blueprint's job sets is what its script reads: variables, arguments, files and the launcher."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from eksml.plan.project import stacks_of
from programs import blueprint_plan
from training.jobs import templates

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "blueprints" / "training"
SHARED = FOLDER / "training_run.py"
GUIDE = ROOT / "docs" / "guides" / "training-scripts.md"
JOBS = [
    (folder.parent.name, profile)
    for folder in sorted(FOLDER.glob("*/train.py"))
    for profile in stacks_of(folder.parent)
]
EVERY_JOB = pytest.mark.parametrize(("blueprint", "profile"), JOBS)

# What a program of ours, of Kubernetes or of an operator tells each process, by the first word of what starts it.
OF_LAUNCHERS = {
    "torchrun": {"LOCAL_RANK"},
    "accelerate": {"LOCAL_RANK"},
    "deepspeed": {"LOCAL_RANK"},
    "mpirun": set(),
    "python": set(),
}
# https://github.com/kubeflow/training-operator pkg/controller.v1/jax/envvar.go;
# https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
OF_KINDS = {
    "JAXJob": {"COORDINATOR_ADDRESS", "COORDINATOR_PORT", "NUM_PROCESSES", "PROCESS_ID"},
    "Job": {"JOB_COMPLETION_INDEX"},
}


def job(blueprint: str, profile: str) -> Mapping[str, Any]:
    """The inputs of the one object that has pods."""
    (found,) = [
        each.inputs for each in blueprint_plan(blueprint, profile).resources if templates(each.inputs.get("spec"))
    ]
    return found


def containers(blueprint: str, profile: str) -> list[dict[str, Any]]:
    return [template["spec"]["containers"][0] for template in templates(job(blueprint, profile)["spec"])]


def words(blueprint: str, profile: str) -> list[str]:
    """The command that starts the script, from its launcher on."""
    inputs = job(blueprint, profile)
    if entrypoint := inputs["spec"].get("entrypoint"):
        return entrypoint.split()
    commands = (each["command"] for each in containers(blueprint, profile))
    command = next(command for command in commands if "train.py" in command)
    return command[command.index("mpirun") :] if "mpirun" in command else command


def launcher(blueprint: str, profile: str) -> str:
    command = words(blueprint, profile)
    return "deepspeed" if "deepspeed.launcher.launch" in command else command[0]


def variables(source: str) -> Iterator[tuple[str, bool]]:
    """Every environment variable that a script reads, and whether it ends without it."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Subscript(value=ast.Attribute(attr="environ"), slice=ast.Constant(value=str(name))):
                yield name, True
            case ast.Call(
                func=ast.Attribute(attr="get" | "setdefault", value=read), args=[ast.Constant(value=str(name)), *_]
            ):
                if ast.unparse(read) in ("os.environ", "environment"):
                    yield name, False
            case ast.Call(func=ast.Name(id="_folder"), args=[ast.Constant(value=str(name)), *_]):
                yield name, False


def read_by(blueprint: str) -> dict[str, bool]:
    return dict(sorted(variables(SHARED.read_text() + (FOLDER / blueprint / "train.py").read_text())))


def told(blueprint: str, profile: str) -> set[str]:
    """Every variable that a process has on the cluster."""
    own = {variable["name"] for container in containers(blueprint, profile) for variable in container["env"]}
    return own | OF_LAUNCHERS[launcher(blueprint, profile)] | OF_KINDS.get(job(blueprint, profile)["kind"], set())


def options() -> set[str]:
    """The variables that the guide tells people of."""
    rows = re.findall(r"^\| (`[A-Z_`, or]+) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"[A-Z_]{2,}", row)}


def arguments_of(blueprint: str) -> set[str]:
    sources = SHARED.read_text() + (FOLDER / blueprint / "train.py").read_text()
    return set(re.findall(r"add(?:_argument)?\(\s*\"(--[a-z_-]+)\"", sources))


def test_what_a_script_reads_is_found() -> None:
    assert read_by("jax")["PROCESS_ID"] is True
    assert read_by("optuna")["STUDY_NAME"] is False
    assert {"CHECKPOINT_DIR", "DATA_DIR", "LOG_DIR", "RUN_NAME", "MLFLOW_TRACKING_URI"} <= set(read_by("mpi"))


@EVERY_JOB
def test_every_variable_that_a_script_reads_is_set_or_is_an_option_in_the_guide(blueprint: str, profile: str) -> None:
    assert set(read_by(blueprint)) - told(blueprint, profile) <= options()


@EVERY_JOB
def test_what_a_script_cannot_do_without_is_set(blueprint: str, profile: str) -> None:
    assert {name for name, needed in read_by(blueprint).items() if needed} <= told(blueprint, profile)


@EVERY_JOB
def test_what_a_job_says_to_its_script_is_read(blueprint: str, profile: str) -> None:
    """Other variables are those of frameworks and libraries, which the catalog gives with a source."""
    ours = {"RUN_NAME", "CHECKPOINT_DIR", "LOG_DIR", "DATA_DIR", "STUDY_URL", "STUDY_NAME"}
    ours |= {"MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "WANDB_API_KEY"}
    assert told(blueprint, profile) & ours <= set(read_by(blueprint))


@EVERY_JOB
def test_the_arguments_of_a_job_are_those_of_its_script(blueprint: str, profile: str) -> None:
    command = words(blueprint, profile)
    (place,) = [number for number, word in enumerate(command) if word.endswith("train.py")]
    given = {word.partition("=")[0] for word in command[place + 1 :] if word.startswith("--")}
    assert given <= arguments_of(blueprint)


@EVERY_JOB
def test_the_folders_of_a_script_can_be_written_where_it_runs(blueprint: str, profile: str) -> None:
    for container in containers(blueprint, profile):
        writable = [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
        told_folders = [each["value"] for each in container["env"] if each["name"] in ("CHECKPOINT_DIR", "LOG_DIR")]
        assert len(told_folders) == 2
        assert all(any(f"{folder}/".startswith(f"{path}/") for path in writable) for folder in told_folders)


@EVERY_JOB
def test_every_script_of_a_blueprint_is_with_the_job(blueprint: str, profile: str) -> None:
    """But for the export, which runs after the job, where somebody wants the model served."""
    (code,) = [
        each.inputs["data"]
        for each in blueprint_plan(blueprint, profile).resources
        if "train.py" in each.inputs.get("data", {})
    ]
    scripts = {file.name for file in (FOLDER / blueprint).glob("*.py")} - {"__main__.py", "export.py"}
    assert set(code) == scripts | {SHARED.name}


@EVERY_JOB
def test_the_launcher_is_the_one_that_the_script_names(blueprint: str, profile: str) -> None:
    docstring = ast.get_docstring(ast.parse((FOLDER / blueprint / "train.py").read_text()))
    assert docstring
    named = re.search(r"^ {4}(?:[A-Z_]+=\w+ )*(\w+) ", docstring, re.MULTILINE)
    assert named
    assert launcher(blueprint, profile) == named[1]


@EVERY_JOB
def test_keras_uses_the_framework_that_its_image_has(blueprint: str, profile: str) -> None:
    for container in containers(blueprint, profile):
        backends = [each["value"] for each in container["env"] if each["name"] == "KERAS_BACKEND"]
        expected = yaml.safe_load((FOLDER / blueprint / f"Pulumi.{profile}.yaml").read_text())["config"][
            "eksml:workload"
        ]
        assert backends == ([expected["framework"]] if blueprint == "keras" else [])
