"""A small vendor over real HTTP whose every answer a test scripts.

For what the sandbox does not play: bodies that never end, broken TLS, links of all kinds. A test
passes a function that maps a request to an answer; `requests` holds what came.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """By names in lower case."""
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    body: Any = b""
    """Bytes, an iterator of pieces that are sent as they come, or else a value for JSON."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    is_raw: bool = False
    """The pieces of the body are all that is sent: status line and headers too."""
    garbage_after: int | None = None
    """Send this many bytes of the body, then bytes that are not TLS."""


Script = Callable[[Request], Answer]


@dataclass
class ScriptedVendor:
    """A running server."""

    url: str
    requests: list[Request] = field(default_factory=list)
    bytes_sent: int = 0


@contextlib.contextmanager
def scripted_vendor(script: Script, *, certificate: Path | None = None) -> Iterator[ScriptedVendor]:
    """Run a vendor with this script; over TLS with the certificate and key of a PEM file."""
    vendor = ScriptedVendor("")
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(
                self.command,
                parts.path,
                dict(parse_qsl(parts.query, keep_blank_values=True)),
                {name.lower(): value for name, value in self.headers.items()},
                body,
            )
            with lock:
                vendor.requests.append(request)
            answer = script(request)
            with contextlib.suppress(OSError):
                self._send(answer)

        do_GET = do_POST = _answer  # noqa: N815 - the names that the library calls

        def _send(self, answer: Answer) -> None:
            if answer.is_raw:
                _send_pieces(self, answer.body, vendor)
                return
            self.send_response_only(answer.status)
            now = dt.datetime.now(dt.UTC)
            headers = {
                "Date": format_datetime(now, usegmt=True),
                "Content-Type": "application/json",
            }
            for name, value in {**headers, **answer.headers}.items():
                self.send_header(name, value)
            if isinstance(answer.body, Iterator):
                self.send_header("Connection", "close")
                self.end_headers()
                _send_pieces(self, answer.body, vendor)
                return
            body = answer.body
            if not isinstance(body, bytes):
                body = json.dumps(body).encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if answer.garbage_after is None:
                self.wfile.write(body)
                return
            self.wfile.write(body[: answer.garbage_after])
            self.close_connection = True
            raw = self.connection.detach()
            with contextlib.closing(socket.socket(fileno=raw)) as plain:
                plain.sendall(b"\x00garbage" * 50)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    scheme = "http"
    if certificate is not None:
        scheme = "https"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    vendor.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield vendor
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _send_pieces(
    handler: BaseHTTPRequestHandler, pieces: Iterable[bytes], vendor: ScriptedVendor
) -> None:
    handler.close_connection = True
    for piece in pieces:
        handler.wfile.write(piece)
        vendor.bytes_sent += len(piece)


def make_certificate(folder: Path) -> Path:
    """Return a PEM file with a key and a certificate for 127.0.0.1, which signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
