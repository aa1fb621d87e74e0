"""Comeet's connection check: one small request for each stream's list.

No endpoint for this is documented. Each list has a permission of its own.
"""

from __future__ import annotations

from functools import partial

from source_ats.errors import (
    AccessDenied,
    AtsError,
    ConfigError,
    ContractError,
    RetryableError,
    WrongAddress,
)
from source_ats.http.client import Client
from source_ats.sync.page_size import TWO_ATTEMPTS
from source_ats.vendors.comeet import requests, responses
from source_ats.vendors.comeet.config import ComeetConfig


def check(config: ComeetConfig, client: Client) -> list[str]:
    """Return what the user should know of streams that cannot be read, whatever the reason.

    Raises `ConfigError` if the credentials are bad, and what is wrong with a list if no stream can
    be read.
    """
    url, now = requests.base_url(config.base_url), client.now()
    problems: dict[str, AtsError] = {}
    for stream, request, read in (
        ("comeet_candidates", requests.active_since(url, now, limit=1), responses.candidate_rows),
        ("comeet_positions", requests.positions(url, limit=1), responses.position_rows),
        ("comeet_deleted_candidates", requests.deleted_since(url, now), responses.deleted_rows),
    ):
        try:
            # If Comeet is down, the first list has shown that with the usual patience.
            policy = TWO_ATTEMPTS if problems else None
            client.send(request, partial(read, since=None), retry_policy=policy)
        except (AccessDenied, WrongAddress, ContractError, RetryableError) as error:
            problems[stream] = error
    if len(problems) == 3:
        raise min(problems.values(), key=lambda error: not isinstance(error, ConfigError))
    return [f"{stream} cannot be read: {error.message}" for stream, error in problems.items()]
