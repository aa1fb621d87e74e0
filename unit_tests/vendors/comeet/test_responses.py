"""Reading Comeet's responses: saved ones, and errors by their code."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from requests.structures import CaseInsensitiveDict

from source_ats.errors import (
    AccessDenied,
    AlreadyMerged,
    AtsError,
    Conflict,
    ContractError,
    IncompleteResponse,
    InvalidInput,
    NotFound,
    WrongAddress,
)
from source_ats.http.models import FailureKind, Response
from source_ats.vendors.comeet import responses, schemas

SAVED = Path(__file__).parent / "saved_responses"


def saved(name: str) -> Response:
    whole: dict[str, Any] = json.loads((SAVED / f"{name}.json").read_text("utf-8"))
    body = whole["body"]
    return Response(
        status=whole["status"],
        headers=CaseInsensitiveDict(whole["headers"]),
        body=body.encode() if isinstance(body, str) else json.dumps(body).encode(),
        sent_at=datetime(2026, 1, 31, 12, tzinfo=UTC),
        where=f"Comeet create {whole['status']} request-7",
    )


def response(status: int, body: bytes) -> Response:
    where = f"Comeet create {status} request-7"
    return Response(status, {}, body, datetime(2026, 1, 31, 12, tzinfo=UTC), where)


@pytest.mark.parametrize("path", sorted(SAVED.glob("*.json")), ids=lambda path: path.stem)
def test_each_saved_response_names_its_source(path: Path) -> None:
    whole = json.loads(path.read_text("utf-8"))
    assert whole["tier"] in {"documented", "observed", "assumed"}
    assert whole["source"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("error_merged", AlreadyMerged),
        ("error_permission", AccessDenied),
        ("error_not_found", NotFound),
        ("error_marketing_site", WrongAddress),
        ("error_validation", InvalidInput),
        ("error_too_large", InvalidInput),
        ("error_odd_envelope", InvalidInput),
        ("error_conflict", Conflict),
    ],
)
def test_errors_that_have_a_meaning(name: str, kind: type[AtsError]) -> None:
    found = responses.classify(saved(name))
    assert type(found) is kind
    assert "quote what was sent" not in f"{found.message} {found.detail}"


@pytest.mark.parametrize(
    ("name", "situation"),
    [
        ("error_token", None),
        ("error_rate_limit", None),
        ("error_load_balancer", None),
        ("error_splash_page", FailureKind.UNAVAILABLE),
    ],
)
def test_errors_that_the_client_knows(name: str, situation: FailureKind | None) -> None:
    assert responses.classify(saved(name)) is situation


@pytest.mark.parametrize(
    ("name", "uid"),
    [
        ("error_conflict", 98765),
        ("error_conflict_uid", "B3.07F"),
        ("error_conflict_digits", 98765),
        ("error_conflict_without_uid", None),
    ],
)
def test_a_conflict_names_the_candidate_that_is_there(name: str, uid: object) -> None:
    found = responses.classify(saved(name))
    assert isinstance(found, Conflict)
    assert found.uid == uid


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("error_merged", "The candidate was merged into another one."),
        ("error_not_found", "Comeet does not know what the request names."),
        (
            "error_marketing_site",
            "There is no Comeet API at this address. Correct base_url, or leave it empty.",
        ),
        ("error_validation", "Comeet refused the request with validation_error."),
        ("error_conflict", "Comeet has such a candidate in progress."),
    ],
)
def test_an_error_says_what_happened(name: str, message: str) -> None:
    found = responses.classify(saved(name))
    assert isinstance(found, AtsError)
    assert found.message == message


def test_a_conflict_without_an_envelope_says_that_it_names_nobody() -> None:
    found = responses.classify(response(409, b"conflict"))
    assert isinstance(found, Conflict)
    assert found.message == "Comeet refused the request as a conflict, without saying with what."
    assert (found.status, found.code, found.uid) == (409, None, None)
    assert found.detail == "Comeet create 409 request-7"


def test_what_the_vendor_says_is_kept_apart() -> None:
    found = responses.classify(saved("error_validation"))
    assert isinstance(found, InvalidInput)
    assert found.vendor_text == "Text that may quote what was sent"
    assert found.code == "validation_error"


def test_a_sentence_is_not_taken_as_a_code() -> None:
    body = b'{"status": 400, "error": "mira@example.org is wrong", "message": null}'
    found = responses.classify(response(400, body))
    assert isinstance(found, InvalidInput)
    assert "mira" not in f"{found.message} {found.detail} {found.code}"
    assert found.vendor_text == "mira@example.org is wrong"


@pytest.mark.parametrize("body", [b"", b'{"status": 408, "error": "timeout"}'])
def test_a_timeout_of_the_vendor_is_not_a_refusal(body: bytes) -> None:
    assert responses.classify(response(408, body)) is None


def test_created() -> None:
    assert responses.written(saved("created")) == "B3.07F"
    assert responses.written(saved("created_without_body")) is None
    with pytest.raises(IncompleteResponse):
        responses.written(saved("html_under_200"))


def test_a_candidate_shows_its_fields_by_the_names_under_which_they_are_written() -> None:
    candidate = responses.candidate(saved("candidate"))
    assert candidate.shown("national_id") == "N-1"
    assert candidate.shown("email") == "mira.solberg@example.org"
    assert candidate.shown("address") is None
    assert not candidate.deleted
    assert responses.candidate(saved("candidate_deleted")).deleted


def test_only_the_uid_of_a_candidate_has_to_be_of_its_type() -> None:
    odd: dict[str, Any] = {"uid": "B3.07F", "first_name": "Mira", "last_name": ["Solberg"]}
    odd |= {"phone": 5550100, "email": {"a": 1}, "linkedin_url": True, "deleted": 1, "resume": [7]}
    page = replace(saved("candidates"), body=json.dumps({"candidates": [odd]}).encode())
    (row,) = responses.candidates(page).candidates
    (alone,) = [responses.candidate(replace(page, body=json.dumps(odd).encode()))]
    assert row == alone
    assert row == responses.Candidate(
        "B3.07F", first_name="Mira", phone="5550100", deleted=True, resume=[7]
    )
    for uid in (7, None, ["B3.07F"]):
        body = json.dumps({"candidates": [odd, {"uid": uid}]}).encode()
        with pytest.raises(ContractError):
            responses.candidates(replace(page, body=body))
        with pytest.raises(ContractError):
            responses.candidate(replace(page, body=json.dumps({"uid": uid}).encode()))


@pytest.mark.parametrize(
    ("number", "phone"),
    [("5550100", "5550100"), ("5.55e9", None), ("5550100.0", None), ("1e999", None)],
)
def test_only_a_whole_number_is_a_phone(number: str, phone: str | None) -> None:
    more = '"resume": {"size": 1e999}, "deleted": "True"'
    body = f'{{"uid": "B3.07F", "phone": {number}, {more}}}'.encode()
    found = responses.candidate(replace(saved("candidate"), body=body))
    assert (found.phone, found.deleted) == (phone, True)


def test_lists() -> None:
    page = responses.candidates(saved("candidates"))
    assert [each.uid for each in page.candidates] == ["B3.07F", "B3.080"]
    assert page.next_page == "https://api.comeet.co/candidates?cursor=2"
    assert not responses.candidates(saved("candidates_last_page")).next_page
    positions = responses.positions(saved("positions")).positions
    assert [(each.uid, each.status) for each in positions] == [
        ("4A.1C2", "open"),
        ("5D.9D4", "closed"),
    ]
    assert responses.deleted(saved("deleted_candidates")) == ["B3.07F"]


LISTS: dict[str, tuple[str, Any, Any]] = {
    "candidates": ("candidates", responses.candidate_rows, schemas.CANDIDATES),
    "candidates_documented": ("candidates", responses.candidate_rows, schemas.CANDIDATES),
    "candidates_observed": ("candidates", responses.candidate_rows, schemas.CANDIDATES),
    "candidates_last_page": ("candidates", responses.candidate_rows, schemas.CANDIDATES),
    "positions": ("positions", responses.position_rows, schemas.POSITIONS),
    "positions_documented": ("positions", responses.position_rows, schemas.POSITIONS),
}
UNKNOWN_UNTIL_TOMORROW = {".tomorrow"}


def sent(name: str) -> Any:
    return json.loads((SAVED / f"{name}.json").read_text("utf-8"))["body"]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_row_is_passed_on_on_one_line(name: str, indent: int | None) -> None:
    rows_in, read, _ = LISTS[name]
    body = json.dumps(sent(name), indent=indent).replace("\n", "\r\n").encode()
    page = read(replace(saved(name), body=body), None)
    assert [json.loads(row) for row in page.rows] == sent(name)[rows_in]
    assert not any(b"\n" in row or b"\r" in row for row in page.rows)
    assert page.is_empty is not bool(page.rows)
    assert (page.next_page or None) == (sent(name).get("next_page") or None)


@pytest.mark.parametrize("name", LISTS)
def test_the_declared_columns_are_those_of_the_saved_rows(name: str) -> None:
    rows_in, _, schema = LISTS[name]
    for row in sent(name)[rows_in]:
        jsonschema.validate(row, schema)
        assert set(undeclared(row, schema)) <= UNKNOWN_UNTIL_TOMORROW


def undeclared(value: object, schema: Any, path: str = "") -> list[str]:
    """Return the fields in a value that its schema does not name."""
    if isinstance(value, list):
        return [each for item in value for each in undeclared(item, schema.get("items", {}), path)]
    if not isinstance(value, dict) or not schema.get("properties"):
        return []
    known = schema["properties"]
    return [f"{path}.{key}" for key in value if key not in known] + [
        each
        for key, item in value.items()
        if key in known
        for each in undeclared(item, known[key], f"{path}.{key}")
    ]


@pytest.mark.parametrize("list_name", ["candidates", "positions"])
def test_each_declared_column_is_in_a_saved_row(list_name: str) -> None:
    seen = {
        key
        for name, (rows_in, _, _) in LISTS.items()
        if rows_in == list_name
        for row in sent(name)[rows_in]
        for key in row
    }
    schema = next(schema for rows_in, _, schema in LISTS.values() if rows_in == list_name)
    assert set(schema["properties"]) <= seen


@pytest.mark.parametrize(
    "schema", [schemas.POSITIONS, schemas.CANDIDATES, schemas.DELETED_CANDIDATES]
)
def test_each_schema_is_nullable_and_open(schema: Any) -> None:
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate({**dict.fromkeys(schema["properties"]), "tomorrow": 1}, schema)


def test_only_changed_positions_are_rows() -> None:
    def uids(since: str | None) -> list[str]:
        moment = None if since is None else datetime.fromisoformat(since)
        page = responses.position_rows(saved("positions_documented"), moment)
        assert not page.is_empty
        return [json.loads(row)["uid"] for row in page.rows]

    # The last one has no time, so nobody knows.
    assert uids(None) == ["4A.1C2", "5D.9D4", "5D.9D5"]
    assert uids("2025-03-05T08:00:00+00:00") == ["4A.1C2", "5D.9D5"]
    assert uids("2025-03-05T08:00:01+00:00") == ["5D.9D5"]


def test_a_deleted_candidate_has_its_uid_and_the_time_of_the_read() -> None:
    page = responses.deleted_rows(saved("deleted_candidates"), None)
    (row,) = (json.loads(each) for each in page.rows)
    assert row == {"uid": "B3.07F", "read_at": "2026-01-31T12:00:00Z"}
    jsonschema.validate(row, dict(schemas.DELETED_CANDIDATES))
    assert page.next_page is None


@pytest.mark.parametrize(
    ("read", "body"),
    [
        (responses.candidate_rows, {}),
        (responses.candidate_rows, {"positions": []}),
        (responses.candidate_rows, []),
        (responses.candidate_rows, {"candidates": None}),
        (responses.candidate_rows, {"candidates": [{"email": "canary"}]}),
        (responses.position_rows, {"candidates": []}),
        (responses.position_rows, {"positions": [{"uid": 5}]}),
        (responses.deleted_rows, {"deleted": []}),
        (responses.deleted_rows, [{"uid": "canary"}]),
    ],
)
def test_another_envelope_or_a_row_without_key_is_an_error(read: Any, body: object) -> None:
    response = replace(saved("candidates"), body=json.dumps(body).encode())
    with pytest.raises(ContractError) as caught:
        read(response, None)
    assert "canary" not in f"{caught.value} {caught.value.detail}"


def test_a_candidate_that_is_not_valid_json_is_left_out_and_named() -> None:
    body = b'{"candidates": [{"uid": "A1.1", "name": broken}, {"uid": "A1.2"}], "next_page": null}'
    answer = replace(response(200, body), is_repeat=True)
    page = responses.candidate_rows(answer, None)
    assert page.left_out == ["A1.1"]
    assert [json.loads(row) for row in page.rows] == [{"uid": "A1.2"}]
    assert not page.is_empty
