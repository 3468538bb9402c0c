"""A registered model of MLflow gets into the pod before its engine starts."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import eksml
from eksml import names
from eksml.errors import SpecError
from eksml.plan import Plan
from eksml.serving.model_source import MlflowSource
from eksml.serving.openvino_server import OpenVinoModel
from eksml.serving.rollout import BlueGreenRollout
from eksml.serving.scripts import mlflow_model
from eksml.serving.tensorflow_serving import TensorFlowModel
from eksml.serving.triton_model import TritonModel
from refusals import check_problems, problems
from serving.model_servers import KINDS, environment, pod_of, server, spec_of
from serving.registry import ROOT, Registry
from serving.servers import Asked, Said, Server, serving

SCRIPT = Path(eksml.__file__).parent / "serving" / "scripts" / "mlflow_model.py"
WEIGHTS = bytes(range(256)) * 16
# As MLflow's own flavours write them.
TRANSFORMERS = {
    "MLmodel": b"flavors: {}",
    "model/config.json": b"{}",
    "model/model.safetensors": WEIGHTS,
    "components/tokenizer/tokenizer.json": b"[]",
    "components/tokenizer/tokenizer_config.json": b"{}",
}
ONNX = {"MLmodel": b"flavors: {}", "model.onnx": WEIGHTS, "requirements.txt": b"onnx"}
KERAS = {"MLmodel": b"flavors: {}", "data/model/saved_model.pb": WEIGHTS, "data/model/variables/variables.index": b"i"}
HUGGING_FACE = ["--mark", "config.json", "--beside", "components/*"]


class Fetched:
    """What the script did."""

    def __init__(self, url: str, target: Path, *words: str, which: tuple[str, ...] = ("--alias", "champion")):
        user = {"MLFLOW_TRACKING_USERNAME": "vision", "MLFLOW_TRACKING_PASSWORD": "open-sesame"}
        target.mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, str(SCRIPT), "--model", "fraud", *which, "--target", str(target), *words],
            env={**os.environ, "MLFLOW_TRACKING_URI": url, **user},
            capture_output=True,
            text=True,
            check=False,
        )
        self.code, self.said, self.text = done.returncode, done.stdout, done.stdout + done.stderr
        files = (path for path in sorted(target.rglob("*")) if path.is_file())
        self.files = {path.relative_to(target).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def registry() -> Registry:
    return Registry(dict(TRANSFORMERS))


@pytest.fixture
def mlflow(registry: Registry) -> Iterator[Server]:
    with serving(registry.answer) as running:
        yield running


@pytest.fixture
def url(mlflow: Server) -> str:
    return f"http://127.0.0.1:{mlflow.port}"


def test_weights_and_tokenizer_come_into_one_folder(url: str, tmp_path: Path) -> None:
    done = Fetched(url, tmp_path / "models", *HUGGING_FACE)
    assert done.code == 0, done.text
    assert done.files == {
        "config.json": b"{}",
        "model.safetensors": WEIGHTS,
        "tokenizer.json": b"[]",
        "tokenizer_config.json": b"{}",
    }
    assert "fraud is version 3, alias champion" in done.said


def test_a_model_repository_gets_a_folder_of_the_version(url: str, registry: Registry, tmp_path: Path) -> None:
    registry.files = dict(KERAS)
    done = Fetched(url, tmp_path / "models", "--mark", "saved_model.pb", "--folder", "fraud")
    assert done.code == 0, done.text
    assert done.files == {
        "fraud/3/saved_model.pb": WEIGHTS,
        "fraud/3/variables/variables.index": b"i",
    }


def test_the_first_pattern_that_fits_wins(url: str, registry: Registry, tmp_path: Path) -> None:
    registry.files = {**ONNX, "more/model.xml": b"<net/>", "more/model.bin": WEIGHTS}
    words = ["--mark", "*.xml", "--mark", "*.onnx", "--folder", "fraud"]
    assert set(Fetched(url, tmp_path / "first", *words).files) == {"fraud/3/model.xml", "fraud/3/model.bin"}
    del registry.files["more/model.xml"]
    assert "fraud/3/model.onnx" in Fetched(url, tmp_path / "second", *words).files


def test_a_moved_alias_is_another_version_and_nothing_of_the_former_stays(
    url: str, registry: Registry, tmp_path: Path
) -> None:
    registry.files = dict(ONNX)
    words = ["--mark", "model.onnx", "--folder", "fraud"]
    assert "fraud/3/model.onnx" in Fetched(url, tmp_path / "models", *words).files
    registry.version, registry.files = 4, {"model.onnx": b"other"}
    assert Fetched(url, tmp_path / "models", *words).files == {"fraud/4/model.onnx": b"other"}


def test_a_version_is_asked_for_without_an_alias(mlflow: Server, url: str, tmp_path: Path) -> None:
    done = Fetched(url, tmp_path / "models", *HUGGING_FACE, which=("--version", "3"))
    assert done.code == 0, done.text
    assert not any("alias" in asked.path for asked in mlflow.asked)


@pytest.mark.parametrize("uri", ["runs:/0123/artifacts", "models:/m-0123"])
def test_a_version_that_names_its_run_or_logged_model_is_found(
    url: str, registry: Registry, tmp_path: Path, uri: str
) -> None:
    registry.uri = uri
    done = Fetched(url, tmp_path / "models", *HUGGING_FACE)
    assert done.code == 0, done.text
    assert done.files["model.safetensors"] == WEIGHTS


def test_it_says_who_it_is_and_tells_nobody_the_password(url: str, registry: Registry, tmp_path: Path) -> None:
    registry.user = "vision:open-sesame"
    assert Fetched(url, tmp_path / "models", *HUGGING_FACE).code == 0
    registry.user = "vision:other"
    done = Fetched(url, tmp_path / "models", *HUGGING_FACE)
    assert done.code == mlflow_model.NEVER_WORTH_ANOTHER_TRY
    assert "MLflow does not let the user vision read alias champion of the registered model fraud" in done.text
    assert "open-sesame" not in done.text


def test_it_follows_nobody_elsewhere(url: str, registry: Registry, tmp_path: Path) -> None:
    with serving(lambda _: Said(body=b"{}")) as elsewhere:
        away = Said(302, headers={"Location": f"http://127.0.0.1:{elsewhere.port}/"})
        registry.next = [lambda _: away]
        done = Fetched(url, tmp_path / "models", *HUGGING_FACE)
        assert "MLflow refuses alias champion of the registered model fraud: 302" in done.text
        assert elsewhere.asked == [], "who would have got the password"


@pytest.mark.parametrize(
    ("change", "words", "text"),
    [
        ({"version": 9}, ("--version", "3"), "MLflow has no version 3 of the registered model fraud: set it there"),
        (
            {},
            ("--alias", "challenger"),
            "MLflow refuses alias challenger of the registered model fraud: "
            "Registered model alias challenger not found.",
        ),
        (
            {"uri": "s3://bucket/mlflow/1/models"},
            ("--alias", "champion"),
            "are at s3://bucket/mlflow/1/models, which MLflow does not give out itself",
        ),
        (
            {"files": {"MLmodel": b"", "model.pkl": b"x"}},
            ("--alias", "champion"),
            "the version has no config.json, by which this engine finds a model; it has MLmodel, model.pkl",
        ),
        (
            {"files": {"a/config.json": b"{}", "b/config.json": b"{}"}},
            ("--alias", "champion"),
            "the version has config.json in several folders: a, b; register one of them",
        ),
    ],
)
def test_what_only_a_person_can_change_ends_it_at_once(
    url: str, registry: Registry, tmp_path: Path, change: dict[str, Any], words: tuple[str, ...], text: str
) -> None:
    for field, value in change.items():
        setattr(registry, field, value)
    done = Fetched(url, tmp_path / "models", *HUGGING_FACE, which=words)
    assert done.code == mlflow_model.NEVER_WORTH_ANOTHER_TRY
    assert text in done.text
    assert "Traceback" not in done.text


def test_a_file_that_was_cut_off_is_fetched_again(registry: Registry, tmp_path: Path) -> None:
    cut: list[str] = []

    def answer(asked: Asked) -> Said:
        if asked.path.endswith("model.safetensors") and not cut:
            cut.append(asked.path)
            return Said(body=WEIGHTS, cut_after=1000)
        return registry.answer(asked)

    with serving(answer) as cutting:
        done = Fetched(f"http://127.0.0.1:{cutting.port}", tmp_path / "models", *HUGGING_FACE)
    assert done.code == 0, done.text
    assert cut
    assert "again in 2 s" in done.said
    assert done.files["model.safetensors"] == WEIGHTS


@pytest.mark.parametrize("name", ["..", "a/b", ""])
def test_a_name_that_leads_elsewhere_is_no_file(registry: Registry, tmp_path: Path, name: str) -> None:
    listing = Said(body=f'{{"files": [{{"path": "{name}", "is_dir": false, "file_size": 1}}]}}'.encode())

    def answer(asked: Asked) -> Said:
        return listing if "mlflow-artifacts" in asked.path else registry.answer(asked)

    with serving(answer) as lying:
        done = Fetched(f"http://127.0.0.1:{lying.port}", tmp_path / "models", *HUGGING_FACE)
    assert done.code == mlflow_model.NEVER_WORTH_ANOTHER_TRY
    assert "which is no name" in done.text
    assert ROOT in done.text


CHAMPION = MlflowSource(model="fraud", alias="champion")
LANGUAGE = ["kserve", "rayServeVllm", "transformers", "vllm"]
FOLDERS = {"openVino": "resnet", "tensorflowServing": "resnet", "triton": "resnet"}


def fetch(plan: Plan, kind: str) -> dict[str, Any]:
    (container,) = pod_of(plan, kind)["initContainers"]
    return container


@pytest.mark.parametrize("kind", KINDS)
def test_every_engine_can_serve_it(kind: str) -> None:
    plan = server(kind, source=CHAMPION, bucket=None)
    pod, container = pod_of(plan, kind), fetch(plan, kind)
    (volume,) = [each for each in pod["volumes"] if each["name"] == "models"]
    assert volume["emptyDir"] == {"sizeLimit": "10Gi"}
    assert {"name": "models", "mountPath": "/models"} in container["volumeMounts"]
    assert {"name": "models", "mountPath": "/models", "readOnly": True} in pod["containers"][0]["volumeMounts"]
    assert pod["containers"][0]["resources"]["requests"]["ephemeral-storage"] == "15Gi"
    assert container["command"][:8] == (
        ["python", "/scripts/mlflow_model.py", "--model", "fraud", "--alias", "champion", "--target", "/models"]
    )
    script = next(each for each in plan.of_type("kubernetes:core/v1:ConfigMap") if "scripts" in each.name)
    assert script.inputs["data"]["mlflow_model.py"] == SCRIPT.read_text()
    assert not plan.of_type("kubernetes:core/v1:PersistentVolumeClaim")


@pytest.mark.parametrize("kind", KINDS)
def test_the_script_is_told_how_the_engine_finds_a_model(kind: str) -> None:
    words = fetch(server(kind, source=CHAMPION), kind)["command"]
    told = mlflow_model.parse(words[2:])
    assert told.folder == FOLDERS.get(kind)
    assert (told.beside == ["components/*"]) is (kind in LANGUAGE)
    marks = {"openVino": ["*.xml", "*.onnx", "saved_model.pb"], "tensorflowServing": ["saved_model.pb"]}
    assert told.mark == marks.get(kind, ["model.onnx"] if kind == "triton" else ["config.json"])


def test_a_language_model_of_triton_is_weights_and_no_repository() -> None:
    models = {"chat": TritonModel(backend="vllm")}
    plan = server("triton", source=CHAMPION, models=models)
    told = mlflow_model.parse(fetch(plan, "triton")["command"][2:])
    assert (told.folder, told.mark) == (None, ["config.json"])


def test_a_folder_of_its_own_is_where_tensorflow_serving_looks() -> None:
    plan = server("tensorflowServing", source=CHAMPION, models={"resnet": TensorFlowModel(path="vision/resnet")})
    assert mlflow_model.parse(fetch(plan, "tensorflowServing")["command"][2:]).folder == "vision/resnet"


@pytest.mark.parametrize("kind", ["vllm", "transformers"])
def test_the_engine_reads_the_folder_and_asks_nobody_else(kind: str) -> None:
    plan = server(kind, source=CHAMPION)
    container = pod_of(plan, kind)["containers"][0]
    assert any("/models" in word for word in container["args"])
    assert environment(plan, kind)["HF_HUB_OFFLINE"] == "1"
    assert not any("runai" in word for word in container["args"])


def test_a_version_takes_the_place_of_an_alias() -> None:
    words = fetch(server("transformers", source=MlflowSource(model="fraud", version=3)), "transformers")["command"]
    assert words[4:6] == ["--version", "3"]


def test_it_is_the_user_of_the_team_if_mlflow_has_users() -> None:
    container = fetch(server("transformers", source=CHAMPION), "transformers")
    variables = {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}
    assert variables["MLFLOW_TRACKING_URI"] == names.MLFLOW_URL
    for variable, key in (("USERNAME", "username"), ("PASSWORD", "password")):
        reference = {"name": "mlflow", "key": key, "optional": True}
        assert variables[f"MLFLOW_TRACKING_{variable}"] == {"secretKeyRef": reference}


def test_the_container_keeps_to_the_rules_of_its_namespace() -> None:
    container = fetch(server("transformers", source=CHAMPION), "transformers")
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert {"requests", "limits"} <= set(container["resources"])


def test_its_image_comes_from_a_registry_of_ones_own() -> None:
    plan = server("transformers", source=CHAMPION, image_registry="registry.example.com")
    assert fetch(plan, "transformers")["image"].startswith("registry.example.com/")


def test_a_platform_needs_mlflow_for_it_and_no_bucket() -> None:
    assert "tracking.mlflow" in set(spec_of("triton", source=CHAMPION).needs)
    assert not {"storage.modelBucket", "storage.bucketMounts"} & set(spec_of("triton", source=CHAMPION).needs)


@pytest.mark.parametrize(
    ("settings", "beginnings"),
    [
        ({"model": "fraud"}, ["must have alias, such as champion, or version: one of them"]),
        ({"model": "fraud", "alias": "champion", "version": 3}, ["version: given, but alias champion says which"]),
        ({"model": "models:/fraud", "version": 3}, ["model: 'models:/fraud' given, must be the name of a registered"]),
        ({"model": "fraud", "alias": "latest"}, ["alias: 'latest' given, must be another alias"]),
        ({"model": "fraud", "alias": "v3"}, ["alias: 'v3' given, must be another alias"]),
        ({"model": "fraud", "version": 0}, ["version: 0 given, must be"]),
        ({"alias": "champion", "hubModel": "qwen"}, ["hubModel: 'qwen' given", "model: missing"]),
    ],
)
def test_what_no_registry_has_is_refused(settings: dict[str, Any], beginnings: list[str]) -> None:
    check_problems(problems(MlflowSource, settings), beginnings)


@pytest.mark.parametrize(
    ("kind", "settings", "lines"),
    [
        (
            "vllm",
            {"source": MlflowSource(model="chat", version=1, hub_model="Qwen/Qwen2.5-7B-Instruct")},
            ["source.sizeGib: 10 given, must be at least 16 for Qwen/Qwen2.5-7B-Instruct"],
        ),
        (
            "vllm",
            {
                "source": MlflowSource(model="chat", version=1, size_gib=100, hub_model="Qwen/Qwen3-30B-A3B"),
                "context_length": 8192,
            },
            ["source.hubModel: Qwen/Qwen3-30B-A3B"],
        ),
        (
            "transformers",
            {"source": CHAMPION, "rollout": BlueGreenRollout(), "replicas": 2},
            ["source.alias: 'champion' given, but with rollout new pods take what the alias means then"],
        ),
        (
            "tensorflowServing",
            {
                "source": CHAMPION,
                "models": {"resnet": TensorFlowModel(versions=(1,), labels={"stable": 1}), "bert": TensorFlowModel()},
            },
            [
                "models.resnet.labels: given, but the source says which version there is",
                "models.resnet.versions: given, but the source says which version there is",
                "models: resnet or bert given, but the source is one model of a registry",
            ],
        ),
        (
            "openVino",
            {"source": CHAMPION, "models": {"resnet": OpenVinoModel(versions="all")}},
            ["models.resnet.versions: given, but the source says which version there is"],
        ),
    ],
)
def test_what_one_version_of_a_registry_cannot_be_is_refused(
    kind: str, settings: dict[str, Any], lines: list[str]
) -> None:
    with pytest.raises(SpecError) as error:
        spec_of(kind, **settings)
    check_problems(str(error.value).splitlines(), lines)
