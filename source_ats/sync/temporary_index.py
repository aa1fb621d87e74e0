"""A temporary database for what a read has to remember, so that its memory does not grow."""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from source_ats.errors import ConfigError

_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
_PRIMARY_CODE = 0xFF
"""SQLite's extended error codes hold the primary one in their lowest byte."""


class TemporaryIndex:
    """A temporary SQLite database, which is gone with the process, however that ends.

    The first megabytes stay in memory; beyond them SQLite writes a file that has no name. For one
    thread at a time. Each method raises `ConfigError` when there is no room for that file.
    """

    def __init__(self, tables: str) -> None:
        """`tables` holds the statements that create the tables."""
        # An empty name is SQLite's word for a temporary file. A generator that is dropped halfway
        # may be closed by another thread.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._size = 0
        # Also for an index that is shared with a stream that is never read.
        self.close = weakref.finalize(self, self._database.close)
        self._database.executescript(
            f"PRAGMA journal_mode = MEMORY; PRAGMA cache_size = -8000; {tables}"
        )

    def __enter__(self) -> Self:
        """Use it in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the file."""
        self.close()

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement that changes rows, and return how many it changed."""
        with self._room():
            return self._database.execute(statement, parameters).rowcount

    def rows(
        self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the rows that a statement selects."""
        with self._room():
            # `yield from` would close the cursor, which fails once the database is closed.
            for row in self._database.execute(statement, parameters):  # noqa: UP028
                yield row

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the statements of a `with` block together, which is much faster than apart.

        What was done before an exception is kept.
        """
        # SQLite cannot tell the size any more once it has failed to write.
        self._size = self._pragma("page_count") * self._pragma("page_size")
        self.execute("BEGIN")
        try:
            yield
        finally:
            if self._database.in_transaction:
                self.execute("COMMIT")

    @contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY_CODE not in _NO_ROOM:
                raise
            message = (
                f"There is no room for a temporary file in {_folder()}: the file has "
                f"{self._size / 1_000_000:.1f} MB and has to grow. Make room there, or set "
                "SQLITE_TMPDIR to a folder that has more."
            )
            raise ConfigError(message) from None

    def _pragma(self, name: str) -> int:
        ((value,),) = self.rows(f"PRAGMA {name}")
        return int(value)


def _folder() -> str:
    """Return the folder that SQLite takes for its temporary files (sqlite.org/tempfiles.html)."""
    named = (os.environ.get(name) for name in ("SQLITE_TMPDIR", "TMPDIR"))
    usual = ("/var/tmp", "/usr/tmp", "/tmp")  # noqa: S108 - named, not used
    return next(
        (
            folder
            for folder in (*named, *usual)
            if folder and os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)  # noqa: PTH112
        ),
        ".",
    )
