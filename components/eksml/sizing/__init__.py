"""Sizing: what fits on which GPU. Pure functions over the catalog, with a source for each formula."""

from eksml.sizing.advice import alternatives, problem
from eksml.sizing.config_json import shape_from_config
from eksml.sizing.inference import Fit, GpuMemory, Range, Serving, fit, gpu_memory, groups_of, known_gpus
from eksml.sizing.instances import (
    ServingInstance,
    TrainingInstances,
    serving_instances,
    training_instances,
)
from eksml.sizing.memory import disk_gb
from eksml.sizing.model_shape import count_parameters, shape_of
from eksml.sizing.training import (
    Checkpointing,
    Method,
    Sharding,
    Training,
    TrainingFit,
    fit_training,
)
from eksml.sizing.training_time import (
    TrainingRun,
    active_parameters,
    dispatched_bytes,
    exchanged_bytes,
    flops_per_token,
    training_run,
)

__all__ = [
    "Checkpointing",
    "Fit",
    "GpuMemory",
    "Method",
    "Range",
    "Serving",
    "ServingInstance",
    "Sharding",
    "Training",
    "TrainingFit",
    "TrainingInstances",
    "TrainingRun",
    "active_parameters",
    "alternatives",
    "count_parameters",
    "disk_gb",
    "dispatched_bytes",
    "exchanged_bytes",
    "fit",
    "fit_training",
    "flops_per_token",
    "gpu_memory",
    "groups_of",
    "known_gpus",
    "problem",
    "serving_instances",
    "shape_from_config",
    "shape_of",
    "training_instances",
    "training_run",
]
