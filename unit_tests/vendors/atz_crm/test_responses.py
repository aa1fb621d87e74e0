"""ATZ CRM's answers: each saved reply is read as the vendor means it; and the ids of rows."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from source_ats.errors import ContractError
from source_ats.http.models import FailureKind, Response
from source_ats.vendors.atz_crm import responses, schemas
from source_ats.vendors.atz_crm.responses import History, ListedObject
from unit_tests.fakes import NOON

SAVED = Path(__file__).parent / "saved_responses"
ADA = ListedObject("candidate_00000000000000000001", b"1", None)
Row = dict[str, Any]


def content(name: str) -> dict[str, Any]:
    saved: dict[str, Any] = json.loads((SAVED / f"{name}.json").read_text("utf-8"))
    return saved


def response(body: object, status: int = 200) -> Response:
    return Response(
        status=status,
        headers=CaseInsensitiveDict(),
        body=body.encode() if isinstance(body, str) else json.dumps(body).encode(),
        sent_at=NOON,
        where=f"ATZ CRM history {status}",
    )


def saved(name: str) -> Response:
    whole = content(name)
    return response(whole["body"], whole["status"])


def history(
    answer: Response, *, job_slug: str | None = None, since: datetime | None = None
) -> History:
    return responses.history(answer, ADA, job_slug=job_slug, since=since)


def records(
    body: object, *, job_slug: str | None = None, since: datetime | None = None
) -> list[Row]:
    answer = body if isinstance(body, Response) else response(body)
    return [orjson.loads(row) for row in history(answer, job_slug=job_slug, since=since).records]


@pytest.mark.parametrize("path", sorted(SAVED.glob("*.json")), ids=lambda path: path.stem)
def test_each_saved_reply_says_where_it_comes_from(path: Path) -> None:
    whole = content(path.stem)
    assert whole["tier"] in {"documented", "observed", "assumed"}
    assert whole["source"]


# The list


@pytest.mark.parametrize(
    "name", ["candidates_array", "candidates_data", "candidates_data_data", "candidates_named"]
)
def test_the_list_is_found_in_each_envelope(name: str) -> None:
    page = responses.list_page(saved(name), "candidates", with_records=False)
    assert page.objects == [
        ListedObject("candidate_00000000000000000001", b"1", datetime(2025, 2, 1, tzinfo=UTC)),
        ListedObject("candidate_00000000000000000002", b"2", datetime(2025, 2, 2, 10, tzinfo=UTC)),
    ]
    assert page.sent_at == NOON


def test_an_object_is_a_record_as_the_vendor_sent_it() -> None:
    page = responses.list_page(saved("candidates_array"), "candidates", with_records=True)
    assert [json.loads(each.record) for each in page.objects] == content("candidates_array")["body"]


LISTS = {"candidates": schemas.CANDIDATES, "deals": schemas.DEALS}


@pytest.mark.parametrize("name", LISTS)
def test_a_whole_object_keeps_the_declared_schema_and_shows_all_of_it(name: str) -> None:
    body = content(f"{name}_whole")["body"]
    for listed in responses.list_page(saved(f"{name}_whole"), name, with_records=True).objects:
        row = json.loads(listed.record)
        jsonschema.validate(row, dict(LISTS[name]))
        assert row.keys() <= LISTS[name]["properties"].keys()
        for key, value in row.items():
            declared = LISTS[name]["properties"][key]
            if isinstance(value, dict) and "properties" in declared:
                assert value.keys() <= declared["properties"].keys()
    assert body[0].keys() == LISTS[name]["properties"].keys()


@pytest.mark.parametrize("schema", LISTS.values(), ids=LISTS)
def test_a_list_s_schema_is_nullable(schema: dict[str, Any]) -> None:
    jsonschema.Draft7Validator.check_schema(schema)
    for declared in schema["properties"].values():
        assert "null" in declared["type"]


def test_an_empty_list_is_one() -> None:
    assert (
        responses.list_page(saved("candidates_none"), "candidates", with_records=False).objects
        == []
    )


@pytest.mark.parametrize(
    ("outer", "inner", "total"), [({}, {"total": 7}, 7), ({"total": 9}, {}, 9), ({}, {}, None)]
)
def test_the_total_is_found_inside_and_outside_of_data(
    outer: Row, inner: Row, total: int | None
) -> None:
    body = {"data": {"candidates": [], **inner}, **outer}
    page = responses.list_page(response(body), "candidates", with_records=False)
    assert page.total == total


def test_a_candidate_need_not_have_updated_at() -> None:
    page = responses.list_page(
        saved("candidates_without_updated_at"), "candidates", with_records=False
    )
    assert [each.updated_at for each in page.objects] == [None, None]


@pytest.mark.parametrize("name", ["candidates_message", "candidates_without_slug"])
def test_a_body_without_a_list_of_candidates_is_an_error_and_shows_no_value(name: str) -> None:
    with pytest.raises(ContractError) as caught:
        responses.list_page(saved(name), "candidates", with_records=False)
    assert "ada" not in str(caught.value).lower()


def test_a_body_without_a_list_names_what_was_asked_for_and_the_setting() -> None:
    with pytest.raises(ContractError) as caught:
        responses.list_page(response({"rows": 7}), "deals", with_records=True)
    assert caught.value.message == (
        "ATZ CRM's answer holds no list of deals. Check atz_crm.base_url; if it is right, "
        "ATZ CRM has changed its API."
    )


@pytest.mark.parametrize(
    "body", [7, "null", {"data": {"data": {"rows": 1}}}, "[7]", {"rows": {"data": []}}]
)
def test_other_json_is_an_error(body: object) -> None:
    with pytest.raises(ContractError):
        responses.list_page(response(body), "candidates", with_records=False)


# A history


def test_a_row_is_the_vendor_s_with_whose_it_is_and_when_it_was_read() -> None:
    rows = records(saved("history"))
    assert len(rows) == 3
    for row, sent in zip(rows, content("history")["body"], strict=True):
        assert row == {
            **sent,
            "id": row["id"],
            "candidate_id": 1,
            "candidate_slug": "candidate_00000000000000000001",
            "read_at": "2026-01-31T12:00:00.000Z",
        }
    assert len({row["id"] for row in rows}) == 3


@pytest.mark.parametrize(
    ("sent", "shown"),
    [("7", 7), ('"7"', 7), ('"-7"', -7), ('"07"', None), ('"c-7"', None), ("null", None)],
)
def test_the_id_of_a_candidate_is_a_number_or_null_as_its_column_says(
    sent: str, shown: int | None
) -> None:
    listed = ListedObject("candidate_00000000000000000001", sent.encode(), None)
    found = responses.history(
        response(content("history")["body"]), listed, job_slug=None, since=None
    )
    assert {orjson.loads(row)["candidate_id"] for row in found.records} == {shown}


def test_the_id_of_a_row_does_not_change_with_versions() -> None:
    ids = [row["id"] for row in records(saved("history"))]
    assert ids == [
        "aa7c856bcf0e38f0e38f19b259e317b1",
        "2f664e9d7184e47cfd4443a3e2b05b5d",
        "6a5c28a3b144399f5e73b784c6c8e298",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "history",
        "history_sparse",
        "history_numbers_as_strings",
        "history_new_fields",
        "history_alike",
    ],
)
def test_rows_keep_the_declared_schema(name: str) -> None:
    rows = records(saved(name))
    assert rows
    for row in rows:
        jsonschema.validate(row, dict(schemas.CANDIDATE_HISTORY))


def test_every_documented_field_is_declared() -> None:
    declared = schemas.CANDIDATE_HISTORY["properties"]
    for row in records(saved("history")):
        assert row.keys() <= declared.keys()
        for name, value in row.items():
            if isinstance(value, dict):
                assert value.keys() <= declared[name]["properties"].keys()


def test_fields_that_the_vendor_adds_arrive() -> None:
    (row,) = records(saved("history_new_fields"))
    assert (row["score"], row["interview"]) == (7.5, {"by": [1, 2]})


@pytest.mark.parametrize("name", ["history_empty", "history_null"])
def test_a_candidate_may_have_no_history(name: str) -> None:
    assert records(saved(name)) == []


def test_anything_but_an_array_is_an_error() -> None:
    with pytest.raises(ContractError):
        records(saved("history_object"))


def row(**fields: Any) -> Row:
    return {
        "job_slug": "job_1",
        "talent_stage": {"id": 3, "name": "Interview"},
        "stage_date": "2025-01-15",
        "comment": None,
        "updated_at": "2025-01-15T10:00:00.000Z",
        **fields,
    }


def test_one_new_row_brings_all_rows_and_none_brings_nothing() -> None:
    rows = [row(updated_at="2026-01-31T11:00:00Z"), row(stage_date="2020-01-01")]
    assert len(records(rows, since=NOON - timedelta(hours=1))) == 2
    assert records(rows, since=NOON) == []
    assert len(records(rows)) == 2


@pytest.mark.parametrize("at", [None, "", "soon", "2026-01-31T12:00:00+00:00"])
def test_a_row_that_may_be_new_counts_as_new(at: str | None) -> None:
    assert len(records([row(updated_at=at)], since=NOON)) == 1


def test_milliseconds_count() -> None:
    since = NOON + timedelta(milliseconds=500)
    assert records([row(updated_at="2026-01-31T12:00:00.499Z")], since=since) == []
    assert len(records([row(updated_at="2026-01-31T12:00:00.500Z")], since=since)) == 1


def test_of_one_job_only_also_if_the_server_sends_others() -> None:
    rows = [row(updated_at="2026-01-31T12:00:00Z"), row(job_slug="job_2")]
    assert [each["job_slug"] for each in records(rows, job_slug="job_2")] == ["job_2"]
    assert records(rows, job_slug="job_2", since=NOON) == []


def test_a_status_that_only_a_proxy_has_is_a_server_error() -> None:
    assert responses.classify(saved("error_522")) is FailureKind.UNAVAILABLE
    for name in ("error_400", "error_401", "error_404", "error_429"):
        assert responses.classify(saved(name)) is None


# The ids of rows

at = st.datetimes(datetime(2020, 1, 1), datetime(2026, 1, 1)).map(  # noqa: DTZ001 - UTC, as text
    lambda moment: moment.isoformat(timespec="milliseconds") + "Z"
)
some_rows = st.lists(
    st.builds(
        row,
        job_slug=st.sampled_from(["job_1", "job_2", None]),
        talent_stage=st.sampled_from([{"id": 1}, {"id": "1"}, {"id": 2}, {}, None]),
        stage_date=st.sampled_from(["2025-01-15", "2025-01-16", None]),
        comment=st.sampled_from([None, "", "good"]),
        updated_at=at,
    ),
    max_size=8,
)


def ids(rows: list[Row], candidate: ListedObject = ADA) -> list[str]:
    answer = responses.history(response(rows), candidate, job_slug=None, since=None)
    return [orjson.loads(each)["id"] for each in answer.records]


def key(each: Row) -> tuple[object, ...]:
    stage = (each["talent_stage"] or {}).get("id")
    return each["job_slug"], None if stage is None else str(stage), each["stage_date"]


IDS_OF_ROWS = [
    "29a1cc866ecc7afd5b8d0a1e06cecf9c",
    "6af7d290922018f5e4b64e1882c114b1",
    "70205d0ff9b0fea4b88e78ce6c8aefac",
    "5740632daa9efb48ec0584d85619dbc5",
    "c4da5b4f38d8e264249dc587ae314afe",
    "fc7c545896e4e1466bfafc19df432db9",
    "26385c062ec9c0f476aa550ac1039655",
    "15341a75da463cd782aad1c74e7a0984",
    "6ece984c1a51acd754786214b782be06",
    "5187d9f1380f4ac40fc5d6520b00d47e",
]


def test_the_ids_of_well_formed_rows_never_change() -> None:
    """They are primary keys in warehouses."""
    stages = [{"id": 3}, {"id": "3"}, {"id": ""}, {"id": None}, {}, None, {"id": {"b": 1, "a": 2}}]
    rows = [row(talent_stage=stage, updated_at=f"2025-01-0{n}") for n, stage in enumerate(stages)]
    rows += [row(job_slug=job, stage_date=day) for job, day in [(None, None), ("", ""), ("a", "")]]
    assert ids(rows) == IDS_OF_ROWS


@given(some_rows)
def test_different_rows_have_different_ids(rows: list[Row]) -> None:
    assert len(set(ids(rows))) == len(rows)


@given(some_rows, some_rows)
def test_rows_of_different_candidates_have_different_ids(
    ours: list[Row], theirs: list[Row]
) -> None:
    assert not set(ids(ours)) & set(ids(theirs, ListedObject("candidate_2", b"2", None)))


@given(some_rows, st.randoms(use_true_random=False))
def test_the_order_of_the_answer_does_not_matter(rows: list[Row], dice: random.Random) -> None:
    before = sorted(zip(ids(rows), map(orjson.dumps, rows), strict=True))
    shuffled = dice.sample(rows, len(rows))
    assert sorted(zip(ids(shuffled), map(orjson.dumps, shuffled), strict=True)) == before


def test_two_equal_rows_keep_their_ids_in_another_order() -> None:
    older = row(updated_at="2025-01-15T00:00:00Z")
    newer = row(updated_at="2025-01-16T00:00:00Z")
    assert ids([newer, older]) == ids([older, newer])[::-1]


@given(some_rows, st.integers(0, 7))
def test_a_newer_row_leaves_the_others_their_ids(rows: list[Row], like: int) -> None:
    newer = {**(rows[like] if like < len(rows) else row()), "updated_at": "2026-01-31T00:00:00Z"}
    assert ids([newer, *rows])[1:] == ids(rows)


@given(some_rows, st.integers(0, 7), at)
def test_an_edited_row_keeps_its_id_unless_it_has_older_or_newer_likes(
    rows: list[Row], which: int, now: str
) -> None:
    if which >= len(rows):
        return
    likes = [each for each in rows if key(each) == key(rows[which])]
    edited = list(rows)
    edited[which] = {**rows[which], "comment": "edited", "updated_at": now}
    if len(likes) == 1:
        assert ids(edited) == ids(rows)
    # In any case an upsert of the whole history leaves the rows as they are now, and no other.
    assert set(ids(edited)) == set(ids(rows))


@given(some_rows, st.integers(0, 7))
def test_the_newest_of_its_likes_keeps_its_id_when_it_is_edited(
    rows: list[Row], which: int
) -> None:
    if which >= len(rows):
        return
    likes = [each["updated_at"] for each in rows if key(each) == key(rows[which])]
    if max(likes) != rows[which]["updated_at"] or likes.count(max(likes)) > 1:
        return
    edited = list(rows)
    edited[which] = {
        **rows[which],
        "comment": "edited",
        "visibility": 0,
        "updated_at": "2026-01-31T00:00:00Z",
    }
    assert ids(edited) == ids(rows)


def test_a_stage_number_may_turn_into_a_string() -> None:
    assert ids([row(talent_stage={"id": 3})]) == ids([row(talent_stage={"id": "3"})])
