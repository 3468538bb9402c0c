"""Small files in the formats of well-known data sets."""

import gzip
from pathlib import Path

import pytest

EXAMPLES, HELD_OUT = 64, 11
PADDING, UNKNOWN = "[PAD]", "[UNK]"


def mnist(folder: Path) -> Path:
    """`mnist.npz`, as Keras distributes it."""
    numpy = pytest.importorskip("numpy")
    images, labels = numpy.zeros((EXAMPLES, 28, 28), numpy.uint8), (numpy.arange(EXAMPLES) % 10).astype(numpy.uint8)
    held_out = {"x_test": images[:HELD_OUT], "y_test": labels[:HELD_OUT]}
    numpy.savez(folder / "mnist.npz", x_train=images, y_train=labels, **held_out)
    return folder


def fashion_mnist(folder: Path) -> Path:
    """Fashion-MNIST's four files."""
    for part, examples in (("train", EXAMPLES), ("t10k", HELD_OUT)):
        images = b"\0" * 16 + bytes(examples * 28 * 28)
        labels = b"\0" * 8 + bytes(number % 10 for number in range(examples))
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    return folder


def cifar10(folder: Path) -> Path:
    """CIFAR-10's binary version: a byte of label and 3,072 of image each."""
    batches = folder / "cifar-10-batches-bin"
    batches.mkdir()
    sizes = {f"data_batch_{number}": EXAMPLES // 4 for number in range(1, 6)} | {"test_batch": HELD_OUT}
    for name, examples in sizes.items():
        content = b"".join(bytes([label % 10]) + bytes(3072) for label in range(examples))
        (batches / f"{name}.bin").write_bytes(content)
    return folder


def adult(folder: Path) -> Path:
    """`adult.data` of the UC Irvine repository: fifteen columns without names, the last one the answer."""
    rows = (
        f"{20 + number}, Private, 77516, Bachelors, 13, Never-married, Sales, Husband, White, Female, 0, 0, {number}, "
        f"United-States, {'>50K' if number % 3 == 0 else '<=50K'}\n"
        for number in range(EXAMPLES)
    )
    (folder / "adult.data").write_text("".join(rows))
    return folder


def tiny_shakespeare(folder: Path) -> Path:
    """`input.txt`."""
    (folder / "input.txt").write_text("Before we proceed any further, hear me speak.\n" * EXAMPLES)
    return folder


def sentiment(folder: Path) -> Path:
    """`train.tsv` and `dev.tsv` of the Stanford Sentiment Treebank, and a model that knows nothing."""
    tokenizers, transformers = pytest.importorskip("tokenizers"), pytest.importorskip("transformers")
    for part, examples in (("train", EXAMPLES), ("dev", HELD_OUT)):
        reviews = "".join(f'a "fine film , number {number}\t{number % 2}\n' for number in range(examples))
        (folder / f"{part}.tsv").write_text(f"sentence\tlabel\n{reviews}")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({PADDING: 0, UNKNOWN: 1, "fine": 2}, unk_token=UNKNOWN))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token=PADDING, unk_token=UNKNOWN)
    tokenizer.save_pretrained(folder / "model")
    size = transformers.DistilBertConfig(vocab_size=3, dim=16, n_layers=1, n_heads=1, hidden_dim=16)
    transformers.DistilBertForSequenceClassification(size).save_pretrained(folder / "model")
    return folder
