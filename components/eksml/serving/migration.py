"""The server of a model that came from another framework: its versions take over from each other by blue/green."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pydantic import Field

from eksml import names
from eksml.errors import Problem, SpecError, listed, nearest
from eksml.nodes.placement import PlacementSpec
from eksml.serving.model_server import ModelServer
from eksml.serving.model_source import BucketSource
from eksml.serving.rollout import BlueGreenRollout, CanaryRollout, RolloutSpec
from eksml.serving.servers import model_server
from eksml.serving.tensorflow_serving import ServedName, TensorFlowModel, TensorFlowServingSpec
from eksml.serving.triton_model import TritonModel
from eksml.serving.triton_server import TritonServerSpec
from eksml.spec import PositiveCount

MIGRATIONS: Mapping[str, Mapping[str, str]] = {
    "pytorch": {
        "onnx": "torch.onnx",
        "openvino": "OpenVINO's ovc, by way of ONNX",
        "pytorch": "torch.jit, for those who leave TorchServe",
        "tensorflow": "onnx2tf, by way of ONNX",
        "tensorrt": "trtexec, by way of ONNX",
    },
    "tensorflow": {
        "onnx": "tf2onnx",
        "openvino": "OpenVINO's ovc",
        "tensorrt": "trtexec, by way of ONNX",
    },
    "keras": {"onnx": "tf2onnx", "tensorflow": "model.export of Keras"},
    "jax": {"onnx": "jax2tf and tf2onnx", "tensorflow": "jax2tf"},
    "onnx": {"openvino": "OpenVINO's ovc", "tensorflow": "onnx2tf", "tensorrt": "trtexec"},
}
"""What a model is converted with, by the framework that it is of and the one that it is for."""

# What of Triton runs a model; TensorFlow has a server of its own.
_BACKENDS = {"onnx": "onnxruntime", "openvino": "openvino", "pytorch": "pytorch", "tensorrt": "tensorrt"}
# Without any other word: a small model on whichever nodes have no taint.
_SMALL = {"cpus_per_node": 1.0, "memory_gib_per_node": 2}
_SAY_HOW_MUCH = PlacementSpec.model_fields.keys() - {"pool", "capacity"}
_PATH = re.compile(r"(?:s3://(?P<bucket>[^/]+)/)?(?P<prefix>[^/:][^:]*/)(?P<model>[^/]+)/?")


@dataclass(frozen=True)
class MigrationDeployment:
    """A server of a converted model, from which a program makes it."""

    name: str
    """What the server is called."""
    server: TensorFlowServingSpec | TritonServerSpec
    """The server."""
    converter: str
    """What the model is converted with."""

    def make(
        self,
        *,
        bucket: pulumi.Input[str] | None = None,
        region: pulumi.Input[str] | None = None,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> ModelServer[Any]:
        """Makes the server: its Rollout, both Services, and by what its versions are judged.

        Arguments:
            bucket: name of the platform's model bucket, for a path that names none.
            region: AWS region of the bucket.
            image_registry: a registry that images come from, instead of their own.
            opts: where it is made, such as PlatformReference().opts.
        """
        return model_server(
            self.name, self.server, bucket=bucket, region=region, image_registry=image_registry, opts=opts
        )


class MigratedVersionSpec(PlacementSpec):
    """Which version of a converted model is served, on which nodes, and how the next one takes over."""

    model: ServedName
    """The name of the model, which is that of its folder."""
    version: PositiveCount | None = None
    """The version, one that was published: another number is a new version of the server. null: none is served."""
    replicas: PositiveCount = 1
    """How many servers answer."""
    rollout: RolloutSpec = Field(default_factory=BlueGreenRollout)
    """How a new version takes over: blueGreen or canary."""

    def deployment(self, prefix: str, framework_from: str, framework_to: str, *, namespace: str) -> MigrationDeployment:
        """The server of the version, of the model below a prefix of the platform's model bucket."""
        # Which is the newest in the folder is no decision of theirs.
        versions = {"versions": (self.version,)} if self.version else {}
        return create_migration_deployment(
            f"{prefix}{self.model}",
            framework_from,
            framework_to,
            namespace=namespace,
            rollout=self.rollout,
            model=_model(framework_to).model_copy(update=versions),
            replicas=self.replicas,
            **{field: getattr(self, field) for field in PlacementSpec.model_fields},
        )


def create_migration_deployment(
    model_path: str,
    framework_from: str,
    framework_to: str,
    *,
    name: str | None = None,
    namespace: str = "serving",
    rollout: BlueGreenRollout | CanaryRollout | None = None,
    model: TensorFlowModel | TritonModel | None = None,
    **settings: Any,
) -> MigrationDeployment:
    """The server of a model that was converted: TensorFlow Serving for `tensorflow`, else Triton with its backend.

    A new version takes over by blue/green, once a person promotes it. Raises SpecError for a framework that is not
    known, for one that the model cannot be converted to, and for settings that the server cannot have.

    Arguments:
        model_path: the folder of the converted model, which holds those of its versions: s3://BUCKET/PREFIX/NAME, or
            PREFIX/NAME in the platform's model bucket.
        framework_from: what the model was: pytorch, tensorflow, keras, jax or onnx.
        framework_to: what it is now: tensorflow, onnx, openvino, pytorch or tensorrt.
        name: what the server is called; by default migrated-model-FRAMEWORK.
        namespace: the team's namespace; by default that of profile production.
        rollout: how a new version takes over, if not by blue/green with its defaults.
        model: how the model is served; with pytorch by default as the config.pbtxt beside it says.
        settings: fields of the server's Spec, such as accelerator, gpus_per_node, pool and replicas. By default one
            pod with one vCPU and 2 GiB.
    """
    found = _PATH.fullmatch(model_path)
    problems = [*_path_problems(model_path), *_way_problems(framework_from, framework_to)]
    if found is None or problems:
        raise SpecError(problems)
    served: dict[str, Any] = {
        "namespace": namespace,
        "source": BucketSource(bucket=found["bucket"], prefix=found["prefix"]),
        "rollout": rollout or BlueGreenRollout(),
        **({} if settings.keys() & _SAY_HOW_MUCH else _SMALL),
        **settings,
        "labels": {
            **settings.get("labels", {}),
            names.MIGRATION_FROM_LABEL: framework_from,
            names.MIGRATION_TO_LABEL: framework_to,
        },
    }
    spec_type = TensorFlowServingSpec if framework_to == "tensorflow" else TritonServerSpec
    spec = spec_type(models={found["model"]: model or _model(framework_to)}, **served)
    return MigrationDeployment(name or f"migrated-model-{framework_to}", spec, MIGRATIONS[framework_from][framework_to])


def _model(framework: str) -> TensorFlowModel | TritonModel:
    if framework == "tensorflow":
        return TensorFlowModel()
    # PyTorch's files do not say what goes in and what comes out.
    told = {"configuration": "repository"} if framework == "pytorch" else {}
    return TritonModel.model_validate({"backend": _BACKENDS[framework], **told})


def _path_problems(path: str) -> Iterator[Problem]:
    if not _PATH.fullmatch(path):
        text = f"'{path}' given, must be s3://BUCKET/PREFIX/NAME, or PREFIX/NAME in the platform's model bucket"
        yield Problem(("model_path",), text)
    elif path.rstrip("/").rpartition("/")[2].isdigit():
        text = f"'{path}' given, must be the folder of the model, in which versions are folders"
        yield Problem(("model_path",), text)


def _way_problems(framework_from: str, framework_to: str) -> Iterator[Problem]:
    targets = sorted({to for ways in MIGRATIONS.values() for to in ways})
    known = {"framework_from": (framework_from, list(MIGRATIONS)), "framework_to": (framework_to, targets)}
    unknown = [
        Problem((key,), f"'{given}' given, must be {listed(there)}{nearest(given, there)}")
        for key, (given, there) in known.items()
        if given not in there
    ]
    yield from unknown
    if not unknown and framework_to not in MIGRATIONS[framework_from]:
        ways = listed(f"{to} ({by})" for to, by in MIGRATIONS[framework_from].items())
        text = f"{framework_to} given, but nothing maintained makes that of {framework_from}: there is {ways}"
        yield Problem(("framework_to",), text)
