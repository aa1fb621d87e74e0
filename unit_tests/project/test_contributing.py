"""The documents for contributors name files, commands and modules that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [
    PROJECT / "CONTRIBUTING.md",
    PROJECT / "SECURITY.md",
    PROJECT / "docs" / "architecture.md",
    *sorted((PROJECT / "docs" / "adr").glob("*.md")),
]
FOLDERS = (
    "source_ats destination_comeet unit_tests integration_tests tools scripts docs requirements"
)


def named_paths(text: str) -> set[str]:
    """Return the files and folders of the project that a page names, diagrams included."""
    folders = "|".join(FOLDERS.split())
    return set(re.findall(rf"(?<![\w/.])(?:{folders})/[\w./-]*\w/?", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_exist(page: Path) -> None:
    paths = named_paths(page.read_text("utf-8"))
    assert {path for path in paths if not (PROJECT / path).exists()} == set()


def test_diagrams_name_a_module_in_every_box() -> None:
    text = (PROJECT / "docs" / "architecture.md").read_text("utf-8")
    diagrams = re.findall(r"```mermaid\n(.+?)```", text, re.DOTALL)
    assert len(diagrams) == 2
    for diagram in diagrams:
        boxes = dict(re.findall(r'^    (\w+)\["([^<"]+)', diagram, re.MULTILINE))
        arrows = [line for line in diagram.splitlines() if "-->" in line]
        assert set(re.findall(r"\w+", " ".join(arrows))) == boxes.keys()
        for path in boxes.values():
            assert (PROJECT / path).is_file(), path


def test_the_index_lists_every_decision() -> None:
    folder = PROJECT / "docs" / "adr"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\) \| (.+) \|", (folder / "README.md").read_text())
    files = sorted(path.name for path in folder.glob("0*.md"))
    assert [name for name, _ in listed] == files
    for number, (name, title) in enumerate(listed, start=1):
        assert (folder / name).read_text("utf-8").startswith(f"# {number}. {title}\n")


def test_ci_runs_the_documented_command_on_every_supported_python() -> None:
    workflow = yaml.safe_load((PROJECT / ".github" / "workflows" / "test.yml").read_text())
    job = workflow["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert "scripts/test --all" in [step.get("run") for step in job["steps"]]
