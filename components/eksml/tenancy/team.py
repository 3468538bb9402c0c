"""A team: a namespace of its own, and what may happen in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
from pydantic import Field

from eksml import names
from eksml.cluster.pod_identity import PodIdentity, PodIdentitySpec
from eksml.component import Component, Tags
from eksml.errors import Problem, repetitions
from eksml.network.team_gateway import TeamGateway, TeamGatewaySpec
from eksml.spec import PolicyArn, PoolName, PrincipalArn, PriorityClassName, Spec, pattern
from eksml.tenancy.admission import admission_policies
from eksml.tenancy.network_policies import TeamEgress, network_policies
from eksml.tenancy.permissions import PERMISSIONS, READABLE
from eksml.tenancy.quotas import MEMORY, Amount, PoolQuota, TeamLimits, quantity

Owner = Annotated[
    str, pattern(r"^(#[^\s]{1,80}|[^@\s]+@[^@\s.]+(\.[^@\s.]+)+)$", "a mail address, or a channel such as #ml")
]

_RBAC = "rbac.authorization.k8s.io"
_INGRESSES = "count/ingresses.networking.k8s.io"
_LUSTRE_STORAGE = f"{names.LUSTRE_STORAGE_CLASS}.storageclass.storage.k8s.io/requests.storage"


class TeamVolumes(Spec):
    """What a team may have in volumes. A claim of EFS counts with the size that it asks for, and may grow beyond."""

    claims: Annotated[int, Field(strict=True, ge=0, le=10_000)] = 20
    """PersistentVolumeClaims."""
    gib: Amount = 1000
    """GiB that they may ask for together, of all StorageClasses."""
    lustre_gib: Amount = 0
    """GiB of these that may be of the StorageClass lustre, where each claim is a file system of 1,200 GiB or more."""

    def rules(self) -> Iterator[Problem]:
        """A part is no more than the whole."""
        if self.lustre_gib > self.gib:
            yield Problem(
                ("lustreGib",), f"{self.lustre_gib} given, must be at most gib, {self.gib}, which includes it"
            )


class TeamSpec(Spec):
    """What a team may use, and who belongs to it."""

    owner: Owner | None = None
    """Who is told of what is about the team: a mail address, or a channel such as #ml."""
    principals: tuple[PrincipalArn, ...] = ()
    """ARNs of the IAM roles or users that work in the team's namespace."""
    quotas: dict[PoolName, PoolQuota] = Field(default_factory=dict)
    """What the team may use, by pool; of a pool that is not named it may use nothing."""
    limits: TeamLimits | None = None
    """What it may use in all, instead of quotas, where its nodes are no pools of the stack and nothing is queued."""
    volumes: TeamVolumes = Field(default_factory=TeamVolumes)
    """What it may have in volumes."""
    priority_classes: tuple[PriorityClassName, ...] = ()
    """PriorityClasses above 0 that its pods may name although they can drive out pods of others, never the system's."""
    load_balancers: Annotated[int, Field(strict=True, ge=0, le=50)] = 0
    """Services of type LoadBalancer that the team may make, and as many Ingresses; its gateway does not count."""
    gateway: TeamGatewaySpec | None = None
    """The entry by which its model servers are reached from outside its namespace; null: they are not."""
    egress: tuple[TeamEgress, ...] = ()
    """What its pods may reach beside the team, the platform, and HTTPS anywhere."""
    pod_security: Literal["baseline", "restricted"] = "baseline"
    """The Pod Security standard that its pods must meet; restricted refuses images that run as root."""
    managed_policies: tuple[PolicyArn, ...] = ()
    """ARNs of IAM policies for the team's pods, beside what the platform gives them."""

    def rules(self) -> Iterator[Problem]:
        """Nothing stands twice, and the system's priorities are its own."""
        yield from repetitions(("principals",), self.principals)
        yield from repetitions(("managedPolicies",), self.managed_policies)
        if self.quotas and self.limits:
            yield Problem(("limits",), "given, but quotas say it already, pool by pool: give one of them")
        for index, name in enumerate(self.priority_classes):
            if name.startswith("system-"):
                yield Problem(
                    ("priorityClasses", index), f"'{name}' given, but what begins with system- is the system's"
                )


class ModelAccess(NamedTuple):
    """What a team may do with the platform's models, as IAM policy documents."""

    read: pulumi.Input[str]
    read_write: pulumi.Input[str]


class Team(Component):
    """A namespace with its quota, limits, network policies, rights and service accounts.

    Pods of the service account `workload` have the team's rights in AWS; those of `model-reader` may only read models.

    Arguments:
        spec: what the team may use, and who belongs to it.
        team: its name, and that of its namespace.
        limits: the most of each resource that its pods may ask for together, in the units of Share.
        pools: the pools that its pods may run in; without any, they may run wherever they find a place.
        cluster_queue: name of the ClusterQueue that its jobs wait in, if they are queued.
        load_balancer_cidrs: the ranges from which load balancers reach its pods.
        cluster_name: name of the EKS cluster; without it the team gets nothing in AWS.
        models: what it may do with the platform's models.
        tags: tags for every AWS resource.
    """

    def __init__(
        self,
        name: str,
        spec: TeamSpec,
        *,
        team: str,
        limits: Mapping[str, int],
        pools: tuple[str, ...] = (),
        cluster_queue: str | None = None,
        load_balancer_cidrs: tuple[str, ...] = (),
        cluster_name: pulumi.Input[str] | None = None,
        models: ModelAccess | None = None,
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:tenancy:Team", name, spec, opts, {**(tags or {}), names.TEAM_TAG: team})
        self._team = team
        self._namespace_object = self._namespace(spec)
        self._limits(spec, limits)
        if cluster_queue:
            self._local_queue(cluster_queue)
        for policy, policy_spec in network_policies(load_balancer_cidrs, spec.egress).items():
            k8s.networking.v1.NetworkPolicy(
                f"{name}-{policy}", metadata=self._metadata(policy), spec=policy_spec, opts=self._inside()
            )
        policies = admission_policies(
            team, pools=pools, priority_classes=spec.priority_classes, is_queued=cluster_queue is not None
        )
        self._rights(spec, cluster_name, [self._admission_policy(*policy) for policy in policies.items()])
        self._service_accounts(spec, cluster_name, models)
        if spec.gateway:
            TeamGateway(f"{name}-gateway", spec.gateway, team=team, tags=self.own_tags, opts=self._inside())
        self.register_outputs({})

    def _metadata(self, name: str) -> k8s.meta.v1.ObjectMetaArgs:
        labels = {names.TEAM_LABEL: self._team}
        return k8s.meta.v1.ObjectMetaArgs(name=name, namespace=self._team, labels=labels)

    def _inside(self) -> pulumi.ResourceOptions:
        return self.child(depends_on=[self._namespace_object])

    def _namespace(self, spec: TeamSpec) -> k8s.core.v1.Namespace:
        labels = {
            names.TEAM_LABEL: self._team,
            names.POD_SECURITY_LABEL: spec.pod_security,
            names.POD_SECURITY_WARN_LABEL: "restricted",
        }
        if spec.gateway:
            # Or a rollout would take the last old pod away before the load balancer sends anything to a new one.
            labels[names.READINESS_GATE_LABEL] = names.READINESS_GATE_VALUE
        return k8s.core.v1.Namespace(
            f"{self.resource_name}-namespace", metadata={"name": self._team, "labels": labels}, opts=self.child()
        )

    def _limits(self, spec: TeamSpec, limits: Mapping[str, int]) -> None:
        hard = {f"requests.{resource}": quantity(resource, amount) for resource, amount in limits.items()}
        hard = {f"requests.{names.GPU_RESOURCE}": "0", **hard}
        hard["persistentvolumeclaims"] = str(spec.volumes.claims)
        volumes = {"requests.storage": spec.volumes.gib, _LUSTRE_STORAGE: spec.volumes.lustre_gib}
        hard |= {resource: quantity(MEMORY, gib * 1024) for resource, gib in volumes.items()}
        hard |= dict.fromkeys(("services.loadbalancers", _INGRESSES), str(spec.load_balancers))
        if not spec.load_balancers:
            # A Service of type LoadBalancer takes node ports too.
            hard["services.nodeports"] = "0"
        k8s.core.v1.ResourceQuota(
            f"{self.resource_name}-quota", metadata=self._metadata("quota"), spec={"hard": hard}, opts=self._inside()
        )
        # A quota on CPU and memory refuses pods that do not say what they ask for; these then get a modest share.
        modest = k8s.core.v1.LimitRangeItemArgs(type="Container", default_request={"cpu": "500m", "memory": "1Gi"})
        k8s.core.v1.LimitRange(
            f"{self.resource_name}-limits",
            metadata=self._metadata("limits"),
            spec=k8s.core.v1.LimitRangeSpecArgs(limits=[modest]),
            opts=self._inside(),
        )

    def _local_queue(self, cluster_queue: str) -> None:
        k8s.apiextensions.CustomResource(
            f"{self.resource_name}-queue",
            api_version=names.KUEUE_API_VERSION,
            kind="LocalQueue",
            metadata=self._metadata(names.LOCAL_QUEUE),
            spec={"clusterQueue": cluster_queue},
            opts=self._inside(),
        )

    def _admission_policy(self, policy: str, policy_spec: Any) -> pulumi.Resource:
        resource, name = f"{self.resource_name}-{policy}", f"eksml-team-{self._team}-{policy}"
        metadata = k8s.meta.v1.ObjectMetaArgs(name=name, labels={names.TEAM_LABEL: self._team})
        made = k8s.admissionregistration.v1.ValidatingAdmissionPolicy(
            resource, metadata=metadata, spec=policy_spec, opts=self.child()
        )
        return k8s.admissionregistration.v1.ValidatingAdmissionPolicyBinding(
            resource,
            metadata=metadata,
            spec={"policy_name": name, "validation_actions": ["Deny"]},
            opts=self.child(depends_on=[made]),
        )

    def _rights(self, spec: TeamSpec, cluster_name: pulumi.Input[str] | None, policies: list[pulumi.Resource]) -> None:
        name, group = self.resource_name, names.team_group(self._team)
        members = [k8s.rbac.v1.SubjectArgs(api_group=_RBAC, kind="Group", name=group)]
        role = k8s.rbac.v1.Role(
            f"{name}-role", metadata=self._metadata("team"), rules=list(PERMISSIONS), opts=self._inside()
        )
        k8s.rbac.v1.RoleBinding(
            f"{name}-members",
            metadata=self._metadata("team"),
            role_ref={"api_group": _RBAC, "kind": "Role", "name": "team"},
            subjects=members,
            # Nobody gets in before what holds them.
            opts=self.child(depends_on=[role, *policies]),
        )
        everywhere = k8s.meta.v1.ObjectMetaArgs(name=group, labels={names.TEAM_LABEL: self._team})
        readable = k8s.rbac.v1.ClusterRole(
            f"{name}-readable", metadata=everywhere, rules=list(READABLE), opts=self.child()
        )
        k8s.rbac.v1.ClusterRoleBinding(
            f"{name}-readers",
            metadata=everywhere,
            role_ref={"api_group": _RBAC, "kind": "ClusterRole", "name": group},
            subjects=members,
            opts=self.child(depends_on=[readable]),
        )
        for principal in spec.principals if cluster_name is not None else ():
            entry = f"{name}-{names.short_hash(principal)}"
            aws.eks.AccessEntry(
                entry,
                cluster_name=cluster_name,
                principal_arn=principal,
                kubernetes_groups=[group],
                tags=self.tagged(entry),
                opts=self.child(),
            )

    def _service_accounts(
        self, spec: TeamSpec, cluster_name: pulumi.Input[str] | None, models: ModelAccess | None
    ) -> None:
        identities: dict[str, tuple[tuple[str, ...], pulumi.Input[str] | None]] = {
            names.TEAM_SERVICE_ACCOUNT: (spec.managed_policies, models.read_write if models else None),
            names.MODEL_READER_SERVICE_ACCOUNT: ((), models.read if models else None),
        }
        for account, (managed_policies, policy) in identities.items():
            k8s.core.v1.ServiceAccount(
                f"{self.resource_name}-{account}", metadata=self._metadata(account), opts=self._inside()
            )
            if cluster_name is not None and (managed_policies or policy is not None):
                identity = PodIdentitySpec(
                    namespace=self._team, service_account=account, managed_policies=managed_policies
                )
                PodIdentity(
                    f"{self.resource_name}-{account}",
                    identity,
                    cluster_name=cluster_name,
                    policy=policy,
                    tags=self.own_tags,
                    opts=self.child(),
                )
