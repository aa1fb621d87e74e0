"""What the fake Comeet holds: positions that are always the same, and all that is posted to it."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from integration_tests.sandbox.comeet.settings import Settings
from integration_tests.sandbox.people import CITIES, FIRST, LAST, TITLES, mix, person

if TYPE_CHECKING:
    from integration_tests.sandbox.world import World

Json = dict[str, Any]

STATUSES = ("In progress", "On hold", "Awaiting Decision", "Rejected", "Withdrawn", "Hired")
POSITION_STATUSES = ("open",) * 8 + ("on hold",) * 2 + ("closed",) * 2
DISCREET_POSITION, TALENT_POOL = 3, 5
"""Their places among the twelve."""

POSITION_ROLES = ("lead_recruiter", "hiring_manager", "lead_recruiting_coordinator")
DAY = 86_400
REOPENED = 3

FIRST_UID = 0xB3000
FIRST_POSITION_UID = 0x4A1C2
FIRST_REAL_ID, REAL_ID_STEP = 98_765, 7


@dataclass(slots=True, eq=False)
class Position:
    """One job, and for each partner id the newest candidate that was created under it."""

    number: int
    uid: str
    status: str
    updated: int
    newest: dict[str, Candidate] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Candidate:
    """One hiring process. Times are whole seconds since 1970, as fine as the API shows them."""

    number: int
    position: Position
    partner: str | None
    fields: bytes | None
    """JSON of what was sent, files as name, size and SHA-256. None: forgotten or erased."""
    before: Candidate | None
    """The one created before it with the same partner id in the same position."""
    created: int
    status_changed: int
    updated: int
    status: str = "In progress"
    posts: int = 1
    merged_into: Candidate | None = None
    deleted: int | None = None

    @property
    def uid(self) -> str:
        """The string id, for every path."""
        return uid_text(FIRST_UID + self.number)

    @property
    def real_id(self) -> int:
        """The number of the profile URL; paths take it with a header only."""
        return FIRST_REAL_ID + REAL_ID_STEP * self.number

    @property
    def is_live(self) -> bool:
        """Neither merged nor deleted."""
        return self.merged_into is None and self.deleted is None


class Account:
    """One customer account: always the same positions, and every candidate ever created."""

    def __init__(self, world: World) -> None:
        """Begin empty."""
        self.world = world
        self.reset()

    def reset(self) -> None:
        """Go back to the beginning: no candidates, default settings."""
        self.settings = Settings()
        self.positions = {
            position.uid: position
            for position in (
                Position(
                    number,
                    uid_text(FIRST_POSITION_UID + 0x1F35 * number),
                    status,
                    int((self.world.started_at - timedelta(days=1 + number)).timestamp()),
                )
                for number, status in enumerate(POSITION_STATUSES)
            )
        }
        self.candidates: list[Candidate] = []
        self.recent_calls: deque[float] = deque()
        self.duplicates = self.conflicts = self.patches = self.moves = 0

    def now(self) -> int:
        """Return the time in the whole seconds that the API shows."""
        return int(self.world.clock.epoch())

    def by_uid(self, uid: str) -> Candidate | None:
        """Find a candidate by its string id, exactly as it was given out."""
        if not re.fullmatch(r"[0-9A-F]{1,8}\.[0-9A-F]{3}", uid):
            return None
        number = int(uid.replace(".", ""), 16) - FIRST_UID
        candidate = self.by_number(number)
        return candidate if candidate is not None and candidate.uid == uid else None

    def by_real_id(self, text: str) -> Candidate | None:
        """Find a candidate by its numeric id."""
        if not re.fullmatch(r"[0-9]{1,12}", text):
            return None
        number, rest = divmod(int(text) - FIRST_REAL_ID, REAL_ID_STEP)
        return None if rest else self.by_number(number)

    def by_number(self, number: int) -> Candidate | None:
        """Find the candidate that was created after this many others."""
        return self.candidates[number] if 0 <= number < len(self.candidates) else None

    def in_progress(self, position: Position, partner: str | None) -> Candidate | None:
        """Find the candidate that a repeated create runs into."""
        candidate = position.newest.get(partner) if partner is not None else None
        # Assumed: a merged or deleted candidate guards nothing.
        while candidate and not (candidate.status == "In progress" and candidate.is_live):
            candidate = candidate.before
        return candidate

    def add(self, position: Position, partner: str | None, fields: Json) -> Candidate:
        """Create a candidate; one with the same key may exist."""
        before = position.newest.get(partner) if partner is not None else None
        now = self.now()
        candidate = Candidate(
            number=len(self.candidates),
            position=position,
            partner=partner,
            fields=None if self.settings.forget_bodies else orjson.dumps(fields),
            before=before,
            created=now,
            status_changed=now,
            updated=now,
        )
        self.candidates.append(candidate)
        if partner is not None:
            position.newest[partner] = candidate
        if before is not None:
            self.duplicates += 1
        return candidate

    def add_file(self, candidate: Candidate, stored: Json) -> None:
        """Add a file to a candidate, as name, size and SHA-256."""
        if candidate.fields is not None:
            fields = orjson.loads(candidate.fields)
            fields["files"] = [*fields.get("files", []), stored]
            candidate.fields = orjson.dumps(fields)
        candidate.updated = self.now()

    def move(self, candidate: Candidate, status: str) -> None:
        """Give it a status as a recruiter would."""
        candidate.status = status
        candidate.status_changed = candidate.updated = self.now()

    def drift(self, candidate: Candidate) -> None:
        """Make a quick recruiter take it out of "In progress", with the probability that is set."""
        dice = mix(self.world.seed, candidate.number, 1)
        if dice % 1_000_000 < self.settings.drift * 1_000_000:
            self.move(candidate, "Rejected" if dice >> 40 & 1 else "On hold")


def uid_text(number: int) -> str:
    """Two hex-like groups, the shape of the vendor's samples (section 3, V)."""
    return f"{number >> 12:X}.{number & 0xFFF:03X}"


def process_object(candidate: Candidate) -> Json:
    """Return what create and update answer: the vendor's sample (section 3, V)."""
    step = step_object(candidate, "CV review", 0)
    current = candidate.status == "In progress"
    done = {**step, "time_completed": time_text(candidate.status_changed)}
    return {
        "uid": candidate.uid,
        "position_uid": candidate.position.uid,
        "time_created": time_text(candidate.created),
        "time_last_status_changed": time_text(candidate.status_changed),
        "current_steps": [step] if current else [],
        "completed_steps": [] if current else [done],
        "status": candidate.status,
    }


def step_object(candidate: Candidate, name: str, place: int) -> Json:
    """Return one step of a hiring process; every second candidate has an appointment."""
    scheduled = time_text(candidate.created + (place + 1) * DAY) if candidate.number % 2 else None
    step: Json = {
        "name": name,
        "type": "Go/No-go",
        "time_scheduled": scheduled,
        "position_step_uid": f"A1.{place + 1:03}",  # T
    }
    if candidate.number % 7 == REOPENED:
        # Assumed: a step that was done and is to be done again keeps its time.
        step["time_completed"] = time_text(candidate.created)
    return step


def candidate_object(candidate: Candidate, now: int, *, with_contact: bool = False) -> Json:
    """Return what reads answer: the visible part of the schema (section 4, V).

    `note` and `partner_candidate_id` cannot be read back, nor can other fields that the visible
    schema does not name; `source_contact` takes a permission (`with_contact`).
    """
    if candidate.deleted is not None:
        return {"uid": candidate.uid, "deleted": True}
    fields: Json = orjson.loads(candidate.fields) if candidate.fields is not None else {}
    body = process_object(candidate)
    body["person_uid"] = person_uid(candidate, fields.get("email"))
    for name in ("first_name", "middle_name", "last_name", "email", "phone", "mobile_phone",
                 "linkedin_url", "prospect_status"):  # fmt: skip
        body[name] = fields.get(name)
    body["id_number"] = fields.get("national_id")  # V, section 10: written under another name
    body["deleted"] = False
    body["URL"] = f"https://app.comeet.example/people/{candidate.real_id}"
    has_future = candidate.status == "In progress"
    body["future_steps"] = [step_object(candidate, "Interview", 1)] if has_future else []
    body["tags"] = fields.get("tags", [])
    body["custom_fields"] = fields.get("custom_fields", {})  # T
    body["source"] = {"uid": "E0.001", "name": "Airbyte", "type": "Other"}
    if with_contact and "source_contact" in fields:
        body["source_contact"] = contact_object(candidate, fields["source_contact"])
    if candidate.status == "Hired":
        start = time_text(candidate.status_changed + 30 * DAY)
        body["opening"] = {
            "uid": candidate.position.uid,
            "time_start_to_work": start,
            "hired_candidate_hire_date": start[:10],  # T
        }
    if "resume" in fields:
        body["resume"] = file_object(candidate, fields["resume"], now)
    return body


def contact_object(candidate: Candidate, sent: Json) -> Json:
    """Return who submitted a candidate.

    The schema of reads has four keys, the sample of writes has three others (sections 3 and 4, V).
    Which of them a read has is not known, so both occur.
    """
    if candidate.number % 2:
        return sent
    first, _, last = sent["full_name"].rpartition(" ")
    return {
        "uid": uid_text(FIRST_UID + candidate.number // 10),
        "first_name": first,
        "last_name": last,
        "email": sent["email"],
    }


def file_objects(candidate: Candidate, now: int) -> list[Json]:
    """Return the files as the files endpoint lists them; assumed: the resume is not among them."""
    fields: Json = orjson.loads(candidate.fields) if candidate.fields is not None else {}
    return [file_object(candidate, each, now) for each in fields.get("files", [])]


def file_object(candidate: Candidate, stored: Json, now: int) -> Json:
    """Return a file with a link that lives for 15 minutes (section 4, V)."""
    name = stored["name"]
    url = f"https://files.comeet.example/{candidate.uid}/{name}?expires={now + 900}"
    return {"name": name, "url": url}


def made_up_fields(seed: int, number: int) -> Json:
    """Return what another source than ours has sent of a candidate."""
    who = person(seed, number)
    fields: Json = {
        "first_name": "Mira",
        "last_name": f"Solberg {number}",
        "email": f"filled{number}@example.org",
        "custom_fields": {"pool": "north"},
    }
    more = {
        "middle_name": who.first,
        "phone": f"+00 777 {number:07d}",
        "mobile_phone": f"+00 778 {number:07d}",
        "national_id": f"ID-{number:06d}",
        "linkedin_url": f"https://www.linkedin.com/in/made-up-{number}",
        "prospect_status": "Interested",
        "source_contact": {
            "full_name": f"{who.first} {who.last}",
            "email": f"agency{number % 10}@example.org",
            "phone": "+00 779 0000000",
        },
        "resume": {"name": f"cv-{number}.pdf", "size": 9, "sha256": "0" * 64},
        "tags": [{"uid": uid_text(FIRST_UID + number % 5), "name": who.title}],
    }
    return fields | {
        name: value for place, (name, value) in enumerate(more.items()) if (number + place) % 3
    }


def person_uid(candidate: Candidate, email: str | None) -> str:
    """One human is one person: here, one email address. Without one, each stands alone."""
    name = email.lower() if email else candidate.uid
    return uid_text(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=5).digest(), "big"))


def position_object(position: Position) -> Json:
    """Return a position (section 4, V), with what takes permissions of its own."""
    number = position.number
    city, country = CITIES[number % len(CITIES)]
    page = f"https://jobs.comeet.example/{position.uid}"
    return {
        "uid": position.uid,
        "name": f"{TITLES[number % len(TITLES)]}, {city}",
        "internal_name": f"{city} {number}",
        "status": position.status,
        "is_discreet": number == DISCREET_POSITION,
        "is_published": position.status == "open",
        "is_talent_pool": number == TALENT_POOL,
        "department": ("Operations", "People", "Technology")[number % 3],
        "email": f"position{number}@jobs.comeet.example",
        "URL": f"https://app.comeet.example/positions/{position.uid}",
        "url_comeet_hosted_page": page,
        "url_active_page": page,
        "position_url": f"https://api.comeet.example/positions/{position.uid}",
        "picture_url": f"{page}/picture.png" if number % 2 else None,
        "experience_level": ("Junior", "Senior", None)[number % 3],
        "employment_type": "Full-time",
        "workplace_type": ("On-site", "Hybrid", "Remote")[number % 3],
        "internal_use_custom_id": f"REQ-{number:03}" if number % 2 else None,
        "company_name": "Made Up Foods",
        "time_updated": time_text(position.updated),
        "location": {
            "uid": "C0.001",
            "name": city,
            "country": country,
            "city": city,
            "state": ("North", None)[number % 2],
            "postal_code": f"{5000 + number}",
            "street_name": "Made-up Row",
            "street_number": f"{1 + number}",
            "arrival_instructions": "Ring twice." if number % 2 else None,
            "timezone": "Europe/Oslo",
        },
        "salary_range": None
        if number % 3
        else {"min": 3_000, "max": 4_500.5, "currency_code": "EUR", "period": "month"},
        "categories": [{"name": "Team", "value": "North"}],
        "details": [{"name": "Description", "value": "<p>Made up.</p>"}],
        "users": {
            role: {
                "uid": uid_text(FIRST_UID + place),
                "first_name": FIRST[place],
                "last_name": LAST[place],
                "email": f"colleague{place}@example.org",
            }
            for place, role in enumerate(POSITION_ROLES)
        },
    }


def time_text(seconds: int) -> str:
    """Write a time as every field of the API does."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19] + "Z"


def truth_row(candidate: Candidate) -> Json:
    """Return everything that is held about a candidate."""
    into, stored = candidate.merged_into, candidate.fields
    return {
        "uid": candidate.uid,
        "real_id": candidate.real_id,
        "position_uid": candidate.position.uid,
        "partner_candidate_id": candidate.partner,
        "status": candidate.status,
        "merged": None if into is None else into.uid,
        "deleted": candidate.deleted is not None,
        "posts": candidate.posts,
        "fields": None if stored is None else orjson.Fragment(stored),
    }
