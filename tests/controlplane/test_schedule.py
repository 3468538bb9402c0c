"""The end of a working day on a real API server: with kubectl, as the Job that runs it, and its rights."""

import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pulumi
import pulumi_kubernetes as k8s
import pytest

from controlplane import crds
from controlplane.build import programs
from controlplane.client import Client, RefusedError
from controlplane.scheduling import add_nodes, placements
from controlplane.stacks import of_kind, wait_until_refused
from controlplane.test_operators import SYSTEM_NODE, UNTAINTED
from eksml import names
from eksml.checks.workloads import workloads_of
from eksml.nodes.schedule import Schedule, ScheduleSpec
from eksml.plan import Plan
from eksml.plan.manifests import objects
from eksml.weekly_hours import DAYS
from programs import recorded

pytestmark = pytest.mark.controlplane

ACCOUNT = f"system:serviceaccount:{names.SCHEDULE_NAMESPACE}:end-of-day"
ZONE = "Europe/Berlin"


@cache
def schedule(start: str = "07:00", end: str = "20:00") -> Plan:
    def program() -> None:
        Schedule(
            "lab",
            ScheduleSpec(start=start, end=end, time_zone=ZONE, days=DAYS),
            region="us-west-2",
            cluster_name="lab",
            managed_pools={},
            managed_specs={},
            karpenter_pools=("train", "burst"),
            opts=pulumi.ResourceOptions(providers=[k8s.Provider("cluster", kubeconfig="{}")]),
        )

    return recorded(program)


def node_claim(name: str, pool: str) -> dict[str, Any]:
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodeClaim",
        "metadata": {"name": name, "labels": {names.KARPENTER_POOL_LABEL: pool}},
        "spec": {
            "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": pool},
            "requirements": [{"key": names.INSTANCE_TYPE_LABEL, "operator": "In", "values": ["g6.xlarge"]}],
        },
    }


def kubectl(cluster: Client, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs kubectl as the Job of the end of the day does."""
    token = cluster.headers["Authorization"].removeprefix("Bearer ")
    server = [f"--server={cluster.url}", "--insecure-skip-tls-verify", f"--token={token}", f"--as={ACCOUNT}"]
    command = [str(programs() / "kubectl"), *server, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={"HOME": str(folder)}, check=False)


def build(cluster: Client, plan: Plan, *left_out: str) -> list[dict[str, Any]]:
    made = [item for item in objects(plan) if item["kind"] not in left_out]
    crds.install(cluster, [*made, node_claim("any", "train")])
    for item in made:
        cluster.create(item)
    return made


def around_now(minutes: int) -> tuple[str, str]:
    """Hours from some minutes before now to as many after it, on the clock of Berlin, within a day."""
    now = datetime.now(ZoneInfo(ZONE))
    span = timedelta(minutes=minutes)
    first, last = now.replace(hour=0, minute=0), now.replace(hour=23, minute=59)
    return f"{max(first, now - span):%H:%M}", f"{min(last, now + span):%H:%M}"


def arguments(plan: Plan) -> Iterator[str]:
    (cron_job,) = of_kind(objects(plan), "CronJob")
    (container,) = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    yield from container["args"]


def test_all_of_it_is_admitted_and_its_job_starts_a_pod(cluster: Client) -> None:
    made = build(cluster, schedule())
    (cron_job,) = of_kind(made, "CronJob")
    metadata = {"name": "now", "namespace": names.SCHEDULE_NAMESPACE}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": cron_job["spec"]["jobTemplate"]["spec"],
    }
    cluster.create(job)
    found = cluster.wait_until(job, lambda each: each.get("status", {}).get("active"))
    assert found["status"]["active"] == 1


def test_the_job_takes_leave_of_the_nodes_of_its_pools_and_of_no_other(cluster: Client, tmp_path: Path) -> None:
    plan = schedule()
    build(cluster, plan, "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    claims = [node_claim("one", "train"), node_claim("two", "burst"), node_claim("three", "theirs")]
    for claim in claims:
        cluster.create(claim)
    done = kubectl(cluster, tmp_path, *arguments(plan))
    assert done.returncode == 0, done.stderr
    assert [bool(cluster.get(claim)) for claim in claims] == [False, False, True]


def test_where_there_are_no_nodes_the_job_is_done_at_once(cluster: Client, tmp_path: Path) -> None:
    plan = schedule()
    build(cluster, plan)
    done = kubectl(cluster, tmp_path, *arguments(plan))
    assert (done.returncode, done.stdout.strip()) == (0, "No resources found"), done.stderr


def test_the_job_may_do_nothing_else(cluster: Client, tmp_path: Path) -> None:
    build(cluster, schedule())
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "any", "namespace": "default"}}
    job = cluster.as_user(ACCOUNT, "system:serviceaccounts", "system:authenticated")
    for forbidden in (lambda: job.get(secret), lambda: job.create(node_claim("own", "train"))):
        with pytest.raises(RefusedError, match=r"cannot (get|create) resource"):
            forbidden()
    for verb, resource in (("delete", "nodes"), ("patch", "nodepools.karpenter.sh"), ("create", "pods")):
        assert kubectl(cluster, tmp_path, "auth", "can-i", verb, resource).stdout.strip() == "no"


def test_outside_working_hours_no_node_of_these_pools_is_made_and_in_them_each_is(cluster: Client) -> None:
    start, end = around_now(40)
    later = datetime.now(ZoneInfo(ZONE)) + timedelta(hours=12)
    outside = schedule(f"{later:%H}:00", f"{later:%H}:01")
    build(cluster, outside)
    wait_until_refused(cluster, node_claim("late", "train"))
    with pytest.raises(RefusedError, match=r"nodes are there Mon, .* Europe/Berlin only \(schedule\)"):
        cluster.create(node_claim("late", "train"))
    assert cluster.create(node_claim("theirs", "theirs"))["kind"] == "NodeClaim"
    (now,) = of_kind(objects(schedule(start, end)), "ValidatingAdmissionPolicy")
    cluster.update({**cluster.get(now), "spec": now["spec"]})
    _wait_until_admitted(cluster, node_claim("early", "train"))


def _wait_until_admitted(cluster: Client, item: dict[str, Any]) -> None:
    def is_admitted(_found: dict[str, Any]) -> bool:
        try:
            cluster.create(item, dry_run=True)
        except RefusedError:
            return False
        return True

    cluster.wait_until(item, is_admitted)


def test_the_job_keeps_off_gpu_nodes(cluster: Client) -> None:
    specs = {each.name: dict(each.pod) for each in workloads_of(schedule())}
    # Its service account is in the namespace of the Job.
    pods = [{"name": name, "spec": {**spec, "serviceAccountName": "default"}} for name, spec in specs.items()]
    assert [pod["name"] for pod in pods] == ["end-of-day"]
    add_nodes(cluster, [UNTAINTED])
    assert all("didn't match Pod's node affinity" in reason for reason in placements(cluster, pods).values())
    add_nodes(cluster, [SYSTEM_NODE])
    assert set(placements(cluster, pods).values()) == {"system"}
