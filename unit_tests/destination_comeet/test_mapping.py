"""Records into candidates: the kinds of mapping, keys, positions, and who is left out."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destination_comeet.config import StreamSettings
from destination_comeet.mapping import Candidate, Rejection, Skipped, mapper
from source_ats.errors import ConfigError

POSITIONS = [
    {"job_id": "job-a", "position_uid": "4A.1C2"},
    {"job_id": "J-2", "position_uid": "4C.0F7"},
    {"job_id": "REQ-101", "position_uid": "4E.02C"},
]


def mapped(
    mapping: dict[str, Any] | str, record: dict[str, Any], **settings: Any
) -> list[Candidate | Rejection | Skipped]:
    kind = {"mapping_type": mapping} if isinstance(mapping, str) else mapping
    primary_key = settings.pop("primary_key", [["id"]])
    stream = StreamSettings.model_validate({"stream": "s", "mapping": kind, **settings})
    return list(mapper(stream, primary_key)(record))


def candidate(*args: Any, **settings: Any) -> Candidate:
    (found,) = mapped(*args, **{"position_uid": "4A.1C2", **settings})
    assert isinstance(found, Candidate), found
    return found


def rejected(*args: Any, **settings: Any) -> str:
    (found,) = mapped(*args, **{"position_uid": "4A.1C2", **settings})
    assert isinstance(found, Rejection), found
    return found.field


def skipped(*args: Any, **settings: Any) -> str:
    (found,) = mapped(*args, **{"position_uid": "4A.1C2", **settings})
    assert isinstance(found, Skipped), found
    return found.field


def creates(found: Candidate | Rejection | Skipped) -> bool:
    return isinstance(found, Candidate) and found.skip_unless_known is None


KOMBO = {
    "id": "7kQmW3xTzB9sLp2VhNfRc4Yd",
    "integration_id": "greenhouse:7kQmW3xTzB9sLp2VhNfRc4Yd",
    "first_name": "Aroha",
    "last_name": "Ngata",
    "confidential": None,
    "phone_numbers": [{"phone_number": "+00 1", "type": "HOME"}, {"phone_number": "+00 2"}],
    "email_addresses": [{"email_address": "aroha@example.org", "type": None}],
    "social_media": [
        {"link": "https://example.org/in/aroha", "type": "LINKEDIN"},
        {"link": "https://no.linkedin.com/in/aroha", "type": None},
        {"username": "aroha"},
    ],
    "location": {"city": "Cork", "country": "IE", "zip_code": "T12", "street_1": None},
    "remote_deleted_at": None,
    "applications": [],
}


def test_kombo() -> None:
    assert candidate("kombo_candidates", KOMBO) == Candidate(
        "4A.1C2",
        "s:7kQmW3xTzB9sLp2VhNfRc4Yd",
        {
            "first_name": "Aroha",
            "last_name": "Ngata",
            "email": "aroha@example.org",
            "mobile_phone": "+00 1",
            "phone": "+00 2",
            "linkedin_url": "https://no.linkedin.com/in/aroha",
            "links": [{"url": "https://example.org/in/aroha"}],
            "address": {"country": "IE", "city": "Cork", "zip": "T12"},
        },
    )


def test_kombo_without_optional_keys() -> None:
    thin = {"id": "a", "first_name": None, "last_name": " ", "phone_numbers": None}
    assert candidate("kombo_candidates", thin).fields == {}


@pytest.mark.parametrize("link", ["https://linkedin.com.example.org/x", "http://[broken", "", None])
def test_a_link_that_is_not_linkedin(link: object) -> None:
    record = {**KOMBO, "social_media": [{"link": link}]}
    assert "linkedin_url" not in candidate("kombo_candidates", record).fields


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"remote_deleted_at": "2026-01-01T00:00:00.000Z"}, "remote_deleted_at"),
        ({"integration_id": "comeet:7kQmW3xTzB9sLp2VhNfRc4Yd"}, "integration_id"),
        ({"confidential": True}, "confidential"),
        ({"_ab_cdc_deleted_at": "2026-01-01"}, "_ab_cdc_deleted_at"),
    ],
)
def test_kombo_rows_that_are_skipped(change: dict[str, Any], field: str) -> None:
    assert skipped("kombo_candidates", {**KOMBO, **change}) == field


@pytest.mark.parametrize("key", [None, "a@example.org"])
def test_a_kombo_row_without_a_usable_key_is_rejected(key: str | None) -> None:
    assert rejected("kombo_candidates", {**KOMBO, "id": key}) == "partner_candidate_id"


def applied(*applications: dict[str, Any]) -> dict[str, Any]:
    return {**KOMBO, "applications": list(applications)}


OPEN_A = {"outcome": "PENDING", "job": {"id": "job-a", "remote_id": "J-1"}}
OPEN_2 = {"outcome": None, "job": {"id": "x", "remote_id": "J-2"}}
DECLINED = {"outcome": "DECLINED", "job": {"id": "job-a"}}
HIRED = {"outcome": "HIRED", "job": {"id": "job-a"}}
ELSEWHERE = {"outcome": "PENDING", "job": {"id": "elsewhere"}}
NO_JOB = {"outcome": "PENDING", "job": None}


@pytest.mark.parametrize(
    ("applications", "positions"),
    [
        ([OPEN_A], ["4A.1C2"]),
        ([OPEN_A, OPEN_2], ["4A.1C2", "4C.0F7"]),
        ([OPEN_A, OPEN_A, DECLINED, ELSEWHERE, NO_JOB], ["4A.1C2"]),
        ([HIRED, OPEN_2], ["4C.0F7"]),
        ([], ["default"]),
    ],
)
def test_one_candidate_for_each_position(applications: Any, positions: list[str]) -> None:
    found = mapped(
        "kombo_candidates", applied(*applications), positions=POSITIONS, position_uid="default"
    )
    assert [
        each.position_uid for each in found if isinstance(each, Candidate) and creates(each)
    ] == positions
    assert len({each.key for each in found}) == 1


@pytest.mark.parametrize("applications", [[DECLINED, HIRED], [ELSEWHERE], [NO_JOB]])
def test_nobody_is_created_for_applications_that_do_not_count(applications: Any) -> None:
    found = mapped("kombo_candidates", applied(*applications), positions=POSITIONS)
    assert found
    assert not any(map(creates, found))
    assert not any(isinstance(each, Rejection) for each in found)


def test_a_person_whose_application_is_closed_is_still_updated() -> None:
    (found,) = mapped("kombo_candidates", applied(DECLINED, ELSEWHERE), positions=POSITIONS)
    assert isinstance(found, Candidate)
    assert found.position_uid == "4A.1C2"
    assert found.skip_unless_known is not None
    assert found.fields["first_name"] == "Aroha"


def test_no_position_at_all() -> None:
    assert rejected("kombo_candidates", KOMBO, position_uid=None) == "position_uid"


TALEMETRY: dict[str, Any] = {
    "id": "c0ffee00-1111-11ee-8c90-0242ac120002",
    "given_name": "Kenji",
    "family_name": "Nakamura",
    "email": "kenji@example.org",
    "contact": {
        "ContactMethod": [
            {
                "Use": "personal",
                "Telephone": {
                    "InternationalCountryCode": "00",
                    "AreaCityCode": "555",
                    "SubscriberNumber": "0100000",
                },
                "Mobile": [{"AreaCityCode": "555", "SubscriberNumber": "2"}],
                "PostalAddress": {
                    "CountryCode": "JP",
                    "PostalCode": "530",
                    "Municipality": "Osaka",
                    "DeliveryAddress": {"AddressLine": ["Flat 2", "3 Made-up Row"]},
                },
            },
            {"Use": "work"},
        ]
    },
    "applications": [],
    "do_not_contact": None,
    "is_deleted": False,
}


def test_talemetry() -> None:
    assert candidate("talemetry_profiles", TALEMETRY) == Candidate(
        "4A.1C2",
        "s:c0ffee00-1111-11ee-8c90-0242ac120002",
        {
            "first_name": "Kenji",
            "last_name": "Nakamura",
            "email": "kenji@example.org",
            "mobile_phone": "555 2",
            "phone": "+00 555 0100000",
            "address": {
                "country": "JP",
                "city": "Osaka",
                "zip": "530",
                "street": "Flat 2, 3 Made-up Row",
            },
        },
    )


@pytest.mark.parametrize(
    "contact", [None, {}, {"ContactMethod": None}, {"ContactMethod": {"Use": "x"}}]
)
def test_talemetry_without_contact(contact: object) -> None:
    fields = candidate("talemetry_profiles", {**TALEMETRY, "contact": contact}).fields
    assert set(fields) == {"first_name", "last_name", "email"}


@pytest.mark.parametrize(
    ("block", "marked"),
    [
        (None, False),
        ({}, False),
        ({"DoNotContact": None, "DoNotHire": None}, False),
        ({"donotcontact_info": {"DoNotContact": "false", "DoNotHire": "No"}}, False),
        ({"DoNotContact": {"Value": "N", "UpdatedAt": "2024-01-01"}}, False),
        ({"DoNotContact": "true"}, True),
        ({"DoNotHire": {"Value": "Yes"}}, True),
        ({"DoNotContact": {"Reason": "Asked not to be called"}}, True),
        ({"donotcontact_info": {"DoNotContact": "true"}}, True),
        ("anything", True),
        ([{"DoNotContact": "Y"}], True),
    ],
)
def test_do_not_contact_in_every_shape(block: object, marked: bool) -> None:
    (found,) = mapped(
        "talemetry_profiles", {**TALEMETRY, "do_not_contact": block}, position_uid="p"
    )
    assert isinstance(found, Skipped) is marked


def test_talemetry_tombstones_are_rejected() -> None:
    record = {"id": "x", "is_deleted": True, "as_of": "2026-01-01T00:00:00Z"}
    assert skipped("talemetry_profiles", record) == "is_deleted"


@pytest.mark.parametrize(
    ("application", "is_open"),
    [
        ({"DispositionStatusName": "Applied"}, True),
        ({"DispositionStatusName": None}, True),
        ({"DispositionStatusName": "Hired"}, False),
        ({"DispositionStatusName": "Rejected - salary"}, False),
        ({"DispositionStatusName": "Interview", "HireStartDate": "2025-01-01"}, False),
    ],
)
def test_talemetry_applications(application: dict[str, Any], is_open: bool) -> None:
    record = {**TALEMETRY, "applications": [{"Id": "REQ-101", **application}]}
    (found,) = mapped("talemetry_profiles", record, positions=POSITIONS)
    assert creates(found) is is_open
    assert isinstance(found, Candidate)
    assert found.position_uid == "4E.02C"


def test_comeets_own_names() -> None:
    record = {
        "id": 7,
        "first_name": " Mira ",
        "middle_name": "",
        "last_name": "Solberg",
        "address": {"city": "Bergen", "zip": None},
        "custom_fields": {},
        "position_uid": "4C.0F7",
        "unknown": 1,
    }
    assert candidate("comeet", record) == Candidate(
        "4C.0F7",
        "s:7",
        {"first_name": "Mira", "last_name": "Solberg", "address": {"city": "Bergen"}},
    )
    assert candidate("comeet", {**record, "partner_candidate_id": "own"}).key == "s:own"
    assert candidate("comeet", record, partner_id_prefix="x-").key == "x-7"
    assert skipped("comeet", {**record, "deleted": True}) == "deleted"
    assert rejected("comeet", {**record, "position_uid": 5}) == "position_uid"


CUSTOM = {
    "mapping_type": "custom",
    "fields": [
        {"comeet_field": "first_name", "expression": "name.given"},
        {"comeet_field": "address.city", "expression": "towns[0]"},
        {"comeet_field": "address.zip", "expression": "to_string(zip)"},
        {"comeet_field": "custom_fields.Pool one", "expression": "pool"},
        {"comeet_field": "job_id", "expression": "job"},
    ],
}


def test_custom() -> None:
    record = {"id": 1, "name": {"given": "Mira"}, "towns": ["Bergen"], "zip": 5003, "job": "J-2"}
    found = candidate(CUSTOM, record, positions=POSITIONS)
    assert found.position_uid == "4C.0F7"
    assert found.fields == {"first_name": "Mira", "address": {"city": "Bergen", "zip": "5003"}}
    assert skipped(CUSTOM, {**record, "job": "none"}, positions=POSITIONS) == "applications"


def test_a_custom_key_wins_over_the_primary_key() -> None:
    key = {"comeet_field": "partner_candidate_id", "expression": "code"}
    mapping = {**CUSTOM, "fields": [*CUSTOM["fields"], key]}
    assert candidate(mapping, {"id": 1, "code": "c-9"}).key == "s:c-9"
    assert rejected(mapping, {"id": 1}) == "partner_candidate_id"


def custom(**expressions: str) -> dict[str, Any]:
    fields = [
        {"comeet_field": name.replace("__", "."), "expression": text}
        for name, text in expressions.items()
    ]
    return {"mapping_type": "custom", "fields": fields}


DEEP: list[Any] = []
for _ in range(100_000):  # deeper than any version of Python goes
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("join('-', a)", 5),
        ("a < `5`", "x"),
        ("contains('x', a)", None),
        ("a[::0]", [1]),
        ("avg(a)", [10**400, 1.5]),
        ("ceil(a)", float("inf")),
        ("to_string(a)", DEEP),
        ("a == [a]", DEEP),
        ("sort(a)", [1, "x"]),
    ],
)
def test_an_expression_that_fails_rejects_its_record(expression: str, value: object) -> None:
    assert rejected(custom(first_name=expression), {"id": 1, "a": value}) == "first_name"


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("no_such_function(a)", "JMESPath has no function no_such_function"),
        ("a[?lower(b) == 'x'].c | [0]", "JMESPath has no function lower"),
        ("sort_by(a, &upper(b))", "JMESPath has no function upper"),
        ("{b: [abs(a, a)]}", "The function abs takes 1 values, not 2"),
        ("not_null()", "The function not_null takes at least 1 values, not 0"),
        # Nested too deeply for any record.
        ("||".join(["a"] * 1500), "This is not a JMESPath expression"),
    ],
)
def test_a_call_that_no_record_fits_is_a_config_error(expression: str, problem: str) -> None:
    for settings in ({"skip_when": expression}, {"extra_fields": extra(note=expression)}):
        with pytest.raises(ConfigError) as caught:
            mapped("comeet", {"id": 1}, **settings)
        assert problem in caught.value.message
    assert mapped(custom(first_name="not_null(a, b, c)"), {"id": 1})


def test_a_value_nested_too_deeply_rejects_its_record() -> None:
    assert rejected("comeet", {"id": 1, "note": DEEP}) == "record"


def test_a_text_made_of_null_is_left_out() -> None:
    mapping = custom(address__zip="to_string(zip)", note="to_string(`null`)")
    assert candidate(mapping, {"id": 1}).fields == {}
    assert candidate(mapping, {"id": 1, "zip": {"a": [1]}}).fields == {
        "address": {"zip": '{"a":[1]}'}
    }


@pytest.mark.parametrize(
    ("home", "address"),
    [(None, {"country": "NO"}), ({"city": "Bergen", "country": "SE"}, None)],
)
def test_a_part_is_added_to_the_whole_field_in_any_order(
    home: object, address: dict[str, str] | None
) -> None:
    record = {"id": 1, "home": home, "country": "NO"}
    expected = address or {"city": "Bergen", "country": "NO"}
    for mapping in (
        custom(address="home", address__country="country"),
        custom(address__country="country", address="home"),
    ):
        assert candidate(mapping, record).fields["address"] == expected
        assert rejected(mapping, {**record, "home": "Bergen"}) == "address.country"
    assert record["home"] == home


@pytest.mark.parametrize(
    ("field", "expression", "what"),
    [
        ("first_name", "name[", "expression"),
        ("firstname", "name", "no such field"),
        ("address", "name", None),
        ("note.more", "name", "no such field"),
        ("updated_by", "name", "no such field"),
    ],
)
def test_bad_expressions_and_fields_are_config_errors(
    field: str, expression: str, what: str | None
) -> None:
    mapping = {
        "mapping_type": "custom",
        "fields": [{"comeet_field": field, "expression": expression}],
    }
    if what is None:
        mapped(mapping, {"id": 1}, position_uid="p")
        return
    with pytest.raises(ConfigError, match=r"fields\[0\]") as caught:
        mapped(mapping, {"id": 1})
    assert what in caught.value.message


@pytest.mark.parametrize("value", [None, "", True, 1.5, {}, []])
def test_a_key_that_is_none(value: object) -> None:
    assert rejected("comeet", {"id": value}) == "partner_candidate_id"


def test_several_columns_make_one_key_without_mixing_them_up() -> None:
    def key(a: object, b: object) -> str:
        return candidate("comeet", {"a": a, "b": b}, primary_key=[["a"], ["b"]]).key

    assert key("x", 1) == "s:x:1"
    assert len({key("x:y", "z"), key("x", "y:z"), key("x%3Ay", "z")}) == 3
    assert rejected("comeet", {"a": "x"}, primary_key=[["a"], ["b"]]) == "partner_candidate_id"
    assert rejected("comeet", {"a": "x"}, primary_key=[]) == "partner_candidate_id"
    # Two people without a key are not one person.
    nothing = {"a": "", "b": ""}
    assert rejected("comeet", nothing, primary_key=[["a"], ["b"]]) == "partner_candidate_id"
    assert key("", 0) == "s::0"
    nested = candidate("comeet", {"a": {"b": 5}}, primary_key=[["a", "b"]])
    assert nested.key == "s:5"


@pytest.mark.parametrize("columns", [("a@b.c", "x"), ("x", "a@b.c"), ("a@b.c",)])
def test_an_address_in_any_column_of_the_key_is_rejected(columns: tuple[str, ...]) -> None:
    record = dict(zip("ab", columns, strict=False))
    key = [[name] for name in record]
    assert rejected("comeet", record, primary_key=key) == "partner_candidate_id"


def test_halves_of_characters_never_make_two_keys_one() -> None:
    texts = ["a", "a?", "a\ud800", "a\udbff", "a\udfff", "a\\ud800", "a\0", "a\\u0000"]
    keys = {candidate("comeet", {"id": text}).key for text in texts}
    keys |= {
        candidate("comeet", {"a": text, "b": 1}, primary_key=[["a"], ["b"]]).key for text in texts
    }
    assert len(keys) == 2 * len(texts)


def test_what_cannot_be_sent_in_a_text_is_replaced() -> None:
    record = {"id": 1, "note": " a\0b\ud800 ", "custom_fields": {"p\0": "x\udfff"}}
    assert candidate("comeet", record).fields == {"note": "a?b?", "custom_fields": {"p?": "x?"}}


@pytest.mark.parametrize(
    "uid",
    [5, [], "x" * 10_000, "4A\0001C2", "\ud800", "a@example.org", "../candidates", "4A 1", "."],
)
def test_a_position_that_is_not_a_uid_is_rejected(uid: object) -> None:
    assert rejected("comeet", {"id": 1, "position_uid": uid}) == "position_uid"


@given(st.text(min_size=1).filter(lambda text: "@" not in text))
def test_any_key_becomes_a_short_ascii_one_always_the_same(text: str) -> None:
    record = {"id": text}
    found = candidate("comeet", record)
    assert found.key.isascii()
    assert found.key.isprintable()
    assert len(found.key) <= 64
    assert candidate("comeet", dict(record)).key == found.key


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    st.sampled_from(["kombo_candidates", "talemetry_profiles", "comeet"]),
    st.dictionaries(
        st.sampled_from(
            [*KOMBO, *TALEMETRY, "position_uid", "address", "resume", "job_id", "deleted"]
        ),
        _json,
    ),
)
def test_no_record_whatever_breaks_a_mapping(kind: str, record: dict[str, Any]) -> None:
    for found in mapped(kind, record, position_uid="p", positions=POSITIONS):
        assert isinstance(found, Candidate | Rejection | Skipped)


# Every kind of mapping ----------------------------------------------------------------------------

ATZ: dict[str, Any] = {
    "id": 7,
    "slug": "candidate_0123456789abcdef0123",
    "first_name": "Noor",
    "last_name": "Haddad",
    "email": "noor@example.org",
    "phone": "+00 555 3",
    "resume": "noor.pdf",
    "address": "1 Made-up Row",
    "city": "Ghent",
    "state": None,
    "country": "BE",
    "socials": {"linkedin": "https://linkedin.com/in/noor", "xing": "https://xing.example/noor"},
}


def test_atz() -> None:
    assert candidate("atz_candidates", ATZ) == Candidate(
        "4A.1C2",
        "s:candidate_0123456789abcdef0123",
        {
            "first_name": "Noor",
            "last_name": "Haddad",
            "email": "noor@example.org",
            "mobile_phone": "+00 555 3",
            "linkedin_url": "https://linkedin.com/in/noor",
            "links": [{"url": "https://xing.example/noor"}],
            "address": {"country": "BE", "city": "Ghent", "street": "1 Made-up Row"},
        },
    )


@pytest.mark.parametrize("socials", [None, {}, [], {"xing": None}])
def test_atz_without_optional_keys(socials: object) -> None:
    record = {"slug": "candidate_1", "first_name": "Noor", "socials": socials}
    assert candidate("atz_candidates", record).fields == {"first_name": "Noor"}


KINDS: list[tuple[Any, dict[str, Any]]] = [
    ("comeet", {"id": 1, "first_name": "Mira", "address": {"city": "Cork", "zip": "T12"}}),
    ("kombo_candidates", KOMBO),
    ("talemetry_profiles", TALEMETRY),
    ("atz_candidates", ATZ),
    (CUSTOM, {"id": 1, "name": {"given": "Mira"}, "towns": ["Cork"], "zip": "T12"}),
]
each_kind = pytest.mark.parametrize(("kind", "record"), KINDS)


def extra(**expressions: str) -> list[dict[str, str]]:
    fields: list[dict[str, str]] = custom(**expressions)["fields"]
    return fields


@each_kind
def test_extra_fields_win_over_every_mapping(kind: Any, record: dict[str, Any]) -> None:
    plain = candidate(kind, record)
    fields = extra(first_name="'Constant'", address__city="town", note="to_string(rank)")
    found = candidate(kind, {**record, "town": "Bergen", "rank": 5}, extra_fields=fields)
    address = {**plain.fields.get("address", {}), "city": "Bergen"}
    expected = {**plain.fields, "first_name": "Constant", "address": address, "note": "5"}
    assert (found.key, found.position_uid) == (plain.key, "4A.1C2")
    assert found.fields == expected


@each_kind
def test_an_extra_field_without_a_value_is_left_out(kind: Any, record: dict[str, Any]) -> None:
    found = candidate(kind, record, extra_fields=extra(first_name="nothing"))
    assert "first_name" not in found.fields


@each_kind
def test_extra_fields_set_key_position_and_job(kind: Any, record: dict[str, Any]) -> None:
    fields = extra(partner_candidate_id="code", position_uid="place")
    found = candidate(kind, {**record, "code": "c-9", "place": "4C.0F7"}, extra_fields=fields)
    assert (found.key, found.position_uid) == ("s:c-9", "4C.0F7")
    job = candidate(kind, record, extra_fields=extra(job_id="'J-2'"), positions=POSITIONS)
    assert job.position_uid == "4C.0F7"


@each_kind
@pytest.mark.parametrize(
    ("expression", "is_skipped"),
    [("tag == 'no'", True), ("tag == 'yes'", False), ("`true`", True), ("nothing", False)],
)
def test_records_are_skipped_by_an_expression(
    kind: Any, record: dict[str, Any], expression: str, is_skipped: bool
) -> None:
    (found,) = mapped(kind, {**record, "tag": "no"}, skip_when=expression, position_uid="4A.1C2")
    assert isinstance(found, Skipped) is is_skipped


@each_kind
@pytest.mark.parametrize("mark", [{"confidential": True}, {"_ab_cdc_deleted_at": "2026-01-01"}])
def test_deleted_and_confidential_records_are_skipped(
    kind: Any, record: dict[str, Any], mark: dict[str, Any]
) -> None:
    assert skipped(kind, {**record, **mark}) == next(iter(mark))


def test_an_expression_that_does_not_fit_rejects_the_record() -> None:
    record = {"id": 1, "tag": None}
    assert rejected("comeet", record, skip_when="contains(tag, 'x')") == "skip_when"
    fields = extra(note="contains(tag, 'x')")
    assert rejected("comeet", record, extra_fields=fields) == "note"


@pytest.mark.parametrize(
    ("kind", "settings", "key"),
    [
        ("comeet", {"skip_when": "contains(tag, 'x')"}, "s:1"),
        ("comeet", {"extra_fields": extra(note="contains(tag, 'x')")}, "s:1"),
        (custom(note="contains(tag, 'x')", partner_candidate_id="code"), {}, "s:c-9"),
        (custom(note="contains(tag, 'x')"), {}, "s:1"),
    ],
)
def test_a_record_whose_expression_fails_has_its_key(
    kind: Any, settings: dict[str, Any], key: str
) -> None:
    """So that a later one of the same person replaces what is kept of it."""
    (found,) = mapped(kind, {"id": 1, "code": "c-9", "tag": None}, **settings)
    assert isinstance(found, Rejection)
    assert found.key == key


@pytest.mark.parametrize("job", ["", " ", None])
def test_a_blank_job_is_none(job: str | None) -> None:
    record = {"id": 1, "job_id": job, "job": job}
    for kind, settings in (
        ("comeet", {}),
        (custom(job_id="job"), {}),
        ("comeet", {"extra_fields": extra(job_id="job")}),
    ):
        found = candidate(kind, record, positions=POSITIONS, position_uid="4A.1C2", **settings)
        assert found.position_uid == "4A.1C2"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"skip_when": "a["}, "skip_when"),
        ({"extra_fields": extra(note="a[")}, "extra_fields[0].expression"),
        ({"extra_fields": extra(color="a")}, "extra_fields[0].comeet_field"),
    ],
)
def test_bad_expressions_are_named(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(named)):
        mapped("comeet", {}, **settings)


# Verbatim keys ------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["0042", 42, "a" * 64, "a:b c"])
def test_a_verbatim_key_is_sent_as_it_is(key: object) -> None:
    assert candidate("comeet", {"id": key}, verbatim_partner_id=True).key == str(key)


@pytest.mark.parametrize("key", ["a" * 65, "é", "a@b", "", None, "a\nb"])
def test_a_verbatim_key_that_comeet_may_not_take_is_rejected(key: object) -> None:
    found = rejected("comeet", {"id": key}, verbatim_partner_id=True)
    assert found == "partner_candidate_id"


def test_a_verbatim_key_has_one_column() -> None:
    columns = [["id"], ["version"]]
    with pytest.raises(ConfigError, match="verbatim_partner_id needs a key of one column"):
        mapped("comeet", {}, verbatim_partner_id=True, primary_key=columns)
    fields = extra(partner_candidate_id="id")
    found = candidate(
        "comeet", {"id": 1}, verbatim_partner_id=True, primary_key=columns, extra_fields=fields
    )
    assert found.key == "1"
