"""The pods of a model server: one template for every engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from eksml import names
from eksml.catalog import Engine
from eksml.containers import CONTAINER_SECURITY, SHARED_MEMORY_MOUNT, environment, pod_security, shared_memory
from eksml.serving.model_source import MODEL_DIRECTORY, ClaimSource, HubSource, MlflowSource
from eksml.serving.server import ServerSpec

RUN_DIRECTORY = "/run/server"
CONFIGURATION_DIRECTORY = "/etc/server"
HUB_CACHE_DIRECTORY = "/cache"
MODELS_VOLUME = "models"
# Between one look and the next, in seconds, and how many in a row must fail before a server counts as dead.
_STARTING_PERIOD, _READY_PERIOD, _ALIVE_PERIOD, _ALIVE_FAILURES = 10, 5, 20, 6
# What a server may still need once its requests have ended.
_SECONDS_TO_END = 30


class EngineProcess(NamedTuple):
    """What one engine runs in its container."""

    command: Sequence[str]
    arguments: Sequence[Any]
    variables: Mapping[str, Any]
    """Environment variables: a value, or a key of a Secret."""


def pod_template(
    name: str,
    spec: ServerSpec,
    process: EngineProcess,
    *,
    configuration: str | None = None,
    first_containers: Sequence[Mapping[str, Any]] = (),
    side_containers: Sequence[Mapping[str, Any]] = (),
    side_volumes: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The template of the pods of a server.

    Arguments:
        name: the server's name, which its claims begin with.
        spec: the server.
        process: what runs in its container.
        configuration: name of the ConfigMap with the engine's own files, if it has some.
        first_containers: what runs before it, one after the other.
        side_containers: what runs beside it.
        side_volumes: what these and those mount.
    """
    return {
        "metadata": {"labels": pod_labels(name, spec)},
        "spec": {
            "serviceAccountName": spec.service_account,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": spec.drain_seconds + _SECONDS_TO_END,
            "securityContext": pod_security(spec.user_id),
            **({"priorityClassName": spec.priority_class} if spec.priority_class else {}),
            **spec.placement,
            "topologySpreadConstraints": [_spread(name, names.ZONE_LABEL), _spread(name, names.HOST_LABEL)],
            **({"initContainers": [dict(each) for each in first_containers]} if first_containers else {}),
            "containers": [
                _container(name, spec, process, configuration),
                *({**each, **_drain(spec)} for each in side_containers),
            ],
            "volumes": [*_volumes(name, spec, configuration), *side_volumes],
        },
    }


def pod_labels(name: str, spec: ServerSpec) -> dict[str, str]:
    """The labels of a server's pods, those of its queue among them."""
    return {**spec.labels, names.SERVER_LABEL: name, **names.queue_labels(spec.queue, spec.priority)}


def hub_files(source: HubSource) -> dict[str, Any]:
    """The environment by which Hugging Face's libraries load from the hub and keep what they loaded."""
    home = HUB_CACHE_DIRECTORY if source.cache else f"{RUN_DIRECTORY}/huggingface"
    return {"HF_HOME": home, **({"HF_TOKEN": source.token} if source.token else {})}


def _container(name: str, spec: ServerSpec, process: EngineProcess, configuration: str | None) -> dict[str, Any]:
    return {
        "name": "server",
        "image": spec.image_reference,
        **({"command": list(process.command)} if process.command else {}),
        "args": list(process.arguments),
        "env": _environment(spec, process.variables),
        "ports": [{"name": port, "containerPort": number} for port, number in port_numbers(spec.facts).items()],
        "resources": {"requests": spec.requests, "limits": spec.amounts},
        "securityContext": dict(CONTAINER_SECURITY),
        "volumeMounts": _mounts(spec, configuration),
        **_probes(name, spec),
        **_drain(spec),
    }


def _drain(spec: ServerSpec) -> dict[str, Any]:
    """Endpoints and load balancers forget the pod before anything in it stops: it is ready for as long."""
    return {"lifecycle": {"preStop": {"sleep": {"seconds": spec.drain_seconds}}}} if spec.drain_seconds else {}


def port_numbers(facts: Engine) -> dict[str, int]:
    """The ports of an engine by name."""
    ports = {"http": facts.ports.http, "grpc": facts.ports.grpc, "metrics": facts.ports.metrics}
    return {name: port for name, port in ports.items() if port and (name == "http" or port != facts.ports.http)}


def _probes(server: str, spec: ServerSpec) -> dict[str, Any]:
    """Probes that leave a server alone while it loads, and then notice what happens to it."""

    def asked(path: str | None) -> dict[str, Any]:
        if path is None:
            # That the port is open says at least that the server lives.
            return {"tcpSocket": {"port": "http"}}
        return {"httpGet": {"path": path.replace("$model", spec.model_name(server)), "port": "http"}}

    paths = spec.facts.health_paths
    started, ready = {"periodSeconds": _STARTING_PERIOD}, {"periodSeconds": _READY_PERIOD}
    started["failureThreshold"] = spec.cold_start.start_failures(_STARTING_PERIOD)
    alive = {"periodSeconds": _ALIVE_PERIOD, "failureThreshold": _ALIVE_FAILURES}
    return {
        "startupProbe": {**asked(paths.startup), **started, "timeoutSeconds": 5},
        "readinessProbe": {**asked(paths.ready), **ready, "timeoutSeconds": 5},
        "livenessProbe": {**asked(paths.live), **alive, "timeoutSeconds": 10},
    }


def _spread(name: str, topology: str) -> dict[str, Any]:
    return {
        "maxSkew": 1,
        "topologyKey": topology,
        # Karpenter makes nodes where this wants them; a pod that finds no such place still runs.
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {names.SERVER_LABEL: name}},
        # During a change, the new pods are spread among themselves.
        "matchLabelKeys": ["pod-template-hash", "rollouts-pod-template-hash"],
    }


def _environment(spec: ServerSpec, own: Mapping[str, Any]) -> list[dict[str, Any]]:
    variables: dict[str, Any] = {
        # The image's user may have no home and no name of its own, and its root is not to be written.
        "HOME": RUN_DIRECTORY,
        "USER": "server",
        **own,
        **spec.environment,
        **spec.secrets,
    }
    return environment(variables)


def _volumes(name: str, spec: ServerSpec, configuration: str | None) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [
        shared_memory(spec.memory_gib),
        {"name": "run", "emptyDir": {}},
    ]
    if isinstance(spec.source, MlflowSource):
        volumes.append({"name": MODELS_VOLUME, "emptyDir": {"sizeLimit": f"{spec.source.size_gib}Gi"}})
    elif claim := _claim(name, spec):
        volumes.append({"name": MODELS_VOLUME, "persistentVolumeClaim": {"claimName": claim}})
    if configuration:
        volumes.append({"name": "configuration", "configMap": {"name": configuration}})
    return volumes


def _claim(name: str, spec: ServerSpec) -> str | None:
    source = spec.source
    if isinstance(source, HubSource):
        if source.cache is None:
            return None
        return source.cache.claim if source.cache.kind == "claim" else f"{name}-models"
    if isinstance(source, ClaimSource):
        return source.claim
    return f"{name}-models" if spec.mounts_bucket else None


def _mounts(spec: ServerSpec, configuration: str | None) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [
        dict(SHARED_MEMORY_MOUNT),
        {"name": "run", "mountPath": RUN_DIRECTORY},
    ]
    source = spec.source
    if isinstance(source, HubSource):
        mounts += [{"name": MODELS_VOLUME, "mountPath": HUB_CACHE_DIRECTORY}] if source.cache else []
    elif isinstance(source, ClaimSource | MlflowSource) or spec.mounts_bucket:
        path = source.path if isinstance(source, ClaimSource) else None
        below = {"subPath": path} if path else {}
        mounts.append({"name": MODELS_VOLUME, "mountPath": MODEL_DIRECTORY, "readOnly": True, **below})
    if configuration:
        mounts.append({"name": "configuration", "mountPath": CONFIGURATION_DIRECTORY, "readOnly": True})
    return mounts
