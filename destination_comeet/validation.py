"""Whether Comeet takes a candidate, as far as can be told before it is asked.

Facts: Comeet's API reference; where captures disagree, the strictest. A bad file fails the
whole call (documented for the add-file endpoint, assumed for this one).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

LONGEST_FILE = 6_000_000
"""Bytes, decoded. "6 MB" is documented; decoded and decimal is the strictest reading."""
LONGEST_BODY = 20_000_000
"""Characters of all files together. Not documented, assumed."""

PROSPECT_STATUSES = (
    "Sourced",
    "Contacted",
    "Responded",
    "Interested",
    "Not interested",
    "Do not contact",
)
RESUME_TYPES = frozenset({"pdf", "doc", "docx"})
IMAGE_TYPES = frozenset({"jpeg", "jpg", "tiff", "tif", "png", "gif", "bmp", "jfif", "ico"})
FILE_TYPES = RESUME_TYPES | IMAGE_TYPES | {
    "xlsx", "zip", "pptx", "msg", "rar", "xls", "csv", "gsheet", "xml", "7z", "txt", "gz", "gdoc",
    "ppsx", "ppt", "ics", "html", "htm", "eml", "dwg", "gl", "cs", "css", "py", "java", "json",
    "mp3", "mp4", "psd", "odt", "pem", "cpp", "swf", "apk", "sql", "mov", "dash", "p7s", "dat",
    "ipynb", "rtf", "log", "pages",
}  # fmt: skip

UPDATABLE = frozenset({
    "first_name", "middle_name", "last_name", "email", "phone", "mobile_phone", "national_id",
    "linkedin_url", "prospect_status", "address", "custom_fields",
})  # fmt: skip
"""What can be changed later: the newest capture."""

Problem = tuple[str, str]
"""Field and reason; no value of the record."""


def problem(fields: Mapping[str, object]) -> Problem | None:
    """Return the first thing that Comeet would refuse, None if all looks well."""
    for name in ("first_name", "last_name"):
        if name not in fields:
            return name, "is missing, and Comeet requires it"
    for name, value in fields.items():
        found = FIELDS[name](name, value)
        if found is not None:
            return found
    if _characters_of_files(fields) > LONGEST_BODY:
        return "files", f"are more than {LONGEST_BODY} bytes together"
    return None


def _text(name: str, value: object) -> Problem | None:
    if not isinstance(value, str):
        return name, "has to be text"
    return None


def _prospect_status(name: str, value: object) -> Problem | None:
    if value not in PROSPECT_STATUSES:
        return name, f"has to be spelled as one of: {', '.join(PROSPECT_STATUSES)}"
    return None


def _object(
    name: str, value: object, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Problem | None:
    """Check an object of texts with these keys."""
    if not isinstance(value, dict):
        return name, "has to be an object"
    for key in required:
        if key not in value:
            return f"{name}.{key}", "is missing, and Comeet requires it"
    for key, each in value.items():
        if key not in required + optional:
            return name, "has a key that Comeet does not know"
        if not isinstance(each, str):
            return f"{name}.{key}", "has to be text"
    return None


def _address(name: str, value: object) -> Problem | None:
    # The keys are known from a sample only.
    return _object(name, value, (), ("country", "city", "state", "zip", "street"))


def _source_contact(name: str, value: object) -> Problem | None:
    return _object(name, value, ("full_name", "email"), ("phone",))


def _custom_fields(name: str, value: object) -> Problem | None:
    if not isinstance(value, dict):
        return name, "has to be an object"
    if not all(isinstance(each, str) for each in value.values()):
        return name, "may hold texts only"
    return None


def _links(name: str, value: object) -> Problem | None:
    return _each(name, value, lambda part, link: _object(part, link, ("url",)))


def _files(name: str, value: object) -> Problem | None:
    return _each(name, value, lambda part, file: _file(part, file, FILE_TYPES))


def _resume(name: str, value: object) -> Problem | None:
    return _file(name, value, RESUME_TYPES)


def _picture(name: str, value: object) -> Problem | None:
    # Limits of pictures are not documented; those of other files are assumed.
    return _file(name, value, IMAGE_TYPES)


def _each(
    name: str, value: object, check: Callable[[str, object], Problem | None]
) -> Problem | None:
    if not isinstance(value, list):
        return name, "has to be a list"
    found = (check(f"{name}.{number}", each) for number, each in enumerate(value))
    return next(filter(None, found), None)


def _file(name: str, value: object, types: frozenset[str]) -> Problem | None:
    found = _object(name, value, ("name", "file"))
    if found is not None or not isinstance(value, dict):
        return found
    stem, _, extension = value["name"].rpartition(".")
    if not stem or extension.lower() not in types:
        return f"{name}.name", "has a type of file that Comeet does not take there"
    if len(value["file"]) // 4 * 3 - value["file"][-2:].count("=") > LONGEST_FILE:
        return f"{name}.file", f"is larger than {LONGEST_FILE} bytes"
    try:
        base64.b64decode(value["file"], validate=True)
    except (binascii.Error, ValueError):
        return f"{name}.file", "is not clean base64: no line breaks, no data: prefix"
    return None


def _characters_of_files(fields: Mapping[str, Any]) -> int:
    files = [*fields.get("files", ()), fields.get("resume", {}), fields.get("picture", {})]
    return sum(len(file.get("file", "")) for file in files)


FIELDS: Mapping[str, Callable[[str, object], Problem | None]] = {
    "first_name": _text,
    "middle_name": _text,
    "last_name": _text,
    "email": _text,
    "phone": _text,
    "mobile_phone": _text,
    "national_id": _text,
    "linkedin_url": _text,
    "salary_expectations": _text,
    "prospect_status": _prospect_status,
    "resume": _resume,
    "picture": _picture,
    "links": _links,
    "files": _files,
    "source_contact": _source_contact,
    "address": _address,
    "custom_fields": _custom_fields,
    "note": _text,
}
"""Every field of Create a Candidate except position and key, and its rule."""
