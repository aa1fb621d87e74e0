"""A ledger entry and the streams that write it, for tests of the ledger."""

from __future__ import annotations

from pathlib import Path

from destination_comeet import ledger
from destination_comeet.config import LedgerSettings, PostgresLedger, SqliteLedger
from destination_comeet.ledger import Entry, KeyStatus, StreamKeys
from source_ats.clock import SystemClock
from unit_tests.fakes import NOON

CLOCK = SystemClock()

BY_ID = {"primary_key": [["id"]]}
STREAMS = [
    StreamKeys("people", "people:", "comeet", BY_ID, {"": "4A.1C2"}),
    StreamKeys("others", "others:", "custom", BY_ID, {}),
]

ENTRY = Entry(
    position="4A.1C2",
    key="people:1",
    stream="people",
    status=KeyStatus.SENDING,
    noted_at=NOON,
    hashes={"email": "x"},
)


def sqlite(path: Path) -> SqliteLedger:
    """Return the settings of a ledger in a file."""
    return SqliteLedger(ledger_type="sqlite", path=str(path))


def postgres_ledger(url: str) -> PostgresLedger:
    """Return the settings of a ledger in a database."""
    return PostgresLedger(ledger_type="postgres", url=url)


def make(settings: LedgerSettings) -> None:
    """Make a ledger while Comeet is empty."""
    ledger.make(settings, CLOCK, ledger.NewLedger(NOON, None, shows_candidates=True))
