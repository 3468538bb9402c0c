"""The schema by which editors complete stack files."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from eksml.profiles.schema import stack_file_schema

ROOT = Path(__file__).parents[2]
VALIDATOR = jsonschema.Draft7Validator(stack_file_schema())


def errors(platform: Any, **beside: Any) -> list[str]:
    content = {"config": {"aws:region": "us-west-2", "eksml:platform": platform}, **beside}
    return [error.message for error in VALIDATOR.iter_errors(content)]


def test_the_schema_beside_the_stack_files_is_the_current_one() -> None:
    written = json.loads((ROOT / "stacks" / "stack.schema.json").read_text(encoding="utf-8"))
    assert written == stack_file_schema(), "write it again: uv run eksml schema > stacks/stack.schema.json"


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(stack_file_schema())


@pytest.mark.parametrize("file", sorted((ROOT / "stacks").glob("Pulumi.*.yaml")), ids=lambda file: file.name)
def test_the_stacks_are_valid_and_name_it_on_their_first_line(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.splitlines()[0] == "# yaml-language-server: $schema=stack.schema.json"
    VALIDATOR.validate(yaml.safe_load(text))


def test_a_stack_file_says_only_what_differs_from_its_profile() -> None:
    assert errors({"profile": "research", "pools": {"train": {"gpuLimit": 4}}}) == []
    assert errors({"profile": "research", "pools": {"train": None}, "cluster": {"kubernetesVersion": "1.35"}}) == []


def test_a_waiver_is_of_a_check_or_of_one_resource() -> None:
    waivers = {"tagged": "by account", "not-public:web": "the demo is public"}
    assert errors({"profile": "research", "waivers": waivers}) == []


def test_what_the_pulumi_cli_writes_is_known() -> None:
    assert errors({"profile": "research"}, encryptionsalt="v1:abc", secretsprovider="awskms://alias/pulumi") == []


@pytest.mark.parametrize(
    "platform",
    [
        {"profil": "research"},
        {"profile": "research", "pools": {"train": {"gpuLimits": 4}}},
        {"profile": "research", "pools": {"train": {"instanceTypes": ["g6.huge"]}}},
        {"profile": "research", "pools": {"Train": {"gpuLimit": 4}}},
        {"profile": "research", "network": {"natGateways": "two"}},
        {"profile": "research", "region": "us-west-2"},
        {"profile": "research", "cluster": {"deletionProtection": "yes"}},
        {"profile": "research", "waivers": {"not-publik": "the demo is public"}},
        {"profile": "research", "waivers": {"not-publik:web": "the demo is public"}},
        {"profile": "research", "waivers": {"not-public:": "the demo is public"}},
    ],
)
def test_a_mistake_is_underlined_while_it_is_typed(platform: dict[str, Any]) -> None:
    assert errors(platform)


def test_every_field_is_explained() -> None:
    schema = stack_file_schema()
    missing = [
        f"{name}.{key}"
        for name, definition in schema["definitions"].items()
        for key, field in definition.get("properties", {}).items()
        if key != "kind" and not field.get("description")
    ]
    assert missing == []
