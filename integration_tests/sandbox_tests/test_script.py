"""`scripts/sandbox`: what it says is what can be done. The quick start on it: `test_docs.py`."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest
import requests

from integration_tests.support import sandbox_script
from integration_tests.support.connector import parsed


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def commands(said: bytes) -> list[str]:
    """Return the commands that it proposes, each with the lines that belong to it."""
    _, _, rest = said.decode().partition("Try in another terminal:")
    found = re.split(r"\n\n(?=  \S)", rest.partition("\ndocs/quick_start.md")[0])
    return [each.strip() for each in found if each.strip()]


def test_the_commands_that_it_proposes_work_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "sandbox"
    with sandbox_script.running(folder, 20) as (sandbox, _, said):
        enter, *proposed = commands(said)
        assert len(proposed) == 3
        shown = []
        for command in proposed:
            done = run(f"{enter}\n{command}", tmp_path)
            assert done.returncode == 0, done.stdout + done.stderr
            assert "track_candidate_last_changes" not in done.stdout, "check warns of Talemetry"
            shown.append(done.stdout)
        # The last one shows the summary of the write.
        assert '"message":"Finished: ' in shown[-1]
        assert sandbox.look("/_control/comeet/summary")["duplicates"] == 0
        assert sandbox.counts()["comeet.create"]["201"] > 0
    messages = parsed((folder / "first.jsonl").read_bytes())
    catalog = json.loads((folder / "catalog.json").read_text())
    streams = {each["stream"]["name"] for each in catalog["streams"]}
    assert len(streams) == 20
    assert {each["record"]["stream"] for each in messages if each["type"] == "RECORD"} == streams


def test_enter_lets_a_day_pass_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    with sandbox_script.running(tmp_path, 20) as (sandbox, process, _):
        before = sandbox.now()
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(b"\n")
        stdin.flush()
        assert b"A day has passed" in stdout.readline()
        assert (sandbox.now() - before).total_seconds() >= 86_400
        process.send_signal(signal.SIGINT)
        assert b"have stopped" in stdout.read()
        assert process.wait() == 0
        with pytest.raises(requests.ConnectionError):
            sandbox.now()


def test_a_new_start_forgets_what_was_written_to_an_earlier_comeet(tmp_path: Path) -> None:
    for name in ("ledger.db", "ledger.db-wal", "rejected.jsonl"):
        (tmp_path / name).write_text("of an earlier sandbox")
    (tmp_path / "first.jsonl").write_text("the user's own")
    with sandbox_script.running(tmp_path, 5):
        pass
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {"source.json", "destination.json", "catalog.json", "first.jsonl"}
