"""The destination in tests: a writer on a sandbox of its own, and who is in Comeet."""

from __future__ import annotations

import signal
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.writer import (
    Message,
    Writer,
    person,
    record,
    state,
)


def bare(world: Sandbox, folder: Path) -> Writer:
    world.control("/_control/comeet/reset", {})
    world.advance((datetime.now(UTC) - world.now()).total_seconds())
    world.clear_faults()
    world.reset_log()
    return Writer(world, folder)


def partners(writer: Writer) -> Counter[str]:
    return Counter(each["partner_candidate_id"] for each in writer.truth())


def people(*numbers: int) -> list[Message]:
    return [record(person(number)) for number in numbers]


def written_in_two_runs(writer: Writer, step: str, occurrence: int, between: Any) -> None:
    """Kill a run at a step, then send again what Airbyte would: all after the last state."""
    messages = [*people(1, 2, 3), state(3), *people(4, 5, 6), state(6)]
    killed = writer.write_killed(step, occurrence, *messages)
    assert killed.code == -signal.SIGKILL, killed.output
    between()
    done = [each["stream"]["stream_state"]["cursor"] for each in killed.states()]
    rest = messages[messages.index(state(done[-1])) + 1 :] if done else messages
    again = writer.write(*rest)
    assert again.code == 0, again.output
    passed = done + [each["stream"]["stream_state"]["cursor"] for each in again.states()]
    assert passed == [3, 6]
    counts = [each["destinationStats"] for each in again.states()]
    assert all(each["rejectedRecordCount"] == 0 for each in counts)
    assert partners(writer) == {f"people:{number}": 1 for number in range(1, 7)}
