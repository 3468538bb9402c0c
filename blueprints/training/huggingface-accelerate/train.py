"""Whether a film review is a good one: DistilBERT is fine-tuned with Hugging Face's Transformers and Accelerate.

    accelerate launch --num-processes 2 train.py --steps 100

The data folder holds `train.tsv` of the Stanford Sentiment Treebank, as GLUE distributes it, and `model`, a model for
sequences with its tokenizer, such as distilbert-base-uncased. Without it, a tiny DistilBERT with made-up weights reads
made-up reviews. What Accelerate is to do, the options of `accelerate launch` say: DDP, FSDP or DeepSpeed.
"""

import csv
from pathlib import Path

import torch
import training_run
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch.utils.data import DataLoader
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DistilBertConfig, PreTrainedModel

GOOD, BAD, NEUTRAL = "great moving funny fine", "dull awful boring bad", "this film is a an the and plot actor scene story"
LENGTH = 128


def make_data(folder: Path | None) -> list[tuple[str, int]]:
    """Reviews, each with 1 for a good one and 0 for a bad one."""
    if folder is None:
        neutral = NEUTRAL.split()
        words = [*((word, 1) for word in GOOD.split()), *((word, 0) for word in BAD.split())]
        return [(f"{neutral[i % 11]} {neutral[i % 7]} {words[i % 8][0]} {neutral[i % 5]}", words[i % 8][1]) for i in range(440)]
    with (folder / "train.tsv").open(encoding="utf-8", newline="") as file:
        return [(row["sentence"], int(row["label"])) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


def main() -> None:
    pass
