"""Where a job's data and checkpoints lie: in a bucket, on a shared file system, or on a volume that exists."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pulumi
from pydantic import Field

from eksml import names
from eksml.spec import BucketName, ObjectName, Spec, pattern

DATA_DIRECTORY, CHECKPOINT_DIRECTORY = "/data", "/checkpoints"
_S3_DRIVER = "s3.csi.aws.com"
# Kubernetes asks for a size, which teams have quotas of; the bucket has none.
_BUCKET_SIZE = "1Gi"
_Prefix = Annotated[
    str, pattern(r"^([A-Za-z0-9][A-Za-z0-9!_.*'()-]*/)*$", "the beginning of keys, such as runs/resnet/, ending with /")
]


class S3Volume(Spec):
    """Objects of a bucket as files, by Mountpoint for Amazon S3: large, cheap, written once from beginning to end."""

    kind: Literal["s3"] = "s3"
    bucket: BucketName | None = None
    """The bucket; none given: the platform's model bucket, of which the team may write `teams/TEAM/`."""
    prefix: _Prefix = ""
    """The beginning of the objects' keys, such as `runs/resnet/`."""


class FileSystemVolume(Spec):
    """A directory of its own on a shared file system, which goes when the job is deleted from the program."""

    kind: Literal["efs", "lustre"]
    """The storage class: efs, or lustre, which makes a file system for this claim alone."""
    size_gib: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = 1200
    """Size in GiB; EFS has no limit and ignores it, Lustre has 1200 or a multiple of 2400."""


class ClaimVolume(Spec):
    """A PersistentVolumeClaim that exists in the team's namespace, and outlives the job."""

    kind: Literal["claim"] = "claim"
    claim: ObjectName
    """Name of the claim."""


Volume = Annotated[S3Volume | FileSystemVolume | ClaimVolume, Field(discriminator="kind")]


def claim_of_directory(volume: FileSystemVolume) -> dict[str, Any]:
    """The claim for a directory of its own."""
    storage_class = names.EFS_STORAGE_CLASS if volume.kind == "efs" else names.LUSTRE_STORAGE_CLASS
    return {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": storage_class,
        "resources": {"requests": {"storage": f"{volume.size_gib}Gi"}},
    }


def bucket_volume(
    bucket: pulumi.Input[str],
    region: pulumi.Input[str] | None,
    prefix: str,
    user_id: int,
    *,
    claim: tuple[str, str],
    read_only: bool,
) -> dict[str, Any]:
    """The volume of a bucket's objects below a prefix, for one claim, by its namespace and name.

    Source: https://github.com/awslabs/mountpoint-s3-csi-driver/blob/main/docs/CONFIGURATION.md
    """
    namespace, name = claim
    writing = ["read-only"] if read_only else ["allow-delete", "allow-overwrite"]
    # The driver's pods cannot ask where they are: the metadata service of our nodes answers no pod.
    where = [pulumi.Output.concat("region ", region)] if region is not None else []
    return {
        "accessModes": ["ReadWriteMany"],
        "capacity": {"storage": _BUCKET_SIZE},
        "storageClassName": "",
        "persistentVolumeReclaimPolicy": "Retain",
        "claimRef": {"namespace": namespace, "name": name},
        "mountOptions": [f"prefix {prefix}", *where, *writing, f"uid={user_id}", f"gid={user_id}", "allow-other"],
        "csi": {
            "driver": _S3_DRIVER,
            "volumeHandle": f"{namespace}-{name}",
            # The rights are those of the pod's own service account, not of the driver.
            "volumeAttributes": {"bucketName": bucket, "authenticationSource": "pod"},
        },
    }


def claim_of_bucket(volume_name: str) -> dict[str, Any]:
    """The claim for the volume of a bucket."""
    return {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "",
        "volumeName": volume_name,
        "resources": {"requests": {"storage": _BUCKET_SIZE}},
    }
