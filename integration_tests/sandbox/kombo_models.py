"""What Kombo's rows look like: one function for each model, and the list of models played.

Another list endpoint of kombo.md section 6 is one more function here and one more line in `MODELS`.
"""

from __future__ import annotations

import random
import string
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from integration_tests.sandbox.people import TITLES, mix, person

if TYPE_CHECKING:
    from integration_tests.sandbox.kombo_rows import Build, Moment

LETTERS = string.ascii_letters + string.digits
JOBS = ("Analyst", "Línea cook", "Nurse", "Backend engineer", "Recruiter", "Driver, nights")
STAGES = ("Applied", "Phone screen", "Interview", "Offer", "Hired")
SOURCES = ("Job board", "Referral", "Career page", "Agência", None)
REASONS = ("Position filled", "Salary", "Withdrew", None)
TAGS = ("Referral", "Relocation", "Überflieger", None)

SELDOM = 0.05
"""How often a key that may be absent or null is."""

OPTIONAL = (
    "phone_numbers",
    "email_addresses",
    "social_media",
    "location",
    "integration_fields",
)
"""Keys of a candidate that may be absent (V; the last one is absent from the vendor's SDK)."""

YOUNG_APPLICATION_KEYS = (
    "rejected_at",
    "remote_url",
    "changed_at",
    "remote_created_at",
    "remote_updated_at",
)
"""Keys of an application that the oldest copy of the vendor's page does not have (V)."""


@dataclass(frozen=True, slots=True)
class Model:
    """One list endpoint: `GET /ats/<path>`, its read model, and how its rows are made."""

    path: str
    read_model: str
    label: str
    build: Build


def candidate(seed: int, likeness: int, moment: Moment) -> dict[str, Any]:
    """Make a candidate (kombo.md section 5, V). Keys that may be absent or null sometimes are."""
    dice = random.Random(mix(seed, 4, likeness))  # noqa: S311 - repeatable
    who = person(seed, likeness)
    number = f"{moment.block}{likeness:03d}"
    updated_at = moment.changed_at if moment.changes else f"{moment.created_on}T10:00:00.000Z"
    row: dict[str, Any] = {
        "id": _own_id(dice, moment),
        "remote_id": f"A-{number}",
        "first_name": _maybe(dice, 0.98, who.first),
        "last_name": who.last,
        "company": _maybe(dice, 0.8, who.company),
        "title": TITLES[(dice.randrange(len(TITLES)) + moment.changes) % len(TITLES)],
        "confidential": dice.choices((False, None, True), (80, 19, 1))[0],
        "source": dice.choice(SOURCES),
        "phone_numbers": _phone_numbers(dice, number),
        "email_addresses": _email_addresses(dice, number),
        "social_media": _social_media(dice, number),
        "location": _location(dice, who.city, who.country),
        "custom_fields": dice.choice((None, {}, {"visa_needed": "no", "notice_weeks": 6})),
        "integration_fields": _integration_fields(seed, dice),
        "remote_url": _maybe(dice, 0.8, f"https://ats.example.org/c/{number}"),
        "remote_created_at": f"{moment.created_on}T09:10:11.000Z",
        "remote_updated_at": _maybe(dice, 0.7, updated_at),
        "remote_data": dice.choice(
            (None, {"/v1/candidates/{id}": {"pool": "north", "score": 4.5}})
        ),
        "changed_at": moment.changed_at,
        "remote_deleted_at": moment.deleted_at,
        "applications": [
            _application(seed, dice, number, place, moment) for place in range(dice.randrange(4))
        ],
        "tags": _tags(seed, dice),
    }
    if moment.nested_changes:
        _change_nested(seed, row, moment)
    for key in ("phone_numbers", "email_addresses", "social_media", "location"):
        if dice.random() < SELDOM:
            row[key] = None
    return _thin(dice, row, *OPTIONAL)


def _application(
    seed: int, dice: random.Random, number: str, place: int, moment: Moment
) -> dict[str, Any]:
    outcome = dice.choice(("PENDING", "PENDING", "HIRED", "DECLINED", None))
    declined = outcome == "DECLINED"
    application = {
        "id": _own_id(dice, moment),
        "remote_id": _maybe(dice, 0.9, f"P-{number}-{place}"),
        "outcome": outcome,
        "rejection_reason_name": dice.choice(REASONS) if declined else None,
        "rejected_at": f"{moment.created_on}T16:00:00.000Z" if declined else None,
        "remote_url": None,
        "changed_at": f"{moment.created_on}T16:05:00.250Z",
        "remote_created_at": f"{moment.created_on}T09:12:00.000Z",
        "remote_updated_at": None,
        "current_stage": _maybe(dice, 0.9, _stage(seed, dice.randrange(len(STAGES)))),
        "job": _maybe(dice, 0.95, _job(seed, dice.randrange(len(JOBS)))),
    }
    if dice.random() < SELDOM:
        for key in YOUNG_APPLICATION_KEYS:
            del application[key]
    return application


def _change_nested(seed: int, row: dict[str, Any], moment: Moment) -> None:
    """Move the first application to its next stage, or give a row without any another tag."""
    if row["applications"]:
        first = row["applications"][0]
        index = (first["current_stage"] or {"index": 0})["index"] + moment.nested_changes
        first |= {
            "changed_at": moment.nested_at,
            "current_stage": _stage(seed, index % len(STAGES)),
        }
        return
    there = [tag["id"] for tag in row["tags"]]
    spare = [
        tag for tag in (_tag(seed, index) for index in range(len(TAGS))) if tag["id"] not in there
    ]
    row["tags"].append(spare[moment.nested_changes % len(spare)])


def _phone_numbers(dice: random.Random, number: str) -> list[dict[str, Any]]:
    kinds = dice.choice(((), ("HOME",), ("MOBILE", None)))
    return [
        _thin(dice, {"phone_number": f"+00 {555 + place} {number}", "type": kind}, "type")
        for place, kind in enumerate(kinds)
    ]


def _email_addresses(dice: random.Random, number: str) -> list[dict[str, Any]]:
    kinds = dice.choice((("PRIVATE",), ("PRIVATE",), (None,), ("PERSONAL", "WORK"), ()))
    return [
        _thin(
            dice,
            {"email_address": f"person{number}{'.work' * place}@example.org", "type": kind},
            "type",
        )
        for place, kind in enumerate(kinds)
    ]


def _social_media(dice: random.Random, number: str) -> list[dict[str, Any]]:
    profile = {
        "link": f"https://example.org/in/{number}",
        "type": dice.choice(("LINKEDIN", "YOUTUBE", None)),
        "username": dice.choice((f"person{number}", None)),
    }
    return dice.choice(([], [], [_thin(dice, profile, *profile)]))


def _location(dice: random.Random, city: str, country: str) -> dict[str, Any]:
    location = {
        "city": city,
        "country": country,
        "raw": f"{city}, {country}",
        "state": None,
        "street_1": dice.choice((None, "Nøstegaten 12")),
        "street_2": None,
        "zip_code": dice.choice((None, "5003")),
    }
    return _thin(dice, location, *location)


def _integration_fields(seed: int, dice: random.Random) -> list[dict[str, Any]]:
    pool = dice.choice(("north", ["north", "süd"], {"code": 7}, None))
    kind, label = dice.choice((("CUSTOM", "Pool"), ("DEFAULT", None)))
    field = {"id": _id(seed, "pool", 0), "key": "pool", "type": kind, "value": pool, "label": label}
    return dice.choice(([], [field]))


def _stage(seed: int, index: int) -> dict[str, Any]:
    return {
        "id": _id(seed, "stage", index),
        "name": STAGES[index],
        "remote_id": f"S{index}",
        "index": index,
    }


def _job(seed: int, index: int) -> dict[str, Any]:
    return {"id": _id(seed, "job", index), "name": JOBS[index], "remote_id": f"J-{70 + index}"}


def _tags(seed: int, dice: random.Random) -> list[dict[str, Any]]:
    chosen = dice.sample(range(len(TAGS)), dice.choice((0, 0, 1, 2)))
    return [_tag(seed, index) for index in chosen]


def _tag(seed: int, index: int) -> dict[str, Any]:
    return {"id": _id(seed, "tag", index), "name": TAGS[index], "remote_id": None}


def _maybe(dice: random.Random, chance: float, value: Any) -> Any:
    return value if dice.random() < chance else None


def _thin(dice: random.Random, row: dict[str, Any], *optional: str) -> dict[str, Any]:
    """Leave out an optional key now and then."""
    missing = {key for key in optional if dice.random() < SELDOM}
    return {key: value for key, value in row.items() if key not in missing}


def _own_id(dice: random.Random, moment: Moment) -> str:
    """Make the id of a row, or of what belongs to one row only: 24 characters."""
    return "".join(dice.choices(LETTERS, k=16)) + moment.block


@cache
def _id(seed: int, kind: str, index: int) -> str:
    """Make the id of what many rows share: 24 characters."""
    dice = random.Random(f"{seed} {kind} {index}")  # noqa: S311 - repeatable
    return "".join(dice.choices(LETTERS, k=24))


MODELS = (
    Model(path="candidates", read_model="ats_candidates", label="Candidates", build=candidate),
)
