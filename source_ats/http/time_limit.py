"""The total time limit of an answer: from the request to the last byte, headers included.

The HTTP library limits only the silence between two bytes: an answer that arrives a byte at a time
would have no end.
"""

from __future__ import annotations

import contextlib
import http.client
import io
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import requests
import urllib3

_is_late: ContextVar[Callable[[], bool]] = ContextVar("_is_late")


class AnswerTooSlow(Exception):
    """An answer has not ended within its time."""


@contextlib.contextmanager
def time_limit(is_late: Callable[[], bool]) -> Iterator[None]:
    """Raise `AnswerTooSlow` from late reads of answers in this block, in this thread.

    Only for answers that come through a `TimedAdapter`.
    """
    token = _is_late.set(is_late)
    try:
        yield
    finally:
        _is_late.reset(token)


class _TimedStream(io.RawIOBase):
    """The bytes of a connection as they arrive."""

    def __init__(self, raw: io.RawIOBase) -> None:
        super().__init__()
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if _is_late.get()():
            raise AnswerTooSlow
        return self._raw.readinto(buffer)

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fp = io.BufferedReader(_TimedStream(self.fp.detach()))


class _HTTPConnection(urllib3.connection.HTTPConnection):
    response_class = _TimedResponse


class _HTTPSConnection(urllib3.connection.HTTPSConnection):
    response_class = _TimedResponse


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


_POOLS = {"http": _HTTPPool, "https": _HTTPSPool}


class TimedAdapter(requests.adapters.HTTPAdapter):
    """The library's adapter, on connections that obey `time_limit`, through proxies too."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Use these connections."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Use these connections through a proxy. Those of SOCKS have their own."""
        manager = super().proxy_manager_for(proxy, **options)
        if isinstance(manager, urllib3.ProxyManager):
            manager.pool_classes_by_scheme = _POOLS
        return manager
