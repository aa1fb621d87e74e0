"""Talemetry's stream: people, listed by event and window of time, then asked for by GUID.

```
start_date                                                                  To, 5 minutes ago
   |--- window_days ---|--- window_days ---|--- window_days ---|--- the rest ---|
     created, updated,   created, ...
     deleted
```

The vendor tells no time of change of a person, so the end of the last window that was read whole is
the bookmark, and the next run begins a lookback before it; so does what follows a window that an
earlier run began. Without a start date the first read lists everybody, without a range; its
bookmark is when it began.

Within a window the deleted come last: whoever was changed and then deleted ends as deleted, also
when a run was cut in between. Listing runs ahead of the details, and state follows the details: it
moves when everybody on a page of GUIDs was asked for.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

import msgspec

from source_ats.clock import Clock, rfc3339
from source_ats.errors import AccessDenied, AtsError, ConfigError, RequestRefused
from source_ats.http.client import Client
from source_ats.http.models import Auth, StaticAuth, Vendor
from source_ats.http.rate_limiter import RateLimiter
from source_ats.http.retry import RetryPolicy
from source_ats.sync.concurrency import map_ordered
from source_ats.sync.set_aside import SetAside
from source_ats.sync.state import Timestamp, parse_state, reject_future_state
from source_ats.sync.stream import Page, Partition, Partitioning, ReadOptions, State, Stream
from source_ats.vendors.talemetry import record, requests, responses, schemas
from source_ats.vendors.talemetry.config import ClientCredentials, TalemetryConfig, TokenCredentials
from source_ats.vendors.talemetry.details import Answer, Details
from source_ats.vendors.talemetry.seen import Seen
from source_ats.vendors.talemetry.token import ExchangedToken

log = logging.getLogger("airbyte.source_ats.talemetry")

Event = Literal["all", "created", "updated", "deleted"]

EVENTS_OF_A_WINDOW: tuple[Event, ...] = ("created", "updated", "deleted")
BEHIND_THE_CLOCK = timedelta(minutes=5)
"""Assumed: within this time a change shows in the listing. The lookback makes up for more."""
OVERLAP = timedelta(seconds=1)
"""Whether the ends of a window belong to it is not documented: windows share a second."""
CURSOR_IS_GOOD_FOR = timedelta(hours=24)
"""Assumed: nothing is documented of the life of a cursor."""
CLOCKS_AGREE_WITHIN = timedelta(minutes=1)
MANY_YEARS = timedelta(days=3650)


class InProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A window that is being read: the listing of `event` goes on at `cursor`.

    `start` is `from` in the state, and null when everybody is listed; `kept_at` is when the vendor
    gave the cursor. Earlier events of the window are done.
    """

    start: Timestamp | None = msgspec.field(name="from")
    to: Timestamp
    event: Event
    cursor: str | None
    kept_at: Timestamp


class Position(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What was read whole, and what is being read."""

    listed_until: Timestamp | None = None
    in_progress: InProgress | None = None

    def moments(self) -> list[Timestamp | None]:
        """Return all times that the state tells."""
        going_on = self.in_progress
        return [self.listed_until, *((going_on.to, going_on.kept_at) if going_on else ())]


class Kept(Position, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The state of the stream, beside what the adapter keeps."""

    set_aside: dict[str, Timestamp] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """All that stays the same while the stream is read."""

    client: Client
    section: TalemetryConfig
    start_date: datetime | None
    lookback: timedelta


def client(
    section: TalemetryConfig,
    clock: Clock,
    *,
    on_rate_limit: Callable[[datetime | None], None],
    retry_policy: RetryPolicy,
) -> Client:
    """Return the client for all calls of this customer. Nothing is known of a rate limit."""

    def to(vendor: Vendor, auth: Auth) -> Client:
        return Client(
            vendor,
            auth,
            RateLimiter(clock),
            clock,
            retry_policy=retry_policy,
            on_rate_limit=on_rate_limit,
            connections=section.concurrent_requests,
        )

    return to(responses.VENDOR, _auth(section.credentials, partial(to, responses.AUTHORIZATION)))


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


def streams(section: TalemetryConfig, options: ReadOptions, client: Client) -> list[Stream]:
    """Return the streams of this section."""
    reading = Reading(
        client=client,
        section=section,
        start_date=options.start_date.replace(microsecond=0) if options.start_date else None,
        lookback=options.lookback,
    )
    return [
        Stream(
            name="profiles",
            schema=schemas.PROFILES,
            primary_key="id",
            cursor_field="as_of",
            selection={
                "start_date": rfc3339(options.start_date) if options.start_date else None,
                "include": sorted(section.include),
                "exclude_sources": sorted(section.exclude_sources),
                "exclude_life_cycles": sorted(section.exclude_life_cycles),
            },
            pages=partial(pages, reading),
            partitioning=Partitioning(
                plan=partial(_plan_batch, reading),
                split=partial(_split_batch, reading),
                pages=partial(_partition_pages, reading),
            ),
        )
    ]


def ids_base_url(section: TalemetryConfig) -> str:
    """Return where the listing is."""
    return section.ids_base_url or requests.IDS_BASE_URL


def profiles_base_url(section: TalemetryConfig) -> str:
    """Return where the people are."""
    return section.profiles_base_url or requests.PROFILES_BASE_URL


def pages(reading: Reading, state: State, full_refresh: bool) -> Iterator[Page]:  # noqa: FBT001 - the signature of Stream.pages
    """Yield those set aside who are answered now, then everybody who is listed, in that order."""
    kept = parse_state(state, Kept, "profiles")
    if full_refresh and kept.listed_until is not None and kept.in_progress is None:
        return
    with Seen() as known_deleted:
        yield from _Run(reading, kept, known_deleted, full_refresh=full_refresh).pages()


def _plan_batch(reading: Reading, state: State, most: int) -> State:
    """Return the state after the next windows; `in_progress` is the window after them."""
    kept = parse_state(state, Kept, "profiles")
    end = _listed_up_to(reading)
    if kept.in_progress is None and kept.listed_until is not None and end <= kept.listed_until:
        return state
    windows = _windows(reading, kept, end)
    if not windows:
        return state
    batch, rest = windows[:most], windows[most:]
    if rest and rest[0].start is not None and rest[0].start > end - reading.lookback:
        # Only from the last window on the next batch looks back: nothing that is so young is left.
        batch, rest = windows, []
    until = max([batch[-1].end, *filter(None, [kept.listed_until])])
    following = None
    if rest:
        first = EVENTS_OF_A_WINDOW[0]
        following = InProgress(rest[0].start, rest[0].end, first, None, kept_at=end)
    after: dict[str, Any] = msgspec.to_builtins(Position(until, following))
    return after


def _split_batch(reading: Reading, before: State, after: State, most: int) -> list[Partition]:
    """Return a piece for each window.

    Its events stay together: whoever is created and updated in it is asked for once, and who cannot
    be read because of a deletion is told from who is refused.
    """
    del most
    kept, then = (parse_state(each, Kept, "profiles") for each in (before, after))
    end = then.listed_until
    if then.in_progress is not None and then.in_progress.start is not None:
        # With a long lookback the batch may end before the bookmark.
        end = then.in_progress.start + OVERLAP
    if end is None:
        # Nothing was due: the start date lies within the last minutes.
        return []
    return [
        {"from": rfc3339(each.start) if each.start else None, "to": rfc3339(each.end)}
        for each in _windows(reading, kept, end)
    ]


def _windows(reading: Reading, kept: Kept, end: datetime) -> list[_Window]:
    """Return the windows from a state up to `end`; one without a start lists everybody."""
    windows: list[_Window] = []
    if kept.in_progress is not None and kept.in_progress.start is not None:
        # Its own end was that of an earlier plan.
        start = kept.in_progress.start
    elif kept.listed_until is not None:
        start = kept.listed_until - max(reading.lookback, OVERLAP)
    elif reading.start_date is not None:
        start = reading.start_date
    else:
        return [_Window(None, end)]
    start = max(start, reading.start_date or start)
    length = timedelta(days=reading.section.window_days)
    while end - start > OVERLAP:
        windows.append(_Window(start, min(start + length, end)))
        start = windows[-1].end - OVERLAP
    return windows


def _listed_up_to(reading: Reading) -> datetime:
    """Return where the last window ends now. One small request tells the vendor's time."""
    section = reading.section
    now = reading.client.now() - BEHIND_THE_CLOCK
    request = requests.people_ids(
        ids_base_url(section),
        method=section.ids_method,
        event="created",
        start=now - timedelta(days=1),
        end=now,
        page_size=1,
        exclude_sources=section.exclude_sources,
        exclude_life_cycles=section.exclude_life_cycles,
    )
    sent_at = reading.client.send(request, responses.listing).sent_at
    return sent_at.replace(microsecond=0) - BEHIND_THE_CLOCK


def _partition_pages(reading: Reading, partition: Partition) -> Iterator[Page]:
    """Yield the pages of one window."""
    start = partition["from"]
    window = _Window(
        None if start is None else datetime.fromisoformat(start),
        datetime.fromisoformat(partition["to"]),
    )
    with Seen() as known_deleted:
        run = _Run(reading, Kept(), known_deleted, full_refresh=False, only=window)
        yield from run.pages()


@dataclass(frozen=True, slots=True)
class _Window:
    """What one round of listings covers. Everybody is listed when there is no `start`."""

    start: datetime | None
    end: datetime


@dataclass(frozen=True, slots=True)
class _Step:
    """A batch of a page of GUIDs: whom to ask for, who was deleted, and what is done then."""

    window: _Window
    ids: Sequence[str] = ()
    deleted: Sequence[str] = ()
    after: Position | None = None
    """None: the page goes on."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """Stands where the listing ended by an error, so that what was listed before is read."""

    error: AtsError


class _Run:
    """One run of the stream. Everything but the requests for people is done in one thread.

    The listing (`_listing` and below) runs ahead; `pages` follows with the details, and only what
    `pages` has put out is in the state.
    """

    def __init__(
        self,
        reading: Reading,
        kept: Kept,
        known_deleted: Seen,
        *,
        full_refresh: bool,
        only: _Window | None = None,
    ) -> None:
        """With `only`, this window is read and nothing else."""
        section = reading.section
        self._reading = reading
        self._section = section
        self._client = reading.client
        self._full_refresh = full_refresh
        self._kept = kept
        self._position = Position(kept.listed_until, kept.in_progress)
        """What is put out."""
        self._listed_until = kept.listed_until
        """What is listed."""
        self._set_aside = SetAside("Talemetry profile", kept.set_aside)
        self._details = Details(
            self._client,
            profiles_base_url(section),
            section.include,
            self._some_people,
        )
        self._only = only
        self._end = None if only is None else only.end
        """Where the last window ends; unknown until the vendor's clock is."""
        self._window_of_earlier_run: _Window | None = None
        self._listed: Counter[Event] = Counter()
        """How many people were listed, by event; events that were asked for are there with 0."""
        self._is_tracked = True
        self._known_deleted = known_deleted

    def pages(self) -> Iterator[Page]:
        """Yield all pages of the run."""
        yield from self._ask_again()
        # Two more than the client lets through: while one reads an answer, another is sent.
        at_once = self._section.concurrent_requests + 2
        # A result may be 100 whole people, so not many wait for their turn.
        answers = map_ordered(
            self._details_of,
            self._steps(),
            at_once,
            ahead=4,
            alone=self._client.answers_at_once,
        )
        for step, answer in answers:
            for guid, why in answer.bad.items():
                self._put_aside(guid, why, step.window)
            for guid in (*answer.people, *answer.gone, *step.deleted):
                self._set_aside.release(guid)
            self._position = step.after or self._position
            as_of = rfc3339(step.window.end)
            tombstones = [record.tombstone(guid, as_of) for guid in step.deleted]
            yield Page([*answer.people.values(), *tombstones], self._state())

    def _state(self) -> State:
        state: dict[str, Any] = msgspec.to_builtins(self._position)
        return {**state, **self._set_aside.as_state()}

    def _details_of(self, step: _Step | _Failure) -> tuple[_Step, Answer]:
        if isinstance(step, _Failure):
            raise step.error
        return step, self._details.of(step.ids, rfc3339(step.window.end))

    # Set aside

    def _ask_again(self) -> Iterator[Page]:
        """Ask for those who are set aside, under the newest window that they can be of."""
        going_on, until = self._position.in_progress, self._position.listed_until
        as_of = going_on.to if going_on else until or self._now()
        guids = self._set_aside.keys()
        for batch in _batches(guids, self._section.ids_per_request):
            answer = self._details.of(batch, rfc3339(as_of))
            self._refuse_a_state_from_the_future()
            for guid, why in answer.bad.items():
                self._set_aside.add(guid, self._now(), why)
            for guid in (*answer.people, *answer.gone):
                self._set_aside.release(guid)
            yield Page(list(answer.people.values()), self._state())
        if guids:
            self._end = self._now() - BEHIND_THE_CLOCK

    def _put_aside(self, guid: str, why: str, window: _Window) -> None:
        """Set a person aside, unless the vendor lists the person as deleted since.

        Whether deleted people stay listed under their earlier events is not documented. If they
        do, there are soon too many, and then the deletions are listed up to now: each of them
        comes as a record in its own window.
        """
        if guid in self._known_deleted:
            return
        if not self._set_aside.has_room_for(guid):
            since = _Window(window.start or window.end, self._now())
            with Seen() as seen:
                for step in self._event(since, "deleted", None, None, seen):
                    self._known_deleted.add(step.deleted)
            for each in self._set_aside.keys():  # noqa: SIM118 - no mapping
                if each in self._known_deleted:
                    self._set_aside.release(each)
            if guid in self._known_deleted:
                return
        self._set_aside.add(guid, self._now(), why)

    def _some_people(self) -> list[str]:
        """List people to compare with: a few of those created in the last years."""
        now = self._now()
        window = _Window(now - MANY_YEARS, now - BEHIND_THE_CLOCK)
        return self._list(window, "created", None, page_size=5).ids

    # Listing

    def _steps(self) -> Iterator[_Step | _Failure]:
        try:
            yield from self._listing()
        except AtsError as error:
            yield _Failure(error)

    def _listing(self) -> Iterator[_Step]:
        """Yield the steps of a read that goes on, then of all windows up to the end."""
        if self._only is not None:
            yield from self._window(self._only, _events(self._only)[0], None, None)
            return
        until, going_on = self._listed_until, self._position.in_progress
        start_date = self._reading.start_date
        if going_on is not None:
            yield from self._resumed(going_on)
            if going_on.start is None and self._full_refresh:
                return
            start = self._looking_back_from(going_on.to)
        elif until is not None:
            start = self._looking_back_from(until)
        elif start_date is not None:
            start = start_date
        else:
            yield from self._everybody()
            return
        ready = None
        next_window = self._next_window(start)
        if self._end is None:
            # The first request of the run also tells the vendor's time: if the machine's is about
            # the same, the answer is good.
            guess = next_window or _Window(start, start + OVERLAP)
            ready = self._list(guess, "created", None)
            next_window = self._next_window(start)
            if next_window is not None and _is_about(guess, next_window):
                self._end = guess.end if next_window.end == self._end else self._end
                next_window = guess
            else:
                ready = None
        while next_window is not None:
            window = next_window
            yield from self._window(window, "created", None, ready)
            ready = None
            next_window = self._next_window(window.end - OVERLAP)
        self._warn_if_nothing_is_tracked()

    def _next_window(self, start: datetime) -> _Window | None:
        """Return the window that begins there; None when nothing is left to list."""
        end = self._end or self._now() - BEHIND_THE_CLOCK
        if end - start <= OVERLAP:
            return None
        # Not shorter than the lookback, or a run that goes on would begin before the last one.
        length = max(timedelta(days=self._section.window_days), self._reading.lookback)
        return _Window(start, min(start + length, end))

    def _looking_back_from(self, listed_until: datetime) -> datetime:
        """Return where to begin after what an earlier run listed.

        Some of it was not visible yet, also of a window that this run only reads to its end.
        """
        start = listed_until - max(self._reading.lookback, OVERLAP)
        return max(start, self._reading.start_date or start)

    def _everybody(self) -> Iterator[_Step]:
        """List everybody there is; the window ends when that began."""
        ready = self._list(None, "all", None)
        window = _Window(None, ready.sent_at.replace(microsecond=0))
        # Before anybody is out, so that no later attempt begins after the deletion of one of them.
        began = InProgress(None, window.end, "all", None, window.end)
        yield _Step(window, after=Position(self._listed_until, began))
        yield from self._window(window, "all", None, ready)

    def _resumed(self, going_on: InProgress) -> Iterator[_Step]:
        """Go on where an earlier run was cut, to the end of that window.

        A cursor that is refused, old, or answers nothing is not trusted: the window begins again.
        """
        window = _Window(going_on.start, going_on.to)
        event, cursor, ready = going_on.event, going_on.cursor, None
        if cursor is not None:
            ready = self._listing_at(window, going_on, cursor)
            if ready is None:
                log.info("Talemetry: the cursor of the earlier run is no longer good.")
                event, cursor = _events(window)[0], None
        self._window_of_earlier_run = window
        yield from self._window(window, event, cursor, ready)

    def _listing_at(
        self, window: _Window, going_on: InProgress, cursor: str
    ) -> responses.Listing | None:
        """Return the page at a kept cursor; None if the cursor is not to be trusted."""
        if self._now() - going_on.kept_at > CURSOR_IS_GOOD_FOR:
            return None
        try:
            page = self._list(window, going_on.event, cursor)
        except (RequestRefused, AccessDenied):
            return None
        # Now the time is the vendor's.
        old = page.sent_at - going_on.kept_at > CURSOR_IS_GOOD_FOR
        return page if page.ids and not old else None

    def _window(
        self, window: _Window, event: Event, cursor: str | None, ready: responses.Listing | None
    ) -> Iterator[_Step]:
        """Yield the steps of a window from an event and cursor on; `ready` is the page there.

        A person who is listed again is asked for once, however many events there are.
        """
        events = _events(window)
        with Seen() as seen:
            if cursor is not None:
                # It may be the last GUID of the page before.
                seen.add([cursor])
            at = events.index(event)
            while at < len(events):
                finished = yield from self._event(window, events[at], cursor, ready, seen)
                at = at + 1 if finished else 0
                cursor = ready = None
        self._listed_until = max(self._listed_until or window.end, window.end)

    def _event(
        self,
        window: _Window,
        event: Event,
        cursor: str | None,
        ready: responses.Listing | None,
        seen: Seen,
    ) -> Generator[_Step, None, bool]:
        """Yield the steps of one listing. Return False if it lost its cursor on the way.

        How a listing ends is not documented. Taken as the end: no next cursor, the same cursor
        again, a page without GUIDs or with none that is new. Where the answer has no key for the
        cursor, the last GUID of the page is tried.
        """
        seen.begin_pass()
        brought = False
        is_guess = False
        while True:
            try:
                page = ready or self._list(window, event, cursor)
            except (RequestRefused, AccessDenied) as error:
                if cursor is None:
                    self._warn_if_not_tracked(window, event, error)
                    page = responses.Listing([], None, names_cursor=True, sent_at=self._now())
                elif is_guess:
                    page = responses.Listing([], None, names_cursor=True, sent_at=self._now())
                elif brought:
                    log.info("Talemetry lost the cursor of a listing, which begins again.")
                    return False
                else:
                    raise
            ready = None
            never_seen, new_in_pass = seen.add(page.ids)
            self._listed[event] += len(new_in_pass)
            brought = brought or bool(never_seen)
            following = page.cursor if page.names_cursor or not page.ids else page.ids[-1]
            if not new_in_pass or following == cursor:
                following = None
            after = self._after(window, event, following)
            if event == "deleted":
                yield _Step(window, deleted=new_in_pass, after=after)
            else:
                yield from self._batched(window, never_seen, after)
            if following is None:
                return True
            cursor = following
            is_guess = not page.names_cursor and len(page.ids) < self._section.page_size

    def _batched(self, window: _Window, ids: Sequence[str], after: Position) -> Iterator[_Step]:
        ids = [guid for guid in ids if guid not in self._known_deleted]
        batches = list(_batches(ids, self._section.ids_per_request)) or [[]]
        for batch in batches[:-1]:
            yield _Step(window, batch)
        yield _Step(window, batches[-1], after=after)

    def _after(self, window: _Window, event: Event, following: str | None) -> Position:
        """Return what is done when everybody on a page was asked for."""
        until = self._listed_until
        kept_at = self._now()
        if following is not None:
            there = InProgress(window.start, window.end, event, following, kept_at)
            return Position(until, there)
        if event in EVENTS_OF_A_WINDOW[:-1]:
            next_event = EVENTS_OF_A_WINDOW[EVENTS_OF_A_WINDOW.index(event) + 1]
            there = InProgress(window.start, window.end, next_event, None, kept_at)
            return Position(until, there)
        # A window that a lookback begins may end before the bookmark.
        until = max(until or window.end, window.end)
        start = window.end - OVERLAP
        if window == self._window_of_earlier_run:
            start = self._looking_back_from(window.end)
        next_window = None if window.start is None else self._next_window(start)
        if next_window is None:
            return Position(until)
        first = EVENTS_OF_A_WINDOW[0]
        return Position(until, InProgress(next_window.start, next_window.end, first, None, kept_at))

    def _list(
        self,
        window: _Window | None,
        event: Event,
        cursor: str | None,
        *,
        page_size: int | None = None,
    ) -> responses.Listing:
        """Ask for one page of GUIDs. The run's first answer sets the end of its last window."""
        ranged = window is not None and window.start is not None
        request = requests.people_ids(
            ids_base_url(self._section),
            method=self._section.ids_method,
            event=event if ranged else None,
            start=window.start if window else None,
            end=window.end if window else None,
            page_size=page_size or self._section.page_size,
            exclude_sources=self._section.exclude_sources,
            exclude_life_cycles=self._section.exclude_life_cycles,
            cursor=cursor,
        )
        try:
            page = self._client.send(request, responses.listing)
        except RequestRefused as refusal:
            if refusal.status != 404 or cursor is not None or event not in {"all", "created"}:
                raise
            message = "Talemetry has no listing there. Check talemetry.ids_base_url."
            raise ConfigError(message, detail=refusal.detail) from None
        self._refuse_a_state_from_the_future()
        if self._end is None:
            self._end = page.sent_at.replace(microsecond=0) - BEHIND_THE_CLOCK
        return page

    def _warn_if_not_tracked(
        self, window: _Window, event: Event, error: RequestRefused | AccessDenied
    ) -> None:
        """Warn that an event cannot be listed; raise the error if nothing can be."""
        if event not in {"updated", "deleted"}:
            raise error
        if "created" not in self._listed:
            self._list(window, "created", None)
            self._listed["created"] += 0
        if self._is_tracked:
            self._is_tracked = False
            log.warning("Talemetry refuses to list changes. %s [%s]", _UNTRACKED, error.detail)

    def _warn_if_nothing_is_tracked(self) -> None:
        asked = {"updated", "deleted"} <= self._listed.keys()
        if self._is_tracked and asked and not self._listed["updated"] + self._listed["deleted"]:
            log.warning(
                "Talemetry listed no change and no deletion in this run. If there were some: %s",
                _UNTRACKED,
            )

    def _refuse_a_state_from_the_future(self) -> None:
        """Compare the state with the vendor's clock, once that is known."""
        reject_future_state("profiles", self._kept.moments(), self._now())

    def _now(self) -> datetime:
        """Return the vendor's time, in whole seconds."""
        return self._client.now().replace(microsecond=0)


_UNTRACKED = (
    "The feature track_candidate_last_changes seems to be off, so that only new people are read. "
    "Ask Jobvite to switch it on, and run a full refresh then: changes before that stay unknown."
)


def _events(window: _Window) -> tuple[Event, ...]:
    return ("all",) if window.start is None else EVENTS_OF_A_WINDOW


def _is_about(guess: _Window, window: _Window) -> bool:
    return abs(guess.end - window.end) <= CLOCKS_AGREE_WITHIN


def _batches(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for first in range(0, len(ids), size):
        yield ids[first : first + size]
