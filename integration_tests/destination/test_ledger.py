"""The ledger on SQLite and on PostgreSQL: one set of tests for both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from destination_comeet import ledger
from destination_comeet.ledger import LedgerInUse, Sender, Standing, Where
from integration_tests.support.postgres import Postgres
from source_ats.errors import ConfigError
from unit_tests.destination_comeet.samples import CLOCK, ENTRY, NOON, SENDERS


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Where:
    """A new ledger of each kind."""
    if request.param == "sqlite":
        place = Where(path=tmp_path / "ledger.db", url=None)
    else:
        server: Postgres = request.getfixturevalue("postgres")
        place = Where(path=None, url=server.fresh())
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


def test_a_second_writer_is_turned_away_and_the_next_let_in(where: Where) -> None:
    with ledger.opened(where, SENDERS, CLOCK) as first:
        with pytest.raises(LedgerInUse), ledger.opened(where, SENDERS, CLOCK):
            pass
        assert "at this moment" in ledger.make(where, SENDERS, CLOCK)
        first.note(ENTRY, again=False)
    with ledger.opened(where, SENDERS, CLOCK) as opened:
        assert opened.find("4A.1C2", "people:1") == ENTRY


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
