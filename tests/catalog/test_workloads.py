"""Workloads that charts and add-ons start: what the catalog says of them holds together, and fits the real charts."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from eksml import catalog
from eksml.platform_settings import PlatformSpec

MAKER = runpy.run_path(str(Path(__file__).with_name("make_chart_values.py")))


def folder_of(chart: str) -> str:
    return MAKER["folder_of"](chart)


def at(values: Any, path: str) -> bool:
    for step in path.split("."):
        if not isinstance(values, dict) or step not in values:
            return False
        values = values[step]
    return True


def test_every_workload_names_an_image_of_the_catalog_and_every_image_is_of_one() -> None:
    used = {workload.image for chart in catalog.charts().values() for workload in chart.workloads}
    used |= {each.image for chart in catalog.charts().values() for each in chart.side_images}
    used |= {image for each in of_overlays() for image in (each.image, *each.job_images)}
    used |= {framework.image for framework in catalog.frameworks().values() if framework.image}
    for engine in catalog.engines().values():
        used |= {engine.image, *(backend.image for backend in engine.backends.values())}
        used |= {engine.cpu_image} if engine.cpu_image else set()
    runtimes = {name for name in catalog.images() if name.endswith("-runtime")}
    notebooks = {name for name in catalog.images() if name.startswith("jupyter-")}
    # git fetches the code of training jobs; python is for what runs beside a model server; kubectl ends a working day;
    # mlflow and tensorboard are servers of ours.
    assert used | notebooks | {"git", "kubectl", "mlflow", "python", "tensorboard"} == set(catalog.images()) - runtimes


def of_overlays() -> list[catalog.OverlayWorkload]:
    return [workload for overlay in catalog.kustomizations().values() for workload in overlay.workloads]


def test_no_workload_is_listed_twice() -> None:
    for owner in (*catalog.charts().values(), *catalog.eks_addons().values(), *catalog.kustomizations().values()):
        names = [workload.name for workload in owner.workloads]
        assert len(names) == len(set(names))


def test_an_addon_without_a_service_account_says_so() -> None:
    with pytest.raises(LookupError, match="coredns has no service account"):
        catalog.service_account("coredns")


READ = [name for name, chart in catalog.charts().items() if chart.known_values is None]


@pytest.mark.parametrize("name", READ)
def test_the_values_that_we_compare_with_are_of_the_pinned_version(name: str, shared: Path) -> None:
    index = json.loads((shared / "charts" / "index.json").read_text())
    entry = next(entry for entry in index if entry["chart"] == folder_of(name))
    # Some repositories write the version into their charts only when they release them.
    assert catalog.charts()[name].version in (entry["version"], entry["ref"], entry["ref"].removeprefix("v"))


@pytest.mark.parametrize("name", catalog.charts())
def test_the_paths_of_placement_exist_in_the_real_values(name: str, shared: Path) -> None:
    values = MAKER["real_values"](shared, name, catalog.charts()[name])
    free = tuple(catalog.charts()[name].free_form)
    for workload in catalog.charts()[name].workloads:
        paths = (
            workload.image_value,
            workload.image_tag,
            workload.node_selector,
            workload.affinity,
            workload.tolerations,
            workload.resources,
            workload.replicas,
            workload.enabled,
        )
        missing = [path for path in paths if path and not at(values, path)]
        assert not [path for path in missing if not path.startswith(free)], workload.name
    for image in catalog.charts()[name].side_images:
        missing = [path for path in (image.image_value, image.image_tag) if path and not at(values, path)]
        assert not [path for path in missing if not path.startswith(free)], image.image


def test_the_values_in_the_catalog_are_those_of_the_charts(shared: Path) -> None:
    assert catalog.chart_values() == MAKER["chart_values"](shared), "write them again: see make_chart_values.py"


def test_every_chart_of_the_catalog_has_its_values_in_it() -> None:
    assert set(catalog.chart_values()) == set(catalog.charts())


def test_what_brings_a_chart_or_an_overlay_is_a_setting_of_the_platform() -> None:
    schema = PlatformSpec.model_json_schema()
    facts = (*catalog.charts().values(), *catalog.kustomizations().values())
    for setting in filter(None, (fact.setting for fact in facts)):
        fields = schema
        for key in setting.split("."):
            assert key in fields["properties"], setting
            field = fields["properties"][key]
            types = [each["$ref"].rpartition("/")[2] for each in (field, *field.get("anyOf", ())) if "$ref" in each]
            fields = schema["$defs"][types[0]] if types else {}
