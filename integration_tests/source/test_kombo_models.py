"""Kombo's models other than `candidates`: applications, jobs and the rest."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import Connector, Run, Table, catalog, table
from integration_tests.support.kombo import integrations, known, kombo_connector, pages_of, set_up

# Each stream, and the list that it is read from.
PATHS = {
    "kombo_applications": "applications",
    "kombo_application_stages": "application-stages",
    "kombo_jobs": "jobs",
    "kombo_users": "users",
    "kombo_tags": "tags",
    "kombo_offers": "offers",
    "kombo_interviews": "interviews",
    "kombo_notes": "notes",
    "kombo_scorecards": "scorecards",
    "kombo_attachments": "attachments",
    "kombo_rejection_reasons": "rejection-reasons",
    "kombo_roles": "roles",
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """A sandbox for all tests here, which look up what it holds when they need it."""
    with Sandbox.start(candidates=600) as running:
        yield running


@pytest.fixture
def sandbox(shared: Sandbox) -> Iterator[Sandbox]:
    """The sandbox, all well and with an empty log."""
    shared.reset_log()
    yield shared
    shared.clear_faults()
    for each in integrations(shared):
        set_up(shared, each, error=None, read_models_off=[], read_models_unsupported=[])


@pytest.fixture
def connector(sandbox: Sandbox, tmp_path: Path) -> Connector:
    """The source, configured for all integrations of the sandbox."""
    return kombo_connector(sandbox, tmp_path)


def truth(sandbox: Sandbox, stream: str, *only: str) -> Table:
    """Return all rows of a stream as they are now, as the connector should deliver them."""
    return {
        row["id"]: {**row, "integration_id": each}
        for each in only or integrations(sandbox)
        for row in sandbox.truth(
            "/_control/kombo/truth", integration_id=each, model=PATHS.get(stream, "candidates")
        )
    }


def delivered(stream: str, *runs: Run) -> Table:
    return known(table(*runs, stream=stream))


def calls(sandbox: Sandbox) -> dict[str, int]:
    """Return how often each endpoint was called."""
    return {name: many["total"] for name, many in sandbox.counts().items()}


def undeclared(value: object, schema: Any, path: str) -> Iterator[str]:
    """Yield the fields in a value that its schema, where it names any, does not name."""
    if isinstance(value, list):
        for item in value:
            yield from undeclared(item, schema.get("items", {}), path)
    if isinstance(value, dict) and schema.get("properties"):
        for key, item in value.items():
            if key in schema["properties"]:
                yield from undeclared(item, schema["properties"][key], f"{path}.{key}")
            else:
                yield f"{path}.{key}"


def test_all_models_match_their_schema_and_each_list_is_requested_once_per_integration(
    sandbox: Sandbox, connector: Connector
) -> None:
    (found,) = connector.run("discover").of("CATALOG")
    schemas = {each["name"]: each["json_schema"] for each in found["streams"]}
    assert set(schemas) == {"candidates", *PATHS}

    first = connector.read(*schemas)
    assert first.code == 0
    expected = {"kombo.integration": 3}
    for stream, schema in schemas.items():
        assert first.statuses(stream)[-1] == "COMPLETE"
        assert first.records(stream)
        validator = jsonschema.Draft7Validator(schema)
        for row in first.records(stream)[:100]:
            validator.validate(row)
            assert list(undeclared(row, schema, stream)) == []
        sizes = Counter(row["integration_id"] for row in first.records(stream))
        name = f"kombo.{PATHS.get(stream, stream)}"
        expected[name] = sum(pages_of(sizes[each]) for each in integrations(sandbox))
    assert calls(sandbox) == expected

    sandbox.reset_log()
    connector.read(*schemas, state=first.of("STATE"))
    # For each integration one call of each list, and one that asks what it has.
    assert set(calls(sandbox).values()) == {3}
    assert len(calls(sandbox)) == 14


def test_only_selected_streams_are_requested(sandbox: Sandbox, connector: Connector) -> None:
    connector.read("candidates")
    assert set(calls(sandbox)) == {"kombo.candidates"}
    sandbox.reset_log()
    connector.read("kombo_tags")
    assert calls(sandbox) == {"kombo.integration": 3, "kombo.tags": 3}


def test_a_killed_run_resumes_from_its_last_printed_state(
    sandbox: Sandbox, connector: Connector
) -> None:
    connector.config["kombo"]["page_size"] = 20
    # One list at a time: the jobs are finished, and one integration is in progress.
    connector.config["kombo"]["concurrent_requests"] = 1
    wanted = ["kombo_jobs", "kombo_interviews"]
    sandbox.fault("kombo.interviews", "delay", delay_seconds=0.05)
    reading = connector.start(catalog=catalog(*wanted))
    reading.wait_until(
        lambda: any(
            b'"type":"STATE"' in line and b"kombo_interviews" in line and b'"cursor"' in line
            for line in reading.printed().splitlines()
        )
    )
    first = reading.end(signal.SIGKILL)
    sandbox.clear_faults()
    states = {each["stream"]["stream_descriptor"]["name"]: each for each in first.of("STATE")}
    last = states["kombo_interviews"]["stream"]["stream_state"]["integrations"]
    (cursor,) = [each["in_progress"]["cursor"] for each in last.values() if "in_progress" in each]
    sandbox.reset_log()
    second = connector.read(*wanted, state=first.of("STATE"))
    assert sandbox.log("kombo.interviews")[0]["query"]["cursor"] == cursor
    assert second.records("kombo_jobs") == []
    for stream in wanted:
        assert delivered(stream, first, second) == known(truth(sandbox, stream))


def test_a_model_that_an_integration_lacks_is_skipped_with_one_warning(
    sandbox: Sandbox, connector: Connector
) -> None:
    first, second, third = integrations(sandbox)
    set_up(sandbox, first, read_models_off=["ats_offers"])
    set_up(sandbox, second, read_models_unsupported=["ats_offers", "ats_roles"])
    run = connector.read("kombo_offers", "kombo_roles", "kombo_users")
    assert run.code == 0
    warnings = run.logs("WARN").splitlines()
    assert len(warnings) == 3
    for stream, integration_id, words in (
        ("kombo_offers", first, "switched off"),
        ("kombo_offers", second, "does not offer"),
        ("kombo_roles", second, "does not offer"),
    ):
        (warning,) = [each for each in warnings if stream in each and integration_id in each]
        assert words in warning
    assert delivered("kombo_offers", run) == known(truth(sandbox, "kombo_offers", third))
    assert delivered("kombo_roles", run) == known(truth(sandbox, "kombo_roles", first, third))
    assert delivered("kombo_users", run) == known(truth(sandbox, "kombo_users"))
    # What an integration says that it does not have is not asked for.
    assert len(sandbox.log("kombo.offers")) == 1
    assert list(run.state("kombo_offers")["integrations"]) == [third]

    # When it is there again, it is read from the beginning.
    set_up(sandbox, first, read_models_off=[])
    later = connector.read("kombo_offers", state=run.of("STATE"))
    expected = known(truth(sandbox, "kombo_offers", first, third))
    assert delivered("kombo_offers", run, later) == expected


def test_a_model_that_no_integration_has_is_not_a_failure(
    sandbox: Sandbox, connector: Connector
) -> None:
    ids = integrations(sandbox)
    for each in ids[:2]:
        set_up(sandbox, each, read_models_unsupported=["ats_offers"])
    # The third says that it has them; its list knows better.
    refused = {"status": "error", "error": {"code": "INTEGRATION.MODEL_DISABLED", "message": "no"}}
    sandbox.fault("kombo.offers", "status", status=400, body=refused)
    run = connector.read("kombo_offers", "kombo_users")
    assert run.code == 0
    assert run.statuses("kombo_offers")[-1] == "COMPLETE"
    assert run.records("kombo_offers") == []
    assert len(run.logs("WARN").splitlines()) == 3
    assert delivered("kombo_users", run) == known(truth(sandbox, "kombo_users"))
    sandbox.clear_faults()
    later = connector.read("kombo_offers", state=run.of("STATE"))
    assert delivered("kombo_offers", later) == known(truth(sandbox, "kombo_offers", ids[2]))


def test_unavailable_integrations_fail_a_stream_that_the_readable_one_lacks(
    sandbox: Sandbox, connector: Connector
) -> None:
    first, *others = integrations(sandbox)
    set_up(sandbox, first, read_models_off=["ats_jobs"])
    for each in others:
        set_up(sandbox, each, error="INTEGRATION.SETUP_SYNC_PENDING")
    run = connector.read("kombo_jobs")
    assert run.code == 1
    assert [each["failure_type"] for each in run.errors()] == ["transient_error"]
    assert first not in run.errors()[0]["message"]


def test_one_failing_model_does_not_stop_the_others(sandbox: Sandbox, connector: Connector) -> None:
    sandbox.fault("kombo.jobs", "status", status=500)
    run = connector.read_quickly("kombo_applications", "kombo_jobs", "kombo_users")
    assert run.code == 1
    assert run.statuses("kombo_jobs")[-1] == "INCOMPLETE"
    assert [each["failure_type"] for each in run.errors()] == ["transient_error"]
    for stream in ("kombo_applications", "kombo_users"):
        assert run.statuses(stream)[-1] == "COMPLETE"
        assert delivered(stream, run) == known(truth(sandbox, stream))


def test_check_names_what_an_integration_lacks(sandbox: Sandbox, connector: Connector) -> None:
    ids = integrations(sandbox)
    everything = ["ats_candidates", *(f"ats_{each.replace('-', '_')}" for each in PATHS.values())]
    set_up(sandbox, ids[0], read_models_off=["ats_candidates", "ats_jobs"])
    set_up(sandbox, ids[1], read_models_off=everything)
    (status,) = connector.run("check").of("CONNECTION_STATUS")
    assert status["status"] == "SUCCEEDED"
    assert f"{ids[0]} has nothing for candidates, kombo_jobs:" in status["message"]
    assert f"Integration {ids[1]}: None of this integration's data" in status["message"]
    assert ids[2] not in status["message"]
    for each in ids:
        set_up(sandbox, each, read_models_off=everything)
    (status,) = connector.run("check").of("CONNECTION_STATUS")
    assert status["status"] == "FAILED"


def test_streams_are_read_side_by_side_without_a_request_more(
    sandbox: Sandbox, connector: Connector
) -> None:
    """The integrations are requested once, whichever stream asks first."""
    connector.config["kombo"]["concurrent_requests"] = 1
    streams = ["candidates", *PATHS]
    one_by_one = connector.read(*streams)
    expected = calls(sandbox)
    sandbox.reset_log()
    sandbox.fault("kombo.*", "delay", delay_seconds=0.05)
    connector.config["kombo"]["concurrent_requests"] = 8
    run = connector.read(*streams)
    assert calls(sandbox) == expected
    assert max(each["in_flight"] for each in sandbox.log("kombo.*")) == 8
    for stream in streams:
        assert delivered(stream, run) == delivered(stream, one_by_one)


def test_a_bad_key_costs_one_request_however_many_streams_are_read(
    sandbox: Sandbox, connector: Connector
) -> None:
    connector.config["kombo"]["api_key"] = "ks_dev_wrong"
    run = connector.read("candidates", *PATHS)
    assert run.code == 1
    assert [each["failure_type"] for each in run.errors()] == ["config_error"] * 13
    assert len(sandbox.log("kombo.*")) == 1
