"""The connectors at a vendor's distance: `scripts/bench --latency 0,20,100`.

The same lean server answers each request that many milliseconds later. Each contest compares the
connector with a plain loop or with itself with one request in flight. Prints a table, and writes it
into `docs/performance.md`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tools.benchmark import contests
from tools.benchmark.contests import FLOOR, OURS, WRITER, Command, Files
from tools.benchmark.measuring import Measured, Server, measure
from tools.benchmark.scale import Scale

INTEGRATIONS = 8
SCALE = Scale(candidates=5_000, people=2_000, histories=400, posts=200)
"""For each integration as many candidates; small, because a plain loop waits for each answer."""

Runs = dict[str, list[Measured]]


@dataclass(frozen=True, slots=True)
class Contest:
    """What is compared at one distance, by name: the connector first."""

    title: str
    commands: Mapping[str, Command]
    given: Path | None = None
    before: Callable[[], None] = lambda: None


def hold(pages: Path, folder: Path, latencies: Sequence[int], rounds: int) -> str:
    """Hold all contests at all distances, and return the tables."""
    lines = ["| contest | latency | who | wall, s | over the connector | requests |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for latency in latencies:
        with Server.start(pages, SCALE, latency) as server:
            files = Files(folder, server.url)
            for contest in _contests(files):
                runs = _held(contest, server, files, rounds)
                first = next(iter(runs.values()))
                for who, each in runs.items():
                    pairs = zip(each, first, strict=True)
                    ratio = median(theirs.wall / ours.wall for theirs, ours in pairs)
                    wall = median(run.wall for run in each)
                    lines.append(
                        f"| {contest.title} | {latency} ms | {who} | {wall:.2f} | {ratio:.2f} "
                        f"| {each[0].requests:,} |"
                    )
    return "\n".join(lines)


def _held(contest: Contest, server: Server, files: Files, rounds: int) -> Runs:
    runs: Runs = {who: [] for who in contest.commands}
    for _ in range(rounds):
        for who, command in contest.commands.items():
            contest.before()
            runs[who].append(measure(command, server, files.out, given=contest.given))
    counted = {run.records for each in runs.values() for run in each}
    if len(counted) > 1:
        message = f"{contest.title}: not all gave the same number of records: {sorted(counted)}"
        raise RuntimeError(message)
    return runs


def _contests(files: Files) -> list[Contest]:
    candidates = contests.reads(files, "candidates")
    histories = contests.reads(files, "candidate_history")
    profiles = contests.reads(files, "profiles")
    people, writing, make_ledger = contests.posts(files, SCALE)
    return [
        Contest(
            f"`candidates` of {INTEGRATIONS} integrations",
            {
                "4 in flight": _configured(files, candidates[OURS], "kombo", 4),
                "8 in flight": _configured(files, candidates[OURS], "kombo", 8),
                "1 in flight": _configured(files, candidates[OURS], "kombo", 1),
                FLOOR: [*candidates[FLOOR], str(INTEGRATIONS)],
            },
        ),
        Contest(
            "`profiles`",
            {
                "8 in flight": _configured(files, profiles[OURS], "talemetry", 8),
                "1 in flight": _configured(files, profiles[OURS], "talemetry", 1),
                FLOOR: profiles[FLOOR],
            },
        ),
        Contest(
            "`candidate_history`, unpaced",
            {
                "4 in flight": _configured(files, histories[OURS], "atz_crm", 4),
                "1 in flight": _configured(files, histories[OURS], "atz_crm", 1),
                FLOOR: histories[FLOOR],
            },
        ),
        Contest(
            "`destination-comeet`",
            {"1 in flight": writing[WRITER], FLOOR: writing[FLOOR]},
            given=people,
            before=lambda: contests.new_ledger(files, make_ledger),
        ),
    ]


def _configured(files: Files, command: Command, section: str, in_flight: int) -> Command:
    """Return the command with so many requests in flight, and all integrations."""
    at = command.index("--config") + 1
    config = json.loads(Path(command[at]).read_text())
    config[section]["concurrent_requests"] = in_flight
    config["kombo"]["integration_ids"] = [f"greenhouse:bench{n}" for n in range(INTEGRATIONS)]
    path = files.write(f"{section}-{in_flight}.json", config)
    return [*command[:at], path, *command[at + 1 :]]
