"""Working hours of a development stack: outside of them it has no GPU nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s

from eksml import names
from eksml.catalog import partition
from eksml.component import Component, Tags
from eksml.containers import CONTAINER_SECURITY, pod_security
from eksml.controllers import no_gpu_nodes, operator_namespace, resources
from eksml.errors import Problem
from eksml.image_registry import image_of
from eksml.nodes.managed_pool import CapacityBlock, ManagedPool, ManagedPoolSpec, Reservation
from eksml.spec import Flag
from eksml.weekly_hours import DAYS, WeeklyHours, minutes_of

_RBAC = "rbac.authorization.k8s.io"
_NODE_CLAIMS = "nodeclaims.karpenter.sh"
_NAME = "end-of-day"
_POLICY = "eksml-working-hours"
# Karpenter drains its nodes within it; without nodes for itself it could not.
_MINUTES_TO_DRAIN = 60
_DAY_MINUTES = 24 * 60
_LONGEST_NAME = 64
_NOBODY = 65532
_RETRY_SECONDS = 3600


class ScheduleSpec(WeeklyHours):
    """When the nodes of a development stack are there. Outside of these hours pods that need one of them wait."""

    system_pools: Flag = False
    """Whether the managed pools without GPUs go too, an hour after the others: then nothing of the platform runs."""

    def wakes(self, pool: ManagedPoolSpec) -> bool:
        """Whether a managed pool comes and goes by this schedule; what is reserved is paid for anyway."""
        is_reserved = isinstance(pool.capacity, Reservation | CapacityBlock)
        return pool.size > 0 and not is_reserved and (pool.has_gpus or self.system_pools)


def schedule_problems(
    spec: ScheduleSpec,
    *,
    managed_pools: Mapping[str, ManagedPoolSpec],
    karpenter_pools: tuple[str, ...],
    is_protected: bool,
) -> Iterator[Problem]:
    """What does not hold between the schedule and the rest of a platform, below `schedule`.

    Arguments:
        spec: the schedule.
        managed_pools: the managed pools by name.
        karpenter_pools: the names of Karpenter's pools.
        is_protected: whether the cluster is protected from being destroyed.
    """
    if not karpenter_pools and not any(spec.wakes(pool) for pool in managed_pools.values()):
        yield Problem(
            (), "given, but no pool comes and goes by it: there is none of Karpenter or with GPUs", ("pools",)
        )
    if is_protected:
        reason = "a cluster with deletionProtection is one that others rely on, and it would lose its nodes every day"
        yield Problem((), f"given, but {reason}: set one of them to null or false", ("cluster", "deletionProtection"))


class Schedule(Component):
    """Takes the nodes of a development stack away when the working day ends, and brings them back when it begins.

    EventBridge Scheduler sets managed pools to no nodes, and back to their size. Of Karpenter's nodes a CronJob takes
    leave, and until the next working day the API server refuses new ones. Of what Pulumi made nothing is changed but
    the sizes of managed pools.

    Arguments:
        spec: the working hours.
        region: the AWS region.
        cluster_name: name of the EKS cluster.
        managed_pools: by name, the managed pools; those that come and go are chosen by the schedule.
        managed_specs: by name, their Specs.
        karpenter_pools: the names of Karpenter's pools.
        tags: tags for every AWS resource that can carry them.
        image_registry: a registry that the image comes from, instead of its own.
    """

    def __init__(
        self,
        name: str,
        spec: ScheduleSpec,
        *,
        region: str,
        cluster_name: pulumi.Input[str],
        managed_pools: Mapping[str, ManagedPool],
        managed_specs: Mapping[str, ManagedPoolSpec],
        karpenter_pools: tuple[str, ...] = (),
        tags: Tags | None = None,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:nodes:Schedule", name, spec, opts, tags, image_registry)
        pools = {pool: managed_specs[pool] for pool in managed_pools if spec.wakes(managed_specs[pool])}
        if pools:
            self._sizes(spec, region, cluster_name, {pool: managed_pools[pool].node_group for pool in pools}, pools)
        if karpenter_pools:
            self._no_new_nodes(spec, karpenter_pools)
            self._end_of_day(spec, karpenter_pools)
        self.register_outputs({})

    def _sizes(
        self,
        spec: ScheduleSpec,
        region: str,
        cluster_name: pulumi.Input[str],
        groups: Mapping[str, aws.eks.NodeGroup],
        pools: Mapping[str, ManagedPoolSpec],
    ) -> None:
        name = self.resource_name
        schedules = aws.scheduler.ScheduleGroup(name, tags=self.tagged(name), opts=self.child())
        role = aws.iam.Role(
            names.fitted(name, _LONGEST_NAME),
            assume_role_policy=pulumi.Output.json_dumps(_trust(schedules.arn)),
            tags=self.tagged(name),
            opts=self.child(),
        )
        policy = pulumi.Output.json_dumps(_policy([group.arn for group in groups.values()]))
        rights = aws.iam.RolePolicy(name, role=role.name, policy=policy, opts=self.child())
        for pool, pool_spec in pools.items():
            later = 0 if pool_spec.has_gpus else _MINUTES_TO_DRAIN
            times = {"start": (minutes_of(spec.start), pool_spec.size), "end": (minutes_of(spec.end) + later, 0)}
            for time, (minutes, size) in times.items():
                asked = _scaling(cluster_name, groups[pool].node_group_name, size, max(pool_spec.size, 1))
                schedule = f"{name}-{pool}-{time}"
                aws.scheduler.Schedule(
                    schedule,
                    name=names.fitted(schedule, _LONGEST_NAME),
                    group_name=schedules.name,
                    schedule_expression=_aws_cron(spec, minutes),
                    schedule_expression_timezone=spec.time_zone,
                    flexible_time_window={"mode": "OFF"},
                    target={
                        "arn": f"arn:{partition(region)}:scheduler:::aws-sdk:eks:updateNodegroupConfig",
                        "role_arn": role.arn,
                        "input": pulumi.Output.json_dumps(asked),
                        # EKS refuses while another update of the pool is under way.
                        "retry_policy": {
                            "maximum_event_age_in_seconds": _RETRY_SECONDS,
                            "maximum_retry_attempts": 30,
                        },
                    },
                    opts=self.child(depends_on=[rights]),
                )

    def _no_new_nodes(self, spec: ScheduleSpec, pools: tuple[str, ...]) -> None:
        """Has the API server refuse nodes outside working hours; limits of NodePools are Pulumi's, and stay."""
        name = f"{self.resource_name}-no-new-nodes"
        made = k8s.admissionregistration.v1.ValidatingAdmissionPolicy(
            name, metadata={"name": _POLICY}, spec=_working_hours_policy(spec, pools), opts=self.child()
        )
        k8s.admissionregistration.v1.ValidatingAdmissionPolicyBinding(
            name,
            metadata={"name": _POLICY},
            spec={"policy_name": _POLICY, "validation_actions": ["Deny"]},
            opts=self.child(depends_on=[made]),
        )

    def _end_of_day(self, spec: ScheduleSpec, pools: tuple[str, ...]) -> None:
        name = f"{self.resource_name}-{_NAME}"
        inside = self.child(depends_on=[operator_namespace(self, names.SCHEDULE_NAMESPACE)])
        metadata = k8s.meta.v1.ObjectMetaArgs(name=_NAME, namespace=names.SCHEDULE_NAMESPACE)
        account = k8s.core.v1.ServiceAccount(name, metadata=metadata, opts=inside)
        everywhere = k8s.meta.v1.ObjectMetaArgs(name=_POLICY)
        rule = k8s.rbac.v1.PolicyRuleArgs(
            api_groups=["karpenter.sh"], resources=["nodeclaims"], verbs=["get", "list", "delete"]
        )
        role = k8s.rbac.v1.ClusterRole(name, metadata=everywhere, rules=[rule], opts=self.child())
        binding = k8s.rbac.v1.ClusterRoleBinding(
            name,
            metadata=everywhere,
            role_ref={"api_group": _RBAC, "kind": "ClusterRole", "name": _POLICY},
            subjects=[{"kind": "ServiceAccount", "name": _NAME, "namespace": names.SCHEDULE_NAMESPACE}],
            opts=self.child(depends_on=[role]),
        )
        k8s.networking.v1.NetworkPolicy(
            name,
            metadata=metadata,
            # The Kubernetes API and nothing else, and nobody comes in.
            spec={
                "pod_selector": {},
                "policy_types": ["Ingress", "Egress"],
                "egress": [{"ports": [{"protocol": "TCP", "port": 443}]}],
            },
            opts=inside,
        )
        k8s.batch.v1.CronJob(
            name,
            metadata=metadata,
            spec=_cron_job(spec, pools, image_of("kubectl", self.image_registry)),
            opts=self.child(depends_on=[account, binding]),
        )


def _trust(schedule_group: pulumi.Output[str]) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "scheduler.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceArn": schedule_group}},
            }
        ],
    }


def _policy(node_groups: list[pulumi.Output[str]]) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "eks:UpdateNodegroupConfig", "Resource": node_groups}],
    }


def _scaling(cluster_name: pulumi.Input[str], node_group: pulumi.Output[str], size: int, most: int) -> dict[str, Any]:
    # EventBridge Scheduler writes names with a capital, which EKS itself does not.
    sizes = {"MinSize": size, "DesiredSize": size, "MaxSize": most}
    return {"ClusterName": cluster_name, "NodegroupName": node_group, "ScalingConfig": sizes}


def _aws_cron(spec: WeeklyHours, minutes: int) -> str:
    """When, on each of the days, or on the next one where the minutes go past midnight."""
    days_later, minutes = divmod(minutes, _DAY_MINUTES)
    days = sorted((DAYS.index(day) + days_later) % 7 for day in spec.days)
    return f"cron({minutes % 60} {minutes // 60} ? * {','.join(DAYS[day][:3].upper() for day in days)} *)"


def _working_hours_policy(spec: ScheduleSpec, pools: tuple[str, ...]) -> Any:
    """Which nodes of Karpenter may be made when, in the Common Expression Language.

    Where it cannot be judged, nodes are made: a day without GPUs is worse than a night with them.
    """
    zone, days = spec.time_zone, [DAYS.index(day) for day in spec.days]
    return {
        "failure_policy": "Ignore",
        "match_constraints": {
            "resource_rules": [
                {
                    "api_groups": ["karpenter.sh"],
                    "api_versions": ["*"],
                    "resources": ["nodeclaims"],
                    "operations": ["CREATE"],
                }
            ]
        },
        "match_conditions": [
            {
                "name": "of-these-pools",
                "expression": f"object.metadata.?labels['{names.KARPENTER_POOL_LABEL}'].orValue('') in {list(pools)}",
            }
        ],
        "variables": [
            {"name": "now", "expression": "timestamp(object.metadata.creationTimestamp)"},
            {
                "name": "minutes",
                "expression": f"variables.now.getHours('{zone}') * 60 + variables.now.getMinutes('{zone}')",
            },
        ],
        "validations": [
            {
                "expression": f"variables.now.getDayOfWeek('{zone}') in {sorted(days)}"
                f" && variables.minutes >= {minutes_of(spec.start)} && variables.minutes < {minutes_of(spec.end)}",
                "message": f"nodes are there {spec.text} only (schedule)",
            }
        ],
    }


def _cron_job(spec: ScheduleSpec, pools: tuple[str, ...], image: str) -> Any:
    minutes = minutes_of(spec.end)
    days = ",".join(str(DAYS.index(day)) for day in sorted(spec.days, key=DAYS.index))
    labels = {"app.kubernetes.io/name": _NAME}
    container = {
        "name": "kubectl",
        "image": image,
        # Karpenter drains them; the Job does not wait for it.
        "args": [
            "delete",
            _NODE_CLAIMS,
            f"--selector={names.KARPENTER_POOL_LABEL} in ({','.join(pools)})",
            "--wait=false",
        ],
        "resources": resources("50m", "64Mi", "128Mi"),
        "securityContext": {**CONTAINER_SECURITY, "readOnlyRootFilesystem": True},
    }
    pod = {
        "serviceAccountName": _NAME,
        "restartPolicy": "OnFailure",
        "affinity": no_gpu_nodes(),
        "securityContext": pod_security(_NOBODY),
        "containers": [container],
    }
    return {
        "schedule": f"{minutes % 60} {minutes // 60} * * {days}",
        "timeZone": spec.time_zone,
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": _RETRY_SECONDS,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 1,
        "jobTemplate": {
            "spec": {
                "backoffLimit": 6,
                "activeDeadlineSeconds": 600,
                "template": {"metadata": {"labels": labels}, "spec": pod},
            }
        },
    }
