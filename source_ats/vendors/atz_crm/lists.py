"""The streams `atz_candidates` and `atz_deals`: the objects of a list of ATZ CRM.

No list can be filtered by time, so each sync reads all pages and emits what is new or changed by
its own `updated_at`. An object without one is emitted every time.

An object that slips to another page while the list is read has not changed, so no later sync would
bring it. So the list is read forwards, then backwards, and the second reading emits what is seen
for the first time: 2 x pages requests, and one that finds no page after the last one. The state
says which page is done in which direction. A resumed run does not know what earlier ones have
emitted: reading backwards it repeats rows, but no request.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

import msgspec
from msgspec.structs import replace

from source_ats.errors import RetryableError
from source_ats.http.client import Client
from source_ats.sync.left_out import LeftOutRows
from source_ats.sync.state import Timestamp, parse_state, reject_future_state
from source_ats.sync.stream import Page, State
from source_ats.vendors.atz_crm import requests
from source_ats.vendors.atz_crm.config import AtzCrmConfig
from source_ats.vendors.atz_crm.list_reader import ListReader
from source_ats.vendors.atz_crm.listing_index import (
    CompleteListing,
    ListingIndex,
    Phase,
    SharedListing,
)
from source_ats.vendors.atz_crm.responses import ListPage


class InProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A read that began at `started_at`, in pages of `limit` objects.

    Forwards, all pages up to `page` are done; `backwards` then, all from the last one down to it.
    """

    started_at: Timestamp
    limit: int
    page: int = 0
    backwards: bool = False


class StreamState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The stream's state. Without `updated_at` no read was completed yet."""

    updated_at: Timestamp | None = None
    """When the last complete read began, less the lookback."""
    in_progress: InProgress | None = None
    set_aside: dict[str, Timestamp] = msgspec.field(default_factory=dict)
    """Objects that could not be read, by slug, and since when: emitted when they can be read."""


@dataclass(frozen=True, slots=True)
class ListContext:
    """What a stream is read with."""

    client: Client
    config: AtzCrmConfig
    stream: str
    resource: requests.Resource
    start_date: datetime | None
    lookback: timedelta
    shared_listing: SharedListing | None
    """Where a complete listing is left for another stream."""


def pages(source: ListContext, state: State, full_refresh: bool) -> Iterator[Page]:  # noqa: FBT001 - the signature of Stream.pages
    """Yield a page for each page of the list, also if nothing in it is new."""
    # A full refresh that is resumed has no bookmark, so everything is new to it.
    del full_refresh
    saved = parse_state(state, StreamState, source.stream)
    at = saved.in_progress
    reader = ListReader(
        source.config,
        source.client,
        source.resource,
        with_records=True,
        kept_limit=at.limit if at else None,
    )
    first_page = reader.first_page()
    reject_future_state(
        source.stream, [saved.updated_at, at.started_at if at else None], first_page.sent_at
    )
    if at is not None and at.page and at.limit == reader.limit:
        resumed = _read(source, saved, reader, first_page, at)
        try:
            yield next(resumed)
        except RetryableError as error:
            reader.shrink(error)
            first_page = reader.first_page()
        else:
            yield from resumed
            return
    at = InProgress(first_page.sent_at.replace(microsecond=0), reader.limit)
    yield from _read(source, saved, reader, first_page, at)


def _read(
    source: ListContext,
    saved: StreamState,
    reader: ListReader,
    first_page: ListPage,
    at: InProgress,
) -> Iterator[Page]:
    """Yield the pages from where a read has come on."""
    is_complete = at.page == 0
    index = ListingIndex()
    left_out = LeftOutRows[StreamState](source.stream, saved.set_aside, source.client.now)
    since = max((time for time in (saved.updated_at, source.start_date) if time), default=None)
    reached = StreamState(saved.updated_at, saved.in_progress)

    def result(page: ListPage) -> Page:
        """Return what is new in a page of the list, and the state after it."""
        nonlocal reached
        records = [
            each.record
            for each in index.add(page, Phase.FIRST_LISTING)
            if left_out.release(each.slug)
            or since is None
            or each.updated_at is None
            or each.updated_at >= since
        ]
        after = StreamState(saved.updated_at, at)
        reached = left_out.state_after(page.left_out, page.where, reached, after)
        return Page(records, {**msgspec.to_builtins(reached), **left_out.as_state()})

    if not at.backwards:
        resumed_at = None if at.page > 1 else first_page
        following = reader.pages_after(at.page or 1, resumed_at, index)
        for page in chain([first_page] if is_complete else [], following):
            at = replace(at, page=at.page + 1)
            yield result(page)
        at = replace(at, page=at.page + 1, backwards=True)
        yield result(ListPage([], first_page.sent_at, first_page.where))
    for page in reader.pages_before(at.page):
        at = replace(at, page=at.page - 1)
        yield result(page)
    # A resumed read has not seen the pages before the one where it began.
    if is_complete:
        left_out.release_unlisted(lambda slug: slug in index)
    if is_complete and source.shared_listing is not None and left_out.is_empty:
        source.shared_listing.listing = CompleteListing(index, at.started_at)
    updated_at = at.started_at - source.lookback
    finished = StreamState(max(updated_at, saved.updated_at or updated_at))
    reached = left_out.state_after([], "", reached, finished)
    yield Page([], {**msgspec.to_builtins(reached), **left_out.as_state()})
