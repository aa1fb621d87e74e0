"""What can be lived through: each stream, and the write path."""

from __future__ import annotations

from pathlib import Path

from integration_tests.support import postgres
from tools.chaos import reading
from tools.chaos.streams import OTHER_STREAMS, STREAMS
from tools.chaos.writing import write

WRITE = "write"
WRITE_POSTGRES = "write_postgres"
KINDS = (*STREAMS, WRITE, WRITE_POSTGRES)
"""What is run unless something else is asked for."""
ALL_KINDS = (*KINDS, *OTHER_STREAMS)


def live_through(kind: str, seed: int, folder: Path) -> int:
    """Run one seed and return how many runs were cut.

    Raises `AssertionError` if anything of the chaos shows in the end, and `NoServer` if there is
    no PostgreSQL for the ledger.
    """
    if kind == WRITE:
        return write(seed, folder)
    if kind == WRITE_POSTGRES:
        with postgres.running() as server:
            return write(seed, folder, server)
    return reading.live_through(kind, {**STREAMS, **OTHER_STREAMS}[kind], seed, folder)
