"""`destination-comeet` through its command line, against the fake Comeet over HTTP."""

from __future__ import annotations

import base64
import json
import os
import signal
import stat
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.sandbox.running import PROJECT, Sandbox
from integration_tests.support.destination import bare, partners, people, written_in_two_runs
from integration_tests.support.killed_writer import STEPS
from integration_tests.support.writer import (
    COMMAND,
    OPEN,
    SECOND,
    Writer,
    configured,
    person,
    record,
    state,
)

ON_HOLD, CLOSED = "59.B6A", "5D.9D4"


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    """One sandbox for all tests here."""
    with Sandbox.start(candidates=10) as running:
        yield running


@pytest.fixture
def writer(world: Sandbox, tmp_path: Path) -> Writer:
    """A writer with a ledger, and an empty Comeet."""
    fresh = bare(world, tmp_path)
    answer = fresh.check().status()
    assert answer["status"] == "SUCCEEDED", answer
    world.reset_log()
    return fresh


@pytest.fixture
def without_ledger(world: Sandbox, tmp_path: Path) -> Writer:
    """A writer that has never been checked."""
    return bare(world, tmp_path)


def test_the_positions_of_the_sandbox(writer: Writer) -> None:
    known = {
        each["uid"]: each["status"] for each in writer.sandbox.look("/_control/comeet/positions")
    }
    assert (known[OPEN], known[SECOND]) == ("open", "open")
    assert (known[ON_HOLD], known[CLOSED]) == ("on hold", "closed")


# The verbs ----------------------------------------------------------------------------------------


def test_spec() -> None:
    done = subprocess.run([*COMMAND, "spec"], capture_output=True, check=True, cwd=PROJECT)
    spec = json.loads(done.stdout)["spec"]
    assert spec["supported_destination_sync_modes"] == ["append", "append_dedup"]


def test_check_makes_the_ledger_for_its_owner_alone(without_ledger: Writer) -> None:
    status = without_ledger.check().status()
    assert status["status"] == "SUCCEEDED"
    assert "cannot be tested" in status["message"]
    mode = (without_ledger.folder / "ledger.db").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert not without_ledger.truth()
    methods = {each["method"] for each in without_ledger.sandbox.log("comeet.*")}
    assert methods == {"GET"}


def test_check_keeps_a_ledger_that_is_there(writer: Writer) -> None:
    writer.write(*people(1))
    writer.check()
    writer.write(*people(1))
    assert partners(writer) == {"people:1": 1}


def test_check_names_the_clock_when_a_token_is_refused(without_ledger: Writer) -> None:
    without_ledger.config["secret"] = "wrong"  # noqa: S105 - made up
    status = without_ledger.check().status()
    assert status["status"] == "FAILED"
    assert "clock" in status["message"]
    assert "wrong" not in status["message"]


@pytest.mark.parametrize(("uid", "what"), [("FF.FFF", "not a position"), (CLOSED, "closed")])
def test_check_names_a_position_that_takes_nobody(
    without_ledger: Writer, uid: str, what: str
) -> None:
    without_ledger.config["streams"][0]["positions"] = [{"job_id": "j", "position_uid": uid}]
    status = without_ledger.check().status()
    assert status["status"] == "FAILED"
    assert "streams[0].positions[0].position_uid" in status["message"]
    assert what in status["message"]


def test_check_tells_of_missing_permissions(without_ledger: Writer) -> None:
    without_ledger.control("settings", retrieve_positions=False, retrieve_candidates=False)
    without_ledger.config["ledger"]["new_until"] = "2999-01-01T00:00:00Z"
    status = without_ledger.check().status()
    assert status["status"] == "SUCCEEDED"
    assert "may not retrieve positions" in status["message"]
    assert "may not retrieve candidates" in status["message"]


def test_write_without_a_ledger_is_a_config_error(without_ledger: Writer) -> None:
    done = without_ledger.write(*people(1), state(1))
    assert done.code == 1
    assert not done.states()
    error = done.error()
    assert error["failure_type"] == "config_error"
    assert "first run" in error["message"]
    assert "lost" in error["message"]
    assert not without_ledger.truth()


# What arrives -------------------------------------------------------------------------------------


def test_records_arrive_and_the_state_comes_back_as_it_was(writer: Writer) -> None:
    message = state({"at": 1.10}, id=7, sourceStats={"recordCount": 2.0}, unknown=[1, None])
    done = writer.write_by(COMMAND, *people(1, 2), {**message, "beside": True})
    assert done.code == 0
    (passed,) = (each for each in done.messages if each["type"] == "STATE")
    stats = passed["state"].pop("destinationStats")
    assert passed == {**message, "beside": True}
    assert stats == {"recordCount": 2.0, "rejectedRecordCount": 0.0}
    assert partners(writer) == {"people:1": 1, "people:2": 1}
    sent = writer.truth()[0]
    assert sent["position_uid"] == OPEN
    assert sent["fields"]["first_name"] == "Mira"
    assert "2 created" in done.logs()


def test_states_count_their_own_stream(writer: Writer) -> None:
    writer.config["streams"].append(
        {"stream": "others", "mapping": {"mapping_type": "comeet"}, "position_uid": SECOND}
    )
    writer.catalog["streams"].append(configured("others"))
    done = writer.write(
        record(person(1)),
        record({**person(1), "last_name": None}, "others"),
        state(1),
        record(person(2), "others"),
        state(2, "others"),
        record(person(3)),
        {"type": "STATE", "state": {"type": "GLOBAL", "global": {"stream_states": []}}},
    )
    counts = [
        (each["destinationStats"]["recordCount"], each["destinationStats"]["rejectedRecordCount"])
        for each in done.states()
    ]
    assert counts == [(1.0, 0.0), (2.0, 1.0), (1.0, 0.0)]


def test_a_state_is_visible_in_the_pipe_at_once(writer: Writer) -> None:
    with subprocess.Popen(
        [*COMMAND, *writer.arguments("write")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=PROJECT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in (1, 2):
            for message in (*people(number), state(number)):
                process.stdin.write(json.dumps(message).encode() + b"\n")
            process.stdin.flush()
            # Standard input stays open: nothing but the state itself lets it come.
            passed = json.loads(process.stdout.readline())
            assert passed["state"]["stream"]["stream_state"] == {"cursor": number}
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def test_the_same_again_sends_nothing_and_a_change_sends_what_changed(writer: Writer) -> None:
    first = person(1, mobile_phone="+00 1", note="first", address={"city": "Bergen"})
    writer.write(record(first))
    writer.sandbox.reset_log()
    done = writer.write(record(first))
    assert writer.sandbox.counts() == {}
    assert "1 already there and unchanged" in done.logs()

    changed = {**first, "mobile_phone": "+00 2", "note": "second"}
    done = writer.write(record(changed))
    assert "1 already there and updated" in done.logs()
    assert "note 1" in done.logs()
    assert [each["method"] for each in writer.sandbox.log("comeet.*")] == ["PATCH"]
    (held,) = writer.truth()
    assert held["fields"]["mobile_phone"] == "+00 2"
    assert held["fields"]["note"] == "first"

    writer.sandbox.reset_log()
    writer.write(record(changed))
    assert writer.sandbox.counts() == {}


def test_several_applications_become_several_candidates(writer: Writer) -> None:
    writer.config["streams"] = [
        {
            "stream": "candidates",
            "mapping": {"mapping_type": "kombo_candidates"},
            "positions": [
                {"job_id": "job-a", "position_uid": OPEN},
                {"job_id": "J-2", "position_uid": SECOND},
            ],
        }
    ]
    writer.catalog = {"streams": [configured("candidates")]}
    candidate = {
        "id": "7kQmW3xTzB9sLp2VhNfRc4Yd",
        "integration_id": "greenhouse:1",
        "first_name": "Aroha",
        "last_name": "Ngata",
        "applications": [
            {"outcome": "PENDING", "job": {"id": "job-a", "remote_id": "J-1"}},
            {"outcome": None, "job": {"id": "job-b", "remote_id": "J-2"}},
            {"outcome": "DECLINED", "job": {"id": "job-a", "remote_id": "J-1"}},
            {"outcome": "PENDING", "job": {"id": "elsewhere", "remote_id": None}},
        ],
    }
    done = writer.write(record(candidate, "candidates"), state(1, "candidates"))
    assert done.states()[0]["destinationStats"]["recordCount"] == 1.0
    assert sorted(each["position_uid"] for each in writer.truth()) == sorted([OPEN, SECOND])


def test_streams_with_equal_keys_never_touch_each_others_people(writer: Writer) -> None:
    writer.config["streams"].append(
        {"stream": "others", "mapping": {"mapping_type": "comeet"}, "position_uid": OPEN}
    )
    writer.catalog["streams"].append(configured("others"))
    writer.write(record(person(1)), record({**person(1), "first_name": "Jonas"}, "others"))
    writer.write(record({**person(1), "first_name": "Inés"}, "others"))
    names = {each["partner_candidate_id"]: each["fields"]["first_name"] for each in writer.truth()}
    assert names == {"people:1": "Mira", "others:1": "Inés"}


def test_a_key_of_another_stream_is_rejected(writer: Writer) -> None:
    writer.config["streams"][0]["partner_id_prefix"] = "p:"
    writer.write(record({**person(1), "id": "x:1"}))
    writer.config["streams"].append(
        {
            "stream": "others",
            "mapping": {"mapping_type": "comeet"},
            "position_uid": OPEN,
            "partner_id_prefix": "p:x:",
        }
    )
    writer.catalog["streams"].append(configured("others"))
    done = writer.write(record({**person(1), "first_name": "Jonas"}, "others"))
    assert "belongs to a person of stream people" in done.logs("WARN")
    assert [each["fields"]["first_name"] for each in writer.truth()] == ["Mira"]


@pytest.mark.parametrize("key", ["partner_id_prefix", "mapping"])
def test_another_prefix_or_mapping_is_a_config_error(writer: Writer, key: str) -> None:
    writer.write(*people(1))
    values = {
        "partner_id_prefix": "new:",
        "mapping": {
            "mapping_type": "custom",
            "fields": [{"comeet_field": "note", "expression": "a"}],
        },
    }
    writer.config["streams"][0][key] = values[key]
    for done in (writer.write(*people(1), state(1)), writer.check()):
        text = done.error()["message"] if done.code else done.status()["message"]
        assert key in text
    assert partners(writer) == {"people:1": 1}


def test_overwrite_is_append_with_a_warning(writer: Writer) -> None:
    writer.write(*people(1))
    writer.catalog = {"streams": [{**configured("people", mode="overwrite"), "generation_id": 2}]}
    done = writer.write(*people(2), state(1))
    assert done.code == 0
    assert "overwrite is treated as append" in done.logs("WARN")
    assert partners(writer) == {"people:1": 1, "people:2": 1}


def test_a_stream_without_settings_is_ignored_with_one_warning(writer: Writer) -> None:
    writer.catalog["streams"].append(configured("others"))
    done = writer.write(
        record(person(1), "others"), record(person(2), "others"), state(1, "others"), *people(3)
    )
    assert done.code == 0
    assert done.logs("WARN").count("others") == 1
    assert done.states()[0]["destinationStats"]["recordCount"] == 2.0
    assert partners(writer) == {"people:3": 1}


# Refusals -----------------------------------------------------------------------------------------


def test_rejected_records_are_counted_and_warned_of_without_their_values(writer: Writer) -> None:
    bad = {"id": 9, "first_name": "Leïla", "email": "leila@example.org"}
    done = writer.write(record(bad), *people(1), state(1))
    assert done.code == 0
    assert done.states()[0]["destinationStats"] == {"recordCount": 2.0, "rejectedRecordCount": 1.0}
    warning = done.logs("WARN")
    assert "people:9" in warning
    assert "last_name" in warning
    assert "Leïla" not in done.output
    assert "leila@" not in done.output
    assert partners(writer) == {"people:1": 1}


def test_rejected_records_are_kept_whole(writer: Writer) -> None:
    path = writer.folder / "rejected.jsonl"
    writer.config["rejected_path"] = str(path)
    bad = {"id": 9, "first_name": "Leïla", "big": 12345678901234567890, "nested": {"a": [1.10]}}
    done = writer.write(record(bad), *people(1), state(1))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (line,) = path.read_text("utf-8").splitlines()
    kept = json.loads(line)
    assert kept["record"] == bad
    assert kept["stream"] == "people"
    (refusal,) = kept["refusals"]
    assert (refusal["field"], refusal["partner_candidate_id"]) == ("last_name", "people:9")
    assert "Leïla" not in done.output


def test_what_the_vendor_refuses_is_tried_again_by_the_next_run(writer: Writer) -> None:
    path = writer.folder / "rejected.jsonl"
    writer.config["rejected_path"] = str(path)
    body = {"status": 400, "error": "validation_error", "message": "Mira is refused"}
    writer.sandbox.fault("comeet.create", "body", status=400, body=body, times=1)
    done = writer.write(*people(1, 2), state(1))
    assert done.states()[0]["destinationStats"]["rejectedRecordCount"] == 1.0
    assert "Mira is refused" not in done.output
    (refusal,) = json.loads(path.read_text("utf-8"))["refusals"]
    assert refusal["said"] == "Mira is refused"
    assert "validation_error" in refusal["reason"]
    writer.write(*people(1, 2))
    assert partners(writer) == {"people:1": 1, "people:2": 1}


def test_too_many_refusals_end_the_run_and_keep_what_was_done(writer: Writer) -> None:
    writer.config["max_rejected"] = 1
    done = writer.write(
        *people(1), {**record({"id": 5})}, state(1), record({"id": 6}), *people(2), state(2)
    )
    assert done.code == 1
    assert [each["stream"]["stream_state"] for each in done.states()] == [{"cursor": 1}]
    assert "max_rejected" in done.error()["message"]
    assert partners(writer) == {"people:1": 1}


@pytest.mark.parametrize("uid", ["FF.FFF", CLOSED])
def test_a_position_that_takes_nobody_refuses_without_a_post(writer: Writer, uid: str) -> None:
    done = writer.write(record(person(1, position_uid=uid)), record(person(2, position_uid=uid)))
    assert "position_uid" in done.logs("WARN")
    assert writer.calls("create") == 0
    assert writer.calls("position") == 1


def test_a_large_file_is_sent_and_a_larger_one_rejected(writer: Writer) -> None:
    writer.config["on_bad_field"] = "reject"
    fits = base64.b64encode(b"%PDF" + bytes(5_999_996)).decode()
    over = base64.b64encode(b"%PDF" + bytes(5_999_997)).decode()
    done = writer.write(
        record(person(1, resume={"name": "cv.pdf", "file": fits})),
        record(person(2, resume={"name": "cv.pdf", "file": over})),
    )
    assert "resume.file" in done.logs("WARN")
    (held,) = writer.truth()
    assert held["fields"]["resume"]["size"] == 6_000_000


# Bad input ----------------------------------------------------------------------------------------

SECRETIVE = b"Kowalczyk"


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"RECORD","record":{"stream":"people","data":{"last_name":"Kowalczyk',
        b'{"type":"RECORD","record":{"stream":"people","data":"Kowalczyk"}}',
        b'{"type":"RECORD","record":{"stream":{"a":"Kowalczyk"},"data":{}}}',
        b'{"type":"RECORD","record":{"stream":"elsewhere","data":{"last_name":"Kowalczyk"}}}',
        b'{"type":"RECORD"}',
        b'{"type":"STATE","state":"Kowalczyk"}',
        b'{"type":["Kowalczyk"]}',
        b'{"record":"Kowalczyk"}',
        b'{"type":"RECORD","record":{"stream":"people","data":{"last_name":"\xff Kowalczyk"}',
    ],
)
def test_a_broken_message_ends_the_run_and_harms_nothing_before_it(
    writer: Writer, line: bytes
) -> None:
    done = writer.write(*people(1), state(1), line, *people(2), state(2))
    assert done.code == 1
    assert [each["stream"]["stream_state"] for each in done.states()] == [{"cursor": 1}]
    error = done.error()
    assert error["failure_type"] == "config_error"
    assert "Line 3" in error["message"]
    assert SECRETIVE.decode() not in done.output
    assert partners(writer) == {"people:1": 1}


def test_lines_that_are_not_messages_are_ignored_with_one_warning(writer: Writer) -> None:
    unknown = {"type": "Kowalczyk", "more": 1}
    done = writer.write(
        b"Kowalczyk says hello", b"", b"[1,2]", *people(1), unknown, unknown, state(1)
    )
    assert done.code == 0
    assert len(done.states()) == 1
    assert SECRETIVE.decode() not in done.output
    assert len(done.logs("WARN").splitlines()) == 2
    assert partners(writer) == {"people:1": 1}


def test_errors_of_a_source_in_the_same_pipe_are_not_lost(writer: Writer) -> None:
    error = {"type": "TRACE", "trace": {"type": "ERROR", "error": {"message": "No key."}}}
    quiet = [
        {"type": "TRACE", "trace": {"type": "STREAM_STATUS", "stream_status": {}}},
        {"type": "LOG", "log": {"level": "INFO", "message": "Reading."}},
        {"type": "SPEC", "spec": {}},
    ]
    done = writer.write(*quiet, error, state(1))
    assert error in done.messages
    assert "Reading." not in done.logs()


def test_a_record_of_50_mb_is_rejected_and_the_next_one_written(writer: Writer) -> None:
    huge = record(person(1, note="x" * 50_000_000))
    done = writer.write(huge, *people(2), state(1))
    assert done.code == 0
    assert done.states()[0]["destinationStats"] == {"recordCount": 2.0, "rejectedRecordCount": 1.0}
    assert len(done.output) < 10_000
    assert partners(writer) == {"people:2": 1}


def test_a_line_without_end_ends_the_run(writer: Writer) -> None:
    done = writer.write(*people(1), state(1), b'{"type":"RECORD","x":"' + b"y" * (66 << 20))
    assert done.code == 1
    assert len(done.states()) == 1
    assert "longer than 64 MB" in done.error()["message"]


# Never twice, never lost --------------------------------------------------------------------------


@pytest.mark.parametrize("occurrence", [1, 2])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_nobody_is_created_twice_or_missing(
    writer: Writer, step: str, occurrence: int
) -> None:
    def recruiters_are_quick() -> None:
        # What has left "In progress" draws no conflict: only the ledger and a look can tell.
        writer.control("move", status="Rejected")
        writer.sandbox.advance(3600)

    written_in_two_runs(writer, step, occurrence, recruiters_are_quick)


@pytest.mark.parametrize("step", ["note committed", "call sent", "call answered"])
def test_an_open_note_is_rejected_as_unknown_without_the_permission_to_look(
    writer: Writer, step: str
) -> None:
    messages = [*people(1, 2), state(2)]
    writer.write_killed(step, 1, *messages)
    writer.control("settings", retrieve_candidates=False)
    created = partners(writer)
    done = writer.write(*messages)
    assert done.states()[0]["destinationStats"]["rejectedRecordCount"] == 1.0
    assert "unknown" in done.logs("WARN")
    assert partners(writer) == created + Counter({"people:2": 1})
    # Once the right is there, the next run finds out.
    writer.control("settings", retrieve_candidates=True)
    writer.write(*messages)
    assert partners(writer) == {"people:1": 1, "people:2": 1}


@pytest.mark.parametrize("odd", [7, None, []])
def test_a_success_that_is_not_understood_creates_nobody_twice(writer: Writer, odd: object) -> None:
    writer.sandbox.fault("comeet.create", "replace", at="uid", value=odd)
    assert writer.write(*people(1), state(1)).error()["failure_type"] == "system_error"
    writer.sandbox.clear_faults()
    writer.control("move", status="Rejected")
    assert writer.write(*people(1), state(1)).states()
    assert partners(writer) == {"people:1": 1}


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_refused_look_stops_nobody_else(writer: Writer, status: int) -> None:
    writer.write_killed("call sent", 1, *people(1))
    body = {"status": status, "error": "bad_request", "message": "No such filter."}
    writer.sandbox.fault("comeet.list", "status", status=status, body=body)
    done = writer.write(*people(1, 2), state(2))
    assert done.states()[0]["destinationStats"]["rejectedRecordCount"] == 1.0
    assert partners(writer)["people:2"] == 1


def test_of_two_alike_the_one_that_is_nobody_elses_is_adopted(writer: Writer) -> None:
    writer.write_killed("call answered", 1, *people(1))
    writer.write(record({**person(1), "id": 2}))
    assert writer.write(*people(1)).code == 0
    assert partners(writer) == {"people:1": 1, "people:2": 1}
    writer.write(record(person(1, phone="+00 1")), record({**person(1), "id": 2}))
    phones = {each["partner_candidate_id"]: each["fields"].get("phone") for each in writer.truth()}
    assert phones == {"people:1": "+00 1", "people:2": None}


def test_of_several_that_nobody_knows_none_is_adopted(writer: Writer) -> None:
    writer.write_killed("call answered", 1, *people(1))
    # Somebody else's app creates the same person in the same position.
    stranger = Writer(writer.sandbox, writer.folder / "stranger")
    stranger.folder.mkdir()
    stranger.config["streams"][0]["partner_id_prefix"] = "theirs:"
    stranger.config["match_existing"] = "never"
    stranger.check()
    stranger.write(*people(1))
    done = writer.write(*people(1), state(1))
    assert "several candidates" in done.logs("WARN")
    assert partners(writer) == {"people:1": 1, "theirs:1": 1}


def test_changed_while_unfinished_is_adopted_and_updated(writer: Writer) -> None:
    writer.write_killed("call answered", 1, *people(1))
    writer.control("move", status="On hold")
    writer.write(record(person(1, first_name="Ines")))
    (held,) = writer.truth()
    assert held["fields"]["first_name"] == "Ines"


@pytest.mark.parametrize("kind", ["lost_answer", "reset", "truncate", "status", "html"])
@pytest.mark.parametrize("drift", [0.0, 0.5])
def test_lost_answers_and_server_errors_create_each_once(
    writer: Writer, kind: str, drift: float
) -> None:
    writer.control("settings", drift=drift)
    more = {"status": 502} if kind == "status" else {}
    writer.sandbox.fault("comeet.*", kind, probability=0.2, **more)
    done = writer.write(*people(*range(30)), state(1))
    writer.sandbox.clear_faults()
    assert done.code == 0, done.output
    assert partners(writer) == {f"people:{number}": 1 for number in range(30)}
    assert done.states()[0]["destinationStats"] == {"recordCount": 30.0, "rejectedRecordCount": 0.0}
    writer.sandbox.reset_log()
    writer.write(*people(*range(30)))
    assert writer.sandbox.counts() == {}


def test_lost_answers_without_the_right_to_look_create_each_once(writer: Writer) -> None:
    writer.control("settings", retrieve_candidates=False)
    writer.sandbox.fault("comeet.create", "lost_answer", probability=0.3)
    done = writer.write(*people(*range(20)), state(1))
    assert done.code == 0, done.output
    assert partners(writer) == {f"people:{number}": 1 for number in range(20)}


def test_an_outage_ends_the_run_as_transient_and_the_next_one_resumes(
    writer: Writer,
) -> None:
    writer.write(*people(0))
    writer.sandbox.fault("comeet.create", "html", status=403)
    done = writer.write(*people(1), state(1))
    assert (done.code, done.states()) == (1, [])
    writer.sandbox.clear_faults()
    writer.write(*people(1), state(1))
    assert partners(writer) == {"people:0": 1, "people:1": 1}


def test_sigterm_ends_in_order(writer: Writer) -> None:
    writer.config["requests_per_minute"] = 60
    with subprocess.Popen(
        [*COMMAND, *writer.arguments("write")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=PROJECT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for message in (*people(1), state(1), *people(2, 3), state(3)):
            process.stdin.write(json.dumps(message).encode() + b"\n")
        process.stdin.flush()
        first = json.loads(process.stdout.readline())
        assert first["type"] == "STATE"
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        assert process.wait(timeout=30) == 128 + signal.SIGTERM
    assert b'"STATE"' not in rest
    # A run that ended in order left nothing to look up, so only the ledger is checked.
    writer.sandbox.reset_log()
    writer.config["requests_per_minute"] = 100_000
    writer.write(*people(2, 3), state(3))
    assert writer.calls("list") == 1
    assert partners(writer) == {"people:1": 1, "people:2": 1, "people:3": 1}


def test_a_second_writer_ends_at_once(writer: Writer) -> None:
    with subprocess.Popen(
        [*COMMAND, *writer.arguments("write")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=PROJECT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(state(0)).encode() + b"\n")
        process.stdin.flush()
        process.stdout.readline()
        second = writer.write(*people(1), state(1))
        assert second.error()["failure_type"] == "transient_error"
        assert "Another run" in second.error()["message"]
        assert "at this moment" in writer.check().status()["message"]
        process.stdin.close()
        assert process.wait(timeout=60) == 0
    assert not writer.truth()
    assert writer.write(*people(1)).code == 0


# Conflicts, merges, deletions ---------------------------------------------------------------------


def ledger_is_lost(writer: Writer) -> None:
    for path in writer.folder.glob("ledger.db*"):
        os.unlink(path)  # noqa: PTH108 - a plain verb for a plain loss
    writer.check()
    writer.sandbox.reset_log()


def test_after_a_lost_ledger_a_person_is_matched_and_patched(writer: Writer) -> None:
    writer.write(record(person(1, phone="+00 1")))
    ledger_is_lost(writer)
    done = writer.write(record(person(1, phone="+00 2")))
    assert "updated" in done.logs()
    (held,) = writer.truth()
    assert held["fields"]["phone"] == "+00 2"
    requests = [each["endpoint"] for each in writer.sandbox.log("comeet.*")]
    # Since the last note, then everybody once.
    names = ["position", "list", "list", "candidate", "update"]
    assert requests == [f"comeet.{each}" for each in names]
    # The uid was noted: a next change needs no more than itself.
    writer.sandbox.reset_log()
    writer.write(record(person(1, phone="+00 3")))
    assert [each["method"] for each in writer.sandbox.log("comeet.*")] == ["PATCH"]


def test_a_conflict_that_cannot_be_read_is_there_and_changes_are_rejected(writer: Writer) -> None:
    writer.config["match_existing"] = "never"
    writer.write(record(person(1)))
    ledger_is_lost(writer)
    writer.control("settings", retrieve_candidates=False)
    assert writer.write(record(person(1))).code == 0
    done = writer.write(record(person(1, phone="+00 3")), state(1))
    assert done.states()[0]["destinationStats"]["rejectedRecordCount"] == 1.0
    assert "uid" in done.logs("WARN")
    assert partners(writer) == {"people:1": 1}


def test_merged_and_erased_people_are_never_created_again(writer: Writer) -> None:
    writer.write(*people(1, 2, 3))
    uids = {each["partner_candidate_id"]: each["uid"] for each in writer.truth()}
    writer.control("merge", uid=uids["people:1"], into=uids["people:3"])
    writer.control("erase", uids=[uids["people:2"]])
    changed = [record(person(number, phone="+00 7")) for number in (1, 2)]
    done = writer.write(*changed)
    assert done.code == 0
    assert "2 merged or deleted" in done.logs()
    writer.sandbox.reset_log()
    writer.write(*changed)
    assert writer.sandbox.counts() == {}
    # A change is tried once more: Comeet may know them again.
    done = writer.write(*[record(person(number, phone="+00 8")) for number in (1, 2)])
    assert "2 merged or deleted" in done.logs()
    assert set(writer.sandbox.counts()) == {"comeet.update"}
    assert len(writer.truth()) == 3


def test_answers_without_a_body_are_answers(writer: Writer) -> None:
    writer.control("settings", empty_answers=True, create_status=204)
    assert writer.write(*people(1)).code == 0
    writer.sandbox.reset_log()
    writer.write(*people(1))
    assert writer.sandbox.counts() == {}
    # The uid is found by a look, since the answer did not tell it.
    writer.write(record(person(1, phone="+00 9")))
    assert writer.truth()[0]["fields"]["phone"] == "+00 9"


# Time and rate ------------------------------------------------------------------------------------


def test_a_token_is_dated_by_the_vendors_clock(writer: Writer) -> None:
    writer.sandbox.advance(30 * 86_400)
    done = writer.write(*people(1, 2))
    assert done.code == 0, done.output
    assert writer.sandbox.counts()["comeet.position"] == {"total": 2, "401": 1, "200": 1}
    assert writer.sandbox.counts()["comeet.create"] == {"total": 2, "201": 2}


def test_a_rate_limit_is_obeyed(writer: Writer) -> None:
    limit = {"limit": 4, "window_seconds": 60, "retry_after": "seconds"}
    writer.control("settings", rate_limit=limit)
    done = writer.write(*people(*range(8)), state(1))
    assert done.code == 0, done.output
    assert len(done.states()) == 1
    assert partners(writer) == {f"people:{number}": 1 for number in range(8)}
