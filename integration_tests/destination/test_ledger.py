"""The ledger on SQLite and on PostgreSQL: one set of tests for both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from destination_comeet import ledger
from destination_comeet.config import LedgerSettings
from destination_comeet.ledger import KeyStatus, StreamKeys
from integration_tests.support.postgres import Postgres
from source_ats.errors import ConfigError, LedgerInUse
from unit_tests.destination_comeet.samples import (
    BY_ID,
    CLOCK,
    ENTRY,
    STREAMS,
    make,
    postgres_ledger,
    sqlite,
)
from unit_tests.fakes import NOON


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> LedgerSettings:
    """A new ledger of each kind."""
    place: LedgerSettings
    if request.param == "sqlite":
        place = sqlite(tmp_path / "ledger.db")
    else:
        server: Postgres = request.getfixturevalue("postgres")
        place = postgres_ledger(server.fresh())
    make(place)
    return place


def test_an_entry_through_its_life(where: LedgerSettings) -> None:
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        assert opened.find("4A.1C2", "people:1") is None
        opened.note_post(ENTRY)
        assert opened.find("4A.1C2", "people:1") == ENTRY
        there = replace(ENTRY, status=KeyStatus.THERE, uid="B3.07F")
        opened.save(there, NOON)
        assert opened.find("4A.1C2", "people:1") == there
        assert opened.knows("B3.07F")
        assert not opened.knows("B3.080")
        assert opened.find("other", "people:1") is None
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        assert opened.find("4A.1C2", "people:1") == there
        again = replace(ENTRY, hashes={"email": "y"})
        opened.note_post(again)
        assert opened.find("4A.1C2", "people:1") == again
        opened.withdraw(again)
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        assert opened.find("4A.1C2", "people:1") is None


def test_what_is_closed_survives_an_error_in_the_run(where: LedgerSettings) -> None:
    def cut_off() -> None:
        with ledger.opened(where, STREAMS, CLOCK) as opened:
            opened.note_post(ENTRY)
            opened.save(replace(ENTRY, status=KeyStatus.GONE), NOON)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        cut_off()
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        found = opened.find("4A.1C2", "people:1")
        assert found is not None
        assert found.status is KeyStatus.GONE


def test_a_second_writer_is_turned_away_and_the_next_let_in(where: LedgerSettings) -> None:
    with ledger.opened(where, STREAMS, CLOCK) as first:
        with pytest.raises(LedgerInUse), ledger.opened(where, STREAMS, CLOCK):
            pass
        with pytest.raises(LedgerInUse):
            make(where)
        first.note_post(ENTRY)
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        assert opened.find("4A.1C2", "people:1") == ENTRY


@pytest.mark.parametrize(
    ("now", "what"),
    [
        (StreamKeys("people", "p:", "comeet", BY_ID, {}), "partner_id_prefix was people: "),
        (StreamKeys("people", "", "comeet", BY_ID, {}), "is none .verbatim_partner_id. now"),
        (StreamKeys("people", "people:", "custom", BY_ID, {}), "mapping was comeet "),
        (StreamKeys("people", "people:", "comeet", {"primary_key": [["x"]]}, {}), "primary key"),
    ],
)
def test_another_recipe_of_the_key_is_rejected(
    where: LedgerSettings, now: StreamKeys, what: str
) -> None:
    # Until somebody was written, everything may change.
    with ledger.opened(where, [now], CLOCK):
        pass
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        opened.note_post(ENTRY)
    with pytest.raises(ConfigError, match=what), ledger.opened(where, [now], CLOCK):
        pass
    with (
        pytest.raises(ConfigError, match=what),
        ledger.opened(where, [now], CLOCK, to_write=False),
    ):
        pass
    # A stream that wrote nobody may still change.
    with ledger.opened(
        where, [STREAMS[0], StreamKeys("others", "new:", "comeet", BY_ID, {})], CLOCK
    ):
        pass


def test_the_key_of_a_ledger_that_is_there_stays(where: LedgerSettings) -> None:
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        before = opened.hashes({"a": 1})
    make(where)
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        assert opened.hashes({"a": 1}) == before
