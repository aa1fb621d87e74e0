"""Calls that fail: one failure never ends the rest, and no failure is waited for without end."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.configured import failure_types, section, source
from integration_tests.support.connector import Connector, QuickClock, Run, catalog
from integration_tests.support.every_stream import fill_comeet
from integration_tests.support.kombo import integrations
from integration_tests.support.scripted_vendor import (
    Answer,
    Request,
    make_certificate,
    scripted_vendor,
)

CHANGED = "2025-01-01T00:00:00.000Z"
ROUTES = {
    "candidates": ("kombo", "kombo.candidates"),
    "atz_candidates": ("atz_crm", "atz_crm.candidates"),
    "candidate_history": ("atz_crm", "atz_crm.history"),
    "profiles": ("talemetry", "talemetry.profiles"),
    "comeet_candidates": ("comeet", "comeet.list"),
}
LISTS = {
    "candidates": "kombo.candidates",
    "atz_candidates": "atz_crm.candidates",
    "candidate_history": "atz_crm.history",
    "profiles": "talemetry.ids",
    "comeet_candidates": "comeet.list",
}
"""The requests of which a read makes many in a row."""
DENIED = [
    *((stream, vendor, route) for stream, (vendor, route) in ROUTES.items()),
    ("profiles", "talemetry", "talemetry.ids"),
]
KOMBO_STREAMS = (
    "candidates", "kombo_applications", "kombo_application_stages", "kombo_jobs", "kombo_users",
    "kombo_tags", "kombo_offers", "kombo_interviews", "kombo_notes", "kombo_scorecards",
    "kombo_attachments", "kombo_rejection_reasons", "kombo_roles",
)  # fmt: skip


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    """Some people for each vendor, in three integrations of Kombo."""
    with Sandbox.start(candidates=60) as sandbox:
        sandbox.control("/_control/atz_crm/settings", {"rate_limit": None})
        sandbox.control("/_control/comeet/settings", {"check_expiry": False})
        fill_comeet(sandbox, 60, on_a_page=10)
        yield sandbox


@pytest.fixture
def sandbox(world: Sandbox) -> Sandbox:
    """The same, without faults."""
    world.clear_faults()
    world.reset_log()
    return world


def configured(sandbox: Sandbox, folder: Path, *vendors: str) -> Connector:
    """Return the source for some vendors of the sandbox, with small pages."""
    more: dict[str, dict[str, Any]] = {
        "kombo": {"integration_ids": integrations(sandbox), "page_size": 10},
        "atz_crm": {"page_size": 10},
        "talemetry": {"page_size": 10, "ids_per_request": 5},
    }
    return source(
        folder,
        **{name: section(name, sandbox.url, **more.get(name, {})) for name in vendors},
    )


def timed(connector: Connector, stream: str, **options: Any) -> tuple[Run, float]:
    """Read a stream; return the run and the seconds that it waited."""
    clock = QuickClock(threading.Event())
    run = connector.run_quickly("read", clock=clock, catalog=catalog(stream), **options)
    return run, clock.waited


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(("stream", "vendor", "route"), DENIED)
def test_one_html_page_with_401_or_403_among_good_answers_costs_a_repeat(  # noqa: PLR0913 - a table
    sandbox: Sandbox, tmp_path: Path, stream: str, vendor: str, route: str, status: int
) -> None:
    connector = configured(sandbox, tmp_path, vendor)
    whole = connector.read_quickly(stream)
    sandbox.fault(route, "html", status=status, after=2, times=1)
    run, waited = timed(connector, stream)
    assert run.code == 0, run.errors()
    assert len(run.records(stream)) == len(whole.records(stream))
    assert waited < 60


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(("stream", "vendor", "route"), DENIED)
def test_html_with_401_or_403_that_lasts_after_good_answers_is_transient(  # noqa: PLR0913 - a table
    sandbox: Sandbox, tmp_path: Path, stream: str, vendor: str, route: str, status: int
) -> None:
    connector = configured(sandbox, tmp_path, vendor)
    if vendor == "kombo":
        # Another integration would be denied from its first answer on: a config error.
        connector.config["kombo"] |= {"integration_ids": integrations(sandbox)[:1], "page_size": 3}
    sandbox.fault(route, "html", status=status, after=2)
    run, waited = timed(connector, stream)
    assert run.code == 1
    assert failure_types(run, stream) == ["transient_error"]
    # Threads that wait at the same time can add up on the tests' clock.
    assert waited < 300


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("stream", ROUTES)
def test_401_or_403_from_the_first_answer_on_is_a_config_error(
    sandbox: Sandbox, tmp_path: Path, stream: str, status: int
) -> None:
    vendor, route = ROUTES[stream]
    connector = configured(sandbox, tmp_path, vendor)
    sandbox.fault(route, "html", status=status)
    run, waited = timed(connector, stream)
    assert failure_types(run, stream) == ["config_error"]
    assert waited < 120


@pytest.mark.parametrize(
    ("stream", "route", "containing"),
    [
        ("candidates", "kombo.candidates", ""),
        ("candidates", "kombo.candidates", "cursor="),
        ("kombo_jobs", "kombo.integration", ""),
        ("profiles", "talemetry.ids", "created"),
        ("profiles", "talemetry.ids", "updated"),
        ("profiles", "talemetry.ids", "deleted"),
        ("profiles", "talemetry.ids", '"Cursor"'),
        ("profiles", "talemetry.profiles", ""),
    ],
)
def test_a_passing_404_loses_nothing(
    sandbox: Sandbox, tmp_path: Path, stream: str, route: str, containing: str
) -> None:
    connector = configured(sandbox, tmp_path, "kombo", "talemetry")
    connector.config["start_date"] = "2000-01-01T00:00:00Z"
    connector.config["talemetry"] |= {"window_days": 3650, "ids_per_request": 1}
    usual = connector.read_quickly(stream)
    sandbox.reset_log()
    sandbox.fault(route, "html", status=404, containing=containing, times=1)
    run = connector.read_quickly(stream)
    assert run.code == 0
    assert "html" in {call["fault"] for call in sandbox.log(route)}
    assert {row["id"] for row in run.records(stream)} == {
        row["id"] for row in usual.records(stream)
    }
    assert run.state(stream).get("events_seen") == usual.state(stream).get("events_seen")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_one_integration_that_fails_with_html_fails_alone(tmp_path: Path, status: int) -> None:
    def script(request: Request) -> Answer:
        integration = request.headers["x-integration-id"]
        cursor = request.query.get("cursor")
        if integration == "greenhouse:b" and cursor:
            return Answer(b"<html>no</html>", status, {"Content-Type": "text/html"})
        rows = [{"id": f"{integration}-{cursor}", "changed_at": CHANGED}]
        return Answer(
            {"status": "success", "data": {"next": None if cursor else "2", "results": rows}}
        )

    ids = ["greenhouse:a", "greenhouse:b", "greenhouse:c"]
    with scripted_vendor(script) as vendor:
        connector = source(tmp_path, kombo=section("kombo", vendor.url, integration_ids=ids))
        run, _ = timed(connector, "candidates")
    read = {row["id"] for row in run.records()}
    assert {f"greenhouse:{name}-{page}" for name in "ac" for page in ("None", "2")} <= read
    assert run.code == 1
    assert "greenhouse:b" in run.errors()[0]["message"] + run.logs("WARN")


# check


@pytest.mark.parametrize("fault", [
    {"kind": "status", "status": 503}, {"kind": "status", "status": 429},
    {"kind": "reset"}, {"kind": "html", "status": 502},
])  # fmt: skip
@pytest.mark.parametrize(
    ("down", "name"),
    [("kombo", "Kombo"), ("atz_crm", "ATZ CRM"), ("talemetry", "Talemetry"), ("comeet", "Comeet")],
)
def test_check_succeeds_and_names_the_one_system_that_is_down(
    sandbox: Sandbox, tmp_path: Path, fault: dict[str, Any], down: str, name: str
) -> None:
    other = "atz_crm" if down == "kombo" else "kombo"
    connector = configured(sandbox, tmp_path, down, other)
    sandbox.fault(f"{down}.*", **fault)
    run = connector.run_quickly("check")
    (answer,) = run.of("CONNECTION_STATUS")
    assert run.code == 0
    assert answer["status"] == "SUCCEEDED"
    assert name in answer["message"]
    assert "next run" not in answer["message"]


def test_check_fails_when_every_system_is_down_or_a_credential_is_wrong(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    connector = configured(sandbox, tmp_path, "kombo", "atz_crm")
    sandbox.fault("*", "status", status=503)
    (answer,) = connector.run_quickly("check").of("CONNECTION_STATUS")
    assert answer["status"] == "FAILED"
    sandbox.clear_faults()
    connector.config["kombo"]["api_key"] = "ks_dev_wrong"
    (answer,) = connector.run_quickly("check").of("CONNECTION_STATUS")
    assert answer["status"] == "FAILED"
    assert "kombo.api_key" in answer["message"]


# Waiting


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("8", 8), ("8.0", 8), ("7.6", 7.6), ("8, 8", 8), ("3, 8", 8), ("8,3", 8), (" 8 ", 8)],
)
@pytest.mark.parametrize("stream", ROUTES)
def test_retry_after_is_obeyed_however_it_is_spelled(
    sandbox: Sandbox, tmp_path: Path, stream: str, value: str, seconds: float
) -> None:
    vendor, route = ROUTES[stream]
    connector = configured(sandbox, tmp_path, vendor)
    if vendor != "comeet":
        connector.config[vendor]["concurrent_requests"] = 1
    sandbox.fault(route, "status", status=429, headers={"Retry-After": value}, times=1)
    _, usual = timed(connector, stream, debug=False)
    run, waited = timed(connector, stream)
    assert run.code == 0
    # ATZ CRM's own pace waits too, alike in both runs; only the first met the 429.
    # Two threads that wait at the same time can add up on the tests' clock.
    assert seconds <= usual - waited + 0.5 < 2 * seconds + 2


@pytest.mark.parametrize("stream", ROUTES)
def test_a_wait_for_the_rate_limit_says_until_when_and_when_it_is_over(
    sandbox: Sandbox, tmp_path: Path, stream: str
) -> None:
    vendor, route = ROUTES[stream]
    sandbox.fault(route, "status", status=429, headers={"Retry-After": "300"}, times=1)
    began = datetime.now(UTC)
    connector = configured(sandbox, tmp_path, vendor)
    if vendor != "comeet":
        connector.config[vendor]["concurrent_requests"] = 1
    run = connector.read_quickly(stream)
    ended = datetime.now(UTC)
    statuses = [each["stream_status"] for each in run.of("TRACE") if "stream_status" in each]
    # An even pace is not a wait for the rate limit: the 429 is the only one.
    ((at, waiting),) = [each for each in enumerate(statuses) if each[1].get("reasons")]
    (reason,) = waiting["reasons"]
    assert (waiting["status"], reason["type"]) == ("RUNNING", "RATE_LIMITED")
    until = datetime.fromtimestamp(reason["rate_limited"]["quota_reset"] / 1000, UTC)
    # By the vendor's clock, in whole seconds.
    assert began - timedelta(seconds=2) <= until - timedelta(seconds=300) <= ended
    assert statuses[at + 1]["status"] == "RUNNING"
    assert "reasons" not in statuses[at + 1]


def test_kombo_that_is_down_is_reported_by_every_stream_in_minutes(tmp_path: Path) -> None:
    ids = [f"greenhouse:{number:02d}" for number in range(30)]
    with scripted_vendor(lambda _: Answer(b"", 503)) as vendor:
        connector = source(tmp_path, kombo=section("kombo", vendor.url, integration_ids=ids))
        clock = QuickClock(threading.Event())
        run = connector.run_quickly("read", clock=clock, catalog=catalog(*KOMBO_STREAMS))
    for stream in KOMBO_STREAMS:
        assert failure_types(run, stream) == ["transient_error"]
        assert run.statuses(stream)[-1] == "INCOMPLETE"
    assert clock.waited < 15 * 60
    assert len(vendor.requests) < 200


@pytest.mark.parametrize(
    ("vendor", "streams"),
    [
        ("talemetry", ["profiles"]),
        ("atz_crm", ["candidate_history", "atz_candidates", "atz_deals"]),
        ("comeet", ["comeet_positions", "comeet_candidates", "comeet_deleted_candidates"]),
    ],
)
def test_any_vendor_that_is_down_is_reported_by_its_streams_in_minutes(
    tmp_path: Path, vendor: str, streams: list[str]
) -> None:
    with scripted_vendor(lambda _: Answer(b"", 503)) as down:
        connector = source(tmp_path, **{vendor: section(vendor, down.url)})
        clock = QuickClock(threading.Event())
        run = connector.run_quickly("read", clock=clock, catalog=catalog(*streams))
    for stream in streams:
        assert failure_types(run, stream) == ["transient_error"]
    assert clock.waited < 15 * 60


@pytest.mark.parametrize("stream", LISTS)
def test_a_server_error_for_longer_than_the_retries_keeps_what_was_read(
    sandbox: Sandbox, tmp_path: Path, stream: str
) -> None:
    vendor, _ = ROUTES[stream]
    route = LISTS[stream]
    connector = configured(sandbox, tmp_path, vendor)
    if vendor == "kombo":
        connector.config["kombo"]["integration_ids"] = integrations(sandbox)[:1]
        connector.config["kombo"]["page_size"] = 3
    whole = connector.read_quickly(stream)
    usual = len(sandbox.log(route))
    sandbox.reset_log()
    sandbox.fault(route, "status", status=503, after=3)
    cut = connector.read_quickly(stream)
    assert failure_types(cut, stream) == ["transient_error"]
    assert cut.statuses(stream)[-1] == "INCOMPLETE"
    assert "in_progress" in str(cut.of("STATE")[-1])
    sandbox.clear_faults()
    sandbox.reset_log()
    rest = connector.read_quickly(stream, state=cut.of("STATE")[-1:])
    assert rest.code == 0, rest.errors()
    assert len(sandbox.log(route)) < usual
    keys = {"atz_candidates": "slug", "comeet_candidates": "uid"}
    key = keys.get(stream, "id")
    assert {row[key] for run in (cut, rest) for row in run.records(stream)} == {
        row[key] for row in whole.records(stream)
    }


def test_a_vendor_that_is_down_does_not_end_the_other(sandbox: Sandbox, tmp_path: Path) -> None:
    connector = configured(sandbox, tmp_path, "kombo", "atz_crm")
    whole = connector.read_quickly("atz_candidates")
    sandbox.fault("kombo.*", "status", status=503)
    run = connector.read_quickly("candidates", "atz_candidates")
    assert failure_types(run, "candidates") == ["transient_error"]
    assert run.statuses("atz_candidates")[-1] == "COMPLETE"
    assert len(run.records("atz_candidates")) == len(whole.records("atz_candidates"))


# Broken answers


def garbled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int) -> Run:
    """Read over TLS, with garbage in the middle of the first answers."""
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    served = itertools.count()
    rows = [{"id": f"k{n}", "changed_at": CHANGED, "text": "x" * 1000} for n in range(100)]
    page = {"status": "success", "data": {"next": None, "results": rows}}

    def script(_: Request) -> Answer:
        return Answer(page, garbage_after=40_000 if next(served) < times else None)

    with scripted_vendor(script, certificate=certificate) as vendor:
        return source(tmp_path, kombo=section("kombo", vendor.url)).read_quickly("candidates")


def test_tls_garbage_in_an_answer_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = garbled(tmp_path, monkeypatch, times=1)
    assert run.code == 0, run.errors()
    assert len({row["id"] for row in run.records()}) == 100


def test_tls_garbage_that_lasts_is_transient_and_speaks_of_no_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = garbled(tmp_path, monkeypatch, times=1000)
    assert failure_types(run, "candidates") == ["transient_error"]
    assert "certificate" not in run.errors()[0]["message"]


def test_a_certificate_that_is_not_trusted_is_a_config_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    certificate = make_certificate(tmp_path)
    with scripted_vendor(lambda _: Answer({}), certificate=certificate) as vendor:
        run = source(tmp_path, kombo=section("kombo", vendor.url)).read_quickly("candidates")
    assert failure_types(run, "candidates") == ["config_error"]
    assert "certificate" in run.errors()[0]["message"]
    assert vendor.requests == []


class SlowAnswerClock(QuickClock):
    """A clock on which 100 seconds pass each time that it is read."""

    def __init__(self) -> None:
        """`was_read` is set each time."""
        super().__init__(threading.Event())
        self.was_read = threading.Event()
        self._readings = itertools.count()

    def monotonic(self) -> float:
        """Return the real time, all waits, and 100 seconds for each reading before this one."""
        self.was_read.set()
        return super().monotonic() + 100 * next(self._readings)


EMPTY = b'{"status":"success","data":{"next":null,"results":[]}}'


@pytest.mark.parametrize(
    ("before", "dripped", "after"),
    [
        (b"", b" ", EMPTY),
        (b"HTTP/1.1 200 ", b"O", b"\r\nConnection: close\r\n\r\n" + EMPTY),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x", b"\r\nConnection: close\r\n\r\n" + EMPTY),
    ],
    ids=["body", "status line", "header"],
)
@pytest.mark.parametrize(
    ("verb", "through_proxy"), [("read", False), ("read", True), ("check", False)]
)
def test_an_answer_that_comes_a_byte_at_a_time_is_given_up(  # noqa: PLR0913 - a table
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    before: bytes,
    dripped: bytes,
    after: bytes,
    *,
    through_proxy: bool,
) -> None:
    ended: list[bool] = []
    clock = SlowAnswerClock()

    def drip() -> Iterator[bytes]:
        yield before
        for _ in range(30):
            clock.was_read.clear()
            yield dripped
            clock.was_read.wait(timeout=1)
        ended.append(True)
        yield after

    for name in ("http_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with scripted_vendor(lambda _: Answer(drip(), is_raw=bool(before))) as vendor:
        url = vendor.url
        if through_proxy:
            # Nothing listens there: the proxy answers.
            url = "http://127.0.0.1:1"
            monkeypatch.setenv("http_proxy", vendor.url)
        connector = source(tmp_path, kombo=section("kombo", url))
        options = {"catalog": catalog("candidates")} if verb == "read" else {}
        run = connector.run_quickly(verb, clock=clock, **options)
    if verb == "read":
        assert failure_types(run, "candidates") == ["transient_error"]
        message = run.errors()[0]["message"]
    else:
        (status,) = run.of("CONNECTION_STATUS")
        message = status["message"]
    assert "did not finish its answer in time" in message
    assert not ended


def test_an_answer_that_does_not_end_is_given_up(tmp_path: Path) -> None:
    ended: list[bool] = []

    def flood() -> Iterator[bytes]:
        for _ in range(300):
            yield b" " * (1 << 20)
        ended.append(True)
        yield b'{"status":"success","data":{"next":null,"results":[]}}'

    with scripted_vendor(lambda _: Answer(flood())) as vendor:
        run = source(tmp_path, kombo=section("kombo", vendor.url)).read_quickly("candidates")
    assert run.code == 1
    assert failure_types(run, "candidates")[0] in {"transient_error", "system_error"}
    assert "please report" not in run.errors()[0]["message"].lower()
    assert not ended
