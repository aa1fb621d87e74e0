"""What Kombo's rows look like: one function for each model, and the list of models played.

Another list endpoint of kombo.md section 6 is one more function here and one more line in `MODELS`.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from integration_tests.sandbox.people import TITLES, mix, person

if TYPE_CHECKING:
    Build = Callable[[int, int, "Moment"], dict[str, Any]]
    """Makes a model's row from the table's seed, the row's variant and its moment."""

LETTERS = "".join(sorted(set(string.ascii_letters + string.digits) - set("0OIl")))
"""What Kombo's ids consist of (section 6.4, V)."""

JOBS = ("Analyst", "Línea cook", "Nurse", "Backend engineer", "Recruiter", "Driver, nights")
STAGES = ("Applied", "Phone screen", "Interview", "Offer", "Hired")
SOURCES = ("Job board", "Referral", "Career page", "Agência", None)
REASONS = ("Position filled", "Salary", "Withdrew", None)
TAGS = ("Referral", "Relocation", "Überflieger", None)
OFFERS = ("DRAFT", "APPROVED", "SENT", "ACCEPTED", "DECLINED", "ABANDONED", None)
ROLES = (("Hiring manager", "HIRING_MANAGER"), ("Recruiter", "RECRUITER"), ("Praktikant", None))

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

NEWER_APPLICATION_KEYS = (
    "rejected_at",
    "remote_url",
    "changed_at",
    "remote_created_at",
    "remote_updated_at",
)
"""Keys of an application that the oldest copy of the vendor's page does not have (V)."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What a row shows beyond its variant. In a template the texts are placeholders."""

    block: str
    """Eight digits from 1 to 9, as ids have no zero: the account, and how many times all variants
    came before this row."""
    changed_at: str
    created_on: str
    """The date on which the ATS made the row."""
    account_seed: int
    """The seed of all lists of the account: rows of the same number belong together."""
    nested_at: str | None = None
    """When a related row changed last, if one did since the sandbox started."""
    deleted_at: str | None = None
    changes: int = 0
    nested_changes: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    """One list endpoint: `GET /ats/<path>`, its read model, and how its rows are made."""

    path: str
    read_model: str
    label: str
    build: Build
    candidates_for_one: int = 1
    """So many candidates come with one row of this model."""
    nested: bool = True
    """Whether `updated_after` matches changes of related rows too (section 7, V)."""
    filters: tuple[str, ...] = ()
    """Row filters of this list beside those that all lists have (section 6.7, V)."""

    def rows(self, candidates: int) -> int:
        """Return how many rows go with this many candidates."""
        return -(-candidates // self.candidates_for_one)


def candidate(seed: int, variant: int, moment: Moment) -> dict[str, Any]:
    """Make a candidate (kombo.md section 5, V). Keys that may be absent or null sometimes are."""
    dice = random.Random(mix(seed, 4, variant))  # noqa: S311 - repeatable
    who = person(seed, variant)
    number = f"{moment.block}{variant:03d}"
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
        "remote_url": _maybe(dice, 0.5, f"https://ats.example.org/a/{number}-{place}"),
        "changed_at": f"{moment.created_on}T16:05:00.250Z",
        "remote_created_at": f"{moment.created_on}T09:12:00.000Z",
        "remote_updated_at": _maybe(dice, 0.5, f"{moment.created_on}T16:04:00.000Z"),
        "current_stage": _maybe(dice, 0.9, _stage(seed, dice.randrange(len(STAGES)))),
        "job": _maybe(dice, 0.95, _job(seed, dice.randrange(len(JOBS)))),
    }
    if dice.random() < SELDOM:
        for key in NEWER_APPLICATION_KEYS:
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
        "state": dice.choice((None, "North")),
        "street_1": dice.choice((None, "Nøstegaten 12")),
        "street_2": dice.choice((None, None, "Floor 3")),
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
    remote_id = f"T{index}" if index % 2 else None
    return {"id": _id(seed, "tag", index), "name": TAGS[index], "remote_id": remote_id}


def _maybe(dice: random.Random, chance: float, value: Any) -> Any:
    return value if dice.random() < chance else None


def _thin(dice: random.Random, row: dict[str, Any], *optional: str) -> dict[str, Any]:
    """Leave out an optional key now and then."""
    missing = {key for key in optional if dice.random() < SELDOM}
    return {key: value for key, value in row.items() if key not in missing}


def _row_id(seed: int, variant: int, moment: Moment) -> str:
    """Make the id of a row of the list with this seed."""
    return _own_id(_dice(seed, variant), moment)


def _related_id(place: int, variant: int, moment: Moment) -> str:
    """Return the id of the row with the same number in the list at this place of `MODELS`."""
    return _row_id(mix(moment.account_seed, place), variant, moment)


def _own_id(dice: random.Random, moment: Moment) -> str:
    """Make the id of a row, or of what belongs to one row only: 24 characters."""
    return "".join(dice.choices(LETTERS, k=16)) + moment.block


@cache
def _id(seed: int, kind: str, index: int) -> str:
    """Make the id of what many rows share: 24 characters."""
    dice = random.Random(f"{seed} {kind} {index}")  # noqa: S311 - repeatable
    return "".join(dice.choices(LETTERS, k=24))


CANDIDATES, APPLICATIONS, INTERVIEWS = 0, 1, 6
"""Their places in `MODELS`."""

# The other models (section 6, V). What is nested in them has the shape of the vendor's examples.


def application(seed: int, variant: int, moment: Moment) -> dict[str, Any]:
    """Make an application; each change moves its stage, each nested one adds an interview."""
    dice = _dice(seed, variant)
    number = _number(variant, moment)
    outcome = dice.choice(("PENDING", "PENDING", "HIRED", "DECLINED", None))
    place = (dice.randrange(len(STAGES)) + moment.changes) % len(STAGES)
    stage = _maybe(dice, 0.9, _stage(seed, place))
    job = _maybe(dice, 0.95, _job(seed, dice.randrange(len(JOBS))))
    who = _maybe(dice, 0.98, _whole_person(seed, dice, variant, number, moment))
    own = {
        "outcome": outcome,
        "rejection_reason_name": dice.choice(REASONS) if outcome == "DECLINED" else None,
        "rejected_at": f"{moment.created_on}T16:00:00.000Z" if outcome == "DECLINED" else None,
        "current_stage_id": stage and stage["id"],
        "job_id": job and job["id"],
        "candidate_id": who and who["id"],
        "screening_question_answers": dice.choice((None, [], _answers())),
        "custom_fields": _custom_fields(dice, moment),
        "integration_fields": _integration_fields(seed, dice),
        "remote_url": _maybe(dice, 0.8, f"https://ats.example.org/a/{number}"),
        **_times(dice, moment),
        "candidate": who,
        # The last two keys are in the vendor's SDK only (S).
        "current_stage": stage and _thin(dice, stage | _stage_details(stage["index"]), "status"),
        "job": job,
        "interviews": [
            _interview_in_application(seed, variant, place, moment)
            for place in range(dice.randrange(3) + moment.nested_changes)
        ],
        "offers": [
            {
                "id": _own_id(dice, moment),
                "remote_id": _maybe(dice, 0.9, f"O-{number}"),
                "status": dice.choice(OFFERS),
            }
            for _ in range(dice.choice((0, 0, 1)))
        ],
    }
    return _row(seed, variant, moment, dice, f"P-{number}", own)


def _interview_in_application(
    seed: int, variant: int, place: int, moment: Moment
) -> dict[str, Any]:
    dice = random.Random(mix(seed, 7, variant, place))  # noqa: S311 - repeatable
    who = person(seed, place)
    return {
        "id": _own_id(dice, moment),
        "remote_id": _maybe(dice, 0.8, f"I{place}"),
        "title": "Interview",
        "starting_at": f"{moment.created_on}T12:00:00.000Z",
        "ending_at": _maybe(dice, 0.7, f"{moment.created_on}T13:00:00.000Z"),
        "location": _location(dice, who.city, who.country),
        "canceled": dice.choice((False, True, None)),
    }


def job(seed: int, variant: int, moment: Moment) -> dict[str, Any]:
    """Make a job; each nested change adds a job posting."""
    dice = _dice(seed, variant)
    number = _number(variant, moment)
    who = person(seed, variant)
    salary = dice.randrange(2_000, 9_000)
    status = dice.choice(("OPEN", "CLOSED", "ARCHIVED"))
    own = {
        "name": _named(JOBS[dice.randrange(len(JOBS))], moment),
        "job_code": _maybe(dice, 0.8, f"C-{number}"),
        "description": "<p>Wir suchen Sie.\nJoin us!</p>",
        "confidential": dice.choice((False, None)),
        "weekly_hours": dice.choice((37, 37.5, None)),
        "employment_type": dice.choice(("FULL_TIME", "Minijob", None)),
        "status": status,
        "visibility": dice.choice(("PUBLIC", "INTERNAL", None)),
        "category": dice.choice(("Permanent", None)),
        "department": _maybe(dice, 0.7, "Engineering"),
        "post_url": _maybe(dice, 0.7, f"https://jobs.example.org/{number}"),
        "experience_level": dice.choice(("Junior", "Senior", None)),
        "remote_work_status": dice.choice(("HYBRID", None)),
        "salary_amount": dice.choice((salary, None)),
        "salary_amount_from": salary,
        "salary_amount_to": salary + 500.5,
        "salary_currency": "EUR",
        "salary_period": "MONTH",
        "location": dice.choice((None, _location(dice, who.city, who.country))),
        "custom_fields": dice.choice((None, {"cost_centre": 7})),
        "integration_fields": _integration_fields(seed, dice),
        "remote_url": _maybe(dice, 0.7, f"https://ats.example.org/j/{number}"),
        "opened_at": f"{moment.created_on}T08:00:00.000Z",
        "closed_at": None if status == "OPEN" else f"{moment.created_on}T18:00:00.000Z",
        **_times(dice, moment),
        "contact_id": _maybe(dice, 0.5, _id(seed, "user", 0)),
        "stages": [
            _stage(seed, index) | _stage_details(index) | {"remote_data": _remote_data(dice)}
            for index in range(len(STAGES))
        ],
        "screening_questions": dice.choice(([], _questions(seed))),
        "job_postings": [
            _job_posting(seed, variant, place, number)
            for place in range(dice.randrange(2) + moment.nested_changes)
        ],
        "hiring_team": [
            _user(seed, place)
            | {"hiring_team_roles": ["RECRUITER"], "job_roles": [_role(place, "JOB")]}
            for place in range(dice.randrange(3))
        ],
    }
    return _row(seed, variant, moment, dice, f"J-{number}", own)


def _job_posting(seed: int, variant: int, place: int, number: str) -> dict[str, Any]:
    dice = random.Random(mix(seed, 7, variant, place))  # noqa: S311 - repeatable
    return {
        "id": _id(seed, "posting", place),
        "remote_id": _maybe(dice, 0.8, f"JP{place}"),
        "title": "Analyst wanted",
        "description_html": "<p>Join us!</p>",
        "status": "ACTIVE",
        "visibility": dice.choice(("PUBLIC", "INTERNAL", None)),
        "url": _maybe(dice, 0.7, f"https://jobs.example.org/{number}/{place}"),
        "remote_data": _remote_data(dice),
    }


def user(seed: int, variant: int, moment: Moment) -> dict[str, Any]:
    """Make a user; each nested change assigns a role."""
    dice = _dice(seed, variant)
    number = _number(variant, moment)
    who = person(seed, variant)
    own = {
        "first_name": who.first,
        "last_name": _named(who.last, moment),
        "email": _maybe(dice, 0.9, f"user{number}@example.org"),
        "status": dice.choice(("ACTIVE", "ACTIVE", "INACTIVE", None)),
        "system_roles": [
            _role(place, "SYSTEM") for place in range(dice.randrange(2) + moment.nested_changes)
        ],
    }
    return _thin(dice, _row(seed, variant, moment, dice, f"U-{number}", own), "email")


def tag(seed: int, variant: int, moment: Moment) -> dict[str, Any]:
    """Make a tag."""
    return _named_row(seed, variant, moment, "T", TAGS)


def rejection_reason(seed: int, variant: int, moment: Moment) -> dict[str, Any]:
    """Make a rejection reason."""
    return _named_row(seed, variant, moment, "R", REASONS)


def offer(seed: int, variant: int, moment: Moment) -> dict[str, Any]:
    """Make an offer; a nested change moves its application to another job."""
    dice = _dice(seed, variant)
    number = _number(variant, moment)
    own = {
        "status": OFFERS[(dice.randrange(len(OFFERS)) + moment.changes) % len(OFFERS)],
        "employment_start_date": _maybe(dice, 0.7, f"{moment.created_on}T00:00:00.000Z"),
        "application_id": _related_id(APPLICATIONS, variant, moment),
        "custom_fields": dice.choice((None, {"signing_bonus": 100})),
        "integration_fields": _integration_fields(seed, dice),
        **_times(dice, moment),
        "application": {
            "candidate": _person(dice, variant, number, moment),
            "job": _job(seed, (dice.randrange(len(JOBS)) + moment.nested_changes) % len(JOBS)),
        },
    }
    return _row(seed, variant, moment, dice, _maybe(dice, 0.9, f"O-{number}"), own)


def interview(seed: int, variant: int, moment: Moment) -> dict[str, Any]:
    """Make an interview; a nested change moves its application to another job."""
    dice = _dice(seed, variant)
    number = _number(variant, moment)
    who = person(seed, variant)
    application_id = _related_id(APPLICATIONS, variant, moment)
    reason = _maybe(dice, 0.3, REASONS[0])
    own = {
        "title": _named("Interview", moment),
        "starting_at": f"{moment.created_on}T12:00:00.000Z",
        "ending_at": _maybe(dice, 0.8, f"{moment.created_on}T12:45:00.000Z"),
        "location": _location(dice, who.city, who.country),
        "video_conferencing_url": _maybe(dice, 0.5, f"https://meet.example.org/{number}"),
        "application_id": application_id,
        "stage_id": _maybe(dice, 0.5, _id(seed, "stage", 2)),
        "canceled": dice.choice((False, True, None)),
        **_times(dice, moment),
        "users": [_user(seed, place) for place in range(dice.randrange(3))],
        "application": {
            "id": application_id,
            "remote_id": f"P-{number}",
            "outcome": "DECLINED" if reason else "PENDING",
            "rejection_reason_name": reason,
            "candidate": _person(dice, variant, number, moment),
            "job": _job(seed, (dice.randrange(len(JOBS)) + moment.nested_changes) % len(JOBS)),
        },
    }
    return _thin(dice, _row(seed, variant, moment, dice, f"I-{number}", own), "location")


def role(seed: int, variant: int, moment: Moment) -> dict[str, Any]:
    """Make a role."""
    dice = _dice(seed, variant)
    own = _role(dice.randrange(len(ROLES)), dice.choice(("SYSTEM", "JOB", None)))
    del own["remote_id"]
    own["remote_label"] = _named(own["remote_label"], moment)
    row = _row(seed, variant, moment, dice, f"L-{_number(variant, moment)}", own)
    # There are so few roles that chance would leave it out of all of them.
    return row | {"remote_data": {"/v1/roles": {"level": 2}}}


def note(seed: int, variant: int, moment: Moment) -> dict[str, Any]:
    """Make a note (section 6.1, S)."""
    dice = _dice(seed, variant)
    author = _maybe(dice, 0.8, _author(seed, dice))
    own = {
        "candidate_id": _related_id(CANDIDATES, variant, moment),
        "application_id": _maybe(dice, 0.6, _related_id(APPLICATIONS, variant, moment)),
        "author_id": author and author["id"],
        "title": _named(dice.choice(("Phone call", None)), moment),
        "content_html": dice.choice(("<p>Called, will ring back.</p>", "Møtes <b>fredag</b>")),
        "is_private": dice.choice((False, True, None)),
        **_times(dice, moment),
        "author": author,
    }
    return _row(seed, variant, moment, dice, f"N-{_number(variant, moment)}", own)


def scorecard(seed: int, variant: int, moment: Moment) -> dict[str, Any]:
    """Make a scorecard (section 6.2, S)."""
    dice = _dice(seed, variant)
    author = _maybe(dice, 0.8, _author(seed, dice))
    own = {
        "candidate_id": _maybe(dice, 0.9, _related_id(CANDIDATES, variant, moment)),
        "application_id": _maybe(dice, 0.9, _related_id(APPLICATIONS, variant, moment)),
        "interview_id": _maybe(dice, 0.5, _related_id(INTERVIEWS, variant, moment)),
        "author_id": author and author["id"],
        "author": author,
        "responses": dice.choice((None, [], *[_responses(moment.changes)] * 8)),
        **_times(dice, moment),
    }
    row = _row(seed, variant, moment, dice, f"SC-{_number(variant, moment)}", own)
    return _thin(dice, row, "responses")


def _responses(changes: int) -> list[dict[str, Any]]:
    """Make a response of each documented type, and one of a type that may come tomorrow (I)."""
    verdicts = [{"remote_id": "y", "label": "Yes"}, {"remote_id": None, "label": "No"}]
    answers: tuple[tuple[str, Any], ...] = (
        ("TEXT", "Calm,\nprepared"),
        ("NUMBER", 3.5 + changes),
        ("BOOLEAN", True),
        ("DATE", "2025-03-01"),
        ("SINGLE_SELECT", verdicts[0]),
        ("MULTI_SELECT", verdicts),
        ("RANKING", None),
    )
    return [
        {
            "type": kind,
            "remote_id": f"R-{kind}" if place else None,
            "label": f"A {kind}?",
            "description": "In one word." if place else None,
            "required": place % 2 == 0 if place else None,
            "answer": answer,
            **({"options": verdicts} if kind.endswith("SELECT") else {}),
        }
        for place, (kind, answer) in enumerate(answers)
    ]


def attachment(seed: int, variant: int, moment: Moment) -> dict[str, Any]:
    """Make a synced attachment (section 6.3, S): a file in a bucket of the customer, no link."""
    dice = _dice(seed, variant)
    number = _number(variant, moment)
    key = f"kombo/{number}/cv.pdf"
    own = {
        "candidate_id": _related_id(CANDIDATES, variant, moment),
        "application_id": _maybe(dice, 0.5, _related_id(APPLICATIONS, variant, moment)),
        "type": dice.choice(("CV", "COVER_LETTER", "OTHER", None)),
        "file_name": _maybe(dice, 0.9, _named("cv.pdf", moment)),
        "content_ref": _maybe(dice, 0.9, {"type": "s3", "bucket": "made-up-files", "key": key}),
        **_times(dice, moment),
    }
    row = _row(seed, variant, moment, dice, f"F-{number}", own)
    return _thin(dice, row, "content_ref")


def application_stage(seed: int, variant: int, moment: Moment) -> dict[str, Any]:
    """Make an application stage (section 6.5, V and S)."""
    dice = _dice(seed, variant)
    index = dice.randrange(len(STAGES))
    own = {"name": _named(STAGES[index], moment), **_stage_details(index)}
    return _row(seed, variant, moment, dice, f"S-{_number(variant, moment)}", own)


def _author(seed: int, dice: random.Random) -> dict[str, Any]:
    return _thin(dice, _user(seed, dice.randrange(5)), "email")


def _row(  # noqa: PLR0913, PLR0917 - what a row is made of
    seed: int,
    variant: int,
    moment: Moment,
    dice: random.Random,
    remote_id: str | None,
    own: dict[str, Any],
) -> dict[str, Any]:
    """Put around the fields of a model what all models have."""
    return {
        "id": _row_id(seed, variant, moment),
        "remote_id": remote_id,
        **own,
        "remote_data": _remote_data(dice),
        "changed_at": moment.changed_at,
        "remote_deleted_at": moment.deleted_at,
    }


def _named_row(
    seed: int, variant: int, moment: Moment, letter: str, names: tuple[str | None, ...]
) -> dict[str, Any]:
    dice = _dice(seed, variant)
    name = _named(dice.choice(names), moment)
    return _row(seed, variant, moment, dice, f"{letter}-{_number(variant, moment)}", {"name": name})


def _dice(seed: int, variant: int) -> random.Random:
    return random.Random(mix(seed, 4, variant))  # noqa: S311 - repeatable


def _number(variant: int, moment: Moment) -> str:
    return f"{moment.block}{variant:03d}"


def _named(name: str | None, moment: Moment) -> str | None:
    """Return a name that shows how often its row was changed."""
    return f"{name or ''}, edition {moment.changes + 1}" if moment.changes else name


def _times(dice: random.Random, moment: Moment) -> dict[str, Any]:
    return {
        "remote_created_at": f"{moment.created_on}T09:10:11.000Z",
        "remote_updated_at": _maybe(dice, 0.7, f"{moment.created_on}T10:00:00.000Z"),
    }


def _custom_fields(dice: random.Random, moment: Moment) -> dict[str, Any] | None:
    first: dict[str, Any] | None = dice.choice((None, {"shift": "night"}))
    return {"edition": moment.changes + 1} if moment.changes else first


def _remote_data(dice: random.Random) -> dict[str, Any] | None:
    return dice.choice((None, {"/v1/raw": {"score": 4.5}}))


def _stage_details(index: int) -> dict[str, Any]:
    """Return what a stage has in the SDK only (S)."""
    return {
        "status": "INACTIVE" if index == len(STAGES) - 1 else "ACTIVE",
        "custom_fields": {"colour": "green"} if index % 2 else None,
    }


def _person(dice: random.Random, variant: int, number: str, moment: Moment) -> dict[str, Any]:
    """Make the candidate of the same number as offers and interviews show it."""
    candidates = mix(moment.account_seed, CANDIDATES)
    who = person(candidates, variant)
    return {
        "id": _row_id(candidates, variant, moment),
        "remote_id": f"A-{number}",
        "first_name": who.first,
        "last_name": who.last,
        "email_addresses": _email_addresses(dice, number),
    }


def _whole_person(
    seed: int, dice: random.Random, variant: int, number: str, moment: Moment
) -> dict[str, Any]:
    """Make a candidate as applications show it."""
    return _person(dice, variant, number, moment) | {
        "phone_numbers": _phone_numbers(dice, number),
        "social_media": _social_media(dice, number),
        "source": dice.choice(SOURCES),
        "remote_url": _maybe(dice, 0.8, f"https://ats.example.org/c/{number}"),
        "tags": _tags(seed, dice),
    }


def _answers() -> list[dict[str, Any]]:
    """Make an answer of each type."""
    answers: dict[str, dict[str, Any]] = {
        "TEXT": {"content": "Yes,\nof course"},
        "SINGLE_SELECT": {"choice": "TypeScript"},
        "MULTI_SELECT": {"choices": ["Norsk", "Deutsch"]},
        "BOOLEAN": {"checked": True},
        "NUMBER": {"number": 2.5},
        "DATE": {"date": "2025-03-01T00:00:00.000Z"},
        "UNKNOWN": {"raw": [1, {"x": None}]},
    }
    return [
        {
            "answer": answer,
            "question": {
                "remote_id": None if kind == "UNKNOWN" else f"Q-{kind}",
                "title": f"A {kind}?",
                "type": kind,
            },
        }
        for kind, answer in answers.items()
    ]


def _questions(seed: int) -> list[dict[str, Any]]:
    """Make a question of each format."""
    options = [
        {"id": _id(seed, "option", place), "remote_id": f"o{place}", "name": name}
        for place, name in enumerate(("Norsk", "Deutsch"))
    ]
    formats: tuple[dict[str, Any], ...] = (
        {"type": "TEXT", "display_type": "SINGLE_LINE", "max_length": None},
        {"type": "TEXT", "display_type": "MULTI_LINE", "max_length": 500},
        {"type": "NUMBER", "display_type": "FIELD", "min": 0, "max": 10.5},
        {"type": "MULTI_SELECT", "options": options},
        {
            "type": "FILE",
            "display_type": None,
            "accepted_mime_types": ["application/pdf"],
            "max_file_size_bytes": 6_000_000,
        },
        {"type": "UNKNOWN", "raw_question": {"kind": "slider"}},
    )
    return [
        {
            "id": _id(seed, "question", place),
            "remote_id": f"Q{place}" if place else None,
            "title": f"Question {place + 1}?",
            "description": "Answer in one sentence." if place else None,
            "format": shape,
            "category": "Skills" if place else None,
            "index": place,
            "required": not place,
            "precondition_question_id": _id(seed, "question", place + 1),
            "precondition_options": [True],
        }
        for place, shape in enumerate(formats)
    ]


def _user(seed: int, place: int) -> dict[str, Any]:
    who = person(seed, place)
    return {
        "id": _id(seed, "user", place),
        "remote_id": f"U{place}" if place else None,
        "first_name": who.first,
        "last_name": who.last,
        "email": f"colleague{place}@example.org",
    }


def _role(place: int, scope: str | None) -> dict[str, Any]:
    label, kind = ROLES[place % len(ROLES)]
    return {
        "remote_id": f"role-{place}",
        "remote_label": label,
        "scope": scope,
        "unified_type": kind,
    }


OWNERS = ("candidate_ids", "application_ids")

MODELS = (
    Model("candidates", "ats_candidates", "Candidates", candidate, filters=("email", "job_ids")),
    Model("applications", "ats_applications", "Applications", application),
    Model("jobs", "ats_jobs", "Jobs", job, 10),
    Model("users", "ats_users", "Users", user, 20),
    Model("tags", "ats_tags", "Tags", tag, 50, nested=False),
    Model("offers", "ats_offers", "Offers", offer, 10),
    Model("interviews", "ats_interviews", "Interviews", interview, 2),
    Model(
        "rejection-reasons",
        "ats_rejection_reasons",
        "Rejection reasons",
        rejection_reason,
        100,
        nested=False,
    ),
    Model("roles", "ats_roles", "Roles", role, 100, nested=False),
    Model("notes", "ats_notes", "Notes", note, 2, nested=False, filters=OWNERS),
    Model("scorecards", "ats_scorecards", "Scorecards", scorecard, 5, nested=False, filters=OWNERS),
    Model(
        "attachments", "ats_attachments", "Attachments", attachment, 2, nested=False, filters=OWNERS
    ),
    Model(
        "application-stages",
        "ats_application_stages",
        "Application stages",
        application_stage,
        20,
        nested=False,
    ),
)

ROW_FILTERS: dict[str, Callable[[dict[str, Any]], list[str | None]]] = {
    "ids": lambda row: [row["id"]],
    "remote_ids": lambda row: [row["remote_id"]],
    "email": lambda row: [
        (each.get("email_address") or "").lower() for each in row.get("email_addresses") or ()
    ],
    "job_ids": lambda row: [
        each["job"]["id"] for each in row["applications"] or () if each.get("job")
    ],
    "candidate_ids": lambda row: [row["candidate_id"]],
    "application_ids": lambda row: [row["application_id"]],
}
"""For each row filter the values of a row of which one has to be among those asked for."""
