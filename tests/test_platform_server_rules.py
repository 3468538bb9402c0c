"""What the model servers of a platform ask of its teams, pools and operators."""

from typing import Any

import pytest

from eksml.errors import SpecError
from eksml.profiles import platform_spec, profile_settings
from refusals import check_problems

CLASSIFIER: dict[str, Any] = {
    "kind": "tensorflowServing",
    "namespace": "serving",
    "source": {"kind": "s3", "prefix": "teams/serving/models/tensorflow/"},
    "models": {"resnet": {}},
    "gpusPerNode": 1,
    "accelerator": "L4",
    "pool": "serve",
}
ON_CPUS: dict[str, Any] = {
    **{key: value for key, value in CLASSIFIER.items() if key not in ("gpusPerNode", "accelerator")},
    "pool": "system",
    "cpusPerNode": 0.5,
    "memoryGibPerNode": 2,
}
CHAT: dict[str, Any] = {
    "kind": "vllm",
    "namespace": "serving",
    "source": {"kind": "hub", "model": "Qwen/Qwen2.5-1.5B-Instruct"},
    "contextLength": 4096,
    "gpusPerNode": 1,
    "accelerator": "L4",
    "pool": "shared",
}
BLUE_GREEN = {"rollout": {"kind": "blueGreen"}}


def found(servers: dict[str, Any], **settings: Any) -> list[str]:
    """The problems of a production platform with these servers and no others."""
    own = dict.fromkeys(profile_settings("production")["servers"])
    pools = {"serve": {"gpuLimit": 16}, **settings.pop("pools", {})}
    given = {"profile": "production", "servers": {**own, **servers}, "pools": pools, **settings}
    try:
        platform_spec(given, region="us-west-2", name="lab")
    except SpecError as error:
        return str(error).splitlines()
    return []


def shared(kind: str, replicas: int) -> dict[str, Any]:
    """A pool whose GPUs several pods share, of which the team has all."""
    pool = {
        "kind": "karpenter",
        "accelerator": "nvidia",
        "instanceTypes": ["g6.2xlarge"],
        "gpuLimit": 4,
        "sharing": {"kind": kind, "replicas": replicas},
    }
    return {"pools": {"shared": pool}, "teams": {"serving": {"quotas": {"shared": {}}}}}


def test_a_server_belongs_to_a_team_and_to_a_pool_of_its_quotas() -> None:
    check_problems(
        found({"one": {**CLASSIFIER, "namespace": "servign"}}),
        ["servers.one.namespace: 'servign' is no team, did you mean 'serving'?"],
    )
    check_problems(
        found({"one": {**CLASSIFIER, "pool": "train"}}),
        ["servers.one.pool: 'train' given, but teams.serving.quotas has nothing of it"],
    )


def test_what_it_needs_is_named_by_the_setting_that_brings_it() -> None:
    without = {"observability": None, "serving": {"argoRollouts": None}}
    check_problems(
        found({"one": {**CLASSIFIER, **BLUE_GREEN}}, **without),
        [
            "servers.one: needs observability.prometheus, which the platform does not have",
            "servers.one: needs serving.argoRollouts, which the platform does not have",
        ],
    )


@pytest.mark.parametrize(
    ("change", "most"), [({}, 16), (BLUE_GREEN, 8), ({"rollout": {"kind": "canary", "maxSurge": 4}}, 12)]
)
def test_a_quota_holds_all_replicas_and_those_that_take_their_places(change: dict[str, Any], most: int) -> None:
    server = {**CLASSIFIER, **change}
    assert found({"one": {**server, "replicas": most}}) == []
    (line,) = found({"one": {**server, "replicas": most + 1}})
    assert line.startswith("servers.one.gpusPerNode: ")
    assert line.endswith(" GPUs needed at most, changes included, but teams.serving.quotas.serve has 16 GPUs")


def test_a_quota_holds_both_versions_of_all_servers_of_a_team() -> None:
    servers = {"one": {**CLASSIFIER, **BLUE_GREEN, "replicas": 4}, "two": {**CLASSIFIER, **BLUE_GREEN, "replicas": 4}}
    assert found(servers) == []
    servers["two"]["replicas"] = 5
    check_problems(
        found(servers),
        [
            "teams.serving.quotas.serve: 18 GPUs needed for all servers at most, changes included (one 8 GPUs, two 10 "
            "GPUs), but it has 16 GPUs"
        ],
    )
    servers["two"]["pool"] = "burst"
    assert found(servers) == [], "in pools of their own"


def test_the_most_that_a_scaler_makes_counts() -> None:
    server = {**CLASSIFIER, **BLUE_GREEN, "autoscaling": {"kind": "metric", "minReplicas": 2, "maxReplicas": 9}}
    check_problems(found({"one": server}), ["servers.one.gpusPerNode: 18 GPUs needed at most, changes included, but"])


def test_on_cpus_it_is_cores_that_a_quota_holds() -> None:
    assert found({"one": {**ON_CPUS, **BLUE_GREEN, "replicas": 2}}) == []
    check_problems(
        found({"one": {**ON_CPUS, **BLUE_GREEN, "replicas": 3}}),
        ["servers.one.cpusPerNode: 3 vCPUs needed at most, changes included, but teams.serving.quotas.system has 2.94"],
    )


@pytest.mark.parametrize("kind", ["timeSlicing", "mps"])
def test_on_a_shared_gpu_a_server_takes_its_share_of_the_memory(kind: str) -> None:
    check_problems(
        found({"one": CHAT}, **shared(kind, 3)),
        [
            "servers.one.memoryUtilization: 0.9 of a GPU's memory, must be at most 0.333: pools.shared.sharing has 3 "
            "pods on each GPU"
        ],
    )
    assert found({"one": {**CHAT, "memoryUtilization": 0.33}}, **shared(kind, 3)) == []
    on_shared = {**CLASSIFIER, "pool": "shared"}
    check_problems(found({"one": on_shared}, **shared(kind, 2)), ["servers.one.memoryFraction: 1 of a GPU's memory"])
    assert found({"one": {**on_shared, "memoryFraction": 0.5}}, **shared(kind, 2)) == []


def test_what_an_engine_takes_is_not_guessed() -> None:
    triton = {**CLASSIFIER, "kind": "triton", "models": {"resnet": {"backend": "onnxruntime"}}, "pool": "shared"}
    assert found({"one": triton}, **shared("timeSlicing", 4)) == []


def test_a_gpu_of_its_own_is_a_servers_to_fill() -> None:
    assert found({"one": {**CHAT, "pool": "serve"}}) == []


@pytest.mark.parametrize(
    ("servers", "line"),
    [
        (
            {"one": {**CHAT, "pool": "serve", "priorityClass": "gold"}},
            "servers.one.priorityClass: 'gold' given, but teams",
        ),
        (
            {"one": {**CLASSIFIER, **BLUE_GREEN}, "one-preview": CLASSIFIER},
            "servers.one-preview: servers.one has a Service of this name, for a version that is not promoted yet",
        ),
        (
            {
                name: {
                    **CHAT,
                    "pool": "serve",
                    "source": {"kind": "s3", "prefix": "teams/serving/qwen/", "model": f"Qwen/{model}", "populate": {}},
                }
                for name, model in (("one", "Qwen2.5-0.5B-Instruct"), ("two", "Qwen2.5-1.5B-Instruct"))
            },
            "servers.two.source.prefix: 'teams/serving/qwen/' given, but servers.one fills it with Qwen/Qwen2.5-0.5B",
        ),
    ],
)
def test_servers_do_not_get_into_each_others_way(servers: dict[str, Any], line: str) -> None:
    check_problems(found(servers), [line])
