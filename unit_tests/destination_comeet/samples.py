"""A ledger entry and the streams that write it, for tests of the ledger."""

from __future__ import annotations

from datetime import UTC, datetime

from destination_comeet.ledger import Entry, Sender, Standing
from source_ats.clock import SystemClock

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
