"""What jobs and servers share as components: their objects live in the namespace of a team."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pulumi

from eksml import names
from eksml.component import Component
from eksml.errors import Problem, SpecError
from eksml.kubernetes_object import pulumi_type
from eksml.spec import Spec
from eksml.storage.volumes import FileSystemVolume, bucket_volume, claim_of_bucket, claim_of_directory

# Controllers add up to 20 characters for each pod, and a pod's name is a label of at most 63.
LONGEST_NAME = 40
SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}


class Workload(Component):
    """The base of what a team runs: objects in its namespace, each made after those that were made before it.

    Raises SpecError for a name that is too long for those of its pods.

    Arguments:
        token: the component's type.
        name: its name, and what those of its objects begin with.
        spec: what it is made of.
        namespace: the team's namespace.
        label: on all its objects: a label whose value is its name.
    """

    def __init__(
        self, token: str, name: str, spec: Spec, namespace: str, label: str, opts: pulumi.ResourceOptions | None
    ):
        if not re.fullmatch(rf"[a-z]([a-z0-9-]{{0,{LONGEST_NAME - 2}}}[a-z0-9])?", name):
            text = f"'{name}' given, must be at most {LONGEST_NAME} lower-case letters, digits and hyphens"
            raise SpecError([Problem(("name",), text)])
        super().__init__(token, name, spec, opts)
        self._namespace = namespace
        self.label = {label: name}
        self.made: list[pulumi.Resource] = []

    def add(
        self,
        api_version: str,
        kind: str,
        name: str,
        fields: Mapping[str, Any],
        *,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        namespace: str | None = None,
        **options: Any,
    ) -> pulumi.Resource:
        """Makes an object in the team's namespace or another one, there before and as long as what is made after it."""
        metadata: dict[str, Any] = {
            "name": name,
            "namespace": namespace or self._namespace,
            "labels": {names.TEAM_LABEL: self._namespace, **self.label, **(labels or {})},
            **({"annotations": dict(annotations)} if annotations else {}),
        }
        made = pulumi.CustomResource(
            pulumi_type(api_version, kind),
            name,
            {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields},
            self.child(**{"depends_on": list(self.made), **options}),
        )
        self.made.append(made)
        return made

    def mount_bucket(
        self,
        role: str,
        bucket: pulumi.Input[str] | None,
        prefix: str,
        *,
        region: pulumi.Input[str] | None,
        user_id: int,
        read_only: bool,
    ) -> None:
        """Makes the claim NAME-ROLE for the objects of a bucket below a prefix."""
        name = f"{self.resource_name}-{role}"
        if bucket is None:
            text = "missing: the platform has no model bucket, give the name of one"
            raise SpecError([Problem((role, "bucket"), text)])
        fields = bucket_volume(bucket, region, prefix, user_id, claim=(self._namespace, name), read_only=read_only)
        volume_name = names.fitted(f"{self._namespace}-{name}", 63)
        made = pulumi.CustomResource(
            "kubernetes:core/v1:PersistentVolume",
            volume_name,
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": volume_name, "labels": self.label},
                "spec": fields,
            },
            self.child(delete_before_replace=True),
        )
        # A claim that is bound to a volume which is gone is lost.
        replaced = {"replace_with": [made], "delete_before_replace": True}
        self._claim(role, claim_of_bucket(volume_name), depends_on=[made], **replaced)

    def claim_directory(self, role: str, volume: FileSystemVolume) -> None:
        """Makes the claim NAME-ROLE for a directory of its own on a shared file system."""
        self._claim(role, claim_of_directory(volume))

    def _claim(self, role: str, fields: Mapping[str, Any], **options: Any) -> None:
        # It is bound only once a pod uses it, which may wait in its queue for hours.
        name = f"{self.resource_name}-{role}"
        self.add("v1", "PersistentVolumeClaim", name, {"spec": dict(fields)}, annotations=SKIP_AWAIT, **options)
