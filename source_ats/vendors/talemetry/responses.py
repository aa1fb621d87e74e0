"""Talemetry's answers, read.

The vendor documents no answer of the listing, of the exchange for a token, or of any error: what is
assumed of each stands in one docstring below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from source_ats.decoding import EXACT
from source_ats.errors import (
    AccessDenied,
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
_NO_GUIDS = re.compile("(next_?)?cursor$|error|fault|message|warning", re.IGNORECASE)

_anything = EXACT


def classify(response: Response) -> AtsError | FailureKind | None:
    """Return what an error means. No error body is documented, so only the status can tell."""
    if response.status == 403:
        message = (
            "Talemetry denies access. The user behind talemetry.credentials needs the privilege "
            '"Source&CRM - API User", and the customer the module Source&CRM.'
        )
        return AccessDenied(message, detail=response.where)
    if response.status == 405:
        message = (
            "Talemetry does not take the method of a call. Set talemetry.ids_method to the other "
            "one; if it stays so, check the base URLs in talemetry."
        )
        return ConfigError(message, detail=response.where)
    return None


def classify_authorization(response: Response) -> AtsError | FailureKind | None:
    """Return what an error of the exchange for a token means: mostly that the user has to act."""
    if 400 <= response.status <= 499 and response.status not in {408, 429}:
        message = (
            "Talemetry gives out no token. Check client_id, client_secret and authorization_url in "
            "talemetry.credentials, or paste a ready token instead."
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
)
AUTHORIZATION = Vendor(
    name="Talemetry",
    credentials="talemetry.credentials",
    classify=classify_authorization,
    seconds_to_reset=seconds_to_reset,
)


def token(response: Response) -> str:
    """Return the token out of the answer to the Authorization call. All of it is assumed.

    Accepted: an object with `access_token`, `token`, `oauth_token`, `AccessToken` or `Token`, at
    the top or under `result`, or the token alone as a JSON string.
    """
    answer = response.decode(_anything)
    if isinstance(answer, str) and _is_token(answer):
        return answer
    for level in _levels(answer):
        for key in _TOKEN_KEYS:
            value = level.get(key)
            if isinstance(value, str) and _is_token(value):
                return value
    raise _not_understood("The answer to the authorization call holds no token", answer, response)


def _is_token(text: str) -> bool:
    """Tell whether a text can stand in a header."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of GUIDs."""

    ids: list[str]
    cursor: str | None
    names_cursor: bool
    """Whether the answer has a key for the next cursor, be it null."""
    sent_at: datetime


def listing(response: Response) -> Listing:
    """Return a page of GUIDs. All of the answer's shape is assumed.

    Accepted, at the top or under `result`:

    - GUIDs: the first list of strings, or of objects that hold one GUID each; where a list of one
      was collapsed, that GUID or object itself. Instead of an empty list also null, `{}` or no key.
    - The next cursor: `Cursor`, `NextCursor`, `cursor`, `next_cursor` or `nextCursor`.
    """
    answer = response.decode(_anything)
    levels = list(_levels(answer))
    cursors = [level[key] for level in levels for key in _CURSOR_KEYS if key in level]
    if any(each and not isinstance(each, str) for each in cursors):
        # Taken for none, it would end the listing before its end.
        raise _not_understood("The listing's cursor is no text", answer, response)
    cursor = next((text for text in map(_text, cursors) if text is not None), None)
    found = _first_list(answer)
    if found is None:
        alone = _guids_in(answer)
        found = alone if len(alone) == 1 else None
    if found is None and cursor is None and _is_hollow(levels):
        found = []
    if found is None:
        raise _not_understood("The listing holds no list of GUIDs", answer, response)
    return Listing(found, cursor, bool(cursors), response.sent_at)


def _first_list(value: object) -> list[str] | None:
    """Return the first list of GUIDs in a value; None if it holds none."""
    if isinstance(value, list):
        guids = [[each] if isinstance(each, str) else _guids_in(each) for each in value]
        return [guid for (guid,) in guids] if all(len(each) == 1 for each in guids) else None
    if isinstance(value, dict):
        for key, each in value.items():
            found = None if _NO_GUIDS.match(key) else _first_list(each)
            if found is not None:
                return found
    return None


def _guids_in(value: object) -> list[str]:
    """Return all that looks like a GUID in a value."""
    if isinstance(value, str):
        return [value] if _GUID.fullmatch(value) else []
    if isinstance(value, dict):
        value = [each for key, each in value.items() if not _NO_GUIDS.match(key)]
    return [guid for each in value for guid in _guids_in(each)] if isinstance(value, list) else []


def _is_hollow(levels: list[Mapping[str, Any]]) -> bool:
    """Tell whether an answer without a list can mean that nobody matches."""
    others = [
        each
        for level in levels
        for key, each in level.items()
        if key not in _CURSOR_KEYS and not (key == "result" and isinstance(each, dict))
    ]
    return any(levels) and not any(others) and not any(map(_is_failure, levels))


def people(response: Response) -> dict[str, dict[str, Any]]:
    """Return the people of an answer by their GUID in lower case, in no order that means anything.

    `result.Candidates[].Candidate` is documented. Accepted beside it: no `result` around it, a
    single entry that is not in a list, entries without their `Candidate`, and for nobody at all a
    `result` or `Candidates` that is missing, null or empty.
    """
    answer, left_out = response.decode_rows(_anything, "IdValue")
    if not isinstance(answer, dict) or not (answer.keys() & {"result", "Candidates"}):
        raise _not_understood("The answer holds no candidates", answer, response)
    result = answer.get("result", answer)
    if result and not (isinstance(result, dict) and "Candidates" in result):
        raise _not_understood("The answer holds no candidates", answer, response)
    if left_out and not isinstance(result["Candidates"], list):
        # One candidate alone is not in a list: what was left out is a part of it.
        raise IncompleteResponse("The response is not JSON.", detail=response.where)
    found = {}
    for candidate in _candidates(result["Candidates"] if result else None):
        if not isinstance(candidate, dict):
            raise _not_understood("A candidate is no object", candidate, response)
        guid = guid_of(candidate)
        if guid is None:
            raise _not_understood("A candidate has no CandidateRecordInfo.Id", candidate, response)
        found[guid.lower()] = candidate
    return found


def _candidates(value: object) -> Iterator[object]:
    """Yield what is not empty."""
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
    return _text(key.get("IdValue")) if isinstance(key, dict) else None


def _levels(answer: object) -> Iterator[Mapping[str, Any]]:
    """Yield the answer and what stands under its `result`, where they are objects."""
    if isinstance(answer, dict):
        yield answer
        if isinstance(answer.get("result"), dict):
            yield answer["result"]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _not_understood(what: str, answer: object, response: Response) -> ContractError:
    """Return the error for an answer outside the accepted shapes: its keys, none of its values."""
    keys = ", ".join(_keys(answer)) or f"none ({type(answer).__name__})"
    message = f"{what}. Please report the keys that it has: {keys}."
    if isinstance(answer, dict) and _is_failure(answer):
        # Undocumented, and seen elsewhere: an error under a status that says success.
        return RequestRefused(message, status=response.status, code=None, detail=response.where)
    return ContractError(message, detail=response.where)


def _is_failure(answer: Mapping[str, Any]) -> bool:
    return any(re.match("error|fault", key, re.IGNORECASE) for key in answer)


def _keys(value: object, *, depth: int = 3) -> list[str]:
    """Return the keys of an answer as paths; what looks like a key of data is not shown."""
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
