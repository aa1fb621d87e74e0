"""Comeet's streams: three lists, each read for what changed since its last read began.

The bookmark is when the last complete read *began*, by the vendor's clock, less the lookback: no
order of rows is documented, and most changes of a candidate show no time. Until a list is read to
its end, the state keeps the link to the next page as well.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Annotated, TypeVar

import msgspec

from source_ats.clock import Clock, rfc3339
from source_ats.errors import AlreadyMerged, ContractError, RetryableError, WrongAddress
from source_ats.http.client import Client
from source_ats.http.models import Request, Response
from source_ats.http.rate_limiter import RateLimiter
from source_ats.http.retry import RetryPolicy
from source_ats.protocol.schemas import Schema
from source_ats.sync.left_out import LeftOutRows
from source_ats.sync.page_size import TWO_ATTEMPTS, FirstPage, PageSize
from source_ats.sync.state import Timestamp, parse_state, reject_future_state
from source_ats.sync.stream import Page, ReadOptions, State, Stream
from source_ats.vendors.comeet import requests, responses, schemas
from source_ats.vendors.comeet.config import ComeetConfig
from source_ats.vendors.comeet.connection import make_client
from source_ats.vendors.comeet.paging import list_pages

T = TypeVar("T")
_Listing = Iterator[tuple[responses.RowsPage, str | None]]

log = logging.getLogger("airbyte.source_ats.comeet")

LINK_LIFETIME = timedelta(hours=24)
"""Assumed: the lifetime of a link to a next page is not documented."""
CONCURRENT_REQUESTS = 3
OVERLAP = timedelta(seconds=1)
"""Whether a filter includes its bounds is not documented, and times have whole seconds."""


class InProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A read that resumes at `next_page`; `kept_at` is when the vendor gave the link."""

    started_at: Timestamp
    next_page: Annotated[str, msgspec.Meta(min_length=1)]
    kept_at: Timestamp
    page_size: int | None = None
    """The size of the pages that the link leads through; None in a state of 0.1.0."""


class StreamState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The state of a stream. Without `updated_after` no read has finished yet."""

    updated_after: Timestamp | None = None
    in_progress: InProgress | None = None
    set_aside: dict[str, Timestamp] = msgspec.field(default_factory=dict)
    """Rows that could not be read, by uid, and since when."""

    def timestamps(self) -> list[Timestamp | None]:
        """Return all times in this state."""
        progress = self.in_progress
        return [
            self.updated_after,
            *((progress.started_at, progress.kept_at) if progress else ()),
        ]


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What stays the same while a stream is read."""

    client: Client
    base_url: str
    stream: str
    first_page: Callable[[datetime | None, int], Request]
    """The request for the first page, of this size, of what changed since then; None: of
    everything."""
    page_size: int
    one_row: Callable[[str], Request] | None
    """The request for a row by its uid; None: its list holds no objects."""
    read: Callable[[Response, datetime | None], responses.RowsPage]
    start_date: datetime | None
    lookback: timedelta


def client(
    config: ComeetConfig,
    clock: Clock,
    *,
    on_rate_limit: Callable[[datetime | None], None],
    retry_policy: RetryPolicy,
) -> Client:
    """Return the client for all requests with this key.

    The vendor publishes no rate limit, so requests are not paced: a refused one is repeated later.
    The three streams are read side by side.
    """
    return make_client(
        config.api_key,
        config.secret,
        RateLimiter(clock),
        clock,
        retry_policy=retry_policy,
        on_rate_limit=on_rate_limit,
        connections=CONCURRENT_REQUESTS,
    )


def streams(config: ComeetConfig, options: ReadOptions, client: Client) -> list[Stream]:
    """Return the streams: positions, candidates, deleted candidates."""
    url = requests.base_url(config.base_url)
    # Comeet's times have whole seconds.
    start_date = options.start_date.replace(microsecond=0) if options.start_date else None

    def stream(  # noqa: PLR0913 - what tells the lists apart
        name: str,
        schema: Schema,
        cursor_field: str,
        first_page: Callable[[datetime | None, int], Request],
        read: Callable[[Response, datetime | None], responses.RowsPage],
        *,
        page_size: int = 0,
        one_row: Callable[[str], Request] | None = None,
        needed: Sequence[str] = (),
    ) -> Stream:
        context = ReadContext(
            client=client,
            base_url=url,
            stream=name,
            first_page=first_page,
            page_size=page_size,
            one_row=one_row,
            read=read,
            start_date=start_date,
            lookback=options.lookback,
        )
        return Stream(
            name=name,
            schema=schema,
            primary_key="uid",
            cursor_field=cursor_field,
            selection={"start_date": rfc3339(start_date) if start_date else None},
            pages=partial(pages, context),
            needed=needed,
        )

    return [
        stream(
            "comeet_positions",
            schemas.POSITIONS,
            "time_updated",
            lambda since, limit: requests.positions(url, limit=limit),
            responses.position_rows,
            page_size=requests.POSITIONS_PER_PAGE,
            one_row=partial(requests.position, url),
        ),
        stream(
            "comeet_candidates",
            schemas.CANDIDATES,
            # Moved by changes of the status only, but no other time of a change is shown.
            "time_last_status_changed",
            lambda since, limit: requests.active_since(url, since, limit=limit),
            responses.candidate_rows,
            page_size=requests.CANDIDATES_PER_PAGE,
            one_row=partial(requests.candidate, url),
            needed=("deleted",),
        ),
        stream(
            "comeet_deleted_candidates",
            schemas.DELETED_CANDIDATES,
            "read_at",
            # The whole list in one response.
            lambda since, limit: requests.deleted_since(url, since),
            responses.deleted_rows,
        ),
    ]


def pages(context: ReadContext, state: State, full_refresh: bool) -> Iterator[Page]:  # noqa: FBT001 - the signature of Stream.pages
    """Yield the pages of the list, from the kept link if there is one that still works."""
    stored = parse_state(state, StreamState, context.stream)
    if full_refresh and stored.updated_after is not None and stored.in_progress is None:
        return
    updated_after = stored.updated_after
    bookmark = {} if updated_after is None else {"updated_after": rfc3339(updated_after)}
    since = max(
        (each for each in (updated_after, context.start_date) if each is not None), default=None
    )
    reached: State = {**bookmark, **_progress_of(stored)}
    left_out = LeftOutRows[State](context.stream, stored.set_aside, context.client.now)

    def listed() -> Iterator[Page]:
        nonlocal reached
        kept_size = stored.in_progress.page_size if stored.in_progress else None
        # There is no setting for it.
        size = PageSize(kept_size or context.page_size, None, context.client.advice)
        listing, started_at = None, None
        if stored.in_progress is not None:
            listing, started_at = _resume(context, stored.in_progress, since, size)
            if listing is None:
                reached = bookmark
        for page, next_page in listing or _list_from_start(context, since, size):
            reject_future_state(context.stream, stored.timestamps(), page.sent_at)
            started_at = started_at or page.sent_at.replace(microsecond=0)
            if next_page is None:
                until = started_at - max(context.lookback, OVERLAP)
                after: State = {"updated_after": rfc3339(until)}
            else:
                progress = {
                    "started_at": rfc3339(started_at),
                    "next_page": next_page,
                    "kept_at": rfc3339(context.client.now()),
                    "page_size": size.rows,
                }
                after = {**bookmark, "in_progress": progress}
            reached = left_out.state_after(page.left_out, page.where, reached, after)
            yield Page(page.rows, {**reached, **left_out.as_state()})

    yield from left_out.with_rows_again(
        listed(),
        partial(_fetch_row, context),
        lambda rows: Page(rows, {**reached, **left_out.as_state()}),
    )


def _progress_of(stored: StreamState) -> State:
    return {"in_progress": msgspec.to_builtins(stored.in_progress)} if stored.in_progress else {}


def _fetch_row(context: ReadContext, uid: str) -> Sequence[bytes]:
    """Return a row by its uid."""
    if context.one_row is None:
        return []
    try:
        return context.client.send(
            context.one_row(uid), responses.one_row, retry_policy=TWO_ATTEMPTS
        )
    except AlreadyMerged:
        # It is no longer listed either.
        return []


def _list_from_start(context: ReadContext, since: datetime | None, size: PageSize) -> _Listing:
    """Yield the pages from the first one on, of the largest size that Comeet answers."""
    first = context.first_page(since, size.rows)

    def send(request: Request, read: Callable[[Response], T]) -> T:
        if request is first and context.page_size:
            return size.first_page(_first_page(context, since, read))
        return context.client.send(request, read)

    read_rows = partial(_read, context, since)
    return list_pages(send, context.base_url, first, read_rows, ends_at_empty_pages=True)


def _first_page(
    context: ReadContext, since: datetime | None, read: Callable[[Response], T]
) -> FirstPage[T]:
    return lambda rows, retry_policy: context.client.send(
        context.first_page(since, rows), read, retry_policy=retry_policy
    )


def _read(context: ReadContext, since: datetime | None, response: Response) -> responses.RowsPage:
    return context.read(response, since)


def _resume(
    context: ReadContext, progress: InProgress, since: datetime | None, size: PageSize
) -> tuple[_Listing, datetime] | tuple[None, None]:
    """Return the pages from a kept link on and when their read began; None if it is given up.

    A link is given up if it is too old, is refused, answers with no rows, or keeps failing while
    one row is answered.
    """
    first, read = context.first_page(since, size.rows), partial(_read, context, since)
    reason = "it is too old"
    if context.client.now() - progress.kept_at <= LINK_LIFETIME:
        try:
            request = requests.next_page(
                context.base_url, first, progress.next_page, f"{context.stream}: state"
            )
            if request is not None:
                listing = list_pages(
                    context.client.send, context.base_url, request, read, ends_at_empty_pages=True
                )
                page, next_page = next(listing)
                # Now the time is the vendor's.
                if page.is_empty:
                    reason = "it answers with no rows"
                elif page.sent_at - progress.kept_at <= LINK_LIFETIME:
                    return chain([(page, next_page)], listing), progress.started_at
        except RetryableError as error:
            if error.rate_limit:
                raise
            size.shrink(error, _first_page(context, since, read))
            reason = f"{error.what} [{error.detail}]"
        except (ContractError, WrongAddress) as error:
            reason = f"{error.message} [{error.detail}]"
    log.info(
        "%s: the link to the next page that an earlier run kept is no longer good (%s). Reading "
        "again from the bookmark.",
        context.stream,
        reason,
    )
    return None, None
