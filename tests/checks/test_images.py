"""An image runs on the nodes that it may meet."""

import json
from typing import Any

import pytest

from checks.faults import CPU, GPU, TOLERATION, asking, found, job, planted
from eksml import catalog
from programs import stack_plan


@pytest.mark.parametrize(
    ("change_of_image", "text"),
    [
        ({"architectures": ("arm64",)}, "it is built for arm64, the nodes are amd64"),
        ({"compute_capabilities": ("9.0",)}, "its code is for compute capability 9.0, the L4 has 8.9"),
        ({"compute_capabilities": ("8.6", "9.0")}, None),
        ({"cuda": "14.0"}, None),
        ({"cuda": "13.0"}, None),
    ],
)
def test_an_image_that_does_not_run_on_its_nodes_is_found(
    monkeypatch: pytest.MonkeyPatch, change_of_image: dict[str, Any], text: str | None
) -> None:
    plan, known = stack_plan("research"), catalog.images()
    changed = known["nvidia-device-plugin"].model_copy(update=change_of_image)
    monkeypatch.setattr("eksml.catalog._images.images", lambda: {**known, "nvidia-device-plugin": changed})
    lines = found(plan, "image-fits-nodes")
    assert bool(lines) == bool(text), lines
    assert text is None or any(line.endswith(text) for line in lines), lines


@pytest.mark.parametrize(
    "where",
    [{"container": {"image": "NAME"}}, {"initContainers": [{"name": "first", "image": "NAME"}]}],
    ids=["container", "initContainer"],
)
@pytest.mark.parametrize("name", ["example.com/tool:1.0", "registry.example.com/example.com/tool:1.0@sha256:0000"])
def test_an_image_is_known_before_the_others_run_and_from_a_registry_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, where: dict[str, Any], name: str
) -> None:
    tool = catalog.images()["nvidia-device-plugin"].model_copy(
        update={"repository": "example.com/tool", "tag": "1.0", "architectures": ("arm64",)}
    )
    monkeypatch.setattr("eksml.catalog._images.images", lambda: {"tool": tool})
    pod = json.loads(json.dumps(where).replace("NAME", name))
    (line,) = found(planted(job(**pod)), "image-fits-nodes")
    assert line.startswith(f"job: job: image {name} on m7i.xlarge: it is built for arm64")


@pytest.mark.parametrize("registry", ["", "registry.example.com/docker.io/"])
@pytest.mark.parametrize(("amounts", "is_found"), [(GPU, True), (CPU, False)])
def test_an_image_without_cuda_is_found_where_its_container_asks_for_a_gpu(
    amounts: dict[str, str], is_found: bool, registry: str
) -> None:
    image = f"{registry}{catalog.images()['ray'].reference}"
    fault = job(tolerations=[TOLERATION], container={"image": image, **asking(**amounts)})
    text = f"job: job: image {image} has no CUDA for the nvidia.com/gpu asked for"
    assert found(planted(fault), "image-fits-nodes") == [text] * is_found
