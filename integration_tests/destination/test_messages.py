"""Each situation that a user can cause has its own sentence and failure type."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import sqlite3
import subprocess
from typing import Any

import pytest

from integration_tests.sandbox.running import PROJECT
from integration_tests.support.outcomes import counts, created, cursors, once, people
from integration_tests.support.writer import (
    COMMAND,
    Message,
    Run,
    Writer,
    configured,
    finished,
    lines_of,
    person,
    record,
    state,
)


def test_an_address_in_any_column_of_the_key_is_rejected(writer: Writer) -> None:
    (writer.folder / "ledger.db").unlink()
    writer.catalog = {"streams": [configured("people", primary_key=["id", "email"])]}
    writer.check()
    done = writer.write(*people(1), record({**person(2), "email": "none"}), state(1))
    assert done.code == 0, done.output
    assert counts(done) == (2, 1)
    assert done.logs("WARN") == (
        "Record 1 of stream people, key none, is rejected: partner_candidate_id would contain @: "
        "an address must not be a key, choose another one."
    )
    for key in created(writer):
        assert "@" not in key
        assert "%40" not in key


def test_a_text_made_of_null_is_not_sent(without_ledger: Writer) -> None:
    """The documentation's own example of a postal code."""
    without_ledger.config["streams"][0]["mapping"] = {
        "mapping_type": "custom",
        "fields": [
            {"comeet_field": "first_name", "expression": "first_name"},
            {"comeet_field": "last_name", "expression": "last_name"},
            {"comeet_field": "address.zip", "expression": "to_string(zip)"},
        ],
    }
    without_ledger.check()
    without_ledger.write(*people(1), *people(2, zip=None), *people(3, zip=5003), state(1))
    shown = [each["fields"].get("address") for each in without_ledger.truth()]
    assert shown == [None, None, {"zip": "5003"}]


@pytest.mark.parametrize("stats", [None, [], "x", 7, {"recordCount": None}])
def test_odd_statistics_in_a_state_are_replaced(writer: Writer, stats: Any) -> None:
    done = writer.write(*people(1), state(1, destinationStats=stats), state(2))
    assert done.code == 0, done.output
    assert counts(done) == (1, 0)
    assert cursors(done) == [1, 2]


# Ledgers that cannot be used ----------------------------------------------------------------------


def no_bug_report(text: str) -> None:
    assert "report" not in text
    assert "Traceback" not in text


def assert_config_error(done: Run, *words: str) -> None:
    error = done.error()
    assert done.code == 1
    assert error["failure_type"] == "config_error", error["message"]
    for word in words:
        assert word in error["message"]
    no_bug_report(error["message"])
    assert not done.states()


def test_a_ledger_in_a_folder_that_does_not_exist(without_ledger: Writer) -> None:
    without_ledger.config["ledger"]["path"] = str(without_ledger.folder / "none" / "ledger.db")
    status = without_ledger.check().status()
    assert status["status"] == "FAILED"
    assert "ledger.path" in status["message"]


@pytest.mark.parametrize("place", ["/proc/ledger.db", "/dev/null", "/dev/full"])
def test_a_ledger_where_none_can_be_made(without_ledger: Writer, place: str) -> None:
    without_ledger.config["ledger"]["path"] = place
    status = without_ledger.check().status()
    assert status["status"] == "FAILED"
    assert "ledger.path" in status["message"]
    no_bug_report(status["message"])


def test_a_file_that_is_not_a_ledger(writer: Writer) -> None:
    for path in writer.folder.glob("ledger.db*"):
        path.unlink()
    (writer.folder / "ledger.db").write_bytes(b"This is a letter, and no database.\n" * 400)
    assert_config_error(writer.write(*people(1), state(1)), "ledger.path")


def test_a_damaged_ledger(writer: Writer) -> None:
    writer.write(*people(*range(1, 40)), state(1))
    path = writer.folder / "ledger.db"
    content = path.read_bytes()
    path.write_bytes(content[:4096] + os.urandom(len(content) - 4096))
    for extra in writer.folder.glob("ledger.db-*"):
        extra.unlink()
    done = writer.write(*people(*range(1, 41)), state(2))
    assert_config_error(done, "ledger")
    assert created(writer) == once(*range(1, 40))


DAMAGED = {
    "version": "UPDATE ats_ledger SET version = 99",
    "hash_key": "UPDATE ats_ledger SET hash_key = 'x'",
    "match_before": "UPDATE ats_ledger SET match_before = 'x'",
    "checked_at": "UPDATE ats_ledger SET checked_at = 7",
    "rejected": "UPDATE ats_ledger SET rejected = 'x'",
    "key_source": "UPDATE ats_ledger_streams SET key_source = '{'",
    "positions": "UPDATE ats_ledger_streams SET positions = '[]'",
    "status": "UPDATE ats_ledger_entries SET status = 'x'",
    "noted_at": "UPDATE ats_ledger_entries SET noted_at = 'x'",
    "hashes": "UPDATE ats_ledger_entries SET hashes = '{'",
    "note": "UPDATE ats_ledger_entries SET note = '7'",
    "no row": "DELETE FROM ats_ledger",
    "no table": "DROP TABLE ats_ledger_streams",
    "no column": "ALTER TABLE ats_ledger_entries DROP COLUMN hashes",
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_row_that_was_damaged(writer: Writer, damage: str) -> None:
    writer.write(*people(1), state(1))
    with contextlib.closing(sqlite3.connect(writer.config["ledger"]["path"])) as connection:
        connection.execute(damage)
        connection.commit()
    done = writer.write(*people(2), *people(1), state(2))
    assert_config_error(done, "ledger")
    assert "Solberg" not in done.output
    assert created(writer) <= once(1, 2)


IN_A_MOUNT = """
cd "$1"; shift
mount -t tmpfs -o size=512k tmpfs disk || exit 99
write() {
    "$@" write --config config.json --catalog catalog.json <input.jsonl >$name.out
    echo $? >$name.code
}
"$@" check --config config.json >check.out
"""
A_SMALL_DISK = """
name=first write "$@"
mount -o remount,size=16m disk
name=again write "$@"
"""
READ_ONLY = """
mount -o remount,ro disk
name=first write "$@"
mount -o remount,rw disk
name=again write "$@"
"""
MOUNTED_ALONE = """
mount --bind disk/ledger.db disk/ledger.db
name=first write "$@"
umount disk/ledger.db
name=again write "$@"
"""


def written_in_a_mount(writer: Writer, script: str, *messages: Message) -> tuple[Run, Run]:
    """Write twice with a ledger on a disk of its own, and return both runs."""
    (writer.folder / "disk").mkdir()
    writer.config["ledger"]["path"] = str(writer.folder / "disk" / "ledger.db")
    writer.arguments("write")
    (writer.folder / "input.jsonl").write_bytes(lines_of(messages))
    # The mount is seen by these processes alone, and ends with them.
    namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    shell = ["/bin/sh", "-c", IN_A_MOUNT + script, "sh", str(writer.folder)]
    command = [*namespace, *shell, *COMMAND]
    try:
        done = subprocess.run(command, check=False, stderr=subprocess.PIPE)
    except FileNotFoundError:
        pytest.skip("This system has no unshare.")
    if done.returncode:
        pytest.skip(f"No disk can be mounted here: {done.stderr.decode()}")
    first, again = (
        finished(
            int((writer.folder / f"{name}.code").read_text()),
            (writer.folder / f"{name}.out").read_bytes(),
            b"",
        )
        for name in ("first", "again")
    )
    return first, again


def test_a_full_disk_under_the_ledger_is_named_and_creates_nobody_twice(
    without_ledger: Writer,
) -> None:
    # Recruiters are quick: no conflict helps.
    without_ledger.control("settings", drift=1.0)
    some, rest = people(*range(1, 11)), people(*range(11, 101))
    full, again = written_in_a_mount(
        without_ledger, A_SMALL_DISK, *some, state(10), *rest, state(100)
    )
    error = full.error()
    assert (full.code, error["failure_type"]) == (1, "config_error")
    assert error["message"] == "The disk of ledger.path is full. Make room there."
    assert cursors(full) == [10]
    assert again.code == 0, again.output
    assert cursors(again) == [10, 100]
    assert counts(again) == (100, 0)
    assert created(without_ledger) == once(*range(1, 101))


@pytest.mark.parametrize(
    ("script", "words"),
    [(READ_ONLY, "cannot be written"), (MOUNTED_ALONE, "is mounted as a single file")],
    ids=["read-only", "mounted alone"],
)
def test_a_disk_on_which_no_note_is_safe(without_ledger: Writer, script: str, words: str) -> None:
    refused, again = written_in_a_mount(without_ledger, script, *people(1), state(1))
    assert_config_error(refused, "ledger.path", words)
    assert counts(again) == (1, 0), again.output
    assert created(without_ledger) == once(1)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_database_that_is_not_there(without_ledger: Writer) -> None:
    url = f"postgresql://ats:made-up-password@127.0.0.1:{unused_port()}/ledger"
    without_ledger.config["ledger"] = {"ledger_type": "postgres", "url": url}
    status = without_ledger.check().status()
    assert status["status"] == "FAILED"
    assert "ledger.url" in status["message"]
    assert "made-up-password" not in status["message"]
    no_bug_report(status["message"])


@pytest.mark.parametrize(
    "url", ["postgresql://ats@localhost:port/x", "postgresql://", "x", "mysql://h/x"]
)
def test_a_url_that_cannot_be_used(without_ledger: Writer, url: str) -> None:
    without_ledger.config["ledger"] = {"ledger_type": "postgres", "url": url}
    done = without_ledger.check()
    (status,) = (each for each in done.messages if each["type"] == "CONNECTION_STATUS")
    assert status["connectionStatus"]["status"] == "FAILED"
    assert "ledger" in status["connectionStatus"]["message"]
    no_bug_report(done.output)


@pytest.mark.parametrize("swapped", [False, True])
def test_no_state_passes_over_a_ledger_that_is_gone(writer: Writer, swapped: bool) -> None:
    """Deleted, or replaced by another file, while a run writes."""
    path = writer.folder / "ledger.db"
    with subprocess.Popen(
        [*COMMAND, *writer.arguments("write")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=PROJECT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for message in (*people(1), state(1)):
            process.stdin.write(json.dumps(message).encode() + b"\n")
        process.stdin.flush()
        while b'"STATE"' not in process.stdout.readline():
            pass
        if swapped:
            copy = writer.folder / "copy.db"
            copy.write_bytes(path.read_bytes())
            copy.replace(path)
        else:
            path.unlink()
        with contextlib.suppress(BrokenPipeError):
            for message in (*people(2), state(2)):
                process.stdin.write(json.dumps(message).encode() + b"\n")
            process.stdin.close()
        lines = [json.loads(line) for line in process.stdout]
        assert process.wait(timeout=60) == 1
    assert not [each for each in lines if each["type"] == "STATE"]
    (error,) = (each["trace"]["error"] for each in lines if each["type"] == "TRACE")
    assert "ledger" in error["message"]
    no_bug_report(error["message"])


# rejected_path ------------------------------------------------------------------------------------


def test_rejected_records_are_not_written_to_a_device(writer: Writer) -> None:
    writer.config["rejected_path"] = "/dev/null"
    assert_config_error(writer.write(*people(1), state(1)), "rejected_path")
    assert writer.check().status()["status"] == "FAILED"


def test_rejected_records_are_not_written_to_a_fifo(writer: Writer) -> None:
    fifo = writer.folder / "rejected"
    os.mkfifo(fifo)
    writer.config["rejected_path"] = str(fifo)
    done = writer.run_by(COMMAND, "check")
    assert done.status()["status"] == "FAILED"
    assert "rejected_path" in done.status()["message"]
    assert_config_error(writer.write_by(COMMAND, *people(1), state(1)), "rejected_path")


def test_a_write_ends_with_what_became_of_the_records_and_what_it_took(writer: Writer) -> None:
    writer.sandbox.reset_log()
    done = writer.write(*people(1, 2), record({"id": 3, "first_name": "Mira"}), state(1))
    assert done.code == 0
    requests = sum(each["total"] for each in writer.sandbox.counts().values())
    outcomes, usage = done.logs().splitlines()[-2:]
    assert outcomes == (
        "Finished: 3 records; 2 created; "
        "1 rejected: last_name is missing, and Comeet requires it (1)."
    )
    assert re.fullmatch(
        rf"Comeet: {requests} requests in [0-9]+\.[0-9] s, [0-9]+\.[0-9] s of that waiting for the "
        r"rate limit or before another attempt\.",
        usage,
    )
