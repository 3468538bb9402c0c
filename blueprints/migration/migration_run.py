"""What all migrations do alike: settings, comparison of two networks, layout for a model server, publishing.

It lies beside migrate.py on the cluster. A network is compared with its original on the same examples, and is
published only if their outputs agree: as a version of its own, with the next number, beside those that are there. The
file by which a server knows a version is written last, for the folder may lie on S3, where nothing is renamed.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy
import onnx
import onnxruntime

Arrays = Mapping[str, numpy.ndarray]
Network = Callable[[Arrays], Arrays]

ONNX_OPSET = 20
# What TensorFlow Serving does not take for the model:
# https://github.com/tensorflow/serving/blob/master/tensorflow_serving/g3doc/saved_model_warmup.md
EXTRA = "assets.extra"
REPORT = "migration.json"

_TYPES = {
    "tensor(float)": ("float32", "TYPE_FP32"),
    "tensor(float16)": ("float16", "TYPE_FP16"),
    "tensor(double)": ("float64", "TYPE_FP64"),
    "tensor(int64)": ("int64", "TYPE_INT64"),
    "tensor(int32)": ("int32", "TYPE_INT32"),
    "tensor(uint8)": ("uint8", "TYPE_UINT8"),
    "tensor(bool)": ("bool", "TYPE_BOOL"),
}
_PACKAGES = ("torch", "tensorflow", "keras", "onnx", "onnxruntime", "onnx2tf", "tf2onnx")
_IMAGE_DIMENSIONS = 4


def arguments(description: str | None, *, name: str, layout: str) -> argparse.ArgumentParser:
    """The arguments that every migration has; a script may add its own.

    Arguments:
        description: what the script does, for `--help`.
        name: the default name of the model.
        layout: the default order of the axes of images, which is that of the original.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    output = Path(os.environ.get("CHECKPOINT_DIR") or "models")
    add("--output", type=Path, default=output, help="folder of all models, which the servers read (models)")
    add("--name", type=_name, default=name, help=f"name of the model, and of its folder ({name})")
    add("--layout", choices=("nchw", "nhwc"), default=layout, help=f"order of images' axes for clients ({layout})")
    add("--examples", type=Path, help="examples to compare with, an .npz file by the inputs' names; none: random ones")
    add("--batches", type=_positive, nargs="+", default=[1, 2, 8], help="sizes of the batches to compare (1 2 8)")
    add("--absolute-tolerance", type=float, default=1e-4, help="how far outputs may differ (1e-4)")
    add("--relative-tolerance", type=float, default=1e-3, help="and how far beside, of the original's output (1e-3)")
    add("--seed", type=int, default=0, help="what random examples begin with (0)")
    add("--labels", type=Path, help="file with a line for each class, for Triton")
    add("--max-batch-size", type=_positive, default=8, help="requests that Triton puts together (8)")
    add("--queue-delay", type=_positive, default=2000, help="how long a request waits for others, microseconds (2000)")
    add("--instances", type=_positive, default=1, help="copies of the model for each GPU of Triton (1)")
    add("--back", type=Path, metavar="VERSION", help="the way back: a version's folder that this script has published")
    return parser


class Tensor(NamedTuple):
    """An input or output of a network; its first axis, the batch, is left out."""

    name: str
    onnx_type: str
    shape: tuple[int | None, ...]

    @property
    def type(self) -> str:
        """The type as NumPy has it."""
        return _TYPES[self.onnx_type][0]

    @property
    def triton_type(self) -> str:
        """The type as Triton has it."""
        return _TYPES[self.onnx_type][1]


class OnnxModel:
    """An ONNX file that has been checked, in ONNX Runtime.

    Arguments:
        file: the file.
    """

    def __init__(self, file: Path):
        try:
            onnx.checker.check_model(str(file), full_check=True)
            self._session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        except Exception as error:
            raise SystemExit(f"{file.name}: ONNX refuses it: {_last_lines(str(error))}") from None
        self.file = file
        self.inputs = [_tensor(each) for each in self._session.get_inputs()]
        self.outputs = [_tensor(each) for each in self._session.get_outputs()]

    def __call__(self, arrays: Arrays) -> Arrays:
        """The outputs by their names."""
        return dict(zip((each.name for each in self.outputs), self._session.run(None, dict(arrays)), strict=True))


def saved_model(folder: Path) -> Network:
    """The network of a SavedModel's signature, as TensorFlow Serving runs it."""
    import tensorflow

    try:
        loaded = tensorflow.saved_model.load(str(folder))
        serve = loaded.signatures["serving_default"]
    except (OSError, KeyError, ValueError) as error:
        raise SystemExit(f"{folder}: no SavedModel with the signature serving_default: {error}") from None

    # The function lives no longer than what it was loaded with.
    def run(arrays: Arrays, _owner: Any = loaded) -> Arrays:
        given = {name: tensorflow.constant(array) for name, array in arrays.items()}
        return {name: tensor.numpy() for name, tensor in serve(**given).items()}

    return run


class Migration:
    """One migration: its comparisons, and what it publishes.

    Arguments:
        settings: what `arguments` read.
        source: what the original is, for the report.
        work: a folder for what is made on the way.
    """

    def __init__(self, settings: argparse.Namespace, source: Mapping[str, Any], work: Path):
        self.report: dict[str, Any] = {
            "name": settings.name,
            "source": dict(source),
            "layout": settings.layout,
            "tolerance": {"absolute": settings.absolute_tolerance, "relative": settings.relative_tolerance},
            "packages": _versions(),
            "comparisons": [],
        }
        self.work = work
        self._settings = settings
        if settings.examples and not settings.examples.is_file():
            raise SystemExit(f"--examples: {settings.examples} is no file")

    def compare(self, title: str, original: Network, candidate: Network, inputs: Sequence[Tensor]) -> None:
        """Refuses a network whose outputs differ from those of the original."""
        batches = []
        for size in self._settings.batches:
            examples = self._examples(inputs, size)
            expected, actual = original(examples), candidate(examples)
            if expected.keys() != actual.keys():
                raise SystemExit(f"{title}: outputs {sorted(actual)}, the original has {sorted(expected)}")
            tolerance = (self._settings.absolute_tolerance, self._settings.relative_tolerance)
            found = {name: difference(expected[name], actual[name], *tolerance) for name in expected}
            batches.append({"size": size, "outputs": found})
        agrees = all(output["agrees"] for batch in batches for output in batch["outputs"].values())
        self.report["comparisons"].append({"of": title, "agrees": agrees, "batches": batches})
        say(compared=title, agrees=agrees)
        if not agrees:
            say(report=self.report)
            raise SystemExit(f"{title}: its outputs are not those of the original, so nothing is published")

    def publish(self, version: Path, *, last: str, report: str = REPORT, around: Path | None = None) -> Path:
        """Writes the next version of the model.

        Arguments:
            version: the folder with its files.
            last: the file by which a server knows it, which is written last.
            report: where the report goes in it.
            around: a folder with files that belong to all versions; one that is there already must be the same.
        """
        model = self._settings.output / self._settings.name
        shared = {file: model / file.name for file in sorted(around.iterdir())} if around else {}
        for file, target in shared.items():
            if target.exists() and target.read_bytes() != file.read_bytes():
                text = f"{target} is there and says otherwise: take another --name, or make it agree\n"
                raise SystemExit(f"{text}{file.read_text(encoding='utf-8')}")
        number = max((int(each.name) for each in model.glob("*") if each.name.isdecimal()), default=0) + 1
        folder = model / str(number)
        files = sorted(file.relative_to(version) for file in version.rglob("*") if file.is_file())
        self.report |= {"version": number, "files": {str(file): _digest(version / file) for file in files}}
        (version / report).parent.mkdir(exist_ok=True)
        (version / report).write_text(json.dumps(self.report, indent=2) + "\n", encoding="utf-8")
        for file in (*(file for file in files if str(file) != last), Path(report), Path(last)):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(version / file, folder / file)
        for file, target in shared.items():
            if not target.exists():
                shutil.copyfile(file, target)
        say(report=self.report)
        say(published=str(folder))
        return folder

    def publish_saved_model(self, converted: Path, model: OnnxModel) -> Path:
        """Publishes a SavedModel for TensorFlow Serving, with the ONNX file that the way back begins with."""
        (converted / EXTRA).mkdir()
        shutil.copyfile(model.file, converted / EXTRA / "model.onnx")
        return self.publish(converted, last="saved_model.pb", report=f"{EXTRA}/{REPORT}")

    def publish_for_triton(self, model: OnnxModel) -> Path:
        """Publishes an ONNX file in a model repository of Triton."""
        version, around = self.work / "version", self.work / "around"
        version.mkdir()
        around.mkdir()
        shutil.copyfile(model.file, version / "model.onnx")
        if self._settings.labels:
            _check_labels(self._settings.labels, model.outputs)
            shutil.copyfile(self._settings.labels, around / "labels.txt")
        (around / "config.pbtxt").write_text(triton_configuration(model, self._settings), encoding="utf-8")
        return self.publish(version, last="model.onnx", around=around)

    def _examples(self, inputs: Sequence[Tensor], size: int) -> dict[str, numpy.ndarray]:
        if self._settings.examples is None:
            generator = numpy.random.default_rng([self._settings.seed, size])
            return {each.name: _random(each, size, generator) for each in inputs}
        with numpy.load(self._settings.examples, allow_pickle=False) as file:
            if missing := sorted({each.name for each in inputs} - set(file)):
                raise SystemExit(f"--examples: {', '.join(missing)} missing, there is {', '.join(sorted(file))}")
            taken = {each.name: file[each.name] for each in inputs}
        for each in inputs:
            given = taken[each.name].shape[1:]
            if not _fits(given, each.shape):
                raise SystemExit(f"--examples: {each.name} has the shape {given}, must be {each.shape}")
            taken[each.name] = numpy.resize(taken[each.name], (size, *given)).astype(each.type)
        return taken


def difference(expected: numpy.ndarray, actual: numpy.ndarray, absolute: float, relative: float) -> dict[str, Any]:
    """How far two outputs differ, and whether that is within |difference| ≤ absolute + relative · |expected|."""
    if expected.shape != actual.shape:
        return {"agrees": False, "shapes": [list(expected.shape), list(actual.shape)]}
    wanted, found = expected.astype("float64"), actual.astype("float64")
    finite = bool(numpy.isfinite(wanted).all() and numpy.isfinite(found).all())
    if not finite:
        return {"agrees": False, "finite": False, "shape": list(expected.shape)}
    gap = numpy.abs(found - wanted)
    # Of numbers next to zero a share says nothing: the absolute tolerance is for them.
    large = numpy.abs(wanted) > absolute
    share = gap[large] / numpy.abs(wanted[large])
    return {
        "agrees": bool((gap <= absolute + relative * numpy.abs(wanted)).all()),
        "shape": list(expected.shape),
        "maxAbsoluteDifference": float(gap.max(initial=0)),
        "maxRelativeDifference": float(share.max(initial=0)),
    }


def reordered(network: Network, *, images: Callable[[numpy.ndarray], numpy.ndarray]) -> Network:
    """A network that gets its images in another order of axes."""

    def run(arrays: Arrays) -> Arrays:
        return network(
            {name: images(each) if each.ndim == _IMAGE_DIMENSIONS else each for name, each in arrays.items()}
        )

    return run


def to_nhwc(images: numpy.ndarray) -> numpy.ndarray:
    """Images with their channels last."""
    return numpy.ascontiguousarray(images.transpose(0, 2, 3, 1))


def to_nchw(images: numpy.ndarray) -> numpy.ndarray:
    """Images with their channels first."""
    return numpy.ascontiguousarray(images.transpose(0, 3, 1, 2))


def onnx_to_saved_model(model: OnnxModel, work: Path, *, channels_last: bool) -> Path:
    """A SavedModel of an ONNX file, with a signature whose inputs and outputs have the names of the file's.

    Arguments:
        model: the ONNX file.
        work: a folder for what is made on the way.
        channels_last: whether images come with channels last, where the file has them first.
    """
    import tensorflow

    converted, named = work / "converted", work / "named"
    # In a process of its own, for it changes limits of the interpreter that PyTorch does not survive.
    as_they_are = [] if channels_last else ["-kat", *(each.name for each in model.inputs)]
    command = ["-m", "onnx2tf.onnx2tf", "-i", str(model.file), "-o", str(converted), "-osd", "-nuo", *as_they_are]
    run_tool("onnx2tf", *command, otherwise="a server of ONNX, such as Triton, runs the model without it")
    loaded = tensorflow.saved_model.load(str(converted))
    serve = loaded.signatures["serving_default"]
    given = serve.structured_input_signature[1]
    if set(given) != {each.name for each in model.inputs}:
        text = f"onnx2tf makes the inputs {sorted(given)} of {sorted(each.name for each in model.inputs)}"
        raise SystemExit(f"{text}: names of letters, digits and underscores stay")
    numbers = sorted(serve.structured_outputs, key=lambda name: int(name.rpartition("_")[2]))
    names = dict(zip(numbers, (each.name for each in model.outputs), strict=True))

    def run(**arrays: Any) -> dict[str, Any]:
        return {names[key]: output for key, output in serve(**arrays).items()}

    module = tensorflow.Module()
    module.network = loaded
    # By their names, for the order of keyword arguments is TensorFlow's own.
    tensors = {name: tensorflow.TensorSpec(each.shape, each.dtype, name=name) for name, each in given.items()}
    signature = tensorflow.function(run).get_concrete_function(**tensors)
    tensorflow.saved_model.save(module, str(named), signatures={"serving_default": signature})
    return named


def triton_configuration(model: OnnxModel, settings: argparse.Namespace) -> str:
    """The config.pbtxt of an ONNX file.

    Source: https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_configuration.md
    """
    labels = '    label_filename: "labels.txt"\n' if settings.labels else ""
    warm_up = "".join(
        f'    inputs {{\n      key: "{each.name}"\n      value {{ data_type: {each.triton_type} '
        f"dims: {_dimensions(each, free=1)} zero_data: true }}\n    }}\n"
        for each in model.inputs
    )
    return "\n".join(
        [
            f'name: "{settings.name}"',
            'backend: "onnxruntime"',
            f"max_batch_size: {settings.max_batch_size}",
            *(_port("input", each) for each in model.inputs),
            *(_port("output", each, labels) for each in model.outputs),
            f"dynamic_batching {{ max_queue_delay_microseconds: {settings.queue_delay} }}",
            f"instance_group [ {{ count: {settings.instances} kind: KIND_AUTO }} ]",
            # The one before stays loaded: whoever asks for it by its number goes back at once.
            "version_policy { latest { num_versions: 2 } }",
            f'model_warmup [\n  {{\n    name: "zeros"\n    batch_size: 1\n{warm_up}  }}\n]\n',
        ]
    )


def run_tool(title: str, *command: str, otherwise: str) -> None:
    """Runs a Python program, and says what it said where it fails."""
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
        errors = [line for line in said.splitlines() if re.match(r"(ERROR|\w*Error)\b", line)]
        raise SystemExit(f"{title} does not convert this model; {otherwise}. It says:\n{_last_lines(said, errors)}")


def sha256(path: Path) -> str:
    """The hash of a file, or of all files in a folder."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(str(file.relative_to(path)).encode() if path.is_dir() else b"")
            with file.open("rb") as opened:
                while block := opened.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()


def say(**line: Any) -> None:
    """Prints one JSON object, for machines."""
    print(json.dumps(line), flush=True)


def _tensor(found: Any) -> Tensor:
    if found.type not in _TYPES:
        raise SystemExit(f"{found.name} is of {found.type}, must be one of {', '.join(_TYPES)}")
    if not found.shape or isinstance(found.shape[0], int):
        text = f"{found.name} has the shape {found.shape}, whose first axis must be free, for batches of any size"
        raise SystemExit(f"{text}: export the model with a dynamic batch")
    return Tensor(found.name, found.type, tuple(each if isinstance(each, int) else None for each in found.shape[1:]))


def _random(tensor: Tensor, size: int, generator: numpy.random.Generator) -> numpy.ndarray:
    if None in tensor.shape:
        raise SystemExit(f"{tensor.name} has the shape {tensor.shape}: with axes that are free, give --examples")
    shape = (size, *(each or 0 for each in tensor.shape))
    if tensor.type.startswith("float"):
        return generator.standard_normal(shape).astype(tensor.type)
    return generator.integers(0, 2 if tensor.type == "bool" else 10, shape).astype(tensor.type)


def _fits(given: Sequence[int], wanted: Sequence[int | None]) -> bool:
    return len(given) == len(wanted) and all(size in (each, None) for each, size in zip(given, wanted, strict=True))


def _port(role: str, tensor: Tensor, more: str = "") -> str:
    fields = f'name: "{tensor.name}"\n    data_type: {tensor.triton_type}\n    dims: {_dimensions(tensor)}\n{more}'
    return f"{role} [\n  {{\n    {fields}  }}\n]"


def _dimensions(tensor: Tensor, free: int = -1) -> str:
    return f"[ {', '.join(str(free if each is None else each) for each in tensor.shape)} ]"


def _check_labels(file: Path, outputs: Sequence[Tensor]) -> None:
    if not file.is_file():
        raise SystemExit(f"--labels: {file} is no file")
    count = len(file.read_text(encoding="utf-8").splitlines())
    for each in outputs:
        if each.shape != (count,):
            raise SystemExit(f"--labels: {count} lines, but {each.name} has the shape {each.shape}")


def _digest(file: Path) -> dict[str, Any]:
    return {"bytes": file.stat().st_size, "sha256": sha256(file)}


def _versions() -> dict[str, str]:
    installed = {each.metadata["Name"].lower(): each.version for each in metadata.distributions()}
    return {name: installed[name] for name in _PACKAGES if name in installed}


def _last_lines(text: str, chosen: Sequence[str] = ()) -> str:
    return "\n".join((list(chosen) or text.strip().splitlines())[-5:])


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", text):
        raise argparse.ArgumentTypeError(f"'{text}' given, must be letters, digits and _.-")
    return text


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number
