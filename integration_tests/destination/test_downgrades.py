"""A ledger of today, given to 0.1.0 and back: docs/upgrading.md says the same."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import psycopg
import pytest

from integration_tests.sandbox.running import PROJECT
from integration_tests.support import version_0_1_0
from integration_tests.support.doc_blocks import blocks
from integration_tests.support.outcomes import counts, created, once, people
from integration_tests.support.writer import Writer, state

STATEMENTS = [
    each.text for each in blocks(PROJECT / "docs" / "upgrading.md") if each.language == "sql"
]


def execute(writer: Writer, statement: str) -> list[tuple[object, ...]]:
    """Send a statement to the ledger's database, and return its rows."""
    ledger = writer.config["ledger"]
    if ledger["ledger_type"] == "postgres":
        with psycopg.connect(ledger["url"], autocommit=True) as connection:
            found = connection.execute(statement.encode())
            return found.fetchall() if found.description else []
    with contextlib.closing(sqlite3.connect(ledger["path"])) as database, database:
        return [*database.execute(statement)]


@pytest.fixture
def written(either_without_ledger: Writer) -> Writer:
    """A writer whose people 1 and 2 are in Comeet and have left the hiring process since.

    Comeet rejects duplicates only before that, so nothing but the ledger stops a second candidate.
    """
    writer = either_without_ledger
    assert writer.check().status()["status"] == "SUCCEEDED"
    assert counts(writer.write(*people(1, 2), state(1))) == (2, 0)
    writer.control("move", status="Rejected")
    return writer


def test_0_1_0_refuses_the_ledger(written: Writer, packages_of_0_1_0: Path) -> None:
    command = version_0_1_0.destination(packages_of_0_1_0)
    message = "The ledger was made by another version of the connector. Use that version."
    done = written.write_by(command, *people(1, 2, 3), state(2))
    assert done.code == 1
    assert done.states() == []
    assert done.error()["failure_type"] == "config_error"
    assert done.error()["message"] == message
    assert written.run_by(command, "check").status() == {"status": "FAILED", "message": message}
    assert created(written) == once(1, 2)


def test_the_documented_statements_take_the_ledger_back(
    written: Writer, packages_of_0_1_0: Path
) -> None:
    undecided, *back = STATEMENTS
    assert execute(written, undecided) == []
    for statement in "".join(back).split(";"):
        if statement.strip():
            execute(written, statement)
    command = version_0_1_0.destination(packages_of_0_1_0)
    done = written.write_by(command, *people(1, 2, 3), state(2))
    assert done.code == 0, done.output
    assert len(done.states()) == 1
    assert created(written) == once(1, 2, 3)
    written.control("move", status="Rejected")
    assert counts(written.write(*people(1, 2, 3), state(3))) == (3, 0)
    assert created(written) == once(1, 2, 3)


def test_undecided_people_are_found_before_the_ledger_goes_back(written: Writer) -> None:
    statement = "UPDATE ats_ledger_entries SET status = 'unmatched' WHERE uid IS NOT NULL"
    execute(written, statement)
    assert sorted(execute(written, STATEMENTS[0])) == [
        ("people", "people:1", "unmatched"),
        ("people", "people:2", "unmatched"),
    ]
