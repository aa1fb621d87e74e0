"""The retry policy: how often and how long a request is tried, and how long to wait in between."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime

import tenacity

from source_ats.clock import Clock
from source_ats.errors import RetryableError
from source_ats.http.circuit_breaker import CircuitBreaker


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
    """The longest silence within an answer."""
    total_timeout: float = 300.0
    """From sending a request to the end of its answer."""
    advice: str = "The next run resumes from the last state."
    """Ends the message of a failure that outlasts the retries."""

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
    attempts=3,
    seconds=12.0,
    longest_wait=6.0,
    connect_timeout=5.0,
    read_timeout=10.0,
    total_timeout=20.0,
    advice="Try again in a few minutes.",
)

LEAST_SECONDS = 1.0
"""A vendor that asks for less and refuses again is not asked more often."""
MOST_SECONDS = 1e9
_PARTS = re.compile(r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*, [^,]+|[^,]+")
"""A list of numbers or dates. A date has a comma after its weekday."""
_SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")

_back_off = tenacity.wait_exponential(multiplier=0.5, max=60) + tenacity.wait_random(0, 0.5)


def wait(state: tenacity.RetryCallState) -> float:
    """Return the seconds that the vendor named, else a wait that doubles up to a minute."""
    error = failure_of(state)
    if error is not None and error.after is not None:
        return error.after
    return _back_off(state)


def stop_condition(
    policy: RetryPolicy, clock: Clock, circuit_breaker: CircuitBreaker, rate_limit_attempts: int
) -> Callable[[tenacity.RetryCallState], bool]:
    """Return what decides when a request that begins now is given up.

    `rate_limit_attempts` limits the answers in a row that ask to wait and do not say how long.
    """
    began = clock.monotonic()
    failures = limited = 0

    def stop(state: tenacity.RetryCallState) -> bool:
        nonlocal failures, limited
        error = failure_of(state)
        if error is not None and error.after is None:
            if error.rate_limit:
                limited += 1
            else:
                failures += 1
                circuit_breaker.failed()
                if circuit_breaker.is_exhausted():
                    return True
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
    """Return the seconds that `Retry-After` names, in any spelling; None if it names none.

    Numbers, also fractional, and dates; of a list the largest. `now` is the vendor's. What is
    neither, or not in the future, counts as not given.
    """
    parts = map(str.strip, _PARTS.findall(headers.get("Retry-After", "")))
    seconds = max((_seconds(part, now) for part in parts), default=0.0)
    return min(max(seconds, LEAST_SECONDS), MOST_SECONDS) if seconds > 0 else None


def _seconds(part: str, now: datetime) -> float:
    if _SECONDS.fullmatch(part):
        return float(part)
    date = http_date(part)
    return 0.0 if date is None else (date - now).total_seconds()


def http_date(value: str | None) -> datetime | None:
    """Return an HTTP date, or None if it is not one, or one that no clock shows."""
    if not value:
        return None
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo is not None and 2000 <= date.year <= 2100 else None
