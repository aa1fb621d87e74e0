"""Whether Comeet can be written to, without writing: the token, each configured position, the list.

There is no documented endpoint for this: the list of positions proves the token and the
positions; where it is not allowed, or not there, the list of deleted candidates proves the token.
"""

from __future__ import annotations

from dataclasses import dataclass

from destination_comeet.config import DestinationConfig
from destination_comeet.lookup import UNREADABLE
from source_ats.errors import AccessDenied, AtsError, ConfigError, NotFound, WrongAddress
from source_ats.http.client import Client
from source_ats.vendors.comeet import requests, responses
from source_ats.vendors.comeet.paging import list_pages

CREATE_IS_NOT_TESTED = (
    "The right to create candidates cannot be tested without creating one: the first sync shows it."
)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A list that cannot be read: a part of a sentence, and a sentence that says what to do."""

    why: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check found out."""

    notes: list[str]
    """What the user should know."""
    candidates: Unreadable | None
    """None: Comeet can be asked who exists."""
    has_candidates: bool


def check(config: DestinationConfig, client: Client) -> Findings:
    """Return what was found.

    Raises `ConfigError` if the credentials are bad or a configured position is unknown or closed,
    and `TransientError` if Comeet does not answer.
    """
    base_url = requests.base_url(config.base_url)
    notes = []
    try:
        known = {
            each.uid: each.status
            for page, _ in list_pages(
                client.send, base_url, requests.positions(base_url), responses.positions
            )
            for each in page.positions
        }
    except (AccessDenied, NotFound, WrongAddress) as error:
        client.send(requests.deleted_since(base_url, client.now()), responses.deleted)
        why = unreadable("positions", error).why
        notes.append(f"The positions cannot be checked: {why}. [{error.detail}]")
    else:
        _check_positions(config, known)
    candidates, is_anybody_there = None, False
    try:
        is_anybody_there = has_candidates(base_url, client)
    except UNREADABLE as error:
        candidates = unreadable("candidates", error)
        notes.append(
            "A record whose post gets no answer is rejected as unknown, and people who are in "
            f"Comeet already are not recognised: {candidates.why}. {candidates.remedy} "
            f"[{error.detail}]"
        )
    return Findings([*notes, CREATE_IS_NOT_TESTED], candidates, is_anybody_there)


def unreadable(what: str, error: AtsError) -> Unreadable:
    """Return why a list cannot be read. Only a denial says that a permission is missing."""
    if isinstance(error, AccessDenied):
        return Unreadable(
            f"the integration may not retrieve {what}",
            f"Ask Comeet for the permission to retrieve {what}.",
        )
    return Unreadable(
        f"Comeet's list of {what} cannot be read, because its answer is not the expected one",
        f"Check base_url, and that the integration has the permission to retrieve {what}.",
    )


def has_candidates(base_url: str, client: Client) -> bool:
    """Return True if Comeet shows any candidate. Raises one of `UNREADABLE` if it may not."""
    first = requests.created_between(base_url, limit=1)
    pages = list_pages(client.send, base_url, first, responses.candidates)
    return any(page.candidates for page, _ in pages)


def _check_positions(config: DestinationConfig, known: dict[str, str | None]) -> None:
    for number, stream in enumerate(config.streams):
        where = f"streams[{number}]"
        named = [(f"{where}.position_uid", stream.position_uid)]
        named += [
            (f"{where}.positions[{each}].position_uid", position.position_uid)
            for each, position in enumerate(stream.positions or [])
        ]
        for name, uid in named:
            if uid is None:
                continue
            if uid not in known:
                message = (
                    f"{name}: {uid} is not a position of this account, or not one that is shared "
                    "with the integration. Correct it, or share the position in Comeet."
                )
                raise ConfigError(message)
            if known[uid] == "closed":
                message = f"{name}: {uid} is a position that is closed. Open it, or name another."
                raise ConfigError(message)
