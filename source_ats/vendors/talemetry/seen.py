"""Which ids were listed, kept on disk: a window may hold any number of people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

from source_ats.sync.temporary_index import TemporaryIndex


class SeenIds:
    """A set of ids in a temporary file, which closing removes. Memory use stays the same.

    GUIDs that differ only by case are one id. A pass is one walk through a listing. For one thread
    at a time. Raises `ConfigError` when the disk is full.
    """

    def __init__(self, *, case_matters: bool = False) -> None:
        """Begin empty. `case_matters` is for cursors, which may be any text."""
        collation = "BINARY" if case_matters else "NOCASE"
        self._index = TemporaryIndex(
            f"CREATE TABLE seen (id TEXT COLLATE {collation} PRIMARY KEY, pass INTEGER) "
            "WITHOUT ROWID"
        )
        self._pass = 0

    def __enter__(self) -> Self:
        """Use it in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the file."""
        self._index.close()

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
        with self._index.transaction():
            for key in ids:
                last = self._last_pass(key)
                if last != self._pass:
                    new_in_pass.append(key)
                    if last is None:
                        new.append(key)
                    self._index.execute(
                        "INSERT OR REPLACE INTO seen VALUES (?, ?)", (key, self._pass)
                    )
        return new, new_in_pass

    def _last_pass(self, key: str) -> int | None:
        row = next(self._index.rows("SELECT pass FROM seen WHERE id = ?", (key,)), None)
        return None if row is None else int(row[0])
