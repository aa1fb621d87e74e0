"""Time, as an argument: the machine's clock, waiting that a stop interrupts, and time as text."""

from __future__ import annotations

import threading
import time
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Protocol

from source_ats.errors import Stopped


class Clock(Protocol):
    """What the package needs to know of time. Tests pass their own."""

    def monotonic(self) -> float:
        """Return seconds from an unknown moment; never goes back."""
        ...

    def now(self) -> datetime:
        """Return the machine's time, UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait. Raises `Stopped` at once when the run was asked to end, also with 0 seconds."""
        ...


class SystemClock:
    """The machine's clock. `stop` ends every wait."""

    def __init__(self, stop: threading.Event | None = None) -> None:
        """Without `stop`, waits are never cut short."""
        self._stop = stop or threading.Event()

    def monotonic(self) -> float:
        """Return seconds from an unknown moment; never goes back."""
        return time.monotonic()

    def now(self) -> datetime:
        """Return the machine's time, UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait, or raise `Stopped` when the run was asked to end."""
        if self._stop.wait(seconds) if seconds > 0 else self._stop.is_set():
            raise Stopped


def rfc3339(moment: datetime, timespec: str = "seconds") -> str:
    """Return a moment in UTC, as states hold it in whole seconds: `2026-01-31T12:00:00Z`.

    `timespec` is that of `datetime.isoformat`.
    """
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def epoch_ms(moment: datetime) -> int:
    """Return a moment as Airbyte's messages write it: milliseconds since 1970."""
    return int(moment.timestamp() * 1000)


def parse_timestamp(value: object) -> datetime | None:
    """Return a vendor's text as a time in UTC, which it is where it names no zone.

    None if it is not a time, or one that cannot be: software writes the first and the last moment
    that it can express, in the years 1 and 9999, for "no time", and their neighbours overflow.
    """
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
        parsed = parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return parsed if MINYEAR < parsed.year < MAXYEAR else None
