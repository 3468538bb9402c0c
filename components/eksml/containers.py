"""What the pods of jobs and of servers have in common: no more rights than they need, variables, shared memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eksml.secret_key import SecretKey

CONTAINER_SECURITY: Mapping[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
SHARED_MEMORY_MOUNT: Mapping[str, str] = {"name": "shared-memory", "mountPath": "/dev/shm"}  # noqa: S108


def pod_security(user_id: int) -> dict[str, Any]:
    """The security context of pods that run as a user and write nothing but their own volumes."""
    return {
        "runAsNonRoot": user_id != 0,
        "runAsUser": user_id,
        "runAsGroup": user_id,
        "fsGroup": user_id,
        # A large file system is not walked through at each start.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def environment(variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Environment variables of a container, each a value, a key of a Secret, or where else the value is from."""
    return [{"name": variable, **_value(value)} for variable, value in variables.items()]


def shared_memory(memory_gib: int) -> dict[str, Any]:
    """The volume by which processes of one pod exchange batches or tensors: half of its memory.

    The 64 MiB that a container has otherwise end in "bus error".
    """
    return {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": f"{max(1, memory_gib // 2)}Gi"}}


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, SecretKey):
        return value.as_value()
    return dict(value) if isinstance(value, Mapping) else {"value": value}
