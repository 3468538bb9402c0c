"""Kueue: jobs wait in queues until the pools have room for them, each team's within its quota."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pulumi
import pulumi_kubernetes as k8s
import yaml

from eksml import names
from eksml.component import Component
from eksml.spec import PositiveCount, Spec

Framework = Literal[
    "batch/job",
    "jobset.x-k8s.io/jobset",
    "kubeflow.org/jaxjob",
    "kubeflow.org/mpijob",
    "kubeflow.org/paddlejob",
    "kubeflow.org/pytorchjob",
    "kubeflow.org/tfjob",
    "kubeflow.org/xgboostjob",
    "leaderworkerset.x-k8s.io/leaderworkerset",
    "ray.io/raycluster",
    "ray.io/rayjob",
    "ray.io/rayservice",
    "trainer.kubeflow.org/trainjob",
]

# Each pod for itself, unless it belongs to a job that is queued as a whole.
_ALWAYS_QUEUED = ("pod", "deployment")

# Higher before lower; a team chooses one with the label kueue.x-k8s.io/priority-class.
_PRIORITIES = {
    "high": (1000, "Goes first, and may take what others have borrowed."),
    "normal": (0, "As a job without a priority."),
    "low": (-100, "Waits for what others leave."),
}


class KueueSpec(Spec):
    """How jobs are queued."""

    replicas: PositiveCount = 2
    """Controller pods; while none runs, no pod of a team can be made."""
    frameworks: tuple[Framework, ...] = ("batch/job",)
    """Kinds of jobs that start as a whole; pods of other kinds, and those of Deployments, wait one by one."""


class Kueue(Component):
    """Kueue's chart, a flavor for each pool, and priorities. Every pod in the namespace of a team is queued.

    Arguments:
        spec: how jobs are queued.
        flavors: by name of the pool, the labels and taints of its nodes.
        has_prometheus: whether Prometheus's operator is there, to read how queues are.
        image_registry: a registry that image and chart come from, instead of their own.
    """

    def __init__(
        self,
        name: str,
        spec: KueueSpec,
        *,
        flavors: Mapping[str, Mapping[str, Any]],
        has_prometheus: bool = False,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:tenancy:Kueue", name, spec, opts, image_registry=image_registry)
        labels = {
            names.POD_SECURITY_LABEL: "restricted",
            names.PLATFORM_NAMESPACE_LABEL: names.PLATFORM_NAMESPACE_VALUE,
        }
        namespace = k8s.core.v1.Namespace(
            f"{name}-namespace", metadata={"name": names.KUEUE_NAMESPACE, "labels": labels}, opts=self.child()
        )
        release = self.helm_release("kueue", _values(spec, has_prometheus=has_prometheus), depends_on=[namespace])
        for flavor, flavor_spec in flavors.items():
            self._object(flavor, "ResourceFlavor", release, {"spec": dict(flavor_spec)})
        for priority, (value, description) in _PRIORITIES.items():
            fields = {"value": value, "description": description}
            self._object(priority, "WorkloadPriorityClass", release, fields)
        self.register_outputs({})

    def _object(self, name: str, kind: str, release: pulumi.Resource, fields: dict[str, Any]) -> None:
        # Not k8s.apiextensions.CustomResource, which has no fields but metadata and spec.
        pulumi.CustomResource(
            f"kubernetes:{names.KUEUE_API_VERSION}:{kind}",
            f"{self.resource_name}-{kind.lower()}-{name}",
            {"apiVersion": names.KUEUE_API_VERSION, "kind": kind, "metadata": {"name": name}, **fields},
            self.child(depends_on=[release]),
        )


def _values(spec: KueueSpec, *, has_prometheus: bool) -> dict[str, Any]:
    configuration = _configuration(spec)
    monitored: dict[str, Any] = {}
    if has_prometheus:
        # The role that the chart makes for Prometheus names this namespace; its own rights suffice.
        monitored = {"enablePrometheus": True, "metrics": {"prometheusNamespace": names.OBSERVABILITY_NAMESPACE}}
        configuration["metrics"]["enableClusterQueueResources"] = True
    return {
        **monitored,
        "controllerManager": {
            "replicas": spec.replicas,
            "podDisruptionBudget": {"enabled": spec.replicas > 1},
            "manager": {
                # Without it no pod of a team starts, so it goes before them to a node.
                "priorityClassName": "system-cluster-critical",
                "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}},
            },
        },
        "managerConfig": {"controllerManagerConfigYaml": yaml.safe_dump(configuration, sort_keys=False)},
    }


def _configuration(spec: KueueSpec) -> dict[str, Any]:
    # https://kueue.sigs.k8s.io/docs/reference/kueue-config.v1beta2/
    return {
        "apiVersion": "config.kueue.x-k8s.io/v1beta2",
        "kind": "Configuration",
        "health": {"healthProbeBindAddress": ":8081"},
        "metrics": {"bindAddress": ":8443"},
        "webhook": {"port": 9443},
        "leaderElection": {"leaderElect": True, "resourceName": "c1f6bfd2.kueue.x-k8s.io"},
        "clientConnection": {"qps": 300, "burst": 500},
        # Without this what names no queue would start at once, past every quota.
        "manageJobsWithoutQueueName": True,
        "managedJobsNamespaceSelector": {"matchExpressions": [{"key": names.TEAM_LABEL, "operator": "Exists"}]},
        # A model of many gigabytes takes its time; by default a pod that is not ready after half an hour goes back.
        "waitForPodsReady": {"timeout": "1h", "recoveryTimeout": "1h", "blockAdmission": False},
        "integrations": {"frameworks": [*spec.frameworks, *_ALWAYS_QUEUED]},
        # What no quota covers must not be counted, or a pod that asks for it would wait for ever.
        "resources": {"excludeResourcePrefixes": ["ephemeral-storage", "hugepages-"]},
    }
