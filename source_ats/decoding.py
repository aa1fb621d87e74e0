r"""Turn the bytes of a response into JSON that warehouses accept.

| what | function |
| --- | --- |
| the body is complete | `is_complete` |
| the body is valid JSON, whatever it holds | `is_valid` |
| a body that is not valid JSON, or that holds what texts must not hold | `repair` |
| one row of the body stays invalid | `without_bad_rows` |
| numbers and nesting that warehouses do not accept | `clean_rows` |
| values that a vendor package rebuilds or looks at | `decode`, `encode`, `text_in` |
| nesting that no decoder takes | `limit_depth` |

Everything that depends on a row's content works on text, token by token: no recursion, no number
is converted and back, so depth and length do not matter. Rows without anything suspicious are
passed on as the bytes that came; `clean_rows` finds the others by a scan.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, repeat
from typing import Any, NamedTuple

import msgspec

Schema = Mapping[str, Any]

MAX_DEPTH = 100
"""Levels of objects and lists in a record, the record itself included."""
DECODED_DEPTH = 300
"""Levels that `decode` leaves, so that no code runs into Python's limit on recursion."""


class InvalidJson(ValueError):
    """The text is not JSON, and cannot be repaired without guessing."""


class Change(NamedTuple):
    """One entry of a record's `meta.changes`."""

    field: str
    change: str
    """`TRUNCATED`: the value became text; `NULLED`: it became null."""
    reason: str = "SOURCE_SERIALIZATION_ERROR"


def describe_mismatch(error: msgspec.ValidationError) -> str:
    """Return which type was expected and where, without any value."""
    text = str(error)
    if text.startswith(("Expected", "Object missing")):
        return text
    _, _, place = text.partition(" - at ")
    return f"Unexpected value - at {place}" if place else "Unexpected value"


def safe_identifier(text: object) -> str | None:
    """Return a code or an id that may be logged; None for anything that may quote the request."""
    return text if isinstance(text, str) and _IDENTIFIER.fullmatch(text) else None


_IDENTIFIER = re.compile(r"[A-Za-z0-9][\w.:/=+-]{0,63}", re.ASCII)


# Bodies


def is_complete(body: bytes) -> bool:
    """True if the last bracket of the body closes its first one, as far as their kinds tell.

    A body that was cut off can look so, too: `without_bad_rows` finds out.
    """
    text = body.removeprefix(_BYTE_ORDER_MARK).strip(b" \t\r\n")
    return text[:1] + text[-1:] in {b"{}", b"[]"} and len(text) > 1


_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def is_valid(body: bytes) -> bool:
    """True for JSON, whatever its depth, its numbers and the escapes in its texts.

    A byte order mark before it is allowed.
    """
    if not is_utf_8(body):
        return False
    return _is_json(_SURROGATE_ESCAPE.sub(rb"u0020", body.removeprefix(_BYTE_ORDER_MARK)))


def is_utf_8(body: bytes) -> bool:
    """True for UTF-8. A decoder does not see it in the parts that it leaves raw.

    Decoded as a whole, a page with one rare character would take four bytes for each.
    """
    if body.isascii():
        return True
    check = codecs.getincrementaldecoder("utf-8")().decode
    whole = memoryview(body)
    try:
        for first in range(0, len(body), _PIECE):
            check(whole[first : first + _PIECE])
        check(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


_PIECE = 1 << 14
# The decoder takes no lone surrogate, so all of them are replaced for the test.
_SURROGATE_ESCAPE = re.compile(rb"u[dD][89a-fA-F][0-9a-fA-F]{2}")


def repair(body: bytes) -> bytes:
    r"""Return the body as valid JSON whose texts hold nothing that warehouses refuse.

    | found | becomes |
    | --- | --- |
    | a byte that is not UTF-8 | `?` |
    | a raw line break or control character in a text | its escape |
    | `NaN`, `Infinity`, `-Infinity` | null |
    | NUL or a lone surrogate in a text | `?` |
    | the same in a key | its escape, written out as text: `\u0000` |

    What else is wrong stays as it is.
    """
    text = _decoded(body)

    def repaired(match: re.Match[str]) -> str:
        content, colon = match["text"], match["colon"]
        if content is None:
            return match[0] if match["constant"] is None else "null"
        if colon is not None:
            return f'"{_repaired_key(content, text)}"{colon}'
        return f'"{_repaired_text(content)}"'

    return _TEXT_OR_CONSTANT.sub(repaired, text).encode()


def _decoded(body: bytes) -> str:
    text = body.removeprefix(_BYTE_ORDER_MARK).decode("utf-8", "surrogateescape")
    return text if text.isascii() else _BAD_BYTE.sub("?", text)


_BAD_BYTE = re.compile("[\ud800-\udfff]")
_TEXT_OR_CONSTANT = re.compile(
    # All up to the next text or constant that may need a repair, in one piece.
    r'(?:"[^"\\\x00-\x1f]*+(?:\\[^u\x00-\x1f][^"\\\x00-\x1f]*+)*+"|[^"NI-]++)++'
    r'|"(?P<text>[^"\\]*+(?:\\.[^"\\]*+)*+)"(?P<colon>\s*:)?'
    r"|(?<![\w.+-])(?P<constant>NaN|-?Infinity)(?![\w.+-])",
    re.DOTALL,
)
_CONTROL = re.compile(r"[\x00-\x1f]")
_HIGH, _LOW = r"u[dD][89abAB][0-9a-fA-F]{2}", r"u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(
    rf"\\(?:(?P<pair>{_HIGH}\\{_LOW})|(?P<refused>{_HIGH}|{_LOW}|u0000)|.)", re.DOTALL
)


def _without_control_characters(content: str) -> str:
    return _CONTROL.sub(lambda match: json.dumps(match[0])[1:-1], content)


def _repaired_text(content: str) -> str:
    content = _without_control_characters(content)
    if "\\u" not in content:
        return content
    return _ESCAPE.sub(lambda match: "?" if match["refused"] else match[0], content)


def _repaired_key(content: str, whole: str) -> str:
    r"""Return a key with what warehouses refuse written out: `\u0000` as a text of six characters.

    More backslashes are put before it until no other key in the whole text is spelled alike.
    """
    content = _without_control_characters(content)
    if "\\u" not in content:
        return content
    backslashes = "\\\\"
    while True:

        def written_out(match: re.Match[str], before: str = backslashes) -> str:
            return before + match["refused"].lower() if match["refused"] else match[0]

        changed = _ESCAPE.sub(written_out, content)
        if changed == content or f'"{changed}"' not in whole:
            return changed
        backslashes += "\\\\"


# Rows


def without_bad_rows(body: bytes, key: str) -> tuple[bytes, list[str | None]]:
    """Return the body, repaired, without the rows that are not valid JSON, and the keys of these.

    The rows are the elements of the first list of objects. A bad row ends where its brackets or, if
    a wrong quote makes these unreadable, the beginnings of later rows say so: where all that
    follows can be read as rows and the end of the envelope. A key is None where it cannot be read.
    Raises `InvalidJson` where it is not the rows that are invalid, or the body is cut off: so it is
    if the brackets of a row do not close although its quotes match.
    """
    text = _decoded(body)
    start = _first_list_of_objects(text)
    found = None if start is None else _Splitter(text, start, key).split(start)
    if found is None:
        raise InvalidJson("There is no list of objects whose rows can be told apart.")
    rows, bad, end = found
    return _around(text, start or 0, end, b",".join(rows)), bad


_LEXEME = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_OBJECT = re.compile(r"\s*(?=\{)")
_SEPARATOR = re.compile(r"\s*,\s*(?=\{)")
_END_OF_LIST = re.compile(r"\s*\]")
_END_OF_ROW = re.compile(r"\}(?=\s*(?:,\s*\{|\]))")
_BEFORE_TEXT, _AFTER_TEXT = frozenset("{[,:"), frozenset("}],:")
_MOST_BAD_ROWS = 100

_Split = tuple[list[bytes], list[str | None], int]
"""Good rows, the keys of the bad ones, and where the list ends."""


def _first_list_of_objects(text: str) -> int | None:
    """Return where the first row begins."""
    for lexeme in _LEXEME.finditer(text):
        row = _OBJECT.match(text, lexeme.end()) if lexeme[0] == "[" else None
        if row is not None:
            return row.end()
    return None


def _around(text: str, start: int, end: int, rows: bytes) -> bytes:
    return repair(text[:start].encode()) + rows + repair(text[end:].encode())


@dataclass(slots=True)
class _Splitter:
    """Tells the rows of a list apart."""

    text: str
    start: int
    key: str
    failed: set[int] = field(default_factory=set)
    """Where a row was taken to begin, in vain."""

    def split(self, at: int, bad_before: int = 0) -> _Split | None:
        """Return the good rows from here, the keys of the bad ones, and the end of the list.

        None if no row begins here: it cannot be seen how the body would be complete then.
        """
        if at in self.failed or bad_before > _MOST_BAD_ROWS:
            return None
        first = at
        found: _Split | None
        rows: list[bytes] = []
        while True:
            end = self._end_by_brackets(at)
            row = b"" if end is None else repair(self.text[at:end].encode())
            if end is None or not _is_json(row):
                found = self._after_bad_row(at, end, bad_before + 1)
                break
            rows.append(row)
            separator = _SEPARATOR.match(self.text, end)
            if separator is None:
                found = ([], [], end) if self._is_end_of_list(end) else None
                break
            at = separator.end()
        if found is None:
            self.failed.add(first)
            return None
        others, bad, end_of_list = found
        return rows + others, bad, end_of_list

    def _after_bad_row(self, at: int, end: int | None, bad_before: int) -> _Split | None:
        """Return what `split` does, for the bad row that begins here and all that follow."""
        ends: Iterable[int]
        if self._has_matching_quotes(at, end):
            if end is None:
                # Though the bracket of a list within the row may come last.
                raise InvalidJson("The body is cut off within a row.")
            ends = [end]
        else:
            ends = (match.end() for match in _END_OF_ROW.finditer(self.text, at))
        for each in ends:
            separator = _SEPARATOR.match(self.text, each)
            found: _Split | None = None
            if separator is not None:
                found = self.split(separator.end(), bad_before)
            elif self._is_end_of_list(each):
                found = [], [], each
            if found is not None:
                rows, bad, end_of_list = found
                return rows, [_key_of(self.text, at, self.key), *bad], end_of_list
        return None

    def _has_matching_quotes(self, at: int, end: int | None) -> bool:
        """True if each text from here has a sign of JSON on both sides: brackets are brackets."""
        row = self.text[at:end]
        return all(
            row[max(0, match.start() - 50) : match.start()].rstrip()[-1:] in _BEFORE_TEXT
            and row[match.end() : match.end() + 50].lstrip()[:1] in _AFTER_TEXT
            for match in _LEXEME.finditer(row)
            if match[0].startswith('"')
        )

    def _is_end_of_list(self, at: int) -> bool:
        """True if the body is complete with the list ending here."""
        return bool(_END_OF_LIST.match(self.text, at)) and _is_json(
            _around(self.text, self.start, at, b"")
        )

    def _end_by_brackets(self, at: int) -> int | None:
        depth = 0
        for lexeme in _LEXEME.finditer(self.text, at):
            if lexeme[0] in "{[":
                depth += 1
            elif lexeme[0] in "}]":
                depth -= 1
                if depth == 0:
                    return lexeme.end()
        return None


def _key_of(text: str, at: int, key: str) -> str | None:
    """Return the key of a bad row if it stands before what is wrong and before any container."""
    match = re.compile(
        r'\{(?:\s*"[^"\\{}\[\]]*"\s*:\s*(?:"[^"\\]*"|[\w.+-]+)\s*,)*?\s*'
        rf'{re.escape(json.dumps(key))}\s*:\s*("[^"\\]*"|-?\d+)(?=\s*[,}}])'
    ).match(text, at)
    return match[1].strip('"') if match else None


def _is_json(body: bytes) -> bool:
    try:
        if _is_deep(body):
            body = _limited(body.decode(), {}, depth=MAX_DEPTH)[0].encode()
        _raw.decode(body)
    except (msgspec.DecodeError, InvalidJson):
        return False
    return True


_raw = msgspec.json.Decoder(msgspec.Raw)


# Values


def clean_rows(
    rows: Sequence[bytes], schema: Schema
) -> tuple[Sequence[bytes], Mapping[int, Sequence[Change]]]:
    """Return valid rows as warehouses accept them, and the changes by the number of the row.

    NUL and lone surrogates are repaired. An integer beyond signed 64 bits, a number that overflows
    a double, and whatever is nested more than `MAX_DEPTH` levels deep become text where the schema
    at that place includes string or declares no type, else null. All else stays byte by byte.
    """
    changes: dict[int, Sequence[Change]] = {}
    suspicious = _suspicious(rows)
    if not suspicious:
        return rows, changes
    cleaned = list(rows)
    for number in suspicious:
        repaired = repair(rows[number])
        text, found = _limited(repaired.decode(), schema, depth=MAX_DEPTH)
        cleaned[number] = text.encode() if found else repaired
        if found:
            changes[number] = found
    return cleaned, changes


_REFUSED_ESCAPE = re.compile(
    rb"\\u(?:0000|[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..\\u)[dD][c-fC-F]..)"
)
# For plain searches in all rows together: one digit stands for all, a colon for all that may stand
# before a number, and one bracket for both that close.
_SHAPE = bytes.maketrans(b"123456789+E[{,- \t\r\n]", b"0" * 10 + b"e" + b":" * 8 + b"}")
_LARGE_NUMBERS = (b":" + b"0" * 19, b"0e000")
_ALIKE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
_TEXTS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


def _suspicious(rows: Sequence[bytes]) -> list[int]:
    """Return the numbers of the rows that may hold what `clean_rows` changes, by a few fast scans.

    All rows together: to look at each one takes longer than to read and print it.
    """
    page = b"".join(rows)
    shape = page.translate(_SHAPE)
    ends = list(accumulate(map(len, rows)))
    starts = [0, *ends]
    found: set[int] = set()
    for digits in _LARGE_NUMBERS:
        # From the end: `rfind` looks for the first character of the digits, which is rare, `find`
        # for the last one, and takes twice as long.
        at = shape.rfind(digits)
        while at >= 0:
            number = bisect_right(ends, at)
            if shape[starts[number] : at + 1].rstrip(b"0.").endswith(b":"):
                found.add(number)
                at = starts[number]
            at = shape.rfind(digits, 0, at)
    if b"\\" in page:
        found.update(bisect_right(ends, each.start()) for each in _REFUSED_ESCAPE.finditer(page))
    closed = map(shape.count, repeat(b"}"), starts, ends)
    for number, brackets in enumerate(closed):
        if brackets > MAX_DEPTH and _is_deep(rows[number]):
            found.add(number)
    return sorted(found)


def _is_deep(text: bytes) -> bool:
    """True if the text is nested more than `MAX_DEPTH` levels deep, or brackets do not match."""
    # Texts rarely hold brackets that do not match, so a look at all brackets mostly decides.
    return _is_nested_deeply(text) and _is_nested_deeply(_TEXTS.sub(b"", text))


def _is_nested_deeply(text: bytes) -> bool:
    # All brackets alike, so that each round removes one level.
    brackets = text.translate(_ALIKE, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return False
        shorter = brackets.replace(b"[]", b"")
        if len(shorter) == len(brackets):
            return True
        brackets = shorter
    return bool(brackets)


_TOKEN = re.compile(
    r'\s*(?:(?P<text>"[^"\\]*(?:\\.[^"\\]*)*")|(?P<bracket>[{}\[\]])|(?P<sign>[,:])'
    r'|(?P<other>[^\s",:{}\[\]]+))',
    re.DOTALL,
)


@dataclass(slots=True)
class _Container:
    """An object or a list that is open while the tokens pass."""

    schema: Schema
    is_object: bool
    key: str = ""
    """The key whose value comes next, as it is spelled; empty while the key itself comes."""
    number: int = 0
    """The number of the element that comes next."""

    def name(self) -> str:
        """Return the name of the value that comes next."""
        return json.loads(self.key) if self.is_object else str(self.number)

    def inner(self) -> Schema:
        """Return the schema of the value that comes next; empty where none is declared."""
        if not self.is_object:
            return _schema(self.schema.get("items"))
        declared = _schema(self.schema.get("properties"))
        return _schema(declared.get(self.name(), self.schema.get("additionalProperties")))


def _schema(value: object) -> Schema:
    return value if isinstance(value, Mapping) else {}


@dataclass(slots=True)
class _Limiter:
    """Rewrites one row while its tokens pass."""

    schema: Schema
    numbers: bool
    open: list[_Container] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def place(self) -> Schema:
        """Return the schema at the place where a value comes."""
        return self.open[-1].inner() if self.open else self.schema

    def replaced(self, spelled: str) -> str:
        """Return text or null in place of a value, and note the change."""
        declared = self.place().get("type")
        takes_text = declared is None or "string" in declared
        path = ".".join(each.name() for each in self.open)
        self.changes.append(Change(path, "TRUNCATED" if takes_text else "NULLED"))
        return json.dumps(spelled, ensure_ascii=False) if takes_text else "null"

    def token(self, kind: str, spelled: str) -> str:
        """Return what takes the place of a token."""
        inside = self.open[-1] if self.open else None
        if spelled in "{[":
            self.open.append(_Container(self.place(), spelled == "{"))
        elif spelled in "}]":
            self.open.pop()
        elif spelled == ",":
            if inside is not None:
                inside.key = ""
                inside.number += 1
        elif kind == "text" and inside is not None and inside.is_object and not inside.key:
            inside.key = spelled
        elif kind == "other" and self.numbers and _is_too_large(spelled):
            return self.replaced(spelled)
        return spelled


def _limited(
    text: str, schema: Schema, *, depth: int, numbers: bool = True
) -> tuple[str, list[Change]]:
    """Return JSON within the limits, its tokens as they were spelled, and what was changed."""
    limiter = _Limiter(schema, numbers)
    out: list[str] = []
    tokens: Iterator[re.Match[str]] = _TOKEN.finditer(text)
    try:
        for match in tokens:
            kind = match.lastgroup or ""
            if kind == "bracket" and match[kind] in "{[" and len(limiter.open) >= depth:
                end = _close(tokens)
                out.append(limiter.replaced(text[match.start(kind) : end]))
            else:
                out.append(limiter.token(kind, match[kind]))
    except (IndexError, ValueError):
        raise InvalidJson("The brackets do not match.") from None
    return "".join(out), limiter.changes


def _close(tokens: Iterable[re.Match[str]]) -> int:
    """Take the tokens of a container that was just opened, and return where it ends."""
    depth = 1
    for match in tokens:
        bracket = match["bracket"]
        if bracket is not None:
            depth += 1 if bracket in "{[" else -1
            if depth == 0:
                return match.end()
    raise InvalidJson("A bracket is not closed.")


def _is_too_large(token: str) -> bool:
    """True for an integer beyond signed 64 bits and a number that overflows a double."""
    if _INTEGER.fullmatch(token):
        # Python converts no text of thousands of digits.
        return len(token) > 20 or not -(2**63) <= int(token) < 2**63
    return _NUMBER.fullmatch(token) is not None and math.isinf(float(token))


_INTEGER = re.compile(r"-?\d+", re.ASCII)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)


def decode(body: bytes) -> Any:
    """Return JSON as Python's values, any number but a short integer as `msgspec.Raw`.

    `encode` writes it again as it was spelled. Valid JSON of any depth is taken: what is nested
    more than `DECODED_DEPTH` levels deep is text. Raises `msgspec.DecodeError` if it is not JSON.
    """
    body = limit_depth(body)
    try:
        return _exact.decode(body)
    except msgspec.ValidationError:
        # An integer of thousands of digits.
        return json.loads(body, parse_float=_as_spelled, parse_int=_short_integer)


class _ExactDecoder:
    """`decode` in the form of the decoders that read responses."""

    decode = staticmethod(decode)


EXACT = _ExactDecoder()


def limit_depth(body: bytes) -> bytes:
    """Return valid JSON with text in place of what is nested more than `DECODED_DEPTH` levels deep.

    For a body that a recursive decoder refuses. No schema declares anything so deep.
    """
    if not _is_deep(body):
        return body
    return _limited(body.decode(), {}, depth=DECODED_DEPTH, numbers=False)[0].encode()


def _as_spelled(number: str) -> msgspec.Raw:
    return msgspec.Raw(number.encode())


def _short_integer(number: str) -> int | msgspec.Raw:
    return int(number) if len(number) < 20 else _as_spelled(number)


_exact = msgspec.json.Decoder(float_hook=_as_spelled)


def text_in(value: msgspec.Raw) -> str | None:
    """Return what a raw value holds if it is text, else None."""
    return str(msgspec.json.decode(value)) if bytes(value).startswith(b'"') else None


def encode(value: object) -> bytes:
    """Return a value of `decode`, or one with raw parts, as JSON on one line, of any size."""
    # Valid JSON has raw line breaks between its tokens only.
    return msgspec.json.encode(value).translate(None, b"\r\n")
