"""Lines of standard input, as they come."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from destination_comeet.message_scanner import Scanner
from source_ats.errors import Stopped

CHUNK = 1 << 20
LONGEST_LINE = 64 << 20
"""Bytes. Far more than a candidate with files: a longer line holds no record that can be sent."""
LONGEST_SCAN = 1 << 30
"""Bytes of a longer line that are read to find out which stream it belongs to."""
_TICK = 0.25


@dataclass(frozen=True, slots=True)
class LongLine:
    """A line that is too long to be kept."""

    stream: str | None
    """The stream of a complete RECORD; None for any other line."""


Line = bytes | LongLine


def lines_at_hand(descriptor: int, stop: threading.Event) -> Iterator[Sequence[Line]]:
    """Yield the lines of a file or pipe, as many at once as are there without waiting.

    Raises `Stopped` when the run was asked to end.
    """
    return split_lines(_chunks(descriptor, stop))


def split_lines(chunks: Iterable[bytes]) -> Iterator[Sequence[Line]]:
    """Yield the lines that each chunk completes. A line beyond `LONGEST_SCAN` is the last one."""
    line = _BegunLine()
    for chunk in chunks:
        end, line_break, rest = chunk.partition(b"\n")
        line.add(end)
        if line.length > LONGEST_SCAN:
            break
        if not line_break:
            continue
        lines = [line.complete()]
        whole, line_break, begun = rest.rpartition(b"\n")
        if line_break:
            lines += whole.split(b"\n")
        line = _BegunLine()
        line.add(begun)
        # The chunk is not kept while its lines, which may be large, are worked on.
        del chunk, end, rest, whole, begun
        yield lines
    if line.length:
        yield [line.complete()]


class _BegunLine:
    """A line of which not all has come yet."""

    def __init__(self) -> None:
        self.length = 0
        self._parts: list[bytes] = []
        self._scanner: Scanner | None = None

    def add(self, part: bytes) -> None:
        self.length += len(part)
        if self._scanner is not None:
            self._scanner.read(part)
            return
        self._parts.append(part)
        if self.length > LONGEST_LINE:
            self._scanner = Scanner()
            for each in self._parts:
                self._scanner.read(each)
            self._parts = []

    def complete(self) -> Line:
        if self._scanner is None:
            return b"".join(self._parts)
        if self._scanner.is_complete and self._scanner.text("type") == "RECORD":
            return LongLine(self._scanner.text("record", "stream"))
        return LongLine(None)


def _chunks(descriptor: int, stop: threading.Event) -> Iterator[bytes]:
    while chunk := _next_chunk(descriptor, stop):
        yield chunk


def _next_chunk(descriptor: int, stop: threading.Event) -> bytes:
    while not stop.is_set():
        if select.select([descriptor], [], [], _TICK)[0]:
            return os.read(descriptor, CHUNK)
    raise Stopped
