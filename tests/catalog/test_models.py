"""The catalog's models: complete, consistent, and what is asked of each kind."""

import re

import pytest

from eksml.catalog import Model, gpus, inference_engines, models, precisions

EVERY = pytest.mark.parametrize("name", list(models()))


@EVERY
def test_a_model_is_named_as_on_the_hub_and_pinned_only_to_a_commit(name: str) -> None:
    assert re.fullmatch(r"[\w-]+/[\w.-]+", name)
    revision = models()[name].revision
    assert revision is None or re.fullmatch(r"[0-9a-f]{40}", revision)


@EVERY
def test_a_model_is_published_in_a_known_precision(name: str) -> None:
    assert models()[name].precision in precisions()


@EVERY
def test_a_licence_that_forbids_commercial_use_says_so(name: str) -> None:
    model = models()[name]
    assert model.commercial_use == ("NC" not in model.license.split("-"))


@EVERY
def test_what_is_not_known_of_a_gate_is_explained(name: str) -> None:
    model = models()[name]
    assert model.gated is not None or "gated" in (model.note or "")


@EVERY
def test_dimensions_agree_with_each_other(name: str) -> None:
    model = models()[name]
    transformer = model.transformer
    if transformer is None:
        assert model.activation_mib
        return
    assert transformer.attention_heads % transformer.key_value_heads == 0
    assert model.kept_parameters < model.parameters
    assert (model.active_parameters is None) == (transformer.experts is None)
    assert (model.active_parameters or 0) < model.parameters


def test_gpt_2_is_as_large_as_the_documents_say_with_the_masks_that_its_file_holds() -> None:
    model = models()["openai-community/gpt2"]
    assert model.transformer
    masks = model.transformer.layers * model.transformer.context_length**2
    assert round((model.parameters + masks) * precisions()[model.precision].bits / 8 / 1e6) == 548


def with_(condition) -> list[Model]:
    return [model for model in models().values() if condition(model)]


def test_there_is_a_model_of_every_kind() -> None:
    kinds = {model.transformer.attention.kind for model in models().values() if model.transformer}
    assert kinds == {"full", "sliding", "mla", "recurrent", "encoder"}
    tasks = {task for model in models().values() for task in model.tasks}
    assert tasks == {"textGeneration", "embedding", "textClassification", "fillMask", "imageClassification"}
    assert with_(lambda model: model.gated)
    assert with_(lambda model: not model.commercial_use)
    assert with_(lambda model: model.gated is False and model.commercial_use and "textGeneration" in model.tasks)


def test_a_gpu_never_shows_more_memory_than_it_has() -> None:
    for name, gpu in gpus().items():
        for memory, visible in gpu.visible_gib.items():
            # Those on paper are rounded.
            assert 0.9 * memory < visible < memory + 0.5, name


@pytest.mark.parametrize("name", list(inference_engines()))
def test_what_an_engine_takes_is_a_range(name: str) -> None:
    engine = inference_engines()[name]
    for estimate in (engine.context_gib, engine.peer_gib, engine.cuda_graphs_gib):
        assert 0 <= estimate.low <= estimate.expected <= estimate.high
    assert 0 < engine.gpu_memory_utilization <= 1
    assert set(engine.not_large) <= set(gpus())
