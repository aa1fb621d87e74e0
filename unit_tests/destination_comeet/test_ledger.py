"""What is special about a ledger in an SQLite file."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from destination_comeet import ledger
from destination_comeet.config import SqliteLedger
from source_ats.errors import ConfigError
from unit_tests.destination_comeet.samples import (
    CLOCK,
    ENTRY,
    STREAMS,
    make,
    postgres_ledger,
    sqlite,
)


@pytest.fixture
def where(tmp_path: Path) -> SqliteLedger:
    place = sqlite(tmp_path / "ledger.db")
    make(place)
    return place


def test_hashes_are_keyed_and_tell_changes_only(where: SqliteLedger, tmp_path: Path) -> None:
    fields = {"first_name": "Mira", "last_name": "Mira", "address": {"a": "1", "b": "2"}}
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        hashes = opened.hashes(fields)
        assert opened.hashes({**fields, "address": {"b": "2", "a": "1"}}) == hashes
        assert hashes["first_name"] != hashes["last_name"]
        assert opened.hashes({"first_name": "Mire"})["first_name"] != hashes["first_name"]
        assert all(len(each) == 12 for each in hashes.values())
    another = sqlite(tmp_path / "another.db")
    make(another)
    with ledger.opened(another, STREAMS, CLOCK) as opened:
        assert opened.hashes(fields)["first_name"] != hashes["first_name"]


def test_nobody_is_named_in_the_file(where: SqliteLedger) -> None:
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        hashes = opened.hashes({"email": "mira@example.org", "last_name": "Kowalczyk"})
        opened.note(replace(ENTRY, hashes=hashes))
    content = Path(where.path).read_bytes()
    assert b"people:1" in content
    assert b"mira@" not in content
    assert b"Kowalczyk" not in content


def test_a_missing_ledger_is_never_made_by_a_run(tmp_path: Path) -> None:
    where = sqlite(tmp_path / "ledger.db")
    with pytest.raises(ConfigError, match=r"first run.*lost"), ledger.opened(where, STREAMS, CLOCK):
        pass
    assert not list(tmp_path.iterdir())
    (tmp_path / "ledger.db").touch()
    with pytest.raises(ConfigError, match=r"first run.*lost"), ledger.opened(where, STREAMS, CLOCK):
        pass


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("something else, and quite long " * 100)
    where = sqlite(path)
    with pytest.raises(ConfigError, match="not a ledger"):
        make(where)
    with pytest.raises(ConfigError, match="not a ledger"), ledger.opened(where, STREAMS, CLOCK):
        pass


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    where = sqlite(tmp_path / "missing" / "ledger.db")
    with pytest.raises(ConfigError, match=r"ledger\.path"):
        make(where)


def test_a_ledger_of_another_version(where: SqliteLedger) -> None:
    with sqlite3.connect(where.path) as connection:
        connection.execute("UPDATE ats_ledger SET version = 99")
    connection.close()
    with pytest.raises(ConfigError, match="version"), ledger.opened(where, STREAMS, CLOCK):
        pass


def test_a_bad_url_is_told_without_its_password() -> None:
    where = postgres_ledger("postgresql://user:hunter2@127.0.0.1:1/none")
    for go in (
        lambda: make(where),
        lambda: ledger.opened(where, STREAMS, CLOCK).__enter__(),
    ):
        with pytest.raises(Exception, match="ledger") as caught:
            go()
        assert "hunter2" not in f"{caught.value!r} {caught.value}"
