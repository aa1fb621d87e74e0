"""What Comeet takes of a candidate, as far as can be told before it is asked.

Facts: Comeet's API reference; where captures disagree, the strictest that still accepts the
reference's own example: a file named without an extension, a picture without a name, a source
contact without one. A bad file fails the whole call (documented for the add-file endpoint, assumed
for this one).
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

LONGEST_FILE = 6_000_000
"""Bytes, decoded. "6 MB" is documented; decoded and decimal is the strictest reading."""
LONGEST_BODY = 20_000_000
"""Characters of all files of one request together. Not documented, assumed."""

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

FILE_FIELDS = ("resume", "picture", "files")
"""Fields with files, in the order in which they have room in a request."""
REQUIRED = ("first_name", "last_name")
UPDATABLE = frozenset({
    "first_name", "middle_name", "last_name", "email", "phone", "mobile_phone", "national_id",
    "linkedin_url", "prospect_status", "address", "custom_fields",
})  # fmt: skip
"""What can be changed later: the newest capture."""

Problem = tuple[str, str]
"""Field and reason; no value of the record."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A candidate's fields as Comeet takes them, and what had to be left out for that."""

    fields: Mapping[str, Any]
    problems: Sequence[Problem]


class _BadField(Exception):
    """A value that Comeet would refuse."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.problem = (field, reason)


def missing(fields: Mapping[str, object]) -> Problem | None:
    """Return the first field that Comeet requires and that is not there; None if all are."""
    absent = (name for name in REQUIRED if name not in fields)
    return next(((name, "is missing, and Comeet requires it") for name in absent), None)


def checked(fields: Mapping[str, object]) -> Checked:
    """Return the fields as Comeet takes them: numbers as text, base64 in its plain spelling.

    What it would refuse is left out: a part of an object or list where the rest stands without it.
    """
    problems: list[Problem] = []
    good = {}
    for name, value in fields.items():
        try:
            good[name] = FIELDS[name](name, value, problems)
        except _BadField as bad:
            problems.append(bad.problem)
    kept = {name: value for name, value in good.items() if value not in ({}, [])}
    return Checked(kept, problems)


Rule = Callable[[str, object, list[Problem]], Any]
"""Returns a field's value as Comeet takes it. Parts that it would refuse are left out, with a
problem; raises `_BadField` if nothing is left."""


def _text(name: str, value: object, problems: list[Problem]) -> str:
    del problems
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        # The spelling of JSON: true, 5003, 1.5.
        return json.dumps(value)
    if not isinstance(value, str):
        raise _BadField(name, "has to be text")
    return value


def _prospect_status(name: str, value: object, problems: list[Problem]) -> str:
    del problems
    if value not in PROSPECT_STATUSES:
        raise _BadField(name, f"has to be spelled as one of: {', '.join(PROSPECT_STATUSES)}")
    return str(value)


def _object(
    name: str,
    value: object,
    problems: list[Problem],
    *,
    required: tuple[str, ...] = (),
    optional: tuple[str, ...] | None = (),
) -> dict[str, str]:
    """Return an object of texts. `optional`: the other keys that Comeet knows; None: any."""
    if not isinstance(value, Mapping):
        raise _BadField(name, "has to be an object")
    for key in required:
        if key not in value:
            raise _BadField(f"{name}.{key}", "is missing, and Comeet requires it")
    parts = {}
    for key, each in value.items():
        if key in required:
            parts[key] = _text(f"{name}.{key}", each, problems)
        elif optional is not None and key not in optional:
            problems.append((name, "has a key that Comeet does not know"))
        else:
            try:
                # The keys of custom fields are the user's, and may say something of a person.
                parts[key] = _text(name if optional is None else f"{name}.{key}", each, problems)
            except _BadField as bad:
                problems.append(bad.problem)
    return parts


def _address(name: str, value: object, problems: list[Problem]) -> dict[str, str]:
    # The keys are known from a sample only.
    return _object(name, value, problems, optional=("country", "city", "state", "zip", "street"))


def _source_contact(name: str, value: object, problems: list[Problem]) -> dict[str, str]:
    return _object(name, value, problems, required=("email",), optional=("full_name", "phone"))


def _custom_fields(name: str, value: object, problems: list[Problem]) -> dict[str, str]:
    return _object(name, value, problems, optional=None)


def _links(name: str, value: object, problems: list[Problem]) -> list[dict[str, str]]:
    return _each(
        name,
        value,
        problems,
        lambda part, link, _: _object(part, link, problems, required=("url",)),
    )


def _files(name: str, value: object, problems: list[Problem]) -> list[dict[str, str]]:
    return _each(name, value, problems, lambda part, file, _: _file(part, file, FILE_TYPES))


def _resume(name: str, value: object, problems: list[Problem]) -> dict[str, str]:
    del problems
    return _file(name, value, RESUME_TYPES)


def _picture(name: str, value: object, problems: list[Problem]) -> dict[str, str]:
    # Limits of pictures are not documented; those of other files are assumed.
    del problems
    return _file(name, value, IMAGE_TYPES)


def _each(name: str, value: object, problems: list[Problem], rule: Rule) -> list[Any]:
    if not isinstance(value, list):
        raise _BadField(name, "has to be a list")
    good = []
    for number, each in enumerate(value):
        try:
            good.append(rule(f"{name}.{number}", each, problems))
        except _BadField as bad:
            problems.append(bad.problem)
    return good


def _file(field: str, value: object, types: frozenset[str]) -> dict[str, str]:
    required = ("file",) if types is IMAGE_TYPES else ("name", "file")
    odd: list[Problem] = []
    file = _object(field, value, odd, required=required, optional=("name", "id"))
    if odd:
        raise _BadField(*odd[0])
    if "name" in file and not _is_of_type(file["name"], types):
        raise _BadField(f"{field}.name", "has a type of file that Comeet does not take there")
    content = file["file"]
    return file if is_address(content) else {**file, "file": _base64(f"{field}.file", content)}


def _is_of_type(name: str, types: frozenset[str]) -> bool:
    stem, dot, extension = name.rpartition(".")
    if not dot:
        # The reference's example has such a name among the files.
        return types is FILE_TYPES
    return bool(stem) and extension.lower() in types


def is_address(content: str) -> bool:
    """True if a file is not there, but somewhere else."""
    schemes = ("https://", "http://")  # ignore-https-check - nothing is requested here
    return content[:8].lower().startswith(schemes)


def _base64(field: str, text: str) -> str:
    """Return base64 as the standard spells it: padded, in one line, without a `data:` prefix."""
    if text[:5].lower() == "data:":
        header, _, text = text.partition(",")
        if not header.lower().endswith(";base64"):
            raise _BadField(field, "is a data: address that is not base64")
        text = unquote(text)
    text = "".join(text.split()).translate(_URL_SAFE).rstrip("=")
    text += "=" * (-len(text) % 4)
    if len(text) // 4 * 3 - text[-2:].count("=") > LONGEST_FILE:
        raise _BadField(field, f"is larger than {LONGEST_FILE} bytes")
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _BadField(field, "is not base64") from None
    return text


_URL_SAFE = str.maketrans("-_", "+/")


FIELDS: Mapping[str, Rule] = {
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
