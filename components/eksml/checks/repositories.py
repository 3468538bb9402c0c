"""How models lie in their repository: each in a folder of its name, in it a folder of a number for each version.

Sources: https://www.tensorflow.org/tfx/serving/serving_config and
https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_repository.md
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from eksml.catalog import engines
from eksml.checks.engines import copies_of, engines_of, files_of, namespace_of, server_of
from eksml.checks.finding import Found
from eksml.errors import listed, nearest
from eksml.plan import Plan

_CONFIGURATION = "config.pbtxt"


def numbered_versions(plan: Plan) -> Iterator[Found]:
    """TensorFlow Serving is told of folders in which versions are, and what is copied for it is in one of them."""
    for engine in engines_of(plan):
        if engine.kind != "tensorflowServing":
            continue
        told = re.findall(r'\bbase_path\s*:\s*["\']([^"\']*)', files_of(engine, plan).get("models.config", ""))
        for path in (*told, engine.options.get("--model_base_path", "")):
            if _last(path).isdecimal():
                text = f"{path} is a version: name the folder that it is in, of which the server takes the newest"
                yield Found(engine.workload.resource, f"{engine.workload.name}: {text}")
        own = (namespace_of(engine.workload.resource), server_of(engine.workload))
        for workload, options in copies_of(plan):
            if (namespace_of(workload.resource), server_of(workload)) == own and not _is_version(options):
                text = f"{options.get('--prefix')} is no folder of a number, and the server finds no other"
                yield Found(workload.resource, f"{workload.name}: {text}: let the prefix end in /1/")


def triton_repository(plan: Plan) -> Iterator[Found]:
    """Triton loads models that its repository has, each by a configuration of its own name."""
    for engine in engines_of(plan):
        if engine.kind != "triton":
            continue
        files, asked = files_of(engine, plan), _loaded_by_name(engine.words)
        listed_models = [line.split()[0] for line in files.get("models", "").splitlines() if line.split()]
        for name in asked:
            if listed_models and name not in listed_models:
                near = nearest(name, listed_models) or f", it has {listed(listed_models)}"
                yield Found(engine.workload.resource, f"{engine.workload.name}: loads {name}, no such model{near}")
        for file, content in sorted(files.items()):
            name = re.search(r'^name\s*:\s*"([^"]*)"', content, re.MULTILINE)
            folder = file.removesuffix(".pbtxt")
            if file.endswith(".pbtxt") and file != _CONFIGURATION and name and name[1] != folder:
                text = f"{file} is of a model {name[1]}, whose folder must have that name"
                yield Found(engine.workload.resource, f"{engine.workload.name}: {text}")


def repository_problems(keys: Iterable[str], engine: str) -> list[str]:
    """What is not right with the files below a model repository, for tensorflowServing, triton or openVino.

    Arguments:
        keys: their names from there on, such as resnet/1/model.onnx: of a bucket, or of a folder.
        engine: the engine that reads them, by its name in the catalog.
    """
    found: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    problems = []
    for key in sorted(keys):
        model, *rest = key.strip("/").split("/")
        if rest:
            found[model].append(tuple(rest))
        else:
            problems.append(f"{key}: lies beside the models, must be in MODEL/VERSION/")
    if not found:
        problems.append("no model: MODEL/VERSION/ is missing")
    for model, paths in found.items():
        problems += [f"{model}{text}" for text in _model_problems(paths, engine)]
    return problems


def _model_problems(paths: list[tuple[str, ...]], engine: str) -> Iterator[str]:
    versions: dict[str, set[str]] = defaultdict(set)
    for folder, *rest in paths:
        if rest:
            versions[folder].add(rest[0])
    numbered = [folder for folder in versions if folder.isdecimal()]
    if not numbered:
        beside = sorted({path[0] for path in paths} - {_CONFIGURATION})
        yield f": no folder of a number with a model in it{f', there is {listed(beside[:3])}' if beside else ''}"
    for version in numbered:
        if engine == "triton" and version.startswith("0"):
            yield f"/{version}: Triton passes over versions that begin with 0"
        elif (known := _model_files(engine)) and not versions[version] & known:
            yield f"/{version}: has none of {listed(sorted(known))}"


def _model_files(engine: str) -> set[str]:
    """The files of which a version has one; none: any will do."""
    if engine == "tensorflowServing":
        return {"saved_model.pb"}
    backends = engines()[engine].backends.values()
    return {each.model_file for each in backends if each.model_file}


def _loaded_by_name(words: Iterable[str]) -> list[str]:
    return [word.partition("=")[2] for word in words if word.startswith("--load-model=") and not word.endswith("*")]


def _is_version(options: Mapping[str, str]) -> bool:
    """Whether what is copied ends up in a folder of a number, unless somebody chose the paths himself."""
    return _last(options.get("--prefix", "")).isdecimal() or "--allow" in options


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
