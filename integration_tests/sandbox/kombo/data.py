"""What the fake Kombo holds: integrations, and the rows of each model.

Rows come from a seed; nothing is held for a row until the control API changes it. Row `number` is
a variant (`number % VARIANTS`) with ids, addresses and times of its own, so an untouched row is
printed from its variant's template.
All times are whole milliseconds since 1970.
"""

from __future__ import annotations

import heapq
import math
import random
import re
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache, partial
from itertools import accumulate, islice, pairwise
from typing import TYPE_CHECKING, Any, Literal

import orjson

from integration_tests.sandbox.kombo.records import LETTERS, MODELS, ROW_FILTERS, Model, Moment
from integration_tests.sandbox.kombo.settings import IntegrationSettings, Settings
from integration_tests.sandbox.people import mix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from integration_tests.sandbox.kombo.records import Build
    from integration_tests.sandbox.world import World

ID_PREFIX = 16
"""How many letters of an id come before the block."""

VARIANTS = 200
"""So few that their templates stay in the processor's cache. At most 1000: three digits."""

DAY = 86_400_000

ONE_DELETED_IN = 50

HISTORY = 2 * 365 * DAY
"""Rows of the beginning changed last within this time before the sandbox was started."""

ERASED_AFTER = 14 * DAY
"""kombo.md section 7: 14 days after a row was marked deleted its fields are set to null (V)."""

FILE_KINDS = (
    ("CV", "cv.pdf", "application/pdf"),
    ("COVER_LETTER", "letter.docx", "application/msword"),
    ("OTHER", "certificate.png", "image/png"),
)

KEPT = {"id", "changed_at", "remote_deleted_at"}
"""What an erased row still says."""

Kind = Literal["new", "changed", "nested", "deleted"]


BLOCK, AT = "<block>", "<at>"
"""Stand in a template for what its rows do not share."""


@dataclass(slots=True)
class Touched:
    """A row that was changed, or added, since the sandbox started."""

    created: int
    changed: int
    nested: int | None = None
    deleted: int | None = None
    changes: int = 0
    nested_changes: int = 0

    @property
    def seen(self) -> int:
        """The time that `updated_after` looks at: the row's own change or a related row's."""
        return self.changed if self.nested is None else max(self.changed, self.nested)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which rows a list call asks for."""

    updated_after: int | None = None
    """Exclusive: kombo.md section 12 (I)."""
    include_deleted: bool = False
    rows: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Names of row filters (`ROW_FILTERS`), each with the values that are asked for."""


@dataclass
class Table:
    """All rows of one model in one integration, as readers last saw them."""

    build: Build
    account_seed: int
    place: int
    """The list's place in `MODELS`."""
    account: int
    size: int
    """How many rows there are from the beginning, numbered from 0."""
    started: int
    rows: int = field(init=False)
    """How many rows there are now, with those that are not visible yet."""
    now: int = 0
    """The time at which readers last saw them."""
    touched: dict[int, Touched] = field(default_factory=dict)
    touched_numbers: list[int] = field(default_factory=list)
    touched_by_time: list[tuple[int, int]] = field(default_factory=list)
    pending: list[tuple[int, int, int, Kind, int]] = field(default_factory=list)
    noted: int = 0
    templates: dict[tuple[int, bool], list[list[bytes]]] = field(default_factory=dict)
    """For a variant, erased or not: its bytes, cut at each time, and there cut at each block."""
    prefixes: dict[str, int] = field(default_factory=dict)
    """For the beginning of an id, which variants do not share, the variant."""
    passing: dict[tuple[object, int], bool] = field(default_factory=dict)
    """For row filters and a variant, whether its untouched rows pass."""
    seed: int = field(init=False)
    jitter: list[int] = field(init=False)
    days_open: list[int] = field(init=False)
    """For each variant, how many days before all changes the ATS made it."""
    deleted: list[bool] = field(init=False)
    """For each variant, whether its last change before the start was that it was deleted."""
    shown_before: list[int] = field(init=False)
    """For each variant, how many before it are not deleted."""

    def __post_init__(self) -> None:
        """Throw the dice for the variants."""
        self.rows = self.size
        self.seed = mix(self.account_seed, self.place)
        variants = range(VARIANTS)
        self.jitter = [mix(self.seed, 1, variant) % 1000 for variant in variants]
        self.days_open = [1 + mix(self.seed, 2, variant) % 300 for variant in variants]
        # Short lists have a deleted row too, unless that would be half of them or more.
        chosen = mix(self.seed, 3) % min(ONE_DELETED_IN, max(self.size, 1))
        self.deleted = [
            self.size > 2 and variant % ONE_DELETED_IN == chosen for variant in variants
        ]
        self.shown_before = list(accumulate((not gone for gone in self.deleted), initial=0))

    def add(self) -> int:
        """Take a number for a row to come."""
        self.rows += 1
        return self.rows - 1

    def change(self, kind: Kind, number: int, at: int, visible_at: int) -> None:
        """Note a change that carries the time `at` and that readers see from `visible_at` on."""
        self.noted += 1
        heapq.heappush(self.pending, (visible_at, self.noted, number, kind, at))

    def show_due_changes(self, now: int) -> None:
        """Make visible what is due. What was visible once stays so, also if time moves back."""
        self.now = now
        while self.pending and self.pending[0][0] <= now:
            _, _, number, kind, at = heapq.heappop(self.pending)
            self._touch(number, kind, at)

    def visible(self) -> int:
        """Count the rows that readers see, the deleted ones included."""
        return self.size + len(self.touched) - bisect_left(self.touched_numbers, self.size)

    def id_of(self, number: int) -> str:
        """Return the row's `id`, which never changes."""
        row_id: str = self._row(number)["id"]
        return row_id

    def find(self, row_id: str) -> int | None:
        """Return the number of the row with this id, if readers see such a row."""
        if not self.prefixes:
            for each in range(VARIANTS):
                self.prefixes[self.id_of(each)[:ID_PREFIX]] = each
        variant, rounds = self.prefixes.get(row_id[:ID_PREFIX]), self._rounds(row_id[ID_PREFIX:])
        if variant is None or rounds is None:
            return None
        number = rounds * VARIANTS + variant
        return number if self._is_visible(number) else None

    def is_alive(self, number: int) -> bool:
        """Whether readers see the row, and do not see it as deleted."""
        touched = self.touched.get(number)
        if touched is not None:
            return touched.deleted is None
        return number < self.size and not self.deleted[number % VARIANTS]

    def by_number(self, filters: Filters, start: int, limit: int) -> list[int]:
        """Find the first `limit` rows from number `start` on, in the order of their numbers."""
        return list(islice(self._by_number(filters, start), limit))

    def by_time(self, filters: Filters, offset: int, limit: int) -> list[int]:
        """Find the `limit` rows behind the first `offset`; a row that changes moves to the end."""
        return list(islice(self._by_time(filters, offset), limit))

    def row(self, number: int) -> dict[str, Any]:
        """Return a row as the API shows it."""
        row = self._row(number)
        touched = self.touched.get(number) or self._untouched(number, 0)
        is_erased = touched.deleted is not None and touched.deleted < self.now - ERASED_AFTER
        return erase(row) if is_erased else row

    def print(self, numbers: list[int], between: bytes) -> list[bytes]:
        """Return rows as the API shows them, in pieces, with `between` between rows.

        An untouched row takes about 2 µs: its template's parts with the block in all their gaps,
        and the time between the parts.
        """
        pieces: list[bytes] = []
        erased_before = self.now - ERASED_AFTER
        for number in numbers:
            if number in self.touched:
                pieces += orjson.dumps(self.row(number)), between
                continue
            rounds, variant = divmod(number, VARIANTS)
            changed = self._changed(number)
            erased = self.deleted[variant] and changed < erased_before
            block, at = _block(self.account, rounds), instant(changed)
            for part in self.templates.get((variant, erased)) or self._template(variant, erased):
                pieces.append(block.join(part))
                pieces.append(at)
            pieces[-1] = between
        return pieces[:-1]

    def _by_number(self, filters: Filters, start: int) -> Iterator[int]:
        if filters.rows:
            numbers = self._numbers_to_try(filters, start)
            yield from (number for number in numbers if self._passes(number, filters))
            return
        for run, touched in self._runs(filters, start):
            yield from self._shown(run, filters)
            if touched is not None and self._matches(touched, filters):
                yield touched

    def _by_time(self, filters: Filters, offset: int) -> Iterator[int]:
        if filters.rows:
            numbers = sorted(self._by_number(filters, 0), key=self._order)
            yield from numbers[offset:]
            return
        # Untouched rows changed in the order of their numbers, and all before the touched ones.
        for run, _ in self._runs(filters, 0):
            count = self._count(filters, run.start, run.stop)
            if offset < count:
                counts = partial(self._count, filters, run.start)
                yield from self._shown(run[bisect_left(run, offset, key=counts) :], filters)
            offset = max(offset - count, 0)
        late = (number for _, number in self.touched_by_time if self._matches(number, filters))
        yield from islice(late, offset, None)

    def _order(self, number: int) -> tuple[bool, int, int]:
        """Return what the list sorts by that is ordered by time."""
        touched = self.touched.get(number)
        return touched is not None, touched.seen if touched else 0, number

    def _numbers_to_try(self, filters: Filters, start: int) -> Iterable[int]:
        """Return the rows that the other filters let pass, as few as can be told beforehand."""
        without = replace(filters, rows=())
        named = [
            set().union(*(self._named_by(text) for text in texts))
            for name, texts in filters.rows
            if name != "job_ids"
        ]
        if not named:
            return self._by_number(without, start)
        return (
            number
            for number in sorted(set.intersection(*named))
            if number >= start and self._is_visible(number) and self._is_shown(number, without)
        )

    def _named_by(self, text: str) -> set[int]:
        """Return the rows that may hold a text in which the block of a row stands."""
        found: set[int] = set()
        for match in re.finditer(r"(?=([1-9]{8})(\d{3})?)", text):
            rounds = self._rounds(match[1])
            if rounds is not None:
                # A number ends with the variant. An id does not tell it for rows of other lists.
                first = rounds * VARIANTS
                variants = [int(match[2])] if match[2] else range(VARIANTS)
                found.update(first + variant for variant in variants)
        return found

    def _passes(self, number: int, filters: Filters) -> bool:
        """Whether a row has for each row filter one of the values asked for."""
        variant = number % VARIANTS
        by_variant = (
            number not in self.touched
            and not self.deleted[variant]
            and all(name == "job_ids" for name, _ in filters.rows)
        )
        key = (filters.rows, variant)
        if by_variant and key in self.passing:
            return self.passing[key]
        row = self.row(number)
        passes = all(
            not set(texts).isdisjoint(ROW_FILTERS[name](row)) for name, texts in filters.rows
        )
        if by_variant:
            self.passing[key] = passes
        return passes

    def _is_shown(self, number: int, filters: Filters) -> bool:
        if number in self.touched:
            return self._matches(number, filters)
        if self.deleted[number % VARIANTS] and not filters.include_deleted:
            return False
        return filters.updated_after is None or self._changed(number) > filters.updated_after

    def _is_visible(self, number: int) -> bool:
        return number in self.touched or number < self.size

    def _rounds(self, block: str) -> int | None:
        """Return what a block says, if it is one of this account."""
        if re.fullmatch("[1-9]{8}", block) is None:
            return None
        account, rounds = divmod(int("".join(str(int(digit) - 1) for digit in block), 9), 9**6)
        return rounds if account == self.account else None

    def _runs(self, filters: Filters, start: int) -> Iterator[tuple[range, int | None]]:
        """Yield runs of untouched rows late enough for the filter, each with the row behind it."""
        first = 0
        if filters.updated_after is not None:
            first = bisect_right(range(self.size), filters.updated_after, key=self._changed)
        for place in range(bisect_left(self.touched_numbers, start), len(self.touched_numbers)):
            touched = self.touched_numbers[place]
            yield range(max(start, first), min(touched, self.size)), touched
            start = touched + 1
        yield range(max(start, first), self.size), None

    def _shown(self, run: range, filters: Filters) -> Iterator[int]:
        if filters.include_deleted:
            return iter(run)
        return (number for number in run if not self.deleted[number % VARIANTS])

    def _count(self, filters: Filters, start: int, stop: int) -> int:
        """Count the rows of an untouched run that are shown, without going through them."""
        if filters.include_deleted or start >= stop:
            return max(stop - start, 0)
        return self._count_from_zero(stop) - self._count_from_zero(start)

    def _count_from_zero(self, stop: int) -> int:
        rounds, variant = divmod(stop, VARIANTS)
        return rounds * self.shown_before[VARIANTS] + self.shown_before[variant]

    def _matches(self, number: int, filters: Filters) -> bool:
        touched = self.touched[number]
        if touched.deleted is not None and not filters.include_deleted:
            return False
        return filters.updated_after is None or touched.seen > filters.updated_after

    def _touch(self, number: int, kind: Kind, at: int) -> None:
        touched = self.touched.get(number)
        if touched is None:
            touched = self.touched[number] = self._untouched(number, at)
            insort(self.touched_numbers, number)
        else:
            del self.touched_by_time[bisect_left(self.touched_by_time, (touched.seen, number))]
        match kind:
            case "new":
                touched.created = touched.changed = at
            case "changed":
                touched.changed = max(touched.changed, at)
                touched.changes += 1
            case "nested":
                touched.nested = max(touched.nested or at, at)
                touched.nested_changes += 1
            case "deleted":
                touched.changed = max(touched.changed, at)
                touched.deleted = at
        insort(self.touched_by_time, (touched.seen, number))

    def _untouched(self, number: int, at: int) -> Touched:
        """Return the state of a row before its first change, which is made at `at`."""
        if number >= self.size:
            return Touched(created=at, changed=at)
        changed = self._changed(number)
        gone = self.deleted[number % VARIANTS]
        return Touched(created=changed, changed=changed, deleted=changed if gone else None)

    def _changed(self, number: int) -> int:
        """Return when a row of the beginning changed last: the later, the larger its number."""
        place = number * 1000 + self.jitter[number % VARIANTS]
        return self.started - HISTORY + place * HISTORY // (self.size * 1000)

    def _row(self, number: int) -> dict[str, Any]:
        """Return a row with all that it had before it was erased."""
        return self.build(self.seed, number % VARIANTS, self._moment(number))

    def _moment(self, number: int) -> Moment:
        touched = self.touched.get(number) or self._untouched(number, 0)
        return Moment(
            block=_block(self.account, number // VARIANTS).decode(),
            changed_at=instant(touched.changed).decode(),
            created_on=self._created_on(number % VARIANTS),
            account_seed=self.account_seed,
            nested_at=None if touched.nested is None else instant(touched.nested).decode(),
            deleted_at=None if touched.deleted is None else instant(touched.deleted).decode(),
            changes=touched.changes,
            nested_changes=touched.nested_changes,
        )

    def _template(self, variant: int, erased: bool) -> list[list[bytes]]:  # noqa: FBT001
        """Make and keep the bytes of a variant, cut where its rows differ."""
        moment = Moment(
            block=BLOCK,
            changed_at=AT,
            created_on=self._created_on(variant),
            account_seed=self.account_seed,
            deleted_at=AT if self.deleted[variant] else None,
        )
        row = self.build(self.seed, variant, moment)
        text = orjson.dumps(erase(row) if erased else row)
        template = [part.split(BLOCK.encode()) for part in text.split(AT.encode())]
        self.templates[variant, erased] = template
        return template

    def _created_on(self, variant: int) -> str:
        return day((self.started - HISTORY) // DAY - self.days_open[variant]).decode()


@dataclass(frozen=True, slots=True)
class File:
    """A file of a candidate, as the ATS has it."""

    candidate: int
    place: int
    row: dict[str, Any]
    """What the attachments call shows, but for the link."""
    content: bytes


def file_of(table: Table, number: int, place: int) -> File:
    """Make a file of a candidate (section 6.4, V)."""
    dice = random.Random(mix(table.seed, 8, number, place))  # noqa: S311 - repeatable
    kind, name, content_type = FILE_KINDS[0 if place == 0 else dice.randrange(len(FILE_KINDS))]
    created = table.row(number)["remote_created_at"]
    row = {
        "id": "".join(dice.choices(LETTERS, k=24)),
        "remote_id": f"F-{number}-{place}",
        "candidate_id": table.id_of(number),
        "application_id": None,
        "type": kind,
        "file_name": f"{place + 1}-{name}",
        "content_type": content_type if dice.random() < 0.8 else "application/octet-stream",
        "remote_created_at": created,
        "remote_updated_at": created if dice.random() < 0.5 else None,
    }
    content = f"%PDF-1.4\nMade-up file {place + 1} of candidate {number}.\n".encode()
    return File(number, place, row, content)


def files_of(table: Table, number: int) -> list[File]:
    """Return all files of a candidate; each change of the candidate adds one."""
    dice = random.Random(mix(table.seed, 8, number))  # noqa: S311 - repeatable
    touched = table.touched.get(number)
    many = dice.choice((0, 1, 1, 2, 3)) + (touched.changes if touched else 0)
    return [file_of(table, number, place) for place in range(many)]


def erase(row: dict[str, Any]) -> dict[str, Any]:
    """Return what is left of a deleted row: its times and id. `changed_at` does not move (I)."""
    return {key: row[key] if key in KEPT else None for key in row}


@cache
def day(days: int) -> bytes:
    """Write the date this many days after 1970-01-01."""
    return (date(1970, 1, 1) + timedelta(days)).isoformat().encode()


def instant(milliseconds: int) -> bytes:
    """Write a time the way Kombo does: `2025-03-04T10:06:30.512Z`."""
    days, rest = divmod(milliseconds, DAY)
    seconds, rest = divmod(rest, 1000)
    return day(days) + SECONDS[seconds] + MILLIS[rest]


@cache
def _block(account: int, rounds: int) -> bytes:
    number, digits = account * 9**6 + rounds, b""
    for _ in range(8):
        number, digit = divmod(number, 9)
        digits = b"%d" % (digit + 1) + digits
    return digits


SECONDS = tuple(
    b"T%02d:%02d:%02d" % (hour, minute, second)
    for hour in range(24)
    for minute in range(60)
    for second in range(60)
)
MILLIS = tuple(b".%03dZ" % part for part in range(1000))


@dataclass
class Integration:
    """One connected ATS account: how it stands, and its rows by list path."""

    id: str
    number: int
    tables: dict[str, Table]
    created_at: str
    settings: IntegrationSettings = field(default_factory=IntegrationSettings)
    actions: int = 0
    """Live calls that are being answered now."""

    @property
    def candidates(self) -> Table:
        """The rows of `/ats/candidates`."""
        return self.tables["candidates"]

    def show_due_changes(self, now: int) -> None:
        """Make visible what is due."""
        for table in self.tables.values():
            table.show_due_changes(now)

    def shown(self) -> dict[str, Any]:
        """Return what `GET /integrations/{id}` says (section 3, V)."""
        return {
            "id": self.id,
            "tool": {"id": self.settings.tool, "label": self.settings.tool.capitalize()},
            "category": self.settings.category,
            "status": self.settings.status,
            "setup_status": self.settings.setup_status,
            "data_expired_at": None,
            "end_user": {
                "organization_name": f"Nordlys Foods {self.number}",
                "creator_email": None,
                "origin_id": f"customer-{self.number}",
            },
            "scope_config": {"id": "scope-default", "name": "Default"},
            "created_at": self.created_at,
            "beta": False,
            "read_models": [self._read_model(model) for model in MODELS],
            "write_actions": [],
        }

    def _read_model(self, model: Model) -> dict[str, Any]:
        off = model.read_model in self.settings.read_models_off
        unsupported = model.read_model in self.settings.read_models_unsupported
        flags = {
            "is_available": not off and not unsupported,
            "coverage_status": "UNSUPPORTED" if unsupported else "SUPPORTED",
            "scope_config_setting": "DISABLED" if off else "ENABLED",
            "opted_out_by_customer": False,
        }
        return {
            "id": model.read_model,
            "label": model.label,
            **flags,
            "fields": [{"id": "first_name", "label": "First name", **flags}],
        }


@dataclass
class Kombo:
    """One environment with its integrations."""

    world: World
    integrations: dict[str, Integration]
    environment: str
    dice: random.Random
    settings: Settings = field(default_factory=Settings)

    def now(self) -> int:
        """Return the sandbox's time in milliseconds."""
        return int(self.world.clock.epoch() * 1000)

    def find(self, integration_id: str) -> Integration:
        """Return an integration as readers see it now, or raise KeyError."""
        integration = self.integrations[integration_id]
        integration.show_due_changes(self.now())
        return integration

    def chosen(self, integration_id: str | None) -> list[Integration]:
        """Return one integration, or for None all, as readers see them now."""
        wanted = self.integrations if integration_id is None else [integration_id]
        return [self.find(one) for one in wanted]


def kombo_of(world: World, accounts: int) -> Kombo:
    """Divide the candidates unevenly; among three integrations 6 : 3 : 1."""
    dice = random.Random(mix(world.seed, 5))  # noqa: S311 - repeatable
    parts = [number * (number + 1) // 2 for number in range(accounts, 0, -1)]
    ends = [world.candidates * end // sum(parts) for end in accumulate(parts, initial=0)]
    started = int(world.started_at.timestamp() * 1000)
    integrations = [
        Integration(
            id="greenhouse:" + "".join(dice.choices(LETTERS, k=24)),
            number=number,
            created_at=f"{world.started_at.year - 3}-05-04T08:00:00.000Z",
            tables={
                model.path: Table(
                    build=model.build,
                    account_seed=mix(world.seed, 6, number),
                    place=place,
                    account=number,
                    size=model.rows(end - start),
                    started=started,
                )
                for place, model in enumerate(MODELS)
            },
        )
        for number, (start, end) in enumerate(pairwise(ends))
    ]
    return Kombo(
        world=world,
        integrations={integration.id: integration for integration in integrations},
        environment="".join(dice.choices(LETTERS, k=24)),
        dice=dice,
    )


def alive_rows(tables: list[Table], dice: random.Random) -> Iterator[tuple[Table, int]]:
    """Walk through all rows that are not deleted, each once, in an order that the dice choose."""
    ends = list(accumulate(table.rows for table in tables))
    total = ends[-1]
    if not total:
        return
    start = dice.randrange(total)
    stride = next(s for s in iter(partial(dice.randint, 1, total), 0) if math.gcd(s, total) == 1)
    for step in range(total):
        place = (start + step * stride) % total
        which = bisect_right(ends, place)
        number = place - (ends[which - 1] if which else 0)
        if tables[which].is_alive(number):
            yield tables[which], number
