"""The results as tables, in `docs/performance.md`, and as a plot beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from tools.benchmark import contests
from tools.benchmark.measuring import PROJECT

DOCUMENT = PROJECT / "docs" / "performance.md"
BEGIN, END = "<!-- measured -->\n", "<!-- end of what was measured -->\n"
BEGIN_DISTANCE = "<!-- measured at a distance -->\n"
END_DISTANCE = "<!-- end of what was measured at a distance -->\n"

Runs = Mapping[str, Sequence[Mapping[str, float]]]
"""By who ran, the figures of each round."""
Distance = Mapping[str, Mapping[str, Any]]
"""By contest, its scale and its runs."""


def write(results: Path, *, whole: bool) -> None:
    """Print the tables; those of a whole benchmark go into the document, with a plot."""
    text = "\n".join(_lines(json.loads(results.read_text()))) + "\n"
    sys.stdout.write(f"\n{text}")
    if not whole:
        return
    _replace(text, BEGIN, END)
    _plot(results)


def write_distance(results: Path, *, whole: bool) -> None:
    """Print the tables; those of a whole benchmark go into the document, with plots."""
    text = "\n".join(_distance_lines(json.loads(results.read_text()))) + "\n"
    sys.stdout.write(f"\n{text}")
    if not whole:
        return
    _replace(text, BEGIN_DISTANCE, END_DISTANCE)
    _plot(results)


def _replace(text: str, begin: str, end: str) -> None:
    before, _, rest = DOCUMENT.read_text("utf-8").partition(begin)
    _, _, after = rest.partition(end)
    DOCUMENT.write_text(f"{before}{begin}\n{text}\n{end}{after}", "utf-8")


def _plot(results: Path) -> None:
    program = Path(__file__).with_name("plot.py")
    subprocess.run([contests.THERE / "python", program, results, DOCUMENT.parent], check=True)


def _lines(whole: Mapping[str, Any]) -> Iterator[str]:
    scale, results = whole["scale"], whole["results"]
    yield _machine(whole["about"], results.values())
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


def _machine(about: Mapping[str, Any], contests_held: Iterable[Runs]) -> str:
    began, ended = (datetime.fromisoformat(about[each]) for each in ("began", "ended"))
    runs = [run for contest in contests_held for each in contest.values() for run in each]
    loads, memory = [run["load"] for run in runs], [run["memory_ns"] for run in runs]
    return (
        f"{began:%Y-%m-%d}, {(ended - began).total_seconds() / 60:.0f} minutes, "
        f"Python {about['python']}, {about['system']}, {about['cores']} cores; load average before "
        f"the runs {min(loads):.1f} to {max(loads):.1f} (the runs themselves make most of it); "
        f"random reads of memory took {min(memory):.0f} to {max(memory):.0f} ns, "
        f"in the median {median(memory):.0f}."
    )


def _distance_lines(whole: Mapping[str, Any]) -> Iterator[str]:
    distances: Mapping[str, Distance] = whole["distances"]
    held = [contest for each in distances.values() for contest in each.values()]
    yield _machine(whole["about"], [contest["runs"] for contest in held])
    yield from ("", "| measure | to reach | seen |", "| --- | --- | --- |")
    for measure, aim, at, seen in _AIMS_AT_A_DISTANCE:
        # Left out where it was not measured.
        with suppress(KeyError):
            yield f"| {measure} | {aim} | {seen(distances[str(at)])} |"
    for latency in distances:
        yield from ("", f"![Wall times at {latency} ms](performance_{latency}_ms.png)")
    yield from ("", "Wall seconds, and how many times those of the first line of the contest.", "")
    yield f"| contest | who | {' | '.join(f'{latency} ms' for latency in distances)} |"
    yield f"| --- | --- | {' | '.join('---' for _ in distances)} |"
    for name in dict.fromkeys(name for each in distances.values() for name in each):
        of_contest = [each.get(name) for each in distances.values()]
        who_ran = next(each["runs"] for each in of_contest if each)
        for who in who_ran:
            cells = (_cell(each["runs"], who) if each else "" for each in of_contest)
            title = f"**{_TITLES[name]}**" if who == next(iter(who_ran)) else ""
            yield f"| {title} | {who} | {' | '.join(cells)} |"
        unit, count = _SIZES[name]
        sizes = (count(each["scale"]) if each else "" for each in of_contest)
        yield f"| | *{unit}* | {' | '.join(sizes)} |"


def _cell(runs: Runs, who: str) -> str:
    wall = median(run["wall"] for run in runs[who])
    return f"{wall:.1f} ({_ratio(runs, who, 'wall'):.2f})"


_TITLES = {
    "candidates": "`candidates`, 8 integrations",
    "kombo": "all streams of Kombo, 3 integrations",
    "profiles": "`profiles`",
    "large_pages": "`profiles`, `page_size` 1,000",
    "candidate_history": "`candidate_history`, unpaced",
    "writing": "`destination-comeet`",
    "whole": "all vendors, 20 streams",
    "check": "`check`, 3 integrations",
    "bytes": "`candidates`, 1 integration",
}
_SIZES: Mapping[str, tuple[str, Callable[[Mapping[str, int]], str]]] = {
    "candidates": ("candidates of each", lambda scale: f"{scale['candidates']:,}"),
    "kombo": ("candidates of each", lambda scale: f"{scale['candidates']:,}"),
    "profiles": ("people", lambda scale: f"{scale['people']:,}"),
    "large_pages": ("people", lambda scale: f"{scale['people']:,}"),
    "candidate_history": ("candidates", lambda scale: f"{scale['histories']:,}"),
    "writing": ("new candidates", lambda scale: f"{scale['posts']:,}"),
    "whole": (
        "candidates of each, people, histories",
        lambda scale: f"{scale['candidates']:,}, {scale['people']:,}, {scale['histories']:,}",
    ),
    "check": ("rows", lambda scale: "few"),
    "bytes": ("candidates", lambda scale: f"{scale['candidates']:,}"),
}


def _of(contest: str, who: str, over: str) -> Callable[[Distance], str]:
    """Return how the wall time of one is shown, over that of the other."""

    def seen(distance: Distance) -> str:
        runs = distance[contest]["runs"]
        pairs = zip(runs[who], runs[over], strict=False)
        return f"{median(one['wall'] / other['wall'] for one, other in pairs):.2f}"

    return seen


def _times_as_fast(who: str) -> Callable[[Distance], str]:
    """Return how much faster the connector is in each contest of one stream."""

    def seen(distance: Distance) -> str:
        ours = f"{contests.OURS}, 8 in flight"
        return ", ".join(f"`{each}` {_of(each, who, ours)(distance)}" for each in contests.STREAMS)

    return seen


def _peak_over_one_stream(distance: Distance) -> str:
    everything, *alone = (
        median(run["peak_mib"] for run in runs) for runs in distance["whole"]["runs"].values()
    )
    return f"{everything / max(alone):.2f} ({everything:.0f} MiB)"


def _check_over_one_vendor(distance: Distance) -> str:
    together, *alone = (
        median(run["wall"] for run in runs) for runs in distance["check"]["runs"].values()
    )
    return f"{together - max(alone):.2f} s"


_AIMS_AT_A_DISTANCE: Sequence[tuple[str, str, int, Callable[[Distance], str]]] = [
    (
        "`candidates` of 8 integrations at 100 ms with 4 in flight (default), over the plain loop",
        "≤ 0.3",
        100,
        _of("candidates", f"{contests.OURS}, 4 in flight", contests.FLOOR),
    ),
    (
        "all streams of Kombo, 3 integrations at 100 ms, over one request at a time",
        "≤ 0.3",
        100,
        _of("kombo", f"{contests.OURS}, 4 in flight", f"{contests.OURS}, 1 in flight"),
    ),
    (
        "`profiles` at 100 ms with 8 in flight, times one in flight, `page_size` 1,000",
        "≥ 7",
        100,
        _of("large_pages", f"{contests.OURS}, 1 in flight", f"{contests.OURS}, 8 in flight"),
    ),
    (
        "the same with `page_size` 100 (default)",
        "≥ 7",
        100,
        _of("profiles", f"{contests.OURS}, 1 in flight", f"{contests.OURS}, 8 in flight"),
    ),
    (
        "`candidate_history` at 20 ms with 4 in flight, times the plain loop",
        "≥ 3.6",
        20,
        _of("candidate_history", contests.FLOOR, f"{contests.OURS}, 4 in flight"),
    ),
    (
        "`candidates` at 0 ms, over reading the same bytes and dropping them",
        "≤ 1.5",
        0,
        _of("bytes", contests.OURS, "bytes only"),
    ),
    *(
        (f"times as fast as the {who} at 100 ms, 8 in flight each", aim, 100, _times_as_fast(who))
        for who, aim in ((contests.DLT, "≥ 3"), (contests.MANIFEST, "≥ 3"))
    ),
    (
        f"times as fast as the {contests.SINGER} at 100 ms, which sends one request at a time",
        "≥ 5",
        100,
        _times_as_fast(contests.SINGER),
    ),
    (
        "destination at 20 ms, over one post after the other",
        "≤ 1.05",
        20,
        _of("writing", contests.WRITER, contests.FLOOR),
    ),
    (
        "peak memory of all streams at once at 100 ms, over the largest of one stream alone",
        "≤ 1.5",
        100,
        _peak_over_one_stream,
    ),
    (
        "`check` of all four vendors at 100 ms, more than the longest vendor's own",
        "≤ 0.5 s",
        100,
        _check_over_one_vendor,
    ),
]


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
