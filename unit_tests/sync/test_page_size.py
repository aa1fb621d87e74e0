"""Smaller pages: when a large page keeps failing, and when the vendor is down."""

from __future__ import annotations

import pytest

from source_ats.errors import RetryableError, TransientError
from source_ats.http.retry import RetryPolicy
from source_ats.sync.page_size import PageSize

USUAL = None


def failure(*, rate_limit: bool = False) -> RetryableError:
    detail = "Vendor people 504"
    return RetryableError("Vendor answered 504.", "Later.", detail=detail, rate_limit=rate_limit)


class Server:
    """Answers pages of at most `largest` rows, and notes what it was asked for."""

    def __init__(self, largest: int, *, down_for: int = 0, rate_limit: bool = False) -> None:
        self.largest = largest
        self.down_for = down_for
        self.rate_limit = rate_limit
        self.asked: list[tuple[int, int | None]] = []

    def __call__(self, rows: int, retry_policy: RetryPolicy | None) -> str:
        self.asked.append((rows, retry_policy.attempts if retry_policy else USUAL))
        if len(self.asked) <= self.down_for or rows > self.largest:
            raise failure(rate_limit=self.rate_limit)
        return f"{rows} rows"


def test_a_page_that_is_answered_costs_one_request() -> None:
    server = Server(250)
    assert PageSize(250, "vendor.page_size").first_page(server) == "250 rows"
    assert server.asked == [(250, 2)]


def test_the_size_is_halved_until_a_page_is_answered() -> None:
    server, size = Server(70), PageSize(250, "vendor.page_size")
    assert size.first_page(server) == "62 rows"
    assert size.rows == 62
    assert server.asked == [
        *((250, 2), (1, 1), (250, 1)),
        *((125, 2), (1, 1), (125, 1)),
        (62, 2),
    ]


@pytest.mark.parametrize(
    ("setting", "advice"),
    [
        ("vendor.page_size", " Set vendor.page_size to a smaller number to avoid this."),
        (None, ""),
    ],
)
def test_a_smaller_size_is_reported_with_the_setting(
    setting: str | None, advice: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert PageSize(40, setting).first_page(Server(20)) == "20 rows"
    assert caplog.messages == [
        (
            "A page of 40 rows keeps failing, while one row is answered. The list is read from its "
            f"beginning in pages of 20 rows.{advice} [Vendor people 504]"
        )
    ]


def test_a_failure_that_passes_while_one_row_is_probed_changes_nothing() -> None:
    server, size = Server(250, down_for=1), PageSize(250, "vendor.page_size")
    assert size.first_page(server) == "250 rows"
    assert server.asked == [(250, 2), (1, 1), (250, 1)]
    assert size.rows == 250


def test_a_vendor_that_is_down_gets_the_usual_retries() -> None:
    server, size = Server(0), PageSize(250, "vendor.page_size")
    with pytest.raises(RetryableError):
        size.first_page(server)
    assert server.asked == [(250, 2), (1, 1), (250, USUAL)]
    assert size.rows == 250


@pytest.mark.parametrize("largest", [0, 1])
def test_the_smallest_page_gets_the_usual_retries_before_it_is_said_to_fail(largest: int) -> None:
    server = Server(largest)
    with pytest.raises(TransientError):
        PageSize(10, "vendor.page_size").first_page(server)
    assert server.asked == [(10, USUAL), (1, 1)]


def test_an_exhausted_rate_limit_says_nothing_about_the_size() -> None:
    server, size = Server(0, rate_limit=True), PageSize(250, "vendor.page_size")
    with pytest.raises(RetryableError):
        size.first_page(server)
    assert server.asked == [(250, 2)]


@pytest.mark.parametrize("configured", [5, 10, 250])
def test_when_no_size_helps_the_message_names_the_setting(configured: int) -> None:
    server = Server(1)
    with pytest.raises(TransientError, match=r"vendor\.page_size") as caught:
        PageSize(configured, "vendor.page_size").first_page(server)
    assert not isinstance(caught.value, RetryableError)
    assert min(rows for rows, _ in server.asked if rows > 1) == min(configured, 10)


def test_a_resumed_page_that_outlasts_the_retries_halves_the_size_only_if_one_row_is_answered() -> (
    None
):
    size = PageSize(250, "vendor.page_size")
    size.shrink(failure(), Server(1))
    assert size.rows == 125
    with pytest.raises(RetryableError):
        size.shrink(failure(), Server(0))
    assert size.rows == 125
