"""What can be lived through: each stream, and the write path."""

from __future__ import annotations

from pathlib import Path

from tools.chaos.reading import STREAMS, read
from tools.chaos.writing import write

WRITE = "write"
KINDS = (*STREAMS, WRITE)


def live_through(kind: str, seed: int, folder: Path) -> int:
    """Run one seed and return how many runs were cut.

    Raises `AssertionError` if anything of the chaos shows in the end.
    """
    return write(seed, folder) if kind == WRITE else read(kind, seed, folder)
