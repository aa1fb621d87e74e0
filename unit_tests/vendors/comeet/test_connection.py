"""The client for one key."""

from __future__ import annotations

import pytest
from requests_mock import Mocker

from source_ats.errors import TransientError
from source_ats.http.rate_limiter import RateLimiter
from source_ats.http.retry import CHECK_POLICY
from source_ats.vendors.comeet import requests
from source_ats.vendors.comeet.connection import make_client
from unit_tests.fakes import FakeClock

URL = "https://comeet.example.com"


def test_a_check_gives_up_early_on_a_server_that_is_down(requests_mock: Mocker) -> None:
    requests_mock.get(f"{URL}/positions", status_code=503)
    clock = FakeClock()
    client = make_client("key", "secret", RateLimiter(clock), clock, retry_policy=CHECK_POLICY)
    with pytest.raises(TransientError, match=r"Try again in a few minutes\.$"):
        client.send(requests.positions(URL, limit=1), lambda response: response)
    assert requests_mock.call_count == CHECK_POLICY.attempts
    assert sum(clock.waits) < CHECK_POLICY.seconds
