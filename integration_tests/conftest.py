"""What all integration tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration_tests.sandbox.running import Sandbox


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no process runs one alone in the end."""
    items.sort(key=lambda item: not {"documents", "referees", "warehouse"} & {*item.path.parts})


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox of its own for the test: 2,000 people, or as many as the mark `people` says."""
    people = request.node.get_closest_marker("people")
    with Sandbox.start(candidates=people.args[0] if people else 2_000) as running:
        yield running
