"""The summary of a client's requests."""

from __future__ import annotations

import pytest

from source_ats.http.usage import WARNINGS_OF_EACH_REASON, Summary, Usage
from unit_tests.fakes import FakeClock


def test_a_run_without_trouble() -> None:
    clock = FakeClock()
    usage = Usage(clock)
    usage.sent()
    clock.advance(2.5)
    assert str(usage.summary("ATZ CRM")) == (
        "ATZ CRM: 1 request in 2.5 s, 0.0 s of that waiting for the rate limit or before another "
        "attempt."
    )


def test_requests_that_wait_side_by_side_wait_once() -> None:
    clock = FakeClock()
    usage = Usage(clock)
    usage.sent()
    usage.sent()
    with usage.waiting():
        clock.advance(3)
        with usage.waiting():
            clock.advance(4)
        clock.advance(5)
    clock.advance(1)
    with usage.waiting():
        clock.advance(2)
    assert str(usage.summary("Kombo")).startswith(
        "Kombo: 2 requests in 15.0 s, 14.0 s of that waiting "
    )


def test_reasons_are_counted_the_most_frequent_first() -> None:
    usage = Usage(FakeClock())
    seldom = [usage.is_one_of_many("the vendor answered with status 502") for _ in range(2)]
    often = [usage.is_one_of_many("the rate limit is exhausted") for _ in range(12)]
    assert seldom == [False, False]
    assert often == [False] * WARNINGS_OF_EACH_REASON + [True, True]
    assert str(usage.summary("Kombo")).endswith(
        " Sent again because: the rate limit is exhausted (12), "
        "the vendor answered with status 502 (2)."
    )


@pytest.mark.parametrize(
    "repeated",
    [{}, {"the rate limit is exhausted": 12, "status 502, or (rarely) 503": 2}],
    ids=["none", "two reasons"],
)
@pytest.mark.parametrize("requests", [0, 1, 1_234])
def test_a_logged_summary_is_read_again(requests: int, repeated: dict[str, int]) -> None:
    summary = Summary("ATZ CRM", requests, 61.5, 3.0, repeated)
    assert Summary.read(str(summary)) == summary


def test_other_messages_are_no_summary() -> None:
    summary = str(Summary("Kombo", 3, 1.0, 0.0, {}))
    for text in ("", "Kombo: 12 rows were left out.", f"{summary} And more.", f"{summary}\n"):
        assert Summary.read(text) is None
