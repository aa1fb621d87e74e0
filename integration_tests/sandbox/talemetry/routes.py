"""The API of the fake Talemetry (Jobvite CRM), and its control API.

There is a token call, a listing of GUIDs by event and window, and profiles.

The vendor documents the requests, and samples of a profile; nothing of the listing's answer, of
errors or of the Authorization call (talemetry.md, "Not documented"). What is silent there is a
setting here (`Settings`), so that a client can be tried against each likely reading.

| route | name |
| --- | --- |
| `POST /talemetry/oauth/token` | `talemetry.token` (the whole exchange is assumed) |
| `POST /talemetry/match/v1/people/ids` (`GET` by setting) | `talemetry.ids` |
| `POST /talemetry/soap/profiles/v1` | `talemetry.profiles` |

| control API, under `/_control/talemetry` | does |
| --- | --- |
| `GET`, `POST` `{name: value}`, `DELETE /settings` | show, set, back to default |
| `POST /expire_tokens` | all tokens that were given out are refused from now on |
| `POST /change` `{"new": n, "changed": n, "deleted": n}` | changes this many people, answers \
their ids; also `changed_ids`, `deleted_ids`, `visible_after_seconds`, and `at` (a `...Z` time, \
past or future) |
| `POST /mark` `{"ids": [...], "mark": m}` | profiles treats these ids as `m` (`MARKS`); \
null: as usual |
| `DELETE /mark` | removes all marks |
| `GET /asked` | the last 2,000 accepted bodies, `[{"endpoint", "body"}]`, oldest first |
| `DELETE /asked` | forgets them |
| `GET /truth` | NDJSON `{"id", "deleted", "version"}` of everybody; `?full=true` adds \
`created_at`, `sources`, `life_cycle` and `candidate` (all blocks) |

A change that is not visible yet (`visible_after_seconds`) shows neither in a listing nor in a
profile; the truth holds it at once.

`settings.py` says what can be set, `data.py` which people there are, and `records.py` what a
profile looks like.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from zlib import crc32

import orjson
from aiohttp import web

from integration_tests.sandbox.people import mix
from integration_tests.sandbox.talemetry.data import (
    EVENTS,
    Dice,
    Guids,
    History,
    Life,
    Moment,
    Query,
    life_cycle,
    sources,
)
from integration_tests.sandbox.talemetry.records import INCLUDE, WITHOUT_INCLUDE, Record, rfc3339
from integration_tests.sandbox.talemetry.settings import Settings

if TYPE_CHECKING:
    from integration_tests.sandbox.world import World

CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox-secret"  # noqa: S105 - the sandbox's own, made up
READY_TOKEN = "TGC-sandbox"  # noqa: S105

BAD = {"bad_5xx": 500, "bad": 400, "bad_404": 404}
"""Marks of which one is enough for the whole request to be answered so, also when asked alone."""
MARKS = ("missing", "missing_in_batch", *BAD)
"""`missing`: left out silently. `missing_in_batch`: left out unless asked alone."""

ASKED_KEPT = 2_000
CURSORS_KEPT = 20_000
CANDIDATES_KEPT = 10_000
"""About 4 KB each. Making one takes longer than all else in an answer."""

Json = dict[str, object]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def mount(app: web.Application, world: World) -> None:
    """Add the API and its control API."""
    vendor = Talemetry(world)
    api: tuple[tuple[str, str, Handler, tuple[str, ...]], ...] = (
        ("/oauth/token", "talemetry.token", vendor.token, ("POST",)),
        ("/match/v1/people/ids", "talemetry.ids", vendor.ids, ("POST", "GET")),
        ("/soap/profiles/v1", "talemetry.profiles", vendor.profiles, ("POST",)),
    )
    for path, name, handler, methods in api:
        resource = app.router.add_resource("/talemetry" + path, name=name)
        for method in methods:
            resource.add_route(method, answering(handler, vendor.settings))
    control: tuple[tuple[str, str, Handler], ...] = (
        ("GET", "/settings", vendor.get_settings),
        ("POST", "/settings", vendor.post_settings),
        ("DELETE", "/settings", vendor.delete_settings),
        ("POST", "/expire_tokens", vendor.expire_tokens),
        ("POST", "/change", vendor.post_change),
        ("POST", "/mark", vendor.post_mark),
        ("DELETE", "/mark", vendor.delete_mark),
        ("GET", "/asked", vendor.get_asked),
        ("DELETE", "/asked", vendor.delete_asked),
        ("GET", "/truth", vendor.truth),
    )
    for method, path, handler in control:
        app.router.add_route(method, "/_control/talemetry" + path, answering(handler))


def answering(handler: Handler, settings: Settings | None = None) -> Handler:
    """Turn a refusal into an answer."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refusal as refusal:
            disguised = settings is not None and settings.errors_with_200
            return as_json(refusal.body, 200 if disguised else refusal.status)

    return answer


class Refusal(Exception):
    """An answer that is an error. The vendor documents no error body; this one is made up."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Keep what the answer will say."""
        super().__init__(message)
        self.status = status
        self.body = {"error": {"code": code, "message": message}}


@dataclass
class Talemetry:
    """The vendor's state and its handlers."""

    world: World
    settings: Settings = field(default_factory=Settings)
    marks: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, float] = field(default_factory=dict)
    """Token to the time at which it ends."""
    tokens_made: int = 0
    asked: deque[Json] = field(default_factory=lambda: deque(maxlen=ASKED_KEPT))
    cursors: dict[str, float] = field(default_factory=dict)
    """When the last GUID of a page was given out; the oldest are forgotten."""
    candidates: dict[object, bytes] = field(default_factory=dict)
    """The last candidates that were made, encoded, by all that they are made of."""
    blocks: tuple[object, dict[int, set[int]]] = (None, {})
    """The logged numbers of the last listing by block, and the listing they belong to."""

    def __post_init__(self) -> None:
        """Lay out the people."""
        self.guids = Guids(self.world.seed)
        self.history = History(self.world, self.settings)

    # -- Authorization call

    async def token(self, request: web.Request) -> web.Response:
        """Give out a new token for client id and secret, sent as JSON or as a form."""
        if request.content_type == "application/json":
            sent: Json = await json_object(request)
        else:
            sent = dict(await request.post())
        if not sent.get("client_id") or not sent.get("client_secret"):
            raise Refusal(400, "invalid_request", "client_id and client_secret are needed.")
        if (sent["client_id"], sent["client_secret"]) != (CLIENT_ID, CLIENT_SECRET):
            raise Refusal(401, "invalid_client", "The client is not known.")
        self.tokens_made += 1
        now = self.world.clock.epoch()
        tail = mix(self.world.seed, crc32(b"token"), self.tokens_made)
        # The form of the vendor's sample token ([IDS] [DET]).
        token = f"TGC-{int(now):010d}r{tail:016x}{self.tokens_made & 0xFFFF:04x}"
        lifetime = self.settings.token_lifetime_seconds
        self.tokens[token] = now + lifetime
        shape = self.settings.token_shape
        if shape == "token":
            return as_json({"token": token})
        answer = {"access_token": token, "token_type": "OAUTH", "expires_in": lifetime}
        return as_json({"result": answer} if shape == "result" else answer)

    def check_headers(self, request: web.Request) -> None:
        """Refuse what the vendor's documented headers do not allow ([IDS] [DET])."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        ready = token == READY_TOKEN and not self.settings.ready_token_revoked
        if scheme != "OAUTH" or not (ready or self.tokens.get(token, 0) > self.world.clock.epoch()):
            raise Refusal(401, "unauthorized", "The OAUTH token is missing, wrong or expired.")
        if "application/json" not in request.headers.get("Accept", ""):
            raise Refusal(406, "not_acceptable", "Accept: application/json is needed.")

    # -- listing

    async def ids(self, request: web.Request) -> web.Response:
        """One page of GUIDs, in the order of the GUIDs."""
        self.check_headers(request)
        if request.method.lower() != self.settings.ids_methods != "both":
            raise Refusal(405, "method_not_allowed", f"{request.method} is not allowed.")
        if request.method == "GET" and not request.body_exists:
            body = body_of_query(request)
        else:
            body = await json_object(request)
        query = self.query(body)
        size = page_size(body, self.settings.max_page_size)
        after = self.cursor(body)
        self.asked.append({"endpoint": "talemetry.ids", "body": body})
        tracked = self.settings.track_candidate_last_changes
        if query.event in {"updated", "deleted"} and not tracked:
            if self.settings.untracked_answer == "forbidden":
                raise Refusal(403, "forbidden", "track_candidate_last_changes is not on.")
            return self.listing([], None)
        if after is not None and self.is_expired(after, query):
            if self.settings.cursor_expired == "refuse":
                raise Refusal(400, "invalid_cursor", "The cursor has expired.")
            return self.listing([], None)
        return self.listing(*self.next_page(query, after, size))

    def query(self, body: Json) -> Query:
        """What a body asks for."""
        allowed = {"DateTimeRange", "ExcludeSources", "ExcludeLifeCycles", "PageSize", "Cursor"}
        if unknown := body.keys() - allowed:
            raise Refusal(400, "bad_request", f"Unknown: {', '.join(sorted(unknown))}.")
        event, first, last = "all", 0, 1 << 40
        window = body.get("DateTimeRange")
        if window is not None:
            if not isinstance(window, dict) or window.keys() != {"From", "To", "Event"}:
                raise Refusal(400, "bad_request", "DateTimeRange needs From, To and Event.")
            first, last = seconds(window["From"]), seconds(window["To"])
            if first > last:
                raise Refusal(400, "bad_request", "DateTimeRange.From is after To.")
            if not self.settings.to_inclusive:
                last -= 1
            if window["Event"] not in EVENTS:
                raise Refusal(400, "bad_request", f"Event is one of {', '.join(EVENTS)}.")
            event = str(window["Event"])
        return Query(
            event=event,
            first=first,
            last=last,
            excluded_sources=frozenset(strings(body, "ExcludeSources")),
            excluded_life_cycles=frozenset(strings(body, "ExcludeLifeCycles")),
        )

    def cursor(self, body: Json) -> int | None:
        """The number of the GUID after which to go on."""
        cursor = body.get("Cursor")
        if cursor is None:
            return None
        number = self.guids.number(cursor) if isinstance(cursor, str) else None
        if number is None or number >= self.history.people:
            raise Refusal(400, "invalid_cursor", "The cursor is not known.")
        return number

    def is_expired(self, after: int, query: Query) -> bool:
        """Whether the settings let this cursor be refused."""
        if self.settings.cursor_expired == "off":
            return False
        now = self.world.clock.epoch()
        limit = self.settings.cursor_max_age_seconds
        given = self.cursors.get(self.guids.guid(after), -math.inf)
        return (limit > 0 and now - given > limit) or not self.history.matches(query, after, now)

    def remember_cursor(self, guid: str) -> None:
        """Note when a cursor was given out, for the last of them."""
        self.cursors.pop(guid, None)
        self.cursors[guid] = self.world.clock.epoch()
        if len(self.cursors) > CURSORS_KEPT:
            del self.cursors[next(iter(self.cursors))]

    def next_page(self, query: Query, after: int | None, size: int) -> tuple[list[str], str | None]:
        """One page of GUIDs and the cursor that goes with it."""
        if self.settings.short_pages:
            size -= mix(self.world.seed, crc32(b"short"), after or 0) % (size // 2 + 1)
        found = self.people_after(query, after, size + 1)
        numbers, more = found[:size], len(found) > size
        if not numbers and after is not None and self.settings.end_of_pages == "repeat":
            numbers = [after]
        page = [self.guids.guid(number) for number in numbers]
        if page:
            self.remember_cursor(page[-1])
        goes_on = more or (page and self.settings.end_of_pages != "null_cursor")
        return page, page[-1] if goes_on else None

    def people_after(self, query: Query, after: int | None, size: int) -> list[int]:
        """The next numbers of a listing in the order of their GUIDs.

        Looks at the blocks in question and at the people of one or few of them, however many
        people there are.
        """
        now = self.world.clock.epoch()
        ranges = self.history.ranges(query)
        logged = self.logged_by_block(query)
        blocks = set(logged)
        for numbers in ranges:
            if numbers:
                blocks.update(range(numbers[0] // Guids.BLOCK, numbers[-1] // Guids.BLOCK + 1))
        in_order = sorted(blocks, key=self.guids.block_key)
        start = (-1, -1) if after is None else self.guids.key(after)
        found: list[int] = []
        for block in in_order[bisect_left(in_order, start[0], key=self.guids.block_key) :]:
            inside = set(logged.get(block, ()))
            for numbers in ranges:
                low, high = block * Guids.BLOCK, (block + 1) * Guids.BLOCK
                inside.update(range(max(low, numbers.start), min(high, numbers.stop)))
            for key, number in sorted((self.guids.key(number), number) for number in inside):
                if key > start and self.history.matches(query, number, now):
                    found.append(number)
                    if len(found) == size:
                        return found
        return found

    def logged_by_block(self, query: Query) -> dict[int, set[int]]:
        """What `History.logged` holds for a listing; kept from one of its pages to the next."""
        key = (query, self.history.calls, self.settings.created_also_updated)
        if self.blocks[0] != key:
            found: dict[int, set[int]] = {}
            for number in self.history.logged(query):
                found.setdefault(number // Guids.BLOCK, set()).add(number)
            self.blocks = (key, found)
        return self.blocks[1]

    def listing(self, page: list[str], cursor: str | None) -> web.Response:
        """A page in the shape the settings ask for."""
        if self.settings.ids_shape == "flat":
            return as_json(self.with_list({"next_cursor": cursor}, "ids", page))
        if not page and self.settings.nothing_matches == "no_result":
            return as_json({"result": None})
        if self.settings.ids_shape == "objects":
            people = [{"IdValue": guid} for guid in page]
            result = self.with_list({"NextCursor": cursor}, "Candidates", people)
        elif self.settings.ids_shape == "no_cursor":
            result = self.with_list({}, "Ids", page)
        else:
            result = self.with_list({"Cursor": cursor}, "Ids", page)
        return as_json({"result": result})

    def with_list(self, parent: Json, name: str, values: Sequence[object]) -> Json:
        """The parent with a list put in as the settings ask for."""
        if len(values) == 1 and self.settings.collapse_single:
            return {name: values[0], **parent}
        if values or self.settings.nothing_matches in {"list", "no_result"}:
            return {name: values, **parent}
        if self.settings.nothing_matches == "missing":
            return parent
        return {name: None if self.settings.nothing_matches == "null" else {}, **parent}

    # -- profiles

    async def profiles(self, request: web.Request) -> web.Response:
        """The candidates of a list of GUIDs, in no order, without those that are not there."""
        self.check_headers(request)
        if request.content_type != "application/json":
            # SOAP shares this URL ([SOAP]).
            fault = "<soap:Fault><faultstring>No SOAP envelope</faultstring></soap:Fault>"
            return web.Response(status=500, text=fault, content_type="text/xml")
        body = await json_object(request)
        if unknown := body.keys() - {"ids", "include"}:
            raise Refusal(400, "bad_request", f"Unknown: {', '.join(sorted(unknown))}.")
        ids = list(dict.fromkeys(strings(body, "ids")))
        include = frozenset(strings(body, "include"))
        if not ids:
            raise Refusal(400, "bad_request", "ids is needed.")
        if not include <= set(INCLUDE):
            raise Refusal(400, "bad_request", f"include holds only {', '.join(INCLUDE)}.")
        if len(ids) > self.settings.max_ids_per_request:
            raise Refusal(413, "too_many_ids", "Too many ids in one request.")
        self.asked.append({"endpoint": "talemetry.profiles", "body": body})
        marks = {self.marks.get(guid) for guid in ids}
        for mark, status in BAD.items():
            if mark in marks:
                raise Refusal(status, mark, "The request could not be handled.")
        left_out = {"missing"} if len(ids) == 1 else {"missing", "missing_in_batch"}
        wanted = [self.guids.number(guid) for guid in ids if self.marks.get(guid) not in left_out]
        numbers = [number for number in wanted if number is not None]
        if self.settings.stranger_in_profiles and self.history.people > len(numbers):
            numbers.append(next(n for n in range(self.history.people) if n not in numbers))
        numbers.sort(key=lambda number: mix(self.world.seed, len(ids), number))
        now = self.world.clock.epoch()
        candidates = [
            {"Candidate": orjson.Fragment(self.encoded_candidate(number, life, include))}
            for number in numbers
            if (life := self.history.life(number, now)) is not None and life.deleted is None
        ]
        if not candidates and self.settings.nothing_matches == "no_result":
            return as_json({"result": None})
        return as_json({"result": self.with_list({}, "Candidates", candidates)})

    def encoded_candidate(self, number: int, life: Life, include: frozenset[str]) -> bytes:
        """One candidate, encoded; made once for the answers that follow each other."""
        shapes = (self.settings.referrals_with_include, self.settings.do_not_contact_shape)
        key = (number, life, include, shapes)
        kept = self.candidates.get(key)
        if kept is None:
            kept = self.candidates[key] = orjson.dumps(self.candidate(number, life, include))
            if len(self.candidates) > CANDIDATES_KEPT:
                del self.candidates[next(iter(self.candidates))]
        return kept

    def candidate(self, number: int, life: Life, include: frozenset[str]) -> Json:
        """One candidate with the blocks asked for; an empty include means none was sent."""
        record = Record(
            dice=Dice(self.world.seed, number),
            guid=self.guids.guid(number),
            life=life,
            blocks=include or WITHOUT_INCLUDE,
            referrals=not include or self.settings.referrals_with_include,
            do_not_contact_shape=self.settings.do_not_contact_shape,
        )
        return record.candidate()

    # -- control API

    async def get_settings(self, _: web.Request) -> web.Response:
        """All settings."""
        return as_json(asdict(self.settings))

    async def post_settings(self, request: web.Request) -> web.Response:
        """Set some, answer all."""
        try:
            self.settings.set(await json_object(request))
        except ValueError as error:
            raise Refusal(400, "bad_setting", str(error)) from error
        return as_json(asdict(self.settings))

    async def delete_settings(self, _: web.Request) -> web.Response:
        """Back to the defaults."""
        self.settings.set(asdict(Settings()))
        return as_json(asdict(self.settings))

    async def expire_tokens(self, _: web.Request) -> web.Response:
        """Refuse all tokens given out so far."""
        expired = len(self.tokens)
        self.tokens.clear()
        return as_json({"expired": expired})

    async def post_change(self, request: web.Request) -> web.Response:
        """Create, update and delete people; nobody is updated and deleted in one call."""
        wish = await json_object(request)
        counts = {"new", "changed", "deleted", "visible_after_seconds"}
        if unknown := wish.keys() - counts - {"changed_ids", "deleted_ids", "at"}:
            raise Refusal(400, "bad_request", f"Unknown: {', '.join(sorted(unknown))}.")
        at = seconds(wish["at"]) if "at" in wish else int(self.world.clock.epoch())
        new, changed_count, deleted_count, delay = (
            whole(wish, name) for name in ("new", "changed", "deleted", "visible_after_seconds")
        )
        changed = self.living_numbers(wish, "changed_ids")
        deleted = self.living_numbers(wish, "deleted_ids")
        history = self.history
        history.calls += 1
        changed += history.some_living(changed_count, "change", {*changed, *deleted})
        deleted += history.some_living(deleted_count, "delete", {*changed, *deleted})
        moment = Moment(at, at + delay, tracked=self.settings.track_candidate_last_changes)
        for number in changed:
            history.update(number, moment)
        for number in deleted:
            history.delete(number, moment)
        created = [history.create(moment) for _ in range(new)]
        return as_json(
            {
                "new": [self.guids.guid(number) for number in created],
                "changed": [self.guids.guid(number) for number in changed],
                "deleted": [self.guids.guid(number) for number in deleted],
            }
        )

    def living_numbers(self, wish: Json, name: str) -> list[int]:
        """The people whom a change names, who must be there."""
        numbers: list[int] = []
        for guid in strings(wish, name):
            number = self.guids.number(guid)
            if number is None or not self.history.is_living(number):
                raise Refusal(400, "bad_request", f"{name}: {guid} is nobody, or deleted.")
            numbers.append(number)
        return numbers

    async def post_mark(self, request: web.Request) -> web.Response:
        """Mark ids, or take their marks away. An id need not exist."""
        wish = await json_object(request)
        mark = wish.get("mark")
        if mark is not None and mark not in MARKS:
            raise Refusal(400, "bad_request", f"mark is null or one of {', '.join(MARKS)}.")
        for guid in strings(wish, "ids"):
            self.marks.pop(guid, None)
            if mark is not None:
                self.marks[guid] = str(mark)
        return as_json(self.marks)

    async def delete_mark(self, _: web.Request) -> web.Response:
        """Take all marks away."""
        self.marks.clear()
        return as_json(self.marks)

    async def get_asked(self, _: web.Request) -> web.Response:
        """Show the last bodies."""
        return as_json(list(self.asked))

    async def delete_asked(self, _: web.Request) -> web.Response:
        """Forget them."""
        self.asked.clear()
        return as_json([])

    async def truth(self, request: web.Request) -> web.StreamResponse:
        """Everybody, as all changes will have left them, in the order of creation."""
        full = request.query.get("full") == "true"
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        for first in range(0, self.history.people, 500):
            last = min(first + 500, self.history.people)
            await response.write(b"".join(self.truth_lines(range(first, last), full=full)))
        await response.write_eof()
        return response

    def truth_lines(self, numbers: range, *, full: bool) -> Iterator[bytes]:
        """The lines of some people."""
        for number in numbers:
            life = self.history.life(number, math.inf)
            if life is None:
                continue
            deleted = life.deleted is not None
            line: Json = {
                "id": self.guids.guid(number),
                "deleted": deleted,
                "version": life.version,
            }
            if full:
                line["created_at"] = rfc3339(life.created)
                line["sources"] = sorted(sources(self.world.seed, number))
                line["life_cycle"] = life_cycle(self.world.seed, number)
                line["candidate"] = (
                    None if deleted else self.candidate(number, life, frozenset(INCLUDE))
                )
            yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


# -------------------------------------------------------------------------- requests and answers


def as_json(value: object, status: int = 200) -> web.Response:
    """Build a JSON answer."""
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


async def json_object(request: web.Request) -> Json:
    """The body, which must be a JSON object."""
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise Refusal(400, "bad_request", "The body is not JSON.") from error
    if not isinstance(body, dict):
        raise Refusal(400, "bad_request", "The body is not an object.")
    return body


def body_of_query(request: web.Request) -> Json:
    """The same body, written as a query: `A.B` or `A[B]` for objects, `A` or `A[]` for lists."""
    body: Json = {}
    window: Json = {}
    for name, value in request.query.items():
        block, part, *_ = [*re.split(r"[.\[]", name.rstrip("]")), ""]
        if block == "DateTimeRange":
            window[part] = value
            body[block] = window
        elif block == "PageSize":
            body[block] = int(value) if value.isdecimal() else value
        elif block.startswith("Exclude"):
            listed = body.setdefault(block, [])
            if isinstance(listed, list):
                listed.append(value)
        else:
            body[block] = value
    return body


def seconds(value: object) -> int:
    """A time in the only form of the vendor's samples, in seconds since 1970 ([IDS])."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}(-\d\d){2}T\d\d(:\d\d){2}Z", value):
        raise Refusal(400, "bad_request", "A time is YYYY-MM-DDTHH:MM:SSZ.")
    try:
        return int(datetime.fromisoformat(value).timestamp())
    except ValueError as error:
        raise Refusal(400, "bad_request", "There is no such time.") from error


def strings(body: Json, name: str) -> list[str]:
    """A list of strings that may be missing."""
    values = body.get(name)
    if values is None:
        return []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise Refusal(400, "bad_request", f"{name} is a list of strings.")
    return values


def whole(body: Json, name: str) -> int:
    """A whole number of at least 0 that may be missing."""
    value = body.get(name, 0)
    if type(value) is not int or value < 0:
        raise Refusal(400, "bad_request", f"{name} is a whole number of at least 0.")
    return value


def page_size(body: Json, largest: int) -> int:
    """How many GUIDs a page holds."""
    if body.get("PageSize") is None:
        return largest
    size = whole(body, "PageSize")
    if size == 0:
        raise Refusal(400, "bad_request", "PageSize is at least 1.")
    return min(size, largest)
