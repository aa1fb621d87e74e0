"""State, tried by a model: whatever the schedule of changes, reads and cuts, no record is lost.

A made-up vendor has people; each change has a time, and is seen by readers up to 50 minutes later.
Reads begin, go on page by page and are cut, while the people change and time passes; the machine's
clock and the vendor's `Date` are up to 4 minutes off. In the end two whole reads must make the
warehouse hold what the vendor holds: the lookback of 60 minutes is enough, and needed.

The vendor packages are the real ones, with the real client; only the threads are not, so that each
schedule can be repeated.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from itertools import islice
from typing import Any, ClassVar, NamedTuple

import hypothesis
import pytest
import requests_mock
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from source_ats.clock import rfc3339
from source_ats.errors import AtsError
from source_ats.http.retry import READ_POLICY
from source_ats.sync import concurrency
from source_ats.sync.stream import Page, ReadOptions, State, Stream
from source_ats.vendors.atz_crm import list_reader
from source_ats.vendors.atz_crm import streams as atz_crm
from source_ats.vendors.atz_crm.config import AtzCrmConfig
from source_ats.vendors.kombo import integration
from source_ats.vendors.kombo import streams as kombo
from source_ats.vendors.kombo.config import KomboConfig
from source_ats.vendors.talemetry import streams as talemetry
from source_ats.vendors.talemetry.config import TalemetryConfig, TokenCredentials
from unit_tests.fakes import FakeClock

LATEST = timedelta(minutes=50)
"""So much later than its time a change may be seen."""
CLOCKS_ARE_OFF = timedelta(minutes=4)
LOOKBACK_MINUTES = 60
HOUR = 3600
DAY = 86_400
BASE = "https://vendor.example.com"
GONE = "gone"

Json = dict[str, Any]
Request = Any


class Change(NamedTuple):
    """Something that happened to a person; the first change of each is `created`."""

    kind: str
    at: datetime
    seen_from: datetime


@dataclass
class SkewedClock:
    """The machine's clock: the true one, wrongly set."""

    true: FakeClock
    off: timedelta

    def monotonic(self) -> float:
        return self.true.monotonic()

    def now(self) -> datetime:
        return self.true.now() + self.off

    def sleep(self, seconds: float) -> None:
        self.true.sleep(seconds)


@dataclass
class Vendor:
    """People and what happened to them, as readers can see it at a time."""

    clock: FakeClock = field(default_factory=FakeClock)
    people: list[list[Change]] = field(default_factory=list)
    date_off: timedelta = timedelta(0)
    latency: float = 0.0

    def happen(self, number: int | None, kind: str, late: timedelta) -> None:
        """Make a change now, to be seen later; `number` is None for a new person."""
        now = self.clock.now().replace(microsecond=0)
        if number is None:
            self.people.append([])
            number = -1
        self.people[number].append(Change(kind, now, now + late))

    def living(self) -> list[int]:
        return [n for n, changes in enumerate(self.people) if changes[-1].kind != "deleted"]

    def seen(self) -> dict[int, list[Change]]:
        """What readers see now; of a change before the creation is seen, nothing."""
        now = self.clock.now()
        seen = {
            number: [change for change in changes if change.seen_from <= now]
            for number, changes in enumerate(self.people)
        }
        return {
            n: changes for n, changes in seen.items() if changes and changes[0].kind == "created"
        }

    def answer(self, content: object, context: Any) -> str:
        """Return an answer, dated by the vendor's clock, after its latency."""
        context.headers["Date"] = format_datetime(self.clock.now() + self.date_off, usegmt=True)
        self.clock.advance(self.latency)
        return json.dumps(content)


class Adapter(NamedTuple):
    """A vendor's API, the stream that reads it, and what the rows of the stream say."""

    answers: Callable[[Vendor, requests_mock.Mocker], None]
    stream: Callable[[SkewedClock, int, int], Stream]
    """Of a clock, the lookback in minutes, and the size of a page."""
    held: Callable[[list[Json]], Json]
    """What a warehouse holds of each person after these rows: a version, or GONE."""
    truth: Callable[[Vendor, Json], Json]
    """What it should hold, given what it holds."""
    deletes: bool = True


def named(name: str, streams: list[Stream]) -> Stream:
    (stream,) = (stream for stream in streams if stream.name == name)
    return stream


def is_gone(changes: list[Change]) -> bool:
    return changes[-1].kind == "deleted"


def version(changes: list[Change]) -> int | str:
    return GONE if is_gone(changes) else len(changes)


# Kombo: by time of the last change, keyed cursors, deleted rows stay.


def kombo_answers(vendor: Vendor, mocker: requests_mock.Mocker) -> None:
    def rows(request: Request, context: Any) -> str:
        query = {name: values[0] for name, values in request.qs.items()}
        since = datetime.fromisoformat(query.get("updated_after", "1970-01-01t00:00:00z").upper())
        after = int(query.get("cursor", "-1"))
        size = int(query["page_size"])
        found = [
            {
                "id": str(number),
                "changed_at": rfc3339(changes[-1].at),
                "remote_deleted_at": rfc3339(changes[-1].at) if is_gone(changes) else None,
                "version": len(changes),
            }
            for number, changes in vendor.seen().items()
            if number > after and max(change.at for change in changes) > since
        ]
        following = found[size - 1]["id"] if len(found) > size else None
        data = {"next": following, "results": found[:size]}
        return vendor.answer({"status": "success", "data": data}, context)

    mocker.get(f"{BASE}/ats/candidates", text=rows)


def kombo_stream(clock: SkewedClock, lookback: int, page_size: int) -> Stream:
    config = KomboConfig(
        api_key="key", integration_ids=["one"], base_url=BASE, page_size=page_size,
        full_read_every_days=0,
    )  # fmt: skip
    options = ReadOptions(None, timedelta(minutes=lookback))
    client = kombo.client(config, clock, on_rate_limit=lambda until: None, retry_policy=READ_POLICY)
    return named("candidates", kombo.streams(config, options, client))


def kombo_held(rows: list[Json]) -> Json:
    return {row["id"]: GONE if row["remote_deleted_at"] else row["version"] for row in rows}


def kombo_truth(vendor: Vendor, held: Json) -> Json:
    del held
    return {str(number): version(changes) for number, changes in vendor.seen().items()}


# Talemetry: listings by event and window, in which only the last update counts; then the people.


def guid(number: int) -> str:
    return f"{number:08x}-aaaa-11ef-8000-000000000000"


def talemetry_answers(vendor: Vendor, mocker: requests_mock.Mocker) -> None:
    def ids(request: Request, context: Any) -> str:
        body = request.json()
        between = body.get("DateTimeRange")
        found = []
        for number, changes in vendor.seen().items():
            last = {change.kind: change.at for change in changes}
            if between is None:
                matches = not is_gone(changes)
            elif between["Event"] == "deleted" or not is_gone(changes):
                at = last.get(between["Event"])
                matches = at is not None and between["From"] <= rfc3339(at) < between["To"]
            else:
                matches = False
            if matches and guid(number) > body.get("Cursor", ""):
                found.append(guid(number))
        size = body["PageSize"]
        cursor = found[size - 1] if len(found) > size else None
        return vendor.answer({"result": {"Ids": found[:size], "Cursor": cursor}}, context)

    def profiles(request: Request, context: Any) -> str:
        seen = {guid(number): changes for number, changes in vendor.seen().items()}
        found = [
            {
                "Candidate": {
                    "CandidateRecordInfo": {"Id": {"IdValue": each}},
                    "Resume": {
                        "StructuredXMLResume": {
                            "ContactInfo": {"PersonName": {"FormattedName": str(len(seen[each]))}}
                        }
                    },
                }
            }
            for each in request.json()["ids"]
            if each in seen and not is_gone(seen[each])
        ]
        return vendor.answer({"result": {"Candidates": found}}, context)

    mocker.post(f"{BASE}/match/v1/people/ids", text=ids)
    mocker.post(f"{BASE}/soap/profiles/v1", text=profiles)


def talemetry_stream(clock: SkewedClock, lookback: int, page_size: int) -> Stream:
    section = TalemetryConfig(
        credentials=TokenCredentials(auth_type="token", token="token"),
        ids_base_url=BASE,
        profiles_base_url=BASE,
        page_size=page_size,
        ids_per_request=2,
        window_days=1,
    )
    options = ReadOptions(None, timedelta(minutes=lookback))
    client = talemetry.client(
        section, clock, on_rate_limit=lambda until: None, retry_policy=READ_POLICY
    )
    return named("profiles", talemetry.streams(section, options, client))


def talemetry_held(rows: list[Json]) -> Json:
    newest: dict[str, Json] = {}
    for row in rows:
        if row["as_of"] >= newest.get(row["id"], row)["as_of"]:
            newest[row["id"]] = row
    return {
        key: GONE if row["is_deleted"] else int(row["formatted_name"])
        for key, row in newest.items()
    }


def talemetry_truth(vendor: Vendor, held: Json) -> Json:
    """Who was deleted before anybody read them is nobody's business."""
    people = {guid(number): version(changes) for number, changes in vendor.seen().items()}
    return {key: each for key, each in people.items() if each != GONE or key in held}


# ATZ CRM: everybody by pages of a list, then the history of each; a change is a row more.


def slug(number: int) -> str:
    """Return a slug whose order is the reverse of the order of ages."""
    return f"candidate_{10_000 - number}"


def atz_crm_answers(vendor: Vendor, mocker: requests_mock.Mocker) -> None:
    def candidates(request: Request, context: Any) -> str:
        page, limit = int(request.qs["page"][0]), int(request.qs["limit"][0])
        listed = [{"slug": slug(number)} for number in vendor.seen()]
        return vendor.answer(listed[(page - 1) * limit : page * limit], context)

    def history(request: Request, context: Any) -> str:
        number = 10_000 - int(request.path.split("/")[2].removeprefix("candidate_"))
        changes = vendor.seen()[number]
        rows = [{"stage_date": str(n), "updated_at": rfc3339(c.at)} for n, c in enumerate(changes)]
        return vendor.answer(rows, context)

    mocker.get(f"{BASE}/candidate", text=candidates)
    mocker.get(re.compile(f"{BASE}/candidate/.*/history"), text=history)


def atz_crm_stream(clock: SkewedClock, lookback: int, page_size: int) -> Stream:
    section = AtzCrmConfig(
        access_token="token",
        base_url=BASE,
        page_size=page_size,
        requests_per_minute=6000,
        min_hours_between_passes=0,
    )
    options = ReadOptions(None, timedelta(minutes=lookback))
    client = atz_crm.client(
        section, clock, on_rate_limit=lambda until: None, retry_policy=READ_POLICY
    )
    return named("candidate_history", atz_crm.streams(section, options, client))


def atz_crm_held(rows: list[Json]) -> Json:
    """Of each candidate the rows that were read last, by upsert: they are the history."""
    table = {row["id"]: row for row in rows}
    read_at: dict[str, str] = {}
    for row in table.values():
        key = row["candidate_slug"]
        read_at[key] = max(row["read_at"], read_at.get(key, ""))
    return Counter(
        row["candidate_slug"]
        for row in table.values()
        if row["read_at"] == read_at[row["candidate_slug"]]
    )


def atz_crm_truth(vendor: Vendor, held: Json) -> Json:
    del held
    return {slug(number): len(changes) for number, changes in vendor.seen().items()}


ADAPTERS = {
    "kombo": Adapter(kombo_answers, kombo_stream, kombo_held, kombo_truth),
    "talemetry": Adapter(talemetry_answers, talemetry_stream, talemetry_held, talemetry_truth),
    # A deletion shifts the pages of the list, and who slips through by that is found only when the
    # same run comes to the list again: `vendors.atz_crm.history` says what cannot be known.
    "atz_crm": Adapter(atz_crm_answers, atz_crm_stream, atz_crm_held, atz_crm_truth, deletes=False),
}


class AtOnce:
    """Stands for a pool of threads, and does the work when it is handed over."""

    def __init__(self, max_workers: int) -> None:
        del max_workers

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*arguments))
        except AtsError as error:
            done.set_exception(error)
        return done

    def shutdown(self, *, wait: bool, cancel_futures: bool) -> None:
        del wait, cancel_futures


@pytest.fixture(autouse=True)
def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "ThreadPoolExecutor", AtOnce)
    monkeypatch.setattr(list_reader, "ThreadPoolExecutor", AtOnce)


off_by = st.timedeltas(-CLOCKS_ARE_OFF, CLOCKS_ARE_OFF)
late_by = st.just(timedelta(0)) | st.timedeltas(timedelta(0), LATEST)


class Schedule(RuleBasedStateMachine):
    """What may happen, in any order. Subclasses say of which vendor, and how it is read."""

    adapter: ClassVar[Adapter]
    lookback: ClassVar[int]

    @initialize(
        date_off=off_by,
        page_size=st.integers(1, 3),
        latency=st.sampled_from([0.0, 1.0, 45.0]),
        people=st.integers(0, 5),
        was_read=st.booleans(),
    )
    def the_beginning(
        self, date_off: timedelta, page_size: int, latency: float, people: int, *, was_read: bool
    ) -> None:
        self.vendor = Vendor(date_off=date_off, latency=latency)
        for _ in range(people):
            self.vendor.happen(None, "created", timedelta(0))
        self.vendor.clock.advance(DAY)
        self.page_size = page_size
        self.mocker = requests_mock.Mocker()
        self.mocker.start()
        self.adapter.answers(self.vendor, self.mocker)
        self.rows: list[Json] = []
        self.state: State = {}
        self.reading: Iterator[Page] | None = None
        if was_read:
            self.a_whole_read()
            self.vendor.clock.advance(5 * HOUR)

    @rule(late=late_by)
    def somebody_comes(self, late: timedelta) -> None:
        self.vendor.happen(None, "created", late)

    @precondition(lambda self: self.vendor.living())
    @rule(late=late_by, data=st.data())
    def somebody_changes(self, late: timedelta, data: st.DataObject) -> None:
        self.vendor.happen(data.draw(st.sampled_from(self.vendor.living())), "updated", late)

    @precondition(lambda self: self.adapter.deletes and self.vendor.living())
    @rule(late=late_by, data=st.data())
    def somebody_goes(self, late: timedelta, data: st.DataObject) -> None:
        self.vendor.happen(data.draw(st.sampled_from(self.vendor.living())), "deleted", late)

    @rule(seconds=st.sampled_from([1, 60, 20 * 60, HOUR, 5 * HOUR, 30 * HOUR]))
    def time_passes(self, seconds: int) -> None:
        self.vendor.clock.advance(seconds)

    @precondition(lambda self: self.reading is None)
    @rule(off=off_by)
    def a_read_begins(self, off: timedelta) -> None:
        stream = self.adapter.stream(
            SkewedClock(self.vendor.clock, off), self.lookback, self.page_size
        )
        self.reading = stream.pages(self.state, False)
        self.newest_state = self.state
        self.state_is_due = True

    @precondition(lambda self: self.reading is not None)
    @rule(pages=st.integers(1, 5), state_goes_out=st.booleans())
    def a_read_goes_on(self, pages: int, *, state_goes_out: bool) -> None:
        """Records go out at once, a state at most once a second; the first one at once, too."""
        assert self.reading is not None
        page = None
        for page in islice(self.reading, pages):
            self.rows += map(json.loads, page.records)
            self.newest_state = page.state
            if self.state_is_due:
                self.state_goes_out()
        if page is None:
            self.reading = None
        if page is None or state_goes_out:
            self.state_goes_out()

    def state_goes_out(self) -> None:
        self.state = json.loads(json.dumps(self.newest_state))
        self.state_is_due = False

    @precondition(lambda self: self.reading is not None)
    @rule()
    def a_read_is_cut(self) -> None:
        self.reading = None

    def a_whole_read(self) -> None:
        self.a_read_begins(timedelta(0))
        while self.reading is not None:
            self.a_read_goes_on(100, state_goes_out=True)

    def teardown(self) -> None:
        """See whether all is there: what was begun is read to its end, then what changed since."""
        try:
            self.reading = None
            self.vendor.clock.advance(HOUR)
            self.a_whole_read()
            self.a_whole_read()
            held = self.adapter.held(self.rows)
            assert held == self.adapter.truth(self.vendor, held)
        finally:
            self.mocker.stop()


def schedule(vendor: str, lookback: int = LOOKBACK_MINUTES) -> type[Schedule]:
    """Return the machine for one vendor."""
    return type(vendor, (Schedule,), {"adapter": ADAPTERS[vendor], "lookback": lookback})


each_vendor = pytest.mark.parametrize("vendor", ADAPTERS)


@each_vendor
def test_no_schedule_loses_a_record(vendor: str) -> None:
    settings = hypothesis.settings(
        max_examples=40, stateful_step_count=20, deadline=None, database=None
    )
    run_state_machine_as_test(schedule(vendor), settings=settings)


# That the model would notice: schedules by hand, and what is wrong with state if they lose somebody


def begun(vendor: str, lookback: int = LOOKBACK_MINUTES) -> Schedule:
    """Return a schedule in which a few people were read, and hours have passed."""
    begun = schedule(vendor, lookback)()
    begun.the_beginning(date_off=timedelta(0), page_size=1, latency=1.0, people=3, was_read=True)
    return begun


def with_a_late_row(vendor: str, lookback: int) -> Schedule:
    """Return a schedule that reads between the time of a row and the time it is seen."""
    late = begun(vendor, lookback)
    late.somebody_comes(LATEST)
    late.time_passes(10 * 60)
    late.a_whole_read()
    return late


@each_vendor
def test_lookback_finds_late_rows(vendor: str) -> None:
    with_a_late_row(vendor, LOOKBACK_MINUTES).teardown()
    with pytest.raises(AssertionError):
        with_a_late_row(vendor, 0).teardown()


def with_a_change_while_reading() -> Schedule:
    """Return a schedule in which somebody changes whose page has gone out, hours before the end."""
    reading = begun("kombo")
    for number in range(3):
        reading.vendor.happen(number, "updated", timedelta(0))
    reading.a_read_begins(timedelta(0))
    reading.a_read_goes_on(1, state_goes_out=True)
    reading.vendor.happen(0, "updated", timedelta(0))
    reading.time_passes(5 * HOUR)
    while reading.reading is not None:
        reading.a_read_goes_on(1, state_goes_out=True)
    return reading


def test_bookmark_is_the_start_of_the_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with_a_change_while_reading().teardown()
    right = integration.finished_state
    wrong = lambda context, state, began: right(context, state, context.client.now())  # noqa: E731
    monkeypatch.setattr(integration, "finished_state", wrong)
    with pytest.raises(AssertionError):
        with_a_change_while_reading().teardown()


@each_vendor
def test_late_rows_are_read_after_a_cut(vendor: str) -> None:
    """A window or pass that was cut is read to its end hours later: not all of it was seen then."""
    cut = begun(vendor)
    for number in range(3):
        cut.vendor.happen(number, "updated", timedelta(0))
    cut.somebody_comes(LATEST)
    cut.time_passes(10 * 60)
    cut.a_read_begins(timedelta(0))
    cut.a_read_goes_on(1, state_goes_out=True)
    assert "in_progress" in json.dumps(cut.state)
    cut.a_read_is_cut()
    cut.time_passes(5 * HOUR)
    cut.teardown()


def test_row_inserted_between_pages_is_accepted() -> None:
    """A page of one is pushed to the next number, so that the same page comes twice."""
    growing = schedule("atz_crm")()
    growing.the_beginning(date_off=timedelta(0), page_size=1, latency=1.0, people=0, was_read=False)
    growing.somebody_comes(timedelta(0))
    growing.time_passes(1)
    growing.a_read_begins(timedelta(0))
    growing.a_read_goes_on(2, state_goes_out=False)
    growing.somebody_comes(timedelta(microseconds=1))
    growing.somebody_comes(timedelta(0))
    growing.a_read_goes_on(1, state_goes_out=False)
    growing.teardown()


def test_row_that_is_seen_late_in_the_middle_of_a_list_is_accepted() -> None:
    """It pushes a row that was read forwards to a new last page, which is read backwards."""
    growing = schedule("atz_crm")()
    growing.the_beginning(date_off=timedelta(0), page_size=2, latency=1.0, people=3, was_read=False)
    growing.somebody_comes(timedelta(minutes=4))
    growing.somebody_comes(timedelta(0))
    growing.time_passes(1)
    growing.a_read_begins(timedelta(0))
    growing.a_read_goes_on(4, state_goes_out=True)
    growing.time_passes(5 * 60)
    growing.a_read_goes_on(20, state_goes_out=True)
    growing.teardown()
