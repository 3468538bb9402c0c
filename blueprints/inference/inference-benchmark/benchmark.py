"""How fast ResNets answer: on this processor or GPU, in batches, cold and warm, by several runtimes.

    python benchmark.py --models resnet18 --batches 1 8

Each measurement has a process of its own, so that the first inference is really the first: it starts the GPU, loads
kernels, compiles and allocates. The weights are random, or from `--weights`, a folder with `resnet18.pth`: speed and
size are those of trained ones, but how far 8-bit integers are off is known of trained weights only.

    eager        PyTorch as it is
    compiled     torch.compile, which needs a C++ compiler in the image
    half         PyTorch with 16-bit numbers, on GPUs
    onnxRuntime  ONNX Runtime
    int8         ONNX Runtime with 8-bit integers (static, QDQ), on CPUs: its CUDA has no 8-bit convolutions
"""

import argparse
import importlib.util
import io
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torchvision

VARIANTS = ("eager", "compiled", "half", "onnxRuntime", "int8")
PATIENCE_SECONDS = 1800
Run = Callable[[], torch.Tensor]


def arguments() -> argparse.Namespace:
    """What is measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    folder = Path(os.environ.get("CHECKPOINT_DIR", "results"))
    add = parser.add_argument
    add("--models", nargs="+", default=["resnet18", "resnet50"], help="models of torchvision (resnet18 resnet50)")
    add("--batches", nargs="+", type=int, default=[1, 8, 16, 32], help="images at once (1 8 16 32)")
    add("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="ways to run them (all)")
    add("--image-size", type=int, default=224, help="pixels of each side (224)")
    add("--warm-up", type=int, default=10, help="inferences before those that are measured (10)")
    add("--runs", type=int, default=100, help="inferences that are measured (100)")
    add("--weights", type=Path, help="folder with trained weights, MODEL.pth; without it, they are random")
    add("--output", type=Path, default=folder, help=f"folder for the results ({folder})")
    add("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    add("--small", action="store_true", help="little of everything, to see whether it works")
    settings = parser.parse_args()
    if settings.small:
        settings.models, settings.batches = settings.models[:1], settings.batches[:2]
        settings.image_size, settings.warm_up, settings.runs = 64, 2, 10
    return settings


def make_model(name: str, settings: argparse.Namespace) -> torch.nn.Module:
    """A model that is ready to answer."""
    torch.manual_seed(0)
    model = torchvision.models.get_model(name, weights=None)
    if settings.weights:
        model.load_state_dict(torch.load(settings.weights / f"{name}.pth", map_location="cpu", weights_only=True))
        return model.eval()
    # Batch normalization as after training, or numbers grow from layer to layer.
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None
    with torch.no_grad():
        model.train()(images(16, settings, seed=1))
    return model.eval()


def images(count: int, settings: argparse.Namespace, seed: int) -> torch.Tensor:
    """Random images, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, settings.image_size, settings.image_size, generator=generator)


def export(name: str, settings: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Writes the model for each runtime, and what it answers to one batch."""
    model, example = make_model(name, settings), images(2, settings, seed=2)
    torch.save(model.state_dict(), folder / f"{name}.pth")
    with torch.inference_mode():
        torch.save(model(images(32, settings, seed=3)), folder / f"{name}.expected")
    if {"onnxRuntime", "int8"} & set(settings.variants):
        # Named, so that the exported model takes batches of any size.
        shapes = {"x": {0: torch.export.Dim("batch", min=1, max=4096)}}
        program = torch.onnx.export(model, (example,), dynamo=True, dynamic_shapes=shapes, verbose=False)
        program.save(folder / f"{name}.onnx")
    if "int8" in settings.variants and settings.device == "cpu":
        _quantize(name, settings, folder)
    return {}


def _quantize(name: str, settings: argparse.Namespace, folder: Path) -> None:
    """Weights and activations as 8-bit integers, in the ranges that some images show.

    PyTorch's own dynamic quantization has nothing to offer here: it takes linear layers, and a ResNet has one.
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Images(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter(images(32, settings, seed=4).split(4))

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self.left, None)
            return None if batch is None else {"x": batch.numpy()}

    prepared = folder / f"{name}.prepared.onnx"
    quant_pre_process(folder / f"{name}.onnx", prepared)
    quantization.quantize_static(
        prepared,
        folder / f"{name}.int8.onnx",
        Images(),
        quant_format=quantization.QuantFormat.QDQ,
        activation_type=quantization.QuantType.QUInt8,
        # One scale for each channel: with one for all, the small ones are lost.
        weight_type=quantization.QuantType.QInt8,
        per_channel=True,
    )


def measure(name: str, variant: str, batch: int, settings: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Loads a model, asks it for the first time, and then often."""
    # Nothing that another process has compiled.
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp(dir=folder)
    began = time.perf_counter()
    load = {"onnxRuntime": _onnx, "int8": _onnx}.get(variant, _torch)
    run_on, file = load(name, variant, settings, folder)
    example = images(batch, settings, seed=5).to(settings.device)
    if variant == "half":
        example = example.half().to(memory_format=torch.channels_last)
    loaded = time.perf_counter() - began
    with torch.inference_mode():
        run = run_on(example)
        first = _seconds(run, settings.device)
        for _ in range(settings.warm_up):
            _seconds(run, settings.device)
        seconds = sorted(_seconds(run, settings.device) for _ in range(settings.runs))
        on_gpu = _gpu_milliseconds(run, settings) if settings.device == "cuda" and load is _torch else None
        drift = _drift(name, variant, run_on, settings, folder)
    return {
        "loadSeconds": loaded,
        "firstMilliseconds": 1000 * first,
        "p50Milliseconds": 1000 * statistics.median(seconds),
        "p95Milliseconds": 1000 * seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))],
        "gpuMilliseconds": on_gpu,
        "imagesPerSecond": batch * len(seconds) / sum(seconds),
        "sizeMib": _size(file) / (2 if variant == "half" else 1) / 2**20,
        **drift,
    }


def _torch(name: str, variant: str, settings: argparse.Namespace, folder: Path) -> tuple[Callable[..., Run], Path]:
    model = torchvision.models.get_model(name, weights=None)
    model.load_state_dict(torch.load(folder / f"{name}.pth", weights_only=True))
    model = model.eval().to(settings.device)
    if variant == "half":
        model = model.half().to(memory_format=torch.channels_last)
    # Anew for another size of batch, and with weights that no longer change: as fast as it gets.
    answer = torch.compile(model, dynamic=False, options={"freezing": True}) if variant == "compiled" else model
    return lambda example: lambda: answer(example), folder / f"{name}.pth"


def _onnx(name: str, variant: str, settings: argparse.Namespace, folder: Path) -> tuple[Callable[..., Run], Path]:
    import numpy
    import onnxruntime

    file = folder / (f"{name}.int8.onnx" if variant == "int8" else f"{name}.onnx")
    options = onnxruntime.SessionOptions()
    # Of the pod, which has fewer cores than its node.
    options.intra_op_num_threads = torch.get_num_threads()
    provider = "CUDAExecutionProvider" if settings.device == "cuda" else "CPUExecutionProvider"
    if settings.device == "cuda" and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    session = onnxruntime.InferenceSession(file, options, providers=[provider])
    if provider not in session.get_providers():
        raise RuntimeError(f"this ONNX Runtime has no {provider}: the image needs onnxruntime-gpu, for its CUDA")

    def run_on(example: torch.Tensor) -> Run:
        # Bound to where the tensors are, so that no copy is measured, as with PyTorch none is.
        answer = torch.empty(len(example), 1000, device=example.device)
        binding = session.io_binding()
        for bind, meta, tensor in (
            (binding.bind_input, session.get_inputs()[0], example),
            (binding.bind_output, session.get_outputs()[0], answer),
        ):
            bind(meta.name, settings.device, 0, numpy.float32, tuple(tensor.shape), tensor.data_ptr())

        def run() -> torch.Tensor:
            session.run_with_iobinding(binding)
            binding.synchronize_outputs()
            return answer

        return run

    return run_on, file


def _seconds(run: Run, device: str) -> float:
    """How long one inference takes, to its end: a GPU is told what to do long before it has done it."""
    if device == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def _gpu_milliseconds(run: Run, settings: argparse.Namespace) -> float:
    """How long the GPU itself works on one inference, by its own clock; the rest is Python's."""
    found = []
    for _ in range(settings.runs):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        end.synchronize()
        found.append(begin.elapsed_time(end))
    return statistics.median(found)


def _drift(
    name: str, variant: str, run_on: Callable[..., Run], settings: argparse.Namespace, folder: Path
) -> dict[str, float]:
    """How far the answers are from those of 32-bit numbers on the CPU."""
    asked = images(32, settings, seed=3).to(settings.device)
    expected = torch.load(folder / f"{name}.expected", weights_only=True)
    if variant == "half":
        asked = asked.half().to(memory_format=torch.channels_last)
    given = run_on(asked)().float().cpu()
    return {
        "relativeError": ((given - expected).norm() / expected.norm()).item(),
        "sameClass": (given.argmax(1) == expected.argmax(1)).float().mean().item(),
    }


def _size(file: Path) -> int:
    """The bytes of a model, with the weights that an ONNX file may have beside it."""
    return sum(each.stat().st_size for each in file.parent.glob(f"{file.name}*"))


def why_not(variant: str, device: str) -> str | None:
    """Why a variant is not measured here."""
    if variant == "half" and device == "cpu":
        return "on GPUs only: few CPUs calculate with 16 bits"
    if variant == "int8" and device == "cuda":
        return "on CPUs only: ONNX Runtime's CUDA has no 8-bit convolutions, TensorRT has"
    wanted = ("onnx", "onnxruntime", "onnxscript") if variant in ("onnxRuntime", "int8") else ()
    missing = [module for module in wanted if importlib.util.find_spec(module) is None]
    return f"the image has no {', '.join(missing)}: blueprints/images/inference-benchmark has" if missing else None


def apart(function: Callable[..., dict[str, Any]], *given: Any) -> dict[str, Any]:
    """What a function finds in a process of its own, or the error that ended it."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sending, function, given))
    process.start()
    sending.close()
    try:
        found = receiving.recv() if receiving.poll(PATIENCE_SECONDS) else {"error": f"took over {PATIENCE_SECONDS} s"}
    except EOFError:
        process.join()
        found = {"error": f"ended with {process.exitcode}: out of memory?"}
    process.kill()
    process.join()
    return found


def _send(sending: Any, function: Callable[..., dict[str, Any]], given: tuple[Any, ...]) -> None:
    try:
        sending.send(function(*given))
    except Exception as error:
        sending.send({"error": " ".join(f"{type(error).__name__}: {error}".split())[:300]})


def table(rows: list[dict[str, Any]]) -> str:
    """The results as a table in Markdown."""
    columns: list[tuple[str, str, str]] = [
        ("model", "model", ""), ("variant", "variant", ""), ("batch", "batch", ""),
        ("load, s", "loadSeconds", ".2f"), ("first, ms", "firstMilliseconds", ".1f"),
        ("p50, ms", "p50Milliseconds", ".2f"), ("p95, ms", "p95Milliseconds", ".2f"),
        ("GPU, ms", "gpuMilliseconds", ".2f"), ("images/s", "imagesPerSecond", ".1f"), ("MiB", "sizeMib", ".1f"),
        ("relative error", "relativeError", ".4f"), ("same class", "sameClass", ".0%"), ("note", "error", ""),
    ]  # fmt: skip
    columns = [each for each in columns if any(row.get(each[1]) is not None for row in rows)]
    lines = [[title for title, _, _ in columns]]
    for row in rows:
        lines.append(["" if row.get(key) is None else format(row[key], form) for _, key, form in columns])
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    lines.insert(1, ["-" * width for width in widths])
    texts = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "".join(f"| {text} |\n" for text in texts)


def plot(rows: list[dict[str, Any]], title: str) -> bytes:
    """The results as a PNG: for each model, throughput and latency by batch, first and later inferences, size."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    rows = [row for row in rows if "p50Milliseconds" in row]
    models = list(dict.fromkeys(row["model"] for row in rows))
    figure, grid = pyplot.subplots(len(models), 4, figsize=(20, 4.2 * len(models)), squeeze=False, layout="constrained")
    figure.suptitle(title)
    for model, (throughput, latency, cold, size) in zip(models, grid, strict=True):
        own = [row for row in rows if row["model"] == model]
        variants = list(dict.fromkeys(row["variant"] for row in own))
        for variant in variants:
            found = [row for row in own if row["variant"] == variant]
            batches = [str(row["batch"]) for row in found]
            throughput.plot(batches, [row["imagesPerSecond"] for row in found], "o-", label=variant)
            latency.plot(batches, [row["p50Milliseconds"] for row in found], "o-", label=variant)
        smallest = [next(row for row in own if row["variant"] == variant) for variant in variants]
        places = range(len(variants))
        for key, shift, label in (("firstMilliseconds", -0.2, "first"), ("p50Milliseconds", 0.2, "warm, p50")):
            cold.bar([place + shift for place in places], [row[key] for row in smallest], 0.4, label=label)
        cold.set_xticks(list(places), variants)
        cold.set_yscale("log")
        size.bar(variants, [row["sizeMib"] for row in smallest], color="tab:gray")
        throughput.set(title=f"{model}: throughput", xlabel="batch", ylabel="images/s")
        latency.set(title=f"{model}: latency, p50", xlabel="batch", ylabel="ms")
        cold.set(title=f"{model}: cold and warm, batch {smallest[0]['batch']}", ylabel="ms")
        size.set(title=f"{model}: size", ylabel="MiB")
        for panel in (throughput, latency):
            panel.set_ylim(bottom=0)
        for panel in (throughput, latency, cold):
            panel.legend()
            panel.grid(axis="y", alpha=0.3)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=90)
    return picture.getvalue()


def main() -> int:
    """Measures everything, and writes what it found."""
    settings = arguments()
    gpu = torch.cuda.get_device_name() if settings.device == "cuda" else None
    about = {
        "device": gpu or f"CPU, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "imageSize": settings.image_size,
        "runs": settings.runs,
        "weights": str(settings.weights or "random"),
    }
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        usable = [variant for variant in settings.variants if not why_not(variant, settings.device)]
        for model in settings.models:
            exported = apart(export, model, argparse.Namespace(**{**vars(settings), "variants": usable}), folder)
            for variant in settings.variants:
                reason = why_not(variant, settings.device) or exported.get("error")
                for batch in settings.batches if not reason else [None]:
                    found = {"error": reason} if reason else apart(measure, model, variant, batch, settings, folder)
                    rows.append({"model": model, "variant": variant, "batch": batch, **found})
                    print(json.dumps(rows[-1]), flush=True)
    settings.output.mkdir(parents=True, exist_ok=True)
    # Each file is written at once, from its beginning: a mounted bucket takes nothing else.
    (settings.output / "results.json").write_text(json.dumps({**about, "rows": rows}, indent=2), encoding="utf-8")
    (settings.output / "results.md").write_text(table(rows), encoding="utf-8")
    print(table(rows))
    measured = [row for row in rows if "p50Milliseconds" in row]
    if measured and importlib.util.find_spec("matplotlib"):
        (settings.output / "results.png").write_bytes(plot(rows, f"{about['device']}, PyTorch {torch.__version__}"))
    print(f"Written to {settings.output}", file=sys.stderr)
    # What does not fit or does not compile is a row of the table: to start again would not change it.
    return 0 if measured else 1


if __name__ == "__main__":
    sys.exit(main())
