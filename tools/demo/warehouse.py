"""The source, read by PyAirbyte into a DuckDB file; and what each read did to each table."""

from __future__ import annotations

import contextlib
import io
import shlex
import warnings
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import sqlalchemy

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.every_stream import configuration
from tools.demo.marts import TABLES
from tools.demo.messages import Messages
from tools.demo.screen import Line, Screen
from tools.sandbox import PROGRAMS

with warnings.catch_warnings(action="ignore"):  # its libraries warn of each other
    import airbyte
    from airbyte.caches import DuckDBCache

ROUTES = {
    "candidates": "kombo.candidates",
    "profiles": "talemetry.*",
    "atz_candidates": "atz_crm.candidates",
    "atz_deals": "atz_crm.deals",
    "candidate_history": "atz_crm.history",
    "comeet_candidates": "comeet.list",
    "comeet_deleted_candidates": "comeet.deleted",
}
"""The sandbox's names of the requests of a stream, where they do not follow from its name."""

Rows = dict[str, tuple[bool, object]]
"""Of each row, by its key: whether it is marked as deleted, and when it was written."""


class Warehouse:
    """A DuckDB file and what reads into it."""

    def __init__(self, sandbox: Sandbox, database: Path, folder: Path) -> None:
        """Prepare the source. `folder` is for files that nobody needs afterwards."""
        self._sandbox = sandbox
        self._messages = Messages(folder / "messages.jsonl")
        with quiet():
            self._source = airbyte.get_source(
                "source-ats",
                config=configuration(sandbox),
                local_executable=self._copying_executable(folder),
            )
            self._source.select_all_streams()
            self._cache = DuckDBCache(db_path=database, schema_name=TABLES, cache_dir=folder)
            self.streams = self._source.discovered_catalog.streams

    def _copying_executable(self, folder: Path) -> Path:
        """Return a program that is source-ats, and copies its messages for us to follow."""
        program, copy = PROGRAMS / "source-ats", self._messages.path
        path = folder / "source-ats"
        path.write_text(
            f'#!/usr/bin/env bash\nexec {shlex.quote(str(program))} "$@" '
            f"> >(exec tee -a {shlex.quote(str(copy))})\n"
        )
        path.chmod(0o755)
        return path

    def close(self) -> None:
        """Close the file, so that other programs can open it."""
        self._cache.get_sql_engine().dispose()

    def check(self) -> None:
        """Check the configuration. Raises if it fails."""
        with quiet():
            self._source.check()

    def read(self, title: str, screen: Screen, messages: Path) -> None:
        """Read all streams into the file, and show what that did to each table.

        What the source printed is in `messages` afterwards.
        """
        before = {stream.name: self._rows(stream.name) for stream in self.streams}
        self._sandbox.reset_log()
        self._messages.forget()
        names = [stream.name for stream in self.streams]
        with screen.following(title, names, self._messages), quiet():
            self._source.read(cache=self._cache)
        requests = {name: each["total"] for name, each in self._sandbox.counts().items()}
        self._messages.follow()
        self._messages.keep(messages)
        lines = [self._line(stream.name, before[stream.name], requests) for stream in self.streams]
        screen.table(title, lines, self._messages.seconds())

    def _line(self, stream: str, before: Rows, requests: dict[str, int]) -> Line:
        now = self._rows(stream)
        written = [key for key in now if now[key] != before.get(key)]
        new = sum(key not in before for key in written)
        deleted = sum(now[key][0] and not before[key][0] for key in written if key in before)
        routes = ROUTES.get(stream, stream.replace("_", ".", 1).replace("_", "-"))
        return Line(
            stream=stream,
            new=new,
            changed=len(written) - new - deleted,
            deleted=deleted,
            requests=sum(count for route, count in requests.items() if fnmatch(route, routes)),
            seconds=self._messages.seconds(stream),
        )

    def _rows(self, stream: str) -> Rows:
        (declared,) = (each for each in self.streams if each.name == stream)
        ((key,),) = declared.source_defined_primary_key or [[]]
        columns = declared.json_schema["properties"]
        deleted = "false"
        if "is_deleted" in columns:
            deleted = "is_deleted"
        if "remote_deleted_at" in columns:
            deleted = "remote_deleted_at IS NOT NULL"
        with self._cache.get_sql_engine().connect() as connection:
            if not sqlalchemy.inspect(connection).has_table(stream, schema=TABLES):
                return {}
            query = f"SELECT {key}, {deleted}, _airbyte_extracted_at FROM {TABLES}.{stream}"  # noqa: S608 - our own names
            rows = connection.execute(sqlalchemy.text(query)).all()
        return {key: (is_deleted, written_at) for key, is_deleted, written_at in rows}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hide PyAirbyte's own progress and the warnings of its libraries. Failures are raised."""
    with (
        warnings.catch_warnings(action="ignore"),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        yield
