"""The manifest for Airbyte Cloud is what the code makes, and follows Airbyte's schema."""

from __future__ import annotations

import pkgutil
from typing import Any

import jsonschema
import yaml

from source_ats import config
from tools.manifest import document


def test_file_is_up_to_date() -> None:
    assert document.FILE.read_text("utf-8") == document.written(), "out of date: run scripts/docs"


def test_follows_airbytes_schema() -> None:
    schema = _loaded(
        pkgutil.get_data("airbyte_cdk.sources.declarative", "declarative_component_schema.yaml")
    )
    manifest = _resolved(document.manifest())
    jsonschema.validate(manifest, schema)


def test_needs_no_code() -> None:
    assert "type: Custom" not in document.FILE.read_text("utf-8")


def test_its_fields_are_those_of_source_ats() -> None:
    ours = config.spec()["connectionSpecification"]["properties"]
    manifest = document.manifest()["spec"]["connection_specification"]["properties"]
    for name, field in manifest.items():
        for key, each in field.get("properties", {}).items():
            assert each == ours[name]["properties"][key]
    assert manifest.keys() == {"start_date", "lookback_minutes", "kombo", "talemetry", "atz_crm"}


def _loaded(text: bytes | None) -> Any:
    assert text is not None
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe one


def _resolved(whole: Any) -> Any:
    """Return the manifest with its references put in, as the CDK reads it."""

    def put_in(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                _, *path = value["$ref"].split("/")
                found = whole
                for key in path:
                    found = found[key]
                return put_in(found)
            return {key: put_in(each) for key, each in value.items()}
        return [put_in(each) for each in value] if isinstance(value, list) else value

    return put_in(whole)
