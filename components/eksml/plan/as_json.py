"""A Plan as plain data, for machines."""

from typing import Any

from eksml.plan.cold_starts import cold_starts_json
from eksml.plan.model import Plan


def as_json(plan: Plan, checks: list[dict[str, Any]]) -> dict[str, Any]:
    """A Plan, with what the checks say of it, as `eksml preview --json` prints it."""
    return {
        "stack": plan.stack,
        "resources": [
            {
                "urn": resource.urn,
                "type": resource.type,
                "name": resource.name,
                "parent": resource.parent,
                "provider": resource.provider,
                "dependencies": list(resource.dependencies),
                "inputs": dict(resource.inputs),
            }
            for resource in plan.resources
        ],
        "exports": dict(plan.exports),
        # Only where there are servers.
        **({"coldStarts": starts} if (starts := cold_starts_json(plan)) else {}),
        "checks": checks,
    }
