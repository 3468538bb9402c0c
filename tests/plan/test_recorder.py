"""Recording a program: what it registers is written down as the engine would, and what the engine minds is told."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_eks as eks
import pulumi_kubernetes as k8s
import pytest
from pulumi.runtime import settings

from eksml.plan import Plan
from eksml.plan.project import find_stack
from eksml.plan.recorder import RecordingError, record
from programs import one, recorded


def failure(program: Callable[[], Any]) -> str:
    with pytest.raises(RecordingError) as error:
        recorded(program)
    return str(error.value)


class Box(pulumi.ComponentResource):
    """A component of a user."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None):
        super().__init__("test:box:Box", name, {"size": 2}, opts)
        self.queue = aws.sqs.Queue(f"{name}-queue", opts=pulumi.ResourceOptions(parent=self))
        self.register_outputs({"url": self.queue.url})


# What is written down


def test_a_resource_has_its_parent_its_inputs_and_a_urn_like_the_engines() -> None:
    plan = recorded(lambda: Box("box"))
    box, queue = one(plan, "test:box:Box"), one(plan, "aws:sqs/queue:Queue")
    assert box.urn == "urn:pulumi:test::bare::test:box:Box::box"
    assert queue.urn == "urn:pulumi:test::bare::test:box:Box$aws:sqs/queue:Queue::box-queue"
    assert queue.parent == box.urn
    assert box.inputs == {"size": 2}
    assert not box.is_custom
    assert queue.is_custom


def test_dependencies_are_kept_and_those_of_single_properties_too() -> None:
    def program() -> None:
        first = aws.sqs.Queue("first")
        aws.sqs.QueuePolicy(
            "policy", queue_url=first.url, policy="{}", opts=pulumi.ResourceOptions(depends_on=[Box("box")])
        )

    plan = recorded(program)
    policy, first, inner = (
        one(plan, kind, name)
        for kind, name in [
            ("aws:sqs/queuePolicy:QueuePolicy", "policy"),
            ("aws:sqs/queue:Queue", "first"),
            ("aws:sqs/queue:Queue", "box-queue"),
        ]
    )
    assert {first.urn, inner.urn} <= set(policy.dependencies), "a component stands for what it made"
    assert policy.property_dependencies == {"queueUrl": (first.urn,)}


def test_options_are_written_in_the_words_of_the_engine() -> None:
    def program() -> None:
        options = pulumi.ResourceOptions(
            protect=True,
            ignore_changes=["tags"],
            replace_on_changes=["name"],
            retain_on_delete=True,
            additional_secret_outputs=["url"],
            custom_timeouts=pulumi.CustomTimeouts(create="1h30m", delete="45s"),
            aliases=[pulumi.Alias(name="old")],
        )
        aws.sqs.Queue("queue", opts=options)

    queue = one(recorded(program), "aws:sqs/queue:Queue")
    assert queue.options == {
        "protect": True,
        "ignoreChanges": ["tags"],
        "replaceOnChanges": ["name"],
        "retainOnDelete": True,
        "additionalSecretOutputs": ["url"],
        "customTimeouts": {"create": 5400, "delete": 45},
    }
    assert queue.aliases == ("name: old",)


def test_an_explicit_provider_is_kept_and_a_default_one_is_none() -> None:
    def program() -> None:
        provider = aws.Provider("europe", region="eu-central-1")
        aws.sqs.Queue("here")
        aws.sqs.Queue("there", opts=pulumi.ResourceOptions(provider=provider))

    plan = recorded(program)
    assert one(plan, "aws:sqs/queue:Queue", "here").provider is None
    assert one(plan, "aws:sqs/queue:Queue", "there").provider == one(plan, "pulumi:providers:aws").urn


def test_every_apply_runs_on_believable_values() -> None:
    seen: dict[str, Any] = {}

    def program() -> None:
        cluster = eks.Cluster("lab", name="lab", skip_default_node_group=True)
        outputs = {
            "arn": cluster.eks_cluster.apply(lambda inner: inner.arn),
            "kubeconfig": cluster.kubeconfig_json,
            "vpc": aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16").id,
            "namespace": k8s.core.v1.Namespace("ml", metadata={"name": "ml"}).metadata.name,
            "configMap": k8s.core.v1.ConfigMap("settings", data={}).metadata.name,
        }
        pulumi.Output.all(**outputs).apply(seen.update)

    recorded(program)
    assert seen["arn"] == "arn:aws:eks:us-west-2:123456789012:cluster/lab"
    assert '"server": "https://' in seen["kubeconfig"]
    assert seen["vpc"].startswith("vpc-")
    assert seen["namespace"] == "ml"
    assert seen["configMap"].startswith("settings-"), "a name as the provider makes it up"


def test_the_same_program_gives_the_same_plan() -> None:
    upwards, downwards = (
        recorded(lambda numbers=numbers: [Box(f"box-{number}") for number in numbers])
        for numbers in (range(20), reversed(range(20)))
    )
    assert upwards.resources == downwards.resources


def test_the_program_sees_a_preview_of_its_stack_with_its_configuration() -> None:
    def program() -> None:
        assert pulumi.runtime.is_dry_run()
        pulumi.export("name", f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}")
        pulumi.export("answer", pulumi.Config("deep").require_int("thought"))

    plan = recorded(program, config={"deep:thought": "42"})
    assert plan.exports == {"name": "organization/bare/test", "answer": 42}


# Secrets


def test_secrets_stay_closed_in_inputs_and_exports_however_deep_they_are() -> None:
    def program() -> None:
        password = pulumi.Output.secret("hunter2")
        data = pulumi.Output.concat("user:", password)
        k8s.core.v1.ConfigMap("settings", data={"url": data, "plain": "text"})
        pulumi.export("password", password)
        pulumi.export("deep", {"list": ["a", password]})

    plan = recorded(program)
    assert one(plan, "kubernetes:core/v1:ConfigMap").inputs["data"] == {"url": "[secret]", "plain": "text"}
    assert plan.exports == {"password": "[secret]", "deep": {"list": ["a", "[secret]"]}}
    assert "hunter2" not in repr(plan)


def test_the_data_of_a_kubernetes_secret_is_closed_even_where_the_program_forgot_to_say_so() -> None:
    plan = recorded(lambda: k8s.core.v1.Secret("token", string_data={"token": "hunter2"}))
    assert "hunter2" not in repr(plan)


# What the engine would mind


def test_two_resources_of_one_urn_are_refused() -> None:
    def program() -> None:
        aws.sqs.Queue("queue")
        aws.sqs.Queue("queue")

    assert failure(program) == (
        "aws:sqs/queue:Queue 'queue' is registered twice, under the same parent: give one of them another name"
    )


def test_one_name_under_two_parents_is_two_resources() -> None:
    def program() -> None:
        for box in (Box("one"), Box("two")):
            aws.sqs.Queue("inner", opts=pulumi.ResourceOptions(parent=box))

    assert "registered twice" in failure(program), "the URN has types of parents in it, not their names"


def test_a_provider_of_another_package_is_refused() -> None:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        aws.sqs.Queue("queue", opts=pulumi.ResourceOptions(provider=provider))

    assert "aws:sqs/queue:Queue 'queue' uses a provider of kubernetes: give it one of aws" in failure(program)


def test_a_type_without_believable_outputs_is_named_and_never_none() -> None:
    def program() -> None:
        aws.ec2.Instance("machine", instance_type="m7i.large").private_ip.apply(lambda address: address.split("."))

    assert "aws:ec2/instance:Instance 'machine' has no believable outputs" in failure(program)


def test_what_waits_for_a_resource_that_fails_does_not_hold_up_the_message() -> None:
    def program() -> None:
        eks.ManagedNodeGroup("group", cluster=eks.Cluster("cluster"), instance_types=["m7i.large"])

    assert "eks:index:ManagedNodeGroup 'group' has no believable outputs" in failure(program)


def test_a_function_without_a_believable_result_is_named() -> None:
    assert "function aws:index/getCallerIdentity:getCallerIdentity has no believable result" in failure(
        lambda: aws.get_caller_identity_output().account_id.apply(str)
    )


def test_an_output_that_is_not_known_offline_is_named_with_its_source() -> None:
    def program() -> None:
        queue = aws.sqs.Queue("queue")
        aws.sqs.QueuePolicy("policy", queue_url=queue.redrive_policy, policy="{}")

    message = failure(program)
    assert "aws:sqs/queuePolicy:QueuePolicy 'policy': 'queueUrl' is not known offline" in message
    assert "an output of aws:sqs/queue:Queue" in message


def test_reading_an_existing_resource_is_refused() -> None:
    assert "is read from the cloud, which a recording cannot do" in failure(
        lambda: aws.sqs.Queue.get("queue", id="https://sqs.us-west-2.amazonaws.com/123456789012/theirs")
    )


def test_every_problem_is_told_at_once() -> None:
    def program() -> None:
        for _ in range(2):
            aws.ec2.Instance("machine", instance_type="m7i.large")

    lines = failure(program).splitlines()
    assert len(lines) == 2
    assert "has no believable outputs" in lines[0]
    assert "is registered twice" in lines[1]


def test_a_program_that_fails_is_told_with_its_line_and_no_traceback() -> None:
    def program() -> None:
        raise KeyError("größe")

    message = failure(program)
    assert message.startswith("the program failed (test_recorder.py, line ")
    assert message.endswith("): KeyError: 'größe'")
    assert "Traceback" not in message


def test_a_program_that_ends_itself_says_why_in_its_own_words() -> None:
    def program() -> None:
        raise pulumi.RunError("the moon is in the wrong phase")

    assert failure(program) == "the moon is in the wrong phase"


def test_a_program_that_leaves_early_is_a_failure() -> None:
    assert failure(lambda: sys.exit(0)).endswith("SystemExit: 0")


def test_a_failure_inside_an_apply_is_a_failure() -> None:
    def program() -> None:
        aws.sqs.Queue("queue").url.apply(lambda url: {}[url])

    assert "the program failed" in failure(program)


def test_an_output_that_becomes_text_by_mistake_is_a_failure() -> None:
    def program() -> None:
        aws.sqs.QueuePolicy("policy", queue_url=f"{aws.sqs.Queue('queue').url}", policy="{}")

    assert "the program failed" in failure(program)


# Leaving nothing behind


def test_a_recording_leaves_nothing_behind_for_the_next_one() -> None:
    before, directory, environment = settings.SETTINGS, os.getcwd(), dict(os.environ)
    recorded(lambda: Box("box"))
    failure(lambda: Box("box") and Box("box"))
    assert recorded(lambda: aws.sqs.Queue("queue")).of_type("test:box:Box") == []
    assert settings.SETTINGS is before
    assert (os.getcwd(), dict(os.environ)) == (directory, environment)


def test_two_plans_of_different_stacks_do_not_mix() -> None:
    plans: list[Plan] = [recorded(lambda name=name: aws.sqs.Queue(name)) for name in ("one", "two")]
    assert [[queue.name for queue in plan.of_type("aws:sqs/queue:Queue")] for plan in plans] == [["one"], ["two"]]


# A program in its folder


def in_folder(tmp_path: Path, program: str) -> Plan:
    (tmp_path / "Pulumi.yaml").write_text("name: lab\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(program)
    return record(find_stack(str(tmp_path)))


def test_what_runs_last_has_the_surroundings_of_the_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data.txt").write_text("from the folder")
    (tmp_path / "late.py").write_text("TEXT = 'imported late'\n")
    program = """
import pathlib, pulumi, pulumi_aws as aws
def read(_):
    import late
    print("said inside an apply")
    return pathlib.Path("data.txt").read_text() + ", " + late.TEXT
pulumi.export("text", aws.sqs.Queue("jobs").url.apply(read))
"""
    assert in_folder(tmp_path, program).exports == {"text": "from the folder, imported late"}
    assert "late" not in sys.modules
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "said inside an apply\n")


def test_an_environment_inside_the_folder_outlives_the_recording(tmp_path: Path) -> None:
    packages = tmp_path / ".venv" / "lib" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "installed_there.py").write_text("")
    program = f"import sys\nsys.path.append({str(packages)!r})\nimport installed_there\n"
    try:
        in_folder(tmp_path, program)
        assert "installed_there" in sys.modules
    finally:
        sys.modules.pop("installed_there", None)
        sys.path.remove(str(packages))
