"""A missing permission costs what needs it, and the message names it."""

from __future__ import annotations

import json

import pytest

from integration_tests.support.hostile_comeet import Answer, HostileComeet, envelope, html
from integration_tests.support.outcomes import candidate, counts, created, once, people
from integration_tests.support.writer import Writer, state

CREATE = r"/candidates$"
CHANGE = r"/candidates/"
LIST = r"/candidates\?"

REFUSALS = {
    "403 with envelope": envelope(403, "no_permission"),
    "403 page": html(403),
    "403 empty": Answer(403),
    "404 without envelope": html(404),
    "405": Answer(405),
}


@pytest.mark.parametrize("answer", REFUSALS.values(), ids=REFUSALS)
def test_a_refused_update_rejects_it_and_creating_continues(
    writer: Writer, comeet: HostileComeet, answer: Answer
) -> None:
    writer.write(*people(1, 2), state(0))
    comeet.answer("PATCH", CHANGE, answer, after_comeet=False)
    done = writer.write(*people(1, 2, phone="555012345"), *people(3), state(1))
    assert done.code == 0, done.output
    assert counts(done) == (3, 2)
    warnings = done.logs("WARN")
    assert (
        "Record 2 of stream people, key people:2, is rejected: has changed, but Comeet does not "
        "let the integration update a candidate's contact details. Ask Comeet for that permission"
        in warnings
    )
    assert "api_key" not in warnings
    assert created(writer) == once(1, 2, 3)
    # Once the permission is there, the change arrives.
    comeet.reset()
    done = writer.write(*people(1, 2, phone="555012345"), state(2))
    assert counts(done) == (2, 0), done.output
    assert candidate(writer, "people:1")["fields"]["phone"] == "555012345"


@pytest.mark.parametrize("answer", REFUSALS.values(), ids=REFUSALS)
def test_one_candidate_whose_update_is_refused_keeps_no_other_from_its_own(
    writer: Writer, comeet: HostileComeet, answer: Answer
) -> None:
    writer.write(*people(1, 2), state(0))
    refused = rf"/candidates/{candidate(writer, 'people:1')['uid']}"
    comeet.answer("PATCH", refused, answer, after_comeet=False)
    for number in (1, 2):
        # The second time, an update has been answered before.
        changed = [*people(1, phone="555012345"), *people(1, phone="555012346")]
        healthy = people(2, phone=f"55501234{number}")
        done = writer.write(*(changed + healthy if number == 1 else healthy + changed), state(1))
        assert done.code == 0, done.output
        assert counts(done) == (3, 2)
        assert "phone" not in candidate(writer, "people:1")["fields"]
        assert candidate(writer, "people:2")["fields"]["phone"] == f"55501234{number}"


def test_pages_in_place_of_two_answers_after_a_good_one_end_the_run_as_transient(
    writer: Writer, comeet: HostileComeet
) -> None:
    writer.write(*people(1, 2, 3), state(0))
    good = candidate(writer, "people:1")["uid"]
    comeet.answer("PATCH", rf"/candidates/(?!{good})", html(404), after_comeet=False)
    done = writer.write(*people(1, 2, 3, phone="555012345"), state(1))
    assert done.code == 1
    assert done.error()["failure_type"] == "transient_error"
    assert not done.states()


def test_a_page_in_place_of_one_answer_is_no_missing_permission(
    writer: Writer, comeet: HostileComeet
) -> None:
    writer.write(*people(1), state(0))
    comeet.answer("PATCH", CHANGE, html(404), after_comeet=False)
    done = writer.write(*people(1, phone="555012345"), state(1))
    assert counts(done) == (1, 1)
    assert "the update got an answer that does not seem to be Comeet's." in done.logs("WARN")
    assert "permission" not in done.output


def test_after_two_refused_updates_no_other_is_sent(writer: Writer, comeet: HostileComeet) -> None:
    writer.write(*people(1, 2, 3, 4), state(0))
    comeet.answer("PATCH", CHANGE, envelope(403, "no_permission"), after_comeet=False)
    while not comeet.arrived.empty():
        comeet.arrived.get()
    done = writer.write(*people(1, 2, 3, 4, phone="555012345"), state(1))
    assert counts(done) == (4, 4)
    arrived = [comeet.arrived.get() for _ in range(comeet.arrived.qsize())]
    changed = {each.rpartition("/")[2] for each in arrived if each.startswith("PATCH")}
    assert changed == {candidate(writer, f"people:{number}")["uid"] for number in (1, 2)}


def test_a_refused_position_lets_the_post_tell(writer: Writer, comeet: HostileComeet) -> None:
    comeet.answer("GET", "/positions/", envelope(403, "no_permission"), after_comeet=False)
    done = writer.write(*people(1), state(1))
    assert counts(done) == (1, 0), done.output
    assert created(writer) == once(1)


def test_a_refused_look_up_names_the_permission(writer: Writer, comeet: HostileComeet) -> None:
    writer.write_killed("call answered", 1, *people(1))
    comeet.answer("GET", LIST, envelope(403, "no_permission"), after_comeet=False)
    done = writer.write(*people(1, 2), state(2))
    assert counts(done) == (2, 1), done.output
    assert "retrieve candidates" in done.logs("WARN")
    assert "api_key" not in done.logs("WARN")
    assert created(writer) == once(1, 2)


def test_a_refused_list_is_warned_of_before_anybody_is_created(
    writer: Writer, comeet: HostileComeet
) -> None:
    comeet.answer("GET", LIST, envelope(403, "no_permission"), after_comeet=False)
    done = writer.write(*people(1), state(1))
    assert counts(done) == (1, 0)
    assert (
        "Comeet's list of candidates cannot be read, so it was not checked whether the ledger is "
        "up to date. Check that the integration has the permission to retrieve candidates."
        in done.logs("WARN")
    )


def test_a_refused_create_is_a_config_error_that_names_the_permission(
    writer: Writer, comeet: HostileComeet
) -> None:
    comeet.answer("POST", CREATE, envelope(403, "no_permission"), after_comeet=False)
    done = writer.write(*people(1), state(1))
    error = done.error()
    assert error["failure_type"] == "config_error"
    assert "create" in error["message"]
    assert "permission" in error["message"]
    assert not done.states()
    # Whether it was created cannot be known from a 403: the next run looks before it posts.
    comeet.reset()
    assert counts(writer.write(*people(1), state(1))) == (1, 0)
    assert created(writer) == once(1)


def test_a_conflict_without_the_right_to_read_counts_as_there(
    writer: Writer, comeet: HostileComeet
) -> None:
    writer.config["match_existing"] = "never"
    comeet.answer(
        "POST",
        CREATE,
        envelope(409, "candidate_post_conflict", candidate_uid=98765),
        after_comeet=False,
    )
    comeet.answer("GET", "/candidates/98765", html(403), after_comeet=False)
    done = writer.write(*people(1), state(1))
    assert done.code == 0, done.output
    assert counts(done) == (1, 0)


LISTS = {
    "403": (envelope(403, "no_permission"), True),
    "403 page": (html(403), True),
    "400": (envelope(400, "bad_request"), False),
    "404": (envelope(404, "not_found"), False),
    "404 page": (html(404), False),
    "another shape": (Answer(200, b'{"items": []}'), False),
}


NOT_UNDERSTOOD = {"400", "another shape"}
UNREADABLE = [
    pytest.param(what, *LISTS[name], id=f"{what}-{name}")
    for what in ("candidates", "positions")
    for name in LISTS
    if what == "candidates" or name not in NOT_UNDERSTOOD
]


@pytest.mark.parametrize("name", sorted(NOT_UNDERSTOOD))
def test_check_fails_on_positions_that_it_does_not_understand(
    without_ledger: Writer, comeet: HostileComeet, name: str
) -> None:
    comeet.answer("GET", r"/positions(\?|$)", LISTS[name][0], after_comeet=False)
    status = without_ledger.check().status()
    assert status["status"] == "FAILED"
    assert "may not retrieve" not in status["message"]


@pytest.mark.parametrize(("what", "answer", "is_denied"), UNREADABLE)
@pytest.mark.parametrize("new_until", [None, "2999-01-01T00:00:00Z"])
def test_check_says_that_a_permission_is_missing_only_if_it_is_denied(  # noqa: PLR0913 - a row each
    without_ledger: Writer,
    comeet: HostileComeet,
    what: str,
    new_until: str | None,
    answer: Answer,
    is_denied: bool,
) -> None:
    comeet.answer("GET", rf"/{what}(\?|$)", answer, after_comeet=False)
    without_ledger.config["ledger"]["new_until"] = new_until
    status = without_ledger.check().status()
    is_made = what == "positions" or new_until is not None
    assert status["status"] == ("SUCCEEDED" if is_made else "FAILED")
    assert (f"may not retrieve {what}" in status["message"]) is is_denied
    assert (f"list of {what} cannot be read" in status["message"]) is not is_denied
    assert "report" not in status["message"]


@pytest.mark.parametrize("status", [403, 404])
def test_an_outage_that_begins_at_the_last_update_passes_no_state_on(
    writer: Writer, comeet: HostileComeet, status: int
) -> None:
    """The page of a load balancer is not the answer to one update if everything gets it."""
    writer.write(*people(1, 2), state(0))
    second = candidate(writer, "people:2")["uid"]
    comeet.answer("PATCH", second, html(status), after_comeet=False)
    comeet.answer("GET", "candidates", html(status), after_comeet=False)
    done = writer.write(*people(1, 2, phone="555012345"), state(1))
    assert done.error()["failure_type"] == "transient_error"
    assert done.states() == []
    comeet.reset()
    writer.write(*people(1, 2, phone="555012345"), state(1))
    for key in ("people:1", "people:2"):
        assert candidate(writer, key)["fields"]["phone"] == "555012345"


def test_who_was_merged_on_arrival_needs_no_permission_to_update(
    writer: Writer, comeet: HostileComeet
) -> None:
    writer.write(*people(1, 2, 5), state(0))
    merged = Answer(201, json.dumps({"uid": candidate(writer, "people:1")["uid"]}).encode())
    comeet.answer("POST", r"/candidates$", merged, containing="people:3", after_comeet=False)
    writer.write(*people(3), state(1))
    comeet.answer("PATCH", "/candidates/", envelope(403, "no_permission"), after_comeet=False)
    done = writer.write(*people(1, 2, 3, phone="555012345"), state(2))
    assert counts(done) == (3, 2)
