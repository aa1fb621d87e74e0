"""The listing index: the objects that a list has shown, on disk, in the order of their slugs."""

from __future__ import annotations

import enum
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from source_ats.sync.temporary_index import TemporaryIndex
from source_ats.vendors.atz_crm.responses import ListedObject, ListPage


@dataclass(frozen=True, slots=True)
class SlugPartition:
    """One of `of` equal partitions of all slugs. A slug is always in the same one."""

    number: int
    of: int

    def __contains__(self, slug: str) -> bool:
        """Return True if this partition holds the slug."""
        return zlib.crc32(slug.encode()) % self.of == self.number


EVERY_SLUG = SlugPartition(0, 1)


class Phase(enum.IntEnum):
    """The phase of a pass in which a candidate's history is requested."""

    SET_ASIDE = 0
    """Candidates that earlier runs have set aside."""
    FIRST_LISTING = 1
    """Candidates that the list showed when the pass began."""
    SECOND_LISTING = 2
    """Candidates that only the second reading of the list showed."""
    OTHER_PARTITION = 3
    """Candidates that other readers request."""


class ListingIndex:
    """Listed objects, each once: slug, id and `updated_at`. For one thread at a time."""

    def __init__(self, partition: SlugPartition = EVERY_SLUG) -> None:
        """Begin empty."""
        self._partition = partition
        self._index = TemporaryIndex(
            "CREATE TABLE listed (slug TEXT PRIMARY KEY, id TEXT, updated_at REAL, phase INTEGER) "
            "WITHOUT ROWID;"
        )
        self._count = 0
        self.is_complete = True
        """False: the list has shown an object without a readable slug."""

    def __enter__(self) -> Self:
        """Use it in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove it from the disk."""
        self._index.close()

    def clear(self) -> None:
        """Remove all objects."""
        with self._index.transaction():
            self._index.execute("DELETE FROM listed")
        self._count = 0
        self.is_complete = True

    def add(self, page: ListPage, phase: Phase) -> list[ListedObject]:
        """Add the objects of a page that are not there yet; return those of this partition."""
        with self._index.transaction():
            added = [each for each in page.objects if self._add(each, phase)]
        self._count += len(added)
        self.is_complete = self.is_complete and None not in page.left_out
        return [each for each in added if each.slug in self._partition]

    def _add(self, listed: ListedObject, phase: Phase) -> bool:
        row = (
            listed.slug,
            listed.id,
            listed.updated_at and listed.updated_at.timestamp(),
            phase if listed.slug in self._partition else Phase.OTHER_PARTITION,
        )
        return self._index.execute("INSERT OR IGNORE INTO listed VALUES (?, ?, ?, ?)", row) == 1

    def __contains__(self, slug: str) -> bool:
        """Return True if the list has shown this object."""
        return any(self._index.rows("SELECT 1 FROM listed WHERE slug = ?", [slug]))

    def has_unknown(self, page: ListPage) -> bool:
        """Return True if a page shows an object that is not there yet."""
        return any(each.slug not in self for each in page.objects)

    def count_all(self) -> int:
        """Return how many objects the list has shown, those of other partitions included."""
        return self._count

    def move_to_set_aside(self, slug: str) -> None:
        """Move a candidate into the phase of those set aside, also if the list does not show it."""
        self._index.execute(
            "INSERT INTO listed VALUES (?, ?, NULL, ?) "
            "ON CONFLICT DO UPDATE SET phase = excluded.phase",
            [slug, b"null", Phase.SET_ASIDE],
        )

    def objects(
        self, phase: Phase, *, after: str = "", changed_since: datetime | None = None
    ) -> Iterator[ListedObject]:
        """Yield the objects of a phase in the order of their slugs, from the first after `after`.

        With `changed_since`, only those that changed then or later, or whose time is not known.
        """
        columns = "slug, id, updated_at"
        for slug, number, updated_at in self._select(columns, phase, after, changed_since):
            at = None if updated_at is None else datetime.fromtimestamp(updated_at, UTC)
            yield ListedObject(slug, number, at)

    def count(self, phase: Phase, *, after: str = "", changed_since: datetime | None = None) -> int:
        """Return how many objects `objects` would yield."""
        ((count,),) = self._select("count(*)", phase, after, changed_since)
        return int(count)

    def _select(
        self, columns: str, phase: Phase, after: str, changed_since: datetime | None
    ) -> Iterator[tuple[Any, ...]]:
        since = changed_since and changed_since.timestamp()
        return self._index.rows(
            f"SELECT {columns} FROM listed WHERE phase = ? AND slug > ? "  # noqa: S608 - our own words
            "AND (? IS NULL OR updated_at IS NULL OR updated_at >= ?) ORDER BY slug",
            [phase, after, since, since],
        )


@dataclass(frozen=True, slots=True)
class CompleteListing:
    """All candidates, listed forwards and backwards; `began_at` is when that began."""

    index: ListingIndex
    began_at: datetime


@dataclass(slots=True)
class SharedListing:
    """A complete listing that one stream leaves for another one in the same run."""

    listing: CompleteListing | None = None

    def take(self) -> CompleteListing | None:
        """Return the listing, to one stream only."""
        listing, self.listing = self.listing, None
        return listing
