"""The manifest for Airbyte Cloud, run by `source-declarative-manifest`, the CDK's own runner."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from integration_tests.sandbox.running import PROJECT, Sandbox
from integration_tests.sandbox.talemetry.routes import CLIENT_ID, CLIENT_SECRET
from integration_tests.support import atz_crm, kombo, talemetry
from integration_tests.support.connector import Connector, Run, catalog
from integration_tests.support.manifest import ManifestConnector, configuration, last_states
from integration_tests.support.standard_suite import AIRBYTE_CDK, STRICTLY
from tools.manifest.document import FILE

STREAMS = ("candidates", "profiles", "deleted_profiles", "candidate_history")
CANARY = "Mira Solberg, mira.solberg@example.org"


pytestmark = pytest.mark.people(60)


@pytest.fixture
def manifest(sandbox: Sandbox, tmp_path: Path) -> ManifestConnector:
    """The manifest, configured for all of it."""
    return ManifestConnector(tmp_path, configuration(sandbox))


@dataclass
class Reads:
    """What the manifest and the connector read from the same world."""

    manifest: Run
    source: Run
    again: Run
    changed: dict[str, set[str]]
    """Of whom the second read has to bring rows, by stream."""


@pytest.fixture(scope="module")
def reads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reads]:
    """Both read everything; then some rows change, and the manifest reads again."""
    with Sandbox.start(candidates=60) as sandbox:
        config = configuration(sandbox)
        folder = tmp_path_factory.mktemp("manifest")
        talemetry.change(sandbox, deleted=2, changed=3, at=talemetry.ago(sandbox, 86_400))
        by_manifest = ManifestConnector(folder, config)
        first = by_manifest.read(*STREAMS)
        source = Connector(folder, config).read("candidates", "profiles", "candidate_history")
        candidates = kombo.change(sandbox, new=1, changed=2, deleted=1)
        # Windows end 5 minutes behind the clock, so it is the lookback that finds these.
        people = talemetry.change(
            sandbox, new=1, changed=2, deleted=1, at=talemetry.ago(sandbox, 1_800)
        )
        again = by_manifest.read(*STREAMS, state=last_states(first))
        changed = {
            "candidates": {key for keys in candidates.values() for key in keys},
            "profiles": {*people["new"], *people["changed"]},
            "deleted_profiles": set(people["deleted"]),
        }
        yield Reads(first, source, again, changed)


def test_rows_are_those_of_source_ats(reads: Reads) -> None:
    assert (reads.manifest.code, reads.source.code) == (0, 0)
    source = {name: _by_key(reads.source, name) for name in ("candidates", "profiles")}
    deleted = {key: row for key, row in source["profiles"].items() if row["is_deleted"]}
    living = {key: row for key, row in source["profiles"].items() if key not in deleted}

    assert len(source["candidates"]) == 60
    assert _by_key(reads.manifest, "candidates", "read_at") == source["candidates"]
    assert len(living) == 58
    assert _by_key(reads.manifest, "profiles", "as_of") == _without(living, "as_of", "extra")
    assert len(deleted) == 2
    assert _by_key(reads.manifest, "deleted_profiles", "as_of") == _without(deleted, "as_of")
    histories = [
        sorted(
            json.dumps(row, sort_keys=True)
            for row in _by_key(run, "candidate_history", "id", "read_at").values()
        )
        for run in (reads.manifest, reads.source)
    ]
    assert histories[0] == histories[1]
    assert len(histories[0]) > 60


def test_second_read_brings_what_changed(reads: Reads) -> None:
    assert reads.again.code == 0
    found = {name: {row["id"] for row in reads.again.records(name)} for name in reads.changed}
    assert found == reads.changed
    # A history has no bookmark: all of them come again.
    histories = [len(run.records("candidate_history")) for run in (reads.manifest, reads.again)]
    assert histories[0] == histories[1]


def test_killed_read_resumes_after_the_integrations_that_it_finished(
    sandbox: Sandbox, manifest: ManifestConnector
) -> None:
    _, second, third = kombo.integrations(sandbox)
    # The CDK keeps a line back until it prints another one, a tenth of a second later or more.
    sandbox.fault("kombo.candidates", "delay", containing=second, delay_seconds=0.5)
    sandbox.fault("kombo.candidates", "stall", containing=third)
    started = manifest.start(catalog=catalog("candidates"))
    assert started.wait_until(lambda: b'"type":"STATE"' in started.printed())
    cut = started.end(signal.SIGKILL)
    sandbox.clear_faults()
    before = sandbox.log()[-1]["n"]

    resumed = manifest.read("candidates", state=last_states(cut))

    assert resumed.code == 0
    rows = {row["id"]: row["integration_id"] for run in (cut, resumed) for row in run.records()}
    assert rows == {key: row["integration_id"] for key, row in kombo.truth(sandbox).items()}
    assert {row["integration_id"] for row in resumed.records()} == {second, third}
    bookmarks = {
        each["partition"]["integration_id"]: each["cursor"]["read_at"]
        for each in cut.state()["states"]
    }
    since = [call["query"]["updated_after"] for call in sandbox.log(since=before)]
    start = "2000-01-01T00:00:00.000Z"
    assert (bookmarks[second], bookmarks[third]) == (start, start)
    assert len(since) == 3
    assert since.count(start) == 2


def test_rate_limits_and_invalid_answers_are_requested_again(
    sandbox: Sandbox, manifest: ManifestConnector
) -> None:
    client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    url = {"authorization_url": f"{sandbox.url}/talemetry/oauth/token"}
    credentials = {"auth_type": "client_credentials", **client, **url}
    manifest.config["talemetry"]["credentials"] = credentials
    wait = {"Retry-After": "0.01"}
    # Without ATZ CRM: there the budget takes a 429 for the end of its minute, and waits it out.
    for endpoint in ("kombo.candidates", "talemetry.ids"):
        sandbox.fault(endpoint, "status", status=429, headers=wait, body=CANARY, times=1)
    for endpoint in ("talemetry.profiles", "atz_crm.candidates", "atz_crm.history"):
        sandbox.fault(endpoint, "body", headers=wait, body=CANARY, times=1)
    run = manifest.read(*STREAMS)

    assert run.code == 0
    assert {row["id"] for row in run.records()} == set(kombo.truth(sandbox))
    assert {row["id"] for row in run.records("profiles")} == set(talemetry.truth(sandbox))
    slugs = {row["candidate_slug"] for row in run.records("candidate_history")}
    assert slugs == set(atz_crm.truth(sandbox))
    assert CANARY not in _told(run)


def test_refused_history_fails_the_stream_and_is_read_again_with_all_others(
    sandbox: Sandbox, manifest: ManifestConnector
) -> None:
    slugs = list(atz_crm.truth(sandbox))
    atz_crm.mark(sandbox, slugs[0], 404)
    sandbox.fault(
        "atz_crm.history", "status", status=422, body={"message": CANARY}, containing=slugs[1]
    )
    run = manifest.read("candidate_history")

    assert run.code == 1
    assert run.statuses("candidate_history")[-1] == "INCOMPLETE"
    assert {row["candidate_slug"] for row in run.records("candidate_history")} == set(slugs[2:])
    (error, _) = run.errors()
    assert (error["message"], error["failure_type"]) == (
        "ATZ CRM refused a request.",
        "system_error",
    )
    # What no manifest can prevent: the CDK logs the answer's body.
    assert CANARY in run.logs("ERROR")
    assert CANARY in error["internal_message"]

    again = manifest.read("candidate_history", state=last_states(run))
    assert sandbox.counts()["atz_crm.history"]["total"] == 2 * 60
    assert len(again.records("candidate_history")) == len(run.records("candidate_history"))


def test_integration_that_cannot_be_read_is_read_in_full_later_and_a_new_one_is_not(
    sandbox: Sandbox, manifest: ManifestConnector
) -> None:
    known, broken, new = manifest.config["kombo"]["integration_ids"]
    manifest.config["kombo"]["integration_ids"] = [known, broken]
    kombo.set_up(sandbox, broken, error="INTEGRATION.INACTIVE")
    first = manifest.read("candidates")
    assert first.code == 0
    assert {row["id"] for row in first.records()} == set(kombo.truth(sandbox, known))
    assert "Switch it on in Kombo's dashboard" in first.logs("INFO")

    kombo.set_up(sandbox, broken, error=None)
    manifest.config["kombo"]["integration_ids"] = [known, broken, new]
    second = manifest.read("candidates", state=last_states(first))
    # The CDK begins a new partition at the bookmark of the others.
    assert {row["id"] for row in second.records()} == set(kombo.truth(sandbox, broken))


def test_check_names_the_wrong_credentials(sandbox: Sandbox, manifest: ManifestConnector) -> None:
    del manifest.config["talemetry"], manifest.config["kombo"]
    manifest.config["atz_crm"] |= {"access_token": "wrong"}
    (status,) = manifest.run("check").of("CONNECTION_STATUS")
    assert status["status"] == "FAILED"
    assert (
        "ATZ CRM does not accept the credentials. Check atz_crm.access_token." in status["message"]
    )


def test_builder_reads_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """The command behind *Test* in Airbyte's Connector Builder."""
    config = {
        **configuration(sandbox),
        "__injected_declarative_manifest": yaml.safe_load(FILE.read_text("utf-8")),
        "__command": "test_read",
        "__command_config": {"max_records": 100, "max_pages_per_slice": 5, "max_slices": 5},
    }
    builder = [sys.executable, "-m", "airbyte_cdk.connector_builder.main"]
    run = Connector(tmp_path, config, builder).read("profiles", state=[])

    assert run.code == 0
    (answer,) = run.records("profiles")
    pages = [page for each in answer["slices"] for page in each["pages"]]
    people = {row["id"] for page in pages for row in page["records"]}
    assert people == set(talemetry.truth(sandbox))
    assert answer["logs"] == []


def test_standard_tests_pass(sandbox: Sandbox, tmp_path: Path) -> None:
    """Airbyte's own suite (FAST), strictly, as for any connector that is a manifest."""
    talemetry.change(sandbox, deleted=1, at=talemetry.ago(sandbox, 86_400))
    folder = tmp_path / "source-ats-lite"
    secrets = folder / "secrets"
    secrets.mkdir(parents=True)
    shutil.copy(FILE, folder / "manifest.yaml")
    shutil.copy(PROJECT / "acceptance-test-config.yml", folder)
    metadata = yaml.safe_load((PROJECT / "metadata.yaml").read_text("utf-8"))
    metadata["data"]["tags"] = ["language:manifest-only"]
    (folder / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    config = configuration(sandbox)
    wrong = {**config, "kombo": {**config["kombo"], "api_key": "ks_dev_unknown"}}
    (secrets / "config.json").write_text(json.dumps(config))
    (secrets / "invalid_config.json").write_text(json.dumps(wrong))
    arguments = ["-m", "not image_tests", "-rs", *STRICTLY]
    done = subprocess.run(
        [AIRBYTE_CDK, "connector", "test", ".", *(f"--pytest-arg={each}" for each in arguments)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=1100,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    report = ET.parse(folder / "build/test-results/standard-tests-junit.xml")  # noqa: S314 - ours
    passed = {
        each.get("name", "").split("[")[0]
        for each in report.iter("testcase")
        if each.find("skipped") is None
    }
    assert passed == {
        "test_basic_read",
        "test_check",
        "test_config_matches_spec",
        "test_discover",
        "test_fail_read_with_bad_catalog",
        "test_spec",
    }


def _by_key(run: Run, stream: str, *without: str) -> dict[str, dict[str, Any]]:
    return _without({row["id"]: row for row in run.records(stream)}, *without)


def _without(rows: dict[str, dict[str, Any]], *names: str) -> dict[str, dict[str, Any]]:
    """Return rows without some columns, and without nulls: the CDK leaves out columns of null."""
    return {
        key: {name: each for name, each in row.items() if name not in names and each is not None}
        for key, row in rows.items()
    }


def _told(run: Run) -> str:
    return json.dumps([each for each in run.messages if each["type"] in {"LOG", "TRACE"}])
