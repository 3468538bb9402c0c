"""How a new version of a model server takes over: beside the old one and then at once, or pod by pod.

A Rollout of Argo Rollouts takes the place of the server's Deployment. The functions here make plain objects; whoever
has the server makes them in the cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from eksml import names
from eksml.catalog import Engine
from eksml.errors import Problem
from eksml.kubernetes_object import KubernetesObject
from eksml.serving.analysis import (
    ROLLOUT_API,
    AnalysisSpec,
    PreviewLoad,
    analysis_run,
    analysis_template,
    load_metric,
)
from eksml.spec import Flag, PositiveCount, Spec

ARGO_OWNS = {"Service": ["spec.selector"]}
"""What Argo Rollouts changes in objects of ours, by kind: to be left alone (ignoreChanges), or each `up` undoes it."""

_VERSIONS_KEPT = 3
_PRE_PROMOTION, _POST_PROMOTION, _CANARY = "pre-promotion", "post-promotion", "canary"
_FIELDS = {
    _PRE_PROMOTION: "prePromotionAnalysis",
    _POST_PROMOTION: "postPromotionAnalysis",
    _CANARY: "analysis",
}

Seconds = Annotated[int, Field(strict=True, ge=0, le=86_400)]


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
    scale_down_delay_seconds: Annotated[int, Field(strict=True, ge=30, le=86_400)] = 30
    """How long the old version's pods stay, in seconds: until then the way back is a moment, and every node learns of
    the change."""
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
        given = {_PRE_PROMOTION: self.pre_promotion_analysis, _POST_PROMOTION: self.post_promotion_analysis}
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
        return {_CANARY: self.analysis} if self.judges else {}


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
            text = f"given, but the latency of {engine.title} cannot be measured ({measured.latency.reason})"
            yield Problem((_FIELDS[name], "latency"), text)


def replicas_needed(rollout: BlueGreenRollout | CanaryRollout | None, replicas: int) -> int:
    """The most pods of a server at a time, which its pool and its team's quota must hold.

    By blue/green that is both versions whole: previewReplicaCount saves pods only until a version is promoted.
    """
    if isinstance(rollout, BlueGreenRollout):
        return 2 * replicas
    return replicas + rollout.max_surge if rollout else replicas


def rollout_objects(
    deployment: KubernetesObject,
    rollout: BlueGreenRollout | CanaryRollout,
    engine: Engine,
    *,
    namespace: str,
    has_gpus: bool,
    start_seconds: int,
    image_registry: str | None = None,
) -> list[KubernetesObject]:
    """What takes the place of a server's Deployment: the Service of a preview, how versions are judged, the Rollout.

    The Rollout has the Deployment's pods, and its replicas, which are left out where a scaler targets it. By
    blue/green the server's own Service is the active one; of both Services Argo Rollouts changes what ARGO_OWNS says.

    Arguments:
        deployment: the server's, of the server's name.
        rollout: how a new version takes over.
        engine: what the catalog knows of the engine.
        namespace: the team's namespace.
        has_gpus: whether the pods have GPUs.
        start_seconds: after how many seconds without progress a new version is given up, nodes and weights included.
        image_registry: a registry that images come from, instead of their own.
    """
    name, fields = deployment.name, deployment.body["spec"]
    templates: dict[str, KubernetesObject] = {}
    for role, analysis in rollout.analyses.items():
        made = analysis_template(f"{name}-{role}", namespace, name, analysis, engine, has_gpus=has_gpus)
        if made:
            templates[role] = made
    objects = list(templates.values())
    if isinstance(rollout, BlueGreenRollout):
        preview = _preview_service(name, engine)
        objects.insert(0, preview)
        if rollout.preview_load and rollout.pre_promotion_analysis and _PRE_PROMOTION in templates:
            url = f"http://{preview.name}.{namespace}.svc:{engine.ports.http}"
            seconds, pod = rollout.pre_promotion_analysis.seconds, fields["template"]["spec"]
            load = load_metric(rollout.preview_load, url, seconds, pod, image_registry)
            templates[_PRE_PROMOTION].body["spec"]["metrics"].append(load)
        strategy = _blue_green(name, preview.name, rollout, templates)
    else:
        strategy = _canary(rollout, templates)
    whole = {
        **({"replicas": fields["replicas"]} if "replicas" in fields else {}),
        "revisionHistoryLimit": _VERSIONS_KEPT,
        # A version that does not start gives its nodes back; ten minutes, the default, are too few for most models.
        "progressDeadlineSeconds": start_seconds,
        "progressDeadlineAbort": True,
        "selector": fields["selector"],
        "strategy": {rollout.kind: strategy},
        "template": fields["template"],
    }
    return [*objects, KubernetesObject(ROLLOUT_API, "Rollout", name, {"spec": whole})]


def _preview_service(name: str, engine: Engine) -> KubernetesObject:
    """The Service of a version that has not taken over; the server's own Service is the active one.

    Argo Rollouts narrows the selectors of both, each to the pods of one version.
    """
    ports = {"http": engine.ports.http, "grpc": engine.ports.grpc}
    listed = [{"name": port, "port": number, "targetPort": number} for port, number in ports.items() if number]
    fields = {"selector": {names.SERVER_LABEL: name}, "ports": listed}
    return KubernetesObject("v1", "Service", f"{name}-preview", {"spec": fields})


def _blue_green(
    name: str, preview: str, rollout: BlueGreenRollout, templates: Mapping[str, KubernetesObject]
) -> dict[str, Any]:
    return {
        "activeService": name,
        "previewService": preview,
        "autoPromotionEnabled": rollout.auto_promotion_enabled,
        **({"previewReplicaCount": rollout.preview_replica_count} if rollout.preview_replica_count else {}),
        **{_FIELDS[role]: analysis_run(template.name) for role, template in templates.items()},
        "scaleDownDelaySeconds": rollout.scale_down_delay_seconds,
        # Of three versions in a row, the first one goes at once: there is room for two.
        "scaleDownDelayRevisionLimit": 1,
        "abortScaleDownDelaySeconds": rollout.abort_scale_down_delay_seconds,
    }


def _canary(rollout: CanaryRollout, templates: Mapping[str, KubernetesObject]) -> dict[str, Any]:
    steps = [_step(step, templates) for step in rollout.steps]
    return {"maxSurge": rollout.max_surge, "maxUnavailable": 0, "steps": [step for step in steps if step]}


def _step(
    step: WeightStep | PauseStep | AnalysisStep, templates: Mapping[str, KubernetesObject]
) -> dict[str, Any] | None:
    if isinstance(step, WeightStep):
        return {"setWeight": step.percent}
    if isinstance(step, PauseStep):
        return {"pause": {"duration": f"{step.seconds}s"} if step.seconds else {}}
    return {"analysis": analysis_run(templates[_CANARY].name)} if _CANARY in templates else None
