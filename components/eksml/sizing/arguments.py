"""How a model is served, as the arguments of an engine say it."""

from __future__ import annotations

from collections.abc import Mapping

from eksml.catalog import inference_engines
from eksml.sizing.inference import GpuMemory, Serving

WEIGHT_PRECISIONS: Mapping[str, str] = {
    "awq": "int4",
    "gptq": "int4",
    "fp8": "fp8",
    "bitsandbytes": "int4",
    "bfloat16": "bfloat16",
    "float16": "float16",
    "half": "float16",
    "float32": "float32",
    "float": "float32",
}
"""What a quantisation or a data type makes of the weights, in the catalog's words. What is not here is said by the
model's own configuration."""


def serving_by_vllm(options: Mapping[str, str], gpu: GpuMemory) -> Serving:
    """What `vllm serve` does with these options. Raises ValueError or InputError for what cannot be read."""
    share = options.get("--gpu-memory-utilization")
    precision = options.get("--quantization") or options.get("--dtype", "auto")
    return Serving(
        gpu=gpu,
        tensor_parallel=_count(options, "--tensor-parallel-size", "-tp") or 1,
        pipeline_parallel=_count(options, "--pipeline-parallel-size", "-pp") or 1,
        precision=WEIGHT_PRECISIONS.get(precision),
        kv_precision="fp8" if options.get("--kv-cache-dtype", "").startswith("fp8") else None,
        context_length=_count(options, "--max-model-len"),
        gpu_memory_utilization=float(share) if share else None,
        max_num_batched_tokens=_count(options, "--max-num-batched-tokens"),
        max_num_seqs=_count(options, "--max-num-seqs"),
    )


def serving_by_transformers(options: Mapping[str, str], gpu: GpuMemory) -> Serving:
    """What Transformers in `huggingfaceserver` does. Raises ValueError or InputError for what cannot be read."""
    return Serving(
        gpu=gpu,
        precision=WEIGHT_PRECISIONS.get(options.get("--dtype", "auto")),
        context_length=_count(options, "--max_model_len", "--max_length"),
        engine=inference_engines()["transformers"],
    )


def _count(options: Mapping[str, str], *names: str) -> int | None:
    return next((int(options[name]) for name in names if name in options), None)
