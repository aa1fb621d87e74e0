"""What a run of `destination-comeet` did: in its own words, and in Comeet."""

from __future__ import annotations

from collections import Counter
from typing import Any

import psycopg
from psycopg import sql

from integration_tests.support.writer import Message, Run, Writer, person, record


def people(*numbers: int, **fields: Any) -> list[Message]:
    """Return a RECORD of each made-up person, with these fields."""
    return [record(person(number, **fields)) for number in numbers]


def created(writer: Writer) -> Counter[str]:
    """Count the candidates in Comeet by our key; those of other people have the key None."""
    return Counter(str(each["partner_candidate_id"]) for each in writer.truth())


def once(*numbers: int) -> Counter[str]:
    """Return what `created` says when each of these people was created once."""
    return Counter(f"people:{number}" for number in numbers)


def candidate(writer: Writer, key: str) -> dict[str, Any]:
    """Return the one candidate in Comeet with our key."""
    (found,) = (each for each in writer.truth() if each["partner_candidate_id"] == key)
    return found


def fields_of(writer: Writer, uid: str) -> dict[str, Any]:
    """Return what Comeet holds of a candidate."""
    (found,) = (each["fields"] for each in writer.truth() if each["uid"] == uid)
    return dict(found)


def counts(done: Run) -> tuple[int, int]:
    """Return how many records the passed states cover, and how many of them were rejected."""
    stats = [each["destinationStats"] for each in done.states()]
    return (
        int(sum(each["recordCount"] for each in stats)),
        int(sum(each["rejectedRecordCount"] for each in stats)),
    )


def cursors(done: Run) -> list[Any]:
    """Return the cursors of the passed states."""
    return [each["stream"]["stream_state"]["cursor"] for each in done.states()]


def stored(writer: Writer) -> dict[str, Any]:
    """Return all files of the folder, but those of a test, and all rows of the database."""
    inputs = {"config.json", "catalog.json", "plan.jsonl"}
    found: dict[str, Any] = {
        each.name: each.read_bytes() for each in writer.folder.iterdir() if each.name not in inputs
    }
    ledger = writer.config["ledger"]
    if ledger["ledger_type"] == "postgres":
        with psycopg.connect(ledger["url"]) as connection:
            tables = connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
            ).fetchall()
            for (name,) in tables:
                select = sql.SQL("SELECT * FROM {}").format(sql.Identifier(name))
                rows = connection.execute(select)
                found[name] = ([each.name for each in rows.description or []], rows.fetchall())
    return found
