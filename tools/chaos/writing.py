"""Chaos for the write path: in the end everybody is in Comeet once, as they are now.

People are changed and sent as a platform does it: after a cut, all since the last state that was
passed on is sent again, as it is by then. Recruiters move candidates on at any moment, so that
whoever was created without an answer draws no conflict any more. Strangers who share names or
contacts come from elsewhere. The machine's clock is wrong and is set in the middle of a run, the
server of the ledger is killed; some records can never be written, and some people draw an error
whenever they are posted or updated. In some lives the ledger is lost, or an old copy of it is put
back; there addresses stay as they are, so that people can be recognised.

After each run, whatever the states that it passed on cover has to be in Comeet or among the
rejected records, and the states have to count it so. At the end all is repaired: then everybody
has to be there once, and the same again sends nothing.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from destination_comeet.cli import destination_comeet
from integration_tests.sandbox.running import Sandbox
from integration_tests.support.hostile_comeet import HostileComeet
from integration_tests.support.postgres import Postgres
from integration_tests.support.scripted_vendor import make_certificate
from integration_tests.support.writer import (
    OPEN,
    SECOND,
    Message,
    Run,
    Writer,
    finished,
    lines_of,
    person,
    record,
    state,
)
from tools.chaos.ledgers import DatabaseLedger, FileLedger, Ledger
from tools.chaos.process import WRITE_STEPS, Blow, Fate, MachineClock, ended, set_clock
from tools.chaos.reading import DAY, HOUR, cut
from tools.chaos.situations import BROKEN, CUT, DENIED, MINUTE, Fault, Wish, broken, denied

STATUSES = ("On hold", "Awaiting Decision", "Rejected", "Withdrawn", "Hired")
NO_DATE = {"Date": "none"}
WRONG_BY = 5 * MINUTE
"""Seconds that the machine's clock may be wrong where replies carry no `Date`, and once more by
a step; all that is promised there is a margin of 15 minutes."""

OFTEN = 5
"""A step comes about so often before something happens at it."""

SERVER_ERROR: Fault = {"kind": "status", "status": 500}
NEVER_CREATED: tuple[Fault, ...] = (
    SERVER_ERROR,
    {"kind": "html", "status": 502},
    {"kind": "reset"},
    {"kind": "body", "status": 400, "body": {"status": 400, "error": "validation_error"}},
)
"""What the posts of a person may meet until that is repaired ..."""
NEVER_ANSWERED: tuple[Fault, ...] = ({"kind": "lost_answer"}, {"kind": "garbage"})
"""... or meet after the first of them has created the candidate."""
DENIED_ACCESS = tuple(each for each in DENIED if each["status"] != 404)

POISONED_PHONE = "+00 666"
"""Updates with such a number fail until that is repaired."""

NAMES = '"first_name": "Mira", "last_name": "Solberg"'
BAD_RECORDS = (
    '{"id": "%s", "first_name": "Mira"}',
    '{"id": "%s@example.org", ' + NAMES + "}",
    '{"id": "%s", ' + NAMES + ', "score": NaN}',
    '{"id": "%s", ' + NAMES + ', "deep": ' + "[" * 5000 + "]" * 5000 + "}",
    '{"id": "%s", ' + NAMES + ', "position_uid": "FF.FFF"}',
)
"""Rejected whenever they come."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that can never be written."""

    id: str
    line: bytes


@dataclass(slots=True)
class Source:
    """People, and in which order they changed."""

    dice: random.Random
    moves_addresses: bool
    people: dict[int, dict[str, Any]] = field(default_factory=dict)
    changes: list[int | Bad] = field(default_factory=list)
    """The numbers of people, and other records."""
    done: int = 0
    """This many changes are covered by the last state."""

    def change(self) -> None:
        """Add some people, and change some."""
        for _ in range(self.dice.randint(1, 12)):
            number = len(self.people)
            self.people[number] = person(number)
            self.changes.append(number)
        for number in self.dice.choices(range(len(self.people)), k=self.dice.randint(0, 3)):
            change = len(self.changes)
            kind = "+00 555" if self.dice.random() < 0.9 else POISONED_PHONE
            new = {"phone": f"{kind} {change:06}"}
            if self.moves_addresses and self.dice.random() < 0.5:
                new = {"email": f"mira{number}.{change}@example.org"}
            self.people[number] |= new
            self.changes.append(number)
        for _ in range(self.dice.choice((0, 0, 1, 2))):
            name = f"bad{len(self.changes):06}"
            data = self.dice.choice(BAD_RECORDS) % name
            line = (
                f'{{"type":"RECORD","record":{{"stream":"people","emitted_at":1,"data":{data}}}}}'
            )
            self.changes.append(Bad(name, line.encode()))

    def change_all(self) -> None:
        """Send everybody once more, as they are."""
        self.changes += self.people

    def messages(self) -> Iterator[Message | bytes]:
        """Yield what changed since the last state, as it is now, with states in between."""
        every = self.dice.randint(1, 8)
        for place, change in enumerate(self.changes[self.done :], start=self.done + 1):
            yield change.line if isinstance(change, Bad) else record(self.people[change])
            if place % every == 0 or place == len(self.changes):
                yield state(place)

    def covered_by_a_state(self) -> set[int]:
        """Return the people whose last change is covered by a state."""
        begun = self.changes[self.done :]
        return {each for each in self.changes[: self.done] if isinstance(each, int)} - {
            each for each in begun if isinstance(each, int)
        }


@dataclass(slots=True)
class Life:
    """One seed."""

    dice: random.Random
    sandbox: Sandbox
    comeet: HostileComeet
    writer: Writer
    ledger: Ledger
    source: Source
    certificate: str
    loses_ledgers: bool
    has_date: bool
    is_repaired: bool = False
    """Whether nobody draws an error any more."""
    poisons: dict[int, Fault] = field(default_factory=dict)
    """What the posts of these people meet."""
    doubtful: dict[int, list[str]] = field(default_factory=dict)
    """People who cannot be told from these strangers, and may be rejected as unknown."""
    strangers: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)

    def begin(self) -> None:
        """Choose what lasts, and make the ledger."""
        settings = {"drift": self.dice.choice((0.0, 0.3)), "check_expiry": self.has_date}
        self.writer.control("settings", **settings)
        self.writer.config["rejected_path"] = str(self.writer.folder / "rejected.jsonl")
        self.writer.config["ledger"] = self.ledger.settings
        for number in self.dice.sample(range(30), self.dice.choice((0, 1, 3))):
            self.poisons[number] = self.dice.choice(NEVER_CREATED + NEVER_ANSWERED)
        self.ledger.lose()
        self.check()

    def run_in_chaos(self) -> None:
        """Make one run fail as it may, and other people act after it."""
        dice = self.dice
        self.source.change()
        self._strike(*self._passing_faults())
        crash = self.ledger.crash
        blows = [] if crash is None or dice.random() < 0.5 else [self._blow(crash)]
        if dice.random() < 0.5:
            blows.append(self._blow(partial(set_clock, self._wrong())))
        fate = Fate(
            sandbox=self.sandbox.url,
            certificate=self.certificate,
            cut=cut(dice, WRITE_STEPS, often=OFTEN),
            meanwhile=[
                dice.choice((_recruiters_decide, _time_passes))(dice)
                for _ in range(dice.randint(0, 6))
            ],
            every=dice.randint(1, 12),
            clock=MachineClock(self._ahead() + self._wrong()),
            blows=blows,
        )
        self.write(fate)
        self._strike()
        self.sandbox.control(*_recruiters_decide(dice))
        for _ in range(dice.choice((0, 1, 2))):
            self._a_stranger_comes()
        if self.loses_ledgers:
            self._lose_ledger()
        self.sandbox.advance(dice.choice((0, MINUTE, HOUR, 25 * HOUR)))

    def write_the_rest(self) -> None:
        """Write while only what is broken fails: all else must come."""
        self._strike()
        # A person whose posts fail ends two runs, if nobody else is posted in them.
        for _ in range(4):
            if self._write_calmly().code == 0:
                break
        assert self.runs[-1].code == 0, self.runs[-1].output
        assert self.source.done == len(self.source.changes)

    def write_everybody(self) -> None:
        """Repair all, and write everybody: everybody must be there. The same again does nothing."""
        self.is_repaired = True
        uids = [uid for each in self.doubtful.values() for uid in each]
        self.writer.control("erase", uids=uids)
        for uid in uids:
            del self.strangers[uid]
        self._strike()
        self._send_all()
        self.sandbox.reset_log()
        before = list(self.writer.truth())
        self._send_all()
        assert self.writer.truth() == before
        calls = self.sandbox.counts().keys()
        assert not calls & {"comeet.create", "comeet.update"}, calls

    def _send_all(self) -> None:
        self.source.change_all()
        run = self._write_calmly()
        assert run.code == 0, run.output
        assert self.source.done == len(self.source.changes)

    # Runs -----------------------------------------------------------------------------------------

    def check(self) -> None:
        """Check, which makes the ledger where there is none."""
        fate = Fate(self.sandbox.url, self.certificate, clock=MachineClock(self._ahead()))
        run = self._run("check", fate)
        assert run.status()["status"] == "SUCCEEDED", run.output
        self.ledger.release()

    def _write_calmly(self) -> Run:
        clock = MachineClock(self._ahead() + self._wrong())
        return self.write(Fate(self.sandbox.url, self.certificate, clock=clock))

    def write(self, fate: Fate) -> Run:
        """Write what is due, and hold what came of it against what the states say."""
        given = self.writer.folder / "input.jsonl"
        given.write_bytes(lines_of(self.source.messages()))
        run = self._run("write", fate, str(given))
        self.runs.append(run)
        allowed = {0, 1} | (
            {fate.cut.number.value + 128, -fate.cut.number.value} if fate.cut else set()
        )
        assert run.code in allowed, run.output
        if run.code == 1:
            assert run.error()["failure_type"] == "transient_error", run.output
        self.ledger.release()
        for passed_on in run.states():
            self._assert_counts(passed_on)
            self.source.done = passed_on["stream"]["stream_state"]["cursor"]
        self._assert_comeet_is_up_to_date(run)
        self._assert_strangers_are_as_they_were()
        return run

    def _run(self, verb: str, fate: Fate, given: str = "") -> Run:
        folder, arguments = self.writer.folder, self.writer.arguments(verb)
        end = ended(destination_comeet, arguments, folder, fate, given)
        assert end.errors == ""
        return finished(end.code, end.output, b"")

    # What must hold -------------------------------------------------------------------------------

    def _assert_counts(self, passed_on: dict[str, Any]) -> None:
        """Hold the statistics of a state against the records that it covers."""
        end = passed_on["stream"]["stream_state"]["cursor"]
        covered = self.source.changes[self.source.done : end]
        bad = sum(isinstance(each, Bad) for each in covered)
        excused = sum(each in self._excused() for each in covered)
        statistics = passed_on["destinationStats"]
        assert statistics["recordCount"] == len(covered), passed_on
        assert bad <= statistics["rejectedRecordCount"] <= bad + excused, passed_on

    def _assert_comeet_is_up_to_date(self, run: Run) -> None:
        """Make sure that all below a state is there as it is now, or kept as rejected."""
        rows = [each for each in self.writer.truth() if each["partner_candidate_id"] is not None]
        times = Counter(each["partner_candidate_id"] for each in rows)
        assert set(times.values()) <= {1}, (times, run.output)
        there = {each["partner_candidate_id"]: each["fields"] for each in rows}
        sent = {f"people:{number}" for number in self.source.people}
        assert there.keys() <= sent, there.keys() - sent
        rejected = self._rejected()
        for number in self.source.people:
            names = person(number)
            held = there.get(f"people:{number}")
            if held is not None:
                for name in ("first_name", "last_name"):
                    assert held[name] == names[name], (number, held)
        for number in self.source.covered_by_a_state():
            ours = {name: each for name, each in self.source.people[number].items() if name != "id"}
            held = there.get(f"people:{number}")
            if held is None or not ours.items() <= held.items():
                assert number in self._excused(), (number, ours, held, run.output)
                assert f'"people:{number}"' in rejected, (number, run.output)
        for change in self.source.changes[: self.source.done]:
            if isinstance(change, Bad):
                assert change.id in rejected, (change.id, run.output)

    def _assert_strangers_are_as_they_were(self) -> None:
        there = {each["uid"]: each["fields"] for each in self.writer.truth()}
        assert {uid: there[uid] for uid in self.strangers} == self.strangers

    def _excused(self) -> set[int]:
        """Return who may be rejected now."""
        if self.is_repaired:
            return set()
        posts = {number for number, each in self.poisons.items() if each in NEVER_CREATED}
        updates = {
            number
            for number, each in self.source.people.items()
            if each.get("phone", "").startswith(POISONED_PHONE)
        }
        return posts | updates | self.doubtful.keys()

    def _rejected(self) -> str:
        return Path(self.writer.config["rejected_path"]).read_text("utf-8", "replace")

    # What happens ---------------------------------------------------------------------------------

    def _strike(self, *faults: Fault) -> None:
        """Set these faults and the lasting ones, and no others."""
        lasting: list[Fault] = []
        if not self.is_repaired:
            lasting += [
                {"endpoint": "comeet.create", "containing": f'"people:{number}"', **fault}
                for number, fault in self.poisons.items()
            ]
            lasting.append(
                {"endpoint": "comeet.update", "containing": POISONED_PHONE, **SERVER_ERROR}
            )
        everything = [*lasting, *faults]
        if not self.has_date:
            everything = [
                {**each, "headers": {**each.get("headers", {}), **NO_DATE}} for each in everything
            ]
            everything.append({"endpoint": "comeet.*", "kind": "headers", "headers": NO_DATE})
        self.sandbox.clear_faults()
        self.sandbox.control("/_control/faults", everything)

    def _passing_faults(self) -> list[Fault]:
        kinds = (*BROKEN, *CUT, {"kind": "garbage"})
        passing = broken("comeet.*", self.dice, kinds)
        # A page of another server under our address is a wrong base_url, so no 404.
        return passing + denied("comeet.*", self.dice, DENIED_ACCESS)

    def _blow(self, strike: Callable[[], object]) -> Blow:
        occurrence = 1 + int(self.dice.expovariate(1 / OFTEN))
        return Blow(self.dice.choice(list(WRITE_STEPS)), occurrence, strike)

    def _ahead(self) -> float:
        """Return how far the machine's clock is ahead of this one, if it is right."""
        if self.has_date:
            return 0.0
        return (self.sandbox.now() - datetime.now(UTC)).total_seconds()

    def _wrong(self) -> float:
        """Return by how much the machine's clock is wrong, or is set."""
        most = DAY if self.has_date else WRONG_BY
        return self.dice.choice((0.0, self.dice.uniform(-most, most)))

    def _a_stranger_comes(self) -> None:
        """Create somebody else who shares something with one of ours, who may not be there yet."""
        number = self.dice.randrange(len(self.source.people) + 4)
        ours = self.source.people.get(number, person(number))
        mark = len(self.strangers)
        names = {"first_name": ours["first_name"], "last_name": ours["last_name"]}
        email = {"email": f"jonas{mark}@example.org"}
        position, is_alike = OPEN, False
        match self.dice.choice(("phone", "position", "family", "namesake")):
            case "phone":
                phone = {"phone": ours.get("phone", "+00 555 999999")}
                fields = {"first_name": "Jonas", "last_name": f"Ngata {mark}", **email, **phone}
            case "position":
                position, fields = SECOND, {**names, "email": ours["email"]}
            case "family":
                is_alike, fields = True, {**names, "first_name": "Jonas", "email": ours["email"]}
            case _:
                is_alike, fields = True, {**names, **email}
        uid = self.comeet.create(position, **fields)
        self.strangers[uid] = fields
        if is_alike:
            self.doubtful.setdefault(number, []).append(uid)

    def _lose_ledger(self) -> None:
        """Lose the ledger, keep a copy of it, or put the copy back."""
        match self.dice.choice(("lost", "copied", "restored", "kept")):
            case "lost":
                self.ledger.lose()
                self.check()
            case "copied":
                self.ledger.copy()
            case "restored":
                self.ledger.restore()


def write(seed: int, folder: Path, server: Postgres | None = None) -> int:
    """Live through one seed and return how many runs were cut. Default: a ledger in a file.

    Raises `AssertionError` if somebody is missing, twice or outdated.
    """
    dice = random.Random(seed)
    certificate = make_certificate(folder) if dice.random() < 0.25 else None
    loses_ledgers = dice.random() < 0.4
    with (
        Sandbox.start(candidates=1, seed=seed, certificate=certificate) as sandbox,
        HostileComeet.running(sandbox) as comeet,
    ):
        life = Life(
            dice=dice,
            sandbox=sandbox,
            comeet=comeet,
            writer=Writer(sandbox, folder),
            ledger=FileLedger(folder) if server is None else DatabaseLedger(server),
            source=Source(dice, moves_addresses=not loses_ledgers),
            certificate=str(certificate or ""),
            loses_ledgers=loses_ledgers,
            has_date=dice.random() < 0.8,
        )
        life.begin()
        for _ in range(dice.randint(2, 5)):
            life.run_in_chaos()
        life.write_the_rest()
        life.write_everybody()
    return sum(run.code not in {0, 1} for run in life.runs)


def _recruiters_decide(dice: random.Random) -> Wish:
    wish = {"status": dice.choice(STATUSES), "fraction": dice.choice((0.0, 0.5, 1.0))}
    return "/_control/comeet/move", wish


def _time_passes(dice: random.Random) -> Wish:
    return "/_control/time", {"advance_seconds": dice.choice((1, MINUTE))}
