"""The API of the fake Comeet, and its control API.

The facts are those of vendors/comeet.md; a comment names the section and the tier (V documented,
T observed by others, I inferred). Where the vendor is silent this fake takes the answer that is
hardest on a careless client, and the comment says "assumed".

Endpoints under `/comeet` (route names): comeet.create, comeet.list, comeet.candidate,
comeet.update, comeet.files, comeet.add_file, comeet.positions, comeet.position,
comeet.position_candidates, comeet.deleted.
Control API under `/_control/comeet`: positions, settings, fill, move, edit_position, merge, erase,
summary, truth, reset.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import random
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from integration_tests.sandbox.comeet.data import (
    POSITION_STATUSES,
    STATUSES,
    Account,
    Candidate,
    Json,
    Position,
    candidate_object,
    file_objects,
    made_up_fields,
    position_object,
    process_object,
    truth_row,
)
from integration_tests.sandbox.comeet.settings import SETTING_RULES, RateLimit, is_number
from integration_tests.sandbox.people import mix

if TYPE_CHECKING:
    from integration_tests.sandbox.world import World

API_KEY = "comeet-key"
SECRET = "comeet-secret"  # noqa: S105 - the fake's own, made up
LONGEST_TOKEN_SECONDS = 3600
"""Assumed: the longest lifetime is not documented (section 2); the samples use 600 s."""

MAX_FILE_BYTES = 6_000_000
MAX_BODY_BYTES = 20_000_000
"""Assumed: 6 MB is documented for files, but neither decimal or binary nor a whole (section 12)."""

PROSPECT_STATUSES = (
    "Sourced", "Contacted", "Responded", "Interested", "Not interested", "Do not contact",
)  # fmt: skip
UPDATER_TYPES = ("user", "source_contact", "other", "app")

RESUME_TYPES = frozenset({".pdf", ".doc", ".docx"})
IMAGE_TYPES = frozenset({".jpeg", ".jpg", ".tiff", ".tif", ".png", ".gif", ".bmp", ".jfif", ".ico"})
FILE_TYPES = RESUME_TYPES | IMAGE_TYPES | {
    ".xlsx", ".zip", ".pptx", ".msg", ".rar", ".xls", ".csv", ".gsheet", ".xml", ".7z", ".txt",
    ".gz", ".gdoc", ".ppsx", ".ppt", ".ics", ".html", ".htm", ".eml", ".dwg", ".gl", ".cs", ".css",
    ".py", ".java", ".json", ".mp3", ".mp4", ".psd", ".odt", ".pem", ".cpp", ".swf", ".apk", ".sql",
    ".mov", ".dash", ".p7s", ".dat", ".ipynb", ".rtf", ".log", ".pages",
}  # fmt: skip

NOBODY_IS_THIS_FAR = 10**9

Handler = Callable[["Account", web.Request], Awaitable[web.StreamResponse]]


def mount(app: web.Application, world: World) -> None:
    """Add the fake and its control API to `app`. It holds what is posted to it until a reset."""
    account = Account(world)

    def api(method: str, path: str, name: str, permission: str | None, handler: Handler) -> None:
        guarded_handler = guarded(account, permission, handler)
        app.router.add_route(method, f"/comeet{path}", guarded_handler, name=f"comeet.{name}")

    api("POST", "/candidates", "create", "create", create)
    api("GET", "/candidates", "list", "retrieve_candidates", list_candidates)
    api("GET", "/candidates/{uid}", "candidate", "retrieve_candidates", get_candidate)
    api("PATCH", "/candidates/{uid}", "update", "update", update)
    api("GET", "/candidates/{uid}/files", "files", "retrieve_candidates", list_files)
    api("POST", "/candidates/{uid}/files", "add_file", "add_files", add_file)
    api("GET", "/positions", "positions", "retrieve_positions", list_positions)
    api("GET", "/positions/{uid}", "position", "retrieve_positions", get_position)
    api("GET", "/positions/{uid}/candidates", "position_candidates", "retrieve_candidates",
        list_position_candidates)  # fmt: skip
    # Assumed: needs no permission of its own, for the terms oblige every integration to read it.
    api("GET", "/deleted-candidates", "deleted", None, list_deleted)
    # T, section 1: a version segment leads to the marketing site.
    app.router.add_route("*", "/comeet/v1/{tail:.*}", marketing_site, name="comeet.marketing_site")

    def control(method: str, path: str, handler: Handler) -> None:
        app.router.add_route(method, f"/_control/comeet{path}", plain(account, handler))

    control("GET", "/positions", control_positions)
    control("GET", "/settings", control_settings)
    control("POST", "/settings", control_settings)
    control("POST", "/fill", control_fill)
    control("POST", "/move", control_move)
    control("POST", "/edit_position", control_edit_position)
    control("POST", "/merge", control_merge)
    control("POST", "/erase", control_erase)
    control("POST", "/reset", control_reset)
    control("GET", "/summary", control_summary)
    control("GET", "/truth", control_truth)


class Refusal(Exception):
    """An answer in the vendor's error envelope (section 7, V)."""

    def __init__(self, status: int, error: str, message: str, **extras: object) -> None:
        """Extras stand in the envelope beside the three fields."""
        super().__init__(message)
        self.status = status
        self.body = {"status": status, "error": error, "message": message, **extras}
        self.headers: dict[str, str] = {}


def invalid(message: str) -> Refusal:
    """Assumed: the code and body of a validation error are not documented (section 12)."""
    return Refusal(400, "validation_error", message)


def answer(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Answer JSON."""
    return web.Response(
        body=orjson.dumps(body), status=status, headers=headers, content_type="application/json"
    )


def plain(
    account: Account, handler: Handler
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Put the handler on this account; what it refuses is answered in the envelope."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(account, request)
        except Refusal as refusal:
            return answer(refusal.body, refusal.status, refusal.headers)

    return handle


def guarded(
    account: Account, permission: str | None, handler: Handler
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Put the handler behind the token, the rate limit and the permission, in this order."""

    async def behind(account: Account, request: web.Request) -> web.StreamResponse:
        check_token(account, request.headers.get("Authorization", ""))
        check_rate(account)
        if permission is not None and not getattr(account.settings, permission):
            raise Refusal(403, "no_permission", f"This integration may not: {permission}")
        return await handler(account, request)

    return plain(account, behind)


def check_token(account: Account, authorization: str) -> None:
    """Refuse all but a client-made HS256 token whose `exp` is an integer (section 2, V)."""
    match = re.fullmatch(r"Bearer (([\w-]+)\.([\w-]+))\.([\w-]+)", authorization, re.ASCII)
    if match is None:
        raise unauthorized("A bearer token in three parts is required")
    signed, header_part, claims_part, signature_part = match.groups()
    try:
        header = orjson.loads(from_base64url(header_part))
        claims = orjson.loads(from_base64url(claims_part))
        signature = from_base64url(signature_part)
    except ValueError:
        raise unauthorized("The token cannot be decoded") from None
    if not isinstance(header, dict) or header.get("alg") != "HS256":
        raise unauthorized("The token must be signed with HS256")
    right = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(signature, right):
        raise unauthorized("The signature is wrong")
    if not isinstance(claims, dict) or claims.get("iss") != API_KEY:
        raise unauthorized("iss is not the key of an active integration")
    expires = claims.get("exp")
    if type(expires) is not int:
        raise unauthorized("exp must be an integer")
    ahead = expires - account.world.clock.epoch()
    if account.settings.check_expiry and not 0 < ahead <= LONGEST_TOKEN_SECONDS:
        raise unauthorized("exp has passed or lies more than an hour ahead")


def unauthorized(message: str) -> Refusal:
    """Assumed: the body of an authentication error is not documented (section 7)."""
    return Refusal(401, "unauthorized", message)


def from_base64url(part: str) -> bytes:
    """Decode a part of a token, which carries no padding."""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def check_rate(account: Account) -> None:
    """Refuse a call that is one too many; a refused call does not count."""
    rule = account.settings.rate_limit
    if rule is None:
        return
    now = account.world.clock.epoch()
    calls = account.recent_calls
    while calls and not now - rule.window_seconds < calls[0] <= now:
        calls.popleft()
    if len(calls) < rule.limit:
        calls.append(now)
        return
    wait = max(1, math.ceil(calls[-rule.limit] + rule.window_seconds - now))
    refusal = Refusal(429, "too_many_requests", "Slow down")
    if rule.retry_after == "seconds":
        refusal.headers["Retry-After"] = str(wait)
    elif rule.retry_after == "date":
        moment = datetime.fromtimestamp(math.ceil(now) + wait, UTC)
        refusal.headers["Retry-After"] = format_datetime(moment, usegmt=True)
    raise refusal


# Candidates ---------------------------------------------------------------------------------------


async def create(account: Account, request: web.Request) -> web.Response:
    """POST /candidates (section 3). Validation comes first, then the position, then the guard."""
    fields = read_fields(await read_object(request), CREATE_FIELDS)
    for name in ("first_name", "last_name", "position_uid"):
        if name not in fields:
            raise invalid(f"{name} is required")
    position = account.positions.get(fields.pop("position_uid"))
    if position is None:
        raise Refusal(400, "invalid_position", "position_uid: no such position")
    if position.status == "closed":
        raise Refusal(400, "invalid_position", "position_uid: this position is closed")
    # Optional in the newest capture (section 9); without it nothing guards against a repeat.
    partner = fields.pop("partner_candidate_id", None)
    existing = account.in_progress(position, partner)
    if existing is not None:
        existing.posts += 1
        account.conflicts += 1
        raise Refusal(
            409,
            "candidate_post_conflict",
            "A candidate with this partner_candidate_id is in progress in this position",
            candidate_uid=existing.real_id,  # V: a number here; I: the REAL_ID space
        )
    candidate = account.add(position, partner, fields)
    reply = written(account, candidate, account.settings.create_status)
    account.drift(candidate)
    return reply


async def update(account: Account, request: web.Request) -> web.Response:
    """PATCH /candidates/{uid}: the newest capture's fields only, each replaced as a whole.

    Takes the string uid alone; whether fields are merged is not documented (assumed: replaced).
    """
    candidate = editable(account, request)
    changes = read_fields(await read_object(request), UPDATE_FIELDS)
    changes.pop("updated_by", None)
    if candidate.fields is not None:
        candidate.fields = orjson.dumps(orjson.loads(candidate.fields) | changes)
    if changes:
        candidate.updated = account.now()
    account.patches += 1
    return written(account, candidate, 200)


async def get_candidate(account: Account, request: web.Request) -> web.Response:
    """GET /candidates/{uid}; a numeric id only with the header (section 4, V)."""
    refuse_unknown_parameters(request, {"include"})
    uid = request.match_info["uid"]
    by_real_id = request.headers.get("IDENTIFIER_TYPE") == "REAL_ID"
    candidate = account.by_real_id(uid) if by_real_id else account.by_uid(uid)
    if candidate is None:
        raise Refusal(404, "not_found", "No such candidate")
    if candidate.deleted is not None:
        return answer({"uid": candidate.uid, "deleted": True})
    refuse_merged(candidate)
    return answer(read_candidate(account, candidate))


async def list_candidates(account: Account, request: web.Request) -> web.Response:
    """GET /candidates, oldest first. Merged ones are never listed, deleted ones if asked."""
    bounds = [(name, *time_bounds(request, name)) for name in CANDIDATE_TIMES]
    refuse_unknown_parameters(
        request,
        {"status", "deleted", "limit", "cursor"}
        | {f"{name}:{side}" for name in CANDIDATE_TIMES for side in ("after", "before")},
    )
    statuses = chosen(request, "status", STATUSES)
    shown = {"True": {True}, "False": {False}, "": {False, account.settings.list_deleted}}
    deleted = request.query.get("deleted", "")
    if deleted not in shown:
        raise invalid("deleted must be True or False")  # V, section 10: capitalised
    checks = [
        (CANDIDATE_TIMES[name], after, before)
        for name, after, before in bounds
        if after > -math.inf or before < math.inf
    ]

    def wanted(candidate: Candidate) -> bool:
        for time_of, after, before in checks:
            if not after < time_of(candidate) < before:
                return False
        return (
            candidate.status in statuses
            and candidate.merged_into is None
            and (candidate.deleted is not None) in shown[deleted]
        )

    return candidates_page(account, request, wanted)


async def list_position_candidates(account: Account, request: web.Request) -> web.Response:
    """GET /positions/{uid}/candidates. T: those rejected at the first screen are missing."""
    refuse_unknown_parameters(request, {"limit", "cursor"})
    position = known_position(account, request)

    def wanted(candidate: Candidate) -> bool:
        return (
            candidate.position is position
            and candidate.is_live
            and candidate.status != "Rejected"
        )  # fmt: skip

    return candidates_page(account, request, wanted)


async def list_deleted(account: Account, request: web.Request) -> web.Response:
    """GET /deleted-candidates: a bare array of uids (section 4, V)."""
    refuse_unknown_parameters(request, {"time_deleted:after", "time_deleted:before"})
    after, before = time_bounds(request, "time_deleted")
    return answer(
        [
            candidate.uid
            for candidate in account.candidates
            if candidate.deleted is not None and after < candidate.deleted < before
        ]
    )


async def list_files(account: Account, request: web.Request) -> web.Response:
    """GET /candidates/{uid}/files (section 4, V)."""
    return answer(file_objects(editable(account, request), account.now()))


async def add_file(account: Account, request: web.Request) -> web.Response:
    """POST /candidates/{uid}/files (section 4, V): nothing guards against the same file again."""
    candidate = editable(account, request)
    sent = await read_object(request)
    account.add_file(candidate, attachment("file", sent, FILE_TYPES))
    return answer(file_objects(candidate, account.now()))


def editable(account: Account, request: web.Request) -> Candidate:
    """Return the candidate of the path, which is neither deleted nor merged."""
    candidate = account.by_uid(request.match_info["uid"])
    if candidate is None or candidate.deleted is not None:
        raise Refusal(404, "candidate_not_found", "No such candidate")
    refuse_merged(candidate)
    return candidate


def read_candidate(account: Account, candidate: Candidate) -> Json:
    """Return a candidate as reads show it under the permissions that are set."""
    with_contact = account.settings.source_contacts
    return candidate_object(candidate, account.now(), with_contact=with_contact)


def refuse_merged(candidate: Candidate) -> None:
    """V, section 7: 401 here means merged into another record, not a bad token."""
    if candidate.merged_into is not None:
        raise Refusal(401, "duplicate_candidate", "This candidate was merged into another one")


def written(account: Account, candidate: Candidate, status: int) -> web.Response:
    """Answer a create or an update that was done."""
    if account.settings.empty_answers or status in (204, 205):
        return web.Response(status=status)
    return answer(process_object(candidate), status)


def candidates_page(
    account: Account, request: web.Request, wanted: Callable[[Candidate], bool]
) -> web.Response:
    """Answer the wanted candidates from the cursor on, as many as asked for."""
    limit = page_limit(account, request, default=100, most=1000)  # T, section 5: 1000 is used
    start = page_start(account, request)
    found: list[Candidate] = []
    following = None
    for number in range(start, len(account.candidates)):
        candidate = account.candidates[number]
        if wanted(candidate):
            if len(found) == limit:
                following = number
                break
            found.append(candidate)
    body: Json = {"candidates": [read_candidate(account, candidate) for candidate in found]}
    return answer(body | next_page(account, request, following))


# Positions ----------------------------------------------------------------------------------------


async def list_positions(account: Account, request: web.Request) -> web.Response:
    """GET /positions; without `status` open and closed ones come (section 4, T)."""
    refuse_unknown_parameters(request, {"status", "limit", "cursor"})
    statuses = chosen(request, "status", ("open", "on hold", "closed"))
    limit = page_limit(account, request, default=100, most=500)  # T, section 5: 500 is used
    start = page_start(account, request)
    found = [
        position
        for position in account.positions.values()
        if position.status in statuses and position.number >= start
    ]
    following = found[limit].number if len(found) > limit else None
    body: Json = {"positions": [position_object(position) for position in found[:limit]]}
    return answer(body | next_page(account, request, following))


async def get_position(account: Account, request: web.Request) -> web.Response:
    """GET /positions/{uid}."""
    return answer(position_object(known_position(account, request)))


def known_position(account: Account, request: web.Request) -> Position:
    """Return the position of the path."""
    position = account.positions.get(request.match_info["uid"])
    if position is None:
        raise Refusal(404, "not_found", "No such position")
    return position


# Query parameters and pages -----------------------------------------------------------------------


CANDIDATE_TIMES: dict[str, Callable[[Candidate], int]] = {
    # V, section 10: the filter is "change", the field "changed".
    "time_created": lambda candidate: candidate.created,
    "time_last_status_change": lambda candidate: candidate.status_changed,
    "time_hiring_process_updated": lambda candidate: candidate.updated,
    "time_person_last_activity": lambda candidate: candidate.updated,
}


def refuse_unknown_parameters(request: web.Request, known: Iterable[str]) -> None:
    """Assumed: a misspelt filter that is ignored would show everybody, so it is refused here."""
    unknown = request.query.keys() - set(known)
    if unknown:
        raise invalid(f"Unknown parameters: {', '.join(sorted(unknown))}")


def chosen(request: web.Request, name: str, known: tuple[str, ...]) -> set[str]:
    """Return the values of a comma list, all of them if it is not given."""
    if name not in request.query:
        return set(known)
    values = set(request.query[name].split(","))
    if not values <= set(known):
        raise invalid(f"{name} must be of: {', '.join(known)}")
    return values


def time_bounds(request: web.Request, name: str) -> tuple[float, float]:
    """After and before; assumed: both ends are excluded, at the second the API shows."""
    bounds = []
    for side, none in (("after", -math.inf), ("before", math.inf)):
        text = request.query.get(f"{name}:{side}")
        if text is None:
            bounds.append(none)
            continue
        try:
            moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise invalid(f"{name}:{side} must look like 2025-03-05T08:00:00Z") from None
        bounds.append(moment.timestamp())
    return bounds[0], bounds[1]


def page_limit(account: Account, request: web.Request, default: int, most: int) -> int:
    """Return how many rows come: `limit`, which must be in range, or fewer."""
    limit = whole_number(request, "limit", default)
    if not 1 <= limit <= most:
        raise invalid(f"limit must be from 1 to {most}")
    return min(limit, account.settings.most_on_a_page or limit)


def page_start(account: Account, request: web.Request) -> int:
    """Return `cursor`: the number of the first row that may be on this page."""
    if "cursor" in request.query and account.settings.links == "refused":
        raise invalid("cursor: unknown or expired")
    if "cursor" in request.query and account.settings.links == "empty":
        return NOBODY_IS_THIS_FAR
    return whole_number(request, "cursor", 0)


def whole_number(request: web.Request, name: str, default: int) -> int:
    """Return a parameter that must be a whole number."""
    text = request.query.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise invalid(f"{name} must be a whole number")
    return int(text)


def next_page(account: Account, request: web.Request, following: int | None) -> Json:
    """Return the link, an absolute URL, absent on the last page (section 5, T)."""
    if following is None:
        return {}
    url = request.url.update_query({"cursor": str(following)})
    origin = account.settings.next_page_origin or str(url.origin())
    return {"next_page": origin.rstrip("/") + str(url.relative())}


async def marketing_site(_request: web.Request) -> web.Response:
    """Answer what is no API path: HTML, not the envelope."""
    return web.Response(
        text="<!DOCTYPE html><html><body><h1>Page not found</h1></body></html>",
        status=404,
        content_type="text/html",
    )


# Bodies -------------------------------------------------------------------------------------------


async def read_object(request: web.Request) -> Json:
    """Return the body, which must be a JSON object of a bearable size."""
    # Not request.read(): the size that counts is the vendor's, and its refusal is JSON.
    # What a fault has read before, to find a text in it, is kept.
    raw = await (request.read() if request.content.at_eof() else request.content.read())
    if len(raw) > MAX_BODY_BYTES:
        raise Refusal(413, "payload_too_large", f"The body exceeds {MAX_BODY_BYTES} bytes")
    if request.content_type != "application/json":
        raise Refusal(415, "unsupported_media_type", "Content-Type must be application/json")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise invalid("The body is not JSON") from None
    if not isinstance(body, dict):
        raise invalid("The body must be an object")
    return body


def read_fields(body: Json, allowed: frozenset[str]) -> Json:
    """Return the body as it is stored: each field checked, files as name, size and SHA-256.

    Assumed: unknown fields, null and empty strings are refused, since their effect is not
    documented (section 12) and a client should not rely on it.
    """
    fields = {}
    for name, value in body.items():
        if name not in allowed:
            raise invalid(f"{name}: not a field of this endpoint")
        fields[name] = FIELD_CHECKS.get(name, text)(name, value)
    return fields


def text(name: str, value: object) -> str:
    """Return a string that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise invalid(f"{name} must be a string that is not empty")
    return value


def one_of(name: str, value: object, known: tuple[str, ...]) -> str:
    """Return one of the known strings."""
    if value not in known:
        raise invalid(f"{name} must be one of: {', '.join(known)}")
    return text(name, value)


def texts(
    name: str, value: object, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return an object of strings that has these keys and no others."""
    if not isinstance(value, dict):
        raise invalid(f"{name} must be an object")
    missing = set(required) - value.keys()
    unknown = value.keys() - set(required) - set(optional)
    if missing or unknown:
        raise invalid(f"{name}: missing {sorted(missing)}, unknown {sorted(unknown)}")
    return {key: text(f"{name}.{key}", item) for key, item in value.items()}


def array(name: str, value: object) -> list[Any]:
    """Return a list of anything."""
    if not isinstance(value, list):
        raise invalid(f"{name} must be an array")
    return value


def links(name: str, value: object) -> list[dict[str, str]]:
    """Check each link."""
    return [texts(name, item, ("url",)) for item in array(name, value)]


def source_contact(name: str, value: object) -> dict[str, str]:
    """Only the address is required in every capture (section 9); the example has no name."""
    return texts(name, value, ("email",), ("full_name", "phone"))


def address(name: str, value: object) -> dict[str, str]:
    """Check an address; keys other than those of the sample are not known to exist."""
    return texts(name, value, (), ("country", "city", "state", "zip", "street"))


def custom_fields(name: str, value: object) -> dict[str, str]:
    """Strings only: other value types are not documented (section 12)."""
    if not isinstance(value, dict):
        raise invalid(f"{name} must be an object")
    return {key: text(f"{name}.{key}", item) for key, item in value.items()}


def updated_by(name: str, value: object) -> dict[str, str]:
    """Check who updates; it is not stored."""
    updater = texts(name, value, ("type", "name"), ("email",))
    one_of(f"{name}.type", updater["type"], UPDATER_TYPES)
    return updater


def prospect_status(name: str, value: object) -> str:
    """Check the enum; the exact text counts."""
    return one_of(name, value, PROSPECT_STATUSES)


def resume(name: str, value: object) -> Json:
    """Check the resume; the newest capture takes three types (section 9)."""
    return attachment(name, value, RESUME_TYPES)


def picture(name: str, value: object) -> Json:
    """Assumed: the limits of other files, images only; `name` may be missing (section 12)."""
    if isinstance(value, dict):
        value = {"name": "picture.png", **value}
    return attachment(name, value, IMAGE_TYPES)


def files(name: str, value: object) -> list[Json]:
    """Check each file."""
    return [attachment(name, item, FILE_TYPES) for item in array(name, value)]


def attachment(name: str, value: object, types: frozenset[str]) -> Json:
    """One bad file fails the whole request (V for the add-file endpoint, assumed here)."""
    sent = texts(name, value, ("name", "file"))
    stem, dot, extension = sent["name"].rpartition(".")
    # The reference's example of a create has a file without an extension (V).
    is_known = stem and dot + extension.lower() in types
    if not is_known and (dot or types is not FILE_TYPES):
        raise Refusal(400, "invalid_file", f"{name}: this type of file is not allowed")
    try:
        content = base64.b64decode(sent["file"], validate=True)
    except ValueError:
        raise Refusal(400, "invalid_file", f"{name}: not clean base64") from None
    if len(content) > MAX_FILE_BYTES:
        raise Refusal(413, "file_too_large", f"{name}: a file exceeds {MAX_FILE_BYTES} bytes")
    digest = hashlib.sha256(content).hexdigest()
    return {"name": sent["name"], "size": len(content), "sha256": digest}


FIELD_CHECKS: dict[str, Callable[[str, object], object]] = {
    "address": address,
    "custom_fields": custom_fields,
    "files": files,
    "links": links,
    "picture": picture,
    "prospect_status": prospect_status,
    "resume": resume,
    "source_contact": source_contact,
    "updated_by": updated_by,
}
CREATE_FIELDS = frozenset({
    "position_uid", "partner_candidate_id", "first_name", "middle_name", "last_name", "email",
    "phone", "mobile_phone", "national_id", "linkedin_url", "salary_expectations",
    "prospect_status", "resume", "picture", "links", "files", "source_contact", "address",
    "custom_fields", "note",
})  # fmt: skip
UPDATE_FIELDS = frozenset({
    "updated_by", "first_name", "middle_name", "last_name", "email", "phone", "mobile_phone",
    "national_id", "linkedin_url", "prospect_status", "address", "custom_fields",
})  # fmt: skip


# The control API ---------------------------------------------------------------------------------


async def control_positions(account: Account, _request: web.Request) -> web.Response:
    """All positions, as the API shows them."""
    return answer([position_object(each) for each in account.positions.values()])


async def control_settings(account: Account, request: web.Request) -> web.Response:
    """GET: the settings. POST: change those named, all or none; answers all of them."""
    if request.method == "POST":
        changes = await read_object(request)
        for name, value in changes.items():
            if name not in SETTING_RULES or not SETTING_RULES[name](value):
                raise invalid(f"{name}: no such setting, or not a value for it")
        for name, value in changes.items():
            setattr(
                account.settings, name, RateLimit(**value) if isinstance(value, dict) else value
            )
    return answer(asdict(account.settings))


async def control_fill(account: Account, request: web.Request) -> web.Response:
    """Create this many made-up candidates at once, as another source would, in open positions."""
    count = (await read_object(request)).get("count")
    if type(count) is not int or count < 1:
        raise invalid("count must be a whole number above 0")
    positions = [each for each in account.positions.values() if each.status == "open"]
    for _ in range(count):
        number = len(account.candidates)
        fields = made_up_fields(account.world.seed, number)
        account.add(positions[number % len(positions)], None, fields)
    return answer({"created": count})


async def control_edit_position(account: Account, request: web.Request) -> web.Response:
    """Give a position a status, as a recruiter would."""
    body = await read_object(request)
    position = account.positions.get(str(body.get("uid")))
    if position is None:
        raise invalid("No such position")
    position.status = one_of("status", body.get("status"), POSITION_STATUSES)
    position.updated = account.now()
    return answer(position_object(position))


async def control_move(account: Account, request: web.Request) -> web.Response:
    """Make recruiters decide: that fraction of those that are not there yet get the status."""
    body = await read_object(request)
    status = one_of("status", body.get("status"), STATUSES)
    fraction = body.get("fraction", 1.0)
    if not is_number(fraction) or not 0 <= fraction <= 1:
        raise invalid("fraction must be from 0 to 1")
    uids = body.get("uids")
    among = account.candidates if uids in (None, "all") else named(account, uids)
    movable = [each for each in among if each.is_live and each.status != status]
    account.moves += 1
    dice = random.Random(mix(account.world.seed, account.moves, 2))  # noqa: S311 - repeatable
    for candidate in dice.sample(movable, round(fraction * len(movable))):
        account.move(candidate, status)
    return answer({"moved": round(fraction * len(movable))})


async def control_merge(account: Account, request: web.Request) -> web.Response:
    """Make the customer merge one candidate into another: the first is then a duplicate."""
    body = await read_object(request)
    candidate, into = named(account, [body.get("uid"), body.get("into")])
    if candidate is into or not candidate.is_live or not into.is_live:
        raise invalid("uid and into must be two candidates that are neither merged nor deleted")
    candidate.merged_into = into
    candidate.updated = account.now()
    return answer({"merged": candidate.uid, "into": into.uid})


async def control_erase(account: Account, request: web.Request) -> web.Response:
    """Make the customer delete candidates: only their uids remain visible, listed as deleted."""
    erased = [
        each
        for each in named(account, (await read_object(request)).get("uids"))
        if each.deleted is None
    ]
    for candidate in erased:
        candidate.deleted = candidate.updated = account.now()
        candidate.fields = None
    return answer({"erased": len(erased)})


async def control_reset(account: Account, _request: web.Request) -> web.Response:
    """Forget all candidates and settings, for tests that share one sandbox."""
    account.reset()
    return answer({"reset": True})


async def control_summary(account: Account, _request: web.Request) -> web.Response:
    """Exact counts; `duplicates` is creates beyond the first with that partner id and position."""
    return answer(
        {
            "created": len(account.candidates),
            "duplicates": account.duplicates,
            "conflicts": account.conflicts,
            "patches": account.patches,
        }
    )


async def control_truth(account: Account, request: web.Request) -> web.StreamResponse:
    """Every candidate ever created as NDJSON, oldest first, streamed."""
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    candidates = account.candidates
    for start in range(0, len(candidates), 1000):
        rows = (orjson.dumps(truth_row(each)) for each in candidates[start : start + 1000])
        await response.write(b"\n".join(rows) + b"\n")
    await response.write_eof()
    return response


def named(account: Account, uids: object) -> list[Candidate]:
    """Return the candidates with these uids, all of which must exist."""
    if not isinstance(uids, list):
        raise invalid("uids must be a list")
    found = [account.by_uid(uid) if isinstance(uid, str) else None for uid in uids]
    known = [candidate for candidate in found if candidate is not None]
    if len(known) != len(uids):
        raise invalid("No such candidate among them")
    return known
