"""When a request may be sent: a rate and a concurrency limiter for all requests of one token."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from source_ats.clock import Clock

WINDOW_SECONDS = 60.0
PACE = 0.99
"""Share of the limit that is used. Requests arrive a little earlier or later than they are sent;
the rest keeps a late one and an early one from meeting in one window of the server."""
LATE_SECONDS = 0.02
"""A delay of this much, or of a quarter of the interval, is made up for; a longer one is not."""


class RateLimiter:
    """Permission to send, acquired before each request, from any thread.

    With `per_minute` requests are evenly paced, without a burst at the start or after a pause, and
    never more than that number fall into any 60 seconds, whether the server counts in fixed or in
    sliding windows. Without it, only the blocks that the vendor asked for count.
    """

    def __init__(self, clock: Clock, per_minute: int | None = None) -> None:
        """`per_minute` is the number of requests allowed in any 60 seconds."""
        self._clock = clock
        self._interval = WINDOW_SECONDS / (per_minute * PACE) if per_minute else 0.0
        self._window: deque[float] = deque(maxlen=per_minute or 0)
        self._lock = threading.Lock()
        self._next_slot = clock.monotonic()
        self._blocked_until = clock.monotonic()

    def block(self, seconds: float) -> None:
        """Block all requests for `seconds`. Never shortens a block."""
        with self._lock:
            self._blocked_until = max(self._blocked_until, self._clock.monotonic() + seconds)

    def acquire(self, on_block: Callable[[float], None]) -> None:
        """Wait until a request is allowed, and count it. Raises `Stopped` if the run is stopped.

        `on_block` is called before each wait for a block, with its seconds. It may raise. A block
        may come, or become longer, while this request waits already.
        """
        wait = 1.0
        while wait > 0:
            wait, blocked_for = self._try_acquire()
            if blocked_for > 0:
                on_block(blocked_for)
            self._clock.sleep(wait)

    def _try_acquire(self) -> tuple[float, float]:
        """Take the slot that is due and return 0, or return the seconds until the next one.

        Next to it, the seconds for which the vendor allows no request.
        """
        with self._lock:
            now = self._clock.monotonic()
            while self._window and self._window[0] + WINDOW_SECONDS <= now:
                self._window.popleft()
            slot = max(self._next_slot, self._blocked_until)
            if self._window and len(self._window) == self._window.maxlen:
                slot = max(slot, self._window[0] + WINDOW_SECONDS)
            if slot > now:
                return slot - now, max(0.0, self._blocked_until - now)
            # A caller that wakes a little late keeps the schedule, so that nothing is lost by it;
            # one that comes much later starts a new schedule: unused slots are not made up for.
            late = max(self._interval / 4, LATE_SECONDS)
            on_schedule = now - slot < min(self._interval, late)
            self._next_slot = (slot if on_schedule else now) + self._interval
            self._window.append(now)
            return 0.0, 0.0


class ConcurrencyLimiter:
    """How many requests are in flight at the same time, from any thread."""

    def __init__(self, most: int) -> None:
        """`most` is the upper limit, whatever the vendor allows."""
        self._most = most
        self.allowed = most
        """How many may be in flight now."""
        self._in_flight = 0
        self._changed = threading.Condition()
        self._turn = threading.Lock()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait until fewer requests are in flight than allowed, and count one until the end.

        A waiting thread holds the turn, so that a thread that returns at once for its next request
        does not overtake it: without that, a listing starves behind the details that it feeds.
        """
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._in_flight < self.allowed)
            self._in_flight += 1
        try:
            yield
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()

    def limit_to(self, requests: int | None, left: int | None = None) -> None:
        """Allow this many in flight, and at most `left` more than now. None: no limit.

        One is always allowed: when nothing is left, the rate limiter blocks.
        """
        with self._changed:
            allowed = self._most if requests is None else requests
            if left is not None:
                allowed = min(allowed, self._in_flight + left)
            self.allowed = max(1, min(self._most, allowed))
            self._changed.notify_all()
