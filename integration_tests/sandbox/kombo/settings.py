"""What the facts of Kombo leave open, or a customer chooses, as settings that a test can change."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any, Literal

KEY = "ks_dev_sandbox"

CHOICES = {
    "unknown_ids": ("refused", "ignored"),
    "cursor_mode": ("keyed", "offset"),
    "cursors": ("valid", "refused", "empty"),
}


@dataclass
class RateLimit:
    """So many calls in a window that begins with its first call (assumed; section 8)."""

    limit: int
    window_seconds: float
    window_ends: float = 0
    spent: int = 0

    def spend(self, now: float) -> bool:
        """Count a call; False if it is one too many."""
        if not self.window_ends - self.window_seconds <= now < self.window_ends:
            self.window_ends = now + self.window_seconds
            self.spent = 0
        self.spent += 1
        return self.spent <= self.limit

    def headers(self, now: float) -> dict[str, str]:
        """Return the three headers, named in lower case as the vendor does."""
        return {
            "ratelimit-limit": str(self.limit),
            "ratelimit-remaining": str(max(self.limit - self.spent, 0)),
            "ratelimit-reset": str(self.seconds_left(now)),
        }

    def seconds_left(self, now: float) -> int:
        """Return the whole seconds after which the window is surely over."""
        return math.ceil(self.window_ends - now)


@dataclass
class Settings:
    """How the fake behaves for every integration."""

    keys: list[str] = field(default_factory=lambda: [KEY])
    """The API keys that are valid."""
    cursor_mode: Literal["keyed", "offset"] = "keyed"
    """`keyed` cursors continue behind the last row read, and no row moves. `offset` cursors count
    rows in the order of their last change: a row that changes between two pages moves to the end,
    and one behind it is skipped."""
    cursors: Literal["valid", "refused", "empty"] = "valid"
    """What all cursors made before this was set lead to; `valid` ends that."""
    cursor_age: int = field(default=0, init=False)
    """Grows each time that the cursors made so far become invalid."""
    rate_limit: RateLimit | None = None
    retry_after: bool = False
    """Whether a 429 has a `Retry-After` too."""
    short_pages: bool = False
    """Some pages hold fewer rows than asked for although more follow."""
    unknown_ids: Literal["refused", "ignored"] = "refused"
    """Whether an unknown value in `ids` makes the whole call a 404, as an older page says."""
    most_filter_values: int | None = None
    """How many values a comma list may have; the vendor states no number."""
    concurrent_actions: int = 30
    """How many live calls an integration answers at the same time (section 8, V)."""
    action_seconds: float = 0
    """How long a live call takes."""
    files_origin: str | None = None
    """Scheme and host of download links instead of the sandbox's own."""
    file_bytes: int = 0
    """Files are at least this long."""
    gzip: bool = False
    """Whether answers are compressed for clients that accept it."""

    def set(self, wishes: dict[str, Any]) -> None:
        """Take over the wishes, or raise ValueError and take over none."""
        for name, choices in CHOICES.items():
            if wishes.get(name, choices[0]) not in choices:
                message = f"{name} is one of {', '.join(choices)}."
                raise ValueError(message)
        if wishes.get("rate_limit") is not None:
            wishes["rate_limit"] = RateLimit(**wishes["rate_limit"])
        take_over(self, wishes)
        if wishes.get("cursors", "valid") != "valid":
            self.cursor_age += 1


@dataclass
class IntegrationSettings:
    """What one integration says of itself, and what it refuses."""

    tool: str = "greenhouse"
    category: str = "ATS"
    status: str = "ACTIVE"
    setup_status: str = "COMPLETED"
    read_models_off: list[str] = field(default_factory=list)
    """Models that are switched off in the scope configuration: their lists refuse."""
    read_models_unsupported: list[str] = field(default_factory=list)
    """Models that the connected ATS does not have: their lists refuse."""
    unsupported_filters: list[str] = field(default_factory=list)
    """Row filters on fields that the connected ATS does not have."""
    attachments_error: str | None = None
    """The code that the attachments of any candidate answer."""
    attachments_error_status: int = 403
    attachment_warnings: bool = False
    """Whether the last file of each candidate is left out, with a warning."""
    error: str | None = None
    """The code that all list calls answer."""
    error_status: int = 409


def take_over(settings: Settings | IntegrationSettings, wishes: dict[str, Any]) -> None:
    """Set attributes by name, or raise ValueError and set none."""
    allowed = {each.name for each in fields(settings) if each.init}
    if unknown := wishes.keys() - allowed:
        message = f"Unknown settings: {', '.join(sorted(unknown))}."
        raise ValueError(message)
    for name, value in wishes.items():
        setattr(settings, name, value)
