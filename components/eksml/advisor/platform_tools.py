"""Which profile a platform begins with, and which tools belong to it."""

from __future__ import annotations

from typing import NamedTuple

from eksml.advisor.frameworks import recommend_framework
from eksml.advisor.mlops import MlopsStack, select_mlops_stack
from eksml.advisor.ranking import Change, Ranking, other_requirements
from eksml.advisor.requirements import (
    FrameworkName,
    FrameworkRequirements,
    Goal,
    Money,
    Processor,
    ProfileAnswers,
    TeamProfile,
    WorkloadKind,
)
from eksml.advisor.training import recommend_training_orchestrator
from eksml.catalog import decisions, tools

_NAMED = ("team", "framework", "model")


class PlatformTools(NamedTuple):
    """A profile and tools, and why."""

    profile: TeamProfile
    because: str
    """Why this profile."""
    framework: FrameworkName
    frameworks: Ranking | None
    """The recommendation; None: the framework was given."""
    training: Ranking
    mlops: MlopsStack
    trains: bool
    """Whether anything is trained on the platform."""

    @property
    def names(self) -> tuple[str, ...]:
        """The profile, the framework, the way to train, and the trackers of experiments and of models."""
        trackers = dict.fromkeys((self.mlops["tracking"], self.mlops["registry"]))
        training = self.training[0][0] if self.trains else "nothing for training"
        return (self.profile.value, self.framework.value, training, *trackers)


def platform_tools(asked: ProfileAnswers) -> PlatformTools:
    """The profile and the tools that suit the answers."""
    profile, because = _profile(asked)
    ranked = None if asked.framework else _frameworks(asked)
    framework = asked.framework or _trained_with(ranked, decisions().teams[profile].framework)
    of_mlops = {name: getattr(asked, name) for name in ("budget", "team_size", "compliance", "data_must_stay")}
    return PlatformTools(
        profile,
        because,
        framework,
        ranked,
        training=recommend_training_orchestrator({"framework": framework, "team": profile}),
        mlops=select_mlops_stack({**of_mlops, "team": profile}),
        trains=asked.training_gpus != 0 or on_cpus_only(framework, asked),
    )


def _frameworks(asked: ProfileAnswers) -> Ranking:
    """The frameworks for what is modelled, on the GPUs that a platform has for all but tables and time series."""
    workload = asked.workload or (WorkloadKind.LANGUAGE_MODEL if asked.model else None)
    hardware = None if workload in (WorkloadKind.TABULAR, WorkloadKind.TIME_SERIES) else Processor.GPU
    return recommend_framework(FrameworkRequirements(goal=asked.goal, workload=workload, hardware=hardware))


def on_cpus_only(framework: str, asked: ProfileAnswers) -> bool:
    """Whether a framework is trained on CPUs: it cannot do otherwise, or nobody asks for GPUs for it."""
    choice = tools()[framework].framework
    asks_for_gpus = bool(asked.training_gpus) and takes_gpus(framework)
    return choice is not None and choice.trained_on == "cpu" and not asks_for_gpus


def takes_gpus(framework: str) -> bool:
    """Whether a GPU is of any use to a framework."""
    choice = tools()[framework].framework
    return choice is not None and "gpu" in choice.hardware


def changes_of(asked: ProfileAnswers) -> tuple[Change, ...]:
    """What would change the tools: each answer with each other value, one at a time, and what would be new.

    Those that name a profile, a framework or a model are left out: they would bring what they name.
    """
    now = platform_tools(asked).names
    others = ((name, value, other) for name, value, other in other_requirements(asked) if name not in _NAMED)
    names = ((name, value, platform_tools(other).names) for name, value, other in others)
    changed = ((name, value, tuple(tool for tool in tools if tool not in now)) for name, value, tools in names)
    return tuple(Change(name, value, new) for name, value, new in changed if new)


def _profile(asked: ProfileAnswers) -> tuple[TeamProfile, str]:
    """The profile, and why."""
    if asked.team:
        return asked.team, "you asked for this profile"
    if asked.budget is Money.MINIMAL:
        return TeamProfile.STARTUP, "the budget is minimal, and this profile puts cost first"
    if asked.goal is Goal.PRODUCTION:
        return TeamProfile.PRODUCTION, "the goal is production: nothing fails because one zone does"
    return TeamProfile.RESEARCH, f"the goal is {asked.goal}: experiments first, few people to run the platform"


def _trained_with(ranked: Ranking | None, favourite: str) -> FrameworkName:
    """The first that models are trained with, of a tie the team's; a library on top of PyTorch is PyTorch."""
    if ranked and favourite in ranked.top:
        return FrameworkName(favourite)
    names = [*FrameworkName]
    return next((FrameworkName(name) for name, _ in ranked or () if name in names), FrameworkName.PYTORCH)
