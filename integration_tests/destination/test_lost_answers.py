"""A post whose answer was lost or says nothing: nobody is created twice, nobody taken over."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support import forward_proxy
from integration_tests.support.hostile_comeet import (
    BROKEN_TLS,
    NO_ANSWER,
    NOTHING,
    Answer,
    HostileComeet,
    envelope,
    html,
    make_certificate,
)
from integration_tests.support.outcomes import counts, created, fields_of, once, people
from integration_tests.support.writer import OPEN, ShiftedClock, Writer, person, record, state

CREATE = r"/candidates$"
LIST = r"/candidates\?"

NO_PROOF = {
    "no answer": NO_ANSWER,
    "303": Answer(303, headers={"Location": "/elsewhere"}),
    "403 without envelope": html(403),
    "403 with envelope": envelope(403, "no_permission"),
    "401 without envelope": html(401),
    "400 without envelope": html(400),
    "404 page": html(404),
    "404 of a gateway": Answer(404, b'{"status": 404, "error": "Not Found"}'),
    "422 empty": Answer(422),
    "418 with envelope": envelope(418, "teapot"),
    "502 page": html(502),
    "200 page": html(200),
}


def recruiters_are_quick(writer: Writer) -> None:
    """Take everybody out of "In progress": a repeated post draws no conflict any more."""
    writer.control("move", status="Rejected")


@pytest.mark.parametrize("answer", NO_PROOF.values(), ids=NO_PROOF)
def test_an_answer_without_proof_after_a_create_creates_nobody_twice(
    writer: Writer, comeet: HostileComeet, answer: Answer
) -> None:
    comeet.answer("POST", CREATE, answer, times=1)
    writer.write(*people(1), state(1))
    comeet.reset()
    recruiters_are_quick(writer)
    done = writer.write(*people(1, 2), state(1))
    assert done.code == 0, done.output
    assert created(writer) == once(1, 2)
    assert counts(done) == (2, 0)


def test_a_candidate_that_is_found_after_a_lost_answer_counts_as_created(
    writer: Writer, comeet: HostileComeet
) -> None:
    comeet.answer("POST", CREATE, NO_ANSWER)
    done = writer.write(*people(*range(1, 13)), state(1))
    assert "Finished: 12 records; 12 created." in done.logs()
    warnings = done.logs("WARN").splitlines()
    said = "A new candidate got no answer; looking whether it is there."
    assert len([each for each in warnings if each.startswith(said)]) == 10
    assert warnings[-1] == f"12 times in this run: {said}"


def test_of_the_answer_to_a_post_only_the_uid_counts(writer: Writer, comeet: HostileComeet) -> None:
    body = b'{"uid": "C7", "id_number": 5, "deleted": "no", "email": ["mira@example.org"]}'
    comeet.answer("POST", CREATE, Answer(201, body), after_comeet=False)
    done = writer.write(*people(1), state(1))
    assert done.code == 0, done.output
    assert counts(done) == (1, 0)
    comeet.reset()
    assert counts(writer.write(*people(1), state(1))) == (1, 0)
    assert writer.truth() == []


@pytest.mark.parametrize("status", [400, 404, 413, 415, 422])
def test_a_refusal_in_the_envelope_is_proof(
    writer: Writer, comeet: HostileComeet, status: int
) -> None:
    refusal = envelope(status, "validation_error")
    comeet.answer("POST", CREATE, refusal, after_comeet=False, times=1)
    done = writer.write(*people(1), state(1))
    assert counts(done) == (1, 1)
    comeet.reset()
    done = writer.write(*people(1), state(1))
    assert counts(done) == (1, 0)
    assert created(writer) == once(1)


@pytest.mark.parametrize("name", ["404 page", "404 of a gateway"])
def test_a_passing_404_of_another_server_is_repeated(
    writer: Writer, comeet: HostileComeet, name: str
) -> None:
    comeet.answer("POST", CREATE, NO_PROOF[name], after_comeet=False, times=3)
    done = writer.write(*people(1, 2), state(1))
    assert done.code == 0, done.output
    assert counts(done) == (2, 0)
    assert created(writer) == once(1, 2)


@pytest.mark.parametrize("is_listed", [True, False])
def test_a_lasting_404_of_another_server_is_transient(
    writer: Writer, comeet: HostileComeet, is_listed: bool
) -> None:
    # What Comeet has created is found where the list can be read.
    comeet.answer("POST", CREATE, html(404), after_comeet=not is_listed)
    if not is_listed:
        comeet.answer("GET", "", html(404))
    done = writer.write(*people(1), state(1))
    error = done.error()
    assert not done.states()
    assert error["failure_type"] == "transient_error"
    assert "base_url" in error["message"]
    if not is_listed:
        status = writer.check().status()
        assert status["status"] == "FAILED"
        assert "base_url" in status["message"]
    comeet.reset()
    recruiters_are_quick(writer)
    done = writer.write(*people(1), state(2))
    assert counts(done) == (1, 0), done.output
    assert created(writer) == once(1)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def encrypted(sandbox: Sandbox, certificate: Path) -> Iterator[HostileComeet]:
    with HostileComeet.running(sandbox, certificate) as running:
        yield running


def test_a_tls_error_after_a_create_creates_nobody_twice(
    writer: Writer,
    encrypted: HostileComeet,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    writer.config["base_url"] = f"{encrypted.url}/comeet"
    encrypted.answer("POST", CREATE, BROKEN_TLS, times=1)
    done = writer.write(*people(1), state(1))
    assert "not trusted" not in done.output
    encrypted.reset()
    recruiters_are_quick(writer)
    done = writer.write(*people(1, 2), state(1))
    assert done.code == 0, done.output
    assert created(writer) == once(1, 2)


def test_a_certificate_that_is_not_trusted_is_a_config_error(
    writer: Writer, encrypted: HostileComeet
) -> None:
    writer.config["base_url"] = f"{encrypted.url}/comeet"
    done = writer.write(*people(1), state(1))
    assert done.error()["failure_type"] == "config_error"
    assert "127.0.0.1" in done.error()["message"]
    assert not done.states()
    assert not created(writer)


# What the look-up sees after a kill ---------------------------------------------------------------

CONTACTS = {
    "email": "mira@example.org",
    "phone": "055 501 2345",
    "linkedin_url": "https://www.linkedin.com/in/example-mira",
}
ADOPTED, UNKNOWN = 0, 1

SHOWN: list[tuple[str, dict[str, Any], dict[str, Any], int]] = [
    ("without position_uid", CONTACTS, {"position_uid": NOTHING}, ADOPTED),
    ("position_uid null", CONTACTS, {"position_uid": None}, ADOPTED),
    ("without contacts", CONTACTS, dict.fromkeys(CONTACTS, NOTHING), UNKNOWN),
    ("contacts null", CONTACTS, dict.fromkeys(CONTACTS), UNKNOWN),
    ("names only were sent", {"email": None}, {}, UNKNOWN),
    (
        "only an address",
        CONTACTS,
        dict.fromkeys(["first_name", "last_name", "phone", "linkedin_url"], NOTHING),
        ADOPTED,
    ),
    (
        "phone in E.164",
        {"email": None, "phone": CONTACTS["phone"]},
        {"phone": "+49555012345"},
        ADOPTED,
    ),
    (
        "phone in the other field",
        {"email": None, "phone": CONTACTS["phone"]},
        {"phone": None, "mobile_phone": CONTACTS["phone"]},
        ADOPTED,
    ),
    (
        "profile with a slash",
        {"email": None, "linkedin_url": CONTACTS["linkedin_url"]},
        {"linkedin_url": f"{CONTACTS['linkedin_url']}/"},
        ADOPTED,
    ),
    (
        "decomposed Unicode",
        {**CONTACTS, "first_name": "In\u00e9s"},
        {"first_name": "Ine\u0301s"},
        ADOPTED,
    ),
    ("case of the address", CONTACTS, {"email": "Mira@Example.org"}, ADOPTED),
    ("first name corrected", CONTACTS, {"first_name": "Miriam"}, UNKNOWN),
    ("last name corrected", CONTACTS, {"last_name": "Solberg-Ngata"}, ADOPTED),
    ("address corrected", CONTACTS, {"email": "mira.solberg@example.org"}, UNKNOWN),
    (
        "names corrected, no contact",
        {"email": None},
        {"first_name": "Miriam"},
        UNKNOWN,
    ),
]


@pytest.mark.parametrize(
    ("sent", "shown", "expected"), [each[1:] for each in SHOWN], ids=[each[0] for each in SHOWN]
)
def test_after_a_kill_whoever_may_be_ours_is_never_created_again(
    writer: Writer,
    comeet: HostileComeet,
    sent: dict[str, Any],
    shown: dict[str, Any],
    expected: int,
) -> None:
    killed = writer.write_killed("call answered", 1, *people(1, **sent))
    assert killed.code == -signal.SIGKILL
    recruiters_are_quick(writer)
    (ours,) = writer.truth()
    comeet.show(ours["uid"], **shown)
    done = writer.write(*people(1, **sent), state(1))
    assert done.code == 0, done.output
    assert created(writer) == once(1)
    assert counts(done) == (1, expected)


def test_without_the_list_a_killed_post_stays_unknown(
    writer: Writer, comeet: HostileComeet
) -> None:
    writer.write_killed("call answered", 1, *people(1))
    recruiters_are_quick(writer)
    comeet.answer("GET", LIST, envelope(404, "not_found"), after_comeet=False)
    for _ in range(2):
        done = writer.write(*people(1, 2), state(1))
        assert counts(done) == (2, 1)
    assert created(writer) == once(1, 2)
    comeet.reset()
    done = writer.write(*people(1), state(1))
    assert counts(done) == (1, 0)
    assert created(writer) == once(1, 2)


@pytest.mark.parametrize(("empty_pages", "rejected"), [(9, 0), (10, 1), (30, 1)])
def test_empty_pages_before_the_candidate_are_no_proof_that_nobody_was_created(
    writer: Writer, comeet: HostileComeet, empty_pages: int, rejected: int
) -> None:
    writer.write_killed("call answered", 1, *people(1))
    recruiters_are_quick(writer)
    comeet.begin_lists_with_empty_pages(empty_pages)
    done = writer.write(*people(1), state(1))
    assert done.code == 0, done.output
    assert counts(done) == (1, rejected)
    comeet.reset()
    done = writer.write(*people(1), state(1))
    assert counts(done) == (1, 0)
    assert created(writer) == once(1)


@pytest.mark.parametrize("step", ["call not sent", "call answered"])
def test_a_stranger_with_a_shared_phone_is_never_taken_over(
    writer: Writer, comeet: HostileComeet, step: str
) -> None:
    ours = person(1, phone="555012345")
    writer.write_killed(step, 1, record(ours))
    recruiters_are_quick(writer)
    stranger = comeet.create(
        OPEN, first_name="Jonas", last_name="Ngata", email="jonas@example.org", phone="555012345"
    )
    before = fields_of(writer, stranger)
    done = writer.write(record(ours), state(1))
    assert counts(done) == (1, 0), done.output
    writer.write(record({**ours, "mobile_phone": "555999999"}), state(2))
    assert fields_of(writer, stranger) == before
    assert created(writer) == once(1) + Counter({"None": 1})


def test_a_stranger_who_cannot_be_told_apart_makes_a_lost_post_unknown(
    writer: Writer, comeet: HostileComeet
) -> None:
    ours = person(1, email="family@example.org")
    writer.write_killed("call not sent", 1, record(ours))
    stranger = comeet.create(
        OPEN, first_name="Jonas", last_name="Solberg 1", email="family@example.org"
    )
    before = fields_of(writer, stranger)
    done = writer.write(record(ours), state(1))
    assert counts(done) == (1, 1)
    assert "unknown" in done.output
    assert fields_of(writer, stranger) == before
    assert created(writer) == {"None": 1}


@pytest.mark.parametrize("minutes", [-9, 10])
def test_a_wrong_clock_without_date_headers_creates_nobody_twice(
    writer: Writer, comeet: HostileComeet, minutes: int
) -> None:
    comeet.hide_date()
    clock = ShiftedClock(writer.sandbox, threading.Event())
    clock.shift = timedelta(minutes=minutes)
    comeet.answer("POST", CREATE, NO_ANSWER, times=1)
    comeet.answer("GET", LIST, envelope(404, "not_found"), after_comeet=False)
    writer.write(*people(1), state(1), clock=clock)
    comeet.reset()
    comeet.hide_date()
    recruiters_are_quick(writer)
    done = writer.write(*people(1), state(1))
    assert done.code == 0, done.output
    assert created(writer) == once(1)
    assert counts(done) == (1, 0)


class SteppingClock(ShiftedClock):
    """A machine's clock that is set forward again and again."""

    def now(self) -> datetime:
        """Set it ten minutes forward each time that it is read."""
        self.shift += timedelta(minutes=10)
        return super().now()


def test_a_clock_that_is_set_during_a_run_creates_nobody_twice(
    writer: Writer, comeet: HostileComeet
) -> None:
    comeet.answer("POST", CREATE, NO_ANSWER, times=1)
    comeet.answer("GET", LIST, envelope(404, "not_found"), after_comeet=False)
    clock = SteppingClock(writer.sandbox, threading.Event())
    assert counts(writer.write(*people(1), state(1), clock=clock)) == (1, 1)
    comeet.reset()
    recruiters_are_quick(writer)
    done = writer.write(*people(1), state(1))
    assert counts(done) == (1, 0), done.output
    assert created(writer) == once(1)


def test_an_answer_that_a_proxy_loses_after_a_create_is_looked_up(
    writer: Writer, comeet: HostileComeet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with forward_proxy.started() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        writer.config["base_url"] = f"{comeet.sandbox.url}/comeet"
        proxy.lost = 1
        comeet.sandbox.reset_log()
        done = writer.write(*people(1, 2), state(1))
        assert proxy.forwarded > 2
    assert counts(done) == (2, 0), done.output
    assert created(writer) == once(1, 2)
    # It was looked for, and not posted again.
    assert writer.calls("create") == 2
