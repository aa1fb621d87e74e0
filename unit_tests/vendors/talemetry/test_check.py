"""What `check` asks Talemetry, and what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests_mock
from pydantic import ValidationError

from source_ats.errors import AtsError
from source_ats.http.retry import CHECK_POLICY
from source_ats.vendors.talemetry import streams
from source_ats.vendors.talemetry.check import check
from source_ats.vendors.talemetry.chosen import describe_missing
from source_ats.vendors.talemetry.config import TalemetryConfig, TokenCredentials
from unit_tests.fakes import FakeClock

BASE = "https://vendor.example.com"
GUIDS = [f"{number * 11111111}-aaaa-11ef-8000-000000000001" for number in range(1, 4)]

Json = dict[str, Any]


class Vendor:
    """Lists `people`, of whom those in `broken` are answered with an error of the server."""

    def __init__(self, mocker: requests_mock.Mocker) -> None:
        self.people = GUIDS
        self.changed = GUIDS[:1]
        self.refused: int | None = None
        self.broken: set[str] = set()
        self.listed: list[Json] = []
        self.fetched: list[str] = []
        mocker.post(f"{BASE}/match/v1/people/ids", text=self._list)
        mocker.post(f"{BASE}/soap/profiles/v1", text=self._fetch)

    def _list(self, request: Any, context: Any) -> str:
        asked = request.json()
        self.listed.append(asked)
        event = asked.get("DateTimeRange", {}).get("Event")
        if event and self.refused:
            context.status_code = self.refused
        return json.dumps({"result": {"Ids": self.changed if event else self.people}})

    def _fetch(self, request: Any, context: Any) -> str:
        (guid,) = request.json()["ids"]
        self.fetched.append(guid)
        if guid in self.broken:
            context.status_code = 500
            return ""
        person = {"CandidateRecordInfo": {"Id": {"IdValue": guid}}}
        return json.dumps({"result": {"Candidates": {"Candidate": person}}})

    def check(self) -> list[str]:
        config = TalemetryConfig(
            credentials=TokenCredentials(auth_type="token", token="token"),
            ids_base_url=BASE,
            profiles_base_url=BASE,
        )
        client = streams.client(
            config, FakeClock(), on_rate_limit=lambda until: None, retry_policy=CHECK_POLICY
        )
        return check(config, client)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with requests_mock.Mocker() as mocker:
        yield Vendor(mocker)


def test_an_empty_listing_is_a_note_and_costs_one_request(vendor: Vendor) -> None:
    vendor.people = []
    assert vendor.check() == [
        "Talemetry lists no people. If you expect some, check talemetry.exclude_sources."
    ]
    assert len(vendor.listed) == 1


def test_an_id_of_another_form_is_rejected_with_an_example() -> None:
    with pytest.raises(ValidationError, match=re.escape(f", must be a GUID such as {GUIDS[0]} [")):
        TalemetryConfig(
            credentials=TokenCredentials(auth_type="token", token="token"), candidate_ids=["7"]
        )


def test_missing_people_are_named_with_the_remedy() -> None:
    assert describe_missing(["a", "b"]) == (
        "Talemetry does not return a, b: deleted, not visible to this user, or a wrong ID. "
        "Correct or remove them in talemetry.candidate_ids."
    )
    assert describe_missing([str(number) for number in range(13)]).startswith(
        "Talemetry does not return 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 3 more: deleted, "
    )


NO_UPDATES = (
    "Talemetry lists no updates in the last 30 days. If people were updated, the feature "
    "track_candidate_last_changes is off: ask Jobvite to switch it on, because without it only new "
    "people are read."
)


def test_one_person_and_the_updates_are_requested(vendor: Vendor) -> None:
    assert vendor.check() == []
    assert vendor.fetched == GUIDS[:1]
    assert vendor.listed == [
        {"PageSize": 3},
        {
            "PageSize": 1,
            "DateTimeRange": {
                "From": "2026-01-01T11:55:00Z",
                "To": "2026-01-31T11:55:00Z",
                "Event": "updated",
            },
        },
    ]


def test_no_updates_are_a_note_with_the_feature_that_is_off(vendor: Vendor) -> None:
    vendor.changed = []
    assert vendor.check() == [NO_UPDATES]


@pytest.mark.parametrize("status", [400, 403])
def test_updates_that_are_refused_count_as_none(vendor: Vendor, status: int) -> None:
    vendor.refused = status
    assert vendor.check() == [NO_UPDATES]


def test_check_succeeds_if_one_person_cannot_be_read(vendor: Vendor) -> None:
    vendor.broken = {*GUIDS[:1]}
    assert vendor.check() == []
    assert vendor.fetched == [*GUIDS[:1] * CHECK_POLICY.attempts, GUIDS[1]]


def test_when_nobody_can_be_read_the_others_cost_few_requests(vendor: Vendor) -> None:
    vendor.broken = {*GUIDS}
    with pytest.raises(AtsError, match="status 500"):
        vendor.check()
    first, *others = (vendor.fetched.count(guid) for guid in GUIDS)
    assert (first, others) == (CHECK_POLICY.attempts, [1, 1])
