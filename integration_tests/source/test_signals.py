"""A read that is asked to end, and a standard output that is full, closed or non-blocking."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import NO_SPACE, SOURCE, Connector, catalog, parsed
from integration_tests.support.kombo import kombo_connector

SECONDS = 10
TERMINATED, INTERRUPTED = 128 + signal.SIGTERM, 128 + signal.SIGINT


@pytest.fixture
def connector(sandbox: Sandbox, tmp_path: Path) -> Connector:
    """The source, configured for the sandbox."""
    return kombo_connector(sandbox, tmp_path)


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the source, and kill it at the end of the block."""
    with subprocess.Popen([str(SOURCE), *arguments], stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, TERMINATED), (signal.SIGINT, INTERRUPTED)]
)
def test_during_a_request_that_is_never_answered(
    sandbox: Sandbox, connector: Connector, number: signal.Signals, code: int
) -> None:
    sandbox.fault("kombo.candidates", "stall", after=1)
    with running(*connector.command("read", catalog=catalog())) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        while b'"type":"STATE"' not in lines[-1]:
            lines.append(process.stdout.readline())
        process.send_signal(number)
        assert process.wait(timeout=SECONDS) == code
        lines += process.stdout
    statuses = [each["trace"] for each in parsed(b"".join(lines)) if each["type"] == "TRACE"]
    assert statuses[-1]["stream_status"]["status"] == "INCOMPLETE"


def test_during_a_check_that_is_never_answered(sandbox: Sandbox, connector: Connector) -> None:
    sandbox.fault("kombo.*", "stall")
    with running(*connector.command("check")) as process:
        while not sandbox.counts():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=SECONDS) == INTERRUPTED


def test_with_a_standard_output_that_is_not_read(connector: Connector) -> None:
    with running(*connector.command("read", catalog=catalog())) as process:
        assert process.stdout is not None
        # More is printed than a pipe holds, and nobody takes it.
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=SECONDS) == TERMINATED


def test_a_second_signal_ends_at_once(sandbox: Sandbox, connector: Connector) -> None:
    sandbox.fault("kombo.candidates", "stall")
    with running(*connector.command("read", catalog=catalog())) as process:
        while not sandbox.log("kombo.candidates"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=SECONDS) in {TERMINATED, INTERRUPTED}


def test_a_non_blocking_standard_output_loses_nothing(connector: Connector) -> None:
    command = [str(SOURCE), *connector.command("read", catalog=catalog())]
    whole = subprocess.run(command, capture_output=True, check=True).stdout
    receiving, sending = os.pipe()
    os.set_blocking(sending, False)
    with subprocess.Popen(command, stdout=sending) as process:
        os.close(sending)
        with os.fdopen(receiving, "rb", buffering=0) as pipe:
            printed = b"".join(iter(lambda: pipe.read(1000), b""))
        assert process.wait(timeout=60) == 0
    records = [each for each in parsed(printed) if each["type"] == "RECORD"]
    assert len(records) == sum(each["type"] == "RECORD" for each in parsed(whole))


def test_a_standard_output_that_is_closed(connector: Connector) -> None:
    command = [str(SOURCE), *connector.command("read", catalog=catalog())]
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *command], stderr=subprocess.PIPE, check=False
    )
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("verb", ["spec", "check", "discover", "read", "read without a config"])
def test_a_full_disk_is_named(connector: Connector, verb: str) -> None:
    arguments = {
        "spec": ["spec"],
        "read": connector.command("read", catalog=catalog()),
        "read without a config": ["read", "--config", "nowhere.json", "--catalog", "nowhere.json"],
    }.get(verb) or connector.command(verb)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [str(SOURCE), *arguments], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (1, NO_SPACE)


def test_an_error_for_a_closed_standard_output(connector: Connector) -> None:
    command = [str(SOURCE), *connector.command("read", config={}, catalog=catalog())]
    receiving, sending = os.pipe()
    os.close(receiving)
    done = subprocess.run(command, stdout=sending, stderr=subprocess.PIPE, check=False)
    os.close(sending)
    assert (done.returncode, done.stderr) == (141, b"")
