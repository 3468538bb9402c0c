"""The command as a whole."""

import json
from importlib.metadata import version

import pytest

from command import ROOT, check_refused, eksml, eksml_process

SUBCOMMANDS = ["preview", "manifests", "diff", "timeline", "init", "schema"]


def test_help_lists_every_subcommand_and_the_exit_codes() -> None:
    done = eksml("--help")
    assert done.returncode == 0
    assert all(subcommand in done.stdout for subcommand in SUBCOMMANDS)
    assert "Exit codes" in done.stdout


@pytest.mark.parametrize("subcommand", SUBCOMMANDS)
def test_every_subcommand_has_examples_in_its_help(subcommand: str) -> None:
    done = eksml(subcommand, "--help")
    assert done.returncode == 0
    assert f"eksml {subcommand}" in done.stdout.partition("Example")[2]


def test_it_tells_its_version() -> None:
    assert eksml("--version").stdout == version("eksml") + "\n"


def test_the_schema_is_the_one_beside_the_stacks() -> None:
    done = eksml("schema")
    assert json.loads(done.stdout)
    assert done.stdout == (ROOT / "stacks" / "stack.schema.json").read_text(encoding="utf-8")


def test_an_unknown_subcommand_is_told() -> None:
    done = eksml("preveiw")
    assert done.returncode == 2
    assert "preview" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mistake_of_ours_is_no_traceback_either(tmp_path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import eksml.plan.project as project\n\n"
        "def broken(*_):\n    raise ZeroDivisionError('boom')\n\n"
        "project.find_stack = broken\n"
    )
    done = eksml_process("preview", "research", PYTHONPATH=str(tmp_path))
    assert done.returncode == 70
    assert done.stderr == "eksml: a mistake of ours: ZeroDivisionError: boom (EKSML_DEBUG=1 shows where)\n"
    assert "Traceback" in eksml_process("preview", "research", PYTHONPATH=str(tmp_path), EKSML_DEBUG="1").stderr


def test_bad_input_goes_to_standard_error_only() -> None:
    check_refused(eksml("preview", "nothing-like-it"), "there is no stack 'nothing-like-it'")
