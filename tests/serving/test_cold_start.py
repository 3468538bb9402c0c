"""How long a server takes from nothing to its first answer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksml import catalog, names
from eksml.serving.cold_start import ColdStart, Part, cold_start

VLLM = catalog.images()["vllm"].reference
SIZE = catalog.images()["vllm"].size_gb or 0


def start(**changed: Any) -> ColdStart:
    given: dict[str, Any] = {"weights_gib": 15.0, "source": "efs", "new_node": True}
    return cold_start("vllm", VLLM, **{**given, **changed})


def test_its_parts_are_a_node_an_image_weights_and_warm_up() -> None:
    made, rates = start(), catalog.cold_starts()
    assert made.node.usual == catalog.karpenter_node().create_seconds.median
    assert made.image.usual == pytest.approx(SIZE * 1000 / rates.pull.best.usual)
    assert made.weights
    assert made.weights.usual == pytest.approx(15 * 1024**3 / 1e6 / rates.weights["efs"].best.usual)
    assert made.warm_up[:3] == tuple(rates.engines["vllm"].best.model_dump().values())
    assert made.total.usual == pytest.approx(sum(part.usual for part in made if part))


def test_a_node_that_is_there_already_takes_no_time_and_may_have_the_image() -> None:
    made = start(new_node=False)
    assert made.node == Part(0, 0, 0)
    assert made.image.low == 0
    assert made.image.usual > 0


def test_weights_of_unknown_size_are_said_to_be_unknown_and_make_time_outs_longer() -> None:
    unknown = start(weights_gib=None)
    assert unknown.weights is None
    assert "min and the weights, from" in unknown.text()
    assert "weights not known" in unknown.text()
    assert unknown.most_seconds > start(weights_gib=1.0).most_seconds
    assert unknown.start_seconds > start(weights_gib=1.0).start_seconds


def test_what_no_source_confirms_is_marked_as_an_estimate() -> None:
    assert not start().total.is_estimate
    guessed = start(source="lustre").weights
    assert guessed
    assert guessed.is_estimate
    assert ", weights ~0:32," in start(source="lustre").text()
    other = cold_start("triton", "example.com/own:1", weights_gib=1.0, source="hub", new_node=True)
    assert other.image.is_estimate
    assert other.warm_up.is_estimate


def test_an_image_of_unknown_size_for_cpus_is_taken_for_a_smaller_one() -> None:
    def image(*, on_gpu: bool) -> Part:
        fixed: dict[str, Any] = {"weights_gib": 1.0, "source": "hub", "new_node": True}
        return cold_start("openVino", "example.com/own:1", on_gpu=on_gpu, **fixed).image

    assert image(on_gpu=False).usual < image(on_gpu=True).usual


def test_it_reads_as_a_sentence() -> None:
    assert start().text() == ("9:50 min, from 6:44 to 19:11: node 2:47, image 4:00, weights 0:43, warm-up 2:20")


def test_nothing_that_is_only_slow_runs_into_a_time_out() -> None:
    made = start(weights_gib=140.0)
    assert made.weights
    assert made.most_seconds > made.total.high
    assert made.most_seconds % 60 == 0
    assert made.start_failures(10) * 10 >= made.weights.high + made.warm_up.high
    quick = cold_start("openVino", "example.com/own:1", weights_gib=0.1, source="efs", new_node=False, on_gpu=False)
    assert quick.most_seconds == 600, "what Pulumi waits for anything"
    assert quick.start_failures(10) == 30


def test_its_annotation_is_json_with_every_part() -> None:
    content = json.loads(start(weights_gib=None).annotation("by a request")[names.COLD_START_ANNOTATION])
    assert list(content) == ["node", "image", "weights", "warmUp", "total", "wakes"]
    assert content["node"] == {"low": 167, "usual": 167, "high": 300, "estimate": False}
    assert content["weights"] is None
    assert content["wakes"] == "by a request"


@pytest.mark.parametrize("engine", catalog.engines())
def test_every_engine_of_the_catalog_has_a_start(engine: str) -> None:
    made = cold_start(engine, VLLM, weights_gib=1.0, source="s3", new_node=True)
    assert 0 < made.warm_up.low <= made.warm_up.usual <= made.warm_up.high


@given(
    st.floats(0, 2000) | st.none(),
    st.sampled_from(list(catalog.cold_starts().weights)),
    st.booleans(),
)
def test_low_is_never_more_than_usual_nor_usual_than_high(size: float | None, source: Any, new_node: bool) -> None:
    made = start(weights_gib=size, source=source, new_node=new_node)
    for part in (*made, made.total):
        assert part is None or 0 <= part.low <= part.usual <= part.high
    assert made.start_seconds <= made.most_seconds * 10
