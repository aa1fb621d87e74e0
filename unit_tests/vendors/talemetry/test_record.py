"""A candidate becomes a record: nothing is lost, and every repeatable element is a list."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from source_ats.vendors.talemetry import responses
from source_ats.vendors.talemetry.config import IncludeOption
from source_ats.vendors.talemetry.record import encoded, record, tombstone

SAVED = Path(__file__).parent / "saved_responses"
ALL = list(get_args(IncludeOption))
AS_OF = "2026-01-31T12:00:00Z"
GUID = "11111111-aaaa-11ef-8000-000000000001"


def candidate(name: str, number: int = 0) -> dict[str, Any]:
    body = json.loads((SAVED / f"{name}.json").read_text("utf-8"))["body"]
    entries = body["result"]["Candidates"]
    entry = entries[number] if isinstance(entries, list) else entries
    person: dict[str, Any] = entry.get("Candidate", entry)
    return person


def made(person: dict[str, Any], include: list[str] | None = None) -> dict[str, Any]:
    guid = responses.guid_of(person) or GUID
    return record(copy.deepcopy(person), guid, ALL if include is None else include, AS_OF)


def test_what_stands_beside_the_entries_of_a_block_is_kept_without_them() -> None:
    person = candidate("profiles_many_of_each")
    person["UserArea"]["Notes"] = {"Note": [{"Text": "Made up."}], "Count": 1}
    row = made(person)
    assert row["notes"] == [{"Text": "Made up."}]
    assert {"Count": 1} in _values_of(row["extra"])


def _values_of(value: Any) -> list[Any]:
    """Return all values in a JSON value, itself included."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(each for part in inner for each in _values_of(part))]


def test_several_entries_of_each_element() -> None:
    person = candidate("profiles_many_of_each")
    row = made(person)
    resume, area = person["Resume"]["StructuredXMLResume"], person["UserArea"]
    assert row == {
        "id": "11111111-aaaa-11ef-8000-000000000001",
        "formatted_name": "Ada Example",
        "given_name": "Ada",
        "family_name": "Example",
        "email": "ada@example.com",
        "contact": resume["ContactInfo"],
        "employment_history": [
            {
                "EmployerOrgName": "Org A",
                "PositionHistory": [
                    resume["EmploymentHistory"]["EmployerOrg"][0]["PositionHistory"]
                ],
            },
            resume["EmploymentHistory"]["EmployerOrg"][1],
        ],
        "education_history": [
            {
                "schoolType": "university",
                "School": {"SchoolName": None},
                "Degree": [{"DegreeName": "BSc", "DegreeDate": {"Year": "2012"}}],
            }
        ],
        "applications": area["RelatedPositionPostings"]["RelatedPositionPosting"],
        "notes": area["Notes"]["Note"],
        "tags": ["alpha", "beta"],
        "audience_types": ["x", "y"],
        "custom_data": [
            {
                "name": "DesiredCompensation",
                "value": "100",
                "values": None,
                "updated_at": "2025-01-06T10:00:00Z",
            },
            {
                "name": "some_multivalue_field",
                "value": None,
                "values": ["A", "B"],
                "updated_at": "2025-01-06T10:00:00Z",
            },
        ],
        "lifecycle_state": "applicant",
        "do_not_contact": None,
        "referrals": None,
        "extra": {},
        "is_deleted": False,
        "as_of": AS_OF,
    }


def test_one_entry_of_each_element_and_blocks_without_a_sample() -> None:
    person = candidate("profiles_one_of_each")
    row = made(person)
    assert row["email"] == "bo@example.com"
    assert (row["given_name"], row["lifecycle_state"]) == (None, None)
    assert row["employment_history"] == [{"EmployerOrgName": "Org A", "PositionHistory": []}]
    assert [each["Id"] for each in row["applications"]] == ["req-1"]
    assert (row["education_history"], row["notes"]) == ([], [])
    assert (row["tags"], row["audience_types"]) == (["alpha"], ["x"])
    assert row["custom_data"] == [
        {"name": "yes_no", "value": "Y", "values": None, "updated_at": None},
        {"name": "one_of_many", "value": None, "values": ["A"], "updated_at": None},
    ]
    assert row["do_not_contact"] == {
        "DoNotContact": {"Value": "Yes", "UpdatedAt": "2025-01-06 10:00:00 UTC"},
        "donothire": None,
    }
    assert row["referrals"] == {"Referral": {"ReferrerName": "Cy Example"}}
    assert row["extra"] == {
        "CandidateRecordInfo": {"Status": "Active"},
        "CandidateSupplier": {"SupplierId": {"IdValue": "sup-7"}},
        "Resume": {"StructuredXMLResume": {"Languages": {"Language": {"LanguageCode": "NO"}}}},
        "SocialProfiles": {"SocialProfile": {"Site": "example.org"}},
        "one_of_many": {"UpdatedAt": "not a time"},
    }


@pytest.mark.parametrize("number", [0, 1])
def test_a_block_that_was_not_requested_is_null(number: int) -> None:
    person = candidate("profiles_hollow", number)
    lists = {
        *("employment_history", "education_history", "applications"),
        *("notes", "tags", "custom_data", "audience_types"),
    }
    assert all(made(person)[key] == [] for key in lists)
    assert all(made(person, ["contact"])[key] is None for key in lists)
    assert made(person)["extra"] == {}
    assert made(person)["contact"] is None


def test_a_deleted_person_is_a_tombstone() -> None:
    assert orjson.loads(tombstone(GUID, AS_OF)) == {"id": GUID, "is_deleted": True, "as_of": AS_OF}


@pytest.mark.parametrize(
    ("sent", "normalised"),
    [
        ("2025-01-06 10:00:00 UTC", "2025-01-06T10:00:00Z"),
        ("2025-01-06T10:00:00+02:00", "2025-01-06T08:00:00Z"),
        ("2025-01-06 10:00:00", "2025-01-06T10:00:00Z"),
        ("soon", None),
        ("", None),
    ],
)
def test_times_of_fields_become_rfc3339(sent: str, normalised: str | None) -> None:
    person = {"UserArea": {"field": {"Value": "x", "UpdatedAt": sent}}}
    row = made(person)
    assert row["custom_data"][0]["updated_at"] == normalised
    assert row["extra"] == ({} if normalised else {"field": {"UpdatedAt": sent}})


def test_a_number_becomes_text_in_its_column_and_is_kept_in_extra() -> None:
    row = made({"UserArea": {"field": {"Value": 7.5, "UpdatedAt": None}}})
    assert row["custom_data"] == [
        {"name": "field", "value": "7.5", "values": None, "updated_at": None}
    ]
    assert row["extra"] == {"field": {"Value": 7.5}}


@pytest.mark.parametrize("name", [7, ["Ada"], {"x": "Ada"}])
def test_a_name_that_is_not_a_text_is_kept_in_extra_only(name: object) -> None:
    contact = {"PersonName": {"FormattedName": "Ada Example", "GivenName": name}}
    row = made({"Resume": {"StructuredXMLResume": {"ContactInfo": contact}}})
    assert (row["formatted_name"], row["given_name"]) == ("Ada Example", None)


@pytest.mark.parametrize(
    ("sent", "values"),
    [(["a", None], ["a", None]), ([None], [None]), (["a", 7], None), ([7], None)],
)
def test_a_field_with_several_texts_has_them_in_a_list(sent: object, values: object) -> None:
    (field,) = made({"UserArea": {"field": {"Value": {"Value": sent}}}})["custom_data"]
    assert field["values"] == values


def leaves(value: Any) -> Iterator[Any]:
    """Yield every value that is not a container, without what namespaces leave behind."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key != "xmlns" and not key.startswith(("xmlns:", "xsi:")):
                yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    elif value is not None:
        yield value


def known(values: Iterator[Any]) -> Counter[tuple[str, Any]]:
    return Counter((type(value).__name__, value) for value in values)


KEYS = st.sampled_from(
    [
        *("Value", "UpdatedAt", "State", "Tag", "Tags", "Note", "Notes", "AudienceType"),
        *("Lifecycle", "Referrals", "RelatedPositionPosting", "RelatedPositionPostings"),
        *(
            "DoNotContact",
            "donotcontact_info",
            "DoNotHire",
            "UserArea",
            "Resume",
            "xmlns",
            "xmlns:a",
        ),
        *("xsi:nil", "rm:x", "CandidateRecordInfo", "CandidateSupplier", "email_consent"),
    ]
) | st.text(max_size=5)
TIMES = st.sampled_from(["2025-01-06 10:00:00 UTC", "2025-01-06T10:00:00+02:00", "2025"])
LEAVES = st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=6) | TIMES
SHAPES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
BLOCKS = st.dictionaries(KEYS, SHAPES, max_size=5)


@settings(max_examples=300)
@given(area=BLOCKS | SHAPES, resume=SHAPES, beside=st.dictionaries(KEYS, SHAPES, max_size=2))
@example(area={"Tags": [{"Tag": "a", "x": 1}, "b", {"Tag": {"c": ["d"]}}]}, resume=None, beside={})
@example(area={"f": {"Value": {"Value": [["a"]]}, "UpdatedAt": 7, "x": 1}}, resume=[], beside={})
@example(area={"Resume": 1, "UserArea": {"a": 2}}, resume={"b": 3}, beside={"UserArea": 4})
def test_nothing_that_the_vendor_sent_is_lost(area: Any, resume: Any, beside: Any) -> None:
    person = {
        **beside,
        "CandidateRecordInfo": {"Id": {"IdValue": GUID, "more": "here"}},
        "Resume": {"StructuredXMLResume": resume},
        "UserArea": area,
    }
    row = made(person)
    # Columns that repeat what another column holds, or that are ours, prove nothing.
    copies = ("formatted_name", "given_name", "family_name", "email", "is_deleted", "as_of")
    fields = [{**each, "name": None, "updated_at": None} for each in row["custom_data"]]
    shown = {**row, **dict.fromkeys(copies), "custom_data": fields}
    lost = (known(leaves(person)) - known(leaves(shown))).elements()
    # The time of a field is there in another form.
    times = Counter(each["updated_at"] for each in row["custom_data"])
    assert Counter(at(value) for _, value in lost) <= times


def at(text: str) -> str:
    moment = datetime.fromisoformat(text.strip().removesuffix(" UTC"))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@settings(max_examples=100)
@given(blocks=BLOCKS)
def test_every_repeatable_element_is_a_list(blocks: dict[str, Any]) -> None:
    row = orjson.loads(encoded({"UserArea": blocks}, GUID, ALL, AS_OF))
    for name in ("applications", "notes"):
        assert all(isinstance(each, dict) for each in row[name])
    for name in ("tags", "audience_types"):
        assert all(isinstance(each, str) for each in row[name])
    for field in row["custom_data"]:
        assert field.keys() == {"name", "value", "values", "updated_at"}
        assert field["value"] is None or isinstance(field["value"], str)
        assert field["values"] is None or isinstance(field["values"], list)
    for name in ("contact", "do_not_contact", "referrals"):
        assert row[name] is None or isinstance(row[name], dict)
    assert isinstance(row["extra"], dict)
