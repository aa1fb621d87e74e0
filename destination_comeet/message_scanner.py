"""Where the parts of a message are, found without decoding it.

A decoder refuses a whole line for one value in it: nested too deeply, not a number, half of a
character. This scanner reads brackets and quotes only, in a loop, so it finds type and stream of
any line that is complete, and of a line that is too long to be kept.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

Path = tuple[str, ...]
LEVELS = 2
"""How deep members are noted: `state` and `state.destinationStats`."""
LONGEST_NAME = 10_000
"""Bytes of a member's name, or of a text, that are kept."""

_MEMBERS = re.compile(rb'["{}\[\]:,]')
_BELOW = re.compile(rb'["{}\[\]]')
_INSIDE_TEXT = re.compile(rb'["\\]')


@dataclass(frozen=True, slots=True)
class Span:
    """The value of a member: its place in the line, and its content if it is a short text."""

    start: int
    end: int
    text: str | None


class Scanner:
    """Reads one line, in any number of parts."""

    def __init__(self) -> None:
        """Begin before the line."""
        self.members: dict[Path, Span] = {}
        """By path. Of members with the same name the last one counts, as for decoders."""
        self._before = 0
        self._skip = 0
        self._depth = 0
        self._ends = 0
        self._in_text = False
        self._text = b""
        self._last_text: str | None = None
        self._names: list[str | None] = [None] * LEVELS
        self._starts: list[int | None] = [None] * LEVELS

    @property
    def is_complete(self) -> bool:
        """True if what was read is one object, with nothing after it."""
        return self._ends == 1 and self._depth == 0 and not self._in_text

    def text(self, *path: str) -> str | None:
        """Return the content of a member that is a short text, None for any other."""
        span = self.members.get(path)
        return None if span is None else span.text

    def read(self, part: bytes) -> None:
        """Read the next part of the line."""
        at = self._skip
        self._keep(part[:at])
        while found := self._pattern().search(part, at):
            if self._in_text:
                self._keep(part[at : found.start()])
            at = found.end()
            match found[0]:
                case b"\\":
                    self._keep(part[at - 1 : at + 1])
                    at += 1
                case b'"':
                    self._quote()
                case b"{" | b"[":
                    self._depth += 1
                case b":":
                    self._name_ends(self._before + at)
                case _:
                    self._value_ends(self._before + found.start())
                    self._depth -= found[0] != b","
                    self._ends += self._depth == 0
                    self._last_text = None
        if self._in_text:
            self._keep(part[at:])
        self._skip = max(0, at - len(part))
        self._before += len(part)

    def _pattern(self) -> re.Pattern[bytes]:
        if self._in_text:
            return _INSIDE_TEXT
        return _MEMBERS if self._depth <= LEVELS else _BELOW

    def _keep(self, text: bytes) -> None:
        if self._depth <= LEVELS and len(self._text) <= LONGEST_NAME:
            self._text += text[: LONGEST_NAME + 1]

    def _quote(self) -> None:
        if self._in_text and self._depth <= LEVELS:
            self._last_text = _decoded(self._text)
            self._text = b""
        self._in_text = not self._in_text

    def _name_ends(self, start: int) -> None:
        if 1 <= self._depth <= LEVELS:
            self._names[self._depth - 1] = self._last_text
            self._starts[self._depth - 1] = start
            self._last_text = None

    def _value_ends(self, end: int) -> None:
        if not 1 <= self._depth <= LEVELS:
            return
        start, self._starts[self._depth - 1] = self._starts[self._depth - 1], None
        path = tuple(name for name in self._names[: self._depth] if name is not None)
        if start is not None and len(path) == self._depth:
            self.members[path] = Span(start, end, self._last_text)


def _decoded(text: bytes) -> str | None:
    """Return the content of a text that stood in quotes; None if it is too long or broken."""
    if len(text) > LONGEST_NAME:
        return None
    try:
        content: str = json.loads(b'"%b"' % text)
    except ValueError:
        return None
    return content
