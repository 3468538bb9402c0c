"""Overlays of upstream projects: what the catalog says of each holds together, and fits the real CRDs."""

from pathlib import Path

import pytest
import yaml

from eksml import catalog

OVERLAYS = catalog.kustomizations()


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_object_is_listed_twice_and_each_is_where_its_kind_can_be(name: str) -> None:
    objects = OVERLAYS[name].objects
    assert len({(each.kind, each.name, each.namespace) for each in objects}) == len(objects)
    in_namespaces = {each.kind for each in objects if each.namespace}
    assert in_namespaces <= {"ServiceAccount", "Secret", "Service", "Deployment"}
    assert {each.namespace for each in objects if each.namespace} <= {OVERLAYS[name].namespace}


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_workload_is_an_object_of_the_overlay(name: str) -> None:
    overlay = OVERLAYS[name]
    for workload in overlay.workloads:
        assert (workload.kind, workload.name, overlay.namespace) in {
            (each.kind, each.name, each.namespace) for each in overlay.objects
        }


@pytest.mark.parametrize("name", OVERLAYS)
def test_its_definitions_are_those_of_the_tag(name: str, shared: Path) -> None:
    overlay = OVERLAYS[name]
    project = {"training-operator": "kubeflow-training-operator"}.get(name, name.removesuffix("-crds"))
    files = (shared / "crds" / project / overlay.ref).glob("*.yaml")
    real = {yaml.load(file.read_text(), Loader=yaml.CSafeLoader)["metadata"]["name"] for file in files}
    # The other definitions of the load balancer controller are in its chart.
    real -= set(catalog.charts()[project].crds) if project == "aws-load-balancer-controller" else set()
    # Of Prometheus's operator and of the Gateway API those are there that others make objects of.
    is_part = name in ("prometheus-operator-crds", "gateway-api-crds")
    assert real == set(overlay.crds) or (is_part and real < set(overlay.crds))
    assert real


@pytest.mark.parametrize("name", OVERLAYS)
def test_its_address_is_one_of_kustomize_at_the_tag(name: str) -> None:
    overlay = OVERLAYS[name]
    assert overlay.address.startswith(f"{overlay.repository}//{overlay.path}?ref={overlay.ref}&")
    # Its own limit of 27 seconds is for the whole of a repository.
    assert "timeout=300s" in overlay.address
