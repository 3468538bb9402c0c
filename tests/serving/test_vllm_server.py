"""vLLM: its arguments, groups over several nodes, adapters, and what is refused."""

import re
from pathlib import Path
from typing import Any

import pytest

from crds import check_admitted
from eksml import names
from eksml.errors import SpecError
from eksml.plan import Resource
from eksml.secret_key import SecretKey
from eksml.serving.model_source import BucketSource, ClaimSource
from eksml.serving.vllm_server import Lora, LoraAdapter
from programs import one
from serving.model_servers import QWEN, environment, pod_of, server, spec_of

TWO_NODES: dict[str, Any] = {"nodes": 2, "instance_type": "g6.12xlarge", "gpus_per_node": 4, "replicas": 3}


def arguments(**settings: Any) -> list[str]:
    return pod_of(server("vllm", **settings), "vllm")["containers"][0]["args"]


def option(name: str, **settings: Any) -> str | None:
    given = arguments(**settings)
    return given[given.index(name) + 1] if name in given else None


def groups(**settings: Any) -> Resource:
    plan = server("vllm", **{**TWO_NODES, **settings})
    return one(plan, "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet")


def test_it_is_told_what_the_spec_says() -> None:
    settings = {
        "precision": "bfloat16",
        "quantization": "fp8",
        "kv_cache_precision": "fp8",
        "memory_utilization": 0.85,
        "prefix_caching": False,
        "batching": {"max_requests": 64, "max_tokens": 4096},
        "arguments": ["--enable-auto-tool-choice"],
    }
    given = arguments(**settings)
    assert given[:3] == [QWEN.model, "--served-model-name", "chat"]
    assert {"--no-enable-prefix-caching", "--enable-auto-tool-choice"} <= set(given)
    expected = {
        "--revision": QWEN.revision,
        "--dtype": "bfloat16",
        "--quantization": "fp8",
        "--kv-cache-dtype": "fp8",
        "--gpu-memory-utilization": "0.85",
        "--max-model-len": "8192",
        "--max-num-seqs": "64",
        "--max-num-batched-tokens": "4096",
    }
    assert {name: option(name, **settings) for name in expected} == expected


def test_every_gpu_has_its_part_of_the_model() -> None:
    of_four = {"instance_type": "g6.12xlarge", "gpus_per_node": 4}
    assert option("--tensor-parallel-size", **of_four) == "4"
    assert option("--pipeline-parallel-size", **of_four, tensor_parallel=2) == "2"


def test_weights_are_streamed_from_a_bucket_and_read_from_a_volume() -> None:
    of_bucket = {"source": BucketSource(prefix="teams/vision/models/qwen/")}
    assert arguments(**of_bucket)[0] == "s3://models/teams/vision/models/qwen"
    assert option("--load-format", **of_bucket) == "runai_streamer"
    plan = server("vllm", source=ClaimSource(claim="weights"))
    assert pod_of(plan, "vllm")["containers"][0]["args"][0] == "/models"
    assert environment(plan, "vllm")["HF_HUB_OFFLINE"] == "1"


def test_a_key_is_checked_by_vllm_and_known_to_the_warm_up() -> None:
    key = SecretKey(secret="chat", key="key")  # noqa: S106
    plan = server("vllm", api_key=key)
    assert environment(plan, "vllm")["VLLM_API_KEY"] == key.as_value()["valueFrom"]
    assert {"name": "API_KEY", **key.as_value()} in pod_of(plan, "vllm")["containers"][1]["env"]


def test_adapters_are_asked_for_by_their_names() -> None:
    lora = Lora(adapters={"sql": LoraAdapter(path="sql")}, max_rank=32)
    settings: dict[str, Any] = {"lora": lora, "source": ClaimSource(claim="weights")}
    assert option("--lora-modules", **settings) == "sql=/models/sql"
    assert option("--max-lora-rank", **settings) == "32"


def test_a_copy_over_several_nodes_is_a_group_of_a_leader_and_workers(shared: Path) -> None:
    made = groups()
    check_admitted(made.inputs, shared)
    assert made.inputs["spec"]["replicas"] == 3
    template = made.inputs["spec"]["leaderWorkerTemplate"]
    assert (template["size"], template["restartPolicy"]) == (2, "RecreateGroupOnPodRestart")
    leader, worker = (template[key]["spec"]["containers"] for key in ("leaderTemplate", "workerTemplate"))
    given = leader[0]["args"]
    assert given[given.index("--node-rank") + 1] == "$(LWS_WORKER_INDEX)"
    assert given[given.index("--master-addr") + 1] == "$(LWS_LEADER_ADDRESS)"
    assert given[given.index("--pipeline-parallel-size") + 1] == "2"
    assert worker[0]["args"] == [*given, "--headless"]


def test_only_leaders_answer() -> None:
    template = groups().inputs["spec"]["leaderWorkerTemplate"]
    assert template["leaderTemplate"]["metadata"]["labels"][names.SERVER_LABEL] == "chat"
    assert names.SERVER_LABEL not in template["workerTemplate"]["metadata"]["labels"]
    (worker,) = template["workerTemplate"]["spec"]["containers"]
    assert not {"ports", "startupProbe", "readinessProbe", "livenessProbe", "lifecycle"} & set(worker)


def test_groups_need_their_operator_and_gpus_of_all_their_nodes() -> None:
    spec = spec_of("vllm", **TWO_NODES)
    assert "serving.leaderWorkerSet" in set(spec.needs)
    assert spec.most_pods == 6


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"gpus_per_node": 0}, "gpusPerNode: 0 given, must be at least 1: vLLM's image is for GPUs"),
        ({"tensor_parallel": 2}, "tensorParallel: 2 × pipelineParallel 1 given, must be the GPUs of all nodes, 1"),
        ({"arguments": ["--max-model-len=1"]}, "arguments[0]: '--max-model-len=1' given, but contextLength says it"),
        ({"instance_type": "g4dn.2xlarge"}, "source.model: Qwen/Qwen2.5-7B-Instruct"),
        (
            {"lora": Lora(adapters={"sql": LoraAdapter(path="sql")})},
            "lora.adapters.sql.path: given, but the source is no claim: give model",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError, match=re.escape(problem)):
        spec_of("vllm", **settings)
