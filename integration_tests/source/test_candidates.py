"""`candidates` through the console script, against the sandbox: what a user depends on."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import AirbyteMessageSerializer

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import Connector, Run, catalog, state, table
from integration_tests.support.durations import DAY
from integration_tests.support.kombo import (
    change,
    integrations,
    known,
    known_truth,
    kombo_connector,
    pages_of,
    truth,
)


@pytest.fixture
def connector(sandbox: Sandbox, tmp_path: Path) -> Connector:
    """The source, configured for all integrations of the sandbox."""
    return kombo_connector(sandbox, tmp_path)


def calls(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return the calls for candidates so far."""
    return sandbox.log("kombo.candidates")


def test_every_row_is_read_once_and_then_only_changes(tmp_path: Path) -> None:
    with Sandbox.start(candidates=20_000) as sandbox:
        connector = kombo_connector(sandbox, tmp_path)
        first = connector.read()
        assert first.code == 0
        seen = Counter(row["id"] for row in first.records())
        assert len(seen) == 20_000
        assert set(seen.values()) == {1}
        assert known(table(first)) == known_truth(sandbox)
        sizes = [each["size"] for each in sandbox.look("/_control/kombo/integrations")]
        assert len(calls(sandbox)) == sum(pages_of(size) for size in sizes)
        assert sum(each["sourceStats"]["recordCount"] for each in first.of("STATE")) == 20_000

        sandbox.advance(3600)
        changed = change(sandbox, new=40, changed=30, nested=20, deleted=10)
        sandbox.advance(60)
        sandbox.reset_log()
        second = connector.read(state=first.of("STATE"))
        assert {row["id"] for row in second.records()} == {
            each for ids in changed.values() for each in ids
        }
        assert known(table(first, second)) == known_truth(sandbox)
        assert len(calls(sandbox)) == len(sizes)

        before = table(first)
        for each in changed["nested"]:
            assert table(second)[each]["changed_at"] == before[each]["changed_at"]
            assert table(second)[each] != before[each]
        for each in changed["deleted"]:
            assert table(second)[each]["remote_deleted_at"] is not None

        sandbox.reset_log()
        third = connector.read(state=second.of("STATE"))
        assert third.records() == []
        assert len(calls(sandbox)) == len(sizes)


def test_rows_that_become_visible_late_are_read_within_the_lookback(
    sandbox: Sandbox, connector: Connector
) -> None:
    connector.config["lookback_minutes"] = 60
    sandbox.advance(2 * 3600)
    change(sandbox, new=5, changed=5, nested=5, visible_after_seconds=50 * 60)
    first = connector.read()
    sandbox.advance(51 * 60)
    second = connector.read(state=first.of("STATE"))
    assert known(table(first)) != known_truth(sandbox)
    assert known(table(first, second)) == known_truth(sandbox)


def test_changes_while_reading_are_in_this_run_or_the_next(
    sandbox: Sandbox, connector: Connector
) -> None:
    connector.config["kombo"]["page_size"] = 50
    sandbox.fault("kombo.candidates", "delay", delay_seconds=0.03)
    reading = connector.start(catalog=catalog())
    while reading.goes_on():
        change(sandbox, new=1, changed=2, nested=1, deleted=1)
    first = reading.end()
    assert first.code == 0
    second = connector.read(state=first.of("STATE"))
    assert known(table(first, second)) == known_truth(sandbox)


@pytest.mark.parametrize("seed", range(5))
def test_a_killed_run_resumes_from_its_last_printed_state(
    sandbox: Sandbox, connector: Connector, seed: int
) -> None:
    """SIGKILL after a random page, three times."""
    connector.config["kombo"]["page_size"] = 20
    # One list at a time, so that it is known which integration is in progress.
    connector.config["kombo"]["concurrent_requests"] = 1
    sandbox.fault("kombo.candidates", "delay", delay_seconds=0.02)
    dice = random.Random(seed)
    runs: list[Run] = []
    last: list[Any] = []
    repeated = made = 0
    for _ in range(3):
        sandbox.reset_log()
        runs.append(_killed_after(connector, dice.randint(1, 35), last))
        last = runs[-1].of("STATE")[-1:] or last
        asked = [call["query"].get("cursor") for call in calls(sandbox)]
        going_on = _cursor(last)
        repeated += len(asked) - asked.index(going_on) if going_on in asked else 0
        made += len(asked)
    sandbox.reset_log()
    runs.append(connector.read(state=last))
    assert known(table(*runs)) == known_truth(sandbox)
    sizes = [each["size"] for each in sandbox.look("/_control/kombo/integrations")]
    made += len(calls(sandbox))
    assert made == sum(-(-size // 20) for size in sizes) + repeated


def test_a_run_killed_while_integrations_are_read_side_by_side_loses_nothing(
    sandbox: Sandbox, connector: Connector
) -> None:
    connector.config["kombo"]["page_size"] = 20
    sandbox.fault("kombo.candidates", "delay", delay_seconds=0.02)
    runs: list[Run] = []
    last: list[Any] = []
    for pages in (3, 20, 11):
        runs.append(_killed_after(connector, pages, last))
        last = runs[-1].of("STATE")[-1:] or last
    assert max(each["in_flight"] for each in calls(sandbox)) == 3
    runs.append(connector.read(state=last))
    assert known(table(*runs)) == known_truth(sandbox)


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_integrations_are_read_side_by_side_within_the_limit(
    sandbox: Sandbox, connector: Connector, limit: int
) -> None:
    assert len(integrations(sandbox)) == 3
    connector.config["kombo"].update(concurrent_requests=limit, page_size=100)
    sandbox.fault("kombo.candidates", "delay", delay_seconds=0.1)
    run = connector.read()
    assert known(table(run)) == known_truth(sandbox)
    assert max(each["in_flight"] for each in calls(sandbox)) == min(limit, 3)


def _killed_after(connector: Connector, pages: int, last: list[Any]) -> Run:
    """Run until this many pages were printed, kill the process, and return what it had printed."""
    reading = connector.start(catalog=catalog(), state=last)
    reading.wait_for_records(pages * 20)
    return reading.end(signal.SIGKILL)


def _cursor(states: list[Any]) -> str | None:
    for entry in states[0]["stream"]["stream_state"]["integrations"].values() if states else ():
        if "in_progress" in entry:
            return str(entry["in_progress"]["cursor"])
    return None


def interrupted(sandbox: Sandbox, connector: Connector) -> Run:
    """Return a run that was ended by SIGTERM in the middle of the first integration."""
    connector.config["kombo"]["page_size"] = 100
    # One list at a time, so that it is known which integration is in progress.
    connector.config["kombo"]["concurrent_requests"] = 1
    sandbox.fault("kombo.candidates", "delay", delay_seconds=0.2)
    reading = connector.start(catalog=catalog())
    assert reading.wait_until(lambda: len(calls(sandbox)) >= 4)
    run = reading.end(signal.SIGTERM)
    sandbox.clear_faults()
    return run


def test_sigterm_ends_the_run_cleanly(sandbox: Sandbox, connector: Connector) -> None:
    run = interrupted(sandbox, connector)
    assert run.code == 143
    assert run.statuses()[-1] == "INCOMPLETE"
    assert run.errors() == []
    assert run.stderr == ""
    assert [each["type"] for each in run.messages if each["type"] != "LOG"][-1] == "TRACE"
    # Everything that went out is covered by the last state: no page is read twice.
    sandbox.reset_log()
    rest = connector.read(state=run.of("STATE"))
    seen = Counter(row["id"] for row in [*run.records(), *rest.records()])
    assert set(seen.values()) == {1}
    assert known(table(run, rest)) == known_truth(sandbox)


@pytest.mark.parametrize("what", ["refused", "empty", "a day old", "a day old by offset"])
def test_a_resumed_cursor_that_no_longer_works_restarts_the_read_once(
    sandbox: Sandbox, connector: Connector, what: str
) -> None:
    if what == "a day old by offset":
        sandbox.control("/_control/kombo/settings", {"cursor_mode": "offset"})
    first = interrupted(sandbox, connector)
    assert _cursor(first.of("STATE")[-1:])
    if what in {"refused", "empty"}:
        sandbox.control("/_control/kombo/settings", {"cursors": what})
    else:
        sandbox.advance(25 * 3600)
        change(sandbox, new=20, changed=300, nested=50, deleted=20)
    sandbox.reset_log()
    second = connector.read(state=first.of("STATE"))
    assert second.code == 0
    assert second.errors() == []
    assert known(table(first, second)) == known_truth(sandbox)
    sizes = [
        len(list(sandbox.truth("/_control/kombo/truth", integration_id=each)))
        for each in integrations(sandbox)
    ]
    if what == "empty":
        said = "candidates: Integration {}: reading again from the bookmark."
        lines = second.logs("INFO").splitlines()
        assert any(said.format(each) in lines for each in integrations(sandbox))
    # One call finds out, then everything is read from the beginning, once.
    assert len(calls(sandbox)) == 1 + sum(-(-size // 100) for size in sizes)


def test_a_cursor_refused_in_the_middle_restarts_the_read_once(
    sandbox: Sandbox, connector: Connector
) -> None:
    # One list at a time, so that it is a page in the middle of a list that is refused.
    connector.config["kombo"].update(page_size=100, concurrent_requests=1)
    refused = {"status": "error", "error": {"code": "PLATFORM.INPUT_INVALID", "message": "no"}}
    sandbox.fault("kombo.candidates", "status", status=400, body=refused, after=5, times=1)
    run = connector.read()
    assert run.code == 0
    assert known(table(run)) == known_truth(sandbox)


def test_a_cursor_that_is_always_refused_is_an_error_without_a_loop(
    sandbox: Sandbox, connector: Connector
) -> None:
    # One list at a time, so that it is a page in the middle of a list that is refused.
    connector.config["kombo"].update(page_size=100, concurrent_requests=1)
    refused = {"status": "error", "error": {"code": "PLATFORM.INPUT_INVALID", "message": "no"}}
    sandbox.fault("kombo.candidates", "status", status=400, body=refused, after=5)
    run = connector.read()
    assert run.code == 1
    assert [each["failure_type"] for each in run.errors()] == ["system_error"]
    assert len(calls(sandbox)) < 12


def test_full_refresh_ignores_old_state_and_resumes_in_its_generation(
    sandbox: Sandbox, connector: Connector
) -> None:
    everything = known_truth(sandbox)
    incremental = connector.read()
    first = connector.run(
        "read",
        catalog=catalog(mode="full_refresh", generation=4),
        state=incremental.of("STATE"),
    )
    assert known(table(first)) == everything
    again = connector.run(
        "read", catalog=catalog(mode="full_refresh", generation=4), state=first.of("STATE")
    )
    assert again.records() == []
    assert again.statuses()[-1] == "COMPLETE"
    other = connector.run(
        "read", catalog=catalog(mode="full_refresh", generation=5), state=first.of("STATE")
    )
    assert known(table(other)) == everything


@pytest.mark.parametrize("generation", [7, None])
def test_a_second_attempt_at_a_full_refresh_resumes(
    sandbox: Sandbox, connector: Connector, generation: int | None
) -> None:
    wanted = catalog(mode="full_refresh", generation=generation)
    connector.config["kombo"]["page_size"] = 100
    sandbox.fault("kombo.candidates", "delay", delay_seconds=0.1)
    reading = connector.start(catalog=wanted)
    assert reading.wait_until(lambda: len(calls(sandbox)) >= 5)
    first = reading.end(signal.SIGTERM)
    sandbox.clear_faults()
    second = connector.run("read", catalog=wanted, state=first.of("STATE"))
    assert 0 < len(second.records()) < 2_000
    assert known(table(first, second)) == known_truth(sandbox)
    # Where nothing tells attempts apart, a finished read is followed by a new one.
    third = connector.run("read", catalog=wanted, state=second.of("STATE"))
    assert len(third.records()) == (2_000 if generation is None else 0)


def test_another_start_date_reads_from_there_again(sandbox: Sandbox, connector: Connector) -> None:
    first = connector.read()
    start = sandbox.now() - timedelta(days=365)
    connector.config["start_date"] = start.isoformat()
    second = connector.read(state=first.of("STATE"))
    assert "read again" in second.logs("INFO")
    recent = {
        key
        for key, row in truth(sandbox).items()
        if datetime.fromisoformat(row["changed_at"]) > start
    }
    assert 0 < len(recent) < 2_000
    assert recent <= set(table(second))
    assert second.state()["selection"] != first.state()["selection"]
    third = connector.read(state=second.of("STATE"))
    assert third.records() == []


def test_a_removed_integration_is_dropped_and_read_in_full_when_it_comes_back(
    sandbox: Sandbox, connector: Connector
) -> None:
    ids = integrations(sandbox)
    first = connector.read()
    connector.config["kombo"]["integration_ids"] = ids[:2]
    second = connector.read(state=first.of("STATE"))
    assert list(second.state()["integrations"]) == ids[:2]
    connector.config["kombo"]["integration_ids"] = ids
    third = connector.read(state=second.of("STATE"))
    assert known(table(third)) == known_truth(sandbox, ids[2])


@pytest.mark.parametrize("empty", [None, {}])
def test_an_empty_state_means_none(connector: Connector, empty: dict[str, Any] | None) -> None:
    run = connector.read(state=state(empty))
    assert len(run.records()) == 2_000
    other = connector.read(state=[*state({"what": "ever"}, stream="gone"), *state(empty)])
    assert len(other.records()) == 2_000


def test_a_full_read_when_the_last_one_is_old(sandbox: Sandbox, connector: Connector) -> None:
    first = connector.read()
    sandbox.advance(6 * DAY)
    assert connector.read(state=first.of("STATE")).records() == []
    second = connector.read(state=first.of("STATE"))
    sandbox.advance(2 * DAY)
    third = connector.read(state=second.of("STATE"))
    assert len(third.records()) == 2_000
    assert connector.read(state=third.of("STATE")).records() == []
    connector.config["kombo"]["full_read_every_days"] = 0
    sandbox.advance(9 * DAY)
    assert connector.read(state=third.of("STATE")).records() == []
    sandbox.advance(5 * DAY)
    # Rows deleted since the bookmark may be gone by now.
    assert len(connector.read(state=third.of("STATE")).records()) == 2_000


NOT_READABLE = [
    ("INTEGRATION.SETUP_SYNC_PENDING", 409, "first sync", "transient_error"),
    ("INTEGRATION.SETUP_SYNC_PENDING", 503, "first sync", "transient_error"),
    ("INTEGRATION.SETUP_INCOMPLETE", 409, "not set up", "config_error"),
    ("INTEGRATION.INACTIVE", 400, "switched off", "config_error"),
    ("INTEGRATION.AUTHENTICATION_INVALID", 400, "reconnect", "config_error"),
    ("INTEGRATION.MODEL_DISABLED", 400, "scope configuration", "config_error"),
]


@pytest.mark.parametrize(("code", "status", "words", "failure"), NOT_READABLE)
def test_an_integration_that_cannot_be_read_is_left_out(  # noqa: PLR0913 - the table's columns
    sandbox: Sandbox, connector: Connector, code: str, status: int, words: str, failure: str
) -> None:
    ids = integrations(sandbox)
    first = connector.read()
    answers = {"error": code, "error_status": status}
    sandbox.control("/_control/kombo/integration", {"integration_id": ids[1], **answers})
    change(sandbox, new=30)
    sandbox.advance(60)
    second = connector.read(state=first.of("STATE"))
    assert second.code == 0
    assert second.statuses()[-1] == "COMPLETE"
    assert ids[1] in second.logs("WARN")
    assert words in second.logs("WARN")
    kept, before = second.state()["integrations"], first.state()["integrations"]
    assert kept[ids[1]] == before[ids[1]]
    assert kept[ids[0]] != before[ids[0]]
    others = known_truth(sandbox, ids[0], ids[2])
    assert known(table(first, second)).items() >= others.items()

    for each in ids:
        sandbox.control("/_control/kombo/integration", {"integration_id": each, **answers})
    third = connector.read(state=second.of("STATE"))
    assert third.code == 1
    assert [each["failure_type"] for each in third.errors()] == [failure]
    assert words in third.errors()[0]["message"]


def test_one_broken_integration_does_not_stop_the_others(
    sandbox: Sandbox, connector: Connector
) -> None:
    ids = integrations(sandbox)
    broken = {"integration_id": ids[0], "error": "PLATFORM.UNKNOWN_ERROR", "error_status": 500}
    sandbox.control("/_control/kombo/integration", broken)
    run = connector.read_quickly()
    assert run.code == 1
    assert run.statuses()[-1] == "INCOMPLETE"
    assert [each["failure_type"] for each in run.errors()] == ["transient_error"]
    assert known(table(run)) == known_truth(sandbox, ids[1], ids[2])
    assert set(run.state()["integrations"]) == {ids[1], ids[2]}
    sandbox.control("/_control/kombo/integration", {**broken, "error": None})
    assert known(table(run, connector.read(state=run.of("STATE")))) == known_truth(sandbox)


def test_an_unknown_integration_is_a_config_error_after_the_others_were_read(
    sandbox: Sandbox, connector: Connector
) -> None:
    unknown = "greenhouse:000000000000000000000000"
    connector.config["kombo"]["integration_ids"].insert(0, unknown)
    run = connector.read()
    assert run.code == 1
    assert known(table(run)) == known_truth(sandbox)
    (error,) = run.errors()
    assert error["failure_type"] == "config_error"
    assert unknown in error["message"]
    assert "kombo.integration_ids" in error["message"]


def test_a_bad_key_is_a_config_error_at_once(sandbox: Sandbox, connector: Connector) -> None:
    connector.config["kombo"]["api_key"] = "ks_dev_wrong_canary"
    run = connector.read()
    assert run.code == 1
    (error,) = run.errors()
    assert error["failure_type"] == "config_error"
    assert "kombo.api_key" in error["message"]
    assert len(calls(sandbox)) == 1
    checked = connector.run("check")
    assert checked.of("CONNECTION_STATUS")[0]["status"] == "FAILED"
    assert "kombo.api_key" in checked.of("CONNECTION_STATUS")[0]["message"]
    assert "canary" not in json.dumps([run.messages, checked.messages])


def test_check_lists_what_cannot_be_read_and_fails_only_if_nothing_can(
    sandbox: Sandbox, connector: Connector
) -> None:
    ids = integrations(sandbox)
    assert connector.run("check").of("CONNECTION_STATUS")[0]["status"] == "SUCCEEDED"
    for integration_id, trouble in zip(
        ids,
        ({"status": "INVALID"}, {"setup_status": "FINAL_SYNC_PENDING"}, {"status": "INACTIVE"}),
        strict=True,
    ):
        checked = connector.run("check").of("CONNECTION_STATUS")[0]
        assert checked["status"] == "SUCCEEDED"
        sandbox.control(
            "/_control/kombo/integration", {"integration_id": integration_id, **trouble}
        )
    checked = connector.run("check").of("CONNECTION_STATUS")[0]
    assert checked["status"] == "FAILED"
    for each in [*ids, "reconnect", "first sync", "switched off"]:
        assert each in checked["message"]
    sandbox.control("/_control/kombo/integration", {"integration_id": ids[0], "status": "ACTIVE"})
    checked = connector.run("check").of("CONNECTION_STATUS")[0]
    assert checked["status"] == "SUCCEEDED"
    assert ids[0] not in checked["message"]
    assert ids[1] in checked["message"]


def test_no_rows_are_healthy(tmp_path: Path) -> None:
    with Sandbox.start(candidates=1, accounts=3) as sandbox:
        connector = kombo_connector(sandbox, tmp_path)
        assert connector.run("check").of("CONNECTION_STATUS")[0]["status"] == "SUCCEEDED"
        run = connector.read()
        assert run.code == 0
        assert known(table(run)) == known_truth(sandbox)
        assert len(run.state()["integrations"]) == 3


@pytest.mark.parametrize("retry_after", [False, True])
def test_the_rate_limit_is_obeyed_and_shown(
    sandbox: Sandbox, connector: Connector, retry_after: bool
) -> None:
    # Side by side, an answer of the window before may come last on a busy machine.
    connector.config["kombo"] |= {"page_size": 100, "concurrent_requests": 1}
    limit = {"limit": 10, "window_seconds": 2}
    sandbox.control("/_control/kombo/settings", {"rate_limit": limit, "retry_after": retry_after})
    run = connector.read()
    assert known(table(run)) == known_truth(sandbox)
    assert "429" not in sandbox.counts()["kombo.candidates"]
    statuses = run.statuses()
    assert "RATE_LIMITED" in statuses
    assert statuses[statuses.index("RATE_LIMITED") + 1] == "RUNNING"
    (first, *_) = [
        trace["stream_status"]["reasons"][0]
        for trace in run.of("TRACE")
        if trace.get("stream_status", {}).get("reasons")
    ]
    now = time.time() * 1000
    assert now - 60_000 < first["rate_limited"]["quota_reset"] < now + 60_000


def test_a_rate_limit_used_up_by_others_is_waited_for(
    sandbox: Sandbox, connector: Connector
) -> None:
    sandbox.fault(
        "kombo.candidates", "status", status=429, headers={"Retry-After": "2"}, after=3, times=2
    )
    run = connector.read()
    assert run.code == 0
    assert known(table(run)) == known_truth(sandbox)
    assert "RATE_LIMITED" in run.statuses()


def test_a_wait_of_more_than_15_minutes_ends_the_stream_and_names_the_time(
    sandbox: Sandbox, connector: Connector
) -> None:
    connector.config["kombo"]["page_size"] = 100
    sandbox.fault(
        "kombo.candidates", "status", status=429, headers={"Retry-After": "3600"}, after=3
    )
    run = connector.read()
    assert run.code == 1
    (error,) = run.errors()
    assert error["failure_type"] == "transient_error"
    allowed = sandbox.now() + timedelta(hours=1)
    assert f"{allowed:%Y-%m-%dT%H}" in error["message"]
    sandbox.clear_faults()
    assert known(table(run, connector.read(state=run.of("STATE")))) == known_truth(sandbox)


FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "body": "<html>busy</html>"},
    {"kind": "reset"},
    {"kind": "truncate"},
    {"kind": "html"},
    {"kind": "empty"},
    {"kind": "bad_gzip"},
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault['kind']}")
def test_passing_faults_lose_nothing(
    sandbox: Sandbox, connector: Connector, fault: dict[str, Any]
) -> None:
    connector.config["kombo"]["page_size"] = 100
    sandbox.fault("kombo.candidates", probability=0.3, **fault)
    run = connector.read_quickly()
    assert run.code == 0, run.errors()
    assert known(table(run)) == known_truth(sandbox)


def test_every_line_is_a_message_of_the_protocol(sandbox: Sandbox, connector: Connector) -> None:
    sandbox.fault("kombo.candidates", "status", status=503, times=1)
    runs = [connector.run("spec"), connector.run("check"), connector.run("discover")]
    runs.append(connector.read(debug=True))
    runs.append(connector.run("read", catalog={}))
    for run in runs:
        assert run.messages
        for message in run.messages:
            assert _holds(
                AirbyteMessageSerializer.dump(AirbyteMessageSerializer.load(message)), message
            )


def _holds(understood: object, printed: object) -> bool:
    """True if the CDK's models kept all that was printed; they add defaults of their own."""
    if isinstance(printed, dict) and isinstance(understood, dict):
        return all(_holds(understood.get(key), value) for key, value in printed.items())
    return understood == printed


def _canaries(sandbox: Sandbox) -> Iterator[str]:
    """Yield what must never be in a log: the key, and what the people of the sandbox are called."""
    yield "ks_dev_sandbox"
    for row in truth(sandbox).values():
        for address in row.get("email_addresses") or []:
            yield address["email_address"]
        yield from (phone["phone_number"] for phone in row.get("phone_numbers") or [])


def test_no_secret_and_no_personal_data_in_any_log(sandbox: Sandbox, connector: Connector) -> None:
    connector.config["kombo"]["page_size"] = 50
    for fault in FAULTS:
        sandbox.fault("kombo.candidates", probability=0.1, **fault)
    body = {"status": "error", "error": {"code": "PLATFORM.INPUT_INVALID", "message": "person1@"}}
    sandbox.fault("kombo.candidates", "status", status=400, body=body, probability=0.05)
    runs = [connector.read_quickly(debug=True) for _ in range(3)]
    runs += [connector.run("check", debug=True)]
    connector.config["kombo"]["api_key"] = "ks_dev_sandbox other"
    runs.append(connector.run("check", debug=True))
    printed = "".join(
        json.dumps([each for each in run.messages if each["type"] != "RECORD"]) + run.stderr
        for run in runs
    )
    assert "DEBUG" in printed
    assert len(printed) > 5_000
    for canary in _canaries(sandbox):
        assert canary not in printed
    assert "person1@" not in printed
    cursors = {call["query"].get("cursor") for call in calls(sandbox)} - {None}
    states = json.dumps([run.of("STATE") for run in runs])
    logs = "".join(json.dumps([run.of("LOG"), run.of("TRACE")]) for run in runs)
    assert any(cursor in states for cursor in cursors)
    assert not any(cursor in logs for cursor in cursors)


def test_every_request_has_exactly_the_documented_parameters(
    sandbox: Sandbox, connector: Connector
) -> None:
    """`start_date` is sent to Kombo, with every page; later runs send their bookmark."""
    connector.config["kombo"]["page_size"] = 100
    start = sandbox.now().replace(microsecond=0) - timedelta(days=365)
    connector.config["start_date"] = start.isoformat()
    first = connector.read()
    filters = {
        "page_size": "100",
        "include_deleted": "true",
        "updated_after": f"{start:%Y-%m-%dT%H:%M:%S}.000Z",
    }
    queries = [each["query"] for each in calls(sandbox)]
    first_pages = [each for each in queries if "cursor" not in each]
    assert first_pages == [filters] * 3
    assert len(queries) > 6
    for query in queries:
        assert {**query, "cursor": ""} == {**filters, "cursor": ""}

    sandbox.reset_log()
    connector.read(state=first.of("STATE"))
    bookmarks = [each["updated_after"] for each in first.state()["integrations"].values()]
    # The integrations are read side by side, in any order.
    assert sorted(each["query"]["updated_after"] for each in calls(sandbox)) == sorted(
        each.replace("Z", ".000Z") for each in bookmarks
    )
    for each in calls(sandbox):
        assert {**each["query"], "updated_after": ""} == {**filters, "updated_after": ""}


def test_a_bookmark_is_when_the_read_began_less_the_lookback(
    sandbox: Sandbox, connector: Connector
) -> None:
    """Also after an interruption; it moves forward with every run."""
    connector.config["lookback_minutes"] = 30
    first = interrupted(sandbox, connector)
    (progress,) = [each["in_progress"] for each in first.state()["integrations"].values()]
    sandbox.advance(3 * 3600)
    second = connector.read(state=first.of("STATE"))
    states = list(second.state()["integrations"].values())
    began = datetime.fromisoformat(progress["started_at"])
    assert states[0] == {
        "updated_after": utc(began - timedelta(minutes=30)),
        "full_read_at": utc(began),
    }
    for each in states[1:]:
        full_read_at = datetime.fromisoformat(each["full_read_at"])
        assert abs(sandbox.now() - full_read_at) < timedelta(minutes=5)
        assert each["updated_after"] == utc(full_read_at - timedelta(minutes=30))

    sandbox.advance(3600)
    third = connector.read(state=second.of("STATE"))
    for before, after in zip(states, third.state()["integrations"].values(), strict=True):
        assert after["updated_after"] > before["updated_after"]
        assert after["full_read_at"] == before["full_read_at"]


def utc(moment: datetime) -> str:
    """Return a time as states hold it."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize("field", ["updated_after", "full_read_at"])
def test_a_state_from_the_future_is_a_config_error(
    sandbox: Sandbox, connector: Connector, field: str
) -> None:
    ids = integrations(sandbox)
    stored = connector.read().state()
    sandbox.advance(60)
    for hours, is_error in ((25, True), (23, False)):
        future = utc(sandbox.now() + timedelta(hours=hours))
        entries = {**stored["integrations"]}
        entries[ids[0]] = {**entries[ids[0]], field: future}
        run = connector.read(state=state({**stored, "integrations": entries}))
        assert (run.code == 1) is is_error
        assert run.records() == []
        if is_error:
            (error,) = run.errors()
            assert error["failure_type"] == "config_error"
            assert ids[0] in error["message"]
            assert future in error["message"]
            # The others were read; the damaged entry is kept for a person to look at.
            assert run.state()["integrations"][ids[0]] == entries[ids[0]]
            assert run.state()["integrations"][ids[1]] != entries[ids[1]]


def test_cursors_that_go_round_are_an_error_after_the_first_repeat(
    sandbox: Sandbox, connector: Connector
) -> None:
    """The third page leads back to the second one."""
    connector.config["kombo"]["page_size"] = 100
    # One list at a time, so that it is known which integration is in progress.
    connector.config["kombo"]["concurrent_requests"] = 1
    ids = integrations(sandbox)
    connector.read()
    second = calls(sandbox)[1]["query"]["cursor"]
    third = calls(sandbox)[2]["query"]["cursor"]
    sandbox.reset_log()
    round_trip = {"at": "data.next", "value": second, "containing": third, "times": 5}
    sandbox.fault("kombo.candidates", "replace", **round_trip)
    run = connector.read()
    assert run.code == 1
    (error,) = run.errors()
    assert error["failure_type"] == "system_error"
    assert ids[0] in error["message"]
    assert [each["query"].get("cursor") for each in calls(sandbox)[:4]] == [
        None,
        second,
        third,
        None,
    ]
    assert known(table(run)).items() >= known_truth(sandbox, ids[1], ids[2]).items()
    # A later run that resumes there notices it too, and reads the rest once the list is right.
    sandbox.reset_log()
    again = connector.read(state=run.of("STATE"))
    assert [each["failure_type"] for each in again.errors()] == ["system_error"]
    assert len(calls(sandbox)) < 6
    sandbox.clear_faults()
    rest = connector.read(state=again.of("STATE"))
    assert rest.code == 0
    assert known(table(run, again, rest)) == known_truth(sandbox)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_html_page_in_the_middle_of_one_integration_fails_that_one_only(
    sandbox: Sandbox, connector: Connector, status: int
) -> None:
    connector.config["kombo"]["page_size"] = 100
    # One list at a time, so that it is known which integration is in progress.
    connector.config["kombo"]["concurrent_requests"] = 1
    ids = integrations(sandbox)
    connector.read()
    cursor = calls(sandbox)[1]["query"]["cursor"]
    sandbox.fault("kombo.candidates", "html", status=status, containing=cursor)
    run = connector.read_quickly()
    assert run.code == 1
    (error,) = run.errors()
    assert f"Integration {ids[0]}:" in error["message"]
    assert f"candidates {status}" in error["internal_message"]
    why = error["message"].partition(f"Integration {ids[0]}: ")[2]
    assert f"candidates: Integration {ids[0]} failed. {why} [" in run.logs("WARN")
    assert known(table(run)).items() >= known_truth(sandbox, ids[1], ids[2]).items()
    assert run.state()["integrations"][ids[0]]["in_progress"]["cursor"] == cursor
    if status == 404:
        # Not a wrong address, also if the next run begins at that page.
        again = connector.read_quickly(state=run.of("STATE"))
        types = [each["failure_type"] for each in (*run.errors(), *again.errors())]
        assert types == ["transient_error", "transient_error"]
    sandbox.clear_faults()
    rest = connector.read(state=run.of("STATE"))
    assert rest.code == 0
    assert known(table(run, rest)) == known_truth(sandbox)


def test_one_error_names_all_integrations_that_failed(
    sandbox: Sandbox, connector: Connector
) -> None:
    ids = integrations(sandbox)
    unknown = "greenhouse:000000000000000000000000"
    connector.config["kombo"]["integration_ids"] = [unknown, *ids]
    for each in ids[:2]:
        broken = {"integration_id": each, "error": "PLATFORM.UNKNOWN_ERROR", "error_status": 500}
        sandbox.control("/_control/kombo/integration", broken)
    run = connector.read_quickly()
    (error,) = run.errors()
    assert error["failure_type"] == "config_error"
    for each in [unknown, *ids[:2]]:
        assert each in error["message"]
    assert ids[2] not in error["message"]
    for word in ("candidates 404", "PLATFORM.INTEGRATION_NOT_FOUND", "candidates 500"):
        assert word in error["internal_message"]
    assert known(table(run)) == known_truth(sandbox, ids[2])


def test_where_an_integration_was_found_unreadable_is_in_the_error(
    sandbox: Sandbox, connector: Connector
) -> None:
    """Vendor, endpoint, status and code, when nothing could be read."""
    for each in integrations(sandbox):
        broken = {"integration_id": each, "error": "INTEGRATION.INACTIVE", "error_status": 400}
        sandbox.control("/_control/kombo/integration", broken)
    (error,) = connector.read().errors()
    assert "Kombo candidates 400" in error["internal_message"]
    assert "INTEGRATION.INACTIVE" in error["internal_message"]
    assert error["message"].count("switched off") == 1


@pytest.mark.parametrize("status", [503, 401, 404])
def test_check_succeeds_while_one_integration_does_not_answer(
    sandbox: Sandbox, connector: Connector, status: int
) -> None:
    ids = integrations(sandbox)
    only = ids[1].partition(":")[2]
    sandbox.fault("kombo.integration", "html", status=status, containing=only)
    checked = connector.run_quickly("check").of("CONNECTION_STATUS")[0]
    assert checked["status"] == "SUCCEEDED"
    assert f"Integration {ids[1]}:" in checked["message"]
    assert ids[0] not in checked["message"]
    assert ids[2] not in checked["message"]


def test_check_fails_if_no_integration_answers(sandbox: Sandbox, connector: Connector) -> None:
    sandbox.fault("kombo.candidates", "status", status=503)
    checked = connector.run_quickly("check").of("CONNECTION_STATUS")[0]
    assert checked["status"] == "FAILED"
    for each in integrations(sandbox):
        assert each in checked["message"]
