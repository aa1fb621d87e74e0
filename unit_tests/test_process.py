"""What both command lines share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from source_ats.process import Output, run_check


def test_a_check_that_a_bug_ends_still_prints_a_status(tmp_path: Path) -> None:
    def check(_: None) -> str:
        raise KeyError("canary")

    path = tmp_path / "out.jsonl"
    with path.open("wb") as file, pytest.raises(KeyError):
        run_check(lambda: None, check, Output(file.fileno()))
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["connectionStatus"]["status"] == "FAILED"
    assert "canary" not in line
