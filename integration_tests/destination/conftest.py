"""A Comeet that can be made hostile, a writer with a ledger in front of it, and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.hostile_comeet import HostileComeet
from integration_tests.support.postgres import NoServer, Postgres, running
from integration_tests.support.writer import Writer


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for all tests here; each test takes a database of its own."""
    try:
        with running() as started:
            yield started
    except NoServer as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One sandbox for the tests of a module."""
    with Sandbox.start(candidates=10) as started:
        yield started


@pytest.fixture(scope="module")
def hostile_server(sandbox: Sandbox) -> Iterator[HostileComeet]:
    """One server in front of it."""
    with HostileComeet.running(sandbox) as started:
        yield started


@pytest.fixture
def comeet(hostile_server: HostileComeet) -> HostileComeet:
    """An empty Comeet at the machine's time that behaves well until it is told otherwise."""
    sandbox = hostile_server.sandbox
    sandbox.control("/_control/comeet/reset", {})
    sandbox.advance((datetime.now(UTC) - sandbox.now()).total_seconds())
    sandbox.clear_faults()
    sandbox.reset_log()
    hostile_server.reset()
    return hostile_server


@pytest.fixture
def without_ledger(comeet: HostileComeet, tmp_path: Path) -> Writer:
    """A writer that was never checked."""
    writer = Writer(comeet.sandbox, tmp_path)
    writer.config["base_url"] = f"{comeet.url}/comeet"
    return writer


@pytest.fixture
def writer(without_ledger: Writer) -> Writer:
    """A writer whose check has made its ledger while Comeet was empty."""
    status = without_ledger.check().status()
    if status["status"] != "SUCCEEDED":
        pytest.fail(status["message"])
    without_ledger.sandbox.reset_log()
    return without_ledger


@pytest.fixture(params=["sqlite", "postgres"])
def either_without_ledger(request: pytest.FixtureRequest, without_ledger: Writer) -> Writer:
    """A writer that was never checked, for a ledger of each kind."""
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").fresh()
        without_ledger.config["ledger"] = {"ledger_type": "postgres", "url": url}
    return without_ledger


@pytest.fixture
def either(either_without_ledger: Writer) -> Writer:
    """A writer with a ledger of each kind, made while Comeet was empty."""
    status = either_without_ledger.check().status()
    if status["status"] != "SUCCEEDED":
        pytest.fail(status["message"])
    either_without_ledger.sandbox.reset_log()
    return either_without_ledger
