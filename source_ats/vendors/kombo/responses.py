"""Kombo's answers, read. Facts: Kombo's OpenAPI 3.1, May 2026, unless said otherwise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from source_ats.decoding import describe_mismatch, encode, safe_identifier
from source_ats.errors import (
    AtsError,
    ConfigError,
    ContractError,
    IncompleteResponse,
    InvalidInput,
    NoSuchRows,
    PartitionUnavailable,
    RequestRefused,
    UnknownPartition,
)
from source_ats.http.models import FailureKind, Response, Vendor

_NOT_SUPPORTED = "INTEGRATION.MODEL_NOT_AVAILABLE"
_SWITCHED_OFF = "INTEGRATION.MODEL_DISABLED"
# What the code of an error means for one integration, and whether it passes by itself. Decided by
# code, not by status: the vendor moved the setup codes from 503 to 409 in May 2026, and announces
# that statuses may change.
_NOT_READABLE = {
    "INTEGRATION.SETUP_SYNC_PENDING": (
        "has not finished its first sync, which takes minutes to hours; it is read at a later run",
        True,
    ),
    "INTEGRATION.SETUP_INCOMPLETE": (
        "is not set up completely; finish its setup in Kombo's dashboard",
        False,
    ),
    "INTEGRATION.QA_FAILED": (
        "has not passed Kombo's quality check; finish its setup with Kombo",
        False,
    ),
    "INTEGRATION.INACTIVE": (
        "is switched off; switch it on in Kombo's dashboard or take it out of the configuration",
        False,
    ),
    "INTEGRATION.AUTHENTICATION_INVALID": (
        "has lost its access to the applicant tracking system; the customer has to reconnect it",
        False,
    ),
    "INTEGRATION.PERMISSION_MISSING": (
        "lacks a permission in the applicant tracking system; the customer has to grant it",
        False,
    ),
    _NOT_SUPPORTED: ("does not offer these rows at all", False),
    _SWITCHED_OFF: (
        "has these rows switched off in its scope configuration in Kombo",
        False,
    ),
}
_SITUATIONS = {
    "PLATFORM.RATE_LIMIT_EXCEEDED": FailureKind.RATE_LIMITED,
    "PLATFORM.CONCURRENCY_LIMIT_EXCEEDED": FailureKind.RATE_LIMITED,
    "REMOTE.RATE_LIMIT_EXCEEDED": FailureKind.RATE_LIMITED,
    "REMOTE.SERVICE_UNAVAILABLE": FailureKind.UNAVAILABLE,
    # The vendor advises against blind repeats of unknown errors; for reads they do no harm.
    "PLATFORM.UNKNOWN_ERROR": FailureKind.UNAVAILABLE,
    "PLATFORM.TASK_TIMED_OUT": FailureKind.UNAVAILABLE,
    "PLATFORM.AUTHENTICATION_INVALID": FailureKind.UNAUTHORIZED,
}
_CONFIG_ERRORS = {
    "PLATFORM.IP_NOT_WHITELISTED": (
        "Kombo does not accept calls from this network. Add its address to the IP allow list of "
        "the Kombo environment."
    ),
}


def classify(response: Response) -> AtsError | FailureKind | None:
    """Return what an error means, by its `error.code`; None where it has none that we know."""
    code = _error_code(response)
    where = f"{response.where} {code}" if code else response.where
    if code in _SITUATIONS:
        return _SITUATIONS[code]
    if code in _NOT_READABLE:
        return not_readable(code, where)
    if code in _CONFIG_ERRORS:
        return ConfigError(_CONFIG_ERRORS[code], detail=where)
    if code == "PLATFORM.INTEGRATION_NOT_FOUND":
        return UnknownPartition("is not known in this environment and region", detail=where)
    if code == "PLATFORM.INPUT_INVALID":
        message = "Kombo does not accept a parameter of the call."
        return InvalidInput(message, status=response.status, code=code, detail=where)
    if code and 400 <= response.status <= 499 and response.status not in {401, 403, 408, 429}:
        message = f"Kombo refused a call with {code}."
        return RequestRefused(message, status=response.status, code=code, detail=where)
    if response.status == 404:
        message = (
            "There is no Kombo API at this address. Correct kombo.base_url, or leave it empty."
        )
        return ConfigError(message, detail=where)
    return None


def not_readable(code: str, where: str = "") -> PartitionUnavailable:
    """Return what one of the `INTEGRATION.*` codes means for an integration."""
    what, passes = _NOT_READABLE[code]
    kind = NoSuchRows if code in {_NOT_SUPPORTED, _SWITCHED_OFF} else PartitionUnavailable
    return kind(what, passes=passes, detail=where)


def seconds_to_reset(response: Response) -> float | None:
    """Return the seconds until the next call is allowed, when the quota is used up.

    `ratelimit-reset` counts seconds; the header names are documented for Kombo's assessment API
    and seen as lower case.
    """
    if response.status != 429 and response.headers.get("ratelimit-remaining") != "0":
        return None
    reset = response.headers.get("ratelimit-reset", "")
    return float(reset) if reset.isascii() and reset.isdigit() and len(reset) < 10 else None


VENDOR = Vendor(
    name="Kombo",
    credentials="kombo.api_key and kombo.region (a key works in its own region only)",
    classify=classify,
    seconds_to_reset=seconds_to_reset,
)


class _Error(msgspec.Struct):
    code: str | None = None


class _Failure(msgspec.Struct):
    error: _Error


_failure = msgspec.json.Decoder(_Failure)


def _error_code(response: Response) -> str | None:
    """Return the code in the error envelope; None for any other body, or where it is none."""
    try:
        return safe_identifier(_failure.decode(response.body).error.code)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class _Row(msgspec.Struct):
    """What the code leans on in a row: it is an object and has its key."""

    id: str


class _Rows(msgspec.Struct):
    results: list[msgspec.Raw]
    # The vendor's SDK stops when it is missing or blank.
    next: str | None = None


class _RowsAnswer(msgspec.Struct):
    data: _Rows | None = None


_row = msgspec.json.Decoder(_Row)
_row_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_rows_answer = msgspec.json.Decoder(_RowsAnswer)


@dataclass(frozen=True, slots=True)
class RowsPage:
    """One page of a model: rows ready to be written, and where the next page is."""

    rows: Sequence[bytes]
    next_cursor: str | None
    response: Response
    left_out: Sequence[str | None] = ()
    """The ids of rows that are not valid JSON; None where the id cannot be read."""


def rows(response: Response, integration_id: str) -> RowsPage:
    """Return the rows as the vendor sent them, `integration_id` added.

    The bytes of a row are passed on without being decoded, unless they span lines or hold an
    `integration_id` of their own. Raises `ContractError` when the envelope or a row's `id` is
    missing.
    """
    answer, left_out = response.decode_rows(_rows_answer, "id")
    data = answer.data
    if data is None:
        raise _without_data(response)
    raw = data.results
    _check(raw, response)
    if b"\n" in response.body or b"\r" in response.body or b'integration_id"' in response.body:
        encoded: Sequence[bytes] = [_encoded_anew(row, integration_id) for row in raw]
    else:
        tail = b',"integration_id":%b}' % json.dumps(integration_id).encode()
        encoded = [bytes(row)[:-1] + tail for row in raw]
    return RowsPage(encoded, (data.next or "").strip() or None, response, left_out)


def _check(raw: Sequence[msgspec.Raw], response: Response) -> None:
    """Raise `ContractError` unless each row is what the code leans on."""
    for number, row in enumerate(raw):
        try:
            _row.decode(row)
        except msgspec.ValidationError as error:
            message = (
                f"Row {number} of the response does not have the documented shape: "
                f"{describe_mismatch(error)}."
            )
            raise ContractError(message, detail=response.where) from None


class _Environment(msgspec.Struct):
    environment_id: str


class _EnvironmentAnswer(msgspec.Struct):
    data: _Environment | None = None


_environment_answer = msgspec.json.Decoder(_EnvironmentAnswer)


def environment(response: Response) -> str:
    """Return the id of the environment that the key belongs to."""
    data = response.decode(_environment_answer).data
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


class Integration(msgspec.Struct):
    """What an integration says of itself."""

    id: str
    category: str
    status: str
    setup_status: str
    data_expired_at: str | None = None
    tool: Tool = msgspec.field(default_factory=Tool)
    read_models: list[ReadModel] = msgspec.field(default_factory=list)


class _IntegrationAnswer(msgspec.Struct):
    data: Integration | None = None


_integration_answer = msgspec.json.Decoder(_IntegrationAnswer)


def integration(response: Response) -> Integration:
    """Return the integration. Raises `ContractError` when a field that `check` needs is missing."""
    data = response.decode(_integration_answer).data
    if data is None:
        raise _without_data(response)
    return data


def missing(about: Integration, model: str) -> PartitionUnavailable | None:
    """Return why an integration shows no rows of a model; None if it does, or does not say."""
    for each in about.read_models:
        if each.id == model and not each.is_available:
            unsupported = each.coverage_status in {"UNSUPPORTED", "NOT_IMPLEMENTED"}
            return not_readable(_NOT_SUPPORTED if unsupported else _SWITCHED_OFF)
    return None


def _encoded_anew(row: msgspec.Raw, integration_id: str) -> bytes:
    """Return a row on one line, its numbers as they are, with our `integration_id` only."""
    return encode({**_row_fields.decode(row), "integration_id": integration_id})


def _without_data(response: Response) -> AtsError:
    """Return what a success without `data` means: an error with status 200, or a riddle."""
    match classify(response):
        case AtsError() as error:
            return error
        case FailureKind():
            return IncompleteResponse("Kombo answered with an error.", detail=response.where)
        case None:
            return ContractError('Kombo\'s answer has no "data".', detail=response.where)
