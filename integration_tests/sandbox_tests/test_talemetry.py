"""The fake Talemetry answers as the facts say, and its own books agree with its answers."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from integration_tests.sandbox.running import Sandbox
from integration_tests.sandbox.talemetry.data import Dice, Guids, Life
from integration_tests.sandbox.talemetry.records import INCLUDE, Record

if TYPE_CHECKING:
    from collections.abc import Iterator

PEOPLE = 300
READY = "TGC-sandbox"
CLIENT = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
NOBODY = "11111111-aaaa-11ef-8000-000000000001"


class Client:
    """A plain client: it knows the documented requests and the default shapes, nothing else."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Talk to this sandbox with the ready token."""
        self.sandbox = sandbox
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["Authorization"] = f"OAUTH {READY}"
        self.http.headers["Accept"] = "application/json"

    def post(self, path: str, body: object) -> requests.Response:
        return self.http.post(self.sandbox.url + path, json=body, timeout=30)

    def token(self, body: object) -> requests.Response:
        return self.post("/talemetry/oauth/token", body)

    def ids(self, **body: object) -> requests.Response:
        return self.post("/talemetry/match/v1/people/ids", body)

    def profiles(self, **body: object) -> requests.Response:
        return self.post("/talemetry/soap/profiles/v1", body)

    def pages(self, **body: object) -> list[list[str]]:
        """All pages of a listing."""
        found: list[list[str]] = []
        cursor = None
        while True:
            answer = self.ids(**body, Cursor=cursor)
            assert answer.status_code == 200, answer.text
            result = answer.json()["result"]
            found.append(result["Ids"])
            cursor = result["Cursor"]
            if cursor is None:
                return found

    def listed(self, **body: object) -> list[str]:
        """All GUIDs of a listing, in their order."""
        return [guid for page in self.pages(**body) for guid in page]

    def window(self, event: str, start: datetime, end: datetime, **body: object) -> list[str]:
        """All GUIDs of a window."""
        return self.listed(DateTimeRange=window(event, start, end), **body)

    def candidates(self, ids: list[str], **body: object) -> list[dict[str, Any]]:
        """The candidates of some ids."""
        answer = self.profiles(ids=ids, **body)
        assert answer.status_code == 200, answer.text
        return [entry["Candidate"] for entry in answer.json()["result"]["Candidates"]]

    def set(self, **settings: object) -> None:
        self.sandbox.control("/_control/talemetry/settings", settings)

    def change(self, **wish: object) -> dict[str, list[str]]:
        changed: dict[str, list[str]] = self.sandbox.control("/_control/talemetry/change", wish)
        return changed

    def mark(self, ids: list[str], mark: str | None) -> None:
        self.sandbox.control("/_control/talemetry/mark", {"ids": ids, "mark": mark})

    def truth(self, **query: str) -> list[dict[str, Any]]:
        return list(self.sandbox.truth("/_control/talemetry/truth", **query))

    def now(self) -> datetime:
        return self.sandbox.now()

    def some(self, count: int) -> list[str]:
        """So many people who are there."""
        return self.listed(PageSize=1000)[:count]


def window(event: str, start: datetime, end: datetime) -> dict[str, str]:
    return {"From": stamp(start), "To": stamp(end), "Event": event}


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def guid_of(candidate: dict[str, Any]) -> str:
    guid: str = candidate["CandidateRecordInfo"]["Id"]["IdValue"]
    return guid


def version_of(candidate: dict[str, Any]) -> int:
    return int(candidate["UserArea"]["sandbox_version"]["Value"])


def changed_at(line: dict[str, Any]) -> datetime:
    """When the newest version of a person in the truth was made, as the person's record says."""
    field = line["candidate"]["UserArea"]["sandbox_version"]
    return datetime.strptime(field["UpdatedAt"], "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)


def created_at(line: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(line["created_at"])


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(candidates=PEOPLE, seed=7) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    """A client whose vendor has its default settings. Changes of earlier tests stay."""
    made = Client(sandbox)
    sandbox.advance(7200)
    yield made
    for path in ("settings", "mark", "asked"):
        sandbox.http.delete(f"{sandbox.url}/_control/talemetry/{path}", timeout=30)
    made.http.close()


class TestToken:
    def test_is_given_for_json_and_for_a_form_and_is_new_each_time(self, client: Client) -> None:
        first = client.token(CLIENT).json()
        form = client.http.post(
            client.sandbox.url + "/talemetry/oauth/token", data=CLIENT, timeout=30
        )
        second = form.json()
        assert first["access_token"] != second["access_token"]
        assert (first["token_type"], first["expires_in"]) == ("OAUTH", 3600)
        for token in (first["access_token"], second["access_token"]):
            assert re.fullmatch(r"TGC-\d{10}r[0-9a-f]{20}", token)
            client.http.headers["Authorization"] = f"OAUTH {token}"
            assert client.ids().status_code == 200

    def test_needs_the_right_client(self, client: Client) -> None:
        assert client.token({**CLIENT, "client_secret": "guess"}).status_code == 401
        assert client.token({"client_id": "sandbox-client"}).status_code == 400

    def test_ends_by_control_and_by_time(self, client: Client) -> None:
        def fresh() -> None:
            token = client.token(CLIENT).json()["access_token"]
            client.http.headers["Authorization"] = f"OAUTH {token}"

        fresh()
        client.sandbox.control("/_control/talemetry/expire_tokens", {})
        assert client.ids().status_code == 401
        fresh()
        assert client.ids().status_code == 200
        client.sandbox.advance(3601)
        assert client.ids().status_code == 401

    def test_comes_in_three_shapes(self, client: Client) -> None:
        client.set(token_shape="token")
        assert client.token(CLIENT).json()["token"].startswith("TGC-")
        client.set(token_shape="result")
        assert client.token(CLIENT).json()["result"]["access_token"].startswith("TGC-")

    @pytest.mark.parametrize(
        "header", ["Bearer TGC-sandbox", "oauth TGC-sandbox", "OAUTH guess", "TGC-sandbox", ""]
    )
    def test_is_refused_in_any_other_form(self, client: Client, header: str) -> None:
        client.http.headers["Authorization"] = header
        assert client.ids().status_code == 401
        assert client.profiles(ids=[NOBODY]).status_code == 401

    def test_ready_one_can_be_revoked(self, client: Client) -> None:
        client.set(ready_token_revoked=True)
        assert client.ids().status_code == 401

    def test_documented_accept_header_is_needed(self, client: Client) -> None:
        client.http.headers["Accept"] = "*/*"
        assert client.ids().status_code == 406


class TestListing:
    def test_without_a_range_holds_everybody_who_is_there(self, client: Client) -> None:
        pages = client.pages(PageSize=70)
        listed = [guid for page in pages for guid in page]
        assert [len(page) for page in pages[:-1]] == [70] * (len(pages) - 1)
        assert sorted(listed) == sorted(
            line["id"] for line in client.truth() if not line["deleted"]
        )
        assert len(set(listed)) == len(listed)

    def test_goes_in_the_order_of_the_guids_not_of_time(self, client: Client) -> None:
        listed = client.listed()
        by_time = [line["id"] for line in client.truth() if not line["deleted"]]
        assert listed == sorted(listed)
        assert listed != by_time

    def test_page_size_has_a_largest_value(self, client: Client) -> None:
        client.set(max_page_size=40)
        assert {len(page) for page in client.pages(PageSize=100)[:-1]} == {40}
        assert {len(page) for page in client.pages()[:-1]} == {40}

    @pytest.mark.parametrize("event", ["created", "updated"])
    def test_windows_hold_whose_last_event_is_in_them(self, client: Client, event: str) -> None:
        truth = [line for line in client.truth(full="true") if not line["deleted"]]
        moment = created_at if event == "created" else changed_at
        started = created_at(truth[0])
        happened = 0
        for month in range(26):
            start = started + timedelta(days=30 * month)
            end = start + timedelta(days=30)
            expected = [
                line["id"]
                for line in truth
                if (event == "created" or line["version"] > 1) and start <= moment(line) < end
            ]
            assert client.window(event, start, end, PageSize=7) == sorted(expected)
            happened += len(expected)
        assert happened > PEOPLE / 5

    def test_from_is_in_the_window_and_to_is_by_setting(self, client: Client) -> None:
        start = client.now().replace(microsecond=0) - timedelta(minutes=10)
        end = start + timedelta(minutes=5)
        first = client.change(changed=1, at=stamp(start))["changed"]
        last = client.change(new=1, at=stamp(end))["new"]
        assert client.window("updated", start, end) == first
        assert client.window("created", start, end) == []
        client.set(to_inclusive=True)
        assert client.window("created", start, end) == last

    @pytest.mark.parametrize(
        "body",
        [
            {"DateTimeRange": {"From": "2025-01-01T00:00:00Z", "To": "2025-01-02T00:00:00Z"}},
            {"DateTimeRange": {"From": "2025-01-01T00:00:00Z", "Event": "updated"}},
            {"DateTimeRange": {}},
            {"DateTimeRange": window("removed", datetime.now(UTC), datetime.now(UTC))},
            {
                "DateTimeRange": {
                    "From": "2025-01-01T00:00:00+00:00",
                    "To": "2025-01-02T00:00:00Z",
                    "Event": "updated",
                }
            },
            {
                "DateTimeRange": {
                    "From": "2025-01-01T00:00:00.000Z",
                    "To": "2025-01-02T00:00:00Z",
                    "Event": "updated",
                }
            },
            {
                "DateTimeRange": {
                    "From": "2025-02-30T00:00:00Z",
                    "To": "2025-03-02T00:00:00Z",
                    "Event": "updated",
                }
            },
            {
                "DateTimeRange": {
                    "From": "2025-01-03T00:00:00Z",
                    "To": "2025-01-02T00:00:00Z",
                    "Event": "updated",
                }
            },
            {"ExcludeSources": "talemetry"},
            {"ExcludeLifeCycles": [1]},
            {"PageSize": 0},
            {"PageSize": "10"},
            {"Cursor": "page-2"},
            {"Cursor": NOBODY},
            {"Pagesize": 10},
        ],
    )
    def test_refuses_what_is_not_documented(self, client: Client, body: dict[str, object]) -> None:
        assert client.ids(**body).status_code == 400

    def test_refuses_a_body_that_is_not_a_json_object(self, client: Client) -> None:
        for data in ("{", "[]", ""):
            answer = client.http.post(
                client.sandbox.url + "/talemetry/match/v1/people/ids", data=data, timeout=30
            )
            assert answer.status_code == 400

    def test_excludes_sources_and_life_cycles(self, client: Client) -> None:
        truth = [line for line in client.truth(full="true") if not line["deleted"]]
        without_source = client.listed(ExcludeSources=["linkedin", "referral"])
        assert sorted(without_source) == sorted(
            line["id"] for line in truth if not {"linkedin", "referral"} & set(line["sources"])
        )
        without_life_cycle = client.listed(ExcludeLifeCycles=["alumni"], PageSize=11)
        assert sorted(without_life_cycle) == sorted(
            line["id"] for line in truth if line["life_cycle"] != "alumni"
        )
        assert 0 < len(without_source) < len(truth) > len(without_life_cycle) > 0

    def test_answers_a_get_only_if_set(self, client: Client) -> None:
        url = client.sandbox.url + "/talemetry/match/v1/people/ids"
        body = {"PageSize": 5, "ExcludeSources": ["linkedin"]}
        query = {"PageSize": "5", "ExcludeSources[]": "linkedin"}
        expected = client.ids(**body).json()
        assert client.http.get(url, json=body, timeout=30).status_code == 405
        client.set(ids_methods="both")
        assert client.http.get(url, json=body, timeout=30).json() == expected
        assert client.http.get(url, params=query, timeout=30).json() == expected
        assert client.ids(**body).json() == expected
        client.set(ids_methods="get")
        assert client.ids(**body).status_code == 405
        now = client.now()
        bounds = window("created", now - timedelta(days=60), now).items()
        windowed = {f"DateTimeRange[{name}]": value for name, value in bounds}
        answer = client.http.get(url, params=windowed, timeout=30)
        client.set(ids_methods="post")
        assert answer.json()["result"]["Ids"] == client.window(
            "created", now - timedelta(days=60), now
        )


class TestListingShapes:
    def test_the_same_page_in_four_shapes(self, client: Client) -> None:
        usual = client.ids(PageSize=3).json()["result"]
        assert usual["Cursor"] == usual["Ids"][-1]
        client.set(ids_shape="flat")
        assert client.ids(PageSize=3).json() == {
            "ids": usual["Ids"],
            "next_cursor": usual["Cursor"],
        }
        client.set(ids_shape="objects")
        assert client.ids(PageSize=3).json() == {
            "result": {
                "Candidates": [{"IdValue": guid} for guid in usual["Ids"]],
                "NextCursor": usual["Cursor"],
            }
        }
        client.set(ids_shape="no_cursor")
        assert client.ids(PageSize=3).json() == {"result": {"Ids": usual["Ids"]}}

    def test_the_last_guid_is_a_cursor_where_none_is_given(self, client: Client) -> None:
        everybody = client.listed()
        client.set(ids_shape="no_cursor")
        found: list[str] = []
        while page := client.ids(PageSize=100, Cursor=found[-1] if found else None).json()[
            "result"
        ]["Ids"]:
            found += page
        assert found == everybody

    def test_the_end_can_show_as_an_empty_page(self, client: Client) -> None:
        everybody = client.listed()
        client.set(end_of_pages="empty_page")
        pages = client.pages(PageSize=100)
        assert pages[-1] == []
        assert [guid for page in pages for guid in page] == everybody

    def test_the_end_can_show_as_a_cursor_that_repeats(self, client: Client) -> None:
        last = client.listed()[-1]
        client.set(end_of_pages="repeat")
        for _ in range(2):
            answer = client.ids(Cursor=last).json()
            assert answer == {"result": {"Ids": [last], "Cursor": last}}

    def test_pages_can_be_short_before_the_end(self, client: Client) -> None:
        everybody = client.listed()
        client.set(short_pages=True)
        pages = client.pages(PageSize=20)
        assert [guid for page in pages for guid in page] == everybody
        assert len({len(page) for page in pages[:-1]}) > 1

    @pytest.mark.parametrize(
        ("setting", "listing", "profiles"),
        [
            ("list", {"Ids": [], "Cursor": None}, {"Candidates": []}),
            ("null", {"Ids": None, "Cursor": None}, {"Candidates": None}),
            ("object", {"Ids": {}, "Cursor": None}, {"Candidates": {}}),
            ("missing", {"Cursor": None}, {}),
            ("no_result", None, None),
        ],
    )
    def test_nothing_takes_many_forms(
        self, client: Client, setting: str, listing: object, profiles: object
    ) -> None:
        client.set(nothing_matches=setting)
        future = client.now() + timedelta(days=3)
        empty = client.ids(DateTimeRange=window("created", future, future))
        assert empty.json() == {"result": listing}
        assert client.profiles(ids=[NOBODY]).json() == {"result": profiles}

    def test_a_single_entry_can_be_collapsed(self, client: Client) -> None:
        client.set(collapse_single=True)
        guid = client.ids(PageSize=1).json()["result"]["Ids"]
        answer = client.profiles(ids=[guid]).json()
        assert guid_of(answer["result"]["Candidates"]["Candidate"]) == guid

    @pytest.mark.parametrize("how", ["refuse", "empty"])
    def test_a_cursor_can_leave_the_window(self, client: Client, how: str) -> None:
        start = client.now()
        client.change(changed=10)
        client.sandbox.advance(60)
        end = client.now()
        asked = {"DateTimeRange": window("updated", start, end), "PageSize": 4}
        cursor = client.ids(**asked).json()["result"]["Cursor"]
        client.change(changed_ids=[cursor])
        assert len(client.ids(**asked, Cursor=cursor).json()["result"]["Ids"]) == 4
        client.set(cursor_expired=how)
        answer = client.ids(**asked, Cursor=cursor)
        if how == "refuse":
            assert answer.status_code == 400
        else:
            assert answer.json() == {"result": {"Ids": [], "Cursor": None}}

    def test_a_cursor_can_grow_old(self, client: Client) -> None:
        client.set(cursor_expired="refuse", cursor_max_age_seconds=600)
        cursor = client.ids(PageSize=4).json()["result"]["Cursor"]
        assert client.ids(PageSize=4, Cursor=cursor).status_code == 200
        client.sandbox.advance(601)
        assert client.ids(PageSize=4, Cursor=cursor).status_code == 400

    def test_unknown_settings_and_values_are_refused(self, client: Client) -> None:
        for wish in ({"ids_shap": "flat"}, {"ids_shape": "round"}, {"short_pages": 1}):
            with pytest.raises(RuntimeError, match="bad_setting"):
                client.set(**wish)


class TestChanges:
    def test_show_in_the_windows_the_profiles_and_the_truth(self, client: Client) -> None:
        before = {line["id"]: line["version"] for line in client.truth()}
        start = client.now()
        done = client.change(new=3, changed=4, deleted=2)
        client.sandbox.advance(60)
        end = client.now()
        assert [len(done[kind]) for kind in ("new", "changed", "deleted")] == [3, 4, 2]
        assert client.window("created", start, end) == sorted(done["new"])
        assert client.window("updated", start, end) == sorted(done["changed"])
        assert client.window("deleted", start, end) == sorted(done["deleted"])
        after = {line["id"]: line for line in client.truth()}
        assert set(after) == {*before, *done["new"]}
        assert [after[guid]["version"] for guid in done["changed"]] == [
            before[guid] + 1 for guid in done["changed"]
        ]
        assert all(after[guid]["deleted"] for guid in done["deleted"])
        answered = client.candidates(
            [guid for ids in done.values() for guid in ids], include=["custom_data"]
        )
        assert {guid_of(one): version_of(one) for one in answered} == {
            guid: after[guid]["version"] for guid in done["new"] + done["changed"]
        }

    def test_can_become_visible_later_than_their_time(self, client: Client) -> None:
        start = client.now()
        done = client.change(new=1, changed=1, deleted=1, visible_after_seconds=600)
        client.sandbox.advance(60)
        end = client.now()
        (changed,) = done["changed"]
        version = version_of(client.candidates([changed], include=["custom_data"])[0])
        for event in ("created", "updated", "deleted"):
            assert client.window(event, start, end) == []
        assert client.candidates(done["new"]) == []
        assert len(client.candidates(done["deleted"])) == 1
        client.sandbox.advance(600)
        assert client.window("created", start, end) == done["new"]
        assert client.window("updated", start, end) == done["changed"]
        assert client.window("deleted", start, end) == done["deleted"]
        (candidate,) = client.candidates([changed], include=["custom_data"])
        assert version_of(candidate) == version + 1

    def test_only_the_last_update_counts_unless_set(self, client: Client) -> None:
        start = client.now()
        (guid,) = client.change(changed=1)["changed"]
        client.sandbox.advance(60)
        middle = client.now()
        client.change(changed_ids=[guid])
        client.sandbox.advance(60)
        end = client.now()
        assert client.window("updated", start, middle) == []
        assert client.window("updated", middle, end) == [guid]
        client.set(every_update_listed=True)
        assert client.window("updated", start, middle) == [guid]

    def test_created_can_count_as_updated(self, client: Client) -> None:
        start = client.now()
        made = client.change(new=2)["new"]
        client.sandbox.advance(60)
        end = client.now()
        assert client.window("updated", start, end) == []
        client.set(created_also_updated=True)
        assert client.window("updated", start, end) == sorted(made)
        long_ago = start - timedelta(days=300)
        created = set(client.window("created", long_ago, long_ago + timedelta(days=30)))
        updated = set(client.window("updated", long_ago, end))
        assert created
        assert created <= updated

    def test_deleted_people_are_only_under_deleted_unless_set(self, client: Client) -> None:
        start = client.now()
        made = client.change(new=1)["new"]
        client.change(deleted_ids=made)
        client.sandbox.advance(60)
        end = client.now()
        assert client.window("created", start, end) == []
        assert client.window("deleted", start, end) == made
        client.set(deleted_still_listed=True)
        assert client.window("created", start, end) == made
        assert client.candidates(made) == []

    def test_some_can_have_been_deleted_before_the_start(self, client: Client) -> None:
        before = {line["id"] for line in client.truth() if line["deleted"]}
        client.set(deleted_at_start_one_in=10)
        gone = {line["id"] for line in client.truth() if line["deleted"]}
        assert len(gone - before) > PEOPLE / 20
        end = client.now()
        assert set(client.window("deleted", end - timedelta(days=1000), end)) == gone
        assert not gone & set(client.listed())

    def test_are_not_answered_when_not_tracked(self, client: Client) -> None:
        client.set(track_candidate_last_changes=False)
        start = client.now()
        done = client.change(changed=1, deleted=1, new=1)
        client.sandbox.advance(60)
        end = client.now()
        asked = {"DateTimeRange": window("updated", start, end)}
        assert client.ids(**asked).json() == {"result": {"Ids": [], "Cursor": None}}
        assert client.window("created", start, end) == done["new"]
        client.set(untracked_answer="forbidden")
        assert client.ids(**asked).status_code == 403
        client.set(track_candidate_last_changes=True)
        assert client.window("updated", start, end) == []  # tracking begins when it is on
        assert client.window("deleted", start, end) == []
        assert client.candidates(done["deleted"]) == []

    def test_more_than_there_are_means_all(self) -> None:
        with Sandbox.start(candidates=5, seed=3) as sandbox:
            client = Client(sandbox)
            done = client.change(changed=3, deleted=10)
            assert [len(done["changed"]), len(done["deleted"])] == [3, 2]
            assert sorted(client.listed()) == sorted(done["changed"])

    def test_refuse_whom_nobody_knows(self, client: Client) -> None:
        for wish in ({"changed_ids": [NOBODY]}, {"new": -1}, {"newer": 1}, {"at": "now"}):
            with pytest.raises(RuntimeError, match="400"):
                client.change(**wish)


class TestProfiles:
    def test_equal_the_truth_when_all_blocks_are_asked_for(self, client: Client) -> None:
        truth = {line["id"]: line for line in client.truth(full="true") if not line["deleted"]}
        for first in range(0, len(truth), 100):
            ids = list(truth)[first : first + 100]
            answered = client.candidates(ids, include=list(INCLUDE))
            assert {guid_of(one): one for one in answered} == {
                guid: truth[guid]["candidate"] for guid in ids
            }

    def test_come_in_no_order_and_without_unknown_ones(self, client: Client) -> None:
        ids = client.some(40)
        answered = [guid_of(one) for one in client.candidates([*ids, NOBODY, "no guid", ids[0]])]
        assert sorted(answered) == sorted(ids)
        assert answered not in (ids, sorted(ids))

    def test_hold_the_documented_blocks_without_include(self, client: Client) -> None:
        answered = client.candidates(client.some(100))
        resumes = [one["Resume"]["StructuredXMLResume"] for one in whole(answered)]
        assert any("Telephone" in str(resume["ContactInfo"]) for resume in resumes)
        assert any(resume.get("EmploymentHistory") for resume in resumes)
        assert any(resume.get("EducationHistory") for resume in resumes)
        areas = [one["UserArea"] for one in answered if one.get("UserArea")]
        assert {key for area in areas for key in area} == {"RelatedPositionPostings", "Referrals"}

    def test_are_cut_down_to_name_and_email_without_contact(self, client: Client) -> None:
        answered = client.candidates(client.some(100), include=["tags"])
        for candidate in whole(answered):
            resume = candidate["Resume"]["StructuredXMLResume"]
            assert set(resume) == {"ContactInfo"}
            assert not re.search("Telephone|Mobile|PostalAddress", str(resume))
        areas = [one["UserArea"] for one in answered if one.get("UserArea")]
        assert {key for area in areas for key in area} == {"Tags", "Referrals"}
        assert "@example.org" in str(answered)

    def test_can_lose_referrals_when_include_is_sent(self, client: Client) -> None:
        ids = client.some(100)
        client.set(referrals_with_include=False)
        assert "Referrals" not in str(client.candidates(ids, include=list(INCLUDE)))
        assert "Referrals" in str(client.candidates(ids))

    def test_of_marked_people(self, client: Client) -> None:
        one, two, three, four, five, six = client.some(6)
        client.mark([one], "missing")
        client.mark([two], "missing_in_batch")
        assert {guid_of(x) for x in client.candidates([one, two, three])} == {three}
        assert client.candidates([one]) == []
        assert [guid_of(x) for x in client.candidates([two])] == [two]
        client.mark([four], "bad")
        client.mark([five], "bad_5xx")
        assert client.profiles(ids=[three, four]).status_code == 400
        assert client.profiles(ids=[four]).status_code == 400
        assert client.profiles(ids=[three, five]).status_code == 500
        assert client.profiles(ids=[five]).status_code == 500
        client.mark([six], "bad_404")
        assert client.profiles(ids=[six]).status_code == 404
        client.mark([one, two, four, five, six], None)
        assert len(client.candidates([one, two, three, four, five, six])) == 6

    def test_refuse_what_is_not_documented(self, client: Client) -> None:
        assert client.profiles(ids=[]).status_code == 400
        assert client.profiles(ids=[NOBODY], include=["everything"]).status_code == 400
        assert client.profiles(ids=[NOBODY], fields=[]).status_code == 400
        assert client.profiles(ids=NOBODY).status_code == 400

    def test_have_a_largest_batch(self, client: Client) -> None:
        ids = client.some(101)
        assert client.profiles(ids=ids).status_code == 413
        assert client.profiles(ids=ids[:100]).status_code == 200
        client.set(max_ids_per_request=10)
        assert client.profiles(ids=ids[:11]).status_code == 413

    def test_can_hold_a_stranger(self, client: Client) -> None:
        ids = client.some(3)
        client.set(stranger_in_profiles=True)
        answered = {guid_of(one) for one in client.candidates(ids)}
        assert answered > set(ids)

    def test_share_their_url_with_soap(self, client: Client) -> None:
        answer = client.http.post(
            client.sandbox.url + "/talemetry/soap/profiles/v1", data="{}", timeout=30
        )
        assert answer.status_code == 500
        assert answer.headers["Content-Type"].startswith("text/xml")

    def test_errors_can_come_with_status_200(self, client: Client) -> None:
        client.set(errors_with_200=True)
        answer = client.profiles(ids=[])
        assert answer.status_code == 200
        assert set(answer.json()) == {"error"}

    def test_and_listings_are_written_down(self, client: Client) -> None:
        client.ids(PageSize=2)
        client.profiles(ids=[NOBODY], include=["tags"])
        assert client.sandbox.look("/_control/talemetry/asked") == [
            {"endpoint": "talemetry.ids", "body": {"PageSize": 2}},
            {"endpoint": "talemetry.profiles", "body": {"ids": [NOBODY], "include": ["tags"]}},
        ]
        counts = client.sandbox.counts()
        assert counts["talemetry.ids"]["200"] > 0
        assert counts["talemetry.profiles"]["200"] > 0


def whole(candidates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those who have a resume."""
    return [one for one in candidates if one["Resume"] and one["Resume"].get("StructuredXMLResume")]


class TestQuirks:
    @pytest.mark.parametrize("seed", [1, 7, 42])
    def test_each_form_is_among_the_first_200(self, seed: int) -> None:
        life = Life(
            created=1_700_000_000,
            updates=(),
            deleted=None,
            deletion_tracked=False,
            version=1,
            changed=1_700_000_000,
        )
        records = [
            Record(
                dice=Dice(seed, number),
                guid=Guids(seed).guid(number),
                life=life,
                blocks=frozenset(INCLUDE),
                referrals=True,
                do_not_contact_shape="object",
            ).candidate()
            for number in range(200)
        ]
        forms = forms_of(records)
        resume = "/Resume/StructuredXMLResume"
        contact = f"{resume}/ContactInfo"
        for block, entry, one in (
            (f"{resume}/EmploymentHistory", "EmployerOrg", "dict"),
            (f"{resume}/EducationHistory", "SchoolOrInstitution", "dict"),
            ("/UserArea/RelatedPositionPostings", "RelatedPositionPosting", "dict"),
            ("/UserArea/Notes", "Note", "dict"),
            ("/UserArea/Tags", "Tag", "str"),
            ("/UserArea/AudienceType", "AudienceType", "str"),
        ):
            assert {"missing", "null", "dict"} == forms[block], block
            assert {"null", one, "list"} == forms[f"{block}/{entry}"], block
        many = {"missing", "null", "dict", "list"}
        school = f"{resume}/EducationHistory/SchoolOrInstitution"
        assert many == forms[f"{resume}/EmploymentHistory/EmployerOrg/PositionHistory"]
        assert many == forms[f"{school}/Degree"]
        assert {"null", "str"} == forms[f"{school}/School/SchoolName"]
        assert many == forms[f"{contact}/ContactMethod"]
        for name in ("Telephone", "Mobile"):
            assert forms[f"{contact}/ContactMethod/{name}"] == many
        method = f"{contact}/ContactMethod"
        assert forms[f"{method}/InternetEmailAddress"] == {"missing", "null", "str", "list"}
        assert forms[f"{method}/PostalAddress"] == {"missing", "null", "dict"}
        assert forms[f"{method}/PostalAddress/DeliveryAddress"] == {"null", "dict"}
        line = f"{method}/PostalAddress/DeliveryAddress/AddressLine"
        assert forms[line] == {"missing", "null", "str", "list"}
        for block in ("/Resume", contact):
            assert forms[block] == {"null", "dict"}
        assert forms["/Resume/StructuredXMLResume"] == {"null", "dict"}
        assert forms["/UserArea/Lifecycle"] == {"missing", "null", "dict"}
        assert forms["/UserArea/Referrals"] == {"missing", "null", "dict"}
        assert forms["/UserArea/Referrals/Referral"] == {"dict", "list"}
        assert forms["/UserArea/DoNotContact"] == {"missing", "null", "dict"}
        assert forms["/UserArea/preferred_regions/Value/Value"] == {"null", "str", "list"}
        assert forms["/UserArea/email_consent/Value"] == {"null", "str"}
        for unknown in ("/UserArea/SocialProfiles", "/CandidateSupplier", f"{resume}/Languages"):
            assert forms[unknown] == {"missing", "dict"}
        assert {"/xmlns", "/xmlns:xsi", "/Resume/xmlns:rm", "/UserArea/xmlns:tal"} <= set(forms)

    def test_three_time_formats(self, client: Client) -> None:
        text = str(client.candidates(client.some(100), include=list(INCLUDE)))
        assert re.search(r"'DateTime': '\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00'", text)
        assert re.search(r"'UpdatedAt': '\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC'", text)
        assert re.search(r"'application_date': '\d{4}-\d\d-\d\d'", text)
        for date in (r"'YearMonth': '\d{4}-\d\d'", r"'Year': '\d{4}'", "'StringDate': 'current'"):
            assert re.search(date, text)

    @pytest.mark.parametrize("shape", ["object", "flag", "value", "info"])
    def test_do_not_contact_shapes(self, client: Client, shape: str) -> None:
        client.set(do_not_contact_shape=shape)
        areas = [
            one["UserArea"]
            for one in client.candidates(client.some(100), include=["donotcontact_info"])
            if one.get("UserArea")
        ]
        name = "donotcontact_info" if shape == "info" else "DoNotContact"
        values = [area[name] for area in areas if area.get(name)]
        assert values
        for value in values:
            if shape == "flag":
                assert value == "true"
            else:
                assert ("Value" in value) == (shape == "value")


def forms_of(records: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Which types occur at each path, `missing` included. A list's entries stand at its path."""
    types: dict[str, set[str]] = {}
    parents: Counter[str] = Counter()
    children: Counter[str] = Counter()

    def look_into(path: str, value: object) -> None:
        for entry in value if isinstance(value, list) else [value]:
            if not isinstance(entry, dict):
                continue
            parents[path] += 1
            for name, child in entry.items():
                below = f"{path}/{name}"
                children[below] += 1
                kind = "null" if child is None else type(child).__name__
                types.setdefault(below, set()).add(kind)
                look_into(below, child)

    for record in records:
        look_into("", record)
    for path, kinds in types.items():
        if children[path] < parents[path.rpartition("/")[0]]:
            kinds.add("missing")
    return types


class TestManyPeople:
    def test_guids_and_numbers_are_the_same_thing(self) -> None:
        guids = Guids(7)
        numbers = [*range(3000), *range(900_000, 1_000_000, 97), 123_456_789]
        written = [guids.guid(number) for number in numbers]
        assert [guids.number(guid) for guid in written] == numbers
        assert len(set(written)) == len(written)
        assert sorted(written) == [guids.guid(number) for number in sorted(numbers, key=guids.key)]
        assert guids.number(NOBODY) is None
        assert guids.number(Guids(8).guid(5)) is None

    def test_a_million_need_no_more_memory_than_a_page(self) -> None:
        with Sandbox.start(candidates=1_000_000, seed=7) as sandbox:
            client = Client(sandbox)
            client.ids(PageSize=1000)
            before = resident_kilobytes(sandbox)
            seen: set[str] = set()
            cursor = None
            for _ in range(20):
                result = client.ids(PageSize=1000, Cursor=cursor).json()["result"]
                assert not seen & set(result["Ids"])
                seen.update(result["Ids"])
                cursor = result["Cursor"]
            assert len(seen) == 20_000
            answered = client.candidates(sorted(seen)[:100], include=list(INCLUDE))
            assert len(answered) == 100
            end = client.now()
            week = client.window("created", end - timedelta(days=7), end)
            assert len(week) == pytest.approx(1_000_000 * 7 / 730, rel=0.01)
            assert resident_kilobytes(sandbox) - before < 20_000


def resident_kilobytes(sandbox: Sandbox) -> int:
    """The memory the sandbox holds."""
    assert sandbox.process is not None
    status = Path(f"/proc/{sandbox.process.pid}/status").read_text(encoding="ascii")
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])
