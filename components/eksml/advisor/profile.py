"""A whole platform from a few answers: a stack file that holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, NamedTuple

import yaml

from eksml.advisor.frameworks import recommend_framework
from eksml.advisor.inference import recommend_inference_tool
from eksml.advisor.mlops import MlopsStack, select_mlops_stack
from eksml.advisor.ranking import Ranking
from eksml.advisor.requirements import (
    FrameworkName,
    Goal,
    InferenceRequirements,
    Level,
    ModelFramework,
    ModelType,
    Money,
    ProfileAnswers,
    TeamProfile,
    requirements_of,
)
from eksml.advisor.training import recommend_training_orchestrator
from eksml.catalog import inference_engines, instance_types, models
from eksml.catalog.decisions import decisions
from eksml.catalog.tools import tools
from eksml.config_keys import PLATFORM, SECRETS
from eksml.errors import Problem, SpecError
from eksml.sizing import GpuMemory, Serving, ServingInstance, serving_instances, shape_of

_SERVER = "language-model"
_HEAD = "# yaml-language-server: $schema=stack.schema.json\n#\n"
_WIDTH = 78
_HUGGING_FACE = {"secret": "hugging-face", "key": "token"}
# The engines that divide a model among several GPUs.
_SHARES_GPUS = ("vllm",)
# What a server keeps of the profile's own.
_KEPT_OF_SERVER = ("namespace", "pool", "autoscaling", "rollout", "metrics")
# A database that costs little, where nobody waits for it while a zone is away.
_SMALL_DATABASE = {"kind": "rds", "instanceClass": "db.t4g.micro", "multiAz": False, "backupRetentionDays": 7}


class Served(NamedTuple):
    """What serves the model, and where."""

    engine: str
    instance: ServingInstance

    @property
    def gpus(self) -> int:
        """GPUs that share the model."""
        return self.instance.fitted.serving.tensor_parallel


@dataclass(frozen=True)
class ProfileChoice:
    """A platform that suits the answers, and why it is as it is."""

    answers: ProfileAnswers
    profile: TeamProfile
    settings: Mapping[str, Any]
    """What stands under `eksml:platform`."""
    reasons: tuple[str, ...]
    steps: tuple[str, ...]
    """What is to be done before `pulumi up`."""
    framework: Ranking | None
    """The recommendation; None: the framework was given."""
    training: Ranking
    inference: Ranking | None
    """The recommendation; None: no model was named."""
    mlops: MlopsStack

    def stack_file(self) -> str:
        """The text of the stack file, with the reasons as comments."""
        told = [*self.reasons, *(f"Before `pulumi up`: {step}" for step in self.steps)]
        comments = [f"# {'- ' if first else '  '}{line}" for text in told for first, line in _lines(text)]
        content = {"config": {"aws:region": self.answers.region, PLATFORM: dict(self.settings)}}
        return "\n".join([_HEAD + comments[0], *comments[1:], yaml.safe_dump(content, sort_keys=False)])

    def as_json(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "question": "profile",
            "requirements": self.answers.settings(),
            "profile": self.profile.value,
            "region": self.answers.region,
            "settings": dict(self.settings),
            "reasons": list(self.reasons),
            "steps": list(self.steps),
            "framework": self.framework.as_json() if self.framework else None,
            "training": self.training.as_json(),
            "inference": self.inference.as_json() if self.inference else None,
            "mlops": self.mlops.as_json(),
        }


def recommend_profile(answers: Mapping[str, Any] | ProfileAnswers, *, name: str = "eksml") -> ProfileChoice:
    """A platform from a few answers, whose settings are those of a valid stack file.

    Arguments:
        answers: `goal`, and what else is known: `workload`, `budget`, `team_size`, `model`, …
        name: the platform's name, as `project-stack`.

    Raises SpecError with every problem of the answers at once.
    """
    # They know Pulumi's SDKs, which nothing else here loads.
    from eksml.profiles import platform_spec, profile_settings

    asked = requirements_of(ProfileAnswers, answers)
    profile, because = _profile(asked)
    base = profile_settings(profile)
    if problems := list(_problems(asked, base)):
        raise SpecError(problems)
    ranked = None if asked.framework else recommend_framework({"goal": asked.goal, "workload": asked.workload})
    framework = asked.framework or _trained_with(ranked, decisions().teams[profile].framework)
    training = recommend_training_orchestrator({"framework": framework, "team": profile})
    mlops = select_mlops_stack({**_of_mlops(asked), "team": profile})
    inference, served = _served(asked, profile) if asked.model else (None, None)
    parts = {
        "cluster": _cluster(asked),
        "schedule": None if asked.compliance is Level.HIGH and "schedule" in base else {},
        "pools": _pools(asked, base, served),
        "teams": _teams(asked, base),
        "training": _training(training, base),
        "notebooks": _notebooks(asked, base),
        "tracking": _tracking(mlops, base, profile),
        "budget": _budget(asked),
        "servers": _servers(asked, base, served),
    }
    settings = {"profile": profile.value, **{key: part for key, part in parts.items() if part != {}}}
    spec = platform_spec(settings, region=asked.region, name=name)
    reasons = [
        f"{profile}: {because}.",
        *_choices(framework, ranked, training, mlops),
        *_of_server(asked, served),
        *_of_budget(asked, base),
    ]
    steps = [f"pulumi config set --secret eksml:{key} (the {SECRETS[f'eksml:{key}']})" for key in spec.secrets_needed]
    return ProfileChoice(
        answers=asked,
        profile=profile,
        settings=settings,
        reasons=tuple(reasons),
        steps=(*steps, *_steps_of_model(asked, settings)),
        framework=ranked,
        training=training,
        inference=inference,
        mlops=mlops,
    )


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


def _of_mlops(asked: ProfileAnswers) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in ("budget", "team_size", "compliance", "data_must_stay")}


def _served(asked: ProfileAnswers, profile: TeamProfile) -> tuple[Ranking, Served]:
    """How the model is served: by the first engine, and on the cheapest instance, that holds it. Raises SpecError."""
    ranking = recommend_inference_tool(
        InferenceRequirements(framework=ModelFramework.PYTORCH, model_type=ModelType.LLM, team=profile)
    )
    for engine in (name for name, _ in ranking if name in inference_engines()):
        serving = Serving(
            gpu=GpuMemory("any GPU", 0.0),
            context_length=asked.context_length,
            concurrency=asked.requests,
            engine=inference_engines()[engine],
        )
        found = serving_instances(shape_of(asked.model or ""), serving, asked.region)
        served = Served(engine, found[0]) if found else None
        if served and (served.gpus == 1 or engine in _SHARES_GPUS):
            return ranking, served
    text = f"{asked.model} fits on no instance of {asked.region} with this context_length and these requests"
    raise SpecError([Problem(("model",), text)])


def _cluster(asked: ProfileAnswers) -> dict[str, Any]:
    return {"deletionProtection": True, "logRetentionDays": 365} if asked.compliance is Level.HIGH else {}


def _pools(asked: ProfileAnswers, base: Mapping[str, Any], served: Served | None) -> dict[str, Any]:
    pools: dict[str, Any] = {}
    serving, trained_on = _server_of(base)["pool"], _trained_on(base)
    needed = _gpus_needed(base, served)
    if asked.training_gpus:
        # A pool that serves too has GPUs for both.
        pools[trained_on] = {"gpuLimit": asked.training_gpus + (needed if trained_on == serving else 0)}
    if served:
        of_profile, chosen = base["pools"][serving], served.instance.name
        types = [chosen, *(each for each in of_profile["instanceTypes"] if each != chosen)]
        pools[serving] = {
            "instanceTypes": types,
            "gpuLimit": max(pools.get(serving, of_profile)["gpuLimit"], needed),
        }
    if asked.notebooks is False:
        # A pool of GPUs that is there for notebooks alone goes with them.
        shown = (base.get("notebooks") or {}).get("pools", ())
        pools.update({name: None for name in shown if "accelerator" in base["pools"][name]})
    if asked.notebooks and "notebooks" not in base:
        pools["system"] = {"size": base["pools"]["system"]["size"] + 1}
    return pools


def _problems(asked: ProfileAnswers, base: Mapping[str, Any]) -> Iterator[Problem]:
    """What a profile has no room for."""
    pool = _trained_on(base)
    gpus = (instance_types()[name].gpu for name in base["pools"][pool]["instanceTypes"])
    least = min(gpu.count for gpu in gpus if gpu)
    if asked.training_gpus and asked.training_gpus < least:
        text = f"{asked.training_gpus} given, must be at least {least}: the smallest node of {pool} has as many"
        yield Problem(("training_gpus",), text)


def _trained_on(base: Mapping[str, Any]) -> str:
    """The pool that jobs grow into: one of Karpenter's, if possible not the one that serves."""
    serving = _server_of(base)["pool"]
    elastic = [name for name, pool in base["pools"].items() if pool["kind"] == "karpenter"]
    return next((name for name in elastic if name != serving), serving)


def _teams(asked: ProfileAnswers, base: Mapping[str, Any]) -> dict[str, Any]:
    """The teams' shares of the GPUs for training, where they have shares: as before, and the rest is borrowed."""
    pool = _trained_on(base)
    quotas = {name: team["quotas"].get(pool) for name, team in base["teams"].items()}
    shares = {name: quota["gpus"] for name, quota in quotas.items() if quota}
    if not asked.training_gpus or not shares:
        return {}
    now = {name: share * asked.training_gpus // sum(shares.values()) for name, share in shares.items()}
    now[next(iter(now))] += asked.training_gpus - sum(now.values())
    return {
        name: {"quotas": {pool: {"gpus": share, "borrow": asked.training_gpus - share}}} for name, share in now.items()
    }


def _gpus_needed(base: Mapping[str, Any], served: Served | None) -> int:
    """GPUs of all replicas of the server, and of a new version beside them."""
    server = _server_of(base)
    replicas = server.get("autoscaling", {}).get("maxReplicas", 1)
    return (served.gpus if served else server["gpusPerNode"]) * replicas * 2


def _server_of(base: Mapping[str, Any]) -> Mapping[str, Any]:
    return next(iter(base["servers"].values()))


def _training(ranking: Ranking, base: Mapping[str, Any]) -> dict[str, Any]:
    wanted = [path.partition(".")[2] for path in tools()[ranking[0][0]].settings]
    return {name: {} for name in wanted if name not in (base.get("training") or {})}


def _notebooks(asked: ProfileAnswers, base: Mapping[str, Any]) -> dict[str, Any] | None:
    has = "notebooks" in base
    if asked.notebooks is None or asked.notebooks == has:
        return {}
    if not asked.notebooks:
        return None
    return {
        "team": next(iter(base["teams"])),
        "pools": ["system"],
        "authentication": {"kind": "cognito", "userPool": {"kind": "new"}},
        "activeServers": min(asked.team_size, 2),
    }


def _tracking(mlops: MlopsStack, base: Mapping[str, Any], profile: TeamProfile) -> dict[str, Any]:
    database = {"kind": "rds"} if profile is TeamProfile.PRODUCTION else _SMALL_DATABASE
    own = {
        "mlflow": ("mlflow", {"database": database}),
        "wandb": ("weightsAndBiases", {"teams": list(base["teams"])}),
    }
    used = {mlops["tracking"], mlops["registry"]}
    has = base.get("tracking") or {}
    added = {key: part for tool, (key, part) in own.items() if tool in used and key not in has}
    return {**added, **{key: None for tool, (key, _) in own.items() if tool not in used and key in has}}


def _budget(asked: ProfileAnswers) -> dict[str, Any]:
    if asked.monthly_usd is None:
        return {}
    return {"monthlyUsd": asked.monthly_usd, **({"emails": [asked.email]} if asked.email else {})}


def _servers(asked: ProfileAnswers, base: Mapping[str, Any], served: Served | None) -> dict[str, Any]:
    if served is None:
        return {}
    source: dict[str, Any] = {"kind": "hub", "model": asked.model}
    if asked.revision:
        source["revision"] = asked.revision
    if _needs_token(asked.model):
        source["token"] = _HUGGING_FACE
    server = {
        "kind": served.engine,
        **{key: value for key, value in _server_of(base).items() if key in _KEPT_OF_SERVER},
        "source": source,
        "contextLength": asked.context_length,
        "gpusPerNode": served.gpus,
        "instanceType": served.instance.name,
    }
    return {**dict.fromkeys(base["servers"]), _SERVER: server}


def _needs_token(model: str | None) -> bool:
    """Whether the hub asks who it is, or no source says that it does not."""
    return model is not None and models()[model].gated is not False


def _choices(framework: str, ranked: Ranking | None, training: Ranking, mlops: MlopsStack) -> Iterator[str]:
    tied = [tools()[name].title for name in ranked.ties if name != framework] if ranked else []
    because = _because(ranked, framework) if ranked else "you asked for it"
    yield f"{tools()[framework].title}: {because}{_or(tied)}."
    yield f"{tools()[training[0][0]].title} for training: {_because(training, training[0][0])}."
    yield f"{tools()[mlops['tracking']].title} for experiments: {mlops.reasons['tracking'].pros[0]}."
    if mlops["registry"] != mlops["tracking"]:
        yield f"{tools()[mlops['registry']].title} for models: {mlops.reasons['registry'].pros[0]}."


def _because(ranking: Ranking, name: str) -> str:
    # A library may be first that stands on top of what is trained with.
    of_name = ranking.reasons.get(name, ranking.reasons[ranking[0][0]])
    return next(iter(of_name.pros), "it has the highest score")


def _or(tied: list[str]) -> str:
    return f" (a tie with {', '.join(tied)})" if tied else ""


def _of_server(asked: ProfileAnswers, served: Served | None) -> Iterator[str]:
    if served:
        usd = served.instance.usd_per_hour
        on = f"{served.gpus} GPU{'s' if served.gpus > 1 else ''} of {served.instance.name}"
        price = f"{usd:.2f} USD/h" if usd else "at a price that is not known"
        holds = f"the cheapest that holds {asked.requests} requests of {asked.context_length} tokens"
        yield f"{asked.model} by {tools()[served.engine].title} on {on}, {price}: {holds}."


def _of_budget(asked: ProfileAnswers, base: Mapping[str, Any]) -> Iterator[str]:
    budget = base.get("budget") or {}
    if budget.get("onExceed") == "fail":
        usd = asked.monthly_usd or budget["monthlyUsd"]
        yield f"A budget of {usd:,} USD a month, above which a preview fails: monthly_usd changes it."


def _steps_of_model(asked: ProfileAnswers, settings: Mapping[str, Any]) -> Iterator[str]:
    if _needs_token(asked.model):
        namespace = settings["servers"][_SERVER]["namespace"]
        of_token = f"kubectl create secret generic {_HUGGING_FACE['secret']} --namespace {namespace}"
        yield f"accept the licence of {asked.model} on the hub; {of_token} --from-literal {_HUGGING_FACE['key']}=…"


def _lines(text: str) -> Iterator[tuple[bool, str]]:
    """The lines of a comment, and whether each is the first."""
    return ((number == 0, line) for number, line in enumerate(wrap(text, _WIDTH - 4, break_long_words=False)))
