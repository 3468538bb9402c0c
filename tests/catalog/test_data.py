"""The catalog's data itself: complete, consistent, sourced."""

import json
import re
from datetime import date
from importlib.resources import files
from typing import Any

import pytest
import yaml

from eksml import catalog
from eksml.catalog import decisions, model_types, tool_categories, tools

FILES = sorted(path.name for path in files("eksml.catalog").iterdir() if path.name.endswith((".yaml", ".json")))


def text_of(file_name: str) -> str:
    return files("eksml.catalog").joinpath(file_name).read_text(encoding="utf-8")


def content_of(file_name: str) -> Any:
    text = text_of(file_name)
    return json.loads(text) if file_name.endswith(".json") else yaml.safe_load(text)


def mappings_in(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value, *(found for item in value.values() for found in mappings_in(item))]
    return [found for item in value for found in mappings_in(item)] if isinstance(value, list) else []


def duplicate_keys(text: str, *, is_json: bool) -> list[str]:
    duplicates: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        duplicates.extend(key for key in set(keys) if keys.count(key) > 1)
        return dict(pairs)

    if is_json:
        json.loads(text, object_pairs_hook=look)
        return duplicates
    nodes = [yaml.compose(text)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.MappingNode):
            look([(key.value, None) for key, _ in node.value])
            nodes += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value
    return duplicates


@pytest.mark.parametrize("file_name", FILES)
def test_no_key_stands_twice(file_name: str) -> None:
    assert duplicate_keys(text_of(file_name), is_json=file_name.endswith(".json")) == []


@pytest.mark.parametrize("file_name", FILES)
def test_nothing_is_pinned_to_latest(file_name: str) -> None:
    pins = [
        str(mapping[key])
        for mapping in mappings_in(content_of(file_name))
        for key in ("tag", "version", "ref", "karpenterAlias")
        if key in mapping
    ]
    assert [pin for pin in pins if "latest" in pin] == []


def test_every_sourced_entry_names_its_source_and_the_day_it_was_read() -> None:
    entries = {
        **catalog.ami_families(),
        **catalog.charts(),
        **catalog.databases().instance_classes,
        **{f"PostgreSQL {name}": entry for name, entry in catalog.databases().versions.items()},
        "storage of databases": catalog.databases().storage,
        "backups of databases": catalog.databases().backups,
        "certificates of databases": catalog.databases().certificate_authorities,
        **{f"duration of {name}": entry for name, entry in catalog.durations().items()},
        **{f"weights from {name}": entry for name, entry in catalog.cold_starts().weights.items()},
        **{f"start of {name}": entry for name, entry in catalog.cold_starts().engines.items()},
        "pulling images": catalog.cold_starts().pull,
        "duration of a node of Karpenter": catalog.karpenter_node(),
        **{sample.what: sample for sample in catalog.whole_stacks()},
        **catalog.eks_addons(),
        **{f"engine {name}": entry for name, entry in catalog.engines().items()},
        **{f"exporter {name}": entry for name, entry in catalog.exporters().items()},
        **catalog.images(),
        **catalog.inference_engines(),
        **catalog.kubernetes_versions(),
        "model types": model_types(),
        **catalog.models(),
        **{f"overlay {name}": entry for name, entry in catalog.kustomizations().items()},
        **catalog.precisions(),
        **{
            f"{name} in {region}": entry
            for name, thing in catalog.prices().items()
            for region, entry in thing.regions.items()
        },
        "training steps": catalog.training_steps(),
        **{f"tool {name}": tool.upstream for name, tool in tools().items()},
        **{f"replacement of {name}": entry for name, entry in catalog.replacements().items()},
        "vpc endpoints": catalog.vpc_endpoints(),
        "Xid errors": catalog.xid_errors(),
    }
    assert [name for name, entry in entries.items() if not entry.source] == []
    # By the clock, not by the day of the tests: what is read later than that day is no less right.
    assert [name for name, entry in entries.items() if entry.date > date.today()] == []


def test_a_figure_of_unknown_source_is_not_filled_in() -> None:
    unknown = [fact for fact in catalog.kubernetes_versions().values() if fact.source == "unknown"]
    assert unknown
    assert all(fact.standard_support_ends is None and fact.extended_support_ends is None for fact in unknown)


def test_every_file_has_a_reader_and_is_valid_for_it() -> None:
    readers = {
        "amis.yaml": catalog.ami_families,
        "chart_values.json": catalog.chart_values,
        "charts.yaml": catalog.charts,
        "cold_starts.yaml": catalog.cold_starts,
        "databases.yaml": lambda: catalog.databases().instance_classes,
        "decisions.yaml": lambda: decisions().frameworks,
        "durations.yaml": catalog.durations,
        "engines.yaml": catalog.engines,
        "eks_addons.yaml": catalog.eks_addons,
        "frameworks.yaml": catalog.frameworks,
        "gpus.yaml": catalog.gpus,
        "images.yaml": catalog.images,
        "inference_memory.yaml": lambda: catalog.precisions() and catalog.inference_engines(),
        "instance_types.json": catalog.instance_types,
        "kubernetes_versions.yaml": catalog.kubernetes_versions,
        "kustomizations.yaml": catalog.kustomizations,
        "metrics.yaml": catalog.exporters,
        "model_types.yaml": lambda: model_types().fields,
        "models.yaml": catalog.models,
        "orchestrators.yaml": catalog.orchestrators,
        "permissions.yaml": catalog.permissions,
        "programs.yaml": catalog.programs,
        "quotas.yaml": lambda: catalog.quotas().others,
        "service_roles.yaml": catalog.service_roles,
        "price_list.json": catalog.price_list,
        "prices.yaml": lambda: catalog.prices() and catalog.spot_prices() and catalog.free_types(),
        "rds_certificates.json": lambda: catalog.rds_certificates("us-west-2"),
        "regions.yaml": catalog.regions,
        "replacements.yaml": catalog.replacements,
        "tools.yaml": lambda: tools() and tool_categories(),
        "training_memory.yaml": catalog.training_memory,
        "vpc_endpoints.yaml": catalog.vpc_endpoints,
        "xid_errors.yaml": catalog.xid_errors,
    }
    assert sorted(readers) == FILES
    assert all(read() for read in readers.values())


def test_every_gpu_of_an_instance_type_is_in_the_catalog_with_the_mig_profiles_of_its_memory() -> None:
    for name, fact in catalog.instance_types().items():
        if fact.gpu:
            model = catalog.gpus()[fact.gpu.model]
            assert not model.mig or model.mig_profiles(fact.gpu.memory_gib), name
    assert {fact.gpu.model for fact in catalog.instance_types().values() if fact.gpu} == set(catalog.gpus())


def test_versions_parse() -> None:
    semver = re.compile(r"v?\d+\.\d+\.\d+([-.]\S+)?")
    for chart in catalog.charts().values():
        assert semver.fullmatch(chart.version), chart
    for overlay in catalog.kustomizations().values():
        assert semver.fullmatch(overlay.ref), overlay
    for addon in catalog.eks_addons().values():
        for version in addon.versions.values():
            assert re.fullmatch(r"v\d+\.\d+\.\d+-eksbuild\.\d+", version), addon
    for image in catalog.images().values():
        # Some are numbered by year and month, by date, or by line and commit.
        by_date = r"(cuda\d+-)?\d{4}-\d\d-\d\d$"
        assert re.match(rf"({semver.pattern})|\d+\.\d+($|-)|{by_date}|v\d+-[0-9a-f]{{7}}$", image.tag), image
    for family in catalog.ami_families().values():
        assert re.fullmatch(r"(al2023|bottlerocket)@v[\d.]+", family.karpenter_alias), family
        for kubernetes, release in family.releases.items():
            assert release is None or release.startswith(f"{kubernetes}."), family
    assert all(re.fullmatch(r"1\.\d+", number) for number in catalog.kubernetes_versions())
