"""What all integration tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration_tests.sandbox.running import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox of its own for the test: 2,000 people, three Kombo integrations."""
    with Sandbox.start(candidates=2_000) as running:
        yield running
