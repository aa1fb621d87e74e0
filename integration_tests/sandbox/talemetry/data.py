"""Who there is in the fake Talemetry, and what happened to whom.

People are numbers, in the order in which they were created. Those of the beginning are pure
functions of seed and number, and a GUID is turned back into its number by arithmetic; only what
changed since the start is kept. Times are whole seconds since 1970.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, insort
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from zlib import crc32

from integration_tests.sandbox.people import mix

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from integration_tests.sandbox.talemetry.settings import Settings
    from integration_tests.sandbox.world import World

DAY = 86_400
SPAN = 2 * 365 * DAY
"""How long before the start the first person was created."""
UPDATED_AFTER = 9 * DAY
DELETED_AFTER = 40 * DAY
"""When people of the beginning were updated and deleted, counted from their creation, give or take
`JITTER`. Fixed, so that a window of updates is a range of numbers too."""
JITTER = DAY

EVENTS = ("created", "updated", "deleted")
SOURCES = ("peoplesoft_ats", "talemetry", "career_site", "linkedin", "referral")
LIFE_CYCLES = ("applicant", "lead", "current_employee", "current_contingent", "alumni", None)

Option = TypeVar("Option")


@dataclass(frozen=True, slots=True)
class Guids:
    """GUIDs that look like version-1 UUIDs, computed from numbers and back.

    The first group is a mixed block number, the second a mixed place in the block. So the order of
    the strings is not the order of the numbers (that is true of real version-1 UUIDs), and still a
    page in string order costs one look at the blocks and one block. The last groups are a check.
    """

    seed: int

    BLOCK = 1024
    BLOCK_FACTOR = 0x9E3779B1
    BLOCK_INVERSE = pow(BLOCK_FACTOR, -1, 1 << 32)
    PLACE_FACTOR = 0x9E3B
    PLACE_INVERSE = pow(PLACE_FACTOR, -1, 1 << 16)
    FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-11ef-8[0-9a-f]{3}-[0-9a-f]{12}")

    def block_key(self, block: int) -> int:
        """The first group of all GUIDs of a block."""
        return (block * self.BLOCK_FACTOR + self.seed) & 0xFFFFFFFF

    def place(self, number: int) -> int:
        """The second group: where in its block a number stands."""
        return (number % self.BLOCK * self.PLACE_FACTOR + number // self.BLOCK) & 0xFFFF

    def key(self, number: int) -> tuple[int, int]:
        """Sorts numbers as their GUIDs sort."""
        return self.block_key(number // self.BLOCK), self.place(number)

    def guid(self, number: int) -> str:
        """The GUID of a number."""
        block_key, place = self.key(number)
        check = mix(self.seed, number, crc32(b"guid"))
        clock, node = check >> 52, check & 0xFFFFFFFFFFFF
        return f"{block_key:08x}-{place:04x}-11ef-8{clock:03x}-{node:012x}"

    def number(self, guid: str) -> int | None:
        """The number of a GUID, None if it is none of ours."""
        if not self.FORM.fullmatch(guid):
            return None
        block_key, place = int(guid[:8], 16), int(guid[9:13], 16)
        block = (block_key - self.seed) * self.BLOCK_INVERSE & 0xFFFFFFFF
        in_block = (place - block) * self.PLACE_INVERSE & 0xFFFF
        number = block * self.BLOCK + in_block
        return number if in_block < self.BLOCK and self.guid(number) == guid else None


@dataclass(frozen=True, slots=True)
class Dice:
    """What a person's record looks like: pure functions of seed and number."""

    seed: int
    number: int

    def pick(self, question: str, options: Sequence[Option]) -> Option:
        """One of the options. Among any `2 * len(options)` neighbours each option occurs."""
        count = len(options)
        group, place = divmod(self.number, count)
        return options[(place + _throw(_mixed(self.seed, group, count), question)) % count]

    def below(self, limit: int, question: str, index: int = 0) -> int:
        """A number from 0 up to the limit, not included."""
        return _throw(_mixed(self.seed, self.number, -1 - index), question) % limit


@lru_cache(maxsize=20_000)
def _mixed(seed: int, *parts: int) -> int:
    """`mix`, remembered: neighbours and the questions about one person share it."""
    return mix(seed, *parts)


@cache
def _factor(question: str) -> int:
    """A different odd number for each question."""
    return (crc32(question.encode()) << 1) + 1


def _throw(mixed: int, question: str) -> int:
    """A number of 32 bits for one question, out of the upper bits, to which all bits add."""
    return (mixed * _factor(question) & 0xFFFFFFFFFFFFFFFF) >> 32


class Moment(NamedTuple):
    """One change made through the control API, times in whole seconds since 1970."""

    at: int
    visible_at: int
    tracked: bool


@dataclass(slots=True)
class Changes:
    """What has happened to one person since the start."""

    created: Moment | None = None
    updates: list[Moment] = field(default_factory=list)
    deleted: Moment | None = None


UNCHANGED = Changes()


class Life(NamedTuple):
    """One person's dates as they are visible at some time. Times in seconds since 1970."""

    created: int
    updates: tuple[int, ...]
    """Tracked updates only: what is listed."""
    deleted: int | None
    deletion_tracked: bool
    version: int
    """1, and 1 more for each update, tracked or not."""
    changed: int
    """When this version was made."""


class Query(NamedTuple):
    """One listing. `event` is `all` when no range was sent; the times include both ends."""

    event: str
    first: int
    last: int
    excluded_sources: frozenset[str]
    excluded_life_cycles: frozenset[str]


@dataclass
class History:
    """Who there is and what happened to whom, from the beginning and since the start."""

    world: World
    settings: Settings
    since_start: dict[int, Changes] = field(default_factory=dict)
    people: int = field(init=False)
    """How many there are, deleted ones included."""
    log: dict[str, list[tuple[int, int]]] = field(
        default_factory=lambda: {event: [] for event in EVENTS}
    )
    """Since the start: `(at, number)` of each tracked event, sorted."""
    calls: int = 0
    """How often `change` was called."""
    start: int = field(init=False)
    """When the sandbox started; all of the beginning is older."""
    step: int = field(init=False)
    """How long after each other people of the beginning were created, by and large."""
    origin: int = field(init=False)
    """Nobody is older."""

    def __post_init__(self) -> None:
        """Lay out the time before the start."""
        self.people = self.world.candidates
        self.start = int(self.world.started_at.timestamp())
        self.step = max(1, SPAN // max(1, self.world.candidates))
        self.origin = self.start - self.step * self.world.candidates

    def created_at(self, number: int) -> int:
        """When a person of the beginning was created: later for each higher number."""
        jitter = mix(self.world.seed, number, crc32(b"created")) % self.step
        return self.origin + number * self.step + jitter

    def numbers_created(self, first: int, last: int) -> range:
        """The people of the beginning who were created in this time, both ends included."""
        return range(self._first_created_from(first), self._first_created_from(last + 1))

    def _first_created_from(self, moment: int) -> int:
        number = (moment - self.origin) // self.step
        if not 0 <= number < self.world.candidates:
            return max(0, min(number, self.world.candidates))
        return number if self.created_at(number) >= moment else number + 1

    def life(self, number: int, now: float) -> Life | None:
        """One person as visible at a time; None before the person is."""
        changes = self.since_start.get(number, UNCHANGED)
        deleted: Moment | None = None
        updates: list[int] = []
        if number < self.world.candidates:
            created = self.created_at(number)
            dice = Dice(self.world.seed, number)
            if dice.pick("updated", (True, False, False)):
                updated = created + UPDATED_AFTER + dice.below(JITTER, "update")
                updates = [updated] if updated < self.start else []
            one_in = self.settings.deleted_at_start_one_in
            if one_in and dice.below(one_in, "deleted") == 0:
                gone = created + DELETED_AFTER + dice.below(JITTER, "delete")
                deleted = Moment(gone, gone, tracked=True) if gone < self.start else None
        elif changes.created is not None and changes.created.visible_at <= now:
            created = changes.created.at
        else:
            return None
        version = 1 + len(updates)
        changed = updates[-1] if updates else created
        for moment in changes.updates:
            if moment.visible_at <= now:
                version += 1
                changed = moment.at
                if moment.tracked:
                    updates.append(moment.at)
        if changes.deleted is not None and changes.deleted.visible_at <= now:
            deleted = changes.deleted
        return Life(
            created=created,
            updates=tuple(updates),
            deleted=None if deleted is None else deleted.at,
            deletion_tracked=deleted is not None and deleted.tracked,
            version=version,
            changed=changed,
        )

    def matches(self, query: Query, number: int, now: float) -> bool:
        """Whether a person belongs to a listing as visible now."""
        life = self.life(number, now)
        if life is None:
            return False
        if query.event == "deleted":
            moments = [] if life.deleted is None or not life.deletion_tracked else [life.deleted]
        elif life.deleted is not None and (
            query.event == "all" or not self.settings.deleted_still_listed
        ):
            return False
        elif query.event == "updated":
            moments = [life.created] if self.settings.created_also_updated else []
            moments += life.updates
            if not self.settings.every_update_listed:
                moments = [max(moments)] if moments else []
        else:
            moments = [life.created]
        if not any(query.first <= moment <= query.last for moment in moments):
            return False
        return not (
            (query.excluded_sources and sources(self.world.seed, number) & query.excluded_sources)
            or life_cycle(self.world.seed, number) in query.excluded_life_cycles
        )

    def ranges(self, query: Query) -> list[range]:
        """The numbers among which a listing's people of the beginning are.

        A listing of all looks at everybody, so it needs nothing from `log`.
        """
        if query.event == "all":
            return [range(self.people)]
        if query.event == "created":
            return [self.numbers_created(query.first, query.last)]
        if query.event == "deleted":
            delay = DELETED_AFTER
            if not self.settings.deleted_at_start_one_in:
                return []
        else:
            delay = UPDATED_AFTER
        found = [self.numbers_created(query.first - delay - JITTER, query.last - delay)]
        if query.event == "updated" and self.settings.created_also_updated:
            found.append(self.numbers_created(query.first, query.last))
        return found

    def logged(self, query: Query) -> Iterable[int]:
        """The numbers with an event of the listing's kind and time since the start."""
        kinds = [] if query.event == "all" else [query.event]
        if query.event == "updated" and self.settings.created_also_updated:
            kinds.append("created")
        for kind in kinds:
            log = self.log[kind]
            first = bisect_left(log, (query.first, 0))
            last = bisect_left(log, (query.last + 1, 0))
            for at in range(first, last):
                yield log[at][1]

    def create(self, moment: Moment) -> int:
        """Add one person."""
        number = self.people
        self.people += 1
        self.since_start[number] = Changes(created=moment)
        insort(self.log["created"], (moment.at, number))
        return number

    def update(self, number: int, moment: Moment) -> None:
        """Give one person a new version."""
        self.since_start.setdefault(number, Changes()).updates.append(moment)
        if moment.tracked:
            insort(self.log["updated"], (moment.at, number))

    def delete(self, number: int, moment: Moment) -> None:
        """Delete one person."""
        self.since_start.setdefault(number, Changes()).deleted = moment
        if moment.tracked:
            insort(self.log["deleted"], (moment.at, number))

    def some_living(self, count: int, question: str, taken: set[int]) -> list[int]:
        """So many people who are there and not in `taken`; fewer if there are not that many."""
        if not self.people or not count:
            return []
        dice = mix(self.world.seed, crc32(question.encode()), self.calls)
        stride = dice % self.people or 1
        while math.gcd(stride, self.people) != 1:
            stride += 1
        found: list[int] = []
        for turn in range(self.people):
            number = (dice + turn * stride) % self.people
            if number not in taken and self.is_living(number):
                found.append(number)
                if len(found) == count:
                    break
        return found

    def is_living(self, number: int) -> bool:
        """Whether a person is there and not deleted, visibly or not."""
        life = self.life(number, math.inf)
        return life is not None and life.deleted is None


def sources(seed: int, number: int) -> frozenset[str]:
    """The sources of a person's profiles, the primary one and sometimes another."""
    dice = Dice(seed, number)
    first = dice.pick("source", SOURCES)
    return frozenset({first, dice.pick("second source", (first, *SOURCES))})


def life_cycle(seed: int, number: int) -> str | None:
    """A person's life cycle, None if there is none."""
    return Dice(seed, number).pick("life cycle", LIFE_CYCLES)
