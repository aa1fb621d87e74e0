"""A 409 adopts the candidate that it names, unless that is shown to be somebody else."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from integration_tests.support.hostile_comeet import Answer, HostileComeet, envelope, html
from integration_tests.support.outcomes import (
    candidate,
    counts,
    created,
    fields_of,
    once,
    people,
)
from integration_tests.support.writer import (
    OPEN,
    SECOND,
    Writer,
    configured,
    person,
    record,
    state,
)

CREATE = r"/candidates$"
CODE = "candidate_post_conflict"


@pytest.fixture
def unmatched(writer: Writer) -> Writer:
    """A writer that posts without matching first, so that the conflict decides."""
    writer.config["match_existing"] = "never"
    return writer


def conflict(uid: object, status: int = 409) -> Answer:
    return envelope(status, CODE, candidate_uid=uid)


def real_id(writer: Writer, uid: str) -> int:
    (found,) = (each["real_id"] for each in writer.truth() if each["uid"] == uid)
    return int(found)


@pytest.mark.parametrize("status", [409, 400, 422])
@pytest.mark.parametrize("names_uid_as", ["number", "text"])
def test_a_conflict_adopts_the_candidate_and_later_changes_reach_it(
    unmatched: Writer, comeet: HostileComeet, status: int, names_uid_as: str
) -> None:
    ours = person(1)
    shown = {name: value for name, value in ours.items() if name != "id"}
    uid = comeet.create(OPEN, partner_candidate_id="people:1", **shown)
    unmatched.control("move", status="Rejected")
    named = uid if names_uid_as == "text" else real_id(unmatched, uid)
    comeet.answer("POST", CREATE, conflict(named, status), after_comeet=False)
    done = unmatched.write(record(ours), state(1))
    assert counts(done) == (1, 0), done.output
    done = unmatched.write(record({**ours, "phone": "555012345"}), state(2))
    assert counts(done) == (1, 0), done.output
    assert fields_of(unmatched, uid)["phone"] == "555012345"
    assert created(unmatched) == once(1)


def strangers(writer: Writer, comeet: HostileComeet, kind: str) -> str:
    """Return the uid of a candidate who is not person 3."""
    if kind == "another key":
        writer.write(*people(1), state(0))
        return str(candidate(writer, "people:1")["uid"])
    ours = {name: value for name, value in person(3).items() if name != "id"}
    if kind == "another position":
        return comeet.create(SECOND, **ours)
    return comeet.create(OPEN, first_name="Jonas", last_name="Ngata", email="jonas@example.org")


@pytest.mark.parametrize("kind", ["another key", "another position", "differs"])
def test_a_conflict_that_names_somebody_else_rejects_the_record(
    unmatched: Writer, comeet: HostileComeet, kind: str
) -> None:
    uid = strangers(unmatched, comeet, kind)
    before = fields_of(unmatched, uid)
    answer = conflict(real_id(unmatched, uid))
    comeet.answer("POST", CREATE, answer, containing="people:3", after_comeet=False)
    for phone in ("555012345", "555012346"):
        done = unmatched.write(*people(3, phone=phone), state(1))
        assert done.code == 0, done.output
        assert counts(done) == (1, 1)
    assert fields_of(unmatched, uid) == before


NOT_THE_ENVELOPE: dict[str, Answer] = {
    "page": html(409),
    "empty": Answer(409),
    "another shape": Answer(409, json.dumps({"detail": "Conflict."}).encode()),
    "a list": Answer(409, b"[]"),
    "code not text": Answer(409, json.dumps({"status": 409, "error": 7}).encode()),
    "another code": Answer(409, json.dumps({"status": 409, "error": "position_closed"}).encode()),
}

each_shape = pytest.mark.parametrize(
    "answer", NOT_THE_ENVELOPE.values(), ids=list(NOT_THE_ENVELOPE)
)


@each_shape
def test_a_409_without_the_envelope_after_a_create_is_looked_up(
    unmatched: Writer, comeet: HostileComeet, answer: Answer
) -> None:
    comeet.answer("POST", CREATE, answer, times=1)
    done = unmatched.write(*people(1), state(1))
    assert counts(done) == (1, 0), done.output
    unmatched.control("move", status="Rejected")
    done = unmatched.write(*people(1, phone="555012345"), state(2))
    assert counts(done) == (1, 0), done.output
    assert created(unmatched) == once(1)
    assert candidate(unmatched, "people:1")["fields"]["phone"] == "555012345"


@each_shape
def test_a_409_without_the_envelope_is_looked_up_without_a_lower_time_limit(
    unmatched: Writer, comeet: HostileComeet, answer: Answer
) -> None:
    ours: dict[str, Any] = {name: value for name, value in person(1).items() if name != "id"}
    comeet.create(OPEN, partner_candidate_id="people:1", **ours)
    comeet.sandbox.advance(30 * 86_400)
    comeet.answer("POST", CREATE, answer, after_comeet=False)
    done = unmatched.write(*people(1), state(1))
    assert counts(done) == (1, 0), done.output
    assert created(unmatched) == once(1)


@each_shape
def test_a_409_without_the_envelope_and_without_a_match_is_never_posted_again(
    unmatched: Writer, comeet: HostileComeet, answer: Answer
) -> None:
    comeet.answer("POST", CREATE, answer, containing="people:1", after_comeet=False)
    done = unmatched.write(*people(1, 2), state(1))
    assert counts(done) == (2, 1), done.output
    reason = "exists already, as Comeet answers, but the candidate cannot be found there"
    assert f"1 of unknown outcome: {reason} (1)." in done.logs()
    comeet.reset()
    done = unmatched.write(*people(1, 2), state(2))
    assert counts(done) == (2, 1)
    assert created(unmatched) == once(2)


def test_a_conflict_that_cannot_be_fetched_counts_as_there_and_is_not_updated(
    unmatched: Writer, comeet: HostileComeet
) -> None:
    comeet.answer("POST", CREATE, conflict(4711), after_comeet=False)
    done = unmatched.write(*people(1), state(1))
    assert counts(done) == (1, 0), done.output
    comeet.sandbox.reset_log()
    done = unmatched.write(*people(1), state(2))
    assert counts(done) == (1, 0)
    assert unmatched.calls("create") == 0
    assert not created(unmatched)


def test_a_new_candidate_that_comeet_merges_into_that_of_another_key_changes_nobody(
    writer: Writer, comeet: HostileComeet
) -> None:
    writer.write(*people(1), state(0))
    first = candidate(writer, "people:1")
    before = fields_of(writer, first["uid"])
    merged = Answer(201, json.dumps({"uid": first["uid"]}).encode())
    comeet.answer("POST", CREATE, merged, containing="people:3", after_comeet=False)
    done = writer.write(*people(3), state(1))
    assert counts(done) == (1, 0), done.output
    assert "1 merged or deleted in the meantime" in done.logs()
    assert (
        "Comeet merged a new candidate into one that the ledger has. [people:3 into people:1]"
        in done.logs("WARN")
    )
    # Nor is it created again, changed or not.
    writer.sandbox.reset_log()
    for phone in (None, "555012345", "555012345", "555012346"):
        done = writer.write(*people(3, **({"phone": phone} if phone else {})), state(2))
        assert counts(done) == (1, 0), done.output
        assert "1 merged or deleted in the meantime" in done.logs()
    assert not writer.sandbox.log("comeet.*")
    assert created(writer) == once(1)
    assert fields_of(writer, first["uid"]) == before
    # The first one is still updated.
    writer.write(*people(1, phone="555012347"), state(3))
    assert fields_of(writer, first["uid"])["phone"] == "555012347"


def test_a_person_who_is_merged_on_arrival_explains_no_stranger(
    writer: Writer, comeet: HostileComeet
) -> None:
    """Its key has no uid, and no row of its own: a ledger that is behind would count one for it."""
    ann: dict[str, Any] = {"first_name": "Ann", "last_name": "Lee", "email": None}
    writer.write(*people(1, **ann), state(0))
    first = candidate(writer, "people:1")
    merged = Answer(201, json.dumps({"uid": first["uid"]}).encode())
    comeet.answer("POST", CREATE, merged, containing="people:3", after_comeet=False)
    writer.write(*people(3, **ann), state(1))
    copy = shutil.copy2(writer.folder / "ledger.db", writer.folder / "copy.db")
    comeet.sandbox.advance(600)
    writer.write(*people(5, **ann), state(2))
    writer.control("move", status="Rejected")
    shutil.copy2(copy, writer.folder / "ledger.db")
    done = writer.write(*people(5, **ann), state(2))
    assert counts(done) == (1, 1), done.logs()
    assert created(writer)["people:5"] == 1


def test_one_person_whom_comeet_merges_over_two_positions_gets_updates_in_both(
    writer: Writer, comeet: HostileComeet
) -> None:
    one = {"id": "1", "first_name": "Mira", "last_name": "Sol"}
    writer.config["streams"] = [
        {
            "stream": "candidates",
            "mapping": {"mapping_type": "kombo_candidates"},
            "positions": [
                {"job_id": "j1", "position_uid": OPEN},
                {"job_id": "j2", "position_uid": SECOND},
            ],
        }
    ]
    writer.catalog = {"streams": [configured("candidates", primary_key=("id",))]}

    def applied(*jobs: str, **more: Any) -> Any:
        to = [{"outcome": "PENDING", "job": {"id": job}} for job in jobs]
        return record({**one, "applications": to, **more}, "candidates")

    writer.write(applied("j1"), state(1, "candidates"))
    uid = candidate(writer, "candidates:1")["uid"]
    same = Answer(201, json.dumps({"uid": uid}).encode())
    comeet.answer("POST", CREATE, same, containing=SECOND, after_comeet=False)
    writer.write(applied("j1", "j2"), state(2, "candidates"))
    writer.write(applied("j2", location={"city": "Rome"}), state(3, "candidates"))
    assert fields_of(writer, uid)["address"] == {"city": "Rome"}


def test_somebody_who_was_merged_later_is_tried_again_when_the_record_changes(
    writer: Writer, comeet: HostileComeet
) -> None:
    comeet.answer("POST", CREATE, Answer(201), containing="people:3")
    writer.write(*people(3), state(1))
    merged = envelope(401, "duplicate_candidate")
    comeet.answer("PATCH", "/candidates/", merged, after_comeet=False, times=1)
    writer.write(*people(3, phone="555012345"), state(2))
    writer.write(*people(3, phone="555012346"), state(3))
    assert candidate(writer, "people:3")["fields"]["phone"] == "555012346"
