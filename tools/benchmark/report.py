"""The results as tables, in `docs/performance.md`, and as a plot beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from tools.benchmark import contests
from tools.benchmark.measuring import PROJECT

DOCUMENT = PROJECT / "docs" / "performance.md"
PLOT = PROJECT / "docs" / "performance.png"
BEGIN, END = "<!-- measured -->\n", "<!-- end of what was measured -->\n"
BEGIN_DISTANCE = "<!-- measured at a distance -->\n"
END_DISTANCE = "<!-- end of what was measured at a distance -->\n"

Runs = Mapping[str, Sequence[Mapping[str, float]]]
"""By who ran, the figures of each round."""


def write(results: Path, *, whole: bool) -> None:
    """Print the tables; those of a whole benchmark go into the document, with a plot."""
    text = "\n".join(_lines(json.loads(results.read_text()))) + "\n"
    sys.stdout.write(f"\n{text}")
    if not whole:
        return
    _replace(text, BEGIN, END)
    program = Path(__file__).with_name("plot.py")
    subprocess.run([contests.THERE / "python", program, results, PLOT], check=True)


def write_distance(table: str) -> None:
    """Print the table, and put it into the document."""
    sys.stdout.write(f"\n{table}\n")
    _replace(f"{datetime.now(UTC):%Y-%m-%d}.\n\n{table}\n", BEGIN_DISTANCE, END_DISTANCE)


def _replace(text: str, begin: str, end: str) -> None:
    before, _, rest = DOCUMENT.read_text("utf-8").partition(begin)
    _, _, after = rest.partition(end)
    DOCUMENT.write_text(f"{before}{begin}\n{text}\n{end}{after}", "utf-8")


def _lines(whole: Mapping[str, Any]) -> Iterator[str]:
    about, scale, results = whole["about"], whole["scale"], whole["results"]
    began, ended = (datetime.fromisoformat(about[each]) for each in ("began", "ended"))
    runs = [run for contest in results.values() for each in contest.values() for run in each]
    loads, memory = [run["load"] for run in runs], [run["memory_ns"] for run in runs]
    yield (
        f"{began:%Y-%m-%d}, {(ended - began).total_seconds() / 60:.0f} minutes, "
        f"Python {about['python']}, {about['system']}, {about['cores']} cores; load average before "
        f"the runs {min(loads):.1f} to {max(loads):.1f} (the runs themselves make most of it); "
        f"random reads of memory took {min(memory):.0f} to {max(memory):.0f} ns, "
        f"in the median {median(memory):.0f}."
    )
    titles = {
        "candidates": f"`candidates`: {scale['candidates']:,} records, 250 in a page",
        "candidate_history": f"`candidate_history`: {scale['histories']:,} candidates, a call each",
        "profiles": f"`profiles`: {scale['people']:,} people, 25 in a call",
        "writing": f"`destination-comeet`: {scale['posts']:,} new candidates, a post each",
        "memory": "Peak memory of `source-ats` by the number of candidates",
        "spec": "`source-ats spec`",
    }
    yield from ("", "| measure | to reach | seen |", "| --- | --- | --- |")
    yield from _reached(results)
    for name, runs in results.items():
        yield from ("", f"### {titles[name]}", "")
        yield from _table(runs)


def _reached(results: Mapping[str, Runs]) -> Iterator[str]:
    """Yield what was to be reached beside what was seen, as far as it was measured."""
    wall, times_as_fast = "`{}`, wall time over that of the {}", "`{}`, times as fast as the {}"
    aims = [
        (wall, "candidates", contests.FLOOR, "≤ 0.8", False),
        (times_as_fast, "candidates", contests.MANIFEST, "≥ 15", True),
        (times_as_fast, "candidates", contests.DLT, "≥ 6", True),
        (times_as_fast, "candidates", contests.SINGER, "≥ 10", True),
        (times_as_fast, "candidate_history", contests.FLOOR, "≥ 0.8", True),
        (wall, "profiles", contests.FLOOR, "≤ 1.5", False),
        (times_as_fast, "writing", contests.FLOOR, "≥ 0.6", True),
    ]
    for measure, contest, other, aim, they_over_us in aims:
        if contest in results:
            ratio = _ratio(results[contest], other, "wall")
            seen = ratio if they_over_us else 1 / ratio
            yield f"| {measure.format(contest, other)} | {aim} | {seen:.2f} |"
    if "memory" in results:
        small = list(results["memory"])[-1]
        seen = 1 / _ratio(results["memory"], small, "peak_mib")
        yield f"| peak memory over that of {small} candidates | ≤ 1.1 | {seen:.2f} |"
    if "spec" in results:
        (runs,) = results["spec"].values()
        yield f"| `spec`, seconds | ≤ 0.4 | {median(run['wall'] for run in runs):.2f} |"


def _ratio(runs: Runs, who: str, figure: str) -> float:
    """Return the median of somebody's figure over that of the first one, round by round.

    So a machine whose speed drifts does not show in it.
    """
    first = next(iter(runs))
    pairs = zip(runs[who], runs[first], strict=False)
    return median(theirs[figure] / ours[figure] for theirs, ours in pairs)


def _table(runs: Runs) -> Iterator[str]:
    yield (
        "| who | runs | wall, s | times the first | CPU, s | times the first | peak MiB "
        "| requests a second | server busy |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    )
    walls = {who: median(run["wall"] for run in each) for who, each in runs.items()}
    cpus = {who: median(run["cpu"] for run in each) for who, each in runs.items()}
    for who, each in runs.items():
        yield (
            f"| {who} | {len(each)} "
            f"| {walls[who]:.2f} | {_ratio(runs, who, 'wall'):.2f} "
            f"| {cpus[who]:.2f} | {_ratio(runs, who, 'cpu'):.2f} "
            f"| {median(run['peak_mib'] for run in each):.0f} "
            f"| {median(run['requests'] / run['wall'] for run in each):.0f} "
            f"| {median(run['server_cpu'] / run['wall'] for run in each):.0%} |"
        )
