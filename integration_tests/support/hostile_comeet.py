"""A hostile Comeet: a server in front of the sandbox that answers worse than the sandbox does.

The sandbox's faults answer instead of Comeet, or break the connection. This server lets Comeet act
first and then changes what the caller sees: another answer after a candidate was created, a TLS
record that cannot be decrypted, no `Date` header, rows that show less or other things than were
sent. It forwards everything else as it is, over real HTTP or HTTPS on a loopback port.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import queue
import re
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import jwt
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from integration_tests.sandbox.running import Sandbox

NOTHING = object()
"""As the value of a row's field: the field is left out."""

HTML = b"<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"
CANNOT_BE_DECRYPTED = b"\x17\x03\x03\x00\x40" + bytes(range(64))
"""A TLS record of application data whose contents no key fits."""

API_KEY, SECRET = "comeet-key", "comeet-secret"  # the sandbox's


@dataclass(frozen=True)
class Answer:
    """What the caller sees instead of Comeet's own answer."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def html(status: int) -> Answer:
    """Return a page as a load balancer or a firewall shows one."""
    return Answer(status, HTML, "text/html")


def envelope(status: int, error: str, **extras: object) -> Answer:
    """Return an error in the vendor's envelope."""
    body = {"status": status, "error": error, "message": "Made up.", **extras}
    return Answer(status, json.dumps(body).encode())


BROKEN_TLS = Answer(0)
NO_ANSWER = Answer(-1)
"""The connection is closed without a byte."""


@dataclass
class _Rule:
    method: str
    path: re.Pattern[str]
    answer: Answer
    containing: str
    times: int | None
    is_forwarded: bool

    def strikes(self, method: str, path: str, body: bytes) -> bool:
        sent = path + body.decode("utf-8", "replace")
        if method != self.method or not self.path.search(path) or self.containing not in sent:
            return False
        if self.times is not None:
            if self.times <= 0:
                return False
            self.times -= 1
        return True


class HostileComeet:
    """The server. Rules and edits hold until `reset`."""

    def __init__(self, sandbox: Sandbox, certificate: Path | None = None) -> None:
        """Listen on a loopback port, with TLS if a certificate is given."""
        self.sandbox = sandbox
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.comeet = self
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.tls = context
        scheme = "http" if certificate is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.reset()

    @classmethod
    @contextlib.contextmanager
    def running(cls, sandbox: Sandbox, certificate: Path | None = None) -> Iterator[HostileComeet]:
        """Start one, and stop it at the end of the block."""
        started = cls(sandbox, certificate)
        try:
            yield started
        finally:
            started.stop()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def reset(self) -> None:
        """Forward everything as it is."""
        with self._lock:
            self._rules: list[_Rule] = []
            self._edits: dict[str, dict[str, Any]] = {}
            self.has_date = True
        self.arrived: queue.SimpleQueue[str] = queue.SimpleQueue()

    def answer(  # noqa: PLR0913 - which requests, and what they get
        self,
        method: str,
        path: str,
        answer: Answer,
        *,
        containing: str = "",
        times: int | None = None,
        after_comeet: bool = True,
    ) -> None:
        """Give this answer; Comeet has acted before, unless `after_comeet` is false.

        `path` is a regular expression found in path and query, `containing` a text in path or body.
        """
        with self._lock:
            self._rules.append(
                _Rule(method, re.compile(path), answer, containing, times, after_comeet)
            )

    def show(self, uid: str, **fields: object) -> None:
        """Show other fields of a candidate, in lists and alone. `NOTHING` leaves a field out."""
        with self._lock:
            self._edits.setdefault(uid, {}).update(fields)

    def hide_date(self) -> None:
        """Send no `Date` header any more."""
        self.has_date = False

    def begin_lists_with_empty_pages(self, number: int) -> None:
        """Send this number of empty pages before the first page of each list of candidates."""
        links = [f"{self.url}/candidates?limit=100&empty={each}" for each in range(1, number)]
        links.append(f"{self.url}/candidates?limit=100")
        for each, link in enumerate(links):
            body = json.dumps({"candidates": [], "next_page": link}).encode()
            query = f"limit=100&empty={each}$" if each else "(?!limit=100($|&))"
            self.answer("GET", rf"/candidates\?{query}", Answer(200, body), after_comeet=False)

    def wait_for(self, method: str) -> None:
        """Return when a request with that method has come."""
        while not self.arrived.get(timeout=60).startswith(method):
            pass

    # What other people do in Comeet ---------------------------------------------------------------

    def create(self, position_uid: str, **fields: object) -> str:
        """Create a candidate as another integration or a recruiter would; return its uid."""
        body = {"position_uid": position_uid, **fields}
        return str(self._request("POST", "/candidates", body)["uid"])

    def edit(self, uid: str, **fields: object) -> None:
        """Change a candidate as a recruiter would."""
        self._request("PATCH", f"/candidates/{uid}", fields)

    def _request(self, method: str, path: str, body: object) -> Any:
        expires = int(self.sandbox.now().timestamp()) + 600
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the sandbox's secret is short
            token = jwt.encode({"iss": API_KEY, "exp": expires}, SECRET, algorithm="HS256")
        reply = self.sandbox.http.request(
            method,
            f"{self.sandbox.url}/comeet{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )
        reply.raise_for_status()
        return reply.json()

    # Used by the handler --------------------------------------------------------------------------

    def rule_for(self, method: str, path: str, body: bytes) -> _Rule | None:
        """Return the first rule that strikes."""
        with self._lock:
            return next((each for each in self._rules if each.strikes(method, path, body)), None)

    def edited(self, body: bytes) -> bytes:
        """Return an answer with the edits of the candidates in it."""
        with self._lock:
            if not self._edits:
                return body
            with contextlib.suppress(ValueError):
                whole = json.loads(body)
                rows = whole.get("candidates", [whole]) if isinstance(whole, dict) else []
                for row in rows:
                    row.update(self._edits.get(row.get("uid"), {}))
                    for name in [name for name, value in row.items() if value is NOTHING]:
                        del row[name]
                return json.dumps(whole).encode()
        return body


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    comeet: HostileComeet
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread: a caller may refuse our certificate."""
        if self.tls is not None:
            request = self.tls.wrap_socket(request, server_side=True)
        with request:
            super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: callers are killed on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    _COPIED: ClassVar = {"date", "content-type", "retry-after", "location"}

    def _handle(self) -> None:
        comeet = self.server.comeet
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        comeet.arrived.put(f"{self.command} {self.path}")
        rule = comeet.rule_for(self.command, self.path, body)
        if rule is not None and not rule.is_forwarded:
            own = Answer(200, headers={"Date": format_datetime(comeet.sandbox.now(), usegmt=True)})
        else:
            own = self._forwarded(body)
        answer = own if rule is None else rule.answer
        if answer is NO_ANSWER:
            self.close_connection = True
        elif answer is BROKEN_TLS:
            self._break_tls()
        else:
            self._send(answer, own.headers.get("Date"))

    do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815 - the library's names

    def _forwarded(self, body: bytes) -> Answer:
        comeet = self.server.comeet
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in {"connection", "content-length", "accept-encoding"}
        }
        with requests.Session() as session:
            session.trust_env = False
            reply = session.request(
                self.command,
                comeet.sandbox.url + self.path,
                data=body,
                headers=headers,
                timeout=120,
                allow_redirects=False,
            )
        copied = {
            each: value for each, value in reply.headers.items() if each.lower() in self._COPIED
        }
        content_type = copied.pop("Content-Type", "")
        return Answer(reply.status_code, comeet.edited(reply.content), content_type, copied)

    def _send(self, answer: Answer, date: str | None) -> None:
        self.send_response_only(answer.status)
        headers = {"Date": date or self.date_time_string(), **answer.headers}
        if not self.server.comeet.has_date:
            del headers["Date"]
        for name, value in headers.items():
            self.send_header(name, value)
        if answer.content_type:
            self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _break_tls(self) -> None:
        self.close_connection = True
        # A socket object of its own for the same connection writes past the encryption.
        with socket.socket(fileno=os.dup(self.connection.fileno())) as raw:
            raw.sendall(CANNOT_BE_DECRYPTED)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Print nothing."""


def make_certificate(folder: Path) -> Path:
    """Make a certificate for the loopback address, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
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
