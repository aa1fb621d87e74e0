"""`write --dry-run`: what a write would do, and nothing is written, locked or passed on."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from integration_tests.sandbox.running import PROJECT
from integration_tests.support.hostile_comeet import HostileComeet, envelope
from integration_tests.support.outcomes import counts, created, once, people, stored
from integration_tests.support.writer import (
    COMMAND,
    OPEN,
    Message,
    Writer,
    lines_of,
    person,
    record,
    state,
)

LIST = r"/candidates\?"


def plan_of(path: Path) -> list[tuple[Any, ...]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    names = ["key", "position", "outcome", "fields", "reason"]
    assert all(list(line) == names for line in lines)
    return [tuple(line.values()) for line in lines]


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    return tmp_path / "plan.jsonl"


def test_a_dry_run_says_what_a_write_does_and_writes_nothing(either: Writer, plan: Path) -> None:
    assert either.write(*people(1, 2), state(0)).code == 0
    messages: list[Message | bytes] = [
        *people(1),
        *people(2, phone="555012345", note="Called."),
        *people(3),
        record({**person(4), "last_name": None}),
        record({**person(5), "deleted": True}),
        b'{"type": "RECORD", "record": {"stream": "people", "data": {"id": NaN}}}',
        state(1),
    ]
    before = stored(either)
    either.sandbox.reset_log()
    done = either.dry_run(*messages, plan=plan)
    assert done.code == 0, done.output
    assert stored(either) == before
    assert (either.calls("create"), either.calls("update")) == (0, 0)
    assert done.states() == []
    assert plan_of(plan) == [
        ("people:1", OPEN, "unchanged", [], None),
        ("people:2", OPEN, "updated", ["phone"], None),
        ("people:3", OPEN, "created", ["first_name", "last_name", "email"], None),
        ("people:4", OPEN, "rejected", [], "last_name is missing, and Comeet requires it"),
        ("people:5", None, "skipped", [], "deleted is true: the record is a tombstone"),
        (
            None,
            None,
            "rejected",
            [],
            "record holds a text, a number or a depth that cannot be read",
        ),
    ]
    assert stat.S_IMODE(plan.stat().st_mode) == 0o600
    assert [each for each in done.logs().splitlines() if each.startswith("Plan: ")] == [
        "Plan: 1 created.",
        "Plan: 1 already there and unchanged.",
        "Plan: 1 already there and updated.",
        "Plan: 1 skipped: deleted is true: the record is a tombstone.",
        "Plan: 1 rejected: last_name is missing, and Comeet requires it.",
        "Plan: 1 rejected: record holds a text, a number or a depth that cannot be read.",
    ]
    for value in ("Mira", "Solberg", "example.org", "555012345", "Called"):
        assert value not in done.output + plan.read_text()
    # The write does just that.
    written = either.write(*messages)
    assert counts(written) == (6, 2), written.output
    assert created(either) == once(1, 2, 3)
    assert (either.calls("create"), either.calls("update")) == (1, 1)


def test_it_works_before_there_is_a_ledger(
    either_without_ledger: Writer, comeet: HostileComeet, plan: Path
) -> None:
    ours = {name: value for name, value in person(1).items() if name != "id"}
    comeet.create(OPEN, **ours)
    comeet.create(OPEN, first_name="Mira", last_name="Solberg 3")
    before = stored(either_without_ledger)
    done = either_without_ledger.dry_run(*people(1, 2, 3), state(1), plan=plan)
    assert done.code == 0, done.output
    assert [line[:3] for line in plan_of(plan)] == [
        ("people:1", OPEN, "unchanged"),
        ("people:2", OPEN, "created"),
        ("people:3", OPEN, "unknown"),
    ]
    assert stored(either_without_ledger) == before
    assert created(either_without_ledger) == {"None": 2}


def test_without_a_ledger_and_the_permission_to_list_everybody_counts_as_new(
    without_ledger: Writer, comeet: HostileComeet, plan: Path
) -> None:
    comeet.answer("GET", LIST, envelope(403, "no_permission"), after_comeet=False)
    done = without_ledger.dry_run(*people(1), state(1), plan=plan)
    assert done.code == 0, done.output
    assert [line[2] for line in plan_of(plan)] == ["created"]
    assert "permission to retrieve candidates" in done.logs("WARN")


def test_records_of_one_key_follow_each_other(either: Writer, plan: Path) -> None:
    done = either.dry_run(*people(1), *people(1), *people(1, phone="555012345"), plan=plan)
    assert done.code == 0, done.output
    assert [line[2:4] for line in plan_of(plan)] == [
        ("created", ["first_name", "last_name", "email"]),
        ("unchanged", []),
        ("updated", ["phone"]),
    ]


def test_it_takes_no_lock_and_needs_none(either: Writer) -> None:
    with started(either) as writing:
        assert writing.stdin is not None
        assert writing.stdout is not None
        writing.stdin.write(lines_of([*people(1), state(1)]))
        writing.stdin.flush()
        while b'"STATE"' not in writing.stdout.readline():
            pass
        done = either.dry_run(*people(1, 2))
        assert done.code == 0, done.output
        assert "Plan: 1 created.\nPlan: 1 already there and unchanged." in done.logs()
        writing.stdin.close()
        assert writing.wait(timeout=60) == 0
    with started(either, "--dry-run") as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(lines_of([b'{"type": "LOG", "log": {"level": "WARN"}}']))
        running.stdin.flush()
        while b'"WARN"' not in running.stdout.readline():
            pass
        assert either.write(*people(2), state(2)).code == 0
        running.stdin.write(lines_of(people(2)))
        running.stdin.close()
        # It goes by the ledger as it was at the beginning, and may find the person in Comeet.
        assert running.wait(timeout=60) == 0
    assert created(either) == once(1, 2)


def started(writer: Writer, *more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, *writer.arguments("write"), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=PROJECT,
    )


def test_the_notes_of_a_killed_run_count(either: Writer, comeet: HostileComeet, plan: Path) -> None:
    either.write_killed("note committed", 1, *people(1))
    before = stored(either)
    comeet.answer("GET", LIST, envelope(403, "no_permission"), after_comeet=False)
    done = either.dry_run(*people(1), plan=plan)
    assert done.code == 0, done.output
    assert [line[:3] for line in plan_of(plan)] == [("people:1", OPEN, "unknown")]
    assert stored(either) == before


def test_a_ledger_is_read_through_a_link_and_the_copy_is_gone(
    writer: Writer, comeet: HostileComeet, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.write_killed("note committed", 1, *people(1))
    path = Path(writer.config["ledger"]["path"])
    link = writer.folder / "link.db"
    link.symlink_to(path)
    writer.config["ledger"]["path"] = str(link)
    comeet.answer("GET", LIST, envelope(403, "no_permission"), after_comeet=False)
    temporary = writer.folder / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    done = writer.dry_run(*people(1), plan=plan)
    assert done.code == 0, done.output
    assert [line[2] for line in plan_of(plan)] == ["unknown"]
    assert list(temporary.iterdir()) == []


def test_a_file_that_is_not_a_ledger_is_named(without_ledger: Writer) -> None:
    path = Path(without_ledger.config["ledger"]["path"])
    path.write_text("This is not a database, although it is long enough. " * 100)
    for done in (without_ledger.dry_run(*people(1)), without_ledger.run("status")):
        error = done.error()
        assert error["failure_type"] == "config_error"
        assert "ledger.path" in error["message"]


def test_a_server_that_refuses_is_named(without_ledger: Writer) -> None:
    without_ledger.config["ledger"] = {
        "ledger_type": "postgres",
        "url": "postgresql://ats:secret@127.0.0.1:9/ledger",
    }
    done = without_ledger.dry_run(*people(1))
    assert done.error()["failure_type"] == "transient_error"
    assert "ledger.url" in done.error()["message"]
    assert "secret" not in done.output


def test_another_recipe_of_the_key_is_told_before_the_first_record(writer: Writer) -> None:
    writer.write(*people(1), state(0))
    writer.config["streams"][0]["partner_id_prefix"] = "other:"
    error = writer.dry_run(*people(1)).error()
    assert error["failure_type"] == "config_error"
    assert "partner_id_prefix" in error["message"]


def test_rejected_records_are_not_kept_and_max_rejected_does_not_end_it(writer: Writer) -> None:
    writer.config["rejected_path"] = str(writer.folder / "rejected.jsonl")
    writer.config["max_rejected"] = 0
    bad = [record({"id": number}) for number in range(3)]
    done = writer.dry_run(*bad, state(1))
    assert done.code == 0, done.output
    assert "Plan: 3 rejected: first_name is missing, and Comeet requires it." in done.logs()
    assert not (writer.folder / "rejected.jsonl").exists()


# The file -----------------------------------------------------------------------------------------


def test_an_earlier_plan_is_replaced_and_becomes_private(writer: Writer, plan: Path) -> None:
    writer.dry_run(*people(1, 2), plan=plan)
    plan.chmod(0o644)
    writer.dry_run(*people(3), plan=plan)
    assert [line[0] for line in plan_of(plan)] == ["people:3"]
    assert stat.S_IMODE(plan.stat().st_mode) == 0o600


def test_a_plan_is_written_to_a_regular_file_only(writer: Writer, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"mine": 1}')
    link = tmp_path / "link.jsonl"
    link.symlink_to(tmp_path / "elsewhere.jsonl")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    missing = tmp_path / "missing" / "plan.jsonl"
    for place in (other, link, fifo, missing, tmp_path, Path("/dev/stdout"), Path("/dev/null")):
        done = writer.dry_run(*people(1), plan=place)
        assert done.code == 1, place
        error = done.error()
        assert error["failure_type"] == "config_error"
        assert "--plan" in error["message"]
        assert writer.calls("position") == 0
    assert other.read_text() == '{"mine": 1}'
    assert not (tmp_path / "elsewhere.jsonl").exists()


def test_a_full_disk_under_the_plan_is_named(writer: Writer, plan: Path) -> None:
    bad = [record({"id": number}) for number in range(10_000)]
    # The limit is 512 blocks of 512 or 1024 bytes; Python turns the signal into an error.
    more = ["--dry-run", "--plan", str(plan)]
    command = ["/bin/sh", "-c", 'ulimit -f 512; exec "$@"', "sh", *COMMAND]
    done = subprocess.run(
        [*command, *writer.arguments("write"), *more],
        input=lines_of(bad),
        capture_output=True,
        cwd=PROJECT,
        check=False,
    )
    assert done.returncode == 1
    (error,) = (each for each in map(json.loads, done.stdout.splitlines()) if "trace" in each)
    assert error["trace"]["error"]["failure_type"] == "config_error"
    assert "--plan" in error["trace"]["error"]["message"]


def test_a_plan_without_a_dry_run_is_a_wrong_argument(writer: Writer, plan: Path) -> None:
    command = [*COMMAND, *writer.arguments("write"), "--plan", str(plan)]
    done = subprocess.run(command, input=b"", capture_output=True, cwd=PROJECT, check=False)
    assert done.returncode == 2
    assert b"--dry-run" in done.stderr
    assert not plan.exists()
