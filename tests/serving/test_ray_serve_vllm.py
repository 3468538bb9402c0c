"""Ray Serve with vLLM: the Ray cluster, the application on it, and what is refused."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from crds import check_admitted
from eksml import names
from eksml.errors import SpecError
from eksml.ray_cluster import GcsRedis
from eksml.secret_key import SecretKey
from eksml.serving.model_source import BucketSource, ClaimSource
from programs import names_of
from serving.model_servers import QWEN, made, pod_of, server, spec_of

GROWING: dict[str, Any] = {"autoscaling": {"min_replicas": 1, "max_replicas": 4}, "queue": None}


def service(**settings: Any) -> dict[str, Any]:
    return made(server("rayServeVllm", **settings), "rayServeVllm").inputs["spec"]


def application(**settings: Any) -> dict[str, Any]:
    """The one application of the service's configuration."""
    (found,) = yaml.safe_load(service(**settings)["serveConfigV2"])["applications"]
    return found


def model(**settings: Any) -> dict[str, Any]:
    """The one model of the application."""
    (found,) = application(**settings)["args"]["llm_configs"]
    return found


def workers(**settings: Any) -> dict[str, Any]:
    (found,) = service(**settings)["rayClusterConfig"]["workerGroupSpecs"]
    return found


def head(**settings: Any) -> dict[str, Any]:
    return service(**settings)["rayClusterConfig"]["headGroupSpec"]


def test_ray_builds_the_application_at_the_root_where_openais_paths_are() -> None:
    found = application()
    assert (found["import_path"], found["route_prefix"]) == ("ray.serve.llm:build_openai_app", "/")
    assert model()["model_loading_config"] == {"model_id": "chat", "model_source": QWEN.model}
    assert model(served_name="qwen")["model_loading_config"]["model_id"] == "qwen"


def test_the_engine_is_told_the_same_as_by_vllms_own_server() -> None:
    settings = {"precision": "bfloat16", "kv_cache_precision": "fp8", "batching": {"max_requests": 64}}
    options = model(**settings)["engine_kwargs"]
    assert options == spec_of("vllm", **settings).engine_options
    assert (options["dtype"], options["kv_cache_dtype"], options["max_num_seqs"]) == ("bfloat16", "fp8", 64)
    assert options["revision"] == QWEN.revision


def test_weights_come_from_the_hub_a_bucket_or_a_volume() -> None:
    streamed = model(source=BucketSource(prefix="teams/vision/models/qwen/"))
    assert streamed["model_loading_config"]["model_source"] == "s3://models/teams/vision/models/qwen"
    assert streamed["engine_kwargs"]["load_format"] == "runai_streamer"
    assert model(source=ClaimSource(claim="weights"))["model_loading_config"]["model_source"] == "/models"


def test_the_token_of_the_hub_is_in_the_environment_and_not_in_the_configuration() -> None:
    token = SecretKey(secret="hub", key="token")  # noqa: S106
    plan = server("rayServeVllm", source=QWEN.model_copy(update={"token": token}))
    for template in (head_of(plan), pod_of(plan, "rayServeVllm")):
        found = {each["name"]: each.get("valueFrom") for each in template["containers"][0]["env"]}
        assert found["HF_TOKEN"] == {"secretKeyRef": {"name": "hub", "key": "token"}}
    assert "TOKEN" not in made(plan, "rayServeVllm").inputs["spec"]["serveConfigV2"]


def head_of(plan: Any) -> dict[str, Any]:
    spec = made(plan, "rayServeVllm").inputs["spec"]
    return spec["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]


def test_the_head_directs_and_has_no_gpu() -> None:
    found = head(head={"pool": "system", "cpus": 1, "memory_gib": 4})
    assert found["rayStartParams"] == {"num-cpus": "0"}
    pod = found["template"]["spec"]
    assert pod["nodeSelector"] == {names.POOL_LABEL: "system"}
    assert "tolerations" not in pod
    (container,) = pod["containers"]
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "4Gi"}
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"gcs": 6379, "dashboard": 8265, "client": 10001, "serve": 8000, "metrics": 8080}


def test_there_are_as_many_workers_as_the_replicas_have_nodes() -> None:
    found = workers(replicas=3)
    assert (found["replicas"], found["minReplicas"], found["maxReplicas"]) == (3, 3, 3)
    assert model(replicas=3)["deployment_config"]["autoscaling_config"] == {
        "min_replicas": 3,
        "initial_replicas": 3,
        "max_replicas": 3,
    }
    over_nodes = {"replicas": 2, "nodes": 2, "instance_type": "g6.12xlarge", "gpus_per_node": 4}
    assert workers(**over_nodes)["replicas"] == 4
    assert model(**over_nodes)["placement_group_config"]["strategy"] == "PACK"
    assert model()["placement_group_config"] == {"bundle_per_worker": {"GPU": 1}, "strategy": "STRICT_PACK"}


def test_ray_alone_scales_it(shared: Path) -> None:
    plan = server("rayServeVllm", **GROWING)
    check_admitted(made(plan, "rayServeVllm").inputs, shared)
    assert names_of(plan, "kubernetes:keda.sh/v1alpha1:ScaledObject") == []
    cluster = made(plan, "rayServeVllm").inputs["spec"]["rayClusterConfig"]
    assert cluster["enableInTreeAutoscaling"] is True
    # The autoscaler's rights are those of a service account that KubeRay makes.
    assert "serviceAccountName" not in cluster["headGroupSpec"]["template"]["spec"]
    (group,) = cluster["workerGroupSpecs"]
    assert (group["minReplicas"], group["maxReplicas"]) == (1, 4)
    found = model(**GROWING)["deployment_config"]["autoscaling_config"]
    assert (found["min_replicas"], found["max_replicas"], found["target_ongoing_requests"]) == (1, 4, 16)


def test_requests_go_to_workers_that_have_a_proxy() -> None:
    found = service()
    assert found["excludeHeadPodFromServeSvc"] is True
    assert found["serveService"]["spec"]["ports"] == [{"name": "serve", "port": 8000}]
    assert names_of(server("rayServeVllm"), "kubernetes:core/v1:Service") == []


def test_an_upgrade_takes_as_many_gpus_again_or_waits_for_somebody() -> None:
    assert service()["upgradeStrategy"] == {"type": "NewCluster"}
    assert spec_of("rayServeVllm", replicas=3).most_pods == 6
    assert service(upgrade="none")["upgradeStrategy"] == {"type": "None"}
    assert spec_of("rayServeVllm", replicas=3, upgrade="none").most_pods == 3


def test_a_replica_that_goes_ends_what_it_was_asked() -> None:
    assert model(drain_seconds=120)["deployment_config"]["graceful_shutdown_timeout_s"] == 120
    assert service(drain_seconds=120)["rayClusterDeletionDelaySeconds"] == 120


def test_its_heads_state_can_outlive_it() -> None:
    redis = GcsRedis(address="redis.vision:6379", password=SecretKey(secret="redis", key="password"))  # noqa: S106
    found = service(gcs_redis=redis)["rayClusterConfig"]["gcsFaultToleranceOptions"]
    assert found["redisAddress"] == "redis.vision:6379"
    assert found["redisPassword"] == {"valueFrom": {"secretKeyRef": {"name": "redis", "key": "password"}}}


def test_kueue_queues_the_service_and_not_its_pods_again() -> None:
    plan = server("rayServeVllm", queue="big")
    resource = made(plan, "rayServeVllm")
    assert resource.inputs["metadata"]["labels"][names.QUEUE_LABEL] == "big"
    assert names.QUEUE_LABEL not in str(resource.inputs["spec"])


def test_it_needs_kuberay_and_nothing_to_scale_it() -> None:
    assert set(spec_of("rayServeVllm", **GROWING).needs) == {"observability.prometheus", "training.kubeRay"}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"rollout": {"kind": "canary"}}, "rollout: given, but KubeRay changes its clusters itself"),
        ({"autoscaling": {"max_replicas": 2}}, "autoscaling: given, but a queue cannot admit what grows"),
        ({"autoscaling": {"kind": "metric", "max_replicas": 2}}, "autoscaling.kind"),
        ({"autoscaling": {"max_replicas": 2, "min_replicas": 0}, "queue": None}, "0 given, must be at least 1"),
        ({"cpus_per_node": 2}, "cpusPerNode: 2 given, must be at least 3"),
        ({"tensor_parallel": 2}, "tensorParallel: 2 × pipelineParallel 1 given, must be the GPUs of all nodes, 1"),
        ({"instance_type": "g4dn.2xlarge"}, "source.model: Qwen/Qwen2.5-7B-Instruct"),
    ],
)
def test_what_ray_cannot_do_is_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError, match=re.escape(problem)):
        spec_of("rayServeVllm", **settings)
