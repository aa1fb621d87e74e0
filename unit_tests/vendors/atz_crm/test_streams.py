"""A pass over ATZ CRM, against a server in this process and a clock that only waits move."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import orjson
import pytest
import requests_mock
from pydantic import ValidationError

from source_ats.clock import rfc3339
from source_ats.errors import (
    AtsError,
    ConfigError,
    ContractError,
    IncompleteResponse,
    RequestRefused,
    TransientError,
)
from source_ats.http.retry import CHECK_POLICY, READ_POLICY
from source_ats.sync.privacy import Privacy
from source_ats.sync.stream import Page, Partitioning, ReadOptions, State
from source_ats.vendors.atz_crm import streams
from source_ats.vendors.atz_crm.check import check as check_atz_crm
from source_ats.vendors.atz_crm.config import AtzCrmConfig
from source_ats.vendors.atz_crm.history_pass import IMPATIENT_POLICY
from source_ats.vendors.atz_crm.list_reader import SECONDS_BETWEEN_404S
from unit_tests.fakes import NOON, FakeClock

BASE = "https://atz.example.com/v1"
HOUR = timedelta(hours=1)
ALL_STREAMS = ["candidate_history", "atz_candidates", "atz_deals"]
MANY = 100_000
Json = dict[str, Any]


def slug(number: int) -> str:
    """Return a slug whose order is the reverse of the order of ages."""
    return f"candidate_{MANY - number:020x}"


def text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def row(at: datetime, **fields: Any) -> Json:
    return {
        "job_slug": "job_1",
        "talent_stage": {"id": 1, "name": "Assigned"},
        "stage_date": at.date().isoformat(),
        "updated_at": text(at),
        **fields,
    }


OLD = NOON - timedelta(days=30)
PAGES = ["page 1", "page 2", "page 3"]
"""Of 25 candidates."""
BOTH_LISTINGS = [*PAGES, "page 4"] * 2
"""Of 25 candidates, whose last page is short: only an empty one shows that it is the last."""
ONE_STREAM = [*PAGES, "page 4", *reversed(PAGES)]
"""The same, where only a list is read."""


@dataclass
class Atz:
    """A made-up ATZ CRM: who is listed in which order, with which history, and what breaks."""

    clock: FakeClock = field(default_factory=FakeClock)
    listed: list[int] = field(default_factory=list)
    rows: dict[int, list[Json]] = field(default_factory=dict)
    updated: dict[int, datetime | None] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)
    """Candidates whose history answers with a status."""
    max_limit: int = 1000
    refuses: Callable[[Json], int | None] = lambda query: None
    """The status with which a request for the list is refused."""
    after_page: Callable[[int], None] = lambda page: None
    before_history: Callable[[int], int | None] = lambda number: None
    calls: list[str] = field(default_factory=list)
    """Slugs, and pages as `page N`, as they were asked for."""
    ignores_page: bool = False
    repeats_last_page: bool = False
    past_the_end: int = 200
    hidden: set[int] = field(default_factory=set)
    """Candidates that are left out of their page, which is short then."""
    raw_times: dict[int, str] = field(default_factory=dict)
    """Candidates whose `updated_at` is this text."""
    broken: set[int] = field(default_factory=set)
    """Candidates whose slug is not valid JSON."""
    total: Callable[[int], int] | None = None
    """What the answer says of the whole list; it gets the number of rows of the page."""
    headers: Json = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def candidates(self, many: int, rows: int = 2) -> None:
        """Add candidates, each with this number of old rows."""
        self.listed = list(range(many))
        for number in self.listed:
            self.rows[number] = [
                row(OLD + timedelta(days=each), stage_date=f"2025-01-{each + 1:02}")
                for each in range(rows)
            ]
            self.updated[number] = OLD

    def change(self, number: int) -> None:
        """Change the first row of a candidate now."""
        self.rows[number][0]["updated_at"] = text(self.clock.now())

    def answer(self, request: Any, context: Any) -> str:
        """Answer any request."""
        with self.lock:
            context.headers["Date"] = format_datetime(self.clock.now(), usegmt=True)
            found = re.fullmatch(r"/v1/candidate/candidate_([0-9a-f]{20})/history", request.path)
            if found:
                return self._history(MANY - int(found[1], 16), context)
            assert request.path in {"/v1/candidate", "/v1/deal"}
            return self._page({name: values[0] for name, values in request.qs.items()}, context)

    def _history(self, number: int, context: Any) -> str:
        self.calls.append(slug(number))
        status = self.before_history(number) or self.answers.get(number)
        if status is None and number not in self.listed:
            status = 404
        if status is not None:
            context.status_code = status
            context.headers.update(self.headers)
            return json.dumps({"message": "canary"})
        return json.dumps(self.rows.get(number, []))

    def _page(self, query: Json, context: Any) -> str:
        page, limit = int(query["page"]), min(int(query["limit"]), self.max_limit)
        self.calls.append(f"page {page}")
        status = self.refuses(query)
        last = max(0, len(self.listed) - 1) // limit + 1
        if self.ignores_page:
            page = 1
        elif self.repeats_last_page:
            page = min(page, last)
        start = (page - 1) * limit
        shown = [each for each in self.listed[start : start + limit] if each not in self.hidden]
        if not shown and page > 1 and self.past_the_end != 200:
            status = self.past_the_end
        if status is not None:
            context.status_code = status
            return json.dumps({"message": "canary"})
        self.after_page(page)
        rows = [
            {
                "id": number,
                "slug": slug(number),
                **({"updated_at": text(at)} if (at := self.updated.get(number)) else {}),
                **({"updated_at": self.raw_times[number]} if number in self.raw_times else {}),
            }
            for number in shown
        ]
        body = json.dumps(
            rows if self.total is None else {"data": rows, "total": self.total(len(rows))}
        )
        for number in self.broken:
            body = body.replace(json.dumps(slug(number)), "broken")
        return body


@pytest.fixture
def atz() -> Iterator[Atz]:
    server = Atz()
    with requests_mock.Mocker() as mocker:
        mocker.register_uri(requests_mock.ANY, re.compile(f"^{BASE}"), text=server.answer)
        yield server
        assert {request.method for request in mocker.request_history} <= {"GET"}


@dataclass
class Read:
    """What a pass gave, and how it ended."""

    pages: list[Page]
    failure: AtsError | None
    clock: FakeClock

    @property
    def rows(self) -> list[Json]:
        return [orjson.loads(each) for page in self.pages for each in page.records]

    @property
    def state(self) -> Json:
        """The last state, as the next run gets it."""
        return state_of(self.pages[-1])

    def slugs(self) -> list[str]:
        """Return the slugs of the candidates or deals that came."""
        return [each.get("candidate_slug") or each["slug"] for each in self.rows]

    def asked(self) -> list[str]:
        return [each["candidate_slug"] for each in self.rows]


def state_of(page: Page) -> Json:
    state: Json = json.loads(json.dumps(page.state))
    return state


def read(  # noqa: PLR0913 - each test names what it needs
    atz: Atz,
    state: State | None = None,
    *,
    start_date: str | None = None,
    lookback: int = 0,
    stop_after: int | None = None,
    name: str = "candidate_history",
    before: str | None = None,
    before_state: State | None = None,
    **section: Any,
) -> Read:
    """Read a stream, to the end or for this many pages; `before` it another, in the same run."""
    settings = AtzCrmConfig(
        access_token="made-up",
        base_url=BASE,
        **{"page_size": 10, "min_hours_between_passes": 0} | section,
    )
    options = ReadOptions(
        datetime.fromisoformat(start_date) if start_date else None, timedelta(minutes=lookback)
    )
    client = streams.client(
        settings, atz.clock, on_rate_limit=lambda until: None, retry_policy=READ_POLICY
    )
    by_name = {each.name: each for each in streams.streams(settings, options, client)}
    found: list[Page] = []
    failure = None
    if before is not None:
        with contextlib.suppress(AtsError):
            for _ in by_name[before].pages(before_state or {}, False):
                pass
    pages = by_name[name].pages(state or {}, False)
    try:
        for page in pages:
            found.append(page)
            if stop_after is not None and len(found) > stop_after:
                break
    except AtsError as error:
        failure = error
    assert isinstance(pages, Generator)
    pages.close()
    for thread in threading.enumerate():
        if thread.name.startswith("ThreadPoolExecutor"):
            thread.join()  # a call that was in flight at the cut
    return Read(found, failure, atz.clock)


def slugs(atz: Atz) -> list[str]:
    return sorted(map(slug, atz.listed))


# A pass


@pytest.mark.parametrize("at_once", [1, 4])
def test_everybody_is_asked_once_in_the_order_of_slugs(atz: Atz, at_once: int) -> None:
    atz.candidates(25)
    run = read(atz, concurrent_requests=at_once)
    assert run.failure is None
    assert run.asked() == [each for each in slugs(atz) for _ in range(2)]
    assert Counter(atz.calls) == Counter(BOTH_LISTINGS + slugs(atz))
    assert {each["candidate_id"] for each in run.rows} == set(atz.listed)


def test_a_list_that_ends_with_a_full_page_needs_a_look_behind_it(atz: Atz) -> None:
    atz.candidates(20)
    read(atz)
    assert len(atz.calls) == 2 * 3 + 20


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("name", ALL_STREAMS)
def test_page_after_a_short_last_page_may_be_empty_or_missing(
    atz: Atz, status: int, name: str
) -> None:
    atz.past_the_end = status
    assert read(atz, name=name).rows == []
    atz.candidates(19)
    run = read(atz, name=name)
    assert run.failure is None
    assert set(run.slugs()) == set(slugs(atz))


@pytest.mark.parametrize("name", ALL_STREAMS)
def test_lasting_404_after_a_full_page_is_an_error(atz: Atz, name: str) -> None:
    atz.past_the_end = 404
    atz.candidates(20)
    run = read(atz, name=name)
    assert type(run.failure) is ContractError
    assert "atz_crm.page_size" in run.failure.message
    assert atz.calls == ["page 1", "page 2", *["page 3"] * (1 + len(SECONDS_BETWEEN_404S))]


def test_the_state_says_up_to_which_slug_a_pass_is_done(atz: Atz) -> None:
    atz.candidates(3)
    run = read(atz)
    states = [state_of(page) for page in run.pages]
    assert [each.get("in_progress", {}).get("after_slug") for each in states] == [
        "",
        *slugs(atz),
        None,
    ]
    began = states[0]["in_progress"]["started_at"]
    assert states[-1] == {"updated_at": began, "finished_at": states[-1]["finished_at"]}
    assert began < states[-1]["finished_at"]


def test_the_bookmark_is_when_the_pass_began_less_the_lookback(atz: Atz) -> None:
    atz.candidates(3)
    began = atz.clock.now()
    state = read(atz, lookback=90).state
    assert datetime.fromisoformat(state["updated_at"]) == began - 1.5 * HOUR


def test_progress_tells_how_many_of_how_many(atz: Atz) -> None:
    atz.candidates(12)
    progress = [page.progress for page in read(atz).pages]
    assert all(each and each.total == 12 for each in progress)
    assert [each.done for each in progress if each] == [*range(13), 12]


def test_the_state_is_small_whatever_the_number_of_candidates(atz: Atz) -> None:
    atz.candidates(300, rows=0)
    run = read(atz, {"updated_at": text(OLD), "finished_at": text(OLD)}, page_size=100)
    assert max(len(json.dumps(page.state)) for page in run.pages) < 300


def partitioned_histories(atz: Atz) -> Partitioning:
    """Return how several readers share the histories."""
    settings = AtzCrmConfig(access_token="made-up", base_url=BASE, page_size=10)
    client = streams.client(
        settings, atz.clock, on_rate_limit=lambda until: None, retry_policy=READ_POLICY
    )
    options = ReadOptions(None, timedelta(0))
    (history,) = (
        each
        for each in streams.streams(settings, options, client)
        if each.name == "candidate_history"
    )
    assert history.partitioning is not None
    return history.partitioning


@pytest.mark.parametrize("of", [1, 3])
def test_partitions_of_a_batch_bring_each_candidate_once(atz: Atz, of: int) -> None:
    atz.candidates(25)
    partitioning = partitioned_histories(atz)
    after = json.loads(json.dumps(partitioning.plan({}, of)))
    assert after == {"updated_at": rfc3339(NOON), "finished_at": rfc3339(NOON)}
    partitions = partitioning.split({}, after, of)
    assert len(partitions) == of
    found = [
        orjson.loads(each)["candidate_slug"]
        for partition in partitions
        for page in partitioning.pages(json.loads(json.dumps(dict(partition))))
        for each in page.records
    ]
    assert Counter(found) == dict.fromkeys(slugs(atz), 2)
    assert partitioning.plan(after, of) == after, "no other pass is due within the hour"
    old = {"updated_at": "2026-01-30T00:00:00Z", "finished_at": "2026-01-30T01:00:00Z"}
    (first, *_) = partitioning.split(old, after, of)
    assert list(partitioning.pages(first))[-1].records == []


@pytest.mark.parametrize("of", [1, 3])
def test_a_partition_whose_list_has_a_gap_fails_before_a_history_is_requested(
    atz: Atz, of: int
) -> None:
    """The state is planned already: it would say that the missing history was read."""
    atz.candidates(25)
    atz.broken.add(3)
    partitioning = partitioned_histories(atz)
    after = partitioning.plan({}, of)
    for partition in partitioning.split({}, after, of):
        with pytest.raises(IncompleteResponse, match="slug cannot be read"):
            list(partitioning.pages(partition))
    assert not [call for call in atz.calls if call.startswith("candidate_")]


def test_a_pass_that_is_not_due_is_said_with_its_setting(
    atz: Atz, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    atz.candidates(1)
    state = read(atz).state
    caplog.clear()
    assert read(atz, state, min_hours_between_passes=2).pages == []
    assert caplog.messages == [
        (
            f"candidate_history: the last pass ended at {state['finished_at']}, less than 2 hours "
            "ago (atz_crm.min_hours_between_passes). Nothing is read."
        )
    ]


# What is new


def test_whose_history_has_a_new_row_comes_whole_and_nobody_else(atz: Atz) -> None:
    atz.candidates(15)
    state = read(atz).state
    atz.clock.advance(3600)
    atz.change(7)
    atz.clock.advance(60)
    run = read(atz, state)
    assert run.asked() == [slug(7)] * 2
    assert len({each["read_at"] for each in run.rows}) == 1
    assert read(atz, run.state).rows == []


def test_what_changes_during_a_pass_is_found_by_the_next(atz: Atz) -> None:
    atz.candidates(15)
    first = slugs(atz)[0]
    seen = []

    def change_behind(number: int) -> None:
        if slug(number) == first:
            seen.append(number)
        elif len(seen) == 1 and slug(number) > slugs(atz)[5]:
            atz.clock.advance(1)
            atz.change(seen[0])
            seen.append(number)

    atz.before_history = change_behind
    state = read(atz).state
    assert read(atz, state).asked() == [first] * 2


def test_nothing_that_changed_before_the_start_date_is_read(atz: Atz) -> None:
    atz.candidates(5)
    atz.change(3)
    run = read(atz, start_date=text(NOON - HOUR))
    assert run.asked() == [slug(3)] * 2


def test_a_row_counts_by_its_own_time_not_by_its_candidate_s(atz: Atz) -> None:
    atz.candidates(5)
    state = read(atz).state
    atz.clock.advance(3600)
    atz.updated[2] = atz.clock.now()
    assert read(atz, state).rows == []


def test_of_changed_candidates_only_those_that_changed_are_asked(atz: Atz) -> None:
    atz.candidates(25)
    state = read(atz).state
    atz.clock.advance(3600)
    atz.updated[4] = atz.updated[9] = atz.clock.now()
    atz.updated[11] = None
    atz.change(4)
    atz.change(5)
    atz.calls.clear()
    run = read(atz, state, history_of="changed_candidates")
    assert Counter(each for each in atz.calls if "page" not in each) == Counter(
        [slug(4), slug(9), slug(11)]
    )
    assert run.asked() == [slug(4)] * 2
    assert run.pages[0].progress is not None
    assert run.pages[0].progress.total == 3


def test_the_first_pass_over_changed_candidates_is_over_all(atz: Atz) -> None:
    atz.candidates(5)
    assert len(read(atz, history_of="changed_candidates").rows) == 10


def test_another_pass_soon_after_the_last_is_one_call(atz: Atz) -> None:
    atz.candidates(5)
    state = read(atz, min_hours_between_passes=2).state
    atz.clock.advance(2 * 3600 - 60)
    atz.calls.clear()
    assert read(atz, state, min_hours_between_passes=2).pages == []
    assert atz.calls == ["page 1"]
    atz.clock.advance(60)
    assert read(atz, state, min_hours_between_passes=2).state["updated_at"] > state["updated_at"]


def test_without_hours_between_passes_the_next_may_begin_at_once(atz: Atz) -> None:
    atz.candidates(5)
    state = {**read(atz).state, "finished_at": text(atz.clock.now() + timedelta(seconds=1))}
    assert read(atz, state).pages


def test_a_pass_that_was_cut_resumes_however_young(atz: Atz) -> None:
    atz.candidates(5)
    state = read(atz).state
    cut = read(atz, state, stop_after=2).state
    assert cut["updated_at"] == state["updated_at"]
    assert read(atz, cut, min_hours_between_passes=5).state["updated_at"] > state["updated_at"]


# Cut and resumed


@pytest.mark.parametrize("stop_after", [0, 1, 7, 24, 25])
def test_a_cut_repeats_only_the_list(atz: Atz, stop_after: int) -> None:
    atz.candidates(25)
    whole = read(atz).rows
    cut = read(atz, stop_after=stop_after, concurrent_requests=1)
    atz.calls.clear()
    rest = read(atz, cut.state)
    assert [each["id"] for each in cut.rows + rest.rows] == [each["id"] for each in whole]
    assert Counter(atz.calls) == Counter(BOTH_LISTINGS + slugs(atz)[stop_after:])
    assert rest.state["updated_at"] == cut.pages[0].state["in_progress"]["started_at"]


def test_the_slug_in_the_state_need_not_exist_any_more(atz: Atz) -> None:
    atz.candidates(9)
    cut = read(atz, stop_after=4)
    gone = cut.state["in_progress"]["after_slug"]
    atz.listed.remove(MANY - int(gone.removeprefix("candidate_"), 16))
    rest = read(atz, cut.state)
    assert set(cut.asked()) | set(rest.asked()) == {gone, *slugs(atz)}


# A list that moves while it is read


def test_who_slips_into_a_page_that_was_read_is_found_by_the_second_reading(atz: Atz) -> None:
    atz.candidates(30)
    deleted: list[int] = []

    def delete_one(page: int) -> None:
        if page == 1 and not deleted:
            deleted.append(atz.listed.pop(0))

    atz.after_page = delete_one
    run = read(atz)
    assert run.failure is None
    assert set(run.asked()) == set(slugs(atz))
    # Candidate 10 slipped from the second page into the first.
    assert run.asked()[-1] == slug(10)
    assert run.state.keys() == {"updated_at", "finished_at"}


def test_progress_counts_candidates_of_the_second_listing_once(atz: Atz) -> None:
    atz.candidates(30)

    def delete_one(page: int) -> None:
        if page == 1 and 0 in atz.listed:
            atz.listed.remove(0)

    atz.after_page = delete_one
    progress = [page.progress for page in read(atz).pages]
    assert [(each.done, each.total) for each in progress if each][-2:] == [(30, 30), (30, 30)]


def test_rows_of_another_job_are_left_out(atz: Atz) -> None:
    """A server may ignore the parameter."""
    atz.candidates(1)
    atz.rows[0][1]["job_slug"] = "job_2"
    (only,) = read(atz, job_slug="job_2").rows
    assert only["job_slug"] == "job_2"


def test_many_deletions_in_both_readings_lose_nobody(atz: Atz) -> None:
    atz.candidates(100)

    def delete_one(_page: int) -> None:
        atz.listed.pop(0)

    atz.after_page = delete_one
    run = read(atz, concurrent_requests=1)
    assert set(slugs(atz)) <= set(run.asked())


def test_who_is_added_at_the_end_or_the_front_is_read_too(atz: Atz) -> None:
    atz.candidates(30)

    def add(number: int) -> None:
        if slug(number) == slugs(atz)[10]:
            for place, new in ((0, 1000), (len(atz.listed), 1001)):
                atz.listed.insert(place, new)
                atz.rows[new] = [row(atz.clock.now())]
            atz.before_history = lambda number: None

    atz.before_history = add
    run = read(atz)
    assert set(run.asked()) == set(slugs(atz))
    progress = run.pages[-1].progress
    assert progress is not None
    assert (progress.done, progress.total) == (32, 32)


def test_nobody_is_read_twice_who_is_listed_twice(atz: Atz) -> None:
    atz.candidates(30)

    def add_at_the_front(page: int) -> None:
        if page == 1:
            atz.listed.insert(0, 1000 + len(atz.listed))
            atz.rows[atz.listed[0]] = [row(NOON)]

    atz.after_page = add_at_the_front
    run = read(atz)
    assert max(Counter(each["id"] for each in run.rows).values()) == 1


# A server of another kind


@pytest.mark.parametrize("cap", [3, 10, 99])
def test_a_server_may_give_fewer_than_asked_for(atz: Atz, cap: int) -> None:
    atz.candidates(250)
    atz.max_limit = cap
    run = read(atz, page_size=100)
    assert len(set(run.asked())) == 250


@pytest.mark.parametrize("name", ALL_STREAMS)
@pytest.mark.parametrize("past_the_end", [200, 404])
@pytest.mark.parametrize(("cap", "people"), [(1, 7), (3, 30), (50, 101), (99, 100)])
def test_server_that_caps_every_page_is_read_whole(
    atz: Atz, name: str, past_the_end: int, cap: int, people: int
) -> None:
    atz.candidates(people)
    atz.max_limit, atz.past_the_end = cap, past_the_end
    run = read(atz, name=name, page_size=100)
    assert run.failure is None
    assert set(run.slugs()) == set(slugs(atz))


@pytest.mark.parametrize("name", ALL_STREAMS)
@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("total", [None, 59, 10, 1000, "rows of the page"])
@pytest.mark.parametrize("hidden", [{25}, {0}, {59}, {1, 2, 3, 4, 5, 6, 7, 8, 25, 47}])
def test_short_page_is_not_the_end(
    atz: Atz, name: str, at_once: int, total: int | str | None, hidden: set[int]
) -> None:
    atz.candidates(60)
    atz.hidden = hidden
    if total is not None:
        atz.total = lambda rows: total if isinstance(total, int) else rows
    run = read(atz, name=name, concurrent_requests=at_once)
    assert run.failure is None
    assert set(run.slugs()) == set(slugs(atz)) - {slug(number) for number in hidden}


def test_total_that_is_reached_saves_the_request_after_a_short_page(atz: Atz) -> None:
    atz.candidates(25)
    atz.total = lambda rows: 25
    assert len(read_list(atz).rows) == 25
    assert atz.calls == [*PAGES, *reversed(PAGES)]


@pytest.mark.parametrize("name", ALL_STREAMS)
@pytest.mark.parametrize("page", range(1, 7))
@pytest.mark.parametrize("asked_before", [0, 1])
def test_page_that_is_not_found_for_a_moment_is_requested_again(
    atz: Atz, name: str, page: int, asked_before: int
) -> None:
    """Once in the first reading of the list, and once in the second."""
    atz.candidates(60)
    answers = iter([None] * asked_before + [404, 404])
    atz.refuses = lambda query: next(answers, None) if query["page"] == str(page) else None
    run = read(atz, name=name)
    assert run.failure is None
    assert set(run.slugs()) == set(slugs(atz))


@pytest.mark.parametrize("name", ALL_STREAMS)
def test_page_that_stays_missing_in_the_second_reading_is_an_error(atz: Atz, name: str) -> None:
    atz.candidates(60)
    answers = iter([None])
    atz.refuses = lambda query: next(answers, 404) if query["page"] == "3" else None
    run = read(atz, name=name)
    assert type(run.failure) is ContractError
    assert "Page 3" in run.failure.message


@pytest.mark.parametrize("name", ALL_STREAMS)
def test_last_page_again_and_again_is_the_end_after_a_short_page_only(atz: Atz, name: str) -> None:
    atz.repeats_last_page = True
    atz.candidates(25)
    run = read(atz, name=name)
    assert run.failure is None
    assert set(run.slugs()) == set(slugs(atz))
    atz.candidates(20)
    assert type(read(atz, name=name).failure) is ContractError


def test_repeated_short_page_costs_no_more_requests_than_an_empty_one(atz: Atz) -> None:
    atz.repeats_last_page = True
    atz.candidates(25)
    read(atz, name="atz_deals")
    assert Counter(atz.calls) == Counter(ONE_STREAM)


def test_progress_of_a_long_list_is_logged(atz: Atz, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    atz.candidates(51)
    read(atz, name="atz_deals", page_size=1)
    lines = [each for each in caplog.messages if "listed so far" in each]
    assert lines == ["50 pages of deals listed so far."]


@pytest.mark.parametrize("name", ["atz_candidates", "atz_deals"])
@pytest.mark.parametrize("done", range(3))
def test_resumed_list_ends_at_a_page_that_is_not_found(atz: Atz, name: str, done: int) -> None:
    atz.past_the_end = 404
    atz.candidates(25)
    cut = read(atz, name=name, stop_after=done, concurrent_requests=1)
    rest = read(atz, cut.state, name=name)
    assert rest.failure is None
    assert {*cut.slugs(), *rest.slugs()} == set(slugs(atz))


@pytest.mark.parametrize("name", ALL_STREAMS)
def test_whole_page_of_new_objects_at_the_front_is_not_a_repetition(atz: Atz, name: str) -> None:
    atz.candidates(30)

    def push(page: int) -> None:
        if page == 1 and len(atz.listed) == 30:
            atz.listed = [*range(1000, 1010), *atz.listed]

    atz.after_page = push
    run = read(atz, name=name)
    assert run.failure is None
    assert {slug(number) for number in range(30)} <= set(run.slugs())


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(("largest", "refused"), [(50, 1), (25, 2)])
def test_a_limit_that_is_refused_is_made_smaller(
    atz: Atz, status: int, largest: int, refused: int
) -> None:
    atz.candidates(60)
    atz.refuses = lambda query: status if int(query["limit"]) > largest else None
    run = read(atz, page_size=100)
    assert len(set(run.asked())) == 60
    assert len(atz.calls) == refused + 2 * (-(-60 // largest) + 1) + 60


def test_an_order_that_is_refused_is_left_out(atz: Atz) -> None:
    atz.candidates(60)
    atz.refuses = lambda query: 400 if "sortorder" in query else None
    assert len(set(read(atz, page_size=100).asked())) == 60


def test_a_list_that_is_always_refused_ends_the_stream(atz: Atz) -> None:
    atz.refuses = lambda query: 422
    assert isinstance(read(atz).failure, RequestRefused)
    assert len(atz.calls) == 2


def test_a_list_that_is_not_there_is_a_matter_of_configuration(atz: Atz) -> None:
    atz.refuses = lambda query: 404
    failure = read(atz).failure
    assert isinstance(failure, ConfigError)
    assert "atz_crm.base_url" in failure.message


def test_a_server_that_ignores_the_page_is_an_error(atz: Atz) -> None:
    atz.candidates(30)
    atz.ignores_page = True
    run = read(atz)
    assert isinstance(run.failure, ContractError)
    assert run.pages == []
    assert atz.calls == ["page 1", "page 2", "page 1"]


# Children that fail


@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize("which", [0, 12, 24])
@pytest.mark.parametrize("at_once", [1, 4])
def test_one_that_is_refused_is_set_aside_and_the_pass_completes(
    atz: Atz, status: int, which: int, at_once: int
) -> None:
    atz.candidates(25)
    atz.answers[which] = status
    run = read(atz, concurrent_requests=at_once)
    assert run.failure is None
    assert set(run.asked()) == set(slugs(atz)) - {slug(which)}
    assert run.state["set_aside"].keys() == {slug(which)}
    assert run.state["updated_at"] == text(NOON).replace(".000", "")


def test_who_was_set_aside_is_asked_first_and_comes_whole_when_it_answers(atz: Atz) -> None:
    atz.candidates(15)
    atz.answers[3] = 400
    state = read(atz).state
    since = state["set_aside"][slug(3)]
    atz.clock.advance(3600)
    state = read(atz, state).state
    assert state["set_aside"] == {slug(3): since}
    del atz.answers[3]
    atz.clock.advance(3600)
    atz.calls.clear()
    run = read(atz, state, concurrent_requests=1)
    assert run.asked() == [slug(3)] * 2
    assert {each["candidate_id"] for each in run.rows} == {3}
    assert next(each for each in atz.calls if "page" not in each) == slug(3)
    assert Counter(atz.calls)[slug(3)] == 1
    assert "set_aside" not in run.state


def test_who_was_set_aside_and_deleted_leaves(atz: Atz) -> None:
    atz.candidates(15)
    atz.answers[3] = 400
    state = read(atz).state
    atz.listed.remove(3)
    del atz.answers[3]
    run = read(atz, state)
    assert run.failure is None
    assert "set_aside" not in run.state


def test_who_was_set_aside_still_minds_the_start_date(atz: Atz) -> None:
    atz.candidates(5)
    state = {"set_aside": {slug(3): text(NOON)}, "updated_at": text(NOON)}
    assert read(atz, state, start_date=text(NOON - HOUR)).rows == []
    assert len(read(atz, state).rows) == 2


def test_history_that_is_not_found_once_is_read_at_the_end_of_the_pass(atz: Atz) -> None:
    atz.candidates(25)
    answers = iter([404])
    atz.before_history = lambda number: next(answers, None) if number == 12 else None
    run = read(atz)
    assert run.failure is None
    assert set(run.asked()) == set(slugs(atz))
    assert run.asked()[-1] == slug(12)
    assert "set_aside" not in run.state
    assert Counter(atz.calls)[slug(12)] == 2


@pytest.mark.parametrize("before", [None, "atz_candidates"])
def test_history_that_stays_not_found_is_set_aside_until_it_is_answered(
    atz: Atz, before: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    atz.candidates(25)
    atz.answers[12] = 404
    first = read(atz, before=before)
    assert first.failure is None
    assert set(first.asked()) == set(slugs(atz)) - {slug(12)}
    assert first.state["set_aside"].keys() == {slug(12)}
    assert slug(12) in caplog.text
    second = read(atz, first.state, before=before)
    assert second.state["set_aside"] == first.state["set_aside"]
    del atz.answers[12]
    third = read(atz, second.state, before=before)
    assert third.asked() == [slug(12)] * 2
    assert "set_aside" not in third.state


def test_candidate_deleted_during_the_pass_is_forgotten(atz: Atz) -> None:
    atz.candidates(25)

    def delete(number: int) -> None:
        if number == 12 and 12 in atz.listed:
            atz.listed.remove(12)

    atz.before_history = delete
    run = read(atz)
    assert run.failure is None
    assert set(run.asked()) == set(slugs(atz))
    assert "set_aside" not in run.state
    assert Counter(atz.calls)[slug(12)] == 1


@pytest.mark.parametrize("refused", [400, 404, 500])
def test_candidate_set_aside_leaves_when_the_list_no_longer_shows_it(
    atz: Atz, refused: int
) -> None:
    atz.candidates(25)
    atz.answers[12] = refused
    state = read(atz).state
    assert state["set_aside"].keys() == {slug(12)}
    atz.listed.remove(12)
    assert "set_aside" not in read(atz, state).state


def test_history_not_found_before_a_cut_is_requested_by_the_next_run(atz: Atz) -> None:
    atz.candidates(25)
    atz.answers[20] = 404
    cut = read(atz, stop_after=10, concurrent_requests=1)
    assert cut.state["set_aside"].keys() == {slug(20)}
    del atz.answers[20]
    rest = read(atz, cut.state)
    assert {*cut.asked(), *rest.asked()} == set(slugs(atz))
    assert "set_aside" not in rest.state


@pytest.mark.parametrize("at_once", [1, 4])
def test_more_than_100_histories_not_found_are_people_without_a_job(
    atz: Atz, at_once: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    atz.candidates(250)
    atz.answers = dict.fromkeys(range(100), 404)
    state = read(atz, page_size=100, concurrent_requests=at_once).state
    assert len(state["set_aside"]) == 100
    atz.answers = dict.fromkeys(range(120), 404)
    atz.calls.clear()
    caplog.clear()
    run = read(atz, state, page_size=100, concurrent_requests=at_once)
    assert run.failure is None
    assert "set_aside" not in run.state
    assert max(len(page.state.get("set_aside", ())) for page in run.pages) <= 100
    assert len(atz.calls) == 2 * 4 + 250
    (line,) = [each.getMessage() for each in caplog.records if "404" in each.getMessage()]
    assert line == (
        "candidate_history: ATZ CRM answered 404 for the histories of 120 candidates. They count "
        "as people without a job."
    )


def test_people_without_a_job_are_counted_across_a_cut(atz: Atz) -> None:
    atz.candidates(250)
    atz.answers = dict.fromkeys(range(150, 250), 404) | dict.fromkeys(range(20), 404)
    cut = read(atz, page_size=100, stop_after=110, concurrent_requests=1)
    assert len(cut.state["set_aside"]) == 100
    rest = read(atz, cut.state, page_size=100)
    assert rest.failure is None
    assert "set_aside" not in rest.state
    assert len({*cut.asked(), *rest.asked()}) == 130


def test_one_candidate_that_draws_server_errors_is_found_in_under_a_minute(atz: Atz) -> None:
    atz.candidates(25)
    atz.answers[12] = 500
    run = read(atz, concurrent_requests=1, requests_per_minute=6000)
    assert run.state["set_aside"].keys() == {slug(12)}
    assert run.clock.now() - NOON < timedelta(seconds=60)
    assert Counter(atz.calls)[slug(12)] == 2 * IMPATIENT_POLICY.attempts


def test_50_set_aside_are_requested_in_under_5_minutes_while_the_state_moves(atz: Atz) -> None:
    atz.candidates(200)
    refused = range(0, 100, 2)
    atz.answers = dict.fromkeys(refused, 500)
    state = read(atz, page_size=100, requests_per_minute=6000).state
    assert len(state["set_aside"]) == 50
    bad = {slug(number) for number in refused}
    began = atz.clock.now()
    last_try = began
    before_last_try: set[str] = set()

    def note(number: int) -> None:
        nonlocal last_try
        if slug(number) in bad:
            last_try = atz.clock.now()
            before_last_try.clear()
            before_last_try.update(atz.calls)

    atz.before_history = note
    atz.calls.clear()
    run = read(atz, state, page_size=100, concurrent_requests=1)
    assert run.failure is None
    assert last_try - began < timedelta(minutes=5)
    assert len(before_last_try - bad) >= 49
    assert {**run.state["set_aside"]} == state["set_aside"]


def test_a_hundred_may_be_set_aside_and_no_more(atz: Atz) -> None:
    atz.candidates(250)
    atz.answers = dict.fromkeys(range(0, 200, 2), 400)
    assert len(read(atz, page_size=100).state["set_aside"]) == 100
    atz.answers[201] = 400
    assert isinstance(read(atz, page_size=100).failure, TransientError)


@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("candidates", [1, 3, 25])
@pytest.mark.parametrize("status", [400, 503])
def test_when_all_are_refused_nobody_is_set_aside(
    atz: Atz, at_once: int, candidates: int, status: int
) -> None:
    atz.candidates(candidates)
    atz.answers = dict.fromkeys(range(candidates), status)
    run = read(atz, concurrent_requests=at_once)
    assert type(run.failure) is not AtsError
    assert isinstance(run.failure, TransientError)
    assert "set_aside" not in run.state
    assert run.state["in_progress"]["after_slug"] == ""


@pytest.mark.parametrize(
    ("section", "kind", "advice"),
    [
        ({}, TransientError, "The next run resumes from the last state."),
        (
            {"candidate_slugs": [slug(number) for number in range(3)]},
            ConfigError,
            "Correct atz_crm.candidate_slugs.",
        ),
    ],
)
def test_refusals_of_all_say_what_to_do(
    atz: Atz, section: Json, kind: type[AtsError], advice: str
) -> None:
    atz.candidates(3)
    atz.answers = dict.fromkeys(range(3), 422)
    failure = read(atz, **section).failure
    assert type(failure) is kind
    assert failure.message == (
        f"ATZ CRM refuses the histories of several candidates in a row. {advice}"
    )


@pytest.mark.parametrize("outage_at", [0, 5, 24])
def test_an_outage_of_20_minutes_ends_the_stream_and_the_next_run_resumes(
    atz: Atz, outage_at: int
) -> None:
    atz.candidates(25)
    began: list[int] = []

    def down(number: int) -> int | None:
        if slug(number) >= slugs(atz)[outage_at]:
            began.append(number)
        return 503 if began else None

    # It ends with the run, not by the clock: on this one the waits of several threads add up.
    atz.before_history = down
    run = read(atz, concurrent_requests=1)
    assert isinstance(run.failure, TransientError)
    assert "set_aside" not in run.state
    done = run.state["in_progress"]["after_slug"]
    atz.clock.advance(20 * 60)
    atz.before_history = lambda number: None
    atz.calls.clear()
    rest = read(atz, run.state)
    assert rest.failure is None
    assert set(run.asked()) | set(rest.asked()) == set(slugs(atz))
    assert {each for each in atz.calls if "page" not in each} == {
        each for each in slugs(atz) if each > done
    }


@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("seconds", [10, 125, 150, 200])
def test_a_shorter_outage_sets_nobody_aside(atz: Atz, at_once: int, seconds: int) -> None:
    atz.candidates(25)
    began: list[datetime] = []

    def down(number: int) -> int | None:
        if slug(number) == slugs(atz)[5] and not began:
            began.append(atz.clock.now())
        if began and atz.clock.now() - began[0] < timedelta(seconds=seconds):
            return 503
        return None

    atz.before_history = down
    run = read(atz, concurrent_requests=at_once)
    assert "set_aside" not in run.state
    if run.failure is None:
        assert set(run.asked()) == set(slugs(atz))


def test_a_rate_limit_of_hours_is_nobody_s_fault(atz: Atz) -> None:
    atz.candidates(25)
    atz.headers = {"Retry-After": "7200"}
    atz.answers = dict.fromkeys((3, 4), 429)
    run = read(atz)
    assert isinstance(run.failure, TransientError)
    assert "until 20" in run.failure.message
    assert "set_aside" not in run.state


def test_an_answer_that_is_not_understood_ends_the_stream(atz: Atz) -> None:
    atz.candidates(5)
    atz.rows[3] = {"message": "canary"}  # type: ignore[assignment]
    run = read(atz)
    assert isinstance(run.failure, ContractError)
    assert not isinstance(run.failure, RequestRefused)
    assert "canary" not in run.failure.message + run.failure.detail


@pytest.mark.parametrize(
    "state",
    [
        {"updated_at": "yesterday"},
        {"in_progress": {"started_at": text(NOON)}},
        {"in_progress": {"after_slug": "candidate_1"}},
        {"set_aside": ["candidate_1"]},
        {"something": 1},
    ],
)
def test_a_damaged_state_is_a_matter_for_the_user(atz: Atz, state: State) -> None:
    run = read(atz, state)
    assert isinstance(run.failure, ConfigError)
    assert "candidate_history" in run.failure.message
    assert atz.calls == []


# The list itself


def listed(run: Read) -> list[int]:
    """Return the numbers of those that came."""
    return [each["id"] for each in run.rows]


def read_list(atz: Atz, state: State | None = None, **rest: Any) -> Read:
    return read(atz, state, name="atz_candidates", **rest)


@pytest.mark.parametrize("name", ["atz_candidates", "atz_deals"])
@pytest.mark.parametrize("at_once", [1, 4])
def test_a_list_is_read_twice_and_comes_once(atz: Atz, name: str, at_once: int) -> None:
    atz.candidates(25)
    run = read(atz, name=name, concurrent_requests=at_once)
    assert run.failure is None
    assert listed(run) == atz.listed
    assert run.rows[3] == {"id": 3, "slug": slug(3), "updated_at": text(OLD)}
    assert Counter(atz.calls) == Counter(ONE_STREAM)


def test_of_a_list_comes_what_changed_and_what_does_not_say(atz: Atz) -> None:
    atz.candidates(25)
    state = read_list(atz, lookback=90).state
    assert datetime.fromisoformat(state["updated_at"]) == NOON - 1.5 * HOUR
    atz.clock.advance(3600)
    atz.updated[4] = atz.clock.now()
    atz.updated[9] = NOON - 1.6 * HOUR
    atz.updated[12] = NOON - 1.4 * HOUR
    atz.updated[21] = None
    assert listed(read_list(atz, state)) == [4, 12, 21]
    assert listed(read_list(atz, start_date=text(NOON))) == [4, 21]


def test_who_slips_into_a_page_that_was_listed_comes_when_it_is_read_backwards(atz: Atz) -> None:
    atz.candidates(30)

    def delete_one(page: int) -> None:
        if page == 1 and 0 in atz.listed:
            atz.listed.remove(0)

    atz.after_page = delete_one
    assert listed(read_list(atz)) == [*range(10), *range(11, 30), 10]


@pytest.mark.parametrize("done", range(7))
def test_a_list_that_was_cut_resumes_from_the_page(atz: Atz, done: int) -> None:
    atz.candidates(25)
    cut = read_list(atz, stop_after=done, concurrent_requests=1)
    atz.calls.clear()
    rest = read_list(atz, cut.state)
    # The first page tells the time and how long pages are; then come those that are left.
    assert atz.calls[0] == "page 1"
    left = ONE_STREAM[done + 1 :]
    assert Counter(atz.calls[1:]) == Counter(left)
    assert {*listed(cut), *listed(rest)} == set(atz.listed)
    assert rest.state == {"updated_at": cut.state["in_progress"]["started_at"]}
    assert listed(read_list(atz, rest.state)) == []


def test_a_page_of_another_size_is_another_page(atz: Atz) -> None:
    atz.candidates(25)
    cut = read_list(atz, stop_after=1)
    assert listed(read_list(atz, cut.state, page_size=5)) == atz.listed


def test_a_cut_list_keeps_its_bookmark(atz: Atz) -> None:
    atz.candidates(25)
    state = read_list(atz).state
    atz.clock.advance(3600)
    cut = read_list(atz, state, stop_after=1).state
    assert cut["updated_at"] == state["updated_at"]
    assert listed(read_list(atz, cut)) == []


def test_row_without_a_readable_slug_keeps_the_bookmark(atz: Atz) -> None:
    atz.candidates(25)
    state = read_list(atz).state
    atz.clock.advance(3600)
    atz.broken.add(3)
    run = read_list(atz, state)
    assert [state_of(page) for page in run.pages] == [state] * len(run.pages)


@pytest.mark.parametrize("state", [{"updated_at": 1}, {"in_progress": {"page": 1}}, {"else": 1}])
def test_a_damaged_state_of_a_list_is_a_matter_for_the_user(atz: Atz, state: State) -> None:
    run = read_list(atz, state)
    assert isinstance(run.failure, ConfigError)
    assert "candidates" in run.failure.message
    assert atz.calls == []


def test_a_list_of_deals_that_is_not_there_is_named(atz: Atz) -> None:
    atz.refuses = lambda query: 404
    failure = read(atz, name="atz_deals").failure
    assert isinstance(failure, ConfigError)
    assert "deals" in failure.message


# The list for two


def test_the_list_is_fetched_once_for_candidates_and_histories(atz: Atz) -> None:
    atz.candidates(25)
    run = read(atz, before="atz_candidates")
    assert run.failure is None
    assert Counter(atz.calls) == Counter(ONE_STREAM + slugs(atz))
    assert run.asked() == [each for each in slugs(atz) for _ in range(2)]
    assert all(page.progress and page.progress.total == 25 for page in run.pages)


def test_a_pass_over_a_list_of_others_begins_when_that_began(atz: Atz) -> None:
    atz.candidates(25)
    began = []

    def wait(page: int) -> None:
        began.append(atz.clock.now())
        atz.clock.advance(60)

    atz.after_page = wait
    state = read(atz, before="atz_candidates").state
    assert datetime.fromisoformat(state["updated_at"]) <= began[0]


def test_a_pass_over_a_list_of_others_continues_and_sets_aside(atz: Atz) -> None:
    atz.candidates(25)
    atz.answers[3] = 400
    cut = read(atz, stop_after=12)
    state = {**cut.state, "set_aside": {slug(20): text(NOON)}}
    rest = read(atz, state, before="atz_candidates")
    assert {*cut.asked(), *rest.asked()} == set(slugs(atz)) - {slug(3)}
    assert rest.asked()[0] == slug(20)
    assert rest.state["set_aside"].keys() == {slug(3)}


def test_too_young_a_pass_asks_nothing_where_others_have_listed(atz: Atz) -> None:
    atz.candidates(25)
    state = read(atz).state
    atz.calls.clear()
    run = read(atz, state, before="atz_candidates", min_hours_between_passes=2)
    assert run.pages == []
    assert Counter(atz.calls) == Counter(ONE_STREAM)


def test_histories_do_without_a_list_that_failed(atz: Atz) -> None:
    atz.candidates(25)
    refusals = iter([None, 400])
    atz.refuses = lambda query: next(refusals, None)
    run = read(atz, before="atz_candidates")
    assert run.failure is None
    assert set(run.asked()) == set(slugs(atz))
    assert Counter(atz.calls) == Counter([*PAGES[:2], *BOTH_LISTINGS, *slugs(atz)])


def test_partial_listing_of_a_resumed_read_is_not_shared(atz: Atz) -> None:
    """It lacks the pages that earlier runs have read."""
    atz.candidates(25)
    cut = read_list(atz, stop_after=1, concurrent_requests=1)
    atz.calls.clear()
    run = read(atz, before="atz_candidates", before_state=cut.state)
    assert run.failure is None
    assert set(run.asked()) == set(slugs(atz))
    assert Counter(atz.calls) == Counter(["page 1", *ONE_STREAM[2:], *BOTH_LISTINGS, *slugs(atz)])


@pytest.mark.parametrize("name", ALL_STREAMS)
@pytest.mark.parametrize("lookback", [60, 10_080])
def test_bookmark_never_moves_back(atz: Atz, name: str, lookback: int) -> None:
    """Also if the lookback becomes longer, or the vendor's clock is set back."""
    atz.candidates(5)
    state = read(atz, name=name).state
    atz.clock.advance(600)
    assert read(atz, state, name=name, lookback=lookback).state["updated_at"] == state["updated_at"]
    later = read(atz, state, name=name, lookback=5).state["updated_at"]
    assert later > state["updated_at"]


@pytest.mark.parametrize("name", ALL_STREAMS)
@pytest.mark.parametrize(("hours", "refused"), [(23, False), (25, True)])
@pytest.mark.parametrize("key", ["updated_at", "finished_at", "started_at"])
def test_state_more_than_a_day_ahead_is_rejected(
    atz: Atz, name: str, key: str, hours: int, *, refused: bool
) -> None:
    at = text(NOON + hours * HOUR)
    if name != "candidate_history" and key == "finished_at":
        key = "updated_at"
    at_work = {"after_slug": ""} if name == "candidate_history" else {"limit": 10, "page": 1}
    state = {"in_progress": {"started_at": at, **at_work}} if key == "started_at" else {key: at}
    atz.candidates(5)
    run = read(atz, state, name=name)
    assert isinstance(run.failure, ConfigError) is refused
    if refused:
        assert name in str(run.failure)
        assert run.pages == []


@pytest.mark.parametrize("name", ALL_STREAMS)
@pytest.mark.parametrize(
    "time", ["9999-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00+01:00", "0000-00-00T00:00:00Z"]
)
@pytest.mark.parametrize("history_of", ["every_candidate", "changed_candidates"])
def test_impossible_time_counts_as_none(atz: Atz, name: str, time: str, history_of: str) -> None:
    atz.candidates(15)
    state = read(atz, name=name).state
    atz.raw_times = {12: time}
    atz.rows[12][0]["updated_at"] = time
    for before in ({}, state):
        run = read(atz, before, name=name, history_of=history_of)
        assert run.failure is None
        assert set(run.slugs()) == ({slug(12)} if before else set(slugs(atz)))


@pytest.mark.parametrize("column", ["id", "candidate_slug", "read_at", "updated_at"])
def test_column_that_tells_current_rows_can_be_neither_dropped_nor_hashed(
    atz: Atz, column: str
) -> None:
    settings = AtzCrmConfig(access_token="made-up", base_url=BASE)
    client = streams.client(
        settings, atz.clock, on_rate_limit=lambda until: None, retry_policy=READ_POLICY
    )
    found = streams.streams(settings, ReadOptions(None, timedelta()), client)
    with pytest.raises(ConfigError, match="can be neither dropped nor hashed"):
        Privacy(drop=[f"candidate_history.{column}"]).applied(found)


# Check


def check(atz: Atz, **section: Any) -> list[str]:
    settings = AtzCrmConfig(access_token="made-up", base_url=BASE, **section)
    client = streams.client(
        settings, atz.clock, on_rate_limit=lambda until: None, retry_policy=CHECK_POLICY
    )
    return check_atz_crm(settings, client)


def test_check_reads_a_page_and_a_history(atz: Atz) -> None:
    atz.candidates(25)
    assert check(atz) == []
    assert atz.calls == ["page 1", slug(0)]


def test_check_of_an_account_without_candidates_is_a_note(atz: Atz) -> None:
    assert check(atz) == [
        "ATZ CRM shows no candidates to this token. It shows what the token's user may see."
    ]


def test_check_gives_up_early_on_a_server_that_is_down(atz: Atz) -> None:
    atz.refuses = lambda query: 503
    with pytest.raises(TransientError) as caught:
        check(atz)
    assert caught.value.message.endswith("Try again in a few minutes.")
    assert sum(atz.clock.waits) < 2 * CHECK_POLICY.seconds


def test_check_minds_one_refusal_as_little_as_the_read_does(atz: Atz) -> None:
    atz.candidates(25)
    atz.answers = {0: 400, 1: 404}
    assert check(atz) == []
    atz.answers = dict.fromkeys(range(25), 422)
    with pytest.raises(RequestRefused):
        check(atz)
    assert len(atz.calls) <= 2 * (1 + 3)


@pytest.mark.parametrize("status", [400, 500])
def test_check_of_chosen_candidates_succeeds_if_one_of_them_can_be_read(
    atz: Atz, status: int
) -> None:
    atz.candidates(3)
    atz.answers = {2: status}  # the first in the order of slugs
    assert check(atz, candidate_slugs=[slug(2), slug(1)]) == []
    atz.answers = {2: status, 1: status}
    failure = ConfigError if status == 400 else TransientError
    with pytest.raises(failure):
        check(atz, candidate_slugs=[slug(2), slug(1)])


def test_check_says_that_nobody_is_there(atz: Atz) -> None:
    (note,) = check(atz)
    assert "no candidates" in note


@pytest.mark.parametrize(("status", "bad"), [(200, False), (404, True), (405, False)])
def test_check_knows_an_unknown_job(status: int, bad: bool) -> None:
    atz = Atz()
    atz.candidates(3)
    with requests_mock.Mocker() as mocker:
        mocker.get(re.compile(f"^{BASE}/candidate"), text=atz.answer)
        mocker.get(f"{BASE}/job/job_1", status_code=status, json={})
        if bad:
            with pytest.raises(ConfigError, match=r"atz_crm\.job_slug"):
                check(atz, job_slug="job_1")
        else:
            assert check(atz, job_slug="job_1") == []


def test_a_token_with_spaces_is_rejected() -> None:
    with pytest.raises(ValidationError):
        AtzCrmConfig(access_token="two words")
