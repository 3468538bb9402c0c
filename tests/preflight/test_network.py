"""A VPC and a cluster that exist, the way to the API server, and addresses."""

from typing import Any

import boto3
import pytest

from eksml.account import Account
from eksml.preflight import addresses, api_server
from eksml.preflight.finding import Status
from preflight.accounts import CREDENTIALS, REGION, answers, basis_of, found, moto_account, one, plan_with
from preflight.replies import READY

pytestmark = pytest.mark.slow

OWN = {"eksml:platform": "eksml-startup"}


def made_network(cidr: str = "10.20.0.0/16", **changes: Any) -> tuple[Any, dict[str, Any]]:
    """A VPC of moto's with three private subnets that lead to a NAT gateway, and the setting that names it."""
    ec2 = boto3.client("ec2", region_name=REGION, **CREDENTIALS)
    vpc = ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
    for attribute in changes.get("dns", ("EnableDnsSupport", "EnableDnsHostnames")):
        ec2.modify_vpc_attribute(VpcId=vpc, **{attribute: {"Value": True}})
    blocks = changes.get("blocks", ("10.20.0.0/20", "10.20.16.0/20", "10.20.32.0/20"))
    subnets = {
        f"usw2-az{number}": ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZoneId=f"usw2-az{number}")[
            "Subnet"
        ]["SubnetId"]
        for number, block in enumerate(blocks, start=1)
    }
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(VpcId=vpc, InternetGatewayId=gateway)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnets["usw2-az1"], AllocationId=address)["NatGateway"]["NatGatewayId"]
    way = {"GatewayId": gateway} if changes.get("is_public") else {"NatGatewayId": nat}
    if changes.get("leads_out", True):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **way)
    for subnet in subnets.values():
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    return ec2, {"kind": "existing", "vpcId": vpc, "privateSubnets": subnets}


def existing(network: dict[str, Any], account: Account, what: str) -> list[tuple[Status, str]]:
    basis = basis_of(plan_with("startup", f"network: {network}"))
    return [(answer.status, answer.text) for answer in answers(addresses, basis, what, account)]


def test_a_vpc_that_exists_and_fits_is_well() -> None:
    with moto_account(READY) as (account, _):
        _, network = made_network()
        basis = basis_of(plan_with("startup", f"network: {network}"))
        for each in addresses.questions(basis):
            assert {answer.status for answer in each.ask(account)} == {Status.OK}, each.what


def test_a_vpc_that_is_not_there_is_an_error() -> None:
    with moto_account(READY) as (account, _):
        _, network = made_network()
        lost = {**network, "vpcId": "vpc-0123456789abcdef0"}
        ((status, text),) = existing(lost, account, "the VPC")
    assert (status, text) == (Status.ERROR, "is not in us-west-2 of this account")


def test_a_vpc_that_resolves_no_names_is_an_error() -> None:
    with moto_account(READY) as (account, _):
        _, network = made_network(dns=())
        ((status, text),) = existing(network, account, "the VPC")
    assert (status, text) == (Status.ERROR, "has enableDnsHostnames turned off")


def test_ranges_of_load_balancers_outside_the_vpc_are_an_error() -> None:
    with moto_account(READY) as (account, _):
        _, network = made_network()
        ((status, text),) = existing({**network, "loadBalancerCidrs": ["10.30.0.0/24"]}, account, "the VPC")
    assert status is Status.ERROR
    assert "10.30.0.0/24" in text


def test_a_subnet_of_another_vpc_or_zone_is_an_error() -> None:
    with moto_account(READY) as (account, _):
        _, network = made_network()
        _, other = made_network("10.21.0.0/16", blocks=("10.21.0.0/20",))
        subnets = {
            "usw2-az1": network["privateSubnets"]["usw2-az2"],
            "usw2-az2": other["privateSubnets"]["usw2-az1"],
        }
        given = existing({**network, "privateSubnets": subnets}, account, "the subnets")
    texts = " ".join(text for _, text in given)
    assert {status for status, _ in given} == {Status.ERROR}
    assert "and is given for usw2-az1" in texts
    assert f"is in {other['vpcId']}, not in {network['vpcId']}" in texts


def test_a_subnet_without_room_for_the_cluster_is_an_error() -> None:
    with moto_account(READY) as (account, _):
        _, network = made_network(blocks=("10.20.0.0/28", "10.20.1.0/28"))
        subnets = {
            "Subnets": [
                {
                    "SubnetId": name,
                    "VpcId": network["vpcId"],
                    "AvailabilityZone": "us-west-2a",
                    "AvailabilityZoneId": zone,
                    "AvailableIpAddressCount": free,
                }
                for (zone, name), free in zip(network["privateSubnets"].items(), (5, 11), strict=True)
            ]
        }
    with moto_account({**READY, "ec2.DescribeSubnets": subnets}) as (account, _):
        given = existing(network, account, "the subnets")
    assert [status for status, _ in given] == [Status.ERROR, Status.WARNING, Status.OK]


def test_subnets_that_load_balancers_do_not_find_are_a_warning() -> None:
    with moto_account(READY) as (account, _):
        ec2, network = made_network()
        basis = basis_of(plan_with("startup", f"network: {network}\ngateway: {{}}"))
        assert one(addresses, basis, "the tags of the subnets", account)[0] is Status.WARNING
        tag = {"Key": "kubernetes.io/role/internal-elb", "Value": "1"}
        ec2.create_tags(Resources=[*network["privateSubnets"].values()], Tags=[tag])
        assert one(addresses, basis, "the tags of the subnets", account)[0] is Status.OK


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({"is_public": True}, Status.ERROR, "leads to an internet gateway"),
        ({"leads_out": False}, Status.WARNING, "has no route to 0.0.0.0/0"),
    ],
)
def test_private_subnets_that_do_not_lead_out_are_told(changes: dict[str, Any], status: Status, text: str) -> None:
    with moto_account(READY) as (account, _):
        _, network = made_network(**changes)
        given = existing(network, account, "the way out")
    assert len(given) == 3
    assert {each for each, _ in given} == {status}
    assert text in given[0][1]


def test_a_type_that_the_region_does_not_have_costs_no_answer_about_addresses() -> None:
    def described(parameters: Any) -> dict[str, Any]:
        assert "InstanceTypes" not in parameters, "EC2 answers InvalidInstanceType"
        return {"InstanceTypes": []}

    with moto_account({**READY, "ec2.DescribeInstanceTypes": described}) as (account, _):
        basis = basis_of(plan_with("startup"))
        assert one(addresses, basis, "the addresses of nodes", account)[0] is Status.OK


def test_subnets_too_small_for_all_nodes_are_a_warning() -> None:
    with moto_account(READY) as (account, _):
        _, network = made_network(blocks=("10.20.0.0/26", "10.20.1.0/26"))
        ((status, text),) = existing(network, account, "the addresses")
    assert status is Status.WARNING
    assert text == "117 free in 2 subnets; as many nodes as there may be take 160 to begin with"


def test_subnets_too_small_for_the_fixed_nodes_are_an_error() -> None:
    with moto_account(READY) as (account, _):
        _, network = made_network(blocks=("10.20.0.0/28", "10.20.1.0/28"))
        basis = basis_of(plan_with("startup", f"network: {network}\npools.system.size: 30"))
        assert one(addresses, basis, "the addresses", account)[0] is Status.ERROR


def cluster(**changes: Any) -> dict[str, Any]:
    fact = {
        "name": "theirs",
        "status": "ACTIVE",
        "version": "1.35",
        "endpoint": "https://0123.gr7.us-west-2.eks.amazonaws.com",
        "accessConfig": {"authenticationMode": "API"},
        "tags": {},
        **changes,
    }
    return {**READY, "eks.DescribeCluster": {"cluster": fact}, "eks.ListAddons": {"addons": ["coredns"]}}


EXISTING = """
cluster: {kind: existing, name: theirs, kubernetesVersion: "1.35", addons: [metrics-server]}
accelerators.dcgmHostEngine: exporter
network: {kind: existing, vpcId: vpc-0123456789abcdef0,
  privateSubnets: {usw2-az1: subnet-0123456789abcdef0, usw2-az2: subnet-0123456789abcdef1}}
"""


def test_a_cluster_that_exists_and_is_as_the_stack_file_says_is_well() -> None:
    with moto_account(cluster()) as (account, _):
        basis = basis_of(plan_with("startup", EXISTING))
        assert one(api_server, basis, "the cluster theirs", account) == (Status.OK, "ACTIVE, Kubernetes 1.35 | ")
        assert one(api_server, basis, "the API server", account)[0] is Status.OK


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"version": "1.34"}, 'set cluster.kubernetesVersion to "1.34"'),
        ({"status": "UPDATING"}, "is UPDATING"),
        ({"accessConfig": {"authenticationMode": "CONFIG_MAP"}}, "authenticationMode=API_AND_CONFIG_MAP"),
    ],
)
def test_a_cluster_that_is_not_as_the_stack_file_says_is_an_error(changes: dict[str, Any], text: str) -> None:
    with moto_account(cluster(**changes)) as (account, _):
        status, said = one(api_server, basis_of(plan_with("startup", EXISTING)), "the cluster theirs", account)
    assert status is Status.ERROR
    assert text in said


def test_an_addon_that_the_cluster_has_already_is_an_error() -> None:
    with moto_account({**cluster(), "eks.ListAddons": {"addons": ["metrics-server"]}}) as (account, _):
        status, text = one(api_server, basis_of(plan_with("startup", EXISTING)), "the cluster theirs", account)
    assert status is Status.ERROR
    assert "has the add-on metrics-server already" in text


def test_a_cluster_that_is_not_there_is_an_error() -> None:
    with moto_account({**READY, "eks.DescribeCluster": found("ResourceNotFoundException")}) as (account, _):
        basis = basis_of(plan_with("startup", EXISTING))
        assert one(api_server, basis, "the cluster theirs", account)[0] is Status.ERROR
        assert one(api_server, basis, "the API server", account)[0] is Status.NOT_KNOWN


def test_an_api_server_that_takes_no_connection_is_an_error() -> None:
    with moto_account(cluster(tags=OWN)) as (account, _):
        for stack in (plan_with("startup"), plan_with("startup", EXISTING)):
            assert one(api_server, basis_of(stack, reaches=False), "the API server", account)[0] is Status.ERROR
        assert one(api_server, basis_of(plan_with("startup")), "the API server", account)[0] is Status.OK


@pytest.mark.parametrize(
    ("ranges", "changes", "status"),
    [
        ("[0.0.0.0/0]", {}, Status.OK),
        ("[203.0.113.0/24]", {}, Status.NOT_KNOWN),
        ("[203.0.113.0/24]", {"asks_address": True}, Status.OK),
        ("[198.51.100.0/24]", {"asks_address": True}, Status.ERROR),
        ("[203.0.113.0/24]", {"asks_address": True, "address": None}, Status.NOT_KNOWN),
    ],
)
def test_a_new_cluster_lets_this_machine_in_or_not(ranges: str, changes: dict[str, Any], status: Status) -> None:
    waived = "waivers.open-public-endpoint: the course ends in May"
    basis = basis_of(plan_with("startup", f"cluster.publicAccessCidrs: {ranges}\n{waived}"), **changes)
    with moto_account(READY) as (account, _):
        given, text = one(api_server, basis, "the API server", account)
    assert given is status
    if status is Status.ERROR:
        assert "add 203.0.113.7/32 to cluster.publicAccessCidrs" in text
