"""Model servers among the pods of a Plan: which engine runs in a container, and what it is told."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from eksml import names
from eksml.catalog import Model, engines, image_of, images, models
from eksml.checks.workloads import Workload, workloads_of
from eksml.plan import Plan, Resource

# The programs by which engines are known whatever their image.
_PROGRAMS = {
    "vllm": "vllm",
    "vllm.entrypoints.openai.api_server": "vllm",
    "tritonserver": "triton",
    "tensorflow_model_server": "tensorflowServing",
    "huggingfaceserver": "transformers",
    "ovms": "openVino",
}
# `python -m PROGRAM` has three.
_PROGRAM_WORDS = 3
_SHELLS = ("sh", "bash")
_POPULATE_SCRIPT = "populate.py"


@dataclass(frozen=True)
class EngineContainer:
    """A container that answers requests for a model."""

    workload: Workload
    container: Mapping[str, Any]
    kind: str
    """The engine, by its name in the catalog."""

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The program and its arguments, also where a shell is told of them."""
        return _words(self.container)

    @cached_property
    def options(self) -> Mapping[str, str]:
        """Its arguments by name, given as `--name value` or `--name=value`; a flag is empty."""
        return _options(self.words)

    @property
    def expected_start_seconds(self) -> float | None:
        """How long it takes at most until it answers, by its annotation or, without one, by its engine's start."""
        return _annotated_start(self.workload.resource)

    @property
    def model(self) -> str | None:
        """The model that it is told to load: an id of the hub, or a place; None: it is not said in its arguments."""
        if self.kind == "vllm":
            return self.options.get("--model") or _after(self.words, "serve")
        return self.options.get("--model_id") if self.kind == "transformers" else None


@lru_cache(maxsize=1)
def engines_of(plan: Plan) -> tuple[EngineContainer, ...]:
    """Every container of a Plan in which an engine runs."""
    return tuple(
        EngineContainer(workload, container, kind)
        for workload in workloads_of(plan)
        for container in workload.pod.get("containers") or ()
        if (kind := _engine_in(container))
    )


@dataclass(frozen=True)
class Loaded:
    """A model of the catalog that a workload loads from the hub or a place that was filled from it."""

    workload: Workload
    container: Mapping[str, Any]
    name: str
    fact: Model
    comes_from_hub: bool
    """Whether this container itself fetches it."""


@lru_cache(maxsize=1)
def loaded_models(plan: Plan) -> tuple[Loaded, ...]:
    """The models of the catalog that engines load, and Jobs copy."""
    return tuple(_loaded(plan))


def model_of(engine: EngineContainer, plan: Plan) -> str | None:
    """The model of the catalog that an engine loads, whatever the place; None: it is not known."""
    if engine.model in models():
        return engine.model
    return _populated(plan).get(
        (namespace_of(engine.workload.resource), engine.workload.labels.get(names.SERVER_LABEL))
    )


def files_of(engine: EngineContainer, plan: Plan) -> dict[str, str]:
    """What lies in the ConfigMaps that its pods mount, by file name."""
    wanted = {str((volume.get("configMap") or {}).get("name")) for volume in engine.workload.pod.get("volumes") or ()}
    place = namespace_of(engine.workload.resource)
    return {
        name: str(content)
        for each in plan.of_type("kubernetes:core/v1:ConfigMap")
        if namespace_of(each) == place and (each.inputs.get("metadata") or {}).get("name") in wanted
        for name, content in (each.inputs.get("data") or {}).items()
    }


def namespace_of(resource: Resource) -> str:
    """The namespace that an object lives in."""
    return str((resource.inputs.get("metadata") or {}).get("namespace") or "default")


def copies_of(plan: Plan) -> Iterator[tuple[Workload, Mapping[str, str]]]:
    """The Jobs that fill a bucket from the hub, each with its options."""
    for workload in workloads_of(plan):
        for container in workload.pod.get("containers") or ():
            words = _words(container)
            if any(word.rpartition("/")[2] == _POPULATE_SCRIPT for word in words):
                yield workload, _options(words)


def server_of(workload: Workload) -> str | None:
    """The model server that a workload belongs to."""
    own = (workload.resource.inputs.get("metadata") or {}).get("labels") or {}
    return workload.labels.get(names.SERVER_LABEL) or own.get(names.SERVER_LABEL)


def _loaded(plan: Plan) -> Iterator[Loaded]:
    for engine in engines_of(plan):
        if name := model_of(engine, plan):
            yield Loaded(engine.workload, engine.container, name, models()[name], engine.model == name)
    for workload, options in copies_of(plan):
        if (name := options.get("--repository", "")) in models():
            yield Loaded(workload, workload.pod["containers"][0], name, models()[name], comes_from_hub=True)


@lru_cache(maxsize=1)
def _populated(plan: Plan) -> dict[tuple[str, str | None], str]:
    """By namespace and server, the model of the catalog that a Job copies to where the server reads it."""
    return {
        (namespace_of(workload.resource), server_of(workload)): options["--repository"]
        for workload, options in copies_of(plan)
        if options.get("--repository") in models()
    }


def _engine_in(container: Mapping[str, Any]) -> str | None:
    for word in _words(container)[:_PROGRAM_WORDS]:
        if kind := _PROGRAMS.get(word.rpartition("/")[2]):
            return kind
    # An image runs its engine unless its command is something else, such as a script that becomes the engine.
    return _by_repository().get(image_of(str(container.get("image"))).repository)


@lru_cache(maxsize=1)
def _by_repository() -> dict[str, str]:
    found: dict[str, str] = {}
    for kind, engine in engines().items():
        for image in filter(None, (engine.image, engine.cpu_image)):
            # Ray's image runs whatever Ray runs, and KServe's server is itself the engine.
            if kind not in ("rayServeVllm", "kserve"):
                found[images()[image].repository] = kind
    return found


def _words(container: Mapping[str, Any]) -> tuple[str, ...]:
    words = [str(word) for word in (*(container.get("command") or ()), *(container.get("args") or ()))]
    if len(words) > 2 and words[0].rpartition("/")[2] in _SHELLS and words[1].startswith("-") and "c" in words[1]:
        with suppress(ValueError):
            return tuple(shlex.split(words[2]))
    return tuple(words)


def _options(words: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word, following in zip(words, (*words[1:], "-"), strict=True):
        name, has_value, value = word.partition("=")
        if name.startswith("-"):
            found[name] = value if has_value else ("" if following.startswith("-") else following)
    return found


def _after(words: tuple[str, ...], word: str) -> str | None:
    following = words[words.index(word) + 1 :] if word in words else ()
    return following[0] if following and not following[0].startswith("-") else None


def _annotated_start(resource: Resource) -> float | None:
    annotations = (resource.inputs.get("metadata") or {}).get("annotations") or {}
    try:
        parts = json.loads(annotations.get(names.COLD_START_ANNOTATION, "null"))
    except ValueError:
        return None
    if not isinstance(parts, Mapping):
        return None
    return sum((parts.get(part) or {}).get("high", 0) for part in ("weights", "warmUp"))
