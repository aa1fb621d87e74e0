"""What can be lived through: each stream, and the write path."""

from __future__ import annotations

from pathlib import Path

from tools.chaos import reading
from tools.chaos.streams import OTHER_STREAMS, STREAMS
from tools.chaos.writing import write

WRITE = "write"
KINDS = (*STREAMS, WRITE)
"""What is run unless something else is asked for."""
ALL_KINDS = (*KINDS, *OTHER_STREAMS)


def live_through(kind: str, seed: int, folder: Path) -> int:
    """Run one seed and return how many runs were cut.

    Raises `AssertionError` if anything of the chaos shows in the end.
    """
    if kind == WRITE:
        return write(seed, folder)
    return reading.live_through(kind, {**STREAMS, **OTHER_STREAMS}[kind], seed, folder)
