"""`unknown` and `status`: what is not known of a key, and a person who decides."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from typing import Any

import pytest

from integration_tests.sandbox.running import PROJECT
from integration_tests.support.hostile_comeet import Answer, HostileComeet, envelope, html
from integration_tests.support.outcomes import (
    candidate,
    counts,
    created,
    fields_of,
    once,
    people,
    stored,
)
from integration_tests.support.writer import (
    COMMAND,
    OPEN,
    SECOND,
    Message,
    Run,
    Writer,
    lines_of,
    person,
    record,
    state,
)

CREATE = r"/candidates$"
LIST = r"/candidates\?"


def unknown(writer: Writer) -> list[dict[str, Any]]:
    done = writer.run("unknown")
    assert done.code == 0, done.output
    return done.of("UNKNOWN")


def decide(writer: Writer, *decision: str) -> Run:
    done = writer.run("unknown", *decision)
    assert done.code == 0, done.output
    return done


def without_contact(number: int, **fields: Any) -> list[Message]:
    return people(number, email=None, **fields)


@pytest.fixture
def unmatched(either_without_ledger: Writer, comeet: HostileComeet) -> tuple[Writer, str]:
    """A writer with a key that may be a candidate who was there before; and that one's uid."""
    writer = either_without_ledger
    uid = comeet.create(OPEN, first_name="Mira", last_name="Solberg 1")
    writer.check()
    done = writer.write(*without_contact(1), state(1))
    assert counts(done) == (1, 1), done.output
    writer.sandbox.reset_log()
    return writer, uid


@pytest.fixture
def lost(either: Writer, comeet: HostileComeet) -> Writer:
    """A writer with an open note: its post got no answer, and Comeet shows no list."""
    comeet.answer("POST", CREATE, html(500), containing='people:1"')
    comeet.answer("GET", LIST, envelope(403, "no_permission"), after_comeet=False)
    assert counts(either.write(*people(1, 2), state(1))) == (2, 1)
    comeet.reset()
    either.sandbox.reset_log()
    return either


def test_somebody_who_may_be_there_is_listed(unmatched: tuple[Writer, str]) -> None:
    writer, uid = unmatched
    done = writer.run("unknown")
    (line,) = done.of("UNKNOWN")
    assert line.pop("noted_at")
    assert line == {
        "stream": "people",
        "key": "people:1",
        "position": OPEN,
        "reason": "not posted by this ledger: the person may already be in Comeet",
        "same_person": [],
        "perhaps": [uid],
    }
    assert "Mira" not in done.output
    assert "Solberg" not in done.output


def test_people_who_may_be_there_share_one_reason(
    without_ledger: Writer, comeet: HostileComeet
) -> None:
    """As after a lost ledger: ten are warned of one by one, and all are counted together."""
    for number in range(1, 14):
        comeet.create(OPEN, first_name="Mira", last_name=f"Solberg {number}")
    without_ledger.check()
    records = [record for number in range(1, 14) for record in without_contact(number)]
    warnings = without_ledger.write(*records, state(1)).logs("WARN").splitlines()
    reason = "may already be in Comeet, so it was not posted"
    assert len([line for line in warnings if f"is of unknown outcome: {reason} [" in line]) == 10
    assert f"Of unknown outcome so far: {reason} (13)." in warnings


def test_a_post_without_an_answer_is_listed_with_what_it_created(lost: Writer) -> None:
    (line,) = unknown(lost)
    uid = candidate(lost, "people:1")["uid"]
    assert (line["key"], line["same_person"], line["perhaps"]) == ("people:1", [uid], [])
    assert line["reason"] == "a post got no answer"
    assert lost.calls("create") == 0


def test_a_conflict_that_names_nobody_is_listed_with_all_who_may_be_it(
    writer: Writer, comeet: HostileComeet
) -> None:
    uid = comeet.create(OPEN, first_name="Mira", last_name="Another")
    writer.sandbox.advance(30 * 86_400)
    comeet.answer("POST", CREATE, Answer(409), after_comeet=False)
    writer.write(*without_contact(1), state(1))
    (line,) = unknown(writer)
    assert line["reason"].startswith("Comeet answered that the candidate exists")
    assert (line["same_person"], line["perhaps"]) == ([], [uid])


def test_without_the_permission_to_list_the_keys_are_listed_alone(
    lost: Writer, comeet: HostileComeet
) -> None:
    comeet.answer("GET", LIST, envelope(403, "no_permission"), after_comeet=False)
    done = lost.run("unknown")
    assert [(each["key"], each["perhaps"]) for each in done.of("UNKNOWN")] == [("people:1", None)]
    assert "permission to retrieve candidates" in done.logs("WARN")


def test_an_adopted_candidate_gets_the_fields_that_differ(unmatched: tuple[Writer, str]) -> None:
    writer, uid = unmatched
    done = decide(writer, "--adopt", "people:1", uid)
    assert (
        f"people:1 is {uid} in Comeet from now on. It gets the fields that differ when its record "
        "comes again, or by a replay." in done.logs()
    )
    assert unknown(writer) == []
    done = writer.write(*without_contact(1, phone="555012345", prospect_status="Sourced"), state(2))
    assert counts(done) == (1, 0), done.output
    fields = fields_of(writer, uid)
    assert fields["phone"] == "555012345"
    # A recruiter's word is not changed.
    assert "prospect_status" not in fields
    assert (writer.calls("create"), writer.calls("update")) == (0, 1)
    # From then on it is like any other.
    done = writer.write(*without_contact(1, phone="555012345"), state(3))
    assert counts(done) == (1, 0)
    assert writer.calls("update") == 1


def test_one_to_create_is_posted_when_it_comes_again(unmatched: tuple[Writer, str]) -> None:
    writer, _ = unmatched
    decide(writer, "--create", "people:1")
    assert unknown(writer) == []
    done = writer.write(*without_contact(1), state(2))
    assert counts(done) == (1, 0), done.output
    assert created(writer) == {"None": 1, "people:1": 1}
    assert writer.write(*without_contact(1), state(3)).code == 0
    assert created(writer) == {"None": 1, "people:1": 1}


def test_a_decision_to_create_outlives_a_refusal(
    unmatched: tuple[Writer, str], comeet: HostileComeet
) -> None:
    writer, _ = unmatched
    decide(writer, "--create", "people:1")
    comeet.answer("POST", CREATE, envelope(400, "validation_error"), after_comeet=False)
    assert counts(writer.write(*without_contact(1), state(2))) == (1, 1)
    comeet.reset()
    assert counts(writer.write(*without_contact(1), state(3))) == (1, 0)
    assert created(writer) == {"None": 1, "people:1": 1}


@pytest.mark.parametrize(
    "step", ["note committed", "call not sent", "call answered", "entry saved"]
)
def test_a_decision_to_create_that_is_killed_creates_once(
    unmatched: tuple[Writer, str], step: str
) -> None:
    writer, _ = unmatched
    # Later than the longest time within which a lost post can have created somebody.
    writer.sandbox.advance(86_400)
    decide(writer, "--create", "people:1")
    someone = people(1, email="mira1@example.org")
    killed = writer.write_killed(step, 1, *someone, state(2))
    assert killed.code == -9, killed.output
    assert counts(writer.write(*someone, state(2))) == (1, 0)
    assert created(writer) == {"None": 1, "people:1": 1}


def test_an_open_note_can_be_decided_either_way(lost: Writer, comeet: HostileComeet) -> None:
    uid = candidate(lost, "people:1")["uid"]
    comeet.answer("GET", LIST, envelope(403, "no_permission"), after_comeet=False)
    decide(lost, "--adopt", "people:1", uid)
    assert counts(lost.write(*people(1), state(2))) == (1, 0)
    assert created(lost) == once(1, 2)
    comeet.answer("POST", CREATE, html(500), containing='people:3"', after_comeet=False)
    lost.write(*people(3, 4), state(3))
    comeet.reset()
    decide(lost, "--create", "people:3")
    assert counts(lost.write(*people(3), state(4))) == (1, 0)
    assert created(lost) == once(1, 2, 3, 4)


def test_a_kept_record_is_replayed_after_the_decision(
    without_ledger: Writer, comeet: HostileComeet
) -> None:
    writer = without_ledger
    writer.config["keep_rejected"] = True
    writer.config["rejected_path"] = str(writer.folder / "rejected.jsonl")
    uid = comeet.create(OPEN, first_name="Mira", last_name="Solberg 1")
    comeet.create(OPEN, first_name="Mira", last_name="Solberg 2")
    writer.check()
    writer.write(*without_contact(1, phone="555012345"), *without_contact(2), state(1))
    assert [each["key"] for each in unknown(writer)] == ["people:1", "people:2"]
    decide(writer, "--adopt", "people:1", uid)
    decide(writer, "--create", "people:2")
    assert writer.run("replay").code == 0
    assert fields_of(writer, uid)["phone"] == "555012345"
    assert created(writer) == {"None": 2, "people:2": 1}
    assert writer.run("rejected").of("REJECTED") == []


def test_a_decision_that_cannot_be_right_is_rejected(
    unmatched: tuple[Writer, str], comeet: HostileComeet
) -> None:
    writer, uid = unmatched
    elsewhere = comeet.create(SECOND, first_name="Mira", last_name="Solberg 1")
    writer.write(*people(2), state(2))
    held = candidate(writer, "people:2")["uid"]
    before = stored(writer)
    for decision, word in {
        ("--adopt", "people:1", elsewhere): (
            f"{elsewhere} belongs to another position, so it cannot be adopted as people:1. Name "
            "another one: `destination-comeet unknown` lists the candidates that may match."
        ),
        ("--adopt", "people:1", held): "another key",
        ("--adopt", "people:1", "99.999"): "99.999",
        ("--adopt", "people:7", uid): "people:7",
        ("--adopt", "people:2", uid): "people:2",
        ("--create", "people:2"): "people:2",
    }.items():
        done = writer.run("unknown", *decision)
        assert done.code == 1, decision
        error = done.error()
        assert error["failure_type"] == "config_error"
        assert word in error["message"]
    assert [each["key"] for each in unknown(writer)] == ["people:1"]
    assert stored(writer).keys() == before.keys()


def test_a_note_of_0_1_0_shows_who_was_created_around_its_time(
    writer: Writer, comeet: HostileComeet
) -> None:
    # 0.1.0 did not note what was sent, so everybody of that time and position may be it.
    writer.write_killed("note committed", 1, *people(1))
    uid = comeet.create(OPEN, first_name="Jonas", last_name="Ngata", email="jonas@example.org")
    (line,) = unknown(writer)
    assert (line["same_person"], line["perhaps"]) == ([], [])
    path = writer.config["ledger"]["path"]
    with contextlib.closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.execute("UPDATE ats_ledger_entries SET note = NULL")
    (line,) = unknown(writer)
    assert line["perhaps"] == [uid]


def test_only_one_run_decides(lost: Writer) -> None:
    with subprocess.Popen(
        [*COMMAND, *lost.arguments("write")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=PROJECT,
    ) as writing:
        assert writing.stdin is not None
        assert writing.stdout is not None
        writing.stdin.write(lines_of([*people(3), state(1)]))
        writing.stdin.flush()
        while b'"STATE"' not in writing.stdout.readline():
            pass
        errors = [lost.run_by(COMMAND, "unknown").error()]
        status = lost.run_by(COMMAND, "status")
        writing.stdin.close()
        assert writing.wait(timeout=60) == 0
    assert [each["failure_type"] for each in errors] == ["transient_error"]
    # A status only reads, from a copy.
    assert status.code == 0
    assert status.of("STATUS")[0]["open_notes"] == 1


def test_status_says_what_the_ledger_holds(lost: Writer) -> None:
    lost.write(*people(3), record({**person(4), "last_name": None}), state(2))
    before = stored(lost)
    (status,) = lost.run("status").of("STATUS")
    assert status.pop("checked_at")
    assert status == {
        "streams": {"people": {"sending": 1, "there": 2}},
        "open_notes": 1,
        "match_before": None,
        "rejected": 0,
    }
    assert stored(lost) == before


def test_status_says_from_when_on_people_are_compared(unmatched: tuple[Writer, str]) -> None:
    writer, _ = unmatched
    (status,) = writer.run("status").of("STATUS")
    assert status["match_before"].endswith("Z")
    assert status["streams"] == {"people": {"unmatched": 1}}
    assert status["open_notes"] == 0


def test_status_needs_a_ledger(either_without_ledger: Writer) -> None:
    error = either_without_ledger.run("status").error()
    assert error["failure_type"] == "config_error"
    assert "connection check" in error["message"]


def test_a_decision_warns_of_a_changed_position_before_it_is_recorded(
    unmatched: tuple[Writer, str],
) -> None:
    writer, _ = unmatched
    writer.write(*people(2), state(2))
    writer.config["streams"][0]["position_uid"] = SECOND
    done = decide(writer, "--create", "people:1")
    assert f"position_uid was {OPEN} and is {SECOND} now" in done.logs("WARN")
