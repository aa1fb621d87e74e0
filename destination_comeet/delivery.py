"""The way of one candidate to Comeet, so that nobody is created twice and nobody is missing.

| the ledger says | what is done                                                                   |
| --------------- | ------------------------------------------------------------------------------ |
| nothing         | note, post, close                                                              |
| sending         | an earlier run was cut off: look whether it is there, then as above or below   |
| there           | send the fields that changed, or nothing                                       |
| merged, gone    | nothing, for ever                                                              |

While a post gets no answer, Comeet is asked whether the candidate is there; if it is not, or the
integration may not look, the same body is posted again: a first success then shows as a conflict,
because the candidate is still in progress (inferred from the documented conflict).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import tenacity

from destination_comeet import validation
from destination_comeet.ledger import Entry, Ledger, Standing
from destination_comeet.mapping import Candidate, Mapper, Rejection, Skipped
from destination_comeet.writer import Outcome, Record, Result
from source_ats.clock import Clock
from source_ats.errors import (
    AccessDenied,
    AlreadyMerged,
    AtsError,
    Conflict,
    ContractError,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    RequestRefused,
    WrongAddress,
)
from source_ats.http.client import Client
from source_ats.http.models import Request, Response
from source_ats.vendors.comeet import requests, responses
from source_ats.vendors.comeet.listing import list_pages

T = TypeVar("T")

log = logging.getLogger("airbyte.source_ats.comeet")

MARGIN = timedelta(seconds=30)
"""Our notes and their times of creation may differ by so much: clocks show whole seconds."""
LONGEST_POSTING = timedelta(hours=4)
"""A post is given up well before."""
ATTEMPTS = 9
"""How often a post without an answer is sent."""
POSITIONS_REMEMBERED = 1000

CONTACTS = ("email", "phone", "mobile_phone", "linkedin_url")
"""By what a candidate is recognised in a list; where none was sent, by both names."""
NAMES = ("first_name", "last_name")

_MAY_NOT_LOOK = (AccessDenied, RequestRefused)
"""The list is observed only: it may not be there, or not take our filters."""


class Delivery:
    """Brings the records of one stream to Comeet. For one thread."""

    def __init__(  # noqa: PLR0913 - what the streams of a run share, and what is one's own
        self,
        *,
        client: Client,
        ledger: Ledger,
        clock: Clock,
        base_url: str,
        stream: str,
        mapper: Mapper,
        positions: dict[str, str | None],
    ) -> None:
        """`positions` remembers why a position takes nobody; all streams share it."""
        self._client = client
        self._ledger = ledger
        self._base_url = base_url
        self._stream = stream
        self._mapper = mapper
        self._positions = positions
        self._while_unknown = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(OutcomeUnknown),
            wait=tenacity.wait_random_exponential(multiplier=1, max=60),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            sleep=clock.sleep,
            before_sleep=_warn,
            reraise=True,
        )

    def deliver(self, record: Record) -> Sequence[Outcome]:
        """Return what became of the record, for each position that it goes to.

        Raises what ends the run: nobody answers, the key is bad, a permission is missing.
        """
        return [self._outcome_of(each) for each in self._mapper(record)]

    def _outcome_of(self, mapped: Candidate | Rejection | Skipped) -> Outcome:
        match mapped:
            case Rejection():
                return Outcome(Result.REFUSED, None, mapped.key, mapped.field, mapped.reason)
            case Skipped():
                return Outcome(Result.SKIPPED, None, mapped.key, mapped.field, mapped.reason)
            case Candidate():
                return self._deliver(mapped)

    def _deliver(self, candidate: Candidate) -> Outcome:
        entry = self._ledger.find(candidate.position_uid, candidate.key)
        if entry is None and candidate.skip_unless_known is not None:
            return self._outcome_of(candidate.skip_unless_known)
        problem = validation.problem(candidate.fields)
        if problem is not None:
            return _refused(candidate, *problem)
        if entry is None:
            closed = self._why_closed(candidate.position_uid)
            if closed is not None:
                return _refused(candidate, "position_uid", closed)
            return self._create(candidate, earlier=None)
        if entry.stream != self._stream:
            reason = f"belongs to a person of stream {entry.stream}; give each stream its prefix"
            return _refused(candidate, "partner_candidate_id", reason)
        match entry.standing:
            case Standing.SENDING:
                return self._resume(candidate, entry)
            case Standing.THERE:
                return self._update(candidate, entry, shown=None)
            case Standing.MERGED | Standing.GONE:
                return _outcome(candidate, Result.CLOSED)

    # Creating -------------------------------------------------------------------------------------

    def _create(self, candidate: Candidate, earlier: Entry | None) -> Outcome:
        """Note, then post until there is an answer. `earlier`: the note that this one replaces."""
        note = Entry(
            position=candidate.position_uid,
            key=candidate.key,
            stream=self._stream,
            standing=Standing.SENDING,
            noted_at=self._client.now(),
            hashes=self._hashes(candidate.fields),
        )
        self._ledger.note(note, again=earlier is not None)
        try:
            return self._post(candidate, note, earlier, lost=False)
        except OutcomeUnknown as error:
            log.warning(
                "A new candidate got no answer; looking whether it is there. [%s]", error.detail
            )
        outcome: Outcome = self._while_unknown(self._look_and_post, candidate, note)
        return outcome

    def _look_and_post(self, candidate: Candidate, note: Entry) -> Outcome:
        """Adopt what the last post created, or post the same again."""
        found = self._look_up_if_allowed(note)
        if found:
            return self._found(candidate, note, found, Result.CREATED)
        return self._post(candidate, note, None, lost=True)

    def _post(
        self, candidate: Candidate, note: Entry, earlier: Entry | None, *, lost: bool
    ) -> Outcome:
        """Post once. Raises `OutcomeUnknown`; after anything else it is known what there is."""
        request = requests.create(
            self._base_url, candidate.position_uid, candidate.key, candidate.fields
        )
        try:
            uid = self._client.send(request, responses.written)
        except OutcomeUnknown:
            raise
        except Conflict as conflict:
            if lost:
                return self._take_over(candidate, note, conflict, Result.CREATED)
            # What we know of it, if anything, is what an earlier run may have sent.
            held = replace(note, hashes=earlier.hashes if earlier else {})
            return self._take_over(candidate, held, conflict, None)
        except AtsError as error:
            if isinstance(error, ContractError) and not isinstance(error, RequestRefused):
                # A success that is not understood: the note stays, and the next run looks.
                raise
            if not lost and (earlier is None or isinstance(error, RequestRefused)):
                self._ledger.withdraw(note)
            if not isinstance(error, RequestRefused):
                raise
            if lost:
                reason = "got no answer, and was refused when it was sent again"
                return _outcome(candidate, Result.UNKNOWN, reason=reason)
            return _refused_by_vendor(candidate, error)
        self._close(replace(note, standing=Standing.THERE, uid=uid))
        return _outcome(candidate, Result.CREATED)

    def _take_over(
        self, candidate: Candidate, held: Entry, conflict: Conflict, result: Result | None
    ) -> Outcome:
        """Note the uid of the candidate that is there, and bring it up to date.

        `held.hashes` is what Comeet surely got. `result` is told instead of "already there".
        """
        shown = None
        if conflict.uid is not None:
            try:
                request = requests.candidate(self._base_url, conflict.uid)
                shown = self._send(request, responses.candidate)
            except AlreadyMerged:
                return self._closed(candidate, held, Standing.MERGED)
            except (RequestRefused, AccessDenied) as error:
                log.warning("The uid of a candidate cannot be found out. [%s]", error.detail)
        if shown is not None and shown.deleted:
            return self._closed(candidate, held, Standing.GONE)
        if shown is not None and shown.position_uid not in (None, candidate.position_uid):
            log.warning("A conflict names a candidate of another position. [%s]", conflict.detail)
            shown = None
        if shown is None:
            # Its content is unknown, and without a uid it cannot be changed.
            hashes = self._hashes(candidate.fields)
            self._close(replace(held, standing=Standing.THERE, hashes=hashes))
            return _outcome(candidate, result or Result.UNCHANGED)
        there = replace(held, standing=Standing.THERE, uid=shown.uid)
        self._close(there)
        outcome = self._update(candidate, there, shown)
        if result is not None and outcome.result is Result.UNCHANGED:
            return _outcome(candidate, result)
        return outcome

    # After a cut ----------------------------------------------------------------------------------

    def _resume(self, candidate: Candidate, note: Entry) -> Outcome:
        """Find out what became of a post that an earlier run did not finish."""
        try:
            found = self._look_up(note)
        except _MAY_NOT_LOOK:
            reason = (
                "was perhaps created by a run that was cut off, and Comeet does not let the "
                "integration retrieve candidates, so nobody can tell"
            )
            return _outcome(candidate, Result.UNKNOWN, reason=reason)
        if found:
            return self._found(candidate, note, found, None)
        closed = self._why_closed(candidate.position_uid)
        if closed is not None:
            self._ledger.withdraw(note)
            return _refused(candidate, "position_uid", closed)
        return self._create(candidate, earlier=note)

    def _found(
        self,
        candidate: Candidate,
        note: Entry,
        found: Sequence[responses.Candidate],
        result: Result | None,
    ) -> Outcome:
        """Adopt the one that was found; of several nobody can tell which it is."""
        if len(found) > 1:
            reason = (
                "was perhaps created by a call without an answer, and several candidates of the "
                "position look like it"
            )
            return _outcome(candidate, Result.UNKNOWN, reason=reason)
        there = replace(note, standing=Standing.THERE, uid=found[0].uid)
        self._close(there)
        outcome = self._update(candidate, there, shown=None)
        if result is not None and outcome.result is Result.UNCHANGED:
            return _outcome(candidate, result)
        return outcome

    def _look_up_if_allowed(self, note: Entry) -> Sequence[responses.Candidate]:
        try:
            return self._look_up(note)
        except _MAY_NOT_LOOK:
            return []

    def _look_up(self, note: Entry) -> Sequence[responses.Candidate]:
        """Return the candidates that the noted post may have created.

        They were created after the note, in its position, have its contact, and are nobody else's.
        """
        first = requests.created_between(
            self._base_url, note.noted_at - MARGIN, note.noted_at + LONGEST_POSTING
        )
        return [
            each
            for page, _ in list_pages(self._send, self._base_url, first, responses.candidates)
            for each in page.candidates
            if each.position_uid == note.position
            and self._is_noted(each, note.hashes)
            and not self._ledger.knows(each.uid)
        ]

    def _is_noted(self, shown: responses.Candidate, noted: Mapping[str, str]) -> bool:
        hashes = self._hashes(
            {name: value for name in (*CONTACTS, *NAMES) if (value := shown.shown(name))}
        )
        sent = [name for name in CONTACTS if name in noted]
        if sent:
            return any(hashes.get(name) == noted[name] for name in sent)
        return all(hashes.get(name) == noted.get(name) for name in NAMES)

    # Updating -------------------------------------------------------------------------------------

    def _update(
        self, candidate: Candidate, entry: Entry, shown: responses.Candidate | None
    ) -> Outcome:
        """Send the fields that changed since they were noted and that Comeet does not show so.

        Fields that the record no longer has stay as they are: the effect of null is not documented.
        """
        now = self._hashes(candidate.fields)
        if now == entry.hashes:
            return _outcome(candidate, Result.UNCHANGED)
        changed = [name for name in now if now[name] != entry.hashes.get(name)]
        left_out = [name for name in changed if name not in validation.UPDATABLE]
        left_out += [name for name in entry.hashes if name not in now]
        changes = {
            name: candidate.fields[name]
            for name in changed
            if name in validation.UPDATABLE
            and not (shown is not None and _same(name, shown.shown(name), candidate.fields[name]))
        }
        after = replace(entry, hashes=now)
        if not changes:
            self._close(after)
            return _outcome(candidate, Result.UNCHANGED, left_out=left_out)
        if after.uid is None:
            found = self._look_up_if_allowed(entry)
            if len(found) != 1:
                reason = "has changed, but Comeet did not tell its uid, so it cannot be updated"
                return _refused(candidate, "", reason)
            after = replace(after, uid=found[0].uid)
        try:
            request = requests.change(self._base_url, after.uid or "", changes)
            self._send(request, responses.written)
        except AlreadyMerged:
            return self._closed(candidate, entry, Standing.MERGED)
        except NotFound:
            return self._closed(candidate, entry, Standing.GONE)
        except RequestRefused as refusal:
            return _refused_by_vendor(candidate, refusal)
        self._close(after)
        return _outcome(candidate, Result.UPDATED, left_out=left_out)

    def _closed(self, candidate: Candidate, entry: Entry, standing: Standing) -> Outcome:
        """Close the key for ever. What is gone is forgotten: no hash of it stays."""
        hashes = {} if standing is Standing.GONE else entry.hashes
        self._close(replace(entry, standing=standing, hashes=hashes))
        log.info("The candidate with key %s is closed: %s in Comeet.", entry.key, standing.value)
        return _outcome(candidate, Result.CLOSED)

    # Steps ----------------------------------------------------------------------------------------

    def _why_closed(self, position_uid: str) -> str | None:
        """Return why a position takes nobody; None if it does, or if it cannot be told."""
        if position_uid not in self._positions:
            if len(self._positions) >= POSITIONS_REMEMBERED:
                self._positions.clear()
            self._positions[position_uid] = self._ask_position(position_uid)
        return self._positions[position_uid]

    def _ask_position(self, position_uid: str) -> str | None:
        try:
            position = self._send(
                requests.position(self._base_url, position_uid), responses.position
            )
        except NotFound:
            return "is not a position, or not one that is shared with the integration"
        except (AccessDenied, WrongAddress, RequestRefused):
            # The path is observed only, and the permission one of its own: let the post tell.
            return None
        return "is a position that is closed" if position.status == "closed" else None

    def _send(self, request: Request, read: Callable[[Response], T]) -> T:
        """Send anything but a post; what is closed is made safe first, for the wait may be long."""
        self._ledger.commit()
        return self._client.send(request, read)

    def _close(self, entry: Entry) -> None:
        self._ledger.close(entry, self._client.now())

    def _hashes(self, fields: Mapping[str, object]) -> dict[str, str]:
        """Return the hash of each field. The case of an email address is no difference."""
        email = fields.get("email")
        same = {**fields, "email": email.casefold()} if isinstance(email, str) else fields
        return self._ledger.hashes(same)


def _same(name: str, shown: str | None, ours: object) -> bool:
    if shown is None or not isinstance(ours, str):
        return False
    return shown.casefold() == ours.casefold() if name == "email" else shown == ours


def _outcome(
    candidate: Candidate,
    result: Result,
    *,
    field: str = "",
    reason: str = "",
    left_out: Sequence[str] = (),
) -> Outcome:
    return Outcome(result, candidate.position_uid, candidate.key, field, reason, left_out=left_out)


def _refused(candidate: Candidate, field: str, reason: str) -> Outcome:
    return _outcome(candidate, Result.REFUSED, field=field, reason=reason)


def _refused_by_vendor(candidate: Candidate, refusal: RequestRefused) -> Outcome:
    code = refusal.code or "no code"
    said = refusal.vendor_text if isinstance(refusal, InvalidInput) else ""
    reason = f"was refused by Comeet with {refusal.status} {code}"
    return Outcome(Result.REFUSED, candidate.position_uid, candidate.key, reason=reason, said=said)


def _warn(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    detail = error.detail if isinstance(error, AtsError) else ""
    log.warning("It got no answer again; looking and trying again. [%s]", detail)
