"""The dbt package on what the connector read from the sandbox, in PostgreSQL and DuckDB.

All streams are read twice, with a day of changes and deletions between. After each read both
databases are built as a user builds them: DuckDB from a project that has the package installed,
PostgreSQL from the package itself.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration_tests.support import postgres, report, warehouse
from integration_tests.support.connector import Connector, catalog
from integration_tests.support.every_stream import STREAMS, configuration
from integration_tests.warehouse import expected
from integration_tests.warehouse.conftest import PACKAGE
from integration_tests.warehouse.expected import Application, Truth
from tools import dbt_staging
from tools import sandbox as fake

Row = dict[str, Any]
Key = tuple[Any, ...]

PEOPLE = 150
DATABASES = ("DuckDB", "PostgreSQL")
MARTS = (
    *("dim_candidate", "dim_job", "fct_application", "fct_stage_change", "funnel"),
    *("time_to_stage", "time_to_hire", "source_effectiveness", "erasure_queue"),
)
HOLDERS = {
    ("kombo", "candidates"): ["id"],
    ("kombo", "kombo_applications"): ["candidate_id"],
    ("kombo", "kombo_notes"): ["candidate_id"],
    ("kombo", "kombo_scorecards"): ["candidate_id"],
    ("kombo", "kombo_attachments"): ["candidate_id"],
    ("kombo", "kombo_interviews"): ["application", "candidate", "id"],
    ("kombo", "kombo_offers"): ["application", "candidate", "id"],
    ("talemetry", "profiles"): ["id"],
    ("comeet", "comeet_candidates"): ["uid"],
}
"""The streams that hold data of people, and where a row says whose it is."""
WITHOUT_TESTS = ("--exclude", "resource_type:test", "resource_type:unit_test")


@dataclass
class Project:
    """A dbt project with its database."""

    dbt: Path
    folder: Path
    """Where it is."""
    files: Path
    """Where its profile is, and what dbt writes."""
    database: warehouse.DuckDB | warehouse.Postgres
    variables: Mapping[str, Any]

    def run(self, *arguments: str, **variables: Any) -> str:
        """Run dbt, and return what it printed. Fails with that if dbt fails."""
        done = subprocess.run(
            [
                *(str(self.dbt), *arguments, "--project-dir", str(self.folder)),
                *("--profiles-dir", str(self.files)),
                *("--vars", json.dumps({**self.variables, **variables})),
            ],
            env={
                **os.environ,
                "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
                "DBT_TARGET_PATH": str(self.files / "target"),
                "DBT_LOG_PATH": str(self.files / "logs"),
                "DBT_USE_COLORS": "false",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout[-6000:]}{done.stderr[-3000:]}"
        return done.stdout

    def table(self, name: str) -> list[Row]:
        """Return the rows of a model, with values that mean the same in both databases."""
        rows = self.database.rows(f"SELECT * FROM analytics.{name}")  # noqa: S608 - our own names
        return [{column: plain(value) for column, value in row.items()} for row in rows]


@dataclass
class Built:
    """Both databases after the second build, with what is true."""

    truth: Truth
    projects: Mapping[str, Project]
    marts: Mapping[str, Mapping[str, list[Row]]]
    """By database and name."""
    declared: list[Row]

    @property
    def applications(self) -> dict[str, Application]:
        """What is true of each application."""
        return self.truth.applications()


def plain(value: Any) -> Any:
    """Return a value as Python's own type, whichever database it is from."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return value


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Postgres]:
    try:
        with postgres.running() as started:
            yield started
    except postgres.NoServer as error:
        pytest.skip(str(error))


def profile(**output: Any) -> str:
    """Return a file of connections with one target."""
    output = {"schema": "analytics", "threads": 2, **output}
    text: str = yaml.safe_dump({"ats": {"target": "here", "outputs": {"here": output}}})
    return text


def projects(dbt: Path, server: postgres.Postgres, folder: Path) -> dict[str, Project]:
    """Return a project for each database: one with the package installed, and the package."""
    company, own = folder / "company", folder / "own"
    company.mkdir()
    own.mkdir()
    variables = {"ats_schema": warehouse.SCHEMA}
    (company / "dbt_project.yml").write_text(
        yaml.safe_dump({"name": "company", "profile": "ats", "vars": variables})
    )
    (company / "packages.yml").write_text(yaml.safe_dump({"packages": [{"local": str(PACKAGE)}]}))
    path = folder / "recruiting.duckdb"
    (company / "profiles.yml").write_text(profile(type="duckdb", path=str(path)))
    url = server.fresh()
    (own / "profiles.yml").write_text(
        profile(
            type="postgres",
            host="127.0.0.1",
            port=server.port,
            user="ats",
            password="any",
            dbname=url.rpartition("/")[2],
        )
    )
    return {
        "DuckDB": Project(dbt, company, company, warehouse.DuckDB(path), {}),
        "PostgreSQL": Project(dbt, PACKAGE, own, warehouse.Postgres(url), variables),
    }


@pytest.fixture(scope="module")
def built(
    dbt: Path, server: postgres.Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Built]:
    folder = tmp_path_factory.mktemp("warehouse")
    found = projects(dbt, server, folder)
    found["DuckDB"].run("deps")
    reads = []
    records: dict[str, list[Row]] = defaultdict(list)
    states: dict[str, Any] = {}
    with fake.started(PEOPLE) as sandbox, ThreadPoolExecutor() as threads:
        settings = configuration(sandbox)
        settings["kombo"]["candidate_files"] = True
        connector = Connector(folder, settings)
        (discovered,) = connector.run("discover").of("CATALOG")
        tables = [warehouse.Table(stream) for stream in discovered["streams"]]
        # Each database runs all tests once, in different builds.
        for left_out in (
            {"PostgreSQL": WITHOUT_TESTS},
            {"DuckDB": ("--exclude", "resource_type:unit_test")},
        ):
            selected = catalog(*(table.name for table in tables))
            read = connector.run("read", catalog=selected, state=[*states.values()] or None)
            assert read.code == 0, read.errors()
            for state in read.of("STATE"):
                name = state["stream"]["stream_descriptor"]["name"]
                states[name] = state
            rows: dict[str, list[tuple[int, Row]]] = defaultdict(list)
            for record in read.of("RECORD"):
                rows[record["stream"]].append((record["emitted_at"], record["data"]))
                records[record["stream"]].append(record["data"])
            for table in tables:
                for project in found.values():
                    project.database.write(table, rows[table.name])
            reads.append({case.name: case.truth(sandbox) for case in STREAMS})
            builds = [
                threads.submit(project.run, "build", *left_out.get(name, ()))
                for name, project in found.items()
            ]
            for build in builds:
                build.result()
            fake.pass_day(sandbox, PEOPLE)
        marts = {
            name: {mart: project.table(mart) for mart in MARTS} for name, project in found.items()
        }
        yield Built(Truth(reads, records), found, marts, discovered["streams"])
    assert isinstance(found["PostgreSQL"].database, warehouse.Postgres)
    found["PostgreSQL"].database.close()


def by(rows: list[Row], *key: str) -> dict[Any, Row]:
    """Return the rows by a key that is unique."""
    found = {tuple(row[name] for name in key): row for row in rows}
    assert len(found) == len(rows)
    return {each[0]: row for each, row in found.items()} if len(key) == 1 else {**found}


def near(values: Mapping[Any, tuple[Any, ...]]) -> dict[Any, Any]:
    """Return values to compare with, in which numbers may differ in their last digits."""
    return {
        key: tuple(
            each if each is None or isinstance(each, date) else pytest.approx(each)
            for each in of_key
        )
        for key, of_key in values.items()
    }


# Staging


def flat(value: Row, prefix: str = "") -> Row:
    """Return the fields of an object and of the objects in it, by the names of their columns."""
    found: Row = {}
    for name, each in value.items():
        column = dbt_staging.snake_case(prefix + name)
        nested = {**flat(each, f"{column}_")} if isinstance(each, dict) else {}
        for key, what in {column: each, **nested}.items():
            found[key] = what if found.get(key) is None else found[key]
    return found


def as_stored(true: Any, stored: Any) -> Any:
    """Return what is true in the type of what is stored."""
    if isinstance(stored, datetime):
        return expected.moment(true)
    if isinstance(stored, date):
        return expected.day(true)
    if isinstance(stored, bool) or true is None:
        return true
    if isinstance(stored, int | float):
        return pytest.approx(float(true))
    if isinstance(stored, str) and not isinstance(true, str):
        return json.dumps(true)
    return true


def compare(stored: Row, true: Row, what: str) -> int:
    """Compare each column that is also in what is true; return how many had a value."""
    # The truth of custom data is a set of its names only.
    fields = {name: value for name, value in flat(true).items() if not isinstance(value, set)}
    names = stored.keys() & fields.keys()
    for name in names:
        value, should = stored[name], fields[name]
        if isinstance(should, dict | list):
            value = json.loads(value) if isinstance(value, str) else value
            assert value == should, f"{what}: {name}"
            continue
        if isinstance(value, str) and value.startswith('"'):  # DuckDB's JSON
            value = json.loads(value)
        assert value == as_stored(should, value), f"{what}: {name}"
    return sum(stored[name] is not None for name in names)


@pytest.mark.parametrize("database", DATABASES)
def test_staging_has_the_current_rows_with_their_values(built: Built, database: str) -> None:
    compared = 0
    for stream in dbt_staging.streams():
        name = stream.name
        model = f"stg_{stream.section}__{stream.entity}"
        rows = by(built.projects[database].table(model), stream.key)
        if name == "candidate_history":
            held: dict[str, int] = defaultdict(int)
            for row in rows.values():
                held[row["candidate_slug"]] += 1
            truth = built.truth.ever(name)
            assert dict(held) == {slug: len(history) for slug, history in truth.items()}
            continue
        if name == "comeet_deleted_candidates":
            assert rows.keys() == built.truth.reads[-1][name].keys()
            continue
        shows_deletions = stream.section in {"kombo", "talemetry"} or name == "comeet_candidates"
        true = (built.truth.present if shows_deletions else built.truth.ever)(name)
        assert rows.keys() == true.keys(), name
        for key, row in rows.items():
            compared += compare(row, true[key], name)
    assert compared > 10_000


@pytest.mark.parametrize("database", DATABASES)
def test_lists_have_a_row_for_each_element(built: Built, database: str) -> None:
    lists = {
        ("candidates", "applications"): ("stg_kombo__candidates_applications", "candidate_id"),
        ("candidates", "email_addresses"): (
            *("stg_kombo__candidates_email_addresses", "candidate_id"),
        ),
        ("candidates", "integration_fields"): (
            *("stg_kombo__candidates_integration_fields", "candidate_id"),
        ),
        ("kombo_jobs", "hiring_team"): ("stg_kombo__jobs_hiring_team", "job_id"),
        ("kombo_jobs", "stages"): ("stg_kombo__jobs_stages", "job_id"),
        ("kombo_scorecards", "responses"): ("stg_kombo__scorecards_responses", "scorecard_id"),
        ("profiles", "applications"): ("stg_talemetry__profiles_applications", "profile_id"),
        ("profiles", "notes"): ("stg_talemetry__profiles_notes", "profile_id"),
        ("comeet_positions", "categories"): ("stg_comeet__positions_categories", "position_uid"),
    }
    for (stream, column), (model, parent) in lists.items():
        found: dict[Any, dict[int, Row]] = defaultdict(dict)
        for row in built.projects[database].table(model):
            found[row[parent]][row["nth"]] = row
        present = built.truth.present if stream != "comeet_positions" else built.truth.ever
        true = {key: row[column] for key, row in present(stream).items() if row.get(column)}
        assert found.keys() == true.keys(), model
        for key, elements in true.items():
            assert sorted(found[key]) == [*range(1, len(elements) + 1)]
            for nth, element in enumerate(elements, start=1):
                assert compare(found[key][nth], element, model)


# Marts


@pytest.mark.parametrize("database", DATABASES)
def test_applications_are_those_of_people_who_are_not_deleted(built: Built, database: str) -> None:
    marts = built.marts[database]
    assert by(marts["dim_candidate"], "candidate_key").keys() == built.truth.candidates()
    found = by(marts["fct_application"], "application_key")
    true = {key: each.row for key, each in built.applications.items()}
    assert found.keys() == true.keys()
    for key, row in true.items():
        assert {name: found[key][name] for name in row} == row, key
    outcomes = {(row["system"], row["outcome"]) for row in found.values()}
    assert {("kombo", "hired"), ("atz_crm", "rejected"), ("comeet", "open")} <= outcomes


@pytest.mark.parametrize("database", DATABASES)
def test_stage_changes_are_the_history_of_each_application(built: Built, database: str) -> None:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(
        built.marts[database]["fct_stage_change"], key=lambda row: row["change_number"]
    ):
        found[row["application_key"]].append(row)
    true = {key: each.changes for key, each in built.applications.items() if each.changes}
    assert found.keys() == true.keys()
    for key, changes in true.items():
        rows = found[key]
        assert [row["change_number"] for row in rows] == [*range(1, len(changes) + 1)]
        assert [
            (row["stage"], row["stage_index"], row["entered_on"], row["is_first_seen"])
            for row in rows
        ] == [(each.stage, each.index, each.entered_on, each.is_first_seen) for each in changes]
        following = [*(row["entered_on"] for row in rows[1:]), None]
        assert [row["left_on"] for row in rows] == following
        assert [row["previous_stage"] for row in rows] == [
            None,
            *(row["stage"] for row in rows[:-1]),
        ]
    moved = [rows for key, rows in found.items() if key.startswith("kombo:") and len(rows) > 1]
    assert moved, "no application of Kombo came into another stage"


@pytest.mark.parametrize("database", DATABASES)
def test_the_funnel_counts_each_cohort(built: Built, database: str) -> None:
    rows = by(
        built.marts[database]["funnel"], "system", "job_key", "source", "applied_month", "stage"
    )
    found = {key: (row["applications"], row["reached"], row["hired"]) for key, row in rows.items()}
    true = expected.funnel(built.applications.values(), built.truth.job_stages())
    assert found == true
    for row in rows.values():
        assert row["share_reached"] == pytest.approx(row["reached"] / row["applications"])


@pytest.mark.parametrize("database", DATABASES)
def test_durations_and_sources_are_right(built: Built, database: str) -> None:
    marts, applications = built.marts[database], built.applications.values()
    hires = _columns(
        by(marts["time_to_hire"], "system", "job_key", "source", "hired_month"),
        *("hires", "average_days_to_hire", "median_days_to_hire"),
        *("shortest_days_to_hire", "longest_days_to_hire"),
    )
    assert hires == near(expected.time_to_hire(applications))
    stages = _columns(
        by(marts["time_to_stage"], "system", "job_key", "stage"),
        *("applications", "average_days_to_stage", "average_days_in_stage"),
    )
    assert stages == near(expected.time_to_stage(applications))
    sources = _columns(
        by(marts["source_effectiveness"], "system", "source"),
        *("applications", "candidates", "open_applications", "rejected", "withdrawn", "hired"),
        "median_days_to_hire",
    )
    assert sources == near(expected.source_effectiveness(applications))


def _columns(rows: Mapping[Key, Row], *names: str) -> dict[Key, tuple[Any, ...]]:
    return {key: tuple(row[name] for name in names) for key, row in rows.items()}


def test_both_databases_say_the_same(built: Built) -> None:
    here, there = (built.marts[database] for database in DATABASES)
    for mart in set(MARTS) - {"erasure_queue"}:
        assert comparable(here[mart]) == comparable(there[mart]), mart


def comparable(rows: list[Row]) -> list[Any]:
    """Return rows in an order of their own, without what differs from one load to the next."""
    return sorted(
        (
            {
                name: round(value, 6) if isinstance(value, float) else value
                for name, value in row.items()
                if name not in {"loaded_at", "stage_change_key"}
            }
            for row in rows
        ),
        key=lambda row: json.dumps(row, sort_keys=True, default=str),
    )


def test_both_databases_give_the_same_report(built: Built, dbt: Path, tmp_path: Path) -> None:
    found = {name: project.database for name, project in built.projects.items()}
    assert isinstance(found["DuckDB"], warehouse.DuckDB)
    assert isinstance(found["PostgreSQL"], warehouse.Postgres)
    path, url = found["DuckDB"].path, found["PostgreSQL"].url
    pages = []
    for database, name in ((path, path.name), (url, url.rpartition("/")[2])):
        done = report.write(dbt.parent, database, "--into", tmp_path / "report.html")
        assert (done.returncode, done.stderr) == (0, "")
        page = (tmp_path / "report.html").read_text("utf-8")
        assert f"{name}, schema analytics" in page
        assert page.count("<figure") == 5
        pages.append(page.replace(name, "the database"))
    assert pages[0] == pages[1]


@pytest.mark.parametrize("database", DATABASES)
def test_the_erasure_queue_counts_rows_of_deleted_people(built: Built, database: str) -> None:
    found = {
        (row["system"], row["candidate_id"], row["stream"]): row["rows_left"]
        for row in built.marts[database]["erasure_queue"]
    }
    true: dict[Key, int] = defaultdict(int)
    for (system, stream), path in HOLDERS.items():
        records = built.truth.records[stream]
        if database == "DuckDB":  # PyAirbyte keeps the last record of each key
            key = "uid" if stream == "comeet_candidates" else "id"
            records = [*{record[key]: record for record in records}.values()]
        for record in records:
            person = at(record, path)
            if (system, person) in built.truth.erased() and holds_data(stream, record):
                true[system, person, stream] += 1
    assert found == true
    # Rows from before a deletion, which PyAirbyte replaces.
    assert ("talemetry" in {system for system, *_ in found}) == (database == "PostgreSQL")
    assert {"candidates", "comeet_candidates"} <= {stream for *_, stream in found}


def at(record: Row, path: list[str]) -> Any:
    """Return what stands at a path, None if nothing does."""
    found: Any = record
    for name in path:
        found = (found or {}).get(name)
    return found


def holds_data(stream: str, record: Row) -> bool:
    """Return False for a row that only says that somebody is deleted."""
    if stream == "candidates":
        names = ("first_name", "last_name", "email_addresses", "phone_numbers")
        return any(record.get(name) for name in names)
    return not record.get("is_deleted")


# Builds


@pytest.mark.parametrize("database", DATABASES)
def test_a_build_without_new_rows_changes_nothing(built: Built, database: str) -> None:
    project = built.projects[database]
    snapshot = comparable(project.table("kombo_application_versions"))
    # All but the views, which hold nothing.
    kept = ("config.materialized:table", "config.materialized:incremental")
    project.run("build", *WITHOUT_TESTS, "--select", *kept, "resource_type:snapshot")
    for mart in MARTS:
        assert comparable(project.table(mart)) == comparable(built.marts[database][mart]), mart
    assert comparable(project.table("kombo_application_versions")) == snapshot


def test_the_incremental_model_is_what_a_full_build_makes(built: Built) -> None:
    project = built.projects["DuckDB"]
    project.run("run", "--full-refresh", "--select", "fct_stage_change")
    assert comparable(project.table("fct_stage_change")) == comparable(
        built.marts["DuckDB"]["fct_stage_change"]
    )


def test_systems_and_streams_can_be_off(
    built: Built, package_without_tests: Path, tmp_path: Path
) -> None:
    whole = built.projects["DuckDB"]
    path = tmp_path / "recruiting.duckdb"
    (tmp_path / "profiles.yml").write_text(profile(type="duckdb", path=str(path)))
    variables = {"ats_schema": warehouse.SCHEMA}
    few = Project(whole.dbt, package_without_tests, tmp_path, warehouse.DuckDB(path), variables)
    for stream in built.declared:
        if stream["name"] in {"atz_candidates", "candidate_history"}:
            records = [(0, row) for row in built.truth.records[stream["name"]]]
            few.database.write(warehouse.Table(stream), records)
    off = dict.fromkeys(("ats_kombo", "ats_talemetry", "ats_comeet"), False)
    few.run("run", **off, ats_streams_off=["atz_deals"])
    assert few.table("stg_atz_crm__deals") == []
    for mart in ("dim_candidate", "fct_application", "fct_stage_change", "funnel"):
        of_system = [row for row in built.marts["DuckDB"][mart] if row["system"] == "atz_crm"]
        assert comparable(few.table(mart)) == comparable(of_system), mart
    names = few.database.rows("SELECT table_name FROM information_schema.tables")
    assert not [each for each in names if "kombo" in each["table_name"]]


# The package


def test_each_column_is_documented(built: Built) -> None:
    project = built.projects["DuckDB"]
    manifest = json.loads((project.files / "target" / "manifest.json").read_text())
    columns: dict[str, set[str]] = defaultdict(set)
    for row in project.database.rows(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'analytics'"
    ):
        columns[row["table_name"]].add(row["column_name"])
    nodes = [
        each
        for each in manifest["nodes"].values()
        if each["package_name"] == "ats" and each["resource_type"] in {"model", "snapshot"}
    ]
    assert {each["name"] for each in nodes} == columns.keys()
    for node in nodes:
        assert node["description"], node["name"]
        described = {name for name, column in node["columns"].items() if column["description"]}
        assert described == columns[node["name"]], node["name"]


def test_the_erasure_queue_is_empty_once_the_rows_are_deleted(built: Built) -> None:
    project = built.projects["DuckDB"]
    assert isinstance(project.database, warehouse.DuckDB)
    streams = {row["stream"]: row["system"] for row in project.table("erasure_queue")}
    for stream, system in streams.items():
        first, *rest = HOLDERS[system, stream]
        person = f"{first} ->> '$.{'.'.join(rest)}'" if rest else first
        project.database.rows(
            f"DELETE FROM {warehouse.SCHEMA}.{stream} WHERE {person} IN "  # noqa: S608 - our own names
            f"(SELECT candidate_id FROM analytics.erasure_queue WHERE stream = '{stream}')"
        )
    project.run("run", "--select", "erasure_queue")
    # The deletions of Comeet come in a table of their own; those of Kombo were in the rows.
    assert streams
    assert project.table("erasure_queue") == []
