"""Whether the credentials may create what the Plan has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from eksml import catalog
from eksml.plan import Plan, Resource
from eksml.plan.believable import ACCOUNT, is_known_type, outputs_of
from eksml.preflight.account import Account
from eksml.preflight.basis import CLUSTER, Basis
from eksml.preflight.finding import Answer, Question, error, not_known, ok, warning
from eksml.preflight.simulation import NotSimulated, decisions, is_allowed, is_root


def questions(basis: Basis) -> Iterator[Question]:
    """Whether the credentials may create every type of resource."""
    if _types(basis.whole):
        yield Question("permissions", lambda account: _permissions(basis, account))


def _permissions(basis: Basis, account: Account) -> Iterator[Answer]:
    known, types = catalog.permissions(), _types(basis.whole)
    unknown = sorted(set(types) - set(known))
    if unknown:
        yield not_known(f"which actions create {', '.join(unknown)} is not in the catalog")
    if is_root(account):
        yield warning("the root user may do everything, which nobody should work as", "sign in as a role")
        return
    wanted = {action: name for name in types if name in known for action in known[name]}
    try:
        denied = [action for action, result in decisions(wanted, account).items() if not is_allowed(result)]
        denied = list(_denied_here(denied, wanted, basis, account))
    except NotSimulated as reason:
        yield not_known(str(reason), "ask somebody who knows their policies")
        return
    if not denied:
        yield ok(f"{len(wanted)} actions for {len(types)} types of resources are allowed")
    for service, actions in _by_service(denied).items():
        text = f"not allowed: {', '.join(actions)}"
        yield error(text, f"allow them ({service}), by a policy of the role or, if it is an SCP, of the organization")


def _types(plan: Plan) -> list[str]:
    """The types of what a provider makes in AWS; what stands below a pulumi_eks.Cluster is told by that."""
    return sorted(
        {
            each.type
            for each in plan.resources
            if each.type == CLUSTER
            or (each.package == "aws" and each.is_custom and each.type != "aws:eks/cluster:Cluster")
        }
    )


def _denied_here(denied: Iterable[str], wanted: dict[str, str], basis: Basis, account: Account) -> Iterator[str]:
    """Of the actions that are not allowed on everything, those that are not allowed on what the Plan makes either."""
    by_type = defaultdict(list)
    for action in denied:
        by_type[wanted[action]].append(action)
    for name, actions in by_type.items():
        resource = basis.whole.of_type(name)[0]
        results = decisions(actions, account, arn) if (arn := _arn(resource, basis, account)) else {}
        yield from (action for action in actions if not is_allowed(results.get(action)))


def _arn(resource: Resource, basis: Basis, account: Account) -> str | None:
    """What the ARN of a resource will probably be: policies may be for names that begin as it does."""
    if resource.type == CLUSTER:
        partition = catalog.partition(basis.region)
        return f"arn:{partition}:eks:{basis.region}:{account.identity.account}:cluster/{resource.inputs.get('name')}"
    if not is_known_type(resource.type):
        return None
    arn = outputs_of(resource.type, resource.urn, resource.inputs, basis.region)[1].get("arn")
    return str(arn).replace(ACCOUNT, account.identity.account) if arn else None


def _by_service(actions: Iterable[str]) -> dict[str, list[str]]:
    found = defaultdict(list)
    for action in sorted(actions):
        found[action.partition(":")[0]].append(action)
    return found
