"""Ledgers made by 0.1.0, on SQLite and PostgreSQL: people keep their keys, and nothing goes out."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import sqlite3
from pathlib import Path
from typing import Any

import psycopg
import pytest

from integration_tests.support.hostile_comeet import HostileComeet
from integration_tests.support.outcomes import counts, stored
from integration_tests.support.writer import (
    OPEN,
    SECOND,
    Message,
    Writer,
    configured,
    record,
    state,
)

LEDGER = (Path(__file__).parent / "ledgers" / "0.1.0.sql").read_text("utf-8")
"""One ledger with a stream of each mapping, in SQL that both databases take. All entries are
closed but the last one of `people`, whose note is open although Comeet created the candidate."""

NOTED_AT = "2026-11-28T10:39:55Z"
"""The time of the open note. The tests move it to the time at which they create the candidate."""

STREAMS: list[dict[str, Any]] = [
    {"stream": "people", "mapping": {"mapping_type": "comeet"}, "position_uid": OPEN},
    {
        "stream": "candidates",
        "mapping": {"mapping_type": "kombo_candidates"},
        "positions": [
            {"job_id": "job-a", "position_uid": OPEN},
            {"job_id": "job-b", "position_uid": SECOND},
        ],
    },
    {
        "stream": "profiles",
        "mapping": {"mapping_type": "talemetry_profiles"},
        "position_uid": OPEN,
        "partner_id_prefix": "talemetry:",
    },
    {
        "stream": "rows",
        "mapping": {
            "mapping_type": "custom",
            "fields": [
                {"comeet_field": "partner_candidate_id", "expression": "to_string(number)"},
                {"comeet_field": "first_name", "expression": "given"},
                {"comeet_field": "last_name", "expression": "family"},
                {"comeet_field": "email", "expression": "mail"},
            ],
        },
        "position_uid": SECOND,
    },
]
CATALOG = {
    "streams": [
        configured("people", primary_key=["id", "branch"]),
        *(configured(each["stream"]) for each in STREAMS[1:]),
    ]
}


def someone(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "branch": "north:1",
        "first_name": "Mira",
        "last_name": f"Solberg {number}",
        "email": f"Mira{number}@example.org",
        "phone": f"+47 555 00 00{number}",
        "address": {"city": "Bergen", "country": "NO"},
        "prospect_status": "Sourced",
        "note": "Imported.",
    }


CLOSED: list[Message] = [
    record(someone(1)),
    record(someone(2)),
    record(
        {
            "id": "7kQmW3xTzB9sLp2VhNfRc4Yd",
            "integration_id": "greenhouse:1",
            "first_name": "Aroha",
            "last_name": "Ngata",
            "email_addresses": [{"email_address": "aroha@example.org"}],
            "phone_numbers": [{"phone_number": "+64 555 000 001"}],
            "applications": [
                {"outcome": "PENDING", "job": {"id": "job-a", "remote_id": None}},
                {"outcome": None, "job": {"id": "job-b", "remote_id": None}},
            ],
        },
        "candidates",
    ),
    record(
        {
            "id": "0f8fad5b-d9cb-469f-a165-70867728950e",
            "given_name": "Jonas",
            "family_name": "Eriksen",
            "email": "jonas@example.org",
        },
        "profiles",
    ),
    record(
        {
            "id": 1,
            "number": 77,
            "given": "In\u00e9s",
            "family": "Mart\u00edn",
            "mail": "i@example.org",
        },
        "rows",
    ),
]
OPEN_NOTE = record(someone(3))


def as_of_0_1_0(writer: Writer) -> Writer:
    """Give a writer the configuration with which the ledger was made."""
    writer.config["streams"] = STREAMS
    writer.catalog = CATALOG
    return writer


def recreated(comeet: HostileComeet) -> None:
    """Create the candidates of the ledger once more: the sandbox gives them the same uids."""
    for number in (1, 2):
        create(comeet, OPEN, f"people:{number}:north%3A1", someone(number))
    for position in (OPEN, SECOND):
        create(comeet, position, "k", {"first_name": "Aroha", "last_name": "Ngata"})
    create(comeet, OPEN, "t", {"first_name": "Jonas", "last_name": "Eriksen"})
    create(comeet, SECOND, "r", {"first_name": "In\u00e9s", "last_name": "Mart\u00edn"})
    create(comeet, OPEN, "people:3:north%3A1", someone(3))


def create(comeet: HostileComeet, position: str, key: str, fields: dict[str, Any]) -> None:
    sent = {name: value for name, value in fields.items() if name not in {"id", "branch"}}
    comeet.create(position, partner_candidate_id=key, **sent)


@pytest.fixture(params=["sqlite", "postgres"])
def upgraded(
    request: pytest.FixtureRequest, without_ledger: Writer, comeet: HostileComeet
) -> Writer:
    """A writer with the ledger of 0.1.0 and a Comeet that holds its people, all of them moved."""
    ledger = LEDGER.replace(NOTED_AT, comeet.sandbox.now().strftime("%Y-%m-%dT%H:%M:%SZ"))
    recreated(comeet)
    writer = as_of_0_1_0(without_ledger)
    writer.control("move", status="Rejected")
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").fresh()
        writer.config["ledger"] = {"ledger_type": "postgres", "url": url}
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(ledger.encode())
    else:
        path = writer.config["ledger"]["path"]
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.executescript(ledger)
    comeet.sandbox.reset_log()
    return writer


@pytest.mark.parametrize("is_checked", [False, True])
def test_the_same_records_send_nothing(upgraded: Writer, is_checked: bool) -> None:
    if is_checked:
        status = upgraded.check().status()
        assert status["status"] == "SUCCEEDED", status
    for number in (1, 2):
        done = upgraded.write(*CLOSED, state(number))
        assert done.code == 0, done.output
        assert counts(done)[1] == 0
    assert upgraded.calls("create") == upgraded.calls("update") == 0
    assert len(upgraded.truth()) == 7


def test_a_change_is_an_update_of_the_same_candidate(upgraded: Writer) -> None:
    changed = record({**someone(1), "phone": "+47 555 999 999"})
    done = upgraded.write(changed, state(1))
    assert counts(done) == (1, 0), done.output
    assert upgraded.calls("create") == 0
    assert upgraded.calls("update") == 1
    assert upgraded.truth()[0]["fields"]["phone"] == "+47 555 999 999"


def execute(writer: Writer, statement: str) -> None:
    """Change the ledger, whichever database it is in."""
    ledger = writer.config["ledger"]
    if ledger["ledger_type"] == "postgres":
        with psycopg.connect(ledger["url"], autocommit=True) as connection:
            connection.execute(statement.encode())
        return
    with contextlib.closing(sqlite3.connect(ledger["path"])) as database, database:
        database.execute(statement)


def test_a_resume_that_0_1_0_has_sent_is_not_sent_again(upgraded: Writer) -> None:
    def with_resume(content: str) -> Message:
        return record({**someone(1), "resume": {"name": "cv.pdf", "file": content}})

    key = bytes.fromhex("ec6952a666c2e5af62a1ed2206fa838526e4370eb9b946ec6f4ab24f523dfadd")
    value = b'["resume",{"file":"JVBERi0xLjQK","name":"cv.pdf"}]'
    digest = base64.b64encode(hmac.digest(key, value, "sha256")[:9]).decode()
    execute(
        upgraded,
        f"""UPDATE ats_ledger_entries SET hashes = replace(hashes, '}}', ',"resume":"{digest}"}}')
        WHERE partner_candidate_id = 'people:1:north%3A1'""",  # noqa: S608 - our own words
    )
    for _ in range(2):
        done = upgraded.write(with_resume("JVBERi0xLjQK"), state(1))
        assert counts(done) == (1, 0), done.output
        assert "cannot be updated" not in done.logs()
    assert [each["method"] for each in upgraded.sandbox.log("comeet.*")] == []
    for _ in range(2):
        upgraded.write(with_resume("JVBERi0xLjcK"), state(1))
        assert upgraded.calls("add_file") == 1


def test_files_that_are_new_since_0_1_0_are_added(upgraded: Writer) -> None:
    files = [{"name": "a.txt", "file": "YQ=="}, {"name": "b.txt", "file": "Yg=="}]
    for _ in range(2):
        done = upgraded.write(record({**someone(1), "files": files}), state(1))
        assert counts(done) == (1, 0), done.output
        assert [each["name"] for each in upgraded.truth()[0]["fields"]["files"]] == [
            "a.txt",
            "b.txt",
        ]
    assert upgraded.calls("update") == 0


def test_an_open_note_is_looked_up(upgraded: Writer) -> None:
    done = upgraded.write(OPEN_NOTE, state(1))
    assert counts(done) == (1, 0), done.output
    assert upgraded.calls("create") == 0
    done = upgraded.write(record({**someone(3), "phone": "+47 555 999 999"}), state(2))
    assert counts(done) == (1, 0), done.output
    assert len(upgraded.truth()) == 7


def test_another_key_after_the_upgrade_is_a_config_error(upgraded: Writer) -> None:
    upgraded.write(*CLOSED, state(1))
    upgraded.catalog = {
        "streams": [configured("people", primary_key=["id"]), *CATALOG["streams"][1:]]
    }
    done = upgraded.write(record(someone(1)), state(2))
    assert done.code == 1
    assert done.error()["failure_type"] == "config_error"
    assert len(upgraded.truth()) == 7


def test_a_dry_run_leaves_the_ledger_as_it_is(upgraded: Writer) -> None:
    before = stored(upgraded)
    done = upgraded.dry_run(*CLOSED, record({**someone(1), "phone": "+47 555 999 999"}), OPEN_NOTE)
    assert done.code == 0, done.output
    plan = [each for each in done.logs().splitlines() if each.startswith("Plan: ")]
    assert plan == ["Plan: 7 already there and unchanged.", "Plan: 1 already there and updated."]
    assert stored(upgraded) == before
    assert upgraded.calls("create") == upgraded.calls("update") == 0


def test_a_replay_waits_for_a_write_that_knows_the_primary_key(upgraded: Writer) -> None:
    path = upgraded.folder / "rejected.jsonl"
    upgraded.config["rejected_path"] = str(path)
    refusal = {
        "outcome": "refused",
        "position_uid": OPEN,
        "partner_candidate_id": "people:4:north%3A1",
        "field": "last_name",
        "reason": "is missing, and Comeet requires it",
        "said": "",
    }
    kept = {
        "stream": "people",
        "rejected_at": "2026-11-28T10:39:50Z",
        "refusals": [refusal],
        "record": someone(4),
    }
    path.write_text(json.dumps(kept) + "\n")
    error = upgraded.run("replay").error()
    assert error["failure_type"] == "config_error"
    assert "people" in error["message"]
    assert json.loads(path.read_text()) == kept
    assert upgraded.write(*CLOSED, state(1)).code == 0
    assert upgraded.run("replay").code == 0
    assert path.read_bytes() == b""
    assert upgraded.truth()[-1]["partner_candidate_id"] == "people:4:north%3A1"


def test_a_person_decides_about_an_open_note(upgraded: Writer) -> None:
    (line,) = upgraded.run("unknown").of("UNKNOWN")
    uid = upgraded.truth()[-1]["uid"]
    assert line["key"] == "people:3:north%3A1"
    assert uid in line["perhaps"]
    assert upgraded.run("unknown", "--adopt", line["key"], uid).code == 0
    assert counts(upgraded.write(OPEN_NOTE, state(1))) == (1, 0)
    assert upgraded.calls("create") == 0
    assert len(upgraded.truth()) == 7
    (status,) = upgraded.run("status").of("STATUS")
    assert status["open_notes"] == 0
    assert sum(status["streams"]["people"].values()) == 3
