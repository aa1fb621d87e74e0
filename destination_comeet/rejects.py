"""The file of refused records: whole, one JSON line each, for one user's eyes only."""

from __future__ import annotations

import os
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
            self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
            # A new file is there after a loss of power only if its folder is flushed too.
            folder = os.open(Path(path).parent, os.O_RDONLY)
        except OSError as error:
            message = (
                f"The file of refused records cannot be opened: {error.strerror}. rejected_path "
                "has to be a file in a folder that exists and can be written to."
            )
            raise ConfigError(message) from None
        with suppress(OSError):
            # Some network disks cannot flush a folder.
            os.fsync(folder)
        os.close(folder)
        self._end_torn_line(self._file)

    @property
    def keeps_records(self) -> bool:
        """Tell whether there is a file."""
        return self._file is not None

    def add(self, stream: str, refusals: Sequence[Mapping[str, object]], record: bytes) -> None:
        """Add one record with the reasons; on disk at the next `settle`."""
        row = {
            "stream": stream,
            "rejected_at": rfc3339(self._clock.now()),
            "refusals": refusals,
            "record": orjson.Fragment(record),
        }
        self._write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    def settle(self) -> None:
        """Put everything on disk."""
        if self._file is not None and self._unsettled:
            os.fsync(self._file)
            self._unsettled = False

    def close(self) -> None:
        """Put everything on disk and close the file."""
        self.settle()
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
            message = f"The file at rejected_path cannot be written: {error.strerror}."
            raise ConfigError(message) from None
        self._unsettled = True
