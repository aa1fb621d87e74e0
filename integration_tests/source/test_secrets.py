"""What docs/security.md promises of credentials, people, certificates and files."""

from __future__ import annotations

import ipaddress
import json
import os
import signal
import ssl
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from destination_comeet import config as destination_config
from integration_tests.sandbox.running import Sandbox
from integration_tests.support import failures
from integration_tests.support.connector import Connector, catalog
from integration_tests.support.failures import CANARY, SECRETS
from integration_tests.support.writer import COMMAND, Writer, person, record, state
from source_ats import config


@pytest.fixture(scope="module")
def vendors() -> Iterator[Sandbox]:
    """A few people for each vendor."""
    with Sandbox.start(candidates=6, accounts=1) as sandbox:
        sandbox.control("/_control/canary", {"text": CANARY})
        sandbox.control("/_control/atz_crm/settings", {"rate_limit": None})
        yield sandbox


@pytest.fixture
def sandbox(vendors: Sandbox) -> Sandbox:
    """The vendors as at the beginning."""
    vendors.clear_faults()
    vendors.control("/_control/comeet/reset", {})
    vendors.reset_log()
    return vendors


# Credentials go to the configured host only -------------------------------------------------------


@pytest.mark.parametrize(
    "elsewhere",
    ["http://localhost:{port}/comeet/positions", "//localhost:{port}/comeet", "http://127.0.0.1/x",
     "http://127.0.0.1:{port}@localhost:{port}/comeet", "positions"],
)  # fmt: skip
@pytest.mark.parametrize("endpoint", ["look up", "check: positions"])
def test_a_link_to_the_next_page_never_leads_to_another_host(
    sandbox: Sandbox, tmp_path: Path, endpoint: str, elsewhere: str
) -> None:
    (way,) = [each for each in failures.ENDPOINTS if each.name == endpoint]
    fault = failures.replaced("next_page", elsewhere)
    struck = failures.strike(sandbox, tmp_path, way, fault)
    # Followed on the configured host, where it leads back, to another list or to nothing. A look-up
    # that fails costs its record only.
    assert struck.seen.word in {"contract", "transient", "failed", "refused"}
    assert struck.requests <= 2
    assert "localhost" not in json.dumps(struck.seen.messages)
    assert all(each["path"].startswith("/comeet/") for each in sandbox.log())


# Only https, and only with a certificate ----------------------------------------------------------


def urls(form: dict[str, Any], *path: str) -> Iterator[tuple[str, ...]]:
    """Yield the paths of all settings that are addresses."""
    for name, each in form.get("properties", {}).items():
        if "https" in str(each.get("pattern")):
            yield (*path, name)
        yield from urls(each, *path, name)
    for choice in form.get("oneOf", ()):
        yield from urls(choice, *path)


SOURCE_URLS = sorted(urls(config.spec()["connectionSpecification"]))
DESTINATION_URLS = sorted(urls(destination_config.spec()["connectionSpecification"]))


def with_url(whole: dict[str, Any], path: tuple[str, ...], url: str) -> dict[str, Any]:
    """Return a configuration with another address."""
    name, *rest = path
    return {**whole, name: with_url(whole.get(name, {}), tuple(rest), url) if rest else url}


def everything(sandbox: Sandbox) -> dict[str, Any]:
    """Return a configuration of all vendors that are read."""
    section = failures.talemetry(sandbox, exchange=True)
    others = failures.atz_crm(sandbox) | failures.comeet(sandbox)
    return failures.kombo(sandbox) | section | others


def test_all_addresses_are_known() -> None:
    assert len(SOURCE_URLS) >= 5
    assert DESTINATION_URLS == [("base_url",)]


@pytest.mark.parametrize("path", SOURCE_URLS, ids=".".join)
@pytest.mark.parametrize(
    "url", ["http://api.example.com", "http://127.0.0.1.example.com", "ftp://x"]
)
def test_the_source_calls_no_address_without_https(
    sandbox: Sandbox, tmp_path: Path, path: tuple[str, ...], url: str
) -> None:
    whole = with_url(everything(sandbox), path, url)
    run = Connector(tmp_path, whole).run_quickly("read", catalog=catalog("candidates"))
    assert run.code == 1
    (error,) = run.errors()
    assert error["failure_type"] == "config_error"
    assert path[-1] in error["message"]
    assert sandbox.log() == []


@pytest.mark.parametrize("url", ["http://api.example.com", "http://127.0.0.1.example.com"])
def test_the_destination_calls_no_address_without_https(
    sandbox: Sandbox, tmp_path: Path, url: str
) -> None:
    writer = Writer(sandbox, tmp_path)
    writer.config["base_url"] = url
    error = writer.write(record(person(1))).error()
    assert (error["failure_type"], "base_url" in error["message"]) == ("config_error", True)


@dataclass
class Https:
    """A server with a certificate that nobody has signed, and what it was asked."""

    url: str
    certificate: Path
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def https(tmp_path: Path) -> Iterator[Https]:
    """Serve `{}` over https on a loopback address."""
    folder = tmp_path / "https"
    folder.mkdir()
    key, certificate = self_signed(folder)
    served = Https("", certificate)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.headers.get("Authorization", ""))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_POST = do_GET  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A caller who does not trust us goes away."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    served.url = f"https://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Write a key and a certificate for the loopback address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "key.pem", folder / "certificate.pem"
    paths[0].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    paths[1].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return paths


@pytest.mark.parametrize("path", SOURCE_URLS, ids=".".join)
def test_the_source_gives_nothing_to_a_server_whose_certificate_is_not_trusted(
    sandbox: Sandbox,
    tmp_path: Path,
    https: Https,
    monkeypatch: pytest.MonkeyPatch,
    path: tuple[str, ...],
) -> None:
    whole = with_url(everything(sandbox), path, https.url)
    only = {path[0]: whole[path[0]]}
    connector = Connector(tmp_path, only)
    run = connector.run_quickly("check")
    (answer,) = run.of("CONNECTION_STATUS")
    assert answer["status"] == "FAILED"
    assert "certificate" in answer["message"]
    assert https.asked == []
    # It is the certificate that was refused, and not the address:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(https.certificate))
    connector.run_quickly("check")
    assert len(https.asked) > 0


def test_the_destination_gives_nothing_to_a_server_whose_certificate_is_not_trusted(
    sandbox: Sandbox, tmp_path: Path, https: Https, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(sandbox, tmp_path)
    writer.check()
    writer.config["base_url"] = https.url
    error = writer.write(record(person(1))).error()
    assert (error["failure_type"], "certificate" in error["message"]) == ("config_error", True)
    assert https.asked == []
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(https.certificate))
    writer.write(record(person(1)))
    assert len(https.asked) > 0


# What stays on disk -------------------------------------------------------------------------------


def everything_in(folder: Path) -> bytes:
    """Return the content of all files."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("stream", ["profiles", "candidate_history"])
def test_a_killed_read_leaves_nobody_on_disk(
    sandbox: Sandbox, tmp_path: Path, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    for name in ("TMPDIR", "SQLITE_TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path / "tmp"))
    connector = Connector(tmp_path, everything(sandbox))
    last = {"profiles": "talemetry.profiles", "candidate_history": "atz_crm.history"}[stream]
    sandbox.fault(last, "stall", after=1)
    started = connector.start(catalog=catalog(stream), debug=True)
    while len(sandbox.log(last)) < 2:
        assert started.goes_on()
    ended = started.end(signal.SIGKILL)
    assert ended.stderr == ""
    left = everything_in(tmp_path / "tmp").decode("utf-8", "replace")
    assert CANARY not in left
    assert not any(secret in left for secret in SECRETS)


def test_ledger_and_rejected_file_are_for_their_owner_and_hold_no_more_than_they_must(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    writer = Writer(sandbox, tmp_path)
    writer.config["rejected_path"] = str(tmp_path / "rejected.jsonl")
    given = {
        "first_name": CANARY,
        "email": f"mira@{CANARY}.example.org",
        "phone": f"+00 555 {CANARY}",
    }
    before = os.umask(0)
    try:
        writer.check()
        sandbox.fault("comeet.list", "status", status=400, body="{sent}")
        sandbox.fault("comeet.create", "status", status=403, body="{sent}", after=1)
        killed = writer.write_killed(
            "note committed",
            2,
            record(person(1, **given)),
            record({"id": 7}),
            record(person(2, **given)),
            state(1),
        )
        failed = writer.write_by(COMMAND, record(person(2, **given)), record(person(3, **given)))
    finally:
        os.umask(before)
    assert killed.code == -signal.SIGKILL
    # Both outcomes are unknown, which rejects the records.
    assert failed.code == 0
    made = [path for path in tmp_path.iterdir() if path.name not in {"config.json", "catalog.json"}]
    assert {"ledger.db", "rejected.jsonl"} <= {path.name for path in made}
    for path in made:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
        if path.name.startswith("ledger"):
            content = path.read_bytes()
            for word in (CANARY, *SECRETS):
                assert word.encode() not in content
    for run in (killed, failed):
        assert not any(word in run.output for word in (CANARY, *SECRETS))
