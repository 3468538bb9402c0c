"""The config.json of models of the hub, with the parameters that Transformers makes of them."""

from pathlib import Path
from typing import Any, NamedTuple

import yaml


class HubConfig(NamedTuple):
    """One model of the hub."""

    parameters: int
    config: dict[str, Any]


_FILE = Path(__file__).parent / "sizing" / "hub_configs.yaml"
HUB_CONFIGS = {name: HubConfig(**entry) for name, entry in yaml.safe_load(_FILE.read_text(encoding="utf-8")).items()}
