"""What of a record reaches Comeet: its own example, fields with a problem, extra fields, keys."""

from __future__ import annotations

from typing import Any

import pytest

from integration_tests.support.outcomes import candidate, counts, created, once, people
from integration_tests.support.writer import Writer, configured, person, record, state

DOCUMENTED: dict[str, Any] = {
    "id": 1,
    "position_uid": "4A.1C2",
    "first_name": "Mira",
    "middle_name": "Ines",
    "last_name": "Solberg",
    "email": "mira@example.org",
    "phone": "07-555012",
    "mobile_phone": "055-555012",
    "national_id": "5454-1",
    "linkedin_url": "https://www.linkedin.com/in/example-mira",
    "salary_expectations": "80k / Annual",
    "prospect_status": "Interested",
    "resume": {"name": "mira_cv.docx", "file": "BASE64"},
    "picture": {"file": "BASE64"},
    "links": [{"url": "https://example.org/portfolio"}],
    "files": [{"name": "Coding Challenge", "file": "BASE64"}],
    "source_contact": {"email": "ines@example.org", "phone": "555"},
    "address": {"country": "NO", "city": "Bergen", "state": "x", "zip": "5003", "street": "y"},
    "custom_fields": {"Field 1": "north", "Field 2": "south"},
    "note": "Added by a partner.",
}
"""The shape of the example in Comeet's reference, `BASE64` included."""


def test_comeets_own_example_is_sent_whole(writer: Writer) -> None:
    writer.config["on_bad_field"] = "reject"
    done = writer.write(record(DOCUMENTED), state(1))
    assert counts(done) == (1, 0), done.output
    sent = candidate(writer, "people:1")["fields"]
    files = {"resume", "picture", "files"}
    expected = {key: each for key, each in DOCUMENTED.items() if key not in files}
    del expected["id"], expected["position_uid"]
    assert {key: each for key, each in sent.items() if key not in files} == expected
    assert sent["resume"]["name"] == "mira_cv.docx"
    assert [each["name"] for each in sent["files"]] == ["Coding Challenge"]
    assert sent["picture"]["size"] == sent["resume"]["size"] == 4


def test_a_field_with_a_problem_is_left_out_and_named(writer: Writer) -> None:
    bad = {"prospect_status": "Sourcd", "phone": 5550100, "address": {"city": ["Bergen"]}}
    done = writer.write(*people(*range(1, 13), **bad), state(1))
    assert counts(done) == (12, 0)
    assert created(writer) == once(*range(1, 13))
    sent = candidate(writer, "people:12")["fields"]
    assert sent["phone"] == "5550100"
    assert not {"prospect_status", "address"} & sent.keys()
    warnings = done.logs("WARN")
    assert warnings.count("key people:10: prospect_status has to be spelled") == 1
    assert "key people:11" not in warnings
    assert "Fields left out so far: prospect_status has to be spelled" in warnings
    assert "address has to be text (12)" in warnings
    assert "Sourcd" not in done.output
    # Nothing is sent for the same records again.
    writer.sandbox.reset_log()
    assert counts(writer.write(*people(1, **bad), state(2))) == (1, 0)
    assert not writer.sandbox.log("comeet.*")


def test_a_field_with_a_problem_rejects_its_record_if_that_is_set(writer: Writer) -> None:
    writer.config["on_bad_field"] = "reject"
    done = writer.write(*people(1, prospect_status="Sourcd"), *people(2), state(1))
    assert counts(done) == (2, 1)
    assert created(writer) == once(2)
    assert "key people:1, is rejected: prospect_status" in done.logs("WARN")


def test_extra_fields_and_skip_when_work_with_a_preset(without_ledger: Writer) -> None:
    writer = without_ledger
    stream = {
        "stream": "atz_candidates",
        "mapping": {"mapping_type": "atz_candidates"},
        "position_uid": "4A.1C2",
        "skip_when": "source == 'Comeet'",
        "extra_fields": [
            {"comeet_field": "prospect_status", "expression": "'Sourced'"},
            {"comeet_field": "custom_fields.experience", "expression": "experience"},
        ],
    }
    writer.config["streams"] = [stream]
    writer.catalog = {"streams": [configured("atz_candidates", primary_key=["slug"])]}
    writer.check()
    row = {"slug": "candidate_1", "first_name": "Noor", "last_name": "Haddad", "experience": 3}
    rows = [row, {**row, "slug": "candidate_2", "source": "Comeet"}]
    done = writer.write(
        *(record(each, "atz_candidates") for each in rows), state(1, "atz_candidates")
    )
    assert counts(done) == (2, 0)
    assert "1 created; 1 skipped" in done.logs()
    assert created(writer) == {"atz_candidates:candidate_1": 1}
    sent = candidate(writer, "atz_candidates:candidate_1")["fields"]
    assert sent["prospect_status"] == "Sourced"
    assert sent["custom_fields"] == {"experience": "3"}


def test_a_verbatim_key_is_what_comeet_gets(writer: Writer) -> None:
    writer.config["streams"][0]["verbatim_partner_id"] = True
    done = writer.write(*people(1), record({**person(2), "id": "x" * 65}), state(1))
    assert counts(done) == (2, 1)
    assert created(writer) == {"1": 1}
    assert counts(writer.write(*people(1), state(2))) == (1, 0)
    assert created(writer) == {"1": 1}


@pytest.mark.parametrize("before", [True, False])
def test_keys_do_not_become_verbatim_or_prefixed_later(writer: Writer, before: bool) -> None:
    writer.config["streams"][0]["verbatim_partner_id"] = before
    writer.write(*people(1))
    writer.config["streams"][0]["verbatim_partner_id"] = not before
    done = writer.write(*people(1), state(1))
    assert done.error()["failure_type"] == "config_error"
    assert "none (verbatim_partner_id)" in done.error()["message"]
    assert len(writer.truth()) == 1
