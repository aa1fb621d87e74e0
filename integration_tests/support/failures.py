"""What can go wrong with a call, and what leads to each call of every vendor.

`test_failures.py` puts each failure before each endpoint; what is to happen then stands in
`failure_outcomes.md`, vendor by vendor.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from integration_tests.sandbox.running import Sandbox
from integration_tests.support import writer
from integration_tests.support.connector import Connector, QuickClock, Run, catalog
from integration_tests.support.writer import Writer, person, record, state
from unit_tests.destination_comeet.samples import make, sqlite

CANARY = "Canaryqvist"
"""Ends every text that the vendors tell of people, and that is written to them."""

SECRETS = (
    "ks_dev_sandbox", "TGC-", "sandbox-client", "sandbox-secret", "atz-sandbox", "comeet-key",
    "comeet-secret", "Bearer ", "OAUTH", "eyJhbGciOi",
)  # fmt: skip
"""What the connectors log in with, made tokens included. The last is how a JWT begins; less of it
may stand in a hash by chance."""

OTHER_HOST = "http://localhost:{port}"
"""The sandbox again, but by a name that is not the configured one."""

Fault = dict[str, Any]


def answer(status: int, body: object = None, **headers: str) -> Fault:
    """Return the fault that answers so."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"kind": "status", "status": status, "headers": named, "body": body}


def body(content: object, *, status: int = 200) -> Fault:
    """Return the fault that answers with this content, JSON unless it is text."""
    return {"kind": "body", "status": status, "body": content}


def replaced(at: str, *value: object) -> Fault:
    """Return the fault that puts a value in a place of the right answer; none: removes it."""
    return {"kind": "replace", "at": at, **({"value": value[0]} if value else {})}


def kombo_error(code: str | None, status: int) -> Fault:
    """Return an answer in Kombo's error envelope, whose text quotes the call."""
    error = {"code": code, "title": "Bad", "message": "{sent}", "log_url": None}
    return answer(status, {"status": "error", "error": error})


def comeet_error(status: int, code: str, **more: object) -> Fault:
    """Return an answer in Comeet's error envelope, whose text quotes the call."""
    return answer(status, {"status": status, "error": code, "message": "{sent}", **more})


STATUSES = (400, 401, 403, 404, 405, 408, 410, 413, 422, 500, 502, 503, 504, 522)

FAILURES: Mapping[str, Fault] = {
    **{str(status): answer(status, "{sent}") for status in STATUSES},
    "502 with HTML": {"kind": "html", "status": 502},
    # Rate limits
    "429": answer(429, "{sent}"),
    "429 Retry-After: 600": answer(429, Retry_After="600"),
    "429 Retry-After: a date": answer(429, Retry_After="{in 600}"),
    "429 Retry-After: 0": answer(429, Retry_After="0"),
    "429 Retry-After: a past date": answer(429, Retry_After="{in -600}"),
    "429 Retry-After: nonsense": answer(429, Retry_After="in a -1.5 while"),
    "429 Retry-After: 3600": answer(429, Retry_After="3600"),
    "429 Retry-After: a far date": answer(429, Retry_After="Fri, 31 Dec 9999 23:59:59 -1200"),
    "429 Retry-After: too large": answer(429, Retry_After="9" * 400),
    "429 X-RateLimit-Reset": answer(429, X_RateLimit_Reset="1999999999"),
    # Redirects
    "301 to another host": answer(301, Location=OTHER_HOST),
    "302 to another host": answer(302, Location=OTHER_HOST),
    "307 to another host": answer(307, Location=OTHER_HOST),
    "302 to nowhere": answer(302),
    # Connections
    "reset": {"kind": "reset"},
    "reset midway": {"kind": "reset_midway"},
    "closed without an answer": {"kind": "lost_answer"},
    "closed midway": {"kind": "truncate"},
    "a petabyte announced": {"kind": "truncate", "announced": 10**15},
    "2^70 bytes announced": {"kind": "truncate", "announced": 2**70},
    "no answer in time": {"kind": "stall"},
    "no more in time": {"kind": "stall_midway"},
    # Bodies
    "half of the JSON": {"kind": "half_json"},
    "half of the gzip": {"kind": "half_gzip"},
    "broken gzip": {"kind": "bad_gzip"},
    "html": {"kind": "html"},
    "empty": {"kind": "empty"},
    "null": body("null"),
    "{}": body({}),
    "[]": body([]),
    '"text"': body('"Mira"'),
    "7": body(7),
    "NaN": body("NaN"),
    "another envelope": body({"answer": {"people": "{sent}"}}),
    "nested too deeply": body("[" * 100_000 + "]" * 100_000),
    "an error with 200": body({"error": {"code": "ODD", "message": "{sent}"}, "message": "{sent}"}),
    # Headers of a right answer
    "Date: nonsense": {"kind": "headers", "headers": {"Date": "yesterday"}},
    "Date: year 9999": {"kind": "headers", "headers": {"Date": "Fri, 31 Dec 9999 23:59:59 -1200"}},
    "Date: year 1": {"kind": "headers", "headers": {"Date": "Mon, 01 Jan 0001 00:00:00 +1200"}},
    "X-Request-Id: what was sent": {"kind": "headers", "headers": {"X-Request-Id": "{sent}"}},
}
"""What can happen to any call. The names are those of `failure_outcomes.md`."""

FAILURES_OF: Mapping[str, Mapping[str, Fault]] = {
    "kombo": {
        "429 ratelimit-reset: 600": answer(429, ratelimit_reset="600"),
        "429 ratelimit-reset: nonsense": answer(429, ratelimit_reset="-9"),
        **{
            code: kombo_error(code, status)
            for code, status in {
                "PLATFORM.RATE_LIMIT_EXCEEDED": 400,
                "PLATFORM.CONCURRENCY_LIMIT_EXCEEDED": 400,
                "PLATFORM.AUTHENTICATION_INVALID": 400,
                "PLATFORM.IP_NOT_WHITELISTED": 400,
                "PLATFORM.INTEGRATION_NOT_FOUND": 400,
                "PLATFORM.INPUT_INVALID": 400,
                "PLATFORM.UNKNOWN_ERROR": 400,
                "PLATFORM.TASK_TIMED_OUT": 400,
                "REMOTE.RATE_LIMIT_EXCEEDED": 400,
                "REMOTE.SERVICE_UNAVAILABLE": 400,
                "REMOTE.INPUT_INVALID": 400,
                "INTEGRATION.SETUP_SYNC_PENDING": 503,
                "INTEGRATION.SETUP_INCOMPLETE": 503,
                "INTEGRATION.QA_FAILED": 409,
                "INTEGRATION.INACTIVE": 400,
                "INTEGRATION.AUTHENTICATION_INVALID": 401,
                "INTEGRATION.PERMISSION_MISSING": 403,
                "INTEGRATION.MODEL_NOT_AVAILABLE": 404,
                "INTEGRATION.MODEL_DISABLED": 404,
            }.items()
        },
        "no code": kombo_error(None, 400),
        "a code that quotes": kombo_error("{sent}", 400),
        "PLATFORM.UNKNOWN_ERROR with 200": kombo_error("PLATFORM.UNKNOWN_ERROR", 200),
        "PLATFORM.INPUT_INVALID with 200": kombo_error("PLATFORM.INPUT_INVALID", 200),
    },
    "comeet": {
        "400 bad_request": comeet_error(400, "bad_request"),
        "400 with a sentence": comeet_error(400, "{sent}"),
        "401 duplicate_candidate": comeet_error(401, "duplicate_candidate"),
        "401 unauthorized": comeet_error(401, "unauthorized"),
        "403 no_permission": comeet_error(403, "no_permission"),
        "404 not_found": comeet_error(404, "not_found"),
        "409 candidate_post_conflict": comeet_error(
            409, "candidate_post_conflict", candidate_uid=None
        ),
        "500 error": comeet_error(500, "error"),
        "400 with 200": body({"status": 400, "error": "bad_request", "message": "{sent}"}),
    },
}
"""The vendors' own error codes."""


@dataclass
class Seen:
    """How a run ended (a word of `failure_outcomes.md`), what it printed, how long it waited."""

    word: str
    messages: list[dict[str, Any]]
    waited: float


class Bench(Protocol):
    """A connector in front of the sandbox, in a folder of its own."""

    def run(self) -> Seen:
        """Run from the beginning, and from then on from where the run before came to."""
        ...

    def has_all(self) -> bool:
        """True if all runs together brought everything, and nothing twice."""
        ...


ENDS = {"config_error": "config", "transient_error": "transient", "system_error": "contract"}


class Reads:
    """The source, reading one stream."""

    def __init__(self, sandbox: Sandbox, folder: Path, stream: str, config: dict[str, Any]) -> None:
        """Read with this configuration."""
        self._connector = Connector(folder, config)
        self._stream = stream
        self._everything = _ids(sandbox, stream) or self._read_whole()
        self._seen: set[str] = set()
        self._states: list[Any] = []

    def run(self) -> Seen:
        """Read on from the last state."""
        clock = QuickClock(threading.Event())
        run = self._connector.run_quickly(
            "read", clock=clock, catalog=catalog(self._stream), state=self._states, debug=True
        )
        self._states = run.of("STATE")[-1:] or self._states
        self._seen |= self._keys(run)
        return Seen(self._word(run), run.messages, clock.waited)

    def _read_whole(self) -> set[str]:
        """Read while nothing fails: what a stream without an export of the sandbox should bring."""
        whole = catalog(self._stream)
        return self._keys(self._connector.run_quickly("read", catalog=whole))

    def _keys(self, run: Run) -> set[str]:
        key = {"candidate_history": "candidate_slug"}.get(self._stream, "id")
        key = "uid" if self._stream.startswith("comeet_") else key
        return {row[key] for row in run.records(self._stream)}

    def _word(self, run: Run) -> str:
        last = run.statuses(self._stream)[-1]
        if run.code == 0:
            assert last == "COMPLETE"
            assert not run.errors()
            if "set_aside" in run.state(self._stream):
                return "aside"
            return "done" if self.has_all() else "absent"
        assert (run.code, last) == (1, "INCOMPLETE")
        (error,) = run.errors()
        return ENDS[error["failure_type"]]

    def has_all(self) -> bool:
        """True if everybody was read."""
        return self._seen == self._everything


def _ids(sandbox: Sandbox, stream: str) -> set[str]:
    if stream == "candidate_history":
        rows = sandbox.truth("/_control/atz_crm/truth")
        return {row["slug"] for row in rows if row["history"]}
    if stream == "profiles":
        rows = sandbox.truth("/_control/talemetry/truth")
        return {row["id"] for row in rows if not row["deleted"]}
    if stream == "candidates":
        (integration,) = sandbox.look("/_control/kombo/integrations")
        rows = sandbox.truth("/_control/kombo/truth", integration_id=integration["id"])
        return {row["id"] for row in rows}
    return set()


class Checks:
    """The check of either connector."""

    def __init__(self, run: Callable[[QuickClock], tuple[int, list[dict[str, Any]]]]) -> None:
        """`run` does it."""
        self._run = run
        self._word = ""

    def run(self) -> Seen:
        """Check."""
        clock = QuickClock(threading.Event())
        code, messages = self._run(clock)
        (answer,) = [each for each in messages if each["type"] == "CONNECTION_STATUS"]
        assert code == 0
        assert not [each for each in messages if each["type"] == "TRACE"]
        self._word = "done" if answer["connectionStatus"]["status"] == "SUCCEEDED" else "failed"
        return Seen(self._word, messages, clock.waited)

    def has_all(self) -> bool:
        """True if it succeeded."""
        return self._word == "done"


class Writes:
    """The destination, writing one person."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        """Begin with an empty ledger and an empty Comeet."""
        self.writer = Writer(sandbox, folder)
        self.writer.config["rejected_path"] = str(folder / "rejected.jsonl")
        make(sqlite(folder / "ledger.db"))
        self.person = person(1, first_name=CANARY, email=f"mira@{CANARY}.example.org")

    def run(self) -> Seen:
        """Write the person and a state."""
        clock = QuickClock(threading.Event())
        run = self.writer.write(record(self.person), state(1), clock=clock, debug=True)
        return Seen(self._word(run), run.messages, clock.waited)

    def _word(self, run: writer.Run) -> str:
        if run.code == 0:
            (passed_on,) = run.states()
            return "refused" if passed_on["destinationStats"]["rejectedRecordCount"] else "done"
        assert run.code == 1
        assert not run.states()
        return ENDS[run.error()["failure_type"]]

    def has_all(self) -> bool:
        """True if the person is there, as written last, and once."""
        fields = [each["fields"] for each in self.writer.truth()]
        return [each["first_name"] for each in fields] == [self.person["first_name"]]


@dataclass(frozen=True)
class Endpoint:
    """An endpoint of a vendor, and what leads to it. Its name heads a column in the document."""

    name: str
    vendor: str
    call: str
    """The function of the vendor's `requests.py`."""
    route: str
    """What the sandbox calls it."""
    bench: Callable[[Sandbox, Path], Bench]
    before: Sequence[tuple[str, Fault]] = ()
    """Faults that lead to this endpoint."""
    after: int = 0
    """That many requests to the route are let through first: they serve another purpose."""
    one_child: bool = False
    """Only calls for a certain one of the children are struck."""
    stream: str = ""
    """The stream that is read, if one is."""
    like: str = ""
    """The endpoint with the same column in the document, where it has none of its own."""

    @property
    def has_children(self) -> bool:
        """True if one is asked for after the other, so that a failure is met several times."""
        children = {"talemetry.profiles", "atz_crm.history"}
        return self.route in children and not self.name.startswith("check")


def kombo(sandbox: Sandbox) -> dict[str, Any]:
    """Return a configuration that reads Kombo only."""
    ids = [each["id"] for each in sandbox.look("/_control/kombo/integrations")]
    section = {"api_key": "ks_dev_sandbox", "integration_ids": ids}
    return {"kombo": {**section, "base_url": f"{sandbox.url}/kombo/v1"}}


def talemetry(sandbox: Sandbox, *, exchange: bool = False) -> dict[str, Any]:
    """Return a configuration that reads Talemetry only."""
    token = {"auth_type": "token", "token": "TGC-sandbox"}
    client = {
        "auth_type": "client_credentials",
        "client_id": "sandbox-client",
        "client_secret": "sandbox-secret",
        "authorization_url": f"{sandbox.url}/talemetry/oauth/token",
    }
    section = {
        "credentials": client if exchange else token,
        "ids_base_url": f"{sandbox.url}/talemetry",
        "profiles_base_url": f"{sandbox.url}/talemetry",
        # One call after the other, so that they can be counted, and several for all people.
        "concurrent_requests": 1,
        "ids_per_request": 2,
    }
    return {"talemetry": section}


def atz_crm(sandbox: Sandbox, **more: Any) -> dict[str, Any]:
    """Return a configuration that reads ATZ CRM only."""
    section = {
        "access_token": "atz-sandbox",
        "base_url": f"{sandbox.url}/atz_crm/v1",
        "requests_per_minute": 6000,
        "min_hours_between_passes": 0,
        "concurrent_requests": 1,
        **more,
    }
    return {"atz_crm": section}


def comeet(sandbox: Sandbox) -> dict[str, Any]:
    """Return a configuration that reads Comeet only."""
    section = {"api_key": "comeet-key", "secret": "comeet-secret"}
    return {"comeet": {**section, "base_url": f"{sandbox.url}/comeet"}}


def job(sandbox: Sandbox) -> str:
    """Return a job in which somebody is."""
    rows = sandbox.truth("/_control/atz_crm/truth")
    return str(next(row["job_slug"] for each in rows for row in each["history"]))


def reads(stream: str, config: Callable[[Sandbox], dict[str, Any]]) -> Callable[..., Bench]:
    """Return what makes a bench that reads."""
    return lambda sandbox, folder: Reads(sandbox, folder, stream, config(sandbox))


def checks(config: Callable[[Sandbox], dict[str, Any]]) -> Callable[..., Bench]:
    """Return what makes a bench that checks the source."""

    def bench(sandbox: Sandbox, folder: Path) -> Bench:
        connector = Connector(folder, config(sandbox))

        def run(clock: QuickClock) -> tuple[int, list[dict[str, Any]]]:
            done = connector.run_quickly("check", clock=clock, debug=True)
            return done.code, done.messages

        return Checks(run)

    return bench


def checks_comeet(**settings: Any) -> Callable[..., Bench]:
    """Return what makes a bench that checks the destination."""

    def bench(sandbox: Sandbox, folder: Path) -> Bench:
        writer = Writer(sandbox, folder)
        writer.control("settings", **settings)

        def run(clock: QuickClock) -> tuple[int, list[dict[str, Any]]]:
            done = writer.check(clock=clock, debug=True)
            return done.code, done.messages

        return Checks(run)

    return bench


def updates(sandbox: Sandbox, folder: Path) -> Bench:
    """Return a bench that writes a person who is there and has changed."""
    bench = Writes(sandbox, folder)
    bench.run()
    bench.person["first_name"] = f"Zoë {CANARY}"
    return bench


def conflicts(sandbox: Sandbox, folder: Path) -> Bench:
    """Return a bench that writes a person who is there, which the ledger does not know."""
    Writes(sandbox, folder).run()
    again = folder / "again"
    again.mkdir()
    return Writes(sandbox, again)


VALUES: Mapping[str, tuple[object, ...]] = {
    "removed": (),
    "null": (None,),
    "7": (7,),
    "text": ("text",),
    "[]": ([],),
    "{}": ({},),
}
"""What is put in the places of an answer that the connector leans on."""

PLACES: Mapping[str, Sequence[str]] = {
    "candidates": (
        "data", "data.results", "data.results.0", "data.results.0.id", "data.next",
    ),
    "check: key": ("data", "data.environment_id"),
    "check: integration": (
        "data", "data.category", "data.status", "data.setup_status", "data.read_models",
    ),
    "token": ("access_token",),
    "listing": ("result", "result.Ids", "result.Ids.0", "result.Cursor"),
    "people": (
        "result", "result.Candidates", "result.Candidates.0", "result.Candidates.0.Candidate",
        "result.Candidates.0.Candidate.CandidateRecordInfo",
        "result.Candidates.0.Candidate.CandidateRecordInfo.Id.IdValue",
        "result.Candidates.0.Candidate.Resume", "result.Candidates.0.Candidate.UserArea",
    ),
    "list": ("0", "0.slug", "0.id", "0.updated_at"),
    "histories": (
        "0", "0.job_slug", "0.talent_stage", "0.talent_stage.id", "0.stage_date", "0.updated_at",
    ),
    "position": ("uid", "status"),
    "create": ("uid",),
    "ledger check": ("candidates", "candidates.0", "candidates.0.uid", "next_page"),
    "look up": ("candidates", "candidates.0", "candidates.0.uid", "candidates.0.position_uid",
                "candidates.0.email", "next_page"),
    "conflict": ("uid", "position_uid", "deleted", "email"),
    "update": ("uid",),
    "check: positions": ("positions", "positions.0", "positions.0.uid", "next_page"),
}  # fmt: skip
"""What the connector leans on in each answer, as paths into it."""

ENDPOINTS = (
    Endpoint("candidates", "kombo", "rows", "kombo.candidates", reads("candidates", kombo),
             stream="candidates"),
    Endpoint("check: key", "kombo", "check_api_key", "kombo.check_api_key", checks(kombo)),
    Endpoint("check: integration", "kombo", "integration", "kombo.integration", checks(kombo)),
    Endpoint("check: candidates", "kombo", "rows", "kombo.candidates", checks(kombo)),
    Endpoint(
        "token", "talemetry", "authorization", "talemetry.token",
        reads("profiles", lambda sandbox: talemetry(sandbox, exchange=True)),
    ),
    Endpoint("listing", "talemetry", "people_ids", "talemetry.ids", reads("profiles", talemetry),
             stream="profiles"),
    Endpoint("people", "talemetry", "profiles", "talemetry.profiles", reads("profiles", talemetry)),
    Endpoint(
        "one person", "talemetry", "profiles", "talemetry.profiles",
        reads("profiles", talemetry), one_child=True,
    ),
    Endpoint("check: listing", "talemetry", "people_ids", "talemetry.ids", checks(talemetry)),
    Endpoint("check: people", "talemetry", "profiles", "talemetry.profiles", checks(talemetry)),
    Endpoint(
        "list", "atz_crm", "list_page", "atz_crm.candidates",
        reads("candidate_history", atz_crm), stream="candidate_history",
    ),
    Endpoint(
        "histories", "atz_crm", "history", "atz_crm.history", reads("candidate_history", atz_crm)
    ),
    Endpoint(
        "one history", "atz_crm", "history", "atz_crm.history",
        reads("candidate_history", atz_crm), one_child=True,
    ),
    Endpoint("check: list", "atz_crm", "list_page", "atz_crm.candidates", checks(atz_crm)),
    Endpoint(
        "check: job", "atz_crm", "job", "atz_crm.job",
        checks(lambda sandbox: atz_crm(sandbox, job_slug=job(sandbox))),
    ),
    Endpoint("check: history", "atz_crm", "history", "atz_crm.history", checks(atz_crm)),
    Endpoint("position", "comeet", "position", "comeet.position", Writes),
    Endpoint("create", "comeet", "create", "comeet.create", Writes),
    Endpoint("ledger check", "comeet", "created_between", "comeet.list", Writes),
    Endpoint("look up", "comeet", "created_between", "comeet.list", Writes,
             before=[("comeet.create", {"kind": "lost_answer", "times": 1})], after=1),
    Endpoint("conflict", "comeet", "candidate", "comeet.candidate", conflicts),
    Endpoint("update", "comeet", "change", "comeet.update", updates),
    Endpoint("check: positions", "comeet", "positions", "comeet.positions", checks_comeet()),
    Endpoint("check: deleted", "comeet", "deleted_since", "comeet.deleted",
             checks_comeet(retrieve_positions=False)),
    Endpoint("check: list", "comeet", "created_between", "comeet.list", checks_comeet()),
    *(
        Endpoint(stream, "kombo", "rows",
                 f"kombo.{stream.removeprefix('kombo_').replace('_', '-')}",
                 reads(stream, kombo), stream=stream, like="candidates")
        for stream in ("kombo_applications", "kombo_application_stages", "kombo_jobs",
                       "kombo_users", "kombo_tags", "kombo_offers", "kombo_interviews",
                       "kombo_notes", "kombo_scorecards", "kombo_attachments",
                       "kombo_rejection_reasons", "kombo_roles")
    ),
    *(
        Endpoint(stream, "atz_crm", "list_page", f"atz_crm.{stream.removeprefix('atz_')}",
                 reads(stream, atz_crm), stream=stream, like="list")
        for stream in ("atz_candidates", "atz_deals")
    ),
    Endpoint("positions", "comeet", "positions", "comeet.positions",
             reads("comeet_positions", comeet), stream="comeet_positions"),
    Endpoint("candidates", "comeet", "active_since", "comeet.list",
             reads("comeet_candidates", comeet), stream="comeet_candidates", like="positions"),
    Endpoint("deleted", "comeet", "deleted_since", "comeet.deleted",
             reads("comeet_deleted_candidates", comeet), stream="comeet_deleted_candidates"),
)  # fmt: skip
"""All endpoints of all vendors; `test_failures.py` fails when one is missing."""


@dataclass
class Struck:
    """What came of a failure."""

    seen: Seen
    requests: int
    """How many came to the endpoint."""
    bench: Bench


def strike(sandbox: Sandbox, folder: Path, endpoint: Endpoint, fault: Fault) -> Struck:
    """Run a connector into a fault that lasts, in front of a sandbox that was used before."""
    sandbox.clear_faults()
    sandbox.control("/_control/comeet/reset", {})
    bench = endpoint.bench(sandbox, folder)
    for route, earlier in endpoint.before:
        sandbox.fault(route, **earlier)
    rule = json.loads(json.dumps(fault).replace("{port}", sandbox.url.rpartition(":")[2]))
    if endpoint.one_child:
        rule["containing"] = a_child(sandbox, endpoint.vendor)
    sandbox.reset_log()
    sandbox.fault(endpoint.route, after=endpoint.after, **rule)
    seen = bench.run()
    requests = len(sandbox.log(endpoint.route)) - endpoint.after
    sandbox.clear_faults()
    return Struck(seen, requests, bench)


def a_child(sandbox: Sandbox, vendor: str) -> str:
    """Return the id of one of the children, neither the first nor the last."""
    return sorted(_ids(sandbox, {"talemetry": "profiles", "atz_crm": "candidate_history"}[vendor]))[
        2
    ]
