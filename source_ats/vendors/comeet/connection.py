"""The client for all requests with one key, reading or writing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from source_ats.clock import Clock
from source_ats.http.client import Client
from source_ats.http.rate_limiter import RateLimiter
from source_ats.http.retry import RetryPolicy
from source_ats.vendors.comeet import responses
from source_ats.vendors.comeet.token import SignedTokens


def make_client(  # noqa: PLR0913 - what a client of this vendor is made of
    api_key: str,
    secret: str,
    rate_limiter: RateLimiter,
    clock: Clock,
    *,
    retry_policy: RetryPolicy,
    on_rate_limit: Callable[[datetime | None], None] = lambda until: None,
    connections: int = 1,
) -> Client:
    """Return a client whose tokens are dated by the vendor's clock."""
    tokens = SignedTokens(api_key, secret, lambda: client.now())  # noqa: PLW0108 - defined below
    client = Client(
        responses.VENDOR,
        tokens,
        rate_limiter,
        clock,
        retry_policy=retry_policy,
        on_rate_limit=on_rate_limit,
        connections=connections,
    )
    return client
