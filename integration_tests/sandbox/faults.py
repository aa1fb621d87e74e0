"""Faults that are put between a caller and a vendor's answer, by endpoint and probability.

| kind | what the caller sees | does the vendor's handler run? |
| --- | --- | --- |
| `status` | `status` (503), `headers`, `body` | no |
| `body` | `status` (200), `headers`, `body` | no |
| `html` | `status` (200) with an HTML page, as a load balancer shows one | no |
| `empty` | `status` (200) with no body | no |
| `bad_gzip` | `status` (200) with a body that claims to be gzip and is not | no |
| `reset` | the connection is reset before any answer | no |
| `truncate` | the right headers and half of the body, then the connection is closed | yes |
| `lost_answer` | the connection is closed without any answer | yes |
| `delay` | the answer (or the next fault) comes `delay_seconds` later | yes |
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

if TYPE_CHECKING:
    import random

    from aiohttp.typedefs import Handler

    from integration_tests.sandbox.request_log import Entry

USUAL_STATUS = {"status": 503, "body": 200, "html": 200, "empty": 200, "bad_gzip": 200}
"""The kinds that answer instead of the handler, with the status they have if none is given."""

KINDS = (*USUAL_STATUS, "reset", "truncate", "lost_answer", "delay")

HTML = "<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"


@dataclass
class Fault:
    """One rule: which calls it strikes, how often, and what happens to them."""

    endpoint: str
    kind: str
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    delay_seconds: float = 0.02
    probability: float = 1.0
    after: int = 0
    """Let that many matching calls through first."""
    times: int | None = None
    """Stop after that many hits; None means never."""
    passed: int = field(default=0, init=False)
    hits: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Refuse a kind that does not exist: a typo must not make a test pass."""
        if self.kind not in KINDS:
            message = f"kind is one of {', '.join(KINDS)}, not {self.kind!r}"
            raise ValueError(message)

    def strikes(self, endpoint: str, dice: random.Random) -> bool:
        """Whether this call is hit. Each question counts as one call that came past."""
        if not fnmatchcase(endpoint, self.endpoint):
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.passed += 1
        if self.passed <= self.after or dice.random() >= self.probability:
            return False
        self.hits += 1
        return True


async def answer(
    request: web.Request, handler: Handler, faults: list[Fault], dice: random.Random, entry: Entry
) -> web.StreamResponse:
    """Answer one call: wait for every delay that strikes, then let the first other fault act.

    `entry` gets the name of the fault, and the status if the caller will see one.
    """
    for fault in faults:
        if not fault.strikes(entry.endpoint, dice):
            continue
        entry.fault = fault.kind
        if fault.kind != "delay":
            return await _act(fault, request, handler, entry)
        await asyncio.sleep(fault.delay_seconds)
    return await _run(handler, request, entry)


async def _act(
    fault: Fault, request: web.Request, handler: Handler, entry: Entry
) -> web.StreamResponse:
    if fault.kind == "reset":
        _reset(request)
        return web.Response()
    if fault.kind == "lost_answer":
        await _run(handler, request, entry)
        entry.status, entry.bytes = None, 0
        _close(request)
        return web.Response()
    if fault.kind == "truncate":
        return await _half(await _run(handler, request, entry), request, entry)
    response = _instead(fault)
    entry.status, entry.bytes = response.status, _length(response)
    return response


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
    response.headers.update(fault.headers)
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
        response.headers.setdefault("Content-Type", "text/plain; charset=utf-8")
        response.text = fault.body
    elif fault.body is not None:
        response.content_type = "application/json"
        response.body = orjson.dumps(fault.body)
    return response


async def _half(
    whole: web.StreamResponse, request: web.Request, entry: Entry
) -> web.StreamResponse:
    body = _body(whole)
    cut = web.StreamResponse(status=whole.status, headers=whole.headers)
    cut.content_length = len(body)
    await cut.prepare(request)
    entry.bytes = len(body) // 2
    await cut.write(body[: entry.bytes])
    _close(request)
    return cut


def _body(response: web.StreamResponse) -> bytes:
    if isinstance(response, web.Response) and isinstance(response.body, bytes):
        return response.body
    return b""


def _length(response: web.StreamResponse) -> int:
    return len(_body(response))


def _close(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


def _reset(request: web.Request) -> None:
    """Close with RST: a linger time of zero makes the kernel drop what was not sent."""
    if request.transport is None:
        return
    # A duplicate, because uvloop's and asyncio's own socket objects allow different things.
    with socket.socket(fileno=os.dup(request.transport.get_extra_info("socket").fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
