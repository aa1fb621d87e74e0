"""What the facts of ATZ CRM leave open, as settings that a test can change."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

Json = dict[str, Any]


@dataclass(frozen=True)
class RateLimit:
    """This many requests in this many seconds, per token: documented; all else is not known."""

    limit: int = 60
    window_seconds: float = 60
    mode: Literal["fixed", "sliding"] = "fixed"
    aligned_to: Literal["first_call", "clock"] = "first_call"
    """Where a fixed window begins: with the first call after the last window, or on the clock."""
    retry_after: Literal["none", "seconds", "date"] = "none"
    count_refused: bool = False
    """Whether a request answered with 429 uses up a sliding window too."""


@dataclass(frozen=True)
class Latency:
    """How long the server thinks before it answers. Requests do not wait for each other."""

    candidates: float = 0
    history: float = 0


@dataclass(frozen=True)
class Settings:
    """Everything about this vendor that a test can choose; the defaults are the likeliest."""

    tokens: tuple[str, ...] = ("atz-sandbox",)
    rate_limit: RateLimit | None = RateLimit()
    latency_seconds: Latency = Latency()
    envelope: Literal["array", "data", "data_data"] = "array"
    default_limit: int = 50
    max_limit: int = 100
    over_max_limit: Literal["cap", 400, 422] = "cap"
    ignore_page: bool = False
    """Whatever page is asked for, the first is given (Pagination 4, inferred)."""
    unlisted_one_in: int | None = None
    """Of this many objects one keeps its place in a list and is not shown: its page is short."""
    list_order: Literal["created_at", "updated_at"] = "created_at"
    """The order when none is asked for or understood."""
    list_direction: Literal["asc", "desc"] = "asc"
    sort_field_parameter: Literal["sortOrder", "sortByColumn", "neither"] = "sortOrder"
    """Which of the two names the field (the other one is the direction): Quirks 1."""
    unknown_sort: Literal["ignore", 400, 422] = "ignore"
    with_updated_at: bool = True
    """Whether candidates have `updated_at` at all: inferred (section 1)."""
    history_bumps_candidate: bool = False
    """Whether a new or edited history row moves the candidate's `updated_at`: a webhook of its
    own hints that it does not (Incremental extraction, inferred)."""
    empty_history: Literal["array", "null", 404] = "array"
    """The answer for a candidate without history (Not documented, inferred)."""

    def lists(self, number: int) -> bool:
        """Whether a list shows the object with this number."""
        return self.unlisted_one_in is None or number % self.unlisted_one_in != 0


Settable = TypeVar("Settable", RateLimit, Latency, Settings)


def changed(current: Settable, wanted: object) -> Settable:
    """Return `current` with the values of the JSON object `wanted`; ValueError if one is wrong."""
    if not isinstance(wanted, dict):
        msg = f"an object is needed, not {wanted!r}"
        raise ValueError(msg)  # noqa: TRY004 - one kind of error for all that a request gets wrong
    hints = get_type_hints(type(current))
    values: Json = {}
    for name, value in wanted.items():
        if name == "rate_limit" and value is not None:
            values[name] = changed(getattr(current, name) or RateLimit(), value)
        elif name == "latency_seconds":
            values[name] = changed(getattr(current, name), value)
        elif name not in hints or not fits(value, hints[name]):
            msg = f"{name}: {value!r} is not possible; {name} is {hints.get(name, 'unknown')}"
            raise ValueError(msg)
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return replace(current, **values)


def fits(value: object, hint: Any) -> bool:
    """Say whether a JSON value can stand where this type is declared."""
    if get_origin(hint) is Literal:
        return any(type(value) is type(one) and value == one for one in get_args(hint))
    if hint is bool:
        return isinstance(value, bool)
    if hint is int:
        return type(value) is int and value > 0
    if hint == int | None:
        return value is None or (type(value) is int and value > 0)
    if hint is float:
        return type(value) in (int, float) and value >= 0  # type: ignore[operator]
    if hint == tuple[str, ...]:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return value is None


@dataclass
class Meter:
    """The requests of one token that still count."""

    window_start: float = -math.inf
    used: int = 0
    arrivals: deque[float] = field(default_factory=deque)

    def wait(self, rule: RateLimit, now: float) -> float:
        """Count a request that arrives now; return 0 if it is let in, else the seconds to wait."""
        if rule.mode == "sliding":
            return self._wait_sliding(rule, now)
        if not self.window_start <= now < self.window_start + rule.window_seconds:
            into = now % rule.window_seconds if rule.aligned_to == "clock" else 0
            self.window_start, self.used = now - into, 0
        let_in = self.used < rule.limit
        self.used += 1
        return 0 if let_in else self.window_start + rule.window_seconds - now

    def _wait_sliding(self, rule: RateLimit, now: float) -> float:
        while self.arrivals and not now - rule.window_seconds < self.arrivals[0] <= now:
            self.arrivals.popleft()
        let_in = len(self.arrivals) < rule.limit
        if let_in or rule.count_refused:
            self.arrivals.append(now)
        return 0 if let_in else self.arrivals[-rule.limit] + rule.window_seconds - now
