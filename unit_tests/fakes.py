"""Time for tests: it passes only when somebody sleeps, or when the test says so."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from source_ats.errors import Stopped

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class FakeClock:
    """A `Clock` whose `sleep` returns at once, with its time passed. Safe to use from threads."""

    def __init__(self, stop: threading.Event | None = None, start: datetime = NOON) -> None:
        """`stop` ends every wait, as on the real clock; `start` is what `now` says at first."""
        self.waits: list[float] = []
        """Every wait longer than 0, in order."""
        self._stop = stop or threading.Event()
        self._start = start
        self._passed = 0.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Return the seconds that have passed, from a moment that is not 0."""
        with self._lock:
            return 5000.0 + self._passed

    def now(self) -> datetime:
        """Return the time by this clock."""
        with self._lock:
            return self._start + timedelta(seconds=self._passed)

    def sleep(self, seconds: float) -> None:
        """Pass the time, or raise `Stopped` when the run was asked to end."""
        if self._stop.is_set():
            raise Stopped("The run was asked to end.")
        if seconds > 0:
            with self._lock:
                self.waits.append(seconds)
                self._passed += seconds

    def advance(self, seconds: float) -> None:
        """Pass time without a wait: a call's latency, an idle hour."""
        with self._lock:
            self._passed += seconds
