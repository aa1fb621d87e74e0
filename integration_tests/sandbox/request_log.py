"""What came to the vendors: a bounded log of calls, and exact counts."""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT = 200_000
"""How many of the last calls the log holds. The counts go on for ever."""

CUT = "cut"
"""The name in the counts of calls that ended without a status: the connection was cut."""


@dataclass(slots=True)
class Entry:
    """One call, from the moment it came."""

    n: int
    at: float
    monotonic: float
    endpoint: str
    method: str
    path_qs: str
    in_flight: int
    status: int | None = None
    fault: str | None = None
    bytes: int = 0

    def as_json(self) -> dict[str, Any]:
        """The entry as the control API shows it. A repeated query name keeps its last value."""
        parts = urlsplit(self.path_qs)
        return {
            "n": self.n,
            "at": self.at,
            "monotonic": self.monotonic,
            "endpoint": self.endpoint,
            "method": self.method,
            "path": parts.path,
            "query": {
                name: values[-1]
                for name, values in parse_qs(parts.query, keep_blank_values=True).items()
            },
            "status": self.status,
            "fault": self.fault,
            "bytes": self.bytes,
            "in_flight": self.in_flight,
        }


@dataclass
class RequestLog:
    """Calls in the order in which they came. A call still in flight has no status yet."""

    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEPT))
    counts: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    last: int = 0
    in_flight: Counter[str] = field(default_factory=Counter)

    def came(self, endpoint: str, method: str, path_qs: str, at: float) -> Entry:
        """Note a call. `in_flight` counts the same vendor's calls, this one included."""
        self.last += 1
        vendor = endpoint.partition(".")[0]
        self.in_flight[vendor] += 1
        entry = Entry(
            n=self.last,
            at=at,
            monotonic=time.monotonic(),
            endpoint=endpoint,
            method=method,
            path_qs=path_qs,
            in_flight=self.in_flight[vendor],
        )
        self.entries.append(entry)
        return entry

    def went(self, entry: Entry) -> None:
        """Note how a call ended; its `status` is None if the caller saw none."""
        self.in_flight[entry.endpoint.partition(".")[0]] -= 1
        counts = self.counts[entry.endpoint]
        counts["total"] += 1
        counts[CUT if entry.status is None else str(entry.status)] += 1

    def select(self, endpoint: str, since: int) -> Iterator[dict[str, Any]]:
        """The kept calls to endpoints that match, numbered above `since`, oldest first."""
        for entry in self.entries:
            if entry.n > since and fnmatchcase(entry.endpoint, endpoint):
                yield entry.as_json()

    def clear(self) -> None:
        """Forget the entries and the counts; the numbering goes on."""
        self.entries.clear()
        self.counts.clear()
