"""Lines of standard input, as they come."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator, Sequence

from source_ats.errors import ConfigError, Stopped

CHUNK = 1 << 20
LONGEST_LINE = 64 << 20
"""Bytes. Far more than a candidate with files; what is longer still is no record to be sent."""
_TICK = 0.25


def lines_at_hand(descriptor: int, stop: threading.Event) -> Iterator[Sequence[bytes]]:
    """Yield the lines of a file or pipe, as many at once as are there without waiting.

    Raises `Stopped` when the run was asked to end, and `ConfigError` for a line without end.
    """
    rest: list[bytes] = []
    length = 0
    while chunk := _next_chunk(descriptor, stop):
        whole, line_break, begun = chunk.rpartition(b"\n")
        if line_break:
            lines = b"".join([*rest, whole]).split(b"\n")
            rest, length = [begun], len(begun)
            # The chunk is not kept while its lines, which may be large, are worked on.
            del chunk, whole
            yield lines
        else:
            rest.append(chunk)
            length += len(chunk)
        if length > LONGEST_LINE:
            message = (
                f"A line of standard input is longer than {LONGEST_LINE >> 20} MB, which no record "
                "that can be sent is. What came before it is done."
            )
            raise ConfigError(message)
    if any(rest):
        yield [b"".join(rest)]


def _next_chunk(descriptor: int, stop: threading.Event) -> bytes:
    while not stop.is_set():
        if select.select([descriptor], [], [], _TICK)[0]:
            return os.read(descriptor, CHUNK)
    raise Stopped
