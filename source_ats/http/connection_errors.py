"""Why a connection failed: the HTTP library's exceptions as sentences that name host and remedy.

The library's own texts are not shown: they hold query values.
"""

from __future__ import annotations

import enum
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from requests.utils import select_proxy

from source_ats.http.time_limit import AnswerTooSlow

E = TypeVar("E", bound=BaseException)

_VARIABLES = "HTTPS_PROXY (or HTTP_PROXY, ALL_PROXY)"
_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3})")
_NOT_CONNECTED: Mapping[type[BaseException], str] = {
    socket.gaierror: (
        "The host {host} of {vendor} is not known. Check the base URL, and that this machine can "
        "look up names."
    ),
    ConnectionRefusedError: (
        "The connection to {vendor} at {host} was refused. Check the base URL, and that no "
        "firewall is in the way."
    ),
    urllib3.exceptions.ConnectTimeoutError: (
        "{vendor} at {host} did not accept a connection in time. Check that this machine may "
        "connect to it, or whether it needs a proxy (HTTPS_PROXY)."
    ),
    urllib3.exceptions.NewConnectionError: (
        "No connection to {vendor} at {host} can be made. Check the network of this machine."
    ),
}
_BROKEN: Mapping[type[BaseException], str] = {
    AnswerTooSlow: "{vendor} at {host} did not finish its answer in time.",
    requests.exceptions.ReadTimeout: "{vendor} at {host} did not answer in time.",
}
_CUT = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
_MALFORMED = (requests.exceptions.InvalidURL, urllib3.exceptions.LocationValueError)


class ConnectionProblem(enum.Enum):
    """What follows from a failure. The vendor can have got the request only when it is `BROKEN`."""

    UNTRUSTED = enum.auto()
    """The certificate: the user acts."""
    UNUSABLE = enum.auto()
    """An address, of the vendor or of a proxy: the user acts, unless it worked before."""
    NOT_CONNECTED = enum.auto()
    """It may pass."""
    BROKEN = enum.auto()
    """It may pass, too: the connection broke off, or nothing more came."""


@dataclass(frozen=True, slots=True)
class ConnectionFailure:
    """What happened, in whole sentences, and what follows."""

    what: str
    kind: ConnectionProblem


def explain(
    error: Exception, vendor: str, url: str, proxies: Mapping[str, str]
) -> ConnectionFailure:
    """Return why a request got no complete response."""
    host = urlsplit(url).hostname
    untrusted = _cause(error, ssl.SSLCertVerificationError)
    if untrusted is not None:
        what = (
            f"The certificate of {vendor} at {host} is not trusted: "
            f"{untrusted.verify_message.rstrip('.')}. Check the base URL, or name the certificate "
            "authority of your proxy in REQUESTS_CA_BUNDLE."
        )
        return ConnectionFailure(what, ConnectionProblem.UNTRUSTED)
    proxy = select_proxy(url, proxies)
    if proxy is not None and (
        isinstance(error, (*_MALFORMED, requests.exceptions.InvalidSchema))
        or (_cause(error, urllib3.exceptions.ProxyError) and not _is_cut(error))
    ):
        return _explain_proxy(error, vendor, host, proxy)
    if isinstance(error, _MALFORMED):
        what = f"The base URL of {vendor} cannot be used. Correct it in the configuration."
        return ConnectionFailure(what, ConnectionProblem.UNUSABLE)
    text = _text(error, _NOT_CONNECTED)
    if text is not None:
        kind = ConnectionProblem.NOT_CONNECTED
    else:
        kind = ConnectionProblem.BROKEN
        text = _text(error, _BROKEN) or "{vendor} at {host} sent no complete response."
    return ConnectionFailure(text.format(vendor=vendor, host=host), kind)


def is_host_known(host: str) -> bool:
    """Return False if no such host exists; True if it does, or if that cannot be found out now."""
    try:
        socket.getaddrinfo(host, None)
    except socket.gaierror as error:
        return error.errno == socket.EAI_AGAIN
    return True


def _is_cut(error: Exception) -> bool:
    """Return True if the connection was cut: the request may have been passed on.

    The HTTP library blames a proxy for an answer that is lost after it, as if it had not answered.
    """
    return any(_cause(error, kind) for kind in _CUT)


def _text(error: Exception, texts: Mapping[type[BaseException], str]) -> str | None:
    return next((text for cause, text in texts.items() if _cause(error, cause)), None)


def _explain_proxy(
    error: Exception, vendor: str, host: str | None, proxy: str
) -> ConnectionFailure:
    """Return what is wrong with the proxy, without its URL, which may hold a password."""
    if isinstance(error, requests.exceptions.InvalidSchema):
        what = (
            f"The proxy for {host} is a SOCKS proxy, which needs a library that is not installed. "
            f"Install PySocks, or name an HTTP proxy in {_VARIABLES}."
        )
        return ConnectionFailure(what, ConnectionProblem.UNUSABLE)
    if isinstance(error, _MALFORMED):
        what = (
            f"The proxy for {host} is not a whole URL with a scheme, a host and a port. "
            f"Correct {_VARIABLES} in the environment of the connector."
        )
        return ConnectionFailure(what, ConnectionProblem.UNUSABLE)
    name = urlsplit(proxy).hostname
    status = next((found[1] for each in _causes(error) if (found := _TUNNEL.search(str(each)))), "")
    if status == "407":
        what = f"The proxy {name} does not accept its credentials. Correct them in {_VARIABLES}."
    elif status >= "500":
        what = f"The proxy {name} cannot reach {vendor} at {host} (status {status})."
        return ConnectionFailure(what, ConnectionProblem.NOT_CONNECTED)
    elif status:
        what = (
            f"The proxy {name} does not let the connector reach {vendor} at {host} "
            f"(status {status}). Allow this host there, or correct {_VARIABLES}."
        )
    else:
        what = (
            f"The proxy {name} for {host} does not answer. Correct {_VARIABLES} in the "
            "environment of the connector, or start the proxy."
        )
    return ConnectionFailure(what, ConnectionProblem.UNUSABLE)


def _cause(error: BaseException, kind: type[E]) -> E | None:
    return next((each for each in _causes(error) if isinstance(each, kind)), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and all that led to it; the library nests some as reasons or arguments."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
