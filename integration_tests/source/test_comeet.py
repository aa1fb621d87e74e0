"""Comeet read through the command line, against the sandbox: what became of the people there."""

from __future__ import annotations

import json
import random
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import Connector, Run, Table, catalog, state, table
from integration_tests.support.writer import Writer, person, record
from source_ats.vendors.comeet.schemas import CANDIDATES, DELETED_CANDIDATES, POSITIONS

SCHEMAS = {
    "comeet_positions": POSITIONS,
    "comeet_candidates": CANDIDATES,
    "comeet_deleted_candidates": DELETED_CANDIDATES,
}
STREAMS = tuple(SCHEMAS)
ENDPOINTS = {
    "comeet_positions": "positions",
    "comeet_candidates": "list",
    "comeet_deleted_candidates": "deleted",
}
MINUTE, DAY = 60, 86_400


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    """One sandbox for all tests here."""
    with Sandbox.start(candidates=10) as running:
        yield running


@pytest.fixture
def sandbox(world: Sandbox) -> Sandbox:
    """Give the sandbox, its Comeet empty, its clock right, its log blank."""
    world.control("/_control/comeet/reset", {})
    world.advance((datetime.now(UTC) - world.now()).total_seconds())
    world.clear_faults()
    world.reset_log()
    return world


@pytest.fixture
def connector(sandbox: Sandbox, tmp_path: Path) -> Connector:
    """The source, configured for the sandbox's Comeet alone."""
    section = {
        "api_key": "comeet-key",
        "secret": "comeet-secret",
        "base_url": f"{sandbox.url}/comeet",
    }
    return Connector(tmp_path, {"comeet": section, "lookback_minutes": 0})


def control(sandbox: Sandbox, verb: str, **body: Any) -> Any:
    """Use the control API of Comeet."""
    return sandbox.control(f"/_control/comeet/{verb}", body)


def filled(sandbox: Sandbox, count: int, **settings: Any) -> list[str]:
    """Add a number of candidates, created a minute ago, and return their uids."""
    control(sandbox, "settings", **settings)
    control(sandbox, "fill", count=count)
    sandbox.advance(MINUTE)
    return [each["uid"] for each in truth(sandbox).values()]


def truth(sandbox: Sandbox) -> Table:
    """Return every candidate there ever was, by uid."""
    return {each["uid"]: each for each in sandbox.truth("/_control/comeet/truth")}


def known(rows: Table) -> dict[str, tuple[str, str, str]]:
    """Return of each candidate what a recruiter can change, and the name."""
    return {
        uid: (row["status"], row["position_uid"], row["last_name"]) for uid, row in rows.items()
    }


def known_truth(sandbox: Sandbox) -> dict[str, tuple[str, str, str]]:
    """Return what should be known of all who are neither merged nor deleted."""
    return known(
        {
            uid: {**row, **row["fields"]}
            for uid, row in truth(sandbox).items()
            if not row["deleted"] and not row["merged"]
        }
    )


def candidates(*runs: Run) -> Table:
    """Return what a warehouse holds of the candidates after these runs."""
    return table(*runs, stream="comeet_candidates", key="uid")


def uids(run: Run, stream: str) -> list[str]:
    """Return the keys of a stream's rows, in order."""
    return [row["uid"] for row in run.records(stream)]


def read(connector: Connector, *streams: str, after: Run | None = None) -> Run:
    """Read streams, all if none is named, from the last states of an earlier run."""
    last = {} if after is None else {"state": after.of("STATE")}
    return connector.read_quickly(*(streams or STREAMS), **last)


def calls(sandbox: Sandbox) -> dict[str, int]:
    """Return how many calls came to which endpoint.

    Without those whose token had expired: the first of a run has, where a test moved the clock.
    """
    return {
        name.removeprefix("comeet."): counts["total"] - counts.get("401", 0)
        for name, counts in sandbox.counts().items()
    }


def test_few_requests_read_everything_and_rows_match_the_schema(
    sandbox: Sandbox, connector: Connector
) -> None:
    everybody = filled(sandbox, 2_500)
    control(sandbox, "erase", uids=everybody[:3])
    sandbox.advance(MINUTE)
    first = connector.read(*STREAMS)
    assert first.code == 0, first.errors()
    assert set(Counter(uids(first, "comeet_candidates")).values()) == {1}
    assert known(candidates(first)) == known_truth(sandbox)
    assert uids(first, "comeet_deleted_candidates") == everybody[:3]
    assert calls(sandbox) == {"positions": 1, "list": 3, "deleted": 1}
    for stream, schema in SCHEMAS.items():
        assert first.statuses(stream)[-1] == "COMPLETE"
        assert set(first.state(stream)) == {"selection", "updated_after"}
        for row in first.records(stream)[:20]:
            jsonschema.validate(row, dict(schema))

    sandbox.reset_log()
    second = connector.read(*STREAMS, state=first.of("STATE"))
    assert second.of("RECORD") == []
    assert calls(sandbox) == {"positions": 1, "list": 1, "deleted": 1}


def test_what_the_destination_created_is_read_back(
    sandbox: Sandbox, connector: Connector, tmp_path: Path
) -> None:
    writer = Writer(sandbox, tmp_path)
    writer.check()
    assert writer.write(*(record(person(number)) for number in range(4))).code == 0
    created = {row["fields"]["email"]: uid for uid, row in truth(sandbox).items()}
    sandbox.advance(DAY)
    first = read(connector)
    control(sandbox, "move", uids=[created["mira1@example.org"]], status="Hired")
    control(sandbox, "move", uids=[created["mira2@example.org"]], status="Rejected")
    control(sandbox, "erase", uids=[created["mira3@example.org"]])
    sandbox.advance(MINUTE)
    second = read(connector, after=first)
    became = {row["email"]: row["status"] for row in candidates(first, second).values()}
    assert became["mira0@example.org"] == "In progress"
    assert became["mira1@example.org"] == "Hired"
    assert became["mira2@example.org"] == "Rejected"
    assert uids(second, "comeet_deleted_candidates") == [created["mira3@example.org"]]


def test_deleted_candidates_that_the_list_shows_lose_all_but_their_uid(
    sandbox: Sandbox, connector: Connector
) -> None:
    everybody = filled(sandbox, 5, list_deleted=True)
    first = read(connector, "comeet_candidates")
    control(sandbox, "erase", uids=everybody[:2])
    sandbox.advance(MINUTE)
    second = read(connector, "comeet_candidates", after=first)
    assert second.records("comeet_candidates") == [
        {"uid": uid, "deleted": True} for uid in everybody[:2]
    ]


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_that_is_not_selected_makes_no_requests(
    sandbox: Sandbox, connector: Connector, stream: str
) -> None:
    filled(sandbox, 5)
    run = read(connector, stream)
    assert run.code == 0
    assert calls(sandbox) == {ENDPOINTS[stream]: 1}


def test_only_the_streams_of_what_is_configured_are_offered(connector: Connector) -> None:
    (found,) = connector.run("discover").of("CATALOG")
    assert [each["name"] for each in found["streams"]] == list(STREAMS)
    for each in found["streams"]:
        assert each["source_defined_primary_key"] == [["uid"]]
        assert each["default_cursor_field"][0] in each["json_schema"]["properties"]
    kombo = {"api_key": "made-up", "integration_ids": ["made-up"]}
    (found,) = connector.run("discover", config={"kombo": kombo}).of("CATALOG")
    assert not [each for each in found["streams"] if each["name"] in STREAMS]


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_run_resumes_from_its_last_printed_state(
    sandbox: Sandbox, connector: Connector, seed: int
) -> None:
    """SIGKILL after a page chosen by dice, twice."""
    filled(sandbox, 1_000, most_on_a_page=20)
    sandbox.fault("comeet.list", "delay", delay_seconds=0.02)
    dice = random.Random(seed)
    runs: list[Run] = []
    last: list[Any] = []
    for _ in range(2):
        reading = connector.start(catalog=catalog("comeet_candidates"), state=last)
        pages = dice.randint(3, 20)
        reading.wait_for_records(pages * 20)
        runs.append(reading.end(signal.SIGKILL))
        last = runs[-1].of("STATE")[-1:] or last
    links = [
        each["stream"]["stream_state"]["in_progress"]["next_page"]
        for run in runs
        for each in run.of("STATE")
    ]
    made_before = calls(sandbox)["list"]
    sandbox.clear_faults()
    sandbox.reset_log()
    runs.append(connector.read("comeet_candidates", state=last))
    assert known(candidates(*runs)) == known_truth(sandbox)
    # The very page that the state named was asked for first, and nothing before it.
    begins_at = int(links[-1].rpartition("cursor=")[2])
    assert [int(each["query"]["cursor"]) for each in sandbox.log("comeet.list")] == list(
        range(begins_at, 1_000, 20)
    )
    assert made_before < 2 * 21 + 4


def interrupted(sandbox: Sandbox, connector: Connector) -> Run:
    """Return a run that got no further than its second page of five."""
    filled(sandbox, 50, most_on_a_page=10)
    sandbox.fault("comeet.list", "status", status=503, after=2)
    run = read(connector, "comeet_candidates")
    sandbox.clear_faults()
    sandbox.reset_log()
    assert [each["failure_type"] for each in run.errors()] == ["transient_error"]
    assert len(run.records("comeet_candidates")) == 20
    return run


def test_what_changed_after_its_page_was_read_is_in_the_next_run(
    sandbox: Sandbox, connector: Connector
) -> None:
    """Also when the run was cut: the bookmark is when the reading began, not when it went on."""
    first = interrupted(sandbox, connector)
    sandbox.advance(60 * MINUTE)
    moved = uids(first, "comeet_candidates")[:2]
    control(sandbox, "move", uids=moved, status="Rejected")
    sandbox.advance(60 * MINUTE)
    second = read(connector, "comeet_candidates", after=first)
    assert len(second.records("comeet_candidates")) == 30
    third = read(connector, "comeet_candidates", after=second)
    assert set(moved) <= set(uids(third, "comeet_candidates"))
    assert known(candidates(first, second, third)) == known_truth(sandbox)


@pytest.mark.parametrize("what", ["refused", "empty", "a day old"])
def test_a_kept_link_that_no_longer_works_restarts_the_list_once(
    sandbox: Sandbox, connector: Connector, what: str
) -> None:
    first = interrupted(sandbox, connector)
    if what == "a day old":
        sandbox.advance(25 * 60 * MINUTE)
    else:
        # Only the kept link is worth nothing: those that come later are good.
        refused = {"status": 400, "error": "validation_error", "message": "cursor"}
        status, body = (400, refused) if what == "refused" else (200, {"candidates": []})
        sandbox.fault("comeet.list", "body", status=status, body=body, times=1)
    second = read(connector, "comeet_candidates", after=first)
    assert second.code == 0, second.errors()
    said = (
        "comeet_candidates: the link to the next page that an earlier run kept is no longer good "
        "({reason}). Reading again from the bookmark."
    )
    reasons = {"empty": "it answers with no rows", "a day old": "it is too old"}
    if what in reasons:
        assert said.format(reason=reasons[what]) in second.logs("INFO").splitlines()
    else:
        assert "no longer good" in second.logs("INFO")
    assert known(candidates(second)) == known_truth(sandbox)
    # One call finds out, then everything is read from the beginning, once.
    assert calls(sandbox) == {"list": 1 + 5}


def test_a_link_that_is_always_refused_is_an_error_without_a_loop(
    sandbox: Sandbox, connector: Connector
) -> None:
    filled(sandbox, 50, most_on_a_page=10, links="refused")
    run = read(connector, "comeet_candidates")
    assert [each["failure_type"] for each in run.errors()] == ["system_error"]
    again = read(connector, "comeet_candidates", after=run)
    assert [each["failure_type"] for each in again.errors()] == ["system_error"]
    assert calls(sandbox) == {"list": 2 + 3}


@pytest.mark.parametrize(
    "link",
    [
        "https://api.comeet.co/candidates?limit=1000&cursor={cursor}",
        "https://api.comeet.co/comeet/candidates?limit=1000&cursor={cursor}",
        "http://127.0.0.1:1/comeet/candidates?limit=1000&cursor={cursor}",
        "HTTP://LOCALHOST/comeet/candidates?limit=1000&cursor={cursor}",
        "/comeet/candidates?limit=1000&cursor={cursor}",
        "candidates?limit=1000&cursor={cursor}",
        "?limit=1000&cursor={cursor}",
    ],
)
def test_a_link_is_followed_by_its_path_and_query_on_the_configured_host(
    sandbox: Sandbox, connector: Connector, link: str
) -> None:
    """It names the public host while `base_url` is a proxy, has a host in capitals, or none."""
    filled(sandbox, 50, most_on_a_page=10)
    for page in range(4):
        here = f"cursor={10 * page}" if page else "limit=1000"
        replaced = {"at": "next_page", "value": link.format(cursor=10 * (page + 1))}
        sandbox.fault("comeet.list", "replace", **replaced, containing=here, times=1)
    run = read(connector, "comeet_candidates")
    assert run.code == 0, run.errors()
    assert known(candidates(run)) == known_truth(sandbox)
    assert calls(sandbox) == {"list": 5}
    for each in run.states("comeet_candidates")[:-1]:
        assert each["in_progress"]["next_page"].startswith(f"{sandbox.url}/comeet/candidates?")


def test_nothing_is_sent_to_the_host_that_a_link_names(
    sandbox: Sandbox, connector: Connector
) -> None:
    with Sandbox.start(candidates=1) as other:
        filled(sandbox, 50, most_on_a_page=10, next_page_origin=other.url)
        run = read(connector)
        assert run.code == 0, run.errors()
        assert known(candidates(run)) == known_truth(sandbox)
        assert other.url not in json.dumps(run.messages)

        # The same holds for a link that a person has put into the state.
        control(sandbox, "settings", next_page_origin=None)
        good = interrupted(sandbox, connector)
        text = json.dumps(good.of("STATE")).replace(sandbox.url, other.url)
        assert other.url in text
        again = connector.read_quickly("comeet_candidates", state=json.loads(text))
        assert again.code == 0, again.errors()
        assert known(candidates(good, again)) == known_truth(sandbox)
        assert other.log() == []


def test_links_that_go_round_are_an_error_after_the_first_repeat(
    sandbox: Sandbox, connector: Connector
) -> None:
    """The third page leads back to the second one."""
    filled(sandbox, 50, most_on_a_page=10)
    link = f"{sandbox.url}/comeet/candidates?limit=1000&cursor=10"
    round_trip = {"at": "next_page", "value": link, "containing": "cursor=20", "times": 5}
    sandbox.fault("comeet.list", "replace", **round_trip)
    run = read(connector, "comeet_candidates")
    (error,) = run.errors()
    assert error["failure_type"] == "system_error"
    assert "Comeet candidates 200" in error["internal_message"]
    assert [each["query"].get("cursor") for each in sandbox.log("comeet.list")] == [
        None,
        "10",
        "20",
    ]
    # A later run that resumes there notices it too, and reads the rest once the list is right.
    again = read(connector, "comeet_candidates", after=run)
    assert [each["failure_type"] for each in again.errors()] == ["system_error"]
    assert len(sandbox.log("comeet.list")) < 8
    sandbox.clear_faults()
    rest = read(connector, "comeet_candidates", after=again)
    assert rest.code == 0
    assert known(candidates(run, again, rest)) == known_truth(sandbox)


def test_404_in_the_middle_of_a_list_is_transient_and_keeps_the_state(
    sandbox: Sandbox, connector: Connector
) -> None:
    filled(sandbox, 50, most_on_a_page=10)
    sandbox.fault("comeet.list", "html", status=404, after=2)
    run = read(connector)
    assert [each["failure_type"] for each in run.errors()] == ["transient_error"]
    assert "Comeet candidates 404" in run.errors()[0]["internal_message"]
    assert run.statuses("comeet_positions")[-1] == "COMPLETE"
    sandbox.clear_faults()
    sandbox.reset_log()
    rest = read(connector, "comeet_candidates", after=run)
    assert known(candidates(run, rest)) == known_truth(sandbox)
    assert calls(sandbox) == {"list": 3}


def test_a_state_from_the_future_is_a_config_error(sandbox: Sandbox, connector: Connector) -> None:
    filled(sandbox, 5)
    stored = read(connector, "comeet_candidates").state("comeet_candidates")
    for hours, is_error in ((25, True), (23, False)):
        future = f"{sandbox.now() + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"
        changed = state({**stored, "updated_after": future}, stream="comeet_candidates")
        run = connector.read_quickly("comeet_candidates", state=changed)
        assert run.records("comeet_candidates") == []
        errors = [each["failure_type"] for each in run.errors()]
        assert errors == (["config_error"] if is_error else [])


def test_a_bookmark_is_when_the_read_began_less_the_lookback(
    sandbox: Sandbox, connector: Connector
) -> None:
    """Also after an interruption; it moves forward with every run."""
    connector.config["lookback_minutes"] = 30
    first = interrupted(sandbox, connector)
    began = datetime.fromisoformat(first.state("comeet_candidates")["in_progress"]["started_at"])
    sandbox.advance(180 * MINUTE)
    second = read(connector, "comeet_candidates", after=first)
    bookmark = second.state("comeet_candidates")["updated_after"]
    assert datetime.fromisoformat(bookmark) == began - timedelta(minutes=30)
    sandbox.advance(60 * MINUTE)
    third = read(connector, "comeet_candidates", after=second)
    assert third.state("comeet_candidates")["updated_after"] > bookmark


def test_every_request_has_exactly_the_documented_parameters(
    sandbox: Sandbox, connector: Connector
) -> None:
    """`start_date` is sent to Comeet; later runs send their bookmark."""
    start = sandbox.now().replace(microsecond=0) - timedelta(days=365)
    connector.config["start_date"] = start.isoformat()
    filled(sandbox, 5)
    first = read(connector)

    def sent(endpoint: str) -> dict[str, str]:
        (entry,) = sandbox.log(f"comeet.{endpoint}")
        return dict(entry["query"])

    since = f"{start:%Y-%m-%dT%H:%M:%SZ}"
    assert sent("positions") == {"limit": "500"}
    assert sent("list") == {"limit": "1000", "time_hiring_process_updated:after": since}
    assert sent("deleted") == {"time_deleted:after": since}
    sandbox.reset_log()
    read(connector, after=first)
    since = first.state("comeet_candidates")["updated_after"]
    assert sent("list") == {"limit": "1000", "time_hiring_process_updated:after": since}
    since = first.state("comeet_deleted_candidates")["updated_after"]
    assert sent("deleted") == {"time_deleted:after": since}


def test_a_full_refresh_resumes_in_its_generation_and_ignores_other_states(
    sandbox: Sandbox, connector: Connector
) -> None:
    cut = interrupted(sandbox, connector)

    def full(generation: int, after: Run) -> Run:
        wanted = catalog("comeet_candidates", mode="full_refresh", generation=generation)
        return connector.run("read", catalog=wanted, state=after.of("STATE"))

    forbidden = json.dumps({"error": "forbidden"})
    sandbox.fault("comeet.list", "status", status=403, body=forbidden, after=2, times=1)
    first = full(4, after=cut)
    assert uids(first, "comeet_candidates") == uids(cut, "comeet_candidates")
    second = full(4, after=first)
    assert len(second.records("comeet_candidates")) == 30
    assert known(candidates(first, second)) == known_truth(sandbox)
    assert full(4, after=second).of("RECORD") == []
    # Killed after its last page, before it could say that it was done.
    almost = {**second.state("comeet_candidates"), "full_refresh": True}
    wanted = catalog("comeet_candidates", mode="full_refresh", generation=4)
    sandbox.reset_log()
    again = connector.run("read", catalog=wanted, state=state(almost, stream="comeet_candidates"))
    assert again.of("RECORD") == []
    assert again.statuses("comeet_candidates")[-1] == "COMPLETE"
    assert calls(sandbox) == {}
    assert len(full(5, after=second).records("comeet_candidates")) == 50


def test_changes_while_reading_are_in_this_run_or_the_next(
    sandbox: Sandbox, connector: Connector
) -> None:
    everybody = filled(sandbox, 400, most_on_a_page=20)
    sandbox.fault("comeet.list", "delay", delay_seconds=0.03)
    reading = connector.start(catalog=catalog("comeet_candidates"))
    dice = random.Random(5)
    for _ in range(40):
        control(
            sandbox,
            "move",
            uids=dice.sample(everybody, 3),
            status=dice.choice(["Rejected", "Hired"]),
        )
        control(sandbox, "fill", count=1)
    first = reading.end()
    assert first.code == 0, first.errors()
    second = read(connector, "comeet_candidates", after=first)
    assert known(candidates(first, second)) == known_truth(sandbox)


def test_the_lookback_and_the_start_date_are_in_the_filter(
    sandbox: Sandbox, connector: Connector
) -> None:
    connector.config["lookback_minutes"] = 30
    filled(sandbox, 5)
    before = sandbox.now()
    first = read(connector, "comeet_candidates")
    until = datetime.fromisoformat(first.state("comeet_candidates")["updated_after"])
    assert abs(before - timedelta(minutes=30) - until) < timedelta(seconds=5)
    read(connector, "comeet_candidates", after=first)
    asked = sandbox.log("comeet.list")[-1]["query"]["time_hiring_process_updated:after"]
    assert datetime.fromisoformat(asked) == until

    connector.config["start_date"] = sandbox.now().isoformat()
    control(sandbox, "edit_position", uid="4A.1C2", status="on hold")
    control(sandbox, "move", uids=list(truth(sandbox))[:1], status="Hired")
    third = read(connector, after=first)
    assert "read again" in third.logs("INFO")
    assert uids(third, "comeet_positions") == ["4A.1C2"]


FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "body": "<html>busy</html>"},
    {"kind": "status", "status": 302, "body": "<html>splash</html>"},
    {"kind": "reset"},
    {"kind": "truncate"},
    {"kind": "html"},
    {"kind": "empty"},
    {"kind": "bad_gzip"},
]


def test_faults_that_pass_cost_nothing_but_time_and_nobody_is_in_a_log(
    sandbox: Sandbox, connector: Connector
) -> None:
    filled(sandbox, 300, most_on_a_page=10)
    for fault in FAULTS:
        sandbox.fault("comeet.*", probability=0.05, **fault)
    run = connector.read_quickly(*STREAMS, debug=True)
    assert run.code == 0, run.errors()
    assert known(candidates(run)) == known_truth(sandbox)
    assert len(run.records("comeet_positions")) == 12
    assert sum(calls(sandbox).values()) > 30 + 2 + 1
    printed = json.dumps([each for each in run.messages if each["type"] != "RECORD"])
    assert "DEBUG" in printed
    for canary in ("comeet-secret", "comeet-key", "Bearer", "example.org", "Mira"):
        assert canary not in printed
    assert "cursor=" not in json.dumps([run.of("LOG"), run.of("TRACE")])


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("list", {"data": []}),
        ("positions", {"positions": [{"name": "canary"}]}),
        ("deleted", {"status": "canary"}),
    ],
)
def test_an_answer_of_another_shape_is_an_error_of_that_stream_alone(
    sandbox: Sandbox, connector: Connector, endpoint: str, body: object
) -> None:
    filled(sandbox, 5)
    sandbox.fault(f"comeet.{endpoint}", "body", body=body)
    run = read(connector)
    assert run.code == 1
    (error,) = run.errors()
    assert error["failure_type"] == "system_error"
    assert "canary" not in json.dumps(run.messages)
    ended = {stream: run.statuses(stream)[-1] for stream in STREAMS}
    assert ended == {
        stream: "INCOMPLETE" if ENDPOINTS[stream] == endpoint else "COMPLETE" for stream in STREAMS
    }


def test_the_rate_limit_is_waited_for_and_used_up(sandbox: Sandbox, connector: Connector) -> None:
    limit = {"limit": 10, "window_seconds": 1, "retry_after": "seconds"}
    filled(sandbox, 250, most_on_a_page=10, rate_limit=limit)
    run = connector.read("comeet_candidates")
    assert run.code == 0
    assert known(candidates(run)) == known_truth(sandbox)
    statuses = run.statuses("comeet_candidates")
    assert "RATE_LIMITED" in statuses
    assert statuses[statuses.index("RATE_LIMITED") + 1] == "RUNNING"
    # Two windows are used to their end, and one call finds out that each has ended.
    assert sandbox.counts()["comeet.list"]["200"] == 25
    assert sandbox.counts()["comeet.list"]["429"] <= 4


def has_listed(sandbox: Sandbox, pages: int) -> bool:
    return len(sandbox.log("comeet.list")) >= pages


def test_a_token_is_renewed_in_a_long_run(sandbox: Sandbox, connector: Connector) -> None:
    filled(sandbox, 200, most_on_a_page=10)
    sandbox.fault("comeet.list", "delay", delay_seconds=0.05)
    reading = connector.start(catalog=catalog("comeet_candidates"))
    for page in (5, 12):
        assert reading.wait_until(partial(has_listed, sandbox, page))
        sandbox.advance(11 * MINUTE)
    run = reading.end()
    assert run.code == 0, run.errors()
    assert known(candidates(run)) == known_truth(sandbox)
    assert sandbox.counts()["comeet.list"]["200"] == 20


def test_a_missing_permission_stops_one_stream_and_check_names_it(
    sandbox: Sandbox, connector: Connector
) -> None:
    def checked() -> tuple[str, str]:
        (answer,) = connector.run_quickly("check").of("CONNECTION_STATUS")
        return answer["status"], answer.get("message", "")

    filled(sandbox, 5)
    assert checked() == ("SUCCEEDED", "")
    assert calls(sandbox) == {"positions": 1, "list": 1, "deleted": 1}

    control(sandbox, "settings", retrieve_candidates=False)
    status, message = checked()
    assert status == "SUCCEEDED"
    assert "comeet_candidates cannot be read" in message
    assert "permission" in message
    run = read(connector)
    assert run.code == 1
    (error,) = run.errors()
    assert error["failure_type"] == "config_error"
    assert error["stream_descriptor"]["name"] == "comeet_candidates"
    assert len(run.records("comeet_positions")) == 12

    connector.config["comeet"]["base_url"] = f"{sandbox.url}/comeet/v1"
    status, message = checked()
    assert status == "FAILED"
    assert "base_url" in message


TROUBLE: dict[str, dict[str, Any]] = {
    "400": {"status": 400, "body": {"status": 400, "error": "bad_request"}},
    "404": {"status": 404, "body": {"status": 404, "error": "not_found"}},
    "503": {"status": 503},
    "another shape": {"status": 200, "body": {"items": []}},
}


@pytest.mark.parametrize("trouble", TROUBLE)
@pytest.mark.parametrize("endpoint", ["positions", "list", "deleted"])
def test_check_names_the_one_list_that_cannot_be_read(
    sandbox: Sandbox, connector: Connector, endpoint: str, trouble: str
) -> None:
    stream = {
        "positions": "comeet_positions",
        "list": "comeet_candidates",
        "deleted": "comeet_deleted_candidates",
    }[endpoint]
    sandbox.fault(f"comeet.{endpoint}", "status", **TROUBLE[trouble])
    (answer,) = connector.run_quickly("check").of("CONNECTION_STATUS")
    assert answer["status"] == "SUCCEEDED", answer
    assert answer["message"].startswith(f"{stream} cannot be read: ")
    assert answer["message"].count("cannot be read") == 1
    assert set(calls(sandbox)) == {"positions", "list", "deleted"}


def test_wrong_credentials_are_a_config_error_at_once(
    sandbox: Sandbox, connector: Connector
) -> None:
    connector.config["comeet"] |= {"secret": "canary-secret"}
    run = read(connector, "comeet_candidates")
    assert run.code == 1
    (error,) = run.errors()
    assert error["failure_type"] == "config_error"
    assert "secret" in error["message"]
    checked = connector.run_quickly("check")
    assert checked.of("CONNECTION_STATUS")[0]["status"] == "FAILED"
    assert "canary" not in json.dumps([run.messages, checked.messages])


DAMAGED: list[dict[str, Any]] = [
    {"updated_after": None},
    {"in_progress": None},
    {"updated_after": "yesterday"},
    {"updated_after": "2026-01-01T00:00:00"},
    {"in_progress": {"next_page": "https://api.comeet.co/candidates?cursor=2"}},
    {
        "in_progress": {
            "started_at": "2026-01-01T00:00:00Z",
            "next_page": "",
            "kept_at": "2026-01-01T00:00:00Z",
        }
    },
    {"unheard_of": {}},
]


@pytest.mark.parametrize("damaged", DAMAGED)
def test_a_damaged_state_is_never_a_silent_full_read(
    sandbox: Sandbox, connector: Connector, damaged: dict[str, Any]
) -> None:
    selection = read(connector, "comeet_candidates").state("comeet_candidates")["selection"]
    sandbox.reset_log()
    kept = state({"selection": selection, **damaged}, stream="comeet_candidates")
    run = connector.read_quickly("comeet_candidates", state=kept)
    assert [each["failure_type"] for each in run.errors()] == ["config_error"]
    assert "comeet_candidates" in run.errors()[0]["message"]
    assert sandbox.log() == []
