"""A team's namespace, and what may happen in it."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from eksml import names
from eksml.errors import SpecError
from eksml.plan import Plan
from eksml.spec import parse
from eksml.tenancy.network_policies import TeamEgress
from eksml.tenancy.team import ModelAccess, Team, TeamSpec
from programs import names_of, needs, one, recorded
from refusals import check_problems, problems

ROLE = "arn:aws:iam::123456789012:role/vision"
POLICY = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
LIMITS = {"cpu": 48_000, "memory": 196_608, "nvidia.com/gpu": 4}


def team(spec: TeamSpec | None = None, **handles: Any) -> Plan:
    given: dict[str, Any] = {
        "limits": LIMITS,
        "cluster_name": "lab",
        "load_balancer_cidrs": ("10.0.224.0/22",),
        **handles,
    }

    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        opts = pulumi.ResourceOptions(providers=[provider])
        Team("lab-vision", spec or TeamSpec(principals=(ROLE,)), team="vision", opts=opts, **given)

    return recorded(program)


def policy(plan: Plan, name: str) -> Any:
    return one(plan, "kubernetes:networking.k8s.io/v1:NetworkPolicy", f"lab-vision-{name}").inputs["spec"]


def test_it_works_alone_and_everything_in_its_namespace_goes_before_that() -> None:
    plan = team()
    namespace = one(plan, "kubernetes:core/v1:Namespace")
    assert namespace.inputs["metadata"]["name"] == "vision"
    for resource in plan.resources:
        if resource.inputs.get("metadata", {}).get("namespace") == "vision":
            assert namespace.urn in needs(plan, resource), resource.name


def test_pods_must_meet_a_standard_and_are_warned_of_the_stricter_one() -> None:
    labels = one(team(), "kubernetes:core/v1:Namespace").inputs["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"
    assert labels["pod-security.kubernetes.io/warn"] == "restricted"
    assert labels[names.TEAM_LABEL] == "vision"


def test_it_can_use_no_more_than_its_limits() -> None:
    hard = one(team(), "kubernetes:core/v1:ResourceQuota").inputs["spec"]["hard"]
    assert hard == {
        "requests.cpu": "48",
        "requests.memory": "192Gi",
        "requests.nvidia.com/gpu": "4",
        "count/ingresses.networking.k8s.io": "0",
        "services.loadbalancers": "0",
        "services.nodeports": "0",
        "persistentvolumeclaims": "20",
        "requests.storage": "1000Gi",
        "lustre.storageclass.storage.k8s.io/requests.storage": "0",
    }


def test_it_may_claim_as_many_volumes_as_it_is_given_and_file_systems_for_lustre_only_then() -> None:
    spec = parse(TeamSpec, {"volumes": {"claims": 5, "gib": 4096, "lustreGib": 2400}})
    hard = one(team(spec), "kubernetes:core/v1:ResourceQuota").inputs["spec"]["hard"]
    assert (hard["persistentvolumeclaims"], hard["requests.storage"]) == ("5", "4Ti")
    assert hard["lustre.storageclass.storage.k8s.io/requests.storage"] == "2400Gi"


def test_without_a_quota_it_gets_no_gpu() -> None:
    hard = one(team(limits={}), "kubernetes:core/v1:ResourceQuota").inputs["spec"]["hard"]
    assert hard["requests.nvidia.com/gpu"] == "0"


def test_a_load_balancer_that_it_may_have_may_take_node_ports() -> None:
    hard = one(team(TeamSpec(load_balancers=2)), "kubernetes:core/v1:ResourceQuota").inputs["spec"]["hard"]
    assert (hard["services.loadbalancers"], hard["count/ingresses.networking.k8s.io"]) == ("2", "2")
    assert "services.nodeports" not in hard


def test_a_pod_that_does_not_say_what_it_asks_for_gets_a_modest_share() -> None:
    (limit,) = one(team(), "kubernetes:core/v1:LimitRange").inputs["spec"]["limits"]
    assert limit["defaultRequest"] == {"cpu": "500m", "memory": "1Gi"}
    assert "default" not in limit, "a limit would refuse what asks for more than that"


def test_nothing_may_be_reached_and_nobody_may_reach_but_for_the_openings() -> None:
    plan = team()
    assert policy(plan, "deny-all") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert [port["port"] for port in policy(plan, "dns")["egress"][0]["ports"]] == [53, 53]
    (agent,) = policy(plan, "pod-identity")["egress"]
    assert agent["to"] == [{"ipBlock": {"cidr": "169.254.170.23/32"}}]
    (https,) = policy(plan, "https")["egress"]
    assert https["to"][0]["ipBlock"]["except"] == ["169.254.0.0/16"], "not the metadata of the node"
    (balancers,) = policy(plan, "load-balancers")["ingress"]
    assert balancers["from"] == [{"ipBlock": {"cidr": "10.0.224.0/22"}}]


def test_what_else_a_team_reaches_is_said_and_is_not_the_metadata_of_a_node() -> None:
    database = TeamEgress(cidr="10.0.0.0/16", port=5432)
    (egress,) = policy(team(TeamSpec(egress=(database,))), "egress")["egress"]
    assert egress["to"] == [{"ipBlock": {"cidr": "10.0.0.0/16"}}]
    assert [port["port"] for port in egress["ports"]] == [5432]
    with pytest.raises(SpecError, match=r"cidr: 0\.0\.0\.0/0 given, which 169\.254\.0\.0/16 is in"):
        parse(TeamEgress, {"cidr": "0.0.0.0/0", "port": 80})


def test_where_no_load_balancer_is_known_none_is_let_in() -> None:
    assert "lab-vision-load-balancers" not in names_of(
        team(load_balancer_cidrs=()), "kubernetes:networking.k8s.io/v1:NetworkPolicy"
    )


def test_the_api_server_itself_refuses_what_is_not_the_teams() -> None:
    plan = team(cluster_queue="vision", pools=("train",))
    policies = {each.inputs["metadata"]["name"]: each.inputs["spec"] for each in plan.of_type(POLICY)}
    assert sorted(policies) == ["eksml-team-vision-owners", "eksml-team-vision-pods"]
    bindings = [each.inputs["spec"] for each in plan.of_type(f"{POLICY}Binding")]
    assert {each["policyName"] for each in bindings} == set(policies)
    assert all(each["validationActions"] == ["Deny"] for each in bindings)
    for policy_spec in policies.values():
        selector = policy_spec["matchConstraints"]["namespaceSelector"]
        assert selector == {"matchLabels": {"kubernetes.io/metadata.name": "vision"}}
        assert policy_spec["failurePolicy"] == "Fail"


def test_nobody_gets_in_before_what_holds_them() -> None:
    plan = team(cluster_queue="vision")
    before = needs(plan, one(plan, "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"))
    assert {each.urn for each in plan.of_type(f"{POLICY}Binding")} <= before


def test_where_its_nodes_are_no_pools_of_the_stack_its_pods_run_on_any() -> None:
    (policy_of_pods,) = team(pools=()).of_type(POLICY)
    assert names.POOL_LABEL not in str(policy_of_pods.inputs["spec"])
    (policy_of_pods,) = team(pools=("train",)).of_type(POLICY)
    assert f"nodeSelector[?'{names.POOL_LABEL}'].orValue('') in ['train']" in str(policy_of_pods.inputs["spec"])


def test_its_members_get_in_by_their_role_and_may_do_what_the_team_may() -> None:
    plan = team()
    entry = one(plan, "aws:eks/accessEntry:AccessEntry").inputs
    assert entry["principalArn"] == ROLE
    assert entry["kubernetesGroups"] == ["eksml-team-vision"]
    (subject,) = one(plan, "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding").inputs["subjects"]
    assert (subject["kind"], subject["name"]) == ("Group", "eksml-team-vision")


def test_no_member_may_change_what_keeps_the_team_apart() -> None:
    rules = one(team(), "kubernetes:rbac.authorization.k8s.io/v1:Role").inputs["rules"]
    changing = {"create", "update", "patch", "delete", "*"}
    changeable = {resource for rule in rules if changing & set(rule["verbs"]) for resource in rule["resources"]}
    assert not changeable & {"networkpolicies", "resourcequotas", "limitranges", "roles", "rolebindings", "*"}


def test_its_pods_have_an_identity_only_where_it_gives_them_something() -> None:
    assert team().of_type("aws:iam/role:Role") == []
    policy_arn = "arn:aws:iam::aws:policy/AmazonBedrockReadOnly"
    plan = team(TeamSpec(managed_policies=(policy_arn,)))
    association = one(plan, "aws:eks/podIdentityAssociation:PodIdentityAssociation").inputs
    assert (association["namespace"], association["serviceAccount"]) == ("vision", "workload")
    assert one(plan, "aws:iam/rolePolicyAttachment:RolePolicyAttachment").inputs["policyArn"] == policy_arn


def test_readers_of_models_are_apart_from_those_who_write_them() -> None:
    plan = team(models=ModelAccess(read='{"read": 1}', read_write='{"write": 1}'))
    associations = plan.of_type("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    accounts = {each.inputs["serviceAccount"] for each in associations}
    assert accounts == {"workload", "model-reader"}
    policies = {each.name: each.inputs["policy"] for each in plan.of_type("aws:iam/rolePolicy:RolePolicy")}
    assert policies == {"lab-vision-workload": '{"write": 1}', "lab-vision-model-reader": '{"read": 1}'}


def test_what_it_costs_can_be_told_by_a_tag() -> None:
    assert one(team(), "aws:eks/accessEntry:AccessEntry").inputs["tags"]["eksml:team"] == "vision"


def test_its_jobs_wait_in_a_queue_where_there_is_one() -> None:
    assert team().of_type("kubernetes:kueue.x-k8s.io/v1beta2:LocalQueue") == []
    queue = one(team(cluster_queue="vision"), "kubernetes:kueue.x-k8s.io/v1beta2:LocalQueue").inputs
    assert queue["metadata"]["name"] == "default"
    assert queue["spec"] == {"clusterQueue": "vision"}


def test_on_a_cluster_by_its_kubeconfig_it_gets_nothing_in_aws() -> None:
    assert [each.type for each in team(cluster_name=None).resources if each.package == "aws"] == []


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        ({"principals": ["vision"]}, ["principals[0]: 'vision' given, must be the ARN of an IAM role or user"]),
        ({"principals": [ROLE, ROLE]}, [f"principals[1]: '{ROLE}' is listed twice"]),
        ({"podSecurity": "privileged"}, ["podSecurity: 'privileged' given, must be baseline or restricted"]),
        (
            {"managedPolicies": ["AdministratorAccess"]},
            ["managedPolicies[0]: 'AdministratorAccess' given, must be the ARN of an IAM policy"],
        ),
        ({"quotas": {"Train": {"gpus": 1}}}, ["quotas.Train: 'Train' given, must be at most 20 lower-case"]),
        (
            {"quotas": {"train": {}}, "limits": {"vcpus": 8, "memoryGib": 32}},
            ["limits: given, but quotas say it already, pool by pool: give one of them"],
        ),
        ({"limits": {"gpus": 8}}, ["limits.memoryGib: missing", "limits.vcpus: missing"]),
        ({"volumes": {"lustreGib": 1200}}, ["volumes.lustreGib: 1200 given, must be at most gib, 1000"]),
        (
            {"priorityClasses": ["system-node-critical", "Urgent"]},
            ["priorityClasses[0]: 'system-node-critical' given, but", "priorityClasses[1]: 'Urgent' given, must be"],
        ),
        ({"loadBalancers": -1}, ["loadBalancers: -1 given, must be at least 0"]),
    ],
)
def test_what_cannot_be_is_refused(data: dict[str, Any], lines: list[str]) -> None:
    check_problems(problems(TeamSpec, data), lines)
