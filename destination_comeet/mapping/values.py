"""Parts of records that may be missing, null, or of another type than expected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from destination_comeet.mapping.model import Record

_HASH = re.compile(r"(?<![^\s,+])[0-9a-f]{64}(?![^\s,])")
"""What source-ats puts in place of a hashed value, alone or where a mapping joins several."""
_UNSENDABLE = re.compile("[\0\ud800-\udfff]")
"""NUL, and halves of a character, which JSON can escape but UTF-8 cannot express."""


def as_object(value: object) -> Record:
    """Return the object, or an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def as_objects(value: object) -> Sequence[Record]:
    """Return the objects of a list. A single object counts as a list of one."""
    many = value if isinstance(value, list) else [value]
    return [each for each in many if isinstance(each, Mapping)]


def first(values: Iterable[Any]) -> Any:
    """Return the first value that is not empty, or None."""
    return next(filter(None, values), None)


def has_hash(value: object) -> bool:
    """Return True for a text that the source has hashed, or that is joined from such texts."""
    return isinstance(value, str) and _HASH.search(value) is not None


def cleaned(value: Any) -> Any:
    """Return a value without empty parts at any depth, whose effect is not documented.

    Texts are trimmed, and what cannot be sent in them becomes `?`.
    """
    if isinstance(value, str):
        return _sendable(value).strip()
    if isinstance(value, Mapping):
        parts = ((_sendable(key), cleaned(each)) for key, each in value.items())
        return {key: each for key, each in parts if not _is_empty(each)}
    if isinstance(value, list):
        return [each for each in map(cleaned, value) if not _is_empty(each)]
    return value


def _sendable(text: str) -> str:
    return _UNSENDABLE.sub("?", text)


def _is_empty(value: object) -> bool:
    return value is None or value in ("", {}, [])
