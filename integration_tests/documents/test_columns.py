"""The tables of columns on the vendors' pages, compared with what `discover` shows."""

from __future__ import annotations

import pytest

from tools import columns


@pytest.mark.parametrize("section", columns.PAGES)
def test_the_page_lists_the_columns_that_discover_shows(section: str) -> None:
    found = columns.page(section).read_text("utf-8")
    assert found == columns.written(section), "out of date: run scripts/docs"
