"""Keys of unknown outcome: who in Comeet may be the person, and the decision of a person.

| in the ledger   | how it came there                    | `--adopt`           | `--create` |
| --------------- | ------------------------------------ | ------------------- | ---------- |
| sending: a note | a post without an answer that tells  | there with this uid | to create  |
| unmatched       | never posted: somebody may be it     | the same            | the same   |

What was decided is done when the record comes again, from the source or by a replay: an adopted
candidate gets the fields that differ, and one to create is posted.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

from destination_comeet.ledger import (
    NO_NOTE,
    Entry,
    KeyStatus,
    Ledger,
    NoteReason,
)
from destination_comeet.lookup import UNREADABLE, Lookup
from destination_comeet.matching import Comparison, is_same_position
from source_ats.errors import AccessDenied, AlreadyMerged, AnsweredBefore, ConfigError, NotFound
from source_ats.http.client import Client
from source_ats.vendors.comeet import requests, responses

log = logging.getLogger("airbyte.source_ats.comeet")

REASONS = {
    NoteReason.NO_ANSWER: "a post got no answer",
    NoteReason.CONFLICT: "Comeet answered that the candidate exists, and did not say which one",
}
UNMATCHED = "not posted by this ledger: the person may already be in Comeet"
_OTHER_UID = "Name another one: `destination-comeet unknown` lists the candidates that may match."


@dataclass(frozen=True, slots=True)
class Unknown:
    """A key of unknown outcome in one position."""

    entry: Entry
    reason: str
    near: Comparison | None
    """Who may be the person. None: Comeet does not show it."""


def unknown(ledger: Ledger, lookup: Lookup) -> Iterator[Unknown]:
    """Yield all, the oldest first. Raises what ends a run; a list that cannot be read does not."""
    is_readable = True
    for entry in ledger.unknown():
        is_sent = entry.status is KeyStatus.SENDING
        reason = REASONS[entry.note.reason] if is_sent else UNMATCHED
        near = None
        if is_readable:
            try:
                near = lookup.near(entry)
            except UNREADABLE as error:
                is_readable = False
                log.warning(
                    "Comeet's list of candidates cannot be read, so no candidates are shown. Check "
                    "that the integration has the permission to retrieve candidates. [%s]",
                    error.detail,
                )
        yield Unknown(entry, reason, near)


def create(ledger: Ledger, key: str) -> None:
    """Decide that nobody in Comeet is the person. Raises `ConfigError` for any other key."""
    for entry in _entries(ledger, key):
        decided = replace(entry, status=KeyStatus.TO_CREATE, hashes={}, note=NO_NOTE, files=None)
        ledger.save(decided, entry.noted_at)
        log.info(
            "%s is created in position %s when its record comes again, or by a replay.",
            key,
            entry.position,
        )


def adopt(ledger: Ledger, client: Client, base_url: str, key: str, uid: str) -> None:
    """Decide which candidate is the person. Raises `ConfigError` if it cannot be that one."""
    entries = _entries(ledger, key)
    shown = _shown(client, base_url, uid)
    if shown is not None:
        entries = [each for each in entries if is_same_position(each.position, shown)]
    if len(entries) != 1:
        where = "belongs to another position" if not entries else "may belong to several positions"
        raise ConfigError(f"{uid} {where}, so it cannot be adopted as {key}. {_OTHER_UID}")
    (entry,) = entries
    if ledger.is_held_by_another(uid, entry.position, key):
        message = f"{uid} is in the ledger under another key, so it cannot be adopted as {key}."
        raise ConfigError(f"{message} {_OTHER_UID}")
    ledger.save(
        replace(entry, status=KeyStatus.THERE, uid=uid, hashes={}, note=NO_NOTE, files=None),
        client.now(),
    )
    log.info(
        "%s is %s in Comeet from now on. It gets the fields that differ when its record comes "
        "again, or by a replay.",
        key,
        uid,
    )


def _shown(client: Client, base_url: str, uid: str) -> responses.Candidate | None:
    """Return the candidate; None if the integration may not read it."""
    message = f"Comeet has no candidate with the uid {uid}. {_OTHER_UID}"
    try:
        shown = client.send(requests.candidate(base_url, uid), responses.candidate)
    except AlreadyMerged:
        message = f"{uid} was merged into another candidate. Name that one."
        raise ConfigError(message) from None
    except NotFound as error:
        raise ConfigError(message, detail=error.detail) from None
    except (AccessDenied, AnsweredBefore) as error:
        log.warning(
            "The candidate cannot be read, so it was not checked that it exists. [%s]", error.detail
        )
        return None
    if shown.deleted:
        raise ConfigError(message)
    return shown


def _entries(ledger: Ledger, key: str) -> list[Entry]:
    entries = ledger.unknown(key)
    if not entries:
        message = (
            f"The ledger has no key {key} of unknown outcome. `destination-comeet unknown` lists "
            "the keys that can be decided."
        )
        raise ConfigError(message)
    return entries
