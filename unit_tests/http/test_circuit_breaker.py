"""When requests to a vendor that answers nothing are no longer sent."""

from __future__ import annotations

import pytest

from source_ats.http.circuit_breaker import (
    BUDGET_SECONDS,
    SECONDS_BETWEEN_PROBES,
    SOURCES,
    CircuitBreaker,
)
from unit_tests.fakes import FakeClock


@pytest.mark.parametrize(
    ("silent", "given_up", "since_failure", "is_open"),
    [
        (BUDGET_SECONDS, SOURCES, 0, True),
        (BUDGET_SECONDS, SOURCES, SECONDS_BETWEEN_PROBES - 1, True),
        (BUDGET_SECONDS, SOURCES, SECONDS_BETWEEN_PROBES, False),
        (BUDGET_SECONDS, SOURCES - 1, 0, False),
        (BUDGET_SECONDS - 1, SOURCES, 0, False),
    ],
)
def test_no_request_is_sent_after_the_budget_until_the_next_probe_is_due(
    silent: float, given_up: int, since_failure: float, is_open: bool
) -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(clock)
    breaker.failed()
    clock.advance(silent)
    breaker.failed()
    for number in range(given_up):
        breaker.gave_up(("endpoint", str(number)))
    clock.advance(since_failure)
    assert breaker.is_open() is is_open
    breaker.answered()
    assert not breaker.is_open()
