"""States as each version of the connector wrote them, one file for each version.

Somebody who moves to a newer version goes on from the state of an older one. So a file is never
changed once its version is released. `python -m integration_tests.support.saved_states`
writes the file of the version that is here; a new stream is added to it that way.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import Connector, Run, catalog
from integration_tests.support.durations import HOUR
from integration_tests.support.every_stream import STREAMS, Case, configuration, fill_comeet

FOLDER = Path(__file__).with_name("states")
CANDIDATES = 120
"""The states tell how far a read of this many candidates had come. The seed is the default one."""
GENERATION = 3
PAGE = 10
ADDRESS = "http://sandbox.example"
"""What stands for the sandbox's address: Comeet's state holds the link to its next page."""


def files() -> dict[str, Any]:
    """Return what was saved, by version."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}


@contextmanager
def world() -> Iterator[Sandbox]:
    """A sandbox in which nothing has happened for an hour."""
    with Sandbox.start(candidates=CANDIDATES) as sandbox:
        fill_comeet(sandbox, CANDIDATES, on_a_page=4)
        sandbox.advance(HOUR)
        yield sandbox


def connector(sandbox: Sandbox, folder: Path) -> Connector:
    """Return the source with all sections and small pages."""
    sections = configuration(sandbox)
    for name in ("kombo", "talemetry", "atz_crm"):
        sections[name]["page_size"] = PAGE
    return Connector(folder, {**sections, "lookback_minutes": 0})


def moved(saved: Any, written_at: datetime, sandbox: Sandbox) -> Any:
    """Return a saved state as if this sandbox's answers had led to it, just now."""
    now = sandbox.now()

    def later(found: re.Match[str]) -> str:
        moment = datetime.fromisoformat(found[0]) - written_at + now
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    text = json.dumps(saved).replace(ADDRESS, sandbox.url)
    return json.loads(re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", later, text))


def write() -> None:
    """Write the file of this version."""
    with world() as sandbox:
        streams = {case.name: dict(_states(case, sandbox)) for case in STREAMS}
        saved = {
            "written_at": sandbox.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "streams": streams,
        }
    path = FOLDER / f"{version('airbyte-source-ats')}.json"
    text = json.dumps(saved, indent=1).replace(sandbox.url, ADDRESS)
    path.write_text(text + "\n", "utf-8")


def _states(case: Case, sandbox: Sandbox) -> Iterator[tuple[str, Any]]:
    """Yield each kind of state, and of whom rows were out when it was written."""
    if case.refuse is not None:
        case.refuse(sandbox)
    with tempfile.TemporaryDirectory() as folder:
        source = connector(sandbox, Path(folder))
        # One after the other, so that some integrations are read and others are not when it stops.
        source.config["kombo"]["concurrent_requests"] = 1
        runs = {"finished": source.read(case.name)}
        if not case.at_once:
            quarter = len(runs["finished"].records(case.name)) / 4
            full = catalog(case.name, mode="full_refresh", generation=GENERATION)
            runs |= {
                "in progress": _stopped(case, sandbox, source, catalog(case.name), quarter),
                "full refresh in progress": _stopped(case, sandbox, source, full, quarter),
            }
    for kind, run in runs.items():
        out = {row[case.counted] for row in run.records(case.name)}
        yield kind, {"state": run.state(case.name), "out": " ".join(sorted(out))}


def _stopped(
    case: Case, sandbox: Sandbox, source: Connector, wanted: dict[str, Any], rows: float
) -> Run:
    """Return a read that was stopped in order, once this many rows were out."""
    sandbox.fault(case.endpoints, "delay", delay_seconds=0.3)
    reading = source.start(catalog=wanted)
    while reading.goes_on() and reading.printed().count(b'"type":"RECORD"') < rows:
        pass
    run = reading.end(signal.SIGTERM)
    sandbox.clear_faults()
    if run.code != 128 + signal.SIGTERM:
        sys.exit(f"The read of {case.name} was over before it could be stopped.")
    return run


if __name__ == "__main__":
    write()
