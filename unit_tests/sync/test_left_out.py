"""Rows that are not valid JSON are left out, named, and requested again."""

from __future__ import annotations

import pytest

from source_ats.sync.left_out import LeftOutRows
from unit_tests.fakes import NOON

WHERE = "Vendor people 200 request-1"


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
