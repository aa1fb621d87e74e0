"""What was sent, noted before and after each call, so that nobody is created twice.

For each position and key: the stream, how it stands, the vendor's id, times, and one keyed hash for
each field. No names and no addresses. One code path for SQLite and PostgreSQL; one connection for
the whole run, which also holds the lock, so the lock lives exactly as long as the writer.

A kill at any moment loses nothing that `note` wrote: the operating system has it. A loss of power
loses at most the notes of the last 0.1 s, for notes that follow each other faster share a flush to
the disk (on a busy disk it takes longer than all the rest; at the pace of real calls each note has
its own). `settle` flushes everything, and no state is passed on without it. `close`
shares the commit of the next `note`: a kill leaves one unfinished note at the most.
"""

from __future__ import annotations

import base64
import hmac
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import (
    URL,
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    create_engine,
    delete,
    func,
    insert,
    inspect,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from source_ats.clock import Clock, rfc3339
from source_ats.errors import AtsError, ConfigError, TransientError

VERSION = 1
HASH_BYTES = 9
"""72 bits: enough that two values of one field never look alike by chance."""
CONNECT_SECONDS = 10
SECONDS_BETWEEN_FLUSHES = 0.1

_metadata = MetaData()
_about = Table(
    "ats_ledger",
    _metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("hash_key", String(64), nullable=False),
)
_streams = Table(
    "ats_ledger_streams",
    _metadata,
    Column("stream", Text, primary_key=True),
    Column("prefix", Text, nullable=False),
    Column("mapping_type", Text, nullable=False),
)
_entries = Table(
    "ats_ledger_entries",
    _metadata,
    Column("position_uid", Text, primary_key=True),
    Column("partner_candidate_id", Text, primary_key=True),
    Column("stream", Text, nullable=False),
    Column("standing", String(16), nullable=False),
    Column("uid", Text, index=True),
    Column("noted_at", String(20), nullable=False),
    Column("changed_at", String(20), nullable=False),
    Column("hashes", Text, nullable=False),
)

_this_one = (_entries.c.position_uid == bindparam("position")) & (
    _entries.c.partner_candidate_id == bindparam("key")
)
_find = select(_entries).where(_this_one)
_find_uid = select(_entries.c.uid).where(_entries.c.uid == bindparam("uid")).limit(1)
_insert = insert(_entries)
_update = update(_entries).where(_this_one)
_delete = delete(_entries).where(_this_one)


class Standing(StrEnum):
    """How a key stands."""

    SENDING = "sending"
    """Noted before the call; unfinished if a later run finds it so."""
    THERE = "there"
    MERGED = "merged"
    """Closed: the vendor merged it into another one."""
    GONE = "gone"
    """Closed: the vendor deleted it. Never created again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One candidate of one position."""

    position: str
    key: str
    stream: str
    standing: Standing
    noted_at: datetime
    """When the note was made, by the vendor's clock."""
    hashes: Mapping[str, str]
    """What the vendor was sent, field by field."""
    uid: str | None = None
    """The vendor's id; None: it did not tell."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a stream's keys belong to. Another prefix or mapping would make other people of them."""

    stream: str
    prefix: str
    mapping_type: str


@dataclass(frozen=True, slots=True)
class Where:
    """Where a ledger is: a file, or a database."""

    path: Path | None
    url: str | None


class LedgerInUse(TransientError):
    """Another run writes with this ledger."""


class Ledger:
    """An open ledger that nobody else writes to. For one thread."""

    def __init__(
        self, connection: Connection, clock: Clock, hash_key: bytes, known: Mapping[str, Sender]
    ) -> None:
        """Made by `opened`."""
        self._connection = connection
        self._clock = clock
        self._hash_key = hash_key
        self._known = dict(known)
        self._senders: dict[str, Sender] = {}
        self._writing = False
        self._flushing = True
        self._unflushed = False
        self._flushed_at = clock.monotonic()

    def admit(self, senders: Sequence[Sender]) -> None:
        """Say who writes in this run. Raises `ConfigError` where an earlier run wrote otherwise."""
        for sender in senders:
            before = self._known.get(sender.stream, sender)
            if before != sender:
                what, was, now = (
                    ("partner_id_prefix", before.prefix, sender.prefix)
                    if before.prefix != sender.prefix
                    else ("mapping", before.mapping_type, sender.mapping_type)
                )
                message = (
                    f"Stream {sender.stream}: {what} was {was} when its people were written and is "
                    f"{now} now; all of them would be created again. Set it back, or give the "
                    "records another stream name to write them as new people."
                )
                raise ConfigError(message)
        self._senders = {sender.stream: sender for sender in senders}

    def hashes(self, fields: Mapping[str, object]) -> dict[str, str]:
        """Return the keyed hash of each field; equal exactly where name and value are."""
        return {name: self._hash(name, value) for name, value in fields.items()}

    def find(self, position: str, key: str) -> Entry | None:
        """Return the entry of this key in this position."""
        with _explained():
            row = self._connection.execute(_find, {"position": position, "key": key}).one_or_none()
        if row is None:
            return None
        return Entry(
            position=row.position_uid,
            key=row.partner_candidate_id,
            stream=row.stream,
            standing=Standing(row.standing),
            noted_at=datetime.fromisoformat(row.noted_at),
            hashes=orjson.loads(row.hashes),
            uid=row.uid,
        )

    def knows(self, uid: str) -> bool:
        """Tell whether any key has this id of the vendor's."""
        with _explained():
            return self._connection.execute(_find_uid, {"uid": uid}).first() is not None

    def note(self, entry: Entry, *, again: bool) -> None:
        """Write an entry that is about to be sent; no kill can lose it when this returns.

        `again` tells that the key has an entry, which is replaced.
        """
        with _explained():
            self._begin()
            if entry.stream not in self._known:
                self._introduce(self._senders[entry.stream])
            if again:
                self._replace(entry, entry.noted_at)
            else:
                self._connection.execute(_insert, _row(entry, entry.noted_at))
            self._commit()

    def close(self, entry: Entry, now: datetime) -> None:
        """Write how a noted entry stands now; safe at the next `note`, `commit` or `settle`."""
        with _explained():
            self._begin()
            self._replace(entry, now)

    def withdraw(self, entry: Entry) -> None:
        """Remove a note of what was certainly not created; safe as by `close`."""
        with _explained():
            self._begin()
            self._connection.execute(_delete, {"position": entry.position, "key": entry.key})

    def commit(self) -> None:
        """Make what was closed safe from a kill."""
        with _explained():
            self._commit()

    def settle(self) -> None:
        """Put everything on disk: after this nothing is lost by a kill or a loss of power."""
        with _explained():
            self._commit()
            if self._unflushed:
                self._flush_commits(on=True)
                # A flush takes a commit, and a commit something to write.
                self._connection.execute(update(_about).values(version=VERSION))
                self._writing = True
                self._commit()

    def _begin(self) -> None:
        """Begin a transaction, unless one has begun, and decide whether its commit is flushed."""
        if not self._writing:
            due = self._clock.monotonic() - self._flushed_at >= SECONDS_BETWEEN_FLUSHES
            if due != self._flushing:
                self._flush_commits(on=due)
            self._writing = True

    def _commit(self) -> None:
        self._connection.commit()
        if self._writing:
            self._unflushed = not self._flushing
            if self._flushing:
                self._flushed_at = self._clock.monotonic()
        self._writing = False

    def _flush_commits(self, *, on: bool) -> None:
        """Set whether a commit returns only when it is on disk."""
        if self._connection.dialect.name == "sqlite":
            self._connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if on else 'NORMAL'}")
        else:
            self._connection.exec_driver_sql(f"SET synchronous_commit TO {'on' if on else 'off'}")
            self._connection.commit()
        self._flushing = on

    def _replace(self, entry: Entry, now: datetime) -> None:
        row = _row(entry, now)
        key = {"position": row.pop("position_uid"), "key": row.pop("partner_candidate_id")}
        self._connection.execute(_update, {**row, **key})

    def _introduce(self, sender: Sender) -> None:
        self._connection.execute(
            insert(_streams),
            {
                "stream": sender.stream,
                "prefix": sender.prefix,
                "mapping_type": sender.mapping_type,
            },
        )
        self._known[sender.stream] = sender

    def _hash(self, name: str, value: object) -> str:
        text = orjson.dumps([name, value], option=orjson.OPT_SORT_KEYS)
        digest = hmac.digest(self._hash_key, text, "sha256")[:HASH_BYTES]
        return base64.b64encode(digest).decode()


def _row(entry: Entry, now: datetime) -> dict[str, Any]:
    return {
        "position_uid": entry.position,
        "partner_candidate_id": entry.key,
        "stream": entry.stream,
        "standing": entry.standing.value,
        "uid": entry.uid,
        "noted_at": rfc3339(entry.noted_at),
        "changed_at": rfc3339(now),
        "hashes": orjson.dumps(entry.hashes).decode(),
    }


def make(where: Where, senders: Sequence[Sender], clock: Clock) -> str:
    """Make the ledger if it does not exist, and return what the user should know of it.

    Raises `ConfigError` if it cannot be made, or was written by other streams than `senders` say.
    """
    if where.path is not None:
        _make_file(where.path)
    try:
        with _connected(where) as connection, _explained():
            _metadata.create_all(connection)
            if connection.execute(select(_about)).first() is None:
                row = {"version": VERSION, "hash_key": secrets.token_hex(32)}
                connection.execute(insert(_about), row)
            connection.commit()
            _read(connection, clock).admit(senders)
    except LedgerInUse:
        return "A run is writing with the ledger at this moment."
    return ""


@contextmanager
def opened(where: Where, senders: Sequence[Sender], clock: Clock) -> Iterator[Ledger]:
    """Open the ledger for one run, and lock it against every other.

    Raises `LedgerInUse` at once when another run has it, and `ConfigError` when it is missing:
    either this is the first run, or it was lost. What was closed is on disk when the block is left.
    """
    if where.path is not None and not where.path.exists():
        raise _missing()
    with _connected(where) as connection:
        with _explained():
            if not inspect(connection).has_table(_about.name):
                raise _missing()
            ledger = _read(connection, clock)
        ledger.admit(senders)
        try:
            yield ledger
        finally:
            ledger.settle()


def _missing() -> ConfigError:
    return ConfigError(
        "There is no ledger. Either this is the first run: run the connection check, which makes "
        "it. Or the ledger was lost: restore it, or people who have left the hiring process would "
        "be created again."
    )


def _read(connection: Connection, clock: Clock) -> Ledger:
    about = connection.execute(select(_about)).first()
    if about is None:
        raise _missing()
    if about.version != VERSION:
        message = "The ledger was made by another version of the connector. Use that version."
        raise ConfigError(message)
    known = {
        row.stream: Sender(row.stream, row.prefix, row.mapping_type)
        for row in connection.execute(select(_streams))
    }
    connection.commit()
    return Ledger(connection, clock, bytes.fromhex(about.hash_key), known)


def _make_file(path: Path) -> None:
    """Make an empty file that nobody else may read; one that exists stays as it is."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        message = (
            f"The ledger cannot be made: {error.strerror}. ledger.path has to be a file in a "
            "folder that exists and can be written to."
        )
        raise ConfigError(message) from None


@contextmanager
def _connected(where: Where) -> Iterator[Connection]:
    """Connect, and take the lock. Raises `LedgerInUse` when another run has it."""
    engine = create_engine(_url(where), poolclass=NullPool, **_options(where))
    with _explained():
        connection = engine.connect()
    with closing(connection):
        if where.path is not None:
            _lock_file(connection)
        else:
            _lock_database(connection)
        yield connection


def _url(where: Where) -> URL:
    if where.path is not None:
        return URL.create("sqlite", database=str(where.path))
    try:
        return make_url(where.url or "").set(drivername="postgresql+psycopg")
    except ArgumentError:
        raise ConfigError("ledger.url is not a URL of a PostgreSQL database.") from None


def _options(where: Where) -> dict[str, Any]:
    if where.path is not None:
        return {"connect_args": {"timeout": 0}}
    return {"connect_args": {"connect_timeout": CONNECT_SECONDS}}


def _lock_file(connection: Connection) -> None:
    """Lock the file through SQLite itself: the lock is the process's, and ends with it."""
    try:
        connection.exec_driver_sql("PRAGMA locking_mode=EXCLUSIVE")
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("PRAGMA synchronous=FULL")
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        connection.commit()
    except SQLAlchemyError as error:
        if getattr(getattr(error, "orig", None), "sqlite_errorname", "") == "SQLITE_BUSY":
            raise _in_use() from None
        raise _trouble(error) from None


def _lock_database(connection: Connection) -> None:
    """Take an advisory lock, which PostgreSQL gives back when the connection ends."""
    lock = func.pg_try_advisory_lock(
        func.hashtext("source-ats ledger"), func.hashtext(func.current_schema())
    )
    with _explained():
        got = connection.execute(select(lock)).scalar_one()
        connection.commit()
    if not got:
        raise _in_use()


def _in_use() -> LedgerInUse:
    return LedgerInUse(
        "Another run is writing with this ledger. Wait until it has ended; only one at a time can "
        "make sure that nobody is created twice."
    )


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        # Its text shows the row.
        raise _trouble(error) from None


def _trouble(error: SQLAlchemyError) -> AtsError:
    """Return who has to act, by what the database says; nothing of the row is shown."""
    cause = getattr(error, "orig", None)
    name = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or ""
    detail = f"{type(cause or error).__name__} {name}".rstrip()
    if name in {"SQLITE_NOTADB", "SQLITE_CORRUPT"}:
        return ConfigError("The file at ledger.path is not a ledger, or is damaged.", detail=detail)
    if name in {"SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_FULL", "SQLITE_PERM"}:
        message = "The ledger cannot be written: check the disk and the rights of ledger.path."
        return ConfigError(message, detail=detail)
    if name[:2] in {"28", "3D", "42", "3F"}:
        # Classes of SQLSTATE: authorization, unknown database, missing right or table, no schema.
        message = "PostgreSQL refuses the ledger: check user, rights and database in ledger.url."
        return ConfigError(message, detail=detail)
    message = "The ledger cannot be reached; check ledger if this goes on."
    return TransientError(message, detail=detail)
