"""The script for torchrun on plain Kubernetes trains, also when nodes come and go."""

import signal
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from workloads.data import mnist
from workloads.scripts import (
    Ended,
    Script,
    check_evaluates,
    check_goes_on_after_a_kill,
    check_learns,
    check_reads,
    check_saves_when_interrupted,
    check_tells_of_its_model,
    check_torchscript,
    exported,
    free_port,
    lose,
    lose_what_it_runs,
    module,
    script,
    torchscript,
)

pytestmark = pytest.mark.workload(module="torch", group="workload-pytorch")

STEPS = 200
SETTINGS = f"--steps {STEPS} --batch-size 32 --report-every 1 --checkpoint-every 20".split()
LAUNCHER = [sys.executable, "-m", "torch.distributed.run"]
TORCHRUN = [*LAUNCHER, "--standalone", "--nproc-per-node", "2"]
# As the component sets it. PyTorch 2.14 keeps the address of the first meeting otherwise, and a node that joins later
# waits for it in vain.
ELASTIC = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Script:
    folder = tmp_path_factory.mktemp("run")
    return script("native-pytorch", folder, *SETTINGS, launch=TORCHRUN)


@pytest.fixture(scope="module")
def whole(training: Script) -> Ended:
    return training.run()


def test_the_loss_falls(whole: Ended) -> None:
    check_learns(whole, STEPS)


def test_what_is_held_out_is_evaluated(whole: Ended) -> None:
    check_evaluates(whole)


def test_two_processes_find_what_one_would(training: Script, whole: Ended) -> None:
    torch = import_module("torch")

    torch.manual_seed(0)
    _, held_out = module("native-pytorch").make_data(None)
    images, labels = held_out
    with torch.inference_mode():
        logits = torchscript(exported(training, whole, STEPS))(images)
    check_tells_of_its_model(whole, logits, labels)


def test_it_ends_with_a_model_that_is_served(training: Script, whole: Ended) -> None:
    check_torchscript(exported(training, whole, STEPS), 1, 28, 28)


def test_a_killed_run_goes_on_at_its_newest_checkpoint(training: Script, whole: Ended) -> None:
    check_goes_on_after_a_kill(training, whole, STEPS)


def test_an_interrupted_run_writes_a_checkpoint(training: Script) -> None:
    check_saves_when_interrupted(training)


def test_it_reads_mnist(tmp_path: Path) -> None:
    check_reads(script("native-pytorch", tmp_path, "--batch-size", "4", launch=TORCHRUN), mnist(tmp_path))


def test_it_goes_on_with_the_nodes_that_are_left(tmp_path: Path) -> None:
    """Each of two launchers stands for a node; the second one is lost, with its process, after a checkpoint."""
    elastic = "--nnodes 1:2 --nproc-per-node 1 --max-restarts 3 --rdzv-backend c10d --local-addr 127.0.0.1"
    meeting = ["--rdzv-endpoint", f"127.0.0.1:{free_port()}", "--rdzv-conf"]
    nodes = [
        ([*LAUNCHER, *elastic.split(), *meeting, f"last_call_timeout=15,is_host={is_host}"], ELASTIC)
        for is_host in ("true", "false")
    ]
    two = replace(script("native-pytorch", tmp_path, *SETTINGS), launch=lambda: nodes)
    run = two.run(until=lambda line: "checkpoint" in line, then=lambda nodes: lose(nodes[1:]))
    assert run.codes == [0, -signal.SIGKILL], run.errors[-5000:]
    assert run.values("resumedFrom")[0] in run.values("checkpoint")
    assert run.values("finished") == [STEPS]


def test_a_node_takes_the_place_of_one_that_is_lost(tmp_path: Path) -> None:
    """As in the component's Job: both nodes are needed, and the second one is started again."""
    options = "--nnodes 2 --nproc-per-node 1 --max-restarts 3 --rdzv-backend c10d --local-addr 127.0.0.1"
    command = [*LAUNCHER, *options.split(), "--rdzv-endpoint", f"127.0.0.1:{free_port()}", "--rdzv-conf"]
    again = ["sh", "-c", 'until "$@"; do :; done', "sh"]
    nodes = [([*command, "is_host=true"], ELASTIC), ([*again, *command, "is_host=false"], ELASTIC)]
    two = replace(script("native-pytorch", tmp_path, *SETTINGS), launch=lambda: nodes)
    run = two.run(until=lambda line: "checkpoint" in line, then=lambda nodes: lose_what_it_runs(nodes[1]))
    assert run.codes == [0, 0], run.errors[-5000:]
    assert run.values("resumedFrom")[0] in run.values("checkpoint")
    assert run.values("finished") == [STEPS]
