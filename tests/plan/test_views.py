"""Views of a Plan."""

import json

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
import yaml

from eksml.plan import Plan, Resource
from eksml.plan.as_json import as_json
from eksml.plan.counts import counts
from eksml.plan.manifests import manifests, objects
from eksml.plan.tree import Node, short_type, tree
from programs import recorded


def program() -> None:
    provider = k8s.Provider("cluster", kubeconfig="{}")
    inside = pulumi.ResourceOptions(provider=provider)
    namespace = k8s.core.v1.Namespace("ml", metadata={"name": "ml"}, opts=inside)
    later = pulumi.ResourceOptions(provider=provider, depends_on=[namespace])
    k8s.core.v1.ConfigMap("a-settings", metadata={"namespace": "ml"}, data={"größe": "3: x"}, opts=later)
    k8s.core.v1.Secret("token", metadata={"name": "token", "namespace": "ml"}, string_data={"t": "s3cret"}, opts=later)
    k8s.helm.v3.Release(
        "redis", name="redis", chart="redis", version="1.2.3", namespace="ml", values={"a": 1}, opts=later
    )
    aws.sqs.Queue("queue")
    pulumi.export("queue", "queue")


def plan() -> Plan:
    return recorded(program)


def nodes(tree_nodes: tuple[Node, ...]) -> list[str]:
    return [node.name for node in tree_nodes]


def test_the_tree_shows_first_what_others_wait_for() -> None:
    order = nodes(tree(plan()))
    assert order.index("cluster") < order.index("ml") < order.index("a-settings")


def test_the_tree_of_parts_that_wait_for_each_other_has_every_part() -> None:
    def resource(name: str, parent: str | None, *needs: str) -> Resource:
        kind = "test:a:Part" if parent else "test:a:Whole"
        return Resource(name, kind, name, parent, is_custom=False, dependencies=needs)

    stack = Resource("stack", "pulumi:pulumi:Stack", "stack", None, is_custom=False)
    wholes = [resource("one", "stack"), resource("two", "stack")]
    parts = [
        resource("one-part", "one", "two-part"),
        resource("two-part", "two", "one-late"),
        resource("one-late", "one"),
    ]
    (one, two) = tree(Plan.of("test", [stack, *wholes, *parts]))
    assert nodes((one, two)) == ["one", "two"]
    assert sorted(nodes(one.children)) == ["one-late", "one-part"]


def test_types_read_as_their_users_know_them() -> None:
    assert short_type("aws:ec2/vpc:Vpc") == "aws.ec2.Vpc"
    assert short_type("eks:index:Cluster") == "eks.Cluster"
    assert short_type("pulumi:providers:aws") == "pulumi.providers.aws"
    assert short_type("eksml:nodes:ManagedPool") == "eksml.nodes.ManagedPool"
    assert short_type("kubernetes:core/v1:Namespace") == "core/v1 Namespace"


def test_manifests_are_one_valid_multi_document_yaml_with_namespaces_first() -> None:
    text = manifests(plan())
    documents = list(yaml.safe_load_all(text))
    assert [document["kind"] for document in documents] == ["Namespace", "ConfigMap", "Secret"]
    assert all({"apiVersion", "kind", "metadata"} <= set(document) for document in documents)
    assert documents[1]["data"] == {"größe": "3: x"}
    assert documents[1]["metadata"]["name"].startswith("a-settings-"), "kubectl needs a name"


def test_manifests_name_what_only_helm_can_render_and_hold_no_secret() -> None:
    text = manifests(plan())
    assert text.startswith("# Helm release redis: chart redis 1.2.3, namespace ml.")
    assert "s3cret" not in text
    assert "data" not in list(yaml.safe_load_all(text))[2]


def test_a_plan_without_kubernetes_has_no_manifests() -> None:
    only_aws = recorded(lambda: aws.sqs.Queue("queue"))
    assert manifests(only_aws) == ""
    assert objects(only_aws) == []


def test_counts_are_of_what_is_made_and_not_of_the_stack_itself() -> None:
    made = counts(plan())
    assert (made.components, made.by_package) == (0, {"aws": 1, "kubernetes": 4, "pulumi": 1})
    assert made.total == 6


def test_json_has_every_resource_with_its_relations() -> None:
    content = json.loads(json.dumps(as_json(plan(), checks=[])))
    assert list(content) == ["stack", "resources", "exports", "checks"]
    assert {tuple(resource) for resource in content["resources"]} == {
        ("urn", "type", "name", "parent", "provider", "dependencies", "inputs")
    }
    assert content["exports"] == {"queue": "queue"}
    assert "s3cret" not in json.dumps(content)
