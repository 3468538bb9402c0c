"""How many resources of which kind a Plan has."""

from collections import Counter
from dataclasses import dataclass

from eksml.plan.model import STACK_REFERENCE_TYPE, STACK_TYPE, Plan


@dataclass(frozen=True)
class Counts:
    """Resources by what makes them; the stack itself does not count, nor others that it refers to."""

    components: int
    """Made by a program, from other resources."""
    by_package: dict[str, int]
    """Made by a provider, by its package, such as aws; pulumi stands for the providers themselves."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.components + sum(self.by_package.values())


def counts(plan: Plan) -> Counts:
    """The counts of a Plan."""
    resources = [resource for resource in plan.resources if resource.type not in (STACK_TYPE, STACK_REFERENCE_TYPE)]
    packages = Counter(resource.package for resource in resources if resource.is_custom)
    return Counts(
        components=sum(not resource.is_custom for resource in resources), by_package=dict(sorted(packages.items()))
    )
