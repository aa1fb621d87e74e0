"""How much of everything is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Scale:
    """How many there are of each. Streams with a call for each child are kept short."""

    candidates: int
    people: int
    histories: int
    posts: int

    @classmethod
    def of(cls, records: int) -> Self:
        """Return the scale for this many candidates, in whole pages."""
        return cls(
            candidates=max(records // 250, 1) * 250,
            people=min(max(records // 10, 100), 20_000),
            histories=min(max(records // 50, 100), 5_000),
            posts=min(max(records // 50, 100), 5_000),
        )
