"""Talemetry's requests. Facts: Jobvite's help pages on the two REST calls (documented).

Assumed, because these pages need a sign-in:

- `people/ids` takes a JSON body by POST; `talemetry.ids_method` makes it GET with the same body.
- `PageSize`, `Cursor` and `ExcludeLifeCycles` are named as in the sample body of the SOAP page.
- The Authorization call takes client ID and secret as JSON by POST.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from source_ats.clock import rfc3339
from source_ats.http.models import Request, StaticAuth
from source_ats.vendors.talemetry.config import TalemetryConfig

IDS_BASE_URL = "https://api.talemetry.com"
PROFILES_BASE_URL = "https://api2.talemetry.com"
"""The two endpoints are on different hosts and take the same token."""


def auth(token: str) -> StaticAuth:
    """Return the credentials of every request. The scheme is `OAUTH`, in upper case."""
    return StaticAuth({"Authorization": f"OAUTH {token}"})


def authorization(url: str, client_id: str, client_secret: str) -> Request:
    """Request a new token."""
    return Request(
        endpoint="authorization",
        url=url,
        method="POST",
        json={
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
        },
    )


def people_ids(  # noqa: PLR0913 - the API's own parameters
    config: TalemetryConfig,
    *,
    event: str | None,
    start: datetime | None,
    end: datetime | None,
    page_size: int,
    cursor: str | None = None,
) -> Request:
    """Request one page of GUIDs: of one event in a window or, without them, of everybody.

    A range is always sent whole: the vendor's text contradicts itself on what may be left out.
    """
    body: dict[str, object] = {"PageSize": page_size}
    if event is not None and start is not None and end is not None:
        body["DateTimeRange"] = {"From": rfc3339(start), "To": rfc3339(end), "Event": event}
    if config.exclude_sources:
        body["ExcludeSources"] = config.exclude_sources
    if config.exclude_life_cycles:
        body["ExcludeLifeCycles"] = config.exclude_life_cycles
    if cursor is not None:
        body["Cursor"] = cursor
    return Request(
        endpoint="people/ids",
        url=f"{config.ids_base_url or IDS_BASE_URL}/match/v1/people/ids",
        method=config.ids_method,
        json=body,
        # An event can be denied while the others are answered.
        partition=event or "",
    )


def profiles(config: TalemetryConfig, ids: Sequence[str]) -> Request:
    """Request people. Without `include` the vendor leaves out notes, tags and custom fields."""
    include = {"include": config.include} if config.include else {}
    return Request(
        endpoint="profiles",
        url=f"{config.profiles_base_url or PROFILES_BASE_URL}/soap/profiles/v1",
        method="POST",
        json={"ids": list(ids), **include},
    )
