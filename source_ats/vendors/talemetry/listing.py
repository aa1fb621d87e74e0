"""Who is listed: pages of GUIDs, window after window, as batches of people to request.

How a listing ends is not documented. Assumed, where the response has no key for the next cursor:
the last GUID of a page is the cursor. Accepted as the end:

- the key for the next cursor is null;
- a page without GUIDs, or with the GUID of the cursor alone and no other cursor;
- directly after a page that is shorter than requested: a page without new GUIDs, and, if the cursor
  was such a last GUID, a refusal that is repeated;
- a page that is shorter than requested and names the cursor that it was requested with, each time
  that it is requested.

A shorter page by itself is not the end. Everything else that would end a listing early, or never,
is a `ContractError`: only known GUIDs directly after a full page, and a cursor seen before.

The first pages of the next events and windows are requested side by side: they need no cursor.
All pages are used in the order of the windows, so the state moves as if they were requested so.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice

from source_ats.errors import (
    AccessDenied,
    AtsError,
    ConfigError,
    ContractError,
    RequestRefused,
    RetryableError,
    TransientError,
)
from source_ats.http.client import Client
from source_ats.http.models import Request
from source_ats.http.retry import RetryPolicy
from source_ats.sync.page_size import ONE_ATTEMPT, FirstPage, PageSize
from source_ats.sync.state import reject_future_state
from source_ats.vendors.talemetry import requests, responses
from source_ats.vendors.talemetry.config import TalemetryConfig
from source_ats.vendors.talemetry.seen import SeenIds
from source_ats.vendors.talemetry.state import (
    TRACKED_EVENTS,
    Event,
    InProgress,
    Position,
    ProfilesState,
)
from source_ats.vendors.talemetry.windows import BEHIND_THE_CLOCK, OVERLAP, Window, WindowPlan

log = logging.getLogger("airbyte.source_ats.talemetry")

CURSOR_LIFETIME = timedelta(hours=24)
"""Assumed: nothing is documented of the life of a cursor."""
SECONDS_BETWEEN_REPEATS = (1.0, 3.0, 6.0)
"""A listing that is not found, or a short page that names its own cursor, is requested again after
each of these, before that counts."""
CLOCKS_AGREE_WITHIN = timedelta(minutes=1)
_TEN_YEARS = timedelta(days=3650)
_UNTRACKED = (
    "The feature track_candidate_last_changes seems to be off, so that only new people are read. "
    "Ask Jobvite to switch it on, and run a full refresh then: changes before that stay unknown."
)


@dataclass(frozen=True, slots=True)
class ListedBatch:
    """People to request together, people who were deleted, and the position after both."""

    window: Window
    ids: Sequence[str] = ()
    deleted: Sequence[str] = ()
    after: Position | None = None
    """None: the position stays as it is, because more of the same page follows."""
    were_set_aside: bool = False
    """True if nothing of this was listed: these people failed in earlier runs."""


@dataclass(frozen=True, slots=True)
class _ListedPage:
    """What a page of one event's listing adds."""

    event: Event
    new_in_window: Sequence[str]
    new_in_event: Sequence[str]
    next_cursor: str | None


class _CursorLost(Exception):
    """The vendor refused a cursor that it gave out in this run."""

    def __init__(self, refusal: RequestRefused | AccessDenied) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class ProfilesListing:
    """Lists people from a position up to five minutes ago. For one thread."""

    def __init__(
        self,
        client: Client,
        config: TalemetryConfig,
        plan: WindowPlan,
        stored: ProfilesState,
        known_deleted: SeenIds,
    ) -> None:
        """`stored` is the state to continue from. People in `known_deleted` are left out."""
        self._client = client
        self._config = config
        self._plan = plan
        self._position: Position = stored
        current = stored.in_progress
        kept_size = current.page_size if current else None
        self._size = PageSize(kept_size or config.page_size, "talemetry.page_size", client.advice)
        self._known_deleted = known_deleted
        self._listed_until = stored.listed_until
        self._events_seen = set(stored.events_seen)
        self._end_of_last_window: datetime | None = None
        """Five minutes ago, by the vendor's clock; known from the first response on."""
        self._first_page: tuple[Window, responses.Listing] | None = None
        self._listed: Counter[Event] = Counter()
        """How many people were listed, by event; events that were requested are there with 0."""
        self._is_tracked = True
        self._following: deque[Window] = deque()
        """Windows that were taken to look ahead, in their order."""
        self._ahead: dict[tuple[Window, Event, int], Future[responses.Listing]] = {}
        """First pages that were requested before their turn, by window, event and size."""

    def windows(self) -> Iterator[Window]:
        """Yield the windows of a run."""
        return self._plan.windows(self._position, self._last_end)

    def batches(self, windows: Iterator[Window], *, full_refresh: bool) -> Iterator[ListedBatch]:
        """Yield the batches of these windows. A full refresh ends when everybody was listed."""
        pool = ThreadPoolExecutor(max_workers=self._config.concurrent_requests)
        try:
            yield from self._batches_of(windows, pool, full_refresh=full_refresh)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _batches_of(
        self, windows: Iterator[Window], pool: ThreadPoolExecutor, *, full_refresh: bool
    ) -> Iterator[ListedBatch]:
        window = next(windows, None)
        while window is not None:
            following = None
            if window.start is None and self._position.in_progress is None:
                # Before anybody is printed, so that no later attempt begins after the deletion of
                # one of them.
                began = InProgress(None, window.end, "all", None, window.end, self._size.rows)
                yield ListedBatch(window, after=Position(self._listed_until, began))
            for page in self._pages(window, windows, pool):
                ends_the_window = page.event == window.events[-1] and page.next_cursor is None
                if ends_the_window:
                    self._listed_until = max(self._listed_until or window.end, window.end)
                    if window.start is not None or not full_refresh:
                        following = self._following.popleft() if self._following else None
                        following = following or next(windows, None)
                yield from self._batches(
                    window, page, self._position_after(window, page, following)
                )
            window = following

    def deleted_since(self, start: datetime) -> Iterator[Sequence[str]]:
        """Yield everybody who was deleted between then and now, page by page."""
        window = Window(start, self.now())
        with SeenIds() as seen:
            try:
                for page in self._event_pages(window, "deleted", None, None, seen):
                    yield page.new_in_event
            except _CursorLost as lost:
                raise lost.refusal from None

    def some_people(self, count: int) -> list[str]:
        """Return about `count` of those who were created in the last years."""
        now = self.now()
        window = Window(now - _TEN_YEARS, now - BEHIND_THE_CLOCK)
        return self._request(window, "created", None, rows=count).ids

    def events_seen(self) -> list[Event]:
        """Return which of `updated` and `deleted` were listed in this run or an earlier one."""
        return sorted(self._events_seen)

    def warn_if_nothing_is_tracked(self) -> None:
        """Warn if no change and no deletion was listed in the whole run."""
        requested = self._listed.keys() >= set(TRACKED_EVENTS)
        if self._is_tracked and requested and not self._listed["updated"] + self._listed["deleted"]:
            log.warning(
                "Talemetry listed no change and no deletion in this run. If there were some: %s",
                _UNTRACKED,
            )

    def reject_future_state(self) -> None:
        """Compare the state with the vendor's clock, once that is known."""
        reject_future_state("profiles", self._position.timestamps(), self.now())

    def now(self) -> datetime:
        """Return the vendor's time, in whole seconds."""
        return self._client.now().replace(microsecond=0)

    def _last_end(self) -> datetime:
        """Return where the last window ends.

        Until the first response, only the machine's clock is known. If the vendor's is about the
        same, the page that the first request brings is used.
        """
        if self._end_of_last_window is None:
            guess = self.now() - BEHIND_THE_CLOCK
            windows = self._plan.windows(self._position, lambda: guess)
            window = next(windows, Window(guess - OVERLAP, guess))
            page = self._first_page_of(window, window.events[0])
            end = page.sent_at.replace(microsecond=0)
            if window.start is None:
                # Whoever changes while everybody is listed is read in the next run.
                window = Window(None, end)
            else:
                end -= BEHIND_THE_CLOCK
                end = guess if abs(guess - end) <= CLOCKS_AGREE_WITHIN else end
            self._end_of_last_window = end
            self._first_page = window, page
        return self._end_of_last_window

    def _pages(
        self, window: Window, windows: Iterator[Window], pool: ThreadPoolExecutor
    ) -> Iterator[_ListedPage]:
        """Yield the pages of a window, of which a person is new once, whatever the event.

        A window that an earlier run began continues at its cursor. If that is refused, old, or
        brings nothing, the window begins again. So it does, once, if a cursor of this run is lost.
        """
        event, cursor, page = self._beginning_of(window)
        with SeenIds() as seen:
            if cursor is not None:
                # It may be the last GUID of the page before.
                seen.add([cursor])
            try:
                for each in window.events[window.events.index(event) :]:
                    self._request_ahead(window, each, windows, pool)
                    yield from self._event_pages(window, each, cursor, page, seen)
                    cursor = page = None
            except _CursorLost:
                log.info("Talemetry lost the cursor of a listing, which begins again.")
            else:
                return
            try:
                for each in window.events:
                    yield from self._event_pages(window, each, None, None, seen)
            except _CursorLost as lost:
                raise lost.refusal from None

    def _request_ahead(
        self, window: Window, event: Event, windows: Iterator[Window], pool: ThreadPoolExecutor
    ) -> None:
        """Request the first pages after this event's, as many as may be in flight beside it.

        Only of events that were listed before: where nothing is tracked, each would be refused.
        """
        if window.start is None or self._end_of_last_window is None:
            return
        most = self._config.concurrent_requests - 1
        # A window has at least one event, so no more windows than this are needed.
        self._following.extend(islice(windows, max(0, most - len(self._following))))
        rest = window.events[window.events.index(event) + 1 :]
        upcoming = chain(
            ((window, each) for each in rest),
            ((next_window, each) for next_window in self._following for each in next_window.events),
        )
        for next_window, each in islice(upcoming, most):
            key = next_window, each, self._size.rows
            if key not in self._ahead and (each not in TRACKED_EVENTS or each in self._events_seen):
                request = self._people_ids(next_window, each, None, self._size.rows)
                self._ahead[key] = pool.submit(
                    self._client.send, request, responses.listing, retry_policy=ONE_ATTEMPT
                )

    def _page_ahead(self, window: Window, event: Event) -> responses.Listing | None:
        """Return the first page if it was requested before; None if it was not, or that failed."""
        requested = self._ahead.pop((window, event, self._size.rows), None)
        if requested is None:
            return None
        try:
            page = requested.result()
        except AtsError:
            # It is requested again, with all patience.
            return None
        if event in TRACKED_EVENTS:
            self._events_seen.add(event)
        return page

    def _beginning_of(self, window: Window) -> tuple[Event, str | None, responses.Listing | None]:
        """Return the event and cursor to begin a window at, and the page there, if it is known."""
        first_page, self._first_page = self._first_page, None
        current = self._position.in_progress
        if current is not None and window == Window(current.start, current.to):
            if current.cursor is None:
                return current.event, None, None
            page = self._page_at_kept_cursor(window, current, current.cursor)
            if page is not None:
                return current.event, current.cursor, page
            log.info("Talemetry: the cursor of the earlier run is no longer valid.")
        elif first_page is not None and first_page[0] == window:
            return window.events[0], None, first_page[1]
        return window.events[0], None, None

    def _page_at_kept_cursor(
        self, window: Window, current: InProgress, cursor: str
    ) -> responses.Listing | None:
        """Return the page at the cursor of an earlier run; None if it is not to be trusted."""
        if self.now() - current.kept_at > CURSOR_LIFETIME:
            return None
        try:
            page = self._page_at(window, current.event, cursor)
        except (RequestRefused, AccessDenied):
            return None
        except RetryableError as error:
            if error.rate_limit:
                raise
            self._size.shrink(error, self._requests_of(window, current.event))
            return None
        # Now the time is the vendor's.
        is_old = page.sent_at - current.kept_at > CURSOR_LIFETIME
        return page if page.ids and not is_old else None

    def _event_pages(
        self,
        window: Window,
        event: Event,
        cursor: str | None,
        page: responses.Listing | None,
        seen: SeenIds,
    ) -> Iterator[_ListedPage]:
        """Yield the pages of one event's listing, from a cursor on; `page` is the first, if known.

        Raises `_CursorLost` if the vendor refuses a cursor that it gave out.
        """
        seen.begin_pass()
        after_full_page = may_be_refused = False
        with SeenIds(case_matters=True) as cursors:
            cursors.add([cursor] if cursor is not None else [])
            while True:
                try:
                    page = page or self._page_at(window, event, cursor)
                except (RequestRefused, AccessDenied) as refusal:
                    if cursor is None:
                        self._raise_unless_never_tracked(window, event, refusal)
                        page = responses.Listing([], None, has_cursor_key=True, sent_at=self.now())
                    elif may_be_refused and isinstance(refusal, RequestRefused):
                        page = self._page_at_end(window, event, cursor)
                    else:
                        raise _CursorLost(refusal) from None
                new_in_window, new_in_event = seen.add(page.ids)
                self._listed[event] += len(new_in_event)
                is_full = len(page.ids) >= self._size.rows
                next_cursor = self._next_cursor(page, cursor)
                if self._ends_at_its_own_cursor(page, cursor):
                    next_cursor = None
                if next_cursor is not None and not new_in_event:
                    if after_full_page:
                        raise _endless(event, "a page that it had returned before")
                    next_cursor = None
                if next_cursor is not None and not cursors.add([next_cursor])[0]:
                    raise _endless(event, "a cursor that it had returned before")
                yield _ListedPage(event, new_in_window, new_in_event, next_cursor)
                if next_cursor is None:
                    return
                may_be_refused = not page.has_cursor_key and not is_full
                after_full_page = is_full
                cursor, page = next_cursor, None

    def _next_cursor(self, page: responses.Listing, cursor: str | None) -> str | None:
        """Return the cursor after a page that was requested with `cursor`; None at the end."""
        if not page.ids:
            return None
        names_another = page.cursor is not None and page.cursor != cursor
        if all(guid == cursor for guid in page.ids) and not names_another:
            return None
        return page.cursor if page.has_cursor_key else page.ids[-1]

    def _ends_at_its_own_cursor(self, page: responses.Listing, cursor: str | None) -> bool:
        """Return True if a short page names the cursor that it was requested with as the next."""
        is_short = len(page.ids) < self._size.rows
        return cursor is not None and is_short and self._next_cursor(page, cursor) == cursor

    def _page_at_end(self, window: Window, event: Event, cursor: str) -> responses.Listing:
        """Request the page after the last one again; a second refusal means that there is none."""
        try:
            return self._request(window, event, cursor)
        except RequestRefused:
            return responses.Listing([], None, has_cursor_key=True, sent_at=self.now())

    def _batches(self, window: Window, page: _ListedPage, after: Position) -> Iterator[ListedBatch]:
        if page.event == "deleted":
            yield ListedBatch(window, deleted=page.new_in_event, after=after)
            return
        ids = [guid for guid in page.new_in_window if guid not in self._known_deleted]
        groups = list(split_ids(ids, self._config.ids_per_request)) or [[]]
        for group in groups[:-1]:
            yield ListedBatch(window, group)
        yield ListedBatch(window, groups[-1], after=after)

    def _position_after(
        self, window: Window, page: _ListedPage, following: Window | None
    ) -> Position:
        """Return the position once everybody on this page was read."""
        if page.next_cursor is not None:
            at = self._progress(window, page.event, page.next_cursor)
            return Position(self._listed_until, at)
        if page.event != window.events[-1]:
            event = window.events[window.events.index(page.event) + 1]
            return Position(self._listed_until, self._progress(window, event, None))
        if following is None:
            return Position(self._listed_until)
        first = following.events[0]
        return Position(self._listed_until, self._progress(following, first, None))

    def _progress(self, window: Window, event: Event, cursor: str | None) -> InProgress:
        return InProgress(
            window.start, window.end, event, cursor, self.now(), page_size=self._size.rows
        )

    def _page_at(self, window: Window, event: Event, cursor: str | None) -> responses.Listing:
        if cursor is None:
            return self._first_page_of(window, event)
        page = self._request(window, event, cursor)
        for seconds in SECONDS_BETWEEN_REPEATS:
            if not self._ends_at_its_own_cursor(page, cursor):
                break
            self._client.pause(seconds)
            page = self._request(window, event, cursor)
        return page

    def _first_page_of(self, window: Window, event: Event) -> responses.Listing:
        """Return the first page of an event, with fewer GUIDs if this number keeps failing."""
        ahead = self._page_ahead(window, event)
        if ahead is not None:
            return ahead
        return self._size.first_page(self._requests_of(window, event))

    def _requests_of(self, window: Window, event: Event) -> FirstPage[responses.Listing]:
        def request(rows: int, retry_policy: RetryPolicy | None) -> responses.Listing:
            return self._request(window, event, None, rows=rows, retry_policy=retry_policy)

        return request

    def _request(
        self,
        window: Window,
        event: Event,
        cursor: str | None,
        *,
        rows: int | None = None,
        retry_policy: RetryPolicy | None = None,
    ) -> responses.Listing:
        """Request one page of GUIDs. The run's first response sets the end of its last window."""
        request = self._people_ids(window, event, cursor, rows or self._size.rows)
        try:
            page = self._send(request, retry_policy)
        except RequestRefused as refusal:
            if refusal.status != 404 or cursor is not None or event not in {"all", "created"}:
                raise
            message = (
                "Talemetry answered 404 for the listing of people. Check talemetry.ids_base_url."
            )
            raise ConfigError(message, detail=refusal.detail) from None
        self.reject_future_state()
        if event in TRACKED_EVENTS:
            self._events_seen.add(event)
        if self._end_of_last_window is None:
            self._end_of_last_window = page.sent_at.replace(microsecond=0) - BEHIND_THE_CLOCK
        return page

    def _people_ids(self, window: Window, event: Event, cursor: str | None, rows: int) -> Request:
        return requests.people_ids(
            self._config,
            event=event if window.start else None,
            start=window.start,
            end=window.end,
            page_size=rows,
            cursor=cursor,
        )

    def _send(self, request: Request, retry_policy: RetryPolicy | None) -> responses.Listing:
        """Send a request, and again after a 404, which may be a gateway's."""
        # Where nothing is tracked, each window is refused.
        for seconds in SECONDS_BETWEEN_REPEATS if self._is_tracked else ():
            try:
                return self._client.send(request, responses.listing, retry_policy=retry_policy)
            except RequestRefused as refusal:
                if refusal.status != 404:
                    raise
            self._client.pause(seconds)
        return self._client.send(request, responses.listing, retry_policy=retry_policy)

    def _raise_unless_never_tracked(
        self, window: Window, event: Event, refusal: RequestRefused | AccessDenied
    ) -> None:
        """Warn that an event was never listed yet; raise if it was, or if nothing can be listed."""
        if event not in TRACKED_EVENTS:
            raise refusal
        if "created" not in self._listed:
            self._request(window, "created", None)
            self._listed["created"] += 0
        if event in self._events_seen:
            message = (
                f"Talemetry refuses to list who was {event}, which worked before. The next run "
                "lists it again. If it keeps failing, ask Jobvite whether the feature "
                "track_candidate_last_changes is still on."
            )
            raise TransientError(message, detail=refusal.detail)
        if self._is_tracked:
            self._is_tracked = False
            log.warning("Talemetry refuses to list changes. %s [%s]", _UNTRACKED, refusal.detail)


def _endless(event: Event, what: str) -> ContractError:
    message = (
        f"Talemetry's listing ({event}) returned {what}, so it would never end. The state is kept. "
        "If it happens again, set another talemetry.page_size, or report it to Jobvite."
    )
    return ContractError(message, detail="Talemetry people/ids")


def split_ids(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Yield the ids in groups of at most `size`."""
    for first in range(0, len(ids), size):
        yield ids[first : first + size]
