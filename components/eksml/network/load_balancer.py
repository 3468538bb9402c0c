"""What every entry is made of: a Gateway with its load balancer and certificate, and the way from HTTP to HTTPS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

import pulumi
import pulumi_aws as aws
from pydantic import Field

from eksml import names
from eksml.component import Component, Tags
from eksml.errors import Problem, repetitions
from eksml.kubernetes_object import pulumi_type
from eksml.network.target_group import target_group
from eksml.spec import BucketName, CertificateArn, Cidr, HostedZoneId, HostPattern, RelativePath, Spec

_ENTRY = names.ENTRY
_REDIRECT = "redirect"
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
_TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
_FROM_SAME = {"namespaces": {"from": "Same"}}


class Scheme(StrEnum):
    """Who can reach a load balancer."""

    INTERNAL = "internal"
    """The VPC, and the networks that are connected with it."""
    INTERNET_FACING = "internetFacing"
    """The internet."""


class CertificateTls(Spec):
    """TLS with a certificate that exists."""

    kind: Literal["certificate"] = "certificate"
    arn: CertificateArn
    """ARN of the certificate in ACM, in the region of the cluster."""


class HostedZoneTls(Spec):
    """TLS with a certificate that is made for the host, and proven by a record in Route 53."""

    kind: Literal["hostedZone"] = "hostedZone"
    zone_id: HostedZoneId
    """Id of the public hosted zone that the host is in."""


Tls = Annotated[CertificateTls | HostedZoneTls, Field(discriminator="kind")]
IdleTimeout = Annotated[int, Field(strict=True, ge=1, le=4000)]


class AccessLogs(Spec):
    """A record of every request, in S3."""

    bucket: BucketName
    """Name of a bucket in the same region, whose policy lets load balancers write to it."""
    prefix: RelativePath | None = None
    """What the keys begin with."""


class LoadBalancerSpec(Spec):
    """The load balancer of an entry."""

    scheme: Scheme = Scheme.INTERNAL
    """internal: from the VPC and what is connected with it. internetFacing: from the internet."""
    host: HostPattern | None = None
    """The host name that it answers to, or *.DOMAIN for all that end so; by default whichever it is called."""
    tls: Tls | None = None
    """HTTPS, with plain HTTP led there: a certificate of ACM, or one that is made; null: plain HTTP."""
    source_ranges: tuple[Cidr, ...] = ()
    """IPv4 ranges from which it can be reached; by default any."""
    idle_timeout_seconds: IdleTimeout = 300
    """Seconds of silence after which a connection is cut: longer than the longest answer that is not streamed."""
    access_logs: AccessLogs | None = None
    """Where requests are recorded; null: nowhere."""

    def rules(self) -> Iterator[Problem]:
        """A range stands once."""
        yield from repetitions(("sourceRanges",), self.source_ranges)


def load_balancer_problems(spec: LoadBalancerSpec, region: str) -> Iterator[Problem]:
    """What does not hold between an entry and the region that it is in."""
    if isinstance(spec.tls, CertificateTls) and (of_certificate := spec.tls.arn.split(":")[3]) != region:
        yield Problem(("tls", "arn"), f"it is in {of_certificate}, must be in {region}, as the load balancer is")


class Entry(Component):
    """The base of every entry: the Gateway `entry` of a namespace, with one load balancer.

    Attributes:
        certificate_arn: the ARN of its certificate, if it has one.
    """

    def __init__(
        self,
        token: str,
        name: str,
        spec: LoadBalancerSpec,
        *,
        namespace: str,
        labels: Mapping[str, str],
        tags: Tags | None,
        opts: pulumi.ResourceOptions | None,
    ):
        super().__init__(token, name, spec, opts, tags)
        self._metadata = {"namespace": namespace, "labels": dict(labels)}
        self.certificate_arn = self._certificate(spec)

    def make_gateway(
        self, spec: LoadBalancerSpec, needs: list[pulumi.Resource], allowed_routes: Mapping[str, Any] = _FROM_SAME
    ) -> pulumi.Resource:
        """Makes the Gateway and what configures it, after what it needs.

        Arguments:
            spec: its load balancer.
            needs: what is there before, and as long as it is.
            allowed_routes: which routes it takes, in the words of the Gateway API.
        """
        # What a server says of itself comes first; of whatever else a route leads to, an answer is enough.
        behind = {"defaultConfiguration": target_group("/", "200-499", drain_seconds=30)}
        default = self.aws_object("TargetGroupConfiguration", behind, needs)
        load_balancer = self.aws_object(
            "LoadBalancerConfiguration", _load_balancer(spec, self.certificate_arn, self.own_tags), [*needs, default]
        )
        # Its load balancer is gone before what it is made by.
        body = _gateway(spec, allowed_routes)
        gateway = self._object(_ENTRY, names.GATEWAY_API_VERSION, "Gateway", body, [*needs, load_balancer])
        if spec.tls:
            self._object(_REDIRECT, names.GATEWAY_API_VERSION, "HTTPRoute", _redirect(), [gateway])
        return gateway

    def aws_object(self, kind: str, spec: Mapping[str, Any], needs: list[pulumi.Resource]) -> pulumi.Resource:
        """Makes an object `entry` of a kind that the load balancer controller adds to the Gateway API."""
        return self._object(_ENTRY, names.GATEWAY_AWS_API_VERSION, kind, spec, needs)

    def _object(
        self, name: str, api_version: str, kind: str, spec: Mapping[str, Any], needs: list[pulumi.Resource]
    ) -> pulumi.Resource:
        return pulumi.CustomResource(
            pulumi_type(api_version, kind),
            f"{self.resource_name}-{name}-{kind.lower()}",
            {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **self._metadata}, "spec": spec},
            self.child(depends_on=needs),
        )

    def _certificate(self, spec: LoadBalancerSpec) -> pulumi.Input[str] | None:
        if not isinstance(spec.tls, HostedZoneTls):
            return spec.tls.arn if spec.tls else None
        name = self.resource_name
        certificate = aws.acm.Certificate(
            name, domain_name=str(spec.host), validation_method="DNS", tags=self.tagged(name), opts=self.child()
        )
        proof = certificate.domain_validation_options[0]
        record = aws.route53.Record(
            name,
            zone_id=spec.tls.zone_id,
            name=proof.resource_record_name,
            type=proof.resource_record_type,
            records=[proof.resource_record_value],
            ttl=300,
            # *.DOMAIN and DOMAIN have the same proof.
            allow_overwrite=True,
            opts=self.child(),
        )
        return aws.acm.CertificateValidation(
            name, certificate_arn=certificate.arn, validation_record_fqdns=[record.fqdn], opts=self.child()
        ).certificate_arn


def _gateway(spec: LoadBalancerSpec, allowed_routes: Mapping[str, Any]) -> dict[str, Any]:
    http, https = {"protocol": "HTTP", "port": 80}, {"protocol": "HTTPS", "port": 443}
    # Of its own host alone, or a route of a member could have the name of another team written into DNS.
    host = {"hostname": spec.host} if spec.host else {}
    listeners = [{"name": _ENTRY, **(https if spec.tls else http), **host, "allowedRoutes": allowed_routes}]
    if spec.tls:
        listeners.append({"name": _REDIRECT, **http, **host, "allowedRoutes": _FROM_SAME})
    return {
        "gatewayClassName": names.GATEWAY_CLASS,
        "infrastructure": {
            "parametersRef": {"group": "gateway.k8s.aws", "kind": "LoadBalancerConfiguration", "name": _ENTRY}
        },
        "listeners": listeners,
    }


def _load_balancer(spec: LoadBalancerSpec, certificate_arn: pulumi.Input[str] | None, tags: Tags) -> dict[str, Any]:
    schemes = {Scheme.INTERNAL: "internal", Scheme.INTERNET_FACING: "internet-facing"}
    secure = {"protocolPort": "HTTPS:443", "defaultCertificate": certificate_arn, "sslPolicy": _TLS_POLICY}
    return {
        "scheme": schemes[spec.scheme],
        "defaultTargetGroupConfiguration": {"name": _ENTRY},
        "loadBalancerAttributes": [{"key": key, "value": value} for key, value in _attributes(spec).items()],
        **({"listenerConfigurations": [secure]} if spec.tls else {}),
        **({"sourceRanges": list(spec.source_ranges)} if spec.source_ranges else {}),
        "tags": dict(tags),
    }


def _attributes(spec: LoadBalancerSpec) -> dict[str, str]:
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html
    attributes = {
        "idle_timeout.timeout_seconds": str(spec.idle_timeout_seconds),
        "routing.http.drop_invalid_header_fields.enabled": "true",
    }
    if spec.access_logs:
        attributes |= {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": spec.access_logs.bucket}
        if spec.access_logs.prefix:
            attributes["access_logs.s3.prefix"] = spec.access_logs.prefix
    return attributes


def _redirect() -> dict[str, Any]:
    return {
        "parentRefs": [{"name": _ENTRY, "sectionName": _REDIRECT}],
        "rules": [
            {
                "filters": [
                    {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "port": 443, "statusCode": 301}}
                ]
            }
        ],
    }
