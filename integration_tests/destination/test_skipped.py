"""Records that are not meant to be written: neither written nor rejected, and counted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from integration_tests.support.outcomes import candidate, counts, created
from integration_tests.support.writer import OPEN, Writer, configured, record, state

ROW: dict[str, Any] = {
    "id": "k1",
    "integration_id": "greenhouse:1",
    "first_name": "Mira",
    "last_name": "Solberg",
    "remote_deleted_at": None,
    "confidential": None,
    "phone_numbers": [],
    "applications": [],
}


def applied(outcome: str | None, job: str = "j1") -> dict[str, Any]:
    return {"outcome": outcome, "job": {"id": job}}


SKIPPED: dict[str, tuple[str, dict[str, Any]]] = {
    "deleted in the source": ("kombo_candidates", {"remote_deleted_at": "2026-01-01T00:00:00Z"}),
    "deleted in a database": ("comeet", {"_ab_cdc_deleted_at": "2026-01-01T00:00:00Z"}),
    "a tombstone": ("comeet", {"deleted": True}),
    "confidential": ("kombo_candidates", {"confidential": True}),
    "from Comeet itself": ("kombo_candidates", {"integration_id": "comeet:1"}),
    "all applications closed": (
        "kombo_candidates",
        {"applications": [applied("DECLINED"), applied("HIRED")]},
    ),
    "for other jobs only": ("kombo_candidates", {"applications": [applied(None, "j2")]}),
    "closed, and without a name": (
        "kombo_candidates",
        {"applications": [applied("HIRED")], "last_name": None},
    ),
    "a deleted profile": ("talemetry_profiles", {"is_deleted": True}),
    "not to be contacted": ("talemetry_profiles", {"do_not_contact": {"DoNotContact": "true"}}),
}


def configure(writer: Writer, mapping: str) -> None:
    writer.config["streams"] = [
        {
            "stream": "candidates",
            "mapping": {"mapping_type": mapping},
            "position_uid": OPEN,
            "positions": [{"job_id": "j1", "position_uid": OPEN}],
        }
    ]
    writer.config["rejected_path"] = str(writer.folder / "rejected.jsonl")
    writer.config["max_rejected"] = 0
    writer.catalog = {"streams": [configured("candidates")]}
    writer.check()


@pytest.mark.parametrize(("mapping", "change"), SKIPPED.values(), ids=SKIPPED)
def test_a_skipped_record_is_counted_and_not_rejected(
    without_ledger: Writer, mapping: str, change: dict[str, Any]
) -> None:
    configure(without_ledger, mapping)
    done = without_ledger.write(record({**ROW, **change}, "candidates"), state(1, "candidates"))
    assert done.code == 0, done.output
    assert counts(done) == (1, 0)
    assert not created(without_ledger)
    assert "1 skipped" in done.logs()
    assert not done.logs("WARN")
    assert "Solberg" not in json.dumps(done.messages)
    assert (without_ledger.folder / "rejected.jsonl").read_bytes() == b""


def test_a_person_whose_application_closes_is_still_updated(without_ledger: Writer) -> None:
    writer = without_ledger
    configure(writer, "kombo_candidates")
    writer.write(record({**ROW, "applications": [applied(None)]}, "candidates"))
    closed = {
        **ROW,
        "applications": [applied("HIRED")],
        "phone_numbers": [{"phone_number": "555012345"}],
    }
    done = writer.write(record(closed, "candidates"), state(1, "candidates"))
    assert counts(done) == (1, 0)
    assert "1 already there and updated" in done.logs()
    assert candidate(writer, "candidates:k1")["fields"]["mobile_phone"] == "555012345"
