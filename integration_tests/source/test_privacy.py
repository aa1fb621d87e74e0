"""`privacy.drop` and `privacy.hash`: what is named there leaves the connector nowhere."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import Connector, Run, catalog
from integration_tests.support.every_stream import STREAMS, configuration, fill_comeet
from source_ats import commands
from source_ats.cdk import SourceAts
from source_ats.clock import SystemClock
from source_ats.config import parse
from source_ats.errors import ConfigError

KEY = "made-up-hash-key-9f2c"
NAMES = [case.name for case in STREAMS]
NEEDED = {
    "kombo": {"id", "integration_id", "changed_at", "remote_deleted_at"},
    "profiles": {"id", "as_of", "is_deleted"},
    "candidate_history": {"id", "candidate_slug", "updated_at", "read_at"},
    "atz_candidates": {"slug", "updated_at"},
    "atz_deals": {"slug", "updated_at"},
    "comeet_positions": {"uid", "time_updated"},
    "comeet_candidates": {"uid", "time_last_status_changed", "deleted"},
    "comeet_deleted_candidates": {"uid", "read_at"},
}
"""The columns of each stream that can be neither dropped nor hashed."""
BY_CHANCE = re.compile(r".{0,5}|\d{4}-\d\d(-\d\d)?|[a-z_]+")
"""Short texts, days and common words may be part of other texts."""


def needed(stream: str) -> set[str]:
    return NEEDED["kombo" if stream.startswith(("candidates", "kombo_")) else stream]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """All vendors, with some people each."""
    with Sandbox.start(candidates=40) as running:
        fill_comeet(running, 12, on_a_page=50)
        yield running


@pytest.fixture
def connector(sandbox: Sandbox, tmp_path: Path) -> Connector:
    """The source with all sections, one list of Kombo at a time."""
    sandbox.clear_faults()
    config = configuration(sandbox)
    # So that records come in the same order each time.
    config["kombo"]["concurrent_requests"] = 1
    return Connector(tmp_path, {**config, "lookback_minutes": 0})


def schemas(connector: Connector) -> dict[str, dict[str, Any]]:
    (found,) = connector.run_quickly("discover").of("CATALOG")
    return {each["name"]: each["json_schema"]["properties"] for each in found["streams"]}


def texts(value: Any) -> Iterator[str]:
    """Yield all texts in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts(each)


def private_texts(run: Run, stream: str) -> set[str]:
    """Return the texts that are in no column of any stream that is needed."""
    public = {
        text
        for each in NAMES
        for row in run.records(each)
        for name in needed(each)
        for text in texts(row[name])
    }
    columns = (
        value for row in run.records(stream) for name, value in row.items()
        if name not in needed(stream)
    )  # fmt: skip
    return {text for value in columns for text in texts(value) if len(text) > 2} - public


@pytest.mark.parametrize("setting", ["drop", "hash"])
def test_no_value_of_any_stream_is_in_records_states_or_logs(
    connector: Connector, setting: str
) -> None:
    columns = schemas(connector)
    everything = catalog(*NAMES)
    plain = connector.run_quickly("read", catalog=everything)
    paths = [
        f"{stream}.{name}" for stream in columns for name in columns[stream].keys() - needed(stream)
    ]
    connector.config["privacy"] = {setting: paths, "hash_key": KEY}
    run = connector.run_quickly("read", catalog=everything, debug=True)
    assert run.code == 0, run.errors()
    printed = json.dumps(run.messages, ensure_ascii=False)
    whole = set(texts([each for each in run.messages if each["type"] != "TRACE"]))
    assert KEY not in printed
    for stream in NAMES:
        assert len(run.records(stream)) == len(plain.records(stream)) > 0
        if setting == "drop":
            assert {name for row in run.records(stream) for name in row} <= needed(stream)
        private = private_texts(plain, stream)
        assert private or stream == "comeet_deleted_candidates"
        assert private & whole == set(), stream
        parts = [text for text in private if not BY_CHANCE.fullmatch(text)]
        assert [text for text in parts if text in printed] == [], stream


def test_named_fields_change_and_all_else_stays(connector: Connector, sandbox: Sandbox) -> None:
    for at, raw in (
        ("data.results.0.custom_fields", '{"a.b":"dotted","n":1.10}'),
        ("data.results.0.email_addresses", '[{"email_address":"ann@example.org","type":"X"},null]'),
        ("data.results.0.tags", '["one",null,["two"]]'),
        ("data.results.0.new", '{"b": 1.0, "a": [1, "ü"]}'),
        ("data.results.0.social_media", '[{"link":"x"},"odd",{"link":"y","type":"Z"}]'),
    ):
        sandbox.fault("kombo.candidates", "replace", at=at, raw=raw)
    before = connector.run_quickly("read", catalog=catalog("candidates"))
    connector.config["privacy"] = {
        "drop": [r"candidates.custom_fields.a\.b", "candidates.social_media.link", "*.remote_data"],
        "hash": [
            "candidates.email_addresses.email_address", "candidates.tags", "candidates.location",
        ],
        "hash_key": KEY,
    }  # fmt: skip
    after = connector.run_quickly("read", catalog=catalog("candidates"))
    expected = []
    for row in before.records():
        del row["remote_data"]
        if row["custom_fields"]:
            row["custom_fields"].pop("a.b", None)
        for each in row.get("social_media") or ():
            if isinstance(each, dict):
                each.pop("link", None)
        for each in row.get("email_addresses") or ():
            if each and each.get("email_address") is not None:
                each["email_address"] = hashed(each["email_address"])
        row["tags"] = hashed_elements(row["tags"])
        if row.get("location") is not None:
            row["location"] = hashed(row["location"])
        expected.append(row)
    assert after.records() == expected
    # Numbers keep their spelling, also in an object of which a part is removed.
    assert b'"n":1.10}' in (connector.folder / max(
        (each.name for each in connector.folder.glob("*-out.jsonl")),
        key=lambda name: int(name.partition("-")[0]),
    )).read_bytes()  # fmt: skip


def hashed(value: Any) -> str:
    """Return the HMAC of a text, or of any other value as canonical JSON."""
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hmac.new(KEY.encode(), value.encode(), hashlib.sha256).hexdigest()


def hashed_elements(value: Any) -> Any:
    if isinstance(value, list):
        return [hashed_elements(each) for each in value]
    return None if value is None else hashed(value)


def test_discover_shows_what_a_record_has(connector: Connector) -> None:
    connector.config["privacy"] = {
        "drop": ["*.remote_data", "candidates.email_addresses.type"],
        "hash": [
            "candidates.first_name", "candidates.tags", "candidates.location",
            "candidates.remote_created_at", "candidates.applications.job.name",
            "candidates.integration_fields.value",
        ],
        "hash_key": KEY,
    }  # fmt: skip
    columns = schemas(connector)
    assert not [name for name, each in columns.items() if "remote_data" in each]
    candidates = columns["candidates"]
    assert list(candidates["email_addresses"]["items"]["properties"]) == ["email_address"]
    first_name = candidates["first_name"]
    assert first_name.keys() == {"type", "description"}
    for each in (
        first_name, candidates["location"], candidates["remote_created_at"],
        candidates["tags"]["items"],
        candidates["applications"]["items"]["properties"]["job"]["properties"]["name"],
    ):  # fmt: skip
        assert each["type"] == ["null", "string"]
        assert not each.keys() & {"format", "airbyte_type", "properties"}
    assert candidates["tags"]["type"] == ["null", "array"]
    value = candidates["integration_fields"]["items"]["properties"]["value"]
    assert value["type"] == ["null", "string", "array"]


@pytest.mark.parametrize("path", ["contact", "contact.ContactMethod", "email"])
def test_a_copied_value_is_removed_in_both_places(
    connector: Connector, sandbox: Sandbox, path: str
) -> None:
    addresses = {row["email"] for row in connector.read_quickly("profiles").records("profiles")}
    connector.config["privacy"] = {"drop": [f"profiles.{path}"]}
    run = connector.read_quickly("profiles")
    rows = run.records("profiles")
    assert rows
    assert not [row for row in rows if "email" in row]
    printed = json.dumps(run.messages)
    assert [each for each in addresses if each and f'"{each}"' in printed] == []


@pytest.mark.parametrize(
    ("privacy", "words"),
    [
        ({"drop": ["candidates.emial_addresses"]}, ["candidates.email_addresses"]),
        ({"drop": ["candidates.email_addresses.adress"]},
         ["candidates.email_addresses.email_address"]),
        ({"drop": ["*.remote_dta"]}, ["*.remote_data"]),
        ({"drop": ["candidate.email"]}, ["candidates,", "profiles"]),
        ({"drop": ["candidates.first_name.x"]}, ["no stream has the field"]),
        ({"drop": ["candidates"]}, ["is not a path", "<stream>.<field>"]),
        ({"drop": ["candidates..title"]}, ["is not a path"]),
        ({"drop": ["candidates.id"]}, ["neither dropped nor hashed", "candidates needs id"]),
        ({"drop": ["*.id"]}, ["neither dropped nor hashed"]),
        ({"drop": ["candidates.integration_id"]}, ["neither dropped nor hashed"]),
        ({"hash": ["kombo_users.remote_deleted_at"], "hash_key": KEY}, ["show deletions"]),
        ({"hash": ["profiles.as_of"], "hash_key": KEY}, ["neither dropped nor hashed"]),
        ({"drop": ["profiles.is_deleted"]}, ["neither dropped nor hashed"]),
        ({"drop": ["candidate_history.candidate_slug"]}, ["neither dropped nor hashed"]),
        ({"hash": ["candidates.title"]}, ["privacy.hash_key", "long random text"]),
        ({"hash": "candidates.title"}, ["privacy.hash", "list"]),
    ],
    ids=json.dumps,
)  # fmt: skip
@pytest.mark.parametrize("verb", ["check", "discover", "read"])
def test_a_path_that_cannot_be_meant_is_a_config_error(
    connector: Connector, verb: str, privacy: dict[str, Any], words: list[str]
) -> None:
    connector.config["privacy"] = privacy
    run = connector.run_quickly(verb, catalog=catalog("candidates") if verb == "read" else None)
    assert run.of("RECORD") == []
    if verb == "check":
        (status,) = run.of("CONNECTION_STATUS")
        assert status["status"] == "FAILED"
        message = status["message"]
    else:
        (error,) = run.errors()
        assert error["failure_type"] == "config_error"
        message = error["message"]
    assert "privacy." in message
    assert [each for each in words if each not in message] == []
    assert KEY not in json.dumps(run.messages)


def test_other_privacy_settings_are_another_selection(connector: Connector) -> None:
    settings: list[dict[str, Any] | None] = [
        None,
        {},
        {"drop": ["candidates.title"]},
        {"hash": ["candidates.title"], "hash_key": KEY},
        {"hash": ["candidates.title"], "hash_key": f"{KEY}, another one"},
    ]
    selections = []
    for each in settings:
        connector.config["privacy"] = each
        selections.append(connector.read_quickly("candidates").state()["selection"])
    assert selections[0] == selections[1]
    assert len(set(selections)) == 4
    # It concerns the streams that have the field, and the key those that hash with it.
    connector.config["privacy"] = {"drop": ["kombo_tags.name"], "hash_key": KEY}
    assert connector.read_quickly("candidates").state()["selection"] == selections[0]


def test_the_entry_point_of_the_cdk_protects_alike(connector: Connector) -> None:
    connector.config["privacy"] = {
        "drop": ["*.remote_data"], "hash": ["candidates.email_addresses"], "hash_key": KEY,
    }  # fmt: skip
    ours = connector.run_quickly("read", catalog=catalog("candidates"))
    configured = ConfiguredAirbyteCatalogSerializer.load(catalog("candidates"))
    messages = list(SourceAts().read(logging.getLogger(), connector.config, configured))
    records = [each.record.data for each in messages if each.record is not None]
    assert records == ours.records()
    (candidates,) = [
        each.json_schema
        for each in SourceAts().discover(logging.getLogger(), connector.config).streams
        if each.name == "candidates"
    ]
    assert candidates["properties"] == schemas(connector)["candidates"]
    assert "remote_data" not in candidates["properties"]


def test_a_task_of_spark_protects_its_stream_and_accepts_paths_of_other_systems(
    connector: Connector,
) -> None:
    connector.config["privacy"] = {
        "drop": ["profiles.notes", "*.remote_data", "candidates.first_name"]
    }
    whole = commands.configured(connector.config)
    config = commands.only_for(whole, "candidates")
    assert (config.talemetry, config.privacy) != (None, None)
    stream = commands.stream(config, "candidates", SystemClock())
    assert not stream.schema["properties"].keys() & {"remote_data", "first_name"}
    partitioning = stream.partitioning
    assert partitioning is not None
    planned = partitioning.split({}, partitioning.plan({}, 4), 4)
    rows = [
        json.loads(row) for each in planned for page in stream.read_partition(each)
        for row in page.records
    ]  # fmt: skip
    assert rows
    assert not [row for row in rows if row.keys() & {"remote_data", "first_name"}]
    with pytest.raises(ConfigError, match="no stream has the field"):
        commands.only_for(
            parse({**connector.config, "privacy": {"drop": ["x.y"]}}).config, "profiles"
        )
