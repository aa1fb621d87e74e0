"""The retry policy: how often and how long a request is tried, and how long to wait in between."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime

import tenacity

from source_ats.clock import Clock
from source_ats.errors import RetryableError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Retry policy. `check` is interactive and gives up early."""

    attempts: int
    """Failures in a row (waiting for a rate limit is not one)."""
    seconds: float
    """From the first attempt to the last, waits for a rate limit included."""
    longest_wait: float
    """A wait longer than this ends the stream instead, and the message names the time."""
    connect_timeout: float = 10.0
    read_timeout: float = 60.0

    def limited_to(self, other: RetryPolicy | None) -> RetryPolicy:
        """Return this policy with each limit of the other that is lower."""
        if other is None:
            return self
        return replace(
            self,
            attempts=min(self.attempts, other.attempts),
            seconds=min(self.seconds, other.seconds),
            longest_wait=min(self.longest_wait, other.longest_wait),
        )


READ_POLICY = RetryPolicy(attempts=9, seconds=3600.0, longest_wait=900.0)
CHECK_POLICY = RetryPolicy(
    attempts=3, seconds=12.0, longest_wait=6.0, connect_timeout=5.0, read_timeout=10.0
)

_back_off = tenacity.wait_exponential(multiplier=0.5, max=60) + tenacity.wait_random(0, 0.5)


def wait(state: tenacity.RetryCallState) -> float:
    """Return the seconds that the vendor named, else a wait that doubles up to a minute."""
    error = failure_of(state)
    if error is not None and error.after is not None:
        return error.after
    return _back_off(state)


def stop_condition(
    policy: RetryPolicy, clock: Clock, began: float, rate_limit_attempts: int
) -> Callable[[tenacity.RetryCallState], bool]:
    """Return what decides when a request that began at `began` (monotonic) is given up.

    `rate_limit_attempts` limits the answers in a row that ask to wait and do not say how long.
    """
    failures = limited = 0

    def stop(state: tenacity.RetryCallState) -> bool:
        nonlocal failures, limited
        error = failure_of(state)
        if error is not None and error.after is None:
            limited += error.rate_limit
            failures += not error.rate_limit
        spent = clock.monotonic() - began
        return (
            failures >= policy.attempts
            or limited >= rate_limit_attempts
            or state.upcoming_sleep > policy.longest_wait
            or spent + state.upcoming_sleep > policy.seconds
        )

    return stop


def failure_of(state: tenacity.RetryCallState) -> RetryableError | None:
    """Return the error of the attempt that has just failed."""
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, RetryableError) else None


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that `Retry-After` names, as seconds or as a date; None if it names none.

    `now` is the vendor's. A value that is neither, or not in the future, counts as none given.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value) if len(value) < 10 else float(10**9)
    date = http_date(value)
    return None if date is None or date < now else (date - now).total_seconds()


@functools.lru_cache(maxsize=8)
def http_date(value: str | None) -> datetime | None:
    """Return an HTTP date, or None if it is not one, or one that no clock shows.

    Cached: it comes with each response, and is the same for a second.
    """
    if not value:
        return None
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo is not None and 2000 <= date.year <= 2100 else None
