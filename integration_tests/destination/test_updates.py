"""A change reaches the candidate, or is reported and tried again."""

from __future__ import annotations

from typing import Any

import pytest

from integration_tests.support.hostile_comeet import Answer, HostileComeet, envelope
from integration_tests.support.outcomes import candidate, counts, created, cursors, once, people
from integration_tests.support.writer import OPEN, SECOND, Writer, configured, person, record, state

CHANGE = r"/candidates/"


def held(writer: Writer, number: int = 1) -> dict[str, Any]:
    return dict(candidate(writer, f"people:{number}")["fields"])


@pytest.mark.parametrize("refused", ["linkedin_url", "first_name", "custom_fields"])
def test_one_refused_field_keeps_no_other_from_arriving(
    writer: Writer, comeet: HostileComeet, refused: str
) -> None:
    before = {
        "phone": "555012345",
        "linkedin_url": "https://www.linkedin.com/in/example-mira",
        "custom_fields": {"pool": "north"},
    }
    after = {
        "first_name": "Miriam",
        "phone": "555999999",
        "linkedin_url": "https://www.linkedin.com/in/example-miriam",
        "custom_fields": {"pool": "south"},
    }
    writer.write(*people(1, **before), state(0))
    comeet.answer(
        "PATCH",
        CHANGE,
        envelope(400, "validation_error"),
        containing=f'"{refused}"',
        after_comeet=False,
    )
    done = writer.write(*people(1, **after), state(1))
    assert done.code == 0, done.output
    shown = held(writer)
    for name, value in after.items():
        if name == refused:
            assert shown.get(name) != value
        else:
            assert shown[name] == value
    assert refused in done.output
    # The refused field is sent once more when it changes again, and the others are not.
    comeet.reset()
    done = writer.write(*people(1, **{**after, "mobile_phone": "555000000"}), state(2))
    assert counts(done) == (1, 0), done.output
    assert held(writer)["mobile_phone"] == "555000000"


def test_an_empty_uid_of_a_new_candidate_is_none_and_a_change_finds_it(
    writer: Writer, comeet: HostileComeet
) -> None:
    comeet.answer("POST", r"/candidates$", Answer(201, b'{"uid": ""}'))
    writer.write(*people(1), state(0))
    assert counts(writer.write(*people(1), state(1))) == (1, 0)
    while not comeet.arrived.empty():
        comeet.arrived.get()
    done = writer.write(*people(1, phone="555012345"), state(2))
    assert counts(done) == (1, 0), done.output
    arrived = [comeet.arrived.get() for _ in range(comeet.arrived.qsize())]
    uid = candidate(writer, "people:1")["uid"]
    assert [each for each in arrived if "PATCH" in each] == [f"PATCH /comeet/candidates/{uid}"]
    assert held(writer)["phone"] == "555012345"


def test_every_field_refused_rejects_the_update(writer: Writer, comeet: HostileComeet) -> None:
    writer.write(*people(1), state(0))
    comeet.answer("PATCH", CHANGE, envelope(400, "validation_error"), after_comeet=False)
    done = writer.write(*people(1, phone="555012345"), *people(2), state(1))
    assert done.code == 0, done.output
    assert counts(done) == (2, 1)
    comeet.reset()
    assert counts(writer.write(*people(1, phone="555012345"), state(2))) == (1, 0)
    assert held(writer)["phone"] == "555012345"


@pytest.mark.parametrize(
    "answer",
    [
        envelope(404, "candidate_not_found"),
        envelope(404, "not_found"),
        envelope(401, "duplicate_candidate"),
    ],
    ids=["candidate_not_found", "not_found", "duplicate_candidate"],
)
def test_a_candidate_that_is_not_found_once_is_not_closed_for_good(
    writer: Writer, comeet: HostileComeet, answer: Any
) -> None:
    writer.write(*people(1), state(0))
    comeet.answer("PATCH", CHANGE, answer, after_comeet=False)
    done = writer.write(*people(1, phone="555012345"), state(1))
    assert done.code == 0, done.output
    assert created(writer) == once(1)
    comeet.reset()
    done = writer.write(*people(1, phone="555999999"), state(2))
    assert counts(done) == (1, 0), done.output
    assert held(writer)["phone"] == "555999999"
    assert created(writer) == once(1)


def test_twenty_candidates_not_found_in_a_row_stop_the_sync(
    writer: Writer, comeet: HostileComeet
) -> None:
    numbers = range(1, 26)
    writer.write(*people(*numbers), state(0))
    comeet.answer("PATCH", CHANGE, envelope(404, "candidate_not_found"), after_comeet=False)
    done = writer.write(*people(*numbers, phone="555012345"), state(1))
    assert done.code == 1
    assert not done.states()
    comeet.reset()
    done = writer.write(*people(*numbers, phone="555999999"), state(2))
    assert counts(done) == (25, 0), done.output
    assert created(writer) == once(*numbers)


def test_nineteen_candidates_not_found_and_one_found_stop_nothing(
    writer: Writer, comeet: HostileComeet
) -> None:
    numbers = range(1, 40)
    writer.write(*people(*numbers), state(0))
    found = candidate(writer, "people:20")["uid"]
    comeet.answer(
        "PATCH",
        rf"/candidates/(?!{found})",
        envelope(404, "candidate_not_found"),
        after_comeet=False,
    )
    done = writer.write(*people(*numbers, phone="555012345"), state(1))
    assert done.code == 0, done.output
    assert held(writer, 20)["phone"] == "555012345"


def test_people_who_are_there_get_their_updates_when_their_application_closes(
    without_ledger: Writer,
) -> None:
    writer = without_ledger
    writer.config["streams"] = [
        {
            "stream": "candidates",
            "mapping": {"mapping_type": "kombo_candidates"},
            "positions": [{"job_id": "job-a", "position_uid": OPEN}],
        }
    ]
    writer.catalog = {"streams": [configured("candidates")]}
    writer.check()

    def kombo(phone: str, outcome: str | None, number: int = 1) -> dict[str, Any]:
        return record(
            {
                "id": f"k{number}",
                "first_name": "Aroha",
                "last_name": "Ngata",
                "phone_numbers": [{"phone_number": phone}],
                "applications": [{"outcome": outcome, "job": {"id": "job-a", "remote_id": None}}],
            },
            "candidates",
        )

    writer.write(kombo("555000001", "PENDING"), state(1, "candidates"))
    for number, outcome in enumerate(["DECLINED", "HIRED"], start=2):
        done = writer.write(kombo(f"55500000{number}", outcome), state(number, "candidates"))
        assert counts(done) == (1, 0), done.output
        (shown,) = writer.truth()
        assert shown["fields"]["mobile_phone"] == f"55500000{number}"
    # Someone whose only application was closed from the start is skipped, not rejected.
    done = writer.write(kombo("555000009", "DECLINED", 2), state(9, "candidates"))
    assert counts(done) == (1, 0), done.output
    assert len(writer.truth()) == 1


def test_another_position_uid_is_reported_before_anybody_is_created_a_second_time(
    writer: Writer,
) -> None:
    writer.write(*people(1, 2), state(1))
    writer.config["streams"][0]["position_uid"] = SECOND
    checked = writer.check()
    done = writer.write(*people(1, 2), state(2))
    assert OPEN in checked.output + done.output
    assert "position_uid" in checked.output + done.output


# max_rejected -------------------------------------------------------------------------------------

BROKEN = b'{"type":"RECORD"}'


def bad(number: int) -> dict[str, Any]:
    return record({"id": number, "first_name": "Mira"})


def test_max_rejected_counts_across_attempts(writer: Writer) -> None:
    writer.config["max_rejected"] = 2
    done = writer.write(bad(1), bad(2), state(1), BROKEN)
    assert cursors(done) == [1]
    done = writer.write(bad(3), *people(4), state(2))
    assert done.code == 1
    assert "max_rejected" in done.error()["message"]
    assert not done.states()


def test_rejects_that_no_state_covers_are_not_counted_twice(writer: Writer) -> None:
    writer.config["max_rejected"] = 2
    for _ in range(3):
        done = writer.write(bad(1), bad(2), BROKEN)
        assert "max_rejected" not in done.error()["message"]
    done = writer.write(bad(1), bad(2), state(1))
    assert done.code == 0, done.output
    assert counts(done) == (2, 2)


def test_a_run_that_ends_well_starts_the_count_again(writer: Writer) -> None:
    writer.config["max_rejected"] = 1
    for number in range(3):
        done = writer.write(bad(number), state(number))
        assert done.code == 0, done.output


def test_the_same_person_twice_in_one_run_is_updated(writer: Writer) -> None:
    done = writer.write(record(person(1)), record(person(1, phone="555012345")), state(1))
    assert counts(done) == (2, 0)
    assert held(writer)["phone"] == "555012345"
    assert created(writer) == once(1)
