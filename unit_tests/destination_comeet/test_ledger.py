"""What is special about a ledger in an SQLite file."""

from __future__ import annotations

import os
import shutil
import sqlite3
from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from destination_comeet import database, ledger
from destination_comeet.config import SqliteLedger
from destination_comeet.ledger import KeyStatus, Note
from destination_comeet.matching import traits
from source_ats.errors import ConfigError, TransientError
from unit_tests.destination_comeet.samples import (
    CLOCK,
    ENTRY,
    STREAMS,
    make,
    postgres_ledger,
    sqlite,
)
from unit_tests.fakes import NOON


@pytest.fixture
def where(tmp_path: Path) -> SqliteLedger:
    place = sqlite(tmp_path / "ledger.db")
    make(place)
    return place


def test_hashes_are_keyed_and_tell_changes_only(where: SqliteLedger, tmp_path: Path) -> None:
    fields = {"first_name": "Mira", "last_name": "Mira", "address": {"a": "1", "b": "2"}}
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        hashes = opened.hashes(fields)
        assert opened.hashes({**fields, "address": {"b": "2", "a": "1"}}) == hashes
        assert hashes["first_name"] != hashes["last_name"]
        assert opened.hashes({"first_name": "Mire"})["first_name"] != hashes["first_name"]
        assert all(len(each) == 12 for each in hashes.values())
    another = sqlite(tmp_path / "another.db")
    make(another)
    with ledger.opened(another, STREAMS, CLOCK) as opened:
        assert opened.hashes(fields)["first_name"] != hashes["first_name"]


def test_nobody_is_named_in_the_file(where: SqliteLedger) -> None:
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        hashes = opened.hashes({"email": "mira@example.org", "last_name": "Kowalczyk"})
        opened.note_post(replace(ENTRY, hashes=hashes))
    content = Path(where.path).read_bytes()
    assert b"people:1" in content
    assert b"mira@" not in content
    assert b"Kowalczyk" not in content


def test_a_missing_ledger_is_never_made_by_a_run(tmp_path: Path) -> None:
    where = sqlite(tmp_path / "ledger.db")
    with pytest.raises(ConfigError, match=r"first run.*lost"), ledger.opened(where, STREAMS, CLOCK):
        pass
    assert not list(tmp_path.iterdir())
    (tmp_path / "ledger.db").touch()
    with pytest.raises(ConfigError, match=r"first run.*lost"), ledger.opened(where, STREAMS, CLOCK):
        pass


def test_a_file_that_is_not_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("something else, and quite long " * 100)
    where = sqlite(path)
    with pytest.raises(ConfigError, match="not a ledger"):
        make(where)
    with pytest.raises(ConfigError, match="not a ledger"), ledger.opened(where, STREAMS, CLOCK):
        pass


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    where = sqlite(tmp_path / "missing" / "ledger.db")
    with pytest.raises(ConfigError, match=r"ledger\.path"):
        make(where)


def test_a_ledger_of_another_version(where: SqliteLedger) -> None:
    with sqlite3.connect(where.path) as connection:
        connection.execute("UPDATE ats_ledger SET version = 99")
    connection.close()
    with pytest.raises(ConfigError, match="version"), ledger.opened(where, STREAMS, CLOCK):
        pass


def test_a_bad_url_is_told_without_its_password() -> None:
    where = postgres_ledger("postgresql://user:hunter2@127.0.0.1:1/none")
    for go in (
        lambda: make(where),
        lambda: ledger.opened(where, STREAMS, CLOCK).__enter__(),
    ):
        with pytest.raises(Exception, match="ledger") as caught:
            go()
        assert "hunter2" not in f"{caught.value!r} {caught.value}"


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"prefix": "p:"}, "partner_id_prefix was people: and is p: now"),
        (
            {"prefix": ""},
            "partner_id_prefix was people: and is none (verbatim_partner_id) now",
        ),
        ({"mapping_type": "custom"}, "mapping was comeet and is custom now"),
        (
            {"key_source": {"primary_key": [["a", "b"], ["c"]]}},
            (
                "the key was made from the primary key (id) and would be made from the primary key "
                "(a.b, c) now"
            ),
        ),
        (
            {"key_source": {"expression": "uid"}},
            (
                "the key was made from the primary key (id) and would be made from the expression "
                "of partner_candidate_id (uid) now"
            ),
        ),
    ],
)
def test_another_recipe_of_keys_is_rejected_with_what_changed(
    where: SqliteLedger, changed: dict[str, Any], what: str
) -> None:
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        opened.note_post(ENTRY)
    now = [replace(STREAMS[0], **changed), STREAMS[1]]
    with pytest.raises(ConfigError) as caught, ledger.opened(where, now, CLOCK):
        pass
    assert caught.value.message == (
        f"Stream people: {what}. With other keys, all people of this stream would be created a "
        "second time. Set it back, or give the records another stream name to write them as new "
        "people."
    )


def test_a_stream_that_wrote_nobody_may_change_its_keys(where: SqliteLedger) -> None:
    with ledger.opened(where, STREAMS, CLOCK):
        pass
    with ledger.opened(where, [replace(STREAMS[0], prefix="p:")], CLOCK) as opened:
        assert opened.warnings == []


@pytest.mark.parametrize(("people", "text"), [(1, "1 person is"), (2, "2 people are")])
def test_a_position_that_was_moved_is_warned_of(
    where: SqliteLedger, people: int, text: str
) -> None:
    stream = replace(STREAMS[0], positions={"": "4A.1C2", "7": "A", "8": "A"})
    with ledger.opened(where, [stream, STREAMS[1]], CLOCK) as opened:
        for number in range(people):
            opened.note_post(replace(ENTRY, position="A", key=f"people:{number}"))
    moved = replace(STREAMS[0], positions={"": "4A.1C2", "7": "A", "8": "B"})
    with ledger.opened(where, [moved, STREAMS[1]], CLOCK) as opened:
        assert opened.warnings == [
            (
                f"Stream people: positions, job 8 was A and is B now. {text} in A from this "
                "stream; those who come again are created a second time, in B. Set A back if you "
                "do not want that."
            )
        ]


def test_an_entry_is_found_as_it_was_written(where: SqliteLedger) -> None:
    entry = replace(ENTRY, note=Note(failed_runs=2), files=("x",), uid="B3.07F")
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        assert opened.find(entry.position, entry.key) is None
        opened.note_post(entry)
        opened.note_post(replace(entry, key="people:2", noted_at=NOON + timedelta(hours=1)))
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        assert opened.find(entry.position, entry.key) == entry
        assert opened.find("another", entry.key) is None
        assert [each.key for each in opened.unknown()] == ["people:1", "people:2"]
        assert [each.key for each in opened.unknown("people:2")] == ["people:2"]
        assert opened.knows("B3.07F")
        assert not opened.knows("B3.080")
        opened.withdraw(entry)
        assert opened.find(entry.position, entry.key) is None
        assert opened.find(entry.position, "people:2") is not None


def test_what_was_sent_of_a_key_changes_with_its_hashes_only(where: SqliteLedger) -> None:
    there = replace(ENTRY, status=KeyStatus.THERE, uid="B3.07F")
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        assert opened.sent(there.key) == ""
        opened.save(there, NOON)
        first = opened.sent(there.key)
        opened.save(there, NOON + timedelta(hours=1))
        assert opened.sent(there.key) == first != ""
        opened.save(replace(there, hashes={"email": "y"}), NOON)
        assert opened.sent(there.key) not in {first, ""}


def test_the_time_up_to_which_keys_are_compared_moves_forward_only(where: SqliteLedger) -> None:
    later = NOON + timedelta(hours=1)
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        for moment in (NOON, later, NOON):
            opened.move_match_before(moment)
        assert opened.match_before == later
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        assert opened.match_before == later


def test_a_damaged_ledger_says_so_with_the_remedy(where: SqliteLedger) -> None:
    with sqlite3.connect(where.path) as connection:
        connection.execute("UPDATE ats_ledger SET hash_key = 'x'")
    connection.close()
    with pytest.raises(ConfigError) as caught, ledger.opened(where, STREAMS, CLOCK):
        pass
    assert caught.value.message == (
        "The ledger holds a row that this connector did not write, or that was damaged. Restore "
        "the ledger from a backup: what was created since then is found in Comeet."
    )


def test_a_new_ledger_counts_no_rejected_records(tmp_path: Path) -> None:
    where = sqlite(tmp_path / "ledger.db")
    make(where)
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        assert opened.rejected == 0


def test_a_mount_point_may_have_any_name() -> None:
    names = ["/plain", "/données", "/with blank", os.fsdecode(b"/not utf-8 \xe9")]
    lines = [
        b"36 35 98:0 / %s rw - ext4 /dev/sda1 rw\n" % os.fsencode(name).replace(b" ", rb"\040")
        for name in names
    ]
    assert database.mount_points_in(b"".join(lines)) == set(names)


def test_a_copy_is_not_mixed_with_what_the_same_run_wrote_later(
    where: SqliteLedger, tmp_path: Path
) -> None:
    copies = []
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        opened.claim()
        for number in range(3):
            opened.note_post(replace(ENTRY, key=f"people:{number}"))
            opened.commit()
            # What a kill at this moment would leave.
            copies.append(tmp_path / f"{number}.db")
            for ending in ("", "-wal"):
                shutil.copy2(f"{where.path}{ending}", f"{copies[-1]}{ending}")
            opened.flush()
    for copy in copies:
        database.check_wal(copy)
    for earlier, later in combinations(copies, 2):
        shutil.copy2(f"{later}-wal", f"{earlier}-wal")
        with pytest.raises(ConfigError, match="-wal"):
            database.check_wal(earlier)


def test_a_phone_has_the_same_hash_in_both_fields(where: SqliteLedger) -> None:
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        phone = opened.hashed(traits({"phone": "+47 555 01 234"}))
        mobile = opened.hashed(traits({"mobile_phone": "+47 555 01 234"}))
        assert phone.phone == mobile.mobile_phone is not None
        assert phone.phone != opened.hashed(traits({"phone": "+47 555 01 235"})).phone


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_ledger_that_is_gone_during_a_run_covers_no_state(
    where: SqliteLedger, is_replaced: bool
) -> None:
    path = Path(where.path)
    with ledger.opened(where, STREAMS, CLOCK) as opened:
        content = path.read_bytes()
        path.unlink()
        if is_replaced:
            path.write_bytes(content)
        with pytest.raises(ConfigError) as caught:
            opened.flush()
        assert not opened.is_usable
    assert caught.value.message == (
        "The ledger was removed, replaced or changed by another program while this run was writing "
        "with it. What was sent since the last state may not be noted there. Put the ledger back, "
        "and run again."
    )


def test_a_disk_that_fails_is_named() -> None:
    failed = sqlite3.OperationalError("disk I/O error")
    failed.sqlite_errorname = "SQLITE_PROTOCOL"
    found = database.failure(OperationalError("SELECT 1", {}, failed))
    assert isinstance(found, TransientError)
    assert found.message == "The file at ledger.path cannot be used now. Check its disk."
    assert found.detail == "OperationalError SQLITE_PROTOCOL"
