"""Airbyte's own validator of metadata and its checks of connectors, as for a certified one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from integration_tests.sandbox.running import PROJECT
from integration_tests.support.connector import SOURCE
from integration_tests.support.writer import COMMAND

CONNECTORS: dict[str, tuple[str | Path, Path]] = {
    "source-ats": (SOURCE, PROJECT),
    "destination-comeet": (COMMAND[0], PROJECT / "destination_comeet"),
}
"""The program of each connector, and where its own files are."""

# Of pyproject.toml one check wants a package's description; it holds settings of tools only.
LEFT_OUT = (
    *(".*", "*.egg-info", "*_tests", "__pycache__", "build", "docs", "pyproject.toml"),
    *("sandbox", "tools"),
)
# To compile what it imports takes 15 seconds, once.
QUIETLY = {"DO_NOT_TRACK": "1", "AIRBYTE_OFFLINE_MODE": "1", "PYTHONDONTWRITEBYTECODE": ""}
STRICTEST = {"supportLevel": "certified", "ab_internal": {"sl": 300, "ql": 300}}


def laid_out(folder: Path) -> None:
    """Lay out the project as both connectors would stand in Airbyte's repository."""
    shutil.copytree(PROJECT / "docs", folder / "docs")
    for name, (program, files) in CONNECTORS.items():
        connector = folder / "airbyte-integrations" / "connectors" / name
        shutil.copytree(PROJECT, connector, ignore=shutil.ignore_patterns(*LEFT_OUT))
        for file in ("acceptance-test-config.yml", "icon.svg"):
            shutil.copy(files / file, connector)
        metadata = yaml.safe_load((files / "metadata.yaml").read_text())
        metadata["data"] |= STRICTEST
        (connector / "metadata.yaml").write_text(yaml.safe_dump(metadata))
        spec = subprocess.run([program, "spec"], capture_output=True, check=True).stdout
        # Where the checks look for it: the prerequisites in the docs have to name what it requires.
        package = connector / name.replace("-", "_")
        (package / "spec.json").write_text(json.dumps(json.loads(spec)["spec"]))


def checked(folder: Path) -> dict[str, dict[str, tuple[str, str]]]:
    """Run the checks, and return how each ended and what it said, by connector."""
    environment = subprocess.run(
        [PROJECT / "scripts" / "environment", "quality"],
        env={**os.environ, "PYTHON": sys.executable},
        stdout=subprocess.PIPE,
        check=True,
    )
    python = Path(environment.stdout.decode().strip()) / "bin" / "python"
    done = subprocess.run(
        [python, PROJECT / "integration_tests" / "support" / "quality_checks.py", *CONNECTORS],
        cwd=folder,
        env={**os.environ, **QUIETLY},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def excused() -> dict[str, dict[str, str]]:
    """Return the checks that docs/certification.md says do not pass, and how they end."""
    text = (PROJECT / "docs" / "certification.md").read_text()
    rows = re.findall(r"^\| `(Check\w+|Validate\w+)` \| (\w+) \| (\w+) \| \S", text, re.MULTILINE)
    ends = {"fails": "FAILED", "skipped": "SKIPPED", "passes": "PASSED"}
    return {
        "source-ats": {check: ends[end] for check, end, _ in rows},
        "destination-comeet": {check: ends[end] for check, _, end in rows},
    }


def test_all_checks_pass_but_those_that_the_docs_give_a_reason_for(tmp_path: Path) -> None:
    laid_out(tmp_path)
    found = checked(tmp_path)
    for name, reasons in excused().items():
        ended = {check: end for check, (end, _) in found[name].items()}
        expected = {**dict.fromkeys(ended, "PASSED"), **reasons}
        assert ended == expected, json.dumps(found[name], indent=1)
