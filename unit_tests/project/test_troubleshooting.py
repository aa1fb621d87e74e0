"""docs/troubleshooting.md and docs/failures.md quote messages that the code can print."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
TROUBLESHOOTING = (PROJECT / "docs" / "troubleshooting.md").read_text("utf-8")
FAILURES = (PROJECT / "docs" / "failures.md").read_text("utf-8")
QUOTED = [
    " ".join(quoted.split())
    for quoted in re.findall(r"(?:^|\n\n)\*\*(.+?)\*\*", TROUBLESHOOTING, re.DOTALL)
]
"""The messages in bold at the beginning of a paragraph."""
IN_TABLES = [
    message.strip()
    for table in re.findall(
        r"^\| situation \| outcome \| message .*\n((?:\|.*\n)+)", FAILURES, re.MULTILINE
    )
    for row in table.splitlines()[1:]
    for message in row.split("|")[3].split(" / ")
]
"""The third column of the tables; two messages are separated by a slash."""
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
    assert len(IN_TABLES) > 30


@pytest.mark.parametrize("quoted", sorted({*QUOTED, *IN_TABLES}))
def test_the_code_prints_the_quoted_message(quoted: str) -> None:
    parts = [part.strip() for part in quoted.split(VARIABLE)]
    pattern = re.compile(".*".join(map(re.escape, parts)))
    assert [message for message in messages() if pattern.search(message)] != []
