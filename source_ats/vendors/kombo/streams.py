"""Kombo's streams: one per model, each read from all configured integrations.

State follows the vendor's advice: remember when a read *began*, and ask for what changed after
that. A row also matches `updated_after` when related rows changed, while its own `changed_at`
stays. The order of rows is not documented, so the bookmark moves only after the last page; until
then the state keeps the cursor of the next page as well.
"""

from __future__ import annotations

import logging
import threading
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
    CredentialsRefused,
    IncompleteResponse,
    InvalidInput,
    NoSuchRows,
    PartitionUnavailable,
    RequestRefused,
    RetryableError,
    Stopped,
    TransientError,
    UnknownPartition,
    WrongAddress,
)
from source_ats.http.client import Client
from source_ats.http.rate_limiter import RateLimiter
from source_ats.http.retry import RetryPolicy
from source_ats.protocol.schemas import Schema
from source_ats.sync.concurrency import interleaved, map_ordered
from source_ats.sync.cursors import SeenCursors
from source_ats.sync.left_out import LeftOutRows
from source_ats.sync.page_size import TWO_ATTEMPTS, FirstPage, PageSize
from source_ats.sync.state import Timestamp, parse_state, reject_future_state
from source_ats.sync.stream import (
    EVERYTHING,
    Page,
    Partition,
    Partitioning,
    ReadOptions,
    State,
    Stream,
)
from source_ats.vendors.kombo import requests, responses, schemas
from source_ats.vendors.kombo.config import KomboConfig
from source_ats.vendors.kombo.files import MOST_CALLS, CandidateFiles
from source_ats.vendors.kombo.filters import Batch, RowFilters

log = logging.getLogger("airbyte.source_ats.kombo")

CURSOR_LIFETIME = timedelta(hours=24)
"""Assumed: the vendor says nothing about the lifetime of a cursor."""
BOOKMARK_LIFETIME = timedelta(days=13)
"""Kombo empties a deleted row 14 days after its deletion. Older documentation says: removes it."""
CONCURRENT_PROBES = 8


class InProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A read that resumes at `cursor`, the vendor's page cursor, received at `kept_at`."""

    started_at: Timestamp
    kept_at: Timestamp
    cursor: str | None = None
    """None at the beginning of a batch."""
    page_size: int | None = None
    """The size of the pages that the cursor leads through; None in a state of 0.1.0."""
    batch: int = 0
    """The number of the list that is read, where row filters make several (`RowFilters`)."""


class IntegrationState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The state of one integration. A read without `updated_after` reads everything."""

    updated_after: Timestamp | None = None
    full_read_at: Timestamp | None = None
    in_progress: InProgress | None = None
    set_aside: dict[str, Timestamp] = msgspec.field(default_factory=dict)
    """Rows that could not be read, by id, and since when."""

    def is_left_to_read(self, full_refresh: bool) -> bool:  # noqa: FBT001 - as in Stream.pages
        """Return False if this full refresh has read the integration to its end."""
        return not full_refresh or self.full_read_at is None or self.in_progress is not None

    def timestamps(self) -> list[Timestamp | None]:
        """Return all times in this state."""
        progress = self.in_progress
        return [
            self.updated_after,
            self.full_read_at,
            *((progress.started_at, progress.kept_at) if progress else ()),
        ]


class StreamState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The state of a stream, without what the reader adds."""

    integrations: dict[str, IntegrationState] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """One kind of row, which is one stream."""

    stream: str
    path: str
    """The path of its list."""
    read_model: str
    """Its name in `read_models`. Assumed: the vendor shows these names in webhooks only."""
    schema: Schema


CANDIDATES = Model("candidates", "candidates", "ats_candidates", schemas.CANDIDATES)
MODELS = (
    CANDIDATES,
    Model("kombo_applications", "applications", "ats_applications", schemas.APPLICATIONS),
    Model(
        "kombo_application_stages",
        "application-stages",
        "ats_application_stages",
        schemas.APPLICATION_STAGES,
    ),
    Model("kombo_jobs", "jobs", "ats_jobs", schemas.JOBS),
    Model("kombo_users", "users", "ats_users", schemas.USERS),
    Model("kombo_tags", "tags", "ats_tags", schemas.TAGS),
    Model("kombo_offers", "offers", "ats_offers", schemas.OFFERS),
    Model("kombo_interviews", "interviews", "ats_interviews", schemas.INTERVIEWS),
    Model("kombo_notes", "notes", "ats_notes", schemas.NOTES),
    Model("kombo_scorecards", "scorecards", "ats_scorecards", schemas.SCORECARDS),
    Model("kombo_attachments", "attachments", "ats_attachments", schemas.ATTACHMENTS),
    Model(
        "kombo_rejection_reasons",
        "rejection-reasons",
        "ats_rejection_reasons",
        schemas.REJECTION_REASONS,
    ),
    Model("kombo_roles", "roles", "ats_roles", schemas.ROLES),
)


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What stays the same while a stream is read."""

    client: Client
    config: KomboConfig
    base_url: str
    model: Model
    get_integration: Callable[[str], responses.Integration]
    """Requests an integration once in a run."""
    filters: RowFilters
    start_date: datetime | None
    lookback: timedelta

    @property
    def has_files(self) -> bool:
        """Whether the rows get their files."""
        return self.model is CANDIDATES and self.config.candidate_files


def client(
    config: KomboConfig,
    clock: Clock,
    *,
    on_rate_limit: Callable[[datetime | None], None],
    retry_policy: RetryPolicy,
) -> Client:
    """Return the client for all requests with this key.

    The vendor publishes no rate limit, so requests are not paced: its headers are obeyed. Lists are
    exempt from its limit of concurrent requests (documented).
    """
    return Client(
        responses.VENDOR,
        requests.auth(config.api_key),
        RateLimiter(clock),
        clock,
        retry_policy=retry_policy,
        on_rate_limit=on_rate_limit,
        connections=max(config.concurrent_requests, MOST_CALLS if config.candidate_files else 1),
    )


def streams(config: KomboConfig, options: ReadOptions, client: Client) -> list[Stream]:
    """Return the streams: one per model."""
    base_url = requests.base_url(config.base_url, config.region)

    @cache
    def request_integration(integration_id: str) -> responses.Integration:
        request = requests.integration(base_url, integration_id)
        return client.send(request, responses.integration)

    locks = {each: threading.Lock() for each in config.integration_ids}

    def get_integration(integration_id: str) -> responses.Integration:
        # Streams are read side by side, and all of them ask.
        with locks[integration_id]:
            return request_integration(integration_id)

    contexts = [
        ReadContext(
            client=client,
            config=config,
            base_url=base_url,
            model=model,
            get_integration=get_integration,
            filters=RowFilters(config if model is CANDIDATES else None),
            start_date=options.start_date,
            lookback=options.lookback,
        )
        for model in MODELS
    ]
    return [
        Stream(
            name=context.model.stream,
            schema=schemas.CANDIDATES_WITH_FILES if context.has_files else context.model.schema,
            primary_key="id",
            cursor_field="changed_at",
            selection={
                "start_date": rfc3339(options.start_date) if options.start_date else None,
                "include_deleted": config.include_deleted,
                # Left out while it is off: states of 0.1.0 stay valid.
                **({"candidate_files": True} if context.has_files else {}),
                **context.filters.selection(),
            },
            pages=partial(pages, context),
            partitioning=partitioning(context),
            needed=("integration_id", "remote_deleted_at"),
        )
        for context in contexts
    ]


def partitioning(context: ReadContext) -> Partitioning:
    """Return how several readers share a stream: each integration is a partition."""
    return Partitioning(
        plan=partial(_plan_batch, context),
        split=partial(_split_batch, context),
        pages=partial(_partition_pages, context),
    )


def pages(context: ReadContext, state: State, full_refresh: bool) -> Iterator[Page]:  # noqa: FBT001 - the signature of Stream.pages
    """Yield the pages of all integrations, which are read side by side.

    An integration that cannot be read now keeps its state and gets a warning. One that fails ends
    the stream only after the others were read. An integration that does not have this kind of row
    is no failure, except for candidates.
    """
    stored = parse_state(state, StreamState, context.model.stream).integrations
    integration_ids = context.config.integration_ids
    current: dict[str, Any] = {
        each: msgspec.to_builtins(stored[each]) for each in integration_ids if each in stored
    }
    unavailable: dict[str, AtsError] = {}
    failed: dict[str, AtsError] = {}
    matched = False
    lists = [
        _readable_pages(context, each, before, unavailable, failed)
        for each in integration_ids
        if (before := stored.get(each, IntegrationState())).is_left_to_read(full_refresh)
    ]
    for integration_id, rows, after in interleaved(lists, context.config.concurrent_requests):
        matched = matched or bool(rows)
        context.filters.note(rows)
        current = {**current, integration_id: msgspec.to_builtins(after)}
        yield Page(rows, {"integrations": current})
    if failed:
        raise combined_error({each: failed[each] for each in integration_ids if each in failed})
    if len(unavailable) == len(integration_ids):
        _raise_nothing_read(context.model, {each: unavailable[each] for each in integration_ids})
    elif context.filters and not unavailable:
        _warn_of_filters(context, first_read=not stored, nothing_matched=not matched)


def _readable_pages(
    context: ReadContext,
    integration_id: str,
    before: IntegrationState,
    unavailable: dict[str, AtsError],
    failed: dict[str, AtsError],
) -> Iterator[tuple[str, Sequence[bytes], IntegrationState]]:
    """Yield the integration with the rows of each page and its state after it.

    What ends only this integration is logged and noted in one of the two tables.
    """
    try:
        _require_model(context, integration_id)
        left_out = _left_out_rows(context, integration_id, before)
        for rows, after in _integration_pages(context, integration_id, before, left_out):
            yield integration_id, rows, after
    except (Stopped, CredentialsRefused):
        raise
    except PartitionUnavailable as error:
        unavailable[integration_id] = error
        _warn_left_out(context, integration_id, error)
    except AtsError as error:
        failed[integration_id] = error
        log.warning(
            "%s: Integration %s failed. %s [%s]",
            context.model.stream,
            integration_id,
            error.message,
            error.detail,
        )


def _warn_of_filters(context: ReadContext, *, first_read: bool, nothing_matched: bool) -> None:
    """Warn of ids that no integration knows and, after a first read, of filters without rows."""
    sentences = context.filters.describe_unknown(context.config.integration_ids)
    if first_read and context.start_date is None:
        sentences += context.filters.describe_missing(context.config.integration_ids)
    if first_read and nothing_matched and not sentences:
        settings = ", ".join(context.filters.selection())
        sentence = (
            f"No row matches the row filters ({settings}). Check them. Kombo also returns nothing "
            "for a filter on a field that the applicant tracking system does not have."
        )
        sentences = [sentence]
    for sentence in sentences:
        log.warning("%s: %s", context.model.stream, sentence)


def _warn_left_out(context: ReadContext, integration_id: str, error: AtsError) -> None:
    log.warning(
        "%s: Integration %s is left out of this run. %s [%s]",
        context.model.stream,
        integration_id,
        error.message,
        error.detail,
    )


def _raise_nothing_read(model: Model, unavailable: Mapping[str, AtsError]) -> None:
    """Raise the error that ends the stream, unless the integrations merely have no such rows."""
    reasons = {
        integration_id: error
        for integration_id, error in unavailable.items()
        if model is CANDIDATES or not isinstance(error, NoSuchRows)
    }
    if reasons:
        raise combined_error(reasons)


def describe_errors(errors: Mapping[str, AtsError]) -> str:
    """Return what went wrong, by integration."""
    integrations: dict[str, list[str]] = {}
    for integration_id, error in errors.items():
        integrations.setdefault(error.message, []).append(integration_id)
    return " ".join(
        f"{'Integration' if len(ids) == 1 else 'Integrations'} {', '.join(ids)}: {message}"
        for message, ids in integrations.items()
    )


def combined_error(errors: Mapping[str, AtsError]) -> AtsError:
    """Return one error for all of these integrations.

    If the user has to act on one of them, it is a `ConfigError`; it is a `TransientError` only if
    all pass by themselves.
    """
    kinds = set(map(_kind_of, errors.values()))
    kind = next(each for each in (ConfigError, ContractError, TransientError) if each in kinds)
    details = dict.fromkeys(error.detail for error in errors.values() if error.detail)
    return kind(describe_errors(errors), detail="; ".join(details))


def _kind_of(error: AtsError) -> type[AtsError]:
    if isinstance(error, PartitionUnavailable):
        return TransientError if error.passes else ConfigError
    kinds = (ConfigError, TransientError)
    return next((each for each in kinds if isinstance(error, each)), ContractError)


def _require_model(context: ReadContext, integration_id: str) -> None:
    """Raise `NoSuchRows` if the integration says that it does not have this kind of row.

    Not requested for candidates: nearly all integrations have them, and if one has not, its list
    says so.
    """
    if context.model is CANDIDATES:
        return
    integration = context.get_integration(integration_id)
    reason = responses.model_unavailable(integration, context.model.read_model)
    if reason is not None:
        raise reason


@dataclass(frozen=True, slots=True)
class _Position:
    """Where a read of one integration is: its bookmark, and the page to request next."""

    state: IntegrationState
    """The integration's state without progress that is not trusted any more."""
    started_at: datetime | None
    """When the read began; None before its first page."""
    cursor: str | None
    batch: int = 0


def _resume_position(context: ReadContext, state: IntegrationState, now: datetime) -> _Position:
    """Return where to resume: at the kept cursor, or from the bookmark."""
    progress = state.in_progress
    if progress is not None and now - progress.kept_at <= CURSOR_LIFETIME:
        batch = min(progress.batch, len(context.filters.batches) - 1)
        return _Position(state, progress.started_at, progress.cursor, batch)
    return _bookmark_position(context, state, now)


def _bookmark_position(context: ReadContext, state: IntegrationState, now: datetime) -> _Position:
    """Return the first page after the bookmark, or of everything when a full read is due."""
    bookmark = IntegrationState(state.updated_after, state.full_read_at)
    if state.updated_after is None or now - state.updated_after > BOOKMARK_LIFETIME:
        bookmark = IntegrationState()
    every = timedelta(days=context.config.full_read_every_days)
    if every and (state.full_read_at is None or now - state.full_read_at > every):
        bookmark = IntegrationState()
    return _Position(bookmark, None, None)


def _left_out_rows(
    context: ReadContext, integration_id: str, state: IntegrationState
) -> LeftOutRows[IntegrationState]:
    name = f"{context.model.stream}: Integration {integration_id}"
    return LeftOutRows(name, state.set_aside, context.client.now)


def _integration_pages(
    context: ReadContext,
    integration_id: str,
    state: IntegrationState,
    left_out: LeftOutRows[IntegrationState],
) -> Iterator[tuple[Sequence[bytes], IntegrationState]]:
    """Yield the rows of each page and the integration's state after it.

    If a cursor is refused, the integration is read again from its bookmark, once.
    """

    def complete(state: IntegrationState) -> IntegrationState:
        builtins = {**msgspec.to_builtins(state), "set_aside": {}, **left_out.as_state()}
        return msgspec.convert(builtins, IntegrationState)

    files = CandidateFiles(context.client, context.base_url, integration_id)

    def fetch_again(row_id: str) -> Sequence[bytes]:
        rows = _fetch_row(context, integration_id, row_id)
        return files.add_to_one(rows) if context.has_files else rows

    with_files = partial(_with_files, context, integration_id, files, left_out)
    reached = state

    def listed() -> Iterator[tuple[Sequence[bytes], IntegrationState]]:
        nonlocal reached
        size = _page_size(context, state)
        position, page, restarted = _first_page(context, integration_id, state, size)
        started_at = position.started_at or page.sent_at
        seen = SeenCursors(position.cursor)
        reached = position.state
        while True:
            cursor = None if seen.is_at_end(is_empty=page.is_empty) else page.next_cursor
            following = _position_after(context, position, cursor, started_at)
            if following is None:
                break
            position = following
            if position.cursor is None:
                seen = SeenCursors()
            else:
                seen.add(position.cursor, page.where)
            progress = InProgress(
                started_at=started_at,
                kept_at=context.client.now().replace(microsecond=0),
                cursor=position.cursor,
                page_size=size.rows,
                batch=position.batch,
            )
            after = msgspec.structs.replace(position.state, in_progress=progress)
            reached = left_out.state_after(page.left_out, page.where, reached, after)
            yield with_files(page.rows), complete(reached)
            try:
                page = _page_at(context, integration_id, position, size)
            except RequestRefused as refusal:
                if restarted or position.cursor is None:
                    raise
                restarted = True
                position = _position_after_refusal(context, integration_id, state, refusal)
                page = _page_at(context, integration_id, position, size)
                started_at = page.sent_at
                seen = SeenCursors()
                reached = position.state
        finished = _finished_state(context, position.state, started_at)
        reached = left_out.state_after(page.left_out, page.where, reached, finished)
        yield with_files(page.rows), complete(reached)

    yield from left_out.with_rows_again(
        listed(), fetch_again, lambda rows: (rows, complete(reached))
    )


def _with_files(
    context: ReadContext,
    integration_id: str,
    files: CandidateFiles,
    left_out: LeftOutRows[IntegrationState],
    rows: Sequence[bytes],
) -> Sequence[bytes]:
    """Return the rows of a page with their files, where these are asked for."""
    if not context.has_files:
        return rows

    def without_files(candidate_id: str, error: AtsError) -> None:
        left_out.request_next_time(candidate_id, error.detail)
        log.warning(
            "%s: Integration %s: the files of candidate %s cannot be read now, so files is null. "
            "The next run requests the candidate again. [%s]",
            context.model.stream,
            integration_id,
            candidate_id,
            error.detail,
        )

    return files.add(rows, on_success=left_out.release, on_failure=without_files)


def _page_size(context: ReadContext, state: IntegrationState) -> PageSize:
    kept = state.in_progress.page_size if state.in_progress else None
    rows = kept or context.config.page_size
    return PageSize(rows, "kombo.page_size", context.client.advice)


def _position_after(
    context: ReadContext, position: _Position, cursor: str | None, started_at: datetime
) -> _Position | None:
    """Return where the next page is: at this cursor, or in the next batch; None: nowhere."""
    if cursor is not None:
        return _Position(position.state, started_at, cursor, position.batch)
    if position.batch + 1 < len(context.filters.batches):
        return _Position(position.state, started_at, None, position.batch + 1)
    return None


def _fetch_row(context: ReadContext, integration_id: str, row_id: str) -> Sequence[bytes]:
    """Return one row, or none if there is no such row any more."""
    page = _request_rows(
        context, integration_id, {"ids": (row_id,)}, page_size=1, retry_policy=TWO_ATTEMPTS
    )
    if page.left_out:
        raise IncompleteResponse("The row is not valid JSON.", detail=page.where)
    return page.rows


def _first_page(
    context: ReadContext, integration_id: str, state: IntegrationState, size: PageSize
) -> tuple[_Position, responses.RowsPage, bool]:
    """Return the first page of this run, where it is, and whether the kept cursor was given up.

    That is the case if the cursor is refused, answers with no rows, or turns out too old by the
    vendor's clock.
    """
    position = _resume_position(context, state, context.client.now())
    restarted = False
    try:
        page = _page_at(context, integration_id, position, size)
    except RetryableError as error:
        if position.cursor is None or error.rate_limit:
            raise
        restarted = True
        position = _bookmark_position(context, state, context.client.now())
        size.shrink(error, _request_of(context, integration_id, position))
        page = _page_at(context, integration_id, position, size)
    except (RequestRefused, WrongAddress) as refusal:
        if position.cursor is None:
            raise
        restarted = True
        position = _position_after_refusal(context, integration_id, state, refusal)
        page = _page_at(context, integration_id, position, size)
    reject_future_state(context.model.stream, state.timestamps(), page.sent_at)
    if not restarted:
        # Until the first response, "now" was the machine's.
        by_vendor_clock = _resume_position(context, state, page.sent_at)
        if by_vendor_clock.cursor is not None and page.is_empty:
            by_vendor_clock = _bookmark_position(context, state, page.sent_at)
        if by_vendor_clock != position:
            log.info(
                "%s: Integration %s: reading again from the bookmark.",
                context.model.stream,
                integration_id,
            )
            restarted = True
            position = by_vendor_clock
            page = _page_at(context, integration_id, position, size)
    return position, page, restarted


def _position_after_refusal(
    context: ReadContext, integration_id: str, state: IntegrationState, refusal: AtsError
) -> _Position:
    log.warning(
        "%s: Integration %s: Kombo no longer accepts the cursor of the next page. Reading again "
        "from the bookmark. [%s]",
        context.model.stream,
        integration_id,
        refusal.detail,
    )
    return _bookmark_position(context, state, context.client.now())


def _finished_state(
    context: ReadContext, bookmark: IntegrationState, started_at: datetime
) -> IntegrationState:
    is_full_read = bookmark.updated_after is None
    return IntegrationState(
        updated_after=started_at - context.lookback,
        full_read_at=started_at if is_full_read else bookmark.full_read_at,
    )


def _page_at(
    context: ReadContext, integration_id: str, position: _Position, size: PageSize
) -> responses.RowsPage:
    """Return the page at a position. The first page of a list is tried with smaller sizes, too."""
    request = _request_of(context, integration_id, position)
    return size.first_page(request) if position.cursor is None else request(size.rows, None)


def _request_of(
    context: ReadContext, integration_id: str, position: _Position
) -> FirstPage[responses.RowsPage]:
    return lambda rows, retry_policy: _request_page(
        context, integration_id, position, page_size=rows, retry_policy=retry_policy
    )


def _request_page(
    context: ReadContext,
    integration_id: str,
    position: _Position,
    *,
    page_size: int,
    retry_policy: RetryPolicy | None = None,
) -> responses.RowsPage:
    """Return the page at a position; of ids in the row filters those that Kombo knows."""
    since = (position.state.updated_after, context.start_date)
    request = partial(_request_rows, context, integration_id)
    send = partial(
        request,
        page_size=page_size,
        updated_after=max((each for each in since if each is not None), default=None),
        cursor=position.cursor,
        retry_policy=retry_policy,
    )
    probe = partial(request, page_size=1)
    try:
        page = context.filters.request(integration_id, position.batch, send, probe)
    except InvalidInput as refusal:
        if context.filters and position.cursor is None:
            raise context.filters.refused(refusal) from None
        raise
    return page or responses.no_rows(context.client.now())


def _request_rows(  # noqa: PLR0913 - the request's own parameters
    context: ReadContext,
    integration_id: str,
    filters: Batch,
    *,
    page_size: int,
    updated_after: datetime | None = None,
    cursor: str | None = None,
    retry_policy: RetryPolicy | None = None,
) -> responses.RowsPage:
    request = requests.rows(
        context.base_url,
        context.model.path,
        integration_id=integration_id,
        page_size=page_size,
        include_deleted=context.config.include_deleted,
        updated_after=updated_after,
        cursor=cursor,
        filters=filters,
    )
    read = partial(responses.rows, integration_id=integration_id)
    return context.client.send(request, read, retry_policy=retry_policy)


def _plan_batch(context: ReadContext, state: State, most: int) -> State:
    """Return the state once all integrations that can be read now were read.

    One row of each is requested: so an integration that cannot be read is left out of the batch,
    and keeps its bookmark, before the state claims anything about it.
    """
    stored = parse_state(state, StreamState, context.model.stream).integrations
    integration_ids = context.config.integration_ids
    after = {each: stored[each] for each in integration_ids if each in stored}
    unavailable: dict[str, AtsError] = {}
    probe = partial(_probe, context)
    for integration_id, result in zip(
        integration_ids, map_ordered(probe, integration_ids, CONCURRENT_PROBES), strict=True
    ):
        if isinstance(result, AtsError):
            if most == EVERYTHING and not isinstance(result, PartitionUnavailable):
                raise combined_error({integration_id: result})
            unavailable[integration_id] = result
            _warn_left_out(context, integration_id, result)
            continue
        before = stored.get(integration_id, IntegrationState())
        bookmark = _bookmark_position(context, before, result).state
        after[integration_id] = _finished_state(context, bookmark, result)
    if len(unavailable) == len(integration_ids):
        _raise_nothing_read(context.model, unavailable)
    return {"integrations": msgspec.to_builtins(after)}


def _probe(context: ReadContext, integration_id: str) -> datetime | AtsError:
    """Return the vendor's time if this integration can be read now, or why it cannot."""
    try:
        _require_model(context, integration_id)
        page = _request_rows(context, integration_id, {}, page_size=1)
    except (Stopped, CredentialsRefused):
        raise
    except UnknownPartition as error:
        raise combined_error({integration_id: error}) from None
    except AtsError as error:
        return error
    return page.sent_at


def _split_batch(context: ReadContext, before: State, after: State, most: int) -> list[Partition]:
    """Return a partition for each integration whose state moves.

    One that was removed from the configuration is not read: the next state drops it, and it is
    read in full when it comes back.
    """
    del most
    stored, planned = (
        parse_state(each, StreamState, context.model.stream).integrations
        for each in (before, after)
    )
    return [
        {
            "integration_id": each,
            "entry": msgspec.to_builtins(stored.get(each, IntegrationState())),
        }
        for each, state in planned.items()
        if state != stored.get(each) and each in context.config.integration_ids
    ]


def _partition_pages(context: ReadContext, partition: Partition) -> Iterator[Page]:
    """Yield the pages of one integration, from its bookmark."""
    integration_id = str(partition["integration_id"])
    state = msgspec.convert(partition["entry"], IntegrationState)
    state = msgspec.structs.replace(state, in_progress=None)
    left_out = _left_out_rows(context, integration_id, state)
    try:
        for rows, _ in _integration_pages(context, integration_id, state, left_out):
            yield Page(rows, {"set_aside": {}, **left_out.as_state()})
        if left_out.holds_back:
            # The batch is planned already, so no state requests the page again.
            now = rfc3339(context.client.now())
            unnamed = {f"a row of {integration_id} without a readable id": now}
            yield Page([], {"set_aside": {**left_out.as_state().get("set_aside", {}), **unnamed}})
    except (Stopped, CredentialsRefused):
        raise
    except AtsError as error:
        raise combined_error({integration_id: error}) from None
