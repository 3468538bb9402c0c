"""A Timeline as plain data, for machines."""

from typing import Any

from eksml.plan.timeline import Step, Timeline


def timeline_json(timeline: Timeline) -> dict[str, Any]:
    """A Timeline as `eksml timeline --json` prints it; every time is in seconds."""
    return {
        "stack": timeline.stack,
        "seconds": timeline.seconds,
        "estimatedSeconds": timeline.estimated_seconds,
        "chain": [step.urn for step in timeline.chain],
        "stages": [
            {"name": stage.name, "type": stage.type, "start": stage.start, "end": stage.end}
            for stage in timeline.stages
        ],
        "resources": [_step(step) for step in timeline.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "urn": step.urn,
        "type": step.type,
        "name": step.name,
        "start": step.start,
        "end": step.end,
        "seconds": step.seconds,
        "estimate": step.is_estimate,
    }
