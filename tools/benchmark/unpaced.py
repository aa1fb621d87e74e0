"""`source-ats` without the pace of ATZ CRM's rate limit, to see what its calls cost by themselves.

The configuration allows 100 calls a second at most; nobody has more, and loopback can do more.
"""

from __future__ import annotations

from unittest import mock

from source_ats.cli import source_ats
from source_ats.clock import Clock
from source_ats.http.rate_limiter import RateLimiter
from source_ats.vendors.atz_crm import streams


def _unlimited(clock: Clock, *, per_minute: int) -> RateLimiter:
    del per_minute
    return RateLimiter(clock)


if __name__ == "__main__":
    with mock.patch.object(streams, "RateLimiter", _unlimited):
        source_ats()
