"""What the tests of the destination share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration_tests.support.postgres import NoServer, Postgres, running


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """A PostgreSQL server for all tests here; each test takes a database of its own."""
    try:
        with running() as started:
            yield started
    except NoServer as error:
        pytest.skip(str(error))
