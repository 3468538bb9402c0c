"""A team's entry: one load balancer for all its model servers, which are reached by host name and path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import pulumi
import pulumi_kubernetes as k8s
from pydantic import Field

from eksml import names
from eksml.addresses import is_open
from eksml.component import Tags
from eksml.errors import Problem
from eksml.network.authentication import JsonWebToken, OpenIdConnect, authentication_action
from eksml.network.load_balancer import Entry, HostedZoneTls, LoadBalancerSpec, Scheme
from eksml.network.team_routes import MEMBERS_RULES, READ, RULES_KIND, routes_policy

_RBAC = "rbac.authorization.k8s.io"


class TeamGatewaySpec(LoadBalancerSpec):
    """Where a team's model servers are reached from outside its namespace, and by whom."""

    authentication: Annotated[OpenIdConnect | JsonWebToken, Field(discriminator="kind")] | None = None
    """Who is let through by the load balancer: by openIdConnect people, by jwt programs; null: whoever reaches it."""

    def rules(self) -> Iterator[Problem]:
        """What only HTTPS can do has a certificate, and the internet does not come in unasked."""
        yield from super().rules()
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


class TeamGateway(Entry):
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
        labels = {names.TEAM_LABEL: team}
        super().__init__("eksml:network:TeamGateway", name, spec, namespace=team, labels=labels, tags=tags, opts=opts)
        self._team = team
        rules = self.aws_object(RULES_KIND, _listener_rules(spec, self.own_tags), [])
        self.make_gateway(spec, needs=[rules])
        self._rights(spec, self._admission_policy())
        self.register_outputs({"certificateArn": self.certificate_arn})

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


def _listener_rules(spec: TeamGatewaySpec, tags: Tags) -> dict[str, Any]:
    """What holds for every rule of the entry's listener: who is let through."""
    actions = {"actions": [authentication_action(spec.authentication)]} if spec.authentication else {}
    return {**actions, "tags": dict(tags)}
