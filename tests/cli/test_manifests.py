"""`eksml manifests`."""

import json

import yaml

from command import ROOT, check_refused, eksml


def test_it_prints_one_valid_multi_document_yaml() -> None:
    done = eksml("manifests", "production")
    assert done.returncode == 0
    assert done.stdout == (ROOT / "tests" / "golden" / "production" / "manifests.yaml").read_text(encoding="utf-8")
    documents = list(yaml.safe_load_all(done.stdout))
    assert len(documents) > 40
    assert all({"apiVersion", "kind", "metadata"} <= set(document) for document in documents)


def test_json_is_a_list_that_kubectl_takes() -> None:
    content = json.loads(eksml("manifests", "startup", "--json").stdout)
    assert (content["apiVersion"], content["kind"]) == ("v1", "List")
    text = (ROOT / "tests" / "golden" / "startup" / "manifests.yaml").read_text(encoding="utf-8")
    assert content["items"] == list(yaml.safe_load_all(text))


def test_it_takes_the_arguments_of_preview() -> None:
    check_refused(eksml("manifests", "x"), "there is no stack 'x'")
    check_refused(eksml("manifests", "research", "--set", "name=X"), "name: 'X' given")
