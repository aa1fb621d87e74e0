"""Chaos for the write path: in the end everybody is in Comeet once, as they are now.

People are changed and sent as a platform does it: after a cut, all since the last state that was
passed on is sent again, as it is by then. Recruiters move candidates on at any moment, so that
whoever was created without an answer draws no conflict any more. Strangers who share a contact come
from elsewhere. In some lives the ledger is lost, or an old copy of it is put back; there addresses
stay as they are, so that people can be recognised.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from destination_comeet.cli import destination_comeet
from integration_tests.sandbox.running import Sandbox
from integration_tests.support.hostile_comeet import HostileComeet
from integration_tests.support.writer import (
    OPEN,
    Message,
    Run,
    Writer,
    finished,
    lines_of,
    person,
    record,
    state,
)
from tools.chaos.process import WRITE_STEPS, Fate, ended
from tools.chaos.reading import HOUR, cut
from tools.chaos.situations import MINUTE, Wish, broken

STATUSES = ("On hold", "Awaiting Decision", "Rejected", "Withdrawn", "Hired")


@dataclass(slots=True)
class Source:
    """People, and in which order they changed."""

    dice: random.Random
    people: dict[int, dict[str, Any]] = field(default_factory=dict)
    changes: list[int] = field(default_factory=list)
    done: int = 0
    """This many changes are covered by the last state."""
    moves_addresses: bool = True

    def change(self) -> None:
        """Add some people, and change some."""
        for _ in range(self.dice.randint(1, 12)):
            number = len(self.people)
            self.people[number] = person(number)
            self.changes.append(number)
        for number in self.dice.choices(range(len(self.people)), k=self.dice.randint(0, 3)):
            change = len(self.changes)
            new = {"phone": f"+00 555 {change:06}"}
            if self.moves_addresses and self.dice.random() < 0.5:
                new = {"email": f"mira{number}.{change}@example.org"}
            self.people[number] |= new
            self.changes.append(number)

    def messages(self) -> Iterator[Message]:
        """Yield what changed since the last state, as it is now, with states in between."""
        every = self.dice.randint(1, 8)
        for place, number in enumerate(self.changes[self.done :], start=self.done + 1):
            yield record(self.people[number])
            if place % every == 0 or place == len(self.changes):
                yield state(place)


def write(seed: int, folder: Path, ledger: dict[str, Any] | None = None) -> int:
    """Live through one seed and return how many runs were cut. Default: a ledger in the folder.

    Raises `AssertionError` if somebody is missing, twice or outdated.
    """
    dice = random.Random(seed)
    loses_ledgers = dice.random() < 0.4 and ledger is None
    source = Source(dice, moves_addresses=not loses_ledgers)
    runs: list[Run] = []
    with (
        Sandbox.start(candidates=1, seed=seed) as sandbox,
        HostileComeet.running(sandbox) as comeet,
    ):
        writer = Writer(sandbox, folder)
        writer.config["ledger"] = ledger or writer.config["ledger"]
        strangers: dict[str, dict[str, Any]] = {}
        answer = writer.check().status()
        assert answer["status"] == "SUCCEEDED", answer
        writer.control("settings", drift=dice.choice((0.0, 0.3)))
        sandbox.control("/_control/faults", broken("comeet.*", dice))
        for _ in range(dice.randint(2, 5)):
            source.change()
            fate = Fate(
                sandbox=sandbox.url,
                cut=cut(dice, WRITE_STEPS, often=5),
                meanwhile=[
                    dice.choice((_recruiters_decide, _time_passes))(dice)
                    for _ in range(dice.randint(0, 6))
                ],
                every=dice.randint(1, 12),
            )
            runs.append(_write(writer, source, fate))
            sandbox.control(*_recruiters_decide(dice))
            sandbox.clear_faults()
            if dice.random() < 0.5:
                _a_stranger_comes(comeet, source, strangers)
            if loses_ledgers:
                _lose_ledger(writer, dice)
            sandbox.control("/_control/faults", broken("comeet.*", dice))
            sandbox.advance(dice.choice((0, MINUTE, HOUR, 25 * HOUR)))
        sandbox.clear_faults()
        last = _write(writer, source, Fate(sandbox.url))
        assert last.code == 0, last.output
        assert source.done == len(source.changes)
        _assert_everybody_is_there_once(writer, source)
        _assert_strangers_are_as_they_were(writer, strangers)
    return sum(run.code not in {0, 1} for run in runs)


def _a_stranger_comes(
    comeet: HostileComeet, source: Source, strangers: dict[str, dict[str, Any]]
) -> None:
    """Create somebody else, by another name, with the phone of one of ours."""
    ours = source.people[source.dice.randrange(len(source.people))]
    number = len(strangers)
    fields = {
        "first_name": "Jonas",
        "last_name": f"Ngata {number}",
        "email": f"jonas{number}@example.org",
        "phone": ours.get("phone", "+00 555 999999"),
    }
    strangers[comeet.create(OPEN, **fields)] = fields


def _lose_ledger(writer: Writer, dice: random.Random) -> None:
    """Lose the ledger, keep a copy of it, or put the copy back."""
    copy = writer.folder / "copy"
    files = list(writer.folder.glob("ledger.db*"))
    match dice.choice(("lost", "copied", "restored", "kept")):
        case "lost":
            for each in files:
                each.unlink()
            assert writer.check().status()["status"] == "SUCCEEDED"
        case "copied":
            shutil.rmtree(copy, ignore_errors=True)
            copy.mkdir()
            for each in files:
                shutil.copy2(each, copy)
        case "restored" if copy.exists():
            for each in files:
                each.unlink()
            for each in copy.iterdir():
                shutil.copy2(each, writer.folder)


def _recruiters_decide(dice: random.Random) -> Wish:
    wish = {"status": dice.choice(STATUSES), "fraction": dice.choice((0.0, 0.5, 1.0))}
    return "/_control/comeet/move", wish


def _time_passes(dice: random.Random) -> Wish:
    return "/_control/time", {"advance_seconds": dice.choice((1, MINUTE))}


def _write(writer: Writer, source: Source, fate: Fate) -> Run:
    given = writer.folder / "input.jsonl"
    given.write_bytes(lines_of(source.messages()))
    arguments = writer.arguments("write")
    end = ended(destination_comeet, arguments, writer.folder, fate, str(given))
    run = finished(end.code, end.output, end.errors.encode())
    allowed = {0, 1} | (
        {fate.cut.number.value + 128, -fate.cut.number.value} if fate.cut else set()
    )
    assert run.code in allowed, run.output
    assert end.errors == ""
    if run.code == 1:
        assert run.error()["failure_type"] == "transient_error", run.output
    for passed_on in run.states():
        assert passed_on["destinationStats"]["rejectedRecordCount"] == 0, run.output
        source.done = passed_on["stream"]["stream_state"]["cursor"]
    return run


def _assert_everybody_is_there_once(writer: Writer, source: Source) -> None:
    there = [
        (each["partner_candidate_id"], each["fields"])
        for each in writer.truth()
        if each["partner_candidate_id"] is not None
    ]
    expected = {
        f"people:{number}": {name: value for name, value in fields.items() if name != "id"}
        for number, fields in source.people.items()
    }
    assert sorted(key for key, _ in there) == sorted(expected)
    different = [key for key, fields in there if not expected[key].items() <= fields.items()]
    assert not different, different


def _assert_strangers_are_as_they_were(
    writer: Writer, strangers: dict[str, dict[str, Any]]
) -> None:
    there = {each["uid"]: each["fields"] for each in writer.truth()}
    assert {uid: there[uid] for uid in strangers} == strangers
