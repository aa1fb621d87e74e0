"""Every failure through every endpoint of every vendor, as failure_outcomes.md says.

`scripts/test` leaves out the cells that are marked `repeated`; `scripts/test --all` runs them too.
Those of this file alone: `scripts/test integration_tests/source/test_failures.py -m ""`.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from airbyte_cdk.models import AirbyteMessageSerializer

import source_ats
from destination_comeet import commands as destination_commands
from integration_tests.sandbox.running import PROJECT, Sandbox
from integration_tests.support import failures
from integration_tests.support.failures import (
    CANARY,
    ENDPOINTS,
    FAILURES,
    FAILURES_OF,
    PLACES,
    SECRETS,
    VALUES,
    Endpoint,
    Fault,
    Struck,
    strike,
)
from source_ats import commands
from source_ats.clock import SystemClock
from source_ats.config import parse

VENDORS = sorted(
    path.parent.name for path in Path(source_ats.__file__).parent.glob("vendors/*/requests.py")
)
DOCUMENT = (PROJECT / "integration_tests/support/failure_outcomes.md").read_text("utf-8")

FEW = ("400", "401", "403", "404", "429 Retry-After: 600", "503", "reset", "closed midway",
       "half of the JSON", "{}")  # fmt: skip
"""What is tried with endpoints that are like another one."""

PASSING = ("503", "429", "429 Retry-After: 600", "429 Retry-After: a date", "reset",
           "closed without an answer", "closed midway", "reset midway", "half of the JSON",
           "half of the gzip", "broken gzip", "html", "no answer in time")  # fmt: skip
"""What may happen once, and then no more."""


def tables(vendor: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yield the head and the rows of each table in a vendor's part of the document."""
    _, _, part = DOCUMENT.partition(f"\n## {vendor}\n")
    part, _, _ = part.partition("\n## ")
    for text in re.findall(r"(?:^\|.*\|\n)+", part, re.MULTILINE):
        head, _, *rows = (
            [cell.strip() for cell in line[2:-2].split(" | ")] for line in text.splitlines()
        )
        yield head, rows


def documented_failures(vendor: str) -> dict[tuple[str, str], str]:
    """Return what happens, by endpoint and failure."""
    (_, *names), rows = next(tables(vendor))
    return {
        (name, failure): cell
        for first, *cells in rows
        for failure in re.findall(r"`([^`]+)`", first)
        for name, cell in zip(names, cells, strict=True)
    }


def documented_places(vendor: str) -> dict[tuple[str, str, str], str]:
    """Return what happens, by endpoint, place, and what stands there."""
    _, ((_, *values), rows) = tables(vendor)
    return {
        (name, place, value): cell
        for first, *cells in rows
        for name, place in re.findall(r"(.*): `([^`]+)`", first)
        for value, cell in zip(values, cells, strict=True)
    }


def representative(vendor: str) -> set[tuple[str, str]]:
    """Return the cells that are not marked `repeated`, by endpoint and failure.

    Of the 4xx in one row of the document, each meets at least one endpoint, and each endpoint meets
    at least one: they take the same path through the client. So do the 5xx, and the redirects. All
    other failures meet every endpoint.
    """
    (_, *names), rows = next(tables(vendor))
    cells = set()
    for first, *_ in rows:
        alike: defaultdict[object, list[str]] = defaultdict(list)
        for failure in re.findall(r"`([^`]+)`", first):
            fault = {**FAILURES, **FAILURES_OF.get(vendor, {})}[failure]
            alike[fault["status"] // 100 if fault["kind"] == "status" else failure].append(failure)
        for group in alike.values():
            turns = min(len(group), len(names))
            cells |= {
                (name, failure)
                for place, name in enumerate(names)
                for turn, failure in enumerate(group)
                if (place + turn) % turns == 0
            }
    return cells


FAILURE_CASES = [
    pytest.param(endpoint, {**FAILURES, **FAILURES_OF.get(vendor, {})}[failure], cell,
                 id=f"{vendor}-{endpoint.name}-{failure}",
                 marks=[pytest.mark.repeated] if (name, failure) not in kept else [])
    for vendor in VENDORS
    for kept in [representative(vendor)]
    for endpoint in ENDPOINTS
    if endpoint.vendor == vendor
    for (name, failure), cell in documented_failures(vendor).items()
    if name == (endpoint.like or endpoint.name) and (not endpoint.like or failure in FEW)
]  # fmt: skip
PLACE_CASES = [
    pytest.param(endpoint, failures.replaced(place, *VALUES[value]), cell,
                 id=f"{vendor}-{endpoint.name}-{place}-{value}")
    for vendor in VENDORS
    for endpoint in ENDPOINTS
    if endpoint.vendor == vendor
    for (name, place, value), cell in documented_places(vendor).items()
    if name == endpoint.name
]  # fmt: skip
PASSING_CASES = [
    pytest.param(endpoint, failure, id=f"{endpoint.vendor}-{endpoint.name}-{failure}")
    for endpoint in ENDPOINTS
    for failure in PASSING
    if not endpoint.name.startswith("check") and not endpoint.like
]


@pytest.fixture(scope="module")
def vendors() -> Iterator[Sandbox]:
    """A few people for each vendor, with a canary in all that is told of them."""
    with Sandbox.start(candidates=6, accounts=1) as sandbox:
        sandbox.control("/_control/canary", {"text": CANARY})
        sandbox.control("/_control/atz_crm/settings", {"rate_limit": None})
        yield sandbox


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_document_leaves_no_failure_and_no_endpoint_out(vendor: str) -> None:
    endpoints = [each for each in ENDPOINTS if each.vendor == vendor]
    columns = {each.name for each in endpoints if not each.like}
    assert {each.like for each in endpoints if each.like} <= columns
    wanted = {
        (each, failure) for each in columns for failure in [*FAILURES, *FAILURES_OF.get(vendor, {})]
    }
    assert documented_failures(vendor).keys() == wanted
    places = {
        (each, place, value)
        for each in columns
        for place in PLACES.get(each, ())
        for value in VALUES
    }
    assert documented_places(vendor).keys() == places


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_representative_cells_have_every_failure_and_every_outcome(vendor: str) -> None:
    outcomes = documented_failures(vendor)
    kept = representative(vendor)
    assert {failure for _, failure in kept} == {failure for _, failure in outcomes}
    assert {(name, outcomes[name, failure]) for name, failure in kept} == {
        (name, cell) for (name, _), cell in outcomes.items()
    }


OF_FILES = {"kombo": {"candidate_files"}, "comeet": {"files", "add_file"}}
"""Calls for one person's files. What follows from their failures is in `test_kombo_files.py` and
`destination/test_files.py`."""


@pytest.mark.parametrize("vendor", VENDORS)
def test_no_call_of_a_vendor_is_left_out(vendor: str) -> None:
    module = import_module(f"source_ats.vendors.{vendor}.requests")
    calls = {
        name
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if inspect.get_annotations(function).get("return") == "Request"
        if function.__module__ == module.__name__ and not name.startswith("_")
    }
    calls -= OF_FILES.get(vendor, set())
    assert calls == {each.call for each in ENDPOINTS if each.vendor == vendor}


def test_no_stream_is_left_out(vendors: Sandbox) -> None:
    config = failures.kombo(vendors) | failures.talemetry(vendors)
    config |= failures.atz_crm(vendors) | failures.comeet(vendors)
    catalog = commands.discover(parse(config).config, SystemClock())
    streams = {each["name"] for each in catalog["streams"]}
    assert streams == {each.stream for each in ENDPOINTS if each.stream}


@pytest.mark.parametrize(("endpoint", "fault", "cell"), [*FAILURE_CASES, *PLACE_CASES])
def test_failure_has_its_documented_outcome(  # noqa: PLR0913 - what pytest hands over
    vendors: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    endpoint: Endpoint,
    fault: Fault,
    cell: str,
) -> None:
    be_quick(monkeypatch, endpoint, fault)
    struck = strike(vendors, tmp_path, endpoint, fault)
    word, _, requests = cell.partition(" ")
    told = [each for each in struck.seen.messages if each["type"] not in {"RECORD", "STATE"}]
    assert struck.seen.word == word, told
    if requests:
        assert struck.requests == int(requests)
    if "Location" in fault.get("headers", {}):
        assert len(vendors.log("unknown")) == 0, "somebody went to the other host"
    tells_nothing_of_anybody(struck, tmp_path, "".join(capfd.readouterr()))
    if word in {"aside", "config", "contract", "failed", "refused", "transient"}:
        monkeypatch.undo()
        again = struck.bench.run()
        if endpoint.name in {"list", "listing"} and word == "aside":
            # An id that is nobody's hides the person who has another. Only an ATZ candidate is
            # given up when it is no longer listed.
            assert again.word == {"list": "absent", "listing": "aside"}[endpoint.name]
            return
        assert again.word == "done", again.messages
        assert struck.bench.has_all()


@pytest.mark.parametrize(("endpoint", "failure"), PASSING_CASES)
def test_what_passes_costs_time_and_nothing_else(
    vendors: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    endpoint: Endpoint,
    failure: str,
) -> None:
    fault = FAILURES[failure]
    be_quick(monkeypatch, endpoint, fault)
    struck = strike(vendors, tmp_path, endpoint, {**fault, "times": 1})
    assert struck.seen.word == "done"
    assert struck.bench.has_all()
    if "429 Retry-After" in failure:
        assert 590 <= struck.seen.waited < 1190


def be_quick(monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint, fault: Fault) -> None:
    """Wait for a vendor that says nothing no longer than it takes to see that."""
    if not fault["kind"].startswith("stall"):
        return
    for module in (commands, destination_commands):
        for name in ("READ_POLICY", "CHECK_POLICY"):
            retry_policy = dataclasses.replace(getattr(module, name), read_timeout=0.5)
            if endpoint.has_children:
                retry_policy = dataclasses.replace(retry_policy, attempts=2)
            monkeypatch.setattr(module, name, retry_policy)


def tells_nothing_of_anybody(struck: Struck, folder: Path, beside: str) -> None:
    """Assert that records alone hold what the vendors tell of people, and nothing a secret."""
    for message in struck.seen.messages:
        AirbyteMessageSerializer.load(message)
    others = [each for each in struck.seen.messages if each["type"] != "RECORD"]
    told = json.dumps(others, ensure_ascii=False) + beside
    assert "inside the connector" not in told
    left = [path for path in folder.rglob("*") if path.suffix in {".db", ".db-wal", ".db-shm"}]
    on_disk = b"".join(path.read_bytes() for path in left)
    for word in (CANARY, *SECRETS):
        assert word not in told
        assert word.encode() not in on_disk
