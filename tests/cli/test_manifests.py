"""`eksml manifests`."""

import yaml

from command import ROOT, check_refused, eksml


def test_it_prints_one_valid_multi_document_yaml() -> None:
    done = eksml("manifests", "production")
    assert done.returncode == 0
    assert done.stdout == (ROOT / "tests" / "golden" / "production" / "manifests.yaml").read_text(encoding="utf-8")
    documents = list(yaml.safe_load_all(done.stdout))
    assert len(documents) == 7
    assert all({"apiVersion", "kind", "metadata"} <= set(document) for document in documents)


def test_it_takes_the_arguments_of_preview() -> None:
    check_refused(eksml("manifests", "x"), "there is no stack 'x'")
    check_refused(eksml("manifests", "research", "--set", "name=X"), "name: 'X' given")
