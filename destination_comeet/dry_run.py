"""`write --dry-run`: the write loop as it is, with nothing behind it that writes.

| part              | in a dry run                                                              |
| ----------------- | ------------------------------------------------------------------------- |
| ledger            | a temporary copy, or an empty one; takes no lock (`ledger.opened_copy`)   |
| requests          | reads are sent; what would write is answered here, as if Comeet took it   |
| states            | not passed on                                                             |
| rejected records  | counted, not kept                                                         |
| plan              | a file with a line for each record and position, without values           |
"""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from io import BufferedWriter
from typing import TypeVar

import orjson

from destination_comeet.writer import Outcome, Result, because
from source_ats.errors import ConfigError
from source_ats.http.client import Client
from source_ats.http.models import Request, Response

T = TypeVar("T")

_BEGINNING = b'{"key":'
"""How each line of a plan begins."""


class DryRunClient:
    """Sends what only reads; answers itself what would write. For one thread."""

    def __init__(self, client: Client) -> None:
        """`client` sends what is sent."""
        self._client = client
        self._created = 0

    @property
    def has_vendor_time(self) -> bool:
        """Whether the last response told the vendor's time."""
        return self._client.has_vendor_time

    def now(self) -> datetime:
        """Return the time by the vendor's clock; by the machine's until the first response."""
        return self._client.now()

    def send(
        self,
        request: Request,
        read: Callable[[Response], T],
        *,
        before_send: Callable[[], None] = lambda: None,
    ) -> T:
        """Return what `read` makes of the response: Comeet's to a GET, else that of a success."""
        if request.method == "GET":
            return self._client.send(request, read, before_send=before_send)
        before_send()
        self._created += 1
        body = orjson.dumps({"uid": f"dry-run-{self._created}"})
        return read(Response(200, {}, body, self.now(), f"dry run {request.endpoint}"))


class Plan:
    """What became of each record and position: counted, and written to a file if one is named."""

    def __init__(self, path: str | None) -> None:
        """Open the file with mode 0600. Raises `ConfigError` if it cannot hold a plan.

        An earlier plan is replaced; any other file that is not empty is left as it is.
        """
        self._counts: Counter[tuple[Result, str]] = Counter()
        self._file = None if path is None else _opened(path)

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Take the outcomes of one record. Raises `ConfigError` if the file cannot be written."""
        for each in outcomes:
            reason = " ".join(filter(None, (each.field, each.reason)))
            self._counts[each.result, because(each)] += 1
            if self._file is None:
                continue
            line = {
                "key": each.key,
                "position": each.position_uid,
                "outcome": each.result.name.lower(),
                "fields": list(dict.fromkeys(each.sent)),
                "reason": reason or None,
            }
            with _explained():
                self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def summary(self) -> list[str]:
        """Return a sentence for each outcome and reason, with how often it occurred."""
        order = list(Result)
        counts = sorted(self._counts.items(), key=lambda each: (order.index(each[0][0]), -each[1]))
        return [
            f"Plan: {count} {result.value}{f': {reason}' if reason else ''}."
            for (result, reason), count in counts
        ]

    def close(self) -> None:
        """Put the file on disk."""
        if self._file is not None:
            with _explained():
                self._file.close()


def _opened(path: str) -> BufferedWriter:
    # A link could lead to a file that others may read; a FIFO would block without the flag.
    flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK
    with _explained():
        file = os.fdopen(os.open(path, flags, 0o600), "r+b", buffering=0)
    try:
        with _explained():
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(0, "it is a device or a pipe")
            if file.read(len(_BEGINNING)) not in (b"", _BEGINNING):
                raise OSError(0, "it holds something else than a plan, and is left as it is")
            os.fchmod(file.fileno(), 0o600)
            file.seek(0)
            file.truncate()
    except ConfigError:
        file.close()
        raise
    return BufferedWriter(file)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        # A path with NUL in it is a ValueError.
        reason = getattr(error, "strerror", None) or "this is not a path"
        if getattr(error, "errno", None) == errno.ELOOP:
            reason = "it is a symbolic link"
        message = (
            f"The plan cannot be written: {reason}. --plan has to name a regular file, or a new "
            "one, in a folder that exists and has room."
        )
        raise ConfigError(message) from None
