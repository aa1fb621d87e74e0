"""The session of the HTTP library: redirects, proxies, certificates, kept connections."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import requests

from source_ats.http.models import Request

USER_AGENT = f"airbyte-source-ats/{version('airbyte-source-ats')}"
_HEADERS = {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "gzip"}


class Session(requests.Session):
    """Follows redirects only within the host, and only for reads: credentials stay where they are.

    Proxy variables and `REQUESTS_CA_BUNDLE` are obeyed. `~/.netrc` is not: the library would put
    its entry in place of our `Authorization` header.

    The library's `request` merges each call with settings of a session, of which only cookies are
    used here, and reads the environment each time; that takes a third of a small request's time.
    """

    def __init__(self) -> None:
        """Begin with nothing known of the environment."""
        super().__init__()
        self._environment: dict[tuple[str, str], Mapping[str, Any]] = {}

    def prepared(
        self, request: Request, credentials: Mapping[str, str]
    ) -> requests.PreparedRequest:
        """Return the request as `send` takes it."""
        prepared = requests.PreparedRequest()
        prepared.prepare(
            method=request.method,
            url=request.url,
            headers={**_HEADERS, **request.headers, **credentials},
            # As a text: finding out what else it may be takes the library long.
            params=urlencode(request.params),
            json=request.json,
            cookies=self.cookies,
            # Credentials in an address must not take the place of ours.
            auth=lambda unchanged: unchanged,
        )
        return prepared

    def environment(self, url: str) -> Mapping[str, Any]:
        """Return proxies and certificates by the environment's variables, read once per host."""
        parts = urlsplit(url)
        origin = (parts.scheme, parts.netloc)
        if origin not in self._environment:
            self._environment[origin] = self.merge_environment_settings(
                url, proxies={}, stream=True, verify=None, cert=None
            )
        return self._environment[origin]

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return the redirect's target, or None to hand the redirect to the caller."""
        target = super().get_redirect_target(resp)
        if target is None or resp.request.method != "GET":
            return None
        here, there = urlsplit(resp.url), urlsplit(urljoin(resp.url, target))
        return target if (here.scheme, here.netloc) == (there.scheme, there.netloc) else None

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Keep the credentials as they are: within the host, and not from `~/.netrc`."""


class _Adapter(requests.adapters.HTTPAdapter):
    """Looks the connections to a host up once: a host's proxy and certificates stay the same."""

    def __init__(self, connections: int) -> None:
        """`connections`: how many are kept open to a host."""
        super().__init__(pool_maxsize=connections)
        self._pools: dict[tuple[str, str], Any] = {}

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> Any:
        """Return the connections to the host of the request."""
        parts = urlsplit(request.url or "")
        origin = (parts.scheme, parts.netloc)
        if origin not in self._pools:
            self._pools[origin] = super().get_connection_with_tls_context(request, *args, **kwargs)
        return self._pools[origin]


def make_session(connections: int) -> Session:
    """Return a session that keeps this number of connections to a host open."""
    session = Session()
    session.max_redirects = 3
    adapter = _Adapter(connections)
    session.mount("https://", adapter)
    session.mount("http://", adapter)  # ignore-https-check - of loopback addresses only
    return session
