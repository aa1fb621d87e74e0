"""`source-ats read | destination-comeet write`: from Kombo and Talemetry into Comeet."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_tests.sandbox.running import PROJECT, Sandbox
from integration_tests.support.connector import SOURCE, Connector, catalog
from integration_tests.support.writer import (
    COMMAND,
    OPEN,
    SECOND,
    Run,
    Writer,
    configured,
    finished,
)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox of its own: both sides of the pipe, and time that moves."""
    with Sandbox.start(candidates=300) as running:
        yield running


@pytest.fixture
def source(sandbox: Sandbox, tmp_path: Path) -> Connector:
    """Both sources of people."""
    ids = [each["id"] for each in sandbox.look("/_control/kombo/integrations")]
    config = {
        "kombo": {
            "api_key": "ks_dev_sandbox",
            "integration_ids": ids,
            "base_url": f"{sandbox.url}/kombo/v1",
        },
        "talemetry": {
            "credentials": {"auth_type": "token", "token": "TGC-sandbox"},
            "ids_base_url": f"{sandbox.url}/talemetry",
            "profiles_base_url": f"{sandbox.url}/talemetry",
        },
    }
    return Connector(tmp_path, config)


def jobs_of(candidates: list[dict[str, Any]]) -> list[str]:
    """Return the jobs that people applied to."""
    jobs = (each["job"] for row in candidates for each in row["applications"] or ())
    return sorted({job["id"] for job in jobs if job})


def writer_for(source: Connector, sandbox: Sandbox, folder: Path) -> Writer:
    """Return a writer of both streams: half of Kombo's jobs have a position, and so has no job."""
    jobs = jobs_of(source.read("candidates").records())
    positions = [
        {"job_id": job, "position_uid": (OPEN, SECOND)[number % 2]}
        for number, job in enumerate(jobs[: len(jobs) // 2 + 1])
    ]
    writer = Writer(sandbox, folder / "writer")
    writer.folder.mkdir()
    writer.config["streams"] = [
        {
            "stream": "candidates",
            "mapping": {"mapping_type": "kombo_candidates"},
            "position_uid": SECOND,
            "positions": positions,
        },
        {
            "stream": "profiles",
            "mapping": {"mapping_type": "talemetry_profiles"},
            "position_uid": OPEN,
            "positions": [{"job_id": f"REQ-{n}", "position_uid": OPEN} for n in range(100, 106)],
        },
    ]
    writer.config["rejected_path"] = str(writer.folder / "rejected.jsonl")
    writer.catalog = {"streams": [configured("candidates"), configured("profiles")]}
    assert writer.check().status()["status"] == "SUCCEEDED"
    return writer


def piped(source: Connector, writer: Writer) -> tuple[list[dict[str, Any]], Run]:
    """Run both in one pipe; return the records that went through it, and what the writer did."""
    through = writer.folder / "through.jsonl"
    arguments = source.command("read", catalog=catalog("candidates", "profiles"))
    with (
        subprocess.Popen([SOURCE, *arguments], stdout=subprocess.PIPE) as reading,
        subprocess.Popen(["tee", through], stdin=reading.stdout, stdout=subprocess.PIPE) as copying,
        subprocess.Popen(
            [*COMMAND, *writer.arguments("write")],
            stdin=copying.stdout,
            stdout=subprocess.PIPE,
            cwd=PROJECT,
        ) as writing,
    ):
        output, _ = writing.communicate(timeout=250)
        assert reading.wait() == 0
    done = finished(writing.returncode, output, b"")
    assert done.code == 0, done.output
    messages = [json.loads(line) for line in through.read_bytes().splitlines()]
    return [each["record"] for each in messages if each["type"] == "RECORD"], done


def test_people_move_and_move_once(source: Connector, sandbox: Sandbox, tmp_path: Path) -> None:
    writer = writer_for(source, sandbox, tmp_path)
    records, done = piped(source, writer)

    states = done.states()
    counted = sum(each["destinationStats"]["recordCount"] for each in states)
    rejected = sum(each["destinationStats"]["rejectedRecordCount"] for each in states)
    assert counted == len(records) >= 600
    kept = [
        json.loads(line) for line in (writer.folder / "rejected.jsonl").read_bytes().splitlines()
    ]
    assert len(kept) == rejected
    bad = {f"{each['stream']}:{each['record']['id']}" for each in kept}
    rows = {f"{each['stream']}:{each['data']['id']}": each["data"] for each in records}
    truth = writer.truth()
    held = {each["partner_candidate_id"] for each in truth}
    # All others are skipped, and counted.
    assert held | bad <= set(rows)
    *_, skipped = re.findall(r"(\d+) skipped", done.logs())
    assert len(held | bad) + int(skipped) == len(rows)
    times = Counter((each["position_uid"], each["partner_candidate_id"]) for each in truth)
    assert set(times.values()) == {1}
    assert {each["position_uid"] for each in truth} == {OPEN, SECOND}
    assert any(key.startswith("candidates:") for key in held)
    assert any(key.startswith("profiles:") for key in held)
    for each in truth:
        row = rows[each["partner_candidate_id"]]
        assert each["fields"]["last_name"] in (row.get("last_name"), row.get("family_name"))
        assert not row.get("remote_deleted_at")
        assert not row.get("confidential")

    # The same people again: nobody is created, changed, or asked for.
    sandbox.reset_log()
    again, _ = piped(source, writer)
    assert len(again) == len(records)
    assert writer.calls("create") == writer.calls("update") == 0
    assert len(writer.truth()) == len(truth)


def test_candidates_move_with_their_files(
    source: Connector, sandbox: Sandbox, tmp_path: Path
) -> None:
    source.config["kombo"]["candidate_files"] = True
    writer = writer_for(source, sandbox, tmp_path)
    writer.config["file_hosts"] = ["127.0.0.1"]
    records, done = piped(source, writer)
    assert "left out" not in done.logs()
    assert "/kombo_files/" not in done.output
    rows = {f"{each['stream']}:{each['data']['id']}": each["data"] for each in records}
    moved = 0
    for each in writer.truth():
        expected = rows[each["partner_candidate_id"]].get("files") or []
        fields = each["fields"]
        arrived = [*([fields["resume"]] if "resume" in fields else []), *fields.get("files", ())]
        assert sorted(file["name"] for file in arrived) == sorted(
            file["file_name"] for file in expected
        )
        has_cv = any(file["type"] == "CV" and ".pdf" in file["file_name"] for file in expected)
        assert ("resume" in fields) is has_cv
        moved += len(arrived)
    assert moved > 50

    # With new links for the same files, nothing is fetched or sent again.
    sandbox.advance(60)
    sandbox.reset_log()
    piped(source, writer)
    assert "kombo.file" not in sandbox.counts()
    assert writer.calls("create") == writer.calls("add_file") == 0
