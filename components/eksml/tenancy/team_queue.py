"""The queue of one team: what its jobs may use of each pool, and what they may borrow."""

from collections.abc import Mapping

import pulumi
import pulumi_kubernetes as k8s

from eksml import names
from eksml.component import Component
from eksml.spec import Spec
from eksml.tenancy.quotas import Share, quantity


class TeamQueueSpec(Spec):
    """Whose queue it is."""

    team: str
    """Name of the team, of its namespace, and of its ClusterQueue."""
    cohort: str
    """The teams that lend each other what they do not use."""


class TeamQueue(Component):
    """A ClusterQueue with the team's quotas.

    It is there before the team's namespace and goes after it: Kueue keeps a queue for as long as jobs run in it.

    Arguments:
        spec: the team and its cohort.
        shares: by pool, what the team has of each resource; pools are tried in this order.
    """

    def __init__(
        self,
        name: str,
        spec: TeamQueueSpec,
        *,
        shares: Mapping[str, Mapping[str, Share]],
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:tenancy:TeamQueue", name, spec, opts)
        resources = sorted({resource for each in shares.values() for resource in each})
        k8s.apiextensions.CustomResource(
            name,
            api_version=names.KUEUE_API_VERSION,
            kind="ClusterQueue",
            metadata={"name": spec.team},
            spec={
                "cohortName": spec.cohort,
                "namespaceSelector": {"matchLabels": {names.TEAM_LABEL: spec.team}},
                "queueingStrategy": "BestEffortFIFO",
                # What was lent comes back when its owner needs it; within a team priority decides.
                "preemption": {"reclaimWithinCohort": "Any", "withinClusterQueue": "LowerPriority"},
                "resourceGroups": [
                    {
                        "coveredResources": resources,
                        "flavors": [_flavor(pool, resources, each) for pool, each in shares.items()],
                    }
                ],
            },
            opts=self.child(),
        )
        self.register_outputs({})


def _flavor(pool: str, resources: list[str], shares: Mapping[str, Share]) -> dict[str, object]:
    return {
        "name": pool,
        "resources": [
            {
                "name": resource,
                "nominalQuota": quantity(resource, shares.get(resource, Share(0, 0)).nominal),
                "borrowingLimit": quantity(resource, shares.get(resource, Share(0, 0)).borrow),
            }
            for resource in resources
        ],
    }
