"""Rejected records that are kept: whole, as one JSON line each, with the reasons.

|                          | table (`keep_rejected`)           | file (`rejected_path`)     |
| ------------------------ | --------------------------------- | -------------------------- |
| where                    | in the ledger's database          | where the user wants it    |
| holds                    | the newest of each stream and key | all, in their order        |
| its key is written       | removed                           | stays                      |
| too old                  | removed (`keep_rejected_days`)    | stays                      |
| a replay writes it       | removed                           | removed: the file is       |
|                          |                                   | replaced as a whole        |

The lines of both are the same. They hold personal data.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import msgspec
from sqlalchemy import (
    Column,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    inspect,
    select,
)

from destination_comeet.ledger import Ledger
from destination_comeet.mapping.keys import PrimaryKey
from source_ats.clock import rfc3339
from source_ats.errors import ConfigError

_table = Table(
    "ats_rejected_records",
    MetaData(),
    Column("stream", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("rejected_at", String(20), nullable=False),
    Column("line", Text, nullable=False),
)
_this_one = (_table.c.stream == bindparam("of")) & (_table.c.id == bindparam("key"))
_find = select(_table.c.line).where(_this_one)
_delete = delete(_table).where(_this_one)


class Refusal(msgspec.Struct, frozen=True):
    """Why a record was rejected, in one position."""

    outcome: str
    position_uid: str | None
    partner_candidate_id: str | None
    field: str
    reason: str
    said: str = ""
    """The vendor's own words, which may hold values."""


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rejected record. The last two fields are missing in files of 0.1.0."""

    stream: str
    rejected_at: str
    refusals: Sequence[Refusal]
    record: msgspec.Raw
    """JSON; a text for a record that is not JSON."""
    primary_key: Sequence[Sequence[str]] | None = None
    sent: str | None = None
    """What Comeet had been sent of this key, as `Ledger.sent` tells it."""

    @property
    def key(self) -> str | None:
        """The key under which Comeet knows, or would know, the person."""
        keys = (each.partner_candidate_id for each in self.refusals)
        return next(filter(None, keys), None)

    @property
    def id(self) -> str:
        """What tells it from the others of its stream: the key, or a digest of the record."""
        return self.key or f"record:{hashlib.sha256(bytes(self.record)).hexdigest()[:32]}"


class Store(Protocol):
    """Where records are kept."""

    def add(self, kept: Kept) -> None:
        """Keep one; on disk at the next `flush`, or when the ledger is flushed."""
        ...

    def remove(self, stream: str, record_id: str) -> None:
        """Remove what is kept of it, if that is possible one by one."""
        ...

    def flush(self) -> None:
        """Put everything on disk."""
        ...


class Now(Protocol):
    """A clock, or a client that knows the vendor's time."""

    def now(self) -> datetime:
        """Return the time."""
        ...


class Rejected:
    """Takes the rejected records of a run. For one thread."""

    def __init__(
        self,
        stores: Sequence[Store],
        clock: Now,
        *,
        primary_keys: Mapping[str, PrimaryKey] | None = None,
        sent: Callable[[str], str | None] = lambda key: None,
    ) -> None:
        """Without stores nothing is kept. `sent` is `Ledger.sent`."""
        self._stores = stores
        self._clock = clock
        self._primary_keys = primary_keys or {}
        self._sent = sent

    def add(self, stream: str, refusals: Sequence[Refusal], record: bytes | str) -> None:
        """Keep one record. One that is not JSON is a text, and is kept as one."""
        if not self._stores:
            return
        raw = record if isinstance(record, bytes) else msgspec.json.encode(record)
        kept = Kept(
            stream,
            rfc3339(self._clock.now()),
            refusals,
            msgspec.Raw(raw),
            self._primary_keys.get(stream),
        )
        if kept.key is not None:
            kept = msgspec.structs.replace(kept, sent=self._sent(kept.key))
        for store in self._stores:
            store.add(kept)

    def remove(self, stream: str, key: str | None) -> None:
        """Remove what is kept of a key: a newer record was written, or is not meant to be."""
        if key is not None:
            for store in self._stores:
                store.remove(stream, key)

    def flush(self) -> None:
        """Put everything on disk, but what shares the ledger's commit."""
        for store in self._stores:
            store.flush()


# The table ----------------------------------------------------------------------------------------


class RejectedTable:
    """The table in the ledger's database. Changes share the ledger's commits. For one thread."""

    def __init__(self, ledger: Ledger, *, keeps: bool) -> None:
        """`keeps`: make the table if there is none, and take records; else only give them."""
        self._ledger = ledger
        self._keeps = keeps
        with ledger.database() as connection:
            if keeps:
                _table.create(connection, checkfirst=True)
            self.exists = keeps or inspect(connection).has_table(_table.name)
        self._is_empty = not (self.exists and self._count())

    def ids(self) -> Mapping[tuple[str, str], str]:
        """Return when each record was rejected, by stream and id."""
        if not self.exists:
            return {}
        columns = select(_table.c.stream, _table.c.id, _table.c.rejected_at)
        with self._ledger.database() as connection:
            rows = connection.execute(columns).all()
        return {(row.stream, row.id): row.rejected_at for row in rows}

    def _count(self) -> int:
        with self._ledger.database() as connection:
            count: int = connection.execute(select(func.count()).select_from(_table)).scalar_one()
        return count

    def read(self, stream: str, record_id: str) -> bytes:
        """Return the line of one record."""
        with self._ledger.database() as connection:
            line: str = connection.execute(_find, {"of": stream, "key": record_id}).scalar_one()
        return line.encode()

    def add(self, kept: Kept) -> None:
        """Keep one instead of an earlier one of its key."""
        if not self._keeps:
            return
        self.remove(kept.stream, kept.id)
        self._is_empty = False
        row = {
            "stream": kept.stream,
            "id": kept.id,
            "rejected_at": kept.rejected_at,
            "line": msgspec.json.encode(kept).decode("utf-8", "replace"),
        }
        with self._ledger.database() as connection:
            connection.execute(insert(_table), row)

    def remove(self, stream: str, record_id: str) -> None:
        """Remove one, if it is there."""
        if self._is_empty:
            return
        with self._ledger.database() as connection:
            connection.execute(_delete, {"of": stream, "key": record_id})

    def remove_older(self, now: datetime, days: int) -> None:
        """Remove the records that were rejected this many days ago."""
        if self.exists:
            before = rfc3339(now - timedelta(days=days))
            with self._ledger.database() as connection:
                connection.execute(delete(_table).where(_table.c.rejected_at < before))

    def clear(self) -> None:
        """Remove all."""
        if self.exists:
            with self._ledger.database() as connection:
                connection.execute(delete(_table))

    def flush(self) -> None:
        """Leave it to the ledger's commit."""


# The file -----------------------------------------------------------------------------------------


class RejectedFile:
    """The file, to which records are added. For one thread."""

    def __init__(self, path: str) -> None:
        """Open the file, made with mode 0600. Raises `ConfigError` if it cannot keep records."""
        try:
            # A FIFO that nobody reads would block without the flag.
            flags = os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_NONBLOCK
            self._file = os.open(path, flags, 0o600)
        except (OSError, ValueError) as error:
            message = (
                f"The file of rejected records cannot be opened: {_reason(error)}. rejected_path "
                "has to be a file in a folder that exists and can be written to."
            )
            raise ConfigError(message) from None
        self._is_flushed = True
        about = os.fstat(self._file)
        problem = None
        if not stat.S_ISREG(about.st_mode):
            problem = "is a device or a pipe, which keeps no records"
        elif any(_is_same(about, output) for output in (1, 2)):
            problem = "is the output of this process, which is no place for personal data"
        if problem:
            os.close(self._file)
            raise ConfigError(f"rejected_path {problem}. Name a regular file.")
        flush_folder(Path(path).parent)
        self._end_torn_line(about.st_size)

    def add(self, kept: Kept) -> None:
        """Add one line."""
        self.add_line(msgspec.json.encode(kept) + b"\n")

    def add_line(self, line: bytes) -> None:
        """Add a line as it is."""
        self._write(line)

    def remove(self, stream: str, record_id: str) -> None:
        """Leave the file as it is: lines are only added to it."""

    def flush(self) -> None:
        """Put everything on disk."""
        if not self._is_flushed:
            try:
                os.fsync(self._file)
            except OSError as error:
                raise cannot_be_written(error) from None
            self._is_flushed = True

    def close(self) -> None:
        """Put everything on disk and close the file."""
        try:
            self.flush()
        finally:
            os.close(self._file)

    def _end_torn_line(self, size: int) -> None:
        """End a line that an earlier run was killed in, so that the next one stands alone."""
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            self._write(b"\n")

    def _write(self, line: bytes) -> None:
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise cannot_be_written(error) from None
        self._is_flushed = False


def flush_folder(folder: Path) -> None:
    """Put the names of a folder on disk: a new file is there after a loss of power only then."""
    with suppress(OSError):
        # Some network disks cannot flush a folder.
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def cannot_be_written(error: OSError) -> ConfigError:
    """Return the failure of a file that is there, but takes no more."""
    return ConfigError(
        f"The file at rejected_path cannot be written: {_reason(error)}. Make room or choose "
        "another path, and run again. No state was passed on that covers the missing records."
    )


def _is_same(about: os.stat_result, descriptor: int) -> bool:
    try:
        return os.path.samestat(about, os.fstat(descriptor))
    except OSError:
        return False


def _reason(error: OSError | ValueError) -> str:
    # A path with NUL in it is a ValueError.
    return getattr(error, "strerror", None) or "this is not a path"
