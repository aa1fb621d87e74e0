"""Airbyte's standard tests (FAST) pass for the destination, with the sandbox for an account."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from integration_tests.sandbox.running import PROJECT, Sandbox
from integration_tests.support.standard_suite import AIRBYTE_CDK, STRICTLY
from integration_tests.support.writer import Writer


@pytest.fixture
def folder(sandbox: Sandbox, tmp_path: Path) -> Path:
    """A folder that bears the connector's name, by which the suite goes."""
    folder = tmp_path / "destination-comeet"
    secrets = folder / "secrets"
    secrets.mkdir(parents=True)
    for name in ("metadata.yaml", "acceptance-test-config.yml"):
        shutil.copy(PROJECT / "destination_comeet" / name, folder)
    config = Writer(sandbox, tmp_path).config
    (secrets / "config.json").write_text(json.dumps(config))
    (secrets / "invalid_config.json").write_text(json.dumps({**config, "secret": "another"}))
    return folder


def test_the_standard_tests_pass(folder: Path) -> None:
    arguments = ["-m", "not image_tests", "-rs", *STRICTLY]
    done = subprocess.run(
        [AIRBYTE_CDK, "connector", "test", ".", *(f"--pytest-arg={each}" for each in arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=1100,
    )
    assert done.returncode == 0, done.stdout[-8000:]

    report = ET.parse(folder / "build/test-results/standard-tests-junit.xml")  # noqa: S314 - ours
    tests = {each.get("name", ""): each for each in report.iter("testcase")}
    skipped = {name for name, each in tests.items() if each.find("skipped") is not None}
    assert all("invalid_config" in name for name in skipped), done.stdout[-8000:]
    passed = {name.split("[")[0] for name in tests.keys() - skipped}
    assert passed == {"test_check", "test_config_matches_spec"}
