"""The command line: bad input, closed pipes, and the same messages behind the CDK's entry point."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from destination_comeet import DestinationComeet
from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import SOURCE, Connector, Run, catalog, parsed, state
from integration_tests.support.kombo import integrations, kombo_connector, truth
from source_ats import SourceAts

GOOD = {
    "kombo": {
        "api_key": "ks_dev_canary",
        "integration_ids": ["greenhouse:000000000000000000000000"],
    }
}

BAD_CONFIGS: list[tuple[object, str]] = [
    ("{", "config file"),
    ("[]", "JSON object"),
    ({}, "kombo"),
    ({"kombo": {"region": "eu"}}, "kombo"),
    ({"kombo": {"api_key": "ks_dev_canary"}}, "kombo.integration_ids"),
    ({"kombo": {**GOOD["kombo"], "integration_ids": []}}, "kombo.integration_ids"),
    ({"kombo": {**GOOD["kombo"], "region": "canary"}}, "kombo.region"),
    ({"kombo": {**GOOD["kombo"], "page_size": 251}}, "kombo.page_size"),
    ({"kombo": {**GOOD["kombo"], "base_url": "http://example.com"}}, "kombo.base_url"),
    ({**GOOD, "start_date": "canary"}, "start_date"),
    ({**GOOD, "lookback_minutes": -1}, "lookback_minutes"),
]
BAD_CATALOGS: list[tuple[object, str]] = [
    ("{", "catalog file"),
    ({}, "streams"),
    ({"streams": [{"stream": {}}]}, "name"),
    (catalog(mode="sometimes"), "sync_mode"),
    (catalog("candidates", "candidates"), "candidates"),
    (catalog("unheard_of"), "unheard_of"),
]
BAD_STATES: list[tuple[object, str]] = [
    ("{", "state file"),
    ("7", "state"),
    ([{"type": "STREAM"}], "stream"),
    ([{"type": "GLOBAL", "global": {}}], "type"),
    (state({"what": "ever"}), "selection"),
    (state({"selection": 5}), "selection"),
]


@pytest.fixture
def connector(tmp_path: Path) -> Connector:
    """A source that is never asked to call anybody."""
    return Connector(tmp_path, dict(GOOD))


def only_error(run: Run) -> dict[str, Any]:
    """Return the one error of a run that printed no stack trace."""
    assert run.code == 1
    assert run.stderr == ""
    assert "Traceback" not in json.dumps(run.messages)
    assert "canary" not in json.dumps(run.messages)
    (error,) = run.errors()
    return error


@pytest.mark.parametrize(("config", "words"), BAD_CONFIGS)
def test_a_bad_configuration_is_one_clear_error(
    connector: Connector, config: object, words: str
) -> None:
    error = only_error(connector.run_process("discover", config=config))
    assert error["failure_type"] == "config_error"
    assert words in error["message"]
    run = connector.run_process("check", config=config)
    assert run.code == 0
    (answer,) = run.of("CONNECTION_STATUS")
    assert answer["status"] == "FAILED"
    assert answer["message"] == error["message"] or words in answer["message"]


@pytest.mark.parametrize(("content", "words"), BAD_CATALOGS)
def test_a_bad_catalog_is_one_clear_error(
    connector: Connector, content: object, words: str
) -> None:
    error = only_error(connector.run("read", catalog=content))
    assert error["failure_type"] == "config_error"
    assert words in error["message"]


@pytest.mark.parametrize(("content", "words"), BAD_STATES)
def test_a_bad_state_is_one_clear_error(connector: Connector, content: object, words: str) -> None:
    error = only_error(connector.run("read", catalog=catalog(), state=content))
    assert error["failure_type"] == "config_error"
    assert words in error["message"]


DAMAGED: list[dict[str, Any]] = [
    {"integrations": []},
    {"integrations": None},
    {"integrations": {"greenhouse:1": None}},
    {"integrations": {"greenhouse:1": {"updated_after": None}}},
    {
        "integrations": {
            "greenhouse:1": {"updated_after": None, "full_read_at": "2026-01-01T00:00:00Z"}
        }
    },
    {"integrations": {"greenhouse:1": {"in_progress": None}}},
    {"integrations": {"greenhouse:1": {"updated_after": "yesterday"}}},
    {"integrations": {"greenhouse:1": {"updated_after": "2026-01-01T00:00:00"}}},
    {"integrations": {"greenhouse:1": {"in_progress": {"cursor": 5}}}},
    {"integrations": {"greenhouse:1": {"unheard_of": 1}}},
    {"unheard_of": {}},
]


@pytest.mark.parametrize("damaged", DAMAGED)
def test_a_damaged_state_is_never_a_silent_full_read(
    sandbox: Sandbox, tmp_path: Path, damaged: dict[str, Any]
) -> None:
    connector = kombo_connector(sandbox, tmp_path)
    selection = connector.read().state()["selection"]
    sandbox.reset_log()
    run = connector.read(state=state({"selection": selection, **damaged}))
    assert only_error(run)["failure_type"] == "config_error"
    assert run.records() == []
    assert sandbox.log() == []


def test_files_that_are_not_there(connector: Connector) -> None:
    for arguments in (
        ["discover", "--config", "nowhere.json"],
        ["read", "--config", connector.file("c.json", GOOD), "--catalog", "nowhere.json"],
    ):
        done = subprocess.run([SOURCE, *arguments], capture_output=True, check=False)
        error = only_error(Run(done.returncode, parsed(done.stdout), done.stderr.decode()))
        assert "nowhere.json" in error["message"]


def test_unknown_keys_are_warned_of(connector: Connector) -> None:
    config = {"kombo": {**GOOD["kombo"], "colour": 1}, "shape": 2, "__injected": 3}
    run = connector.run("discover", config=config)
    assert run.code == 0
    assert "kombo.colour" in run.logs("WARN")
    assert "shape" in run.logs("WARN")
    assert "__injected" not in run.logs()


def test_a_read_ends_with_what_it_took(sandbox: Sandbox, tmp_path: Path) -> None:
    connector = kombo_connector(sandbox, tmp_path)
    sandbox.reset_log()
    run = connector.read("candidates", "kombo_jobs")
    rows = {name: len(run.records(name)) for name in ("candidates", "kombo_jobs")}
    requests = sum(each["total"] for each in sandbox.counts().values())
    told = [re.sub(r"[0-9]+\.[0-9] s", "_ s", text) for text in run.logs().splitlines()]
    assert f"candidates: finished, {rows['candidates']} records in _ s." in told
    assert f"kombo_jobs: finished, {rows['kombo_jobs']} records in _ s." in told
    assert told[-2] == f"Read {sum(rows.values())} records of 2 streams in _ s."
    assert told[-1] == (
        f"Kombo: {requests} requests in _ s, _ s of that waiting for the rate limit or before "
        "another attempt."
    )


def test_a_read_that_fails_ends_with_what_it_took(sandbox: Sandbox, tmp_path: Path) -> None:
    connector = kombo_connector(sandbox, tmp_path)
    sandbox.fault("kombo.candidates", "status", status=500)
    run = connector.read_quickly("candidates", "kombo_jobs")
    assert run.code == 1
    read = len(run.records("kombo_jobs"))
    told = run.logs().splitlines()
    assert told[-2].startswith(f"Read {read} records of 2 streams in ")
    assert told[-2].endswith(" s. Not finished: candidates.")
    assert " Sent again because: Kombo answered with status 500 (" in told[-1]
    assert sum("status 500. Trying again" in each for each in told) <= 10


def test_a_reader_that_goes_away_ends_the_run_quietly(sandbox: Sandbox, tmp_path: Path) -> None:
    connector = kombo_connector(sandbox, tmp_path)
    with subprocess.Popen(
        [SOURCE, *connector.command("read", catalog=catalog())],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 141


def through_the_cdk(arguments: list[str]) -> Run:
    """Run `SourceAts` by the CDK's own entry point."""
    program = (
        "import sys; from airbyte_cdk.entrypoint import launch; from source_ats import SourceAts;"
        "launch(SourceAts(), sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        capture_output=True,
        check=False,
    )
    return Run(done.returncode, parsed(done.stdout), done.stderr.decode())


def without_times(message: object) -> object:
    """Return a message without what differs between any two runs, and without empty fields.

    The CDK's serializer drops fields that are null, in records too.
    """
    if isinstance(message, dict):
        return {
            key: without_times(value)
            for key, value in message.items()
            if key not in {"emitted_at", "started_at", "updated_after", "full_read_at", "kept_at"}
            and value not in (None, False)
        }
    if isinstance(message, list):
        return [without_times(each) for each in message]
    return message


def test_the_cdks_entry_point_gives_the_same_messages(sandbox: Sandbox, tmp_path: Path) -> None:
    # One list at a time, so that the order is the same.
    connector = kombo_connector(sandbox, tmp_path, concurrent_requests=1)
    sandbox.advance(3600)
    first = connector.read()
    for arguments in (
        connector.command("spec"),
        connector.command("check"),
        connector.command("discover"),
        connector.command("read", catalog=catalog(mode="full_refresh", generation=2)),
        connector.command("read", catalog=catalog(), state=first.of("STATE")),
    ):
        done = subprocess.run([SOURCE, *arguments], capture_output=True, check=False)
        ours = Run(done.returncode, parsed(done.stdout))
        theirs = through_the_cdk(arguments)
        assert theirs.code == ours.code == 0
        for kind in ("SPEC", "CATALOG", "CONNECTION_STATUS", "RECORD", "TRACE"):
            assert without_times(theirs.of(kind)) == without_times(ours.of(kind))
        # How many states go out depends on the time that passes; the last one does not.
        ends = [
            without_times([each["stream"] for each in run.of("STATE")[-1:]])
            for run in (ours, theirs)
        ]
        assert ends[0] == ends[1]


def test_the_cdks_entry_point_fails_alike(sandbox: Sandbox, tmp_path: Path) -> None:
    connector = kombo_connector(sandbox, tmp_path, api_key="ks_dev_canary")
    arguments = connector.command("read", catalog=catalog())
    run = through_the_cdk(arguments)
    assert run.code == 1
    assert run.errors()[0]["failure_type"] == "config_error"
    assert run.errors()[0]["message"] == connector.read().errors()[0]["message"]
    assert "canary" not in json.dumps(run.messages) + run.stderr


@pytest.mark.parametrize("content", [None, "{", "[]"], ids=["missing", "not JSON", "a list"])
def test_the_cdks_check_answers_also_without_a_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    path = tmp_path / "config.json"
    if content is not None:
        path.write_text(content)
    arguments = ["check", "--config", str(path)]
    lines = list(AirbyteEntrypoint(SourceAts()).run(AirbyteEntrypoint.parse_args(arguments)))
    DestinationComeet().run(arguments)
    for printed in ("\n".join(lines), capsys.readouterr().out):
        messages = [json.loads(line) for line in printed.splitlines()]
        (status,) = [each for each in messages if each["type"] == "CONNECTION_STATUS"]
        assert status["connectionStatus"]["status"] == "FAILED"
        assert f"config file {path}" in status["connectionStatus"]["message"]
    arguments[0] = "discover"
    with pytest.raises(AirbyteTracedException, match="config file"):
        list(AirbyteEntrypoint(SourceAts()).run(AirbyteEntrypoint.parse_args(arguments)))


@pytest.mark.parametrize("program", ["source-ats", "destination-comeet"])
def test_ctrl_c_while_a_library_is_imported_is_one_line(tmp_path: Path, program: str) -> None:
    (tmp_path / "pydantic.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
    )
    done = subprocess.run(
        [Path(SOURCE).with_name(program), "spec"],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 130
    assert done.stdout == b""
    assert done.stderr == b"Interrupted before the start.\n"


def test_one_record_is_not_counted_as_several(sandbox: Sandbox, tmp_path: Path) -> None:
    one = integrations(sandbox)[:1]
    connector = kombo_connector(sandbox, tmp_path, integration_ids=one)
    connector.config["kombo"]["candidate_ids"] = [next(iter(truth(sandbox, *one)))]
    told = connector.read_quickly("candidates").logs()
    assert "candidates: finished, 1 record in " in told
    assert "Read 1 record of 1 stream in " in told
