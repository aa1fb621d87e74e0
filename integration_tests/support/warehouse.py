"""Tables as Airbyte and PyAirbyte write them, filled with the records of a read.

`Postgres` is what Airbyte's destination makes with *Append*: each record is a row, nested fields
and columns of several types are JSONB. `DuckDB` is what PyAirbyte makes: rows are upserted by
their key, names are in small letters, times have no zone, and columns of several types are texts.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import psycopg
from psycopg import sql

Row = dict[str, Any]
SCHEMA = "airbyte"


@dataclass(frozen=True, slots=True)
class Table:
    """A stream as `discover` shows it."""

    declared: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        name: str = self.declared["name"]
        return name

    @property
    def key(self) -> str:
        """The column that is its primary key."""
        ((key,),) = self.declared["source_defined_primary_key"]
        column: str = key
        return column

    def columns(self, types: Mapping[str, str], several: str) -> dict[str, str]:
        """Return the type of each column; `several` is that of a column of several types."""
        return {
            name: _type(column, types, several)
            for name, column in self.declared["json_schema"]["properties"].items()
        }


def _type(column: Mapping[str, Any], types: Mapping[str, str], several: str) -> str:
    kinds = [each for each in column["type"] if each != "null"]
    if len(kinds) > 1:
        return several
    return types[column.get("format") or kinds[0]]


def airbyte_columns(emitted_at: int) -> Row:
    """Return what is added to each record."""
    extracted = datetime.fromtimestamp(emitted_at / 1_000, UTC)
    return {
        "_airbyte_raw_id": str(uuid.uuid4()),
        "_airbyte_extracted_at": extracted.isoformat(),
        "_airbyte_meta": {"sync_id": 1, "changes": []},
    }


class Postgres:
    """A database with tables as Airbyte's destination writes them."""

    TYPES: Mapping[str, str] = {
        "string": "text",
        "integer": "bigint",
        "number": "numeric",
        "boolean": "boolean",
        "date": "date",
        "date-time": "timestamptz",
        "object": "jsonb",
        "array": "jsonb",
    }

    def __init__(self, url: str) -> None:
        """Connect to a database."""
        self.url = url
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}".encode())

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def write(self, table: Table, records: Iterable[tuple[int, Row]]) -> None:
        """Append records, each with the time in milliseconds at which it was emitted."""
        columns = {
            **table.columns(self.TYPES, several="jsonb"),
            "_airbyte_raw_id": "varchar",
            "_airbyte_extracted_at": "timestamptz",
            "_airbyte_meta": "jsonb",
            "_airbyte_generation_id": "bigint",
        }
        name = sql.Identifier(SCHEMA, table.name)
        self._connection.execute(
            sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})").format(
                name,
                sql.SQL(", ").join(
                    sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind))
                    for column, kind in columns.items()
                ),
            )
        )
        rows = [
            {**record, **airbyte_columns(at), "_airbyte_generation_id": 0} for at, record in records
        ]
        self._connection.execute(
            sql.SQL(
                "INSERT INTO {name} SELECT * FROM jsonb_populate_recordset(NULL::{name}, %s::jsonb)"
            ).format(name=name),
            (json.dumps(rows),),
        )

    def rows(self, query: str) -> list[Row]:
        """Return what a query finds."""
        found = self._connection.execute(query.encode())
        names = [each.name for each in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


class DuckDB:
    """A file with tables as PyAirbyte writes them. Nobody else may have the file open."""

    TYPES: Mapping[str, str] = {
        "string": "VARCHAR",
        "integer": "BIGINT",
        "number": "DECIMAL(38, 9)",
        "boolean": "BOOLEAN",
        "date": "DATE",
        "date-time": "TIMESTAMP",
        "object": "JSON",
        "array": "JSON",
    }

    def __init__(self, path: Path) -> None:
        """Name a file."""
        self.path = path

    def write(self, table: Table, records: Iterable[tuple[int, Row]]) -> None:
        """Upsert records, each with the time in milliseconds at which it was emitted."""
        own = {
            "_airbyte_raw_id": "VARCHAR",
            "_airbyte_extracted_at": "TIMESTAMP",
            "_airbyte_meta": "JSON",
        }
        columns = {**table.columns(self.TYPES, several="VARCHAR"), **own}
        lines = self.path.with_suffix(".jsonl")
        newest = {record[table.key]: {**record, **airbyte_columns(at)} for at, record in records}
        lines.write_text("".join(json.dumps(row) + "\n" for row in newest.values()), "utf-8")
        names = ", ".join(f'"{name}" AS "{name.lower()}"' for name in columns)
        kinds = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
        read = f"SELECT {names} FROM read_json('{lines}', format = 'newline_delimited', columns = {{{kinds}}})"  # noqa: E501, S608
        full_name = f"{SCHEMA}.{table.name}"
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            connection.execute(f"CREATE TABLE IF NOT EXISTS {full_name} AS {read} LIMIT 0")
            connection.execute(
                f"DELETE FROM {full_name} WHERE {table.key} IN (SELECT {table.key} FROM ({read}))"  # noqa: S608
            )
            connection.execute(f"INSERT INTO {full_name} {read}")

    def rows(self, query: str) -> list[Row]:
        """Return what a query finds."""
        with duckdb.connect(str(self.path)) as connection:
            found = connection.execute(query)
            names = [each[0] for each in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
