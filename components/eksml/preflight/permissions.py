"""Whether the credentials may create, change and delete what the Plan has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from eksml import catalog
from eksml.account import Account
from eksml.plan import Plan, Resource
from eksml.plan.believable import ACCOUNT, is_known_type, outputs_of
from eksml.preflight.basis import CLUSTER, Basis
from eksml.preflight.finding import Answer, Question, error, not_known, ok, warning
from eksml.preflight.simulation import Decision, NotSimulated, decisions, is_root

# What a denial may rest on of things whose ARNs are not known before they are made, as a condition's key does.
_NAMES = "names of resources"


def questions(basis: Basis) -> Iterator[Question]:
    """Whether the credentials may do what every type of resource takes."""
    if _types(basis.whole):
        yield Question("permissions", lambda account: _permissions(basis, account))


def _permissions(basis: Basis, account: Account) -> Iterator[Answer]:
    known, types = catalog.permissions(), _types(basis.whole)
    unknown = sorted(set(types) - set(known))
    if unknown:
        yield not_known(f"which actions {', '.join(unknown)} takes is not in the catalog")
    if is_root(account):
        yield warning("the root user may do everything, which nobody should work as", "sign in as a role")
        return
    facts = [known[name] for name in types if name in known]
    create = {action for each in facts for action in each.create}
    update = {action for each in facts for action in each.update} - create
    delete = {action for each in facts for action in each.delete} - create
    try:
        decided = _decided(create | update | delete, basis, account)
    except NotSimulated as reason:
        yield not_known(str(reason), "ask somebody who knows their policies")
        return
    denied = {action: decision for action, decision in decided.items() if not decision.is_allowed}
    if not denied:
        yield ok(f"{len(decided)} actions for {len(types)} types of resources are allowed")
    certain = {action: decision for action, decision in denied.items() if not decision.untold}
    for actions in _by_service(certain.keys() & create).values():
        yield error(f"not allowed: {', '.join(actions)}", _advice(actions, certain))
    for actions in _by_service(certain.keys() & update).values():
        yield warning(f"a later `pulumi up` may not: {', '.join(actions)}", _advice(actions, certain))
    for actions in _by_service(certain.keys() & delete).values():
        yield warning(f"`pulumi destroy` may not: {', '.join(actions)}", _advice(actions, certain))
    if unclear := denied.keys() - certain.keys():
        untold = sorted({key for action in unclear for key in denied[action].untold})
        yield not_known(
            f"allowed only under conditions: {', '.join(sorted(unclear))}",
            f"compare with the policies what `pulumi up` will send as {', '.join(untold)}",
        )


def _advice(actions: Iterable[str], denied: Mapping[str, Decision]) -> str:
    if any(denied[action].is_of_organization for action in actions):
        return "an SCP of the organization denies them: ask who keeps it"
    return "allow them by a policy of the role or user, and by its permissions boundary if it has one"


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


def _decided(actions: Iterable[str], basis: Basis, account: Account) -> dict[str, Decision]:
    """What is decided of each action on everything, or else on what the Plan makes of its service."""
    found = decisions(actions, account)
    made = _arns(basis, account)
    for service, denied in _by_service(action for action, each in found.items() if not each.is_allowed).items():
        if service in made:
            found |= decisions(denied, account, made[service])
        else:
            found |= {action: found[action]._replace(untold=(*found[action].untold, _NAMES)) for action in denied}
    return found


def _arns(basis: Basis, account: Account) -> dict[str, list[str]]:
    """An ARN of each type that the Plan makes, by service."""
    by_type = {each.type: arn for each in basis.whole.resources if (arn := _arn(each, basis, account))}
    found = defaultdict(list)
    for arn in by_type.values():
        found[arn.split(":")[2]].append(arn)
    return found


def _arn(resource: Resource, basis: Basis, account: Account) -> str | None:
    """What the ARN of a resource will probably be: policies may be for names that begin as it does."""
    partition = catalog.partition(basis.region)
    if resource.type == CLUSTER:
        return f"arn:{partition}:eks:{basis.region}:{account.identity.account}:cluster/{resource.inputs.get('name')}"
    if not is_known_type(resource.type):
        return None
    arn = outputs_of(resource.type, resource.urn, resource.inputs, basis.region)[1].get("arn")
    if not arn:
        return None
    return str(arn).replace(ACCOUNT, account.identity.account).replace("arn:aws:", f"arn:{partition}:", 1)


def _by_service(actions: Iterable[str]) -> dict[str, list[str]]:
    found = defaultdict(list)
    for action in sorted(actions):
        found[action.partition(":")[0]].append(action)
    return found
