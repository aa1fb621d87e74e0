"""Reading Kombo's responses: saved ones, and errors by their code."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from requests.structures import CaseInsensitiveDict

from source_ats.errors import (
    AtsError,
    ContractError,
    CredentialsRefused,
    IncompleteResponse,
    NoSuchRows,
    PartitionUnavailable,
    RequestRefused,
    UnknownPartition,
    WrongAddress,
)
from source_ats.http.models import FailureKind, Response
from source_ats.vendors.kombo import requests, responses
from source_ats.vendors.kombo.models import CANDIDATES, MODELS, Model

SAVED = Path(__file__).parent / "saved_responses"
INTEGRATION = "greenhouse:7kQmW3xTzB9sLp2VhNfRc4Yd"


def content(name: str) -> dict[str, Any]:
    saved: dict[str, Any] = json.loads((SAVED / f"{name}.json").read_text("utf-8"))
    return saved


def response(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    return Response(
        status=status,
        headers=CaseInsensitiveDict(headers or {}),
        body=body.encode() if isinstance(body, str) else json.dumps(body).encode(),
        sent_at=datetime(2026, 1, 31, 12, tzinfo=UTC),
        where=f"Kombo candidates {status} request-7",
    )


def saved(name: str) -> Response:
    whole = content(name)
    return response(whole["status"], whole["body"], whole["headers"])


def error(code: str | None, status: int) -> Response:
    envelope = {"code": code, "title": "canary", "message": "canary", "log_url": None}
    return response(status, {"status": "error", "error": envelope})


def rows_of(page: responses.RowsPage) -> list[dict[str, Any]]:
    return [orjson.loads(row) for row in page.rows]


@pytest.mark.parametrize("path", sorted(SAVED.glob("*.json")), ids=lambda path: path.stem)
def test_each_saved_response_names_its_source(path: Path) -> None:
    whole = content(path.stem)
    assert whole["tier"] in {"documented", "observed", "assumed"}
    assert whole["source"]


PAGES = [
    "candidates_page",
    "candidates_last_page",
    "candidates_sparse",
    "candidates_erased",
    "candidates_new_fields",
]


class TestRows:
    @pytest.mark.parametrize("name", PAGES)
    @pytest.mark.parametrize("indent", [None, 2])
    def test_a_row_is_passed_on_with_its_integration_id(
        self, name: str, indent: int | None
    ) -> None:
        whole = content(name)
        body = json.dumps(whole["body"], indent=indent, ensure_ascii=False)
        page = responses.rows(response(200, body), INTEGRATION)
        # By the standard library: it keeps numbers of any length.
        assert [json.loads(row) for row in page.rows] == [
            {**row, "integration_id": INTEGRATION} for row in whole["body"]["data"]["results"]
        ]

    @pytest.mark.parametrize("name", PAGES)
    @pytest.mark.parametrize("indent", [None, 2])
    def test_a_row_is_on_one_line_and_has_each_key_once(
        self, name: str, indent: int | None
    ) -> None:
        body = json.dumps(content(name)["body"], indent=indent)
        for row in responses.rows(response(200, body), INTEGRATION).rows:
            assert b"\n" not in row
            assert b"\r" not in row
            keys = [key for key, _ in json.loads(row, object_pairs_hook=list)]
            assert len(keys) == len(set(keys))

    @pytest.mark.parametrize("own", ["", '"integration_id": "theirs", '])
    @pytest.mark.parametrize("line_break", ["", "\n", "\r\n"])
    @pytest.mark.parametrize(
        "number", ["1.10", "1e400", "-0", "12345678901234567890", "9" * 5000, "1E-7"]
    )
    def test_numbers_keep_their_spelling(self, number: str, line_break: str, own: str) -> None:
        row = f'{{{own}"id": "a", {line_break}"n": {number}, "deep": {{"n": [{number}]}}}}'
        body = f'{{"data": {{"next": null, "results": [{row}]}}}}'
        (line,) = responses.rows(response(200, body), INTEGRATION).rows
        fields = json.loads(line, parse_int=str, parse_float=str)
        assert fields == {
            "id": "a",
            "n": number,
            "deep": {"n": [number]},
            "integration_id": INTEGRATION,
        }

    def test_an_integration_id_is_escaped(self) -> None:
        page = responses.rows(saved("candidates_last_page"), 'odd:"\\id')
        assert rows_of(page)[0]["integration_id"] == 'odd:"\\id'

    @pytest.mark.parametrize(
        ("name", "cursor"),
        [
            ("candidates_page", "bWFkZSB1cA"),
            ("candidates_last_page", None),
            ("candidates_blank_next", None),
            ("candidates_none", None),
        ],
    )
    def test_cursor_of_the_next_page(self, name: str, cursor: str | None) -> None:
        assert responses.rows(saved(name), INTEGRATION).next_cursor == cursor

    def test_a_missing_next_ends_the_list(self) -> None:
        body = {"status": "success", "data": {"results": []}}
        assert responses.rows(response(200, body), INTEGRATION).next_cursor is None

    @pytest.mark.parametrize("indent", [None, 2])
    def test_a_lone_surrogate_is_replaced(self, indent: int | None) -> None:
        body = json.dumps(content("candidates_half_character")["body"], indent=indent)
        (row,) = rows_of(responses.rows(response(200, body), INTEGRATION))
        assert row["title"] == "Analyst ?"
        assert row["company"] == "Foods ? and more, cut in the middle"
        assert row["last_name"] == "Solberg"

    @pytest.mark.parametrize(
        "body",
        [
            {"status": "success"},
            {"status": "success", "data": None},
            {"status": "success", "data": []},
            {},
            [],
            {"results": []},
        ],
    )
    def test_a_missing_envelope_is_a_contract_error(self, body: object) -> None:
        with pytest.raises(ContractError):
            responses.rows(response(200, body), INTEGRATION)

    @pytest.mark.parametrize("name", ["candidates_without_results", "candidates_row_without_id"])
    def test_results_and_ids_are_required(self, name: str) -> None:
        with pytest.raises(ContractError) as caught:
            responses.rows(saved(name), INTEGRATION)
        assert "Solberg" not in f"{caught.value} {caught.value.detail}"

    @pytest.mark.parametrize("row", [None, "x", 7, [], {"id": None}, {"id": 7}])
    def test_a_row_of_another_shape_is_a_contract_error(self, row: object) -> None:
        body = {"status": "success", "data": {"next": None, "results": [row]}}
        with pytest.raises(ContractError) as caught:
            responses.rows(response(200, body), INTEGRATION)
        assert caught.value.detail == "Kombo candidates 200 request-7"

    @pytest.mark.parametrize(
        "body",
        ["", "<html></html>", '{"status":"success","data":{"next":null,"results":[{"id":"1"'],
    )
    def test_an_incomplete_body_is_retried(self, body: str) -> None:
        with pytest.raises(IncompleteResponse):
            responses.rows(response(200, body), INTEGRATION)

    def test_an_error_envelope_with_status_200_is_an_error(self) -> None:
        with pytest.raises(IncompleteResponse):
            responses.rows(saved("error_under_200"), INTEGRATION)
        with pytest.raises(UnknownPartition):
            responses.rows(error("PLATFORM.INTEGRATION_NOT_FOUND", 200), INTEGRATION)


SAVED_ROWS = [(name, CANDIDATES) for name in PAGES] + [
    (f"{model.stream.removeprefix('kombo_')}_page", model)
    for model in MODELS
    if model is not CANDIDATES
]

each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.stream)


class TestSchema:
    @pytest.mark.parametrize(
        ("name", "model"), SAVED_ROWS, ids=lambda each: getattr(each, "stream", each)
    )
    def test_saved_rows_fit_the_declared_schema(self, name: str, model: Model) -> None:
        for row in rows_of_any(name):
            jsonschema.validate(row, model.schema)

    @pytest.mark.parametrize(
        ("name", "model"),
        [each for each in SAVED_ROWS if "new_fields" not in each[0]],
        ids=lambda each: getattr(each, "stream", each),
    )
    def test_each_documented_field_is_declared(self, name: str, model: Model) -> None:
        for row in rows_of_any(name):
            assert undeclared(row, model.schema) == []

    @pytest.mark.parametrize(
        ("name", "model"),
        [each for each in SAVED_ROWS if each[0].endswith("_page")],
        ids=lambda each: getattr(each, "stream", each),
    )
    def test_each_declared_column_is_in_a_saved_response(self, name: str, model: Model) -> None:
        assert set(model.schema["properties"]) == set(rows_of_any(name)[0])

    @each_model
    def test_each_schema_is_nullable_and_open(self, model: Model) -> None:
        jsonschema.Draft7Validator.check_schema(model.schema)
        for field in model.schema["properties"].values():
            assert "null" in field["type"]
        jsonschema.validate(dict.fromkeys(model.schema["properties"]), model.schema)

    def test_each_model_has_its_own_names(self) -> None:
        for own in ("stream", "path", "read_model"):
            assert len({getattr(model, own) for model in MODELS}) == len(MODELS)


def rows_of_any(name: str) -> list[dict[str, Any]]:
    """Return the rows of a saved response as records."""
    body = json.dumps(content(name)["body"])
    return [json.loads(row) for row in responses.rows(response(200, body), INTEGRATION).rows]


def undeclared(value: object, schema: Any, path: str = "") -> list[str]:
    """Return the fields in a value that its schema does not name."""
    if isinstance(value, list):
        return [each for item in value for each in undeclared(item, schema.get("items", {}), path)]
    if not isinstance(value, dict) or not schema.get("properties"):
        return []
    missing = [f"{path}.{key}" for key in value if key not in schema["properties"]]
    return missing + [
        each
        for key, item in value.items()
        if key in schema["properties"]
        for each in undeclared(item, schema["properties"][key], f"{path}.{key}")
    ]


class TestErrors:
    def test_a_sentence_is_not_taken_as_a_code(self) -> None:
        found = responses.classify(error("mira@example.org is wrong", 400))
        assert found is None

    def test_404_without_a_code_is_a_wrong_address(self) -> None:
        found = responses.classify(response(404, "<html>not found</html>"))
        assert isinstance(found, WrongAddress)
        assert "kombo.base_url" in found.message

    def test_404_of_kombo_itself_refuses_one_request_also_without_a_code(self) -> None:
        found = responses.classify(error(None, 404))
        assert isinstance(found, RequestRefused)
        assert (found.status, found.code) == (404, None)
        assert found.detail == "Kombo candidates 404 request-7"

    @pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 409, 429, 500, 503])
    @pytest.mark.parametrize(
        ("code", "meaning"),
        [
            ("PLATFORM.RATE_LIMIT_EXCEEDED", FailureKind.RATE_LIMITED),
            ("PLATFORM.CONCURRENCY_LIMIT_EXCEEDED", FailureKind.RATE_LIMITED),
            ("INTEGRATION.ACTION_DISABLED", RequestRefused),
            ("INTEGRATION.ACTION_NOT_AVAILABLE", RequestRefused),
            ("REMOTE.UNKNOWN_HTTP_ERROR", RequestRefused),
            ("REMOTE.RATE_LIMIT_EXCEEDED", FailureKind.RATE_LIMITED),
            ("REMOTE.SERVICE_UNAVAILABLE", FailureKind.UNAVAILABLE),
            ("PLATFORM.UNKNOWN_ERROR", FailureKind.UNAVAILABLE),
            ("PLATFORM.TASK_TIMED_OUT", FailureKind.UNAVAILABLE),
            ("PLATFORM.AUTHENTICATION_INVALID", CredentialsRefused),
            ("PLATFORM.IP_NOT_WHITELISTED", CredentialsRefused),
            ("PLATFORM.INTEGRATION_NOT_FOUND", UnknownPartition),
            ("PLATFORM.INPUT_INVALID", RequestRefused),
            ("INTEGRATION.SETUP_SYNC_PENDING", PartitionUnavailable),
            ("INTEGRATION.SETUP_INCOMPLETE", PartitionUnavailable),
            ("INTEGRATION.QA_FAILED", PartitionUnavailable),
            ("INTEGRATION.INACTIVE", PartitionUnavailable),
            ("INTEGRATION.AUTHENTICATION_INVALID", PartitionUnavailable),
            ("INTEGRATION.PERMISSION_MISSING", PartitionUnavailable),
            ("INTEGRATION.MODEL_NOT_AVAILABLE", NoSuchRows),
            ("INTEGRATION.MODEL_DISABLED", NoSuchRows),
        ],
    )
    def test_the_code_decides_whatever_the_status_is(
        self, code: str, meaning: FailureKind | type[AtsError], status: int
    ) -> None:
        got = responses.classify(error(code, status))
        if isinstance(meaning, FailureKind):
            assert got is meaning
            return
        assert isinstance(got, meaning)
        assert code in got.detail
        assert re.fullmatch(r"[A-Z].*\.", got.message), "not a whole sentence"
        assert "request-7" in got.detail
        assert "canary" not in f"{got} {got.detail}"

    @pytest.mark.parametrize("status", [400, 429])
    def test_a_live_call_over_the_limit_is_a_refusal_of_this_call(self, status: int) -> None:
        """The files of one candidate: they are requested again with fewer calls in flight."""
        over = error("PLATFORM.CONCURRENCY_LIMIT_EXCEEDED", status)
        got = responses.classify(replace(over, endpoint=requests.CANDIDATE_FILES))
        assert isinstance(got, RequestRefused)
        assert got.code == "PLATFORM.CONCURRENCY_LIMIT_EXCEEDED"

    @pytest.mark.parametrize(
        "code",
        [
            "INTEGRATION.SETUP_INCOMPLETE",
            "INTEGRATION.QA_FAILED",
            "INTEGRATION.INACTIVE",
            "INTEGRATION.AUTHENTICATION_INVALID",
            "INTEGRATION.PERMISSION_MISSING",
            "INTEGRATION.MODEL_DISABLED",
        ],
    )
    def test_only_a_pending_first_sync_passes_by_itself(self, code: str) -> None:
        pending = responses.classify(saved("error_setup_pending_409"))
        assert isinstance(pending, PartitionUnavailable)
        assert pending.passes
        person = responses.classify(error(code, 409))
        assert isinstance(person, PartitionUnavailable)
        assert not person.passes

    @pytest.mark.parametrize(
        "name", ["error_without_code", "error_load_balancer", "candidates_none"]
    )
    def test_without_a_code_the_status_decides(self, name: str) -> None:
        assert responses.classify(saved(name)) is None

    def test_setup_codes_count_under_their_old_and_new_status(self) -> None:
        for name in ("error_setup_pending_409", "error_setup_pending_503"):
            assert isinstance(responses.classify(saved(name)), PartitionUnavailable)

    def test_an_unknown_code_is_classified_by_status(self) -> None:
        code = "PLATFORM.BRAND_NEW"
        refused = responses.classify(error(code, 400))
        assert isinstance(refused, RequestRefused)
        assert refused.code == code
        for status in (401, 403, 429, 500, 503):
            assert responses.classify(error(code, status)) is None

    @pytest.mark.parametrize(
        "body",
        ["", "null", "[]", '"x"', '{"error": null}', '{"error": "x"}', '{"error": {"code": 5}}'],
    )
    def test_another_body_has_no_code(self, body: str) -> None:
        assert responses.classify(response(500, body)) is None

    def test_a_body_with_invalid_utf_8_has_no_code(self) -> None:
        broken = Response(500, {}, b'{"error": {"code": "\xff"}}', datetime.now(UTC), "Kombo")
        assert responses.classify(broken) is None


class TestRateLimitReset:
    @pytest.mark.parametrize(
        ("status", "headers", "seconds"),
        [
            (429, {"ratelimit-reset": "57"}, 57),
            (429, {"RateLimit-Reset": "57", "RateLimit-Remaining": "0"}, 57),
            (200, {"ratelimit-reset": "57", "ratelimit-remaining": "298"}, None),
            (200, {"ratelimit-reset": "57", "ratelimit-remaining": "0"}, 57),
            (429, {}, None),
            # The limit of live calls, while the rate limit has room.
            (429, {"ratelimit-reset": "57", "ratelimit-remaining": "12"}, None),
            (429, {"ratelimit-reset": "57", "ratelimit-remaining": "0"}, 57),
            (429, {"ratelimit-reset": "soon"}, None),
            (429, {"ratelimit-reset": "-5"}, None),
            (429, {"ratelimit-reset": "\u0665"}, None),
            (200, {}, None),
        ],
    )
    def test_seconds_until_the_rate_limit_resets(
        self, status: int, headers: dict[str, str], seconds: float | None
    ) -> None:
        assert responses.seconds_to_reset(response(status, {}, headers)) == seconds


class TestCheckResponses:
    def test_the_environment_of_a_key(self) -> None:
        assert responses.environment(saved("check_api_key")) == "5nRvT8cXwJ2mKq7ZbHpYs4Gd"

    def test_an_integration(self) -> None:
        about = responses.integration(saved("integration"))
        assert about.id == INTEGRATION
        assert (about.category, about.status, about.setup_status) == ("ATS", "ACTIVE", "COMPLETED")
        assert about.data_expired_at is None
        assert about.tool.id == "greenhouse"
        assert [(model.id, model.is_available) for model in about.read_models] == [
            ("ats_candidates", True)
        ]

    @pytest.mark.parametrize(
        ("model", "words"),
        [
            ({"is_available": True, "coverage_status": "SUPPORTED"}, None),
            ({}, None),
            ({"is_available": False, "coverage_status": "SUPPORTED"}, "switched off"),
            ({"is_available": False}, "switched off"),
            ({"is_available": False, "coverage_status": "UNSUPPORTED"}, "does not offer"),
            ({"is_available": False, "coverage_status": "NOT_IMPLEMENTED"}, "does not offer"),
        ],
    )
    def test_unavailable_models(self, model: dict[str, Any], words: str | None) -> None:
        body = content("integration")["body"]
        body["data"]["read_models"] = [{"id": "ats_jobs", **model}]
        about = responses.integration(response(200, body))
        assert responses.model_unavailable(about, "ats_offers") is None
        missing = responses.model_unavailable(about, "ats_jobs")
        if words is None:
            assert missing is None
        else:
            assert isinstance(missing, NoSuchRows)
            assert words in missing.message
            assert missing.detail == "Kombo candidates 200 request-7 ats_jobs"

    def test_the_status_of_an_integration_is_required(self) -> None:
        with pytest.raises(ContractError, match="status"):
            responses.integration(saved("integration_without_status"))

    @pytest.mark.parametrize("read", [responses.environment, responses.integration])
    @pytest.mark.parametrize("body", [{}, {"status": "success"}, {"data": None}, []])
    def test_a_missing_envelope_is_a_contract_error(self, read: Any, body: object) -> None:
        with pytest.raises(ContractError):
            read(response(200, body))
