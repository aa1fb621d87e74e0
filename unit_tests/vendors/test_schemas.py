"""The schemas that the vendor packages declare, all alike."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest

from source_ats.protocol.schemas import ANYTHING
from source_ats.vendors.atz_crm import schemas as atz_crm
from source_ats.vendors.comeet import schemas as comeet
from source_ats.vendors.kombo import schemas as kombo
from source_ats.vendors.talemetry import schemas as talemetry

DECLARED: dict[str, Mapping[str, Any]] = {
    f"{module.__name__.split('.')[-2]}.{name}": value
    for module in (kombo, talemetry, atz_crm, comeet)
    for name, value in vars(module).items()
    if re.fullmatch("[A-Z][A-Z_]+", name) and value not in (ANYTHING, {"type": ["null", "string"]})
}
"""Every stream's schema, and columns that are there on request."""

each_schema = pytest.mark.parametrize("schema", DECLARED.values(), ids=DECLARED)

SENTENCE = re.compile(r"[A-Z][^\n]*[^\s.]\.")


def fields(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each column and nested field with its path."""
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from fields(field, f"{path}.{name}")
    if "items" in schema:
        yield from fields(schema["items"], f"{path}[]")


def nodes(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each schema within a schema, the items of lists included."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from nodes(field, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")


def test_every_schema_is_found() -> None:
    assert len([each for each in DECLARED.values() if "$schema" in each]) == 21
    assert "kombo.FILES" in DECLARED


@each_schema
def test_every_field_has_a_description_that_is_a_sentence(schema: Mapping[str, Any]) -> None:
    found = dict(fields(schema))
    assert found
    for path, field in found.items():
        description = field.get("description", "")
        assert SENTENCE.fullmatch(description), (path, description)
        assert 10 <= len(description) <= 160, (path, description)
        assert description == " ".join(description.split()), path


@each_schema
def test_every_type_is_nullable_and_named(schema: Mapping[str, Any]) -> None:
    jsonschema.Draft7Validator.check_schema(schema)
    for path, node in nodes(schema):
        kinds = node["type"]
        if path or "$schema" not in node:
            assert kinds[0] == "null", path
        assert len(kinds) > 1, path
        if "object" in kinds:
            assert node["additionalProperties"] is True, path
        if node.get("format") == "date-time":
            assert node["airbyte_type"] == "timestamp_with_timezone", path
        if set(kinds) >= {"string", "object"}:
            bare = {key: value for key, value in node.items() if key != "description"}
            assert bare == ANYTHING, path


@each_schema
def test_an_object_in_a_list_names_its_properties(schema: Mapping[str, Any]) -> None:
    """The Singer SDK fails on one that does not."""
    for path, node in nodes(schema):
        if path.endswith("[]") and "object" in node["type"]:
            assert "properties" in node, path


@pytest.mark.parametrize("value", [None, "a", 1, 1.5, True, {"a": [1]}, ["a", {}]], ids=json.dumps)
def test_anything_takes_every_value(value: object) -> None:
    jsonschema.validate(value, ANYTHING)
