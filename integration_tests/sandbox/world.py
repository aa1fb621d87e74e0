"""What the four fake vendors share: a seed, a size, and a clock that a test can move."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass
class Clock:
    """The sandbox's time: the machine's, plus what a test has added, as `Date` headers show it."""

    offset: timedelta = timedelta(0)

    def now(self) -> datetime:
        """The sandbox's time, UTC."""
        return datetime.now(UTC) + self.offset

    def epoch(self) -> float:
        """The sandbox's time in seconds since 1970."""
        return time.time() + self.offset.total_seconds()

    def advance(self, seconds: float) -> datetime:
        """Move time forward (or back, when negative) and return the new time."""
        self.offset += timedelta(seconds=seconds)
        return self.now()


@dataclass
class World:
    """What a vendor needs to make its data: everything else is a pure function of these."""

    seed: int
    candidates: int
    """How many people each vendor starts with, over all its accounts."""
    clock: Clock = field(default_factory=Clock)
    started_at: datetime = field(init=False)
    """The sandbox's time at start: all data that exists from the beginning is older."""

    def __post_init__(self) -> None:
        """Fix the moment before which all data of the beginning was made."""
        self.started_at = self.clock.now()
