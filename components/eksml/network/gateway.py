"""How requests come into a cluster: the load balancer controller, and names for what it makes."""

from __future__ import annotations

import pulumi
from pydantic import Field

from eksml.component import Component, Tags
from eksml.network.entry import EntryHandles, EntrySpec, PlatformEntry
from eksml.network.external_dns import ExternalDns, ExternalDnsSpec
from eksml.network.load_balancer_controller import LoadBalancerController, LoadBalancerControllerSpec
from eksml.spec import Spec


class GatewaySpec(Spec):
    """The platform's own entry, and what those of teams need (`teams.TEAM.gateway`), their Ingresses too."""

    load_balancer_controller: LoadBalancerControllerSpec = Field(default_factory=LoadBalancerControllerSpec)
    """The AWS load balancer controller."""
    external_dns: ExternalDnsSpec | None = None
    """ExternalDNS, which writes the names of the entries into Route 53; null: somebody else does."""
    entry: EntrySpec | None = None
    """Where people reach the services of the platform; null: by `kubectl port-forward` only."""


class GatewayControllers(Component):
    """The load balancer controller of a cluster, and ExternalDNS and the platform's entry if they are asked for.

    Arguments:
        spec: which of them there are, and how they run.
        region: the AWS region.
        cluster_name: name of the EKS cluster.
        vpc_id: id of the VPC.
        tags: tags for every AWS resource.
        image_registry: a registry that images and charts come from, instead of their own.

    Attributes:
        entry: what services need to know of the platform's entry, if there is one.
    """

    def __init__(
        self,
        name: str,
        spec: GatewaySpec,
        *,
        region: str,
        cluster_name: pulumi.Input[str],
        vpc_id: pulumi.Input[str],
        tags: Tags | None = None,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:network:GatewayControllers", name, spec, opts, tags, image_registry)
        controller = LoadBalancerController(
            f"{name}-load-balancers",
            spec.load_balancer_controller,
            region=region,
            cluster_name=cluster_name,
            vpc_id=vpc_id,
            tags=tags,
            image_registry=image_registry,
            opts=self.child(),
        )
        # What writes names is there after the last of them is gone.
        needs: list[pulumi.Resource] = [controller]
        if spec.external_dns:
            dns = ExternalDns(
                f"{name}-dns",
                spec.external_dns,
                region=region,
                cluster_name=cluster_name,
                tags=tags,
                image_registry=image_registry,
                # It looks for the definitions of the Gateway API when it starts.
                opts=self.child(depends_on=[controller]),
            )
            needs.append(dns)
        self.entry: EntryHandles | None = None
        if spec.entry:
            made = PlatformEntry(f"{name}-entry", spec.entry, tags=tags, opts=self.child(depends_on=needs))
            self.entry = made.handles
        self.register_outputs({})
