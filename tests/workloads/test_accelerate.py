"""The script of Transformers and Accelerate trains in two processes that Accelerate's launcher starts."""

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from workloads.data import sentiment
from workloads.scripts import (
    Ended,
    Script,
    check_evaluates,
    check_goes_on_after_a_kill,
    check_learns,
    check_reads,
    check_saves_when_interrupted,
    check_tells_of_its_model,
    exported,
    free_port,
    module,
    script,
)

pytestmark = pytest.mark.workload(module="accelerate", group="workload-accelerate")

STEPS = 60
SETTINGS = f"--steps {STEPS} --batch-size 8 --learning-rate 3e-3 --report-every 1 --checkpoint-every 20".split()
ACCELERATE = [
    sys.executable,
    "-m",
    "accelerate.commands.launch",
    "--multi_gpu",
    "--num_machines=1",
    "--num_processes=2",
]


def launch() -> list[tuple[list[str], dict[str, str]]]:
    return [
        ([*ACCELERATE, "--machine_rank=0", "--main_process_ip=127.0.0.1", f"--main_process_port={free_port()}"], {})
    ]


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Script:
    folder = tmp_path_factory.mktemp("run")
    return replace(script("huggingface-accelerate", folder, *SETTINGS), launch=launch)


@pytest.fixture(scope="module")
def whole(training: Script) -> Ended:
    return training.run()


def test_the_loss_falls(whole: Ended) -> None:
    check_learns(whole, STEPS)


def test_what_is_held_out_is_evaluated(whole: Ended) -> None:
    check_evaluates(whole)


def test_two_processes_find_what_one_would(training: Script, whole: Ended) -> None:
    torch, train = import_module("torch"), module("huggingface-accelerate")

    classes = import_module("transformers").AutoModelForSequenceClassification
    model = classes.from_pretrained(exported(training, whole, STEPS))
    _, tokenizer = train.make_model(None)
    _, held_out = train.make_data(None)
    texts, labels = zip(*held_out, strict=True)
    with torch.inference_mode():
        said = model.eval()(**tokenizer(texts, padding=True, return_tensors="pt")).logits
    check_tells_of_its_model(whole, said, labels)


def test_it_ends_with_a_model_that_is_served(training: Script, whole: Ended) -> None:
    pipeline = import_module("transformers").pipeline

    classify = pipeline("text-classification", model=str(exported(training, whole, STEPS)), device="cpu")
    good, bad = classify(["the plot is great", "the plot is dull"])
    assert good["label"] != bad["label"]


def test_a_killed_run_goes_on_at_its_newest_checkpoint(training: Script, whole: Ended) -> None:
    check_goes_on_after_a_kill(training, whole, STEPS)


def test_an_interrupted_run_writes_a_checkpoint(training: Script) -> None:
    check_saves_when_interrupted(training)


def test_it_reads_the_sentiment_treebank(tmp_path: Path) -> None:
    training = replace(script("huggingface-accelerate", tmp_path, "--batch-size", "8"), launch=launch)
    check_reads(training, sentiment(tmp_path))
