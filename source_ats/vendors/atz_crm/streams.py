"""ATZ CRM's streams. How each is read: `lists.py`, `history.py`."""

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
from source_ats.vendors.atz_crm.listing import Handover


def client(
    section: AtzCrmConfig,
    clock: Clock,
    *,
    on_rate_limit: Callable[[datetime | None], None],
    retry_policy: RetryPolicy,
) -> Client:
    """Return the client for all calls with this token, which share one budget."""
    return Client(
        responses.VENDOR,
        requests.auth(section.access_token),
        RateLimiter(clock, per_minute=section.requests_per_minute),
        clock,
        retry_policy=retry_policy,
        on_rate_limit=on_rate_limit,
        connections=section.concurrent_requests,
    )


def streams(section: AtzCrmConfig, options: ReadOptions, client: Client) -> list[Stream]:
    """Return the streams of this section.

    They are read in this order: the short ones do not wait for hours, and the list of candidates is
    there when the histories need it.
    """
    handover = Handover()
    start_date = rfc3339(options.start_date) if options.start_date else None
    lookback = options.lookback
    histories = history.Reading(
        client=client,
        section=section,
        start_date=options.start_date,
        lookback=lookback,
        handover=handover,
    )
    return [
        *(
            Stream(
                name=name,
                schema=schema,
                # Numbers may come as strings, and need not always; a slug is always text.
                primary_key="slug",
                cursor_field="updated_at",
                selection={"start_date": start_date},
                pages=partial(
                    lists.pages,
                    lists.Reading(
                        client=client,
                        section=section,
                        stream=name,
                        resource=resource,
                        start_date=options.start_date,
                        lookback=lookback,
                        handover=handover if resource is requests.CANDIDATES else None,
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
            selection={"start_date": start_date, "job_slug": section.job_slug},
            pages=partial(history.pages, histories),
            partitioning=history.partitioning(histories),
        ),
    ]
