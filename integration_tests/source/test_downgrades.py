"""States of today and a configuration of today, given to 0.1.0: docs/upgrading.md says the same."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from integration_tests.sandbox.running import Sandbox
from integration_tests.support import saved_states, version_0_1_0
from integration_tests.support.connector import Connector, Run, catalog, state, table
from integration_tests.support.durations import HOUR
from integration_tests.support.every_stream import STREAMS, Case

TODAY = saved_states.files()["0.2.0"]
NOT_IN_0_1_0 = {
    *("kombo_application_stages", "kombo_attachments", "kombo_notes", "kombo_scorecards"),
}
CASES = [case for case in STREAMS if case.name not in NOT_IN_0_1_0]


def of_0_1_0(source: Connector, packages: Path) -> Connector:
    """Return 0.1.0 with the same configuration."""
    return Connector(source.folder, source.config, version_0_1_0.source(packages))


def states_of_today(kind: str, sandbox: Sandbox) -> dict[str, Any]:
    """Return the saved states of a kind, by stream, as if they had been written now."""
    written_at = datetime.fromisoformat(TODAY["written_at"])
    return {
        case.name: saved_states.moved(kinds[kind]["state"], written_at, sandbox)
        for case in CASES
        for kinds in [TODAY["streams"][case.name]]
        if kind in kinds
    }


def as_file(states: dict[str, Any]) -> list[Any]:
    return [each for name, content in states.items() for each in state(content, name)]


def of_whom(case: Case, run: Run) -> set[str]:
    """Return of whom rows came."""
    return {row[case.counted] for row in run.records(case.name)}


def errors(run: Run) -> dict[str, dict[str, Any]]:
    """Return the error of each stream that failed."""
    return {each["stream_descriptor"]["name"]: each for each in run.errors()}


def test_finished_reads_are_continued_by_0_1_0(packages_of_0_1_0: Path, tmp_path: Path) -> None:
    with saved_states.world() as sandbox:
        source = of_0_1_0(saved_states.connector(sandbox, tmp_path), packages_of_0_1_0)
        states = states_of_today("finished", sandbox)
        sandbox.advance(HOUR)
        changed = {case.name: case.change(sandbox) for case in CASES}
        sandbox.advance(HOUR)
        run = source.read(*states, state=as_file(states))
    assert run.code == 0, errors(run)
    for case in CASES:
        set_aside = set(states[case.name].get("set_aside", {}))
        assert of_whom(case, run) == changed[case.name] | set_aside, case.name


def test_reads_in_progress_are_resumed_or_refused_by_0_1_0(
    packages_of_0_1_0: Path, tmp_path: Path
) -> None:
    """Refused: what 0.1.0 did not keep. That is the size of pages, events seen, rows set aside."""
    with saved_states.world() as sandbox:
        today = saved_states.connector(sandbox, tmp_path)
        states = states_of_today("in progress", sandbox)
        states["profiles"] = {
            **states_of_today("finished", sandbox)["profiles"],
            "events_seen": ["deleted", "updated"],
        }
        for integration in states["kombo_tags"]["integrations"].values():
            integration["set_aside"] = {"made-up": TODAY["written_at"]}
        refused = {name for name, each in states.items() if "page_size" in json.dumps(each)}
        refused |= {"profiles", "kombo_tags"}
        everybody = today.read(*(states.keys() - refused))
        run = of_0_1_0(today, packages_of_0_1_0).read(*states, state=as_file(states))
    assert run.code == 1
    assert errors(run).keys() == refused
    for error in errors(run).values():
        assert error["failure_type"] == "config_error"
        assert "clear it to read everything again" in error["message"]
    for case in CASES:
        if case.name in refused:
            assert run.records(case.name) == run.states(case.name) == []
        elif case.name in states:
            out = set(TODAY["streams"][case.name]["in progress"]["out"].split())
            assert of_whom(case, run) | out == of_whom(case, everybody), case.name


def test_0_1_0_ignores_privacy_settings_and_filters(
    packages_of_0_1_0: Path, tmp_path: Path
) -> None:
    with saved_states.world() as sandbox:
        today = saved_states.connector(sandbox, tmp_path)
        del today.config["atz_crm"], today.config["comeet"], today.config["talemetry"]
        everybody = today.read()
        one = everybody.records()[0]["id"]
        today.config["privacy"] = {"drop": ["candidates.email_addresses"]}
        today.config["kombo"]["candidate_ids"] = [one]
        (row,) = (first := today.read()).records()
        assert "email_addresses" not in row
        run = of_0_1_0(today, packages_of_0_1_0).read(state=state(first.state()))
    assert run.code == 0, run.errors()
    assert table(run) == table(everybody)
    assert "The configuration key privacy is unknown and ignored." in run.logs("WARN")
    assert "The configuration key kombo.candidate_ids is unknown and ignored." in run.logs("WARN")


def test_0_1_0_refuses_a_catalog_with_a_new_stream(packages_of_0_1_0: Path, tmp_path: Path) -> None:
    config = {"kombo": {"api_key": "made-up", "integration_ids": ["made-up"]}}
    source = Connector(tmp_path, config, version_0_1_0.source(packages_of_0_1_0))
    run = source.run("read", catalog=catalog("candidates", "kombo_notes"))
    assert run.code == 1
    (error,) = run.errors()
    assert error["failure_type"] == "config_error"
    assert "does not offer: kombo_notes" in error["message"]
