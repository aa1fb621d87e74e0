"""Many windows of `profiles`: listed side by side, read in their order."""

from __future__ import annotations

import json
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.configured import section, source
from integration_tests.support.connector import Run
from integration_tests.support.scripted_vendor import Answer, scripted_vendor
from integration_tests.support.talemetry import (
    PEOPLE,
    forget,
    ranges,
    read_quickly,
    settings,
    talemetry_connector,
)

pytestmark = pytest.mark.people(PEOPLE)


def read_in_windows(sandbox: Sandbox, folder: Path, concurrent_requests: int) -> Run:
    """Read 800 days in windows of 50."""
    folder.mkdir()
    connector = talemetry_connector(
        sandbox,
        folder,
        window_days=50,
        page_size=10,
        ids_per_request=5,
        concurrent_requests=concurrent_requests,
    )
    start = sandbox.now() - timedelta(days=800)
    connector.config["start_date"] = f"{start:%Y-%m-%dT%H:%M:%SZ}"
    return read_quickly(connector)


@pytest.mark.parametrize("fault", [None, "status", "reset"])
def test_windows_side_by_side_bring_the_same_in_the_same_order(
    sandbox: Sandbox, tmp_path: Path, fault: str | None
) -> None:
    settings(sandbox, created_also_updated=True, deleted_at_start_one_in=7)
    one = read_in_windows(sandbox, tmp_path / "one", 1)
    asked_one_by_one = Counter(event for event, _, _ in ranges(sandbox))
    forget(sandbox)
    if fault is not None:
        sandbox.fault("talemetry.ids", fault, probability=0.2, times=12)
    many = read_in_windows(sandbox, tmp_path / "many", 8)
    assert (one.code, many.code) == (0, 0), many.errors()
    if fault is None:
        assert Counter(event for event, _, _ in ranges(sandbox)) == asked_one_by_one

    def seen(run: Run) -> list[tuple[str, bool]]:
        return [(row["id"], row["is_deleted"]) for row in run.records("profiles")]

    assert seen(many) == seen(one)
    assert many.state("profiles").keys() == one.state("profiles").keys()


def test_the_next_window_is_listed_while_this_one_ends(tmp_path: Path) -> None:
    """The last listing of each window is answered once the first one of the next has come."""
    lock = threading.Lock()
    came: dict[str, threading.Event] = {}
    met: list[bool] = []

    def script(request: Any) -> Answer:
        asked = json.loads(request.body)["DateTimeRange"]
        event, begin, end = asked["Event"], asked["From"], asked["To"]
        if event == "created":
            with lock:
                came.setdefault(begin, threading.Event()).set()
        is_last = datetime.fromisoformat(end) > datetime.now(UTC) - timedelta(days=1)
        if event == "deleted" and not is_last:
            # Windows share a second.
            following = datetime.fromisoformat(end) - timedelta(seconds=1)
            with lock:
                there = came.setdefault(f"{following:%Y-%m-%dT%H:%M:%SZ}", threading.Event())
            met.append(there.wait(timeout=10))
        return Answer({"result": {"Ids": [], "Cursor": None}})

    with scripted_vendor(script) as vendor:
        settings_of_talemetry = section(
            "talemetry", vendor.url, window_days=30, concurrent_requests=2
        )
        connector = source(tmp_path, talemetry=settings_of_talemetry)
        start = datetime.now(UTC) - timedelta(days=170)
        connector.config["start_date"] = f"{start:%Y-%m-%dT%H:%M:%SZ}"
        run = connector.read_quickly("profiles")
    assert run.code == 0, run.errors()
    assert met == [True] * 5
