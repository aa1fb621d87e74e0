"""What is installed: all that the code imports, exact, safe, and the same where it is tested."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


def test_all_that_is_imported_is_required() -> None:
    listed = re.findall(r"^[\w-]+", (PROJECT / "requirements.in").read_text(), re.MULTILINE)
    distributions = packages_distributions()
    imported = {
        name.split(".")[0]
        for path in (PROJECT / "source_ats").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in names(node)
    }
    assert "airbyte_cdk" in imported
    # PySpark is an extra.
    for module in imported - sys.stdlib_module_names - {"source_ats", "pyspark"}:
        assert {each.lower() for each in distributions[module]} & set(listed), module


def names(node: ast.AST) -> list[str]:
    """Return what a statement imports."""
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    return [str(node.module)] if isinstance(node, ast.ImportFrom) else []


@pytest.mark.parametrize(
    "lock_file",
    [
        "requirements.lock",
        "requirements-dev.lock",
        "requirements-quality.lock",
        "requirements-spark.lock",
    ],
)
def test_all_are_pinned_with_hashes_and_no_index_is_named(lock_file: str) -> None:
    text = (PROJECT / lock_file).read_text()
    requirements = re.findall(r"^[^\s#].*(?:\n    --.*)*", text, re.MULTILINE)
    assert requirements
    for requirement in requirements:
        assert re.match(r"[\w.-]+==[^\s;]+ ", requirement), requirement
        assert "--hash=sha256:" in requirement
    assert "://" not in text


def test_what_is_shipped_is_what_was_tested() -> None:
    assert pins("requirements.lock") <= pins("requirements-dev.lock")


def pins(lock_file: str) -> set[tuple[str, str]]:
    """Return the names and versions in a lock file."""
    return set(re.findall(r"^([\w.-]+)==(\S+)", (PROJECT / lock_file).read_text(), re.MULTILINE))
