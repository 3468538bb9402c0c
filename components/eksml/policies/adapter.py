"""Makes a Plan of what the engine shows to a policy pack, and a policy of every check."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from eksml.check_list import CHECKS, CheckInfo, Severity
from eksml.checks import run_checks
from eksml.plan import Plan, Resource
from eksml.plan.canonical import REMOTE_TYPES, canonical
from eksml.plan.model import STACK_TYPE, UNKNOWN

_LEVELS = {Severity.ERROR: EnforcementLevel.MANDATORY, Severity.WARNING: EnforcementLevel.ADVISORY}


def policies() -> list[Policy]:
    """One policy per check, and before them the one that notes what they need to know of each resource."""
    engine = _Engine()
    note = ResourceValidationPolicy(
        "inputs",
        "Notes the inputs of every resource for the checks of the whole stack, and reports nothing.",
        engine.note,
        EnforcementLevel.ADVISORY,
    )
    return [note, *(_policy(check, info, engine) for check, info in CHECKS.items())]


def plan_of(resources: Iterable[PolicyResource], inputs: Mapping[str, Mapping[str, Any]]) -> Plan:
    """The Plan of the resources of a stack; of those whose inputs were not noted, by URN, the outputs stand for them.

    It has no options: the one that a check looks at, retainOnDelete, is not among those that the engine tells.
    """
    everything = [_resource(each, inputs.get(each.urn)) for each in resources]
    stack = everything[0].urn.split("::")[0].rpartition(":")[2] if everything else ""
    return Plan.of(stack, canonical(everything))


class _Engine:
    """What the engine told so far.

    It shows a resource's inputs only when it comes to that resource, and the whole stack at the end with outputs only:
    those of a component lack its Spec, and with it the waivers.
    """

    def __init__(self) -> None:
        self._inputs: dict[str, dict[str, Any]] = {}
        self._plan: Plan | None = None
        self._asked: set[str] = set()

    def note(self, args: ResourceValidationArgs, _report_violation: ReportViolation) -> None:
        """Keeps the inputs of one resource."""
        self._inputs[args.urn] = _plain(args.props)
        self._plan = None

    def plan(self, check: str, resources: Iterable[PolicyResource]) -> Plan:
        """The Plan for a check, made once for all checks: one that asks again does so for another stack."""
        if self._plan is None or check in self._asked:
            self._plan = plan_of(resources, self._inputs)
            self._asked.clear()
        self._asked.add(check)
        return self._plan


def _policy(check: str, info: CheckInfo, engine: _Engine) -> Policy:
    def validate(args: StackValidationArgs, report_violation: ReportViolation) -> None:
        try:
            findings = run_checks(engine.plan(check, args.resources), [check]).findings
        except Exception as error:
            # A pack that raises blocks every deployment, and what is not known yet may have any shape.
            reason = f"{check} could not judge this stack: {type(error).__name__}: {error}"
            print(reason, file=sys.stderr)
            return args.not_applicable(reason)
        for finding in findings:
            if finding.severity is info.severity:
                report_violation(finding.text, finding.urn)
            else:
                # The engine knows one level for each policy: what is less must not stop it.
                print(f"{check}: {finding.text}", file=sys.stderr)
        return None

    return StackValidationPolicy(check, info.explanation, validate, _LEVELS[info.severity])


def _resource(resource: PolicyResource, inputs: Mapping[str, Any] | None) -> Resource:
    provider = resource.provider
    if resource.resource_type == STACK_TYPE:
        inputs = {}
    return Resource(
        urn=resource.urn,
        type=resource.resource_type,
        name=resource.name,
        parent=resource.parent.urn if resource.parent else None,
        # The engine does not say it; whatever a provider makes has one, be it a default one.
        is_custom=resource.resource_type not in REMOTE_TYPES
        and (provider is not None or resource.resource_type.startswith("pulumi:providers:")),
        provider=None if provider is None or provider.name.startswith("default") else provider.urn,
        inputs=_plain(resource.props) if inputs is None else inputs,
        dependencies=tuple(each.urn for each in resource.dependencies),
        property_dependencies={
            key: tuple(each.urn for each in needed) for key, needed in resource.property_dependencies.items()
        },
    )


def _plain(value: Any) -> Any:
    """Properties as plain data. The pack's library raises where a value that is not known yet is looked at."""
    if isinstance(value, Mapping):
        return {key: _plain(_at(value, key)) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(_at(value, index)) for index in range(len(value))]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _at(holder: Any, key: Any) -> Any:
    try:
        return holder[key]
    except UnknownValueError:
        return UNKNOWN
