"""A run that is asked to end does so in order within ten seconds, whatever it waits for."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from integration_tests.sandbox.running import PROJECT
from integration_tests.support.connector import NO_SPACE
from integration_tests.support.hostile_comeet import HostileComeet
from integration_tests.support.outcomes import counts, created, once, people
from integration_tests.support.writer import (
    COMMAND,
    Message,
    Writer,
    lines_of,
    record,
    state,
)

SECONDS = 10
TERMINATED, INTERRUPTED = 128 + signal.SIGTERM, 128 + signal.SIGINT


@contextmanager
def writing(writer: Writer, *messages: Message) -> Iterator[subprocess.Popen[bytes]]:
    """Run a write whose input stays open after these messages."""
    with subprocess.Popen(
        [*COMMAND, *writer.arguments("write")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=PROJECT,
    ) as process:
        try:
            assert process.stdin is not None
            for message in messages:
                process.stdin.write(json.dumps(message).encode() + b"\n")
            process.stdin.flush()
            yield process
        finally:
            process.kill()


def states(process: subprocess.Popen[bytes]) -> list[int]:
    assert process.stdout is not None
    messages = [json.loads(line) for line in process.stdout]
    return [
        each["state"]["stream"]["stream_state"]["cursor"]
        for each in messages
        if each["type"] == "STATE"
    ]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, TERMINATED), (signal.SIGINT, INTERRUPTED)]
)
def test_during_a_post_that_is_never_answered(
    writer: Writer, comeet: HostileComeet, number: signal.Signals, code: int
) -> None:
    writer.sandbox.fault("comeet.create", "stall", containing="people:2")
    with writing(writer, *people(1), state(1), *people(2), state(2)) as process:
        comeet.wait_for("POST")
        comeet.wait_for("POST")
        process.send_signal(number)
        assert process.wait(timeout=SECONDS) == code
        assert states(process) == [1]
    writer.sandbox.clear_faults()
    done = writer.write(*people(2), state(2))
    assert counts(done) == (1, 0), done.output
    assert created(writer) == once(1, 2)


@pytest.mark.parametrize("endpoint", ["comeet.position", "comeet.update"])
def test_during_another_call_that_is_never_answered(
    writer: Writer, comeet: HostileComeet, endpoint: str
) -> None:
    method = "GET" if endpoint == "comeet.position" else "PATCH"
    if method == "PATCH":
        writer.write(*people(1), state(0))
    while not comeet.arrived.empty():
        comeet.arrived.get()
    writer.sandbox.fault(endpoint, "stall")
    with writing(writer, *people(1, phone="555012345"), state(1)) as process:
        comeet.wait_for(f"{method} /comeet/{'positions' if method == 'GET' else 'candidates'}/")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=SECONDS) == TERMINATED
        assert states(process) == []


def bytes_in(pipe: int) -> int:
    (waiting,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0\0\0\0"))
    return int(waiting)


def test_with_a_standard_output_that_nobody_reads(writer: Writer) -> None:
    large = "x" * 10_000
    path = Path(writer.folder / "input.jsonl")
    path.write_bytes(
        b"".join(json.dumps(state(large)).encode() + b"\n" for _ in range(100)),
    )
    with (
        path.open("rb") as given,
        subprocess.Popen(
            [*COMMAND, *writer.arguments("write")],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=PROJECT,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            while bytes_in(process.stdout.fileno()) < 50_000:
                assert process.poll() is None
                select.select([], [], [], 0.02)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=SECONDS) in {TERMINATED, 141}
        finally:
            process.kill()


def test_during_a_check_that_is_never_answered(
    without_ledger: Writer, comeet: HostileComeet
) -> None:
    without_ledger.sandbox.fault("comeet.*", "stall")
    with subprocess.Popen(
        [*COMMAND, *without_ledger.arguments("check")], stdout=subprocess.PIPE, cwd=PROJECT
    ) as process:
        try:
            comeet.wait_for("GET")
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=SECONDS) == INTERRUPTED
        finally:
            process.kill()


def test_what_was_in_hand_is_saved_and_passed_on(writer: Writer, comeet: HostileComeet) -> None:
    """The signal comes while a post is answered slowly; more records wait in the same chunk."""
    writer.sandbox.fault("comeet.create", "delay", delay_seconds=1.0)
    with writing(writer, *people(1), state(1), *people(2), state(2)) as process:
        comeet.wait_for("POST")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=SECONDS) == TERMINATED
        assert states(process) == [1]
    assert created(writer) == once(1)


def test_a_non_blocking_standard_output_loses_nothing(writer: Writer) -> None:
    messages = [each for number in range(50) for each in (*people(1), state("x" * number * 500))]
    path = Path(writer.folder / "input.jsonl")
    path.write_bytes(lines_of(messages))
    receiving, sending = os.pipe()
    os.set_blocking(sending, False)
    with (
        path.open("rb") as given,
        subprocess.Popen(
            [*COMMAND, *writer.arguments("write")], stdin=given, stdout=sending, cwd=PROJECT
        ) as process,
    ):
        os.close(sending)
        with os.fdopen(receiving, "rb", buffering=0) as pipe:
            printed = b"".join(iter(lambda: pipe.read(1000), b""))
        assert process.wait(timeout=60) == 0
    passed = [each for each in map(json.loads, printed.splitlines()) if each["type"] == "STATE"]
    assert len(passed) == 50
    assert created(writer) == once(1)


def test_a_closed_standard_output_ends_the_run(writer: Writer) -> None:
    done = run_by_shell(writer, 'exec "$@" >&-', lines_of([*people(1), state(1)]))
    assert (done.returncode, done.stderr) == (141, b"")
    assert created(writer) == once()


def test_a_closed_standard_input_is_named(writer: Writer) -> None:
    done = run_by_shell(writer, 'exec "$@" <&-', b"")
    assert done.returncode == 1
    assert b"Standard input is closed" in done.stdout


def test_a_full_disk_under_standard_output_is_named(writer: Writer) -> None:
    done = run_by_shell(writer, 'exec "$@" >/dev/full', lines_of([*people(1), state(1)]))
    assert done.returncode == 1
    assert done.stderr == NO_SPACE
    assert created(writer) == once(1)


def test_a_full_disk_under_rejected_records_is_named(writer: Writer) -> None:
    writer.config["rejected_path"] = str(writer.folder / "rejected.jsonl")
    bad = [record({"id": number, "note": "x" * 10_000}) for number in range(200)]
    # The limit is 512 blocks of 512 or 1024 bytes; Python turns the signal into an error.
    script = 'ulimit -f 512; exec "$@"'
    done = run_by_shell(writer, script, lines_of([*bad, state(1)]))
    assert done.returncode == 1
    errors = [each for each in map(json.loads, done.stdout.splitlines()) if "trace" in each]
    assert errors[0]["trace"]["error"]["failure_type"] == "config_error"
    assert "rejected_path" in errors[0]["trace"]["error"]["message"]
    assert b'"STATE"' not in done.stdout


def run_by_shell(writer: Writer, script: str, lines: bytes) -> subprocess.CompletedProcess[bytes]:
    command = ["/bin/sh", "-c", script, "sh", *COMMAND, *writer.arguments("write")]
    return subprocess.run(command, input=lines, capture_output=True, cwd=PROJECT, check=False)


def test_a_second_signal_ends_at_once(writer: Writer, comeet: HostileComeet) -> None:
    writer.sandbox.fault("comeet.create", "stall")
    with writing(writer, *people(1), state(1)) as process:
        comeet.wait_for("POST")
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=SECONDS) in {TERMINATED, INTERRUPTED}
