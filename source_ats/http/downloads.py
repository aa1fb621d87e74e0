"""Downloads of files from hosts that the user lists: no credentials, bounded, kept in memory only.

Addresses are secrets: whoever has one can read the file. They appear in no message; hosts do.
"""

from __future__ import annotations

import ipaddress
from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urljoin, urlsplit

import requests
import tenacity
import urllib3

from source_ats.clock import Clock
from source_ats.errors import FileUnavailable
from source_ats.http.connection_errors import explain
from source_ats.http.models import Request
from source_ats.http.session import BodyTooLarge, Session
from source_ats.http.time_limit import AnswerTooSlow

ATTEMPTS = 3
CONNECT_SECONDS, SILENT_SECONDS, TOTAL_SECONDS = 10.0, 20.0, 60.0
"""Limits of one download."""
EXPIRED = frozenset({401, 403, 404, 410})
"""What a host answers to a link that is no longer good is seldom documented: any of these."""


class _NoAnswer(FileUnavailable):
    """It may be there at the next attempt."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a host answered."""

    content: bytes = field(repr=False)
    page_of: str | None = None
    """The host, if it sent an HTML page."""

    def as_file(self, name: str | None) -> bytes:
        """Return the content of a file of this name; it is not empty.

        Raises `FileUnavailable` for a page in place of it, such as a login.
        """
        if self.page_of is not None and not (name or "").lower().endswith((".htm", ".html")):
            reason = f"cannot be fetched: {self.page_of} answered with a web page, such as a login"
            raise FileUnavailable(reason)
        return self.content


class Downloader:
    """Fetches files. Safe to use from several threads."""

    def __init__(
        self, hosts: Sequence[str], setting: str, clock: Clock, *, largest: int, connections: int
    ) -> None:
        """`hosts` have no port; `*.` stands for any subdomain. `setting` names them in messages.

        A file may have `largest` bytes.
        """
        self._hosts = [each.lower() for each in hosts]
        self._not_allowed = f"which {setting} does not allow"
        self._clock = clock
        self._largest = largest
        self._session = Session(connections, largest_body=largest, follows=self._is_allowed)
        # What one file's answer sets would be sent with the requests for other people's files.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def fetch(self, address: str) -> Fetched:
        """Return what is at the address. Raises `FileUnavailable`, and `Stopped`."""
        host = _host_of(address)
        if host is None or not self._is_allowed(address):
            where = "is not at a plain address" if host is None else f"is on {host}"
            raise FileUnavailable(f"{where}, {self._not_allowed}")
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_NoAnswer),
            wait=tenacity.wait_exponential(multiplier=0.5) + tenacity.wait_random(0, 0.5),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            sleep=self._clock.sleep,
            reraise=True,
        )
        fetched: Fetched = retrying(self._exchange, address, host)
        return fetched

    def _exchange(self, address: str, host: str) -> Fetched:
        began = self._clock.monotonic()
        request = Request("file", address, headers={"Accept": "*/*"})
        try:
            received, body = self._session.exchange(
                request,
                {},
                timeout=(CONNECT_SECONDS, SILENT_SECONDS),
                is_late=lambda: self._clock.monotonic() - began > TOTAL_SECONDS,
            )
        except requests.TooManyRedirects:
            raise FileUnavailable(f"is redirected too often by {host}") from None
        except BodyTooLarge:
            reason = f"is larger than {self._largest} bytes ({host})"
            raise FileUnavailable(reason, is_lasting=True) from None
        except AnswerTooSlow:
            raise _NoAnswer(f"took more than {TOTAL_SECONDS:.0f} s ({host})") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            proxies = self._session.environment(address)["proxies"]
            what = explain(error, host, f"https://{host}", proxies).what
            raise _NoAnswer(f"cannot be fetched: {what}") from None
        # A proxy answers with 203 if it has changed something, such as a header.
        if received.status_code in {200, 203}:
            if not body:
                raise FileUnavailable(f"is empty ({host})")
            return Fetched(body, host if _is_page(received, body) else None)
        raise self._refused(received, address, host)

    def _refused(self, received: requests.Response, address: str, host: str) -> FileUnavailable:
        """Return the reason for which an answer does not count as a file."""
        status = received.status_code
        if status in EXPIRED:
            return FileUnavailable(f"cannot be fetched: its link has expired ({host}, {status})")
        if 300 <= status <= 399:
            where = _redirect_host(address, received.headers.get("Location", ""))
            return FileUnavailable(f"is redirected by {host} to {where}, {self._not_allowed}")
        kind = _NoAnswer if status in {408, 429} or status >= 500 else FileUnavailable
        return kind(f"cannot be fetched: {host} answered with status {status}")

    def _is_allowed(self, address: str) -> bool:
        host = _host_of(address)
        if host is None or not any(_matches(host, each) for each in self._hosts):
            return False
        return urlsplit(address).scheme == "https" or _is_loopback(host)


def _is_page(received: requests.Response, body: bytes) -> bool:
    media_type = received.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    begin = body.removeprefix(BOM_UTF8)[:1000].lstrip().lower()
    is_html = begin.startswith(b"<") and (b"<html" in begin or b"<!doctype html" in begin)
    # A document of Word may be HTML, too.
    return media_type == "text/html" and is_html and b"schemas-microsoft-com:office" not in begin


def _host_of(address: str) -> str | None:
    """Return the host that the HTTP library would ask; None for an address that is ambiguous."""
    if not address.isascii() or not address.isprintable() or "\\" in address or " " in address:
        return None
    try:
        parts, parsed = urlsplit(address), urllib3.util.parse_url(address)
        host = parts.hostname
        _ = parts.port
    except (ValueError, urllib3.exceptions.LocationParseError):
        return None
    if parsed.auth is not None or parts.username is not None or not host:
        return None
    return host if host == (parsed.host or "").lower().strip("[]") else None


def _redirect_host(address: str, location: str) -> str:
    try:
        host = _host_of(urljoin(address, location))
    except ValueError:
        host = None
    return host or "an address that is not usable"


def _matches(host: str, allowed: str) -> bool:
    return host.endswith(allowed[1:]) if allowed.startswith("*.") else host == allowed


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
