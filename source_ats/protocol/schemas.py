"""The words in which a vendor package declares its schemas: nullable, open, with Airbyte's types.

A column or a nested field is declared with its description: `name=string("The job's name.")`.
The constants are types without one, for the items of lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

STRING: Schema = {"type": ["null", "string"]}
ANYTHING: Schema = {
    "type": ["null", "string", "number", "boolean", "object", "array"],
    "properties": {},
    "additionalProperties": True,
}
"""A value of any type, as the vendor sends it.

It names all types and has `properties`, because tools built on the Singer SDK fail on a schema
without a type, and on an object in a list without `properties`.
"""


def described(schema: Schema, description: str) -> Schema:
    """Return the schema with this description."""
    return {**schema, "description": description}


def string(description: str) -> Schema:
    """Return a text."""
    return described(STRING, description)


def boolean(description: str) -> Schema:
    """Return true or false."""
    return {"type": ["null", "boolean"], "description": description}


def integer(description: str) -> Schema:
    """Return a whole number."""
    return {"type": ["null", "integer"], "description": description}


def number(description: str) -> Schema:
    """Return a number."""
    return {"type": ["null", "number"], "description": description}


def timestamp(description: str) -> Schema:
    """Return a date with time and offset."""
    return {
        "type": ["null", "string"],
        "format": "date-time",
        "airbyte_type": "timestamp_with_timezone",
        "description": description,
    }


def date(description: str) -> Schema:
    """Return a day."""
    return {"type": ["null", "string"], "format": "date", "description": description}


def anything(description: str) -> Schema:
    """Return a value of any type."""
    return described(ANYTHING, description)


def open_object(description: str) -> Schema:
    """Return an object whose keys are not known beforehand."""
    return {"type": ["null", "object"], "additionalProperties": True, "description": description}


def fields(description: str | None = None, /, **properties: Schema) -> Schema:
    """Return an object with these fields, and others that a vendor adds tomorrow.

    The items of a list have no description of their own.
    """
    schema = {"type": ["null", "object"], "additionalProperties": True, "properties": properties}
    return schema if description is None else described(schema, description)


def list_of(description: str, items: Schema) -> Schema:
    """Return a list."""
    return {"type": ["null", "array"], "items": items, "description": description}


def table(**columns: Schema) -> Schema:
    """Return the schema of a stream."""
    return {"$schema": "http://json-schema.org/draft-07/schema#", **fields(**columns)}
