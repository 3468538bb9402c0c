"""The teams of a platform and their entries: what they have, and what is made before them and goes after them."""

from eksml.checks import run_checks
from eksml.plan import Plan
from platforms import CERTIFICATE, ENTRY, LOGIN, addon, production, release, research
from programs import needs, one

LOAD_BALANCER = "kubernetes:gateway.k8s.aws/v1:LoadBalancerConfiguration"
GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway"


def with_entry() -> Plan:
    return research(**ENTRY)


def test_a_team_goes_before_its_queue_and_before_what_clears_up_after_it() -> None:
    plan = production()
    team = one(plan, "eksml:tenancy:Team", "lab-training")
    before = needs(plan, team)
    for kind in ("kueue.x-k8s.io/v1beta2:ClusterQueue", "karpenter.sh/v1:NodePool"):
        assert {each.urn for each in plan.of_type(f"kubernetes:{kind}") if "serving" not in each.urn} <= before
    assert addon(plan, "aws-ebs-csi-driver").urn in before


def test_load_balancers_live_where_no_pod_does() -> None:
    plan = production()
    policy = one(plan, "kubernetes:networking.k8s.io/v1:NetworkPolicy", "lab-training-load-balancers").inputs
    let_in = {each["ipBlock"]["cidr"] for each in policy["spec"]["ingress"][0]["from"]}
    subnets = plan.of_type("aws:ec2/subnet:Subnet")
    assert let_in == {each.inputs["cidrBlock"] for each in subnets if "-public-" in each.name}
    private = [each for each in subnets if "-private-" in each.name]
    assert not any("kubernetes.io/role/internal-elb" in each.inputs["tags"] for each in private)


def test_teams_need_no_queues() -> None:
    plan = production(queueing=None)
    assert not any("kueue" in each.type for each in plan.resources)
    assert len(plan.of_type("kubernetes:core/v1:ResourceQuota")) == 2


def test_a_team_has_an_entry_only_where_it_is_asked_for() -> None:
    assert research().of_type(GATEWAY) == []
    assert one(with_entry(), GATEWAY).inputs["metadata"]["namespace"] == "research"
    labels = one(with_entry(), "kubernetes:core/v1:Namespace", "lab-research-namespace").inputs["metadata"]["labels"]
    assert labels["elbv2.k8s.aws/pod-readiness-gate-inject"] == "enabled"


def test_a_load_balancer_is_gone_before_its_controller_and_that_before_its_rights_dns_and_nodes() -> None:
    plan = with_entry()
    controller = release(plan, "aws-load-balancer-controller")
    assert controller.urn in needs(plan, one(plan, GATEWAY))
    before = needs(plan, controller)
    assert addon(plan, "coredns").urn in before
    assert addon(plan, "eks-pod-identity-agent").urn in before
    assert one(plan, "aws:eks/nodeGroup:NodeGroup", "lab-system").urn in before
    assert one(plan, "aws:ec2/vpc:Vpc").urn in before
    assert controller.inputs["values"]["clusterName"] == "lab"


def test_a_platform_with_an_entry_passes_its_own_checks() -> None:
    assert [each for each in run_checks(with_entry()).findings if each.check != "waiver-used"] == []


def test_only_the_subnets_of_the_entry_and_the_teams_own_get_in_from_wherever_requests_may_come() -> None:
    narrowed = {**ENTRY, "teams": {"research": {"gateway": {"sourceRanges": ["192.0.2.0/24"]}}}}
    for plan in (with_entry(), research(**narrowed)):
        subnets = plan.of_type("aws:ec2/subnet:Subnet")
        found = [each.inputs["tags"] for each in subnets if "kubernetes.io/role/internal-elb" in each.inputs["tags"]]
        policies = plan.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")
        ranges = {
            source["ipBlock"]["cidr"]
            for policy in policies
            for rule in policy.inputs["spec"].get("ingress") or ()
            for source in rule["from"]
            if "ipBlock" in source
        }
        assert ranges == {each.inputs["cidrBlock"] for each in subnets if each.inputs["tags"] in found}
        assert len(ranges) == 3


def test_people_may_log_in_where_the_load_balancer_reaches_their_provider() -> None:
    public = {"scheme": "internetFacing", "tls": CERTIFICATE, "authentication": LOGIN}
    plan = research(gateway={}, teams={"research": {"gateway": public}})
    assert one(plan, LOAD_BALANCER).inputs["spec"]["scheme"] == "internet-facing"
    assert [each for each in run_checks(plan).findings if each.check == "not-public"] == []


def test_a_pod_of_a_team_runs_in_the_pools_of_its_quotas() -> None:
    policy = one(
        production(), "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy", "lab-training-pods"
    )
    rules = [each["expression"] for each in policy.inputs["spec"]["validations"]]
    assert any(rule.endswith("in ['system', 'train', 'burst']") for rule in rules)
