"""The main job, shown: fake vendors on this machine, read by PyAirbyte into a DuckDB file, twice.

Started by `scripts/demo`. Needs no account and no network.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import Connector, catalog
from integration_tests.support.every_stream import configuration

if TYPE_CHECKING:
    from airbyte.caches import DuckDBCache
    from airbyte.sources import Source

DATABASE = Path("demo.duckdb")


@dataclass(frozen=True, slots=True)
class Shown:
    """A stream as the demo shows it."""

    stream: str
    endpoints: str
    """The sandbox's names of the calls that the stream makes."""
    deleted: str
    """The SQL condition by which a deleted row is known."""


STREAMS = (
    Shown("candidates", "kombo.candidates", "remote_deleted_at IS NOT NULL"),
    Shown("kombo_applications", "kombo.applications", "remote_deleted_at IS NOT NULL"),
    Shown("kombo_jobs", "kombo.jobs", "remote_deleted_at IS NOT NULL"),
    Shown("profiles", "talemetry.*", "is_deleted"),
    Shown("atz_candidates", "atz_crm.candidates", "false"),
    Shown("atz_deals", "atz_crm.deals", "false"),
    Shown("candidate_history", "atz_crm.history", "false"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """What one run did to one stream."""

    run: str
    stream: str
    rows: int
    new: int
    changed: int
    deleted: int
    requests: int
    seconds: float


def main(argv: Sequence[str]) -> None:
    """Run the demo and print what it did."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__.split("\n")[0])
    parser.add_argument("--candidates", type=int, default=2_000, help="how many people there are")
    parser.add_argument("--into", type=Path, default=DATABASE, help="the DuckDB file")
    arguments = parser.parse_args(argv)
    # PyAirbyte shall neither look for connectors on the network nor send usage data.
    os.environ["AIRBYTE_OFFLINE_MODE"] = "1"
    os.environ["DO_NOT_TRACK"] = "1"
    arguments.into.unlink(missing_ok=True)
    with Sandbox.start(candidates=arguments.candidates) as sandbox:
        print(f"Fake vendors listen at {sandbox.url}, {arguments.candidates:,} people in each.")
        lines = demonstrate(sandbox, arguments.candidates, arguments.into)
    print()
    print_table(lines)
    query = "SELECT first_name, last_name, title, remote_deleted_at FROM ats.candidates LIMIT 5"
    print(f"\nAll rows are in {arguments.into}. To look at some of them:\n")
    print(".venv/bin/python - <<'END'")
    print(f"import duckdb\nduckdb.connect('{arguments.into}').sql('{query}').show()\nEND")


def demonstrate(sandbox: Sandbox, people: int, database: Path) -> list[Line]:
    """Read everything, let time pass, read again; return what each run did."""
    with tempfile.TemporaryDirectory() as scratch:
        with quiet():
            # PyAirbyte's import takes seconds, and it reads the variables set above.
            import airbyte  # noqa: PLC0415
            from airbyte.caches import DuckDBCache  # noqa: PLC0415

            source = airbyte.get_source(
                "source-ats",
                config=configuration(sandbox),
                local_executable=Path(sys.executable).with_name("source-ats"),
            )
            cache = DuckDBCache(db_path=database, schema_name="ats", cache_dir=Path(scratch))
            settings = source.config_spec["properties"]
        said("spec", f"settings: {', '.join(settings)}")
        with quiet():
            source.check()
        said("check", "all systems can be read")
        said("discover", ", ".join(source.get_available_streams()))
        source.select_streams([shown.stream for shown in STREAMS])
        lines = read("full", source, cache, sandbox)
        sandbox.advance(86_400)
        pass_time(sandbox, people)
        sandbox.advance(3_600)
        lines += read("incremental", source, cache, sandbox)
        write_to_comeet(sandbox, cache, Path(scratch))
        return lines


def pass_time(sandbox: Sandbox, people: int) -> None:
    """Let a day's work be done in the fake systems, by so many people as there are."""

    def wish(**counts: int) -> dict[str, int]:
        return {what: max(1, count * min(people, 2_000) // 2_000) for what, count in counts.items()}

    sandbox.control("/_control/kombo/change", wish(new=60, changed=90, nested=40, deleted=15))
    for model in ("applications", "jobs"):
        changes = wish(new=2, changed=5, nested=2, deleted=1)
        sandbox.control("/_control/kombo/change", {"model": model, **changes})
    sandbox.control("/_control/atz_crm/change_deals", wish(new=5, changed=9, deleted=2))
    sandbox.control("/_control/talemetry/change", wish(new=50, changed=120, deleted=10))
    sandbox.control(
        "/_control/atz_crm/change", wish(new=40, moved_stage=90, edited_comment=20, deleted=10)
    )


def read(run: str, source: Source, cache: DuckDBCache, sandbox: Sandbox) -> list[Line]:
    """Read all streams into the file, and return what that did to each table."""
    before = {shown.stream: known(cache, shown) for shown in STREAMS}
    sandbox.reset_log()
    began = time.monotonic()
    with quiet():
        result = source.read(cache=cache)
    seconds = time.monotonic() - began
    said(f"read, {run}", f"{result.processed_records:,} rows in {seconds:.1f} s")
    lines = []
    for shown in STREAMS:
        old, now = before[shown.stream], known(cache, shown)
        touched = [key for key in now if key not in old or now[key] != old[key]]
        new = [key for key in touched if key not in old]
        deleted = [key for key in touched if key in old and now[key][0] and not old[key][0]]
        lines.append(
            Line(
                run=run,
                stream=shown.stream,
                rows=len(touched),
                new=len(new),
                changed=len(touched) - len(new) - len(deleted),
                deleted=len(deleted),
                requests=len(sandbox.log(shown.endpoints)),
                seconds=seconds,
            )
        )
    return lines


def known(cache: DuckDBCache, shown: Shown) -> dict[str, tuple[bool, object]]:
    """Return each row's key, whether it is deleted, and when it was read."""
    with cache.get_sql_engine().connect() as connection:
        if not sqlalchemy.inspect(connection).has_table(shown.stream, schema="ats"):
            return {}
        query = f"SELECT id, {shown.deleted}, _airbyte_extracted_at FROM ats.{shown.stream}"  # noqa: S608 - our own names
        rows = connection.execute(sqlalchemy.text(query)).all()
    return {key: (deleted, read_at) for key, deleted, read_at in rows}


def write_to_comeet(sandbox: Sandbox, cache: DuckDBCache, folder: Path) -> None:
    """Send candidates and profiles to the fake Comeet through a pipe, twice, and say what came."""
    jobs = (
        "SELECT DISTINCT unnest(json_extract_string(applications, '$[*].job.id')) FROM"
        " ats.candidates"
    )
    with cache.get_sql_engine().connect() as connection:
        job_ids = [job for (job,) in connection.execute(sqlalchemy.text(jobs)) if job]
    shown = [
        each for each in sandbox.look("/_control/comeet/positions") if each["status"] == "open"
    ]
    config = {
        "api_key": "comeet-key",
        "secret": "comeet-secret",
        "base_url": f"{sandbox.url}/comeet",
        "requests_per_minute": 100_000,
        "ledger": {"ledger_type": "sqlite", "path": str(folder / "ledger.sqlite")},
        "streams": [
            {
                "stream": "candidates",
                "mapping": {"mapping_type": "kombo_candidates"},
                "position_uid": shown[0]["uid"],
                "positions": [
                    {"job_id": job, "position_uid": shown[number % len(shown)]["uid"]}
                    for number, job in enumerate(job_ids)
                ],
            },
            {
                "stream": "profiles",
                "mapping": {"mapping_type": "talemetry_profiles"},
                "position_uid": shown[0]["uid"],
            },
        ],
    }
    program = Path(sys.executable).parent
    source_config = {
        name: section for name, section in configuration(sandbox).items() if name != "atz_crm"
    }
    files = {
        "source": source_config,
        "comeet": config,
        "catalog": catalog("candidates", "profiles"),
    }
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    read = f"{program}/source-ats read --config source.json --catalog catalog.json"
    write = f"{program}/destination-comeet write --config comeet.json --catalog catalog.json"
    check = f"{program}/destination-comeet check --config comeet.json"
    subprocess.run(check.split(), cwd=folder, check=True, stdout=subprocess.DEVNULL)
    piped = ["/bin/bash", "-c", f"set -o pipefail; {read} | {write}"]
    for run in ("first", "again"):
        before = sandbox.look("/_control/comeet/summary")["created"]
        began = time.monotonic()
        done = subprocess.run(piped, cwd=folder, check=True, stdout=subprocess.PIPE)
        seconds = time.monotonic() - began
        created = sandbox.look("/_control/comeet/summary")["created"] - before
        said(f"into Comeet, {run}", f"{created:,} candidates created in {seconds:.1f} s")
        last = json.loads(done.stdout.splitlines()[-1])
        for part in last["log"]["message"].removeprefix("Finished: ").split("; "):
            said("", part)
    duplicates = sandbox.look("/_control/comeet/summary")["duplicates"]
    said("", f"{duplicates} created twice")
    say_what_became_of_them(sandbox, folder)


def say_what_became_of_them(sandbox: Sandbox, folder: Path) -> None:
    """Let recruiters decide on some of those in the fake Comeet, and read them from there."""
    for status, fraction in (("Rejected", 0.3), ("Hired", 0.05)):
        wish = {"uids": "all", "status": status, "fraction": fraction}
        sandbox.control("/_control/comeet/move", wish)
    reader = Connector(folder, {"comeet": configuration(sandbox)["comeet"]})
    rows = reader.read("comeet_candidates").records("comeet_candidates")
    became = Counter(row["status"] for row in rows)
    told = ", ".join(f"{count:,} {status.lower()}" for status, count in became.most_common())
    said("out of Comeet", f"what became of them: {told}")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hide PyAirbyte's own progress and the warnings of its libraries; failures still come out."""
    with (
        warnings.catch_warnings(action="ignore"),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        yield


def said(what: str, outcome: str) -> None:
    """Print that a step is done."""
    print(f"  {what:<18} {outcome}", flush=True)


def print_table(lines: Sequence[Line]) -> None:
    """Print the lines as a table."""
    heads = ("run", "stream", "rows", "new", "changed", "deleted", "requests", "seconds")
    cells = [
        (
            line.run,
            line.stream,
            *(f"{n:,}" for n in (line.rows, line.new, line.changed, line.deleted, line.requests)),
            f"{line.seconds:.1f}",
        )
        for line in lines
    ]
    widths = [max(len(row[i]) for row in [heads, *cells]) for i in range(len(heads))]
    for row in [heads, tuple("─" * width for width in widths), *cells]:
        texts = [
            text.ljust(width) if i < 2 else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  " + "  ".join(texts))


if __name__ == "__main__":
    main(sys.argv[1:])
