"""A PostgreSQL server that crashes, or stops answering, while a run writes."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import psycopg
import pytest

from integration_tests.sandbox.running import PROJECT
from integration_tests.support.hostile_comeet import HostileComeet
from integration_tests.support.odd_records import LINES
from integration_tests.support.outcomes import counts, created, once, people
from integration_tests.support.postgres import Postgres, running
from integration_tests.support.writer import COMMAND, SandboxClock, Writer, lines_of, state

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
    on_postgres: Writer, comeet: HostileComeet, postgres: Postgres, url: str, posts: int
) -> None:
    with psycopg.connect(url, autocommit=True) as keeper:
        # A common choice for speed, which would lose the notes of the last moments.
        name = url.rpartition("/")[2]
        keeper.execute(f"ALTER DATABASE {name} SET synchronous_commit TO off".encode())
    # Nobody is found who is not noted.
    on_postgres.config["match_existing"] = "never"
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


def test_a_run_waits_while_postgresql_still_ends_the_last_one(
    on_postgres: Writer, url: str
) -> None:
    """Such as a `check` just before: its connection is closed, but its lock is not given back."""
    lock = "(hashtext('source-ats ledger'), hashtext(current_schema()))"
    waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with psycopg.connect(url, autocommit=True) as last, ThreadPoolExecutor() as threads:
        last.execute(f"SELECT pg_advisory_lock{lock}".encode())
        run = threads.submit(on_postgres.write, *people(1), state(1))
        while not run.done() and not last.execute(waiting).fetchall():
            pass
        last.execute(f"SELECT pg_advisory_unlock{lock}".encode())
        done = run.result()
    assert done.code == 0, done.output
    assert created(on_postgres) == once(1)


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
        backend = backend_of(url)
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
    wait_until_gone(backend)
    done = on_postgres.write(*people(1, 2), state(2))
    assert done.code == 0, done.output
    assert created(on_postgres) == once(1, 2)


class SlowClock(SandboxClock):
    """A clock on which each look at it may take time."""

    seconds_per_look = 0.0

    def monotonic(self) -> float:
        """Return a later time with each look."""
        self._waited += self.seconds_per_look
        return super().monotonic()


class StoppingQueue(SimpleQueue[str]):
    """Stops the ledger's backend when a post comes, and lets each look at the clock take time."""

    def __init__(self, url: str, clock: SlowClock) -> None:
        super().__init__()
        self._url = url
        self._clock = clock
        self.stopped: list[int] = []

    def put(self, item: str, *_: object) -> None:
        if item.startswith("POST"):
            self.stopped.append(backend_of(self._url))
            os.kill(self.stopped[-1], signal.SIGSTOP)
            self._clock.seconds_per_look = 5.0
        super().put(item)


def backend_of(url: str) -> int:
    """Return the process of the server that serves the other connection to the database."""
    with psycopg.connect(url, autocommit=True) as connection:
        (backend,) = connection.execute(
            "SELECT pid FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone() or (0,)
    return int(backend)


def test_a_server_that_stops_answering_ends_the_run_as_transient(
    on_postgres: Writer, comeet: HostileComeet, url: str
) -> None:
    clock = SlowClock(on_postgres.sandbox, threading.Event())
    arrived = StoppingQueue(url, clock)
    comeet.arrived = arrived
    try:
        done = on_postgres.write(*people(1), state(1), clock=clock)
    finally:
        for backend in arrived.stopped:
            os.kill(backend, signal.SIGCONT)
    error = done.error()
    assert error["failure_type"] == "transient_error"
    assert "PostgreSQL server of the ledger does not answer" in error["message"]
    assert not done.states()
    wait_until_gone(*arrived.stopped)
    comeet.reset()
    on_postgres.control("move", status="Rejected")
    done = on_postgres.write(*people(1, 2), state(2))
    assert counts(done) == (2, 0), done.output
    assert created(on_postgres) == once(1, 2)


def wait_until_gone(*backends: int) -> None:
    """Wait until the server has noticed that its caller is gone, and given the lock back."""
    for backend in backends:
        while Path(f"/proc/{backend}").exists():
            select.select([], [], [], 0.02)


@pytest.mark.parametrize("what", ["database", "schema"])
def test_another_database_or_schema_is_a_lost_ledger(
    on_postgres: Writer, postgres: Postgres, url: str, what: str
) -> None:
    everybody = range(1, 21)
    on_postgres.write(*people(*everybody), state(1))
    on_postgres.control("move", status="Rejected")
    with psycopg.connect(url, autocommit=True) as keeper:
        keeper.execute("CREATE SCHEMA another")
    other = postgres.fresh() if what == "database" else f"{url}?options=-csearch_path%3Danother"
    on_postgres.config["ledger"]["url"] = other
    assert on_postgres.write(*people(1), state(2)).error()["failure_type"] == "config_error"
    status = on_postgres.check().status()
    assert status["status"] == "SUCCEEDED"
    assert "A new ledger was made." in status["message"]
    done = on_postgres.write(*people(*everybody, 21), state(2))
    assert counts(done) == (21, 0), done.output
    assert created(on_postgres) == once(*everybody, 21)


def test_odd_records_hide_no_neighbour(on_postgres: Writer) -> None:
    done = on_postgres.write(*people(1), *LINES.values(), *people(3), state(1))
    assert done.code == 0, done.output
    received, rejected = counts(done)
    assert received == len(LINES) + 2
    assert {"people:1", "people:3"} <= created(on_postgres).keys()
    # One candidate at most is theirs.
    assert len(on_postgres.truth()) in {2, 3}
    assert rejected >= sum("position" in name or "NaN" in name for name in LINES)


@pytest.fixture(scope="module", params=["en", "de"])
def guarded(postgres: Postgres, request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """A server that asks for a password, and rejects one user without asking."""
    del postgres
    with running(password="made-up-password", language=request.param) as server:
        rules = server.folder / "data" / "pg_hba.conf"
        rules.write_text(f"host all certificate all reject\n{rules.read_text()}")
        with psycopg.connect(server.url("postgres"), autocommit=True) as keeper:
            keeper.execute("SELECT pg_reload_conf()")
        yield server


REFUSES_THE_USER = "PostgreSQL refuses the user of ledger.url"
NO_SUCH_OPTION = "ledger.url has an option that PostgreSQL does not know"
# What is replaced in a URL that is right. Some names are what the library's messages are about.
NOT_CONNECTED = {
    "password": (":made-up-password", ":made-up-mistake", "config_error", REFUSES_THE_USER),
    "no password": (":made-up-password", "", "config_error", REFUSES_THE_USER),
    "user": ("//ats:", "//SSL:", "config_error", REFUSES_THE_USER),
    "rejected user": ("//ats:", "//certificate:", "transient_error", "pg_hba.conf"),
    "database": ("/postgres$", "/SSL", "config_error", "does not know the database"),
    "option": ("/postgres$", "/postgres?speed=high", "config_error", NO_SUCH_OPTION),
    "value": ("/postgres$", "/postgres?sslmode=high", "config_error", NO_SUCH_OPTION),
    "encryption": ("/postgres$", "/postgres?sslmode=require", "config_error", "check sslmode"),
    "host": ("@127.0.0.1", "@too.many.clients.invalid", "config_error", "host in ledger.url"),
    "port": (r":\d+/", ":1/", "transient_error", "Nothing answers at the host and port"),
}


@pytest.mark.parametrize(
    ("right", "wrong", "kind", "words"), NOT_CONNECTED.values(), ids=NOT_CONNECTED
)
def test_why_there_is_no_connection_in_any_language(  # noqa: PLR0913 - a row each
    without_ledger: Writer, guarded: Postgres, right: str, wrong: str, kind: str, words: str
) -> None:
    url = re.sub(right, wrong, guarded.url("postgres"), count=1)
    without_ledger.config["ledger"] = {"ledger_type": "postgres", "url": url}
    status = without_ledger.check().status()
    done = without_ledger.write(*people(1), state(1))
    assert status["status"] == "FAILED"
    assert done.error()["failure_type"] == kind
    for message in (status["message"], done.error()["message"]):
        assert words in message
        assert "made-up" not in message
    assert not done.states()


def test_a_server_that_asks_for_a_password_gets_it(
    without_ledger: Writer, guarded: Postgres
) -> None:
    without_ledger.config["ledger"] = {"ledger_type": "postgres", "url": guarded.fresh()}
    assert without_ledger.check().status()["status"] == "SUCCEEDED"


@pytest.mark.parametrize("is_restored", [False, True])
def test_no_state_passes_over_a_ledger_that_is_gone(
    on_postgres: Writer, url: str, is_restored: bool
) -> None:
    """Its tables are dropped, or replaced by those of a backup, while a run writes."""
    with psycopg.connect(url, autocommit=True) as keeper:
        keeper.execute("CREATE SCHEMA backup")
        rows = keeper.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [name for (name,) in rows]
        for table in tables:
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
            # At once: a run that looks between two tables would find one of them missing.
            with keeper.transaction():
                for table in tables:
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
