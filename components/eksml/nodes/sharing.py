"""How several pods share one GPU of a pool."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from eksml import names
from eksml.catalog import InstanceType, gpus
from eksml.spec import Spec

# NVIDIA's limit of clients of one MPS server. https://docs.nvidia.com/deploy/mps/
_MOST_MPS_CLIENTS = 48


class TimeSlicing(Spec):
    """Pods take turns on the whole GPU: nothing keeps one from the memory of another."""

    kind: Literal["timeSlicing"] = "timeSlicing"
    replicas: Annotated[int, Field(strict=True, ge=2, le=100)]
    """Pods that may share a GPU."""

    def device_plugin_sharing(self) -> dict[str, Any]:
        """What the device plugin's configuration says under `sharing`."""
        resource = {"name": names.GPU_RESOURCE, "replicas": self.replicas}
        # Two replicas are not two GPUs, nor more of one: who asks for several is told so.
        return {"timeSlicing": {"failRequestsGreaterThanOne": True, "resources": [resource]}}


class Mps(Spec):
    """Pods compute at the same time, each with its share of memory and threads; a fault of one can end the others."""

    kind: Literal["mps"] = "mps"
    replicas: Annotated[int, Field(strict=True, ge=2, le=_MOST_MPS_CLIENTS)]
    """Pods that may share a GPU."""

    def device_plugin_sharing(self) -> dict[str, Any]:
        """What the device plugin's configuration says under `sharing`."""
        return {"mps": {"resources": [{"name": names.GPU_RESOURCE, "replicas": self.replicas}]}}


class Mig(Spec):
    """Each GPU is divided in hardware into instances of one profile, which pods get as if each were a GPU."""

    kind: Literal["mig"] = "mig"
    profile: str
    """MIG profile, such as 1g.10gb; the catalog knows those of each GPU."""


Sharing = Annotated[TimeSlicing | Mps | Mig, Field(discriminator="kind")]


def shares(sharing: TimeSlicing | Mps | Mig | None, fact: InstanceType) -> int:
    """How many pods one GPU of an instance type can serve."""
    if isinstance(sharing, Mig):
        return mig_profiles(fact).get(sharing.profile, 1)
    return sharing.replicas if sharing else 1


def mig_profiles(fact: InstanceType) -> dict[str, int]:
    """The MIG profiles of an instance type's GPUs, each with how many of it one GPU holds."""
    return gpus()[fact.gpu.model].mig_profiles(fact.gpu.memory_gib) if fact.gpu else {}


def sharing_labels(sharing: TimeSlicing | Mps | Mig | None) -> dict[str, str]:
    """The labels by which the nodes of a pool choose their configuration of the device plugin, or their MIG profile."""
    if sharing is None:
        return {}
    if isinstance(sharing, Mig):
        return {names.MIG_CONFIG_LABEL: f"all-{sharing.profile}"}
    return {names.DEVICE_PLUGIN_CONFIG_LABEL: config_name(sharing)}


def config_name(sharing: TimeSlicing | Mps) -> str:
    """The name of the device plugin's configuration for this way of sharing."""
    kind = {"timeSlicing": "time-slicing", "mps": "mps"}[sharing.kind]
    return f"{kind}-{sharing.replicas}"


def bottlerocket_settings(sharing: TimeSlicing | Mps | Mig | None) -> str | None:
    """The settings of a Bottlerocket node, whose device plugin is its own, as TOML.

    Source: https://bottlerocket.dev/en/os/1.54.x/api/settings/kubelet-device-plugins/
    """
    if sharing is None or isinstance(sharing, Mig):
        return None
    kind = {"timeSlicing": "time-slicing", "mps": "mps"}[sharing.kind]
    lines = [
        "[settings.kubelet-device-plugins.nvidia]",
        f'device-sharing-strategy = "{kind}"',
        f"[settings.kubelet-device-plugins.nvidia.{kind}]",
        f"replicas = {sharing.replicas}",
        "rename-by-default = false",
        *(["fail-requests-greater-than-one = true"] if sharing.kind == "timeSlicing" else []),
    ]
    return "\n".join(lines) + "\n"
