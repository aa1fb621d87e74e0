"""From bytes to values: what a decoder says of a mismatch, and repair of texts it refuses."""

from __future__ import annotations

import codecs
import json
import re

import msgspec

_PIECE = 1 << 14
"""A body is checked in pieces of this many bytes, which stay in the processor's cache."""
_IDENTIFIER = re.compile(r"[A-Za-z0-9][\w.:/=+-]{0,63}", re.ASCII)


def check_utf_8(body: bytes) -> None:
    """Raise `UnicodeDecodeError` if it is not UTF-8, which the decoder does not see in raw parts.

    Decoded as a whole, a page with one rare character would take four bytes for each.
    """
    check = codecs.getincrementaldecoder("utf-8")().decode
    whole = memoryview(body)
    for first in range(0, len(body), _PIECE):
        check(whole[first : first + _PIECE])
    check(b"", final=True)


def describe_mismatch(error: msgspec.ValidationError) -> str:
    """Return what does not fit and where, in the decoder's words, but never a value."""
    text = str(error)
    if text.startswith(("Expected", "Object missing")):
        return text
    _, _, place = text.partition(" - at ")
    return f"Unexpected value - at {place}" if place else "Unexpected value"


def safe_identifier(text: object) -> str | None:
    """Return a vendor's code or id; None for anything that may quote what was sent.

    So no text of a vendor gets into a message.
    """
    return text if isinstance(text, str) and _IDENTIFIER.fullmatch(text) else None


def replace_lone_surrogates(body: bytes) -> bytes:
    r"""Return the body with escaped halves of a character (`\ud83d` alone) as `?`.

    A vendor that cuts texts by length leaves such halves. They are legal JSON that most readers,
    ours and the warehouse's, refuse. Anything that is not JSON is returned as it is.
    """
    if b"\\u" not in body:
        return body
    try:
        return json.dumps(json.loads(body), ensure_ascii=False).encode("utf-8", "replace")
    except (ValueError, RecursionError):
        return body
