"""docs/security.md, read: each promise names tests, and the tests are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
DOCUMENT = (PROJECT / "docs" / "security.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(\w+/test_\w+\.py)::(\w+)`", DOCUMENT)))


def test_each_promise_names_a_test() -> None:
    rows = [line for line in DOCUMENT.splitlines() if line.startswith("| ")]
    promises = [line for line in rows if not line.startswith(("| promise", "| ---"))]
    assert promises
    for line in promises:
        assert "::" in line or line.endswith("| the same |"), line


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_named_test_exists(path: str, name: str) -> None:
    assert f"def {name}(" in (PROJECT / path).read_text("utf-8")
