"""What the fake ATZ CRM holds: candidates, histories and deals, and what happened to them.

A candidate is a number. Those that exist from the beginning and their histories are pure functions
of seed and number, and a slug is turned back into its number by arithmetic: only what changed since
the start is kept. Times are whole milliseconds since 1970.
"""

from __future__ import annotations

import heapq
import math
import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from integration_tests.sandbox.atz_crm.settings import Json, Meter, Settings
from integration_tests.sandbox.people import COMPANIES, TITLES, mix, person

if TYPE_CHECKING:
    from integration_tests.sandbox.world import World

DAY = 86_400_000
OLDEST_CREATED, NEWEST_CREATED = 5 * 365 * DAY, 401 * DAY
"""How long ago the candidates of the beginning were created ..."""
OLDEST_CHANGED, NEWEST_CHANGED = 400 * DAY, DAY // 24
"""... and changed last."""

# One die per kind of thing, so that nothing about a candidate follows from its slug.
SLUG, CHECK, TIMES, FIELDS, HISTORY, ROW, JOB, COMPANY, ORDER, CHOICE, DEAL = range(0xA720, 0xA72B)

MASK = (1 << 64) - 1
UNDO_FIRST = pow(0xBF58476D1CE4E5B9, -1, 1 << 64)
UNDO_SECOND = pow(0x94D049BB133111EB, -1, 1 << 64)
"""What undoes the multiplications in `mix`."""

STAGES = ("Assigned", "Screening", "Interview", "Offered", "Hired", "Not Selected")
JOB_STATUSES = ("Open", "In Progress", "On Hold", "Closed")
JOBS = 40
FIRST_NEW_ORDINAL = 6
"""Candidates of the beginning have at most this many rows."""
FIRST_ID = 50_001
FIRST_DEAL_ID = 900
CANDIDATES_FOR_ONE_DEAL = 4
DEAL_STAGES = (("Qualified", "20"), ("Proposal", "60.5"), ("Won", "100"), ("Lost", "0"))
ROLES = ("Admin", "Recruiter", "Team Member")
USERS = 9
COMMENTS = (None, None, "", "Good talk, second round on Monday", 'Asked for "remote"\nÅ ringe.')
CURRENCIES: tuple[Json, ...] = (
    {"id": 1, "country": "Norway", "code": "NOK", "currency": "Krone", "symbol": "kr"},
    {"id": 2, "country": "Portugal", "code": "EUR", "currency": "Euro", "symbol": "€"},
)
QUALIFICATIONS: tuple[Json, ...] = ({"id": 1, "name": "Bachelor"}, {"id": 2, "name": "Master"})
INDUSTRIES: tuple[Json, ...] = ({"id": 1, "name": "Food"}, {"id": 2, "name": "Shipping"})
LINKED = frozenset({"owner", "currency", "created_by", "updated_by", "qualification", "industry"})
CUSTOM_FIELDS: tuple[Any, ...] = (
    # The tables say object, the one whole example is an array (section 6, documented).
    [
        {"id": 1, "field_name": "Tier", "field_type": "text", "value": "Gold"},
        {"id": 2, "field_name": "Since", "field_type": "date", "value": None},
    ],
    [],
    None,
    {"id": 1, "field_name": "Tier", "field_type": "text", "value": "Silver"},
)


@dataclass
class Listing:
    """All candidates in one order, found by place and not held.

    The `first` candidates of the beginning stand in the order of their rank, which is a
    permutation of their numbers. Those that are gone or have moved leave their rank; those that
    moved or are new stand after them, by time.
    """

    seed: int
    first: int
    factor: int
    shift: int
    begin: int
    end: int
    left: list[int] = field(default_factory=list)
    moved: list[tuple[int, int]] = field(default_factory=list)
    moved_at: dict[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many candidates are listed."""
        return self.first - len(self.left) + len(self.moved)

    def __contains__(self, number: int) -> bool:
        """Say whether a candidate is listed."""
        if number in self.moved_at:
            return True
        if not 0 <= number < self.first:
            return False
        rank = self._rank(number)
        place = bisect_left(self.left, rank)
        return place == len(self.left) or self.left[place] != rank

    def at(self, place: int) -> int:
        """Return the candidate at this place, from 0."""
        unmoved = self.first - len(self.left)
        if place >= unmoved:
            return self.moved[place - unmoved][1]
        passed = bisect_right(
            range(len(self.left)), place, key=lambda index: self.left[index] - index
        )
        return (place + passed - self.shift) * pow(self.factor, -1, self.first) % self.first

    def time_of(self, number: int) -> int:
        """Return the time by which a candidate is ordered."""
        return self.moved_at.get(number) or self.first_time_of(number)

    def first_time_of(self, number: int) -> int:
        """Return the same for a candidate of the beginning, as it was at the beginning."""
        rank = self._rank(number)
        here, there = (
            self.begin + (self.end - self.begin) * step // self.first for step in (rank, rank + 1)
        )
        return here + mix(self.seed, TIMES, number) % max(there - here, 1)

    def enter(self, number: int, at: int) -> None:
        """List a candidate that is new, or that has left."""
        insort(self.moved, (at, number))
        self.moved_at[number] = at

    def leave(self, number: int) -> None:
        """Take a listed candidate out."""
        if number in self.moved_at:
            del self.moved[bisect_left(self.moved, (self.moved_at.pop(number), number))]
        else:
            insort(self.left, self._rank(number))

    def _rank(self, number: int) -> int:
        return (number * self.factor + self.shift) % self.first


def slug_of(kind: str, key: int, number: int) -> str:
    """Return `kind_` and 20 hex digits: 16 that hide the number and 4 that check it."""
    return f"{kind}_{mix(key, number):016x}{mix(key, number, CHECK) & 0xFFFF:04x}"


def number_of(kind: str, key: int, slug: str) -> int | None:
    """Return the number that has this slug, if any has."""
    digits = slug.removeprefix(f"{kind}_")
    if len(digits) != 20 or set(digits) - set("0123456789abcdef"):
        return None
    number = unmix(key, int(digits[:16], 16))
    return number if slug_of(kind, key, number) == slug else None


def unmix(seed: int, value: int) -> int:
    """Return the part for which `mix(seed, part)` is `value`: its steps, undone from the last."""
    value ^= (value >> 31) ^ (value >> 62)
    value = value * UNDO_SECOND & MASK
    value ^= (value >> 27) ^ (value >> 54)
    value = value * UNDO_FIRST & MASK
    value ^= (value >> 30) ^ (value >> 60)
    return (value - 0x9E3779B97F4A7C15 & MASK) ^ (seed & MASK)


def iso(at: int, *, millis: bool) -> str:
    """Return a time as the vendor writes it: examples have milliseconds, tables have none."""
    whole = datetime.fromtimestamp(at // 1000, UTC).isoformat()[:19]
    return f"{whole}.{at % 1000:03d}Z" if millis else f"{whole}Z"


def day(at: int) -> str:
    """Return the day of a time, as `YYYY-MM-DD`."""
    return datetime.fromtimestamp(at // 1000, UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class Job:
    """One job. It can be without an organization (section 2, inferred)."""

    slug: str
    name: str
    organization: Json | None
    status: int


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a candidate's history."""

    ordinal: int
    """Tells the rows of a candidate apart; never shown."""
    job: int
    stage: int
    stage_date: str
    at: int
    comment: str | None


@dataclass
class Deals:
    """All deals, as numbers, in the two orders of the list."""

    created: Listing
    updated: Listing
    numbers_given: int
    editions: dict[int, int] = field(default_factory=dict)
    """How often each was changed since the start."""

    def appear(self, number: int, at: int) -> None:
        """Add a new deal."""
        self.created.enter(number, at)
        self.updated.enter(number, at)

    def edit(self, number: int, at: int) -> None:
        """Change a deal."""
        if number in self.updated:
            self.editions[number] = self.editions.get(number, 0) + 1
            self.updated.leave(number)
            self.updated.enter(number, at)

    def remove(self, number: int) -> None:
        """Delete a deal."""
        if number in self.created:
            self.created.leave(number)
            self.updated.leave(number)


@dataclass
class Crm:
    """What this CRM holds now: the beginning, worked out when asked for, and all changes since."""

    world: World
    key: int
    created: Listing
    updated: Listing
    numbers_given: int
    """How many candidates there ever were, those not to be seen yet included."""
    deals: Deals
    users: tuple[Json, ...]
    jobs: tuple[Job, ...]
    settings: Settings = field(default_factory=Settings)
    meters: dict[str, Meter] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    rows: dict[int, dict[int, Row]] = field(default_factory=dict)
    """Rows added or edited since the start, by candidate and ordinal."""
    deleted_jobs: set[int] = field(default_factory=set)
    changes: int = 0
    pending: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    """Changes that are made but not to be seen yet, soonest first."""
    wall_start: float = field(default_factory=lambda: time.time() - time.monotonic())

    # What is there

    def now(self) -> int:
        """Return the sandbox's time."""
        return int(self.world.clock.epoch() * 1000)

    def slug(self, number: int) -> str:
        """Return the slug of a candidate."""
        return slug_of("candidate", self.key, number)

    def find(self, slug: str) -> int | None:
        """Return the candidate with this slug, if it is there now."""
        number = number_of("candidate", self.key, slug)
        return number if number is not None and number in self.created else None

    def everybody(self) -> Iterator[int]:
        """Yield each candidate once, oldest first, also when some change meanwhile."""
        return (number for number in range(self.numbers_given) if number in self.created)

    def history(self, number: int) -> list[Row]:
        """Return a candidate's rows, newest first."""
        rows = {row.ordinal: row for row in self._first_rows(number)}
        rows.update(self.rows.get(number, {}))
        kept = (row for row in rows.values() if row.job not in self.deleted_jobs)
        return sorted(kept, key=lambda row: (row.at, row.ordinal), reverse=True)

    def _first_rows(self, number: int) -> Iterator[Row]:
        """Yield what happened between a candidate's creation and its last change, oldest first."""
        if number >= self.created.first:
            return
        begin = self.created.first_time_of(number)
        span = self.updated.first_time_of(number) - begin
        dice = mix(self.key, HISTORY, number)
        count = dice % 7
        gaps = [1 + mix(dice, index) % 1000 for index in range(count + 1)]
        second_job_from = 1 + (dice >> 8) % 6
        passed, stage, stage_date = 0, -1, ""
        for ordinal in range(count):
            chance = mix(dice, ordinal, ROW)
            passed += gaps[ordinal]
            at = begin + span * passed // sum(gaps)
            if ordinal == second_job_from:
                stage = -1
            # One row in six is alike in job, stage and day to the one before it: assumed, since
            # nothing says that an edit rewrites a row instead of adding one (section 2).
            if stage < 0 or chance % 6:
                stage = (stage + 1) % len(STAGES)
                stage_date = day(at)
            yield Row(
                ordinal=ordinal,
                job=((dice >> 16) + 7 * (ordinal >= second_job_from)) % JOBS,
                stage=stage,
                stage_date=stage_date,
                at=at,
                comment=COMMENTS[(chance >> 8) % len(COMMENTS)],
            )

    # What happens

    def show_due_changes(self) -> None:
        """Show all changes whose time has come."""
        now = self.now()
        while self.pending and self.pending[0][0] <= now:
            heapq.heappop(self.pending)[2]()

    def later(self, at: int, effect: Callable[[], None]) -> None:
        """Show a change from `at` on."""
        heapq.heappush(self.pending, (at, self.next_change(), effect))

    def next_change(self) -> int:
        """Return a number that no change had before."""
        self.changes += 1
        return self.changes

    def appear(self, number: int, at: int, row: Row | None) -> None:
        """Add a new candidate."""
        self.created.enter(number, at)
        self.updated.enter(number, at)
        if row:
            self.rows[number] = {row.ordinal: row}

    def touch(self, number: int, at: int) -> None:
        """Move a candidate's `updated_at` forward."""
        if number in self.updated and at > self.updated.time_of(number):
            self.updated.leave(number)
            self.updated.enter(number, at)

    def put_row(self, number: int, row: Row, *, bump: bool) -> None:
        """Add a row to a history, or replace it."""
        if number in self.created:
            self.rows.setdefault(number, {})[row.ordinal] = row
            if bump:
                self.touch(number, row.at)

    def remove(self, number: int) -> None:
        """Delete a candidate and its history."""
        if number in self.created:
            self.created.leave(number)
            self.updated.leave(number)
            self.rows.pop(number, None)

    # What it looks like

    def candidate_json(self, number: int, expand: frozenset[str] = frozenset()) -> Json:
        """Return a candidate as the list shows it; what follows `city` is inferred (section 1)."""
        who = person(self.world.seed, number)
        dice = mix(self.key, FIELDS, number)
        experience = dice % 30
        salary = 1000 * (20 + (dice >> 8) % 60)
        more = mix(self.key, FIELDS, number, 1)
        begin = datetime.fromtimestamp(self.created.time_of(number) // 1000, UTC).date()
        shown: Json = {
            "id": FIRST_ID + number,
            "slug": self.slug(number),
            "first_name": who.first,
            "last_name": who.last,
            "full_name": f"{who.first} {who.last}",
            "email": who.email,
            "phone": who.phone if dice >> 12 & 3 else "",
            "resume": f"cv-{number}.pdf" if dice >> 14 & 1 else "",
            "profile_picture": f"https://files.example.org/{number}.png" if more & 1 else "",
            "education_specialization": ("", "Nursing", "Statistics", "Catering")[more >> 1 & 3],
            "university": ("", "Fjord College", "Quay School", "")[more >> 3 & 3],
            "current_position": who.title,
            "current_organization": who.company,
            "last_organization": COMPANIES[(dice >> 16) % len(COMPANIES)],
            "willing_to_relocate": dice >> 18 & 1,
            "available_from": (begin + timedelta(days=30)).isoformat() if dice >> 19 & 1 else None,
            "graduation_date": f"{2020 - experience}-06-01",
            # Documented as strings that look like lists; arrays are inferred (Quirks 5).
            "tags": (None, "", "[remote, senior]", ["remote", "senior"])[dice >> 20 & 3],
            "skill": ("", "[python, sql]", "[cooking]", None)[dice >> 22 & 3],
            # Numbers may come as strings (Quirks 6, inferred).
            "experience": str(experience) if dice >> 24 & 7 == 0 else experience,
            "current_salary": salary,
            "expected_salary": str(salary + 5000) if dice >> 27 & 7 == 0 else salary + 5000,
            "notice_period": 30 * (dice >> 30 & 3),
            "salary_type": 1 + (dice >> 32) % 5,
            "description": "Prefers mornings.\nReads Ærø's timetables." if dice >> 36 & 1 else "",
            "source": ("Referral", "Career page", "", "Job fair")[dice >> 37 & 3],
            "nationality": who.country,
            "address": f"{1 + number % 90} Made-up Row" if more >> 5 & 1 else "",
            "language": ("", "Norsk, English", "Português", "Deutsch")[more >> 6 & 3],
            "city": who.city,
            "state": ("", "North", "South", "")[more >> 8 & 3],
            "country": who.country,
            "gender": (dice >> 39) % 3,
            "date_of_birth": f"{1960 + (more >> 10) % 40}-03-01" if more >> 16 & 1 else None,
            "currency": linked("currency", dice >> 41 & 3, CURRENCIES, expand),
            "qualification": linked("qualification", dice >> 43 & 3, QUALIFICATIONS, expand),
            "industry": linked("industry", dice >> 45 & 3, INDUSTRIES, expand),
            "socials": {
                "linkedin": f"https://www.linkedin.com/in/made-up-{number}"
                if more >> 17 & 1
                else "",
                "xing": f"https://www.xing.com/profile/MadeUp_{number}" if more >> 18 & 1 else "",
            },
            "custom_fields": CUSTOM_FIELDS[dice >> 47 & 3],
            "owner": linked("owner", (dice >> 49) % USERS, self.users, expand),
            "created_by": linked("created_by", (dice >> 53) % USERS, self.users, expand),
            "updated_by": linked("updated_by", (dice >> 57) % USERS, self.users, expand),
            "created_at": iso(self.created.time_of(number), millis=bool(dice >> 61 & 1)),
        }
        if self.settings.with_updated_at:
            at = self.updated.time_of(number)
            shown["updated_at"] = iso(at, millis=bool(dice >> 62 & 1))
        return shown

    def deal_slug(self, number: int) -> str:
        """Return the slug of a deal."""
        return slug_of("deal", mix(self.key, DEAL), number)

    def deal_json(self, number: int) -> Json:
        """Return a deal as the list shows it (section 4): linked objects as their ids."""
        dice = mix(self.key, DEAL, FIELDS, number)
        stage = (dice + self.deals.editions.get(number, 0)) % len(DEAL_STAGES)
        label, percentage = DEAL_STAGES[stage]
        amount = 1000 * (5 + (dice >> 4) % 90)
        some = [{"id": FIRST_ID + (dice >> shift) % 50} for shift in (8, 16)]
        return {
            "id": FIRST_DEAL_ID + number,
            "slug": self.deal_slug(number),
            "name": f"Deal {number}\nsecond line",
            "stage": {"id": stage + 1, "label": label, "percentage": percentage},
            "deal_amount": amount,
            "amount_by_stage": amount * float(percentage) / 100,
            "close_date": day(self.deals.created.time_of(number)) if dice >> 24 & 1 else None,
            "deal_type": str(1 + (dice >> 25 & 1)),
            "organization": {"id": 7} if dice >> 26 & 1 else None,
            # Documented as one object; several are inferred (Quirks 8).
            "jobs": (some[0], some, None, [])[dice >> 27 & 3],
            "candidates": (some[0], some, None, [])[dice >> 29 & 3],
            "contacts": {"id": 3},
            "tags": (None, "", "[big, slow]")[(dice >> 31) % 3],
            "created_at": iso(self.deals.created.time_of(number), millis=bool(dice >> 34 & 1)),
            "updated_at": iso(self.deals.updated.time_of(number), millis=bool(dice >> 35 & 1)),
            "created_by": {"id": 100},
            "updated_by": {"id": 101},
            "owner": {"id": 102},
            "custom_fields": CUSTOM_FIELDS[dice >> 36 & 3],
        }

    def row_json(self, number: int, row: Row) -> Json:
        """Return a history row as the vendor shows it: without an id or a candidate (section 2)."""
        dice = mix(self.key, ROW, number, row.ordinal)
        job = self.jobs[row.job]
        shown: Json = {
            "job_slug": job.slug,
            "job_name": job.name,
            "organization": job.organization,
            "job_status": {"id": job.status + 1, "name": JOB_STATUSES[job.status]},
            "talent_stage": {"id": row.stage + 1, "name": STAGES[row.stage]},
            "stage_date": row.stage_date,
            "visibility": dice & 1,
            "comment": row.comment,
            "updated_by": self.users[(dice >> 1) % USERS] if dice >> 5 & 7 else None,
            "updated_at": iso(row.at, millis=bool(dice >> 8 & 1)),
        }
        if job.organization is None and dice >> 9 & 1:
            del shown["organization"]
        # Numbers may come as strings (Quirks 6, inferred).
        if dice >> 10 & 15 == 0:
            shown["talent_stage"]["id"] = str(row.stage + 1)
        if dice >> 14 & 15 == 0:
            shown["visibility"] = str(dice & 1)
        return shown


def linked(name: str, place: int, many: tuple[Json, ...], expand: frozenset[str]) -> Json | None:
    """Return a linked object: whole where `maximize` asks for it, else only its id (section 5)."""
    if place >= len(many):
        return None
    return many[place] if name in expand else {"id": many[place]["id"]}


def job_of(key: int, job: int) -> Job:
    """Make one job."""
    dice = mix(key, JOB, job)
    company = (dice >> 8) % (len(COMPANIES) + 1)
    organization = None
    if company < len(COMPANIES):
        slug = slug_of("organization", mix(key, COMPANY), company)
        organization = {"slug": slug, "name": COMPANIES[company]}
    return Job(
        slug=slug_of("job", mix(key, JOB), job),
        name=TITLES[dice % len(TITLES)],
        organization=organization,
        status=(dice >> 16) % len(JOB_STATUSES),
    )


def deals_of(key: int, candidates: int, start: int) -> Deals:
    """Make the deals of the beginning: one for a few candidates, in one order by both times."""
    many = -(-candidates // CANDIDATES_FOR_ONE_DEAL)
    created = Listing(key, many, 1, 0, start - OLDEST_CREATED, start - NEWEST_CREATED)
    updated = Listing(key, many, 1, 0, start - OLDEST_CHANGED, start - NEWEST_CHANGED)
    return Deals(created, updated, many)


def users_of(key: int) -> tuple[Json, ...]:
    """Return the people who work with this CRM; some have no phone (section 2)."""
    many = [(place, person(key, place)) for place in range(USERS)]
    return tuple(
        {
            "id": 100 + place,
            "email": f"user{place}@example.com",
            "first_name": who.first,
            "last_name": who.last,
            "full_name": f"{who.first} {who.last}",
            "role": ROLES[place % len(ROLES)],
            "phone": None if place % 3 else who.phone,
        }
        for place, who in many
    )


def history_of(crm: Crm, number: int) -> Json:
    """Return a candidate's history as the API shows it, and whose it is."""
    rows = [crm.row_json(number, row) for row in crm.history(number)]
    return {"slug": crm.slug(number), "id": FIRST_ID + number, "history": rows}


def numbers_of(crm: Crm, wanted: int | list[str]) -> list[int]:
    """Return the candidates named by slug."""
    if isinstance(wanted, int):
        return []
    found = {slug: crm.find(slug) for slug in wanted}
    numbers = [number for number in found.values() if number is not None]
    if len(numbers) < len(wanted):
        msg = f"not there, or named twice: one of {wanted}"
        raise ValueError(msg)
    return numbers


def choose(crm: Crm, kind: str, wanted: int, taken: set[int]) -> list[int]:
    """Return this many candidates that are there and not taken yet, and take them."""
    chosen: list[int] = []
    while len(chosen) < wanted:
        start = mix(crm.key, CHOICE, crm.next_change())
        for step in range(len(crm.created)):
            number = crm.created.at((start + step) % len(crm.created))
            if number not in taken and (kind != "edited_comment" or crm.history(number)):
                break
        else:
            msg = f"{kind}: there are not {wanted} candidates for it"
            raise ValueError(msg)
        taken.add(number)
        chosen.append(number)
    return chosen


def new(crm: Crm, number: int, at: int) -> Callable[[], None]:
    """Add a candidate; two in three are put to a job at once, where they are "Assigned"."""
    dice = mix(crm.key, CHOICE, crm.next_change())
    row = Row(crm.changes + FIRST_NEW_ORDINAL, (dice >> 8) % JOBS, 0, day(at), at, None)
    return partial(crm.appear, number, at, row if dice % 3 else None)


def moved_stage(crm: Crm, number: int, at: int) -> Callable[[], None]:
    """Add a row: the candidate's last job goes to another stage, or a first job begins."""
    last = next(iter(crm.history(number)), None)
    dice = mix(crm.key, CHOICE, crm.next_change())
    job = last.job if last else dice % JOBS
    stage = (last.stage + 1 + (dice >> 8) % (len(STAGES) - 1)) % len(STAGES) if last else 0
    row = Row(crm.changes + FIRST_NEW_ORDINAL, job, stage, day(at), at, None)
    return partial(crm.put_row, number, row, bump=crm.settings.history_bumps_candidate)


def edited_comment(crm: Crm, number: int, at: int) -> Callable[[], None]:
    """Edit the oldest row; it stays the same row, with another comment and `updated_at`."""
    oldest = crm.history(number)[-1]
    row = replace(oldest, at=at, comment=f"Edited, change {crm.next_change()}")
    return partial(crm.put_row, number, row, bump=crm.settings.history_bumps_candidate)


def touched(crm: Crm, number: int, at: int) -> Callable[[], None]:
    """Move the candidate's own `updated_at`."""
    return partial(crm.touch, number, at)


def deleted(crm: Crm, number: int, _at: int) -> Callable[[], None]:
    """Delete the candidate."""
    return partial(crm.remove, number)


CHANGES = {
    "moved_stage": moved_stage,
    "edited_comment": edited_comment,
    "touched": touched,
    "deleted": deleted,
}


def crm_of(world: World) -> Crm:
    """Make the CRM as it is at the beginning."""
    key = mix(world.seed, SLUG)
    start = int(world.started_at.timestamp() * 1000)
    first = world.candidates
    factor = 1 + mix(key, ORDER) % first
    while math.gcd(factor, first) != 1:
        factor += 1
    return Crm(
        world=world,
        key=key,
        created=Listing(
            seed=key,
            first=first,
            factor=1,
            shift=0,
            begin=start - OLDEST_CREATED,
            end=start - NEWEST_CREATED,
        ),
        updated=Listing(
            seed=key,
            first=first,
            factor=factor,
            shift=mix(key, ORDER, 1) % first,
            begin=start - OLDEST_CHANGED,
            end=start - NEWEST_CHANGED,
        ),
        numbers_given=first,
        deals=deals_of(mix(key, DEAL), first, start),
        users=users_of(key),
        jobs=tuple(job_of(key, job) for job in range(JOBS)),
    )
