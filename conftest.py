"""What all tests share: a slow machine is no failure, so hypothesis does not look at the time."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")

# A shell starts background jobs with SIGINT ignored, and so would be what the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
