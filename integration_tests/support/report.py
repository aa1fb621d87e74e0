"""The page of `scripts/report`: written, and compared with the marts."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from integration_tests.sandbox.running import PROJECT

Rows = list[tuple[Any, ...]]
Ask = Callable[[str], Rows]
SYSTEMS = {"kombo": "Kombo", "talemetry": "Talemetry", "atz_crm": "ATZ CRM", "comeet": "Comeet"}


def write(programs: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run what scripts/report runs, in dbt's environment."""
    return subprocess.run(
        [programs / "python", "-m", "tools.report", *map(str, arguments)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )


def shown(page: Page) -> dict[str, list[list[str]]]:
    """Return the rows of each table that a person sees now, by its caption."""
    found: dict[str, list[list[str]]] = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("table")]
            .filter(table => table.checkVisibility({contentVisibilityAuto: true}) &&
                             table.getBoundingClientRect().height > 0)
            .map(table => [table.caption.innerText, [...table.tBodies[0].rows].map(
                row => [...row.cells].map(cell => cell.innerText))]))"""
    )
    return found


def drawn(page: Page) -> dict[str, list[str]]:
    """Return the texts of each drawing that a person sees now, by the title of its figure."""
    found: dict[str, list[str]] = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("figure")].map(figure =>
            [figure.querySelector("h3").innerText, [...figure.querySelectorAll("svg text")]
                .filter(text => text.checkVisibility() && text.getBoundingClientRect().width > 0)
                .map(text => text.textContent)]))"""
    )
    return found


def misplaced(page: Page) -> list[str]:
    """Return what a person cannot read now: cut off, covered by another text, or too small."""
    found: list[str] = page.evaluate(
        """() => {
            const bad = [];
            const root = document.documentElement;
            if (root.scrollWidth > root.clientWidth)
                bad.push(`the page is ${root.scrollWidth} wide`);
            const edge = root.clientWidth + 0.5;
            for (const each of document.querySelectorAll("body *")) {
                if (each.closest("svg") || each.closest(".scroll table") || !each.checkVisibility())
                    continue;
                const box = each.getBoundingClientRect();
                if (box.left < -0.5 || box.right > edge) bad.push(`outside: ${each.outerHTML}`);
            }
            for (const figure of document.querySelectorAll("figure")) {
                const drawings = [...figure.querySelectorAll("svg")]
                    .filter(svg => svg.getBoundingClientRect().width > 0);
                if (drawings.length != 1) bad.push(`${drawings.length} drawings: ${figure.id}`);
                const frame = drawings[0].getBoundingClientRect();
                const scale = frame.width / drawings[0].viewBox.baseVal.width;
                const texts = [...drawings[0].querySelectorAll("text")]
                    .map(text => [text, text.getBoundingClientRect()]);
                for (const [text, box] of texts) {
                    // A letter such as J may reach a little to the left of its place.
                    if (box.left < frame.left - 2 || box.right > frame.right + 0.5 ||
                        box.top < frame.top - 0.5 || box.bottom > frame.bottom + 0.5)
                        bad.push(`cut off: ${text.textContent}`);
                    if (scale * parseFloat(text.getAttribute("font-size")) < 11)
                        bad.push(`too small: ${text.textContent}`);
                }
                texts.forEach(([text, a], place) => texts.slice(0, place).forEach(([other, b]) => {
                    // Boxes are as high as the line, letters are not.
                    if (a.left < b.right && b.left < a.right &&
                        a.top + 2 < b.bottom && b.top + 2 < a.bottom)
                        bad.push(`${text.textContent} covers ${other.textContent}`);
                }));
            }
            return bad;
        }"""
    )
    return found


def text(value: Any) -> str:
    """Return a value as the page has it."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{round(float(value), 1):,}".removesuffix(".0")


def rows(found: Rows) -> list[list[str]]:
    """Return what a query found, as the page has it."""
    return [[text(value) for value in row] for row in found]


def of_marts(ask: Ask) -> dict[str, list[list[str]]]:
    """Return the tables that the page has to show of the marts in the schema `analytics`."""
    return {
        "By system": rows(
            ask(f"""
                SELECT {_system("a.system")}, max(p.n), count(*),
                    count(*) FILTER (WHERE outcome = 'open'),
                    count(*) FILTER (WHERE outcome = 'rejected'),
                    count(*) FILTER (WHERE outcome = 'withdrawn'),
                    count(*) FILTER (WHERE outcome = 'hired')
                FROM analytics.fct_application AS a JOIN
                    (SELECT system, count(*) AS n FROM analytics.dim_candidate GROUP BY 1) AS p
                    ON p.system = a.system
                GROUP BY a.system ORDER BY a.system""")
        ),
        "Applications that came to each stage": rows(
            ask(f"""
                SELECT {_system("system")}, stage, sum(reached), sum(applications),
                    {_percent("sum(reached)", "sum(applications)")}
                FROM analytics.funnel GROUP BY system, stage
                ORDER BY system, min(stage_index) NULLS LAST, sum(reached) DESC, stage""")
        ),
        "Days from the application to the hire": rows(
            [
                *ask(f"SELECT {_system('system')}, {_DAYS} GROUP BY system ORDER BY system"),
                *ask(
                    f"SELECT coalesce(job_name, '(no job)'), {_DAYS} GROUP BY job_name "
                    "ORDER BY count(*) DESC, job_name"
                ),
            ]
        ),
        "Hires by month": rows(
            ask("""
                WITH months AS (
                    SELECT unnest(generate_series(
                        max(hired_month) - INTERVAL 23 MONTH, max(hired_month), INTERVAL 1 MONTH
                    )) AS month FROM analytics.time_to_hire)
                SELECT strftime(months.month, '%b %Y'), coalesce(sum(hires), 0)
                FROM months LEFT JOIN analytics.time_to_hire ON hired_month = months.month
                GROUP BY months.month ORDER BY months.month""")
        ),
        "What became of the applications from each source": rows(
            ask(f"""
                SELECT {_system("system")}, coalesce(source, '(not stated)'), count(*),
                    count(DISTINCT candidate_key), count(*) FILTER (WHERE outcome = 'hired'),
                    {_percent("count(*) FILTER (WHERE outcome = 'hired')", "count(*)")},
                    median(closed_on - applied_on) FILTER (WHERE outcome = 'hired')
                FROM analytics.fct_application GROUP BY system, source
                ORDER BY system, count(*) DESC, source NULLS LAST""")
        ),
    }


def moves(ask: Ask) -> dict[str, list[int]]:
    """Return how many applications came into each stage in each of the last 26 weeks."""
    found = ask("""
        WITH moves AS (
            SELECT date_trunc('week', entered_on) AS week, stage FROM analytics.fct_stage_change
            WHERE NOT is_first_seen AND stage IS NOT NULL),
        weeks AS (
            SELECT unnest(generate_series(
                max(week) - INTERVAL 25 WEEK, max(week), INTERVAL 7 DAY)) AS week FROM moves)
        SELECT stages.stage, list(
            (SELECT count(*) FROM moves
                WHERE moves.week = weeks.week AND moves.stage = stages.stage)
            ORDER BY weeks.week)
        FROM weeks, (SELECT DISTINCT stage FROM moves) AS stages GROUP BY stages.stage""")
    return {stage: counts for stage, counts in found if any(counts)}


_DAYS = """
    count(*), quantile_cont(closed_on - applied_on, 0.25),
    quantile_cont(closed_on - applied_on, 0.5), quantile_cont(closed_on - applied_on, 0.75)
    FROM analytics.fct_application
    WHERE outcome = 'hired' AND closed_on IS NOT NULL AND applied_on IS NOT NULL"""


def _system(column: str) -> str:
    cases = " ".join(f"WHEN '{key}' THEN '{name}'" for key, name in SYSTEMS.items())
    return f"CASE {column} {cases} ELSE {column} END"


def _percent(part: str, whole: str) -> str:
    return f"replace(format('{{:.1f}} %', 100.0 * ({part}) / ({whole})), '.0 %', ' %')"
