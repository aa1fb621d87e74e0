"""Writes candidates to Comeet so that no one is created twice and no one is missing.

A *note* in the ledger records a POST before it is sent. To *adopt* a candidate that exists is to
link its uid to a key in the ledger.

| the ledger says | what is done                                                             |
| --------------- | ------------------------------------------------------------------------ |
| nothing         | compare with the candidates that may be the person; then note, POST, save |
| sending         | a POST was sent, its outcome is unknown: look the candidate up; if it is  |
|                 | not there, POST again                                                    |
| there           | it exists: PATCH the fields that changed, or send nothing                |
| merged, gone    | never create it again; try a changed record once more                    |
| unmatched       | like nothing: a candidate in Comeet may be the same person               |
| to create       | POST: a person decided                                                   |

What the answer to a POST proves:

| answer                                             | what is known                            |
| -------------------------------------------------- | ---------------------------------------- |
| 2xx                                                | created; merged, if its uid is that of   |
|                                                    | another key                              |
| no connection; or 400, 404, 413, 415, 422 with an  | not created: the note is withdrawn       |
| error code other than the conflict's               |                                          |
| the conflict's code                                | it exists: adopted, unless it is another |
|                                                    | person                                   |
| anything else, or none                             | nothing: the note stays, and the         |
|                                                    | candidates created since are looked up   |
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec
import tenacity

from destination_comeet import validation
from destination_comeet.attachments import Attachments, InlineFiles
from destination_comeet.files import FileSource, addressed_files_in, files_in
from destination_comeet.ledger import (
    NEVER_POSTED,
    Entry,
    KeyStatus,
    Ledger,
    Note,
    NoteReason,
)
from destination_comeet.lookup import UNREADABLE, Lookup, Sender
from destination_comeet.mapping import Candidate, Mapper, Rejection, Skipped
from destination_comeet.matching import (
    Comparison,
    Identity,
    Verdict,
    identity,
    is_same_position,
    traits,
)
from destination_comeet.validation import FILE_FIELDS
from destination_comeet.writer import Outcome, Record, Result
from source_ats.clock import Clock
from source_ats.errors import (
    AccessDenied,
    AlreadyMerged,
    AnsweredBefore,
    AtsError,
    ConfigError,
    Conflict,
    ContractError,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    RequestRefused,
    RetryableError,
    WrongAddress,
)
from source_ats.http.models import Request, Response
from source_ats.http.usage import WARNINGS_OF_EACH_REASON
from source_ats.vendors.comeet import requests, responses

T = TypeVar("T")

log = logging.getLogger("airbyte.source_ats.comeet")

ATTEMPTS = 9
"""How often a post without an answer is sent in one run."""
UNKNOWN_AFTER_RUNS = 2
"""After this many failed runs a key that keeps failing no longer ends a run."""
MOST_UNDECIDED = 2
"""If more keys than this fail in a row, Comeet is down; a single bad record is not the cause."""
ANSWERED_SECONDS = 60.0
"""Comeet was up if it answered another post within this time before a failure."""
NOT_FOUND_IN_A_ROW = 20
"""If this many known candidates are not found in a row, the API key is of another account."""
POSITIONS_REMEMBERED = 1000

PROVES_NOT_CREATED = frozenset({400, 404, 413, 415, 422})
"""Statuses that, in Comeet's error envelope, say that a post created nobody."""
NEVER_ADOPTED = "prospect_status"
"""A recruiter may have moved it on: it is not set back when a candidate is adopted."""
WHOLE_RECORD = "*"
"""In place of a field's name: the hash of a whole record, kept of deleted candidates."""

_NO_UPDATES = (
    "Comeet does not let the integration update a candidate's contact details. Ask Comeet for that "
    "permission"
)

_ANSWERED_ELSEWHERE = (
    "the update got an answer that does not seem to be Comeet's. Check what lies between the "
    "connector and Comeet, such as a proxy"
)


@dataclass(slots=True)
class _CreateAttempt:
    """The posts of one record in this run. `earlier` is the open note of an earlier run."""

    candidate: Candidate
    earlier: Entry | None
    entry: Entry
    inline_files: InlineFiles = field(default_factory=InlineFiles)
    """The files that go with the post."""
    decided: Entry | None = None
    """The decision of a person to create it, which a post that created nobody does not use up."""
    is_noted: bool = False
    is_lost: bool = False
    """A post of this run got no answer."""
    from_elsewhere: bool = False
    """The last POST was answered by another server, such as a proxy."""

    @property
    def files_there(self) -> tuple[str, ...] | None:
        """The files that a candidate which is there got: from this run, or from an earlier one."""
        if self.is_lost:
            return self.entry.files
        return None if self.earlier is None else self.earlier.files

    @property
    def may_exist(self) -> bool:
        """True if a post before the last one may have created the candidate."""
        return self.is_lost or self.earlier is not None


@dataclass(slots=True)
class _Posts:
    """Results of the POSTs of a run, to tell one bad record from a Comeet that is down."""

    answered_at: float | None = None
    given_up: set[tuple[str, str]] = field(default_factory=set)
    """Keys that are not tried again in this run."""
    undecided: list[tuple[Entry, AtsError]] = field(default_factory=list)
    """Keys that were given up while no other post was answered, and why."""


class Delivery:
    """Brings the records of a run to Comeet. For one thread."""

    def __init__(  # noqa: PLR0913 - what a run consists of
        self,
        *,
        client: Sender,
        ledger: Ledger,
        lookup: Lookup,
        clock: Clock,
        base_url: str,
        mappers: Mapping[str, Mapper],
        files: FileSource,
        rejects_bad_fields: bool,
    ) -> None:
        """`mappers` has the mapping of each stream.

        `rejects_bad_fields`: an optional field with a problem rejects its record.
        """
        self._client = client
        self._ledger = ledger
        self._lookup = lookup
        self._clock = clock
        self._base_url = base_url
        self._mappers = mappers
        self._attachments = Attachments(client, ledger, files, base_url)
        # By the record's identity, with the record, so that no other one gets its identity.
        self._announced: dict[int, tuple[Record, Sequence[Candidate | Rejection | Skipped]]] = {}
        self._rejects_bad_fields = rejects_bad_fields
        self._positions: dict[str, str | None] = {}
        self._posts = _Posts()
        self._may_update = True
        # For each kind of denial since the last update: the first candidate that met it.
        self._denied: dict[type[AtsError], str] = {}
        self._not_found: list[Entry] = []
        self._warned: Counter[str] = Counter()
        self._while_unknown = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(OutcomeUnknown),
            wait=tenacity.wait_random_exponential(multiplier=1, max=60),
            stop=tenacity.stop_after_attempt(ATTEMPTS - 1),
            sleep=clock.sleep,
            before_sleep=self._warn_of_repeat,
            reraise=True,
        )

    def announce(self, stream: str, record: Record) -> None:
        """Take a record whose turn will come, and begin to fetch its files."""
        mapped = self._mappers[stream](record)
        self._announced[id(record)] = record, mapped
        for each in mapped:
            files = addressed_files_in(each.fields) if isinstance(each, Candidate) else ()
            if isinstance(each, Candidate) and files and not validation.missing(each.fields):
                entry = self._ledger.find(each.position_uid, each.key)
                if entry is not None or each.skip_unless_known is None:
                    self._attachments.begin(files, entry)

    def deliver(self, stream: str, record: Record) -> Sequence[Outcome]:
        """Return what became of the record, for each position that it goes to.

        Raises what ends the run: nobody answers, the key is bad, a permission is missing.
        """
        announced = self._announced.pop(id(record), None)
        mapped = self._mappers[stream](record) if announced is None else announced[1]
        outcomes = [self._outcome_of(stream, each) for each in mapped]
        for each in mapped:
            if isinstance(each, Candidate):
                self._attachments.forget(addressed_files_in(each.fields))
        return outcomes

    @property
    def is_decided(self) -> bool:
        """False while a record was given up, and no other post has shown that Comeet is up."""
        return not self._posts.undecided

    def finish(self) -> None:
        """End the run. Raises `TransientError` if it was not decided that only records are bad."""
        if self._posts.undecided:
            self._end_undecided()
        for text, times in self._warned.items():
            if times > WARNINGS_OF_EACH_REASON:
                log.warning("%d times in this run: %s", times, text)

    def _outcome_of(self, stream: str, mapped: Candidate | Rejection | Skipped) -> Outcome:
        match mapped:
            case Rejection():
                return Outcome(Result.REJECTED, None, mapped.key, mapped.field, mapped.reason)
            case Skipped():
                return Outcome(Result.SKIPPED, None, mapped.key, mapped.field, mapped.reason)
            case Candidate():
                return self._validate_and_write(stream, mapped)

    def _validate_and_write(self, stream: str, candidate: Candidate) -> Outcome:
        entry = self._ledger.find(candidate.position_uid, candidate.key)
        is_known = entry is not None and entry.status not in NEVER_POSTED
        if not is_known and candidate.skip_unless_known is not None:
            return self._outcome_of(stream, candidate.skip_unless_known)
        checked = validation.checked(candidate.fields)
        problems = [*candidate.left_out, *checked.problems]
        withheld = next(iter(candidate.withheld.items()), None)
        problem = withheld or self._why_rejected(problems, checked.fields)
        if problem is not None:
            return _rejected(candidate, *problem)
        candidate = replace(
            candidate,
            fields={key: each for key, each in checked.fields.items() if key not in FILE_FIELDS},
            files=files_in(checked.fields),
            raw_files={key: each for key, each in candidate.fields.items() if key in FILE_FIELDS},
        )
        outcome = self._create_or_update(stream, candidate, entry)
        return replace(outcome, dropped=[*problems, *outcome.dropped])

    def _why_rejected(
        self, problems: Sequence[validation.Problem], fields: Mapping[str, Any]
    ) -> validation.Problem | None:
        """Return what rejects the record: a required field, or any problem where that is set."""
        rejects = self._rejects_bad_fields
        bad = (each for each in problems if rejects or each[0] in validation.REQUIRED)
        return next(bad, None) or validation.missing(fields)

    def _create_or_update(self, stream: str, candidate: Candidate, entry: Entry | None) -> Outcome:
        if entry is None or entry.status in NEVER_POSTED:
            problem = self._position_problem(candidate.position_uid)
            if problem is not None:
                return _rejected(candidate, "position_uid", problem)
            is_decided = entry is not None and entry.status is KeyStatus.TO_CREATE
            return self._create_unknown(stream, candidate, entry if is_decided else None)
        if entry.stream != stream:
            reason = f"belongs to a person of stream {entry.stream}; give each stream its prefix"
            return _rejected(candidate, "partner_candidate_id", reason)
        if entry.status is KeyStatus.SENDING:
            return self._resume(candidate, entry)
        if entry.status is KeyStatus.THERE and entry.uid is not None and not entry.hashes:
            # Adopted, by a person or in a run that was cut: what Comeet has of it is not known.
            return self._adopt(candidate, entry)
        return self._update(candidate, entry, shown=None)

    # Creating -------------------------------------------------------------------------------------

    def _create_unknown(self, stream: str, candidate: Candidate, decided: Entry | None) -> Outcome:
        """Create somebody whose key the ledger does not know, unless the person is there.

        `decided`: a person decided that nobody was it. Where the ledger is an old copy, a later run
        may have done that since: then only one who is certainly the same counts.
        """
        self._lookup.check_ledger()
        if decided is None:
            found = self._lookup.match(candidate)
        else:
            found = self._lookup.since(candidate, decided)
        if found.verdict is Verdict.UNKNOWN and decided is None:
            unmatched = replace(
                self._new_entry(stream, candidate), status=KeyStatus.UNMATCHED, hashes={}
            )
            self._save(unmatched)
            reason = f"may already be in Comeet, so it was not posted [{_uids(found)}]"
            return _outcome(candidate, Result.UNKNOWN, reason=reason)
        entry = self._new_entry(stream, candidate)
        if found.verdict is Verdict.ADOPT:
            return self._adopt(candidate, replace(entry, uid=found.same[0], hashes={}))
        return self._create(_CreateAttempt(candidate, None, entry, decided=decided))

    def _create(self, attempt: _CreateAttempt) -> Outcome:
        """Post until there is an answer, and look in between whether the last post arrived."""
        self._set_inline_files(attempt, self._attachments.inline_files(attempt.candidate.files))
        began = self._clock.monotonic()
        note = attempt.entry.note
        try:
            try:
                return self._post(attempt)
            except OutcomeUnknown as error:
                if note.failed_runs >= UNKNOWN_AFTER_RUNS:
                    raise
                self._warn(
                    "A new candidate got no answer; looking whether it is there.", error.detail
                )
            outcome: Outcome = self._while_unknown(self._look_and_post, attempt)
        except OutcomeUnknown as error:
            return self._give_up(attempt, error, began)
        return outcome

    def _set_inline_files(self, attempt: _CreateAttempt, inline_files: InlineFiles) -> None:
        attempt.inline_files = inline_files
        attempt.entry = replace(attempt.entry, files=inline_files.identities)

    def _look_and_post(self, attempt: _CreateAttempt) -> Outcome:
        """Adopt what the last post created, or post the same again."""
        outcome = self._look(
            attempt.candidate, attempt.entry, Result.CREATED, from_elsewhere=attempt.from_elsewhere
        )
        return outcome or self._post(attempt)

    def _post(self, attempt: _CreateAttempt) -> Outcome:
        """Post once. Raises `OutcomeUnknown`, and what ends the run; the note stays then."""
        candidate = attempt.candidate
        inline_files = attempt.inline_files
        fields = {**candidate.fields, **inline_files.fields}
        request = requests.create(self._base_url, candidate.position_uid, candidate.key, fields)
        try:
            uid = self._client.send(
                request, responses.written, before_send=lambda: self._note_post(attempt)
            )
        except OutcomeUnknown:
            attempt.is_lost, attempt.from_elsewhere = True, False
            raise
        except WrongAddress as error:
            attempt.is_lost, attempt.from_elsewhere = True, True
            raise _answered_elsewhere(error) from None
        except Conflict as conflict:
            self._answered()
            return self._conflict(attempt, conflict)
        except RequestRefused as refusal:
            self._answered()
            return self._after_refusal(attempt, refusal)
        except AccessDenied as error:
            message = (
                "Comeet does not let the integration create candidates. Ask Comeet for the "
                "permission to create a candidate, then activate the integration again."
            )
            raise ConfigError(message, detail=error.detail) from None
        except RetryableError as error:
            if attempt.is_noted and not attempt.may_exist and not error.rate_limit:
                # No connection could be made: nothing was sent.
                self._withdraw(attempt)
            raise
        self._answered()
        holder = uid and self._ledger.other_holder(uid, candidate.key)
        if holder:
            # With the uid, later changes would overwrite the person of that key.
            merged = f"{candidate.key} into {holder}"
            self._warn("Comeet merged a new candidate into one that the ledger has.", merged)
            return self._mark_as_closed(candidate, attempt.entry, KeyStatus.MERGED)
        there = replace(attempt.entry, status=KeyStatus.THERE, uid=uid)
        self._save(there)
        outcome = _outcome(candidate, Result.CREATED, sent=list(fields))
        outcome = replace(outcome, dropped=inline_files.problems)
        return outcome if inline_files.is_whole else self._add_files(candidate, there, outcome)

    def _note_post(self, attempt: _CreateAttempt) -> None:
        """Note the post right before it is sent: a run that is stopped earlier leaves no note."""
        if not attempt.is_noted:
            # Repeated in this run, the posts keep the time of the first one.
            note = _with_note(attempt.entry, has_vendor_time=self._client.has_vendor_time)
            attempt.entry = replace(note, noted_at=self._client.now())
            self._ledger.note_post(attempt.entry)
            attempt.is_noted = True

    def _withdraw(self, attempt: _CreateAttempt) -> None:
        """Remove the note of a post that certainly created nobody."""
        if attempt.decided is not None:
            self._save(attempt.decided)
        else:
            self._ledger.withdraw(attempt.entry)

    def _after_refusal(self, attempt: _CreateAttempt, refusal: RequestRefused) -> Outcome:
        """Withdraw the note where the refusal proves that nobody was created; else look."""
        candidate = attempt.candidate
        if refusal.code is None or refusal.status not in PROVES_NOT_CREATED:
            outcome = self._look(candidate, attempt.entry, Result.CREATED)
            reason = f"got the answer {refusal.status}, which does not tell whether it was created"
            return outcome or _outcome(candidate, Result.UNKNOWN, reason=reason)
        if attempt.is_lost:
            reason = "got no answer, and was refused when it was sent again"
            return _outcome(candidate, Result.UNKNOWN, reason=reason)
        if attempt.inline_files.fields:
            # One bad file fails the whole request: they are added one by one.
            log.info("A new candidate was refused; sending it without its files.")
            self._set_inline_files(
                attempt, InlineFiles(problems=attempt.inline_files.problems, is_whole=False)
            )
            attempt.is_noted = False
            return self._post(attempt)
        if attempt.earlier is None:
            self._withdraw(attempt)
        return _rejected_by_comeet(candidate, refusal)

    def _conflict(self, attempt: _CreateAttempt, conflict: Conflict) -> Outcome:
        """Adopt the candidate that the conflict names, unless it is shown to be somebody else."""
        candidate, entry = attempt.candidate, attempt.entry
        if not attempt.may_exist:
            # A key that the ledger does not know is there: others may be, too.
            self._lookup.distrust_ledger()
        result = Result.CREATED if attempt.is_lost else Result.UNCHANGED
        if conflict.code is None:
            return self._nameless_conflict(candidate, entry)
        shown = None if conflict.uid is None else self._fetch(conflict.uid)
        entry = replace(entry, files=attempt.files_there)
        if shown is None:
            # Its content is unknown, and without a uid it cannot be changed.
            self._save(replace(entry, status=KeyStatus.THERE))
            return _outcome(candidate, result)
        if shown.deleted:
            return self._mark_as_closed(candidate, entry, KeyStatus.GONE)
        problem = None
        if not is_same_position(candidate.position_uid, shown):
            problem = "of another position"
        elif self._ledger.is_held_by_another(shown.uid, entry.position, entry.key):
            problem = "that was written under another key"
        elif identity(traits(candidate.fields), traits(shown), has_note=True) is Identity.DIFFERS:
            problem = "who is another person"
        if problem:
            reason = f"exists already, as Comeet answers, as a candidate {problem} [{shown.uid}]"
            return _rejected(candidate, "partner_candidate_id", reason)
        # What Comeet surely got: from this run, or perhaps from an earlier one.
        hashes: Mapping[str, str] = entry.hashes if attempt.is_lost else {}
        if not attempt.is_lost and attempt.earlier is not None:
            hashes = attempt.earlier.hashes
        adopted = replace(entry, uid=shown.uid, hashes=hashes)
        return self._adopt(candidate, adopted, result, shown)

    def _nameless_conflict(self, candidate: Candidate, entry: Entry) -> Outcome:
        """Look for a candidate of any age; without one the key is never posted again."""
        entry = _with_note(entry, reason=NoteReason.CONFLICT)
        self._save(entry)
        outcome = self._look(candidate, entry, Result.UNCHANGED)
        reason = "exists already, as Comeet answers, but the candidate cannot be found there"
        return outcome or _outcome(candidate, Result.UNKNOWN, reason=reason)

    def _adopt(
        self,
        candidate: Candidate,
        entry: Entry,
        result: Result = Result.UNCHANGED,
        shown: responses.Candidate | None = None,
    ) -> Outcome:
        """Take over a candidate that is there, and bring it up to date.

        `entry.hashes` is what Comeet surely got; if that is nothing, the candidate is read first.
        `result` is reported if nothing has to be changed.
        """
        now = self._hashes(candidate.fields)
        if shown is None and not entry.hashes and entry.uid is not None:
            shown = self._fetch(entry.uid)
            if shown is None:
                entry = replace(entry, hashes=now)
        kept = {NEVER_ADOPTED: now[NEVER_ADOPTED]} if NEVER_ADOPTED in now else {}
        there = replace(entry, status=KeyStatus.THERE, hashes={**entry.hashes, **kept})
        self._save(there)
        outcome = self._update(candidate, there, shown)
        return replace(outcome, result=result) if outcome.result is Result.UNCHANGED else outcome

    # After a post without an answer ---------------------------------------------------------------

    def _resume(self, candidate: Candidate, entry: Entry) -> Outcome:
        """Find out what became of a post whose outcome is not known; post again if nothing did."""
        if (entry.position, entry.key) in self._posts.given_up:
            reason = "was given up in this run already: Comeet kept answering with server errors"
            return _outcome(candidate, Result.UNKNOWN, reason=reason)
        # With an old copy of the ledger, a later run may have created the candidate.
        self._lookup.check_ledger()
        outcome = self._look(candidate, entry, Result.UNCHANGED)
        if outcome is not None:
            return outcome
        note = entry.note
        if note.reason is NoteReason.CONFLICT:
            reason = "exists already, as Comeet answers, but the candidate cannot be found there"
            return _outcome(candidate, Result.UNKNOWN, reason=reason)
        if candidate.skip_unless_known is not None:
            return self._outcome_of(entry.stream, candidate.skip_unless_known)
        problem = self._position_problem(candidate.position_uid)
        if problem is not None:
            return _rejected(candidate, "position_uid", problem)
        renewed = self._new_entry(entry.stream, candidate)
        renewed = _with_note(renewed, failed_runs=note.failed_runs)
        return self._create(_CreateAttempt(candidate, entry, renewed))

    def _look(
        self, candidate: Candidate, entry: Entry, result: Result, *, from_elsewhere: bool = False
    ) -> Outcome | None:
        """Adopt the candidate of an open note, or say why it is not known; None: not there.

        `from_elsewhere`: raises `OutcomeUnknown` if another server answers for the list as well.
        """
        note = entry.note
        is_old = note.reason is NoteReason.CONFLICT
        look = self._lookup.ever if is_old else self._lookup.around
        try:
            found = look(candidate, entry)
        except UNREADABLE as error:
            if from_elsewhere and isinstance(error, (AnsweredBefore, WrongAddress)):
                raise _answered_elsewhere(error) from None
            reason = (
                "was perhaps created by a post without an answer, and Comeet's list of candidates "
                "cannot be read, so it is not sent again. Check that the integration has the "
                f"permission to retrieve candidates [{error.detail}]"
            )
            return _outcome(candidate, Result.UNKNOWN, reason=reason)
        match found.verdict:
            case Verdict.ADOPT:
                adopted = replace(entry, uid=found.same[0])
                if is_old:
                    adopted = replace(adopted, hashes={}, files=None)
                return self._adopt(candidate, adopted, result)
            case Verdict.UNKNOWN:
                which = "several candidates" if len(found.same) > 1 else "a candidate"
                reason = (
                    f"was perhaps created by a post without an answer: {which} in Comeet may be "
                    f"the person [{_uids(found)}]"
                )
                return _outcome(candidate, Result.UNKNOWN, reason=reason)
            case Verdict.NO_MATCH:
                return None

    def _give_up(self, attempt: _CreateAttempt, error: AtsError, began: float) -> Outcome:
        """Mark a record that keeps failing as unknown, if the record is the reason."""
        posts, entry = self._posts, attempt.entry
        note = entry.note
        is_up = posts.answered_at is not None and posts.answered_at >= began - ANSWERED_SECONDS
        posts.given_up.add((entry.position, entry.key))
        if is_up or note.failed_runs >= UNKNOWN_AFTER_RUNS:
            self._mark_as_unknown(entry)
        else:
            posts.undecided.append((entry, error))
            if len(posts.undecided) > MOST_UNDECIDED:
                self._end_undecided()
        reason = (
            "got no answer however often it was sent, while Comeet answered others. It is looked "
            "up and sent again when the record comes again"
        )
        return _outcome(attempt.candidate, Result.UNKNOWN, reason=reason)

    def _mark_as_unknown(self, entry: Entry) -> None:
        self._save(_with_note(entry, failed_runs=UNKNOWN_AFTER_RUNS))

    def _end_undecided(self) -> None:
        """End the run: no post was answered, so Comeet is down for all that is known."""
        undecided, self._posts.undecided = self._posts.undecided, []
        for entry, _ in undecided:
            failed_runs = entry.note.failed_runs + 1
            self._save(_with_note(entry, failed_runs=failed_runs))
        raise undecided[-1][1]

    def _answered(self) -> None:
        """Note that Comeet answers posts: what failed before did so because of the record."""
        self._posts.answered_at = self._clock.monotonic()
        for entry, _ in self._posts.undecided:
            self._mark_as_unknown(entry)
        self._posts.undecided.clear()

    # Updating -------------------------------------------------------------------------------------

    def _update(
        self, candidate: Candidate, entry: Entry, shown: responses.Candidate | None
    ) -> Outcome:
        """Send what changed since it was sent, and new files."""
        outcome = self._update_fields(candidate, entry, shown)
        is_there = outcome.result in {Result.UNCHANGED, Result.UPDATED}
        if not is_there or self._attachments.is_complete(candidate, entry):
            return outcome
        current = self._ledger.find(entry.position, entry.key)
        if current is None:
            return outcome
        return self._add_files(candidate, current, outcome, entry.hashes, shown)

    def _add_files(
        self,
        candidate: Candidate,
        entry: Entry,
        outcome: Outcome,
        before: Mapping[str, str] = MappingProxyType({}),
        shown: responses.Candidate | None = None,
    ) -> Outcome:
        """Add the files that a candidate does not have yet."""
        uid = entry.uid or self._find_uid(candidate, entry)
        if uid is None:
            reason = "cannot be added: Comeet did not tell the candidate's uid"
            return replace(outcome, dropped=[*outcome.dropped, ("files", reason)])
        added = self._attachments.add_missing(candidate, replace(entry, uid=uid), before, shown)
        is_update = outcome.result is Result.UNCHANGED and added.sent
        return replace(
            outcome,
            result=Result.UPDATED if is_update else outcome.result,
            sent=[*outcome.sent, *dict.fromkeys(added.sent)],
            left_out=[*outcome.left_out, *added.left_out],
            dropped=[*outcome.dropped, *added.problems],
        )

    def _update_fields(
        self, candidate: Candidate, entry: Entry, shown: responses.Candidate | None
    ) -> Outcome:
        """Send the fields that changed since they were sent, and that Comeet does not show so.

        Fields that the record no longer has stay as they are: the effect of null is not documented.
        """
        now = self._hashes(candidate.fields)
        unchanged = Result.UNCHANGED if entry.status is KeyStatus.THERE else Result.CLOSED
        # A ledger of 0.1.0 has no hash of those gone: what comes first counts as unchanged.
        is_unknown = entry.status is KeyStatus.GONE and not entry.hashes
        if now == entry.hashes or is_unknown or entry.hashes == self._whole(candidate):
            if is_unknown:
                self._save(replace(entry, hashes=self._whole(candidate)))
            return _outcome(candidate, unchanged)
        changed = [name for name in now if now[name] != entry.hashes.get(name)]
        left_out = [name for name in changed if name not in validation.UPDATABLE]
        # Files are not among them: 0.1.0 kept a hash of those, too.
        not_fields = {WHOLE_RECORD, *FILE_FIELDS}
        left_out += [name for name in entry.hashes if name not in {*now, *not_fields}]
        changes = {
            name: candidate.fields[name]
            for name in changed
            if name in validation.UPDATABLE
            and not (shown is not None and _same(name, shown.shown(name), candidate.fields[name]))
        }
        after = replace(entry, hashes=now)
        if not changes:
            self._save(after)
            return _outcome(candidate, unchanged, left_out=left_out)
        if after.uid is None and entry.status is KeyStatus.MERGED:
            return self._mark_as_closed(candidate, entry, KeyStatus.MERGED)
        if not self._may_update:
            return _rejected(candidate, "", f"has changed, but {_NO_UPDATES}")
        if after.uid is None:
            uid = self._find_uid(candidate, entry)
            if uid is None:
                reason = "has changed, but Comeet did not tell its uid, so it cannot be updated"
                return _rejected(candidate, "", reason)
            after = replace(after, uid=uid)
        return self._change(candidate, after, entry, changes, left_out)

    def _change(
        self,
        candidate: Candidate,
        after: Entry,
        before: Entry,
        changes: Mapping[str, object],
        left_out: Sequence[str],
    ) -> Outcome:
        try:
            refused = self._patch(after.uid or "", changes)
        except AlreadyMerged:
            found = replace(before, uid=after.uid)
            return self._mark_as_closed(candidate, found, KeyStatus.MERGED)
        except NotFound:
            return self._not_found_again(candidate, before)
        except (AccessDenied, AnsweredBefore, WrongAddress) as error:
            return self._reject_change(candidate, after.uid or "", error)
        except RetryableError as error:
            if error.rate_limit:
                raise
            self._make_sure_that_comeet_answers()
            reason = "has changed, but Comeet kept answering the update with server errors"
            return _rejected(candidate, "", f"{reason} [{error.detail}]")
        self._not_found.clear()
        self._denied.clear()
        if len(refused) == len(changes):
            return _rejected_by_comeet(candidate, next(iter(refused.values())))
        self._save(replace(after, status=KeyStatus.THERE))
        sent = [name for name in changes if name not in refused]
        outcome = _outcome(candidate, Result.UPDATED, left_out=left_out, sent=sent)
        dropped = [(name, _describe_refusal(refusal)) for name, refusal in refused.items()]
        return replace(outcome, dropped=dropped)

    def _reject_change(
        self, candidate: Candidate, uid: str, error: AccessDenied | AnsweredBefore | WrongAddress
    ) -> Outcome:
        """Reject the change. If another candidate met the same, send no more updates in this run.

        The first one may be the only one: a proxy can block a single path. Raises the error if
        updates were answered before in this run, and another one met the same or Comeet is not
        reached at all: then it is an outage.
        """
        is_first = self._denied.setdefault(type(error), uid) == uid
        if isinstance(error, AnsweredBefore) and not (is_first and self._is_reached()):
            raise error
        self._may_update = is_first
        is_missing = isinstance(error, AccessDenied) or not is_first
        what = _NO_UPDATES if is_missing else _ANSWERED_ELSEWHERE
        return _rejected(candidate, "", f"has changed, but {what} [{error.detail}]")

    def _patch(self, uid: str, changes: Mapping[str, object]) -> Mapping[str, RequestRefused]:
        """Send the changes; return the fields that were refused. The others have arrived.

        Comeet does not say which field it refuses, so the halves are tried one after the other.
        """
        try:
            self._send(requests.change(self._base_url, uid, changes), responses.written)
        except (AlreadyMerged, NotFound):
            raise
        except RequestRefused as refusal:
            if refusal.status == 405 and refusal.code is None:
                raise AccessDenied(refusal.message, detail=refusal.detail) from None
            names = list(changes)
            if len(names) == 1:
                return {names[0]: refusal}
            middle = len(names) // 2
            return {
                **self._patch(uid, {name: changes[name] for name in names[:middle]}),
                **self._patch(uid, {name: changes[name] for name in names[middle:]}),
            }
        return {}

    def _not_found_again(self, candidate: Candidate, entry: Entry) -> Outcome:
        """Close the key, unless so many are missing that the account must be another one."""
        self._not_found.append(entry)
        if len(self._not_found) >= NOT_FOUND_IN_A_ROW:
            for each in self._not_found:
                self._save(each)
            message = (
                f"Comeet does not know {NOT_FOUND_IN_A_ROW} candidates in a row that this "
                "connector created. Check that api_key and ledger belong to the same account of "
                "Comeet; if these candidates were deleted there, send the others alone first."
            )
            raise ConfigError(message)
        return self._mark_as_closed(candidate, entry, KeyStatus.GONE)

    def _mark_as_closed(self, candidate: Candidate, entry: Entry, status: KeyStatus) -> Outcome:
        """Never create it again. Of what is gone, only one hash of the whole record stays."""
        hashes = self._whole(candidate)
        self._save(replace(entry, status=status, hashes=hashes))
        log.info("The candidate with key %s is %s in Comeet.", entry.key, status.value)
        return _outcome(candidate, Result.CLOSED)

    def _find_uid(self, candidate: Candidate, entry: Entry) -> str | None:
        """Look for the candidate of an answer without a uid."""
        try:
            found = self._lookup.around(candidate, entry)
        except UNREADABLE:
            return None
        return found.same[0] if found.verdict is Verdict.ADOPT else None

    def _is_reached(self) -> bool:
        """Return True if the answer to another request is surely Comeet's own."""
        try:
            with suppress(RequestRefused):
                self._request_something_else()
        except UNREADABLE:
            return False
        return True

    def _make_sure_that_comeet_answers(self) -> None:
        """Raise `TransientError` if Comeet is down, and not only one request fails."""
        with suppress(*UNREADABLE):
            self._request_something_else()

    def _request_something_else(self) -> None:
        request = requests.deleted_since(self._base_url, self._client.now())
        self._send(request, responses.deleted)

    # Steps ----------------------------------------------------------------------------------------

    def _new_entry(self, stream: str, candidate: Candidate) -> Entry:
        sent = self._ledger.hashed(traits(candidate.fields))
        return Entry(
            position=candidate.position_uid,
            key=candidate.key,
            stream=stream,
            status=KeyStatus.SENDING,
            noted_at=self._client.now(),
            hashes=self._hashes(candidate.fields),
            note=Note(traits=tuple(sent)),
        )

    def _fetch(self, uid: str | int) -> responses.Candidate | None:
        """Return a candidate as Comeet shows it; None if it does not."""
        try:
            return self._send(requests.candidate(self._base_url, uid), responses.candidate)
        except UNREADABLE as error:
            self._warn("A candidate that is there cannot be read.", error.detail)
            return None

    def _warn(self, text: str, detail: str) -> None:
        """Warn, unless there were many such warnings: then only `finish` says how many."""
        self._warned[text] += 1
        is_one_of_many = self._warned[text] > WARNINGS_OF_EACH_REASON
        log.log(logging.DEBUG if is_one_of_many else logging.WARNING, "%s [%s]", text, detail)

    def _warn_of_repeat(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, AtsError):
            self._warn("It got no answer again; looking and trying again.", error.detail)

    def _position_problem(self, position_uid: str) -> str | None:
        """Return why a position takes nobody; None if it does, or if it cannot be told."""
        if position_uid not in self._positions:
            if len(self._positions) >= POSITIONS_REMEMBERED:
                self._positions.clear()
            self._positions[position_uid] = self._ask_position(position_uid)
        return self._positions[position_uid]

    def _ask_position(self, position_uid: str) -> str | None:
        # The path is observed only, and the permission one of its own: the post has to tell.
        try:
            position = self._send(
                requests.position(self._base_url, position_uid), responses.position
            )
        except NotFound:
            return "is not a position, or not one that is shared with the integration"
        except (AccessDenied, WrongAddress, ContractError):
            return None
        except RetryableError as error:
            if error.rate_limit:
                raise
            return None
        return "is a position that is closed" if position.status == "closed" else None

    def _send(self, request: Request, read: Callable[[Response], T]) -> T:
        """Send anything but a post; what was saved is made safe first, for the wait may be long."""
        self._ledger.commit()
        return self._client.send(request, read)

    def _save(self, entry: Entry) -> None:
        self._ledger.save(entry, self._client.now())

    def _whole(self, candidate: Candidate) -> dict[str, str]:
        return self._ledger.hashes({WHOLE_RECORD: self._hashes(candidate.fields)})

    def _hashes(self, fields: Mapping[str, object]) -> dict[str, str]:
        """Return the hash of each field. The case of an email address is no difference."""
        email = fields.get("email")
        same = {**fields, "email": email.casefold()} if isinstance(email, str) else fields
        return self._ledger.hashes(same)


def _answered_elsewhere(error: AtsError) -> OutcomeUnknown:
    """Return the failure of a request that another server seems to have answered."""
    message = (
        "Comeet's API is not found at its address, where a page of another server is. If that "
        "lasts, correct base_url. The next run looks for what was sent and continues."
    )
    return OutcomeUnknown(message, detail=error.detail)


def _with_note(entry: Entry, **changes: Any) -> Entry:
    """Return the entry with these changes of its note."""
    return replace(entry, note=msgspec.structs.replace(entry.note, **changes))


def _same(name: str, shown: str | None, ours: object) -> bool:
    if shown is None or not isinstance(ours, str):
        return False
    return shown.casefold() == ours.casefold() if name == "email" else shown == ours


def _uids(found: Comparison) -> str:
    return ", ".join(found.same or found.cannot_tell)


def _outcome(  # noqa: PLR0913 - what an outcome consists of
    candidate: Candidate,
    result: Result,
    *,
    field: str = "",
    reason: str = "",
    left_out: Sequence[str] = (),
    sent: Sequence[str] = (),
) -> Outcome:
    return Outcome(
        result,
        candidate.position_uid,
        candidate.key,
        field,
        reason,
        left_out=left_out,
        sent=sent,
    )


def _rejected(candidate: Candidate, field: str, reason: str) -> Outcome:
    return _outcome(candidate, Result.REJECTED, field=field, reason=reason)


def _rejected_by_comeet(candidate: Candidate, refusal: RequestRefused) -> Outcome:
    vendor_text = refusal.vendor_text if isinstance(refusal, InvalidInput) else ""
    reason = _describe_refusal(refusal)
    return Outcome(
        Result.REJECTED,
        candidate.position_uid,
        candidate.key,
        reason=reason,
        vendor_text=vendor_text,
    )


def _describe_refusal(refusal: RequestRefused) -> str:
    return f"was refused by Comeet with {refusal.status} {refusal.code or 'no code'}"
