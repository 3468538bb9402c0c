"""A VPC that exists already, made and owned by somebody else."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from eksml.errors import Problem
from eksml.paths import path_text
from eksml.spec import Cidr, Spec, SubnetId, VpcId, Zone


class ExistingVpcSpec(Spec):
    """A VPC by its id and subnets. Nothing in it is changed: if load balancers are to find its subnets, tag them."""

    kind: Literal["existing"] = "existing"
    vpc_id: VpcId
    """Id of the VPC."""
    private_subnets: Annotated[dict[Zone, SubnetId], Field(min_length=2)]
    """Private subnet ids by zone, in at least two zones; nodes and the control plane's interfaces live here."""
    public_subnets: dict[Zone, SubnetId] = Field(default_factory=dict)
    """Public subnet ids by zone, for internet-facing load balancers; may be empty."""
    load_balancer_cidrs: tuple[Cidr, ...] = ()
    """IPv4 ranges of the subnets that load balancers live in, from which they may reach the pods of teams."""

    def rules(self) -> Iterator[Problem]:
        """A subnet lies in one zone, and is either private or public."""
        seen: dict[str, str] = {}
        for kind, subnets in (("privateSubnets", self.private_subnets), ("publicSubnets", self.public_subnets)):
            for zone, subnet in subnets.items():
                place = path_text((kind, zone))
                if subnet in seen:
                    yield Problem((kind, zone), f"'{subnet}' is at {seen[subnet]} already")
                seen.setdefault(subnet, place)
