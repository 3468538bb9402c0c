"""Prometheus: what it measures, where it keeps it, and what it must not bring with it."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from eksml import names
from eksml.catalog import charts
from eksml.checks.workloads import workloads_of
from eksml.errors import SpecError
from eksml.observability.prometheus import Prometheus, PrometheusSpec
from eksml.plan import Plan
from programs import needs, one, recorded

DIRECTORY = "kubernetes:kustomize/v2:Directory"
RELEASE = "kubernetes:helm.sh/v3:Release"
NAMESPACE = "kubernetes:core/v1:Namespace"


def prometheus(image_registry: str | None = None, **settings: Any) -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        opts = pulumi.ResourceOptions(providers=[provider])
        Prometheus("lab", PrometheusSpec(**settings), image_registry=image_registry, opts=opts)

    return recorded(program)


def values(plan: Plan) -> Any:
    return one(plan, RELEASE).inputs["values"]


def spec(plan: Plan) -> Any:
    return values(plan)["prometheus"]["prometheusSpec"]


def test_it_works_alone_and_its_definitions_come_first() -> None:
    plan = prometheus()
    release = one(plan, RELEASE)
    assert {one(plan, DIRECTORY).urn, one(plan, NAMESPACE).urn} <= set(needs(plan, release))
    assert release.inputs["skipCrds"] is True
    assert set(charts()["kube-prometheus-stack"].crds) == {
        f"{plural}.monitoring.coreos.com"
        for plural in (
            *("alertmanagerconfigs", "alertmanagers", "podmonitors", "probes", "prometheusagents"),
            *("prometheuses", "prometheusrules", "scrapeconfigs", "servicemonitors", "thanosrulers"),
        )
    }


def test_only_what_measures_scales_and_judges_reaches_it() -> None:
    policy = one(prometheus(), "kubernetes:networking.k8s.io/v1:NetworkPolicy").inputs
    assert policy["metadata"] == {"name": "prometheus", "namespace": names.OBSERVABILITY_NAMESPACE}
    assert policy["spec"]["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    beside, controllers = policy["spec"]["ingress"]
    assert beside == {"from": [{"podSelector": {}}]}
    assert controllers["ports"] == [{"protocol": "TCP", "port": 9090}]
    (asking,) = [each["namespaceSelector"]["matchExpressions"] for each in controllers["from"]]
    (expression,) = asking
    assert (expression["key"], expression["operator"]) == ("kubernetes.io/metadata.name", "In")
    # Teams and notebooks are not among them: Prometheus has no sign-in, and knows what all of them do.
    assert set(expression["values"]) == {charts()[each].namespace for each in ("keda", "argo-rollouts")}


def test_its_address_is_the_one_that_all_others_know() -> None:
    plan = prometheus()
    namespace = one(plan, NAMESPACE).inputs["metadata"]
    assert namespace["name"] == names.OBSERVABILITY_NAMESPACE == one(plan, RELEASE).inputs["namespace"]
    # The Service is made by the operator for the pods of every Prometheus, unless another one is named.
    assert names.PROMETHEUS_URL == "http://prometheus-operated.observability.svc:9090"
    assert not {"serviceName", "portName", "listenLocal", "routePrefix"} & set(spec(plan))


def test_it_reaches_the_pods_of_teams_and_runs_without_rights_of_its_own() -> None:
    labels = one(prometheus(), NAMESPACE).inputs["metadata"]["labels"]
    assert labels[names.PLATFORM_NAMESPACE_LABEL] == names.PLATFORM_NAMESPACE_VALUE
    assert labels[names.POD_SECURITY_LABEL] == "restricted"


@pytest.mark.parametrize("kind", ["serviceMonitor", "podMonitor", "rule", "probe", "scrapeConfig"])
def test_it_takes_what_is_to_be_measured_from_all_namespaces_whatever_its_labels(kind: str) -> None:
    assert spec(prometheus())[f"{kind}SelectorNilUsesHelmValues"] is False
    assert f"{kind}NamespaceSelector" not in spec(prometheus()), "the default is every namespace"


def test_no_job_makes_a_certificate_and_the_operator_needs_none() -> None:
    operator = values(prometheus())["prometheusOperator"]
    assert operator["admissionWebhooks"] == {"enabled": False}
    assert operator["tls"] == {"enabled": False}


def test_labels_by_which_dashboards_tell_objects_apart_are_let_through_and_no_others() -> None:
    let_through = values(prometheus())["kube-state-metrics"]["metricLabelsAllowlist"]
    assert "pods=[eksml.dev/job,eksml.dev/server]" in let_through
    assert "*" not in "".join(let_through)


def test_neither_alerts_nor_dashboards_come_with_it() -> None:
    found = values(prometheus())
    assert found["grafana"] == found["alertmanager"] == {"enabled": False}
    assert found["defaultRules"] == {"create": False}


def test_its_volume_is_of_the_encrypted_class_is_never_full_and_goes_with_it() -> None:
    found = spec(prometheus(size_gib=100, retention_days=30))
    claim = found["storageSpec"]["volumeClaimTemplate"]["spec"]
    assert claim["storageClassName"] == "gp3"
    assert claim["resources"]["requests"]["storage"] == "100Gi"
    assert (found["retention"], found["retentionSize"]) == ("30d", "80GB")
    assert found["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete"
    assert spec(prometheus(size_gib=2, retention_days=1))["retentionSize"] == "1GB", (
        "never 0, which would be without a limit"
    )


def test_a_cluster_of_somebody_elses_has_its_own_storage_class() -> None:
    claim = spec(prometheus(storage_class="standard"))["storageSpec"]["volumeClaimTemplate"]["spec"]
    assert claim["storageClassName"] == "standard"


def test_a_volume_too_small_for_what_is_kept_is_refused() -> None:
    with pytest.raises(SpecError, match="sizeGib: 20 given, must be at least 38 for 30 days"):
        PrometheusSpec(size_gib=20, retention_days=30)


def test_everything_keeps_off_gpu_nodes_and_has_requests_and_limits() -> None:
    found = {workload.name: workload.pod for workload in workloads_of(prometheus())}
    assert len(found) == 3
    for name, pod in found.items():
        assert "DoesNotExist" in str(pod["affinity"]), name
        (container,) = pod["containers"]
        assert {"requests", "limits"} <= set(container["resources"]), name
    assert "resources" in values(prometheus())["prometheusOperator"]["prometheusConfigReloader"]


def test_every_node_is_measured_only_if_that_is_wanted_and_then_gpu_nodes_too() -> None:
    assert values(prometheus())["nodeExporter"] == {"enabled": False}
    found = values(prometheus(node_exporter=True))
    assert found["nodeExporter"] == {"enabled": True}
    assert names.gpu_toleration() in found["prometheus-node-exporter"]["tolerations"]
    assert found["prometheus-node-exporter"]["namespaceOverride"] == "kube-system", "it reads the node's own files"
    (exporter,) = (each for each in workloads_of(prometheus(node_exporter=True)) if each.kind == "DaemonSet")
    assert exporter.meant_for == "all"


def test_of_two_replicas_one_stays_while_nodes_are_emptied() -> None:
    assert values(prometheus())["prometheus"]["podDisruptionBudget"]["enabled"] is False
    two = prometheus(replicas=2)
    assert spec(two)["replicas"] == 2
    assert values(two)["prometheus"]["podDisruptionBudget"] == {"enabled": True, "minAvailable": 1}


def test_it_measures_often_enough_for_the_queries_of_the_catalog() -> None:
    assert spec(prometheus())["scrapeInterval"] == "15s"


def test_chart_and_images_can_come_from_a_registry_of_ones_own_the_side_containers_too() -> None:
    mirrored = one(prometheus(image_registry="registry.example.com", node_exporter=True), RELEASE).inputs
    assert mirrored["chart"].startswith("oci://registry.example.com/ghcr.io/prometheus-community/charts/")
    found = mirrored["values"]
    quay = "registry.example.com/quay.io"
    assert found["prometheusOperator"]["image"]["registry"] == quay
    assert found["prometheusOperator"]["prometheusConfigReloader"]["image"]["registry"] == quay
    assert found["prometheus"]["prometheusSpec"]["image"]["registry"] == quay
    assert found["prometheus-node-exporter"]["image"]["registry"] == quay
    assert found["kube-state-metrics"]["image"]["registry"] == "registry.example.com/registry.k8s.io"
