"""The session of the HTTP library: redirects, proxies, certificates, kept connections, bodies."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import requests

from source_ats.errors import NoConnection
from source_ats.http.models import Request
from source_ats.http.time_limit import TimedAdapter, time_limit
from source_ats.version import VERSION

USER_AGENT = f"airbyte-source-ats/{VERSION}"
_HEADERS = {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "gzip"}
MOST_REDIRECTS = 3
LARGEST_BODY = 256 * 1024 * 1024
"""Bytes, unpacked."""
_PIECE = 256 * 1024


class BodyTooLarge(Exception):
    """An answer is larger than any that this package asks for."""


class Session(requests.Session):
    """Follows redirects only of reads, and within the host: credentials stay where they are.

    Proxy variables and `REQUESTS_CA_BUNDLE` are obeyed. `~/.netrc` is not: the library would put
    its entry in place of our `Authorization` header.

    The library's `request` merges each call with settings of a session, of which only cookies are
    used here, and reads the environment each time; that takes a third of a small request's time.
    """

    def __init__(
        self,
        connections: int,
        *,
        largest_body: int = LARGEST_BODY,
        follows: Callable[[str], bool] = lambda url: False,
    ) -> None:
        """`connections`: how many are kept open to a host.

        `follows`: to which other addresses a redirect of a read may lead. For a session without
        credentials.
        """
        super().__init__()
        self._largest_body = largest_body
        self._follows = follows
        adapter = TimedAdapter(pool_maxsize=connections)
        self.mount("https://", adapter)
        self.mount("http://", adapter)  # ignore-https-check - of loopback addresses only
        self._environment: dict[tuple[str, str], Mapping[str, Any]] = {}

    def exchange(
        self,
        request: Request,
        credentials: Mapping[str, str],
        timeout: tuple[float, float],
        is_late: Callable[[], bool],
    ) -> tuple[requests.Response, bytes]:
        """Send the request, and return the response with its body.

        Raises what the library raises, `BodyTooLarge`, and `AnswerTooSlow` once `is_late` says so.
        """
        prepared = self._prepared(request, credentials)
        with time_limit(is_late):
            for _ in range(MOST_REDIRECTS + 1):
                received = self.send(
                    prepared,
                    timeout=timeout,
                    allow_redirects=False,
                    **self.environment(prepared.url or request.url),
                )
                target = self._target(received)
                if target is None:
                    return received, _body(received, self._largest_body)
                received.close()
                prepared.url = target
        raise requests.TooManyRedirects

    def _prepared(
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
        """Return proxies and certificates by the environment's variables, read once per host.

        Raises `NoConnection` if there are no certificates where the environment says.
        """
        parts = urlsplit(url)
        origin = (parts.scheme, parts.netloc)
        if origin not in self._environment:
            settings = self.merge_environment_settings(
                url, proxies={}, stream=True, verify=None, cert=None
            )
            # Only TLS needs them. Reading the usual file takes 25 ms.
            if parts.scheme == "https" and isinstance(settings["verify"], str):
                _check_authorities(settings["verify"])
            self._environment[origin] = settings
        return self._environment[origin]

    def _target(self, received: requests.Response) -> str | None:
        """Return where a redirect of a read leads; None if it is not one, or is not followed."""
        target = received.headers.get("Location")
        if not received.is_redirect or not target or received.request.method != "GET":
            return None
        try:
            whole = urljoin(received.url, target)
            here, there = urlsplit(received.url), urlsplit(whole)
        except ValueError:
            return None
        is_same_host = (here.scheme, here.netloc) == (there.scheme, there.netloc)
        return whole if is_same_host or self._follows(whole) else None

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return None: the library would read the body of a redirect without any limit."""
        del resp
        return None


def _body(received: requests.Response, largest: int) -> bytes:
    """Return the whole body, read as it arrives."""
    pieces: list[bytes] = []
    size = 0
    while piece := received.raw.read1(_PIECE, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > largest:
            received.close()
            raise BodyTooLarge
    return b"".join(pieces)


def _check_authorities(path: str) -> None:
    """Raise `NoConnection` if the file or folder holds no certificate authorities."""
    try:
        is_folder = Path(path).is_dir()
        ssl.create_default_context(
            cafile=None if is_folder else path, capath=path if is_folder else None
        )
    except ssl.SSLError:
        reason = "is not a list of certificates in PEM format"
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    else:
        return
    message = (
        f"The file of certificate authorities {path} {reason}. Correct REQUESTS_CA_BUNDLE (or "
        "CURL_CA_BUNDLE) in the environment of the connector, or remove it."
    )
    raise NoConnection(message)
