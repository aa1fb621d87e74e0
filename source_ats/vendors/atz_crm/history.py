"""The stream `candidate_history`: the history of each candidate, one request for each.

No request tells what changed, so a pass requests every candidate's history. It lists all
candidates, requests their histories in the order of their slugs, and lists them once more for those
that slipped between two pages meanwhile. That makes 2 x (pages + 1) + candidates requests, evenly
paced, for hours. The state holds the slug up to which a pass is done, so that it can be cut
anywhere and be resumed. `history_pass.py` has the steps of a pass.

If anything in a history is new or changed since the last pass began, all its rows are emitted.

What cannot be known: a candidate that the list of a pass did not show, where that pass was cut
before it listed once more, counts as done in the run that resumes it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from source_ats.clock import rfc3339
from source_ats.errors import RequestRefused, RetryableError
from source_ats.sync.state import parse_state, reject_future_state
from source_ats.sync.stream import Page, Partition, Partitioning, State
from source_ats.vendors.atz_crm import requests
from source_ats.vendors.atz_crm.history_pass import (
    HistoryContext,
    HistoryPass,
    StreamState,
    bookmark,
)
from source_ats.vendors.atz_crm.list_reader import ListReader
from source_ats.vendors.atz_crm.listing_index import ListingIndex, Phase, SlugPartition
from source_ats.vendors.atz_crm.responses import ListedObject, ListPage, ignore_body

log = logging.getLogger("airbyte.source_ats.atz_crm")

STREAM = "candidate_history"


def pages(source: HistoryContext, state: State, full_refresh: bool) -> Iterator[Page]:  # noqa: FBT001 - the signature of Stream.pages
    """Yield a page for each candidate whose history was requested, also if no row of it is new.

    The first page of the list is requested in any case, by this stream or by another one: its
    response tells the vendor's time, which decides whether another pass is due.
    """
    # A full refresh that is resumed has no bookmark, so everything is new to it.
    del full_refresh
    saved = parse_state(state, StreamState, STREAM)
    if source.config.candidate_slugs:
        yield from _chosen_pages(source, saved)
        return
    shared = source.shared_listing.take()
    reader = ListReader(source.config, source.client, requests.CANDIDATES)
    first_page = None
    if shared is not None:
        began_at = shared.began_at
    else:
        first_page = reader.first_page()
        began_at = first_page.sent_at.replace(microsecond=0)
    reject_future_state(STREAM, saved.times(), began_at)
    if saved.in_progress is None and _is_too_early(source, saved.finished_at, began_at):
        return
    with shared.index if shared else ListingIndex(source.partition) as index:
        last = 0
        if first_page is not None:
            last = _list_all(reader, first_page, index)
        current = HistoryPass(source, saved, began_at, index, lists_again=shared is None)
        yield current.begin()
        yield from current.read_listed()
        if first_page is not None:
            _list_again(reader, last, index, current)
        yield from current.read_listed_later()
        yield from current.retry_not_found()
    yield current.finish()


def _chosen_pages(source: HistoryContext, saved: StreamState) -> Iterator[Page]:
    """Yield a page for each configured candidate. No list is requested."""
    began_at = _vendors_now(source)
    reject_future_state(STREAM, saved.times(), began_at)
    if saved.in_progress is None and _is_too_early(source, saved.finished_at, began_at):
        return
    with ListingIndex(source.partition) as index:
        chosen = [ListedObject(slug, b"null", None) for slug in source.config.candidate_slugs]
        index.add(ListPage(chosen, began_at, where=""), Phase.FIRST_LISTING)
        current = HistoryPass(source, saved, began_at, index, lists_again=False)
        yield current.begin()
        yield from current.read_listed()
        yield from current.retry_not_found()
    yield current.finish()


def _vendors_now(source: HistoryContext) -> datetime:
    """Return the vendor's time. Only a response tells it: if none has yet, one is requested."""
    client, config = source.client, source.config
    if not client.has_vendor_time:
        request = requests.history(
            requests.base_url(config.base_url), min(config.candidate_slugs), config.job_slug
        )
        with contextlib.suppress(RequestRefused):
            client.send(request, ignore_body)
    return client.now().replace(microsecond=0)


def partitioning(source: HistoryContext) -> Partitioning:
    """Return how the stream is read by several readers: each one reads a partition of all slugs."""
    return Partitioning(
        plan=partial(_plan_batch, source),
        split=_split_batch,
        pages=partial(_partition_pages, source),
    )


def _plan_batch(source: HistoryContext, state: State, most: int) -> State:
    """Return the state after a pass that begins now; the same state if no pass is due."""
    del most
    saved = parse_state(state, StreamState, STREAM)
    if source.config.candidate_slugs:
        now = _vendors_now(source)
    else:
        reader = ListReader(source.config, source.client, requests.CANDIDATES)
        now = reader.first_page().sent_at.replace(microsecond=0)
    if _is_too_early(source, saved.finished_at, now):
        return state
    return bookmark(saved.after_pass_at(now, source.lookback), now)


def _split_batch(before: State, after: State, most: int) -> list[Partition]:
    """Return `most` partitions of the candidates.

    They are made of slugs, not of pages of the list: pages shift while they are read, and a
    candidate that slipped from one reader's pages into another's would be missed. So each reader
    lists all candidates.
    """
    del after
    since = bookmark(parse_state(before, StreamState, STREAM).updated_at, None)
    return [{**since, "number": number, "of": most} for number in range(most)]


def _partition_pages(source: HistoryContext, partition: Partition) -> Iterator[Page]:
    """Yield the pages of one pass over a partition of the candidates."""
    state = {name: partition[name] for name in partition if name == "updated_at"}
    slugs = SlugPartition(partition["number"], partition["of"])
    yield from pages(replace(source, partition=slugs), state, full_refresh=False)


def _list_all(reader: ListReader, first_page: ListPage, index: ListingIndex) -> int:
    """Read the list to its end, and return the number of the last page.

    No state keeps a page of this list. So where one keeps failing, the list is read again in
    smaller pages at once.
    """
    while True:
        index.add(first_page, Phase.FIRST_LISTING)
        last = 1
        try:
            for page in reader.pages_after(1, first_page, index):
                index.add(page, Phase.FIRST_LISTING)
                last += 1
        except RetryableError as error:
            reader.shrink(error)
            index.clear()
            first_page = reader.first_page()
        else:
            return last


def _list_again(reader: ListReader, last: int, index: ListingIndex, current: HistoryPass) -> None:
    """Read the list once more, backwards from the page that was the last, then what follows it."""
    last_page = None
    for page in reader.pages_before(last + 1):
        last_page = last_page or page
        current.add_second_listing(page)
    for page in reader.pages_after(last, last_page, index):
        current.add_second_listing(page)


def _is_too_early(source: HistoryContext, finished_at: datetime | None, now: datetime) -> bool:
    """Return True if the last pass ended too recently for another one, by the vendor's clock."""
    hours = source.config.min_hours_between_passes
    # By whole seconds and the time a request took, a pass may seem to end a moment after `now`.
    if finished_at is None or not hours or now - finished_at >= timedelta(hours=hours):
        return False
    log.info(
        "%s: the last pass ended at %s, less than %g hours ago (atz_crm.min_hours_between_passes). "
        "Nothing is read.",
        STREAM,
        rfc3339(finished_at),
        hours,
    )
    return True
