"""Measures reads with 1, 2 and 4 tasks at once: `python -m integration_tests.spark.bench`.

The vendors answer after 100 ms. Run it with what scripts/spark prints on PYTHONPATH.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from integration_tests.sandbox.running import Sandbox
from integration_tests.spark.cluster import cluster
from integration_tests.support.kombo import kombo_connector
from integration_tests.support.talemetry import talemetry_connector

SLOTS = (1, 2, 4)
ACCOUNTS = 16
LATENCY = 0.1
TIMES = 3
START = "2025-01-01T00:00:00Z"


def main() -> None:
    """Print a line of JSON for each read."""
    with (
        Sandbox.start(candidates=4_000, accounts=ACCOUNTS) as sandbox,
        tempfile.TemporaryDirectory() as folder,
    ):
        kombo = kombo_connector(sandbox, Path(folder), page_size=25).config
        talemetry = talemetry_connector(sandbox, Path(folder), concurrent_requests=1).config
        sandbox.fault("*", "delay", delay_seconds=LATENCY)
        for slots in SLOTS:
            talemetry["talemetry"]["concurrent_requests"] = slots
            with cluster(f"local-cluster[{slots},1,1024]") as spark:
                for stream, config in (("candidates", kombo), ("profiles", talemetry)):
                    report(sandbox, spark, slots, stream, config, "json")


def report(  # noqa: PLR0913, PLR0917 - what is measured
    sandbox: Sandbox, spark: Any, slots: int, stream: str, config: dict[str, Any], objects: str
) -> None:
    """Read a few times and print how long it took at best, and from the first call to the last."""
    rows, calls, times, spans = 0, 0, [], []
    for _ in range(TIMES):
        sandbox.reset_log()
        began = time.monotonic()
        rows = read(spark, stream, config, objects)
        times.append(time.monotonic() - began)
        log = [each["monotonic"] for each in sandbox.log()]
        calls = len(log)
        spans.append(max(log) - min(log))
    measured = {
        "stream": stream,
        "at_once": slots,
        "objects": objects,
        "rows": rows,
        "calls": calls,
        "seconds": round(min(times), 1),
        "from_first_to_last_call": round(min(spans), 1),
    }
    sys.stdout.write(json.dumps(measured) + "\n")
    sys.stdout.flush()


def read(spark: Any, stream: str, config: dict[str, Any], objects: str) -> int:
    """Read a stream whole, and return how many rows it has."""
    count: int = (
        spark.read.format("ats")
        .option("config", json.dumps({**config, "start_date": START}))
        .option("stream", stream)
        .option("objects", objects)
        .load()
        .rdd.count()
    )
    return count


if __name__ == "__main__":
    main()
