"""The fake Comeet over HTTP: what a client may rely on, and every trap it sets."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from integration_tests.sandbox.running import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OPEN = "4A.1C2"
PERSON = {"first_name": "Mira", "last_name": "Solberg", "position_uid": OPEN}
PDF = base64.b64encode(b"%PDF-1.4 made up").decode()


def token(
    exp: object,
    key: str = "comeet-key",
    signed_with: str = "comeet-secret",
    algorithm: str = "HS256",
) -> str:
    """Make a token as a client does; the defaults are good."""
    claims = {"iss": key, "exp": exp}
    signed = ".".join(
        _base64url(json.dumps(part).encode())
        for part in ({"alg": algorithm, "typ": "JWT"}, claims)
    )  # fmt: skip
    signature = hmac.new(signed_with.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_base64url(signature)}"


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class Comeet:
    """A plain client of the fake, and its control API."""

    sandbox: Sandbox

    def call(self, method: str, path: str, **rest: Any) -> requests.Response:
        """Call the API, with a good token unless headers are given."""
        headers = {"Authorization": f"Bearer {token(self.in_ten_minutes())}"}
        rest["headers"] = headers | rest.get("headers", {})
        url = path if path.startswith("http") else f"{self.sandbox.url}/comeet{path}"
        return self.sandbox.http.request(method, url, timeout=30, **rest)

    def in_ten_minutes(self) -> int:
        """When a good token expires."""
        return int(self.sandbox.now().timestamp()) + 600

    def post(self, **fields: object) -> requests.Response:
        """Create a candidate."""
        return self.call("POST", "/candidates", json={**PERSON, **fields})

    def created(self, partner: str | None = None, **fields: object) -> str:
        """Create a candidate and return its uid."""
        more = {} if partner is None else {"partner_candidate_id": partner}
        response = self.post(**more, **fields)
        assert response.status_code == 201, response.text
        uid: str = response.json()["uid"]
        return uid

    def get(self, path: str, **query: str | int) -> Any:
        """Read what must be there."""
        response = self.call("GET", path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    def listed(self, **query: str | int) -> list[str]:
        """List uids, all pages."""
        page = self.get("/candidates", **query)
        uids = [each["uid"] for each in page["candidates"]]
        while "next_page" in page:
            page = self.call("GET", page["next_page"]).json()
            uids += [each["uid"] for each in page["candidates"]]
        return uids

    def control(self, verb: str, **body: object) -> Any:
        """Use the control API."""
        return self.sandbox.control(f"/_control/comeet/{verb}", body)

    def settings(self, **settings: object) -> None:
        """Change settings."""
        self.control("settings", **settings)

    def truth(self) -> list[dict[str, Any]]:
        """Return every candidate ever created."""
        return list(self.sandbox.truth("/_control/comeet/truth"))

    def summary(self) -> dict[str, int]:
        """Return the counts."""
        counts: dict[str, int] = self.sandbox.look("/_control/comeet/summary")
        return counts


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One sandbox for all tests here."""
    with Sandbox.start(candidates=10) as running:
        yield running


@pytest.fixture
def comeet(sandbox: Sandbox) -> Comeet:
    """Give the fake, empty and with default settings."""
    sandbox.control("/_control/comeet/reset", {})
    sandbox.clear_faults()
    return Comeet(sandbox)


def error(response: requests.Response) -> tuple[int, str]:
    """Return status and error code, after checking that the envelope is whole."""
    body = response.json()
    assert body["status"] == response.status_code
    assert body["message"]
    return response.status_code, body["error"]


# The token ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (lambda _: "", "three parts"),
        (lambda _: "Bearer", "three parts"),
        (lambda exp: f"Basic {token(exp)}", "three parts"),
        (lambda exp: f"Bearer {token(exp)}=", "three parts"),
        (lambda _: "Bearer a.b.c", "decoded"),
        (lambda exp: f"Bearer {token(exp, algorithm='none')}", "HS256"),
        (lambda exp: f"Bearer {token(exp, algorithm='HS512')}", "HS256"),
        (lambda exp: f"Bearer {token(exp, signed_with='another')}", "signature"),
        (lambda exp: f"Bearer {token(exp, key='another')}", "iss"),
        (lambda exp: f"Bearer {token(exp + 0.5)}", "exp must be an integer"),
        (lambda exp: f"Bearer {token(str(exp))}", "exp must be an integer"),
        (lambda _: f"Bearer {token(exp=True)}", "exp must be an integer"),
        (lambda exp: f"Bearer {token(exp - 601)}", "exp has passed"),
        (lambda exp: f"Bearer {token(exp + 3001)}", "hour ahead"),
    ],
)
def test_a_wrong_token_is_refused(
    comeet: Comeet, authorization: Callable[[int], str], reason: str
) -> None:
    header = {"Authorization": authorization(comeet.in_ten_minutes())}
    response = comeet.call("GET", "/positions", headers=header)
    assert error(response) == (401, "unauthorized")
    assert reason in response.json()["message"]


def test_a_token_expires_by_the_clock_of_the_sandbox(comeet: Comeet) -> None:
    minted = {"Authorization": f"Bearer {token(comeet.in_ten_minutes())}"}
    assert comeet.call("GET", "/positions", headers=minted).ok
    comeet.sandbox.advance(601)
    assert error(comeet.call("GET", "/positions", headers=minted)) == (401, "unauthorized")
    comeet.settings(check_expiry=False)
    assert comeet.call("GET", "/positions", headers=minted).ok


@pytest.mark.parametrize(
    ("permission", "method", "path"),
    [
        ("create", "POST", "/candidates"),
        ("update", "PATCH", "/candidates/B3.000"),
        ("retrieve_candidates", "GET", "/candidates"),
        ("retrieve_candidates", "GET", "/candidates/B3.000"),
        ("retrieve_candidates", "GET", f"/positions/{OPEN}/candidates"),
        ("retrieve_positions", "GET", "/positions"),
        ("retrieve_positions", "GET", f"/positions/{OPEN}"),
    ],
)
def test_a_permission_can_be_missing(
    comeet: Comeet, permission: str, method: str, path: str
) -> None:
    comeet.settings(**{permission: False})
    assert error(comeet.call(method, path, json=PERSON)) == (403, "no_permission")
    assert comeet.get("/deleted-candidates") == []


# Create -------------------------------------------------------------------------------------------


def test_a_created_candidate_can_be_read(comeet: Comeet) -> None:
    sent = {
        "partner_candidate_id": "kombo:1",
        "middle_name": "Å",
        "email": "mira@example.org",
        "phone": "+47 555 01 234",
        "mobile_phone": "+47 555 01 235",
        "national_id": "N-1",
        "linkedin_url": "https://www.linkedin.com/in/example-mira",
        "salary_expectations": "plenty",
        "prospect_status": "Not interested",
        "resume": {"name": "Mira.PDF", "file": PDF},
        "picture": {"name": "mira.png", "file": PDF},
        "links": [{"url": "https://example.org/portfolio"}],
        "files": [{"name": "a.b.csv", "file": PDF}, {"name": "c.jpeg", "file": PDF}],
        "source_contact": {"full_name": "Head Hunter", "email": "hh@example.org", "phone": "1"},
        "address": {"country": "NO", "city": "Bergen", "state": "V", "zip": "5003", "street": "S"},
        "custom_fields": {"pool": "north"},
        "note": "Imported",
    }
    created = comeet.post(**sent)
    assert created.status_code == 201
    answer = created.json()
    assert answer["position_uid"] == OPEN
    assert answer["status"] == "In progress"
    assert answer["current_steps"][0]["name"]
    assert re.fullmatch(r"[0-9A-F]+\.[0-9A-F]{3}", answer["uid"])

    read = comeet.get(f"/candidates/{answer['uid']}")
    assert read == read | answer
    for name in ("email", "phone", "mobile_phone", "linkedin_url", "prospect_status"):
        assert read[name] == sent[name]
    assert read["id_number"] == "N-1"
    assert read["resume"]["name"] == "Mira.PDF"
    unreadable = {"source_contact", "note", "partner_candidate_id", "national_id", "address"}
    assert not unreadable & read.keys()

    (row,) = comeet.truth()
    stored = row["fields"]
    assert (row["uid"], row["partner_candidate_id"], row["posts"]) == (answer["uid"], "kombo:1", 1)
    assert stored["first_name"] == "Mira"
    for name in ("source_contact", "note", "address", "custom_fields", "links", "national_id"):
        assert stored[name] == sent[name]
    content = base64.b64decode(PDF)
    assert stored["resume"] == {
        "name": "Mira.PDF",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"first_name": None},
        {"last_name": ""},
        {"last_name": " "},
        {"position_uid": 11.11},
        {"partner_candidate_id": 7},
        {"email": None},
        {"phone": ""},
        {"nickname": "Mi"},
        {"updated_by": {"type": "app", "name": "us"}},
        {"prospect_status": "sourced"},
        {"prospect_status": ["Sourced"]},
        {"links": {"url": "https://example.org"}},
        {"links": ["https://example.org"]},
        {"source_contact": {"full_name": "Head Hunter"}},
        {"address": {"country": "NO", "city": None}},
        {"address": {"zip_code": "5003"}},
        {"custom_fields": {"years": 3}},
        {"custom_fields": ["pool"]},
    ],
)
def test_a_bad_field_is_refused_and_nothing_is_created(
    comeet: Comeet, fields: dict[str, object]
) -> None:
    assert error(comeet.post(**fields)) == (400, "validation_error")
    assert comeet.summary()["created"] == 0


@pytest.mark.parametrize("name", ["first_name", "last_name", "position_uid"])
def test_what_is_required_is_missed(comeet: Comeet, name: str) -> None:
    body = {key: value for key, value in PERSON.items() if key != name}
    response = comeet.call("POST", "/candidates", json=body)
    assert error(response) == (400, "validation_error")
    assert name in response.json()["message"]


@pytest.mark.parametrize(
    "fields",
    [
        {"resume": {"name": "mira.txt", "file": PDF}},
        {"resume": {"name": ".pdf", "file": PDF}},
        {"resume": {"name": "mira", "file": PDF}},
        {"resume": {"name": "mira.pdf", "file": PDF[:20] + "\n" + PDF[20:]}},
        {"resume": {"name": "mira.pdf", "file": "data:application/pdf;base64," + PDF}},
        {"resume": {"name": "mira.pdf", "file": "A"}},
        {"picture": {"name": "mira.pdf", "file": PDF}},
        {"files": [{"name": "good.txt", "file": PDF}, {"name": "bad.exe", "file": PDF}]},
    ],
)
def test_one_bad_file_fails_the_whole_request(comeet: Comeet, fields: dict[str, object]) -> None:
    assert error(comeet.post(**fields)) == (400, "invalid_file")
    assert comeet.summary()["created"] == 0


def test_six_million_bytes_are_the_most_for_a_file(comeet: Comeet) -> None:
    most = base64.b64encode(bytes(6_000_000)).decode()
    more = base64.b64encode(bytes(6_000_001)).decode()
    comeet.created(resume={"name": "big.pdf", "file": most})
    assert error(comeet.post(resume={"name": "big.pdf", "file": more})) == (413, "file_too_large")
    three = [{"name": "big.zip", "file": most}] * 3
    assert error(comeet.post(files=three)) == (413, "payload_too_large")


def test_a_body_that_is_not_a_json_object_is_refused(comeet: Comeet) -> None:
    for raw in (b"", b"{", b"[]", b"\xff"):
        response = comeet.call(
            "POST", "/candidates", data=raw, headers={"Content-Type": "application/json"}
        )
        assert error(response) == (400, "validation_error")
    response = comeet.call("POST", "/candidates", data=json.dumps(PERSON))
    assert error(response) == (415, "unsupported_media_type")


def test_unknown_and_closed_positions_take_nobody(comeet: Comeet) -> None:
    closed = comeet.get("/positions", status="closed")["positions"][0]["uid"]
    on_hold = comeet.get("/positions", status="on hold")["positions"][0]["uid"]
    for uid in (closed, "4A.1C3", "REQ-001"):
        assert error(comeet.post(position_uid=uid)) == (400, "invalid_position")
    comeet.created(position_uid=on_hold)


def test_a_client_must_take_any_2xx_and_an_empty_body(comeet: Comeet) -> None:
    comeet.settings(create_status=200)
    assert comeet.post().status_code == 200
    comeet.settings(empty_answers=True)
    response = comeet.post(partner_candidate_id="kombo:2")
    assert (response.status_code, response.content) == (200, b"")
    assert [row["partner_candidate_id"] for row in comeet.truth()] == [None, "kombo:2"]


# The guard against repeats ------------------------------------------------------------------------


def test_a_repeat_conflicts_only_while_in_progress_in_that_position(comeet: Comeet) -> None:
    first = comeet.created("kombo:1")
    again = comeet.post(partner_candidate_id="kombo:1")
    assert error(again) == (409, "candidate_post_conflict")
    real_id = again.json()["candidate_uid"]
    assert isinstance(real_id, int)

    assert error(comeet.call("GET", f"/candidates/{real_id}")) == (404, "not_found")
    header = {"IDENTIFIER_TYPE": "REAL_ID"}
    assert comeet.call("GET", f"/candidates/{real_id}", headers=header).json()["uid"] == first
    assert error(comeet.call("GET", f"/candidates/{first}", headers=header)) == (404, "not_found")
    patched = comeet.call("PATCH", f"/candidates/{real_id}", json={"phone": "1"}, headers=header)
    assert error(patched) == (404, "candidate_not_found")

    other = comeet.get("/positions", status="open")["positions"][1]["uid"]
    comeet.created("kombo:1", position_uid=other)
    comeet.control("move", uids=[first], status="On hold")
    comeet.created("kombo:1")
    assert comeet.post(partner_candidate_id="kombo:1").status_code == 409
    assert comeet.summary() == {"created": 3, "duplicates": 1, "conflicts": 2, "patches": 0}
    assert [row["posts"] for row in comeet.truth()] == [2, 1, 2]


def test_an_older_candidate_that_comes_back_into_progress_guards_again(comeet: Comeet) -> None:
    first = comeet.created("kombo:1")
    comeet.control("move", uids=[first], status="On hold")
    second = comeet.created("kombo:1")
    comeet.control("move", uids=[second], status="Hired")
    comeet.control("move", uids=[first], status="In progress")
    conflict = comeet.post(partner_candidate_id="kombo:1").json()
    assert conflict["candidate_uid"] == comeet.truth()[0]["real_id"]


def test_without_a_partner_id_nothing_guards(comeet: Comeet) -> None:
    assert comeet.created() != comeet.created()
    assert comeet.summary()["duplicates"] == 0


def test_a_lost_answer_shows_as_conflict_when_posted_again(comeet: Comeet) -> None:
    comeet.sandbox.fault("comeet.create", "lost_answer", times=1)
    with pytest.raises(requests.ConnectionError):
        comeet.post(partner_candidate_id="kombo:1")
    assert comeet.post(partner_candidate_id="kombo:1").status_code == 409
    assert [row["posts"] for row in comeet.truth()] == [2]


def test_candidates_can_drift_out_of_progress_by_themselves(comeet: Comeet) -> None:
    comeet.settings(drift=1)
    answer = comeet.post(partner_candidate_id="kombo:1")
    assert answer.json()["status"] == "In progress"
    assert comeet.post(partner_candidate_id="kombo:1").status_code == 201
    assert comeet.summary()["duplicates"] == 1
    comeet.settings(drift=0.5)
    for number in range(40):
        comeet.created(f"kombo:x{number}")
    statuses = {row["status"] for row in comeet.truth()}
    assert statuses == {"In progress", "Rejected", "On hold"}


# Update -------------------------------------------------------------------------------------------


def test_an_update_replaces_the_fields_it_names(comeet: Comeet) -> None:
    uid = comeet.created(email="old@example.org", phone="1", address={"city": "Bergen"})
    changes = {
        "email": "new@example.org",
        "address": {"zip": "5003"},
        "updated_by": {"type": "app", "name": "us"},
    }
    response = comeet.call("PATCH", f"/candidates/{uid}", json=changes)
    assert (response.status_code, response.json()["uid"]) == (200, uid)
    assert comeet.get(f"/candidates/{uid}")["email"] == "new@example.org"
    stored = comeet.truth()[0]["fields"]
    assert (stored["phone"], stored["address"]) == ("1", {"zip": "5003"})
    assert "updated_by" not in stored
    assert comeet.summary()["patches"] == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"partner_candidate_id": "kombo:1"},
        {"position_uid": OPEN},
        {"resume": {"name": "mira.pdf", "file": PDF}},
        {"links": [{"url": "https://example.org"}]},
        {"note": "n"},
        {"email": None},
        {"updated_by": {"type": "robot", "name": "us"}},
        {"updated_by": {"type": "app"}},
    ],
)
def test_an_update_takes_only_the_newest_field_list(
    comeet: Comeet, changes: dict[str, object]
) -> None:
    uid = comeet.created()
    response = comeet.call("PATCH", f"/candidates/{uid}", json=changes)
    assert error(response) == (400, "validation_error")
    assert comeet.summary()["patches"] == 0


# Merged and deleted -------------------------------------------------------------------------------


def test_a_merged_candidate_answers_401_duplicate(comeet: Comeet) -> None:
    gone, stays = comeet.created("kombo:1"), comeet.created("kombo:2")
    comeet.control("merge", uid=gone, into=stays)
    path = f"/candidates/{gone}"
    assert error(comeet.call("GET", path)) == (401, "duplicate_candidate")
    patched = comeet.call("PATCH", path, json={"phone": "1"})
    assert error(patched) == (401, "duplicate_candidate")
    assert comeet.listed() == [stays]
    assert [row["merged"] for row in comeet.truth()] == [stays, None]
    assert comeet.post(partner_candidate_id="kombo:1").status_code == 201


def test_a_deleted_candidate_keeps_its_uid_only(comeet: Comeet) -> None:
    gone, stays = comeet.created("kombo:1"), comeet.created("kombo:2")
    before = comeet.sandbox.now()
    comeet.sandbox.advance(60)
    comeet.control("erase", uids=[gone])
    assert comeet.get(f"/candidates/{gone}") == {"uid": gone, "deleted": True}
    patched = comeet.call("PATCH", f"/candidates/{gone}", json={"phone": "1"})
    assert error(patched) == (404, "candidate_not_found")
    assert comeet.listed() == [stays]
    assert comeet.get("/candidates", deleted="True")["candidates"] == [
        {"uid": gone, "deleted": True}
    ]
    assert comeet.listed(deleted="False") == [stays]
    assert comeet.get("/deleted-candidates") == [gone]
    since = (before + timedelta(seconds=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert comeet.get("/deleted-candidates", **{"time_deleted:after": since}) == [gone]
    assert comeet.get("/deleted-candidates", **{"time_deleted:before": since}) == []
    assert comeet.truth()[0]["fields"] is None


@pytest.mark.parametrize("uid", ["B3.0", "b3.000", "0B3.000", "B3.FFF", "98765", "x"])
def test_an_unknown_uid_is_not_found(comeet: Comeet, uid: str) -> None:
    comeet.created()
    assert error(comeet.call("GET", f"/candidates/{uid}")) == (404, "not_found")
    patched = comeet.call("PATCH", f"/candidates/{uid}", json={"phone": "1"})
    assert error(patched) == (404, "candidate_not_found")


# Lists --------------------------------------------------------------------------------------------


def test_pages_are_followed_by_absolute_links(comeet: Comeet) -> None:
    uids = [comeet.created(f"kombo:{number}") for number in range(5)]
    page = comeet.get("/candidates", limit=2, status="In progress,Hired")
    assert page["next_page"].startswith(f"{comeet.sandbox.url}/comeet/candidates?")
    assert comeet.listed(limit=2, status="In progress,Hired") == uids
    assert comeet.listed(limit=5) == uids
    assert "next_page" not in comeet.get("/candidates", limit=5)


def test_a_next_page_can_point_elsewhere(comeet: Comeet) -> None:
    comeet.created()
    comeet.created()
    comeet.settings(next_page_origin="https://elsewhere.example")
    page = comeet.get("/candidates", limit=1)
    assert page["next_page"].startswith("https://elsewhere.example/comeet/candidates?")


def test_pages_can_be_shorter_than_asked_for(comeet: Comeet) -> None:
    comeet.control("fill", count=5)
    comeet.settings(most_on_a_page=2)
    assert len(comeet.get("/candidates", limit=1000)["candidates"]) == 2
    assert len(comeet.get("/positions")["positions"]) == 2
    assert len(comeet.listed(limit=1000)) == 5


def test_links_can_be_worth_nothing(comeet: Comeet) -> None:
    comeet.control("fill", count=2)
    link = comeet.get("/candidates", limit=1)["next_page"]
    comeet.settings(links="refused")
    assert error(comeet.call("GET", link)) == (400, "validation_error")
    comeet.settings(links="empty")
    assert comeet.call("GET", link).json() == {"candidates": []}
    assert len(comeet.get("/candidates", limit=1)["candidates"]) == 1


def test_whether_deleted_ones_are_listed_unasked_can_be_chosen(comeet: Comeet) -> None:
    comeet.control("fill", count=2)
    first, second = comeet.listed()
    comeet.control("erase", uids=[first])
    assert comeet.listed() == [second]
    comeet.settings(list_deleted=True)
    assert comeet.get("/candidates")["candidates"][0] == {"uid": first, "deleted": True}
    assert comeet.listed(deleted="False") == [second]
    assert comeet.listed(deleted="True") == [first]


def test_candidates_can_come_from_elsewhere(comeet: Comeet) -> None:
    assert comeet.control("fill", count=20) == {"created": 20}
    people = comeet.get("/candidates")["candidates"]
    assert len({each["email"] for each in people}) == 20
    shown = {each["uid"]: each["status"] for each in comeet.get("/positions")["positions"]}
    assert {shown[each["position_uid"]] for each in people} == {"open"}


def test_a_position_that_is_edited_shows_when(comeet: Comeet) -> None:
    before = comeet.get(f"/positions/{OPEN}")
    comeet.control("edit_position", uid=OPEN, status="closed")
    after = comeet.get(f"/positions/{OPEN}")
    assert after["time_updated"] > before["time_updated"]
    assert after == {**before, "status": "closed", "is_published": False} | {
        "time_updated": after["time_updated"]
    }


def test_lists_filter_by_status_and_time(comeet: Comeet) -> None:
    def text(moment: datetime) -> str:
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    early = comeet.created("kombo:1")
    between = text(comeet.sandbox.advance(60))
    comeet.sandbox.advance(60)
    late = comeet.created("kombo:2")
    assert comeet.listed(**{"time_created:after": between}) == [late]
    assert comeet.listed(**{"time_created:before": between}) == [early]
    created = comeet.get(f"/candidates/{late}")["time_created"]
    assert comeet.listed(**{"time_created:after": created}) == []

    moved = text(comeet.sandbox.advance(60))
    comeet.sandbox.advance(60)
    assert comeet.control("move", uids=[early], status="Awaiting Decision") == {"moved": 1}
    assert comeet.listed(**{"time_last_status_change:after": moved}) == [early]
    assert comeet.listed(status="Awaiting Decision") == [early]
    assert comeet.get(f"/candidates/{early}")["current_steps"] == []
    comeet.call("PATCH", f"/candidates/{late}", json={"phone": "1"})
    assert comeet.listed(**{"time_hiring_process_updated:after": moved}) == [early, late]
    assert comeet.listed(**{"time_last_status_change:before": moved}) == [late]


@pytest.mark.parametrize(
    "query",
    [
        {"status": "in progress"},
        {"deleted": "true"},
        {"limit": "0"},
        {"limit": "1001"},
        {"time_created:after": "2025-03-05"},
        {"time_last_status_changed:after": "2025-03-05T08:00:00Z"},
        {"email": "mira@example.org"},
    ],
)
def test_a_wrong_filter_is_refused(comeet: Comeet, query: dict[str, str]) -> None:
    response = comeet.call("GET", "/candidates", params=query)
    assert error(response) == (400, "validation_error")


def test_a_position_lists_its_candidates_without_the_rejected(comeet: Comeet) -> None:
    other = comeet.get("/positions", status="open")["positions"][1]["uid"]
    here = [comeet.created(f"kombo:{number}") for number in range(3)]
    comeet.created("kombo:9", position_uid=other)
    comeet.control("move", uids=here[:1], status="Rejected")
    page = comeet.get(f"/positions/{OPEN}/candidates", limit=1)
    following = comeet.call("GET", page["next_page"]).json()
    assert [each["uid"] for each in page["candidates"] + following["candidates"]] == here[1:]
    unknown = comeet.call("GET", "/positions/FF.FFF/candidates")
    assert error(unknown) == (404, "not_found")


def test_positions_are_listed_by_status_and_page(comeet: Comeet) -> None:
    everything = comeet.sandbox.look("/_control/comeet/positions")
    assert len({each["uid"] for each in everything}) == 12
    assert {each["status"] for each in everything} == {"open", "on hold", "closed"}
    seen: list[dict[str, Any]] = []
    page = comeet.get("/positions", limit=5)
    while True:
        seen += page["positions"]
        if "next_page" not in page:
            break
        page = comeet.call("GET", page["next_page"]).json()
    assert seen == everything
    half = comeet.get("/positions", status="open,closed")["positions"]
    assert {each["status"] for each in half} == {"open", "closed"}
    assert comeet.get(f"/positions/{OPEN}") == everything[0]
    assert error(comeet.call("GET", "/positions/FF.FFF")) == (404, "not_found")


def test_people_are_told_apart_by_email(comeet: Comeet) -> None:
    other = comeet.get("/positions", status="open")["positions"][1]["uid"]
    uids = [
        comeet.created("kombo:1", email="mira@example.org"),
        comeet.created("kombo:1", email="MIRA@example.org", position_uid=other),
        comeet.created("kombo:2", email="jonas@example.org"),
    ]
    people = [comeet.get(f"/candidates/{uid}")["person_uid"] for uid in uids]
    assert people[0] == people[1] != people[2]


# Limits and the control API -----------------------------------------------------------------------


def test_a_rate_limit_says_how_long_to_wait(comeet: Comeet) -> None:
    comeet.settings(rate_limit={"limit": 2, "window_seconds": 30, "retry_after": "seconds"})
    assert [comeet.call("GET", "/positions").status_code for _ in range(3)] == [200, 200, 429]
    refused = comeet.call("GET", "/positions")
    assert error(refused) == (429, "too_many_requests")
    assert 1 <= int(refused.headers["Retry-After"]) <= 30
    comeet.sandbox.advance(int(refused.headers["Retry-After"]))
    assert comeet.call("GET", "/positions").status_code == 200

    comeet.settings(rate_limit={"limit": 1, "window_seconds": 3600, "retry_after": "date"})
    refused = comeet.call("GET", "/positions")
    until = parsedate_to_datetime(refused.headers["Retry-After"])
    assert until > parsedate_to_datetime(refused.headers["Date"])
    comeet.settings(rate_limit={"limit": 1})
    assert "Retry-After" not in comeet.call("GET", "/positions").headers
    comeet.settings(rate_limit=None)
    assert comeet.call("GET", "/positions").status_code == 200


def test_a_version_segment_leads_to_a_page_for_people(comeet: Comeet) -> None:
    response = comeet.call("GET", "/v1/candidates")
    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/html")


def test_a_share_of_the_candidates_moves_the_same_in_every_run(comeet: Comeet) -> None:
    moved = []
    for _ in range(2):
        comeet.control("reset")
        for number in range(20):
            comeet.created(f"kombo:{number}")
        assert comeet.control("move", uids="all", fraction=0.3, status="Rejected") == {"moved": 6}
        moved.append(comeet.listed(status="Rejected"))
    assert moved[0] == moved[1]
    assert comeet.control("move", status="Rejected") == {"moved": 14}


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("settings", {"drifting": 1}),
        ("settings", {"drift": 2}),
        ("settings", {"create_status": 500}),
        ("settings", {"rate_limit": {"limits": 1}}),
        ("settings", {"next_page_origin": "elsewhere"}),
        ("move", {"uids": "all", "status": "rejected"}),
        ("move", {"uids": ["B3.FFF"], "status": "Rejected"}),
        ("merge", {"uid": "B3.000", "into": "B3.000"}),
        ("erase", {}),
    ],
)
def test_a_wrong_control_request_is_an_error(
    comeet: Comeet, verb: str, body: dict[str, object]
) -> None:
    comeet.created()
    with pytest.raises(RuntimeError, match="400"):
        comeet.control(verb, **body)


def test_settings_change_one_by_one(comeet: Comeet) -> None:
    assert comeet.sandbox.look("/_control/comeet/settings")["create_status"] == 201
    changed = comeet.control("settings", forget_bodies=True, rate_limit={"limit": 5})
    assert changed["forget_bodies"] is True
    assert changed["rate_limit"] == {"limit": 5, "window_seconds": 60, "retry_after": "none"}
    assert changed["create_status"] == 201


def test_bodies_can_be_forgotten_and_keys_still_guard(comeet: Comeet) -> None:
    comeet.settings(forget_bodies=True)
    uid = comeet.created("kombo:1", email="mira@example.org")
    assert comeet.post(partner_candidate_id="kombo:1").status_code == 409
    assert comeet.call("PATCH", f"/candidates/{uid}", json={"phone": "1"}).status_code == 200
    assert comeet.get(f"/candidates/{uid}")["email"] is None
    (row,) = comeet.truth()
    assert (row["fields"], row["partner_candidate_id"], row["posts"]) == (None, "kombo:1", 2)


def test_every_call_is_logged_under_its_name(comeet: Comeet) -> None:
    comeet.sandbox.reset_log()
    uid = comeet.created()
    comeet.get("/candidates")
    comeet.get(f"/candidates/{uid}")
    comeet.call("PATCH", f"/candidates/{uid}", json={"phone": "1"})
    comeet.get("/positions")
    comeet.get(f"/positions/{OPEN}")
    comeet.get(f"/positions/{OPEN}/candidates")
    comeet.get("/deleted-candidates")
    assert list(comeet.sandbox.counts()) == [
        "comeet.create",
        "comeet.list",
        "comeet.candidate",
        "comeet.update",
        "comeet.positions",
        "comeet.position",
        "comeet.position_candidates",
        "comeet.deleted",
    ]


def test_times_are_those_of_the_sandbox(comeet: Comeet) -> None:
    now = comeet.sandbox.advance(86_400)
    created = comeet.post().json()["time_created"]
    at = datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert timedelta(0) <= at - now.replace(microsecond=0) < timedelta(seconds=5)
