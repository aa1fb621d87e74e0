"""Whatever is in the config, the catalog, the state or the records: one clear word, never a trace.

Hypothesis makes the input, out of good one by changes or out of nothing; the real entry point takes
it, in front of the sandbox.
"""

from __future__ import annotations

import copy
import json
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import AirbyteMessageSerializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration_tests.sandbox.running import Sandbox
from integration_tests.support import failures
from integration_tests.support.connector import Connector, QuickClock, Run, catalog, state
from integration_tests.support.failures import CANARY
from integration_tests.support.writer import Writer, configured, person
from integration_tests.support.writer import state as passed_state
from unit_tests.destination_comeet.samples import make, sqlite

quick = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
never_for_ever = pytest.mark.timeout(300)

STREAMS = ("candidates", "profiles", "candidate_history")

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(
        ["", "\x00", "\ud800", "a" * 5000, CANARY, "incremental", "https://[::1", "postgresql://x",
         "2026-01-31T12:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
         10**400, -1]
    ),
)  # fmt: skip
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
NESTED = "[" * 5000 + "]" * 5000
TEXTS = st.one_of(
    st.binary(max_size=40), st.sampled_from([b"", b"{", b"\xff", NESTED.encode(), b"NaN"])
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths to everything in a JSON value, itself first."""
    yield path
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, each in items:
        yield from places(each, (*path, key))


@st.composite
def changed(draw: st.DrawFn, good: Any) -> Any:
    """Return something good with one to three places replaced, removed or added to."""
    value = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(value))))
        if not path:
            value = draw(st.one_of(st.just(value), JSON))
            continue
        parent = value
        for key in path[:-1]:
            parent = parent[key]
        match draw(st.sampled_from(["replace", "replace", "remove", "add"])):
            case "remove":
                del parent[path[-1]]
            case "add" if isinstance(parent, dict):
                parent[draw(st.text(max_size=8))] = draw(JSON)
            case _:
                parent[path[-1]] = draw(JSON)
    return value


def text_of(value: Any) -> bytes:
    """Return JSON as a file may hold it: half characters and odd numbers included."""
    return json.dumps(value).encode()


@pytest.fixture(scope="module")
def vendors() -> Iterator[Sandbox]:
    """A few people for each vendor. Nobody gets off this machine, whatever the configuration is."""
    with pytest.MonkeyPatch.context() as patch, Sandbox.start(candidates=3, accounts=1) as sandbox:
        patch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
        sandbox.control("/_control/atz_crm/settings", {"rate_limit": None})
        yield sandbox


def good_config(sandbox: Sandbox) -> dict[str, Any]:
    """Return a configuration that fills in everything."""
    whole = failures.kombo(sandbox) | failures.talemetry(sandbox, exchange=True)
    whole |= failures.atz_crm(sandbox, job_slug=failures.job(sandbox))
    whole["talemetry"] |= {
        "include": ["contact", "tags"],
        "exclude_sources": ["mail"],
        "window_days": 30,
    }
    return {**whole, "start_date": "2025-01-01T00:00:00Z", "lookback_minutes": 5}


def good_states(sandbox: Sandbox, selections: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return a state of each stream in which everything stands that can."""
    now = sandbox.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    (integration,) = sandbox.look("/_control/kombo/integrations")
    reading = {"started_at": now, "cursor": "c", "kept_at": now}
    entry = {"updated_after": now, "full_read_at": now, "in_progress": reading}
    window = {
        "from": "2026-01-01T00:00:00Z",
        "to": now,
        "event": "updated",
        "cursor": "c",
        "kept_at": now,
    }
    aside = {"set_aside": {"somebody": now}}
    states: dict[str, dict[str, Any]] = {
        "candidates": {"integrations": {integration["id"]: entry}},
        "profiles": {"listed_until": now, "in_progress": window, **aside},
        "candidate_history": {
            "updated_at": now,
            "finished_at": now,
            "in_progress": {"started_at": now, "after_slug": "a"},
            **aside,
        },
    }
    return {name: {"selection": selections[name], **state} for name, state in states.items()}


def answers_well(run: Run) -> None:
    """Assert what a platform depends on, whatever it handed over."""
    for message in run.messages:
        AirbyteMessageSerializer.load(message)
    told = json.dumps(run.messages)
    assert "inside the connector" not in told
    assert "Traceback" not in told
    errors = run.errors()
    if run.code == 0:
        assert not errors
    else:
        assert run.code == 1
        assert errors or run.of("CONNECTION_STATUS")
    for error in errors:
        assert error["message"]
        assert error["failure_type"] in {"config_error", "transient_error"}


def run(verb: str, config: bytes, catalog: bytes | None = None, stored: bytes | None = None) -> Run:
    """Run the source with these files."""
    with tempfile.TemporaryDirectory() as folder:
        connector = Connector(Path(folder), {})
        arguments = [verb]
        for name, content in (("config", config), ("catalog", catalog), ("state", stored)):
            if content is not None:
                path = Path(folder) / name
                path.write_bytes(content)
                arguments += [f"--{name}", str(path)]
        return connector.run_quickly_with(arguments)


@never_for_ever
@quick
@given(data=st.data(), verb=st.sampled_from(["check", "discover", "read"]))
def test_any_config(vendors: Sandbox, data: st.DataObject, verb: str) -> None:
    whole = good_config(vendors)
    config = data.draw(st.one_of(changed(whole).map(text_of), JSON.map(text_of), TEXTS))
    wanted = text_of(catalog(*STREAMS)) if verb == "read" else None
    done = run(verb, config, wanted)
    answers_well(done)
    assert CANARY not in json.dumps(done.of("TRACE"))


@never_for_ever
@quick
@given(data=st.data())
def test_any_catalog(vendors: Sandbox, data: st.DataObject) -> None:
    whole = catalog(*STREAMS, generation=1)
    wanted = data.draw(st.one_of(changed(whole).map(text_of), JSON.map(text_of), TEXTS))
    answers_well(run("read", text_of(good_config(vendors)), wanted))


@never_for_ever
@quick
@given(data=st.data(), mode=st.sampled_from(["incremental", "full_refresh"]))
def test_any_state(vendors: Sandbox, data: st.DataObject, mode: str) -> None:
    config = text_of(good_config(vendors))
    whole = [each for name, kept in _states(vendors).items() for each in state(kept, name)]
    stored = data.draw(st.one_of(changed(whole).map(text_of), JSON.map(text_of), TEXTS))
    done = run("read", config, text_of(catalog(*STREAMS, mode=mode)), stored)
    answers_well(done)
    assert CANARY not in json.dumps(done.of("TRACE"))


def _states(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """Return good states, for the configuration that a read of now says it has."""
    if not _SELECTIONS:
        done = run("read", text_of(good_config(sandbox)), text_of(catalog(*STREAMS)))
        _SELECTIONS.update({name: done.state(name)["selection"] for name in STREAMS})
    return good_states(sandbox, _SELECTIONS)


_SELECTIONS: dict[str, str] = {}


# The destination ----------------------------------------------------------------------------------

KOMBO_ROW: dict[str, Any] = {
    "id": "k1",
    "integration_id": "greenhouse:1",
    "first_name": "Mira",
    "last_name": "Solberg",
    "confidential": False,
    "email_addresses": [{"email_address": "mira@example.org", "type": "PRIVATE"}],
    "phone_numbers": [{"phone_number": "+00 555 1", "type": "MOBILE"}],
    "social_media": [{"link": "https://linkedin.com/in/mira", "type": "LINKEDIN", "username": "m"}],
    "location": {"city": "Bergen", "country": "NO", "street_1": "A 1", "zip_code": "5003"},
    "applications": [{"id": "a1", "outcome": "PENDING", "job": {"id": "j1", "remote_id": "r1"}}],
    "remote_deleted_at": None,
}
PROFILE: dict[str, Any] = {
    "id": "11111111-2222-3333-4444-555555555555",
    "given_name": "Mira",
    "family_name": "Solberg",
    "email": "mira@example.org",
    "contact": {
        "PersonName": {"GivenName": "Mira"},
        "ContactMethod": [{"Telephone": {"FormattedNumber": "1"}}],
    },
    "applications": [
        {"Id": {"IdValue": "REQ-1"}, "disposition": {"DispositionDate": "2025-01-06"}}
    ],
    "do_not_contact": None,
    "is_deleted": False,
    "as_of": "2026-01-31T12:00:00Z",
}
PEOPLE = {
    "people": person(1, phone="+00 555 1", address={"city": "Bergen"}, custom_fields={"pool": "a"},
                     resume={"name": "m.pdf", "file": "JVBERi0xLjQK"}, prospect_status="Sourced"),
    "candidates": KOMBO_ROW,
    "profiles": PROFILE,
    "own": {"id": 7, "name": {"given": "Mira", "family": "Solberg"}, "mails": ["mira@example.org"]},
}  # fmt: skip
FIELDS = {
    "first_name": "name.given",
    "last_name": "name.family",
    "email": "mails[0]",
    "address.city": "join(', ', mails)",
    "partner_candidate_id": "to_string(id)",
}


def destination_config(writer: Writer) -> dict[str, Any]:
    """Return a configuration with all kinds of mapping."""
    position = writer.config["streams"][0]["position_uid"]
    fields = [{"comeet_field": name, "expression": text} for name, text in FIELDS.items()]
    mappings: dict[str, dict[str, Any]] = {
        "people": {"mapping_type": "comeet"},
        "candidates": {"mapping_type": "kombo_candidates"},
        "profiles": {"mapping_type": "talemetry_profiles"},
        "own": {"mapping_type": "custom", "fields": fields},
    }
    jobs = [{"job_id": job, "position_uid": position} for job in ("j1", "REQ-1")]
    streams = [
        {"stream": name, "mapping": mapping, "position_uid": position, "positions": jobs}
        for name, mapping in mappings.items()
    ]
    rejected = str(writer.folder / "rejected.jsonl")
    return {**writer.config, "streams": streams, "rejected_path": rejected, "max_rejected": 1000}


def destination_catalog() -> dict[str, Any]:
    """Return a catalog of all streams."""
    return {"streams": [configured(name) for name in PEOPLE]}


def written(
    sandbox: Sandbox, change: Callable[[Writer], None], lines: list[bytes]
) -> tuple[int, list[Any]]:
    """Write lines with a destination that was changed; return how it ended, and what it said."""
    sandbox.control("/_control/comeet/reset", {})
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(sandbox, Path(folder))
        writer.config = destination_config(writer)
        writer.catalog = destination_catalog()
        make(sqlite(Path(folder) / "ledger.db"))
        change(writer)
        done = writer.write(*lines, clock=QuickClock(threading.Event()))
    # A STATE is passed on as it came.
    answers_well(Run(done.code, [each for each in done.messages if each["type"] != "STATE"]))
    return done.code, done.messages


@never_for_ever
@quick
@given(data=st.data(), stream=st.sampled_from(list(PEOPLE)))
def test_any_record(vendors: Sandbox, data: st.DataObject, stream: str) -> None:
    row = data.draw(changed(PEOPLE[stream]))
    message = {"type": "RECORD", "record": {"stream": stream, "data": row, "emitted_at": 1}}
    code, messages = written(
        vendors, lambda writer: None, [text_of(message), text_of(passed_state(1, stream))]
    )
    states = [each for each in messages if each["type"] == "STATE"]
    # A record that is an object is delivered or refused, and what comes after it goes on.
    assert (code, len(states)) == ((0, 1) if isinstance(row, dict) else (1, 0))


@never_for_ever
@quick
@given(data=st.data())
def test_any_line(vendors: Sandbox, data: st.DataObject) -> None:
    message = {"type": "RECORD", "record": {"stream": "people", "data": {"id": 1}, "emitted_at": 1}}
    whole = st.sampled_from([message, passed_state(1)]).flatmap(changed).map(text_of)
    line = data.draw(st.one_of(whole, JSON.map(text_of), TEXTS)).replace(b"\n", b"")
    written(vendors, lambda writer: None, [line, text_of(passed_state(2))])


@never_for_ever
@quick
@given(data=st.data(), what=st.sampled_from(["config", "catalog"]))
def test_any_config_and_catalog_of_the_destination(
    vendors: Sandbox, data: st.DataObject, what: str
) -> None:
    def change(writer: Writer) -> None:
        good = getattr(writer, what)
        value = data.draw(changed(good))
        if what == "config" and isinstance(value, dict):
            # Whatever else is wrong with them, files stay in the folder, and nobody waits long.
            value["ledger"] = good["ledger"]
            value["rejected_path"] = good["rejected_path"]
        setattr(writer, what, value)

    lines = [
        text_of({"type": "RECORD", "record": {"stream": name, "data": row, "emitted_at": 1}})
        for name, row in PEOPLE.items()
    ]
    written(vendors, change, lines)
