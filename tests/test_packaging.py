"""The distribution: what it pins, and that it works where nothing else is installed."""

import re
import subprocess
import tomllib
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONSTRAINTS = dict(line.split("==") for line in PROJECT["tool"]["uv"]["constraint-dependencies"])


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_installed_distribution_has_the_version_that_the_project_names() -> None:
    installed = {normal(each.metadata["Name"]): each.version for each in distributions()}
    # What makes environments and is not part of one.
    installed = {
        name: version for name, version in installed.items() if name not in ("eksml", "pip", "setuptools", "wheel")
    }
    assert {name: version for name, version in installed.items() if CONSTRAINTS.get(name) != version} == {}


def test_the_list_of_versions_is_what_uv_would_install() -> None:
    command = "uv export --all-groups --all-extras --no-hashes --no-emit-project --no-annotate --no-header --quiet"
    done = subprocess.run(command.split(), cwd=ROOT, capture_output=True, text=True, check=True)
    exported = {line.partition(" ;")[0].strip() for line in done.stdout.splitlines() if line.strip()}
    assert exported == set(PROJECT["tool"]["uv"]["constraint-dependencies"])


def test_no_framework_is_installed_unasked() -> None:
    groups = [name for name in PROJECT["dependency-groups"] if name.startswith("workload")]
    export = "uv export --no-hashes --no-emit-project --no-annotate --no-header --quiet"
    unasked = subprocess.run(export.split(), cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    frameworks = {line for group in groups for line in PROJECT["dependency-groups"][group] if isinstance(line, str)}
    names = {normal(re.split(r"[\[>]", line)[0]) for line in frameworks}
    assert {"jax", "tensorflow", "torch"} <= names
    assert names & {line.partition("==")[0] for line in unasked} == set()


def test_every_dependency_has_a_range_and_the_build_backend_too() -> None:
    declared = PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"]
    declared += [line for group in PROJECT["dependency-groups"].values() for line in group if isinstance(line, str)]
    assert [line for line in declared if ">=" not in line] == []
    assert [line for line in PROJECT["project"]["dependencies"] if "<" not in line] == []


def test_no_lock_file_is_committed() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {"uv.lock", "package-lock.json"} & set(tracked) == set()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(["uv", "build", "--quiet", "--wheel", "--out-dir", directory], cwd=ROOT, check=True)
    (built,) = directory.glob("*.whl")
    return built


@pytest.mark.package
def test_the_wheel_has_the_library_with_its_data_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {"eksml", f"eksml-{PROJECT['project']['version']}.dist-info"}
    wanted = (
        "eksml/py.typed",
        "eksml/pulumi-plugin.json",
        "eksml/advisor/weights.yaml",
        "eksml/catalog/instance_types.json",
        "eksml/profiles/research.yaml",
        "eksml/cli/templates/stack.yaml",
        "eksml/policies/PulumiPolicy.yaml",
        "eksml/serving/scripts/populate.py",
        "eksml/serving/scripts/warm_up.py",
        "eksml/policies/__main__.py",
    )
    assert set(wanted) <= set(names)


@pytest.mark.package
def test_the_wheel_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    subprocess.run(["uv", "venv", "--quiet", environment], check=True)
    python, eksml = environment / "bin" / "python", environment / "bin" / "eksml"
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in CONSTRAINTS.items()))
    install = ["uv", "pip", "install", "--quiet", "--python", python, "--constraints", constraints, wheel]
    subprocess.run(install, check=True)
    subprocess.run([python, "-c", "import eksml"], check=True, cwd=tmp_path)
    assert "preview" in subprocess.run([eksml, "--help"], check=True, capture_output=True, text=True).stdout
    project = tmp_path / "lab"
    project.mkdir()
    subprocess.run([eksml, "init", "dev", "--profile", "startup"], check=True, cwd=project, capture_output=True)
    done = subprocess.run([eksml, "preview", "dev"], check=True, cwd=project, capture_output=True, text=True)
    assert done.stdout.startswith("Stack dev\n")
