"""Requests to ATZ CRM, all GET. Facts: docs.atzcrm.com, unless said otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from source_ats.http.models import Request, StaticAuth

BASE_URL = "https://api.atzcrm.com/v1"

BY_AGE: Mapping[str, str] = {"sortOrder": "created_at", "sortByColumn": "asc"}
"""The order of the list: by a field that never changes, so that pages shift as little as possible.

Assumed: the vendor describes `sortOrder` as the field and `sortByColumn` as the direction, which
sounds like a mix-up. Nothing relies on it: with the server's own order, pages only shift more.
"""


def base_url(configured: str | None) -> str:
    """Return the address of the API: the configured one, else the vendor's own."""
    return configured or BASE_URL


def auth(access_token: str) -> StaticAuth:
    """Return the credentials of every request."""
    return StaticAuth({"Authorization": f"Bearer {access_token}"})


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object that has a list: its name in messages, and in a URL."""

    name: str
    path: str


CANDIDATES = Resource("candidates", "candidate")
DEALS = Resource("deals", "deal")


def list_page(
    resource: Resource, base_url: str, *, page: int, limit: int, sort: Mapping[str, str]
) -> Request:
    """Request one page of a list.

    Assumed: the first page is 1. No filter is documented, by time, job or anything else. Linked
    objects come as their ids: `maximize`, which shows them whole, would copy personal data into
    other people's rows.
    """
    params = {"page": str(page), "limit": str(limit), **sort}
    return Request(resource.name, f"{base_url}/{resource.path}", params=params)


def history(base_url: str, slug: str, job_slug: str | None) -> Request:
    """Request the whole history of a candidate, in one job or in all. It is not paged."""
    return Request(
        endpoint="history",
        url=f"{base_url}/candidate/{quote(slug, safe='')}/history",
        params={"job_slug": job_slug} if job_slug else {},
        # Documented as a header of this request, although it has no body.
        headers={"Content-Type": "application/json"},
    )


def job(base_url: str, job_slug: str) -> Request:
    """Request one job."""
    return Request("job", f"{base_url}/job/{quote(job_slug, safe='')}")
