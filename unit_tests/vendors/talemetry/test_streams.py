"""The stream's partitions, as Spark reads them: planned, split and read without a cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest
import requests_mock

from source_ats.clock import rfc3339
from source_ats.errors import ConfigError, TransientError
from source_ats.http.retry import READ_POLICY
from source_ats.sync.stream import Partitioning, ReadOptions, State
from source_ats.vendors.talemetry import streams
from source_ats.vendors.talemetry.config import TalemetryConfig, TokenCredentials
from unit_tests.fakes import NOON, FakeClock

BASE = "https://vendor.example.com"
DAY = timedelta(days=1)
END = NOON - timedelta(minutes=5)

Json = dict[str, Any]


class Vendor:
    """Lists nobody, and refuses the events that it is told to refuse."""

    def __init__(self, mocker: requests_mock.Mocker) -> None:
        self.clock = FakeClock()
        self.refused: dict[str, int] = {}
        self.listed: list[Json] = []
        mocker.post(f"{BASE}/match/v1/people/ids", text=self._list)

    def _list(self, request: Any, context: Any) -> str:
        context.headers["Date"] = format_datetime(self.clock.now(), usegmt=True)
        window = request.json()["DateTimeRange"]
        self.listed.append(window)
        context.status_code = self.refused.get(window["Event"], 200)
        return json.dumps({"result": {"Ids": [], "Cursor": None}})

    def partitioning(
        self, start_date: datetime | None = None, lookback: timedelta = timedelta(0)
    ) -> Partitioning:
        config = TalemetryConfig(
            credentials=TokenCredentials(auth_type="token", token="token"),
            ids_base_url=BASE,
            profiles_base_url=BASE,
        )
        client = streams.client(
            config, self.clock, on_rate_limit=lambda until: None, retry_policy=READ_POLICY
        )
        (stream,) = streams.streams(config, ReadOptions(start_date, lookback), client)
        assert stream.partitioning is not None
        return stream.partitioning


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with requests_mock.Mocker() as mocker:
        yield Vendor(mocker)


def batches(partitioning: Partitioning, state: State, most: int) -> list[list[Json]]:
    """Return the windows of all batches, as a stream of batches plans them."""
    found = []
    while (after := partitioning.plan(state, most)) != state:
        found.append([dict(each) for each in partitioning.split(state, after, most)])
        state = json.loads(json.dumps(after))
    assert "in_progress" not in state
    return found


def test_batches_cover_all_the_time_once(vendor: Vendor) -> None:
    start = NOON - 300 * DAY
    found = batches(vendor.partitioning(start), {}, 3)
    assert [len(each) for each in found] == [3, 3, 3, 1]
    windows = [each for batch in found for each in batch]
    assert (windows[0]["from"], windows[-1]["to"]) == (rfc3339(start), rfc3339(END))
    for before, after in pairwise(windows):
        shared = datetime.fromisoformat(before["to"]) - datetime.fromisoformat(after["from"])
        assert shared == timedelta(seconds=1)


def test_a_batch_after_an_unfinished_plan_looks_back_from_the_window_in_progress(
    vendor: Vendor,
) -> None:
    partitioning = vendor.partitioning(NOON - 40 * DAY, lookback=timedelta(hours=2))
    after = partitioning.plan({}, 1)
    vendor.clock.advance(10 * 86_400)
    following = partitioning.plan(after, 5)
    first, second = partitioning.split(after, following, 5)
    assert (first["to"], second["to"]) == (rfc3339(END), rfc3339(END + 10 * DAY))
    assert second["from"] == rfc3339(END - timedelta(hours=2))


@pytest.mark.parametrize("start_date", [END, END - timedelta(seconds=1), NOON])
def test_a_start_date_within_the_last_minutes_plans_nothing(
    vendor: Vendor, start_date: datetime
) -> None:
    partitioning = vendor.partitioning(start_date)
    after = partitioning.plan({}, 5)
    assert after == {}
    assert partitioning.split({}, after, 5) == []


_FUTURE = rfc3339(NOON + 2 * DAY)
_IN_PROGRESS = {
    "from": rfc3339(NOON - 2 * DAY),
    "to": rfc3339(NOON - DAY),
    "event": "created",
    "cursor": None,
    "kept_at": rfc3339(NOON - DAY),
}


@pytest.mark.parametrize(
    "state",
    [
        {"listed_until": _FUTURE},
        {"in_progress": {**_IN_PROGRESS, "to": _FUTURE}},
        {"in_progress": {**_IN_PROGRESS, "kept_at": _FUTURE}},
    ],
)
def test_a_state_from_the_future_is_a_config_error(vendor: Vendor, state: State) -> None:
    with pytest.raises(ConfigError, match="vendor's clock"):
        vendor.partitioning().plan(state, 5)


def _state_before(now: datetime) -> State:
    return {"listed_until": rfc3339(now - DAY)}


@pytest.mark.parametrize("event", ["updated", "deleted"])
@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refused_event_fails_the_partition_if_it_worked_when_planned(
    vendor: Vendor, event: str, status: int
) -> None:
    state = _state_before(NOON)
    partitioning = vendor.partitioning()
    (partition,) = partitioning.split(state, partitioning.plan(state, 5), 5)
    vendor.refused[event] = status
    # A 403 after good answers may be a gateway's: the client names the status.
    with pytest.raises(TransientError, match="403" if status == 403 else event):
        list(partitioning.pages(partition))


def test_a_refused_event_that_never_worked_does_not_fail_the_partition(vendor: Vendor) -> None:
    vendor.refused = {"updated": 403, "deleted": 403}
    state = _state_before(NOON)
    partitioning = vendor.partitioning()
    (partition,) = partitioning.split(state, partitioning.plan(state, 5), 5)
    assert list(partitioning.pages(partition))


def test_a_plan_requests_each_event_only_until_it_is_known(vendor: Vendor) -> None:
    partitioning = vendor.partitioning()
    after = partitioning.plan(_state_before(NOON), 5)
    assert [each["Event"] for each in vendor.listed] == ["updated", "deleted", "created"]
    vendor.listed.clear()
    vendor.clock.advance(86_400)
    partitioning.plan(after, 5)
    assert [each["Event"] for each in vendor.listed] == ["created"]
