"""Reading Comeet's responses. Facts: Comeet's API reference, newest captures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from source_ats.clock import parse_timestamp, rfc3339
from source_ats.decoding import decode, encode, safe_identifier, text_in
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
from source_ats.http.models import Decoder, FailureKind, Response, Vendor, reports_error

T = TypeVar("T")


class _Error(msgspec.Struct):
    """The envelope of every error (documented)."""

    error: str
    message: Any = None
    candidate_uid: Any = None


_error = msgspec.json.Decoder(_Error)
_NULL = msgspec.Raw(b"null")

CONFLICT = "candidate_post_conflict"
"""The code of the one error of a create that is documented."""
_NO_PERMISSION = (
    "Comeet does not allow this request. Ask Comeet to give the integration the permission, then "
    "activate it again."
)


def classify(response: Response) -> AtsError | FailureKind | None:
    """Return what an error means, by its code where it has one; None leaves it to the client."""
    try:
        error = _error.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _without_envelope(response)
    if response.status == 404 and safe_identifier(error.error) is None:
        # A gateway's JSON: Comeet's codes are identifiers.
        return _without_envelope(response)
    code = safe_identifier(error.error) or "no code"
    uid = _conflicting_uid(error.candidate_uid)
    is_documented_conflict = error.error == CONFLICT or (response.status == 409 and uid is not None)
    where = f"{response.where} {code}"
    found: AtsError | FailureKind | None = None
    if is_documented_conflict and 400 <= response.status <= 499:
        message = "Comeet has such a candidate in progress."
        found = Conflict(message, status=response.status, code=code, uid=uid, detail=where)
    elif response.status == 409:
        # A gateway's JSON, or a code that is not known: it does not say that the candidate exists.
        found = _nameless_conflict(where)
    elif response.status == 401 and error.error == "duplicate_candidate":
        message = "The candidate was merged into another one."
        found = AlreadyMerged(message, status=401, code=code, detail=where)
    elif response.status == 403:
        found = AccessDenied(_NO_PERMISSION, detail=where)
    elif response.status == 404:
        message = "Comeet does not know what the request names."
        found = NotFound(message, status=404, code=code, detail=where)
    elif 400 <= response.status <= 499 and response.status not in {401, 408, 429}:
        message = f"Comeet refused the request with {code}."
        text = error.message if isinstance(error.message, str) else error.error
        found = InvalidInput(
            message, status=response.status, code=code, detail=where, vendor_text=text
        )
    return found


def _conflicting_uid(uid: object) -> str | int | None:
    """Return the id that a conflict names: a number in the sample, a string elsewhere."""
    if isinstance(uid, str):
        return int(uid) if uid.isascii() and uid.isdigit() else uid
    return uid if isinstance(uid, int) and not isinstance(uid, bool) else None


def _without_envelope(response: Response) -> AtsError | FailureKind | None:
    if response.status == 404:
        # Wrong paths lead to the marketing site (observed).
        message = "There is no Comeet API at this address. Correct base_url, or leave it empty."
        return WrongAddress(message, detail=response.where)
    if response.status == 302:
        # A splash page of theirs; third parties ask again (observed).
        return FailureKind.UNAVAILABLE
    if response.status == 409:
        return _nameless_conflict(response.where)
    if 400 <= response.status <= 499 and response.status not in {401, 403, 408, 429}:
        message = f"Comeet refused the request with status {response.status}."
        return InvalidInput(message, status=response.status, code=None, detail=response.where)
    return None


def _nameless_conflict(where: str) -> Conflict:
    message = "Comeet refused the request as a conflict, without saying with what."
    return Conflict(message, status=409, code=None, uid=None, detail=where)


VENDOR = Vendor(
    name="Comeet",
    credentials=(
        "api_key and secret, that the integration is still active in Comeet, and that the clock of "
        "this machine is right (a token is good for ten minutes)"
    ),
    classify=classify,
    access_denied=_NO_PERMISSION,
    # No headers for the rate limit are documented.
    seconds_to_reset=lambda response: None,
)


class Candidate(msgspec.Struct):
    """What a candidate shows of itself. All but `uid` may be missing."""

    uid: str
    position_uid: str | None = None
    time_created: str | None = None
    deleted: bool | None = None
    first_name: str | None = None
    middle_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    mobile_phone: str | None = None
    # Written as national_id (documented).
    id_number: str | None = None
    linkedin_url: str | None = None
    prospect_status: str | None = None
    resume: Any = None
    """With a permission: name and address."""

    def shown(self, field: str) -> str | None:
        """Return a field by the name under which it is written; None: not shown."""
        value: str | None = getattr(self, "id_number" if field == "national_id" else field, None)
        return value


_FIELDS = [name for name in Candidate.__struct_fields__ if name not in {"uid", "deleted", "resume"}]


class _OddCandidates(msgspec.Struct):
    """A page of candidates of which one has a field of another type."""

    candidates: Sequence[dict[str, msgspec.Raw]]
    next_page: str | None = None


class _Written(msgspec.Struct):
    uid: str


class File(msgspec.Struct):
    """A file of a candidate, as far as a writer cares."""

    name: str | None = None


class Candidates(msgspec.Struct):
    """One page of a list (observed)."""

    candidates: Sequence[Candidate]
    next_page: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there are no candidates on it."""
        return not self.candidates


class Position(msgspec.Struct):
    """A position, as far as a writer cares."""

    uid: str
    status: str | None = None


class Positions(msgspec.Struct):
    """One page of a list (observed)."""

    positions: Sequence[Position]
    next_page: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there are no positions on it."""
        return not self.positions


_candidate = msgspec.json.Decoder(Candidate)
_candidates = msgspec.json.Decoder(Candidates)
_odd_candidates = msgspec.json.Decoder(_OddCandidates)
_written = msgspec.json.Decoder(_Written)
_position = msgspec.json.Decoder(Position)
_positions = msgspec.json.Decoder(Positions)
_uids = msgspec.json.Decoder(list[str])
_files = msgspec.json.Decoder(list[File])
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def written(response: Response) -> str | None:
    """Return the uid of what was created or updated; None if the answer or the uid is empty.

    Neither the status nor that there is a body is documented: any 2xx will do.
    """
    uid = response.decode(_written).uid if response.body.strip() else ""
    return uid if uid.strip() else None


def file_names(response: Response) -> frozenset[str]:
    """Return the names of a candidate's files."""
    return frozenset(each.name for each in response.decode(_files) if each.name is not None)


def added(response: Response) -> None:
    """Read nothing of the answer to an added file: any 2xx will do."""
    del response


def candidate(response: Response) -> Candidate:
    """Return one candidate. Only its uid has to be of the documented type; see `candidates`."""
    try:
        return response.decode(_candidate)
    except ContractError:
        found = _lenient(response.decode(_fields))
        if found is None:
            raise
        return found


def candidates(response: Response) -> Candidates:
    """Return one page of candidates. Only their uids have to be of the documented type.

    A phone may be a whole number, and 1 or a text true; anything else of another type counts as
    not shown. Raises what an error means that has an empty list.
    """
    try:
        page = response.decode(_candidates)
    except ContractError:
        # Decoded once more: the types are what makes the usual page fast.
        odd = response.decode(_odd_candidates)
        found = [each for row in odd.candidates if (each := _lenient(row)) is not None]
        if len(found) < len(odd.candidates):
            raise
        page = Candidates(found, odd.next_page)
    if page.is_empty:
        _raise_reported_error(response)
    return page


def _lenient(row: Mapping[str, msgspec.Raw]) -> Candidate | None:
    """Return a candidate some of whose fields may be of other types; None if its uid is."""
    uid = text_in(row.get("uid", _NULL))
    if uid is None:
        return None
    found = Candidate(
        uid,
        deleted=bytes(row.get("deleted", _NULL)).lower().strip(b'"') in {b"true", b"1"},
        resume=decode(bytes(row.get("resume", _NULL))),
    )
    for name in _FIELDS:
        read = _text_or_number if name.endswith("phone") else text_in
        setattr(found, name, read(row.get(name, _NULL)))
    return found


def _text_or_number(value: msgspec.Raw) -> str | None:
    """Return a text, or a whole number as one; None for anything else."""
    raw = bytes(value)
    return raw.decode() if raw.isdigit() else text_in(value)


def position(response: Response) -> Position:
    """Return one position."""
    return response.decode(_position)


def positions(response: Response) -> Positions:
    """Return one page of positions. Raises what an error means that has an empty list."""
    page = response.decode(_positions)
    if page.is_empty:
        _raise_reported_error(response)
    return page


def _raise_reported_error(response: Response) -> None:
    """Raise what an error under a status of success means, by the status in its envelope."""
    envelope = response.decode(_fields)
    if not reports_error(envelope):
        return
    text = bytes(envelope.get("status", b""))
    status = int(text) if text.isdigit() and len(text) == 3 else response.status
    found = classify(replace(response, status=status))
    if isinstance(found, AtsError):
        raise found
    if found is not None or status in {408, 429} or status >= 500:
        raise IncompleteResponse("Comeet answered with an error.", detail=response.where)
    raise ContractError("Comeet's response reports an error.", detail=response.where)


def deleted(response: Response) -> Sequence[str]:
    """Return the uids of deleted candidates."""
    return response.decode(_uids)


# Rows of the source's streams


@dataclass(frozen=True, slots=True)
class RowsPage:
    """One page of a list: encoded rows, and the link to the next page."""

    rows: Sequence[bytes]
    next_page: str | None
    is_empty: bool
    """The vendor sent no row at all. Rows that have not changed are left out of `rows`."""
    sent_at: datetime
    where: str
    """For messages: the response that it came with."""
    left_out: Sequence[str | None] = ()
    """The uids of rows that are not valid JSON; None where the uid cannot be read."""


class _Row(msgspec.Struct):
    """What the code relies on in a row: its key; in a position, also when it changed."""

    uid: str
    time_updated: msgspec.Raw = _NULL


class _CandidateRows(msgspec.Struct):
    candidates: Sequence[_Row]
    next_page: str | None = None


class _PositionRows(msgspec.Struct):
    positions: Sequence[_Row]
    next_page: str | None = None


class _RawRows(msgspec.Struct):
    candidates: Sequence[msgspec.Raw] = ()
    positions: Sequence[msgspec.Raw] = ()


_candidate_rows = msgspec.json.Decoder(_CandidateRows)
_position_rows = msgspec.json.Decoder(_PositionRows)
_raw_rows = msgspec.json.Decoder(_RawRows)
_one_row = msgspec.json.Decoder(_Row)
_raw = msgspec.json.Decoder(msgspec.Raw)


def _list_rows(response: Response, decoder: Decoder[T]) -> tuple[T, Sequence[str | None]]:
    """Return a page of rows and the keys of those left out; raise what an error without one means.

    Raises `ContractError` for any other body without the list.
    """
    try:
        return response.decode_rows(decoder, "uid")
    except ContractError:
        _raise_reported_error(response)
        raise


def candidate_rows(response: Response, since: datetime | None) -> RowsPage:
    """Return the candidates as the vendor sent them: it has filtered them by activity."""
    del since
    page, left_out = _list_rows(response, _candidate_rows)
    if not (page.candidates or left_out):
        _raise_reported_error(response)
    rows = [_on_one_line(row) for row in response.decode_rows(_raw_rows, "uid")[0].candidates]
    return RowsPage(
        rows, page.next_page, not (rows or left_out), response.sent_at, response.where, left_out
    )


def position_rows(response: Response, since: datetime | None) -> RowsPage:
    """Return the positions that changed at `since` or later, as the vendor sent them.

    The API has no filter for that. Assumed: every change of a position moves its `time_updated`.
    A time that is missing or not understood counts as changed.
    """
    page, left_out = _list_rows(response, _position_rows)
    if not (page.positions or left_out):
        _raise_reported_error(response)
    raw = response.decode_rows(_raw_rows, "uid")[0].positions
    rows = [
        _on_one_line(row)
        for each, row in zip(page.positions, raw, strict=True)
        if since is None
        or (at := parse_timestamp(text_in(each.time_updated))) is None
        or at >= since
    ]
    is_empty = not (page.positions or left_out)
    return RowsPage(rows, page.next_page, is_empty, response.sent_at, response.where, left_out)


def one_row(response: Response) -> Sequence[bytes]:
    """Return a candidate or position that was requested by its uid."""
    response.decode(_one_row)
    return [_on_one_line(response.decode(_raw))]


def deleted_rows(response: Response, since: datetime | None) -> RowsPage:
    """Return one row per deleted candidate: the vendor sends uids only, without pages."""
    del since
    read_at = rfc3339(response.sent_at)
    rows = [encode({"uid": uid, "read_at": read_at}) for uid in deleted(response)]
    return RowsPage(rows, None, not rows, response.sent_at, response.where)


def _on_one_line(row: msgspec.Raw) -> bytes:
    """Return a row on one line: valid JSON has raw line breaks between its tokens only."""
    return bytes(row).translate(None, b"\r\n")
