"""Which EC2 instance types serve or train a model, the cheapest of each GPU first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from eksml.catalog import ModelShape, gpus, instance_types, priced_regions
from eksml.catalog.instance_types import Gpu
from eksml.errors import InputError, listed, nearest
from eksml.sizing.inference import BFLOAT16_CAPABILITY, Fit, Range, Serving, fit, gpu_memory
from eksml.sizing.training import Training, TrainingFit, TrainingRun, fit_training, training_run

GROUPS = (1, 2, 4, 8)
"""GPUs of one node that share a model; more than a node has are left out."""

NODES = (1, 2, 4, 8, 16, 32, 64)
"""How many nodes a model is tried to be trained on."""


@dataclass(frozen=True)
class ServingInstance:
    """An instance type on which a model can be served, by as few of its GPUs as it takes."""

    name: str
    fitted: Fit
    usd_per_hour: float | None
    """The price of the whole instance on demand; None: not known."""


@dataclass(frozen=True)
class TrainingInstances:
    """Instances of a type on which a model can be trained, as few as it takes."""

    name: str
    nodes: int
    fitted: TrainingFit
    run: TrainingRun | None
    """None: no number of tokens was given, or nobody says what the GPU calculates."""
    usd_per_hour: float | None
    """The price of one instance on demand; None: not known."""

    @property
    def usd(self) -> Range | None:
        """The price of the whole training on demand; None: not known."""
        if self.run is None or self.usd_per_hour is None:
            return None
        each = self.usd_per_hour * self.nodes
        return Range(*(hours * each for hours in self.run.hours))


def serving_instances(
    model: ModelShape, serving: Serving, region: str, *, only: str | None = None
) -> list[ServingInstance]:
    """Of each GPU and number of GPUs the cheapest instance type of a region on which the model can be served.

    Arguments:
        model: the model.
        serving: how it is served; its GPU and its tensor parallelism are tried one after the other.
        region: AWS region of the prices and offers.
        only: the one type that is tried; None: all.

    Raises InputError for a region without prices, and for a type that is not to be had there.
    """
    found: dict[tuple[str, int], ServingInstance] = {}
    for name, gpu, usd in _offered(region, only):
        for count in (group for group in GROUPS if group <= gpu.count):
            fitted = fit(model, replace(serving, gpu=gpu_memory(gpu), tensor_parallel=count))
            if fitted.fits:
                key, made = (fitted.serving.gpu.title, count), ServingInstance(name, fitted, usd)
                found[key] = min(found.get(key, made), made, key=_price)
                break
    return sorted(found.values(), key=_price)


def training_instances(
    model: ModelShape,
    training: Training,
    region: str,
    *,
    tokens: float | None = None,
    utilization: float | None = None,
    only: str | None = None,
) -> list[TrainingInstances]:
    """Of each GPU the cheapest instance type of a region, and how many of it, on which the model can be trained.

    Arguments:
        model: the model.
        training: how it is trained; its GPU and the number of GPUs are tried one after the other.
        region: AWS region of the prices and offers.
        tokens: tokens of all epochs; None: time and price are left out.
        utilization: the share of a GPU's peak that trains, as measured; None: that of published runs.
        only: the one type that is tried; None: all.

    Raises InputError for a region without prices, and for a type that is not to be had there.
    """
    found: dict[tuple[str, int], TrainingInstances] = {}
    for name, gpu, usd in _offered(region, only):
        if gpu.count % training.tensor_parallel:
            continue
        for nodes in NODES:
            how = replace(training, gpu=gpu_memory(gpu), gpus=nodes * gpu.count)
            fitted = fit_training(model, how)
            if fitted.fits:
                peak = gpus()[gpu.model].peak_teraflops
                run = (
                    training_run(model, how, tokens=tokens, peak_teraflops=peak, utilization=utilization)
                    if tokens and peak
                    else None
                )
                key = (how.gpu.title, how.gpus)
                made = TrainingInstances(name, nodes, fitted, run, usd)
                found[key] = min(found.get(key, made), made, key=_price)
                break
    return sorted(found.values(), key=_whole_price)


def _offered(region: str, only: str | None) -> Iterator[tuple[str, Gpu, float | None]]:
    """The types with whole GPUs that calculate in bfloat16, as models are published, in a region, with their price."""
    if region not in priced_regions():
        raise InputError(f"region: {region} has no prices in the catalog, {listed(sorted(priced_regions()))} have")
    offered = {
        name: fact.gpu
        for name, fact in instance_types().items()
        if region in fact.regions and fact.gpu and fact.gpu.count and _calculates(fact.gpu)
    }
    if only is not None and only not in offered:
        reason = f"no type with whole GPUs from compute capability {BFLOAT16_CAPABILITY:g} that {region} offers"
        raise InputError(f"instance: {only} is {reason}{nearest(only, offered)}")
    for name in (only,) if only else offered:
        price = instance_types()[name].on_demand_usd_per_hour.get(region)
        yield name, offered[name], price.usd if price else None


def _calculates(gpu: Gpu) -> bool:
    return float(gpus()[gpu.model].compute_capability) >= BFLOAT16_CAPABILITY


def _price(instance: ServingInstance | TrainingInstances) -> tuple[float, str]:
    return (float("inf") if instance.usd_per_hour is None else instance.usd_per_hour), instance.name


def _whole_price(instances: TrainingInstances) -> tuple[float, float, str]:
    usd, (hourly, name) = instances.usd, _price(instances)
    return usd.expected if usd else float("inf"), hourly * instances.nodes, name
