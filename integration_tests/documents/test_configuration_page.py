"""docs/configuration.md, compared with the models of both configurations."""

from __future__ import annotations

from tools import configuration_page


def test_the_page_lists_the_keys_of_both_configurations() -> None:
    found = configuration_page.PAGE.read_text("utf-8")
    assert found == configuration_page.written(), "out of date: run scripts/docs"
