"""Where pods run: that there is a node for each, with room, and that GPU nodes are for those that need them."""

from collections.abc import Iterable, Iterator

from eksml import names
from eksml.checks.finding import Found
from eksml.checks.nodes import NODE_POOL, Node, has_all_nodes, nodes_of
from eksml.checks.quantities import in_words
from eksml.checks.queues import queued
from eksml.checks.scheduling import is_chosen, is_tolerated, may_run, required_affinity
from eksml.checks.workloads import Workload, workloads_of
from eksml.errors import listed, nearest
from eksml.plan import Plan


def workload_has_nodes(plan: Plan) -> Iterator[Found]:
    """Every workload's selector, affinity and tolerations are met by a pool, with the GPUs that it asks for."""
    nodes = nodes_of(plan)
    for workload in queued(plan) if has_all_nodes(plan) else ():
        if _is_optional(workload, nodes):
            continue
        chosen = [node for node in nodes if is_chosen(workload.pod, node)]
        tolerated = [node for node in chosen if is_tolerated(workload.pod, node)]
        asked = workload.requests
        able = [node for node in tolerated if all(not asked.get(each) or node.allocatable[each] for each in _DEVICES)]
        if not chosen and "matchFields" in str(required_affinity(workload.pod)):
            yield Found(workload.resource, f"{workload.name}: asks for a node by its name, which none has before it is")
        elif not chosen:
            yield Found(workload.resource, f"{workload.name}: {_unmet(workload, nodes)}")
        elif not tolerated:
            yield Found(workload.resource, f"{workload.name}: does not tolerate the taints of the pools it chooses")
        elif not able:
            devices = " and ".join(each for each in _DEVICES if asked.get(each))
            yield Found(workload.resource, f"{workload.name}: asks for {devices}, which no pool that it can use has")


def _unmet(workload: Workload, nodes: Iterable[Node]) -> str:
    """Which label that a workload asks for no pool has, and what comes near it; or that none has all together."""
    for key, value in (workload.pod.get("nodeSelector") or {}).items():
        values = {node.labels[key] for node in nodes if key in node.labels}
        if values and not any(is_chosen({"nodeSelector": {key: value}}, node) for node in nodes):
            return f"no pool has {key}: {value}{nearest(str(value), values) or f', there is {listed(sorted(values))}'}"
    selector = ", ".join(f"{key}: {value}" for key, value in (workload.pod.get("nodeSelector") or {}).items())
    return f"no pool has the labels that it asks for{selector and f': {selector}'}"


_DEVICES = (names.GPU_RESOURCE, names.EFA_RESOURCE)


def request_fits_node(plan: Plan) -> Iterator[Found]:
    """Each request fits the largest node of its pools, after what the kubelet and DaemonSets take."""
    nodes, workloads = nodes_of(plan), queued(plan)
    daemon_sets = [workload for workload in workloads if workload.kind == "DaemonSet"]
    for workload in workloads if has_all_nodes(plan) else ():
        usable = [node for node in nodes if may_run(workload.pod, node)]
        if workload.kind == "DaemonSet" or not usable or _fits_somewhere(workload, usable, daemon_sets):
            continue
        asked = ", ".join(in_words(each, amount) for each, amount in sorted(workload.requests.items()))
        types = ", ".join(sorted({node.instance_type for node in usable}))
        yield Found(workload.resource, f"{workload.name}: asks for {asked}, more than is left on any of {types}")


def daemon_set_on_gpu_nodes(plan: Plan) -> Iterator[Found]:
    """DaemonSets meant for GPU nodes tolerate their taint; what has no business there does not."""
    tainted = [node for node in nodes_of(plan) if _is_tainted(node)]
    if not tainted:
        return
    for workload in workloads_of(plan):
        tolerates = any(is_tolerated(workload.pod, node) for node in tainted)
        if workload.kind == "DaemonSet" and workload.meant_for in ("gpu", "all", "efa") and not tolerates:
            text = f"{workload.name}: runs on GPU nodes, but does not tolerate {names.GPU_TAINT_KEY}"
            yield Found(workload.resource, text)
        if tolerates and _needs_no_gpu(workload) and not workload.requests.get(names.GPU_RESOURCE):
            text = f"{workload.name}: needs no GPU, but tolerates {names.GPU_TAINT_KEY} and takes room on GPU nodes"
            yield Found(workload.resource, text)


def _needs_no_gpu(workload: Workload) -> bool:
    """Whether a workload has no business on GPU nodes: one that is meant for others, or a DaemonSet without a reason.

    To choose GPU nodes by their label is a reason. So is to tolerate every taint, as agents of all nodes do: a GPU node
    without those of networks, logs and metrics would be one that nobody sees.
    """
    if workload.meant_for is not None or workload.kind != "DaemonSet":
        return workload.meant_for == "cpu"
    tolerations = workload.pod.get("tolerations") or ()
    is_agent = any(each.get("operator") == "Exists" and not each.get("key") for each in tolerations)
    return not is_agent and names.GPU_LABEL not in str(workload.pod)


def gpu_pool_tainted(plan: Plan) -> Iterator[Found]:
    """No pool has GPUs without a taint."""
    untainted = {node.pool.urn: node for node in nodes_of(plan) if node.fact.gpu and not _is_tainted(node)}
    for node in untainted.values():
        yield Found(node.pool, f"has GPUs ({node.instance_type}) and no taint {names.GPU_TAINT_KEY}")


def elastic_pool_limited(plan: Plan) -> Iterator[Found]:
    """Every elastic pool has a limit, one of GPUs where it has them."""
    with_gpus = {node.pool.urn for node in nodes_of(plan) if node.fact.gpu}
    for pool in plan.of_type(NODE_POOL):
        limits = pool.inputs["spec"].get("limits") or {}
        if pool.urn in with_gpus and names.GPU_RESOURCE not in limits:
            yield Found(pool, f"has no limit of {names.GPU_RESOURCE}")
        elif not limits:
            yield Found(pool, "has no limit")


def requests_and_limits(plan: Plan) -> Iterator[Found]:
    """Every container, init containers and sidecars too, says what it asks for, and how much memory it may take."""
    for workload in workloads_of(plan):
        for container in workload.containers if workload.is_complete else ():
            resources = container.get("resources") or {}
            missing = [part for part, keys in _RESOURCES.items() if not keys & set(resources.get(part) or {})]
            # Of a chart whose values cannot set them nothing is known, and nothing can be done.
            if missing and (resources or workload.meant_for is None):
                text = f"{workload.name}: container {container.get('name')} has no {' and no '.join(missing)}"
                yield Found(workload.resource, text)


_RESOURCES = {"requests": {"cpu", "memory"}, "limits": {"memory"}}


def _is_optional(workload: Workload, nodes: Iterable[Node]) -> bool:
    """Whether it does no harm that a workload has no node: a DaemonSet for nodes that the Plan does not have."""
    if workload.kind != "DaemonSet":
        return False
    wanted = {"gpu": any(node.fact.gpu for node in nodes), "efa": any(node.efa for node in nodes)}
    return not wanted.get(workload.meant_for or "", True)


def _fits_somewhere(workload: Workload, nodes: list[Node], daemon_sets: list[Workload]) -> bool:
    return any(_fits(workload, node, daemon_sets) for node in nodes)


def _fits(workload: Workload, node: Node, daemon_sets: list[Workload]) -> bool:
    beside = [each for each in daemon_sets if may_run(each.pod, node)]
    for resource, amount in workload.requests.items():
        taken = sum(each.requests.get(resource, 0) for each in beside)
        if resource in node.allocatable and amount > node.allocatable[resource] - taken:
            return False
    return True


def _is_tainted(node: Node) -> bool:
    return any(taint["key"] == names.GPU_TAINT_KEY and taint["effect"] != "PreferNoSchedule" for taint in node.taints)
