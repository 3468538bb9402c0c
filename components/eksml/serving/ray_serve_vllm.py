"""Ray Serve with vLLM: a language model behind the protocol of OpenAI, on a Ray cluster that KubeRay runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pulumi
import yaml
from pydantic import Field

from eksml.errors import Problem
from eksml.kubernetes_object import KubernetesObject
from eksml.nodes.placement import Cpus
from eksml.ray_cluster import RAY_API_VERSION, GcsRedis, fault_tolerance, ray_version
from eksml.serving.autoscaling import BoundedAutoscalingSpec
from eksml.serving.pod import EngineProcess, pod_template
from eksml.serving.vllm_engine import VllmEngine, VllmEngineSpec
from eksml.spec import PoolName, PositiveCount, Spec

# KubeRay finds the head's ports by these names: DefaultHeadPodTemplate and FetchHeadServiceURL of
# https://github.com/ray-project/kuberay
_HEAD_PORTS = {"gcs": 6379, "dashboard": 8265, "client": 10001}
_SERVE_PORT = "serve"
# Of each replica: one for the engine, and one for each of the two that take its requests.
# https://docs.ray.io/en/latest/serve/llm/user-guides/configuration.html, experimental_configs
_FEWEST_CPUS = 3

Seconds = Annotated[int, Field(strict=True, ge=0, le=86_400)]


class RayAutoscaling(BoundedAutoscalingSpec):
    """By the requests in progress: Ray Serve counts them and wants more replicas, for which Ray wants more pods."""

    kind: Literal["ray"] = "ray"
    min_replicas: PositiveCount = 1
    """Replicas at least; Ray keeps one."""
    target_requests: PositiveCount | None = None
    """Requests that one replica should have at a time; none given: the catalog's."""
    scale_up_seconds: Seconds = 30
    """How long there must have been too many requests before a replica comes."""
    scale_down_seconds: Seconds = 600
    """How long fewer replicas must have been enough before one goes."""


class RayHead(Spec):
    """The head of the Ray cluster, which directs the others and has no GPU."""

    pool: PoolName | None = None
    """The pool that it goes to; none given: any that the team may use."""
    cpus: Cpus = 2
    """Its vCPUs, also a part of one."""
    memory_gib: PositiveCount = 8
    """Its memory, in GiB."""


class RayServeVllmSpec(VllmEngineSpec):
    """vLLM with one model, on Ray Serve."""

    kind: Literal["rayServeVllm"] = "rayServeVllm"
    """The engine: rayServeVllm."""
    # None of the other kinds: none of them can scale a part of a RayCluster.
    autoscaling: RayAutoscaling | None = None  # ty: ignore[incompatible-attribute-override]
    """What changes the number of servers, instead of replicas: Ray itself."""
    head: RayHead = Field(default_factory=RayHead)
    """The head of the Ray cluster."""
    gcs_redis: GcsRedis | None = None
    """A Redis for the head's state; none given: when the head ends, all servers begin again."""
    upgrade: Literal["newCluster", "none"] = "newCluster"
    """How pods change: newCluster, beside the old ones, with as many GPUs again; none: not, until somebody deletes the
    RayCluster. The model's own settings change in place, in both."""

    def rules(self) -> Iterator[Problem]:
        """KubeRay changes its cluster itself, and a queue admits what it can count."""
        yield from super().rules()
        if self.rollout:
            yield Problem(("rollout",), "given, but KubeRay changes its clusters itself: upgrade says how")
        if self.autoscaling and self.queue is not None:
            text = "given, but a queue cannot admit what grows: leave it out, or set queue: null"
            yield Problem(("autoscaling",), text)
        if self.cpus < _FEWEST_CPUS:
            text = f"{self.cpus:g} given, must be at least {_FEWEST_CPUS}: for the engine and what takes requests"
            yield Problem(("cpusPerNode",), text)

    @property
    def most_pods(self) -> int:
        """Pods with GPUs at the most: during an upgrade there are two clusters."""
        return self.most_replicas * self.nodes * (2 if self.upgrade == "newCluster" else 1)

    @property
    def needs(self) -> Iterator[str]:
        """Those of every server, and KubeRay."""
        yield from super().needs
        yield "training.kubeRay"


class RayServeVllm(VllmEngine[RayServeVllmSpec]):
    """A RayService: a head without GPUs, and as many workers as the replicas need, each with Ray Serve's proxy.

    KubeRay makes the Service of the server's name. It leads to the workers of the cluster that is in use, so that
    clients, `url` and exposure need not know of upgrades.
    """

    def process(self) -> EngineProcess:
        """Nothing but its environment: KubeRay starts Ray, and Ray starts vLLM."""
        return EngineProcess([], [], {**self.variables(), "RAY_USAGE_STATS_ENABLED": "0"})

    def workload(self) -> KubernetesObject:
        """The RayService."""
        spec, name = self.spec, self.resource_name
        fields = {
            "serveConfigV2": pulumi.Output.from_input(self._serve_config()).apply(
                lambda config: yaml.safe_dump(config, sort_keys=False)
            ),
            "rayClusterConfig": self._cluster(),
            "upgradeStrategy": {"type": "NewCluster" if spec.upgrade == "newCluster" else "None"},
            # The old cluster answers what it was asked before requests went to the new one.
            "rayClusterDeletionDelaySeconds": max(60, spec.drain_seconds),
            "excludeHeadPodFromServeSvc": True,
            "serveService": {
                "metadata": {"name": name, "labels": self.label},
                "spec": {"ports": [{"name": _SERVE_PORT, "port": spec.facts.ports.http}]},
            },
        }
        return KubernetesObject(RAY_API_VERSION, "RayService", name, {"spec": fields})

    @property
    def annotations(self) -> dict[str, str]:
        """That `pulumi up` waits for it."""
        return {"pulumi.com/waitFor": "condition=Ready"}

    def _service(self) -> None:
        """Leaves it to KubeRay, which alone knows the cluster that is in use."""

    def _scale(self, made: KubernetesObject) -> None:
        """Leaves it to Ray."""

    def _disruption_budget(self) -> None:
        # With maxUnavailable, Kubernetes asks the pods' owner how many there should be; a RayCluster has no answer.
        spec = {
            # Of the pods of one replica, only that which answers is ever ready.
            "minAvailable": self.spec.least_replicas - 1,
            "selector": {"matchLabels": {**self.label, "ray.io/node-type": "worker"}},
        }
        self.add("policy/v1", "PodDisruptionBudget", self.resource_name, {"spec": spec})

    def _serve_config(self) -> dict[str, Any]:
        """The application, as ray.serve.llm builds it from its LLMConfig.

        Source: https://docs.ray.io/en/latest/serve/llm/user-guides/configuration.html
        """
        spec = self.spec
        model = {"model_id": spec.model_name(self.resource_name), "model_source": self.model_address()}
        config = {
            "model_loading_config": model,
            "engine_kwargs": spec.engine_options,
            # The pods choose the model of GPU. With accelerator_type, Ray's autoscaler would want a pod that has said
            # what its GPU is called, which none has before it runs: https://github.com/ray-project/kuberay/issues/863
            "placement_group_config": {
                "bundle_per_worker": {"GPU": 1},
                "strategy": "STRICT_PACK" if spec.nodes == 1 else "PACK",
            },
            "deployment_config": {
                "autoscaling_config": self._replicas(),
                "graceful_shutdown_timeout_s": spec.drain_seconds,
            },
        }
        application = {
            "name": self.resource_name,
            "route_prefix": "/",
            "import_path": "ray.serve.llm:build_openai_app",
            "args": {"llm_configs": [config]},
        }
        return {"applications": [application]}

    def _replicas(self) -> dict[str, Any]:
        spec = self.spec
        # A fixed number is given so too: ray.serve.llm lays this over an autoscaling of its own.
        bounds = {
            "min_replicas": spec.least_replicas,
            "initial_replicas": spec.least_replicas,
            "max_replicas": spec.most_replicas,
        }
        if spec.autoscaling is None:
            return bounds
        usual = int(spec.facts.signals["ongoingRequests"].target)
        return {
            **bounds,
            "target_ongoing_requests": spec.autoscaling.target_requests or usual,
            "upscale_delay_s": spec.autoscaling.scale_up_seconds,
            "downscale_delay_s": spec.autoscaling.scale_down_seconds,
        }

    def _cluster(self) -> dict[str, Any]:
        spec = self.spec
        least, most = spec.least_replicas * spec.nodes, spec.most_replicas * spec.nodes
        group = {"groupName": "workers", "replicas": least, "minReplicas": least, "maxReplicas": most}
        return {
            **ray_version(spec.image_reference),
            **({"enableInTreeAutoscaling": True} if spec.autoscaling else {}),
            **fault_tolerance(spec.gcs_redis),
            # Nothing is to run on the head, which all others depend on.
            "headGroupSpec": {"rayStartParams": {"num-cpus": "0"}, "template": self._head()},
            "workerGroupSpecs": [{**group, "rayStartParams": {}, "template": self._worker()}],
        }

    def _worker(self) -> dict[str, Any]:
        template = self.pods()
        self._as_ray(template, "ray-worker")
        return template

    def _head(self) -> dict[str, Any]:
        head = self.spec.head
        other = {
            "gpus_per_node": 0,
            "instance_type": None,
            "accelerator": None,
            "capacity": None,
            "pool": head.pool,
            "cpus_per_node": head.cpus,
            "memory_gib_per_node": head.memory_gib,
        }
        template = pod_template(self.resource_name, self.spec.model_copy(update=other), self.process())
        container = self._as_ray(template, "ray-head")
        # No weights come to it.
        container["resources"]["requests"].pop("ephemeral-storage", None)
        del container["lifecycle"], template["spec"]["topologySpreadConstraints"]
        ports = {**_HEAD_PORTS, _SERVE_PORT: self.spec.facts.ports.http, "metrics": self.spec.facts.ports.metrics}
        container["ports"] = [{"name": name, "containerPort": number} for name, number in ports.items()]
        if self.spec.autoscaling:
            # The autoscaler's rights are those of a service account that KubeRay makes.
            del template["spec"]["serviceAccountName"], template["spec"]["automountServiceAccountToken"]
        return template

    def _as_ray(self, template: dict[str, Any], name: str) -> dict[str, Any]:
        """The container of a pod of KubeRay's, which starts Ray in it and has its own probes.

        Alive is a pod whose Ray is, however long a model loads in it; ready is a worker whose proxy answers.
        """
        # Kueue queues the RayService, and not its pods again.
        template["metadata"]["labels"] = self.label
        container = template["spec"]["containers"][0]
        container["name"] = name
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            del container[probe]
        return container
