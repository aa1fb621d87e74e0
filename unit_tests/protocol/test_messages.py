"""The messages: what Airbyte's own reader makes of each line is what was meant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from airbyte_cdk.models import AirbyteMessageSerializer
from hypothesis import given, settings
from hypothesis import strategies as st

from source_ats.decoding import Change
from source_ats.errors import ConfigError, ContractError, TransientError
from source_ats.protocol import messages

AT = datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)
AT_MS = 1769860800250
LATER = datetime(2026, 1, 31, 12, 15, tzinfo=UTC)

Build = Callable[[], bytes]

EACH: dict[str, Build] = {
    "record": lambda: messages.records("candidates", [b'{"id":"1","n":[1,2.5,{"a":true}]}'], AT),
    "changed record": lambda: messages.records(
        "candidates", [b'{"n":"1e400"}'], AT, {0: [Change("n", "TRUNCATED")]}
    ),
    "state": lambda: messages.state("candidates", {"selection": "h", "integrations": {}}, 3),
    "started": lambda: messages.status("candidates", "STARTED", AT),
    "running": lambda: messages.status("candidates", "RUNNING", AT),
    "complete": lambda: messages.status("candidates", "COMPLETE", AT),
    "incomplete": lambda: messages.status("candidates", "INCOMPLETE", AT),
    "rate limited": lambda: messages.status("candidates", "RUNNING", AT, quota_reset=LATER),
    "estimate": lambda: messages.estimate("candidate_history", 1_000_000, AT),
    "config error": lambda: messages.error(ConfigError("Correct the key."), AT),
    "transient error": lambda: messages.error(
        TransientError("Later.", detail="Vendor rows 503"), AT, stream="candidates"
    ),
    "contract error": lambda: messages.error(ContractError("Odd."), AT, stream="candidates"),
    "bug": lambda: messages.bug(ValueError("made up"), AT, stream="candidates"),
    "log": lambda: messages.log("WARN", "One line\nand another, with “quotes”"),
    "check succeeded": lambda: messages.connection_status(succeeded=True, message=""),
    "check failed": lambda: messages.connection_status(succeeded=False, message="Correct it."),
    "catalog": lambda: messages.line({"type": "CATALOG", "catalog": {"streams": []}}),
}


def only(line: bytes) -> dict[str, Any]:
    """Return the one message in the bytes."""
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    message: dict[str, Any] = orjson.loads(line)
    return message


@pytest.mark.parametrize("name", EACH)
def test_airbytes_reader_and_writer_give_back_the_same_message(name: str) -> None:
    message = only(EACH[name]())
    again = AirbyteMessageSerializer.dump(AirbyteMessageSerializer.load(message))
    # As text: 3 and 3.0 are equal in Python, and not the same to a typed reader.
    assert orjson.dumps(again, option=orjson.OPT_SORT_KEYS) == orjson.dumps(
        message, option=orjson.OPT_SORT_KEYS
    )


ROWS = st.lists(
    st.dictionaries(
        st.text(max_size=5),
        st.none() | st.text(max_size=10) | st.integers(-(2**63), 2**63 - 1) | st.booleans(),
        max_size=4,
    ),
    max_size=5,
)


@given(name=st.text(min_size=1, max_size=8), rows=ROWS)
@settings(max_examples=80)
def test_records_are_one_per_line_and_unchanged(name: str, rows: list[dict[str, object]]) -> None:
    lines = messages.records(name, [orjson.dumps(row) for row in rows], AT)
    got = [orjson.loads(line) for line in lines.split(b"\n")[:-1]]
    assert got == [
        {"type": "RECORD", "record": {"stream": name, "data": row, "emitted_at": AT_MS}}
        for row in rows
    ]


def test_record_count_of_a_state_is_a_float() -> None:
    assert b'"recordCount":3.0' in messages.state("candidates", {}, 3)


def test_quota_reset_is_in_milliseconds() -> None:
    status = only(messages.status("candidates", "RUNNING", AT, quota_reset=LATER))
    (reason,) = status["trace"]["stream_status"]["reasons"]
    assert reason == {"type": "RATE_LIMITED", "rate_limited": {"quota_reset": 1769861700000}}


@pytest.mark.parametrize(
    ("error", "failure_type"),
    [
        (ConfigError("Correct the key."), "config_error"),
        (TransientError("Try later."), "transient_error"),
        (ContractError("Report it."), "system_error"),
    ],
)
def test_error_trace_has_the_failure_type(error: Any, failure_type: str) -> None:
    trace = only(messages.error(error, AT, stream="candidates"))["trace"]
    assert trace["error"]["failure_type"] == failure_type
    assert trace["error"]["message"] == error.message
    assert trace["error"]["stream_descriptor"] == {"name": "candidates"}


def test_error_trace_has_the_detail() -> None:
    error = ContractError("Odd.", detail="Vendor rows 200 request-7")
    assert "request-7" in only(messages.error(error, AT))["trace"]["error"]["internal_message"]


def test_bug_shows_its_place_but_never_its_text() -> None:
    def broken(value: str) -> None:
        raise ValueError(f"cannot handle {value}")

    with pytest.raises(ValueError, match="mira") as caught:
        broken("mira.solberg@example.org")
    line = messages.bug(caught.value, AT, stream="candidates")
    assert b"mira.solberg" not in line
    error_message = only(line)["trace"]["error"]
    assert error_message["failure_type"] == "system_error"
    assert "ValueError" in error_message["internal_message"]
    assert "test_messages.py" in error_message["internal_message"]
    assert "broken" in error_message["internal_message"]


def test_only_a_record_that_was_changed_says_so() -> None:
    changes = {1: [Change("n", "NULLED"), Change("x.0", "TRUNCATED")]}
    lines = messages.records("candidates", [b'{"id":1}', b'{"id":2}', b'{"id":3}'], AT, changes)
    unchanged, changed, last = (orjson.loads(line)["record"] for line in lines.splitlines())
    assert "meta" not in unchanged
    assert "meta" not in last
    assert changed["data"] == {"id": 2}
    assert [(each["field"], each["change"]) for each in changed["meta"]["changes"]] == [
        ("n", "NULLED"),
        ("x.0", "TRUNCATED"),
    ]


@pytest.mark.parametrize("text", ["two\nlines", "\u2028", "\x00", "half \ud83d of a character"])
def test_any_text_makes_one_whole_line(text: str) -> None:
    # Text from a config or a state file may hold any of these.
    for line in (
        messages.log("INFO", text),
        messages.error(ConfigError(text), AT),
        messages.connection_status(succeeded=False, message=text),
        messages.state("candidates", {"selection": text}, 0),
    ):
        assert only(line)
