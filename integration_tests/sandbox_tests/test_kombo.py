"""The sandbox itself, and its Kombo, held against the vendor's facts (kombo.md)."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import requests

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.durations import DAY
from integration_tests.support.kombo import change, integrations

if TYPE_CHECKING:
    from collections.abc import Iterator

CANDIDATES = 2000
KEY = "ks_dev_sandbox"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A world of its own."""
    with Sandbox.start(candidates=CANDIDATES) as running:
        yield running


@pytest.fixture(scope="module")
def still() -> Iterator[Sandbox]:
    """A world that no test changes."""
    with Sandbox.start(candidates=CANDIDATES) as running:
        yield running


def get(
    sandbox: Sandbox, path: str, integration: str | None = None, key: str = KEY, **query: str | int
) -> requests.Response:
    """Call Kombo."""
    headers = {"Authorization": f"Bearer {key}", "Accept-Encoding": "gzip"}
    if integration is not None:
        headers["X-Integration-Id"] = integration
    url = f"{sandbox.url}/kombo/v1{path}"
    return sandbox.http.get(url, params=query, headers=headers, timeout=10)


def page(sandbox: Sandbox, integration: str, **query: str | int) -> dict[str, Any]:
    """Read one page of candidates."""
    answer = get(sandbox, "/ats/candidates", integration, KEY, **query)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body.keys() == {"status", "data"}
    assert body["status"] == "success"
    assert body["data"].keys() == {"next", "results"}
    data: dict[str, Any] = body["data"]
    return data


def read(sandbox: Sandbox, integration: str, **query: str | int) -> list[dict[str, Any]]:
    """Read all pages of candidates, with the same filters on each."""
    query.setdefault("page_size", 250)
    data = page(sandbox, integration, **query)
    rows: list[dict[str, Any]] = data["results"]
    while data["next"] is not None:
        data = page(sandbox, integration, cursor=data["next"], **query)
        rows.extend(data["results"])
    return rows


def truth(sandbox: Sandbox, integration: str) -> list[dict[str, Any]]:
    """What a full read with deleted rows would give now."""
    return list(sandbox.truth("/_control/kombo/truth", integration_id=integration))


def refused(answer: requests.Response, status: int, code: str) -> None:
    """Check the error envelope."""
    assert answer.status_code == status
    body = answer.json()
    assert body["status"] == "error"
    assert body["error"].keys() == {"code", "title", "message", "log_url"}
    assert body["error"]["code"] == code
    assert isinstance(body["error"]["message"], str)


def iso(moment: datetime) -> str:
    """Write a time as `updated_after` is documented."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


# Keys, integrations


@pytest.mark.parametrize("path", ["/check-api-key", "/integrations/x", "/ats/candidates"])
@pytest.mark.parametrize("key", ["", "ks_dev_other"])
def test_a_wrong_key_is_refused_everywhere(still: Sandbox, path: str, key: str) -> None:
    refused(get(still, path, key=key), 401, "PLATFORM.AUTHENTICATION_INVALID")


def test_keys_can_be_rotated(sandbox: Sandbox) -> None:
    sandbox.control("/_control/kombo/settings", {"keys": ["ks_dev_new"]})
    refused(get(sandbox, "/check-api-key"), 401, "PLATFORM.AUTHENTICATION_INVALID")
    assert get(sandbox, "/check-api-key", key="ks_dev_new").ok


def test_the_check_names_the_environment_twice(still: Sandbox) -> None:
    data = get(still, "/check-api-key").json()["data"]
    assert data["environment_id"] == data["customer_id"]
    assert re.fullmatch(r"[0-9A-Za-z]{24}", data["environment_id"])


def test_a_list_needs_a_known_integration(still: Sandbox) -> None:
    refused(get(still, "/ats/candidates"), 400, "PLATFORM.INPUT_INVALID")
    unknown = get(still, "/ats/candidates", "greenhouse:aaaaaaaaaaaaaaaaaaaaaaaa")
    refused(unknown, 404, "PLATFORM.INTEGRATION_NOT_FOUND")
    refused(get(still, "/integrations/greenhouse%3Aa"), 404, "PLATFORM.INTEGRATION_NOT_FOUND")


def test_the_candidates_are_divided_unevenly(still: Sandbox) -> None:
    sizes = [one["size"] for one in still.look("/_control/kombo/integrations")]
    assert sizes == [1200, 600, 200]
    assert all(re.fullmatch(r"greenhouse:[0-9A-Za-z]{24}", one) for one in integrations(still))


def test_more_accounts_and_an_empty_one() -> None:
    with Sandbox.start(candidates=1, accounts=5) as sandbox:
        rows = [len(read(sandbox, one, include_deleted="true")) for one in integrations(sandbox)]
    assert len(rows) == 5
    assert sorted(rows) == [0, 0, 0, 0, 1]


def test_an_integration_shows_how_it_stands(sandbox: Sandbox) -> None:
    first, second, _ = integrations(sandbox)
    data = get(sandbox, f"/integrations/{quote(first, safe='')}").json()["data"]
    assert (data["id"], data["tool"]["id"], data["category"]) == (first, "greenhouse", "ATS")
    assert (data["status"], data["setup_status"]) == ("ACTIVE", "COMPLETED")
    assert data["data_expired_at"] is None
    assert len(data["read_models"]) == 13
    assert all(model["is_available"] for model in data["read_models"])
    wish = {
        "integration_id": first,
        "status": "INVALID",
        "setup_status": "FINAL_SYNC_PENDING",
        "category": "HRIS",
        "tool": "comeet",
        "read_models_off": ["ats_candidates"],
        "error": "INTEGRATION.SETUP_SYNC_PENDING",
    }
    sandbox.control("/_control/kombo/integration", wish)
    data = get(sandbox, f"/integrations/{quote(first, safe='')}").json()["data"]
    assert (data["status"], data["setup_status"]) == ("INVALID", "FINAL_SYNC_PENDING")
    assert (data["category"], data["tool"]["id"]) == ("HRIS", "comeet")
    off = [model["id"] for model in data["read_models"] if not model["is_available"]]
    assert off == ["ats_candidates"]
    refused(get(sandbox, "/ats/candidates", first), 409, "INTEGRATION.SETUP_SYNC_PENDING")
    assert get(sandbox, "/ats/candidates", second).ok
    sandbox.control("/_control/kombo/integration", {"integration_id": first, "error": None})
    refused(get(sandbox, "/ats/candidates", first), 400, "INTEGRATION.MODEL_DISABLED")
    assert get(sandbox, "/ats/jobs", first).ok


# Pages


@pytest.mark.parametrize("size", ["0", "251", "-1", "ten", "1.5", ""])
def test_a_page_size_out_of_range_is_refused(still: Sandbox, size: str) -> None:
    answer = get(still, "/ats/candidates", integrations(still)[0], page_size=size)
    refused(answer, 400, "PLATFORM.INPUT_INVALID")


def test_a_page_has_100_rows_unless_asked_otherwise(still: Sandbox) -> None:
    first = integrations(still)[0]
    assert len(page(still, first)["results"]) == 100
    assert len(page(still, first, page_size=250)["results"]) == 250
    assert len(page(still, first, page_size=1)["results"]) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("include_deleted", "True"),
        ("include_deleted", "1"),
        ("ignore_unsupported_filters", "yes"),
        ("updated_after", "yesterday"),
        ("updated_after", "2025-02-30"),
        ("updated_after", "2025-03-01 10:00:00"),
        ("updated_before", "2025-03-01"),
    ],
)
def test_what_is_not_understood_is_refused(still: Sandbox, name: str, value: str) -> None:
    answer = get(still, "/ats/candidates", integrations(still)[0], **{name: value})
    refused(answer, 400, "PLATFORM.INPUT_INVALID")


@pytest.mark.parametrize("mode", ["keyed", "offset"])
@pytest.mark.parametrize("size", [250, 97])
def test_a_full_read_gives_the_truth_in_both_modes(sandbox: Sandbox, mode: str, size: int) -> None:
    change(sandbox, new=20, changed=30, nested=30, deleted=10)
    sandbox.control("/_control/kombo/settings", {"cursor_mode": mode})
    for integration in integrations(sandbox):
        expected = truth(sandbox, integration)
        rows = read(sandbox, integration, include_deleted="true", page_size=size)
        assert by_id(rows) == by_id(expected)
        assert len(rows) == len(expected)
        alive = read(sandbox, integration, page_size=size, ignore_unsupported_filters="true")
        assert by_id(alive) == {
            key: row for key, row in by_id(expected).items() if row["remote_deleted_at"] is None
        }
        assert len(alive) < len(rows)


def by_id(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Index rows."""
    return {row["id"]: row for row in rows}


def test_a_cursor_is_refused_when_damaged_or_used_elsewhere(still: Sandbox) -> None:
    first, second, _ = integrations(still)
    query = {"updated_after": "2020-01-01", "include_deleted": "true"}
    cursor = page(still, first, **query)["next"]
    assert page(still, first, cursor=cursor, page_size=7, **query)["results"]
    for broken in ("", "x", cursor[:-4], "A" + cursor[1:], cursor + "AAAA", cursor + "!", "ß"):
        answer = get(still, "/ats/candidates", first, cursor=broken, **query)
        refused(answer, 400, "PLATFORM.INPUT_INVALID")
    for other in (
        {},
        query | {"updated_after": "2020-01-02"},
        query | {"include_deleted": "false"},
    ):
        answer = get(still, "/ats/candidates", first, cursor=cursor, **other)
        refused(answer, 400, "PLATFORM.INPUT_INVALID")
    answer = get(still, "/ats/candidates", second, cursor=cursor, **query)
    refused(answer, 400, "PLATFORM.INPUT_INVALID")


def test_cursors_can_lose_their_worth(sandbox: Sandbox) -> None:
    first = integrations(sandbox)[0]
    old = page(sandbox, first)["next"]
    sandbox.control("/_control/kombo/settings", {"cursors": "refused"})
    refused(get(sandbox, "/ats/candidates", first, cursor=old), 400, "PLATFORM.INPUT_INVALID")
    young = page(sandbox, first)["next"]
    assert page(sandbox, first, cursor=young)["results"]
    sandbox.control("/_control/kombo/settings", {"cursors": "empty"})
    assert page(sandbox, first, cursor=young) == {"next": None, "results": []}
    sandbox.control("/_control/kombo/settings", {"cursors": "valid"})
    assert page(sandbox, first, cursor=old)["results"]


@pytest.mark.parametrize(("mode", "slipped"), [("keyed", 0), ("offset", 5)])
def test_rows_that_change_meanwhile_shift_offset_pages(
    sandbox: Sandbox, mode: str, slipped: int
) -> None:
    sandbox.control("/_control/kombo/settings", {"cursor_mode": mode})
    first = integrations(sandbox)[0]
    query: dict[str, str | int] = {"page_size": 250, "include_deleted": "true"}
    begun = page(sandbox, first, **query)
    seen = {row["id"] for row in begun["results"]}
    moved: list[str] = []
    while len(moved) < slipped:
        moved += [
            one
            for one in change(sandbox, integration_id=first, changed=1)["changed"]
            if one in seen
        ]
    cursor = begun["next"]
    while cursor is not None:
        data = page(sandbox, first, cursor=cursor, **query)
        seen |= {row["id"] for row in data["results"]}
        cursor = data["next"]
    assert len({row["id"] for row in truth(sandbox, first)} - seen) == slipped


# Rows

TEXT, MAYBE = (str,), (str, type(None))
LIST = (list,)
MAYBE_LIST = (list, type(None))
CANDIDATE = {
    "id": TEXT,
    "remote_id": TEXT,
    "first_name": MAYBE,
    "last_name": MAYBE,
    "company": MAYBE,
    "title": MAYBE,
    "confidential": (bool, type(None)),
    "source": MAYBE,
    "phone_numbers": MAYBE_LIST,
    "email_addresses": MAYBE_LIST,
    "social_media": MAYBE_LIST,
    "location": (dict, type(None)),
    "custom_fields": (dict, type(None)),
    "integration_fields": LIST,
    "remote_url": MAYBE,
    "remote_created_at": MAYBE,
    "remote_updated_at": MAYBE,
    "remote_data": (dict, type(None)),
    "changed_at": TEXT,
    "remote_deleted_at": MAYBE,
    "applications": LIST,
    "tags": LIST,
}
MAY_BE_ABSENT = {
    "phone_numbers",
    "email_addresses",
    "social_media",
    "location",
    "integration_fields",
}
APPLICATION = {
    "id": TEXT,
    "remote_id": MAYBE,
    "outcome": MAYBE,
    "rejection_reason_name": MAYBE,
    "rejected_at": MAYBE,
    "remote_url": MAYBE,
    "changed_at": TEXT,
    "remote_created_at": MAYBE,
    "remote_updated_at": MAYBE,
    "current_stage": (dict, type(None)),
    "job": (dict, type(None)),
}
NEWER = {"rejected_at", "remote_url", "changed_at", "remote_created_at", "remote_updated_at"}


def test_candidates_have_the_documented_shape(still: Sandbox) -> None:
    rows = [row for one in integrations(still) for row in read(still, one, include_deleted="true")]
    whole = [row for row in rows if row["last_name"] is not None]
    assert len(whole) > CANDIDATES * 0.9
    absent, null = set(), set()
    for row in whole:
        assert list(row) == [key for key in CANDIDATE if key in row]
        for key, value in row.items():
            assert isinstance(value, CANDIDATE[key]), key
        absent |= CANDIDATE.keys() - row.keys()
        null |= {key for key, value in row.items() if value is None}
        assert re.fullmatch(r"[0-9A-Za-z]{24}", row["id"])
        assert len(row["applications"]) <= 3
        for application in row["applications"]:
            assert APPLICATION.keys() - NEWER <= application.keys() <= APPLICATION.keys()
            for key, value in application.items():
                assert isinstance(value, APPLICATION[key]), key
            assert application["outcome"] in {"PENDING", "HIRED", "DECLINED", None}
        for tag in row["tags"]:
            assert tag.keys() == {"id", "name", "remote_id"}
        for number in row.get("phone_numbers") or []:
            assert {"phone_number"} <= number.keys() <= {"phone_number", "type"}
    assert absent == MAY_BE_ABSENT
    assert {"phone_numbers", "email_addresses", "social_media", "location"} <= null
    assert {len(row["applications"]) for row in whole} == {0, 1, 2, 3}
    assert any(not row["last_name"].isascii() for row in whole)
    assert len({row["id"] for row in rows}) == len(rows) == CANDIDATES


def test_rows_of_the_beginning_changed_one_after_the_other_in_two_years(still: Sandbox) -> None:
    first = integrations(still)[0]
    times = [row["changed_at"] for row in read(still, first, include_deleted="true")]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time) for time in times)
    assert len(set(times)) == len(times)
    earliest, latest = datetime.fromisoformat(min(times)), datetime.fromisoformat(max(times))
    assert latest <= still.now()
    assert earliest >= still.now() - timedelta(days=731)
    assert latest - earliest > timedelta(days=720)


def test_the_same_seed_gives_the_same_people() -> None:
    def people(seed: int) -> list[tuple[str, str | None, int]]:
        with Sandbox.start(candidates=50, seed=seed) as sandbox:
            return [
                (row["id"], row["last_name"], len(row["tags"] or ()))
                for row in sandbox.truth("/_control/kombo/truth")
            ]

    once = people(1)
    assert once == people(1)
    assert not {row[0] for row in once} & {row[0] for row in people(2)}


# Changes


def test_updated_after_is_exclusive(still: Sandbox) -> None:
    first = integrations(still)[0]
    rows = read(still, first, include_deleted="true")
    chosen = rows[700]
    assert (
        read(still, first, include_deleted="true", updated_after=chosen["changed_at"])
        == (rows[701:])
    )
    just_before = iso(datetime.fromisoformat(chosen["changed_at"]) - timedelta(milliseconds=1))
    assert read(still, first, include_deleted="true", updated_after=just_before) == rows[700:]
    date = chosen["changed_at"][:10]
    for form in (date, f"{date}T00:00:00", f"{date}T00:00:00Z", f"{date}T00:00:00.000"):
        after = read(still, first, include_deleted="true", updated_after=form)
        assert after == [row for row in rows if row["changed_at"] > f"{date}T00:00:00.000Z"]
    assert read(still, first, updated_after="2999-01-01T00:00:00.000Z") == []


def test_updated_after_matches_nested_changes_that_leave_changed_at(sandbox: Sandbox) -> None:
    first = integrations(sandbox)[0]
    before = by_id(truth(sandbox, first))
    since = iso(sandbox.now())
    sandbox.advance(60)
    made = change(sandbox, integration_id=first, new=3, changed=40, nested=40, deleted=5)
    assert {kind: len(ids) for kind, ids in made.items()} == {
        "new": 3,
        "changed": 40,
        "nested": 40,
        "deleted": 5,
    }
    every = {one for ids in made.values() for one in ids}
    assert len(every) == 88
    after = by_id(read(sandbox, first, include_deleted="true", updated_after=since))
    assert after.keys() == every
    shown = by_id(read(sandbox, first, updated_after=since))
    assert shown.keys() == every - set(made["deleted"])
    assert not set(made["new"]) & before.keys()
    assert all(after[one]["changed_at"] > since for one in made["new"])
    for one in made["changed"]:
        assert after[one]["changed_at"] > since
        assert differing(before[one], after[one]) >= {"changed_at", "title"}
    for one in made["nested"]:
        assert len(differing(before[one], after[one])) == 1
        assert differing(before[one], after[one]) <= {"applications", "tags"}
    assert {"applications", "tags"} == {
        key for one in made["nested"] for key in differing(before[one], after[one])
    }
    for one in made["deleted"]:
        assert differing(before[one], after[one]) == {"changed_at", "remote_deleted_at"}


def differing(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    """The keys whose values are not the same."""
    assert one.keys() == other.keys()
    return {key for key in one if one[key] != other[key]}


def test_a_deleted_row_is_emptied_after_14_days_in_silence(sandbox: Sandbox) -> None:
    first = integrations(sandbox)[0]
    (gone,) = change(sandbox, integration_id=first, deleted=1)["deleted"]
    marked = by_id(truth(sandbox, first))[gone]
    assert marked["last_name"] is not None
    assert marked["remote_deleted_at"] == marked["changed_at"]
    sandbox.advance(13 * DAY)
    assert by_id(truth(sandbox, first))[gone] == marked
    since = iso(sandbox.now())
    sandbox.advance(2 * DAY)
    emptied = by_id(truth(sandbox, first))[gone]
    kept = {"id", "changed_at", "remote_deleted_at"}
    assert emptied == {key: value if key in kept else None for key, value in marked.items()}
    assert read(sandbox, first, include_deleted="true", updated_after=since) == []


def test_rows_can_become_visible_after_their_timestamp(sandbox: Sandbox) -> None:
    first = integrations(sandbox)[0]
    before = truth(sandbox, first)
    since = sandbox.now()
    made = change(
        sandbox,
        integration_id=first,
        new=2,
        changed=2,
        nested=2,
        deleted=2,
        visible_after_seconds=600,
    )
    stamped = sandbox.now()
    sandbox.advance(590)
    assert truth(sandbox, first) == before
    assert read(sandbox, first, include_deleted="true", updated_after=iso(since)) == []
    sandbox.advance(11)
    after = by_id(
        read(
            sandbox,
            first,
            include_deleted="true",
            updated_after=iso(since - timedelta(milliseconds=1)),
        )
    )
    assert after.keys() == {one for ids in made.values() for one in ids}
    assert all(after[one]["changed_at"] <= iso(stamped) for one in made["new"] + made["changed"])


def test_changes_are_drawn_over_all_integrations(sandbox: Sandbox) -> None:
    made = change(sandbox, new=100, changed=100)
    where = [
        len({row["id"] for row in truth(sandbox, one)} & set(made["changed"] + made["new"]))
        for one in integrations(sandbox)
    ]
    assert sum(where) == 200
    assert where[0] > where[1] > where[2] > 0
    sizes = [one["size"] for one in sandbox.look("/_control/kombo/integrations")]
    assert sum(sizes) == CANDIDATES + 100


def test_everybody_can_be_deleted_but_nobody_twice(sandbox: Sandbox) -> None:
    smallest = integrations(sandbox)[-1]
    alive = len(read(sandbox, smallest))
    assert len(change(sandbox, integration_id=smallest, deleted=alive)["deleted"]) == alive
    assert read(sandbox, smallest) == []
    with pytest.raises(RuntimeError, match="not enough rows"):
        change(sandbox, integration_id=smallest, changed=1)


# Limits, compression


def test_the_rate_limit_speaks_in_headers(sandbox: Sandbox) -> None:
    assert "ratelimit-limit" not in get(sandbox, "/check-api-key").headers
    wish: dict[str, object] = {"rate_limit": {"limit": 3, "window_seconds": 60}}
    sandbox.control("/_control/kombo/settings", wish)
    answers = [get(sandbox, "/check-api-key") for _ in range(4)]
    assert [answer.headers["ratelimit-limit"] for answer in answers] == ["3"] * 4
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    refused(answers[-1], 429, "PLATFORM.RATE_LIMIT_EXCEEDED")
    assert "Retry-After" not in answers[-1].headers
    sandbox.control("/_control/kombo/settings", {"retry_after": True})
    last = get(sandbox, "/check-api-key")
    assert last.headers["Retry-After"] == last.headers["ratelimit-reset"]
    assert 55 <= int(last.headers["ratelimit-reset"]) <= 60
    sandbox.advance(int(last.headers["ratelimit-reset"]))
    assert get(sandbox, "/check-api-key").ok
    sandbox.control("/_control/kombo/settings", {"rate_limit": None})
    assert all(get(sandbox, "/check-api-key").ok for _ in range(5))


def test_answers_are_compressed_only_when_set(sandbox: Sandbox) -> None:
    first = integrations(sandbox)[0]
    plain = get(sandbox, "/ats/candidates", first)
    assert "Content-Encoding" not in plain.headers
    sandbox.control("/_control/kombo/settings", {"gzip": True})
    small = get(sandbox, "/ats/candidates", first)
    assert small.headers["Content-Encoding"] == "gzip"
    assert small.json()["data"]["results"] == plain.json()["data"]["results"]
    assert int(small.headers["Content-Length"]) < int(plain.headers["Content-Length"]) / 3


# The framework


def test_the_date_header_follows_the_sandbox_clock(sandbox: Sandbox) -> None:
    moved = sandbox.advance(1000 * DAY)
    date = parsedate_to_datetime(get(sandbox, "/check-api-key").headers["Date"])
    assert abs(date - moved) < timedelta(seconds=5)


def test_the_log_tells_what_came(sandbox: Sandbox) -> None:
    first = integrations(sandbox)[0]
    answer = get(sandbox, "/ats/candidates", first, page_size=5)
    get(sandbox, "/ats/candidates", first, page_size=500)
    get(sandbox, "/check-api-key", key="none")
    get(sandbox, "/nowhere")
    entries = sandbox.log()
    assert [entry["endpoint"] for entry in entries] == [
        "kombo.candidates",
        "kombo.candidates",
        "kombo.check_api_key",
        "unknown",
    ]
    assert [entry["status"] for entry in entries] == [200, 400, 401, 404]
    assert entries[0]["path"] == "/kombo/v1/ats/candidates"
    assert entries[0]["query"] == {"page_size": "5"}
    assert entries[0]["method"] == "GET"
    assert entries[0]["bytes"] == len(answer.content)
    assert entries[0]["in_flight"] == 1
    assert entries[0]["fault"] is None
    assert abs(entries[0]["at"] - sandbox.now().timestamp()) < 10
    assert sandbox.log("kombo.c*", since=entries[1]["n"]) == [entries[2]]
    assert sandbox.counts()["kombo.candidates"] == {"total": 2, "200": 1, "400": 1}
    sandbox.reset_log()
    assert sandbox.log() == []
    assert sandbox.counts() == {}


def test_faults_that_answer_instead(sandbox: Sandbox) -> None:
    def struck(kind: str, **rest: object) -> requests.Response:
        sandbox.clear_faults()
        sandbox.fault("kombo.*", kind, **rest)
        return get(sandbox, "/check-api-key")

    answer = struck("status", headers={"Retry-After": "7"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    answer = struck("body", body={"status": "success"})
    assert (answer.status_code, answer.json()) == (200, {"status": "success"})
    answer = struck("html", status=502)
    assert (answer.status_code, answer.headers["Content-Type"][:9]) == (502, "text/html")
    answer = struck("empty")
    assert (answer.status_code, answer.content) == (200, b"")
    with pytest.raises(requests.exceptions.ContentDecodingError):
        struck("bad_gzip")
    assert struck("delay", delay_seconds=0.001).ok
    assert [entry["fault"] for entry in sandbox.log()] == [
        "status",
        "body",
        "html",
        "empty",
        "bad_gzip",
        "delay",
    ]
    with pytest.raises(RuntimeError, match="kind is one of"):
        sandbox.fault("kombo.*", "earthquake")


def test_faults_that_cut_the_connection(sandbox: Sandbox) -> None:
    sandbox.control("/_control/kombo/settings", {"rate_limit": {"limit": 9, "window_seconds": 60}})
    url = f"{sandbox.url}/kombo/v1/check-api-key"
    for kind in ("reset", "lost_answer", "truncate"):
        sandbox.clear_faults()
        sandbox.fault("kombo.*", kind)
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            requests.get(url, headers={"Authorization": f"Bearer {KEY}"}, timeout=10)
    assert [entry["status"] for entry in sandbox.log()] == [None, None, 200]
    assert sandbox.counts()["kombo.check_api_key"] == {"total": 3, "cut": 2, "200": 1}
    sandbox.clear_faults()
    # `reset` came before the vendor's side of the call, the other two after it.
    assert get(sandbox, "/check-api-key").headers["ratelimit-remaining"] == "6"


def test_faults_that_change_the_right_answer(still: Sandbox) -> None:
    def struck(kind: str, **rest: object) -> requests.Response:
        still.clear_faults()
        still.fault("kombo.*", kind, **rest)
        return get(still, "/check-api-key", a="b")

    try:
        whole = get(still, "/check-api-key")
        right = whole.json()
        assert struck("half_json").content == whole.content[: len(whole.content) // 2]
        with pytest.raises(requests.JSONDecodeError):
            struck("half_gzip").json()
        assert struck("replace", at="data.environment_id", value=7).json()["data"] == {
            **right["data"],
            "environment_id": 7,
        }
        assert struck("replace", at="data").json() == {"status": "success"}
        answer = struck("headers", headers={"X": "{sent}", "Date": "yesterday"})
        assert (answer.json(), answer.headers["Date"]) == (right, "yesterday")
        assert KEY in answer.headers["X"]
        quoted = struck("status", status=400, body={"message": "{sent}"}).json()["message"]
        assert KEY in quoted
        assert "a=b" in quoted
        assert struck("status", status=400, containing="a=c").ok
    finally:
        still.clear_faults()


def test_a_canary_ends_all_that_is_told_of_people(sandbox: Sandbox) -> None:
    plain = get(sandbox, "/ats/candidates", integrations(sandbox)[0], page_size=5).json()["data"]
    sandbox.control("/_control/canary", {"text": "-canary"})
    told = get(sandbox, "/ats/candidates", integrations(sandbox)[0], page_size=5).json()["data"]
    for before, after in zip(plain["results"], told["results"], strict=True):
        assert (after["id"], after["changed_at"]) == (before["id"], before["changed_at"])
        for name in ("first_name", "last_name", "company", "title"):
            assert after[name] == (before[name] and f"{before[name]}-canary")
    assert told["next"] == plain["next"]


def test_faults_choose_their_calls(sandbox: Sandbox) -> None:
    first = integrations(sandbox)[0]
    sandbox.fault("kombo.check*", "status", after=1, times=2)
    assert [get(sandbox, "/check-api-key").status_code for _ in range(5)] == [
        200,
        503,
        503,
        200,
        200,
    ]
    assert get(sandbox, "/ats/candidates", first).ok
    sandbox.clear_faults()
    sandbox.fault("kombo.candidates", "status", probability=0.3)
    statuses = [get(sandbox, "/ats/candidates", first, page_size=1).status_code for _ in range(200)]
    assert 30 <= statuses.count(503) <= 90


def test_the_sandbox_ends_with_its_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        sandbox = Sandbox(parent.stdout.readline().decode().strip())
        sandbox.now()
        parent.kill()
        with pytest.raises(requests.ConnectionError):
            ask_for_ever(sandbox)


def ask_for_ever(sandbox: Sandbox) -> None:
    while True:
        sandbox.now()


PARENT = """
import signal
from integration_tests.sandbox.running import Sandbox
with Sandbox.start(candidates=1) as sandbox:
    print(sandbox.url, flush=True)
    signal.pause()
"""


# Row filters


def chosen(sandbox: Sandbox, integration: str, path: str, **query: str | int) -> list[str]:
    """Read all pages of a list and return the ids, in their order."""
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = get(sandbox, path, integration, KEY, **query, **cursor)
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        ids += [row["id"] for row in data["results"]]
        if data["next"] is None:
            return ids
        cursor = {"cursor": data["next"]}


def test_ids_follow_the_documented_pattern(still: Sandbox) -> None:
    pattern = re.compile("[1-9A-HJ-NP-Za-km-z]{24}")
    assert all(pattern.fullmatch(row["id"]) for row in truth(still, integrations(still)[0]))


@pytest.mark.parametrize("mode", ["keyed", "offset"])
def test_candidates_can_be_filtered(sandbox: Sandbox, mode: str) -> None:
    sandbox.control("/_control/kombo/settings", {"cursor_mode": mode})
    first, path = integrations(sandbox)[0], "/ats/candidates"
    change(sandbox, integration_id=first, changed=20, new=5)
    rows = [row for row in truth(sandbox, first) if row["remote_deleted_at"] is None]
    some = rows[3:900:7]
    for name, key in (("ids", "id"), ("remote_ids", "remote_id")):
        values = ",".join(row[key] for row in some)
        found = chosen(sandbox, first, path, page_size=50, **{name: values})
        assert sorted(found) == sorted(row["id"] for row in some)

    addresses = next(row["email_addresses"] for row in rows[400:] if row.get("email_addresses"))
    email = addresses[0]["email_address"]
    holders = [row["id"] for row in rows if email in str(row.get("email_addresses"))]
    assert chosen(sandbox, first, path, email=email.upper()) == holders

    def applied_to(row: dict[str, Any]) -> set[str]:
        return {each["job"]["id"] for each in row["applications"] if each["job"]}

    jobs = sorted(set().union(*map(applied_to, rows)))[:2]
    found = chosen(sandbox, first, path, page_size=50, job_ids=",".join(jobs))
    assert sorted(found) == sorted(row["id"] for row in rows if applied_to(row) & set(jobs))
    both = chosen(sandbox, first, path, job_ids=jobs[0], ids=",".join(row["id"] for row in some))
    assert sorted(both) == sorted(row["id"] for row in some if jobs[0] in applied_to(row))


def test_a_filter_goes_with_updated_after(sandbox: Sandbox) -> None:
    first, path = integrations(sandbox)[0], "/ats/candidates"
    since = iso(sandbox.now())
    sandbox.advance(60)
    moved = change(sandbox, integration_id=first, changed=3, deleted=1)
    still_there = truth(sandbox, first)[5]["id"]
    ids = ",".join([*moved["changed"], *moved["deleted"], still_there])
    living = chosen(sandbox, first, path, ids=ids, updated_after=since)
    assert sorted(living) == sorted(set(moved["changed"]))
    everybody = chosen(sandbox, first, path, ids=ids, updated_after=since, include_deleted="true")
    assert sorted(everybody) == sorted(moved["changed"] + moved["deleted"])


def test_unknown_ids_fail_the_whole_call_unless_set_otherwise(sandbox: Sandbox) -> None:
    first, second, *_ = integrations(sandbox)
    own, other = truth(sandbox, first)[0]["id"], truth(sandbox, second)[0]["id"]
    for stranger in (other, "2" * 24, "short"):
        answer = get(sandbox, "/ats/candidates", first, ids=f"{own},{stranger}")
        refused(answer, 404, "PLATFORM.INPUT_INVALID")
    sandbox.control("/_control/kombo/settings", {"unknown_ids": "ignored"})
    found = chosen(sandbox, first, "/ats/candidates", ids=f"{own},{other}", include_deleted="true")
    assert found == [own]
    sandbox.control("/_control/kombo/settings", {"most_filter_values": 1})
    answer = get(sandbox, "/ats/candidates", first, ids=f"{own},{other}")
    refused(answer, 400, "PLATFORM.INPUT_INVALID")


def test_an_unsupported_filter_finds_nothing_or_is_dropped(sandbox: Sandbox) -> None:
    first, path = integrations(sandbox)[0], "/ats/candidates"
    wish = {"integration_id": first, "unsupported_filters": ["email"]}
    sandbox.control("/_control/kombo/integration", wish)
    query: dict[str, str | int] = {"email": "person1@example.org", "page_size": 250}
    assert chosen(sandbox, first, path, **query) == []
    query["ignore_unsupported_filters"] = "true"
    everybody = chosen(sandbox, first, path, page_size=250)
    assert chosen(sandbox, first, path, **query) == everybody


@pytest.mark.parametrize("model", ["notes", "scorecards", "attachments"])
def test_what_belongs_to_a_candidate_can_be_asked_for(still: Sandbox, model: str) -> None:
    first, path = integrations(still)[0], f"/ats/{model}"
    people = {row["id"] for row in truth(still, first)}
    found = still.truth("/_control/kombo/truth", integration_id=first, model=model)
    rows = [row for row in found if row["remote_deleted_at"] is None]
    assert {row["candidate_id"] for row in rows} - {None} <= people
    one = next(row for row in rows[100:] if row["candidate_id"] and row["application_id"])
    assert chosen(still, first, path, candidate_ids=one["candidate_id"]) == [one["id"]]
    assert chosen(still, first, path, application_ids=one["application_id"]) == [one["id"]]


def test_notes_scorecards_attachments_and_stages_vary_as_documented(still: Sandbox) -> None:
    first = integrations(still)[0]

    def rows(model: str) -> list[dict[str, Any]]:
        found = still.truth("/_control/kombo/truth", integration_id=first, model=model)
        return [row for row in found if row["remote_deleted_at"] is None]

    assert {row["author"] is None for row in rows("notes")} == {True, False}
    assert {"responses" in row for row in rows("scorecards")} == {True, False}
    types = {each["type"] for row in rows("scorecards") for each in row.get("responses") or ()}
    assert types > {"TEXT", "NUMBER", "BOOLEAN", "DATE", "SINGLE_SELECT", "MULTI_SELECT"}
    assert {"content_ref" in row for row in rows("attachments")} == {True, False}
    assert {row["type"] for row in rows("attachments")} == {"CV", "COVER_LETTER", "OTHER", None}
    assert {row["status"] for row in rows("application-stages")} == {"ACTIVE", "INACTIVE"}


# Attachments on demand


def files(sandbox: Sandbox, integration: str, candidate: str) -> list[dict[str, Any]]:
    """Ask for the files of a candidate."""
    answer = get(sandbox, f"/ats/candidates/{candidate}/attachments", integration)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body.keys() == {"status", "data", "warnings"}
    found: list[dict[str, Any]] = body["data"]["results"]
    return found


def with_files(sandbox: Sandbox, integration: str) -> str:
    """Return the id of a candidate who has files."""
    ids = chosen(sandbox, integration, "/ats/candidates")
    return next(each for each in ids if files(sandbox, integration, each))


def test_files_have_the_documented_shape_and_can_be_downloaded(sandbox: Sandbox) -> None:
    first = integrations(sandbox)[0]
    candidate = with_files(sandbox, first)
    found = files(sandbox, first, candidate)
    assert found[0].keys() == {
        *("id", "remote_id", "candidate_id", "application_id", "type", "file_name"),
        *("content_type", "data_url", "remote_created_at", "remote_updated_at"),
    }
    assert (found[0]["candidate_id"], found[0]["type"]) == (candidate, "CV")
    url = found[0]["data_url"]
    *host, end = url.split("/")
    assert re.fullmatch("[1-9A-HJ-NP-Za-km-z]{24}", end)
    content = sandbox.http.get(url, timeout=10)
    assert content.status_code == 200
    assert content.headers["Content-Type"].startswith(found[0]["content_type"])
    assert content.content.startswith(b"%PDF")
    with_key = sandbox.http.get(url, timeout=10, headers={"Authorization": f"Bearer {KEY}"})
    assert with_key.status_code == 400
    other = "/".join([*host, ("2" if end[0] == "1" else "1") + end[1:]])
    assert sandbox.http.get(other, timeout=10).status_code == 404

    sandbox.advance(7 * DAY + 120)
    assert sandbox.http.get(url, timeout=10).status_code == 403
    again = files(sandbox, first, candidate)
    assert [each["id"] for each in again] == [each["id"] for each in found]
    assert again[0]["data_url"] != url
    assert sandbox.http.get(again[0]["data_url"], timeout=10).content == content.content


def test_a_changed_candidate_has_one_more_file(sandbox: Sandbox) -> None:
    smallest = integrations(sandbox)[-1]
    before = {
        each: len(files(sandbox, smallest, each))
        for each in chosen(sandbox, smallest, "/ats/candidates", page_size=250)
    }
    (changed,) = change(sandbox, integration_id=smallest, changed=1)["changed"]
    assert len(files(sandbox, smallest, changed)) == before[changed] + 1


def test_files_that_cannot_be_read(sandbox: Sandbox) -> None:
    first = integrations(sandbox)[0]
    candidate = with_files(sandbox, first)
    many = len(files(sandbox, first, candidate))
    path = f"/ats/candidates/{candidate}/attachments"
    wish = {"integration_id": first, "attachment_warnings": True}
    sandbox.control("/_control/kombo/integration", wish)
    body = get(sandbox, path, first).json()
    assert len(body["data"]["results"]) == many - 1
    assert body["warnings"][0]["message"]

    wish = {"integration_id": first, "attachments_error": "INTEGRATION.PERMISSION_MISSING"}
    sandbox.control("/_control/kombo/integration", wish)
    refused(get(sandbox, path, first), 403, "INTEGRATION.PERMISSION_MISSING")
    answer = get(sandbox, f"/ats/candidates/{'2' * 24}/attachments", integrations(sandbox)[1])
    refused(answer, 404, "PLATFORM.INPUT_INVALID")


def test_too_many_live_calls_at_the_same_time_are_refused(sandbox: Sandbox) -> None:
    first = integrations(sandbox)[0]
    candidate = truth(sandbox, first)[-1]["id"]
    sandbox.control("/_control/kombo/settings", {"concurrent_actions": 1, "action_seconds": 2})
    path = f"/ats/candidates/{candidate}/attachments"
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: get(sandbox, path, first), range(3)))
    by_status = {answer.status_code: answer for answer in answers}
    assert by_status.keys() == {200, 429}
    refused(by_status[429], 429, "PLATFORM.CONCURRENCY_LIMIT_EXCEEDED")
    assert by_status[429].headers["Concurrency-Limit"] == "1"
    assert by_status[429].headers["Concurrency-Remaining"] == "0"
