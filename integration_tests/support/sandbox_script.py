"""`scripts/sandbox` as a person starts it, and the control API of what it started."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from integration_tests.sandbox.running import PROJECT, Sandbox

LAST_LINE = b"Ctrl-C"


@contextmanager
def running(folder: Path, candidates: int) -> Iterator[tuple[Sandbox, bytes]]:
    """Start it, and return once it has said what to try, with what it said."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tools.sandbox"),
            *(f"--folder={folder}", f"--candidates={candidates}"),
        ],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    said = b""
    while LAST_LINE not in said:
        line = process.stdout.readline()
        assert line, f"It ended with code {process.wait()}."
        said += line
    source = json.loads((folder / "source.json").read_text())
    sandbox = Sandbox(source["kombo"]["base_url"].removesuffix("/kombo/v1"), process)
    sandbox.http.trust_env = False
    try:
        yield sandbox, said
    finally:
        sandbox.stop()
