"""One pass over the candidates: their histories, and those that cannot be read.

| a history is answered with | the candidate |
| --- | --- |
| rows, `[]`, `null` | is done |
| 410 | is done, without rows |
| 404 | is kept in the state and requested once more at the end of the pass: then set aside, or forgotten if the list no longer shows it. Once the state has no room for more (100 candidates), a 404 means "no job" |
| another 4xx, or a server error that outlasts three attempts | is set aside if another candidate is answered and this one is refused again; if no other is answered, ATZ CRM is down and the stream ends as transient |
| 401, 403, a rate limit, an unknown shape | ends the stream: the cause is not this candidate |

Candidates that earlier runs have set aside are requested first, in turn with the others, without
the time of the last pass: whatever they have is new.
"""  # noqa: E501 - a table

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice, zip_longest

import msgspec

from source_ats.clock import rfc3339
from source_ats.errors import (
    AtsError,
    ConfigError,
    IncompleteResponse,
    RequestRefused,
    RetryableError,
    TransientError,
)
from source_ats.http.client import Client
from source_ats.http.retry import READ_POLICY, RetryPolicy
from source_ats.plural import counted
from source_ats.sync.concurrency import map_ordered
from source_ats.sync.set_aside import SetAside
from source_ats.sync.state import Timestamp
from source_ats.sync.stream import Page, Progress
from source_ats.vendors.atz_crm import requests, responses
from source_ats.vendors.atz_crm.config import AtzCrmConfig
from source_ats.vendors.atz_crm.listing_index import (
    EVERY_SLUG,
    ListingIndex,
    Phase,
    SharedListing,
    SlugPartition,
)
from source_ats.vendors.atz_crm.responses import History, ListedObject, ListPage

log = logging.getLogger("airbyte.source_ats.atz_crm")

IMPATIENT_POLICY = replace(READ_POLICY, attempts=3)
"""For one candidate: a server error that stays with it is found within seconds."""
NEIGHBOURS = 3
"""Other candidates that are requested, if none has been answered yet, before ATZ CRM counts as
down."""
NO_ROWS = History([])
GAP = (
    "The list of candidates has a row that is not valid JSON and whose slug cannot be read, so a "
    "history is missing."
)


class InProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A pass that began at `started_at` and is done with all candidates up to `after_slug`."""

    started_at: Timestamp
    after_slug: str
    incomplete: bool = False
    """True: one of its lists had a candidate without a readable slug."""


class StreamState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The stream's state. Without `updated_at` no pass was completed yet."""

    updated_at: Timestamp | None = None
    """When the last complete pass began, less the lookback."""
    finished_at: Timestamp | None = None
    in_progress: InProgress | None = None
    set_aside: dict[str, Timestamp] = msgspec.field(default_factory=dict)

    def times(self) -> list[datetime | None]:
        """Return the times that say how far the stream was read."""
        started_at = self.in_progress.started_at if self.in_progress else None
        return [self.updated_at, self.finished_at, started_at]

    def after_pass_at(self, began_at: datetime, lookback: timedelta) -> datetime:
        """Return `updated_at` after a pass that began then; it never moves back."""
        updated_at = began_at - lookback
        return max(updated_at, self.updated_at or updated_at)


@dataclass(frozen=True, slots=True)
class HistoryContext:
    """What the stream is read with."""

    client: Client
    config: AtzCrmConfig
    start_date: datetime | None
    lookback: timedelta
    shared_listing: SharedListing
    """The candidates, if another stream has listed them already."""
    partition: SlugPartition = EVERY_SLUG


def bookmark(updated_at: datetime | None, finished_at: datetime | None) -> dict[str, str]:
    """Return the part of a state that says up to when the stream was read."""
    times = {"updated_at": updated_at, "finished_at": finished_at}
    return {name: rfc3339(at) for name, at in times.items() if at is not None}


@dataclass(frozen=True, slots=True)
class _Result:
    """A candidate with its history, or with the error that came instead."""

    candidate: ListedObject
    was_set_aside: bool
    history: History = NO_ROWS
    error: RequestRefused | RetryableError | None = None

    @property
    def is_not_found(self) -> bool:
        """True if the history was answered with 404."""
        return isinstance(self.error, RequestRefused) and self.error.status == 404


class HistoryPass:
    """A pass. For the reading thread; only `_request` runs in others, too."""

    def __init__(
        self,
        source: HistoryContext,
        saved: StreamState,
        began_at: datetime,
        index: ListingIndex,
        *,
        lists_again: bool,
    ) -> None:
        """`index` holds the candidates; `lists_again` if they are listed once more at the end."""
        self._source = source
        self._saved = saved
        self._index = index
        self._started_at = saved.in_progress.started_at if saved.in_progress else began_at
        self._after_slug = saved.in_progress.after_slug if saved.in_progress else ""
        self._set_aside = SetAside("Candidate", saved.set_aside)
        self._since = max((at for at in (saved.updated_at, source.start_date) if at), default=None)
        """Rows that changed before were read by earlier passes, or precede the start date."""
        self._done = 0
        self._total = 0
        self._answered: ListedObject | None = None
        """The last candidate whose history was answered; any thread may set it."""
        self._lists_again = lists_again
        self._listed = {slug for slug in saved.set_aside if slug in index}
        """The candidates in the state's `set_aside` that the list shows."""
        self._not_found: dict[str, _Result] = {}
        """Candidates whose history was answered with 404 in this run."""
        self._without_job = 0
        """Candidates that count as people without a job; 0 as long as a 404 is an error."""
        for slug in saved.set_aside:
            index.move_to_set_aside(slug)

    def begin(self) -> Page:
        """Count what there is to do, and return the page that says so."""
        self._reject_gap_in_partition()
        listed = self._index.count(Phase.FIRST_LISTING)
        left = self._index.count(Phase.FIRST_LISTING, after=self._after_slug)
        to_read = self._index.count(
            Phase.FIRST_LISTING, after=self._after_slug, changed_since=self._changed_since()
        )
        set_aside = self._index.count(Phase.SET_ASIDE)
        self._done = listed - left
        self._total = self._done + set_aside + to_read
        log.info(
            "candidate_history: %s listed, %s to read, at most %d a minute.",
            counted(listed + set_aside, "candidate"),
            counted(self._total - self._done, "history", "histories"),
            self._source.config.requests_per_minute,
        )
        return self._page()

    def read_listed(self) -> Iterator[Page]:
        """Read the candidates in the order of their slugs, in turn with those set aside."""
        set_aside = self._index.objects(Phase.SET_ASIDE)
        listed = self._index.objects(
            Phase.FIRST_LISTING, after=self._after_slug, changed_since=self._changed_since()
        )
        in_turn = zip_longest(
            ((each, True) for each in set_aside), ((each, False) for each in listed)
        )
        for result in self._request_all(filter(None, chain.from_iterable(in_turn))):
            history = self._history_or_set_aside(result)
            if not result.was_set_aside:
                self._after_slug = result.candidate.slug
            self._done += 1
            yield self._page(history.records)

    def add_second_listing(self, page: ListPage) -> None:
        """Note a page of the second reading of the list."""
        self._lists_again = False
        self._index.add(page, Phase.SECOND_LISTING)
        self._listed |= {each.slug for each in page.objects} & set(self._set_aside.keys())

    def read_listed_later(self) -> Iterator[Page]:
        """Read the candidates that only the second reading of the list showed."""
        changed_since = self._changed_since()
        self._total += self._index.count(Phase.SECOND_LISTING, changed_since=changed_since)
        listed = self._index.objects(Phase.SECOND_LISTING, changed_since=changed_since)
        for result in self._request_all((each, False) for each in listed):
            history = self._history_or_set_aside(result)
            self._done += 1
            yield self._page(history.records)

    def retry_not_found(self) -> Iterator[Page]:
        """Request once more what was not found; forget those that the list no longer shows."""
        for slug in self._set_aside.keys():  # noqa: SIM118 - not a mapping
            # A row without a readable slug may be anyone's.
            if self._index.is_complete and slug not in self._listed:
                self._set_aside.release(slug)
                self._not_found.pop(slug, None)
        candidates = [(each.candidate, each.was_set_aside) for each in self._not_found.values()]
        for result in self._request_all(candidates):
            if result.error is None:
                self._set_aside.release(result.candidate.slug)
            else:
                self._put_aside(result.candidate, result.error)
            yield self._page(result.history.records)

    def finish(self) -> Page:
        """Return the state after the pass: the next one reads what changed since this one began."""
        if self._without_job:
            log.log(
                logging.INFO if self._answered else logging.WARNING,
                "candidate_history: ATZ CRM answered 404 for the histories of %d candidates. They "
                "count as people without a job.",
                self._without_job,
            )
        updated_at = self._updated_at()
        finished_at = self._source.client.now()
        state = {**bookmark(updated_at, finished_at), **self._set_aside.as_state()}
        return Page([], state, Progress(self._done, self._total))

    @property
    def _has_gap(self) -> bool:
        before = self._saved.in_progress
        return not self._index.is_complete or (before is not None and before.incomplete)

    def _reject_gap_in_partition(self) -> None:
        """Raise `IncompleteResponse`: the state is planned, so no later run reads the rest."""
        if self._has_gap and self._source.partition is not EVERY_SLUG:
            raise IncompleteResponse(f"{GAP} Run again once ATZ CRM has corrected the row.")

    def _updated_at(self) -> datetime | None:
        """Return since when the next pass reads: since the same time as this one after a gap."""
        if not self._has_gap:
            return self._saved.after_pass_at(self._started_at, self._source.lookback)
        self._reject_gap_in_partition()
        log.warning(
            "candidate_history: %s Every pass reads what has changed since %s until the row can be "
            "read.",
            GAP,
            rfc3339(self._saved.updated_at) if self._saved.updated_at else "the beginning",
        )
        return self._saved.updated_at

    def _page(self, records: Sequence[bytes] = ()) -> Page:
        """Return records, and the state of the pass as it is now."""
        state = {
            **bookmark(self._saved.updated_at, self._saved.finished_at),
            "in_progress": {
                "started_at": rfc3339(self._started_at),
                "after_slug": self._after_slug,
                **({"incomplete": True} if self._has_gap else {}),
            },
            **self._set_aside.as_state(),
        }
        return Page(records, state, Progress(self._done, self._total))

    def _changed_since(self) -> datetime | None:
        """Return since when a candidate must have changed to be read; None: all are read."""
        if self._source.config.history_of == "changed_candidates":
            return self._since
        return None

    def _request_all(self, candidates: Iterable[tuple[ListedObject, bool]]) -> Iterator[_Result]:
        """Yield the results for candidates, each with whether it was set aside by earlier runs."""

        def request(item: tuple[ListedObject, bool]) -> _Result:
            candidate, was_set_aside = item
            return self._request(candidate, was_set_aside=was_set_aside)

        return map_ordered(request, candidates, self._source.config.concurrent_requests)

    def _request(
        self,
        candidate: ListedObject,
        *,
        was_set_aside: bool = False,
        retry_policy: RetryPolicy = IMPATIENT_POLICY,
    ) -> _Result:
        """Request a candidate's history. Raises what is not the fault of this candidate alone."""
        config = self._source.config
        request = requests.history(
            requests.base_url(config.base_url), candidate.slug, config.job_slug
        )
        read = partial(
            responses.history,
            candidate=candidate,
            job_slug=config.job_slug,
            since=self._source.start_date if was_set_aside else self._since,
        )
        try:
            history = self._source.client.send(request, read, retry_policy=retry_policy)
        except RequestRefused as refusal:
            if refusal.status == 410:
                return _Result(candidate, was_set_aside)
            return _Result(candidate, was_set_aside, error=refusal)
        except RetryableError as error:
            # A rate limit concerns all candidates.
            if error.rate_limit:
                raise
            return _Result(candidate, was_set_aside, error=error)
        self._answered = candidate
        return _Result(candidate, was_set_aside, history)

    def _history_or_set_aside(self, result: _Result) -> History:
        """Return the history; no rows if the candidate had to be set aside.

        Raises `TransientError` when no other candidate is answered: then ATZ CRM is down.
        """
        if result.error and not result.is_not_found and not result.was_set_aside:
            self._check_neighbours(result.candidate, result.error)
            result = self._request(result.candidate)
        if result.error and not self._lists_again and not result.was_set_aside:
            self._listed.add(result.candidate.slug)
        if result.error is None:
            self._set_aside.release(result.candidate.slug)
        elif result.is_not_found:
            self._keep_not_found(result, result.error)
        else:
            self._put_aside(result.candidate, result.error)
        return result.history

    def _put_aside(self, candidate: ListedObject, error: AtsError) -> None:
        if self._not_found and not self._set_aside.has_room_for(candidate.slug):
            self._count_as_without_job()
        self._set_aside.add(candidate.slug, self._source.client.now(), error.detail)

    def _check_neighbours(
        self, candidate: ListedObject, error: RequestRefused | RetryableError
    ) -> None:
        """Raise `TransientError` if no other candidate is answered."""
        listed = self._index.objects(Phase.FIRST_LISTING)
        others = (each for each in listed if each.slug != candidate.slug)
        neighbours = [self._answered] if self._answered else list(islice(others, NEIGHBOURS))
        chosen_only = bool(self._source.config.candidate_slugs)
        if chosen_only and not neighbours and isinstance(error, RequestRefused):
            # The only configured candidate: no list says that it exists.
            return
        for number, neighbour in enumerate(neighbours):
            # The first one gets the usual number of attempts: a short outage passes meanwhile.
            policy = IMPATIENT_POLICY if number else READ_POLICY
            answer = self._request(neighbour, retry_policy=policy)
            if answer.error is None or answer.is_not_found:
                return
        if isinstance(error, RetryableError):
            raise error
        if chosen_only:
            message = (
                "ATZ CRM refuses the histories of several candidates in a row. Correct "
                "atz_crm.candidate_slugs."
            )
            raise ConfigError(message, detail=error.detail)
        message = (
            "ATZ CRM refuses the histories of several candidates in a row. The next run resumes "
            "from the last state."
        )
        raise TransientError(message, detail=error.detail)

    def _keep_not_found(self, result: _Result, error: AtsError) -> None:
        """Keep a candidate for a second request, or count it as somebody without a job."""
        slug = result.candidate.slug
        if self._without_job:
            self._without_job += 1
            self._set_aside.forget(slug)
            return
        self._not_found[slug] = result
        if self._set_aside.has_room_for(slug):
            self._set_aside.keep(slug, self._source.client.now(), error.detail)
        else:
            self._count_as_without_job()

    def _count_as_without_job(self) -> None:
        """Read a 404 as "no job" from now on, since the state holds as many candidates as it may.

        Without this, a pass in which other candidates are set aside would fail in every run.
        """
        self._without_job = len(self._not_found)
        for each in self._not_found:
            self._set_aside.forget(each)
        self._not_found.clear()
