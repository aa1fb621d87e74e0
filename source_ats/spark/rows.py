"""Records as rows of a DataFrame, and back.

The columns come from the schema that `discover` shows. What is open there (objects, values of
several types) is a VARIANT, or JSON text where the user wants that. Nothing is lost and nothing
breaks a read: a field without a column, and a value that does not fit its column, stand as they
came in the column `_rescued_data`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import orjson
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DateType,
    DoubleType,
    LongType,
    Row,
    StringType,
    StructField,
    StructType,
    TimestampType,
    VariantType,
    VariantVal,
)

from source_ats.clock import rfc3339
from source_ats.errors import ConfigError

RESCUED = "_rescued_data"

Objects = Literal["variant", "json"]
Value = Callable[[bytes], Any]
"""Makes a column's value of encoded JSON; raises `msgspec.DecodeError` where that does not fit."""

_NULL = b"null"
_row = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])


def schema(stream_schema: Mapping[str, Any], objects: Objects) -> StructType:
    """Return the columns of a stream."""
    open_type = VariantType() if objects == "variant" else StringType()
    columns = [
        StructField(name, _type(field, open_type))
        for name, field in stream_schema["properties"].items()
    ]
    return StructType([*columns, StructField(RESCUED, open_type)])


def _type(field: Mapping[str, Any], open_type: DataType) -> DataType:
    match [each for each in field.get("type", ()) if each != "null"]:
        case ["string"] if field.get("format") == "date-time":
            return TimestampType()
        case ["string"] if field.get("format") == "date":
            return DateType()
        case ["string"]:
            return StringType()
        case ["boolean"]:
            return BooleanType()
        case ["integer"]:
            return LongType()
        case ["number"]:
            return DoubleType()
        case ["array"]:
            return ArrayType(_type(field.get("items", {}), open_type))
        case _:
            return open_type


def reader(
    stream_schema: Mapping[str, Any], objects: Objects
) -> Callable[[bytes], tuple[Any, ...]]:
    """Return what makes a row, in the order of the columns, of an encoded record."""
    open_value = _variant if objects == "variant" else _text
    columns: dict[str, Value] = {
        name: _value(field, open_value) for name, field in stream_schema["properties"].items()
    }

    def row(record: bytes) -> tuple[Any, ...]:
        fields = _row.decode(record)
        rescued = {name: raw for name, raw in fields.items() if name not in columns}
        values = []
        for name, value in columns.items():
            raw = fields.get(name)
            try:
                values.append(None if raw is None else value(bytes(raw)))
            except msgspec.DecodeError:
                rescued[name] = fields[name]
                values.append(None)
        return (*values, open_value(msgspec.json.encode(rescued)) if rescued else None)

    return row


def _value(field: Mapping[str, Any], open_value: Value) -> Value:
    match [each for each in field.get("type", ()) if each != "null"]:
        case ["string"] if field.get("format") == "date-time":
            return msgspec.json.Decoder(Annotated[datetime, msgspec.Meta(tz=True)] | None).decode
        case ["string"] if field.get("format") == "date":
            return msgspec.json.Decoder(date | None).decode
        case ["string"]:
            return msgspec.json.Decoder(str | None).decode
        case ["boolean"]:
            return msgspec.json.Decoder(bool | None).decode
        case ["integer"]:
            return msgspec.json.Decoder(
                Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None
            ).decode
        case ["number"]:
            return msgspec.json.Decoder(float | None).decode
        case ["array"]:
            item = _value(field.get("items", {}), open_value)
            return lambda raw: (
                None if raw == _NULL else [item(bytes(each)) for each in _list.decode(raw)]
            )
        case _:
            return open_value


def _variant(raw: bytes) -> VariantVal | None:
    return None if raw == _NULL else VariantVal.parseJson(raw.decode())


def _text(raw: bytes) -> str | None:
    return None if raw == _NULL else raw.decode()


def record(row: Row) -> bytes:
    """Return the record of a row, encoded on one line; what was rescued is back in its place.

    Raises `ConfigError` for a column that no JSON value can be made of.
    """
    fields: dict[str, Any] = row.asDict()
    rescued = fields.pop(RESCUED, None)
    if rescued is not None:
        fields |= _row.decode(rescued.toJson() if isinstance(rescued, VariantVal) else rescued)
    return orjson.dumps({name: _json(value, name) for name, value in fields.items()})


def _json(value: object, column: str) -> object:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case VariantVal():
            return orjson.Fragment(value.toJson())
        case msgspec.Raw():
            return orjson.Fragment(bytes(value))
        case Decimal():
            return orjson.Fragment(str(value))
        case datetime():
            # Spark hands over the machine's local time, without a zone.
            return rfc3339(value, "auto")
        case date():
            return value.isoformat()
        case Row():
            return {name: _json(each, column) for name, each in value.asDict().items()}
        case Mapping():
            return {str(name): _json(each, column) for name, each in value.items()}
        case Sequence() if not isinstance(value, (bytes, bytearray)):
            return [_json(each, column) for each in value]
        case _:
            raise ConfigError(
                f"The column {column} has a type that cannot be written. Leave the column out, or "
                "cast it to a string."
            )
