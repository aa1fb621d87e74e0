"""The ledger of a life, as a file or in a database: what its keeper may do with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psycopg

from integration_tests.support.postgres import Postgres


class Ledger(Protocol):
    """A ledger and a copy of it."""

    @property
    def settings(self) -> dict[str, Any]:
        """The section of the configuration."""
        ...

    @property
    def crash(self) -> Callable[[], None] | None:
        """What kills its server; None: it has none."""
        ...

    def lose(self) -> None:
        """Remove it."""
        ...

    def copy(self) -> None:
        """Keep a copy, instead of an earlier one."""
        ...

    def restore(self) -> None:
        """Put the copy in its place, if there is one."""
        ...

    def release(self) -> None:
        """Return when no run that was killed holds it any more."""
        ...


@dataclass(frozen=True, slots=True)
class FileLedger:
    """A ledger in SQLite."""

    folder: Path
    crash: None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The section of the configuration."""
        return {"ledger_type": "sqlite", "path": str(self.folder / "ledger.db")}

    def lose(self) -> None:
        """Remove all its files."""
        for each in self._files():
            each.unlink()

    def copy(self) -> None:
        """Copy all its files."""
        shutil.rmtree(self._copy, ignore_errors=True)
        self._copy.mkdir()
        for each in self._files():
            shutil.copy2(each, self._copy)

    def restore(self) -> None:
        """Replace all its files."""
        if self._copy.exists():
            self.lose()
            for each in self._copy.iterdir():
                shutil.copy2(each, self.folder)

    def release(self) -> None:
        """The lock is the process's, and ends with it."""

    @property
    def _copy(self) -> Path:
        return self.folder / "copy"

    def _files(self) -> list[Path]:
        return list(self.folder.glob("ledger.db*"))


@dataclass(slots=True)
class DatabaseLedger:
    """A ledger in PostgreSQL, on a server of its own."""

    server: Postgres
    _has_copy: bool = field(default=False, init=False)

    @property
    def settings(self) -> dict[str, Any]:
        """The section of the configuration."""
        return {"ledger_type": "postgres", "url": self.server.url("ats")}

    @property
    def crash(self) -> Callable[[], None]:
        """Kill the server and start it again."""
        return self.server.crash

    def lose(self) -> None:
        """Put an empty database in its place."""
        self._run("DROP DATABASE IF EXISTS ats", "CREATE DATABASE ats")

    def copy(self) -> None:
        """Copy the database."""
        self._run("DROP DATABASE IF EXISTS copy", "CREATE DATABASE copy TEMPLATE ats")
        self._has_copy = True

    def restore(self) -> None:
        """Replace the database."""
        if self._has_copy:
            self._run("DROP DATABASE ats", "CREATE DATABASE ats TEMPLATE copy")

    def release(self) -> None:
        """Wait until the server has noticed that a run was killed."""
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            while connection.execute(
                "SELECT pg_sleep(0.01) FROM pg_stat_activity WHERE datname = 'ats'"
            ).fetchone():
                pass

    def _run(self, *statements: str) -> None:
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            for each in statements:
                connection.execute(each.encode())
