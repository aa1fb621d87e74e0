"""A plugin of pytest that tests many mutants, each in a process forked after collection.

mutmut's own runner starts pytest again for each mutant, with each test as an argument, which pytest
refuses for some names of tests. It also cannot run the tests that use a sandbox: its processes are
forked from one in which sandboxes ran.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

REACHED = Path("reached.jsonl")
"""One line for each test that passes: its seconds, and the functions that it reaches."""

OUTCOMES = Path("outcomes.jsonl")
"""One line for each mutant that was tested."""

TO_TEST = Path("to_test.json")
"""How many seconds of unit tests and of integration tests each mutant gets, and the mutants' keys
and names.

Of the tests that reach a mutant it gets those of its own package first, then the quickest.
"""

PATIENCE = 10
"""Other programs slow a test down, but hardly as much. A test may also wait for ever."""

MAX_BYTES = 4 * 1024**3
"""Some mutants take memory without end."""

CHILDREN = 2


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Run new tests once to see what they reach, then the tests of each mutant."""
    if session.testsfailed:
        raise session.Interrupted("Tests cannot be collected.")
    tests = {item.nodeid: item for item in session.items}
    known = {each["test"] for each in read_lines(REACHED)}
    new = [item for name, item in tests.items() if name not in known]
    parts = [new[number::CHILDREN] for number in range(CHILDREN)]
    for process in [_forked(partial(_note_reached, part), 3600) for part in parts if part]:
        os.waitpid(process, 0)
    durations: dict[str, float] = {}
    of_function: dict[str, list[str]] = {}
    for each in read_lines(REACHED):
        if each["test"] in tests:
            durations[each["test"]] = each["seconds"]
            for function in each["functions"]:
                of_function.setdefault(function, []).append(each["test"])
    running: list[_Running] = []
    *seconds, mutants = json.loads(TO_TEST.read_text())
    for key, name in mutants:
        reaching = of_function.get(name.partition("__mutmut_")[0], [])
        folder = "/".join(name.partition(".x")[0].removeprefix("source_ats.").split(".")[:-1])
        chosen = _chosen(reaching, durations, seconds, f"unit_tests/{folder}/")
        limit = 10 + 10 * sum(durations[each] for each in chosen)
        work = partial(_test, [tests[each] for each in chosen], key, name)
        while len(running) >= CHILDREN:
            running = _still_running(running)
        running.append(_Running(key, _forked(work, limit), time.monotonic() + PATIENCE * limit))
    while running:
        running = _still_running(running)
    return True


def _chosen(
    names: Iterable[str], durations: Mapping[str, float], seconds: Sequence[float], folder: str
) -> list[str]:
    """Return the tests to run: unit tests, those in `folder` first, integration tests by file."""
    chosen: list[str] = []
    for integration, most in zip((False, True), seconds, strict=True):
        kind = [name for name in names if name.startswith("integration_tests/") == integration]
        quickest: list[str] = []
        total = 0.0
        for name in sorted(
            kind, key=lambda name: (not name.startswith(folder), durations[name], name)
        ):
            total += durations[name]
            if total > most and (quickest or not most):
                break
            quickest.append(name)
        chosen += (
            sorted(quickest, key=lambda name: name.partition("::")[0]) if integration else quickest
        )
    return chosen


@dataclass(frozen=True)
class _Running:
    """A process that tests a mutant."""

    key: str
    process: int
    until: float


def _forked(work: Callable[[], None], cpu_seconds: float) -> int:
    """Start a process, in a group of its own with all that it starts."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_seconds),) * 2)
        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES,) * 2)
        work()
        code = 0
    finally:
        os._exit(code)  # nothing of pytest's may run twice


def _still_running(running: list[_Running]) -> list[_Running]:
    """Wait a little. Return the processes that have neither ended nor used up their time."""
    time.sleep(0.02)
    left = []
    for each in running:
        process, status = os.waitpid(each.process, os.WNOHANG)
        if process:
            _end_group(each.process)
            if os.WIFSIGNALED(status):
                _write_line(OUTCOMES, key=each.key, outcome="timeout", test="")
        elif time.monotonic() > each.until:
            _end_group(each.process)
            os.waitpid(each.process, 0)
            _write_line(OUTCOMES, key=each.key, outcome="timeout", test="")
        else:
            left.append(each)
    return left


def _end_group(process: int) -> None:
    """End what a process has started and left behind."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)


class _Reports:
    """Hears how each test ends."""

    def __init__(self, heard: Callable[[pytest.TestReport], None]) -> None:
        self.pytest_runtest_logreport = heard


def _run(items: Sequence[pytest.Item], heard: Callable[[pytest.TestReport], None]) -> None:
    session = items[0].session
    session.config.pluginmanager.register(_Reports(heard))
    following: list[Any] = [*items[1:], None]
    for item, after in zip(items, following, strict=True):
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=after)


def _note_reached(items: Sequence[pytest.Item]) -> None:
    reached: set[str] = state()._stats  # noqa: SLF001 - mutmut has no other place for it

    began = 0.0

    def heard(report: pytest.TestReport) -> None:
        nonlocal began
        if report.when == "setup":
            reached.clear()
            began = time.process_time()  # which other programs do not slow down
        if report.when == "call" and report.passed:
            functions = sorted(reached.copy())
            seconds = round(time.process_time() - began, 3)
            _write_line(REACHED, test=report.nodeid, seconds=seconds, functions=functions)

    os.environ["MUTMUT_DEPENDENCY_DEPTH"] = "-1"
    set_mutant_under_test("stats")
    _run(items, heard)


def _test(items: Sequence[pytest.Item], key: str, name: str) -> None:
    def heard(report: pytest.TestReport) -> None:
        if report.failed:
            _write_line(OUTCOMES, key=key, outcome="killed", test=report.nodeid)
            os._exit(0)

    set_mutant_under_test(name)
    if items:
        _run(items, heard)
    _write_line(OUTCOMES, key=key, outcome="survived" if items else "no tests", test="")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file that may not be there yet."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def _write_line(path: Path, **content: Any) -> None:
    """Add a line, whole even if several processes write."""
    with path.open("ab", buffering=0) as file:
        file.write(json.dumps(content).encode() + b"\n")
