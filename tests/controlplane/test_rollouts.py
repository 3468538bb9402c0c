"""Rollouts on a real control plane: every strategy for every engine, with the real definitions."""

from typing import Any

import pytest

from controlplane import crds
from controlplane.client import Client, RefusedError
from eksml import catalog, names
from eksml.kubernetes_object import KubernetesObject
from eksml.serving.analysis import AnalysisSpec, LatencySpec, PreviewLoad
from eksml.serving.rollout import (
    AnalysisStep,
    BlueGreenRollout,
    CanaryRollout,
    PauseStep,
    WeightStep,
    rollout_objects,
)

pytestmark = pytest.mark.controlplane

JUDGED = AnalysisSpec(latency=LatencySpec(limit_ms=500), inconclusive_limit=1)
STRATEGIES = {
    "by-hand": BlueGreenRollout(preview_replica_count=1, post_promotion_analysis=JUDGED),
    "by-itself": BlueGreenRollout(
        auto_promotion_enabled=True, preview_load=PreviewLoad(path="/v1/completions", body='{"prompt": "a"}')
    ),
    "unjudged": BlueGreenRollout(pre_promotion_analysis=None, post_promotion_analysis=None),
    "canary": CanaryRollout(
        steps=(WeightStep(percent=20), PauseStep(seconds=60), AnalysisStep(), PauseStep()), analysis=JUDGED
    ),
}


def deployment(name: str) -> KubernetesObject:
    labels = {names.SERVER_LABEL: name}
    pod = {"containers": [{"name": "server", "image": "example.com/server:1.0.0"}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    return KubernetesObject("apps/v1", "Deployment", name, {"spec": spec})


def items(strategy: str, engine: str) -> list[dict[str, Any]]:
    name = f"{strategy}-{engine.lower()}"
    facts = catalog.engines()[engine]
    server = deployment(name)
    made = rollout_objects(server, STRATEGIES[strategy], facts, namespace="default", has_gpus=True, start_seconds=1800)
    return [
        {
            "apiVersion": each.api_version,
            "kind": each.kind,
            "metadata": {"name": each.name, "namespace": "default"},
            **each.body,
        }
        for each in made
    ]


def test_every_strategy_of_every_engine_is_admitted(cluster: Client) -> None:
    made = [item for strategy in STRATEGIES for engine in catalog.engines() for item in items(strategy, engine)]
    crds.install(cluster, made)
    kinds = [cluster.create(item)["kind"] for item in made]
    engines = len(catalog.engines())
    assert kinds.count("Rollout") == len(STRATEGIES) * engines
    assert kinds.count("Service") == 3 * engines
    # Before and after it takes over, by hand and by itself, and once for the canary.
    assert kinds.count("AnalysisTemplate") == 5 * engines


def test_a_misspelt_setting_of_a_rollout_is_refused(cluster: Client) -> None:
    *before, rollout = items("by-hand", "vllm")
    crds.install(cluster, [*before, rollout])
    rollout["spec"]["strategy"]["blueGreen"]["autoPromotion"] = True
    with pytest.raises(RefusedError, match="autoPromotion"):
        cluster.create(rollout)
