"""What both command lines share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from source_ats.errors import Stopped
from source_ats.process import EXIT_TERMINATED, Output, run_check


def test_a_check_that_a_bug_ends_still_prints_a_status(tmp_path: Path) -> None:
    def check(_: None) -> str:
        raise KeyError("canary")

    path = tmp_path / "out.jsonl"
    with path.open("wb") as file, pytest.raises(KeyError):
        run_check(lambda: None, check, Output(file.fileno()))
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["connectionStatus"]["status"] == "FAILED"
    assert "canary" not in line


def test_a_check_that_is_stopped_prints_a_status_and_speaks_of_no_next_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def check(_: None) -> str:
        raise Stopped("Stopped on request.")

    path = tmp_path / "out.jsonl"
    with path.open("wb") as file:
        assert run_check(lambda: None, check, Output(file.fileno())) == EXIT_TERMINATED
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["connectionStatus"]["status"] == "FAILED"
    assert "next run" not in line + caplog.text
