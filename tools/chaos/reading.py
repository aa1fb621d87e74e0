"""Chaos for the streams that are read: what the warehouse holds in the end is what there is.

A seed chooses how the vendor and the connector are set, how often calls fail and how, where each
run is cut, what changes meanwhile and how much time passes. Some things stay broken: a child, an
integration, a row. Then the faults end, and the next runs must bring all the rest; then those are
repaired too, and the next runs must bring everything.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import Connector, Run, catalog, parsed
from integration_tests.support.scripted_vendor import make_certificate
from source_ats.cli import source_ats
from tools.chaos import situations
from tools.chaos.process import READ_STEPS, Cut, Fate, ended
from tools.chaos.situations import MINUTE, Fault, Poison, Wish

HOUR, DAY = 3600, 86_400
LOOKBACK_MINUTES = 60

Repaired = Mapping[str, Any]
"""What a warehouse gets instead of the poison, by the key of the row."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A part of a stream that cannot be read until it is repaired."""

    keys: Callable[[], Iterable[str]]
    """The rows that may be missing meanwhile."""
    exit_codes: frozenset[int] = frozenset({0})
    """How a run may end in which nothing else fails ..."""
    failure_types: frozenset[str] = frozenset()
    """... and with what errors."""
    faults: Sequence[Fault] = ()
    """How it shows ..."""
    wishes: Sequence[Wish] = ()
    """... or what the sandbox is asked for, and ..."""
    repair: Sequence[Wish] = ()
    """... what ends that."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What chaos needs to know of a stream."""

    endpoints: str
    people: int
    connector: Callable[[Sandbox, Path, random.Random], Connector]
    change_between_runs: Callable[[Sandbox, random.Random], object]
    """Make changes while nothing is read."""
    missing: Callable[[Sandbox, Sequence[Run], Repaired], Iterable[str]]
    """The keys of which the warehouse, after these runs, does not hold the truth."""
    keys: Callable[[Sandbox], list[str]]
    """Who or what there is at the beginning."""
    poison: Callable[[Poison], Fault] | None = None
    """How a row comes to hold a value that no warehouse takes ..."""
    poison_level: int = 1
    """... and how deep it stands in the record."""
    changes: Callable[[random.Random], Wish] = situations.time_passes
    """What may happen at any moment."""
    next_at: str = ""
    """Where an answer holds the cursor or link of the next page."""
    breaks: Callable[[Sandbox, random.Random], Broken | None] = lambda sandbox, dice: None
    """What stays broken until it is repaired; mostly nothing."""


@dataclass(slots=True)
class Life:
    """One seed of one stream."""

    name: str
    stream: Stream
    dice: random.Random
    sandbox: Sandbox
    connector: Connector
    certificate: str
    poisons: Sequence[Poison] = ()
    too_large: Sequence[Fault] = ()
    broken: list[Broken] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    last: list[Any] = field(default_factory=list)

    def begin(self) -> None:
        """Choose what lasts."""
        self.too_large = situations.too_large_pages(self.stream.endpoints, self.dice)
        if self.stream.poison is not None:
            keys = self.stream.keys(self.sandbox)
            self.poisons = situations.poisons(keys, self.dice)
        invalid = [each for each in self.poisons if not each.is_repaired]
        part = self.stream.breaks(self.sandbox, self.dice)
        self.broken = [Broken(lambda: [each.key for each in invalid])] if invalid else []
        self.broken += [part] if part is not None else []
        self._do(wish for each in self.broken for wish in each.wishes)

    def run_in_chaos(self) -> None:
        """Make one run fail as it may, and time pass after it."""
        endpoints, dice = self.stream.endpoints, self.dice
        round_cursors = situations.round_cursors(endpoints, self.stream.next_at, dice)
        self._strike(
            *situations.broken(endpoints, dice),
            *situations.broken(endpoints, dice, situations.CUT),
            *situations.denied(endpoints, dice),
            *round_cursors,
        )
        happenings = (self.stream.changes, self.stream.changes, situations.time_passes, self._phase)
        fate = Fate(
            sandbox=self.sandbox.url,
            certificate=self.certificate,
            cut=cut(dice, READ_STEPS, often=12),
            meanwhile=[dice.choice(happenings)(dice) for _ in range(dice.randint(0, 6))],
            every=dice.randint(1, 12),
            seconds_between_states=dice.choice((0.0, 1.0)),
        )
        run = self._read(fate)
        signals = {fate.cut.number.value + 128, -signal.SIGKILL} if fate.cut else set()
        assert run.code in {0, 1} | signals, (run.code, run.errors(), run.logs())
        types = {"transient_error"}.union(*(each.failure_types for each in self.broken))
        _assert_fails_as(run, types | ({"system_error"} if round_cursors else set()))
        self.stream.change_between_runs(self.sandbox, dice)
        self.sandbox.advance(dice.choice((0, MINUTE, HOUR, HOUR, 25 * HOUR, 15 * DAY)))

    def read_the_rest(self) -> None:
        """Read while only what is broken fails: all else must come."""
        if not self.broken:
            return
        self._strike()
        self.sandbox.advance(HOUR)
        codes = frozenset.union(*(each.exit_codes for each in self.broken))
        types = frozenset[str]().union(*(each.failure_types for each in self.broken))
        # The first ends what was begun, perhaps long ago; the second reads what changed since.
        for _ in range(2):
            run = self._read(Fate(self.sandbox.url, self.certificate))
            assert run.code in codes, (run.errors(), run.logs())
            _assert_fails_as(run, types)
        missing = set(self._missing()).difference(*(each.keys() for each in self.broken))
        assert not missing, missing

    def read_everything(self) -> None:
        """Repair all, and read: everything must come."""
        self._do(wish for each in self.broken for wish in each.repair)
        self.poisons = [each for each in self.poisons if each.is_repaired]
        self.broken = []
        self._strike()
        self.sandbox.advance(HOUR)
        for _ in range(2):
            run = self._read(Fate(self.sandbox.url, self.certificate))
            assert run.code == 0, (run.errors(), run.logs())
        missing = list(self._missing())
        assert not missing, missing

    def _strike(self, *faults: Fault) -> None:
        """Set these faults and the lasting ones, and no others."""
        poison = self.stream.poison
        lasting = [
            *self.too_large,
            *(fault for each in self.broken for fault in each.faults),
            *([poison(each) for each in self.poisons] if poison is not None else ()),
        ]
        self.sandbox.clear_faults()
        self.sandbox.control("/_control/faults", [*faults, *lasting])

    def _phase(self, dice: random.Random) -> Wish:
        return situations.phase(self.stream.endpoints, dice)

    def _do(self, wishes: Iterable[Wish]) -> None:
        for path, body in wishes:
            self.sandbox.control(path, body)

    def _read(self, fate: Fate) -> Run:
        arguments = self.connector.command("read", catalog=catalog(self.name), state=self.last)
        end = ended(source_ats, arguments, self.connector.folder, fate)
        run = Run(end.code, parsed(end.output), end.errors)
        assert run.stderr == ""
        self.runs.append(run)
        self.last = run.of("STATE")[-1:] or self.last
        return run

    def _missing(self) -> Iterable[str]:
        repaired = {
            each.key: situations.repaired(each.raw, self.stream.poison_level)
            for each in self.poisons
            if each.is_repaired
        }
        return self.stream.missing(self.sandbox, self.runs, repaired)


def live_through(name: str, stream: Stream, seed: int, folder: Path) -> int:
    """Live through one seed and return how many runs were cut.

    Raises `AssertionError` if something is wrong in the end.
    """
    dice = random.Random(seed)
    certificate = make_certificate(folder) if dice.random() < 0.25 else None
    with Sandbox.start(candidates=stream.people, seed=seed, certificate=certificate) as sandbox:
        connector = stream.connector(sandbox, folder, dice)
        connector.config["lookback_minutes"] = LOOKBACK_MINUTES
        life = Life(name, stream, dice, sandbox, connector, str(certificate or ""))
        life.begin()
        for _ in range(dice.randint(2, 5)):
            life.run_in_chaos()
        life.read_the_rest()
        life.read_everything()
    return sum(run.code not in {0, 1} for run in life.runs)


def _assert_fails_as(run: Run, types: Iterable[str]) -> None:
    found = {error["failure_type"] for error in run.errors()}
    assert found <= set(types), (run.errors(), run.logs("WARN"))


def cut(dice: random.Random, steps: Iterable[str], *, often: int) -> Cut | None:
    """Choose where a run ends; sometimes nowhere. A step comes about so `often` before."""
    if dice.random() < 0.1:
        return None
    occurrence = 1 + int(dice.expovariate(1 / often))
    number = dice.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))
    return Cut(dice.choice(list(steps)), occurrence, number)
