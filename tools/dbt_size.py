"""Measures the dbt package with many rows in DuckDB: time and peak memory of `dbt build`.

    .venv/bin/python -m tools.dbt_size --candidates 1000000

The tables have the shape in which PyAirbyte writes them, with the columns that the sandbox fills.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb
import yaml

from integration_tests.sandbox.running import PROJECT

SCHEMA = "airbyte"
JOBS = 2_000
STAGES = ("Applied", "Phone screen", "Interview", "Offer", "Hired")
OTHERS = (
    "application_stages attachments interviews notes offers rejection_reasons roles scorecards "
    "tags users"
)
"""Streams of Kombo that are off."""
AIRBYTE = """
    uuid()::varchar AS _airbyte_raw_id,
    TIMESTAMP '2026-11-01' AS _airbyte_extracted_at,
    '{"changes": []}'::json AS _airbyte_meta
"""
STAGE_LIST = json.dumps(
    [
        {"id": f"stage{index}", "name": name, "remote_id": f"S{index}", "index": index}
        for index, name in enumerate(STAGES)
    ]
)
TABLES = f"""
CREATE SCHEMA {SCHEMA};
CREATE TABLE {SCHEMA}.kombo_jobs AS
SELECT
    'job' || i AS id, 'tool:1' AS integration_id, 'Engineer ' || i AS name, 'OPEN' AS status,
    'Department ' || (i % 40) AS department,
    '{{"city": "Bergen", "country": "NO"}}'::json AS location,
    TIMESTAMP '2020-01-01' + to_days(i::integer) AS opened_at, '{STAGE_LIST}'::json AS stages,
    NULL::timestamp AS remote_deleted_at, TIMESTAMP '2026-10-01' AS changed_at, {AIRBYTE}
FROM range({JOBS}) AS rows (i);
CREATE TABLE {SCHEMA}.candidates AS
SELECT
    'candidate' || i AS id, 'tool:1' AS integration_id, 'First' || i AS first_name,
    'Last' || i AS last_name, 'Company ' || (i % 977) AS company, 'Analyst' AS title,
    'Source ' || (i % 12) AS source,
    ('[{{"email_address": "person' || i || '@example.org", "type": "PRIVATE"}}]')::json
        AS email_addresses,
    '[{{"phone_number": "+00 555 0100", "type": "MOBILE"}}]'::json AS phone_numbers,
    '[{{"link": "https://example.org/in/1", "type": "LINKEDIN", "username": null}}]'::json
        AS social_media,
    '{{"city": "Bergen", "country": "NO", "raw": "Bergen, NO"}}'::json AS location,
    '{{"visa_needed": "no", "notice_weeks": 6}}'::json AS custom_fields,
    TIMESTAMP '2021-01-01' + to_minutes(i::integer) AS remote_created_at,
    TIMESTAMP '2026-10-01' AS changed_at,
    CASE WHEN i % 50 = 0 THEN TIMESTAMP '2026-10-02' END AS remote_deleted_at, {AIRBYTE}
FROM range({{candidates}}) AS rows (i);
CREATE TABLE {SCHEMA}.kombo_applications AS
SELECT
    'application' || i AS id, 'tool:1' AS integration_id, 'candidate' || (i // 3) AS candidate_id,
    'job' || (hash(i) % {JOBS}) AS job_id, 'stage' || (hash(i) % 5) AS current_stage_id,
    ('{{"id": "stage' || (hash(i) % 5) || '", "name": "'
        || ({list(STAGES)!r})[(1 + hash(i) % 5)::integer]
        || '", "index": ' || (hash(i) % 5) || '}}')::json AS current_stage,
    ('{{"id": "job' || (hash(i) % {JOBS}) || '", "name": "Engineer"}}')::json AS job,
    ('{{"id": "candidate' || (i // 3) || '", "first_name": "First' || (i // 3)
        || '", "source": "Source ' || (i // 3 % 12) || '", "email_addresses": [{{"email_address": '
        || '"person' || (i // 3) || '@example.org", "type": "PRIVATE"}}]}}')::json AS candidate,
    (['PENDING', 'PENDING', 'DECLINED', 'HIRED'])[(1 + hash(i, 1) % 4)::integer] AS outcome,
    TIMESTAMP '2021-01-01' + to_minutes((i // 3)::integer) AS remote_created_at,
    TIMESTAMP '2026-10-01' AS remote_updated_at, TIMESTAMP '2026-09-01' AS rejected_at,
    TIMESTAMP '2026-10-01' AS changed_at, NULL::timestamp AS remote_deleted_at, {AIRBYTE}
FROM range({{applications}}) AS rows (i);
"""  # noqa: S608 - our own words


def main(arguments: Sequence[str]) -> None:
    """Make the tables, build, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--candidates", type=int, default=1_000_000)
    parser.add_argument("--memory", default="3GB", help="DuckDB's own limit (3GB)")
    options = parser.parse_args(arguments)
    made = subprocess.run(
        [PROJECT / "scripts" / "environment", "dbt"], stdout=subprocess.PIPE, text=True, check=True
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = folder / "many.duckdb"
        numbers = {"candidates": options.candidates, "applications": 3 * options.candidates}
        with duckdb.connect(str(database)) as connection:
            tables = TABLES
            for rows, number in numbers.items():
                tables = tables.replace(f"{{{rows}}}", str(number))
            connection.execute(tables)
        print(f"{numbers}; the tables take {database.stat().st_size / 1e9:.1f} GB.", flush=True)
        output = {
            "type": "duckdb",
            "path": str(database),
            "schema": "analytics",
            "threads": 2,
            "settings": {"memory_limit": options.memory},
        }
        profile = {"ats": {"target": "here", "outputs": {"here": output}}}
        (folder / "profiles.yml").write_text(yaml.safe_dump(profile))
        variables = {
            "ats_schema": SCHEMA,
            "ats_talemetry": False,
            "ats_atz_crm": False,
            "ats_comeet": False,
            "ats_streams_off": [f"kombo_{each}" for each in OTHERS.split()],
        }
        for build in ("first", "second"):
            began = time.monotonic()
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            before = used.ru_utime + used.ru_stime
            subprocess.run(
                [
                    *(Path(made.stdout.strip()) / "bin" / "dbt", "build", "--quiet"),
                    *("--project-dir", PROJECT / "dbt", "--profiles-dir", folder),
                    *("--vars", json.dumps(variables)),
                ],
                env={
                    **os.environ,
                    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
                    "DBT_TARGET_PATH": str(folder / "target"),
                    "DBT_LOG_PATH": str(folder / "logs"),
                },
                check=True,
            )
            seconds = time.monotonic() - began
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            processor = used.ru_utime + used.ru_stime - before
            results = json.loads((folder / "target" / "run_results.json").read_text())["results"]
            slowest = sorted(results, key=lambda each: -each["execution_time"])[:5]
            print(
                *(f"{each['execution_time']:5.0f} s {each['unique_id']}" for each in slowest),
                sep="\n",
            )
            print(
                f"The {build} build took {seconds:.0f} s, {processor:.0f} s of processor time; "
                f"peak memory {used.ru_maxrss / 1e6:.1f} GB.",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])
