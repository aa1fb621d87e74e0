"""The benchmark: `scripts/bench [--records N] [--rounds R] [--only CONTEST]...`.

All contestants of a contest read the same pages from one lean server, in turn, round after round;
each run is a process of its own, measured whole. What comes out are medians and ratios: printed,
and written into `docs/performance.md` with a plot unless only some contests were held. Who takes
longer than a minute runs once. With `--latency` the contests of `distance.py` are held instead.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tools.benchmark import contests, distance, report
from tools.benchmark.contests import Command, Files
from tools.benchmark.measuring import PROJECT, Measured, Server, measure
from tools.benchmark.scale import Scale

SLOW_SECONDS = 60
PAGE = 250
SMALL = 10_000
"""Candidates of the small read that peak memory is compared with."""
SHORT = 3
"""A contest of seconds is held this many times as often, for the machine's speed drifts."""
CONTESTS = (*contests.STREAMS, "writing", "memory", "spec")
SECONDS = 20.0
"""About what the slowest of a contest at a distance takes."""

Runs = dict[str, list[Measured]]


def main() -> None:
    """Run the contests and report."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.split("\n")[0])
    parser.add_argument("--records", type=int, default=100_000, help="how many candidates")
    parser.add_argument(
        "--rounds", type=int, help="how often each one runs; default: 3, at a distance 1"
    )
    parser.add_argument(
        "--only",
        choices=sorted({*CONTESTS, *distance.CONTESTS}),
        action="append",
        help="this contest only",
    )
    parser.add_argument(
        "--latency",
        type=lambda text: [int(each) for each in text.split(",")],
        help="hold the contests at a distance: milliseconds before each answer, e.g. 0,20,100",
    )
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="of the slowest in a contest at a distance"
    )
    parser.add_argument("--scratch", type=Path, help="where outputs go; default: memory, or TMPDIR")
    options = parser.parse_args()
    rounds = options.rounds or (1 if options.latency else 3)
    wanted: Sequence[str] = options.only or (
        tuple(distance.CONTESTS) if options.latency else CONTESTS
    )
    scale = Scale.of(options.records)
    began = datetime.now(UTC)
    results: dict[str, Runs] = {}
    with tempfile.TemporaryDirectory(dir=options.scratch or _memory()) as scratch:
        folder = Path(scratch)
        pages = folder / "pages"
        make_pages = [sys.executable, "-m", "tools.benchmark.pages", str(pages)]
        subprocess.run(make_pages, cwd=PROJECT, check=True)
        if options.latency:
            found = distance.hold(
                pages, folder, options.latency, wanted, seconds=options.seconds, rounds=rounds
            )
            path = PROJECT / ".tmp" / "benchmark-distance.json"
            path.write_text(json.dumps({"about": _about(began), "distances": found}, indent=1))
            report.write_distance(path, whole=not options.only)
            return
        with Server.start(pages, Scale.of(PAGE)) as server:
            _warm_up([each for each in contests.STREAMS if each in wanted], server, folder)
        with Server.start(pages, scale) as server:
            files = Files(folder, server.url)
            for stream in contests.STREAMS:
                if stream in wanted:
                    commands = contests.reads(files, stream)
                    results[stream] = _contest(stream, commands, server, files, rounds)
            if "writing" in wanted:
                results["writing"] = _writing(files, server, scale, rounds)
            if "memory" in wanted:
                large = {
                    f"{scale.candidates:,}": contests.reads(files, "candidates")[contests.OURS]
                }
                results["memory"] = _contest("memory", large, server, files, 1)
            if "spec" in wanted:
                commands = {"source-ats spec": contests.spec()}
                results["spec"] = _contest("spec", commands, server, files, 5)
        if "memory" in wanted:
            with Server.start(pages, Scale.of(SMALL)) as server:
                files = Files(folder, server.url)
                small = {f"{SMALL:,}": contests.reads(files, "candidates")[contests.OURS]}
                results["memory"] |= _contest("memory", small, server, files, 1)
    whole = {
        "about": _about(began),
        "scale": asdict(scale),
        "results": {
            name: {who: [asdict(run) for run in runs] for who, runs in contest.items()}
            for name, contest in results.items()
        },
    }
    kept = PROJECT / ".tmp" / "benchmark.json"
    kept.write_text(json.dumps(whole, indent=1))
    report.write(kept, whole=not options.only)


def _warm_up(streams: Sequence[str], server: Server, folder: Path) -> None:
    """Run all once, unseen: afterwards their code is compiled and in the machine's memory."""
    files = Files(folder, server.url)
    for stream in streams:
        for command in contests.reads(files, stream).values():
            measure(command, server, files.out)


def _contest(  # noqa: PLR0913 - what a contest is made of
    name: str,
    commands: Mapping[str, Command],
    server: Server,
    files: Files,
    rounds: int,
    *,
    given: Path | None = None,
    before: Callable[[], None] = lambda: None,
) -> Runs:
    """Run all in turn, so that other work of the machine affects all of them."""
    runs: Runs = {who: [] for who in commands}
    for _ in range(rounds):
        for who, command in commands.items():
            if runs[who] and runs[who][0].wall > SLOW_SECONDS:
                continue
            before()
            run = measure(command, server, files.out, given=given)
            runs[who].append(run)
            sys.stdout.write(
                f"{name:18} {who:18} {run.wall:8.2f} s wall {run.cpu:8.2f} s CPU "
                f"{run.peak_mib:6.0f} MiB, server {run.server_cpu / run.wall:4.0%}, "
                f"{run.requests} requests, {run.records} records, load {run.load:.1f}, "
                f"memory {run.memory_ns:.0f} ns\n"
            )
            sys.stdout.flush()
    counted = {run.records for each in runs.values() for run in each}
    if len(counted) > 1:
        message = f"{name}: not all gave the same number of records: {sorted(counted)}"
        raise RuntimeError(message)
    return runs


def _writing(files: Files, server: Server, scale: Scale, rounds: int) -> Runs:
    people, commands, make_ledger = contests.posts(files, scale)

    def new_ledger() -> None:
        contests.new_ledger(files, make_ledger)

    rounds *= SHORT
    return _contest("writing", commands, server, files, rounds, given=people, before=new_ledger)


def _memory() -> str | None:
    """Return where files are kept in memory, if there is such a place: no disk to wait for."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a folder of its own


def _about(began: datetime) -> dict[str, object]:
    return {
        "began": began.isoformat(),
        "ended": datetime.now(UTC).isoformat(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
    }


if __name__ == "__main__":
    main()
