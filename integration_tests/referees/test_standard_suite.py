"""Airbyte's standard tests (FAST) pass, strictly, with the sandbox for an account."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from integration_tests.sandbox.running import PROJECT, Sandbox
from integration_tests.support.every_stream import configuration
from integration_tests.support.standard_suite import AIRBYTE_CDK, STRICTLY

pytestmark = pytest.mark.people(200)


@pytest.fixture
def folder(sandbox: Sandbox, tmp_path: Path) -> Path:
    """A folder that bears the connector's name, by which the suite goes."""
    folder = tmp_path / "source-ats"
    secrets = folder / "secrets"
    secrets.mkdir(parents=True)
    for name in ("metadata.yaml", "acceptance-test-config.yml"):
        shutil.copy(PROJECT / name, folder)
    # Each stream of Comeet has something to read.
    sandbox.control("/_control/comeet/fill", {"count": 20})
    (first, *_) = sandbox.truth("/_control/comeet/truth")
    sandbox.control("/_control/comeet/erase", {"uids": [first["uid"]]})
    config = configuration(sandbox)
    wrong_key = {**config["kombo"], "api_key": "ks_dev_unknown"}
    configs = {"config.json": config, "invalid_config.json": {**config, "kombo": wrong_key}}
    for name, config in configs.items():
        (secrets / name).write_text(json.dumps(config))
    return folder


def test_the_standard_tests_pass(folder: Path) -> None:
    arguments = ["-m", "not image_tests", "-rs", *STRICTLY]
    done = subprocess.run(
        [AIRBYTE_CDK, "connector", "test", ".", *(f"--pytest-arg={each}" for each in arguments)],
        cwd=folder,
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
    # A configuration is good for some tests only; those of the wrong key check, and do no more.
    assert all("invalid_config" in name for name in skipped), done.stdout[-8000:]
    passed = {name.split("[")[0] for name in tests.keys() - skipped}
    assert passed == {
        "test_basic_read",
        "test_check",
        "test_config_matches_spec",
        "test_discover",
        "test_fail_read_with_bad_catalog",
        "test_spec",
    }
