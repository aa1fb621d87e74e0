"""The quick start's lines that install the connector and PyAirbyte, in a clean environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from integration_tests.sandbox.running import PROJECT
from integration_tests.support import doc_blocks, sandbox_script

OTHER_PYTHON = "3.11" if sys.version_info >= (3, 13) else "3.13"
"""Not that of the tests, which follow the quick start in their own environment (test_docs.py).
PyAirbyte itself differs from 3.13 on."""


def documented(part: str, page: str = "docs/quick_start.md") -> str:
    """Return the one block of a page that contains a text."""
    (found,) = (block.text for block in doc_blocks.blocks(PROJECT / page) if part in block.text)
    return found


def interpreter(version: str) -> str:
    """Return an interpreter of this version: one on the PATH, or one of pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [f"python{version}", *map(str, pyenv.glob(f"{version}.*/bin/python"))]
    for candidate in candidates:
        if shutil.which(candidate) is None:
            continue
        print_path = [candidate, "-c", "import sys; print(sys.executable)"]
        found = subprocess.run(print_path, cwd="/", capture_output=True, text=True, check=False)
        if found.returncode == 0:
            return found.stdout.strip()
    pytest.skip(f"There is no Python {version} here, on the PATH or in {pyenv}.")


@pytest.mark.timeout(1800)  # some 400 MB are fetched where no cache has them
def test_the_documented_lines_install_what_the_documented_program_needs(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    left_out = ("unit_tests", "integration_tests", "sandbox", "build", "*.egg-info", ".*")
    shutil.copytree(PROJECT, clone, ignore=shutil.ignore_patterns(*left_out))
    # `python3` is the version that is tried, and the home folder is an empty one.
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {interpreter(OTHER_PYTHON)} "$@"\n')
    python.chmod(0o755)
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "AIRBYTE_OFFLINE_MODE": "1",
        "DO_NOT_TRACK": "1",
        "PYTHONWARNINGS": "ignore",
    }

    def run(script: str, folder: Path) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    install, pyairbyte = documented("uv pip install ."), documented("uv pip install 'airbyte")
    run(f"{install}\ncd {tmp_path}\n{pyairbyte}", clone)
    active = f"source {tmp_path}/ats/bin/activate"
    assert f"Python {OTHER_PYTHON}." in run(f"{active}\npython --version", tmp_path)
    program = tmp_path / "program.py"
    program.write_text(documented("ab.get_source(", "README.md"))
    folder = tmp_path / "sandbox"
    with sandbox_script.running(folder, 12):
        said = run(f"{active}\npython {program}", folder)
    assert "rows were new or had changed" in said
    assert (folder / "recruiting.duckdb").exists()
