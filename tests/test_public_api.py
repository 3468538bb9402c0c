"""What `import eksml` offers, and what it costs."""

import ast
import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import eksml
from eksml import catalog, checks, costs

PACKAGE = Path(eksml.__file__).parent


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_importing_the_package_loads_no_sdk_and_next_to_nothing_else() -> None:
    loaded = run("import sys; before = set(sys.modules); import eksml; print(*sorted(set(sys.modules) - before))")
    packages = {name.partition(".")[0] for name in loaded.split()}
    assert packages - {"eksml"} <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("arguments", [["--help"], ["preview", "--help"], ["--version"]])
def test_help_loads_no_sdk(arguments: list[str]) -> None:
    code = f"""
import sys
from eksml.cli import main
sys.argv = ['eksml', *{arguments}]
try:
    main()
finally:
    print('LOADED', *[name for name in sys.modules if name.startswith('pulumi')])
"""
    assert run(code).strip().endswith("LOADED")


def test_reading_the_catalog_loads_no_sdk() -> None:
    loaded = run(
        "import sys; from eksml.catalog import *; print(*[name for name in sys.modules if name.startswith('pulumi')])"
    )
    assert loaded.strip() == ""


def test_the_catalog_loads_only_what_is_asked_for() -> None:
    loaded = run(
        "import sys; from eksml.catalog import gpus; print(*[name for name in sys.modules if 'catalog' in name])"
    )
    assert loaded.split() == ["eksml.catalog", "eksml.catalog._facts", "eksml.catalog._gpus"]


@pytest.mark.parametrize("package", [eksml, catalog, checks, costs])
def test_every_public_name_can_be_had_from_the_package(package: Any) -> None:
    for module, names in package._PUBLIC.items():
        for name in names:
            # The day is a fixed one in tests.
            assert name == "today" or getattr(package, name) is getattr(import_module(module), name)
            assert name in dir(package)


@pytest.mark.parametrize("package", [eksml, catalog, checks, costs])
def test_editors_see_the_same_names_as_python(package: Any) -> None:
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    seen: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("eksml."):
            seen.setdefault(str(node.module), set()).update(alias.name for alias in node.names)
    assert seen == {module: set(names) for module, names in package._PUBLIC.items()}


def test_every_component_and_every_spec_is_public() -> None:
    from eksml.component import Component
    from eksml.spec import Spec

    def below(base: type) -> set[str]:
        found = {kind for kind in base.__subclasses__() if kind.__module__.startswith("eksml.")}
        return {kind.__name__ for kind in found}.union(*(below(kind) for kind in found))

    bases = {
        "AnyFrameworkSpec",
        "Assumed",
        "AutoscalingSpec",
        "BoundedAutoscalingSpec",
        "Entry",
        "LoadBalancerSpec",
        "PoolSpec",
        "ProviderAuthentication",
        "Requirements",
    }
    assert (below(Component) | below(Spec)) - bases <= {name for names in eksml._PUBLIC.values() for name in names}


def test_what_the_documents_call_is_public_and_so_are_the_packages_that_the_docstring_names() -> None:
    called = {
        "analyze_framework_costs",
        "create_migration_deployment",
        "recommend_inference_tool",
        "select_mlops_stack",
    }
    assert called <= set(eksml.__all__)
    named = set(re.findall(r"`(eksml\.\w+)`", str(eksml.__doc__)))
    having = {
        f"eksml.{folder.parent.name}" for folder in PACKAGE.glob("*/__init__.py") if "__all__" in folder.read_text()
    }
    assert named == having - {"eksml.cli"}
    for name in named:
        module = import_module(name)
        assert [each for each in module.__all__ if not hasattr(module, each)] == []


def test_an_unknown_name_is_an_ordinary_error() -> None:
    with pytest.raises(AttributeError, match="module 'eksml' has no attribute 'Plattform'"):
        _ = eksml.Plattform


def test_the_package_is_not_taken_for_a_provider_plugin() -> None:
    assert (PACKAGE / "pulumi-plugin.json").read_text(encoding="utf-8").strip() == '{"resource": false}'


def test_the_command_is_installed() -> None:
    (script,) = [entry for entry in entry_points(group="console_scripts") if entry.name == "eksml"]
    assert script.value == "eksml.cli:main"


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_public_things_are_documented(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    documented = (ast.ClassDef, ast.FunctionDef)
    bare = [
        node.name
        for node in tree.body
        if isinstance(node, documented) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert bare == []
