"""The ledger: what was sent, noted before and after each request, so that nobody is created twice.

For each position and key it holds the stream, a status, Comeet's uid, times, and one keyed hash for
each field. No names and no addresses. One code path serves SQLite and PostgreSQL. One connection
lasts for the whole run and holds the lock, so the lock lives exactly as long as the writer.

| method      | on disk when it returns                                                           |
| ----------- | --------------------------------------------------------------------------------- |
| `note_post` | the note of a post, and everything before it: also a crash of the server keeps it |
| `save`      | not yet: it shares the commit of the next `note_post`, `commit` or `flush`        |
| `commit`    | everything                                                                        |
| `flush`     | everything; with SQLite in the file itself, and the ledger is still the same one  |

A kill between `save` and the next commit leaves one open note at most; the next run looks it up.

Versions: 1 (0.1.0), and 2, which adds the recipe of each stream's key, `match_before`, the last
check for a ledger that is behind, the count of rejects, what is known of an open note, and which
files were sent. Opening a ledger upgrades it in place.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import orjson
from sqlalchemy import (
    Column,
    Connection,
    Integer,
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
    text,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from destination_comeet.config import LedgerSettings
from destination_comeet.database import (
    CLAIMING,
    check_file,
    check_wal,
    connected,
    copied,
    damaged,
    explained,
    failure,
    file_of,
    fingerprint,
    make_file,
    replaced,
)
from destination_comeet.matching import Traits
from source_ats.clock import Clock, rfc3339
from source_ats.errors import ConfigError, LedgerMissing
from source_ats.plural import counted

VERSION = 2
HASH_BYTES = 9
"""72 bits: enough that two values of one field never look alike by chance."""

_metadata = MetaData()
_about = Table(
    "ats_ledger",
    _metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("hash_key", String(64), nullable=False),
    Column("writer", String(32)),
    Column("match_before", String(20)),
    Column("checked_at", String(20)),
    Column("shows_candidates", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
)
_streams = Table(
    "ats_ledger_streams",
    _metadata,
    Column("stream", Text, primary_key=True),
    Column("prefix", Text, nullable=False),
    Column("mapping_type", Text, nullable=False),
    Column("key_source", Text),
    Column("positions", Text),
)
_entries = Table(
    "ats_ledger_entries",
    _metadata,
    Column("position_uid", Text, primary_key=True),
    Column("partner_candidate_id", Text, primary_key=True, index=True),
    Column("stream", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("uid", Text, index=True),
    Column("noted_at", String(20), nullable=False),
    Column("changed_at", String(20), nullable=False),
    Column("hashes", Text, nullable=False),
    Column("note", Text),
    Column("files", Text),
)
_STATUS_IN_VERSION_1 = "standing"
_DEFAULTS = {"shows_candidates": 1, "rejected": 0}
"""Of columns that version 2 added."""

_NO_HASHES = "{}"

_this_one = (_entries.c.position_uid == bindparam("position")) & (
    _entries.c.partner_candidate_id == bindparam("key")
)
_find = select(_entries).where(_this_one)
_find_uid = select(_entries.c.uid).where(_entries.c.uid == bindparam("uid")).limit(1)
_find_other_entry = _find_uid.where(~_this_one)
_find_other_holder = (
    select(_entries.c.partner_candidate_id)
    .where(_entries.c.uid == bindparam("uid"))
    .where(_entries.c.partner_candidate_id != bindparam("key"))
    .limit(1)
)
_insert = insert(_entries)
_update = update(_entries).where(_this_one)
_delete = delete(_entries).where(_this_one)


class KeyStatus(StrEnum):
    """What is known of a key."""

    SENDING = "sending"
    """Noted before a post whose outcome is not known: the note is open."""
    THERE = "there"
    MERGED = "merged"
    """There, but Comeet merged it into another candidate. Never created again.

    Without a uid if Comeet merged it on arrival into the candidate of another key."""
    GONE = "gone"
    """It was there, and Comeet no longer knows it. Never created again."""
    UNMATCHED = "unmatched"
    """Never posted: somebody in Comeet may be the person. Compared again when the record comes."""
    TO_CREATE = "to create"
    """A person decided that nobody in Comeet is the person: posted when the record comes."""


NEVER_POSTED = (KeyStatus.UNMATCHED, KeyStatus.TO_CREATE)
"""What says nothing of who is in Comeet."""
UNKNOWN = (KeyStatus.SENDING, KeyStatus.UNMATCHED)
"""What a person can decide."""


class NoteReason(StrEnum):
    """Why a note is open."""

    NO_ANSWER = "no answer"
    CONFLICT = "conflict"
    """Comeet answered that the candidate exists, without saying which one: never posted again."""


class Note(msgspec.Struct, frozen=True):
    """What is known of an open note, to recognise the candidate that its post may have created."""

    traits: tuple[str | None, ...] | None = None
    """Keyed hashes of what was sent. None: the note was made by 0.1.0."""
    has_vendor_time: bool = False
    """Whether `noted_at` is by Comeet's clock, or only by the machine's."""
    reason: NoteReason = NoteReason.NO_ANSWER
    failed_runs: int = 0
    """How many runs ended because of it. One that counts as unknown has two."""


NO_NOTE = Note()
_note = msgspec.json.Decoder(Note)
_hashes = msgspec.json.Decoder(dict[str, str])
_files = msgspec.json.Decoder(tuple[str, ...])


@dataclass(frozen=True, slots=True)
class Entry:
    """One candidate of one position."""

    position: str
    key: str
    stream: str
    status: KeyStatus
    noted_at: datetime
    """When the note was made."""
    hashes: Mapping[str, str]
    """What Comeet was sent, field by field."""
    uid: str | None = None
    """Comeet's id; None if it did not tell."""
    note: Note = NO_NOTE
    """Kept while the note is open, or the uid is not known."""
    files: tuple[str, ...] | None = None
    """Keyed hashes of the files that Comeet got or refused, and of those whose post got no answer
    (see `unanswered`). None: not known, as for a candidate that was adopted, or made by 0.1.0."""


def unanswered(identity: str) -> str:
    """Return how an entry notes a file whose post got no answer yet."""
    return f"?{identity}"


@dataclass(frozen=True, slots=True)
class StreamKeys:
    """How a stream's keys are made, and which positions its configuration names.

    Another recipe would make other keys, and create all its people a second time.
    """

    stream: str
    prefix: str
    mapping_type: str
    key_source: Mapping[str, object] | None
    """`{"expression": ...}`, `{"primary_key": [...]}`, or empty where the mapping knows the key.
    None: not known now, because there is no catalog."""
    positions: Mapping[str, str]
    """The configured position of each job; that of records without a job under an empty name."""


@dataclass(frozen=True, slots=True)
class NewLedger:
    """What an empty ledger begins with."""

    made_at: datetime
    """Comeet's time, up to which the ledger is not behind."""
    match_before: datetime | None
    shows_candidates: bool


class Ledger:
    """An open ledger that nobody else writes to. For one thread."""

    def __init__(self, connection: Connection, path: Path | None, clock: Clock) -> None:
        """Made by `opened`. `path` is the file of a ledger in SQLite."""
        self._connection = connection
        self._path = path
        self._clock = clock
        self._file: tuple[int, ...] | None = None
        self._writer = secrets.token_hex(16)
        self._is_claimed = False
        self._is_wal_marked = False
        self._wals = 0
        self.is_usable = True
        """False once the database has failed, or the ledger was replaced."""
        self._streams: dict[str, StreamKeys] = {}
        self._known: dict[str, StreamKeys] = {}
        self.warnings: list[str] = []
        """What the user should know of the configuration, compared with earlier runs."""
        about = _about_row(connection)
        try:
            self._hash_key = bytes.fromhex(about.hash_key)
            self.rejected = int(about.rejected)
            """Rejected records that passed states cover, since a run last ended well."""
        except (ValueError, TypeError):
            raise damaged() from None
        self.match_before = _moment(about.match_before)
        """Candidates created before it may be people whom this ledger does not know."""
        self.checked_at = _moment(about.checked_at)
        """When it was last checked that the ledger is not behind Comeet."""
        self.shows_candidates = bool(about.shows_candidates)
        """False: made with the user's consent although Comeet did not show who exists."""

    # Opening --------------------------------------------------------------------------------------

    def admit(self, streams: Sequence[StreamKeys], *, record_positions: bool) -> None:
        """Compare how keys are made with earlier runs. Raises `ConfigError` where that changed.

        What earlier versions did not record is recorded now.
        """
        with self.database():
            self._known = {
                row.stream: _stream_keys(row) for row in self._connection.execute(select(_streams))
            }
            for now in streams:
                self._streams[now.stream] = now
                before = self._known.get(now.stream)
                if before is None:
                    continue
                _compare(before, now)
                self._warn_of_moved_positions(before, now)
                recorded = StreamKeys(
                    now.stream,
                    now.prefix,
                    now.mapping_type,
                    before.key_source if now.key_source is None else now.key_source,
                    now.positions if record_positions else before.positions,
                )
                if recorded != before:
                    known = update(_streams).where(_streams.c.stream == now.stream)
                    self._connection.execute(known.values(**_stream_row(recorded)))
                    self._known[now.stream] = recorded
        self.flush()

    def _warn_of_moved_positions(self, before: StreamKeys, now: StreamKeys) -> None:
        for job, was in before.positions.items():
            to = now.positions.get(job, was)
            if to == was:
                continue
            there = (
                (_entries.c.stream == now.stream)
                & (_entries.c.position_uid == was)
                & _entries.c.status.not_in(NEVER_POSTED)
            )
            count = self._connection.execute(
                select(func.count()).select_from(_entries).where(there)
            ).scalar_one()
            if count:
                people = counted(count, "person is", "people are")
                setting = f"positions, job {job}" if job else "position_uid"
                self.warnings.append(
                    f"Stream {now.stream}: {setting} was {was} and is {to} now. {people} "
                    f"in {was} from this stream; those who come again are created a second time, "
                    f"in {to}. Set {was} back if you do not want that."
                )

    def claim(self) -> None:
        """Mark the ledger as this run's, so that another one in its place is noticed."""
        if self._path is not None:
            # A run that is cut in between leaves a WAL that holds nothing but this mark.
            self._remember(writer=f"{CLAIMING}{self._writer}")
            self.flush()
        self._remember(writer=self._writer)
        self._is_claimed = True
        self.flush()

    # Reading --------------------------------------------------------------------------------------

    def hashes(self, fields: Mapping[str, object]) -> dict[str, str]:
        """Return the keyed hash of each field; equal exactly where name and value are."""
        return {name: self._hash(name, value) for name, value in fields.items()}

    def hashed(self, traits: Traits[str]) -> Traits[str]:
        """Return the keyed hash of each trait. Both phones share a name, for either may be it."""
        return Traits(
            *(
                # A lone surrogate, which a list may show, has no UTF-8.
                value and self._hash(f"={name.removeprefix('mobile_')}", _encodable(value))
                for name, value in traits._asdict().items()
            )
        )

    def file_identity(self, kind: str, value: str | bytes) -> str:
        """Return the keyed hash of a file: of its id in the source, its content or its address."""
        raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
        return self._hash(f"file {kind}", hashlib.sha256(raw).hexdigest())

    def find(self, position: str, key: str) -> Entry | None:
        """Return the entry of this key in this position."""
        with self.database():
            row = self._connection.execute(_find, {"position": position, "key": key}).one_or_none()
        return None if row is None else _entry(row)

    def knows(self, uid: str) -> bool:
        """Return True if any key has this uid."""
        with self.database():
            return self._connection.execute(_find_uid, {"uid": uid}).first() is not None

    def is_held_by_another(self, uid: str, position: str, key: str) -> bool:
        """Return True if another key has this uid, or this one in another position."""
        of = {"uid": uid, "position": position, "key": key}
        with self.database():
            return self._connection.execute(_find_other_entry, of).first() is not None

    def other_holder(self, uid: str, key: str) -> str | None:
        """Return another key that has this uid, in whatever position."""
        of = {"uid": uid, "key": key}
        with self.database():
            found = self._connection.execute(_find_other_holder, of).scalar()
        return None if found is None else str(found)

    def without_uid(self) -> list[Entry]:
        """Return each entry whose uid is not known: those with an open note, and a few others."""
        rows = (
            select(_entries)
            .where(_entries.c.uid.is_(None))
            .where(_entries.c.status.not_in((*NEVER_POSTED, KeyStatus.MERGED)))
        )
        with self.database():
            found = self._connection.execute(rows).all()
        return [_entry(row) for row in found]

    def last_noted_at(self) -> datetime | None:
        """Return the time of the newest note."""
        with self.database():
            newest = select(func.max(_entries.c.noted_at)).where(
                _entries.c.status.not_in(NEVER_POSTED)
            )
            return _moment(self._connection.execute(newest).scalar_one())

    def sent(self, key: str) -> str:
        """Return what Comeet was sent of this key, as a digest of the hashes; empty: nothing.

        It changes exactly when a record of this key was written in a changed version.
        """
        rows = (
            select(_entries.c.position_uid, _entries.c.hashes)
            .where(_entries.c.partner_candidate_id == key)
            .where(_entries.c.status != KeyStatus.SENDING)
            .where(_entries.c.hashes != _NO_HASHES)
            .order_by(_entries.c.position_uid)
        )
        with self.database() as connection:
            found = [[*row] for row in connection.execute(rows)]
        return self._hash("", found) if found else ""

    def last_changed_at(self, key: str) -> datetime | None:
        """Return when the ledger last noted anything of this key."""
        newest = select(func.max(_entries.c.changed_at)).where(
            _entries.c.partner_candidate_id == key
        )
        with self.database() as connection:
            return _moment(connection.execute(newest).scalar_one())

    def unknown(self, key: str | None = None) -> list[Entry]:
        """Return the entries of unknown outcome, of one key or of all, the oldest first."""
        rows = select(_entries).where(_entries.c.status.in_(UNKNOWN)).order_by(_entries.c.noted_at)
        if key is not None:
            rows = rows.where(_entries.c.partner_candidate_id == key)
        with self.database() as connection:
            return [_entry(row) for row in connection.execute(rows)]

    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Return how many entries each stream has, by status."""
        columns = (_entries.c.stream, _entries.c.status)
        rows = select(*columns, func.count()).group_by(*columns).order_by(*columns)
        counts: dict[str, dict[str, int]] = {}
        with self.database() as connection:
            for stream, status, count in connection.execute(rows):
                counts.setdefault(stream, {})[status] = count
        return counts

    def primary_key(self, stream: str) -> Sequence[Sequence[str]] | None:
        """Return the primary key that makes a stream's keys; None: there is none, or not known."""
        known = self._known.get(stream)
        match known and known.key_source:
            case {"primary_key": list(paths)}:
                return paths
            case _:
                return None

    # Writing --------------------------------------------------------------------------------------

    @contextmanager
    def database(self) -> Iterator[Connection]:
        """Yield the connection, for statements that share the ledger's commits.

        What the database says becomes one of our errors, without the row.
        """
        try:
            yield self._connection
        except SQLAlchemyError as error:
            self.is_usable = False
            # It may be that the database does not answer and the run was asked to end meanwhile.
            self._clock.sleep(0)
            # Its text shows the row.
            raise failure(error) from None

    def note_post(self, entry: Entry) -> None:
        """Write an entry that is about to be posted. It replaces an earlier note of the key."""
        self._guard()
        with self.database():
            self._write(entry, entry.noted_at)
            self._commit()

    def save(self, entry: Entry, now: datetime) -> None:
        """Write what is known of a key now."""
        with self.database():
            self._write(entry, now)

    def withdraw(self, entry: Entry) -> None:
        """Remove the note of a post that certainly created nobody."""
        with self.database():
            self._connection.execute(_delete, {"position": entry.position, "key": entry.key})

    def move_match_before(self, moment: datetime) -> None:
        """Compare new keys with all candidates created before this time. It only moves forward."""
        if self.match_before is None or moment > self.match_before:
            self.match_before = moment
            self._remember(match_before=rfc3339(moment))

    def remember_check(self, moment: datetime) -> None:
        """Note when the ledger was checked not to be behind."""
        self.checked_at = moment
        self._remember(checked_at=rfc3339(moment))

    def add_rejected(self, number: int) -> None:
        """Count rejected records that the next state covers, before it is passed on."""
        if number:
            self.rejected += number
            self._remember(rejected=self.rejected)

    def reset_rejected(self) -> None:
        """Count from zero again."""
        self.add_rejected(-self.rejected)

    def commit(self) -> None:
        """Put what was saved on disk."""
        with self.database():
            self._commit()

    def flush(self) -> None:
        """Put everything on disk, and make sure that the ledger is still the one that was opened.

        Raises `ConfigError` if it was removed or replaced: a state must not pass over it.
        """
        self._guard()
        with self.database():
            if self._is_claimed and self._path is None:
                mine = update(_about).where(_about.c.writer == self._writer)
                if self._connection.execute(mine.values(version=VERSION)).rowcount != 1:
                    self.is_usable = False
                    raise replaced()
            self._commit()
            if self._path is not None:
                # What a state covers is in the file itself: it may be copied, or mounted alone.
                self._connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
                self._connection.commit()
                self._is_wal_marked = False
                self._file = fingerprint(self._path)

    def _commit(self) -> None:
        """Commit. The first changes in each WAL carry this run's mark (see `check_wal`)."""
        connection = self._connection.connection.driver_connection
        is_changed = self._path is not None and getattr(connection, "in_transaction", False)
        is_to_be_marked = is_changed and self._is_claimed and not self._is_wal_marked
        if is_to_be_marked:
            # SQLite writes no page that stays the same, so the mark has a number.
            self._remember(writer=f"{self._writer}.{self._wals + 1}")
        self._connection.commit()
        if is_to_be_marked:
            # Not before: on a full disk the mark may get lost with the changes.
            self._wals += 1
            self._is_wal_marked = True

    def _guard(self) -> None:
        """Raise `ConfigError` if the file was removed, replaced or overwritten by somebody else."""
        if self._file is not None and self._path is not None:
            try:
                is_same = fingerprint(self._path) == self._file
            except OSError:
                is_same = False
            if not is_same:
                self.is_usable = False
                raise replaced()

    def _remember(self, **values: object) -> None:
        with self.database():
            self._connection.execute(update(_about).values(**values))

    def _write(self, entry: Entry, now: datetime) -> None:
        if entry.stream not in self._known:
            self._known[entry.stream] = self._streams[entry.stream]
            row = _stream_row(self._streams[entry.stream])
            self._connection.execute(insert(_streams), row)
        row = _row(entry, now)
        key = {"position": entry.position, "key": entry.key}
        if self._connection.execute(_update, {**row, **key}).rowcount != 1:
            self._connection.execute(_insert, row)

    def _hash(self, name: str, value: object) -> str:
        content = orjson.dumps([name, value], option=orjson.OPT_SORT_KEYS)
        digest = hmac.digest(self._hash_key, content, "sha256")[:HASH_BYTES]
        return base64.b64encode(digest).decode()


# Opening and making -------------------------------------------------------------------------------


@contextmanager
def opened(
    settings: LedgerSettings, streams: Sequence[StreamKeys], clock: Clock, *, to_write: bool = True
) -> Iterator[Ledger]:
    """Open the ledger for one run, and lock it against every other; upgrade it if it is older.

    Raises `LedgerInUse` when another run keeps it, `LedgerMissing` when there is none, and
    `ConfigError` when it cannot be used or the keys would be made in another way than before. What
    was saved is on disk when the block is left.
    """
    path = file_of(settings)
    if path is not None:
        if not path.exists():
            raise LedgerMissing
        check_file(path)
        check_wal(path)
    with connected(settings, clock) as connection:
        with explained():
            _upgrade(connection)
            ledger = Ledger(connection, path, clock)
        ledger.admit(streams, record_positions=to_write)
        if to_write:
            ledger.claim()
        try:
            yield ledger
        finally:
            if ledger.is_usable:
                ledger.flush()


@contextmanager
def opened_copy(
    settings: LedgerSettings,
    streams: Sequence[StreamKeys],
    clock: Clock,
    new: Callable[[], NewLedger] | None = None,
) -> Iterator[Ledger]:
    """Open a temporary copy of the ledger, or of the one that `new` describes if there is none.

    Takes no lock. What is written goes into the copy and is gone at the end. Raises `ConfigError`
    as `opened` does.
    """
    path = file_of(settings)
    if path is not None and path.exists():
        check_file(path)
    tables = [each.name for each in _metadata.sorted_tables]
    with copied(settings, tables, clock) as connection:
        with explained():
            try:
                _upgrade(connection)
            except LedgerMissing:
                if new is None:
                    raise
                _make_tables(connection, new())
            ledger = Ledger(connection, None, clock)
        ledger.admit(streams, record_positions=False)
        yield ledger


def make(settings: LedgerSettings, clock: Clock, new: NewLedger) -> None:
    """Make an empty ledger. Raises `ConfigError` if it cannot be made there."""
    path = file_of(settings)
    if path is not None:
        make_file(path)
        check_file(path)
    with connected(settings, clock) as connection, explained():
        _make_tables(connection, new)


def _make_tables(connection: Connection, new: NewLedger) -> None:
    _metadata.create_all(connection)
    if connection.execute(select(_about)).first() is None:
        about = {
            "version": VERSION,
            "hash_key": secrets.token_hex(32),
            "checked_at": rfc3339(new.made_at),
            "match_before": new.match_before and rfc3339(new.match_before),
            "shows_candidates": int(new.shows_candidates),
            "rejected": 0,
        }
        connection.execute(insert(_about), about)
    connection.commit()


def _upgrade(connection: Connection) -> None:
    """Bring the tables of 0.1.0 up to date. Cut at any moment, it is completed the next time.

    Raises `LedgerMissing` if there are none.
    """
    if not inspect(connection).has_table(_about.name):
        raise LedgerMissing
    version = connection.execute(select(_about.c.version)).scalar_one_or_none()
    if version is None:
        raise LedgerMissing
    if version not in {1, VERSION}:
        message = (
            "The ledger was made by a newer version of the connector. Use that version; an older "
            "one could create people a second time."
        )
        raise ConfigError(message)
    if version == VERSION:
        return
    for table in (_about, _streams, _entries):
        there = {each["name"] for each in inspect(connection).get_columns(table.name)}
        if _STATUS_IN_VERSION_1 in there:
            rename = f"ALTER TABLE {table.name} RENAME COLUMN {_STATUS_IN_VERSION_1} TO status"
            connection.execute(text(rename))
        for column in table.columns:
            if column.name not in {*there, "status"}:
                kind = column.type.compile(connection.dialect)
                default = "" if column.nullable else f" NOT NULL DEFAULT {_DEFAULTS[column.name]}"
                add = f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}{default}"
                connection.execute(text(add))
    for index in _entries.indexes:
        index.create(connection, checkfirst=True)
    connection.execute(update(_about).values(version=VERSION))
    connection.commit()


def _about_row(connection: Connection) -> Any:
    about = connection.execute(select(_about)).first()
    connection.commit()
    return about


def _compare(before: StreamKeys, now: StreamKeys) -> None:
    """Raise `ConfigError` if the keys would be made in another way than before."""
    what = ""
    if before.prefix != now.prefix:
        was, is_now = (each.prefix or "none (verbatim_partner_id)" for each in (before, now))
        what = f"partner_id_prefix was {was} and is {is_now} now"
    elif before.mapping_type != now.mapping_type:
        what = f"mapping was {before.mapping_type} and is {now.mapping_type} now"
    elif None not in (before.key_source, now.key_source) and before.key_source != now.key_source:
        was, is_now = _in_words(before.key_source), _in_words(now.key_source)
        what = f"the key was made from {was} and would be made from {is_now} now"
    if what:
        message = (
            f"Stream {now.stream}: {what}. With other keys, all people of this stream would be "
            "created a second time. Set it back, or give the records another stream name to write "
            "them as new people."
        )
        raise ConfigError(message)


def _in_words(source: Mapping[str, object] | None) -> str:
    match source:
        case {"expression": expression}:
            return f"the expression of partner_candidate_id ({expression})"
        case {"primary_key": list(paths)}:
            return f"the primary key ({', '.join('.'.join(each) for each in paths)})"
        case _:
            return "the record's id"


# Rows ---------------------------------------------------------------------------------------------


def _row(entry: Entry, now: datetime) -> dict[str, Any]:
    return {
        "position_uid": entry.position,
        "partner_candidate_id": entry.key,
        "stream": entry.stream,
        "status": entry.status.value,
        "uid": entry.uid,
        "noted_at": rfc3339(entry.noted_at),
        "changed_at": rfc3339(now),
        "hashes": orjson.dumps(entry.hashes).decode(),
        "note": msgspec.json.encode(entry.note).decode() if _has_note(entry) else None,
        "files": None if entry.files is None else _json(entry.files),
    }


def _has_note(entry: Entry) -> bool:
    return entry.status is KeyStatus.SENDING or entry.uid is None


def _entry(row: Any) -> Entry:
    try:
        return Entry(
            position=row.position_uid,
            key=row.partner_candidate_id,
            stream=row.stream,
            status=KeyStatus(row.status),
            noted_at=datetime.fromisoformat(row.noted_at),
            hashes=_hashes.decode(row.hashes),
            uid=row.uid,
            note=_note.decode(row.note) if row.note else NO_NOTE,
            files=None if row.files is None else _files.decode(row.files),
        )
    except (ValueError, TypeError, msgspec.DecodeError):
        raise damaged() from None


def _stream_row(keys: StreamKeys) -> dict[str, Any]:
    return {
        "stream": keys.stream,
        "prefix": keys.prefix,
        "mapping_type": keys.mapping_type,
        "key_source": None if keys.key_source is None else _json(keys.key_source),
        "positions": _json(keys.positions),
    }


def _stream_keys(row: Any) -> StreamKeys:
    try:
        source = None if row.key_source is None else orjson.loads(row.key_source)
        positions = {} if row.positions is None else _hashes.decode(row.positions)
    except (ValueError, TypeError, msgspec.DecodeError):
        raise damaged() from None
    return StreamKeys(row.stream, row.prefix, row.mapping_type, source, positions)


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _moment(value: str | None) -> datetime | None:
    return None if value is None else _time(value)


def _time(value: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except (ValueError, TypeError):
        raise damaged() from None


def _encodable(value: str) -> str:
    return value.encode("utf-8", "replace").decode()
