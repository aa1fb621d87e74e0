"""The steps of the demo, in their order. Needs no account and no network."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from integration_tests.sandbox.running import Sandbox
from tools import sandbox as fake
from tools.demo import marts, pipe
from tools.demo.screen import Screen

DATABASE = Path("demo.duckdb")
READS = {
    "first read": "The first read: everything",
    "second read": "The second read: only what changed",
}
"""The names of the files with the messages of each, and the titles of their tables."""


def main(argv: Sequence[str]) -> None:
    """Run all steps, and say what they did."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo", description="Show both connectors at work, without an account."
    )
    parser.add_argument("--candidates", type=int, default=2_000, help="people per vendor (2000)")
    parser.add_argument(
        "--into",
        type=Path,
        default=DATABASE,
        help="the DuckDB file, replaced if it exists (demo.duckdb)",
    )
    parser.add_argument(
        "--no-report",
        dest="report",
        action="store_false",
        help="without the dbt models and the report, which take an environment of their own",
    )
    arguments = parser.parse_args(argv)
    # PyAirbyte neither looks for connectors on the network nor sends usage data.
    os.environ["AIRBYTE_OFFLINE_MODE"] = "1"
    os.environ["DO_NOT_TRACK"] = "1"
    arguments.into.unlink(missing_ok=True)
    screen = Screen()
    with (
        tempfile.TemporaryDirectory() as folder,
        fake.started(arguments.candidates) as sandbox,
    ):
        people = f"{arguments.candidates:,}"
        screen.say(
            f"Four fake vendors run at {sandbox.url}. Kombo, Talemetry and ATZ CRM have {people} "
            "people each, Comeet a few."
        )
        show_source(screen, sandbox, arguments.candidates, arguments.into, Path(folder))
        pipe.write_to_comeet(screen, sandbox, Path(folder))
        pipe.read_outcomes(screen, sandbox, Path(folder))
        if arguments.report:
            messages = [Path(folder) / f"{run}.jsonl" for run in (*READS, *pipe.WRITES)]
            marts.report(screen, arguments.into, messages, Path(folder))
    screen.say_next(arguments.into)


def show_source(
    screen: Screen, sandbox: Sandbox, candidates: int, database: Path, folder: Path
) -> None:
    """Read everything into the database, let a day pass, and read what changed."""
    screen.title("source-ats into a DuckDB file, with PyAirbyte")
    with screen.working("Starting PyAirbyte"):
        from tools.demo.warehouse import Warehouse  # noqa: PLC0415 - takes seconds

        warehouse = Warehouse(sandbox, database, folder)
    with screen.working("Checking the configuration"):
        warehouse.check()
    screen.say("check: all four systems can be read.")
    screen.say(f"discover: there are {len(warehouse.streams)} streams.")
    first, second = READS
    warehouse.read(READS[first], screen, folder / f"{first}.jsonl")
    with screen.working("A day passes in the fake systems"):
        fake.pass_day(sandbox, candidates)
    screen.say("A day passes: people are added, changed and deleted in all four systems.")
    warehouse.read(READS[second], screen, folder / f"{second}.jsonl")
    warehouse.close()


if __name__ == "__main__":
    main(sys.argv[1:])
