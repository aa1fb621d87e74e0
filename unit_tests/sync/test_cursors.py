"""Cursors that were seen before end a list that would never end."""

from __future__ import annotations

import pytest

from source_ats.errors import ContractError
from source_ats.sync.cursors import SeenCursors


def test_a_repeated_cursor_is_an_error_that_says_where_and_what_to_do() -> None:
    cursors = SeenCursors()
    cursors.add("a", "Vendor people 200 request-1")
    cursors.add("b", "Vendor people 200 request-2")
    with pytest.raises(ContractError) as caught:
        cursors.add("a", "Vendor people 200 request-3")
    assert caught.value.message == (
        "A page points back to a page that was read before, so this list would never end. "
        "Ask the vendor's support, and give them the request id."
    )
    assert caught.value.detail == "Vendor people 200 request-3"


def test_the_cursor_at_which_a_read_begins_counts_as_seen() -> None:
    with pytest.raises(ContractError):
        SeenCursors("a").add("a", "")
