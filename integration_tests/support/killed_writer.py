"""Run `destination-comeet` and kill it in the middle: no step of it can prepare for that.

It sends SIGKILL to itself when the run comes to a step for the Nth time. The steps are those
between the reading of a record and the passing on of a state.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import urllib3
from sqlalchemy import Connection

from destination_comeet.cli import destination_comeet
from destination_comeet.delivery import Delivery
from destination_comeet.ledger import Ledger
from destination_comeet.replay import NewFile
from integration_tests.support import forked
from integration_tests.support.forked import Ended
from source_ats.http.client import Client
from source_ats.process import Output


def is_post(*arguments: Any) -> bool:
    """True if a call of `Client.send`, or of urllib3's connection, creates."""
    return any(each == "POST" or getattr(each, "creates", False) for each in arguments)


def is_state(*arguments: Any) -> bool:
    """True if a STATE is printed."""
    return b'"STATE"' in arguments[1]


def always(*_: Any) -> bool:
    """Take every call."""
    return True


Step = tuple[type, str, str, Callable[..., bool]]
"""A method of a class, `before` or `after`, and which of its calls count."""

STEPS: dict[str, Step] = {
    "record read": (Delivery, "deliver", "before", always),
    "note not written": (Ledger, "note_post", "before", always),
    "note not committed": (Connection, "commit", "before", always),
    "note committed": (Ledger, "note_post", "after", always),
    "call not sent": (Client, "send", "before", is_post),
    "call half sent": (urllib3.connection.HTTPConnection, "endheaders", "after", always),
    "call sent": (urllib3.connection.HTTPConnection, "request", "after", is_post),
    "call answered": (Client, "send", "after", is_post),
    "entry not saved": (Ledger, "save", "before", always),
    "entry saved": (Ledger, "save", "after", always),
    "record done": (Delivery, "deliver", "after", always),
    "changes not merged": (Ledger, "_commit", "after", always),
    "not flushed": (Ledger, "flush", "before", always),
    "flushed": (Ledger, "flush", "after", always),
    "state not passed on": (Output, "write", "before", is_state),
    "state passed on": (Output, "write", "after", is_state),
}
REPLAY_STEPS: dict[str, Step] = {
    **{name: step for name, step in STEPS.items() if not name.startswith("state")},
    "file not replaced": (NewFile, "replace", "before", always),
    "file replaced": (NewFile, "replace", "after", always),
}


def die(*_: Any) -> NoReturn:
    """Be killed. Nothing runs after this: no handler, no `finally`."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def interrupt(step: Step, occurrence: int, act: Callable[..., object]) -> None:
    """Arrange for `act` to be called, with the arguments of the step, when it comes so often."""
    owner, name, moment, takes = step
    original = getattr(owner, name)
    # Counts right also when several threads come to it.
    turns = itertools.count(1)

    def watched(*arguments: Any, **named: Any) -> Any:
        is_it = takes(*arguments, *named.values()) and next(turns) == occurrence
        if is_it and moment == "before":
            act(*arguments)
        result = original(*arguments, **named)
        if is_it and moment == "after":
            act(*arguments)
        return result

    setattr(owner, name, watched)


def run_killed(step: str, occurrence: int, arguments: Sequence[str], given: Path) -> Ended:
    """Run `destination-comeet` on the lines of a file, killed when it comes to a step so often."""
    return forked.run(
        destination_comeet,
        arguments,
        given.parent,
        given=str(given),
        prepare=partial(interrupt, {**STEPS, **REPLAY_STEPS}[step], occurrence, die),
    )
