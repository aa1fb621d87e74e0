"""A ledger that is lost, restored or unsafe, and keys that would be made in another way."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from integration_tests.support.hostile_comeet import Answer, HostileComeet, envelope, html
from integration_tests.support.outcomes import (
    candidate,
    counts,
    created,
    cursors,
    fields_of,
    once,
    people,
)
from integration_tests.support.writer import (
    OPEN,
    SECOND,
    ShiftedClock,
    Writer,
    configured,
    person,
    state,
)
from source_ats.clock import Clock

LIST = r"/candidates\?"
TWENTY = range(1, 21)


def remove_ledger(writer: Writer) -> None:
    for path in writer.folder.glob("ledger.db*"):
        path.unlink()


def lost(writer: Writer, *numbers: int, clock: Clock | None = None, **fields: Any) -> None:
    """Write people, let recruiters act on them, and lose the ledger."""
    assert writer.write(*people(*numbers, **fields), state(0), clock=clock).code == 0
    writer.control("move", status="Rejected")
    remove_ledger(writer)


def posts(writer: Writer) -> int:
    return writer.calls("create")


def test_a_lost_ledger_leads_to_no_duplicate(writer: Writer) -> None:
    lost(writer, *TWENTY)
    assert writer.write(*people(*TWENTY), state(1)).error()["failure_type"] == "config_error"
    status = writer.check().status()
    assert status["status"] == "SUCCEEDED"
    assert "ledger" in status["message"]
    # People who were there change, and new ones come: as ever.
    writer.sandbox.reset_log()
    done = writer.write(*people(*TWENTY, phone="555012345"), *people(21), state(1))
    assert counts(done) == (21, 0), done.output
    assert created(writer) == once(*TWENTY, 21)
    assert posts(writer) == 1
    assert candidate(writer, "people:7")["fields"]["phone"] == "555012345"


ODD_FIELDS: dict[str, dict[str, Any]] = {
    "a number": {"mobile_phone": 5550100},
    "a list": {"email": ["a@example.org"]},
    "a number for true": {"deleted": 0},
    "an object": {"position_uid": {"uid": OPEN}, "time_created": 1.5, "linkedin_url": False},
}


@pytest.mark.parametrize("fields", ODD_FIELDS.values(), ids=ODD_FIELDS)
def test_a_stranger_with_a_field_of_another_type_blocks_nobody(
    writer: Writer, comeet: HostileComeet, fields: dict[str, Any]
) -> None:
    lost(writer, 1)
    uid = comeet.create(SECOND, first_name="Ann", last_name="Old", email="ann@example.org")
    comeet.show(uid, **fields)
    status = writer.check().status()
    assert status["status"] == "SUCCEEDED", status
    done = writer.write(*people(1, 2), state(1))
    assert counts(done) == (2, 0), done.output
    assert "cannot be read" not in done.output
    assert created(writer) == {**once(1, 2), "None": 1}


def test_a_phone_that_is_shown_as_a_number_is_compared(
    writer: Writer, comeet: HostileComeet
) -> None:
    phone: dict[str, Any] = {"email": None, "mobile_phone": "5550123456"}
    lost(writer, 1, **phone)
    comeet.show(candidate(writer, "people:1")["uid"], mobile_phone=5550123456)
    writer.check()
    done = writer.write(*people(1, **phone), state(1))
    assert counts(done) == (1, 0), done.output
    assert created(writer) == once(1)


def test_a_contact_of_another_type_is_not_known(writer: Writer, comeet: HostileComeet) -> None:
    lost(writer, 1)
    comeet.show(candidate(writer, "people:1")["uid"], email=["odd@example.org"])
    writer.check()
    done = writer.write(*people(1), state(1))
    assert counts(done) == (1, 1)
    assert "may already be in Comeet, so it was not posted" in done.logs("WARN")
    assert created(writer) == once(1)


@pytest.mark.parametrize("minutes", [-9, 10])
@pytest.mark.parametrize("restored", [False, True])
def test_a_wrong_clock_without_date_headers_leads_to_no_duplicate(
    writer: Writer, comeet: HostileComeet, minutes: int, restored: bool
) -> None:
    comeet.hide_date()
    clock = ShiftedClock(writer.sandbox, threading.Event())
    clock.shift = timedelta(minutes=minutes)
    remove_ledger(writer)
    writer.check(clock=clock)
    writer.write(*people(1), state(1), clock=clock)
    saved = backup(writer, "backup")
    lost(writer, 2, 3, clock=clock)
    if restored:
        restore(writer, saved)
    writer.check(clock=clock)
    done = writer.write(*people(1, 2, 3), state(2), clock=clock)
    assert counts(done) == (3, 0), done.output
    assert created(writer) == once(1, 2, 3)


def test_a_ledger_that_misses_candidates_says_that_records_are_compared(
    writer: Writer, comeet: HostileComeet
) -> None:
    said = (
        "Comeet has candidates that the ledger does not know, so new records are compared with all "
        "candidates that are there."
    )
    assert said not in writer.write(*people(1), state(1)).logs()
    comeet.create(OPEN, first_name="Jonas", last_name="Ngata", email="jonas@example.org")
    done = writer.write(*people(2), state(2))
    assert said in done.logs("INFO").splitlines()
    assert created(writer) == once(1, 2) + Counter(["None"])


def test_check_says_each_time_that_it_made_a_ledger(without_ledger: Writer) -> None:
    made = without_ledger.check().status()["message"]
    again = without_ledger.check().status()["message"]
    assert made != again
    assert "ledger" in made


def test_people_who_cannot_be_told_from_those_there_are_unknown(writer: Writer) -> None:
    lost(writer, *TWENTY, email=None)
    writer.check()
    writer.sandbox.reset_log()
    done = writer.write(*people(*TWENTY, email=None), *people(21), state(1))
    assert counts(done) == (21, 20), done.output
    assert posts(writer) == 1
    assert created(writer) == once(*TWENTY, 21)


def test_a_stranger_who_was_there_is_not_taken_over(
    without_ledger: Writer, comeet: HostileComeet
) -> None:
    phone = "555012345"
    stranger = comeet.create(
        OPEN, first_name="Jonas", last_name="Ngata", email="jonas@example.org", phone=phone
    )
    namesake = comeet.create(
        OPEN, first_name="Mira", last_name="Ngata", email="mira.ngata@example.org"
    )
    before = fields_of(without_ledger, stranger), fields_of(without_ledger, namesake)
    without_ledger.check()
    for number in (1, 2):
        done = without_ledger.write(*people(1, phone=phone, mobile_phone=f"555{number}"), state(1))
        assert counts(done) == (1, 0), done.output
    after = fields_of(without_ledger, stranger), fields_of(without_ledger, namesake)
    assert after == before
    assert created(without_ledger) == once(1) + Counter({"None": 2})


def test_a_person_who_was_there_is_adopted_with_every_page_of_the_list(
    without_ledger: Writer, comeet: HostileComeet
) -> None:
    ours = {name: value for name, value in person(1).items() if name != "id"}
    without_ledger.control("fill", count=30)
    uid = comeet.create(OPEN, **ours)
    without_ledger.control("settings", most_on_a_page=7)
    without_ledger.check()
    without_ledger.sandbox.reset_log()
    done = without_ledger.write(*people(1, phone="555012345"), state(1))
    assert counts(done) == (1, 0), done.output
    assert posts(without_ledger) == 0
    assert fields_of(without_ledger, uid)["phone"] == "555012345"


def test_a_person_who_was_there_is_adopted_also_if_the_list_begins_with_empty_pages(
    without_ledger: Writer, comeet: HostileComeet
) -> None:
    comeet.create(OPEN, **{name: value for name, value in person(1).items() if name != "id"})
    without_ledger.control("move", status="Rejected")
    comeet.sandbox.advance(86_400)
    comeet.begin_lists_with_empty_pages(3)
    assert "compared" in without_ledger.check().status()["message"]
    without_ledger.sandbox.reset_log()
    done = without_ledger.write(*people(1), state(1))
    assert counts(done) == (1, 0), done.output
    assert posts(without_ledger) == 0


def test_adoption_never_changes_the_prospect_status(writer: Writer, comeet: HostileComeet) -> None:
    lost(writer, 1, prospect_status="Sourced")
    uid = candidate(writer, "people:1")["uid"]
    comeet.edit(uid, prospect_status="Interested")
    writer.check()
    done = writer.write(*people(1, prospect_status="Sourced", phone="555012345"), state(1))
    assert counts(done) == (1, 0), done.output
    assert fields_of(writer, uid)["prospect_status"] == "Interested"
    assert fields_of(writer, uid)["phone"] == "555012345"


def test_match_existing_never_posts_without_a_list(writer: Writer) -> None:
    writer.write(*people(1))
    remove_ledger(writer)
    writer.config["match_existing"] = "never"
    assert (
        "are not compared with them, as match_existing is never"
        in writer.dry_run(*people(2)).logs()
    )
    assert (
        "are not compared with them, as match_existing is never"
        in writer.check().status()["message"]
    )
    writer.sandbox.reset_log()
    done = writer.write(*people(2), state(1))
    assert counts(done) == (1, 0)
    assert created(writer) == once(1, 2)


def test_match_existing_always_compares_with_an_old_ledger_too(
    writer: Writer, comeet: HostileComeet
) -> None:
    writer.config["match_existing"] = "always"
    ours = {name: value for name, value in person(1).items() if name != "id"}
    uid = comeet.create(OPEN, **ours)
    comeet.sandbox.advance(86_400)
    done = writer.write(*people(1), state(1))
    assert counts(done) == (1, 0), done.output
    assert [each["uid"] for each in writer.truth()] == [uid]


UNREADABLE = {
    "403": (envelope(403, "no_permission"), "config_error"),
    "503": (html(503), "transient_error"),
}


@pytest.mark.parametrize(("answer", "failure"), UNREADABLE.values(), ids=UNREADABLE)
def test_without_the_list_of_those_there_nobody_is_posted(
    writer: Writer, comeet: HostileComeet, answer: Answer, failure: str
) -> None:
    lost(writer, 1, 2)
    writer.check()
    writer.sandbox.reset_log()
    comeet.answer("GET", LIST, answer, after_comeet=False)
    done = writer.write(*people(1, 2, 3), state(1))
    assert done.code == 1
    assert done.error()["failure_type"] == failure
    assert not done.states()
    assert posts(writer) == 0
    comeet.reset()
    assert counts(writer.write(*people(1, 2, 3), state(1))) == (3, 0)
    assert created(writer) == once(1, 2, 3)


def test_check_makes_no_ledger_when_comeet_cannot_be_asked_who_exists(
    without_ledger: Writer,
) -> None:
    without_ledger.control("settings", retrieve_candidates=False)
    status = without_ledger.check().status()
    assert status["status"] == "FAILED"
    assert "new_until" in status["message"]
    assert not (without_ledger.folder / "ledger.db").exists()
    without_ledger.config["ledger"]["new_until"] = "2001-01-01T00:00:00Z"
    assert without_ledger.check().status()["status"] == "FAILED"
    without_ledger.config["ledger"]["new_until"] = "2999-01-01T00:00:00Z"
    assert without_ledger.check().status()["status"] == "SUCCEEDED"
    done = without_ledger.write(*people(1), state(1))
    assert counts(done) == (1, 0), done.output


# A ledger that is behind --------------------------------------------------------------------------


def backup(writer: Writer, name: str) -> Path:
    folder = writer.folder / name
    folder.mkdir()
    for path in writer.folder.glob("ledger.db*"):
        shutil.copy2(path, folder)
    return folder


def restore(writer: Writer, folder: Path) -> None:
    remove_ledger(writer)
    for path in folder.iterdir():
        shutil.copy2(path, writer.folder)


def test_an_open_note_in_a_restored_backup_explains_nobody_else(
    writer: Writer, comeet: HostileComeet
) -> None:
    comeet.answer("POST", r"/candidates$", html(500), containing='people:1"', after_comeet=False)
    assert counts(writer.write(*people(1, 2), state(1))) == (2, 1)
    saved = backup(writer, "backup")
    writer.write(*people(3), state(2))
    writer.control("move", status="Rejected")
    restore(writer, saved)
    done = writer.write(*people(3), state(3))
    assert counts(done) == (1, 0), done.output
    assert created(writer) == once(2, 3)


def test_a_restored_backup_leads_to_no_duplicate(writer: Writer) -> None:
    writer.write(*people(*range(1, 6)), state(5))
    saved = backup(writer, "backup")
    writer.sandbox.advance(3600)
    writer.write(*people(*range(6, 11)), state(10))
    writer.control("move", status="Rejected")
    restore(writer, saved)
    writer.sandbox.advance(3600)
    writer.sandbox.reset_log()
    done = writer.write(*people(*range(1, 12)), state(11))
    assert counts(done) == (11, 0), done.output
    assert created(writer) == once(*range(1, 12))
    assert posts(writer) == 1


@pytest.mark.parametrize("hours", [1, 25])
def test_an_open_note_in_a_restored_backup_finds_who_was_created_later(
    writer: Writer, hours: int
) -> None:
    writer.write(*people(1), state(1))
    writer.write_killed("note committed", 1, *people(2))
    saved = backup(writer, "backup")
    writer.sandbox.advance(hours * 3600)
    assert counts(writer.write(*people(2), state(2))) == (1, 0)
    writer.control("move", status="Rejected")
    restore(writer, saved)
    done = writer.write(*people(2, 3), state(3))
    assert counts(done) == (2, 0), done.output
    assert created(writer) == once(1, 2, 3)


def test_a_decision_in_a_restored_backup_is_not_carried_out_twice(
    writer: Writer, comeet: HostileComeet
) -> None:
    lost(writer, 1)
    comeet.create(OPEN, first_name="Mira", last_name="Solberg 2", email="another@example.org")
    writer.check()
    assert counts(writer.write(*people(1, 2), state(2))) == (2, 1)
    assert writer.run("unknown", "--create", "people:2").code == 0
    saved = backup(writer, "backup")
    writer.sandbox.advance(3600)
    assert counts(writer.write(*people(2), state(3))) == (1, 0)
    writer.control("move", status="Rejected")
    restore(writer, saved)
    writer.write(*people(3), state(4))
    comeet.answer("GET", LIST, ODD_LISTS["a list"], after_comeet=False, times=2)
    error = writer.write(*people(2), state(5)).error()
    assert error["failure_type"] == "transient_error"
    assert "creating more could make duplicates" in error["message"]
    done = writer.write(*people(2), state(5))
    assert counts(done) == (1, 0), done.output
    assert created(writer) == {**once(1, 2, 3), "None": 1}


def test_a_conflict_for_an_unknown_key_starts_the_matching(
    writer: Writer, comeet: HostileComeet
) -> None:
    writer.write(*people(1), state(1))
    saved = backup(writer, "backup")
    writer.write(*people(2, 3), state(3))
    restore(writer, saved)
    uids = {each["partner_candidate_id"]: each["uid"] for each in writer.truth()}
    writer.control("move", status="Rejected", uids=[uids["people:3"]])
    # The list of those created since cannot be read, so only the conflict tells.
    comeet.answer("GET", LIST, envelope(400, "bad_request"), after_comeet=False, times=1)
    done = writer.write(*people(1, 2, 3), state(4))
    assert counts(done) == (3, 0), done.output
    assert created(writer) == once(1, 2, 3)


ODD_LISTS = {
    "400": envelope(400, "bad_request"),
    "403": envelope(403, "no_permission"),
    "404": envelope(404, "not_found"),
    "404 page": html(404),
    "a list": Answer(200, b"[]"),
    "another key": Answer(200, b'{"items": []}'),
    "a text": Answer(200, b'{"candidates": "none"}'),
    "rows without uid": Answer(200, b'{"candidates": [{"name": "x"}]}'),
}


@pytest.mark.parametrize("answer", ODD_LISTS.values(), ids=ODD_LISTS)
def test_a_list_that_is_not_as_observed_costs_only_the_look(
    writer: Writer, comeet: HostileComeet, answer: Answer
) -> None:
    comeet.answer("GET", LIST, answer, after_comeet=False)
    done = writer.write(*people(1, 2), state(2))
    assert done.code == 0, done.output
    assert counts(done) == (2, 0)
    assert done.logs("WARN")
    assert created(writer) == once(1, 2)


@pytest.mark.parametrize("answer", ODD_LISTS.values(), ids=ODD_LISTS)
def test_an_open_note_without_a_readable_list_stops_nobody_else(
    writer: Writer, comeet: HostileComeet, answer: Answer
) -> None:
    writer.write_killed("call answered", 1, *people(1))
    writer.control("move", status="Rejected")
    comeet.answer("GET", LIST, answer, after_comeet=False)
    done = writer.write(*people(1, 2), state(2))
    assert counts(done) == (2, 1), done.output
    assert created(writer) == once(1, 2)


# A file that is not safe --------------------------------------------------------------------------


def test_a_hard_linked_ledger_is_a_config_error(writer: Writer) -> None:
    os.link(writer.folder / "ledger.db", writer.folder / "another_name.db")
    done = writer.write(*people(1), state(1))
    assert done.error()["failure_type"] == "config_error"
    assert "ledger.path" in done.error()["message"]
    assert not created(writer)


def test_what_was_flushed_is_in_the_file_itself(writer: Writer) -> None:
    killed = writer.write_killed("state passed on", 1, *people(1, 2), state(2))
    assert cursors(killed) == [2]
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (writer.folder / name).unlink(missing_ok=True)
    writer.control("move", status="Rejected")
    done = writer.write(*people(1, 2), state(2))
    assert counts(done) == (2, 0), done.output
    assert created(writer) == once(1, 2)


# The recipe of the key ----------------------------------------------------------------------------


def custom(*pairs: tuple[str, str]) -> dict[str, Any]:
    fields = [{"comeet_field": field, "expression": text} for field, text in pairs]
    return {"mapping_type": "custom", "fields": fields}


NAMES = (("first_name", "first_name"), ("last_name", "last_name"), ("email", "email"))
KEY = "partner_candidate_id"

RECIPES: dict[str, tuple[dict[str, Any], dict[str, Any], list[str], list[str], str]] = {
    "expression changed": (
        custom(*NAMES, (KEY, "to_string(id)")),
        custom(*NAMES, (KEY, "last_name")),
        ["id"],
        ["id"],
        KEY,
    ),
    "expression removed": (
        custom(*NAMES, (KEY, "last_name")),
        custom(*NAMES),
        ["id"],
        ["id"],
        KEY,
    ),
    "primary key changed": (
        {"mapping_type": "comeet"},
        {"mapping_type": "comeet"},
        ["id"],
        ["last_name"],
        "primary key",
    ),
    "primary key reordered": (
        {"mapping_type": "comeet"},
        {"mapping_type": "comeet"},
        ["id", "first_name"],
        ["first_name", "id"],
        "primary key",
    ),
    "primary key extended": (
        {"mapping_type": "comeet"},
        {"mapping_type": "comeet"},
        ["id"],
        ["id", "first_name"],
        "primary key",
    ),
}


@pytest.mark.parametrize(
    ("before", "after", "key_before", "key_after", "what"), RECIPES.values(), ids=RECIPES
)
def test_another_recipe_of_the_key_is_a_config_error(  # noqa: PLR0913 - a row of the table
    without_ledger: Writer,
    before: dict[str, Any],
    after: dict[str, Any],
    key_before: list[str],
    key_after: list[str],
    what: str,
) -> None:
    writer = without_ledger
    writer.config["streams"][0]["mapping"] = before
    writer.catalog = {"streams": [configured("people", primary_key=key_before)]}
    writer.check()
    assert counts(writer.write(*people(1, 2), state(1))) == (2, 0)
    writer.control("move", status="Rejected")
    writer.config["streams"][0]["mapping"] = after
    writer.catalog = {"streams": [configured("people", primary_key=key_after)]}
    done = writer.write(*people(1, 2), state(2))
    assert done.code == 1
    assert done.error()["failure_type"] == "config_error"
    assert what in done.error()["message"]
    assert not done.states()
    assert len(writer.truth()) == 2


def test_the_same_recipe_in_another_spelling_of_the_configuration_is_accepted(
    writer: Writer,
) -> None:
    writer.write(*people(1), state(1))
    writer.config["streams"][0]["partner_id_prefix"] = "people:"
    writer.config = json.loads(json.dumps(writer.config, sort_keys=True))
    assert counts(writer.write(*people(1, 2), state(2))) == (2, 0)
    assert created(writer) == once(1, 2)


def test_a_copy_is_not_mixed_with_what_a_killed_run_left_next_to_the_lost_ledger(
    writer: Writer,
) -> None:
    assert counts(writer.write(*people(1), state(1))) == (1, 0)
    copy = shutil.copy2(writer.folder / "ledger.db", writer.folder / "copy.db")
    writer.write_killed("entry saved", 3, *people(2, 3, 4))
    assert (writer.folder / "ledger.db-wal").stat().st_size
    writer.control("move", status="Rejected")
    shutil.copy2(copy, writer.folder / "ledger.db")
    error = writer.write(*people(2, 3, 4), state(2)).error()
    assert error["failure_type"] == "config_error"
    assert "-wal" in error["message"]
    (writer.folder / "ledger.db-wal").unlink()
    done = writer.write(*people(2, 3, 4), state(2))
    assert done.code == 0, done.output
    assert all(times == 1 for times in created(writer).values()), created(writer)


def test_a_copy_from_before_the_first_run_is_not_mixed_with_a_killed_run_either(
    writer: Writer,
) -> None:
    copy = shutil.copy2(writer.folder / "ledger.db", writer.folder / "copy.db")
    writer.write_killed("entry saved", 3, *people(1, 2, 3))
    assert (writer.folder / "ledger.db-wal").stat().st_size
    shutil.copy2(copy, writer.folder / "ledger.db")
    error = writer.write(*people(1, 2, 3), state(1)).error()
    assert error["failure_type"] == "config_error"
    assert "-wal" in error["message"]


def test_what_a_killed_run_left_next_to_its_own_ledger_is_merged(writer: Writer) -> None:
    assert counts(writer.write(*people(1), state(1))) == (1, 0)
    writer.write_killed("entry saved", 2, *people(2, 3, 4))
    assert (writer.folder / "ledger.db-wal").stat().st_size
    assert counts(writer.write(*people(2, 3, 4), state(2))) == (3, 0)
    assert created(writer) == once(1, 2, 3, 4)


@pytest.mark.parametrize("occurrence", range(1, 7))
def test_a_run_killed_before_it_merges_its_changes_hinders_no_later_one(
    writer: Writer, occurrence: int
) -> None:
    """The first changes of a run are those that mark the ledger as its own."""
    assert counts(writer.write(*people(1), state(1))) == (1, 0)
    killed = writer.write_killed("changes not merged", occurrence, *people(1, 2, 3), state(2))
    assert killed.code != 0
    done = writer.write(*people(1, 2, 3), state(3))
    assert done.code == 0, done.logs("FATAL")
    assert created(writer) == once(1, 2, 3)


def test_another_program_that_has_the_ledger_open_is_named_as_a_reason(writer: Writer) -> None:
    with closing(sqlite3.connect(writer.folder / "ledger.db")) as shell:
        shell.execute("BEGIN")
        shell.execute("SELECT count(*) FROM ats_ledger_entries").fetchall()
        error = writer.write(*people(1), state(1)).error()
        assert error["failure_type"] == "transient_error"
        what = "or another program has its file open"
        assert what in error["message"]
        assert what in writer.check().status()["message"]
    assert writer.write(*people(1), state(1)).code == 0


COMMANDS: dict[str, Any] = {
    "check": lambda writer: writer.check().status()["message"],
    "write": lambda writer: writer.write(*people(1)).error()["message"],
    "dry run": lambda writer: writer.dry_run(*people(1)).error()["message"],
    "status": lambda writer: writer.run("status").error()["message"],
    "unknown": lambda writer: writer.run("unknown").error()["message"],
    "rejected": lambda writer: writer.run("rejected").error()["message"],
    "clear": lambda writer: writer.run("rejected", "--clear").error()["message"],
    "replay": lambda writer: writer.run("replay").error()["message"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("length", [250, 253, 300])
def test_a_name_that_is_too_long_for_the_ledger_or_the_files_next_to_it_is_a_config_error(
    writer: Writer, length: int, command: Any
) -> None:
    writer.config["keep_rejected"] = True
    writer.config["ledger"]["path"] = str(writer.folder / ("a" * length))
    assert command(writer) == (
        "The ledger cannot be opened or made: File name too long. ledger.path has to be a file in "
        "a folder that exists and can be written to."
    )


@pytest.mark.parametrize("command", ["check", "write", "rejected", "clear", "replay"])
def test_a_name_that_is_too_long_for_rejected_records_is_a_config_error(
    writer: Writer, command: str
) -> None:
    writer.config["rejected_path"] = str(writer.folder / ("a" * 300))
    message = COMMANDS[command](writer)
    assert "File name too long" in message
    assert "rejected" in message
