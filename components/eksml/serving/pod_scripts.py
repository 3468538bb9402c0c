"""The small programs that run in pods beside or before a model server, and how they get there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from eksml import names
from eksml.kubernetes_object import KubernetesObject

SCRIPT_DIRECTORY = "/scripts"
_VOLUME = "scripts"


@cache
def script(name: str) -> str:
    """The text of one program, such as warm_up.py."""
    return files("eksml.serving").joinpath("scripts", name).read_text(encoding="utf-8")


def scripts_config_map(server: str, *scripts: str) -> KubernetesObject:
    """The ConfigMap with the programs of a server: another one for other programs, so that its pods are made anew."""
    texts = {name: script(name) for name in scripts}
    digest = names.short_hash(json.dumps(texts, sort_keys=True))
    return KubernetesObject("v1", "ConfigMap", f"{server}-scripts-{digest}", {"data": texts})


def scripts_volume(config_map: str) -> dict[str, Any]:
    """The volume of a pod whose containers run programs of a ConfigMap."""
    return {"name": _VOLUME, "configMap": {"name": config_map}}


def scripts_mount() -> dict[str, Any]:
    """Where a container finds the programs."""
    return {"name": _VOLUME, "mountPath": SCRIPT_DIRECTORY, "readOnly": True}


def script_command(name: str, options: Mapping[str, Any]) -> list[Any]:
    """What starts a program, with those of its options that have a value; one of several values stands as often."""
    given = [(option, value) for option, values in options.items() for value in _values(values)]
    return ["python", f"{SCRIPT_DIRECTORY}/{name}", *(word for pair in given for word in pair)]


def _values(values: Any) -> list[Any]:
    if values is None:
        return []
    several = list(values) if isinstance(values, tuple) else [values]
    return [f"{each}" if isinstance(each, int | float) else each for each in several]
