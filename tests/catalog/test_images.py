"""What is known of an image, and whether it runs on a node."""

import pytest

from eksml import catalog


def test_a_driver_that_is_too_old_for_an_image_is_named() -> None:
    image = catalog.images()["nvidia-device-plugin"].model_copy(update={"cuda": "13.0"})
    fact = catalog.instance_types()["g6.xlarge"]
    assert image.misfit(fact, driver="570.10") == "CUDA 13.0 needs driver 580, the nodes have 570.10"
    assert image.misfit(fact, driver="580.178") is None
    assert image.misfit(fact, driver=None) is None, "not known is not wrong"


@pytest.mark.parametrize(
    ("image", "cuda"),
    [
        ("pytorch/pytorch:2.0.1-cuda11.7-cudnn8-runtime", "11.7"),
        ("rayproject/ray-llm:2.58.0-py312-cu130", "13.0"),
        ("registry.example.com:5000/x/cuda12.4:1.0-cudnn9", None),
        ("registry.example.com/x@sha256:0000", None),
    ],
)
def test_an_image_that_the_catalog_lacks_has_the_cuda_of_its_tag(image: str, cuda: str | None) -> None:
    assert catalog.image_of(image).cuda == cuda


def test_code_for_a_gpu_needs_a_cuda_that_knows_it() -> None:
    h100, l4 = catalog.instance_types()["p5.48xlarge"], catalog.instance_types()["g6.xlarge"]
    old, new = catalog.image_of("example.com/x:1-cuda11.7"), catalog.image_of("example.com/x:1-cuda11.8")
    assert old.misfit(h100, None) == "CUDA 11.7 has no code for the H100, compute capability 9.0: CUDA 11.8 has"
    assert new.misfit(h100, None) is old.misfit(l4, None) is None
