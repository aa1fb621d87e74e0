"""What the requests of one client took: how many, how long they waited, why they were repeated."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from source_ats.clock import Clock
from source_ats.plural import counted

WARNINGS_OF_EACH_REASON = 10
"""Further warnings are left to the summary."""


_SUMMARY = re.compile(
    r"(?P<system>.+?): (?P<requests>\d+) requests? in (?P<seconds>[\d.]+) s, (?P<waited>[\d.]+) s "
    r"of that waiting for the rate limit or before another attempt\."
    r"(?: Sent again because: (?P<repeated>.+)\.)?"
)
_REPEATED = re.compile(r"(.+?) \((\d+)\)(?:, |$)")


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run's requests to one system took. Its text is logged, and `read` reads it again."""

    system: str
    requests: int
    seconds: float
    waited: float
    """Seconds that it waited for the rate limit or before another attempt."""
    repeated: Mapping[str, int]
    """How many requests were sent again, by the reason."""

    def __str__(self) -> str:
        """Return one or two sentences."""
        text = (
            f"{self.system}: {counted(self.requests, 'request')} in {self.seconds:.1f} s, "
            f"{self.waited:.1f} s of that waiting for the rate limit or before another attempt."
        )
        if self.repeated:
            reasons = [f"{reason} ({times})" for reason, times in self.repeated.items()]
            text += f" Sent again because: {', '.join(reasons)}."
        return text

    @classmethod
    def read(cls, text: str) -> Summary | None:
        """Return the summary that a log message is; None if it is another message."""
        found = _SUMMARY.fullmatch(text)
        if found is None:
            return None
        return cls(
            found["system"],
            int(found["requests"]),
            float(found["seconds"]),
            float(found["waited"]),
            {reason: int(times) for reason, times in _REPEATED.findall(found["repeated"] or "")},
        )


class Usage:
    """Counts from any thread, for the summary of a run."""

    def __init__(self, clock: Clock) -> None:
        """Begin to count."""
        self._clock = clock
        self._began = clock.monotonic()
        self._lock = threading.Lock()
        self._requests = 0
        self._waiting = 0
        self._waiting_since = 0.0
        self._waited = 0.0
        self._repeated: Counter[str] = Counter()

    def sent(self) -> None:
        """Count a request."""
        with self._lock:
            self._requests += 1

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time within. Threads that wait at the same time count once."""
        with self._lock:
            if not self._waiting:
                self._waiting_since = self._clock.monotonic()
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1
                if not self._waiting:
                    self._waited += self._clock.monotonic() - self._waiting_since

    def is_one_of_many(self, reason: str) -> bool:
        """Count a request that is repeated; True if its warning is left to the summary."""
        with self._lock:
            self._repeated[reason] += 1
            return self._repeated[reason] > WARNINGS_OF_EACH_REASON

    def summary(self, system: str) -> Summary:
        """Return the counts until now. `system` is who answered."""
        with self._lock:
            seconds = self._clock.monotonic() - self._began
            repeated = dict(self._repeated.most_common())
            return Summary(system, self._requests, seconds, self._waited, repeated)
