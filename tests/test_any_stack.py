"""Any stack file at all: it previews and passes its own checks, or each of its problems names a path.

1,000 of them; as many as EKSML_STACK_FILES says in CI.
"""

import os
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eksml.catalog import priced_regions
from eksml.checks import run_checks
from eksml.costs import estimate
from eksml.errors import Problem, SpecError
from eksml.plan.manifests import manifests
from eksml.platform import Platform
from eksml.platform_settings import PlatformSpec
from eksml.profiles import PROFILES, platform_spec
from programs import recorded

STACK_FILES = int(os.environ.get("EKSML_STACK_FILES", "1000"))
# So that all workers have their share: those of production take several times as long as those of research.
PARTS = 4
REGIONS = ["us-west-2", "eu-central-1", "us-east-1", "us-wset-2"]

GPU_TYPES = ["g6.xlarge", "g6.12xlarge", "g5.12xlarge", "p4d.24xlarge", "p5.48xlarge", "g6e.48xlarge", "g6f.xlarge"]
CPU_TYPES = ["m7i.large", "m7i.xlarge", "c7i.4xlarge", "m7g.large"]
JUNK = st.one_of(st.none(), st.booleans(), st.integers(-5, 10**9), st.text(max_size=12), st.just([]), st.just({}))


def some(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with some of the keys."""
    return st.fixed_dictionaries({}, optional=keys)


def lists(choices: list[str], most: int = 3) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(choices), min_size=1, max_size=most, unique=True)


SHARING = st.one_of(
    st.fixed_dictionaries({"kind": st.sampled_from(["timeSlicing", "mps"]), "replicas": st.integers(1, 60)}),
    st.fixed_dictionaries({"kind": st.just("mig"), "profile": st.sampled_from(["1g.10gb", "1g.5gb", "9g.1gb"])}),
)
ZONES = lists(["usw2-az1", "usw2-az2", "usw2-az3", "usw2-az4", "use1-az3"])
POOL_OPTIONS = {
    "sharing": SHARING,
    "efa": st.booleans(),
    "placementGroup": st.booleans(),
    "zones": ZONES,
    "amiFamily": st.sampled_from(["al2023", "bottlerocket"]),
    "volumeGib": st.integers(100, 600),
    "labels": st.dictionaries(st.sampled_from(["tier", "example.com/x", "nvidia.com/x"]), st.just("y"), max_size=2),
}


def pool(kind: str, accelerator: str) -> st.SearchStrategy[dict[str, Any]]:
    types = lists(GPU_TYPES if accelerator == "nvidia" else CPU_TYPES, 2)
    needed: dict[str, Any] = {
        "kind": st.just(kind),
        "accelerator": st.just(accelerator),
        "instanceTypes": types,
    }
    if kind == "managed":
        needed["size"] = st.integers(0, 4)
    else:
        needed["gpuLimit" if accelerator == "nvidia" else "cpuLimit"] = st.integers(4, 64)
    options = POOL_OPTIONS if accelerator == "nvidia" else {}
    return st.fixed_dictionaries(needed, optional=options)


POOLS = st.dictionaries(
    st.sampled_from(["extra", "train", "a-pool", "Big"]),
    st.one_of(
        st.none(),
        pool("managed", "nvidia"),
        pool("managed", "none"),
        pool("karpenter", "nvidia"),
        pool("karpenter", "none"),
    ),
    max_size=2,
)
EGRESS = st.fixed_dictionaries(
    {"cidr": st.sampled_from(["10.0.0.0/16", "10.1.0.0/16", "0.0.0.0/0"]), "port": st.integers(5432, 5433)}
)
CERTIFICATES = [
    "arn:aws:acm:us-west-2:123456789012:certificate/0123",
    "arn:aws:acm:us-east-1:123456789012:certificate/0",
]
GATEWAY = some(
    scheme=st.sampled_from(["internal", "internetFacing", "public"]),
    host=st.sampled_from(["models.example.com", "*.example.com", "Models"]),
    tls=st.one_of(
        st.none(),
        st.fixed_dictionaries({"kind": st.just("certificate"), "arn": st.sampled_from(CERTIFICATES)}),
        st.just({"kind": "hostedZone", "zoneId": "Z0123456789"}),
    ),
    authentication=st.one_of(
        st.none(),
        st.fixed_dictionaries(
            {
                "kind": st.just("jwt"),
                "issuer": st.just("https://id.example.com"),
                "jwksEndpoint": st.just("https://id.example.com/keys"),
                "claims": st.sampled_from([[], [{"name": "aud", "values": ["models"]}]]),
            }
        ),
    ),
    sourceRanges=st.lists(st.sampled_from(["192.0.2.0/24", "0.0.0.0/0"]), max_size=2),
)
TEAMS = st.dictionaries(
    st.sampled_from(["vision", "language", "kube-x", "a"]),
    some(
        principals=st.lists(st.sampled_from(["arn:aws:iam::123456789012:role/a", "nobody"]), max_size=2),
        quotas=st.dictionaries(
            st.sampled_from(["train", "extra", "system"]),
            some(gpus=st.integers(0, 20), vcpus=st.integers(0, 8), borrow=st.integers(0, 4)),
            max_size=2,
        ),
        podSecurity=st.sampled_from(["baseline", "restricted"]),
        loadBalancers=st.integers(0, 3),
        gateway=st.one_of(st.none(), GATEWAY),
        egress=st.lists(EGRESS, max_size=1),
    ),
    max_size=2,
)
SETTINGS = some(
    name=st.sampled_from(["lab", "a-platform-of-many-letters-in-it", "X"]),
    tags=st.dictionaries(st.sampled_from(["team", "cost centre", "aws:x"]), st.just("vision"), max_size=2),
    network=some(
        natGateways=st.sampled_from(["one", "perZone", "none"]),
        cidr=st.sampled_from(["10.0.0.0/16", "192.168.0.0/20", "10.0.0.0/28"]),
        zones=ZONES,
    ),
    cluster=some(
        publicAccessCidrs=st.lists(st.sampled_from(["203.0.113.0/24", "0.0.0.0/0"]), max_size=2),
        deletionProtection=st.booleans(),
        kubernetesVersion=st.sampled_from(["1.36", "1.35", "1.29"]),
        logRetentionDays=st.sampled_from([7, 30, 31]),
    ),
    pools=POOLS,
    teams=TEAMS,
    gateway=st.sampled_from(
        [
            None,
            {},
            {"externalDns": {"hostedZones": ["Z0123456789"]}},
            {"externalDns": {}},
            {"entry": {"host": "*.ml.example.com", "tls": {"kind": "hostedZone", "zoneId": "Z0123456789"}}},
            {"entry": {}},
        ]
    ),
    storage=some(
        bucketMounts=st.sampled_from([None, {}, {"x": 1}]),
        efs=some(throughputMode=st.sampled_from(["elastic", "provisioned"]), provisionedMibps=st.integers(1, 9)),
        lustre=some(zone=st.sampled_from(["usw2-az1", "usw2-az9"]), deploymentType=st.just("persistent2")),
        modelBucket=some(keepOldVersionsDays=st.integers(0, 40), name=st.sampled_from(["models-of-mine", "B"])),
    ),
    accelerators=some(kind=st.sampled_from(["devicePlugin", "gpuOperator"])),
    queueing=st.one_of(st.none(), some(replicas=st.integers(1, 3))),
    training=st.one_of(
        st.none(),
        some(
            trainingOperator=st.one_of(st.none(), some(replicas=st.integers(1, 3))),
            mpiOperator=st.one_of(st.none(), some(replicas=st.integers(1, 3))),
            kubeRay=some(watchNamespaces=st.lists(st.sampled_from(["vision", "nobody"]), max_size=2)),
            trainer=some(replicas=st.integers(0, 3), installJobSet=st.booleans()),
        ),
    ),
    imageRegistry=st.sampled_from(["registry.example.com", "123456789012.dkr.ecr.us-west-2.amazonaws.com/x"]),
    waivers=st.dictionaries(
        st.sampled_from(["tagged", "nothing"]), st.sampled_from(["a good reason", "no"]), max_size=1
    ),
)


def with_junk(stack: dict[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """The stack file with something else at a path, as far as the path leads."""
    holder = stack
    for step in path[:-1]:
        if not isinstance(holder.get(step), dict):
            break
        holder = holder[step]
    holder[path[-1]] = value
    return stack


KEYS = ["pools", "train", "size", "teams", "cluster", "zones", "network", "x"]
WITH_JUNK = st.builds(with_junk, SETTINGS, st.lists(st.sampled_from(KEYS), min_size=1, max_size=3), JUNK)
STACK_FILE = st.one_of(SETTINGS, SETTINGS, WITH_JUNK)
# Nothing above changes them, and they are half of a platform: one file in three has those of its profile.
NO_SERVICES = dict.fromkeys(["notebooks", "observability", "servers", "serving", "tracking"])


@cache
def check_valid(spec_text: str) -> None:
    """Fails unless a platform previews and passes its own checks; once for each, however often it is drawn."""
    spec = PlatformSpec.model_validate_json(spec_text, by_alias=True)
    plan = recorded(lambda: Platform(spec.name, spec), config={"aws:region": spec.region})
    # What a budget allows no Spec knows: more than it is for a person to change, or the budget.
    errors = [finding for finding in run_checks(plan).errors if finding.check != "within-budget"]
    assert errors == [], "what a Spec allows must pass, or the Spec should have refused it"
    assert manifests(plan)
    for item in estimate(plan).items if spec.region in priced_regions() else ():
        least, usual, most = item.monthly.at_least, item.monthly.expected, item.monthly.most
        assert 0 <= least <= usual + 1e-9, item
        assert most is None or usual <= most + 1e-9, item


def problems_of(stack: dict[str, Any], profile: str, region: str) -> list[Problem]:
    """What is wrong with a stack file; if nothing is, it is previewed and checked."""
    try:
        spec = platform_spec({"profile": profile, **stack}, region=region, name=f"eksml-{profile}")
    except SpecError as error:
        return error.problems
    check_valid(spec.model_dump_json(by_alias=True))
    return []


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("part", range(PARTS))
def test_it_previews_and_passes_or_says_where_it_is_wrong(part: int, profile: str) -> None:
    examples = -(-STACK_FILES // len(PROFILES) // PARTS)

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck), database=None)
    @given(
        services=st.sampled_from([{}, NO_SERVICES, NO_SERVICES]),
        stack=STACK_FILE,
        region=st.sampled_from(REGIONS),
    )
    def holds(services: dict[str, Any], stack: dict[str, Any], region: str) -> None:
        assert all(problem.path and problem.text for problem in problems_of({**services, **stack}, profile, region))

    holds()
