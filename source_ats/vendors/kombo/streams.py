"""Kombo's streams: one per model, each read from all configured integrations."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any

import msgspec

from source_ats.clock import Clock, rfc3339
from source_ats.errors import (
    AtsError,
    CredentialsRefused,
    PartitionUnavailable,
    Stopped,
)
from source_ats.http.client import Client
from source_ats.http.rate_limiter import RateLimiter
from source_ats.http.retry import RetryPolicy
from source_ats.sync.concurrency import interleaved
from source_ats.sync.state import parse_state
from source_ats.sync.stream import (
    Page,
    ReadOptions,
    State,
    Stream,
)
from source_ats.vendors.kombo import requests, responses, schemas
from source_ats.vendors.kombo.config import KomboConfig
from source_ats.vendors.kombo.errors import combined_error, raise_nothing_read
from source_ats.vendors.kombo.files import MOST_CALLS
from source_ats.vendors.kombo.filters import RowFilters
from source_ats.vendors.kombo.integration import (
    ReadContext,
    integration_pages,
    left_out_rows,
    require_model,
    warn_left_out,
)
from source_ats.vendors.kombo.models import CANDIDATES, MODELS
from source_ats.vendors.kombo.partitions import partitioning
from source_ats.vendors.kombo.state import IntegrationState, StreamState

log = logging.getLogger("airbyte.source_ats.kombo")


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
        raise_nothing_read(context.model, {each: unavailable[each] for each in integration_ids})
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
        require_model(context, integration_id)
        left_out = left_out_rows(context, integration_id, before)
        for rows, after in integration_pages(context, integration_id, before, left_out):
            yield integration_id, rows, after
    except (Stopped, CredentialsRefused):
        raise
    except PartitionUnavailable as error:
        unavailable[integration_id] = error
        warn_left_out(context, integration_id, error)
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
