"""The connectors at a vendor's distance: `scripts/bench --latency 0,20,100`.

The same lean server answers each request that many milliseconds later. At each distance there is as
much to read that the slowest of a contest takes about `seconds`. All others who can send several
requests at a time send as many as the connector.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.benchmark import contests
from tools.benchmark.contests import DLT, FLOOR, MANIFEST, OURS, SINGER, WRITER, Command, Files
from tools.benchmark.measuring import Measured, Server, measure
from tools.benchmark.scale import Scale

IN_FLIGHT = 8
INTEGRATIONS = 8
"""Kombo's integrations in the contest `candidates`."""
INTEGRATIONS_OF_ALL = 3
"""Those in contests of all streams."""
LARGE = 1_000_000
"""Candidates in the contest against reading bytes."""
LARGE_PAGE = 1000
"""GUIDs on a page of the listing, in the contest `large_pages`."""
SLOW_SECONDS = 60
"""Who takes longer runs once."""
VENDORS = ("kombo", "talemetry", "atz_crm", "comeet")
MODELS = (
    "application_stages",
    "applications",
    "attachments",
    "interviews",
    "jobs",
    "notes",
    "offers",
    "rejection_reasons",
    "roles",
    "scorecards",
    "tags",
    "users",
)
KOMBO = ("candidates", *(f"kombo_{model}" for model in MODELS))
REST = ("profiles", "atz_candidates", "atz_deals", "candidate_history")
COMEET = ("comeet_positions", "comeet_candidates", "comeet_deleted_candidates")

Runs = dict[str, list[Measured]]
Results = dict[str, dict[str, dict[str, object]]]
"""By distance and contest: the scale, and the figures of each run by who ran."""


@dataclass(frozen=True, slots=True)
class Held:
    """What is compared: the connector first, as it is compared with the others."""

    commands: Mapping[str, Command]
    is_same_output: bool = True
    """Whether all must deliver the same number of records."""
    given: Path | None = None
    before: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Contest:
    """How much there is to read at a distance, and who reads it."""

    scale: Callable[[float, float], Scale]
    """`scale(latency, seconds)`, both in seconds."""
    held: Callable[[Files, Scale], Held]
    only_without_latency: bool = False


def hold(  # noqa: PLR0913 - the options of the command
    pages: Path,
    folder: Path,
    latencies: Sequence[int],
    names: Sequence[str],
    *,
    seconds: float,
    rounds: int,
) -> Results:
    """Hold the contests with these names at all distances."""
    results: Results = {str(latency): {} for latency in latencies}
    for latency in latencies:
        for name in names:
            contest = CONTESTS[name]
            if latency and contest.only_without_latency:
                continue
            # Without any distance the start of a process is a smaller part of the time.
            scale = contest.scale(latency / 1000, seconds if latency else seconds / 2)
            with Server.start(pages, scale, latency) as server:
                held = contest.held(Files(folder, server.url), scale)
                runs = _runs(f"{name} at {latency} ms", held, server, folder, rounds)
            figures = {who: [asdict(run) for run in each] for who, each in runs.items()}
            results[str(latency)][name] = {"scale": asdict(scale), "runs": figures}
    return results


def _runs(title: str, held: Held, server: Server, folder: Path, rounds: int) -> Runs:
    runs: Runs = {who: [] for who in held.commands}
    for _ in range(rounds):
        for who, command in held.commands.items():
            if runs[who] and runs[who][0].wall > SLOW_SECONDS:
                continue
            held.before()
            run = measure(command, server, folder / "out", given=held.given)
            runs[who].append(run)
            sys.stdout.write(
                f"{title:28} {who:28} {run.wall:7.2f} s wall {run.cpu:7.2f} s CPU "
                f"{run.peak_mib:5.0f} MiB, {run.requests:6} requests, {run.records:8} records, "
                f"load {run.load:.1f}\n"
            )
            sys.stdout.flush()
    counted = {run.records for each in runs.values() for run in each}
    if held.is_same_output and len(counted) > 1:
        message = f"{title}: not all gave the same number of records: {sorted(counted)}"
        raise RuntimeError(message)
    return runs


def _scale(
    *,
    candidates: int = 0,
    people: int = 0,
    histories: int = 0,
    posts: int = 0,
) -> Scale:
    return Scale(max(candidates // 250, 1) * 250, max(people, 25), max(histories, 10), posts)


def _ours(files: Files, ids: int, in_flight: int | None, *arguments: str, **more: object) -> str:
    """Write the connector's configuration, all vendors' requests in flight alike; None: defaults.

    `more` is for the section of Talemetry.
    """
    config = contests.source_config(files.url, contests.integration_ids(ids))
    config["comeet"] = {"api_key": "bench", "secret": "b" * 32, "base_url": f"{files.url}/comeet"}
    config["talemetry"] |= more
    if in_flight is not None:
        for section in ("kombo", "talemetry", "atz_crm"):
            config[section]["concurrent_requests"] = in_flight
    for section in arguments:
        del config[section]
    name = "-".join(["ours", str(ids), str(in_flight), *arguments, *more])
    return files.write(f"{name}.json", config)


def _read(files: Files, streams: Sequence[str], config: str) -> Command:
    """Return the command that reads these streams; histories without the pace of the limit."""
    catalog = files.write(f"{'-'.join(streams)[:80]}.json", contests.catalog_of(*streams))
    program = contests.UNPACED if "candidate_history" in streams else [contests.PROGRAM]
    return [*program, "read", "--config", config, "--catalog", catalog]


def _stream(stream: str, integrations: int, *more_in_flight: int) -> Callable[[Files, Scale], Held]:
    """Return how all read a stream, the connector also with other numbers of requests in flight."""

    def held(files: Files, _: Scale) -> Held:
        others = contests.reads(files, stream, integrations=integrations, in_flight=IN_FLIGHT)
        ours = {
            in_flight_of_ours(number): _read(files, [stream], _ours(files, integrations, number))
            for number in (IN_FLIGHT, *more_in_flight)
        }
        return Held({**ours, **{who: others[who] for who in (FLOOR, DLT, MANIFEST, SINGER)}})

    return held


def in_flight_of_ours(number: int) -> str:
    """Return the name of the connector with this many requests in flight."""
    return f"{OURS}, {number} in flight"


def _large_pages(files: Files, _: Scale) -> Held:
    def ours(number: int) -> Command:
        return _read(files, ["profiles"], _ours(files, 1, number, page_size=LARGE_PAGE))

    return Held({in_flight_of_ours(number): ours(number) for number in (IN_FLIGHT, 1)})


def _all_of_kombo(files: Files, _: Scale) -> Held:
    def ours(number: int) -> Command:
        return _read(files, KOMBO, _ours(files, INTEGRATIONS_OF_ALL, number))

    return Held({in_flight_of_ours(number): ours(number) for number in (4, 1)})


def _writing(files: Files, scale: Scale) -> Held:
    people, commands, make_ledger = contests.posts(files, scale)
    return Held(
        {WRITER: commands[WRITER], FLOOR: commands[FLOOR]},
        given=people,
        before=lambda: contests.new_ledger(files, make_ledger),
    )


def _whole(files: Files, _: Scale) -> Held:
    config = _ours(files, INTEGRATIONS_OF_ALL, None)
    alone = {
        f"{stream} alone": _read(files, [stream], config)
        for stream in ("candidates", "profiles", "candidate_history", "comeet_candidates")
    }
    everything = _read(files, (*KOMBO, *REST, *COMEET), config)
    return Held({"everything": everything, **alone}, is_same_output=False)


def _check(files: Files, _: Scale) -> Held:
    def check(*vendors: str) -> Command:
        left_out = [each for each in VENDORS if each not in vendors]
        config = _ours(files, INTEGRATIONS_OF_ALL, None, *left_out)
        return [contests.PROGRAM, "check", "--config", config]

    return Held({"all four": check(*VENDORS), **{f"{each} alone": check(each) for each in VENDORS}})


def _bytes(files: Files, _: Scale) -> Held:
    bytes_only = [str(contests.THERE / "python"), "-m", f"{contests.OPPONENTS}.bytes_only"]
    ours = contests.reads(files, "candidates")[OURS]
    return Held({OURS: ours, "bytes only": [*bytes_only, files.url]}, is_same_output=False)


# How long the slowest takes for a request of each kind beside the distance, in seconds.
_PAGE, _BATCH, _HISTORY, _POST = 0.036, 0.010, 0.0015, 0.0015

CONTESTS: Mapping[str, Contest] = {
    "candidates": Contest(
        lambda latency, seconds: _scale(
            candidates=int(seconds * 0.75 / (latency + _PAGE) / INTEGRATIONS) * 250
        ),
        _stream("candidates", INTEGRATIONS, 4),
    ),
    "kombo": Contest(
        # Each of the other twelve has a fifth of the rows.
        lambda latency, seconds: _scale(
            candidates=int(seconds / (latency + _PAGE / 10) / INTEGRATIONS_OF_ALL / 3.4) * 250
        ),
        _all_of_kombo,
    ),
    "profiles": Contest(
        lambda latency, seconds: _scale(people=int(seconds / 2 / (latency + _BATCH)) * 25),
        _stream("profiles", 1, 1),
    ),
    "large_pages": Contest(
        lambda latency, seconds: _scale(people=int(seconds * 1.3 / (latency + _BATCH / 2)) * 25),
        _large_pages,
    ),
    "candidate_history": Contest(
        lambda latency, seconds: _scale(histories=int(seconds * 1.5 / (latency + _HISTORY))),
        _stream("candidate_history", 1, 4),
    ),
    "writing": Contest(
        lambda latency, seconds: _scale(posts=int(seconds / (latency + _POST))),
        _writing,
    ),
    "whole": Contest(
        lambda latency, seconds: _scale(
            candidates=int(seconds / 10 / (latency + _PAGE / 10)) * 250,
            people=int(seconds / 10 / (latency + _BATCH)) * 25,
            histories=int(seconds / 4 / (latency + _HISTORY)),
        ),
        _whole,
    ),
    "check": Contest(lambda latency, seconds: _scale(), _check),
    "bytes": Contest(
        lambda latency, seconds: _scale(candidates=int(LARGE * min(seconds / 10, 1))),
        _bytes,
        only_without_latency=True,
    ),
}
