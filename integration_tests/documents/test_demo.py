"""`scripts/demo`: what it prints without and with a terminal, and the report it ends with."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import duckdb
import pytest

from integration_tests.sandbox.running import PROJECT
from integration_tests.support import chromium, environments, report
from integration_tests.support.every_stream import STREAMS

WIDTH = 80
ROW = re.compile(r"^ +(\w+)" + r" +([\d,]+)" * 4 + r" +([\d.]+) *$", re.MULTILINE)
OF_ATZ_CRM = ("atz_candidates", "atz_deals", "candidate_history")
COMMAND = re.compile(r"^\S+ - <<'END'\n(?:.*\n)*?END\n", re.MULTILINE)


def command(candidates: int, database: Path) -> list[str]:
    """Return what scripts/demo runs, in the environment of the tests."""
    return [
        *(sys.executable, "-m", "tools.demo"),
        *(f"--candidates={candidates}", f"--into={database}"),
    ]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The DuckDB file of the demo."""
    return tmp_path_factory.mktemp("demo") / "demo.duckdb"


@pytest.fixture(scope="module")
def printed(database: Path) -> str:
    """What the demo prints into a file."""
    environments.programs("dbt")  # here, where only one process at a time makes it
    done = subprocess.run(
        command(60, database), cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_both_tables_have_every_stream_with_its_own_time(printed: str) -> None:
    rows = ROW.findall(printed)
    assert sorted(row[0] for row in rows) == sorted(2 * [case.name for case in STREAMS])
    for table in (rows[: len(STREAMS)], rows[len(STREAMS) :]):
        requests = [int(row[4].replace(",", "")) for row in table]
        assert all(requests)
        assert len({row[5] for row in table}) > 1
    assert all(row[1] != "0" for row in rows[: len(STREAMS)])  # each has rows in the first read
    assert all(row[2:4] == ("0", "0") for row in rows[: len(STREAMS)])
    assert {"candidates", "profiles", "comeet_candidates", "atz_candidates"} <= {
        row[0] for row in rows[len(STREAMS) :] if row[2] != "0"
    }


def test_the_write_path_creates_nobody_twice(printed: str) -> None:
    (created,) = re.findall(r"First write: ([\d,]+) candidates were created", printed)
    assert created != "0"
    assert "The same people again: 0 candidates were created" in printed
    assert "0 candidates were created twice." in printed
    (resumes,) = re.findall(r"(\d+) of them came with a CV", printed)
    assert resumes != "0"
    assert re.search(r"^  \d+ because .+\.$", printed, re.MULTILINE)
    assert f"write --dry-run: {created} created, " in printed
    words = " ".join(printed.split())
    (replayed,) = re.findall(r"replay: ([\d,]+) candidates were created, 0 records are left", words)
    assert replayed != "0"
    assert re.search(r"reads from Comeet: [^.]*\d+\s+hired\.", printed)


def test_it_fits_a_terminal_of_80_columns(printed: str, database: Path) -> None:
    # A command is not broken into lines, as it is copied; nor is the name of a file.
    lines = COMMAND.sub("", printed).replace(f"{database.parent}/", "").splitlines()
    assert [line for line in lines if len(line) > WIDTH] == []


def test_the_command_that_it_ends_with_shows_rows(printed: str) -> None:
    found = COMMAND.findall(printed)
    assert len(found) == 1
    done = subprocess.run(
        ["bash", "-c", found[0]], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = [line for line in done.stdout.splitlines() if line.startswith("│")]
    assert "first_name" in head
    assert len(rows) >= 5


def test_the_report_shows_the_marts_and_what_each_sync_took(printed: str, database: Path) -> None:
    page = database.with_suffix(".html")
    assert f"The report is {page}: open it in a browser.\n" in printed
    with duckdb.connect(str(database), read_only=True) as connection:
        expected = report.of_marts(lambda query: connection.execute(query).fetchall())
    with chromium.for_tests() as browser:
        tab = browser.new_page(viewport={"width": 400, "height": 900})
        tab.goto(page.as_uri())
        assert report.misplaced(tab) == []
        tab.set_viewport_size({"width": 1_280, "height": 900})
        assert report.misplaced(tab) == []
        for summary in tab.locator("summary").all():
            summary.click()
        shown = report.shown(tab)
    syncs = shown.pop("Requests of each sync")
    assert {row[0] for row in syncs} == {"first read", "second read", "first write", "second write"}
    # Of ATZ CRM each request is in one of the two tables that the demo prints.
    counts = [int(row[4].replace(",", "")) for row in ROW.findall(printed) if row[0] in OF_ATZ_CRM]
    of_atz_crm = [row[2] for row in syncs if row[1] == "ATZ CRM"]
    assert of_atz_crm == [f"{sum(counts[:3]):,}", f"{sum(counts[3:]):,}"]
    assert len(shown.pop("Moves into each stage by week")) == 26
    assert shown == expected
    assert all(expected.values())


def test_a_terminal_shows_progress_and_few_people_are_enough(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, WIDTH, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "", "LINES": ""}
    process = subprocess.Popen(
        [*command(12, tmp_path / "demo.duckdb"), "--no-report"],
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    printed = b""
    with open(ours, "rb", closefd=True, buffering=0) as terminal:  # noqa: PTH123 - a descriptor
        try:
            while part := terminal.read(65_536):
                printed += part
        except OSError:  # Linux says so when the other side is closed
            pass
    assert process.wait() == 0, printed.decode()
    assert b"rows so far" in printed
    assert b"0 candidates were created twice." in printed
