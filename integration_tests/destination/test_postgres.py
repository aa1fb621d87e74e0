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
from integration_tests.support.postgres import Postgres
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
