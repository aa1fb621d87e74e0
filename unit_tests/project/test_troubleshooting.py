"""docs/troubleshooting.md quotes messages that the code can print."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs" / "troubleshooting.md"
QUOTED = [
    " ".join(quoted.split())
    for quoted in re.findall(r"(?:^|\n\n)\*\*(.+?)\*\*", PAGE.read_text("utf-8"), re.DOTALL)
]
VARIABLE = "…"


@cache
def messages() -> list[str]:
    """Return every text in the code, with `…` for what is filled in."""
    return [
        message
        for package in ("source_ats", "destination_comeet")
        for path in sorted((PROJECT / package).rglob("*.py"))
        for message in _texts(ast.parse(path.read_text("utf-8")))
    ]


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else VARIABLE
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"%(?:[.\d]*[sdfg])", VARIABLE, node.value)


def test_messages_are_quoted() -> None:
    assert len(QUOTED) > 30


@pytest.mark.parametrize("quoted", QUOTED)
def test_the_code_prints_the_quoted_message(quoted: str) -> None:
    parts = [part.strip() for part in quoted.split(VARIABLE)]
    pattern = re.compile(".*".join(map(re.escape, parts)))
    assert [message for message in messages() if pattern.search(message)] != []
