"""The end of the demo: the dbt package built on the tables, and the report of its marts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from integration_tests.sandbox.running import PROJECT
from tools.demo.screen import Screen

TABLES, MARTS = "ats", "analytics"
"""The schemas of the connector's tables and of the models."""
ONLY_MARTS = (
    *("--select", "+path:models/marts"),
    *("--exclude", "resource_type:test", "resource_type:unit_test"),
)


def report(screen: Screen, database: Path, messages: Sequence[Path], folder: Path) -> None:
    """Build the marts in the database and write the page next to it, or say why not."""
    screen.title("From rows to answers: the dbt package and a report")
    with screen.working("Making the environment of dbt"):
        made = subprocess.run(
            [PROJECT / "scripts" / "environment", "dbt"],
            env={**os.environ, "PYTHON": sys.executable},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    if made.returncode:
        screen.say("There is no report: the environment of dbt could not be made, as said above.")
        return
    programs = Path(made.stdout.strip()) / "bin"
    began = time.monotonic()
    with screen.working("Building the marts"):
        _build(programs / "dbt", database, folder)
    screen.say(f"dbt build: the marts are built, in {time.monotonic() - began:.1f} s.")
    page = database.with_suffix(".html")
    with screen.working("Writing the report"):
        subprocess.run(
            [
                *(str(programs / "python"), "-m", "tools.report", str(database)),
                *(f"--schema={MARTS}", f"--into={page}", "--messages", *map(str, messages)),
            ],
            cwd=PROJECT,
            stdout=subprocess.DEVNULL,
            check=True,
        )
    screen.say_report(page)


def _build(dbt: Path, database: Path, folder: Path) -> None:
    """Build the marts and what they need; `dbt build` alone makes and tests all models."""
    output = {"type": "duckdb", "path": str(database.resolve()), "schema": MARTS, "threads": 2}
    profile = {"ats": {"target": "demo", "outputs": {"demo": output}}}
    (folder / "profiles.yml").write_text(json.dumps(profile), "utf-8")  # JSON is YAML
    done = subprocess.run(
        [
            *(dbt, "build", *ONLY_MARTS, "--vars", json.dumps({"ats_schema": TABLES})),
            *("--project-dir", PROJECT / "dbt", "--profiles-dir", folder),
        ],
        env={
            **os.environ,
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DBT_TARGET_PATH": str(folder / "target"),
            "DBT_LOG_PATH": str(folder / "logs"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"dbt could not build the models:\n{done.stdout}")
