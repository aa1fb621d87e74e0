"""The two commands, each run in a process of its own that is cut where the dice say.

The processes are forked from one that has imported everything, for the imports take longer than a
run. What runs is the console script's own function; only its clock passes every wait at once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import requests
import urllib3

from integration_tests.support import forked
from integration_tests.support.connector import QuickClock
from integration_tests.support.forked import LONGEST_RUN, Ended
from integration_tests.support.killed_writer import STEPS as WRITE_STEPS
from integration_tests.support.killed_writer import Step, always, die, interrupt
from source_ats import process
from source_ats.http.client import Client
from source_ats.process import Output
from source_ats.sync import emitter
from tools.chaos.situations import Wish

__all__ = ["READ_STEPS", "WRITE_STEPS", "Cut", "Ended", "Fate", "ended"]

HALF_PRINTED = "lines half printed"
READ_STEPS: dict[str, Step] = {
    "call not sent": (Client, "_exchange", "before", always),
    "call half sent": (urllib3.connection.HTTPConnection, "endheaders", "after", always),
    "call sent": (urllib3.connection.HTTPConnection, "request", "after", always),
    "call answered": (Client, "_exchange", "after", always),
    "lines not printed": (Output, "write", "before", always),
    HALF_PRINTED: (Output, "write", "before", always),
    "lines printed": (Output, "write", "after", always),
}
PACE_SECONDS = 0.05

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["__main__", __name__])


@dataclass(frozen=True, slots=True)
class Cut:
    """A signal that comes when the run comes to a step this many times."""

    step: str
    occurrence: int
    number: signal.Signals


@dataclass(frozen=True, slots=True)
class Blow:
    """What happens when the run comes to a step this many times."""

    step: str
    occurrence: int
    strike: Callable[[], object]


@dataclass(frozen=True, slots=True)
class MachineClock:
    """The clock of the machine that runs the connector. Waits pass there and at the vendor."""

    ahead: float
    """Seconds, against the true time of the machine that runs chaos."""


@dataclass(frozen=True, slots=True)
class Fate:
    """All that happens to one run from outside, beside faults."""

    sandbox: str
    certificate: str = ""
    """The file with the sandbox's own certificate, where it speaks TLS."""
    cut: Cut | None = None
    meanwhile: Sequence[Wish] = ()
    """Happen one after the other ..."""
    every: int = 1
    """... before each call whose number this divides."""
    seconds_between_states: float = 1.0
    clock: MachineClock | None = None
    """None: waits pass nowhere."""
    blows: Sequence[Blow] = ()


def ended(
    command: Callable[[], None], arguments: Sequence[str], folder: Path, fate: Fate, given: str = ""
) -> Ended:
    """Run one of the two commands until it ends or is cut. `given` is a file to read from."""
    return forked.run(command, arguments, folder, given=given, prepare=partial(_prepare, fate))


def _prepare(fate: Fate) -> None:
    if fate.certificate:
        os.environ["REQUESTS_CA_BUNDLE"] = fate.certificate
    vars(process)["SystemClock"] = partial(_SetClock, fate) if fate.clock else QuickClock
    emitter.SECONDS_BETWEEN_STATES = fate.seconds_between_states
    _let_things_happen(fate)
    for blow in fate.blows:
        _at(blow.step, blow.occurrence, lambda *_, strike=blow.strike: strike())
    if fate.cut is not None:
        _at(fate.cut.step, fate.cut.occurrence, _act(fate.cut))


def _at(step: str, occurrence: int, act: Callable[..., object]) -> None:
    interrupt({**READ_STEPS, **WRITE_STEPS}[step], occurrence, act)


class _SetClock(QuickClock):
    """The machine's clock, which is wrong and is set meanwhile; waits pass at the vendor too."""

    ahead = 0.0

    def __init__(self, fate: Fate, stop: threading.Event) -> None:
        super().__init__(stop)
        self._control = _control(fate)
        assert fate.clock is not None
        _SetClock.ahead = fate.clock.ahead

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.waited + self.ahead)

    def passes(self, seconds: float) -> None:
        # The steps of an even pace are not worth a call.
        if seconds > PACE_SECONDS:
            self._control("/_control/time", {"advance_seconds": seconds})


def set_clock(seconds: float) -> None:
    """Set the machine's clock forward by this much, or back."""
    _SetClock.ahead += seconds


def _act(cut: Cut) -> Callable[..., object]:
    if cut.number is signal.SIGKILL:
        return _die_printing if cut.step == HALF_PRINTED else die
    return lambda *_: os.kill(os.getpid(), cut.number)


def _die_printing(output: Output, lines: bytes) -> NoReturn:
    """Be killed in the middle of a line, while nobody else prints."""
    with output._lock:  # noqa: SLF001 - as whoever prints holds it
        os.write(sys.stdout.fileno(), lines[: len(lines) // 2])
        die()


def _let_things_happen(fate: Fate) -> None:
    """Arrange for the changes, from within the run: so they come at the same call every time."""
    control = _control(fate)
    for number, (path, body) in enumerate(fate.meanwhile, start=1):
        step = (Client, "_exchange", "before", always)
        interrupt(step, number * fate.every, lambda *_, path=path, body=body: control(path, body))


def _control(fate: Fate) -> Callable[[str, Any], None]:
    """Return what posts to the sandbox's control API."""
    session = requests.Session()
    session.trust_env = False
    session.verify = fate.certificate or True

    def post(path: str, body: Any) -> None:
        session.post(fate.sandbox + path, json=body, timeout=LONGEST_RUN).raise_for_status()

    return post
