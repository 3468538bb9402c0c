"""The JSON Schema of a whole stack file, by which editors complete and check it while it is written."""

from typing import Any

from eksml import catalog
from eksml.check_list import CHECKS
from eksml.config_keys import PLATFORM, SECRETS
from eksml.platform_settings import PlatformSpec

_REF = "#/definitions/"


def stack_file_schema() -> dict[str, Any]:
    """The schema of `Pulumi.<stack>.yaml`.

    Settings are laid over a profile, so nothing in them is required, and null takes away what the profile has.
    """
    schema = PlatformSpec.model_json_schema(by_alias=True, ref_template=_REF + "{model}")
    definitions = {name: _laid_over(definition) for name, definition in schema.pop("$defs").items()}
    platform = _laid_over(schema)
    del platform["properties"]["region"]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Stack of an eksml platform",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": {
                    "aws:region": {"type": "string", "description": "AWS region of the platform."},
                    PLATFORM: platform,
                    **{key: _secret(key, meaning) for key, meaning in SECRETS.items()},
                },
                "required": ["aws:region", PLATFORM],
            },
            "encryptionsalt": {"type": "string"},
            "encryptedkey": {"type": "string"},
            "secretsprovider": {"type": "string"},
            "environment": {},
        },
        "required": ["config"],
        "additionalProperties": False,
        "definitions": definitions,
    }


def _secret(key: str, meaning: str) -> dict[str, Any]:
    description = f"{meaning[0].upper()}{meaning[1:]}: pulumi config set --secret {key}"
    return {"type": "object", "required": ["secure"], "description": description}


def _laid_over(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_laid_over(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    relaxed = {
        key: _laid_over(value) for key, value in schema.items() if key not in ("required", "discriminator", "title")
    }
    if "oneOf" in relaxed:
        # Without its kind, a part of a mapping fits several of them.
        relaxed["anyOf"] = relaxed.pop("oneOf")
    if isinstance(relaxed.get("additionalProperties"), dict):
        relaxed["additionalProperties"] = _or_null(relaxed["additionalProperties"])
    if "patternProperties" in relaxed:
        relaxed.setdefault("additionalProperties", False)
    for members in ("properties", "patternProperties"):
        if members in relaxed:
            relaxed[members] = {key: _or_null(_with_choices(key, value)) for key, value in relaxed[members].items()}
    return relaxed


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    description = {"description": schema["description"]} if "description" in schema else {}
    return {"anyOf": [schema, {"type": "null"}], **description}


def _with_choices(key: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Names of the catalog and of checks, so that an editor offers them."""
    match key:
        case "instanceTypes":
            return schema | {"items": {"enum": sorted(catalog.instance_types())}}
        case "interfaceEndpoints":
            return schema | {"items": {"enum": list(catalog.vpc_endpoints().services)}}
        case "kubernetesVersion":
            return schema | {"enum": list(catalog.usable_kubernetes_versions())}
        case "waivers":
            of_a_resource = {"pattern": f"^({'|'.join(CHECKS)}):."}
            return schema | {"propertyNames": {"anyOf": [{"enum": list(CHECKS)}, of_a_resource]}}
        case _:
            return schema
