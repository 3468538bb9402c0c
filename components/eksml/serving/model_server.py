"""What all components of model servers share: files, volumes, the workload, and how it is found and measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Generic, TypeVar, cast

import pulumi

from eksml import names
from eksml.errors import Problem, SpecError
from eksml.image_registry import with_mirrored_pods
from eksml.kubernetes_object import KubernetesObject
from eksml.network.exposure import ExposureSpec, exposure_objects
from eksml.secret_key import SecretKey
from eksml.service_access import ServiceAccess
from eksml.serving.autoscaling import ScaledServer, address, backend, interceptor_grant, scaler
from eksml.serving.mlflow_model import MLFLOW_SCRIPT, mlflow_container
from eksml.serving.model_source import BucketSource, HubSource, MlflowSource
from eksml.serving.pod import EngineProcess, pod_template, port_numbers
from eksml.serving.pod_scripts import scripts_config_map, scripts_volume
from eksml.serving.populate import POPULATE_SCRIPT, BucketPrefix, HubModel, populate_annotations, populate_job
from eksml.serving.rollout import ARGO_OWNS, rollout_objects
from eksml.serving.server import ServerSpec
from eksml.serving.warm_up import WARM_UP_SCRIPT, WarmUp, WarmUpRequest, default_request, warm_up_container
from eksml.storage.volumes import FileSystemVolume
from eksml.workload import SKIP_AWAIT, Workload

_QUEUED_WHOLE = ("Deployment", "LeaderWorkerSet", "RayService")

ServerSpecType = TypeVar("ServerSpecType", bound=ServerSpec)


class ModelServer(Workload, Generic[ServerSpecType]):
    """The base of every model server: one engine that answers in a team's namespace, and nobody else reaches.

    Arguments:
        spec: the server.
        bucket: name of the platform's model bucket, for sources that name none.
        region: AWS region of the buckets that it reads.
        image_registry: a registry that images come from, instead of their own.

    Attributes:
        url: address of the server inside the cluster.
        access: how it is reached, and by whom.
    """

    def __init__(
        self,
        name: str,
        spec: ServerSpecType,
        *,
        bucket: pulumi.Input[str] | None = None,
        region: pulumi.Input[str] | None = None,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__(f"eksml:serving:{type(self).__name__}", name, spec, spec.namespace, names.SERVER_LABEL, opts)
        self.spec = spec
        self.image_registry = image_registry
        self._bucket, self.region = bucket, region
        self._configuration = self._files()
        self._scripts = self._make_scripts()
        self._weights()
        # Before the pods, which are looked up by its name.
        self._service()
        objects = self._with_rollout(self.workload())
        for each in objects:
            self._make(each)
        self._scale(objects[-1])
        if spec.exposure:
            self._expose(spec.exposure)
        if spec.least_replicas > 1:
            self._disruption_budget()
        if spec.metrics:
            self._pod_monitor()
        self.url = address(spec.autoscaling, name, spec.namespace, spec.facts.ports.http)
        self.access = ServiceAccess(f"{name} ({spec.facts.title})", self.url, None, self._callers(spec))
        self.register_outputs({"url": self.url})

    def _callers(self, spec: ServerSpecType) -> str:
        """Who reaches it."""
        exposure, team = spec.exposure, f"team {self._namespace}"
        entry = f", and whom the entry of {team} lets in, there at {''.join(exposure.address)}" if exposure else ""
        key = f", with the key in the Secret {self.api_key.secret}" if self.api_key else ""
        return f"from the pods of {team}{entry}{key}"

    @property
    def api_key(self) -> SecretKey | None:
        """Where the key is that the engine itself checks."""
        return None

    def process(self) -> EngineProcess:
        """What the engine's container runs."""
        raise NotImplementedError

    def warm_up_request(self) -> WarmUpRequest:
        """The smallest request that has the engine do all that it does for others."""
        return default_request(self.spec.kind, self.spec.model_name(self.resource_name), generates=True)

    def files(self) -> dict[str, str]:
        """The engine's own configuration, by file name."""
        return {}

    def workload(self) -> KubernetesObject:
        """What keeps the pods running: a Deployment, where the engine needs nothing else."""
        spec = self.spec
        fields = {
            # What scales them counts them: each `pulumi up` would reset it.
            **({} if spec.autoscaling else {"replicas": spec.replicas}),
            "selector": {"matchLabels": self.label},
            "strategy": update_strategy(spec),
            # Kubernetes' own ten minutes would be over before many a model is loaded.
            "progressDeadlineSeconds": spec.cold_start.most_seconds,
            "template": self.pods(),
        }
        return KubernetesObject("apps/v1", "Deployment", self.resource_name, {"spec": fields})

    @property
    def annotations(self) -> dict[str, str]:
        """What stands on the workload for whoever runs it."""
        return {}

    def pods(self) -> dict[str, Any]:
        """The template of its pods."""
        spec = self.spec
        return pod_template(
            self.resource_name,
            spec,
            self.process(),
            configuration=self._configuration,
            first_containers=(
                [mlflow_container(spec.source, spec.layout)] if isinstance(spec.source, MlflowSource) else []
            ),
            side_containers=[self._warm_up_container(spec.warm_up)] if spec.warm_up else [],
            side_volumes=[scripts_volume(self._scripts)] if self._scripts else [],
        )

    def bucket_address(self, source: BucketSource) -> pulumi.Output[str]:
        """The address in S3 of what lies below the prefix of a source."""
        return pulumi.Output.concat("s3://", self._bucket_of(source), "/", source.prefix.rstrip("/"))

    def add(
        self,
        api_version: str,
        kind: str,
        name: str,
        fields: Mapping[str, Any],
        *,
        labels: Mapping[str, str] | None = None,
        **options: Any,
    ) -> pulumi.Resource:
        """Makes an object with the server's own labels, and its images from the registry, if there is one."""
        body = with_mirrored_pods(dict(fields), self.image_registry) if self.image_registry else fields
        return super().add(api_version, kind, name, body, labels={**self.spec.labels, **(labels or {})}, **options)

    def _bucket_of(self, source: BucketSource) -> pulumi.Input[str]:
        bucket = source.bucket or self._bucket
        if bucket is None:
            text = "missing: the platform has no model bucket, give the name of one"
            raise SpecError([Problem(("source", "bucket"), text)])
        return bucket

    def _weights(self) -> None:
        """Makes the claim that the weights are read from, where there is one to make."""
        source, spec = self.spec.source, self.spec
        if isinstance(source, BucketSource):
            self._populate(source)
        if isinstance(source, BucketSource) and spec.mounts_bucket:
            bucket = self._bucket_of(source)
            self.mount_bucket("models", bucket, source.prefix, region=self.region, user_id=spec.user_id, read_only=True)
        elif isinstance(source, HubSource) and isinstance(source.cache, FileSystemVolume):
            self.claim_directory("models", source.cache)

    def _populate(self, source: BucketSource) -> None:
        """Makes the Job that fills the bucket, and what comes after it waits for its end."""
        if source.populate is None or source.model is None or source.commit is None or self._scripts is None:
            return
        job = populate_job(
            self.resource_name,
            source.populate,
            HubModel(source.model, source.commit, source.token),
            BucketPrefix(self._bucket_of(source), source.prefix, self.region),
            scripts=self._scripts,
        )
        annotations = populate_annotations(source.populate)
        labels = names.queue_labels(self.spec.queue, self.spec.priority)
        self.add(job.api_version, job.kind, job.name, job.body, labels=labels, annotations=annotations)

    def _files(self) -> str | None:
        """Makes the ConfigMap of the engine's own configuration; another one for other content, so that pods follow."""
        files = self.files()
        if not files:
            return None
        name = f"{self.resource_name}-{names.short_hash(json.dumps(files, sort_keys=True))}"
        self.add("v1", "ConfigMap", name, {"data": files})
        return name

    def _make_scripts(self) -> str | None:
        """Makes the ConfigMap of the programs that run beside the engine."""
        source = self.spec.source
        programs = [WARM_UP_SCRIPT] if self.spec.warm_up else []
        if isinstance(source, BucketSource) and source.populate is not None:
            programs.append(POPULATE_SCRIPT)
        if isinstance(source, MlflowSource):
            programs.append(MLFLOW_SCRIPT)
        if not programs:
            return None
        scripts = scripts_config_map(self.resource_name, *programs)
        self.add(scripts.api_version, scripts.kind, scripts.name, scripts.body)
        return scripts.name

    def _warm_up_container(self, warm_up: WarmUp) -> dict[str, Any]:
        facts = self.spec.facts
        return warm_up_container(
            warm_up,
            self.warm_up_request(),
            server_port=facts.ports.http,
            ready_path=self._health_path,
            api_key=self.api_key,
        )

    @property
    def _health_path(self) -> str:
        return self.spec.facts.health_paths.ready.replace("$model", self.spec.model_name(self.resource_name))

    def _scale(self, made: KubernetesObject) -> None:
        spec = self.spec
        if spec.autoscaling is None:
            return
        scaled = ScaledServer(
            name=self.resource_name,
            namespace=spec.namespace,
            engine=spec.kind,
            api_version=made.api_version,
            kind=cast("Any", made.kind),
            port=spec.facts.ports.http,
            cold_start_seconds=spec.cold_start.most_seconds,
            hosts=(spec.exposure.hostname,) if spec.exposure and spec.exposure.hostname else (),
        )
        for each in scaler(spec.autoscaling, scaled):
            self.add(each.api_version, each.kind, each.name, each.body)

    def _with_rollout(self, made: KubernetesObject) -> list[KubernetesObject]:
        """The workload, or what takes its place where versions are judged; the last one runs the pods."""
        spec = self.spec
        if spec.rollout is None:
            return [made]
        return rollout_objects(
            made,
            spec.rollout,
            spec.facts,
            namespace=spec.namespace,
            has_gpus=bool(spec.gpus_per_node),
            start_seconds=spec.cold_start.most_seconds,
            image_registry=self.image_registry,
        )

    def _shared(self, kind: str) -> dict[str, Any]:
        """Leaves to Argo Rollouts what it changes."""
        return {"ignore_changes": ARGO_OWNS[kind]} if self.spec.rollout and kind in ARGO_OWNS else {}

    def _make(self, made: KubernetesObject) -> None:
        spec = self.spec
        if made.name != self.resource_name:
            # The Service of a preview is there before its pods.
            annotations = SKIP_AWAIT if made.kind == "Service" else None
            self.add(
                made.api_version, made.kind, made.name, made.body, annotations=annotations, **self._shared(made.kind)
            )
            return
        wakes = spec.autoscaling.wakes if spec.autoscaling and not spec.least_replicas else ""
        limit = f"{spec.cold_start.most_seconds}s"
        self.add(
            made.api_version,
            made.kind,
            made.name,
            made.body,
            # Of other kinds Kueue queues the pods, which have these labels too.
            labels=names.queue_labels(spec.queue, spec.priority) if made.kind in _QUEUED_WHOLE else None,
            annotations={**spec.cold_start.annotation(wakes), **self.annotations},
            custom_timeouts=pulumi.CustomTimeouts(create=limit, update=limit),
        )

    def _service(self) -> None:
        ports = [
            {"name": port, "port": number, "targetPort": port} for port, number in port_numbers(self.spec.facts).items()
        ]
        spec = {"type": "ClusterIP", "selector": self.label, "ports": ports}
        # Nobody waits for its endpoints: a server that scales from zero has none.
        self.add("v1", "Service", self.resource_name, {"spec": spec}, annotations=SKIP_AWAIT, **self._shared("Service"))

    def _expose(self, exposure: ExposureSpec) -> None:
        spec, facts = self.spec, self.spec.facts
        target = backend(spec.autoscaling, self.resource_name, spec.namespace, facts.ports.http)
        if target.namespace != spec.namespace:
            grant = interceptor_grant(self.resource_name, spec.namespace)
            self.add(grant.api_version, grant.kind, grant.name, grant.body, namespace=target.namespace)
        for each in exposure_objects(
            self.resource_name,
            spec.namespace,
            exposure,
            target,
            health_path=self._health_path,
            drain_seconds=spec.drain_seconds,
            grpc_port=facts.ports.grpc,
        ):
            self.add(each.api_version, each.kind, each.name, each.body)

    def _disruption_budget(self) -> None:
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": self.label}}
        self.add("policy/v1", "PodDisruptionBudget", self.resource_name, {"spec": spec})

    def _pod_monitor(self) -> None:
        facts = self.spec.facts
        port = "metrics" if "metrics" in port_numbers(facts) else "http"
        spec = {
            "selector": {"matchLabels": self.label},
            "podMetricsEndpoints": [{"port": port, "path": facts.metrics_path}],
            # What series are told apart by, between servers and between versions of one.
            "podTargetLabels": [names.SERVER_LABEL, "rollouts-pod-template-hash"],
        }
        self.add("monitoring.coreos.com/v1", "PodMonitor", self.resource_name, {"spec": spec})


def update_strategy(spec: ServerSpec) -> dict[str, Any]:
    """How pods take each other's place."""
    # A queue at its limit lets a new pod in only when an old one goes; of one server, that would be all of them.
    update = {"maxSurge": 1, "maxUnavailable": 1 if spec.least_replicas > 1 else 0}
    return {"type": "RollingUpdate", "rollingUpdate": update}
