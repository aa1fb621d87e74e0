"""Rows that are not valid JSON are left out, named, and requested again."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime

import pytest

from source_ats.errors import IncompleteResponse, RequestRefused
from source_ats.sync.left_out import LeftOutRows
from unit_tests.fakes import NOON

WHERE = "Vendor people 200 request-1"


def now() -> datetime:
    return NOON


def test_a_row_without_a_readable_key_keeps_the_state_before_its_page(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = LeftOutRows[str]("people", {}, lambda: NOON)
    assert rows.state_after([], WHERE, "page 1", "page 2") == "page 2"
    assert rows.state_after([None, None], WHERE, "page 2", "page 3") == "page 2"
    assert rows.state_after([], WHERE, "page 3", "page 4") == "page 2"
    assert rows.as_state() == {}
    assert caplog.messages == [
        (
            "people: a row is left out: it is not valid JSON, and its key cannot be read. The next "
            f"run requests its page again. [{WHERE}]"
        )
    ]


def test_a_row_with_a_key_is_kept_in_the_state_and_named(caplog: pytest.LogCaptureFixture) -> None:
    rows = LeftOutRows[str]("people", {}, lambda: NOON)
    assert rows.state_after(["7"], WHERE, "page 1", "page 2") == "page 2"
    assert rows.as_state() == {"set_aside": {"7": "2026-01-31T12:00:00Z"}}
    (said,) = caplog.messages
    assert f"it is not valid JSON [{WHERE}]" in said
    assert rows.release("7")
    assert not rows.release("7")
    assert rows.as_state() == {}


def test_rows_are_requested_next_to_the_pages_which_do_not_wait_for_them() -> None:
    first_page_is_out = threading.Event()
    rows = LeftOutRows[str]("people", dict.fromkeys(["gone", "here", "bad", "listed"], NOON), now)

    def fetch(key: str) -> list[bytes]:
        assert first_page_is_out.wait(60)
        if key == "bad":
            raise IncompleteResponse("It is not valid JSON.", detail=WHERE)
        if key == "gone":
            raise RequestRefused("Unknown.", status=404, code=None, detail=WHERE)
        return [key.encode()]

    def pages() -> Iterator[Sequence[bytes]]:
        rows.release("listed")
        yield [b"page 1"]
        yield [b"page 2"]

    out: list[list[bytes]] = []
    for page in rows.with_rows_again(pages(), fetch, lambda again: again):
        out.append(list(page))
        first_page_is_out.set()
    assert out[0] == [b"page 1"]
    assert sorted(out[1:]) == [[], [b"here"], [b"page 2"]]
    assert rows.as_state() == {"set_aside": {"bad": "2026-01-31T12:00:00Z"}}
