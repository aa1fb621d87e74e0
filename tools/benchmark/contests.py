"""Who runs against whom: for each contest the commands, in the order in which they take turns."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tools.benchmark.measuring import PROJECT
from tools.benchmark.opponents import INTEGRATION, POSITION
from tools.benchmark.scale import Scale
from tools.manifest.document import manifest

Command = Sequence[str]

OURS = "source-ats"
WRITER = "destination-comeet"
FLOOR = "plain loop"
MANIFEST = "CDK manifest"
HTTP_STREAM = "CDK HttpStream"
DLT = "dlt rest_api"
SINGER = "Singer SDK"

HERE = Path(sys.executable).parent
THERE = PROJECT / ".tmp" / "benchmark" / "bin"
"""The opponents' environment; made by `scripts/bench`."""
OPPONENTS = "tools.benchmark.opponents"
PROGRAM = str(HERE / "source-ats")
UNPACED = [sys.executable, "-m", "tools.benchmark.unpaced"]
CDK_WORKERS = 4
STREAMS = ("candidates", "candidate_history", "profiles")


@dataclass(frozen=True, slots=True)
class Files:
    """What the commands need, in one folder. `out` is emptied before each run."""

    folder: Path
    url: str

    @property
    def out(self) -> Path:
        """Where a run may write."""
        return self.folder / "out"

    def write(self, name: str, content: object) -> str:
        """Write a file, JSON unless it is text, and return its path."""
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)


def integration_ids(count: int) -> list[str]:
    """Return the ids of this many integrations of Kombo."""
    return [f"{INTEGRATION}{number}" for number in range(count)]


def reads(
    files: Files, stream: str, *, integrations: int = 1, in_flight: int = 1
) -> dict[str, Command]:
    """Return how each one reads a stream.

    `in_flight`: how many requests the others may send at a time, as far as they can.
    """
    url = files.url
    ids = integration_ids(integrations)
    # One worker is not enough for the CDK, whose own default is more.
    workers = max(in_flight, CDK_WORKERS)
    their_config = {"url": url, "integration_ids": ids, "in_flight": workers}
    config = files.write("theirs.json", their_config)
    catalog = files.write(f"{stream}.json", catalog_of(stream))
    ours = files.write("source.json", source_config(url, ids))
    singer_config = {"url": url, "stream": stream, "integration_ids": ids}
    singer = files.write(f"singer-{stream}.json", singer_config)
    counts = [str(in_flight), str(integrations)]
    python = str(THERE / "python")
    by_manifest = source_config(url, ids)
    by_manifest["kombo"]["concurrent_requests"] = workers
    # One window: it cannot list everybody without one.
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="seconds")
    manifest_config = files.write("manifest.json", {**by_manifest, "start_date": yesterday})
    arguments = ["read", "--config", config, "--catalog", catalog]
    commands: dict[str, Command] = {
        OURS: [
            *(UNPACED if stream == "candidate_history" else [PROGRAM]),
            *["read", "--config", ours, "--catalog", catalog],
        ],
        FLOOR: [python, "-m", f"{OPPONENTS}.plain", url, stream]
        + ([str(integrations)] if stream == "candidates" else []),
        HTTP_STREAM: [python, "-m", f"{OPPONENTS}.http_stream", *arguments],
        DLT: [python, "-m", f"{OPPONENTS}.dlt_source", url, stream, str(files.out), *counts],
        SINGER: [python, "-m", f"{OPPONENTS}.singer_tap", "--config", singer],
        MANIFEST: [
            str(THERE / "source-declarative-manifest"),
            *["read", "--config", manifest_config, "--catalog", catalog],
            *["--manifest-path", files.write("manifest.yaml", _unpaced_manifest())],
        ],
    }
    if stream == "profiles":
        # The same parsing as ours; the others pass people on as they are.
        commands[FLOOR] = [sys.executable, "-m", f"{OPPONENTS}.plain_profiles", url]
    return commands


def _unpaced_manifest() -> dict[str, object]:
    """Return the manifest for Airbyte Cloud without the pace of ATZ CRM's rate limit."""
    return {name: each for name, each in manifest().items() if name != "api_budget"}


def posts(files: Files, scale: Scale) -> tuple[Path, dict[str, Command], Command]:
    """Return a file of people, how each one writes them, and what makes the ledger first."""
    people = files.folder / "people.jsonl"
    with people.open("wb") as file:
        file.writelines(_people(scale.posts))
    config = files.write("destination.json", _destination_config(files))
    catalog = files.write("people.json", catalog_of("people"))
    program = str(HERE / "destination-comeet")
    commands: dict[str, Command] = {
        WRITER: [program, "write", "--config", config, "--catalog", catalog],
        FLOOR: [str(THERE / "python"), "-m", f"{OPPONENTS}.plain_posts", files.url, str(people)],
    }
    return people, commands, [program, "check", "--config", config]


def new_ledger(files: Files, make_ledger: Command) -> None:
    """Replace the ledger by an empty one."""
    for file in files.folder.glob("ledger.db*"):
        file.unlink()
    subprocess.run(make_ledger, check=True, stdout=subprocess.DEVNULL)


def spec() -> Command:
    """Return how to ask for the form."""
    return [PROGRAM, "spec"]


def source_config(url: str, ids: Sequence[str]) -> dict[str, dict[str, object]]:
    """Return the configuration of all vendors but Comeet."""
    return {
        "kombo": {
            "api_key": "bench",
            "integration_ids": ids,
            "base_url": f"{url}/kombo/v1",
        },
        "talemetry": {
            "credentials": {"auth_type": "token", "token": "bench"},
            "ids_base_url": f"{url}/talemetry",
            "profiles_base_url": f"{url}/talemetry",
        },
        "atz_crm": {"access_token": "bench", "base_url": f"{url}/atz_crm/v1"},
    }


def _destination_config(files: Files) -> Mapping[str, object]:
    return {
        "api_key": "bench",
        "secret": "bench",
        "streams": [
            {"stream": "people", "mapping": {"mapping_type": "comeet"}, "position_uid": POSITION}
        ],
        "ledger": {"ledger_type": "sqlite", "path": str(files.folder / "ledger.db")},
        "requests_per_minute": 1_000_000,
        "base_url": f"{files.url}/comeet",
    }


def catalog_of(*streams: str) -> Mapping[str, object]:
    """Return a catalog with these streams, read whole."""
    about: dict[str, object] = {
        "json_schema": {},
        "supported_sync_modes": ["full_refresh", "incremental"],
        "source_defined_primary_key": [["id"]],
    }
    configured: dict[str, object] = {
        "sync_mode": "full_refresh",
        "destination_sync_mode": "append_dedup",
        "primary_key": [["id"]],
    }
    return {"streams": [{"stream": {"name": name, **about}, **configured} for name in streams]}


def _people(count: int) -> Iterator[bytes]:
    for number in range(count):
        data = {
            "id": number,
            "first_name": "Mira",
            "last_name": f"Solberg {number}",
            "email": f"mira{number}@example.org",
            "phone": "+00 555 0000000",
        }
        record = {"stream": "people", "data": data, "emitted_at": 1}
        yield json.dumps({"type": "RECORD", "record": record}).encode() + b"\n"
        if number % 250 == 249 or number == count - 1:
            stream = {"stream_descriptor": {"name": "people"}, "stream_state": {"done": number}}
            state = {"type": "STREAM", "stream": stream}
            yield json.dumps({"type": "STATE", "state": state}).encode() + b"\n"
