"""Every stream, as the tests that treat all alike need it: one entry in `STREAMS` for each."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from integration_tests.sandbox.kombo import records as kombo_models
from integration_tests.sandbox.running import Sandbox

Row = dict[str, Any]
Held = dict[str, Any]
"""What is known of each key: a row, all rows of a candidate, or that somebody is gone."""

GONE = "gone"


@dataclass(frozen=True, slots=True)
class Case:
    """One stream, and what the sandbox knows of it."""

    name: str
    section: str
    """The section of the configuration that it belongs to."""
    endpoints: str
    """The sandbox's names of the calls that it makes."""
    counted: str
    """The column whose values tell of whom a row is: what `change` answers."""
    change: Callable[[Sandbox], set[str]]
    """Make the changes of a day; return of whom rows have to come then."""
    truth: Callable[[Sandbox], Held]
    """What is true now."""
    held: Callable[[Iterable[Row]], Held]
    """What the rows of a warehouse, one for each primary key, say in the same terms."""
    key: str = "id"
    """The primary key."""
    refuse: Callable[[Sandbox], None] | None = None
    """Make the vendor refuse one child, where the stream sets children aside."""
    forgets: bool = False
    """The stream does not tell of deletions: what is held of those who are gone stays."""
    at_once: bool = False
    """The vendor answers everything in one page: there is no state of a read in progress."""
    repeats: bool = False
    """A read that goes on may bring rows a second time: the list is read forwards and backwards,
    and who came before the cut is not in the state."""

    def compared(self, rows: Iterable[Row], truth: Held) -> tuple[Held, Held]:
        """Return what a warehouse with these rows holds, and what it should hold."""
        held = self.held(rows)
        # Who came and went between two reads was never there.
        truth = {key: what for key, what in truth.items() if what != GONE or key in held}
        if self.forgets:
            held = {key: what for key, what in held.items() if key in truth}
        return held, truth


def upserted(rows: Iterable[Row], key: str) -> list[Row]:
    """Return the rows that a warehouse holds after these came, in their order."""
    return list({row[key]: row for row in rows}.values())


def configuration(sandbox: Sandbox) -> dict[str, Any]:
    """Return the configuration of the source for the sandbox, with all its sections.

    ATZ CRM's limit of 60 calls a minute is lifted in the sandbox, so that a read ends soon.
    """
    sandbox.control("/_control/atz_crm/settings", {"rate_limit": None})
    accounts = sandbox.look("/_control/kombo/integrations")
    return {
        "kombo": {
            "api_key": "ks_dev_sandbox",
            "integration_ids": [each["id"] for each in accounts],
            "base_url": f"{sandbox.url}/kombo/v1",
        },
        "talemetry": {
            "credentials": {"auth_type": "token", "token": "TGC-sandbox"},
            "ids_base_url": f"{sandbox.url}/talemetry",
            "profiles_base_url": f"{sandbox.url}/talemetry",
        },
        "atz_crm": {
            "access_token": "atz-sandbox",
            "requests_per_minute": 6000,
            "min_hours_between_passes": 0,
            "base_url": f"{sandbox.url}/atz_crm/v1",
        },
        "comeet": {
            "api_key": "comeet-key",
            "secret": "comeet-secret",
            "base_url": f"{sandbox.url}/comeet",
        },
    }


# candidates, kombo_*


def _change_candidates(sandbox: Sandbox) -> set[str]:
    wish = {"new": 6, "changed": 9, "nested": 4, "deleted": 3}
    changed = sandbox.control("/_control/kombo/change", wish)
    return {key for keys in changed.values() for key in keys}


def _change_model(model: kombo_models.Model, sandbox: Sandbox) -> set[str]:
    """Change one row in each way: of some models there are no more."""
    wish = {"model": model.path, "new": 1, "changed": 1, "nested": int(model.nested), "deleted": 1}
    changed = sandbox.control("/_control/kombo/change", wish)
    return {key for keys in changed.values() for key in keys}


def _true_rows(path: str, sandbox: Sandbox) -> Held:
    return _held_rows(
        {**row, "integration_id": each["id"]}
        for each in sandbox.look("/_control/kombo/integrations")
        for row in sandbox.truth("/_control/kombo/truth", integration_id=each["id"], model=path)
    )


def _held_rows(rows: Iterable[Row]) -> Held:
    """Leave out what Kombo empties 14 days after a deletion, without a sign."""
    lasting = ("id", "integration_id", "changed_at", "remote_deleted_at")
    return {
        row["id"]: {name: row[name] for name in lasting} if row["remote_deleted_at"] else row
        for row in rows
    }


def _model(model: kombo_models.Model) -> Case:
    return Case(
        name=f"kombo_{model.path.replace('-', '_')}",
        section="kombo",
        endpoints=f"kombo.{model.path}",
        counted="id",
        change=partial(_change_model, model),
        truth=partial(_true_rows, model.path),
        held=_held_rows,
    )


# profiles


def _change_profiles(sandbox: Sandbox) -> set[str]:
    changed = sandbox.control("/_control/talemetry/change", {"new": 5, "changed": 8, "deleted": 3})
    return {key for keys in changed.values() for key in keys}


def _true_profiles(sandbox: Sandbox) -> Held:
    people = sandbox.truth("/_control/talemetry/truth", full="true")
    return {
        each["id"]: GONE if each["deleted"] else _true_profile(each["candidate"]) for each in people
    }


def _true_profile(candidate: Row) -> Row:
    """Return what the columns of a person should say, by the documented shape of an answer."""
    area = candidate["UserArea"]
    contact = _at(candidate, "Resume", "StructuredXMLResume", "ContactInfo")
    name = _at(contact, "PersonName")
    fields = [key for key, field in area.items() if isinstance(field, dict) and "Value" in field]
    return {
        "formatted_name": _at(name, "FormattedName"),
        "given_name": _at(name, "GivenName"),
        "family_name": _at(name, "FamilyName"),
        "contact": contact,
        "applications": _listed(area, "RelatedPositionPostings", "RelatedPositionPosting"),
        "notes": _listed(area, "Notes", "Note"),
        "tags": _listed(area, "Tags", "Tag"),
        "audience_types": _listed(area, "AudienceType", "AudienceType"),
        "lifecycle_state": _at(area, "Lifecycle", "State"),
        "referrals": area.get("Referrals"),
        "custom_data": set(fields),
        "sandbox_version": area["sandbox_version"]["Value"],
    }


def _at(value: Any, *path: str) -> Any:
    """Return what stands at a path, None if nothing does."""
    for key in path:
        value = (value or {}).get(key)
    return value


def _listed(area: Row, *path: str) -> list[Any]:
    """Return the entries of a block: one comes as it is, several as a list."""
    entries = _at(area, *path) or []
    return entries if isinstance(entries, list) else [entries]


def _held_profiles(rows: Iterable[Row]) -> Held:
    held: Held = {}
    for row in rows:
        if row["is_deleted"]:
            held[row["id"]] = GONE
            continue
        fields = {field["name"]: field["value"] for field in row["custom_data"]}
        held[row["id"]] = {
            **{
                column: row[column]
                for column in (
                    *("formatted_name", "given_name", "family_name", "contact", "applications"),
                    *("notes", "tags", "audience_types", "lifecycle_state", "referrals"),
                )
            },
            "custom_data": set(fields),
            "sandbox_version": fields["sandbox_version"],
        }
    return held


def _refuse_a_profile(sandbox: Sandbox) -> None:
    people = sandbox.truth("/_control/talemetry/truth")
    first = next(each["id"] for each in people if not each["deleted"])
    sandbox.control("/_control/talemetry/mark", {"ids": [first], "mark": "missing"})


# candidate_history


def _change_histories(sandbox: Sandbox) -> set[str]:
    wish = {"moved_stage": 7, "edited_comment": 4, "deleted": 2}
    changed = sandbox.control("/_control/atz_crm/change", wish)
    return {*changed["moved_stage"], *changed["edited_comment"]}


def _true_histories(sandbox: Sandbox) -> Held:
    lines = sandbox.truth("/_control/atz_crm/truth")
    return {line["slug"]: _in_order(line["history"]) for line in lines if line["history"]}


def _held_histories(rows: Iterable[Row]) -> Held:
    """Return of each candidate the rows that were read last, as the vendor sent them."""
    of_candidate: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        of_candidate[row["candidate_slug"]].append(row)
    ours = {"id", "candidate_id", "candidate_slug", "read_at"}
    held = {}
    for slug, all_rows in of_candidate.items():
        newest = max(row["read_at"] for row in all_rows)
        current = [row for row in all_rows if row["read_at"] == newest]
        held[slug] = _in_order(
            [{name: row[name] for name in row if name not in ours} for row in current]
        )
    return held


def _in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True, default=str))


def _refuse_a_history(sandbox: Sandbox) -> None:
    first = min(line["slug"] for line in sandbox.truth("/_control/atz_crm/truth"))
    sandbox.control("/_control/atz_crm/mark", {"slug": first, "answer": 422})


# atz_candidates, atz_deals


def _change_atz_candidates(sandbox: Sandbox) -> set[str]:
    """Edit candidates. Nobody new: who is new may have a history, and is deleted with it."""
    return {*sandbox.control("/_control/atz_crm/change", {"touched": 5})["touched"]}


def _change_deals(sandbox: Sandbox) -> set[str]:
    wish = {"new": 2, "changed": 3, "deleted": 1}
    changed = sandbox.control("/_control/atz_crm/change_deals", wish)
    return {*changed["new"], *changed["changed"]}


def true_atz_list(resource: str, sandbox: Sandbox) -> Held:
    """Return what a list holds now, with lists where there can be several objects."""
    several = ("jobs", "candidates", "contacts", "custom_fields")
    found = {}
    for each in sandbox.truth("/_control/atz_crm/truth", **{resource: "true"}):
        lists = {name: [each[name]] for name in several if isinstance(each.get(name), dict)}
        found[each["slug"]] = {**each, **lists}
    return found


def _by_slug(rows: Iterable[Row]) -> Held:
    return {row["slug"]: row for row in rows}


# comeet_*


def fill_comeet(sandbox: Sandbox, candidates: int, *, on_a_page: int) -> None:
    """Add people to Comeet, which begins empty, some deleted; make its pages small."""
    sandbox.control("/_control/comeet/settings", {"most_on_a_page": on_a_page})
    sandbox.control("/_control/comeet/fill", {"count": candidates})
    _change_deleted(sandbox)


def _in_progress(sandbox: Sandbox, many: int) -> list[str]:
    """Return some of those about whom nothing was decided yet."""
    people = sandbox.truth("/_control/comeet/truth")
    return [
        each["uid"] for each in people if each["status"] == "In progress" and not each["deleted"]
    ][:many]


def _change_comeet_candidates(sandbox: Sandbox) -> set[str]:
    moved = _in_progress(sandbox, 5)
    sandbox.control("/_control/comeet/move", {"uids": moved, "status": "Rejected"})
    before = set(_all_of_comeet(sandbox))
    sandbox.control("/_control/comeet/fill", {"count": 2})
    return {*moved, *(_all_of_comeet(sandbox).keys() - before)}


def _change_deleted(sandbox: Sandbox) -> set[str]:
    erased = _in_progress(sandbox, 3)
    sandbox.control("/_control/comeet/erase", {"uids": erased})
    return set(erased)


def _change_position(sandbox: Sandbox) -> set[str]:
    _, second, *_ = sandbox.look("/_control/comeet/positions")
    edit = {"uid": second["uid"], "status": "on hold"}
    sandbox.control("/_control/comeet/edit_position", edit)
    return {second["uid"]}


def _all_of_comeet(sandbox: Sandbox) -> dict[str, Row]:
    return {each["uid"]: each for each in sandbox.truth("/_control/comeet/truth")}


def _true_comeet_candidates(sandbox: Sandbox) -> Held:
    people = _all_of_comeet(sandbox).values()
    return _held_comeet_candidates(
        {**each, **each["fields"]} for each in people if not each["deleted"]
    )


def _held_comeet_candidates(rows: Iterable[Row]) -> Held:
    known = ("status", "position_uid", "first_name", "last_name", "email", "custom_fields")
    return {row["uid"]: {name: row[name] for name in known} for row in rows}


def _true_positions(sandbox: Sandbox) -> Held:
    return _by_uid(sandbox.look("/_control/comeet/positions"))


def _by_uid(rows: Iterable[Row]) -> Held:
    return {row["uid"]: row for row in rows}


def _true_deleted(sandbox: Sandbox) -> Held:
    return _held_deleted(each for each in _all_of_comeet(sandbox).values() if each["deleted"])


def _held_deleted(rows: Iterable[Row]) -> Held:
    """Leave out the time of the read: the vendor tells no more than the uid."""
    return {row["uid"]: "deleted" for row in rows}


STREAMS = (
    Case(
        name="candidates",
        section="kombo",
        endpoints="kombo.*",
        counted="id",
        change=_change_candidates,
        truth=partial(_true_rows, "candidates"),
        held=_held_rows,
    ),
    Case(
        name="profiles",
        section="talemetry",
        endpoints="talemetry.*",
        counted="id",
        change=_change_profiles,
        truth=_true_profiles,
        held=_held_profiles,
        refuse=_refuse_a_profile,
    ),
    Case(
        name="candidate_history",
        section="atz_crm",
        endpoints="atz_crm.*",
        counted="candidate_slug",
        change=_change_histories,
        truth=_true_histories,
        held=_held_histories,
        refuse=_refuse_a_history,
        forgets=True,
    ),
    *(_model(model) for model in kombo_models.MODELS if model.path != "candidates"),
    Case(
        name="atz_candidates",
        section="atz_crm",
        endpoints="atz_crm.candidates",
        key="slug",
        counted="slug",
        change=_change_atz_candidates,
        truth=partial(true_atz_list, "candidates"),
        held=_by_slug,
        forgets=True,
        repeats=True,
    ),
    Case(
        name="atz_deals",
        section="atz_crm",
        endpoints="atz_crm.deals",
        key="slug",
        counted="slug",
        change=_change_deals,
        truth=partial(true_atz_list, "deals"),
        held=_by_slug,
        forgets=True,
        repeats=True,
    ),
    Case(
        name="comeet_positions",
        section="comeet",
        endpoints="comeet.positions",
        key="uid",
        counted="uid",
        change=_change_position,
        truth=_true_positions,
        held=_by_uid,
    ),
    Case(
        name="comeet_candidates",
        section="comeet",
        endpoints="comeet.list",
        key="uid",
        counted="uid",
        change=_change_comeet_candidates,
        truth=_true_comeet_candidates,
        held=_held_comeet_candidates,
        forgets=True,  # comeet_deleted_candidates tells of them
    ),
    Case(
        name="comeet_deleted_candidates",
        section="comeet",
        endpoints="comeet.deleted",
        key="uid",
        counted="uid",
        change=_change_deleted,
        truth=_true_deleted,
        held=_held_deleted,
        at_once=True,
    ),
)
