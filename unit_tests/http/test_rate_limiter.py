"""The budget: the vendor's limit holds in every window, and nearly all of it is used."""

from __future__ import annotations

import threading
from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from source_ats.errors import Stopped
from source_ats.http.rate_limiter import PACE, ConcurrencyLimiter, RateLimiter
from unit_tests.fakes import FakeClock

A_HAIR = 1e-6
"""For sums of binary fractions."""


def most_in_a_minute(takes: list[float]) -> int:
    """Return how many fall into the fullest window of 60 seconds."""
    return max(bisect_left(takes, take + 60 - A_HAIR) - number for number, take in enumerate(takes))


IDLE_SECONDS = st.lists(
    st.one_of(
        st.just(0.0),
        st.floats(0, 2),
        st.floats(0, 90),
    ),
    min_size=1,
    max_size=20,
)


def ignore(_seconds: float) -> None:
    """Wait for a block without a word."""


@given(per_minute=st.integers(1, 120), idle=IDLE_SECONDS)
@example(per_minute=60, idle=[0.0, 0.9, 0.0])
@settings(max_examples=60)
def test_never_more_than_the_limit_in_any_60_seconds(per_minute: int, idle: list[float]) -> None:
    clock = FakeClock()
    rate_limiter = RateLimiter(clock, per_minute)
    takes = []
    for number in range(3 * per_minute + 20):
        # A few idle times at the start, then as fast as it is allowed.
        clock.advance(idle[number] if number < len(idle) else 0.0)
        rate_limiter.acquire(ignore)
        takes.append(clock.monotonic())
    assert most_in_a_minute(takes) <= per_minute


@given(per_minute=st.integers(1, 120), idle=IDLE_SECONDS, pauses=IDLE_SECONDS)
@settings(max_examples=40)
def test_idle_time_does_not_free_extra_requests(
    per_minute: int, idle: list[float], pauses: list[float]
) -> None:
    clock = FakeClock()
    rate_limiter = RateLimiter(clock, per_minute)
    takes = []
    for number in range(2 * per_minute + 20):
        clock.advance(idle[number % len(idle)] if number % 7 == 0 else 0.0)
        if number % 11 == 0:
            rate_limiter.block(pauses[number % len(pauses)])
        rate_limiter.acquire(ignore)
        takes.append(clock.monotonic())
    assert most_in_a_minute(takes) <= per_minute


@pytest.mark.parametrize("idle", [0.0, 0.3, 3600.0])
def test_no_burst_at_the_start_or_after_a_block(idle: float) -> None:
    clock = FakeClock()
    rate_limiter = RateLimiter(clock, per_minute=60)
    rate_limiter.acquire(ignore)
    clock.advance(idle)
    takes = []
    for _ in range(10):
        rate_limiter.acquire(ignore)
        takes.append(clock.monotonic())
    assert takes[-1] - takes[0] >= 9 - A_HAIR


@given(
    per_minute=st.integers(1, 6000),
    latencies=st.lists(st.floats(0, 0.9), min_size=1, max_size=30),
)
@settings(max_examples=40)
def test_constant_demand_uses_97_percent_of_the_limit(
    per_minute: int, latencies: list[float]
) -> None:
    clock = FakeClock()
    rate_limiter = RateLimiter(clock, per_minute)
    calls = 400
    began = clock.monotonic()
    for number in range(calls):
        rate_limiter.acquire(ignore)
        # The call itself takes up to nine tenths of the time between two calls.
        clock.advance(latencies[number % len(latencies)] * 60 / per_minute)
    minutes = (clock.monotonic() - began) / 60
    assert calls / minutes >= 0.97 * per_minute


@pytest.mark.parametrize(("per_minute", "late"), [(60, 0.2), (6000, 0.009), (10, 0.5)])
def test_requests_that_wake_up_late_keep_the_schedule(per_minute: int, late: float) -> None:
    class LateClock(FakeClock):
        """A busy machine: each wait takes longer than asked for."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds + late if seconds > 0 else seconds)

    clock = LateClock()
    rate_limiter = RateLimiter(clock, per_minute)
    requests = 20
    rate_limiter.acquire(ignore)
    began = clock.monotonic()
    for _ in range(requests):
        rate_limiter.acquire(ignore)
    on_time = requests * 60 / (per_minute * PACE)
    # Late once, not once for each request.
    assert clock.monotonic() - began <= on_time + late + A_HAIR


def test_without_limit_there_is_no_wait() -> None:
    clock = FakeClock()
    rate_limiter = RateLimiter(clock)
    for _ in range(1000):
        rate_limiter.acquire(ignore)
    assert clock.waits == []


@pytest.mark.parametrize("per_minute", [None, 60])
def test_no_request_during_a_block(per_minute: int | None) -> None:
    clock = FakeClock()
    rate_limiter = RateLimiter(clock, per_minute)
    asked = clock.monotonic()
    rate_limiter.block(90)
    blocks: list[float] = []
    rate_limiter.acquire(blocks.append)
    assert blocks == [pytest.approx(90)]
    assert clock.monotonic() - asked == pytest.approx(90)


def test_block_never_shortens_a_block() -> None:
    clock = FakeClock()
    rate_limiter = RateLimiter(clock)
    rate_limiter.block(90)
    rate_limiter.block(5)
    blocks: list[float] = []
    rate_limiter.acquire(blocks.append)
    assert blocks == [pytest.approx(90)]
    assert sum(clock.waits) == pytest.approx(90)


def test_block_also_holds_a_caller_that_is_waiting() -> None:
    class PausedMeanwhile(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if len(self.waits) == 1:
                rate_limiter.block(30)

    clock = PausedMeanwhile()
    rate_limiter = RateLimiter(clock, per_minute=60)
    rate_limiter.acquire(ignore)
    first = clock.monotonic()
    rate_limiter.acquire(ignore)
    assert clock.monotonic() - first == pytest.approx(31, abs=0.1)


def test_a_caller_that_is_waiting_is_told_of_a_block_that_comes_meanwhile() -> None:
    """So that it does not wait for hours."""

    class BlockedMeanwhile(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if seconds > 5:
                rate_limiter.block(7200)

    clock = BlockedMeanwhile()
    rate_limiter = RateLimiter(clock, per_minute=60)
    rate_limiter.acquire(ignore)
    rate_limiter.block(10)
    blocks: list[float] = []

    def give_up(seconds: float) -> None:
        blocks.append(seconds)
        if seconds > 900:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        rate_limiter.acquire(give_up)
    assert blocks == [pytest.approx(10), pytest.approx(7200)]
    assert sum(clock.waits) == pytest.approx(10)


def test_the_limit_holds_for_all_threads_together() -> None:
    clock = FakeClock()
    rate_limiter = RateLimiter(clock, per_minute=60)
    takes: list[float] = []
    lock = threading.Lock()

    def work() -> None:
        for _ in range(40):
            rate_limiter.acquire(ignore)
            with lock:
                takes.append(clock.monotonic())

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(work) for _ in range(8)]:
            future.result()
    assert len(takes) == 320
    # `takes` are noted a moment after the fact, when the clock may have moved on for others: only
    # the whole is sure.
    assert max(takes) - 5000.0 >= 319 - A_HAIR


@pytest.mark.parametrize("per_minute", [None, 60])
def test_stopped_run_acquires_nothing(per_minute: int | None) -> None:
    stop = threading.Event()
    rate_limiter = RateLimiter(FakeClock(stop), per_minute)
    stop.set()
    with pytest.raises(Stopped):
        rate_limiter.acquire(ignore)


def test_no_more_requests_are_in_flight_than_the_rate_limit_has_left() -> None:
    limiter = ConcurrencyLimiter(4)
    limiter.limit_to(2)
    entered = threading.Semaphore(0)
    leave = threading.Event()

    def request() -> None:
        with limiter.slot():
            entered.release()
            assert leave.wait(5)

    threads = [threading.Thread(target=request) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        assert entered.acquire(timeout=5)
    assert not entered.acquire(blocking=False)
    limiter.limit_to(None)
    leave.set()
    for thread in threads:
        thread.join(5)
    for _ in range(2):
        assert entered.acquire(timeout=5)


def test_one_request_is_always_allowed() -> None:
    limiter = ConcurrencyLimiter(4)
    limiter.limit_to(0)
    with limiter.slot():
        pass
