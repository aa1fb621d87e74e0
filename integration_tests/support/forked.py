"""A command in a process of its own, which is forked from one that has imported everything.

To import takes longer than most runs do. What runs is the console script's own function.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg

from destination_comeet import cli, commands, stdin

LONGEST_RUN = 120
"""Seconds, far more than a run takes: one that waits for ever is a failure."""

_imported = (cli, commands, stdin, sqlite, psycopg)
"""What the destination imports when it runs; here it is imported once for all."""

_forks = multiprocessing.get_context("forkserver")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended, and the bytes that it printed."""

    code: int
    """Below 0: the number of the signal that ended it."""
    output: bytes
    errors: str


def nothing() -> None:
    """Prepare nothing."""


def run(
    command: Callable[[], None],
    arguments: Sequence[str],
    folder: Path,
    *,
    given: str = "",
    prepare: Callable[[], None] = nothing,
) -> Ended:
    """Run a command to its end. `given` is a file to read from; `prepare` runs there first.

    Raises `AssertionError` if it does not end.
    """
    output, errors = folder / "output", folder / "errors"
    files = (given or os.devnull, str(output), str(errors))
    process = _forks.Process(target=_run, args=(command, arguments, files, prepare))
    process.start()
    process.join(LONGEST_RUN)
    if process.exitcode is None:
        process.kill()
        process.join()
        message = f"The run did not end within {LONGEST_RUN} s."
        raise AssertionError(message)
    return Ended(process.exitcode, output.read_bytes(), errors.read_text())


def _run(
    command: Callable[[], None],
    arguments: Sequence[str],
    files: tuple[str, str, str],
    prepare: Callable[[], None],
) -> None:
    for descriptor, path in enumerate(files):
        flags = os.O_RDONLY if descriptor == 0 else os.O_CREAT | os.O_WRONLY | os.O_TRUNC
        os.dup2(os.open(path, flags), descriptor)
    # A pipe to the parent of all forks stands there otherwise.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for the life of the process
    sys.argv = [command.__name__, *arguments]
    prepare()
    command()
