"""What the README and the pages say is done here, as it stands there, and leads where they say.

The blocks of the pages in `FOLLOWED` are run one after the other in the folder that
`scripts/sandbox` fills: shell first, then Python in one process. Everything is run twice,
and a day's work done between; then the tables that PyAirbyte made are compared with the truth.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from destination_comeet import config as destination_config
from integration_tests.sandbox.running import PROJECT
from integration_tests.support import doc_blocks, postgres, sandbox_script
from integration_tests.support.doc_blocks import Block
from integration_tests.support.every_stream import STREAMS, Case, Held, Row
from source_ats import config

PROGRAMS = Path(sys.executable).parent
PEOPLE = 80
ALL = [block for page in doc_blocks.pages() for block in doc_blocks.blocks(page)]
FOLLOWED = ("README.md", "docs/quick_start.md", "docs/troubleshooting.md", "docs/usage.md")
"""In this order, that of `doc_blocks.pages()`: later pages use the files of earlier ones."""
UPGRADING = "docs/upgrading.md"
"""Its SQL is run by integration_tests/destination/test_downgrades.py."""
TABLES = [
    each
    for each in STREAMS
    if each.section in {"kombo", "talemetry"} or each.name == "candidate_history"
]
"""Compared row by row. Not so ATZ CRM's lists, where a text may look like a list and the text in a
table does not tell which it was, nor Comeet, in which the pages write themselves."""

Query = Callable[[str], list[Row]]


def of(language: str, *, run: bool = True) -> list[Block]:
    """Return the blocks of a language that are run, or those that are not."""
    return [each for each in ALL if each.language == language and bool(each.why_not) != run]


# What is only read


@pytest.mark.parametrize("block", [*of("sh"), *of("sh", run=False)], ids=str)
def test_shell_is_written_well(block: Block) -> None:
    done = subprocess.run(
        ["bash", "-n"], input=block.text, text=True, capture_output=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize("block", [*of("python"), *of("python", run=False)], ids=str)
def test_python_is_written_well(block: Block) -> None:
    ast.parse(block.text)


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_json_is_what_the_connectors_take(block: Block) -> None:
    """Whole configurations are; everything else is JSON at least."""
    # The pages show where a secret belongs by "...", which the connectors refuse.
    content = json.loads(block.text.replace("...", "made-up"))
    if "ledger" in content:
        assert destination_config.parse(content).warnings == []
    elif {"kombo", "talemetry", "atz_crm", "comeet"} & content.keys():
        assert config.parse(content).warnings == []


def test_every_block_says_what_it_is_and_where_it_is_run() -> None:
    only_read = {"json", "hcl", "mermaid", "yaml", "", "text"}
    for block in ALL:
        assert block.language in {"sh", "python", "sql", *only_read}, block
        run_here = {"sh": FOLLOWED, "python": FOLLOWED, "sql": {UPGRADING}}
        if block.language in run_here and not block.why_not:
            assert block.page in run_here[block.language], f"{block} is run by no test: say why"


def test_links_lead_somewhere() -> None:
    for page in doc_blocks.pages():
        text = page.read_text("utf-8")
        for target, anchor in re.findall(r"\]\((?!https?://)([^)#\s]*)(#[^)\s]*)?\)", text):
            there = (page.parent / target).resolve() if target else page
            assert there.exists(), f"{page.name}: {target}"
            if anchor:
                heads = re.findall(r"^#+ (.+)$", there.read_text("utf-8"), re.MULTILINE)
                anchors = {
                    re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads
                }
                assert anchor[1:] in anchors, f"{page.name}: {target}{anchor}"


def test_the_index_lists_every_page() -> None:
    folder = PROJECT / "docs"
    listed = set(re.findall(r"\]\(([\w/]+\.md)\)", (folder / "README.md").read_text("utf-8")))
    assert listed >= {page.name for page in folder.glob("*.md")} - {"README.md"}


# What is run


@dataclass(frozen=True, slots=True)
class Followed:
    """A folder in which somebody followed the pages, and what should be in the tables then."""

    folder: Path
    truth: list[dict[str, Held]]
    tables: list[dict[str, dict[str, list[Row]]]]
    """After each time: database, stream, rows."""

    def schema(self, case: Case) -> dict[str, Row]:
        """Return the columns that the connector declared, by name."""
        catalog = json.loads((self.folder / "catalog.json").read_text())
        (found,) = (
            each["stream"]["json_schema"]["properties"]
            for each in catalog["streams"]
            if each["stream"]["name"] == case.name
        )
        columns: dict[str, Row] = found
        return columns


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Postgres]:
    """A server for PyAirbyte to write to."""
    try:
        with postgres.running() as started:
            yield started
    except postgres.NoServer as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def followed(
    server: postgres.Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Followed]:
    """Follow the pages, let a day pass, follow them again."""
    folder = tmp_path_factory.mktemp("user")
    url = server.fresh()
    environment = {
        **os.environ,
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "AIRBYTE_OFFLINE_MODE": "1",
        "DO_NOT_TRACK": "1",
        "PYTHONWARNINGS": "ignore",  # PyAirbyte's own libraries warn of this and that
        "TZ": "Asia/Kolkata",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGUSER": "ats",
        "PGPASSWORD": "any",
        "PGDATABASE": url.rpartition("/")[2],
    }
    truth: list[dict[str, Held]] = []
    tables: list[dict[str, dict[str, list[Row]]]] = []
    with (
        sandbox_script.running(folder, PEOPLE) as (sandbox, _, _),
        psycopg.connect(url) as warehouse,
    ):
        query: dict[str, Query] = {
            "DuckDB": lambda sql: _duckdb(folder / "recruiting.duckdb", sql),
            "PostgreSQL": lambda sql: _postgres(warehouse, sql),
        }
        for _ in range(2):
            follow(folder, environment)
            truth.append({case.name: case.truth(sandbox) for case in TABLES})
            tables.append(
                {
                    database: {
                        case.name: ask(f"SELECT * FROM {case.name}")  # noqa: S608 - our own names
                        for case in TABLES
                    }
                    for database, ask in query.items()
                }
            )
            sandbox.advance(86_400)
            for case in TABLES:
                case.change(sandbox)
            sandbox.advance(3_600)
        yield Followed(folder, truth, tables)


def follow(folder: Path, environment: dict[str, str]) -> None:
    """Run the blocks."""
    for block in of("sh"):
        run(["bash", "-euo", "pipefail", "-c", block.text], folder, environment, str(block))
    script = "\n".join(block.text for block in of("python"))
    run([sys.executable, "-c", script], folder, environment, "the Python blocks")


def run(command: list[str], folder: Path, environment: dict[str, str], what: str) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{what}: {done.stdout[-3000:]}{done.stderr[-3000:]}"


def _duckdb(path: Path, sql: str) -> list[Row]:
    with duckdb.connect(str(path)) as connection:
        connection.execute("USE ats")
        found = connection.execute(sql)
        names = [each[0] for each in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _postgres(connection: psycopg.Connection, sql: str) -> list[Row]:
    connection.execute("SET search_path TO ats")
    found = connection.execute(sql.encode())
    names = [each.name for each in found.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    connection.rollback()
    return rows


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("database", ["DuckDB", "PostgreSQL"])
@pytest.mark.parametrize("case", TABLES, ids=lambda case: case.name)
def test_pyairbytes_tables_hold_the_truth(
    followed: Followed, case: Case, database: str, times: int
) -> None:
    columns = followed.schema(case)
    stored = followed.tables[times - 1][database][case.name]
    rows = [
        {name: as_sent(row[name], column) for name, column in columns.items()} for row in stored
    ]
    assert len(rows) == len({row[case.key] for row in rows})
    held, truth = case.compared(rows, followed.truth[times - 1][case.name])
    # A column that may hold numbers or texts holds texts.
    mixed = {name for name, column in columns.items() if {"integer", "string"} <= types(column)}
    assert held
    assert canonical(held, mixed) == canonical(truth, mixed)


def types(column: Row) -> set[str]:
    """Return the types that a column may have; none means any."""
    return set(column.get("type", []))


def as_sent(value: Any, column: Row) -> Any:
    """Return a value as the connector sent it: what a database keeps as JSON, or as text of it."""
    if isinstance(value, str) and types(column) & {"object", "array"}:
        return json.loads(value)
    return value


MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


def canonical(held: Held, mixed: set[str]) -> Held:
    """Return what is held such that what means the same is the same."""

    def row(content: Row) -> Row:
        # In a table, a column that was not sent is null.
        return {
            name: str(value) if name in mixed else plain(value)
            for name, value in content.items()
            if value is not None
        }

    def entry(what: Any) -> Any:
        if isinstance(what, list):
            return sorted(map(row, what), key=lambda each: json.dumps(each, sort_keys=True))
        return row(what) if isinstance(what, dict) else what

    return {key: entry(what) for key, what in held.items()}


def plain(value: Any) -> Any:
    """Return a value with its moments written in one way. PyAirbyte keeps no zone: UTC."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, str) and MOMENT.fullmatch(value):
        value = datetime.fromisoformat(value).replace(tzinfo=None)
    return value.isoformat() if isinstance(value, date) else value
