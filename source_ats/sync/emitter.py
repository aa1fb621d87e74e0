"""The emitter: one stream's pages, waits and end as Airbyte messages."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from source_ats.clock import Clock, rfc3339
from source_ats.errors import AtsError, ConfigError, Stopped
from source_ats.plural import counted
from source_ats.protocol import messages
from source_ats.sync.state import (
    complete_state,
    selection_hash,
    usable_state,
    without_full_refresh_mark,
)
from source_ats.sync.stream import Page, Progress, State, Stream

log = logging.getLogger("airbyte.source_ats.sync")

SECONDS_BETWEEN_STATES = 1.0
SECONDS_BETWEEN_REPEATED_STATES = 300.0
"""Only RECORD and STATE tell the platform that a waiting connector is alive."""
SECONDS_BETWEEN_PROGRESS_LINES = 60.0
SAME_WAIT = timedelta(seconds=1)
"""A wait that ends at most this much later is the same wait."""


@dataclass(frozen=True, slots=True)
class ReadTask:
    """A stream to read: how the catalog wants it, and its state so far."""

    stream: Stream
    full_refresh: bool
    generation: int | None
    stored_state: State | None


class RateLimitStatus:
    """Until when a vendor's rate limit blocks, reported to one of the streams that are being read.

    One limit blocks them all, so one status says it.
    """

    def __init__(self) -> None:
        """Begin with no stream being read."""
        self._lock = threading.Lock()
        self._until: datetime | None = None
        self._reading: list[deque[datetime | None]] = []

    def attach(self, waits: deque[datetime | None]) -> None:
        """A stream is being read from now on. The first one of them gets what is reported."""
        with self._lock:
            self._reading.append(waits)

    def detach(self, waits: deque[datetime | None]) -> None:
        """A stream is no longer being read. A limit that it showed is reported once more."""
        with self._lock:
            if waits is self._reading[0]:
                self._until = None
            self._reading = [each for each in self._reading if each is not waits]

    def report(self, until: datetime | None) -> None:
        """Note until when a rate limit blocks requests; None when it is over.

        Concurrent requests are blocked by one limit, each until about the same time: that is
        reported once.
        """
        with self._lock:
            if self._until is None or until is None:
                is_new = until != self._until
            else:
                is_new = until > self._until + SAME_WAIT
            if is_new and self._reading:
                self._until = until
                self._reading[0].append(until)


class StreamEmitter:
    """Turns what happens to one stream into messages. For the thread that prints."""

    def __init__(self, task: ReadTask, clock: Clock) -> None:
        """Begin with the stored state."""
        self._task = task
        self._name = task.stream.name
        self._clock = clock
        self._selection = selection_hash(task.stream.selection)
        self.resume_from: State | None = None
        """The state to read from; None: nothing is left to read."""
        self.unusable_state: ConfigError | None = None
        """Why the stored state is not one of ours, if it is not."""
        try:
            self.resume_from = usable_state(
                self._name,
                self._selection,
                task.stored_state,
                full_refresh=task.full_refresh,
                generation=task.generation,
            )
        except ConfigError as error:
            self.unusable_state = error
        self._state: State = (
            task.stored_state or {}
            if self.resume_from is None
            else self._complete(self.resume_from)
        )
        self._state_is_out = True
        # So that the first page's state is printed at once.
        self._state_at = clock.monotonic() - SECONDS_BETWEEN_STATES
        self._progress_at = clock.monotonic()
        self._records_since_state = 0
        self.records = 0
        """How many were printed."""
        self._began = False
        self._began_at = clock.monotonic()
        self._progress: Progress | None = None
        self._progress_from: tuple[float, int] | None = None
        self.waits: deque[datetime | None] = deque()
        """Waits for the rate limit that are not printed yet; any thread may add one."""
        self._shown_wait: datetime | None = None

    def started(self) -> Iterator[bytes]:
        """Yield that the stream is being read."""
        self._began = True
        self._began_at = self._clock.monotonic()
        yield messages.status(self._name, "STARTED", self._clock.now())
        yield messages.status(self._name, "RUNNING", self._clock.now())

    def page(self, page: Page) -> Iterator[bytes]:
        """Yield the records, then the state, unless one was printed less than a second ago."""
        if page.records:
            yield messages.records(self._name, page.records, self._clock.now(), page.changes)
            self.records += len(page.records)
            self._records_since_state += len(page.records)
        self._state = self._complete(page.state)
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
            yield from self._emit_state()

    def tick(self) -> Iterator[bytes]:
        """Yield what is due by time alone."""
        if not self._began:
            return
        now = self._clock.monotonic()
        yield from self._emit_waits()
        if now - self._progress_at >= SECONDS_BETWEEN_PROGRESS_LINES:
            self._progress_at = now
            log.info("%s: %s.", self._name, self._describe_progress())
        since_state = now - self._state_at
        if since_state >= SECONDS_BETWEEN_REPEATED_STATES or (
            not self._state_is_out and since_state >= SECONDS_BETWEEN_STATES
        ):
            yield from self._emit_state()

    def ended(self, failure: BaseException | None) -> Iterator[bytes]:
        """Yield the last state, and how the stream ended."""
        now = self._clock.now()
        if self._began:
            yield from self._emit_waits()
        if failure is None:
            self._state = without_full_refresh_mark(self._state)
            yield from self._emit_state()
            yield messages.status(self._name, "COMPLETE", now)
            self._log_end("finished")
            return
        if not self._state_is_out:
            yield from self._emit_state()
        if not self._began:
            yield messages.status(self._name, "STARTED", now)
        if isinstance(failure, AtsError):
            if not isinstance(failure, Stopped):
                yield messages.error(failure, now, stream=self._name)
        else:
            yield messages.bug(failure, now, stream=self._name)
        yield messages.status(self._name, "INCOMPLETE", now)
        self._log_end("not finished")

    def _log_end(self, how: str) -> None:
        seconds = self._clock.monotonic() - self._began_at
        records = counted(self.records, "record")
        log.info("%s: %s, %s in %.1f s.", self._name, how, records, seconds)

    def _describe_progress(self) -> str:
        """Return what a person wants to know of a long read."""
        text = f"{counted(self.records, 'record')} so far"
        if self._progress is not None and self._progress_from is not None:
            began, done_before = self._progress_from
            done, total = self._progress.done, self._progress.total
            text += f", {done} of {total} done"
            seconds = self._clock.monotonic() - began
            if done > done_before and seconds > 0:
                rate = (done - done_before) / seconds
                finished = self._clock.now() + timedelta(seconds=(total - done) / rate)
                text += f", {rate * 60:.0f} per minute, finished about {rfc3339(finished)}"
        if self._shown_wait is not None:
            text += f", waiting for the rate limit until {rfc3339(self._shown_wait)}"
        return text

    def _emit_waits(self) -> Iterator[bytes]:
        """Yield each wait for the rate limit and its end, also one that is over by now."""
        while self.waits:
            self._shown_wait = self.waits.popleft()
            yield messages.status(
                self._name, "RUNNING", self._clock.now(), quota_reset=self._shown_wait
            )

    def _emit_state(self) -> Iterator[bytes]:
        self._state_at = self._clock.monotonic()
        self._state_is_out = True
        yield messages.state(self._name, self._state, self._records_since_state)
        self._records_since_state = 0

    def _complete(self, state: State) -> State:
        return complete_state(
            state,
            self._selection,
            full_refresh=self._task.full_refresh,
            generation=self._task.generation,
        )
