"""Runs that are cut: what is in flight still counts, and a later run completes the pass."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.configured import section, source
from integration_tests.support.connector import QuickClock, catalog, state
from integration_tests.support.scripted_vendor import Answer, Request, scripted_vendor

CHANGED = "2025-01-01T00:00:00.000Z"


def test_the_page_in_flight_when_the_run_is_stopped_still_goes_out(tmp_path: Path) -> None:
    clock = QuickClock(threading.Event())

    def script(request: Request) -> Answer:
        cursor = request.query.get("cursor")
        if cursor == "2":
            clock.stop.set()
            # Longer than the writer takes to see it, much shorter than the grace.
            threading.Event().wait(1.0)
        rows = [{"id": f"k{cursor}", "changed_at": CHANGED}]
        data = {"next": "3" if cursor else "2", "results": rows}
        return Answer({"status": "success", "data": data})

    with scripted_vendor(script) as vendor:
        connector = source(tmp_path, kombo=section("kombo", vendor.url))
        run = connector.run_quickly("read", clock=clock, catalog=catalog("candidates"))
    assert [row["id"] for row in run.records()] == ["kNone", "k2"]
    (integration,) = run.state()["integrations"].values()
    assert integration["in_progress"]["cursor"] == "3"
    assert run.statuses()[-1] == "INCOMPLETE"


def test_after_sigterm_the_page_in_flight_goes_out_and_then_its_state(tmp_path: Path) -> None:
    asked, terminated = threading.Event(), threading.Event()

    def script(request: Request) -> Answer:
        cursor = request.query.get("cursor")
        if cursor == "2":
            asked.set()
            terminated.wait(60)
            # Longer than the process takes to see the signal, much shorter than the grace.
            threading.Event().wait(1.0)
        rows = [{"id": f"k{cursor}", "changed_at": CHANGED}]
        return Answer(
            {"status": "success", "data": {"next": "3" if cursor else "2", "results": rows}}
        )

    with scripted_vendor(script) as vendor:
        connector = source(tmp_path, kombo=section("kombo", vendor.url))
        started = connector.start(catalog=catalog("candidates"))
        assert asked.wait(60)
        started.process.send_signal(signal.SIGTERM)
        terminated.set()
        run = started.end()
    assert run.code == 143
    assert [row["id"] for row in run.records()] == ["kNone", "k2"]
    (integration,) = run.state()["integrations"].values()
    assert integration["in_progress"]["cursor"] == "3"
    assert run.statuses()[-1] == "INCOMPLETE"


@pytest.mark.parametrize(
    ("endpoint", "after"),
    [
        ("atz_crm.history", 20),
        # In the second reading of the list, backwards: the run that resumes sees half of it.
        ("atz_crm.candidates", 10),
    ],
)
def test_a_pass_of_atz_that_was_cut_is_completed_for_every_stream(
    tmp_path: Path, endpoint: str, after: int
) -> None:
    streams = ("atz_candidates", "candidate_history")
    with Sandbox.start(candidates=60, accounts=1) as sandbox:
        sandbox.control("/_control/atz_crm/settings", {"rate_limit": None})
        connector = source(tmp_path, atz_crm=section("atz_crm", sandbox.url, page_size=10))
        sandbox.fault(endpoint, "status", status=503, after=after)
        cut = connector.read_quickly(*streams)
        assert cut.code == 1
        assert ("'backwards': True" in str(cut.of("STATE"))) == (endpoint == "atz_crm.candidates")
        sandbox.clear_faults()
        states = cut.of("STATE")
        sandbox.advance(3600)
        changed = sandbox.control("/_control/atz_crm/change", {"new": 3})
        resumed = connector.read_quickly(*streams, state=states)
        assert resumed.code == 0, resumed.errors()
        sandbox.advance(2 * 3600)
        states = [each for name in streams for each in state(resumed.state(name), name)]
        last = connector.read_quickly(*streams, state=states)
        everybody = list(sandbox.truth("/_control/atz_crm/truth"))
    assert changed
    runs = (cut, resumed, last)
    listed = {row["slug"] for run in runs for row in run.records("atz_candidates")}
    assert listed == {row["slug"] for row in everybody}
    read = {row["candidate_slug"] for run in runs for row in run.records("candidate_history")}
    assert read == {row["slug"] for row in everybody if row["history"]}
