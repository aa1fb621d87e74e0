"""How fast `profiles` is read: `python -m integration_tests.bench_profiles`.

Reads the sandbox with 1 and with 8 requests in flight at 100 ms of latency, and prints both times,
their ratio, and how many requests were in flight at the most.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from integration_tests.connector import Connector, catalog
from integration_tests.sandbox.running import Sandbox


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m integration_tests.bench_profiles")
    parser.add_argument("--people", type=int, default=8000)
    parser.add_argument("--ids-per-request", type=int, default=25)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds")
    options = parser.parse_args()
    with (
        Sandbox.start(candidates=options.people) as sandbox,
        tempfile.TemporaryDirectory() as folder,
    ):
        took: dict[int, float] = {}
        # The first read is not timed: in it the sandbox makes its people.
        for at_once in (8, 1, 8):
            sandbox.reset_log()
            section = {
                "credentials": {"auth_type": "token", "token": "TGC-sandbox"},
                "ids_base_url": f"{sandbox.url}/talemetry",
                "profiles_base_url": f"{sandbox.url}/talemetry",
                "page_size": 1000,
                "ids_per_request": options.ids_per_request,
                "concurrent_requests": at_once,
            }
            connector = Connector(Path(folder), {"talemetry": section})
            began = time.monotonic()
            started = connector.start(catalog=catalog("profiles"))
            started.process.wait()
            took[at_once] = time.monotonic() - began
            run = started.end()
            calls = sandbox.log("talemetry.*")
            most = max(call["in_flight"] for call in calls)
            sys.stdout.write(
                f"{at_once} in flight: {took[at_once]:.1f} s, {len(run.records('profiles'))} "
                f"people, {len(calls)} requests, at most {most} at once\n"
            )
            if len(took) == 1:
                sandbox.fault("talemetry.*", "delay", delay_seconds=options.latency)
        sys.stdout.write(f"ratio: {took[1] / took[8]:.2f}\n")


if __name__ == "__main__":
    main()
