"""The arguments of `scripts/report`, and the page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import jinja2
from markupsafe import Markup

from tools.report import costs, sections
from tools.report.charts import Chart, drawn
from tools.report.problem import Problem
from tools.report.warehouse import Warehouse, opened

PAGE = Path(__file__).parent / "page.html"


def main(argv: Sequence[str]) -> int:
    """Write the page, and say where it is."""
    parser = argparse.ArgumentParser(
        prog="scripts/report",
        description="Write an HTML page with charts from the marts of the dbt package.",
    )
    parser.add_argument(
        "database",
        nargs="?",
        default="demo.duckdb",
        help="a DuckDB file or a postgresql:// URL (demo.duckdb)",
    )
    parser.add_argument(
        "--schema", default="analytics", help="where dbt has built the marts (analytics)"
    )
    parser.add_argument(
        "--into", type=Path, default=Path("report.html"), help="the page (report.html)"
    )
    parser.add_argument(
        "--messages",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="what source-ats read or destination-comeet write printed, one file for each sync: "
        "adds what each sync took",
    )
    arguments = parser.parse_args(argv)
    try:
        syncs = [costs.of_sync(path) for path in arguments.messages]
        with opened(arguments.database, arguments.schema) as warehouse:
            page = rendered(warehouse, syncs)
        try:
            arguments.into.write_text(page, "utf-8")
        except OSError as error:
            raise Problem(f"{arguments.into} cannot be written: {error.strerror}.") from None
    except Problem as problem:
        print(f"scripts/report: {problem}", file=sys.stderr)
        return 1
    print(f"The report is {arguments.into}")
    return 0


def rendered(warehouse: Warehouse, syncs: Sequence[costs.Sync]) -> str:
    """Return the page."""
    warehouse.require(sections.MARTS)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE.parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    now = datetime.now().astimezone()
    return environment.get_template(PAGE.name).render(
        warehouse=warehouse,
        day=f"{now.day} {now:%B %Y}",
        overview=sections.overview(warehouse),
        sections=[*sections.of_marts(warehouse), sections.of_syncs(syncs)],
        drawn=_markup,
    )


def _markup(chart: Chart, titles: str) -> list[Markup]:
    return [Markup(each) for each in drawn(chart, titles)]  # noqa: S704 - Vega escapes the texts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
