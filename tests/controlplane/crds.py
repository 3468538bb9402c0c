"""The real CustomResourceDefinitions: where they are, and into the cluster with those that objects need."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from controlplane.client import Client, Item
from eksml.catalog import charts
from parts import shared_folder, skip


def crds_folder() -> Path:
    """The folder with the CRDs: `EKSML_CRDS`, or that of the parts beside the checkout."""
    if given := os.environ.get("EKSML_CRDS"):
        return Path(given)
    if (shared := shared_folder()) is None:
        skip("\n".join(["the CRDs are not beside this checkout: export EKSML_CRDS=their-folder", *_commands()]))
    return shared / "crds"


def install(cluster: Client, objects: Iterable[Item]) -> None:
    """Makes the cluster know the kind of every object. All of the CRDs would be 20 MB: only those needed go in."""
    kinds = sorted({(item["apiVersion"], item["kind"]) for item in objects})
    unknown = [kind for kind in kinds if not cluster.knows(*kind)]
    # The server takes seconds for a large one: it works at all of them at a time.
    installed = {kind: cluster.create(_crd(crds_folder(), *kind), stays=True) for kind in unknown}
    for kind, crd in installed.items():
        cluster.wait_until(crd, lambda _, kind=kind: cluster.knows(*kind), seconds=60)


def _crd(folder: Path, api_version: str, kind: str) -> dict[str, Any]:
    group, _, version = api_version.partition("/")
    for file in sorted(folder.rglob("*.yaml")):
        text = file.read_text(encoding="utf-8")
        # Reading YAML is slow: only what mentions the kind is worth it, and no template of Helm's.
        if f"group: {group}\n" in text and f"kind: {kind}\n" in text and "{{" not in text:
            crd = yaml.load(text, Loader=yaml.CSafeLoader)
            served = [each["name"] for each in crd["spec"]["versions"] if each["served"]]
            if (crd["spec"]["group"], crd["spec"]["names"]["kind"]) == (group, kind) and version in served:
                return crd
    raise LookupError(f"no CRD of {api_version} {kind} below {folder}")


def _commands() -> list[str]:
    """How to get the CRDs of every chart at the version that the catalog pins."""
    commands = []
    for name, chart in sorted(charts().items()):
        if chart.crds:
            repository, tag, *_ = chart.source.split()
            commands.append(f'git clone --depth 1 --branch {tag} {repository} "$EKSML_CRDS/{name}"')
    return commands
