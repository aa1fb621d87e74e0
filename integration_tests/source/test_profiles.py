"""`profiles` through the console script, against the sandbox: what a user depends on."""

from __future__ import annotations

import json
import random
import signal
from collections import Counter
from datetime import timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.sandbox.talemetry.records import INCLUDE
from integration_tests.support.connector import Connector, Run, catalog, state
from integration_tests.support.durations import DAY, HOUR, MINUTE
from integration_tests.support.talemetry import (
    GONE,
    PEOPLE,
    ago,
    asked,
    change,
    forget,
    mark,
    moment,
    ranges,
    read,
    read_quickly,
    settings,
    table,
    talemetry_connector,
    total,
    truth,
)
from source_ats.vendors.talemetry.schemas import PROFILES

pytestmark = pytest.mark.people(PEOPLE)


@pytest.fixture
def connector(sandbox: Sandbox, tmp_path: Path) -> Connector:
    """The source, configured for the sandbox with a ready token."""
    return talemetry_connector(sandbox, tmp_path)


def exchanging(sandbox: Sandbox, **wrong: str) -> dict[str, str]:
    """Return credentials that are exchanged for a token."""
    return {
        "auth_type": "client_credentials",
        "client_id": "sandbox-client",
        "client_secret": "sandbox-secret",
        "authorization_url": f"{sandbox.url}/talemetry/oauth/token",
        **wrong,
    }


def test_everybody_is_read_once_and_then_only_what_changed(
    sandbox: Sandbox, connector: Connector
) -> None:
    # A `Date` has whole seconds, and the bookmark is never later than the truth.
    began = sandbox.now() - timedelta(seconds=3)
    first = read(connector)
    assert first.code == 0
    assert Counter(row["id"] for row in first.records("profiles")) == dict.fromkeys(
        truth(sandbox), 1
    )
    assert table(first) == truth(sandbox)
    # 300 people: 3 pages of 100 GUIDs, 4 batches of 25 for each.
    assert [body.get("DateTimeRange") for body in asked(sandbox, "ids")] == [None] * 3
    assert total(sandbox, "ids") == 3
    assert total(sandbox, "profiles") == 12
    for body in asked(sandbox, "profiles"):
        assert sorted(body["include"]) == sorted(INCLUDE)
        assert len(body["ids"]) == 25
    listed_until = first.state("profiles")["listed_until"]
    assert began <= moment(listed_until) <= sandbox.now()
    assert first.state("profiles").keys() == {"selection", "listed_until"}
    assert {row["as_of"] for row in first.records("profiles")} == {listed_until}

    sandbox.advance(DAY)
    changed = change(sandbox, new=40, changed=30, deleted=10)
    sandbox.advance(HOUR)
    forget(sandbox)
    second = read(connector, first)
    assert {row["id"] for row in second.records("profiles")} == {
        each for ids in changed.values() for each in ids
    }
    assert table(first, second) == truth(sandbox, *table(first))
    tombstones = [row for row in second.records("profiles") if row["is_deleted"]]
    as_of = second.state("profiles")["listed_until"]
    assert tombstones == [
        {"id": each, "is_deleted": True, "as_of": as_of} for each in sorted(changed["deleted"])
    ]
    # One more listing tells that the vendor's clock is a day ahead of this machine's.
    assert ranges(sandbox)[1:] == [
        (event, ranges(sandbox)[1][1], as_of) for event in ("created", "updated", "deleted")
    ]
    assert moment(ranges(sandbox)[1][1]) <= moment(listed_until)
    assert total(sandbox, "profiles") == 2 + 2

    forget(sandbox)
    third = read(connector, second)
    assert third.code == 0
    assert third.records("profiles") == []
    assert total(sandbox, "profiles") == 0


def test_no_request_is_wasted_when_the_clocks_agree(sandbox: Sandbox, connector: Connector) -> None:
    first = read(connector)
    stored = {**first.state("profiles"), "listed_until": ago(sandbox, DAY)}
    changed = change(sandbox, new=3, changed=120, deleted=2, at=ago(sandbox, HOUR))
    forget(sandbox)
    second = connector.read("profiles", state=state(stored, "profiles"))
    assert {row["id"] for row in second.records("profiles")} >= {
        each for ids in changed.values() for each in ids
    }
    listed = Counter(event for event, _, _ in ranges(sandbox))
    assert listed == {"created": 1, "updated": 2, "deleted": 1}
    assert total(sandbox, "profiles") == 1 + 4 + 1
    for _, _, end in ranges(sandbox):
        assert 290 <= (sandbox.now() - moment(end)).total_seconds() <= 330


def test_a_start_date_is_read_in_windows(sandbox: Sandbox, connector: Connector) -> None:
    start = sandbox.now() - timedelta(days=100)
    settings(sandbox, created_also_updated=True, deleted_at_start_one_in=7)
    connector.config["start_date"] = f"{start:%Y-%m-%dT%H:%M:%SZ}"
    connector.config["talemetry"]["window_days"] = 30
    run = read(connector)
    assert run.code == 0
    windows = [(begin, end) for event, begin, end in ranges(sandbox) if event == "created"]
    assert len(windows) == 4
    assert windows[0][0] == connector.config["start_date"]
    for (_, end), (begin, _) in pairwise(windows):
        assert timedelta(0) <= moment(end) - moment(begin) <= timedelta(minutes=5)
    assert moment(windows[-1][1]) <= sandbox.now() - timedelta(minutes=5)
    # Nobody is asked for twice within a window, although all who were created are updated too.
    assert Counter(event for event, _, _ in ranges(sandbox)) == {
        "created": 4,
        "updated": 4,
        "deleted": 4,
    }
    rows = Counter((row["id"], row["as_of"]) for row in run.records("profiles"))
    assert set(rows.values()) == {1}
    listed = {
        each["id"]: GONE if each["deleted"] else each["version"]
        for each in sandbox.truth("/_control/talemetry/truth", full="true")
        if each["created_at"] >= connector.config["start_date"]
    }
    living = {key: is_now for key, is_now in listed.items() if is_now != GONE}
    assert living.items() <= table(run).items()
    for key in table(run).keys() & listed.keys():
        assert table(run)[key] == listed[key]
    assert GONE in table(run).values()


def test_rows_that_become_visible_late_are_read_within_the_lookback(
    sandbox: Sandbox, connector: Connector
) -> None:
    connector.config["lookback_minutes"] = 60
    sandbox.advance(2 * HOUR)
    change(sandbox, new=5, changed=5, deleted=5, visible_after_seconds=50 * MINUTE)
    first = read(connector)
    sandbox.advance(51 * MINUTE)
    second = read(connector, first)
    assert table(first) != truth(sandbox, *table(first))
    assert table(first, second) == truth(sandbox, *table(first))


def has_asked_more(sandbox: Sandbox, times: int) -> bool:
    """Return True once profiles were requested more often than that."""
    return total(sandbox, "profiles") > times


def test_changes_while_reading_are_in_this_run_or_the_next(
    sandbox: Sandbox, connector: Connector
) -> None:
    connector.config["talemetry"]["page_size"] = 20
    connector.config["lookback_minutes"] = 10
    sandbox.fault("talemetry.profiles", "delay", delay_seconds=0.05)
    reading = connector.start(catalog=catalog("profiles"))
    answered = 0
    # Once after each request, for what is changed has to be read as well.
    while reading.wait_until(partial(has_asked_more, sandbox, answered)):
        answered = total(sandbox, "profiles")
        change(sandbox, new=1, changed=2, deleted=1)
    first = reading.end()
    assert answered >= 5
    assert first.code == 0
    sandbox.advance(HOUR)
    second = read(connector, first)
    assert table(first, second) == truth(sandbox, *table(first, second))


SHAPES: list[dict[str, Any]] = [
    {"ids_shape": shape, "end_of_pages": end, **more}
    for shape in ("result_ids", "flat", "objects", "no_cursor")
    for end, more in (
        ("null_cursor", {"nothing_matches": "null", "max_page_size": 17}),
        ("empty_page", {"nothing_matches": "missing", "collapse_single": True}),
        ("empty_page", {"nothing_matches": "object", "short_pages": True}),
        ("repeat", {"nothing_matches": "no_result", "short_pages": True, "to_inclusive": True}),
    )
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(map(str, shape.values())))
def test_whatever_the_answers_look_like_nobody_is_missing(
    sandbox: Sandbox, connector: Connector, shape: dict[str, Any]
) -> None:
    settings(sandbox, **shape, stranger_in_profiles=True, every_update_listed=True)
    connector.config["talemetry"]["page_size"] = 50
    first = read(connector)
    assert first.code == 0, first.errors()
    assert table(first) == truth(sandbox)
    assert len(first.records("profiles")) == PEOPLE
    sandbox.advance(DAY)
    change(sandbox, new=1, changed=70, deleted=1)
    sandbox.advance(HOUR)
    second = read(connector, first)
    assert table(first, second) == truth(sandbox, *table(first))
    assert first.logs("WARN") + second.logs("WARN") == ""


def test_the_listing_also_works_by_get(sandbox: Sandbox, connector: Connector) -> None:
    settings(sandbox, ids_methods="get")
    refused = read(connector)
    assert refused.code == 1
    assert "talemetry.ids_method" in refused.errors()[0]["message"]
    connector.config["talemetry"]["ids_method"] = "GET"
    assert table(read(connector)) == truth(sandbox)


def test_listing_and_people_may_come_from_different_hosts(
    sandbox: Sandbox, connector: Connector
) -> None:
    with Sandbox.start(candidates=PEOPLE) as other:
        connector.config["talemetry"]["profiles_base_url"] = f"{other.url}/talemetry"
        run = read(connector)
        assert run.code == 0
        assert table(run) == truth(sandbox)
        assert set(sandbox.counts()) == {"talemetry.ids"}
        assert set(other.counts()) == {"talemetry.profiles"}


def test_an_answer_of_another_shape_shows_its_keys_and_no_value(
    sandbox: Sandbox, connector: Connector
) -> None:
    body = {"result": {"Persons": [{"Name": "Ada Example"}], "Next": "secret-cursor"}}
    sandbox.fault("talemetry.ids", "body", body=body)
    run = read(connector)
    (error,) = run.errors()
    assert error["failure_type"] == "system_error"
    assert "result.Persons.[].Name" in error["message"]
    assert "Ada" not in json.dumps(run.messages)
    assert "secret-cursor" not in json.dumps(run.messages)


class TestOneBadPerson:
    def test_who_is_missing_from_a_batch_is_asked_for_alone(
        self, sandbox: Sandbox, connector: Connector
    ) -> None:
        some = list(truth(sandbox))[:3]
        mark(sandbox, some, "missing_in_batch")
        run = read(connector)
        assert table(run) == truth(sandbox)
        assert total(sandbox, "profiles") == 12 + 3
        assert "set_aside" not in run.state("profiles")

    @pytest.mark.parametrize("what", ["missing", "bad", "bad_5xx"])
    def test_a_bad_person_is_set_aside_and_requested_again_in_every_run(
        self, sandbox: Sandbox, connector: Connector, what: str
    ) -> None:
        everybody = truth(sandbox)
        bad = sorted(random.Random(what).sample(sorted(everybody), 2))
        mark(sandbox, bad, what)
        first = read_quickly(connector)
        assert first.code == 0, first.errors()
        assert table(first) == {k: v for k, v in everybody.items() if k not in bad}
        assert len(first.records("profiles")) == PEOPLE - 2
        assert sorted(first.state("profiles")["set_aside"]) == bad
        for each in bad:
            assert each in first.logs("WARN")

        sandbox.advance(DAY)
        change(sandbox, new=2)
        sandbox.advance(HOUR)
        forget(sandbox)
        second = read_quickly(connector, first)
        assert second.code == 0
        assert second.state("profiles")["set_aside"] == first.state("profiles")["set_aside"]
        assert bad in [sorted(body["ids"]) for body in asked(sandbox, "profiles")]
        for each in bad:
            assert each in second.logs("WARN")
        assert {row["id"] for row in second.records("profiles")}.isdisjoint(everybody)

        mark(sandbox, bad, None)
        third = read_quickly(connector, second)
        assert "set_aside" not in third.state("profiles")
        assert sorted(row["id"] for row in third.records("profiles")) == bad
        assert table(first, second, third) == truth(sandbox)

    def test_a_bad_one_who_is_the_only_one_is_told_from_a_vendor_that_is_down(
        self, sandbox: Sandbox, connector: Connector
    ) -> None:
        first = read(connector)
        sandbox.advance(DAY)
        (bad,) = change(sandbox, changed=1)["changed"]
        mark(sandbox, [bad], "bad_5xx")
        sandbox.advance(HOUR)
        second = read_quickly(connector, first)
        assert second.code == 0
        assert list(second.state("profiles")["set_aside"]) == [bad]

    def test_who_is_deleted_leaves(self, sandbox: Sandbox, connector: Connector) -> None:
        bad = list(truth(sandbox))[:2]
        mark(sandbox, bad, "missing")
        first = read(connector)
        sandbox.advance(DAY)
        change(sandbox, deleted_ids=bad)
        sandbox.advance(HOUR)
        second = read(connector, first)
        assert "set_aside" not in second.state("profiles")
        assert [table(second)[each] for each in bad] == [GONE, GONE]

    @pytest.mark.parametrize("status", [400, 404, 500])
    def test_when_nobody_is_answered_the_vendor_is_down(
        self, sandbox: Sandbox, connector: Connector, status: int
    ) -> None:
        sandbox.fault("talemetry.profiles", "status", status=status, after=4)
        first = read_quickly(connector)
        assert first.code == 1
        (error,) = first.errors()
        assert error["failure_type"] == "transient_error"
        assert "set_aside" not in first.state("profiles")
        sandbox.clear_faults()
        second = read_quickly(connector, first)
        assert table(first, second) == truth(sandbox)

    def test_too_many_ids_in_a_request(self, sandbox: Sandbox, connector: Connector) -> None:
        settings(sandbox, max_ids_per_request=10)
        run = read(connector)
        assert table(run) == truth(sandbox)
        assert "talemetry.ids_per_request" in run.logs("WARN")

    def test_people_who_stay_listed_after_their_deletion_do_not_end_the_stream(
        self, sandbox: Sandbox, connector: Connector
    ) -> None:
        settings(sandbox, deleted_still_listed=True, deleted_at_start_one_in=2)
        start = sandbox.now() - timedelta(days=800)
        connector.config["start_date"] = f"{start:%Y-%m-%dT%H:%M:%SZ}"
        run = read(connector)
        assert run.code == 0, run.errors()
        assert Counter(table(run).values())[GONE] > 110
        assert table(run) == truth(sandbox, *table(run))
        assert "set_aside" not in run.state("profiles")


class TestChangesThatAreNotTracked:
    @pytest.mark.parametrize("answer", ["empty", "forbidden"])
    def test_new_people_are_read_and_a_warning_says_what_it_means(
        self, sandbox: Sandbox, connector: Connector, answer: str
    ) -> None:
        settings(sandbox, track_candidate_last_changes=False, untracked_answer=answer)
        first = read_quickly(connector)
        assert "track_candidate_last_changes" not in first.logs()
        sandbox.advance(DAY)
        changed = change(sandbox, new=3, changed=3, deleted=3)
        sandbox.advance(HOUR)
        second = read_quickly(connector, first)
        assert second.code == 0
        assert set(table(second)) == set(changed["new"])
        assert second.logs("WARN").count("track_candidate_last_changes") == 1
        status = connector.run_quickly("check").of("CONNECTION_STATUS")[0]
        assert status["status"] == "SUCCEEDED"
        assert "track_candidate_last_changes" in status["message"]

    def test_a_right_that_was_withdrawn_is_not_taken_for_it(
        self, sandbox: Sandbox, connector: Connector
    ) -> None:
        first = read_quickly(connector)
        sandbox.advance(DAY)
        change(sandbox, changed=3)
        sandbox.advance(HOUR)
        stored = {
            **first.state("profiles"),
            "in_progress": {
                "from": first.state("profiles")["listed_until"],
                "to": ago(sandbox, 10 * MINUTE),
                "event": "updated",
                "cursor": None,
                "kept_at": ago(sandbox, MINUTE),
            },
        }
        sandbox.fault("talemetry.ids", "status", status=403)
        run = connector.read_quickly("profiles", state=state(stored, "profiles"))
        assert run.code == 1
        assert run.errors()[0]["failure_type"] == "config_error"
        assert "Source&CRM - API User" in run.errors()[0]["message"]
        sandbox.clear_faults()
        again = connector.read_quickly(
            "profiles", state=run.of("STATE")[-1:] or state(stored, "profiles")
        )
        assert len(again.records("profiles")) == 3


class TestToken:
    @pytest.mark.parametrize("shape", ["oauth", "token", "result"])
    def test_it_is_exchanged_once_for_all_threads(
        self, sandbox: Sandbox, connector: Connector, shape: str
    ) -> None:
        settings(sandbox, token_shape=shape)
        connector.config["talemetry"]["credentials"] = exchanging(sandbox)
        connector.config["talemetry"]["concurrent_requests"] = 8
        assert table(read(connector)) == truth(sandbox)
        assert total(sandbox, "token") == 1

    def test_one_that_ends_in_the_middle_is_renewed_once(
        self, sandbox: Sandbox, connector: Connector
    ) -> None:
        connector.config["talemetry"]["credentials"] = exchanging(sandbox)
        connector.config["talemetry"].update(concurrent_requests=8, page_size=20)
        sandbox.fault("talemetry.profiles", "delay", delay_seconds=0.2)
        reading = connector.start(catalog=catalog("profiles"))
        assert reading.wait_until(lambda: total(sandbox, "profiles") >= 4)
        sandbox.control("/_control/talemetry/expire_tokens", {})
        run = reading.end()
        assert run.code == 0, run.errors()
        assert table(run) == truth(sandbox)
        assert total(sandbox, "token") == 2

    def test_wrong_ones_are_a_config_error(self, sandbox: Sandbox, connector: Connector) -> None:
        connector.config["talemetry"]["credentials"] = exchanging(sandbox, client_id="somebody")
        for run in (read_quickly(connector), connector.run_quickly("check")):
            text = json.dumps([run.errors(), run.of("CONNECTION_STATUS")])
            assert "talemetry.credentials" in text
            assert "sandbox-client" not in json.dumps(run.messages)
        assert read_quickly(connector).errors()[0]["failure_type"] == "config_error"
        settings(sandbox, ready_token_revoked=True)
        ready = {"auth_type": "token", "token": "TGC-sandbox"}
        connector.config["talemetry"]["credentials"] = ready
        (error,) = read_quickly(connector).errors()
        assert error["failure_type"] == "config_error"
        assert "talemetry.credentials" in error["message"]


def _killed_after(connector: Connector, pages: int, last: list[Any]) -> Run:
    """Kill a run when it has printed this many pages' records, if it lasts that long."""
    reading = connector.start(catalog=catalog("profiles"), state=last or None)
    reading.wait_for_records(pages * 10)
    return reading.end(signal.SIGKILL)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("with_start_date", [False, True])
def test_a_killed_run_resumes_from_its_last_printed_state(
    sandbox: Sandbox, connector: Connector, seed: int, *, with_start_date: bool
) -> None:
    """SIGKILL after a page chosen by dice, while people change; often enough to be cut often."""
    connector.config["talemetry"].update(page_size=10, ids_per_request=5, concurrent_requests=3)
    if with_start_date:
        settings(sandbox, deleted_at_start_one_in=9)
        start = sandbox.now() - timedelta(days=800)
        connector.config["start_date"] = f"{start:%Y-%m-%dT%H:%M:%SZ}"
        connector.config["talemetry"]["window_days"] = 200
    sandbox.fault("talemetry.*", "delay", delay_seconds=0.02)
    dice = random.Random(seed)
    runs: list[Run] = []
    last: list[Any] = []
    for _ in range(4):
        runs.append(_killed_after(connector, dice.randint(1, 12), last))
        last = runs[-1].of("STATE")[-1:] or last
        change(sandbox, new=1, changed=2, deleted=1)
    sandbox.advance(HOUR)
    runs.append(connector.read("profiles", state=last or None))
    runs.append(read(connector, runs[-1]))
    assert [run.code for run in runs[-2:]] == [0, 0]
    assert table(*runs) == truth(sandbox, *table(*runs))


def test_a_resumed_read_repeats_only_what_came_after_the_last_state(
    sandbox: Sandbox, connector: Connector
) -> None:
    connector.config["talemetry"].update(page_size=10, ids_per_request=5)
    sandbox.fault("talemetry.*", "delay", delay_seconds=0.05)
    first = _killed_after(connector, 20, [])
    sandbox.clear_faults()
    there = first.state("profiles")["in_progress"]
    assert there["event"] == "all"
    assert there["from"] is None
    done = [row["id"] for row in first.records("profiles")]
    done = done[: done.index(there["cursor"]) + 1]
    forget(sandbox)
    second = read(connector, first)
    rest = [row["id"] for row in second.records("profiles")]
    assert len(done) >= 10
    assert set(rest).isdisjoint(done)
    assert sorted(done + rest) == sorted(truth(sandbox))
    assert asked(sandbox, "ids")[0]["Cursor"] == there["cursor"]
    # What the killed run had in flight came before the first listing of this one.
    came = [call["endpoint"] for call in sandbox.log("talemetry.*")]
    since = came[came.index("talemetry.ids") :]
    assert since.count("talemetry.profiles") == len(rest) / 5


class TestCursorsOfEarlierRuns:
    @pytest.fixture
    def cut(self, sandbox: Sandbox, connector: Connector) -> Run:
        """A run that was cut in the middle of a window's `created`."""
        sandbox.advance(DAY)
        start = sandbox.now() - timedelta(days=730)
        connector.config["start_date"] = f"{start:%Y-%m-%dT%H:%M:%SZ}"
        connector.config["talemetry"].update(page_size=10, window_days=800)
        sandbox.fault("talemetry.*", "delay", delay_seconds=0.05)
        run = _killed_after(connector, 5, [])
        sandbox.clear_faults()
        assert run.state("profiles")["in_progress"]["cursor"]
        forget(sandbox)
        return run

    @pytest.mark.parametrize("answer", ["refuse", "empty"])
    def test_one_that_has_left_the_window_makes_it_begin_again(
        self, sandbox: Sandbox, connector: Connector, cut: Run, answer: str
    ) -> None:
        settings(sandbox, cursor_expired=answer, cursor_max_age_seconds=1)
        sandbox.advance(MINUTE)
        again = read(connector, cut)
        assert again.code == 0, again.errors()
        assert table(cut, again) == truth(sandbox, *table(cut))
        assert sum(body.get("Cursor") is None for body in asked(sandbox, "ids")) == 3 + 3

    def test_an_old_one_makes_it_begin_again(
        self, sandbox: Sandbox, connector: Connector, cut: Run
    ) -> None:
        sandbox.advance(25 * HOUR)
        again = read(connector, cut)
        first, second, *_ = asked(sandbox, "ids")
        assert "Cursor" in first
        assert "Cursor" not in second
        assert first["DateTimeRange"] == second["DateTimeRange"]
        assert table(cut, again) == truth(sandbox, *table(cut))


def test_a_cursor_that_is_lost_in_the_middle_of_a_run(
    sandbox: Sandbox, connector: Connector
) -> None:
    first = read(connector)
    connector.config["talemetry"]["page_size"] = 10
    sandbox.advance(DAY)
    change(sandbox, changed=90)
    sandbox.advance(HOUR)
    refused = {"error": {"code": "invalid_cursor"}}
    sandbox.fault("talemetry.ids", "status", status=400, body=refused, after=6, times=1)
    second = read(connector, first)
    assert second.code == 0, second.errors()
    assert table(first, second) == truth(sandbox)
    assert len(second.records("profiles")) == 90


FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 500},
    {"kind": "reset"},
    {"kind": "truncate"},
    {"kind": "html"},
]


def test_many_in_flight_and_faults_everywhere(sandbox: Sandbox, connector: Connector) -> None:
    connector.config["talemetry"].update(
        concurrent_requests=8, page_size=50, ids_per_request=5, credentials=exchanging(sandbox)
    )
    for fault in FAULTS:
        sandbox.fault("talemetry.*", probability=0.08, **fault)
    first = read_quickly(connector)
    assert first.code == 0, first.errors()
    assert table(first) == truth(sandbox)
    assert "set_aside" not in first.state("profiles")
    sandbox.advance(DAY)
    change(sandbox, new=30, changed=60, deleted=30)
    sandbox.advance(HOUR)
    second = read_quickly(connector, first)
    assert second.code == 0, second.errors()
    assert table(first, second) == truth(sandbox, *table(first))


@pytest.mark.parametrize("at_once", [1, 8])
def test_as_many_requests_are_in_flight_as_the_user_wants(
    sandbox: Sandbox, connector: Connector, at_once: int
) -> None:
    connector.config["talemetry"].update(
        concurrent_requests=at_once, page_size=1000, ids_per_request=5
    )
    sandbox.fault("talemetry.*", "delay", delay_seconds=0.05)
    run = read(connector)
    assert table(run) == truth(sandbox)
    assert max(call["in_flight"] for call in sandbox.log("talemetry.*")) == at_once


def test_a_full_refresh_resumes_within_its_generation(
    sandbox: Sandbox, connector: Connector
) -> None:
    connector.config["talemetry"].update(page_size=10)
    sandbox.fault("talemetry.*", "delay", delay_seconds=0.05)
    wanted = catalog("profiles", mode="full_refresh", generation=3)
    reading = connector.start(catalog=wanted)
    reading.wait_until(lambda: reading.printed().count(b'"type":"STATE"') >= 2)
    first = reading.end(signal.SIGKILL)
    sandbox.clear_faults()
    sandbox.advance(HOUR)
    last = first.of("STATE")[-1:]
    second = connector.run("read", catalog=wanted, state=last)
    assert second.code == 0
    assert table(first, second) == truth(sandbox)
    assert len(second.records("profiles")) < PEOPLE
    done = second.of("STATE")[-1:]
    assert connector.run("read", catalog=wanted, state=done).records("profiles") == []
    next_one = catalog("profiles", mode="full_refresh", generation=4)
    third = connector.run("read", catalog=next_one, state=done)
    assert len(third.records("profiles")) == PEOPLE


def test_records_are_as_the_schema_says(sandbox: Sandbox, connector: Connector) -> None:
    run = read(connector)
    validator = jsonschema.Draft7Validator(PROFILES)
    for row in run.records("profiles"):
        assert list(validator.iter_errors(row)) == []
        assert row.keys() == PROFILES["properties"].keys()


def test_of_blocks_not_asked_for_the_columns_are_null(
    sandbox: Sandbox, connector: Connector
) -> None:
    connector.config["talemetry"]["include"] = ["tags"]
    run = read(connector)
    assert all(
        sorted(body["include"]) == ["contact", "tags"] for body in asked(sandbox, "profiles")
    )
    empty = ("employment_history", "education_history", "applications", "notes", "custom_data")
    for row in run.records("profiles"):
        assert [row[name] for name in empty] == [None] * len(empty)
        assert isinstance(row["tags"], list)


def test_filters_are_sent(sandbox: Sandbox, connector: Connector) -> None:
    everybody = {
        each["id"]: each for each in sandbox.truth("/_control/talemetry/truth", full="true")
    }
    connector.config["talemetry"]["exclude_sources"] = ["peoplesoft_ats"]
    connector.config["talemetry"]["exclude_life_cycles"] = ["current_contingent"]
    assert set(table(read(connector))) == {
        key
        for key, each in everybody.items()
        if "peoplesoft_ats" not in each["sources"] and each["life_cycle"] != "current_contingent"
    }


def test_check_tells_what_is_wrong(sandbox: Sandbox, connector: Connector) -> None:
    status = connector.run("check").of("CONNECTION_STATUS")[0]
    assert status["status"] == "SUCCEEDED"
    sandbox.fault("talemetry.profiles", "status", status=403)
    status = connector.run("check").of("CONNECTION_STATUS")[0]
    assert status["status"] == "FAILED"
    assert "Source&CRM - API User" in status["message"]


@pytest.mark.parametrize(("status", "requests"), [(400, 1), (500, 3)])
def test_check_succeeds_if_one_person_cannot_be_read_but_another_one_can(
    sandbox: Sandbox, connector: Connector, status: int, requests: int
) -> None:
    sandbox.fault("talemetry.profiles", "status", status=status, times=requests)
    (answer,) = connector.run_quickly("check").of("CONNECTION_STATUS")
    assert answer["status"] == "SUCCEEDED", answer
    sandbox.fault("talemetry.profiles", "status", status=status)
    (answer,) = connector.run_quickly("check").of("CONNECTION_STATUS")
    assert answer["status"] == "FAILED"


@pytest.mark.parametrize(
    "damaged",
    [
        {"listed_until": "yesterday"},
        {"listed_until": "2026-01-01T00:00:00Z", "bookmark": 1},
        {"in_progress": {"from": None, "to": "2026-01-01T00:00:00Z", "event": "all"}},
        {"set_aside": ["x"]},
    ],
)
def test_a_damaged_state_is_a_config_error(
    sandbox: Sandbox, connector: Connector, damaged: dict[str, Any]
) -> None:
    selection = read(connector).state("profiles")["selection"]
    run = connector.read("profiles", state=state({"selection": selection, **damaged}, "profiles"))
    assert run.records("profiles") == []
    assert run.errors()[0]["failure_type"] == "config_error"


def test_no_secret_and_nobody_in_any_log(sandbox: Sandbox, connector: Connector) -> None:
    connector.config["talemetry"].update(page_size=20, credentials=exchanging(sandbox))
    for fault in FAULTS:
        sandbox.fault("talemetry.*", probability=0.1, **fault)
    refused = {"error": {"message": "person1@example.org"}}
    sandbox.fault("talemetry.profiles", "status", status=400, body=refused, probability=0.05)
    runs = [connector.read_quickly("profiles", debug=True) for _ in range(2)]
    runs.append(connector.run("check", debug=True))
    printed = "".join(
        json.dumps([each for each in run.messages if each["type"] != "RECORD"]) + run.stderr
        for run in runs
    )
    assert len(printed) > 2_000
    for canary in ("sandbox-secret", "sandbox-client", "TGC-", "@example.org"):
        assert canary not in printed
    names = [row["formatted_name"] for run in runs for row in run.records("profiles")]
    assert not any(name in printed for name in names if name)


def test_sigterm_ends_the_run_in_order(sandbox: Sandbox, connector: Connector) -> None:
    connector.config["talemetry"].update(page_size=20, ids_per_request=10)
    sandbox.fault("talemetry.profiles", "delay", delay_seconds=0.1)
    reading = connector.start(catalog=catalog("profiles"))
    assert reading.wait_until(lambda: total(sandbox, "profiles") >= 8)
    first = reading.end(signal.SIGTERM)
    assert first.code == 143
    assert first.statuses("profiles")[-1] == "INCOMPLETE"
    assert first.errors() == []
    sandbox.clear_faults()
    second = read(connector, first)
    assert first.records("profiles")
    assert table(first, second) == truth(sandbox)
