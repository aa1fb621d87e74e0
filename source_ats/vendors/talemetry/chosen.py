"""The people of `talemetry.candidate_ids`: requested directly, without any listing.

Only the request that the vendor documents whole is sent. Nothing tells when a person changed, so
every run reads all of them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

import msgspec

from source_ats.http.client import Client
from source_ats.sync.concurrency import map_ordered
from source_ats.sync.state import Timestamp, parse_state, reject_future_state
from source_ats.sync.stream import Page, State
from source_ats.vendors.talemetry.config import TalemetryConfig
from source_ats.vendors.talemetry.fetcher import FetchResult, ProfileFetcher
from source_ats.vendors.talemetry.listing import split_ids

log = logging.getLogger("airbyte.source_ats.talemetry")

IDS_NAMED = 10


class InProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A read that is done with the first `batch` requests, each for `page_size` people."""

    started_at: Timestamp
    batch: int
    page_size: int


class ChosenState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The stream's state while the people are configured."""

    listed_until: Timestamp | None = None
    """When the last complete read began."""
    in_progress: InProgress | None = None

    def timestamps(self) -> list[Timestamp | None]:
        """Return every time that the state holds."""
        return [self.listed_until, self.in_progress.started_at if self.in_progress else None]


def pages(
    client: Client,
    config: TalemetryConfig,
    state: State,
    full_refresh: bool,  # noqa: FBT001 - the signature of Stream.pages
) -> Iterator[Page]:
    """Yield the configured people, a page for each request."""
    stored = parse_state(state, ChosenState, "profiles")
    progress = stored.in_progress
    if full_refresh and stored.listed_until is not None and progress is None:
        return
    groups = list(split_ids(sorted(config.candidate_ids), config.ids_per_request))
    done, started_at = 0, None
    if progress is not None and progress.page_size == config.ids_per_request:
        done, started_at = progress.batch, progress.started_at
    requested = fetcher(client, config)
    results = map_ordered(
        partial(fetch, requested), groups[done:], config.concurrent_requests + 2, ahead=4
    )
    missing: list[str] = []
    for result in results:
        reject_future_state("profiles", stored.timestamps(), client.now())
        sent_at = requested.first_sent_at or client.now()
        started_at = started_at or sent_at.replace(microsecond=0)
        missing += [*result.bad, *result.gone]
        done += 1
        yield Page(
            list(result.people.values()), _state_after(stored, config, groups, done, started_at)
        )
    if missing:
        log.warning(describe_missing(missing))


def _state_after(
    stored: ChosenState,
    config: TalemetryConfig,
    groups: Sequence[Sequence[str]],
    done: int,
    started_at: datetime,
) -> State:
    if done == len(groups):
        after = ChosenState(started_at)
    else:
        progress = InProgress(started_at, done, config.ids_per_request)
        after = ChosenState(stored.listed_until, progress)
    state: State = msgspec.to_builtins(after)
    return state


def fetcher(client: Client, config: TalemetryConfig) -> ProfileFetcher:
    """Return what fetches the people. Who else is answered is seen from those configured."""
    return ProfileFetcher(client, config, lambda count: config.candidate_ids[:count])


def fetch(fetcher: ProfileFetcher, ids: Sequence[str]) -> FetchResult:
    """Fetch people; `as_of` in their records is the time of the request."""
    return fetcher.fetch(ids, as_of=None)


def describe_missing(ids: Sequence[str]) -> str:
    """Return a warning that names people who are not answered."""
    more = f" and {len(ids) - IDS_NAMED} more" if len(ids) > IDS_NAMED else ""
    return (
        f"Talemetry does not return {', '.join(ids[:IDS_NAMED])}{more}: deleted, not visible to "
        "this user, or a wrong ID. Correct or remove them in talemetry.candidate_ids."
    )
