"""Row filters: only the chosen rows are requested, without any list that nobody documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support import saved_states
from integration_tests.support.configured import section, source
from integration_tests.support.connector import Connector, Run, catalog
from integration_tests.support.kombo import change, integrations, kombo_connector, truth
from source_ats import commands
from source_ats.clock import SystemClock
from source_ats.config import parse

UNKNOWN = "7kQmW3xTzB9sLp2VhNfRc4Yd"


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    """Some people for each vendor; Kombo has three integrations."""
    with Sandbox.start(candidates=120) as running:
        running.control("/_control/atz_crm/settings", {"rate_limit": None})
        yield running


@pytest.fixture
def sandbox(world: Sandbox) -> Iterator[Sandbox]:
    """The same, without faults and with its usual settings."""
    world.reset_log()
    yield world
    world.clear_faults()
    world.control("/_control/kombo/settings", {"unknown_ids": "refused"})
    for each in integrations(world):
        no_filters: dict[str, Any] = {"integration_id": each, "unsupported_filters": []}
        world.control("/_control/kombo/integration", no_filters)


def ids_of(run: Run, stream: str = "candidates") -> list[str]:
    return sorted(row["id"] for row in run.records(stream))


def values(call: dict[str, Any], name: str) -> list[str]:
    found: list[str] = call["query"][name].split(",") if name in call["query"] else []
    return found


# Kombo


@pytest.mark.parametrize("unknown_ids", ["refused", "ignored"])
def test_kombo_reads_the_candidates_of_all_integrations_by_id(
    sandbox: Sandbox, tmp_path: Path, unknown_ids: str
) -> None:
    sandbox.control("/_control/kombo/settings", {"unknown_ids": unknown_ids})
    # Changes of other tests lie before this read by more than the second of its bookmark.
    sandbox.advance(60)
    first, second, _ = integrations(sandbox)
    chosen = [*list(truth(sandbox, first))[:40], *list(truth(sandbox, second))[:3]]
    connector = kombo_connector(
        sandbox, tmp_path, candidate_ids=[f" {each} " for each in (*chosen, UNKNOWN, "", chosen[0])]
    )
    run = connector.read_quickly("candidates")
    assert run.code == 0
    assert ids_of(run) == sorted(chosen)
    calls = sandbox.log("kombo.*")
    assert {each["endpoint"] for each in calls} == {"kombo.candidates"}
    assert all(0 < len(values(each, "ids")) <= 25 for each in calls)
    (warning,) = run.logs("WARN").splitlines()
    assert UNKNOWN in warning
    assert "kombo.candidate_ids" in warning
    assert not [each for each in chosen if each in warning]

    # Incremental: the same filters, and only what changed.
    sandbox.advance(60)
    changed = change(sandbox, integration_id=first, changed=30)["changed"]
    sandbox.reset_log()
    later = connector.read_quickly("candidates", state=run.of("STATE"))
    assert ids_of(later) == sorted({*changed} & {*chosen})
    assert all(values(each, "ids") for each in sandbox.log("kombo.candidates"))


def test_kombo_on_spark_reads_the_chosen_candidates(sandbox: Sandbox, tmp_path: Path) -> None:
    chosen = sorted(truth(sandbox))[::4]
    connector = kombo_connector(sandbox, tmp_path, candidate_ids=[*chosen, UNKNOWN])
    stream = commands.stream(parse(connector.config).config, "candidates", SystemClock())
    partitioning = stream.partitioning
    assert partitioning is not None
    tasks = partitioning.split({}, partitioning.plan({}, 4), 4)
    found = [
        json.loads(row)["id"]
        for task in tasks
        for page in stream.read_partition(task)
        for row in page.records
    ]
    assert sorted(found) == chosen


def test_kombo_check_names_an_unknown_id(sandbox: Sandbox, tmp_path: Path) -> None:
    some = list(truth(sandbox))[:30]
    connector = kombo_connector(sandbox, tmp_path, candidate_ids=[*some, UNKNOWN])
    (status,) = connector.run_quickly("check").of("CONNECTION_STATUS")
    assert status["status"] == "SUCCEEDED"
    assert f"No integration knows {UNKNOWN}." in status["message"]


def test_an_id_that_one_integration_knows_is_not_asked_of_another(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    # By size of the integrations: the first has most, and is read first.
    ids = [list(truth(sandbox, each)) for each in integrations(sandbox)]
    for chosen, requests in (
        # Known to the first: one request there; refused twice by the second, and nothing left.
        (ids[0][:20], 1 + 2),
        # Known to the last: the first two are asked for all of it, for its halves, and so on.
        (ids[2][:8], 2 * (1 + 15) + 1),
    ):
        # One list at a time: side by side, the number depends on who is answered first.
        connector = kombo_connector(sandbox, tmp_path, candidate_ids=chosen, concurrent_requests=1)
        sandbox.reset_log()
        run = connector.read_quickly("candidates")
        assert ids_of(run) == sorted(chosen)
        assert len(sandbox.log("kombo.candidates")) == requests
        assert run.logs("WARN") == ""


def test_kombo_filters_all_have_to_match_on_every_page(sandbox: Sandbox, tmp_path: Path) -> None:
    everybody = truth(sandbox)
    jobs = sorted({job for row in everybody.values() for job in jobs_of(row)})[:30]
    applicants = {key for key, row in everybody.items() if jobs_of(row) & {*jobs}}
    assert 20 < len(applicants) < len(everybody)
    connector = kombo_connector(sandbox, tmp_path, job_ids=jobs, page_size=5)
    run = connector.read_quickly("candidates")
    assert {*ids_of(run)} == applicants
    calls = sandbox.log("kombo.candidates")
    assert [each for each in calls if "cursor" in each["query"]]
    assert all(values(each, "job_ids") for each in calls)

    person = next(row for key, row in everybody.items() if key in applicants and row["remote_id"])
    remote_ids = sorted({row["remote_id"] for row in everybody.values() if row["remote_id"]})[:60]
    for wanted, expected in (
        ({"remote_ids": [person["remote_id"]]}, [person["id"]]),
        ({"remote_ids": remote_ids},
         sorted(key for key, row in everybody.items() if row["remote_id"] in remote_ids)),
        ({"candidate_ids": [person["id"]], "job_ids": jobs}, [person["id"]]),
    ):  # fmt: skip
        only = kombo_connector(sandbox, tmp_path, **wanted)
        assert sorted({*ids_of(only.read_quickly("candidates"))}) == expected


def test_kombo_jobs_of_one_integration_are_requested_of_it_also_after_another_has_refused_ids(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    first, second, _ = integrations(sandbox)
    chosen = [
        next(row for row in truth(sandbox, each).values() if jobs_of(row))
        for each in (first, second)
    ]
    connector = kombo_connector(
        sandbox,
        tmp_path,
        candidate_ids=[row["id"] for row in chosen],
        job_ids=sorted({job for row in chosen for job in jobs_of(row)}),
        integration_ids=[first, second],
        concurrent_requests=1,
    )
    run = connector.read_quickly("candidates")
    assert run.code == 0, run.errors()
    assert ids_of(run) == sorted(row["id"] for row in chosen)


def jobs_of(row: dict[str, Any]) -> set[str]:
    return {each["job"]["id"] for each in row["applications"] or () if each.get("job")}


def test_kombo_reads_the_candidate_with_an_email_address(sandbox: Sandbox, tmp_path: Path) -> None:
    person, address = next(
        (row["id"], each["email_address"])
        for row in truth(sandbox).values()
        for each in row.get("email_addresses") or ()
        if each.get("email_address")
    )
    run = kombo_connector(sandbox, tmp_path, email=address.upper()).read_quickly("candidates")
    assert ids_of(run) == [person]
    assert address.lower() not in json.dumps(
        [each for each in run.messages if each["type"] != "RECORD"]
    ).lower()  # fmt: skip


def test_kombo_filters_hold_for_candidates_only(sandbox: Sandbox, tmp_path: Path) -> None:
    connector = kombo_connector(sandbox, tmp_path, candidate_ids=[next(iter(truth(sandbox)))])
    run = connector.read_quickly("candidates", "kombo_notes")
    assert len(run.records("candidates")) == 1
    assert len(run.records("kombo_notes")) > 1


def test_kombo_resumes_at_the_batch_that_failed(sandbox: Sandbox, tmp_path: Path) -> None:
    first = integrations(sandbox)[0]
    chosen = sorted(truth(sandbox, first))[:60]
    connector = kombo_connector(sandbox, tmp_path, candidate_ids=chosen, integration_ids=[first])
    sandbox.fault("kombo.candidates", "status", status=500, containing=chosen[-1])
    cut = connector.read_quickly("candidates")
    assert cut.code == 1
    assert cut.state()["integrations"][first]["in_progress"]["batch"] == 2
    assert ids_of(cut) == chosen[:50]
    sandbox.clear_faults()
    sandbox.reset_log()
    rest = connector.read_quickly("candidates", state=cut.of("STATE"))
    assert ids_of(rest) == chosen[50:]
    assert [values(each, "ids") for each in sandbox.log("kombo.candidates")] == [chosen[50:]]
    assert "in_progress" not in rest.state()["integrations"][first]


def test_a_kept_cursor_that_is_not_found_is_not_taken_for_unknown_ids(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    first, second, _ = integrations(sandbox)
    everybody = truth(sandbox, first, second)
    jobs = sorted({job for row in everybody.values() for job in jobs_of(row)})[:20]
    applicants = {key for key, row in everybody.items() if jobs_of(row) & {*jobs}}
    connector = kombo_connector(
        sandbox, tmp_path, job_ids=jobs, page_size=5, integration_ids=[first, second]
    )
    sandbox.fault("kombo.candidates", "status", status=500, containing=second, after=2)
    cut = connector.read_quickly("candidates")
    assert "cursor" in cut.state()["integrations"][second]["in_progress"]
    sandbox.clear_faults()
    gone = {"status": "error", "error": {"code": "PLATFORM.INPUT_INVALID", "message": "gone"}}
    sandbox.fault("kombo.candidates", "status", status=404, body=gone, containing=second, times=1)
    rest = connector.read_quickly("candidates", state=cut.of("STATE"))
    assert rest.code == 0
    assert {*ids_of(cut), *ids_of(rest)} == applicants


def test_kombo_says_when_a_filter_matches_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    for each in integrations(sandbox):
        unsupported = {"integration_id": each, "unsupported_filters": ["remote_ids"]}
        sandbox.control("/_control/kombo/integration", unsupported)
    person = next(iter(truth(sandbox).values()))
    connector = kombo_connector(sandbox, tmp_path, remote_ids=[person["remote_id"]])
    run = connector.read_quickly("candidates")
    assert (run.code, run.records()) == (0, [])
    (warning,) = run.logs("WARN").splitlines()
    assert warning == (
        "candidates: No row matches the row filters (kombo.remote_ids). Check them. Kombo also "
        "returns nothing for a filter on a field that the applicant tracking system does not have."
    )


def test_kombo_filters_that_are_refused_are_a_config_error(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    connector = kombo_connector(sandbox, tmp_path, email="nobody@example.org")
    refusal = {"status": "error", "error": {"code": "PLATFORM.INPUT_INVALID", "message": "x"}}
    sandbox.fault("kombo.candidates", "status", status=400, body=refusal, containing="nobody")
    run = connector.read_quickly("candidates")
    (error,) = run.errors()
    assert error["failure_type"] == "config_error"
    assert "kombo.email" in error["message"]
    (status,) = connector.run_quickly("check").of("CONNECTION_STATUS")
    assert (status["status"], "kombo.email" in status["message"]) == ("FAILED", True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"candidate_ids": ["short"]}, ["kombo.candidate_ids[0]", "24 letters and digits"]),
        ({"job_ids": [f"0{UNKNOWN[1:]}"]}, ["kombo.job_ids[0]", "24 letters and digits"]),
        ({"remote_ids": ["a,b"]}, ["kombo.remote_ids[0]", "comma"]),
        ({"email": "Ann <ann@example.org>"}, ["kombo.email", "one email address"]),
    ],
    ids=json.dumps,
)
def test_malformed_kombo_filters_are_rejected_before_a_request(
    sandbox: Sandbox, tmp_path: Path, settings: dict[str, Any], words: list[str]
) -> None:
    run = kombo_connector(sandbox, tmp_path, **settings).read_quickly("candidates")
    (error,) = run.errors()
    assert error["failure_type"] == "config_error"
    assert [each for each in words if each not in error["message"]] == []
    assert sandbox.log() == []


def test_a_filter_is_part_of_the_selection_and_its_default_is_not(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    # No row changes in the second in which the first read begins.
    sandbox.advance(3600)
    first = integrations(sandbox)[0]
    chosen = sorted(truth(sandbox, first))[:2]
    plain = kombo_connector(sandbox, tmp_path, candidate_ids=[], remote_ids=None, email=None)
    before = plain.read_quickly("candidates")
    saved = saved_states.files()["0.1.0"]["streams"]["candidates"]["finished"]["state"]
    assert before.state()["selection"] == saved["selection"]
    filtered = kombo_connector(sandbox, tmp_path, candidate_ids=chosen)
    run = filtered.read_quickly("candidates", state=before.of("STATE"))
    assert ids_of(run) == chosen
    assert "selects other rows" in run.logs("INFO")
    reordered = kombo_connector(sandbox, tmp_path, candidate_ids=chosen[::-1])
    again = reordered.read_quickly("candidates", state=run.of("STATE"))
    assert (again.code, again.records()) == (0, [])


# Talemetry


def talemetry(sandbox: Sandbox, folder: Path, **more: Any) -> Connector:
    return source(folder, talemetry=section("talemetry", sandbox.url, **more))


def people(sandbox: Sandbox) -> list[str]:
    everybody = sandbox.truth("/_control/talemetry/truth")
    return sorted(each["id"] for each in everybody if not each["deleted"])


def test_talemetry_requests_the_chosen_people_and_lists_nobody(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    chosen, gone = people(sandbox)[:7], "11111111-aaaa-11ef-8000-000000000001"
    connector = talemetry(sandbox, tmp_path, candidate_ids=[*chosen, gone], ids_per_request=3)
    (status,) = connector.run_quickly("check").of("CONNECTION_STATUS")
    assert status["status"] == "SUCCEEDED"
    first = connector.read_quickly("profiles")
    assert first.code == 0
    assert ids_of(first, "profiles") == chosen
    assert {each["endpoint"] for each in sandbox.log()} == {"talemetry.profiles"}
    (warning,) = first.logs("WARN").splitlines()
    assert gone in warning
    assert "talemetry.candidate_ids" in warning
    state = first.state("profiles")
    assert state.keys() == {"selection", "listed_until"}
    as_of = {row["as_of"] for row in first.records("profiles")}
    assert all(each >= state["listed_until"] for each in as_of)

    # Nothing tells who changed: every run reads all of them.
    again = connector.read_quickly("profiles", state=first.of("STATE"))
    assert ids_of(again, "profiles") == chosen


def test_talemetry_resumes_at_the_batch_that_failed(sandbox: Sandbox, tmp_path: Path) -> None:
    chosen = people(sandbox)[:6]
    connector = talemetry(sandbox, tmp_path, candidate_ids=chosen, ids_per_request=2)
    sandbox.fault("talemetry.profiles", "status", status=500, containing=chosen[2])
    sandbox.fault("talemetry.profiles", "status", status=500, containing=chosen[3])
    for each in (*chosen[:2], *chosen[4:]):
        # Once the first batch was answered, nobody is any more: the vendor is down.
        sandbox.fault("talemetry.profiles", "status", status=500, containing=f'["{each}"]')
    cut = connector.read_quickly("profiles")
    assert cut.code == 1
    assert ids_of(cut, "profiles") == chosen[:2]
    assert cut.state("profiles")["in_progress"]["batch"] == 1
    sandbox.clear_faults()
    rest = connector.read_quickly("profiles", state=cut.of("STATE"))
    assert ids_of(rest, "profiles") == chosen[2:]
    assert "in_progress" not in rest.state("profiles")


def test_talemetry_can_leave_include_out(sandbox: Sandbox, tmp_path: Path) -> None:
    chosen = people(sandbox)[:2]
    run = talemetry(sandbox, tmp_path, candidate_ids=chosen, include=[]).read_quickly("profiles")
    assert ids_of(run, "profiles") == chosen
    for row in run.records("profiles"):
        # What the vendor answers without the parameter: no notes, tags or custom fields.
        assert row["contact"]
        assert row["employment_history"]
        assert (row["notes"], row["tags"], row["custom_data"]) == (None, None, None)


def test_talemetry_refuses_what_is_not_a_guid(sandbox: Sandbox, tmp_path: Path) -> None:
    run = talemetry(sandbox, tmp_path, candidate_ids=["ann"]).read_quickly("profiles")
    (error,) = run.errors()
    assert error["failure_type"] == "config_error"
    assert "talemetry.candidate_ids[0]" in error["message"]


# ATZ CRM


def atz_crm(sandbox: Sandbox, folder: Path, **more: Any) -> Connector:
    return source(folder, atz_crm=section("atz_crm", sandbox.url, **more))


def histories(sandbox: Sandbox) -> dict[str, list[Any]]:
    lines = sandbox.truth("/_control/atz_crm/truth")
    return {line["slug"]: line["history"] for line in lines if line["history"]}


def test_atz_crm_requests_the_chosen_histories_and_lists_nobody(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    chosen, unknown = sorted(histories(sandbox))[:5], "candidate_00000000000000000000"
    connector = atz_crm(sandbox, tmp_path, candidate_slugs=[*chosen, unknown])
    (status,) = connector.run_quickly("check").of("CONNECTION_STATUS")
    assert status["status"] == "SUCCEEDED"
    assert unknown in status["message"]
    first = connector.read_quickly("candidate_history")
    assert first.code == 0
    rows = first.records("candidate_history")
    assert {row["candidate_slug"] for row in rows} == {*chosen}
    assert len(rows) == sum(len(histories(sandbox)[slug]) for slug in chosen)
    assert {row["candidate_id"] for row in rows} == {None}
    assert {each["endpoint"] for each in sandbox.log()} == {"atz_crm.history"}
    assert unknown in first.logs("WARN")

    sandbox.advance(7200)
    moved = sandbox.control("/_control/atz_crm/change", {"moved_stage": 90})["moved_stage"]
    sandbox.advance(7200)
    later = connector.read_quickly("candidate_history", state=first.of("STATE"))
    assert {row["candidate_slug"] for row in later.records("candidate_history")} == (
        {*moved} & {*chosen}
    )
    again = connector.read_quickly("candidate_history", state=later.of("STATE"))
    assert again.records("candidate_history") == []


def test_atz_crm_on_spark_lists_nobody(sandbox: Sandbox, tmp_path: Path) -> None:
    chosen = sorted(histories(sandbox))[:9]
    config = parse(atz_crm(sandbox, tmp_path, candidate_slugs=chosen).config).config
    stream = commands.stream(config, "candidate_history", SystemClock())
    partitioning = stream.partitioning
    assert partitioning is not None
    tasks = partitioning.split({}, partitioning.plan({}, 4), 4)
    found = [
        json.loads(row)["candidate_slug"]
        for task in tasks
        for page in stream.read_partition(task)
        for row in page.records
    ]
    assert {*found} == {*chosen}
    assert len(found) == sum(len(histories(sandbox)[slug]) for slug in chosen)
    assert {each["endpoint"] for each in sandbox.log()} == {"atz_crm.history"}


@pytest.mark.parametrize("count", [1, 4])
def test_atz_crm_that_refuses_all_chosen_candidates_is_explained(
    sandbox: Sandbox, tmp_path: Path, count: int
) -> None:
    connector = atz_crm(sandbox, tmp_path, candidate_slugs=[f"wrong_{n}" for n in range(count)])
    sandbox.fault("atz_crm.history", "status", status=400, body={"message": "Unprocessable Entity"})
    run = connector.read_quickly("candidate_history")
    if count == 1:
        assert run.code == 0
        assert "wrong_0" in run.logs("WARN")
    else:
        (error,) = run.errors()
        assert error["failure_type"] == "config_error"
        assert "atz_crm.candidate_slugs" in error["message"]
    (status,) = connector.run_quickly("check").of("CONNECTION_STATUS")
    assert status["status"] == "FAILED"
    assert "atz_crm.candidate_slugs" in status["message"]


def test_the_other_streams_of_atz_crm_are_read_as_ever(sandbox: Sandbox, tmp_path: Path) -> None:
    connector = atz_crm(sandbox, tmp_path, candidate_slugs=sorted(histories(sandbox))[:2])
    run = connector.run_quickly("read", catalog=catalog("atz_candidates", "candidate_history"))
    assert len(run.records("atz_candidates")) > 100
    assert len({row["candidate_slug"] for row in run.records("candidate_history")}) == 2
