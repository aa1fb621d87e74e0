"""The files of the dbt package, without a database."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from integration_tests.sandbox.running import PROJECT
from integration_tests.support import warehouse
from integration_tests.warehouse.conftest import PACKAGE
from tools import dbt_staging

WAREHOUSES = {
    "snowflake": {
        "string": "VARCHAR",
        "integer": "NUMBER",
        "number": "FLOAT",
        "boolean": "BOOLEAN",
        "date": "DATE",
        "date-time": "TIMESTAMP_TZ",
        "object": "OBJECT",
        "array": "ARRAY",
    },
    "bigquery": {
        "string": "STRING",
        "integer": "INT64",
        "number": "NUMERIC",
        "boolean": "BOOL",
        "date": "DATE",
        "date-time": "TIMESTAMP",
        "object": "JSON",
        "array": "JSON",
    },
}
"""What Airbyte's destinations make of each type, in warehouses that are not here."""
SEVERAL_TYPES = {"snowflake": "VARIANT", "bigquery": "JSON"}
WITHOUT_ZONE = {"snowflake": "TIMESTAMP_NTZ", "bigquery": "DATETIME"}
TEXTS = {"atz_candidates", "comeet_positions"}
"""Streams whose columns are all texts in the test, so that each conversion is compiled."""
OTHER_TYPES = {"atz_deals"}
"""Streams whose times have no zone in the test, and whose lists are numbers."""


def test_staging_models_are_those_of_the_declared_columns() -> None:
    there = {
        path: path.read_text("utf-8") for path in dbt_staging.FOLDER.rglob("*") if path.is_file()
    }
    assert there == dbt_staging.written(), "out of date: run scripts/docs"


@pytest.mark.parametrize("target", WAREHOUSES)
def test_models_compile_for_warehouses_that_are_not_here(
    dbt: Path, package_without_tests: Path, target: str, tmp_path: Path
) -> None:
    outputs = {
        "snowflake": {
            "type": "snowflake",
            "account": "made-up",
            "user": "u",
            "password": "any",
            "database": "db",
            "schema": "analytics",
        },
        "bigquery": {
            "type": "bigquery",
            "method": "oauth-secrets",
            "token": "any",
            "project": "made-up",
            "dataset": "analytics",
        },
    }
    content = {"ats": {"target": target, "outputs": {target: outputs[target]}}}
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump(content))
    types, several = WAREHOUSES[target], SEVERAL_TYPES[target]
    columns = {}
    for stream in dbt_staging.streams():
        table = warehouse.Table(stream.declared)
        own = {"_airbyte_raw_id": "string", "_airbyte_extracted_at": "date-time"}
        there = types
        if stream.name in TEXTS:
            there = dict.fromkeys(types, types["string"])
        if stream.name in OTHER_TYPES:
            there = {**types, "date-time": WITHOUT_ZONE[target], "array": types["integer"]}
        declared = {**table.columns(there, several), **{name: there[own[name]] for name in own}}
        # Snowflake's destination writes names in capitals.
        columns[table.name] = {
            name.upper() if target == "snowflake" else name: kind for name, kind in declared.items()
        }
    (tmp_path / "columns.json").write_text(json.dumps(columns))
    compiler = PROJECT / "integration_tests" / "support" / "dbt_compile.py"
    done = subprocess.run(
        [
            *(dbt.with_name("python"), compiler, target, package_without_tests),
            *(tmp_path, tmp_path / "columns.json"),
        ],
        env={**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    models = {path.stem for path in (PACKAGE / "models").rglob("*.sql")}
    assert set(json.loads(done.stdout.splitlines()[-1])) == models
