"""Starts the server of Transformers with a language model of some thousand random weights.

    python transformers_server.py PORT FOLDER

It answers at random, but to the same question always the same.
"""

import os
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

CONTEXT = 512
CHAT = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"


def main() -> None:
    """Makes the model where downloads lie, and becomes the server."""
    port, home = sys.argv[1:]
    downloads = Path(home) / "hub" / "models--eksml--tiny"
    folder = downloads / "snapshots" / ("0" * 40)
    folder.mkdir(parents=True)
    (downloads / "refs").mkdir()
    (downloads / "refs" / "main").write_text("0" * 40, encoding="utf-8")

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator([""], trainers.BpeTrainer(special_tokens=["<s>", "</s>"], initial_alphabet=letters))
    marks = dict(zip(("bos_token", "eos_token", "pad_token"), ("<s>", "</s>", "</s>"), strict=True))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks)
    fast.chat_template = CHAT
    fast.save_pretrained(folder)

    torch.manual_seed(0)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    special = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    config = LlamaConfig(vocab_size=len(fast), max_position_embeddings=CONTEXT, **size, **special)
    model = LlamaForCausalLM(config)
    # It never ends by itself, and always takes what is likeliest.
    model.generation_config.update(do_sample=False, eos_token_id=None)
    model.save_pretrained(folder)
    environment = {**os.environ, "HF_HOME": home, "HF_HUB_OFFLINE": "1"}
    program = Path(sys.executable).parent / "transformers"
    options = ["--port", port, "--device", "cpu"]
    os.execve(program, [str(program), "serve", "eksml/tiny", *options], environment)  # noqa: S606


main()
