"""Kombo's streams: one model each, read over all configured integrations.

The vendor's advice, which the state follows: remember when a read *began* and ask for what changed
after that, because a row also matches `updated_after` when rows related to it changed, while its
own `changed_at` stays. The order of rows is not documented, so the bookmark moves only after the
last page; until then the cursor of the next page is kept beside it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

import msgspec

from source_ats.clock import Clock, rfc3339
from source_ats.errors import (
    AtsError,
    ConfigError,
    ContractError,
    NoSuchRows,
    PartitionUnavailable,
    RequestRefused,
    Stopped,
    TransientError,
    UnknownPartition,
)
from source_ats.http.client import Client
from source_ats.http.rate_limiter import RateLimiter
from source_ats.http.retry import RetryPolicy
from source_ats.protocol.schemas import Schema
from source_ats.sync.concurrency import map_ordered
from source_ats.sync.state import Timestamp, parse_state, reject_future_state
from source_ats.sync.stream import Page, Partition, Partitioning, ReadOptions, State, Stream
from source_ats.vendors.kombo import requests, responses, schemas
from source_ats.vendors.kombo.config import KomboConfig

log = logging.getLogger("airbyte.source_ats.kombo")

CURSOR_IS_GOOD_FOR = timedelta(hours=24)
"""Assumed: the vendor says nothing about the life of a cursor."""
BOOKMARK_IS_GOOD_FOR = timedelta(days=13)
"""Deleted rows are emptied, by older pages removed, 14 days after their deletion."""
PROBES_AT_ONCE = 8


class InProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A read that goes on at `cursor`; `kept_at` is when the vendor gave it."""

    started_at: Timestamp
    cursor: str
    kept_at: Timestamp


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The state of one integration. A read without `updated_after` reads everything."""

    updated_after: Timestamp | None = None
    full_read_at: Timestamp | None = None
    in_progress: InProgress | None = None

    def moments(self) -> list[Timestamp | None]:
        """Return all times that the state tells."""
        going_on = self.in_progress
        return [
            self.updated_after,
            self.full_read_at,
            *((going_on.started_at, going_on.kept_at) if going_on else ()),
        ]


class Entries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The state of a stream, beside what the adapter keeps."""

    integrations: dict[str, Entry] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """One kind of row, which is one stream: `path` is its list, `id` its name in `read_models`."""

    stream: str
    path: str
    id: str
    schema: Schema


CANDIDATES = Model("candidates", "candidates", "ats_candidates", schemas.CANDIDATES)
MODELS = (
    CANDIDATES,
    Model("kombo_applications", "applications", "ats_applications", schemas.APPLICATIONS),
    Model("kombo_jobs", "jobs", "ats_jobs", schemas.JOBS),
    Model("kombo_users", "users", "ats_users", schemas.USERS),
    Model("kombo_tags", "tags", "ats_tags", schemas.TAGS),
    Model("kombo_offers", "offers", "ats_offers", schemas.OFFERS),
    Model("kombo_interviews", "interviews", "ats_interviews", schemas.INTERVIEWS),
    Model(
        "kombo_rejection_reasons",
        "rejection-reasons",
        "ats_rejection_reasons",
        schemas.REJECTION_REASONS,
    ),
    # Assumed: the id of this one is in no documentation, but formed like the others.
    Model("kombo_roles", "roles", "ats_roles", schemas.ROLES),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """All that stays the same while a stream is read."""

    client: Client
    section: KomboConfig
    base_url: str
    model: Model
    about: Callable[[str], responses.Integration]
    """What an integration says of itself, asked for once in a run."""
    start_date: datetime | None
    lookback: timedelta


def client(
    section: KomboConfig,
    clock: Clock,
    *,
    on_rate_limit: Callable[[datetime | None], None],
    retry_policy: RetryPolicy,
) -> Client:
    """Return the client for all calls with this key.

    The vendor publishes no rate limit, so the calls are not paced: its headers are obeyed.
    """
    return Client(
        responses.VENDOR,
        requests.auth(section.api_key),
        RateLimiter(clock),
        clock,
        retry_policy=retry_policy,
        on_rate_limit=on_rate_limit,
    )


def streams(section: KomboConfig, options: ReadOptions, client: Client) -> list[Stream]:
    """Return the streams of this section: one for each model."""

    @cache
    def about(integration_id: str) -> responses.Integration:
        return client.send(
            requests.integration(base_url(section), integration_id), responses.integration
        )

    readings = [
        Reading(
            client=client,
            section=section,
            base_url=base_url(section),
            model=model,
            about=about,
            start_date=options.start_date,
            lookback=options.lookback,
        )
        for model in MODELS
    ]
    return [
        Stream(
            name=reading.model.stream,
            schema=reading.model.schema,
            primary_key="id",
            cursor_field="changed_at",
            selection={
                "start_date": rfc3339(options.start_date) if options.start_date else None,
                "include_deleted": section.include_deleted,
            },
            pages=partial(pages, reading),
            partitioning=partitioning(reading),
        )
        for reading in readings
    ]


def partitioning(reading: Reading) -> Partitioning:
    """Return how a stream is read side by side: each integration is a piece."""
    return Partitioning(
        plan=partial(_plan_batch, reading),
        split=partial(_split_batch, reading),
        pages=partial(_partition_pages, reading),
    )


def base_url(section: KomboConfig) -> str:
    """Return where the API is."""
    return section.base_url or requests.BASE_URLS[section.region]


def pages(reading: Reading, state: State, full_refresh: bool) -> Iterator[Page]:  # noqa: FBT001 - the signature of Stream.pages
    """Yield the pages of all integrations, one integration after the other.

    An integration that cannot be read now keeps its state and gets a warning; one that fails ends
    the stream only after the others were read. Where an integration has no such rows to show, that
    is no failure, except for candidates.
    """
    kept = parse_state(state, Entries, reading.model.stream).integrations
    done: dict[str, Any] = {
        name: msgspec.to_builtins(kept[name])
        for name in reading.section.integration_ids
        if name in kept
    }
    left_out: dict[str, PartitionUnavailable] = {}
    failures: list[AtsError] = []
    for integration_id in reading.section.integration_ids:
        entry = kept.get(integration_id, Entry())
        if full_refresh and entry.full_read_at is not None and entry.in_progress is None:
            continue
        try:
            _find_model(reading, integration_id)
            for rows, after in _integration_pages(reading, integration_id, entry):
                done = {**done, integration_id: msgspec.to_builtins(after)}
                yield Page(rows, {"integrations": done})
        except PartitionUnavailable as error:
            left_out[integration_id] = error
            message = f"Integration {integration_id} {error.message}. It is left out of this run."
            log.warning("%s: %s [%s]", reading.model.stream, message, error.detail)
        except UnknownPartition as error:
            failures.append(_named(integration_id, error))
            message = failures[-1].message
            log.warning("%s: %s [%s]", reading.model.stream, message, error.detail)
        except Stopped:
            raise
        except (TransientError, ContractError) as error:
            message = f"Integration {integration_id}: {error.message}"
            log.warning("%s: %s [%s]", reading.model.stream, message, error.detail)
            failures.append(error)
    if failures:
        raise failures[0]
    if len(left_out) == len(reading.section.integration_ids):
        _nothing_was_read(reading.model, left_out)


def _nothing_was_read(model: Model, left_out: Mapping[str, PartitionUnavailable]) -> None:
    """Raise what ends the stream, unless all that is wrong is that nobody has such rows."""
    reasons = {
        integration_id: error
        for integration_id, error in left_out.items()
        if model is CANDIDATES or not isinstance(error, NoSuchRows)
    }
    if reasons:
        text = " ".join(f"Integration {each} {error.message}." for each, error in reasons.items())
        passes = all(error.passes for error in reasons.values())
        raise TransientError(text) if passes else ConfigError(text)


def _find_model(reading: Reading, integration_id: str) -> None:
    """Raise `NoSuchRows` if the integration says that it has no such rows to show.

    Candidates are not looked for: nearly all integrations have them, and if one has not, its list
    says so.
    """
    if reading.model is CANDIDATES:
        return
    missing = responses.missing(reading.about(integration_id), reading.model.id)
    if missing is not None:
        raise missing


@dataclass(frozen=True, slots=True)
class _Plan:
    """How to read one integration: from which bookmark on, and at which page to begin."""

    entry: Entry
    """What the state says once the plan is taken: without what it does not trust."""
    started_at: datetime | None
    cursor: str | None


def _plan(reading: Reading, entry: Entry, now: datetime) -> _Plan:
    """Decide whether to go on, to read what changed, or to read everything."""
    going_on = entry.in_progress
    if going_on is not None and now - going_on.kept_at <= CURSOR_IS_GOOD_FOR:
        return _Plan(entry, going_on.started_at, going_on.cursor)
    return _Plan(_bookmark(reading, entry, now), None, None)


def _bookmark(reading: Reading, entry: Entry, now: datetime) -> Entry:
    """Return what is done so far, without a read in progress; nothing when a full read is due."""
    if entry.updated_after is None or now - entry.updated_after > BOOKMARK_IS_GOOD_FOR:
        return Entry()
    every = timedelta(days=reading.section.full_read_every_days)
    if every and (entry.full_read_at is None or now - entry.full_read_at > every):
        return Entry()
    return Entry(entry.updated_after, entry.full_read_at)


def _integration_pages(
    reading: Reading, integration_id: str, entry: Entry
) -> Iterator[tuple[Sequence[bytes], Entry]]:
    """Yield the rows of each page and the integration's state after it.

    A kept cursor that is refused, answers nothing, or turns out too old by the vendor's clock is
    given up once: the integration is then read again from its bookmark.
    """
    plan = _plan(reading, entry, reading.client.now())
    begun_again = False
    first = True
    while True:
        try:
            page = _ask(reading, integration_id, plan)
        except RequestRefused as refusal:
            if plan.cursor is None or begun_again:
                raise
            log.warning(
                "%s: Integration %s: Kombo no longer takes the cursor of the next page; reading "
                "from the bookmark again. [%s]",
                reading.model.stream,
                integration_id,
                refusal.detail,
            )
            plan = _Plan(_bookmark(reading, entry, reading.client.now()), None, None)
            begun_again, first = True, False
            continue
        if first:
            reject_future_state(reading.model.stream, entry.moments(), page.response.sent_at)
        if first and not begun_again:
            # Until the first reply, "now" was the machine's; the vendor's may tell another plan.
            better = _plan(reading, entry, page.response.sent_at)
            if better.cursor is not None and not page.rows:
                better = _Plan(_bookmark(reading, entry, page.response.sent_at), None, None)
            if better != plan:
                log.info(
                    "%s: Integration %s: reading from the bookmark again.",
                    reading.model.stream,
                    integration_id,
                )
                plan, begun_again = better, True
                continue
        first = False
        started_at = plan.started_at or page.response.sent_at.replace(microsecond=0)
        if page.next_cursor is None:
            yield page.rows, _finished(reading, plan.entry, started_at)
            return
        if page.next_cursor == plan.cursor:
            message = "Kombo answers the same page again and again."
            raise ContractError(message, detail=page.response.where)
        kept_at = reading.client.now().replace(microsecond=0)
        going_on = InProgress(started_at, page.next_cursor, kept_at)
        after = msgspec.structs.replace(plan.entry, in_progress=going_on)
        yield page.rows, after
        plan = _Plan(plan.entry, started_at, page.next_cursor)


def _plan_batch(reading: Reading, state: State, most: int) -> State:
    """Return the state once all integrations that can be read now were read.

    Each is asked for one row: so those that cannot be read are left out of the batch, and keep
    their bookmark, before anything is claimed of them.
    """
    del most
    kept = parse_state(state, Entries, reading.model.stream).integrations
    integration_ids = reading.section.integration_ids
    after = {name: kept[name] for name in integration_ids if name in kept}
    left_out: dict[str, PartitionUnavailable] = {}
    for integration_id, asked in zip(
        integration_ids,
        map_ordered(partial(_probe, reading), integration_ids, PROBES_AT_ONCE),
        strict=True,
    ):
        if isinstance(asked, PartitionUnavailable):
            left_out[integration_id] = asked
            message = f"Integration {integration_id} {asked.message}. It is left out of this batch."
            log.warning("%s: %s [%s]", reading.model.stream, message, asked.detail)
            continue
        bookmark = _bookmark(reading, kept.get(integration_id, Entry()), asked)
        after[integration_id] = _finished(reading, bookmark, asked)
    if len(left_out) == len(integration_ids):
        _nothing_was_read(reading.model, left_out)
    return {"integrations": msgspec.to_builtins(after)}


def _probe(reading: Reading, integration_id: str) -> datetime | PartitionUnavailable:
    """Return the vendor's time if this integration can be read, or why it cannot."""
    try:
        _find_model(reading, integration_id)
        page = _ask(reading, integration_id, _Plan(Entry(), None, None), page_size=1)
    except PartitionUnavailable as error:
        return error
    except UnknownPartition as error:
        raise _named(integration_id, error) from None
    except Stopped:
        raise
    except TransientError as error:
        return PartitionUnavailable(
            f"does not answer: {error.message}", passes=True, detail=error.detail
        )
    return page.response.sent_at.replace(microsecond=0)


def _split_batch(reading: Reading, before: State, after: State, most: int) -> list[Partition]:
    """Return a piece for each integration whose state moves.

    One that was taken out of the configuration since is not read: the next state drops it, and it
    is read in full when it comes back.
    """
    del most
    was, will_be = (
        parse_state(each, Entries, reading.model.stream).integrations for each in (before, after)
    )
    return [
        {"integration_id": name, "entry": msgspec.to_builtins(was.get(name, Entry()))}
        for name, entry in will_be.items()
        if entry != was.get(name) and name in reading.section.integration_ids
    ]


def _partition_pages(reading: Reading, partition: Partition) -> Iterator[Page]:
    """Yield the pages of one integration, from its bookmark on."""
    integration_id = str(partition["integration_id"])
    entry = msgspec.structs.replace(msgspec.convert(partition["entry"], Entry), in_progress=None)
    try:
        for rows, _ in _integration_pages(reading, integration_id, entry):
            yield Page(rows, {})
    except (PartitionUnavailable, UnknownPartition) as error:
        raise _named(integration_id, error) from None


def _named(
    integration_id: str, error: PartitionUnavailable | UnknownPartition
) -> ConfigError | TransientError:
    """Return the error as the user is told it."""
    message = f"Integration {integration_id} {error.message}."
    if isinstance(error, UnknownPartition):
        message += " Correct kombo.integration_ids, kombo.region or kombo.api_key."
    elif error.passes:
        return TransientError(message, detail=error.detail)
    return ConfigError(message, detail=error.detail)


def _ask(
    reading: Reading, integration_id: str, plan: _Plan, *, page_size: int | None = None
) -> responses.RowsPage:
    moments = [each for each in (plan.entry.updated_after, reading.start_date) if each is not None]
    request = requests.rows(
        reading.base_url,
        reading.model.path,
        integration_id=integration_id,
        page_size=page_size or reading.section.page_size,
        include_deleted=reading.section.include_deleted,
        updated_after=max(moments, default=None),
        cursor=plan.cursor,
    )
    return reading.client.send(request, partial(responses.rows, integration_id=integration_id))


def _finished(reading: Reading, entry: Entry, started_at: datetime) -> Entry:
    full = entry.updated_after is None
    return Entry(
        updated_after=started_at - reading.lookback,
        full_read_at=started_at if full else entry.full_read_at,
    )
