"""The calls to Comeet, not sent yet, and the token.

Facts: Comeet's API reference, newest captures.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit

from source_ats.clock import rfc3339
from source_ats.errors import ContractError
from source_ats.http.models import Request

BASE_URL = "https://api.comeet.co"
# The samples use 600 s; the longest lifetime is not documented.
LIFETIME = timedelta(seconds=600)
RENEWED_BEFORE = timedelta(seconds=60)
MOST_POSITIONS, MOST_CANDIDATES = 500, 1000
"""Page sizes that third parties use (observed)."""


class Tokens:
    """The credentials: short-lived tokens that we sign ourselves, dated by the vendor's clock."""

    def __init__(self, api_key: str, secret: str, now: Callable[[], datetime]) -> None:
        """`now` tells the time by the vendor's clock, so a wrong one here does no harm."""
        self._api_key = api_key
        self._secret = secret
        self._now = now
        self._headers: Mapping[str, str] = {}
        self._expires: datetime | None = None

    def headers(self) -> Mapping[str, str]:
        """Return the header with a token that is good for another minute at least."""
        if self._expires is None or self._now() >= self._expires - RENEWED_BEFORE:
            self._sign()
        return self._headers

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Sign a new token: the refused answer may have told the vendor's time."""
        del refused
        self._sign()
        return True

    def _sign(self) -> None:
        self._expires = self._now() + LIFETIME
        import jwt  # noqa: PLC0415 - it takes a fifth of a second, which others shall not wait for

        # HS256 with the bytes of the secret; `iss` and an integer `exp`, nothing else.
        claims = {"iss": self._api_key, "exp": int(self._expires.timestamp())}
        with warnings.catch_warnings():
            # The library warns of short secrets, but their length is the vendor's choice.
            warnings.simplefilter("ignore", UserWarning)
            token = jwt.encode(claims, self._secret, algorithm="HS256")
        self._headers = {"Authorization": f"Bearer {token}"}


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


def created_between(
    base_url: str,
    after: datetime | None = None,
    before: datetime | None = None,
    *,
    limit: int = MOST_CANDIDATES,
) -> Request:
    """List the candidates of all positions and statuses that were created in that time."""
    times = {"time_created:after": after, "time_created:before": before}
    params = {name: rfc3339(time) for name, time in times.items() if time is not None}
    return Request("candidates", f"{base_url}/candidates", params={**params, "limit": str(limit)})


def position(base_url: str, uid: str) -> Request:
    """Read a position (observed)."""
    return Request("position", f"{base_url}/positions/{quote(uid, safe='')}")


def active_since(
    base_url: str, moment: datetime | None, *, limit: int = MOST_CANDIDATES
) -> Request:
    """List the candidates that had any activity since, in their words; all of them without it.

    Whether deleted ones are listed when nothing is said about them is not documented. If they are,
    they come as uid and mark, and are welcome.
    """
    params = {"limit": str(limit)}
    if moment is not None:
        params["time_hiring_process_updated:after"] = rfc3339(moment)
    return Request("candidates", f"{base_url}/candidates", params=params)


def positions(base_url: str, *, limit: int = MOST_POSITIONS) -> Request:
    """List the positions that are shared with the integration (observed), open or not."""
    return Request("positions", f"{base_url}/positions", params={"limit": str(limit)})


def deleted_since(base_url: str, moment: datetime | None) -> Request:
    """List the candidates that were deleted since, or ever: the whole list at once."""
    params = {} if moment is None else {"time_deleted:after": rfc3339(moment)}
    return Request("deleted-candidates", f"{base_url}/deleted-candidates", params=params)


def following(request: Request, next_page: str | None) -> Request | None:
    """Return the call for the next page, None after the last one.

    The link is an absolute URL, and our token goes with it: raises `ContractError` where it leads
    to another host, or nowhere new.
    """
    if not next_page:
        return None
    here, there = urlsplit(request.url), urlsplit(next_page)
    if (here.scheme, here.netloc) != (there.scheme, there.netloc):
        message = "Comeet's link to the next page leads to another host, and is not followed."
        raise ContractError(message, detail=request.endpoint)
    # Put together again, so that no library downstream can read another host out of it.
    url = there.geturl()
    if url == request.url:
        message = "Comeet's link to the next page leads to the same page."
        raise ContractError(message, detail=request.endpoint)
    return Request(request.endpoint, url)


def _candidate(base_url: str, uid: str) -> str:
    return f"{base_url}/candidates/{quote(uid, safe='')}"
