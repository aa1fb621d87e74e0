"""Each stream read twice: nothing is lost, nothing repeated without need, no state misunderstood.

Airbyte's retired acceptance tests did this; the standard tests that took their place do not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from integration_tests import saved_states
from integration_tests.connector import Connector, Run, catalog, state
from integration_tests.every_stream import STREAMS, Case, Row, upserted
from integration_tests.sandbox.running import Sandbox

HOUR = 3600
SAVED = saved_states.files()

every_stream = pytest.mark.parametrize("case", STREAMS, ids=lambda case: case.name)
every_version = pytest.mark.parametrize("written_by", sorted(SAVED))


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox of its own, such as the saved states were written with."""
    with Sandbox.start(candidates=saved_states.CANDIDATES) as running:
        yield running


@pytest.fixture
def connector(case: Case, sandbox: Sandbox, tmp_path: Path) -> Connector:
    """The source with the one section that the stream belongs to."""
    return saved_states.connector(case, sandbox, tmp_path)


def rows(case: Case, *runs: Run) -> list[Row]:
    """Return what a warehouse holds after these runs."""
    return upserted(row for run in runs for row in run.records(case.name))


def of_whom(case: Case, run: Run) -> set[str]:
    """Return of whom rows came."""
    assert run.code == 0, run.errors()
    return {row[case.counted] for row in run.records(case.name)}


def saved(case: Case, written_by: str, kind: str, sandbox: Sandbox) -> tuple[Any, set[str]]:
    """Return a saved state as if it had been written now, and of whom rows were out then."""
    file = SAVED[written_by]
    found = file["streams"][case.name][kind]
    written_at = datetime.fromisoformat(file["written_at"])
    moved = saved_states.moved(found["state"], written_at, sandbox.now())
    return moved, set(found["out"].split())


@every_stream
def test_the_second_read_brings_what_changed_and_nothing_else(
    case: Case, sandbox: Sandbox, connector: Connector
) -> None:
    first = connector.read(case.name)
    held, truth = case.compared(sandbox, rows(case, first))
    assert held == truth
    assert len(first.records(case.name)) == len(rows(case, first))

    sandbox.advance(HOUR)
    changed = case.change(sandbox)
    sandbox.advance(HOUR)
    second = connector.read(case.name, state=first.of("STATE"))
    held, truth = case.compared(sandbox, rows(case, first, second))
    assert held == truth
    assert of_whom(case, second) == changed

    third = connector.read(case.name, state=second.of("STATE"))
    assert third.records(case.name) == []
    assert third.state(case.name).keys() == second.state(case.name).keys()


@every_stream
@every_version
def test_the_state_of_a_finished_read_is_gone_on_from(
    case: Case, written_by: str, sandbox: Sandbox, connector: Connector
) -> None:
    if case.name not in SAVED[written_by]["streams"]:
        return  # the stream is younger
    old, _ = saved(case, written_by, "finished", sandbox)
    sandbox.advance(HOUR)
    changed = case.change(sandbox)
    sandbox.advance(HOUR)
    run = connector.read(case.name, state=state(old, case.name))
    assert of_whom(case, run) == changed | set(old.get("set_aside", {}))


@every_stream
@every_version
@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
def test_the_state_of_a_read_in_progress_is_gone_on_from(
    case: Case, written_by: str, mode: str, sandbox: Sandbox, connector: Connector
) -> None:
    kind = {"incremental": "in progress", "full_refresh": "full refresh in progress"}[mode]
    if case.name not in SAVED[written_by]["streams"]:
        return  # the stream is younger
    old, out = saved(case, written_by, kind, sandbox)
    wanted = catalog(case.name, mode=mode, generation=saved_states.GENERATION)
    run = connector.run("read", catalog=wanted, state=state(old, case.name))
    assert of_whom(case, run) & out == set()
    everybody = of_whom(case, connector.read(case.name))
    assert of_whom(case, run) | out == everybody


def test_the_states_of_this_version_are_saved() -> None:
    """If not: `python -m integration_tests.saved_states`."""
    assert {case.name for case in STREAMS} <= set(SAVED[version("airbyte-source-ats")]["streams"])


@every_stream
@pytest.mark.parametrize("kind", ["finished", "in progress"])
def test_a_state_from_the_future_is_a_config_error(
    case: Case, kind: str, sandbox: Sandbox, connector: Connector
) -> None:
    """Taken as it is, nothing would be read for years, without a sign."""
    old, _ = saved(case, version("airbyte-source-ats"), kind, sandbox)
    future = json.loads(re.sub(r'"\d{4}-', '"2999-', json.dumps(old)))
    run = connector.read(case.name, state=state(future, case.name))
    assert run.code == 1
    (error,) = run.errors()
    assert error["failure_type"] == "config_error"
    assert "2999-" in error["message"]
    assert "clear it" in error["message"]
    assert run.of("STATE") == []
    assert run.statuses(case.name)[-1] == "INCOMPLETE"
