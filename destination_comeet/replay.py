"""Kept rejected records, read back: to list them, to remove them, and to write them once more.

A replay feeds them to the write loop, under the ledger's lock. What became of each:

| outcome                                        | in the table     | in the file              |
| ---------------------------------------------- | ---------------- | ------------------------ |
| written, or not meant to be written            | removed          | left out of the new file |
| older than what Comeet was sent since: skipped | removed          | left out of the new file |
| rejected again                                 | the newer reason | the newer reason         |
| not JSON, or its stream is not configured      | stays            | stays                    |

The new file takes the place of the old one at the end, in one step. A replay that is cut before
has removed nothing of the file; the next one finds in the ledger what was done.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec
import orjson

from destination_comeet.ledger import Ledger
from destination_comeet.mapping import Mapper, PrimaryKey
from destination_comeet.rejects import (
    Kept,
    RejectedFile,
    RejectedTable,
    cannot_be_written,
    flush_folder,
)
from destination_comeet.writer import (
    NOT_WRITTEN,
    Deliver,
    Outcome,
    Record,
    Result,
    decoded_record,
)
from source_ats.clock import parse_timestamp
from source_ats.errors import ConfigError
from source_ats.plural import counted

log = logging.getLogger("airbyte.source_ats.writing")

_kept = msgspec.json.Decoder(Kept)


class KeptRecords:
    """The newest kept record of each stream and key, in the table and in the file."""

    def __init__(self, table: RejectedTable, path: str | None) -> None:
        """Raises `ConfigError` if there is something else than a regular file at `path`."""
        self._table = table
        self._path = path
        self._unreadable: list[int] = []
        newest: dict[tuple[str, str], tuple[str, int | None]] = {}
        with self._opened() as file:
            for offset, line in _lines(file):
                try:
                    kept = _kept.decode(line)
                except msgspec.DecodeError:
                    self._unreadable.append(offset)
                else:
                    newest[kept.stream, kept.id] = kept.rejected_at, offset
        self._in_file = set(newest)
        for name, rejected_at in table.ids().items():
            if name not in newest or rejected_at >= newest[name][0]:
                newest[name] = rejected_at, None
        self._places = sorted(newest.items(), key=lambda each: each[1][0])

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._places)

    def __iter__(self) -> Iterator[Kept]:
        """Yield them, the oldest first."""
        with self._opened() as file:
            for (stream, record_id), (_, offset) in self._places:
                if offset is None:
                    yield _decoded(self._table.read(stream, record_id))
                elif file is not None:
                    yield _decoded(_line_at(file, offset))

    def is_in_file(self, kept: Kept) -> bool:
        """Return True if the file has this one, or an earlier one of its key."""
        return (kept.stream, kept.id) in self._in_file

    def unreadable_lines(self) -> Iterator[bytes]:
        """Yield the lines of the file that hold no kept record."""
        with self._opened() as file:
            if file is not None:
                for offset in self._unreadable:
                    yield _line_at(file, offset)

    def primary_keys(self, streams: Collection[str]) -> Mapping[str, PrimaryKey]:
        """Return the primary key of each of these streams when its records were rejected."""
        if not streams:
            return {}
        return {
            each.stream: each.primary_key
            for each in self
            if each.stream in streams and each.primary_key is not None
        }

    def streams(self) -> set[str]:
        """Return the streams of which records are kept."""
        return {stream for (stream, _), _ in self._places}

    def clear(self) -> None:
        """Remove everything that is kept."""
        self._table.clear()
        if self._path is not None and Path(self._path).exists():
            try:
                os.truncate(self._path, 0)
            except OSError as error:
                raise cannot_be_written(error) from None

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO | None]:
        """Open the file; None: there is none."""
        if self._path is None:
            yield None
            return
        try:
            # A FIFO that nobody writes to would block without the flag.
            number = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            yield None
            return
        except (OSError, ValueError) as error:
            is_link = getattr(error, "errno", None) == errno.ELOOP
            reason = getattr(error, "strerror", None) or "this is not a path"
            raise _not_a_file("a symbolic link" if is_link else f"not usable ({reason})") from None
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            raise _not_a_file("not a regular file")
        with os.fdopen(number, "rb") as file:
            yield file


class NewFile:
    """What takes the place of the file of rejected records when a replay ends. For one thread."""

    def __init__(self, path: str) -> None:
        """Open a file next to it. Raises `ConfigError` if that cannot be done."""
        self._path = path
        # One name, so that replays that are killed leave one file at most.
        self._new = f"{path}.replay"
        self._remove()
        self.file = RejectedFile(self._new)

    def replace(self) -> None:
        """Put the new file in the place of the old one, in one step."""
        self.file.flush()
        try:
            with suppress(FileNotFoundError, PermissionError):
                # Whoever replays, a write by the owner of the file has to work afterwards.
                about = Path(self._path).stat()
                os.chown(self._new, about.st_uid, about.st_gid)
            Path(self._new).replace(self._path)
        except OSError as error:
            raise cannot_be_written(error) from None
        flush_folder(Path(self._path).parent)

    def close(self) -> None:
        """Close the file, and remove it if it did not take the place of the old one."""
        self.file.close()
        self._remove()

    def _remove(self) -> None:
        try:
            Path(self._new).unlink(missing_ok=True)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"The file {self._new}, which a replay needs, cannot be removed: "
                f"{getattr(error, 'strerror', None) or 'this is not a path'}."
            ) from None


class Replay:
    """One replay: the records to write, and what is done with their outcomes. For one thread."""

    def __init__(
        self,
        kept: KeptRecords,
        table: RejectedTable,
        file: RejectedFile | None,
        ledger: Ledger,
        mappers: Mapping[str, Mapper],
    ) -> None:
        """`file` takes what stays, and what is rejected again."""
        self._kept = kept
        self._table = table
        self._file = file
        self._ledger = ledger
        self._mappers = mappers
        self._current: Kept | None = None
        self._outcomes: Sequence[Outcome] = ()

    def batches(self) -> Iterator[Sequence[bytes]]:
        """Yield each record as a message, and take care of its outcomes before the next one.

        Of several records of one person only the newest is written: those that were rejected
        before their key was known are kept each.
        """
        left = 0
        newest = {self._person(kept): kept.id for kept in self._kept}
        for kept in self._kept:
            raw = bytes(kept.record)
            if newest[self._person(kept)] != kept.id:
                self._table.remove(kept.stream, kept.id)
            elif kept.stream in self._mappers and raw.startswith(b"{"):
                self._current = kept
                content = {"stream": kept.stream, "data": orjson.Fragment(raw)}
                yield [orjson.dumps({"type": "RECORD", "record": content})]
                self._remove_written(kept)
            else:
                left += 1
                if self._file is not None and self._kept.is_in_file(kept):
                    self._file.add(kept)
        if self._file is not None:
            for line in self._kept.unreadable_lines():
                left += 1
                self._file.add_line(line)
        if left:
            log.warning(
                "%s: not JSON, or of a stream that is not configured in streams.",
                counted(left, "kept record stays as it is", "kept records stay as they are"),
            )

    def _person(self, kept: Kept) -> tuple[str, str]:
        """Return the stream and the key, also where it was not known when it was rejected."""
        key = kept.key
        record = decoded_record(bytes(kept.record))
        if key is None and kept.stream in self._mappers and record is not None:
            mapped = self._mappers[kept.stream](record)
            key = next(filter(None, (each.key for each in mapped)), None)
        return kept.stream, key or kept.id

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """Take the outcomes of the record that was yielded last."""
        self._outcomes = outcomes

    def deliver(self, deliver: Deliver, stream: str) -> Deliver:
        """Return how a record is delivered, unless Comeet was sent a newer version since."""

        def deliver_newest(record: Record) -> Sequence[Outcome]:
            keys = (each.key for each in self._mappers[stream](record))
            key = next(filter(None, keys), None)
            if key is not None and self._is_outdated(key):
                reason = "is older than what was written since"
                return [Outcome(Result.SKIPPED, None, key, "record", reason)]
            return deliver(record)

        return deliver_newest

    def _is_outdated(self, key: str) -> bool:
        kept = self._current
        sent = self._ledger.sent(key)
        if kept is None or not sent:
            return False
        if kept.sent is not None and kept.key == key:
            return sent != kept.sent
        # It was not noted what the ledger held then, so the times have to tell.
        changed_at = self._ledger.last_changed_at(key)
        rejected_at = parse_timestamp(kept.rejected_at)
        return changed_at is None or rejected_at is None or changed_at >= rejected_at

    def _remove_written(self, kept: Kept) -> None:
        """Remove the record from the table if it was written, or rejected under another key."""
        key = next((each.key for each in self._outcomes if each.key), None)
        is_rejected = any(each.result in NOT_WRITTEN for each in self._outcomes)
        if not is_rejected or key != kept.key:
            self._table.remove(kept.stream, kept.id)


def _lines(file: BinaryIO | None) -> Iterator[tuple[int, bytes]]:
    """Yield each line that is not blank, and where it begins."""
    offset = 0
    for line in file or ():
        if line.strip():
            yield offset, line
        offset += len(line)


def _not_a_file(problem: str) -> ConfigError:
    return ConfigError(
        f"rejected_path is {problem}. Name the file itself: a replay replaces it as a whole."
    )


def _decoded(line: bytes) -> Kept:
    try:
        return _kept.decode(line)
    except msgspec.DecodeError:
        message = (
            "A rejected record cannot be read: another program has changed the file at "
            "rejected_path, or the table ats_rejected_records. Restore it, or remove what is kept "
            "with `destination-comeet rejected --clear`."
        )
        raise ConfigError(message) from None


def _line_at(file: BinaryIO, offset: int) -> bytes:
    file.seek(offset)
    return file.readline()
