"""Where the weights of a model come from: the Hugging Face hub, a bucket, a volume that exists, or a registry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

from eksml.catalog import models
from eksml.errors import Problem, listed
from eksml.secret_key import SecretKey
from eksml.serving.populate import Populate
from eksml.spec import BucketName, ObjectName, RelativePath, Revision, Spec, pattern
from eksml.storage.volumes import ClaimVolume, FileSystemVolume

MODEL_DIRECTORY = "/models"

ModelId = Annotated[
    str, pattern(r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$", "a model of the Hugging Face hub, ORGANISATION/NAME")
]
Prefix = Annotated[
    str, pattern(r"^([A-Za-z0-9][A-Za-z0-9!_.*'()-]*/)+$", "the beginning of keys, such as models/resnet/, ending in /")
]
RegisteredName = Annotated[
    str, pattern(r"^[A-Za-z0-9][\w. -]{0,199}$", "the name of a registered model: letters, digits, spaces and _.-")
]


def _no_version(alias: str) -> str:
    if re.fullmatch(r"(?i:v\d+|latest)", alias):
        raise ValueError("must be another alias: MLflow keeps latest, and what looks like a version, for itself")
    return alias


Alias = Annotated[
    str, pattern(r"^[A-Za-z0-9_-]{1,255}$", "an alias of letters, digits and _-"), AfterValidator(_no_version)
]


class HubSource(Spec):
    """The Hugging Face hub, at one commit. Every new pod loads from it, unless a cache keeps what was loaded."""

    kind: Literal["hub"] = "hub"
    model: ModelId
    """The model, such as Qwen/Qwen2.5-7B-Instruct."""
    revision: Revision | None = None
    """The commit that is served, whatever its authors change later; by default the one that the catalog knows."""
    token: SecretKey | None = None
    """Where the hub's token is, for gated models."""
    cache: Annotated[ClaimVolume | FileSystemVolume, Field(discriminator="kind")] | None = None
    """A volume that keeps what was loaded, for all pods; none given: each pod loads to the disk of its node."""

    def rules(self) -> Iterator[Problem]:
        """The commit is known."""
        if self.commit is None:
            yield Problem(("revision",), f"missing: the catalog has no commit of {self.model}")

    @property
    def commit(self) -> str | None:
        """The commit that is served."""
        return self.revision or _known_commit(self.model)

    @property
    def hub_model(self) -> str:
        """Which model of the hub it is."""
        return self.model


class BucketSource(Spec):
    """Objects below a prefix of a bucket: streamed where the engine can, otherwise read through Mountpoint for S3."""

    kind: Literal["s3"] = "s3"
    bucket: BucketName | None = None
    """The bucket; none given: the platform's model bucket."""
    prefix: Prefix
    """The beginning of the objects' keys, such as `teams/vision/models/resnet/`."""
    model: ModelId | None = None
    """Which model of the hub lies there, by which it is known what memory it needs."""
    populate: Populate | None = None
    """How a Job fills the prefix from the hub, once, and checks the hashes of what it writes; null: it is filled."""
    revision: Revision | None = None
    """The commit of the hub that is copied; by default the one that the catalog knows."""
    token: SecretKey | None = None
    """Where the hub's token is, to copy gated models."""

    def rules(self) -> Iterator[Problem]:
        """What is copied is known to the commit."""
        if self.populate is not None and self.model is None:
            yield Problem(("model",), "missing: populate copies it from the hub")
        elif self.populate is not None and self.commit is None:
            yield Problem(("revision",), f"missing: the catalog has no commit of {self.model}")
        for key in ("revision", "token"):
            if self.populate is None and getattr(self, key) is not None:
                yield Problem((key,), "given, but has no effect without populate")

    @property
    def commit(self) -> str | None:
        """The commit that is copied."""
        return self.revision or _known_commit(self.model)

    @property
    def hub_model(self) -> str | None:
        """Which model of the hub it is, if that is known."""
        return self.model


class ClaimSource(Spec):
    """A PersistentVolumeClaim of the team's namespace, such as one on EFS or FSx for Lustre."""

    kind: Literal["claim"] = "claim"
    claim: ObjectName
    """Name of the claim."""
    path: RelativePath | None = None
    """The folder in it that holds the model; none given: all of it."""
    model: ModelId | None = None
    """Which model of the hub lies there, by which it is known what memory it needs."""

    @property
    def hub_model(self) -> str | None:
        """Which model of the hub it is, if that is known."""
        return self.model


class MlflowSource(Spec):
    """A registered model of the platform's MLflow, which every new pod fetches through MLflow to the disk of its node.

    An alias is looked up when a pod starts: running pods keep what they have when it moves.
    """

    kind: Literal["mlflow"] = "mlflow"
    model: RegisteredName
    """The registered model."""
    alias: Alias | None = None
    """The alias of the version that is served, such as champion; it, or version."""
    version: Annotated[int, Field(strict=True, ge=1)] | None = None
    """The version that is served; it, or alias."""
    size_gib: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 10
    """Room for it on the disk of the node, in GiB."""
    hub_model: ModelId | None = None
    """Which model of the hub it is or was made from, by which it is known what memory it needs."""

    def rules(self) -> Iterator[Problem]:
        """One version is meant."""
        if self.alias is None and self.version is None:
            yield Problem((), "must have alias, such as champion, or version: one of them")
        elif self.alias is not None and self.version is not None:
            yield Problem(("version",), f"given, but alias {self.alias} says which version it is")


AnyModelSource = HubSource | BucketSource | ClaimSource | MlflowSource
ModelSource = Annotated[AnyModelSource, Field(discriminator="kind")]
ModelRepository = Annotated[BucketSource | ClaimSource | MlflowSource, Field(discriminator="kind")]
"""Where several models lie, each in a folder of its name; or one of a registry, which gets such a folder."""


class ModelLayout(NamedTuple):
    """How a model lies where its engine reads it."""

    marks: tuple[str, ...]
    """Patterns of files by which the folder of a model is known, the first one that fits first."""
    folder: str | None = None
    """The folder of a model repository, in which each version has a folder of a number; None: it lies there itself."""


WEIGHTS_OF_TRANSFORMERS = ModelLayout(("config.json",))
"""A folder as `save_pretrained` writes it."""


def registered_model_problems(source: AnyModelSource, models: Mapping[str, Spec]) -> Iterator[Problem]:
    """What the settings of a model repository cannot say of a single version from a registry."""
    if not isinstance(source, MlflowSource):
        return
    if len(models) > 1:
        text = f"{listed(models)} given, but the source is one model of a registry: give each a server of its own"
        yield Problem(("models",), text)
    for name, model in models.items():
        for field in ("versions", "labels"):
            if getattr(model, field, None):
                yield Problem(("models", name, field), "given, but the source says which version there is")


def version_folder_problems(source: AnyModelSource) -> Iterator[Problem]:
    """Why a model repository cannot lie where a source says: it ends where a version does."""
    field = "prefix" if isinstance(source, BucketSource) else "path"
    place = getattr(source, field, None) or ""
    if place.rstrip("/").rpartition("/")[2].isdigit():
        text = f"'{place}' given, must be the folder with the models, in which versions are folders of a number"
        yield Problem(("source", field), text)


def _known_commit(model: str | None) -> str | None:
    known = models().get(model or "")
    return known.revision if known else None
