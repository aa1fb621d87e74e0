"""Chaos for the streams that are read: what the warehouse holds in the end is what there is.

A seed chooses how the vendor and the connector are set, how often calls fail and how, where each
run is cut, what changes meanwhile and how much time passes. Then the faults end, and the next runs
must bring the rest.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from integration_tests.sandbox.running import Sandbox
from integration_tests.support import atz_crm, kombo, talemetry
from integration_tests.support.connector import Connector, Run, catalog, parsed, table
from source_ats.cli import source_ats
from tools.chaos.process import READ_STEPS, Cut, Fate, Wish, ended

MINUTE, HOUR, DAY = 60, 3600, 86_400
LOOKBACK_MINUTES = 60
LATEST = 50 * MINUTE
"""So much later than their time rows may become visible: the lookback makes up for it."""
LARGEST_SHARE = 0.3
"""Of calls that fail."""

FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 429, "headers": {"Retry-After": "7"}},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 502},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 504},
    {"kind": "reset"},
    {"kind": "truncate"},
    {"kind": "lost_answer"},
)


@dataclass(frozen=True, slots=True)
class Stream:
    """What chaos needs to know of a stream."""

    endpoints: str
    people: int
    connector: Callable[[Sandbox, Path, random.Random], Connector]
    changes: Callable[[random.Random], Wish]
    """What may happen at any moment ..."""
    changes_between_runs: Callable[[random.Random], Wish]
    """... and what only while nothing is read."""
    missing: Callable[[Sandbox, Sequence[Run]], object]
    """What differs between the warehouse, after these runs, and the truth; empty if nothing."""


def read(name: str, seed: int, folder: Path) -> int:
    """Live through one seed and return how many runs were cut.

    Raises `AssertionError` if something is wrong in the end.
    """
    stream = STREAMS[name]
    dice = random.Random(seed)
    with Sandbox.start(candidates=stream.people, seed=seed) as sandbox:
        connector = stream.connector(sandbox, folder, dice)
        connector.config["lookback_minutes"] = LOOKBACK_MINUTES
        strike(sandbox, stream.endpoints, dice)
        runs: list[Run] = []
        last: list[Any] = []
        for _ in range(dice.randint(2, 5)):
            fate = Fate(
                sandbox=sandbox.url,
                cut=cut(dice, READ_STEPS, often=12),
                meanwhile=[
                    dice.choice((stream.changes, time_passes))(dice)
                    for _ in range(dice.randint(0, 6))
                ],
                every=dice.randint(1, 12),
                seconds_between_states=dice.choice((0.0, 1.0)),
                all_wait=dice.choice((False, True)),
            )
            runs.append(_read(connector, name, last, fate))
            last = runs[-1].of("STATE")[-1:] or last
            sandbox.control(*stream.changes_between_runs(dice))
            sandbox.advance(dice.choice((0, MINUTE, HOUR, HOUR, 25 * HOUR, 15 * DAY)))
        sandbox.clear_faults()
        sandbox.advance(HOUR)
        # The first ends what was begun, perhaps long ago; the second reads what changed since.
        for _ in range(2):
            runs.append(_read(connector, name, last, Fate(sandbox.url)))
            last = runs[-1].of("STATE")[-1:]
            assert runs[-1].code == 0, (runs[-1].errors(), runs[-1].logs())
        difference = stream.missing(sandbox, runs)
        assert not difference, difference
    return sum(run.code not in {0, 1} for run in runs)


def strike(sandbox: Sandbox, endpoints: str, dice: random.Random) -> None:
    """Let a share of the calls fail, in all ways."""
    share = dice.uniform(0, LARGEST_SHARE)
    for fault in FAULTS:
        sandbox.fault(endpoints, probability=share / len(FAULTS), **fault)


def cut(dice: random.Random, steps: Iterable[str], *, often: int) -> Cut | None:
    """Choose where a run ends; sometimes nowhere. A step comes about so `often` before."""
    if dice.random() < 0.1:
        return None
    occurrence = 1 + int(dice.expovariate(1 / often))
    number = dice.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))
    return Cut(dice.choice(list(steps)), occurrence, number)


def time_passes(dice: random.Random) -> Wish:
    """Let the vendor's clock go on."""
    return "/_control/time", {"advance_seconds": dice.choice((1, MINUTE, 20 * MINUTE))}


def _read(connector: Connector, stream: str, last: list[Any], fate: Fate) -> Run:
    arguments = connector.command("read", catalog=catalog(stream), state=last)
    end = ended(source_ats, arguments, connector.folder, fate)
    run = Run(end.code, parsed(end.output), end.errors)
    allowed = {0, 1} | ({fate.cut.number.value + 128, -signal.SIGKILL} if fate.cut else set())
    assert run.code in allowed, (run.code, run.errors(), run.logs())
    assert run.stderr == ""
    kinds = {error["failure_type"] for error in run.errors()}
    assert kinds <= {"transient_error"}, run.errors()
    return run


def _counts(dice: random.Random, *kinds: str) -> dict[str, int]:
    late = dice.choice((0, 0, dice.randint(1, LATEST)))
    return {kind: dice.randint(0, 3) for kind in kinds} | {"visible_after_seconds": late}


# Kombo


def _kombo(sandbox: Sandbox, folder: Path, dice: random.Random) -> Connector:
    return kombo.kombo_connector(sandbox, folder, page_size=dice.choice((5, 10, 40)))


def _kombo_change(dice: random.Random) -> Wish:
    return "/_control/kombo/change", _counts(dice, "new", "changed", "nested", "deleted")


def _kombo_missing(sandbox: Sandbox, runs: Sequence[Run]) -> object:
    return _different(kombo.known(table(*runs)), kombo.known_truth(sandbox))


# Talemetry


def _talemetry(sandbox: Sandbox, folder: Path, dice: random.Random) -> Connector:
    connector = talemetry.talemetry_connector(
        sandbox,
        folder,
        page_size=dice.choice((5, 10, 40)),
        ids_per_request=dice.choice((3, 5, 25)),
        concurrent_requests=dice.choice((1, 3)),
    )
    if dice.random() < 0.5:
        everybody_is_newer = sandbox.now() - timedelta(days=800)
        connector.config["start_date"] = f"{everybody_is_newer:%Y-%m-%dT%H:%M:%SZ}"
        connector.config["talemetry"]["window_days"] = dice.choice((100, 300))
    return connector


def _talemetry_change(dice: random.Random) -> Wish:
    return "/_control/talemetry/change", _counts(dice, "new", "changed", "deleted")


def _talemetry_missing(sandbox: Sandbox, runs: Sequence[Run]) -> object:
    found = talemetry.table(*runs)
    return _different(found, talemetry.truth(sandbox, *found))


# ATZ CRM


def _atz_crm(sandbox: Sandbox, folder: Path, dice: random.Random) -> Connector:
    atz_crm.set_up(sandbox, rate_limit=None)
    return atz_crm.atz_connector(
        sandbox,
        folder,
        page_size=dice.choice((5, 20, 50)),
        concurrent_requests=dice.choice((1, 4)),
    )


def _atz_crm_change(dice: random.Random) -> Wish:
    kinds = ("new", "moved_stage", "edited_comment", "touched")
    return "/_control/atz_crm/change", _counts(dice, *kinds)


def _atz_crm_change_with_deletions(dice: random.Random) -> Wish:
    """Change, and delete candidates, which pulls the pages of the list forward.

    Who slips between two pages by that is found when the list is read again at the end of the pass,
    but not if the pass is cut before: see `source_ats.vendors.atz_crm.history`.
    """
    path, wish = _atz_crm_change(dice)
    return path, wish | {"deleted": dice.randint(0, 2)}


def _atz_crm_missing(sandbox: Sandbox, runs: Sequence[Run]) -> object:
    found = atz_crm.delivered(*runs)
    expected = atz_crm.truth(sandbox)
    there = {line["slug"] for line in sandbox.truth("/_control/atz_crm/truth")}
    # Who was deleted stays in the warehouse: ATZ CRM does not tell.
    return _different({slug: rows for slug, rows in found.items() if slug in there}, expected)


def _different(found: dict[str, Any], expected: dict[str, Any]) -> object:
    """Return the keys that are missing, too many, or hold something else."""
    either = {**found, **expected}
    return [key for key in either if found.get(key) != expected.get(key)]


STREAMS = {
    "candidates": Stream(
        endpoints="kombo.*",
        people=150,
        connector=_kombo,
        changes=_kombo_change,
        changes_between_runs=_kombo_change,
        missing=_kombo_missing,
    ),
    "profiles": Stream(
        endpoints="talemetry.*",
        people=100,
        connector=_talemetry,
        changes=_talemetry_change,
        changes_between_runs=_talemetry_change,
        missing=_talemetry_missing,
    ),
    "candidate_history": Stream(
        endpoints="atz_crm.*",
        people=60,
        connector=_atz_crm,
        changes=_atz_crm_change,
        changes_between_runs=_atz_crm_change_with_deletions,
        missing=_atz_crm_missing,
    ),
}
