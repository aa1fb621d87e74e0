"""The calls to Talemetry, not sent yet. Facts: Jobvite's help pages on the REST calls (documented).

Assumed, because the pages that would tell were not readable:

- `people/ids` takes a JSON body by POST; `talemetry.ids_method` makes it GET with the same body.
- `PageSize`, `Cursor` and `ExcludeLifeCycles` are named as in the sample body of the SOAP page.
- The Authorization call takes client id and secret as JSON by POST.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from source_ats.clock import rfc3339
from source_ats.http.models import Request, StaticAuth

IDS_BASE_URL = "https://api.talemetry.com"
PROFILES_BASE_URL = "https://api2.talemetry.com"
"""The two calls live on different hosts and take the same token."""


def auth(token: str) -> StaticAuth:
    """Return the credentials of every call. The word is `OAUTH`, upper case."""
    return StaticAuth({"Authorization": f"OAUTH {token}"})


def authorization(url: str, client_id: str, client_secret: str) -> Request:
    """Ask for a new token."""
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
    base_url: str,
    *,
    method: str,
    event: str | None,
    start: datetime | None,
    end: datetime | None,
    page_size: int,
    exclude_sources: Sequence[str] = (),
    exclude_life_cycles: Sequence[str] = (),
    cursor: str | None = None,
) -> Request:
    """Ask for one page of GUIDs: of one event in a window or, without them, of everybody.

    Where a range is sent it is whole: the vendor's text contradicts itself on what may be left out.
    """
    body: dict[str, object] = {"PageSize": page_size}
    if event is not None and start is not None and end is not None:
        body["DateTimeRange"] = {"From": rfc3339(start), "To": rfc3339(end), "Event": event}
    if exclude_sources:
        body["ExcludeSources"] = list(exclude_sources)
    if exclude_life_cycles:
        body["ExcludeLifeCycles"] = list(exclude_life_cycles)
    if cursor is not None:
        body["Cursor"] = cursor
    return Request("people/ids", f"{base_url}/match/v1/people/ids", method=method, json=body)


def profiles(base_url: str, ids: Sequence[str], include: Sequence[str]) -> Request:
    """Ask for people. Without `include` the vendor leaves out notes, tags and custom fields."""
    return Request(
        endpoint="profiles",
        url=f"{base_url}/soap/profiles/v1",
        method="POST",
        json={"ids": list(ids), "include": list(include)},
    )
