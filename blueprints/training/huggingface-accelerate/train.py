"""Whether a film review is a good one: DistilBERT is fine-tuned with Hugging Face's Transformers and Accelerate.

    accelerate launch --num-processes 2 train.py --steps 100

The data folder holds `train.tsv` and `dev.tsv`, which is held out, of the Stanford Sentiment Treebank, as GLUE
distributes it, and `model`, a model for text with its tokenizer, such as distilbert-base-uncased. Without it, a tiny
DistilBERT that knows nothing reads made-up reviews. How the work is split, with DDP or FSDP, is for the options of
`accelerate launch` to say.
"""

import csv
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from tokenizers import Tokenizer, models, pre_tokenizers
from torch.nn import functional
from torch.utils.data import DataLoader
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DistilBertConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

import training_run

GOOD, BAD = ["great", "moving", "funny", "fine"], ["dull", "awful", "boring", "flat"]
PADDING, UNKNOWN = "[PAD]", "[UNK]"
THINGS = ["plot", "actor", "scene", "story", "end"]
LENGTH = 128
Review = tuple[str, int]
PRECISIONS = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}


def make_data(folder: Path | None) -> tuple[list[Review], list[Review]]:
    """Reviews, each with 1 for a good one and 0 for a bad one: what is trained with, and what is held out."""
    if folder is None:
        opinions = [*((word, 1) for word in GOOD), *((word, 0) for word in BAD)]
        reviews = [(f"the {thing} is {opinion}", good) for thing in THINGS for opinion, good in opinions]
        return reviews[len(opinions) :] * 25, reviews[: len(opinions)] * 25
    return read_reviews(folder / "train.tsv"), read_reviews(folder / "dev.tsv")


def read_reviews(file: Path) -> list[Review]:
    """The reviews of one of GLUE's files."""
    with file.open(encoding="utf-8", newline="") as text:
        rows = csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [(row["sentence"], int(row["label"])) for row in rows]


def make_model(folder: Path | None) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The model and its tokenizer."""
    if folder is None:
        words = [PADDING, UNKNOWN, "the", "is", *THINGS, *GOOD, *BAD]
        vocabulary = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token=UNKNOWN))
        vocabulary.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=vocabulary, pad_token=PADDING, unk_token=UNKNOWN)
        size = DistilBertConfig(vocab_size=len(words), dim=64, n_layers=2, n_heads=2, hidden_dim=128, num_labels=2)
        return AutoModelForSequenceClassification.from_config(size), tokenizer
    model = AutoModelForSequenceClassification.from_pretrained(folder / "model", num_labels=2)
    return model, AutoTokenizer.from_pretrained(folder / "model")


def main() -> None:
    """Trains."""
    settings = training_run.arguments(__doc__, steps=2000, batch_size=32, learning_rate=5e-5, exports=True).parse_args()
    accelerator = Accelerator(mixed_precision=PRECISIONS[settings.precision], cpu=not torch.cuda.is_available())
    set_seed(settings.seed)
    model, tokenizer = make_model(settings.data)
    optimizer = torch.optim.AdamW(model.parameters(), settings.learning_rate)
    model, optimizer = accelerator.prepare(model, optimizer)
    model.train()

    def collate(reviews: list[tuple[str, int]]) -> dict[str, torch.Tensor]:
        texts, labels = zip(*reviews, strict=True)
        tokens = tokenizer(texts, padding=True, truncation=True, max_length=LENGTH, return_tensors="pt")
        return {**tokens, "labels": torch.tensor(labels)}

    def mean(numbers: list[float]) -> list[float]:
        return accelerator.reduce(torch.tensor(numbers, device=accelerator.device), "mean").tolist()

    def export(folder: Path) -> None:
        whole = accelerator.get_state_dict(model)
        if accelerator.is_main_process:
            accelerator.unwrap_model(model).save_pretrained(folder, state_dict=whole)
            tokenizer.save_pretrained(folder)

    reviews, held_out = make_data(settings.data)
    run = training_run.TrainingRun(settings, process=accelerator.process_index, mean=mean, sharded=True)
    run.resume(accelerator.load_state)
    loader = DataLoader(reviews, batch_sampler=run.batches(len(reviews), accelerator.num_processes), collate_fn=collate)

    def answer(batch: dict[str, torch.Tensor]) -> Any:
        return model(**{name: part.to(accelerator.device) for name, part in batch.items()})

    @torch.no_grad()
    def evaluate() -> dict[str, Any]:
        mine = held_out[run.share(len(held_out), accelerator.num_processes)]
        parts = [mine[first : first + settings.batch_size] for first in range(0, len(mine), settings.batch_size)]
        labels = torch.tensor([label for _, label in mine])
        model.eval()
        said = torch.cat([answer(collate(part)).logits.float().cpu() for part in parts])
        model.train()
        right = said.argmax(dim=1) == labels
        return {"heldOutLoss": functional.cross_entropy(said, labels), "heldOutAccuracy": right.float().mean()}

    for step, batch in zip(run.steps(export, mark="config.json"), loader, strict=False):
        loss = answer(batch).loss
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        run.step_done(step, loss.detach(), accelerator.save_state, evaluate)
    accelerator.end_training()


if __name__ == "__main__":
    main()
