"""Airbyte's own referee for destinations: `pyab destination-smoke-test --scenarios=all`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.writer import COMMAND, OPEN, Writer

PROGRAMS = Path(sys.executable).parent

# In a process of its own: merely importing the package warns of this and that.
NAMES = """
import json
from airbyte._util.destination_smoke_tests import PREFLIGHT_STREAM_NAME
from airbyte.cli.smoke_test_source._scenarios import PREDEFINED_SCENARIOS
print(json.dumps([PREFLIGHT_STREAM_NAME, *(each["name"] for each in PREDEFINED_SCENARIOS)]))
"""
OFFLINE = {**os.environ, "AIRBYTE_OFFLINE_MODE": "1", "DO_NOT_TRACK": "1"}

FIELDS = [
    {"comeet_field": "first_name", "expression": "name || 'Made'"},
    {"comeet_field": "last_name", "expression": "join(' ', ['Up', to_string(id)])"},
]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    """A writer of all the referee's streams, with a ledger."""
    with Sandbox.start(candidates=10) as sandbox:
        made = Writer(sandbox, tmp_path)
        names = json.loads(
            subprocess.run(
                [sys.executable, "-c", NAMES], env=OFFLINE, capture_output=True, check=True
            ).stdout.splitlines()[-1]
        )
        made.config["streams"] = [
            {
                "stream": name,
                "mapping": {"mapping_type": "custom", "fields": FIELDS},
                "position_uid": OPEN,
            }
            for name in names
        ]
        made.config["rejected_path"] = str(tmp_path / "rejected.jsonl")
        assert made.check().status()["status"] == "SUCCEEDED"
        yield made


def test_every_scenario_is_accepted_or_rejected_cleanly(writer: Writer) -> None:
    writer.arguments("check")
    done = subprocess.run(
        [
            PROGRAMS / "pyab",
            "destination-smoke-test",
            f"--destination={COMMAND[0]}",
            f"--config={writer.folder / 'config.json'}",
            "--scenarios=all",
        ],
        cwd=writer.folder,
        env={**OFFLINE, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"},
        capture_output=True,
        check=False,
        timeout=1100,
    )
    output = done.stdout.decode()
    assert done.returncode == 0, output + done.stderr.decode()
    result = yaml.safe_load(output[output.index("{") :])
    assert result["success"], result
    assert result["preflight_passed"]
    assert result["records_delivered"] >= 1000

    refused = [
        json.loads(line) for line in (writer.folder / "rejected.jsonl").read_text().splitlines()
    ]
    held = [each["partner_candidate_id"] for each in writer.truth()]
    assert len(held) == len(set(held))
    assert len(held) > 1000
    # What nothing tells apart cannot be written without creating it again each time.
    without_key = [each for each in refused if each["stream"] == "schema_with_no_primary_key"]
    assert without_key
    assert all(each["refusals"][0]["reason"] for each in refused)
