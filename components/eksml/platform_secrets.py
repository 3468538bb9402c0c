"""The secrets that a platform needs: handed to its parts, or missed before anything is created."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pulumi

from eksml.config_keys import SECRETS


class PlatformSecrets(NamedTuple):
    """What of the needed secrets there is."""

    values: Mapping[str, pulumi.Input[str]]
    """All needed ones by their keys without `eksml:`; in a preview a placeholder stands for one that is missing."""
    missing: tuple[str, ...]
    """The keys of those that `pulumi up` will miss."""


def platform_secrets(needed: Iterable[str], given: Mapping[str, pulumi.Input[str]]) -> PlatformSecrets:
    """The secrets that a platform needs, of those that are given.

    Raises pulumi.RunError in `pulumi up`, with every one that is missing and how it is set.
    """
    needed = sorted(set(needed))
    missing = tuple(f"eksml:{name}" for name in needed if name not in given)
    if missing and not pulumi.runtime.is_dry_run():
        raise pulumi.RunError("\n".join(f"{key}: missing, {how_to_set(key)}" for key in missing))
    values = {name: given.get(name, pulumi.Output.secret(f"eksml:{name} is not set")) for name in needed}
    return PlatformSecrets(values, missing)


def how_to_set(key: str) -> str:
    """How a secret of the stack is set, and what it is."""
    return f"the {SECRETS[key]}: set it with `pulumi config set --secret {key}`"
