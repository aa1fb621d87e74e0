"""Rejected records that are kept, listed, removed, and written once more."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import stat
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from integration_tests.sandbox.running import PROJECT
from integration_tests.support.hostile_comeet import HostileComeet, envelope, html
from integration_tests.support.killed_writer import REPLAY_STEPS
from integration_tests.support.outcomes import candidate, created, once, people
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

KEY = "partner_candidate_id"
CREATE = r"/candidates$"
REFUSED = envelope(400, "validation_error")


@pytest.fixture(params=["table on PostgreSQL", "file", "table and file on SQLite"])
def keeping(request: pytest.FixtureRequest, without_ledger: Writer) -> Writer:
    """A writer that keeps rejected records in one of the ways, with its ledger."""
    writer = without_ledger
    if "table" in request.param:
        writer.config["keep_rejected"] = True
    if "file" in request.param:
        writer.config["rejected_path"] = str(writer.folder / "rejected.jsonl")
    if "PostgreSQL" in request.param:
        url = request.getfixturevalue("postgres").fresh()
        writer.config["ledger"] = {"ledger_type": "postgres", "url": url}
    assert writer.check().status()["status"] == "SUCCEEDED"
    return writer


@pytest.fixture
def with_file(writer: Writer) -> Writer:
    writer.config["rejected_path"] = str(writer.folder / "rejected.jsonl")
    return writer


def kept(writer: Writer) -> list[tuple[str | None, str]]:
    """Key and reason of all that is kept."""
    done = writer.run("rejected")
    assert done.code == 0, done.output
    return [(each["key"], each["reason"]) for each in done.of("REJECTED")]


def keys(writer: Writer) -> list[str | None]:
    return sorted((key for key, _ in kept(writer)), key=str)


def bad(number: int, **fields: Any) -> Message:
    """A person without a last name, which Comeet requires."""
    return record({**person(number, **fields), "last_name": None})


def replayed(writer: Writer) -> Run:
    done = writer.run("replay")
    assert done.code == 0, done.output
    assert done.states() == []
    return done


def corrected(writer: Writer) -> None:
    """Make the mapping put a name where there is none; the keys stay as they are."""
    writer.config["streams"][0]["mapping"] = {
        "mapping_type": "custom",
        "fields": [
            {"comeet_field": "first_name", "expression": "first_name"},
            {"comeet_field": "last_name", "expression": "last_name || 'unknown'"},
            {"comeet_field": "email", "expression": "email"},
            {"comeet_field": "phone", "expression": "phone"},
        ],
    }


def custom(writer: Writer) -> None:
    """Map with expressions from the beginning, so that `corrected` keeps the mapping kind."""
    corrected(writer)
    writer.config["streams"][0]["mapping"]["fields"][1]["expression"] = "last_name"


# Listing ------------------------------------------------------------------------------------------


def test_a_list_shows_no_values_unless_it_is_asked_for_them(keeping: Writer) -> None:
    keeping.write(bad(1), *people(2), record({"first_name": "Mira"}), state(1))
    done = keeping.run("rejected")
    assert done.code == 0, done.output
    first, second = done.of("REJECTED")
    assert {**first, "rejected_at": ""} == {
        "stream": "people",
        "key": "people:1",
        "position": OPEN,
        "outcome": "rejected",
        "field": "last_name",
        "reason": "is missing, and Comeet requires it",
        "rejected_at": "",
    }
    assert (second["key"], second["field"]) == (None, "partner_candidate_id")
    assert "Mira" not in done.output
    with_values = keeping.run("rejected", "--values").of("REJECTED")
    assert [each["record"] for each in with_values] == [
        {**person(1), "last_name": None},
        {"first_name": "Mira"},
    ]


def test_what_is_listed_can_be_removed(keeping: Writer) -> None:
    keeping.write(bad(1), bad(2), state(1))
    assert keys(keeping) == ["people:1", "people:2"]
    done = keeping.run("rejected", "--clear")
    assert "2 rejected records were removed." in done.logs()
    assert keys(keeping) == []
    keeping.write(bad(3), state(2))
    assert keys(keeping) == ["people:3"]


def test_nothing_is_kept_unless_it_is_asked_for(either: Writer) -> None:
    either.write(bad(1), state(1))
    for verb in ("rejected", "replay"):
        error = either.run(verb).error()
        assert error["failure_type"] == "config_error"
        assert "keep_rejected" in error["message"]
    assert [each.name for each in either.folder.glob("rejected*")] == []


def test_the_table_holds_the_newest_until_it_is_written(either: Writer) -> None:
    either.config["keep_rejected"] = True
    either.write(bad(1), bad(2), bad(3), bad(1, phone="555012345"), state(1))
    assert keys(either) == ["people:1", "people:2", "people:3"]
    (newest,) = (
        each["record"]
        for each in either.run("rejected", "--values").of("REJECTED")
        if each["key"] == "people:1"
    )
    assert newest["phone"] == "555012345"
    # Written, and not meant to be written any more: neither is kept.
    either.write(*people(2), record({"id": 3, "partner_candidate_id": 3, "deleted": True}))
    assert keys(either) == ["people:1"]
    either.config["keep_rejected"] = False
    either.write(*people(1), state(2))
    assert keys(either) == []


def test_the_table_forgets_after_some_days(either: Writer) -> None:
    either.config |= {"keep_rejected": True, "keep_rejected_days": 3}
    either.write(bad(1), state(1))
    either.sandbox.advance(2 * 86_400)
    either.write(bad(2), state(2))
    assert keys(either) == ["people:1", "people:2"]
    ledger = either.config["ledger"]
    moved = "UPDATE ats_rejected_records SET rejected_at = '2020-01-01T00:00:00Z' WHERE id = "
    if ledger["ledger_type"] == "postgres":
        with psycopg.connect(ledger["url"]) as connection:
            connection.execute((moved + "'people:1'").encode())
    else:
        with contextlib.closing(sqlite3.connect(ledger["path"])) as database, database:
            database.execute(moved + "'people:1'")
    either.write(*people(3), state(3))
    assert keys(either) == ["people:2"]


# Replaying ----------------------------------------------------------------------------------------


def test_what_can_be_written_now_is_written_and_removed(keeping: Writer) -> None:
    custom(keeping)
    keeping.write(bad(1), bad(2), *people(3), record({"first_name": "Mira"}), state(1))
    corrected(keeping)
    done = replayed(keeping)
    assert created(keeping) == once(1, 2, 3)
    assert candidate(keeping, "people:1")["fields"]["last_name"] == "unknown"
    assert "Mira" not in done.output
    # The one without a key is rejected again.
    assert keys(keeping) == [None]
    assert replayed(keeping).logs("WARN").count("cannot be made") >= 1
    assert created(keeping) == once(1, 2, 3)


def test_what_comeet_refuses_again_stays_with_the_newer_reason(
    keeping: Writer, comeet: HostileComeet
) -> None:
    comeet.answer("POST", CREATE, REFUSED, after_comeet=False)
    keeping.write(*people(1, 2), state(1))
    comeet.reset()
    comeet.answer(
        "POST", CREATE, envelope(422, "other"), containing='people:2"', after_comeet=False
    )
    replayed(keeping)
    assert kept(keeping) == [("people:2", "was refused by Comeet with 422 other")]
    assert created(keeping) == once(1)


def test_the_newest_of_a_key_counts(keeping: Writer) -> None:
    custom(keeping)
    keeping.write(bad(1, phone="555000001"), bad(1, phone="555000002"), state(1))
    corrected(keeping)
    replayed(keeping)
    assert candidate(keeping, "people:1")["fields"]["phone"] == "555000002"
    assert keeping.calls("create") == 1
    assert kept(keeping) == []


def test_a_record_that_was_written_in_a_newer_version_since_is_left_out(keeping: Writer) -> None:
    custom(keeping)
    keeping.write(bad(1, phone="555000001"), *people(1, phone="555000002"), state(1))
    corrected(keeping)
    keeping.sandbox.reset_log()
    replayed(keeping)
    assert candidate(keeping, "people:1")["fields"]["phone"] == "555000002"
    assert (keeping.calls("create"), keeping.calls("update")) == (0, 0)
    assert kept(keeping) == []


def test_a_change_that_was_rejected_after_the_creation_is_sent(keeping: Writer) -> None:
    custom(keeping)
    keeping.write(*people(1), bad(1, phone="555000002"), state(1))
    corrected(keeping)
    replayed(keeping)
    assert candidate(keeping, "people:1")["fields"]["phone"] == "555000002"
    assert kept(keeping) == []


def test_only_the_position_that_was_rejected_is_created(
    keeping: Writer, comeet: HostileComeet
) -> None:
    keeping.config["streams"][0] = {
        "stream": "people",
        "mapping": {"mapping_type": "kombo_candidates"},
        "positions": [
            {"job_id": "a", "position_uid": OPEN},
            {"job_id": "b", "position_uid": SECOND},
        ],
    }
    applications = [{"outcome": None, "job": {"id": job}} for job in ("a", "b")]
    someone = {**person(1), "applications": applications}
    comeet.answer("POST", CREATE, REFUSED, containing=SECOND, after_comeet=False)
    keeping.write(record(someone), state(1))
    comeet.reset()
    keeping.sandbox.reset_log()
    replayed(keeping)
    assert sorted(each["position_uid"] for each in keeping.truth()) == [OPEN, SECOND]
    assert keeping.calls("create") == 1
    assert kept(keeping) == []


def test_an_unknown_outcome_is_looked_up_and_never_posted_blindly(
    keeping: Writer, comeet: HostileComeet
) -> None:
    comeet.answer("POST", CREATE, html(500), containing='people:1"')
    comeet.answer("GET", r"/candidates\?", envelope(403, "no_permission"), after_comeet=False)
    keeping.write(*people(1, 2), state(1))
    assert keys(keeping) == ["people:1"]
    keeping.control("move", status="Rejected")
    keeping.sandbox.reset_log()
    replayed(keeping)
    assert keys(keeping) == ["people:1"]
    assert keeping.calls("create") == 0
    comeet.reset()
    replayed(keeping)
    assert keys(keeping) == []
    assert created(keeping) == once(1, 2)


def test_the_key_is_made_as_it_was_without_a_catalog(keeping: Writer) -> None:
    keeping.catalog["streams"][0]["primary_key"] = [["branch"], ["id"]]
    keeping.config["streams"][0]["position_uid"] = None
    keeping.write(*people(1, branch="north"), state(1))
    assert keys(keeping) == ["people:north:1"]
    keeping.config["streams"][0]["position_uid"] = OPEN
    replayed(keeping)
    assert created(keeping) == {"people:north:1": 1}
    # The same record from the source is the same person.
    assert keeping.write(*people(1, branch="north"), state(2)).code == 0
    assert created(keeping) == {"people:north:1": 1}


def test_other_records_stay_as_they_are(keeping: Writer) -> None:
    not_json = b'{"type": "RECORD", "record": {"stream": "people", "data": {"id": NaN}}}'
    custom(keeping)
    keeping.write(bad(1), not_json, state(1))
    corrected(keeping)
    keeping.config["streams"][0]["stream"] = "others"
    assert "2 kept records stay" in replayed(keeping).logs("WARN")
    assert keys(keeping) == [None, "people:1"]
    keeping.config["streams"][0]["stream"] = "people"
    assert "1 kept record stays" in replayed(keeping).logs("WARN")
    assert keys(keeping) == [None]
    assert created(keeping) == once(1)


def test_a_replay_neither_counts_for_max_rejected_nor_ends_by_it(keeping: Writer) -> None:
    keeping.config["max_rejected"] = 3
    assert keeping.write(bad(1), bad(2), bad(3), state(1)).code == 0
    for _ in range(2):
        replayed(keeping)
    assert keeping.write(bad(1), state(2)).code == 0


@pytest.mark.parametrize("verb", ["replay", "rejected"])
def test_only_one_run_uses_the_ledger(keeping: Writer, verb: str) -> None:
    keeping.write(bad(9), state(0))
    with subprocess.Popen(
        [*COMMAND, *keeping.arguments("write")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=PROJECT,
    ) as writing:
        assert writing.stdin is not None
        assert writing.stdout is not None
        writing.stdin.write(lines_of([*people(1), state(1)]))
        writing.stdin.flush()
        while b'"STATE"' not in writing.stdout.readline():
            pass
        error = keeping.run_by(COMMAND, verb).error()
        writing.stdin.close()
        assert writing.wait(timeout=60) == 0
    assert error["failure_type"] == "transient_error"
    assert keys(keeping) == ["people:9"]


@pytest.mark.parametrize(
    ("keeping", "step"),
    [
        *(("table and file on SQLite", step) for step in REPLAY_STEPS),
        *(("table on PostgreSQL", step) for step in ("call sent", "entry saved", "not flushed")),
    ],
    indirect=["keeping"],
)
def test_a_replay_that_is_killed_loses_nobody_and_creates_nobody_twice(
    keeping: Writer, step: str
) -> None:
    custom(keeping)
    keeping.write(bad(1), bad(2), record({"id": 3}), state(1))
    corrected(keeping)
    killed = keeping.run_killed(step, 1 if step.startswith("file") else 2, "replay")
    assert killed.code == -signal.SIGKILL, killed.output
    assert {*keys(keeping), *created(keeping)} == {"people:1", "people:2", "people:3"}
    keeping.control("move", status="Rejected")
    replayed(keeping)
    assert created(keeping) == once(1, 2)
    assert keys(keeping) == ["people:3"]
    assert [each.name for each in keeping.folder.glob("*.replay")] == []


# The file -----------------------------------------------------------------------------------------


def test_the_new_file_is_private_and_keeps_what_it_cannot_read(with_file: Writer) -> None:
    path = Path(with_file.config["rejected_path"])
    custom(with_file)
    with_file.write(bad(1), state(1))
    with path.open("ab") as file:
        file.write(b'{"torn":\n\n[1]\n')
    path.chmod(0o644)
    corrected(with_file)
    replayed(with_file)
    assert path.read_bytes() == b'{"torn":\n[1]\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_of_0_1_0_is_replayed(with_file: Writer) -> None:
    path = Path(with_file.config["rejected_path"])
    refusal = {
        "outcome": "refused",
        "position_uid": OPEN,
        "partner_candidate_id": "people:1",
        "field": "last_name",
        "reason": "is missing, and Comeet requires it",
        "said": "",
    }
    lines = [
        {
            "stream": "people",
            "rejected_at": "2026-01-01T00:00:00Z",
            "refusals": [{**refusal, "partner_candidate_id": f"people:{number}"}],
            "record": person(number, phone="555000001"),
        }
        for number in (1, 2)
    ]
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    with_file.write(*people(1, phone="555000002"), state(1))
    replayed(with_file)
    assert created(with_file) == once(1, 2)
    # It was written since, so the older version is left out.
    assert candidate(with_file, "people:1")["fields"]["phone"] == "555000002"
    assert path.read_bytes() == b""


def test_only_a_regular_file_is_replaced(with_file: Writer, tmp_path: Path) -> None:
    path = Path(with_file.config["rejected_path"])
    with_file.write(bad(1), state(1))
    before = path.read_bytes()
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for place in (link, fifo, tmp_path, Path("/dev/stdout"), Path("/dev/null")):
        with_file.config["rejected_path"] = str(place)
        for verb in ("replay", "rejected"):
            error = with_file.run(verb).error()
            assert error["failure_type"] == "config_error"
            assert "rejected_path" in error["message"]
    assert link.is_symlink()
    assert path.read_bytes() == before


@pytest.mark.parametrize("output", ["/dev/stdout", "/dev/stderr", "/proc/self/fd/1"])
def test_rejected_records_never_go_to_the_output(writer: Writer, output: str) -> None:
    writer.config["rejected_path"] = output
    with (writer.folder / "out.txt").open("wb") as file:
        done = subprocess.run(
            [*COMMAND, *writer.arguments("write")],
            input=lines_of([bad(1), state(1)]),
            stdout=file,
            stderr=file,
            cwd=PROJECT,
            check=False,
        )
    printed = (writer.folder / "out.txt").read_text()
    assert done.returncode == 1
    assert "rejected_path" in printed
    assert "Mira" not in printed


def test_a_full_disk_leaves_the_file_as_it_is(with_file: Writer) -> None:
    path = Path(with_file.config["rejected_path"])
    with_file.write(*(bad(number, note="x" * 10_000) for number in range(200)), state(1))
    before = path.read_bytes()
    # The limit is 512 blocks of 512 or 1024 bytes; Python turns the signal into an error.
    script = 'ulimit -f 512; exec "$@"'
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *COMMAND, *with_file.arguments("replay")],
        capture_output=True,
        cwd=PROJECT,
        check=False,
    )
    assert done.returncode == 1
    (error,) = (each for each in map(json.loads, done.stdout.splitlines()) if "trace" in each)
    assert error["trace"]["error"]["failure_type"] == "config_error"
    assert "rejected_path" in error["trace"]["error"]["message"]
    assert path.read_bytes() == before
    assert [each.name for each in with_file.folder.glob("*.replay")] == []


def test_a_file_that_is_not_there_holds_nothing(with_file: Writer) -> None:
    assert with_file.run("rejected").code == 0
    replayed(with_file)
    assert kept(with_file) == []


@pytest.mark.skipif(os.getuid() != 0, reason="Only root can give a file away.")
def test_the_new_file_belongs_to_the_owner_of_the_old_one(with_file: Writer) -> None:
    path = Path(with_file.config["rejected_path"])
    with_file.write(bad(1), state(1))
    os.chown(path, 1000, 1000)
    replayed(with_file)
    assert (path.stat().st_uid, path.stat().st_gid) == (1000, 1000)


def test_a_damaged_table_is_named(writer: Writer) -> None:
    writer.config["keep_rejected"] = True
    writer.write(bad(1), state(1))
    path = writer.config["ledger"]["path"]
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE ats_rejected_records SET line = '{'")
    for verb in ("rejected", "replay"):
        error = writer.run(verb).error()
        assert error["failure_type"] == "config_error"
        assert "--clear" in error["message"]
    assert writer.run("rejected", "--clear").code == 0
    assert kept(writer) == []


def test_of_records_that_were_rejected_without_a_key_the_newest_is_written(keeping: Writer) -> None:
    stream = keeping.config["streams"][0]
    stream["extra_fields"] = [{"comeet_field": KEY, "expression": "join('-', phone)"}]
    for phone in ("555000001", "555000002"):
        keeping.write(*people(1, phone=phone), state(1))
        keeping.sandbox.advance(60)
    assert keys(keeping) == [None, None]
    del stream["extra_fields"]
    replayed(keeping)
    assert created(keeping) == once(1)
    assert candidate(keeping, "people:1")["fields"]["phone"] == "555000002"
    assert kept(keeping) == []


def test_records_without_a_key_are_told_apart_as_they_were_mapped(keeping: Writer) -> None:
    """With the number as it is, not as the text that stands for it elsewhere."""
    stream = keeping.config["streams"][0]
    stream["extra_fields"] = [{"comeet_field": KEY, "expression": "join('-', phone)"}]
    for phone in ("555000001", "555000002"):
        keeping.write(*people(1, phone=phone, score=1.5), state(1))
        keeping.sandbox.advance(60)
    stream["extra_fields"] = [{"comeet_field": "note", "expression": "to_string(abs(score))"}]
    replayed(keeping)
    assert created(keeping) == once(1)
    assert candidate(keeping, "people:1")["fields"]["phone"] == "555000002"
    assert kept(keeping) == []


def test_an_older_record_without_a_key_does_not_remove_a_newer_one_with_its_key(
    keeping: Writer,
) -> None:
    stream = keeping.config["streams"][0]
    stream["extra_fields"] = [{"comeet_field": KEY, "expression": "join('-', phone)"}]
    keeping.write(*people(1, phone="555000001"), state(1))
    del stream["extra_fields"]
    keeping.sandbox.advance(60)
    keeping.write(bad(1, phone="555000002"), state(2))
    custom(keeping)
    corrected(keeping)
    replayed(keeping)
    assert created(keeping) == once(1)
    assert candidate(keeping, "people:1")["fields"]["phone"] == "555000002"
    assert kept(keeping) == []


def test_a_person_who_must_not_be_passed_on_any_more_is_not_replayed(either: Writer) -> None:
    either.config["keep_rejected"] = True
    either.config["streams"][0]["skip_when"] = "source == 'Comeet'"
    either.write(bad(1), bad(2), bad(3), bad(4), state(1))
    either.write(
        record({**person(1), "confidential": True}),
        record({**person(2), "_ab_cdc_deleted_at": "2026-01-01T00:00:00Z"}),
        record({**person(3), "source": "Comeet"}),
        record({"id": 4, "deleted": True}),
        state(2),
    )
    assert keys(either) == []


def test_a_person_who_is_marked_after_an_expression_had_failed_is_not_replayed(
    either: Writer,
) -> None:
    either.config["keep_rejected"] = True
    stream = either.config["streams"][0]
    stream["skip_when"] = "contains(phone, 'x')"
    either.write(record({**person(1), "phone": None}), state(1))
    assert keys(either) == ["people:1"]
    either.write(record({**person(1), "confidential": True}), state(2))
    del stream["skip_when"]
    replayed(either)
    assert either.truth() == []
