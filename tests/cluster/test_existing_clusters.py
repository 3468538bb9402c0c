"""Clusters that somebody else made: by name in EKS, or by a kubeconfig."""

import json
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from eksml.cluster.existing_cluster import ExistingCluster, ExistingClusterSpec
from eksml.cluster.kubeconfig_cluster import KubeconfigCluster, KubeconfigClusterSpec
from programs import one, recorded
from refusals import check_problems, problems


def kubeconfig_of(spec: ExistingClusterSpec) -> dict[str, Any]:
    plan = recorded(lambda: ExistingCluster("lab", spec, region="us-west-2"))
    provider = one(plan, "pulumi:providers:kubernetes").inputs
    assert provider["clusterIdentifier"] == spec.name
    return json.loads(provider["kubeconfig"])


def test_an_eks_cluster_works_alone_by_its_name() -> None:
    kubeconfig = kubeconfig_of(ExistingClusterSpec(name="theirs", kubernetes_version="1.35"))
    (cluster,) = kubeconfig["clusters"]
    assert cluster["cluster"]["server"].startswith("https://")
    command = kubeconfig["users"][0]["user"]["exec"]
    assert [command["command"], *command["args"]] == (
        ["aws", "--region", "us-west-2", "eks", "get-token", "--cluster-name", "theirs", "--output", "json"]
    )


def test_pulumi_signs_in_with_the_role_of_the_spec() -> None:
    role = "arn:aws:iam::123456789012:role/platform"
    kubeconfig = kubeconfig_of(ExistingClusterSpec(name="theirs", kubernetes_version="1.35", access_role_arn=role))
    assert kubeconfig["users"][0]["user"]["exec"]["args"][-2:] == ["--role", role]


def test_nothing_is_made_in_aws_for_a_cluster_that_is_there() -> None:
    spec = ExistingClusterSpec(name="theirs", kubernetes_version="1.35")
    plan = recorded(lambda: ExistingCluster("lab", spec, region="us-west-2"))
    assert [resource.type for resource in plan.resources if resource.package == "aws"] == []


def test_what_the_catalog_has_no_addons_for_is_refused() -> None:
    addons = ["core-dns", "metrics-server", "metrics-server"]
    found = problems(ExistingClusterSpec, {"name": "theirs", "kubernetesVersion": "1.29", "addons": addons})
    lines = [
        "addons[0]: 'core-dns' given, must be aws-ebs-csi-driver, eks-node-monitoring-agent",
        "addons[2]: 'metrics-server' is listed twice",
        "kubernetesVersion: '1.29' given: the catalog has the add-ons of 1.34, 1.35, 1.36",
    ]
    check_problems(found, lines)


def test_any_cluster_works_alone_by_its_kubeconfig_which_stays_a_secret() -> None:
    def program() -> None:
        spec = KubeconfigClusterSpec(context="admin", identifier="bare-metal")
        cluster = KubeconfigCluster("lab", spec, kubeconfig=pulumi.Output.secret("the kubeconfig"))
        opts = pulumi.ResourceOptions(provider=cluster.provider)
        k8s.core.v1.Namespace("ml", metadata={"name": "ml"}, opts=opts)

    plan = recorded(program)
    provider = one(plan, "pulumi:providers:kubernetes")
    assert provider.inputs == {"kubeconfig": "[secret]", "context": "admin", "clusterIdentifier": "bare-metal"}
    assert one(plan, "kubernetes:core/v1:Namespace").provider == provider.urn
