"""An HTTP proxy on a loopback port that forwards requests, and loses answers if it is told to."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import requests


@dataclass
class ForwardProxy:
    """A running proxy. The next `lost` answers to a POST are dropped, after they were received."""

    url: str
    lost: int = 0
    forwarded: int = 0


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: ForwardProxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Print nothing."""

    def _forward(self) -> None:
        proxy = cast("_Server", self.server).proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(self.command, self.path, headers=dict(self.headers), data=body)
        proxy.forwarded += 1
        if self.command == "POST" and proxy.lost:
            proxy.lost -= 1
            self.close_connection = True
            return
        self.send_response(answer.status_code)
        for name, value in answer.headers.items():
            if name.lower() not in {"transfer-encoding", "content-encoding", "content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_POST = do_PATCH = _forward  # noqa: N815 - the base class's names


@contextlib.contextmanager
def started() -> Iterator[ForwardProxy]:
    """Yield a proxy that runs until the block ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.proxy = ForwardProxy(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
