"""A team's entry: one load balancer for all its model servers, which are reached by host name and path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
from pydantic import Field

from eksml import names
from eksml.addresses import is_open
from eksml.component import Component, Tags
from eksml.errors import Problem, repetitions
from eksml.network.authentication import JsonWebToken, OpenIdConnect, authentication_action
from eksml.network.target_group import target_group
from eksml.network.team_routes import MEMBERS_RULES, READ, RULES_KIND, routes_policy
from eksml.spec import BucketName, CertificateArn, Cidr, HostedZoneId, HostPattern, RelativePath, Spec

_ENTRY = names.TEAM_GATEWAY
_REDIRECT = "redirect"
_RBAC = "rbac.authorization.k8s.io"
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
_TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"


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


class AccessLogs(Spec):
    """A record of every request, in S3."""

    bucket: BucketName
    """Name of a bucket in the same region, whose policy lets load balancers write to it."""
    prefix: RelativePath | None = None
    """What the keys begin with."""


class TeamGatewaySpec(Spec):
    """Where a team's model servers are reached from outside its namespace, and by whom."""

    scheme: Scheme = Scheme.INTERNAL
    """internal: from the VPC and what is connected with it. internetFacing: from the internet."""
    host: HostPattern | None = None
    """The host name that it answers to, or *.DOMAIN for all that end so; by default whichever it is called."""
    tls: Annotated[CertificateTls | HostedZoneTls, Field(discriminator="kind")] | None = None
    """HTTPS, with plain HTTP led there: a certificate of ACM, or one that is made; null: plain HTTP."""
    authentication: Annotated[OpenIdConnect | JsonWebToken, Field(discriminator="kind")] | None = None
    """Who is let through by the load balancer: by openIdConnect people, by jwt programs; null: whoever reaches it."""
    source_ranges: tuple[Cidr, ...] = ()
    """IPv4 ranges from which it can be reached; by default any."""
    idle_timeout_seconds: Annotated[int, Field(strict=True, ge=1, le=4000)] = 300
    """Seconds of silence after which a connection is cut: longer than the longest answer that is not streamed."""
    access_logs: AccessLogs | None = None
    """Where requests are recorded; null: nowhere."""

    def rules(self) -> Iterator[Problem]:
        """What only HTTPS can do has a certificate, and the internet does not come in unasked."""
        yield from repetitions(("sourceRanges",), self.source_ranges)
        if self.authentication and self.tls is None:
            yield Problem(("tls",), "missing: load balancers authenticate over HTTPS only", ("authentication",))
        if isinstance(self.tls, HostedZoneTls) and self.host is None:
            yield Problem(("host",), "missing: a certificate is made for a host name, or *.DOMAIN", ("tls",))
        if self.scheme is Scheme.INTERNET_FACING:
            if self.tls is None:
                yield Problem(("tls",), "missing: what the internet reaches has a certificate", ("scheme",))
            if self.authentication is None and (not self.source_ranges or any(map(is_open, self.source_ranges))):
                reason = "with internetFacing and without it, anybody uses the team's GPUs"
                yield Problem(("authentication",), f"missing: {reason}; or give sourceRanges of your own", ("scheme",))


class TeamGateway(Component):
    """A Gateway with its load balancer, its certificate, and what holds for every route to a server of the team.

    Routes name its listener `entry`, and in each rule the ListenerRuleConfiguration `entry`; the API server refuses
    others. Members of the team make routes; of the rest they read.

    Arguments:
        spec: where it is reached, and by whom.
        team: the team's namespace, which exists.
        tags: tags for everything in AWS, the load balancer too.

    Attributes:
        certificate_arn: the ARN of its certificate, if it has one.
    """

    def __init__(
        self,
        name: str,
        spec: TeamGatewaySpec,
        *,
        team: str,
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:network:TeamGateway", name, spec, opts, tags)
        self._team = team
        self.certificate_arn = self._certificate(spec)
        rules = self._object(_ENTRY, names.GATEWAY_AWS_API_VERSION, RULES_KIND, _listener_rules(spec, self.own_tags))
        # What a server says of itself comes first; of whatever else a route leads to, an answer is enough.
        behind = {"defaultConfiguration": target_group("/", "200-499", drain_seconds=30)}
        default = self._object(_ENTRY, names.GATEWAY_AWS_API_VERSION, "TargetGroupConfiguration", behind)
        load_balancer = self._object(
            _ENTRY,
            names.GATEWAY_AWS_API_VERSION,
            "LoadBalancerConfiguration",
            _load_balancer(spec, self.certificate_arn, self.own_tags),
            needs=[default],
        )
        # Its load balancer is gone before what it is made by.
        gateway = self._object(
            _ENTRY, names.GATEWAY_API_VERSION, "Gateway", _gateway(spec), needs=[rules, load_balancer]
        )
        if spec.tls:
            self._object(_REDIRECT, names.GATEWAY_API_VERSION, "HTTPRoute", _redirect(), needs=[gateway])
        self._rights(spec, self._admission_policy())
        self.register_outputs({"certificateArn": self.certificate_arn})

    def _certificate(self, spec: TeamGatewaySpec) -> pulumi.Input[str] | None:
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

    def _object(
        self, name: str, api_version: str, kind: str, spec: dict[str, Any], needs: list[pulumi.Resource] | None = None
    ) -> pulumi.Resource:
        return pulumi.CustomResource(
            f"kubernetes:{api_version}:{kind}",
            f"{self.resource_name}-{name}-{kind.lower()}",
            {
                "apiVersion": api_version,
                "kind": kind,
                "metadata": {"name": name, "namespace": self._team, "labels": {names.TEAM_LABEL: self._team}},
                "spec": spec,
            },
            self.child(depends_on=needs),
        )

    def _admission_policy(self) -> pulumi.Resource:
        resource, name = f"{self.resource_name}-routes", f"eksml-team-{self._team}-routes"
        metadata = k8s.meta.v1.ObjectMetaArgs(name=name, labels={names.TEAM_LABEL: self._team})
        made = k8s.admissionregistration.v1.ValidatingAdmissionPolicy(
            resource, metadata=metadata, spec=routes_policy(self._team), opts=self.child()
        )
        return k8s.admissionregistration.v1.ValidatingAdmissionPolicyBinding(
            resource,
            metadata=metadata,
            spec={"policy_name": name, "validation_actions": ["Deny"]},
            opts=self.child(depends_on=[made]),
        )

    def _rights(self, spec: TeamGatewaySpec, policy: pulumi.Resource) -> None:
        members = k8s.rbac.v1.SubjectArgs(api_group=_RBAC, kind="Group", name=names.team_group(self._team))
        # Nobody makes routes before what holds them.
        self._role("gateway", MEMBERS_RULES, members, needs=[policy])
        if isinstance(spec.authentication, OpenIdConnect):
            # Of all Secrets in the cluster the controller reads this one.
            controller = k8s.rbac.v1.SubjectArgs(
                kind="ServiceAccount",
                name=names.LOAD_BALANCER_CONTROLLER_SERVICE_ACCOUNT,
                namespace=names.SYSTEM_NAMESPACE,
            )
            secret = k8s.rbac.v1.PolicyRuleArgs(
                api_groups=[""], resources=["secrets"], resource_names=[spec.authentication.secret], verbs=READ
            )
            self._role("gateway-secret", [secret], controller, needs=[])

    def _role(
        self,
        role: str,
        rules: Sequence[k8s.rbac.v1.PolicyRuleArgs],
        subject: k8s.rbac.v1.SubjectArgs,
        needs: list[pulumi.Resource],
    ) -> None:
        name = f"{self.resource_name}-{role}"
        metadata = k8s.meta.v1.ObjectMetaArgs(name=role, namespace=self._team, labels={names.TEAM_LABEL: self._team})
        made = k8s.rbac.v1.Role(name, metadata=metadata, rules=list(rules), opts=self.child())
        k8s.rbac.v1.RoleBinding(
            name,
            metadata=metadata,
            role_ref={"api_group": _RBAC, "kind": "Role", "name": role},
            subjects=[subject],
            opts=self.child(depends_on=[made, *needs]),
        )


def _gateway(spec: TeamGatewaySpec) -> dict[str, Any]:
    http, https = {"protocol": "HTTP", "port": 80}, {"protocol": "HTTPS", "port": 443}
    host = {"hostname": spec.host} if spec.host else {}
    listeners = [{"name": _ENTRY, **(https if spec.tls else http)}]
    if spec.tls:
        listeners.append({"name": _REDIRECT, **http})
    return {
        "gatewayClassName": names.GATEWAY_CLASS,
        "infrastructure": {
            "parametersRef": {"group": "gateway.k8s.aws", "kind": "LoadBalancerConfiguration", "name": _ENTRY}
        },
        # Of its own host alone, or a route of a member could have the name of another team written into DNS.
        "listeners": [{**each, **host, "allowedRoutes": {"namespaces": {"from": "Same"}}} for each in listeners],
    }


def _load_balancer(spec: TeamGatewaySpec, certificate_arn: pulumi.Input[str] | None, tags: Tags) -> dict[str, Any]:
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


def _attributes(spec: TeamGatewaySpec) -> dict[str, str]:
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


def _listener_rules(spec: TeamGatewaySpec, tags: Tags) -> dict[str, Any]:
    """What holds for every rule of the entry's listener: who is let through."""
    actions = {"actions": [authentication_action(spec.authentication)]} if spec.authentication else {}
    return {**actions, "tags": dict(tags)}
