"""The Dockerfile, read: Docker itself is not needed here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
METADATA = yaml.safe_load((PROJECT / "metadata.yaml").read_text())["data"]

Instruction = tuple[str, str]

IMAGES = ["source-ats", "destination-comeet"]


def instructions() -> Iterator[Instruction]:
    """Yield all instructions with their arguments, each on one line."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name, " ".join(rest.split())


def stages() -> dict[str, list[Instruction]]:
    """Return the instructions of each stage, those of the stages it stands on first."""
    found: dict[str, list[Instruction]] = {}
    current: list[Instruction] = []
    for name, rest in instructions():
        if name == "FROM":
            base, _, stage = rest.partition(" AS ")
            current = found[stage] = list(found.get(base, []))
        else:
            current.append((name, rest))
    return found


def last(stage: str, name: str) -> str:
    """Return what the last instruction of this name says in a stage."""
    return [rest for each, rest in stages()[stage] if each == name][-1]


def pairs(stage: str, name: str) -> dict[str, str]:
    """Return what all instructions of this name set in a stage, e.g. ENV."""
    lines = [rest for each, rest in stages()[stage] if each == name]
    return dict(re.findall(r'([\w.]+)="?([^"\s]*)"?', " ".join(lines)))


@pytest.mark.parametrize("image", IMAGES)
def test_each_connector_has_an_image(image: str) -> None:
    # Absolute, as Airbyte's protocol for images has it.
    program = f"/opt/connector/bin/{image}"
    assert json.loads(last(image, "ENTRYPOINT")) == [program]
    assert pairs(image, "ENV")["AIRBYTE_ENTRYPOINT"] == program
    assert pairs(image, "LABEL") == {
        "io.airbyte.name": f"airbyte/{image}",
        "io.airbyte.version": "${VERSION}",
    }
    assert ("ARG", "VERSION") in stages()[image]


@pytest.mark.parametrize("image", IMAGES)
def test_it_runs_without_root_and_writes_nothing_of_its_own(image: str) -> None:
    assert last(image, "USER") == "1000"
    assert pairs(image, "ENV")["PYTHONDONTWRITEBYTECODE"] == "1"
    assert not [rest for name, rest in stages()[image] if name == "RUN"]


def test_base_image_is_airbytes() -> None:
    arguments = dict(
        rest.split("=", 1) for name, rest in instructions() if name == "ARG" if "=" in rest
    )
    assert arguments == {
        "BASE_IMAGE": METADATA["connectorBuildOptions"]["baseImage"].partition("@")[0]
    }
    bases = {rest.split()[0] for name, rest in instructions() if name == "FROM"}
    assert bases == {"${BASE_IMAGE}", "connector"}


def test_image_installs_the_lock_file() -> None:
    locked, ours = (
        rest for name, rest in stages()["builder"] if name == "RUN" and " install " in rest
    )
    assert {"--no-deps", "--require-hashes"} <= set(locked.split())
    assert locked.endswith("--requirement requirements/runtime.lock")
    assert "--no-deps" in ours.split()


def test_only_what_the_image_needs_comes_along() -> None:
    first, *rest = [
        line
        for line in (PROJECT / ".dockerignore").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert first == "*"
    let_in = {line[1:].rstrip("/") for line in rest if line.startswith("!")}
    needed = {"setup.py", "pyproject.toml", "metadata.yaml", "README.md", "LICENSE"}
    packages = {"source_ats", "destination_comeet"}
    assert needed | packages | {"requirements/runtime.lock"} <= let_in
    assert not let_in & {".", ".git", ".venv", "secrets"}
