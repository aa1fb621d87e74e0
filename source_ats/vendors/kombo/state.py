"""The state of Kombo's streams."""

from __future__ import annotations

import msgspec

from source_ats.sync.state import Timestamp


class InProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A read that resumes at `cursor`, the vendor's page cursor, received at `kept_at`."""

    started_at: Timestamp
    kept_at: Timestamp
    cursor: str | None = None
    """None at the beginning of a batch."""
    page_size: int | None = None
    """The size of the pages that the cursor leads through; None in a state of 0.1.0."""
    batch: int = 0
    """The number of the list that is read, where row filters make several (`RowFilters`)."""


class IntegrationState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The state of one integration. A read without `updated_after` reads everything."""

    updated_after: Timestamp | None = None
    full_read_at: Timestamp | None = None
    in_progress: InProgress | None = None
    set_aside: dict[str, Timestamp] = msgspec.field(default_factory=dict)
    """Rows that could not be read, by id, and since when."""

    def is_left_to_read(self, full_refresh: bool) -> bool:  # noqa: FBT001 - as in Stream.pages
        """Return False if this full refresh has read the integration to its end."""
        return not full_refresh or self.full_read_at is None or self.in_progress is not None

    def timestamps(self) -> list[Timestamp | None]:
        """Return all times in this state."""
        progress = self.in_progress
        return [
            self.updated_after,
            self.full_read_at,
            *((progress.started_at, progress.kept_at) if progress else ()),
        ]


class StreamState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The state of a stream, without what the reader adds."""

    integrations: dict[str, IntegrationState] = msgspec.field(default_factory=dict)
