"""Faults to plant in a stack: functions that change its resources, which they get by URN."""

import pickle
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest

from eksml.checks import run_checks
from eksml.plan import Plan, Resource
from programs import stack_plan

Fault = Callable[[dict[str, Resource]], None]
Planted = tuple[str, Fault, str]
"""The check that finds a fault, the fault, and how what it says begins."""

PLATFORM = "eksml:platform:Platform"
PROVIDER = "pulumi:providers:kubernetes"
RELEASE = "kubernetes:helm.sh/v3:Release"
DIRECTORY = "kubernetes:kustomize/v2:Directory"
JOB = "kubernetes:batch/v1:Job"
NODE_CLASS = "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"
NODE_POOL = "kubernetes:karpenter.sh/v1:NodePool"

SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"type": "LoadBalancer"}}
SECRETS_STORE = "aws-secrets-store-csi-driver-provider"
TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists"}
IN_TRAINING = {"namespace": "training"}
# What a container asks for.
CPU = {"cpu": "1", "memory": "1Gi"}
GPU = {"nvidia.com/gpu": "1", "memory": "1Gi"}


def changed(plan: Plan, *faults: Fault) -> Plan:
    """A copy of a Plan with faults in it."""
    resources = {each.urn: each for each in pickle.loads(_pickled(plan))}  # noqa: S301
    for fault in faults:
        fault(resources)
    return Plan.of(plan.stack, resources.values(), plan.exports)


@cache
def _pickled(plan: Plan) -> bytes:
    # Several times as fast as a deep copy.
    return pickle.dumps(plan.resources)


def planted(*faults: Fault) -> Plan:
    """The production stack with faults in it."""
    return changed(stack_plan("production"), *faults)


def found(plan: Plan, check: str) -> list[str]:
    """What a check finds in a Plan, as it is read."""
    return [f"{finding.resource}: {finding.text}" for finding in run_checks(plan, [check]).findings]


def each_of(faults: Sequence[Planted]) -> pytest.MarkDecorator:
    """Runs a test for each fault."""
    ids = [f"{check}-{text[:30]}" for check, _, text in faults]
    return pytest.mark.parametrize(("check", "fault", "text"), faults, ids=ids)


def expect_found(check: str, fault: Fault, text: str) -> None:
    """Fails unless a check finds a fault, and says so in these words."""
    # All of them, for none may fall over a fault that is another's to tell.
    findings = [finding for finding in run_checks(planted(fault)).findings if finding.check == check]
    assert any(f"{each.resource}: {each.text}".startswith(text) for each in findings), findings


def the(resources: dict[str, Resource], resource_type: str, ending: str = "") -> Resource:
    """The only resource of a type whose name ends so."""
    (one,) = [each for each in resources.values() if each.type == resource_type and each.name.endswith(ending)]
    return one


def both(*faults: Fault) -> Fault:
    """Several faults, one after the other."""

    def fault(resources: dict[str, Resource]) -> None:
        for each in faults:
            each(resources)

    return fault


def change(resource_type: str, ending: str, path: str, value: Any) -> Fault:
    """A fault: an input at a path set to something else, or taken away."""

    def fault(resources: dict[str, Resource]) -> None:
        holder: Any = the(resources, resource_type, ending).inputs
        *way, last = path.split("/")
        for step in way:
            holder = holder[int(step) if step.isdigit() else step]
        if value is None:
            del holder[last]
        else:
            holder[last] = value

    return fault


def add(resource_type: str, name: str, inputs: dict[str, Any], **more: Any) -> Fault:
    """A fault: a resource that should not be there, or not so."""

    def fault(resources: dict[str, Resource]) -> None:
        urn = f"urn:pulumi:production::eksml::{resource_type}::{name}"
        provider = next(each.urn for each in resources.values() if each.type == PROVIDER)
        fields: dict[str, Any] = {"provider": provider if resource_type.startswith("kubernetes") else None, **more}
        resources[urn] = Resource(urn, resource_type, name, None, True, inputs=inputs, **fields)

    return fault


def take_away(resource_type: str) -> Fault:
    """A fault: no resource of a type is there."""

    def fault(resources: dict[str, Resource]) -> None:
        for urn in [each.urn for each in resources.values() if each.type == resource_type]:
            del resources[urn]

    return fault


def job(metadata: dict[str, Any] | None = None, spec: dict[str, Any] | None = None, **pod: Any) -> Fault:
    """A Job of one container, which is right as long as nothing else is given."""
    container = {
        "name": "main",
        "image": "busybox:1.37",
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
    }
    template = {"spec": {"containers": [container | pod.pop("container", {})], **pod}}
    inputs = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "job", **(metadata or {})},
        "spec": {"template": template, **(spec or {})},
    }
    return add(JOB, "job", inputs)


def asking(**resources: str) -> dict[str, Any]:
    """The part of a container that asks for something."""
    limits = {key: value for key, value in resources.items() if key != "cpu"}
    return {"resources": {"requests": dict(resources), "limits": {"memory": "1Gi", **limits}}}


def custom_job(api_version: str, kind: str, **metadata: Any) -> Fault:
    """A job of the training team, of a kind that an operator brings."""
    metadata = {"name": "fit", **IN_TRAINING, **metadata}
    inputs = {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": {}}
    return add(f"kubernetes:{api_version}:{kind}", "fit", inputs)


def train_job(pool: str, **trainer: Any) -> Fault:
    """A TrainJob, whose pods only its runtime has whole."""
    node = {"containers": [{"name": "node"}], "nodeSelector": {"eksml.dev/pool": pool}}
    template = {"spec": {"replicatedJobs": [{"name": "node", "template": {"spec": {"template": {"spec": node}}}}]}}
    spec = {"trainer": trainer, "runtimePatches": [{"trainingRuntimeSpec": {"template": template}}]}
    api_version, kind = "trainer.kubeflow.org/v1alpha1", "TrainJob"
    inputs = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "fit"}, "spec": spec}
    return add(f"kubernetes:{api_version}:{kind}", "fit", inputs)


def chart(values: dict[str, Any]) -> Fault:
    """A chart that the catalog does not know."""
    return add(RELEASE, "portal", {"chart": "oci://example.com/charts/portal", "version": "1.0.0", "values": values})


def secret_provider_class(name: str) -> Fault:
    """An object of a kind that an add-on brings."""
    api_version, kind = "secrets-store.csi.x-k8s.io/v1", "SecretProviderClass"
    metadata = {"name": "password", "namespace": "serving"}
    inputs = {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": {"provider": "aws"}}
    return add(f"kubernetes:{api_version}:{kind}", name, inputs)
