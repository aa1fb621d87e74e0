"""What a read costs, in counts that are the same on every machine; for times: `scripts/bench`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from urllib3 import HTTPConnectionPool, HTTPResponse

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.atz_crm import atz_connector
from integration_tests.support.connector import catalog
from integration_tests.support.kombo import integrations, kombo_connector, pages_of
from integration_tests.support.talemetry import talemetry_connector
from source_ats.process import Output
from source_ats.vendors.kombo import responses

PEOPLE = 600

Counted = Callable[[object, str], list[None]]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One for all tests here: they only read."""
    with Sandbox.start(candidates=PEOPLE) as running:
        running.control("/_control/atz_crm/settings", {"rate_limit": None})
        yield running


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """Count the calls of a function, which does its work all the same."""

    def count(where: object, name: str) -> list[None]:
        calls: list[None] = []
        original = getattr(where, name)

        def counting(*arguments: Any, **named: Any) -> Any:
            calls.append(None)
            return original(*arguments, **named)

        monkeypatch.setattr(where, name, counting)
        return calls

    return count


def answered(sandbox: Sandbox, endpoint: str) -> tuple[int, int]:
    """Return how many calls came to an endpoint, and how many bytes went back."""
    calls = sandbox.log(endpoint)
    return len(calls), sum(call["bytes"] for call in calls)


def test_rows_are_passed_on_without_being_decoded(
    sandbox: Sandbox, tmp_path: Path, counted: Counted
) -> None:
    connector = kombo_connector(sandbox, tmp_path, concurrent_requests=1)
    decoded = counted(responses, "_without_integration_id")
    writes = counted(Output, "write")
    connections = counted(HTTPConnectionPool, "_new_conn")
    pieces = counted(HTTPResponse, "read")
    sandbox.reset_log()
    run = connector.read_quickly("candidates")
    assert run.code == 0
    assert len(run.records()) == PEOPLE
    assert decoded == []
    assert len(connections) == 1
    sizes = [each["size"] for each in sandbox.look("/_control/kombo/integrations")]
    pages = sum(map(pages_of, sizes))
    others = sum(each["type"] != "RECORD" for each in run.messages)
    assert len(writes) <= pages + others
    assert len(pieces) <= 2 * pages
    assert answered(sandbox, "kombo.*") == (pages, bytes_of_all_candidates(sandbox))


def bytes_of_all_candidates(sandbox: Sandbox) -> int:
    """Read all candidates by hand, and return how many bytes they take."""
    total = 0
    for integration_id in integrations(sandbox):
        headers = {"Authorization": "Bearer ks_dev_sandbox", "X-Integration-Id": integration_id}
        params = {"page_size": "250", "include_deleted": "true"}
        while True:
            url = f"{sandbox.url}/kombo/v1/ats/candidates"
            answer = requests.get(url, params=params, headers=headers, timeout=10)
            total += len(answer.content)
            following = answer.json()["data"]["next"]
            if following is None:
                break
            params["cursor"] = following
    return total


def test_people_cost_a_call_for_each_25_and_one_for_each_100_to_list_them(
    sandbox: Sandbox, tmp_path: Path, counted: Counted
) -> None:
    connections = counted(HTTPConnectionPool, "_new_conn")
    sandbox.reset_log()
    run = talemetry_connector(sandbox, tmp_path).read_quickly("profiles")
    assert run.code == 0
    people = len(run.records("profiles"))
    assert people > 500
    assert answered(sandbox, "talemetry.ids")[0] == -(-people // 100)
    assert answered(sandbox, "talemetry.profiles")[0] == -(-people // 25)
    assert len(connections) <= 3


def test_histories_cost_a_call_each_and_two_for_each_page_of_the_list(
    sandbox: Sandbox, tmp_path: Path, counted: Counted
) -> None:
    connections = counted(HTTPConnectionPool, "_new_conn")
    sandbox.reset_log()
    run = atz_connector(sandbox, tmp_path, page_size=100).read_quickly("candidate_history")
    assert run.code == 0
    # The last page is full, so that only an empty one tells that it was the last.
    assert answered(sandbox, "atz_crm.candidates")[0] == 2 * (PEOPLE // 100 + 1)
    assert answered(sandbox, "atz_crm.history")[0] == PEOPLE
    assert len(connections) <= 4


@pytest.mark.parametrize(
    ("verb", "not_needed"),
    [
        ("spec", {"airbyte_cdk", "jwt", "requests", "sqlalchemy", "tenacity"}),
        ("read", {"airbyte_cdk", "jmespath", "jwt", "psycopg", "sqlalchemy"}),
    ],
)
def test_what_takes_long_to_import_is_not_imported(
    sandbox: Sandbox, tmp_path: Path, verb: str, not_needed: set[str]
) -> None:
    connector = kombo_connector(sandbox, tmp_path)
    arguments = connector.command(verb, catalog=catalog() if verb == "read" else None)
    program = (
        "import os, sys; from source_ats import cli; end = os._exit;"
        "os._exit = lambda code: (sys.stderr.write(' '.join(sys.modules)), end(code));"
        "cli.source_ats()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[0])["type"]
    imported = {name.split(".")[0] for name in done.stderr.split()}
    assert "source_ats" in imported
    assert not imported & not_needed


def test_connections_are_kept_and_no_more_than_requests_in_flight(
    sandbox: Sandbox, tmp_path: Path, counted: Counted
) -> None:
    """A new connection costs three or four times the distance to the vendor, with TLS."""
    connector = kombo_connector(sandbox, tmp_path, concurrent_requests=3)
    connections = counted(HTTPConnectionPool, "_new_conn")
    run = connector.read_quickly("candidates", "kombo_applications", "kombo_jobs")
    assert run.code == 0
    assert 1 <= len(connections) <= 3
