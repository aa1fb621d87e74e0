"""`scripts/sandbox` as a person starts it, and the control API of what it started."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from integration_tests.sandbox.running import PROJECT, Sandbox

LAST_LINE = b"Ctrl-C"


@contextmanager
def running(
    folder: Path, candidates: int
) -> Iterator[tuple[Sandbox, subprocess.Popen[bytes], bytes]]:
    """Start it, and yield once it has said what to try, with what it said."""
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "tools.sandbox"),
            *(f"--folder={folder}", f"--candidates={candidates}"),
        ],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None
            said = b""
            while LAST_LINE not in said:
                line = process.stdout.readline()
                assert line, f"It ended with code {process.wait()}."
                said += line
            source = json.loads((folder / "source.json").read_text())
            with requests.Session() as http:
                url = source["kombo"]["base_url"].removesuffix("/kombo/v1")
                yield Sandbox(url, http=http), process, said
        finally:
            process.terminate()
