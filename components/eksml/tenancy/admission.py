"""What the API server itself refuses in a team's namespace: pods in other pools, above others, or past their queue.

These policies run inside the API server, so they hold while no webhook does.
"""

from typing import Any

from eksml import names

_GATE = f"'{names.KUEUE_GATE}'"
_KUEUE = f"'system:serviceaccount:{names.KUEUE_NAMESPACE}:{names.KUEUE_SERVICE_ACCOUNT}'"

# In the Common Expression Language: https://kubernetes.io/docs/reference/using-api/cel/
_VARIABLES = {
    "isNew": "oldObject == null",
    "before": "variables.isNew ? [] : oldObject.spec.?schedulingGates.orValue([]).map(gate, gate.name)",
    "now": "object.spec.?schedulingGates.orValue([]).map(gate, gate.name)",
    # Behind a gate a pod waits; Kueue names its pool when it takes the gate away.
    "starts": "size(variables.now) == 0 && (variables.isNew || size(variables.before) > 0)",
}

_GATE_RULE = {
    "expression": f"!({_GATE} in variables.before) || {_GATE} in variables.now"
    f" || request.userInfo.username == {_KUEUE}",
    "message": "this pod waits in a queue, and only Kueue takes it out",
}

# Kueue lets pass what belongs to a job that it queues, and believes whoever says so; a controller lets go of what has
# other labels, and makes another; and what it makes by a changed spec belongs to the same job.
_OWNER_RULE = {
    "expression": "object.metadata.?ownerReferences.orValue([]) == variables.owners"
    " && (size(variables.owners) == 0"
    " || (object.metadata.?labels == oldObject.metadata.?labels && object.?spec == oldObject.?spec))",
    "message": "members of a team set no ownerReferences, and leave alone labels and spec of what a controller made",
}
_OWNERS = "oldObject == null ? [] : oldObject.metadata.?ownerReferences.orValue([])"


def admission_policies(
    team: str, *, pools: tuple[str, ...], priority_classes: tuple[str, ...], is_queued: bool
) -> dict[str, Any]:
    """The specs of a team's admission policies, by name."""
    rules = [_priority_rule(priority_classes)]
    rules += [_pool_rule(pools)] if pools else []
    rules += [_GATE_RULE] if is_queued else []
    policies = {"pods": _policy(team, ("", "pods"), _VARIABLES, rules)}
    if is_queued:
        from_members = {"name": "from-a-member", "expression": f"'{names.team_group(team)}' in request.userInfo.groups"}
        owners = _policy(team, ("*", "*"), {"owners": _OWNERS}, [_OWNER_RULE])
        policies["owners"] = {**owners, "match_conditions": [from_members]}
    return policies


def _policy(
    team: str, kind: tuple[str, str], variables: dict[str, str], validations: list[dict[str, str]]
) -> dict[str, Any]:
    group, resource = kind
    rule = {
        "api_groups": [group],
        "api_versions": ["*"],
        "resources": [resource],
        "operations": ["CREATE", "UPDATE"],
    }
    namespace = {"match_labels": {"kubernetes.io/metadata.name": team}}
    return {
        "failure_policy": "Fail",
        "match_constraints": {"namespace_selector": namespace, "resource_rules": [rule]},
        "variables": [{"name": name, "expression": expression} for name, expression in variables.items()],
        "validations": validations,
    }


def _pool_rule(pools: tuple[str, ...]) -> dict[str, str]:
    chosen = f"object.spec.?nodeSelector[?'{names.POOL_LABEL}'].orValue('')"
    return {
        "expression": f"!variables.starts || {chosen} in {list(pools)}",
        "message": f"a pod of this team has the nodeSelector {names.POOL_LABEL} with one of: {', '.join(pools)}",
    }


def _priority_rule(priority_classes: tuple[str, ...]) -> dict[str, str]:
    # The API server has filled in the number that belongs to the class.
    allowed = f"object.spec.?priorityClassName.orValue('') in {list(priority_classes)}"
    return {
        "expression": f"!variables.isNew || object.spec.?priority.orValue(0) <= 0 || {allowed}",
        "message": "a pod of this team names no PriorityClass above 0, which would drive out the pods of others",
    }
