"""A host that serves files under unguessable addresses, well or badly."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "k3Yq9"  # noqa: S105 - made up
"""Part of every address: whoever has it can read the file, so it may be printed nowhere."""


@dataclass
class FileHost:
    """The files by name, and the requests that came."""

    url: str
    contents: dict[str, bytes] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    """Answered instead of a file."""
    redirects: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    """The `Content-Type` of a file."""
    cookie: str = ""
    """Set by each answer."""
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Name and headers of each."""

    def address(self, name: str, content: bytes = b"", link: int = 1) -> str:
        """Return the address of a file, which exists from now on; each `link` is another one."""
        self.contents.setdefault(name, content or b"%PDF " + name.encode())
        return f"{self.url}/{SECRET}{link}/{name}"

    def fetched(self) -> list[str]:
        """Return the names of the files that were requested, in their order."""
        return sorted(name for name, _ in self.requests)

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[FileHost]:
        """Start one on a loopback port, and stop it at the end of the block."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        host = cls(f"http://127.0.0.1:{server.server_address[1]}")
        server.host = host  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield host
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a file, a status or a redirect."""
        host: FileHost = self.server.host  # type: ignore[attr-defined]
        name = self.path.rpartition("/")[2]
        host.requests.append((name, dict(self.headers)))
        target = host.redirects.get(name)
        body = host.contents.get(name, b"")
        status = 302 if target else host.statuses.get(name, 200 if name in host.contents else 404)
        self.send_response(status)
        if target:
            self.send_header("Location", target)
        if host.cookie:
            self.send_header("Set-Cookie", host.cookie)
        if name in host.types:
            self.send_header("Content-Type", host.types[name])
        body = body if status in {200, 206} else b""
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""
