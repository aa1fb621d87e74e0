"""Comeet's streams: three lists, each asked for what changed since the last one was begun.

The bookmark is when the last complete reading *began*, by the vendor's clock, less the lookback: no
order of rows is documented, and a candidate shows no time for most of its changes. Until a list is
read to its end, the link to its next page is kept beside the bookmark.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Annotated

import msgspec

from source_ats.clock import Clock, rfc3339
from source_ats.errors import ContractError, WrongAddress
from source_ats.http.client import Client
from source_ats.http.models import Request, Response
from source_ats.http.rate_limiter import RateLimiter
from source_ats.http.retry import RetryPolicy
from source_ats.protocol.schemas import Schema
from source_ats.sync.state import Timestamp, parse_state, reject_future_state
from source_ats.sync.stream import Page, ReadOptions, State, Stream
from source_ats.vendors.comeet import requests, responses, schemas
from source_ats.vendors.comeet.config import ComeetConfig
from source_ats.vendors.comeet.connection import connected
from source_ats.vendors.comeet.listing import listed

log = logging.getLogger("airbyte.source_ats.comeet")

LINK_IS_GOOD_FOR = timedelta(hours=24)
"""Assumed: nothing is documented of the life of a link to a next page."""
OVERLAP = timedelta(seconds=1)
"""Whether a filter's end belongs to it is not documented, and times show whole seconds."""


class InProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reading that goes on at `next_page`; `kept_at` is when the vendor gave the link."""

    started_at: Timestamp
    next_page: Annotated[str, msgspec.Meta(min_length=1)]
    kept_at: Timestamp


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The stream's state. Without `updated_after` no reading was finished yet."""

    updated_after: Timestamp | None = None
    in_progress: InProgress | None = None

    def moments(self) -> list[Timestamp | None]:
        """Return all times that the state tells."""
        going_on = self.in_progress
        return [
            self.updated_after,
            *((going_on.started_at, going_on.kept_at) if going_on else ()),
        ]


@dataclass(frozen=True, slots=True)
class Reading:
    """All that stays the same while a stream is read."""

    client: Client
    name: str
    first_page: Callable[[datetime | None], Request]
    """The call for the first page of what changed since then; `None`: of everything."""
    read: Callable[[Response, datetime | None], responses.RowsPage]
    start_date: datetime | None
    lookback: timedelta


def client(
    section: ComeetConfig,
    clock: Clock,
    *,
    on_rate_limit: Callable[[datetime | None], None],
    retry_policy: RetryPolicy,
) -> Client:
    """Return the client for all calls with this key.

    The vendor publishes no rate limit, so the calls are not paced: what it refuses is waited for.
    """
    return connected(
        section.api_key,
        section.secret,
        RateLimiter(clock),
        clock,
        retry_policy=retry_policy,
        on_rate_limit=on_rate_limit,
    )


def streams(section: ComeetConfig, options: ReadOptions, client: Client) -> list[Stream]:
    """Return the streams of this section."""
    url = base_url(section)
    # Comeet's times show whole seconds.
    start_date = options.start_date.replace(microsecond=0) if options.start_date else None
    lookback = options.lookback

    def stream(
        name: str,
        schema: Schema,
        cursor_field: str,
        first_page: Callable[[datetime | None], Request],
        read: Callable[[Response, datetime | None], responses.RowsPage],
    ) -> Stream:
        return Stream(
            name=name,
            schema=schema,
            primary_key="uid",
            cursor_field=cursor_field,
            selection={"start_date": rfc3339(start_date) if start_date else None},
            pages=partial(pages, Reading(client, name, first_page, read, start_date, lookback)),
        )

    return [
        stream(
            "comeet_positions",
            schemas.POSITIONS,
            "time_updated",
            lambda since: requests.positions(url),
            responses.position_rows,
        ),
        stream(
            "comeet_candidates",
            schemas.CANDIDATES,
            # Moved by changes of the status only, but the one time of a change that is shown.
            "time_last_status_changed",
            partial(requests.active_since, url),
            responses.candidate_rows,
        ),
        stream(
            "comeet_deleted_candidates",
            schemas.DELETED_CANDIDATES,
            "read_at",
            partial(requests.deleted_since, url),
            responses.deleted_rows,
        ),
    ]


def base_url(section: ComeetConfig) -> str:
    """Return where the API is."""
    return section.base_url or requests.BASE_URL


def pages(reading: Reading, state: State, full_refresh: bool) -> Iterator[Page]:  # noqa: FBT001 - the signature of Stream.pages
    """Yield the pages of the list, from the kept link on where there is one that is still good."""
    kept = parse_state(state, Entry, reading.name)
    if full_refresh and kept.updated_after is not None and kept.in_progress is None:
        return
    bookmark = {} if kept.updated_after is None else {"updated_after": rfc3339(kept.updated_after)}
    moments = [each for each in (kept.updated_after, reading.start_date) if each is not None]
    since = max(moments, default=None)
    first = reading.first_page(since)

    def read(response: Response) -> responses.RowsPage:
        return reading.read(response, since)

    found, started_at = None, None
    if kept.in_progress is not None:
        found, started_at = _resumed(reading, kept.in_progress, first, read)
    for page, next_page in found or listed(reading.client.send, first, read):
        reject_future_state(reading.name, kept.moments(), page.sent_at)
        started_at = started_at or page.sent_at.replace(microsecond=0)
        if next_page is None:
            until = started_at - max(reading.lookback, OVERLAP)
            yield Page(page.rows, {"updated_after": rfc3339(until)})
        else:
            going_on = {
                "started_at": rfc3339(started_at),
                "next_page": next_page,
                "kept_at": rfc3339(reading.client.now()),
            }
            yield Page(page.rows, {**bookmark, "in_progress": going_on})


_Listed = Iterator[tuple[responses.RowsPage, str | None]]


def _resumed(
    reading: Reading,
    going_on: InProgress,
    first: Request,
    read: Callable[[Response], responses.RowsPage],
) -> tuple[_Listed, datetime] | tuple[None, None]:
    """Return the pages from a kept link on and when their reading began; None if it is no good.

    Not good is a link that is old, is refused, answers nothing, or leads to another host than the
    configured one, which may have changed since.
    """
    why = "it is too old"
    if reading.client.now() - going_on.kept_at <= LINK_IS_GOOD_FOR:
        try:
            request = requests.following(first, going_on.next_page)
            if request is not None:
                rest = listed(reading.client.send, request, read)
                page, next_page = next(rest)
                # Now the time is the vendor's.
                if page.is_empty:
                    why = "it answers nothing"
                elif page.sent_at - going_on.kept_at <= LINK_IS_GOOD_FOR:
                    return chain([(page, next_page)], rest), going_on.started_at
        except (ContractError, WrongAddress) as error:
            why = f"{error.message} [{error.detail}]"
    log.info(
        "%s: the earlier run's link to the next page is no longer good (%s); reading from the "
        "bookmark again.",
        reading.name,
        why,
    )
    return None, None
