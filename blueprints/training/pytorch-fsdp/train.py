"""A small GPT that writes like Shakespeare, with PyTorch's fully sharded data parallelism: each GPU has a part of it.

    torchrun --standalone --nproc-per-node 2 train.py --steps 100

The data folder holds `input.txt`, known as Tiny Shakespeare. Parameters, gradients and the optimizer's state are split
among the processes, and so is every checkpoint, which a different number of processes can read as well.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed import checkpoint, fsdp
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.nn import functional
from torch.utils import checkpoint as checkpointing

import training_run

SONNET = """Shall I compare thee to a summer's day? Thou art more lovely and more temperate. Rough winds do shake the
darling buds of May, and summer's lease hath all too short a date."""
CONTEXT = 128
CHARACTERS = 128
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Block(nn.Module):
    """Attention to what came before, and two layers."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.layers = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """What follows from what was read so far."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.attention(self.norm1(x)).chunk(3, -1)
        )
        attended = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.projection(attended.transpose(1, 2).flatten(2))
        return x + self.layers(self.norm2(x))


class Gpt(nn.Module):
    """Reads characters, and says of each what comes after it."""

    def __init__(self, layers: int, width: int, heads: int):
        super().__init__()
        self.characters, self.places = nn.Embedding(CHARACTERS, width), nn.Embedding(CONTEXT, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, CHARACTERS, bias=False)

    def forward(self, text: Tensor) -> Tensor:
        """What each next character may be."""
        x = self.characters(text) + self.places.weight[: text.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def make_data(folder: Path | None) -> tuple[Tensor, Tensor]:
    """The characters of all that Shakespeare wrote, or of the beginning of a sonnet, again and again.

    The last tenth is not trained with: it is held out.
    """
    text = (folder / "input.txt").read_text(encoding="utf-8") if folder else SONNET * 400
    characters = torch.tensor(list(text.encode("ascii", "replace")))
    training = len(characters) * 9 // 10
    return characters[:training], characters[training:]


def calculate_twice(blocks: Iterable[nn.Module]) -> None:
    """Keeps only what goes into each block; the rest is calculated again when gradients are due."""
    for block in blocks:
        block.forward = partial(checkpointing.checkpoint, block.forward, use_reentrant=False)


def make_profiler(logs: Path) -> torch.profiler.profile:
    """Writes a trace of three steps after the first eleven, whole, as a bucket wants it."""

    def keep(profiler: torch.profiler.profile) -> None:
        with tempfile.TemporaryDirectory() as local:
            profiler.export_chrome_trace(f"{local}/trace.json")
            shutil.copyfile(f"{local}/trace.json", logs / f"trace-{time.time_ns()}.json")

    schedule = torch.profiler.schedule(wait=10, warmup=1, active=3, repeat=1)
    return torch.profiler.profile(schedule=schedule, on_trace_ready=keep)


def main() -> None:
    """Trains."""
    parser = training_run.arguments(__doc__, steps=5000, batch_size=64, learning_rate=1e-3, precisions=("fp32", "bf16"))
    parser.add_argument("--layers", type=int, default=6, help="blocks of the model (6)")
    parser.add_argument("--width", type=int, default=384, help="numbers that stand for a character (384)")
    parser.add_argument("--accumulate", type=int, default=1, help="micro-batches that a step's batch is split into (1)")
    parser.add_argument(
        "--checkpointing", choices=("full", "none"), default="none", help="full: blocks are calculated twice, not kept"
    )
    parser.add_argument("--profile", action="store_true", help="process 0 writes a trace into the folder of the logs")
    settings = parser.parse_args()
    if settings.accumulate < 1 or settings.batch_size % settings.accumulate:
        parser.error(f"--accumulate: {settings.accumulate} given, must divide --batch-size {settings.batch_size}")

    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    processes = distributed.get_world_size()
    mesh = distributed.init_device_mesh(device.type, (processes,))

    torch.manual_seed(settings.seed)
    model = Gpt(settings.layers, settings.width, heads=settings.width // 64).to(device)
    if settings.checkpointing == "full":
        calculate_twice(model.blocks)
    policy = fsdp.MixedPrecisionPolicy(param_dtype=PRECISIONS[settings.precision], reduce_dtype=torch.float32)
    for block in model.blocks:
        fsdp.fully_shard(block, mesh=mesh, mp_policy=policy)
    fsdp.fully_shard(model, mesh=mesh, mp_policy=policy)
    optimizer = torch.optim.AdamW(model.parameters(), settings.learning_rate)

    def save(folder: Path) -> None:
        model_state, optimizer_state = get_state_dict(model, optimizer)
        checkpoint.save({"model": model_state, "optimizer": optimizer_state}, checkpoint_id=folder)

    def load(folder: Path) -> None:
        model_state, optimizer_state = get_state_dict(model, optimizer)
        checkpoint.load({"model": model_state, "optimizer": optimizer_state}, checkpoint_id=folder)
        set_state_dict(model, optimizer, model_state_dict=model_state, optim_state_dict=optimizer_state)

    def mean(numbers: list[float]) -> list[float]:
        total = torch.tensor(numbers, device=device)
        distributed.all_reduce(total)
        return (total / processes).tolist()

    def loss_of(excerpts: Tensor) -> Tensor:
        said = model(excerpts[:, :-1]).float()
        return functional.cross_entropy(said.flatten(0, 1), excerpts[:, 1:].flatten())

    @torch.no_grad()
    def evaluate() -> dict[str, Any]:
        excerpts = held_out.unfold(0, CONTEXT + 1, CONTEXT)
        mine = excerpts[run.share(len(excerpts), processes)]
        model.eval()
        losses = [loss_of(part) * len(part) for part in mine.split(settings.batch_size // settings.accumulate)]
        model.train()
        return {"heldOutLoss": sum(losses) / len(mine)}

    text, held_out = (part.to(device) for part in make_data(settings.data))
    run = training_run.TrainingRun(settings, process=distributed.get_rank(), mean=mean, sharded=True)
    run.resume(load)
    profiler = make_profiler(settings.logs) if settings.profile and distributed.get_rank() == 0 else None
    if profiler:
        profiler.start()
    for step, batch in zip(run.steps(), run.batches(len(text) - CONTEXT, processes), strict=False):
        excerpts = torch.stack([text[first : first + CONTEXT + 1] for first in batch])
        losses = []
        for part in excerpts.chunk(settings.accumulate):
            loss = loss_of(part) / settings.accumulate
            loss.backward()
            losses.append(loss.detach())
        optimizer.step()
        optimizer.zero_grad()
        run.step_done(step, sum(losses), save, evaluate)
        if profiler:
            profiler.step()
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
