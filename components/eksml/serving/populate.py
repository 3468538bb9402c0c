"""A Job that fills a prefix of the bucket with a model of the Hugging Face hub, once."""

from __future__ import annotations

import json
from typing import Annotated, Any, NamedTuple

import pulumi
from pydantic import Field

from eksml import names
from eksml.catalog import images
from eksml.kubernetes_object import KubernetesObject
from eksml.secret_key import SecretKey
from eksml.serving.pod_scripts import script_command, scripts_mount, scripts_volume
from eksml.spec import Flag, PoolName, Spec, pattern

POPULATE_SCRIPT = "populate.py"
# The image's own user.
_USER = 1000
_RETRIES = 4
# What populate.py ends with where another try would end the same.
_NEVER_WORTH_ANOTHER_TRY = 2
_PathPattern = Annotated[str, pattern(r"^[^-\s]\S*$", "a pattern of paths, such as *.safetensors")]


class Populate(Spec):
    """How a model gets from the Hugging Face hub into the bucket."""

    allow: tuple[_PathPattern, ...] = ()
    """Patterns of paths, such as *.onnx: no other files are taken; none given: all that one form of the weights needs,
    safetensors before any other."""
    ignore: tuple[_PathPattern, ...] = ()
    """Patterns of paths that are not taken, such as consolidated*."""
    pickles: Flag = False
    """Whether weights that may run code when they are loaded are taken too, such as pytorch_model.bin."""
    pool: PoolName | None = None
    """The pool of nodes that the Job runs in; none given: any that the team may use."""
    timeout_minutes: Annotated[int, Field(strict=True, ge=5, le=1440)] = 120
    """Minutes after which the Job is ended and `pulumi up` fails: 140 GB take about a quarter of an hour."""


class HubModel(NamedTuple):
    """One revision of a model on the hub."""

    repository: str
    """ORGANISATION/MODEL."""
    revision: str
    """The whole hash of a commit."""
    token: SecretKey | None = None
    """The token of an account that may read it, if not everybody may."""


class BucketPrefix(NamedTuple):
    """Where the model goes, which one revision has for itself."""

    bucket: pulumi.Input[str]
    prefix: str
    region: pulumi.Input[str] | None = None


def populate_job(
    server: str,
    populate: Populate,
    source: HubModel,
    target: BucketPrefix,
    *,
    scripts: str,
    service_account: str = names.TEAM_SERVICE_ACCOUNT,
) -> KubernetesObject:
    """The Job, of another name for whatever else it does: a Job cannot be changed.

    It is to be made with `populate_annotations`, and what reads the prefix depends on it. `serving/scripts/populate.py`
    says which rights in AWS its service account needs: a team's `workload` has them below `teams/TEAM/`.

    Arguments:
        server: the server's name.
        populate: what is taken, and how long it may last.
        source: the model.
        target: the prefix of the bucket.
        scripts: name of the ConfigMap with `populate.py`.
        service_account: the service account, which writes to the bucket.
    """
    pod = _pod(populate, source, target, scripts, service_account)
    known = [*source[:2], target.prefix, populate.settings(), scripts, pod["containers"][0]["image"]]
    if isinstance(target.bucket, str):
        known.append(target.bucket)
    name = f"{server}-weights-{names.short_hash(json.dumps(known, sort_keys=True))}"
    spec = {
        "backoffLimit": _RETRIES,
        "activeDeadlineSeconds": populate.timeout_minutes * 60,
        "podFailurePolicy": {
            "rules": [
                # A node that goes away is no failure of the Job.
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                {
                    "action": "FailJob",
                    "onExitCodes": {
                        "containerName": "populate",
                        "operator": "In",
                        "values": [_NEVER_WORTH_ANOTHER_TRY],
                    },
                },
            ]
        },
        "template": {"spec": pod},
    }
    return KubernetesObject("batch/v1", "Job", name, {"spec": spec})


def populate_annotations(populate: Populate) -> dict[str, str]:
    """The Job's annotations: for how long `pulumi up` waits, which is a minute more than the Job may last."""
    return {"pulumi.com/timeoutSeconds": str(populate.timeout_minutes * 60 + 60)}


def _pod(
    populate: Populate, source: HubModel, target: BucketPrefix, scripts: str, service_account: str
) -> dict[str, Any]:
    return {
        "serviceAccountName": service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        **({"nodeSelector": {names.POOL_LABEL: populate.pool}} if populate.pool else {}),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(populate, source, target)],
        "volumes": [scripts_volume(scripts)],
    }


def _container(populate: Populate, source: HubModel, target: BucketPrefix) -> dict[str, Any]:
    options = {
        "--repository": source.repository,
        "--revision": source.revision,
        "--bucket": target.bucket,
        "--prefix": target.prefix,
        "--region": target.region,
        "--allow": populate.allow,
        "--ignore": populate.ignore,
    }
    environment: list[dict[str, Any]] = [{"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}]
    if source.token:
        environment.append({"name": "HF_TOKEN", **source.token.as_value()})
    return {
        "name": "populate",
        "image": images()["storage-initializer"].reference,
        "command": script_command(POPULATE_SCRIPT, options) + (["--pickles"] if populate.pickles else []),
        "env": environment,
        # Everything is streamed: the disk holds what is printed.
        "resources": {
            "requests": {"cpu": "500m", "memory": "1Gi", "ephemeral-storage": "100Mi"},
            "limits": {"cpu": "4", "memory": "1Gi", "ephemeral-storage": "1Gi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [scripts_mount()],
    }
