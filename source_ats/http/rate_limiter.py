"""How many calls in how much time. One budget for each token, shared by all its calls."""

from __future__ import annotations

import threading
from collections import deque

from source_ats.clock import Clock

WINDOW_SECONDS = 60.0
PACE = 0.99
"""Share of the limit that is used. Calls arrive a little earlier or later than they are sent; the
rest keeps a late one and an early one from meeting in one window of the server."""
LATE_SECONDS = 0.02
"""Being so late, or a quarter of the way to the next slot, is made up for; not more."""


class Budget:
    """Permission to call, asked for before each call, from any thread.

    With `per_minute` the calls are evenly paced, with no burst at the start and none after a pause,
    and never more than that number fall into any 60 seconds: no server draws the line, whether it
    counts in fixed or in sliding windows. Without it only the pauses count that the vendor asked
    for.
    """

    def __init__(self, clock: Clock, per_minute: int | None = None) -> None:
        """`per_minute` is the number of calls allowed in any 60 seconds."""
        self._clock = clock
        self._interval = WINDOW_SECONDS / (per_minute * PACE) if per_minute else 0.0
        self._window: deque[float] = deque(maxlen=per_minute or 0)
        self._lock = threading.Lock()
        self._next_slot = clock.monotonic()
        self._closed_until = clock.monotonic()

    def pause(self, seconds: float) -> None:
        """Let nobody call for so long; a shorter pause does not end a longer one."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock.monotonic() + seconds)

    def paused_for(self) -> float:
        """Return the seconds until the vendor allows the next call; 0 when it does now."""
        with self._lock:
            return max(0.0, self._closed_until - self._clock.monotonic())

    def take(self) -> None:
        """Wait until a call is allowed, and count it. Raises `Stopped` when the run is to end."""
        wait = self._try_take()
        self._clock.sleep(wait)
        while wait > 0:
            wait = self._try_take()
            self._clock.sleep(wait)

    def _try_take(self) -> float:
        """Take the slot that is due and return 0, or return the seconds until one may be due."""
        with self._lock:
            now = self._clock.monotonic()
            while self._window and self._window[0] + WINDOW_SECONDS <= now:
                self._window.popleft()
            slot = max(self._next_slot, self._closed_until)
            if self._window and len(self._window) == self._window.maxlen:
                slot = max(slot, self._window[0] + WINDOW_SECONDS)
            if slot > now:
                return slot - now
            # A caller that wakes a little late keeps to the schedule, so that nothing is lost by
            # it; one that comes much later starts a new one: unused slots are not made up for.
            late = max(self._interval / 4, LATE_SECONDS)
            on_schedule = now - slot < min(self._interval, late)
            self._next_slot = (slot if on_schedule else now) + self._interval
            self._window.append(now)
            return 0.0
