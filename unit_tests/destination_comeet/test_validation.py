"""What is refused before Comeet is asked: the field and the reason, never a value."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from destination_comeet.validation import FIELDS, LONGEST_FILE, UPDATABLE, problem

NAMES = {"first_name": "Mira", "last_name": "Solberg"}
PDF = base64.b64encode(b"%PDF made up").decode()


def of_size(count: int) -> str:
    return base64.b64encode(bytes(count)).decode()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"email": "mira@example.org", "phone": "1", "note": "x", "salary_expectations": "100"},
        {"prospect_status": "Not interested"},
        {"resume": {"name": "Mira.V2.PDF", "file": PDF}},
        {"resume": {"name": "cv.docx", "file": of_size(LONGEST_FILE)}},
        {"files": [{"name": "a.zip", "file": PDF}, {"name": "b.pages", "file": PDF}]},
        {"picture": {"name": "me.jfif", "file": PDF}},
        {"links": [{"url": "https://example.org"}]},
        {"source_contact": {"full_name": "Ines Brandt", "email": "ines@example.org"}},
        {"address": {"country": "NO", "city": "Bergen", "zip": "5003"}},
        {"custom_fields": {"pool": "north"}},
    ],
)
def test_good(fields: dict[str, Any]) -> None:
    assert problem({**NAMES, **fields}) is None


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"first_name": 5}, "first_name"),
        ({"email": ["mira@example.org"]}, "email"),
        ({"prospect_status": "sourced"}, "prospect_status"),
        ({"prospect_status": ["Sourced"]}, "prospect_status"),
        ({"resume": "JVBERi0="}, "resume"),
        ({"resume": {"name": "cv.pdf"}}, "resume.file"),
        ({"resume": {"file": PDF}}, "resume.name"),
        ({"resume": {"name": "cv.txt", "file": PDF}}, "resume.name"),
        ({"resume": {"name": ".pdf", "file": PDF}}, "resume.name"),
        ({"resume": {"name": "cv", "file": PDF}}, "resume.name"),
        (
            {"resume": {"name": "cv.pdf", "file": f"data:application/pdf;base64,{PDF}"}},
            "resume.file",
        ),
        ({"resume": {"name": "cv.pdf", "file": f"{PDF[:4]}\n{PDF[4:]}"}}, "resume.file"),
        ({"resume": {"name": "cv.pdf", "file": "é" * 4}}, "resume.file"),
        ({"resume": {"name": "cv.pdf", "file": PDF[:-1]}}, "resume.file"),
        ({"resume": {"name": "cv.pdf", "file": of_size(LONGEST_FILE + 1)}}, "resume.file"),
        ({"picture": {"name": "me.pdf", "file": PDF}}, "picture.name"),
        ({"files": {"name": "a.zip", "file": PDF}}, "files"),
        (
            {"files": [{"name": "a.zip", "file": PDF}, {"name": "b.exe", "file": PDF}]},
            "files.1.name",
        ),
        (
            {"files": [{"name": f"{n}.zip", "file": of_size(LONGEST_FILE)} for n in range(3)]},
            "files",
        ),
        ({"links": ["https://example.org"]}, "links.0"),
        ({"source_contact": {"email": "ines@example.org"}}, "source_contact.full_name"),
        ({"source_contact": {"full_name": "Ines Brandt"}}, "source_contact.email"),
        ({"address": {"county": "x"}}, "address"),
        ({"address": {"zip": 5003}}, "address.zip"),
        ({"custom_fields": {"pool": 1}}, "custom_fields"),
        ({"custom_fields": []}, "custom_fields"),
    ],
)
def test_refused(fields: dict[str, Any], field: str) -> None:
    found = problem({**NAMES, **fields})
    assert found is not None
    assert found[0] == field
    assert "example.org" not in found[1]


@pytest.mark.parametrize("name", NAMES)
def test_both_names_are_required(name: str) -> None:
    found = problem({key: value for key, value in NAMES.items() if key != name})
    assert found == (name, "is missing, and Comeet requires it")


def test_what_can_be_updated_can_be_created() -> None:
    assert set(FIELDS) >= UPDATABLE
