"""What all integration tests share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support import version_0_1_0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no process runs one alone in the end."""
    tests = Counter(item.path for item in items)
    items.sort(
        key=lambda item: (
            not {"documents", "referees", "warehouse"} & {*item.path.parts},
            -tests[item.path],
        )
    )


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox of its own for the test: 2,000 people, or as many as the mark `people` says."""
    people = request.node.get_closest_marker("people")
    with Sandbox.start(candidates=people.args[0] if people else 2_000) as running:
        yield running


@pytest.fixture(scope="session")
def packages_of_0_1_0(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages of 0.1.0. Skips the test without the repository's history."""
    folder = tmp_path_factory.mktemp("0.1.0")
    try:
        version_0_1_0.extract(folder)
    except version_0_1_0.NoHistory as error:
        pytest.skip(str(error))
    return folder
