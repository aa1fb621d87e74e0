"""Records into candidates of Comeet: one module per mapping kind, one way to keys and positions.

Each kind says whom a record is about (`Person`). What follows is the same for all: the key under
which Comeet knows the person, and one candidate for each position. A record that is rejected or
skipped is a value, not an exception.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial

from destination_comeet.config import (
    ComeetMapping,
    CustomMapping,
    KomboMapping,
    StreamSettings,
    TalemetryMapping,
)
from destination_comeet.mapping.comeet import from_comeet
from destination_comeet.mapping.custom import from_custom, targets_of
from destination_comeet.mapping.keys import PrimaryKey, partner_candidate_id
from destination_comeet.mapping.kombo_candidates import from_kombo_candidates
from destination_comeet.mapping.model import (
    POSITION,
    Candidate,
    Mapper,
    MappingKind,
    Person,
    Record,
    Rejection,
    Skipped,
)
from destination_comeet.mapping.talemetry_profiles import from_talemetry_profiles
from destination_comeet.mapping.values import cleaned

__all__ = ["Candidate", "Mapper", "PrimaryKey", "Rejection", "Skipped", "mapper"]

_POSITION_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Documented: two groups of hexadecimal digits with a dot. It becomes part of an address."""


def mapper(settings: StreamSettings, primary_key: PrimaryKey) -> Mapper:
    """Return how the records of a stream are mapped. Raises `ConfigError` for a bad expression."""
    kind: MappingKind
    match settings.mapping:
        case ComeetMapping():
            kind = partial(from_comeet, primary_key=primary_key)
        case KomboMapping():
            kind = from_kombo_candidates
        case TalemetryMapping():
            kind = from_talemetry_profiles
        case CustomMapping() as custom:
            targets = targets_of(settings, custom)
            kind = partial(from_custom, targets=targets, primary_key=primary_key)
    jobs = {each.job_id: each.position_uid for each in settings.positions or ()}
    return partial(_mapped, settings=settings, kind=kind, jobs=jobs)


def _mapped(
    record: Record, settings: StreamSettings, kind: MappingKind, jobs: Mapping[str, str]
) -> Sequence[Candidate | Rejection | Skipped]:
    if record.get("_ab_cdc_deleted_at") is not None:
        return [Skipped("_ab_cdc_deleted_at", "is set: the record is deleted")]
    try:
        person = kind(record)
        if isinstance(person, Rejection | Skipped):
            return [person]
        fields = cleaned(person.fields)
    except RecursionError:
        return [Rejection("record", "is nested too deeply")]
    key = partner_candidate_id(settings.prefix, person.source_key)
    if isinstance(key, Rejection):
        return [key]
    positions = _positions(person, key, settings.position_uid, jobs)
    if isinstance(positions, Rejection | Skipped):
        return [positions]
    return [Candidate(uid, key, fields, skip) for uid, skip in positions.items()]


def _positions(
    person: Person, key: str, default: str | None, jobs: Mapping[str, str]
) -> Mapping[str, Skipped | None] | Rejection | Skipped:
    """Return where the person goes: what the record says, its applications, or the default.

    With the position of closed applications goes the reason why nobody is created there. People
    who are there already get their updates.
    """
    if person.position_uid not in (None, ""):
        uid = person.position_uid
        if not isinstance(uid, str) or not _POSITION_UID.fullmatch(uid):
            return Rejection(POSITION, "is not the UID of a position, such as 4A.1C2", key)
        return {uid: None}
    if not person.applications:
        if default is None:
            return Rejection(POSITION, "is named neither by the record nor in streams[]", key)
        return {default: None}
    closed = Skipped("applications", "are declined or hired", key)
    positions: dict[str, Skipped | None] = {}
    for application in person.applications:
        for uid in (jobs[job] for job in application.job_ids if job in jobs):
            if not application.closed:
                positions[uid] = None
            else:
                positions.setdefault(uid, closed)
    if positions:
        return positions
    if all(application.closed for application in person.applications):
        return closed
    return Skipped("applications", "are for jobs that have no position in positions", key)
