"""The fake vendors for a person, with ready files for both connectors. `scripts/sandbox` runs it.

The demo uses the same configurations and lets the same day pass.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.every_stream import configuration

PROGRAMS = Path(sys.executable).parent

SOURCE, DESTINATION, CATALOG = "source.json", "destination.json", "catalog.json"
LEDGER = "ledger.db"
REJECTED = "rejected.jsonl"

DAY_SECONDS = 86_400


def main(arguments: Sequence[str]) -> int:
    """Serve until Ctrl-C. A line on standard input lets a day pass."""
    parser = argparse.ArgumentParser(prog="scripts/sandbox", description=__doc__.partition("\n")[0])
    parser.add_argument("--candidates", type=int, default=300, help="people per vendor (300)")
    parser.add_argument(
        "--folder", type=Path, default=Path("sandbox"), help="where the files go (sandbox)"
    )
    parser.add_argument("--port", type=int, default=0, help="default: any free port")
    options = parser.parse_args(arguments)
    folder = options.folder.resolve()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stop is a stop
    with suppress(KeyboardInterrupt), started(options.candidates, options.port) as sandbox:
        write_files(sandbox, folder)
        say(welcome(sandbox, folder))
        for _ in sys.stdin:
            pass_day(sandbox, options.candidates)
            say("A day has passed: people were added, changed and deleted in all four systems.")
        assert sandbox.process is not None  # noqa: S101 - it was started here
        sandbox.process.join()
        say(f"The fake vendors ended by themselves, with code {sandbox.process.exitcode}.")
        return 1
    say(f"\nThe fake vendors have stopped. The files are still in {folder}.")
    return 0


def say(text: str) -> None:
    """Print at once, also where the output is a file or a pipe."""
    print(text, flush=True)


@contextmanager
def started(candidates: int, port: int = 0) -> Iterator[Sandbox]:
    """Start the fake vendors. Comeet has people too, of whom two were deleted."""
    with Sandbox.start(candidates=candidates, port=port) as sandbox:
        # Without recent changes, `check` warns that Talemetry does not track them.
        sandbox.control("/_control/talemetry/change", {"changed": 3})
        sandbox.advance(3_600)
        sandbox.control("/_control/comeet/fill", {"count": max(5, candidates // 15)})
        erase_from_comeet(sandbox, 2)
        yield sandbox


def pass_day(sandbox: Sandbox, candidates: int) -> None:
    """Make a day pass in which people work with the four systems."""

    def in_proportion(**counts: int) -> dict[str, int]:
        return {
            change: max(1, count * min(candidates, 2_000) // 2_000)
            for change, count in counts.items()
        }

    sandbox.advance(DAY_SECONDS)
    changes = in_proportion(new=60, changed=90, nested=40, deleted=15)
    sandbox.control("/_control/kombo/change", changes)
    for model in ("applications", "jobs"):
        changes = in_proportion(new=2, changed=5, nested=2, deleted=1)
        sandbox.control("/_control/kombo/change", {"model": model, **changes})
    notes = in_proportion(new=20, changed=5, deleted=2)
    sandbox.control("/_control/kombo/change", {"model": "notes", **notes})
    sandbox.control("/_control/talemetry/change", in_proportion(new=50, changed=120, deleted=10))
    sandbox.control("/_control/atz_crm/change_deals", in_proportion(new=5, changed=9, deleted=2))
    sandbox.control(
        "/_control/atz_crm/change",
        in_proportion(new=40, moved_stage=90, edited_comment=20, touched=30, deleted=10),
    )
    sandbox.control("/_control/comeet/fill", in_proportion(count=5))
    decide_in_comeet(sandbox, Rejected=0.2)
    erase_from_comeet(sandbox, 1)
    second = sandbox.look("/_control/comeet/positions")[1]["uid"]
    sandbox.control("/_control/comeet/edit_position", {"uid": second, "status": "on hold"})
    sandbox.advance(3_600)


def decide_in_comeet(sandbox: Sandbox, **fractions: float) -> None:
    """Make recruiters give a status to a fraction of those who do not have it."""
    for status, fraction in fractions.items():
        decision = {"uids": "all", "status": status, "fraction": fraction}
        sandbox.control("/_control/comeet/move", decision)


def erase_from_comeet(sandbox: Sandbox, count: int) -> None:
    """Delete the candidates who have been in Comeet longest."""
    people = sandbox.truth("/_control/comeet/truth")
    uids = [each["uid"] for each in people if not each["deleted"]][:count]
    sandbox.control("/_control/comeet/erase", {"uids": uids})


def destination_configuration(sandbox: Sandbox, folder: Path) -> dict[str, Any]:
    """Return a configuration that writes candidates and profiles; its ledger is in the folder."""
    open_positions = [
        each["uid"]
        for each in sandbox.look("/_control/comeet/positions")
        if each["status"] == "open"
    ]
    jobs = sorted(
        {
            application["job"]["id"]
            for integration in sandbox.look("/_control/kombo/integrations")
            for person in sandbox.truth(
                "/_control/kombo/truth", integration_id=integration["id"], model="candidates"
            )
            for application in person["applications"] or ()
            if application["job"]
        }
    )
    return {
        "api_key": "comeet-key",
        "secret": "comeet-secret",
        "base_url": f"{sandbox.url}/comeet",
        "requests_per_minute": 100_000,
        "file_hosts": [urlsplit(sandbox.url).hostname],
        "ledger": {"ledger_type": "sqlite", "path": str(folder / LEDGER)},
        "rejected_path": str(folder / REJECTED),
        "streams": [
            {
                "stream": "candidates",
                "mapping": {"mapping_type": "kombo_candidates"},
                "position_uid": open_positions[0],
                "positions": [
                    {
                        "job_id": job,
                        "position_uid": open_positions[number % len(open_positions)],
                    }
                    for number, job in enumerate(jobs)
                ],
            },
            {
                "stream": "profiles",
                "mapping": {"mapping_type": "talemetry_profiles"},
                "position_uid": open_positions[0],
            },
        ],
    }


def write_files(sandbox: Sandbox, folder: Path) -> None:
    """Write both configurations and a catalog of all streams.

    What `destination-comeet` kept of an earlier sandbox is removed: this one has forgotten it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for kept in (*folder.glob(f"{LEDGER}*"), *folder.glob(REJECTED)):
        kept.unlink()
    write_json(folder / SOURCE, configuration(sandbox))
    write_json(folder / DESTINATION, destination_configuration(sandbox, folder))
    discovered = subprocess.run(
        [PROGRAMS / "source-ats", "discover", "--config", folder / SOURCE],
        stdout=subprocess.PIPE,
        check=True,
    )
    messages = map(json.loads, discovered.stdout.splitlines())
    (catalog,) = (each["catalog"] for each in messages if each["type"] == "CATALOG")
    write_json(folder / CATALOG, configured_catalog(catalog["streams"]))


def configured_catalog(streams: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a catalog that reads all these streams incrementally."""
    return {
        "streams": [
            {
                "stream": stream,
                "sync_mode": "incremental",
                "destination_sync_mode": "append_dedup",
                "primary_key": stream["source_defined_primary_key"],
            }
            for stream in streams
        ]
    }


def write_json(path: Path, content: object) -> None:
    """Write a file that a person reads."""
    path.write_text(json.dumps(content, indent=2) + "\n")


def welcome(sandbox: Sandbox, folder: Path) -> str:
    """Say what runs, and what to try."""
    return f"""\
Kombo, Talemetry, ATZ CRM and Comeet are imitated at {sandbox.url},
with made-up people. Nothing leaves this machine.

Files in {folder}:
  {SOURCE:<17} the configuration of source-ats
  {DESTINATION:<17} the configuration of destination-comeet
  {CATALOG:<17} all streams, to be read incrementally

Try in another terminal:

  cd {folder} && source {PROGRAMS}/activate

  source-ats check --config {SOURCE}

  source-ats read --config {SOURCE} --catalog {CATALOG} > first.jsonl

  destination-comeet check --config {DESTINATION} && \\
  destination-comeet write --config {DESTINATION} --catalog {CATALOG} < first.jsonl \\
    | tail -n 2

docs/quick_start.md continues from there with the same files.
Press Enter to let a day pass in the fake systems, and Ctrl-C to stop them."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
