"""Comeet, the side that is written to.

Doors: `client` (all calls of one key), `mappers` (how records become candidates), `deliveries` (how
they are brought there), `check` (whether they can be).
"""

from __future__ import annotations

from collections.abc import Mapping

from destination_comeet.check import check
from destination_comeet.config import DestinationConfig
from destination_comeet.delivery import Delivery
from destination_comeet.ledger import Ledger
from destination_comeet.mapping import Mapper, PrimaryKey, mapper
from destination_comeet.writer import Deliver
from source_ats.clock import Clock
from source_ats.http.client import Client
from source_ats.http.rate_limiter import RateLimiter
from source_ats.http.retry import RetryPolicy
from source_ats.vendors.comeet import requests
from source_ats.vendors.comeet.connection import make_client

__all__ = ["check", "client", "deliveries", "mappers"]


def client(config: DestinationConfig, clock: Clock, *, retry_policy: RetryPolicy) -> Client:
    """Return the client for all calls with this key, evenly paced, one at a time."""
    rate_limiter = RateLimiter(clock, config.requests_per_minute)
    return make_client(
        config.api_key, config.secret, rate_limiter, clock, retry_policy=retry_policy
    )


def mappers(
    config: DestinationConfig, primary_keys: Mapping[str, PrimaryKey]
) -> Mapping[str, Mapper]:
    """Return how each stream is mapped. Raises `ConfigError` for a bad field or expression."""
    return {each.stream: mapper(each, primary_keys.get(each.stream, ())) for each in config.streams}


def deliveries(
    config: DestinationConfig,
    primary_keys: Mapping[str, PrimaryKey],
    client: Client,
    ledger: Ledger,
    clock: Clock,
) -> Mapping[str, Deliver]:
    """Return how the records of each configured stream are delivered."""
    positions: dict[str, str | None] = {}
    return {
        stream: Delivery(
            client=client,
            ledger=ledger,
            clock=clock,
            base_url=config.base_url or requests.BASE_URL,
            stream=stream,
            mapper=mapped,
            positions=positions,
        ).deliver
        for stream, mapped in mappers(config, primary_keys).items()
    }
