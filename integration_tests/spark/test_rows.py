"""Records as rows and back, without a cluster."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql.types import ArrayType, Row, StringType, VariantType, VariantVal

from source_ats.errors import ConfigError
from source_ats.protocol import schemas
from source_ats.spark import rows

SCHEMA = schemas.table(
    id=schemas.string("Its key."),
    count=schemas.integer("How many."),
    share=schemas.number("A part of one."),
    is_there=schemas.boolean("True if it is there."),
    at=schemas.timestamp("When."),
    day=schemas.date("On which day."),
    tags=schemas.list_of("Texts.", schemas.STRING),
    notes=schemas.list_of("Objects.", schemas.fields(text=schemas.string("A text."))),
    contact=schemas.open_object("An object."),
    anything=schemas.anything("Any value."),
)
RECORD = {
    "id": "7",
    "count": 2**40,
    "share": 0.5,
    "is_there": False,
    "at": "2026-01-31T12:00:00.125Z",
    "day": "2026-01-31",
    "tags": ["a", None],
    "notes": [{"text": "Grüße", "more": {"n": 1.25}}],
    "contact": {"phones": [{"x": None}], "name": "Mira"},
    "anything": [1, "two"],
}


def as_row(record: dict[str, Any] | bytes, objects: rows.Objects = "variant") -> dict[str, Any]:
    """Return a row by the names of its columns, VARIANTs as their content."""
    raw = record if isinstance(record, bytes) else json.dumps(record).encode()
    values = rows.reader(SCHEMA, objects)(raw)
    return dict(zip(rows.schema(SCHEMA, objects).fieldNames(), map(plain, values), strict=True))


def plain(value: Any) -> Any:
    if isinstance(value, VariantVal):
        return value.toPython()
    return [plain(each) for each in value] if isinstance(value, list) else value


def test_values_get_the_type_of_their_column() -> None:
    row = as_row(RECORD)
    assert row == {
        **RECORD,
        "at": datetime(2026, 1, 31, 12, 0, 0, 125_000, tzinfo=UTC),
        "day": date(2026, 1, 31),
        "notes": [{"text": "Grüße", "more": {"n": Decimal("1.25")}}],
        "_rescued_data": None,
    }


def test_open_values_as_text_are_what_came() -> None:
    row = as_row(b'{"id":"7","contact":{"a": 1.50},"notes":[{"b":2},null]}', "json")
    assert row["contact"] == '{"a": 1.50}'
    assert row["notes"] == ['{"b":2}', None]
    kinds = {each.name: each.dataType for each in rows.schema(SCHEMA, "json")}
    assert (kinds["contact"], kinds["notes"]) == (StringType(), ArrayType(StringType()))
    assert rows.schema(SCHEMA, "variant")["anything"].dataType == VariantType()


def test_what_is_missing_or_null_is_null() -> None:
    assert set(as_row({}).values()) == {None}
    assert set(as_row(dict.fromkeys(RECORD)).values()) == {None}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", 7),
        ("count", "7"),
        ("count", 2**63),
        ("count", 1.5),
        ("share", "much"),
        ("is_there", "yes"),
        ("at", "yesterday"),
        ("at", "2026-01-31T12:00:00"),
        ("day", "0000-00-00"),
        ("tags", "a"),
        ("tags", ["a", 1]),
        ("notes", {"text": "one alone"}),
        ("new_field", {"x": [1]}),
    ],
)
def test_what_has_no_column_or_does_not_fit_it_is_rescued(column: str, value: Any) -> None:
    row = as_row({**RECORD, column: value})
    assert row.get(column) is None
    assert row["_rescued_data"] == {column: value}
    assert row["contact"] == RECORD["contact"]


@pytest.mark.parametrize("record", [RECORD, {**RECORD, "count": "many", "new_field": [{}]}])
def test_a_row_is_the_record_again(record: dict[str, Any]) -> None:
    values = rows.reader(SCHEMA, "variant")(json.dumps(record).encode())
    row = Row(**dict(zip(rows.schema(SCHEMA, "variant").fieldNames(), values, strict=True)))
    again = json.loads(rows.record(row))
    assert {**again, "at": again["at"].replace("125000", "125")} == record


def test_rows_of_other_tables_are_written_as_json() -> None:
    row = Row(
        id=Decimal("7.10"), address=Row(city="Oslo"), codes={"a": 1}, phones=[Row(n="1")], none=None
    )
    assert json.loads(rows.record(row)) == {
        "id": 7.1,
        "address": {"city": "Oslo"},
        "codes": {"a": 1},
        "phones": [{"n": "1"}],
        "none": None,
    }
    with pytest.raises(ConfigError, match="column picture"):
        rows.record(Row(picture=b"\x00"))
