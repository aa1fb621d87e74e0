"""Talemetry's responses: each saved one is read, or refused with its keys and no value."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from source_ats.errors import (
    ConfigError,
    ContractError,
    IncompleteResponse,
    RequestRefused,
)
from source_ats.http.models import Response
from source_ats.vendors.talemetry import responses
from unit_tests.fakes import NOON

SAVED = Path(__file__).parent / "saved_responses"
GUID = "11111111-aaaa-11ef-8000-000000000001"


def content(name: str) -> dict[str, Any]:
    saved: dict[str, Any] = json.loads((SAVED / f"{name}.json").read_text("utf-8"))
    return saved


def response(body: object, status: int = 200) -> Response:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, {}, text, NOON, f"Talemetry {status}")


def names(pattern: str) -> list[str]:
    return sorted(path.stem for path in SAVED.glob(f"{pattern}.json"))


READERS: dict[str, Callable[[Response], object]] = {
    "ids": responses.listing,
    "profiles": responses.people,
    "token": responses.token,
}


@pytest.mark.parametrize("name", names("*"))
def test_each_saved_response_names_its_source(name: str) -> None:
    assert content(name)["tier"] in {"documented", "observed", "assumed"}
    assert content(name)["source"]


@pytest.mark.parametrize("name", [name for name in names("ids_*") if "unknown_shape" not in name])
def test_a_page_of_ids_is_read(name: str) -> None:
    page = responses.listing(response(content(name)["body"]))
    assert page == responses.Listing(**content(name)["expected"], sent_at=NOON)


@pytest.mark.parametrize("name", [name for name in names("token_*") if "unknown_shape" not in name])
def test_a_token_is_read(name: str) -> None:
    assert responses.token(response(content(name)["body"])) == content(name)["expected"]


@pytest.mark.parametrize("name", names("profiles_nobody*"))
def test_a_response_without_people_is_empty(name: str) -> None:
    assert responses.people(response(content(name)["body"])) == {}


@pytest.mark.parametrize("name", ["profiles_many_of_each", "profiles_one_of_each"])
def test_people_are_found_by_their_guid(name: str) -> None:
    body = content(name)["body"]
    (person,) = responses.people(response(body)).values()
    entries = body["result"]["Candidates"]
    assert person == (entries[0] if isinstance(entries, list) else entries)["Candidate"]


def test_guids_are_compared_without_regard_to_case() -> None:
    info = {"CandidateRecordInfo": {"Id": {"IdValue": GUID.upper()}}}
    assert list(responses.people(response({"Candidates": [info]}))) == [GUID]


@pytest.mark.parametrize("name", names("*unknown_shape*"))
def test_an_unknown_shape_is_reported_by_its_keys_without_values(name: str) -> None:
    with pytest.raises(ContractError) as raised:
        READERS[name.partition("_")[0]](response(content(name)["body"]))
    for key in content(name)["keys"]:
        assert key in raised.value.message
    assert "canary" not in raised.value.message + raised.value.detail
    assert isinstance(raised.value, RequestRefused) == ("error" in name)


def test_a_cursor_of_another_type_is_named() -> None:
    with pytest.raises(ContractError, match=r"^The listing's cursor is not a string"):
        responses.listing(response({"result": {"Ids": [], "Cursor": 7}}))


def test_a_method_that_is_not_accepted_names_the_setting() -> None:
    error = responses.classify(response({}, 405))
    assert isinstance(error, ConfigError)
    assert error.message == (
        "Talemetry does not accept the method of a request. Set talemetry.ids_method to the other "
        "value; if that does not help, check the base URLs in talemetry."
    )
    assert error.detail == response({}, 405).where


@pytest.mark.parametrize("read", READERS.values())
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"result": {"Ids": ['])
def test_invalid_json_is_an_incomplete_response(
    read: Callable[[Response], object], body: bytes
) -> None:
    with pytest.raises(IncompleteResponse):
        read(response(body))


def test_a_missing_privilege_is_named() -> None:
    assert "Source&CRM - API User" in responses.VENDOR.access_denied


@pytest.mark.parametrize("status", [400, 404, 415])
def test_a_refused_exchange_names_the_credentials(status: int) -> None:
    error = responses.classify_authorization(response({"error": "canary"}, status))
    assert isinstance(error, ConfigError)
    assert "talemetry.credentials" in error.message


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500])
def test_other_errors_are_left_to_the_client(status: int) -> None:
    assert responses.classify(response({"error": "canary"}, status)) is None


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_busy_authorization_call_is_left_to_the_client(status: int) -> None:
    assert responses.classify_authorization(response({}, status)) is None
