"""The inference benchmark runs small, on this machine's processor."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.workload(module="onnxruntime", group="workload-benchmark")

SCRIPT = Path(__file__).parents[2] / "blueprints" / "inference" / "inference-benchmark" / "benchmark.py"
PNG = b"\x89PNG\r\n"


def benchmark(folder: Path, *arguments: str) -> tuple[list[dict[str, Any]], str]:
    """The rows that it writes, and what it prints."""
    command = [sys.executable, str(SCRIPT), "--small", "--device", "cpu", "--output", str(folder), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "results.json").read_text())["rows"], done.stdout


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]], str]:
    folder = tmp_path_factory.mktemp("results")
    return folder, *benchmark(folder, "--variants", "eager", "half", "onnxRuntime", "int8")


def test_every_way_is_measured_with_every_batch_or_says_why_not(measured: Any) -> None:
    _, rows, _ = measured
    expected = [(variant, batch) for variant in ("eager", "onnxRuntime", "int8") for batch in (1, 8)]
    assert [(row["variant"], row["batch"]) for row in rows if "error" not in row] == expected
    assert [row["variant"] for row in rows if "error" in row] == ["half"]


def test_the_numbers_go_together(measured: Any) -> None:
    for row in (row for row in measured[1] if "error" not in row):
        assert 0 < row["p50Milliseconds"] <= row["p95Milliseconds"]
        assert row["firstMilliseconds"] > 0
        # Per image, on average; the median is not far from it.
        assert row["imagesPerSecond"] == pytest.approx(1000 * row["batch"] / row["p50Milliseconds"], rel=0.8)


def test_eight_bits_are_a_quarter_of_the_size_and_a_little_off(measured: Any) -> None:
    by_variant = {row["variant"]: row for row in measured[1] if row["batch"] == 8}
    assert by_variant["onnxRuntime"]["sizeMib"] == pytest.approx(by_variant["eager"]["sizeMib"], rel=0.05)
    assert by_variant["int8"]["sizeMib"] == pytest.approx(by_variant["eager"]["sizeMib"] / 4, rel=0.1)
    # ONNX Runtime calculates the same; 8-bit integers do not.
    assert by_variant["onnxRuntime"]["relativeError"] < 1e-4
    assert by_variant["onnxRuntime"]["sameClass"] == 1
    assert 0.005 < by_variant["int8"]["relativeError"] < 0.2


def test_there_is_a_table_and_a_plot(measured: Any) -> None:
    folder, _, printed = measured
    table = (folder / "results.md").read_text()
    assert table in printed
    assert len(table.splitlines()) == 2 + 7
    assert (folder / "results.png").read_bytes().startswith(PNG)


def test_a_compiled_model_answers_the_same(tmp_path: Path) -> None:
    (row,) = benchmark(tmp_path, "--variants", "compiled", "--batches", "1")[0]
    assert row["relativeError"] < 1e-4
    # It compiles at the first inference.
    assert row["firstMilliseconds"] > 10 * row["p50Milliseconds"]


def test_what_fails_is_a_row_of_its_own(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--small", "--device", "cpu", "--output", str(tmp_path)]
    done = subprocess.run([*command, "--models", "resnet17"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Unknown model resnet17" in (tmp_path / "results.md").read_text()
