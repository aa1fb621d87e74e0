"""The temporary database."""

from __future__ import annotations

from pathlib import Path

import pytest

from source_ats.errors import ConfigError
from source_ats.sync.temporary_index import TemporaryIndex

TABLE = "CREATE TABLE seen (key TEXT PRIMARY KEY) WITHOUT ROWID;"


def test_rows_are_kept_each_once() -> None:
    with TemporaryIndex(TABLE) as index:
        insert = "INSERT OR IGNORE INTO seen VALUES (?)"
        with index.transaction():
            changed = [index.execute(insert, [key]) for key in ("b", "a", "b")]
        assert changed == [1, 1, 0]
        assert list(index.rows("SELECT key FROM seen ORDER BY key")) == [("a",), ("b",)]


def test_index_that_is_closed_while_its_rows_are_read_is_quiet() -> None:
    with TemporaryIndex(TABLE) as index:
        for number in range(10):
            index.execute("INSERT INTO seen VALUES (?)", [str(number)])
        rows = index.rows("SELECT key FROM seen")
        next(rows)
    del rows


def fill(index: TemporaryIndex, rows: int) -> None:
    """Add rows of 500 bytes in one transaction."""
    (count,) = index.rows("SELECT count(*) FROM seen")
    with index.transaction():
        for number in range(rows):
            index.execute("INSERT INTO seen VALUES (?)", [f"{count[0] + number:0500}"])


def test_no_room_names_folder_size_and_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    with TemporaryIndex(f"{TABLE} PRAGMA max_page_count = 300;") as index:
        fill(index, 1000)
        fill(index, 1000)
        with pytest.raises(ConfigError) as raised:
            fill(index, 10_000)
    assert str(tmp_path) in raised.value.message
    assert "1.2 MB" in raised.value.message
    assert "SQLITE_TMPDIR" in raised.value.message
