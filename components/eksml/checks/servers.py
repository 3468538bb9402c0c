"""Model servers: that the model fits and may be had, and that the engine stays within its pod and lives to answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from eksml import names
from eksml.catalog import cold_starts, models
from eksml.checks.engines import EngineContainer, engines_of, files_of, loaded_models, model_of
from eksml.checks.finding import Found
from eksml.checks.nodes import Node, nodes_of
from eksml.checks.quantities import amount_of
from eksml.checks.queues import queued
from eksml.checks.scheduling import may_run
from eksml.checks.workloads import Workload, asked_of, workloads_of
from eksml.errors import InputError
from eksml.plan import Plan
from eksml.sizing.advice import problem
from eksml.sizing.arguments import serving_by_transformers, serving_by_vllm
from eksml.sizing.inference import fit, gpu_memory

_SERVING = {"vllm": serving_by_vllm, "transformers": serving_by_transformers}
_TOKENS = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}
_MIB = 1024**2


def model_fits(plan: Plan) -> Iterator[Found]:
    """Each model of the catalog fits the GPUs of every node that its pods can land on."""
    for engine in engines_of(plan):
        name = model_of(engine, plan)
        if name is None or engine.kind not in _SERVING:
            continue
        for node in _nodes_for(engine, plan):
            if text := _misfit(engine, name, node):
                text = f"{engine.workload.name}: {name} on {node.instance_type} {text}"
                yield Found(engine.workload.resource, text)
                break


def engine_fits_pod(plan: Plan) -> Iterator[Found]:
    """No engine is told to take more GPUs, memory or CPUs than its pod asks for."""
    for engine in engines_of(plan):
        for text in (*_too_many_gpus(engine, plan), *_too_much_memory(engine), *_too_many_threads(engine)):
            yield Found(engine.workload.resource, f"{engine.workload.name}: {text}")
    for workload in workloads_of(plan):
        for text in _shared_memory(workload):
            yield Found(workload.resource, f"{workload.name}: {text}")


def probe_allows_loading(plan: Plan) -> Iterator[Found]:
    """No probe ends a server that still loads its model."""
    for engine in engines_of(plan):
        probe = next((key for key in ("startupProbe", "livenessProbe") if engine.container.get(key)), None)
        if probe is None:
            continue
        allowed, expected = _seconds_allowed(engine.container[probe]), _expected_start(engine)
        if allowed < expected:
            text = f"its {probe} ends it after {allowed} s, and it may load for {ceil(expected)} s"
            advice = "raise failureThreshold" if probe == "startupProbe" else "give it a startupProbe"
            yield Found(engine.workload.resource, f"{engine.workload.name}: {text}: {advice}")


def gated_model_token(plan: Plan) -> Iterator[Found]:
    """What loads a gated model from the hub has a token for it."""
    for each in loaded_models(plan):
        given = {variable.get("name") for variable in each.container.get("env") or ()}
        if each.comes_from_hub and each.fact.gated and not (given & _TOKENS or each.container.get("envFrom")):
            text = f"{each.name} is gated, and nothing gives it HF_TOKEN: accept its licence and name a Secret"
            yield Found(each.workload.resource, f"{each.workload.name}: {text}")


def license_allows_use(plan: Plan) -> Iterator[Found]:
    """On a production platform no model is served whose licence forbids commercial use."""
    profiles = {(each.inputs.get("spec") or {}).get("profile") for each in plan.of_type("eksml:platform:Platform")}
    for each in loaded_models(plan) if "production" in profiles else ():
        if not each.fact.commercial_use:
            text = f"{each.name} is under {each.fact.license}, which forbids commercial use"
            yield Found(each.workload.resource, f"{each.workload.name}: {text}")


def _nodes_for(engine: EngineContainer, plan: Plan) -> Iterator[Node]:
    """The nodes with GPUs that its pods can land on, Kueue's tolerations included."""
    own = engine.workload
    pods = (each for each in queued(plan) if (each.resource.urn, each.name) == (own.resource.urn, own.name))
    for workload in pods:
        for node in nodes_of(plan):
            has_room = all(amount <= node.allocatable.get(key, amount) for key, amount in workload.requests.items())
            if node.fact.gpu and has_room and workload.requests.get(names.GPU_RESOURCE) and may_run(workload.pod, node):
                yield node


def _misfit(engine: EngineContainer, model: str, node: Node) -> str | None:
    if node.fact.gpu is None:
        return None
    try:
        return problem(fit(models()[model], _SERVING[engine.kind](engine.options, gpu_memory(node.fact.gpu))))
    except (ValueError, InputError):
        # What cannot be read here, such as a length of 16k, is the engine's to judge.
        return None


def _too_many_gpus(engine: EngineContainer, plan: Plan) -> Iterator[str]:
    has = asked_of(engine.container)[names.GPU_RESOURCE]
    if engine.kind == "vllm" and engine.options.get("--distributed-executor-backend") != "ray":
        tensor, pipeline = (_whole(engine.options, f"--{kind}-parallel-size") or 1 for kind in ("tensor", "pipeline"))
        has *= _whole(engine.options, "--nnodes") or 1
        if tensor * pipeline > max(has, 1):
            yield f"{tensor} × {pipeline} GPUs for tensor × pipeline parallelism, and its pods ask for {has}"
    if engine.kind == "triton":
        for file, content in sorted(files_of(engine, plan).items()):
            yield from (f"{file} {text}" for text in _triton_gpus(file, content, has))


def _triton_gpus(file: str, content: str, has: int) -> Iterator[str]:
    if file.endswith("pbtxt"):
        listed = " ".join(re.findall(r"\bgpus\s*:\s*(\[[^]]*\]|\d+)", content))
        highest = max(map(int, re.findall(r"\d+", listed)), default=-1)
        if highest >= has:
            yield f"puts instances on GPU {highest}, and the pod asks for {has}, counted from 0"
        elif not has and re.search(r"\bKIND_GPU\b", content):
            yield "puts instances on GPUs, and the pod asks for none"
    elif file.endswith((".json", ".yaml")):
        settings = _json(content)
        tensor, pipeline = (settings.get(f"{kind}_parallel_size") or 1 for kind in ("tensor", "pipeline"))
        if tensor * pipeline > max(has, 1):
            yield f"says {tensor} × {pipeline} GPUs for tensor × pipeline parallelism, and the pod asks for {has}"


def _too_much_memory(engine: EngineContainer) -> Iterator[str]:
    limit = _limit(engine.container, "memory")
    cache = re.search(r"size=(\d+)", engine.options.get("--cache-config", ""))
    wanted = {
        "--cpu-offload-gb": (_whole(engine.options, "--cpu-offload-gb") or 0) * 1024,
        "--pinned-memory-pool-byte-size": (_whole(engine.options, "--pinned-memory-pool-byte-size") or 0) // _MIB,
        "--cache-config": int(cache[1]) // _MIB if cache else 0,
    }
    for option, amount in wanted.items():
        if limit and amount > limit:
            yield f"{option} takes {amount} MiB, and the limit of its memory is {limit} MiB"


def _too_many_threads(engine: EngineContainer) -> Iterator[str]:
    limit = ceil(_limit(engine.container, "cpu") / 1000)
    for option in ("--tensorflow_intra_op_parallelism", "--tensorflow_session_parallelism"):
        threads = _whole(engine.options, option) or 0
        if limit and threads > limit:
            yield f"{option}={threads}, and it is held to {limit} CPUs: it would be stopped for most of each moment"


def _shared_memory(workload: Workload) -> Iterator[str]:
    """A volume in memory counts as memory of the container that writes to it."""
    sizes = {
        volume.get("name"): amount_of("memory", (volume.get("emptyDir") or {}).get("sizeLimit"))
        for volume in workload.pod.get("volumes") or ()
        if (volume.get("emptyDir") or {}).get("medium") == "Memory"
    }
    for container in workload.pod.get("containers") or ():
        limit = _limit(container, "memory")
        for mount in container.get("volumeMounts") or ():
            size = sizes.get(mount.get("name"), 0)
            if limit and size > limit:
                where = f"{mount.get('mountPath')} may hold {size} MiB of memory"
                yield f"{where}, and the limit of container {container.get('name')} is {limit} MiB"


def _seconds_allowed(probe: Mapping[str, Any]) -> int:
    # The defaults: https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/
    return probe.get("initialDelaySeconds", 0) + probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)


def _expected_start(engine: EngineContainer) -> float:
    annotated = engine.expected_start_seconds
    return cold_starts().engines[engine.kind].best.high if annotated is None else annotated


def _limit(container: Mapping[str, Any], resource: str) -> int:
    limits = (container.get("resources") or {}).get("limits") or {}
    return amount_of(resource, limits.get(resource))


def _whole(options: Mapping[str, str], name: str) -> int | None:
    value = options.get(name, "")
    return int(value) if value.isdecimal() else None


def _json(content: str) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}
