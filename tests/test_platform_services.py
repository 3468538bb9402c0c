"""The services of a platform, for measuring, tracking and notebooks: what they wait for, and where they are found."""

from typing import Any

import pytest

from eksml.checks import run_checks
from eksml.plan import Plan
from platforms import BY_KUBECONFIG, CERTIFICATE, addon, platform, production, release, research
from programs import needs, one

pytestmark = pytest.mark.slow

MEASURED = {"observability": {"prometheus": {}}}
DOMAIN = {"host": "*.ml.example.com", "tls": CERTIFICATE}


def test_prometheus_comes_after_what_its_volumes_need_and_goes_before_it() -> None:
    plan = research(**MEASURED)
    prometheus = release(plan, "kube-prometheus-stack")
    for needed in ("aws-ebs-csi-driver", "coredns"):
        assert addon(plan, needed).urn in needs(plan, prometheus)
    assert one(plan, "aws:eks/nodeGroup:NodeGroup", "lab-system").urn in needs(plan, prometheus)
    assert release(plan, "karpenter").urn not in needs(plan, prometheus)
    for team in plan.of_type("eksml:tenancy:Team"):
        assert prometheus.urn in needs(plan, team), "what measures a team's pods goes before the definitions of it"


@pytest.mark.parametrize(("kind", "chart"), [("devicePlugin", "dcgm-exporter"), ("gpuOperator", "gpu-operator")])
def test_gpus_are_measured_once_prometheus_has_brought_the_kind_for_it(kind: str, chart: str) -> None:
    def monitor(plan: Plan) -> Any:
        values = release(plan, chart).inputs["values"]
        return values.get("dcgmExporter", values)["serviceMonitor"]

    plan = research(accelerators={"kind": kind}, **MEASURED)
    assert (monitor(plan)["enabled"], monitor(plan)["honorLabels"]) == (True, True)
    definitions = one(plan, "kubernetes:kustomize/v2:Directory", "lab-prometheus-crds")
    assert definitions.urn in needs(plan, release(plan, chart))
    assert release(plan, "kube-prometheus-stack").urn not in needs(plan, release(plan, chart))
    without = research(accelerators={"kind": kind}, observability=None, servers={"chat": None})
    assert monitor(without) == {"enabled": False}


def test_a_cluster_by_its_kubeconfig_can_be_measured() -> None:
    settings = {**BY_KUBECONFIG, "observability": {"prometheus": {"storageClass": "standard"}}}
    assert release(platform(settings, kubeconfig="their kubeconfig"), "kube-prometheus-stack")


def test_prometheus_comes_from_a_registry_of_ones_own_with_the_rest() -> None:
    plan = research(imageRegistry="registry.example.com", **MEASURED)
    assert release(plan, "kube-prometheus-stack").inputs["chart"].startswith("oci://registry.example.com/ghcr.io/")


def test_behind_an_entry_each_service_has_a_name_and_its_route_comes_after_what_brings_its_kind() -> None:
    for profile in ("research", "production"):
        plan = platform({"profile": profile, "gateway": {"entry": DOMAIN}})
        urls = {service["url"] for service in plan.exports["platform"]["access"].values()}
        routes = plan.of_type("kubernetes:gateway.networking.k8s.io/v1:HTTPRoute")
        hosts = {host for each in routes for host in each.inputs["spec"].get("hostnames", ())}
        assert {f"https://{host}" for host in hosts} <= urls
        assert run_checks(plan).errors == ()
    assert hosts == {"mlflow.ml.example.com", "grafana.ml.example.com"}


def test_the_database_does_not_wait_for_the_cluster() -> None:
    plan = production()
    database = one(plan, "aws:rds/instance:Instance")
    assert one(plan, "eks:index:Cluster").urn not in needs(plan, database)
