"""Where the weights of a model come from: the Hugging Face hub, a bucket, or a volume that exists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from eksml.catalog import models
from eksml.errors import Problem
from eksml.secret_key import SecretKey
from eksml.serving.populate import Populate
from eksml.spec import BucketName, ObjectName, RelativePath, Spec, pattern
from eksml.storage.volumes import ClaimVolume, FileSystemVolume

MODEL_DIRECTORY = "/models"

ModelId = Annotated[
    str, pattern(r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$", "a model of the Hugging Face hub, ORGANISATION/NAME")
]
Revision = Annotated[str, pattern(r"^[0-9a-f]{40}$", "the whole hash of a commit: 40 hexadecimal digits")]
Prefix = Annotated[
    str, pattern(r"^([A-Za-z0-9][A-Za-z0-9!_.*'()-]*/)+$", "the beginning of keys, such as models/resnet/, ending in /")
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


class ClaimSource(Spec):
    """A PersistentVolumeClaim of the team's namespace, such as one on EFS or FSx for Lustre."""

    kind: Literal["claim"] = "claim"
    claim: ObjectName
    """Name of the claim."""
    path: RelativePath | None = None
    """The folder in it that holds the model; none given: all of it."""
    model: ModelId | None = None
    """Which model of the hub lies there, by which it is known what memory it needs."""


ModelSource = Annotated[HubSource | BucketSource | ClaimSource, Field(discriminator="kind")]
ModelRepository = Annotated[BucketSource | ClaimSource, Field(discriminator="kind")]
"""Where several models lie, each in a folder of its name."""


def version_folder_problems(source: HubSource | BucketSource | ClaimSource) -> Iterator[Problem]:
    """Why a model repository cannot lie where a source says: it ends where a version does."""
    field = "prefix" if isinstance(source, BucketSource) else "path"
    place = getattr(source, field, None) or ""
    if place.rstrip("/").rpartition("/")[2].isdigit():
        text = f"'{place}' given, must be the folder with the models, in which versions are folders of a number"
        yield Problem(("source", field), text)


def _known_commit(model: str | None) -> str | None:
    known = models().get(model or "")
    return known.revision if known else None
