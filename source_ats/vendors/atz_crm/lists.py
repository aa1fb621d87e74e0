"""The streams `atz_candidates` and `atz_deals`: what a list of the vendor's holds.

No list takes a filter by time, so each sync reads all of its pages and lets out what is new or
changed by its own `updated_at`. An object without one comes every time.

The pages shift while they are read, and what slips through would not come later, since it has not
changed. So the list is read forwards, then backwards, which lets out what is seen for the first
time: 2 x pages calls. The state says which page is done in which direction. A run that goes on does
not know what earlier ones have let out: reading backwards it repeats rows, but no call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

import msgspec
from msgspec.structs import replace

from source_ats.clock import rfc3339
from source_ats.http.client import Client
from source_ats.sync.concurrency import map_ordered
from source_ats.sync.state import Timestamp, parse_state, reject_future_state
from source_ats.sync.stream import Page, State
from source_ats.vendors.atz_crm import requests
from source_ats.vendors.atz_crm.config import AtzCrmConfig
from source_ats.vendors.atz_crm.listing import Handover, Lister, ListFile, Part, WholeList
from source_ats.vendors.atz_crm.responses import ListPage


class InProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A reading that began at `started_at`, of pages that were asked to have `limit` objects.

    Forwards, all pages up to `page` are done; `backwards` then, all from the last one down to it.
    """

    started_at: Timestamp
    limit: int
    page: int = 0
    backwards: bool = False


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The stream's state. Without `updated_at` no reading was finished yet."""

    updated_at: Timestamp | None = None
    """When the last finished reading began, less the lookback."""
    in_progress: InProgress | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """All that stays the same while a stream is read."""

    client: Client
    section: AtzCrmConfig
    stream: str
    resource: requests.Resource
    start_date: datetime | None
    lookback: timedelta
    handover: Handover | None
    """Where to leave what was listed, for another stream."""


def pages(reading: Reading, state: State, full_refresh: bool) -> Iterator[Page]:  # noqa: FBT001 - the signature of Stream.pages
    """Yield a page for each page of the list, also if nothing in it is new."""
    # A full refresh that goes on has no bookmark, so that everything is new to it.
    del full_refresh
    kept = parse_state(state, Entry, reading.stream)
    lister = Lister(reading.section, reading.client, reading.resource, whole=True)
    first_page = lister.first_page()
    at = kept.in_progress
    reject_future_state(
        reading.stream,
        [kept.updated_at, at.started_at if at else None],
        first_page.sent_at,
    )
    if at is None or at.limit != lister.limit:
        at = InProgress(first_page.sent_at.replace(microsecond=0), lister.limit)
    whole = at.page == 0
    here = _Run(
        bookmark=kept.updated_at,
        since=max((at for at in (kept.updated_at, reading.start_date) if at), default=None),
        listed=ListFile(),
    )
    if not at.backwards:
        unread = lister.pages_after(at.page or 1, first_page)
        for page in chain([first_page] if whole else [], unread):
            at = replace(at, page=at.page + 1)
            if not lister.is_full(page):
                # An empty page after the last is not asked for again.
                at = replace(at, page=at.page + (1 if page.objects else 0), backwards=True)
            yield here.page(page, at)
    before = range(at.page - 1, 0, -1)
    # A page may be 100 whole objects, so not many wait for their turn.
    at_once = reading.section.concurrent_requests
    for page in map_ordered(lister.page, before, at_once, ahead=2):
        at = replace(at, page=at.page - 1)
        yield here.page(page, at)
    if whole and reading.handover is not None:
        reading.handover.whole = WholeList(here.listed, at.started_at)
    yield Page([], {"updated_at": rfc3339(at.started_at - reading.lookback)})


@dataclass(frozen=True, slots=True)
class _Run:
    """What this run goes by, and which objects it has seen."""

    bookmark: datetime | None
    since: datetime | None
    listed: ListFile

    def page(self, page: ListPage, at: InProgress) -> Page:
        """Return what is new in a page of the list, and the state after it."""
        records = [
            each.record
            for each in self.listed.add(page, Part.WALK)
            if self.since is None or each.updated_at is None or each.updated_at >= self.since
        ]
        return Page(records, msgspec.to_builtins(Entry(self.bookmark, at)))
