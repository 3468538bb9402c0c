"""Which pods come of objects, charts and overlays, and what they ask for."""

from typing import Any

from checks.faults import DIRECTORY, RELEASE, change, planted
from eksml.checks.workloads import Workload, workloads_of
from eksml.plan import Plan, Resource


def test_an_overlay_that_the_catalog_does_not_have_starts_nothing_that_is_known() -> None:
    inputs = {"overlay": "https://example.com/theirs//deploy?ref=v1.2.3"}
    directory = Resource("urn", DIRECTORY, "theirs", None, False, inputs=inputs)
    assert workloads_of(Plan.of("s", [directory])) == ()


def test_a_workload_that_a_patch_takes_out_of_its_overlay_does_not_run() -> None:
    taken_out = change(DIRECTORY, "mpi-operator", "patches/1/$patch", "delete")
    running = {each.name for each in workloads_of(planted(taken_out))}
    assert "training-operator" in running
    assert "mpi-operator" not in running


def test_the_operators_images_are_in_folders() -> None:
    release = Resource("urn", RELEASE, "gpus", None, True, inputs={"chart": "gpu-operator", "values": {
        "devicePlugin": {"repository": "example.com/nvidia", "version": "sha256:0000"},
        "migManager": {"version": "main"},
    }})  # fmt: skip
    images = {each.name: each.containers[0]["image"] for each in workloads_of(Plan.of("s", [release]))}
    assert images["nvidia-device-plugin-daemonset"] == "example.com/nvidia/k8s-device-plugin@sha256:0000"
    assert images["nvidia-mig-manager"] == "nvcr.io/nvidia/cloud-native/k8s-mig-manager:main"


def test_a_sidecar_counts_beside_the_containers_and_beside_what_runs_after_it_began() -> None:
    def asks(cpu: str, **more: str) -> dict[str, Any]:
        return {"resources": {"requests": {"cpu": cpu}}, **more}

    resource = Resource("urn", "kubernetes:core/v1:Pod", "pod", None, True)
    inits = [asks("4"), asks("1", restartPolicy="Always"), asks("5")]
    pod = {"containers": [asks("2"), asks("500m")], "initContainers": inits}
    assert Workload(resource, "pod", "Pod", pod).requests == {"cpu": 6000}
    assert Workload(resource, "pod", "Pod", pod | {"initContainers": inits[:2]}).requests == {"cpu": 4000}
    assert Workload(resource, "pod", "Pod", pod | {"initContainers": inits[1:2]}).requests == {"cpu": 3500}
