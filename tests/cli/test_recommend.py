"""`eksml recommend`."""

import json
import os
import pty
import re
import select
import signal
import sys
import time
from pathlib import Path

import pytest

from command import EKSML, check_refused, eksml
from eksml.cli.recommend import Question

pytestmark = pytest.mark.slow

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
    assert "- With budget=medium or high: production, kubeflow instead.\n" in done.stderr
    preview = eksml("preview", "lab", cwd=tmp_path)
    assert preview.returncode == 0, preview.stdout + preview.stderr
    assert "language-model" in preview.stdout
    cost = eksml("cost", "lab", cwd=tmp_path)
    assert cost.returncode == 0, cost.stderr


def test_what_it_costs_is_said_with_the_reasons_as_eksml_cost_says_it(tmp_path: Path) -> None:
    done = eksml("recommend", "--answer", "goal=research", "--answer", "team=startup", "--stack", "lab", cwd=tmp_path)
    expected = json.loads(eksml("cost", "lab", "--json", cwd=tmp_path).stdout)["monthly"]
    costs = f"It costs about ${expected['expected']:,.0f} a month, at least ${expected['atLeast']:,.0f}."
    assert costs in done.stderr
    assert costs in (tmp_path / "Pulumi.lab.yaml").read_text()
    content = json.loads(eksml("recommend", "--answer", "goal=research", "--answer", "team=startup", "--json").stdout)
    assert content["reasons"][-1] == costs


@pytest.mark.parametrize(
    ("answers", "least", "ways_out"),
    [
        (("goal=production", "monthly_usd=1000"), "production", ("team=startup", "training_gpus=0")),
        (("goal=research", "monthly_usd=100"), "research", ("team=startup", "notebooks=false")),
        (("goal=production", "budget=minimal", "monthly_usd=200"), "startup", ()),
    ],
)
def test_what_costs_more_than_may_be_spent_is_not_written(
    tmp_path: Path, answers: tuple[str, ...], least: str, ways_out: tuple[str, ...]
) -> None:
    words = [word for answer in answers for word in ("--answer", answer)]
    done = eksml("recommend", *words, "--stack", "lab", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert list(tmp_path.iterdir()) == []
    first, *others = done.stderr.splitlines()
    assert re.match(rf"eksml: monthly_usd: \d+ given, must be at least \d+: {least} costs about \$", first)
    beginnings = [f"eksml: with {way}: about $" for way in ways_out] or ["eksml: no other answer makes it"]
    assert [line.startswith(begun) for line, begun in zip(others, beginnings, strict=True)] == [True] * len(beginnings)


def test_what_may_cost_more_than_may_be_spent_is_written_with_a_warning() -> None:
    answers = ("goal=production", "budget=minimal", "monthly_usd=400")
    done = eksml("recommend", *(word for answer in answers for word in ("--answer", answer)))
    assert done.returncode == 0
    assert ": more than monthly_usd, unless" in done.stdout.replace("\n#   ", " ")


def test_what_costs_more_than_the_budget_of_the_profile_is_said_to() -> None:
    answers = ("goal=learning", "budget=minimal", "team_size=120", "notebooks=true")
    done = eksml("recommend", *(word for answer in answers for word in ("--answer", answer)), "--json")
    assert json.loads(done.stdout)["reasons"][-1].endswith(": more than the profile's budget of $1,000.")


def test_what_is_paid_for_each_person_elsewhere_is_said_not_to_be_in_the_costs() -> None:
    hosted = json.loads(eksml("recommend", "--answer", "goal=research", "--json").stdout)
    own = json.loads(
        eksml("recommend", "--answer", "goal=research", "--answer", "data_must_stay=true", "--json").stdout
    )
    without = ", without what Weights & Biases asks for each person."
    assert hosted["reasons"][-1].endswith(without)
    assert not own["reasons"][-1].endswith(without)


def test_a_region_without_prices_is_said_to_have_none() -> None:
    done = eksml("recommend", "--answer", "goal=research", "--answer", "region=ap-southeast-2")
    assert done.returncode == 0
    assert "What it costs is not known" in done.stdout


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


def test_what_has_no_effect_on_a_list_of_questions_is_refused() -> None:
    done = eksml("recommend", "mlops", "--questions", "--json", "--answer", "budget=high")
    check_refused(done, "--answer: has no effect with --questions", "--json: has no effect with --questions")


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
    answers = ("framework=tensorflow", "model_type=llm", "hardware=cpu", "min_performance=excellent")
    done = eksml("recommend", "inference", *(word for answer in answers for word in ("--answer", answer)))
    assert done.returncode == 1
    assert done.stderr == "eksml: nothing meets all requirements\n"
    assert "What would change it" in done.stdout


def test_values_that_change_the_answer_in_the_same_way_stand_together() -> None:
    done = eksml("recommend", "inference", "--answer", "framework=pytorch", "--answer", "model_type=llm")
    assert "  framework=jax or keras: triton\n" in done.stdout
    assert "  framework=scikit-learn or xgboost: nothing would do\n" in done.stdout
    mlops = ("budget=medium", "team_size=25", "compliance=high")
    done = eksml("recommend", "mlops", *(word for answer in mlops for word in ("--answer", answer)))
    assert "  team_size=20: tracking mlflow, registry mlflow\n" in done.stdout


def test_who_is_not_judged_is_not_out_of_the_question() -> None:
    done = eksml("recommend", "framework", "--answer", "goal=research")
    assert "\nNot judged\n  Hugging Face Transformers\n  Keras\n" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (
            ("framework", "--answer", "goal=prod", "--answer", "rows=-4", "--answer", "team_knows=torch"),
            (
                "goal: 'prod' given, must be production, research, performance or learning",
                "rows: -4 given, must be at least 0",
                "team_knows: 'torch' given, must be pytorch, tensorflow, jax, keras, scikit-learn or xgboost, did you",
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
        (("--stack", "lab", "--json", "--answer", "goal=research"), ("--json: --stack lab writes a file",)),
        (
            ("--answer", "goal=research", "--answer", "model=Qwen/Qwen3-8B", "--answer", "revision=main"),
            ("revision: 'main' given, must be the whole hash of a commit: 40 hexadecimal digits",),
        ),
        ((), ("goal: missing (What the platform is for most of all): production, research, performance or learning",)),
        (("framework",), ("goal: missing (production, research, performance or learning)",)),
        (("framwork",), ("framwork: no question, must be profile, framework, inference, training or mlops, did you",)),
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
    else:
        # It waits for a key for ever.
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), shown.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
def test_on_a_terminal_it_asks_and_asks_again(tmp_path: Path) -> None:
    keys = [b"prod\n", b"production\n", b"\n", b"mobile\n", *[b"\n"] * 7]
    code, shown = on_a_terminal(tmp_path, keys, "framework")
    assert code == 0, shown
    assert "'prod' given, must be production, research, performance or learning" in shown
    assert "eksml recommend framework --answer goal=production --answer target=mobile\r\n" in shown
    assert re.search(r"tensorflow +TensorFlow +9", shown)


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
@pytest.mark.parametrize(("keys", "expected"), [([b"research\n", b"\x03"], 130), ([b"research\n", b"\x04"], 2)])
def test_who_stops_at_a_question_has_written_nothing(tmp_path: Path, keys: list[bytes], expected: int) -> None:
    code, shown = on_a_terminal(tmp_path, keys, "--stack", "lab")
    assert code == expected, shown
    assert "Traceback" not in shown
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
def test_what_would_have_no_effect_is_not_asked_and_what_a_model_needs_is(tmp_path: Path) -> None:
    # Goal, six with a default, region; a model whose commit the catalog does not have.
    keys = [b"research\n", *[b"\n"] * 8, b"CohereLabs/c4ai-command-r7b-12-2024\n", b"\n", b"\x03"]
    code, shown = on_a_terminal(tmp_path, keys)
    assert code == 130, shown
    assert shown.count("revision [none]\r\n> ") == 2
    # In lines of 80 columns.
    assert "revision: missing: the catalog has no commit of" in shown
    # A model whose commit it has.
    known = on_a_terminal(tmp_path, [b"research\n", *[b"\n"] * 8, b"Qwen/Qwen3-8B\n", b"\n", b"\x03"])[1]
    assert "revision" not in known
    assert "context_length [8192]" in known
    without = on_a_terminal(tmp_path, [b"research\n", *[b"\n"] * 11, b"\x03"])[1]
    assert "revision" not in without
    assert "context_length" not in without
    assert "monthly_usd [none]" in without
    assert "email" not in without
    # GPUs, where tables are trained on CPUs.
    of_tables = on_a_terminal(tmp_path, [b"research\n", b"\n", b"tabular\n", *[b"\n"] * 8, b"\x03"])[1]
    assert "training_gpus" in without
    assert "notebooks (true, false)" in of_tables
    assert "training_gpus" not in of_tables


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
def test_a_stack_that_exists_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.lab.yaml").write_text("config: {}\n")
    code, shown = on_a_terminal(tmp_path, [], "--stack", "lab")
    assert code == 2
    assert "Pulumi.lab.yaml exists, and nothing is overwritten" in shown
    assert "goal" not in shown
