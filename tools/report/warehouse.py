"""The database that dbt has built the marts in. It is only read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import psycopg2

from tools.report.problem import Problem

POSTGRESQL = ("postgresql://", "postgres://")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Warehouse:
    """An open database, and the schema of the marts in it."""

    name: str
    """What the page calls the database: no host, no user, no folder."""
    schema: str
    _execute: Callable[[str], list[Row]]

    def rows(self, query: str) -> list[Row]:
        """Return what a query finds. It names each mart as `{schema}.mart`."""
        schema = '"' + self.schema.replace('"', '""') + '"'
        return self._execute(query.replace("{schema}", schema))

    def require(self, marts: Collection[str]) -> None:
        """Raise `Problem` if a mart is missing."""
        schema = self.schema.replace("'", "''")
        found = self._execute(
            f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}'"  # noqa: S608 - quoted
        )
        missing = sorted(set(marts) - {row["table_name"] for row in found})
        if missing:
            raise Problem(
                f"The schema {self.schema} of {self.name} has no {', '.join(missing)}. Build the "
                "marts with `dbt build` in the folder dbt/ (docs/warehouse.md), or name their "
                "schema with --schema."
            )


@contextmanager
def opened(database: str, schema: str) -> Iterator[Warehouse]:
    """Open a DuckDB file or a PostgreSQL database. Raises `Problem` if that fails."""
    if database.startswith(POSTGRESQL):
        yield from _postgresql(database, schema)
    elif "://" in database:  # not repeated: it may hold a password
        raise Problem("Name a DuckDB file, or a URL that begins with postgresql://.")
    else:
        yield from _duckdb(Path(database), schema)


def _duckdb(path: Path, schema: str) -> Iterator[Warehouse]:
    if not path.is_file():
        raise Problem(
            f"There is no file {path}. Name the DuckDB file or the postgresql:// URL of your "
            "warehouse; scripts/demo makes demo.duckdb."
        )
    try:
        connection = duckdb.connect(str(path), read_only=True)
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise Problem(
            f"{path} cannot be opened. Close the programs that write to it, and check that it is "
            f"a DuckDB file. [{reason}]"
        ) from None
    with connection, connection.cursor() as cursor:

        def execute(query: str) -> list[Row]:
            found = cursor.execute(query)
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

        yield Warehouse(path.name, schema, execute)


def _postgresql(url: str, schema: str) -> Iterator[Warehouse]:
    name = urlsplit(url).path.strip("/") or "PostgreSQL"
    try:
        connection = psycopg2.connect(url)
    except psycopg2.Error:
        # What the driver says can repeat the URL, password included.
        raise Problem(
            f"The database {name} cannot be opened. Check the host, the user and the password of "
            "the URL, and that the server answers from here: `psql URL` says why it does not."
        ) from None
    with closing(connection):
        connection.set_session(readonly=True)
        cursor = connection.cursor()

        def execute(query: str) -> list[Row]:
            cursor.execute(query)
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        yield Warehouse(name, schema, execute)
