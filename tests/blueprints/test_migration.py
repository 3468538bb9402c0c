"""The migration blueprints: Jobs that preview on every profile, with the arguments that their scripts have; and the
servers of what they publish, version by version."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from eksml.checks import run_checks
from eksml.costs import run_cost
from eksml.names import JOB_LABEL
from eksml.plan import Plan
from eksml.plan.project import find_stack, stacks_of
from eksml.plan.recorder import record
from eksml.profiles import PROFILES
from programs import blueprint_plan, names_of, one, stack_plan

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "blueprints" / "migration"
GUIDE = ROOT / "docs" / "guides" / "migration.md"
BLUEPRINTS = sorted(file.parent.name for file in FOLDER.glob("*/migrate.py"))
EVERY_BLUEPRINT = pytest.mark.parametrize("blueprint", BLUEPRINTS)
EVERY_STACK = pytest.mark.parametrize(
    ("blueprint", "profile"), [(blueprint, profile) for blueprint in BLUEPRINTS for profile in PROFILES]
)


def readme(blueprint: str) -> str:
    return (FOLDER / blueprint / "README.md").read_text(encoding="utf-8")


def scripts(blueprint: str) -> dict[str, str]:
    files = (FOLDER / "migration_run.py", FOLDER / blueprint / "migrate.py")
    return {file.name: file.read_text(encoding="utf-8") for file in files}


def arguments(source: str) -> set[str]:
    return set(re.findall(r"add(?:_argument)?\(\"(--[a-z-]+)\"", source))


def test_the_documents_two_migrations_are_there() -> None:
    assert BLUEPRINTS == ["pytorch-to-tensorflow", "tensorflow-to-onnx"]


@EVERY_BLUEPRINT
def test_it_supports_every_profile(blueprint: str) -> None:
    assert set(stacks_of(FOLDER / blueprint)) == set(PROFILES)


@EVERY_STACK
def test_it_passes_the_checks_together_with_a_platform_of_its_profile(blueprint: str, profile: str) -> None:
    assert run_checks(blueprint_plan(blueprint, profile, room="migration")).findings == ()


@EVERY_STACK
def test_the_job_writes_where_the_teams_models_are(blueprint: str, profile: str) -> None:
    plan = blueprint_plan(blueprint, profile, room="migration")
    (volume,) = [
        each.inputs["spec"] for each in plan.of_type("kubernetes:core/v1:PersistentVolume") if blueprint in each.name
    ]
    (job,) = [each.inputs for each in plan.of_type("kubernetes:batch/v1:Job") if each.name == blueprint]
    assert f"prefix teams/{job['metadata']['namespace']}/models/" in volume["mountOptions"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["python", "migrate.py"]
    assert {"name": "CHECKPOINT_DIR", "value": "/checkpoints"} in container["env"]
    # A network that does not agree once never does.
    assert job["spec"]["backoffLimit"] == 0


@EVERY_BLUEPRINT
def test_both_scripts_are_with_the_job(blueprint: str) -> None:
    found = [
        each.inputs["data"]
        for each in blueprint_plan(blueprint, room="migration").resources
        if "migrate.py" in each.inputs.get("data", {})
    ]
    assert found == [scripts(blueprint)]


@EVERY_BLUEPRINT
def test_the_readme_names_what_is_there(blueprint: str) -> None:
    stack = find_stack(str(FOLDER / blueprint)).name
    assert f"pulumi stack init {stack}\n" in readme(blueprint)
    assert f"kubectl -n serving get job {blueprint}\n" in readme(blueprint)
    assert f"kubectl -n serving logs -f -l {JOB_LABEL}={blueprint} --prefix\n" in readme(blueprint)
    given = set(re.findall(r"--  (--[a-z-]+)", readme(blueprint)))
    assert given
    assert given <= arguments("".join(scripts(blueprint).values()))


def test_the_guide_has_every_setting() -> None:
    known = set().union(*(arguments("".join(scripts(blueprint).values())) for blueprint in BLUEPRINTS))
    rows = re.findall(r"^\| (`--[^|]+) \|[^|]+\|[^|]+\|$", GUIDE.read_text().partition("## From TorchServe")[0], re.M)
    assert {name for row in rows for name in re.findall(r"--[a-z-]+", row)} == known - {"--seed"}


# Servers

ROLLOUT = "kubernetes:argoproj.io/v1alpha1:Rollout"
SERVED = {"pytorch-to-tensorflow": "migrated-model-tensorflow", "tensorflow-to-onnx": "migrated-model-onnx"}
OTHER_PROFILES = [profile for profile in PROFILES if profile != "production"]


def changed(blueprint: str, settings: dict[str, Any], *, on: str | None = None) -> Plan:
    """The Plan of a blueprint with settings at paths, on its own platform or another one."""
    stack = find_stack(str(FOLDER / blueprint), on).with_settings(settings).on_platform(on)
    assert stack.platform
    return record(stack, stack_plan(stack.platform.name))


def own(plan: Plan, kind: str) -> list[str]:
    """The names of the program's own objects of a kind, without those of its platform."""
    there = names_of(plan.platform, kind) if plan.platform else []
    return [name for name in names_of(plan, kind) if name not in there]


def rollout(plan: Plan, name: str) -> dict[str, Any]:
    return one(plan, ROLLOUT, name).inputs["spec"]


@EVERY_BLUEPRINT
def test_nothing_is_served_before_a_version_is_published(blueprint: str) -> None:
    assert own(blueprint_plan(blueprint, room="migration"), ROLLOUT) == []


@EVERY_BLUEPRINT
def test_a_published_version_is_served_and_the_job_stays_as_it_is(blueprint: str) -> None:
    plan, name = changed(blueprint, {"serve.version": 1}), SERVED[blueprint]
    assert run_checks(plan).findings == ()
    assert rollout(plan, name)["strategy"]["blueGreen"]["autoPromotionEnabled"] is False
    before = one(blueprint_plan(blueprint, room="migration"), "kubernetes:batch/v1:Job", blueprint)
    assert one(plan, "kubernetes:batch/v1:Job", blueprint).inputs == before.inputs, "else it would run again"
    volumes = [each for each in plan.of_type("kubernetes:core/v1:PersistentVolume") if name in each.name]
    assert "prefix teams/serving/models/" in volumes[0].inputs["spec"]["mountOptions"]


@EVERY_BLUEPRINT
def test_the_next_version_is_a_new_revision_behind_the_same_service(blueprint: str) -> None:
    name = SERVED[blueprint]
    first, second = (changed(blueprint, {"serve.version": version}) for version in (1, 2))
    assert rollout(first, name)["template"] != rollout(second, name)["template"]
    assert {**rollout(first, name), "template": None} == {**rollout(second, name), "template": None}
    service = "kubernetes:core/v1:Service"
    assert one(first, service, name).inputs == one(second, service, name).inputs


@EVERY_BLUEPRINT
@pytest.mark.parametrize("profile", OTHER_PROFILES)
def test_where_it_cannot_be_served_it_is_said_what_is_missing(blueprint: str, profile: str) -> None:
    serve = {"version": 1, "model": "mine", "pool": "system", "cpusPerNode": 0.1, "memoryGibPerNode": 1}
    texts = [finding.text for finding in run_checks(changed(blueprint, {"serve": serve}, on=profile)).errors]
    assert any(
        text.endswith("nothing on this platform brings the kind Rollout: serving.argoRollouts does") for text in texts
    )


@EVERY_BLUEPRINT
def test_the_readme_serves_what_is_there(blueprint: str) -> None:
    name, text = SERVED[blueprint], readme(blueprint)
    plan = changed(blueprint, {"serve.version": 1})
    port = one(plan, "kubernetes:core/v1:Service", name).inputs["spec"]["ports"][0]["port"]
    assert f"kubectl -n serving port-forward service/{name} 8080:{port}\n" in text
    assert f"kubectl argo rollouts promote {name} --namespace serving\n" in text
    for script in re.findall(r"uv run --group \S+ (blueprints/\S+\.py)", text):
        assert (ROOT / script).is_file()


# Blue/green


def successor() -> dict[str, Any]:
    """The server that the README adds beside the old one."""
    (text,) = re.findall(r"```yaml\n(.*?)```", readme("blue-green"), re.DOTALL)
    return yaml.safe_load(re.sub(r"^ {3}", "", text, flags=re.MULTILINE))


def test_blue_green_is_for_production_and_passes_its_checks() -> None:
    assert set(stacks_of(FOLDER / "blue-green")) == {"production"}
    assert run_checks(blueprint_plan("blue-green", room="migration")).findings == ()


@pytest.mark.parametrize("profile", OTHER_PROFILES)
def test_elsewhere_blue_green_says_what_it_needs(profile: str) -> None:
    texts = [each.text for each in run_checks(blueprint_plan("blue-green", on=profile, room="migration")).errors]
    assert any("the kind Rollout: serving.argoRollouts does" in text for text in texts)


def test_it_has_what_the_documents_have() -> None:
    plan = blueprint_plan("blue-green", room="migration")
    by = rollout(plan, "resnet")["strategy"]["blueGreen"]
    assert (by["activeService"], by["previewService"]) == ("resnet", "resnet-preview")
    assert (by["autoPromotionEnabled"], by["scaleDownDelaySeconds"]) == (False, 600)
    for role in ("pre-promotion", "post-promotion"):
        metrics = one(plan, "kubernetes:argoproj.io/v1alpha1:AnalysisTemplate", f"resnet-{role}").inputs["spec"][
            "metrics"
        ]
        assert metrics[0]["name"] == "success-rate"
        assert metrics[0]["successCondition"].endswith(">= 0.95")


def test_another_number_is_another_revision_and_more_replicas_are_not() -> None:
    before = rollout(blueprint_plan("blue-green", room="migration"), "resnet")
    two = {"servers.resnet.models.small-resnet.versions": [2]}
    assert rollout(changed("blue-green", two), "resnet")["template"] != before["template"]
    more = rollout(changed("blue-green", {"servers.resnet.replicas": 4}), "resnet")
    assert more["replicas"] == 4
    assert more["template"] == before["template"]


def test_a_successor_on_another_engine_runs_beside_the_old_server_and_changes_nothing_of_it() -> None:
    plan = changed("blue-green", {f"servers.{name}": server for name, server in successor().items()})
    assert run_checks(plan).findings == ()
    assert rollout(plan, "resnet") == rollout(blueprint_plan("blue-green", room="migration"), "resnet")
    ports = {
        name: one(plan, "kubernetes:core/v1:Service", name).inputs["spec"]["ports"][0]["port"]
        for name in ("resnet", "resnet-onnx")
    }
    text = readme("blue-green")
    for name, port in ports.items():
        assert f"http://{name}.serving.svc:{port}" in text
    assert rollout(plan, "resnet-onnx")["template"]["metadata"]["labels"]["migration-to"] == "onnx"


def test_both_versions_have_room_in_the_teams_quota() -> None:
    plan = changed("blue-green", {"servers.resnet.replicas": 13})
    (finding,) = [each for each in run_checks(plan).findings if each.check == "job-fits-quota"]
    assert "26 pods of both versions ask for 26 nvidia.com/gpu" in finding.text


def test_the_readme_of_blue_green_says_what_it_costs_and_names_what_is_there() -> None:
    text = readme("blue-green")
    said = re.search(r"is (\d+) × (\S+), \$([\d.]+) an hour on demand in (\S+);", text)
    assert said
    nodes, instance_type, cost, region = said.groups()
    assert f"{run_cost(instance_type, int(nodes), 1, region):.2f}" == cost
    for script in re.findall(r"uv run --group \S+ (blueprints/\S+\.py)", text):
        assert (ROOT / script).is_file()
    services = names_of(blueprint_plan("blue-green", room="migration"), "kubernetes:core/v1:Service")
    for service in re.findall(r"port-forward service/(\S+)", text):
        assert service in services
