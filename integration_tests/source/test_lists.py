"""Lists page by page: short pages, pages that are not found, cursors, links and page sizes."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.configured import failure_types, section, source
from integration_tests.support.connector import QuickClock, catalog, state
from integration_tests.support.kombo import integrations
from integration_tests.support.scripted_vendor import Answer, Request, scripted_vendor

CHANGED = "2025-01-01T00:00:00.000Z"
BEFORE = "2024-01-01T00:00:00Z"


# ATZ CRM: numbered pages


def atz_pages(
    sizes: Sequence[int],
    *,
    total: bool = False,
    after: Callable[[int], Answer | None] = lambda _: None,
) -> Callable[[Request], Answer]:
    """Return an ATZ CRM whose list has pages of these sizes, and two history rows for everybody.

    `after` may answer the page of a number in another way.
    """
    slugs = iter(range(1000, 1000 + sum(sizes)))
    pages = [[f"slug-{next(slugs)}" for _ in range(size)] for size in sizes]

    def script(request: Request) -> Answer:
        if request.path.endswith("/history"):
            rows = [
                {"job_slug": job, "stage_date": "2025-01-01", "updated_at": CHANGED,
                 "talent_stage": {"id": 1}}
                for job in ("one", "two")
            ]  # fmt: skip
            return Answer(rows)
        number = int(request.query.get("page", "1"))
        answer = after(number)
        if answer is not None:
            return answer
        page = pages[number - 1] if number <= len(pages) else []
        rows = [{"slug": slug, "id": slug, "updated_at": CHANGED} for slug in page]
        return Answer({"data": rows, "total": sum(sizes)} if total else rows)

    return script


@pytest.mark.parametrize(
    "body", [{"data": None, "total": 0}, {"total": 0, "data": {"rows": None, "total": 0}}], ids=str
)
@pytest.mark.parametrize("stream", ["atz_candidates", "atz_deals", "candidate_history"])
def test_null_in_place_of_a_list_of_atz_crm_is_an_empty_list(
    tmp_path: Path, stream: str, body: dict[str, Any]
) -> None:
    with scripted_vendor(lambda _: Answer(body)) as vendor:
        run = source(tmp_path, atz_crm=section("atz_crm", vendor.url)).read_quickly(stream)
    assert run.code == 0, run.errors()
    assert not run.records(stream)
    assert "updated_at" in run.state(stream)


@pytest.mark.parametrize(
    "body",
    [{"data": None, "total": 5}, {"data": None, "code": 401}, {"data": {"candidates": None}}],
)
def test_null_is_no_empty_list_unless_the_total_says_so(
    tmp_path: Path, body: dict[str, Any]
) -> None:
    with scripted_vendor(lambda _: Answer(body)) as vendor:
        run = source(tmp_path, atz_crm=section("atz_crm", vendor.url)).read_quickly(
            "atz_candidates"
        )
    assert failure_types(run, "atz_candidates") == ["system_error"]


@pytest.mark.parametrize("stream", ["atz_candidates", "candidate_history"])
@pytest.mark.parametrize(("sizes", "code"), [([10, 10, 7], 0), ([10, 10, 10, 10], 1)])
def test_an_error_without_rows_after_a_page_counts_as_one_that_is_not_found(
    tmp_path: Path, sizes: list[int], code: int, stream: str
) -> None:
    body = {"success": False, "message": "No candidates found", "data": []}
    pages = atz_pages(sizes, after=lambda number: Answer(body) if number > 3 else None)
    with scripted_vendor(pages) as vendor:
        config = section("atz_crm", vendor.url, page_size=10)
        run = source(tmp_path, atz_crm=config).read_quickly(stream)
    assert run.code == code, run.errors()


SHORT = [10, 10, 9, 10, 10, 10]


@pytest.mark.parametrize("total", [False, True])
@pytest.mark.parametrize("sizes", [SHORT, [9, 10, 10], [10, 1, 10, 5], [3, 3, 3]])
@pytest.mark.parametrize("stream", ["atz_candidates", "atz_deals", "candidate_history"])
def test_a_short_page_is_not_the_end(
    tmp_path: Path, sizes: list[int], stream: str, *, total: bool
) -> None:
    with scripted_vendor(atz_pages(sizes, total=total)) as vendor:
        run = source(tmp_path, atz_crm=section("atz_crm", vendor.url, page_size=10)).read_quickly(
            stream
        )
    assert run.code == 0, run.errors()
    people = {row.get("candidate_slug", row.get("slug")) for row in run.records(stream)}
    assert len(people) == sum(sizes)
    assert len(run.records(stream)) == sum(sizes) * (2 if stream == "candidate_history" else 1)


def test_a_total_that_is_smaller_than_the_rows_is_ignored(tmp_path: Path) -> None:
    pages = atz_pages(SHORT, total=True)

    def script(request: Request) -> Answer:
        answer = pages(request)
        return Answer({**answer.body, "total": 10})

    with scripted_vendor(script) as vendor:
        run = source(tmp_path, atz_crm=section("atz_crm", vendor.url, page_size=10)).read_quickly(
            "atz_candidates"
        )
    assert len({row["slug"] for row in run.records("atz_candidates")}) == sum(SHORT)


@pytest.mark.parametrize("page", range(1, 7))
@pytest.mark.parametrize("stream", ["atz_candidates", "atz_deals", "candidate_history"])
def test_a_list_page_that_is_not_found_once_is_not_the_end(
    tmp_path: Path, stream: str, page: int
) -> None:
    hits: list[int] = []

    def once(number: int) -> Answer | None:
        if number == page and not hits:
            hits.append(number)
            return Answer({"message": "no"}, 404)
        return None

    with scripted_vendor(atz_pages([10] * 6, after=once)) as vendor:
        run = source(tmp_path, atz_crm=section("atz_crm", vendor.url, page_size=10)).read_quickly(
            stream
        )
    assert run.code == 0, run.errors()
    people = {row.get("candidate_slug", row.get("slug")) for row in run.records(stream)}
    assert len(people) == 60


@pytest.mark.parametrize("stream", ["atz_candidates", "candidate_history"])
def test_a_lasting_404_after_a_full_page_is_a_failure_and_after_a_short_page_the_end(
    tmp_path: Path, stream: str
) -> None:
    def not_found(number: int) -> Answer | None:
        return Answer({"message": "no"}, 404) if number > 3 else None

    for sizes, code in (([10, 10, 10, 10], 1), ([10, 10, 7], 0)):
        with scripted_vendor(atz_pages(sizes, after=not_found)) as vendor:
            config = section("atz_crm", vendor.url, page_size=10)
            run = source(tmp_path, atz_crm=config).read_quickly(stream)
        assert run.code == code, (sizes, run.errors())


# Errors with a status of success

ERRORS_UNDER_200: list[tuple[str, dict[str, Any], str]] = [
    ("atz_candidates", {"status": "error", "message": "Canary", "data": []}, "system_error"),
    ("atz_candidates", {"success": False, "error": "canary", "data": [], "total": 0},
     "system_error"),
    ("atz_candidates", {"status": 429, "data": {"candidates": []}}, "system_error"),
    ("atz_deals", {"errors": ["canary"], "data": []}, "system_error"),
    ("atz_deals", {"message": "Canary", "data": None}, "system_error"),
    ("atz_deals", {"success": False, "data": None}, "system_error"),
    ("candidate_history", {"status": "error", "data": []}, "system_error"),
    ("candidates", {"status": "error", "error": {"code": "PLATFORM.UNKNOWN_ERROR"},
                    "data": {"results": [], "next": None}}, "transient_error"),
    ("candidates", {"status": "error", "data": {"results": [], "next": None}}, "system_error"),
    ("kombo_jobs", {"status": "error", "error": {"code": "PLATFORM.AUTHENTICATION_INVALID"},
                    "data": {"results": [], "next": None}}, "config_error"),
    ("comeet_candidates", {"status": 429, "error": "x", "candidates": []}, "transient_error"),
    ("comeet_candidates", {"status": 400, "error": "x", "candidates": []}, "system_error"),
    ("comeet_positions", {"status": 403, "error": "no_permission", "positions": []},
     "config_error"),
    ("comeet_positions", {"success": False, "positions": []}, "system_error"),
    ("profiles", {"error": {"message": "canary"}, "Ids": []}, "system_error"),
    ("profiles", {"success": False, "result": {"Ids": []}}, "system_error"),
]  # fmt: skip
"""The stream, what the vendor answers with status 200, and how the stream ends."""


def vendor_of(stream: str) -> str:
    """Return the name of the section of a stream."""
    if stream == "profiles":
        return "talemetry"
    if stream.startswith("comeet"):
        return "comeet"
    return "kombo" if stream == "candidates" or stream.startswith("kombo") else "atz_crm"


@pytest.mark.parametrize("with_list", [True, False], ids=["an empty list", "no list"])
@pytest.mark.parametrize(("stream", "body", "failure"), ERRORS_UNDER_200)
def test_an_error_with_status_200_is_no_empty_list(
    tmp_path: Path, stream: str, body: dict[str, Any], failure: str, *, with_list: bool
) -> None:
    lists = {"data", "candidates", "positions", "Ids"}
    said = {key: each for key, each in body.items() if with_list or key not in lists}

    with scripted_vendor(kombo_list(lambda _: Answer(said))) as vendor:
        name = vendor_of(stream)
        connector = source(tmp_path, **{name: section(name, vendor.url)})
        run = connector.read_quickly(stream)
    assert failure_types(run, stream) == [failure]
    assert not run.records(stream)
    states = json.dumps(run.of("STATE"))
    assert not [each for each in ("updated_a", "listed_until") if each in states]
    assert "anary" not in str(run.messages)


def test_an_error_in_the_middle_of_a_list_keeps_the_bookmark(tmp_path: Path) -> None:
    fails = True

    def error(number: int) -> Answer | None:
        body = {"status": "error", "message": "Too many requests", "data": []}
        return Answer(body) if number == 2 and fails else None

    with scripted_vendor(atz_pages([10, 10, 5], after=error)) as vendor:
        connector = source(tmp_path, atz_crm=section("atz_crm", vendor.url, page_size=10))
        run = connector.read_quickly("atz_candidates")
        fails = False
        again = connector.read_quickly("atz_candidates", state=run.of("STATE")[-1:])
    assert run.code == 1
    assert again.code == 0, again.errors()
    read = [*run.records("atz_candidates"), *again.records("atz_candidates")]
    assert len({row["slug"] for row in read}) == 25


ROWS_DESPITE_AN_ERROR: dict[str, dict[str, Any]] = {
    "atz_candidates": {"status": "error", "data": [{"slug": "k1"}]},
    "candidates": {"status": "error", "error": {"code": "PLATFORM.UNKNOWN_ERROR"},
                   "data": {"results": [{"id": "k1"}], "next": None}},
    "comeet_positions": {"status": 429, "error": "x", "positions": [{"uid": "k1"}]},
}  # fmt: skip


@pytest.mark.parametrize("stream", ROWS_DESPITE_AN_ERROR)
def test_rows_are_read_whatever_the_envelope_says(tmp_path: Path, stream: str) -> None:
    def script(request: Request) -> Answer:
        is_first = request.query.get("page", "1") == "1"
        return Answer(ROWS_DESPITE_AN_ERROR[stream] if is_first else [])

    with scripted_vendor(kombo_list(script)) as vendor:
        name = vendor_of(stream)
        connector = source(tmp_path, **{name: section(name, vendor.url)})
        run = connector.read_quickly(stream)
    assert run.code == 0, run.errors()
    assert len(run.records(stream)) == 1


# Rows that are not valid JSON

BAD_ROWS = {
    "with a key": b'{"slug":"bad","updated_at":"2020-01-01T00:00:00Z","name":"x" y "z"}',
    "without a key": b'{"name":"x" y "z","slug":"bad","updated_at":"2020-01-01T00:00:00Z"}',
}
ALONE_ON_A_PAGE = {
    "short pages": (["a"], ["bad"], ["c"]),
    "the last page": (["a", "b"], ["bad"]),
    "after a full page": ([f"a{number}" for number in range(10)], ["bad"]),
}


def atz_with(pages: Sequence[Sequence[str]], bad_row: bytes | None) -> Callable[[Request], Answer]:
    """Return an ATZ CRM with these slugs, where `bad` is answered with this row."""

    def script(request: Request) -> Answer:
        if request.path.endswith("/history"):
            return Answer([{"job_slug": "one", "updated_at": CHANGED, "talent_stage": {"id": 1}}])
        number = int(request.query.get("page", "1"))
        slugs = pages[number - 1] if number <= len(pages) else []
        row = b'{"slug":"%s","updated_at":"2020-01-01T00:00:00Z"}'
        rows = [bad_row if bad_row and each == "bad" else row % each.encode() for each in slugs]
        return Answer(b"[%s]" % b",".join(rows))

    return script


NESTED = {"x": {"list": [{"a": 1}, {"a": 2}]}}
CUT_OFF = {
    "candidates": (
        "kombo",
        {"data": {"results": [{"id": f"k{n}", "remote_data": NESTED} for n in range(3)],
                  "next": "more"}},
        b"}]}}",
    ),
    "atz_candidates": (
        "atz_crm", [{"slug": f"k{n}", "list": NESTED["x"]["list"]} for n in range(3)], b"}]"
    ),
    "comeet_positions": (
        "comeet",
        {"positions": [{"uid": f"k{n}", "x": NESTED["x"]} for n in range(3)], "next_page": "/more"},
        b"}]}",
    ),
}  # fmt: skip
"""The vendor, a page, and the end of a list within a row that looks like the end of the page."""


@pytest.mark.parametrize("stream", CUT_OFF)
def test_a_page_that_is_cut_off_where_it_looks_complete_is_not_repaired(
    tmp_path: Path, stream: str
) -> None:
    """Without a Content-Length, only the brackets of the rows show it."""
    name, page, looks_like_the_end = CUT_OFF[stream]
    whole = json.dumps(page, separators=(",", ":")).encode()
    end = whole.index(looks_like_the_end, whole.index(b"k1")) + len(looks_like_the_end)

    def script(request: Request) -> Answer:
        return Answer(iter([whole[:end]]))

    with scripted_vendor(kombo_list(script)) as vendor:
        run = source(tmp_path, **{name: section(name, vendor.url)}).read_quickly(stream)
    assert failure_types(run, stream) == ["transient_error"]
    assert "incomplete response" in run.errors()[0]["message"]
    assert not run.records(stream)
    assert "set_aside" not in str(run.of("STATE"))


@pytest.mark.parametrize("bad_row", BAD_ROWS.values(), ids=BAD_ROWS)
@pytest.mark.parametrize("pages", ALONE_ON_A_PAGE.values(), ids=ALONE_ON_A_PAGE)
def test_a_page_without_a_single_valid_row_is_not_the_end(
    tmp_path: Path, pages: Sequence[Sequence[str]], bad_row: bytes
) -> None:
    everybody = {slug for page in pages for slug in page}
    with scripted_vendor(atz_with(pages, bad_row)) as vendor:
        connector = source(tmp_path, atz_crm=section("atz_crm", vendor.url, page_size=10))
        run = connector.read_quickly("atz_candidates")
    assert run.code == 0, run.errors()
    assert {row["slug"] for row in run.records("atz_candidates")} == everybody - {"bad"}
    assert run.logs("WARN")
    with scripted_vendor(atz_with(pages, None)) as vendor:
        connector = source(tmp_path, atz_crm=section("atz_crm", vendor.url, page_size=10))
        again = connector.read_quickly("atz_candidates", state=run.of("STATE")[-1:])
    assert again.code == 0, again.errors()
    assert "bad" in {row["slug"] for row in again.records("atz_candidates")}
    assert "set_aside" not in again.state("atz_candidates")


@pytest.mark.parametrize("bad_row", BAD_ROWS.values(), ids=BAD_ROWS)
@pytest.mark.parametrize(
    "streams", [["candidate_history"], ["atz_candidates", "candidate_history"]]
)
def test_histories_are_read_although_a_row_of_the_candidates_is_invalid(
    tmp_path: Path, streams: Sequence[str], bad_row: bytes
) -> None:
    """For a history, the slug is enough. Without it, the next pass reads what changed since."""

    def read(row: bytes | None, states: Sequence[Any] = ()) -> Any:
        with scripted_vendor(atz_with((["a", "bad", "c"],), row)) as vendor:
            connector = source(tmp_path, atz_crm=section("atz_crm", vendor.url, page_size=10))
            run = connector.read_quickly(*streams, state=states or None)
        assert run.code == 0, run.errors()
        return run

    def people(run: Any) -> set[str]:
        return {row["candidate_slug"] for row in run.records("candidate_history")}

    has_slug = bad_row == BAD_ROWS["with a key"]
    run = read(bad_row)
    assert people(run) == {"a", "c", *(["bad"] if has_slug else [])}
    assert ("a history is missing" in run.logs("WARN")) is not has_slug
    assert ("updated_at" in run.state("candidate_history")) is has_slug
    again = read(None, run.of("STATE"))
    assert people(run) | people(again) == {"a", "bad", "c"}
    assert "updated_at" in again.state("candidate_history")


def histories_of(
    folder: Path,
    history: Callable[[str], Answer | None],
    states: Sequence[Any] = (),
    bad: str = "",
) -> Any:
    """Read the histories of a to d, where the row of one of them has no readable slug."""

    def script(request: Request) -> Answer:
        if request.path.endswith("/history"):
            row = {"job_slug": "one", "updated_at": BEFORE, "talent_stage": {"id": 1}}
            return history(request.path.split("/")[-2]) or Answer([row])
        invalid = b'{"name":"x" y "z","slug":"%s","updated_at":"2020-01-01T00:00:00Z"}'
        valid = b'{"slug":"%s","updated_at":"2020-01-01T00:00:00Z"}'
        slugs = "abcd" if request.query.get("page", "1") == "1" else ""
        rows = [(invalid if each == bad else valid) % each.encode() for each in slugs]
        return Answer(b"[%s]" % b",".join(rows))

    with scripted_vendor(script) as vendor:
        connector = source(folder, atz_crm=section("atz_crm", vendor.url, page_size=10))
        return connector.read_quickly("candidate_history", state=states or None)


def test_a_pass_that_is_resumed_knows_that_its_list_had_a_gap(tmp_path: Path) -> None:
    odd = lambda slug: Answer({"odd": 1}) if slug == "c" else None  # noqa: E731
    cut = histories_of(tmp_path, odd, bad="a")
    assert cut.code == 1
    assert cut.state("candidate_history")["in_progress"]["after_slug"] == "b"
    resumed = histories_of(tmp_path, lambda slug: None, cut.of("STATE"))
    after = histories_of(tmp_path, lambda slug: None, resumed.of("STATE"))
    seen = {
        row["candidate_slug"]
        for run in (cut, resumed, after)
        for row in run.records("candidate_history")
    }
    assert seen == set("abcd")
    assert "updated_at" in after.state("candidate_history")


def test_a_gap_in_the_list_makes_nobody_forgotten_who_is_set_aside(tmp_path: Path) -> None:
    refused = lambda slug: Answer({"message": "no"}, 422) if slug == "b" else None  # noqa: E731
    first = histories_of(tmp_path, refused)
    second = histories_of(tmp_path, refused, first.of("STATE"), bad="b")
    assert list(second.state("candidate_history")["set_aside"]) == ["b"]
    third = histories_of(tmp_path, lambda slug: None, second.of("STATE"))
    assert "b" in {row["candidate_slug"] for row in third.records("candidate_history")}


def test_a_row_that_was_left_out_is_forgotten_once_the_list_no_longer_has_it(
    tmp_path: Path,
) -> None:
    bad_row = BAD_ROWS["with a key"]
    with scripted_vendor(atz_with((["a", "bad", "c"],), bad_row)) as vendor:
        connector = source(tmp_path, atz_crm=section("atz_crm", vendor.url, page_size=10))
        run = connector.read_quickly("atz_candidates")
    assert list(run.state("atz_candidates")["set_aside"]) == ["bad"]
    with scripted_vendor(atz_with((["a", "c"],), None)) as vendor:
        connector = source(tmp_path, atz_crm=section("atz_crm", vendor.url, page_size=10))
        again = connector.read_quickly("atz_candidates", state=run.of("STATE")[-1:])
    assert "set_aside" not in again.state("atz_candidates")


def test_a_full_state_is_emptied_before_a_page_needs_room_in_it(tmp_path: Path) -> None:
    """100 rows that can be read by now, and a new one that cannot, on the first page."""
    set_aside = {f"k{number}": BEFORE for number in range(100)}
    bad_row = b'{"id":"bad","changed_at":null,"name":"x" y "z"}'

    def script(request: Request) -> Answer:
        if "ids" in request.query:
            return kombo_page([int(request.query["ids"].removeprefix("k"))], None)
        body = b'{"status":"success","data":{"next":null,"results":[%s]}}'
        return Answer(body % bad_row)

    with scripted_vendor(kombo_list(script)) as vendor:
        connector = source(tmp_path, kombo=section("kombo", vendor.url))
        before = connector.read_quickly("kombo_jobs").state("kombo_jobs")
        before["integrations"]["greenhouse:one"]["set_aside"] = set_aside
        run = connector.read_quickly("kombo_jobs", state=state(before, "kombo_jobs"))
    assert run.code == 0, run.errors()
    assert {row["id"] for row in run.records("kombo_jobs")} == set(set_aside)
    after = run.state("kombo_jobs")["integrations"]["greenhouse:one"]
    assert list(after["set_aside"]) == ["bad"]


SINGLE_ROW_REFUSED = {
    "403": Answer({"status": 403, "error": "no_permission", "message": "Made up."}, 403),
    "a page of another server": Answer(b"<html>Not found</html>", 404),
    "another shape": Answer({"position": {}}),
}


@pytest.mark.parametrize("answer", SINGLE_ROW_REFUSED.values(), ids=SINGLE_ROW_REFUSED)
@pytest.mark.parametrize("stream", ["comeet_positions", "comeet_candidates"])
def test_a_stream_does_not_end_because_one_row_cannot_be_requested_alone(
    tmp_path: Path, stream: str, answer: Answer
) -> None:
    name = stream.removeprefix("comeet_")

    def script(request: Request) -> Answer:
        if request.path.endswith("/left-out"):
            return answer
        return Answer({name: [{"uid": "k1", "time_updated": CHANGED}], "next_page": None})

    with scripted_vendor(script) as vendor:
        connector = source(tmp_path, comeet=section("comeet", vendor.url))
        before = connector.read_quickly(stream).state(stream)
        before["set_aside"] = {"left-out": BEFORE}
        run = connector.read_quickly(stream, state=state(before, stream))
    assert run.code == 0, run.errors()
    assert run.state(stream)["set_aside"] == {"left-out": BEFORE}
    assert "left-out" in run.logs("WARN")


def test_people_without_a_job_do_not_fill_the_state_next_to_one_bad_candidate(
    tmp_path: Path,
) -> None:
    def script(request: Request) -> Answer:
        slug = request.path.removesuffix("/history").rpartition("/")[2]
        if slug == "bad":
            return Answer({"message": "no"}, 500)
        if request.path.endswith("/history"):
            rows = [{"job_slug": "one", "updated_at": CHANGED}]
            return Answer(rows) if slug == "good" else Answer({"message": "no"}, 404)
        slugs = ["bad", "good", *(f"none-{number:03}" for number in range(150))]
        rows = [{"slug": each, "updated_at": CHANGED} for each in slugs]
        return Answer(rows if request.query.get("page", "1") == "1" else [])

    with scripted_vendor(script) as vendor:
        connector = source(tmp_path, atz_crm=section("atz_crm", vendor.url, page_size=200))
        run = connector.read_quickly("candidate_history")
    assert run.code == 0, run.errors()
    assert [row["candidate_slug"] for row in run.records("candidate_history")] == ["good"]
    assert list(run.state("candidate_history")["set_aside"]) == ["bad"]
    assert "404 for the histories of 150 candidates" in run.logs("INFO")


ODD_FIELDS: list[dict[str, Any]] = [
    {"talent_stage": []},
    {"talent_stage": "Interview"},
    {"talent_stage": [{"id": 1, "name": "x"}]},
    {"talent_stage": 3.10},
    {"job_slug": 7},
    {"job_slug": {"b": [1], "a": True}},
    {"job_slug": ["one"], "stage_date": 20250101},
    {"stage_date": {"date": "2025-01-01"}},
]


def test_a_history_is_read_whatever_its_fields_hold(tmp_path: Path) -> None:
    plain = {"job_slug": "one", "stage_date": "2025-01-01", "updated_at": CHANGED,
             "talent_stage": {"id": 1}}  # fmt: skip
    rows = [{**plain, **odd} for odd in ODD_FIELDS]
    in_another_order = json.loads(json.dumps(rows[::-1], sort_keys=True))
    answers = [in_another_order, rows]

    def script(request: Request) -> Answer:
        if request.path.endswith("/history"):
            return Answer(answers.pop())
        slugs = [{"slug": "a", "updated_at": CHANGED}]
        return Answer(slugs if request.query.get("page", "1") == "1" else [])

    with scripted_vendor(script) as vendor:
        connector = source(tmp_path, atz_crm=section("atz_crm", vendor.url))
        runs = [connector.read_quickly("candidate_history") for _ in range(2)]
    assert [run.code for run in runs] == [0, 0], runs[0].errors()
    read = runs[0].records("candidate_history")
    assert [{key: each[key] for key in plain} for each in read] == rows
    ids = [{row["id"] for row in run.records("candidate_history")} for run in runs]
    assert ids[0] == ids[1]
    assert len(ids[0]) == len(rows)


@pytest.mark.parametrize("rows", [["text"], [[]], [7], {"rows": []}, "text"])
def test_a_history_of_another_shape_is_an_error(tmp_path: Path, rows: Any) -> None:
    def script(request: Request) -> Answer:
        if request.path.endswith("/history"):
            return Answer(rows)
        slugs = [{"slug": "a", "updated_at": CHANGED}]
        return Answer(slugs if request.query.get("page", "1") == "1" else [])

    with scripted_vendor(script) as vendor:
        connector = source(tmp_path, atz_crm=section("atz_crm", vendor.url))
        run = connector.read_quickly("candidate_history")
    assert failure_types(run, "candidate_history") == ["system_error"]


@pytest.fixture
def atz() -> Any:
    """A few people of ATZ CRM."""
    with Sandbox.start(candidates=8, accounts=1) as sandbox:
        sandbox.control("/_control/atz_crm/settings", {"rate_limit": None})
        yield sandbox


def test_one_history_that_is_not_found_once_is_read_in_the_same_run(
    atz: Sandbox, tmp_path: Path
) -> None:
    people = [row for row in atz.truth("/_control/atz_crm/truth") if row["history"]]
    slug = people[2]["slug"]
    atz.fault("atz_crm.history", "status", status=404, containing=slug, times=1)
    run = source(tmp_path, atz_crm=section("atz_crm", atz.url)).read_quickly("candidate_history")
    assert run.code == 0
    read = [row for row in run.records("candidate_history") if row["candidate_slug"] == slug]
    assert len(read) == len(people[2]["history"])
    assert not run.state("candidate_history").get("set_aside")


def test_one_history_that_stays_not_found_is_set_aside_and_read_by_a_later_run(
    atz: Sandbox, tmp_path: Path
) -> None:
    people = [row for row in atz.truth("/_control/atz_crm/truth") if row["history"]]
    slug = people[2]["slug"]
    atz.fault("atz_crm.history", "status", status=404, containing=slug)
    connector = source(tmp_path, atz_crm=section("atz_crm", atz.url))
    run = connector.read_quickly("candidate_history")
    assert run.code == 0
    assert list(run.state("candidate_history")["set_aside"]) == [slug]
    assert slug in run.logs("WARN")
    atz.clear_faults()
    again = connector.read_quickly("candidate_history", state=run.of("STATE")[-1:])
    read = [row for row in again.records("candidate_history") if row["candidate_slug"] == slug]
    assert len(read) == len(people[2]["history"])
    assert not again.state("candidate_history").get("set_aside")


# Cursors and links


def kombo_page(numbers: Sequence[int], cursor: str | None) -> Answer:
    """Return a page of Kombo."""
    rows = [{"id": f"k{number}", "changed_at": CHANGED} for number in numbers]
    return Answer({"status": "success", "data": {"next": cursor, "results": rows}})


def kombo_list(list_page: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
    """Return a Kombo that has one healthy integration and answers its lists in this way."""
    integration = {
        "id": "greenhouse:one", "category": "ATS", "status": "ACTIVE",
        "setup_status": "COMPLETED", "tool": {"id": "greenhouse"},
    }  # fmt: skip
    answer = Answer({"status": "success", "data": integration})
    return lambda request: answer if "/integrations/" in request.path else list_page(request)


@pytest.mark.parametrize("stream", ["candidates", "kombo_jobs", "comeet_positions"])
def test_a_short_page_with_a_cursor_or_link_is_not_the_end(tmp_path: Path, stream: str) -> None:
    def script(request: Request) -> Answer:
        number = int(request.query.get("cursor", "1"))
        following = str(number + 1) if number < 4 else None
        if stream.startswith("comeet"):
            link = f"{request.path}?cursor={following}" if following else None
            rows = [{"uid": f"k{number}", "time_updated": CHANGED}]
            return Answer({"positions": rows, "next_page": link})
        return kombo_page([number], following)

    vendor_name = "comeet" if stream.startswith("comeet") else "kombo"
    with scripted_vendor(kombo_list(script)) as vendor:
        connector = source(tmp_path, **{vendor_name: section(vendor_name, vendor.url)})
        run = connector.read_quickly(stream)
    assert run.code == 0, run.errors()
    keys = [row.get("id", row.get("uid")) for row in run.records(stream)]
    assert keys == ["k1", "k2", "k3", "k4"]


def test_a_resumed_page_of_kombo_that_has_only_invalid_rows_is_no_empty_page(
    tmp_path: Path,
) -> None:
    """An empty one tells that the cursor no longer works: the list would be read again."""
    is_down = True

    def script(request: Request) -> Answer:
        number = int(request.query.get("cursor", "1"))
        if number != 2:
            return kombo_page([number], "2" if number == 1 else None)
        if is_down:
            return Answer({"status": "error"}, 503)
        row = BAD_ROWS["with a key"].replace(b"slug", b"id")
        body = b'{"status":"success","data":{"next":"3","results":[%s]}}'
        return Answer(body % row)

    with scripted_vendor(kombo_list(script)) as vendor:
        connector = source(tmp_path, kombo=section("kombo", vendor.url))
        run = connector.read_quickly("candidates")
        assert [row["id"] for row in run.records("candidates")] == ["k1"]
        is_down = False
        again = connector.read_quickly("candidates", state=run.of("STATE"))
    assert again.code == 0, again.errors()
    assert [row["id"] for row in again.records("candidates")] == ["k3"]
    after = again.state("candidates")["integrations"]["greenhouse:one"]
    assert list(after["set_aside"]) == ["bad"]


@pytest.mark.parametrize("stream", ["candidates", "kombo_jobs", "comeet_positions"])
def test_empty_pages_that_name_a_next_one_are_passed_over_but_end_a_list_that_never_ends(
    tmp_path: Path, stream: str
) -> None:
    """A vendor that filters rows after it has cut the pages sends a few, but not without end."""
    numbers_on_page = {1: [1], 4: [4], 13: [13]}

    def script(request: Request) -> Answer:
        number = int(request.query.get("cursor", "1"))
        numbers = numbers_on_page.get(number, [])
        if stream.startswith("comeet"):
            rows = [{"uid": f"k{each}", "time_updated": CHANGED} for each in numbers]
            return Answer({"positions": rows, "next_page": f"{request.path}?cursor={number + 1}"})
        return kombo_page(numbers, str(number + 1))

    vendor_name = "comeet" if stream.startswith("comeet") else "kombo"
    with scripted_vendor(kombo_list(script)) as vendor:
        connector = source(tmp_path, **{vendor_name: section(vendor_name, vendor.url)})
        run = connector.read_quickly(stream)
    assert run.code == 0, run.errors()
    keys = [row.get("id", row.get("uid")) for row in run.records(stream)]
    assert keys == ["k1", "k4", "k13"]
    cursors = [int(each.query["cursor"]) for each in vendor.requests if "cursor" in each.query]
    assert cursors == list(range(2, 24))
    assert "in_progress" not in json.dumps(run.state(stream))


@pytest.mark.parametrize("cycle", [["A"], ["A", "B"], ["A", "B", "C", "D"]])
@pytest.mark.parametrize("stream", ["candidates", "kombo_jobs"])
def test_cursors_of_kombo_that_go_round_end_the_read_after_the_first_repeat(
    tmp_path: Path, cycle: list[str], stream: str
) -> None:
    served: list[int] = []

    def script(_: Request) -> Answer:
        served.append(1)
        number = len(served)
        return kombo_page([number], cycle[(number - 1) % len(cycle)] if number < 60 else None)

    with scripted_vendor(kombo_list(script)) as vendor:
        run = source(tmp_path, kombo=section("kombo", vendor.url)).read_quickly(stream)
    assert failure_types(run, stream) == ["system_error"]
    assert len(served) == len(cycle) + 1
    assert "points back" in run.errors()[0]["message"]
    assert "please report" not in run.errors()[0]["message"].lower()


@pytest.mark.parametrize("cycle", [["2"], ["2", "3"]])
def test_links_of_comeet_that_go_round_end_the_read_after_the_first_repeat(
    tmp_path: Path, cycle: list[str]
) -> None:
    served: list[int] = []
    url = ""

    def script(request: Request) -> Answer:
        served.append(1)
        number = len(served)
        link = f"{url}{request.path}?page={cycle[(number - 1) % len(cycle)]}"
        rows = [{"uid": f"P{number}", "time_updated": CHANGED}]
        return Answer({"positions": rows, "next_page": link if number < 60 else None})

    with scripted_vendor(script) as vendor:
        url = vendor.url
        run = source(tmp_path, comeet=section("comeet", vendor.url)).read_quickly(
            "comeet_positions"
        )
    assert failure_types(run, "comeet_positions") == ["system_error"]
    assert len(vendor.requests) <= len(cycle) + 2


def test_cursors_of_talemetry_that_go_round_end_the_read_after_the_first_repeat(
    tmp_path: Path,
) -> None:
    """A short page that names its own cursor is not a cycle: see the next test."""
    cycle = ["A", "B"]
    served: list[int] = []

    def script(request: Request) -> Answer:
        if "profiles" in request.path:
            return Answer({"result": {"Candidates": []}})
        served.append(1)
        number = len(served)
        guid = f"{number:08d}-0000-4000-8000-000000000000"
        cursor = cycle[(number - 1) % len(cycle)] if number < 60 else None
        return Answer({"result": {"Ids": [guid], "Cursor": cursor}})

    with scripted_vendor(script) as vendor:
        run = source(tmp_path, talemetry=section("talemetry", vendor.url)).read_quickly("profiles")
    assert run.code == 1
    assert len(served) <= len(cycle) + 4


def talemetry_people(guids: Sequence[str]) -> Answer:
    """Return Talemetry's answer with the details of these people."""
    people = [{"Candidate": {"CandidateRecordInfo": {"Id": {"IdValue": guid}}}} for guid in guids]
    return Answer({"result": {"Candidates": people}})


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (2, 1, 1), (1, 2, 1)])
def test_a_cursor_of_talemetry_may_be_the_first_person_of_the_next_page(
    tmp_path: Path, sizes: tuple[int, ...]
) -> None:
    """Then a page of one person holds nothing but the cursor that it was requested with."""
    guids = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(sum(sizes))]

    def script(request: Request) -> Answer:
        body = json.loads(request.body)
        if "profiles" in request.path:
            return talemetry_people(body["ids"])
        begin = guids.index(body["Cursor"]) if body.get("Cursor") else 0
        ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
        end = next(each for each in ends if each > begin)
        following = guids[end] if end < len(guids) else None
        return Answer({"result": {"Ids": guids[begin:end], "Cursor": following}})

    with scripted_vendor(script) as vendor:
        run = source(tmp_path, talemetry=section("talemetry", vendor.url)).read_quickly("profiles")
    assert run.code == 0, run.errors()
    assert [row["id"] for row in run.records("profiles")] == guids


def talemetry_pages(own_cursor_times: int) -> Callable[[Request], Answer]:
    """Return a Talemetry that lists three short pages and has everybody's details.

    The second page names its own cursor as the next one, this many times.
    """
    pages: dict[str | None, tuple[list[int], str | None]] = {
        None: ([1, 2], "A"), "A": ([3, 4], "B"), "B": ([5], None)
    }  # fmt: skip
    requested: Counter[str | None] = Counter()

    def script(request: Request) -> Answer:
        body = json.loads(request.body)
        if "profiles" in request.path:
            return talemetry_people(body["ids"])
        cursor = body.get("Cursor")
        requested[cursor] += 1
        numbers, following = pages[cursor]
        if cursor == "A" and requested["A"] <= own_cursor_times:
            following = "A"
        guids = [f"{number:08d}-0000-4000-8000-000000000000" for number in numbers]
        return Answer({"result": {"Ids": guids, "Cursor": following}})

    return script


@pytest.mark.parametrize(("times", "people"), [(1, 5), (3, 5), (99, 4)])
@pytest.mark.parametrize("resumes", [False, True])
def test_a_short_page_of_talemetry_that_names_its_own_cursor_is_the_end_only_if_it_always_does(
    tmp_path: Path, times: int, people: int, *, resumes: bool
) -> None:
    pages = talemetry_pages(times)
    fails = resumes

    def script(request: Request) -> Answer:
        return Answer(b"", 503) if fails and b'"Cursor"' in request.body else pages(request)

    with scripted_vendor(script) as vendor:
        connector = source(tmp_path, talemetry=section("talemetry", vendor.url))
        runs = [connector.read_quickly("profiles")]
        if resumes:
            assert failure_types(runs[0], "profiles") == ["transient_error"]
            fails = False
            vendor.requests.clear()
            runs.append(connector.read_quickly("profiles", state=runs[0].of("STATE")[-1:]))
    assert runs[-1].code == 0, runs[-1].errors()
    assert sum(len(run.records("profiles")) for run in runs) == people
    cursors = [json.loads(each.body).get("Cursor") for each in vendor.requests]
    assert cursors.count("A") == 1 + min(times, 3)


GUIDS = [f"{number:08d}-aaaa-4000-8000-000000000000" for number in range(3)]
OTHER_LISTS: dict[str, dict[str, Any]] = {
    "an empty list": {"events": [], "result": {"Ids": GUIDS}},
    "an empty list within": {"result": {"Excluded": [], "Ids": GUIDS, "Empty": []}},
    "names": {"fields": ["IdValue"], "result": {"Ids": GUIDS}},
    "addresses": {"result": {"Emails": ["ada@example.org"], "People": [{"Id": GUIDS[0]}]}},
    "other GUIDs": {"tenants": [f"{9:08d}-aaaa-4000-8000-000000000000"], "result": {"Ids": GUIDS}},
    "other ids": {"versions": ["v2"], "result": {"Ids": GUIDS}},
    "a blank": {"result": {"Ids": [*GUIDS, ""]}},
}
NO_LIST_OF_GUIDS: dict[str, dict[str, Any]] = {
    "addresses": {"result": {"People": ["ada@example.org", "bob@example.org"]}},
    "some GUIDs": {"result": {"Ids": [*GUIDS, "ada@example.org"]}},
    "one GUID": {"result": {"Ids": [GUIDS[0], "ada@example.org"]}},
    "next to an empty list": {"result": {"Errors": [], "Ids": [], "People": ["ada@example.org"]}},
    "next to a single GUID": {"RequestId": GUIDS[0], "result": {"People": ["ada@example.org"]}},
}


def talemetry_that_lists(body: dict[str, Any]) -> Callable[[Request], Answer]:
    """Return a Talemetry with one page of ids, which has the details of every person."""

    def script(request: Request) -> Answer:
        if "profiles" not in request.path:
            return Answer({**body, "Cursor": None})
        return talemetry_people(json.loads(request.body)["ids"])

    return script


@pytest.mark.parametrize("name", OTHER_LISTS)
def test_another_list_before_the_guids_of_talemetry_hides_nobody(tmp_path: Path, name: str) -> None:
    with scripted_vendor(talemetry_that_lists(OTHER_LISTS[name])) as vendor:
        run = source(tmp_path, talemetry=section("talemetry", vendor.url)).read_quickly("profiles")
    assert run.code == 0, run.errors()
    expected = GUIDS[:1] if name == "addresses" else GUIDS
    assert [row["id"] for row in run.records("profiles")] == expected
    assert "ada@example.org" not in str(run.messages)


def test_ids_of_talemetry_that_are_not_guids_are_taken_where_they_are_the_only_ones(
    tmp_path: Path,
) -> None:
    with scripted_vendor(talemetry_that_lists({"result": {"Ids": ["k1", "k2"]}})) as vendor:
        run = source(tmp_path, talemetry=section("talemetry", vendor.url)).read_quickly("profiles")
    assert [row["id"] for row in run.records("profiles")] == ["k1", "k2"]


@pytest.mark.parametrize(
    "more",
    [{"Events": ["created"]}, {"Links": [{"rel": "self"}]}, {"Fields": ["Id", "Name"]}],
    ids=str,
)
def test_an_empty_list_of_talemetry_next_to_another_list_means_nobody(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    with scripted_vendor(talemetry_that_lists({"result": {"Ids": [], **more}})) as vendor:
        run = source(tmp_path, talemetry=section("talemetry", vendor.url)).read_quickly("profiles")
    assert run.code == 0, run.errors()
    assert run.records("profiles") == []


@pytest.mark.parametrize("name", NO_LIST_OF_GUIDS)
def test_what_is_not_a_guid_is_no_person_of_talemetry(tmp_path: Path, name: str) -> None:
    with scripted_vendor(talemetry_that_lists(NO_LIST_OF_GUIDS[name])) as vendor:
        run = source(tmp_path, talemetry=section("talemetry", vendor.url)).read_quickly("profiles")
    assert failure_types(run, "profiles") == ["system_error"]
    assert "holds no list of GUIDs" in run.errors()[0]["message"]
    assert not run.records("profiles")
    assert not any("listed_until" in each for each in run.states("profiles"))
    assert "ada@example.org" not in str(run.messages)


@pytest.mark.parametrize("spelled", [str.lower, str.upper], ids=["lower", "upper"])
def test_a_person_listed_in_capitals_and_small_letters_is_one_person(
    tmp_path: Path, spelled: Callable[[str], str]
) -> None:
    """With the id as it is listed first, however the person's own response spells it."""
    guids = [each.replace("a", "b") for each in GUIDS]
    deleted: list[str] = []

    def script(request: Request) -> Answer:
        body = json.loads(request.body)
        if "profiles" in request.path:
            there = [guid for guid in body["ids"] if guid.upper() not in deleted]
            return talemetry_people(list(map(spelled, there)))
        left = [each for each in guids if each.upper() not in deleted]
        listed = {"created": left, "updated": [each.upper() for each in left], "deleted": deleted}
        return Answer({"result": {"Ids": listed[body["DateTimeRange"]["Event"]], "Cursor": None}})

    start = (datetime.now(UTC) - timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    with scripted_vendor(script) as vendor:
        connector = source(tmp_path, start_date=start, talemetry=section("talemetry", vendor.url))
        run = connector.read_quickly("profiles")
        deleted.append(guids[2].upper())
        before = {**run.state("profiles"), "listed_until": start}
        before["set_aside"] = dict.fromkeys([guids[0].upper(), guids[1], guids[2]], BEFORE)
        again = connector.read_quickly("profiles", state=state(before, "profiles"))
    assert [row["id"] for row in run.records("profiles")] == guids
    assert again.code == 0, again.errors()
    there = {row["id"].lower() for row in again.records("profiles") if not row["is_deleted"]}
    assert there == set(guids[:2])
    assert "set_aside" not in again.state("profiles")


LINKS = {
    "absolute": "{url}/comeet/positions?page=2&limit=5",
    "the public host": "https://api.comeet.co/comeet/positions?page=2&limit=5",
    "relative to the host": "/comeet/positions?page=2&limit=5",
    "relative to the page": "positions?page=2&limit=5",
    "only a query": "?page=2&limit=5",
    "a host in capitals": "{capitals}/comeet/positions?page=2&limit=5",
}


@pytest.mark.parametrize("name", LINKS)
def test_a_link_is_followed_by_path_and_query_on_the_configured_host(
    tmp_path: Path, name: str
) -> None:
    link = ""

    def script(request: Request) -> Answer:
        if request.query.get("page") == "2":
            return Answer({"positions": [{"uid": "two", "time_updated": CHANGED}]})
        rows = [{"uid": "one", "time_updated": CHANGED}]
        return Answer({"positions": rows, "next_page": link})

    with scripted_vendor(script) as vendor:
        url = vendor.url.replace("127.0.0.1", "localhost")
        link = LINKS[name].format(url=url, capitals=url.replace("localhost", "LOCALHOST"))
        run = source(tmp_path, comeet=section("comeet", url)).read_quickly("comeet_positions")
    assert run.code == 0, run.errors()
    assert [row["uid"] for row in run.records("comeet_positions")] == ["one", "two"]
    assert vendor.requests[-1].path == "/comeet/positions"
    assert vendor.requests[-1].query == {"page": "2", "limit": "5"}
    assert vendor.requests[-1].headers["authorization"]


# Page sizes


@pytest.fixture(scope="module")
def many() -> Any:
    """Enough people for several pages."""
    with Sandbox.start(candidates=600, accounts=1) as sandbox:
        sandbox.control("/_control/atz_crm/settings", {"rate_limit": None})
        yield sandbox


TOO_LARGE = {
    "candidates": ("kombo", "kombo.candidates", ["page_size=250&", "page_size=125&"]),
    "atz_candidates": ("atz_crm", "atz_crm.candidates", ["limit=100&", "limit=50&"]),
    "candidate_history": ("atz_crm", "atz_crm.candidates", ["limit=100&", "limit=50&"]),
    "profiles": ("talemetry", "talemetry.ids", ['"PageSize": 100', '"PageSize": 50']),
}
"""What an API that fails on large pages refuses: the size and its half."""


@pytest.mark.parametrize("stream", TOO_LARGE)
def test_an_api_that_fails_on_large_pages_is_read_in_smaller_ones(
    many: Sandbox, tmp_path: Path, stream: str
) -> None:
    vendor, route, sizes = TOO_LARGE[stream]
    many.clear_faults()
    more = {"integration_ids": integrations(many)} if vendor == "kombo" else {}
    connector = source(tmp_path, **{vendor: section(vendor, many.url, **more)})
    whole = connector.read_quickly(stream)
    for size in sizes:
        many.fault(route, "status", status=504, containing=size)
    clock = QuickClock(threading.Event())
    run = connector.run_quickly("read", clock=clock, catalog=catalog(stream))
    many.clear_faults()
    assert run.code == 0, run.errors()
    key = {"candidate_history": "candidate_slug", "atz_candidates": "slug"}.get(stream, "id")
    assert {row[key] for row in run.records(stream)} == {row[key] for row in whole.records(stream)}
    assert clock.waited < 900


def test_when_no_page_size_helps_the_message_names_the_setting(tmp_path: Path) -> None:
    def script(request: Request) -> Answer:
        if request.query.get("page_size") == "1":
            return kombo_page([1], "next")
        return Answer(b"<html>", 504)

    clock = QuickClock(threading.Event())
    with scripted_vendor(script) as vendor:
        connector = source(tmp_path, kombo=section("kombo", vendor.url))
        run = connector.run_quickly("read", clock=clock, catalog=catalog("candidates"))
    assert failure_types(run, "candidates") == ["transient_error"]
    assert "page_size" in run.errors()[0]["message"]
    sizes = [int(each.query["page_size"]) for each in vendor.requests]
    assert min(size for size in sizes if size > 1) in range(10, 16)
    assert clock.waited < 900


def test_the_page_size_never_changes_under_one_cursor(tmp_path: Path) -> None:
    def script(request: Request) -> Answer:
        size = int(request.query["page_size"])
        if size > 100:
            return Answer(b"", 504)
        start = int(request.query.get("cursor", "0:0").partition(":")[2])
        rows = range(start, min(start + size, 300))
        more = start + size < 300
        return kombo_page(rows, f"{size}:{start + size}" if more else None)

    with scripted_vendor(script) as vendor:
        run = source(tmp_path, kombo=section("kombo", vendor.url)).read_quickly("candidates")
    assert run.code == 0, run.errors()
    assert len({row["id"] for row in run.records()}) == 300
    for request in vendor.requests:
        if "cursor" in request.query:
            assert request.query["cursor"].startswith(f"{request.query['page_size']}:")


def test_a_page_that_fails_for_longer_than_the_retries_keeps_its_state(tmp_path: Path) -> None:
    failing = True

    def script(request: Request) -> Answer:
        if request.query.get("cursor") == "c2" and failing:
            return Answer(b"", 503)
        number = int(request.query.get("cursor", "c0")[1:])
        return kombo_page([number], f"c{number + 1}" if number < 3 else None)

    with scripted_vendor(script) as vendor:
        connector = source(tmp_path, kombo=section("kombo", vendor.url))
        first = connector.read_quickly("candidates")
        assert failure_types(first, "candidates") == ["transient_error"]
        failing = False
        before = len(vendor.requests)
        second = connector.read_quickly("candidates", state=first.of("STATE")[-1:])
    assert second.code == 0
    assert vendor.requests[before].query["cursor"] == "c2"
    assert [row["id"] for row in (*first.records(), *second.records())] == ["k0", "k1", "k2", "k3"]


@pytest.mark.parametrize("stream", ["atz_candidates", "candidate_history"])
def test_a_page_of_atz_crm_that_fails_in_each_run_is_read_in_smaller_ones(
    many: Sandbox, tmp_path: Path, stream: str
) -> None:
    many.clear_faults()
    connector = source(tmp_path, atz_crm=section("atz_crm", many.url))
    whole = connector.read_quickly(stream)
    many.fault("atz_crm.candidates", "status", status=504, containing="page=3&limit=100&")
    runs = [connector.read_quickly(stream)]
    if stream == "atz_candidates":
        assert failure_types(runs[0], stream) == ["transient_error"]
        runs.append(connector.read_quickly(stream, state=runs[0].of("STATE")[-1:]))
    many.clear_faults()
    assert runs[-1].code == 0, runs[-1].errors()
    key = {"candidate_history": "candidate_slug", "atz_candidates": "slug"}[stream]
    read = {row[key] for run in runs for row in run.records(stream)}
    assert read == {row[key] for row in whole.records(stream)}


def test_a_smaller_page_size_is_kept_by_a_resumed_read_of_atz_crm(
    many: Sandbox, tmp_path: Path
) -> None:
    many.clear_faults()
    connector = source(tmp_path, atz_crm=section("atz_crm", many.url))
    many.fault("atz_crm.candidates", "status", status=504, containing="limit=100&")
    many.fault("atz_crm.candidates", "status", status=504, containing="page=5&limit=50&")
    first = connector.read_quickly("atz_candidates")
    assert failure_types(first, "atz_candidates") == ["transient_error"]
    many.clear_faults()
    many.reset_log()
    second = connector.read_quickly("atz_candidates", state=first.of("STATE")[-1:])
    assert second.code == 0, second.errors()
    assert {call["query"]["limit"] for call in many.log("atz_crm.candidates")} == {"50"}


def test_a_check_of_a_list_that_keeps_failing_does_not_speak_of_the_next_run(
    many: Sandbox, tmp_path: Path
) -> None:
    many.clear_faults()
    connector = source(tmp_path, atz_crm=section("atz_crm", many.url))
    for size in (100, 50, 25, 12, 10):
        many.fault("atz_crm.candidates", "status", status=504, containing=f"limit={size}&")
    run = connector.run_quickly("check")
    many.clear_faults()
    (answer,) = run.of("CONNECTION_STATUS")
    # Deals can be read.
    assert (run.code, answer["status"]) == (0, "SUCCEEDED")
    assert "atz_crm.page_size" in answer["message"]
    assert "next run" not in answer["message"]
