"""The pod of a training job, derived from its Spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eksml import names
from eksml.catalog import Variable, collectives, frameworks, gpus
from eksml.containers import CONTAINER_SECURITY, SHARED_MEMORY_MOUNT, environment, pod_security, shared_memory
from eksml.storage.volumes import CHECKPOINT_DIRECTORY, DATA_DIRECTORY
from eksml.training.code import CODE_DIRECTORY, GitCode, ImageCode, code_volume, directory_of, fetch_container
from eksml.training.job import JobSpec

RUN_DIRECTORY = "/run/job"
# For a last checkpoint, of the two minutes that EC2 gives a spot instance.
_SECONDS_TO_END = 110


def pod_template(
    name: str,
    spec: JobSpec,
    container: str,
    command: Sequence[str],
    variables: Mapping[str, Any],
    *,
    helper: bool = False,
) -> dict[str, Any]:
    """The template of the pods of a job.

    Arguments:
        name: the job's name, which its ConfigMap and claims begin with.
        spec: the job.
        container: the container's name, by which operators find it.
        command: what it runs.
        variables: environment variables of this kind of job: a value, a key of a Secret, or where else it is from.
        helper: whether the pods only direct others: they get no GPU and little else.
    """
    fetch = [fetch_container(spec.code, CONTAINER_SECURITY)] if isinstance(spec.code, GitCode) else []
    return {
        "metadata": {
            "labels": {names.JOB_LABEL: name},
            # Karpenter leaves the node alone while the pod runs, however empty it is.
            "annotations": {"karpenter.sh/do-not-disrupt": "true"},
        },
        "spec": {
            "serviceAccountName": spec.service_account,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": _SECONDS_TO_END,
            "securityContext": pod_security(spec.user_id),
            **(_helper_placement(spec) if helper else _placement(name, spec)),
            **({"initContainers": fetch} if fetch else {}),
            "containers": [
                {
                    "name": container,
                    "image": spec.image_reference,
                    **({"command": list(command)} if command else {}),
                    "workingDir": directory_of(spec.code),
                    "env": _environment(name, spec, variables),
                    "resources": _resources(spec, helper),
                    "securityContext": dict(CONTAINER_SECURITY),
                    "volumeMounts": _mounts(spec),
                }
            ],
            "volumes": _volumes(name, spec, helper),
        },
    }


def _helper_placement(spec: JobSpec) -> dict[str, Any]:
    return {"nodeSelector": {names.POOL_LABEL: spec.helpers.pool}} if spec.helpers.pool else {}


def _placement(name: str, spec: JobSpec) -> dict[str, Any]:
    placement = spec.placement
    if spec.dedicated:
        placement["nodeSelector"][names.FRAMEWORK_LABEL] = spec.framework_name
    if spec.nodes > 1:
        # Traffic between zones is slow and paid for.
        term = {
            "labelSelector": {"matchLabels": {names.JOB_LABEL: name}},
            "topologyKey": names.ZONE_LABEL,
        }
        preferred = [{"weight": 100, "podAffinityTerm": term}]
        near = {"preferredDuringSchedulingIgnoredDuringExecution": preferred}
        placement["affinity"] = {**placement.get("affinity", {}), "podAffinity": near}
    return placement


def _resources(spec: JobSpec, helper: bool) -> dict[str, Any]:
    if helper:
        amounts = {"cpu": f"{spec.helpers.cpus:g}", "memory": f"{spec.helpers.memory_gib}Gi"}
    else:
        amounts = spec.amounts
        if spec.efa_interfaces:
            amounts[names.EFA_RESOURCE] = str(spec.efa_interfaces)
    return {"requests": amounts, "limits": dict(amounts)}


def _volumes(name: str, spec: JobSpec, helper: bool) -> list[dict[str, Any]]:
    memory = spec.helpers.memory_gib if helper else spec.memory_gib
    volumes: list[dict[str, Any]] = [
        shared_memory(memory),
        {"name": "run", "emptyDir": {}},
    ]
    if volume := code_volume(spec.code, name):
        volumes.append(volume)
    for role, given in (("data", spec.data), ("checkpoints", spec.checkpoints)):
        if given:
            claim = given.claim if given.kind == "claim" else f"{name}-{role}"
            volumes.append({"name": role, "persistentVolumeClaim": {"claimName": claim}})
    return volumes


def _mounts(spec: JobSpec) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [
        dict(SHARED_MEMORY_MOUNT),
        {"name": "run", "mountPath": RUN_DIRECTORY},
    ]
    if not isinstance(spec.code, ImageCode):
        mounts.append({"name": "code", "mountPath": CODE_DIRECTORY, "readOnly": True})
    if spec.data:
        mounts.append({"name": "data", "mountPath": DATA_DIRECTORY, "readOnly": True})
    if spec.checkpoints:
        mounts.append({"name": "checkpoints", "mountPath": CHECKPOINT_DIRECTORY})
    return mounts


def _environment(name: str, spec: JobSpec, own: Mapping[str, Any]) -> list[dict[str, Any]]:
    variables: dict[str, Any] = {
        # The image's user may have no home of its own, and its root is not to be written.
        "HOME": RUN_DIRECTORY,
        "RUN_NAME": name,
        "CHECKPOINT_DIR": CHECKPOINT_DIRECTORY if spec.checkpoints else f"{RUN_DIRECTORY}/checkpoints",
        "LOG_DIR": f"{CHECKPOINT_DIRECTORY if spec.checkpoints else RUN_DIRECTORY}/logs",
        "PYTHONUNBUFFERED": "1",
        **({"DATA_DIR": DATA_DIRECTORY} if spec.data else {}),
        **_derived(spec),
        **own,
        **spec.environment,
        **spec.secrets,
    }
    return environment(variables)


def _derived(spec: JobSpec) -> dict[str, str]:
    """What the framework and the exchange between pods need on this hardware."""
    known = {"cpusPerProcess": str(max(1, int(spec.cpus / spec.processes_per_node)))}
    for fact in spec.types.values():
        if fact.gpu:
            known["computeCapability"] = gpus()[fact.gpu.model].compute_capability
    wanted: list[Variable] = [*frameworks()[spec.framework_name].environment]
    if spec.nodes > 1 and spec.gpus_per_node:
        wanted += collectives()
    texts = {
        variable.name: variable.text(known)
        for variable in wanted
        if (spec.gpus_per_node or not variable.needs_gpu) and (spec.efa or not variable.needs_efa)
    }
    return {variable: text for variable, text in texts.items() if text is not None}
