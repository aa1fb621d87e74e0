"""The file of rejected records: whole, one JSON line each, readable by its owner only."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import orjson

from source_ats.clock import Clock, rfc3339
from source_ats.errors import ConfigError


class Rejected:
    """Adds to the file at `path`; without a path it keeps nothing. For one thread."""

    def __init__(self, path: str | None, clock: Clock) -> None:
        """Open the file, made with mode 0600. Raises `ConfigError` if that fails."""
        self._clock = clock
        self._file: int | None = None
        self._unsettled = False
        if path is None:
            return
        try:
            # A FIFO that nobody reads would block without the flag.
            flags = os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_NONBLOCK
            self._file = os.open(path, flags, 0o600)
            # A new file is there after a loss of power only if its folder is flushed too.
            folder = os.open(Path(path).parent, os.O_RDONLY)
        except (OSError, ValueError) as error:
            message = (
                f"The file of rejected records cannot be opened: {_reason(error)}. rejected_path "
                "has to be a file in a folder that exists and can be written to."
            )
            raise ConfigError(message) from None
        with suppress(OSError):
            # Some network disks cannot flush a folder.
            os.fsync(folder)
        os.close(folder)
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            message = (
                "rejected_path is a device or a pipe, which keeps no records. Name a regular file."
            )
            raise ConfigError(message)
        self._end_torn_line(self._file)

    @property
    def keeps_records(self) -> bool:
        """True if there is a file."""
        return self._file is not None

    def add(
        self, stream: str, refusals: Sequence[Mapping[str, object]], record: bytes | str
    ) -> None:
        """Add one record with the reasons; on disk at the next `settle`.

        A record that is not JSON is a text; it is kept as one.
        """
        row = {
            "stream": stream,
            "rejected_at": rfc3339(self._clock.now()),
            "refusals": refusals,
            "record": orjson.Fragment(record) if isinstance(record, bytes) else record,
        }
        self._write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    def settle(self) -> None:
        """Put everything on disk."""
        if self._file is not None and self._unsettled:
            try:
                os.fsync(self._file)
            except OSError as error:
                raise _cannot_be_written(error) from None
            self._unsettled = False

    def close(self) -> None:
        """Put everything on disk and close the file."""
        try:
            self.settle()
        finally:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _end_torn_line(self, file: int) -> None:
        """End a line that an earlier run was killed in, so that the next one stands alone."""
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            self._write(b"\n")

    def _write(self, line: bytes) -> None:
        assert self._file is not None  # noqa: S101 - asked for by keeps_records
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise _cannot_be_written(error) from None
        self._unsettled = True


def _cannot_be_written(error: OSError) -> ConfigError:
    return ConfigError(
        f"The file at rejected_path cannot be written: {_reason(error)}. Make room or choose "
        "another path, and run again. No state was passed on that covers the missing records."
    )


def _reason(error: OSError | ValueError) -> str:
    # A path with NUL in it is a ValueError.
    return getattr(error, "strerror", None) or "this is not a path"
