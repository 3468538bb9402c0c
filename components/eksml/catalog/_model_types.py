"""What a config.json leaves out because the model's class in Transformers has it as a default."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from pydantic import Field

from eksml.catalog._facts import Fact, SourcedFact, load


class Vision(Fact):
    """What sees images, of models of a type."""

    joint: Literal["linear", "twoLayers", "merger", "adapter"]
    """How it is joined to the language model: by a matrix; by two; by two of patches that are put together, Qwen's;
    by Llama's, of four patches each."""
    gated: bool = False
    """Whether its feed-forward part has a gate."""
    fields: Mapping[str, Any] = Field(default_factory=dict)
    """Fields of its vision_config, by the names that it gives them."""


class ModelTypes(SourcedFact):
    """The types that differ from most, by the `model_type` of a config.json."""

    tied_embeddings: frozenset[str]
    """Those whose head is the embedding over again."""
    ungated: frozenset[str]
    """Those whose feed-forward part has no gate."""
    gated_encoders: frozenset[str]
    """The encoders whose feed-forward part has one."""
    full_every: dict[str, int]
    """Every how-many-th layer attends to all tokens, where config.json does not say."""
    fields: dict[str, Mapping[str, Any]]
    """Fields by the names that config.json gives them."""
    vision: dict[str, Vision]
    """The types whose part that sees images is counted."""


@cache
def model_types() -> ModelTypes:
    """What is left out, for every type of which it is known."""
    return ModelTypes.model_validate(load("model_types.yaml"))
