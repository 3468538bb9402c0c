"""Open models: what they are made of, what they are for, and under which licence."""

from functools import cache
from typing import Annotated, Literal

from pydantic import Field

from eksml.catalog._facts import Fact, SourcedFact, load


class FullAttention(Fact):
    """Every token attends to all tokens before it, so each of them stays in the cache."""

    kind: Literal["full"] = "full"


class SlidingAttention(Fact):
    """Most layers attend to the last tokens only; every so-many-th one to all of them."""

    kind: Literal["sliding"] = "sliding"
    window: int
    """How many tokens a sliding layer looks back."""
    full_every: int | None
    """Every how-many-th layer attends to all tokens; None: none does."""


class LatentAttention(Fact):
    """Multi-head latent attention: keys and values are cached as one compressed vector, which all heads share."""

    kind: Literal["mla"] = "mla"
    key_value_rank: int
    rope_head_dimension: int
    query_rank: int | None
    nope_head_dimension: int
    value_head_dimension: int


class EncoderAttention(Fact):
    """All tokens attend to all others at once: nothing is cached."""

    kind: Literal["encoder"] = "encoder"


Attention = Annotated[
    FullAttention | SlidingAttention | LatentAttention | EncoderAttention, Field(discriminator="kind")
]


class Experts(Fact):
    """The experts of a mixture-of-experts model, in each layer that has them."""

    count: int
    active: int
    """How many of them a token passes through."""
    shared: int = 0
    """Those beside them that every token passes through."""
    intermediate_size: int
    dense_layers: int = 0
    """The first layers, which have no experts."""


class Transformer(Fact):
    """The dimensions of a transformer, as its config.json has them."""

    layers: int
    hidden_size: int
    intermediate_size: int
    attention_heads: int
    key_value_heads: int
    head_dimension: int
    vocabulary_size: int
    context_length: int
    """The most tokens of one request, prompt and answer together."""
    attention: Attention = FullAttention()
    experts: Experts | None = None
    tied_embeddings: bool
    """Whether the head is the embedding over again, and takes no memory of its own."""

    @property
    def embedding_parameters(self) -> int:
        """Parameters of the embedding and of the head, which quantisation leaves in 16 bit."""
        has_head = not (self.tied_embeddings or self.attention.kind == "encoder")
        return self.vocabulary_size * self.hidden_size * (1 + has_head)


class ModelShape(Fact):
    """What decides how much memory a model takes."""

    parameters: int
    """Those that an engine loads."""
    draft_parameters: int = 0
    """Those of the checkpoint beside them, for speculative decoding, which an engine leaves on the disk."""
    precision: str
    """What the weights are published in, by its name in precisions()."""
    quantized_parameters: int | None = None
    """Those that a quantised precision is about; None: all but embedding and head."""
    activation_mib: float | None = None
    """Memory for calculating one input, where the model is no transformer; in 32 bit."""
    transformer: Transformer | None = None
    """None: the model is no transformer, such as a convolutional network."""

    @property
    def kept_parameters(self) -> int:
        """Those that stay in 16 bit when the model is quantised."""
        if self.quantized_parameters is not None:
            return self.parameters - self.quantized_parameters
        return self.transformer.embedding_parameters if self.transformer else 0


Task = Literal["textGeneration", "embedding", "textClassification", "fillMask", "imageClassification"]


class Model(ModelShape, SourcedFact):
    """One model of the Hugging Face hub."""

    title: str
    revision: str | None
    """The commit on the hub; None: no source confirms one."""
    architecture: str
    """The class that its config.json names."""
    active_parameters: int | None = None
    """Those that a token passes through, where there are experts."""
    tasks: tuple[Task, ...]
    modalities: tuple[Literal["text", "image"], ...]
    """What goes in."""
    license: str
    """By its SPDX identifier, or by its name."""
    commercial_use: bool
    """Whether the licence allows it, if with conditions."""
    gated: bool | None
    """Whether the hub gives the weights only to those who have accepted the licence; None: not known."""


@cache
def models() -> dict[str, Model]:
    """Every model of the catalog, by its id on the Hugging Face hub."""
    return {name: Model.model_validate(entry) for name, entry in load("models.yaml")["models"].items()}
