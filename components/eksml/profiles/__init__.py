"""The team profiles as data, and how the settings of a stack are laid over one of them."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any, TypeGuard, get_args

from eksml import catalog
from eksml.errors import Problem, SpecError, listed, nearest
from eksml.packaged_yaml import load_yaml
from eksml.platform_settings import PlatformSpec, Profile
from eksml.spec import parse

PROFILES: tuple[str, ...] = get_args(Profile)


@cache
def profile_settings(profile: str) -> dict[str, Any]:
    """The settings of a profile."""
    return load_yaml(files("eksml.profiles").joinpath(f"{profile}.yaml").read_text(encoding="utf-8"))


def platform_spec(settings: Mapping[str, Any], *, region: str | None, name: str) -> PlatformSpec:
    """The Spec of a platform: settings in the words of the stack file, laid over their profile.

    Mappings merge, a list replaces a list, null removes an entry, and a mapping whose `kind` changes is replaced whole.

    Arguments:
        settings: what stands under `eksml:platform`.
        region: the AWS region.
        name: the platform's name, unless the settings have one.

    Raises SpecError with every problem at once.
    """
    problems = list(_problems_before_parsing(settings, region))
    profile = _likely_profile(settings.get("profile"))
    if profile is None and "profile" in settings and problems:
        raise SpecError(problems)
    merged = {**overlaid(profile_settings(profile) if profile else {}, settings), "profile": profile, "region": region}
    if profile and (orphans := _without_pools_that_are_gone(merged, profile_settings(profile), settings))["teams"]:
        merged = overlaid(merged, orphans)
    network = merged.get("network")
    if _needs_zones(network):
        fact = catalog.regions().get(region or "")
        if fact is None and region is not None:
            suggestion = nearest(region, catalog.regions_beside(region)) or "; if it is right, give its zones"
            problems.append(Problem(("network", "zones"), f"missing, and '{region}' is not in the catalog{suggestion}"))
        merged["network"] = {**network, **({"zones": list(fact.default_zones)} if fact else {})}
    given = {"name": name, **{key: value for key, value in merged.items() if value is not None}}
    try:
        spec = parse(PlatformSpec, given)
    except SpecError as error:
        told = {problem.path for problem in problems}
        raise SpecError(problems + [problem for problem in error.problems if problem.path not in told]) from None
    if problems:
        raise SpecError(problems)
    return spec


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


def _problems_before_parsing(settings: Mapping[str, Any], region: str | None) -> Iterator[Problem]:
    if "region" in settings:
        yield Problem(("region",), "unknown key: the region of a stack is aws:region")
    if region is None:
        yield Problem(("region",), "missing: give aws:region, such as us-west-2")
    profile = settings.get("profile")
    if profile is not None and profile not in PROFILES:
        yield Problem(("profile",), f"{profile!r} given, must be {listed(PROFILES)}{nearest(str(profile), PROFILES)}")


def _likely_profile(profile: Any) -> str | None:
    """The profile, or the one that was probably meant: what else is wrong can then be told at the same time."""
    return profile if profile in PROFILES else next(iter(get_close_matches(str(profile), PROFILES, n=1)), None)


def _without_pools_that_are_gone(
    merged: Mapping[str, Any], profile: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What takes away the profile's own quotas of pools that the settings took away."""
    gone = set(profile["pools"]) - set(_mapping(merged.get("pools")))
    kept = [team for team, spec in _mapping(merged.get("teams")).items() if isinstance(spec, Mapping)]
    return {
        "teams": {
            team: {"quotas": dict.fromkeys(gone & set(spec["quotas"]) - set(_given_quotas(settings, team)))}
            for team, spec in profile["teams"].items()
            if gone and team in kept
        }
    }


def _given_quotas(settings: Mapping[str, Any], team: str) -> Mapping[str, Any]:
    return _mapping(_mapping(_mapping(settings.get("teams")).get(team)).get("quotas"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _needs_zones(network: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(network, dict) and network.get("kind") == "new" and "zones" not in network
