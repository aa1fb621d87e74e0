"""The API of the fake Kombo at `/kombo/v1`, and its control API.

Comments name sections of vendors/kombo.md and the tier (V documented, S in the SDK, I inferred).

What the vendor leaves open and the sandbox had to choose is marked (assumed) where it is chosen.

| control API | does |
| --- | --- |
| `GET /_control/kombo/integrations` | lists `{"id", "size"}` of each integration |
| `POST /_control/kombo/integration` | sets what an integration says (`set_integration`) |
| `POST /_control/kombo/settings` | sets keys, cursors, rate limit, compression (`set_settings`) |
| `POST /_control/kombo/change` | adds, changes and deletes rows now (`change`) |
| `GET /_control/kombo/truth?integration_id=&model=` | NDJSON: a full read, with deleted rows |
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn

import orjson
from aiohttp import web

from integration_tests.sandbox.kombo.data import (
    File,
    Filters,
    Integration,
    Kombo,
    Table,
    alive_rows,
    file_of,
    files_of,
    kombo_of,
)
from integration_tests.sandbox.kombo.records import LETTERS, MODELS, Model
from integration_tests.sandbox.kombo.settings import take_over
from integration_tests.sandbox.people import mix

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from integration_tests.sandbox.kombo.data import Kind
    from integration_tests.sandbox.world import World

    Answer = Callable[[web.Request], Awaitable[list[bytes]]]
    """Makes what follows `"data":` in the envelope, in pieces, or raises a `Refusal`."""

BASE = "/kombo/v1"
MAX_PAGE = 250
DEFAULT_PAGE = 100
EXPORT = 1000
"""Rows of a truth export that are printed at once."""

UPDATED_AFTER = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?Z?)?")
"""Documented with milliseconds and Z; the schema's pattern lets these pass too (section 4, V)."""

LINK_LIFE = 7 * 86_400
"""Seconds for which a download link works (section 6.4, V)."""

LINK_SEAL_BITS = 60

SEAL = 9
"""Bytes of a cursor that tell whether it was made here, for this list."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

CHANGES: tuple[Kind, ...] = ("changed", "nested", "deleted")


class Refusal(Exception):
    """An answer with the error envelope of section 9."""

    def __init__(
        self, code: str, status: int, message: str, headers: dict[str, str] | None = None
    ) -> None:
        """Name the vendor's code, which the caller branches on, and the HTTP status."""
        super().__init__(message)
        self.code = code
        self.status = status
        self.headers = headers or {}

    def body(self) -> bytes:
        """Return the envelope: its four inner keys are always there."""
        error = {
            "code": self.code,
            "title": self.code.partition(".")[2].replace("_", " ").capitalize(),
            "message": str(self),
            "log_url": None,
        }
        return orjson.dumps({"status": "error", "error": error})


def refuse(code: str, status: int, message: str) -> NoReturn:
    """Answer with an error. The statuses are the expected ones: section 9 documents few of them."""
    raise Refusal(code, status, message)


def refuse_input(message: str) -> NoReturn:
    """Answer that the caller sent something wrong."""
    refuse("PLATFORM.INPUT_INVALID", 400, message)


def mount(app: web.Application, world: World, accounts: int = 3) -> None:
    """Add Kombo; its `accounts` integrations share the world's candidates, some to each."""
    kombo = kombo_of(world, accounts)
    routes = [
        web.get(
            f"{BASE}/check-api-key",
            _guard(kombo, partial(check_api_key, kombo)),
            name="kombo.check_api_key",
        ),
        web.get(
            f"{BASE}/integrations/{{id}}",
            _guard(kombo, partial(get_integration, kombo)),
            name="kombo.integration",
        ),
        web.get(
            f"{BASE}/ats/candidates/{{id}}/attachments",
            _guard(kombo, partial(list_attachments, kombo)),
            name="kombo.candidate_attachments",
        ),
        web.get("/kombo_files/{token:.{24}}", partial(get_file, kombo), name="kombo.file"),
        web.get("/_control/kombo/integrations", _control(kombo, list_integrations)),
        web.post("/_control/kombo/integration", _control(kombo, set_integration)),
        web.post("/_control/kombo/settings", _control(kombo, set_settings)),
        web.post("/_control/kombo/change", _control(kombo, change)),
        web.get("/_control/kombo/truth", partial(export_truth, kombo)),
    ]
    routes.extend(
        web.get(
            f"{BASE}/ats/{model.path}",
            _guard(kombo, partial(list_rows, kombo, model)),
            name=f"kombo.{model.path}",
        )
        for model in MODELS
    )
    app.add_routes(routes)


def known_integration(kombo: Kombo, integration_id: str) -> Integration:
    """Return an integration as readers see it now."""
    try:
        return kombo.find(integration_id)
    except KeyError:
        message = f"There is no integration {integration_id!r} in this environment."
        refuse("PLATFORM.INTEGRATION_NOT_FOUND", 404, message)


def integration_of(kombo: Kombo, request: web.Request) -> Integration:
    """Return the integration that a call names, unless it refuses all calls."""
    integration_id = request.headers.get("X-Integration-Id")
    if not integration_id:
        refuse_input("The header X-Integration-Id is missing.")
    integration = known_integration(kombo, integration_id)
    settings = integration.settings
    if settings.error is not None:
        refuse(settings.error, settings.error_status, "This integration cannot be read.")
    return integration


# What the vendor answers


async def check_api_key(kombo: Kombo, _: web.Request) -> list[bytes]:
    """Answer `GET /check-api-key` (section 3, V)."""
    return [orjson.dumps({"environment_id": kombo.environment, "customer_id": kombo.environment})]


async def get_integration(kombo: Kombo, request: web.Request) -> list[bytes]:
    """Answer `GET /integrations/{id}`, which needs no integration header (section 2, V)."""
    return [orjson.dumps(known_integration(kombo, request.match_info["id"]).shown())]


async def list_rows(kombo: Kombo, model: Model, request: web.Request) -> list[bytes]:
    """Answer one page of a list (sections 4 and 7)."""
    integration = integration_of(kombo, request)
    settings = integration.settings
    # The statuses are assumed (section 9).
    if model.read_model in settings.read_models_off:
        refuse("INTEGRATION.MODEL_DISABLED", 400, "This model is switched off.")
    if model.read_model in settings.read_models_unsupported:
        refuse("INTEGRATION.MODEL_NOT_AVAILABLE", 400, "This tool does not have this model.")
    query = _Query(request)
    table = integration.tables[model.path]
    filters = Filters(
        updated_after=query.time("updated_after"),
        include_deleted=query.flag("include_deleted"),
        rows=row_filters(kombo, model, table, query),
    )
    drop = query.flag("ignore_unsupported_filters")
    unsupported = {name for name, _ in filters.rows} & set(settings.unsupported_filters)
    if unsupported and drop:
        supported = tuple(each for each in filters.rows if each[0] not in unsupported)
        filters = replace(filters, rows=supported)
    limit = query.whole_number("page_size", DEFAULT_PAGE, MAX_PAGE)
    cursor = query.text("cursor")
    query.done()

    cursors = Cursors(kombo, integration.id, model.path, filters)
    mode, place = cursors.read(cursor) if cursor is not None else (kombo.settings.cursor_mode, 0)
    if mode is None or (unsupported and not drop):
        return [b'{"next":null,"results":[]}']
    if kombo.settings.short_pages:
        limit -= mix(kombo.world.seed, place) % (limit // 2 + 1)
    find = table.by_number if mode == "keyed" else table.by_time
    found = find(filters, place, limit + 1)
    following = None
    if len(found) > limit:
        following = cursors.make(mode, found[limit] if mode == "keyed" else place + limit)
    rows = table.print(found[:limit], b",")
    return [b'{"next":', orjson.dumps(following), b',"results":[', *rows, b"]}"]


def row_filters(
    kombo: Kombo, model: Model, table: Table, query: _Query
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the row filters that a call has (section 6.7)."""
    found = []
    for name in ("ids", "remote_ids", *model.filters):
        text = query.text(name)
        if text is None:
            continue
        values = (text.lower(),) if name == "email" else tuple(text.split(","))
        if not all(values):
            refuse_input(f"{name} has an empty value.")
        most = kombo.settings.most_filter_values
        if most is not None and len(values) > most:
            refuse_input(f"{name} has more than {most} values.")
        found.append((name, values))
        if name == "ids" and kombo.settings.unknown_ids == "refused":
            unknown = [value for value in values if table.find(value) is None]
            if unknown:
                # The code is assumed; the status is that of an older page (section 4, V).
                refuse("PLATFORM.INPUT_INVALID", 404, f"Unknown ids: {', '.join(unknown)}.")
    return tuple(found)


# Files


async def list_attachments(kombo: Kombo, request: web.Request) -> list[bytes]:
    """Answer the files of one candidate, as the ATS has them now (section 6.4)."""
    integration = integration_of(kombo, request)
    settings = integration.settings
    if settings.attachments_error is not None:
        code, status = settings.attachments_error, settings.attachments_error_status
        refuse(code, status, "The attachments cannot be read.")
    most = kombo.settings.concurrent_actions
    if integration.actions >= most:
        headers = {"Concurrency-Limit": str(most), "Concurrency-Remaining": "0"}
        code = "PLATFORM.CONCURRENCY_LIMIT_EXCEEDED"
        raise Refusal(code, 429, "Too many live calls at the same time.", headers)
    integration.actions += 1
    try:
        await asyncio.sleep(kombo.settings.action_seconds)
    finally:
        integration.actions -= 1
    table = integration.candidates
    number = table.find(request.match_info["id"])
    if number is None or not table.is_alive(number):
        # Code and status are assumed (section 12).
        refuse("PLATFORM.INPUT_INVALID", 404, "There is no such candidate.")
    files = files_of(table, number)
    warnings = []
    if settings.attachment_warnings and files:
        warnings.append({"message": f"{files.pop().row['file_name']} could not be read."})
    origin = kombo.settings.files_origin or str(request.url.origin())
    results = [
        file.row | {"data_url": f"{origin}/kombo_files/{link_of(kombo, integration, file)}"}
        for file in files
    ]
    return [orjson.dumps({"results": results}), b',"warnings":', orjson.dumps(warnings)]


def link_of(kombo: Kombo, integration: Integration, file: File) -> str:
    """Return the unguessable end of a download link: 24 characters that say which file, and when.

    So no link has to be kept.
    """
    minutes = int(kombo.world.clock.epoch()) // 60
    fields = ((integration.number, 8), (file.candidate, 32), (file.place, 8), (minutes, 32))
    content = 0
    for value, bits in fields:
        content = content << bits | value
    rest, letters = content << LINK_SEAL_BITS | link_seal(kombo, content), ""
    while len(letters) < 24:
        rest, place = divmod(rest, len(LETTERS))
        letters += LETTERS[place]
    return letters


def link_seal(kombo: Kombo, content: int) -> int:
    """Return what shows that a link was made here."""
    owner = orjson.dumps([kombo.environment, content.to_bytes(10, "big").hex()])
    digest = hashlib.blake2b(owner, digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 64 - LINK_SEAL_BITS


async def get_file(kombo: Kombo, request: web.Request) -> web.Response:
    """Send a file for 7 days after its link was made (section 6.4, V).

    A request that carries the API key is refused: nothing says that a download needs it, so a
    client must not give it away (I).
    """
    if {"Authorization", "X-Integration-Id"} & set(request.headers):
        return web.Response(status=400, text="No credentials are wanted here.")
    token, whole = request.match_info["token"], 0
    for letter in reversed(token):
        whole = whole * len(LETTERS) + LETTERS.find(letter)
    content, seal = divmod(whole, 1 << LINK_SEAL_BITS)
    if not 0 <= content < 1 << 80 or link_seal(kombo, content) != seal:
        return web.Response(status=404, text="There is no such file.")
    account, candidate, place, minutes = (
        content >> 72, content >> 40 & (1 << 32) - 1, content >> 32 & 255, content & (1 << 32) - 1
    )  # fmt: skip
    if kombo.world.clock.epoch() > minutes * 60 + LINK_LIFE:
        # The status is assumed (section 12).
        return web.Response(status=403, text="The link has expired.")
    integration = list(kombo.integrations.values())[account]
    file = file_of(integration.candidates, candidate, place)
    body = file.content.ljust(kombo.settings.file_bytes)
    return web.Response(body=body, content_type=file.row["content_type"])


@dataclass(frozen=True, slots=True)
class Cursors:
    """Cursors of one list with its filters.

    The vendor asks for the same filters on every page (section 4, V); that a cursor is refused
    with others, or when it is damaged, is assumed.
    """

    kombo: Kombo
    integration_id: str
    path: str
    filters: Filters

    def make(self, mode: str, place: int) -> str:
        """Seal the place at which the next page begins."""
        content = orjson.dumps([mode, place, self.kombo.settings.cursor_age])
        return base64.urlsafe_b64encode(content + self._seal(content)).decode()

    def read(self, cursor: str) -> tuple[str | None, int]:
        """Return mode and place; the mode is None where the cursor leads to an empty last page."""
        try:
            sealed = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
        except ValueError:
            refuse_input("The cursor is malformed.")
        content, seal = sealed[:-SEAL], sealed[-SEAL:]
        if seal != self._seal(content):
            refuse_input("The cursor is malformed, or belongs to other filters.")
        mode, place, age = orjson.loads(content)
        if age < self.kombo.settings.cursor_age:
            if self.kombo.settings.cursors == "refused":
                refuse_input("The cursor has expired.")
            if self.kombo.settings.cursors == "empty":
                return None, 0
        return mode, place

    def _seal(self, content: bytes) -> bytes:
        owner = orjson.dumps([self.kombo.environment, self.integration_id, self.path, self.filters])
        return hashlib.blake2b(
            content, key=hashlib.sha256(owner).digest(), digest_size=SEAL
        ).digest()


class _Query:
    """A call's query, taken apart one parameter after the other."""

    def __init__(self, request: web.Request) -> None:
        self._left = dict(request.query)

    def text(self, name: str) -> str | None:
        return self._left.pop(name, None)

    def flag(self, name: str) -> bool:
        value = self._left.pop(name, "false")
        if value not in {"true", "false"}:
            refuse_input(f"{name} must be true or false.")
        return value == "true"

    def whole_number(self, name: str, default: int, largest: int) -> int:
        value = self._left.pop(name, str(default))
        if not (value.isascii() and value.isdigit() and 1 <= int(value) <= largest):
            refuse_input(f"{name} must be a whole number from 1 to {largest}.")
        return int(value)

    def time(self, name: str) -> int | None:
        value = self._left.pop(name, None)
        if value is None:
            return None
        if UPDATED_AFTER.fullmatch(value) is None:
            refuse_input(f"{name} must look like 2025-03-04T10:06:30.512Z.")
        try:
            moment = datetime.fromisoformat(value.removesuffix("Z"))
        except ValueError:
            refuse_input(f"{name} is no date that exists.")
        return (moment.replace(tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)

    def done(self) -> None:
        """Refuse what the sandbox does not play: a filter ignored in silence would hide a bug."""
        for name in self._left:
            refuse_input(f"The sandbox does not know the parameter {name}.")


def _guard(kombo: Kombo, answer: Answer) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Put an answer into the vendor's envelope, behind the rate limit and the key."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.Response(content_type="application/json")
        try:
            _spend(kombo, response)
            _authenticate(kombo, request)
            body = b"".join([b'{"status":"success","data":', *await answer(request), b"}"])
        except Refusal as refusal:
            response.set_status(refusal.status)
            response.headers.update(refusal.headers)
            body = refusal.body()
        if kombo.settings.gzip and "gzip" in request.headers.get("Accept-Encoding", ""):
            response.headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, 1)
        response.body = body
        return response

    return handler


def _spend(kombo: Kombo, response: web.Response) -> None:
    limit = kombo.settings.rate_limit
    if limit is None:
        return
    now = kombo.world.clock.epoch()
    within = limit.spend(now)
    response.headers.update(limit.headers(now))
    if not within:
        if kombo.settings.retry_after:
            response.headers["Retry-After"] = str(limit.seconds_left(now))
        refuse("PLATFORM.RATE_LIMIT_EXCEEDED", 429, "Too many requests.")


def _authenticate(kombo: Kombo, request: web.Request) -> None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or key not in kombo.settings.keys:
        refuse("PLATFORM.AUTHENTICATION_INVALID", 401, "The API key is missing or invalid.")


# The control API


def list_integrations(kombo: Kombo, _: dict[str, Any]) -> object:
    """Say which integrations there are, with the number of rows that readers can see."""
    return [
        {"id": integration.id, "size": integration.candidates.visible()}
        for integration in kombo.chosen(None)
    ]


def set_integration(kombo: Kombo, wish: dict[str, Any]) -> object:
    """Change settings of one integration (`IntegrationSettings`); answer what it shows."""
    integration = kombo.integrations[wish.pop("integration_id")]
    take_over(integration.settings, wish)
    return integration.shown()


def set_settings(kombo: Kombo, wish: dict[str, Any]) -> object:
    """Change settings that hold for all integrations (`Settings`)."""
    kombo.settings.set(wish)
    return {}


def change(kombo: Kombo, wish: dict[str, Any]) -> object:
    """Make `new`, `changed`, `nested` and `deleted` rows now; return their ids by kind.

    They are rows of the list `model`, of candidates where none is named. Each is taken once, out of
    one integration or (`integration_id` absent or null) of all. With `visible_after_seconds`
    readers see all this only later, with the time of now.
    """
    now = kombo.now()
    visible = now + int(wish.get("visible_after_seconds", 0) * 1000)
    integrations = kombo.chosen(wish.get("integration_id"))
    model = _model(wish.get("model", "candidates"))
    if wish.get("nested") and not model.nested:
        message = f"Only their own changes bring rows of {model.path}."
        raise ValueError(message)
    tables = [integration.tables[model.path] for integration in integrations]
    taken: dict[Kind, list[tuple[Table, int]]] = {}
    rows = alive_rows(tables, kombo.dice)
    for kind in CHANGES:
        taken[kind] = list(islice(rows, wish.get(kind, 0)))
        if len(taken[kind]) < wish.get(kind, 0):
            message = f"There are not enough rows to have this many {kind}."
            raise ValueError(message)
    weights = [max(table.rows, 1) for table in tables]
    homes = kombo.dice.choices(tables, weights, k=wish.get("new", 0))
    taken["new"] = [(table, table.add()) for table in homes]
    for kind, places in taken.items():
        for table, number in places:
            table.change(kind, number, now, visible)
    return {kind: [table.id_of(number) for table, number in taken[kind]] for kind in taken}


async def export_truth(kombo: Kombo, request: web.Request) -> web.StreamResponse:
    """Send the rows of one integration, or of all, as the API would show them."""
    try:
        integrations = kombo.chosen(request.query.get("integration_id"))
        model = _model(request.query.get("model", "candidates"))
    except (KeyError, ValueError) as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    for integration in integrations:
        for rows in _in_pieces(integration.tables[model.path]):
            await response.write(rows)
    return response


def _model(path: str) -> Model:
    for model in MODELS:
        if model.path == path:
            return model
    message = f"There is no model {path}."
    raise ValueError(message)


def _in_pieces(table: Table) -> Iterator[bytes]:
    start = 0
    while numbers := table.by_number(Filters(include_deleted=True), start, EXPORT):
        yield b"".join([*table.print(numbers, b"\n"), b"\n"])
        start = numbers[-1] + 1


def _control(
    kombo: Kombo, act: Callable[[Kombo, dict[str, Any]], object]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            result = act(kombo, orjson.loads(await request.read() or b"{}"))
        except (KeyError, TypeError, ValueError) as error:
            raise web.HTTPBadRequest(text=repr(error)) from error
        return web.Response(body=orjson.dumps(result), content_type="application/json")

    return handler
