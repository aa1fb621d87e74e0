"""The database of the ledger: files, connections and locks, and what their failures mean.

A failure says who has to act. Nothing of a row, and no password, gets into a message.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    MetaData,
    create_engine,
    event,
    func,
    insert,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from destination_comeet.config import LedgerSettings, SqliteLedger
from source_ats.clock import Clock, SystemClock
from source_ats.errors import AtsError, ConfigError, LedgerInUse, Stopped, TransientError
from source_ats.http.connection_errors import is_host_known

T = TypeVar("T")

NOT_WRITABLE = "The ledger cannot be written: check the rights of ledger.path and of its folder."

CONNECT_SECONDS = 10
LOCK_SECONDS = 5
"""How long a run waits for the lock: PostgreSQL notices a moment later that the last run ended."""
SECOND_CONNECT_SECONDS = 2
"""The same for the attempts that find out why there is no connection."""
STATEMENT_SECONDS = 60
"""How long PostgreSQL may take to answer."""
STOPPED_SECONDS = 5
"""The same once the run was asked to end: it has ten seconds for everything."""
COPY_ATTEMPTS = 10
ROWS_COPIED_AT_ONCE = 10_000
CLAIMING = "?"
"""Before the mark of a run that has only just begun."""


# Files --------------------------------------------------------------------------------------------


def file_of(settings: LedgerSettings) -> Path | None:
    """Return the file of a ledger in SQLite, which may not be there; None for PostgreSQL.

    Raises `ConfigError` if no file can be there: its name is too long, or its folder is closed to
    this user.
    """
    if not isinstance(settings, SqliteLedger):
        return None
    path = Path(settings.path)
    try:
        # The longest name of those that SQLite uses next to it.
        Path(f"{path}-journal").exists()
    except OSError as error:
        raise _unusable(error) from None
    return path


def make_file(path: Path) -> None:
    """Make an empty file that only its owner may read; one that exists stays as it is."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except (OSError, ValueError) as error:
        raise _unusable(error) from None


def _unusable(error: OSError | ValueError) -> ConfigError:
    # A path with NUL in it is a ValueError.
    reason = getattr(error, "strerror", None) or "this is not a path"
    return ConfigError(
        f"The ledger cannot be opened or made: {reason}. ledger.path has to be a file in a folder "
        "that exists and can be written to."
    )


def check_file(path: Path) -> None:
    """Raise `ConfigError` if SQLite cannot keep its second file (the WAL) with this one.

    Until it is merged, the newest notes are only in that second file. It lies in the folder of the
    first one, under its name: a file that is mounted alone, or that has several names, is opened
    without it the next time.
    """
    try:
        about = path.stat()
        real = path.resolve(strict=True)
        is_mounted_alone = str(real) in _mount_points() or os.path.ismount(real)
    except OSError as error:
        message = f"The ledger at ledger.path cannot be read: {error.strerror}."
        raise ConfigError(message) from None
    problem = None
    if not stat.S_ISREG(about.st_mode):
        problem = "is not a file. Name a file in a folder that is kept"
    elif is_mounted_alone:
        problem = "is mounted as a single file. Mount the folder that holds it"
    elif about.st_nlink > 1:
        problem = "has several names (hard links). Keep one and remove the others"
    if problem:
        message = f"The ledger at ledger.path {problem}: its newest notes would be lost otherwise."
        raise ConfigError(message)


def check_wal(path: Path) -> None:
    """Raise `ConfigError` if SQLite's second file (the WAL) belongs to another ledger file.

    A run that was killed leaves it. If an older copy of the ledger is put in place then, SQLite
    would mix both. Each WAL that a run has written to carries the run's mark with a number, and the
    file that of the WAL before it, or the same if a part of the WAL is merged already.
    """
    wal = Path(f"{path}-wal")
    if not wal.exists() or not wal.stat().st_size:
        return
    shared_memory = Path(f"{path}-shm")
    was_there = shared_memory.exists()
    # `immutable` leaves the WAL out, and a connection that only reads does not merge it.
    file, with_wal = (_mark(path, option) for option in ("immutable=1", "mode=ro"))
    if not was_there:
        shared_memory.unlink(missing_ok=True)
    if file is None or not with_wal or with_wal.startswith(CLAIMING):
        return
    if not _follows(with_wal, file):
        message = (
            "The file at ledger.path was replaced while the one next to it, with -wal at the end "
            "of its name, was left by a run that was killed. Remove the -wal file if you have "
            "restored the ledger from a copy; else put the former file back."
        )
        raise ConfigError(message)


def _follows(later: str, earlier: str) -> bool:
    """Return whether a mark is that of the same WAL as another, or of the next one."""
    (run, number), (earlier_run, earlier_number) = map(_run_and_number, (later, earlier))
    return run == earlier_run and number - earlier_number in {0, 1}


def _run_and_number(mark: str) -> tuple[str, int]:
    """Return the run of a mark and its number in the order in which a run makes them."""
    run, _, number = mark.removeprefix(CLAIMING).partition(".")
    return run, int(number or 0)


def _mark(path: Path, option: str) -> str | None:
    """Return which run has marked the ledger last, empty for none; None if it cannot be read.

    A file whose WAL was merged halfway, on a full disk, cannot be read alone.
    """
    url = f"{path.resolve().as_uri()}?{option}"
    try:
        with closing(sqlite3.connect(url, uri=True)) as connection:
            row = connection.execute("SELECT writer FROM ats_ledger").fetchone()
    except sqlite3.Error:
        return None
    return str(row[0] or "") if row else None


def _check_rights(path: Path) -> None:
    """Raise `ConfigError` if the file cannot be written, or is on a disk that is read-only.

    For such a disk SQLite names no reason.
    """
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        raise ConfigError(NOT_WRITABLE)


def _mount_points() -> set[str]:
    """Return what is mounted where, as far as this system tells."""
    try:
        return mount_points_in(Path("/proc/self/mountinfo").read_bytes())
    except OSError:
        return set()


def mount_points_in(table: bytes) -> set[str]:
    """Return the paths in Linux's table of mounts, where a blank in a path is an octal number."""
    return {
        os.fsdecode(line.split(b" ")[4].decode("unicode_escape").encode("latin-1"))
        for line in table.splitlines()
    }


def fingerprint(path: Path) -> tuple[int, ...]:
    """Return what changes when somebody else writes to the file, or puts another in its place."""
    about = path.stat()
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns


# Connections --------------------------------------------------------------------------------------


@contextmanager
def connected(settings: LedgerSettings, clock: Clock) -> Iterator[Connection]:
    """Connect, and take the lock. Raises `LedgerInUse` when another run keeps it."""
    if isinstance(settings, SqliteLedger):
        _check_rights(Path(settings.path))
    engine = _engine(settings, clock)
    with explained():
        connection = engine.connect()
    with closing(connection):
        if isinstance(settings, SqliteLedger):
            _lock_file(connection)
        else:
            _lock_database(connection)
        yield connection


def _engine(settings: LedgerSettings, clock: Clock) -> Engine:
    if isinstance(settings, SqliteLedger):
        url = URL.create("sqlite", database=settings.path)
        return create_engine(url, poolclass=NullPool, connect_args={"timeout": 0})
    options = {
        "connect_timeout": CONNECT_SECONDS,
        # A server that has vanished is noticed within 25 s, also between two statements.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 25_000,
    }
    try:
        url = make_url(settings.url).set(drivername="postgresql+psycopg")
        engine = create_engine(
            # What the user says in the URL wins.
            url,
            poolclass=NullPool,
            connect_args={name: value for name, value in options.items() if name not in url.query},
        )
    except (ArgumentError, ValueError):
        raise ConfigError("ledger.url is not a URL of a PostgreSQL database.") from None

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, args: Any, options: Any) -> Any:
        try:
            connection = _TimedConnection.connect(*args, **options)
        except psycopg.Error as error:
            about = {name: value for name, value in options.items() if name != "context"}
            raise _not_connected(error, about) from None
        connection.clock = clock
        return connection

    return engine


class _TimedConnection(psycopg.Connection[Any]):
    """Gives up a statement that is not answered, wherever the server or the network is stuck."""

    clock: Clock = SystemClock()

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        """Wait for the database; the library asks again ten times a second."""
        return super().wait(self._timed(gen), *args, **options)

    def _timed(self, gen: Generator[T, Any, Any]) -> Generator[T, Any, Any]:
        began = self.clock.monotonic()
        seconds = STATEMENT_SECONDS
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                waited = self.clock.monotonic() - began
                if waited > min(seconds, STOPPED_SECONDS) and self._is_stopped():
                    seconds = STOPPED_SECONDS
                if waited > seconds:
                    self.pgconn.finish()
                    raise psycopg.OperationalError("no answer")
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value

    def _is_stopped(self) -> bool:
        try:
            self.clock.sleep(0)
        except Stopped:
            return True
        return False


def _lock_file(connection: Connection) -> None:
    """Lock the file through SQLite itself: the lock is the process's, and ends with it."""
    try:
        for pragma in (
            "locking_mode=EXCLUSIVE",
            "journal_mode=WAL",
            "synchronous=FULL",
            "wal_autocheckpoint=0",
        ):
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        connection.commit()
    except SQLAlchemyError as error:
        if getattr(getattr(error, "orig", None), "sqlite_errorname", "") == "SQLITE_BUSY":
            raise LedgerInUse from None
        raise failure(error) from None


def _lock_database(connection: Connection) -> None:
    """Take an advisory lock, which PostgreSQL gives back some time after the connection ends."""
    lock = func.pg_advisory_lock(
        func.hashtext("source-ats ledger"), func.hashtext(func.current_schema())
    )
    with explained():
        # Also where the server's own setting trades safety for speed: a note must survive a crash.
        connection.exec_driver_sql("SET synchronous_commit TO on")
        connection.exec_driver_sql(f"SET statement_timeout TO '{STATEMENT_SECONDS}s'")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout TO '{LOCK_SECONDS}s'")
        try:
            connection.execute(select(lock))
        except OperationalError as error:
            if isinstance(error.orig, psycopg.errors.LockNotAvailable):
                raise LedgerInUse from None
            raise
        connection.commit()


# Copies -------------------------------------------------------------------------------------------


@contextmanager
def copied(settings: LedgerSettings, tables: Sequence[str], clock: Clock) -> Iterator[Connection]:
    """Connect to a temporary copy of these tables, as they are at one moment.

    Nothing is locked and nothing is changed, so another run can write with the ledger meanwhile.
    The copy is a file without a name, which is gone with the process. Where there is no ledger, it
    is empty.
    """
    with explained():
        path = file_of(settings)
        if path is not None and path.exists():
            copy = _opened_copy(path, clock)
        else:
            engine = create_engine(
                "sqlite://", creator=lambda: sqlite3.connect(""), poolclass=NullPool
            )
            copy = engine.connect()
    with closing(copy):
        with explained():
            copy.exec_driver_sql("PRAGMA journal_mode = MEMORY")
            copy.exec_driver_sql("PRAGMA synchronous = OFF")
            if not isinstance(settings, SqliteLedger):
                with closing(_engine(settings, clock).connect()) as original:
                    original.execution_options(
                        isolation_level="REPEATABLE READ", postgresql_readonly=True
                    )
                    _copy_tables(original, copy, tables)
        yield copy


def _opened_copy(path: Path, clock: Clock) -> Connection:
    """Connect to a copy of a SQLite file: reading the file itself takes a lock.

    The copy has no name any more when this returns. Raises `LedgerInUse` if the file changes at
    every attempt.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            copy = _copy_file(path.resolve(), Path(folder), clock)
            url = URL.create("sqlite", database=str(copy))
            with ExitStack() as opened:
                connection = create_engine(url, poolclass=NullPool).connect()
                opened.enter_context(closing(connection))
                # Alone, and with its journal in memory, SQLite opens no other file later. It merges
                # the WAL now.
                connection.exec_driver_sql("PRAGMA locking_mode = EXCLUSIVE")
                connection.exec_driver_sql("PRAGMA journal_mode = MEMORY").all()
                connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").all()
                opened.pop_all()
            return connection
    except OSError as error:
        message = (
            f"The ledger at ledger.path cannot be copied to {tempfile.gettempdir()}, which is "
            f"needed to read it without a lock: {error.strerror}. Make room there, or set TMPDIR "
            "to another folder."
        )
        raise ConfigError(message) from None


def _copy_file(path: Path, folder: Path, clock: Clock) -> Path:
    """Copy the file with its WAL, as both are at one moment."""
    files = [path.with_name(f"{path.name}-wal"), path]
    for attempt in range(COPY_ATTEMPTS):
        clock.sleep(0.1 if attempt else 0)
        with suppress(FileNotFoundError):
            # The WAL comes and goes with a writer.
            there = [each for each in files if each.exists()]
            before = [fingerprint(each) for each in there]
            for each in files:
                (folder / each.name).unlink(missing_ok=True)
            for each in there:
                shutil.copyfile(each, folder / each.name)
            if before == [fingerprint(each) for each in files if each.exists()]:
                return folder / path.name
    raise LedgerInUse


def _copy_tables(original: Connection, copy: Connection, tables: Sequence[str]) -> None:
    about = MetaData()
    about.reflect(original, only=lambda name, _: name in tables)
    about.create_all(copy)
    for table in about.sorted_tables:
        rows = original.execute(select(table), execution_options={"stream_results": True})
        for part in rows.mappings().partitions(ROWS_COPIED_AT_ONCE):
            copy.execute(insert(table), [dict(row) for row in part])
    copy.commit()


# Failures -----------------------------------------------------------------------------------------


@contextmanager
def explained() -> Iterator[None]:
    """Raise what the database says in our own words: its text shows the row."""
    try:
        yield
    except SQLAlchemyError as error:
        raise failure(error) from None


def damaged() -> ConfigError:
    """Return the failure of a row that cannot be read."""
    return ConfigError(
        "The ledger holds a row that this connector did not write, or that was damaged. Restore "
        "the ledger from a backup: what was created since then is found in Comeet."
    )


def replaced() -> ConfigError:
    """Return the failure of a ledger that is no longer the one that was opened."""
    return ConfigError(
        "The ledger was removed, replaced or changed by another program while this run was writing "
        "with it. What was sent since the last state may not be noted there. Put the ledger back, "
        "and run again."
    )


_SQLITE: Sequence[tuple[tuple[str, ...], type[AtsError], str]] = (
    (
        ("SQLITE_NOTADB", "SQLITE_CORRUPT"),
        ConfigError,
        (
            "The file at ledger.path is not a ledger, or is damaged. Correct the path, or restore "
            "the ledger from a backup: what was created since then is found in Comeet."
        ),
    ),
    (("SQLITE_FULL",), ConfigError, "The disk of ledger.path is full. Make room there."),
    (
        ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH"),
        ConfigError,
        NOT_WRITABLE,
    ),
    (
        ("SQLITE_ERROR",),
        ConfigError,
        (
            "The ledger's tables in the file at ledger.path are missing, or were changed. Restore "
            "the ledger from a backup: what was created since then is found in Comeet."
        ),
    ),
    (
        ("SQLITE_IOERR",),
        TransientError,
        "The disk of ledger.path answered with an error. Check the disk and run again.",
    ),
)
_POSTGRES: Sequence[tuple[tuple[str, ...], type[AtsError], str]] = (
    (
        ("42501", "3F"),
        ConfigError,
        "The user of ledger.url may not create or write tables: grant the rights on the schema.",
    ),
    (
        ("42",),
        ConfigError,
        (
            "The ledger's tables in PostgreSQL are missing, or were changed. Restore them from a "
            "backup: what was created since then is found in Comeet."
        ),
    ),
    (("25006",), ConfigError, "The database at ledger.url is read-only: name the primary server."),
    (
        ("53100",),
        ConfigError,
        "The disk of the PostgreSQL server at ledger.url is full. Free space and run again.",
    ),
    (("22", "XX"), ConfigError, "The ledger in PostgreSQL is damaged. Restore it from a backup."),
)


def failure(error: SQLAlchemyError) -> AtsError:
    """Return who has to act, by what the database says; nothing of the row is shown."""
    cause = getattr(error, "orig", None)
    name = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or ""
    detail = f"{type(cause or error).__name__} {name}".rstrip()
    is_sqlite = hasattr(cause, "sqlite_errorname")
    for signs, kind, message in _SQLITE if is_sqlite else _POSTGRES:
        if name.startswith(signs):
            return kind(message, detail=detail)
    message = (
        "The file at ledger.path cannot be used now. Check its disk."
        if is_sqlite
        else "The PostgreSQL server of the ledger does not answer. Check ledger.url, its network "
        "and the server."
    )
    return TransientError(message, detail=detail)


def _not_connected(error: psycopg.Error, options: Mapping[str, Any]) -> AtsError:
    """Return who has to act if PostgreSQL makes no connection.

    The library passes on no code of the server's refusal, only its text, which is in the server's
    language. So further attempts tell the reasons apart, except these: a wrong password, an unknown
    user and, for a user with a password, too many connections are one; too many connections
    otherwise and a host or user that pg_hba.conf does not allow are another.
    """
    kind: type[AtsError] = TransientError
    message = (
        "Nothing answers at the host and port of ledger.url: check both, and that PostgreSQL runs."
    )
    attempt = {**options, "connect_timeout": SECOND_CONNECT_SECONDS}
    is_unanswered = isinstance(error, psycopg.errors.ConnectionTimeout)
    match Ping.NO_RESPONSE if is_unanswered else _ping(attempt):
        case Ping.NO_ATTEMPT:
            kind = ConfigError
            message = "ledger.url has an option that PostgreSQL does not know: correct its query."
        case Ping.REJECT:
            message = (
                "The PostgreSQL server at ledger.url is starting or shutting down. Run again later."
            )
        case Ping.NO_RESPONSE if not all(map(is_host_known, _hosts(options))):
            kind, message = ConfigError, "The host in ledger.url is not known: correct the name."
        case Ping.NO_RESPONSE if not is_unanswered and _ping({**attempt, **_PLAIN}) in _ANSWERED:
            kind = ConfigError
            message = (
                "The encrypted connection to ledger.url cannot be made: check sslmode and "
                "certificates."
            )
        case Ping.OK if _lets_in({**attempt, "dbname": "postgres"}) and not _lets_in(attempt):
            kind = ConfigError
            message = (
                "PostgreSQL does not know the database in ledger.url, or does not let the user "
                "into it: correct it, or create the database."
            )
        case Ping.OK if error.pgconn and (
            error.pgconn.used_password or error.pgconn.needs_password
        ):
            kind = ConfigError
            message = (
                "PostgreSQL refuses the user of ledger.url: check user and password there, and "
                "that the user may have one more connection."
            )
        case Ping.OK:
            message = (
                "PostgreSQL refuses the connection to ledger.url: check that it has a connection "
                "left, that pg_hba.conf allows this host, user and encryption, and that user and "
                "database exist."
            )
    return kind(message, detail=type(error).__name__)


_PLAIN = {"sslmode": "disable", "gssencmode": "disable"}
_ANSWERED = (Ping.OK, Ping.REJECT)


def _ping(options: Mapping[str, Any]) -> Ping:
    """Return whether PostgreSQL answers, be it with a refusal."""
    try:
        conninfo = make_conninfo(**options)
    except psycopg.ProgrammingError:
        return Ping.NO_ATTEMPT
    return Ping(PGconn.ping(conninfo.encode()))


def _lets_in(options: Mapping[str, Any]) -> bool:
    try:
        psycopg.connect(**options).close()
    except psycopg.Error:
        return False
    return True


def _hosts(options: Mapping[str, Any]) -> Sequence[str]:
    """Return the hosts that have names: a path leads to a socket."""
    hosts = str(options.get("host") or "").split(",")
    return [host for host in hosts if host and not host.startswith("/")]
