"""Which files a candidate gets with its post, and which later, each of them once.

| the ledger says of a file          | then                                                        |
| ---------------------------------- | ----------------------------------------------------------- |
| nothing, and nobody is there yet   | it goes with the post that creates the candidate            |
| nothing                            | it is added by the files endpoint                           |
| its post got no answer             | it is added again unless a file of its name is listed       |
| sent, or refused for good          | nothing                                                     |
| nothing of the candidate's files   | those whose names are listed count as sent                  |

Comeet shows no more of a file than its name, and guards against nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any

from destination_comeet.files import FileSource
from destination_comeet.ledger import Entry, Ledger, unanswered
from destination_comeet.lookup import UNREADABLE, Sender
from destination_comeet.mapping import Candidate
from destination_comeet.mapping.model import CandidateFile
from destination_comeet.validation import LONGEST_BODY, LONGEST_FILE, Problem
from source_ats.errors import (
    AccessDenied,
    AlreadyMerged,
    FileUnavailable,
    NotFound,
    OutcomeUnknown,
    RequestRefused,
    WrongAddress,
)
from source_ats.vendors.comeet import requests, responses
from source_ats.vendors.comeet.responses import Candidate as Shown

NOT_ALLOWED = (
    "cannot be added: Comeet does not let the integration add files. Ask Comeet for that permission"
)


@dataclass(frozen=True, slots=True)
class InlineFiles:
    """The files that go with the post of a candidate."""

    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """As they stand in the body."""
    identities: tuple[str, ...] = ()
    problems: Sequence[Problem] = ()
    """Files that are left out."""
    is_whole: bool = True
    """False if files are to be added after the post: there was no room, or they were refused."""


@dataclass(slots=True)
class Added:
    """What became of the files of a candidate that is there."""

    sent: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Fields that cannot be changed."""


class _Sent(Enum):
    """What is known of a file after its post."""

    FINAL = auto()
    """It is there, or refused for good."""
    UNKNOWN = auto()
    NO = auto()


class Attachments:
    """The files of a run's candidates. For one thread."""

    def __init__(self, client: Sender, ledger: Ledger, source: FileSource, base_url: str) -> None:
        """`source` fetches what is not there."""
        self._client = client
        self._ledger = ledger
        self._source = source
        self._base_url = base_url
        self._may_add = True

    def begin(self, files: Sequence[CandidateFile], entry: Entry | None) -> None:
        """Begin to fetch what will probably be sent for this entry."""
        final = () if entry is None else entry.files
        if final is None:
            # Comeet shows first which of them are there.
            return
        self._source.begin(
            [
                file.address
                for file in files
                if file.address is not None and self._identity(file) not in final
            ]
        )

    def forget(self, files: Sequence[CandidateFile]) -> None:
        """Drop what was fetched for these."""
        self._source.forget([file.address for file in files if file.address is not None])

    def inline_files(self, files: Sequence[CandidateFile]) -> InlineFiles:
        """Return the files that go with the post of a new candidate, as many as there is room."""
        fields: dict[str, Any] = {}
        identities: list[str] = []
        problems: list[Problem] = []
        room = LONGEST_BODY
        is_whole = True
        for file in files:
            try:
                content = self._content(file)
            except FileUnavailable as error:
                problems.append((file.kind, str(error)))
                if error.is_lasting:
                    identities.append(self._identity(file))
                continue
            if len(content) > room:
                is_whole = False
                continue
            room -= len(content)
            sent = {"file": content} if file.name is None else {"name": file.name, "file": content}
            if file.kind == "files":
                fields.setdefault("files", []).append(sent)
            else:
                fields[file.kind] = sent
            identities += self._identities(file, self._content_id(content))
        return InlineFiles(fields, tuple(identities), problems, is_whole)

    def add_missing(
        self, candidate: Candidate, entry: Entry, before: Mapping[str, str], shown: Shown | None
    ) -> Added:
        """Add the files that a candidate does not have yet, and note each in the ledger.

        `before` are the hashes that the ledger had, for what 0.1.0 has sent. Raises what ends the
        run.
        """
        added = Added()
        known = entry.files
        if known is None:
            try:
                known = self._known(candidate, entry, before, shown)
            except UNREADABLE as error:
                reason = "cannot be added: Comeet does not show which are there"
                added.problems.append(("files", f"{reason} [{error.detail}]"))
                return added
            entry = self._save_files(entry, known)
        for file in candidate.files:
            identity = self._identity(file)
            if identity in (entry.files or ()):
                continue
            if file.kind == "picture":
                # The files endpoint is not for pictures, and there is no other.
                added.left_out.append("picture")
                entry = self._save_files(entry, (*(entry.files or ()), identity))
                continue
            entry = self._add(entry, file, added)
        return added

    def is_complete(self, candidate: Candidate, entry: Entry) -> bool:
        """True if the ledger says that nothing is left to do for the candidate's files."""
        files = entry.files
        return files is not None and all(self._identity(each) in files for each in candidate.files)

    def _add(self, entry: Entry, file: CandidateFile, added: Added) -> Entry:
        """Add one file, and return the entry that says so.

        An entry that says `unanswered` stays so if the run ends before there is an answer.
        """
        identity = self._identity(file)
        others = tuple(each for each in entry.files or () if each != unanswered(identity))
        may_be_there = unanswered(identity) in (entry.files or ())
        try:
            if may_be_there and file.name in self._names(entry, None):
                return self._save_files(entry, (*others, identity))
            content = self._content(file)
        except FileUnavailable as error:
            added.problems.append((file.kind, str(error)))
            return self._save_files(entry, (*others, identity)) if error.is_lasting else entry
        except UNREADABLE as error:
            reason = "got no answer before, and Comeet does not show which files are there"
            added.problems.append((file.kind, f"{reason} [{error.detail}]"))
            return entry
        content_id = self._content_id(content)
        final = (*others, *self._identities(file, content_id))
        if identity in others or content_id in others:
            return self._save_files(entry, final)
        noted = self._save_files(entry, (*others, unanswered(identity)))
        state, problem = self._post(entry, file, content)
        if problem:
            added.problems.append((file.kind, problem))
        else:
            added.sent.append(file.kind)
        match state:
            case _Sent.UNKNOWN:
                return noted
            case _Sent.NO:
                return self._save_files(entry, others)
            case _Sent.FINAL:
                return self._save_files(entry, final)

    def _post(self, entry: Entry, file: CandidateFile, content: str) -> tuple[_Sent, str]:
        """Post one file, and return what is known of it then, with the problem if there is one."""
        if not self._may_add:
            return _Sent.NO, NOT_ALLOWED
        self._ledger.commit()
        request = requests.add_file(self._base_url, entry.uid or "", file.name or "", content)
        try:
            self._client.send(request, responses.added)
        except OutcomeUnknown as error:
            reason = "got no answer; it is looked for when the record comes again"
            return _Sent.UNKNOWN, f"{reason} [{error.detail}]"
        except (AccessDenied, WrongAddress) as error:
            self._may_add = False
            # A page of another server does not prove that Comeet did not add it.
            state = _Sent.UNKNOWN if isinstance(error, WrongAddress) else _Sent.NO
            return state, f"{NOT_ALLOWED} [{error.detail}]"
        except (AlreadyMerged, NotFound) as error:
            reason = "cannot be added: the candidate was merged or deleted in Comeet"
            return _Sent.FINAL, f"{reason} [{error.detail}]"
        except RequestRefused as refusal:
            code = refusal.code or "no code"
            return _Sent.FINAL, f"was refused by Comeet with {refusal.status} {code}"
        return _Sent.FINAL, ""

    def _known(
        self, candidate: Candidate, entry: Entry, before: Mapping[str, str], shown: Shown | None
    ) -> tuple[str, ...]:
        """Return the files that a candidate has already: one that was adopted, or of 0.1.0."""
        as_sent = {
            name
            for name, value in candidate.raw_files.items()
            if name in before and self._is_as_sent(name, value, before[name])
        }
        others = [file for file in candidate.files if file.kind not in as_sent]
        names = self._names(entry, shown) if others else frozenset()
        return tuple(
            self._identity(file)
            for file in candidate.files
            if file.kind in as_sent or file.name in names
        )

    def _is_as_sent(self, name: str, value: object, sent: str) -> bool:
        try:
            return self._ledger.hashes({name: value})[name] == sent
        except TypeError:
            # Nested too deep, or a number too long: nothing of that kind was ever sent.
            return False

    def _names(self, entry: Entry, shown: Shown | None) -> frozenset[str]:
        """Return the names of the files that Comeet shows, the resume's included."""
        self._ledger.commit()
        request = requests.files(self._base_url, entry.uid or "")
        names = self._client.send(request, responses.file_names)
        resume = shown.resume if shown is not None else None
        name = resume.get("name") if isinstance(resume, dict) else None
        return names | {name} if isinstance(name, str) else names

    def _save_files(self, entry: Entry, files: tuple[str, ...]) -> Entry:
        entry = replace(entry, files=files)
        self._ledger.save(entry, self._client.now())
        return entry

    def _content(self, file: CandidateFile) -> str:
        """Return the base64 of a file. Raises `FileUnavailable`."""
        if file.address is None:
            return file.content
        if not self._source.is_at_hand(file.address):
            # What was saved is made safe first, for the wait may be long.
            self._ledger.commit()
        content = self._source.content(file.address, file.name)
        if len(content) > LONGEST_FILE:
            raise FileUnavailable(f"is larger than {LONGEST_FILE} bytes", is_lasting=True)
        return base64.b64encode(content).decode()

    def _identity(self, file: CandidateFile) -> str:
        """Return what a file is known by before it is fetched."""
        if file.source_id is not None:
            return self._ledger.file_identity("id", file.source_id)
        if file.address is not None:
            return self._ledger.file_identity("address", file.address)
        return self._content_id(file.content)

    def _content_id(self, content: str) -> str:
        return self._ledger.file_identity("content", base64.b64decode(content))

    def _identities(self, file: CandidateFile, content_id: str) -> list[str]:
        """Return all that a file is known by. Without an id, its address may change."""
        identity = self._identity(file)
        if file.source_id is not None or file.address is None:
            return [identity]
        return [identity, content_id]
