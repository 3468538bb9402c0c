"""The checks of model servers: quiet about right ones, and loud about a fault that is planted in one of them."""

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import pytest

from checks.faults import Fault, both, changed, found
from eksml.checks import run_checks
from eksml.checks.engines import engines_of
from eksml.checks.repositories import repository_problems
from eksml.checks.workloads import workloads_of
from eksml.plan import Plan, Resource
from eksml.serving.transformers_server import TransformersServerSpec
from eksml.serving.vllm_server import VllmServerSpec
from eksml.sizing.arguments import serving_by_transformers, serving_by_vllm
from eksml.sizing.inference import known_gpus
from platforms import platform
from serving.model_servers import KINDS, server, spec_of

LLAMA, COMMAND_R = "meta-llama/Llama-3.1-8B-Instruct", "CohereLabs/c4ai-command-r7b-12-2024"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
ROLLOUT = "kubernetes:argoproj.io/v1alpha1:Rollout"
SCALED_OBJECT = "kubernetes:keda.sh/v1alpha1:ScaledObject"
POD_MONITOR = "kubernetes:monitoring.coreos.com/v1:PodMonitor"
RELEASE = "kubernetes:helm.sh/v3:Release"
SERVICE = "kubernetes:core/v1:Service"
HTTP_ROUTE = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
GPUS = {"namespace": "serving", "gpusPerNode": 1, "pool": "serve"}
SERVERS: dict[str, Any] = {
    "chat": {
        **GPUS,
        "kind": "vllm",
        "source": {"kind": "hub", "model": LLAMA, "revision": "a" * 40, "token": {"secret": "hub", "key": "token"}},
        "contextLength": 8192,
        "instanceType": "g6e.2xlarge",
        "autoscaling": {"kind": "http", "maxReplicas": 2},
        "exposure": {"hostname": "chat.example.com"},
    },
    "words": {
        **GPUS,
        "kind": "transformers",
        "source": {
            "kind": "s3",
            "prefix": "teams/serving/models/qwen/",
            "model": "Qwen/Qwen2.5-1.5B-Instruct",
            "populate": {"pool": "system"},
        },
        "contextLength": 4096,
        "instanceType": "g6.2xlarge",
        "exposure": {"pathPrefix": "/words"},
    },
}


@cache
def lab() -> Plan:
    """A production platform with a server of each way to scale, behind an entry."""
    return platform(
        {
            "profile": "production",
            "gateway": {},
            "serving": {"keda": {"httpAddOn": {}}},
            "teams": {"serving": {"gateway": {"idleTimeoutSeconds": 4000}}},
            # The profile's other server makes room.
            "servers": {"vision": None, **SERVERS},
        }
    )


def planted(*faults: Fault) -> Plan:
    return changed(lab(), *faults)


def the(resources: dict[str, Resource], kind: str, name: str) -> Any:
    (one,) = [
        each.inputs
        for each in resources.values()
        if each.type == kind and (each.name == name or (each.inputs.get("metadata") or {}).get("name") == name)
    ]
    return one


def change(kind: str, name: str, *way: str | int, to: Any) -> Fault:
    """A fault: an input at a path set to something else, or taken away."""

    def fault(resources: dict[str, Resource]) -> None:
        holder: Any = the(resources, kind, name)
        for step in way[:-1]:
            holder = holder[step]
        if to is None:
            del holder[way[-1]]
        else:
            holder[way[-1]] = to

    return fault


def edit(kind: str, name: str, how: Callable[[dict[str, Any]], None]) -> Fault:
    return lambda resources: how(the(resources, kind, name))


def container_of(inputs: dict[str, Any]) -> dict[str, Any]:
    return inputs["spec"]["template"]["spec"]["containers"][0]


def in_container(name: str, how: Callable[[dict[str, Any]], None], kind: str = DEPLOYMENT) -> Fault:
    """A fault in the container of a server's engine."""
    return edit(kind, name, lambda inputs: how(container_of(inputs)))


def argument(name: str, option: str, value: str, kind: str = DEPLOYMENT) -> Fault:
    """A fault: an argument of the engine set to something else, or added."""

    def how(container: dict[str, Any]) -> None:
        arguments = container["args"]
        if option in arguments:
            arguments[arguments.index(option) + 1] = value
        elif "=" in "".join(arguments):
            arguments[:] = [each for each in arguments if not each.startswith(f"{option}=")] + [f"{option}={value}"]
        else:
            arguments += [option, value]

    return in_container(name, how, kind)


def add(kind: str, name: str, **inputs: Any) -> Fault:
    """A fault: another object in the namespace of the servers."""

    def fault(resources: dict[str, Resource]) -> None:
        group, _, short = kind.removeprefix("kubernetes:").rpartition(":")
        whole = {"apiVersion": group, "kind": short, "metadata": {"name": name, "namespace": "serving"}, **inputs}
        resources[f"urn:{kind}::{name}"] = Resource(f"urn:{kind}::{name}", kind, name, None, True, inputs=whole)

    return fault


def copy(kind: str, name: str, new_name: str) -> Fault:
    """A fault: an object is there a second time, under another name."""

    def fault(resources: dict[str, Resource]) -> None:
        inputs = deepcopy(the(resources, kind, name))
        inputs["metadata"]["name"] = new_name
        urn = f"urn:{kind}::{new_name}"
        resources[urn] = Resource(urn, kind, new_name, None, True, inputs=inputs)

    return fault


def take_away(kind: str, name: str) -> Fault:
    """A fault: an object is not there."""

    def fault(resources: dict[str, Resource]) -> None:
        for urn in [urn for urn, each in resources.items() if each.type == kind and each.name.endswith(name)]:
            del resources[urn]

    return fault


def no_token(container: dict[str, Any]) -> None:
    container["env"] = [each for each in container["env"] if each["name"] != "HF_TOKEN"]


def copies(resources: dict[str, Resource], model: str) -> None:
    """A fault: the Job fills the bucket with another model."""
    (job,) = [dict(each.inputs) for each in resources.values() if each.name.startswith("words-weights")]
    command = container_of(job)["command"]
    command[command.index("--repository") + 1] = model


def told_of_a_version(resources: dict[str, Resource]) -> None:
    """A fault: TensorFlow Serving is told of the folder of one version."""
    (files,) = [
        each.inputs["data"]
        for each in resources.values()
        if each.type == CONFIG_MAP and "models.config" in (each.inputs.get("data") or {})
    ]
    files["models.config"] = 'model_config_list { config { base_path: "/models/resnet/3" } }'


def no_startup_probe(container: dict[str, Any]) -> None:
    del container["startupProbe"]


def triton(files: dict[str, str], *arguments: str, gpus: str = "1") -> Fault:
    """A Triton whose configuration is what somebody wrote."""
    container = {
        "name": "server",
        "image": "nvcr.io/nvidia/tritonserver:26.07-py3",
        "command": ["/bin/bash", "/etc/server/triton_repository.sh"],
        "args": ["--model-control-mode=explicit", *arguments],
        "resources": {"limits": {"nvidia.com/gpu": gpus, "memory": "8Gi"}},
    }
    pod = {"containers": [container], "volumes": [{"name": "configuration", "configMap": {"name": "triton-files"}}]}
    deployment = add(DEPLOYMENT, "triton", spec={"template": {"metadata": {"labels": {}}, "spec": pod}})
    return both(deployment, add(CONFIG_MAP, "triton-files", data=files))


def asking(query: str) -> list[dict[str, Any]]:
    return [{"type": "prometheus", "metadata": {"serverAddress": PROMETHEUS, "query": query}}]


PROMETHEUS = "http://prometheus-operated.observability.svc:9090"
CHAT_ROUTE = {"backendRefs": [{"name": "chta", "port": 8000}]}
FAULTS: list[tuple[str, list[Fault], str]] = [
    (
        "model-fits",
        [argument("chat", "--max-model-len", "131072"), argument("chat", "--gpu-memory-utilization", "0.6")],
        "chat: chat: meta-llama/Llama-3.1-8B-Instruct on g6e.2xlarge does not fit: ",
    ),
    (
        "model-fits",
        [lambda resources: copies(resources, "Qwen/Qwen3-8B"), argument("words", "--dtype", "float32")],
        "words: words: Qwen/Qwen3-8B on g6.2xlarge does not fit: ",
    ),
    (
        "engine-fits-pod",
        [argument("chat", "--tensor-parallel-size", "4")],
        "chat: chat: 4 × 1 GPUs for tensor × pipeline parallelism, and its pods ask for 1",
    ),
    (
        "engine-fits-pod",
        [argument("chat", "--cpu-offload-gb", "512")],
        "chat: chat: --cpu-offload-gb takes 524288 MiB, and the limit of its memory is",
    ),
    (
        "engine-fits-pod",
        [change(DEPLOYMENT, "chat", "spec", "template", "spec", "volumes", 0, "emptyDir", "sizeLimit", to="1Ti")],
        "chat: chat: /dev/shm may hold 1048576 MiB of memory, and the limit of container server is",
    ),
    (
        "engine-fits-pod",
        [argument("classifier", "--tensorflow_intra_op_parallelism", "96", ROLLOUT)],
        "classifier: classifier: --tensorflow_intra_op_parallelism=96, and it is held to",
    ),
    (
        "engine-fits-pod",
        [triton({"resnet.pbtxt": "instance_group {\n  count: 1\n  kind: KIND_GPU\n  gpus: [ 0, 1 ]\n}\n"})],
        "triton: triton: resnet.pbtxt puts instances on GPU 1, and the pod asks for 1, counted from 0",
    ),
    (
        "engine-fits-pod",
        [triton({"resnet.pbtxt": "instance_group {\n  kind: KIND_GPU\n}\n"}, gpus="0")],
        "triton: triton: resnet.pbtxt puts instances on GPUs, and the pod asks for none",
    ),
    (
        "engine-fits-pod",
        [triton({"chat.model.yaml": '{"tensor_parallel_size": 2}'})],
        "triton: triton: chat.model.yaml says 2 × 1 GPUs for tensor × pipeline parallelism, and the pod asks for 1",
    ),
    (
        "engine-fits-pod",
        [triton({}, f"--cache-config=local,size={16 * 2**30}")],
        "triton: triton: --cache-config takes 16384 MiB, and the limit of its memory is 8192 MiB",
    ),
    (
        "probe-allows-loading",
        [in_container("chat", no_startup_probe)],
        "chat: chat: its livenessProbe ends it after 120 s, and it may load for",
    ),
    (
        "probe-allows-loading",
        [in_container("chat", lambda container: container["startupProbe"].update(failureThreshold=3))],
        "chat: chat: its startupProbe ends it after 30 s, and it may load for",
    ),
    (
        "probe-allows-loading",
        [in_container("chat", no_startup_probe), change(DEPLOYMENT, "chat", "metadata", "annotations", to=None)],
        "chat: chat: its livenessProbe ends it after 120 s, and it may load for 200 s: give it a startupProbe",
    ),
    (
        "numbered-versions",
        [told_of_a_version],
        "classifier: classifier: /models/resnet/3 is a version: name the folder that it is in",
    ),
    (
        "numbered-versions",
        [argument("classifier", "--model_base_path", "/models/resnet/1/", ROLLOUT)],
        "classifier: classifier: /models/resnet/1/ is a version",
    ),
    (
        "triton-repository",
        [triton({"models": "resnet onnxruntime model.onnx\n"}, "--load-model=resent")],
        "triton: triton: loads resent, no such model, did you mean 'resnet'?",
    ),
    (
        "triton-repository",
        [triton({"resnet.pbtxt": 'name: "resnet18"\nbackend: "onnxruntime"\n'})],
        "triton: triton: resnet.pbtxt is of a model resnet18, whose folder must have that name",
    ),
    (
        "gated-model-token",
        [in_container("chat", no_token)],
        "chat: chat: meta-llama/Llama-3.1-8B-Instruct is gated, and nothing gives it HF_TOKEN",
    ),
    (
        "license-allows-use",
        [in_container("chat", lambda container: container["args"].__setitem__(0, COMMAND_R))],
        f"chat: chat: {COMMAND_R} is under CC-BY-NC-4.0, which forbids commercial use",
    ),
    (
        "one-engine-per-address",
        [
            edit(
                DEPLOYMENT,
                "chat",
                lambda inputs: inputs["spec"]["template"]["spec"]["containers"].append(
                    {**container_of(inputs), "name": "second"}
                ),
            )
        ],
        "chat: chat: containers server and second both listen on port 8000: the second one cannot start",
    ),
    (
        "one-engine-per-address",
        [
            change(DEPLOYMENT, "words", "spec", "template", "metadata", "labels", "app", to="llm"),
            change(DEPLOYMENT, "chat", "spec", "template", "metadata", "labels", "app", to="llm"),
            change(SERVICE, "words", "spec", "selector", to={"app": "llm"}),
        ],
        "words: leads to chat and words: requests for one reach the other",
    ),
    (
        "one-engine-per-address",
        [copy(HTTP_ROUTE, "words", "other")],
        "words: /words is that of other too: one of them is never reached",
    ),
    (
        "one-engine-per-address",
        [copy("kubernetes:http.keda.sh/v1beta1:InterceptorRoute", "chat", "other")],
        "chat: chat-proxy.serving is that of other too: the interceptor wakes one of them only",
    ),
    (
        "target-exists",
        [change(SCALED_OBJECT, "chat", "spec", "scaleTargetRef", "name", to="chatt")],
        "chat: scales Deployment chatt, which namespace serving does not have, did you mean 'chat'?",
    ),
    (
        "target-exists",
        [change(SCALED_OBJECT, "classifier", "spec", "scaleTargetRef", "kind", to="Deployment")],
        "classifier: scales Deployment classifier, which namespace serving does not have",
    ),
    (
        "target-exists",
        [
            add(
                "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
                "lost",
                spec={"minReplicas": 1, "scaleTargetRef": {"kind": "Deployment", "name": "lost"}},
            )
        ],
        "lost: scales Deployment lost, which namespace serving does not have",
    ),
    (
        "target-exists",
        [
            change(
                "kubernetes:policy/v1:PodDisruptionBudget",
                "classifier",
                "spec",
                "selector",
                to={"matchLabels": {"app": "classifier"}},
            )
        ],
        "classifier: selects pods with app: classifier, which namespace serving does not have",
    ),
    (
        "target-exists",
        [change(POD_MONITOR, "chat", "spec", "podMetricsEndpoints", 0, "port", to="metrics")],
        "chat: reads port metrics, which the pods do not have, they have http or warm-up",
    ),
    (
        "target-exists",
        [
            change(
                POD_MONITOR, "chat", "spec", "selector", to={"matchExpressions": [{"key": "a", "operator": "Exists"}]}
            )
        ],
        "chat: selects pods with other labels, which namespace serving does not have",
    ),
    (
        "target-exists",
        [change(SERVICE, "words", "spec", "selector", to={"app": "words"})],
        "words: selects pods with app: words, which namespace serving does not have",
    ),
    (
        "target-exists",
        [edit(HTTP_ROUTE, "words", lambda route: route["spec"]["rules"][0].update(CHAT_ROUTE))],
        "words: leads to Service chta, which namespace serving does not have, did you mean 'chat'?",
    ),
    (
        "target-exists",
        [change(HTTP_ROUTE, "words", "spec", "parentRefs", 0, "name", to="front")],
        "words: belongs to Gateway front, which namespace serving does not have",
    ),
    (
        "target-exists",
        [take_away(SERVICE, "classifier-preview")],
        "classifier: leads to Service classifier-preview, which namespace serving does not have",
    ),
    (
        "target-exists",
        [take_away("kubernetes:argoproj.io/v1alpha1:AnalysisTemplate", "pre-promotion")],
        "classifier: is judged by AnalysisTemplate classifier-pre-promotion, which namespace serving does not have",
    ),
    (
        "metric-exported",
        [take_away(POD_MONITOR, "classifier")],
        "classifier: asks for :tensorflow:serving:request_latency_sum, which Prometheus reads from",
    ),
    (
        "metric-exported",
        [change(POD_MONITOR, "classifier", "spec", "podTargetLabels", to=["eksml.dev/server"])],
        "classifier-pre-promotion: asks for :tensorflow:serving:request_count, which Prometheus reads from",
    ),
    (
        "metric-exported",
        [take_away(RELEASE, "dcgm-exporter")],
        "classifier-pre-promotion: asks for DCGM_FI_DEV_XID_ERRORS, which Prometheus reads from NVIDIA",
    ),
    (
        "metric-exported",
        [take_away(RELEASE, "kube-prometheus-stack")],
        "classifier: asks Prometheus, which this platform does not have: observability.prometheus brings it",
    ),
    (
        "metric-exported",
        [change(SCALED_OBJECT, "chat", "spec", "triggers", to=asking("sum(vllm:num_request_waiting)"))],
        "chat: asks for vllm:num_request_waiting, which nothing on this platform exports, did you mean "
        "'vllm:num_requests_waiting'?",
    ),
    (
        "sleeper-wakes",
        [change(SCALED_OBJECT, "chat", "spec", "triggers", to=asking('sum(vllm:num_requests_waiting{a="b"})'))],
        "chat: may have no replica, and what it follows is measured by its replicas only: nothing wakes it",
    ),
    (
        "sleeper-wakes",
        [change(SCALED_OBJECT, "classifier", "spec", "minReplicaCount", to=None)],
        "classifier: may have no replica, and what it follows is measured by its replicas only",
    ),
    (
        "sleeper-wakes",
        [
            add(
                "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
                "lazy",
                spec={"minReplicas": 0, "scaleTargetRef": {"kind": "Deployment", "name": "words"}},
            )
        ],
        "lazy: may have no replica, and nothing wakes it",
    ),
    (
        "hold-fits-idle-timeout",
        [
            edit(
                "kubernetes:gateway.k8s.aws/v1:LoadBalancerConfiguration",
                "entry",
                lambda inputs: inputs["spec"].pop("loadBalancerAttributes"),
            )
        ],
        "chat: a request is held for up to ",
    ),
]


def test_servers_that_are_right_are_not_found() -> None:
    # The secret is for a person to make.
    assert [each for each in run_checks(lab()).findings if each.check != "secret-exists"] == []


@pytest.mark.parametrize(("check", "faults", "text"), FAULTS, ids=[f"{check}-{text[:40]}" for check, _, text in FAULTS])
def test_a_fault_of_a_server_is_found(check: str, faults: list[Fault], text: str) -> None:
    lines = found(planted(*faults), check)
    assert any(line.startswith(text) for line in lines), lines


@pytest.mark.parametrize(
    ("check", "right"),
    [
        ("engine-fits-pod", [triton({"resnet.pbtxt": "instance_group {\n  kind: KIND_GPU\n  gpus: 0\n}\n"})]),
        ("engine-fits-pod", [triton({"resnet.pbtxt": "instance_group {\n  kind: KIND_CPU\n}\n"}, gpus="0")]),
        ("triton-repository", [triton({"models": "resnet onnxruntime model.onnx\n"}, "--load-model=resnet")]),
        ("triton-repository", [triton({"models": "resnet onnxruntime model.onnx\n"}, "--load-model=*")]),
        ("model-fits", [argument("chat", "--max-model-len", "16k")]),
        ("model-fits", [in_container("chat", lambda container: container["args"].__setitem__(0, "me/my-own"))]),
        (
            "gated-model-token",
            [in_container("chat", lambda container: container.update(env=[], envFrom=[{"secretRef": {}}]))],
        ),
        ("sleeper-wakes", [change(SCALED_OBJECT, "chat", "spec", "triggers", to=asking("sum(my_queue_length)"))]),
        (
            "metric-exported",
            [
                change(SCALED_OBJECT, "chat", "spec", "triggers", to=asking("sum(my_queue_length)")),
                add("kubernetes:monitoring.coreos.com/v1:ServiceMonitor", "mine", spec={"selector": {}}),
            ],
        ),
        (
            "target-exists",
            [
                add("kubernetes:serving.kserve.io/v1beta1:InferenceService", "mine", spec={}),
                add(SERVICE, "mine", spec={"selector": {"serving.kserve.io/inferenceservice": "mine"}}),
            ],
        ),
    ],
)
def test_what_only_looks_wrong_in_a_server_is_not_found(check: str, right: list[Fault]) -> None:
    assert found(planted(*right), check) == []


def test_a_licence_is_not_asked_for_where_nothing_is_produced() -> None:
    def to_research(resources: dict[str, Resource]) -> None:
        for each in resources.values():
            if each.type == "eksml:platform:Platform":
                dict(each.inputs)["spec"]["profile"] = "research"

    not_commercial = in_container("chat", lambda container: container["args"].__setitem__(0, COMMAND_R))
    assert found(planted(not_commercial, to_research), "license-allows-use") == []


def test_what_a_job_copies_is_judged_too() -> None:
    lines = found(planted(lambda resources: copies(resources, LLAMA)), "gated-model-token")
    assert [line.partition("-")[0] for line in lines] == ["words"], "the server reads what the Job copied, and no hub"


def test_weights_of_the_hub_are_no_version_of_tensorflow_serving() -> None:
    source = {
        "kind": "s3",
        "prefix": "teams/vision/models/resnet/",
        "model": "microsoft/resnet-50",
        "revision": "7" * 40,
    }
    plan = server("tensorflowServing", source={**source, "populate": {}})
    (line,) = found(plan, "numbered-versions")
    assert line.endswith("teams/vision/models/resnet/ is no folder of a number, and the server finds no other: "
                         "let the prefix end in /1/")  # fmt: skip
    chosen = server("tensorflowServing", source={**source, "populate": {"allow": ["1/*"]}})
    assert found(chosen, "numbered-versions") == []


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"quantization": "fp8"},
        {"quantization": "bitsandbytes", "kv_cache_precision": "fp8"},
        {"precision": "float16", "memory_utilization": 0.85, "context_length": 1024},
        {"batching": {"maxRequests": 64, "maxTokens": 4096}},
    ],
)
def test_the_arguments_of_vllm_say_what_its_spec_says(settings: dict[str, Any]) -> None:
    spec: VllmServerSpec = spec_of("vllm", **settings)
    assert serving_by_vllm(options("vllm", settings), known_gpus()[0]) == spec.serving(known_gpus()[0])


@pytest.mark.parametrize("settings", [{}, {"precision": "float32"}, {"context_length": 128}])
def test_the_arguments_of_transformers_say_what_its_spec_says(settings: dict[str, Any]) -> None:
    spec: TransformersServerSpec = spec_of("transformers", **settings)
    assert serving_by_transformers(options("transformers", settings), known_gpus()[0]) == spec.serving(known_gpus()[0])


def options(kind: str, settings: dict[str, Any]) -> Any:
    (engine,) = engines_of(server(kind, **settings))
    return engine.options


@pytest.mark.parametrize(
    ("command", "arguments", "kind"),
    [
        (["vllm", "serve"], ["me/mine"], "vllm"),
        (["python3", "-m", "vllm.entrypoints.openai.api_server"], ["--model", "me/mine"], "vllm"),
        (["/bin/bash", "-c", "vllm serve me/mine --port 8000"], [], "vllm"),
        (["python", "train.py"], ["--backend", "vllm"], None),
        (["/opt/tritonserver/bin/tritonserver"], [], "triton"),
    ],
)
def test_an_engine_is_known_by_its_program(command: list[str], arguments: list[str], kind: str | None) -> None:
    pod = {"containers": [{"name": "a", "image": "example.com/own:1.0", "command": command, "args": arguments}]}
    resource = Resource("urn", "kubernetes:core/v1:Pod", "a", None, True, inputs={"kind": "Pod", "spec": pod})
    known = engines_of(Plan.of("lab", [resource]))
    assert [each.kind for each in known] == ([kind] if kind else [])
    assert [each.model for each in known if each.kind == "vllm"] == ["me/mine"] * (kind == "vllm")


def test_every_pod_of_a_group_is_judged() -> None:
    plan = server("vllm", nodes=2, replicas=3, metrics=False)
    counts = {each.name: each.count for each in workloads_of(plan)}
    assert counts == {
        "chat-leaderWorkerTemplate-leaderTemplate": 3,
        "chat-leaderWorkerTemplate-workerTemplate": 3,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_engine_is_known_among_the_pods(kind: str) -> None:
    # KServe's pod runs the server of Transformers; what Ray runs in its pods, they do not say.
    known = {"kserve": ["transformers"], "rayServeVllm": []}.get(kind, [kind])
    containers = ("server", "kserve-container", "ray-worker")
    assert [each.kind for each in engines_of(server(kind)) if each.container["name"] in containers] == known


@pytest.mark.parametrize("kind", KINDS)
def test_every_engine_is_right_by_itself(kind: str) -> None:
    findings = run_checks(server(kind), ({check for check, _, _ in FAULTS})).findings
    assert findings == ()


# Model repositories


@pytest.mark.parametrize(
    ("engine", "keys", "problems"),
    [
        ("triton", ["resnet/1/model.onnx", "resnet/config.pbtxt", "words/2/model.py"], []),
        ("tensorflowServing", ["resnet/1/saved_model.pb", "resnet/1/variables/variables.index"], []),
        ("openVino", ["resnet/1/model.xml", "resnet/1/model.bin"], []),
        ("triton", [], ["no model: MODEL/VERSION/ is missing"]),
        ("triton", ["model.onnx"], ["model.onnx: lies beside the models, must be in MODEL/VERSION/",
                                    "no model: MODEL/VERSION/ is missing"]),
        ("triton", ["resnet/model.onnx"], ["resnet: no folder of a number with a model in it, there is model.onnx"]),
        ("triton", ["resnet/v1/model.onnx"], ["resnet: no folder of a number with a model in it, there is v1"]),
        ("triton", ["resnet/01/model.onnx"], ["resnet/01: Triton passes over versions that begin with 0"]),
        ("tensorflowServing", ["resnet/1/model.onnx"], ["resnet/1: has none of saved_model.pb"]),
        ("tensorflowServing", ["resnet/saved_model.pb", "resnet/variables/variables.index"],
         ["resnet: no folder of a number with a model in it, there is saved_model.pb or variables"]),
    ],
)  # fmt: skip
def test_a_model_repository_that_is_not_laid_out_right_is_told(
    engine: str, keys: list[str], problems: list[str]
) -> None:
    assert repository_problems(keys, engine) == problems
