"""Talemetry: events that once worked, and how long people who draw errors are waited for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.configured import failure_types, section, source
from integration_tests.support.connector import Connector, QuickClock, catalog
from integration_tests.support.durations import DAY, MINUTE
from integration_tests.support.talemetry import change


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A Talemetry of its own, with 120 people."""
    with Sandbox.start(candidates=120, accounts=1) as running:
        yield running


@pytest.fixture
def connector(sandbox: Sandbox, tmp_path: Path) -> Connector:
    """The source, configured for it."""
    return source(tmp_path, talemetry=section("talemetry", sandbox.url))


def people(sandbox: Sandbox) -> list[str]:
    """Return the ids of those who are there."""
    rows = sandbox.truth("/_control/talemetry/truth")
    return sorted(row["id"] for row in rows if not row["deleted"])


@pytest.mark.parametrize("status", [400, 403, 404])
@pytest.mark.parametrize("event", ["updated", "deleted"])
def test_an_event_that_once_worked_and_is_refused_keeps_its_window_open(
    sandbox: Sandbox, connector: Connector, event: str, status: int
) -> None:
    first = connector.read_quickly("profiles")
    sandbox.advance(DAY)
    second = connector.read_quickly("profiles", state=first.of("STATE")[-1:])
    assert second.code == 0
    ids = change(sandbox, changed=3, deleted=2)
    sandbox.advance(DAY)
    sandbox.fault("talemetry.ids", "status", status=status, containing=f'"{event}"')
    refused = connector.read_quickly("profiles", state=second.of("STATE")[-1:])
    assert refused.code == 1
    assert failure_types(refused, "profiles") in (["transient_error"], ["config_error"])
    sandbox.clear_faults()
    sandbox.advance(DAY)
    last = connector.read_quickly("profiles", state=refused.of("STATE")[-1:])
    assert last.code == 0
    read = {row["id"]: row["is_deleted"] for row in (*refused.records("profiles"),
                                                     *last.records("profiles"))}  # fmt: skip
    assert {key for key in read if not read[key]} >= set(ids["changed"]) - set(ids["deleted"])
    assert {key for key in read if read[key]} >= set(ids["deleted"])


@pytest.mark.parametrize("status", [400, 403, 404])
@pytest.mark.parametrize("event", ["updated", "deleted"])
def test_an_event_that_never_worked_is_read_without(
    sandbox: Sandbox, connector: Connector, event: str, status: int
) -> None:
    sandbox.fault("talemetry.ids", "status", status=status, containing=f'"{event}"')
    first = connector.read_quickly("profiles")
    assert first.code == 0
    new = change(sandbox, new=3)["new"]
    sandbox.advance(DAY)
    second = connector.read_quickly("profiles", state=first.of("STATE")[-1:])
    assert second.code == 0
    assert {row["id"] for row in second.records("profiles")} >= set(new)
    assert second.logs("WARN")


def timed(connector: Connector, **options: Any) -> tuple[Any, float]:
    """Read; return the run and the seconds that it waited."""
    clock = QuickClock(threading.Event())
    run = connector.run_quickly("read", clock=clock, catalog=catalog("profiles"), **options)
    return run, clock.waited


def test_details_that_fail_from_the_first_read_on_end_it_within_ten_minutes(
    sandbox: Sandbox, connector: Connector
) -> None:
    sandbox.fault("talemetry.profiles", "status", status=503)
    run, waited = timed(connector)
    assert failure_types(run, "profiles") == ["transient_error"]
    assert waited < 10 * MINUTE
    assert "set_aside" not in json.dumps(run.of("STATE"))


def test_one_person_who_always_draws_a_server_error_is_found_within_a_minute(
    sandbox: Sandbox, connector: Connector
) -> None:
    everybody = people(sandbox)
    sandbox.fault("talemetry.profiles", "status", status=500, containing=everybody[40])
    run, waited = timed(connector)
    assert run.code == 0, run.errors()
    assert list(run.state("profiles")["set_aside"]) == [everybody[40]]
    assert {row["id"] for row in run.records("profiles")} == set(everybody) - {everybody[40]}
    assert waited < MINUTE


def test_fifty_people_set_aside_cost_minutes_and_the_state_moves_meanwhile(
    sandbox: Sandbox, connector: Connector
) -> None:
    first = connector.read_quickly("profiles")
    kept = first.state("profiles")
    aside = people(sandbox)[:50]
    since = sandbox.now().replace(microsecond=0).isoformat().replace("+00:00", "Z")
    kept["set_aside"] = dict.fromkeys(aside, since)
    for guid in aside:
        sandbox.fault("talemetry.profiles", "status", status=500, containing=guid)
    new = change(sandbox, new=3)["new"]
    sandbox.advance(DAY)
    states = first.of("STATE")[-1:]
    states[0]["stream"]["stream_state"] = kept
    run, waited = timed(connector, state=states)
    assert run.code == 0, run.errors()
    assert set(run.state("profiles")["set_aside"]) == set(aside)
    assert {row["id"] for row in run.records("profiles")} >= set(new)
    assert waited < 5 * MINUTE


def windows(sandbox: Sandbox) -> list[tuple[str, datetime, datetime]]:
    """Return the event, beginning and end of each window that was asked for, without repeats."""
    found = []
    for each in sandbox.look("/_control/talemetry/asked"):
        wanted = each["body"].get("DateTimeRange") if each["endpoint"].endswith("ids") else None
        if wanted:
            window = (
                wanted["Event"],
                datetime.fromisoformat(wanted["From"]),
                datetime.fromisoformat(wanted["To"]),
            )
            if window not in found:
                found.append(window)
    return found


@pytest.mark.parametrize("lookback", [0, 60, 10_080])
def test_windows_share_a_second_and_are_never_shorter_than_the_lookback(
    sandbox: Sandbox, tmp_path: Path, lookback: int
) -> None:
    talemetry = section("talemetry", sandbox.url, window_days=1)
    connector = source(tmp_path, lookback_minutes=lookback, talemetry=talemetry)
    connector.config["start_date"] = (
        (sandbox.now() - timedelta(days=30)).replace(microsecond=0).isoformat()
    )
    assert connector.read_quickly("profiles").code == 0
    created = [(start, end) for event, start, end in windows(sandbox) if event == "created"]
    assert created
    for (_, end), (start, _) in pairwise(created):
        assert end - start == timedelta(seconds=1), "changes between two windows would be lost"
    for start, end in created[:-1]:
        assert end - start >= timedelta(minutes=lookback)


def test_a_run_after_a_window_that_an_earlier_run_began_looks_back(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    talemetry = section("talemetry", sandbox.url, page_size=10)
    connector = source(tmp_path, lookback_minutes=60, talemetry=talemetry)
    first = connector.read_quickly("profiles")
    sandbox.advance(DAY)
    change(sandbox, changed=40)
    sandbox.advance(MINUTE * 10)
    sandbox.fault("talemetry.ids", "status", status=503, after=2)
    cut = connector.read_quickly("profiles", state=first.of("STATE")[-1:])
    assert failure_types(cut, "profiles") == ["transient_error"]
    assert "in_progress" in cut.state("profiles")
    # Within the window that is being read, but visible only now.
    late = change(sandbox, changed=2, at=_text(sandbox.now() - timedelta(minutes=10)))["changed"]
    sandbox.clear_faults()
    sandbox.advance(MINUTE * 20)
    resumed = connector.read_quickly("profiles", state=cut.of("STATE")[-1:])
    sandbox.advance(MINUTE * 20)
    last = connector.read_quickly("profiles", state=resumed.of("STATE")[-1:])
    versions = {row["id"] for row in (*resumed.records("profiles"), *last.records("profiles"))}
    assert versions >= set(late)


def _text(moment: datetime) -> str:
    return moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")
