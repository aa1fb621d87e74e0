"""The reader: streams are read in threads, and one thread prints.

Vendors are read concurrently, and so are as many streams of a vendor as it allows: one thread each,
and about a megabyte of pages in the queue between them and the thread that prints. Only that thread
decides when a STATE is due.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby

from source_ats.clock import Clock
from source_ats.errors import IncompleteRead, Stopped
from source_ats.plural import counted
from source_ats.sync.emitter import RateLimitStatus, ReadTask, StreamEmitter
from source_ats.sync.stream import Page

log = logging.getLogger("airbyte.source_ats.sync")

GRACE_SECONDS = 5.0
"""How long a stopped run waits for requests in flight. Docker kills after 10."""
MAX_QUEUED_BYTES = 1_000_000
"""So that a page is printed while the next is read: two or three usual pages of candidates."""
BYTES_OF_A_STATE = 1_000
"""About. Pages without records take memory, too."""
_LONGEST_WAIT = 0.25
"""How long to wait for a page before a state may be due. In seconds."""


@dataclass(frozen=True, slots=True)
class VendorTasks:
    """The streams of one vendor that are read, and how many of them at once."""

    tasks: Sequence[ReadTask]
    rate_limit: RateLimitStatus = field(default_factory=RateLimitStatus)
    at_once: int = 1


def read(vendors: Sequence[VendorTasks], clock: Clock, stop: threading.Event) -> Iterator[bytes]:
    """Read all tasks and yield messages, each item one or more whole lines.

    Records of a page come before the state that covers them. When `stop` is set, the pages in hand
    are printed, then their state. Raises `IncompleteRead` at the end if a stream did not finish.
    """
    began = clock.monotonic()
    emitters = {
        task.stream.name: StreamEmitter(task, clock) for vendor in vendors for task in vendor.tasks
    }
    queue = _EventQueue()
    running: dict[str, Future[None]] = {}
    failures: dict[str, BaseException] = {}
    pools = [ThreadPoolExecutor(max_workers=vendor.at_once) for vendor in vendors]
    try:
        for pool, vendor in zip(pools, vendors, strict=True):
            for task in vendor.tasks:
                emitter = emitters[task.stream.name]
                running[task.stream.name] = pool.submit(
                    _read_stream, task, emitter, vendor.rate_limit, queue
                )
        give_up_at = math.inf
        while running and clock.monotonic() < give_up_at:
            yield from _emit(queue.take(_LONGEST_WAIT), emitters, running, failures)
            for name in running:
                yield from emitters[name].tick()
            if stop.is_set():
                give_up_at = min(give_up_at, clock.monotonic() + GRACE_SECONDS)
        for name in running:
            failures[name] = Stopped()
            yield from emitters[name].ended(failures[name])
    finally:
        if running:
            # The caller takes no more messages. Wake the threads that wait for room in the queue.
            stop.set()
        queue.close()
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
    log.info(
        "Read %s of %s in %.1f s.%s",
        counted(sum(emitter.records for emitter in emitters.values()), "record"),
        counted(len(emitters), "stream"),
        clock.monotonic() - began,
        f" Not finished: {', '.join(sorted(failures))}." if failures else "",
    )
    if failures:
        raise IncompleteRead(failures)


def _read_stream(
    task: ReadTask, emitter: StreamEmitter, rate_limit: RateLimitStatus, queue: _EventQueue
) -> None:
    """Put the stream's pages into the queue. What it raises ends the stream."""
    name = task.stream.name
    rate_limit.attach(emitter.waits)
    try:
        queue.put(_Event(name))
        if emitter.unusable_state is not None:
            raise emitter.unusable_state
        if emitter.resume_from is not None:
            for page in task.stream.read(emitter.resume_from, full_refresh=task.full_refresh):
                queue.put(_Event(name, page=page))
    finally:
        rate_limit.detach(emitter.waits)
        queue.put(_Event(name, ended=True))


def _emit(
    events: Iterable[_Event],
    emitters: Mapping[str, StreamEmitter],
    running: dict[str, Future[None]],
    failures: dict[str, BaseException],
) -> Iterator[bytes]:
    """Yield the messages of the events.

    Pages that follow each other are yielded in one piece: printing each small one takes longer.
    Everything else is yielded as it comes, because log lines of the stream are printed meanwhile.
    """
    for are_pages, group in groupby(events, key=lambda event: event.page is not None):
        lines = (
            line
            for event in group
            for line in _messages(event, emitters[event.stream], running, failures)
        )
        yield from filter(None, [b"".join(lines)]) if are_pages else lines


def _messages(
    event: _Event,
    emitter: StreamEmitter,
    running: dict[str, Future[None]],
    failures: dict[str, BaseException],
) -> Iterator[bytes]:
    """Yield the messages of an event, and note the stream's end."""
    if event.page is not None:
        yield from emitter.page(event.page)
    elif event.ended:
        failure = running.pop(event.stream).exception()
        if failure is not None:
            failures[event.stream] = failure
        yield from emitter.ended(failure)
    else:
        yield from emitter.started()


@dataclass(frozen=True, slots=True)
class _Event:
    """From a thread that reads to the one that prints: a stream began, has a page, or ended."""

    stream: str
    page: Page | None = None
    ended: bool = False


class _EventQueue:
    """Events in the order in which they came, limited by the bytes of their records."""

    def __init__(self) -> None:
        self._events: list[_Event] = []
        self._bytes = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, event: _Event) -> None:
        """Add an event when there is room. Raises `Stopped` when the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._is_full())
            if self._closed:
                raise Stopped
            self._events.append(event)
            self._bytes += BYTES_OF_A_STATE + sum(
                map(len, event.page.records if event.page else ())
            )
            self._changed.notify_all()

    def take(self, seconds: float) -> Sequence[_Event]:
        """Return all events, once there is one; none after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._events, timeout=seconds)
            events, self._events, self._bytes = self._events, [], 0
            self._changed.notify_all()
        return events

    def close(self) -> None:
        """Take no more events: a thread that waits for room, or comes later, is stopped."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_full(self) -> bool:
        return self._bytes >= MAX_QUEUED_BYTES
