"""Overlays that come by git: what is written for kustomize, and what a Plan shows of it."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest
import yaml

from eksml import Kustomization, KustomizationSpec, catalog
from eksml.checks import run_checks
from eksml.errors import SpecError
from eksml.plan import Plan
from eksml.plan.as_json import as_json
from eksml.plan.comparison import differences
from eksml.plan.counts import counts
from eksml.plan.diff import diff
from eksml.plan.manifests import manifests
from eksml.plan.preview_json import read_preview_json
from eksml.plan.tree import tree
from programs import one, recorded

DIRECTORY = "kubernetes:kustomize/v2:Directory"
OVERLAY = "https://example.com/their/repository//deploy?ref=v1.2.3"
SCALED = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "controller", "namespace": "theirs"},
    "spec": {"replicas": 2},
}
SPEC: dict[str, Any] = {"overlay": OVERLAY, "images": {"theirs/controller": "example.com/controller:v1.2.3"}}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def kustomization(spec: KustomizationSpec) -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        made = Kustomization("theirs", spec, opts=pulumi.ResourceOptions(providers=[provider]))
        after = pulumi.ResourceOptions(provider=provider, depends_on=[made])
        k8s.core.v1.ConfigMap("later", metadata={"name": "later"}, opts=after)

    return recorded(program)


def written() -> list[dict[str, Any]]:
    return [yaml.safe_load(file.read_text()) for file in Path(tempfile.gettempdir()).glob("*/kustomization.yaml")]


def problems(spec: dict[str, Any]) -> list[str]:
    with pytest.raises(SpecError) as error:
        KustomizationSpec(**spec)
    return str(error.value).splitlines()


# What kustomize reads


def test_what_is_written_is_the_overlay_its_images_and_the_patches() -> None:
    kustomization(KustomizationSpec(**SPEC, patches=(SCALED,)))
    (content,) = written()
    assert content["resources"] == [OVERLAY]
    assert content["images"] == [{"name": "theirs/controller", "newName": "example.com/controller", "newTag": "v1.2.3"}]
    assert [yaml.safe_load(each["patch"]) for each in content["patches"]] == [SCALED]


def test_the_same_content_is_one_folder_and_another_is_another() -> None:
    for patches in ((), (), (SCALED,)):
        kustomization(KustomizationSpec(**SPEC, patches=patches))
    assert len(written()) == 2


def test_a_folder_of_somebody_else_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 12345)
    with pytest.raises(Exception, match="belongs to somebody else: remove it, or set TMPDIR"):
        kustomization(KustomizationSpec(**SPEC))


# What may not be


@pytest.mark.parametrize(
    "overlay",
    [
        "https://example.com/their/repository//deploy",
        "https://example.com/their/repository?ref=v1.2.3",
        "./deploy",
        "https://example.com/their/repository//deploy?ref=",
    ],
)
def test_an_overlay_is_at_a_tag(overlay: str) -> None:
    (text,) = problems({"overlay": overlay})
    assert "must be an address of kustomize at a tag or commit" in text


def test_a_patch_names_an_object() -> None:
    (text,) = problems({"overlay": OVERLAY, "patches": ({"kind": "Deployment", "metadata": None},)})
    assert text == "patches[0]: names no object: needs apiVersion, kind and metadata.name"


def test_a_patch_of_an_overlay_of_the_catalog_names_an_object_that_it_has() -> None:
    address = catalog.kustomizations()["mpi-operator"].address
    (text,) = problems({"overlay": address, "patches": (SCALED,)})
    assert text == f"patches[0]: apps/v1 Deployment controller theirs is not in {address}"


# What a Plan shows of it


def test_a_plan_shows_what_is_in_the_folder_and_not_where_it_is() -> None:
    spec = KustomizationSpec(**SPEC, patches=(SCALED,))
    made = one(kustomization(spec), DIRECTORY)
    assert made.inputs == spec.settings()
    assert not made.is_custom
    assert tempfile.gettempdir() not in json.dumps(as_json(kustomization(spec), []))


def test_what_depends_on_it_comes_after_it() -> None:
    plan = kustomization(KustomizationSpec(**SPEC))
    assert one(plan, "kubernetes:core/v1:ConfigMap").dependencies == (one(plan, DIRECTORY).urn,)


def test_the_manifests_name_it_with_what_is_patched() -> None:
    text = manifests(kustomization(KustomizationSpec(**SPEC, patches=(SCALED,))))
    assert text.startswith(f"# Overlay theirs: {OVERLAY}, patched: Deployment controller. Kustomize renders")
    assert [each["kind"] for each in yaml.safe_load_all(text)] == ["ConfigMap"]


def test_the_tree_shows_its_tag() -> None:
    shown = json.dumps(tree(kustomization(KustomizationSpec(**SPEC))), default=vars)
    assert "https://example.com/their/repository//deploy at v1.2.3" in shown


def test_a_diff_shows_what_changes_in_it() -> None:
    before, after = (kustomization(KustomizationSpec(**SPEC, patches=each)) for each in ((), (SCALED,)))
    (change,) = diff(before, after).changes
    assert (change.type, change.kind.value, change.is_stateful) == (DIRECTORY, "changed", True)
    assert {each.effect.value for each in change.inputs} == {"update"}


def test_the_engines_preview_gives_the_same_plan(tmp_path: Path) -> None:
    plan = kustomization(KustomizationSpec(**SPEC, patches=(SCALED,)))
    file = tmp_path / "preview.json"
    file.write_text(
        json.dumps({"steps": [{"op": "create", "urn": each["urn"], "newState": each} for each in engine(plan)]})
    )
    read = read_preview_json(file)
    assert differences(plan, read) == []
    assert (tree(read), counts(read), manifests(read)) == (tree(plan), counts(plan), manifests(plan))
    assert run_checks(read) == run_checks(plan)
    assert diff(read, plan, compare_computed=False).changes == ()


def engine(plan: Plan) -> list[dict[str, Any]]:
    """A recorded Plan as the engine tells of it: of a remote component no inputs, but what its provider makes."""
    states: list[dict[str, Any]] = []
    for each in plan.resources:
        is_remote = each.type == DIRECTORY
        provider = {"provider": f"{each.provider}::id"} if each.provider and not is_remote else {}
        states.append(
            {
                "urn": each.urn,
                "type": each.type,
                "custom": each.is_custom,
                "parent": each.parent,
                "inputs": {} if is_remote else dict(each.inputs),
                "dependencies": list(each.dependencies),
                **provider,
            }
        )
        if is_remote:
            child = f"{each.urn}$kubernetes:apps/v1:Deployment::theirs:theirs/controller"
            made = {"urn": child, "type": "kubernetes:apps/v1:Deployment", "custom": True, "parent": each.urn}
            states.append({**made, "provider": f"{each.provider}::id"})
    return states
