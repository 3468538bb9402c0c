"""Triton: the repository that it finds, the configurations that it reads, and what it is refused."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from eksml.catalog import engines, images
from eksml.plan import Plan
from eksml.serving.pod_scripts import script
from eksml.serving.triton_server import REPOSITORY_SCRIPT, TritonServerSpec
from refusals import check_problems, problems
from serving.model_servers import QWEN, made, pod_of, server

ONNX: dict[str, Any] = {"backend": "onnxruntime"}
PIXELS = {"type": "FP32", "shape": [3, -1, 224]}
TORCH: dict[str, Any] = {
    "backend": "pytorch",
    "inputs": {"INPUT__0": PIXELS},
    "outputs": {"OUTPUT__0": {"type": "FP32", "shape": [1000]}},
}
SPEC: dict[str, Any] = {
    "kind": "triton",
    "namespace": "vision",
    "source": {"kind": "s3", "prefix": "teams/vision/models/"},
    "instanceType": "g6.12xlarge",
    "gpusPerNode": 4,
    "models": {"resnet": ONNX},
}
HUB = {"kind": "hub", "model": QWEN.model, "revision": QWEN.revision}


def files(plan: Plan) -> dict[str, str]:
    """What the engine's ConfigMap holds."""
    (found,) = (each for each in plan.of_type("kubernetes:core/v1:ConfigMap") if "models" in each.inputs["data"])
    return found.inputs["data"]


def arguments(plan: Plan) -> list[str]:
    return pod_of(plan, "triton")["containers"][0]["args"]


def image(plan: Plan) -> str:
    return pod_of(plan, "triton")["containers"][0]["image"]


def configuration(model: dict[str, Any], **settings: Any) -> str:
    return files(server("triton", models={"m": model}, **settings))["m.pbtxt"]


def test_it_loads_the_models_that_it_is_told_to_and_no_others() -> None:
    given = arguments(server("triton", models={"resnet": ONNX, "bert": ONNX}))
    assert given[:3] == ["--model-control-mode=explicit", "--load-model=resnet", "--load-model=bert"]


def test_it_has_what_its_metrics_need() -> None:
    assert set(engines()["triton"].metrics_arguments) <= set(arguments(server("triton")))


def test_the_bucket_is_read_through_mountpoint() -> None:
    plan = server("triton")
    (volume,) = plan.of_type("kubernetes:core/v1:PersistentVolume")
    assert volume.inputs["spec"]["csi"]["driver"] == "s3.csi.aws.com"
    assert {"name": "models", "mountPath": "/models", "readOnly": True} in pod_of(plan, "triton")["containers"][0][
        "volumeMounts"
    ]


def test_a_configuration_says_all_that_is_set() -> None:
    model = {
        **TORCH,
        "batching": {"maxSize": 16, "preferredSizes": [8, 16], "maxDelayMicroseconds": 500},
        "instances": {"count": 2, "gpus": [0]},
        "versions": [1, 3],
        "responseCache": True,
        "warmUp": True,
        "parameters": {"DISABLE_OPTIMIZED_EXECUTION": "true"},
    }
    assert configuration(model, response_cache_mib=64) == (
        """backend: "pytorch"
instance_group {
  count: 2
  kind: KIND_GPU
  gpus: 0
}
max_batch_size: 16
dynamic_batching {
  preferred_batch_size: 8
  preferred_batch_size: 16
  max_queue_delay_microseconds: 500
}
input {
  name: "INPUT__0"
  data_type: TYPE_FP32
  dims: 3
  dims: -1
  dims: 224
}
output {
  name: "OUTPUT__0"
  data_type: TYPE_FP32
  dims: 1000
}
version_policy {
  specific {
    versions: 1
    versions: 3
  }
}
response_cache {
  enable: true
}
model_warmup {
  name: "zeros"
  batch_size: 1
  inputs {
    key: "INPUT__0"
    value {
      data_type: TYPE_FP32
      dims: 3
      dims: 1
      dims: 224
      zero_data: true
    }
  }
}
parameters {
  key: "DISABLE_OPTIMIZED_EXECUTION"
  value {
    string_value: "true"
  }
}
"""
    )


@pytest.mark.parametrize(
    ("model", "gpus", "kind"),
    [
        (ONNX, 1, "KIND_GPU"),
        (ONNX, 0, "KIND_CPU"),
        ({"backend": "openvino"}, 1, "KIND_CPU"),
        ({**ONNX, "instances": {"device": "cpu"}}, 1, "KIND_CPU"),
    ],
)
def test_copies_run_where_the_pod_and_the_backend_have_room(model: dict[str, Any], gpus: int, kind: str) -> None:
    assert f"kind: {kind}\n" in configuration(model, gpus_per_node=gpus)


def test_a_model_may_keep_the_configuration_of_its_repository() -> None:
    assert set(files(server("triton", models={"m": {**ONNX, "configuration": "repository"}}))) == {
        "models",
        REPOSITORY_SCRIPT,
    }


def test_the_response_cache_has_its_size() -> None:
    plan = server("triton", models={"m": {**ONNX, "responseCache": True}}, response_cache_mib=64)
    assert "--cache-config=local,size=67108864" in arguments(plan)


@pytest.mark.parametrize(
    ("backend", "name"), [("onnxruntime", "triton"), ("vllm", "triton-vllm"), ("tensorrtllm", "triton-trtllm")]
)
def test_the_image_is_the_variant_with_the_backend(backend: str, name: str) -> None:
    source = {"source": QWEN} if backend != "onnxruntime" else {}
    plan = server("triton", models={"m": {"backend": backend, **_short(backend)}}, **source)
    assert image(plan) == images()[name].reference


def _short(backend: str) -> dict[str, Any]:
    return {} if backend == "onnxruntime" else {"contextLength": 8192}


def test_the_python_backend_is_in_every_image() -> None:
    python = {**TORCH, "backend": "python"}
    models = {"qwen": {"backend": "vllm", "contextLength": 8192}, "words": python}
    source = {"kind": "s3", "bucket": "lab-models", "prefix": "qwen/", "model": QWEN.model}
    assert image(server("triton", models=models, source=source)) == images()["triton-vllm"].reference


def test_vllm_gets_its_engine_arguments() -> None:
    model = {"backend": "vllm", "contextLength": 8192, "tokenBatching": {"maxRequests": 64}, "memoryUtilization": 0.8}
    plan = server("triton", models={"qwen": model}, source=QWEN, instance_type="g6.12xlarge", gpus_per_node=4)
    assert json.loads(files(plan)["qwen.model.json"]) == {
        "model": QWEN.model,
        "revision": QWEN.revision,
        "dtype": "auto",
        "tensor_parallel_size": 4,
        "pipeline_parallel_size": 1,
        "gpu_memory_utilization": 0.8,
        "max_model_len": 8192,
        "max_num_seqs": 64,
    }
    # Triton refuses KIND_GPU with several GPUs.
    assert files(plan)["qwen.pbtxt"] == 'backend: "vllm"\ninstance_group {\n  count: 1\n  kind: KIND_MODEL\n}\n'


def test_tensorrt_llm_gets_the_settings_of_its_llm_api() -> None:
    source = {"kind": "s3", "bucket": "lab-models", "prefix": "qwen/", "model": QWEN.model}
    plan = server("triton", models={"qwen": {"backend": "tensorrtllm", "contextLength": 8192}}, source=source)
    settings = json.loads(files(plan)["qwen.model.yaml"])
    assert (settings["model"], settings["backend"], settings["max_seq_len"]) == ("/models", "pytorch", 8192)
    assert settings["kv_cache_config"] == {"free_gpu_memory_fraction": 0.9}
    assert "qwen.pbtxt" not in files(plan)


@pytest.mark.parametrize(("backend", "path"), [("vllm", "generate"), ("tensorrtllm", "generate")])
def test_a_language_model_is_warmed_up_with_a_token(backend: str, path: str) -> None:
    plan = server("triton", models={"qwen": {"backend": backend, "contextLength": 8192}}, source=QWEN)
    words = pod_of(plan, "triton")["containers"][1]["command"]
    assert words[words.index("--path") + 1] == f"/v2/models/qwen/{path}"


def test_a_language_model_reads_nothing_but_what_was_put_there() -> None:
    source = {"kind": "s3", "bucket": "lab-models", "prefix": "qwen/", "model": QWEN.model}
    plan = server("triton", models={"qwen": {"backend": "vllm", "contextLength": 8192}}, source=source)
    environment = pod_of(plan, "triton")["containers"][0]["env"]
    assert {"name": "HF_HUB_OFFLINE", "value": "1"} in environment


def test_other_settings_make_other_pods() -> None:
    before, after = (made(server("triton", models={"m": {**ONNX, "batching": {"maxSize": size}}}), "triton")
                     for size in (8, 16))  # fmt: skip
    assert before.inputs["spec"]["template"] != after.inputs["spec"]["template"]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (
            {"models": {"m": {"backend": "tensorflow"}}},
            [
                "models.m.backend: 'tensorflow' given, must be another: Triton has none since 25.03. Export to ONNX "
                "for onnxruntime, or take TensorFlow Serving."
            ],
        ),
        (
            {"models": {"a": ONNX, "b": {"backend": "vllm"}}},
            [
                "models: need different images, a triton, b triton-vllm: give the models of each image a server of "
                "their own"
            ],
        ),
        (
            {"source": HUB, "models": {"a": {"backend": "vllm"}, "b": {"backend": "vllm"}}},
            ["models: a, b are language models, which take all GPUs: give each a server of its own"],
        ),
        (
            {"source": HUB, "models": {"a": {"backend": "vllm", "tensorParallel": 2}}},
            ["models.a.tensorParallel: 2 × pipelineParallel 1 given, must be the GPUs of the pod, 4"],
        ),
        (
            {"source": HUB},
            [
                "models.resnet.backend: onnxruntime given, but the source is the hub, which has no model repository: "
                "take s3 or claim"
            ],
        ),
        (
            {"gpusPerNode": 0, "models": {"m": {"backend": "tensorrt"}}},
            ["models.m.backend: tensorrt runs on GPUs only, and gpusPerNode is 0"],
        ),
        (
            {"gpusPerNode": 0, "models": {"m": {**ONNX, "instances": {"device": "gpu"}}}},
            ["models.m.instances.device: gpu given, but gpusPerNode is 0"],
        ),
        (
            {"models": {"m": {"backend": "openvino", "instances": {"device": "gpu"}}}},
            ["models.m.instances.device: gpu given, but openvino runs on CPUs only"],
        ),
        (
            {"models": {"m": {"backend": "tensorrt", "instances": {"device": "cpu"}}}},
            ["models.m.instances.device: cpu given, but tensorrt runs on GPUs only"],
        ),
        (
            {"models": {"m": {**ONNX, "instances": {"gpus": [1, 4]}}}},
            ["models.m.instances.gpus[1]: 4 given, must be below gpusPerNode, 4"],
        ),
        (
            {"models": {"m": {"backend": "pytorch", "inputs": {"x": PIXELS}, "outputs": {"y": PIXELS}}}},
            [
                "models.m.outputs.y: 'y' given, must end with __ and its place: PyTorch's outputs have no names",
            ],
        ),
        (
            {"models": {"m": {"backend": "python"}}},
            [
                f"models.m.{key}: missing: backend python does not tell them; or let configuration be repository"
                for key in ("inputs", "outputs")
            ],
        ),
        (
            {"models": {"m": {**ONNX, "warmUp": True}}},
            ["models.m.inputs: missing: warmUp makes them up"],
        ),
        (
            {"models": {"m": {**ONNX, "contextLength": 8}}},
            ["models.m.contextLength: given, but has no effect with backend onnxruntime"],
        ),
        (
            {"models": {"m": {**ONNX, "configuration": "repository", "versions": "all"}}},
            ["models.m.versions: given, but has no effect with configuration repository"],
        ),
        (
            {"models": {"m": {**ONNX, "batching": {"maxSize": 8, "preferredSizes": [4, 16]}}}},
            ["models.m.batching.preferredSizes[1]: 16 given, must be at most maxSize, 8"],
        ),
        (
            {"models": {"m": {**ONNX, "responseCache": True}}},
            ["models.m.responseCache: given, but the server has no responseCacheMib"],
        ),
        (
            {"responseCacheMib": 64},
            ["responseCacheMib: given, but has no effect without a model with responseCache"],
        ),
        (
            {"arguments": ["--load-model=other"]},
            ["arguments[0]: '--load-model=other' given, but models says it"],
        ),
        (
            {"image": "nvcr.io/nvidia/tritonserver:latest"},
            [
                "image: 'nvcr.io/nvidia/tritonserver:latest' given, must be pinned: with a tag other than latest, or "
                "with a digest"
            ],
        ),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], found: list[str]) -> None:
    check_problems(problems(TritonServerSpec, {**SPEC, **changes}), found)


def test_a_language_model_that_does_not_fit_is_refused() -> None:
    source = {**HUB, "model": "meta-llama/Llama-3.3-70B-Instruct"}
    (problem,) = problems(
        TritonServerSpec,
        {**SPEC, "source": source, "gpusPerNode": 1, "models": {"m": {"backend": "vllm", "contextLength": 4096}}},
    )
    assert problem.startswith("source.model: meta-llama/Llama-3.3-70B-Instruct ")


class Start:
    """The script on this machine, with something else in the place of Triton."""

    def __init__(self, folder: Path):
        self.folder, self.repository = folder, folder / "repository"
        for name in ("models", "configuration", "bin"):
            (folder / name).mkdir()
        self.put("bin/tritonserver", '#!/bin/bash\necho "$@"\n').chmod(0o755)

    def put(self, path: str, text: str = "") -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "MODELS": str(self.folder / "models"),
            "CONFIGURATION": str(self.folder / "configuration"),
            "REPOSITORY": str(self.repository),
            "LLM_API": str(self.folder / "llm_api"),
        }
        program = self.put(REPOSITORY_SCRIPT, script(REPOSITORY_SCRIPT))
        return subprocess.run(
            ["bash", str(program), *words], env=environment, capture_output=True, text=True, check=False
        )


@pytest.fixture
def start(tmp_path: Path) -> Start:
    return Start(tmp_path)


def test_the_repository_is_laid_out_with_our_configuration_in_the_place_of_its_own(start: Start) -> None:
    start.put("models/resnet/1/model.onnx", "weights")
    start.put("models/resnet/config.pbtxt", "theirs")
    start.put("models/resnet/labels.txt", "cat")
    start.put("configuration/resnet.pbtxt", "ours")
    start.put("configuration/models", "resnet onnxruntime model.onnx\n")
    for _ in range(2):
        assert start.run("--http-port=8000").stdout == f"--model-repository={start.repository} --http-port=8000\n"
    folder = start.repository / "resnet"
    assert {each.name: each.read_text() for each in folder.rglob("*.*")} == {
        "config.pbtxt": "ours",
        "labels.txt": "cat",
    }
    assert (folder / "1/model.onnx").read_text() == "weights"
    assert (start.folder / "models/resnet/config.pbtxt").read_text() == "theirs"


def test_without_ours_the_configuration_of_the_repository_counts(start: Start) -> None:
    start.put("models/resnet/1/model.onnx")
    start.put("models/resnet/config.pbtxt", "theirs")
    start.put("configuration/models", "resnet onnxruntime model.onnx\n")
    start.run()
    assert (start.repository / "resnet/config.pbtxt").read_text() == "theirs"


@pytest.mark.parametrize(
    "path", ["models/resnet/model.onnx", "models/resnet/v1/model.onnx", "models/resnet/1/model.pt"]
)
def test_a_repository_that_is_not_laid_out_right_is_told_plainly(start: Start, path: str) -> None:
    start.put(path)
    start.put("configuration/models", "resnet onnxruntime model.onnx\n")
    ended = start.run()
    assert ended.returncode == 1
    assert ended.stderr == ("resnet: no resnet/VERSION/model.onnx in the model repository, where VERSION is a number\n")


def test_a_language_model_gets_a_folder_of_its_own(start: Start) -> None:
    start.put("configuration/qwen.model.json", "{}")
    start.put("configuration/qwen.pbtxt", 'backend: "vllm"')
    start.put("configuration/models", "qwen vllm model.json\n")
    assert start.run().returncode == 0
    assert (start.repository / "qwen/1/model.json").read_text() == "{}"
    assert (start.repository / "qwen/config.pbtxt").read_text() == 'backend: "vllm"'


def test_tensorrt_llm_gets_the_program_of_its_image(start: Start) -> None:
    start.put("llm_api/config.pbtxt", 'name: "tensorrt_llm"\nbackend: "python"\n')
    start.put("llm_api/1/model.py", "program")
    start.put("llm_api/1/helpers.py")
    start.put("llm_api/1/model.yaml", "theirs")
    start.put("configuration/qwen.model.yaml", "ours")
    start.put("configuration/models", "qwen tensorrtllm model.yaml\n")
    assert start.run().returncode == 0
    folder = start.repository / "qwen"
    assert (folder / "config.pbtxt").read_text() == 'backend: "python"\n'
    assert {each.name for each in (folder / "1").iterdir()} == {"model.py", "helpers.py", "model.yaml"}
    assert (folder / "1/model.yaml").read_text() == "ours"


def test_an_image_without_that_program_is_told_plainly(start: Start) -> None:
    start.put("configuration/qwen.model.yaml")
    start.put("configuration/models", "qwen tensorrtllm model.yaml\n")
    assert start.run().stderr == f"qwen: this image has no {start.folder}/llm_api/1/model.py\n"
