"""Each stream read twice: nothing is lost, nothing repeated without need, no state misunderstood.

Airbyte's retired acceptance tests did this; the standard tests that took their place do not. All
streams are read by the same runs, so that another stream costs next to nothing here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support import saved_states
from integration_tests.support.connector import Connector, Run, catalog, state
from integration_tests.support.durations import HOUR
from integration_tests.support.every_stream import STREAMS, Case, Held, Row, upserted

NAMES = [case.name for case in STREAMS]
SAVED = saved_states.files()
TODAY = version("airbyte-source-ats")

every_stream = pytest.mark.parametrize("case", STREAMS, ids=lambda case: case.name)


def every_saved_stream(kind: str) -> pytest.MarkDecorator:
    """Run a test for each version and stream whose state of this kind was saved."""
    return pytest.mark.parametrize(
        ("written_by", "case"),
        [
            pytest.param(written_by, case, id=f"{written_by}-{case.name}")
            for written_by, file in sorted(SAVED.items())
            for case in STREAMS
            if kind in file["streams"].get(case.name, ())
        ],
    )


def of_whom(case: Case, run: Run) -> set[str]:
    """Return of whom rows came."""
    return {row[case.counted] for row in run.records(case.name)}


@dataclass(frozen=True, slots=True)
class Reads:
    """Three reads of all streams, each from the state of the one before; changes after the first.

    `held` is what a warehouse held after the first two, and what it should have held, by stream.
    """

    runs: list[Run]
    changed: dict[str, set[str]]
    held: list[dict[str, tuple[Held, Held]]]


@pytest.fixture(scope="module")
def reads(tmp_path_factory: pytest.TempPathFactory) -> Reads:
    """Read everything, let things happen, read again, and once more."""
    with saved_states.world() as sandbox:
        source = saved_states.connector(sandbox, tmp_path_factory.mktemp("reads"))
        first = source.read(*NAMES)
        held = [_compared(sandbox, first)]
        sandbox.advance(HOUR)
        changed = {case.name: case.change(sandbox) for case in STREAMS}
        sandbox.advance(HOUR)
        second = source.read(*NAMES, state=first.of("STATE"))
        held.append(_compared(sandbox, first, second))
        third = source.read(*NAMES, state=second.of("STATE"))
    return Reads([first, second, third], changed, held)


def _compared(sandbox: Sandbox, *runs: Run) -> dict[str, tuple[Held, Held]]:
    found = {}
    for case in STREAMS:
        rows: list[Row] = [row for run in runs for row in run.records(case.name)]
        found[case.name] = case.compared(upserted(rows, case.key), case.truth(sandbox))
    return found


@every_stream
def test_the_first_read_brings_everything_once(reads: Reads, case: Case) -> None:
    assert reads.runs[0].code == 0
    held, truth = reads.held[0][case.name]
    assert held
    assert held == truth
    rows = reads.runs[0].records(case.name)
    assert len(rows) == len(upserted(rows, case.key))


@every_stream
def test_the_second_read_brings_what_changed_and_nothing_else(reads: Reads, case: Case) -> None:
    assert reads.runs[1].code == 0
    held, truth = reads.held[1][case.name]
    assert held == truth
    assert of_whom(case, reads.runs[1]) == reads.changed[case.name]


@every_stream
def test_a_read_after_which_nothing_changed_brings_nothing(reads: Reads, case: Case) -> None:
    assert reads.runs[2].code == 0
    assert reads.runs[2].records(case.name) == []


# From a saved state


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox such as the saved states were written with; nothing changes in it."""
    with saved_states.world() as running:
        yield running


@pytest.fixture(scope="module")
def source(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Connector:
    """The source as it was configured when the states were written."""
    return saved_states.connector(sandbox, tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def everybody(source: Connector) -> Run:
    """A read of everything."""
    return source.read(*NAMES)


def saved(written_by: str, kind: str, sandbox: Sandbox) -> dict[str, Any]:
    """Return the saved states of a kind, by stream, as if they had been written now."""
    file = SAVED[written_by]
    written_at = datetime.fromisoformat(file["written_at"])
    return {
        name: saved_states.moved(kinds[kind]["state"], written_at, sandbox)
        for name, kinds in file["streams"].items()
        if kind in kinds
    }


def as_file(states: dict[str, Any]) -> list[Any]:
    """Return the content of a state file."""
    return [each for name, content in states.items() for each in state(content, name)]


@pytest.fixture(scope="module")
def from_finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """By version: the states, whose rows changed since, and a read of all streams."""
    found = {}
    for written_by in SAVED:
        with saved_states.world() as sandbox:
            source = saved_states.connector(sandbox, tmp_path_factory.mktemp("finished"))
            states = saved(written_by, "finished", sandbox)
            sandbox.advance(HOUR)
            changed = {case.name: case.change(sandbox) for case in STREAMS}
            sandbox.advance(HOUR)
            found[written_by] = states, changed, source.read(*states, state=as_file(states))
    return found


@every_saved_stream("finished")
def test_the_state_of_a_finished_read_is_gone_on_from(
    from_finished: dict[str, Any], written_by: str, case: Case
) -> None:
    states, changed, run = from_finished[written_by]
    assert run.code == 0
    set_aside = set(states[case.name].get("set_aside", {}))
    assert of_whom(case, run) == changed[case.name] | set_aside


KINDS = {"in progress": "incremental", "full refresh in progress": "full_refresh"}


@pytest.fixture(scope="module")
def from_progress(sandbox: Sandbox, source: Connector) -> dict[tuple[str, str], Run]:
    """By version and kind: a read of all streams from where the state was written."""
    found = {}
    for written_by in SAVED:
        for kind, mode in KINDS.items():
            states = saved(written_by, kind, sandbox)
            wanted = catalog(*states, mode=mode, generation=saved_states.GENERATION)
            found[written_by, kind] = source.run("read", catalog=wanted, state=as_file(states))
    return found


@pytest.mark.parametrize("kind", KINDS)
@every_saved_stream("in progress")
def test_the_state_of_a_read_in_progress_is_gone_on_from(
    from_progress: dict[tuple[str, str], Run],
    everybody: Run,
    written_by: str,
    case: Case,
    kind: str,
) -> None:
    run = from_progress[written_by, kind]
    assert run.code == 0
    out = set(SAVED[written_by]["streams"][case.name][kind]["out"].split())
    assert case.repeats or of_whom(case, run) & out == set()
    assert of_whom(case, run) | out == of_whom(case, everybody)


@every_stream
def test_the_states_of_this_version_are_saved(case: Case, reads: Reads) -> None:
    """If not: `python -m integration_tests.support.saved_states`."""
    today = reads.runs[0].state(case.name)
    kept = SAVED[TODAY]["streams"][case.name]["finished"]["state"]
    # Nobody is refused today.
    assert shape({key: kept[key] for key in kept if key != "set_aside"}) == shape(today)


def shape(content: Any) -> Any:
    """Return a state without its values. All accounts look alike."""
    if not isinstance(content, dict):
        return type(content)
    return {key.partition(":")[0]: shape(value) for key, value in content.items()}


@pytest.fixture(scope="module", params=["finished", "in progress"])
def from_the_future(
    request: pytest.FixtureRequest, sandbox: Sandbox, source: Connector
) -> tuple[dict[str, Any], Run]:
    """States that somebody with a wrong clock wrote, or by hand, and a read from them."""
    # Of a stream that is read at once there is the state of a finished read only.
    states = saved(TODAY, "finished", sandbox) | saved(TODAY, request.param, sandbox)
    states = json.loads(re.sub(r'"\d{4}-', '"2999-', json.dumps(states)))
    return states, source.read(*states, state=as_file(states))


@every_stream
def test_a_state_from_the_future_is_a_config_error(
    from_the_future: tuple[dict[str, Any], Run], case: Case
) -> None:
    """Taken as it is, nothing would be read for years, without a sign."""
    states, run = from_the_future
    assert run.code == 1
    (error,) = [
        each for each in run.errors() if each.get("stream_descriptor", {}).get("name") == case.name
    ]
    assert error["failure_type"] == "config_error"
    assert "2999-" in error["message"]
    assert "clear it" in error["message"]
    # A Kombo integration fails alone: those that the state does not name are read.
    integrations = states[case.name].get("integrations", {})
    assert all(
        integrations and row["integration_id"] not in integrations for row in run.records(case.name)
    )
    for stored in run.states(case.name):
        assert integrations
        assert stored["integrations"].items() >= integrations.items()
