"""Remote write to Amazon Managed Prometheus."""

import json
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from eksml import names
from eksml.errors import SpecError
from eksml.observability.managed_prometheus import AmazonManagedPrometheusSpec
from eksml.observability.observability import Observability, ObservabilitySpec
from eksml.observability.prometheus import Prometheus, PrometheusSpec
from eksml.plan import Plan
from eksml.spec import parse
from programs import needs, one, recorded
from refusals import check_problems, problems

RELEASE = "kubernetes:helm.sh/v3:Release"
WORKSPACE = "aws:amp/workspace:Workspace"
ASSOCIATION = "aws:eks/podIdentityAssociation:PodIdentityAssociation"


def prometheus(**remote_write: Any) -> Plan:
    spec = PrometheusSpec(replicas=2, remote_write=AmazonManagedPrometheusSpec(**remote_write))

    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        opts = pulumi.ResourceOptions(providers=[provider])
        Prometheus("lab", spec, region="us-west-2", cluster_name="lab", tags={"team": "ml"}, opts=opts)

    return recorded(program)


def spec(plan: Plan) -> Any:
    return one(plan, RELEASE).inputs["values"]["prometheus"]["prometheusSpec"]


def allowed(plan: Plan) -> Any:
    (statement,) = json.loads(one(plan, "aws:iam/rolePolicy:RolePolicy").inputs["policy"])["Statement"]
    return statement


def test_a_new_workspace_takes_what_prometheus_writes_and_lets_it_do_nothing_else() -> None:
    plan = prometheus()
    workspace = one(plan, WORKSPACE)
    assert workspace.inputs["tags"]["team"] == "ml"
    (target,) = spec(plan)["remoteWrite"]
    assert target["url"].startswith("https://aps-workspaces.us-west-2.amazonaws.com/workspaces/ws-")
    assert target["url"].endswith("/api/v1/remote_write")
    assert target["sigv4"] == {"region": "us-west-2"}
    assert target["queueConfig"]["maxSamplesPerSend"] == 1000
    assert allowed(plan)["Action"] == "aps:RemoteWrite"
    assert allowed(plan)["Resource"].startswith("arn:aws:aps:us-west-2:123456789012:workspace/ws-")


def test_a_workspace_that_exists_is_written_to_by_its_id() -> None:
    plan = prometheus(workspace="ws-0123abcd-4567")
    assert not plan.of_type(WORKSPACE)
    (target,) = spec(plan)["remoteWrite"]
    assert target["url"] == (
        "https://aps-workspaces.us-west-2.amazonaws.com/workspaces/ws-0123abcd-4567/api/v1/remote_write"
    )
    assert allowed(plan)["Resource"] == "arn:aws:aps:us-west-2:*:workspace/ws-0123abcd-4567"


def test_the_identity_is_that_of_prometheus_pods_and_there_before_them() -> None:
    plan = prometheus()
    association = one(plan, ASSOCIATION)
    account = one(plan, RELEASE).inputs["values"]["prometheus"]["serviceAccount"]["name"]
    assert association.inputs["serviceAccount"] == account == names.PROMETHEUS_SERVICE_ACCOUNT
    assert association.inputs["namespace"] == names.OBSERVABILITY_NAMESPACE
    assert association.urn in needs(plan, one(plan, RELEASE))


def test_of_two_copies_that_measure_the_same_one_counts() -> None:
    found = spec(prometheus())
    assert found["externalLabels"] == {"cluster": "lab"}
    assert found["replicaExternalLabelName"] == "__replica__"


def test_without_it_nothing_is_made_in_aws_and_nothing_is_sent() -> None:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        Prometheus("lab", PrometheusSpec(), opts=pulumi.ResourceOptions(providers=[provider]))

    plan = recorded(program)
    assert not [each for each in plan.resources if each.package == "aws"]
    assert not {"remoteWrite", "externalLabels"} & set(spec(plan))


def test_what_is_no_workspace_is_refused() -> None:
    check_problems(
        problems(PrometheusSpec, {"remoteWrite": {"workspace": "metrics"}}),
        ["remoteWrite.workspace: 'metrics' given, must be new, or the id of a workspace"],
    )


@pytest.mark.parametrize("settings", [{"prometheus": {"remoteWrite": {}}}, {"logs": {}}])
def test_what_is_in_aws_needs_a_cluster_there(settings: dict[str, Any]) -> None:
    found = parse(ObservabilitySpec, settings)
    assert list(found.uses_aws) in (["prometheus.remoteWrite"], ["logs"])
    with pytest.raises(SpecError, match="given, but needs region and cluster_name"):
        Observability("lab", found)
