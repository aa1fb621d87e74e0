"""Talemetry's stream `profiles`: people are listed by event and window, then fetched by GUID.

`listing` yields batches of people in the order of the windows, and runs ahead; `fetcher` fetches
the batches side by side. The state follows the fetched batches: it moves once everybody on a page
of GUIDs was requested. People who are set aside are requested next to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from source_ats.clock import Clock, rfc3339
from source_ats.errors import AccessDenied, RequestRefused
from source_ats.http.client import Client
from source_ats.http.models import Auth, StaticAuth, Vendor
from source_ats.http.rate_limiter import RateLimiter
from source_ats.http.retry import RetryPolicy
from source_ats.sync.concurrency import map_ordered, with_background
from source_ats.sync.set_aside import SetAside
from source_ats.sync.state import parse_state, reject_future_state
from source_ats.sync.stream import Page, Partition, Partitioning, ReadOptions, State, Stream
from source_ats.vendors.talemetry import chosen, record, requests, responses, schemas
from source_ats.vendors.talemetry.config import ClientCredentials, TalemetryConfig, TokenCredentials
from source_ats.vendors.talemetry.fetcher import FetchResult, ProfileFetcher
from source_ats.vendors.talemetry.listing import ListedBatch, ProfilesListing, split_ids
from source_ats.vendors.talemetry.seen import SeenIds
from source_ats.vendors.talemetry.state import (
    TRACKED_EVENTS,
    Event,
    InProgress,
    Position,
    ProfilesState,
)
from source_ats.vendors.talemetry.token import ExchangedToken
from source_ats.vendors.talemetry.windows import BEHIND_THE_CLOCK, Window, WindowPlan


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What stays the same while the stream is read."""

    client: Client
    config: TalemetryConfig
    plan: WindowPlan


def client(
    config: TalemetryConfig,
    clock: Clock,
    *,
    on_rate_limit: Callable[[datetime | None], None],
    retry_policy: RetryPolicy,
) -> Client:
    """Return the client for all requests of this customer. No rate limit is documented."""

    def client_for(vendor: Vendor, auth: Auth) -> Client:
        return Client(
            vendor,
            auth,
            RateLimiter(clock),
            clock,
            retry_policy=retry_policy,
            on_rate_limit=on_rate_limit,
            connections=config.concurrent_requests,
        )

    auth = _auth(config.credentials, partial(client_for, responses.AUTHORIZATION))
    return client_for(responses.VENDOR, auth)


def _auth(
    credentials: TokenCredentials | ClientCredentials,
    client_with: Callable[[Auth], Client],
) -> Auth:
    if isinstance(credentials, TokenCredentials):
        return requests.auth(credentials.token)
    request = requests.authorization(
        credentials.authorization_url, credentials.client_id, credentials.client_secret
    )
    exchange = client_with(StaticAuth({}))
    return ExchangedToken(partial(exchange.send, request, responses.token))


def streams(config: TalemetryConfig, options: ReadOptions, client: Client) -> list[Stream]:
    """Return the streams of this vendor."""
    context = ReadContext(client, config, WindowPlan.of(config, options))
    chosen_only = bool(config.candidate_ids)
    return [
        Stream(
            name="profiles",
            schema=schemas.PROFILES,
            primary_key="id",
            cursor_field="as_of",
            selection={
                "start_date": rfc3339(options.start_date) if options.start_date else None,
                "include": sorted(config.include),
                "exclude_sources": sorted(config.exclude_sources),
                "exclude_life_cycles": sorted(config.exclude_life_cycles),
                **({"candidate_ids": sorted(config.candidate_ids)} if chosen_only else {}),
            },
            needed=("is_deleted",),
            copies=record.COPIES,
            pages=partial(chosen.pages, client, config) if chosen_only else partial(pages, context),
            partitioning=None
            if chosen_only
            else Partitioning(
                plan=partial(_plan_batch, context),
                split=partial(_split_batch, context),
                pages=partial(_partition_pages, context),
            ),
        )
    ]


def pages(context: ReadContext, state: State, full_refresh: bool) -> Iterator[Page]:  # noqa: FBT001 - the signature of Stream.pages
    """Yield everybody who is listed and, in between, those set aside who are answered now."""
    stored = parse_state(state, ProfilesState, "profiles")
    if full_refresh and stored.listed_until is not None and stored.in_progress is None:
        return
    with SeenIds() as known_deleted:
        read = _ProfilesRead(context, stored, known_deleted)
        yield from read.pages(read.listing.windows(), full_refresh=full_refresh)
        read.listing.warn_if_nothing_is_tracked()


def _plan_batch(context: ReadContext, state: State, most: int) -> State:
    """Return the state after the next windows; `in_progress` is the window after them."""
    stored = parse_state(state, ProfilesState, "profiles")
    now, events_seen = _probe_events(context, stored.events_seen)
    reject_future_state("profiles", stored.timestamps(), now)
    end = now - BEHIND_THE_CLOCK
    if (
        stored.in_progress is None
        and stored.listed_until is not None
        and end <= stored.listed_until
    ):
        return state
    windows = list(context.plan.windows(stored, lambda: end))
    if not windows:
        return state
    batch, rest = windows[:most], windows[most:]
    until = max([batch[-1].end, *filter(None, [stored.listed_until])])
    following = None
    if rest:
        first = rest[0].events[0]
        following = InProgress(rest[0].start, rest[0].end, first, None, kept_at=end)
    after = ProfilesState(until, following, events_seen=tuple(sorted(events_seen)))
    plan: dict[str, Any] = msgspec.to_builtins(after)
    return plan


def _split_batch(context: ReadContext, before: State, after: State, most: int) -> list[Partition]:
    """Return a partition for each window.

    Its events stay together: a person who is created and updated in it is fetched once, and people
    who cannot be read because they were deleted are told from those who are refused.
    """
    del most
    if before == after:
        return []
    start, then = (parse_state(each, ProfilesState, "profiles") for each in (before, after))
    following = then.in_progress
    end = then.listed_until if following is None else following.to
    assert end is not None  # noqa: S101 - set by _plan_batch
    planned_end = end
    return [
        {
            "from": rfc3339(each.start) if each.start else None,
            "to": rfc3339(each.end),
            "events_seen": list(then.events_seen),
        }
        for each in context.plan.windows(start, lambda: planned_end)
        if following is None or each != Window(following.start, following.to)
    ]


def _probe_events(
    context: ReadContext, events_seen: Iterable[Event]
) -> tuple[datetime, set[Event]]:
    """Return the vendor's time, and which of `updated` and `deleted` can be listed or ever could.

    The partitions cannot learn it from each other, so small requests find it out once.
    """
    now = context.client.now() - BEHIND_THE_CLOCK
    request = partial(
        requests.people_ids, context.config, start=now - timedelta(days=1), end=now, page_size=1
    )
    seen = set(events_seen)
    for event in TRACKED_EVENTS:
        if event not in seen:
            try:
                context.client.send(request(event=event), responses.listing)
                seen.add(event)
            except (RequestRefused, AccessDenied):
                continue
    sent_at = context.client.send(request(event="created"), responses.listing).sent_at
    return sent_at.replace(microsecond=0), seen


def _partition_pages(context: ReadContext, partition: Partition) -> Iterator[Page]:
    """Yield the pages of one window."""
    start = partition["from"]
    window = Window(
        None if start is None else datetime.fromisoformat(start),
        datetime.fromisoformat(partition["to"]),
    )
    stored = ProfilesState(events_seen=tuple(partition["events_seen"]))
    with SeenIds() as known_deleted:
        read = _ProfilesRead(context, stored, known_deleted)
        yield from read.pages(iter([window]), full_refresh=False)


class _ProfilesRead:
    """One read of the stream. Everything but the requests for people is done in one thread."""

    def __init__(self, context: ReadContext, stored: ProfilesState, known_deleted: SeenIds) -> None:
        self._client = context.client
        self._config = context.config
        self._position = Position(stored.listed_until, stored.in_progress)
        """The position after the last page that was yielded."""
        self._set_aside = SetAside("Talemetry profile", stored.set_aside)
        self._known_deleted = known_deleted
        self.listing = ProfilesListing(
            context.client, context.config, context.plan, stored, known_deleted
        )
        self._fetcher = ProfileFetcher(
            context.client, context.config, self.listing.some_people, stored.set_aside.keys()
        )

    def pages(self, windows: Iterator[Window], *, full_refresh: bool) -> Iterator[Page]:
        """Yield the people who are listed in these windows, and those who were set aside."""
        # Two more than the client lets through: while one reads a response, another is sent.
        at_once = self._config.concurrent_requests + 2
        # A result may be 100 whole people, so few of them wait for their turn.
        listed = map_ordered(
            self._fetch, self.listing.batches(windows, full_refresh=full_refresh), at_once, ahead=4
        )
        fetched = with_background(listed, self._fetch_again, self._batches_set_aside(), at_once)
        for batch, result in fetched:
            yield self._page(batch, result)

    def _batches_set_aside(self) -> list[ListedBatch]:
        """Return those who are set aside, under the newest window that they can be of."""
        current, until = self._position.in_progress, self._position.listed_until
        window = Window(None, current.to if current else until or self.listing.now())
        groups = split_ids(self._set_aside.keys(), self._config.ids_per_request)
        return [ListedBatch(window, ids, were_set_aside=True) for ids in groups]

    def _fetch(self, batch: ListedBatch) -> tuple[ListedBatch, FetchResult]:
        return batch, self._fetcher.fetch(batch.ids, rfc3339(batch.window.end))

    def _fetch_again(self, batch: ListedBatch) -> tuple[ListedBatch, FetchResult]:
        return batch, self._fetcher.fetch_again(batch.ids, rfc3339(batch.window.end))

    def _page(self, batch: ListedBatch, result: FetchResult) -> Page:
        for guid, why in result.bad.items():
            if guid in self._set_aside or not batch.were_set_aside:
                self._put_aside(guid, why, batch.window)
        for guid in (*result.people, *result.gone, *batch.deleted):
            self._release(guid)
        self._position = batch.after or self._position
        as_of = rfc3339(batch.window.end)
        tombstones = [record.tombstone(guid, as_of) for guid in batch.deleted]
        return Page([*result.people.values(), *tombstones], self._state())

    def _state(self) -> State:
        state: dict[str, Any] = msgspec.to_builtins(self._position)
        events_seen = self.listing.events_seen()
        return {
            **state,
            **({"events_seen": events_seen} if events_seen else {}),
            **self._set_aside.as_state(),
        }

    def _release(self, guid: str) -> None:
        """Forget a person who is set aside, in whatever case the GUID was listed then."""
        for each in self._set_aside.keys():  # noqa: SIM118 - not a mapping
            if each.lower() == guid.lower():
                self._set_aside.release(each)

    def _put_aside(self, guid: str, why: str, window: Window) -> None:
        """Set a person aside, unless the vendor lists the person as deleted since.

        Whether deleted people stay listed under their earlier events is not documented. If they
        do, there are soon too many, and then the deletions are listed up to now: each of them
        comes as a record in its own window.
        """
        if guid in self._known_deleted:
            return
        if not self._set_aside.has_room_for(guid):
            for ids in self.listing.deleted_since(window.start or window.end):
                self._known_deleted.add(ids)
            for each in self._set_aside.keys():  # noqa: SIM118 - not a mapping
                if each in self._known_deleted:
                    self._set_aside.release(each)
            if guid in self._known_deleted:
                return
        self._set_aside.add(guid, self.listing.now(), why)
