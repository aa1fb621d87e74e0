"""Environments beside the tests' own, made by `scripts/environment`."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from integration_tests.sandbox.running import PROJECT


def programs(name: str) -> Path:
    """Return the folder of the programs of an environment. Skips the test if it cannot be made."""
    script = PROJECT / "scripts" / "environment"
    # Several processes run tests, and one of them makes the environment.
    with script.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = subprocess.run(
            [script, name],
            env={**os.environ, "PYTHON": sys.executable},
            capture_output=True,
            text=True,
            check=False,
        )
    if made.returncode:
        reason = (made.stderr.strip().splitlines() or ["no reason given"])[-1]
        pytest.skip(f"The environment {name} cannot be made here: {reason}")
    return Path(made.stdout.strip()) / "bin"
