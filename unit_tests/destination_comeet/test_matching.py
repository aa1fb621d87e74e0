"""The same person or not: tables of cases, and the index against a comparison with every row."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destination_comeet.matching import (
    CandidateIndex,
    Comparison,
    Identity,
    Verdict,
    compare,
    identity,
    is_same_position,
    traits,
)
from source_ats.errors import ConfigError, TransientError
from source_ats.vendors.comeet.responses import Candidate

HERE, ELSEWHERE = "4A.1C2", "4C.0F7"
SAME, DIFFERS, CANNOT_TELL = Identity.SAME, Identity.DIFFERS, Identity.CANNOT_TELL

NAMES = {"first_name": "Mira", "last_name": "Solberg"}
EMAIL = {"email": "mira@example.org"}
OTHER_EMAIL = {"email": "m.solberg@example.com"}
PHONE = {"phone": "+47 555 012 345"}
OTHER_PHONE = {"phone": "+47 555 999 999"}
LINKEDIN = {"linkedin_url": "https://www.linkedin.com/in/example-mira"}
OTHER_LINKEDIN = {"linkedin_url": "https://www.linkedin.com/in/example-jonas"}
OTHER_FIRST = {"first_name": "Jonas"}
OTHER_LAST = {"last_name": "Ngata"}
OTHER_NAMES = OTHER_FIRST | OTHER_LAST
EVERYTHING = NAMES | EMAIL | PHONE | LINKEDIN

Fields = Mapping[str, Any]


def shown(uid: str = "B3.000", **fields: Any) -> Candidate:
    return Candidate(**{"uid": uid, "position_uid": HERE, **fields})


def nobody_is_held(uid: str) -> bool:
    return False


# Identity: ours, theirs, with an open note, in matching -------------------------------------------

CASES: list[tuple[str, Fields, Fields, Identity, Identity]] = [
    # A contact is equal.
    ("everything equal", EVERYTHING, EVERYTHING, SAME, SAME),
    ("address", NAMES | EMAIL, NAMES | EMAIL, SAME, SAME),
    ("phone", NAMES | PHONE, NAMES | PHONE, SAME, SAME),
    ("linkedin", NAMES | LINKEDIN, NAMES | LINKEDIN, SAME, SAME),
    ("address only is shown", EVERYTHING, EMAIL, SAME, SAME),
    ("phone only is shown", EVERYTHING, PHONE, SAME, SAME),
    ("married", NAMES | EMAIL, NAMES | OTHER_LAST | EMAIL, SAME, SAME),
    ("address equal, phone not", EVERYTHING, EVERYTHING | OTHER_PHONE, SAME, SAME),
    ("phone equal, profile not", NAMES | PHONE | LINKEDIN, NAMES | PHONE | OTHER_LINKEDIN,
     SAME, SAME),
    ("our address unknown there", NAMES | EMAIL | PHONE, NAMES | PHONE, SAME, SAME),
    # An address contradicts.
    ("address corrected", EVERYTHING, EVERYTHING | OTHER_EMAIL, CANNOT_TELL, CANNOT_TELL),
    ("address corrected, no more known", NAMES | EMAIL, NAMES | OTHER_EMAIL,
     CANNOT_TELL, CANNOT_TELL),
    # Strangers with a shared contact.
    ("shared phone, own addresses", EVERYTHING, OTHER_NAMES | OTHER_EMAIL | PHONE,
     DIFFERS, DIFFERS),
    ("shared phone, family name, own addresses", NAMES | EMAIL | PHONE,
     NAMES | OTHER_FIRST | OTHER_EMAIL | PHONE, DIFFERS, DIFFERS),
    ("shared phone, no address there", NAMES | EMAIL | PHONE, OTHER_NAMES | PHONE,
     CANNOT_TELL, CANNOT_TELL),
    ("shared address", NAMES | EMAIL, OTHER_NAMES | EMAIL, CANNOT_TELL, CANNOT_TELL),
    ("first name corrected", NAMES | EMAIL, NAMES | OTHER_FIRST | EMAIL, CANNOT_TELL, CANNOT_TELL),
    # A contact is comparable, none is equal.
    ("namesake with own phone", NAMES | PHONE, NAMES | OTHER_PHONE, CANNOT_TELL, CANNOT_TELL),
    ("own phone, another first name", NAMES | PHONE, NAMES | OTHER_FIRST | OTHER_PHONE,
     DIFFERS, DIFFERS),
    ("own phone, another last name", NAMES | PHONE, NAMES | OTHER_LAST | OTHER_PHONE,
     DIFFERS, DIFFERS),
    ("own profile, another name", NAMES | LINKEDIN, NAMES | OTHER_LAST | OTHER_LINKEDIN,
     DIFFERS, DIFFERS),
    ("own address, another name", NAMES | EMAIL, NAMES | OTHER_LAST | OTHER_EMAIL,
     DIFFERS, DIFFERS),
    # No contact is comparable.
    ("names only", NAMES, NAMES, CANNOT_TELL, CANNOT_TELL),
    ("no contacts shown", EVERYTHING, NAMES, CANNOT_TELL, CANNOT_TELL),
    ("other contacts known", NAMES | EMAIL, NAMES | PHONE, CANNOT_TELL, CANNOT_TELL),
    ("nothing shown", EVERYTHING, {}, CANNOT_TELL, CANNOT_TELL),
    ("both names differ", NAMES | EMAIL, OTHER_NAMES | PHONE, DIFFERS, DIFFERS),
    ("first name differs", NAMES | EMAIL, NAMES | OTHER_FIRST, CANNOT_TELL, DIFFERS),
    ("last name differs", NAMES | EMAIL, NAMES | OTHER_LAST, CANNOT_TELL, DIFFERS),
    ("one name shown, differs", NAMES | EMAIL, OTHER_LAST, CANNOT_TELL, DIFFERS),
    ("one name shown, equal", NAMES | EMAIL, {"last_name": "Solberg"}, CANNOT_TELL, CANNOT_TELL),
]  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "theirs", "with_note", "matching"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_identity(ours: Fields, theirs: Fields, with_note: Identity, matching: Identity) -> None:
    for a, b in ((traits(ours), traits(theirs)), (traits(theirs), traits(ours))):
        assert identity(a, b, has_note=True) is with_note
        assert identity(a, b, has_note=False) is matching


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("email", "Mira@Example.org ", "mira@example.org"),
        ("email", "jose\u0301@example.org", "jos\u00e9@EXAMPLE.org"),
        ("phone", "+47 555 012 345", "555012345"),
        ("phone", "+49 (0)30 / 123-4567", "+49 30 1234567"),
        ("phone", "0049301234567", "+49 30 1234567"),
        ("phone", "\u0660\u0665\u0665\u0665\u0660\u0661\u0662\u0663\u0664\u0665", "0555012345"),
        (
            "linkedin_url",
            "https://www.linkedin.com/in/Example-Mira/",
            "linkedin.com/in/example-mira",
        ),
        (
            "linkedin_url",
            "http://no.linkedin.com/in/mira?trk=x#top",
            "https://linkedin.com/in/mira//",
        ),
        ("linkedin_url", "https://www.linkedin.com/in/jos%C3%A9", "www.linkedin.com/in/jose\u0301"),
        ("linkedin_url", "/in/mira", "https://linkedin.com/in/mira"),
    ],
)
def test_spellings_of_one_contact_are_equal(field: str, one: str, other: str) -> None:
    assert identity(traits({field: one}), traits({field: other}), has_note=True) is SAME


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("email", "mira@example.org", "mira@example.com"),
        ("phone", "555012345", "555012346"),
        ("phone", "no number", "none"),
        ("linkedin_url", "https://www.linkedin.com/in/mira", "https://www.linkedin.com/in/jonas"),
        ("linkedin_url", "https://www.linkedin.com/", "https://linkedin.com"),
        ("linkedin_url", "http://[", "https://linkedin.com/in/mira"),
        ("linkedin_url", "https://www.linkedin.com/in/", "https://linkedin.com/in"),
        ("phone", "0", "0"),
        ("phone", "000 000 000", "000 000 000"),
        ("phone", "4711", "4711"),
        ("email", " ", ""),
        ("email", "\ud800", "\udfff"),
    ],
)
def test_contacts_that_are_not_equal(field: str, one: str, other: str) -> None:
    assert identity(traits({field: one}), traits({field: other}), has_note=True) is CANNOT_TELL


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("In\u00e9s", "Ine\u0301s"),
        (" Mira ", "MIRA"),
        ("Stra\u00dfe", "STRASSE"),
        ("\u1e9b\u0323", "\u1e9b\u0323".upper()),
    ],
)
def test_spellings_of_one_name_do_not_differ(one: str, other: str) -> None:
    ours, theirs = {**NAMES, **EMAIL, "first_name": one}, {**NAMES, **EMAIL, "first_name": other}
    assert identity(traits(ours), traits(theirs), has_note=False) is SAME


def test_phones_are_compared_over_both_fields() -> None:
    ours = traits({"mobile_phone": "555012345", "phone": "555000000"})
    assert identity(ours, traits({"phone": "555012345"}), has_note=True) is SAME
    assert identity(ours, traits({"mobile_phone": "555000000"}), has_note=True) is SAME


def test_a_value_that_is_not_text_is_not_known() -> None:
    odd = {"first_name": 7, "email": ["x"], "phone": 555012345, "linkedin_url": None}
    assert traits(odd) == traits({})


# The verdict --------------------------------------------------------------------------------------

THE_SAME = EVERYTHING
UNCLEAR = NAMES
STRANGER = OTHER_NAMES | OTHER_EMAIL

VERDICTS = [
    ([], Verdict.NO_MATCH, None),
    ([STRANGER, STRANGER], Verdict.NO_MATCH, None),
    ([STRANGER, THE_SAME, STRANGER], Verdict.ADOPT, 1),
    ([UNCLEAR, THE_SAME, UNCLEAR], Verdict.ADOPT, 1),
    ([THE_SAME, THE_SAME], Verdict.UNKNOWN, None),
    ([STRANGER, UNCLEAR], Verdict.UNKNOWN, None),
    ([{**THE_SAME, "position_uid": ELSEWHERE}], Verdict.NO_MATCH, None),
    ([{**THE_SAME, "position_uid": None}], Verdict.ADOPT, 0),
    ([{**THE_SAME, "position_uid": ""}], Verdict.ADOPT, 0),
    ([{**UNCLEAR, "position_uid": None}], Verdict.UNKNOWN, None),
    ([{**THE_SAME, "deleted": True}], Verdict.NO_MATCH, None),
    ([{**THE_SAME, "deleted": False}], Verdict.ADOPT, 0),
    ([{"deleted": True, "position_uid": None}], Verdict.NO_MATCH, None),
    ([{**THE_SAME, "uid": "held"}], Verdict.NO_MATCH, None),
    ([{**UNCLEAR, "uid": "held"}], Verdict.NO_MATCH, None),
    ([{**THE_SAME, "uid": "held"}, THE_SAME], Verdict.ADOPT, 1),
    # A list that moves while it is read shows a row twice.
    ([{**THE_SAME, "uid": "twice"}, {**THE_SAME, "uid": "twice"}], Verdict.ADOPT, 0),
]


def everywhere(
    position: str, fields: Fields, rows: list[Candidate], *, has_note: bool
) -> Comparison:
    """Compare with every row and through the index: the answers must not differ."""

    def is_held(uid: str) -> bool:
        return uid == "held"

    direct = compare(position, traits(fields), rows, has_note=has_note, is_held=is_held)
    with CandidateIndex() as index:
        index.add(iter(rows))
        indexed = index.compare(position, fields, has_note=has_note, is_held=is_held)
    assert indexed.verdict is direct.verdict
    if max(len(direct.same), len(direct.cannot_tell)) < 10:
        assert set(indexed.same) == set(direct.same)
        assert set(indexed.cannot_tell) == set(direct.cannot_tell)
    return direct


@pytest.mark.parametrize("has_note", [True, False])
@pytest.mark.parametrize(("rows", "verdict", "adopted"), VERDICTS)
def test_verdict_over_all_rows(
    rows: list[Fields], verdict: Verdict, adopted: int | None, has_note: bool
) -> None:
    listed = [shown(**{"uid": f"B3.{at:03X}", **row}) for at, row in enumerate(rows)]
    found = everywhere(HERE, EVERYTHING, listed, has_note=has_note)
    assert found.verdict is verdict
    if adopted is not None:
        assert found.same == (listed[adopted].uid,)


def test_one_differing_name_is_enough_in_matching_only() -> None:
    rows = [shown(**NAMES | OTHER_FIRST), shown("B3.001", **NAMES | OTHER_LAST)]
    assert everywhere(HERE, NAMES | EMAIL, rows, has_note=False).verdict is Verdict.NO_MATCH
    with_note = everywhere(HERE, NAMES | EMAIL, rows, has_note=True)
    assert with_note.verdict is Verdict.UNKNOWN
    assert len(with_note.cannot_tell) == 2


def test_same_position() -> None:
    assert is_same_position(HERE, shown())
    assert is_same_position(HERE, Candidate("B3.000"))
    assert not is_same_position(HERE, shown(position_uid=ELSEWHERE))


def test_a_comparison_names_a_few_of_many() -> None:
    rows = [shown(f"B3.{number:03X}", **NAMES) for number in range(500)]
    assert len(everywhere(HERE, NAMES, rows, has_note=False).cannot_tell) == 10


# Properties ---------------------------------------------------------------------------------------


def some(*values: str) -> st.SearchStrategy[str | None]:
    return st.sampled_from([None, "", *values])


FIELDS = st.fixed_dictionaries(
    {
        "first_name": some("Mira", "Jonas", "mira "),
        "last_name": some("Solberg", "Ngata"),
        "email": some("m@example.org", "M@example.org", "j@example.org"),
        "phone": some("555012345", "+47 555 012 345", "555000000", "555999999"),
        "mobile_phone": some("555012345", "555000000"),
        "linkedin_url": some("linkedin.com/in/mira/", "https://linkedin.com/in/mira", "/in/jonas"),
    }
)
ROWS = st.lists(
    st.builds(
        lambda fields, position, deleted: {
            **fields,
            "position_uid": position,
            "deleted": deleted,
        },
        FIELDS,
        some(HERE, HERE, ELSEWHERE),
        st.sampled_from([None, False, True]),
    ),
    max_size=8,
)


@given(fields=FIELDS, rows=ROWS, has_note=st.booleans(), held=st.integers(0, 8))
def test_the_index_answers_as_a_comparison_with_every_row(
    fields: Fields, rows: list[Fields], has_note: bool, held: int
) -> None:
    uids = ("held" if at == held else f"B3.{at:03X}" for at in itertools.count())
    listed = [shown(uid, **row) for uid, row in zip(uids, rows, strict=False)]
    everywhere(HERE, fields, listed, has_note=has_note)


OURS = {
    "first_name": "Mira",
    "last_name": "Solberg",
    "email": "m@example.org",
    "phone": "555000001",
    "mobile_phone": "555000002",
    "linkedin_url": "/in/mira",
}
THEIRS = {
    "first_name": (None, "Mira", "Jonas"),
    "last_name": (None, "Solberg", "Ngata"),
    "email": (None, "m@example.org", "j@example.org"),
    "phone": (None, "555000002", "555999999"),
    "mobile_phone": (None, "555000001", "555999999"),
    "linkedin_url": (None, "/in/mira", "/in/jonas"),
}


@pytest.mark.parametrize("has_note", [True, False])
def test_the_index_finds_every_row_that_can_influence_a_verdict(has_note: bool) -> None:
    """Every combination of unknown, equal and different, for every set of fields that we know."""
    rows = [
        shown(f"B3.{at:03X}", position_uid=position, **dict(zip(THEIRS, values, strict=True)))
        for at, (position, *values) in enumerate(itertools.product((HERE, None), *THEIRS.values()))
    ]
    with CandidateIndex() as index:
        index.add(rows)
        for known in itertools.product((True, False), repeat=len(OURS)):
            fields = dict(itertools.compress(OURS.items(), known))
            every, found = set[str](), set[str]()
            # The ledger is asked about each row that does not differ, and here it holds them all.
            compare(HERE, traits(fields), rows, has_note=has_note, is_held=holding(every))
            index.compare(HERE, fields, has_note=has_note, is_held=holding(found))
            assert found == every


def holding(asked: set[str]) -> Callable[[str], bool]:
    def is_held(uid: str) -> bool:
        asked.add(uid)
        return True

    return is_held


@given(ours=FIELDS, theirs=FIELDS, has_note=st.booleans())
def test_identity_is_symmetric(ours: Fields, theirs: Fields, has_note: bool) -> None:
    a, b = traits(ours), traits(theirs)
    assert identity(a, b, has_note=has_note) is identity(b, a, has_note=has_note)


@given(ours=FIELDS, theirs=FIELDS)
def test_a_note_only_adds_doubt(ours: Fields, theirs: Fields) -> None:
    a, b = traits(ours), traits(theirs)
    with_note, matching = (identity(a, b, has_note=each) for each in (True, False))
    assert with_note is matching or (with_note, matching) == (CANNOT_TELL, DIFFERS)


@given(fields=FIELDS)
def test_nobody_differs_from_themselves(fields: Fields) -> None:
    ours = traits(fields)
    assert identity(ours, ours, has_note=False) is not DIFFERS


@given(text=st.text(st.characters(exclude_categories=()), max_size=30), field=st.sampled_from(
    ["first_name", "last_name", "email", "phone", "mobile_phone", "linkedin_url"]
))  # fmt: skip
def test_any_text_can_be_compared(text: str, field: str) -> None:
    everywhere(HERE, {**NAMES, field: text}, [shown(**{**NAMES, field: text})], has_note=False)


# The index on disk --------------------------------------------------------------------------------


def many(count: int) -> Iterator[Candidate]:
    for number in range(count):
        yield shown(
            f"B{number:X}.000",
            first_name="Mira",
            last_name=f"Kowalczyk {number}",
            email=f"kowalczyk{number}@example.org",
            phone=f"555{number:06}",
        )


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096


def test_memory_stays_flat_and_the_file_holds_no_personal_data() -> None:
    with CandidateIndex() as index:
        index.add(many(1000))
        before = resident_bytes()
        index.add(many(60_000))
        fields = {"first_name": "Mira", "last_name": "Solberg", "email": "kowalczyk7@example.org"}
        assert index.compare(HERE, fields, has_note=False, is_held=nobody_is_held).same == (
            "B7.000",
        )
        assert resident_bytes() - before < 15_000_000
        files = [
            each
            for each in Path("/proc/self/fd").iterdir()
            if "etilqs" in str(each.readlink() if each.is_symlink() else "")
        ]
        assert files
        for each in files:
            # Unlinked already: a killed process leaves nothing.
            assert str(each.readlink()).endswith("(deleted)")
            assert b"owalczyk" not in each.read_bytes()
    assert not [each for each in files if each.exists()]


def test_a_record_is_found_without_reading_all_rows() -> None:
    with CandidateIndex() as index:
        index.add(many(20_000))
        fields = {"first_name": "Mira", "last_name": "Kowalczyk 5", "email": "x@example.org"}
        index.compare(HERE, fields, has_note=False, is_held=nobody_is_held)
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        index._index._database.set_progress_handler(count, 100)  # noqa: SLF001 - no time
        found = index.compare(HERE, fields, has_note=False, is_held=nobody_is_held)
        assert found.cannot_tell == ("B5.000",)
        assert steps < 50


def test_rows_can_be_added_after_a_comparison_and_after_a_listing_that_failed() -> None:
    def broken() -> Iterator[Candidate]:
        yield shown("B3.000", **EVERYTHING)
        raise TransientError("The list ended early.")

    with CandidateIndex() as index:
        with pytest.raises(TransientError):
            index.add(broken())
        index.add([shown("B3.001", **STRANGER)])
        assert index.compare(HERE, EVERYTHING, has_note=False, is_held=nobody_is_held).same == (
            "B3.000",
        )
        # Corrected in the meantime: the later row counts.
        index.add([shown("B3.000", **EVERYTHING | OTHER_NAMES | OTHER_EMAIL | OTHER_PHONE)])
        assert (
            index.compare(HERE, EVERYTHING, has_note=False, is_held=nobody_is_held).verdict
            is Verdict.NO_MATCH
        )


def test_a_folder_without_room_is_a_config_error() -> None:
    with CandidateIndex() as index:
        index._index.execute("PRAGMA max_page_count = 50")  # noqa: SLF001 - a full disk
        with pytest.raises(ConfigError, match="SQLITE_TMPDIR"):
            index.add(many(10_000))
