"""The streams that chaos can read, and what may happen at their vendors."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from integration_tests.sandbox.running import Sandbox
from integration_tests.support import atz_crm, every_stream, kombo, talemetry
from integration_tests.support.connector import Connector, Run, table
from tools.chaos.reading import Broken, Repaired, Stream
from tools.chaos.situations import MINUTE, Fault, Poison, Wish

LATEST = 50 * MINUTE
"""So much later than their time rows may become visible: the lookback makes up for it."""
NEW_FIELD = "new_field"
"""No schema has it."""


def _counts(dice: random.Random, *kinds: str) -> dict[str, int]:
    late = dice.choice((0, 0, dice.randint(1, LATEST)))
    return {kind: dice.randint(0, 3) for kind in kinds} | {"visible_after_seconds": late}


def _different(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Return the keys that are missing, too many, or hold something else."""
    either = {**found, **expected}
    return [key for key in either if found.get(key) != expected.get(key)]


def _happens(change: Callable[[random.Random], Wish]) -> Callable[[Sandbox, random.Random], object]:
    """Return what lets a change happen at once."""
    return lambda sandbox, dice: sandbox.control(*change(dice))


def _value(endpoint: str, at: str, poison: Poison, *, containing: str = "") -> Fault:
    """Return the fault that puts the poison at a place, in which `{key}` is the row's key."""
    place = at.format(key=poison.key.replace(".", "\\."))
    return {
        "endpoint": endpoint,
        "kind": "replace",
        "at": place,
        "raw": poison.raw,
        "containing": containing.format(key=poison.key),
    }


# Kombo

INTEGRATION_ERRORS = (
    "INTEGRATION.INACTIVE",
    "INTEGRATION.AUTHENTICATION_INVALID",
    "INTEGRATION.SETUP_SYNC_PENDING",
)


def _kombo(sandbox: Sandbox, folder: Path, dice: random.Random) -> Connector:
    sandbox.control("/_control/kombo/settings", {"short_pages": dice.choice((False, True))})
    return kombo.kombo_connector(sandbox, folder, page_size=dice.choice((5, 10, 40)))


def _kombo_change(dice: random.Random) -> Wish:
    return "/_control/kombo/change", _counts(dice, "new", "changed", "nested", "deleted")


def _kombo_missing(sandbox: Sandbox, runs: Sequence[Run], repaired: Repaired) -> list[str]:
    expected = kombo.truth(sandbox)
    for key, value in repaired.items():
        expected[key][NEW_FIELD] = value
    return _different(kombo.known(table(*runs)), kombo.known(expected))


def _integration_breaks(path: str, sandbox: Sandbox, dice: random.Random) -> Broken | None:
    """Make one integration fail, in one seed of three."""
    if dice.random() < 0.67:
        return None
    bad = dice.choice(kombo.integrations(sandbox))

    def keys() -> list[str]:
        rows = sandbox.truth("/_control/kombo/truth", integration_id=bad, model=path)
        return [row["id"] for row in rows]

    code = dice.choice((*INTEGRATION_ERRORS, 401, 403, 404, 500))
    if isinstance(code, str):
        setting = "/_control/kombo/integration"
        return Broken(
            keys=keys,
            wishes=[(setting, {"integration_id": bad, "error": code})],
            repair=[(setting, {"integration_id": bad, "error": None})],
        )
    fault = {"endpoint": "kombo.*", "kind": "html", "status": code, "containing": bad}
    types = {"transient_error"} if code == 500 else {"transient_error", "config_error"}
    return Broken(
        keys=keys, exit_codes=frozenset({1}), failure_types=frozenset(types), faults=[fault]
    )


# Talemetry


def _talemetry(sandbox: Sandbox, folder: Path, dice: random.Random) -> Connector:
    talemetry.settings(sandbox, short_pages=dice.choice((False, True)))
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


def _talemetry_missing(sandbox: Sandbox, runs: Sequence[Run], repaired: Repaired) -> list[str]:
    found = talemetry.table(*runs)
    newest: dict[str, dict[str, Any]] = {}
    for row in (row for run in runs for row in run.records("profiles") if not row["is_deleted"]):
        if row["as_of"] >= newest.get(row["id"], row)["as_of"]:
            newest[row["id"]] = row
    unrepaired = [
        key
        for key, value in repaired.items()
        if key in newest and newest[key]["extra"].get(NEW_FIELD, "") != value
    ]
    return [*_different(found, talemetry.truth(sandbox, *found)), *unrepaired]


def _people(sandbox: Sandbox) -> list[str]:
    people = sandbox.truth("/_control/talemetry/truth")
    return sorted(each["id"] for each in people if not each["deleted"])


def _person_breaks(sandbox: Sandbox, dice: random.Random) -> Broken | None:
    """Make requests for one person fail, in one seed of three."""
    if dice.random() < 0.67:
        return None
    bad = dice.choice(_people(sandbox))
    mark = dice.choice(("bad_5xx", "bad"))
    path = "/_control/talemetry/mark"
    return Broken(
        keys=lambda: [bad],
        wishes=[(path, {"ids": [bad], "mark": mark})],
        repair=[(path, {"ids": [bad], "mark": None})],
    )


# ATZ CRM


def _set_atz_crm(sandbox: Sandbox, dice: random.Random) -> dict[str, Any]:
    """Choose how the vendor is, and return the settings for the source."""
    atz_crm.set_up(sandbox, rate_limit=None, unlisted_one_in=dice.choice((None, 7)))
    return {
        "page_size": dice.choice((5, 20, 50)),
        "concurrent_requests": dice.choice((1, 4)),
    }


def _atz_crm(sandbox: Sandbox, folder: Path, dice: random.Random) -> Connector:
    return atz_crm.atz_connector(sandbox, folder, **_set_atz_crm(sandbox, dice))


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


def _atz_crm_missing(sandbox: Sandbox, runs: Sequence[Run], repaired: Repaired) -> list[str]:
    found = atz_crm.delivered(*runs)
    lines = list(sandbox.truth("/_control/atz_crm/truth"))
    for line in lines:
        if line["slug"] in repaired and line["history"]:
            line["history"][0][NEW_FIELD] = repaired[line["slug"]]
    expected = {
        line["slug"]: atz_crm.in_order(line["history"]) for line in lines if line["history"]
    }
    there = {line["slug"] for line in lines}
    # Who was deleted stays in the warehouse: ATZ CRM does not tell.
    return _different({slug: rows for slug, rows in found.items() if slug in there}, expected)


def _slugs(sandbox: Sandbox) -> list[str]:
    return sorted(atz_crm.truth(sandbox))


def _history_breaks(sandbox: Sandbox, dice: random.Random) -> Broken | None:
    """Make requests for the history of one candidate fail, in one seed of three."""
    if dice.random() < 0.67:
        return None
    bad = dice.choice(_slugs(sandbox))
    path = "/_control/atz_crm/mark"
    return Broken(
        keys=lambda: [bad],
        wishes=[(path, {"slug": bad, "answer": dice.choice((400, 404, 422, 500))})],
        repair=[(path, {"slug": bad, "answer": None})],
    )


# All other streams


def _other(case: every_stream.Case) -> Stream:
    """Return a stream as the tests of every stream know it. It changes between runs only."""
    at, field = {
        "kombo": ("data.results.?id={key}", NEW_FIELD),
        "atz_candidates": ("?slug={key}", NEW_FIELD),
        "atz_deals": ("?slug={key}", NEW_FIELD),
        "comeet_candidates": ("candidates.?uid={key}", "last_name"),
        "comeet_positions": ("positions.?uid={key}", NEW_FIELD),
        "comeet_deleted_candidates": ("", ""),
    }["kombo" if case.section == "kombo" else case.name]
    cursors = {"kombo": "data.next", "comeet": "next_page", "atz_crm": ""}
    path = case.endpoints.removeprefix("kombo.")
    return Stream(
        endpoints=case.endpoints,
        people=150,
        connector=partial(_other_connector, case),
        change_between_runs=lambda sandbox, _: case.change(sandbox),
        missing=partial(_other_missing, case, field),
        keys=lambda sandbox: sorted(case.truth(sandbox)),
        poison=partial(_value, case.endpoints, f"{at}.{field}") if at else None,
        next_at=cursors[case.section],
        breaks=partial(_integration_breaks, path) if case.section == "kombo" else _nothing_breaks,
    )


def _other_connector(
    case: every_stream.Case, sandbox: Sandbox, folder: Path, dice: random.Random
) -> Connector:
    section = every_stream.configuration(sandbox)[case.section]
    if case.section == "kombo":
        sandbox.control("/_control/kombo/settings", {"short_pages": dice.choice((False, True))})
        section["page_size"] = dice.choice((5, 10, 40))
    elif case.section == "atz_crm":
        section |= _set_atz_crm(sandbox, dice)
    else:
        sandbox.control("/_control/comeet/settings", {"check_expiry": False})
        every_stream.fill_comeet(sandbox, 40, on_a_page=dice.choice((5, 10, 40)))
    return Connector(folder, {case.section: section})


def _other_missing(
    case: every_stream.Case,
    field: str,
    sandbox: Sandbox,
    runs: Sequence[Run],
    repaired: Repaired,
) -> Iterable[str]:
    rows = (row for run in runs for row in run.records(case.name))
    held, truth = case.compared(every_stream.upserted(rows, case.key), case.truth(sandbox))
    for key, value in repaired.items():
        # A row that was deleted shows nothing but that.
        if isinstance(truth.get(key), dict) and len(truth[key]) > 4:
            truth[key][field] = value
    return _different(held, truth)


def _nothing_breaks(sandbox: Sandbox, dice: random.Random) -> None:
    """Leave every part as it is."""
    del sandbox, dice


STREAMS = {
    "candidates": Stream(
        endpoints="kombo.*",
        people=150,
        connector=_kombo,
        changes=_kombo_change,
        change_between_runs=_happens(_kombo_change),
        missing=_kombo_missing,
        keys=lambda sandbox: sorted(kombo.truth(sandbox)),
        poison=partial(_value, "kombo.candidates", "data.results.?id={key}.new_field"),
        next_at="data.next",
        breaks=partial(_integration_breaks, "candidates"),
    ),
    "profiles": Stream(
        endpoints="talemetry.*",
        people=100,
        connector=_talemetry,
        changes=_talemetry_change,
        change_between_runs=_happens(_talemetry_change),
        missing=_talemetry_missing,
        keys=_people,
        poison=partial(
            _value, "talemetry.profiles", "result.Candidates.?{key}.Candidate.new_field"
        ),
        poison_level=2,
        next_at="result.Cursor",
        breaks=_person_breaks,
    ),
    "candidate_history": Stream(
        endpoints="atz_crm.*",
        people=60,
        connector=_atz_crm,
        changes=_atz_crm_change,
        change_between_runs=_happens(_atz_crm_change_with_deletions),
        missing=_atz_crm_missing,
        keys=_slugs,
        poison=partial(_value, "atz_crm.history", "0.new_field", containing="/{key}/"),
        breaks=_history_breaks,
    ),
}
OTHER_STREAMS = {
    case.name: _other(case) for case in every_stream.STREAMS if case.name not in STREAMS
}
