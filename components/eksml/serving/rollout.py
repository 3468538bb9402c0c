"""How a new version of a model server takes over: beside the old one and then at once, or pod by pod, and by what it is judged.

A Rollout of Argo Rollouts takes the place of the server's Deployment. The functions here make plain objects; whoever has
the server makes them in the cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from eksml import names
from eksml.catalog import Engine
from eksml.errors import Problem
from eksml.kubernetes_object import KubernetesObject
from eksml.spec import Flag, PositiveCount, Spec, pattern

ROLLOUT_API = "argoproj.io/v1alpha1"
_HASH = "pod-template-hash"
# As the catalog's queries have it: the 95th percentile, over two minutes.
_PERCENTILE, _LOOKBACK = "0.95", "[2m]"
_VERSIONS_KEPT = 3

Seconds = Annotated[int, Field(strict=True, ge=0, le=86_400)]
Count = Annotated[int, Field(strict=True, ge=0, le=1000)]


class LatencySpec(Spec):
    """How long requests may take."""

    percentile: Literal[50, 90, 95, 99] = 95
    """The percentage of requests that must be as fast."""
    limit_ms: PositiveCount
    """The most that they may take, in milliseconds; of an engine that writes word by word, until the first one."""


class AnalysisSpec(Spec):
    """By what a new version is judged, on the metrics of its own pods only.

    What cannot be measured, for want of requests or of an exporter, is neither good nor bad: it is inconclusive, and a
    person has to decide.
    """

    success_rate: Annotated[float, Field(gt=0, le=1)] = 0.95
    """The least share of requests that must be answered without an error of the server, 0 to 1."""
    latency: LatencySpec | None = None
    """How long requests may take; none given: it is not judged."""
    gpu_errors: Count = 0
    """The most errors that the GPUs of its pods may report in five minutes."""
    interval_seconds: Annotated[int, Field(strict=True, ge=10, le=3600)] = 60
    """Seconds between two measurements."""
    count: Annotated[int, Field(strict=True, ge=1, le=1000)] = 5
    """How often it is measured."""
    failure_limit: Count = 0
    """How many measurements may be bad before the new version is given up."""
    inconclusive_limit: Count = 0
    """How many measurements may have no result before a person has to decide."""
    lookback_seconds: Annotated[int, Field(strict=True, ge=60, le=3600)] = 120
    """The seconds before each measurement that it is about; the first one waits as long."""

    def rules(self) -> Iterator[Problem]:
        """At least one measurement has to be good."""
        if self.failure_limit + self.inconclusive_limit >= self.count:
            text = (
                f"{self.count} given, must be more than failureLimit and inconclusiveLimit together "
                f"({self.failure_limit + self.inconclusive_limit}): else no measurement has to be good"
            )
            yield Problem(("count",), text)

    @property
    def seconds(self) -> int:
        """How long it takes."""
        return self.lookback_seconds + self.interval_seconds * self.count


class PreviewLoad(Spec):
    """Requests for a new version that nobody uses yet, for as long as it is judged: a small Job sends them."""

    path: Annotated[str, pattern(r"^/\S*$", "a path, beginning with /")]
    """Where the server is asked, such as /v1/completions."""
    body: Annotated[str, Field(max_length=100_000)]
    """What it is asked, as JSON. No secrets."""
    pause_seconds: Annotated[float, Field(gt=0, le=60)] = 1
    """Seconds between an answer and the next request."""

    def rules(self) -> Iterator[Problem]:
        """Argo Rollouts takes double braces for its own."""
        if "{{" in self.body:
            yield Problem(
                ("body",), "has '{{' in it, which Argo Rollouts would replace: put a space between the braces"
            )


class BlueGreenRollout(Spec):
    """The new version starts beside the old one with as many pods, is judged, and then takes all requests at once."""

    kind: Literal["blueGreen"] = "blueGreen"
    auto_promotion_enabled: Flag = False
    """Whether a good judgement is enough; false: a person promotes, by `kubectl argo rollouts promote`."""
    preview_replica_count: PositiveCount | None = None
    """Pods of the new version until it is promoted; none given: as many as the old one has."""
    preview_load: PreviewLoad | None = None
    """Requests for the new version before it is promoted; none given: what people send to the Service NAME-preview."""
    pre_promotion_analysis: AnalysisSpec | None = Field(default_factory=AnalysisSpec)
    """How it is judged before it takes over; null: it is not."""
    post_promotion_analysis: AnalysisSpec | None = Field(default_factory=AnalysisSpec)
    """How it is judged after that; if it is bad, the old version takes over again. null: it is not."""
    scale_down_delay_seconds: Seconds = 30
    """How long the old version's pods stay, in seconds: until then the way back is a moment."""
    abort_scale_down_delay_seconds: Seconds = 30
    """How long those of a version that was given up stay, in seconds; 0: until somebody takes them away."""

    def rules(self) -> Iterator[Problem]:
        """Who promotes by itself must have measured something."""
        if self.preview_load and not self.pre_promotion_analysis:
            yield Problem(("previewLoad",), "given, but has no effect without prePromotionAnalysis")
        if self.auto_promotion_enabled and not self.pre_promotion_analysis:
            text = "null, must be given with autoPromotionEnabled: else every version that starts is promoted"
            yield Problem(("prePromotionAnalysis",), text)
        if self.auto_promotion_enabled and self.pre_promotion_analysis and not self.preview_load:
            text = "missing, must be given with autoPromotionEnabled: without requests there is nothing to measure"
            yield Problem(("previewLoad",), text)

    @property
    def is_automatic(self) -> bool:
        """Whether a version can take over with nobody looking."""
        return self.auto_promotion_enabled

    @property
    def analyses(self) -> dict[str, AnalysisSpec]:
        """How it is judged, by what the template is called."""
        given = {"pre-promotion": self.pre_promotion_analysis, "post-promotion": self.post_promotion_analysis}
        return {name: analysis for name, analysis in given.items() if analysis}


class WeightStep(Spec):
    """A share of the pods becomes new."""

    kind: Literal["weight"] = "weight"
    percent: Annotated[int, Field(strict=True, ge=1, le=100)]
    """The percentage of pods of the new version, rounded up, and with them about as many of the requests."""


class PauseStep(Spec):
    """It stays as it is."""

    kind: Literal["pause"] = "pause"
    seconds: Annotated[int, Field(strict=True, ge=1, le=604_800)] | None = None
    """For how long, in seconds; none given: until a person promotes, by `kubectl argo rollouts promote`."""


class AnalysisStep(Spec):
    """The new pods are judged: they go on, or are taken away."""

    kind: Literal["analysis"] = "analysis"


CanaryStep = Annotated[WeightStep | PauseStep | AnalysisStep, Field(discriminator="kind")]


class CanaryRollout(Spec):
    """Pods of the new version take the place of old ones, step by step.

    Requests follow pods: no router is told of weights, so with four pods there is nothing between 25 and 50 percent.
    """

    kind: Literal["canary"] = "canary"
    steps: Annotated[tuple[CanaryStep, ...], Field(min_length=1)] = (
        WeightStep(percent=25),
        AnalysisStep(),
        PauseStep(),
    )
    """What happens one after the other; after the last step, all pods become new."""
    analysis: AnalysisSpec = Field(default_factory=AnalysisSpec)
    """How the new pods are judged, at each step of kind analysis."""
    max_surge: PositiveCount = 1
    """Pods that may be there beyond those that the server has; no old pod goes before a new one is ready."""

    def rules(self) -> Iterator[Problem]:
        """Who goes on by itself must have measured something."""
        if self.is_automatic and not self.judges:
            text = "neither a pause without seconds nor an analysis is among them: nobody and nothing would look"
            yield Problem(("steps",), text)
        if "analysis" in self.model_fields_set and not self.judges:
            yield Problem(("analysis",), "given, but has no effect without a step of kind analysis")

    @property
    def judges(self) -> bool:
        """Whether there is any step that judges."""
        return any(isinstance(step, AnalysisStep) for step in self.steps)

    @property
    def is_automatic(self) -> bool:
        """Whether a version can take over with nobody looking."""
        return not any(isinstance(step, PauseStep) and step.seconds is None for step in self.steps)

    @property
    def analyses(self) -> dict[str, AnalysisSpec]:
        """How it is judged, by what the template is called."""
        return {"canary": self.analysis} if self.judges else {}


RolloutSpec = Annotated[BlueGreenRollout | CanaryRollout, Field(discriminator="kind")]


def rollout_problems(rollout: BlueGreenRollout | CanaryRollout, engine: Engine) -> Iterator[Problem]:
    """What a rollout asks of an engine that cannot be measured."""
    measured = engine.analysis
    if rollout.is_automatic and measured.success_rate.query is None:
        path = ("autoPromotionEnabled",) if isinstance(rollout, BlueGreenRollout) else ("steps",)
        wanted = "must be false" if isinstance(rollout, BlueGreenRollout) else "must have a pause without seconds"
        text = f"{wanted}: the errors of {engine.title} cannot be measured ({measured.success_rate.reason})"
        yield Problem(path, text)
    for name, analysis in rollout.analyses.items():
        if analysis.latency and measured.latency.query is None:
            field = {"pre-promotion": "prePromotionAnalysis", "post-promotion": "postPromotionAnalysis"}.get(
                name, "analysis"
            )
            text = f"given, but the latency of {engine.title} cannot be measured ({measured.latency.reason})"
            yield Problem((field, "latency"), text)


def replicas_needed(rollout: BlueGreenRollout | CanaryRollout | None, replicas: int) -> int:
    """The most pods of a server at a time, which its pool and its team's quota must hold.

    By blue/green that is both versions whole: previewReplicaCount saves pods only until a version is promoted.
    """
    if isinstance(rollout, BlueGreenRollout):
        return 2 * replicas
    return replicas + rollout.max_surge if rollout else replicas


def preview_service(name: str, ports: Mapping[str, int]) -> KubernetesObject:
    """The Service of a version that has not taken over; the server's own Service, of the same ports, is the active one.

    Argo Rollouts narrows the selectors of both, each to the pods of one version.
    """
    listed = [{"name": port, "port": number, "targetPort": port} for port, number in ports.items()]
    fields = {"selector": {names.SERVER_LABEL: name}, "ports": listed}
    return KubernetesObject("v1", "Service", _preview(name), {"spec": fields})


def rollout_objects(
    deployment: KubernetesObject,
    rollout: BlueGreenRollout | CanaryRollout,
    engine: Engine,
    *,
    namespace: str,
    has_gpus: bool,
    image_registry: str | None = None,
) -> list[KubernetesObject]:
    """What takes the place of a server's Deployment: analyses, the Service of a preview, and last the Rollout.

    The Rollout has the Deployment's pods; and its replicas, unless it leaves them to a scaler.

    Arguments:
        deployment: the server's, named as the server.
        rollout: how a new version takes over.
        engine: what the catalog knows of the engine.
        namespace: the team's namespace.
        has_gpus: whether the pods have GPUs.
        image_registry: a registry that images come from, instead of their own.
    """
    name, fields = deployment.name, deployment.body["spec"]
    metrics = {role: _metrics(each, name, namespace, engine, has_gpus) for role, each in rollout.analyses.items()}
    if isinstance(rollout, BlueGreenRollout) and rollout.preview_load and rollout.pre_promotion_analysis:
        seconds = rollout.pre_promotion_analysis.seconds
        url = f"http://{_preview(name)}.{namespace}.svc:{engine.ports.http}{rollout.preview_load.path}"
        job = _load_job(rollout.preview_load, url, seconds, fields["template"]["spec"], image_registry)
        metrics["pre-promotion"].append({"name": "load", "provider": {"job": {"spec": job}}})
    ports = {port: number for port, number in engine.ports if number is not None}
    strategy = (
        _blue_green(name, rollout, metrics)
        if isinstance(rollout, BlueGreenRollout)
        else _canary(name, rollout, metrics)
    )
    whole = {
        **{key: fields[key] for key in ("replicas", "progressDeadlineSeconds") if key in fields},
        "revisionHistoryLimit": _VERSIONS_KEPT,
        # A version that does not start gives its nodes back.
        "progressDeadlineAbort": True,
        "selector": fields["selector"],
        "strategy": {rollout.kind: strategy},
        "template": fields["template"],
    }
    return [
        *([preview_service(name, ports)] if isinstance(rollout, BlueGreenRollout) else []),
        *(_analysis_template(f"{name}-{role}", each) for role, each in metrics.items() if each),
        KubernetesObject(ROLLOUT_API, "Rollout", name, {"spec": whole}),
    ]
