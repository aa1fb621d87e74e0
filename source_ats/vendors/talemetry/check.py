"""Whether Talemetry can be read: the listing, one person, and whether changes are tracked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from source_ats.errors import (
    AccessDenied,
    AtsError,
    ContractError,
    IncompleteResponse,
    RequestRefused,
    RetryableError,
)
from source_ats.http.client import Client
from source_ats.http.models import Request
from source_ats.sync.page_size import ONE_ATTEMPT
from source_ats.vendors.talemetry import chosen, requests, responses
from source_ats.vendors.talemetry.config import TalemetryConfig
from source_ats.vendors.talemetry.windows import BEHIND_THE_CLOCK

PERIOD = timedelta(days=30)
PEOPLE_TO_TRY = 3
"""One refusal may be due to that person alone."""


def check(config: TalemetryConfig, client: Client) -> list[str]:
    """Return notes for the user. An empty listing is no failure.

    Raises `ConfigError` if the credentials are wrong or lack a privilege, `TransientError` if
    Talemetry does not answer, and `ContractError` if a response has an unknown shape.
    """
    if config.candidate_ids:
        first = sorted(config.candidate_ids)[: config.ids_per_request]
        result = chosen.fetch(chosen.fetcher(client, config), first)
        missing = [*result.bad, *result.gone]
        return [chosen.describe_missing(missing)] if missing else []
    listed = client.send(_listing(config, client, None, page_size=PEOPLE_TO_TRY), responses.listing)
    if not listed.ids:
        return ["Talemetry lists no people. If you expect some, check talemetry.exclude_sources."]
    _check_people(config, client, listed.ids)
    try:
        changed = client.send(_listing(config, client, "updated"), responses.listing).ids
    except (RequestRefused, AccessDenied):
        changed = []
    if changed:
        return []
    note = (
        f"Talemetry lists no updates in the last {PERIOD.days} days. If people were updated, the "
        "feature track_candidate_last_changes is off: ask Jobvite to switch it on, because without "
        "it only new people are read."
    )
    return [note]


def _check_people(config: TalemetryConfig, client: Client, guids: Sequence[str]) -> None:
    """Raise why none of these people can be read."""
    failure: AtsError | None = None
    for guid in guids:
        try:
            # If Talemetry is down, the first person has shown that with the usual patience.
            client.send(
                requests.profiles(config, [guid]),
                responses.people,
                retry_policy=ONE_ATTEMPT if failure else None,
            )
        except (ContractError, IncompleteResponse, RetryableError) as error:
            if isinstance(error, RetryableError) and error.rate_limit:
                raise
            failure = error
        else:
            return
    if failure:
        raise failure


def _listing(
    config: TalemetryConfig, client: Client, event: str | None, *, page_size: int = 1
) -> Request:
    """Request GUIDs: of anybody, or of people with this event in the last days."""
    end = client.now() - BEHIND_THE_CLOCK
    return requests.people_ids(
        config,
        event=event,
        start=end - PERIOD,
        end=end,
        page_size=page_size,
    )
