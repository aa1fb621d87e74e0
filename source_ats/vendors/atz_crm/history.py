"""The stream `candidate_history`: the history of each candidate, by one call for each.

No call tells what changed, so a pass asks for everybody: it lists all candidates, walks them in the
order of their slugs, and lists them once more for those that slipped between two pages meanwhile.
That makes 2 x pages + candidates calls, evenly paced, for hours; the state says up to which slug
a pass has come, so that it can be cut anywhere and go on.

Whose history was new or changed since the last pass began, all rows of those are emitted.

What cannot be known: a candidate that the list of a pass did not show, where that pass was cut
before it listed once more, is taken for done by the run that goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from typing import TypeVar

import msgspec

from source_ats.clock import rfc3339
from source_ats.errors import AtsError, RequestRefused, RetryableError, TransientError
from source_ats.http.client import Client
from source_ats.sync.concurrency import map_ordered
from source_ats.sync.set_aside import SetAside
from source_ats.sync.state import Timestamp, parse_state, reject_future_state
from source_ats.sync.stream import Page, Partition, Partitioning, Progress, State
from source_ats.vendors.atz_crm import requests, responses
from source_ats.vendors.atz_crm.config import AtzCrmConfig
from source_ats.vendors.atz_crm.listing import (
    WHOLE,
    Handover,
    Lister,
    ListFile,
    Part,
    Share,
    base_url,
)
from source_ats.vendors.atz_crm.responses import History, Listed, ListPage

A = TypeVar("A")
B = TypeVar("B")

log = logging.getLogger("airbyte.source_ats.atz_crm")

GONE = {404, 410}
"""A listed candidate without a history was deleted meanwhile; or, assumed, never had a job."""
NOTHING = History([])
NEIGHBOURS = 3
"""So many others are asked, where no other has answered yet, before the vendor counts as down."""


class InProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pass that began at `started_at` and is done with all candidates up to `after_slug`."""

    started_at: Timestamp
    after_slug: str


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The stream's state. Without `updated_at` no pass was finished yet."""

    updated_at: Timestamp | None = None
    """When the last finished pass began, less the lookback."""
    finished_at: Timestamp | None = None
    in_progress: InProgress | None = None
    set_aside: dict[str, Timestamp] = msgspec.field(default_factory=dict)

    def moments(self) -> list[Timestamp | None]:
        """Return the times that tell how far the stream was read."""
        going_on = self.in_progress
        return [self.updated_at, self.finished_at, going_on.started_at if going_on else None]


@dataclass(frozen=True, slots=True)
class Reading:
    """All that stays the same while the stream is read."""

    client: Client
    section: AtzCrmConfig
    start_date: datetime | None
    lookback: timedelta
    handover: Handover
    """Where the candidates are if another stream has listed them already."""
    share: Share = WHOLE


def pages(reading: Reading, state: State, full_refresh: bool) -> Iterator[Page]:  # noqa: FBT001 - the signature of Stream.pages
    """Yield a page for each candidate whose turn has come, also if none of its rows is new.

    The first page of the list is asked for in any case, by this stream or by another: its answer
    tells the vendor's time, by which the last pass may be too young for another one.
    """
    # A full refresh that goes on has no bookmark, so that everything is new to it.
    del full_refresh
    kept = parse_state(state, Entry, "candidate_history")
    whole = reading.handover.take()
    candidates_list = Lister(reading.section, reading.client, requests.CANDIDATES)
    first_page = None
    if whole is not None:
        began_at = whole.began_at
    else:
        first_page = candidates_list.first_page()
        began_at = first_page.sent_at.replace(microsecond=0)
    reject_future_state("candidate_history", kept.moments(), began_at)
    if kept.in_progress is None and _is_too_young(reading, kept.finished_at, began_at):
        return
    here = _Pass(
        kept=kept,
        started_at=kept.in_progress.started_at if kept.in_progress else began_at,
        after_slug=kept.in_progress.after_slug if kept.in_progress else "",
        set_aside=SetAside("Candidate", kept.set_aside),
        since=max((at for at in (kept.updated_at, reading.start_date) if at), default=None),
    )
    with whole.listed if whole else ListFile(reading.share) as listed:
        last = 0
        if first_page is not None:
            last = _list(candidates_list, first_page, listed)
        for slug in here.set_aside.keys():  # noqa: SIM118 - no mapping
            listed.move_to_first(slug)
        yield _begun(reading, here, listed)
        yield from _read_set_aside(reading, here, listed)
        yield from _walk(reading, here, listed, candidates_list, last)
        yield from _read_missed(reading, here, listed)
    if here.gone:
        level = logging.INFO if here.answered else logging.WARNING
        log.log(level, "candidate_history: %d listed candidates have no history.", here.gone)
    yield here.finished(reading.lookback, reading.client.now())


def partitioning(reading: Reading) -> Partitioning:
    """Return how the stream is read side by side: each piece is a share of the candidates."""
    return Partitioning(
        plan=partial(_plan_batch, reading),
        split=_split_batch,
        pages=partial(_partition_pages, reading),
    )


def _plan_batch(reading: Reading, state: State, most: int) -> State:
    """Return the state after a pass that begins now; the same if the last one is too young."""
    del most
    kept = parse_state(state, Entry, "candidate_history")
    candidates_list = Lister(reading.section, reading.client, requests.CANDIDATES)
    now = candidates_list.first_page().sent_at.replace(microsecond=0)
    if _is_too_young(reading, kept.finished_at, now):
        return state
    return _bookmark(now - reading.lookback, now)


def _split_batch(before: State, after: State, most: int) -> list[Partition]:
    """Return `most` pieces, each with its share of the candidates.

    The shares are by slug, not by pages of the list: pages shift while they are read, and whoever
    slipped from one piece's pages into another's would be missed. So each lists everybody.
    """
    del after
    since = _bookmark(parse_state(before, Entry, "candidate_history").updated_at, None)
    return [{**since, "number": number, "of": most} for number in range(most)]


def _partition_pages(reading: Reading, partition: Partition) -> Iterator[Page]:
    """Yield the pages of one pass over a share of the candidates."""
    state = {name: partition[name] for name in partition if name == "updated_at"}
    reading = replace(reading, share=Share(partition["number"], partition["of"]))
    yield from pages(reading, state, full_refresh=False)


def _list(candidates_list: Lister, first_page: ListPage, listed: ListFile) -> int:
    """Read the list to its end, and return the number of the last page."""
    listed.add(first_page, Part.WALK)
    last = 1
    for page in candidates_list.pages_after(1, first_page):
        listed.add(page, Part.WALK)
        last += 1
    return last


def _is_too_young(reading: Reading, finished_at: datetime | None, now: datetime) -> bool:
    """Tell whether the last pass is too young for another one, by the vendor's clock."""
    hours = reading.section.min_hours_between_passes
    # By whole seconds and the time a call took, a pass may seem to end a moment after `now`.
    if finished_at is None or not hours or now - finished_at >= timedelta(hours=hours):
        return False
    log.info(
        "candidate_history: the last pass ended at %s, less than %g hours ago "
        "(atz_crm.min_hours_between_passes); nothing is read.",
        rfc3339(finished_at),
        hours,
    )
    return True


@dataclass(slots=True)
class _Pass:
    """How far a pass has come. Changed by the reading thread only, but for `answered`."""

    kept: Entry
    started_at: datetime
    after_slug: str
    set_aside: SetAside
    since: datetime | None
    """Rows changed before were read by earlier passes, or are older than the start date."""
    done: int = 0
    total: int = 0
    gone: int = 0
    answered: Listed | None = None
    """The last one whose history was answered; any thread that asks may set it."""

    def page(self, records: Sequence[bytes] = ()) -> Page:
        """Return what is new, and the state of the pass as it is now."""
        in_progress = {"started_at": rfc3339(self.started_at), "after_slug": self.after_slug}
        state = {
            **_bookmark(self.kept.updated_at, self.kept.finished_at),
            "in_progress": in_progress,
            **self.set_aside.as_state(),
        }
        return Page(records, state, Progress(self.done, self.total))

    def finished(self, lookback: timedelta, now: datetime) -> Page:
        """Return the state after the pass: the next one reads what changed since this one began."""
        state = {**_bookmark(self.started_at - lookback, now), **self.set_aside.as_state()}
        return Page([], state, Progress(self.done, self.total))


def _bookmark(updated_at: datetime | None, finished_at: datetime | None) -> dict[str, str]:
    moments = {"updated_at": updated_at, "finished_at": finished_at}
    return {name: rfc3339(at) for name, at in moments.items() if at is not None}


def _changed_since(reading: Reading, here: _Pass) -> datetime | None:
    """Return since when a candidate has to have changed to be read; None: all are."""
    return here.since if reading.section.history_of == "changed_candidates" else None


def _begun(reading: Reading, here: _Pass, listed: ListFile) -> Page:
    """Count what there is to do, and return the page that says so."""
    changed_since = _changed_since(reading, here)
    to_walk = listed.count(Part.WALK, after=here.after_slug, changed_since=changed_since)
    here.done = listed.count(Part.WALK) - listed.count(Part.WALK, after=here.after_slug)
    here.total = here.done + listed.count(Part.FIRST) + to_walk
    log.info(
        "candidate_history: %d candidates listed, %d histories to read, at most %d a minute.",
        listed.count(Part.WALK) + listed.count(Part.FIRST),
        here.total - here.done,
        reading.section.requests_per_minute,
    )
    return here.page()


def _read_set_aside(reading: Reading, here: _Pass, listed: ListFile) -> Iterator[Page]:
    """Ask again for those that were set aside, for all rows: their turn has passed before."""
    ask = partial(_ask, reading, here, reading.start_date)
    first = listed.objects(Part.FIRST)
    for asked in _in_order(reading, ask, first):
        history = asked.outcome
        if isinstance(history, AtsError):
            _set_aside(reading, here, asked.candidate, history)
            history = NOTHING
        else:
            here.set_aside.release(asked.candidate.slug)
        yield _counted(here, history)


def _walk(
    reading: Reading, here: _Pass, listed: ListFile, candidates_list: Lister, last: int
) -> Iterator[Page]:
    """Read those listed in the order of their slugs; then the list once more, backwards.

    `last` is the number of the list's last page, 0 if another stream has read it twice already.
    Both in one go: between the two no call's time is lost.
    """

    def work(item: Listed | int) -> _Asked | ListPage:
        if isinstance(item, int):
            return candidates_list.page(item)
        return _ask(reading, here, here.since, item)

    items: Iterable[Listed | int] = chain(
        listed.objects(
            Part.WALK, after=here.after_slug, changed_since=_changed_since(reading, here)
        ),
        range(last, 0, -1),
    )
    last_page = None
    for answer in _in_order(reading, work, items):
        if isinstance(answer, ListPage):
            listed.add(answer, Part.MISSED)
            last_page = last_page or answer
        else:
            history = _settled(reading, here, listed, answer)
            here.after_slug = answer.candidate.slug
            yield _counted(here, history)
    if last_page is not None:
        for page in candidates_list.pages_after(last, last_page):
            listed.add(page, Part.MISSED)


def _read_missed(reading: Reading, here: _Pass, listed: ListFile) -> Iterator[Page]:
    """Read those that only the second reading of the list showed."""
    changed_since = _changed_since(reading, here)
    here.total += listed.count(Part.MISSED, changed_since=changed_since)
    ask = partial(_ask, reading, here, here.since)
    missed = listed.objects(Part.MISSED, changed_since=changed_since)
    for asked in _in_order(reading, ask, missed):
        yield _counted(here, _settled(reading, here, listed, asked))


def _in_order(reading: Reading, work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    at_once = reading.section.concurrent_requests
    return map_ordered(work, items, at_once, alone=reading.client.answers_at_once)


def _counted(here: _Pass, history: History) -> Page:
    here.done += 1
    here.gone += history.gone
    return here.page(history.records)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A candidate, and its history or why there was none to get."""

    candidate: Listed
    outcome: History | RequestRefused | RetryableError


def _ask(reading: Reading, here: _Pass, since: datetime | None, candidate: Listed) -> _Asked:
    """Ask for a candidate's history. Raises what is no matter of this candidate alone."""
    request = requests.history(base_url(reading.section), candidate.slug, reading.section.job_slug)
    read = partial(
        responses.history, candidate=candidate, job_slug=reading.section.job_slug, since=since
    )
    try:
        history = reading.client.send(request, read)
    except RequestRefused as refusal:
        if refusal.status in GONE:
            log.debug("Candidate %s has no history any more. [%s]", candidate.slug, refusal.detail)
            return _Asked(candidate, History([], gone=True))
        return _Asked(candidate, refusal)
    except RetryableError as error:
        # A rate limit is everybody's.
        if error.rate_limit:
            raise
        return _Asked(candidate, error)
    here.answered = candidate
    return _Asked(candidate, history)


def _settled(reading: Reading, here: _Pass, listed: ListFile, asked: _Asked) -> History:
    """Return the history that was asked for; nothing if the candidate had to be set aside.

    A candidate is set aside only if after its refusal another one is answered, and it is refused
    once more. Raises `TransientError` when nobody else is answered: then the vendor is down.
    """
    if isinstance(asked.outcome, History):
        return asked.outcome
    others = [here.answered] if here.answered else _some_others(listed, asked.candidate)
    if not any(_is_answered(reading, here, other) for other in others):
        if isinstance(asked.outcome, RetryableError):
            raise asked.outcome
        message = (
            "ATZ CRM refuses the history of one candidate after the other. The next run goes on "
            "from the last state."
        )
        raise TransientError(message, detail=asked.outcome.detail)
    again = _ask(reading, here, here.since, asked.candidate).outcome
    if isinstance(again, History):
        return again
    _set_aside(reading, here, asked.candidate, again)
    return NOTHING


def _some_others(listed: ListFile, candidate: Listed) -> list[Listed]:
    others = (each for each in listed.objects(Part.WALK) if each.slug != candidate.slug)
    return list(islice(others, NEIGHBOURS))


def _is_answered(reading: Reading, here: _Pass, candidate: Listed) -> bool:
    return isinstance(_ask(reading, here, here.since, candidate).outcome, History)


def _set_aside(reading: Reading, here: _Pass, candidate: Listed, error: AtsError) -> None:
    here.set_aside.add(candidate.slug, reading.client.now(), error.detail)
