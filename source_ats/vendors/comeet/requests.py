"""Requests to Comeet. Facts: Comeet's API reference, newest captures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from source_ats.clock import rfc3339
from source_ats.errors import ContractError
from source_ats.http.models import Request

BASE_URL = "https://api.comeet.co"
POSITIONS_PER_PAGE, CANDIDATES_PER_PAGE = 500, 1000
"""Page sizes that third parties use (observed)."""


def base_url(configured: str | None) -> str:
    """Return the address of the API: the configured one, else the vendor's own."""
    return configured or BASE_URL


def create(base_url: str, position_uid: str, key: str, fields: Mapping[str, object]) -> Request:
    """Create a candidate on a position."""
    body = {"position_uid": position_uid, "partner_candidate_id": key, **fields}
    return Request("create", f"{base_url}/candidates", method="POST", json=body, creates=True)


def change(base_url: str, uid: str, fields: Mapping[str, object]) -> Request:
    """Change fields of a candidate. Takes the string uid only; harmless to repeat."""
    body = {"updated_by": {"type": "app", "name": "Airbyte destination-comeet"}, **fields}
    return Request("update", _candidate(base_url, uid), method="PATCH", json=body)


def candidate(base_url: str, uid: str | int) -> Request:
    """Read a candidate; a number is the id of its profile page, and needs the header."""
    headers = {"IDENTIFIER_TYPE": "REAL_ID"} if isinstance(uid, int) else {}
    return Request("candidate", _candidate(base_url, str(uid)), headers=headers)


def files(base_url: str, uid: str) -> Request:
    """List the files of a candidate."""
    return Request("files", f"{_candidate(base_url, uid)}/files")


def add_file(base_url: str, uid: str, name: str, content: str) -> Request:
    """Add a file, in base64. Nothing guards against the same one twice (documented sample)."""
    url = f"{_candidate(base_url, uid)}/files"
    body = {"name": name, "file": content}
    return Request("add-file", url, method="POST", json=body, creates=True)


def created_between(
    base_url: str,
    after: datetime | None = None,
    before: datetime | None = None,
    *,
    limit: int = CANDIDATES_PER_PAGE,
) -> Request:
    """List the candidates of all positions and statuses that were created in that time."""
    times = {"time_created:after": after, "time_created:before": before}
    params = {name: rfc3339(time) for name, time in times.items() if time is not None}
    return Request("candidates", f"{base_url}/candidates", params={**params, "limit": str(limit)})


def position(base_url: str, uid: str) -> Request:
    """Read a position (observed)."""
    return Request("position", f"{base_url}/positions/{quote(uid, safe='')}")


def active_since(
    base_url: str, moment: datetime | None, *, limit: int = CANDIDATES_PER_PAGE
) -> Request:
    """List the candidates with any activity after `moment`; None: all candidates.

    Whether the list includes deleted ones by default is not documented. If it does, they come as
    `uid` and `deleted`.
    """
    params = {"limit": str(limit)}
    if moment is not None:
        params["time_hiring_process_updated:after"] = rfc3339(moment)
    return Request("candidates", f"{base_url}/candidates", params=params)


def positions(base_url: str, *, limit: int = POSITIONS_PER_PAGE) -> Request:
    """List the positions shared with the integration (observed), open or not."""
    return Request("positions", f"{base_url}/positions", params={"limit": str(limit)})


def deleted_since(base_url: str, moment: datetime | None) -> Request:
    """List the candidates deleted after `moment`, or ever: the whole list in one response."""
    params = {} if moment is None else {"time_deleted:after": rfc3339(moment)}
    return Request("deleted-candidates", f"{base_url}/deleted-candidates", params=params)


def next_page(base_url: str, request: Request, link: str | None, where: str) -> Request | None:
    """Return the request for the next page, None after the last one.

    The link may be absolute, relative, or name Comeet's public host while `base_url` is a proxy.
    Only its path and query are used, on the configured host: our token goes nowhere else. Raises
    `ContractError`, with `where` it was found, if it is not an address.
    """
    if not link:
        return None
    try:
        target = urlsplit(urljoin(request.url, link))
    except ValueError:
        message = "Comeet's link to the next page is not a valid address."
        raise ContractError(message, detail=where) from None
    configured = urlsplit(base_url)
    path = target.path
    if not path.startswith(f"{configured.path}/"):
        path = configured.path + path
    url = urlunsplit((configured.scheme, configured.netloc, path, target.query, ""))
    return Request(request.endpoint, url)


def _candidate(base_url: str, uid: str) -> str:
    return f"{base_url}/candidates/{quote(uid, safe='')}"
