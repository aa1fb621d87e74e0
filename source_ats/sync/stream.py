"""Page and Stream, and the one adapter to Airbyte: pages in, messages out.

A vendor's streams are read one after the other, vendors at the same time: a thread each, about a
megabyte between them and one writer, which alone decides when a STATE goes out.
"""

from __future__ import annotations

import hashlib
import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import orjson

from source_ats.clock import Clock, as_text
from source_ats.errors import AtsError, ConfigError, Stopped
from source_ats.protocol import messages

log = logging.getLogger("airbyte.source_ats.stream")

State = Mapping[str, Any]

SECONDS_BETWEEN_STATES = 1.0
SECONDS_BETWEEN_REPEATED_STATES = 300.0
"""Only RECORD and STATE tell the platform that a waiting connector is alive."""
SECONDS_BETWEEN_PROGRESS_LINES = 60.0
GRACE_SECONDS = 5.0
"""How long a stopped run waits for calls in flight. Docker kills after 10."""
ONE_WAIT = timedelta(seconds=1)
"""What ends at most so much later is the same wait."""
CLOCKS_DIFFER_AT_MOST = timedelta(days=1)
MOST_BYTES_WAITING = 1_000_000
"""So that a page is written while the next is read: two or three usual pages of candidates."""
BYTES_OF_A_STATE = 1_000
"""About. Pages without records take room, too."""
_TICK = 0.25
_MOMENT = 0.01
"""How long the writer waits for more after something came. To be woken for each of many small pages
costs more than the pages do."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """The common settings that every stream is read with."""

    start_date: datetime | None
    """Nothing that changed before is read."""
    lookback: timedelta
    """Each incremental run begins this much before its bookmark."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a read is, where a total is known: children done, of how many."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Page:
    """Records, and the state that is true once they are out.

    Each record is a JSON object, encoded, on one line. `state` is all that a later run needs to go
    on after exactly this page.
    """

    records: Sequence[bytes]
    state: State
    progress: Progress | None = None


Piece = Mapping[str, Any]
"""A piece of a stream, as JSON: all that one reader needs to know to read it."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """How a stream is read side by side, by readers that know nothing of each other.

    What a batch of pieces covers is decided before any of it is read. So a state here is a plan: it
    is true once all pieces up to it were read.
    """

    until: Callable[[State, int], State]
    """`until(state, most)`: the state after the next batch, of about `most` pieces where the room
    can choose; the same state when nothing is due. Where it has `in_progress`, more is left."""
    between: Callable[[State, State, int], Sequence[Piece]]
    """`between(before, after, most)`: the pieces of that batch. Asks nobody: the same each time."""
    pages: Callable[[Piece], Iterator[Page]]
    """The pages of a piece, each time from its beginning. `set_aside` in the state of a page names
    the children that could not be read."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as its room declares it."""

    name: str
    schema: Mapping[str, Any]
    primary_key: str
    cursor_field: str
    selection: Mapping[str, object]
    """The configuration that chooses rows. When it changes, the stream is read from the start."""
    pages: Callable[[State, bool], Iterator[Page]]
    """`pages(state, full_refresh)`: the pages after that state. In a full refresh, what the state
    calls finished is not read again."""
    pieces: Pieces | None = None
    """None: it is read as one."""


@dataclass(frozen=True, slots=True)
class Task:
    """A stream to read: how the catalog wants it, and where it stood."""

    stream: Stream
    full_refresh: bool
    generation: int | None
    stored_state: State | None


class Lane:
    """What one vendor's streams share in a run: the thread, and the word that it has to wait."""

    def __init__(self) -> None:
        """Begin with no stream being read."""
        self._lock = threading.Lock()
        self._until: datetime | None = None
        self._waits: deque[datetime | None] = deque()

    def begins(self, waits: deque[datetime | None]) -> None:
        """Let the stream that is read now have the word, as `waiting` gets it."""
        with self._lock:
            self._until, self._waits = None, waits

    def waiting(self, until: datetime | None) -> None:
        """Note until when a rate limit holds the calls up; None when it is over.

        Calls side by side are held up by one limit, each until about the same moment: that is told
        once.
        """
        with self._lock:
            if self._until is None or until is None:
                is_new = until != self._until
            else:
                is_new = until > self._until + ONE_WAIT
            if is_new:
                self._until = until
                self._waits.append(until)


def catalog_entry(stream: Stream) -> dict[str, Any]:
    """Return the stream as `discover` shows it."""
    return {
        "name": stream.name,
        "json_schema": stream.schema,
        "supported_sync_modes": ["full_refresh", "incremental"],
        "source_defined_cursor": True,
        "default_cursor_field": [stream.cursor_field],
        "source_defined_primary_key": [[stream.primary_key]],
        "is_resumable": True,
    }


def refuse_the_future(what: str, moments: Iterable[datetime | None], vendors_now: datetime) -> None:
    """Raise `ConfigError` if a state tells of a time that has not come yet by the vendor's clock.

    Read from there nothing would be found, and what changed until then would be lost.
    """
    last = max((moment for moment in moments if moment is not None), default=vendors_now)
    if last > vendors_now + CLOCKS_DIFFER_AT_MOST:
        message = (
            f"The state of {what} is damaged: it says {as_text(last)}, and the vendor's clock "
            f"{as_text(vendors_now)}. Pass the state of an earlier run, or clear it to read "
            "everything again."
        )
        raise ConfigError(message)


class Incomplete(AtsError):
    """Some streams did not finish; each has said why in messages of its own."""

    def __init__(self, failures: Mapping[str, BaseException]) -> None:
        """`failures` holds what ended each unfinished stream."""
        super().__init__(f"Not finished: {', '.join(sorted(failures))}.")
        self.failures = failures


def read(
    lanes: Mapping[Lane, Sequence[Task]], clock: Clock, stop: threading.Event
) -> Iterator[bytes]:
    """Read all tasks and yield messages, each item one or more whole lines.

    Records of a page come before the state that covers them. When `stop` is set, the pages in hand
    go out, then their state. Raises `Incomplete` at the end if a stream did not finish, and
    `ConfigError` at the beginning if a state is not one of ours.
    """
    outlets = {
        task.stream.name: _Outlet(task, lane, clock)
        for lane, tasks in lanes.items()
        for task in tasks
    }
    mailbox = _Mailbox()
    reading: dict[str, Future[None]] = {}
    failures: dict[str, BaseException] = {}
    pools = [ThreadPoolExecutor(max_workers=1) for _ in lanes]
    try:
        for pool, tasks in zip(pools, lanes.values(), strict=True):
            for task in tasks:
                outlet = outlets[task.stream.name]
                reading[task.stream.name] = pool.submit(outlet.read, mailbox)
        give_up_at = math.inf
        while reading and clock.monotonic() < give_up_at:
            yield from _let_out(mailbox.take(_TICK), outlets, reading, failures)
            for name in reading:
                yield from outlets[name].tick()
            if stop.is_set():
                give_up_at = min(give_up_at, clock.monotonic() + GRACE_SECONDS)
        for name in reading:
            failures[name] = Stopped("The run was asked to end.")
            yield from outlets[name].ended(failures[name])
    finally:
        if reading:
            # Nobody takes the messages any more: no thread shall go on waiting.
            stop.set()
        mailbox.close()
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
    if failures:
        raise Incomplete(failures)


def _let_out(
    events: Iterable[_Event],
    outlets: Mapping[str, _Outlet],
    reading: dict[str, Future[None]],
    failures: dict[str, BaseException],
) -> Iterator[bytes]:
    """Yield what the events let out.

    Pages that follow each other go out in one piece: to print each small one takes longer. What
    else happened does not, for a stream's log lines are printed as it goes.
    """
    for are_pages, group in groupby(events, key=lambda event: event.page is not None):
        lines = (
            line
            for event in group
            for line in _messages(event, outlets[event.stream], reading, failures)
        )
        yield from filter(None, [b"".join(lines)]) if are_pages else lines


def _messages(
    event: _Event,
    outlet: _Outlet,
    reading: dict[str, Future[None]],
    failures: dict[str, BaseException],
) -> Iterator[bytes]:
    """Yield what the event lets out, and note it if the stream has ended."""
    if event.page is not None:
        yield from outlet.page(event.page)
    elif event.ended:
        failure = reading.pop(event.stream).exception()
        if failure is not None:
            failures[event.stream] = failure
        yield from outlet.ended(failure)
    else:
        yield from outlet.started()


@dataclass(frozen=True, slots=True)
class _Event:
    """From a reading thread to the writer: a stream began, has a page, or ended."""

    stream: str
    page: Page | None = None
    ended: bool = False


class _Mailbox:
    """What the reading threads have for the writer, in the order in which it came."""

    def __init__(self) -> None:
        self._events: list[_Event] = []
        self._bytes = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, event: _Event) -> None:
        """Add an event when there is room. Raises `Stopped` when nobody takes any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._is_full())
            if self._closed:
                raise Stopped("Nobody takes the messages any more.")
            self._events.append(event)
            self._bytes += BYTES_OF_A_STATE + sum(
                map(len, event.page.records if event.page else ())
            )
            if len(self._events) == 1 or self._is_full():
                self._changed.notify_all()

    def take(self, seconds: float) -> Sequence[_Event]:
        """Return all there is, and wait until there is something; empty after so many seconds."""
        with self._changed:
            if self._changed.wait_for(lambda: self._events, timeout=seconds):
                self._changed.wait_for(self._is_full, timeout=_MOMENT)
            events, self._events, self._bytes = self._events, [], 0
            self._changed.notify_all()
        return events

    def close(self) -> None:
        """Take no more: whoever waits for room, or comes later, is told so."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_full(self) -> bool:
        return self._bytes >= MOST_BYTES_WAITING


class _Outlet:
    """One stream on its way out. `read` runs in the vendor's thread, all else in the writer's."""

    def __init__(self, task: Task, lane: Lane, clock: Clock) -> None:
        self._task = task
        self._name = task.stream.name
        self._lane = lane
        self._clock = clock
        self._selection = digest(task.stream.selection)
        self._going_on_from = self._usable_state()
        self._state: State = (
            task.stored_state or {}
            if self._going_on_from is None
            else self._wrapped(self._going_on_from)
        )
        self._state_is_out = True
        # So that the first page's state goes out at once.
        self._state_at = clock.monotonic() - SECONDS_BETWEEN_STATES
        self._progress_at = clock.monotonic()
        self._records_since_state = 0
        self._records = 0
        self._began = False
        self._progress: Progress | None = None
        self._progress_from: tuple[float, int] | None = None
        self._waits: deque[datetime | None] = deque()
        self._shown_wait: datetime | None = None

    def read(self, mailbox: _Mailbox) -> None:
        """Hand the stream's pages to the writer. What it raises ends the stream."""
        self._lane.begins(self._waits)
        try:
            mailbox.put(_Event(self._name))
            if self._going_on_from is not None:
                pages = self._task.stream.pages(self._going_on_from, self._task.full_refresh)
                for page in pages:
                    mailbox.put(_Event(self._name, page=page))
        finally:
            mailbox.put(_Event(self._name, ended=True))

    def started(self) -> Iterator[bytes]:
        """Say that the stream is being read."""
        self._began = True
        yield messages.status(self._name, "STARTED", self._clock.now())
        yield messages.status(self._name, "RUNNING", self._clock.now())

    def page(self, page: Page) -> Iterator[bytes]:
        """Let the records out, then the state, unless one went out less than a second ago."""
        if page.records:
            yield messages.records(self._name, page.records, self._clock.now())
            self._records += len(page.records)
            self._records_since_state += len(page.records)
        self._state = self._wrapped(page.state)
        self._state_is_out = False
        if page.progress is not None:
            if self._progress is None or self._progress.total != page.progress.total:
                yield messages.estimate(self._name, page.progress.total, self._clock.now())
            self._progress = page.progress
            self._progress_from = self._progress_from or (
                self._clock.monotonic(),
                page.progress.done,
            )
        if self._clock.monotonic() - self._state_at >= SECONDS_BETWEEN_STATES:
            yield from self._let_state_out()

    def tick(self) -> Iterator[bytes]:
        """Let out what is due by time alone."""
        if not self._began:
            return
        now = self._clock.monotonic()
        yield from self._let_waits_out()
        if now - self._progress_at >= SECONDS_BETWEEN_PROGRESS_LINES:
            self._progress_at = now
            log.info("%s: %s.", self._name, self._how_far())
        since_state = now - self._state_at
        if since_state >= SECONDS_BETWEEN_REPEATED_STATES or (
            not self._state_is_out and since_state >= SECONDS_BETWEEN_STATES
        ):
            yield from self._let_state_out()

    def ended(self, failure: BaseException | None) -> Iterator[bytes]:
        """Let the last state out, and say how the stream ended."""
        now = self._clock.now()
        if self._began:
            yield from self._let_waits_out()
        if failure is None:
            self._state = {k: v for k, v in self._state.items() if k != "full_refresh"}
            yield from self._let_state_out()
            yield messages.status(self._name, "COMPLETE", now)
            log.info("%s: finished, %d records.", self._name, self._records)
            return
        if not self._state_is_out:
            yield from self._let_state_out()
        if not self._began:
            yield messages.status(self._name, "STARTED", now)
        if isinstance(failure, AtsError):
            if not isinstance(failure, Stopped):
                yield messages.error(failure, now, stream=self._name)
        else:
            yield messages.bug(failure, now, stream=self._name)
        yield messages.status(self._name, "INCOMPLETE", now)

    def _how_far(self) -> str:
        """Return what a person wants to know of a long read."""
        text = f"{self._records} records so far"
        if self._progress is not None and self._progress_from is not None:
            began, done_before = self._progress_from
            done, total = self._progress.done, self._progress.total
            text += f", {done} of {total} candidates done"
            seconds = self._clock.monotonic() - began
            if done > done_before and seconds > 0:
                rate = (done - done_before) / seconds
                finished = self._clock.now() + timedelta(seconds=(total - done) / rate)
                text += f", {rate * 60:.0f} a minute, finished about {as_text(finished)}"
        if self._shown_wait is not None:
            text += f", waiting for the rate limit until {as_text(self._shown_wait)}"
        return text

    def _let_waits_out(self) -> Iterator[bytes]:
        """Show each wait for the rate limit and its end, also one that was over before this."""
        while self._waits:
            self._shown_wait = self._waits.popleft()
            yield messages.status(
                self._name, "RUNNING", self._clock.now(), quota_reset=self._shown_wait
            )

    def _let_state_out(self) -> Iterator[bytes]:
        self._state_at = self._clock.monotonic()
        self._state_is_out = True
        yield messages.state(self._name, self._state, self._records_since_state)
        self._records_since_state = 0

    def _wrapped(self, state: State) -> dict[str, Any]:
        """Return the room's state with what the adapter keeps beside it."""
        wrapped = {"selection": self._selection, **state}
        if self._task.full_refresh:
            wrapped["full_refresh"] = True
            if self._task.generation is not None:
                wrapped["generation"] = self._task.generation
        return wrapped

    def _usable_state(self) -> State | None:
        """Return the room's state to go on from, empty to begin; None: nothing is left to read.

        In a full refresh only the state of an earlier attempt at the same one counts: of the same
        generation, or, where the catalog has none, of a read that is still going on.
        """
        stored = self._task.stored_state
        if not stored:
            return {}
        if not isinstance(stored.get("selection"), str):
            message = (
                f"The state of stream {self._name} is not one that this connector wrote: "
                'it has no "selection". Pass the state of an earlier run, or clear it to read '
                "everything again."
            )
            raise ConfigError(message)
        if self._task.full_refresh:
            if self._task.generation is None:
                same_attempt = "full_refresh" in stored
            else:
                same_attempt = stored.get("generation") == self._task.generation
            if not same_attempt:
                log.info("%s: full refresh, the state of earlier syncs is ignored.", self._name)
                return {}
        if stored["selection"] != self._selection:
            log.info(
                "%s: the configuration chooses other rows than when the state was written; "
                "everything from the start date is read again.",
                self._name,
            )
            return {}
        if self._task.full_refresh and "full_refresh" not in stored:
            log.info("%s: this full refresh was finished by an earlier attempt.", self._name)
            return None
        beside = {"selection", "generation", "full_refresh"}
        return {key: value for key, value in stored.items() if key not in beside}


def digest(selection: Mapping[str, object]) -> str:
    """Return what stands for a selection in a state."""
    text = orjson.dumps(selection, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:16]
