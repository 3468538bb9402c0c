"""What every kind of model server does alike."""

import json
from pathlib import Path
from typing import Any

import pytest

from crds import check_admitted
from eksml import names
from eksml.catalog import engines, images
from eksml.errors import SpecError
from eksml.network.exposure import ExposureSpec
from eksml.plan import Plan
from eksml.plan.diff import Kind, diff
from eksml.secret_key import SecretKey
from eksml.serving.model_source import BucketSource, ClaimSource, HubSource
from eksml.storage.volumes import ClaimVolume
from programs import names_of, one
from serving.model_servers import KINDS, environment, made, pod_of, server, spec_of, template_of

EVERY_KIND = pytest.mark.parametrize("kind", KINDS)
FROM_THE_HUB = [kind for kind in KINDS if isinstance(KINDS[kind].own["source"], HubSource)]
STREAMED = [kind for kind in KINDS if not spec_of(kind, source=BucketSource(prefix="models/")).mounts_bucket]
OF_AN_OPERATOR = [kind for kind in KINDS if KINDS[kind].made != "kubernetes:apps/v1:Deployment"]


def engine_of(plan: Plan, kind: str) -> dict[str, Any]:
    """The engine's container."""
    return pod_of(plan, kind)["containers"][0]


@EVERY_KIND
def test_it_works_alone_in_the_cluster_that_it_is_given(kind: str) -> None:
    plan = server(kind)
    provider = one(plan, "pulumi:providers:kubernetes").urn
    objects = [resource for resource in plan.resources if resource.package == "kubernetes"]
    assert objects
    assert {resource.provider for resource in objects} == {provider}
    namespaces = {resource.inputs["metadata"].get("namespace") for resource in objects}
    assert namespaces <= {"vision", None}


@pytest.mark.parametrize("kind", OF_AN_OPERATOR)
@pytest.mark.parametrize("replicas", [1, 3])
def test_its_object_is_one_that_the_operator_knows(kind: str, replicas: int, shared: Path) -> None:
    check_admitted(made(server(kind, replicas=replicas), kind).inputs, shared)


@EVERY_KIND
def test_its_pods_go_to_the_nodes_that_it_names(kind: str) -> None:
    pod = pod_of(server(kind, capacity="spot", pool="serve"), kind)
    assert pod["nodeSelector"] == {
        names.POOL_LABEL: "serve",
        "node.kubernetes.io/instance-type": spec_of(kind).instance_type,
        "karpenter.sh/capacity-type": "spot",
    }
    has_gpus = spec_of(kind).gpus_per_node > 0
    assert pod.get("tolerations") == ([names.gpu_toleration()] if has_gpus else None)


@EVERY_KIND
def test_its_pods_get_no_more_than_they_ask_for_and_have_no_more_rights_than_they_need(kind: str) -> None:
    pod = pod_of(server(kind), kind)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("model-reader", False)
    for container in pod["containers"]:
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert set(container["resources"]["limits"]) >= {"cpu", "memory"}
    engine, *others = pod["containers"]
    # What weights from the hub take of a disk is a guess, by which nodes are chosen and no server is ended.
    requests = {key: amount for key, amount in engine["resources"]["requests"].items() if key != "ephemeral-storage"}
    assert requests == engine["resources"]["limits"]
    assert engine["resources"]["limits"].get(names.GPU_RESOURCE, "0") == str(spec_of(kind).gpus_per_node)
    assert not any(names.GPU_RESOURCE in other["resources"]["limits"] for other in others)


@EVERY_KIND
def test_a_deployment_is_given_the_time_that_a_cold_start_may_take(kind: str) -> None:
    for deployment in server(kind).of_type("kubernetes:apps/v1:Deployment"):
        assert deployment.inputs["spec"]["progressDeadlineSeconds"] >= spec_of(kind).cold_start.total.high


@EVERY_KIND
def test_no_probe_ends_a_server_that_still_loads(kind: str) -> None:
    engine = engine_of(server(kind), kind)
    if kind == "rayServeVllm":
        # KubeRay's own: they ask whether Ray lives, which it does while a model loads in it.
        assert not {"startupProbe", "readinessProbe", "livenessProbe"} & set(engine)
        return
    start = engine["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] >= spec_of(kind).cold_start.start_seconds
    paths = engines()[kind].health_paths
    assert start["httpGet"]["path"].startswith(paths.startup.partition("$")[0])
    alive = engine["livenessProbe"]
    # A server at work may miss a few answers.
    assert alive["periodSeconds"] * alive["failureThreshold"] >= 60
    assert engine["readinessProbe"]["httpGet"]["port"] == "http"


@EVERY_KIND
def test_it_answers_a_request_before_it_is_ready(kind: str) -> None:
    plan = server(kind)
    container = pod_of(plan, kind)["containers"][-1]
    assert container["name"] == "warm-up"
    assert container["command"][container["command"].index("--server-port") + 1] == str(engines()[kind].ports.http)
    assert "readinessProbe" in container
    assert len(pod_of(server(kind, warm_up=None), kind)["containers"]) == 1


@EVERY_KIND
def test_a_pod_that_goes_still_answers_until_nobody_asks_it(kind: str) -> None:
    pod = pod_of(server(kind, drain_seconds=90), kind)
    assert pod["containers"][0]["lifecycle"] == {"preStop": {"sleep": {"seconds": 90}}}
    assert pod["terminationGracePeriodSeconds"] > 90


@EVERY_KIND
def test_of_several_pods_one_goes_at_a_time_and_no_two_share_a_node_if_that_can_be(kind: str) -> None:
    assert names_of(server(kind), "kubernetes:policy/v1:PodDisruptionBudget") == []
    plan = server(kind, replicas=3)
    budget = one(plan, "kubernetes:policy/v1:PodDisruptionBudget").inputs["spec"]
    # What owns the pods of a RayCluster cannot say how many there should be, which maxUnavailable asks.
    assert {key: value for key, value in budget.items() if key != "selector"} == (
        {"minAvailable": 2} if kind == "rayServeVllm" else {"maxUnavailable": 1}
    )
    assert budget["selector"]["matchLabels"][names.SERVER_LABEL] == "chat"
    spread = pod_of(plan, kind)["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in spread] == [names.ZONE_LABEL, names.HOST_LABEL]


@EVERY_KIND
def test_prometheus_finds_every_pod_at_the_engines_metrics(kind: str) -> None:
    plan = server(kind)
    monitor = one(plan, "kubernetes:monitoring.coreos.com/v1:PodMonitor").inputs["spec"]
    template = template_of(plan, kind)
    assert monitor["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    (endpoint,) = monitor["podMetricsEndpoints"]
    ports = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
    assert ports[endpoint["port"]] == engines()[kind].ports.metrics
    assert endpoint["path"] == engines()[kind].metrics_path
    assert names_of(server(kind, metrics=False), "kubernetes:monitoring.coreos.com/v1:PodMonitor") == []


@EVERY_KIND
def test_clients_find_it_by_a_service_of_its_name(kind: str) -> None:
    plan = server(kind)
    assert plan.exports["url"] == f"http://chat.vision:{engines()[kind].ports.http}"
    if kind == "rayServeVllm":
        service = made(plan, kind).inputs["spec"]["serveService"]
        assert service["metadata"]["name"] == "chat"
        assert service["spec"]["ports"] == [{"name": "serve", "port": 8000}]
        return
    spec = one(plan, "kubernetes:core/v1:Service").inputs["spec"]
    assert spec["type"] == "ClusterIP"
    assert spec["selector"].items() <= template_of(plan, kind)["metadata"]["labels"].items()


@EVERY_KIND
def test_its_teams_entry_leads_to_that_service(kind: str) -> None:
    plan = server(kind, exposure=ExposureSpec(hostname="chat.example.com"))
    route = one(plan, "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute").inputs["spec"]
    (target,) = route["rules"][0]["backendRefs"]
    assert target == {"name": "chat", "port": engines()[kind].ports.http}


@EVERY_KIND
def test_it_waits_in_the_teams_queue_at_its_place(kind: str) -> None:
    plan = server(kind, queue="big", priority="normal")
    own = made(plan, kind).inputs["metadata"]["labels"]
    pods = template_of(plan, kind)["metadata"]["labels"]
    labels = own if kind == "rayServeVllm" else pods
    assert (labels[names.QUEUE_LABEL], labels[names.QUEUE_PRIORITY_LABEL]) == ("big", "normal")
    assert names.QUEUE_LABEL not in str(made(server(kind, queue=None), kind).inputs)


@EVERY_KIND
def test_its_image_is_the_catalogs_or_the_one_that_it_is_given(kind: str) -> None:
    assert engine_of(server(kind), kind)["image"] == images()[engines()[kind].image].reference
    own = "registry.example.com/engine:1.2.3"
    assert engine_of(server(kind, image=own), kind)["image"] == own


@EVERY_KIND
def test_its_images_come_from_a_registry_of_ones_own(kind: str) -> None:
    pod = pod_of(server(kind, image_registry="registry.example.com/mirror"), kind)
    found = [container["image"] for container in (*pod["containers"], *pod.get("initContainers", ()))]
    assert len(found) > 1
    assert [image for image in found if not image.startswith("registry.example.com/mirror/")] == []


@EVERY_KIND
def test_a_secret_is_only_named(kind: str) -> None:
    secrets = {"MY_TOKEN": SecretKey(secret="hub", key="token")}  # noqa: S106
    found = environment(server(kind, environment={"LOG": "debug"}, secrets=secrets), kind)
    assert found["LOG"] == "debug"
    assert found["MY_TOKEN"] == {"secretKeyRef": {"name": "hub", "key": "token"}}


@pytest.mark.parametrize("kind", FROM_THE_HUB)
def test_the_token_of_the_hub_is_only_named_and_a_cache_keeps_what_was_loaded(kind: str) -> None:
    token = SecretKey(secret="hub", key="token")  # noqa: S106
    source = KINDS[kind].own["source"].model_copy(update={"token": token, "cache": ClaimVolume(claim="cache")})
    plan = server(kind, source=source)
    assert environment(plan, kind)["HF_TOKEN"] == {"secretKeyRef": {"name": "hub", "key": "token"}}
    assert environment(plan, kind)["HF_HOME"] == "/cache"
    assert {"name": "models", "persistentVolumeClaim": {"claimName": "cache"}} in pod_of(plan, kind)["volumes"]


@EVERY_KIND
def test_weights_of_a_bucket_are_streamed_or_mounted_and_never_copied(kind: str) -> None:
    plan = server(kind, source=BucketSource(prefix="teams/vision/models/"))
    if kind in STREAMED:
        assert "s3://models/teams/vision/models" in json.dumps(made(plan, kind).inputs)
        assert names_of(plan, "kubernetes:core/v1:PersistentVolume") == []
        return
    volume = one(plan, "kubernetes:core/v1:PersistentVolume").inputs["spec"]
    assert volume["csi"]["volumeAttributes"]["bucketName"] == "models"
    assert {"read-only", "prefix teams/vision/models/"} <= set(volume["mountOptions"])
    assert {"name": "models", "mountPath": "/models", "readOnly": True} in engine_of(plan, kind)["volumeMounts"]


@EVERY_KIND
def test_weights_can_lie_in_a_claim(kind: str) -> None:
    plan = server(kind, source=ClaimSource(claim="weights", path="qwen"))
    mounts = engine_of(plan, kind)["volumeMounts"]
    assert {"name": "models", "mountPath": "/models", "readOnly": True, "subPath": "qwen"} in mounts


@EVERY_KIND
def test_a_bucket_that_nobody_names_is_told_before_anything_is_made(kind: str) -> None:
    with pytest.raises(SpecError, match=r"bucket: missing"):
        server(kind, source=BucketSource(prefix="models/"), bucket=None)


@EVERY_KIND
def test_another_model_changes_the_workload_in_place(kind: str) -> None:
    before, after = (server(kind, source=ClaimSource(claim=claim)) for claim in ("one", "other"))
    found = {change.urn: change.kind for change in diff(before, after).changes}
    assert found[made(after, kind).urn] is Kind.CHANGED


@EVERY_KIND
def test_its_cold_start_is_told_and_pulumi_waits_for_as_long_as_that_may_take(kind: str) -> None:
    resource = made(server(kind), kind)
    told = json.loads(resource.inputs["metadata"]["annotations"][names.COLD_START_ANNOTATION])
    assert told["total"]["usual"] > 0
    assert resource.options["customTimeouts"]["create"] == spec_of(kind).cold_start.most_seconds
    if kind in OF_AN_OPERATOR:
        assert resource.inputs["metadata"]["annotations"]["pulumi.com/waitFor"] == "condition=Ready"


@EVERY_KIND
@pytest.mark.parametrize("name", ["", "Big", "with.stop", "a" * 41, "ends-"])
def test_a_name_that_its_pods_cannot_have_is_refused(kind: str, name: str) -> None:
    with pytest.raises(SpecError, match=r"name: .*at most 40"):
        KINDS[kind].component(name, spec_of(kind))
