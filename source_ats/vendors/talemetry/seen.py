"""Which ids were listed, kept on disk: a window may hold any number of people."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from source_ats.errors import ConfigError


class SeenIds:
    """A set of ids in a temporary file, which closing removes. Memory use stays the same.

    A pass is one walk through a listing. For one thread at a time.
    """

    def __init__(self) -> None:
        """Begin empty."""
        # An empty name makes SQLite use a temporary file that no other process can open.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("CREATE TABLE seen (id TEXT PRIMARY KEY, pass INTEGER) WITHOUT ROWID")
        self._pass = 0

    def __enter__(self) -> Self:
        """Use it in a `with` block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the file."""
        self._db.close()

    def __contains__(self, key: str) -> bool:
        """Return True if an id was seen in any pass."""
        return self._last_pass(key) is not None

    def begin_pass(self) -> None:
        """Begin the next walk through a listing."""
        self._pass += 1

    def add(self, ids: Iterable[str]) -> tuple[Sequence[str], Sequence[str]]:
        """Add ids; return those that are new, and those that are new in this pass."""
        new = []
        new_in_pass = []
        try:
            for key in ids:
                last = self._last_pass(key)
                if last != self._pass:
                    new_in_pass.append(key)
                    if last is None:
                        new.append(key)
                    self._db.execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", (key, self._pass))
        except sqlite3.OperationalError:
            message = (
                "There is no room for a temporary file with the ids read so far. Let the connector "
                "write to its temporary directory, or set SQLITE_TMPDIR to one that has room."
            )
            raise ConfigError(message) from None
        return new, new_in_pass

    def _last_pass(self, key: str) -> int | None:
        row = self._db.execute("SELECT pass FROM seen WHERE id = ?", (key,)).fetchone()
        return None if row is None else int(row[0])
