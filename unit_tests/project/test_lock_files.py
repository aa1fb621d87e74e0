"""The dependencies cover every import, and the lock files pin them exactly and with hashes."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
LOCK_FILES = PROJECT / "requirements"
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
PACKAGES = {"source_ats", "destination_comeet"}


def test_every_imported_module_is_a_dependency() -> None:
    required = {project_name(each) for each in PYPROJECT["project"]["dependencies"]}
    extra = {project_name(each) for each in PYPROJECT["project"]["optional-dependencies"]["spark"]}
    distributions = {**packages_distributions(), "pyspark": ["pyspark"]}  # it may be missing here
    imported = {
        name.split(".")[0]
        for package in PACKAGES
        for path in (PROJECT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in imported_modules(node)
    }
    assert {"airbyte_cdk", "pyspark"} <= imported
    for module in imported - sys.stdlib_module_names - PACKAGES:
        assert {each.lower() for each in distributions[module]} & (required | extra), module


def project_name(requirement: str) -> str:
    """Return the name in a requirement."""
    return re.split(r"[^\w-]", requirement)[0]


def imported_modules(node: ast.AST) -> list[str]:
    """Return the modules that a statement imports."""
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    return [str(node.module)] if isinstance(node, ast.ImportFrom) else []


def test_every_group_has_a_lock_file() -> None:
    groups = {*PYPROJECT["dependency-groups"], "runtime"}
    assert {path.name for path in LOCK_FILES.iterdir()} == {f"{group}.lock" for group in groups}


@pytest.mark.parametrize("group", [*PYPROJECT["dependency-groups"], "runtime"])
def test_lock_files_have_exact_versions_and_hashes_but_no_index(group: str) -> None:
    text = (LOCK_FILES / f"{group}.lock").read_text()
    requirements = re.findall(r"^[^\s#].*(?:\n    --.*)*", text, re.MULTILINE)
    assert requirements
    for requirement in requirements:
        assert re.match(r"[\w.-]+==[^\s;]+ ", requirement), requirement
        assert "--hash=sha256:" in requirement
    assert "://" not in text


@pytest.mark.parametrize("group", PYPROJECT["dependency-groups"])
def test_lock_files_hold_the_dependencies_of_their_group(group: str) -> None:
    locked = {name for name, _ in pins(group)}
    assert {project_name(each).lower() for each in PYPROJECT["dependency-groups"][group]} <= locked


def test_shipped_versions_are_the_tested_versions() -> None:
    dependencies = {project_name(each) for each in PYPROJECT["project"]["dependencies"]}
    assert dependencies <= {name for name, _ in pins("runtime")}
    assert pins("runtime") <= pins("dev")


def test_the_benchmark_shares_the_versions_of_common_libraries() -> None:
    tested = dict(pins("dev"))
    shared = [(name, version) for name, version in pins("benchmark") if name in tested]
    assert shared
    assert set(shared) <= pins("dev")


def pins(group: str) -> set[tuple[str, str]]:
    """Return the names and versions in a lock file."""
    text = (LOCK_FILES / f"{group}.lock").read_text()
    return set(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))
