"""Pages in, messages out: order, checkpoints, and how each stream ends."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
import pytest

from source_ats.clock import Clock, SystemClock, epoch_ms
from source_ats.errors import (
    AtsError,
    ConfigError,
    ContractError,
    IncompleteRead,
    RequestRefused,
    Stopped,
    TransientError,
)
from source_ats.sync import emitter, reader
from source_ats.sync.emitter import RateLimitStatus, ReadTask
from source_ats.sync.reader import VendorTasks
from source_ats.sync.stream import Page, Progress, State, Stream, catalog_entry
from unit_tests.fakes import NOON, FakeClock

Pages = Callable[[State, bool], Iterator[Page]]
Message = dict[str, Any]

DEFAULT_QUEUED_BYTES = reader.MAX_QUEUED_BYTES
PATIENCE_SECONDS = 5
"""Real seconds after which a test that waits for another thread has failed."""


@pytest.fixture(autouse=True)
def _pages_are_taken_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the tests' clock, which the pages move, to about that of the page that is written."""
    monkeypatch.setattr(reader, "MAX_QUEUED_BYTES", 1)


def rows(*ids: int) -> list[bytes]:
    return [orjson.dumps({"id": str(each)}) for each in ids]


def task(  # noqa: PLR0913 - each test sets one of them
    name: str,
    pages: Pages,
    *,
    stored: State | None = None,
    full_refresh: bool = False,
    generation: int | None = None,
    selection: Mapping[str, object] | None = None,
) -> ReadTask:
    declared = Stream(
        name=name,
        schema={},
        primary_key="id",
        cursor_field="at",
        selection=selection or {"start_date": None},
        pages=pages,
    )
    return ReadTask(declared, full_refresh, generation, stored)


@dataclass
class Run:
    """What came out of a read, and how it ended."""

    messages: list[Message]
    failure: AtsError | None

    def of(self, name: str) -> list[Message]:
        return [each for each in self.messages if stream_of(each) == name]

    def records(self, name: str) -> list[str]:
        return [each["record"]["data"]["id"] for each in self.of(name) if each["type"] == "RECORD"]

    def states(self, name: str) -> list[Message]:
        return [each["state"] for each in self.of(name) if each["type"] == "STATE"]

    def last_state(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = self.states(name)[-1]["stream"]["stream_state"]
        return content

    def statuses(self, name: str) -> list[str]:
        return [
            each["trace"]["stream_status"]["status"]
            for each in self.of(name)
            if each["type"] == "TRACE" and each["trace"]["type"] == "STREAM_STATUS"
        ]

    def waits(self, name: str) -> list[int | None]:
        """Return until when each RUNNING says that it waits, in milliseconds; None: it goes on."""
        running = [
            each["trace"]["stream_status"]
            for each in self.of(name)
            if each.get("trace", {}).get("stream_status", {}).get("status") == "RUNNING"
        ]
        return [
            status["reasons"][0]["rate_limited"]["quota_reset"] if status.get("reasons") else None
            for status in running
        ]

    def errors(self, name: str) -> list[dict[str, Any]]:
        return [
            each["trace"]["error"]
            for each in self.of(name)
            if each["type"] == "TRACE" and each["trace"]["type"] == "ERROR"
        ]


def stream_of(message: Message) -> str | None:
    match message:
        case {"record": {"stream": str(name)}}:
            return name
        case {"state": {"stream": {"stream_descriptor": {"name": str(name)}}}}:
            return name
        case {"trace": {"stream_status": {"stream_descriptor": {"name": str(name)}}}}:
            return name
        case {"trace": {"error": {"stream_descriptor": {"name": str(name)}}}}:
            return name
        case {"trace": {"estimate": {"name": str(name)}}}:
            return name
    return None


def read(
    *vendors: Sequence[ReadTask] | VendorTasks,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
    seen: Callable[[Message], None] = lambda message: None,
) -> Run:
    """Read everything; `seen` is told of each message once it is out."""
    stop = stop or threading.Event()
    messages: list[Message] = []
    tasks = [each if isinstance(each, VendorTasks) else VendorTasks(each) for each in vendors]
    try:
        for lines in reader.read(tasks, clock or FakeClock(stop), stop):
            assert lines.endswith(b"\n")
            for line in lines.splitlines():
                message = json.loads(line)
                messages.append(message)
                seen(message)
    except AtsError as failure:
        return Run(messages, failure)
    return Run(messages, None)


def close(messages: Iterator[bytes]) -> None:
    """Do what a reader does that goes away."""
    assert isinstance(messages, Generator)
    messages.close()


def three_pages(state: State, full_refresh: bool) -> Iterator[Page]:
    yield Page(rows(1, 2), {"at": 2})
    yield Page([], {"at": 2.5})
    yield Page(rows(3), {"at": 3})


def nothing(state: State, full_refresh: bool) -> Iterator[Page]:
    yield from ()


def fails_with(failure: Exception) -> Pages:
    """Return pages of which there is not even a first one."""

    def pages(state: State, full_refresh: bool) -> Iterator[Page]:
        yield from ()
        raise failure

    return pages


never = fails_with(AssertionError("this must not be read"))


class TestOneStream:
    def test_records_come_before_the_state_that_covers_them(self) -> None:
        clock = FakeClock()

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            for number in range(1, 6):
                yield Page(rows(number), {"done": number})
                clock.advance(2)

        run = read([task("people", pages)], clock=clock)
        assert run.failure is None
        assert run.records("people") == ["1", "2", "3", "4", "5"]
        out: list[int] = []
        for message in run.of("people"):
            if message["type"] == "RECORD":
                out.append(int(message["record"]["data"]["id"]))
            if message["type"] == "STATE":
                done = message["state"]["stream"]["stream_state"]["done"]
                assert out == list(range(1, done + 1))
        assert run.last_state("people")["done"] == 5

    def test_stream_begins_and_ends_with_a_status(self) -> None:
        messages = read([task("people", three_pages)]).of("people")
        statuses = read([task("people", three_pages)]).statuses("people")
        assert statuses == ["STARTED", "RUNNING", "COMPLETE"]
        assert messages[0]["trace"]["stream_status"]["status"] == "STARTED"
        assert messages[-1]["trace"]["stream_status"]["status"] == "COMPLETE"
        assert messages[-2]["type"] == "STATE"

    def test_no_more_than_one_state_a_second_but_always_the_last(self) -> None:
        clock = FakeClock()

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            for number in range(100):
                yield Page(rows(number), {"done": number})
                clock.advance(0.1)

        times: list[float] = []

        def seen(message: Message) -> None:
            if message["type"] == "STATE":
                times.append(clock.monotonic())

        run = read([task("people", pages)], clock=clock, seen=seen)
        # 10 seconds passed; the last one comes whenever the end comes.
        assert 5 <= len(times) <= 12
        assert run.last_state("people")["done"] == 99

    def test_counts_of_states_add_up_to_the_records(self) -> None:
        clock = FakeClock()

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            for number in range(30):
                yield Page(rows(*range(number)), {"done": number})
                clock.advance(0.3)

        run = read([task("people", pages)], clock=clock)
        counts = [each["sourceStats"]["recordCount"] for each in run.states("people")]
        assert sum(counts) == len(run.records("people"))
        since = 0
        for message in run.of("people"):
            since += message["type"] == "RECORD"
            if message["type"] == "STATE":
                assert message["state"]["sourceStats"]["recordCount"] == since
                since = 0

    def test_without_pages_the_state_is_still_emitted(self) -> None:
        run = read([task("people", nothing)])
        assert run.statuses("people") == ["STARTED", "RUNNING", "COMPLETE"]
        assert len(run.states("people")) == 1

    def test_without_pages_the_stored_state_is_kept(self) -> None:
        first = read([task("people", three_pages)]).last_state("people")
        assert read([task("people", nothing, stored=first)]).last_state("people") == first

    def test_estimate_is_emitted_once_per_total(self) -> None:
        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            for done, total in ((1, 10), (2, 10), (3, 12)):
                yield Page([], {"done": done}, Progress(done, total))

        run = read([task("people", pages)])
        estimates = [
            each["trace"]["estimate"]["row_estimate"]
            for each in run.of("people")
            if each["type"] == "TRACE" and each["trace"]["type"] == "ESTIMATE"
        ]
        assert estimates == [10, 12]

    def test_long_read_logs_its_progress(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        clock = FakeClock()

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            for done in range(1, 11):
                yield Page(rows(done), {"done": done}, Progress(done, 40))
                clock.advance(61)

        read([task("people", pages)], clock=clock)
        lines = [each for each in caplog.messages if "so far" in each]
        assert 5 <= len(lines) <= 11
        assert "people" in lines[-1]
        assert "of 40" in lines[-1]


def stored_by(*, full: bool, generation: int | None, finished: bool) -> dict[str, Any]:
    """Return the state of an earlier run, as that run printed it."""

    def pages(state: State, full_refresh: bool) -> Iterator[Page]:
        yield Page(rows(1), {"at": 1})
        if not finished:
            raise TransientError("Later.")

    earlier = task("people", pages, full_refresh=full, generation=generation)
    return read([earlier]).last_state("people")


@dataclass(frozen=True)
class Case:
    """A state of an earlier run, a catalog, and the bookmark that the stream resumes from."""

    name: str
    stored: Callable[[], dict[str, Any] | None]
    full: bool
    generation: int | None
    goes_on_from: dict[str, Any] | None
    """None: nothing is left to read."""
    selection: Mapping[str, object] | None = None
    """None: as in the earlier run."""


def earlier(*, full: bool, generation: int | None, finished: bool) -> Callable[[], dict[str, Any]]:
    return lambda: stored_by(full=full, generation=generation, finished=finished)


ONE = {"at": 1}
CASES = [
    Case("incremental, first run", lambda: None, False, None, {}),
    Case("incremental, empty state", dict, False, None, {}),
    Case(
        "incremental after a finished one",
        earlier(full=False, generation=None, finished=True),
        False,
        None,
        ONE,
    ),
    Case(
        "incremental after one that was cut",
        earlier(full=False, generation=None, finished=False),
        False,
        None,
        ONE,
    ),
    Case(
        "incremental, the platform counts generations",
        earlier(full=False, generation=3, finished=True),
        False,
        4,
        ONE,
    ),
    Case(
        "incremental after a finished full refresh",
        earlier(full=True, generation=3, finished=True),
        False,
        3,
        ONE,
    ),
    Case(
        "incremental, rows chosen differently",
        earlier(full=False, generation=None, finished=True),
        False,
        None,
        {},
        {"start_date": "2025-01-01T00:00:00Z"},
    ),
    Case("full refresh, first run", lambda: None, True, 3, {}),
    Case(
        "full refresh, second attempt, goes on",
        earlier(full=True, generation=3, finished=False),
        True,
        3,
        ONE,
    ),
    Case(
        "full refresh, second attempt after a finished one",
        earlier(full=True, generation=3, finished=True),
        True,
        3,
        None,
    ),
    Case(
        "full refresh of generation 0, second attempt after a finished one",
        earlier(full=True, generation=0, finished=True),
        True,
        0,
        None,
    ),
    Case(
        "full refresh, the next generation",
        earlier(full=True, generation=3, finished=True),
        True,
        4,
        {},
    ),
    Case(
        "full refresh, the next generation, the last one was cut",
        earlier(full=True, generation=3, finished=False),
        True,
        4,
        {},
    ),
    Case(
        "full refresh after an incremental one",
        earlier(full=False, generation=3, finished=True),
        True,
        3,
        {},
    ),
    Case(
        "full refresh, second attempt, rows chosen differently",
        earlier(full=True, generation=3, finished=False),
        True,
        3,
        {},
        {"start_date": "2025-01-01T00:00:00Z"},
    ),
    Case(
        "full refresh, no generations, goes on",
        earlier(full=True, generation=None, finished=False),
        True,
        None,
        ONE,
    ),
    Case(
        "full refresh, no generations, after a finished one",
        earlier(full=True, generation=None, finished=True),
        True,
        None,
        {},
    ),
    Case(
        "full refresh, no generations, after an incremental one that was cut",
        earlier(full=False, generation=None, finished=False),
        True,
        None,
        {},
    ),
]


class TestWhereAReadBegins:
    @pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
    def test_rules(self, case: Case) -> None:
        given: list[tuple[dict[str, Any], bool]] = []

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            given.append((dict(state), full_refresh))
            yield Page(rows(7), {"at": 7})

        stored = case.stored()
        run = read(
            [
                task(
                    "people",
                    pages,
                    stored=stored,
                    full_refresh=case.full,
                    generation=case.generation,
                    selection=case.selection,
                )
            ]
        )
        assert run.failure is None
        assert run.statuses("people") == ["STARTED", "RUNNING", "COMPLETE"]
        if case.goes_on_from is None:
            assert given == []
            assert run.records("people") == []
            assert run.last_state("people") == stored
        else:
            assert given == [(case.goes_on_from, case.full)]
            assert run.records("people") == ["7"]

    def test_changed_selection_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        stored = stored_by(full=False, generation=None, finished=True)
        read([task("people", nothing, stored=stored, selection={"include_deleted": False})])
        assert (
            "people: the configuration selects other rows than when the state was written; "
            "everything from the start date is read again."
        ) in caplog.messages

    def test_the_order_of_the_configuration_does_not_matter(self) -> None:
        stored = read([task("people", three_pages, selection={"a": 1, "b": 2})]).last_state(
            "people"
        )
        run = read([task("people", nothing, stored=stored, selection={"b": 2, "a": 1})])
        assert run.last_state("people") == stored

    @pytest.mark.parametrize("stored", [{"at": 3}, {"selection": None, "at": 3}, {"selection": 5}])
    def test_a_foreign_state_ends_its_stream_alone(self, stored: State) -> None:
        run = read([task("people", never, stored=stored), task("jobs", three_pages)])
        assert isinstance(run.failure, IncompleteRead)
        (failure,) = run.failure.failures.values()
        assert isinstance(failure, ConfigError)
        assert "people" in failure.message
        assert run.statuses("people")[-1] == "INCOMPLETE"
        assert run.states("people") == []
        assert run.statuses("jobs")[-1] == "COMPLETE"

    def test_full_refresh_state_has_the_generation(self) -> None:
        assert stored_by(full=True, generation=3, finished=True)["generation"] == 3
        assert stored_by(full=True, generation=3, finished=False)["generation"] == 3


class TestFailures:
    @pytest.mark.parametrize(
        ("failure", "failure_type"),
        [
            (ConfigError("Correct the key."), "config_error"),
            (TransientError("Try later."), "transient_error"),
            (ContractError("Odd."), "system_error"),
            (RequestRefused("Refused.", status=400, code=None), "system_error"),
        ],
    )
    @pytest.mark.parametrize("same_vendor", [True, False])
    def test_one_failing_stream_does_not_stop_the_others(
        self, failure: AtsError, failure_type: str, same_vendor: bool
    ) -> None:
        def failing(state: State, full_refresh: bool) -> Iterator[Page]:
            yield Page(rows(1), {"at": 1})
            yield Page(rows(2), {"at": 2})
            raise failure

        bad, good = task("bad", failing), task("good", three_pages)
        run = read([bad, good]) if same_vendor else read([bad], [good])
        assert isinstance(run.failure, IncompleteRead)
        assert set(run.failure.failures) == {"bad"}
        assert run.failure.failures["bad"] is failure
        assert run.statuses("good") == ["STARTED", "RUNNING", "COMPLETE"]
        assert run.records("good") == ["1", "2", "3"]
        assert run.last_state("good")["at"] == 3
        assert run.errors("good") == []
        assert run.statuses("bad") == ["STARTED", "RUNNING", "INCOMPLETE"]
        assert run.records("bad") == ["1", "2"]
        assert run.last_state("bad")["at"] == 2
        (error,) = run.errors("bad")
        assert error["failure_type"] == failure_type
        assert error["message"] == failure.message
        assert run.of("bad")[-1]["trace"]["stream_status"]["status"] == "INCOMPLETE"

    def test_failure_before_the_first_page_emits_no_state(self) -> None:
        run = read([task("bad", fails_with(TransientError("Later.")))])
        assert run.statuses("bad") == ["STARTED", "RUNNING", "INCOMPLETE"]
        assert run.states("bad") == []
        assert run.records("bad") == []

    def test_bug_ends_its_stream_without_showing_its_text(self) -> None:
        def failing(state: State, full_refresh: bool) -> Iterator[Page]:
            yield Page(rows(1), {"at": 1})
            raise KeyError("mira.solberg@example.org")

        run = read([task("bad", failing)], [task("good", three_pages)])
        assert "mira.solberg" not in json.dumps(run.messages)
        assert run.statuses("bad")[-1] == "INCOMPLETE"
        assert run.errors("bad")[0]["failure_type"] == "system_error"
        assert "KeyError" in run.errors("bad")[0]["internal_message"]
        assert run.last_state("bad")["at"] == 1
        assert run.statuses("good")[-1] == "COMPLETE"

    def test_all_failures_are_reported(self) -> None:
        failing = fails_with(ConfigError("Correct the key."))
        run = read([task("one", failing), task("two", failing)], [task("three", failing)])
        assert isinstance(run.failure, IncompleteRead)
        assert set(run.failure.failures) == {"one", "two", "three"}
        assert all(name in run.failure.message for name in ("one", "two", "three"))


class TestStop:
    def test_stop_emits_the_page_in_hand_then_its_state(self) -> None:
        stop = threading.Event()
        clock = FakeClock(stop)

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            yield Page(rows(1), {"at": 1})
            yield Page(rows(2), {"at": 2})
            stop.set()
            yield Page(rows(3), {"at": 3})
            # As the budget does before the next call.
            clock.sleep(0)
            yield Page(rows(4), {"at": 4})

        run = read([task("people", pages)], clock=clock, stop=stop)
        assert isinstance(run.failure, IncompleteRead)
        assert run.records("people") == ["1", "2", "3"]
        assert run.last_state("people")["at"] == 3
        assert run.statuses("people") == ["STARTED", "RUNNING", "INCOMPLETE"]
        assert run.errors("people") == []
        assert isinstance(run.failure.failures["people"], Stopped)

    def test_streams_not_begun_are_incomplete_and_keep_their_state(self) -> None:
        stop = threading.Event()
        clock = FakeClock(stop)

        def first(state: State, full_refresh: bool) -> Iterator[Page]:
            yield Page(rows(1), {"at": 1})
            stop.set()
            clock.sleep(0)

        def second(state: State, full_refresh: bool) -> Iterator[Page]:
            clock.sleep(0)
            yield Page(rows(2), {"at": 2})

        stored = stored_by(full=False, generation=None, finished=True)
        run = read(
            [task("first", first), task("second", second, stored=stored)], clock=clock, stop=stop
        )
        assert run.records("second") == []
        assert run.statuses("second")[0] == "STARTED"
        assert run.statuses("second")[-1] == "INCOMPLETE"
        assert all(each["stream"]["stream_state"] == stored for each in run.states("second"))

    def test_hanging_request_does_not_delay_the_end(self) -> None:
        class Hurrying(FakeClock):
            """Each look at the time lets a second pass, as it does while a call hangs."""

            def monotonic(self) -> float:
                self.advance(1)
                return super().monotonic()

        stop, call_ends = threading.Event(), threading.Event()

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            yield Page(rows(1), {"at": 1})
            stop.set()
            assert call_ends.wait(PATIENCE_SECONDS)
            yield Page(rows(2), {"at": 2})

        run = read([task("people", pages)], clock=Hurrying(), stop=stop)
        call_ends.set()
        assert isinstance(run.failure, IncompleteRead)
        assert run.records("people") == ["1"]
        assert run.last_state("people")["at"] == 1
        assert run.statuses("people")[-1] == "INCOMPLETE"

    def test_stop_after_the_last_page_completes(self) -> None:
        stop = threading.Event()

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            yield Page(rows(1), {"at": 1})
            stop.set()

        run = read([task("people", pages)], stop=stop)
        assert run.failure is None
        assert run.statuses("people")[-1] == "COMPLETE"


class TestWaiting:
    def test_rate_limit_status_has_its_end_and_is_cleared(self) -> None:
        rate_limit = RateLimitStatus()
        shown, over = threading.Event(), threading.Event()
        until = NOON + timedelta(minutes=10)

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            yield Page(rows(1), {"at": 1})
            rate_limit.report(until)
            assert shown.wait(PATIENCE_SECONDS)
            rate_limit.report(None)
            assert over.wait(PATIENCE_SECONDS)
            yield Page(rows(2), {"at": 2})

        def seen(message: Message) -> None:
            status = message.get("trace", {}).get("stream_status", {})
            if status.get("reasons"):
                shown.set()
            elif shown.is_set() and status.get("status") == "RUNNING":
                over.set()

        run = read(VendorTasks([task("people", pages)], rate_limit), seen=seen)
        assert run.failure is None
        assert run.statuses("people") == ["STARTED", "RUNNING", "RUNNING", "RUNNING", "COMPLETE"]
        (reasons,) = [
            each["trace"]["stream_status"]["reasons"]
            for each in run.of("people")
            if each.get("trace", {}).get("stream_status", {}).get("reasons")
        ]
        assert reasons == [
            {"type": "RATE_LIMITED", "rate_limited": {"quota_reset": epoch_ms(until)}}
        ]

    def test_every_wait_and_its_end_are_reported(self) -> None:
        rate_limit = RateLimitStatus()
        first, second = NOON + timedelta(seconds=1), NOON + timedelta(seconds=2)

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            yield Page(rows(1), {"at": 1})
            for until in (first, None, None, second, None):
                rate_limit.report(until)

        run = read(VendorTasks([task("people", pages)], rate_limit))
        assert run.failure is None
        assert run.waits("people") == [None, epoch_ms(first), None, epoch_ms(second), None]
        assert run.statuses("people")[-1] == "COMPLETE"

    def test_one_limit_for_several_requests_is_reported_once(self) -> None:
        rate_limit = RateLimitStatus()
        first, longer = NOON + timedelta(seconds=10), NOON + timedelta(seconds=40)

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            yield Page(rows(1), {"at": 1})
            for seconds in (10, 10.8, 9.5, 40, 12):
                rate_limit.report(NOON + timedelta(seconds=seconds))
            rate_limit.report(None)

        run = read(VendorTasks([task("people", pages)], rate_limit))
        assert run.failure is None
        assert run.waits("people") == [None, epoch_ms(first), epoch_ms(longer), None]

    def test_rate_limit_is_reported_again_for_the_next_stream(self) -> None:
        rate_limit = RateLimitStatus()
        until = NOON + timedelta(minutes=20)

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            yield Page(rows(1), {"at": 1})
            rate_limit.report(until)

        run = read(VendorTasks([task("one", pages), task("two", pages)], rate_limit))
        assert run.failure is None
        assert run.waits("one") == run.waits("two") == [None, epoch_ms(until)]

    def test_one_limit_for_streams_side_by_side_is_reported_once(self) -> None:
        rate_limit = RateLimitStatus()
        until = NOON + timedelta(minutes=10)
        both = threading.Barrier(2, timeout=PATIENCE_SECONDS)

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            both.wait()
            rate_limit.report(until)
            both.wait()
            rate_limit.report(None)
            both.wait()
            yield Page(rows(1), {"at": 1})

        run = read(VendorTasks([task("one", pages), task("two", pages)], rate_limit, 2))
        assert run.failure is None
        waits = sorted([run.waits("one"), run.waits("two")], key=len)
        assert waits == [[None], [None, epoch_ms(until), None]]

    def test_only_the_waiting_stream_reports_the_limit(self) -> None:
        rate_limit = RateLimitStatus()
        shown = threading.Event()

        def waiting(state: State, full_refresh: bool) -> Iterator[Page]:
            rate_limit.report(NOON + timedelta(minutes=10))
            assert shown.wait(PATIENCE_SECONDS)
            rate_limit.report(None)
            yield Page(rows(1), {"at": 1})

        def seen(message: Message) -> None:
            if message.get("trace", {}).get("stream_status", {}).get("reasons"):
                shown.set()

        run = read(
            VendorTasks([task("waiting", waiting), task("next", three_pages)], rate_limit),
            [task("other", three_pages)],
            seen=seen,
        )
        assert run.failure is None
        assert run.statuses("next") == ["STARTED", "RUNNING", "COMPLETE"]
        assert run.statuses("other") == ["STARTED", "RUNNING", "COMPLETE"]

    def test_the_last_state_is_repeated_every_5_minutes(self) -> None:
        clock = FakeClock()
        out = [threading.Event() for _ in range(3)]
        states = 0

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            yield Page(rows(1), {"at": 1})
            for event in out:
                assert event.wait(PATIENCE_SECONDS)
                clock.advance(301)

        def seen(message: Message) -> None:
            nonlocal states
            if message["type"] == "STATE":
                if states < len(out):
                    out[states].set()
                states += 1

        run = read([task("people", pages)], clock=clock, seen=seen)
        assert run.failure is None
        first, *repeated = run.states("people")
        assert len(repeated) >= 2
        assert all(each["stream"] == first["stream"] for each in repeated)
        assert all(each["sourceStats"]["recordCount"] == 0 for each in repeated)

    def test_held_back_state_is_emitted_while_waiting(self) -> None:
        clock = FakeClock()
        first_out, second_out = threading.Event(), threading.Event()

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            yield Page(rows(1), {"at": 1})
            assert first_out.wait(PATIENCE_SECONDS)
            yield Page(rows(2), {"at": 2})
            clock.advance(1.1)
            assert second_out.wait(PATIENCE_SECONDS)

        def seen(message: Message) -> None:
            match message:
                case {"state": {"stream": {"stream_state": {"at": 1}}}}:
                    first_out.set()
                case {"state": {"stream": {"stream_state": {"at": 2}}}}:
                    second_out.set()

        assert read([task("people", pages)], clock=clock, seen=seen).failure is None


class TestThreads:
    def test_vendors_are_read_at_the_same_time(self) -> None:
        together = threading.Barrier(2, timeout=PATIENCE_SECONDS)

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            # Passes only when the other vendor's stream is here too.
            together.wait()
            yield Page(rows(1), {"at": 1})

        run = read([task("one", pages)], [task("two", pages)])
        assert run.failure is None

    def test_streams_of_one_vendor_are_read_one_after_the_other(self) -> None:
        run = read([task("one", three_pages), task("two", three_pages)])
        assert run.failure is None
        names = [stream_of(each) for each in run.messages]
        assert names == ["one"] * names.count("one") + ["two"] * names.count("two")

    @pytest.mark.parametrize("records", [0, 1, 250])
    def test_slow_consumer_limits_queued_pages(
        self, records: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reader, "MAX_QUEUED_BYTES", DEFAULT_QUEUED_BYTES)
        made = 0

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            nonlocal made
            for number in range(10_000):
                made += 1
                yield Page(row * records, {"at": number})

        row = [b'{"text":"%b"}' % (b"x" * 1_000)]
        messages = reader.read(
            [VendorTasks([task("people", pages)])], FakeClock(), threading.Event()
        )
        for lines in messages:
            if b'"STATE"' in lines:
                break
        close(messages)
        # Those taken, as many waiting again, and one of each that was more than there was room for.
        assert made <= 2 * (DEFAULT_QUEUED_BYTES // (1_000 + 1_000 * records) + 1) + 1

    def test_small_pages_are_printed_together(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reader, "MAX_QUEUED_BYTES", DEFAULT_QUEUED_BYTES)

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            for number in range(5_000):
                yield Page(rows(number), {"at": number})

        vendors = [VendorTasks([task("people", pages)])]
        pieces = list(reader.read(vendors, FakeClock(), threading.Event()))
        records = [line for line in b"".join(pieces).splitlines() if b'"RECORD"' in line]
        assert len(records) == 5_000
        # The writer comes when there is no more room, or a moment after the first of them.
        assert len(pieces) < 1_000

    def test_queued_events_are_emitted_in_order(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reader, "MAX_QUEUED_BYTES", DEFAULT_QUEUED_BYTES)
        monkeypatch.setattr(emitter, "SECONDS_BETWEEN_STATES", 0.0)

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            for number in range(300):
                yield Page(rows(number), {"at": number})

        names = ["one", "two", "three"]
        run = read([task("one", pages), task("two", pages)], [task("three", pages)])
        assert run.failure is None
        for name in names:
            out = -1
            for message in run.of(name):
                match message:
                    case {"record": {"data": {"id": number}}}:
                        out = int(number)
                    case {"state": {"stream": {"stream_state": {"at": at}}}}:
                        assert at == out
            assert out == 299
            assert run.statuses(name) == ["STARTED", "RUNNING", "COMPLETE"]
        of_one_vendor = [stream_of(each) for each in run.messages if stream_of(each) != "three"]
        assert of_one_vendor == sorted(of_one_vendor, key=lambda name: name == "two")

    def test_streams_of_one_vendor_are_read_at_once_as_far_as_it_allows(self) -> None:
        # Passes only while two are inside at the same time; a third one would break it.
        both = threading.Barrier(2, timeout=PATIENCE_SECONDS)
        lock = threading.Lock()
        now, most = 0, 0

        def pages(state: State, full_refresh: bool) -> Iterator[Page]:
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            both.wait()
            yield Page(rows(1), {"at": 1})
            with lock:
                now -= 1
            both.wait()

        names = ["one", "two", "three", "four"]
        run = read(VendorTasks([task(each, pages) for each in names], at_once=2))
        assert run.failure is None
        assert most == 2
        for name in names:
            assert run.statuses(name) == ["STARTED", "RUNNING", "COMPLETE"]

    def test_finished_log_line_comes_last(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(reader, "MAX_QUEUED_BYTES", DEFAULT_QUEUED_BYTES)
        caplog.set_level(logging.INFO)

        def seen(message: Message) -> None:
            assert "finished" not in caplog.text

        assert read([task("people", three_pages)], seen=seen).failure is None
        assert "people: finished, " in caplog.text

    def test_the_summary_counts_records_and_names_what_did_not_finish(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        failing = [task(name, fails_with(TransientError("Later."))) for name in ("jobs", "deals")]
        read([task("people", three_pages), *failing])
        assert caplog.messages[-1] == (
            "Read 3 records of 3 streams in 0.0 s. Not finished: deals, jobs."
        )
        caplog.clear()
        read([task("people", three_pages)])
        assert caplog.messages[-1] == "Read 3 records of 1 stream in 0.0 s."

    def test_closing_the_output_leaves_no_thread(self) -> None:
        before = set(threading.enumerate())
        stop = threading.Event()
        clock = SystemClock(stop)
        closed = []

        def endless(state: State, full_refresh: bool) -> Iterator[Page]:
            try:
                while True:
                    yield Page(rows(1), {"at": 1})
            finally:
                closed.append("endless")

        def asleep(state: State, full_refresh: bool) -> Iterator[Page]:
            yield Page(rows(1), {"at": 1})
            clock.sleep(3600)

        vendors = [
            VendorTasks([task("endless", endless), task("after", never)]),
            VendorTasks([task("asleep", asleep)]),
        ]
        messages = reader.read(vendors, clock, stop)
        for _ in range(6):
            next(messages)
        close(messages)
        for thread in set(threading.enumerate()) - before:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()
        assert closed == ["endless"]

    def test_a_read_of_no_stream_ends(self) -> None:
        assert read() == Run([], None)


def test_catalog_entry_declares_cursor_key_and_resumability() -> None:
    entry = catalog_entry(task("people", nothing).stream)
    assert entry["name"] == "people"
    assert entry["source_defined_primary_key"] == [["id"]]
    assert entry["default_cursor_field"] == ["at"]
    assert entry["supported_sync_modes"] == ["full_refresh", "incremental"]
    assert entry["source_defined_cursor"] is True
    assert entry["is_resumable"] is True
    assert entry["source_defined_cursor"] is True
    assert entry["is_resumable"] is True
    assert set(entry["supported_sync_modes"]) == {"full_refresh", "incremental"}
