"""What a model has beside its language model to see images, as a config.json describes it."""

from collections.abc import Iterator, Mapping
from typing import Any

from eksml.catalog import model_types
from eksml.errors import listed
from eksml.sizing.layers import number

Config = Mapping[str, Any]

_NEEDED = (("num_hidden_layers", "depth"), ("hidden_size", "embed_dim"))

ELSEWHERE = {
    "audio_config": "hears",
    "audio_processor": "hears",
    "img_processor": "sees images",
    "mm_vision_tower": "sees images",
    "visual": "sees images",
}
"""Fields of models that have more beside their language model than is counted here."""


def vision_problems(config: Config) -> Iterator[str]:
    """What a model has beside its language model whose parameters are not worked out here."""
    yield from (f"{name}: what {ELSEWHERE[name]} is not counted here" for name in ELSEWHERE if config.get(name))
    if not (described := config.get("vision_config")):
        return
    known = model_types().vision
    if (kind := str(config.get("model_type"))) not in known:
        yield f"vision_config: what sees images is not counted for model_type {kind}, only for {listed(known)}"
    elif not isinstance(described, Mapping):
        yield "vision_config: must be a mapping"
    else:
        vision = {**known[kind].fields, **described}
        missing = [name for name, *others in _NEEDED if number(vision, name, *others) is None]
        yield from (f"vision_config.{name}: missing" for name in missing)


def vision_parameters(config: Config, hidden_size: int) -> int:
    """The parameters of what sees images and of what hands it to a language model of that width; 0: there is none.

    By the matrices, as of language models: patches, positions, biases and norms are less than half a per cent of both.
    Source: ViT (https://arxiv.org/abs/2010.11929), and the classes of each type in Transformers.
    """
    if not (described := config.get("vision_config")):
        return 0
    facts = model_types().vision[str(config.get("model_type"))]
    vision = {**facts.fields, **described}
    # Where both are given, the hidden size is that of the language model.
    width = number(vision, "embed_dim", "hidden_size") or 0
    layers = number(vision, "num_hidden_layers", "depth") or 0
    inner = number(vision, "intermediate_size") or width * (number(vision, "mlp_ratio") or 4)
    layer = 4 * width**2 + (3 if facts.gated else 2) * width * inner
    merged = width * (number(vision, "spatial_merge_size") or number(config, "spatial_merge_size") or 1) ** 2
    match facts.joint:
        case "linear":
            joint = width * hidden_size
        case "twoLayers":
            joint = (width + hidden_size) * hidden_size + (merged * width if merged > width else 0)
        case "merger":
            deeper = vision.get("deepstack_visual_indexes")
            joint = (merged + hidden_size) * merged * (1 + (len(deeper) if isinstance(deeper, list) else 0))
        case "adapter":
            first, second = (number(vision, f"projector_{end}_dim") or 0 for end in ("input", "output"))
            joint = (4 * width + second) * first + second * hidden_size
    return layers * layer + joint
