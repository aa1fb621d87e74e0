"""Decides whether a candidate that Comeet shows is the person of a record.

Comeet does not show our key and has no filter by key, name or address, so a person has to be
recognised by what a list shows:

| over all rows of the position                    | verdict    | then                             |
| ------------------------------------------------ | ---------- | -------------------------------- |
| exactly one is the same person                   | `ADOPT`    | the candidate is adopted         |
| several are; or none, and for one we cannot tell | `UNKNOWN`  | the record is rejected, not sent |
| all differ                                       | `NO_MATCH` | the candidate may be created     |

`compare` reads the rows one by one. `CandidateIndex` keeps the rows of a whole account for a run
and gives the same answer for each record without reading them all again.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Generic, NamedTuple, Self, TypeVar
from urllib.parse import unquote

from source_ats.sync.temporary_index import TemporaryIndex
from source_ats.vendors.comeet.responses import Candidate

T = TypeVar("T", str, int)

PHONE_DIGITS = 9
"""Comeet's own search for duplicates compares the last nine digits (documented)."""
SHORTEST_PHONE = 5
"""Digits. Fewer are a placeholder or an extension, which many people share."""
UIDS_SHOWN = 10
"""A comparison names at most this many candidates of each kind."""

_NOBODYS_PATHS = {"", "in", "pub", "company"}
_LINKEDIN_PATH = re.compile(r"^(?:.*?linkedin\.com)?/*(?P<path>[^?#]*)", re.DOTALL)


class Identity(Enum):
    """Whether a shown candidate is the person of a record."""

    SAME = auto()
    DIFFERS = auto()
    CANNOT_TELL = auto()


class Verdict(Enum):
    """What all rows together say about a record."""

    ADOPT = auto()
    NO_MATCH = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Comparison:
    """The candidates that are, or may be, the person of a record: uids, at most ten of each."""

    same: tuple[str, ...] = ()
    cannot_tell: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """What to do with the record."""
        if len(self.same) == 1:
            return Verdict.ADOPT
        return Verdict.UNKNOWN if self.same or self.cannot_tell else Verdict.NO_MATCH


class Traits(NamedTuple, Generic[T]):
    """What a person is recognised by: normalized texts, or their hashes. None: not known."""

    first_name: T | None
    last_name: T | None
    email: T | None
    phone: T | None
    mobile_phone: T | None
    linkedin: T | None


def traits(candidate: Candidate | Mapping[str, object]) -> Traits[str]:
    """Normalize a shown candidate, or a record's fields under Comeet's names."""

    def text(name: str) -> str:
        value = candidate.get(name) if isinstance(candidate, Mapping) else getattr(candidate, name)
        return value if isinstance(value, str) else ""

    return Traits(
        first_name=_normalized(text("first_name")),
        last_name=_normalized(text("last_name")),
        email=_normalized(text("email")),
        phone=_last_digits(text("phone")),
        mobile_phone=_last_digits(text("mobile_phone")),
        linkedin=_linkedin_path(text("linkedin_url")),
    )


def identity(ours: Traits[T], shown: Traits[T], *, has_note: bool) -> Identity:
    """Compare two people. `has_note`: an open note says that the shown one may be our own post.

    Without a note it takes less to tell people apart: one differing name, where no contact can be
    compared.
    """
    first_differs = _differ(ours.first_name, shown.first_name)
    last_differs = _differ(ours.last_name, shown.last_name)
    emails_differ = _differ(ours.email, shown.email)
    contacts = [
        (_known(ours.email), _known(shown.email)),
        (_known(ours.phone, ours.mobile_phone), _known(shown.phone, shown.mobile_phone)),
        (_known(ours.linkedin), _known(shown.linkedin)),
    ]
    is_any_comparable = any(a and b for a, b in contacts)
    is_any_equal = any(a & b for a, b in contacts)
    if is_any_equal and not emails_differ and not first_differs:
        return Identity.SAME
    if first_differs and last_differs:
        differs = emails_differ or not is_any_equal
    elif first_differs or last_differs:
        needs_both = has_note and not is_any_comparable
        differs = emails_differ or not (is_any_equal or needs_both)
    else:
        differs = False
    return Identity.DIFFERS if differs else Identity.CANNOT_TELL


def is_same_position(position_uid: str, shown: Candidate) -> bool:
    """True if the row belongs to the position. A row that names none may belong to any."""
    theirs = _normalized(shown.position_uid or "")
    return theirs is None or theirs == _normalized(position_uid)


def compare(  # noqa: PLR0913 - who, whom with, and how
    position_uid: str,
    ours: Traits[str],
    rows: Iterable[Candidate],
    *,
    has_note: bool,
    is_held: Callable[[str], bool],
    traits_of: Callable[[Candidate], Traits[str]] = traits,
) -> Comparison:
    """Compare a person with every row. `is_held`: the ledger holds this uid under another key.

    `traits_of` reads a row; where `ours` are hashes, it returns hashes.
    """
    return _collected(
        (
            (row.uid, identity(ours, traits_of(row), has_note=has_note))
            for row in rows
            if not row.deleted and is_same_position(position_uid, row)
        ),
        is_held,
    )


class CandidateIndex:
    """The rows of one listing, on disk, for as long as a run lasts. For one thread.

    It holds uids and hashes whose key is lost with the process: no personal data. A killed process
    leaves nothing of it.
    """

    def __init__(self, traits_of: Callable[[Candidate], Traits[str]] = traits) -> None:
        """Open an empty index. Its methods raise `ConfigError` if there is no room for it.

        `traits_of` reads a row, as for `compare`.
        """
        self._index = TemporaryIndex(_TABLE)
        self._traits_of = traits_of
        self._hash_key = secrets.token_bytes(32)
        self._is_indexed = False

    def __enter__(self) -> Self:
        """Use it in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the file."""
        self._index.close()

    def add(self, rows: Iterable[Candidate]) -> None:
        """Add rows of a listing; of a uid that comes twice, the later row counts."""
        with self._index.transaction():
            for each in rows:
                if not each.deleted:
                    self._index.execute(
                        "INSERT OR REPLACE INTO candidates VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        self._row(each),
                    )

    def compare(
        self,
        position_uid: str,
        fields: Mapping[str, object],
        *,
        has_note: bool,
        is_held: Callable[[str], bool],
    ) -> Comparison:
        """Give the answer that `compare` would give over all rows."""
        return self.compare_traits(position_uid, traits(fields), has_note=has_note, is_held=is_held)

    def compare_traits(
        self,
        position_uid: str,
        known: Traits[str],
        *,
        has_note: bool,
        is_held: Callable[[str], bool],
    ) -> Comparison:
        """Compare what is known of a person, as `traits_of` has it of the rows."""
        ours = self._hashed(known)
        parameters = {**ours._asdict(), "position": self._hash(_normalized(position_uid))}
        if not self._is_indexed:
            # After the bulk of the rows: much faster than keeping them up row by row.
            for each in _INDEXES:
                self._index.execute(each)
            self._is_indexed = True
        found = self._index.rows(_query(parameters, has_note=has_note), parameters)
        return _collected(
            (
                (uid, identity(ours, _from_row(shown), has_note=has_note))
                for uid, _, *shown in found
            ),
            is_held,
        )

    def _row(self, shown: Candidate) -> tuple[str | int, ...]:
        position = self._hash(_normalized(shown.position_uid or ""))
        hashes = [each or _UNKNOWN for each in self._hashed(self._traits_of(shown))]
        return (shown.uid, position or _UNKNOWN, *hashes)

    def _hashed(self, known: Traits[str]) -> Traits[int]:
        return Traits(*(self._hash(each) for each in known))

    def _hash(self, text: str | None) -> int | None:
        if text is None:
            return None
        # A lone surrogate has no UTF-8, and is still a text like any other.
        raw = text.encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(raw, key=self._hash_key, digest_size=8).digest()
        return int.from_bytes(digest, signed=True) or 1


_UNKNOWN = 0
"""In place of null, which SQL finds in no list."""

_TABLE = """
CREATE TABLE candidates (
    uid TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    first_name INTEGER NOT NULL,
    last_name INTEGER NOT NULL,
    email INTEGER NOT NULL,
    phone INTEGER NOT NULL,
    mobile_phone INTEGER NOT NULL,
    linkedin INTEGER NOT NULL
) WITHOUT ROWID
"""
_INDEXES = (
    "CREATE INDEX by_names ON candidates (position, first_name, last_name)",
    "CREATE INDEX by_last_name ON candidates (position, last_name)",
    "CREATE INDEX by_email ON candidates (email)",
    "CREATE INDEX by_phone ON candidates (phone)",
    "CREATE INDEX by_mobile_phone ON candidates (mobile_phone)",
    "CREATE INDEX by_linkedin ON candidates (linkedin)",
)

# The rows that can influence a verdict: all that may not differ. A row differs only if a name does,
# so those whose names are both equal or unknown count, with contacts or without. Of the others,
# those with an equal contact count; with a note also those where one name does not differ, because
# without a comparable contact one differing name does not tell people apart. A contact of ours that
# is not known (null) is equal to none.
_CONTACT_EQUAL = (
    "SELECT * FROM candidates WHERE email = :email AND position IN (:position, 0)",
    """SELECT * FROM candidates
    WHERE phone IN (:phone, :mobile_phone) AND position IN (:position, 0)""",
    """SELECT * FROM candidates
    WHERE mobile_phone IN (:phone, :mobile_phone) AND position IN (:position, 0)""",
    "SELECT * FROM candidates WHERE linkedin = :linkedin AND position IN (:position, 0)",
)
_FIRST_NAME = (
    "SELECT * FROM candidates WHERE position IN (:position, 0) AND first_name IN (:first_name, 0)"
)
_LAST_NAME = (
    "SELECT * FROM candidates WHERE position IN (:position, 0) AND last_name IN (:last_name, 0)"
)
_BOTH_NAMES = f"{_FIRST_NAME} AND last_name IN (:last_name, 0)"
_WITHOUT_NOTE = " UNION ".join((*_CONTACT_EQUAL, _BOTH_NAMES))
_WITH_NOTE = " UNION ".join((*_CONTACT_EQUAL, _FIRST_NAME, _LAST_NAME))
_OF_POSITION = "SELECT * FROM candidates WHERE position IN (:position, 0)"


def _from_row(columns: Iterable[int]) -> Traits[int]:
    return Traits(*(each or None for each in columns))


def _query(ours: Mapping[str, int | None], *, has_note: bool) -> str:
    if ours["first_name"] is None or ours["last_name"] is None:
        # What is not known differs from nothing. Comeet requires both names, so this is rare.
        return _OF_POSITION
    return _WITH_NOTE if has_note else _WITHOUT_NOTE


def _differ(a: T | None, b: T | None) -> bool:
    return a is not None and b is not None and a != b


def _known(*values: T | None) -> set[T]:
    return {each for each in values if each is not None}


def _collected(found: Iterable[tuple[str, Identity]], is_held: Callable[[str], bool]) -> Comparison:
    """Note the uids that may be the person. A list can show a candidate twice while it moves."""
    uids: dict[Identity, list[str]] = {Identity.SAME: [], Identity.CANNOT_TELL: []}
    for uid, answer in found:
        if answer is Identity.DIFFERS:
            continue
        noted = uids[answer]
        if len(noted) < UIDS_SHOWN and uid not in noted and not is_held(uid):
            noted.append(uid)
    return Comparison(tuple(uids[Identity.SAME]), tuple(uids[Identity.CANNOT_TELL]))


def _normalized(text: str) -> str | None:
    """Return a text as it is compared: NFC, trimmed, without case. None: it is empty."""
    composed = unicodedata.normalize("NFC", text).strip().casefold()
    return unicodedata.normalize("NFC", composed) or None


def _last_digits(phone: str) -> str | None:
    """Return the digits that tell phones apart, in whatever script and grouping."""
    digits = "".join(str(unicodedata.decimal(each)) for each in phone if each.isdecimal())
    if len(digits) < SHORTEST_PHONE or len(set(digits)) == 1:
        return None
    return digits[-PHONE_DIGITS:]


def _linkedin_path(url: str) -> str | None:
    """Return the path of a profile; scheme, country and query say nothing about the person."""
    match = _LINKEDIN_PATH.match(_normalized(unquote(url)) or "")
    path = match["path"].rstrip("/") if match else ""
    return None if path in _NOBODYS_PATHS else path
