"""What a stack file says where the answers ask for something else than its profile has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from math import ceil
from typing import Any

from eksml.advisor.platform_tools import PlatformTools, on_cpus_only, takes_gpus
from eksml.advisor.requirements import Level, ProfileAnswers, TeamProfile
from eksml.advisor.served import Served
from eksml.catalog import EngineChoice, instance_types, models, priced_regions, tools

SERVER = "language-model"
HUGGING_FACE = {"secret": "hugging-face", "key": "token"}
# What a server keeps of the profile's own.
_KEPT_OF_SERVER = ("namespace", "pool", "autoscaling", "rollout", "metrics")
# A database that costs little, where nobody waits for it while a zone is away.
_SMALL_DATABASE = {"kind": "rds", "instanceClass": "db.t4g.micro", "multiAz": False, "backupRetentionDays": 7}
# Of so many people a node is for the notebooks: it holds two of them without a GPU, or four that share its one.
_PEOPLE_OF_A_NODE = 8
# Homes that there may be by default.
_HOMES = 50
# Where training is done on CPUs only.
_CPU_POOL, _CPU_LIMIT = "cpu", 64
_CPU_TYPES = ["m7i.4xlarge", "m7i.8xlarge", "r7i.4xlarge"]


def adapted(
    base: Mapping[str, Any], asked: ProfileAnswers, chosen: PlatformTools, served: Served | None
) -> dict[str, Any]:
    """The settings of a profile as they are to be, with all that stays as it is.

    Arguments:
        base: the settings of the profile, for the region.
        asked: the answers.
        chosen: the tools that follow from them.
        served: what serves the model; None: no model was named.
    """
    platform = deepcopy(dict(base))
    if on_cpus_only(chosen.framework, asked):
        _put_on_cpus(platform, served)
    else:
        _drop_other_servers(platform, chosen.framework)
    if asked.training_gpus:
        _train_on(platform, asked.training_gpus)
    if served:
        _serve(platform, asked, served)
    _set_notebooks(platform, asked)
    if chosen.trains:
        for path in tools()[chosen.training[0][0]].settings:
            platform.setdefault("training", {}).setdefault(path.partition(".")[2], {})
    else:
        _train_nothing(platform)
    _set_tracking(platform, chosen)
    _set_budget(platform, asked)
    if asked.compliance is Level.HIGH:
        _keep_records(platform)
    return platform


def for_region(base: Mapping[str, Any], region: str) -> dict[str, Any]:
    """The settings of a profile with GPUs that EC2 offers in a region, where it is known what it offers."""
    platform = deepcopy(dict(base))
    if region not in priced_regions():
        return platform
    for pool in platform["pools"].values():
        offered = [name for name in pool["instanceTypes"] if region in instance_types()[name].regions]
        others = (_instead(name, region) for name in pool["instanceTypes"])
        pool["instanceTypes"] = offered or list(dict.fromkeys(other for other in others if other))
    for server in platform["servers"].values():
        types = platform["pools"][server["pool"]]["instanceTypes"]
        gpus = [gpu.model for name in types if (gpu := instance_types()[name].gpu)]
        for field, there in (("instanceType", types), ("accelerator", gpus)):
            if there and field in server and server[field] not in there:
                server[field] = there[0]
    return platform


def difference(base: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be laid over a mapping to have another one."""
    changed = {name: _changed(base.get(name), value) for name, value in wanted.items() if value != base.get(name)}
    return {**dict.fromkeys(name for name in base if name not in wanted), **changed}


def trained_on(platform: Mapping[str, Any]) -> str:
    """The pool that jobs grow into: one of Karpenter's, if possible not the one that serves."""
    serving = server_of(platform)["pool"]
    elastic = [name for name, pool in platform["pools"].items() if pool["kind"] == "karpenter"]
    return next((name for name in elastic if name != serving), serving)


def server_of(platform: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first server."""
    return next(iter(platform["servers"].values()))


def needs_token(model: str | None) -> bool:
    """Whether the hub asks who it is, or no source says that it does not."""
    return model is not None and models()[model].gated is not False


def notebook_nodes(asked: ProfileAnswers) -> int:
    """Nodes for the notebooks of a team."""
    return ceil(asked.team_size / _PEOPLE_OF_A_NODE)


def _changed(below: Any, value: Any) -> Any:
    """What stands for a changed value; a mapping of another kind replaces the one below whole."""
    both = isinstance(below, Mapping) and isinstance(value, Mapping)
    return difference(below, value) if both and below.get("kind") == value.get("kind") else value


def _instead(name: str, region: str) -> str | None:
    """The cheapest type of a region with as many GPUs, of as much memory at least, and as many vCPUs."""
    fact = instance_types()[name]
    prices = {
        other: price.usd
        for other, each in instance_types().items()
        if (price := each.on_demand_usd_per_hour.get(region)) and price.usd
        if each.architecture == fact.architecture and each.vcpu >= fact.vcpu
        if each.gpu and fact.gpu and each.gpu.count == fact.gpu.count and each.gpu.memory_gib >= fact.gpu.memory_gib
    }
    return min(prices, key=prices.__getitem__, default=None)


def _put_on_cpus(platform: dict[str, Any], served: Served | None) -> None:
    """One pool of CPUs that comes and goes, and GPUs for nothing but the model that is served."""
    serving = server_of(platform)["pool"] if served else None
    gone = {name for name, pool in platform["pools"].items() if "accelerator" in pool and name != serving}
    _drop_pools(platform, gone)
    # An operator that trains on GPUs alone would wait for nothing.
    platform.pop("training", None)
    platform["pools"][_CPU_POOL] = {
        "kind": "karpenter",
        "instanceTypes": _CPU_TYPES,
        "capacityTypes": ["spot", "onDemand"],
        "cpuLimit": _CPU_LIMIT,
    }
    for team in platform["teams"].values():
        team["quotas"][_CPU_POOL] = {"vcpus": _CPU_LIMIT // len(platform["teams"])}
    if "notebooks" in platform:
        platform["notebooks"]["pools"] = [_CPU_POOL]
    if not served:
        del platform["servers"], platform["accelerators"]


def _drop_other_servers(platform: dict[str, Any], framework: str) -> None:
    """Leaves out the servers that cannot serve models of the framework, unless that is all of them."""
    engines = {tool.engine.kind: tool.engine for tool in tools().values() if tool.engine and not tool.engine.backend}
    able = {name: server for name, server in platform["servers"].items() if _serves(engines[server["kind"]], framework)}
    platform["servers"] = able or platform["servers"]


def _serves(engine: EngineChoice, framework: str) -> bool:
    return bool({framework, "all"} & {*engine.frameworks})


def _train_on(platform: dict[str, Any], gpus: int) -> None:
    """Lets training have so many GPUs, and each team with a share of them as large a share as before."""
    pool = trained_on(platform)
    # A pool that serves too has GPUs for both.
    of_servers = _gpus_of(server_of(platform)) if server_of(platform)["pool"] == pool else 0
    platform["pools"][pool]["gpuLimit"] = gpus + of_servers
    quotas = [team["quotas"][pool] for team in platform["teams"].values() if team["quotas"].get(pool)]
    before = sum(quota["gpus"] for quota in quotas)
    for quota in quotas:
        quota["gpus"] = quota["gpus"] * gpus // before
    if quotas:
        quotas[0]["gpus"] += gpus - sum(quota["gpus"] for quota in quotas)
    for quota in quotas:
        quota["borrow"] = gpus - quota["gpus"]


def _train_nothing(platform: dict[str, Any]) -> None:
    """Leaves out the operators, the pools of GPUs and the teams that are there for training alone."""
    platform.pop("training", None)
    serving = {server["pool"] for server in platform["servers"].values()}
    if (pool := trained_on(platform)) in serving:
        platform["pools"][pool]["gpuLimit"] = sum(_gpus_of(server) for server in platform["servers"].values())
    kept = {*serving, *platform.get("notebooks", {}).get("pools", [])}
    gone = {name for name, pool in platform["pools"].items() if "accelerator" in pool and name not in kept}
    _drop_pools(platform, gone)
    platform["teams"] = {name: team for name, team in platform["teams"].items() if serving & {*team["quotas"]}}
    if "notebooks" in platform and platform["notebooks"]["team"] not in platform["teams"]:
        platform["notebooks"]["team"] = next(iter(platform["teams"]))


def _drop_pools(platform: dict[str, Any], gone: set[str]) -> None:
    """Leaves out pools, and what teams may have of them."""
    platform["pools"] = {name: pool for name, pool in platform["pools"].items() if name not in gone}
    for team in platform["teams"].values():
        team["quotas"] = {name: quota for name, quota in team["quotas"].items() if name not in gone}


def _gpus_of(server: Mapping[str, Any]) -> int:
    """GPUs of all replicas of a server, and of a new version beside them."""
    return server["gpusPerNode"] * server.get("autoscaling", {}).get("maxReplicas", 1) * 2


def _serve(platform: dict[str, Any], asked: ProfileAnswers, served: Served) -> None:
    of_profile = server_of(platform)
    pool, chosen = platform["pools"][of_profile["pool"]], served.instance.name
    source: dict[str, Any] = {"kind": "hub", "model": asked.model}
    if asked.revision:
        source["revision"] = asked.revision
    if needs_token(asked.model):
        source["token"] = HUGGING_FACE
    server = {
        "kind": served.engine,
        **{key: value for key, value in of_profile.items() if key in _KEPT_OF_SERVER},
        "source": source,
        **({"precision": served.precision} if served.precision else {}),
        "contextLength": asked.context_length,
        "gpusPerNode": served.gpus,
        "instanceType": chosen,
    }
    if asked.training_gpus is not None and of_profile["pool"] == trained_on(platform):
        pool["gpuLimit"] = asked.training_gpus + _gpus_of(server)
    platform["servers"] = {SERVER: server}
    pool["instanceTypes"] = [chosen, *(each for each in pool["instanceTypes"] if each != chosen)]
    pool["gpuLimit"] = max(pool["gpuLimit"], _gpus_of(server))


def _set_notebooks(platform: dict[str, Any], asked: ProfileAnswers) -> None:
    notebooks, pools, nodes = platform.get("notebooks"), platform["pools"], notebook_nodes(asked)
    if asked.notebooks is False and notebooks:
        # A pool of GPUs that is there for notebooks alone goes with them.
        gone = {name for name in notebooks["pools"] if "accelerator" in pools[name]}
        platform["pools"] = {name: pool for name, pool in pools.items() if name not in gone}
        del platform["notebooks"]
    elif notebooks:
        for name in [name for name in notebooks["pools"] if "sharing" in pools[name] and nodes > pools[name]["size"]]:
            # Several nodes come and go with the people.
            of_one = pools[name]["sharing"]["replicas"]
            notebooks["activeServers"] += (nodes - pools[name]["size"]) * of_one
            kept = {key: value for key, value in pools[name].items() if key != "size"}
            pools[name] = {**kept, "kind": "karpenter", "capacityTypes": ["onDemand"], "gpuLimit": nodes}
    elif asked.notebooks:
        pools["system"]["size"] += nodes
        platform["notebooks"] = {
            "team": next(iter(platform["teams"])),
            "pools": ["system"],
            "authentication": {"kind": "cognito", "userPool": {"kind": "new"}},
            "activeServers": min(asked.team_size, 2 * nodes),
        }
    if "notebooks" in platform and asked.team_size > _HOMES:
        platform["notebooks"]["homes"] = asked.team_size


def _set_tracking(platform: dict[str, Any], chosen: PlatformTools) -> None:
    database = {"kind": "rds"} if chosen.profile is TeamProfile.PRODUCTION else dict(_SMALL_DATABASE)
    own = {
        "mlflow": ("mlflow", {"database": database}),
        "wandb": ("weightsAndBiases", {"teams": list(platform["teams"])}),
    }
    tracking = platform["tracking"]
    for tool, (key, part) in own.items():
        if tool in chosen.names:
            tracking.setdefault(key, part)
        else:
            tracking.pop(key, None)


def _set_budget(platform: dict[str, Any], asked: ProfileAnswers) -> None:
    budget = platform.get("budget", {})
    if asked.monthly_usd:
        budget["monthlyUsd"] = asked.monthly_usd
        budget.update({"emails": [asked.email]} if asked.email else {})
        platform["budget"] = budget
    elif (asked.model or asked.training_gpus or asked.notebooks) and budget.get("onExceed") == "fail":
        # What the profile may cost was not said with these in mind.
        budget["onExceed"] = "warn"


def _keep_records(platform: dict[str, Any]) -> None:
    """Keeps what shows who did what, and lets nothing go by mistake or by the clock."""
    platform["cluster"].pop("logTypes", None)
    platform["cluster"].update({"deletionProtection": True, "logRetentionDays": 365})
    platform.pop("schedule", None)
    if mlflow := platform["tracking"].get("mlflow"):
        mlflow["database"].pop("logRetentionDays", None)
        mlflow["database"]["backupRetentionDays"] = 35


def told(base: Mapping[str, Any], platform: Mapping[str, Any], asked: ProfileAnswers, framework: str) -> Iterator[str]:
    """What is otherwise than in the profile, and may surprise."""
    if on_cpus_only(framework, asked):
        or_gpus = "; training_gpus asks for GPUs" if takes_gpus(framework) else ""
        yield f"No GPUs for training: {tools()[framework].title} calculates on CPUs, in the pool {_CPU_POOL}{or_gpus}."
        if "servers" not in platform:
            yield f"No servers: those of the profile need GPUs. {tools()[framework].note or ''}".rstrip()
    if asked.compliance is Level.HIGH:
        yield "Logs of a year, backups of 35 days, and a cluster that is not deleted by mistake: compliance is high."
    if asked.training_gpus == 0:
        yield "Nothing for training, neither nodes nor operators: training_gpus is 0."
    both = {*base["pools"]} & {*platform["pools"]}
    if other := sorted(name for name in both if _have_other_types(base["pools"][name], platform["pools"][name])):
        yield f"Other GPUs than the profile's in {', '.join(other)}: EC2 does not offer those in {asked.region}."
    if "notebooks" in platform and _CPU_POOL not in platform["pools"] and (nodes := notebook_nodes(asked)) > 1:
        yield f"{nodes} nodes for notebooks at the most: one for every {_PEOPLE_OF_A_NODE} of {asked.team_size} people."


def _have_other_types(pool: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return not {*pool["instanceTypes"]} & {*other["instanceTypes"]}
