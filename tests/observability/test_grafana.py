"""Grafana: who is let in, what it may reach, and that nothing about it is a password or a moving part."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest
import yaml

from eksml import names
from eksml.checks.workloads import workloads_of
from eksml.errors import SpecError
from eksml.observability.grafana import NAME, Grafana, GrafanaSignIn, GrafanaSpec, grafana_access
from eksml.observability.observability import Observability, ObservabilitySpec
from eksml.observability.prometheus import PrometheusSpec
from eksml.plan import Plan
from programs import needs, one, recorded

RELEASE = "kubernetes:helm.sh/v3:Release"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
SECRET = "kubernetes:core/v1:Secret"
NETWORK_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
ROLE = "kubernetes:rbac.authorization.k8s.io/v1:Role"
RULE = "kubernetes:monitoring.coreos.com/v1:PrometheusRule"
PROVIDER = "https://login.example.com"
SIGN_IN: dict[str, Any] = {
    "client_id": "grafana",
    "authorization_endpoint": f"{PROVIDER}/authorize",
    "token_endpoint": f"{PROVIDER}/token",
    "user_info_endpoint": f"{PROVIDER}/userinfo",
}


def grafana(settings: dict[str, Any] | None = None, **arguments: Any) -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        spec = ObservabilitySpec(prometheus=PrometheusSpec(), grafana=GrafanaSpec(**(settings or {})))
        Observability("lab", spec, **arguments, opts=pulumi.ResourceOptions(providers=[provider]))

    return recorded(program)


def values(plan: Plan) -> Any:
    return one(plan, RELEASE).inputs["values"]["grafana"]


def dashboards(plan: Plan) -> set[str]:
    return {each.inputs["metadata"]["name"].removeprefix("dashboard-") for each in plan.of_type(CONFIG_MAP)}


def test_it_works_alone_given_the_namespace_that_it_runs_in() -> None:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        namespace = k8s.core.v1.Namespace("observability", opts=pulumi.ResourceOptions(provider=provider))
        opts = pulumi.ResourceOptions(providers=[provider])
        Grafana("lab", GrafanaSpec(), namespace=namespace, exporters=["kubeStateMetrics", "kubelet"], opts=opts)

    assert dashboards(recorded(program)) == {"cluster"}


def test_no_password_is_given_and_the_chart_has_no_default_one(shared: Path) -> None:
    plan = grafana()
    assert "password" not in json.dumps(values(plan)).lower()
    assert not plan.of_type(SECRET)
    chart = yaml.safe_load((shared / "charts" / "kube-prometheus-stack" / "values.yaml").read_text())["grafana"]
    assert "adminPassword" not in chart, "the chart would make none of its own"
    assert chart["admin"]["existingSecret"] == ""


def test_a_person_is_told_where_the_password_is_and_how_to_get_there() -> None:
    near = grafana_access(GrafanaSpec(), None)
    assert near.url == "http://localhost:3000"
    assert near.command == f"kubectl port-forward --namespace observability service/{NAME} 3000:80"
    assert f"kubectl get secret --namespace observability {NAME}" in str(near.sign_in)
    behind = grafana_access(GrafanaSpec(sign_in=GrafanaSignIn(**SIGN_IN)), "grafana.example.com")
    assert (behind.url, behind.command) == ("https://grafana.example.com", None)
    assert str(behind.sign_in).startswith("with your identity provider")


def test_nobody_gets_in_without_signing_in_and_nobody_makes_an_account() -> None:
    settings = values(grafana())["grafana.ini"]
    assert settings["auth.anonymous"] == {"enabled": False}
    assert settings["users"] == {"allow_sign_up": False}
    assert settings["public_dashboards"] == {"enabled": False}
    assert "auth.generic_oauth" not in settings


def test_it_asks_and_tells_nobody_outside() -> None:
    settings = values(grafana())["grafana.ini"]
    assert not any(settings["analytics"].values())
    assert settings["plugins"]["preinstall_disabled"] is True
    assert settings["security"]["disable_gravatar"] is True


def test_its_only_source_of_data_is_prometheus_by_a_name_that_dashboards_know() -> None:
    (source,) = values(grafana())["datasources"]["datasources.yaml"]["datasources"]
    assert (source["uid"], source["url"]) == ("prometheus", names.PROMETHEUS_URL)
    assert values(grafana())["sidecar"]["datasources"] == {"enabled": False}


def test_dashboards_are_found_by_the_label_that_the_sidecar_looks_for_in_its_own_namespace() -> None:
    plan = grafana(exporters=["dcgm"], engines=["vllm"])
    sidecar = values(plan)["sidecar"]["dashboards"]
    for config_map in plan.of_type(CONFIG_MAP):
        metadata = config_map.inputs["metadata"]
        assert metadata["labels"] == {sidecar["label"]: sidecar["labelValue"]}
        assert metadata["namespace"] == sidecar["searchNamespace"] == names.OBSERVABILITY_NAMESPACE
        (text,) = config_map.inputs["data"].values()
        assert json.loads(text)["uid"].startswith("eksml-")
    assert dashboards(plan) == {"cluster", "gpu-fleet", "training-jobs", "vllm"}


def test_the_sidecar_reads_config_maps_and_no_secrets() -> None:
    plan = grafana()
    (rule,) = one(plan, ROLE).inputs["rules"]
    assert rule == {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}
    assert values(plan)["rbac"] == {"create": False}, "the chart's own role reads secrets too"
    assert values(plan)["sidecar"]["dashboards"]["skipReload"] is True, "or it would need the password"


def test_costs_come_with_the_region_and_the_types_that_they_are_of() -> None:
    assert not grafana().of_type(RULE)
    plan = grafana(region="us-west-2", instance_types=["g6.xlarge"], exporters=["dcgm"])
    assert {"team-costs", "gpu-costs"} <= dashboards(plan)
    assert one(plan, RULE).inputs["metadata"]["namespace"] == names.OBSERVABILITY_NAMESPACE
    directory = one(plan, "kubernetes:kustomize/v2:Directory")
    assert directory.urn in needs(plan, one(plan, RULE)), "its definition comes first"


def test_load_balancers_of_the_entry_come_in_and_nobody_else() -> None:
    assert one(grafana(), NETWORK_POLICY, "lab-grafana-network-policy").inputs["spec"]["ingress"] == []
    policy = one(grafana(load_balancer_cidrs=["10.0.0.0/20"]), NETWORK_POLICY, "lab-grafana-network-policy").inputs[
        "spec"
    ]
    assert policy["ingress"] == [
        {"from": [{"ipBlock": {"cidr": "10.0.0.0/20"}}], "ports": [{"protocol": "TCP", "port": 3000}]}
    ]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "grafana"


def test_people_sign_in_with_an_identity_provider_whose_secret_is_in_no_value() -> None:
    given: dict[str, Any] = {"secrets": {"grafanaClientSecret": "s3cret"}, "grafana_host": "grafana.ai.io"}
    plan = grafana({"sign_in": GrafanaSignIn(**SIGN_IN)}, **given)
    assert "s3cret" not in json.dumps(values(plan))
    assert values(plan)["grafana.ini"]["server"] == {"root_url": "https://grafana.ai.io"}
    assert values(plan)["grafana.ini"]["security"]["cookie_secure"] is True
    reference = values(plan)["envValueFrom"]["GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET"]["secretKeyRef"]
    secret = one(plan, SECRET).inputs
    assert secret["metadata"]["name"] == reference["name"]
    assert "s3cret" not in json.dumps(secret, default=str)
    assert GrafanaSpec(sign_in=GrafanaSignIn(**SIGN_IN)).secrets_needed.keys() == {"grafanaClientSecret"}
    assert ObservabilitySpec(prometheus=PrometheusSpec(), grafana=GrafanaSpec()).secrets_needed == {}


@pytest.mark.parametrize(
    ("groups", "expression"),
    [
        ({}, "'Viewer'"),
        (
            {"admins": ["platform"]},
            "(contains(not_null(groups, `[]`), 'platform')) && 'Admin' || 'Viewer'",
        ),
        (
            {"editors": ["a", "b"], "viewers": ["all"], "groups_claim": "roles"},
            "(contains(not_null(roles, `[]`), 'a') || contains(not_null(roles, `[]`), 'b')) && 'Editor'"
            " || (contains(not_null(roles, `[]`), 'all')) && 'Viewer'",
        ),
    ],
)
def test_a_person_has_the_highest_role_of_their_groups(groups: dict[str, Any], expression: str) -> None:
    found = values(grafana({"sign_in": GrafanaSignIn(**SIGN_IN, **groups)}))["grafana.ini"]["auth.generic_oauth"]
    assert found["role_attribute_path"] == expression
    assert found["role_attribute_strict"] is True
    assert found["allow_assign_grafana_admin"] is False


def test_a_group_cannot_break_out_of_the_expression() -> None:
    with pytest.raises(SpecError) as error:
        GrafanaSignIn(**SIGN_IN, admins=["x') || 'Admin' || contains(groups, 'y"])
    assert error.value.problems[0].path == ("admins", 0)


def test_without_prometheus_there_is_nothing_to_show() -> None:
    with pytest.raises(SpecError) as error:
        ObservabilitySpec(grafana=GrafanaSpec())
    (problem,) = error.value.problems
    assert problem.path == ("grafana",)


def test_it_keeps_off_gpu_nodes_and_has_its_place() -> None:
    (pod,) = [each for each in workloads_of(grafana()) if each.name == NAME]
    (container,) = pod.containers
    assert container["resources"]["limits"] == {"memory": "512Mi"}
    assert names.GPU_LABEL in json.dumps(pod.pod["affinity"])


def test_its_images_come_from_a_registry_of_ones_own() -> None:
    found = values(grafana(image_registry="registry.example.com"))
    assert found["image"]["registry"] == "registry.example.com/docker.io"
    assert found["sidecar"]["image"]["registry"] == "registry.example.com/quay.io"
