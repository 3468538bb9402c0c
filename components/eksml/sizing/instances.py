"""Which EC2 instance types serve or train a model, the cheapest of each GPU first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import inf

from eksml.catalog import Gpu, ModelShape, gpus, instance_types, priced_regions
from eksml.errors import InputError, listed, nearest
from eksml.sizing.advice import FEW_REQUESTS
from eksml.sizing.inference import BFLOAT16_CAPABILITY, Fit, Range, Serving, fit, gpu_memory, groups_of
from eksml.sizing.training import Training, TrainingFit, fit_training
from eksml.sizing.training_time import TrainingRun, training_run

NODES = (1, 2, 4, 8, 16, 32, 64)
"""How many nodes a model is tried to be trained on: parallelism wants powers of two."""

SERVING_NODES = range(2, 9)
"""How many nodes a model is tried to be served on that no single one holds: a stage of a pipeline each."""

Offer = tuple[str, Gpu, float | None]
"""An instance type, its GPUs, and its price for an hour."""


@dataclass(frozen=True)
class ServingInstance:
    """An instance type on which a model can be served, by as few of its GPUs as it takes, or by several nodes of it."""

    name: str
    fitted: Fit
    usd_per_hour: float | None
    """The price of all nodes, whole and on demand; None: not known."""

    @property
    def nodes(self) -> int:
        """How many of them: the stages of the pipeline, each on all GPUs of one node."""
        return self.fitted.serving.pipeline_parallel

    @property
    def gpu(self) -> str:
        """The model of its GPUs."""
        return _gpu_model(self.name)

    @property
    def gpus(self) -> int:
        """All GPUs of one, also those that the model does not take."""
        gpu = instance_types()[self.name].gpu
        return gpu.count if gpu else 0


@dataclass(frozen=True)
class TrainingInstances:
    """Instances of a type on which a model can be trained, as few as it takes."""

    name: str
    nodes: int
    fitted: TrainingFit
    run: TrainingRun | None
    """None: no number of tokens was given, or no source gives the peak of the GPU."""
    usd_per_hour: float | None
    """The price of all of them on demand; None: not known."""

    @property
    def gpu(self) -> str:
        """The model of its GPUs."""
        return _gpu_model(self.name)

    def explain(self) -> list[str]:
        """What the answer rests on, a line each."""
        return self.fitted.explain() + (self.run.explain() if self.run else [])

    @property
    def usd(self) -> Range | None:
        """The price of the whole training on demand; None: not known."""
        if self.run is None or self.usd_per_hour is None:
            return None
        return Range(*(hours * self.usd_per_hour for hours in self.run.hours))


def serving_instances(
    model: ModelShape, serving: Serving, region: str, *, only: str | None = None
) -> list[ServingInstance]:
    """Of each GPU and number of GPUs the cheapest instance type of a region on which the model can be served.

    By one node where one holds it; otherwise by several of a type: tensor parallelism over the GPUs of each, a pipeline
    over the nodes, as vLLM advises (https://docs.vllm.ai/en/stable/serving/parallelism_scaling/).

    Arguments:
        model: the model.
        serving: how it is served; its GPU and its tensor parallelism are tried one after the other.
        region: AWS region of the prices and offers.
        only: the one type that is tried; None: all.

    Raises InputError for a region without prices, for a type that is not to be had there, for a context that is
    longer than the model takes, and for what the model or the engine does not have.
    """
    if problems := list(_problems(model, serving)):
        raise InputError("\n".join(problems))
    offered = list(_offered(region, only))
    found = _on_one_node(model, serving, offered)
    if not found and serving.engine.shares_gpus and model.transformer:
        too_small = [each for each in offered if only is None or not _holds(model, serving, each[1])]
        found = _over_nodes(model, serving, too_small)
    cheapest: dict[tuple[str, int, int], ServingInstance] = {}
    for made in found:
        how = made.fitted.serving
        key = (how.gpu.title, how.tensor_parallel, how.pipeline_parallel)
        cheapest[key] = min(cheapest.get(key, made), made, key=_price)
    return sorted(cheapest.values(), key=_price)


def _on_one_node(model: ModelShape, serving: Serving, offered: Iterable[Offer]) -> list[ServingInstance]:
    """The types of which one node holds the model, by as few of its GPUs as do, and as surely do."""
    found = []
    for name, gpu, usd in offered:
        for count in groups_of(gpu.count, serving.engine):
            fitted = fit(model, replace(serving, gpu=gpu_memory(gpu), tensor_parallel=count))
            if fitted.fits:
                found.append(ServingInstance(name, fitted, usd))
            if fitted.fits and fitted.is_certain:
                break
    return found


def _over_nodes(model: ModelShape, serving: Serving, offered: Iterable[Offer]) -> list[ServingInstance]:
    """The types of which several nodes hold the model, by as few as do."""
    found = []
    for name, gpu, usd in offered:
        how = replace(serving, gpu=gpu_memory(gpu), tensor_parallel=gpu.count)
        ways = (fit(model, replace(how, pipeline_parallel=nodes)) for nodes in SERVING_NODES)
        if fitted := next((way for way in ways if way.fits), None):
            nodes = fitted.serving.pipeline_parallel
            found.append(ServingInstance(name, fitted, None if usd is None else usd * nodes))
    return found


def _holds(model: ModelShape, serving: Serving, gpu: Gpu) -> bool:
    """Whether all GPUs of a node hold the model, if not with what is asked of it or as the engine has it."""
    few = min(serving.max_num_seqs or FEW_REQUESTS, FEW_REQUESTS)
    fitted = fit(model, replace(serving, gpu=gpu_memory(gpu), tensor_parallel=gpu.count, max_num_seqs=few))
    return fitted.is_divisible and fitted.kv_pool_gib.expected > 0


def training_instances(
    model: ModelShape,
    training: Training,
    region: str,
    *,
    tokens: float | None = None,
    utilization: float | None = None,
    only: str | None = None,
) -> list[TrainingInstances]:
    """Of each GPU and number of GPUs the cheapest instances of a region on which the model can be trained.

    Arguments:
        model: the model.
        training: how it is trained; its GPU and the number of GPUs are tried one after the other.
        region: AWS region of the prices and offers.
        tokens: tokens of all epochs; None: time and price are left out.
        utilization: the share of a GPU's peak that trains, as measured; None: that of published runs.
        only: the one type that is tried; None: all.

    Raises InputError for a region without prices, for a type that is not to be had there, for tensor parallelism
    that divides no node, and for a utilization or accumulation without tokens.
    """
    if utilization is not None and tokens is None:
        raise InputError(f"utilization: {utilization} given, only a time has one: tokens must be given too")
    if training.accumulation > 1 and tokens is None:
        raise InputError(f"accumulation: {training.accumulation} given, only a time depends on it: give tokens too")
    found: dict[tuple[str, int], TrainingInstances] = {}
    offered = [each for each in _offered(region, only) if each[1].count % training.tensor_parallel == 0]
    if not offered:
        place = only or "any type"
        raise InputError(f"tensor_parallel: {training.tensor_parallel} given, it does not divide the GPUs of {place}")
    for name, gpu, usd in offered:
        for nodes in NODES:
            if nodes * gpu.count % (training.tensor_parallel * training.expert_parallel):
                continue
            how = replace(training, gpu=gpu_memory(gpu), gpus=nodes * gpu.count)
            fitted = fit_training(model, how)
            if fitted.fits:
                run = None if tokens is None else _run(model, how, name, nodes, tokens, utilization)
                key = (how.gpu.title, how.gpus)
                made = TrainingInstances(name, nodes, fitted, run, None if usd is None else usd * nodes)
                found[key] = min(found.get(key, made), made, key=_whole_price)
                break
    return sorted(found.values(), key=_whole_price)


def _problems(model: ModelShape, serving: Serving) -> Iterator[str]:
    """What the model does not take, or what would have no effect on it or its engine."""
    if model.transformer is None:
        for name in ("context_length", "kv_precision", "max_num_batched_tokens", "max_num_seqs"):
            if (value := getattr(serving, name)) is not None:
                yield f"{name}: {value} given, the model is no transformer and has none"
        return
    most = model.transformer.context_length
    if serving.context_length and serving.context_length > most:
        yield (
            f"context_length: {serving.context_length} given, the model takes at most {most}; where YaRN stretches it, "
            "give a config.json whose max_position_embeddings says so"
        )
    for name in ("max_num_batched_tokens", "max_num_seqs"):
        if (value := getattr(serving, name)) is not None and getattr(serving.engine.limits, name) is None:
            yield f"{name}: {value} given, the engine has no such setting"


def _offered(region: str, only: str | None) -> Iterator[Offer]:
    """The types with whole GPUs that calculate in bfloat16, as models are published, in a region, with their price."""
    if not isinstance(region, str) or region not in priced_regions():
        raise InputError(f"region: {region} has no prices in the catalog, {listed(sorted(priced_regions()))} have")
    offered = {
        name: fact.gpu
        for name, fact in instance_types().items()
        if region in fact.regions and fact.gpu and fact.gpu.count and _calculates(fact.gpu)
    }
    if only is not None and only not in offered:
        raise InputError(f"instance: {only} {_why_not(only, region)}")
    for name in (only,) if only else offered:
        price = instance_types()[name].on_demand_usd_per_hour.get(region)
        yield name, offered[name], price.usd if price else None


def _why_not(name: str, region: str) -> str:
    """Why a type is none of those that are tried."""
    if (fact := instance_types().get(name)) is None:
        return f"is not in the catalog of instance types{nearest(name, instance_types())}"
    if (gpu := fact.gpu) is None:
        return "has no GPU"
    if not gpu.count:
        return "has only a part of a GPU"
    if not _calculates(gpu):
        capability = gpus()[gpu.model].compute_capability
        return f"has {gpu.model} of compute capability {capability}, must be at least {BFLOAT16_CAPABILITY:g}: bfloat16"
    return f"is not offered in {region}"


def _run(
    model: ModelShape, how: Training, instance: str, nodes: int, tokens: float, utilization: float | None
) -> TrainingRun | None:
    """How long it takes on instances of a type; None: no source gives the peak of its GPU."""
    peak = gpus()[_gpu_model(instance)].peak_teraflops
    if peak is None:
        return None
    return training_run(
        model,
        how,
        tokens=tokens,
        peak_teraflops=peak,
        utilization=utilization,
        nodes=nodes,
        network_gbps=instance_types()[instance].network_gbps,
    )


def _gpu_model(instance: str) -> str:
    gpu = instance_types()[instance].gpu
    return gpu.model if gpu else ""


def _calculates(gpu: Gpu) -> bool:
    return float(gpus()[gpu.model].compute_capability) >= BFLOAT16_CAPABILITY


def _price(instance: ServingInstance | TrainingInstances) -> tuple[float, int, str]:
    """By what the cheapest is found: without a price, or of two that cost the same, the one with fewer GPUs."""
    fact = instance_types()[instance.name].gpu
    gpus = instance.nodes * (fact.count if fact else 0)
    return (inf if instance.usd_per_hour is None else instance.usd_per_hour), gpus, instance.name


def _whole_price(instances: TrainingInstances) -> tuple[float, float, int, str]:
    usd = instances.usd
    return usd.expected if usd else inf, *_price(instances)
