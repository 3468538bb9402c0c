"""The team profiles as data, and how the settings of a stack are laid over one of them."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from eksml import catalog
from eksml.errors import Problem, SpecError, listed, nearest
from eksml.platform import PlatformSpec
from eksml.spec import parse

PROFILES = ("research", "production", "startup")


@cache
def profile_settings(profile: str) -> dict[str, Any]:
    """The settings of a profile."""
    return yaml.safe_load(files("eksml.profiles").joinpath(f"{profile}.yaml").read_text(encoding="utf-8"))


def platform_spec(settings: Mapping[str, Any], *, region: str, name: str) -> PlatformSpec:
    """The Spec of a platform: settings in the words of the stack file, laid over their profile.

    Mappings merge, a list replaces a list, null removes an entry, and a mapping whose `kind` changes is replaced whole.

    Arguments:
        settings: what stands under `eksml:platform`.
        region: the AWS region.
        name: the platform's name, unless the settings have one.

    Raises SpecError with every problem at once.
    """
    if "region" in settings:
        raise SpecError([Problem(("region",), "unknown key: the region of a stack is aws:region")])
    merged = overlaid(_profile_of(settings), settings)
    network = merged.get("network")
    region_fact = catalog.regions().get(region)
    if region_fact and isinstance(network, dict) and network.get("kind") == "new":
        merged["network"] = {"zones": list(region_fact.default_zones), **network}
    return parse(PlatformSpec, {"name": name, **merged, "region": region})


def overlaid(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """One mapping laid over another."""
    merged = dict(base)
    for key, value in top.items():
        below = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            is_other = "kind" in value and isinstance(below, Mapping) and value["kind"] != below.get("kind")
            merged[key] = overlaid(below if isinstance(below, Mapping) and not is_other else {}, value)
        else:
            merged[key] = value
    return merged


def _profile_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    profile = settings.get("profile")
    if profile is None:
        return {}
    if profile not in PROFILES:
        choices = f"must be {listed(PROFILES)}{nearest(str(profile), PROFILES)}"
        raise SpecError([Problem(("profile",), f"{profile!r} given, {choices}")])
    return profile_settings(profile)
