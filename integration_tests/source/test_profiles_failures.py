"""`profiles` when parts of Talemetry fail: nothing is lost silently, and nothing takes hours."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import Connector, QuickClock, Run, catalog, state
from integration_tests.support.durations import DAY, HOUR, MINUTE
from integration_tests.support.talemetry import (
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

pytestmark = pytest.mark.people(PEOPLE)


@pytest.fixture
def connector(sandbox: Sandbox, tmp_path: Path) -> Connector:
    """The source, configured for the sandbox with a ready token."""
    return talemetry_connector(sandbox, tmp_path)


def read_and_measure(connector: Connector, after: Run | None = None) -> tuple[Run, float]:
    """Read with a clock that passes every wait at once; return also the seconds of waiting."""
    clock = QuickClock(threading.Event())
    options: dict[str, Any] = {} if after is None else {"state": after.of("STATE")[-1:]}
    run = connector.run_quickly("read", clock=clock, catalog=catalog("profiles"), **options)
    return run, clock.waited


class TestListingOfEvents:
    @pytest.mark.parametrize("event", ["updated", "deleted"])
    @pytest.mark.parametrize("status", [400, 403, 404])
    def test_a_passing_refusal_keeps_the_window_open(
        self, sandbox: Sandbox, connector: Connector, event: str, status: int
    ) -> None:
        runs = [read_quickly(connector)]
        sandbox.advance(DAY)
        runs.append(read_quickly(connector, runs[-1]))
        assert runs[-1].state("profiles")["events_seen"] == ["deleted", "updated"]
        change(sandbox, new=2, changed=3, deleted=2)
        sandbox.advance(HOUR)
        sandbox.fault("talemetry.ids", "status", status=status, containing=f'"{event}"')
        refused = read_quickly(connector, runs[-1])
        assert refused.code == 1
        (error,) = refused.errors()
        assert error["failure_type"] == "transient_error"
        assert event in error["message"]
        runs.append(refused)
        sandbox.clear_faults()
        sandbox.advance(DAY)
        runs.append(read_quickly(connector, refused))
        assert runs[-1].code == 0
        assert table(*runs) == truth(sandbox, *table(*runs))

    def test_an_event_that_worked_earlier_in_the_same_run_is_known(
        self, sandbox: Sandbox, connector: Connector
    ) -> None:
        settings(sandbox, deleted_at_start_one_in=5)
        connector.config["start_date"] = "2020-01-01T00:00:00Z"
        connector.config["talemetry"]["window_days"] = 1000
        sandbox.fault("talemetry.ids", "status", status=404, containing='"deleted"', after=1)
        first = read_quickly(connector)
        assert first.code == 1
        sandbox.clear_faults()
        second = read_quickly(connector, first)
        assert second.code == 0
        assert table(first, second) == truth(sandbox, *table(first, second))

    def test_an_event_that_never_worked_is_a_warning(
        self, sandbox: Sandbox, connector: Connector
    ) -> None:
        first = read_quickly(connector)
        sandbox.advance(DAY)
        sandbox.fault("talemetry.ids", "status", status=404, containing='"updated"')
        second = read_quickly(connector, first)
        assert second.code == 0
        assert second.state("profiles")["events_seen"] == ["deleted"]
        assert "track_candidate_last_changes" in second.logs("WARN")


class TestServerErrorsOfPeople:
    @pytest.mark.parametrize("people", [PEOPLE, 20])
    def test_all_requests_fail_from_the_first_sync_on(self, people: int, tmp_path: Path) -> None:
        with Sandbox.start(candidates=people) as sandbox:
            connector = talemetry_connector(sandbox, tmp_path)
            sandbox.fault("talemetry.profiles", "status", status=500)
            run, waited = read_and_measure(connector)
            assert run.code == 1
            (error,) = run.errors()
            assert error["failure_type"] == "transient_error"
            assert waited < 10 * MINUTE
            assert total(sandbox, "profiles") < 100
            sandbox.clear_faults()
            assert table(run, read(connector, run)) == truth(sandbox)

    @pytest.mark.parametrize("people", [PEOPLE, 20])
    def test_one_person_who_always_fails_is_found_soon(self, people: int, tmp_path: Path) -> None:
        with Sandbox.start(candidates=people) as sandbox:
            connector = talemetry_connector(sandbox, tmp_path)
            everybody = truth(sandbox)
            bad = sorted(everybody)[7]
            mark(sandbox, [bad], "bad_5xx")
            run, waited = read_and_measure(connector)
            assert run.code == 0
            assert list(run.state("profiles")["set_aside"]) == [bad]
            assert table(run).keys() == everybody.keys() - {bad}
            assert waited < MINUTE

    def test_an_outage_of_a_minute_is_waited_for(
        self, sandbox: Sandbox, connector: Connector
    ) -> None:
        sandbox.fault("talemetry.profiles", "status", status=503, times=25)
        run, _ = read_and_measure(connector)
        assert run.code == 0
        assert "set_aside" not in run.state("profiles")
        assert table(run) == truth(sandbox)

    def test_fifty_people_set_aside_are_requested_next_to_the_listing(
        self, sandbox: Sandbox, connector: Connector
    ) -> None:
        bad = sorted(truth(sandbox))[::6]
        assert len(bad) == 50
        mark(sandbox, bad, "bad_5xx")
        first, _ = read_and_measure(connector)
        assert sorted(first.state("profiles")["set_aside"]) == bad
        sandbox.advance(DAY)
        change(sandbox, new=30)
        sandbox.advance(HOUR)
        forget(sandbox)
        second, waited = read_and_measure(connector, first)
        assert second.code == 0
        assert sorted(second.state("profiles")["set_aside"]) == bad
        assert waited < 5 * MINUTE
        assert bad[:25] in [sorted(body["ids"]) for body in asked(sandbox, "profiles")]
        endpoints = [each["endpoint"] for each in sandbox.log("talemetry.*")]
        last = len(endpoints) - endpoints[::-1].index("talemetry.profiles")
        assert endpoints.index("talemetry.ids") < last - 10
        mark(sandbox, bad, None)
        third, _ = read_and_measure(connector, second)
        assert "set_aside" not in third.state("profiles")
        assert table(first, second, third) == truth(sandbox)


class TestEndOfAListing:
    def test_cursors_that_go_round_end_the_stream(
        self, sandbox: Sandbox, connector: Connector
    ) -> None:
        connector.config["talemetry"]["page_size"] = 10
        ids = sorted(truth(sandbox))
        sandbox.fault(
            "talemetry.ids", "replace", at="result.Cursor", value=ids[9], containing=ids[19]
        )
        first = read(connector)
        assert first.code == 1
        (error,) = first.errors()
        assert error["failure_type"] == "system_error"
        assert "cursor" in error["message"]
        assert total(sandbox, "ids") == 3
        sandbox.clear_faults()
        second = read(connector, first)
        assert table(first, second) == truth(sandbox)

    def test_one_cursor_for_all_pages_ends_the_stream(
        self, sandbox: Sandbox, connector: Connector
    ) -> None:
        connector.config["talemetry"]["page_size"] = 10
        ids = sorted(truth(sandbox))
        sandbox.fault("talemetry.ids", "replace", at="result.Cursor", value=ids[9])
        run = read(connector)
        assert run.code == 1
        assert run.errors()[0]["failure_type"] == "system_error"

    def test_a_vendor_that_ignores_the_cursor_is_not_taken_for_the_end(
        self, sandbox: Sandbox, connector: Connector
    ) -> None:
        settings(sandbox, ids_shape="no_cursor")
        connector.config["talemetry"]["page_size"] = 10
        page = {"result": {"Ids": sorted(truth(sandbox))[:10]}}
        sandbox.fault("talemetry.ids", "body", body=page, containing='"Cursor"')
        run = read(connector)
        assert run.code == 1
        assert run.errors()[0]["failure_type"] == "system_error"

    @pytest.mark.parametrize("status", [400, 404])
    def test_a_passing_refusal_after_a_short_page_is_not_the_end(
        self, sandbox: Sandbox, connector: Connector, status: int
    ) -> None:
        settings(sandbox, ids_shape="no_cursor", max_page_size=17)
        sandbox.fault("talemetry.ids", "status", status=status, after=3, times=1)
        run = read_quickly(connector)
        assert run.code == 0
        assert table(run) == truth(sandbox)

    @pytest.mark.parametrize("status", [400, 404])
    def test_a_lasting_refusal_after_a_short_page_is_the_end(
        self, sandbox: Sandbox, connector: Connector, status: int
    ) -> None:
        settings(sandbox, ids_shape="no_cursor", max_page_size=17)
        last = max(truth(sandbox))
        sandbox.fault("talemetry.ids", "status", status=status, containing=last)
        run = read_quickly(connector)
        assert run.code == 0, run.errors()
        assert table(run) == truth(sandbox)


class TestPromisesOfTheBookmark:
    def test_what_follows_an_interrupted_window_looks_back_from_its_end(
        self, sandbox: Sandbox, connector: Connector
    ) -> None:
        connector.config["lookback_minutes"] = 60
        first = read(connector)
        sandbox.advance(DAY)
        # They are of the interrupted window, and become visible after it was listed.
        change(sandbox, new=3, changed=3, visible_after_seconds=50 * MINUTE)
        sandbox.advance(10 * MINUTE)
        interrupted_at = ago(sandbox, 5 * MINUTE)
        stored = {
            **first.state("profiles"),
            "in_progress": {
                "from": first.state("profiles")["listed_until"],
                "to": interrupted_at,
                "event": "deleted",
                "cursor": None,
                "kept_at": interrupted_at,
            },
        }
        sandbox.advance(DAY)
        forget(sandbox)
        second = connector.read("profiles", state=state(stored, "profiles"))
        assert second.code == 0
        assert table(first, second) == truth(sandbox)
        (_, begin, _) = next(each for each in ranges(sandbox) if each[2] != interrupted_at)
        assert moment(begin) == moment(interrupted_at) - timedelta(hours=1)

    def test_windows_share_a_second(self, sandbox: Sandbox, connector: Connector) -> None:
        start = sandbox.now() - timedelta(days=100)
        connector.config["start_date"] = f"{start:%Y-%m-%dT%H:%M:%SZ}"
        assert read(connector).code == 0
        windows = [each[1:] for each in ranges(sandbox) if each[0] == "created"]
        assert len(windows) == 4
        for (_, end), (begin, _) in pairwise(windows):
            assert moment(end) - moment(begin) == timedelta(seconds=1)

    def test_windows_are_longer_than_the_lookback(
        self, sandbox: Sandbox, connector: Connector
    ) -> None:
        connector.config["lookback_minutes"] = 7 * 24 * 60
        connector.config["talemetry"]["window_days"] = 1
        start = sandbox.now() - timedelta(days=30)
        connector.config["start_date"] = f"{start:%Y-%m-%dT%H:%M:%SZ}"
        assert read(connector).code == 0
        windows = [each[1:] for each in ranges(sandbox) if each[0] == "created"]
        assert len(windows) == 3
        for begin, end in windows[:-1]:
            assert moment(end) - moment(begin) >= timedelta(days=7)

    def test_the_bookmark_never_moves_back(self, sandbox: Sandbox, connector: Connector) -> None:
        connector.config["lookback_minutes"] = 60
        first = read(connector)
        # Later than five minutes ago, as the listing of everybody leaves it.
        bookmark = ago(sandbox, MINUTE)
        stored = {**first.state("profiles"), "listed_until": bookmark}
        forget(sandbox)
        second = connector.read("profiles", state=state(stored, "profiles"))
        assert second.code == 0
        assert moment(ranges(sandbox)[-1][2]) < moment(bookmark)
        assert {each["listed_until"] for each in second.states("profiles")} == {bookmark}

    @pytest.mark.parametrize("key", ["listed_until", "to", "kept_at"])
    def test_a_state_from_the_future_is_a_config_error(
        self, sandbox: Sandbox, connector: Connector, key: str
    ) -> None:
        first = read(connector)
        soon, beyond = ago(sandbox, -23 * HOUR), ago(sandbox, -25 * HOUR)
        for time, code in ((soon, 0), (beyond, 1)):
            stored = dict(first.state("profiles"))
            if key == "listed_until":
                stored[key] = time
            else:
                window = {"from": ago(sandbox, DAY), "to": ago(sandbox, HOUR), "event": "created"}
                kept = {"cursor": None, "kept_at": ago(sandbox, HOUR)}
                stored["in_progress"] = {**window, **kept, key: time}
            run = connector.read("profiles", state=state(stored, "profiles"))
            assert run.code == code
            if code:
                assert run.errors()[0]["failure_type"] == "config_error"
                assert run.records("profiles") == []

    @pytest.mark.parametrize("answer", [200, 400])
    def test_a_resumed_window_begins_again_once(
        self, sandbox: Sandbox, connector: Connector, answer: int
    ) -> None:
        connector.config["talemetry"]["page_size"] = 10
        first = read(connector)
        stored = {
            **first.state("profiles"),
            "in_progress": {
                "from": ago(sandbox, 800 * DAY),
                "to": ago(sandbox, HOUR),
                "event": "created",
                "cursor": min(truth(sandbox)),
                "kept_at": ago(sandbox, HOUR),
            },
        }
        forget(sandbox)
        # No cursor is accepted any more: not the kept one, and not those of the second beginning.
        body: dict[str, Any] = {"result": {"Ids": [], "Cursor": None}}
        sandbox.fault(
            "talemetry.ids", "body", status=answer, body=body, containing='"Cursor"', times=1
        )
        sandbox.fault("talemetry.ids", "status", status=400, containing='"Cursor"')
        second = connector.read("profiles", state=state(stored, "profiles"))
        assert second.code == 1
        assert total(sandbox, "ids") < 10
