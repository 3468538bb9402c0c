"""`eksml diff`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from command import ROOT, check_refused, eksml, eksml_process
from eksml.cli.main import app

GOLDEN = ROOT / "tests" / "golden"


def test_settings_show_what_they_change() -> None:
    done = eksml("diff", "research", "--set", "pools.train.expireAfterHours=48")
    assert done.returncode == 0
    assert done.stderr == ""
    cost, *lines = done.stdout.splitlines()
    assert cost.startswith("Cost: the same, about $")
    assert lines == [
        "",
        "Changed",
        "  ~ eksml-research-train  karpenter.sh/v1 NodePool",
        "      spec.template.spec.expireAfter: 720h → 48h",
        "1 changed, 158 the same",
    ]


def test_a_plan_of_before_is_compared_with_the_stack_of_now_and_replacements_come_first() -> None:
    done = eksml(
        "diff", str(GOLDEN / "startup" / "plan.json"), "startup", "--set", "network.cidr=10.9.0.0/16", "--json"
    )
    content = json.loads(done.stdout)
    assert (done.returncode, list(content)) == (0, ["before", "after", "counts", "changes", "notes", "cost"])
    kinds = [(change["kind"], change["stateful"]) for change in content["changes"]]
    assert kinds[0] == ("replaced", True)
    assert kinds == sorted(
        kinds, key=lambda each: (["replaced", "removed", "changed", "added"].index(each[0]), not each[1])
    )
    assert "eks:index:Cluster" in {change["type"] for change in content["changes"] if change["kind"] == "replaced"}


def test_two_files_are_compared_without_the_sdks_of_providers(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pulumi'] = None\n")
    files = [str(GOLDEN / stack / "plan.json") for stack in ("research", "production")]
    done = eksml_process("diff", *files, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("From research to production: ")


def test_equal_plans_do_not_differ() -> None:
    file = str(GOLDEN / "research" / "plan.json")
    done = CliRunner().invoke(app, ["diff", file, file])
    assert done.exit_code == 0
    assert done.output.startswith("No difference: ")


def test_a_second_side_is_needed_and_a_file_takes_no_settings() -> None:
    check_refused(eksml("diff", "research"), "diff research: name a second stack, folder or file")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["research", "FILE", "--set", "name=x"], "is a file, which cannot be run with other settings"),
        (["FILE", "--set", "name=x"], "is a file, which cannot be run with other settings"),
        (["FILE", "nothing-like-it"], "there is no stack 'nothing-like-it'"),
        (["FILE", "pyproject.toml"], "pyproject.toml: not JSON"),
    ],
)
def test_what_cannot_be_compared_is_told(arguments: list[str], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    file = str(GOLDEN / "research" / "plan.json")
    done = CliRunner().invoke(app, ["diff", *(file if word == "FILE" else word for word in arguments)])
    assert told in str(done.exception)
