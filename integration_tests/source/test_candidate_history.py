"""`candidate_history` through the console script, against the sandbox: what a user depends on."""

from __future__ import annotations

import json
import random
import signal
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.atz_crm import (
    STREAM,
    atz_connector,
    change,
    delivered,
    mark,
    pages,
    set_up,
    truth,
)
from integration_tests.support.connector import (
    Connector,
    MovingClock,
    QuickClock,
    Run,
    catalog,
)
from integration_tests.support.durations import HOUR

CANDIDATES = 130
PAGES = 3
PAGE_REQUESTS = 2 * (PAGES + 1)
"""The list is read twice, and its last page is short: the next one, empty, shows that."""


@pytest.fixture
def atz() -> Iterator[Sandbox]:
    """A sandbox with a few candidates, whose ATZ CRM does not limit the rate."""
    with Sandbox.start(candidates=CANDIDATES) as sandbox:
        set_up(sandbox, rate_limit=None)
        yield sandbox


@pytest.fixture
def connector(atz: Sandbox, tmp_path: Path) -> Connector:
    """The source, as fast as it may be."""
    return atz_connector(atz, tmp_path)


def asked(sandbox: Sandbox) -> list[str]:
    """Return the slugs whose history was asked for, in the order of the calls."""
    return [call["path"].split("/")[4] for call in sandbox.log("atz_crm.history")]


def has_asked(sandbox: Sandbox, count: int) -> bool:
    """Return True if this many histories were requested."""
    return len(asked(sandbox)) >= count


def in_progress(run: Run) -> dict[str, Any]:
    """Return what the last state says of the pass that goes on."""
    progress: dict[str, Any] = run.state(STREAM)["in_progress"]
    return progress


# The whole way


def test_every_history_is_read_once_and_then_only_what_changed(
    atz: Sandbox, connector: Connector
) -> None:
    first = connector.read(STREAM)
    assert first.code == 0
    assert delivered(first) == truth(atz)
    assert len(pages(atz)) + len(asked(atz)) == PAGE_REQUESTS + CANDIDATES
    assert Counter(asked(atz)).most_common(1)[0][1] == 1
    assert set(Counter(row["id"] for row in first.records(STREAM)).values()) == {1}

    atz.advance(HOUR)
    changed = change(atz, new=6, moved_stage=5, edited_comment=4, touched=3, deleted=2)
    atz.advance(60)
    atz.reset_log()
    second = connector.read(STREAM, state=first.of("STATE"))
    expected = truth(atz)
    found = delivered(first, second)
    assert {slug: found[slug] for slug in expected} == expected
    assert set(found) - set(expected) <= set(changed["deleted"])
    news = {*changed["new"], *changed["moved_stage"], *changed["edited_comment"]} & set(expected)
    assert {row["candidate_slug"] for row in second.records(STREAM)} == news
    read_at: dict[str, set[str]] = defaultdict(set)
    for row in second.records(STREAM):
        read_at[row["candidate_slug"]].add(row["read_at"])
    assert all(len(times) == 1 for times in read_at.values())
    assert len(asked(atz)) == CANDIDATES + 6 - 2

    atz.reset_log()
    third = connector.read(STREAM, state=second.of("STATE"))
    assert third.records(STREAM) == []
    assert len(pages(atz)) + len(asked(atz)) == PAGE_REQUESTS + CANDIDATES + 4


def test_an_edited_row_keeps_its_id(atz: Sandbox, connector: Connector) -> None:
    first = connector.read(STREAM)
    atz.advance(HOUR)
    change(atz, edited_comment=40)
    second = connector.read(STREAM, state=first.of("STATE"))
    before = {row["id"] for row in first.records(STREAM)}
    after = {row["id"] for row in second.records(STREAM)}
    assert after
    assert after <= before


def test_of_changed_candidates_only_those_that_changed_are_asked(
    atz: Sandbox, connector: Connector
) -> None:
    connector.config["atz_crm"]["history_of"] = "changed_candidates"
    set_up(atz, history_bumps_candidate=True)
    first = connector.read(STREAM)
    assert delivered(first) == truth(atz)
    atz.advance(HOUR)
    changed = change(atz, new=2, moved_stage=5, touched=3)
    atz.reset_log()
    second = connector.read(STREAM, state=first.of("STATE"))
    assert set(asked(atz)) == {*changed["new"], *changed["moved_stage"], *changed["touched"]}
    assert len(asked(atz)) == 10
    assert delivered(first, second) == truth(atz)


def test_of_one_job_only(atz: Sandbox, connector: Connector) -> None:
    jobs = Counter(row["job_slug"] for rows in truth(atz).values() for row in rows)
    connector.config["atz_crm"]["job_slug"] = jobs.most_common(1)[0][0]
    run = connector.read(STREAM)
    assert {row["job_slug"] for row in run.records(STREAM)} == {jobs.most_common(1)[0][0]}
    assert len(run.records(STREAM)) == jobs.most_common(1)[0][1]


def test_rows_that_become_visible_late_are_read_within_the_lookback(
    atz: Sandbox, connector: Connector
) -> None:
    connector.config["lookback_minutes"] = 60
    atz.advance(2 * HOUR)
    change(atz, new=5, moved_stage=5, visible_after_seconds=50 * 60)
    first = connector.read(STREAM)
    assert delivered(first) == truth(atz)
    atz.advance(51 * 60)
    second = connector.read(STREAM, state=first.of("STATE"))
    assert delivered(first) != truth(atz)
    assert delivered(first, second) == truth(atz)


def test_a_second_sync_within_the_hours_between_passes_reads_nothing(
    atz: Sandbox, connector: Connector
) -> None:
    connector.config["atz_crm"]["min_hours_between_passes"] = 3
    first = connector.read(STREAM)
    atz.advance(2.9 * HOUR)
    change(atz, moved_stage=3)
    atz.reset_log()
    second = connector.read(STREAM, state=first.of("STATE"))
    assert second.code == 0
    assert (asked(atz), pages(atz)) == ([], [1])
    assert second.state(STREAM) == first.state(STREAM)
    assert "min_hours_between_passes" in second.logs("INFO")
    atz.advance(0.2 * HOUR)
    third = connector.read(STREAM, state=second.of("STATE"))
    assert delivered(first, third) == truth(atz)


def test_a_full_refresh_resumes_in_the_same_generation(atz: Sandbox, connector: Connector) -> None:
    wanted = catalog(STREAM, mode="full_refresh", generation=3)
    reading = connector.start(catalog=wanted)
    assert reading.wait_until(lambda: len(asked(atz)) >= 50)
    first = reading.end(signal.SIGTERM)
    assert first.code == 143
    second = connector.run("read", catalog=wanted, state=first.of("STATE"))
    assert delivered(first, second) == truth(atz)
    assert len(second.records(STREAM)) < len(delivered(second)) * 7
    assert set(Counter(row["id"] for row in first.records(STREAM) + second.records(STREAM))) == {
        row["id"] for run in (first, second) for row in run.records(STREAM)
    }
    again = connector.run("read", catalog=wanted, state=second.of("STATE"))
    assert again.records(STREAM) == []
    assert again.code == 0


# Servers of every kind


@pytest.mark.parametrize(
    "settings",
    [
        {"envelope": "data"},
        {"envelope": "data_data", "sort_field_parameter": "sortByColumn"},
        {"max_limit": 30},
        {"max_limit": 40, "over_max_limit": 400},
        {"max_limit": 50, "over_max_limit": 422, "sort_field_parameter": "neither"},
        {"unknown_sort": 400, "sort_field_parameter": "sortByColumn"},
        {"with_updated_at": False, "list_direction": "desc", "sort_field_parameter": "neither"},
        {"empty_history": "null"},
        {"empty_history": 404},
        {"list_order": "updated_at", "sort_field_parameter": "neither"},
    ],
    ids=str,
)
def test_all_are_read_whatever_the_server_is_like(
    atz: Sandbox, connector: Connector, settings: dict[str, Any]
) -> None:
    set_up(atz, **settings)
    run = connector.read_quickly(STREAM)
    assert run.code == 0
    assert delivered(run) == truth(atz)


def test_a_server_that_ignores_the_page_is_an_error(atz: Sandbox, connector: Connector) -> None:
    set_up(atz, ignore_page=True)
    run = connector.read_quickly(STREAM)
    assert run.code == 1
    assert [each["failure_type"] for each in run.errors()] == ["system_error"]
    assert asked(atz) == []


@pytest.mark.parametrize("kind", ["html", "empty", "truncate", "reset", "bad_gzip", "lost_answer"])
def test_broken_answers_cost_time_and_nothing_else(
    atz: Sandbox, connector: Connector, kind: str
) -> None:
    atz.fault("atz_crm.*", kind, probability=0.1)
    run = connector.read_quickly(STREAM)
    assert run.code == 0
    assert delivered(run) == truth(atz)


def test_changes_while_reading_are_in_this_run_or_the_next(
    atz: Sandbox, connector: Connector
) -> None:
    """Candidates are added and deleted and slip from page to page, all the while."""
    connector.config["atz_crm"]["page_size"] = 10
    reading = connector.start(catalog=catalog(STREAM))
    gone: set[str] = set()
    while reading.goes_on():
        gone |= set(change(atz, new=1, moved_stage=1, deleted=1, touched=1)["deleted"])
    first = reading.end()
    assert first.code == 0
    second = connector.read(STREAM, state=first.of("STATE"))
    found = delivered(first, second)
    expected = truth(atz)
    assert {slug: found.get(slug) for slug in expected} == expected
    assert set(found) - set(expected) <= gone


def test_only_get_is_sent(atz: Sandbox, connector: Connector) -> None:
    connector.read_quickly(STREAM)
    assert connector.run("check").of("CONNECTION_STATUS")[0]["status"] == "SUCCEEDED"
    assert {call["method"] for call in atz.log("*")} == {"GET"}
    assert set(atz.counts()) <= {"atz_crm.candidates", "atz_crm.history"}


# Cut and resumed


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_run_resumes_from_its_last_printed_state(
    atz: Sandbox, connector: Connector, seed: int
) -> None:
    """SIGKILL at a moment chosen by dice, several times over."""
    dice = random.Random(seed)
    runs: list[Run] = []
    last: list[Any] = []
    for _ in range(3):
        reading = connector.start(catalog=catalog(STREAM), state=last)
        wanted = dice.randint(1, 40)
        atz.reset_log()
        reading.wait_until(partial(has_asked, atz, wanted))
        runs.append(reading.end(signal.SIGKILL))
        _assert_only_the_rest_was_asked(atz, last)
        last = runs[-1].of("STATE")[-1:] or last
    atz.reset_log()
    runs.append(connector.read(STREAM, state=last))
    _assert_only_the_rest_was_asked(atz, last)
    assert delivered(*runs) == truth(atz)
    assert len(pages(atz)) == PAGE_REQUESTS
    assert all(len(json.dumps(each)) < 1000 for run in runs for each in run.states(STREAM))


def _assert_only_the_rest_was_asked(atz: Sandbox, states: list[Any]) -> None:
    after = ""
    if states:
        after = states[0]["stream"]["stream_state"].get("in_progress", {}).get("after_slug", "")
    assert all(slug > after for slug in asked(atz))
    assert max(Counter(asked(atz)).values(), default=1) == 1


def test_sigterm_ends_the_run_in_order(atz: Sandbox, connector: Connector) -> None:
    reading = connector.start(catalog=catalog(STREAM))
    assert reading.wait_until(lambda: len(asked(atz)) >= 60)
    first = reading.end(signal.SIGTERM)
    assert first.code == 143
    assert first.statuses(STREAM)[-1] == "INCOMPLETE"
    assert first.errors() == []
    # What went out is covered by the last state: no row comes twice.
    second = connector.read(STREAM, state=first.of("STATE"))
    seen = Counter(row["id"] for row in [*first.records(STREAM), *second.records(STREAM)])
    assert set(seen.values()) == {1}
    assert delivered(first, second) == truth(atz)


def test_the_bookmark_is_when_the_first_of_several_runs_began(
    atz: Sandbox, connector: Connector
) -> None:
    reading = connector.start(catalog=catalog(STREAM))
    assert reading.wait_until(lambda: len(asked(atz)) >= 60)
    first = reading.end(signal.SIGTERM)
    done = in_progress(first)["after_slug"]
    atz.advance(5 * HOUR)
    # Somebody changes whose turn has passed: the pass that goes on does not see it, the next does.
    behind = min(slug for slug in truth(atz) if slug <= done)
    change(atz, moved_stage=[behind])
    second = connector.read(STREAM, state=first.of("STATE"))
    assert second.state(STREAM)["updated_at"] == in_progress(first)["started_at"]
    third = connector.read(STREAM, state=second.of("STATE"))
    assert {row["candidate_slug"] for row in third.records(STREAM)} >= {behind}
    assert delivered(first, second, third) == truth(atz)


# Children set aside


@pytest.mark.parametrize("status", [400, 422, 500])
def test_one_that_is_refused_is_set_aside_until_it_answers(
    atz: Sandbox, connector: Connector, status: int
) -> None:
    slug = sorted(truth(atz))[40]
    mark(atz, slug, status)
    first = connector.read_quickly(STREAM)
    assert first.code == 0
    assert first.statuses(STREAM)[-1] == "COMPLETE"
    assert set(first.state(STREAM)["set_aside"]) == {slug}
    assert slug in first.logs("WARN")
    assert delivered(first).keys() == truth(atz).keys() - {slug}
    atz.advance(HOUR)
    second = connector.read_quickly(STREAM, state=first.of("STATE"))
    assert second.state(STREAM)["set_aside"] == first.state(STREAM)["set_aside"]
    assert slug in second.logs("WARN")
    mark(atz, slug, None)
    atz.reset_log()
    third = connector.read(STREAM, state=second.of("STATE"))
    assert {row["candidate_slug"] for row in third.records(STREAM)} == {slug}
    # Requests in flight at the same time may arrive in any order.
    assert slug in asked(atz)[:20]
    assert "set_aside" not in third.state(STREAM)
    assert delivered(first, second, third) == truth(atz)


@pytest.mark.parametrize(("count", "minutes"), [(1, 1), (50, 5)])
def test_histories_that_always_draw_server_errors_cost_minutes_in_every_run(
    atz: Sandbox, connector: Connector, count: int, minutes: int
) -> None:
    aside = set(sorted(truth(atz))[20 : 20 + count])
    for slug in aside:
        mark(atz, slug, 500)
    state: list[Any] = []
    for _ in range(2):
        clock = QuickClock(threading.Event())
        run = connector.run_quickly("read", clock=clock, catalog=catalog(STREAM), state=state)
        assert run.code == 0, run.errors()
        assert set(run.state(STREAM)["set_aside"]) == aside
        assert clock.waited < minutes * 60
        state = run.of("STATE")[-1:]
        atz.advance(HOUR)


def test_history_that_is_not_found_once_is_read_in_the_same_run(
    atz: Sandbox, connector: Connector
) -> None:
    slug = sorted(truth(atz))[40]
    atz.fault("atz_crm.history", "status", status=404, containing=slug, times=1)
    run = connector.read_quickly(STREAM)
    assert run.code == 0
    assert delivered(run) == truth(atz)
    assert "set_aside" not in run.state(STREAM)
    assert Counter(asked(atz))[slug] == 2


def test_history_that_stays_not_found_is_set_aside_while_the_candidate_is_listed(
    atz: Sandbox, connector: Connector
) -> None:
    slug = sorted(truth(atz))[40]
    mark(atz, slug, 404)
    first = connector.read_quickly(STREAM)
    assert first.code == 0
    assert delivered(first).keys() == truth(atz).keys() - {slug}
    assert set(first.state(STREAM)["set_aside"]) == {slug}
    assert slug in first.logs("WARN")
    atz.advance(HOUR)
    mark(atz, slug, None)
    second = connector.read_quickly(STREAM, state=first.of("STATE"))
    assert delivered(first, second) == truth(atz)
    assert "set_aside" not in second.state(STREAM)


def test_candidate_that_is_deleted_while_it_is_set_aside_is_forgotten(
    atz: Sandbox, connector: Connector
) -> None:
    slug = sorted(truth(atz))[40]
    mark(atz, slug, 404)
    first = connector.read_quickly(STREAM)
    change(atz, deleted=[slug])
    second = connector.read_quickly(STREAM, state=first.of("STATE"))
    assert second.code == 0
    assert "set_aside" not in second.state(STREAM)


def test_more_than_100_histories_that_are_not_found_are_people_without_a_job(
    tmp_path: Path,
) -> None:
    with Sandbox.start(candidates=900) as sandbox:
        set_up(sandbox, rate_limit=None, empty_history=404)
        without = 900 - len(truth(sandbox))
        assert without > 100
        run = atz_connector(sandbox, tmp_path, page_size=100).read_quickly(STREAM)
        assert run.code == 0
        assert delivered(run) == truth(sandbox)
        assert "set_aside" not in run.state(STREAM)
        assert f"404 for the histories of {without} candidates" in run.logs("INFO")
        assert len(asked(sandbox)) == 900


def test_an_outage_sets_nobody_aside_and_the_next_run_resumes(
    atz: Sandbox, connector: Connector
) -> None:
    atz.fault("atz_crm.history", "status", status=503, after=70)
    first = connector.read_quickly(STREAM)
    assert first.code == 1
    assert [each["failure_type"] for each in first.errors()] == ["transient_error"]
    assert "set_aside" not in first.state(STREAM)
    atz.clear_faults()
    atz.reset_log()
    second = connector.read_quickly(STREAM, state=first.of("STATE"))
    assert second.code == 0
    done = in_progress(first)["after_slug"]
    assert done
    assert all(slug > done for slug in asked(atz))
    assert len(asked(atz)) < CANDIDATES - 60
    assert delivered(first, second) == truth(atz)


# The budget


def limited(**settings: Any) -> dict[str, Any]:
    return {"mode": "fixed", "retry_after": "none", "count_refused": False, **settings}


@pytest.mark.parametrize("mode", ["fixed", "sliding"])
def test_the_rate_limit_is_used_and_not_exceeded(tmp_path: Path, mode: str) -> None:
    """By the sandbox's clock, so the machine's speed makes no difference."""
    limit, window = 600, 600
    with Sandbox.start(candidates=700) as sandbox:
        set_up(sandbox, rate_limit=limited(limit=limit, window_seconds=window, mode=mode))
        clock = MovingClock(sandbox)
        connector = atz_connector(sandbox, tmp_path, requests_per_minute=60)
        run = connector.run_quickly("read", catalog=catalog(STREAM), clock=clock)
        assert run.code == 0
        requests = sandbox.log("atz_crm.*")
        assert {request["status"] for request in requests} == {200}
        # It waits no longer than 97 % of the limit would make it wait.
        assert clock.waited <= len(requests) * (window / limit) / 0.97
        # And not much less: what the machine needed itself is all that can be missing.
        assert clock.waited > 0.5 * len(requests) * (window / limit)
        assert delivered(run) == truth(sandbox)


@pytest.mark.parametrize("retry_after", ["none", "seconds", "date"])
@pytest.mark.parametrize("mode", ["fixed", "sliding"])
def test_a_429_is_waited_out_and_said(tmp_path: Path, retry_after: str, mode: str) -> None:
    """Somebody else uses the same token: the limit is reached though we keep to ours."""
    with Sandbox.start(candidates=60) as sandbox:
        set_up(
            sandbox,
            rate_limit=limited(limit=40, window_seconds=4, mode=mode, retry_after=retry_after),
        )
        run = atz_connector(sandbox, tmp_path, requests_per_minute=3000).read(STREAM)
        assert run.code == 0
        assert delivered(run) == truth(sandbox)
        refused = sandbox.counts()["atz_crm.history"].get("429", 0)
        assert refused > 0
        if retry_after != "none":
            # One that is told to wait keeps the others from trying.
            assert refused <= 4 * 3
        assert "RATE_LIMITED" in run.statuses(STREAM)
        resets = [
            datetime.fromtimestamp(
                reason["rate_limited"]["quota_reset"] / 1000, sandbox.now().tzinfo
            )
            for trace in run.of("TRACE")
            for reason in trace.get("stream_status", {}).get("reasons", [])
        ]
        assert all(abs(each - sandbox.now()) < timedelta(minutes=2) for each in resets)
        assert run.statuses(STREAM)[-2:] == ["RUNNING", "COMPLETE"]


def test_how_many_there_are_is_said_at_the_beginning(atz: Sandbox, connector: Connector) -> None:
    run = connector.read(STREAM)
    estimates = [trace["estimate"] for trace in run.of("TRACE") if trace["type"] == "ESTIMATE"]
    assert estimates[0] == {"name": STREAM, "type": "STREAM", "row_estimate": CANDIDATES}


# Check


def test_check_names_the_key_to_change(atz: Sandbox, connector: Connector) -> None:
    connector.config["atz_crm"] |= {"access_token": "another"}
    (status,) = connector.run("check").of("CONNECTION_STATUS")
    assert status["status"] == "FAILED"
    assert "atz_crm.access_token" in status["message"]
    assert "another" not in status["message"].split("atz_crm.access_token")[0]


FAILURES: dict[str, dict[str, Any]] = {
    "refused": {"kind": "status", "status": 422},
    "down": {"kind": "status", "status": 503},
    "unknown shape": {"kind": "body", "body": "42"},
    "no permission": {"kind": "status", "status": 403},
}


@pytest.mark.parametrize("failure", FAILURES)
def test_check_succeeds_if_deals_can_be_read_and_names_the_streams_that_cannot(
    atz: Sandbox, connector: Connector, failure: str
) -> None:
    atz.fault("atz_crm.candidates", **FAILURES[failure])
    (status,) = connector.run_quickly("check").of("CONNECTION_STATUS")
    assert status["status"] == "SUCCEEDED", status
    expected = "atz_candidates and candidate_history cannot be read: "
    assert status["message"].startswith(expected)
    atz.fault("atz_crm.deals", **FAILURES[failure])
    (status,) = connector.run_quickly("check").of("CONNECTION_STATUS")
    assert status["status"] == "FAILED"
    assert status["message"].count("candidate_history") == 0


def test_an_unknown_token_ends_the_stream_as_a_matter_of_configuration(
    atz: Sandbox, connector: Connector
) -> None:
    connector.config["atz_crm"] |= {"access_token": "another"}
    run = connector.read(STREAM)
    assert run.code == 1
    assert [each["failure_type"] for each in run.errors()] == ["config_error"]
    # A 401 without a code is asked about once more, as a gateway may have sent it.
    assert len(pages(atz)) == 2
