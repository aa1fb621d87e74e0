"""`source-ats` without the pace of ATZ CRM's rate limit, to see what its calls cost by themselves.

The configuration allows 100 calls a second at most; nobody has more, and loopback can do more.
"""

from __future__ import annotations

import importlib
from unittest import mock

from source_ats.cli import source_ats
from source_ats.clock import Clock
from source_ats.http.rate_limiter import RateLimiter


def _unlimited(clock: Clock, *, per_minute: int) -> RateLimiter:
    del per_minute
    return RateLimiter(clock)


if __name__ == "__main__":
    # The room's door of this name is a function, and hides the module.
    streams = importlib.import_module("source_ats.vendors.atz_crm.streams")
    with mock.patch.object(streams, "Budget", _unlimited):
        source_ats()
