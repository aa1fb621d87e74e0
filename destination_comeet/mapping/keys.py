"""The key of a record, and the name under which Comeet knows the person."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from destination_comeet.mapping.model import KEY, Record, Rejection

LONGEST_KEY = 64
"""Neither length nor letters of `partner_candidate_id` are documented. Assumed: 64 of ASCII."""

PrimaryKey = Sequence[Sequence[str]]


def primary_key_of(record: Record, primary_key: PrimaryKey) -> Sequence[object]:
    """Return the values of a record's primary key, in the order of its columns."""
    return [_value_at(record, path) for path in primary_key]


def partner_candidate_id(
    prefix: str, source_key: Sequence[object], *, verbatim: bool = False
) -> str | Rejection:
    """Return the name of a person in Comeet; always the same for the same key.

    `verbatim`: the key as it is. One that Comeet may not take is rejected, never replaced by a
    hash.

    Different keys never get the same name, also where they hold halves of characters: those go
    into the hash as they are.
    """
    has_text = any(str(each) for each in source_key)
    if not all(map(_is_usable, source_key)) or not has_text:
        reason = "cannot be made: the record's key is missing, or is neither text nor a number"
        return Rejection(KEY, reason)
    columns = list(map(str, source_key))
    if any("@" in each for each in columns):
        return Rejection(KEY, "would contain @: an address must not be a key, choose another one")
    if verbatim:
        (key,) = columns
        if _is_safe(key):
            return key
        reason = f"has to be at most {LONGEST_KEY} characters of ASCII with verbatim_partner_id"
        return Rejection(KEY, reason)
    if len(columns) > 1:
        columns = [quote(each, safe=" ", errors="surrogatepass") for each in columns]
    key = prefix + ":".join(columns)
    if _is_safe(key):
        return key
    return f"sha256:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:48]}"


def _is_safe(key: str) -> bool:
    return len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()


def _is_usable(value: object) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def _value_at(record: object, path: Sequence[str]) -> object:
    for part in path:
        record = record.get(part) if isinstance(record, Mapping) else None
    return record
