"""What `import eksml` offers, and what it costs."""

import ast
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import eksml

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
    loaded = run("import sys, eksml.catalog; print(*[name for name in sys.modules if name.startswith('pulumi')])")
    assert loaded.strip() == ""


def test_every_public_name_can_be_had_from_the_package() -> None:
    for module, names in eksml._PUBLIC.items():
        for name in names:
            assert getattr(eksml, name) is getattr(import_module(module), name)
            assert name in dir(eksml)


def test_editors_see_the_same_names_as_python() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    seen: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("eksml."):
            seen.setdefault(str(node.module), set()).update(alias.name for alias in node.names)
    assert seen == {module: set(names) for module, names in eksml._PUBLIC.items()}


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
