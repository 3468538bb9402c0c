"""A Plan: what a Pulumi program registers, recorded without a cloud or read from the engine's own preview."""

from eksml.plan.model import Plan, Resource

__all__ = ["Plan", "Resource"]
