"""Open models: what they are made of, what they are for, and under which licence."""

from functools import cache
from typing import Annotated, Literal

from pydantic import Field

from eksml.catalog._facts import Fact, SourcedFact, load


class FullAttention(Fact):
    """Every token attends to all tokens before it, so each of them stays in the cache."""

    kind: Literal["full"] = "full"


class SlidingAttention(Fact):
    """Some layers attend to the last tokens only, the others to all of them."""

    kind: Literal["sliding"] = "sliding"
    window: int
    """How many tokens a sliding layer looks back."""
    full_layers: int
    """Layers that attend to all tokens."""
    full_key_value_heads: int | None = None
    """Those of the layers that attend to all tokens; None: as many as the others have."""
    full_head_dimension: int | None = None
    """The same of the dimension of a head."""


class LatentAttention(Fact):
    """Multi-head latent attention: keys and values are cached as one compressed vector, which all heads share."""

    kind: Literal["mla"] = "mla"
    key_value_rank: int
    rope_head_dimension: int
    query_rank: int | None
    nope_head_dimension: int
    value_head_dimension: int
    index_head_dimension: int | None = None
    """Of the keys by which sparse attention chooses its tokens, cached in 8 bit; None: there are none."""


class RecurrentAttention(Fact):
    """Some layers attend to all tokens; the others (Mamba, linear attention) keep a state that does not grow."""

    kind: Literal["recurrent"] = "recurrent"
    full_layers: int
    """Layers that attend to all tokens."""
    recurrent_layers: int
    """Layers that keep a state; what is left of the layers has neither."""
    state_bytes: int
    """What one such layer keeps for a request."""
    parameters: int
    """Those of one such layer, without its feed-forward part."""
    gated_queries: bool = False
    """Whether the layers that attend to all tokens have a gate as large as their queries."""


class EncoderAttention(Fact):
    """All tokens attend to all others at once: nothing is cached."""

    kind: Literal["encoder"] = "encoder"


Attention = Annotated[
    FullAttention | SlidingAttention | LatentAttention | RecurrentAttention | EncoderAttention,
    Field(discriminator="kind"),
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
    """Layers whose feed-forward part has no experts."""


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
    gated: bool = True
    """Whether the feed-forward part has a gate, and so three matrices; else two."""
    feed_forward_layers: int | None = None
    """Layers that have a feed-forward part; None: all."""

    @property
    def expert_layers(self) -> int:
        """Layers whose feed-forward part has experts."""
        return max(0, self._feed_forward_layers - self.experts.dense_layers) if self.experts else 0

    @property
    def dense_layers(self) -> int:
        """Layers whose feed-forward part has none."""
        return self._feed_forward_layers - self.expert_layers

    @property
    def feed_forward_matrices(self) -> int:
        """Matrices of a feed-forward part."""
        return 3 if self.gated else 2

    @property
    def expert_parameters(self) -> int:
        """Parameters of one expert of one layer."""
        return self.feed_forward_matrices * self.hidden_size * self.experts.intermediate_size if self.experts else 0

    @property
    def _feed_forward_layers(self) -> int:
        return self.layers if self.feed_forward_layers is None else self.feed_forward_layers

    @property
    def embedding_parameters(self) -> int:
        """Parameters of the embedding and of the head, which quantisation leaves in 16 bit."""
        has_head = not (self.tied_embeddings or self.attention.kind == "encoder")
        return self.vocabulary_size * self.hidden_size * (1 + has_head)


class ModelShape(Fact):
    """What decides how much memory a model takes."""

    parameters: int
    """Those that an engine loads."""
    vision_parameters: int = 0
    """Those of them that see images, which text does not pass through and quantisation leaves in 16 bit."""
    draft_parameters: int = 0
    """Those of the checkpoint beside them, for speculative decoding, which an engine leaves on the disk."""
    precision: str
    """What the weights are published in, by its name in precisions()."""
    quantized_parameters: int | None = None
    """Those that a quantised precision is about; None: all but embedding, head and what sees images."""
    activation_mib: float | None = None
    """Memory for calculating one input, where the model is no transformer; in 32 bit."""
    transformer: Transformer | None = None
    """None: the model is no transformer, such as a convolutional network."""

    @property
    def kept_parameters(self) -> int:
        """Those that stay in 16 bit when the model is quantised."""
        if self.quantized_parameters is not None:
            return self.parameters - self.quantized_parameters
        embeddings = self.transformer.embedding_parameters if self.transformer else 0
        return embeddings + self.vision_parameters


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
