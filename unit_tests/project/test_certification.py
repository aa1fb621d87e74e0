"""docs/certification.md: an answer to each criterion, and nothing named that is not there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
TEXT = (PROJECT / "docs" / "certification.md").read_text()
ANSWERS = re.findall(r"^\| ([A-Z]-\d) \| .+? \| (.+?) \|(.*?)\|(.*)\|$", TEXT, re.MULTILINE)

REGISTER = dict(G=1, M=8, R=4, I=2, S=6, E=3, A=5, P=3, X=4, D=7, V=1, O=4)  # noqa: C408 - shorter
"""How many criteria each group of Airbyte's register has."""


def named() -> Iterator[str]:
    """Yield all that the last column names."""
    for *_, shown in ANSWERS:
        yield from re.findall(r"`(.+?)`", shown)


def test_each_criterion_has_one_answer() -> None:
    asked = [f"{group}-{n}" for group, count in REGISTER.items() for n in range(1, count + 1)]
    assert [criterion for criterion, *_ in ANSWERS] == asked


def test_met_criteria_name_evidence_others_a_reason() -> None:
    for criterion, answer, why, shown in ANSWERS:
        assert answer in {"met", "not met", "open"}, criterion
        assert why.strip() or (answer == "met" and shown.strip()), criterion


@pytest.mark.parametrize("name", sorted(set(named())))
def test_named_evidence_exists(name: str) -> None:
    file, *inside = name.split("::")
    path = PROJECT / file
    assert path.exists()
    scope: list[ast.stmt] = ast.parse(path.read_text()).body if inside else []
    for each in inside:
        (found,) = (
            node
            for node in scope
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == each
        )
        scope = found.body


def test_airbytes_page_names_every_stream_that_the_readme_names() -> None:
    page, readme = (
        set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.+?`) \|", text, re.MULTILINE))))
        for text in (
            (PROJECT / "docs/integrations/sources/ats.md").read_text(),
            (PROJECT / "README.md").read_text().partition("## Streams")[2].partition("\n## ")[0],
        )
    )
    assert page == readme != set()
