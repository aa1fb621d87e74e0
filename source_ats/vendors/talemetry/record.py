"""Turns a candidate, HR-XML converted to JSON, into a record.

JSON made from XML has no stable lists: one entry is the entry itself, several are a list, none is
null or a missing key (one entry as a bare object was seen in a vendor sample; the rest is inferred
from it). In the record every repeatable element is a list. Nothing is lost: a value without a
column, or of another shape than its column, is in `extra`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from source_ats.clock import rfc3339
from source_ats.decoding import encode

Json = dict[str, Any]


COPIES = (
    (("formatted_name",), ("contact", "PersonName", "FormattedName")),
    (("given_name",), ("contact", "PersonName", "GivenName")),
    (("family_name",), ("contact", "PersonName", "FamilyName")),
    (("email",), ("contact", "ContactMethod", "InternetEmailAddress")),
)
"""Columns, and where in `contact` the same value is."""


def encoded(candidate: Json, guid: str, include: Collection[str], as_of: str) -> bytes:
    """Return the record of a person, a JSON object on one line. The candidate is consumed."""
    return encode(record(candidate, guid, include, as_of))


def tombstone(guid: str, as_of: str) -> bytes:
    """Return the record of a person who was deleted."""
    return encode({"id": guid, "is_deleted": True, "as_of": as_of})


def record(candidate: Json, guid: str, include: Collection[str], as_of: str) -> Json:
    """Return a person as a record, made from parts of the candidate, which is consumed.

    `include` names the requested blocks. The column of any other block is null, unless the vendor
    sent it anyway.
    """
    _drop_namespaces(candidate)
    rest = candidate
    resume = _nested(rest, "Resume", "StructuredXMLResume")
    area = _nested(rest, "UserArea")
    contact = _taken(resume, "ContactInfo", dict)
    name = _nested(contact or {}, "PersonName")
    columns: dict[str, list[Any] | None] = {
        "employment_history": _entries(resume, "EmploymentHistory", "EmployerOrg", dict),
        "education_history": _entries(resume, "EducationHistory", "SchoolOrInstitution", dict),
        "applications": _entries(area, "RelatedPositionPostings", "RelatedPositionPosting", dict),
        "notes": _entries(area, "Notes", "Note", dict),
        "tags": _entries(area, "Tags", "Tag", str),
        "audience_types": _entries(area, "AudienceType", "AudienceType", str),
    }
    do_not_contact = _do_not_contact(area)
    columns["custom_data"] = _custom_data(area) or None
    for column, option in _OPTIONS.items():
        if columns[column] is None and option in include:
            columns[column] = []
    for column, part in (
        ("employment_history", "PositionHistory"),
        ("education_history", "Degree"),
    ):
        for entry in columns[column] or ():
            entry[part] = _as_list(entry.get(part))
    lifecycle_state = _taken(_nested(area, "Lifecycle"), "State", str)
    referrals = _taken(area, "Referrals", dict)
    _nested(rest, "CandidateRecordInfo", "Id").pop("IdValue", None)
    return {
        "id": guid,
        "formatted_name": _string(name, "FormattedName"),
        "given_name": _string(name, "GivenName"),
        "family_name": _string(name, "FamilyName"),
        "email": _email(contact),
        "contact": contact,
        **columns,
        "lifecycle_state": lifecycle_state,
        "do_not_contact": do_not_contact,
        "referrals": referrals,
        "extra": _extra(rest, area),
        "is_deleted": False,
        "as_of": as_of,
    }


_OPTIONS = {
    "employment_history": "experience",
    "education_history": "education",
    "applications": "ats_application_histories",
    "notes": "notes",
    "tags": "tags",
    "custom_data": "custom_data",
    # Inferred: a sample shows them among the custom fields, and they have no option of their own.
    "audience_types": "custom_data",
}


def _drop_namespaces(value: Json | list[Any]) -> None:
    """Drop the keys that XML namespaces leave behind, at all levels."""
    if isinstance(value, dict):
        for key in [key for key in value if key == "xmlns" or ":" in key]:
            if key.startswith(("xmlns", "xsi:")):
                del value[key]
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, _CONTAINERS):
            _drop_namespaces(each)


_CONTAINERS = (dict, list)


def _nested(parent: Json, *path: str) -> Json:
    """Return the object at a path; an empty one if there is none."""
    for key in path:
        value = parent.get(key)
        parent = value if isinstance(value, dict) else {}
    return parent


def _string(parent: Json, key: str) -> str | None:
    value = parent.get(key)
    return value if isinstance(value, str) else None


def _taken(parent: Json, key: str, kind: type) -> Any:
    """Remove a value of this type from its parent and return it; else return None."""
    return parent.pop(key) if isinstance(parent.get(key), kind) else None


def _as_list(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _entries(parent: Json, block: str, element: str, kind: type) -> list[Any] | None:
    """Remove the entries of this type from a block, which may be repeated, and return them.

    None if there is no such block. Entries of another type stay.
    """
    if block not in parent:
        return None
    found: list[Any] = []
    left = []
    for each in _as_list(parent.pop(block)):
        if not isinstance(each, dict) or element not in each:
            left += [each] if each not in _EMPTY else []
            continue
        values = _as_list(each[element])
        found += [value for value in values if isinstance(value, kind)]
        # An empty element is null, which is not an entry.
        others = [value for value in values if value is not None and not isinstance(value, kind)]
        siblings = {key: value for key, value in each.items() if key != element}
        if siblings or others:
            left.append({**siblings, element: others} if others else siblings)
    if left:
        parent[block] = left[0] if len(left) == 1 else left
    return found


def _email(contact: Json | None) -> str | None:
    """Return the first address that any contact method has."""
    for method in _as_list(contact.get("ContactMethod") if contact else None):
        if isinstance(method, dict):
            for address in _as_list(method.get("InternetEmailAddress")):
                if isinstance(address, str) and address:
                    return address
    return None


def _do_not_contact(area: Json) -> Json | None:
    """Remove the DoNotContact and DoNotHire blocks. Their shape is not documented."""
    keys = [key for key in area if key.lower().startswith("donot")]
    return {key: area.pop(key) for key in keys} or None


def _custom_data(area: Json) -> list[Json]:
    """Remove the fields from the user area: every object with a `Value` is one (inferred)."""
    found = []
    for name in list(area):
        field = area[name]
        if name in _BLOCKS or not isinstance(field, dict) or "Value" not in field:
            continue
        content = field.pop("Value")
        value, values = _as_string(content), _strings(content)
        if content is not None and value is None and values is None:
            # Neither a string nor a list of strings: also kept as it is.
            field["Value"] = content
            value = None if isinstance(content, _CONTAINERS) else encode(content).decode()
        updated_at = _rfc3339(field.get("UpdatedAt"))
        if updated_at is not None or field.get("UpdatedAt") is None:
            field.pop("UpdatedAt", None)
        found.append({"name": name, "value": value, "values": values, "updated_at": updated_at})
        if not field:
            del area[name]
    return found


_BLOCKS = {
    "AudienceType",
    "Lifecycle",
    "Notes",
    "Referrals",
    "RelatedPositionPostings",
    "Tags",
}
"""Blocks of the user area that are not fields."""


def _as_string(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _strings(value: object) -> list[str | None] | None:
    """Return the strings of a field with several values: `{"Value": ...}`, or a list."""
    if isinstance(value, dict) and value.keys() == {"Value"}:
        value = _as_list(value["Value"])
    if isinstance(value, list) and all(each is None or isinstance(each, str) for each in value):
        return value
    return None


def _rfc3339(text: object) -> str | None:
    """Return a time such as `2025-01-06 10:00:00 UTC` as RFC 3339; None if it is not a time."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text.strip().removesuffix(" UTC"))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return rfc3339(moment, "auto")
    except (ValueError, OverflowError):
        return None


def _extra(rest: Json, area: Json) -> Json:
    """Return what is left: blocks of the user area by name, everything else where it was.

    A block of the user area whose name is taken is under `UserArea`.
    """
    _drop_if_empty(rest, "Resume", "StructuredXMLResume", "ContactInfo")
    _drop_if_empty(rest, "CandidateRecordInfo", "Id")
    for name in ("Lifecycle", "Referrals"):
        _drop_if_empty(area, name)
    if area or rest.get("UserArea") in _EMPTY:
        rest.pop("UserArea", None)
    taken = {"UserArea", *rest}
    hidden = {name: block for name, block in area.items() if name in taken}
    shown = {name: block for name, block in area.items() if name not in taken}
    return {**rest, **shown, **({"UserArea": hidden} if hidden else {})}


_EMPTY: tuple[object, ...] = (None, {}, [])


def _drop_if_empty(parent: Json, *path: str) -> None:
    """Drop the last container of a path if it is empty, then the one around it."""
    for depth in range(len(path), 0, -1):
        around = _nested(parent, *path[: depth - 1])
        if path[depth - 1] in around and around[path[depth - 1]] in _EMPTY:
            del around[path[depth - 1]]
