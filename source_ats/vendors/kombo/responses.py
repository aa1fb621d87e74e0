"""Reading Kombo's responses. Facts: Kombo's OpenAPI 3.1, May 2026, unless said otherwise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from source_ats.decoding import describe_mismatch, safe_identifier
from source_ats.errors import (
    AtsError,
    ContractError,
    CredentialsRefused,
    IncompleteResponse,
    InvalidInput,
    NoSuchRows,
    PartitionUnavailable,
    RequestRefused,
    UnknownPartition,
    WrongAddress,
)
from source_ats.http.models import FailureKind, Response, Vendor, reports_error
from source_ats.vendors.kombo import requests

CREDENTIALS = "kombo.api_key and kombo.region (a key works in its own region only)"
_MODEL_NOT_AVAILABLE = "INTEGRATION.MODEL_NOT_AVAILABLE"
_MODEL_DISABLED = "INTEGRATION.MODEL_DISABLED"
_FIRST_SYNC_PENDING = "INTEGRATION.SETUP_SYNC_PENDING"
# What an error code means for one integration. Decided by code, not by status: the vendor moved
# the setup codes from 503 to 409 in May 2026, and announces that statuses may change.
UNAVAILABLE = {
    _FIRST_SYNC_PENDING: (
        "Kombo has not finished the first sync of this integration, which takes minutes to hours. "
        "There is nothing to do: it can be read once that sync is finished."
    ),
    "INTEGRATION.SETUP_INCOMPLETE": (
        "This integration is not set up completely. Finish its setup in Kombo's dashboard."
    ),
    "INTEGRATION.QA_FAILED": (
        "This integration has not passed Kombo's quality check. Finish its setup with Kombo."
    ),
    "INTEGRATION.INACTIVE": (
        "This integration is switched off. Switch it on in Kombo's dashboard, or remove it from "
        "kombo.integration_ids."
    ),
    "INTEGRATION.AUTHENTICATION_INVALID": (
        "This integration has lost its access to the applicant tracking system. The customer has "
        "to reconnect it."
    ),
    "INTEGRATION.PERMISSION_MISSING": (
        "This integration lacks a permission in the applicant tracking system. The customer has "
        "to grant it."
    ),
    _MODEL_NOT_AVAILABLE: (
        "The applicant tracking system of this integration does not offer these rows."
    ),
    _MODEL_DISABLED: (
        "These rows are switched off in the scope configuration of this integration. Switch them "
        "on in Kombo if you need them."
    ),
}
ACTION_NOT_AVAILABLE = "INTEGRATION.ACTION_NOT_AVAILABLE"
ACTION_DISABLED = "INTEGRATION.ACTION_DISABLED"
CONCURRENCY_LIMIT_EXCEEDED = "PLATFORM.CONCURRENCY_LIMIT_EXCEEDED"
_REFUSALS = frozenset({
    ACTION_NOT_AVAILABLE, ACTION_DISABLED, CONCURRENCY_LIMIT_EXCEEDED, "REMOTE.INPUT_INVALID",
    "REMOTE.UNKNOWN_HTTP_ERROR",
})  # fmt: skip
"""Of one live call, whatever the status says."""
_FAILURE_KINDS = {
    "PLATFORM.RATE_LIMIT_EXCEEDED": FailureKind.RATE_LIMITED,
    "REMOTE.RATE_LIMIT_EXCEEDED": FailureKind.RATE_LIMITED,
    "REMOTE.SERVICE_UNAVAILABLE": FailureKind.UNAVAILABLE,
    # The vendor advises against blind repeats of unknown errors; for reads they do no harm.
    "PLATFORM.UNKNOWN_ERROR": FailureKind.UNAVAILABLE,
    "PLATFORM.TASK_TIMED_OUT": FailureKind.UNAVAILABLE,
}
_CREDENTIALS_REFUSED = {
    "PLATFORM.AUTHENTICATION_INVALID": (
        f"Kombo does not accept the credentials. Check {CREDENTIALS}."
    ),
    "PLATFORM.IP_NOT_WHITELISTED": (
        "Kombo does not accept requests from this network. Add its address to the IP allow list "
        "of the Kombo environment."
    ),
}


def classify(response: Response) -> AtsError | FailureKind | None:
    """Return what an error means, by its `error.code`; None for a code that we do not know."""
    code = _error_code(response)
    where = f"{response.where} {code}" if code else response.where
    if code in _FAILURE_KINDS:
        return _FAILURE_KINDS[code]
    if code == CONCURRENCY_LIMIT_EXCEEDED and response.endpoint != requests.CANDIDATE_FILES:
        # Lists are exempt from this limit (documented). If one draws it anyway, waiting helps.
        return FailureKind.RATE_LIMITED
    if code in UNAVAILABLE:
        return unavailable(code, where)
    if code in _CREDENTIALS_REFUSED:
        return CredentialsRefused(_CREDENTIALS_REFUSED[code], detail=where)
    if code == "PLATFORM.INTEGRATION_NOT_FOUND":
        message = (
            "Kombo does not know this integration in the environment and region of the key. "
            "Correct kombo.integration_ids, kombo.region or kombo.api_key."
        )
        return UnknownPartition(message, detail=where)
    if code == "PLATFORM.INPUT_INVALID":
        message = "Kombo does not accept a parameter of the request."
        return InvalidInput(message, status=response.status, code=code, detail=where)
    is_refusal = 400 <= response.status <= 499 and response.status not in {401, 403, 408, 429}
    if code and (is_refusal or code in _REFUSALS):
        message = f"Kombo refused a request with {code}."
        return RequestRefused(message, status=response.status, code=code, detail=where)
    if response.status == 404 and _is_error_envelope(response):
        message = "Kombo refused a request with status 404."
        return RequestRefused(message, status=404, code=None, detail=where)
    if response.status == 404:
        message = (
            "There is no Kombo API at this address. Correct kombo.base_url, or leave it empty."
        )
        return WrongAddress(message, detail=where)
    return None


def unavailable(code: str, where: str) -> PartitionUnavailable:
    """Return what one of the `INTEGRATION.*` codes means for an integration."""
    kind = NoSuchRows if code in {_MODEL_NOT_AVAILABLE, _MODEL_DISABLED} else PartitionUnavailable
    return kind(UNAVAILABLE[code], passes=code == _FIRST_SYNC_PENDING, detail=where)


def seconds_to_reset(response: Response) -> float | None:
    """Return the seconds until the next request is allowed, when the quota is exhausted.

    `ratelimit-reset` counts seconds; the header names are documented for Kombo's assessment API
    and seen as lower case.
    """
    left = requests_left(response)
    # A 429 can also be about the live calls in flight, while the rate limit has room.
    if left != 0 and (response.status != 429 or left is not None):
        return None
    return _whole_number(response.headers.get("ratelimit-reset"))


def requests_left(response: Response) -> int | None:
    """Return how many more requests the rate limit allows until its reset, by the same headers."""
    return _whole_number(response.headers.get("ratelimit-remaining"))


VENDOR = Vendor(
    name="Kombo",
    credentials=CREDENTIALS,
    classify=classify,
    seconds_to_reset=seconds_to_reset,
    requests_left=requests_left,
)


class _Error(msgspec.Struct):
    code: str | None = None


class _ErrorEnvelope(msgspec.Struct):
    error: _Error


_error_envelope = msgspec.json.Decoder(_ErrorEnvelope)


def _error_code(response: Response) -> str | None:
    """Return the code in the error envelope; None for any other body."""
    try:
        return safe_identifier(_error_envelope.decode(response.body).error.code)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _is_error_envelope(response: Response) -> bool:
    """True if an error is Kombo's, not a gateway's. Its code can be null."""
    try:
        _error_envelope.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


class _Row(msgspec.Struct):
    """What the code relies on in a row: it is an object and has its key."""

    id: str


class _List(msgspec.Struct):
    results: list[msgspec.Raw]
    # The vendor's SDK stops when it is missing or blank.
    next: str | None = None


class _ListEnvelope(msgspec.Struct):
    data: _List | None = None


_row = msgspec.json.Decoder(_Row)
_row_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list_envelope = msgspec.json.Decoder(_ListEnvelope)


@dataclass(frozen=True, slots=True)
class RowsPage:
    """One page of a model: encoded rows, and the cursor of the next page."""

    rows: Sequence[bytes]
    next_cursor: str | None
    sent_at: datetime
    """When it was requested, by the vendor's clock, in whole seconds."""
    where: str
    """For messages: the response that it came with."""
    left_out: Sequence[str | None] = ()
    """The ids of rows that are not valid JSON; None where the id cannot be read."""

    @property
    def is_empty(self) -> bool:
        """Whether the vendor sent no row at all."""
        return not (self.rows or self.left_out)


def rows(response: Response, integration_id: str) -> RowsPage:
    """Return the rows as the vendor sent them, `integration_id` added.

    No value is decoded, so numbers keep their spelling. Raises `ContractError` when the envelope
    or a row's `id` is missing, and what an error means that has no rows.
    """
    envelope, left_out = response.decode_rows(_list_envelope, "id")
    data = envelope.data
    if data is None:
        raise _without_data(response)
    if not (data.results or left_out):
        _validate_empty(response)
    encoded = list(map(bytes, data.results))
    _validate_rows(encoded, response)
    if b"\n" in response.body or b"\r" in response.body:
        # Valid JSON has raw line breaks between its tokens only.
        encoded = [row.translate(None, b"\r\n") for row in encoded]
    if b'integration_id"' in response.body:
        encoded = list(map(_without_integration_id, encoded))
    tail = b',"integration_id":%b}' % json.dumps(integration_id).encode()
    return RowsPage(
        rows=[row[:-1] + tail for row in encoded],
        next_cursor=(data.next or "").strip() or None,
        sent_at=response.sent_at.replace(microsecond=0),
        where=response.where,
        left_out=left_out,
    )


def id_of(row: bytes) -> str:
    """Return the id of a row."""
    return _row.decode(row).id


def no_rows(now: datetime) -> RowsPage:
    """Return the page that a list has of which nothing is left to request."""
    return RowsPage([], None, now.replace(microsecond=0), where="")


def _validate_rows(rows: Sequence[bytes], response: Response) -> None:
    """Raise `ContractError` unless each row has what the code relies on."""
    for number, row in enumerate(rows):
        if row.startswith(b'{"id":"'):
            # Nearly all rows begin so: decoding each would take as long as all the rest.
            continue
        try:
            _row.decode(row)
        except msgspec.ValidationError as error:
            message = (
                f"Row {number} of Kombo's response does not have the documented shape: "
                f"{describe_mismatch(error)}."
            )
            raise ContractError(message, detail=response.where) from None


def _validate_empty(response: Response) -> None:
    """Raise what an error with status 200 means that has an empty list of rows or files."""
    if reports_error(response.decode(_row_fields)):
        raise _without_data(response, "Kombo's response has no rows and reports an error.")


def _without_integration_id(row: bytes) -> bytes:
    return _without(row, "integration_id")


def _without(row: bytes, field: str) -> bytes:
    """Return a row without a field of its own; its other fields are copied as bytes."""
    fields = (
        b"%b:%b" % (msgspec.json.encode(name), value)
        for name, value in _row_fields.decode(row).items()
        if name != field
    )
    return b"{%b}" % b",".join(fields)


class CandidateHead(msgspec.Struct):
    """What has to be known of a candidate before its files are requested."""

    id: str
    remote_deleted_at: Any = None


_candidate_head = msgspec.json.Decoder(CandidateHead)


def candidate_head(row: bytes) -> CandidateHead:
    """Return the head of a row that `rows` has returned."""
    return _candidate_head.decode(row)


def with_field(row: bytes, field: str, value: bytes) -> bytes:
    """Return a row with one field more, whose encoded value replaces one of its own."""
    if b'%b"' % field.encode() in row:
        row = _without(row, field)
    return b'%b,"%b":%b}' % (row[:-1], field.encode(), value)


class _File(msgspec.Struct):
    """What the code relies on in a file: it is an object and has its key."""

    id: str


class _FileList(msgspec.Struct):
    results: list[msgspec.Raw]


class _FilesEnvelope(msgspec.Struct):
    data: _FileList | None = None
    warnings: list[Any] | None = None


_file = msgspec.json.Decoder(_File)
_files_envelope = msgspec.json.Decoder(_FilesEnvelope)


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one candidate, and how many calls like this one Kombo allows."""

    encoded: bytes
    """A JSON list on one line, each file as the vendor sent it."""
    warnings: int
    """How often the vendor warns, for example of a file that could not be read."""
    calls_allowed: int | None
    """In flight at the same time; None: not said."""
    calls_left: int | None
    """How many more of them now."""


def files(response: Response) -> Files:
    """Return the files of a candidate. Raises `ContractError` when a file has no `id`."""
    envelope = response.decode(_files_envelope)
    if envelope.data is None:
        raise _without_data(response)
    if not envelope.data.results:
        _validate_empty(response)
    for each in envelope.data.results:
        try:
            _file.decode(each)
        except msgspec.ValidationError as error:
            message = (
                "A file in Kombo's response does not have the documented shape: "
                f"{describe_mismatch(error)}."
            )
            raise ContractError(message, detail=response.where) from None
    encoded = b"[%b]" % b",".join(envelope.data.results)
    return Files(
        encoded=encoded.translate(None, b"\r\n"),
        warnings=len(envelope.warnings or ()),
        calls_allowed=_whole_number(response.headers.get("Concurrency-Limit")),
        calls_left=_whole_number(response.headers.get("Concurrency-Remaining")),
    )


def _whole_number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


class _Environment(msgspec.Struct):
    environment_id: str


class _EnvironmentEnvelope(msgspec.Struct):
    data: _Environment | None = None


_environment_envelope = msgspec.json.Decoder(_EnvironmentEnvelope)


def environment(response: Response) -> str:
    """Return the id of the environment that the key belongs to."""
    data = response.decode(_environment_envelope).data
    if data is None:
        raise _without_data(response)
    return data.environment_id


class ReadModel(msgspec.Struct):
    """Whether one kind of row can be read of an integration."""

    id: str
    is_available: bool = True
    coverage_status: str | None = None


class Tool(msgspec.Struct):
    """The applicant tracking system behind an integration."""

    id: str = ""
    label: str = ""


class _Integration(msgspec.Struct):
    id: str
    category: str
    status: str
    setup_status: str
    data_expired_at: str | None = None
    tool: Tool = msgspec.field(default_factory=Tool)
    read_models: list[ReadModel] = msgspec.field(default_factory=list)


class Integration(_Integration):
    """One connected account, and what can be read from it."""

    where: str = ""
    """For messages: the response that says so."""


class _IntegrationEnvelope(msgspec.Struct):
    data: _Integration | None = None


_integration_envelope = msgspec.json.Decoder(_IntegrationEnvelope)


def integration(response: Response) -> Integration:
    """Return the integration. Raises `ContractError` when a field that `check` needs is missing."""
    data = response.decode(_integration_envelope).data
    if data is None:
        raise _without_data(response)
    return Integration(**msgspec.structs.asdict(data), where=response.where)


def model_unavailable(integration: Integration, model: str) -> PartitionUnavailable | None:
    """Return why an integration has no rows of a model; None if it has, or does not say."""
    for each in integration.read_models:
        if each.id == model and not each.is_available:
            unsupported = each.coverage_status in {"UNSUPPORTED", "NOT_IMPLEMENTED"}
            code = _MODEL_NOT_AVAILABLE if unsupported else _MODEL_DISABLED
            return unavailable(code, f"{integration.where} {model}")
    return None


def integration_unavailable(integration: Integration) -> PartitionUnavailable | None:
    """Return why nothing can be read from an integration, by its status; None if it can be.

    One that is invalid or inactive may still serve its last, outdated copy (not documented).
    """
    if integration.category != "ATS":
        category = safe_identifier(integration.category) or "unknown"
        message = (
            f"This integration is of category {category}, not an applicant tracking system. "
            "Remove it from kombo.integration_ids."
        )
        return PartitionUnavailable(message, passes=False, detail=integration.where)
    for code, applies in (
        ("INTEGRATION.AUTHENTICATION_INVALID", integration.status == "INVALID"),
        ("INTEGRATION.INACTIVE", integration.status == "INACTIVE"),
        ("INTEGRATION.SETUP_INCOMPLETE", integration.setup_status == "INCOMPLETE"),
        (_FIRST_SYNC_PENDING, integration.setup_status == "FINAL_SYNC_PENDING"),
    ):
        if applies:
            return unavailable(code, integration.where)
    return None


def _without_data(
    response: Response, message: str = 'Kombo\'s response has no "data".'
) -> AtsError:
    """Return what a success without data means: an error with status 200, or an unknown shape.

    `message` is for an error without a code that is known.
    """
    match classify(response):
        case AtsError() as error:
            return error
        case FailureKind():
            return IncompleteResponse("Kombo answered with an error.", detail=response.where)
        case None:
            return ContractError(message, detail=response.where)
