"""Version 0.1.0 of both commands, made from the repository's history, with today's libraries."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from integration_tests.sandbox.running import PROJECT

COMMIT = "de3d9174e4797e4f1e1cceb542532ea3ef0b7f6f"
"""The last commit of 0.1.0."""


class NoHistory(Exception):
    """The repository's history is not here."""


def extract(folder: Path) -> None:
    """Put its packages into a folder. Raises `NoHistory` if the repository does not hold them."""
    command = ["git", "archive", COMMIT, "source_ats", "destination_comeet"]
    try:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        message = f"0.1.0 cannot be made here: git does not find its commit, {COMMIT}."
        raise NoHistory(message) from None
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")


def source(folder: Path) -> tuple[str, ...]:
    """Return what starts its `source-ats`."""
    return _started(folder, "source_ats")


def destination(folder: Path) -> tuple[str, ...]:
    """Return what starts its `destination-comeet`."""
    return _started(folder, "destination_comeet")


def _started(folder: Path, function: str) -> tuple[str, ...]:
    start = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); from source_ats.run import {function}"
    )
    return sys.executable, "-c", f"{start}; {function}()"
