"""What a mapping makes of a record: candidates, a rejection, or a skipped record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from destination_comeet.validation import Problem, is_address

KEY, POSITION, JOB = "partner_candidate_id", "position_uid", "job_id"
"""Names in a record, or targets of an expression, that are not fields of the candidate."""

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that cannot be written: which field, and why. No value of the record."""

    field: str
    reason: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record that is not meant to be written: which field says so, and what it says."""

    field: str
    reason: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class CandidateFile:
    """One file of a candidate. `content` is base64, or the address to fetch it from."""

    kind: str
    """The field that it belongs to: `resume`, `picture` or `files`."""
    name: str | None
    content: str = field(repr=False)
    source_id: str | None = None
    """Its id in the source, which stays while its address changes."""

    @property
    def address(self) -> str | None:
        """Return the address; None if the content is there."""
        return self.content if is_address(self.content) else None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate for one position. `fields` holds what is sent beyond position and key."""

    position_uid: str
    key: str
    fields: Mapping[str, Any]
    skip_unless_known: Skipped | None = None
    """Why the candidate is not created; one that Comeet already has is updated all the same."""
    files: Sequence[CandidateFile] = ()
    """Once the fields were checked: the files among them, which `fields` then no longer has."""
    raw_files: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The fields with files as they were mapped."""
    withheld: Mapping[str, str] = field(default_factory=dict)
    """Why required fields are not there, or are not to be sent, by their names."""
    left_out: Sequence[Problem] = ()
    """Optional fields of the record that the mapping left out."""


@dataclass(frozen=True, slots=True)
class Application:
    """One job that a person applied to, under any of its ids."""

    job_ids: tuple[str, ...]
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a record is about. `source_key` is the record's key: its columns, in their order."""

    source_key: Sequence[object]
    fields: Mapping[str, Any]
    applications: Sequence[Application] = ()
    position_uid: object = None
    columns: Mapping[str, str] = field(default_factory=dict)
    """The columns of the record that required values come from, by the name of the value."""
    left_out: Sequence[Problem] = ()


Mapper = Callable[[Record], Sequence[Candidate | Rejection | Skipped]]
MappingKind = Callable[[Record], Person | Rejection | Skipped]
