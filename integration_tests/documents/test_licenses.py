"""The list of licenses, compared with the lock file of what the images ship."""

from __future__ import annotations

import re

from tools import licenses


def test_the_page_has_a_license_for_each_package_that_is_shipped() -> None:
    page = licenses.PAGE.read_text("utf-8")
    rows = dict(re.findall(r"^\| ([a-z0-9-]+) \| (.+) \|$", page, re.MULTILINE))
    del rows["package"]
    assert rows.pop("---") == "---"
    assert rows.keys() == licenses.shipped(), "out of date: run scripts/docs"
    assert "UNKNOWN" not in rows.values()
