"""The destination behind the CDK's own entry point, and the standard input of the command line."""

from __future__ import annotations

import io
import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests_mock
from airbyte_cdk.models import AirbyteMessageSerializer, ConfiguredAirbyteCatalogSerializer, Type
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

import destination_comeet
from destination_comeet import DestinationComeet, stdin
from destination_comeet.stdin import lines_at_hand
from source_ats.errors import Stopped

BASE = "https://api.comeet.co"
CATALOG = {
    "streams": [
        {
            "stream": {
                "name": "people",
                "json_schema": {},
                "supported_sync_modes": ["full_refresh"],
            },
            "sync_mode": "full_refresh",
            "destination_sync_mode": "append_dedup",
            "primary_key": [["id"]],
        }
    ]
}
MESSAGES: list[dict[str, Any]] = [
    {
        "type": "RECORD",
        "record": {
            "stream": "people",
            "data": {"id": 1, "first_name": "Mira", "last_name": "Solberg"},
            "emitted_at": 1,
        },
    },
    {
        "type": "STATE",
        "state": {
            "type": "STREAM",
            "stream": {"stream_descriptor": {"name": "people"}, "stream_state": {"a": 1}},
        },
    },
]


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    return {
        "api_key": "key-1",
        "secret": "a-made-up-secret",
        "requests_per_minute": 1_000_000,
        "streams": [
            {"stream": "people", "mapping": {"mapping_type": "comeet"}, "position_uid": "4A.1C2"}
        ],
        "ledger": {"ledger_type": "sqlite", "path": str(tmp_path / "ledger.db")},
    }


@pytest.fixture
def comeet() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mocker:
        position = {"uid": "4A.1C2", "status": "open"}
        mocker.get(f"{BASE}/positions", json={"positions": [position]})
        mocker.get(f"{BASE}/positions/4A.1C2", json=position)
        mocker.get(f"{BASE}/candidates", json={"candidates": []})
        mocker.post(f"{BASE}/candidates", status_code=201, json={"uid": "B3.07F"})
        yield mocker


def test_the_package_exports_the_destination_only() -> None:
    assert dir(destination_comeet) == ["DestinationComeet"]
    with pytest.raises(AttributeError):
        _ = destination_comeet.anything_else


def test_check_and_write(config: dict[str, Any], comeet: requests_mock.Mocker) -> None:
    destination = DestinationComeet()
    logger = logging.getLogger("airbyte")
    status = destination.check(logger, config)
    assert status.status.value == "SUCCEEDED"
    written = list(
        destination.write(
            config,
            ConfiguredAirbyteCatalogSerializer.load(CATALOG),
            [AirbyteMessageSerializer.load(each) for each in MESSAGES],
        )
    )
    assert [each.type for each in written] == [Type.STATE]
    assert comeet.request_history[-1].json()["partner_candidate_id"] == "people:1"


def test_failures_are_airbytes_own(config: dict[str, Any]) -> None:
    destination = DestinationComeet()
    with pytest.raises(AirbyteTracedException) as caught:
        list(destination.write(config, ConfiguredAirbyteCatalogSerializer.load(CATALOG), []))
    assert caught.value.failure_type is not None
    assert caught.value.failure_type.value == "config_error"
    status = destination.check(logging.getLogger("airbyte"), {**config, "streams": []})
    assert status.status.value == "FAILED"


def test_the_cdks_command_line_goes_through_our_loop(
    config: dict[str, Any],
    comeet: requests_mock.Mocker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, content in (("config.json", config), ("catalog.json", CATALOG)):
        (tmp_path / name).write_text(json.dumps(content))
    lines = "".join(json.dumps(each) + "\n" for each in MESSAGES).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines)))
    arguments = ["--config", str(tmp_path / "config.json")]
    DestinationComeet().run(["check", *arguments])
    DestinationComeet().run(["write", *arguments, "--catalog", str(tmp_path / "catalog.json")])
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (passed,) = (each for each in printed if each["type"] == "STATE")
    assert passed["state"]["destinationStats"]["recordCount"] == 1.0
    assert comeet.request_history


# Standard input -----------------------------------------------------------------------------------


def read(path: Path, content: bytes, stop: threading.Event | None = None) -> list[stdin.Line]:
    path.write_bytes(content)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        batches = lines_at_hand(descriptor, stop or threading.Event())
        return [line for lines in batches for line in lines]
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("chunk", [1, 3, 1000])
@pytest.mark.parametrize("content", [b"", b"a\nbb\n\nccc\n", b"a\nbb\n\nccc"])
def test_lines_are_whole_however_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, content: bytes
) -> None:
    monkeypatch.setattr(stdin, "CHUNK", chunk)
    assert read(tmp_path / "input", content) == content.splitlines()


LONG = (
    (b'{"type":"RECORD","record":{"stream":"s","data":{"a":"' + b"x" * 70 + b'"}}}', "s"),
    (b'{"record":{"data":{"a":"\\"' + b"{" * 70 + b'"},"stream":"s"},"type":"RECORD"}', "s"),
    (b'{"type":"RECORD","record":{"data":{"stream":"no","a":"' + b"x" * 70 + b'"}}}', None),
    (b'{"type":"STATE","record":{"stream":"s","data":{"a":"' + b"x" * 70 + b'"}}}', None),
    (b'{"type":"RECORD","record":{"stream":"s","data":{"a":"' + b"x" * 70, None),
    (b"x" * 120, None),
)


@pytest.mark.parametrize("chunk", [1, 7, 1000])
@pytest.mark.parametrize(("line", "stream"), LONG)
def test_of_a_long_line_only_its_stream_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: bytes, stream: str | None, chunk: int
) -> None:
    monkeypatch.setattr(stdin, "CHUNK", chunk)
    monkeypatch.setattr(stdin, "LONGEST_LINE", 60)
    lines = read(tmp_path / "input", b"x" * 60 + b"\n" + line + b"\nb\n")
    if chunk < 1000:
        assert lines == [b"x" * 60, stdin.LongLine(stream), b"b"]


def test_a_line_without_end_is_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stdin, "CHUNK", 10)
    monkeypatch.setattr(stdin, "LONGEST_LINE", 50)
    monkeypatch.setattr(stdin, "LONGEST_SCAN", 100)
    lines = read(tmp_path / "input", b"a\n" + b"x" * 200 + b"\nb\n")
    assert lines == [b"a", stdin.LongLine(None)]


def test_a_run_that_is_to_end_reads_no_more(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        read(tmp_path / "input", b"a\n", stop)
