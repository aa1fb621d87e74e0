"""The source distribution and the wheel: built as pip builds them, without the network."""

from __future__ import annotations

import email.message
import email.parser
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("source_ats", "destination_comeet")
# From the same folder in the order in which pip calls them: the wheel is built from the archive.
BUILD = """
import sys
from setuptools import build_meta
print(getattr(build_meta, f"build_{sys.argv[1]}")(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    copy = folder / "copy"
    # Without what earlier builds left behind.
    ignored = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "build", "dist")
    shutil.copytree(PROJECT, copy, ignore=ignored)
    return build("sdist", copy, folder)


@pytest.fixture(scope="module")
def wheel(archive: Path) -> Path:
    with tarfile.open(archive) as packed:
        packed.extractall(archive.parent, filter="data")
    return build("wheel", archive.parent / archive.name.removesuffix(".tar.gz"), archive.parent)


def build(kind: str, project: Path, target: Path) -> Path:
    """Build a distribution of the project in a folder."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, kind, target],
        cwd=project,
        check=True,
        capture_output=True,
        text=True,
    )
    return target / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as packed:
        (name,) = (name for name in packed.namelist() if name.endswith(".dist-info/METADATA"))
        return email.parser.Parser().parsestr(packed.read(name).decode())


def test_wheel_holds_both_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        held = {name for name in packed.namelist() if ".dist-info/" not in name}
    modules = {
        str(path.relative_to(PROJECT))
        for package in PACKAGES
        for path in (PROJECT / package).rglob("*.py")
    }
    assert held == modules | {f"{package}/py.typed" for package in PACKAGES}


def test_wheel_installs_both_commands(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        (name,) = (name for name in packed.namelist() if name.endswith("/entry_points.txt"))
        commands = re.findall(r"^([\w-]+) = ", packed.read(name).decode(), re.MULTILINE)
    assert set(commands) == {"source-ats", "destination-comeet"}


def test_metadata_has_version_license_and_description(metadata: email.message.Message) -> None:
    version = re.search(
        r"^  dockerImageTag: (\S+)$", (PROJECT / "metadata.yaml").read_text(), re.MULTILINE
    )
    assert version
    assert metadata["Version"] == version[1]
    assert metadata["License-Expression"] == "MIT"
    assert metadata["License-File"] == "LICENSE"
    assert metadata.get_payload() == (PROJECT / "README.md").read_text()


def test_spark_is_required_only_by_the_extra(metadata: email.message.Message) -> None:
    requirements = metadata.get_all("Requires-Dist") or []
    assert [each for each in requirements if each.startswith("airbyte-cdk")]
    assert [each for each in requirements if each.startswith("pyspark")] == [
        each for each in requirements if "extra ==" in each
    ]
    assert metadata.get_all("Provides-Extra") == ["spark"]
