"""`eksml preview`."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest
import yaml

from command import EKSML, ROOT, check_refused, eksml

GOLDEN = ROOT / "tests" / "golden"
SETTINGS_OF_A_CLUSTER_BY_ITS_KUBECONFIG = [
    *("--set", "cluster={kind: kubeconfig, identifier: theirs}"),
    *("--set", "network=null", "--set", "pools=null"),
]


@cache
def research() -> subprocess.CompletedProcess[str]:
    return eksml("preview", "research")


def stacks(directory: Path, **files: str) -> Path:
    """A project with the program of the repository and stack files of one's own."""
    directory.mkdir(exist_ok=True)
    shutil.copy(ROOT / "stacks" / "__main__.py", directory)
    (directory / "Pulumi.yaml").write_text("name: lab\nruntime: python\n")
    for name, content in files.items():
        (directory / f"Pulumi.{name}.yaml").write_text(content, encoding="utf-8")
    return directory


def test_it_shows_the_platform_to_standard_output_and_nothing_else_to_a_pipe() -> None:
    assert research().returncode == 0
    assert research().stderr == ""
    assert "\x1b" not in research().stdout
    golden = (GOLDEN / "research" / "preview.txt").read_text(encoding="utf-8")
    assert research().stdout.splitlines() == golden.splitlines()


def test_it_says_from_where_up_must_be_run_and_which_setting_changes_that() -> None:
    (note,) = [line for line in research().stdout.splitlines() if line.startswith("Note: ")]
    assert "for the first `pulumi up`, let your own addresses in" in note
    assert "cluster.publicAccessCidrs" in note


def test_json_is_for_machines_and_settings_change_the_plan() -> None:
    done = eksml("preview", "startup", "--json", "--set", "pools.gpu.gpuLimit=2", "--set", "tags={team: vision}")
    content = json.loads(done.stdout)
    assert list(content) == ["stack", "resources", "exports", "coldStarts", "checks"]
    assert content["stack"] == "startup"
    (pool,) = [each for each in content["resources"] if each["type"] == "kubernetes:karpenter.sh/v1:NodePool"]
    assert pool["inputs"]["spec"]["limits"] == {"nvidia.com/gpu": 2}
    (vpc,) = [each for each in content["resources"] if each["type"] == "aws:ec2/vpc:Vpc"]
    assert vpc["inputs"]["tags"]["team"] == "vision"
    assert content["exports"]["kubeconfig"] == "[secret]"


def test_a_folder_is_previewed_and_its_forms_are_written_to_files(tmp_path: Path) -> None:
    content = "config: {aws:region: eu-central-1, eksml:platform: {profile: startup, name: größe}}".replace(
        "größe", "eu"
    )
    project = stacks(tmp_path / "mein Projekt", **{"eu.v2": content})
    out = tmp_path / "new" / "out"
    done = eksml("preview", str(project), "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert sorted(file.name for file in out.iterdir()) == ["manifests.yaml", "plan.json", "preview.txt"]
    assert (out / "preview.txt").read_text(encoding="utf-8").splitlines() == done.stdout.splitlines()
    assert json.loads((out / "plan.json").read_text(encoding="utf-8"))["exports"]["region"] == "eu-central-1"
    assert all(yaml.safe_load_all((out / "manifests.yaml").read_text(encoding="utf-8")))


def test_a_stack_whose_name_cannot_name_a_cluster_is_told_to_take_another(tmp_path: Path) -> None:
    project = stacks(tmp_path, **{"eu.v2": "config: {aws:region: eu-central-1, eksml:platform: {profile: startup}}"})
    check_refused(eksml("preview", str(project)), "name: 'lab-eu.v2' given, must be 2 to 32 lower-case letters")


def test_every_problem_of_a_stack_file_is_told_at_once_with_its_path(tmp_path: Path) -> None:
    content = """
config:
  aws:region: us-west-2
  eksml:platform:
    profile: research
    netwrok: {}
    network: {cidr: 10.0.0.0/28, zones: [usw2-az1, usw2-az1]}
    cluster: {kubernetesVersion: "1.31", publicAccessCidrs: [0.0.0.0/0], deletionProtection: "yes"}
    tags: {größe: "ok", "aws:x": nein}
    pools:
      Größe: {kind: managed, instanceTypes: [m7i.large], size: 1}
      train: {gpuLimit: 0, instanceTypes: [g6.12xlarg, m7i.large]}
      notebooks: {kind: elastic}
      system: {size: 1.5}
"""
    out = tmp_path / "out"
    done = eksml("preview", str(stacks(tmp_path / "p", dev=content)), "--out", str(out))
    check_refused(
        done,
        "cluster.deletionProtection: 'yes' given, must be true or false",
        "cluster.kubernetesVersion: '1.31' given: the catalog has the add-ons of",
        "cluster.publicAccessCidrs[0]: '0.0.0.0/0' opens the API server to the internet",
        "network.cidr: /28 given, too small, must be /21 or larger",
        "network.zones[1]: 'usw2-az1' is listed twice",
        "netwrok: unknown key, did you mean 'network'?",
        "pools.Größe: 'Größe' given, must be at most 20 lower-case letters",
        "pools.notebooks: kind 'elastic' does not exist, must be managed or karpenter",
        "pools.system.size: 1.5 given, must be a whole number",
        "pools.train.gpuLimit: 0 given, must be at least 1",
        "pools.train.instanceTypes[0]: 'g6.12xlarg' is not in the catalog, did you mean 'g6.12xlarge'?",
        "pools.train.instanceTypes[1]: m7i.large has no GPU",
        'tags["aws:x"]: AWS, EKS, Karpenter or this library set this tag',
    )
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "beginnings"),
    [
        (["reserch"], ["there is no stack 'reserch', did you mean 'research'?"]),
        ([], ["there are several stacks, name one: production, research, startup"]),
        (["docs"], ["docs: a folder, but without a Pulumi.yaml"]),
        (["research", "--set", "pools.train"], ["--set pools.train: must be PATH=VALUE"]),
        (["research", "--set", "pools.train.size=[1"], ["--set pools.train.size, line 1, column 3: expected"]),
        (["research", "--set", "pools.trian.gpuLimit=4"], ["pools.trian: missing its kind"]),
        (["research", "--set", "profile=null"], ["cluster: missing"]),
        (["research", "--set", "name=2024-01-01"], ["name: '2024-01-01' given, must be 2 to 32"]),
        (["research", "--set", "tags={a: &a [*a]}"], ["--set tags: not plain data: it holds itself"]),
        (
            ["research", "--set", "profile=reserch", "--set", "pools.train.gpuLimit=0"],
            ["pools.train.gpuLimit: 0 given", "profile: 'reserch' given"],
        ),
        (
            [
                "research",
                "--set",
                "cluster={kind: kubeconfig, identifier: x}",
                "--set",
                "network=null",
                "--set",
                "pools=null",
            ],
            [
                "accelerators.dcgmHostEngine: missing",
                "notebooks.pools[0]: 'notebooks' is no pool, and there are none",
                "notebooks.pools[1]: 'system' is no pool, and there are none",
                "queueing: given, but",
                "storage: given, but a cluster by its",
                "teams.research: neither quotas nor limits given",
            ],
        ),
    ],
)
def test_a_wrong_argument_is_told(arguments: list[str], beginnings: list[str]) -> None:
    check_refused(eksml("preview", *arguments), *beginnings)


def test_a_wrong_option_is_told_with_the_nearest_right_one() -> None:
    done = eksml("preview", "research", "--jsn")
    assert done.returncode == 2
    assert "--json" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_program_that_prints_does_not_spoil_the_answer(tmp_path: Path) -> None:
    project = stacks(tmp_path, dev="config: {aws:region: us-west-2, eksml:platform: {profile: startup}}")
    program = project / "__main__.py"
    program.write_text('print("hello")\n' + program.read_text())
    done = eksml("preview", str(project), "--json")
    assert json.loads(done.stdout)
    assert done.stderr == "hello\n"


def test_a_program_that_fails_is_told_with_its_line(tmp_path: Path) -> None:
    project = stacks(tmp_path, dev="config: {}")
    (project / "__main__.py").write_text("import pulumi\n\nraise KeyError('x')\n")
    check_refused(eksml("preview", str(project)), "the program failed (__main__.py, line 3): KeyError: 'x'")
    (project / "__main__.py").write_text("import pulumi\nif\n")
    check_refused(eksml("preview", str(project)), "the program failed")


def test_an_out_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    done = eksml("preview", "startup", "--out", str(tmp_path / "file"))
    check_refused(done, f"{tmp_path / 'file'}: ")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_reader_that_has_enough_ends_it_quietly(tmp_path: Path) -> None:
    project = stacks(tmp_path / "p", dev="config: {}")
    (project / "__main__.py").write_text("")
    running = subprocess.Popen(
        [str(EKSML), "preview", str(project)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout
    assert running.stderr
    running.stdout.close()
    assert running.stderr.read() == ""
    assert running.wait(timeout=60) == -signal.SIGPIPE
    running.stderr.close()


def test_outside_a_project_the_name_of_a_profile_is_a_stack(tmp_path: Path) -> None:
    done = eksml("preview", "research", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == eksml("preview", "research").stdout
    assert list(tmp_path.iterdir()) == []


def test_beside_stacks_of_other_names_the_name_of_a_profile_is_a_stack_too(tmp_path: Path) -> None:
    assert eksml("recommend", "--answer", "goal=research", "--stack", "lab", cwd=tmp_path).returncode == 0
    assert eksml("check", "startup", cwd=tmp_path).returncode == 0
    check_refused(eksml("preview", "startup", "--stack", "prod", cwd=tmp_path), "there is no stack 'startup'")


def test_a_name_that_is_no_stack_is_told_before_the_sdks_load(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom eksml.cli import main\nsys.argv = ['eksml', 'preview', 'reserch']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    print(end.code)\n"
        "print([name for name in ('pulumi', 'pulumi_aws') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "2\n[]\n"


def test_an_interrupt_ends_it_quietly_and_leaves_no_file_half_written(tmp_path: Path) -> None:
    project = stacks(tmp_path / "p", dev="config: {}")
    (project / "__main__.py").write_text("import sys, time\nprint('running', flush=True)\ntime.sleep(60)\n")
    out = tmp_path / "out"
    running = subprocess.Popen(
        [str(EKSML), "preview", str(project), "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert running.stderr is not None
    assert running.stderr.readline() == "running\n"
    started = time.monotonic()
    running.send_signal(signal.SIGINT)
    _, error = running.communicate(timeout=30)
    assert running.returncode == 130
    assert error == ""
    assert time.monotonic() - started < 10
    assert not out.exists()


def test_what_a_blueprint_has_to_have_of_its_platform_is_there_and_told() -> None:
    done = eksml("check", "blueprints/inference/kserve")
    assert done.returncode == 0, done.stdout
    assert done.stderr == "eksml: shown with serving.kserve, which the stack research has to have first\n"
    given = eksml("check", "blueprints/inference/kserve", "--set", "eksml:platform.serving.kserve={}")
    assert given.returncode == 0
