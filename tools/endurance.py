"""Whether memory stays the same, however much there is: `python -m tools.endurance`.

Reads 1,000,000 candidates, then 100,000 histories, and writes 100,000 people, each with the console
script against the sandbox, and takes the process's memory (resident set) ten times a second. The
peak in the last tenth of a run must be at most 1.05 times the peak in its second tenth (the first
one holds the start). Needs Linux, and half an hour: a name chooses one of the three.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from integration_tests.sandbox.running import PROJECT, Sandbox
from integration_tests.support.atz_crm import STREAM as HISTORY
from integration_tests.support.atz_crm import atz_connector, set_up
from integration_tests.support.connector import SOURCE, catalog
from integration_tests.support.kombo import kombo_connector
from integration_tests.support.writer import COMMAND, Writer, person, record, state

AT_MOST = 1.05
SECONDS_BETWEEN_SAMPLES = 0.1
RECORDS_PER_STATE = 1000
LATENCY = {"candidates": 0.02, "history": 0.02}
"""Seconds: so that several calls are in flight, as when a vendor is far away."""


@dataclass
class Endured:
    """What one run printed, and how much memory it took on the way."""

    code: int
    seconds: float
    samples: list[int]
    """Bytes, evenly spaced in time."""
    lines: Counter[str]
    """How many messages of each type."""

    def peaks(self) -> list[int]:
        """The most that was taken in each tenth of the run."""
        size = len(self.samples)
        tenths = [self.samples[size * n // 10 : size * (n + 1) // 10] for n in range(10)]
        return [max(tenth, default=0) for tenth in tenths]

    def growth(self) -> float:
        """The peak of the last tenth over that of the second."""
        peaks = self.peaks()
        return peaks[9] / max(peaks[1], 1)


def candidates(count: int) -> tuple[Endured, int]:
    """Read this many candidates; return also how many came."""
    with Sandbox.start(candidates=count) as sandbox, tempfile.TemporaryDirectory() as folder:
        connector = kombo_connector(sandbox, Path(folder))
        endured = _endure([str(SOURCE), *connector.command("read", catalog=catalog())])
        return endured, endured.lines["RECORD"]


def histories(count: int) -> tuple[Endured, int]:
    """Read the histories of this many candidates; return also how many were answered."""
    with Sandbox.start(candidates=count) as sandbox, tempfile.TemporaryDirectory() as folder:
        set_up(sandbox, rate_limit=None, latency_seconds=LATENCY)
        connector = atz_connector(sandbox, Path(folder), page_size=100)
        arguments = connector.command("read", catalog=catalog(HISTORY))
        endured = _endure([str(SOURCE), *arguments])
        return endured, sandbox.counts()["atz_crm.history"]["200"]


def write(count: int) -> tuple[Endured, int]:
    """Write this many people; return also how many were created, each once."""
    with Sandbox.start(candidates=1) as sandbox, tempfile.TemporaryDirectory() as folder:
        writer = Writer(sandbox, Path(folder))
        writer.control("settings", forget_bodies=True)
        writer.check()
        endured = _endure([*COMMAND, *writer.arguments("write")], _people(count))
        summary = sandbox.look("/_control/comeet/summary")
        return endured, summary["created"] - 2 * summary["duplicates"]


RUNS = {
    "candidates": (candidates, 1_000_000),
    "histories": (histories, 100_000),
    "write": (write, 100_000),
}


def main() -> int:
    """Measure, print, and return 1 if a run failed, brought less than it should, or grew."""
    parser = argparse.ArgumentParser(prog="python -m tools.endurance")
    parser.add_argument("runs", nargs="*", choices=[[], *RUNS], help="default: all")
    parser.add_argument("--count", type=int, help="instead of the full size")
    options = parser.parse_args()
    good = True
    for name in options.runs or RUNS:
        run, full_size = RUNS[name]
        count = options.count or full_size
        endured, came = run(count)
        good = good and endured.code == 0 and came == count and endured.growth() <= AT_MOST
        sys.stdout.write(_report(name, endured, came))
        sys.stdout.flush()
    return 0 if good else 1


def _report(name: str, endured: Endured, came: int) -> str:
    megabytes = " ".join(f"{peak / 1e6:.1f}" for peak in endured.peaks())
    return (
        f"{name}: {came} in {endured.seconds:.0f} s, exit code {endured.code}, "
        f"{endured.lines['RECORD']} RECORD and {endured.lines['STATE']} STATE lines\n"
        f"  peak of each tenth, MB: {megabytes}\n"
        f"  last over second: {endured.growth():.3f} (at most {AT_MOST})\n"
    )


def _endure(command: list[str], lines: Iterable[bytes] = ()) -> Endured:
    """Run to the end. What it prints is counted and not kept."""
    began = time.monotonic()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=PROJECT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        samples: list[int] = []
        over = threading.Event()
        threads = [
            threading.Thread(target=_sample, args=(process.pid, samples, over)),
            threading.Thread(target=_feed, args=(process.stdin, lines)),
        ]
        for thread in threads:
            thread.start()
        printed: Counter[str] = Counter()
        for line in process.stdout:
            # The type comes first in all lines but a STATE that was passed on.
            printed["STATE" if b'"STATE"' in line else line[9 : line.index(b'"', 9)].decode()] += 1
        over.set()
        for thread in threads:
            thread.join()
        code = process.wait()
    return Endured(code, time.monotonic() - began, samples, printed)


def _sample(pid: int, samples: list[int], over: threading.Event) -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    memory = Path(f"/proc/{pid}/statm")
    while True:
        resident = int(memory.read_text().split()[1]) * page
        if resident:
            samples.append(resident)
        if over.wait(SECONDS_BETWEEN_SAMPLES):
            return


def _feed(pipe: IO[bytes], lines: Iterable[bytes]) -> None:
    with pipe:
        pipe.writelines(lines)


def _people(count: int) -> Iterator[bytes]:
    for number in range(1, count + 1):
        yield json.dumps(record(person(number))).encode() + b"\n"
        if number % RECORDS_PER_STATE == 0 or number == count:
            yield json.dumps(state(number)).encode() + b"\n"


if __name__ == "__main__":
    sys.exit(main())
