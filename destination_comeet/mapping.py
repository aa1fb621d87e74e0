"""Records into candidates of Comeet: four kinds of mapping, one way to keys and positions.

Each kind says who a record is about (`_Person`); what follows is the same for all: the key in our
name, and one candidate for each position that the person goes to. A refusal is a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

import jmespath
from jmespath.exceptions import JMESPathError

from destination_comeet.config import (
    ComeetMapping,
    CustomMapping,
    KomboMapping,
    StreamSettings,
    TalemetryMapping,
)
from destination_comeet.validation import FIELDS
from source_ats.errors import ConfigError

LONGEST_KEY = 64
"""Neither length nor letters of `partner_candidate_id` are documented: ASCII, at most so many."""

KEY, POSITION, JOB = "partner_candidate_id", "position_uid", "job_id"
OBJECTS = ("address", "source_contact", "custom_fields", "resume", "picture")
"""Fields whose parts an expression may fill one by one: `address.city`."""

Record = Mapping[str, Any]
PrimaryKey = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate for one position. `fields` holds what is sent beside position and key."""

    position_uid: str
    key: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that is not sent: which field, and why. No value of the record."""

    field: str
    reason: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class _Application:
    """One job that a person applied to, under any of its ids."""

    job_ids: tuple[str, ...]
    closed: bool = False


@dataclass(frozen=True, slots=True)
class _Person:
    """Who a record is about."""

    source_key: object
    fields: Mapping[str, Any]
    applications: Sequence[_Application] = ()
    position_uid: str | None = None


Mapper = Callable[[Record], Sequence[Candidate | Refused]]
_Kind = Callable[[Record], _Person | Refused]


def mapper(settings: StreamSettings, primary_key: PrimaryKey) -> Mapper:
    """Return how the records of a stream are mapped. Raises `ConfigError` for a bad expression."""
    kind: _Kind
    match settings.mapping:
        case ComeetMapping():
            kind = partial(_as_comeet, primary_key=primary_key)
        case KomboMapping():
            kind = _from_kombo
        case TalemetryMapping():
            kind = _from_talemetry
        case CustomMapping() as custom:
            kind = partial(_custom, fields=_compiled(settings, custom), primary_key=primary_key)
    jobs = {each.job_id: each.position_uid for each in settings.positions or ()}
    return partial(_mapped, settings=settings, kind=kind, jobs=jobs)


def _mapped(
    record: Record, settings: StreamSettings, kind: _Kind, jobs: Mapping[str, str]
) -> Sequence[Candidate | Refused]:
    if record.get("_ab_cdc_deleted_at") is not None:
        return [Refused("_ab_cdc_deleted_at", "is set: the record is deleted")]
    person = kind(record)
    if isinstance(person, Refused):
        return [person]
    key = _key(settings.prefix, person.source_key)
    if isinstance(key, Refused):
        return [key]
    positions = _positions(person, settings.position_uid, jobs)
    if isinstance(positions, Refused):
        return [Refused(positions.field, positions.reason, key)]
    fields = _filled(person.fields)
    return [Candidate(each, key, fields) for each in positions]


def _key(prefix: str, source_key: object) -> str | Refused:
    """Return the key under which Comeet knows the person; the same for the same record, always."""
    if isinstance(source_key, bool) or not isinstance(source_key, (str, int)) or source_key == "":
        return Refused(KEY, "cannot be made: the record's key is missing, or no text or number")
    key = f"{prefix}{source_key}"
    if "@" in key:
        return Refused(KEY, "would contain @: an address must not be a key, choose another one")
    if len(key) <= LONGEST_KEY and key.isascii() and key.isprintable():
        return key
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()[:48]}"


def _positions(
    person: _Person, default: str | None, jobs: Mapping[str, str]
) -> Sequence[str] | Refused:
    """Return where the person goes: what the record says, its applications, or the default.

    Closed applications, and those to jobs without a position, count only if there is no other.
    """
    if person.position_uid is not None:
        return [person.position_uid]
    if not person.applications:
        if default is None:
            return Refused(POSITION, "is named neither by the record nor by the configuration")
        return [default]
    still_open = [each for each in person.applications if not each.closed]
    if not still_open:
        return Refused("applications", "are all declined or hired")
    found = (jobs[job] for each in still_open for job in each.job_ids if job in jobs)
    positions = list(dict.fromkeys(found))
    return positions or Refused("applications", "are for jobs that have no position (positions)")


def _primary_key(record: Record, primary_key: PrimaryKey) -> object:
    """Return the value of a record's primary key; of several columns, one text made of all."""
    values = [_inside(record, path) for path in primary_key]
    if len(values) <= 1:
        return values[0] if values else None
    if not all(isinstance(each, (str, int)) and not isinstance(each, bool) for each in values):
        return None
    return ":".join(quote(str(each), safe=" ") for each in values)


def _inside(record: object, path: Sequence[str]) -> object:
    for part in path:
        record = record.get(part) if isinstance(record, Mapping) else None
    return record


def _filled(value: Any) -> Any:
    """Return an object without what is empty at any depth: its effect is not documented."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Mapping):
        parts = ((key, _filled(each)) for key, each in value.items())
        return {key: each for key, each in parts if not _is_empty(each)}
    if isinstance(value, list):
        return [each for each in map(_filled, value) if not _is_empty(each)]
    return value


def _is_empty(value: object) -> bool:
    return value is None or value in ("", {}, [])


# Comeet's own names -------------------------------------------------------------------------------


def _as_comeet(record: Record, primary_key: PrimaryKey) -> _Person | Refused:
    if record.get("deleted") is True:
        return Refused("deleted", "is true: the record is a tombstone")
    key = record.get(KEY)
    return _own_names(record, _primary_key(record, primary_key) if key is None else key)


def _own_names(values: Record, source_key: object) -> _Person | Refused:
    position = values.get(POSITION)
    if position is not None and not isinstance(position, str):
        return Refused(POSITION, "has to be text")
    job = values.get(JOB)
    return _Person(
        source_key=source_key,
        fields={name: values[name] for name in FIELDS if name in values},
        applications=[] if job is None else [_Application((str(job),))],
        position_uid=position or None,
    )


# Custom: JMESPath ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Field:
    """An expression, and the place in the candidate that it fills."""

    path: Sequence[str]
    expression: jmespath.parser.ParsedResult = field(repr=False)


def _compiled(settings: StreamSettings, custom: CustomMapping) -> Sequence[_Field]:
    fields = []
    for number, each in enumerate(custom.fields):
        where = f"Stream {settings.stream}, mapping.fields.{number}"
        name, _, part = each.comeet_field.partition(".")
        if name not in (OBJECTS if part else {*FIELDS, KEY, POSITION, JOB}):
            message = (
                f"{where}.comeet_field: Comeet has no such field. The fields are "
                f"{', '.join(sorted(FIELDS))}; parts of {', '.join(OBJECTS)} are written with a "
                "dot, as in address.city."
            )
            raise ConfigError(message)
        try:
            expression = jmespath.compile(each.expression)
        except JMESPathError as error:
            at = getattr(error, "lex_position", None)
            place = "" if at is None else f" (at character {at + 1})"
            message = f"{where}.expression: is not a JMESPath expression{place}."
            raise ConfigError(message) from None
        fields.append(_Field((name, part) if part else (name,), expression))
    return fields


def _custom(record: Record, fields: Sequence[_Field], primary_key: PrimaryKey) -> _Person | Refused:
    values: dict[str, Any] = {}
    for each in fields:
        try:
            value = each.expression.search(record)
        except JMESPathError:
            # Its text shows the value.
            name = ".".join(each.path)
            return Refused(name, "cannot be made: the expression does not fit the record's types")
        if len(each.path) == 1:
            values[each.path[0]] = value
        else:
            values.setdefault(each.path[0], {})[each.path[1]] = value
    own_key = any(each.path == (KEY,) for each in fields)
    key = values.get(KEY) if own_key else _primary_key(record, primary_key)
    return _own_names(values, key)


# Kombo: the stream candidates of source-ats -------------------------------------------------------


def _from_kombo(record: Record) -> _Person | Refused:
    if record.get("remote_deleted_at") is not None:
        return Refused("remote_deleted_at", "is set: the candidate is deleted")
    if str(record.get("integration_id")).startswith("comeet:"):
        return Refused("integration_id", "is Comeet itself: the candidate comes from there")
    if record.get("confidential") is True:
        return Refused("confidential", "is true: the candidate must not be passed on")
    phones = [each.get("phone_number") for each in _objects(record.get("phone_numbers"))]
    emails = [each.get("email_address") for each in _objects(record.get("email_addresses"))]
    links = [each.get("link") for each in _objects(record.get("social_media"))]
    profiles = [link for link in links if _is_linkedin(link)]
    location = _object(record.get("location"))
    return _Person(
        source_key=record.get("id"),
        fields={
            "first_name": record.get("first_name"),
            "last_name": record.get("last_name"),
            "email": _first(emails),
            "mobile_phone": _first(phones),
            "phone": _first(phones[1:]),
            "linkedin_url": _first(profiles),
            "links": [{"url": link} for link in links if link and link not in profiles[:1]],
            "address": {
                "country": location.get("country"),
                "city": location.get("city"),
                "state": location.get("state"),
                "zip": location.get("zip_code"),
                "street": location.get("street_1"),
            },
        },
        applications=[_kombo_application(each) for each in _objects(record.get("applications"))],
    )


def _kombo_application(application: Record) -> _Application:
    job = _object(application.get("job"))
    ids = (job.get("id"), job.get("remote_id"))
    return _Application(
        tuple(each for each in ids if isinstance(each, str)),
        closed=application.get("outcome") in ("DECLINED", "HIRED"),
    )


def _is_linkedin(link: object) -> bool:
    if not isinstance(link, str):
        return False
    try:
        host = urlsplit(link if "://" in link else f"https://{link}").hostname or ""
    except ValueError:
        return False
    return host == "linkedin.com" or host.endswith(".linkedin.com")


# Talemetry: the stream profiles of source-ats -----------------------------------------------------

_CLOSED_WORDS = ("hired", "reject", "declin", "withdr", "not selected")
"""In the name of a disposition. Customers name them freely (inferred): the usual words."""


def _from_talemetry(record: Record) -> _Person | Refused:
    if record.get("is_deleted") is True:
        return Refused("is_deleted", "is true: the profile is deleted")
    if _is_marked(record.get("do_not_contact")):
        return Refused("do_not_contact", "is set: the person asked for it, or must not be hired")
    methods = _objects(_object(record.get("contact")).get("ContactMethod"))
    mobiles = [each for method in methods for each in _objects(method.get("Mobile"))]
    phones = [each for method in methods for each in _objects(method.get("Telephone"))]
    addresses = [each for method in methods for each in _objects(method.get("PostalAddress"))]
    return _Person(
        source_key=record.get("id"),
        fields={
            "first_name": record.get("given_name"),
            "last_name": record.get("family_name"),
            "email": record.get("email"),
            "mobile_phone": _first(map(_number, mobiles)),
            "phone": _first(map(_number, phones)),
            "address": _first(map(_address, addresses)),
        },
        applications=[
            _talemetry_application(each) for each in _objects(record.get("applications"))
        ],
    )


def _talemetry_application(application: Record) -> _Application:
    # The requisition's id (documented sample).
    job = application.get("Id")
    name = str(application.get("DispositionStatusName") or "").casefold()
    return _Application(
        (job,) if isinstance(job, str) else (),
        closed=bool(application.get("HireStartDate"))
        or any(word in name for word in _CLOSED_WORDS),
    )


def _number(phone: Record) -> str:
    """Return a phone number out of its three parts, any of which may be missing."""
    country = phone.get("InternationalCountryCode")
    rest = (phone.get("AreaCityCode"), phone.get("SubscriberNumber"))
    parts = [each for each in rest if each]
    return " ".join(map(str, [f"+{country}", *parts] if country and parts else parts))


def _address(address: Record) -> dict[str, object]:
    lines = _object(address.get("DeliveryAddress")).get("AddressLine")
    street = [str(each) for each in (lines if isinstance(lines, list) else [lines]) if each]
    return {
        "country": address.get("CountryCode"),
        "city": address.get("Municipality"),
        "state": address.get("Region"),
        "zip": address.get("PostalCode"),
        "street": ", ".join(street),
    }


def _is_marked(value: object) -> bool:
    """Tell whether a do-not-contact block says yes.

    Its shape is not documented (assumed: `DoNot...` flags at any depth, a `Value`, or a block that
    holds anything at all), so only a plain no, or nothing, counts as no.
    """
    if isinstance(value, str):
        return value.strip().casefold() not in ("", "false", "no", "n", "0")
    if isinstance(value, list):
        return any(map(_is_marked, value))
    if isinstance(value, Mapping):
        flags = [each for key, each in value.items() if key.casefold().startswith("donot")]
        if flags:
            return any(map(_is_marked, flags))
        return _is_marked(value["Value"]) if "Value" in value else bool(value)
    return bool(value)


# Parts of records that may be missing, null, or of another type -----------------------------------


def _object(value: object) -> Record:
    return value if isinstance(value, Mapping) else {}


def _objects(value: object) -> Sequence[Record]:
    """Return the objects of a list; one that stands alone counts as a list of one."""
    many = value if isinstance(value, list) else [value]
    return [each for each in many if isinstance(each, Mapping)]


def _first(values: Any) -> Any:
    return next(filter(None, values), None)
