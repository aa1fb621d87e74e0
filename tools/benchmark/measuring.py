"""One process, measured whole: wall time, CPU, peak memory, and what the server spent meanwhile."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from tools.benchmark.scale import Scale

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run took."""

    wall: float
    cpu: float
    peak_mib: float
    server_cpu: float
    requests: int
    bytes: int
    records: int
    load: float
    """The machine's load average when it began."""
    memory_ns: float
    """How long the machine then took to read memory at random. On a virtual machine that shows
    what the neighbours do, which no load average tells."""


@dataclass
class Server:
    """The lean server as a child process."""

    url: str
    process: subprocess.Popen[str]

    @classmethod
    def start(cls, pages: Path, scale: Scale, latency: int = 0) -> Self:
        """Start one that answers after `latency` ms, and return once it listens."""
        counts = [str(each) for each in (scale.candidates, scale.people, scale.histories)]
        process = subprocess.Popen(
            [sys.executable, "-m", "tools.benchmark.server", str(pages), *counts, str(latency)],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        return cls(process.stdout.readline().strip(), process)

    def __enter__(self) -> Self:
        """Use it in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.process.communicate()

    def used(self) -> dict[str, float]:
        """Return its CPU seconds, and the requests and bytes that it answered so far."""
        with urllib.request.urlopen(f"{self.url}/_used") as answer:  # noqa: S310 - on loopback
            used: dict[str, float] = json.loads(answer.read())
        return used


def measure(
    command: Sequence[str], server: Server, folder: Path, *, given: Path | None = None
) -> Measured:
    """Run a command to its end, its output in a file of the folder, which is emptied before.

    Raises `RuntimeError` if it fails.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    load, memory_ns = os.getloadavg()[0], _memory_ns()
    before = server.used()
    out, err = folder / "out", folder / "err"
    launch = [sys.executable, "-IS", str(Path(__file__).with_name("launch.py"))]
    launched = subprocess.run(
        [*launch, str(out), str(err), str(given or os.devnull), *command],
        cwd=PROJECT,
        env=_environment(),
        stdout=subprocess.PIPE,
        check=True,
    )
    took = json.loads(launched.stdout)
    after = server.used()
    if took.pop("code") != 0:
        said = err.read_text()[-2000:] + out.read_text()[-2000:]
        message = f"{' '.join(command)} failed: {said}"
        raise RuntimeError(message)
    measured = Measured(
        **took,
        server_cpu=after["cpu"] - before["cpu"],
        requests=int(after["requests"] - before["requests"]) - 1,
        bytes=int(after["bytes"] - before["bytes"]),
        records=_records(folder),
        load=load,
        memory_ns=memory_ns,
    )
    shutil.rmtree(folder)
    return measured


@cache
def _scattered() -> list[int]:
    """Return more numbers than the processor's caches hold, none beside its successor."""
    numbers = list(range(1 << 21))
    random.Random(0).shuffle(numbers)  # noqa: S311 - nothing secret
    return numbers


def _memory_ns() -> float:
    numbers, reads = _scattered(), 300_000
    began = time.process_time_ns()
    sum(numbers[number] for number in numbers[:reads])
    return (time.process_time_ns() - began) / reads


def _environment() -> dict[str, str]:
    """Return what all of them run under: nobody looks for news or reports home."""
    quiet = {"DO_NOT_TRACK": "1", "RUNTIME__DLTHUB_TELEMETRY": "false", "NO_PROXY": "127.0.0.1"}
    return {**os.environ, **quiet}


_RECORD = re.compile(rb'\{"type": ?"RECORD"')


def _records(folder: Path) -> int:
    """Count the records in the output: lines of type RECORD, or the rows in dlt's files."""
    found = 0
    with (folder / "out").open("rb") as lines:
        found += sum(1 for line in lines if _RECORD.match(line))
    for file in folder.rglob("*.typed-jsonl"):
        if not file.name.startswith("_dlt"):
            with file.open("rb") as lines:
                found += sum(len(json.loads(line)) for line in lines)
    return found
