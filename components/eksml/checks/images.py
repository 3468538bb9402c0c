"""Whether an image runs on the nodes that its pods can land on."""

from collections.abc import Iterator

from eksml import names
from eksml.catalog import ami_families, image_of
from eksml.checks.finding import Found
from eksml.checks.nodes import nodes_of
from eksml.checks.scheduling import may_run
from eksml.checks.workloads import asked_of, workloads_of
from eksml.plan import Plan


def image_fits_nodes(plan: Plan) -> Iterator[Found]:
    """Image, CPU architecture, GPUs, driver and compute capability go together, as far as they are known."""
    for workload in workloads_of(plan):
        usable = [node for node in nodes_of(plan) if may_run(workload.pod, node)]
        for container in workload.containers:
            image = image_of(str(container.get("image")))
            if image.for_cpus and asked_of(container)[names.GPU_RESOURCE]:
                text = f"{workload.name}: image {container['image']} has no CUDA for the {names.GPU_RESOURCE} asked for"
                yield Found(workload.resource, text)
            for node in usable:
                driver = ami_families()[node.ami_family].nvidia_driver
                if reason := image.misfit(node.fact, driver):
                    text = f"{workload.name}: image {container['image']} on {node.instance_type}: {reason}"
                    yield Found(workload.resource, text)
