"""Page and Stream: what a vendor package gives to the reader."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from source_ats.decoding import Change, clean_rows

State = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """The common settings that every stream is read with."""

    start_date: datetime | None
    """Nothing that changed before is read."""
    lookback: timedelta
    """Each incremental run begins this much before its bookmark."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a read is, where a total is known: children done, of how many."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Page:
    """Records, and the state that is true once they are printed.

    Each record is a JSON object, encoded, on one line. `state` is all that a later run needs to
    resume after exactly this page.
    """

    records: Sequence[bytes]
    state: State
    progress: Progress | None = None
    changes: Mapping[int, Sequence[Change]] = field(default_factory=dict)
    """What was changed in a record so that warehouses accept it, by its number in `records`."""


Partition = Mapping[str, Any]
"""A part of a stream, as JSON: all that one reader needs to know to read it."""


EVERYTHING = sys.maxsize
"""As many partitions as there are: the stream is read once, as a table."""


@dataclass(frozen=True, slots=True)
class Partitioning:
    """How a stream is read by several readers that know nothing of each other.

    What a batch of partitions covers is decided before any of it is read. So a state here is a
    plan: it is true once all partitions up to it were read.
    """

    plan: Callable[[State, int], State]
    """`plan(state, most)`: the state after the next batch, of about `most` partitions where the
    vendor package can choose; the same state when nothing is due. With `in_progress`, more is
    left. With `EVERYTHING`, what cannot be read for now is an error: no later batch brings it."""
    split: Callable[[State, State, int], Sequence[Partition]]
    """`split(before, after, most)`: the partitions of that batch. Sends nothing: always the
    same."""
    pages: Callable[[Partition], Iterator[Page]]
    """The pages of a partition, each time from its beginning. `set_aside` in the state of a page
    names the children that could not be read."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as its vendor package declares it."""

    name: str
    schema: Mapping[str, Any]
    primary_key: str
    cursor_field: str
    selection: Mapping[str, object]
    """The settings that choose rows. When they change, the stream is read from the start."""
    pages: Callable[[State, bool], Iterator[Page]]
    """`pages(state, full_refresh)`: the pages after that state. In a full refresh, what the state
    marks as finished is not read again."""
    partitioning: Partitioning | None = None
    """None: it is read as one."""
    needed: Sequence[str] = ()
    """Columns that privacy settings cannot change, besides key and cursor: with these rows are
    told apart and deletions are seen."""
    copies: Sequence[Sequence[tuple[str, ...]]] = ()
    """Groups of paths at which the connector itself shows the same value."""
    protect: Callable[[Page], Page] | None = None
    """What the privacy settings do to a page; None: nothing."""

    def read(self, state: State, *, full_refresh: bool) -> Iterator[Page]:
        """Yield the pages after a state, their records as warehouses accept them.

        Privacy settings are applied.
        """
        return map(self._finished, self.pages(state, full_refresh))

    def read_partition(self, partition: Partition) -> Iterator[Page]:
        """Yield the pages of a partition like `read`. For a stream with a partitioning."""
        if self.partitioning is None:
            raise ValueError(f"The stream {self.name} has no partitions.")
        return map(self._finished, self.partitioning.pages(partition))

    def _finished(self, page: Page) -> Page:
        records, changes = clean_rows(page.records, self.schema)
        if records is not page.records:
            page = replace(page, records=records, changes=changes)
        return page if self.protect is None else self.protect(page)


def catalog_entry(stream: Stream) -> dict[str, Any]:
    """Return the stream as `discover` shows it."""
    return {
        "name": stream.name,
        "json_schema": stream.schema,
        "supported_sync_modes": ["full_refresh", "incremental"],
        "source_defined_cursor": True,
        "default_cursor_field": [stream.cursor_field],
        "source_defined_primary_key": [[stream.primary_key]],
        "is_resumable": True,
    }
