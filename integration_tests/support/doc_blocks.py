"""The blocks of code in the pages that users follow.

A block is run, or parsed where its language cannot be run, unless the HTML comment before it says
`not run: ` and why.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from integration_tests.sandbox.running import PROJECT

NOT_RUN = re.compile(r"<!-- not run: (?P<why>.+) -->")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. `why_not` is empty where it is run."""

    page: str
    line: int
    language: str
    text: str
    why_not: str

    def __str__(self) -> str:
        """Where it stands."""
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Return the pages."""
    contributors = (PROJECT / "CONTRIBUTING.md", PROJECT / "SECURITY.md")
    return [PROJECT / "README.md", *contributors, *sorted((PROJECT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page, in their order."""
    found = []
    why_not = ""
    for token in MarkdownIt().parse(page.read_text("utf-8")):
        if token.type == "fence" and token.map is not None:
            name = str(page.relative_to(PROJECT))
            line = token.map[0] + 1
            found.append(Block(name, line, token.info.strip(), token.content, why_not))
        comment = NOT_RUN.fullmatch(token.content.strip()) if token.type == "html_block" else None
        why_not = comment["why"] if comment else ""
    return found
