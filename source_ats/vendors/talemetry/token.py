"""The credentials: a token that the user made, or one that is got for client id and secret."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from source_ats.errors import Stopped, TransientError
from source_ats.vendors.talemetry import requests


class ExchangedToken:
    """A token that is exchanged for client id and secret, when first needed and on a 401.

    Nothing is known of its lifetime, so none is assumed. Threads share one token: however many are
    refused at once, one of them gets the new one.
    """

    def __init__(self, exchange: Callable[[], str]) -> None:
        """`exchange` gets a new token from the vendor."""
        self._exchange = exchange
        self._lock = threading.Lock()
        self._current: Mapping[str, str] | None = None

    def headers(self) -> Mapping[str, str]:
        """Return the headers that carry the token."""
        with self._lock:
            if self._current is None:
                self._current = self._exchanged()
            return self._current

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Get a new token in place of the refused one, unless another thread has done so."""
        with self._lock:
            if self._current == refused:
                self._current = self._exchanged()
            return True

    def _exchanged(self) -> Mapping[str, str]:
        try:
            return requests.auth(self._exchange()).headers()
        except Stopped:
            raise
        except TransientError as error:
            # It was tried for long enough: the call that needs the token shall not begin again.
            raise TransientError(error.message, detail=error.detail) from None
