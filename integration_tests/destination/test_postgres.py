"""A PostgreSQL server that crashes, or stops answering, while a run writes."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from pathlib import Path

import psycopg
import pytest

from integration_tests.sandbox.running import PROJECT
from integration_tests.support.hostile_comeet import HostileComeet
from integration_tests.support.outcomes import counts, created, once, people
from integration_tests.support.postgres import Postgres, running
from integration_tests.support.writer import COMMAND, Writer, lines_of, state

SECONDS = 10


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.fresh()


@pytest.fixture
def on_postgres(without_ledger: Writer, url: str) -> Writer:
    without_ledger.config["ledger"] = {"ledger_type": "postgres", "url": url}
    assert without_ledger.check().status()["status"] == "SUCCEEDED"
    return without_ledger


@pytest.mark.parametrize("posts", [3, 10, 30])
def test_a_crash_of_the_server_doubles_nobody(
    on_postgres: Writer, comeet: HostileComeet, postgres: Postgres, posts: int
) -> None:
    everybody = range(1, 101)
    with subprocess.Popen(
        [*COMMAND, *on_postgres.arguments("write")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=PROJECT,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(lines_of([*people(*everybody), state(1)]))
        process.stdin.close()
        for _ in range(posts):
            comeet.wait_for("POST")
        postgres.crash()
        process.wait(timeout=120)
    on_postgres.control("move", status="Rejected")
    done = on_postgres.write(*people(*everybody), state(1))
    assert done.code == 0, done.output[-2000:]
    assert created(on_postgres) == once(*everybody)
    assert counts(done) == (100, 0)


def test_a_server_that_stops_answering_does_not_hold_up_the_end(
    on_postgres: Writer, url: str
) -> None:
    with subprocess.Popen(
        [*COMMAND, *on_postgres.arguments("write")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=PROJECT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(lines_of([*people(1), state(1)]))
        process.stdin.flush()
        while b'"STATE"' not in process.stdout.readline():
            pass
        with psycopg.connect(url, autocommit=True) as connection:
            (backend,) = connection.execute(
                "SELECT pid FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone() or (0,)
        os.kill(backend, signal.SIGSTOP)
        try:
            process.stdin.write(lines_of([*people(2), state(2)]))
            process.stdin.flush()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=SECONDS) == 128 + signal.SIGTERM
            lines = [json.loads(line) for line in process.stdout]
            assert not [each for each in lines if each["type"] == "STATE"]
        finally:
            process.kill()
            os.kill(backend, signal.SIGCONT)
    # The server notices that its caller is gone, and gives the lock back.
    while Path(f"/proc/{backend}").exists():
        select.select([], [], [], 0.02)
    done = on_postgres.write(*people(1, 2), state(2))
    assert done.code == 0, done.output
    assert created(on_postgres) == once(1, 2)


@pytest.mark.usefixtures("postgres")
@pytest.mark.parametrize("language", ["en", "de"])
def test_a_wrong_password_is_a_config_error_in_any_language(
    without_ledger: Writer, language: str
) -> None:
    with running(password="made-up-password", language=language) as server:
        right = server.fresh()
        wrong = right.replace("made-up-password", "made-up-mistake")
        without = right.replace(":made-up-password", "")
        for url in (wrong, without):
            without_ledger.config["ledger"] = {"ledger_type": "postgres", "url": url}
            status = without_ledger.check().status()
            done = without_ledger.write(*people(1), state(1))
            assert status["status"] == "FAILED"
            assert done.error()["failure_type"] == "config_error"
            for message in (status["message"], done.error()["message"]):
                assert "ledger.url: check user" in message
                assert "password" in message
                assert "made-up" not in message
            assert not done.states()
        without_ledger.config["ledger"]["url"] = right
        assert without_ledger.check().status()["status"] == "SUCCEEDED"


TABLES = ("ats_ledger", "ats_ledger_streams", "ats_ledger_entries")


@pytest.mark.parametrize("is_restored", [False, True])
def test_no_state_passes_over_a_ledger_that_is_gone(
    on_postgres: Writer, url: str, is_restored: bool
) -> None:
    """Its tables are dropped, or replaced by those of a backup, while a run writes."""
    with psycopg.connect(url, autocommit=True) as keeper:
        keeper.execute("CREATE SCHEMA backup")
        for table in TABLES:
            keeper.execute(f"CREATE TABLE backup.{table} (LIKE {table} INCLUDING ALL)".encode())
            keeper.execute(f"INSERT INTO backup.{table} TABLE {table}".encode())
        with subprocess.Popen(
            [*COMMAND, *on_postgres.arguments("write")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=PROJECT,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(lines_of([*people(1), state(1)]))
            process.stdin.flush()
            while b'"STATE"' not in process.stdout.readline():
                pass
            for table in TABLES:
                keeper.execute(f"DROP TABLE {table}".encode())
                if is_restored:
                    keeper.execute(f"ALTER TABLE backup.{table} SET SCHEMA public".encode())
            process.stdin.write(lines_of([*people(2), state(2)]))
            process.stdin.close()
            lines = [json.loads(line) for line in process.stdout]
            assert process.wait(timeout=60) == 1
    assert not [each for each in lines if each["type"] == "STATE"]
    (error,) = (each["trace"]["error"] for each in lines if each["type"] == "TRACE")
    assert error["failure_type"] == "config_error"
    assert "ledger" in error["message"]
    if is_restored:
        assert "replaced" in error["message"]
    # The next run finds who was created meanwhile.
    on_postgres.control("move", status="Rejected")
    assert on_postgres.check().status()["status"] == "SUCCEEDED"
    done = on_postgres.write(*people(1, 2), state(2))
    assert counts(done) == (2, 0), done.output
    assert created(on_postgres) == once(1, 2)
