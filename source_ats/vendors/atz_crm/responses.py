"""ATZ CRM's answers, read. Facts: docs.atzcrm.com, unless said otherwise."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import orjson

from source_ats.clock import parse_timestamp
from source_ats.decoding import decode, encode, text_in
from source_ats.errors import AtsError, ContractError
from source_ats.http.models import FailureKind, Response, Vendor


def classify(response: Response) -> AtsError | FailureKind | None:
    """Return what an error means. The vendor documents no error codes, so its status says all."""
    # 5xx is not documented at all; a proxy in front may have numbers of its own.
    return FailureKind.UNAVAILABLE if response.status >= 500 else None


def seconds_to_reset(response: Response) -> float | None:
    """Return None: no header that tells when the limit is reset is documented."""
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
class Listed:
    """One object of a list: what the code leans on, and, where it is asked for, all of it."""

    slug: str
    id: bytes
    """JSON, as the vendor sent it."""
    updated_at: datetime | None
    """None where there is none, or none that can be read: of candidates it is not confirmed."""
    record: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list, as long as the server made it."""

    objects: Sequence[Listed]
    sent_at: datetime
    where: str


_NULL = msgspec.Raw(b"null")


class _Object(msgspec.Struct):
    """What the code leans on."""

    slug: Annotated[str, msgspec.Meta(min_length=1)]
    id: msgspec.Raw = _NULL
    updated_at: msgspec.Raw = _NULL


_objects = msgspec.json.Decoder(list[_Object])
_whole_objects = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_envelope = msgspec.json.Decoder(list[msgspec.Raw] | dict[str, msgspec.Raw])

_NAMES_OF_THE_LIST = (
    "data",
    "candidates",
    "candidate",
    "deals",
    "deal",
    "items",
    "results",
    "rows",
)


def listed(response: Response, name: str, *, whole: bool) -> ListPage:
    """Return a page of a list; `name` is what is listed, and `whole` asks for its records.

    Its envelope is not documented: the list is the body, or the first array under one of the usual
    names, or under one of them in `data`. Raises `ContractError` for anything else: never "no
    candidates".
    """
    array = _array_in(response)
    if array is None:
        raise ContractError(f"ATZ CRM's answer has no list of {name}.", detail=response.where)
    objects = array.decode(_objects)
    records = [b""] * len(objects)
    if whole:
        records = [_record(each) for each in array.decode(_whole_objects)]
    return ListPage(
        [
            Listed(each.slug, bytes(each.id), parse_timestamp(text_in(each.updated_at)), record)
            for each, record in zip(objects, records, strict=True)
        ],
        response.sent_at,
        response.where,
    )


def _array_in(response: Response) -> Response | None:
    """Return the reply with nothing but the array in its body; None if there is none."""
    answer = response.decode(_envelope)
    if isinstance(answer, list):
        return response
    for name in _NAMES_OF_THE_LIST:
        inner = bytes(answer.get(name, b""))
        if inner.startswith(b"["):
            return replace(response, body=inner)
    inner = bytes(answer.get("data", b""))
    return _array_in(replace(response, body=inner)) if inner.startswith(b"{") else None


LISTS = ("jobs", "candidates", "contacts", "custom_fields")
"""Documented as one object where there can be several; of custom fields a list is shown. In a
record they are lists: PyAirbyte makes a text column of what may be either, and fails at it."""


def _record(whole: dict[str, msgspec.Raw]) -> bytes:
    """Return an object with a list in place of each lone object that there can be more of."""
    lone = {name: [whole[name]] for name in LISTS if bytes(whole.get(name, b"")).startswith(b"{")}
    return encode({**whole, **lone})


# A candidate's history


@dataclass(frozen=True, slots=True)
class History:
    """The rows of one candidate, ready to be written; none if none of them is new or changed."""

    records: Sequence[bytes]
    gone: bool = False
    """Whether the candidate is not there any more."""


class _Stage(msgspec.Struct):
    id: msgspec.Raw = _NULL


class Row(msgspec.Struct):
    """What the code leans on in a row."""

    job_slug: str | None = None
    talent_stage: _Stage | None = None
    stage_date: str | None = None
    updated_at: msgspec.Raw = _NULL


_rows = msgspec.json.Decoder(list[Row] | None)
_whole_rows = msgspec.json.Decoder(list[dict[str, msgspec.Raw]] | None)


def history(
    response: Response, candidate: Listed, *, job_slug: str | None, since: datetime | None
) -> History:
    """Return all rows as the vendor sent them, with whose they are and when they were read.

    If no row was new or changed at `since` or later, none is returned. A row whose `updated_at` is
    missing or not understood counts as changed. Raises `ContractError` for anything but an array;
    `null` is taken for no rows (assumed).
    """
    rows = response.decode(_rows) or []
    whole = response.decode(_whole_rows) or []
    ids = row_ids(candidate.slug, rows, whole)
    # Of one job only; should the server not know the parameter, the rows of others come too.
    chosen = [
        number for number, row in enumerate(rows) if job_slug is None or row.job_slug == job_slug
    ]
    if since is not None and not any(
        at is None or at >= since
        for at in (parse_timestamp(text_in(rows[number].updated_at)) for number in chosen)
    ):
        return History([])
    read_at = _with_milliseconds(response.sent_at)
    return History(
        [
            encode(
                {
                    **whole[number],
                    "id": ids[number],
                    "candidate_id": msgspec.Raw(candidate.id),
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

    An id is made from the candidate, the job, the stage, the day, and the row's place among those
    alike in all of these, oldest `updated_at` first. So it stays when rows come in another order,
    when a newer row joins, and when a row is edited that has no like or is the newest of its likes.
    Ids within a candidate differ always.

    What cannot be known: of several rows alike, an older one whose `updated_at` moves looks just
    like a newer one. The likes then change places; together they still have the same ids, so an
    upsert of the whole history stays right.
    """
    alike: dict[tuple[str | None, str | None, str | None], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        # Numbers may come as strings, and need not always.
        stage = row.talent_stage.id if row.talent_stage else _NULL
        text = text_in(stage) or (None if stage == _NULL else bytes(stage).decode())
        alike[row.job_slug, text, row.stage_date].append(number)
    ids = [""] * len(rows)
    for key, numbers in alike.items():
        if len(numbers) > 1:
            numbers.sort(key=lambda number: _age(rows[number], whole[number]))
        for ordinal, number in enumerate(numbers):
            parts = orjson.dumps([candidate_slug, *key, ordinal])
            ids[number] = hashlib.blake2b(parts, digest_size=16).hexdigest()
    return ids


def _age(row: Row, whole: Mapping[str, msgspec.Raw]) -> tuple[datetime, bytes]:
    """Return what orders rows from the oldest to the newest, whatever order they came in."""
    at = parse_timestamp(text_in(row.updated_at)) or datetime.min.replace(tzinfo=UTC)
    return at, msgspec.json.encode(decode(encode(whole)), order="sorted")


def _with_milliseconds(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def anything(response: Response) -> None:
    """Take any answer: that there is one is all that counts."""
    del response
