"""The words in which the rooms declare their schemas: nullable, open, with Airbyte's types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

STRING: Schema = {"type": ["null", "string"]}
BOOLEAN: Schema = {"type": ["null", "boolean"]}
INTEGER: Schema = {"type": ["null", "integer"]}
NUMBER: Schema = {"type": ["null", "number"]}
MOMENT: Schema = {
    "type": ["null", "string"],
    "format": "date-time",
    "airbyte_type": "timestamp_with_timezone",
}
DATE: Schema = {"type": ["null", "string"], "format": "date"}
ANYTHING: Schema = {}
"""A value of any type, as the vendor sends it."""
OPEN_OBJECT: Schema = {"type": ["null", "object"], "additionalProperties": True}
"""An object whose keys nobody knows beforehand."""


def fields(**properties: Schema) -> Schema:
    """Return an object with these fields, and others that a vendor adds tomorrow."""
    return {**OPEN_OBJECT, "properties": properties}


def list_of(items: Schema) -> Schema:
    """Return a list."""
    return {"type": ["null", "array"], "items": items}


def table(**columns: Schema) -> Schema:
    """Return the schema of a stream."""
    return {"$schema": "http://json-schema.org/draft-07/schema#", **fields(**columns)}
