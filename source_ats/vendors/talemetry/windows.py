"""How time is cut into windows; the only place that decides where a window begins and ends.

```
start_date                                                                  To, 5 minutes ago
   |--- window_days ---|--- window_days ---|--- window_days ---|--- the rest ---|
     created, updated,   created, ...
     deleted
```

The vendor shows no time of change of a person, so the end of the last window that was read
completely is the bookmark. The next run begins a lookback before it. So does the window after one
that an earlier run began, because changes may have become visible since that run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from source_ats.sync.stream import ReadOptions
from source_ats.vendors.talemetry.config import TalemetryConfig
from source_ats.vendors.talemetry.state import Event, Position

EVENTS_OF_A_WINDOW: tuple[Event, ...] = ("created", "updated", "deleted")
"""The deleted come last: a person who was changed and then deleted ends as deleted, also when a run
was cut in between."""
BEHIND_THE_CLOCK = timedelta(minutes=5)
"""Assumed: within this time a change shows in the listing. The lookback makes up for more."""
OVERLAP = timedelta(seconds=1)
"""Whether the ends of a window belong to it is not documented: windows share a second."""


@dataclass(frozen=True, slots=True)
class Window:
    """A range of time whose events are listed. Without `start`, everybody is listed."""

    start: datetime | None
    end: datetime

    @property
    def events(self) -> tuple[Event, ...]:
        """What is listed, in this order."""
        return ("all",) if self.start is None else EVENTS_OF_A_WINDOW


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """Cuts the time between a state and now into windows."""

    start_date: datetime | None
    lookback: timedelta
    length: timedelta
    """At least twice the lookback. The window after an interrupted one begins a lookback before its
    end; runs that are cut in every window must come further all the same."""

    @classmethod
    def of(cls, config: TalemetryConfig, options: ReadOptions) -> WindowPlan:
        """Return the plan that the configuration asks for."""
        return cls(
            start_date=options.start_date.replace(microsecond=0) if options.start_date else None,
            lookback=options.lookback,
            length=max(timedelta(days=config.window_days), 2 * options.lookback),
        )

    def windows(self, position: Position, end: Callable[[], datetime]) -> Iterator[Window]:
        """Yield the windows from a position up to `end()`, beginning with the one in progress.

        `end` is called when it is needed: the window in progress has an end of its own.
        """
        if position.in_progress is not None:
            current = Window(position.in_progress.start, position.in_progress.to)
            yield current
            yield from self._between(self._look_back_from(current.end), end())
        elif position.listed_until is not None:
            yield from self._between(self._look_back_from(position.listed_until), end())
        elif self.start_date is not None:
            yield from self._between(self.start_date, end())
        else:
            yield Window(None, end())

    def _look_back_from(self, listed_until: datetime) -> datetime:
        start = listed_until - max(self.lookback, OVERLAP)
        return max(start, self.start_date or start)

    def _between(self, start: datetime, end: datetime) -> Iterator[Window]:
        while end - start > OVERLAP:
            window = Window(start, min(start + self.length, end))
            yield window
            start = window.end - OVERLAP
