"""The ledger on SQLite; test_postgres_ledger.py runs the same tests on PostgreSQL."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from destination_comeet import ledger
from destination_comeet.ledger import Entry, LedgerInUse, Sender, Standing, Where
from source_ats.clock import SystemClock
from source_ats.errors import ConfigError

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
CLOCK = SystemClock()
SENDERS = [Sender("people", "people:", "comeet"), Sender("others", "others:", "custom")]
ENTRY = Entry(
    position="4A.1C2",
    key="people:1",
    stream="people",
    standing=Standing.SENDING,
    noted_at=NOON,
    hashes={"email": "x"},
)


@pytest.fixture
def where(tmp_path: Path) -> Where:
    place = Where(path=tmp_path / "ledger.db", url=None)
    assert ledger.make(place, SENDERS, CLOCK) == ""
    return place


def test_an_entry_through_its_life(where: Where) -> None:
    with ledger.opened(where, SENDERS, CLOCK) as opened:
        assert opened.find("4A.1C2", "people:1") is None
        opened.note(ENTRY, again=False)
        assert opened.find("4A.1C2", "people:1") == ENTRY
        there = replace(ENTRY, standing=Standing.THERE, uid="B3.07F")
        opened.close(there, NOON)
        assert opened.find("4A.1C2", "people:1") == there
        assert opened.knows("B3.07F")
        assert not opened.knows("B3.080")
        assert opened.find("other", "people:1") is None
    with ledger.opened(where, SENDERS, CLOCK) as opened:
        assert opened.find("4A.1C2", "people:1") == there
        again = replace(ENTRY, hashes={"email": "y"})
        opened.note(again, again=True)
        assert opened.find("4A.1C2", "people:1") == again
        opened.withdraw(again)
    with ledger.opened(where, SENDERS, CLOCK) as opened:
        assert opened.find("4A.1C2", "people:1") is None


def test_what_is_closed_survives_an_error_in_the_run(where: Where) -> None:
    def cut_off() -> None:
        with ledger.opened(where, SENDERS, CLOCK) as opened:
            opened.note(ENTRY, again=False)
            opened.close(replace(ENTRY, standing=Standing.GONE), NOON)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        cut_off()
    with ledger.opened(where, SENDERS, CLOCK) as opened:
        found = opened.find("4A.1C2", "people:1")
        assert found is not None
        assert found.standing is Standing.GONE


def test_hashes_are_keyed_and_tell_changes_only(where: Where, tmp_path: Path) -> None:
    fields = {"first_name": "Mira", "last_name": "Mira", "address": {"a": "1", "b": "2"}}
    with ledger.opened(where, SENDERS, CLOCK) as opened:
        hashes = opened.hashes(fields)
        assert opened.hashes({**fields, "address": {"b": "2", "a": "1"}}) == hashes
        assert hashes["first_name"] != hashes["last_name"]
        assert opened.hashes({"first_name": "Mire"})["first_name"] != hashes["first_name"]
        assert all(len(each) == 12 for each in hashes.values())
    another = Where(path=tmp_path / "another.db", url=None)
    ledger.make(another, SENDERS, CLOCK)
    with ledger.opened(another, SENDERS, CLOCK) as opened:
        assert opened.hashes(fields)["first_name"] != hashes["first_name"]


def test_nobody_is_named_in_the_file(where: Where) -> None:
    with ledger.opened(where, SENDERS, CLOCK) as opened:
        hashes = opened.hashes({"email": "mira@example.org", "last_name": "Kowalczyk"})
        opened.note(replace(ENTRY, hashes=hashes), again=False)
    assert where.path is not None
    content = where.path.read_bytes()
    assert b"people:1" in content
    assert b"mira@" not in content
    assert b"Kowalczyk" not in content


def test_a_second_writer_is_turned_away_and_the_next_let_in(where: Where) -> None:
    with ledger.opened(where, SENDERS, CLOCK) as first:
        with pytest.raises(LedgerInUse), ledger.opened(where, SENDERS, CLOCK):
            pass
        assert "at this moment" in ledger.make(where, SENDERS, CLOCK)
        first.note(ENTRY, again=False)
    with ledger.opened(where, SENDERS, CLOCK) as opened:
        assert opened.find("4A.1C2", "people:1") == ENTRY


def test_a_missing_ledger_is_never_made_by_a_run(tmp_path: Path) -> None:
    where = Where(path=tmp_path / "ledger.db", url=None)
    with pytest.raises(ConfigError, match=r"first run.*lost"), ledger.opened(where, SENDERS, CLOCK):
        pass
    assert not list(tmp_path.iterdir())
    (tmp_path / "ledger.db").touch()
    with pytest.raises(ConfigError, match=r"first run.*lost"), ledger.opened(where, SENDERS, CLOCK):
        pass


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("something else, and quite long " * 100)
    where = Where(path=path, url=None)
    with pytest.raises(ConfigError, match="not a ledger"):
        ledger.make(where, SENDERS, CLOCK)
    with pytest.raises(ConfigError, match="not a ledger"), ledger.opened(where, SENDERS, CLOCK):
        pass


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    where = Where(path=tmp_path / "missing" / "ledger.db", url=None)
    with pytest.raises(ConfigError, match=r"ledger\.path"):
        ledger.make(where, SENDERS, CLOCK)


def test_a_ledger_of_another_version(where: Where) -> None:
    assert where.path is not None
    with sqlite3.connect(where.path) as connection:
        connection.execute("UPDATE ats_ledger SET version = 99")
    connection.close()
    with pytest.raises(ConfigError, match="version"), ledger.opened(where, SENDERS, CLOCK):
        pass


@pytest.mark.parametrize(
    ("now", "what"),
    [
        (Sender("people", "p:", "comeet"), "partner_id_prefix was people: "),
        (Sender("people", "people:", "custom"), "mapping was comeet "),
    ],
)
def test_who_wrote_once_must_go_on_so(where: Where, now: Sender, what: str) -> None:
    # Until somebody was written, everything may change.
    with ledger.opened(where, [now], CLOCK):
        pass
    with ledger.opened(where, SENDERS, CLOCK) as opened:
        opened.note(ENTRY, again=False)
    with pytest.raises(ConfigError, match=what), ledger.opened(where, [now], CLOCK):
        pass
    with pytest.raises(ConfigError, match=what):
        ledger.make(where, [now], CLOCK)
    # A stream that wrote nobody may still change.
    with ledger.opened(where, [SENDERS[0], Sender("others", "new:", "comeet")], CLOCK):
        pass


def test_the_key_of_a_ledger_that_is_there_stays(where: Where) -> None:
    with ledger.opened(where, SENDERS, CLOCK) as opened:
        before = opened.hashes({"a": 1})
    ledger.make(where, SENDERS, CLOCK)
    with ledger.opened(where, SENDERS, CLOCK) as opened:
        assert opened.hashes({"a": 1}) == before


def test_a_bad_url_is_told_without_its_password() -> None:
    where = Where(path=None, url="postgresql://user:hunter2@127.0.0.1:1/none")
    for go in (
        lambda: ledger.make(where, SENDERS, CLOCK),
        lambda: ledger.opened(where, SENDERS, CLOCK).__enter__(),
    ):
        with pytest.raises(Exception, match="ledger") as caught:
            go()
        assert "hunter2" not in f"{caught.value!r} {caught.value}"
