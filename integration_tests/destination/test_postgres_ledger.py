"""What is special about a ledger in PostgreSQL: a real server, killed writers."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from destination_comeet import ledger
from destination_comeet.config import PostgresLedger
from integration_tests.sandbox.running import Sandbox
from integration_tests.support.destination import bare, partners, people, written_in_two_runs
from integration_tests.support.postgres import Postgres
from integration_tests.support.writer import COMMAND, Writer, record, state
from source_ats.errors import ConfigError, TransientError
from unit_tests.destination_comeet.samples import (
    CLOCK,
    ENTRY,
    STREAMS,
    make,
    postgres_ledger,
)


@pytest.fixture
def where(postgres: Postgres) -> PostgresLedger:
    """A ledger in a database of its own."""
    place = postgres_ledger(postgres.fresh())
    make(place)
    return place


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    """One sandbox for all tests here."""
    with Sandbox.start(candidates=10) as started:
        yield started


@pytest.fixture
def writer(world: Sandbox, postgres: Postgres, tmp_path: Path) -> Writer:
    """A writer whose ledger is in the database."""
    fresh = bare(world, tmp_path)
    fresh.config["ledger"] = {"ledger_type": "postgres", "url": postgres.fresh()}
    assert fresh.check().status()["status"] == "SUCCEEDED"
    return fresh


def test_a_database_without_a_ledger(postgres: Postgres) -> None:
    where = postgres_ledger(postgres.fresh())
    with pytest.raises(ConfigError, match="first run"), ledger.opened(where, STREAMS, CLOCK):
        pass


def test_a_database_that_does_not_exist(postgres: Postgres) -> None:
    where = postgres_ledger(postgres.url("nowhere"))
    with pytest.raises(ConfigError, match="does not know the database"):
        make(where)


def test_ledgers_in_two_databases_do_not_lock_each_other(
    where: PostgresLedger, postgres: Postgres
) -> None:
    other = postgres_ledger(postgres.fresh())
    make(other)
    with ledger.opened(where, STREAMS, CLOCK), ledger.opened(other, STREAMS, CLOCK):
        pass


def test_a_lost_connection_ends_the_run_as_transient(where: PostgresLedger) -> None:
    def cut_off() -> None:
        assert where.url is not None
        with (
            ledger.opened(where, STREAMS, CLOCK) as opened,
            psycopg.connect(where.url, autocommit=True) as other,
        ):
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
            opened.note_post(ENTRY)

    with pytest.raises(TransientError, match="ledger"):
        cut_off()


def test_the_same_again_sends_nothing(writer: Writer) -> None:
    done = writer.write_by(COMMAND, *people(1, 2), state(1))
    assert len(done.states()) == 1
    writer.sandbox.reset_log()
    writer.write(*people(1, 2), state(2))
    assert writer.sandbox.counts() == {}
    writer.write(record({"id": 1, "first_name": "Ines", "last_name": "Solberg 1"}))
    assert partners(writer) == {"people:1": 1, "people:2": 1}


@pytest.mark.parametrize("step", ["note committed", "call sent", "call answered", "not flushed"])
def test_killed_nobody_is_created_twice_or_missing(writer: Writer, step: str) -> None:
    def recruiters_are_quick() -> None:
        writer.control("move", status="Rejected")

    written_in_two_runs(writer, step, 2, recruiters_are_quick)


def test_a_killed_writer_leaves_no_lock(writer: Writer) -> None:
    killed = writer.write_killed("record done", 1, *people(1), state(1))
    assert killed.code == -signal.SIGKILL
    assert writer.write(*people(1), state(1)).code == 0
