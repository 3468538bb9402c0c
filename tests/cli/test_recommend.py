"""`eksml recommend`."""

import json
import os
import pty
import re
import select
import sys
import time
from pathlib import Path

import pytest

from command import EKSML, check_refused, eksml
from eksml.cli.recommend import Question

ANSWERS = """
goal: production
model: Qwen/Qwen2.5-7B-Instruct
budget: minimal
monthly_usd: 2000
email: ada@example.com
"""


def test_answers_end_in_a_stack_file_that_previews(tmp_path: Path) -> None:
    (tmp_path / "answers.yaml").write_text(ANSWERS)
    done = eksml("recommend", "--answers", "answers.yaml", "--stack", "lab", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.splitlines()[0]).name == "Pulumi.lab.yaml"
    assert "- startup: the budget is minimal" in done.stderr
    preview = eksml("preview", "lab", cwd=tmp_path)
    assert preview.returncode == 0, preview.stdout + preview.stderr
    assert "language-model" in preview.stdout
    cost = eksml("cost", "lab", cwd=tmp_path)
    assert cost.returncode == 0, cost.stderr


def test_a_stack_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.lab.yaml").write_text("config: {}\n")
    done = eksml("recommend", "--answer", "goal=research", "--stack", "lab", cwd=tmp_path)
    assert done.returncode == 2
    assert "Pulumi.lab.yaml exists, and nothing is overwritten" in done.stderr
    assert (tmp_path / "Pulumi.lab.yaml").read_text() == "config: {}\n"


def test_without_a_name_the_stack_file_is_the_answer() -> None:
    done = eksml("recommend", "--answer", "goal=research")
    assert done.returncode == 0
    assert done.stdout.startswith("# yaml-language-server: ")
    assert "    profile: research\n" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("framework", "goal=production", "workload=tabular", "rows=2000000"),
        ("inference", "framework=pytorch", "model_type=llm", "min_performance=high"),
        ("training", "framework=tensorflow", "several_nodes=true"),
        ("mlops", "budget=high", "team_size=30", "compliance=high"),
        ("profile", "goal=research"),
    ],
)
def test_it_fits_80_columns_and_says_why(arguments: tuple[str, ...]) -> None:
    question, *answers = arguments
    done = eksml("recommend", question, *(word for answer in answers for word in ("--answer", answer)))
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    if question not in ("profile",):
        assert "What would change it" in done.stdout
        assert "Out of the question" in done.stdout


def test_a_tie_is_said_first() -> None:
    done = eksml("recommend", "framework", "--answer", "goal=production")
    assert done.stdout.startswith("A tie, there is nothing to choose between them: TensorFlow, PyTorch.\n")


@pytest.mark.parametrize("question", Question)
def test_every_question_lists_what_is_asked(question: Question) -> None:
    done = eksml("recommend", question.value, "--questions")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_for_machines_there_is_json() -> None:
    done = eksml("recommend", "inference", "--answer", "framework=pytorch", "--answer", "model_type=llm", "--json")
    content = json.loads(done.stdout)
    assert content["best"] == "vllm"
    assert content["excluded"]["tensorflow_serving"]
    profile = json.loads(eksml("recommend", "--answer", "goal=research", "--json").stdout)
    assert profile["settings"]["profile"] == "research"
    mlops = eksml(
        "recommend", "mlops", "--answer", "budget=high", "--answer", "team_size=3", "--answer", "compliance=low"
    )
    assert mlops.stdout.startswith("tracking:            mlflow\n")


def test_answers_of_the_command_line_go_before_those_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "answers.yaml").write_text("goal: research\nworkload: tabular\n")
    done = eksml("recommend", "framework", "--answers", "answers.yaml", "--answer", "workload=vision", cwd=tmp_path)
    assert done.stdout.splitlines()[1].startswith("pytorch")


def test_where_nothing_will_do_it_ends_with_1_and_says_what_would() -> None:
    done = eksml("recommend", "training", "--answer", "framework=scikit-learn", "--answer", "several_nodes=true")
    assert done.returncode == 1
    assert done.stderr == "eksml: nothing meets all requirements\n"
    assert "several_nodes=false: native_kubernetes" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (
            ("framework", "--answer", "goal=prod", "--answer", "rows=-4", "--answer", "team_knows=torch"),
            (
                "goal: 'prod' given, must be production, research, performance or learning",
                "rows: -4 given, must be at least 0",
                "team_knows: 'torch' given, must be pytorch, tensorflow, jax, keras or scikit-learn, did you mean",
            ),
        ),
        (
            ("--answer", "goal=research", "--answer", "monthly_usd=$300", "--answer", "region=mars"),
            (
                "monthly_usd: '$300' given, must be a whole number",
                "region: 'mars' given, must be an AWS region like us-west-2",
            ),
        ),
        (("framework", "--answer", "goal"), ("--answer goal: must be NAME=VALUE, such as goal=production",)),
        (("framework", "--answer", "goal=[x"), ("--answer goal, line 1",)),
        (("framework", "--answers", "README.md"), ("README.md",)),
        (("framework", "--answers", "stacks/__main__.py"), ("stacks/__main__.py, line 1",)),
        (("framework", "--answers", "missing.yaml"), ("missing.yaml: No such file",)),
        (("framework", "--answers", "stacks"), ("stacks: Is a directory",)),
        (("framework", "--stack", "lab", "--answer", "goal=research"), ("--stack lab: only a profile is a stack",)),
        (("framework",), ("goal: missing (production, research, performance or learning)",)),
        (("--stack", "Not A Name", "--answer", "goal=research"), ("name: ",)),
    ],
)
def test_bad_input_is_refused_all_at_once(arguments: tuple[str, ...], lines: tuple[str, ...]) -> None:
    check_refused(eksml("recommend", *arguments), *lines)


@pytest.mark.parametrize("text", ["", "- a\n", "null\n", "goal: {a: 1}\n", "1: 2\n", "\x00"])
def test_a_file_of_answers_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "answers.yaml").write_text(text)
    done = eksml("recommend", "framework", "--answers", "answers.yaml", cwd=tmp_path)
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    assert "a mistake of ours" not in done.stderr


def on_a_terminal(folder: Path, keys: list[bytes], *arguments: str) -> tuple[int, str]:
    """Runs the command on a terminal, types when it asks, and gives its exit code and all that it showed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execv(EKSML, [str(EKSML), "recommend", *arguments])  # noqa: S606
    shown, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if select.select([terminal], [], [], 0.1)[0]:
                shown += os.read(terminal, 65536)
            elif keys and shown.endswith(b"> "):
                os.write(terminal, keys.pop(0))
        except OSError:
            break
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), shown.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
def test_on_a_terminal_it_asks_and_asks_again(tmp_path: Path) -> None:
    keys = [b"prod\n", b"production\n", b"\n", b"mobile\n", *[b"\n"] * 7]
    code, shown = on_a_terminal(tmp_path, keys, "framework")
    assert code == 0, shown
    assert "'prod' given, must be production, research, performance or learning" in shown
    assert re.search(r"tensorflow +TensorFlow +9", shown)


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
@pytest.mark.parametrize(("keys", "expected"), [([b"research\n", b"\x03"], 130), ([b"research\n", b"\x04"], 2)])
def test_who_stops_at_a_question_has_written_nothing(tmp_path: Path, keys: list[bytes], expected: int) -> None:
    code, shown = on_a_terminal(tmp_path, keys, "--stack", "lab")
    assert code == expected, shown
    assert "Traceback" not in shown
    assert list(tmp_path.iterdir()) == []
