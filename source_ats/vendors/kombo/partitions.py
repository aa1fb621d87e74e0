"""How several readers share a stream of Kombo: each integration is a partition."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from functools import partial

import msgspec

from source_ats.clock import rfc3339
from source_ats.errors import (
    AtsError,
    CredentialsRefused,
    PartitionUnavailable,
    Stopped,
    UnknownPartition,
)
from source_ats.sync.concurrency import map_ordered
from source_ats.sync.state import parse_state
from source_ats.sync.stream import (
    EVERYTHING,
    Page,
    Partition,
    Partitioning,
    State,
)
from source_ats.vendors.kombo.errors import combined_error, raise_nothing_read
from source_ats.vendors.kombo.integration import (
    ReadContext,
    bookmark_position,
    finished_state,
    integration_pages,
    left_out_rows,
    request_rows,
    require_model,
    warn_left_out,
)
from source_ats.vendors.kombo.state import IntegrationState, StreamState

log = logging.getLogger("airbyte.source_ats.kombo")

CONCURRENT_PROBES = 8


def partitioning(context: ReadContext) -> Partitioning:
    """Return how several readers share a stream: each integration is a partition."""
    return Partitioning(
        plan=partial(_plan_batch, context),
        split=partial(_split_batch, context),
        pages=partial(_partition_pages, context),
    )


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
            warn_left_out(context, integration_id, result)
            continue
        before = stored.get(integration_id, IntegrationState())
        bookmark = bookmark_position(context, before, result).state
        after[integration_id] = finished_state(context, bookmark, result)
    if len(unavailable) == len(integration_ids):
        raise_nothing_read(context.model, unavailable)
    return {"integrations": msgspec.to_builtins(after)}


def _probe(context: ReadContext, integration_id: str) -> datetime | AtsError:
    """Return the vendor's time if this integration can be read now, or why it cannot."""
    try:
        require_model(context, integration_id)
        page = request_rows(context, integration_id, {}, page_size=1)
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
    left_out = left_out_rows(context, integration_id, state)
    try:
        for rows, _ in integration_pages(context, integration_id, state, left_out):
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
