"""Model servers: their images, ports and health checks, what they are scaled by and what a new version is judged by."""

from functools import cache
from typing import Literal

from pydantic import Field

from eksml.catalog._facts import Fact, SourcedFact, load

EngineKind = Literal["vllm", "rayServeVllm", "triton", "tensorflowServing", "transformers", "kserve", "openVino"]
"""The engines, by what a stack file calls them."""
Grade = Literal["excellent", "high", "good", "medium", "fair", "low"]


class Ports(Fact):
    """The ports of a server; None: it has none of that kind."""

    http: int
    grpc: int | None
    metrics: int


class HealthPaths(Fact):
    """Where a server says how it is; `$model` is the model's name. None: no path says that."""

    startup: str
    ready: str
    live: str | None


class Signal(Fact):
    """What the number of replicas follows."""

    query: str
    """PromQL, a sum over all pods; `$pods` stands for the label matchers."""
    unit: str
    target: float
    """What one replica should have of it."""
    why: str


class AnalysisQuery(Fact):
    """What a new version is judged by."""

    query: str | None
    """PromQL with one value; `$pods` stands for the label matchers. None: it cannot be measured."""
    reason: str | None = None
    """Why there is no query."""
    note: str | None = None


class Analysis(Fact):
    """The queries that a new version is judged by."""

    success_rate: AnalysisQuery
    """The share of requests without a failure of the server's, 0 to 1; not a number without any request."""
    latency: AnalysisQuery
    """The 95th percentile, in seconds."""
    gpu_errors: AnalysisQuery
    """How often a GPU of the pods reported another Xid error in five minutes."""


class Rating(Fact):
    """A row of the engine matrix; None: the decision guide does not rate it."""

    frameworks: tuple[str, ...]
    model_types: tuple[str, ...]
    performance: Grade | None
    ease_of_use: Grade | None
    memory_efficiency: Grade | None
    cost: Grade | None


class Backend(Fact):
    """What runs models inside Triton."""

    title: str
    image: str
    """The catalog's name of the image that has it."""
    on_cpu: bool
    on_gpu: bool
    model_file: str | None
    """The file of a model in its version's folder; None: it is named elsewhere."""
    note: str | None = None
    rating: Rating | None = None


class Engine(SourcedFact):
    """One model server."""

    title: str
    image: str
    """The catalog's name of its image."""
    cpu_image: str | None
    """That of its image for nodes without GPUs; None: it needs a GPU."""
    exporter: str
    """The catalog's name of the exporter that its metrics are."""
    ports: Ports
    metrics_path: str
    metrics_arguments: tuple[str, ...]
    """Arguments without which it does not measure what the queries ask."""
    health_paths: HealthPaths
    protocol: Literal["openAi", "openInference", "tensorflowServing"]
    default_signal: str
    signals: dict[str, Signal]
    analysis: Analysis
    rating: Rating
    backends: dict[str, Backend] = Field(default_factory=dict)
    """What runs models inside it, by name; only Triton has a choice."""
    removed_backends: dict[str, str] = Field(default_factory=dict)
    """Backends that are gone, each with what to take instead."""


@cache
def engines() -> dict[str, Engine]:
    """Every engine of the catalog, by kind."""
    return {kind: Engine.model_validate(entry) for kind, entry in load("engines.yaml")["engines"].items()}


def for_pods(query: str, **labels: str) -> str:
    """A query of the catalog for the targets with these labels, such as namespace and eksml_dev_server."""
    return query.replace("$pods", ",".join(f'{label}="{value}"' for label, value in labels.items()))
