"""Rows with every JSON value there is, through the readers of all vendors and `Stream.read`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from source_ats.http.models import Response
from source_ats.protocol.schemas import Schema
from source_ats.sync.stream import Page, Stream
from source_ats.vendors.atz_crm import responses as atz_crm
from source_ats.vendors.atz_crm import schemas as atz_crm_schemas
from source_ats.vendors.atz_crm.responses import ListedObject
from source_ats.vendors.comeet import responses as comeet
from source_ats.vendors.comeet import schemas as comeet_schemas
from source_ats.vendors.kombo import responses as kombo
from source_ats.vendors.kombo import schemas as kombo_schemas
from source_ats.vendors.talemetry import record as talemetry_record
from source_ats.vendors.talemetry import responses as talemetry
from source_ats.vendors.talemetry import schemas as talemetry_schemas
from unit_tests.json_values import accept, all_texts, values

GUID = "4ab65340-6d1c-4b67-a8fb-7e4a1c8a8a11"
Reader = Callable[[Response], Sequence[bytes]]


def read_person(response: Response) -> list[bytes]:
    people = talemetry.people(response)
    return [talemetry_record.encoded(people[GUID], GUID, (), "2026-01-31T12:00:00Z")]


READERS: dict[str, tuple[str, Reader, Schema, tuple[str, ...]]] = {
    "kombo": (
        '{"status":"success","data":{"next":null,"results":[{"id":"a","new":%s}]}}',
        lambda response: kombo.rows(response, "greenhouse:one").rows,
        kombo_schemas.CANDIDATES,
        ("new",),
    ),
    "kombo, with an integration_id of its own, over several lines": (
        '{"data":{"results":[{\n"id":"a",\n"integration_id":%s,"new":%s\r\n}]}}',
        lambda response: kombo.rows(response, "greenhouse:one").rows,
        kombo_schemas.CANDIDATES,
        ("new",),
    ),
    "a list of atz_crm": (
        '[{"slug":"a","id":%s,"updated_at":%s,"new":%s}]',
        lambda response: [
            each.record
            for each in atz_crm.list_page(response, "candidates", with_records=True).objects
        ],
        atz_crm_schemas.CANDIDATES,
        ("new",),
    ),
    "a history of atz_crm": (
        '[{"updated_at":%s,"new":%s}]',
        lambda response: atz_crm.history(
            response, ListedObject("a", b"1", None), job_slug=None, since=None
        ).records,
        atz_crm_schemas.CANDIDATE_HISTORY,
        ("new",),
    ),
    "comeet": (
        '{"positions":[{"uid":"a","time_updated":%s,"new":%s}]}',
        lambda response: comeet.position_rows(response, None).rows,
        comeet_schemas.POSITIONS,
        ("new",),
    ),
    "talemetry": (
        '{"result":{"Candidates":[{"Candidate":{"CandidateRecordInfo":{"Id":{"IdValue":"' + GUID
        + '"}},"New":[%s]}}]}}',
        read_person,
        talemetry_schemas.PROFILES,
        ("extra", "New", "0"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_value_becomes_what_warehouses_accept(name: str, data: st.DataObject) -> None:
    body, read, schema, path = READERS[name]
    drawn = [data.draw(values) for _ in range(body.count("%s"))]
    response = Response(200, {}, (body % tuple(drawn)).encode(), datetime.now(UTC), "")
    stream = Stream(
        name="rows",
        schema=schema,
        primary_key="id",
        cursor_field="at",
        selection={},
        pages=lambda state, full_refresh: iter([Page(read(response), {})]),
    )
    ((row,),) = (page.records for page in stream.read({}, full_refresh=False))
    assert b"\n" not in row
    msgspec.json.decode(row)
    record = json.loads(row)
    accept(record, depth=1)
    assert not any("\0" in text for text in all_texts(record))
    found = record
    for step in path:
        found = found[int(step)] if isinstance(found, list) else found[step]
    sent = json.loads(drawn[-1])
    if isinstance(sent, bool | float | None) and abs(sent or 0) < 1e300:
        assert found == sent
