"""Connections are kept: however many requests a run sends, one at a time needs one handshake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.atz_crm import set_up
from integration_tests.support.configured import section, source
from integration_tests.support.handshakes import counted_handshakes
from integration_tests.support.kombo import integrations
from integration_tests.support.scripted_vendor import make_certificate

PEOPLE = 300
STREAMS = {
    "kombo": ("candidates", "kombo_applications", "kombo_jobs"),
    "talemetry": ("profiles",),
    "atz_crm": ("atz_candidates", "atz_deals", "candidate_history"),
}
"""Comeet's streams are always read side by side."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for the sandbox."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def sandbox(certificate: Path) -> Iterator[Sandbox]:
    """A sandbox that speaks TLS; one for all tests here: they only read."""
    with Sandbox.start(candidates=PEOPLE, certificate=certificate) as running:
        set_up(running, rate_limit=None)
        yield running


@pytest.fixture(autouse=True)
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the source trust the sandbox."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))


@pytest.mark.parametrize("vendor", STREAMS)
def test_a_read_with_one_request_at_a_time_makes_one_handshake(
    sandbox: Sandbox, tmp_path: Path, vendor: str
) -> None:
    more = {"integration_ids": integrations(sandbox)} if vendor == "kombo" else {}
    settings = section(vendor, sandbox.url, concurrent_requests=1, **more)
    connector = source(tmp_path, **{vendor: settings})
    sandbox.reset_log()
    with counted_handshakes() as handshakes:
        run = connector.read_quickly(*STREAMS[vendor])
    assert run.code == 0
    assert run.records(STREAMS[vendor][0])
    assert len(sandbox.log(f"{vendor}.*")) > 3
    assert len(handshakes) == 1


@pytest.mark.parametrize("vendor", [*STREAMS, "comeet"])
def test_a_check_makes_one_handshake(sandbox: Sandbox, tmp_path: Path, vendor: str) -> None:
    more = {"integration_ids": integrations(sandbox)} if vendor == "kombo" else {}
    connector = source(tmp_path, **{vendor: section(vendor, sandbox.url, **more)})
    sandbox.reset_log()
    with counted_handshakes() as handshakes:
        run = connector.run_quickly("check")
    (answer,) = run.of("CONNECTION_STATUS")
    assert answer["status"] == "SUCCEEDED", answer
    assert len(sandbox.log(f"{vendor}.*")) > 1
    assert len(handshakes) == 1


def test_three_requests_at_a_time_make_three_handshakes_at_most(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    settings = {"integration_ids": integrations(sandbox), "concurrent_requests": 3}
    connector = source(tmp_path, kombo=section("kombo", sandbox.url, **settings))
    with counted_handshakes() as handshakes:
        run = connector.read_quickly(*STREAMS["kombo"])
    assert run.code == 0
    assert len(handshakes) <= 3
