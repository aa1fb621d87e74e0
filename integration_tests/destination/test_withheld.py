"""Records whose source drops or hashes what a mapping needs: the reason names the settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.configured import section, source
from integration_tests.support.connector import catalog
from integration_tests.support.kombo import integrations
from integration_tests.support.writer import OPEN, Writer, configured, record, state

STREAMS = {
    "candidates": ("kombo", "kombo_candidates", "id"),
    "profiles": ("talemetry", "talemetry_profiles", "id"),
    "atz_candidates": ("atz_crm", "atz_candidates", "slug"),
}
DROPPED = (
    "is missing, and Comeet requires it; the record has no {column}, which the privacy settings of "
    "the source may drop (privacy.drop)"
)
ADDRESS = "contact.ContactMethod.PostalAddress"
HASHED = "is a hash, as privacy.hash of the source makes it"


def records_of(sandbox: Sandbox, folder: Path, stream: str, **privacy: Any) -> list[Any]:
    """Return the records of a stream that is read with these privacy settings."""
    vendor = STREAMS[stream][0]
    sandbox.control("/_control/atz_crm/settings", {"rate_limit": None})
    more = {"kombo": {"integration_ids": integrations(sandbox)}}
    connector = source(folder, **{vendor: section(vendor, sandbox.url, **more.get(vendor, {}))})
    connector.config["privacy"] = privacy
    run = connector.run_quickly("read", catalog=catalog(stream))
    assert run.code == 0, run.errors()
    return run.records(stream)


@pytest.mark.parametrize("setting", ["drop", "hash"])
@pytest.mark.parametrize(
    ("stream", "column", "field"),
    [
        ("candidates", "first_name", "first_name"),
        ("profiles", "family_name", "last_name"),
        ("atz_candidates", "last_name", "last_name"),
    ],
)
def test_a_name_that_the_source_withholds(
    writer: Writer, stream: str, column: str, field: str, setting: str
) -> None:
    privacy: dict[str, Any] = {setting: [f"{stream}.{column}"], "hash_key": "k"}
    rows = records_of(writer.sandbox, writer.folder, stream, **privacy)
    _, mapping, key = STREAMS[stream]
    settings: dict[str, Any] = {
        "stream": stream,
        "mapping": {"mapping_type": mapping},
        "position_uid": OPEN,
    }
    writer.config["streams"] = [settings]
    writer.config["rejected_path"] = str(writer.folder / "rejected.jsonl")
    writer.catalog = {"streams": [configured(stream, primary_key=(key,))]}
    messages = [record(row, stream) for row in rows]
    run = writer.write(*messages, state(1, stream))
    assert run.code == 0, run.output
    assert writer.truth() == []
    lines = (writer.folder / "rejected.jsonl").read_text().splitlines()
    reason = DROPPED.format(column=column) if setting == "drop" else HASHED
    assert {
        (each["field"], each["reason"]) for line in lines for each in json.loads(line)["refusals"]
    } == {(field, reason)}

    # What the source withholds can be filled in.
    settings["extra_fields"] = [{"comeet_field": field, "expression": "'Somebody'"}]
    assert writer.write(*messages, state(2, stream)).code == 0
    assert {each["fields"][field] for each in writer.truth()} == {"Somebody"}


@pytest.mark.parametrize(
    ("stream", "path", "field"),
    [
        ("candidates", "email_addresses.email_address", "email"),
        ("candidates", "phone_numbers.phone_number", "mobile_phone"),
        ("candidates", "location.street_1", "address"),
        ("profiles", "email", "email"),
        ("profiles", "contact.ContactMethod.Telephone.SubscriberNumber", "phone"),
        ("profiles", "contact.ContactMethod.Mobile.SubscriberNumber", "mobile_phone"),
        ("profiles", f"{ADDRESS}.DeliveryAddress.AddressLine", "address"),
        ("profiles", f"{ADDRESS}.DeliveryAddress", "address"),
        ("profiles", f"{ADDRESS}.Municipality", "address"),
        ("atz_candidates", "city", "address"),
    ],
)
def test_contact_data_that_the_source_begins_to_hash_stays_as_it_was(
    writer: Writer, tmp_path: Path, stream: str, path: str, field: str
) -> None:
    _, mapping, key = STREAMS[stream]
    writer.config["streams"] = [
        {"stream": stream, "mapping": {"mapping_type": mapping}, "position_uid": OPEN}
    ]
    writer.catalog = {"streams": [configured(stream, primary_key=(key,))]}
    plain, hashed = (
        [
            record({**row, "applications": []}, stream)
            for row in records_of(writer.sandbox, tmp_path, stream, **privacy)
        ]
        for privacy in ({}, {"hash": [f"{stream}.{path}"], "hash_key": "k"})
    )
    writer.write(*plain, state(1, stream))
    before = [each["fields"].get(field) for each in writer.truth()]
    assert any(before)
    run = writer.write(*hashed, state(2, stream))
    assert run.code == 0, run.output
    assert [each["fields"].get(field) for each in writer.truth()] == before
    assert f"{field} {HASHED}" in run.logs()


def hashed_email(writer: Writer, email: str = "ab" * 32) -> Any:
    """Configure the mapping of Kombo's candidates; return one whose address is a hash."""
    writer.config["streams"] = [
        {
            "stream": "candidates",
            "mapping": {"mapping_type": "kombo_candidates"},
            "position_uid": OPEN,
        }
    ]
    writer.catalog = {"streams": [configured("candidates")]}
    row = {"id": "1", "first_name": "Mira", "last_name": "Sol"}
    return record({**row, "email_addresses": [{"email_address": email}]}, "candidates")


def test_a_hash_rejects_the_record_where_bad_fields_do(writer: Writer) -> None:
    person = hashed_email(writer)
    writer.config["on_bad_field"] = "reject"
    run = writer.write(person, state(1, "candidates"))
    assert run.states()[0]["destinationStats"]["rejectedRecordCount"] == 1.0
    assert f"email: {HASHED}" in run.logs() or f"email {HASHED}" in run.logs()
    assert writer.truth() == []


def test_a_hash_that_an_expression_replaces_is_not_reported(writer: Writer) -> None:
    person = hashed_email(writer)
    writer.config["streams"][0]["extra_fields"] = [
        {"comeet_field": "email", "expression": "'desk@example.org'"}
    ]
    run = writer.write(person, state(1, "candidates"))
    assert [each["fields"]["email"] for each in writer.truth()] == ["desk@example.org"]
    assert HASHED not in run.logs()


@pytest.mark.parametrize("on_bad_field", ["drop", "reject"])
def test_a_hashed_part_that_an_expression_replaces_takes_nothing_with_it(
    writer: Writer, on_bad_field: str
) -> None:
    hashed_email(writer)
    writer.config["on_bad_field"] = on_bad_field
    writer.config["streams"][0]["extra_fields"] = [
        {"comeet_field": "address.street", "expression": "'Main St 1'"}
    ]
    location = {"country": "DE", "city": "Berlin", "street_1": "ab" * 32}
    row = {"id": "1", "first_name": "Mira", "last_name": "Sol", "location": location}
    run = writer.write(record(row, "candidates"), state(1, "candidates"))
    expected = {"country": "DE", "city": "Berlin", "street": "Main St 1"}
    assert [each["fields"]["address"] for each in writer.truth()] == [expected]
    assert HASHED not in run.logs()


def test_applications_that_the_source_drops(writer: Writer, tmp_path: Path) -> None:
    rows = records_of(writer.sandbox, tmp_path, "candidates", drop=["candidates.applications"])
    writer.config["streams"] = [
        {
            "stream": "candidates",
            "mapping": {"mapping_type": "kombo_candidates"},
            "positions": [{"job_id": "a job", "position_uid": OPEN}],
        }
    ]
    writer.catalog = {"streams": [configured("candidates")]}
    run = writer.write(*(record(row, "candidates") for row in rows), state(1, "candidates"))
    assert writer.truth() == []
    assert "the record has no applications, which the privacy settings" in run.logs("WARN")
