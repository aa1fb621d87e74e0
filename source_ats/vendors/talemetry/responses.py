"""Reads Talemetry's responses.

The vendor documents no response of the listing or the Authorization call, and no error. What is
assumed of each is in the docstring of the function that reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from source_ats.decoding import EXACT
from source_ats.errors import (
    AtsError,
    ConfigError,
    ContractError,
    IncompleteResponse,
    RequestRefused,
)
from source_ats.http.models import FailureKind, Response, Vendor

_CURSOR_KEYS = ("Cursor", "NextCursor", "cursor", "next_cursor", "nextCursor")
_TOKEN_KEYS = ("access_token", "token", "oauth_token", "AccessToken", "Token")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ID = re.compile(r"[A-Za-z0-9/-]{1,64}")
"""May be an id, although it is not a GUID; an e-mail address or a full name may not."""
_WORD = re.compile(r"[A-Za-z_ ]*")
_DIGIT = re.compile("[0-9]")
_KEYS_WITHOUT_GUIDS = re.compile("(next_?)?cursor$|error|fault|message|warning", re.IGNORECASE)

_anything = EXACT


def classify(response: Response) -> AtsError | FailureKind | None:
    """Return what an error means. No error body is documented, so only the status counts."""
    if response.status == 405:
        message = (
            "Talemetry does not accept the method of a request. Set talemetry.ids_method to the "
            "other value; if that does not help, check the base URLs in talemetry."
        )
        return ConfigError(message, detail=response.where)
    return None


def classify_authorization(response: Response) -> AtsError | FailureKind | None:
    """Return what an error of the Authorization call means: mostly that the user has to act."""
    if 400 <= response.status <= 499 and response.status not in {401, 403, 408, 429}:
        message = (
            "Talemetry issued no token. Check client_id, client_secret and authorization_url in "
            "talemetry.credentials, or configure a ready token instead."
        )
        return ConfigError(message, detail=response.where)
    return None


def seconds_to_reset(response: Response) -> float | None:
    """Return None: no rate limit headers are documented."""
    del response
    return None


VENDOR = Vendor(
    name="Talemetry",
    credentials="talemetry.credentials (a token may have expired)",
    classify=classify,
    seconds_to_reset=seconds_to_reset,
    access_denied=(
        "Talemetry denies access. The user behind talemetry.credentials needs the privilege "
        '"Source&CRM - API User", and the customer the module Source&CRM.'
    ),
)
AUTHORIZATION = Vendor(
    name="Talemetry",
    credentials="client_id, client_secret and authorization_url in talemetry.credentials",
    classify=classify_authorization,
    seconds_to_reset=seconds_to_reset,
)


def token(response: Response) -> str:
    """Return the token from the response of the Authorization call. All of it is assumed.

    Accepted: an object with `access_token`, `token`, `oauth_token`, `AccessToken` or `Token`, at
    the top or under `result`, or just the token as a JSON string.
    """
    answer = response.decode(_anything)
    if isinstance(answer, str) and _is_token(answer):
        return answer
    for level in _result_levels(answer):
        for key in _TOKEN_KEYS:
            value = level.get(key)
            if isinstance(value, str) and _is_token(value):
                return value
    raise _unexpected_shape(
        "The response of the authorization call holds no token", answer, response
    )


def _is_token(text: str) -> bool:
    """Return True if a text can be sent in a header."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of GUIDs."""

    ids: list[str]
    cursor: str | None
    has_cursor_key: bool
    """True if the response has a key for the next cursor, even if it is null."""
    sent_at: datetime


def listing(response: Response) -> Listing:
    """Return a page of GUIDs. The whole shape of the response is assumed.

    Accepted, at the top or under `result`:

    - GUIDs: the first list of texts that may be ids, at least one of them a GUID, or of objects
      that hold one GUID each; or else, if no list is empty, the first one of other ids. What is
      under `result` comes first. A list of one may be collapsed to that GUID or object where the
      response has no list. An empty list, null, `{}` or no key means nobody only where nothing else
      may be an id, and nothing says error.
    - The next cursor: `Cursor`, `NextCursor`, `cursor`, `next_cursor` or `nextCursor`.
    """
    answer = response.decode(_anything)
    levels = list(_result_levels(answer))
    cursors = [level[key] for level in levels for key in _CURSOR_KEYS if key in level]
    if any(each and not isinstance(each, str) for each in cursors):
        # Ignored, it would end the listing too early.
        raise _unexpected_shape("The listing's cursor is not a string", answer, response)
    cursor = next((text for text in map(_non_empty_string, cursors) if text is not None), None)
    found = _ids(answer, [each for level in (*levels[1:], answer) for each in _lists(level)])
    if found is None and cursor is None and _is_empty_listing(levels):
        found = []
    if found is None:
        raise _unexpected_shape("The listing holds no list of GUIDs", answer, response)
    if not found and any(map(_reports_error, levels)):
        message = "The listing is empty and reports an error."
        raise RequestRefused(message, status=response.status, code=None, detail=response.where)
    return Listing(found, cursor, bool(cursors), response.sent_at)


def _ids(answer: object, lists: list[list[Any]]) -> list[str] | None:
    """Return the ids in an answer with these lists; None if it cannot be told which they are."""
    if not lists:
        alone = _guids_in(answer)
        return alone if len(alone) == 1 else None
    readable = (ids for ids in map(_listed_ids, lists) if ids)
    found = next((ids for ids in readable if any(map(_GUID.fullmatch, ids))), None)
    if found is None and all(lists):
        # Names of fields have no digits.
        readable = (ids for ids in map(_listed_ids, lists) if ids)
        found = next((ids for ids in readable if all(map(_DIGIT.search, ids))), None)
    elif found is None and all(_holds_no_id(each) for entries in lists for each in entries):
        return []
    return found


def _lists(value: object) -> Iterator[list[Any]]:
    """Yield the lists in a value that may be the list of GUIDs, in their order."""
    if isinstance(value, list):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            if not _KEYS_WITHOUT_GUIDS.match(key):
                yield from _lists(each)


def _listed_ids(entries: list[Any]) -> list[str] | None:
    """Return the ids of a list; None unless each entry is one or holds one GUID."""
    ids = [[each] if _is_id(each) else _guids_in(each) for each in entries if each != ""]
    return [found for (found,) in ids] if all(len(each) == 1 for each in ids) else None


def _holds_no_id(value: object) -> bool:
    """Return True for what is surely no person: a word or number, or an object without a GUID."""
    if isinstance(value, str):
        return _WORD.fullmatch(value) is not None
    return not _guids_in(value)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _guids_in(value: object) -> list[str]:
    """Return everything in a value that looks like a GUID."""
    if isinstance(value, str):
        return [value] if _GUID.fullmatch(value) else []
    if isinstance(value, dict):
        value = [each for key, each in value.items() if not _KEYS_WITHOUT_GUIDS.match(key)]
    return [guid for each in value for guid in _guids_in(each)] if isinstance(value, list) else []


def _is_empty_listing(levels: list[Mapping[str, Any]]) -> bool:
    """Return True if a response without a list can mean that no person matches."""
    others = [
        each
        for level in levels
        for key, each in level.items()
        if key not in _CURSOR_KEYS and not (key == "result" and isinstance(each, dict))
    ]
    if any(each is False for each in others):
        # Such as `"success": false`.
        return False
    return any(levels) and not any(others) and not any(map(_has_error_key, levels))


def people(response: Response) -> dict[str, dict[str, Any]]:
    """Return the people of a response by their GUID in lower case. Their order means nothing.

    `result.Candidates[].Candidate` is documented. Also accepted: no `result` around it, a single
    entry that is not in a list, entries without `Candidate`, and, when no person matches, a
    `result` or `Candidates` that is missing, null or empty.
    """
    answer, left_out = response.decode_rows(_anything, "IdValue")
    if not isinstance(answer, dict) or not (answer.keys() & {"result", "Candidates"}):
        raise _unexpected_shape("The response holds no candidates", answer, response)
    result = answer.get("result", answer)
    if result and not (isinstance(result, dict) and "Candidates" in result):
        raise _unexpected_shape("The response holds no candidates", answer, response)
    if left_out and not isinstance(result["Candidates"], list):
        # A single candidate is not in a list: what was left out is a part of it.
        raise IncompleteResponse("The response is not JSON.", detail=response.where)
    found = {}
    for candidate in _candidates(result["Candidates"] if result else None):
        if not isinstance(candidate, dict):
            raise _unexpected_shape("A candidate is not an object", candidate, response)
        guid = guid_of(candidate)
        if guid is None:
            raise _unexpected_shape(
                "A candidate has no CandidateRecordInfo.Id", candidate, response
            )
        found[guid.lower()] = candidate
    return found


def _candidates(value: object) -> Iterator[object]:
    """Yield the entries that are not empty."""
    if isinstance(value, list):
        for each in value:
            yield from _candidates(each)
    elif isinstance(value, dict) and "Candidate" in value:
        yield from _candidates(value["Candidate"])
    elif value:
        yield value


def guid_of(candidate: Mapping[str, Any]) -> str | None:
    """Return the key of a candidate, `CandidateRecordInfo.Id.IdValue`; None if it has none."""
    info = candidate.get("CandidateRecordInfo")
    key = info.get("Id") if isinstance(info, dict) else None
    return _non_empty_string(key.get("IdValue")) if isinstance(key, dict) else None


def _result_levels(answer: object) -> Iterator[Mapping[str, Any]]:
    """Yield the response and its `result`, as far as they are objects."""
    if isinstance(answer, dict):
        yield answer
        if isinstance(answer.get("result"), dict):
            yield answer["result"]


def _non_empty_string(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _unexpected_shape(what: str, answer: object, response: Response) -> ContractError:
    """Return the error for a response of another shape. It shows keys and no value."""
    keys = ", ".join(_keys(answer)) or f"none ({type(answer).__name__})"
    message = f"{what}. Please report its keys: {keys}."
    if isinstance(answer, dict) and _has_error_key(answer):
        # Not documented, but other APIs do it: an error with a status of success.
        return RequestRefused(message, status=response.status, code=None, detail=response.where)
    return ContractError(message, detail=response.where)


def _has_error_key(answer: Mapping[str, Any]) -> bool:
    return any(re.match("error|fault", key, re.IGNORECASE) for key in answer)


def _reports_error(answer: Mapping[str, Any]) -> bool:
    """Return True if a response with an empty list says that it is an error."""
    return answer.get("success") is False or any(
        each and re.match("error|fault", key, re.IGNORECASE) for key, each in answer.items()
    )


def _keys(value: object, *, depth: int = 3) -> list[str]:
    """Return the keys of a response as paths. Keys that look like data are not shown."""
    if isinstance(value, list) and value:
        return [f"[].{key}" for key in _keys(value[0], depth=depth)] or ["[]"]
    if not isinstance(value, dict) or not depth:
        return []
    paths = []
    for key, each in list(value.items())[:20]:
        name = key if re.fullmatch(r"[A-Za-z_][\w:.-]{0,40}", key, re.ASCII) else "(other)"
        below = _keys(each, depth=depth - 1)
        paths += [f"{name}.{path}" for path in below] or [name]
    return paths
