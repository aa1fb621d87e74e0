"""The tokens that requests to Comeet carry. Facts: Comeet's API reference, newest captures."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

# The samples use 600 s; the longest lifetime is not documented.
TOKEN_LIFETIME = timedelta(seconds=600)
TOKEN_RENEWED_BEFORE = timedelta(seconds=60)


class SignedTokens:
    """The credentials: short-lived tokens signed here, dated by the vendor's clock.

    Safe to use from several threads.
    """

    def __init__(self, api_key: str, secret: str, now: Callable[[], datetime]) -> None:
        """`now` returns the time by the vendor's clock, so a wrong clock here does no harm."""
        self._api_key = api_key
        self._secret = secret
        self._now = now
        self._lock = threading.Lock()
        self._headers: Mapping[str, str] = {}
        self._expires: datetime | None = None

    def headers(self) -> Mapping[str, str]:
        """Return the header with a token that is valid for at least another minute."""
        with self._lock:
            if self._expires is None or self._now() >= self._expires - TOKEN_RENEWED_BEFORE:
                self._sign()
            return self._headers

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Sign a new token: the refusal may have brought the vendor's time."""
        del refused
        with self._lock:
            self._sign()
        return True

    def _sign(self) -> None:
        self._expires = self._now() + TOKEN_LIFETIME
        import jwt  # noqa: PLC0415 - importing it takes 0.2 s, which other vendors do not need

        # HS256 with the bytes of the secret; `iss` and an integer `exp`, nothing else.
        claims = {"iss": self._api_key, "exp": int(self._expires.timestamp())}
        with warnings.catch_warnings():
            # The library warns of short secrets, but their length is the vendor's choice.
            warnings.simplefilter("ignore", UserWarning)
            token = jwt.encode(claims, self._secret, algorithm="HS256")
        self._headers = {"Authorization": f"Bearer {token}"}
