"""By what a new version of a model server is judged: the engine's own queries to Prometheus, about its pods alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from eksml import names
from eksml.catalog import Engine, for_pods
from eksml.errors import Problem
from eksml.image_registry import image_of
from eksml.kubernetes_object import KubernetesObject
from eksml.spec import PositiveCount, Spec, pattern

ROLLOUT_API = "argoproj.io/v1alpha1"
# As the catalog's queries have it: the 95th percentile, over two minutes.
_PERCENTILE, _LOOKBACK = "0.95", "[2m]"
_HASH = "pod-template-hash"
_MILLISECONDS = 1000
# A Job whose pod finds no place by then has failed, and with it the judgement.
_SECONDS_TO_START = 900
# An answer that is an error counts in the server's own metrics; here it is only told.
_LOAD = """\
import os, time, urllib.request

ask = urllib.request.Request(
    os.environ["URL"], os.environ["BODY"].encode(), {"Content-Type": "application/json"}
)
end = time.monotonic() + float(os.environ["LOAD_SECONDS"])
while time.monotonic() < end:
    try:
        urllib.request.urlopen(ask, timeout=120).read()
    except OSError as error:
        print(error, flush=True)
    time.sleep(float(os.environ["PAUSE_SECONDS"]))
"""

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

    path: Annotated[str, pattern(r"^/\S*$", "a path that begins with /")]
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


def analysis_template(
    name: str, namespace: str, server: str, analysis: AnalysisSpec, engine: Engine, *, has_gpus: bool
) -> KubernetesObject | None:
    """How one version of a server is judged; None where nothing of it can be measured.

    Arguments:
        name: what the template is called.
        namespace: the team's namespace.
        server: the server's name.
        analysis: what is asked for.
        engine: what the catalog knows of the engine.
        has_gpus: whether the pods have GPUs.
    """
    # Labels that a PodMonitor of the server gives to all that Prometheus reads from its pods.
    labels = {
        "namespace": namespace,
        "eksml_dev_server": server,
        "rollouts_pod_template_hash": f"{{{{args.{_HASH}}}}}",
    }
    metrics = [
        _metric(role, for_pods(query, **labels), good, bad, analysis)
        for role, query, good, bad in _conditions(analysis, engine, has_gpus)
    ]
    if not metrics:
        return None
    fields = {"args": [{"name": _HASH}], "metrics": metrics}
    return KubernetesObject(ROLLOUT_API, "AnalysisTemplate", name, {"spec": fields})


def analysis_run(template: str) -> dict[str, Any]:
    """A judgement of the newest version by a template, as a Rollout asks for it."""
    newest = {"name": _HASH, "valueFrom": {"podTemplateHashValue": "Latest"}}
    return {"templates": [{"templateName": template}], "args": [newest]}


def load_metric(
    load: PreviewLoad, url: str, seconds: int, pod: Mapping[str, Any], image_registry: str | None
) -> dict[str, Any]:
    """A Job that sends requests while the other metrics are measured; it fails the judgement only if it cannot run.

    Arguments:
        load: what is sent.
        url: where the server is, without a path.
        seconds: for how long.
        pod: the server's, to whose nodes the Job's pod goes too.
        image_registry: a registry that its image comes from, instead of its own.
    """
    variables = {
        "URL": f"{url}{load.path}",
        "BODY": load.body,
        "LOAD_SECONDS": str(seconds),
        "PAUSE_SECONDS": str(load.pause_seconds),
    }
    container = {
        "name": "load",
        "image": image_of("python", image_registry),
        "command": ["python", "-c", _LOAD],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    whole = {
        **{key: pod[key] for key in ("nodeSelector", "affinity", "tolerations") if key in pod},
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    limits = {"backoffLimit": 1, "activeDeadlineSeconds": seconds + _SECONDS_TO_START}
    return {"name": "load", "provider": {"job": {"spec": {**limits, "template": {"spec": whole}}}}}


def _conditions(analysis: AnalysisSpec, engine: Engine, has_gpus: bool) -> Iterator[tuple[str, str, str, str]]:
    """For each metric that there is a query for: its name, the query, and what of its result is good and bad."""
    measured = engine.analysis
    if query := measured.success_rate.query:
        yield (
            "success-rate",
            _looking_back(query, analysis),
            f">= {analysis.success_rate}",
            f"< {analysis.success_rate}",
        )
    if analysis.latency and (query := measured.latency.query):
        limit = analysis.latency.limit_ms / _MILLISECONDS
        percentile = query.replace(_PERCENTILE, f"{analysis.latency.percentile / 100:g}")
        yield "latency", _looking_back(percentile, analysis), f"<= {limit}", f"> {limit}"
    if has_gpus and (query := measured.gpu_errors.query):
        yield "gpu-errors", query, f"<= {analysis.gpu_errors}", f"> {analysis.gpu_errors}"


def _looking_back(query: str, analysis: AnalysisSpec) -> str:
    return query.replace(_LOOKBACK, f"[{analysis.lookback_seconds}s]")


def _metric(name: str, query: str, good: str, bad: str, analysis: AnalysisSpec) -> dict[str, Any]:
    return {
        "name": name,
        "initialDelay": f"{analysis.lookback_seconds}s",
        "interval": f"{analysis.interval_seconds}s",
        "count": analysis.count,
        # No result is an empty list, and what is not a number is neither more nor less: both are inconclusive, where
        # one condition alone would take them for bad, or end in an error.
        "successCondition": f"len(result) > 0 && result[0] {good}",
        "failureCondition": f"len(result) > 0 && result[0] {bad}",
        "failureLimit": analysis.failure_limit,
        "inconclusiveLimit": analysis.inconclusive_limit,
        "provider": {"prometheus": {"address": names.PROMETHEUS_URL, "query": query}},
    }
