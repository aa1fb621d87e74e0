"""Settings, catalogs and states that do not fit: a message with a remedy, and the rest is read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.configured import failure_types, section, source
from integration_tests.support.connector import SOURCE, Connector, state
from integration_tests.support.kombo import integrations, truth
from integration_tests.support.scripted_vendor import Answer, Request, scripted_vendor
from source_ats import commands
from source_ats.clock import SystemClock
from source_ats.config import parse

VENDOR = {
    "candidates": "kombo",
    "kombo_jobs": "kombo",
    "profiles": "talemetry",
    "candidate_history": "atz_crm",
    "atz_candidates": "atz_crm",
    "atz_deals": "atz_crm",
    "comeet_candidates": "comeet",
    "comeet_positions": "comeet",
}


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    """A few people for each vendor."""
    with Sandbox.start(candidates=8, accounts=1) as sandbox:
        sandbox.control("/_control/atz_crm/settings", {"rate_limit": None})
        yield sandbox


@pytest.fixture
def sandbox(world: Sandbox) -> Sandbox:
    """The same, without faults."""
    world.clear_faults()
    world.reset_log()
    return world


def connector_of(sandbox: Sandbox, folder: Path, *vendors: str) -> Connector:
    """Return the source for these vendors."""
    more = {"kombo": {"integration_ids": integrations(sandbox)}}
    sections = {name: section(name, sandbox.url, **more.get(name, {})) for name in vendors}
    return source(folder, **sections)


@pytest.mark.parametrize("start", ["2205-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("stream", VENDOR)
def test_a_start_date_in_the_future_is_a_config_error(
    sandbox: Sandbox, tmp_path: Path, stream: str, start: str
) -> None:
    connector = connector_of(sandbox, tmp_path, VENDOR[stream])
    connector.config["start_date"] = start
    run = connector.read_quickly(stream)
    assert run.code == 1
    assert {error["failure_type"] for error in run.errors()} == {"config_error"}
    assert "start_date" in run.errors()[0]["message"]
    (answer,) = connector.run_quickly("check").of("CONNECTION_STATUS")
    assert answer["status"] == "FAILED"
    assert "start_date" in answer["message"]


@pytest.mark.parametrize(("hours", "code"), [(23, 0), (25, 1)])
@pytest.mark.parametrize("stream", VENDOR)
def test_a_start_date_may_be_up_to_a_day_ahead(
    sandbox: Sandbox, tmp_path: Path, stream: str, hours: int, code: int
) -> None:
    connector = connector_of(sandbox, tmp_path, VENDOR[stream])
    connector.config["start_date"] = (
        (datetime.now(UTC) + timedelta(hours=hours)).replace(microsecond=0).isoformat()
    )
    assert connector.read_quickly(stream).code == code


@pytest.mark.parametrize("minutes", [0, 1, 4, 6, -10])
@pytest.mark.parametrize("stream", VENDOR)
def test_a_start_date_within_the_last_minutes_reads_nothing(
    sandbox: Sandbox, tmp_path: Path, stream: str, minutes: int
) -> None:
    connector = connector_of(sandbox, tmp_path, VENDOR[stream])
    start = (sandbox.now() - timedelta(minutes=minutes)).replace(microsecond=0).isoformat()
    connector.config["start_date"] = start
    run = connector.read_quickly(stream)
    assert (run.code, run.records(stream)) == (0, [])
    # What Spark plans with.
    partitioning = commands.stream(
        parse(connector.config).config, stream, SystemClock()
    ).partitioning
    if partitioning is not None:
        after = partitioning.plan({}, 4)
        pieces = partitioning.split({}, after, 4)
        assert [
            row for each in pieces for page in partitioning.pages(each) for row in page.records
        ] == []


@pytest.mark.parametrize("start", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00"])
@pytest.mark.parametrize("stream", VENDOR)
def test_a_start_date_at_the_beginning_of_time_reads_everything_or_is_a_config_error(
    sandbox: Sandbox, tmp_path: Path, stream: str, start: str
) -> None:
    connector = connector_of(sandbox, tmp_path, VENDOR[stream])
    connector.config["start_date"] = start
    if stream == "profiles":
        # Two thousand years of windows of the default length take minutes.
        connector.config["talemetry"]["window_days"] = 3650
    run = connector.read_quickly(stream)
    assert {error["failure_type"] for error in run.errors()} <= {"config_error"}
    assert run.code == (1 if run.errors() else 0)


@pytest.mark.parametrize("gone", ["profiles", "atz_candidates", "comeet_positions"])
def test_a_stream_whose_section_is_gone_fails_alone(
    sandbox: Sandbox, tmp_path: Path, gone: str
) -> None:
    run = connector_of(sandbox, tmp_path, "kombo").read_quickly("candidates", gone)
    assert run.code == 1
    assert {row["id"] for row in run.records()} == set(truth(sandbox))
    assert run.statuses("candidates")[-1] == "COMPLETE"
    assert failure_types(run, gone) == ["config_error"]
    assert run.statuses(gone)[-1] == "INCOMPLETE"
    assert failure_types(run, "candidates") == []


def with_null_bookmarks(value: Any, key: str = "") -> Any:
    """Return a state with null in place of each time that is a bookmark."""
    if isinstance(value, dict):
        return {name: with_null_bookmarks(each, name) for name, each in value.items()}
    return None if key in {"updated_after", "listed_until", "updated_at"} else value


@pytest.mark.parametrize("stream", VENDOR)
def test_a_bookmark_that_is_null_is_a_config_error(
    sandbox: Sandbox, tmp_path: Path, stream: str
) -> None:
    connector = connector_of(sandbox, tmp_path, VENDOR[stream])
    kept = connector.read_quickly(stream).state(stream)
    damaged = with_null_bookmarks(kept)
    if damaged == kept:
        # Without a change to remember there is no bookmark: give it one of the documented name.
        damaged = {**kept, "updated_at": None}
    run = connector.read_quickly(stream, state=state(damaged, stream))
    assert failure_types(run, stream) == ["config_error"] or {
        error["failure_type"] for error in run.errors()
    } == {"config_error"}
    assert run.records(stream) == []


@pytest.mark.parametrize(("days", "code"), [(0.9, 0), (1.1, 1)])
@pytest.mark.parametrize("stream", ["candidates", "profiles", "candidate_history"])
def test_a_state_more_than_a_day_ahead_is_a_config_error(
    sandbox: Sandbox, tmp_path: Path, stream: str, days: float, code: int
) -> None:
    connector = connector_of(sandbox, tmp_path, VENDOR[stream])
    kept = connector.read_quickly(stream).state(stream)
    future = (sandbox.now() + timedelta(days=days)).replace(microsecond=0)
    text = future.isoformat().replace("+00:00", "Z")

    def moved(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: moved(each, name) for name, each in value.items()}
        return text if key in {"updated_after", "listed_until", "updated_at"} else value

    run = connector.read_quickly(stream, state=state(moved(kept), stream))
    assert run.code == code
    assert {error["failure_type"] for error in run.errors()} == (
        {"config_error"} if code else set()
    )


@pytest.mark.parametrize(
    "time", ["9999-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00+01:00", "0000-00-00T00:00:00Z"]
)
@pytest.mark.parametrize("stream", ["candidate_history", "atz_candidates", "comeet_candidates",
                                    "comeet_positions", "candidates"])  # fmt: skip
def test_an_impossible_time_counts_as_none(
    sandbox: Sandbox, tmp_path: Path, stream: str, time: str
) -> None:
    connector = connector_of(sandbox, tmp_path, VENDOR[stream])
    whole = connector.read_quickly(stream)
    for route, at in (
        ("atz_crm.candidates", "0.updated_at"),
        ("atz_crm.history", "0.updated_at"),
        ("comeet.list", "candidates.0.time_last_status_changed"),
        ("comeet.positions", "positions.0.time_updated"),
        ("kombo.candidates", "data.results.0.changed_at"),
    ):
        sandbox.fault(route, "replace", at=at, value=time)
    run = connector.read_quickly(stream)
    assert run.code == 0, run.errors()
    assert len(run.records(stream)) == len(whole.records(stream))
    again = connector.read_quickly(stream, state=run.of("STATE")[-1:])
    assert again.code == 0, again.errors()
    assert "9999" not in json.dumps(again.of("STATE"))


def test_without_room_for_the_temporary_list_the_message_names_folder_and_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(request: Request) -> Answer:
        # More than SQLite keeps in memory: 20 MB.
        number = int(request.query["page"])
        slugs = [
            f"{number:04d}-{row:04d}-{'x' * 2000}" for row in range(100 if number < 101 else 0)
        ]
        return Answer([{"slug": slug, "id": slug} for slug in slugs])

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("SQLITE_TMPDIR", raising=False)
    with scripted_vendor(script) as vendor:
        connector = source(tmp_path, atz_crm=section("atz_crm", vendor.url))
        # No file of this process may be larger than a few blocks.
        connector.program = ("sh", "-c", 'ulimit -f 100; exec "$0" "$@"', SOURCE)
        run = connector.read("candidate_history")
    assert run.code == 1
    (error,) = run.errors()
    assert error["failure_type"] in {"config_error", "transient_error"}
    assert str(tmp_path) in error["message"]
    assert re.search(r"\d+(\.\d+)? ?[kMG]i?B", error["message"])


# What is sent, and what is remembered


@pytest.mark.parametrize("stream", ["candidates", "kombo_jobs"])
def test_the_start_date_is_sent_to_kombo(sandbox: Sandbox, tmp_path: Path, stream: str) -> None:
    connector = connector_of(sandbox, tmp_path, "kombo")
    connector.config["start_date"] = "2024-02-03T04:05:06Z"
    assert connector.read_quickly(stream).code == 0
    calls = sandbox.log(f"kombo.{stream.removeprefix('kombo_')}")
    assert calls
    assert {call["query"]["updated_after"] for call in calls} == {"2024-02-03T04:05:06.000Z"}


@pytest.mark.parametrize("stream", ["profiles", "candidate_history", "atz_candidates"])
def test_the_bookmark_of_a_window_or_pass_never_moves_back(tmp_path: Path, stream: str) -> None:
    with Sandbox.start(candidates=20, accounts=1) as sandbox:
        sandbox.control("/_control/atz_crm/settings", {"rate_limit": None})
        connector = connector_of(sandbox, tmp_path, VENDOR[stream])
        first = connector.read_quickly(stream)
        before = bookmarks(first.state(stream))
        assert before
        # The vendor's clock is put right.
        sandbox.advance(-2 * 3600)
        second = connector.read_quickly(stream, state=first.of("STATE")[-1:])
        assert second.code == 0, second.errors()
        assert bookmarks(second.state(stream)) == before
        connector.config["lookback_minutes"] = 300
        third = connector.read_quickly(stream, state=second.of("STATE")[-1:])
        assert bookmarks(third.state(stream)) == before


def bookmarks(value: Any, path: str = "") -> dict[str, datetime]:
    """Return the bookmarks of a state by their place."""
    found: dict[str, datetime] = {}
    for name, each in value.items():
        if isinstance(each, dict):
            found |= bookmarks(each, f"{path}/{name}")
        elif name in {"updated_after", "listed_until", "updated_at"} and each is not None:
            found[f"{path}/{name}"] = datetime.fromisoformat(each)
    return found
