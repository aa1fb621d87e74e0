"""Records into candidates of Comeet: one module per mapping kind, one way to keys and positions.

Each kind says whom a record is about (`Person`). What follows is the same for all: the key under
which Comeet knows the person, and one candidate for each position. A record that is rejected or
skipped is a value, not an exception.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from destination_comeet.config import (
    AtzMapping,
    ComeetMapping,
    CustomMapping,
    KomboMapping,
    StreamSettings,
    TalemetryMapping,
)
from destination_comeet.mapping.atz_candidates import from_atz_candidates
from destination_comeet.mapping.comeet import from_comeet
from destination_comeet.mapping.expressions import (
    Expression,
    Target,
    compiled,
    from_custom,
    skipped_by,
    targets_of,
    with_extra_fields,
)
from destination_comeet.mapping.keys import PrimaryKey, partner_candidate_id
from destination_comeet.mapping.kombo_candidates import from_kombo_candidates
from destination_comeet.mapping.model import (
    KEY,
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
from destination_comeet.mapping.values import cleaned, has_hash
from destination_comeet.validation import REQUIRED
from source_ats.errors import ConfigError

__all__ = ["Candidate", "Mapper", "PrimaryKey", "Rejection", "Skipped", "mapper"]

_POSITION_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Documented: two groups of hexadecimal digits with a dot. It becomes part of an address."""

_MAY_BE_DROPPED = "the privacy settings of the source may drop (privacy.drop)"
IS_A_HASH = "is a hash, as privacy.hash of the source makes it"


@dataclass(frozen=True, slots=True)
class _Rules:
    """How the records of a stream are mapped."""

    settings: StreamSettings
    kind: MappingKind
    key_of: MappingKind
    """The same, as far as the key is concerned: no other expression is evaluated."""
    jobs: Mapping[str, str]
    extra: Sequence[Target]
    skip_when: Expression | None


def mapper(settings: StreamSettings, primary_key: PrimaryKey) -> Mapper:
    """Return how the records of a stream are mapped. Raises `ConfigError` for a bad expression."""
    where = f"Stream {settings.stream}"
    extra = targets_of(settings.extra_fields or (), f"{where}, extra_fields")
    kind: MappingKind
    key_of: MappingKind | None = None
    uses_primary_key = False
    match settings.mapping:
        case ComeetMapping():
            kind = partial(from_comeet, primary_key=primary_key)
            uses_primary_key = True
        case KomboMapping():
            kind = from_kombo_candidates
        case TalemetryMapping():
            kind = from_talemetry_profiles
        case AtzMapping():
            kind = from_atz_candidates
        case CustomMapping() as custom:
            targets = targets_of(custom.fields, f"{where}, mapping.fields")
            kind = partial(from_custom, targets=targets, primary_key=primary_key)
            key_of = partial(from_custom, targets=_keys(targets), primary_key=primary_key)
            uses_primary_key = not _keys(targets)
    uses_primary_key &= not _keys(extra)
    if settings.verbatim_partner_id and uses_primary_key and len(primary_key) > 1:
        message = (
            f"{where}: verbatim_partner_id needs a key of one column, and the primary key of the "
            f"catalog has {len(primary_key)}. Take one of them as partner_candidate_id in "
            "extra_fields, or turn verbatim_partner_id off."
        )
        raise ConfigError(message)
    skip_when = None
    if settings.skip_when is not None:
        skip_when = compiled(settings.skip_when, f"{where}, skip_when")
    jobs = {each.job_id: each.position_uid for each in settings.positions or ()}
    return partial(_mapped, rules=_Rules(settings, kind, key_of or kind, jobs, extra, skip_when))


def _keys(targets: Sequence[Target]) -> Sequence[Target]:
    return [target for target in targets if target.path == (KEY,)]


def _mapped(record: Record, rules: _Rules) -> Sequence[Candidate | Rejection | Skipped]:
    return [
        replace(each, key=_key_of_unmapped(each, record, rules))
        if isinstance(each, Rejection | Skipped) and each.key is None and each.field != KEY
        else each
        for each in _outcomes(record, rules)
    ]


def _key_of_unmapped(outcome: Rejection | Skipped, record: Record, rules: _Rules) -> str | None:
    """Return the key of a record that is skipped or rejected before it had one.

    So that a later record of the same key replaces what is kept of it. The mappings make no key for
    a record with a mark that skips it, so the marks are left out.
    """
    person: Person | Rejection | Skipped | None = outcome if isinstance(outcome, Skipped) else None
    try:
        while person is None or isinstance(person, Skipped):
            if person is not None:
                skipping = person.field
                record = {name: value for name, value in record.items() if name != skipping}
            before, person = person, rules.key_of(record)
            if person == before:
                return None
        if isinstance(person, Person) and rules.extra:
            person = with_extra_fields(person, record, _keys(rules.extra))
    except RecursionError:
        return None
    key = _key_of(person, rules.settings) if isinstance(person, Person) else None
    return key if isinstance(key, str) else None


def _key_of(person: Person, settings: StreamSettings) -> str | Rejection:
    return partner_candidate_id(
        settings.prefix, person.source_key, verbatim=settings.verbatim_partner_id
    )


def _outcomes(record: Record, rules: _Rules) -> Sequence[Candidate | Rejection | Skipped]:
    if record.get("_ab_cdc_deleted_at") is not None:
        return [Skipped("_ab_cdc_deleted_at", "is set: the record is deleted")]
    if record.get("confidential") is True:
        return [Skipped("confidential", "is true: the person must not be passed on")]
    try:
        skipped = None if rules.skip_when is None else skipped_by(record, rules.skip_when)
        if skipped is not None:
            return [skipped]
        person = _person(record, rules)
        if isinstance(person, Rejection | Skipped):
            return [person]
        fields = cleaned(person.fields)
    except RecursionError:
        return [Rejection("record", "is nested too deeply")]
    settings = rules.settings
    key = _key_of(person, settings)
    if isinstance(key, Rejection):
        return [key]
    positions = _positions(person, key, settings.position_uid, rules.jobs)
    if isinstance(positions, Rejection) and not _has_column(record, person, POSITION):
        column = person.columns[POSITION]
        reason = f"{positions.reason}; the record has no {column}, which {_MAY_BE_DROPPED}"
        return [Rejection(POSITION, reason, key)]
    if isinstance(positions, Rejection | Skipped):
        return [positions]
    withheld = _withheld(person, record, fields)
    return [
        Candidate(uid, key, fields, skip, withheld=withheld, left_out=person.left_out)
        for uid, skip in positions.items()
    ]


def _without_hashes(person: Person, kept: Container[str]) -> Person:
    """Leave out other values that the source has hashed: they would replace the real ones.

    A value of several parts is left out as a whole: without one of them it would erase that part.
    """
    fields = {
        name: value if name in kept else _not_hashed(value) for name, value in person.fields.items()
    }
    hashed = [name for name, value in fields.items() if value != person.fields[name]]
    return replace(person, fields=fields, left_out=tuple((name, IS_A_HASH) for name in hashed))


def _not_hashed(value: Any) -> Any:
    """Return a value, None if it has a hash in it, or a list without the elements that have one."""
    if isinstance(value, list):
        return [each for each in map(_not_hashed, value) if each is not None]
    if isinstance(value, dict):
        # A file is told by its id, also by a hashed one, which is not sent.
        return (
            None if any(has_hash(each) for name, each in value.items() if name != "id") else value
        )
    return None if has_hash(value) else value


def _person(record: Record, rules: _Rules) -> Person | Rejection | Skipped:
    person = rules.kind(record)
    if isinstance(person, Person) and rules.extra:
        person = with_extra_fields(person, record, rules.extra)
    if isinstance(person, Person) and person.columns:
        chosen = {target.path[0] for target in rules.extra if len(target.path) == 1}
        return _without_hashes(person, chosen.union(REQUIRED))
    return person


def _withheld(person: Person, record: Record, fields: Mapping[str, Any]) -> Mapping[str, str]:
    """Return why a required field cannot be sent although the source may well have it."""
    found = {}
    for name in REQUIRED:
        value = fields.get(name)
        if value is None and not _has_column(record, person, name):
            column = person.columns[name]
            found[name] = (
                f"is missing, and Comeet requires it; the record has no {column}, which "
                f"{_MAY_BE_DROPPED}"
            )
        elif name in person.columns and has_hash(value):
            found[name] = IS_A_HASH
    return found


def _has_column(record: Record, person: Person, name: str) -> bool:
    """True unless the record lacks the column that the mapping reads this from."""
    return name not in person.columns or person.columns[name] in record


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
    return Skipped(
        "applications",
        "are for jobs for which no position is configured (streams[].positions)",
        key,
    )
