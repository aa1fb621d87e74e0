"""What both command lines say of themselves: help, version and wrong arguments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from integration_tests.sandbox.running import PROJECT

PROGRAMS = ("source-ats", "destination-comeet")
VERSION = yaml.safe_load((PROJECT / "metadata.yaml").read_text())["data"]["dockerImageTag"]


def typed(*arguments: str) -> tuple[int, str, str]:
    """Return the exit code of a command line, and what it printed on either output."""
    command = [str(Path(sys.executable).with_name(arguments[0])), *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_version_is_that_of_the_metadata(program: str) -> None:
    assert typed(program, "--version") == (0, f"{program} {VERSION}\n", "")


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_name_alone_prints_the_help(program: str) -> None:
    code, printed, said = typed(program)
    assert (code, printed) == (2, "")
    assert typed(program, "--help") == (0, said, "")
    commands, _, examples = said.partition("\nExamples:\n")
    for verb in ("spec", "check", "read" if program == "source-ats" else "write"):
        assert f"\n    {verb} " in commands
    assert f"  {program} check --config " in examples


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_and_option_is_explained_in_a_sentence(program: str) -> None:
    _, printed, _ = typed(program, "--help")
    listed = printed.partition("\ncommands:\n")[2].partition("\nExamples:\n")[0].splitlines()
    verbs = [line.split()[0] for line in listed if line.startswith("    ") and line[4] != " "]
    assert "check" in verbs
    for verb in verbs:
        code, printed, _ = typed(program, verb, "--help")
        assert code == 0
        usage, sentence, options = printed.split("\n\n", 2)
        assert usage.startswith(f"usage: {program} {verb} ")
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert "--debug" in options


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["frob"], "frob"),
        (["check"], "--config"),
        (["check", "--config"], "--config"),
        (["check", "--config", "c.json", "--colour"], "--colour"),
    ],
)
@pytest.mark.parametrize("program", PROGRAMS)
def test_wrong_arguments_are_named(program: str, arguments: list[str], named: str) -> None:
    code, printed, said = typed(program, *arguments)
    assert (code, printed) == (2, "")
    assert named in said.splitlines()[-1]
