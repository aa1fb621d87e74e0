"""What is left out before Comeet is asked: the field and the reason, never a value."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from destination_comeet import validation
from destination_comeet.validation import FIELDS, LONGEST_FILE, UPDATABLE

NAMES = {"first_name": "Mira", "last_name": "Solberg"}
PDF = base64.b64encode(b"%PDF made up").decode()


def of_size(count: int) -> str:
    return base64.b64encode(bytes(count)).decode()


def checked(**fields: Any) -> tuple[dict[str, Any], list[str]]:
    """Return what is kept beside the names, and the fields with a problem."""
    found = validation.checked({**NAMES, **fields})
    kept = {name: value for name, value in found.fields.items() if name not in NAMES}
    assert not any("example.org" in reason for _, reason in found.problems)
    return kept, [field for field, _ in found.problems]


DOCUMENTED: dict[str, Any] = {
    "middle_name": "Ines",
    "email": "mira@example.org",
    "phone": "07-555012",
    "mobile_phone": "055-555012",
    "national_id": "5454-1",
    "linkedin_url": "https://www.linkedin.com/in/example-mira",
    "salary_expectations": "80k / Annual",
    "prospect_status": "Interested",
    "resume": {"name": "mira_cv.docx", "file": PDF},
    "picture": {"file": PDF},
    "links": [{"url": "https://example.org"}],
    "files": [{"name": "Coding Challenge", "file": PDF}],
    "source_contact": {"email": "ines@example.org", "phone": "555"},
    "address": {"country": "NO", "city": "Bergen", "state": "x", "zip": "5003", "street": "y"},
    "custom_fields": {"Field 1": "north", "Field 2": "south"},
    "note": "Added by a partner.",
}
"""The shape of the reference's own example."""


@pytest.mark.parametrize(
    "fields",
    [
        {},
        DOCUMENTED,
        {"prospect_status": "Not interested"},
        {"resume": {"name": "Mira.V2.PDF", "file": PDF}},
        {"resume": {"name": "cv.docx", "file": of_size(LONGEST_FILE)}},
        {"files": [{"name": "a.zip", "file": PDF}, {"name": "b.pages", "file": PDF}]},
        {"picture": {"name": "me.jfif", "file": PDF}},
        {"source_contact": {"full_name": "Ines Brandt", "email": "ines@example.org"}},
    ],
)
def test_good(fields: dict[str, Any]) -> None:
    assert checked(**fields) == (fields, [])


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"phone": 5550, "note": True, "salary_expectations": 1.5},
         {"phone": "5550", "note": "true", "salary_expectations": "1.5"}),
        ({"address": {"zip": 5003}}, {"address": {"zip": "5003"}}),
        ({"custom_fields": {"a": 1, "b": False}}, {"custom_fields": {"a": "1", "b": "false"}}),
    ],
)  # fmt: skip
def test_numbers_and_booleans_become_text(fields: dict[str, Any], kept: dict[str, Any]) -> None:
    assert checked(**fields) == (kept, [])


BYTES = bytes(range(251, 256)) * 9
CLEAN = base64.b64encode(BYTES).decode()


@pytest.mark.parametrize(
    "spelling",
    [
        CLEAN,
        f"data:application/pdf;base64,{CLEAN}",
        f"DATA:;charset=x;BASE64,{CLEAN.replace('+', '%2B').replace('/', '%2F')}",
        base64.encodebytes(BYTES).decode(),
        CLEAN.replace("A", "A\r\n"),
        base64.urlsafe_b64encode(BYTES).decode().rstrip("="),
        base64.b64encode(BYTES + b"x").decode().rstrip("="),
        base64.b64encode(BYTES + b"xy").decode().rstrip("="),
    ],
)
def test_base64_in_every_spelling(spelling: str) -> None:
    kept, problems = checked(resume={"name": "cv.pdf", "file": spelling})
    assert problems == []
    content = base64.b64decode(kept["resume"]["file"], validate=True)
    assert content.startswith(BYTES)
    assert len(content) <= len(BYTES) + 2


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"first_name": ["Mira"]}, "first_name"),
        ({"email": ["mira@example.org"]}, "email"),
        ({"note": float("inf")}, "note"),
        ({"prospect_status": "sourced"}, "prospect_status"),
        ({"prospect_status": ["Sourced"]}, "prospect_status"),
        ({"resume": "JVBERi0="}, "resume"),
        ({"resume": {"name": "cv.pdf"}}, "resume.file"),
        ({"resume": {"file": PDF}}, "resume.name"),
        ({"resume": {"name": "cv.txt", "file": PDF}}, "resume.name"),
        ({"resume": {"name": ".pdf", "file": PDF}}, "resume.name"),
        ({"resume": {"name": "cv", "file": PDF}}, "resume.name"),
        ({"resume": {"name": "cv.pdf", "file": "é" * 4}}, "resume.file"),
        ({"resume": {"name": "cv.pdf", "file": "A"}}, "resume.file"),
        ({"resume": {"name": "cv.pdf", "file": "data:text/plain,A"}}, "resume.file"),
        ({"resume": {"name": "cv.pdf", "file": of_size(LONGEST_FILE + 1)}}, "resume.file"),
        ({"picture": {"name": "me.pdf", "file": PDF}}, "picture.name"),
        ({"files": {"name": "a.zip", "file": PDF}}, "files"),
        ({"links": ["https://example.org"]}, "links.0"),
        ({"source_contact": {"full_name": "Ines Brandt"}}, "source_contact.email"),
        ({"address": {"county": "x"}}, "address"),
        ({"custom_fields": []}, "custom_fields"),
    ],
)
def test_what_comeet_would_refuse_is_left_out(fields: dict[str, Any], field: str) -> None:
    assert checked(**fields) == ({}, [field])


@pytest.mark.parametrize(
    ("fields", "kept", "field"),
    [
        ({"address": {"county": "x", "city": "Bergen"}}, {"address": {"city": "Bergen"}},
         "address"),
        ({"custom_fields": {"a": "b", "c": []}}, {"custom_fields": {"a": "b"}}, "custom_fields"),
        ({"links": [{"url": "https://a.example"}, {}]}, {"links": [{"url": "https://a.example"}]},
         "links.1.url"),
        ({"files": [{"name": "a.zip", "file": PDF}, {"name": "b.exe", "file": PDF}]},
         {"files": [{"name": "a.zip", "file": PDF}]}, "files.1.name"),
    ],
)  # fmt: skip
def test_the_good_parts_are_kept(fields: dict[str, Any], kept: dict[str, Any], field: str) -> None:
    assert checked(**fields) == (kept, [field])


def test_addresses_of_files_are_left_for_later() -> None:
    resume = {"name": "cv.pdf", "file": "https://files.example/x", "id": "f1"}
    assert checked(resume=resume) == ({"resume": resume}, [])


@pytest.mark.parametrize("name", NAMES)
def test_both_names_are_required(name: str) -> None:
    found = validation.missing({key: value for key, value in NAMES.items() if key != name})
    assert found == (name, "is missing, and Comeet requires it")


def test_what_can_be_updated_can_be_created() -> None:
    assert set(FIELDS) >= UPDATABLE
