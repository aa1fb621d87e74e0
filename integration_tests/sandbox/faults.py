"""Faults that are put between a caller and a vendor's answer, by endpoint and probability.

| kind | what the caller sees | does the vendor's handler run? |
| --- | --- | --- |
| `status` | `status` (503), `headers`, `body` | no |
| `body` | `status` (200), `headers`, `body` | no |
| `html` | `status` (200) with an HTML page, as a load balancer shows one | no |
| `empty` | `status` (200) with no body | no |
| `bad_gzip` | `status` (200) with a body that claims to be gzip and is not | no |
| `reset` | the connection is reset before any answer | no |
| `stall` | nothing, until the caller goes away | no |
| `truncate` | the right headers (or another length `announced`) and half of the body, then the \
connection is closed | yes |
| `reset_midway` | the same, but the connection is reset | yes |
| `stall_midway` | the same, but nothing more comes until the caller goes away | yes |
| `garbage_midway` | the same, but over TLS bytes follow that are none | yes |
| `half_json` | half of the body, as if it were the whole; an error stays whole | yes |
| `half_gzip` | the body in gzip, and half of that as if it were the whole; likewise | yes |
| `headers` | the right answer, with other `headers` | yes |
| `replace` | the right answer, but at the path `at` (`data.results.0.id`) stands `value`; without \
`value` nothing does; `raw` stands there letter for letter, JSON or not; `?text` in the path is \
the first element of a list that holds the text, `?key=text` the one with that text at that key; a \
backslash precedes a dot in a key | yes |
| `round` | the right answer, but the cursor or link at the path `at` is one with which this list \
was requested so far, its own included; a first page stays as it is | yes |
| `lost_answer` | the connection is closed without any answer | yes |
| `garbage` | the same, but over TLS bytes come first that are none | yes |
| `delay` | the answer (or the next fault) comes `delay_seconds` later | yes |

Of the faults that strike a call, all delays, `replace` and `round` act, and the first other one.

In a `body` and in `headers`, `{sent}` stands for all that the caller sent: the vendor quotes it. In
`headers`, `{in 600}` stands for the date in this many seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import re
import socket
import struct
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import orjson
from aiohttp import web

if TYPE_CHECKING:
    import random

    from aiohttp.typedefs import Handler

    from integration_tests.sandbox.request_log import Entry
    from integration_tests.sandbox.world import Clock

USUAL_STATUS = {"status": 503, "body": 200, "html": 200, "empty": 200, "bad_gzip": 200}
"""The kinds that answer instead of the handler, with the status they have if none is given."""

MIDWAY = ("truncate", "reset_midway", "stall_midway", "garbage_midway")
"""The kinds that break off in the middle of the body."""

DATED = "dated"
"""Where a request keeps that its answer has a `Date` by a fault."""

CHANGED = ("half_json", "half_gzip", "headers")
"""The kinds that change the right answer."""

REPLACED = ("replace", "round")
"""The kinds that change values in the right answer."""

UNANSWERED = ("lost_answer", "garbage")
"""The kinds that close the connection instead of an answer."""

KINDS = (*USUAL_STATUS, *MIDWAY, *CHANGED, *REPLACED, *UNANSWERED, "reset", "stall", "delay")

NOTHING = "<nothing>"
RAW = "<raw>"

CURSOR = re.compile(r'[?&]cursor=([^& ]+)|"Cursor": ?"([^"]+)"')
ROWS = re.compile(r'[?&](?:page_size|limit)=(\d+)|"PageSize": ?(\d+)')

HTML = "<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"


@dataclass
class Fault:
    """One rule: which calls it strikes, how often, and what happens to them."""

    endpoint: str
    kind: str
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    at: str = ""
    value: Any = NOTHING
    raw: str | None = None
    """What to put in place, one byte for each letter, instead of `value`."""
    containing: str = ""
    """Strike only calls that hold this text in their path, query, body or integration."""
    over_rows: int | None = None
    """Strike only calls that ask for pages of more rows than this."""
    once_per_request: bool = False
    """Strike no call that is like one that was struck: to repeat it helps."""
    delay_seconds: float = 0.02
    announced: int | None = None
    """The length that a body which breaks off announces; None: its own."""
    probability: float = 1.0
    after: int = 0
    """How many matching calls pass first."""
    times: int | None = None
    """Stop after that many hits; None means never."""
    passed: int = field(default=0, init=False)
    hits: int = field(default=0, init=False)
    struck: set[str] = field(default_factory=set, init=False)
    trails: dict[str, list[str]] = field(default_factory=dict, init=False)
    """The cursors that came so far in a read of a list, by the list."""

    def __post_init__(self) -> None:
        """Refuse a kind that does not exist: a typo must not make a test pass."""
        if self.kind not in KINDS:
            message = f"kind is one of {', '.join(KINDS)}, not {self.kind!r}"
            raise ValueError(message)

    def looks_at_requests(self) -> bool:
        """Whether it depends on what a call sends."""
        told = (self.containing, self.over_rows, self.once_per_request, self.kind == "round")
        return any(told)

    def strikes(self, endpoint: str, dice: random.Random, sent: str = "") -> bool:
        """Whether this call is hit. Each question counts as one call that came past."""
        if not fnmatchcase(endpoint, self.endpoint) or self.containing not in sent:
            return False
        if self.kind == "round":
            self._follow(sent)
        if self.over_rows is not None and int(_found(ROWS, sent) or 0) <= self.over_rows:
            return False
        if self.once_per_request and sent in self.struck:
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.passed += 1
        if self.passed <= self.after or dice.random() >= self.probability:
            return False
        self.hits += 1
        self.struck.add(sent)
        return True

    def _follow(self, sent: str) -> None:
        """Keep the cursor of a call, and forget those that came after it in an earlier read."""
        cursor = _found(CURSOR, sent)
        trail = self.trails.setdefault(CURSOR.sub("", sent), [])
        if not cursor:
            trail.clear()
        elif cursor in trail:
            del trail[trail.index(cursor) + 1 :]
        else:
            trail.append(cursor)

    def earlier_cursor(self, sent: str, dice: random.Random) -> str:
        """Return a cursor of this read, up to this page's own; empty where there is none."""
        trail = self.trails[CURSOR.sub("", sent)]
        return dice.choice(trail) if trail else ""


def _found(pattern: re.Pattern[str], sent: str) -> str:
    """Return the first group that a pattern finds; empty if it finds nothing."""
    found = pattern.search(sent)
    return unquote(next(filter(None, found.groups()))) if found else ""


async def answer(  # noqa: PLR0913, PLR0917 - one call, and what the desk knows
    request: web.Request,
    handler: Handler,
    faults: list[Fault],
    dice: random.Random,
    entry: Entry,
    clock: Clock,
) -> web.StreamResponse:
    """Answer one call: wait for every delay that strikes, and let the other faults act.

    `entry` gets the name of the fault, and the status if the caller will see one.
    """
    sent = ""
    if any(fault.looks_at_requests() for fault in faults):
        integration = request.headers.get("X-Integration-Id", "")
        sent = f"{request.path_qs} {integration} {(await request.read()).decode()}"
    replacements: list[Fault] = []
    for fault in faults:
        if not fault.strikes(entry.endpoint, dice, sent):
            continue
        entry.fault = fault.kind
        if fault.kind == "delay":
            await asyncio.sleep(fault.delay_seconds)
        elif fault.kind == "replace":
            replacements.append(fault)
        elif fault.kind == "round":
            replacements += _back(fault, request, fault.earlier_cursor(sent, dice))
        else:
            return await _act(fault, request, _replacing(replacements, handler), entry, clock)
    return await _run(_replacing(replacements, handler), request, entry)


def _back(fault: Fault, request: web.Request, cursor: str) -> list[Fault]:
    """Return what puts a cursor, or a link that holds it, into an answer."""
    if not cursor:
        return []
    link = str(request.url.update_query(cursor=cursor))
    value = link if fault.at == "next_page" else cursor
    return [Fault(fault.endpoint, "replace", at=fault.at, value=value)]


def _replacing(replacements: list[Fault], handler: Handler) -> Handler:
    """Return the handler, with other values in what it answers."""
    if not replacements:
        return handler

    async def replaced(request: web.Request) -> web.StreamResponse:
        whole = await handler(request)
        value = orjson.loads(_body(whole))
        for number, fault in enumerate(replacements):
            # An answer without that place stays as it is.
            with contextlib.suppress(LookupError, TypeError):
                new = fault.value if fault.raw is None else f"{RAW}{number}."
                value = _replaced(value, _path(fault.at), new)
        body = orjson.dumps(value)
        for number, fault in enumerate(replacements):
            if fault.raw is not None:
                raw = fault.raw.encode("latin-1")
                body = body.replace(orjson.dumps(f"{RAW}{number}."), raw)
        return web.Response(status=whole.status, content_type=whole.content_type, body=body)

    return replaced


async def _act(
    fault: Fault, request: web.Request, handler: Handler, entry: Entry, clock: Clock
) -> web.StreamResponse:
    if fault.kind == "reset":
        _reset(request)
        return web.Response()
    if fault.kind == "stall":
        await _stall(request)
        return web.Response()
    if fault.kind in UNANSWERED:
        await _run(handler, request, entry)
        entry.status, entry.bytes = None, 0
        _send_garbage(request) if fault.kind == "garbage" else _close(request)
        return web.Response()
    if fault.kind in MIDWAY:
        return await _half(fault, await _run(handler, request, entry), request, entry)
    if fault.kind in CHANGED:
        response = _changed(fault, await _run(handler, request, entry))
    else:
        response = _instead(fault)
    sent = await _sent(request)
    response.headers.update(
        {name: _filled_in(text, sent, clock) for name, text in fault.headers.items()}
    )
    request[DATED] = "Date" in fault.headers
    if fault.body is not None and isinstance(response.body, bytes):
        quoted = sent.encode() if isinstance(fault.body, str) else orjson.dumps(sent)[1:-1]
        response.body = response.body.replace(b"{sent}", quoted)
    entry.status, entry.bytes = response.status, _length(response)
    return response


async def _sent(request: web.Request) -> str:
    headers = "; ".join(f"{name}: {value}" for name, value in request.headers.items())
    credentials = request.headers.get("Authorization", "")
    return f"{credentials} {(await request.read()).decode()} {request.path_qs} {headers}"


async def _run(handler: Handler, request: web.Request, entry: Entry) -> web.StreamResponse:
    response: web.StreamResponse
    # What the server answers if the handler breaks.
    entry.status = 500
    try:
        response = await handler(request)
    except web.HTTPException as error:
        response = web.Response(status=error.status, headers=error.headers, body=error.body)
    entry.status, entry.bytes = response.status, _length(response)
    return response


def _instead(fault: Fault) -> web.Response:
    response = web.Response(status=fault.status or USUAL_STATUS[fault.kind])
    if fault.kind == "empty":
        return response
    if fault.kind == "html":
        response.content_type = "text/html"
        response.text = HTML
    elif fault.kind == "bad_gzip":
        response.content_type = "application/json"
        response.headers["Content-Encoding"] = "gzip"
        response.body = b"\x1f\x8b\x08\x00 this is no gzip"
    elif isinstance(fault.body, str):
        response.content_type = "text/plain"
        response.body = fault.body.encode()
    elif fault.body is not None:
        response.content_type = "application/json"
        response.body = orjson.dumps(fault.body)
    return response


def _filled_in(text: str, sent: str, clock: Clock) -> str:

    def date(found: re.Match[str]) -> str:
        return format_datetime(clock.now() + timedelta(seconds=int(found[1])), usegmt=True)

    return re.sub(r"\{in (-?\d+)\}", date, text).replace("{sent}", sent)


def _changed(fault: Fault, whole: web.StreamResponse) -> web.Response:
    body = _body(whole)
    changed = web.Response(status=whole.status, content_type=whole.content_type)
    if whole.status >= 400:
        changed.body = body
    elif fault.kind == "half_json":
        changed.body = body[: len(body) // 2]
    elif fault.kind == "half_gzip":
        packed = gzip.compress(body)
        changed.headers["Content-Encoding"] = "gzip"
        changed.body = packed[: len(packed) // 2]
    else:
        changed.body = body
    return changed


def _path(at: str) -> list[str]:
    return [key.replace("\\.", ".") for key in re.split(r"(?<!\\)\.", at)]


def _replaced(whole: Any, path: list[str], value: Any) -> Any:
    """Return JSON with another value at a path; without the last key if there is no value."""
    if path in ([], [""]):
        return value
    key = _place(whole, path[0]) if isinstance(whole, list) else path[0]
    if len(path) > 1:
        whole[key] = _replaced(whole[key], path[1:], value)
    elif value == NOTHING:
        del whole[key]
    else:
        whole[key] = value
    return whole


def _place(whole: list[Any], name: str) -> int:
    """Return which element of a list is meant: by its number, a field, or a text in it."""
    if not name.startswith("?"):
        return int(name)
    field_name, is_field, text = name.removeprefix("?").rpartition("=")
    for place, each in enumerate(whole):
        if each.get(field_name) == text if is_field else text.encode() in orjson.dumps(each):
            return place
    raise LookupError(name)


async def _half(
    fault: Fault, whole: web.StreamResponse, request: web.Request, entry: Entry
) -> web.StreamResponse:
    body = _body(whole)
    cut = web.StreamResponse(status=whole.status, headers=whole.headers)
    cut.content_length = len(body) if fault.announced is None else fault.announced
    entry.bytes = len(body) // 2
    # The caller may be gone already.
    with contextlib.suppress(ConnectionError):
        await cut.prepare(request)
        await cut.write(body[: entry.bytes])
    if fault.kind == "stall_midway":
        await _stall(request)
    elif fault.kind == "reset_midway":
        _reset(request)
    elif fault.kind == "garbage_midway":
        _send_garbage(request)
    else:
        _close(request)
    return cut


async def _stall(request: web.Request) -> None:
    """Return when the caller is gone."""
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0.02)


def _body(response: web.StreamResponse) -> bytes:
    if isinstance(response, web.Response) and isinstance(response.body, bytes):
        return response.body
    return b""


def _length(response: web.StreamResponse) -> int:
    return len(_body(response))


def _close(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


def _send_garbage(request: web.Request) -> None:
    """Send what is no TLS, unless there is none, and close the connection."""
    if request.transport is not None and request.transport.get_extra_info("ssl_object"):
        with _same_socket(request.transport) as same, contextlib.suppress(OSError):
            same.send(b"\x00garbage" * 50)
    _close(request)


def _same_socket(transport: asyncio.Transport) -> socket.socket:
    """Return a duplicate, because uvloop's and asyncio's own sockets allow different things."""
    return socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))


def _reset(request: web.Request) -> None:
    """Close with RST: a linger time of zero makes the kernel drop what was not sent."""
    if request.transport is None:
        return
    with _same_socket(request.transport) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
