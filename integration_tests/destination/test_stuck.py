"""A run that is asked to end does so in order within ten seconds, whatever it waits for."""

from __future__ import annotations

import fcntl
import json
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
from integration_tests.support.hostile_comeet import HostileComeet
from integration_tests.support.outcomes import counts, created, once, people
from integration_tests.support.writer import COMMAND, Message, Writer, state

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


def test_a_second_signal_ends_at_once(writer: Writer, comeet: HostileComeet) -> None:
    writer.sandbox.fault("comeet.create", "stall")
    with writing(writer, *people(1), state(1)) as process:
        comeet.wait_for("POST")
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=SECONDS) in {TERMINATED, INTERRUPTED}
