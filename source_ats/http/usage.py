"""What the requests of one client took: how many, how long they waited, why they were repeated."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from source_ats.clock import Clock
from source_ats.plural import counted

WARNINGS_OF_EACH_REASON = 10
"""Further warnings are left to the summary."""


class Usage:
    """Counts from any thread, for the summary of a run."""

    def __init__(self, clock: Clock) -> None:
        """Begin to count."""
        self._clock = clock
        self._began = clock.monotonic()
        self._lock = threading.Lock()
        self._requests = 0
        self._waiting = 0
        self._waiting_since = 0.0
        self._waited = 0.0
        self._repeated: Counter[str] = Counter()

    def sent(self) -> None:
        """Count a request."""
        with self._lock:
            self._requests += 1

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time within. Threads that wait at the same time count once."""
        with self._lock:
            if not self._waiting:
                self._waiting_since = self._clock.monotonic()
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1
                if not self._waiting:
                    self._waited += self._clock.monotonic() - self._waiting_since

    def is_one_of_many(self, reason: str) -> bool:
        """Count a request that is repeated; True if its warning is left to the summary."""
        with self._lock:
            self._repeated[reason] += 1
            return self._repeated[reason] > WARNINGS_OF_EACH_REASON

    def summary(self) -> str:
        """Return one or two sentences."""
        with self._lock:
            seconds = self._clock.monotonic() - self._began
            number = counted(self._requests, "request")
            text = (
                f"{number} in {seconds:.1f} s, {self._waited:.1f} s of that waiting for the rate "
                "limit or before another attempt."
            )
            if self._repeated:
                reasons = [f"{reason} ({times})" for reason, times in self._repeated.most_common()]
                text += f" Sent again because: {', '.join(reasons)}."
            return text
