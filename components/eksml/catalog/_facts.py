"""What every reader of the catalog shares: how a file is loaded, and how an entry is typed."""

import json
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from eksml.packaged_yaml import load_yaml


class Fact(BaseModel):
    """One entry of the catalog. Names are camelCase in the files and snake_case in Python."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class SourcedFact(Fact):
    """An entry that says where it comes from and when it was read."""

    source: str
    date: date
    note: str | None = None


@cache
def load(file_name: str) -> dict[str, Any]:
    """The content of one catalog file."""
    text = files("eksml.catalog").joinpath(file_name).read_text(encoding="utf-8")
    return json.loads(text) if file_name.endswith(".json") else load_yaml(text)


def today() -> date:
    """The day on which support dates are judged."""
    return date.today()
