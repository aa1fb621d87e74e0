"""`kombo.candidate_files`: the files of each candidate, by one live call per candidate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import Connector, MovingClock, Run
from integration_tests.support.kombo import change, integrations, kombo_connector, set_up, truth

FILES = "kombo.candidate_attachments"


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """A sandbox for all tests here."""
    with Sandbox.start(candidates=60) as running:
        yield running


@pytest.fixture
def sandbox(shared: Sandbox) -> Iterator[Sandbox]:
    """The sandbox, all well, with an empty log and no change within the last minute."""
    shared.advance(60)
    shared.reset_log()
    yield shared
    shared.clear_faults()
    shared.control("/_control/kombo/settings", {"concurrent_actions": 30, "action_seconds": 0})
    for each in integrations(shared):
        set_up(shared, each, attachments_error=None, attachment_warnings=False)


@pytest.fixture
def connector(sandbox: Sandbox, tmp_path: Path) -> Connector:
    """The source, configured for all integrations, with files."""
    return kombo_connector(sandbox, tmp_path, candidate_files=True)


def read(connector: Connector, sandbox: Sandbox, **options: Any) -> Run:
    """Read candidates; waits pass at once, here and in the sandbox."""
    return connector.read_quickly("candidates", clock=MovingClock(sandbox), **options)


def alive(sandbox: Sandbox) -> dict[str, str]:
    """Return the candidates that are not deleted, and the integration of each."""
    rows = truth(sandbox).values()
    return {row["id"]: row["integration_id"] for row in rows if not row["remote_deleted_at"]}


def served(sandbox: Sandbox, candidate_id: str, integration_id: str) -> list[dict[str, Any]]:
    """Return what Kombo answers, but for the links, which are new each time."""
    answer = requests.get(
        f"{sandbox.url}/kombo/v1/ats/candidates/{candidate_id}/attachments",
        headers={"Authorization": "Bearer ks_dev_sandbox", "X-Integration-Id": integration_id},
        timeout=30,
    )
    return without_links(answer.json()["data"]["results"])


def without_links(files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: each for key, each in file.items() if key != "data_url"} for file in files]


def set_aside(done: Run) -> list[str]:
    """Return the candidates that the last state of a run sets aside."""
    entries = done.state()["integrations"].values()
    return sorted(key for each in entries for key in each.get("set_aside", {}))


def requested_ids(sandbox: Sandbox) -> list[str]:
    return [
        each["query"]["ids"] for each in sandbox.log("kombo.candidates") if "ids" in each["query"]
    ]


def test_each_candidate_gets_its_files(sandbox: Sandbox, connector: Connector) -> None:
    done = read(connector, sandbox)
    assert done.code == 0, done.logs()
    living = alive(sandbox)
    rows = {row["id"]: row for row in done.records()}
    assert set(rows) == set(truth(sandbox))
    assert sandbox.counts()[FILES] == {"total": len(living), "200": len(living)}
    for candidate_id, row in rows.items():
        if candidate_id not in living:
            assert row["files"] is None
            continue
        assert without_links(row["files"]) == served(sandbox, candidate_id, living[candidate_id])
        for file in row["files"]:
            link = requests.get(file["data_url"], timeout=30)
            assert link.content.startswith(b"%PDF")
    links = [file["data_url"] for row in rows.values() for file in row["files"] or ()]
    assert len(set(links)) == len(links) > len(living) // 2
    assert set_aside(done) == []


def test_without_the_setting_there_is_no_such_key(sandbox: Sandbox, connector: Connector) -> None:
    (catalog,) = connector.run_quickly("discover").of("CATALOG")
    columns = {each["name"]: each["json_schema"]["properties"] for each in catalog["streams"]}
    assert {name for name, each in columns.items() if "files" in each} == {"candidates"}
    before = read(connector, sandbox)
    del connector.config["kombo"]["candidate_files"]
    (catalog,) = connector.run_quickly("discover").of("CATALOG")
    assert not any("files" in each["json_schema"]["properties"] for each in catalog["streams"])
    sandbox.reset_log()
    done = read(connector, sandbox, state=before.of("STATE"))
    assert not any("files" in row for row in done.records())
    assert FILES not in sandbox.counts()
    # Another selection of columns: everything is read again, once.
    assert len(done.records()) == len(truth(sandbox))
    assert read(connector, sandbox, state=done.of("STATE")).records() == []


def test_an_incremental_read_asks_for_the_changed_ones_only(
    sandbox: Sandbox, connector: Connector
) -> None:
    first = read(connector, sandbox)
    sandbox.advance(3600)
    changed = change(sandbox, changed=3, new=2)
    sandbox.reset_log()
    second = read(connector, sandbox, state=first.of("STATE"))
    expected = {*changed["changed"], *changed["new"]}
    assert {row["id"] for row in second.records()} == expected
    asked = [each["path"].split("/")[-2] for each in sandbox.log(FILES)]
    assert sorted(asked) == sorted(expected)


@pytest.mark.parametrize(
    "fault", [{"kind": "status", "status": 500}, {"kind": "html", "status": 404}]
)
def test_a_candidate_without_files_is_emitted_and_requested_again(
    sandbox: Sandbox, connector: Connector, fault: dict[str, Any]
) -> None:
    bad = sorted(alive(sandbox))[7]
    sandbox.fault(FILES, containing=bad, **fault)
    first = read(connector, sandbox)
    assert first.code == 0, first.logs()
    assert [row["id"] for row in first.records() if row["files"] is None and row["id"] == bad]
    assert len(first.records()) == len(truth(sandbox))
    assert set_aside(first) == [bad]
    assert f"the files of candidate {bad} cannot be read now" in first.logs("WARN")

    sandbox.reset_log()
    second = read(connector, sandbox, state=first.of("STATE"))
    assert second.code == 0
    assert second.records() == []
    assert requested_ids(sandbox) == [bad]
    assert set_aside(second) == [bad]
    assert bad in second.logs("WARN")

    sandbox.clear_faults()
    third = read(connector, sandbox, state=second.of("STATE"))
    (row,) = third.records()
    assert row["id"] == bad
    assert isinstance(row["files"], list)
    assert set_aside(third) == []
    sandbox.reset_log()
    assert read(connector, sandbox, state=third.of("STATE")).records() == []
    assert requested_ids(sandbox) == []


@pytest.mark.parametrize("place", ["head", "tail", "both ends"])
def test_several_bad_candidates_in_a_row_stop_nobody_else(
    sandbox: Sandbox, connector: Connector, place: str
) -> None:
    first = integrations(sandbox)[0]
    connector.config["kombo"]["integration_ids"] = [first]
    listed = [row["id"] for row in read(connector, sandbox).records() if row["files"] is not None]
    assert len(listed) > 10
    bad = {"head": listed[:7], "tail": listed[-7:], "both ends": [*listed[:7], *listed[-2:]]}[place]
    for each in bad:
        sandbox.fault(FILES, "status", status=503, containing=each)
    done = read(connector, sandbox)
    assert done.code == 0, done.errors()
    assert set_aside(done) == sorted(bad)


def test_when_no_files_are_answered_the_stream_is_transient(
    sandbox: Sandbox, connector: Connector
) -> None:
    first = read(connector, sandbox)
    sandbox.advance(3600)
    changed = change(sandbox, changed=20)["changed"]
    sandbox.fault(FILES, "status", status=503)
    done = read(connector, sandbox, state=first.of("STATE"))
    assert done.code == 1
    assert [each["failure_type"] for each in done.errors()] == ["transient_error"]
    sandbox.clear_faults()
    again = read(connector, sandbox, state=[*first.of("STATE"), *done.of("STATE")])
    assert {row["id"] for row in again.records()} == set(changed)
    assert set_aside(again) == []


def test_the_limit_that_kombo_names_is_kept(sandbox: Sandbox, connector: Connector) -> None:
    # Each integration has a limit of its own.
    connector.config["kombo"]["integration_ids"] = integrations(sandbox)[:1]
    headers = {"Concurrency-Limit": "2", "Concurrency-Remaining": "1"}
    sandbox.fault(FILES, "headers", headers=headers)
    sandbox.control("/_control/kombo/settings", {"concurrent_actions": 2, "action_seconds": 0.01})
    done = read(connector, sandbox)
    assert done.code == 0
    assert set(sandbox.counts()[FILES]) == {"total", "200"}
    assert max(each["in_flight"] for each in sandbox.log(FILES)) == 2


def test_a_limit_that_is_exceeded_is_waited_for(sandbox: Sandbox, connector: Connector) -> None:
    sandbox.control("/_control/kombo/settings", {"concurrent_actions": 3, "action_seconds": 0.02})
    done = read(connector, sandbox)
    assert done.code == 0, done.logs()
    assert "429" in sandbox.counts()[FILES]
    living = alive(sandbox)
    assert all(row["files"] is not None for row in done.records() if row["id"] in living)


@pytest.mark.parametrize("code", ["INTEGRATION.PERMISSION_MISSING", "INTEGRATION.ACTION_DISABLED"])
def test_a_missing_scope_is_named_by_check_and_read(
    sandbox: Sandbox, connector: Connector, code: str
) -> None:
    for each in integrations(sandbox):
        set_up(sandbox, each, attachments_error=code)
    (status,) = connector.run_quickly("check").of("CONNECTION_STATUS")
    assert status["status"] == "FAILED"
    assert 'the scope "Read document attachments"' in status["message"]
    done = read(connector, sandbox)
    assert done.code == 1
    assert done.records() == []
    (error,) = done.errors()
    assert error["failure_type"] == "config_error"
    assert 'the scope "Read document attachments"' in error["message"]
    # One integration that allows it is read, and the others keep their state.
    allowed = integrations(sandbox)[0]
    set_up(sandbox, allowed, attachments_error=None)
    (status,) = connector.run_quickly("check").of("CONNECTION_STATUS")
    assert status["status"] == "SUCCEEDED"
    assert "Read document attachments" in status["message"]
    done = read(connector, sandbox)
    assert done.code == 0
    assert set(done.state()["integrations"]) == {allowed}


def test_a_tool_without_files_gives_null_and_one_warning(
    sandbox: Sandbox, connector: Connector
) -> None:
    bad, *_ = integrations(sandbox)
    set_up(sandbox, bad, attachments_error="INTEGRATION.ACTION_NOT_AVAILABLE")
    done = read(connector, sandbox)
    assert done.code == 0
    assert {row["integration_id"] for row in done.records() if row["files"]} == set(
        integrations(sandbox)[1:]
    )
    assert done.logs("WARN").count("does not offer the files of candidates") == 1
    assert set_aside(done) == []


def test_warnings_of_kombo_are_logged_without_the_names_of_files(
    sandbox: Sandbox, connector: Connector
) -> None:
    first, *_ = integrations(sandbox)
    set_up(sandbox, first, attachment_warnings=True)
    done = read(connector, sandbox, debug=True)
    assert done.code == 0
    assert "may be incomplete" in done.logs("WARN")
    assert ".pdf" not in done.logs()
    assert "/kombo_files/" not in done.logs()


def test_check_reads_the_files_of_one_candidate(sandbox: Sandbox, connector: Connector) -> None:
    (status,) = connector.run_quickly("check").of("CONNECTION_STATUS")
    assert status["status"] == "SUCCEEDED"
    assert sandbox.counts()[FILES]["total"] == len(integrations(sandbox))
    sandbox.fault(FILES, "status", status=503)
    (status,) = connector.run_quickly("check").of("CONNECTION_STATUS")
    assert status["status"] == "SUCCEEDED"
    assert "the files of a candidate cannot be read now" in status["message"]
