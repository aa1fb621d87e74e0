"""`pyab validate`: PyAirbyte's own check of a connector. What it reads: see `test_docs.py`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import SOURCE
from integration_tests.support.every_stream import configuration

PYAB = Path(sys.executable).with_name("pyab")
OFFLINE = {**os.environ, "AIRBYTE_OFFLINE_MODE": "1", "DO_NOT_TRACK": "1"}


def test_pyairbyte_finds_the_source_valid(tmp_path: Path) -> None:
    with Sandbox.start(candidates=20) as sandbox:
        path = tmp_path / "config.json"
        path.write_text(json.dumps(configuration(sandbox)))
        done = subprocess.run(
            [PYAB, "validate", f"--connector={SOURCE}", f"--config={path}"],
            cwd=tmp_path,
            env=OFFLINE,
            capture_output=True,
            text=True,
            check=False,
            timeout=1100,
        )
        checked = sandbox.counts()["kombo.check_api_key"]
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "Connection check succeeded" in output
    assert checked["total"] == 1
    assert "ks_dev_sandbox" not in output
