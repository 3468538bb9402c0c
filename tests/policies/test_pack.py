"""The policy pack, started and asked as the engine does it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc
from pulumi_policy import (
    PolicyCustomTimeouts,
    PolicyProviderResource,
    PolicyResource,
    PolicyResourceOptions,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.policy import _NotApplicableError

from eksml.check_list import CHECKS, Severity
from eksml.checks import run_checks
from eksml.plan import Plan, Resource, believable
from eksml.plan.canonical import REMOTE_TYPES
from eksml.plan.comparison import differences
from eksml.plan.model import UNKNOWN
from eksml.plan.project import find_stack
from eksml.plan.recorder import _Monitor, record
from eksml.policies import adapter
from eksml.profiles import PROFILES
from programs import stack_plan

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PACK = Path(str(files("eksml"))) / "policies"
LEVELS = {analyzer_pb2.MANDATORY: Severity.ERROR, analyzer_pb2.ADVISORY: Severity.WARNING}
NODE_POOL = "kubernetes:karpenter.sh/v1:NodePool"
QUEUE = "aws:sqs/queue:Queue"
PLATFORM = "eksml:platform:Platform"


def with_faults(waivers: Mapping[str, str] | None = None) -> Plan:
    """The production stack with an elastic pool without a limit, an error, and a queue without tags, a warning."""

    def changed(resource: Resource) -> Resource:
        inputs = dict(resource.inputs)
        if resource.type == NODE_POOL and resource.name.endswith("serve"):
            inputs["spec"] = {key: value for key, value in inputs["spec"].items() if key != "limits"}
        if resource.type == QUEUE:
            inputs["tags"] = {"Name": "q"}
        if resource.type == PLATFORM:
            inputs["spec"] = {**inputs["spec"], "waivers": dict(waivers or {})}
        return replace(resource, inputs=inputs)

    return Plan.of("production", map(changed, stack_plan("production").resources))


@pytest.fixture(scope="module")
def engine() -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    """What the engine has of the pack: the process that it starts, and the port that this one says."""
    command = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:0", str(PACK)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        try:
            assert process.stdout is not None
            with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
                yield analyzer_pb2_grpc.AnalyzerStub(channel)
        finally:
            process.kill()


Shown = Callable[[Resource], Mapping[str, Any]]


def outputs_of(resource: Resource) -> Mapping[str, Any]:
    """What the engine has as outputs in a preview: of components, only what they register."""
    return {**resource.inputs, "arn": UNKNOWN} if resource.is_custom else {}


def ask(
    engine: analyzer_pb2_grpc.AnalyzerStub,
    plan: Plan,
    inputs_of: Shown = lambda resource: resource.inputs,
    *,
    inputs_first: bool = True,
) -> Any:
    """What the pack answers when it is told of a Plan, resource by resource and then all together."""
    providers = {each.urn: each for each in plan.resources}
    for resource in plan.resources if inputs_first else ():
        request = analyzer_pb2.AnalyzeRequest(urn=resource.urn, type=resource.type, name=resource.name)
        request.properties.update(inputs_of(resource))
        assert not engine.Analyze(request).diagnostics
    return engine.AnalyzeStack(
        analyzer_pb2.AnalyzeStackRequest(resources=[_told(each, providers) for each in plan.resources])
    )


def _told(resource: Resource, providers: Mapping[str, Resource]) -> analyzer_pb2.AnalyzerResource:
    told = analyzer_pb2.AnalyzerResource(
        urn=resource.urn,
        type=resource.type,
        name=resource.name,
        parent=resource.parent or "",
        dependencies=resource.dependencies,
        propertyDependencies={
            key: analyzer_pb2.AnalyzerPropertyDependencies(urns=urns)
            for key, urns in resource.property_dependencies.items()
        },
    )
    told.properties.update(outputs_of(resource))
    if resource.is_custom and not resource.type.startswith("pulumi:providers:"):
        used = providers.get(resource.provider or "")
        told.provider.urn = used.urn if used else f"urn:pulumi:s::p::pulumi:providers:{resource.package}::default_1"
        told.provider.type = f"pulumi:providers:{resource.package}"
        told.provider.name = used.name if used else "default_1"
    return told


def reported(response: Any) -> list[tuple[str, str, str, Severity]]:
    return [(each.policyName, each.urn, each.message, LEVELS[each.enforcementLevel]) for each in response.diagnostics]


def expected(plan: Plan) -> list[tuple[str, str, str, Severity]]:
    return [
        (each.check, each.urn, f"{CHECKS[each.check].explanation}\n{each.text}", CHECKS[each.check].severity)
        for each in run_checks(plan).findings
    ]


def test_the_pack_has_a_policy_for_every_check(engine: analyzer_pb2_grpc.AnalyzerStub) -> None:
    info = engine.GetAnalyzerInfo(Empty())
    assert info.name == "eksml"
    note, *policies = info.policies
    assert (note.name, note.enforcementLevel) == ("inputs", analyzer_pb2.ADVISORY)
    assert [(each.name, each.description, LEVELS[each.enforcementLevel]) for each in policies] == [
        (check, info.explanation, info.severity) for check, info in CHECKS.items()
    ]


def test_the_engine_knows_how_to_start_the_pack() -> None:
    assert yaml.safe_load((PACK / "PulumiPolicy.yaml").read_text())["runtime"] == "python"


@pytest.mark.parametrize("name", PROFILES)
def test_the_pack_is_quiet_on_the_stacks(engine: analyzer_pb2_grpc.AnalyzerStub, name: str) -> None:
    response = ask(engine, stack_plan(name))
    assert reported(response) == []
    assert not response.not_applicable


def test_the_pack_says_what_the_checks_say_and_of_which_resource(engine: analyzer_pb2_grpc.AnalyzerStub) -> None:
    plan = with_faults()
    answer = reported(ask(engine, plan))
    assert answer == expected(plan)
    assert {(check, urn.rpartition("::")[2], severity) for check, urn, _, severity in answer} == {
        ("elastic-pool-limited", "eksml-production-serve", Severity.ERROR),
        ("tagged", "eksml-production-karpenter-interruption", Severity.WARNING),
    }


def test_a_waiver_silences_a_policy(engine: analyzer_pb2_grpc.AnalyzerStub) -> None:
    plan = with_faults({"elastic-pool-limited": "the account has a quota"})
    assert {check for check, *_ in reported(ask(engine, plan))} == {"tagged"}


def test_a_waiver_of_one_resource_silences_the_policy_for_it_only(engine: analyzer_pb2_grpc.AnalyzerStub) -> None:
    def checks(resource: str) -> set[str]:
        plan = with_faults({f"elastic-pool-limited:{resource}": "the account has a quota"})
        return {check for check, *_ in reported(ask(engine, plan))}

    assert checks("eksml-production-serve") == {"tagged"}
    assert checks("eksml-production-burst") == {"elastic-pool-limited", "tagged", "waiver-used"}


def test_a_waiver_of_what_the_engine_does_not_show_is_not_called_unused(
    engine: analyzer_pb2_grpc.AnalyzerStub,
) -> None:
    def shown(resource: Resource) -> Mapping[str, Any]:
        return {} if resource.type in REMOTE_TYPES else resource.inputs

    plan = with_faults({"open-public-endpoint": "students without fixed addresses"})
    assert "waiver-used" not in {check for check, *_ in reported(ask(engine, plan, shown))}
    assert "waiver-used" in {check for check, *_ in reported(ask(engine, plan))}


def test_a_second_stack_is_judged_by_itself(engine: analyzer_pb2_grpc.AnalyzerStub) -> None:
    assert reported(ask(engine, with_faults()))
    assert reported(ask(engine, stack_plan("production"))) == []


def test_the_engines_preview_of_a_remote_component_accuses_it_of_nothing(
    engine: analyzer_pb2_grpc.AnalyzerStub,
) -> None:
    def shown(resource: Resource) -> Mapping[str, Any]:
        return {} if resource.type in REMOTE_TYPES else resource.inputs

    assert reported(ask(engine, stack_plan("production"), shown)) == []


@pytest.mark.parametrize("name", PROFILES)
def test_nothing_is_accused_for_what_a_first_preview_does_not_know(
    engine: analyzer_pb2_grpc.AnalyzerStub, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    response = ask(engine, first_preview(name, monkeypatch))
    assert reported(response) == []
    assert not response.not_applicable


def first_preview(name: str, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A stack as the engine sees it where nothing exists yet: what providers will say is not known."""
    outputs, cluster = believable.outputs_of, believable.cluster_outputs

    def not_known(values: Mapping[str, Any]) -> dict[str, Any]:
        return dict.fromkeys(values, UNKNOWN)

    def unknown_outputs(resource_type: str, *more: Any) -> tuple[str, dict[str, Any]]:
        known = outputs(resource_type, *more)[1]
        # What the Kubernetes provider echoes, it knows in a preview too.
        return "", known if resource_type.startswith(("kubernetes:", "pulumi:")) else not_known(known)

    def unknown_cluster(*more: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
        with monkeypatch.context() as patch:
            patch.setattr(believable, "outputs_of", outputs)
            urn, state, values = cluster(*more)
        return urn, not_known(state), not_known(values)

    with monkeypatch.context() as patch:
        patch.setattr(believable, "outputs_of", unknown_outputs)
        patch.setattr(believable, "cluster_outputs", unknown_cluster)
        patch.setattr(_Monitor, "_find_unknown", lambda *_: None)
        plan = record(find_stack(str(ROOT), name))
    assert sum(UNKNOWN in str(each.inputs) for each in plan.resources) > 50
    return plan


@pytest.mark.parametrize("unknown", ["every value", "every value of a value", "all of it"])
def test_whatever_is_unknown_the_pack_answers(engine: analyzer_pb2_grpc.AnalyzerStub, unknown: str) -> None:
    def shown(resource: Resource) -> Mapping[str, Any]:
        if unknown == "all of it":
            return {}
        if unknown == "every value":
            return dict.fromkeys(resource.inputs, UNKNOWN)
        return {
            key: dict.fromkeys(each, UNKNOWN) if isinstance(each, Mapping) else each
            for key, each in resource.inputs.items()
        }

    ask(engine, stack_plan("production"), shown)


def test_without_noted_inputs_the_outputs_are_judged(engine: analyzer_pb2_grpc.AnalyzerStub) -> None:
    resources = [replace(each, urn=f"{each.urn}-never-noted") for each in with_faults().resources]
    answer = ask(engine, Plan.of("production", resources), inputs_first=False)
    assert "elastic-pool-limited" in {check for check, *_ in reported(answer)}


def told_in_process(plan: Plan) -> list[PolicyResource]:
    """The resources of a Plan as the library hands them to a policy."""
    no_options = PolicyResourceOptions(False, [], None, [], PolicyCustomTimeouts(0, 0, 0), [])

    def told(each: Resource) -> PolicyResource:
        of_default = f"urn:pulumi:s::p::pulumi:providers:{each.package}::default_1"
        urn = each.provider or of_default
        provider = PolicyProviderResource(f"pulumi:providers:{each.package}", {}, urn, urn.rpartition("::")[2])
        has_one = each.is_custom and not each.type.startswith("pulumi:providers:")
        return PolicyResource(
            each.type, each.inputs, each.urn, each.name, no_options, provider if has_one else None, None, [], {}
        )

    by_urn = {each.urn: told(each) for each in plan.resources}
    for each in plan.resources:
        one = by_urn[each.urn]
        one.parent = by_urn.get(each.parent or "")
        one.dependencies = [by_urn[urn] for urn in each.dependencies]
        one.property_dependencies = {
            key: [by_urn[urn] for urn in urns] for key, urns in each.property_dependencies.items()
        }
    return list(by_urn.values())


@pytest.mark.parametrize("name", PROFILES)
def test_the_plan_of_the_engines_resources_is_the_recorded_one(name: str) -> None:
    recorded = Plan.of(name, [replace(each, options={}) for each in stack_plan(name).resources])
    made = adapter.plan_of(told_in_process(recorded), {})
    assert made.stack == name
    assert differences(recorded, made) == []


def not_expected(message: str, urn: str | None = None) -> None:
    pytest.fail(f"{urn}: {message}")


def test_a_check_that_fails_blocks_nobody_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: Any) -> None:
        raise ValueError("a shape that nobody thought of")

    monkeypatch.setattr(adapter, "run_checks", fails)
    policy = adapter.policies()[1]
    assert isinstance(policy, StackValidationPolicy)
    # The library tells the engine of it, and goes on.
    with pytest.raises(_NotApplicableError):
        policy.validate(StackValidationArgs([]), not_expected)
    assert capsys.readouterr().err.startswith(f"{policy.name} could not judge this stack: ValueError: a shape")


def test_the_plan_is_made_once_for_all_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(*of: Any) -> Plan:
        made.append(of)
        return real(*of)

    real = adapter.plan_of
    monkeypatch.setattr(adapter, "plan_of", counted)
    resources = told_in_process(stack_plan("startup"))
    stack_policies = [each for each in adapter.policies() if isinstance(each, StackValidationPolicy)]
    for run in (1, 2):
        for policy in stack_policies:
            policy.validate(StackValidationArgs(resources), not_expected)
        assert len(made) == run
