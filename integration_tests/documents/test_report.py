"""`scripts/report`: what a person sees in Chromium, on paper and with a keyboard, and its messages.

The marts are made by hand, with names and numbers that are hard to place; `test_demo.py` has the
report of what the dbt package builds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser, Page

from integration_tests.support import chromium, environments, report
from source_ats.http.usage import Summary

WIDTHS = (1_280, 400)
SECTIONS = ("funnel", "time-to-hire", "sources", "movement", "syncs")
PAPER = {"width": 688, "height": 1_016}
"""A4 within its margins of 14 mm, in CSS pixels."""
MARTS = """
CREATE SCHEMA analytics;
CREATE TABLE analytics.fct_application AS SELECT
    ['kombo', 'atz_crm', 'workable', 'talemetry'][1 + i // 8 % 4] AS system,
    'c' || i // 2 AS candidate_key,
    ['Referral', 'Employee referral programme of the <Northern> region & its partners', NULL,
     'Job board', 'Agência', '求人サイト', 'Fair', 'Career page'][1 + i % 8] AS source,
    ['Nurse', 'Senior platform engineer (payments), Trondheim or remote', NULL, 'Driver, nights',
     'Cook', 'Analyst', 'Sous-chef', 'Plumber', 'Welder', 'Pilot'][1 + i // 7 % 10] AS job_name,
    CASE WHEN i % 5 = 0 THEN 'hired' WHEN i % 5 = 1 THEN 'rejected' WHEN i % 50 = 2 THEN 'withdrawn'
        ELSE 'open' END AS outcome,
    DATE '2025-01-01' + i % 400 AS applied_on,
    CASE WHEN i % 5 < 2 THEN DATE '2025-01-01' + i % 400 + i * i % 211 END AS closed_on
FROM (SELECT CAST(range AS INTEGER) AS i FROM range(36000));
CREATE TABLE analytics.dim_candidate AS SELECT DISTINCT system, candidate_key
FROM analytics.fct_application;
CREATE TABLE analytics.source_effectiveness AS SELECT
    system, source, count(*) AS applications, count(DISTINCT candidate_key) AS candidates,
    count(*) FILTER (WHERE outcome = 'open') AS open_applications,
    count(*) FILTER (WHERE outcome = 'rejected') AS rejected,
    count(*) FILTER (WHERE outcome = 'withdrawn') AS withdrawn,
    count(*) FILTER (WHERE outcome = 'hired') AS hired,
    median(closed_on - applied_on) FILTER (WHERE outcome = 'hired') AS median_days_to_hire
FROM analytics.fct_application GROUP BY system, source;
CREATE TABLE analytics.time_to_hire AS SELECT
    CAST(date_trunc('month', closed_on) AS DATE) AS hired_month, count(*) AS hires
FROM analytics.fct_application WHERE outcome = 'hired' GROUP BY 1;
CREATE TABLE analytics.funnel AS SELECT
    system, 'Stage ' || n || CASE n WHEN 2 THEN ': interview with the <hiring> team & the customer'
        ELSE '' END AS stage,
    CASE WHEN system <> 'workable' THEN n END AS stage_index,
    12000 AS applications, 12000 // n - m AS reached
FROM (SELECT DISTINCT system FROM analytics.fct_application), range(1, 13) AS a(n),
    range(2) AS b(m);
CREATE TABLE analytics.fct_stage_change AS SELECT
    'Stage ' || i % 11 || CASE i % 11 WHEN 2 THEN ': interview with the <hiring> team' ELSE '' END
        AS stage,
    i % 11 AS stage_index, DATE '2026-02-02' - i * i % 300 AS entered_on,
    i % 13 = 0 AS is_first_seen
FROM (SELECT CAST(range AS INTEGER) AS i FROM range(20000));
"""


@pytest.fixture(scope="module")
def programs() -> Path:
    return environments.programs("dbt")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has the database, the messages of two syncs, and the page."""
    made = tmp_path_factory.mktemp("report")
    with duckdb.connect(str(made / "marts.duckdb")) as database:
        database.execute(MARTS)
    again = {"the rate limit is exhausted": 12, "the vendor answered with status 502": 2}
    messages = {
        # Two attempts at one sync: Airbyte runs it again.
        "2026-01-31": [
            Summary("Kombo", 1_200, 61.5, 12.2, again),
            Summary("Kombo", 34, 1.0, 0.0, {"the rate limit is exhausted": 1}),
            Summary("ATZ CRM", 48_211, 3_605.0, 0.0, {}),
        ],
        "2026-02-01": [Summary("Kombo", 1, 0.2, 0.0, {})],
    }
    record = {"type": "RECORD", "record": {"data": {"note": f"{messages['2026-02-01'][0]}"}}}
    for day, summaries in messages.items():
        logs = [{"type": "LOG", "log": {"level": "INFO", "message": str(s)}} for s in summaries]
        lines = [json.dumps(each) + "\n" for each in (record, *logs)]
        (made / f"{day}.jsonl").write_text("".join(lines))
    return made


@pytest.fixture(scope="module")
def written(programs: Path, folder: Path) -> str:
    """The address of the page."""
    done = report.write(
        programs,
        *(folder / "marts.duckdb", "--into", folder / "report.html"),
        *("--messages", folder / "2026-01-31.jsonl", folder / "2026-02-01.jsonl"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"The report is {folder}/report.html\n"
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.for_tests() as started:
        yield started


@contextmanager
def opened(browser: Browser, written: str, width: int) -> Iterator[Page]:
    """Open the page, which asks for nothing else. The network is off."""
    with browser.new_context(viewport={"width": width, "height": 900}, offline=True) as context:
        page = context.new_page()
        requests: list[str] = []
        page.on("request", lambda each: requests.append(each.url))
        page.goto(written)
        yield page
        assert requests == [written]
        assert page.locator("script").count() == 0


@pytest.fixture(params=WIDTHS)
def page(request: pytest.FixtureRequest, browser: Browser, written: str) -> Iterator[Page]:
    """The page in a wide and in a narrow window."""
    with opened(browser, written, request.param) as page:
        yield page


@pytest.fixture
def narrow(browser: Browser, written: str) -> Iterator[Page]:
    """The page in a narrow window only."""
    with opened(browser, written, min(WIDTHS)) as page:
        yield page


def test_every_text_can_be_read_at_both_widths(page: Page) -> None:
    assert report.misplaced(page) == []


def test_values_are_those_of_the_marts(page: Page, folder: Path) -> None:
    assert list(report.shown(page)) == ["By system"]
    for summary in page.locator("summary").all():
        summary.click()
    found = report.shown(page)
    assert report.misplaced(page) == []
    assert found.pop("Requests of each sync") == [
        [
            *("2026-01-31", "ATZ CRM", "48,211", "3,605", "0", "0", "-"),
        ],
        [
            *("2026-01-31", "Kombo", "1,234", "62.5", "12.2", "15"),
            "the rate limit is exhausted (13), the vendor answered with status 502 (2)",
        ],
        ["2026-02-01", "Kombo", "1", "0.2", "0", "0", "-"],
    ]
    with duckdb.connect(str(folder / "marts.duckdb"), read_only=True) as database:
        expected = report.of_marts(lambda query: database.execute(query).fetchall())
        moves = report.moves(lambda query: database.execute(query).fetchall())
    weeks = found.pop("Moves into each stage by week")
    assert weeks[-1][0] == "2 Feb 2026"
    assert len(weeks) == 26
    # The eight busiest of eleven stages, in the order of their job.
    busiest = sorted(moves, key=lambda stage: (-sum(moves[stage]), stage))[:8]
    stages = sorted(busiest, key=lambda stage: int(stage.split(":")[0].removeprefix("Stage ")))
    columns = [[int(row[place]) for row in weeks] for place in range(1, 9)]
    assert columns == [moves[stage] for stage in stages]
    assert found == expected


def test_drawings_have_the_texts_of_the_tables(narrow: Page) -> None:
    drawn = report.drawn(narrow)
    tiles = narrow.locator(".tiles dd").all_inner_texts()
    assert tiles == ["18,000", "36,000", "20,880", "7,200"]
    funnel = drawn["How far applications come"]
    assert funnel.count("11,999 of 24,000 (50 %)") == 4
    assert len([text for text in funnel if " of 24,000 " in text]) == 4 * 10
    assert drawn["Requests of each sync"] == [
        *("48,211 in 3,605 s", "1,234 in 62.5 s", "1 in 0.2 s"),
        *("2026-01-31", "2026-02-01", "ATZ CRM", "Kombo", "Kombo"),
    ]
    assert drawn["Applications and hires by source"].count("1,125, 225 hired (20 %)") == 4 * 6
    assert drawn["How long a hire takes"].count("99 days (1,800)") == 2


def test_everything_is_reached_by_keyboard_and_shows_the_focus(page: Page) -> None:
    reached = []
    while True:
        page.keyboard.press("Tab")
        focus = page.evaluate(
            """() => {
                const focused = document.activeElement;
                if (focused === document.body) return null;
                const style = getComputedStyle(focused), box = focused.getBoundingClientRect();
                const outline = style.outlineStyle != "none" && parseFloat(style.outlineWidth) >= 2;
                return {
                    name: focused.hash || focused.ariaLabel || focused.innerText,
                    seen: outline && box.top < innerHeight && box.bottom > 0,
                };
            }"""
        )
        if focus is None:
            break
        assert focus["seen"], focus
        reached.append(focus["name"])
        if str(focus["name"]).startswith("Values of"):
            page.keyboard.press("Enter")  # what it opens is reached next
    assert reached == [
        *(f"#{section}" for section in SECTIONS),
        "By system",
        *("Values of “How far applications come”", "Applications that came to each stage"),
        *("Values of “How long a hire takes”", "Days from the application to the hire"),
        *("Values of “Hires by month”", "Hires by month"),
        "Values of “Applications and hires by source”",
        "What became of the applications from each source",
        *("Values of “Moves into each stage”", "Moves into each stage by week"),
        *("Values of “Requests of each sync”", "Requests of each sync"),
    ]
    assert len(report.shown(page)) == 7
    page.keyboard.press("Tab")
    for _ in SECTIONS[1:]:
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "document.querySelector('#syncs').getBoundingClientRect().top < innerHeight"
    )


def test_on_paper_the_tables_are_open_and_no_drawing_is_cut(narrow: Page) -> None:
    narrow.set_viewport_size({"width": PAPER["width"], "height": PAPER["height"]})
    narrow.emulate_media(media="print", color_scheme="dark")
    assert len(report.shown(narrow)) == 7
    assert [each for each in report.misplaced(narrow) if not each.startswith("too small")] == []
    heights = narrow.locator(".drawing").evaluate_all(
        "all => all.map(each => each.getBoundingClientRect().height)"
    )
    assert max(heights) < PAPER["height"]
    styles = narrow.locator(".drawing, tr").evaluate_all(
        "all => [...new Set(all.map(each => getComputedStyle(each).breakInside))]"
    )
    assert styles == ["avoid"]
    background = narrow.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(255, 255, 255)"


def test_empty_marts_are_described_in_words(
    programs: Path, folder: Path, browser: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "empty.duckdb"
    with duckdb.connect(str(path)) as database:
        database.execute(MARTS)
        for (table,) in database.execute("SELECT table_name FROM duckdb_tables").fetchall():
            database.execute(f"DELETE FROM analytics.{table}")  # noqa: S608 - our own names
    assert report.write(programs, path, "--into", tmp_path / "empty.html").returncode == 0
    page = browser.new_page(viewport={"width": 400, "height": 900})
    page.goto((tmp_path / "empty.html").as_uri())
    assert report.misplaced(page) == []
    assert page.locator("svg, table").count() == 0
    texts = page.locator(".card").all_inner_texts()
    assert texts[:4] == [
        "The marts have no candidates and no applications yet.",
        "No application with a date has come to a stage yet.",
        "No hire with both of its days is known yet.",
        "There are no applications yet.",
    ]
    assert texts[4].startswith("No move between two stages was seen yet.")
    assert "scripts/report --messages FILE" in texts[5]
    page.close()


def test_a_problem_is_one_message_with_the_remedy(
    programs: Path, folder: Path, tmp_path: Path
) -> None:
    database = folder / "marts.duckdb"
    text = tmp_path / "text.duckdb"
    text.write_text("no database")
    cases = {
        (tmp_path / "none.duckdb",): "There is no file ",
        (text,): "cannot be opened. Close the programs that write to it",
        ("postgresql://ats:secret@127.0.0.1:1/hr",): "The database hr cannot be opened. Check the",
        ("postgresql+psycopg://ats:secret@127.0.0.1/hr",): "a URL that begins with postgresql://.",
        (database, "--schema", "other"): "has no dim_candidate, fct_application, ",
        (database, "--messages", folder / "no"): "cannot be read: No such file or directory.",
        (database, "--messages", text): "does not say what a sync took. Give the whole output",
    }
    for arguments, expected in cases.items():
        done = report.write(programs, *arguments, "--into", tmp_path / "report.html")
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith("scripts/report: ")
        assert done.stderr.count("\n") == 1
        assert expected in done.stderr
        assert "secret" not in done.stderr
    assert not (tmp_path / "report.html").exists()
