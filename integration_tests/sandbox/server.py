"""The sandbox's application: four vendors, the faults in front of them, and the control API.

Every call outside `/_control/` is logged under its route's name (`kombo.candidates`), or as
`unknown` where no vendor has such a path, and can be struck by a fault (`faults.py`).

| control API | does |
| --- | --- |
| `GET /_control/time` | `{"now": iso}` |
| `POST /_control/time` `{"advance_seconds": n}` | moves the clock of every `Date` header |
| `POST /_control/faults` | appends a JSON list of faults |
| `DELETE /_control/faults` | removes all |
| `GET /_control/log?endpoint=kombo.*&since=N` | the calls numbered above N, oldest first |
| `DELETE /_control/log` | forgets calls and counts |
| `POST /_control/canary` `{"text": t}` | from now on ends every text in an answer with `t`, but \
ids, times, codes and links; empty: no longer |
| `GET /_control/counts` | `{"<route name>": {"total": n, "<status>": n}}`, exact |
| `/_control/<vendor>/...` | see the vendor's module |
"""

from __future__ import annotations

import contextlib
import random
import re
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from integration_tests.sandbox import faults
from integration_tests.sandbox.atz_crm import routes as atz_crm
from integration_tests.sandbox.comeet import routes as comeet
from integration_tests.sandbox.kombo import routes as kombo
from integration_tests.sandbox.request_log import RequestLog
from integration_tests.sandbox.talemetry import routes as talemetry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.typedefs import Handler, Middleware

    from integration_tests.sandbox.world import Clock, World

LARGEST_REQUEST = 64 * 1024 * 1024
"""In bytes. Comeet takes whole files in a request body."""


@dataclass
class Control:
    """What the control API changes."""

    clock: Clock
    dice: random.Random
    faults: list[faults.Fault] = field(default_factory=list)
    log: RequestLog = field(default_factory=RequestLog)
    canary: str = ""

    def with_canary(self, handler: Handler) -> Handler:
        """Return the handler, with the canary in all that it tells of people."""
        if not self.canary:
            return handler

        async def marked(request: web.Request) -> web.StreamResponse:
            response = await handler(request)
            if isinstance(response, web.Response) and isinstance(response.body, bytes):
                with contextlib.suppress(orjson.JSONDecodeError):
                    whole = orjson.loads(response.body)
                    response.body = orjson.dumps(_marked(whole, self.canary))
            return response

        return marked


STRUCTURAL_KEYS = re.compile(
    r"(.*_)?(ids?|uid|slug|type|status|state|code|error|category|next|cursor|page|at|date|token"
    r"|method|version)|Ids?|IdValue|(Next)?Cursor|next_page|data_url|time_\w+|\w*Date\w*|\w*Time",
)
"""Keys whose texts a client may rely on."""


def _marked(value: Any, canary: str, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _marked(each, canary, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_marked(each, canary, key) for each in value]
    if not isinstance(value, str) or canary in value or STRUCTURAL_KEYS.fullmatch(key):
        return value
    return value + canary


def application(world: World, accounts: int = 3) -> web.Application:
    """Build the whole sandbox. `accounts` is the number of Kombo integrations."""
    control = Control(clock=world.clock, dice=random.Random(world.seed))  # noqa: S311 - repeatable
    app = web.Application(middlewares=[_log_and_strike(control)], client_max_size=LARGEST_REQUEST)
    app.on_response_prepare.append(_date_from(world.clock))
    _mount_control(app, control)
    kombo.mount(app, world, accounts)
    talemetry.mount(app, world)
    atz_crm.mount(app, world)
    comeet.mount(app, world)
    return app


def _log_and_strike(control: Control) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/_control/"):
            return await handler(request)
        endpoint = request.match_info.route.name or "unknown"
        entry = control.log.came(endpoint, request.method, request.path_qs, control.clock.epoch())
        try:
            return await faults.answer(
                request,
                control.with_canary(handler),
                control.faults,
                control.dice,
                entry,
                control.clock,
            )
        finally:
            control.log.went(entry)

    return middleware


def _date_from(clock: Clock) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    async def set_date(request: web.Request, response: web.StreamResponse) -> None:
        # aiohttp has set the machine's time already.
        if not request.get(faults.DATED):
            response.headers["Date"] = format_datetime(clock.now(), usegmt=True)

    return set_date


def _mount_control(app: web.Application, control: Control) -> None:
    async def get_time(_: web.Request) -> web.Response:
        return _json({"now": control.clock.now().isoformat()})

    async def post_time(request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        return _json({"now": control.clock.advance(body["advance_seconds"]).isoformat()})

    async def post_faults(request: web.Request) -> web.Response:
        try:
            control.faults.extend(
                [faults.Fault(**body) for body in orjson.loads(await request.read())]
            )
        except (TypeError, ValueError) as error:
            raise web.HTTPBadRequest(text=f"A list of faults is expected: {error}") from error
        return _json({"faults": len(control.faults)})

    async def delete_faults(_: web.Request) -> web.Response:
        control.faults.clear()
        return _json({"faults": 0})

    async def get_log(request: web.Request) -> web.Response:
        endpoint = request.query.get("endpoint", "*")
        return _json(list(control.log.select(endpoint, int(request.query.get("since", "0")))))

    async def delete_log(_: web.Request) -> web.Response:
        control.log.clear()
        return _json({})

    async def post_canary(request: web.Request) -> web.Response:
        control.canary = orjson.loads(await request.read())["text"]
        return _json({})

    async def get_counts(_: web.Request) -> web.Response:
        return _json(control.log.counts)

    app.add_routes(
        [
            web.get("/_control/time", get_time),
            web.post("/_control/time", post_time),
            web.post("/_control/faults", post_faults),
            web.delete("/_control/faults", delete_faults),
            web.get("/_control/log", get_log),
            web.delete("/_control/log", delete_log),
            web.post("/_control/canary", post_canary),
            web.get("/_control/counts", get_counts),
        ]
    )


def _json(value: object) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")
