"""ATZ CRM's streams. `lists.py` and `history.py` say how each one is read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from source_ats.clock import Clock, rfc3339
from source_ats.http.client import Client
from source_ats.http.rate_limiter import RateLimiter
from source_ats.http.retry import RetryPolicy
from source_ats.sync.stream import ReadOptions, Stream
from source_ats.vendors.atz_crm import history, lists, requests, responses, schemas
from source_ats.vendors.atz_crm.config import AtzCrmConfig
from source_ats.vendors.atz_crm.history_pass import HistoryContext
from source_ats.vendors.atz_crm.listing_index import SharedListing


def client(
    config: AtzCrmConfig,
    clock: Clock,
    *,
    on_rate_limit: Callable[[datetime | None], None],
    retry_policy: RetryPolicy,
) -> Client:
    """Return the client for all requests with this token, which share one rate limit."""
    return Client(
        responses.VENDOR,
        requests.auth(config.access_token),
        RateLimiter(clock, per_minute=config.requests_per_minute),
        clock,
        retry_policy=retry_policy,
        on_rate_limit=on_rate_limit,
        connections=config.concurrent_requests,
    )


def streams(config: AtzCrmConfig, options: ReadOptions, client: Client) -> list[Stream]:
    """Return the streams of this section of the configuration.

    They are read in this order: the short ones do not wait for hours, and the candidates are listed
    when their histories are read.
    """
    shared_listing = SharedListing()
    start_date = rfc3339(options.start_date) if options.start_date else None
    lookback = options.lookback
    histories = HistoryContext(
        client=client,
        config=config,
        start_date=options.start_date,
        lookback=lookback,
        shared_listing=shared_listing,
    )
    return [
        *(
            Stream(
                name=name,
                schema=schema,
                # An id may be a number or a string; a slug is always a string.
                primary_key="slug",
                cursor_field="updated_at",
                selection={"start_date": start_date},
                pages=partial(
                    lists.pages,
                    lists.ListContext(
                        client=client,
                        config=config,
                        stream=name,
                        resource=resource,
                        start_date=options.start_date,
                        lookback=lookback,
                        shared_listing=shared_listing
                        if resource is requests.CANDIDATES and not config.candidate_slugs
                        else None,
                    ),
                ),
            )
            for name, resource, schema in (
                ("atz_candidates", requests.CANDIDATES, schemas.CANDIDATES),
                ("atz_deals", requests.DEALS, schemas.DEALS),
            )
        ),
        Stream(
            name="candidate_history",
            schema=schemas.CANDIDATE_HISTORY,
            primary_key="id",
            cursor_field="updated_at",
            selection={
                "start_date": start_date,
                "job_slug": config.job_slug,
                **(
                    {"candidate_slugs": sorted(config.candidate_slugs)}
                    if config.candidate_slugs
                    else {}
                ),
            },
            # The newest `read_at` of a candidate tells which rows are current.
            needed=("candidate_slug", "read_at"),
            pages=partial(history.pages, histories),
            partitioning=history.partitioning(histories),
        ),
    ]
