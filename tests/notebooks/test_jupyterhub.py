"""JupyterHub: what its chart is told, what stands around it, and what a platform must have for it."""

from typing import Any

import jsonschema
import pytest
import yaml

from eksml import names
from eksml.catalog import chart_values, charts, images
from eksml.checks.run import run_checks
from eksml.notebooks.jupyterhub import JupyterHubSpec, jupyterhub_problems
from eksml.spec import parse
from notebooks.hubs import POOLS, RELEASE, SIGN_IN, every_sign_in, hub, settings, values_of
from parts import shared_folder, skip
from programs import needs, one
from refusals import check_problems, problems

NAMESPACE = "kubernetes:core/v1:Namespace"
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
SECRET = "kubernetes:core/v1:Secret"


def validate(values: dict[str, Any]) -> None:
    """Judges values as Helm does: laid over the chart's own, by its schema."""
    folder = (shared_folder() or skip("needs the real charts beside the checkout")) / "charts" / "jupyterhub"
    schema, defaults = (yaml.safe_load((folder / f"values{end}.yaml").read_text()) for end in (".schema", ""))
    jsonschema.validate(laid_over(defaults, values), schema)


def laid_over(defaults: Any, values: Any) -> Any:
    if not (isinstance(defaults, dict) and isinstance(values, dict)):
        return values
    return {**defaults, **{key: laid_over(defaults.get(key), value) for key, value in values.items()}}


def found(**changes: Any) -> list[str]:
    spec = parse(JupyterHubSpec, settings(**changes))
    told = jupyterhub_problems(spec, POOLS, teams=["research"], has_efs=False, has_entry=True)
    return sorted(map(str, told))


def test_it_works_alone_and_comes_after_what_holds_it() -> None:
    plan = hub()
    before = needs(plan, one(plan, RELEASE))
    for kind in (NAMESPACE, POLICY, SECRET, "kubernetes:core/v1:ResourceQuota", "kubernetes:core/v1:ServiceAccount"):
        assert one(plan, kind).urn in before, kind


@pytest.mark.parametrize("sign_in", SIGN_IN)
def test_the_charts_own_schema_takes_what_it_is_told(sign_in: str) -> None:
    validate(every_sign_in()[sign_in])


@pytest.mark.parametrize("home", [{"kind": "efs"}, {"kind": "ebs", "sizeGib": 5, "storageClass": "fast"}])
def test_the_charts_own_schema_takes_every_home(home: dict[str, Any]) -> None:
    values = values_of(hub(settings(home=home, mostHours=12), has_prometheus=True))
    validate(values)
    storage = values["singleuser"]["storage"]
    assert storage["dynamic"]["storageClass"] == {"efs": "efs", "ebs": "fast"}[home["kind"]]
    assert storage["dynamic"]["storageAccessModes"] == [{"efs": "ReadWriteMany", "ebs": "ReadWriteOnce"}[home["kind"]]]


def test_a_misspelt_value_would_be_refused() -> None:
    values = every_sign_in()["github"]
    with pytest.raises(jsonschema.ValidationError):
        validate({**values, "cull": {**values["cull"], "timeOut": 60}})


@pytest.mark.parametrize("sign_in", SIGN_IN)
def test_no_check_finds_an_error(sign_in: str) -> None:
    arguments = {"cluster_name": "lab", "policy": "{}", "has_prometheus": True}
    plan = hub(settings(authentication=SIGN_IN[sign_in]), **arguments)
    # What the platform brings is not there: pools, and the definitions of Prometheus.
    brought = {"workload-has-nodes", "custom-resource-after-crd", "network-policy-enforced"}
    assert [finding for finding in run_checks(plan).findings if finding.check not in brought] == []


def test_nothing_is_public_and_nobody_is_privileged() -> None:
    values = values_of(hub())
    assert values["proxy"]["service"]["type"] == "ClusterIP"
    assert values["singleuser"]["cloudMetadata"]["blockWithIptables"] is False
    labels = one(hub(), NAMESPACE).inputs["metadata"]["labels"]
    assert labels[names.POD_SECURITY_LABEL] == "baseline"
    assert labels[names.POD_SECURITY_WARN_LABEL] == "restricted"
    assert labels[names.PLATFORM_NAMESPACE_LABEL] == names.PLATFORM_NAMESPACE_VALUE


def test_notebooks_reach_https_names_their_identity_and_the_tracker_only() -> None:
    values = values_of(hub(settings(egress=[{"cidr": "10.1.0.0/16", "port": 5432}])))
    policy = values["singleuser"]["networkPolicy"]
    assert not any(policy["egressAllowRules"].values())
    opened = [
        (each.get("ipBlock", {}).get("cidr"), port["port"])
        for rule in policy["egress"]
        for each in rule["to"]
        for port in rule["ports"]
    ]
    assert opened == [
        *((None, 53), (None, 53)),
        ("169.254.170.23/32", 80),
        ("0.0.0.0/0", 443),
        (None, 5000),
        ("10.1.0.0/16", 5432),
    ]
    (https,) = [rule for rule in policy["egress"] if rule["ports"][0]["port"] == 443]
    assert https["to"][0]["ipBlock"]["except"] == ["169.254.0.0/16"]


def test_every_rule_of_the_chart_that_opens_something_is_off() -> None:
    known = chart_values()["jupyterhub"]
    for part in ("hub", "proxy.chp", "singleuser"):
        told, real = values_of(hub()), known
        for step in part.split("."):
            told, real = told[step], real[step]
        assert set(told["networkPolicy"]["egressAllowRules"]) == set(real["networkPolicy"]["egressAllowRules"]), part


def test_only_load_balancers_reach_the_proxy_and_only_prometheus_the_hub() -> None:
    closed, opened = values_of(hub()), values_of(hub(load_balancer_cidrs=["10.0.1.0/24"], has_prometheus=True))
    assert closed["proxy"]["chp"]["networkPolicy"]["allowedIngressPorts"] == []
    assert closed["proxy"]["chp"]["networkPolicy"]["ingress"] == closed["hub"]["networkPolicy"]["ingress"] == []
    (rule,) = opened["proxy"]["chp"]["networkPolicy"]["ingress"]
    assert rule["from"] == [{"ipBlock": {"cidr": "10.0.1.0/24"}}]
    (rule,) = opened["hub"]["networkPolicy"]["ingress"]
    assert rule["from"][0]["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": names.OBSERVABILITY_NAMESPACE
    }


@pytest.mark.parametrize("sign_in", SIGN_IN)
def test_no_secret_stands_in_the_values(sign_in: str) -> None:
    plan = hub(settings(authentication=SIGN_IN[sign_in]))
    values = values_of(plan)
    assert "[secret]" not in str(values)
    assert "everybody's" not in str(values)
    assert one(plan, SECRET).inputs["data"] == "[secret]"
    (reference,) = [each["valueFrom"]["secretKeyRef"] for each in values["hub"]["extraEnv"].values()]
    assert reference["name"] == one(plan, SECRET).inputs["metadata"]["name"]


def test_which_secrets_are_needed() -> None:
    needed = {
        name: list(parse(JupyterHubSpec, settings(authentication=SIGN_IN[name])).secrets_needed) for name in SIGN_IN
    }
    assert needed == {
        "github": ["jupyterHubClientSecret"],
        "newUserPool": [],
        "groupsOfNewUserPool": [],
        "existingUserPool": ["jupyterHubClientSecret"],
        "openIdConnect": ["jupyterHubClientSecret"],
        "dummy": ["jupyterHubPassword"],
    }


def test_a_secret_that_nobody_gave_is_missed_by_name() -> None:
    with pytest.raises(Exception, match="the argument client_secret is missing"):
        hub(client_secret=None)


def test_people_come_back_to_where_they_reach_it() -> None:
    for host, url in (("jupyter.example.com", "https://jupyter.example.com"), (None, "http://localhost:8000")):
        plan = hub(settings(authentication=SIGN_IN["newUserPool"]), host=host)
        callback = f"{url}/hub/oauth_callback"
        config = values_of(plan)["hub"]["config"]
        assert config["GenericOAuthenticator"]["oauth_callback_url"] == callback
        assert one(plan, "aws:cognito/userPoolClient:UserPoolClient").inputs["callbackUrls"] == [callback]
        assert config["JupyterHub"].get("public_url") == (f"{url}/" if host else None)


def test_nobody_makes_an_account_in_its_user_pool_by_themselves() -> None:
    plan = hub(settings(authentication=SIGN_IN["groupsOfNewUserPool"], team="research"), tags={"eksml:platform": "lab"})
    pool = one(plan, "aws:cognito/userPool:UserPool").inputs
    assert pool["adminCreateUserConfig"] == {"allowAdminCreateUserOnly": True}
    assert pool["mfaConfiguration"] == "ON"
    assert pool["tags"] == {"eksml:platform": "lab", "eksml:team": "research", "Name": "lab-notebooks-users"}
    client = one(plan, "aws:cognito/userPoolClient:UserPoolClient").inputs
    assert client["generateSecret"] is True
    assert client["allowedOauthFlows"] == ["code"]


def test_a_whole_new_user_pool_is_let_in_and_of_others_who_is_named() -> None:
    def config(sign_in: str) -> Any:
        return every_sign_in()[sign_in]["hub"]["config"]["GenericOAuthenticator"]

    assert config("newUserPool")["allow_all"] is True
    for sign_in in ("groupsOfNewUserPool", "existingUserPool", "openIdConnect"):
        assert "allow_all" not in config(sign_in)
        assert "research" in config(sign_in)["allowed_groups"]


def test_notebooks_know_the_bucket_and_the_tracker() -> None:
    plan = hub(
        settings(team="research"),
        cluster_name="lab",
        policy="{}",
        environment={"MODEL_BUCKET": "lab-models", "MLFLOW_TRACKING_URI": "http://mlflow.mlflow.svc:5000"},
    )
    singleuser = values_of(plan)["singleuser"]
    assert singleuser["extraEnv"]["AWS_REGION"] == "us-west-2"
    assert singleuser["extraEnv"]["MODEL_BUCKET"] == "lab-models"
    references = [each["valueFrom"] for each in singleuser["extraEnv"].values() if isinstance(each, dict)]
    secrets = [each["secretKeyRef"] for each in references if "secretKeyRef" in each]
    # A server starts whether or not there is a tracker.
    assert [(each["name"], each["key"], each["optional"]) for each in secrets] == [
        ("mlflow", "password", True),
        ("mlflow", "username", True),
        ("wandb", "api-key", True),
    ]
    assert singleuser["extraLabels"] == singleuser["storage"]["extraLabels"] == {names.TEAM_LABEL: "research"}
    association = one(plan, "aws:eks/podIdentityAssociation:PodIdentityAssociation").inputs
    assert association["serviceAccount"] == singleuser["serviceAccountName"]
    assert association["tags"]["eksml:team"] == "research"


def test_without_a_policy_notebooks_have_no_identity() -> None:
    assert hub(cluster_name="lab").of_type("aws:iam/role:Role") == []


def test_the_quota_has_room_for_all_servers_and_no_more() -> None:
    quota = one(hub(settings(pools=list(POOLS), activeServers=10, homes=30)), "kubernetes:core/v1:ResourceQuota")
    hard = quota.inputs["spec"]["hard"]
    # 8 whole ones, 1 × 4 in turns, 2 × 2 shares, and 8 × 7 instances.
    assert hard["requests.nvidia.com/gpu"] == str(8 + 4 + 4 + 56)
    assert hard["persistentvolumeclaims"] == "31"
    assert hard["requests.storage"] == f"{30 * 20 + 1}Gi"
    largest = max(
        each["kubespawner_override"]["cpu_guarantee"]
        for each in values_of(hub(settings(pools=list(POOLS))))["singleuser"]["profileList"]
    )
    assert hard["requests.cpu"] == str(10 * largest + 2)
    assert hard["services.loadbalancers"] == hard["services.nodeports"] == "0"


def test_idle_servers_are_stopped_and_one_person_has_one() -> None:
    values = values_of(hub(settings(idleMinutes=30, mostHours=24, activeServers=5)))
    assert values["cull"] == {"enabled": True, "timeout": 1800, "every": 600, "maxAge": 86400}
    assert values["hub"]["allowNamedServers"] is False
    assert values["hub"]["activeServerLimit"] == values["hub"]["concurrentSpawnLimit"] == 5


def test_its_metrics_are_for_prometheus_with_a_token_only() -> None:
    assert "monitoring" not in str([each.type for each in hub().resources])
    plan = hub(has_prometheus=True)
    assert values_of(plan)["hub"]["loadRoles"]["prometheus"]["scopes"] == ["read:metrics"]
    assert "authenticatePrometheus" not in values_of(plan)["hub"]
    monitor = one(plan, "kubernetes:monitoring.coreos.com/v1:PodMonitor")
    assert one(plan, RELEASE).urn in needs(plan, monitor)
    (endpoint,) = monitor.inputs["spec"]["podMetricsEndpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "hub", "key": "hub.services.prometheus.apiToken"}


def test_images_come_from_a_registry_of_ones_own() -> None:
    values = values_of(hub(image_registry="registry.example.com"))
    (cpu, gpu) = [each["kubespawner_override"]["image"] for each in values["singleuser"]["profileList"]]
    assert cpu == f"registry.example.com/{images()['jupyter-scipy-notebook'].reference}"
    assert gpu == f"registry.example.com/{images()['jupyter-pytorch-notebook'].reference}"
    assert values["hub"]["image"]["name"] == "registry.example.com/quay.io/jupyterhub/k8s-hub"


def test_the_chart_and_its_hub_are_of_one_version() -> None:
    assert charts()["jupyterhub"].version == images()["jupyterhub-hub"].tag


def test_what_a_spec_refuses() -> None:
    check_problems(problems(JupyterHubSpec, {"authentication": {"kind": "dummy"}}), [
        "authentication.forDevelopmentOnly: false, must be true: with dummy authentication everybody is everybody",
        "has neither pools nor profiles",
    ])  # fmt: skip
    nobody = {"kind": "github", "clientId": "Iv1.0"}
    check_problems(problems(JupyterHubSpec, settings(authentication=nobody)), ["authentication: lets nobody in: give"])
    check_problems(
        problems(
            JupyterHubSpec,
            settings(authentication={"kind": "cognito", "userPool": {"kind": "new", "domainPrefix": "my-aws-lab"}}),
        ),
        ["authentication.userPool.domainPrefix: 'my-aws-lab' given, must not contain 'aws'"],
    )
    anybody = {"kind": "cognito", "userPool": {"kind": "existing", "domain": "login.example.com", "clientId": "4f"}}
    check_problems(problems(JupyterHubSpec, settings(authentication=anybody)), ["authentication: lets nobody in"])


def test_dummy_authentication_is_refused_behind_an_entry() -> None:
    check_problems(
        found(authentication=SIGN_IN["dummy"]),
        ["authentication.kind: dummy given, but the platform has an entry: whoever reaches the entry would"],
    )


def test_what_a_platform_lacks_is_told_by_path_and_reason() -> None:
    told = found(
        pools=["system", "turn"],
        profiles={
            "large": {"pool": "system", "gpus": 1},
            "two": {"pool": "turns", "gpus": 2},
            "five": {"pool": "whole", "gpus": 5},
            "fat": {"pool": "system", "memoryGib": 64, "vcpus": 64},
        },
        home={"kind": "efs"},
        team="reserch",
    )
    check_problems(told, [
        "home.kind: efs given, but the platform has none: add storage.efs, or take ebs",
        "pools[1]: 'turn' is no pool, did you mean 'turns'?",
        "profiles.fat.memoryGib: 64 given, a pod can have 13 GiB of the largest node of 'system'",
        "profiles.fat.vcpus: 64 given, a pod can have 3 vCPU of the largest node of 'system'",
        "profiles.five.gpus: 5 given, the largest node of 'whole' has 4",
        "profiles.large.gpus: 1 given, but the pool 'system' has no GPUs: take whole, turns, shares or instances",
        "profiles.two.gpus: 2 given, must be 1: several shares are no more of a GPU",
        "team: 'reserch' is no team, did you mean 'research'?",
    ])  # fmt: skip


def test_a_volume_that_no_other_pool_can_mount_is_refused() -> None:
    pools = {name: POOLS[name].model_copy(update={"zones": (f"usw2-az{index}",)}) for index, name in enumerate(POOLS)}
    spec = parse(JupyterHubSpec, settings())
    told = [str(each) for each in jupyterhub_problems(spec, pools, teams=[], has_efs=True, has_entry=False)]
    check_problems(told, ["home.kind: ebs given, but the pools 'system' and 'turns' have no zone in common"])
    spec = parse(JupyterHubSpec, settings(home={"kind": "efs"}))
    assert list(jupyterhub_problems(spec, pools, teams=[], has_efs=True, has_entry=False)) == []


def test_a_platform_that_has_it_all_has_no_problem() -> None:
    assert found(pools=list(POOLS), team="research") == []


def test_a_notebook_reports_to_the_server_of_weights_and_biases_that_the_platform_names() -> None:
    variables = values_of(hub())["singleuser"]["extraEnv"]
    for name in ("WANDB_BASE_URL", "WANDB_ENTITY", "WANDB_PROJECT"):
        assert variables[name]["valueFrom"]["configMapKeyRef"] == {"name": "wandb", "key": name, "optional": True}
