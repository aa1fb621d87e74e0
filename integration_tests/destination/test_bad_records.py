"""One bad record, whatever it holds, is rejected: it ends no run and hides no neighbour."""

from __future__ import annotations

from typing import Any

import pytest

from integration_tests.support.hostile_comeet import HostileComeet, envelope, html
from integration_tests.support.odd_records import LINES
from integration_tests.support.outcomes import candidate, counts, created, cursors, once, people
from integration_tests.support.writer import OPEN, SECOND, Writer, person, record, state

CREATE = r"/candidates$"
CHANGE = r"/candidates/"


def fail_posts_of(comeet: HostileComeet, number: int, **more: Any) -> None:
    comeet.answer("POST", CREATE, html(500), containing=f'people:{number}"', **more)


@pytest.mark.parametrize("order", [(1, 2, 3), (2, 1, 3), (1, 3, 2)])
@pytest.mark.parametrize("after_comeet", [True, False])
def test_a_post_that_fails_in_every_run_blocks_nobody(
    writer: Writer, comeet: HostileComeet, order: tuple[int, ...], after_comeet: bool
) -> None:
    fail_posts_of(comeet, 2, after_comeet=after_comeet)
    done = writer.write(*people(*order), state(1))
    assert done.code == 0, done.output
    assert cursors(done) == [1]
    # What Comeet did create shows in its list, and is adopted.
    assert counts(done) == (3, 0 if after_comeet else 1)
    done = writer.write(*people(*order), *people(4), state(2))
    assert done.code == 0, done.output
    assert counts(done) == (4, 0 if after_comeet else 1)
    assert created(writer) == (once(1, 2, 3, 4) if after_comeet else once(1, 3, 4))
    comeet.reset()
    done = writer.write(*people(*order), state(3))
    assert counts(done) == (3, 0), done.output
    assert created(writer) == once(1, 2, 3, 4)


def test_a_post_that_keeps_failing_says_what_comes_next(
    writer: Writer, comeet: HostileComeet
) -> None:
    fail_posts_of(comeet, 2, after_comeet=False)
    done = writer.write(*people(1, 2), state(1))
    assert (
        "Finished: 2 records; 1 created; 1 of unknown outcome: got no answer however often it was "
        "sent, while Comeet answered others. It is looked up and sent again when the record comes "
        "again (1)." in done.logs()
    )


def test_a_post_that_failed_is_looked_up_and_posted_once_per_run(
    writer: Writer, comeet: HostileComeet
) -> None:
    fail_posts_of(comeet, 2, after_comeet=False)
    writer.write(*people(1, 2, 3), state(1))
    before = comeet.arrived.qsize()
    done = writer.write(*people(2), *people(2), *people(2), state(2))
    assert done.code == 0, done.output
    assert counts(done) == (3, 3)
    requests = [comeet.arrived.get() for _ in range(comeet.arrived.qsize())][before:]
    assert sum(each.startswith("POST") for each in requests) <= 1


def test_when_every_post_fails_the_run_is_transient(writer: Writer, comeet: HostileComeet) -> None:
    comeet.answer("POST", CREATE, html(500), after_comeet=False)
    done = writer.write(*people(1, 2), state(1))
    assert done.code == 1
    assert done.error()["failure_type"] == "transient_error"
    assert not done.states()
    comeet.reset()
    assert counts(writer.write(*people(1, 2), state(1))) == (2, 0)
    assert created(writer) == once(1, 2)


def test_a_key_that_ended_two_runs_is_unknown_in_the_third(
    writer: Writer, comeet: HostileComeet
) -> None:
    fail_posts_of(comeet, 2, after_comeet=False)
    for _ in range(2):
        assert writer.write(*people(2), state(1)).code == 1
    done = writer.write(*people(2), state(1))
    assert done.code == 0, done.output
    assert counts(done) == (1, 1)


def test_a_patch_that_fails_in_every_run_is_rejected_and_tried_again(
    writer: Writer, comeet: HostileComeet
) -> None:
    writer.write(*people(1, 2, 3), state(0))
    uid = candidate(writer, "people:2")["uid"]
    comeet.answer("PATCH", CHANGE + uid, html(500), after_comeet=False)
    for _ in range(2):
        done = writer.write(*people(1, 2, 3, phone="555012345"), *people(4), state(1))
        assert done.code == 0, done.output
        assert counts(done) == (4, 1)
    assert candidate(writer, "people:3")["fields"]["phone"] == "555012345"
    comeet.reset()
    assert counts(writer.write(*people(2, phone="555012345"), state(2))) == (1, 0)
    assert candidate(writer, "people:2")["fields"]["phone"] == "555012345"


def test_a_position_that_answers_server_errors_blocks_nobody_else(
    writer: Writer, comeet: HostileComeet
) -> None:
    comeet.answer("GET", f"/positions/{SECOND}", html(500), after_comeet=False)
    for number in (1, 2):
        done = writer.write(
            *people(number, position_uid=SECOND), *people(number + 10), state(number)
        )
        assert done.code == 0, done.output
        assert cursors(done) == [number]
    assert {"people:11", "people:12"} <= created(writer).keys()


# Expressions --------------------------------------------------------------------------------------

NAMES = [
    {"comeet_field": "first_name", "expression": "first_name"},
    {"comeet_field": "last_name", "expression": "last_name"},
]
EXPRESSIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "a text compared with a number": ("rank < `5`", {"rank": "first"}),
    "contains on null": ("contains(last, middle)", {"last": None, "middle": None}),
    "a step of zero": ("tags[::0]", {"tags": ["a", "b"]}),
    "sort of mixed values": ("sort(tags)[0]", {"tags": ["a", 1]}),
    "join of numbers": ("join(', ', tags)", {"tags": [1, 2]}),
    "max of null": ("max(tags)", {"tags": None}),
    "a list where text is due": ("tags", {"tags": [["a"]]}),
    "a number too large": ("to_number(rank)", {"rank": "1e999"}),
}


@pytest.mark.parametrize(("expression", "fields"), EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_an_expression_that_fails_rejects_its_record_only(
    without_ledger: Writer, expression: str, fields: dict[str, Any]
) -> None:
    note = {"comeet_field": "note", "expression": expression}
    without_ledger.config["streams"][0]["mapping"] = {
        "mapping_type": "custom",
        "fields": [*NAMES, note],
    }
    without_ledger.check()
    done = without_ledger.write(
        *people(1, rank=1, tags=None), *people(2, **fields), *people(3), state(1)
    )
    assert done.code == 0, done.output
    assert cursors(done) == [1]
    received, rejected = counts(done)
    assert received == 3
    assert len(created(without_ledger)) == 3 - rejected
    assert "report" not in done.output


def test_a_field_and_a_part_of_it_in_one_mapping(without_ledger: Writer) -> None:
    without_ledger.config["streams"][0]["mapping"] = {
        "mapping_type": "custom",
        "fields": [
            *NAMES,
            {"comeet_field": "address", "expression": "home"},
            {"comeet_field": "address.country", "expression": "country"},
        ],
    }
    status = without_ledger.check().status()
    if status["status"] == "FAILED":
        assert "address" in status["message"]
        return
    done = without_ledger.write(
        *people(1, home=None, country="NO"),
        *people(2, home={"city": "Bergen"}, country="NO"),
        *people(3, home="Bergen", country="NO"),
        *people(4),
        state(1),
    )
    assert done.code == 0, done.output
    assert cursors(done) == [1]
    assert {"people:1", "people:2", "people:4"} <= created(without_ledger).keys()
    held = candidate(without_ledger, "people:2")["fields"]["address"]
    assert held == {"city": "Bergen", "country": "NO"}


# Values -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_one_odd_record_hides_no_neighbour(writer: Writer, line: bytes) -> None:
    done = writer.write(*people(1), line, *people(3), state(1))
    assert done.code == 0, done.output
    assert cursors(done) == [1]
    received, rejected = counts(done)
    assert received == 3
    assert {"people:1", "people:3"} <= created(writer).keys()
    assert len(writer.truth()) == 3 - rejected


@pytest.mark.parametrize("name_first", [True, False])
def test_a_long_line_of_a_stream_that_is_not_configured_is_passed_over(
    writer: Writer, name_first: bool
) -> None:
    parts = {"stream": "others", "data": {"id": 1, "note": "x" * (65 << 20)}, "emitted_at": 1}
    order = parts if name_first else dict(reversed(parts.items()))
    other = {"type": "RECORD", "record": order}
    writer.catalog["streams"].append(
        {**writer.catalog["streams"][0], "stream": {"name": "others", "json_schema": {}}}
    )
    done = writer.write(*people(1), other, *people(2), state(1))
    assert done.code == 0, done.output[:2000]
    assert cursors(done) == [1]
    assert created(writer) == once(1, 2)
    assert "1 record of other streams ignored" in done.logs()


LONG_INTEGER = 184467440737095516160


def nested(value: object, levels: int) -> object:
    for _ in range(levels):
        value = [value]
    return value


ODD_FILES = {
    "300 levels": nested(1, 300),
    "400 levels in a file": {"name": "cv.pdf", "file": "aGk=", "more": nested(1, 400)},
    "a long integer": {"name": "cv.pdf", "file": "aGk=", "more": LONG_INTEGER},
}


@pytest.mark.parametrize("field", ["files", "resume", "picture"])
@pytest.mark.parametrize("value", ODD_FILES.values(), ids=ODD_FILES)
def test_odd_files_of_somebody_who_was_there_end_no_run(
    without_ledger: Writer, comeet: HostileComeet, field: str, value: object
) -> None:
    comeet.create(OPEN, **{name: each for name, each in person(1).items() if name != "id"})
    without_ledger.control("move", status="Rejected")
    without_ledger.check()
    odd = {**person(1), field: [value] if field == "files" else value}
    done = without_ledger.write(record(odd), *people(2), state(1))
    assert done.code == 0, done.output
    assert cursors(done) == [1]
    assert len(without_ledger.truth()) == 2


@pytest.mark.parametrize("text", ["", "\ud800"])
def test_a_long_integer_is_the_same_number_in_comeet(writer: Writer, text: str) -> None:
    odd = {**person(1), "national_id": LONG_INTEGER, "unknown": text}
    assert counts(writer.write(record(odd), state(1))) == (1, 0)
    assert candidate(writer, "people:1")["fields"]["national_id"] == str(LONG_INTEGER)


def test_a_long_line_of_a_configured_stream_is_an_error(writer: Writer) -> None:
    long = record({"id": 2, "note": "x" * (65 << 20)})
    done = writer.write(*people(1), state(1), long, *people(3), state(2))
    assert done.code == 1
    assert cursors(done) == [1]
    assert "Line 3" in done.error()["message"]
    assert created(writer) == once(1)


def test_a_record_for_several_positions_counts_once(writer: Writer, comeet: HostileComeet) -> None:
    writer.config["streams"][0]["mapping"] = {"mapping_type": "kombo_candidates"}
    del writer.config["streams"][0]["position_uid"]
    writer.config["streams"][0]["positions"] = [
        {"job_id": "a", "position_uid": "4A.1C2"},
        {"job_id": "b", "position_uid": SECOND},
    ]
    comeet.answer(
        "POST",
        CREATE,
        envelope(400, "validation_error"),
        containing=SECOND,
        after_comeet=False,
    )
    applications = [{"outcome": "PENDING", "job": {"id": each}} for each in ("a", "b")]
    writer.folder.joinpath("ledger.db").unlink()
    writer.check()
    done = writer.write(record({**person(1), "applications": applications}), state(1))
    assert counts(done) == (1, 1), done.output
    assert created(writer) == once(1)
