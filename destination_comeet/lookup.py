"""Who is in Comeet: the reasons to read its list of candidates. One object per run.

| when                                          | what is listed                | unreadable    |
| --------------------------------------------- | ----------------------------- | ------------- |
| before the first post of a run (check_ledger) | created since the last note   | a warning     |
| before the post of an unknown key (match)     | created before match_before   | the run stops |
| after a post without an answer (around)       | created around the note, and  | unknown       |
|                                               | since, if the ledger is old   |               |
| to create by decision (since)                 | the same, if it is old        | the run stops |
| for a person to decide (near)                 | around the note, or all       | a warning     |

The list of a position is not used: it leaves people out (observed).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Literal, Protocol, TypeVar

from destination_comeet.ledger import Entry, KeyStatus, Ledger, NoteReason
from destination_comeet.mapping import Candidate
from destination_comeet.matching import (
    CandidateIndex,
    Comparison,
    Identity,
    Traits,
    compare,
    identity,
    traits,
)
from source_ats.clock import parse_timestamp, rfc3339
from source_ats.errors import (
    AccessDenied,
    AnsweredBefore,
    ConfigError,
    ContractError,
    TransientError,
    WrongAddress,
)
from source_ats.http.models import Request, Response
from source_ats.vendors.comeet import requests, responses
from source_ats.vendors.comeet.paging import list_pages

T = TypeVar("T")

log = logging.getLogger("airbyte.source_ats.comeet")

MARGIN = timedelta(seconds=60)
"""Notes and times of creation may differ by this much: clocks show whole seconds."""
MARGIN_WITHOUT_DATE = timedelta(minutes=15)
"""The same where only the machine's clock is known."""
LONGEST_POSTING = timedelta(hours=4)
"""A post is given up well before."""

UNREADABLE = (AccessDenied, AnsweredBefore, WrongAddress, ContractError)
"""The list is observed only: it may not be there, not take our filters, or look different."""


class Sender(Protocol):
    """What answers requests: Comeet through a `Client`, or in a dry run a `DryRunClient`."""

    @property
    def has_vendor_time(self) -> bool:
        """Whether the last response told the vendor's time."""
        ...

    def now(self) -> datetime:
        """Return the time by the vendor's clock; by the machine's until the first response."""
        ...

    def send(
        self,
        request: Request,
        read: Callable[[Response], T],
        *,
        before_send: Callable[[], None] = lambda: None,
    ) -> T:
        """Return what `read` makes of the response. Raises as `Client.send` does."""
        ...


def margin(client: Sender) -> timedelta:
    """Return by how much times may differ, after the last response."""
    return MARGIN if client.has_vendor_time else MARGIN_WITHOUT_DATE


class Lookup:
    """Finds candidates in Comeet. For one thread."""

    def __init__(
        self,
        client: Sender,
        ledger: Ledger,
        base_url: str,
        match_existing: Literal["new_ledger", "always", "never"],
    ) -> None:
        """Nothing is read until it is needed."""
        self._client = client
        self._ledger = ledger
        self._base_url = base_url
        self._match_existing = match_existing
        self._is_ledger_checked = False
        self._match_all_before: datetime | None = None
        self._index: CandidateIndex | None = None
        self._everybody: CandidateIndex | None = None
        self._indexed_before: datetime | None = None
        self._resources = ExitStack()

    def close(self) -> None:
        """Remove the temporary index."""
        self._resources.close()

    # A ledger that is behind ----------------------------------------------------------------------

    def check_ledger(self) -> None:
        """Find out, once a run, whether Comeet has candidates that the ledger should know.

        If it has, the ledger was restored from a backup, or candidates also come from elsewhere:
        from now on new keys are compared with all who are there.
        """
        if self._is_ledger_checked:
            return
        self._is_ledger_checked = True
        now = self._client.now()
        times = [self._ledger.last_noted_at(), self._ledger.checked_at]
        since = max((each for each in times if each is not None), default=None)
        first = requests.created_between(self._base_url, since and since - margin(self._client))
        unexplained = self._ledger.without_uid()
        try:
            is_behind = any(
                not self._ledger.knows(row.uid) and not self._explain(row, unexplained)
                for row in self._rows(first)
                if not row.deleted
            )
        except UNREADABLE as error:
            log.warning(
                "Comeet's list of candidates cannot be read, so it was not checked whether the "
                "ledger is up to date. Check that the integration has the permission to retrieve "
                "candidates. [%s]",
                error.detail,
            )
            return
        # Before the first answer `now` is by the machine's clock, which may be ahead.
        self._ledger.remember_check(min(now, self._client.now()))
        if is_behind:
            log.info(
                "Comeet has candidates that the ledger does not know, so new records are compared "
                "with all candidates that are there."
            )
            self.distrust_ledger()

    def distrust_ledger(self) -> None:
        """Compare new keys with everybody who is in Comeet now."""
        if self._ledger.shows_candidates:
            self._ledger.move_match_before(self._client.now() + margin(self._client))

    def _explain(self, row: responses.Candidate, unexplained: list[Entry]) -> bool:
        """Use up an entry without a uid that this row may belong to; False if there is none."""
        created = parse_timestamp(row.time_created)
        shown = self._traits(row)
        fitting = [
            each
            for each in unexplained
            if row.position_uid in (None, each.position)
            and (created is None or each.noted_at <= created < each.noted_at + LONGEST_POSTING)
            and not _differs(each, shown)
        ]
        if not fitting:
            return False
        unexplained.remove(max(fitting, key=lambda each: each.noted_at))
        return True

    # Matching -------------------------------------------------------------------------------------

    def match(self, candidate: Candidate) -> Comparison:
        """Compare a record whose key the ledger does not know with those who may be there.

        Raises `ConfigError` or `TransientError` if the list of those cannot be read.
        """
        before = self._match_before()
        if before is None:
            return Comparison()
        if self._index is None or before != self._indexed_before:
            self._read_index(before)
        assert self._index is not None  # noqa: S101 - just read
        return self._index.compare(
            candidate.position_uid,
            candidate.fields,
            has_note=False,
            is_held=self._held_by_others(candidate),
        )

    def _match_before(self) -> datetime | None:
        if self._match_existing == "never":
            return None
        moments = [self._ledger.match_before]
        if self._match_existing == "always":
            if self._match_all_before is None:
                self._match_all_before = self._client.now() + margin(self._client)
            moments.append(self._match_all_before)
        return max((each for each in moments if each is not None), default=None)

    def _read_index(self, before: datetime) -> None:
        self._resources.close()
        index = self._resources.enter_context(CandidateIndex())
        log.info("Reading the candidates created before %s, to match them.", rfc3339(before))
        with _to_create_safely():
            index.add(self._rows(requests.created_between(self._base_url, before=before)))
        self._index, self._indexed_before = index, before

    # After a post without an answer ---------------------------------------------------------------

    def around(self, candidate: Candidate, entry: Entry) -> Comparison:
        """Compare the record of an open note with the candidates created around the note.

        Raises one of `UNREADABLE` if the list cannot be read.
        """
        return self._compare(candidate, entry, _earliest(entry))

    def ever(self, candidate: Candidate, entry: Entry) -> Comparison:
        """Compare as `around` does, without a lower limit: the candidate may be an old one."""
        return self._compare(candidate, entry, None)

    def since(self, candidate: Candidate, entry: Entry) -> Comparison:
        """Compare the record of an entry with the candidates created since it was noted.

        Only if the ledger was behind after that: a run that the ledger does not know may have done
        what the entry says. Raises as `match` does.
        """
        if not self._was_behind_since(entry):
            return Comparison()
        with _to_create_safely():
            return self._compare(candidate, entry, _earliest(entry))

    def _was_behind_since(self, entry: Entry) -> bool:
        before = self._ledger.match_before
        return before is not None and entry.noted_at < before - margin(self._client)

    def _compare(self, candidate: Candidate, entry: Entry, after: datetime | None) -> Comparison:
        before = None if self._was_behind_since(entry) else entry.noted_at + LONGEST_POSTING
        first = requests.created_between(self._base_url, after, before)
        note = entry.note
        # As it was sent, for the record may have changed since; 0.1.0 did not note that.
        ours = Traits(*note.traits) if note.traits else self._traits(candidate.fields)
        return compare(
            candidate.position_uid,
            ours,
            self._rows(first),
            has_note=True,
            is_held=self._held_by_others(candidate),
            traits_of=self._traits,
        )

    # For a person to decide -----------------------------------------------------------------------

    def near(self, entry: Entry) -> Comparison:
        """Compare what is noted of a key of unknown outcome with who may be the person.

        Lists the candidates around an open note; for any other key all of them, once. Raises one of
        `UNREADABLE` if the list cannot be read.
        """
        candidate = Candidate(entry.position, entry.key, {})
        is_sent = entry.status is KeyStatus.SENDING
        if is_sent and entry.note.reason is NoteReason.NO_ANSWER:
            return self.around(candidate, entry)
        if self._everybody is None:
            self._everybody = self._resources.enter_context(CandidateIndex(self._traits))
            self._everybody.add(self._rows(requests.created_between(self._base_url)))
        return self._everybody.compare_traits(
            entry.position,
            Traits(*entry.note.traits) if entry.note.traits else self._traits({}),
            has_note=is_sent,
            is_held=self._held_by_others(candidate),
        )

    # Steps ----------------------------------------------------------------------------------------

    def _traits(self, of: responses.Candidate | Mapping[str, object]) -> Traits[str]:
        return self._ledger.hashed(traits(of))

    def _rows(self, first: Request) -> Iterator[responses.Candidate]:
        # What was saved is made safe first: a long list takes its time.
        self._ledger.commit()
        for page, _ in list_pages(self._client.send, self._base_url, first, responses.candidates):
            yield from page.candidates

    def _held_by_others(self, candidate: Candidate) -> Callable[[str], bool]:
        return lambda uid: self._ledger.is_held_by_another(
            uid, candidate.position_uid, candidate.key
        )


@contextmanager
def _to_create_safely() -> Iterator[None]:
    """Raise `ConfigError` or `TransientError` if the list that is read cannot be read."""
    try:
        yield
    except AccessDenied as error:
        message = (
            "Candidates may be in Comeet that the ledger does not know, and the integration lacks "
            "the permission to retrieve candidates: creating more could make duplicates. Ask "
            "Comeet for the permission, or set match_existing to never if you know that Comeet has "
            "no candidates yet."
        )
        raise ConfigError(message, detail=error.detail) from None
    except UNREADABLE as error:
        message = (
            "Candidates may be in Comeet that the ledger does not know, and its list of candidates "
            "cannot be read: creating more could make duplicates. Run again later."
        )
        raise TransientError(message, detail=error.detail) from None


def _earliest(entry: Entry) -> datetime:
    """Return when a candidate may have been created at the earliest, if it is that of the entry."""
    return entry.noted_at - (MARGIN if entry.note.has_vendor_time else MARGIN_WITHOUT_DATE)


def _differs(entry: Entry, shown: Traits[str]) -> bool:
    """True if a candidate is not the person of an entry; 0.1.0 did not note who that is."""
    ours = entry.note.traits
    # One differing name is enough here: to be wrong costs a listing, and not a second candidate.
    return ours is not None and identity(Traits(*ours), shown, has_note=False) is Identity.DIFFERS
