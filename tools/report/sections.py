"""What the page shows: the queries, the sentences, the tables, and what is drawn.

A query returns counts, days and the names of stages, jobs and sources, never a person. All of them
run in DuckDB and in PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from tools.report.charts import Bar, Bars, Chart, Columns, Range, Ranges, Series
from tools.report.costs import Sync
from tools.report.warehouse import Row, Warehouse

MARTS = (
    *("dim_candidate", "fct_application", "fct_stage_change", "funnel", "source_effectiveness"),
    "time_to_hire",
)
NONE = "-"
SYSTEMS = {"kombo": "Kombo", "talemetry": "Talemetry", "atz_crm": "ATZ CRM", "comeet": "Comeet"}
STAGES, SOURCES, JOBS, MOVED_STAGES, SYNCS = 10, 6, 8, 8, 8
"""How many of each a chart shows. The tables show more, or name the rest."""
WEEKS = 26

OVERVIEW = """
SELECT system, candidates, applications, open_applications, rejected, withdrawn, hired
FROM (SELECT system, count(*) AS candidates FROM {schema}.dim_candidate GROUP BY system) AS people
FULL JOIN (
    SELECT
        system,
        cast(sum(applications) AS bigint) AS applications,
        cast(sum(open_applications) AS bigint) AS open_applications,
        cast(sum(rejected) AS bigint) AS rejected,
        cast(sum(withdrawn) AS bigint) AS withdrawn,
        cast(sum(hired) AS bigint) AS hired
    FROM {schema}.source_effectiveness GROUP BY system
) AS outcomes USING (system)
ORDER BY system
"""
FUNNEL = """
SELECT
    system,
    stage,
    cast(sum(reached) AS bigint) AS reached,
    cast(sum(applications) AS bigint) AS applications
FROM {schema}.funnel
GROUP BY system, stage
ORDER BY system, min(stage_index) NULLS LAST, sum(reached) DESC, stage
"""
DAYS = """
SELECT
    {groups},
    count(*) AS hires,
    percentile_cont(0.25) WITHIN GROUP (ORDER BY closed_on - applied_on) AS first_quarter,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY closed_on - applied_on) AS median,
    percentile_cont(0.75) WITHIN GROUP (ORDER BY closed_on - applied_on) AS third_quarter
FROM {schema}.fct_application
WHERE outcome = 'hired' AND applied_on IS NOT NULL AND closed_on IS NOT NULL
GROUP BY {groups}
"""
DAYS_BY_SYSTEM = f"{DAYS.replace('{groups}', 'system')} ORDER BY system"
DAYS_BY_JOB = f"{DAYS.replace('{groups}', 'job_name')} ORDER BY hires DESC, job_name"
HIRES = """
SELECT hired_month AS month, cast(sum(hires) AS bigint) AS hires
FROM {schema}.time_to_hire GROUP BY hired_month ORDER BY hired_month
"""
SOURCES_OF_CANDIDATES = """
SELECT system, source, applications, candidates, hired, median_days_to_hire
FROM {schema}.source_effectiveness
ORDER BY system, applications DESC, source NULLS LAST
"""
MOVES = """
SELECT
    cast(date_trunc('week', entered_on) AS date) AS week,
    stage,
    min(stage_index) AS stage_index,
    count(*) AS moves
FROM {schema}.fct_stage_change
WHERE NOT is_first_seen AND stage IS NOT NULL AND entered_on IS NOT NULL
GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Table:
    """Values in rows."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: Collection[str] = ()
    """Columns that hold no numbers; the first one never does."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with its title, what one sees in it, and its values."""

    title: str
    sentence: str
    chart: Chart
    table: Table


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page."""

    name: str
    title: str
    figures: Sequence[Figure] = ()
    empty: str = ""
    """What is said where there is nothing to draw."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The numbers at the top."""

    tiles: Sequence[tuple[str, str]] = field(default_factory=list)
    table: Table | None = None


def of_system(name: str) -> str:
    """Return what a person calls a system."""
    return SYSTEMS.get(name, name)


def number(value: Any) -> str:
    """Return a number as a person reads it: at most one decimal."""
    if value is None:
        return NONE
    return f"{round(float(value), 1):,.1f}".removesuffix(".0")


def percent(part: int, whole: int) -> str:
    """Return a share."""
    return f"{number(100 * part / whole)} %" if whole else NONE


def days_of(day: date) -> str:
    """Return a day as a person reads it."""
    return f"{day.day} {day:%b %Y}"


def overview(warehouse: Warehouse) -> Overview:
    """Return the numbers of all systems."""
    rows = warehouse.rows(OVERVIEW)
    if not rows:
        return Overview()
    columns = ("candidates", "applications", "open_applications", "rejected", "withdrawn", "hired")
    totals = {column: sum(row[column] or 0 for row in rows) for column in columns}
    table = Table(
        "By system",
        ("system", "candidates", "applications", "open", "rejected", "withdrawn", "hired"),
        [
            [of_system(row["system"]), *(number(row[column] or 0) for column in columns)]
            for row in rows
        ],
    )
    shown = ("candidates", "applications", "open_applications", "hired")
    labels = ("candidates", "applications", "still open", "hired")
    tiles = [(label, number(totals[column])) for label, column in zip(labels, shown, strict=True)]
    return Overview(tiles, table)


def of_marts(warehouse: Warehouse) -> Iterator[Section]:
    """Yield the sections about people at work."""
    yield _funnel(warehouse.rows(FUNNEL))
    yield _time_to_hire(
        warehouse.rows(DAYS_BY_SYSTEM), warehouse.rows(DAYS_BY_JOB), warehouse.rows(HIRES)
    )
    yield _sources(warehouse.rows(SOURCES_OF_CANDIDATES))
    yield _movement(warehouse.rows(MOVES))


def _by_system(rows: Sequence[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(of_system(row["system"]), []).append(row)
    return groups


def _funnel(rows: Sequence[Row]) -> Section:
    section = ("funnel", "Funnel")
    if not rows:
        return Section(*section, empty="No application with a date has come to a stage yet.")
    groups = {
        system: [
            Bar(
                row["stage"],
                value=1.0,
                part=row["reached"] / row["applications"],
                text=f"{row['reached']:,} of {row['applications']:,} "
                f"({percent(row['reached'], row['applications'])})",
            )
            for row in stages[:STAGES]
        ]
        for system, stages in _by_system(rows).items()
    }
    table = Table(
        "Applications that came to each stage",
        ("system", "stage", "came to it", "applications", "share"),
        [
            [
                of_system(row["system"]),
                row["stage"],
                number(row["reached"]),
                number(row["applications"]),
                percent(row["reached"], row["applications"]),
            ]
            for row in rows
        ],
        texts={"stage"},
    )
    sentence = (
        "Of the applications to jobs that have the stage: how many came to it. A hire counts in "
        "all stages that have a position in the order of their job; stages without a position are "
        "sorted by number."
    )
    if any(len(stages) > STAGES for stages in _by_system(rows).values()):
        sentence += f" The chart shows {STAGES} stages of a system, the table all of them."
    return Section(*section, [Figure("How far applications come", sentence, Bars(groups), table)])


def _time_to_hire(systems: Sequence[Row], jobs: Sequence[Row], months: Sequence[Row]) -> Section:
    section = ("time-to-hire", "Time to hire")
    if not systems:
        return Section(*section, empty="No hire with both of its days is known yet.")

    def drawn(label: str, row: Row) -> Range:
        days = "day" if row["median"] == 1 else "days"
        return Range(
            label,
            low=float(row["first_quarter"]),
            middle=float(row["median"]),
            high=float(row["third_quarter"]),
            text=f"{number(row['median'])} {days} ({row['hires']:,})",
        )

    def cells(label: str, row: Row) -> list[str]:
        columns = ("hires", "first_quarter", "median", "third_quarter")
        return [label, *(number(row[column]) for column in columns)]

    named = [(row["job_name"] or "(no job)", row) for row in jobs]
    groups = {
        "By system": [drawn(of_system(row["system"]), row) for row in systems],
        "By job": [drawn(name, row) for name, row in named[:JOBS]],
    }
    table = Table(
        "Days from the application to the hire",
        ("system or job", "hires", "a quarter within", "half within", "three quarters within"),
        [
            *(cells(of_system(row["system"]), row) for row in systems),
            *(cells(name, row) for name, row in named),
        ],
    )
    sentence = (
        "Days from the application to the hire. The mark is the median, the bar the middle half of "
        "the hires; their number is in parentheses."
    )
    if len(named) > JOBS:
        sentence += f" The chart shows the {JOBS} jobs with most hires, the table all of them."
    figures = [Figure("How long a hire takes", sentence, Ranges(groups), table)]
    if months:
        figures.append(_hires(months))
    return Section(*section, figures)


def _hires(rows: Sequence[Row]) -> Figure:
    counts = {row["month"]: row["hires"] for row in rows}
    last = max(counts)
    months = [_month_before(last, back) for back in reversed(range(24))]
    values = [counts.get(month, 0) for month in months]
    texts = [f"{month:%b %Y}" for month in months]
    return Figure(
        "Hires by month",
        f"The hires of the {len(months)} months until {last:%B %Y}.",
        Columns(texts, [_series("Hires", values)]),
        Table(
            "Hires by month",
            ("month", "hires"),
            [[text, number(value)] for text, value in zip(texts, values, strict=True)],
        ),
    )


def _series(label: str, values: Sequence[int]) -> Series:
    return Series(label, f"{sum(values):,} in all, {max(values):,} at most", values)


def _month_before(month: date, back: int) -> date:
    number_of_it = 12 * month.year + month.month - 1 - back
    return date(number_of_it // 12, number_of_it % 12 + 1, 1)


def _sources(rows: Sequence[Row]) -> Section:
    section = ("sources", "Where candidates come from")
    if not rows:
        return Section(*section, empty="There are no applications yet.")
    groups = {
        system: [
            Bar(
                row["source"] or "(not stated)",
                value=row["applications"],
                part=row["hired"],
                text=f"{row['applications']:,}, {row['hired']:,} hired "
                f"({percent(row['hired'], row['applications'])})",
            )
            for row in sources[:SOURCES]
        ]
        for system, sources in _by_system(rows).items()
    }
    table = Table(
        "What became of the applications from each source",
        ("system", "source", "applications", "candidates", "hired", "hire rate", "median days"),
        [
            [
                of_system(row["system"]),
                row["source"] or "(not stated)",
                number(row["applications"]),
                number(row["candidates"]),
                number(row["hired"]),
                percent(row["hired"], row["applications"]),
                number(row["median_days_to_hire"]),
            ]
            for row in rows
        ],
        texts={"source"},
    )
    sentence = "Applications from each source; the part in full colour led to a hire."
    if any(len(sources) > SOURCES for sources in _by_system(rows).values()):
        sentence += f" The chart shows {SOURCES} sources of a system, the table all of them."
    return Section(
        *section, [Figure("Applications and hires by source", sentence, Bars(groups), table)]
    )


def _movement(rows: Sequence[Row]) -> Section:
    section = ("movement", "Stage movement by week")
    if not rows:
        return Section(
            *section,
            empty="No move between two stages was seen yet. ATZ CRM keeps a history; Kombo's moves "
            "are noted at each `dbt build`, from the second one on.",
        )
    last = max(row["week"] for row in rows)
    weeks = [last - timedelta(weeks=back) for back in reversed(range(WEEKS))]
    recent = [row for row in rows if row["week"] >= weeks[0]]
    counts = {(row["stage"], row["week"]): row["moves"] for row in recent}
    totals: dict[str, int] = {}
    places: dict[str, int] = {}
    for row in recent:
        totals[row["stage"]] = totals.get(row["stage"], 0) + row["moves"]
        if row["stage_index"] is not None:
            place = places.get(row["stage"], row["stage_index"])
            places[row["stage"]] = min(place, row["stage_index"])
    busiest = sorted(totals, key=lambda stage: (-totals[stage], stage))[:MOVED_STAGES]
    in_order = sorted(
        busiest, key=lambda stage: (stage not in places, places.get(stage, 0), -totals[stage])
    )
    series = [
        _series(stage, [counts.get((stage, week), 0) for week in weeks]) for stage in in_order
    ]
    table = Table(
        "Moves into each stage by week",
        ("week from", *in_order),
        [
            [days_of(week), *(number(counts.get((stage, week), 0)) for stage in in_order)]
            for week in weeks
        ],
    )
    sentence = (
        f"How many applications came into each stage in the {WEEKS} weeks until "
        f"{days_of(last + timedelta(days=6))}, as far as the day is known."
    )
    if len(totals) > len(busiest):
        sentence += f" These are the {MOVED_STAGES} busiest of {len(totals)} stages."
    chart = Columns([days_of(week) for week in weeks], series)
    return Section(*section, [Figure("Moves into each stage", sentence, chart, table)])


def of_syncs(syncs: Sequence[Sync]) -> Section:
    """Return the section about what syncs took."""
    section = ("syncs", "What each sync took")
    if not syncs:
        return Section(
            *section,
            empty="Save what `source-ats read` or `destination-comeet write` prints, one file for "
            "each sync, and name the files: `scripts/report --messages FILE …` shows here how many "
            "requests each took.",
        )
    totals = [(sync.name, _added(sync)) for sync in syncs]
    groups = {
        name: [
            Bar(
                each["system"],
                value=each["requests"],
                part=each["requests"],
                text=f"{each['requests']:,} in {number(each['seconds'])} s",
            )
            for each in added
        ]
        for name, added in totals[-SYNCS:]
    }
    table = Table(
        "Requests of each sync",
        ("sync", "system", "requests", "seconds", "of that waiting", "sent again", "because"),
        [
            [
                name,
                each["system"],
                number(each["requests"]),
                number(each["seconds"]),
                number(each["waited"]),
                number(sum(each["repeated"].values())),
                ", ".join(f"{reason} ({times})" for reason, times in each["repeated"].items())
                or NONE,
            ]
            for name, added in totals
            for each in added
        ],
        texts={"system", "because"},
    )
    every = [each for _, added in totals for each in added]
    requests = sum(each["requests"] for each in every)
    again = sum(sum(each["repeated"].values()) for each in every)
    sentence = (
        f"{requests:,} requests in all, of which {again:,} had to be sent again. Waiting, for the "
        "rate limit or before another attempt, is in the table."
    )
    if len(totals) > SYNCS:
        sentence += f" The chart shows the last {SYNCS} syncs, the table all of them."
    return Section(*section, [Figure("Requests of each sync", sentence, Bars(groups), table)])


def _added(sync: Sync) -> list[Row]:
    """Return one row for each system: the attempts of a sync are added up."""
    rows: dict[str, Row] = {}
    for summary in sync.summaries:
        row = rows.setdefault(
            summary.system,
            {
                "system": summary.system,
                "requests": 0,
                "seconds": 0.0,
                "waited": 0.0,
                "repeated": {},
            },
        )
        row["requests"] += summary.requests
        row["seconds"] += summary.seconds
        row["waited"] += summary.waited
        for reason, times in summary.repeated.items():
            row["repeated"][reason] = row["repeated"].get(reason, 0) + times
    return sorted(rows.values(), key=lambda row: (-row["requests"], row["system"]))
