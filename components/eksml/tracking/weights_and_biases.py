"""Weights & Biases: its key and its settings in the namespaces that asked for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import pulumi
import pulumi_kubernetes as k8s
from pydantic import Field

from eksml import names
from eksml.component import Component
from eksml.config_keys import described
from eksml.errors import Problem, nearest, repetitions
from eksml.spec import HttpsUrl, Spec, TeamName, pattern


class WeightsAndBiasesSpec(Spec):
    """Which teams report to Weights & Biases, and to which account. The key is the secret `eksml:wandbApiKey`."""

    teams: tuple[TeamName, ...] = Field(min_length=1)
    """The teams that get the key, in their namespaces and in the notebooks that belong to them: members can read it."""
    entity: Annotated[str, pattern(r"^[A-Za-z0-9_-]+$", "letters, digits, hyphens and underscores")] | None = None
    """The team or user of Weights & Biases that runs belong to; null: the one that the key's owner has by default."""
    project: Annotated[str, pattern(r"^[^/\\#?%:]{1,128}$", "at most 128 characters, none of /\\#?%:")] | None = None
    """The project for runs that name none; null: Weights & Biases' own, uncategorized."""
    base_url: HttpsUrl | None = None
    """The address of a dedicated cloud or of a server of one's own; null: the public one."""

    def rules(self) -> Iterator[Problem]:
        """No team stands twice."""
        yield from repetitions(("teams",), self.teams)

    @property
    def secrets_needed(self) -> dict[str, str]:
        """The secret keys of the stack file that it needs, without `eksml:`, and what they are."""
        return described("wandbApiKey")


class WeightsAndBiases(Component):
    """In the namespace of each team a Secret with the key and a ConfigMap with the settings, both named `wandb`.

    Jobs with `trackers: [weightsAndBiases]` read them. Egress needs nothing: teams reach HTTPS anywhere.

    Arguments:
        spec: which teams, and which account.
        api_key: the key.
        notebooks: the namespace of the notebooks of one of these teams, which get the key too.
    """

    def __init__(
        self,
        name: str,
        spec: WeightsAndBiasesSpec,
        *,
        api_key: pulumi.Input[str],
        notebooks: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:tracking:WeightsAndBiases", name, spec, opts)
        settings = {"WANDB_ENTITY": spec.entity, "WANDB_PROJECT": spec.project, "WANDB_BASE_URL": spec.base_url}
        given = {variable: value for variable, value in settings.items() if value}
        for namespace in (*spec.teams, *([notebooks] if notebooks else [])):
            labels = {names.TEAM_LABEL: namespace} if namespace in spec.teams else None
            metadata = k8s.meta.v1.ObjectMetaArgs(name=names.WANDB, namespace=namespace, labels=labels)
            k8s.core.v1.Secret(
                f"{name}-{namespace}",
                metadata=metadata,
                string_data={names.WANDB_API_KEY: pulumi.Output.secret(api_key)},
                opts=self.child(),
            )
            k8s.core.v1.ConfigMap(f"{name}-{namespace}", metadata=metadata, data=given, opts=self.child())
        self.register_outputs({})


def weights_and_biases_problems(spec: WeightsAndBiasesSpec, teams: Iterable[str]) -> Iterator[Problem]:
    """What does not hold between it and the teams of a platform, seen from its own settings."""
    known = list(teams)
    for index, team in enumerate(spec.teams):
        if team not in known:
            yield Problem(("teams", index), f"'{team}' is no team{nearest(team, known)}")
