"""A new EKS cluster."""

import json
from datetime import date
from typing import Any

import pytest

from eksml import catalog
from eksml.cluster.new_cluster import (
    NewCluster,
    NewClusterSpec,
    UpgradePolicy,
    version_problems,
)
from eksml.plan import Plan
from programs import names_of, one, recorded
from refusals import check_problems, problems

SUBNETS = {"usw2-az1": "subnet-0123456789abcdef0", "usw2-az2": "subnet-0123456789abcdef1"}
ADMINISTRATOR = "arn:aws:iam::123456789012:role/platform"


def cluster(**settings: Any) -> Plan:
    spec = NewClusterSpec(**settings)
    return recorded(
        lambda: NewCluster(
            "lab", spec, region="us-west-2", vpc_id="vpc-1", private_subnets=SUBNETS, tags={"team": "vision"}
        )
    )


def inputs(plan: Plan) -> Any:
    return one(plan, "eks:index:Cluster").inputs


def test_it_works_alone() -> None:
    made = inputs(cluster())
    assert made["name"] == "lab"
    assert made["privateSubnetIds"] == list(SUBNETS.values())
    assert made["tags"] == {"team": "vision"}


def test_the_api_server_is_reachable_from_the_vpc_only_unless_ranges_are_given() -> None:
    private = inputs(cluster())
    assert private["endpointPrivateAccess"] is True
    assert private["endpointPublicAccess"] is False
    assert "publicAccessCidrs" not in private
    public = inputs(cluster(public_access_cidrs=("203.0.113.0/24",)))
    assert public["endpointPrivateAccess"] is True
    assert public["endpointPublicAccess"] is True
    assert public["publicAccessCidrs"] == ["203.0.113.0/24"]


def test_identities_come_from_access_entries_and_not_from_a_config_map() -> None:
    made = inputs(cluster(administrators=(ADMINISTRATOR,)))
    assert made["authenticationMode"] == "API"
    (entry,) = made["accessEntries"].values()
    assert entry["principalArn"] == ADMINISTRATOR
    assert entry["accessPolicies"]["administrator"]["policyArn"].endswith("/AmazonEKSClusterAdminPolicy")


def test_it_has_no_nodes_of_its_own_and_no_second_pair_of_security_groups() -> None:
    made = inputs(cluster())
    assert made["skipDefaultNodeGroup"] is True
    assert made["skipDefaultSecurityGroups"] is True


def test_kubernetes_secrets_are_encrypted_with_a_key_that_rotates_or_one_that_is_given() -> None:
    plan = cluster()
    assert one(plan, "aws:kms/key:Key").inputs["enableKeyRotation"] is True
    assert ":key/" in inputs(plan)["encryptionConfigKeyArn"]
    own = "arn:aws:kms:us-west-2:123456789012:key/mrk-1"
    plan = cluster(secrets_key_arn=own)
    assert inputs(plan)["encryptionConfigKeyArn"] == own
    assert not plan.of_type("aws:kms/key:Key")


def test_the_log_group_is_there_before_the_cluster_writes_to_it_and_forgets() -> None:
    plan = cluster(log_retention_days=7)
    group = one(plan, "aws:cloudwatch/logGroup:LogGroup")
    assert group.inputs["name"] == "/aws/eks/lab/cluster"
    assert group.inputs["retentionInDays"] == 7
    assert group.urn in one(plan, "eks:index:Cluster").dependencies


def test_addons_are_pinned_and_network_policies_are_enforced() -> None:
    made = inputs(cluster())
    assert made["vpcCniOptions"]["addonVersion"].startswith("v1.")
    assert made["vpcCniOptions"]["enableNetworkPolicy"] is True
    assert made["kubeProxyAddonOptions"]["version"].startswith(f"v{made['version']}.")
    assert made["corednsAddonOptions"] == {"enabled": False}, "CoreDNS would wait for nodes that cannot be there yet"
    assert made["bootstrapSelfManagedAddons"] is False


def test_the_agents_that_every_node_needs_come_with_the_cluster() -> None:
    plan = cluster()
    addons = {addon.inputs["addonName"] for addon in plan.of_type("aws:eks/addon:Addon")}
    assert addons == {"eks-pod-identity-agent", "eks-node-monitoring-agent"}
    assert names_of(plan, "aws:eks/podIdentityAssociation:PodIdentityAssociation") == ["lab-vpc-cni"]


def test_the_monitoring_agent_runs_its_host_engine_on_tainted_gpu_nodes_too() -> None:
    addon = one(cluster(), "aws:eks/addon:Addon", "lab-eks-node-monitoring-agent")
    assert '"key": "nvidia.com/gpu"' in addon.inputs["configurationValues"]


def test_the_kubernetes_provider_survives_a_changed_endpoint() -> None:
    provider = one(cluster(), "pulumi:providers:kubernetes").inputs
    assert provider["clusterIdentifier"] == "lab"
    assert '"server"' in provider["kubeconfig"]


def test_pulumi_can_reach_the_api_server_by_a_role_that_administers_it() -> None:
    plan = cluster(access_role_arn=ADMINISTRATOR, administrators=(ADMINISTRATOR,))
    assert inputs(plan)["providerCredentialOpts"] == {"roleArn": ADMINISTRATOR}
    kubeconfig = one(plan, "pulumi:providers:kubernetes").inputs["kubeconfig"]
    assert json.loads(kubeconfig)["users"][0]["user"]["exec"]["args"][-2:] == ["--role", ADMINISTRATOR]


def test_the_entry_of_an_administrator_stays_when_others_come_and_go() -> None:
    other = ADMINISTRATOR.replace("platform", "other")
    entries = inputs(cluster(administrators=(other, ADMINISTRATOR)))["accessEntries"]
    assert len(entries) == 2
    assert inputs(cluster(administrators=(ADMINISTRATOR,)))["accessEntries"].items() <= entries.items()


def test_a_zone_that_is_added_later_is_for_nodes_only() -> None:
    later = {**SUBNETS, "usw2-az3": "subnet-0123456789abcdef2"}
    spec = NewClusterSpec()
    plan = recorded(
        lambda: NewCluster("lab", spec, region="us-west-2", vpc_id="vpc-0123456789abcdef0", private_subnets=later)
    )
    assert inputs(plan)["privateSubnetIds"] == list(SUBNETS.values())


def test_what_is_protected_cannot_be_destroyed_half_way() -> None:
    resources = cluster(deletion_protection=True).resources
    protected = {resource.type for resource in resources if resource.options.get("protect")}
    assert protected == {"eks:index:Cluster", "aws:kms/key:Key", "aws:cloudwatch/logGroup:LogGroup"}
    assert not any(resource.options.get("protect") for resource in cluster().resources)


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (
            {"logRetentionDays": 31},
            ["logRetentionDays: 31 given, must be 1, 3, 5, 7, 14, 30, 60, 90"],
        ),
        (
            {"publicAccessCidrs": ["10.1.0.0/24", "203.0.113.0/24"]},
            ["publicAccessCidrs[0]: '10.1.0.0/24' is a private range: EKS takes public addresses only"],
        ),
        (
            {"accessRoleArn": ADMINISTRATOR},
            ["accessRoleArn: must be one of administrators too, or the API server refuses it"],
        ),
        ({"kubernetesVersion": 1.3}, ['kubernetesVersion: 1.3 given, must be text: put it in quotes, "1.3"']),
        (
            {"kubernetesVersion": "1.30"},
            ["kubernetesVersion: '1.30' given: the catalog has the add-ons of 1.34, 1.35, 1.36"],
        ),
        (
            {"kubernetesVersion": "1.33"},
            [
                "kubernetesVersion: '1.33' given: standard support ended on 2026-07-29; "
                "the catalog has the add-ons of 1.34, 1.35, 1.36"
            ],
        ),
        (
            {"publicAccessCidrs": ["203.0.113.7/24", "198.51.100.0/24", "198.51.100.0/24"]},
            [
                "publicAccessCidrs[0]: '203.0.113.7/24' given, must be an IPv4 range: 203.0.113.7/24 has host bits set",
                "publicAccessCidrs[2]: '198.51.100.0/24' is listed twice",
            ],
        ),
        (
            {"serviceCidr": "8.8.0.0/16"},
            ["serviceCidr: '8.8.0.0/16' given, must lie within one of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16"],
        ),
        ({"serviceCidr": "10.0.0.0/8"}, ["serviceCidr: /8 given, must be from /12 to /24"]),
        (
            {"administrators": ["alice"]},
            ["administrators[0]: 'alice' given, must be the ARN of an IAM role or user, arn:aws:iam::…"],
        ),
        ({"administrators": [ADMINISTRATOR, ADMINISTRATOR]}, [f"administrators[1]: '{ADMINISTRATOR}' is listed twice"]),
        ({"logTypes": ["api", "everything"]}, ["logTypes[1]: 'everything' given, must be api, audit, authenticator"]),
        ({"logRetentionDays": 10}, ["logRetentionDays: 10 given, must be"]),
        ({"upgradePolicy": "never"}, ["upgradePolicy: 'never' given, must be standard or extended"]),
    ],
)
def test_what_eks_would_refuse_is_refused(settings: dict[str, Any], lines: list[str]) -> None:
    check_problems(problems(NewClusterSpec, {"kind": "new", **settings}), lines)


def version_lines(version: str, policy: UpgradePolicy, day: date) -> list[str]:
    return [problem.text for problem in version_problems(version, policy, day)]


def test_a_version_can_be_had_until_its_support_ends_and_longer_for_money() -> None:
    last, next_day, much_later = date(2026, 12, 2), date(2026, 12, 3), date(2027, 12, 3)
    assert version_lines("1.34", UpgradePolicy.STANDARD, last) == []
    (line,) = version_lines("1.34", UpgradePolicy.STANDARD, next_day)
    assert "standard support ended on 2026-12-02; take a newer one, or upgradePolicy: extended" in line
    assert version_lines("1.34", UpgradePolicy.EXTENDED, next_day) == []
    assert version_lines("1.34", UpgradePolicy.EXTENDED, much_later) == [
        "'1.34' given: EKS ended its support on 2027-12-02"
    ]


def test_the_default_version_grows_old_without_breaking_stacks_that_do_not_name_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(catalog, "today", lambda: date(2027, 8, 3))
    assert NewClusterSpec().kubernetes_version == "1.36"
    (line,) = problems(NewClusterSpec, {"kubernetesVersion": "1.36"})
    assert "standard support ended on 2027-08-02" in line
