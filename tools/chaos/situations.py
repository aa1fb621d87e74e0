"""What goes wrong at a vendor, as faults of the sandbox (`integration_tests/sandbox/faults.py`).

The dice choose how much of it comes in one run, and which rows hold values that no warehouse takes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

Fault = dict[str, Any]
Wish = tuple[str, Any]
"""A path of the sandbox's control API, and what is posted there."""

MINUTE = 60
LARGEST_SHARE = 0.3
"""Of calls that fail."""

BROKEN: tuple[Fault, ...] = (
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 429, "headers": {"Retry-After": "7"}},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 502},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 504},
    {"kind": "reset"},
    {"kind": "truncate"},
    {"kind": "lost_answer"},
)
"""What may happen to any call, so that nobody knows whether a POST was carried out."""
CUT: tuple[Fault, ...] = (
    {"kind": "reset_midway"},
    {"kind": "garbage_midway"},
    {"kind": "half_json"},
    {"kind": "half_gzip"},
)
"""What may happen to an answer that is only read."""
DENIED: tuple[Fault, ...] = (
    {"kind": "status", "status": 401},
    {"kind": "html", "status": 401},
    {"kind": "status", "status": 403},
    {"kind": "html", "status": 403},
    {"kind": "status", "status": 404},
    {"kind": "html", "status": 404},
)
"""What passes: a repeated call is answered."""
PHASES: tuple[Fault, ...] = (
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 429},
    {"kind": "html", "status": 502},
)
"""What all calls meet for a while."""

DEEP = "[" * 150 + "]" * 150
DEEPEST = 100
"""Levels that are kept; what is deeper becomes text."""
REPAIRED: dict[str, str | None] = {
    "1e400": "1e400",
    "9" * 29: "9" * 29,
    DEEP: DEEP,
    r'"a\u0000b"': "a?b",
    r'"a\ud83db"': "a?b",
    '"a\xffb"': "a?b",
    '"a\nb"': "a\nb",
    "NaN": None,
}
"""JSON, valid or not, in the place of a text, and what a warehouse gets instead of all of it."""
BEYOND_REPAIR = ("tru", '{"a" 1}', '"a"b"')
"""The row is left out and requested again until it is valid."""


@dataclass(frozen=True, slots=True)
class Poison:
    """One row with a value that no warehouse takes."""

    key: str
    raw: str

    @property
    def is_repaired(self) -> bool:
        """False if the row has to wait until the vendor sends it as valid JSON."""
        return self.raw in REPAIRED


def repaired(raw: str, level: int) -> Any:
    """Return what a warehouse gets instead of a value that stands so deep in a row."""
    if raw != DEEP:
        return REPAIRED[raw]
    kept = DEEPEST - level
    value: Any = DEEP[kept : len(DEEP) - kept]
    for _ in range(kept):
        value = [value]
    return value


def poisons(keys: list[str], dice: random.Random) -> list[Poison]:
    """Choose a few rows, and what they hold."""
    chosen = dice.sample(keys, min(len(keys), dice.choice((0, 1, 3))))
    return [Poison(key, dice.choice((*REPAIRED, *REPAIRED, *BEYOND_REPAIR))) for key in chosen]


def broken(endpoints: str, dice: random.Random, kinds: tuple[Fault, ...] = BROKEN) -> list[Fault]:
    """Make a share of the calls fail, in all these ways."""
    share = dice.uniform(0, LARGEST_SHARE)
    return [{"endpoint": endpoints, "probability": share / len(kinds), **fault} for fault in kinds]


def denied(endpoints: str, dice: random.Random, kinds: tuple[Fault, ...] = DENIED) -> list[Fault]:
    """Deny a share of the calls, or sometimes none; not the same call twice in a run."""
    share = dice.choice((0, dice.uniform(0, LARGEST_SHARE)))
    fault = dice.choice(kinds)
    return [{"endpoint": endpoints, "probability": share, "once_per_request": True, **fault}]


def round_cursors(endpoints: str, next_at: str, dice: random.Random) -> list[Fault]:
    """Make lists lead back to an earlier page, in one run of four."""
    if not next_at or dice.random() < 0.75:
        return []
    times = dice.choice((1, 2))
    return [
        {"endpoint": endpoints, "kind": "round", "at": next_at, "probability": 0.2, "times": times}
    ]


def too_large_pages(endpoints: str, dice: random.Random) -> list[Fault]:
    """Make pages of many rows fail, in one seed of four."""
    if dice.random() < 0.75:
        return []
    rows = dice.choice((10, 15, 30))
    return [{"endpoint": endpoints, "kind": "status", "status": 504, "over_rows": rows}]


def phase(endpoints: str, dice: random.Random) -> Wish:
    """Make all calls fail for a while that may be longer than the retries last."""
    fault = {"endpoint": endpoints, "times": dice.choice((2, 8, 40)), **dice.choice(PHASES)}
    return "/_control/faults", [fault]


def time_passes(dice: random.Random) -> Wish:
    """Move the vendor's clock."""
    return "/_control/time", {"advance_seconds": dice.choice((1, MINUTE, 20 * MINUTE))}
