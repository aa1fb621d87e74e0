"""Programs that run Airbyte's sources without Airbyte: airbyte-serverless, and Meltano's SDK.

Meltano's own wrapper, `tap-airbyte-wrapper`, is in no package index; its records and schemas go
through the Singer SDK, which is tested here with every row of the sandbox.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from integration_tests.sandbox.running import PROJECT
from integration_tests.support import doc_blocks, environments, sandbox_script
from integration_tests.support.connector import SOURCE, parsed

Rows = dict[str, list[dict[str, Any]]]
"""The rows of each stream, in their order."""

PEOPLE = 40
OF_THE_READ = {"read_at", "as_of", "resume"}
"""The columns that depend on when a row was read; the link to a resume expires after that."""


@pytest.fixture(scope="module")
def programs() -> Path:
    """The programs of the environment for clients."""
    return environments.programs("clients")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a running sandbox, with its ready files and one read of all streams."""
    made = tmp_path_factory.mktemp("sandbox")
    with sandbox_script.running(made, PEOPLE):
        with (made / "first.jsonl").open("wb") as output:
            subprocess.run(
                [SOURCE, "read", "--config", "source.json", "--catalog", "catalog.json"],
                cwd=made,
                stdout=output,
                check=True,
            )
        yield made


@pytest.fixture(scope="module")
def sent(folder: Path) -> Rows:
    """The rows that the connector printed."""
    rows: Rows = defaultdict(list)
    for message in parsed((folder / "first.jsonl").read_bytes()):
        if message["type"] == "RECORD":
            rows[message["record"]["stream"]].append(message["record"]["data"])
    return rows


def keyed(rows: Rows, folder: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of each stream by their primary key."""
    catalog = json.loads((folder / "catalog.json").read_text())
    keys = {
        each["stream"]["name"]: each["stream"]["source_defined_primary_key"][0][0]
        for each in catalog["streams"]
    }
    return {stream: {row[keys[stream]]: row for row in rows[stream]} for stream in keys}


def test_the_singer_sdk_passes_every_value_on(programs: Path, folder: Path, sent: Rows) -> None:
    tap = PROJECT / "integration_tests" / "support" / "singer_tap.py"
    done = subprocess.run(
        [programs / "python", tap, "catalog.json", "first.jsonl"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    messages = [json.loads(line) for line in done.stdout.split("\n")[:-1]]
    assert {each["stream"] for each in messages if each["type"] == "SCHEMA"} == sent.keys()
    passed_on: Rows = defaultdict(list)
    for message in messages:
        if message["type"] == "RECORD":
            passed_on[message["stream"]].append(message["record"])
    assert len(sent) == 20
    for stream, rows in sent.items():
        # Also true and 1 are different here.
        assert list(map(json.dumps, map(in_order, passed_on[stream]))) == list(
            map(json.dumps, map(in_order, rows))
        ), stream


def in_order(value: Any) -> Any:
    """Return a value with the names of its objects in order."""
    if isinstance(value, Mapping):
        return {name: in_order(value[name]) for name in sorted(value)}
    return [in_order(each) for each in value] if isinstance(value, list) else value


def test_airbyte_serverless_reads_every_stream(programs: Path, folder: Path, sent: Rows) -> None:
    (documented,) = (
        block.text
        for block in doc_blocks.blocks(PROJECT / "docs" / "other_clients.md")
        if "abs run" in block.text
    )
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", documented],
        cwd=folder,
        env={**os.environ, "PATH": f"{SOURCE.parent}:{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=1100,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    loaded: Rows = defaultdict(list)
    table = ""
    for line in (folder / "loaded.txt").read_text().split("\n"):
        if line.startswith("_AIRBYTE_"):
            table = line.strip().lower()
        elif table.startswith("_airbyte_raw_") and line.startswith('{"_airbyte_raw_id"'):
            row = json.loads(json.loads(line)["_airbyte_data"])
            loaded[table.removeprefix("_airbyte_raw_")].append(row)
    ours, theirs = keyed(sent, folder), keyed(loaded, folder)
    assert all(ours.values())
    for stream, rows in ours.items():
        assert theirs[stream] == {
            # Read at another moment, the rest is the same.
            key: {**row, **{name: theirs[stream][key][name] for name in row.keys() & OF_THE_READ}}
            for key, row in rows.items()
        }, stream
