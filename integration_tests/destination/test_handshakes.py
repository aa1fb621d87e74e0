"""The destination keeps its connection: all requests of a run go through one handshake."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.handshakes import counted_handshakes
from integration_tests.support.scripted_vendor import make_certificate
from integration_tests.support.writer import Writer, person, record, state


def test_a_check_and_a_write_make_one_handshake_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with Sandbox.start(candidates=20, certificate=certificate) as sandbox:
        writer = Writer(sandbox, tmp_path)
        sandbox.reset_log()  # so that its own connection is there
        with counted_handshakes() as handshakes:
            assert writer.check().status()["status"] == "SUCCEEDED"
        assert len(handshakes) == 1
        with counted_handshakes() as handshakes:
            done = writer.write(*(record(person(number)) for number in range(30)), state(30))
        assert done.code == 0, done.output
        assert done.states()
        assert len(writer.truth()) == 30
        assert len(handshakes) == 1
