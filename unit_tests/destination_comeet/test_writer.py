"""The write loop: outcomes in the records' order, states only when all before is on disk."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from destination_comeet.rejects import Rejected, RejectedFile
from destination_comeet.writer import (
    BYTES_AHEAD,
    LINES_AHEAD,
    Outcome,
    Record,
    Result,
    Writer,
)
from source_ats.errors import ConfigError, Stopped, TransientError
from unit_tests.fakes import FakeClock


class Place:
    """Where records go to, and the order in which things happened."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.records: list[Record] = []
        self.results: dict[int, Result | Exception] = {}
        self.takes = 0.0
        self.clock = FakeClock()

    def deliver(self, record: Record) -> Sequence[Outcome]:
        self.clock.advance(self.takes)
        self.records.append(record)
        self.happened.append(f"delivered {record['id']}")
        result = self.results.get(record["id"], Result.CREATED)
        if isinstance(result, Exception):
            raise result
        return [Outcome(result, "p", f"k:{record['id']}", "email", "is odd")]

    def flush(self) -> None:
        self.happened.append("flushed")


@pytest.fixture
def place() -> Place:
    return Place()


def written(
    place: Place, *lines: bytes | dict[str, Any], **options: Any
) -> Iterator[dict[str, Any]]:
    rejected = options.pop("rejected", None) or Rejected([], place.clock)
    streams = {"s": place.deliver, "ignored": None}
    writer = Writer(streams, place.flush, rejected, place.clock, **options)
    batch = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    for line in writer.write([batch]):
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        place.happened.append("printed")
        yield json.loads(line)


def row(number: int, stream: str = "s", **more: Any) -> dict[str, Any]:
    return {"type": "RECORD", "record": {"stream": stream, "data": {"id": number}, **more}}


def state(stream: str = "s", **more: Any) -> dict[str, Any]:
    content = {"stream_descriptor": {"name": stream}, "stream_state": {}}
    return {"type": "STATE", "state": {"type": "STREAM", "stream": content, **more}}


def test_a_state_waits_until_everything_before_it_is_on_disk(place: Place) -> None:
    list(written(place, row(1), row(2), state(), row(3)))
    assert place.happened == [
        "delivered 1",
        "delivered 2",
        "flushed",
        "printed",
        "delivered 3",
        "flushed",
    ]


def test_records_are_announced_before_their_turn_and_in_their_order(place: Place) -> None:
    def announce(stream: str, record: Record) -> None:
        place.happened.append(f"announced {record['id']} of {stream}")

    rows = [row(number) for number in range(LINES_AHEAD + 2)]
    list(written(place, *rows, row(99, stream="ignored"), announce=announce))
    begun = [f"announced {number} of s" for number in range(LINES_AHEAD + 1)]
    assert place.happened[: LINES_AHEAD + 3] == [
        *begun,
        "delivered 0",
        f"announced {LINES_AHEAD + 1} of s",
    ]
    # What is delivered is what was announced, each once.
    assert [each["id"] for each in place.records] == list(range(LINES_AHEAD + 2))


def test_large_records_are_not_read_ahead(place: Place) -> None:
    announced: list[Any] = []
    rows = [row(number, x="y" * BYTES_AHEAD) for number in range(4)]
    lines = written(
        place, *rows, state(), announce=lambda stream, record: announced.append(record["id"])
    )
    place.results[1] = TransientError("Nobody answers.")
    with pytest.raises(TransientError):
        list(lines)
    assert announced == [0, 1]


def test_a_bad_line_fails_at_its_turn(place: Place) -> None:
    with pytest.raises(ConfigError, match="Line 3 of standard input"):
        list(written(place, row(1), row(2), b'{"type":"RECORD"', row(4)))
    assert place.happened == ["delivered 1", "delivered 2"]


def test_no_state_passes_a_record_that_has_no_outcome(place: Place) -> None:
    place.results[2] = TransientError("Nobody answers.")
    with pytest.raises(TransientError):
        list(written(place, row(1), state(), row(2), state()))
    assert place.happened == ["delivered 1", "flushed", "printed", "delivered 2"]


@pytest.mark.parametrize(
    ("result", "rejected"),
    [
        (Result.CREATED, 0),
        (Result.UNCHANGED, 0),
        (Result.UPDATED, 0),
        (Result.CLOSED, 0),
        (Result.SKIPPED, 0),
        (Result.REJECTED, 1),
        (Result.UNKNOWN, 1),
    ],
)
def test_how_each_outcome_counts(
    place: Place, result: Result, rejected: int, caplog: pytest.LogCaptureFixture
) -> None:
    place.results[1] = result
    (passed,) = written(place, row(1), row(2), state())
    assert passed["state"]["destinationStats"] == {
        "recordCount": 2.0,
        "rejectedRecordCount": float(rejected),
    }
    warnings = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert len(warnings) == rejected
    assert all("k:1" in each and "email is odd" in each for each in warnings)


def test_a_state_keeps_all_that_it_had(place: Place) -> None:
    raw = (
        b'{"odd":1e2,"type":"STATE","state":{"type":"STREAM","id":12345678901234567890123,'
        b'"stream":{"stream_descriptor":{"name":"s","namespace":null},"stream_state":{"a":1.10}},'
        b'"destinationStats":{"more":[1]}}}'
    )
    clock = FakeClock()
    writer = Writer({"s": place.deliver}, place.flush, Rejected([], clock), clock)
    (line,) = writer.write([[raw]])
    counts = b'{"more":[1],"recordCount":0.0,"rejectedRecordCount":0.0}'
    assert line == raw.replace(b'{"more":[1]}', counts) + b"\n"


@pytest.mark.parametrize(
    "raw",
    [
        b'{ "state" : { "data" : {"a" : "\\ud800 \\u0000", "a": 1.10 } } , "type" : "STATE" }',
        b'{"type":"STATE","state":{}}',
        b'{"type":"STATE","state":{"data":{"destinationStats":1}}, "destinationStats": {"a":1}}',
        b'{"state":{"destinationStats":null},"type":"STATE","state":{"data":"}"}}',
        b'{"type":"STATE","state":{"data":' + b"[" * 900 + b"]" * 900 + b"}}",
    ],
)
def test_a_state_is_passed_on_byte_by_byte(place: Place, raw: bytes) -> None:
    (line,) = Writer({}, place.flush, Rejected([], place.clock), place.clock).write([[raw]])
    counts = b'"destinationStats":{"recordCount":0.0,"rejectedRecordCount":0.0}'
    assert counts in line
    without = line.replace(b"," + counts, b"").replace(counts, b"")
    assert without.translate(None, b" \n") == raw.translate(None, b" ")


@pytest.mark.parametrize("odd", [b"null", b"[]", b'"x"', b"7", b'{"recordCount":null}', b"{}"])
def test_odd_statistics_of_a_state_are_replaced(place: Place, odd: bytes) -> None:
    raw = b'{"type":"STATE","state":{"destinationStats": %b ,"data":{}}}' % odd
    (line,) = Writer({}, place.flush, Rejected([], place.clock), place.clock).write([[raw]])
    assert json.loads(line)["state"] == {
        "destinationStats": {"recordCount": 0.0, "rejectedRecordCount": 0.0},
        "data": {},
    }


def test_counts_are_those_since_the_last_state(place: Place) -> None:
    stats = [
        each["state"]["destinationStats"]["recordCount"]
        for each in written(place, row(1), state(), row(2), row(3), state(), state())
    ]
    assert stats == [1.0, 2.0, 0.0]


def test_a_state_of_all_streams_counts_them_all(place: Place) -> None:
    legacy = {"type": "STATE", "state": {"data": {"cursor": 1}}}
    (passed,) = written(place, row(1), row(2), legacy)
    assert passed["state"]["data"] == {"cursor": 1}
    assert passed["state"]["destinationStats"]["recordCount"] == 2.0


def test_too_many_rejected(place: Place) -> None:
    place.results = {1: Result.REJECTED, 2: Result.UNKNOWN}
    with pytest.raises(ConfigError, match="max_rejected"):
        list(written(place, row(1), state(), row(2), state(), max_rejected=1))
    assert place.happened.count("printed") == 1
    assert place.happened[-1] == "flushed"


def test_rejects_of_earlier_attempts_count(place: Place) -> None:
    place.results = {1: Result.REJECTED}
    with pytest.raises(ConfigError, match="max_rejected"):
        list(written(place, row(1), state(), max_rejected=2, rejected_before=2))
    counted: list[int] = []
    options = {"max_rejected": 3, "rejected_before": 2, "count_rejected": counted.append}
    list(written(place, row(1), state("other"), state(), row(2), state(), **options))
    # Only what a state that is passed on covers, before it is passed on.
    assert counted == [0, 1, 0]


def test_a_record_is_skipped_only_if_nothing_else_became_of_it(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    def deliver(record: Record) -> Sequence[Outcome]:
        skipped = Outcome(Result.SKIPPED, field="confidential", reason="is true")
        return [Outcome(Result.CREATED), skipped] if record["id"] == 1 else [skipped, skipped]

    place.deliver = deliver  # type: ignore[method-assign]
    (passed,) = written(place, row(1), row(2), row(3), state())
    assert passed["state"]["destinationStats"] == {"recordCount": 3.0, "rejectedRecordCount": 0.0}
    assert caplog.messages[-1] == (
        "Finished: 3 records; 1 created; 2 skipped: confidential is true (2)."
    )


def test_each_outcome_is_counted_with_its_reasons(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    request = "[Comeet create 500 made-up-{}]"

    def deliver(record: Record) -> Sequence[Outcome]:
        number = record["id"]
        return [
            [
                Outcome(Result.CREATED),
                Outcome(Result.REJECTED, field="first_name", reason="is missing"),
                Outcome(Result.REJECTED, field="emails.1", reason="is odd"),
                Outcome(Result.UNKNOWN, reason=f"got no answer {request.format(number)}"),
            ][number % 4]
        ]

    place.deliver = deliver  # type: ignore[method-assign]
    list(written(place, *map(row, range(8))))
    assert caplog.messages[-1] == (
        "Finished: 8 records; 2 created; 4 rejected: first_name is missing (2), emails is odd (2); "
        "2 of unknown outcome: got no answer (2)."
    )


def test_fields_that_cannot_be_updated_are_counted(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    def deliver(record: Record) -> Sequence[Outcome]:
        return [Outcome(Result.UNCHANGED, left_out=["source", "person_type"][: record["id"]])]

    place.deliver = deliver  # type: ignore[method-assign]
    list(written(place, row(1), row(2)))
    assert caplog.messages[-1] == (
        f"Finished: 2 records; 2 {Result.UNCHANGED.value}; changes of fields that cannot be "
        "updated: source 2, person_type 1."
    )


def test_a_frequent_problem_of_one_field_does_not_hide_that_of_another(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    def deliver(record: Record) -> Sequence[Outcome]:
        dropped = [("phone", "is odd"), *[("website", "is long")][: record["id"] // 11]]
        return [Outcome(Result.CREATED, key=f"k:{record['id']}", dropped=dropped)]

    place.deliver = deliver  # type: ignore[method-assign]
    list(written(place, *map(row, range(1, 12))))
    assert caplog.messages[9:11] == [
        "Record 10 of stream s, key k:10: phone is odd; it is left out.",
        "Record 11 of stream s, key k:11: website is long; it is left out.",
    ]


@pytest.mark.parametrize(
    ("level", "is_shown"),
    [("FATAL", True), ("ERROR", True), ("WARN", True), ("INFO", False), ("DEBUG", False)],
)
def test_warnings_and_errors_of_the_source_are_passed_on(
    place: Place, level: str, is_shown: bool
) -> None:
    said = {"type": "LOG", "log": {"level": level, "message": "made up"}}
    assert list(written(place, said, row(1))) == [said] * is_shown


def test_a_run_that_fails_says_what_was_done(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    place.results[2] = TransientError("Nobody answers.")
    with pytest.raises(TransientError):
        list(written(place, row(1), row(2)))
    assert caplog.messages[-1] == "Not finished: 2 records; 1 created."


def test_ten_warnings_of_each_reason_then_a_summary(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.results = dict.fromkeys(range(25), Result.REJECTED)
    rows = [row(number) for number in range(25)]
    list(written(place, *rows[:9], state(), *rows[9:12], state(), state(), *rows[12:]))
    warnings = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert warnings[9].startswith("Record 10 ")
    assert warnings[10:] == [
        "Rejected so far: email is odd (12).",
        "Rejected so far: email is odd (25).",
    ]


def test_a_run_that_was_asked_to_end_passes_on_what_is_done(place: Place) -> None:
    stop = threading.Event()
    place.clock = FakeClock(stop)
    real = place.deliver

    def deliver(record: Record) -> Sequence[Outcome]:
        stop.set()
        return real(record)

    place.deliver = deliver  # type: ignore[method-assign]
    lines = written(place, row(1), state(), row(2), state())
    assert next(lines)["type"] == "STATE"
    with pytest.raises(Stopped):
        next(lines)
    assert place.records == [{"id": 1}]


def test_progress_is_told_once_a_minute(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    place.takes = 25.0
    list(written(place, *[row(number) for number in range(6)]))
    texts = [each.getMessage() for each in caplog.records]
    assert [text for text in texts if text.startswith("So far")] == [
        "So far: 3 records; 3 created.",
        "So far: 6 records; 6 created.",
    ]


def test_input_without_a_message_is_an_error(place: Place) -> None:
    with pytest.raises(ConfigError) as caught:
        list(written(place, b"Connecting ...", b"Done."))
    assert caught.value.message == (
        "Standard input has no message of Airbyte's protocol. Check what writes to it."
    )


def test_text_between_messages_is_ignored_and_said_once(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    list(written(place, b"Connecting ...", row(1), b"", b"Done.", row(2)))
    assert place.happened == ["delivered 1", "delivered 2", "flushed"]
    (said, *_) = caplog.messages
    assert said == "Line 1: Text between the messages of standard input is ignored."
    assert "ignored" not in "".join(caplog.messages[1:])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"a\0b", "it holds NUL bytes. Standard input has to be UTF-8, not UTF-16 or UTF-32"),
        (
            b'log: {"type": "RECORD"}',
            "something precedes the message on the line, or encloses it",
        ),
        (b'{"type": "RECORD"}', ": it has no record. What came before it is done."),
        (b'{"type": "STATE"}', ": it has no state. What came before it is done."),
    ],
)
def test_a_damaged_message_is_never_ignored(place: Place, line: bytes, why: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(why)):
        list(written(place, row(1), line))


def test_half_a_character_does_not_break_a_record(place: Place) -> None:
    half = b'{"type":"RECORD","record":{"stream":"s","data":{"id":5,"name":"Mira \\ud83d"}}}'
    (passed,) = written(place, half, state())
    # What becomes of the half is up to the mapping: in a key it must not be lost.
    assert place.records == [{"id": 5, "name": "Mira \ud83d"}]
    assert passed["state"]["destinationStats"] == {"recordCount": 1.0, "rejectedRecordCount": 0.0}


# The file of refused records ----------------------------------------------------------------------


def test_each_record_is_kept_as_it_came(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "rejected.jsonl"
    clock = FakeClock()
    file = RejectedFile(str(path))
    rejected = Rejected([file], clock)
    place.results = {1: Result.REJECTED}
    raw = b'{"type":"RECORD","record":{"stream":"s","data":{"id": 1,"n":1.10,"big":1e400}}}'
    with pytest.raises(StopIteration):
        next(written(place, raw.replace(b"1e400", b"12345678901234567890"), rejected=rejected))
    file.close()
    text = path.read_text("utf-8")
    assert '{"id": 1,"n":1.10,"big":12345678901234567890}' in text
    kept = json.loads(text)
    assert kept["refusals"] == [
        {
            "outcome": "rejected",
            "position_uid": "p",
            "partner_candidate_id": "k:1",
            "field": "email",
            "reason": "is odd",
            "said": "",
        }
    ]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "data", [b'{"id":NaN}', b'{"id":1,"n":1e999}', b'{"n":"\xff"}', b'{"n":,}']
)
def test_a_record_that_is_not_json_is_kept_as_text(
    place: Place, tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "rejected.jsonl"
    file = RejectedFile(str(path))
    rejected = Rejected([file], place.clock)
    raw = b'{"type":"RECORD","record":{"stream":"s","data":' + data + b"}}"
    (passed,) = written(place, raw, state(), rejected=rejected)
    file.close()
    assert passed["state"]["destinationStats"]["rejectedRecordCount"] == 1.0
    assert json.loads(path.read_bytes())["record"] == data.decode("utf-8", "replace")


@pytest.mark.parametrize("place_of_file", ["/dev/null", "fifo", "folder", "no\0path", "/dev/full"])
def test_only_a_regular_file_keeps_records(tmp_path: Path, place_of_file: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="rejected_path"):
        RejectedFile(str(tmp_path / place_of_file))


def test_a_torn_last_line_is_ended_first(tmp_path: Path) -> None:
    path = tmp_path / "rejected.jsonl"
    path.write_bytes(b'{"whole":1}\n{"torn":')
    file = RejectedFile(str(path))
    rejected = Rejected([file], FakeClock())
    rejected.add("s", [], b'{"id":1}')
    file.close()
    lines = path.read_bytes().splitlines()
    assert lines[:2] == [b'{"whole":1}', b'{"torn":']
    assert json.loads(lines[2])["record"] == {"id": 1}


def test_a_file_that_cannot_be_opened_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="rejected_path"):
        RejectedFile(str(tmp_path / "missing" / "rejected.jsonl"))
