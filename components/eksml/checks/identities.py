"""What pods and people may do in AWS, and by which identity."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from eksml import names
from eksml.checks.finding import Found
from eksml.plan import Plan, Resource
from eksml.plan.model import UNKNOWN

_ASSOCIATION = "aws:eks/podIdentityAssociation:PodIdentityAssociation"


def identity_used(plan: Plan) -> Iterator[Found]:
    """Every Pod Identity belongs to a service account that the Plan makes, or may be one of a chart's or add-on's."""
    made = [each.inputs.get("metadata") or {} for each in plan.of_type("kubernetes:core/v1:ServiceAccount")]
    accounts = {(metadata.get("namespace"), metadata.get("name")) for metadata in made}
    unseen = {str(each.inputs.get("namespace")) for each in plan.of_type("kubernetes:helm.sh/v3:Release")}
    unseen |= {names.SYSTEM_NAMESPACE}
    for association in plan.of_type(_ASSOCIATION):
        namespace, account = association.inputs.get("namespace"), association.inputs.get("serviceAccount")
        if (namespace, account) not in accounts and namespace not in unseen:
            yield Found(association, f"no service account {namespace}/{account} is made by the stack")


def one_identity(plan: Plan) -> Iterator[Found]:
    """No service account of a cluster gets a second Pod Identity, which EKS refuses."""
    first: dict[tuple[object, ...], str] = {}
    for association in plan.of_type(_ASSOCIATION):
        account = tuple(association.inputs.get(key) for key in ("clusterName", "namespace", "serviceAccount"))
        if UNKNOWN in account:
            continue
        if account in first:
            _, namespace, name = account
            yield Found(association, f"{namespace}/{name} has an identity already, by {first[account]}")
        first.setdefault(account, association.name)


def narrow_policy(plan: Plan) -> Iterator[Found]:
    """No IAM policy allows every action on every resource, and no role has one of AWS's that is nearly as wide."""
    for resource in plan.resources:
        for statement in _allowed(resource):
            if _is_everything(statement):
                yield Found(resource, f"'{statement.get('Sid', '')}' allows every action on every resource")
        for policy in _managed_policies(resource):
            if wide := _WIDE.search(policy):
                actions = _ACTIONS.get(wide["name"], "every action of its service")
                yield Found(resource, f"{wide['name']} allows {actions} on every resource")


_POLICIES = ("RolePolicy", "UserPolicy", "GroupPolicy", "Policy")
_WIDE = re.compile(r":iam::aws:policy/(\S*/)?(?P<name>AdministratorAccess|PowerUserAccess|[^/\s]*FullAccess)")
_ACTIONS = {"AdministratorAccess": "every action", "PowerUserAccess": "every action but those of IAM"}


def _allowed(resource: Resource) -> Iterator[Mapping[str, Any]]:
    """What the policies that a resource has in itself allow."""
    inline = resource.inputs.get("inlinePolicies") or ()
    documents = [each.get("policy") for each in inline if isinstance(each, Mapping)]
    if resource.type.startswith("aws:iam/") and resource.type.rpartition(":")[2] in _POLICIES:
        documents.append(resource.inputs.get("policy"))
    for document in documents:
        yield from (each for each in _statements(document) if each.get("Effect") == "Allow")


def _managed_policies(resource: Resource) -> list[str]:
    """The ARNs of the policies that a resource gives to somebody."""
    several = resource.inputs.get("managedPolicyArns") or resource.inputs.get("policyArns") or ()
    return [str(each) for each in (resource.inputs.get("policyArn"), *several)]


def _statements(document: Any) -> list[Mapping[str, Any]]:
    try:
        found = (json.loads(document) if isinstance(document, str) else document or {}).get("Statement", [])
    except (ValueError, AttributeError):
        return []
    return [found] if isinstance(found, Mapping) else list(found)


def _is_everything(statement: Mapping[str, Any]) -> bool:
    actions, resources = statement.get("Action", []), statement.get("Resource", [])
    is_every_action = "NotAction" in statement or {"*", "*:*"} & set([actions] if isinstance(actions, str) else actions)
    is_everywhere = "NotResource" in statement or "*" in ([resources] if isinstance(resources, str) else resources)
    return bool(is_every_action and is_everywhere)
