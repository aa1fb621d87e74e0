"""What the tests of the dbt package share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from integration_tests.sandbox.running import PROJECT
from integration_tests.support import environments

PACKAGE = PROJECT / "dbt"


@pytest.fixture(scope="module")
def dbt() -> Path:
    """The program dbt."""
    return environments.programs("dbt") / "dbt"


@pytest.fixture(scope="module")
def package_without_tests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package without its tests and descriptions, which dbt takes half of its time to read."""
    folder = tmp_path_factory.mktemp("package") / "ats"
    shutil.copytree(
        PACKAGE,
        folder,
        ignore=shutil.ignore_patterns("*_models.yml", "unit_tests.yml", "target", "logs"),
    )
    return folder
