"""Credentials that are exchanged for a token."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from source_ats.errors import Stopped, TransientError
from source_ats.vendors.talemetry import requests


class ExchangedToken:
    """A token, requested with client ID and secret when first needed and after a 401.

    Its lifetime is not documented, so none is assumed. Threads share one token: if several are
    refused at once, one of them requests the new one.
    """

    def __init__(self, exchange: Callable[[], str]) -> None:
        """`exchange` requests a new token from the vendor."""
        self._exchange = exchange
        self._lock = threading.Lock()
        self._current: Mapping[str, str] | None = None

    def headers(self) -> Mapping[str, str]:
        """Return the headers that carry the token."""
        with self._lock:
            if self._current is None:
                self._current = self._new_headers()
            return self._current

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Replace the refused token, unless another thread has done so."""
        with self._lock:
            if self._current == refused:
                self._current = self._new_headers()
            return True

    def _new_headers(self) -> Mapping[str, str]:
        try:
            return requests.auth(self._exchange()).headers()
        except Stopped:
            raise
        except TransientError as error:
            # The exchange was retried already, so the request that needs the token is not.
            raise TransientError(error.message, detail=error.detail) from None
