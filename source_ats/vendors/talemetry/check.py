"""Whether Talemetry can be read: the listing, then one person, then whether changes are tracked."""

from __future__ import annotations

from datetime import timedelta

from source_ats.errors import AccessDenied, RequestRefused
from source_ats.http.client import Client
from source_ats.http.models import Request
from source_ats.vendors.talemetry import requests, responses
from source_ats.vendors.talemetry.config import TalemetryConfig
from source_ats.vendors.talemetry.streams import BEHIND_THE_CLOCK, ids_base_url, profiles_base_url

PERIOD = timedelta(days=30)


def check(section: TalemetryConfig, client: Client) -> list[str]:
    """Return what the user should know of.

    Raises `ConfigError` if the credentials or a right are missing, `TransientError` if Talemetry
    does not answer, and `ContractError` if it answers what this package does not understand.
    Nobody at all is healthy, and so is nobody changed.
    """
    listed = client.send(_listing(section, client, None), responses.listing)
    if not listed.ids:
        return ["Talemetry lists nobody. Check talemetry.exclude_sources if people are expected."]
    client.send(
        requests.profiles(profiles_base_url(section), listed.ids[:1], section.include),
        responses.people,
    )
    try:
        changed = client.send(_listing(section, client, "updated"), responses.listing).ids
    except (RequestRefused, AccessDenied):
        changed = []
    if changed:
        return []
    note = (
        f"Talemetry lists nobody as updated in the last {PERIOD.days} days. If people were, the "
        "feature track_candidate_last_changes is off: ask Jobvite to switch it on, because without "
        "it only new people are read."
    )
    return [note]


def _listing(section: TalemetryConfig, client: Client, event: str | None) -> Request:
    """Ask for one GUID: of anybody, or of an event in the last days."""
    end = client.now() - BEHIND_THE_CLOCK
    return requests.people_ids(
        ids_base_url(section),
        method=section.ids_method,
        event=event,
        start=end - PERIOD,
        end=end,
        page_size=1,
        exclude_sources=section.exclude_sources,
        exclude_life_cycles=section.exclude_life_cycles,
    )
