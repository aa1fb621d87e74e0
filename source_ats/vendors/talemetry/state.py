"""The state of the stream `profiles`."""

from __future__ import annotations

from typing import Literal

import msgspec

from source_ats.sync.state import Timestamp

Event = Literal["all", "created", "updated", "deleted"]
TRACKED_EVENTS: tuple[Event, ...] = ("updated", "deleted")
"""Listed only while the feature `track_candidate_last_changes` is on."""


class InProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A window that is being read: the listing of `event` continues at `cursor`.

    Earlier events of the window are done.
    """

    start: Timestamp | None = msgspec.field(name="from")
    """None while everybody is listed."""
    to: Timestamp
    event: Event
    cursor: str | None
    kept_at: Timestamp
    """When the vendor gave the cursor."""
    page_size: int | None = None
    """GUIDs on a page of this read. None in states of 0.1.0: as configured."""


class Position(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How far the stream was read."""

    listed_until: Timestamp | None = None
    """The bookmark: the end of the last window that was read completely."""
    in_progress: InProgress | None = None

    def timestamps(self) -> list[Timestamp | None]:
        """Return every time that the state holds."""
        current = self.in_progress
        return [self.listed_until, *((current.to, current.kept_at) if current else ())]


class ProfilesState(Position, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The state without what the reader keeps next to it."""

    set_aside: dict[str, Timestamp] = msgspec.field(default_factory=dict)
    events_seen: tuple[Event, ...] = ()
    """Which of `updated` and `deleted` were listed at least once, sorted: if the vendor refuses one
    of them now, that is a failure and not a feature that was never switched on."""
