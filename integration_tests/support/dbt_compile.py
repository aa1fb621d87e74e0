"""Compiles the dbt package for a warehouse that is not here, and parses what comes out.

Started with the Python of `scripts/environment dbt` and four arguments: the target, the package, a
folder for dbt's files, and the file of the streams' columns with their types in that warehouse.
Prints the names of the models.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import sqlglot
from dbt.adapters.bigquery import BigQueryAdapter, BigQueryColumn
from dbt.adapters.snowflake import SnowflakeAdapter, SnowflakeColumn
from dbt.cli.main import dbtRunner

ADAPTERS = {
    "bigquery": (BigQueryAdapter, BigQueryColumn),
    "snowflake": (SnowflakeAdapter, SnowflakeColumn),
}


def main(target: str, package: str, folder: Path, columns: Path) -> None:
    """Compile and parse. Raises what dbt or sqlglot raise."""
    adapter, column = ADAPTERS[target]
    tables = json.loads(columns.read_text())

    def columns_of(_: object, relation: Any) -> list[Any]:
        types = tables[relation.identifier.lower()]
        return [column(name, data_type) for name, data_type in types.items()]

    # These two are all that the package asks the warehouse.
    with (
        mock.patch.object(adapter, "get_columns_in_relation", columns_of),
        # dbt does not call a mock, so no return_value.
        mock.patch.object(adapter, "get_relation", lambda *_, **__: None),  # noqa: PT008
    ):
        result = dbtRunner().invoke(
            [
                *("compile", "--quiet", "--project-dir", package, "--profiles-dir", str(folder)),
                *("--target", target, "--target-path", str(folder / target)),
                *("--log-path", str(folder / target), "--no-introspect", "--no-populate-cache"),
            ]
        )
    if not result.success:
        raise result.exception or RuntimeError(f"dbt compile failed for {target}")
    compiled = sorted((folder / target / "compiled" / "ats" / "models").rglob("*.sql"))
    for path in compiled:
        statements = sqlglot.parse(path.read_text("utf-8"), dialect=target)
        if [type(each) for each in statements] not in ([sqlglot.exp.Select], [sqlglot.exp.Union]):
            raise ValueError(f"{path.name}: not one query")
    models = [path for path in compiled if not path.parent.name.endswith(".yml")]
    print(json.dumps(sorted(path.stem for path in models)))  # noqa: T201 - its caller reads it


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
