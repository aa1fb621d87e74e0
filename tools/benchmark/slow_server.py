"""A Comeet and a host of files at a distance: `python -m tools.benchmark.slow_server`.

Each answer of Comeet comes `COMEET_SECONDS` after its request, each file `FILE_SECONDS`; as many as
are asked for at the same time. Prints its address, serves until its standard input is closed.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
from email.utils import formatdate
from typing import cast

import uvloop

from tools.benchmark.opponents import POSITION

COMEET_SECONDS, FILE_SECONDS = 0.020, 0.050
FILE = random.Random(0).randbytes(200_000)  # noqa: S311 - nothing secret
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Connection(asyncio.Protocol):
    """One connection, kept open; requests are not pipelined."""

    created = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note where answers go."""
        self._transport = cast("asyncio.Transport", transport)
        self._come = bytearray()
        self._missing = 0

    def data_received(self, data: bytes) -> None:
        """Answer when a request is whole."""
        self._come += data
        if self._missing > 0:
            self._missing -= len(data)
        else:
            head, end, body = self._come.partition(b"\r\n\r\n")
            if not end:
                return
            length = _LENGTH.search(head)
            self._missing = (int(length[1]) if length else 0) - len(body)
        if self._missing > 0:
            return
        path = bytes(self._come[:1000].split(b" ", 2)[1])
        self._come.clear()
        seconds = FILE_SECONDS if path.startswith(b"/files/") else COMEET_SECONDS
        answer = self._answer(path)
        asyncio.get_running_loop().call_later(seconds, self._write, answer)

    def _answer(self, path: bytes) -> bytes:
        if path.startswith(b"/files/"):
            return FILE
        if path.startswith(b"/comeet/positions/"):
            return b'{"uid":"%b","status":"open"}' % POSITION.encode()
        if path.startswith(b"/comeet/positions"):
            return b'{"positions":[{"uid":"%b","status":"open"}]}' % POSITION.encode()
        if path.startswith(b"/comeet/candidates?"):
            return b'{"candidates":[]}'
        Connection.created += 1
        return b'{"uid":"%06X.%03X"}' % (Connection.created, Connection.created % 4096)

    def _write(self, answer: bytes) -> None:
        date = formatdate(usegmt=True).encode()
        head = b"HTTP/1.1 200 OK\r\nDate: %b\r\nContent-Length: %d\r\n\r\n" % (date, len(answer))
        self._transport.write(head + answer)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, host="127.0.0.1", port=0)
    host, port = server.sockets[0].getsockname()
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    uvloop.run(_serve())
