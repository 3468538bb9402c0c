"""Which changes replace a resource: complete for what the project uses, and real names of real inputs."""

import importlib
import re
from typing import Any

import pytest

from eksml import catalog
from eksml.plan import believable

# The three platforms' kinds, and those that workloads on them are made of.
KUBERNETES_KINDS = [
    "kubernetes:batch/v1:Job",
    "kubernetes:core/v1:Namespace",
    "kubernetes:core/v1:PersistentVolumeClaim",
    "kubernetes:helm.sh/v3:Release",
    "kubernetes:node.k8s.io/v1:RuntimeClass",
    "kubernetes:storage.k8s.io/v1:StorageClass",
]
AWS = [name for name in catalog.replacements() if name.startswith("aws:")]


def test_every_type_that_a_program_may_use_is_known() -> None:
    assert [name for name in (*believable._AWS, "eks:index:Cluster") if name not in catalog.replacements()] == []
    assert [name for name in KUBERNETES_KINDS if name not in catalog.replacements()] == []


def test_what_holds_state_is_said_to() -> None:
    stateful = {name for name, entry in catalog.replacements().items() if entry.stateful}
    assert {
        "aws:ec2/vpc:Vpc",
        "aws:ec2/subnet:Subnet",
        "aws:eks/nodeGroup:NodeGroup",
        "aws:kms/key:Key",
        "eks:index:Cluster",
        "kubernetes:core/v1:Namespace",
        "kubernetes:core/v1:PersistentVolumeClaim",
        "kubernetes:storage.k8s.io/v1:StorageClass",
    } <= stateful
    assert "aws:iam/rolePolicyAttachment:RolePolicyAttachment" not in stateful


@pytest.mark.parametrize("name", AWS)
def test_every_input_exists(name: str) -> None:
    module, _, rest = name.removeprefix("aws:").partition("/")
    resource = getattr(importlib.import_module(f"pulumi_aws.{module}"), rest.rpartition(":")[2])
    entry = catalog.replacements()[name]
    for path in (*entry.replaced_by, *entry.refused):
        first = re.sub("([A-Z])", lambda letter: "_" + letter[0].lower(), path.partition(".")[0])
        assert hasattr(resource, first), path


def test_no_path_is_listed_twice() -> None:
    for name, entry in catalog.replacements().items():
        paths = (*entry.replaced_by, *entry.refused)
        assert len(paths) == len(set(paths)), name


def test_every_kubernetes_object_is_replaced_with_its_name_and_namespace() -> None:
    for kind in ("kubernetes:example.com/v1:Unheard", "kubernetes:storage.k8s.io/v1:StorageClass"):
        entry: Any = catalog.replacement(kind)
        assert entry.replaced_by[:2] == ("metadata.name", "metadata.namespace")
    release: Any = catalog.replacement("kubernetes:helm.sh/v3:Release")
    assert release.replaced_by == ("name", "namespace")


def test_of_other_types_nothing_is_known() -> None:
    assert catalog.replacement("random:index/pet:Pet") is None
