"""A PostgreSQL server of our own, started for a test and gone after it."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from integration_tests.support.debian import install

_numbers = count(1)


class NoServer(Exception):
    """PostgreSQL is not installed here."""


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    port: int
    folder: Path
    """Where its files lie."""
    password: str = ""
    """What it asks for; empty: nothing."""

    def url(self, database: str) -> str:
        """Return the address of a database, for the user that owns everything."""
        user = f"ats:{self.password}" if self.password else "ats"
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def fresh(self) -> str:
        """Make an empty database and return its address."""
        name = f"ledger_{next(_numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def crash(self) -> None:
        """Stop the server without a flush, as a crash would, and start it again."""
        stop_and_start = ["-D", str(self.folder / "data"), "-w", "-m", "immediate", "restart"]
        _run([_programs() / "pg_ctl", *stop_and_start], _as_user(str(self.folder)))


@contextmanager
def running(*, password: str = "", language: str = "") -> Iterator[Postgres]:
    """Start a server on a loopback port. Raises `NoServer` if there is none to start.

    `language` is that of its messages, if it is installed with them.
    """
    programs = _programs()
    folder = tempfile.mkdtemp(prefix="ats-postgres-")
    data = str(Path(folder) / "data")
    as_user = _as_user(folder)
    port = _free_port()
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"
    # The server may crash here, the machine does not.
    options += " -c fsync=off -c full_page_writes=off"
    # So that a crash loses what a commit did not wait for.
    options += " -c wal_writer_delay=10s"
    authentication = ["-A", "trust"]
    if password:
        secret = Path(folder) / "password"
        secret.write_text(password)
        authentication = ["-A", "scram-sha-256", f"--pwfile={secret}"]
    if language:
        # Any locale but C lets the variable LANGUAGE choose.
        options += " -c lc_messages=C.UTF-8"
        as_user = {**as_user, "env": {**os.environ, "LANGUAGE": language}}
    try:
        initdb = programs / "initdb"
        _run([initdb, "-D", data, "-U", "ats", "--no-sync", *authentication], as_user)
        log = str(Path(folder) / "log")
        _run([programs / "pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start"], as_user)
        try:
            yield Postgres(port, Path(folder), password)
        finally:
            _run([programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"], as_user)
    finally:
        shutil.rmtree(folder)


def _programs() -> Path:
    found = _installed()
    if not found:
        install("postgresql")
        found = _installed()
    if not found:
        raise NoServer("No PostgreSQL server is installed (Debian: apt-get install postgresql).")
    return found[-1].parent


def _installed() -> list[Path]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return [*found, Path(on_path)] if on_path else found


def _as_user(folder: str) -> Mapping[str, Any]:
    """Return how to run as somebody else: PostgreSQL does not run as root."""
    if os.getuid() != 0:
        return {}
    names = {each.pw_name for each in pwd.getpwall()}
    owner = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def _run(command: list[str | Path], as_user: Mapping[str, Any]) -> None:
    # Files, not pipes: the server inherits them and would keep a pipe open.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            command, stdout=output, stderr=output, cwd="/", check=False, timeout=120, **as_user
        )
        if done.returncode:
            output.seek(0)
            raise RuntimeError(output.read().decode())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
