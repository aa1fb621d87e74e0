"""How one integration is read: which page follows which, and its state after each.

State follows the vendor's advice: remember when a read *began*, and ask for what changed after
that. A row also matches `updated_after` when related rows changed, while its own `changed_at`
stays. The order of rows is not documented, so the bookmark moves only after the last page; until
then the state keeps the cursor of the next page as well.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import msgspec

from source_ats.errors import (
    AtsError,
    IncompleteResponse,
    InvalidInput,
    RequestRefused,
    RetryableError,
    WrongAddress,
)
from source_ats.http.client import Client
from source_ats.http.retry import RetryPolicy
from source_ats.sync.cursors import SeenCursors
from source_ats.sync.left_out import LeftOutRows
from source_ats.sync.page_size import TWO_ATTEMPTS, FirstPage, PageSize
from source_ats.sync.state import reject_future_state
from source_ats.vendors.kombo import requests, responses
from source_ats.vendors.kombo.config import KomboConfig
from source_ats.vendors.kombo.files import CandidateFiles
from source_ats.vendors.kombo.filters import Batch, RowFilters
from source_ats.vendors.kombo.models import CANDIDATES, Model
from source_ats.vendors.kombo.state import InProgress, IntegrationState

log = logging.getLogger("airbyte.source_ats.kombo")

CURSOR_LIFETIME = timedelta(hours=24)
"""Assumed: the vendor says nothing about the lifetime of a cursor."""
BOOKMARK_LIFETIME = timedelta(days=13)
"""Kombo empties a deleted row 14 days after its deletion. Older documentation says: removes it."""


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What stays the same while a stream is read."""

    client: Client
    config: KomboConfig
    base_url: str
    model: Model
    get_integration: Callable[[str], responses.Integration]
    """Requests an integration once in a run."""
    filters: RowFilters
    start_date: datetime | None
    lookback: timedelta

    @property
    def has_files(self) -> bool:
        """Whether the rows get their files."""
        return self.model is CANDIDATES and self.config.candidate_files


def integration_pages(
    context: ReadContext,
    integration_id: str,
    state: IntegrationState,
    left_out: LeftOutRows[IntegrationState],
) -> Iterator[tuple[Sequence[bytes], IntegrationState]]:
    """Yield the rows of each page and the integration's state after it.

    If a cursor is refused, the integration is read again from its bookmark, once.
    """

    def complete(state: IntegrationState) -> IntegrationState:
        builtins = {**msgspec.to_builtins(state), "set_aside": {}, **left_out.as_state()}
        return msgspec.convert(builtins, IntegrationState)

    files = CandidateFiles(context.client, context.base_url, integration_id)

    def fetch_again(row_id: str) -> Sequence[bytes]:
        rows = _fetch_row(context, integration_id, row_id)
        return files.add_to_one(rows) if context.has_files else rows

    with_files = partial(_with_files, context, integration_id, files, left_out)
    reached = state

    def listed() -> Iterator[tuple[Sequence[bytes], IntegrationState]]:
        nonlocal reached
        size = _page_size(context, state)
        position, page, restarted = _first_page(context, integration_id, state, size)
        started_at = position.started_at or page.sent_at
        seen = SeenCursors(position.cursor)
        reached = position.state
        while True:
            cursor = None if seen.is_at_end(is_empty=page.is_empty) else page.next_cursor
            following = _position_after(context, position, cursor, started_at)
            if following is None:
                break
            position = following
            if position.cursor is None:
                seen = SeenCursors()
            else:
                seen.add(position.cursor, page.where)
            progress = InProgress(
                started_at=started_at,
                kept_at=context.client.now().replace(microsecond=0),
                cursor=position.cursor,
                page_size=size.rows,
                batch=position.batch,
            )
            after = msgspec.structs.replace(position.state, in_progress=progress)
            reached = left_out.state_after(page.left_out, page.where, reached, after)
            yield with_files(page.rows), complete(reached)
            try:
                page = _page_at(context, integration_id, position, size)
            except RequestRefused as refusal:
                if restarted or position.cursor is None:
                    raise
                restarted = True
                position = _position_after_refusal(context, integration_id, state, refusal)
                page = _page_at(context, integration_id, position, size)
                started_at = page.sent_at
                seen = SeenCursors()
                reached = position.state
        finished = finished_state(context, position.state, started_at)
        reached = left_out.state_after(page.left_out, page.where, reached, finished)
        yield with_files(page.rows), complete(reached)

    yield from left_out.with_rows_again(
        listed(), fetch_again, lambda rows: (rows, complete(reached))
    )


def left_out_rows(
    context: ReadContext, integration_id: str, state: IntegrationState
) -> LeftOutRows[IntegrationState]:
    """Return the rows of this integration that could not be read, as its state has them."""
    name = f"{context.model.stream}: Integration {integration_id}"
    return LeftOutRows(name, state.set_aside, context.client.now)


def require_model(context: ReadContext, integration_id: str) -> None:
    """Raise `NoSuchRows` if the integration says that it does not have this kind of row.

    Not requested for candidates: nearly all integrations have them, and if one has not, its list
    says so.
    """
    if context.model is CANDIDATES:
        return
    integration = context.get_integration(integration_id)
    reason = responses.model_unavailable(integration, context.model.read_model)
    if reason is not None:
        raise reason


def _with_files(
    context: ReadContext,
    integration_id: str,
    files: CandidateFiles,
    left_out: LeftOutRows[IntegrationState],
    rows: Sequence[bytes],
) -> Sequence[bytes]:
    """Return the rows of a page with their files, where these are asked for."""
    if not context.has_files:
        return rows

    def without_files(candidate_id: str, error: AtsError) -> None:
        left_out.request_next_time(candidate_id, error.detail)
        log.warning(
            "%s: Integration %s: the files of candidate %s cannot be read now, so files is null. "
            "The next run requests the candidate again. [%s]",
            context.model.stream,
            integration_id,
            candidate_id,
            error.detail,
        )

    return files.add(rows, on_success=left_out.release, on_failure=without_files)


def _page_size(context: ReadContext, state: IntegrationState) -> PageSize:
    kept = state.in_progress.page_size if state.in_progress else None
    rows = kept or context.config.page_size
    return PageSize(rows, "kombo.page_size", context.client.advice)


@dataclass(frozen=True, slots=True)
class _Position:
    """Where a read of one integration is: its bookmark, and the page to request next."""

    state: IntegrationState
    """The integration's state without progress that is no longer trusted."""
    started_at: datetime | None
    """When the read began; None before its first page."""
    cursor: str | None
    batch: int = 0


def _resume_position(context: ReadContext, state: IntegrationState, now: datetime) -> _Position:
    """Return where to resume: at the kept cursor, or from the bookmark."""
    progress = state.in_progress
    if progress is not None and now - progress.kept_at <= CURSOR_LIFETIME:
        batch = min(progress.batch, len(context.filters.batches) - 1)
        return _Position(state, progress.started_at, progress.cursor, batch)
    return bookmark_position(context, state, now)


def bookmark_position(context: ReadContext, state: IntegrationState, now: datetime) -> _Position:
    """Return the first page after the bookmark, or of everything when a full read is due."""
    bookmark = IntegrationState(state.updated_after, state.full_read_at)
    if state.updated_after is None or now - state.updated_after > BOOKMARK_LIFETIME:
        bookmark = IntegrationState()
    every = timedelta(days=context.config.full_read_every_days)
    if every and (state.full_read_at is None or now - state.full_read_at > every):
        bookmark = IntegrationState()
    return _Position(bookmark, None, None)


def _position_after(
    context: ReadContext, position: _Position, cursor: str | None, started_at: datetime
) -> _Position | None:
    """Return where the next page is: at this cursor, or in the next batch; None: nowhere."""
    if cursor is not None:
        return _Position(position.state, started_at, cursor, position.batch)
    if position.batch + 1 < len(context.filters.batches):
        return _Position(position.state, started_at, None, position.batch + 1)
    return None


def _first_page(
    context: ReadContext, integration_id: str, state: IntegrationState, size: PageSize
) -> tuple[_Position, responses.RowsPage, bool]:
    """Return the first page of this run, where it is, and whether the kept cursor was given up.

    That is the case if the cursor is refused, answers with no rows, or turns out too old by the
    vendor's clock.
    """
    position = _resume_position(context, state, context.client.now())
    restarted = False
    try:
        page = _page_at(context, integration_id, position, size)
    except RetryableError as error:
        if position.cursor is None or error.rate_limit:
            raise
        restarted = True
        position = bookmark_position(context, state, context.client.now())
        size.shrink(error, _request_of(context, integration_id, position))
        page = _page_at(context, integration_id, position, size)
    except (RequestRefused, WrongAddress) as refusal:
        if position.cursor is None:
            raise
        restarted = True
        position = _position_after_refusal(context, integration_id, state, refusal)
        page = _page_at(context, integration_id, position, size)
    reject_future_state(context.model.stream, state.timestamps(), page.sent_at)
    if not restarted:
        # Until the first response, "now" was the machine's.
        by_vendor_clock = _resume_position(context, state, page.sent_at)
        if by_vendor_clock.cursor is not None and page.is_empty:
            by_vendor_clock = bookmark_position(context, state, page.sent_at)
        if by_vendor_clock != position:
            log.info(
                "%s: Integration %s: reading again from the bookmark.",
                context.model.stream,
                integration_id,
            )
            restarted = True
            position = by_vendor_clock
            page = _page_at(context, integration_id, position, size)
    return position, page, restarted


def _position_after_refusal(
    context: ReadContext, integration_id: str, state: IntegrationState, refusal: AtsError
) -> _Position:
    log.warning(
        "%s: Integration %s: Kombo no longer accepts the cursor of the next page. Reading again "
        "from the bookmark. [%s]",
        context.model.stream,
        integration_id,
        refusal.detail,
    )
    return bookmark_position(context, state, context.client.now())


def finished_state(
    context: ReadContext, bookmark: IntegrationState, started_at: datetime
) -> IntegrationState:
    """Return the state after a complete read that began at this time, from this bookmark."""
    is_full_read = bookmark.updated_after is None
    return IntegrationState(
        updated_after=started_at - context.lookback,
        full_read_at=started_at if is_full_read else bookmark.full_read_at,
    )


def _page_at(
    context: ReadContext, integration_id: str, position: _Position, size: PageSize
) -> responses.RowsPage:
    """Return the page at a position. The first page of a list is tried with smaller sizes, too."""
    request = _request_of(context, integration_id, position)
    return size.first_page(request) if position.cursor is None else request(size.rows, None)


def _request_of(
    context: ReadContext, integration_id: str, position: _Position
) -> FirstPage[responses.RowsPage]:
    return lambda rows, retry_policy: _request_page(
        context, integration_id, position, page_size=rows, retry_policy=retry_policy
    )


def _request_page(
    context: ReadContext,
    integration_id: str,
    position: _Position,
    *,
    page_size: int,
    retry_policy: RetryPolicy | None = None,
) -> responses.RowsPage:
    """Return the page at a position; of ids in the row filters those that Kombo knows."""
    since = (position.state.updated_after, context.start_date)
    request = partial(request_rows, context, integration_id)
    send = partial(
        request,
        page_size=page_size,
        updated_after=max((each for each in since if each is not None), default=None),
        cursor=position.cursor,
        retry_policy=retry_policy,
    )
    probe = partial(request, page_size=1)
    try:
        page = context.filters.request(integration_id, position.batch, send, probe)
    except InvalidInput as refusal:
        if context.filters and position.cursor is None:
            raise context.filters.refused(refusal) from None
        raise
    return page or responses.no_rows(context.client.now())


def _fetch_row(context: ReadContext, integration_id: str, row_id: str) -> Sequence[bytes]:
    """Return one row, or none if it no longer exists."""
    page = request_rows(
        context, integration_id, {"ids": (row_id,)}, page_size=1, retry_policy=TWO_ATTEMPTS
    )
    if page.left_out:
        raise IncompleteResponse("The row is not valid JSON.", detail=page.where)
    return page.rows


def request_rows(  # noqa: PLR0913 - the request's own parameters
    context: ReadContext,
    integration_id: str,
    filters: Batch,
    *,
    page_size: int,
    updated_after: datetime | None = None,
    cursor: str | None = None,
    retry_policy: RetryPolicy | None = None,
) -> responses.RowsPage:
    """Return one page of the list of rows. Raises what `Client.send` raises."""
    request = requests.rows(
        context.base_url,
        context.model.path,
        integration_id=integration_id,
        page_size=page_size,
        include_deleted=context.config.include_deleted,
        updated_after=updated_after,
        cursor=cursor,
        filters=filters,
    )
    read = partial(responses.rows, integration_id=integration_id)
    return context.client.send(request, read, retry_policy=retry_policy)


def warn_left_out(context: ReadContext, integration_id: str, error: AtsError) -> None:
    """Log that this integration is left out of the run, and why."""
    log.warning(
        "%s: Integration %s is left out of this run. %s [%s]",
        context.model.stream,
        integration_id,
        error.message,
        error.detail,
    )
