"""ExternalDNS: names in Route 53 for what the Gateways of teams answer to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import pulumi
from pydantic import Field

from eksml import names
from eksml.catalog import partition
from eksml.cluster.pod_identity import PodIdentity, PodIdentitySpec
from eksml.component import Component, Tags
from eksml.controllers import affinity, resources
from eksml.errors import Problem, repetitions
from eksml.spec import HostedZoneId, Spec

_CHART = "external-dns"
_LABELS = {"app.kubernetes.io/name": _CHART}


class DnsPolicy(StrEnum):
    """What may happen to a name that nothing answers to any longer."""

    UPSERT_ONLY = "upsertOnly"
    """It stays, until somebody takes it away: no mistake in the cluster makes a name disappear."""
    SYNC = "sync"
    """It is taken away, of those that this cluster made."""


class ExternalDnsSpec(Spec):
    """Which names it may write, and whether it may take them away."""

    hosted_zones: Annotated[tuple[HostedZoneId, ...], Field(min_length=1)]
    """Ids of the Route 53 hosted zones that it may write to, public or private; it has no right to any other."""
    policy: DnsPolicy = DnsPolicy.UPSERT_ONLY
    """What may happen to a name that nothing answers to any longer: upsertOnly leaves it, sync takes it away."""

    def rules(self) -> Iterator[Problem]:
        """A zone stands once."""
        yield from repetitions(("hostedZones",), self.hosted_zones)


class ExternalDns(Component):
    """ExternalDNS's chart and identity, for the routes of Gateways only. It marks each name that it makes as its own.

    It needs CoreDNS, the Pod Identity agent and the definitions of the Gateway API.

    Arguments:
        spec: which names it may write.
        region: the AWS region.
        cluster_name: name of the EKS cluster, by which it knows its own names: unlike that of any other cluster that
            writes to the same zones.
        tags: tags for every AWS resource.
        image_registry: a registry that image and chart come from, instead of their own.
    """

    def __init__(
        self,
        name: str,
        spec: ExternalDnsSpec,
        *,
        region: str,
        cluster_name: pulumi.Input[str],
        tags: Tags | None = None,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:network:ExternalDns", name, spec, opts, tags, image_registry)
        identity = PodIdentity(
            name,
            PodIdentitySpec(namespace=names.SYSTEM_NAMESPACE, service_account=names.EXTERNAL_DNS_SERVICE_ACCOUNT),
            cluster_name=cluster_name,
            policy=json.dumps(_policy(spec, region)),
            tags=self.own_tags,
            opts=self.child(),
        )
        self.helm_release(_CHART, _values(spec, region, cluster_name), depends_on=[identity])
        self.register_outputs({})


def _values(spec: ExternalDnsSpec, region: str, cluster_name: pulumi.Input[str]) -> dict[str, Any]:
    policies = {DnsPolicy.UPSERT_ONLY: "upsert-only", DnsPolicy.SYNC: "sync"}
    return {
        "serviceAccount": {"name": names.EXTERNAL_DNS_SERVICE_ACCOUNT},
        "provider": {"name": "aws"},
        # Services and Ingresses are made by teams, which could take the names of others with them.
        "sources": ["gateway-httproute", "gateway-grpcroute"],
        "policy": policies[spec.policy],
        "registry": "txt",
        "txtOwnerId": cluster_name,
        "env": [{"name": "AWS_REGION", "value": region}],
        "extraArgs": [
            *(f"--zone-id-filter={zone}" for zone in spec.hosted_zones),
            # An asterisk is a wildcard only where a name begins with it, and the marks of names begin otherwise.
            "--txt-wildcard-replacement=wildcard",
        ],
        "resources": resources("50m", "64Mi", "256Mi"),
        "affinity": affinity(_LABELS),
    }


def _policy(spec: ExternalDnsSpec, region: str) -> dict[str, Any]:
    """What it may do in Route 53. Source: https://kubernetes-sigs.github.io/external-dns/latest/docs/tutorials/aws/."""
    zones = [f"arn:{partition(region)}:route53:::hostedzone/{zone}" for zone in spec.hosted_zones]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "WriteNames",
                "Effect": "Allow",
                "Action": [
                    "route53:ChangeResourceRecordSets",
                    "route53:ListResourceRecordSets",
                    "route53:ListTagsForResources",
                ],
                "Resource": zones,
            },
            {"Sid": "FindZones", "Effect": "Allow", "Action": "route53:ListHostedZones", "Resource": "*"},
        ],
    }
