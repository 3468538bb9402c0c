"""What a month of machine learning costs with one framework or another: people, platform, training and serving.

No source measures what a framework costs. What differs between them here are factors of effort, which are estimates of
ours by how decision guides rank them, and how long they train, which is a published benchmark of five models. Platform
and serving are the same for all: requests are answered by a model server. Put your own figures in their place.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator, Mapping
from math import ceil
from typing import Annotated, Any, NamedTuple, TypedDict

from pydantic import ConfigDict, Field, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

from eksml.catalog import instance_types, price, training_steps
from eksml.costs.amounts import HOURS_PER_MONTH
from eksml.costs.assumptions import Assumed, Assumption, amount
from eksml.costs.bill import Bill
from eksml.costs.runs import run_cost
from eksml.errors import InputError, Problem, listed, nearest
from eksml.spec import PositiveCount, Region, Spec

_REFERENCE = "pytorch"
_RANKED = "an estimate, from how decision guides rank them"
_MEASURED = "the median of a benchmark of five models: catalog/frameworks.yaml, trainingSteps"
_OF_THE_BASE = ("systemInstance", "systemNodes")
_SECONDS_PER_MONTH = HOURS_PER_MONTH * 3600
_COUNTED_APART = ("training", "serving")

Factor = Annotated[float, Field(strict=True, gt=0, le=100)]


class FrameworkWorkload(Spec):
    """What is to be done with a framework."""

    # Its words are those of Python programs, not of a stack file.
    model_config = ConfigDict(alias_generator=None)

    num_models: Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
    """How many models there are."""
    monthly_requests: Annotated[int, Field(strict=True, ge=0, le=10**15)]
    """Requests that all models answer in a month."""
    team_size: Annotated[int, Field(strict=True, ge=1, le=100_000)]
    """How many people work with the framework."""
    training_hours_per_month: Annotated[float, Field(strict=True, ge=0, le=10**9)]
    """Hours in which one instance trains, of all instances together, with PyTorch."""


def _factors(source: str) -> Any:
    return Field(json_schema_extra={"unit": "times the effort of PyTorch", "source": source})


def _training_time() -> dict[str, float]:
    return training_steps().usual_times(_REFERENCE)


def _chosen(unit: str) -> Any:
    return Field(json_schema_extra={"unit": unit, "source": "a choice of ours"})


class FrameworkAssumptions(Assumed):
    """What the costs of frameworks rest on."""

    region: Annotated[Region, _chosen("AWS region")] = "us-west-2"
    """Where instances are priced."""
    developer_usd: Annotated[float, amount("US dollars/hour")] = 75
    """What an hour of a person costs."""
    development_hours: Annotated[float, amount("hours/person/month", HOURS_PER_MONTH)] = 8
    """Hours that the framework takes of each person: upgrades, conversions, and what it does not explain by itself."""
    operations_hours: Annotated[float, amount("hours/model/month", HOURS_PER_MONTH)] = 1
    """Hours that running each model takes."""
    development_effort: Annotated[dict[str, Factor], _factors(_RANKED)] = Field(
        default={"pytorch": 1.0, "tensorflow": 1.15, "jax": 1.3}
    )
    """How much more time a framework takes of developers: its learning curve is ranked medium, medium to high, high."""
    operations_effort: Annotated[dict[str, Factor], _factors(_RANKED)] = Field(
        default={"pytorch": 1.0, "tensorflow": 0.9, "jax": 1.2}
    )
    """How much more time running its models takes: its production readiness is ranked good, excellent, fair."""
    training_time: Annotated[
        dict[str, Factor],
        Field(json_schema_extra={"unit": "times as long as PyTorch", "source": _MEASURED}),
    ] = Field(default_factory=_training_time)
    """How much longer training takes: by the model from 0.3 to 1.3 times; as long where nothing is said."""
    training_instance: Annotated[str, _chosen("EC2 type")] = "g6.12xlarge"
    """What trains."""
    serving_instance: Annotated[str, _chosen("EC2 type")] = "g6.xlarge"
    """What serves."""
    models_per_instance: Annotated[PositiveCount, _chosen("models")] = 5
    """How many models share an instance while few requests come."""
    requests_per_second: Annotated[float, Field(gt=0), amount("requests/second")] = 20
    """Requests that one instance answers."""
    peak: Annotated[float, amount("times the average", 1000, least=1)] = 3
    """How many more requests than on average instances are there for."""
    system_instance: Annotated[str, _chosen("EC2 type")] = "m7i.large"
    """What the platform's own parts run on, where no bill of a platform is given."""
    system_nodes: Annotated[PositiveCount, _chosen("nodes")] = 2
    """How many of them there are."""

    def rules(self) -> Iterator[Problem]:
        """The instance types are known."""
        for name in ("training_instance", "serving_instance", "system_instance"):
            if (given := getattr(self, name)) not in instance_types():
                near = nearest(given, instance_types())
                yield Problem((to_camel(name),), f"'{given}' given, is not in the catalog of instance types{near}")

    @field_validator("development_effort", "operations_effort", "training_time", mode="before")
    @classmethod
    def _laid_over_the_others(cls, given: Any, info: ValidationInfo) -> Any:
        """What is said of one framework leaves the others as they are."""
        usual = cls.model_fields[str(info.field_name)].get_default(call_default_factory=True)
        return {**usual, **given} if isinstance(given, Mapping) else given


class FrameworkCosts(TypedDict):
    """US dollars a month; None where it is not applicable, as for a request where there are none."""

    base_infrastructure: float
    development: float
    operations: float
    training: float
    inference: float
    total: float
    cost_per_model: float | None
    cost_per_request: float | None
    assumptions: tuple[Assumption, ...]


def analyze_framework_costs(
    workload_specs: Mapping[str, Any],
    frameworks: Iterable[str],
    assumptions: FrameworkAssumptions | None = None,
    platform: Bill | None = None,
) -> dict[str, FrameworkCosts]:
    """What a month costs with each framework.

    Arguments:
        workload_specs: num_models, monthly_requests, team_size and training_hours_per_month.
        frameworks: their names: those for which the assumptions have factors.
        assumptions: what an hour of a person costs, how much of it goes where, on which instances.
        platform: the bill of the platform, of which all but training and serving is the base; by default a control
            plane, a NAT gateway and some nodes.

    Raises InputError for a framework or an instance type that is not known, for a workload that cannot be, and for what
    is of another kind.
    """
    chosen = list(frameworks) if isinstance(frameworks, Iterable) and not isinstance(frameworks, str) else frameworks
    if problems := list(_problems(workload_specs, chosen, assumptions, platform)):
        raise InputError("\n".join(problems))
    workload = FrameworkWorkload(**{str(key): value for key, value in workload_specs.items()})
    assumed = assumptions or (FrameworkAssumptions(region=platform.region) if platform else FrameworkAssumptions())
    base = _base(assumed) if platform is None else _base_of(platform)
    shown = tuple(each for each in assumed.listed() if platform is None or each.name not in _OF_THE_BASE)
    return {name: _costs(_known(name, assumed), workload, assumed, base, shown) for name in chosen}


def _problems(workload_specs: object, frameworks: object, assumptions: object, platform: object) -> Iterator[str]:
    """What is given for an argument and is of another kind; frameworks as a list where they are several."""
    if not isinstance(workload_specs, Mapping):
        wanted = ", ".join(FrameworkWorkload.model_fields)
        yield f"workload_specs: {reprlib.repr(workload_specs)} given, must be a mapping of {wanted}"
    if frameworks == []:
        yield f"frameworks: none given, must be at least one name, such as ['{_REFERENCE}']"
    elif not isinstance(frameworks, list) or not all(isinstance(name, str) for name in frameworks):
        name = frameworks if isinstance(frameworks, str) else _REFERENCE
        yield f"frameworks: {reprlib.repr(frameworks)} given, must be a list of names, such as ['{name}']"
    for argument, value, kind in (("assumptions", assumptions, FrameworkAssumptions), ("platform", platform, Bill)):
        if value is not None and not isinstance(value, kind):
            yield f"{argument}: {reprlib.repr(value)} given, must be {kind.__name__} of eksml.costs, or None"


class Difference(NamedTuple):
    """What a framework costs more than another one in a month, or less, by what says so."""

    estimated: float
    """By the efforts that are assumed of people."""
    measured: float
    """By how long it trains."""


def differences(costs: Mapping[str, FrameworkCosts]) -> dict[str, Difference]:
    """What each framework but the first costs more than that, as far as frameworks differ at all."""
    first, *others = costs
    return {
        name: Difference(
            sum(costs[name][part] - costs[first][part] for part in ("development", "operations")),
            costs[name]["training"] - costs[first]["training"],
        )
        for name in others
    }


def _costs(
    name: str,
    workload: FrameworkWorkload,
    assumed: FrameworkAssumptions,
    base: float,
    shown: tuple[Assumption, ...],
) -> FrameworkCosts:
    hour = assumed.developer_usd
    development = workload.team_size * assumed.development_hours * hour * assumed.development_effort[name]
    operations = workload.num_models * assumed.operations_hours * hour * assumed.operations_effort[name]
    training_hours = workload.training_hours_per_month * assumed.training_time.get(name, 1)
    training = _nodes(assumed.training_instance, 1, training_hours, assumed.region)
    inference = _nodes(assumed.serving_instance, _instances(workload, assumed), HOURS_PER_MONTH, assumed.region)
    total = base + development + operations + training + inference
    return FrameworkCosts(
        base_infrastructure=base,
        development=development,
        operations=operations,
        training=training,
        inference=inference,
        total=total,
        cost_per_model=total / workload.num_models if workload.num_models else None,
        cost_per_request=inference / workload.monthly_requests if workload.monthly_requests else None,
        assumptions=shown,
    )


def _instances(workload: FrameworkWorkload, assumed: FrameworkAssumptions) -> int:
    """How many instances serve: as many as the models need, or as the requests of busy hours do."""
    if not workload.monthly_requests:
        return 0
    by_requests = workload.monthly_requests / _SECONDS_PER_MONTH * assumed.peak / assumed.requests_per_second
    return max(1, ceil(by_requests), ceil(workload.num_models / assumed.models_per_instance))


def _base(assumed: FrameworkAssumptions) -> float:
    nodes = _nodes(assumed.system_instance, assumed.system_nodes, HOURS_PER_MONTH, assumed.region)
    hourly = [price(key, assumed.region) for key in ("eksControlPlane", "natGatewayHour")]
    if None in hourly:
        raise InputError(f"region: the catalog has no prices of a cluster in {assumed.region}")
    return nodes + HOURS_PER_MONTH * sum(each.usd for each in hourly if each)


def _base_of(platform: Bill) -> float:
    """What of a platform is there whatever is trained and served on it."""
    return sum(amounts.expected for purpose, amounts in platform.by_purpose().items() if purpose not in _COUNTED_APART)


def _nodes(instance_type: str, nodes: int, hours: float, region: str) -> float:
    usd = run_cost(instance_type, 1, hours * nodes, region)
    if usd is None:
        raise InputError(f"region: the catalog has no price of {instance_type} in {region}")
    return usd


def _known(name: str, assumed: FrameworkAssumptions) -> str:
    factors = {"developmentEffort": assumed.development_effort, "operationsEffort": assumed.operations_effort}
    lacking = [key for key, of_frameworks in factors.items() if name not in of_frameworks]
    if lacking == [*factors]:
        known = sorted(assumed.development_effort.keys() & assumed.operations_effort.keys())
        raise InputError(
            f"framework '{name}' has no factors of effort{nearest(name, known) or f': {listed(known)} have'}; "
            f"give it some in {' and '.join(factors)} of the assumptions"
        )
    if lacking:
        raise InputError(f"framework '{name}' has no factor of effort in {lacking[0]}: give it one there too")
    return name
