"""The configurations of NVIDIA's device plugin, of which each node takes one by a label."""

from collections.abc import Mapping
from typing import Any

import yaml

DEFAULT = "exclusive"
"""The configuration of nodes without that label: each GPU belongs to one pod."""


def config_texts(sharings: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Every configuration as the plugin reads it, by name: the default one, and one for each way of sharing."""
    configs: dict[str, Any] = {DEFAULT: {"version": "v1"}}
    configs |= {name: {"version": "v1", "sharing": dict(sharing)} for name, sharing in sorted(sharings.items())}
    return {name: yaml.safe_dump(config, sort_keys=False) for name, config in configs.items()}
