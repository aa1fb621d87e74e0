"""ATZ CRM's responses. Facts: docs.atzcrm.com, unless said otherwise."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import orjson

from source_ats.clock import parse_timestamp, rfc3339
from source_ats.decoding import decode, encode, text_in
from source_ats.errors import AtsError, ContractError
from source_ats.http.models import FailureKind, Response, Vendor, reports_error


def classify(response: Response) -> AtsError | FailureKind | None:
    """Return what an error means. The vendor documents no error codes: the status decides."""
    # 5xx is not documented; a proxy in front of the API may use statuses of its own.
    return FailureKind.UNAVAILABLE if response.status >= 500 else None


def seconds_to_reset(response: Response) -> float | None:
    """Return None: no header with the time of the reset is documented."""
    del response
    return None


VENDOR = Vendor(
    name="ATZ CRM",
    credentials="atz_crm.access_token",
    classify=classify,
    seconds_to_reset=seconds_to_reset,
)


# A list


@dataclass(frozen=True, slots=True)
class ListedObject:
    """One object of a list: what the code relies on, and, where it is needed, the whole record."""

    slug: str
    id: bytes
    """JSON, as the vendor sent it."""
    updated_at: datetime | None
    """None if it is missing or is not a time: candidates may have none (not confirmed)."""
    record: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list, as long as the server made it."""

    objects: Sequence[ListedObject]
    sent_at: datetime
    where: str
    total: int | None = None
    """The number of objects in the whole list, where the answer says so."""
    found: bool = True
    """False: the server answered 404, also when it was asked again."""
    left_out: Sequence[str | None] = ()
    """The slugs of objects that are not valid JSON; None where the slug cannot be read."""

    def __len__(self) -> int:
        """Return how many objects the server sent."""
        return len(self.objects) + len(self.left_out)


_NULL = msgspec.Raw(b"null")
_INTEGER = re.compile(r"0|-?[1-9]\d{0,17}", re.ASCII)


class _Object(msgspec.Struct):
    """What the code relies on."""

    slug: Annotated[str, msgspec.Meta(min_length=1)]
    id: msgspec.Raw = _NULL
    updated_at: msgspec.Raw = _NULL


_objects = msgspec.json.Decoder(list[_Object])
_whole_objects = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_Envelope = list[msgspec.Raw] | dict[str, msgspec.Raw]
_envelope: msgspec.json.Decoder[_Envelope] = msgspec.json.Decoder(_Envelope)

_LIST_NAMES = (
    "data",
    "candidates",
    "candidate",
    "deals",
    "deal",
    "items",
    "results",
    "rows",
)
_TOTAL_NAMES = ("total", "total_count", "totalCount")


class ReportedError(ContractError):
    """The answer to a list has no rows, and says that it is an error."""


def list_page(response: Response, name: str, *, with_records: bool) -> ListPage:
    """Return a page of a list; `name` is what is listed, for messages.

    Its envelope is not documented: the list is the body, or the first array under one of the usual
    names, or under one of them in `data`. Raises `ContractError` for anything else: an unknown
    shape never counts as an empty list; and `ReportedError` for an error with an empty one. Objects
    that are not valid JSON are left out; without `with_records` only those whose slug cannot be
    read, for nothing else of them is needed.
    """
    envelope, left_out = response.decode_rows(_envelope, "slug")
    array, total = _array_and_total(response, envelope)
    if array is None:
        message = (
            f"ATZ CRM's answer holds no list of {name}. Check atz_crm.base_url; if it is right, "
            "ATZ CRM has changed its API."
        )
        raise ContractError(message, detail=response.where)
    objects = array.decode(_objects)
    if not objects and isinstance(envelope, dict) and reports_error(envelope):
        raise ReportedError(f"ATZ CRM's list of {name} reports an error.", detail=response.where)
    records = [b""] * len(objects)
    if with_records:
        records = [_record(each) for each in array.decode(_whole_objects)]
    listed = [
        ListedObject(each.slug, bytes(each.id), parse_timestamp(text_in(each.updated_at)), record)
        for each, record in zip(objects, records, strict=True)
    ]
    if not with_records:
        listed += [ListedObject(slug, b"null", None) for slug in left_out if slug]
        left_out = [None for slug in left_out if not slug]
    return ListPage(
        listed,
        response.sent_at,
        response.where,
        total,
        left_out=left_out,
    )


def _array_and_total(response: Response, envelope: _Envelope) -> tuple[Response | None, int | None]:
    """Return the response reduced to its array, None if it has none; and the total beside it."""
    if isinstance(envelope, list):
        return replace(response, body=encode(envelope)), None
    totals = (bytes(envelope.get(name, b"")) for name in _TOTAL_NAMES)
    total = next((int(text) for text in totals if text.isdigit() and len(text) < 10), None)
    for name in _LIST_NAMES:
        inner = bytes(envelope.get(name, b""))
        if inner.startswith(b"["):
            return replace(response, body=inner), total
        if inner == b"null" and total == 0:
            # Assumed: so it may be where there is nothing.
            return replace(response, body=b"[]"), total
    inner = bytes(envelope.get("data", b""))
    if not inner.startswith(b"{"):
        return None, None
    data = replace(response, body=inner)
    array, inner_total = _array_and_total(data, data.decode(_envelope))
    return array, total if inner_total is None else inner_total


LIST_FIELDS = ("jobs", "candidates", "contacts", "custom_fields")
"""Documented as one object where several are possible; the example of custom fields is a list. A
record always has a list: PyAirbyte makes a text column of a field that may be either, and fails."""


def _record(whole: dict[str, msgspec.Raw]) -> bytes:
    """Return an object in which each single object of `LIST_FIELDS` is a list of one."""
    single = {
        name: [whole[name]] for name in LIST_FIELDS if bytes(whole.get(name, b"")).startswith(b"{")
    }
    return encode({**whole, **single})


# A candidate's history


@dataclass(frozen=True, slots=True)
class History:
    """The rows of one candidate, encoded; no rows if none of them is new or changed."""

    records: Sequence[bytes]


class _Stage(msgspec.Struct):
    id: msgspec.Raw = _NULL


class Row(msgspec.Struct):
    """What the code looks at in a row: any JSON may be there."""

    job_slug: msgspec.Raw = _NULL
    talent_stage: msgspec.Raw = _NULL
    stage_date: msgspec.Raw = _NULL
    updated_at: msgspec.Raw = _NULL


_stage = msgspec.json.Decoder(_Stage)
_rows = msgspec.json.Decoder(list[Row] | None)
_whole_rows = msgspec.json.Decoder(list[dict[str, msgspec.Raw]] | None)


def history(
    response: Response, candidate: ListedObject, *, job_slug: str | None, since: datetime | None
) -> History:
    """Return all rows as the vendor sent them, with their candidate and the time of the read.

    If no row is new or changed since `since`, no row is returned. A row whose `updated_at` is
    missing or is not a time counts as changed. Raises `ContractError` for anything but an array;
    `null` counts as no rows (assumed).
    """
    rows = response.decode(_rows) or []
    whole = response.decode(_whole_rows) or []
    ids = row_ids(candidate.slug, rows, whole)
    # A server that ignores the parameter answers with the rows of other jobs, too.
    chosen = [
        number
        for number, row in enumerate(rows)
        if job_slug is None or _text(row.job_slug) == job_slug
    ]
    if since is not None and not any(
        at is None or at >= since
        for at in (parse_timestamp(text_in(rows[number].updated_at)) for number in chosen)
    ):
        return History([])
    read_at = rfc3339(response.sent_at, "milliseconds")
    return History(
        [
            encode(
                {
                    **whole[number],
                    "id": ids[number],
                    "candidate_id": _as_integer(candidate.id),
                    "candidate_slug": candidate.slug,
                    "read_at": read_at,
                }
            )
            for number in chosen
        ]
    )


def row_ids(
    candidate_slug: str, rows: Sequence[Row], whole: Sequence[Mapping[str, msgspec.Raw]]
) -> list[str]:
    """Return an id for each row; the vendor gives none.

    An id is made from the candidate, the job, the stage, the day, and the row's place among the
    rows that are equal in all of these, oldest `updated_at` first. It stays the same when rows come
    in another order, when a newer row is added, and when a row is edited that is the only one or
    the newest of its kind. Within a candidate all ids differ.

    What cannot be known: if an older one of several equal rows is edited, it looks like a newer
    one. These rows then swap their ids. Together they still have the same ids, so an upsert of the
    whole history stays correct.
    """
    equal: dict[tuple[str | None, str | None, str | None], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        equal[_text(row.job_slug), _stage_text(row.talent_stage), _text(row.stage_date)].append(
            number
        )
    ids = [""] * len(rows)
    for key, numbers in equal.items():
        if len(numbers) > 1:
            numbers.sort(key=lambda number: _sort_key(rows[number], whole[number]))
        for ordinal, number in enumerate(numbers):
            parts = orjson.dumps([candidate_slug, *key, ordinal])
            ids[number] = hashlib.blake2b(parts, digest_size=16).hexdigest()
    return ids


def _text(value: msgspec.Raw) -> str | None:
    """Return a text as it is, None for null, and any other value as JSON with sorted keys."""
    if value == _NULL:
        return None
    text = text_in(value)
    return text if text is not None else _sorted_json(bytes(value)).decode()


def _stage_text(stage: msgspec.Raw) -> str | None:
    """Return what tells a stage apart: its id, or all of it if it is not an object."""
    if bytes(stage) == b"[]":
        # That is how PHP writes an empty object.
        return None
    if not bytes(stage).startswith(b"{"):
        return _text(stage)
    # Numbers may come as strings.
    stage_id = _stage.decode(stage).id
    return text_in(stage_id) or (None if stage_id == _NULL else bytes(stage_id).decode())


def _sorted_json(value: bytes) -> bytes:
    return msgspec.json.encode(decode(value), order="sorted")


def _as_integer(candidate_id: bytes) -> msgspec.Raw:
    """Return the id as the column has it: as a number, also if it came as text, else null."""
    text = text_in(msgspec.Raw(candidate_id))
    if text is None:
        return msgspec.Raw(candidate_id)
    return msgspec.Raw(text.encode()) if _INTEGER.fullmatch(text) else _NULL


def _sort_key(row: Row, whole: Mapping[str, msgspec.Raw]) -> tuple[datetime, bytes]:
    """Return the key that sorts rows from the oldest to the newest, in whatever order they came."""
    at = parse_timestamp(text_in(row.updated_at)) or datetime.min.replace(tzinfo=UTC)
    return at, _sorted_json(encode(whole))


def ignore_body(response: Response) -> None:
    """Accept any response: its status is enough."""
    del response
