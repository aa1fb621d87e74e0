"""Requests to Kombo. Facts: Kombo's OpenAPI 3.1, May 2026, unless said otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from urllib.parse import quote

from source_ats.clock import rfc3339
from source_ats.http.models import Request, StaticAuth

BASE_URLS = {"eu": "https://api.kombo.dev/v1", "us": "https://api.us.kombo.dev/v1"}

FILE_HOSTS = "*.kombo.dev"
"""Hosts of `data_url`: a sample shows one of them; that of other regions is assumed."""

CANDIDATE_FILES = "candidate-attachments"
"""The endpoint's name in messages."""


def base_url(configured: str | None, region: str) -> str:
    """Return the address of the API: the configured one, else that of the region."""
    return configured or BASE_URLS[region]


def auth(api_key: str) -> StaticAuth:
    """Return the credentials of every request."""
    return StaticAuth({"Authorization": f"Bearer {api_key}"})


def check_api_key(base_url: str) -> Request:
    """Check the key and its region."""
    return Request("check-api-key", f"{base_url}/check-api-key")


def integration(base_url: str, integration_id: str) -> Request:
    """Get one integration and what can be read from it."""
    url = f"{base_url}/integrations/{quote(integration_id, safe='')}"
    return Request("integration", url, partition=integration_id)


def rows(  # noqa: PLR0913 - the API's own parameters
    base_url: str,
    path: str,
    *,
    integration_id: str,
    page_size: int,
    include_deleted: bool,
    updated_after: datetime | None = None,
    cursor: str | None = None,
    filters: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Request:
    """Get one page of a model. `filters` have to be the same on every page of a read.

    `ignore_unsupported_filters` stays false: with it, a filter on a field that the applicant
    tracking system does not have would be dropped, and everything would be returned.
    """
    params: dict[str, str] = {
        "page_size": str(page_size),
        # Without it the API hides deleted rows, also when `updated_after` is sent.
        "include_deleted": "true" if include_deleted else "false",
    }
    if updated_after is not None:
        params["updated_after"] = _format_timestamp(updated_after)
    if cursor is not None:
        params["cursor"] = cursor
    params |= {name: ",".join(values) for name, values in filters.items()}
    return Request(
        endpoint=path,
        url=f"{base_url}/ats/{path}",
        params=params,
        headers=_integration_header(integration_id),
        partition=integration_id,
    )


def candidate_files(base_url: str, integration_id: str, candidate_id: str) -> Request:
    """Get the files of one candidate, as the applicant tracking system has them now.

    A live call, with a limit of its own (documented).
    """
    return Request(
        CANDIDATE_FILES,
        f"{base_url}/ats/candidates/{quote(candidate_id, safe='')}/attachments",
        headers=_integration_header(integration_id),
        partition=integration_id,
    )


def _integration_header(integration_id: str) -> Mapping[str, str]:
    # Raw, while the path of an integration has it percent-encoded (as the vendor's SDK does).
    return {"X-Integration-Id": integration_id}


def _format_timestamp(moment: datetime) -> str:
    """Return the documented form of `updated_after`: `YYYY-MM-DDTHH:mm:ss.sssZ`."""
    return rfc3339(moment, "milliseconds")
