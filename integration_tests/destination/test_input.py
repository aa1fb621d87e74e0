"""What comes on standard input is written, counted, or an error: nothing is dropped in silence."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from integration_tests.support.outcomes import counts, created, cursors, once, people
from integration_tests.support.writer import (
    COMMAND,
    Writer,
    configured,
    lines_of,
    record,
    state,
)

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def test_a_byte_order_mark_is_dropped(writer: Writer) -> None:
    done = writer.run_by(COMMAND, "write", BYTE_ORDER_MARK + lines_of([*people(1, 2), state(2)]))
    assert done.code == 0, done.output
    assert counts(done) == (2, 0)
    assert created(writer) == once(1, 2)


def test_blank_lines_and_carriage_returns_are_fine(writer: Writer) -> None:
    lines = lines_of([*people(1), b"", b"   ", *people(2), state(2)]).replace(b"\n", b"\r\n")
    done = writer.run_by(COMMAND, "write", lines)
    assert done.code == 0, done.output
    assert counts(done) == (2, 0)
    assert created(writer) == once(1, 2)


def test_a_last_line_without_a_line_break_counts(writer: Writer) -> None:
    done = writer.run_by(COMMAND, "write", lines_of([*people(1), state(1)]).rstrip(b"\n"))
    assert counts(done) == (1, 0)
    assert created(writer) == once(1)


def prefixed_by_docker(lines: bytes) -> bytes:
    return b"".join(b"2026-01-01T00:00:00.000000000Z " + line for line in lines.splitlines(True))


def as_one_array(lines: bytes) -> bytes:
    return b"[" + b",".join(lines.splitlines()) + b"]\n"


MANGLED: dict[str, Callable[[bytes], bytes]] = {
    "UTF-16": lambda lines: lines.decode().encode("utf-16"),
    "UTF-16 without a mark": lambda lines: lines.decode().encode("utf-16-le"),
    "UTF-32": lambda lines: lines.decode().encode("utf-32"),
    "docker logs -t": prefixed_by_docker,
    "one JSON array": as_one_array,
    "NUL before the first line": lambda lines: b"\0" + lines,
    "the name of a container before each line": lambda lines: b"".join(
        b"source-1  | " + line for line in lines.splitlines(True)
    ),
    "single quotes": lambda lines: lines.replace(b'"', b"'"),
    "one line for all": lambda lines: lines.replace(b"\n", b" "),
    "a byte order mark before each line": lambda lines: b"".join(
        b"\xef\xbb\xbf" + line for line in lines.splitlines(True)
    ),
}


@pytest.mark.parametrize("mangle", MANGLED.values(), ids=MANGLED)
def test_mangled_input_is_written_or_an_error(
    writer: Writer, mangle: Callable[[bytes], bytes]
) -> None:
    messages = [*people(1), state(1), *people(2), state(2)]
    done = writer.run_by(COMMAND, "write", mangle(lines_of(messages)))
    if done.code == 0:
        assert created(writer) == once(1, 2)
        assert cursors(done) == [1, 2]
    else:
        assert done.error()["failure_type"] == "config_error"
        assert "standard input" in done.error()["message"].lower()
        assert len(cursors(done)) <= len(created(writer))


def test_one_prefixed_line_among_others_is_an_error(writer: Writer) -> None:
    prefixed = prefixed_by_docker(lines_of(people(2))).rstrip(b"\n")
    done = writer.write(*people(1), state(1), prefixed, state(2))
    assert done.code == 1
    assert cursors(done) == [1]
    assert done.error()["failure_type"] == "config_error"
    assert "Solberg" not in done.output


@pytest.mark.parametrize("text", [b"hello\n", b"\n\nTraceback: something failed\n", b"[1, 2]\n"])
def test_input_without_a_single_message_is_an_error(writer: Writer, text: bytes) -> None:
    done = writer.run_by(COMMAND, "write", text)
    assert done.code == 1
    assert done.error()["failure_type"] == "config_error"


# Names of streams ---------------------------------------------------------------------------------


@pytest.mark.parametrize("in_catalog", ["peopel", "crm_people"])
def test_no_configured_stream_in_the_catalog_is_a_config_error(
    writer: Writer, in_catalog: str
) -> None:
    writer.catalog = {"streams": [configured(in_catalog)]}
    done = writer.write(record({"id": 1}, in_catalog), state(1, in_catalog))
    assert done.code == 1
    assert done.error()["failure_type"] == "config_error"
    assert in_catalog in done.error()["message"]
    assert "people" in done.error()["message"]
    assert not done.states()


def test_the_names_are_checked_before_the_first_line(writer: Writer) -> None:
    writer.catalog = {"streams": [configured("crm_people")]}
    assert writer.write().error()["failure_type"] == "config_error"


def test_a_configured_stream_that_the_catalog_lacks_is_warned_of(writer: Writer) -> None:
    writer.config["streams"].append(
        {
            "stream": "others",
            "mapping": {"mapping_type": "comeet"},
            "position_uid": writer.config["streams"][0]["position_uid"],
        }
    )
    done = writer.write(*people(1), state(1))
    assert done.code == 0, done.output
    assert "others" in done.logs("WARN")
    assert created(writer) == once(1)


def test_no_records_at_all_is_a_normal_run(writer: Writer) -> None:
    done = writer.write(state(1))
    assert done.code == 0, done.output
    assert counts(done) == (0, 0)


# Half characters in keys --------------------------------------------------------------------------


def with_key(key: str, number: int) -> bytes:
    """Return a RECORD whose key is written in JSON as given."""
    data = json.dumps({"first_name": "Mira", "last_name": f"Solberg {number}"})
    line = f'{{"type":"RECORD","record":{{"stream":"people","emitted_at":1,"data":{{"id":"{key}",'
    return (line + data[1:] + "}}").encode()


def test_half_characters_in_keys_never_make_two_people_one(writer: Writer) -> None:
    keys = ["a\\ud800", "a\\udbff", "a?", "a\\udfff", "a"]
    lines = [with_key(key, number) for number, key in enumerate(keys)]
    done = writer.write(*lines, state(1))
    assert done.code == 0, done.output
    received, rejected = counts(done)
    assert received == len(keys)
    assert len(writer.truth()) == len(keys) - rejected
    assert len(created(writer)) == len(keys) - rejected
    writer.sandbox.reset_log()
    again = writer.write(*lines, state(2))
    assert counts(again) == (received, rejected)
    assert writer.calls("create") == writer.calls("update") == 0
