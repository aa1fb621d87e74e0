"""What the facts of Comeet leave open, as settings that a test can change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class RateLimit:
    """The most calls in any window of seconds. Assumed: nothing is published (section 6)."""

    limit: int = 60
    window_seconds: float = 60
    retry_after: str = "none"
    """What a 429 says about the wait: "none", "seconds" or "date"."""


@dataclass
class Settings:
    """How the fake behaves; each can be changed by `POST /_control/comeet/settings`."""

    create_status: int = 201
    """Not documented (section 12): a client must take any 2xx."""
    empty_answers: bool = False
    """Create and update answer without a body, which is not ruled out (section 12)."""
    drift: float = 0.0
    """Probability that a candidate leaves "In progress" right after it was created."""
    forget_bodies: bool = False
    """Keep keys and times of new candidates, not their fields: for runs of a million."""
    next_page_origin: str | None = None
    """Scheme and host put into every `next_page` instead of ours: a client must not go there."""
    most_on_a_page: int | None = None
    """Fewer than `limit` asks for, which nothing forbids: the page sizes are not documented."""
    links: str = "good"
    """What a link to a next page comes to: "good", "refused" or "empty". Nothing is documented."""
    list_deleted: bool = False
    """Whether a list that is asked without `deleted` shows deleted ones: V is silent, and a client
    of a third party leaves them out itself (T)."""
    check_expiry: bool = True
    """Off: `exp` must still be an integer, but any will do, so that a test may move time far."""
    create: bool = True
    update: bool = True
    add_files: bool = True
    """No permission for this is documented (section 2): a client must bear a refusal."""
    source_contacts: bool = False
    """Whether reads show who submitted a candidate, which takes a permission (section 2)."""
    retrieve_candidates: bool = True
    retrieve_positions: bool = True
    rate_limit: RateLimit | None = None


def is_bool(value: object) -> bool:
    """Say whether it is true or false, and not 1 or 0."""
    return isinstance(value, bool)


def is_number(value: object) -> bool:
    """Say whether it is a number, which true and false are not."""
    return type(value) in (int, float)


def is_origin(value: object) -> bool:
    """Say whether it is a scheme with a host."""
    return isinstance(value, str) and bool(urlsplit(value).scheme and urlsplit(value).netloc)


def is_rate_limit(value: object) -> bool:
    """Say whether `RateLimit` can be made from it."""
    return (
        isinstance(value, dict)
        and value.keys() <= RATE_LIMIT_RULES.keys()
        and all(RATE_LIMIT_RULES[name](each) for name, each in value.items())
    )


RATE_LIMIT_RULES: dict[str, Callable[[Any], bool]] = {
    "limit": lambda value: type(value) is int and value > 0,
    "window_seconds": lambda value: is_number(value) and value > 0,
    "retry_after": lambda value: value in ("none", "seconds", "date"),
}
SETTING_RULES: dict[str, Callable[[Any], bool]] = {
    "create_status": lambda value: type(value) is int and value in range(200, 300),
    "empty_answers": is_bool,
    "drift": lambda value: is_number(value) and 0 <= value <= 1,
    "forget_bodies": is_bool,
    "next_page_origin": lambda value: value is None or is_origin(value),
    "most_on_a_page": lambda value: value is None or (type(value) is int and value > 0),
    "links": lambda value: value in ("good", "refused", "empty"),
    "list_deleted": is_bool,
    "check_expiry": is_bool,
    "create": is_bool,
    "update": is_bool,
    "add_files": is_bool,
    "source_contacts": is_bool,
    "retrieve_candidates": is_bool,
    "retrieve_positions": is_bool,
    "rate_limit": lambda value: value is None or is_rate_limit(value),
}
