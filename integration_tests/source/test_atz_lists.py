"""`atz_candidates` and `atz_deals` through the console script, against the sandbox."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.atz_crm import (
    atz_connector,
    change,
    delivered,
    pages,
    set_up,
    truth,
)
from integration_tests.support.connector import Connector, Run, Table, catalog, table
from integration_tests.support.durations import HOUR
from integration_tests.support.every_stream import true_atz_list

CANDIDATES, DEALS, HISTORY = "atz_candidates", "atz_deals", "candidate_history"
PEOPLE = 130
PAGES = 3


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """A sandbox for all tests here, which look up what it holds when they need it."""
    with Sandbox.start(candidates=PEOPLE) as sandbox:
        set_up(sandbox, rate_limit=None)
        yield sandbox


@pytest.fixture
def atz(shared: Sandbox) -> Iterator[Sandbox]:
    """The sandbox, all well and with an empty log."""
    shared.reset_log()
    yield shared
    shared.clear_faults()
    set_up(shared, with_updated_at=True, envelope="array")


@pytest.fixture
def connector(atz: Sandbox, tmp_path: Path) -> Connector:
    """The source, as fast as it may be."""
    return atz_connector(atz, tmp_path)


def objects(sandbox: Sandbox, stream: str) -> Table:
    """Return what a list holds now, by slug."""
    return true_atz_list(stream.removeprefix("atz_"), sandbox)


def read(stream: str, *runs: Run) -> Table:
    return table(*runs, stream=stream, key="slug")


def calls(sandbox: Sandbox) -> dict[str, int]:
    return {name: many["total"] for name, many in sandbox.counts().items()}


def test_rows_are_as_declared_and_each_page_is_asked_for_twice(
    atz: Sandbox, connector: Connector
) -> None:
    (found,) = connector.run("discover").of("CATALOG")
    schemas = {each["name"]: each["json_schema"] for each in found["streams"]}
    assert set(schemas) == {CANDIDATES, DEALS, HISTORY}

    first = connector.read(CANDIDATES, DEALS)
    assert first.code == 0
    for stream in (CANDIDATES, DEALS):
        assert first.statuses(stream)[-1] == "COMPLETE"
        assert first.records(stream)
        for row in first.records(stream):
            jsonschema.validate(row, schemas[stream])
            assert row.keys() <= schemas[stream]["properties"].keys()
    # Only an empty page shows that the one before it is the last.
    assert calls(atz) == {"atz_crm.candidates": 2 * PAGES + 1, "atz_crm.deals": 3}


def test_who_is_new_comes_and_who_only_went_to_another_stage_does_not(
    atz: Sandbox, connector: Connector
) -> None:
    first = connector.read(CANDIDATES)
    atz.advance(HOUR)
    people = change(atz, new=6, moved_stage=4)
    atz.advance(60)
    second = connector.read(CANDIDATES, state=first.of("STATE"))
    assert set(read(CANDIDATES, second)) == set(people["new"])
    assert read(CANDIDATES, first, second) == objects(atz, CANDIDATES)


def test_only_what_is_selected_is_asked_for_and_the_list_once(
    atz: Sandbox, connector: Connector
) -> None:
    many = len(objects(atz, CANDIDATES))
    connector.read(DEALS)
    assert set(calls(atz)) == {"atz_crm.deals"}
    alone, both = [HISTORY], [CANDIDATES, HISTORY]
    for streams in (alone, both):
        atz.reset_log()
        run = connector.read(*streams)
        assert run.code == 0
        assert delivered(run) == truth(atz)
        assert len(read(CANDIDATES, run)) == (many if streams is both else 0)
        listings = 2 * PAGES + (1 if streams is both else 2)
        assert calls(atz) == {"atz_crm.candidates": listings, "atz_crm.history": many}


@pytest.mark.parametrize("said", [b'"in_progress"', b'"backwards":true'])
def test_a_killed_run_resumes_from_its_last_printed_state(
    atz: Sandbox, connector: Connector, said: bytes
) -> None:
    """Cut once while the list is read forwards, and once on the way back."""
    connector.config["atz_crm"] |= {"page_size": 10, "concurrent_requests": 1}
    many = len(objects(atz, CANDIDATES))
    last_page = -(-many // 10)
    atz.fault("atz_crm.candidates", "delay", delay_seconds=0.15)
    reading = connector.start(catalog=catalog(CANDIDATES))
    assert reading.wait_until(lambda: said in reading.printed())
    first = reading.end(signal.SIGKILL)
    atz.clear_faults()
    state = first.state(CANDIDATES)["in_progress"]
    assert ("backwards" in state) is (b"backwards" in said)

    atz.reset_log()
    second = connector.read(CANDIDATES, state=first.of("STATE"))
    assert second.code == 0
    forwards = [] if "backwards" in state else range(state["page"] + 1, last_page + 2)
    backwards = range(state["page"] - 1 if "backwards" in state else last_page, 0, -1)
    assert pages(atz) == [1, *forwards, *backwards]
    assert read(CANDIDATES, first, second) == objects(atz, CANDIDATES)


def test_candidates_that_do_not_say_when_they_changed_come_every_time(
    atz: Sandbox, connector: Connector
) -> None:
    set_up(atz, with_updated_at=False, envelope="data_data")
    first = connector.read(CANDIDATES)
    second = connector.read(CANDIDATES, state=first.of("STATE"))
    assert read(CANDIDATES, first) == read(CANDIDATES, second) == objects(atz, CANDIDATES)


def test_changes_while_a_list_is_read_are_in_this_run_or_the_next(
    atz: Sandbox, connector: Connector
) -> None:
    connector.config["atz_crm"]["page_size"] = 10
    atz.fault("atz_crm.candidates", "delay", delay_seconds=0.02)
    reading = connector.start(catalog=catalog(CANDIDATES))
    while reading.goes_on():
        change(atz, new=1, touched=1, deleted=1)
    first = reading.end()
    assert first.code == 0
    second = connector.read(CANDIDATES, state=first.of("STATE"))
    held = read(CANDIDATES, first, second)
    expected = objects(atz, CANDIDATES)
    assert {slug: held.get(slug) for slug in expected} == expected


def test_a_list_that_fails_leaves_the_other_streams_unharmed(
    atz: Sandbox, connector: Connector
) -> None:
    atz.fault("atz_crm.candidates", "status", status=500, after=1, times=9)
    atz.fault("atz_crm.deals", "status", status=403)
    run = connector.read_quickly(CANDIDATES, DEALS, HISTORY)
    assert run.code == 1
    assert run.statuses(CANDIDATES)[-1] == run.statuses(DEALS)[-1] == "INCOMPLETE"
    assert {each["failure_type"] for each in run.errors()} == {"transient_error", "config_error"}
    # It could not have the list of the other, so it asked for its own.
    assert run.statuses(HISTORY)[-1] == "COMPLETE"
    assert delivered(run) == truth(atz)
