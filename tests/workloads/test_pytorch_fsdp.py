"""The FSDP script trains in two processes that torchrun starts."""

import json
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from workloads.data import tiny_shakespeare
from workloads.scripts import (
    Ended,
    Script,
    check_evaluates,
    check_goes_on_after_a_kill,
    check_learns,
    check_makes_up_enough,
    check_reads,
    check_saves_when_interrupted,
    export_newest,
    exported_newest,
    kept_and_gradients,
    module,
    script,
    torchscript,
)

pytestmark = pytest.mark.workload(module="torch", group="workload-pytorch")

STEPS = 40
SETTINGS = f"--steps {STEPS} --batch-size 4 --layers 2 --width 64 --report-every 1 --checkpoint-every 10".split()
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Script:
    folder = tmp_path_factory.mktemp("run")
    return script("pytorch-fsdp", folder, *SETTINGS, launch=TORCHRUN)


@pytest.fixture(scope="module")
def whole(training: Script) -> Ended:
    return training.run()


def test_the_loss_falls(whole: Ended) -> None:
    check_learns(whole, STEPS)


def test_what_is_held_out_is_evaluated(whole: Ended) -> None:
    check_evaluates(whole)


def test_its_newest_checkpoint_is_exported_to_one_model_for_texts_of_any_length(training: Script, whole: Ended) -> None:
    torch, train = import_module("torch"), module("pytorch-fsdp")

    model = torchscript(exported_newest(training, STEPS))
    _, held_out = train.make_data(None)
    excerpts = held_out.unfold(0, train.CONTEXT + 1, train.CONTEXT)
    excerpts = excerpts[: len(excerpts) // 2 * 2]
    with torch.inference_mode():
        said = model(excerpts[:, :-1])
        assert model(excerpts[:2, :50]).shape == (2, 50, train.CHARACTERS)
    loss = torch.nn.functional.cross_entropy(said.flatten(0, 1), excerpts[:, 1:].flatten()).item()
    assert whole.values("heldOutLoss")[-1] == pytest.approx(loss, rel=1e-3)
    assert " cpu" not in str(model.inlined_graph), "no place of a number is fixed: a GPU has them all"


def test_an_export_without_a_checkpoint_says_what_is_missing(tmp_path: Path) -> None:
    done = export_newest(script("pytorch-fsdp", tmp_path))
    assert done.returncode == 2
    assert f"checkpoints: {tmp_path / 'checkpoints'} given, has no complete checkpoint" in done.stderr


def test_micro_batches_give_the_losses_of_a_whole_batch(tmp_path: Path, whole: Ended) -> None:
    split = script("pytorch-fsdp", tmp_path, *SETTINGS, launch=TORCHRUN).run("--accumulate", "2")
    assert split.losses == pytest.approx(whole.losses, rel=1e-3), split.errors[-5000:]


def test_checkpointing_changes_no_loss(tmp_path: Path, whole: Ended) -> None:
    again = script("pytorch-fsdp", tmp_path, *SETTINGS, launch=TORCHRUN).run("--checkpointing", "full")
    assert again.losses == pytest.approx(whole.losses, rel=1e-3), again.errors[-5000:]
    assert again.code == 0


def test_with_checkpointing_a_forward_pass_keeps_less_and_gives_the_same_gradients() -> None:
    train = module("pytorch-fsdp")
    model, example = train.Gpt(4, 64, 4), train.make_data(None)[0][:128].expand(2, -1)
    kept, gradients = kept_and_gradients(model, example)
    train.calculate_twice(model.blocks)
    fewer_kept, same_gradients = kept_and_gradients(model, example)
    assert fewer_kept < 0.3 * kept
    assert same_gradients == pytest.approx(gradients)


def test_a_profile_is_a_trace_of_a_few_steps(tmp_path: Path) -> None:
    profiled = script("pytorch-fsdp", tmp_path, *SETTINGS, launch=TORCHRUN).run("--profile", "--steps", "16")
    assert profiled.code == 0, profiled.errors[-5000:]
    (trace,) = (tmp_path / "logs").glob("trace-*.json")
    steps = {event["name"] for event in json.loads(trace.read_text())["traceEvents"] if "ProfilerStep" in event["name"]}
    assert steps == {"ProfilerStep#11", "ProfilerStep#12", "ProfilerStep#13"}


def test_a_killed_run_goes_on_at_its_newest_checkpoint(training: Script, whole: Ended) -> None:
    check_goes_on_after_a_kill(training, whole, STEPS)


def test_an_interrupted_run_writes_a_checkpoint(training: Script) -> None:
    check_saves_when_interrupted(training)


def test_it_makes_up_enough_for_all_gpus() -> None:
    check_makes_up_enough("pytorch-fsdp")


def test_it_reads_tiny_shakespeare(tmp_path: Path) -> None:
    check_reads(
        script("pytorch-fsdp", tmp_path, "--batch-size", "4", "--precision", "bf16", launch=TORCHRUN),
        tiny_shakespeare(tmp_path),
    )


def test_one_process_goes_on_with_what_two_have_written(training: Script, whole: Ended) -> None:
    assert training.run().values("finished") == [STEPS]
    alone = replace(training, launch=lambda: [([*TORCHRUN[:-1], "1"], {})])
    longer = alone.run("--steps", str(STEPS + 5))
    assert longer.values("resumedFrom") == [STEPS]
    assert longer.losses[STEPS + 5] < whole.losses[1]
