"""Overlays that come by git, on stand-ins for them: what kustomize makes of our patches is what the server takes.

The stand-ins hold each object that the catalog lists, with the real CRDs; what else upstream writes is not in them.
"""

import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from controlplane import crds
from controlplane.build import programs
from controlplane.client import Client, Item
from controlplane.scheduling import add_nodes
from controlplane.test_stacks import name_of, simulated
from eksml.catalog import Overlay, OverlayObject
from eksml.checks.nodes import nodes_of
from eksml.checks.workloads import overlay_of
from eksml.kustomization import KustomizationSpec, _kustomization
from eksml.plan import Resource
from eksml.plan.canonical import KUSTOMIZE_DIRECTORY
from eksml.plan.manifests import objects
from programs import stack_plan

pytestmark = pytest.mark.controlplane

CRD = "CustomResourceDefinition"


@cache
def rendered(stack: str) -> list[dict[str, Any]]:
    """What kustomize makes of the overlays of a stack, on stand-ins for what is upstream."""
    with TemporaryDirectory() as folder:
        directories = stack_plan(stack).of_type(KUSTOMIZE_DIRECTORY)
        texts = [built(directory, Path(folder, directory.name)) for directory in directories]
    return [item for text in texts for item in yaml.load_all(text, Loader=yaml.CSafeLoader)]


def built(directory: Resource, folder: Path) -> str:
    overlay = overlay_of(directory)
    assert overlay is not None
    ours = _kustomization(KustomizationSpec.model_validate(directory.inputs, by_alias=True))
    write(folder / "kustomization.yaml", yaml.safe_dump({**ours, "resources": ["upstream"]}))
    upstream = [f"{index}.yaml" for index, _ in enumerate(overlay.objects)]
    for file, fact in zip(upstream, overlay.objects, strict=True):
        write(folder / "upstream" / file, definition(overlay, fact) if fact.kind == CRD else stand_in(overlay, fact))
    write(folder / "upstream" / "kustomization.yaml", yaml.safe_dump({"resources": upstream}))
    return subprocess.run(
        [programs() / "kustomize", "build", folder], check=True, capture_output=True, text=True
    ).stdout


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def definition(overlay: Overlay, fact: OverlayObject) -> str:
    files = list(crds.crds_folder().rglob(f"{overlay.ref}/*_{fact.name.partition('.')[0]}.yaml"))
    return files[0].read_text(encoding="utf-8") if files else stand_in_definition(fact)


def stand_in_definition(fact: OverlayObject) -> str:
    """For one that is not beside the checkout, of whose kind nothing of ours is: any object fits it."""
    plural, _, group = fact.name.partition(".")
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    spec = {
        "group": group,
        "scope": "Namespaced",
        "names": {"plural": plural, "kind": plural.title()},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
    }
    metadata = {"name": fact.name}
    return yaml.safe_dump({"apiVersion": fact.api_version, "kind": fact.kind, "metadata": metadata, "spec": spec})


def stand_in(overlay: Overlay, fact: OverlayObject) -> str:
    metadata = {"name": fact.name, **({"namespace": fact.namespace} if fact.namespace else {})}
    account = {"kind": "ServiceAccount", "name": fact.name, "namespace": overlay.namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": fact.name}
    more: dict[str, dict[str, Any]] = {
        "ClusterRole": {"rules": []},
        "ClusterRoleBinding": {"roleRef": role, "subjects": [account]},
        "Service": {"spec": {"ports": [{"port": 443}]}},
    }
    if fact.kind == "Deployment":
        more["Deployment"] = {"spec": deployment(overlay, fact.name)}
    whole = {"apiVersion": fact.api_version, "kind": fact.kind, "metadata": metadata, **more.get(fact.kind, {})}
    return yaml.safe_dump(whole)


def deployment(overlay: Overlay, name: str) -> dict[str, Any]:
    """As upstream has it: one pod, which says neither what it asks for nor as whom it runs."""
    workload = overlay.workload(name)
    container = {"name": workload.container, "image": f"{workload.image_in_overlay}:theirs", "args": ["--theirs"]}
    return {
        "replicas": 1,
        "selector": {"matchLabels": workload.labels},
        "template": {
            "metadata": {"labels": workload.labels},
            "spec": {"serviceAccountName": name, "containers": [container]},
        },
    }


def test_production_and_research_have_some() -> None:
    assert len(rendered("production")) > 15
    assert {item["kind"] for item in rendered("research")} == {CRD}


def test_of_two_operators_with_an_mpijob_one_brings_it_and_it_is_v2beta1() -> None:
    everything = [item for item in rendered("production") if item["kind"] == CRD]
    definitions = [item for item in everything if item["spec"]["group"] == "kubeflow.org"]
    names = [item["metadata"]["name"] for item in definitions]
    assert len(names) == len(set(names)) == 6
    (mpi,) = [item for item in definitions if item["metadata"]["name"] == "mpijobs.kubeflow.org"]
    assert [version["name"] for version in mpi["spec"]["versions"]] == ["v2beta1"]


def test_namespaces_are_the_programs_own() -> None:
    assert [item for item in rendered("production") if item["kind"] == "Namespace"] == []


@pytest.mark.parametrize("stack", ["research", "production"])
def test_their_objects_are_admitted_and_their_pods_run_on_nodes_without_gpus(stack: str, cluster: Client) -> None:
    nodes, registered = nodes_of(stack_plan(stack)), objects(stack_plan(stack))
    crds.install(cluster, registered)
    add_nodes(cluster, [simulated(node) for node in nodes])
    for item in registered:
        cluster.create(item)
    made = [create(cluster, item) for item in rendered(stack)]
    for item in made:
        if item["kind"] == "Deployment":
            cluster.wait_until(
                item, lambda found: found["status"].get("availableReplicas") == found["spec"]["replicas"]
            )
    namespaces = {item["metadata"]["namespace"] for item in made if item["kind"] == "Deployment"}
    pods = [pod for namespace in namespaces for pod in cluster.all_of("v1", "Pod", namespace)]
    without_gpus = {name_of(node) for node in nodes if not node.fact.gpu}
    assert {pod["spec"]["nodeName"] for pod in pods} <= without_gpus
    assert len(pods) == sum(item["spec"]["replicas"] for item in made if item["kind"] == "Deployment")


def create(cluster: Client, item: Item) -> Item:
    """Creates an object; a definition stays, for other tests need it too."""
    if item["kind"] != CRD:
        return cluster.create(item)
    kind, version = item["spec"]["names"]["kind"], item["spec"]["versions"][0]["name"]
    if not cluster.knows(f"{item['spec']['group']}/{version}", kind):
        cluster.create(item, stays=True)
    return item
