"""The circuit breaker: one for each client, so that a vendor that is down is waited for once."""

from __future__ import annotations

import threading

from source_ats.clock import Clock

BUDGET_SECONDS = 600.0
"""How long all requests together wait for a vendor that answers none of them."""
SOURCES = 3
"""An endpoint that fails alone is not the vendor: this many have to be given up first."""
SECONDS_BETWEEN_PROBES = 30.0


class CircuitBreaker:
    """Knows how long a vendor has answered nothing. Safe to use from several threads.

    Within the budget each request has its own retries. After it, each is sent once, and once
    several endpoints (of several accounts) were given up, only one every 30 seconds is. The first
    answer of any kind ends this.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin with a vendor that answers."""
        self._clock = clock
        self._lock = threading.Lock()
        self._silent_since: float | None = None
        self._last_failure = 0.0
        self._given_up: set[tuple[str, str]] = set()

    def answered(self) -> None:
        """Note that the vendor answered."""
        if self._silent_since is not None:
            with self._lock:
                self._silent_since = None
                self._given_up.clear()

    def failed(self) -> None:
        """Note that a request got no answer."""
        with self._lock:
            self._last_failure = self._clock.monotonic()
            if self._silent_since is None:
                self._silent_since = self._last_failure

    def gave_up(self, endpoint_key: tuple[str, str]) -> None:
        """Note that a request to this endpoint and account was given up."""
        with self._lock:
            self._given_up.add(endpoint_key)

    def silent_for(self) -> float:
        """Return for how many seconds nothing was answered; 0 if the last request was."""
        with self._lock:
            since = self._silent_since
            return 0.0 if since is None else self._clock.monotonic() - since

    def is_exhausted(self) -> bool:
        """Return True if the budget is spent: no request is repeated."""
        return self.silent_for() >= BUDGET_SECONDS

    def is_open(self) -> bool:
        """Return True if no request needs to be sent now."""
        if self._silent_since is None or not self.is_exhausted():
            return False
        with self._lock:
            age = self._clock.monotonic() - self._last_failure
            return len(self._given_up) >= SOURCES and age < SECONDS_BETWEEN_PROBES
