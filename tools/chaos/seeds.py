"""What can be lived through: each stream, and the write path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from integration_tests.support import postgres
from integration_tests.support.postgres import Postgres
from tools.chaos import reading
from tools.chaos.streams import OTHER_STREAMS, STREAMS
from tools.chaos.writing import write

WRITE = "write"
WRITE_POSTGRES = "write_postgres"
KINDS = (*STREAMS, WRITE, WRITE_POSTGRES)
"""What is run unless something else is asked for."""
ALL_KINDS = (*KINDS, *OTHER_STREAMS)


@contextmanager
def server_for(kind: str) -> Iterator[Postgres | None]:
    """Start the PostgreSQL server that a kind needs, for all its seeds; None: it needs none.

    Raises `NoServer` if there is none to start.
    """
    if kind == WRITE_POSTGRES:
        with postgres.running() as server:
            yield server
    else:
        yield None


def live_through(kind: str, seed: int, folder: Path, server: Postgres | None) -> int:
    """Run one seed and return how many runs were cut.

    Raises `AssertionError` if anything of the chaos shows in the end.
    """
    if kind in {WRITE, WRITE_POSTGRES}:
        return write(seed, folder, server)
    return reading.live_through(kind, {**STREAMS, **OTHER_STREAMS}[kind], seed, folder)
