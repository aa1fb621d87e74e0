"""The API of the fake ATZ CRM, and its control API.

What the vendor documents is followed. What it does not say (the envelope, the largest `limit`,
what a 429 looks like, whether a stage change moves the candidate's `updated_at`) is a setting, so
that a test can try every possibility. Comments name sections of vendors/atz_crm.md and the tier
(documented, inferred); "assumed" is this fake's own choice where nothing is known.

Endpoints under `/atz_crm/v1` (route names): atz_crm.candidates, atz_crm.history, atz_crm.deals,
atz_crm.job, atz_crm.delete.
Control API under `/_control/atz_crm`: settings, change, change_deals, mark, truth.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from email.utils import format_datetime
from functools import partial
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from integration_tests.sandbox.atz_crm.data import (
    CHANGES,
    CHOICE,
    JOB_STATUSES,
    LINKED,
    Crm,
    Deals,
    Listing,
    choose,
    crm_of,
    history_of,
    iso,
    new,
    number_of,
    numbers_of,
)
from integration_tests.sandbox.atz_crm.settings import Json, Meter, changed
from integration_tests.sandbox.people import mix

if TYPE_CHECKING:
    from integration_tests.sandbox.world import World

MESSAGES = {
    # The text beside 400 is the vendor's own slip (Errors, documented); the JSON form is assumed.
    400: "Unprocessable Entity",
    401: "Unauthorized",
    404: "The requested resource does not exist",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
}


class Refused(Exception):
    """The request is answered with this status."""

    def __init__(self, status: int, headers: dict[str, str] | None = None) -> None:
        """Keep the status, and the headers that go with it."""
        super().__init__(status)
        self.status = status
        self.headers = headers or {}


Handler = Callable[[Crm, web.Request], Awaitable[web.StreamResponse]]


async def answered(crm: Crm, handler: Handler, request: web.Request) -> web.StreamResponse:
    """Pass an authenticated request within its budget on to its handler."""
    try:
        spend(crm, request)
        return await handler(crm, request)
    except Refused as refused:
        answer = reply({"message": MESSAGES[refused.status]}, refused.status)
        answer.headers.update(refused.headers)
        return answer


def spend(crm: Crm, request: web.Request) -> None:
    """Count a request when it arrives, by its token, over all calls (Rate limits)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or token not in crm.settings.tokens:
        raise Refused(401)
    rule = crm.settings.rate_limit
    if rule is None:
        return
    # Not the wall clock, which the machine may set; the sandbox's own offset counts.
    offset = crm.world.clock.offset
    now = crm.wall_start + time.monotonic() + offset.total_seconds()
    wait = math.ceil(crm.meters.setdefault(token, Meter()).wait(rule, now))
    if not wait:
        return
    if rule.retry_after == "seconds":
        raise Refused(429, {"Retry-After": str(wait)})
    if rule.retry_after == "date":
        then = crm.world.clock.now() + timedelta(seconds=wait + 1)
        raise Refused(429, {"Retry-After": format_datetime(then, usegmt=True)})
    raise Refused(429)


async def list_candidates(crm: Crm, request: web.Request) -> web.StreamResponse:
    """`GET /candidate` (section 1)."""
    expand = expanded(request.query.get("maximize", ""))
    show = partial(crm.candidate_json, expand=expand)
    return await list_objects(crm, request, crm, show)


async def list_deals(crm: Crm, request: web.Request) -> web.StreamResponse:
    """`GET /deal` (section 4), which takes the same parameters; `maximize` is not played."""
    return await list_objects(crm, request, crm.deals, crm.deal_json)


async def list_objects(
    crm: Crm, request: web.Request, kept: Crm | Deals, show: Callable[[int], Json]
) -> web.StreamResponse:
    """Answer with a page of a list: the page after the last is empty."""
    await asyncio.sleep(crm.settings.latency_seconds.candidates)
    crm.show_due_changes()
    asked, settings = request.query, crm.settings
    page = whole(asked.get("page", "1"))
    limit = whole(asked.get("limit", str(settings.default_limit)))
    if limit > settings.max_limit:
        if settings.over_max_limit != "cap":
            raise Refused(settings.over_max_limit)
        limit = settings.max_limit
    listing, downwards = order(crm, request, kept)
    start = 0 if settings.ignore_page else (page - 1) * limit
    places = range(start, min(start + limit, len(listing)))
    numbers = [listing.at(len(listing) - 1 - place if downwards else place) for place in places]
    found = [show(number) for number in numbers if settings.lists(number)]
    if settings.envelope == "data":
        return reply({"data": found})
    if settings.envelope == "data_data":
        return reply({"data": {"data": found, "total": len(listing)}})
    return reply(found)


def whole(text: str) -> int:
    """Read a page number or a limit."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise Refused(400)
    return int(text)


def order(crm: Crm, request: web.Request, kept: Crm | Deals) -> tuple[Listing, bool]:
    """Return the list in the order asked for, and whether to read it from the end."""
    settings = crm.settings
    listings = {"created_at": kept.created, "id": kept.created, "updated_at": kept.updated}
    names = ("sortOrder", "sortByColumn")
    by, way = names if settings.sort_field_parameter == "sortOrder" else reversed(names)
    column, direction = request.query.get(by), request.query.get(way)
    if settings.sort_field_parameter == "neither":
        column = direction = None
    strange = column not in {None, *listings} or direction not in {None, "asc", "desc"}
    if strange and settings.unknown_sort != "ignore":
        raise Refused(settings.unknown_sort)
    if strange or column is None:
        return listings[settings.list_order], settings.list_direction == "desc"
    return listings[column], direction == "desc"


def expanded(maximize: str) -> frozenset[str]:
    """Return the linked objects to show whole."""
    asked = frozenset(maximize.split(","))
    return LINKED if "all" in asked else asked & LINKED


async def get_history(crm: Crm, request: web.Request) -> web.StreamResponse:
    """`GET /candidate/{slug}/history` (section 2): a bare array, not paged."""
    await asyncio.sleep(crm.settings.latency_seconds.history)
    crm.show_due_changes()
    slug = request.match_info["slug"]
    if slug in crm.marks:
        raise Refused(crm.marks[slug])
    number = crm.find(slug)
    if number is None:
        raise Refused(404)
    rows = crm.history(number)
    if not rows and crm.settings.empty_history == 404:
        raise Refused(404)
    if not rows and crm.settings.empty_history == "null":
        return reply(None)
    job = request.query.get("job_slug")
    return reply(
        [crm.row_json(number, row) for row in rows if job is None or crm.jobs[row.job].slug == job]
    )


async def get_job(crm: Crm, request: web.Request) -> web.StreamResponse:
    """`GET /job/{slug}`, as far as a caller leans on it: that there is one."""
    for place, job in enumerate(crm.jobs):
        if job.slug == request.match_info["slug"] and place not in crm.deleted_jobs:
            return reply({"slug": job.slug, "name": job.name})
    raise Refused(404)


async def delete(crm: Crm, request: web.Request) -> web.StreamResponse:
    """`DELETE /candidate/{slug}`, `/job/{slug}`: really delete, answer what it was (Quirks 9)."""
    crm.show_due_changes()
    slug = request.match_info["slug"]
    if request.match_info["kind"] == "candidate":
        number = crm.find(slug)
        if number is None:
            raise Refused(404)
        shown = crm.candidate_json(number)
        crm.remove(number)
        return reply(shown)
    for place, job in enumerate(crm.jobs):
        if job.slug == slug and place not in crm.deleted_jobs:
            crm.deleted_jobs.add(place)
            return reply(
                {
                    "id": place + 1,
                    "slug": slug,
                    "position_name": job.name,
                    "organizations": job.organization,
                    # `label` here, `name` in a history row (Quirks 4, documented).
                    "job_status": {"id": job.status + 1, "label": JOB_STATUSES[job.status]},
                }
            )
    raise Refused(404)


def reply(body: object, status: int = 200) -> web.Response:
    """Answer with JSON."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


# ------------------------------------------------------------- the control API, /_control/atz_crm


async def controlled(crm: Crm, handler: Handler, request: web.Request) -> web.StreamResponse:
    """Answer a control request; what is wrong with it is said in the answer."""
    crm.show_due_changes()
    try:
        return await handler(crm, request)
    except (KeyError, TypeError, ValueError) as error:
        return reply({"error": repr(error)}, 400)


async def show_settings(crm: Crm, _request: web.Request) -> web.StreamResponse:
    """`GET settings`: all of them, as they are."""
    return reply(asdict(crm.settings))


async def set_settings(crm: Crm, request: web.Request) -> web.StreamResponse:
    """`POST settings`: change some, answer with all. A new rate limit starts with a full budget."""
    asked = orjson.loads(await request.read())
    crm.settings = changed(crm.settings, asked)
    if "rate_limit" in asked:
        crm.meters.clear()
    return await show_settings(crm, request)


async def mark(crm: Crm, request: web.Request) -> web.StreamResponse:
    """`POST mark` `{"slug", "answer"}`: this candidate's history answers so; null takes it back."""
    asked = orjson.loads(await request.read())
    if number_of("candidate", crm.key, asked["slug"]) is None:
        msg = f"no candidate has the slug {asked['slug']!r}"
        raise ValueError(msg)
    if asked["answer"] not in {None, 400, 404, 422, 500}:
        msg = f"answer: {asked['answer']!r} is not possible"
        raise ValueError(msg)
    crm.marks.pop(asked["slug"], None)
    if asked["answer"] is not None:
        crm.marks[asked["slug"]] = asked["answer"]
    return reply(crm.marks)


async def truth(crm: Crm, request: web.Request) -> web.StreamResponse:
    """`GET truth`: the history of everybody who is listed now, whatever marks say.

    With `?candidates=true` the objects of the list instead, with `?deals=true` the deals. NDJSON,
    streamed, oldest first.
    """
    if request.query.get("deals") == "true":
        deals = crm.deals.created
        numbers = filter(crm.settings.lists, map(deals.at, range(len(deals))))
        shown = map(crm.deal_json, numbers)
        lines = [orjson.dumps(each, option=orjson.OPT_APPEND_NEWLINE) for each in shown]
        return web.Response(body=b"".join(lines), content_type="application/x-ndjson")
    objects = request.query.get("candidates") == "true"
    answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await answer.prepare(request)
    lines = []
    for number in filter(crm.settings.lists, crm.everybody()):
        line = crm.candidate_json(number) if objects else history_of(crm, number)
        lines.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        if len(lines) == 200:
            await answer.write(b"".join(lines))
            lines.clear()
    await answer.write(b"".join(lines))
    await answer.write_eof()
    return answer


async def change(crm: Crm, request: web.Request) -> web.StreamResponse:
    """`POST change`: let things happen now, to be seen at once or `visible_after_seconds` later.

    `new` takes a number; the other kinds a number, of candidates the seed chooses, or a list of
    slugs. A candidate is never chosen twice in one request. Answers with the slugs of each kind.
    """
    asked: Json = orjson.loads(await request.read())
    unknown = asked.keys() - {"new", *CHANGES, "visible_after_seconds"}
    if unknown:
        msg = f"unknown: {', '.join(sorted(unknown))}"
        raise ValueError(msg)
    now = crm.now()
    visible_at = now + int(1000 * asked.get("visible_after_seconds", 0))
    named = {kind: numbers_of(crm, asked.get(kind, 0)) for kind in CHANGES}
    taken = {number for numbers in named.values() for number in numbers}
    effects: list[Callable[[], None]] = []
    answer: Json = {"at": iso(now, millis=True), "new": []}
    for _ in range(asked.get("new", 0)):
        effects.append(new(crm, crm.numbers_given, now))
        answer["new"].append(crm.slug(crm.numbers_given))
        crm.numbers_given += 1
    for kind, make in CHANGES.items():
        numbers = named[kind] or choose(crm, kind, asked.get(kind, 0), taken)
        effects += [make(crm, number, now) for number in numbers]
        answer[kind] = [crm.slug(number) for number in numbers]
    for effect in effects:
        crm.later(visible_at, effect)
    crm.show_due_changes()
    return reply(answer)


async def change_deals(crm: Crm, request: web.Request) -> web.StreamResponse:
    """`POST change_deals`: let this many be `new`, `changed`, `deleted` now; answer with slugs."""
    asked: Json = orjson.loads(await request.read())
    if unknown := asked.keys() - {"new", "changed", "deleted"}:
        msg = f"unknown: {', '.join(sorted(unknown))}"
        raise ValueError(msg)
    now, deals = crm.now(), crm.deals
    # Oldest first, from a place that the seed chooses; none twice.
    start = mix(crm.key, CHOICE, crm.next_change())
    there = [
        deals.created.at((start + place) % len(deals.created))
        for place in range(asked.get("changed", 0) + asked.get("deleted", 0))
    ]
    changed, gone = there[: asked.get("changed", 0)], there[asked.get("changed", 0) :]
    added = list(range(deals.numbers_given, deals.numbers_given + asked.get("new", 0)))
    deals.numbers_given += len(added)
    for number in added:
        deals.appear(number, now)
    for number in changed:
        deals.edit(number, now)
    for number in gone:
        deals.remove(number)
    slugs = {"new": added, "changed": changed, "deleted": gone}
    return reply({kind: [crm.deal_slug(each) for each in many] for kind, many in slugs.items()})


def mount(app: web.Application, world: World) -> None:
    """Add this vendor's API under `/atz_crm/v1` and its control API under `/_control/atz_crm`."""
    crm = crm_of(world)

    def api(method: str, path: str, handler: Handler, name: str) -> None:
        app.router.add_route(
            method, f"/atz_crm/v1/{path}", partial(answered, crm, handler), name=f"atz_crm.{name}"
        )

    def control(method: str, path: str, handler: Handler) -> None:
        app.router.add_route(method, f"/_control/atz_crm/{path}", partial(controlled, crm, handler))

    api("GET", "candidate", list_candidates, "candidates")
    api("GET", "candidate/{slug}/history", get_history, "history")
    api("GET", "deal", list_deals, "deals")
    api("GET", "job/{slug}", get_job, "job")
    api("DELETE", "{kind:candidate|job}/{slug}", delete, "delete")
    control("GET", "settings", show_settings)
    control("POST", "settings", set_settings)
    control("POST", "change", change)
    control("POST", "change_deals", change_deals)
    control("POST", "mark", mark)
    control("GET", "truth", truth)
